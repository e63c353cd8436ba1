/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth/io/clock.h"

#define TEXT_MAX  ((size_t)4 * 1024 * 1024)
#define WORDS_MAX 64

static int set_up(struct cli_world *world);
static void drain(int fd, struct berth_buffer *buffer, bool *open);
static void on_delivered(void *ctx, const struct berth_delivery *delivery);

int cli_world_setup_bare(void **state) {
    struct cli_world *world = calloc(1, sizeof(*world));
    if (world == NULL) {
        return -1;
    }
    *state = world;
    return set_up(world);
}

int cli_world_setup(void **state) {
    int rc = cli_world_setup_bare(state);
    if (rc == 0) {
        struct cli_world *world = *state;
        cli_world_run(world, "topics", "--create", "--partitions", "2", "--replication-factor", "1",
                      NULL);
        rc = world->status;
        if (rc != 0) {
            print_error("%s", cli_world_err(world));
        }
    }
    return rc;
}

int cli_world_teardown(void **state) {
    struct cli_world *world = *state;
    berth_producer_free(world->producer);
    berth_codec_free(world->codec);
    berth_config_free(world->config);
    berth_buffer_deinit(&world->out);
    berth_buffer_deinit(&world->err);
    free(world);
    return 0;
}

/* Every world of a test program has topics of its own. */
static int set_up(struct cli_world *world) {
    static int worlds;
    const char *folder = getenv("BERTH_TEST_DIR");
    const char *kafka = getenv("BERTH_TEST_KAFKA");
    berth_buffer_init(&world->out, TEXT_MAX);
    berth_buffer_init(&world->err, TEXT_MAX);
    if (folder == NULL || kafka == NULL) {
        print_error("run it through tests/lib/with_services\n");
        return -1;
    }
    int number = ++worlds;
    (void)snprintf(world->config_path, sizeof(world->config_path), "%s/cli-%d.conf", folder,
                   number);
    FILE *file = fopen(world->config_path, "we");
    if (file == NULL) {
        return -1;
    }
    (void)fprintf(file,
                  "[kafka]\nbootstrap.servers = %s\n"
                  "[topics]\nresults = results-%d\naudit = audit-%d\nspaces = spaces-%d\n"
                  "dlq = dlq-%d\n"
                  "[registry alpha]\ncommand_topic = commands-%d-alpha\n"
                  "[registry beta]\ncommand_topic = commands-%d-beta\n",
                  kafka, number, number, number, number, number, number);
    struct berth_config_report report;
    if (fclose(file) != 0 || berth_config_load(world->config_path, BERTH_CONFIG_FOR_TOOLS,
                                               &world->config, &report) != BERTH_OK) {
        return -1;
    }
    world->kafka = (struct berth_kafka_properties){.items = world->config->kafka.properties,
                                                   .count = world->config->kafka.properties_count};
    struct berth_error error = {0};
    if (berth_codec_new(&world->codec, &error) != BERTH_OK ||
        berth_producer_new(&world->kafka, WORLD_TIMEOUT_MS, on_delivered, NULL, &world->producer,
                           &error) != BERTH_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    return 0;
}

void cli_world_run_words(struct cli_world *world, const char *const words[]) {
    cli_world_finish(world, cli_world_start_words(world, words));
}

struct cli_run cli_world_start_words(struct cli_world *world, const char *const words[]) {
    static char program[] = BERTH_PROGRAM;
    static char option[] = "--config";
    char *whole[WORDS_MAX] = {program, option, world->config_path};
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_true(i + 4 < WORDS_MAX);
        whole[i + 3] = (char *)(uintptr_t)words[i];
    }
    int out[2];
    int err[2];
    struct cli_run run = {0};
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO), 0);
    assert_int_equal(posix_spawn(&run.pid, program, &actions, NULL, whole, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(out[1]);
    (void)close(err[1]);
    run.out = out[0];
    run.err = err[0];
    return run;
}

void cli_world_finish(struct cli_world *world, struct cli_run run) {
    bool out_open = run.out >= 0;
    bool err_open = true;
    berth_buffer_clear(&world->out);
    berth_buffer_clear(&world->err);
    int64_t until_ms = berth_clock_monotonic_ms() + (int64_t)3 * WORLD_TIMEOUT_MS;
    while ((out_open || err_open) && berth_clock_monotonic_ms() < until_ms) {
        struct pollfd fds[] = {{.fd = out_open ? run.out : -1, .events = POLLIN},
                               {.fd = err_open ? run.err : -1, .events = POLLIN}};
        assert_true(poll(fds, 2, 100) >= 0);
        if (fds[0].revents != 0) {
            drain(run.out, &world->out, &out_open);
        }
        if (fds[1].revents != 0) {
            drain(run.err, &world->err, &err_open);
        }
    }
    if (out_open || err_open) {
        (void)kill(run.pid, SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
    if (run.out >= 0) {
        (void)close(run.out);
    }
    (void)close(run.err);
    world->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *cli_world_out(const struct cli_world *world) {
    return world->out.len > 0 ? (const char *)world->out.data : "";
}

const char *cli_world_err(const struct cli_world *world) {
    return world->err.len > 0 ? (const char *)world->err.data : "";
}

void cli_world_assert_status(const struct cli_world *world, int status) {
    if (world->status != status) {
        print_error("standard output:\n%s\nstandard error:\n%s\n", cli_world_out(world),
                    cli_world_err(world));
    }
    assert_int_equal(world->status, status);
}

json_t *cli_world_json(const struct cli_world *world) {
    json_t *lines = json_array();
    const char *at = cli_world_out(world);
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        json_error_t error;
        json_t *line = json_loadb(at, len, 0, &error);
        if (line == NULL) {
            print_error("%s: %s\n", error.text, at);
        }
        assert_int_equal(json_array_append_new(lines, line), 0);
        at += len + (at[len] == '\n' ? 1 : 0);
    }
    return lines;
}

const char *cli_world_file(struct cli_world *world, const char *name, const void *bytes,
                           size_t len) {
    static char path[512];
    (void)snprintf(path, sizeof(path), "%s.%s", world->config_path, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    return path;
}

struct berth_reader *cli_world_reader(struct cli_world *world, const char *topic) {
    struct berth_reader *reader = NULL;
    struct berth_error error = {0};
    enum berth_rc rc = berth_reader_new(&world->kafka, &topic, 1, BERTH_READER_FROM_BEGINNING,
                                        WORLD_TIMEOUT_MS, &reader, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
    return reader;
}

struct berth_record *cli_world_take(struct berth_reader *reader) {
    struct berth_record *record = NULL;
    struct berth_error error = {0};
    int64_t until_ms = berth_clock_monotonic_ms() + WORLD_TIMEOUT_MS;
    enum berth_rc rc = BERTH_END;
    while (rc == BERTH_END && berth_clock_monotonic_ms() < until_ms) {
        rc = berth_reader_take(reader, 1000, &record, &error);
    }
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
    return record;
}

void cli_world_send(struct cli_world *world, const char *topic, const char *key,
                    struct berth_bytes value, const struct berth_header *headers,
                    size_t headers_count) {
    struct berth_error error = {0};
    bool delivered = false;
    const struct berth_bytes key_bytes = {(const uint8_t *)key, strlen(key)};
    assert_int_equal(berth_producer_send(world->producer, topic, key_bytes, value, headers,
                                         headers_count, &delivered, &error),
                     BERTH_OK);
    assert_int_equal(berth_producer_flush(world->producer, WORLD_TIMEOUT_MS), BERTH_OK);
    assert_true(delivered);
}

void cli_world_publish(struct cli_world *world, const struct berth_command *command,
                       const struct berth_source *source, const struct berth_outcome *outcome) {
    const struct berth_event_context context = {
        .command = command,
        .source = source,
        .deployment = "test",
        .registry_uid = "3f0d9a52-6f0e-4a55-9c1e-0b7f5f5d7c11",
        .group = "berth",
        .version = 1,
        .record_time_ms = 1,
    };
    const char *topics[BERTH_RECORD_KINDS] = {
        [BERTH_RECORD_RESULT] = world->config->topics.results,
        [BERTH_RECORD_AUDIT] = world->config->topics.audit,
        [BERTH_RECORD_SPACE] = world->config->topics.spaces,
        [BERTH_RECORD_DEAD_LETTER] = world->config->topics.dlq,
    };
    struct berth_publication publication = {0};
    struct berth_error error = {0};
    enum berth_rc rc = berth_publication_make(world->codec, &context, outcome,
                                              BERTH_RECORD_BYTES_MAX, &publication, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
    struct berth_publication_reader reader;
    const struct berth_bytes packed = {publication.data, publication.len};
    assert_int_equal(berth_publication_open(packed, &reader), BERTH_OK);
    struct berth_event_record record;
    char key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    (void)snprintf(key, sizeof(key), "%s/%s", command->registry, command->space);
    while (berth_publication_next(&reader, &record) == BERTH_OK) {
        struct berth_bytes value = {NULL, 0};
        if (record.kind == BERTH_RECORD_DEAD_LETTER) {
            value = (struct berth_bytes){(const uint8_t *)"original", 8};
        } else if (record.has_value) {
            value = record.value;
        }
        cli_world_send(world, topics[record.kind], key, value, record.headers,
                       record.headers_count);
    }
    berth_publication_deinit(&publication);
}

struct berth_decoded cli_world_decode(struct cli_world *world, const struct berth_record *record) {
    struct berth_decoded decoded = {0};
    size_t count = 0;
    const struct berth_header *headers = berth_record_headers(record, &count);
    berth_codec_decode_command(world->codec, berth_record_value(record), headers, count, &decoded);
    assert_string_equal(decoded.text, "");
    assert_true(decoded.is_command);
    return decoded;
}

struct berth_source cli_world_source(const struct berth_record *record) {
    struct berth_source source = {.partition = berth_record_partition(record),
                                  .offset = berth_record_offset(record)};
    (void)snprintf(source.topic, sizeof(source.topic), "%s", berth_record_topic(record));
    return source;
}

struct berth_outcome cli_world_outcome(const char *code, const char *message) {
    struct berth_outcome outcome = {.kind = BERTH_SUCCEEDED,
                                    .changed = true,
                                    .attempts = 1,
                                    .received_at_ms = 1763780000000,
                                    .finished_at_ms = 1763780000123,
                                    .final = true};
    (void)snprintf(outcome.code, sizeof(outcome.code), "%s", code);
    (void)snprintf(outcome.message, sizeof(outcome.message), "%s", message);
    berth_space_state_init(&outcome.before);
    berth_space_state_init(&outcome.after);
    return outcome;
}

static void drain(int fd, struct berth_buffer *buffer, bool *open) {
    char bytes[4096];
    ssize_t len = read(fd, bytes, sizeof(bytes));
    if (len > 0) {
        assert_int_equal(berth_buffer_append(buffer, bytes, (size_t)len), BERTH_OK);
    } else {
        *open = len < 0 && errno == EINTR;
    }
}

static void on_delivered(void *ctx, const struct berth_delivery *delivery) {
    (void)ctx;
    assert_null(delivery->error_text);
    *(bool *)delivery->tag = true;
}
