/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_client_transfer_parts.h"

static enum berth_rc make_errand(struct berth_harbor_transfer *transfer);
static enum berth_rc write_login(struct berth_harbor_transfer *transfer);

enum berth_rc berth_harbor_transfer_begin_errand(struct berth_harbor_transfer *transfer,
                                                 enum berth_harbor_errand errand,
                                                 const struct berth_harbor_keys *keys) {
    BERTH_ASSERT(transfer->call == NULL);
    BERTH_ASSERT(transfer->errand == BERTH_HARBOR_ERRAND_NONE);
    transfer->errand = errand;
    transfer->in_session = true;
    transfer->looking_up = false;
    transfer->is_write = false;
    transfer_carry_keys(transfer, keys);
    enum berth_rc rc = make_errand(transfer);
    if (rc == BERTH_OK) {
        rc = transfer_send_round(transfer);
    }
    if (rc != BERTH_OK) {
        berth_harbor_transfer_abandon(transfer);
    }
    return rc;
}

void berth_harbor_transfer_end_errand(struct berth_harbor_transfer *transfer, CURLcode code,
                                      struct berth_harbor_errand_reply *ret_reply) {
    BERTH_ASSERT(transfer->errand != BERTH_HARBOR_ERRAND_NONE);
    if (code != CURLE_OK) {
        *ret_reply =
            (struct berth_harbor_errand_reply){.words = transfer_failure_text(transfer, code)};
        return;
    }
    struct berth_harbor_reply reply = transfer_reply_of(transfer);
    *ret_reply = (struct berth_harbor_errand_reply){
        .status = reply.status,
        .brought = transfer->headers.brought,
        .names_us = transfer->errand == BERTH_HARBOR_ERRAND_PROVE &&
                    berth_harbor_reply_names_user(&reply, transfer->endpoint->registry.username),
        .retry_after_ms = reply.retry_after_ms,
        .location = reply.location,
        .words = "",
    };
}

static enum berth_rc make_errand(struct berth_harbor_transfer *transfer) {
    static const char *const PATHS[] = {
        [BERTH_HARBOR_ERRAND_GREET] = "/api/v2.0/systeminfo",
        [BERTH_HARBOR_ERRAND_TOKEN] = "/api/v2.0/systeminfo",
        [BERTH_HARBOR_ERRAND_LOGIN] = "/c/login",
        [BERTH_HARBOR_ERRAND_PROVE] = "/api/v2.0/users/current",
    };
    bool login = transfer->errand == BERTH_HARBOR_ERRAND_LOGIN;
    transfer->request = (struct berth_harbor_request){.method = login ? "POST" : "GET"};
    (void)snprintf(transfer->request.path, sizeof transfer->request.path, "%s",
                   PATHS[transfer->errand]);
    return login ? write_login(transfer) : BERTH_OK;
}

static enum berth_rc write_login(struct berth_harbor_transfer *transfer) {
    const struct berth_harbor_registry_config *registry = &transfer->endpoint->registry;
    char *principal = curl_easy_escape(transfer->easy, registry->username, 0);
    char *password = curl_easy_escape(transfer->easy, registry->password, 0);
    enum berth_rc rc = BERTH_FAULT_MEMORY;
    if (principal != NULL && password != NULL) {
        struct berth_buffer *body = &transfer->request.body;
        size_t bytes = sizeof "principal=&password=" + strlen(principal) + strlen(password);
        berth_buffer_init(body, bytes);
        /* In one go, so that no copy is left behind by growing. */
        rc = berth_buffer_printf(body, "principal=%s&password=%s", principal, password);
    }
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
    }
    curl_free(password);
    curl_free(principal);
    return rc;
}
