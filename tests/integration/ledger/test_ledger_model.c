/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's Redis does what a real one does: random calls of two workers' ledgers and of
 * lookups, with late copies, lost connections, flushes and fail-overs to an older copy. Each reply
 * must be the same, and at the end everything that is in them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/redis_client.h"
#include "ledger_duel.h"

#define SEEDS 12
#define STEPS 1500

extern const char berth_script_page[];
extern const char berth_script_space[];
extern const char berth_script_fill[];

/* ---- Calls ---- */

static const char *space_of(size_t command) {
    static char names[2][NAME_BYTES];
    static size_t next;
    char *name = names[next++ % 2];
    snprintf(name, NAME_BYTES, "team-%zu", command % SPACES);
    return name;
}

static void submit(struct fighter *fighter, size_t command, const struct berth_ledger_call *call,
                   const struct berth_publication *publication) {
    if (fighter->waiting_count >= 16) {
        answer_all(fighter);
    }
    enum berth_rc rc =
        berth_ledger_submit(sim_link_ledger(fighter->link), command, call, publication);
    assert_true(rc == BERTH_OK || rc == BERTH_BUSY);
}

static struct berth_command command_of(struct duel *duel, size_t index) {
    struct berth_command command = a_command((int)index, space_of(index));
    if (one_in(duel, 30)) {
        command.digest[0] ^= 1; /* The id with other content. */
    }
    return command;
}

static struct berth_source source_of(struct duel *duel, size_t command) {
    static const char *const ids[] = {"one", "one", "other", ""};
    struct berth_source source = a_source((int64_t)(one_in(duel, 6) ? command + 20 : command));
    struct berth_log_mark mark = berth_log_mark_none(ids[below(duel, 4)]);
    memcpy(source.log_id, mark.id, sizeof(source.log_id));
    return source;
}

static void claim(struct fighter *fighter, size_t index) {
    struct duel *duel = fighter->duel;
    struct berth_command command = command_of(duel, index);
    struct berth_source source = source_of(duel, index);
    struct berth_ledger_call call =
        one_in(duel, 3) ? the_last_claim_again(&command, &source) : a_claim(&command, &source);
    call.claim.before_is_absent = one_in(duel, 3);
    call.claim.warm_since_ms = WALL_MS - (one_in(duel, 4) ? -HOUR_MS : HOUR_MS);
    call.claim.issued = one_in(duel, 20) ? BERTH_ISSUED_TOO_OLD : BERTH_ISSUED_FINE;
    call.claim.take_over = one_in(duel, 3);
    call.claim.mark = fighter->known[index].mark;
    call.claim.now_wall_ms = WALL_MS + below(duel, 1000);
    submit(fighter, index, &call, NULL);
}

static struct berth_space_state random_space(struct duel *duel, struct berth_binding *bindings,
                                             int64_t version) {
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        if (one_in(duel, 2)) {
            char workspace[16];
            snprintf(workspace, sizeof(workspace), "ws-%d", i);
            bindings[count++] = a_binding(workspace, 10 + below(duel, 5));
        }
    }
    struct berth_space_state state =
        a_space(one_in(duel, 2) ? BERTH_PUBLIC : BERTH_PRIVATE, bindings, count);
    state.version = version;
    if (one_in(duel, 5)) {
        state.verified_at_ms = 0;
    }
    return state;
}

static void remember(struct fighter *fighter, size_t index) {
    struct duel *duel = fighter->duel;
    struct berth_command command = command_of(duel, index);
    struct berth_binding bindings[3];
    struct berth_space_state before = random_space(duel, bindings, 5);
    struct berth_ledger_call call = {
        .kind = BERTH_LEDGER_REMEMBER,
        .remember = {&command, fighter->known[index].token, &before},
    };
    submit(fighter, index, &call, NULL);
}

/* What a store publishes goes to the topic now and then. */
static void publish(struct duel *duel, size_t index, const struct berth_space_state *state,
                    int64_t version) {
    if (duel->states_count == STATES_MAX || one_in(duel, 3)) {
        return;
    }
    size_t at = duel->states_count++;
    snprintf(duel->states[at].space, NAME_BYTES, "%s", space_of(index));
    struct berth_space_state *kept = &duel->states[at].state;
    *kept = *state;
    kept->version = version;
    if (state->knowledge != BERTH_SPACE_PRESENT) {
        *kept = (struct berth_space_state){.knowledge = BERTH_SPACE_UNKNOWN};
        return;
    }
    memcpy(duel->states[at].bindings, state->bindings,
           state->bindings_count * sizeof(*state->bindings));
    kept->bindings = duel->states[at].bindings;
}

static void store(struct fighter *fighter, size_t index) {
    struct duel *duel = fighter->duel;
    struct berth_command command = command_of(duel, index);
    struct berth_source source = source_of(duel, index);
    struct berth_binding bindings[3];
    int64_t token = fighter->known[index].token;
    struct berth_space_state after = random_space(duel, bindings, 0);
    if (one_in(duel, 4)) {
        after = (struct berth_space_state){.knowledge = BERTH_SPACE_ABSENT, .updated_at_ms = 7};
    }
    bool told = !one_in(duel, 4);
    static const enum berth_outcome_kind kinds[] = {BERTH_SUCCEEDED, BERTH_REJECTED, BERTH_FAILED};
    struct berth_outcome *outcome = an_outcome(kinds[below(duel, 3)], told ? &after : NULL);
    struct berth_ledger_call call = a_store(&command, &source, token, outcome);
    call.store.free_lane = !one_in(duel, 5);
    call.store.still_warm = one_in(duel, 2);
    char text[64];
    snprintf(text, sizeof(text), "result %" PRId64, below(duel, 3));
    struct berth_publication publication = {.data = (uint8_t *)text, .result_len = strlen(text)};
    publication.len = publication.result_len;
    if (one_in(duel, 2)) {
        snprintf(text + publication.len, sizeof(text) - publication.len, ", rest %" PRId64,
                 below(duel, 2));
        publication.len = strlen(text);
    }
    submit(fighter, index, &call, &publication);
    if (told && token > 0) {
        publish(duel, index, &after, token);
    }
}

static void renew(struct fighter *fighter) {
    struct berth_command commands[COMMANDS];
    struct berth_renewal lanes[COMMANDS];
    size_t count = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (fighter->known[i].token != 0) {
            commands[count] = a_command((int)i, space_of(i));
            lanes[count] = (struct berth_renewal){.command = &commands[count],
                                                  .token = fighter->known[i].token,
                                                  .burned = (uint32_t)i,
                                                  .paused_ms = 1000 * (int64_t)i};
            count++;
        }
    }
    if (count > 0) {
        struct berth_ledger_call call = {.kind = BERTH_LEDGER_RENEW, .renew = {lanes, count}};
        submit(fighter, 0, &call, NULL);
    }
}

/* Of one of two logs, or of one that can't be told. */
static struct berth_log_mark a_mark(struct duel *duel) {
    static const char *const ids[] = {"", "one", "other"};
    struct berth_log_mark mark = berth_log_mark_none(ids[below(duel, 3)]);
    mark.offset = below(duel, 99) - 1;
    return mark;
}

static void settled(struct fighter *fighter, size_t index) {
    struct duel *duel = fighter->duel;
    struct berth_command command = a_command((int)index, space_of(index));
    struct berth_settled done = {.version = fighter->known[index].token,
                                 .topic = "berth.commands.alpha",
                                 .partition = 3,
                                 .offset = source_of(duel, index).offset};
    memcpy(done.command_id, command.id, sizeof(done.command_id));
    memcpy(done.log_id, source_of(duel, index).log_id, sizeof(done.log_id));
    struct berth_base base = {.topic = "berth.commands.alpha",
                              .partition = (int32_t)below(duel, 3),
                              .offset = below(duel, 99),
                              .log = a_mark(duel)};
    struct berth_ledger_call call = {
        .kind = BERTH_LEDGER_SETTLED,
        .settled = {&done, 1, &base, one_in(duel, 2) ? 1 : 0},
    };
    submit(fighter, index, &call, NULL);
}

static void bases(struct fighter *fighter) {
    struct berth_base partitions[] = {{.topic = "berth.commands.alpha", .partition = 0},
                                      {.topic = "berth.commands.alpha", .partition = 2}};
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_BASES, .bases = {partitions, 2}};
    submit(fighter, 0, &call, NULL);
}

/* ---- Lookups, with words as src/io/lookup_words.c makes them ---- */

static void begin_words(struct duel *duel, size_t keys) {
    assert_int_equal(berth_redis_args_begin(&duel->args, 64, 4096), BERTH_OK);
    berth_redis_client_script_words(&duel->args, keys);
    berth_redis_args_text(&duel->args, "berth:v1:epoch");
}

static void run_words(struct duel *duel, const char *source) {
    struct redisReply *reply = sim_redis_run(duel->sim, source, &duel->args);
    sim_redis_reply_free(reply);
}

static void look_up_space(struct duel *duel) {
    char key[2 * NAME_BYTES];
    snprintf(key, sizeof(key), "berth:v1:space:alpha/%s", space_of((size_t)below(duel, SPACES)));
    begin_words(duel, 2);
    berth_redis_args_text(&duel->args, key);
    run_words(duel, berth_script_space);
}

static void look_up_page(struct duel *duel) {
    static const char *const pages[][2] = {
        {"berth:v1:registry:alpha", NULL},
        {"berth:v1:workspace:ws-1", NULL},
        {"berth:v1:workspace:ws-1", "berth:v1:registry:alpha:public"}};
    const char *const *sets = pages[below(duel, 3)];
    bool two = sets[1] != NULL;
    begin_words(duel, two ? 3 : 2);
    berth_redis_args_text(&duel->args, sets[0]);
    if (two) {
        berth_redis_args_text(&duel->args, sets[1]);
    }
    berth_redis_args_number(&duel->args, 1 + below(duel, 4));
    berth_redis_args_number(&duel->args, 1 + below(duel, 6));
    berth_redis_args_text(&duel->args, "berth:v1:space:");
    berth_redis_args_number(&duel->args, two ? 2 : 1);
    berth_redis_args_text(&duel->args, one_in(duel, 2) ? "[alpha/" : "(alpha/team-1");
    berth_redis_args_text(&duel->args, "(alpha0");
    run_words(duel, berth_script_page);
}

static void fill(struct duel *duel) {
    char key[2 * NAME_BYTES];
    char member[NAME_BYTES + 8];
    snprintf(member, sizeof(member), "alpha/%s", space_of((size_t)below(duel, SPACES)));
    snprintf(key, sizeof(key), "berth:v1:space:%s", member);
    struct berth_bytes epoch = sim_redis_string_get(duel->sim, "berth:v1:epoch");
    struct berth_bytes token = sim_redis_hash_get(duel->sim, key, "token");
    if (one_in(duel, 4)) {
        token = (struct berth_bytes){(const uint8_t *)"7", 1};
    }
    begin_words(duel, 4);
    berth_redis_args_text(&duel->args, key);
    berth_redis_args_text(&duel->args, "berth:v1:registry:alpha");
    berth_redis_args_text(&duel->args, "berth:v1:registry:alpha:public");
    berth_redis_args_append_bytes(&duel->args, epoch.data, epoch.len < 64 ? epoch.len : 64);
    berth_redis_args_close(&duel->args);
    berth_redis_args_append_bytes(&duel->args, token.data, token.len);
    berth_redis_args_close(&duel->args);
    berth_redis_args_text(&duel->args, member);
    berth_redis_args_text(&duel->args, "berth:v1:workspace:");
    static const char *const fields[] = {"state",       "present", "version",      "0",
                                         "verified_at", "9",       "project_id",   "3",
                                         "visibility",  "PUBLIC",  "binding:ws-2", "5 - active"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        berth_redis_args_text(&duel->args, fields[i]);
    }
    run_words(duel, berth_script_fill);
}

/* ---- The duel ---- */

static void call(struct duel *duel, struct fighter *fighter) {
    size_t index = (size_t)below(duel, COMMANDS);
    switch (below(duel, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        claim(fighter, index);
        break;
    case 5:
        remember(fighter, index);
        break;
    case 6:
    case 7:
    case 8:
        store(fighter, index);
        break;
    case 9:
        renew(fighter);
        break;
    case 10:
        settled(fighter, index);
        break;
    case 11:
        bases(fighter);
        break;
    case 12:
        look_up_space(duel);
        break;
    case 13:
        look_up_page(duel);
        break;
    case 14:
        fill(duel);
        break;
    default:
        run_a_late_copy(duel);
        break;
    }
}

static void step(struct duel *duel) {
    struct fighter *fighter = &duel->fighters[below(duel, WORKERS)];
    advance(duel, below(duel, 20) * 1000 + 1);
    for (size_t i = 0; i < WORKERS; i++) {
        int64_t due_ms = sim_link_due_ms(duel->fighters[i].link);
        if (due_ms >= 0 && due_ms <= duel->now_us / 1000) {
            sim_link_tick(duel->fighters[i].link);
        }
    }
    call(duel, fighter);
    if (!one_in(duel, 3)) {
        answer_all(fighter);
    }
    if (one_in(duel, 40)) {
        trouble(duel, fighter);
    }
}

static void fight(struct world *world, uint64_t seed, struct duel *duel) {
    duel_init(duel, world, seed);
    for (int i = 0; i < STEPS; i++) {
        step(duel);
    }
    char *real_text = redis_snapshot(world);
    char *sim_text = sim_redis_text(duel->sim);
    assert_string_equal(real_text, sim_text);
    free(real_text);
    free(sim_text);
}

static void test_the_simulated_redis_does_what_a_real_one_does(void **state) {
    struct duel *duel = malloc(sizeof(*duel));
    assert_non_null(duel);
    size_t runs = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fight(*state, seed, duel);
        runs += duel->runs;
        /* Else nothing was compared but refusals. */
        assert_true(duel->taken > 40);
        assert_true(duel->stored > 20);
        assert_true(duel->opened > 4);
        assert_true(duel->lost > 0);
        duel_deinit(duel);
    }
    print_message("%zu scripts run on both\n", runs);
    free(duel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_simulated_redis_does_what_a_real_one_does,
                                        world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
