/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "harbor_client_parts.h"

/* Whoever doesn't answer in this time forgets the session in its own. */
#define LOG_OUT_MS 1000

/* One session's end. */
struct farewell {
    CURL *easy;
    char cookie_line[sizeof "Cookie: sid=; _gorilla_csrf=" + BERTH_HARBOR_SID_BYTES +
                     BERTH_HARBOR_CSRF_BYTES];
    struct curl_slist cookie;
};

static void begin(const struct registry *registry, CURLM *multi, struct farewell *farewell);
static void carry(CURLM *multi);
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx);

void berth_harbor_client_log_out(struct berth_harbor_client *client) {
    struct farewell *farewells = calloc(client->registries_count, sizeof *farewells);
    CURLM *multi = curl_multi_init();
    if (farewells != NULL && multi != NULL) {
        for (size_t i = 0; i < client->registries_count; i++) {
            if (client->registries[i].session.generation != 0) {
                begin(&client->registries[i], multi, &farewells[i]);
            }
        }
        carry(multi);
    }
    for (size_t i = 0; farewells != NULL && i < client->registries_count; i++) {
        struct berth_harbor_session *session = &client->registries[i].session;
        berth_harbor_session_lose(session, session->generation);
        if (farewells[i].easy != NULL) {
            (void)curl_multi_remove_handle(multi, farewells[i].easy);
            curl_easy_cleanup(farewells[i].easy);
        }
        explicit_bzero(&farewells[i], sizeof farewells[i]);
    }
    (void)curl_multi_cleanup(multi);
    free(farewells);
}

/* Whatever fails here, the session ends by itself. */
static void begin(const struct registry *registry, CURLM *multi, struct farewell *farewell) {
    struct berth_harbor_endpoint *endpoint = registry->endpoint;
    char *url = NULL;
    CURL *easy = curl_easy_init();
    if (easy == NULL || asprintf(&url, "%s/c/log_out", endpoint->registry.url) < 0) {
        curl_easy_cleanup(easy);
        return;
    }
    (void)snprintf(farewell->cookie_line, sizeof farewell->cookie_line,
                   "Cookie: sid=%s; _gorilla_csrf=%s", registry->session.keys.sid,
                   registry->session.keys.csrf);
    farewell->cookie = (struct curl_slist){
        .data = farewell->cookie_line,
        .next = endpoint->extra_count > 0 ? &endpoint->extra[0] : NULL,
    };
    int bad = berth_harbor_set_up_curl(easy, &endpoint->registry);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_URL, url);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)LOG_OUT_MS);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &farewell->cookie);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb);
    free(url);
    if (bad != 0 || curl_multi_add_handle(multi, easy) != CURLM_OK) {
        curl_easy_cleanup(easy);
        return;
    }
    farewell->easy = easy;
}

static void carry(CURLM *multi) {
    int64_t until_ms = berth_clock_monotonic_ms() + LOG_OUT_MS;
    int running = 0;
    while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
        int64_t left_ms = until_ms - berth_clock_monotonic_ms();
        if (left_ms <= 0 || curl_multi_poll(multi, NULL, 0, (int)left_ms, NULL) != CURLM_OK) {
            return;
        }
    }
}

/* What it says doesn't matter; a flood of it ends with the time. */
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx) {
    (void)data;
    (void)ctx;
    return size * count;
}
