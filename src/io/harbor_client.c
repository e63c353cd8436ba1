/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/harbor_client.h"

#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "curl_loop.h"
#include "harbor_client_parts.h"

static enum berth_rc set_up(struct berth_harbor_client *client,
                            const struct berth_harbor_client_config *config,
                            struct berth_error *reterr);
static enum berth_rc set_up_registry(struct berth_harbor_client *client, struct registry *registry,
                                     const struct berth_harbor_client_config *config,
                                     const struct berth_harbor_registry_config *its_config,
                                     struct berth_error *reterr);
static void tear_down_registry(struct berth_harbor_client *client, struct registry *registry);
static void free_jobs(struct jobs *jobs);
static bool is_elsewhere(const struct berth_harbor_registry_config *now,
                         const struct berth_harbor_registry_config *before);
static void libevent_kick_cb(evutil_socket_t fd, short what, void *ctx);
static bool try_first(struct registry *registry);
static enum berth_rc start(struct slot *slot, const struct berth_harbor_keys *keys);
static void release(struct slot *slot);
static void bring_forward(struct job *job, int timeout_ms);
static bool is_late(const struct berth_harbor_call *call);
static void on_transfer_done(void *ctx, CURL *easy, CURLcode code);
static struct berth_harbor_answer not_sent(const char *why);

enum berth_rc berth_harbor_client_new(const struct berth_harbor_client_config *config,
                                      struct berth_harbor_client **ret_client,
                                      struct berth_error *reterr) {
    struct berth_harbor_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        berth_error_set(reterr, "libcurl can't be initialised");
        free(client);
        return BERTH_FAULT_LIBRARY;
    }
    client->deployment = config->deployment;
    client->master_key = config->master_key;
    client->on_answer = config->on_answer;
    client->on_notice = config->on_notice;
    client->ctx = config->ctx;
    enum berth_rc rc = set_up(client, config, reterr);
    if (rc != BERTH_OK) {
        (void)berth_harbor_client_free(client);
        return rc;
    }
    *ret_client = client;
    return BERTH_OK;
}

struct berth_harbor_client *berth_harbor_client_free(struct berth_harbor_client *client) {
    if (client == NULL) {
        return NULL;
    }
    BERTH_ASSERT(!client->answering);
    for (size_t i = 0; i < client->registries_count; i++) {
        tear_down_registry(client, &client->registries[i]);
    }
    free(client->registries);
    (void)berth_curl_loop_free(client->loop);
    if (client->kick != NULL) {
        event_free(client->kick);
    }
    free(client);
    curl_global_cleanup();
    return NULL;
}

enum berth_rc berth_harbor_client_submit(struct berth_harbor_client *client, uint64_t call_id,
                                         const struct berth_harbor_call *call) {
    BERTH_ASSERT(call->registry < client->registries_count);
    struct registry *registry = &client->registries[call->registry];
    if (registry->in_flight == registry->in_flight_max) {
        return BERTH_BUSY;
    }
    struct job *job = malloc(sizeof *job);
    if (job == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    *job = (struct job){
        .call_id = call_id,
        .call = *call,
        .timeout_ms = registry->endpoint->registry.request_timeout_ms,
    };
    client_push(&registry->waiting, job);
    registry->in_flight++;
    event_active(client->kick, 0, 0);
    return BERTH_OK;
}

enum berth_rc berth_harbor_client_reload(struct berth_harbor_client *client, size_t index,
                                         const struct berth_harbor_registry_config *its_config,
                                         struct berth_error *reterr) {
    BERTH_ASSERT(index < client->registries_count);
    struct registry *registry = &client->registries[index];
    struct berth_harbor_endpoint *endpoint;
    enum berth_rc rc = berth_harbor_endpoint_new(client->deployment, client->master_key, its_config,
                                                 &endpoint, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (is_elsewhere(&endpoint->registry, &registry->endpoint->registry)) {
        berth_harbor_session_lose(&registry->session, registry->session.generation);
    }
    client_stop_errand(registry);
    for (struct slot *slot = registry->idle; slot != NULL; slot = slot->next_idle) {
        slot->transfer = berth_harbor_transfer_free(slot->transfer);
    }
    (void)berth_harbor_endpoint_leave(registry->endpoint);
    registry->endpoint = endpoint;
    registry->troubled = false;
    berth_harbor_session_renew(&registry->session, berth_clock_monotonic_ms());
    event_active(client->kick, 0, 0);
    return BERTH_OK;
}

size_t berth_harbor_client_in_flight(const struct berth_harbor_client *client) {
    size_t count = 0;
    for (size_t i = 0; i < client->registries_count; i++) {
        count += client->registries[i].in_flight;
    }
    return count;
}

static enum berth_rc set_up(struct berth_harbor_client *client,
                            const struct berth_harbor_client_config *config,
                            struct berth_error *reterr) {
    BERTH_ASSERT(config->registries_count > 0);
    size_t connections = 0;
    for (size_t i = 0; i < config->registries_count; i++) {
        connections += config->registries[i].limit + 1; /* One for errands. */
    }
    BERTH_ASSERT(connections <= LONG_MAX);
    enum berth_rc rc = berth_curl_loop_new(config->base, (long)connections, on_transfer_done,
                                           client, &client->loop, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    client->kick = event_new(config->base, -1, 0, libevent_kick_cb, client);
    client->registries = calloc(config->registries_count, sizeof *client->registries);
    if (client->kick == NULL || client->registries == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    client->registries_count = config->registries_count;
    for (size_t i = 0; i < config->registries_count; i++) {
        rc =
            set_up_registry(client, &client->registries[i], config, &config->registries[i], reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    return BERTH_OK;
}

static enum berth_rc set_up_registry(struct berth_harbor_client *client, struct registry *registry,
                                     const struct berth_harbor_client_config *config,
                                     const struct berth_harbor_registry_config *its_config,
                                     struct berth_error *reterr) {
    BERTH_ASSERT(its_config->limit > 0);
    enum berth_rc rc = berth_harbor_endpoint_new(config->deployment, config->master_key, its_config,
                                                 &registry->endpoint, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    registry->client = client;
    /* Registries that share a Harbor must not back off in step either. */
    berth_harbor_session_init(&registry->session,
                              config->seed + (uint64_t)(registry - client->registries));
    registry->errands.registry = registry;
    registry->in_flight_max = its_config->limit + its_config->queue_max;
    registry->slots = calloc(its_config->limit, sizeof *registry->slots);
    if (registry->slots == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    registry->slots_count = its_config->limit;
    for (size_t i = 0; i < registry->slots_count; i++) {
        registry->slots[i] = (struct slot){.registry = registry, .next_idle = registry->idle};
        registry->idle = &registry->slots[i];
    }
    return BERTH_OK;
}

static void tear_down_registry(struct berth_harbor_client *client, struct registry *registry) {
    if (registry->endpoint == NULL) {
        return; /* It was never set up. */
    }
    for (size_t i = 0; i < registry->slots_count; i++) {
        struct slot *slot = &registry->slots[i];
        if (slot->job != NULL) {
            berth_curl_loop_remove(client->loop, berth_harbor_transfer_easy(slot->transfer));
            free(slot->job);
        }
        (void)berth_harbor_transfer_free(slot->transfer);
    }
    free(registry->slots);
    client_stop_errand(registry);
    free_jobs(&registry->waiting);
    free_jobs(&registry->to_prove);
    berth_harbor_session_deinit(&registry->session);
    registry->endpoint = berth_harbor_endpoint_leave(registry->endpoint);
}

static void free_jobs(struct jobs *jobs) {
    for (struct job *job = client_pop(jobs); job != NULL; job = client_pop(jobs)) {
        free(job);
    }
}

/* A session of one is none of the other's. */
static bool is_elsewhere(const struct berth_harbor_registry_config *now,
                         const struct berth_harbor_registry_config *before) {
    return strcmp(now->url, before->url) != 0 || strcmp(now->username, before->username) != 0 ||
           now->basic_login != before->basic_login;
}

void client_push(struct jobs *jobs, struct job *job) {
    job->next = NULL;
    if (jobs->first == NULL) {
        jobs->first = job;
    } else {
        jobs->last->next = job;
    }
    jobs->last = job;
}

void client_push_first(struct jobs *jobs, struct job *job) {
    job->next = jobs->first;
    if (jobs->first == NULL) {
        jobs->last = job;
    }
    jobs->first = job;
}

struct job *client_pop(struct jobs *jobs) {
    struct job *job = jobs->first;
    if (job != NULL) {
        jobs->first = job->next;
    }
    return job;
}

static void libevent_kick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_harbor_client *client = ctx;
    for (size_t i = 0; i < client->registries_count; i++) {
        client_start_waiting(&client->registries[i]);
        client_run_errands(&client->registries[i]);
    }
}

void client_start_waiting(struct registry *registry) {
    while (registry->waiting.first != NULL && registry->idle != NULL && try_first(registry)) {
    }
}

/* The longest waiting job starts or is answered. False: it has to wait on. */
static bool try_first(struct registry *registry) {
    struct job *job = registry->waiting.first;
    struct berth_harbor_answer answer;
    bring_forward(job, registry->endpoint->registry.request_timeout_ms);
    if (is_late(&job->call)) {
        answer = not_sent("too late to be sent under this lease");
        client_answer(registry, client_pop(&registry->waiting), &answer);
        return true;
    }
    const struct berth_harbor_keys *keys;
    switch (client_choose_way(registry, job, &keys)) {
    case CLIENT_WAITS:
        return false;
    case CLIENT_REFUSED:
        answer = registry->session.failure;
        client_answer(registry, client_pop(&registry->waiting), &answer);
        return true;
    case CLIENT_GOES:
        break;
    }
    struct slot *slot = registry->idle;
    registry->idle = slot->next_idle;
    slot->job = client_pop(&registry->waiting);
    registry->basic_under_way += job->generation == 0 ? 1 : 0;
    if (start(slot, keys) != BERTH_OK) {
        release(slot);
        answer = not_sent("no memory for the request");
        client_answer(registry, job, &answer);
    }
    return true;
}

static enum berth_rc start(struct slot *slot, const struct berth_harbor_keys *keys) {
    struct berth_curl_loop *loop = slot->registry->client->loop;
    enum berth_rc rc = client_ready_transfer(slot);
    if (rc == BERTH_OK) {
        rc = berth_harbor_transfer_begin(slot->transfer, &slot->job->call, keys);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = berth_curl_loop_add(loop, berth_harbor_transfer_easy(slot->transfer));
    if (rc != BERTH_OK) {
        berth_harbor_transfer_abandon(slot->transfer);
    }
    return rc;
}

enum berth_rc client_ready_transfer(struct slot *slot) {
    struct registry *registry = slot->registry;
    if (slot->transfer != NULL &&
        berth_harbor_transfer_endpoint(slot->transfer) != registry->endpoint) {
        slot->transfer = berth_harbor_transfer_free(slot->transfer);
    }
    if (slot->transfer != NULL) {
        return BERTH_OK;
    }
    enum berth_rc rc = berth_harbor_transfer_new(registry->endpoint, slot, &slot->transfer);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc =
        berth_curl_loop_prepare(registry->client->loop, berth_harbor_transfer_easy(slot->transfer));
    if (rc != BERTH_OK) {
        slot->transfer = berth_harbor_transfer_free(slot->transfer);
    }
    return rc;
}

static void release(struct slot *slot) {
    struct registry *registry = slot->registry;
    if (slot->job->generation == 0) {
        BERTH_ASSERT(registry->basic_under_way > 0);
        registry->basic_under_way--;
    }
    slot->job = NULL;
    slot->next_idle = registry->idle;
    registry->idle = slot;
}

/* not_after_ms leaves time for one request: for one of a longer time-out, after a reload, it comes
 * that much sooner. */
static void bring_forward(struct job *job, int timeout_ms) {
    if (timeout_ms > job->timeout_ms && berth_harbor_call_is_write(job->call.kind)) {
        job->call.not_after_ms -= timeout_ms - job->timeout_ms;
        job->timeout_ms = timeout_ms;
    }
}

/* A write that has waited past its time must not be sent any more (design 4.7); the transfer asks
 * again right before it sends, since connecting takes time as well. */
static bool is_late(const struct berth_harbor_call *call) {
    return berth_harbor_call_is_write(call->kind) &&
           berth_clock_monotonic_ms() > call->not_after_ms;
}

static void on_transfer_done(void *ctx, CURL *easy, CURLcode code) {
    struct berth_harbor_client *client = ctx;
    struct slot *slot = berth_harbor_transfer_owner_of(easy);
    struct registry *registry = slot->registry;
    if (slot == &registry->errands) {
        client_errand_done(registry, code);
        return;
    }
    struct berth_harbor_decoded decoded;
    struct berth_harbor_seen seen = {.kind = slot->job->call.kind};
    if (!berth_harbor_transfer_end(slot->transfer, code, &decoded, &seen)) {
        if (berth_curl_loop_add(client->loop, easy) == BERTH_OK) {
            return;
        }
        berth_harbor_transfer_abandon(slot->transfer);
        decoded.answer = not_sent("no memory for the request");
    }
    struct job *job = slot->job;
    release(slot);
    client_take_answer(registry, job, &decoded, &seen);
    berth_harbor_decoded_deinit(&decoded);
}

static struct berth_harbor_answer not_sent(const char *why) {
    struct berth_harbor_answer its_answer = {.verdict = BERTH_HARBOR_NOT_SENT};
    (void)snprintf(its_answer.error, sizeof its_answer.error, "%s", why);
    return its_answer;
}

void client_answer(struct registry *registry, struct job *job,
                   const struct berth_harbor_answer *its_answer) {
    struct berth_harbor_client *client = registry->client;
    registry->in_flight--;
    client->answering = true;
    client->on_answer(client->ctx, job->call_id, &job->call, its_answer);
    client->answering = false;
    free(job);
}
