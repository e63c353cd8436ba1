/* SPDX-License-Identifier: Apache-2.0 */
/* berth workspace-key: the key that derives the pull secrets of one workspace, and no other's. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"
#include "cli.h"
#include "key.h"
#include "secret_text.h"

struct arguments {
    struct cli_common common;
    const char *workspace;
    bool json;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static enum cli_exit run(struct cli *cli, const void *input);
static enum cli_exit print(const struct cli_key *key, const struct arguments *arguments);

static const struct argp_option options[] = {
    {.name = "workspace", .key = 'w', .arg = "ID", .doc = "The workspace"},
    {.name = "json", .key = 'j', .doc = "A JSON object instead, with workspace, key_id and key"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "--workspace ID",
    .doc = "Prints the key that derives the pull secrets of one workspace, from the "
           "configuration's master key: what `berth pull-secret --key-file` takes."
           "\vIt is one line, WORKSPACE:KEYID:KEY, with the key in hexadecimal digits. Whoever "
           "has it can pull from every space that the workspace is or will be bound to: keep it "
           "as you keep a password.\n\n"
           "Exit status: 0, 1 it can't be printed, 2 wrong usage or no master key.",
    .children = children,
};

enum cli_exit cli_workspace_key(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common};
    error_t problem = argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    BERTH_ASSERT(problem == 0);
    return cli_with_config(&arguments.common, BERTH_CONFIG_FOR_TOOLS, run, &arguments);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case 'w':
        arguments->workspace = argument;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: berth workspace-key takes only options", argument);
        return 0;
    case ARGP_KEY_END:
        if (arguments->workspace == NULL) {
            argp_error(state, "needs --workspace");
        } else if (!berth_workspace_id_legal(arguments->workspace)) {
            argp_error(state, "--workspace must be 1 to %d letters, digits, '.', '_' and '-'",
                       BERTH_WORKSPACE_BYTES - 1);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    struct cli_key key = {.key_id = ""};
    enum cli_exit status = cli_key_derive(cli->config, arguments->workspace, &key);
    if (status == CLI_SUCCEEDED) {
        status = print(&key, arguments);
    }
    cli_key_wipe(&key);
    return status;
}

static enum cli_exit print(const struct cli_key *key, const struct arguments *arguments) {
    char line[CLI_KEY_TEXT_BYTES];
    cli_key_format(key, arguments->workspace, line);
    struct cli_secret_text text = {0};
    if (arguments->json) {
        /* None of the three holds what JSON escapes; the key is what follows the last colon. */
        cli_secret_text_puts(&text, "{\"workspace\":\"");
        cli_secret_text_puts(&text, arguments->workspace);
        cli_secret_text_puts(&text, "\",\"key_id\":\"");
        cli_secret_text_puts(&text, key->key_id);
        cli_secret_text_puts(&text, "\",\"key\":\"");
        cli_secret_text_puts(&text, strrchr(line, ':') + 1);
        cli_secret_text_puts(&text, "\"}\n");
    } else {
        cli_secret_text_puts(&text, line);
        cli_secret_text_puts(&text, "\n");
    }
    explicit_bzero(line, sizeof(line));
    enum cli_exit status = cli_secret_text_print(&text);
    cli_secret_text_wipe(&text);
    return status;
}
