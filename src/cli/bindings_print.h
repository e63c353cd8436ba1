/* SPDX-License-Identifier: Apache-2.0 */
/* Spaces and who is bound to them, for people and for programs. */
#ifndef BERTH_CLI_BINDINGS_PRINT_H
#define BERTH_CLI_BINDINGS_PRINT_H

#include <stdbool.h>

#include "berth/io/lookup.h"
#include "cli.h"

struct cli_bindings_print;

/* CLI_FAILED: no memory, told. Freed with cli_bindings_print_free(), which takes NULL and returns
 * it. */
enum cli_exit cli_bindings_print_new(bool json, struct cli_bindings_print **ret_print);
struct cli_bindings_print *cli_bindings_print_free(struct cli_bindings_print *print);

/* For cli_lookups_fn: a page of a table, whose columns never become narrower; one space, with all
 * that is known of it. Each is flushed; false: it can't be printed, or nobody reads. */
bool cli_bindings_print_page(void *ctx, const struct berth_lookup_answer *answer);
bool cli_bindings_print_space(void *ctx, const struct berth_lookup_answer *answer);

/* Says it if nothing was listed: a workspace that is bound nowhere, or (NULL) no spaces. */
enum cli_exit cli_bindings_print_end(struct cli_bindings_print *print, const char *workspace);

/* CLI_FAILED: something couldn't be printed, and that was told. */
enum cli_exit cli_bindings_print_status(const struct cli_bindings_print *print);

#endif
