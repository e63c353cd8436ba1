/* SPDX-License-Identifier: Apache-2.0 */
/* berth send: commands on their way, and what becomes of them. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "cli.h"
#include "send_outgoing.h"
#include "send_request.h"
#include "send_wait.h"

#define WAIT_DEFAULT_S 30
#define WAIT_S_MAX     86400

struct arguments {
    struct cli_common common;
    struct cli_send_request request;
    struct cli_send_plan plan;
    const char *batch;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static char *next_number(struct argp_state *state);
static int64_t parse_seconds(struct argp_state *state, const char *text);
static enum cli_exit run(struct cli *cli, const void *input);

static const struct argp_option options[] = {
    {.name = "wait",
     .key = 'W',
     .arg = "SECONDS",
     .flags = OPTION_ARG_OPTIONAL,
     .doc = "Waits for the result, so long after delivery (default: 30), and shows it"},
    {.name = "json", .key = 'j', .doc = "One JSON object a line"},
    {.name = "batch",
     .key = 'b',
     .arg = "FILE",
     .doc = "Sends one command for each line of FILE (-: standard input): a command and its "
            "options, divided by blanks, without quoting; lines that begin with # are passed over. "
            "Nothing is sent unless every line is right"},
    {0},
};

/* The options of a command are parsed by themselves when they are a line of a batch. */
static const struct argp_child children[] = {
    {.argp = &cli_send_request_argp}, {.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Sends a command to berth: create-space, update-space, delete-space, bind-workspace, "
           "unbind-workspace or set-workspace-bindings."
           "\vA command is checked as berthd would check it before it is sent.\n\n"
           "Exit status: 0 succeeded (without --wait: delivered), 1 rejected, failed or not "
           "delivered, 2 wrong usage or a command that berthd would refuse, 3 no answer in time, "
           "or Kafka can't be reached.",
    .children = children,
};

enum cli_exit cli_send(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common, .plan.wait_ms = (int64_t)WAIT_DEFAULT_S * 1000};
    error_t problem = argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    enum cli_exit status =
        problem == 0 ? cli_with_config(&arguments.common, BERTH_CONFIG_FOR_TOOLS, run, &arguments)
                     : cli_fault(BERTH_FAULT_MEMORY, NULL);
    cli_send_request_deinit(&arguments.request);
    return status;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->request;
        state->child_inputs[1] = &arguments->common;
        return 0;
    case 'W':
        arguments->plan.wait = true;
        if (argument == NULL) {
            argument = next_number(state);
        }
        if (argument != NULL) {
            arguments->plan.wait_ms = parse_seconds(state, argument);
        }
        return 0;
    case 'j':
        arguments->plan.form.json = true;
        return 0;
    case 'b':
        arguments->batch = argument;
        arguments->request.in_batch = true;
        arguments->plan.form.one_line = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* "--wait 5": an optional argument is taken from behind a '=' only, but a number is nothing else.
 */
static char *next_number(struct argp_state *state) {
    char *next = state->next < state->argc ? state->argv[state->next] : NULL;
    if (next == NULL || strchr("0123456789.", next[0]) == NULL || next[0] == '\0') {
        return NULL;
    }
    state->next++;
    return next;
}

static int64_t parse_seconds(struct argp_state *state, const char *text) {
    char *end = NULL;
    errno = 0;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(seconds > 0 && seconds <= WAIT_S_MAX)) {
        argp_failure(state, CLI_USAGE, 0, "--wait=%s: must be seconds, up to a day", text);
        return 0;
    }
    return (int64_t)(seconds * 1000);
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    enum cli_exit status = cli_make_codec(cli);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    struct cli_outgoing_list list = {0};
    status = arguments->batch != NULL ? cli_outgoing_add_batch(&list, cli, arguments->batch)
                                      : cli_outgoing_add(&list, cli, &arguments->request, "");
    if (status == CLI_SUCCEEDED) {
        status = cli_send_all(cli, &arguments->plan, &list);
    }
    cli_outgoing_deinit(&list);
    return status;
}
