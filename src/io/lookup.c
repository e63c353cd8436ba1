/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/lookup.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"
#include "berth/io/clock.h"
#include "berth/io/harbor_client.h"
#include "berth/io/redis_client.h"
#include "lookup_parts.h"

/* The calls of a few pages, and the fills of as many flights as a few registries may have. */
#define PENDING_BYTES_MAX ((size_t)64 * 1024 * 1024)

extern const char berth_script_page[];
extern const char berth_script_space[];
extern const char berth_script_fill[];
extern const char berth_script_doubt[];

const char lookup_rebuilding_why[] = "what Redis holds is being rebuilt";

/* ---- Queues and ends ---- */

void lookup_queue_push(struct lookup_queue *queue, struct lookup_request *request) {
    request->next = NULL;
    if (queue->first == NULL) {
        queue->first = request;
    } else {
        queue->last->next = request;
    }
    queue->last = request;
}

struct lookup_request *lookup_queue_pop(struct lookup_queue *queue) {
    struct lookup_request *request = queue->first;
    if (request != NULL) {
        queue->first = request->next;
        request->next = NULL;
    }
    return request;
}

/* Whoever is answered may ask again, so everything is in order before. */
void lookup_end(struct lookup_request *request, const struct berth_lookup_answer *answer) {
    struct berth_lookup *lookup = request->lookup;
    BERTH_ASSERT(lookup->pending > 0);
    if (!request->refused) {
        lookup->pending--;
    }
    request->fn(request->ctx, answer);
    free(request);
}

void lookup_end_without(struct lookup_request *request, enum berth_lookup_outcome outcome,
                        const char *why, int64_t as_of_ms) {
    BERTH_ASSERT(why != NULL || outcome == BERTH_LOOKUP_NOT_FOUND);
    const struct berth_lookup_answer answer = {
        .outcome = outcome, .why = why, .as_of_ms = as_of_ms};
    lookup_end(request, &answer);
}

/* ---- What Redis says ---- */

static void end_found(struct lookup_request *request, const struct berth_lookup_space *spaces,
                      size_t count, bool more) {
    const struct berth_lookup_answer answer = {
        .outcome = BERTH_LOOKUP_FOUND,
        .as_of_ms = request->asked_ms,
        .spaces = spaces,
        .spaces_count = count,
        .more = more,
    };
    lookup_end(request, &answer);
}

static void end_space(struct lookup_request *request, const struct lookup_reply *reply) {
    struct berth_lookup *lookup = request->lookup;
    const struct lookup_absence *absence = NULL;
    switch (reply->state.knowledge) {
    case BERTH_SPACE_PRESENT: {
        struct berth_lookup_space space = {.state = reply->state};
        (void)snprintf(space.registry, sizeof(space.registry), "%s",
                       lookup->config->registries[request->registry].name);
        (void)snprintf(space.space, sizeof(space.space), "%s", request->space);
        end_found(request, &space, 1, false);
        break;
    }
    case BERTH_SPACE_ABSENT:
        lookup_end_without(request, BERTH_LOOKUP_NOT_FOUND, NULL, request->asked_ms);
        break;
    case BERTH_SPACE_UNKNOWN:
        absence = lookup_absent_find(&lookup->absent, request->registry, request->space,
                                     reply->mark.token, berth_clock_monotonic_ms());
        if (absence != NULL) {
            lookup_end_without(request, BERTH_LOOKUP_NOT_FOUND, NULL, absence->as_of_ms);
        } else if (lookup->harbor == NULL) {
            lookup_end_without(request, BERTH_LOOKUP_HARBOR_UNAVAILABLE, "it isn't asked",
                               request->asked_ms);
        } else {
            lookup_flight_join(request, &reply->mark);
        }
        break;
    }
}

static void redis_answered(void *ctx, const struct redisReply *redis_reply) {
    struct lookup_request *request = ctx;
    struct berth_lookup *lookup = request->lookup;
    if (lookup->freeing) {
        free(request);
        return;
    }
    lookup->asked--;
    event_active(lookup->kick, 0, 0);
    if (redis_reply == NULL) {
        /* The connection ended: right after this its state says why, and the kick answers. */
        lookup_queue_push(&lookup->waiting, request);
        return;
    }
    struct lookup_reply reply;
    lookup_reply_read(redis_reply, &reply);
    switch (reply.kind) {
    case LOOKUP_REPLY_PAGE:
        end_found(request, reply.spaces, reply.spaces_count, reply.more);
        break;
    case LOOKUP_REPLY_SPACE:
        end_space(request, &reply);
        break;
    case LOOKUP_REPLY_REBUILDING:
        lookup_end_without(request, BERTH_LOOKUP_REBUILDING, lookup_rebuilding_why,
                           request->asked_ms);
        break;
    case LOOKUP_REPLY_FILLED:
        BERTH_ASSERT(request->doubt); /* Else only a flight fills. */
        end_found(request, NULL, 0, false);
        break;
    case LOOKUP_REPLY_TROUBLE:
        lookup_end_without(request, BERTH_LOOKUP_REDIS_UNAVAILABLE, reply.why, request->asked_ms);
        break;
    }
    lookup_reply_deinit(&reply);
}

/* ---- Asking ---- */

static void ask_redis(struct lookup_request *request) {
    struct berth_lookup *lookup = request->lookup;
    request->asked_ms = berth_clock_wall_ms();
    enum berth_rc rc = request->list
                           ? lookup_words_page(lookup, request)
                           : lookup_words_space(lookup, request->registry, request->space);
    if (rc == BERTH_OK) {
        enum lookup_script script = request->list    ? LOOKUP_PAGE
                                    : request->doubt ? LOOKUP_DOUBT
                                                     : LOOKUP_SPACE;
        rc = berth_redis_client_run(lookup->redis, script, &lookup->args, redis_answered, request);
    }
    if (rc == BERTH_OK) {
        lookup->asked++;
    } else {
        lookup_end_without(request, BERTH_LOOKUP_REDIS_UNAVAILABLE,
                           rc == BERTH_BUSY ? "too much is being asked of Redis" : "out of memory",
                           request->asked_ms);
    }
}

/* Asks those that wait, or says why not. Those who ask again from within wait for the next kick. */
static void libevent_kick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_lookup *lookup = ctx;
    struct lookup_queue waiting = lookup->waiting;
    struct lookup_queue still = {NULL, NULL};
    lookup->waiting = still;
    struct lookup_request *request = lookup_queue_pop(&waiting);
    for (; request != NULL; request = lookup_queue_pop(&waiting)) {
        if (request->refused) {
            lookup_end_without(request, BERTH_LOOKUP_OVERLOADED,
                               "too many lookups are being answered", berth_clock_wall_ms());
        } else if (lookup->redis_said && !lookup->redis_ready) {
            lookup_end_without(request, BERTH_LOOKUP_REDIS_UNAVAILABLE, lookup->redis_why,
                               berth_clock_wall_ms());
        } else if (lookup->redis_ready && lookup->asked < LOOKUP_ASKED_MAX) {
            ask_redis(request);
        } else {
            lookup_queue_push(&still, request);
        }
    }
    /* Before those that came meanwhile. */
    while ((request = lookup_queue_pop(&lookup->waiting)) != NULL) {
        lookup_queue_push(&still, request);
    }
    lookup->waiting = still;
}

static enum berth_rc ask(struct berth_lookup *lookup, const struct lookup_request *asked) {
    struct lookup_request *request = malloc(sizeof(*request));
    if (request == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    *request = *asked;
    request->lookup = lookup;
    request->refused = lookup->pending >= BERTH_LOOKUP_PENDING_MAX;
    if (!request->refused) {
        lookup->pending++;
    }
    lookup_queue_push(&lookup->waiting, request);
    event_active(lookup->kick, 0, 0);
    return BERTH_OK;
}

enum berth_rc berth_lookup_list(struct berth_lookup *lookup, const struct berth_lookup_query *query,
                                berth_lookup_fn *fn, void *ctx) {
    BERTH_ASSERT(query->limit >= 1);
    BERTH_ASSERT(query->limit <= BERTH_LOOKUP_PAGE_MAX);
    BERTH_ASSERT(query->registry != NULL || query->workspace != NULL);
    struct lookup_request request = {
        .fn = fn,
        .ctx = ctx,
        .list = true,
        .public = query->public,
        .has_workspace = query->workspace != NULL,
        .limit = query->limit,
    };
    if (query->registry != NULL) {
        /* One that isn't configured has no spaces: no registry has the name "/". */
        bool configured = berth_config_find_registry(lookup->config, query->registry) != NULL;
        (void)snprintf(request.registry_name, sizeof(request.registry_name), "%s",
                       configured ? query->registry : "/");
    }
    if (query->workspace != NULL && berth_workspace_id_legal(query->workspace)) {
        (void)snprintf(request.workspace, sizeof(request.workspace), "%s", query->workspace);
    }
    if (query->after != NULL) {
        /* No name is longer than there is room, so what is cut off doesn't matter. */
        (void)snprintf(request.after, sizeof(request.after), "%s", query->after);
    }
    return ask(lookup, &request);
}

static enum berth_rc ask_one(struct berth_lookup *lookup, const char *registry, const char *space,
                             bool doubt, berth_lookup_fn *fn, void *ctx) {
    const struct berth_config *config = lookup->config;
    const struct berth_config_registry *found = berth_config_find_registry(config, registry);
    BERTH_ASSERT(found != NULL);
    BERTH_ASSERT(berth_harbor_name_legal(space));
    struct lookup_request request = {
        .fn = fn,
        .ctx = ctx,
        .doubt = doubt,
        .registry = (uint32_t)(found - config->registries),
    };
    BERTH_ASSERT(strlen(space) < sizeof(request.space));
    (void)snprintf(request.space, sizeof(request.space), "%s", space);
    return ask(lookup, &request);
}

enum berth_rc berth_lookup_one(struct berth_lookup *lookup, const char *registry, const char *space,
                               berth_lookup_fn *fn, void *ctx) {
    return ask_one(lookup, registry, space, false, fn, ctx);
}

enum berth_rc berth_lookup_doubt(struct berth_lookup *lookup, const char *registry,
                                 const char *space, berth_lookup_fn *fn, void *ctx) {
    return ask_one(lookup, registry, space, true, fn, ctx);
}

/* ---- Life ---- */

static void redis_changed(void *ctx, bool ready, const char *why) {
    struct berth_lookup *lookup = ctx;
    lookup->redis_said = true;
    lookup->redis_ready = ready;
    lookup->connections += ready ? 1 : 0;
    (void)snprintf(lookup->redis_why, sizeof(lookup->redis_why), "Redis at %s: %s",
                   lookup->config->redis.address, why);
    event_active(lookup->kick, 0, 0);
}

/* What an operator should mend is said where commands are worked on: lookups lose nothing. */
static void redis_warned(void *ctx, enum berth_redis_flaw flaw, const char *text) {
    (void)ctx;
    (void)flaw;
    (void)text;
}

static enum berth_rc make_redis(struct berth_lookup *lookup,
                                const struct berth_lookup_config *config,
                                struct berth_error *reterr) {
    static const struct berth_redis_script scripts[LOOKUP_SCRIPTS] = {
        [LOOKUP_PAGE] = {"page", berth_script_page},
        [LOOKUP_SPACE] = {"space", berth_script_space},
        [LOOKUP_FILL] = {"fill", berth_script_fill},
        [LOOKUP_DOUBT] = {"doubt", berth_script_doubt},
    };
    const struct berth_redis_client_config redis = {
        .base = config->base,
        .server = berth_config_redis_server(config->config),
        .scripts = scripts,
        .scripts_count = LOOKUP_SCRIPTS,
        .pending_max = 2 * (size_t)BERTH_LOOKUP_PENDING_MAX, /* Requests, and fills for them. */
        .pending_bytes_max = PENDING_BYTES_MAX,
        .seed = config->seed,
        .on_state = redis_changed,
        .on_warning = redis_warned,
        .ctx = lookup,
    };
    return berth_redis_client_new(&redis, &lookup->redis, reterr);
}

static struct berth_harbor_registry_config harbor_of(const struct berth_lookup *lookup,
                                                     size_t index);

static enum berth_rc make_harbor(struct berth_lookup *lookup,
                                 const struct berth_lookup_config *config,
                                 struct berth_error *reterr) {
    const struct berth_config *its = config->config;
    if (its->registries_count == 0 || config->redis_only) {
        return BERTH_OK;
    }
    struct berth_harbor_registry_config *registries =
        calloc(its->registries_count, sizeof(*registries));
    if (registries == NULL) {
        berth_error_set(reterr, "out of memory");
        return BERTH_FAULT_MEMORY;
    }
    for (size_t i = 0; i < its->registries_count; i++) {
        registries[i] = harbor_of(lookup, i);
    }
    const struct berth_harbor_client_config harbor = {
        .base = config->base,
        .deployment = its->deployment,
        .registries = registries,
        .registries_count = its->registries_count,
        /* For its id, which tells our robots from another installation's; nothing is ever written
         * from here. People's tools may be without. */
        .master_key = {.data = (const uint8_t *)its->master_key.text, .len = its->master_key.len},
        .seed = config->seed,
        .on_answer = lookup_flight_answered,
        .ctx = lookup,
    };
    enum berth_rc rc = berth_harbor_client_new(&harbor, &lookup->harbor, reterr);
    free(registries);
    return rc;
}

static struct berth_harbor_registry_config harbor_of(const struct berth_lookup *lookup,
                                                     size_t index) {
    struct berth_harbor_registry_config registry =
        berth_harbor_registry_configured(&lookup->config->registries[index]);
    registry.basic_login = registry.basic_login || lookup->one_shot;
    registry.limit = LOOKUP_HARBOR_LIMIT;
    /* A flight has one call under way, so there is always room. */
    registry.queue_max = LOOKUP_FLIGHTS_MAX;
    return registry;
}

enum berth_rc berth_lookup_reload(struct berth_lookup *lookup, struct berth_error *reterr) {
    enum berth_rc rc = BERTH_OK;
    for (size_t i = 0; rc == BERTH_OK && i < lookup->config->registries_count; i++) {
        const struct berth_harbor_registry_config registry = harbor_of(lookup, i);
        rc = berth_harbor_client_reload(lookup->harbor, i, &registry, reterr);
    }
    return rc;
}

/* The byte order of "a/" and "b/". */
static int compare_registries(const char *a, const char *b) {
    char left[BERTH_REGISTRY_BYTES + 1];
    char right[BERTH_REGISTRY_BYTES + 1];
    (void)snprintf(left, sizeof(left), "%s/", a);
    (void)snprintf(right, sizeof(right), "%s/", b);
    return strcmp(left, right);
}

static void put_in_order(struct berth_lookup *lookup) {
    const struct berth_config_registry *registries = lookup->config->registries;
    for (uint32_t i = 0; i < lookup->config->registries_count; i++) {
        size_t at = i;
        for (; at > 0 &&
               compare_registries(registries[lookup->order[at - 1]].name, registries[i].name) > 0;
             at--) {
            lookup->order[at] = lookup->order[at - 1];
        }
        lookup->order[at] = i;
    }
}

static enum berth_rc set_up(struct berth_lookup *lookup, const struct berth_lookup_config *config,
                            struct berth_error *reterr) {
    size_t places = config->config->registries_count + 1; /* Never none. */
    lookup->kick = event_new(config->base, -1, 0, libevent_kick_cb, lookup);
    lookup->flights_count = calloc(places, sizeof(*lookup->flights_count));
    lookup->order = calloc(places, sizeof(*lookup->order));
    if (lookup->kick == NULL || lookup->flights_count == NULL || lookup->order == NULL) {
        berth_error_set(reterr, "out of memory");
        return BERTH_FAULT_MEMORY;
    }
    put_in_order(lookup);
    enum berth_rc rc = make_harbor(lookup, config, reterr);
    return rc == BERTH_OK ? make_redis(lookup, config, reterr) : rc;
}

enum berth_rc berth_lookup_new(const struct berth_lookup_config *config,
                               struct berth_lookup **ret_lookup, struct berth_error *reterr) {
    struct berth_lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL) {
        berth_error_set(reterr, "out of memory");
        return BERTH_FAULT_MEMORY;
    }
    lookup->config = config->config;
    lookup->base = config->base;
    lookup->one_shot = config->one_shot;
    lookup->patience_ms = LOOKUP_PATIENCE_MS;
    berth_redis_args_init(&lookup->args);
    berth_random_init(&lookup->random, config->seed);
    lookup->name = berth_random_next(&lookup->random);
    enum berth_rc rc = set_up(lookup, config, reterr);
    if (rc != BERTH_OK) {
        berth_lookup_free(lookup);
        return rc;
    }
    *ret_lookup = lookup;
    return BERTH_OK;
}

struct berth_lookup *berth_lookup_free(struct berth_lookup *lookup) {
    if (lookup == NULL) {
        return NULL;
    }
    lookup->freeing = true;
    (void)berth_redis_client_free(lookup->redis);
    if (lookup->harbor != NULL) {
        berth_harbor_client_log_out(lookup->harbor);
    }
    (void)berth_harbor_client_free(lookup->harbor);
    lookup_flights_free(lookup);
    struct lookup_request *request = lookup_queue_pop(&lookup->waiting);
    for (; request != NULL; request = lookup_queue_pop(&lookup->waiting)) {
        free(request);
    }
    if (lookup->kick != NULL) {
        event_free(lookup->kick);
    }
    berth_redis_args_deinit(&lookup->args);
    free(lookup->flights_count);
    free(lookup->order);
    free(lookup);
    return NULL;
}
