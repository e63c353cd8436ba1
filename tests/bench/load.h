/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bench's load: what Python would be too slow for. One mode a file; each measures on one
 * monotonic clock and prints one line of JSON. A fault ends the program with a sentence and status
 * 1: a bench that goes on after one measures something else.
 */
#ifndef BERTH_BENCH_LOAD_H
#define BERTH_BENCH_LOAD_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

/* How long nothing may happen before the load gives up. */
#define LOAD_SILENCE_US ((int64_t)120 * 1000000)

/* Ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) void load_fail(const char *format, ...);

/* CLOCK_MONOTONIC in microseconds. */
int64_t load_now_us(void);

/* Memory of count zeroed elements; never NULL. */
void *load_memory(size_t count, size_t bytes);

/* A whole number above 0. */
size_t load_number(const char *text, const char *what);

/* As above, and 0 for "0". */
size_t load_number_or_none(const char *text, const char *what);

/* Pairs of name and value, ended by NULL; bootstrap.servers is set already. */
rd_kafka_conf_t *load_conf(const char *brokers, const char *const *properties);

/* Like rd_kafka_new(), but never NULL. */
rd_kafka_t *load_handle(rd_kafka_type_t type, rd_kafka_conf_t *take_conf);

/*
 * A read_committed reader of a whole topic, from its end at this moment on. Whatever is written
 * after the return is seen.
 */
struct load_reader {
    rd_kafka_t *handle;
};
void load_reader_init(struct load_reader *reader, const char *brokers, const char *topic);
void load_reader_deinit(struct load_reader *reader);

/* Ends the program if no record comes for LOAD_SILENCE_US after since_us. */
void load_check_silence(int64_t since_us, size_t seen, size_t wanted);

/* Sorts the latencies and prints them as members of a JSON object: p50_us, p99_us, max_us. */
void load_print_latencies(int64_t *latencies_us, size_t count);

/*
 * What is published of one command: a result, an audit record and a state, of the size that berth's
 * have, with as many headers. stamp is what each value begins with. The topics are in that order.
 */
#define LOAD_RECORDS 3
void load_records_produce(rd_kafka_t *producer, rd_kafka_topic_t *const topics[LOAD_RECORDS],
                          const void *key, size_t key_len, size_t stamp);

/* Ends the program, saying what failed, if there is an error. */
void load_must(rd_kafka_error_t *take_error, const char *what);

/* The modes: their words without the mode's name. */
void load_commands(int words_count, char **words);
void load_records(int words_count, char **words);
void load_fill(int words_count, char **words);
void load_bare(int words_count, char **words);

#endif
