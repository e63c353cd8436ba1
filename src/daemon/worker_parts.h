/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's insides, shared by its files.
 */
#ifndef BERTH_DAEMON_WORKER_PARTS_H
#define BERTH_DAEMON_WORKER_PARTS_H

#include <event2/util.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/pool.h"
#include "berth/codec/codec.h"
#include "berth/core/codes.h"
#include "berth/core/engine.h"
#include "berth/core/turns.h"
#include "berth/io/admin_http.h"
#include "berth/io/config.h"
#include "berth/io/harbor_client.h"
#include "berth/io/kafka_consumer.h"
#include "berth/io/kafka_topics.h"
#include "berth/io/ledger.h"
#include "berth/io/publisher.h"
#include "lookups.h"
#include "outbox.h"
#include "outputs.h"
#include "publisher_watch.h"
#include "slots.h"
#include "trouble.h"

struct event;
struct rebuild; /* Of rebuild.c. */
struct event_base;

/* A ledger call that could not be submitted: it is answered as unavailable after the turn. */
struct refused_call {
    uint64_t call_id;
    enum berth_ledger_call_kind kind;
};

/* Partitions of ours whose base is to be read from Redis. */
struct wanted_bases {
    struct berth_base *wanted; /* Owned; the topics are the configuration's. */
    size_t count;
    size_t capacity;
    size_t asked;       /* The first so many of them are in the call under way; 0: none is. */
    struct event *read; /* Reads them: in the next turn, or after a pause. */
};

/* A user name that was replaced by a reload: works that began with it may still compare with it. */
struct old_name {
    char *text;
    struct old_name *next;
};

struct worker {
    struct berth_config *config; /* Borrowed; a reload changes it in place. */
    int lock_fd;
    char incarnation[BERTH_UUID_BYTES];
    char key_id[BERTH_KEY_ID_BYTES];

    struct event_base *base;
    struct event *term_event;
    struct event *int_event;
    struct event *wake_event;  /* The engine's next deadline. */
    struct event *drain_event; /* The end of the drain's time. */
    struct event *reload_event;
    struct old_name *old_names;
    struct event *watch_event; /* Looks after the publisher's thread. */

    struct berth_codec *codec;
    struct berth_pool pool;
    struct berth_engine_registry *engine_registries;
    struct berth_engine_config engine_config;
    struct berth_engine *engine;
    struct berth_slots slots;

    struct berth_harbor_client *harbor;
    struct berth_ledger *ledger;
    struct berth_publisher *publisher;
    struct berth_consumer *consumer;
    struct berth_admin_http *admin;
    struct lookups lookups;

    bool partitions[BERTH_ENGINE_PARTITIONS_MAX]; /* Gained and not given up or lost. */
    uint32_t partitions_end;                      /* One past the highest that ever was. */
    struct berth_turns turns;                     /* Which of them is read next. */
    bool records_waiting;        /* Some partition may have records: take them next turn. */
    bool records_held_back;      /* ... but the engine has no room: look after each turn. */
    struct berth_record *taking; /* The record that is being stepped, until it is taken in. */

    struct refused_call *refused; /* commands_max + 2 */
    size_t refused_count;

    struct wanted_bases bases;
    /* Gone before they were read, or passed over by an operator. */
    uint64_t records_lost_total;
    uint64_t dead_letters_total[BERTH_CODES_MAX]; /* By their reason, in the order of the table. */

    struct outbox outbox;
    bool
        batch_refused; /* The batch wasn't handed over: to the engine it is one that was aborted. */
    uint64_t batch_number;
    size_t map_len_max;     /* What Kafka takes as metadata of an offset, as far as we know, ... */
    size_t map_len_longest; /* ... and the longest of the batch under way. */
    char map_omitted[64 + BERTH_UUID_BYTES]; /* Instead of a map that is longer. */

    struct rebuild *rebuild;
    bool topics_fine; /* They were, once. */
    bool redis_available;
    char redis_why[512]; /* With its address. */
    /* The topics: the outputs by enum berth_record_kind, then the command topics. */
    const char *topics[BERTH_RECORD_KINDS + BERTH_CONFIG_REGISTRIES_MAX];
    size_t topics_count;
    struct berth_kafka_properties kafka_properties;
    struct berth_topics_check *topics_check;
    struct event *topics_event;   /* The next look at them. */
    bool topics_look_again;       /* One is under way, and began before what it is to look for. */
    char topics_why[512];         /* What is wrong with them; empty: they are fine. */
    struct trouble kafka_trouble; /* What the clients met. */
    struct outputs outputs;
    struct publisher_watch watch;
    bool publisher_slow_told;

    bool stopping; /* Told to stop: draining, then closing. */
    bool at_once;  /* Told twice. */
    bool closing;
    bool done;
    bool failed;
    struct berth_error error; /* Why it failed. */
};

/* ---- worker.c ---- */

/* Steps an event at the present time and performs every effect that comes of it. */
void worker_step(struct worker *worker, struct berth_event *event);
/* The worker can't go on: it stops, berthd exits with status 1 and this reason. */
void worker_fail(struct worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Everything is settled or given up: leaves the group and ends. */
void worker_close(struct worker *worker);

/* How many commands of a registry are worked on side by side. */
uint32_t worker_lanes_max(const struct berth_config_registry *registry);

/* The longest time-out of a request to any registry. */
int64_t worker_longest_request_ms(const struct berth_config *config);

/* ---- reload.c ---- */

/* SIGHUP: takes over what of the configuration can change in a running worker. */
void worker_reload_cb(evutil_socket_t signal_number, short what, void *ctx);
void worker_free_old_names(struct worker *worker);

/* ---- effects.c ---- */

void worker_perform_effects(struct worker *worker);

/* ---- bases.c ---- */

/* BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc worker_bases_init(struct worker *worker);
void worker_bases_deinit(struct worker *worker);
/* The consumer asks where a partition's last committed transaction ended. */
void worker_base_wanted(void *ctx, const char *topic, int32_t partition, bool again);
/* Reads those that are wanted, unless they are being read. */
void worker_read_bases(struct worker *worker);
void worker_bases_read(struct worker *worker, const struct berth_ledger_answer *answer);

/* ---- publishing.c ---- */

/* The same name as long as the configuration lives. */
const char *worker_lasting_topic(const struct worker *worker, const char *topic);

/* Hands one transaction to the publisher. */
void worker_publish(struct worker *worker, const struct berth_effect *effect);
/* After the turn: an event can't be stepped while effects are performed. */
void worker_answer_refused_batch(struct worker *worker);
/* The publisher's answer. */
void worker_published(void *ctx, const struct berth_batch_result *result);
/* Makes the bytes that are stored and published for an outcome, into its slot. */
void worker_make_publication(struct worker *worker, uint32_t slot,
                             const struct berth_command *command, const struct berth_source *source,
                             uint32_t registry, int64_t version,
                             const struct berth_outcome *outcome);

/* ---- dead_letters.c ---- */

/* Tells and counts those of the transaction that was committed; the outbox still has it. */
void worker_dead_letters_published(struct worker *worker);
/* ---- topics.c ---- */

/* Looks at the topics: now, or after the pause that outputs which refuse are given. */
void worker_look_at_topics(struct worker *worker, bool now);

/* ---- rebuild.c ---- */

/* What the ledger says of a rebuild, and that it is available. */
void worker_rebuild_event(void *ctx, enum berth_rebuild_event event);
void worker_rebuild_available(struct worker *worker);
/* How far it is; false: none is under way. */
bool worker_rebuild_says(const struct worker *worker, char *ret_text, size_t bytes);

/* ---- wire_adapters.c ---- */

/* What the Harbor client is to know of a registry. Borrows from the configuration. */
struct berth_harbor_registry_config worker_harbor_registry(const struct worker *worker,
                                                           size_t index);

/* Makes the consumer as soon as nothing stands in its way: the topics are fine, and the data set in
 * Redis is there. Later a Redis that goes away holds up claims only. */
void worker_consume_when_ready(struct worker *worker);

/* ---- topics.c ---- */

/* A command topic was there and isn't any more: not ready until a check finds all of them. */
void worker_topic_missing(void *ctx, const char *topic);

/* ---- metrics.c ---- */

/* What /metrics says. */
void worker_metrics(void *ctx, struct berth_buffer *text);

/* ---- readiness.c ---- */

/* What keeps the worker from living or from being ready, a line each; nothing when it is well. */
void worker_live(void *ctx, struct berth_buffer *reasons);
void worker_ready(void *ctx, struct berth_buffer *reasons);

#endif
