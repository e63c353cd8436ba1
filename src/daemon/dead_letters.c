/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters, once they are committed: each has its line in the log, and is counted by its
 * reason.
 */
#include <string.h>

#include "berth/base/log.h"
#include "worker_parts.h"

static const char *const HEADERS[] = {"berth-dlq-reason",    "berth-dlq-topic",
                                      "berth-dlq-partition", "berth-dlq-offset",
                                      "berth-dlq-attempts",  "berth-dlq-message"};
#define HEADERS_COUNT (sizeof(HEADERS) / sizeof(HEADERS[0]))

static void tell(struct worker *worker, const struct berth_batch_record *record);
static void count(struct worker *worker, struct berth_bytes reason);

void worker_dead_letters_published(struct worker *worker) {
    for (size_t i = 0; i < worker->outbox.count; i++) {
        if (worker->outbox.records[i].topic == BERTH_RECORD_DEAD_LETTER) {
            tell(worker, &worker->outbox.records[i]);
        }
    }
}

/* The original's own headers come first, and may be called alike: the last of a name is ours. */
static void tell(struct worker *worker, const struct berth_batch_record *record) {
    struct berth_bytes says[HEADERS_COUNT] = {{0}};
    for (size_t i = 0; i < record->headers_count; i++) {
        for (size_t j = 0; j < HEADERS_COUNT; j++) {
            if (strcmp(record->headers[i].name, HEADERS[j]) == 0) {
                says[j] = record->headers[i].value;
            }
        }
    }
    count(worker, says[0]);
    berth_log(BERTH_LOG_WARNING, "record.dead_letter",
              "reason=%.*s source=%.*s-%.*s-%.*s attempts=%.*s message=\"%.*s\"", (int)says[0].len,
              (const char *)says[0].data, (int)says[1].len, (const char *)says[1].data,
              (int)says[2].len, (const char *)says[2].data, (int)says[3].len,
              (const char *)says[3].data, (int)says[4].len, (const char *)says[4].data,
              (int)says[5].len, (const char *)says[5].data);
}

static void count(struct worker *worker, struct berth_bytes reason) {
    if (reason.data == NULL) {
        return; /* It has one: berth's codec writes it. */
    }
    for (size_t i = 0; i < berth_codes_count; i++) {
        if (strlen(berth_codes[i].code) == reason.len &&
            memcmp(berth_codes[i].code, reason.data, reason.len) == 0) {
            worker->dead_letters_total[i]++;
        }
    }
}
