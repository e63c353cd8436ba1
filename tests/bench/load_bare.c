/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare transaction that berth's latency is compared with: at each point in time one result,
 * one audit record and one state are due; those that are due go into one transaction with an
 * offset, one transaction after the other with a pause between them, and nothing else is done. So
 * it is berth's group commit without berth. Two latencies: from due to committed, and from due to
 * seen by a reader.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

#define KEY_BYTES  64
#define TIMEOUT_MS 30000
#define POLL_MS    10
#define USEC       1000000.0

struct bare {
    rd_kafka_t *producer;
    rd_kafka_topic_t *topics[LOAD_RECORDS];
    const char *offsets_topic;
    rd_kafka_consumer_group_metadata_t *group;
    struct load_reader reader;
    size_t count;
    size_t a_second; /* 0: one after the other. */
    int64_t pause_us;
    int64_t started_us;
    int64_t ended_us;
    int64_t *due_us;
    int64_t *committed_us;
    int64_t *seen_us;
    size_t transactions;
};

static void parse(struct bare *bare, char **words);
static void set_up(struct bare *bare, char **words);
static void make_all(struct bare *bare);
static void tear_down(struct bare *bare);
static void *reader_thread(void *ctx);
static void commit_due(struct bare *bare, size_t first, size_t end);
static void produce(struct bare *bare, size_t number);
static void report(struct bare *bare);
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque);

void load_bare(int words_count, char **words) {
    (void)words_count;
    struct bare bare = {.offsets_topic = words[2]};
    parse(&bare, words);
    set_up(&bare, words);
    pthread_t thread;
    if (pthread_create(&thread, NULL, reader_thread, &bare) != 0) {
        load_fail("no thread for the reader");
    }
    bare.started_us = load_now_us();
    make_all(&bare);
    bare.ended_us = load_now_us();
    (void)pthread_join(thread, NULL);
    report(&bare);
    tear_down(&bare);
}

static void parse(struct bare *bare, char **words) {
    char *slash = strchr(words[6], '/');
    if (slash == NULL) {
        load_fail("COUNT/A_SECOND, not \"%s\"", words[6]);
    }
    *slash = '\0';
    bare->count = load_number(words[6], "COUNT");
    bare->a_second = load_number_or_none(slash + 1, "A_SECOND");
    bare->pause_us = (int64_t)load_number_or_none(words[7], "PAUSE_US");
}

/* One transaction after the other, each with whatever is due by then; without a rate it is one
 * command each, due when the transaction before is committed and the pause over. */
static void make_all(struct bare *bare) {
    for (size_t i = 0; i < bare->count && bare->a_second > 0; i++) {
        bare->due_us[i] = bare->started_us + (int64_t)((double)i / (double)bare->a_second * USEC);
    }
    size_t first = 0;
    int64_t free_us = bare->started_us;
    while (first < bare->count) {
        if (bare->a_second == 0) {
            bare->due_us[first] = free_us;
        }
        int64_t begin_us = bare->due_us[first] > free_us ? bare->due_us[first] : free_us;
        int64_t now_us = load_now_us();
        if (begin_us > now_us) {
            (void)usleep((useconds_t)(begin_us - now_us));
            continue;
        }
        size_t end = first + 1;
        while (bare->a_second > 0 && end < bare->count && bare->due_us[end] <= now_us) {
            end++;
        }
        commit_due(bare, first, end);
        free_us = load_now_us() + bare->pause_us;
        first = end;
    }
}

static void tear_down(struct bare *bare) {
    rd_kafka_consumer_group_metadata_destroy(bare->group);
    load_reader_deinit(&bare->reader);
    for (size_t i = 0; i < LOAD_RECORDS; i++) {
        rd_kafka_topic_destroy(bare->topics[i]);
    }
    rd_kafka_destroy(bare->producer);
    free(bare->due_us);
    free(bare->committed_us);
    free(bare->seen_us);
}

static void set_up(struct bare *bare, char **words) {
    /* linger.ms as berth's own publisher has it. */
    const char *const properties[] = {
        "transactional.id", "bench-bare", "retry.backoff.ms", words[8], "linger.ms", "1", NULL};
    rd_kafka_conf_t *conf = load_conf(words[0], properties);
    rd_kafka_conf_set_dr_msg_cb(conf, rdkafka_delivered_cb);
    bare->producer = load_handle(RD_KAFKA_PRODUCER, conf);
    for (size_t i = 0; i < LOAD_RECORDS; i++) {
        bare->topics[i] = rd_kafka_topic_new(bare->producer, words[3 + i], NULL);
    }
    bare->group = rd_kafka_consumer_group_metadata_new(words[1]);
    bare->due_us = load_memory(bare->count, sizeof(*bare->due_us));
    bare->committed_us = load_memory(bare->count, sizeof(*bare->committed_us));
    bare->seen_us = load_memory(bare->count, sizeof(*bare->seen_us));
    load_must(rd_kafka_init_transactions(bare->producer, TIMEOUT_MS), "init_transactions");
    load_reader_init(&bare->reader, words[0], words[3]);
}

static void *reader_thread(void *ctx) {
    struct bare *bare = ctx;
    int64_t last_us = load_now_us();
    for (size_t seen = 0; seen < bare->count;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(bare->reader.handle, POLL_MS);
        if (message == NULL) {
            load_check_silence(last_us, seen, bare->count);
            continue;
        }
        last_us = load_now_us();
        size_t number = 0;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->len < sizeof(number)) {
            load_fail("reading: %s", rd_kafka_err2str(message->err));
        }
        memcpy(&number, message->payload, sizeof(number));
        if (number >= bare->count) {
            load_fail("a record that nobody has sent");
        }
        bare->seen_us[number] = last_us;
        rd_kafka_message_destroy(message);
        seen++;
    }
    return NULL;
}

static void commit_due(struct bare *bare, size_t first, size_t end) {
    load_must(rd_kafka_begin_transaction(bare->producer), "begin");
    for (size_t i = first; i < end; i++) {
        produce(bare, i);
    }
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, bare->offsets_topic, 0)->offset = (int64_t)end;
    load_must(
        rd_kafka_send_offsets_to_transaction(bare->producer, offsets, bare->group, TIMEOUT_MS),
        "send_offsets");
    rd_kafka_topic_partition_list_destroy(offsets);
    load_must(rd_kafka_commit_transaction(bare->producer, TIMEOUT_MS), "commit");
    bare->transactions++;
    int64_t now_us = load_now_us();
    for (size_t i = first; i < end; i++) {
        bare->committed_us[i] = now_us;
    }
}

static void produce(struct bare *bare, size_t number) {
    char key[KEY_BYTES];
    int key_len = snprintf(key, sizeof(key), "alpha/bench-bare-%zu", number);
    load_records_produce(bare->producer, bare->topics, key, (size_t)key_len, number);
}

static void report(struct bare *bare) {
    int64_t *latencies_us = load_memory(bare->count, sizeof(*latencies_us));
    printf("{\"transactions\": %zu, \"seconds\": %.6f, \"committed\": {", bare->transactions,
           (double)(bare->ended_us - bare->started_us) / USEC);
    for (size_t i = 0; i < bare->count; i++) {
        latencies_us[i] = bare->committed_us[i] - bare->due_us[i];
    }
    load_print_latencies(latencies_us, bare->count);
    printf("}, \"seen\": {");
    for (size_t i = 0; i < bare->count; i++) {
        latencies_us[i] = bare->seen_us[i] - bare->due_us[i];
    }
    load_print_latencies(latencies_us, bare->count);
    printf("}}\n");
    free(latencies_us);
}

static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque) {
    (void)handle;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("a record wasn't delivered: %s", rd_kafka_err2str(message->err));
    }
}
