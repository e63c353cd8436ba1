/* SPDX-License-Identifier: Apache-2.0 */
#include "lookups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/lookup_json.h"
#include "berth/core/command_rules.h"

/* When it is worth asking again: a registry or Redis that went comes back within seconds or takes
 * long; what is too much for now is less soon. */
#define REBUILDING_RETRY_S  5
#define UNAVAILABLE_RETRY_S 2
#define OVERLOADED_RETRY_S  1

#define BAD_REQUEST   "request.invalid"
#define PROBLEM_BYTES 512

/* Of a pattern: "/v1/registries/{}/spaces/{}". */
#define FIRST_NAME  2
#define SECOND_NAME 4

/* What the query of a list may hold besides public, limit and after. */
enum list_parameter {
    MAY_NAME_WORKSPACE,
    MAY_NAME_REGISTRY,
};

/* What is wrong with a request: one sentence. */
struct problem {
    char text[PROBLEM_BYTES];
};

static berth_admin_handler_fn spaces_of_registry;
static berth_admin_handler_fn spaces_of_workspace;
static berth_admin_handler_fn one_space;

static const struct berth_admin_route routes[] = {
    {"/v1/registries/{}/spaces", spaces_of_registry},
    {"/v1/registries/{}/spaces/{}", one_space},
    {"/v1/workspaces/{}/spaces", spaces_of_workspace},
};

static bool registry_is_known(const struct lookups *lookups, const char *name,
                              struct berth_admin_reply *reply);
static void list(const struct lookups *lookups, const struct berth_http_request *request,
                 enum list_parameter other, struct berth_lookup_query *query,
                 struct berth_admin_reply *take_reply);
static bool read_query(const struct berth_http_request *request, enum list_parameter other,
                       struct berth_lookup_query *query, struct problem *problem);
static bool read_parameter(const struct berth_http_parameter *parameter, enum list_parameter other,
                           struct berth_lookup_query *query, struct problem *problem);
static bool is_repeated(const struct berth_http_request *request, size_t index);
static bool workspace_is_legal(const char *id, struct problem *problem);
static bool read_public(const char *text, bool *ret_public, struct problem *problem);
static bool read_limit(const char *text, size_t *ret_limit, struct problem *problem);
static bool cursor_fits(const struct berth_lookup_query *query, struct problem *problem);
static void listed(void *ctx, const struct berth_lookup_answer *answer);
static void told(void *ctx, const struct berth_lookup_answer *answer);
static enum berth_rc write_page(const struct berth_lookup_answer *answer,
                                struct berth_buffer *body);
static void send_body(struct berth_admin_reply *take_reply, enum berth_rc rc,
                      struct berth_buffer *take_body);
static void refuse(struct berth_admin_reply *take_reply, const struct berth_lookup_answer *answer);
static void refuse_request(struct berth_admin_reply *take_reply, const struct problem *problem);
static void refuse_for_memory(struct berth_admin_reply *take_reply);

void lookups_serve(struct lookups *lookups, struct berth_admin_http *server) {
    berth_admin_http_serve(server, routes, sizeof(routes) / sizeof(routes[0]), lookups);
}

/* ---- Routes ---- */

static void spaces_of_registry(void *ctx, const struct berth_http_request *request,
                               struct berth_admin_reply *take_reply) {
    const struct lookups *lookups = ctx;
    struct berth_lookup_query query = {.registry = request->segments[FIRST_NAME]};
    if (registry_is_known(lookups, query.registry, take_reply)) {
        list(lookups, request, MAY_NAME_WORKSPACE, &query, take_reply);
    }
}

static void spaces_of_workspace(void *ctx, const struct berth_http_request *request,
                                struct berth_admin_reply *take_reply) {
    const struct lookups *lookups = ctx;
    struct berth_lookup_query query = {.workspace = request->segments[FIRST_NAME]};
    struct problem problem;
    if (!workspace_is_legal(query.workspace, &problem)) {
        refuse_request(take_reply, &problem);
        return;
    }
    list(lookups, request, MAY_NAME_REGISTRY, &query, take_reply);
}

static void one_space(void *ctx, const struct berth_http_request *request,
                      struct berth_admin_reply *take_reply) {
    const struct lookups *lookups = ctx;
    const char *registry = request->segments[FIRST_NAME];
    const char *space = request->segments[SECOND_NAME];
    struct problem problem;
    if (!registry_is_known(lookups, registry, take_reply)) {
        return;
    }
    if (request->parameters_count > 0) {
        (void)snprintf(problem.text, sizeof(problem.text), "%.64s: there is no such parameter here",
                       request->parameters[0].name);
        refuse_request(take_reply, &problem);
        return;
    }
    if (!berth_harbor_name_legal(space) || strlen(space) > BERTH_SPACE_NAME_BYTES_MAX) {
        (void)snprintf(problem.text, sizeof(problem.text),
                       "%.64s can't be the name of a space, which is made of lower-case letters "
                       "and digits in groups joined by single '.', '_' or '-', at most %d in all",
                       space, BERTH_SPACE_NAME_BYTES_MAX);
        refuse_request(take_reply, &problem);
        return;
    }
    if (berth_lookup_one(lookups->lookup, registry, space, told, take_reply) != BERTH_OK) {
        refuse_for_memory(take_reply);
    }
}

/* False: the reply was taken. */
static bool registry_is_known(const struct lookups *lookups, const char *name,
                              struct berth_admin_reply *reply) {
    if (berth_config_find_registry(lookups->config, name) != NULL) {
        return true;
    }
    char message[PROBLEM_BYTES];
    (void)snprintf(message, sizeof(message), "no registry %.64s is configured", name);
    berth_admin_reply_error(reply, 404, 0, "registry.unknown", message);
    return false;
}

static void list(const struct lookups *lookups, const struct berth_http_request *request,
                 enum list_parameter other, struct berth_lookup_query *query,
                 struct berth_admin_reply *take_reply) {
    struct problem problem;
    if (!read_query(request, other, query, &problem)) {
        refuse_request(take_reply, &problem);
        return;
    }
    if (other == MAY_NAME_REGISTRY && query->registry != NULL &&
        !registry_is_known(lookups, query->registry, take_reply)) {
        return;
    }
    if (berth_lookup_list(lookups->lookup, query, listed, take_reply) != BERTH_OK) {
        refuse_for_memory(take_reply);
    }
}

/* ---- Parameters: what isn't known is refused, since a slip in a filter would show too much ----
 */

static bool read_query(const struct berth_http_request *request, enum list_parameter other,
                       struct berth_lookup_query *query, struct problem *problem) {
    query->limit = BERTH_LOOKUP_PAGE_DEFAULT;
    for (size_t i = 0; i < request->parameters_count; i++) {
        const struct berth_http_parameter *parameter = &request->parameters[i];
        if (is_repeated(request, i)) {
            (void)snprintf(problem->text, sizeof(problem->text), "%.64s is given twice",
                           parameter->name);
            return false;
        }
        if (!read_parameter(parameter, other, query, problem)) {
            return false;
        }
    }
    return cursor_fits(query, problem);
}

static bool read_parameter(const struct berth_http_parameter *parameter, enum list_parameter other,
                           struct berth_lookup_query *query, struct problem *problem) {
    if (strcmp(parameter->name, "public") == 0) {
        return read_public(parameter->value, &query->public, problem);
    }
    if (strcmp(parameter->name, "limit") == 0) {
        return read_limit(parameter->value, &query->limit, problem);
    }
    if (strcmp(parameter->name, "after") == 0) {
        query->after = parameter->value;
        return true;
    }
    if (other == MAY_NAME_WORKSPACE && strcmp(parameter->name, "workspace") == 0) {
        query->workspace = parameter->value;
        return workspace_is_legal(parameter->value, problem);
    }
    if (other == MAY_NAME_REGISTRY && strcmp(parameter->name, "registry") == 0) {
        query->registry = parameter->value;
        return true;
    }
    (void)snprintf(problem->text, sizeof(problem->text),
                   "%.64s: there is no such parameter here; there are %s, public, limit and after",
                   parameter->name, other == MAY_NAME_WORKSPACE ? "workspace" : "registry");
    return false;
}

static bool is_repeated(const struct berth_http_request *request, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(request->parameters[i].name, request->parameters[index].name) == 0) {
            return true;
        }
    }
    return false;
}

static bool workspace_is_legal(const char *id, struct problem *problem) {
    if (berth_workspace_id_legal(id)) {
        return true;
    }
    (void)snprintf(problem->text, sizeof(problem->text),
                   "workspace: '%.64s' can't be one, which is 1 to %d letters, digits, '.', '_' or "
                   "'-'",
                   id, BERTH_WORKSPACE_BYTES - 1);
    return false;
}

static bool read_public(const char *text, bool *ret_public, struct problem *problem) {
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0) {
        (void)snprintf(problem->text, sizeof(problem->text),
                       "public is true or false, and not '%.64s'", text);
        return false;
    }
    *ret_public = yes;
    return true;
}

static bool read_limit(const char *text, size_t *ret_limit, struct problem *problem) {
    size_t digits = strspn(text, "0123456789");
    long limit = digits <= 4 ? strtol(text, NULL, 10) : BERTH_LOOKUP_PAGE_MAX + 1;
    if (digits == 0 || text[digits] != '\0' || limit < 1 || limit > BERTH_LOOKUP_PAGE_MAX) {
        (void)snprintf(problem->text, sizeof(problem->text),
                       "limit is a number from 1 to %d, and not '%.64s'", BERTH_LOOKUP_PAGE_MAX,
                       text);
        return false;
    }
    *ret_limit = (size_t)limit;
    return true;
}

/* "registry/space", of the registry that is listed: else the page would be another list's. */
static bool cursor_fits(const struct berth_lookup_query *query, struct problem *problem) {
    const char *after = query->after;
    if (after == NULL || after[0] == '\0') {
        return true;
    }
    size_t registry_len = strcspn(after, "/");
    const char *space = after + registry_len + (after[registry_len] == '/' ? 1 : 0);
    bool fits = after[registry_len] == '/' && registry_len > 0 &&
                registry_len < BERTH_REGISTRY_BYTES && strlen(space) < BERTH_SPACE_BYTES &&
                berth_harbor_name_legal(space);
    if (fits && query->registry != NULL) {
        fits = strlen(query->registry) == registry_len &&
               strncmp(query->registry, after, registry_len) == 0;
    }
    if (!fits) {
        (void)snprintf(problem->text, sizeof(problem->text),
                       "after: '%.64s' isn't the \"next\" of a page of this list", after);
    }
    return fits;
}

/* ---- Answers ---- */

static void listed(void *ctx, const struct berth_lookup_answer *answer) {
    if (answer->outcome != BERTH_LOOKUP_FOUND) {
        refuse(ctx, answer);
        return;
    }
    struct berth_buffer body;
    berth_buffer_init(&body, BERTH_ADMIN_BODY_BYTES_MAX);
    enum berth_rc rc = write_page(answer, &body);
    send_body(ctx, rc, &body);
}

static enum berth_rc write_page(const struct berth_lookup_answer *answer,
                                struct berth_buffer *body) {
    enum berth_rc rc = berth_spaces_json_begin(answer->as_of_ms, body);
    for (size_t i = 0; rc == BERTH_OK && i < answer->spaces_count; i++) {
        const struct berth_lookup_space *space = &answer->spaces[i];
        rc = berth_spaces_json_add(space->registry, space->space, &space->state, body);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    if (!answer->more) {
        return berth_spaces_json_end(NULL, body);
    }
    BERTH_ASSERT(answer->spaces_count > 0); /* Where else would the next page begin? */
    const struct berth_lookup_space *last = &answer->spaces[answer->spaces_count - 1];
    char next[BERTH_LOOKUP_CURSOR_BYTES];
    (void)snprintf(next, sizeof(next), "%s/%s", last->registry, last->space);
    return berth_spaces_json_end(next, body);
}

static void told(void *ctx, const struct berth_lookup_answer *answer) {
    if (answer->outcome != BERTH_LOOKUP_FOUND) {
        refuse(ctx, answer);
        return;
    }
    BERTH_ASSERT(answer->spaces_count == 1);
    const struct berth_lookup_space *space = &answer->spaces[0];
    struct berth_buffer body;
    berth_buffer_init(&body, BERTH_ADMIN_BODY_BYTES_MAX);
    enum berth_rc rc = berth_space_json_write_as_of(answer->as_of_ms, space->registry, space->space,
                                                    &space->state, &body);
    send_body(ctx, rc, &body);
}

static void send_body(struct berth_admin_reply *take_reply, enum berth_rc rc,
                      struct berth_buffer *take_body) {
    if (rc == BERTH_OK) {
        berth_admin_reply_send(take_reply, 200, 0, take_body);
        return;
    }
    /* Never a part of it. A page has less than the limit, whatever its names are. */
    BERTH_ASSERT(rc == BERTH_FAULT_MEMORY);
    berth_buffer_deinit(take_body);
    refuse_for_memory(take_reply);
}

static void refuse(struct berth_admin_reply *take_reply, const struct berth_lookup_answer *answer) {
    switch (answer->outcome) {
    case BERTH_LOOKUP_FOUND:
        BERTH_UNREACHABLE("what was found is sent");
    case BERTH_LOOKUP_NOT_FOUND:
        berth_admin_reply_error(take_reply, 404, 0, "space.not_found", "there is no such space");
        return;
    case BERTH_LOOKUP_REBUILDING:
        berth_admin_reply_error(take_reply, 503, REBUILDING_RETRY_S, "lookup.rebuilding",
                                answer->why);
        return;
    case BERTH_LOOKUP_REDIS_UNAVAILABLE:
        berth_admin_reply_error(take_reply, 503, UNAVAILABLE_RETRY_S, "redis.unavailable",
                                answer->why);
        return;
    case BERTH_LOOKUP_HARBOR_UNAVAILABLE:
        berth_admin_reply_error(take_reply, 503, UNAVAILABLE_RETRY_S, "registry.unavailable",
                                answer->why);
        return;
    case BERTH_LOOKUP_OVERLOADED:
        berth_admin_reply_error(take_reply, 503, OVERLOADED_RETRY_S, "lookup.overloaded",
                                answer->why);
        return;
    }
    BERTH_UNREACHABLE("every outcome is listed");
}

static void refuse_request(struct berth_admin_reply *take_reply, const struct problem *problem) {
    berth_admin_reply_error(take_reply, 400, 0, BAD_REQUEST, problem->text);
}

static void refuse_for_memory(struct berth_admin_reply *take_reply) {
    berth_admin_reply_error(take_reply, 503, OVERLOADED_RETRY_S, "lookup.overloaded",
                            "there is no memory for the answer");
}
