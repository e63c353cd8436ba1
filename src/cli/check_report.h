/* SPDX-License-Identifier: Apache-2.0 */
/* What `berth check` has found so far, and how it is told: one line each, with the remedy. */
#ifndef BERTH_CLI_CHECK_REPORT_H
#define BERTH_CLI_CHECK_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/io/kafka_topics.h"
#include "cli.h"

enum check_state {
    CHECK_OK,
    CHECK_WARNING, /* berth works, but something may be lost or slow. */
    CHECK_PROBLEM, /* berth doesn't work like that. */
    CHECK_NOT_TRIED,
};
#define CHECK_STATES 4

struct check_report {
    bool json;
    int width; /* Of the longest subject. */
    size_t counts[CHECK_STATES];
    bool kafka_unreachable; /* Nothing of Kafka was looked at. */
    /* What one part finds and another needs. */
    char cluster[BERTH_KAFKA_CLUSTER_BYTES]; /* Kafka's id; empty: it can't be told. */
    bool has_data_set;                       /* Redis has one, ... */
    bool is_ours;                            /* ... and it isn't another installation's. */
};

/*
 * Prints a line. subject: "kafka", "redis", "registry NAME"; check: what was looked at, a stable
 * word for programs; remedy: what to do, NULL for nothing.
 */
void check_say(struct check_report *report, enum check_state state, const char *subject,
               const char *check, const char *remedy, const char *format, ...) BERTH_PRINTF(6, 7);

/* The parts; each prints its lines. */
struct check_options {
    struct check_report *report;
    const struct berth_config *config;
    bool transaction; /* Publishing may be tried. */
};
void check_kafka(const struct check_options *options);
void check_redis(const struct check_options *options);
/* After these two, if both are there and ours. */
void check_offsets(const struct check_options *options);
void check_registry(const struct check_options *options,
                    const struct berth_config_registry *config);

/* "registry NAME" */
#define CHECK_SUBJECT_BYTES 96

#endif
