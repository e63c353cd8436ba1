/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evdns calls back at once for what it finds in /etc/hosts, and frees a look-up only after it has
 * called back. So every answer goes through one event of ours, and what is stopped while it looks
 * up is freed when evdns lets go of it, in the loop's next turn.
 */
#include "redis_resolve.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct berth_redis_resolve {
    berth_redis_resolve_fn fn; /* NULL once stopped. */
    void *ctx;
    size_t nth;
    size_t count;           /* Of the addresses that were found. */
    struct evdns_base *dns; /* NULL when nothing had to be looked up. */
    struct event *done;
    bool looking_up; /* evdns holds a pointer to this. */
    bool found;
    char address[BERTH_REDIS_ADDRESS_BYTES];
    char why[128];
};

static void resolve_free(struct berth_redis_resolve *resolve) {
    if (resolve->dns != NULL) {
        evdns_base_free(resolve->dns, 1);
    }
    if (resolve->done != NULL) {
        event_free(resolve->done);
    }
    free(resolve);
}

static void resolve_done_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_redis_resolve *resolve = ctx;
    berth_redis_resolve_fn fn = resolve->fn;
    resolve->fn = NULL;
    fn(resolve->ctx, resolve->found ? resolve->address : NULL, resolve->count, resolve->why);
}

/* The nth of the addresses, as a number again: hiredis takes text. */
static void take_address(struct berth_redis_resolve *resolve, const struct evutil_addrinfo *list) {
    size_t count = 0;
    for (const struct evutil_addrinfo *at = list; at != NULL; at = at->ai_next) {
        count++;
    }
    const struct evutil_addrinfo *chosen = list;
    for (size_t i = count == 0 ? 0 : resolve->nth % count; i > 0; i--) {
        chosen = chosen->ai_next;
    }
    int rc = EAI_NONAME;
    if (chosen != NULL) {
        rc = getnameinfo(chosen->ai_addr, (socklen_t)chosen->ai_addrlen, resolve->address,
                         sizeof(resolve->address), NULL, 0, NI_NUMERICHOST);
    }
    resolve->found = rc == 0;
    resolve->count = count;
    if (rc != 0) {
        snprintf(resolve->why, sizeof(resolve->why), "%s", gai_strerror(rc));
    }
}

static void evdns_answered_cb(int result, struct evutil_addrinfo *list, void *ctx) {
    struct berth_redis_resolve *resolve = ctx;
    resolve->looking_up = false;
    if (resolve->fn != NULL && result == 0) {
        take_address(resolve, list);
    } else {
        snprintf(resolve->why, sizeof(resolve->why), "%s", evutil_gai_strerror(result));
    }
    if (list != NULL) {
        evutil_freeaddrinfo(list);
    }
    if (resolve->fn == NULL) {
        free(resolve); /* Stopped; evdns itself is on its way out already. */
        return;
    }
    event_active(resolve->done, EV_TIMEOUT, 0);
}

static void look_up(struct berth_redis_resolve *resolve, struct event_base *base, const char *host,
                    const char *nameserver) {
    resolve->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (resolve->dns == NULL) {
        snprintf(resolve->why, sizeof(resolve->why), "the resolver can't be started");
        event_active(resolve->done, EV_TIMEOUT, 0);
        return;
    }
    /* Without a readable resolv.conf the system's default is the name server on this machine; evdns
     * then sets that by itself, so the result says nothing more. */
    int options = DNS_OPTIONS_ALL;
    if (nameserver != NULL) {
        options &= ~DNS_OPTION_NAMESERVERS;
    }
    (void)evdns_base_resolv_conf_parse(resolve->dns, options, "/etc/resolv.conf");
    if (nameserver != NULL && evdns_base_nameserver_ip_add(resolve->dns, nameserver) != 0) {
        snprintf(resolve->why, sizeof(resolve->why), "the name server's address isn't valid");
        event_active(resolve->done, EV_TIMEOUT, 0);
        return;
    }
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    resolve->looking_up = true;
    (void)evdns_getaddrinfo(resolve->dns, host, NULL, &hints, evdns_answered_cb, resolve);
}

bool berth_redis_is_numeric(const char *host) {
    unsigned char address[16];
    return evutil_inet_pton(AF_INET, host, address) == 1 ||
           evutil_inet_pton(AF_INET6, host, address) == 1;
}

struct berth_redis_resolve *berth_redis_resolve_start(struct event_base *base, const char *host,
                                                      const char *nameserver, size_t nth,
                                                      berth_redis_resolve_fn fn, void *ctx) {
    struct berth_redis_resolve *resolve = calloc(1, sizeof(*resolve));
    if (resolve == NULL) {
        return NULL;
    }
    resolve->fn = fn;
    resolve->ctx = ctx;
    resolve->nth = nth;
    resolve->done = evtimer_new(base, resolve_done_cb, resolve);
    if (resolve->done == NULL) {
        free(resolve);
        return NULL;
    }
    const char *known = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if ((known[0] == '/' || berth_redis_is_numeric(known)) &&
        strlen(known) < sizeof(resolve->address)) {
        memcpy(resolve->address, known, strlen(known) + 1);
        resolve->found = true;
        resolve->count = 1;
        event_active(resolve->done, EV_TIMEOUT, 0);
    } else {
        look_up(resolve, base, host, nameserver);
    }
    return resolve;
}

void berth_redis_resolve_stop(struct berth_redis_resolve *resolve) {
    if (resolve == NULL) {
        return;
    }
    if (!resolve->looking_up) {
        resolve_free(resolve);
        return;
    }
    resolve->fn = NULL;
    event_free(resolve->done);
    resolve->done = NULL;
    /* Fails the look-up from the loop, which then frees the rest. */
    evdns_base_free(resolve->dns, 1);
    resolve->dns = NULL;
}
