/* SPDX-License-Identifier: Apache-2.0 */
#include "offsets_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "offsets_listing.h"

#define NUMBER_BYTES 24
#define WHY_BYTES    512

static void print_table(const struct berth_partition_offsets *partitions, size_t count);
static enum berth_rc print_json(const struct berth_partition_offsets *partition);
static const char *number(int64_t value, char ret_text[NUMBER_BYTES]);
static json_t *number_json(int64_t value);
static const char *state(const struct berth_partition_offsets *partition, char ret_why[WHY_BYTES]);

enum cli_exit cli_offsets_print(const struct berth_partition_offsets *partitions, size_t count,
                                bool json) {
    bool fine = true;
    if (!json) {
        print_table(partitions, count);
    }
    for (size_t i = 0; i < count; i++) {
        fine = fine && !cli_offsets_stopped(&partitions[i]);
        if (json && print_json(&partitions[i]) != BERTH_OK) {
            return cli_fault(BERTH_FAULT_MEMORY, NULL);
        }
    }
    return cli_flush() != BERTH_FAULT_SYSTEM && fine ? CLI_SUCCEEDED : CLI_FAILED;
}

static void print_table(const struct berth_partition_offsets *partitions, size_t count) {
    int width = (int)strlen("PARTITION");
    for (size_t i = 0; i < count; i++) {
        int len = (int)strlen(partitions[i].topic) + 7; /* "/" and a number. */
        width = len > width ? len : width;
    }
    (void)printf("%-*s  %10s  %10s  %10s  %-22s  STATE\n", width, "PARTITION", "BASE", "COMMITTED",
                 "END", "TOPIC ID");
    for (size_t i = 0; i < count; i++) {
        const struct berth_partition_offsets *partition = &partitions[i];
        char base[NUMBER_BYTES];
        char committed[NUMBER_BYTES];
        char end[NUMBER_BYTES];
        char why[WHY_BYTES];
        bool readable = partition->unreadable == NULL;
        int len = printf("%s/%" PRId32, partition->topic, partition->partition);
        (void)printf("%*s  %10s  %10s  %10s  %-22s  %s\n", width - len, "",
                     number(partition->kept.offset, base),
                     number(readable ? partition->log.committed : -1, committed),
                     number(readable ? partition->log.end : -1, end),
                     partition->log.id[0] != '\0' ? partition->log.id : "-", state(partition, why));
    }
}

/* What isn't known is null. */
static enum berth_rc print_json(const struct berth_partition_offsets *partition) {
    char why[WHY_BYTES];
    const char *text = state(partition, why);
    bool readable = partition->unreadable == NULL;
    bool goes_on = readable && !cli_offsets_stopped(partition);
    bool decided = readable && partition->position.origin == BERTH_LOG_AT_DECISION;
    json_t *object = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:s?, s:o, s:o, s:s?}", "topic",
                               partition->topic, "partition", (int)partition->partition, "base",
                               number_json(partition->kept.offset), "committed",
                               number_json(readable ? partition->log.committed : -1), "start",
                               number_json(readable ? partition->log.start : -1), "end",
                               number_json(readable ? partition->log.end : -1), "topic_id",
                               partition->log.id[0] != '\0' ? partition->log.id : NULL,
                               "goes_on_at", number_json(goes_on ? partition->position.offset : -1),
                               "decided", number_json(decided ? partition->kept.from : -1),
                               "stopped", cli_offsets_stopped(partition) ? text : NULL);
    if (object == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    (void)json_dumpf(object, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    json_decref(object);
    return BERTH_OK;
}

static const char *number(int64_t value, char ret_text[NUMBER_BYTES]) {
    if (value < 0) {
        return "-";
    }
    (void)snprintf(ret_text, NUMBER_BYTES, "%" PRId64, value);
    return ret_text;
}

static json_t *number_json(int64_t value) {
    return value < 0 ? json_null() : json_integer(value);
}

static const char *state(const struct berth_partition_offsets *partition, char ret_why[WHY_BYTES]) {
    const struct berth_log_position *position = &partition->position;
    if (partition->unreadable != NULL) {
        (void)snprintf(ret_why, WHY_BYTES, "can't be read: %s", partition->unreadable);
        return ret_why;
    }
    switch (position->origin) {
    case BERTH_LOG_STOPPED:
        (void)snprintf(ret_why, WHY_BYTES, "stopped at %" PRId64 ": %s", position->known,
                       berth_log_doubt_text(position->doubt));
        return ret_why;
    case BERTH_LOG_AT_DECISION:
        (void)snprintf(ret_why, WHY_BYTES, "goes on at %" PRId64 ", as decided", position->offset);
        return ret_why;
    case BERTH_LOG_AT_COMMITTED:
    case BERTH_LOG_AT_BASE:
    case BERTH_LOG_WANTS_BASE:
        return "ok";
    case BERTH_LOG_AT_START:
        return "new";
    }
    return "";
}
