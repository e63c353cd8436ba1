/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flights: one reading of a space from Harbor, for all who ask for it meanwhile.
 *
 *   ASKING <--> PAUSED           a call is under way; it failed and is asked again later
 *     |           |
 *     |           +--> ended     too late, too often
 *     +--> FILLING --> ended     Harbor has said it all; Redis is being told
 *     +--> ended                 absent, or Redis is away
 *     +--> LEFT --> ended        too late; its call is still under way, and nobody waits for it
 *
 * A flight's asking for Redis comes first and its filling in comes last, so whatever a command does
 * in between shows in the token: see lua/fill.lua.
 */
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "berth/io/harbor_client.h"
#include "berth/io/redis_client.h"
#include "lookup_parts.h"

/* Who asks waits for it: few tries, and an end to them (lookup->patience_ms). */
#define TRIES_MAX     3
#define PAUSE_MS      200
#define PAUSE_NEXT_MS 800
/* While Harbor answers somebody's failed login, it refuses the right password too, for up to 1.5 s
 * (harbor-contract 5). */
#define PAUSE_LOGIN_MS 2000

enum flight_phase {
    FLIGHT_ASKING,
    FLIGHT_PAUSED,
    FLIGHT_FILLING,
    FLIGHT_LEFT,
};
#define FLIGHT_PHASES 4

struct lookup_flight {
    struct berth_lookup *lookup;
    struct lookup_flight *next;
    enum flight_phase phase;
    uint32_t registry;
    char space[BERTH_SPACE_BYTES];
    struct lookup_queue waiters;
    struct lookup_mark mark;
    uint64_t connection; /* To Redis, on which it was asked. */
    struct berth_pool pool;
    struct berth_space_reading reading;
    struct event *timer; /* The end of the pause, or of the patience. */
    int64_t as_of_ms;    /* Wall clock: when Harbor was asked. */
    int64_t filling_ms;  /* Wall clock: when Redis was told. */
    int64_t patience_ms; /* Monotonic: when the patience ends. */
    int failures;
    char why[LOOKUP_WHY_BYTES]; /* Of the last failure. */
};

/* ---- Life ---- */

static void move_to(struct lookup_flight *flight, enum flight_phase to) {
    static const bool moves[FLIGHT_PHASES][FLIGHT_PHASES] = {
        [FLIGHT_ASKING] = {[FLIGHT_ASKING] = true,
                           [FLIGHT_PAUSED] = true,
                           [FLIGHT_FILLING] = true,
                           [FLIGHT_LEFT] = true},
        [FLIGHT_PAUSED] = {[FLIGHT_ASKING] = true},
    };
    BERTH_ASSERT(moves[flight->phase][to]);
    flight->phase = to;
}

static void arm(struct lookup_flight *flight, int64_t at_ms) {
    int64_t ms = at_ms - berth_clock_monotonic_ms();
    ms = ms < 0 ? 0 : ms;
    const struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    int rc = evtimer_add(flight->timer, &delay);
    BERTH_ASSERT(rc == 0);
}

static void flight_free(struct lookup_flight *flight) {
    berth_space_reading_deinit(&flight->reading);
    berth_pool_deinit(&flight->pool);
    event_free(flight->timer);
    free(flight);
}

/* Takes it out of the list: from here on nobody joins. */
static void unlink_flight(struct lookup_flight *flight) {
    struct berth_lookup *lookup = flight->lookup;
    struct lookup_flight **at = &lookup->flights;
    while (*at != flight) {
        BERTH_ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = flight->next;
    BERTH_ASSERT(lookup->flights_count[flight->registry] > 0);
    lookup->flights_count[flight->registry]--;
}

/* Answers all who wait. They may ask again from within, and then start another flight: this one is
 * out of the list, or left. */
static void answer_waiters(struct lookup_flight *flight, const struct berth_lookup_answer *answer) {
    struct lookup_request *request = lookup_queue_pop(&flight->waiters);
    for (; request != NULL; request = lookup_queue_pop(&flight->waiters)) {
        lookup_end(request, answer);
    }
}

static void end(struct lookup_flight *flight, const struct berth_lookup_answer *answer) {
    unlink_flight(flight);
    answer_waiters(flight, answer);
    flight_free(flight);
}

static void end_without(struct lookup_flight *flight, enum berth_lookup_outcome outcome,
                        const char *why, int64_t as_of_ms) {
    const struct berth_lookup_answer answer = {
        .outcome = outcome, .why = why, .as_of_ms = as_of_ms};
    end(flight, &answer);
}

static void end_found(struct lookup_flight *flight, const struct berth_space_state *state,
                      int64_t as_of_ms) {
    struct berth_lookup_space space = {.state = *state};
    (void)snprintf(space.registry, sizeof(space.registry), "%s",
                   flight->lookup->config->registries[flight->registry].name);
    (void)snprintf(space.space, sizeof(space.space), "%s", flight->space);
    const struct berth_lookup_answer answer = {
        .outcome = BERTH_LOOKUP_FOUND, .as_of_ms = as_of_ms, .spaces = &space, .spaces_count = 1};
    end(flight, &answer);
}

static void give_up(struct lookup_flight *flight) {
    end_without(flight, BERTH_LOOKUP_HARBOR_UNAVAILABLE, flight->why, flight->as_of_ms);
}

void lookup_flights_free(struct berth_lookup *lookup) {
    struct lookup_flight *flight = lookup->flights;
    lookup->flights = NULL;
    while (flight != NULL) {
        struct lookup_flight *next = flight->next;
        struct lookup_request *request = lookup_queue_pop(&flight->waiters);
        for (; request != NULL; request = lookup_queue_pop(&flight->waiters)) {
            free(request);
        }
        flight_free(flight);
        flight = next;
    }
}

/* ---- Filling in ---- */

/* What Harbor said, as it was at the time that it was asked. */
static struct berth_space_state read_state(const struct lookup_flight *flight) {
    struct berth_space_state state = *berth_space_reading_state(&flight->reading);
    state.verified_at_ms = flight->as_of_ms;
    return state;
}

static void end_as_read(struct lookup_flight *flight) {
    struct berth_space_state state = read_state(flight);
    end_found(flight, &state, flight->as_of_ms);
}

static void fill_answered(void *ctx, const struct redisReply *redis_reply) {
    struct lookup_flight *flight = ctx;
    if (flight->lookup->freeing) {
        return;
    }
    if (redis_reply == NULL) {
        end_as_read(flight); /* It was filled in or not: what Harbor said is true all the same. */
        return;
    }
    struct lookup_reply reply;
    lookup_reply_read(redis_reply, &reply);
    if (reply.kind == LOOKUP_REPLY_REBUILDING) {
        end_without(flight, BERTH_LOOKUP_REBUILDING, lookup_rebuilding_why, flight->as_of_ms);
    } else if (reply.state.knowledge == BERTH_SPACE_PRESENT) {
        end_found(flight, &reply.state, flight->filling_ms); /* A command was quicker. */
    } else if (reply.state.knowledge == BERTH_SPACE_ABSENT) {
        end_without(flight, BERTH_LOOKUP_NOT_FOUND, NULL, flight->filling_ms);
    } else {
        end_as_read(flight);
    }
    lookup_reply_deinit(&reply);
}

/* Also when nothing may be filled in: then it says what is known by now. Over another connection
 * than the one on which Redis was asked, nothing is: a Redis that came back may have lost a token
 * that was taken since. */
static void fill(struct lookup_flight *flight) {
    struct berth_lookup *lookup = flight->lookup;
    struct berth_space_state state = read_state(flight);
    flight->mark.untouched &= flight->connection == lookup->connections;
    flight->filling_ms = berth_clock_wall_ms();
    enum berth_rc rc =
        lookup_words_fill(lookup, flight->registry, flight->space, &flight->mark, &state);
    if (rc == BERTH_OK) {
        rc = berth_redis_client_run(lookup->redis, LOOKUP_FILL, &lookup->args, fill_answered,
                                    flight);
    }
    if (rc != BERTH_OK) {
        end_as_read(flight);
        return;
    }
    move_to(flight, FLIGHT_FILLING);
    int deleted = evtimer_del(flight->timer); /* The connection to Redis has a limit of its own. */
    BERTH_ASSERT(deleted == 0);
}

/* ---- Reading ---- */

static void end_absent(struct lookup_flight *flight) {
    lookup_absent_add(&flight->lookup->absent, flight->registry, flight->space, flight->mark.token,
                      flight->as_of_ms, berth_clock_monotonic_ms());
    end_without(flight, BERTH_LOOKUP_NOT_FOUND, NULL, flight->as_of_ms);
}

static void submit(struct lookup_flight *flight, struct berth_harbor_call *call) {
    struct berth_lookup *lookup = flight->lookup;
    call->not_after_ms = INT64_MAX;
    (void)snprintf(call->request_id, sizeof(call->request_id), "lookup-%016" PRIx64 ".%" PRIu64,
                   lookup->name, ++lookup->calls_made);
    move_to(flight, FLIGHT_ASKING);
    enum berth_rc rc =
        berth_harbor_client_submit(lookup->harbor, (uint64_t)(uintptr_t)flight, call);
    if (rc != BERTH_OK) {
        (void)snprintf(flight->why, sizeof(flight->why), "the registry %s can't be asked: %s",
                       lookup->config->registries[flight->registry].name, berth_rc_name(rc));
        give_up(flight);
    }
}

static void go_on(struct lookup_flight *flight) {
    struct berth_harbor_call call;
    switch (berth_space_reading_step(&flight->reading, &call)) {
    case BERTH_SPACE_READING_CALL:
        submit(flight, &call);
        break;
    case BERTH_SPACE_READING_DONE:
        if (berth_space_reading_state(&flight->reading)->knowledge == BERTH_SPACE_PRESENT) {
            fill(flight);
        } else {
            end_absent(flight);
        }
        break;
    case BERTH_SPACE_READING_TOO_LARGE:
        (void)snprintf(flight->why, sizeof(flight->why),
                       "%s/%s has more robot accounts than can be read",
                       flight->lookup->config->registries[flight->registry].name, flight->space);
        give_up(flight);
        break;
    }
}

static void keep_why(struct lookup_flight *flight, const struct berth_harbor_call *call,
                     const struct berth_harbor_answer *answer) {
    char status[32] = "";
    if (answer->http_status != 0) {
        (void)snprintf(status, sizeof(status), " (HTTP %d)", answer->http_status);
    }
    (void)snprintf(flight->why, sizeof(flight->why), "registry %s, %s: %s%s",
                   flight->lookup->config->registries[flight->registry].name,
                   berth_harbor_call_name(call->kind),
                   answer->error[0] != '\0' ? answer->error
                                            : berth_harbor_verdict_name(answer->verdict),
                   status);
}

/* Asks again after a pause, if there is time for it. */
static void pause_or_give_up(struct lookup_flight *flight,
                             const struct berth_harbor_answer *answer) {
    int64_t pause_ms = flight->failures == 1 ? PAUSE_MS : PAUSE_NEXT_MS;
    if (answer->verdict == BERTH_HARBOR_UNAUTHENTICATED) {
        pause_ms = PAUSE_LOGIN_MS;
    }
    pause_ms = pause_ms / 2 + berth_random_below(&flight->lookup->random, pause_ms / 2);
    if (pause_ms < answer->retry_after_ms) {
        pause_ms = answer->retry_after_ms;
    }
    int64_t until_ms = berth_clock_monotonic_ms() + pause_ms;
    if (flight->failures >= TRIES_MAX || until_ms >= flight->patience_ms) {
        give_up(flight);
        return;
    }
    move_to(flight, FLIGHT_PAUSED);
    arm(flight, until_ms);
}

void lookup_flight_answered(void *ctx, uint64_t call_id, const struct berth_harbor_call *call,
                            const struct berth_harbor_answer *answer) {
    (void)ctx;
    struct lookup_flight *flight = (void *)(uintptr_t)call_id;
    if (flight->phase == FLIGHT_LEFT) {
        unlink_flight(flight);
        flight_free(flight);
        return;
    }
    switch (berth_space_reading_observe(&flight->reading, call, answer)) {
    case BERTH_OBSERVED_PROGRESS:
        go_on(flight);
        break;
    case BERTH_OBSERVED_RETRY:
    case BERTH_OBSERVED_RETRY_FREE:
        flight->failures++;
        keep_why(flight, call, answer);
        pause_or_give_up(flight, answer);
        break;
    }
}

static void libevent_timer_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct lookup_flight *flight = ctx;
    if (flight->phase == FLIGHT_PAUSED) {
        arm(flight, flight->patience_ms);
        go_on(flight);
        return;
    }
    BERTH_ASSERT(flight->phase == FLIGHT_ASKING);
    /* The call can't be taken back: its answer ends the flight. */
    move_to(flight, FLIGHT_LEFT);
    if (flight->failures == 0) {
        (void)snprintf(flight->why, sizeof(flight->why), "registry %s didn't answer within %d ms",
                       flight->lookup->config->registries[flight->registry].name,
                       (int)flight->lookup->patience_ms);
    }
    const struct berth_lookup_answer answer = {.outcome = BERTH_LOOKUP_HARBOR_UNAVAILABLE,
                                               .why = flight->why,
                                               .as_of_ms = flight->as_of_ms};
    answer_waiters(flight, &answer);
}

/* ---- Joining ---- */

static struct lookup_flight *find(const struct berth_lookup *lookup,
                                  const struct lookup_request *request) {
    struct lookup_flight *flight = lookup->flights;
    while (flight != NULL &&
           (flight->phase == FLIGHT_LEFT || flight->registry != request->registry ||
            strcmp(flight->space, request->space) != 0)) {
        flight = flight->next;
    }
    return flight;
}

static struct lookup_flight *flight_new(struct berth_lookup *lookup,
                                        const struct lookup_request *request,
                                        const struct lookup_mark *mark) {
    struct lookup_flight *flight = calloc(1, sizeof(*flight));
    if (flight == NULL) {
        return NULL;
    }
    flight->timer = evtimer_new(lookup->base, libevent_timer_cb, flight);
    if (flight->timer == NULL) {
        free(flight);
        return NULL;
    }
    flight->lookup = lookup;
    flight->registry = request->registry;
    memcpy(flight->space, request->space, sizeof(flight->space));
    flight->mark = *mark;
    flight->connection = lookup->connections;
    flight->as_of_ms = berth_clock_wall_ms();
    flight->patience_ms = berth_clock_monotonic_ms() + lookup->patience_ms;
    berth_pool_init(&flight->pool, BERTH_PLAN_BYTES_MAX);
    berth_space_reading_init(&flight->reading, flight->registry, flight->space, &flight->pool);
    flight->next = lookup->flights;
    lookup->flights = flight;
    lookup->flights_count[flight->registry]++;
    arm(flight, flight->patience_ms);
    return flight;
}

void lookup_flight_join(struct lookup_request *request, const struct lookup_mark *mark) {
    struct berth_lookup *lookup = request->lookup;
    struct lookup_flight *flight = find(lookup, request);
    if (flight != NULL) {
        lookup_queue_push(&flight->waiters, request);
        return;
    }
    bool full = lookup->flights_count[request->registry] >= LOOKUP_FLIGHTS_MAX;
    flight = full ? NULL : flight_new(lookup, request, mark);
    if (flight == NULL) {
        lookup_end_without(
            request, full ? BERTH_LOOKUP_OVERLOADED : BERTH_LOOKUP_HARBOR_UNAVAILABLE,
            full ? "too many spaces of this registry are being read from Harbor" : "out of memory",
            request->asked_ms);
        return;
    }
    lookup_queue_push(&flight->waiters, request);
    go_on(flight);
}
