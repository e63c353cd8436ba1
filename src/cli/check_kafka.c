/* SPDX-License-Identifier: Apache-2.0 */
/* berth check: topics, and what berthd's account may do with them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "berth/codec/events.h"
#include "berth/core/settled_map.h"
#include "berth/io/kafka_check.h"
#include "berth/io/kafka_reader.h"
#include "check_report.h"
#include "topic_listing.h"

#define SUBJECT "kafka"
/* How long a first fetch is waited for: what a reader may not read, it is told at once. */
#define READ_TIMEOUT_MS 1000
#define PROGRESS_TRIES  50
#define HOUR_S          3600
/* Beyond retry_age_ms: as for /readyz. */
#define LATE_MARGIN_MS 60000

/* Of one partition, a second; fewer are worth a word. */
#define AHEAD_RATE_MIN 10

/* What one check after the other needs. */
struct kafka {
    const struct check_options *options;
    struct check_report *report;
    struct berth_kafka_properties properties;
    struct cli_topic_listing listing;
    int64_t behind; /* In all topics. */
};

static void check_topic(struct kafka *kafka, size_t index);
static void check_spread(struct kafka *kafka);
static void check_ahead(struct kafka *kafka);
static void check_progress(struct kafka *kafka, size_t index);
static void check_rate(struct kafka *kafka, const char *topic,
                       const struct berth_group_progress *progress);
static int64_t late_ms(const struct kafka *kafka);
static void check_stuck(struct kafka *kafka, const char *topic,
                        const struct berth_group_progress *progress);
static void check_workers(struct kafka *kafka);
static void check_reading(struct kafka *kafka);
static void check_reading_of(struct kafka *kafka, const char *name, const char *remedy);
static void check_writing(struct kafka *kafka);
static void check_publishing(struct kafka *kafka);

void check_kafka(const struct check_options *options) {
    const struct berth_config *config = options->config;
    struct kafka kafka = {
        .options = options,
        .report = options->report,
        .properties = {.items = config->kafka.properties, .count = config->kafka.properties_count},
    };
    struct cli_topic_listing *listing = &kafka.listing;
    cli_topic_listing_make(config, listing);
    struct berth_error error = {0};
    enum berth_rc rc = berth_topics_describe(&kafka.properties, listing->names, listing->count,
                                             CLI_KAFKA_TIMEOUT_MS, listing->statuses, &error);
    if (rc != BERTH_OK) {
        kafka.report->kafka_unreachable = rc == BERTH_FAULT_UNREACHABLE;
        check_say(kafka.report, CHECK_PROBLEM, SUBJECT, "reachable",
                  "look at [kafka]: bootstrap.servers, security.protocol and the credentials", "%s",
                  error.text);
        return;
    }
    check_say(kafka.report, CHECK_OK, SUBJECT, "reachable", NULL, "the brokers answer");
    if (berth_kafka_cluster(&kafka.properties, CLI_KAFKA_TIMEOUT_MS, kafka.report->cluster,
                            &error) != BERTH_OK) {
        check_say(kafka.report, CHECK_PROBLEM, SUBJECT, "cluster", "ask again in a moment", "%s",
                  error.text);
    }
    for (size_t i = 0; i < listing->count; i++) {
        check_topic(&kafka, i);
    }
    check_spread(&kafka);
    check_ahead(&kafka);
    for (size_t i = 0; i < listing->commands_count; i++) {
        if (listing->statuses[i].exists) {
            check_progress(&kafka, i);
        }
    }
    check_workers(&kafka);
    check_reading(&kafka);
    check_writing(&kafka);
    check_publishing(&kafka);
}

static void check_topic(struct kafka *kafka, size_t index) {
    const char *name = kafka->listing.names[index];
    const struct berth_topic_status *topic = &kafka->listing.statuses[index];
    if (!topic->exists) {
        check_say(kafka->report, CHECK_PROBLEM, SUBJECT, "topic",
                  topic->hidden ? "allow Describe of the topic" : "berth topics --create",
                  "topic %s %s", name, topic->hidden ? "may not be described" : "is missing");
        return;
    }
    if (!cli_topic_policy_fits(&kafka->listing, index)) {
        char remedy[128];
        (void)snprintf(remedy, sizeof(remedy), "set cleanup.policy=%s",
                       kafka->listing.policies[index]);
        check_say(kafka->report, CHECK_PROBLEM, SUBJECT, "topic", remedy,
                  "topic %s has cleanup.policy=%s", name, topic->cleanup_policy);
        return;
    }
    if (index >= kafka->listing.commands_count && topic->message_bytes_max >= 0 &&
        topic->message_bytes_max < BERTH_TOPIC_MESSAGE_BYTES_MIN) {
        check_say(kafka->report, CHECK_PROBLEM, SUBJECT, "topic",
                  "raise its max.message.bytes to 131072 at least",
                  "topic %s takes messages of %" PRId64 " bytes only", name,
                  topic->message_bytes_max);
        return;
    }
    if (index >= kafka->listing.commands_count && topic->message_bytes_max >= 0 &&
        topic->message_bytes_max < BERTH_WHOLE_BYTES_MAX + BERTH_TOPIC_ROOM_BYTES) {
        char remedy[96];
        (void)snprintf(remedy, sizeof(remedy), "raise its max.message.bytes to %d",
                       BERTH_WHOLE_BYTES_MAX + BERTH_TOPIC_ROOM_BYTES);
        check_say(kafka->report, CHECK_WARNING, SUBJECT, "largest", remedy,
                  "topic %s takes messages of %" PRId64 " bytes: every command can be answered, "
                  "but the largest answers go without their lists",
                  name, topic->message_bytes_max);
    }
    bool single = topic->replication_factor == 1;
    check_say(kafka->report, single ? CHECK_WARNING : CHECK_OK, SUBJECT, "topic",
              single ? "3 replicas and min.insync.replicas=2, where losing a broker must lose "
                       "nothing"
                     : NULL,
              "topic %s: %d partition%s, %d replica%s, cleanup.policy=%s", name, topic->partitions,
              topic->partitions == 1 ? "" : "s", topic->replication_factor, single ? "" : "s",
              topic->cleanup_policy[0] != '\0' ? topic->cleanup_policy : "not readable");
}

/* A down registry stops the partitions that it shares with others. */
static void check_spread(struct kafka *kafka) {
    const struct berth_config *config = kafka->options->config;
    if (kafka->listing.commands_count < config->registries_count) {
        check_say(kafka->report, CHECK_WARNING, SUBJECT, "shared_topic",
                  "a command_topic for each registry",
                  "%zu registries share %zu command topics: a long outage of one stops the others "
                  "of its topic",
                  config->registries_count, kafka->listing.commands_count);
    }
}

/* Records a second of one partition that stuck commands never hold up. */
static int64_t rate_allowed(const struct kafka *kafka) {
    return BERTH_SETTLED_AHEAD_MIN * 1000 / kafka->options->config->retry_age_ms;
}

/* How far a partition goes on past commands that are stuck until they are given up. */
static void check_ahead(struct kafka *kafka) {
    int64_t given_up_ms = kafka->options->config->retry_age_ms;
    int64_t rate = rate_allowed(kafka);
    bool low = rate < AHEAD_RATE_MIN;
    check_say(kafka->report, low ? CHECK_WARNING : CHECK_OK, SUBJECT, "ahead",
              low ? "lower retry_age_ms, or make more partitions" : NULL,
              "up to %" PRId64 " records a second a partition is never held up by stuck commands, "
              "which are given up after %" PRId64 " s (%" PRId64 " offsets ahead at least)",
              rate, given_up_ms / 1000, BERTH_SETTLED_AHEAD_MIN);
}

/* When a command has to be answered, whatever happens to it: its registry being away apart. */
static int64_t late_ms(const struct kafka *kafka) {
    return kafka->options->config->retry_age_ms + LATE_MARGIN_MS;
}

/* While a transaction is under way its partitions can't be asked: a moment later they can. */
static enum berth_rc read_progress(const struct kafka *kafka, size_t index,
                                   struct berth_group_progress *ret_progress,
                                   struct berth_error *reterr) {
    const struct timespec pause = {.tv_nsec = 200 * 1000000L};
    for (int tries = 1;; tries++) {
        enum berth_rc rc = berth_kafka_group_progress(
            &kafka->properties, kafka->options->config->group, kafka->listing.names[index],
            kafka->listing.statuses[index].partitions, late_ms(kafka), CLI_KAFKA_TIMEOUT_MS,
            ret_progress, reterr);
        if (rc != BERTH_OK || ret_progress->partitions_unreadable == 0 || tries == PROGRESS_TRIES) {
            return rc;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void check_progress(struct kafka *kafka, size_t index) {
    const struct berth_config *config = kafka->options->config;
    const char *topic = kafka->listing.names[index];
    struct berth_group_progress progress;
    struct berth_error error = {0};
    if (read_progress(kafka, index, &progress, &error) != BERTH_OK) {
        check_say(kafka->report, CHECK_PROBLEM, SUBJECT, "group",
                  "allow Describe and Read of the group",
                  "what group %s has committed of %s can't be read: %s", config->group, topic,
                  error.text);
        return;
    }
    if (progress.partitions_unreadable > 0) {
        check_say(kafka->report, CHECK_WARNING, SUBJECT, "group", "ask again in a moment",
                  "%d partitions of %s can't be asked just now", progress.partitions_unreadable,
                  topic);
        return;
    }
    char fresh[64] = "";
    if (progress.partitions_new > 0) {
        (void)snprintf(fresh, sizeof(fresh), ", and has never committed %d of its partitions",
                       progress.partitions_new);
    }
    kafka->behind += progress.behind;
    check_say(kafka->report, CHECK_OK, SUBJECT, "group", NULL,
              "group %s is %" PRId64 " records behind in %s%s", config->group, progress.behind,
              topic, fresh);
    check_stuck(kafka, topic, &progress);
    check_rate(kafka, topic, &progress);
}

/* What isn't given to anybody, and what should have been answered long ago. */
static void check_stuck(struct kafka *kafka, const char *topic,
                        const struct berth_group_progress *progress) {
    if (progress->hidden > 0) {
        check_say(kafka->report, CHECK_WARNING, SUBJECT, "stuck",
                  "end the producer's transaction: kafka-transactions.sh find-hanging, abort",
                  "%" PRId64 " records of %s are behind a transaction that is still open: nobody "
                  "is given them",
                  progress->hidden, topic);
    }
    if (progress->late > 0) {
        check_say(kafka->report, CHECK_PROBLEM, SUBJECT, "stuck",
                  "look at /readyz of the workers, and in their logs for command.retried, "
                  "breaker.opened and command.key_refused",
                  "up to %" PRId64 " records of %s wait for longer than %" PRId64
                  " s, from offset %" PRId64 " of partition %d on",
                  progress->late, topic, late_ms(kafka) / 1000, progress->late_offset,
                  progress->late_partition);
    }
}

/* Somebody has to be there to work. */
static void check_workers(struct kafka *kafka) {
    const char *group = kafka->options->config->group;
    int members = 0;
    struct berth_error error = {0};
    if (berth_kafka_group_members(&kafka->properties, group, CLI_KAFKA_TIMEOUT_MS, &members,
                                  &error) != BERTH_OK) {
        check_say(kafka->report, CHECK_NOT_TRIED, SUBJECT, "workers", "allow Describe of the group",
                  "how many workers run isn't told: %s", error.text);
        return;
    }
    enum check_state state = members > 0         ? CHECK_OK
                             : kafka->behind > 0 ? CHECK_PROBLEM
                                                 : CHECK_WARNING;
    check_say(kafka->report, state, SUBJECT, "workers",
              members > 0 ? NULL : "start berthd, and look at why it ended",
              "group %s has %d member%s", group, members, members == 1 ? "" : "s");
}

/* The busiest partition against what check_ahead() allows. */
static void check_rate(struct kafka *kafka, const char *topic,
                       const struct berth_group_progress *progress) {
    int64_t rate = progress->busiest_last_hour / HOUR_S;
    bool high = rate > rate_allowed(kafka);
    check_say(kafka->report, high ? CHECK_WARNING : CHECK_OK, SUBJECT, "rate",
              high ? "lower retry_age_ms, or make more partitions" : NULL,
              "the busiest partition of %s, %d, got %" PRId64 " records within the last hour, "
              "%" PRId64 " a second%s",
              topic, progress->busiest_partition, progress->busiest_last_hour, rate,
              high ? ": stuck commands may hold it up" : "");
}

static void check_reading(struct kafka *kafka) {
    for (size_t i = 0; i < kafka->listing.commands_count; i++) {
        if (kafka->listing.statuses[i].exists) {
            check_reading_of(kafka, kafka->listing.names[i], "allow Read of the topic");
        }
    }
    /* Needed on the worst day only, when it is too late to find out. */
    const char *spaces = kafka->options->config->topics.spaces;
    for (size_t i = kafka->listing.commands_count; i < kafka->listing.count; i++) {
        if (kafka->listing.statuses[i].exists && strcmp(kafka->listing.names[i], spaces) == 0) {
            check_reading_of(kafka, spaces,
                             "allow Read of the topic: when Redis has lost its data, berthd "
                             "rebuilds it from there");
        }
    }
}

static void check_reading_of(struct kafka *kafka, const char *name, const char *remedy) {
    struct berth_reader *reader = NULL;
    struct berth_record *record = NULL;
    struct berth_error error = {0};
    enum berth_rc rc = berth_reader_new(&kafka->properties, &name, 1, BERTH_READER_FROM_BEGINNING,
                                        CLI_KAFKA_TIMEOUT_MS, &reader, &error);
    if (rc == BERTH_OK) {
        rc = berth_reader_take(reader, READ_TIMEOUT_MS, &record, &error);
        record = berth_record_free(record);
        reader = berth_reader_free(reader);
    }
    bool may = rc == BERTH_OK || rc == BERTH_END;
    check_say(kafka->report, may ? CHECK_OK : CHECK_PROBLEM, SUBJECT, "read", may ? NULL : remedy,
              "%s %s%s%s", name, may ? "may be read" : "can't be read", may ? "" : ": ",
              may ? "" : error.text);
}

/* What the brokers say that they would allow (KIP-430), which costs nothing. */
static void check_writing(struct kafka *kafka) {
    for (size_t i = kafka->listing.commands_count; i < kafka->listing.count; i++) {
        const char *name = kafka->listing.names[i];
        const struct berth_topic_status *topic = &kafka->listing.statuses[i];
        if (!topic->exists) {
            continue;
        }
        switch (topic->may_write) {
        case BERTH_PERMISSION_GRANTED:
            check_say(kafka->report, CHECK_OK, SUBJECT, "write", NULL, "%s may be written to",
                      name);
            break;
        case BERTH_PERMISSION_DENIED:
            check_say(kafka->report, CHECK_PROBLEM, SUBJECT, "write", "allow Write of the topic",
                      "%s may not be written to: what needs it will wait", name);
            break;
        case BERTH_PERMISSION_UNKNOWN:
            check_say(kafka->report, CHECK_NOT_TRIED, SUBJECT, "write", "berth check --transaction",
                      "whether %s may be written to", name);
            break;
        }
    }
}

static void check_publishing(struct kafka *kafka) {
    const struct berth_config *config = kafka->options->config;
    if (!kafka->options->transaction) {
        check_say(kafka->report, CHECK_NOT_TRIED, SUBJECT, "publish", "berth check --transaction",
                  "whether berthd may publish");
        return;
    }
    /* Not a worker's id, which would be fenced. */
    char id[512];
    (void)snprintf(id, sizeof(id), "%s-%s-check", config->group, config->instance);
    for (size_t i = kafka->listing.commands_count; i < kafka->listing.count; i++) {
        const char *name = kafka->listing.names[i];
        if (!kafka->listing.statuses[i].exists) {
            continue;
        }
        struct berth_error error = {0};
        bool may = berth_kafka_try_publishing(&kafka->properties, id, name, CLI_KAFKA_TIMEOUT_MS,
                                              &error) == BERTH_OK;
        check_say(kafka->report, may ? CHECK_OK : CHECK_PROBLEM, SUBJECT, "publish",
                  may ? NULL
                      : "allow Write of the topic, and Write of transactional ids that begin with "
                        "the group's name",
                  "%s %s%s%s", name,
                  may ? "may be published to, in a transaction" : "can't be published to",
                  may ? "" : ": ", may ? "" : error.text);
    }
}
