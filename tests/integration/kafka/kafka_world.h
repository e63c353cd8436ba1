/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of the Kafka tests: a loop, the broker that with_services started, topics of its own
 * for each test, and consumers that write down what they are told as lines of text.
 */
#ifndef BERTH_TESTS_KAFKA_WORLD_H
#define BERTH_TESTS_KAFKA_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "berth/base/buffer.h"
#include "berth/io/kafka_consumer.h"
#include "berth/io/kafka_properties.h"
#include "berth/io/publisher.h"

struct event_base;

/* Anything that a test waits for comes within this, or the test fails. A group of the mock cluster
 * may need several rounds of 5 s: librdkafka joins once more when any metadata comes while the
 * leader waits for its own. */
#define WORLD_PATIENCE_MS 60000

#define NAME_BYTES 96

struct world {
    struct event_base *base;
    char bootstrap[64];
    struct berth_config_property items[16];
    struct berth_kafka_properties properties;
};

struct world *world_new(const char *bootstrap);

/* cmocka's set-up and tear-down of each test. */
int world_setup(void **state);
int world_teardown(void **state);

/* One more property for the clients made from now on; both strings stay the caller's. */
void world_set(struct world *world, const char *name, const char *value);

/* A name that no other test uses: "<stem>-<number>-<process>". */
void fresh_name(char name[NAME_BYTES], const char *stem);
void make_topic(struct world *world, const char *topic, int partitions);

/* Turns the loop until done says so, or for patience_ms: then false. */
bool turn_until(struct world *world, bool (*done)(void *ctx), void *ctx, int patience_ms);
/* The same with all patience; the test fails if it isn't done. */
#define run_until(world, done, ctx) run_until_at(world, done, ctx, #done, __FILE__, __LINE__)
void run_until_at(struct world *world, bool (*done)(void *ctx), void *ctx, const char *what,
                  const char *file, int line);

/* Produces count records "<stem> <n>", n from 0, with the key, to one partition. */
void produce(struct world *world, const char *topic, int partition, const char *stem, int count);

#define SLOTS_MAX 8

/* A consumer and what it was told. */
struct member {
    struct world *world;
    struct berth_consumer *consumer;
    struct berth_buffer told; /* One line for each callback. */
    int held_count;
    int revoked_count;
    bool gives_up;   /* Answers a revocation at once. */
    bool says_bases; /* Answers at once where a partition's last transaction ended: at ... */
    int64_t base;    /* -1: nowhere. */
    struct berth_kept_base kept; /* Instead of these two, if it has an offset. */
    bool closed;
    struct {
        bool held;
        bool revoked;
        char topic[NAME_BYTES];
        int32_t partition;
        uint64_t epoch;
        int64_t start_offset;
        int64_t committed_offset;
        bool committed;
        enum berth_partition_origin origin;
        int64_t lost;
        int64_t lost_from;
        struct berth_log_mark log;
        char metadata[4097];
        int records_count;
        int64_t last_offset;
        char last_value[64];
    } slots[SLOTS_MAX];
};

void member_join(struct member *member, struct world *world, const char *group,
                 const char *instance, const char *topic, enum berth_config_start start);
/* The same, but nobody answers where its partitions start. */
void member_join_unanswered(struct member *member, struct world *world, const char *group,
                            const char *topic);
/* The same, with a base for every partition. */
void member_join_at(struct member *member, struct world *world, const char *group,
                    const char *topic, int64_t base);
/* Answers for one that wasn't: a base without a mark. */
void member_set_base(struct member *member, const char *topic, int32_t partition, int64_t base);
/* Closes it orderly, giving up everything, and frees it. */
void member_leave(struct member *member);
/* As if the process had died. */
void member_vanish(struct member *member);
void member_wait_held(struct member *member, int count);
bool member_was_told(const struct member *member, const char *line_part);
/* The slot that holds the partition, which must be held. */
uint32_t member_slot_of(const struct member *member, int32_t partition);
/* Takes up to limit records of the slot; how many there were. They must be in order. */
int member_take(struct member *member, uint32_t slot, int limit);
void member_wait_records(struct member *member, uint32_t slot, int count);

/* A publisher and the last answer. */
struct outlet {
    struct world *world;
    struct berth_publisher *publisher;
    int done_count;
    enum berth_batch_outcome outcome;
    ptrdiff_t culprit;
    bool metadata_too_large;
    enum berth_output_verdict verdict; /* Of the outlet's first topic. */
    char text[BERTH_ERROR_BYTES_MAX];
    int troubles_count;
    char trouble[BERTH_ERROR_BYTES_MAX];
};

void outlet_open(struct outlet *outlet, struct world *world, const char *group, const char *id,
                 const char *const *topics, size_t topics_count);
void outlet_close(struct outlet *outlet);
void outlet_wait_ready(struct outlet *outlet);

/* Hands over one record ("<value>", key "k") to the outlet's first topic, and an offset of the
 * member's group. value NULL: no record. */
void outlet_submit(struct outlet *outlet, struct member *member, const char *value,
                   const char *offset_topic, int64_t offset, const char *metadata);
/* Waits for the answer to it. */
enum berth_batch_outcome outlet_wait(struct outlet *outlet);

/* How many committed records of the topic have exactly this value. */
int count_committed(struct world *world, const char *topic, const char *value);

/* Committed exactly once. A commit is done before its markers are in every log, and readers see
 * what it committed only behind them: so it is asked again until something is there. */
void assert_committed_once(struct world *world, const char *topic, const char *value);

#endif
