/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command topics that are made anew, in some worlds: what was in the old log and isn't answered has
 * gone, and positions of it are left behind in Kafka and in Redis. Each record of the new log is
 * answered once all the same. An operator says where stopped partitions go on, at their start.
 *
 * Whoever reads a topic gets nothing of the new log before it has noticed; what it has in hand of
 * the old one goes on, and may still commit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"
#include "sim.h"

/* One world in so many, told by its seed, behind the fixed set, whose worlds stay what they were:
 * together they meet every cell of the table of faults. */
#define FIXED_SET 3000
#define ONE_IN    10
#define THE_OTHER 6

#define WATCH_MS     5000
#define OPERATOR_MS  20000
#define KEPT_PERCENT 30 /* Kafka deletes a topic's offsets with it, unless one is on its way. */

/* What an event's number is about: a topic that is made anew, a worker that notices, or a partition
 * that is decided upon. */
enum { ANEW = 0, NOTICES = 100, DECIDES = 200 };

extern const char berth_script_decide[];

static void topic_event(struct sim *sim, int number, int64_t delay_ms) {
    struct sim_event *event = sim_event(sim, SIM_EVENT_TOPIC, -1);
    event->number = number;
    sim_post(sim, event, delay_ms);
}

void sim_topics_init(struct sim *sim) {
    bool drawn = sim->seed > FIXED_SET && sim->seed % ONE_IN == THE_OTHER;
    if (sim->crash != NULL || sim->slow_world || !drawn) {
        return;
    }
    int times = 1 + (int)sim_below(sim, 3);
    for (int i = 0; i < times; i++) {
        topic_event(sim, ANEW + (int)sim_below(sim, SIM_REGISTRIES),
                    2000 + sim_below(sim, sim->sending_ms));
    }
}

void sim_log_id(const struct sim_partition *partition, char ret_id[BERTH_LOG_ID_BYTES]) {
    (void)snprintf(ret_id, BERTH_LOG_ID_BYTES, "topic-%d-%d", partition->registry, partition->log);
}

uint32_t sim_record_checksum(const struct sim *sim, const struct sim_record *record) {
    return (uint32_t)(record - sim->records) * UINT32_C(2654435761);
}

/* ---- Made anew ---- */

/* What is lost with the old log may have been begun, and may still go on. */
static void drop_log(struct sim *sim, struct sim_partition *partition) {
    for (int64_t i = 0; i < partition->end; i++) {
        struct sim_record *record = partition->entries[i];
        if (record != NULL && record->answers == 0) {
            record->dropped = true;
            sim->unanswered--;
            sim_reference_all_dirty(sim, record->space);
        }
        partition->entries[i] = NULL;
    }
    partition->log++;
    partition->end = 0;
    partition->checked = 0;
    if (!sim_chance(sim, KEPT_PERCENT)) {
        partition->committed = -1;
        partition->metadata[0] = '\0';
    }
}

static void make_anew(struct sim *sim, int registry) {
    sim_trace(sim, "topic %d is made anew", registry);
    for (int i = 0; i < sim->partitions_count; i++) {
        if (sim->partitions[i].registry == registry) {
            drop_log(sim, &sim->partitions[i]);
        }
    }
    for (int i = 0; i < sim->workers_count; i++) {
        topic_event(sim, NOTICES + i, 20 + sim_below(sim, WATCH_MS));
    }
}

/* Its member is replaced, and everything is judged anew. */
static void notice(struct sim *sim, struct sim_worker *worker) {
    bool reads_old = false;
    for (uint32_t i = 0; worker->engine != NULL && i < SIM_NUMBERS; i++) {
        const struct sim_assignment *assignment = &worker->assignments[i];
        reads_old |= assignment->in_use && assignment->told &&
                     assignment->log != sim->partitions[assignment->partition].log;
    }
    if (reads_old && sim_worker_frozen(sim, worker)) {
        topic_event(sim, NOTICES + worker->number, worker->frozen_until_ms - sim->now_ms + 1);
    } else if (reads_old) {
        struct sim_event *learns = sim_event(sim, SIM_EVENT_JOINS, worker->number);
        sim_trace(sim, "w%d notices a topic that was made anew", worker->number);
        sim_group_expel(sim, worker);
        sim_post(sim, learns, 20 + sim_below(sim, 1000));
    }
}

/* ---- Decided ---- */

static void base_key(char key[160], const char *kind, const struct sim *sim,
                     const struct sim_partition *partition) {
    (void)snprintf(key, 160, "%s%s:%s/%d", SIM_REDIS_PREFIX, kind,
                   sim->registries[partition->registry].command_topic, partition->number);
}

static void decide(struct sim *sim, struct sim_partition *partition) {
    char key[160];
    char id[BERTH_LOG_ID_BYTES];
    struct berth_redis_args args;
    partition->deciding = false;
    base_key(key, "from", sim, partition);
    sim_log_id(partition, id);
    berth_redis_args_init(&args);
    enum berth_rc rc = berth_redis_args_begin(&args, 8, 512);
    SIM_CHECK(sim, rc == BERTH_OK, "there is memory");
    berth_redis_client_script_words(&args, 2);
    berth_redis_args_text(&args, SIM_REDIS_PREFIX "epoch");
    berth_redis_args_text(&args, key);
    berth_redis_args_append(&args, "0 ");
    berth_redis_args_append(&args, id);
    berth_redis_args_close(&args);
    sim_redis_reply_free(sim_redis_run(sim->redis, berth_script_decide, &args));
    berth_redis_args_deinit(&args);
    sim_trace(sim, "an operator has p%d go on at its start", (int)(partition - sim->partitions));
}

void sim_topic_event(struct sim *sim, struct sim_event *event) {
    if (event->number >= DECIDES) {
        decide(sim, &sim->partitions[event->number - DECIDES]);
    } else if (event->number >= NOTICES) {
        notice(sim, &sim->workers[event->number - NOTICES]);
    } else {
        make_anew(sim, event->number - ANEW);
    }
}

/* ---- Where a partition goes on ---- */

static void read_string(struct sim *sim, const struct sim_partition *partition, const char *kind,
                        char *ret_text, size_t bytes) {
    char key[160];
    base_key(key, kind, sim, partition);
    struct berth_bytes value = sim_redis_string_get(sim->redis, key);
    size_t len = value.len < bytes ? value.len : bytes - 1;
    if (len > 0) {
        memcpy(ret_text, value.data, len);
    }
    ret_text[len] = '\0';
}

/* As BASES says it. */
static void read_kept(struct sim *sim, const struct sim_partition *partition,
                      struct berth_kept_base *ret_kept) {
    char text[128];
    char *end = NULL;
    read_string(sim, partition, "offset", text, sizeof(text));
    ret_kept->offset = text[0] == '\0' ? -1 : strtoll(text, NULL, 10);
    read_string(sim, partition, "log", text, sizeof(text));
    ret_kept->marked = berth_log_mark_read(text, &ret_kept->mark, NULL);
    read_string(sim, partition, "from", text, sizeof(text));
    ret_kept->from = text[0] == '\0' ? -1 : strtoll(text, &end, 10);
    (void)snprintf(ret_kept->from_id, sizeof(ret_kept->from_id), "%s", end == NULL ? "" : end + 1);
}

struct berth_log_position sim_topic_position(struct sim *sim, struct sim_partition *partition,
                                             const char **ret_map) {
    struct berth_kept_base kept;
    read_kept(sim, partition, &kept);
    struct berth_log_facts facts = {
        .end = partition->end, .committed = partition->committed, .kept = &kept};
    sim_log_id(partition, facts.id);
    facts.marked = berth_log_mark_read(partition->metadata, &facts.mark, ret_map);
    const struct berth_log_mark *mark = berth_log_mark_in_question(&facts);
    const struct sim_record *record = mark == NULL ? NULL : partition->entries[mark->offset];
    facts.look = record != NULL ? BERTH_LOG_RECORD : BERTH_LOG_NO_RECORD;
    if (record != NULL) {
        facts.timestamp_ms = record->sent_ms;
        facts.checksum = sim_record_checksum(sim, record);
    }
    struct berth_log_position position = berth_log_position_of(&facts);
    if (position.origin == BERTH_LOG_STOPPED && !partition->deciding) {
        partition->deciding = true;
        topic_event(sim, DECIDES + (int)(partition - sim->partitions),
                    1000 + sim_below(sim, OPERATOR_MS));
    }
    SIM_CHECK(sim, position.lost == 0, "nothing is passed over that nobody decided");
    return position;
}
