/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/harbor_client.h"

#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "curl_loop.h"
#include "harbor_client_transfer.h"

/* A call from its submission to its answer. */
struct job {
    uint64_t call_id;
    struct berth_harbor_call call;
    struct job *next;
};

/* A transfer and the call that it carries; one of a registry's limit. */
struct slot {
    struct registry *registry;
    struct berth_harbor_transfer *transfer; /* NULL until the first call needs it. */
    struct job *job;                        /* NULL: idle. */
    struct slot *next_idle;
};

/*
 * Invariants: in_flight is the number of jobs in the queue and in the slots, at most limit and
 * queue_max together; a job waits only while no slot is idle, but for the moment until the kick.
 */
struct registry {
    struct berth_harbor_client *client;
    struct berth_harbor_endpoint endpoint;
    struct slot *slots; /* As many as the limit. */
    size_t slots_count;
    struct slot *idle; /* A stack, so that the same connections stay in use. */
    struct job *first;
    struct job *last;
    size_t in_flight;
    size_t in_flight_max;
};

struct berth_harbor_client {
    struct berth_curl_loop *loop;
    struct event *kick; /* Starts what was submitted: never within submit itself. */
    berth_harbor_answer_fn *on_answer;
    void *ctx;
    struct registry *registries;
    size_t registries_count;
    bool answering; /* Somebody's on_answer is running. */
};

static enum berth_rc set_up(struct berth_harbor_client *client,
                            const struct berth_harbor_client_config *config,
                            struct berth_error *reterr);
static enum berth_rc set_up_registry(struct berth_harbor_client *client, struct registry *registry,
                                     const struct berth_harbor_client_config *config,
                                     const struct berth_harbor_registry_config *its_config,
                                     struct berth_error *reterr);
static void tear_down_registry(struct berth_harbor_client *client, struct registry *registry);
static struct job *take_first(struct registry *registry);
static void libevent_kick_cb(evutil_socket_t fd, short what, void *ctx);
static void start_waiting(struct registry *registry);
static enum berth_rc start(struct slot *slot);
static void release(struct slot *slot);
static bool is_late(const struct berth_harbor_call *call);
static void on_transfer_done(void *ctx, CURL *easy, CURLcode code);
static struct berth_harbor_answer not_sent(const char *why);
static void answer(struct registry *registry, struct job *job,
                   const struct berth_harbor_answer *its_answer);

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
    client->on_answer = config->on_answer;
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
    *job = (struct job){.call_id = call_id, .call = *call};
    if (registry->first == NULL) {
        registry->first = job;
    } else {
        registry->last->next = job;
    }
    registry->last = job;
    registry->in_flight++;
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
        connections += config->registries[i].limit;
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
    enum berth_rc rc = berth_harbor_endpoint_init(&registry->endpoint, config, its_config, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    registry->client = client;
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
    for (size_t i = 0; i < registry->slots_count; i++) {
        struct slot *slot = &registry->slots[i];
        if (slot->job != NULL) {
            berth_curl_loop_remove(client->loop, berth_harbor_transfer_easy(slot->transfer));
            free(slot->job);
        }
        (void)berth_harbor_transfer_free(slot->transfer);
    }
    free(registry->slots);
    while (registry->first != NULL) {
        free(take_first(registry));
    }
    berth_harbor_endpoint_deinit(&registry->endpoint);
}

/* Takes the longest waiting job out of the queue. */
static struct job *take_first(struct registry *registry) {
    struct job *job = registry->first;
    registry->first = job->next;
    return job;
}

static void libevent_kick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_harbor_client *client = ctx;
    for (size_t i = 0; i < client->registries_count; i++) {
        start_waiting(&client->registries[i]);
    }
}

static void start_waiting(struct registry *registry) {
    while (registry->first != NULL && registry->idle != NULL) {
        struct job *job = take_first(registry);
        if (is_late(&job->call)) {
            struct berth_harbor_answer its_answer =
                not_sent("too late to be sent under this lease");
            answer(registry, job, &its_answer);
            continue;
        }
        struct slot *slot = registry->idle;
        registry->idle = slot->next_idle;
        slot->job = job;
        if (start(slot) != BERTH_OK) {
            release(slot);
            struct berth_harbor_answer its_answer = not_sent("no memory for the request");
            answer(registry, job, &its_answer);
        }
    }
}

static enum berth_rc start(struct slot *slot) {
    struct registry *registry = slot->registry;
    if (slot->transfer == NULL) {
        enum berth_rc rc = berth_harbor_transfer_new(&registry->endpoint, slot, &slot->transfer);
        if (rc != BERTH_OK) {
            return rc;
        }
        rc = berth_curl_loop_prepare(registry->client->loop,
                                     berth_harbor_transfer_easy(slot->transfer));
        if (rc != BERTH_OK) {
            slot->transfer = berth_harbor_transfer_free(slot->transfer);
            return rc;
        }
    }
    enum berth_rc rc = berth_harbor_transfer_begin(slot->transfer, &slot->job->call);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = berth_curl_loop_add(registry->client->loop, berth_harbor_transfer_easy(slot->transfer));
    if (rc != BERTH_OK) {
        berth_harbor_transfer_abandon(slot->transfer);
    }
    return rc;
}

static void release(struct slot *slot) {
    slot->job = NULL;
    slot->next_idle = slot->registry->idle;
    slot->registry->idle = slot;
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
    struct berth_harbor_decoded decoded;
    if (!berth_harbor_transfer_end(slot->transfer, code, &decoded)) {
        if (berth_curl_loop_add(client->loop, easy) == BERTH_OK) {
            return;
        }
        berth_harbor_transfer_abandon(slot->transfer);
        decoded.answer = not_sent("no memory for the request");
    }
    struct job *job = slot->job;
    release(slot);
    /* The registry first: its next request is under way while the answer is looked at. */
    start_waiting(registry);
    answer(registry, job, &decoded.answer);
    berth_harbor_decoded_deinit(&decoded);
}

static struct berth_harbor_answer not_sent(const char *why) {
    struct berth_harbor_answer its_answer = {.verdict = BERTH_HARBOR_NOT_SENT};
    (void)snprintf(its_answer.error, sizeof its_answer.error, "%s", why);
    return its_answer;
}

/* The end of a job. Whoever is called may submit, so everything is in order before. */
static void answer(struct registry *registry, struct job *job,
                   const struct berth_harbor_answer *its_answer) {
    struct berth_harbor_client *client = registry->client;
    registry->in_flight--;
    client->answering = true;
    client->on_answer(client->ctx, job->call_id, &job->call, its_answer);
    client->answering = false;
    free(job);
}
