/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_properties.h"

#include <stdio.h>
#include <string.h>

#include "kafka_client.h"

#define ALL                                                                                        \
    (BERTH_KAFKA_CONSUMER | BERTH_KAFKA_PUBLISHER | BERTH_KAFKA_READER | BERTH_KAFKA_PRODUCER |    \
     BERTH_KAFKA_ADMIN)
#define READS  (BERTH_KAFKA_CONSUMER | BERTH_KAFKA_READER | BERTH_KAFKA_ADMIN)
#define WRITES (BERTH_KAFKA_PUBLISHER | BERTH_KAFKA_PRODUCER)

#define VALUE_BYTES_MAX 512

struct setting {
    unsigned kinds;
    const char *name;
    const char *value; /* NULL: set from what `why` names. */
    const char *why;
};

/* What [kafka] may change. */
static const struct setting defaults[] = {
    {ALL, "client.id", "berth", ""},
    {ALL, "reconnect.backoff.max.ms", "1000", "back at work a second after the broker"},
    /* A topic that was missing is found by this refresh. */
    {ALL, "topic.metadata.refresh.interval.ms", "5000", ""},
    {BERTH_KAFKA_CONSUMER, "session.timeout.ms", "10000", ""},
    {BERTH_KAFKA_CONSUMER, "heartbeat.interval.ms", "1000", ""},
    /* What is fetched ahead of need is memory, for each partition. With these, 100,000 records of
     * 300 bytes waiting in 8 partitions take 15 MB more than none, and 60,000 a second are read. */
    {BERTH_KAFKA_CONSUMER, "queued.min.messages", "500", ""},
    {BERTH_KAFKA_CONSUMER, "queued.max.messages.kbytes", "256", ""},
    {BERTH_KAFKA_CONSUMER, "fetch.message.max.bytes", "65536", ""},
    {BERTH_KAFKA_CONSUMER, "fetch.max.bytes", "1048576", ""},
    /* A read_committed fetch at the end of the log often isn't answered when the transaction before
     * it is committed, but only after this (Kafka 4.3.1: 15 of 60 results came 500 ms late with
     * librdkafka's own 500 ms). */
    {BERTH_KAFKA_READER, "fetch.wait.max.ms", "25", ""},
    /* For each partition: a long topic is read in pieces, and without the second line librdkafka
     * waits for a second after each. 100,000 states in 6 partitions were rebuilt in the same time
     * with these and with 4096 and that second, in 12 MiB less. */
    {BERTH_KAFKA_READER, "queued.max.messages.kbytes", "1024", ""},
    {BERTH_KAFKA_READER, "fetch.queue.backoff.ms", "10", ""},
    /* The first request of a transaction may come before the previous one's markers are written,
     * and is tried again after this, and after twice as long each further time, up to a second.
     * Together with it no pause is needed after a commit (docs/performance.md). */
    {WRITES, "retry.backoff.ms", "1", ""},
    {WRITES, "linger.ms", "1", ""},
    /* An open transaction of a dead worker holds readers back for no longer than this. */
    {BERTH_KAFKA_PUBLISHER, "transaction.timeout.ms", "15000", ""},
    {BERTH_KAFKA_PUBLISHER, "message.timeout.ms", "8000", ""},
};

/* What berth can't do without. */
static const struct setting fixed[] = {
    {READS, "enable.auto.commit", "false", "offsets are committed with the results"},
    {READS, "enable.auto.offset.store", "false", "offsets are committed with the results"},
    {READS, "auto.offset.reset", "error", "a lost position must not replay or skip commands"},
    {READS, "isolation.level", "read_committed", "aborted records must not be seen"},
    {READS, "check.crcs", "true", "damaged records must not be seen"},
    {BERTH_KAFKA_CONSUMER, "partition.assignment.strategy", "cooperative-sticky",
     "partitions that stay must not stop"},
    {ALL, "allow.auto.create.topics", "false", "berth creates no topic by accident"},
    {ALL, "socket.nagle.disable", "true", "small requests must not wait"},
    {WRITES, "enable.idempotence", "true", "nothing may be published twice or out of order"},
    {WRITES, "partitioner", "murmur2_random",
     "every producer must agree on the partition of a key"},
    {BERTH_KAFKA_READER, "enable.partition.eof", "true", "berth needs to know where a log ends"},
    {0, "group.id", NULL, "`group` in [berth]"},
    {0, "group.instance.id", NULL, "`instance` in [berth]"},
    {0, "transactional.id", NULL, "`group` and `instance` in [berth]"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum berth_rc apply(rd_kafka_conf_t *conf, unsigned kind, const struct setting *settings,
                           size_t count, struct berth_error *reterr);
static enum berth_rc apply_theirs(rd_kafka_conf_t *conf,
                                  const struct berth_kafka_properties *properties, int *ret_line,
                                  struct berth_error *reterr);
static enum berth_rc check_against_fixed(const struct berth_config_property *property,
                                         rd_kafka_conf_t *conf, struct berth_error *reterr);

enum berth_rc berth_kafka_properties_check(const struct berth_kafka_properties *properties,
                                           int *ret_line, struct berth_error *reterr) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum berth_rc rc = apply_theirs(conf, properties, ret_line, reterr);
    rd_kafka_conf_destroy(conf);
    return rc;
}

enum berth_rc berth_kafka_conf_new(enum berth_kafka_kind kind,
                                   const struct berth_kafka_properties *properties,
                                   rd_kafka_conf_t **ret_conf, struct berth_error *reterr) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum berth_rc rc = apply(conf, kind, defaults, COUNT(defaults), reterr);
    if (rc == BERTH_OK) {
        rc = apply_theirs(conf, properties, NULL, reterr);
    }
    if (rc == BERTH_OK) {
        rc = apply(conf, kind, fixed, COUNT(fixed), reterr);
    }
    if (rc != BERTH_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *ret_conf = conf;
    return BERTH_OK;
}

enum berth_rc berth_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                   struct berth_error *reterr) {
    char text[BERTH_ERROR_BYTES_MAX];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        berth_error_set(reterr, "Kafka property %s: %s", name, text);
        return BERTH_INVALID;
    }
    return BERTH_OK;
}

static enum berth_rc apply(rd_kafka_conf_t *conf, unsigned kind, const struct setting *settings,
                           size_t count, struct berth_error *reterr) {
    for (size_t i = 0; i < count; i++) {
        if ((settings[i].kinds & kind) != 0) {
            enum berth_rc rc =
                berth_kafka_conf_set(conf, settings[i].name, settings[i].value, reterr);
            if (rc != BERTH_OK) {
                return rc;
            }
        }
    }
    return BERTH_OK;
}

static enum berth_rc apply_theirs(rd_kafka_conf_t *conf,
                                  const struct berth_kafka_properties *properties, int *ret_line,
                                  struct berth_error *reterr) {
    for (size_t i = 0; i < properties->count; i++) {
        const struct berth_config_property *property = &properties->items[i];
        enum berth_rc rc = berth_kafka_conf_set(conf, property->name, property->value, reterr);
        if (rc == BERTH_OK) {
            rc = check_against_fixed(property, conf, reterr);
        }
        if (rc != BERTH_OK) {
            if (ret_line != NULL) {
                *ret_line = property->line;
            }
            return rc;
        }
    }
    return BERTH_OK;
}

/* conf holds the property already: compared is what librdkafka understood, so that "0" and "false"
 * are the same. */
static enum berth_rc check_against_fixed(const struct berth_config_property *property,
                                         rd_kafka_conf_t *conf, struct berth_error *reterr) {
    const struct setting *ours = NULL;
    for (size_t i = 0; i < COUNT(fixed) && ours == NULL; i++) {
        ours = strcmp(fixed[i].name, property->name) == 0 ? &fixed[i] : NULL;
    }
    if (ours == NULL) {
        return BERTH_OK;
    }
    if (ours->value == NULL) {
        berth_error_set(reterr, "[kafka] %s is made from %s: remove it here", ours->name,
                        ours->why);
        return BERTH_INVALID;
    }
    char theirs[VALUE_BYTES_MAX] = "";
    char needed[VALUE_BYTES_MAX] = "";
    size_t theirs_size = sizeof(theirs);
    size_t needed_size = sizeof(needed);
    rd_kafka_conf_t *other = rd_kafka_conf_new();
    enum berth_rc rc = berth_kafka_conf_set(other, ours->name, ours->value, reterr);
    if (rc == BERTH_OK &&
        (rd_kafka_conf_get(conf, ours->name, theirs, &theirs_size) != RD_KAFKA_CONF_OK ||
         rd_kafka_conf_get(other, ours->name, needed, &needed_size) != RD_KAFKA_CONF_OK ||
         strcmp(theirs, needed) != 0)) {
        berth_error_set(reterr, "[kafka] %s = %s: berth needs %s (%s), so remove it here",
                        ours->name, property->value, ours->value, ours->why);
        rc = BERTH_INVALID;
    }
    rd_kafka_conf_destroy(other);
    return rc;
}
