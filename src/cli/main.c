/* SPDX-License-Identifier: Apache-2.0 */
/* berth: for people who send commands and want to see what became of them. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/base/standard_streams.h"
#include "cli.h"

#define NAME_BYTES 32

typedef enum cli_exit command_fn(int argc, char **argv, struct cli_common common);

static const struct {
    const char *name;
    command_fn *run;
} commands[] = {
    {"send", cli_send},
    {"tail", cli_tail},
    {"bindings", cli_bindings},
    {"topics", cli_topics},
    {"check", cli_check},
    {"offsets", cli_offsets},
    {"pull-secret", cli_pull_secret},
    {"workspace-key", cli_workspace_key},
};

struct arguments {
    struct cli_common common;
    int rest; /* Index of the command's name in argv. */
};

static error_t parse(int key, char *argument, struct argp_state *state);
static int help(int argc, char **argv);
static int run(int argc, char **argv, struct cli_common common);

const char *argp_program_version = "berth " BERTH_VERSION;

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .parser = parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Sends commands to berth, and shows what it publishes and knows."
           "\vCommands, each with a --help of its own:\n"
           "  send           sends a command, and with --wait shows its result\n"
           "  tail           shows results, audit records, spaces or dead letters\n"
           "  bindings       lists spaces, who is bound, and what a workspace may pull\n"
           "  topics         lists the topics of the configuration, or makes them\n"
           "  check          checks Kafka, Redis and the registries, with remedies\n"
           "  offsets        lists where partitions stand, and has a stopped one go on\n"
           "  pull-secret    prints the credentials with which a workspace pulls\n"
           "  workspace-key  prints the key of one workspace, to derive them with\n"
           "  help, version  the same as --help and --version; help COMMAND tells of one\n\n"
           "Exit status: 0 succeeded, 1 rejected or failed, 2 wrong usage, 3 no answer in time, "
           "or Kafka can't be reached.",
    .children = children,
};

int main(int argc, char **argv) {
    berth_standard_streams_secure();
    argp_err_exit_status = CLI_USAGE;
    /* Whoever reads our output may stop reading: that is seen when it is flushed. */
    (void)signal(SIGPIPE, SIG_IGN);
    berth_log_setup(BERTH_LOG_ERROR, false);

    struct arguments arguments = {0};
    error_t problem = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
    BERTH_ASSERT(problem == 0);
    argc -= arguments.rest;
    argv += arguments.rest;
    if (strcmp(argv[0], "help") == 0) {
        return help(argc, argv);
    }
    if (strcmp(argv[0], "version") == 0) {
        (void)puts(argp_program_version);
        return CLI_SUCCEEDED;
    }
    return run(argc, argv, arguments.common);
}

/* "berth help" is "berth --help", "berth help send" is "berth send --help". */
static int help(int argc, char **argv) {
    static char option[] = "--help";
    if (argc > 1) {
        char *words[] = {argv[1], option, NULL};
        return run(2, words, (struct cli_common){0});
    }
    static char program[] = "berth";
    argp_help(&argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK, program);
    return CLI_SUCCEEDED;
}

static int run(int argc, char **argv, struct cli_common common) {
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            char name[NAME_BYTES];
            (void)snprintf(name, sizeof(name), "berth %s", commands[i].name);
            argv[0] = name;
            return (int)commands[i].run(argc, argv, common);
        }
    }
    cli_complain("there is no command %s: send, tail, bindings, topics, check, offsets, "
                 "pull-secret or workspace-key (see berth --help)",
                 argv[0]);
    return CLI_USAGE;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    (void)argument;
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case ARGP_KEY_ARG:
        /* What follows the command's name is the command's. */
        arguments->rest = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
