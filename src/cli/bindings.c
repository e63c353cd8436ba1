/* SPDX-License-Identifier: Apache-2.0 */
/* berth bindings: which spaces there are, who is bound to them, what a workspace may pull. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"
#include "bindings_print.h"
#include "cli.h"
#include "lookups.h"

/* An option without a letter of its own. */
#define KEY_PUBLIC 0x100

struct arguments {
    struct cli_common common;
    struct berth_lookup_query query;
    const char *space;
    size_t limit; /* 0: none. */
    bool json;
    bool *wants_harbor; /* Set when only Harbor could tell; NULL: Harbor is asked. */
};

static error_t parse(int key, char *argument, struct argp_state *state);
static size_t parse_limit(struct argp_state *state, const char *text);
static void check(const struct arguments *arguments, struct argp_state *state);
static enum cli_exit run(struct cli *cli, const void *input);
static enum cli_exit ask(struct cli_lookups *lookups, const struct arguments *arguments,
                         struct cli_bindings_print *print);

static const struct argp_option options[] = {
    {.name = "registry", .key = 'r', .arg = "NAME", .doc = "The spaces of this registry"},
    {.name = "space",
     .key = 's',
     .arg = "NAME",
     .doc = "Only this space, with all that is known; Harbor is asked if Redis doesn't know it"},
    {.name = "workspace",
     .key = 'w',
     .arg = "ID",
     .doc = "The spaces that this workspace is bound to, of all registries or one"},
    {.name = "public",
     .key = KEY_PUBLIC,
     .doc = "With --workspace: all public spaces besides, so whatever it may pull from; without: "
            "only the registry's public spaces"},
    {.name = "limit", .key = 'n', .arg = "N", .doc = "Stops after N spaces"},
    {.name = "json", .key = 'j', .doc = "One JSON object a line, as the lookups over HTTP answer"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "--registry NAME\n--workspace ID",
    .doc =
        "Lists spaces with their type and the workspaces that are bound to them, as berthd keeps "
        "them in Redis."
        "\vThe list has what berth knows: a project that was made in Harbor by hand is on it "
        "after a command, or --space, was about it.\n\n"
        "Exit status: 0 also when nothing is bound, 1 there is no such space, or Redis refuses "
        "or is being rebuilt, 2 wrong usage, 3 Redis or Harbor doesn't answer.",
    .children = children,
};

enum cli_exit cli_bindings(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common};
    error_t problem = argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    BERTH_ASSERT(problem == 0);
    /* Only a space that Redis doesn't know needs Harbor, and an account there. */
    bool wants_harbor = false;
    arguments.wants_harbor = &wants_harbor;
    enum cli_exit status =
        cli_with_config(&arguments.common, BERTH_CONFIG_FOR_LISTS, run, &arguments);
    if (wants_harbor) {
        arguments.wants_harbor = NULL;
        status = cli_with_config(&arguments.common, BERTH_CONFIG_FOR_LOOKUPS, run, &arguments);
    }
    return status;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case 'r':
        arguments->query.registry = argument;
        return 0;
    case 's':
        arguments->space = argument;
        return 0;
    case 'w':
        arguments->query.workspace = argument;
        return 0;
    case KEY_PUBLIC:
        arguments->query.public = true;
        return 0;
    case 'n':
        arguments->limit = parse_limit(state, argument);
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: berth bindings takes only options", argument);
        return 0;
    case ARGP_KEY_END:
        check(arguments, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static size_t parse_limit(struct argp_state *state, const char *text) {
    char *end = NULL;
    errno = 0;
    long long limit = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || limit < 1) {
        argp_error(state, "--limit must be a number from 1 on");
    }
    return (size_t)limit;
}

static void check(const struct arguments *arguments, struct argp_state *state) {
    const struct berth_lookup_query *query = &arguments->query;
    if (query->registry == NULL && query->workspace == NULL) {
        argp_error(state, "needs --registry or --workspace");
    } else if (query->workspace != NULL && !berth_workspace_id_legal(query->workspace)) {
        argp_error(state, "--workspace must be 1 to %d letters, digits, '.', '_' and '-'",
                   BERTH_WORKSPACE_BYTES - 1);
    } else if (arguments->space != NULL && (query->registry == NULL || query->workspace != NULL ||
                                            query->public || arguments->limit > 0)) {
        argp_error(state, "--space goes with --registry alone");
    } else if (arguments->space != NULL && !berth_harbor_name_legal(arguments->space)) {
        argp_error(state, "--space must be lower-case letters and digits, with single '.', '_' or "
                          "'-' in between");
    } else if (arguments->space != NULL && strlen(arguments->space) > BERTH_SPACE_NAME_BYTES_MAX) {
        argp_error(state, "--space must be at most %d bytes", BERTH_SPACE_NAME_BYTES_MAX);
    }
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    const struct berth_config *config = cli->config;
    const char *registry = arguments->query.registry;
    if (registry != NULL && berth_config_find_registry(config, registry) == NULL) {
        cli_complain("the configuration has no registry %s", registry);
        return CLI_USAGE;
    }
    if (arguments->wants_harbor == NULL && config->deployment == NULL) {
        cli_complain("deployment in [berth] is missing: berth's robot accounts in Harbor are known "
                     "by it");
        return CLI_USAGE;
    }
    struct cli_lookups lookups = {0};
    struct cli_bindings_print *print = NULL;
    enum cli_exit status = cli_bindings_print_new(arguments->json, &print);
    if (status == CLI_SUCCEEDED) {
        status = cli_lookups_open(config, arguments->wants_harbor != NULL, &lookups);
    }
    if (status == CLI_SUCCEEDED) {
        status = ask(&lookups, arguments, print);
    }
    if (lookups.wants_harbor && arguments->wants_harbor != NULL) {
        *arguments->wants_harbor = true;
    }
    cli_lookups_close(&lookups);
    (void)cli_bindings_print_free(print);
    return status;
}

static enum cli_exit ask(struct cli_lookups *lookups, const struct arguments *arguments,
                         struct cli_bindings_print *print) {
    const struct berth_lookup_query *query = &arguments->query;
    if (arguments->space != NULL) {
        enum cli_exit status = cli_lookups_one(lookups, query->registry, arguments->space,
                                               cli_bindings_print_space, print);
        return status == CLI_SUCCEEDED ? cli_bindings_print_status(print) : status;
    }
    enum cli_exit status =
        cli_lookups_list(lookups, query, arguments->limit, cli_bindings_print_page, print);
    return status == CLI_SUCCEEDED ? cli_bindings_print_end(print, query->workspace) : status;
}
