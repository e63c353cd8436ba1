/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "curl_loop.h"
#include "harbor_client_parts.h"

static const char SESSIONS_DO_NOT_WORK[] =
    "sessions don't work here (cookies or CSRF tokens are lost): Basic for 10 minutes, 2 requests "
    "at once; login = basic says so for good";

static void notice(struct registry *registry, bool trouble, const char *text);
static void repeat(struct registry *registry, struct job *job);
static void repeat_all(struct registry *registry, struct jobs *jobs);
static void answer_all(struct registry *registry, struct jobs *jobs, const char *unproved);
static void gather_for_proof(struct registry *registry);
static enum berth_rc start_errand(struct registry *registry, const struct berth_harbor_keys *keys);
static void end_errand(struct registry *registry, enum berth_harbor_errand errand,
                       const struct berth_harbor_errand_reply *reply);

enum client_way client_choose_way(struct registry *registry, struct job *job,
                                  const struct berth_harbor_keys **ret_keys) {
    *ret_keys = NULL;
    job->generation = 0;
    if (registry->endpoint->registry.basic_login) {
        return CLIENT_GOES;
    }
    bool urgent = job->call.kind == BERTH_HARBOR_PROBE;
    switch (berth_harbor_session_ask(&registry->session, berth_clock_monotonic_ms(), urgent)) {
    case BERTH_HARBOR_ACCESS_SESSION:
        job->generation = registry->session.generation;
        *ret_keys = &registry->session.keys;
        return CLIENT_GOES;
    case BERTH_HARBOR_ACCESS_BASIC:
        return registry->basic_under_way < BERTH_HARBOR_BASIC_LIMIT ? CLIENT_GOES : CLIENT_WAITS;
    case BERTH_HARBOR_ACCESS_WAIT:
        return CLIENT_WAITS;
    case BERTH_HARBOR_ACCESS_NONE:
        return CLIENT_REFUSED;
    }
    BERTH_UNREACHABLE("every access is one of those");
}

void client_take_answer(struct registry *registry, struct job *job,
                        struct berth_harbor_decoded *decoded, struct berth_harbor_seen *seen) {
    struct berth_harbor_answer *answer = &decoded->answer;
    enum berth_harbor_belief belief = BERTH_HARBOR_BELIEVE;
    if (job->generation != 0) {
        int64_t basic_until_ms = registry->session.basic_until_ms;
        seen->repeats = job->repeats;
        belief = berth_harbor_session_judge(&registry->session, berth_clock_monotonic_ms(),
                                            job->generation, seen);
        if (registry->session.basic_until_ms != basic_until_ms) {
            notice(registry, true, SESSIONS_DO_NOT_WORK);
        }
    }
    switch (belief) {
    case BERTH_HARBOR_PROVE:
        job->held = *answer;
        BERTH_ASSERT(job->held.robots_count == 0);
        job->held.robots = NULL;
        client_push(&registry->to_prove, job);
        client_start_waiting(registry);
        client_run_errands(registry);
        return;
    case BERTH_HARBOR_REPEAT:
        repeat(registry, job);
        client_start_waiting(registry);
        client_run_errands(registry);
        return;
    case BERTH_HARBOR_REFUSED:
        *answer = (struct berth_harbor_answer){
            .verdict = BERTH_HARBOR_UNAUTHENTICATED,
            .trouble = BERTH_HARBOR_TROUBLE_CREDENTIALS,
            .http_status = answer->http_status,
            .error = "Harbor forgets our sessions as soon as they are made",
        };
        break;
    case BERTH_HARBOR_DOUBT:
        *answer = (struct berth_harbor_answer){
            .verdict = BERTH_HARBOR_UNKNOWN,
            .http_status = answer->http_status,
            .error = "Harbor forgot our session, and yet it doesn't refuse the request",
        };
        break;
    case BERTH_HARBOR_BELIEVE:
        break;
    }
    /* The registry first: its next request is under way while the answer is looked at. */
    client_start_waiting(registry);
    client_run_errands(registry);
    client_answer(registry, job, answer);
}

void client_run_errands(struct registry *registry) {
    if (registry->endpoint->registry.basic_login || registry->errand != BERTH_HARBOR_ERRAND_NONE) {
        return;
    }
    const struct berth_harbor_keys *keys;
    registry->errand = berth_harbor_session_errand(&registry->session, &keys);
    if (registry->errand == BERTH_HARBOR_ERRAND_PROVE) {
        gather_for_proof(registry);
    } else if (registry->session.generation == 0) {
        repeat_all(registry, &registry->to_prove); /* The only session that could is lost. */
    }
    if (registry->errand != BERTH_HARBOR_ERRAND_NONE && start_errand(registry, keys) != BERTH_OK) {
        const struct berth_harbor_errand_reply none = {.words = "no memory for the request"};
        enum berth_harbor_errand errand = registry->errand;
        registry->errand = BERTH_HARBOR_ERRAND_NONE;
        end_errand(registry, errand, &none);
    }
}

void client_errand_done(struct registry *registry, CURLcode code) {
    struct berth_harbor_errand_reply reply;
    enum berth_harbor_errand errand = registry->errand;
    berth_harbor_transfer_end_errand(registry->errands.transfer, code, &reply);
    registry->errand = BERTH_HARBOR_ERRAND_NONE;
    /* What it says in words is the transfer's: it is done with before the next one begins. */
    end_errand(registry, errand, &reply);
    explicit_bzero(&reply, sizeof reply);
}

void client_stop_errand(struct registry *registry) {
    if (registry->errand != BERTH_HARBOR_ERRAND_NONE) {
        berth_curl_loop_remove(registry->client->loop,
                               berth_harbor_transfer_easy(registry->errands.transfer));
        registry->errand = BERTH_HARBOR_ERRAND_NONE;
    }
    registry->errands.transfer = berth_harbor_transfer_free(registry->errands.transfer);
    while (registry->proving.first != NULL) {
        client_push(&registry->to_prove, client_pop(&registry->proving));
    }
}

static void notice(struct registry *registry, bool trouble, const char *text) {
    struct berth_harbor_client *client = registry->client;
    registry->troubled = trouble;
    if (client->on_notice != NULL) {
        client->on_notice(client->ctx, registry->endpoint->registry.name, trouble, text);
    }
}

/* It is sent again before all others, and its time is looked at again. */
static void repeat(struct registry *registry, struct job *job) {
    job->repeats++;
    client_push_first(&registry->waiting, job);
}

static void repeat_all(struct registry *registry, struct jobs *jobs) {
    for (struct job *job = client_pop(jobs); job != NULL; job = client_pop(jobs)) {
        repeat(registry, job);
    }
}

/* unproved: why the answers can't be given; NULL: they are. */
static void answer_all(struct registry *registry, struct jobs *jobs, const char *unproved) {
    for (struct job *job = client_pop(jobs); job != NULL; job = client_pop(jobs)) {
        struct berth_harbor_answer answer = job->held;
        if (unproved != NULL) {
            answer = (struct berth_harbor_answer){.verdict = BERTH_HARBOR_UNKNOWN,
                                                  .http_status = job->held.http_status};
            (void)snprintf(answer.error, sizeof answer.error,
                           "can't be proved to be an answer to us: %.80s", unproved);
            if (berth_harbor_call_is_write(job->call.kind)) {
                answer.verdict = BERTH_HARBOR_NOT_SENT; /* Only its look-up was. */
            }
        }
        client_answer(registry, job, &answer);
    }
}

/* The proof is of this session, and of what came on it before: nothing else. */
static void gather_for_proof(struct registry *registry) {
    struct jobs jobs = registry->to_prove;
    registry->to_prove = (struct jobs){.first = NULL};
    for (struct job *job = client_pop(&jobs); job != NULL; job = client_pop(&jobs)) {
        if (job->generation == registry->session.generation) {
            client_push(&registry->proving, job);
        } else {
            repeat(registry, job);
        }
    }
}

static enum berth_rc start_errand(struct registry *registry, const struct berth_harbor_keys *keys) {
    struct slot *slot = &registry->errands;
    enum berth_rc rc = client_ready_transfer(slot);
    if (rc == BERTH_OK) {
        rc = berth_harbor_transfer_begin_errand(slot->transfer, registry->errand, keys);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = berth_curl_loop_add(registry->client->loop, berth_harbor_transfer_easy(slot->transfer));
    if (rc != BERTH_OK) {
        berth_harbor_transfer_abandon(slot->transfer);
    }
    return rc;
}

static void end_errand(struct registry *registry, enum berth_harbor_errand errand,
                       const struct berth_harbor_errand_reply *reply) {
    enum berth_harbor_errand_end end =
        berth_harbor_session_take(&registry->session, berth_clock_monotonic_ms(), errand, reply);
    char why[128];
    (void)snprintf(why, sizeof why, "%.80s", reply->words);
    if (reply->status != 0) {
        (void)snprintf(why, sizeof why, "GET /users/current: HTTP %d", reply->status);
    }
    if (registry->errands.transfer != NULL) {
        berth_harbor_transfer_abandon(registry->errands.transfer);
    }
    switch (end) {
    case BERTH_HARBOR_ERRAND_GOES_ON:
        break;
    case BERTH_HARBOR_LOGGED_IN:
        if (registry->troubled) {
            notice(registry, false, "logged in again");
        }
        break;
    case BERTH_HARBOR_LOGIN_FAILED:
        if (!registry->troubled) {
            notice(registry, true, registry->session.failure.error);
        }
        break;
    case BERTH_HARBOR_LOGIN_UNFIT:
        notice(registry, true, SESSIONS_DO_NOT_WORK);
        break;
    case BERTH_HARBOR_PROVED:
        answer_all(registry, &registry->proving, NULL);
        break;
    case BERTH_HARBOR_DISPROVED:
        repeat_all(registry, &registry->proving);
        break;
    case BERTH_HARBOR_UNPROVED:
        answer_all(registry, &registry->proving, why);
        break;
    }
    client_start_waiting(registry);
    client_run_errands(registry);
}
