/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends commands and waits for their results; "records" does so, too, but doesn't look into them
 * (the floor's are no Avro, and it ends at the first fault); "fill" only sends. Command i is for
 * space i modulo SPACES: the first round creates the spaces, the others change their visibility, so
 * that each command is one Harbor call. The commands are encoded before the clock runs, and the
 * results looked into after it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/codec/codec.h"
#include "berth/codec/identity.h"
#include "berth/io/clock.h"
#include "load.h"

#define KEY_BYTES   (BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES)
#define VALUE_LIMIT 4096
#define JSON_LIMIT  65536
#define NAME_DIGITS 7
#define FLUSH_MS    60000
#define POLL_MS     1
#define USEC        1000000.0
#define QUEUE_POLLS 256

struct sending {
    char key[KEY_BYTES];
    struct berth_buffer value;
    int64_t sent_us;
    int64_t seen_us;            /* 0: not yet. */
    rd_kafka_message_t *result; /* From then on. */
};

struct load {
    const char *registry;
    const char *prefix;
    size_t count;
    size_t spaces;
    size_t a_second; /* 0: all at once. */
    bool results_are_avro;
    struct sending *sendings;
    size_t *answered; /* How many results of each space were seen: they come in order. */
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
    struct load_reader reader;
    size_t results_count;
    int64_t last_us;
};

static void send_and_wait(char **words, bool results_are_avro);
static void set_up(struct load *load, char **words);
static void tear_down(struct load *load);
static void parse_counts(struct load *load, char *counts);
static void encode_all(struct load *load);
static void send_due(struct load *load, size_t *next, int64_t started_us);
static void send_one(struct load *load, struct sending *sending);
static void collect(struct load *load);
static bool is_ours(const struct load *load, const rd_kafka_message_t *message, size_t *ret_space);
static size_t count_successes(struct load *load);
static bool says_success(struct berth_codec *codec, const rd_kafka_message_t *message,
                         struct berth_buffer *json);
static void report(struct load *load, int64_t started_us);
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque);

void load_commands(int words_count, char **words) {
    (void)words_count;
    send_and_wait(words, true);
}

void load_records(int words_count, char **words) {
    (void)words_count;
    send_and_wait(words, false);
}

static void send_and_wait(char **words, bool results_are_avro) {
    struct load load = {
        .registry = words[2], .prefix = words[3], .results_are_avro = results_are_avro};
    load.a_second = load_number_or_none(words[5], "A_SECOND");
    set_up(&load, words);
    load.answered = load_memory(load.spaces, sizeof(*load.answered));
    load_reader_init(&load.reader, words[0], words[6]);

    int64_t started_us = load_now_us();
    load.last_us = started_us;
    size_t next = 0;
    while (load.results_count < load.count) {
        send_due(&load, &next, started_us);
        collect(&load);
        load_check_silence(load.last_us, load.results_count, load.count);
    }
    report(&load, started_us);
    load_reader_deinit(&load.reader);
    tear_down(&load);
}

void load_fill(int words_count, char **words) {
    (void)words_count;
    struct load load = {.registry = words[2], .prefix = words[3]};
    set_up(&load, words);
    size_t next = 0;
    send_due(&load, &next, load_now_us());
    if (rd_kafka_flush(load.producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("the commands couldn't be delivered");
    }
    printf("{\"commands\": %zu}\n", load.count);
    tear_down(&load);
}

/* The commands, encoded, and a producer that knows the topic. */
static void set_up(struct load *load, char **words) {
    parse_counts(load, words[4]);
    load->sendings = load_memory(load->count, sizeof(*load->sendings));
    encode_all(load);
    /* A fetch brings whole batches, however large, so they are as large as a Java producer's;
     * librdkafka's own are up to 1 MB. */
    static const char *const properties[] = {"enable.idempotence",
                                             "true",
                                             "partitioner",
                                             "murmur2_random",
                                             "linger.ms",
                                             "0",
                                             "batch.size",
                                             "16384",
                                             "queue.buffering.max.messages",
                                             "1000000",
                                             NULL};
    rd_kafka_conf_t *conf = load_conf(words[0], properties);
    rd_kafka_conf_set_dr_msg_cb(conf, rdkafka_delivered_cb);
    load->producer = load_handle(RD_KAFKA_PRODUCER, conf);
    load->topic = rd_kafka_topic_new(load->producer, words[1], NULL);
    /* A record to a topic that librdkafka doesn't know yet may wait for a second. */
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(load->producer, 0, load->topic, &metadata, FLUSH_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("topic %s can't be looked up", words[1]);
    }
    rd_kafka_metadata_destroy(metadata);
}

static void tear_down(struct load *load) {
    rd_kafka_topic_destroy(load->topic);
    rd_kafka_destroy(load->producer);
    for (size_t i = 0; i < load->count; i++) {
        berth_buffer_deinit(&load->sendings[i].value);
    }
    free(load->sendings);
    free(load->answered);
}

static void parse_counts(struct load *load, char *counts) {
    char *slash = strchr(counts, '/');
    if (slash == NULL) {
        load_fail("COUNT/SPACES, not \"%s\"", counts);
    }
    *slash = '\0';
    load->count = load_number(counts, "COUNT");
    load->spaces = load_number(slash + 1, "SPACES");
    if (load->spaces > load->count) {
        load_fail("more spaces than commands");
    }
}

static void encode_all(struct load *load) {
    struct berth_codec *codec = NULL;
    struct berth_error error = {0};
    if (berth_codec_new(&codec, &error) != BERTH_OK) {
        load_fail("%s", error.text);
    }
    for (size_t i = 0; i < load->count; i++) {
        struct sending *sending = &load->sendings[i];
        size_t round = i / load->spaces;
        struct berth_command command = {
            .type = round == 0 ? BERTH_CREATE_SPACE : BERTH_UPDATE_SPACE,
            .actor = "bench",
            .issued_at_ms = berth_clock_wall_ms(),
            .visibility = round % 2 == 0 ? BERTH_PRIVATE : BERTH_PUBLIC,
        };
        (void)snprintf(command.registry, sizeof(command.registry), "%s", load->registry);
        (void)snprintf(command.space, sizeof(command.space), "%s-%0*zu", load->prefix, NAME_DIGITS,
                       i % load->spaces);
        (void)snprintf(sending->key, sizeof(sending->key), "%s/%s", command.registry,
                       command.space);
        berth_buffer_init(&sending->value, VALUE_LIMIT);
        if (berth_uuid4(command.id) != BERTH_OK ||
            berth_codec_encode_command(codec, &command, &sending->value, &error) != BERTH_OK) {
            load_fail("a command can't be encoded: %s", error.text);
        }
    }
    (void)berth_codec_free(codec);
}

static void send_due(struct load *load, size_t *next, int64_t started_us) {
    int64_t now_us = load_now_us();
    while (*next < load->count) {
        int64_t due_us = started_us;
        if (load->a_second > 0) {
            due_us += (int64_t)((double)*next / (double)load->a_second * USEC);
        }
        if (due_us > now_us) {
            break;
        }
        send_one(load, &load->sendings[*next]);
        (*next)++;
    }
    (void)rd_kafka_poll(load->producer, 0);
}

static void send_one(struct load *load, struct sending *sending) {
    sending->sent_us = load_now_us();
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    static const char traceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    (void)rd_kafka_header_add(headers, "traceparent", -1, traceparent, -1);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        load->producer, RD_KAFKA_V_RKT(load->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(sending->key, strlen(sending->key)),
        RD_KAFKA_V_VALUE(sending->value.data, sending->value.len), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_END);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("sending: %s", rd_kafka_err2str(err));
    }
}

/* Everything that is there; waits for a moment when there is nothing. */
static void collect(struct load *load) {
    int timeout_ms = POLL_MS;
    for (int i = 0; i < QUEUE_POLLS && load->results_count < load->count; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(load->reader.handle, timeout_ms);
        if (message == NULL) {
            return;
        }
        timeout_ms = 0;
        int64_t now_us = load_now_us();
        size_t space = 0;
        if (!is_ours(load, message, &space)) {
            rd_kafka_message_destroy(message);
            continue;
        }
        size_t number = space + load->answered[space] * load->spaces;
        load->answered[space]++;
        if (number >= load->count) {
            load_fail("more results of %s than commands", load->sendings[space].key);
        }
        load->sendings[number].seen_us = now_us;
        load->last_us = now_us;
        load->sendings[number].result = message;
        load->results_count++;
    }
}

static bool is_ours(const struct load *load, const rd_kafka_message_t *message, size_t *ret_space) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("reading results: %s", rd_kafka_err2str(message->err));
    }
    char key[KEY_BYTES] = "";
    if (message->key_len >= sizeof(key)) {
        return false;
    }
    memcpy(key, message->key, message->key_len);
    size_t len = strlen(load->registry) + 1 + strlen(load->prefix) + 1;
    if (message->key_len <= len) {
        return false;
    }
    unsigned long space = strtoul(key + len, NULL, 10);
    if (space >= load->spaces || strcmp(load->sendings[space].key, key) != 0) {
        return false;
    }
    *ret_space = space;
    return true;
}

static size_t count_successes(struct load *load) {
    struct berth_codec *codec = NULL;
    struct berth_error error = {0};
    struct berth_buffer json;
    berth_buffer_init(&json, JSON_LIMIT);
    if (berth_codec_new(&codec, &error) != BERTH_OK) {
        load_fail("%s", error.text);
    }
    size_t succeeded = 0;
    for (size_t i = 0; i < load->count; i++) {
        rd_kafka_message_t *message = load->sendings[i].result;
        bool success = !load->results_are_avro || says_success(codec, message, &json);
        succeeded += success ? 1 : 0;
        rd_kafka_message_destroy(message);
    }
    berth_buffer_deinit(&json);
    (void)berth_codec_free(codec);
    return succeeded;
}

static bool says_success(struct berth_codec *codec, const rd_kafka_message_t *message,
                         struct berth_buffer *json) {
    static const char success[] = "\"outcome\":\"SUCCEEDED\"";
    const struct berth_bytes value = {.data = message->payload, .len = message->len};
    struct berth_error error = {0};
    berth_buffer_clear(json);
    if (berth_codec_to_json(codec, value, json, NULL, &error) != BERTH_OK) {
        load_fail("a result can't be read: %s", error.text);
    }
    return memmem(json->data, json->len, success, sizeof(success) - 1) != NULL;
}

static void report(struct load *load, int64_t started_us) {
    int64_t *latencies_us = load_memory(load->count, sizeof(*latencies_us));
    for (size_t i = 0; i < load->count; i++) {
        const struct sending *sending = &load->sendings[i];
        latencies_us[i] = sending->seen_us - sending->sent_us;
    }
    printf("{\"commands\": %zu, \"succeeded\": %zu, \"seconds\": %.6f, \"ended_us\": %" PRId64 ", ",
           load->count, count_successes(load), (double)(load->last_us - started_us) / USEC,
           load->last_us);
    load_print_latencies(latencies_us, load->count);
    printf("}\n");
    free(latencies_us);
}

static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque) {
    (void)handle;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("a command wasn't delivered: %s", rd_kafka_err2str(message->err));
    }
}
