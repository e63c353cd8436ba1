/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_world.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The world ---- */

void world_init(struct world *world, const char *host, uint16_t port) {
    *world = (struct world){.port = port};
    snprintf(world->host, sizeof(world->host), "%s", host);
    snprintf(world->address, sizeof(world->address), "%s:%u", host, port);
    world->base = event_base_new();
    assert_non_null(world->base);
    struct timeval timeout = {.tv_sec = 10};
    world->redis = redisConnectWithTimeout(host, port, timeout);
    assert_non_null(world->redis);
    assert_int_equal(world->redis->err, 0);
}

void world_deinit(struct world *world) {
    redisFree(world->redis);
    event_base_free(world->base);
}

int world_setup(void **state) {
    const char *address = getenv("BERTH_TEST_REDIS");
    const char *colon = address == NULL ? NULL : strrchr(address, ':');
    if (colon == NULL) {
        fail_msg("BERTH_TEST_REDIS must be host:port");
        return -1;
    }
    char host[64];
    snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
    struct world *world = malloc(sizeof(*world));
    assert_non_null(world);
    world_init(world, host, (uint16_t)strtol(colon + 1, NULL, 10));
    assert_string_equal(redis_says(world, "FLUSHALL"), "OK");
    world_begin_data_set(world);
    *state = world;
    return 0;
}

int world_teardown(void **state) {
    world_deinit(*state);
    free(*state);
    return 0;
}

void world_begin_data_set(struct world *world) {
    assert_string_equal(redis_says(world, "SET berth:v1:epoch %s", WORLD_EPOCH " 1700000000000"),
                        "OK");
}

void world_forget(struct world *world) {
    static const char script[] =
        "for _, key in ipairs(redis.call('KEYS', '*')) do\n"
        "  if key ~= 'berth:v1:epoch' and key:sub(1, 17) ~= 'berth:v1:sequence' then\n"
        "    redis.call('DEL', key)\n"
        "  end\n"
        "end";
    redis_says(world, "EVAL %s 0", script);
}

static void gave_up_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    bool *gave_up = ctx;
    *gave_up = true;
}

void world_run_until(struct world *world, bool (*done)(void *ctx), void *ctx) {
    bool gave_up = false;
    struct event *limit = evtimer_new(world->base, gave_up_cb, &gave_up);
    assert_non_null(limit);
    struct timeval ten_seconds = {.tv_sec = 10};
    assert_int_equal(evtimer_add(limit, &ten_seconds), 0);
    while (!done(ctx) && !gave_up) {
        event_base_loop(world->base, EVLOOP_ONCE);
    }
    event_free(limit);
    assert_false(gave_up);
}

static void write_reply(const redisReply *reply, char *text, size_t bytes) {
    if (reply->type == REDIS_REPLY_INTEGER) {
        snprintf(text, bytes, "%lld", reply->integer);
    } else if (reply->type == REDIS_REPLY_NIL) {
        snprintf(text, bytes, "(nil)");
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        text[0] = '\0';
        for (size_t i = 0; i < reply->elements; i++) {
            size_t used = strlen(text);
            if (i > 0) {
                snprintf(text + used, bytes - used, " ");
                used = strlen(text);
            }
            write_reply(reply->element[i], text + used, bytes - used);
        }
    } else {
        snprintf(text, bytes, "%s", reply->str);
    }
}

const char *redis_says(struct world *world, const char *format, ...) {
    static char texts[2][8192];
    static size_t next = 0;
    char *text = texts[next++ % 2];
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(world->redis, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    write_reply(reply, text, sizeof(texts[0]));
    freeReplyObject(reply);
    return text;
}

char *redis_snapshot(struct world *world) {
    static const char script[] = "local all = {}\n"
                                 "local keys = redis.call('KEYS', '*')\n"
                                 "table.sort(keys)\n"
                                 "for _, key in ipairs(keys) do\n"
                                 "  local kind = redis.call('TYPE', key).ok\n"
                                 "  local lines = {}\n"
                                 "  if kind == 'hash' then\n"
                                 "    local flat = redis.call('HGETALL', key)\n"
                                 "    for i = 1, #flat, 2 do\n"
                                 "      lines[#lines + 1] = flat[i] .. '=' .. flat[i + 1]\n"
                                 "    end\n"
                                 "  elseif kind == 'zset' then\n"
                                 "    lines = redis.call('ZRANGE', key, 0, -1)\n"
                                 "  else\n"
                                 "    lines = {redis.call('GET', key)}\n"
                                 "  end\n"
                                 "  table.sort(lines)\n"
                                 "  local ttl = redis.call('TTL', key) >= 0 and 'ends' or 'stays'\n"
                                 "  all[#all + 1] = key .. ' ' .. ttl .. '\\n  '\n"
                                 "      .. table.concat(lines, '\\n  ')\n"
                                 "end\n"
                                 "return table.concat(all, '\\n')";
    redisReply *reply = redisCommand(world->redis, "EVAL %s 0", script);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    char *text = strdup(reply->str);
    assert_non_null(text);
    freeReplyObject(reply);
    return text;
}

/* ---- Workers ---- */

static void copy_state(struct berth_space_state *state) {
    if (state->bindings_count > 0) {
        size_t bytes = state->bindings_count * sizeof(*state->bindings);
        struct berth_binding *bindings = malloc(bytes);
        assert_non_null(bindings);
        memcpy(bindings, state->bindings, bytes);
        state->bindings = bindings;
    }
}

static void keep_answer(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                        struct berth_bytes stored) {
    struct worker *worker = ctx;
    assert_false(worker->submitting);
    assert_true(worker->answers_count < WORLD_ANSWERS_MAX);
    struct kept_answer *kept = &worker->answers[worker->answers_count++];
    *kept = (struct kept_answer){.call_id = call_id, .answer = *answer, .stored_len = stored.len};
    if (answer->bad_key != NULL) {
        snprintf(kept->bad_key, sizeof(kept->bad_key), "%s", answer->bad_key);
        kept->answer.bad_key = kept->bad_key;
    }
    if (stored.len > 0) {
        kept->stored = malloc(stored.len);
        assert_non_null(kept->stored);
        memcpy(kept->stored, stored.data, stored.len);
    }
    if (!answer->unavailable && answer->kind == BERTH_LEDGER_CLAIM) {
        copy_state(&kept->answer.claim.before);
        copy_state(&kept->answer.claim.state);
    }
    if (!answer->unavailable && answer->kind == BERTH_LEDGER_RENEW) {
        bool *held = calloc(answer->renew.count, sizeof(*held));
        assert_non_null(held);
        memcpy(held, answer->renew.held, answer->renew.count * sizeof(*held));
        kept->answer.renew.held = held;
    }
    if (!answer->unavailable && answer->kind == BERTH_LEDGER_BASES) {
        struct berth_kept_base *bases = calloc(answer->bases.count, sizeof(*bases));
        assert_non_null(bases);
        memcpy(bases, answer->bases.kept, answer->bases.count * sizeof(*bases));
        kept->answer.bases.kept = bases;
    }
    if (worker->on_answer != NULL) {
        worker->on_answer(worker);
    }
}

static void forget_answers(struct worker *worker) {
    for (size_t i = 0; i < worker->answers_count; i++) {
        struct kept_answer *kept = &worker->answers[i];
        free(kept->stored);
        if (!kept->answer.unavailable && kept->answer.kind == BERTH_LEDGER_CLAIM) {
            free(kept->answer.claim.before.bindings);
            free(kept->answer.claim.state.bindings);
        }
        if (!kept->answer.unavailable && kept->answer.kind == BERTH_LEDGER_RENEW) {
            free((void *)(uintptr_t)kept->answer.renew.held);
        }
        if (!kept->answer.unavailable && kept->answer.kind == BERTH_LEDGER_BASES) {
            free((void *)(uintptr_t)kept->answer.bases.kept);
        }
    }
    worker->answers_count = 0;
}

static void keep_state(void *ctx, bool available, const char *why) {
    struct worker *worker = ctx;
    worker->available = available;
    worker->changes++;
    snprintf(worker->why, sizeof(worker->why), "%s", why);
}

static void keep_warning(void *ctx, const char *text) {
    struct worker *worker = ctx;
    worker->warnings++;
    snprintf(worker->warning, sizeof(worker->warning), "%s", text);
}

static const char *incarnation_of(int number) {
    static char texts[4][BERTH_UUID_BYTES];
    char *text = texts[number % 4];
    snprintf(text, BERTH_UUID_BYTES, "aaaaaaaa-0000-4000-8000-%012d", number);
    return text;
}

static const char *instance_of(int number) {
    static char texts[4][32];
    char *text = texts[number % 4];
    snprintf(text, sizeof(texts[0]), "worker-%d.example", number);
    return text;
}

void worker_config(struct world *world, struct worker *worker, int number,
                   struct berth_ledger_config *ret_config) {
    *worker = (struct worker){.world = world};
    *ret_config = (struct berth_ledger_config){
        .base = world->base,
        .server = {.address = world->address, .timeout_ms = 2000},
        .prefix = "berth:v1:",
        .instance = instance_of(number),
        .incarnation = incarnation_of(number),
        .memory_ms = MEMORY_MS,
        .tombstone_ms = MEMORY_MS,
        .pending_max = 100,
        .seed = (uint64_t)number,
        .on_answer = keep_answer,
        .on_state = keep_state,
        .on_warning = keep_warning,
        .ctx = worker,
    };
}

void worker_start(struct worker *worker, const struct berth_ledger_config *config) {
    struct berth_error error = {""};
    assert_int_equal(berth_ledger_new(config, &worker->ledger, &error), BERTH_OK);
    assert_int_equal(worker->changes, 0);
}

static bool is_available(void *ctx) {
    struct worker *worker = ctx;
    return worker->available;
}

static bool is_unavailable(void *ctx) {
    struct worker *worker = ctx;
    return worker->changes > 0 && !worker->available;
}

void worker_wait_available(struct worker *worker) {
    world_run_until(worker->world, is_available, worker);
    assert_true(berth_ledger_available(worker->ledger));
}

void worker_wait_unavailable(struct worker *worker) {
    world_run_until(worker->world, is_unavailable, worker);
    assert_false(berth_ledger_available(worker->ledger));
}

void worker_init_as(struct world *world, struct worker *worker, int instance, int incarnation) {
    struct berth_ledger_config config;
    worker_config(world, worker, instance, &config);
    config.incarnation = incarnation_of(incarnation);
    worker_start(worker, &config);
    worker_wait_available(worker);
}

void worker_init(struct world *world, struct worker *worker, int number) {
    worker_init_as(world, worker, number, number);
}

void worker_deinit(struct worker *worker) {
    worker->ledger = berth_ledger_free(worker->ledger);
    forget_answers(worker);
}

void worker_submit(struct worker *worker, uint64_t call_id, const struct berth_ledger_call *call,
                   const char *publication) {
    uint8_t data[64];
    struct berth_publication packed = {.data = data};
    if (publication != NULL) {
        packed.len = strlen(publication);
        packed.result_len = strcspn(publication, "|");
        assert_true(packed.len <= sizeof(data));
        memcpy(data, publication, packed.len);
    }
    worker->submitting = true;
    assert_int_equal(
        berth_ledger_submit(worker->ledger, call_id, call, publication == NULL ? NULL : &packed),
        BERTH_OK);
    worker->submitting = false;
    /* Everything was borrowed for the call only. */
    memset(data, 'x', sizeof(data));
}

struct answers_wanted {
    struct worker *worker;
    size_t count;
};

static bool are_answered(void *ctx) {
    struct answers_wanted *wanted = ctx;
    return wanted->worker->answers_count >= wanted->count;
}

void worker_wait_answers(struct worker *worker, size_t count) {
    struct answers_wanted wanted = {worker, count};
    world_run_until(worker->world, are_answered, &wanted);
    assert_int_equal(worker->answers_count, count);
}

const struct kept_answer *worker_answer(const struct worker *worker, uint64_t call_id) {
    for (size_t i = 0; i < worker->answers_count; i++) {
        if (worker->answers[i].call_id == call_id) {
            return &worker->answers[i];
        }
    }
    fail_msg("call %llu wasn't answered", (unsigned long long)call_id);
    return NULL;
}

const struct kept_answer *worker_ask(struct worker *worker, const struct berth_ledger_call *call,
                                     const char *publication) {
    forget_answers(worker);
    worker_submit(worker, 7, call, publication);
    worker_wait_answers(worker, 1);
    const struct kept_answer *kept = worker_answer(worker, 7);
    assert_int_equal(kept->answer.kind, call->kind);
    return kept;
}

/* ---- Calls ---- */

struct berth_command a_command(int number, const char *space) {
    struct berth_command command = {.type = BERTH_CREATE_SPACE, .registry = "alpha"};
    snprintf(command.id, sizeof(command.id), "bbbbbbbb-0000-4000-8000-%012d", number);
    snprintf(command.space, sizeof(command.space), "%s", space);
    memset(command.digest, number, sizeof(command.digest));
    return command;
}

struct berth_source a_source(int64_t offset) {
    return (struct berth_source){.topic = "berth.commands.alpha", .partition = 3, .offset = offset};
}

static uint64_t claims;

struct berth_ledger_call a_claim(const struct berth_command *command,
                                 const struct berth_source *source) {
    return (struct berth_ledger_call){
        .kind = BERTH_LEDGER_CLAIM,
        .claim = {.command = command,
                  .source = source,
                  .number = ++claims,
                  .warm_since_ms = WALL_MS - HOUR_MS,
                  .now_wall_ms = WALL_MS},
    };
}

struct berth_ledger_call the_last_claim_again(const struct berth_command *command,
                                              const struct berth_source *source) {
    claims--;
    return a_claim(command, source);
}

const struct berth_claim_answer *take(struct worker *worker, const struct berth_command *command,
                                      const struct berth_source *source) {
    struct berth_ledger_call call = a_claim(command, source);
    const struct kept_answer *kept = worker_ask(worker, &call, NULL);
    assert_false(kept->answer.unavailable);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    return &kept->answer.claim;
}

struct berth_space_state a_space(enum berth_visibility visibility, struct berth_binding *bindings,
                                 size_t count) {
    return (struct berth_space_state){
        .knowledge = BERTH_SPACE_PRESENT,
        .project_id = 41,
        .visibility = visibility,
        .quota_bytes = BERTH_QUOTA_UNLIMITED,
        .created_by = "bbbbbbbb-0000-4000-8000-000000000001",
        .updated_by = "bbbbbbbb-0000-4000-8000-000000000002",
        .updated_at_ms = WALL_MS - 5,
        .verified_at_ms = WALL_MS,
        .bindings = bindings,
        .bindings_count = count,
    };
}

struct berth_binding a_binding(const char *workspace, int64_t robot_id) {
    struct berth_binding binding = {.robot_id = robot_id, .key_id = "0badc0de"};
    snprintf(binding.workspace, sizeof(binding.workspace), "%s", workspace);
    return binding;
}

struct berth_outcome *an_outcome(enum berth_outcome_kind kind,
                                 const struct berth_space_state *after) {
    static struct berth_outcome outcome;
    outcome = (struct berth_outcome){.kind = kind, .final = true};
    if (after != NULL) {
        outcome.after = *after;
    }
    return &outcome;
}

struct berth_ledger_call a_store(const struct berth_command *command,
                                 const struct berth_source *source, int64_t token,
                                 const struct berth_outcome *outcome) {
    return (struct berth_ledger_call){
        .kind = BERTH_LEDGER_STORE,
        .store = {.command = command,
                  .source = source,
                  .token = token,
                  .outcome = outcome,
                  .write_state = outcome->after.knowledge != BERTH_SPACE_UNKNOWN,
                  .free_lane = true},
    };
}

int64_t settle(struct worker *worker, const struct berth_command *command,
               const struct berth_source *source, const struct berth_space_state *after,
               const char *publication) {
    int64_t token = take(worker, command, source)->token;
    struct berth_ledger_call call =
        a_store(command, source, token, an_outcome(BERTH_SUCCEEDED, after));
    const struct kept_answer *kept = worker_ask(worker, &call, publication);
    assert_false(kept->answer.unavailable);
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_STORED);
    return token;
}
