/* SPDX-License-Identifier: Apache-2.0 */
#include "url_params.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox_memory.h"
#include "url_text.h"

void berth_sandbox_url_params_init(struct berth_sandbox_url_params *params, const char *text,
                                   size_t len) {
    *params = (struct berth_sandbox_url_params){.storage = berth_sandbox_alloc(len + 1)};
    if (len > 0) {
        memcpy(params->storage, text, len);
    }
    char *rest = params->storage;
    while (params->count < BERTH_SANDBOX_URL_PARAMS_MAX) {
        char *name = strsep(&rest, "&");
        if (name == NULL) {
            return;
        }
        char *value = name;
        (void)strsep(&value, "=");
        if (name[0] == '\0' || !berth_sandbox_url_decode(name, true) ||
            (value != NULL && !berth_sandbox_url_decode(value, true))) {
            continue;
        }
        params->pairs[params->count++] =
            (struct berth_sandbox_url_param){.name = name, .value = value == NULL ? "" : value};
    }
}

void berth_sandbox_url_params_deinit(struct berth_sandbox_url_params *params) {
    free(params->storage);
    *params = (struct berth_sandbox_url_params){0};
}

const char *berth_sandbox_url_params_get(const struct berth_sandbox_url_params *params,
                                         const char *name) {
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(params->pairs[i].name, name) == 0) {
            return params->pairs[i].value;
        }
    }
    return NULL;
}
