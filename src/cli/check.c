/* SPDX-License-Identifier: Apache-2.0 */
/* berth check: whether everything that berthd needs is there and as it must be. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "check_report.h"
#include "cli.h"

struct arguments {
    struct cli_common common;
    bool json;
    bool transaction;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static enum cli_exit run(struct cli *cli, const void *input);
static int subject_width(const struct berth_config *config);

static const struct argp_option options[] = {
    {.name = "transaction",
     .key = 't',
     .doc = "Also tries whether berthd may publish: one empty record to each of its topics, in a "
            "transaction that is aborted. Readers of committed records never see it; others do"},
    {.name = "json", .key = 'j', .doc = "One JSON object a line"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Checks Kafka, Redis and every registry of the configuration as berthd would use them, "
           "and prints a line for each thing, with the remedy. Changes nothing."
           "\vA warning is something with which berthd works, but worse or less safely.\n\n"
           "Exit status: 0 berthd can work, 1 there is a problem, 2 wrong usage or configuration, "
           "3 Kafka can't be reached.",
    .children = children,
};

enum cli_exit cli_check(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common};
    error_t problem = argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    BERTH_ASSERT(problem == 0);
    return cli_with_config(&arguments.common, BERTH_CONFIG_FOR_DAEMON, run, &arguments);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case 't':
        arguments->transaction = true;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: berth check takes only options", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    const struct berth_config *config = cli->config;
    struct check_report report = {.json = arguments->json, .width = subject_width(config)};
    const struct check_options check = {
        .report = &report, .config = config, .transaction = arguments->transaction};
    check_kafka(&check);
    check_redis(&check);
    if (report.cluster[0] != '\0' && report.has_data_set && report.is_ours) {
        check_offsets(&check);
    }
    for (size_t i = 0; i < config->registries_count; i++) {
        check_registry(&check, &config->registries[i]);
    }
    if (!report.json) {
        (void)printf("%zu fine, %zu warnings, %zu problems, %zu not tried\n",
                     report.counts[CHECK_OK], report.counts[CHECK_WARNING],
                     report.counts[CHECK_PROBLEM], report.counts[CHECK_NOT_TRIED]);
    }
    bool told = cli_flush() != BERTH_FAULT_SYSTEM;
    if (report.kafka_unreachable && told) {
        return CLI_NO_ANSWER;
    }
    return told && report.counts[CHECK_PROBLEM] == 0 ? CLI_SUCCEEDED : CLI_FAILED;
}

static int subject_width(const struct berth_config *config) {
    size_t width = 0;
    for (size_t i = 0; i < config->registries_count; i++) {
        size_t len = strlen("registry ") + strlen(config->registries[i].name);
        width = len > width ? len : width;
    }
    return (int)width;
}
