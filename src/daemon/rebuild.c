/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rebuilding the data set in Redis when it is empty or older than it was (design 4.9), also at a
 * first start. The ledger says when this worker has the lock for it (io/ledger_rebuild.h).
 *
 *   IDLE ──BEGUN──> MEASURING ──> CHILLING ──> WAITING ──> READING <──> PUTTING ──> OPENING ──>
 * IDLE ^                 |             |           |           |            |           |
 *     +-----------------+-------------+-----------+-----------+------------+-----------+
 *                        lost, Redis away, or Kafka can't be read: begun anew
 *
 *  - MEASURING: where the command topics end, first of all. Every record that was claimed in the
 *    lost data set is below that; what comes later is claimed in the new one only.
 *  - CHILLING: what is in an older copy, or left by a rebuild that was cut off, becomes cold.
 *  - WAITING: a lease, from when the data set was found gone. The locks of the lanes are lost with
 *    it, so whoever held one may still be writing to Harbor until his lease ends. It is also the
 *    time in which what was stored in the lost data set is published. Left out when the group has
 * no committed offset: a start is committed before the first record is taken in, so nothing was.
 *  - READING, PUTTING: the topic of space states, batch by batch.
 *  - OPENING: the data set is whole.
 *
 * Nothing is kept from one attempt to the next: each step bears to be done again over what is
 * there.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/codec/events.h"
#include "berth/codec/state_record.h"
#include "berth/io/clock.h"
#include "berth/io/kafka_rebuild.h"
#include "berth/io/kafka_record.h"
#include "wiring.h"
#include "worker_parts.h"

/* A topic that yields nothing for so long, and isn't at its end, can't be read. */
#define SILENCE_MS 30000
/* A line in the log for so many states. */
#define PROGRESS_STATES 20000
#define STOP_MS         3000

enum phase {
    IDLE,
    MEASURING,
    CHILLING,
    WAITING,
    READING,
    PUTTING,
    OPENING,
};
#define PHASES 7

struct rebuild {
    enum phase phase;
    struct berth_kafka_rebuild *kafka;
    struct event *wait_event;
    int64_t begun_ms;
    int64_t heard_ms; /* When a state was last read, or reading began. */

    struct berth_source *beginnings;
    size_t beginnings_count;
    bool wait;

    struct berth_record *const *records; /* The batch; the reader's. */
    size_t records_count;
    size_t records_next;
    bool at_end;
    size_t puts_outstanding;

    uint64_t read;
    uint64_t skipped; /* Of these: couldn't be understood, or of another Harbor. */
    char failed_why[BERTH_ERROR_BYTES_MAX]; /* Said last; each reason is said once. */
};

static void fail(struct worker *worker, const char *why);
static void read_on(struct worker *worker);
static void put_more(struct worker *worker);

static const bool moves[PHASES][PHASES] = {
    [IDLE] = {[MEASURING] = true},
    [MEASURING] = {[IDLE] = true, [CHILLING] = true},
    [CHILLING] = {[IDLE] = true, [WAITING] = true},
    [WAITING] = {[IDLE] = true, [READING] = true},
    [READING] = {[IDLE] = true, [PUTTING] = true},
    [PUTTING] = {[IDLE] = true, [READING] = true, [OPENING] = true},
    [OPENING] = {[IDLE] = true},
};

static void move_to(struct rebuild *rebuild, enum phase to) {
    BERTH_ASSERT(moves[rebuild->phase][to]);
    rebuild->phase = to;
    BERTH_ASSERT(to == PUTTING || rebuild->records_next == rebuild->records_count || to == IDLE);
}

/* Whatever is under way ends; nothing of it is told any more. */
static void end(struct rebuild *rebuild) {
    if (rebuild->phase != IDLE) {
        move_to(rebuild, IDLE);
    }
    (void)event_del(rebuild->wait_event);
    berth_kafka_rebuild_stop(rebuild->kafka);
    rebuild->records_count = 0;
    rebuild->records_next = 0;
    rebuild->puts_outstanding = 0;
}

/* It comes to nothing for a reason of ours; another worker may have more luck. */
static void fail(struct worker *worker, const char *why) {
    struct rebuild *rebuild = worker->rebuild;
    end(rebuild);
    if (strcmp(rebuild->failed_why, why) != 0) {
        (void)snprintf(rebuild->failed_why, sizeof(rebuild->failed_why), "%s", why);
        berth_log(BERTH_LOG_ERROR, "rebuild.failed", "reason=\"%s\"", why);
    }
    char text[BERTH_ERROR_BYTES_MAX];
    (void)snprintf(text, sizeof(text), "its data set can't be rebuilt: %.400s", why);
    berth_ledger_rebuild_drop(worker->ledger, text);
}

/* ---- Measuring, chilling, waiting ---- */

static void begin(struct worker *worker) {
    struct rebuild *rebuild = worker->rebuild;
    if (!berth_kafka_rebuild_idle(rebuild->kafka)) {
        /* An attempt before is still winding down. */
        berth_ledger_rebuild_drop(worker->ledger, "an earlier attempt to rebuild it still ends");
        return;
    }
    rebuild->begun_ms = berth_clock_monotonic_ms();
    rebuild->read = 0;
    rebuild->skipped = 0;
    berth_log(BERTH_LOG_INFO, "rebuild.begun", "from=%s", worker->config->topics.spaces);
    move_to(rebuild, MEASURING);
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_kafka_rebuild_ends(rebuild->kafka, &error);
    if (rc != BERTH_OK) {
        fail(worker, berth_error_why(&error, rc));
    }
}

static void measured(void *ctx, const struct berth_kafka_ends *ends, const char *text) {
    struct worker *worker = ctx;
    struct rebuild *rebuild = worker->rebuild;
    BERTH_ASSERT(rebuild->phase == MEASURING);
    if (ends == NULL) {
        fail(worker, text);
        return;
    }
    /* Nothing was ever taken in or published: there is no claim that could have been lost. */
    bool first_start = !ends->group_committed && !ends->states_written;
    if (first_start) {
        berth_log(
            BERTH_LOG_INFO, "rebuild.first_start",
            "reason=\"nothing was ever committed or published here: there is nothing to rebuild "
            "from\"");
    }
    size_t count = first_start ? 0 : ends->count;
    free(rebuild->beginnings);
    rebuild->beginnings_count = 0;
    rebuild->beginnings = calloc(count + 1, sizeof(*rebuild->beginnings));
    if (rebuild->beginnings == NULL) {
        fail(worker, "no memory");
        return;
    }
    if (count > 0) {
        memcpy(rebuild->beginnings, ends->ends, count * sizeof(*rebuild->beginnings));
    }
    rebuild->beginnings_count = count;
    rebuild->wait = ends->group_committed;
    move_to(rebuild, CHILLING);
    if (berth_ledger_rebuild_chill(worker->ledger) != BERTH_OK) {
        fail(worker, "Redis can't be asked");
    }
}

static void chilled(struct worker *worker) {
    struct rebuild *rebuild = worker->rebuild;
    BERTH_ASSERT(rebuild->phase == CHILLING);
    move_to(rebuild, WAITING);
    int64_t left_ms = rebuild->begun_ms + worker->config->lease_ms - berth_clock_monotonic_ms();
    if (!rebuild->wait || left_ms < 0) {
        left_ms = 0;
    }
    if (left_ms > 0) {
        berth_log(BERTH_LOG_INFO, "rebuild.waits", "ms=%" PRId64 " for=\"leases of lost claims\"",
                  left_ms);
    }
    struct timeval delay = {.tv_sec = left_ms / 1000, .tv_usec = (left_ms % 1000) * 1000};
    (void)event_add(rebuild->wait_event, &delay);
}

static void waited_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct worker *worker = ctx;
    BERTH_ASSERT(worker->rebuild->phase == WAITING);
    worker->rebuild->heard_ms = berth_clock_monotonic_ms();
    move_to(worker->rebuild, READING);
    read_on(worker);
}

/* ---- Reading, putting, opening ---- */

static void read_on(struct worker *worker) {
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_kafka_rebuild_read(worker->rebuild->kafka, &error);
    if (rc != BERTH_OK) {
        fail(worker, berth_error_why(&error, rc));
    }
}

static void states_read(void *ctx, struct berth_record *const *records, size_t count, bool at_end,
                        const char *text) {
    struct worker *worker = ctx;
    struct rebuild *rebuild = worker->rebuild;
    BERTH_ASSERT(rebuild->phase == READING);
    if (text != NULL) {
        fail(worker, text);
        return;
    }
    int64_t now_ms = berth_clock_monotonic_ms();
    if (count == 0 && !at_end && now_ms - rebuild->heard_ms > SILENCE_MS) {
        char why[BERTH_TOPIC_BYTES + 64];
        (void)snprintf(why, sizeof(why), "topic %s can't be read on: nothing comes",
                       worker->config->topics.spaces);
        fail(worker, why);
        return;
    }
    if (count > 0) {
        rebuild->heard_ms = now_ms;
    }
    rebuild->records = records;
    rebuild->records_count = count;
    rebuild->records_next = 0;
    rebuild->at_end = at_end;
    move_to(rebuild, PUTTING);
    put_more(worker);
}

/* Of another Harbor, which had the registry's name before: its numbers mean nothing here. */
static bool of_another_harbor(const struct worker *worker, const struct berth_state_record *state) {
    for (size_t i = 0; i < worker->config->registries_count; i++) {
        const struct berth_config_registry *registry = &worker->config->registries[i];
        if (strcmp(registry->name, state->registry) == 0) {
            return state->registry_uid[0] != '\0' &&
                   strcasecmp(registry->uid, state->registry_uid) != 0;
        }
    }
    return false;
}

static void skip(struct worker *worker, const struct berth_record *record, const char *why) {
    if (worker->rebuild->skipped++ == 0) {
        berth_log(BERTH_LOG_WARNING, "rebuild.skipped",
                  "topic=%s partition=%d offset=%" PRId64 " reason=\"%s\" more=\"not said again\"",
                  berth_record_topic(record), berth_record_partition(record),
                  berth_record_offset(record), why);
    }
}

/* A tombstone says its version in a header; 0: it doesn't. */
static int64_t version_of_tombstone(const struct berth_record *record) {
    size_t count = 0;
    const struct berth_header *headers = berth_record_headers(record, &count);
    for (size_t i = 0; i < count; i++) {
        char text[24];
        size_t len = headers[i].value.len;
        if (strcmp(headers[i].name, BERTH_VERSION_HEADER) == 0 && len > 0 && len < sizeof(text)) {
            memcpy(text, headers[i].value.data, len);
            text[len] = '\0';
            long long version = strtoll(text, NULL, 10);
            return version > 0 ? version : 0;
        }
    }
    return 0;
}

static bool is_smaller(const struct berth_record *record) {
    size_t count = 0;
    const struct berth_header *headers = berth_record_headers(record, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headers[i].name, BERTH_OMITTED_HEADER) == 0) {
            return true;
        }
    }
    return false;
}

/* BERTH_BUSY: no room in Redis' queue. Anything else but OK: Redis can't be asked. */
static enum berth_rc put_one(struct worker *worker, const struct berth_record *record) {
    struct berth_state_record state;
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_state_record_decode(worker->codec, berth_record_key(record),
                                                 berth_record_value(record), &state, &error);
    if (rc == BERTH_INVALID) {
        skip(worker, record, error.text);
        return BERTH_OK;
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    if (state.state.knowledge != BERTH_SPACE_PRESENT) {
        state.state.version = version_of_tombstone(record);
    } else if (is_smaller(record)) {
        /* Its bindings were left out: the space isn't known, until Harbor is read. */
        int64_t version = state.state.version;
        berth_state_record_deinit(&state);
        state.state.knowledge = BERTH_SPACE_UNKNOWN;
        state.state.version = version;
    }
    if (of_another_harbor(worker, &state)) {
        skip(worker, record, "the registry had another uid then");
    } else {
        rc = berth_ledger_rebuild_put(worker->ledger, state.registry, state.space, &state.state);
        worker->rebuild->puts_outstanding += rc == BERTH_OK ? 1U : 0U;
    }
    berth_state_record_deinit(&state);
    return rc;
}

static void open_it(struct worker *worker) {
    struct rebuild *rebuild = worker->rebuild;
    move_to(rebuild, OPENING);
    berth_kafka_rebuild_stop(rebuild->kafka);
    if (berth_ledger_rebuild_open(worker->ledger, rebuild->beginnings, rebuild->beginnings_count) !=
        BERTH_OK) {
        fail(worker, "Redis can't be asked");
    }
}

static void put_more(struct worker *worker) {
    struct rebuild *rebuild = worker->rebuild;
    while (rebuild->records_next < rebuild->records_count) {
        enum berth_rc rc = put_one(worker, rebuild->records[rebuild->records_next]);
        if (rc == BERTH_BUSY && rebuild->puts_outstanding > 0) {
            return; /* Goes on with the next answer. */
        }
        if (rc != BERTH_OK) {
            fail(worker, rc == BERTH_FAULT_MEMORY ? "no memory" : "Redis can't be asked");
            return;
        }
        rebuild->records_next++;
        rebuild->read++;
        if (rebuild->read % PROGRESS_STATES == 0) {
            berth_log(BERTH_LOG_INFO, "rebuild.progress", "states=%" PRIu64 " ms=%" PRId64,
                      rebuild->read, berth_clock_monotonic_ms() - rebuild->begun_ms);
        }
    }
    if (rebuild->puts_outstanding > 0) {
        return;
    }
    if (rebuild->at_end) {
        open_it(worker);
        return;
    }
    move_to(rebuild, READING);
    read_on(worker);
}

/* ---- What the ledger says ---- */

void worker_rebuild_event(void *ctx, enum berth_rebuild_event event) {
    struct worker *worker = ctx;
    struct rebuild *rebuild = worker->rebuild;
    switch (event) {
    case BERTH_REBUILD_BEGUN:
        begin(worker);
        break;
    case BERTH_REBUILD_CHILLED:
        chilled(worker);
        break;
    case BERTH_REBUILD_PUT:
        BERTH_ASSERT(rebuild->phase == PUTTING);
        BERTH_ASSERT(rebuild->puts_outstanding > 0);
        rebuild->puts_outstanding--;
        put_more(worker);
        break;
    case BERTH_REBUILD_LOST:
        berth_log(BERTH_LOG_WARNING, "rebuild.lost", "states=%" PRIu64, rebuild->read);
        end(rebuild);
        break;
    }
}

void worker_rebuild_available(struct worker *worker) {
    struct rebuild *rebuild = worker->rebuild;
    if (rebuild->phase != OPENING) {
        return;
    }
    berth_log(BERTH_LOG_INFO, "rebuild.done",
              "states=%" PRIu64 " skipped=%" PRIu64 " partitions=%zu ms=%" PRId64, rebuild->read,
              rebuild->skipped, rebuild->beginnings_count,
              berth_clock_monotonic_ms() - rebuild->begun_ms);
    rebuild->failed_why[0] = '\0';
    end(rebuild);
}

bool worker_rebuild_says(const struct worker *worker, char *ret_text, size_t bytes) {
    const struct rebuild *rebuild = worker->rebuild;
    if (rebuild == NULL || rebuild->phase == IDLE) {
        return false;
    }
    const char *step = "reading";
    if (rebuild->phase < WAITING) {
        step = "measuring";
    } else if (rebuild->phase == WAITING) {
        step = "waiting for leases of lost claims to end";
    }
    (void)snprintf(ret_text, bytes, "being rebuilt from %s: %s, %" PRIu64 " states so far",
                   worker->config->topics.spaces, step, rebuild->read);
    return true;
}

/* ---- Life ---- */

enum berth_rc wire_rebuild(struct worker *worker, struct berth_error *reterr) {
    struct rebuild *rebuild = calloc(1, sizeof(*rebuild));
    if (rebuild == NULL) {
        berth_error_set(reterr, "no memory");
        return BERTH_FAULT_MEMORY;
    }
    worker->rebuild = rebuild;
    rebuild->wait_event = evtimer_new(worker->base, waited_cb, worker);
    if (rebuild->wait_event == NULL) {
        berth_error_set(reterr, "no memory for a timer");
        return BERTH_FAULT_MEMORY;
    }
    const struct berth_kafka_rebuild_options options = {
        .properties = worker->kafka_properties,
        .group = worker->config->group,
        .command_topics = worker->topics + BERTH_RECORD_KINDS,
        .command_topics_count = worker->topics_count - BERTH_RECORD_KINDS,
        .states_topic = worker->topics[BERTH_RECORD_SPACE],
        .on_ends = measured,
        .on_states = states_read,
        .ctx = worker,
    };
    return berth_kafka_rebuild_new(worker->base, &options, &rebuild->kafka, reterr);
}

void unwire_rebuild(struct worker *worker) {
    struct rebuild *rebuild = worker->rebuild;
    if (rebuild == NULL) {
        return;
    }
    worker->rebuild = NULL;
    rebuild->kafka = berth_kafka_rebuild_free(rebuild->kafka, STOP_MS);
    if (rebuild->wait_event != NULL) {
        event_free(rebuild->wait_event);
    }
    free(rebuild->beginnings);
    free(rebuild);
}
