/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for the tests of `berth`: topics of its own on the broker of BERTH_TEST_KAFKA, a
 * configuration that names them, the program as a child, and what berthd would do.
 */
#ifndef CLI_WORLD_H
#define CLI_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "berth/codec/codec.h"
#include "berth/codec/events.h"
#include "berth/io/config.h"
#include "berth/io/kafka_producer.h"
#include "berth/io/kafka_reader.h"

/* Waits in the tests end after this, in failure. */
#define WORLD_TIMEOUT_MS 20000

struct cli_world {
    char config_path[256];
    struct berth_config *config;
    struct berth_kafka_properties kafka;
    struct berth_codec *codec;
    struct berth_producer *producer;
    /* What the last program run wrote, and how it ended. */
    struct berth_buffer out;
    struct berth_buffer err;
    int status;
};

/* A program that runs. */
struct cli_run {
    pid_t pid;
    int out; /* -1: the test has closed it. */
    int err;
};

/* cmocka's setup and teardown; each test has its own topics. cli_world_setup() makes them,
 * cli_world_setup_bare() doesn't. */
int cli_world_setup(void **state);
int cli_world_setup_bare(void **state);
int cli_world_teardown(void **state);

/* Runs `berth --config FILE` with these words, up to NULL, to its end. */
#define cli_world_run(world, ...) cli_world_run_words(world, (const char *const[]){__VA_ARGS__})
void cli_world_run_words(struct cli_world *world, const char *const words[]);
/* Starts it; cli_world_finish() waits for its end. */
#define cli_world_start(world, ...) cli_world_start_words(world, (const char *const[]){__VA_ARGS__})
struct cli_run cli_world_start_words(struct cli_world *world, const char *const words[]);
void cli_world_finish(struct cli_world *world, struct cli_run run);

const char *cli_world_out(const struct cli_world *world);
const char *cli_world_err(const struct cli_world *world);
/* Asserts the exit status and shows what was written if it's another one. */
void cli_world_assert_status(const struct cli_world *world, int status);

/* The lines of the output as JSON objects; the caller gives the array back. */
json_t *cli_world_json(const struct cli_world *world);

/* Puts a file into the test's folder; a view of its path, until the next. */
const char *cli_world_file(struct cli_world *world, const char *name, const void *bytes,
                           size_t len);

/* Reads a topic from its beginning. */
struct berth_reader *cli_world_reader(struct cli_world *world, const char *topic);
/* The next record, which comes. */
struct berth_record *cli_world_take(struct berth_reader *reader);

/* Sends one record and waits for its delivery. */
void cli_world_send(struct cli_world *world, const char *topic, const char *key,
                    struct berth_bytes value, const struct berth_header *headers,
                    size_t headers_count);

/* Publishes an outcome as berthd does. */
void cli_world_publish(struct cli_world *world, const struct berth_command *command,
                       const struct berth_source *source, const struct berth_outcome *outcome);

/* The command that a record holds; asserts that it is one. Owned: berth_decoded_deinit(). */
struct berth_decoded cli_world_decode(struct cli_world *world, const struct berth_record *record);
struct berth_source cli_world_source(const struct berth_record *record);

/* An outcome to be completed: SUCCEEDED with this code and message. */
struct berth_outcome cli_world_outcome(const char *code, const char *message);

#endif
