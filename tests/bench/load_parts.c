/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bench's programs share: faults, the clock, memory, and handles of librdkafka.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

#define CALL_TIMEOUT_MS 10000
#define NUMBER_BASE     10

static int compare_latencies(const void *left, const void *right);

void load_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("load: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    _Exit(EXIT_FAILURE); /* librdkafka's threads are left as they are. */
}

int64_t load_now_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void *load_memory(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        load_fail("no memory");
    }
    return memory;
}

size_t load_number(const char *text, const char *what) {
    char *end = NULL;
    unsigned long number = strtoul(text, &end, NUMBER_BASE);
    if (end == text || *end != '\0' || number == 0) {
        load_fail("%s must be a whole number above 0, not \"%s\"", what, text);
    }
    return number;
}

size_t load_number_or_none(const char *text, const char *what) {
    return strcmp(text, "0") == 0 ? 0 : load_number(text, what);
}

rd_kafka_conf_t *load_conf(const char *brokers, const char *const *properties) {
    const char *const first[] = {"bootstrap.servers", brokers, "socket.nagle.disable", "true",
                                 NULL};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const *const lists[] = {first, properties};
    for (size_t i = 0; i < 2; i++) {
        for (const char *const *at = lists[i]; *at != NULL; at += 2) {
            char text[512];
            if (rd_kafka_conf_set(conf, at[0], at[1], text, sizeof(text)) != RD_KAFKA_CONF_OK) {
                load_fail("%s", text);
            }
        }
    }
    return conf;
}

rd_kafka_t *load_handle(rd_kafka_type_t type, rd_kafka_conf_t *take_conf) {
    char text[512];
    rd_kafka_t *handle = rd_kafka_new(type, take_conf, text, sizeof(text));
    if (handle == NULL) {
        load_fail("%s", text);
    }
    return handle;
}

void load_must(rd_kafka_error_t *take_error, const char *what) {
    if (take_error != NULL) {
        load_fail("%s: %s", what, rd_kafka_error_string(take_error));
    }
}

void load_reader_init(struct load_reader *reader, const char *brokers, const char *topic) {
    /* A fetch at the end of the log isn't always answered when a transaction commits, but only
     * after fetch.wait.max.ms. */
    static const char *const properties[] = {"group.id",
                                             "bench-reader",
                                             "enable.auto.commit",
                                             "false",
                                             "isolation.level",
                                             "read_committed",
                                             "fetch.wait.max.ms",
                                             "5",
                                             "auto.offset.reset",
                                             "error",
                                             NULL};
    reader->handle = load_handle(RD_KAFKA_CONSUMER, load_conf(brokers, properties));
    (void)rd_kafka_poll_set_consumer(reader->handle);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->handle, topic, NULL);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err =
        rd_kafka_metadata(reader->handle, 0, handle, &metadata, CALL_TIMEOUT_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topics[0].partition_cnt == 0) {
        load_fail("topic %s: %s", topic, rd_kafka_err2str(err));
    }
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);
    for (int32_t i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int64_t low = 0;
        int64_t high = 0;
        int64_t since_us = load_now_us();
        while ((err = rd_kafka_query_watermark_offsets(reader->handle, topic, i, &low, &high,
                                                       CALL_TIMEOUT_MS)) !=
               RD_KAFKA_RESP_ERR_NO_ERROR) {
            /* A topic that was made a moment ago has no leader yet. */
            if (load_now_us() - since_us > (int64_t)CALL_TIMEOUT_MS * 1000) {
                load_fail("the end of %s: %s", topic, rd_kafka_err2str(err));
            }
        }
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = high;
    }
    err = rd_kafka_assign(reader->handle, list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("reading %s: %s", topic, rd_kafka_err2str(err));
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

void load_reader_deinit(struct load_reader *reader) {
    (void)rd_kafka_consumer_close(reader->handle);
    rd_kafka_destroy(reader->handle);
}

void load_check_silence(int64_t since_us, size_t seen, size_t wanted) {
    if (load_now_us() - since_us > LOAD_SILENCE_US) {
        load_fail("no record for %" PRId64 " s: %zu of %zu came", LOAD_SILENCE_US / 1000000, seen,
                  wanted);
    }
}

void load_print_latencies(int64_t *latencies_us, size_t count) {
    qsort(latencies_us, count, sizeof(*latencies_us), compare_latencies);
    printf("\"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 ", \"max_us\": %" PRId64,
           latencies_us[count / 2], latencies_us[count * 99 / 100], latencies_us[count - 1]);
}

static int compare_latencies(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}
