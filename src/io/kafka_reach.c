/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_reach.h"

#include <stdio.h>
#include <string.h>

#include "berth/base/log.h"
#include "berth/io/clock.h"

#define DESTROY_TIMEOUT_MS 2000
/* One question: short at first, so that a refusal is seen soon. */
#define ASK_FIRST_MS 100
#define ASK_MAX_MS   2000
/* A connection that is refused is tried again in between: a broker may be about to start. */
#define DOWN_PATIENCE_MS 1500
#define ADDRESS_BYTES    256

static void drain(rd_kafka_t *handle, struct berth_kafka_trouble *trouble);
static bool hopeless(const struct berth_kafka_trouble *trouble, int64_t now_ms);
static bool refuses_us(rd_kafka_resp_err_t err);
static int weight(rd_kafka_resp_err_t err);
static void say_why(rd_kafka_t *handle, const struct berth_kafka_trouble *trouble,
                    int64_t waited_ms, struct berth_error *reterr);

void berth_kafka_trouble_note(struct berth_kafka_trouble *trouble, rd_kafka_resp_err_t err,
                              const char *text, int64_t now_ms) {
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        trouble->all_down_ms = trouble->all_down_ms == 0 ? now_ms : trouble->all_down_ms;
    }
    if (trouble->text[0] == '\0' || weight(err) >= weight(trouble->err)) {
        trouble->err = err;
        berth_kafka_reason_text(text, trouble->text, sizeof(trouble->text));
    }
}

/* How much an error says. */
static int weight(rd_kafka_resp_err_t err) {
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        return 0;
    }
    return refuses_us(err) ? 2 : 1;
}

static bool refuses_us(rd_kafka_resp_err_t err) {
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
        return true;
    default:
        return false;
    }
}

void berth_kafka_reason_text(const char *library_text, char *ret_text, size_t size) {
    static const char *const tails[] = {" (after ", " (+", " (x"};
    (void)snprintf(ret_text, size, "%s", library_text);
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        char *tail = strstr(ret_text, tails[i]);
        if (tail != NULL && tail != ret_text) {
            *tail = '\0';
        }
    }
    /* OpenSSL's errors end with a line's end, and lines are for one finding each. */
    for (char *c = ret_text; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
    }
    size_t len = strlen(ret_text);
    while (len > 0 && (ret_text[len - 1] == ' ' || ret_text[len - 1] == ':')) {
        ret_text[--len] = '\0';
    }
}

enum berth_rc berth_kafka_reached_new(enum berth_kafka_kind kind, rd_kafka_conf_t *take_conf,
                                      int timeout_ms, rd_kafka_t **ret_handle,
                                      struct berth_error *reterr) {
    rd_kafka_conf_set_events(take_conf, RD_KAFKA_EVENT_ERROR);
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = berth_kafka_handle_new(kind, take_conf, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_kafka_trouble trouble = {.text = ""};
    rc = berth_kafka_reach(handle, &trouble, timeout_ms, reterr);
    if (rc != BERTH_OK) {
        (void)berth_kafka_handle_destroy(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                         DESTROY_TIMEOUT_MS);
        return rc;
    }
    *ret_handle = handle;
    return BERTH_OK;
}

enum berth_rc berth_kafka_reach(rd_kafka_t *handle, struct berth_kafka_trouble *trouble,
                                int timeout_ms, struct berth_error *reterr) {
    int64_t began_ms = berth_clock_monotonic_ms();
    int64_t now_ms = began_ms;
    int ask_ms = ASK_FIRST_MS;
    do {
        int64_t left_ms = began_ms + timeout_ms - now_ms;
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_resp_err_t err =
            rd_kafka_metadata(handle, 0, NULL, &metadata, left_ms < ask_ms ? (int)left_ms : ask_ms);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
            return BERTH_OK;
        }
        drain(handle, trouble);
        now_ms = berth_clock_monotonic_ms();
        ask_ms = ask_ms < ASK_MAX_MS && trouble->text[0] == '\0' ? 2 * ask_ms : ask_ms;
    } while (now_ms < began_ms + timeout_ms && !hopeless(trouble, now_ms));
    say_why(handle, trouble, now_ms - began_ms, reterr);
    return BERTH_FAULT_UNREACHABLE;
}

static void drain(rd_kafka_t *handle, struct berth_kafka_trouble *trouble) {
    if (rd_kafka_type(handle) == RD_KAFKA_PRODUCER) {
        (void)rd_kafka_poll(handle, 0);
        return;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(handle);
    rd_kafka_event_t *event = NULL;
    while ((event = rd_kafka_queue_poll(queue, 0)) != NULL) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
            berth_kafka_trouble_note(trouble, rd_kafka_event_error(event),
                                     rd_kafka_event_error_string(event),
                                     berth_clock_monotonic_ms());
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
}

/* No broker is left, and asking on wouldn't help: a wrong login stays wrong. */
static bool hopeless(const struct berth_kafka_trouble *trouble, int64_t now_ms) {
    return trouble->all_down_ms != 0 &&
           (refuses_us(trouble->err) || now_ms - trouble->all_down_ms >= DOWN_PATIENCE_MS);
}

static void say_why(rd_kafka_t *handle, const struct berth_kafka_trouble *trouble,
                    int64_t waited_ms, struct berth_error *reterr) {
    char brokers[ADDRESS_BYTES] = "";
    size_t size = sizeof(brokers);
    (void)rd_kafka_conf_get(rd_kafka_conf(handle), "bootstrap.servers", brokers, &size);
    if (trouble->text[0] != '\0') {
        berth_error_set(reterr, "Kafka at %s: %s", brokers, trouble->text);
    } else {
        berth_error_set(reterr, "Kafka at %s: no answer within %lld ms", brokers,
                        (long long)waited_ms);
    }
}

void berth_kafka_log_trouble(rd_kafka_t *handle, struct berth_kafka_trouble *trouble) {
    struct berth_kafka_trouble now = {.text = ""};
    drain(handle, &now);
    if (now.text[0] != '\0' && now.err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
        strcmp(now.text, trouble->text) != 0) {
        *trouble = now;
        berth_log(BERTH_LOG_ERROR, "kafka.trouble", "reason=\"%s\"", now.text);
    }
}
