/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark of a log: what tells the log that a position belongs to from another one of the same
 * name. A topic that was made anew, or one of another cluster, has other records at the same
 * offsets (docs/redis.md, "Whose log is it?").
 *
 * It is Kafka's id of the topic, and the record that was settled with the highest offset: that one
 * proves the whole way to it, what is settled out of order included.
 */
#ifndef BERTH_CORE_LOG_MARK_H
#define BERTH_CORE_LOG_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kafka's ids of topics are 16 bytes in Base64: 22 characters. */
#define BERTH_LOG_ID_BYTES 24

struct berth_log_mark {
    char id[BERTH_LOG_ID_BYTES]; /* Of the topic; empty: the brokers can't tell. */
    int64_t offset;              /* Of the record; -1: nothing of this log was settled yet. */
    int64_t timestamp_ms;        /* As the record has it; -1: it has none. */
    uint32_t checksum;
};

/* "L1:", the id, three numbers of up to 20 characters in all, ":" between them, and the NUL; a
 * multiple of four, so that it takes whole groups of Base64 from a map behind it. */
#define BERTH_LOG_MARK_TEXT_BYTES 84

void berth_log_mark_write(const struct berth_log_mark *mark,
                          char ret_text[BERTH_LOG_MARK_TEXT_BYTES]);

/*
 * The mark that is a text's first word. False: there is none, or it can't be understood.
 * ret_rest: what follows it and a blank; without a mark the text itself. May be NULL.
 */
bool berth_log_mark_read(const char *text, struct berth_log_mark *ret_mark, const char **ret_rest);

/* A mark of this log by which nothing is settled yet. */
struct berth_log_mark berth_log_mark_none(const char *id);

/* Of what a record holds. */
uint32_t berth_log_checksum(const void *key, size_t key_len, const void *value, size_t value_len);

/* Both are known, and they are one, or two. Neither: one of them can't be told. */
bool berth_log_same_id(const char *one, const char *other);
bool berth_log_other_id(const char *one, const char *other);

#endif
