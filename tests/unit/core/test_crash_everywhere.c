/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every command of crash_scenes.h, disturbed at every step, one disturbance a run: the worker is
 * killed or frozen right after any of its effects, any call to Harbor or to the ledger goes wrong
 * in any way, and pairs of these. However it was disturbed, the answer must be the undisturbed one,
 * there must be one, Harbor and the ledger must be as commanded (the world checks those), and what
 * belongs to somebody else must be as it was.
 *
 * What was disturbed is printed when one fails.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_scenes.h"

#define STOPS_MAX 2
#define RULES_MAX 2
/* Of virtual time. Leases, pauses and time-outs together are far below. */
#define PATIENCE_MS 300000
#define LOOK_MS     20
/* So long after it was asked a request to Harbor was carried out, and its answer is on its way. */
#define CARRIED_OUT_MS 7

/* How a worker stops, and who goes on. */
enum heir {
    HEIR_RESTARTED, /* It crashed, and starts again a moment later. */
    HEIR_OTHER,     /* It crashed; another instance, idle until then, gets its partition. */
    HEIR_ITSELF,    /* It was frozen and thaws; nobody noticed. */
    HEIR_RIVAL,     /* It was frozen, its partition went to another, and then it thaws. */
};

struct disturbance {
    /* Counted from the moment the command is sent, or from the crash before; 0: none. */
    uint64_t stop_after[STOPS_MAX];
    enum heir heir;
    int64_t delay_ms;  /* From the effect to the stop. */
    int64_t frozen_ms; /* Or else it crashes. */
    struct world_rule rules[RULES_MAX];
    size_t rules_count;
};

/* An undisturbed run, and how much there is in it to disturb. */
struct baseline {
    struct world_publication answer;
    uint64_t effects;
    int harbor_calls;
    int ledger_calls;
};

/* ---- One run ---- */

static const char *fault_name(enum world_fault fault) {
    static const char *const names[] = {
        "fine",      "slow",         "lose-call",    "lose-reply",   "late-call",
        "not-sent",  "applied",      "lost",         "applied-late", "busy",
        "read-only", "server-error", "unauthorized", "abort",
    };
    return names[fault];
}

/* For whoever is told of a failure: what was under way. Empty: nothing. */
static char under_way[512];

static void note(const struct scene *scene, const struct disturbance *disturbance) {
    char *text = under_way;
    size_t size = sizeof(under_way);
    size_t len = (size_t)snprintf(text, size, "disturbed: %s", scene->name);
    for (size_t i = 0; i < disturbance->rules_count; i++) {
        const struct world_rule *rule = &disturbance->rules[i];
        static const char *const channels[] = {"ledger", "Harbor", "Kafka"};
        len += (size_t)snprintf(text + len, size - len, "; call %d to %s: %s", rule->skip + 1,
                                channels[rule->channel], fault_name(rule->fault));
    }
    for (size_t i = 0; i < STOPS_MAX && disturbance->stop_after[i] > 0; i++) {
        static const char *const heirs[] = {"crash, restarted", "crash, another goes on",
                                            "frozen, goes on", "frozen, another goes on"};
        len += (size_t)snprintf(text + len, size - len, "; %lld ms after effect %llu: %s",
                                (long long)disturbance->delay_ms,
                                (unsigned long long)disturbance->stop_after[i],
                                heirs[disturbance->heir]);
    }
    (void)snprintf(text + len, size - len, "\n");
}

/* cmocka leaves a failed test with longjmp(): its teardown tells. */
static int tell_in_teardown(void **state) {
    (void)state;
    (void)!write(STDERR_FILENO, under_way, strlen(under_way));
    under_way[0] = '\0';
    return 0;
}

static void tell_in_signal(int signal_number) {
    (void)signal_number;
    (void)!write(STDERR_FILENO, under_way, strlen(under_way));
}

static int owner(const struct world *world) {
    return world->partitions[0].owner;
}

static bool runs(const struct world *world) {
    const struct world_worker *worker = &world->workers[owner(world)];
    return worker->engine != NULL && world->now_ms >= worker->frozen_until_ms;
}

static bool settled(const struct world *world, const struct world_record *record) {
    return record->answers > 0 && world_figures(world, owner(world)).taken_in == 0;
}

static void run_on(struct world *world, const struct world_record *record) {
    int64_t until_ms = world->now_ms + PATIENCE_MS;
    while (runs(world) && !settled(world, record)) {
        WORLD_CHECK(world, world->now_ms < until_ms);
        world_run(world, LOOK_MS);
    }
}

static void succeed(struct world *world, const struct disturbance *disturbance) {
    int stopped = owner(world);
    int next = disturbance->heir == HEIR_RESTARTED ? stopped : 1 - stopped;
    if (disturbance->heir == HEIR_ITSELF) {
        world_run(world, disturbance->frozen_ms);
        return;
    }
    world_lose(world, stopped, 0);
    if (world->workers[next].engine == NULL) {
        world_start(world, next);
    }
    world_assign(world, next, 0);
}

/* Until the command is settled; a stop that never comes, because there is no such effect any more,
 * is none. */
static void run_through(struct world *world, const struct world_record *record,
                        const struct disturbance *disturbance) {
    size_t stops = 0;
    for (;;) {
        uint64_t after = stops < STOPS_MAX ? disturbance->stop_after[stops] : 0;
        world->stop_at_effect = after > 0 ? world->effects + after : 0;
        world->stop_delay_ms = disturbance->delay_ms;
        world->stop_freezes_ms = disturbance->frozen_ms;
        run_on(world, record);
        if (runs(world)) {
            return;
        }
        stops++;
        succeed(world, disturbance);
    }
}

static void check_answer(struct world *world, const struct scene *scene,
                         const struct baseline *baseline, const struct world_record *record) {
    const struct world_publication *is = &record->answer;
    const struct world_publication *wanted = &baseline->answer;
    bool otherwise = scene->otherwise != NULL && strcmp(is->code, scene->otherwise) == 0;
    WORLD_CHECK(world, otherwise || strcmp(is->code, wanted->code) == 0);
    WORLD_CHECK(world, otherwise || strcmp(is->message, wanted->message) == 0);
    WORLD_CHECK(world, is->kind == wanted->kind);
    bool maybe = scene->maybe_changed && is->changed;
    WORLD_CHECK(world, maybe || is->changed == wanted->changed);
    WORLD_CHECK(world, is->audit);
    WORLD_CHECK(world, is->dead_letter == wanted->dead_letter);
    WORLD_CHECK(world, maybe || strcmp(is->bindings, wanted->bindings) == 0);
    bool known = scene->known_before != NULL && strcmp(is->before, scene->known_before) == 0;
    WORLD_CHECK(world, known || strcmp(is->before, wanted->before) == 0);
    WORLD_CHECK(world, is->quota_before == wanted->quota_before);
    /* Redis may have learned of a space that it didn't know, which is more than was asked for. */
    bool learned = strcmp(wanted->after, "unknown") == 0;
    WORLD_CHECK(world, learned || strcmp(is->after, wanted->after) == 0);
    WORLD_CHECK(world, learned || is->publish_state == wanted->publish_state);
    WORLD_CHECK(world, learned || is->quota_after == wanted->quota_after);
    bool quietly = record->form == BERTH_PUBLISH_STORED_QUIETLY;
    WORLD_CHECK(world, record->form == BERTH_PUBLISH_MADE || record->form == BERTH_PUBLISH_STORED ||
                           (quietly && !is->publish_state));
}

static void check_run(struct world *world, const struct scene *scene,
                      const struct baseline *baseline, const struct disturbance *disturbance,
                      const struct world_record *record) {
    check_answer(world, scene, baseline, record);
    scene_check_strangers(world, scene);
    WORLD_CHECK(world, !world_ledger_space(world, SCENE_SPACE)->held);
    int disturbances = (int)disturbance->rules_count;
    for (size_t i = 0; i < STOPS_MAX; i++) {
        disturbances += disturbance->stop_after[i] > 0;
    }
    /* Each may cost what was done until then, and reading what is there. */
    WORLD_CHECK(world, world->harbor_calls <=
                           (1 + disturbances) * baseline->harbor_calls + 3 * disturbances);
}

static void run(const struct scene *scene, const struct baseline *baseline,
                const struct disturbance *disturbance) {
    struct world *world = scene_open(scene);
    for (size_t i = 0; i < disturbance->rules_count; i++) {
        world_rule(world, disturbance->rules[i]);
    }
    const struct world_record *record = scene_send(world, scene);
    run_through(world, record, disturbance);
    world_run_idle(world); /* What is still late. */
    check_run(world, scene, baseline, disturbance, record);
    world_finish(world);
}

static struct baseline undisturbed(const struct scene *scene) {
    struct world *world = scene_open(scene);
    const struct world_record *record = scene_send(world, scene);
    memset(world->ledger_calls, 0, sizeof(world->ledger_calls));
    world_run_idle(world);
    struct baseline baseline = {
        .answer = record->answer, .effects = world->effects, .harbor_calls = world->harbor_calls};
    for (size_t i = 0; i < sizeof(world->ledger_calls) / sizeof(world->ledger_calls[0]); i++) {
        baseline.ledger_calls += world->ledger_calls[i];
    }
    WORLD_CHECK(world, record->answers == 1);
    WORLD_CHECK(world, strcmp(record->answer.code, scene->code) == 0);
    WORLD_CHECK(world, world->harbor_calls == scene->harbor_calls);
    scene_check_strangers(world, scene);
    world_finish(world);
    return baseline;
}

/* ---- What goes wrong ---- */

static void try(const struct scene *scene, const struct baseline *baseline,
                const struct disturbance *disturbance) {
    note(scene, disturbance);
    run(scene, baseline, disturbance);
    under_way[0] = '\0';
}

/* Design 4.7: what arrives later than that is nobody's promise. */
#define PROMISED_MS 2000

struct fault_kind {
    enum world_channel channel;
    enum world_fault fault;
    int64_t delay_ms;
};

static const struct fault_kind FAULTS[] = {
    {WORLD_LEDGER, WORLD_LOSE_CALL, 0},
    {WORLD_LEDGER, WORLD_LOSE_REPLY, 0},
    {WORLD_LEDGER, WORLD_LATE_CALL, 50},
    {WORLD_LEDGER, WORLD_LATE_CALL, 9000},
    {WORLD_HARBOR, WORLD_NOT_SENT, 0},
    {WORLD_HARBOR, WORLD_UNKNOWN_APPLIED, 0},
    {WORLD_HARBOR, WORLD_UNKNOWN_LOST, 0},
    {WORLD_HARBOR, WORLD_UNKNOWN_LATE, 1900},
    {WORLD_HARBOR, WORLD_UNKNOWN_LATE, 9000},
    {WORLD_HARBOR, WORLD_BUSY, 3000},
    {WORLD_HARBOR, WORLD_READ_ONLY, 0},
    {WORLD_HARBOR, WORLD_SLOW, 4500},
    {WORLD_KAFKA, WORLD_ABORT, 0},
};
#define FAULTS_COUNT (sizeof(FAULTS) / sizeof(FAULTS[0]))

static int calls_of(const struct scene *scene, const struct baseline *baseline,
                    const struct fault_kind *kind) {
    if (scene->late_stays && kind->fault == WORLD_UNKNOWN_LATE && kind->delay_ms > PROMISED_MS) {
        return 0;
    }
    switch (kind->channel) {
    case WORLD_LEDGER:
        return baseline->ledger_calls;
    case WORLD_HARBOR:
        return baseline->harbor_calls;
    case WORLD_KAFKA:
        return 1;
    }
    return 0;
}

static struct world_rule rule_of(const struct fault_kind *kind, int call) {
    return (struct world_rule){.channel = kind->channel,
                               .kind = WORLD_ANY,
                               .skip = call,
                               .count = 1,
                               .fault = kind->fault,
                               .delay_ms = kind->delay_ms};
}

/* ---- Tests ---- */

static void test_undisturbed_each_command_takes_the_calls_of_the_contract(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENES_COUNT; i++) {
        note(&SCENES[i], &(struct disturbance){.rules_count = 0});
        (void)undisturbed(&SCENES[i]);
        under_way[0] = '\0';
    }
}

/* At once, or when the request that was the effect has been carried out and nobody has heard of it.
 */
static void test_a_crash_after_any_effect_makes_no_difference(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENES_COUNT; i++) {
        struct baseline baseline = undisturbed(&SCENES[i]);
        for (uint64_t effect = 1; effect <= baseline.effects; effect++) {
            for (int variant = 0; variant < 4; variant++) {
                try(&SCENES[i], &baseline,
                    &(struct disturbance){.stop_after = {effect},
                                          .delay_ms = variant / 2 == 0 ? 0 : CARRIED_OUT_MS,
                                          .heir = variant % 2 ? HEIR_OTHER : HEIR_RESTARTED});
            }
        }
    }
}

/*
 * A worker that stood still goes on as if nothing had happened, with what it believed before:
 * shorter than a lease, about as long as one, when another is just taking over, and much longer.
 */
static void test_standing_still_after_any_effect_makes_no_difference(void **state) {
    (void)state;
    static const int64_t frozen_ms[] = {4000, 14990, 15020, 60000};
    for (size_t i = 0; i < SCENES_COUNT; i++) {
        struct baseline baseline = undisturbed(&SCENES[i]);
        for (uint64_t effect = 1; effect <= baseline.effects; effect++) {
            for (size_t j = 0; j < sizeof(frozen_ms) / sizeof(frozen_ms[0]); j++) {
                try(&SCENES[i], &baseline,
                    &(struct disturbance){
                        .stop_after = {effect}, .heir = HEIR_ITSELF, .frozen_ms = frozen_ms[j]});
                try(&SCENES[i], &baseline,
                    &(struct disturbance){
                        .stop_after = {effect}, .heir = HEIR_RIVAL, .frozen_ms = frozen_ms[j]});
            }
        }
    }
}

/* Also while it makes up for the first one: what an heir begins must be as safe to lose. Every
 * second pair, in turn. */
static void test_a_second_crash_makes_no_difference_either(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENES_COUNT; i++) {
        struct baseline baseline = undisturbed(&SCENES[i]);
        for (uint64_t first = 1; first <= baseline.effects; first++) {
            for (uint64_t second = 1 + (first + i) % 2; second <= baseline.effects + 4;
                 second += 2) {
                enum heir heir = second / 2 % 2 == 0 ? HEIR_OTHER : HEIR_RESTARTED;
                try(&SCENES[i], &baseline,
                    &(struct disturbance){.stop_after = {first, second},
                                          .delay_ms =
                                              (first + second) / 2 % 2 == 0 ? 0 : CARRIED_OUT_MS,
                                          .heir = heir});
            }
        }
    }
}

static void test_a_fault_of_any_call_makes_no_difference(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENES_COUNT; i++) {
        struct baseline baseline = undisturbed(&SCENES[i]);
        for (size_t j = 0; j < FAULTS_COUNT; j++) {
            for (int call = 0; call < calls_of(&SCENES[i], &baseline, &FAULTS[j]); call++) {
                try(&SCENES[i], &baseline,
                    &(struct disturbance){.rules = {rule_of(&FAULTS[j], call)}, .rules_count = 1});
            }
        }
    }
}

/* A call goes wrong, and before it was made good the worker dies. Every third pair of the two, in
 * turn: all of them take long and have shown nothing more. */
static void test_a_fault_and_a_crash_make_no_difference(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENES_COUNT; i++) {
        struct baseline baseline = undisturbed(&SCENES[i]);
        for (size_t j = 0; j < FAULTS_COUNT; j++) {
            for (int call = 0; call < calls_of(&SCENES[i], &baseline, &FAULTS[j]); call++) {
                uint64_t first = 2 + ((uint64_t)call + i + j) % 4;
                for (uint64_t effect = first; effect <= baseline.effects + 3; effect += 4) {
                    enum heir heir = (effect / 2 + j) % 2 == 0 ? HEIR_OTHER : HEIR_RESTARTED;
                    try(&SCENES[i], &baseline,
                        &(struct disturbance){.rules = {rule_of(&FAULTS[j], call)},
                                              .rules_count = 1,
                                              .stop_after = {effect},
                                              .delay_ms = effect % 2 == 0 ? 0 : CARRIED_OUT_MS,
                                              .heir = heir});
                }
            }
        }
    }
}

#define TOLD(test) cmocka_unit_test_teardown(test, tell_in_teardown)

int main(void) {
    (void)signal(SIGABRT, tell_in_signal);
    const struct CMUnitTest tests[] = {
        TOLD(test_undisturbed_each_command_takes_the_calls_of_the_contract),
        TOLD(test_a_crash_after_any_effect_makes_no_difference),
        TOLD(test_standing_still_after_any_effect_makes_no_difference),
        TOLD(test_a_second_crash_makes_no_difference_either),
        TOLD(test_a_fault_of_any_call_makes_no_difference),
        TOLD(test_a_fault_and_a_crash_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
