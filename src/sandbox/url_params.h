/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters: what stands behind "?" in a URL, or in a form's body.
 */
#ifndef BERTH_SANDBOX_URL_PARAMS_H
#define BERTH_SANDBOX_URL_PARAMS_H

#include <stddef.h>

/* More are ignored. */
#define BERTH_SANDBOX_URL_PARAMS_MAX 32

struct berth_sandbox_url_param {
    const char *name;
    const char *value; /* "" when there was no "=". */
};

struct berth_sandbox_url_params {
    char *storage; /* Owned: the decoded text that the pairs point into. */
    struct berth_sandbox_url_param pairs[BERTH_SANDBOX_URL_PARAMS_MAX];
    size_t count;
};

/* Splits and decodes len bytes; text may be NULL when len is 0. A pair that can't be decoded is
 * left out, as Go does. */
void berth_sandbox_url_params_init(struct berth_sandbox_url_params *params, const char *text,
                                   size_t len);
void berth_sandbox_url_params_deinit(struct berth_sandbox_url_params *params);

/* The first value of the name, or NULL. */
const char *berth_sandbox_url_params_get(const struct berth_sandbox_url_params *params,
                                         const char *name);

#endif
