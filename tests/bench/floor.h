/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor that berthd is measured against: a worker that does the same wire work with the same
 * libraries, and nothing else. Of each record: decode it (avro-c), run a script in Redis (hiredis),
 * POST a project to Harbor (libcurl), run another script, and publish three records and the offset
 * in a Kafka transaction (librdkafka), into which goes whatever has gathered since the one before.
 * No order of spaces, no ledger, no retries, no log: the first fault ends the program.
 *
 *   floor_consumer -> floor_decoder -> floor_redis (claim) -> floor_harbor -> floor_redis (store)
 *                  -> floor_publisher, a thread of its own
 *
 * All but the publisher is one thread with libevent, as in berthd. One job is one record under way.
 */
#ifndef BERTH_BENCH_FLOOR_H
#define BERTH_BENCH_FLOOR_H

#include <event2/event.h>
#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define FLOOR_NAME_BYTES  256
#define FLOOR_TOKEN_BYTES 32
#define FLOOR_TOPIC_COUNT 3

/* What the program is called with. */
struct floor_options {
    const char *brokers;
    const char *topic; /* Of the commands. */
    const char *topics[FLOOR_TOPIC_COUNT];
    const char *schema_file;
    const char *redis_port;
    const char *harbor_url;
    const char *harbor_login; /* USER:PASSWORD */
    size_t harbor_limit;      /* Requests at once. */
    size_t jobs_max;          /* Records under way at once. */
    size_t pause_us;          /* Of the publisher, after a commit. */
    const char *retry_backoff_ms;
};

struct floor_job {
    TAILQ_ENTRY(floor_job) link;
    rd_kafka_message_t *message; /* Kept until it is committed: key and offset. */
    char id[FLOOR_NAME_BYTES];
    char registry[FLOOR_NAME_BYTES];
    char space[FLOOR_NAME_BYTES];
    char token[FLOOR_TOKEN_BYTES]; /* What the claim gave. */
};
TAILQ_HEAD(floor_jobs, floor_job);

struct floor {
    struct floor_options options;
    struct event_base *base;
    struct floor_jobs free_jobs;
    struct floor_consumer *consumer;
    struct floor_decoder *decoder;
    struct floor_redis *redis;
    struct floor_harbor *harbor;
    struct floor_publisher *publisher;
};

/* The steps, each of which calls the next one when it is done. floor.c says which. */
void floor_on_message(struct floor *floor, struct floor_job *job);
void floor_on_claimed(struct floor *floor, struct floor_job *job);
void floor_on_posted(struct floor *floor, struct floor_job *job);
void floor_on_stored(struct floor *floor, struct floor_job *job);
/* The jobs' transaction is committed. */
void floor_on_committed(struct floor *floor, struct floor_jobs *jobs);

/* An event that wakes the loop when its descriptor (an eventfd, made here) is written to. */
struct event *floor_wake_event(struct floor *floor, event_callback_fn callback, void *ctx);

struct floor_consumer *floor_consumer_new(struct floor *floor);
/* Takes what is there, as long as there are free jobs. */
void floor_consumer_take(struct floor_consumer *consumer);
rd_kafka_t *floor_consumer_handle(struct floor_consumer *consumer);

struct floor_decoder *floor_decoder_new(const char *schema_file);
void floor_decode(struct floor_decoder *decoder, struct floor_job *job);

struct floor_redis *floor_redis_new(struct floor *floor);
void floor_redis_claim(struct floor_redis *redis, struct floor_job *job);
void floor_redis_store(struct floor_redis *redis, struct floor_job *job);

struct floor_harbor *floor_harbor_new(struct floor *floor);
void floor_harbor_post(struct floor_harbor *harbor, struct floor_job *job);

struct floor_publisher *floor_publisher_new(struct floor *floor);
void floor_publisher_add(struct floor_publisher *publisher, struct floor_job *job);

#endif
