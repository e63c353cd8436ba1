/* SPDX-License-Identifier: Apache-2.0 */
/* berth tail, over what berthd would have published. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli_world.h"

#define ID "2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a"

static const struct berth_command command = {
    .type = BERTH_BIND_WORKSPACE,
    .id = ID,
    .registry = "alpha",
    .space = "team-a",
    .actor = "alice",
};
static const struct berth_source source = {.topic = "commands", .partition = 3, .offset = 17};

/* A private space with two workspaces, published with result and audit. */
static void publish_bound(struct cli_world *world) {
    struct berth_binding bindings[] = {{.workspace = "dev", .robot_id = 7, .key_id = "0badcafe"},
                                       {.workspace = "prod", .robot_id = 8, .key_id = "0badcafe"}};
    struct berth_outcome outcome =
        cli_world_outcome("workspace.bound", "Bound/Unbound workspace successfully");
    outcome.before = (struct berth_space_state){.knowledge = BERTH_SPACE_PRESENT,
                                                .project_id = 5,
                                                .visibility = BERTH_PRIVATE,
                                                .quota_bytes = BERTH_QUOTA_UNLIMITED};
    outcome.after = outcome.before;
    outcome.after.quota_bytes = (int64_t)10 << 30;
    outcome.after.bindings = bindings;
    outcome.after.bindings_count = 2;
    outcome.publish_state = true;
    outcome.audit = true;
    cli_world_publish(world, &command, &source, &outcome);
}

static void tail(struct cli_world *world, const char *what, const char *form) {
    cli_world_run(world, "tail", what, "--from-beginning", "--until-end", form, NULL);
    cli_world_assert_status(world, 0);
}

static void test_results_are_readable(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    tail(world, "results", NULL);
    assert_non_null(strstr(cli_world_out(world),
                           "Z  SUCCEEDED workspace.bound  alpha/team-a  BindWorkspace by alice  "
                           "id=" ID "  \"Bound/Unbound workspace successfully\"\n"));
}

static void test_audit_shows_before_and_after(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    tail(world, "audit", NULL);
    assert_non_null(strstr(cli_world_out(world),
                           "Z  Bind-Workspace         alpha/team-a by alice  SUCCEEDED "
                           "workspace.bound  before: PRIVATE, No binding  after: PRIVATE, dev, "
                           "prod  id=" ID "\n"));
}

/* The console's list of spaces, with its Workspace column. */
static void test_spaces_are_a_table(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    struct berth_outcome unbound = cli_world_outcome("workspace.unbound", "Unbound");
    unbound.after = (struct berth_space_state){.knowledge = BERTH_SPACE_PRESENT,
                                               .project_id = 5,
                                               .visibility = BERTH_PUBLIC,
                                               .quota_bytes = BERTH_QUOTA_UNLIMITED};
    unbound.publish_state = true;
    cli_world_publish(world, &command, &source, &unbound);
    struct berth_outcome deleted = cli_world_outcome("space.deleted", "Deleted");
    deleted.after.knowledge = BERTH_SPACE_ABSENT;
    deleted.publish_state = true;
    cli_world_publish(world, &command, &source, &deleted);

    tail(world, "spaces", NULL);
    const char *out = cli_world_out(world);
    assert_memory_equal(out, "TIME  ", 6);
    assert_non_null(strstr(out, "Z  alpha/team-a                    PRIVATE     10 GiB      dev, "
                                "prod\n"));
    assert_non_null(strstr(out, "Z  alpha/team-a                    PUBLIC      unlimited   No "
                                "binding\n"));
    assert_non_null(strstr(out, "Z  alpha/team-a                    deleted\n"));

    tail(world, "spaces", "--json");
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 3);
    const json_t *tombstone = json_array_get(lines, 2);
    assert_true(json_is_null(json_object_get(tombstone, "value")));
    json_decref(lines);
}

static void test_dead_letters_say_why_and_whence(void **state) {
    struct cli_world *world = *state;
    struct berth_outcome outcome = cli_world_outcome("record.undecodable", "It can't be read.");
    outcome.kind = BERTH_REJECTED;
    outcome.dead_letter = true;
    cli_world_publish(world, &command, &source, &outcome);
    tail(world, "dlq", NULL);
    assert_non_null(strstr(cli_world_out(world), "Z  record.undecodable  key=alpha/team-a  from "
                                                 "commands[3]@17  8 bytes  \"It can't be "
                                                 "read.\"\n"));
}

static void test_json_has_all_of_a_record(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    const struct berth_header header = {.name = "odd", .value = {(const uint8_t *)"\xff\x00", 2}};
    cli_world_send(world, world->config->topics.results, "k",
                   (struct berth_bytes){(const uint8_t *)"\x00\x01\x02", 3}, &header, 1);
    tail(world, "results", "--json");
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *line = json_array_get(lines, i);
        const json_t *headers = json_object_get(line, "headers");
        assert_string_equal(json_string_value(json_object_get(line, "topic")),
                            world->config->topics.results);
        assert_true(json_is_integer(json_object_get(line, "partition")));
        assert_true(json_is_integer(json_object_get(line, "offset")));
        assert_true(json_is_string(json_object_get(line, "timestamp")));
        if (strcmp(json_string_value(json_object_get(line, "key")), "k") == 0) {
            /* What isn't ours is shown as what it is. */
            assert_string_equal(json_string_value(json_object_get(line, "value_base64")), "AAEC");
            assert_string_equal(json_string_value(json_object_get(headers, "odd_base64")), "/wA=");
            assert_null(json_object_get(line, "value"));
        } else {
            const json_t *value = json_object_get(line, "value");
            assert_string_equal(json_string_value(json_object_get(value, "command_id")), ID);
            assert_string_equal(json_string_value(json_object_get(headers, "ce_specversion")),
                                "1.0");
        }
    }
    json_decref(lines);
}

static void test_what_is_not_a_record_of_the_topic_is_told(void **state) {
    struct cli_world *world = *state;
    cli_world_send(world, world->config->topics.spaces, "k\n",
                   (struct berth_bytes){(const uint8_t *)"\x01", 1}, NULL, 0);
    tail(world, "spaces", NULL);
    assert_non_null(strstr(cli_world_out(world), "not a record of this topic:  key=k\\x0a  1 bytes "
                                                 "at spaces-"));
}

static void test_a_limit_ends_it(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    publish_bound(world);
    cli_world_run(world, "tail", "results", "--from-beginning", "--limit", "1", "--json", NULL);
    cli_world_assert_status(world, 0);
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 1);
    json_decref(lines);
}

/* As tail(1): the last three, oldest first, and then it ends. */
static void test_the_last_ones_are_shown_and_it_ends(void **state) {
    struct cli_world *world = *state;
    const char *topic = world->config->topics.results;
    cli_world_send(world, topic, "another partition's, perhaps", (struct berth_bytes){0}, NULL, 0);
    for (int i = 0; i < 20; i++) {
        cli_world_send(world, topic, "k", (struct berth_bytes){(const uint8_t *)"\x01", 1}, NULL,
                       0);
    }
    cli_world_run(world, "tail", "results", "-n", "3", "--json", NULL);
    cli_world_assert_status(world, 0);
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 3);
    json_int_t last = 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *line = json_array_get(lines, i);
        assert_string_equal(json_string_value(json_object_get(line, "key")), "k");
        json_int_t offset = json_integer_value(json_object_get(line, "offset"));
        assert_true(i == 0 || offset == last + 1);
        last = offset;
    }
    assert_true(last >= 19);
    json_decref(lines);
    cli_world_run(world, "tail", "results", "-n", "100", "--json", NULL);
    lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 21);
    json_decref(lines);
    cli_world_run(world, "tail", "results", "-n", "3", "--from-beginning", NULL);
    cli_world_assert_status(world, 2);
}

/* Without a bound it follows: what is published later is shown, until somebody stops it. */
static void test_it_follows_until_it_is_interrupted(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    struct cli_run run = cli_world_start(world, "tail", "results", "--from-beginning", NULL);
    char first[4096];
    /* Its first line shows that it has its positions: what comes now is new to it. */
    assert_true(read(run.out, first, sizeof(first)) > 0);
    publish_bound(world);
    char second[4096];
    ssize_t len = read(run.out, second, sizeof(second) - 1);
    assert_true(len > 0);
    second[len] = '\0';
    assert_non_null(strstr(second, ID));
    assert_int_equal(kill(run.pid, SIGINT), 0);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 0);
    assert_string_equal(cli_world_err(world), "");
}

/* `berth tail results | head -1` must come back. */
static void test_it_ends_when_nobody_reads(void **state) {
    struct cli_world *world = *state;
    publish_bound(world);
    struct cli_run run = cli_world_start(world, "tail", "results", "--from-beginning", NULL);
    char first[4096];
    assert_true(read(run.out, first, sizeof(first)) > 0);
    assert_int_equal(close(run.out), 0);
    run.out = -1;
    cli_world_finish(world, run);
    cli_world_assert_status(world, 0);
    assert_string_equal(cli_world_err(world), "");
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, cli_world_setup, cli_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_results_are_readable),
        TEST(test_audit_shows_before_and_after),
        TEST(test_spaces_are_a_table),
        TEST(test_dead_letters_say_why_and_whence),
        TEST(test_json_has_all_of_a_record),
        TEST(test_what_is_not_a_record_of_the_topic_is_told),
        TEST(test_the_last_ones_are_shown_and_it_ends),
        TEST(test_a_limit_ends_it),
        TEST(test_it_follows_until_it_is_interrupted),
        TEST(test_it_ends_when_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
