/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_reach.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "berth/io/clock.h"
#include "kafka_client.h"

/* A broker that is just being started has so long to listen. */
#define PATIENCE_MS        2000
#define TURN_MS            100
#define DESTROY_TIMEOUT_MS 1000

/* What librdkafka's error callback has said. */
struct reach {
    bool all_down; /* No broker has a connection, and each was tried. */
    bool refused;  /* By a broker that is there: login or TLS. */
    char reason[BERTH_ERROR_BYTES_MAX / 2];
};

static void rdkafka_error_cb(rd_kafka_t *handle, int err, const char *text, void *opaque);
static bool answers(rd_kafka_t *handle, const struct reach *reach, int timeout_ms);
static const char *addresses(const struct berth_kafka_properties *properties);

enum berth_rc berth_kafka_reach(const struct berth_kafka_properties *properties, int timeout_ms,
                                struct berth_error *reterr) {
    struct reach reach = {.reason = "no answer in time"};
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = berth_kafka_conf_new(BERTH_KAFKA_ADMIN, properties, &conf, reterr);
    if (rc == BERTH_OK) {
        rd_kafka_conf_set_opaque(conf, &reach);
        rd_kafka_conf_set_error_cb(conf, rdkafka_error_cb);
        rc = berth_kafka_handle_new(BERTH_KAFKA_ADMIN, conf, &handle, reterr);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    if (!answers(handle, &reach, timeout_ms)) {
        berth_error_set(reterr, "Kafka at %s %s: %s", addresses(properties),
                        reach.refused ? "refuses the connection" : "doesn't answer", reach.reason);
        rc = reach.refused ? BERTH_FAULT_LIBRARY : BERTH_NOT_FOUND;
    }
    /* Callbacks come from rd_kafka_poll() only, so none comes any more. */
    (void)berth_kafka_handle_destroy(handle, 0, DESTROY_TIMEOUT_MS);
    return rc;
}

static bool answers(rd_kafka_t *handle, const struct reach *reach, int timeout_ms) {
    int64_t began_ms = berth_clock_monotonic_ms();
    int64_t elapsed_ms = 0;
    while (elapsed_ms < timeout_ms && !(reach->all_down && elapsed_ms >= PATIENCE_MS)) {
        const struct rd_kafka_metadata *metadata = NULL;
        if (rd_kafka_metadata(handle, 0, NULL, &metadata, TURN_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
            return true;
        }
        (void)rd_kafka_poll(handle, 0);
        elapsed_ms = berth_clock_monotonic_ms() - began_ms;
    }
    return false;
}

/* The reason of each connection's end, then that none is left. */
static void rdkafka_error_cb(rd_kafka_t *handle, int err, const char *text, void *opaque) {
    (void)handle;
    struct reach *reach = opaque;
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        reach->all_down = true;
        return;
    }
    reach->refused = err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR__SSL;
    (void)snprintf(reach->reason, sizeof(reach->reason), "%s", text);
}

static const char *addresses(const struct berth_kafka_properties *properties) {
    for (size_t i = 0; i < properties->count; i++) {
        const char *name = properties->items[i].name;
        if (strcmp(name, "bootstrap.servers") == 0 || strcmp(name, "metadata.broker.list") == 0) {
            return properties->items[i].value;
        }
    }
    return "(bootstrap.servers isn't set)";
}
