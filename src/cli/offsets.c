/* SPDX-License-Identifier: Apache-2.0 */
/* berth offsets: where each partition stands, and where one that is stopped goes on. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/io/kafka_topics.h"
#include "cli.h"
#include "kept_bases.h"
#include "offsets_listing.h"
#include "offsets_print.h"

struct arguments {
    struct cli_common common;
    bool json;
    bool yes;
    const char *partition; /* "topic/number" */
    const char *from;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static enum cli_exit run(struct cli *cli, const void *input);
static enum cli_exit decide(struct cli *cli, const char *cluster, const struct arguments *arguments,
                            struct cli_offsets *listing);
static struct berth_partition_offsets *find(const struct cli_offsets *listing, const char *name);
static enum cli_exit choose(const struct berth_partition_offsets *partition, const char *name,
                            const char *from, int64_t *ret_offset);
static bool confirmed(const struct berth_partition_offsets *partition, int64_t offset);

static const struct argp_option options[] = {
    {.name = "partition",
     .key = 'p',
     .arg = "TOPIC/N",
     .doc = "The stopped partition that goes on where --from says"},
    {.name = "from",
     .key = 'f',
     .arg = "start|base|OFFSET",
     .doc = "With --partition: at the start of its log, where it had come to in the log before, or "
            "at an offset. What is below is never answered, and counted as lost"},
    {.name = "yes", .key = 'y', .doc = "Asks nothing back"},
    {.name = "json", .key = 'j', .doc = "One JSON object a line"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Lists each partition of the command topics: where berthd goes on, where its log ends, "
        "and whether it is stopped and why. With --partition and --from it says where a stopped "
        "one goes on; berthd takes that up within seconds."
        "\vA partition is stopped when its position can't be proved to be of this log: the topic "
        "was made anew, is another cluster's, or has lost its end.\n\n"
        "Exit status: 0 none is stopped, or it is decided; 1 one is stopped, or it can't be "
        "decided; 2 wrong usage or configuration; 3 no answer in time.",
    .children = children,
};

enum cli_exit cli_offsets(int argc, char **argv, struct cli_common common) {
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
    case 'p':
        arguments->partition = argument;
        return 0;
    case 'f':
        arguments->from = argument;
        return 0;
    case 'y':
        arguments->yes = true;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: berth offsets takes only options", argument);
        return 0;
    case ARGP_KEY_END:
        if ((arguments->partition == NULL) != (arguments->from == NULL)) {
            argp_error(state, "--partition and --from go together");
        }
        if (arguments->partition != NULL && !arguments->yes && !isatty(STDIN_FILENO)) {
            argp_error(state, "nobody can be asked here whether to go on: --yes does without");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    struct cli_offsets listing = {0};
    char cluster[BERTH_KAFKA_CLUSTER_BYTES];
    struct berth_error error = {0};
    enum berth_rc rc = berth_kafka_cluster(&cli->kafka, CLI_KAFKA_TIMEOUT_MS, cluster, &error);
    if (rc != BERTH_OK) {
        return cli_fault(rc, &error);
    }
    enum cli_exit status = cli_offsets_read(cli->config, cluster, &listing);
    if (status == CLI_SUCCEEDED) {
        status = arguments->partition != NULL
                     ? decide(cli, cluster, arguments, &listing)
                     : cli_offsets_print(listing.partitions, listing.count, arguments->json);
    }
    cli_offsets_free(&listing);
    return status;
}

static enum cli_exit decide(struct cli *cli, const char *cluster, const struct arguments *arguments,
                            struct cli_offsets *listing) {
    struct berth_partition_offsets *partition = find(listing, arguments->partition);
    if (partition == NULL) {
        cli_complain("there is no partition %s; berth offsets lists them", arguments->partition);
        return CLI_USAGE;
    }
    int64_t offset = -1;
    enum cli_exit status = choose(partition, arguments->partition, arguments->from, &offset);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    partition->kept.from = offset;
    (void)snprintf(partition->kept.from_id, sizeof(partition->kept.from_id), "%s",
                   partition->log.id);
    partition->position = berth_log_position_of(&partition->log);
    if (!arguments->yes && !confirmed(partition, offset)) {
        cli_complain("nothing was decided");
        return CLI_FAILED;
    }
    const struct berth_base place = {.topic = partition->topic,
                                     .partition = partition->partition,
                                     .offset = offset,
                                     .log = berth_log_mark_none(partition->log.id)};
    struct cli_kept_bases kept = {0};
    status = cli_kept_bases_open(cli->config, cluster, &kept);
    if (status == CLI_SUCCEEDED) {
        status = cli_kept_bases_decide(&kept, &place);
    }
    cli_kept_bases_close(&kept);
    return status == CLI_SUCCEEDED ? cli_offsets_print(partition, 1, arguments->json) : status;
}

static struct berth_partition_offsets *find(const struct cli_offsets *listing, const char *name) {
    for (size_t i = 0; i < listing->count; i++) {
        char text[BERTH_TOPIC_BYTES + 16];
        (void)snprintf(text, sizeof(text), "%s/%" PRId32, listing->partitions[i].topic,
                       listing->partitions[i].partition);
        if (strcmp(text, name) == 0) {
            return &listing->partitions[i];
        }
    }
    return NULL;
}

/* Which offset of its log is meant. */
static enum cli_exit choose(const struct berth_partition_offsets *partition, const char *name,
                            const char *from, int64_t *ret_offset) {
    const struct berth_log_facts *log = &partition->log;
    if (partition->unreadable != NULL) {
        cli_complain("%s can't be read just now: %s", name, partition->unreadable);
        return CLI_NO_ANSWER;
    }
    if (partition->position.origin != BERTH_LOG_STOPPED &&
        partition->position.origin != BERTH_LOG_AT_DECISION) {
        cli_complain("%s isn't stopped, so there is nothing to decide", name);
        return CLI_FAILED;
    }
    char *end = NULL;
    errno = 0;
    if (strcmp(from, "start") == 0) {
        *ret_offset = log->start;
    } else if (strcmp(from, "base") == 0) {
        *ret_offset = partition->position.known;
    } else {
        *ret_offset = strtoll(from, &end, 10);
    }
    if (end != NULL && (end == from || *end != '\0' || errno != 0)) {
        cli_complain("--from must be start, base or an offset, not %s", from);
        return CLI_USAGE;
    }
    if (*ret_offset < log->start || *ret_offset > log->end) {
        cli_complain("%s has offsets from %" PRId64 " to %" PRId64
                     ", so it can't go on at %" PRId64,
                     name, log->start, log->end, *ret_offset);
        return CLI_FAILED;
    }
    return CLI_SUCCEEDED;
}

static bool confirmed(const struct berth_partition_offsets *partition, int64_t offset) {
    const struct berth_log_position *position = &partition->position;
    (void)fprintf(stderr, "%s/%" PRId32 " goes on at %" PRId64 " of %" PRId64 ". ",
                  partition->topic, partition->partition, offset, partition->log.end);
    if (position->lost > 0) {
        (void)fprintf(stderr,
                      "%" PRId64 " offsets, %" PRId64 " to %" PRId64
                      ", are passed over: their commands are never answered. ",
                      position->lost, position->lost_from,
                      position->lost_from + position->lost - 1);
    } else {
        (void)fprintf(stderr, "Nothing is passed over. ");
    }
    (void)fprintf(stderr, "Go on? [y/N] ");
    char answer[16] = "";
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}
