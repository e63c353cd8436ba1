/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of one workspace: derived from the master key, or from a file of its own.
 *
 * As text it is one line, WORKSPACE:KEYID:KEY. KEYID tells of which master key it is, KEY is K_ws
 * in 64 lower-case hex digits (docs/credentials.md). A workspace's id holds no colon.
 */
#ifndef BERTH_CLI_KEY_H
#define BERTH_CLI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/codec/identity.h"
#include "berth/core/limits.h"
#include "cli.h"

struct cli_key {
    uint8_t key[BERTH_WORKSPACE_KEY_BYTES];
    char key_id[BERTH_KEY_ID_BYTES];
};

/* The text with its NUL; the sizes of the parts count theirs, which is room for the colons. */
#define CLI_KEY_TEXT_BYTES                                                                         \
    (BERTH_WORKSPACE_BYTES + BERTH_KEY_ID_BYTES + 2 * BERTH_WORKSPACE_KEY_BYTES + 1)

/* By the configuration's master key, whose file is read now. What is wrong is told on standard
 * error: CLI_USAGE. */
enum cli_exit cli_key_derive(const struct berth_config *config, const char *workspace,
                             struct cli_key *ret_key);

/* From the file that holds the text above, of this workspace. The same outcomes. */
enum cli_exit cli_key_read(const char *path, const char *workspace, struct cli_key *ret_key);

void cli_key_format(const struct cli_key *key, const char *workspace,
                    char ret_text[CLI_KEY_TEXT_BYTES]);

/* BERTH_INVALID: it isn't the key of this workspace, and the error says why without the key. */
BERTH_MUST_USE enum berth_rc cli_key_parse(const char *text, const char *workspace,
                                           struct cli_key *ret_key, struct berth_error *reterr);

void cli_key_wipe(struct cli_key *key);

#endif
