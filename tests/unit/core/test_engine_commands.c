/* SPDX-License-Identifier: Apache-2.0 */
/* Each command's whole way through the engine: from its record to what the world sees of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static struct world *served(void) {
    struct world *world = world_new(1);
    world_serve(world, 1);
    return world;
}

static const struct world_publication *answer_of(const struct world_record *record) {
    assert_int_equal(record->answers, 1);
    return &record->answer;
}

static void assert_answer(const struct world_record *record, enum berth_outcome_kind kind,
                          const char *code, const char *before, const char *after) {
    const struct world_publication *answer = answer_of(record);
    assert_string_equal(answer->code, code);
    assert_int_equal(answer->kind, kind);
    assert_string_equal(answer->before, before);
    assert_string_equal(answer->after, after);
}

/* A private space with these workspaces, made by command; Redis knows it. */
static void make_space(struct world *world, const char *space, int number, const char *workspaces) {
    (void)world_send(world, 0, BERTH_CREATE_SPACE, number, space, "");
    if (*workspaces != '\0') {
        (void)world_send(world, 0, BERTH_BIND_WORKSPACE, number + 1, space, workspaces);
    }
    world_run_idle(world);
    world_trace_restart(world);
    world->harbor_calls = 0;
}

/* The good path is one claim, one request, one store, one transaction (design 4). */
static void test_a_command_goes_its_whole_way(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);

    assert_string_equal(world_trace(world),
                        "send #1 CreateSpace team-a\n"
                        "claim #1\n"
                        "harbor #1 POST /projects\n"
                        "store #1 SUCCEEDED space.created\n"
                        "offset p0@1\n"
                        "publish #1 made space.created\n"
                        "answer #1 SUCCEEDED space.created: \"absent\" became \"private\"\n"
                        "committed\n");
    const struct world_publication *answer = answer_of(record);
    assert_true(answer->changed);
    assert_true(answer->publish_state);
    assert_true(answer->audit);
    assert_false(answer->dead_letter);
    assert_int_equal(answer->attempts, 1);
    assert_true(answer->received_at_ms > WORLD_WALL_MS);
    assert_true(answer->finished_at_ms > answer->received_at_ms);
    world_finish(world);
}

/* Warm: what Redis knows is enough, so binding costs two requests for each workspace, and one more
 * that tells where they went (design 4). */
static void test_binding_on_a_warm_space_reads_nothing_first(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "");
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha beta");
    world_run_idle(world);

    assert_answer(record, BERTH_SUCCEEDED, "workspace.bound", "private", "private alpha beta");
    assert_string_equal(record->answer.bindings, "BOUND alpha, BOUND beta");
    assert_int_equal(world->harbor_calls, 5);
    assert_int_equal(world_traced(world, "harbor #2 GET /projects/{id}"), 1);
    assert_int_equal(world_traced(world, "harbor #2 POST /robots"), 2);
    assert_int_equal(world_traced(world, "harbor #2 PATCH /robots/{id}"), 2);
    world_finish(world);
}

/* A space that somebody else made is read, `before` is remembered, and only then it is written to.
 */
static void test_binding_on_a_cold_space_reads_and_remembers_before_it_writes(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "theirs");
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "theirs", "alpha");
    world_run_idle(world);

    assert_answer(record, BERTH_SUCCEEDED, "workspace.bound", "private", "private alpha");
    assert_string_equal(
        world_trace(world),
        "send #1 BindWorkspace theirs alpha\n"
        "claim #1\n"
        "harbor #1 GET /projects/{name}\n"
        "harbor #1 GET /robots\n"
        "remember #1\n"
        "harbor #1 POST /robots\n"
        "harbor #1 PATCH /robots/{id}\n"
        "harbor #1 GET /projects/{id}\n"
        "store #1 SUCCEEDED workspace.bound\n"
        "offset p0@1\n"
        "publish #1 made workspace.bound\n"
        "answer #1 SUCCEEDED workspace.bound: \"private\" became \"private alpha\"\n"
        "committed\n");
    world_finish(world);
}

static void test_unbinding_takes_one_request_for_each_workspace(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "alpha beta gamma");
    const struct world_record *record =
        world_send(world, 0, BERTH_UNBIND_WORKSPACE, 3, "team-a", "alpha gamma");
    world_run_idle(world);

    assert_answer(record, BERTH_SUCCEEDED, "workspace.unbound", "private alpha beta gamma",
                  "private beta");
    assert_int_equal(world->harbor_calls, 2);
    world_finish(world);
}

/* The bind dialog sends the whole set: what is missing in it is undone. */
static void test_setting_the_bindings_binds_and_unbinds(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "alpha beta");
    const struct world_record *record =
        world_send(world, 0, BERTH_SET_WORKSPACE_BINDINGS, 3, "team-a", "beta gamma");
    world_run_idle(world);

    assert_answer(record, BERTH_SUCCEEDED, "workspace.bindings_set", "private alpha beta",
                  "private beta gamma");
    assert_string_equal(record->answer.bindings, "UNBOUND alpha, UNCHANGED beta, BOUND gamma");
    world_finish(world);
}

static void test_a_space_is_updated(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "");
    struct world_record *record = world_send(world, 0, BERTH_UPDATE_SPACE, 2, "team-a", "");
    record->command.visibility = BERTH_PUBLIC;
    record->command.quota_given = true;
    record->command.quota_bytes = 4096;
    world_run_idle(world);

    assert_answer(record, BERTH_SUCCEEDED, "space.updated", "private", "public");
    assert_int_equal(world_project(world, "team-a")->quota_bytes, 4096);
    world_finish(world);
}

static void test_a_deleted_space_leaves_a_tombstone(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "");
    const struct world_record *record = world_send(world, 0, BERTH_DELETE_SPACE, 2, "team-a", "");
    world_run_idle(world);

    assert_answer(record, BERTH_SUCCEEDED, "space.deleted", "private", "absent");
    assert_true(record->answer.publish_state);
    assert_null(world_project(world, "team-a"));
    assert_int_equal(world_ledger_space(world, "team-a")->state.knowledge, BERTH_SPACE_ABSENT);
    world_finish(world);
}

/* Deleting is refused while somebody is bound, with their names (design 3). */
static void test_a_bound_space_is_not_deleted_unless_asked_to(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "alpha");
    const struct world_record *refused = world_send(world, 0, BERTH_DELETE_SPACE, 3, "team-a", "");
    struct world_record *asked = world_send(world, 0, BERTH_DELETE_SPACE, 4, "team-a", "");
    asked->command.unbind = true;
    world_run_idle(world);

    assert_int_equal(refused->answer.kind, BERTH_REJECTED);
    assert_string_equal(refused->answer.code, "space.bound");
    assert_non_null(strstr(refused->answer.message, "alpha"));
    assert_false(refused->answer.publish_state);
    assert_answer(asked, BERTH_SUCCEEDED, "space.deleted", "private alpha", "absent");
    world_finish(world);
}

static void test_a_space_that_exists_is_not_created_again(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "");
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-a", "");
    world_run_idle(world);

    assert_int_equal(record->answer.kind, BERTH_REJECTED);
    assert_string_equal(record->answer.code, "space.already_exists");
    assert_false(record->answer.changed);
    world_finish(world);
}

/* Harbor takes a path segment of digits for an id (harbor-contract 1.2). */
static void test_a_space_called_123_lives_like_any_other(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "123", 1, "alpha");
    struct world_record *record = world_send(world, 0, BERTH_DELETE_SPACE, 3, "123", "");
    record->command.unbind = true;
    world_run_idle(world);
    assert_answer(record, BERTH_SUCCEEDED, "space.deleted", "private alpha", "absent");
    world_finish(world);
}

static void assert_refused(struct world *world, const struct world_record *record,
                           const char *code) {
    world_run_idle(world);
    const struct world_publication *answer = answer_of(record);
    assert_string_equal(answer->code, code);
    assert_int_equal(answer->kind, BERTH_REJECTED);
    assert_int_equal(record->form, BERTH_PUBLISH_DIRECT);
    assert_true(answer->audit);
    assert_false(answer->publish_state);
}

/* What breaks a rule is answered with its offset, and neither ledger nor Harbor hears of it. */
static void test_refused_commands_never_reach_the_ledger(void **state) {
    (void)state;
    struct world *world = served();
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)snprintf(record->key, sizeof(record->key), "main/other");
    assert_refused(world, record, "command.key_mismatch");

    record = world_send(world, 0, BERTH_CREATE_SPACE, 2, "Team_A!", "");
    assert_refused(world, record, "space.name_invalid");

    record = world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-a", "");
    (void)snprintf(record->command.registry, sizeof(record->command.registry), "nowhere");
    assert_refused(world, record, "registry.unknown");

    record = world_send(world, 0, BERTH_BIND_WORKSPACE, 4, "team-a", "");
    assert_refused(world, record, "command.workspaces_empty");

    assert_int_equal(world->ledger_calls[BERTH_LEDGER_CLAIM], 0);
    assert_int_equal(world->harbor_calls, 0);
    assert_int_equal(world->partitions[0].committed, 4);
    world_finish(world);
}

/* Without the ledger's memory an old command can't be told from a repetition (design 4.3). */
static void test_commands_too_old_or_from_the_future_are_refused_by_the_ledger(void **state) {
    (void)state;
    struct world *world = served();
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    record->command.issued_at_ms -= world->config.ledger_memory_ms + 1000;
    assert_refused(world, record, "command.too_old");

    record = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-a", "");
    record->command.issued_at_ms += world->config.future_max_ms + 1000;
    assert_refused(world, record, "command.issued_in_future");

    record = world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-a", "");
    record->command.issued_at_ms += world->config.future_max_ms - 1000;
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->harbor_calls, 1);
    world_finish(world);
}

/* Nothing stops for bytes that nobody can read. */
static void test_undecodable_records_are_dead_letters_and_the_offset_goes_on(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *garbage = world_send_garbage(world, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);

    assert_int_equal(garbage->answers, 1);
    assert_int_equal(garbage->form, BERTH_PUBLISH_DIRECT);
    assert_int_equal(garbage->answer.kind, BERTH_FAILED);
    assert_true(garbage->answer.dead_letter);
    assert_false(garbage->answer.audit);
    assert_string_equal(garbage->answer.code, "record.undecodable");
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->partitions[0].committed, 2);
    world_finish(world);
}

/* Nothing was written, so what Redis knows is as good as it was. */
static void test_a_refusal_without_a_write_leaves_the_space_warm(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "");
    int64_t verified_at_ms = world_ledger_space(world, "team-a")->state.verified_at_ms;
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-a", "");
    world_run_idle(world);
    assert_string_equal(answer_of(record)->code, "space.already_exists");
    assert_int_equal(world_ledger_space(world, "team-a")->state.verified_at_ms, verified_at_ms);
    world_free(world);
}

/* One robot was made, the other was in the way, and the list turned out to be too long: Redis isn't
 * told of the new robot, and must not go on as if it knew the space. */
static void test_a_refusal_after_a_write_leaves_the_space_cold(void **state) {
    (void)state;
    struct world *world = served();
    make_space(world, "team-a", 1, "");
    struct world_project *project = world_project(world, "team-a");
    (void)world_robot_made(world, project, "ws-beta", "");
    for (int i = 0; i < 10000; i++) {
        (void)world_robot_made(world, project, "ci", "");
    }
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha beta");
    world_run_idle(world);
    assert_string_equal(answer_of(record)->code, "space.too_many_robots");
    assert_true(answer_of(record)->changed);
    assert_int_equal(world_ledger_space(world, "team-a")->state.verified_at_ms, 0);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_goes_its_whole_way),
        cmocka_unit_test(test_binding_on_a_warm_space_reads_nothing_first),
        cmocka_unit_test(test_binding_on_a_cold_space_reads_and_remembers_before_it_writes),
        cmocka_unit_test(test_unbinding_takes_one_request_for_each_workspace),
        cmocka_unit_test(test_setting_the_bindings_binds_and_unbinds),
        cmocka_unit_test(test_a_space_is_updated),
        cmocka_unit_test(test_a_deleted_space_leaves_a_tombstone),
        cmocka_unit_test(test_a_bound_space_is_not_deleted_unless_asked_to),
        cmocka_unit_test(test_a_space_that_exists_is_not_created_again),
        cmocka_unit_test(test_a_space_called_123_lives_like_any_other),
        cmocka_unit_test(test_refused_commands_never_reach_the_ledger),
        cmocka_unit_test(test_commands_too_old_or_from_the_future_are_refused_by_the_ledger),
        cmocka_unit_test(test_undecodable_records_are_dead_letters_and_the_offset_goes_on),
        cmocka_unit_test(test_a_refusal_without_a_write_leaves_the_space_warm),
        cmocka_unit_test(test_a_refusal_after_a_write_leaves_the_space_cold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
