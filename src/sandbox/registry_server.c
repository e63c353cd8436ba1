/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_server.h"

#include <event2/http.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "harbor_api.h"
#include "request_flow.h"
#include "sandbox_evhttp.h"
#include "sandbox_memory.h"
#include "sandbox_tls.h"

struct berth_sandbox_registry {
    struct event_base *base;
    char *name;
    char *base_path;
    uint16_t port;
    struct berth_sandbox_tls *tls;
    struct evhttp *http; /* NULL while connections are refused. */
    int closed_socket;   /* Keeps the port then: bound, but not listening. Else -1. */
    struct berth_sandbox_harbor *harbor;
    struct berth_sandbox_faults faults;
    struct berth_sandbox_journal *journal;
    struct berth_sandbox_flow *flow;
};

static void registry_request_cb(struct evhttp_request *request, void *context);
static enum berth_rc close_port(struct berth_sandbox_registry *server, struct berth_error *reterr);
static enum berth_rc open_port(struct berth_sandbox_registry *server, struct berth_error *reterr);
static void fill_random(void *memory, size_t bytes);

enum berth_rc berth_sandbox_registry_new(struct event_base *base,
                                         const struct berth_sandbox_registry_options *options,
                                         struct berth_sandbox_registry **ret_server,
                                         struct berth_error *reterr) {
    struct berth_sandbox_registry *server = berth_sandbox_alloc(sizeof(*server));
    server->base = base;
    server->tls = options->tls;
    server->closed_socket = -1;
    enum berth_rc rc =
        berth_sandbox_bind(options->port, &server->closed_socket, &server->port, reterr);
    if (rc == BERTH_OK) {
        rc = open_port(server, reterr);
    }
    if (rc != BERTH_OK) {
        berth_sandbox_registry_free(server);
        return rc;
    }
    struct berth_sandbox_harbor_options harbor_options = options->harbor;
    harbor_options.fill_random = fill_random;
    harbor_options.now_ms = berth_sandbox_now_ms();
    harbor_options.with_tls = options->tls != NULL;
    server->name = berth_sandbox_copy(options->name);
    server->base_path = berth_sandbox_copy(options->base_path);
    server->harbor = berth_sandbox_harbor_new(&harbor_options);
    server->journal = berth_sandbox_journal_new();
    berth_sandbox_faults_init(&server->faults);
    const struct berth_sandbox_flow_options flow_options = {.base = base,
                                                            .harbor = server->harbor,
                                                            .journal = server->journal,
                                                            .faults = &server->faults,
                                                            .base_path = server->base_path};
    server->flow = berth_sandbox_flow_new(&flow_options);
    *ret_server = server;
    return BERTH_OK;
}

struct berth_sandbox_registry *berth_sandbox_registry_free(struct berth_sandbox_registry *server) {
    if (server == NULL) {
        return NULL;
    }
    berth_sandbox_flow_free(server->flow);
    if (server->http != NULL) {
        evhttp_free(server->http);
    }
    if (server->closed_socket >= 0) {
        (void)close(server->closed_socket);
    }
    berth_sandbox_harbor_free(server->harbor);
    berth_sandbox_journal_free(server->journal);
    free(server->name);
    free(server->base_path);
    free(server);
    return NULL;
}

const char *berth_sandbox_registry_name(const struct berth_sandbox_registry *server) {
    return server->name;
}

uint16_t berth_sandbox_registry_port(const struct berth_sandbox_registry *server) {
    return server->port;
}

const char *berth_sandbox_registry_base_path(const struct berth_sandbox_registry *server) {
    return server->base_path;
}

struct berth_sandbox_harbor *berth_sandbox_registry_harbor(struct berth_sandbox_registry *server) {
    return server->harbor;
}

struct berth_sandbox_journal *
berth_sandbox_registry_journal(struct berth_sandbox_registry *server) {
    return server->journal;
}

const struct berth_sandbox_faults *
berth_sandbox_registry_faults(const struct berth_sandbox_registry *server) {
    return &server->faults;
}

enum berth_rc berth_sandbox_registry_set_faults(struct berth_sandbox_registry *server,
                                                const struct berth_sandbox_faults *faults,
                                                struct berth_error *reterr) {
    bool refuse = faults->base.away == BERTH_SANDBOX_AWAY_REFUSE;
    enum berth_rc rc = BERTH_OK;
    if (refuse && server->http != NULL) {
        rc = close_port(server, reterr);
    } else if (!refuse && server->http == NULL) {
        rc = open_port(server, reterr);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    if (!berth_sandbox_faults_hang(faults)) {
        berth_sandbox_flow_reset_hanging(server->flow);
    }
    server->faults = *faults;
    berth_sandbox_harbor_set_login_lock(server->harbor, faults->login_lock_ms);
    return BERTH_OK;
}

static void registry_request_cb(struct evhttp_request *request, void *context) {
    struct berth_sandbox_registry *server = context;
    berth_sandbox_flow_begin(server->flow, request);
}

static enum berth_rc close_port(struct berth_sandbox_registry *server, struct berth_error *reterr) {
    berth_sandbox_flow_drop(server->flow);
    evhttp_free(server->http);
    server->http = NULL;
    /* Two sockets can't hold one port, so for a moment nobody has it. */
    uint16_t port = 0;
    enum berth_rc rc = berth_sandbox_bind(server->port, &server->closed_socket, &port, reterr);
    BERTH_ASSERT(rc != BERTH_OK || port == server->port);
    return rc;
}

static enum berth_rc open_port(struct berth_sandbox_registry *server, struct berth_error *reterr) {
    enum berth_rc rc = BERTH_OK;
    if (server->closed_socket < 0) {
        uint16_t port = 0;
        rc = berth_sandbox_bind(server->port, &server->closed_socket, &port, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_sandbox_serve(server->base, server->closed_socket, registry_request_cb, server,
                                 &server->http, reterr);
    }
    if (rc == BERTH_OK && server->tls != NULL) {
        berth_sandbox_tls_use(server->tls, server->http);
    }
    if (rc == BERTH_OK) {
        server->closed_socket = -1;
    }
    return rc;
}

static void fill_random(void *memory, size_t bytes) {
    /* Up to 256 bytes come at once or not at all; nobody here wants more. */
    BERTH_ASSERT(bytes <= 256);
    BERTH_ASSERT(getrandom(memory, bytes, 0) == (ssize_t)bytes);
}
