/* SPDX-License-Identifier: Apache-2.0 */
/* Text that holds secrets: it grows, and leaves nothing of itself behind in memory. */
#ifndef BERTH_CLI_SECRET_TEXT_H
#define BERTH_CLI_SECRET_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"

/* A zeroed one is empty. */
struct cli_secret_text {
    char *data; /* NUL-terminated; NULL while it is empty. */
    size_t len;
    size_t capacity; /* Private. */
    bool failed;     /* Memory ran out: from then on nothing is added. */
};

/* Add at the end. Whether there was memory for all of it is asked once, in `failed`. */
void cli_secret_text_add(struct cli_secret_text *text, const char *data, size_t len);
void cli_secret_text_puts(struct cli_secret_text *text, const char *more);
/* RFC 4648's Base64, with padding, in one line. Not of its own data. */
void cli_secret_text_add_base64(struct cli_secret_text *text, const char *data, size_t len);

/* To standard output, to which nothing was written yet: past its buffer, which nobody wipes.
 * CLI_FAILED, told on standard error: it failed, or can't be written. */
enum cli_exit cli_secret_text_print(const struct cli_secret_text *text);

/* Overwrites and frees it; fine twice. */
void cli_secret_text_wipe(struct cli_secret_text *text);

#endif
