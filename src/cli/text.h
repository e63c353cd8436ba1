/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: text of unknown origin made harmless, and parts of JSON objects. */
#ifndef BERTH_CLI_TEXT_H
#define BERTH_CLI_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* Prints the text; control characters, which could move a terminal's cursor, and bytes outside
 * UTF-8 as \xNN. */
void cli_put_text(FILE *out, const char *text, size_t len);

/* The same for a member of an object: a string as it is, a number, "yes" or "no", "-" for none. */
void cli_put_member(FILE *out, const json_t *object, const char *name);

/* The member if it is a string, else "". A view. */
const char *cli_member(const json_t *object, const char *name);

/* "dev, prod", or "No binding" when there is none; of an array of strings, or of objects with the
 * member "workspace". */
void cli_put_workspaces(FILE *out, const json_t *workspaces);

/* "10 GiB", "unlimited", "-" for none. */
#define CLI_QUOTA_BYTES 32
void cli_quota_text(const json_t *quota_bytes, char ret_text[CLI_QUOTA_BYTES]);

#endif
