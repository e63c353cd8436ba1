/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup_world.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/buffer.h"

#define NO_FAULTS                                                                                  \
    "{\"latency_ms\":0,\"away\":\"no\",\"read_only\":false,\"status\":0,\"count\":0,\"route\":"    \
    "\"\"}"
#define BODY_BYTES_MAX ((size_t)64 * 1024)

static char password[256];
static char deployment[] = "prod";
static char prefix[] = "berth:v1:";
/* Nobody listens on loopback's port 1. */
static char nowhere[] = "http://127.0.0.1:1";
static char uid[] = REGISTRY_UID;
static char names[LOOKUP_WORLD_REGISTRIES][16] = {"beta", "alpha", "alphab", "alpha-1"};

static char *from_environment(const char *name) {
    char *value = getenv(name);
    assert_non_null(value);
    return value;
}

/* ---- The stand-in's other side ---- */

static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx) {
    struct berth_buffer *body = ctx;
    return berth_buffer_append(body, data, size * count) == BERTH_OK ? size * count : 0;
}

/* Asks /registries/alpha/<what>; the body of the answer. */
static json_t *admin(const char *method, const char *what, const char *body) {
    char url[512];
    struct berth_buffer answer;
    long status = 0;
    berth_buffer_init(&answer, BODY_BYTES_MAX);
    (void)snprintf(url, sizeof url, "%s/registries/alpha/%s",
                   from_environment("BERTH_TEST_SANDBOX_ADMIN"), what);
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, url), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_PROXY, ""), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer), CURLE_OK);
    if (body != NULL) {
        assert_int_equal(curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body), CURLE_OK);
    }
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    assert_int_equal(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status), CURLE_OK);
    assert_int_equal(status, 200);
    curl_easy_cleanup(easy);
    json_t *json = answer.len == 0 ? NULL : json_loadb((char *)answer.data, answer.len, 0, NULL);
    berth_buffer_deinit(&answer);
    return json;
}

void harbor_faults(const char *json) {
    json_decref(admin("PUT", "faults", json));
}

void harbor_recovers(void) {
    harbor_faults(NO_FAULTS);
}

int64_t harbor_calls(const char *route) {
    json_t *counters = admin("GET", "counters", NULL);
    const json_t *counter = json_object_get(counters, route);
    assert_true(json_is_integer(counter));
    int64_t count = json_integer_value(counter);
    json_decref(counters);
    return count;
}

struct calls_wanted {
    const char *route;
    int64_t count;
};

static bool was_called(void *ctx) {
    const struct calls_wanted *wanted = ctx;
    return harbor_calls(wanted->route) >= wanted->count;
}

/* The loop may have nothing to do while the stand-in's other side is asked again and again. */
static void tick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    (void)ctx;
}

void wait_harbor_calls(struct lookup_world *lookup, const char *route, int64_t count) {
    struct calls_wanted wanted = {route, count};
    struct event *tick = event_new(lookup->world->base, -1, EV_PERSIST, tick_cb, NULL);
    assert_non_null(tick);
    const struct timeval pause = {.tv_usec = 2000};
    assert_int_equal(event_add(tick, &pause), 0);
    world_run_until(lookup->world, was_called, &wanted);
    event_free(tick);
}

int64_t harbor_project(struct lookup_world *lookup, const char *space,
                       enum berth_visibility visibility) {
    struct berth_harbor_call call = client_call(BERTH_HARBOR_CREATE_PROJECT);
    (void)snprintf(call.space, sizeof call.space, "%s", space);
    call.visibility = visibility;
    call.quota_bytes = BERTH_QUOTA_UNSET;
    lookup->harbor.answers_count = 0;
    const struct berth_harbor_answer *answer = client_ask(&lookup->harbor, &call);
    assert_int_equal(answer->verdict, BERTH_HARBOR_DONE);
    return answer->project_id;
}

int64_t harbor_robot(struct lookup_world *lookup, const char *space, int64_t project_id,
                     const char *workspace) {
    struct berth_harbor_call call = client_call(BERTH_HARBOR_CREATE_ROBOT);
    (void)snprintf(call.space, sizeof call.space, "%s", space);
    (void)snprintf(call.workspace, sizeof call.workspace, "%s", workspace);
    (void)snprintf(call.robot_name, sizeof call.robot_name, "ws-%.56s", workspace);
    call.project_id = project_id;
    lookup->harbor.answers_count = 0;
    const struct berth_harbor_answer *answer = client_ask(&lookup->harbor, &call);
    assert_int_equal(answer->verdict, BERTH_HARBOR_DONE);
    return answer->robot_id;
}

/* ---- Lookups ---- */

static void start(struct lookup_world *lookup) {
    const struct berth_lookup_config config = {
        .base = lookup->world->base, .config = &lookup->config, .seed = 7};
    struct berth_error error = {""};
    assert_int_equal(berth_lookup_new(&config, &lookup->lookup, &error), BERTH_OK);
}

void lookup_world_restart(struct lookup_world *lookup) {
    lookup->lookup = berth_lookup_free(lookup->lookup);
    start(lookup);
}

static void configure(struct lookup_world *lookup) {
    char *urls[LOOKUP_WORLD_REGISTRIES] = {from_environment("BERTH_TEST_HARBOR_BETA"),
                                           from_environment("BERTH_TEST_HARBOR_ALPHA"), nowhere,
                                           nowhere};
    for (size_t i = 0; i < LOOKUP_WORLD_REGISTRIES; i++) {
        lookup->registries[i] = (struct berth_config_registry){
            .name = names[i],
            .uid = uid,
            .url = urls[i],
            .username = from_environment("BERTH_TEST_HARBOR_USER"),
            .password = {.text = password, .len = strlen(password)},
            .login = BERTH_LOGIN_BASIC, /* Faults are about what is read, not about logins. */
            .limit = 4,
            .connect_timeout_ms = 5000,
            .request_timeout_ms = 10000,
        };
    }
    (void)snprintf(lookup->address, sizeof lookup->address, "%s:%u", lookup->world->host,
                   lookup->world->port);
    lookup->config = (struct berth_config){
        .deployment = deployment,
        .redis = {.address = lookup->address, .prefix = prefix, .timeout_ms = 5000},
        .registries = lookup->registries,
        .registries_count = LOOKUP_WORLD_REGISTRIES,
    };
}

static void configure_harbor(struct lookup_world *lookup) {
    FILE *file = fopen(from_environment("BERTH_TEST_HARBOR_PASSWORD_FILE"), "re");
    assert_non_null(file);
    assert_non_null(fgets(password, sizeof password, file));
    (void)fclose(file);
    client_fixture_init(&lookup->harbor, from_environment("BERTH_TEST_HARBOR_ALPHA"));
    lookup->harbor.registries[0].username = from_environment("BERTH_TEST_HARBOR_USER");
    lookup->harbor.registries[0].password = password;
    client_start(&lookup->harbor, 1);
    harbor_recovers();
    json_decref(admin("DELETE", "counters", NULL));
}

int lookup_world_setup(void **state) {
    struct lookup_world *lookup = calloc(1, sizeof(*lookup));
    assert_non_null(lookup);
    void *world = NULL;
    assert_int_equal(world_setup(&world), 0);
    lookup->world = world;
    configure_harbor(lookup);
    configure(lookup);
    start(lookup);
    *state = lookup;
    return 0;
}

int lookup_world_teardown(void **state) {
    struct lookup_world *lookup = *state;
    void *world = lookup->world;
    berth_lookup_free(lookup->lookup);
    client_fixture_deinit(&lookup->harbor);
    assert_int_equal(world_teardown(&world), 0);
    free(lookup);
    return 0;
}

/* ---- Asking ---- */

static void keep_name(const struct berth_lookup_space *space, char *ret_name) {
    (void)snprintf(ret_name, BERTH_LOOKUP_CURSOR_BYTES, "%s/%s", space->registry, space->space);
}

static void keep_answer(void *ctx, const struct berth_lookup_answer *answer) {
    struct lookup_world *lookup = ctx;
    assert_false(lookup->asking);
    assert_true(lookup->answers_count < LOOKUP_WORLD_ANSWERS);
    struct seen_answer *seen = &lookup->answers[lookup->answers_count++];
    *seen = (struct seen_answer){.outcome = answer->outcome,
                                 .as_of_ms = answer->as_of_ms,
                                 .spaces_count = answer->spaces_count,
                                 .more = answer->more};
    bool found = answer->outcome == BERTH_LOOKUP_FOUND || answer->outcome == BERTH_LOOKUP_NOT_FOUND;
    assert_true(found == (answer->why == NULL));
    (void)snprintf(seen->why, sizeof seen->why, "%s", found ? "" : answer->why);
    for (size_t i = 0; i < answer->spaces_count; i++) {
        const struct berth_lookup_space *space = &answer->spaces[i];
        seen->bindings_count += space->state.bindings_count;
        assert_int_equal(space->state.knowledge, BERTH_SPACE_PRESENT);
    }
    if (answer->spaces_count > 0) {
        keep_name(&answer->spaces[0], seen->first);
        keep_name(&answer->spaces[answer->spaces_count - 1], seen->last);
        seen->state = answer->spaces[0].state;
        for (size_t i = 0; i < seen->state.bindings_count && i < 4; i++) {
            seen->bindings[i] = seen->state.bindings[i];
        }
        seen->state.bindings = seen->bindings;
    }
    if (lookup->on_answer != NULL) {
        lookup->on_answer(lookup);
    }
}

void list_spaces(struct lookup_world *lookup, const struct berth_lookup_query *query) {
    lookup->asking = true;
    assert_int_equal(berth_lookup_list(lookup->lookup, query, keep_answer, lookup), BERTH_OK);
    lookup->asking = false;
}

void look_up(struct lookup_world *lookup, const char *registry, const char *space) {
    lookup->asking = true;
    assert_int_equal(berth_lookup_one(lookup->lookup, registry, space, keep_answer, lookup),
                     BERTH_OK);
    lookup->asking = false;
}

struct seen_wanted {
    const struct lookup_world *lookup;
    size_t count;
};

static bool are_seen(void *ctx) {
    const struct seen_wanted *wanted = ctx;
    return wanted->lookup->answers_count >= wanted->count;
}

void wait_answers(struct lookup_world *lookup, size_t count) {
    struct seen_wanted wanted = {lookup, count};
    world_run_until(lookup->world, are_seen, &wanted);
    assert_int_equal(lookup->answers_count, count);
}

const struct seen_answer *see_page(struct lookup_world *lookup,
                                   const struct berth_lookup_query *query) {
    lookup->answers_count = 0;
    list_spaces(lookup, query);
    wait_answers(lookup, 1);
    return &lookup->answers[0];
}

const struct seen_answer *see_doubt(struct lookup_world *lookup, const char *registry,
                                    const char *space) {
    lookup->answers_count = 0;
    lookup->asking = true;
    assert_int_equal(berth_lookup_doubt(lookup->lookup, registry, space, keep_answer, lookup),
                     BERTH_OK);
    lookup->asking = false;
    wait_answers(lookup, 1);
    return &lookup->answers[0];
}

const struct seen_answer *see_space(struct lookup_world *lookup, const char *registry,
                                    const char *space) {
    lookup->answers_count = 0;
    look_up(lookup, registry, space);
    wait_answers(lookup, 1);
    return &lookup->answers[0];
}

/* Keeps the names of each page behind those of the ones before. */
struct walk {
    char names[16384];
    size_t len;
    char last[BERTH_LOOKUP_CURSOR_BYTES];
    bool more;
    bool answered;
};

static void keep_names(void *ctx, const struct berth_lookup_answer *answer) {
    struct walk *walk = ctx;
    assert_int_equal(answer->outcome, BERTH_LOOKUP_FOUND);
    for (size_t i = 0; i < answer->spaces_count; i++) {
        keep_name(&answer->spaces[i], walk->last);
        int len = snprintf(walk->names + walk->len, sizeof walk->names - walk->len, "%s%s",
                           walk->len == 0 ? "" : " ", walk->last);
        walk->len += (size_t)len;
        assert_true(walk->len < sizeof walk->names);
    }
    walk->more = answer->more;
    walk->answered = true;
}

static bool is_answered(void *ctx) {
    const struct walk *walk = ctx;
    return walk->answered;
}

const char *see_names(struct lookup_world *lookup, struct berth_lookup_query query) {
    static struct walk walk;
    walk = (struct walk){.more = true};
    while (walk.more) {
        size_t before = walk.len;
        char after[BERTH_LOOKUP_CURSOR_BYTES];
        memcpy(after, walk.last, sizeof after);
        query.after = after;
        walk.answered = false;
        assert_int_equal(berth_lookup_list(lookup->lookup, &query, keep_names, &walk), BERTH_OK);
        memset(after, 'x', sizeof after); /* It was borrowed for the call only. */
        world_run_until(lookup->world, is_answered, &walk);
        assert_true(walk.len > before || !walk.more);
    }
    return walk.names;
}
