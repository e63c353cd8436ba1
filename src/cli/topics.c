/* SPDX-License-Identifier: Apache-2.0 */
/* berth topics: whether what the configuration names is there and as it must be. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "berth/base/assert.h"
#include "berth/core/limits.h"
#include "berth/io/clock.h"
#include "cli.h"
#include "topic_listing.h"

/* A topic that was made is known to every broker after a moment. */
#define SETTLE_TIMEOUT_MS 5000
#define SETTLE_PAUSE_MS   50

#define PARTITIONS_MAX  10000
#define REPLICATION_MAX 100

struct arguments {
    struct cli_common common;
    bool create;
    bool json;
    int32_t partitions;
    int32_t replication_factor;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static int32_t parse_number(struct argp_state *state, const char *option, const char *text,
                            long max);
static enum cli_exit run(struct cli *cli, const void *input);
static enum cli_exit describe(const struct cli *cli, struct cli_topic_listing *listing);
static void tell_differences(const struct arguments *arguments,
                             const struct cli_topic_listing *listing);
static enum cli_exit create_missing(const struct cli *cli, const struct arguments *arguments,
                                    struct cli_topic_listing *listing);
static enum cli_exit settle(const struct cli *cli, struct cli_topic_listing *listing);
static enum cli_exit print(const struct cli_topic_listing *listing);
static enum cli_exit print_json(const struct cli_topic_listing *listing);
static json_t *topic_json(const struct cli_topic_listing *listing, size_t index);
static enum cli_exit verdict(const struct cli_topic_listing *listing);
static bool all_exist(const struct cli_topic_listing *listing);

static const struct argp_option options[] = {
    {.name = "create", .key = 'C', .doc = "Makes those that are missing"},
    {.name = "partitions",
     .key = 'p',
     .arg = "N",
     .doc = "For those that are made (default: the brokers' num.partitions)"},
    {.name = "replication-factor",
     .key = 'R',
     .arg = "N",
     .doc = "For those that are made (default: the brokers' default.replication.factor)"},
    {.name = "json", .key = 'j', .doc = "One JSON object a line"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Lists the topics that the configuration names, with their state."
        "\vThe number of partitions of a command topic can't be changed later without losing the "
        "order of commands.\n\n"
        "Exit status: 0 all are there, 1 one is missing or has the wrong cleanup policy, "
        "2 wrong usage, 3 Kafka can't be reached.",
    .children = children,
};

enum cli_exit cli_topics(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common, .partitions = -1, .replication_factor = -1};
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
    case 'C':
        arguments->create = true;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case 'p':
        arguments->partitions = parse_number(state, "--partitions", argument, PARTITIONS_MAX);
        return 0;
    case 'R':
        arguments->replication_factor =
            parse_number(state, "--replication-factor", argument, REPLICATION_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: berth topics takes only options", argument);
        return 0;
    case ARGP_KEY_END:
        if (!arguments->create &&
            (arguments->partitions > 0 || arguments->replication_factor > 0)) {
            argp_error(state, "--partitions and --replication-factor are for --create");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int32_t parse_number(struct argp_state *state, const char *option, const char *text,
                            long max) {
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 1 || number > max) {
        argp_error(state, "%s must be a number from 1 to %ld", option, max);
    }
    return (int32_t)number;
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    struct cli_topic_listing *listing = calloc(1, sizeof(*listing));
    if (listing == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    cli_topic_listing_make(cli->config, listing);
    enum cli_exit status = describe(cli, listing);
    if (status == CLI_SUCCEEDED && arguments->create) {
        tell_differences(arguments, listing);
    }
    if (status == CLI_SUCCEEDED && arguments->create && !all_exist(listing)) {
        status = create_missing(cli, arguments, listing);
        if (status == CLI_SUCCEEDED) {
            status = settle(cli, listing);
        }
    }
    if (status == CLI_SUCCEEDED) {
        status = arguments->json ? print_json(listing) : print(listing);
    }
    free(listing);
    return status;
}

static enum cli_exit describe(const struct cli *cli, struct cli_topic_listing *listing) {
    struct berth_error error = {0};
    enum berth_rc rc = berth_topics_describe(&cli->kafka, listing->names, listing->count,
                                             CLI_KAFKA_TIMEOUT_MS, listing->statuses, &error);
    return rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
}

/* What is there stays as it is: whoever asked for something else is to know. */
static void tell_differences(const struct arguments *arguments,
                             const struct cli_topic_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        const struct berth_topic_status *topic = &listing->statuses[i];
        if (!topic->exists) {
            continue;
        }
        if (arguments->partitions > 0 && topic->partitions != arguments->partitions) {
            cli_complain("%s was there already, with %d partitions instead of %d, and stays so: "
                         "with more, commands and states of one space would be in two partitions",
                         listing->names[i], topic->partitions, arguments->partitions);
        }
        if (arguments->replication_factor > 0 &&
            topic->replication_factor != arguments->replication_factor) {
            cli_complain(
                "%s was there already, with replication factor %d instead of %d, and stays "
                "so: kafka-reassign-partitions changes it",
                listing->names[i], topic->replication_factor, arguments->replication_factor);
        }
    }
}

static enum cli_exit create_missing(const struct cli *cli, const struct arguments *arguments,
                                    struct cli_topic_listing *listing) {
    struct berth_topic_spec specs[CLI_TOPICS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < listing->count; i++) {
        if (!listing->statuses[i].exists) {
            specs[count++] =
                (struct berth_topic_spec){.name = listing->names[i],
                                          .partitions = arguments->partitions,
                                          .replication_factor = arguments->replication_factor,
                                          .cleanup_policy = listing->policies[i]};
        }
    }
    BERTH_ASSERT(count > 0);
    struct berth_topic_made *made = calloc(count, sizeof(*made));
    if (made == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    struct berth_error error = {0};
    enum berth_rc rc =
        berth_topics_create(&cli->kafka, specs, count, CLI_KAFKA_TIMEOUT_MS, made, &error);
    enum cli_exit status = rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
    for (size_t i = 0; rc == BERTH_OK && i < count; i++) {
        if (!made[i].made && !made[i].existed) {
            cli_complain("%s can't be made: %s", specs[i].name, made[i].text);
            status = CLI_FAILED;
        }
    }
    free(made);
    return status;
}

/* Asks until all that was made is seen, so that what starts next finds it. */
static enum cli_exit settle(const struct cli *cli, struct cli_topic_listing *listing) {
    int64_t deadline_ms = berth_clock_monotonic_ms() + SETTLE_TIMEOUT_MS;
    for (;;) {
        enum cli_exit status = describe(cli, listing);
        if (status != CLI_SUCCEEDED || all_exist(listing) ||
            berth_clock_monotonic_ms() >= deadline_ms) {
            return status;
        }
        const struct timespec pause = {.tv_nsec = SETTLE_PAUSE_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}

static enum cli_exit print(const struct cli_topic_listing *listing) {
    int width = (int)strlen("TOPIC");
    for (size_t i = 0; i < listing->count; i++) {
        int len = (int)strlen(listing->names[i]);
        width = len > width ? len : width;
    }
    (void)printf("%-*s  PARTITIONS  REPLICAS  CLEANUP  STATE\n", width, "TOPIC");
    for (size_t i = 0; i < listing->count; i++) {
        const struct berth_topic_status *topic = &listing->statuses[i];
        if (!topic->exists) {
            (void)printf("%-*s  %10s  %8s  %-7s  missing: berth topics --create makes it\n", width,
                         listing->names[i], "-", "-", "-");
            continue;
        }
        (void)printf("%-*s  %10d  %8d  %-7s  ", width, listing->names[i], topic->partitions,
                     topic->replication_factor,
                     topic->cleanup_policy[0] != '\0' ? topic->cleanup_policy : "?");
        if (cli_topic_policy_fits(listing, i)) {
            (void)printf("ok\n");
        } else {
            (void)printf("wrong cleanup policy: it must be %s\n", listing->policies[i]);
        }
    }
    return cli_flush() == BERTH_FAULT_SYSTEM ? CLI_FAILED : verdict(listing);
}

static enum cli_exit print_json(const struct cli_topic_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        json_t *object = topic_json(listing, i);
        if (object == NULL) {
            return cli_fault(BERTH_FAULT_MEMORY, NULL);
        }
        (void)json_dumpf(object, stdout, JSON_COMPACT);
        (void)fputc('\n', stdout);
        json_decref(object);
    }
    return cli_flush() == BERTH_FAULT_SYSTEM ? CLI_FAILED : verdict(listing);
}

/* What isn't known is null. */
static json_t *topic_json(const struct cli_topic_listing *listing, size_t index) {
    const struct berth_topic_status *topic = &listing->statuses[index];
    const char *policy = topic->exists ? topic->cleanup_policy : "";
    const char *state = !topic->exists                          ? "missing"
                        : cli_topic_policy_fits(listing, index) ? "ok"
                                                                : "wrong_cleanup_policy";
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:s?, s:s}", "topic", listing->names[index], "state", state,
        "partitions", topic->exists ? json_integer(topic->partitions) : json_null(),
        "replication_factor", topic->exists ? json_integer(topic->replication_factor) : json_null(),
        "cleanup_policy", policy[0] != '\0' ? policy : NULL, "cleanup_policy_wanted",
        listing->policies[index]);
}

static enum cli_exit verdict(const struct cli_topic_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        if (!listing->statuses[i].exists || !cli_topic_policy_fits(listing, i)) {
            return CLI_FAILED;
        }
    }
    return CLI_SUCCEEDED;
}

static bool all_exist(const struct cli_topic_listing *listing) {
    for (size_t i = 0; i < listing->count; i++) {
        if (!listing->statuses[i].exists) {
            return false;
        }
    }
    return true;
}
