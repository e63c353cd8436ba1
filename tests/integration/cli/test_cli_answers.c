/* SPDX-License-Identifier: Apache-2.0 */
/* berth send --wait, with the test in berthd's place. */
#include <string.h>

#include "cli_world.h"

#define ID "2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a"

struct asked {
    struct berth_reader *reader;
    struct berth_decoded decoded;
    struct berth_source source;
};

/* Waits for the command that the program sends. */
static struct asked take_command(struct cli_world *world) {
    struct asked asked = {.reader =
                              cli_world_reader(world, world->config->registries[0].command_topic)};
    struct berth_record *record = cli_world_take(asked.reader);
    asked.decoded = cli_world_decode(world, record);
    asked.source = cli_world_source(record);
    berth_record_free(record);
    return asked;
}

static void done(struct asked *asked) {
    berth_decoded_deinit(&asked->decoded);
    berth_reader_free(asked->reader);
}

static void test_the_result_is_shown_to_people(void **state) {
    struct cli_world *world = *state;
    struct cli_run run = cli_world_start(world, "send", "bind-workspace", "-r", "alpha", "-s",
                                         "team-a", "-w", "dev", "-w", "prod", "--wait", NULL);
    struct asked asked = take_command(world);
    struct berth_binding_change changes[] = {
        {.workspace = "dev", .kind = BERTH_BINDING_BOUND, .code = "workspace.bound"},
        {.workspace = "prod", .kind = BERTH_BINDING_UNCHANGED, .code = "workspace.unchanged"},
    };
    struct berth_outcome outcome =
        cli_world_outcome("workspace.bound", "Bound/Unbound workspace successfully");
    outcome.bindings = changes;
    outcome.bindings_count = 2;
    cli_world_publish(world, &asked.decoded.command, &asked.source, &outcome);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 0);
    const char *out = cli_world_out(world);
    assert_non_null(strstr(out, "Bound/Unbound workspace successfully\n"
                                "  SUCCEEDED workspace.bound  BindWorkspace alpha/team-a  "));
    assert_non_null(strstr(out, " ms  id="));
    assert_non_null(strstr(out, "  BOUND     dev  workspace.bound\n"
                                "  UNCHANGED prod  workspace.unchanged\n"));
    done(&asked);
}

static void test_the_result_is_an_object_for_programs(void **state) {
    struct cli_world *world = *state;
    struct cli_run run = cli_world_start(world, "send", "create-space", "-r", "alpha", "-s",
                                         "team-a", "--id", ID, "--wait", "--json", NULL);
    struct asked asked = take_command(world);
    struct berth_outcome outcome =
        cli_world_outcome("space.created", "Created registry space successfully");
    cli_world_publish(world, &asked.decoded.command, &asked.source, &outcome);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 0);
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *result = json_array_get(lines, 0);
    assert_string_equal(json_string_value(json_object_get(result, "command_id")), ID);
    assert_string_equal(json_string_value(json_object_get(result, "outcome")), "SUCCEEDED");
    assert_string_equal(json_string_value(json_object_get(result, "code")), "space.created");
    assert_true(json_is_integer(json_object_get(result, "elapsed_ms")));
    const json_t *headers = json_object_get(result, "headers");
    assert_non_null(json_string_value(json_object_get(headers, "ce_id")));
    /* The answer belongs to the same trace as the question. */
    assert_memory_equal(json_string_value(json_object_get(headers, "traceparent")),
                        asked.decoded.command.traceparent, 35);
    json_decref(lines);
    done(&asked);
}

static void test_a_rejected_command_is_exit_status_1(void **state) {
    struct cli_world *world = *state;
    struct cli_run run = cli_world_start(world, "send", "delete-space", "-r", "alpha", "-s",
                                         "team-a", "--wait", NULL);
    struct asked asked = take_command(world);
    struct berth_outcome outcome =
        cli_world_outcome("space.bound", "Space team-a is still bound: unbind dev first.");
    outcome.kind = BERTH_REJECTED;
    outcome.changed = false;
    outcome.details_count = 1;
    (void)snprintf(outcome.details[0].name, sizeof(outcome.details[0].name), "workspaces");
    (void)snprintf(outcome.details[0].value, sizeof(outcome.details[0].value), "dev\x1b[2J");
    cli_world_publish(world, &asked.decoded.command, &asked.source, &outcome);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 1);
    assert_non_null(strstr(cli_world_out(world), "Space team-a is still bound: unbind dev first.\n"
                                                 "  REJECTED space.bound  "));
    /* What comes from elsewhere can't move the terminal's cursor. */
    assert_non_null(strstr(cli_world_out(world), "  workspaces: dev\\x1b[2J\n"));
    done(&asked);
}

/* An id may be sent twice: each record has its own answer. */
static void test_an_answer_to_another_record_is_not_taken(void **state) {
    struct cli_world *world = *state;
    struct cli_run run = cli_world_start(world, "send", "create-space", "-r", "alpha", "-s",
                                         "team-a", "--id", ID, "--wait", NULL);
    struct asked asked = take_command(world);
    struct berth_source other = asked.source;
    other.offset += 1000;
    struct berth_outcome outcome = cli_world_outcome("space.created", "Not this one");
    cli_world_publish(world, &asked.decoded.command, &other, &outcome);
    cli_world_send(world, world->config->topics.results, "alpha/team-a",
                   (struct berth_bytes){(const uint8_t *)"not a result", 12}, NULL, 0);
    outcome = cli_world_outcome("space.created", "This one");
    cli_world_publish(world, &asked.decoded.command, &asked.source, &outcome);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 0);
    assert_memory_equal(cli_world_out(world), "This one\n", strlen("This one\n"));
    done(&asked);
}

/* A record that can't be read has no id, so its dead letter is all there will be. */
static void test_a_dead_letter_is_an_answer_too(void **state) {
    struct cli_world *world = *state;
    const char *path = cli_world_file(world, "raw", "\x01\x02\x03", 3);
    struct cli_run run =
        cli_world_start(world, "send", "--raw", path, "-r", "alpha", "-s", "x", "--wait", NULL);
    struct berth_reader *reader =
        cli_world_reader(world, world->config->registries[0].command_topic);
    struct berth_record *record = cli_world_take(reader);
    struct berth_source source = cli_world_source(record);
    struct berth_command command = {.registry = "alpha", .space = "x"};
    struct berth_outcome outcome =
        cli_world_outcome("record.undecodable", "The record is not in a format that is known.");
    outcome.kind = BERTH_REJECTED;
    outcome.dead_letter = true;
    cli_world_publish(world, &command, &source, &outcome);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 1);
    assert_non_null(strstr(cli_world_out(world), "dead letter: record.undecodable\n"));
    berth_record_free(record);
    berth_reader_free(reader);
}

/* Both come when a command was given up; the result says more. */
static void test_a_result_counts_more_than_its_dead_letter(void **state) {
    struct cli_world *world = *state;
    struct cli_run run = cli_world_start(world, "send", "create-space", "-r", "alpha", "-s",
                                         "team-a", "--wait", "--json", NULL);
    struct asked asked = take_command(world);
    struct berth_outcome outcome = cli_world_outcome("registry.unavailable", "Given up");
    outcome.kind = BERTH_FAILED;
    outcome.dead_letter = true;
    cli_world_publish(world, &asked.decoded.command, &asked.source, &outcome);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 1);
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "outcome")),
                        "FAILED");
    json_decref(lines);
    done(&asked);
}

static void test_no_answer_in_time_is_exit_status_3(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "send", "create-space", "-r", "alpha", "-s", "team-a", "--wait=0.3", NULL);
    cli_world_assert_status(world, 3);
    assert_string_equal(cli_world_out(world), "");
    assert_non_null(strstr(cli_world_err(world), "no answer to CreateSpace alpha/team-a"));
    assert_non_null(strstr(cli_world_err(world), "within 300 ms: is berthd running"));
}

/* Nobody who waited in vain has to guess how to ask again. */
static void test_no_answer_in_time_names_the_id_to_ask_again_with(void **state) {
    struct cli_world *world = *state;
    /* The seconds as a word of their own. */
    cli_world_run(world, "send", "create-space", "-r", "alpha", "-s", "team-a", "--wait", "0.3",
                  "--id", ID, NULL);
    cli_world_assert_status(world, 3);
    assert_non_null(strstr(cli_world_err(world), "its id is " ID));
    assert_non_null(strstr(cli_world_err(world), "berth send ... --id " ID " --wait"));
    cli_world_run(world, "send", "create-space", "-r", "alpha", "-s", "team-a", "--wait=0.3",
                  "--id", ID, "--json", NULL);
    cli_world_assert_status(world, 3);
    json_t *lines = cli_world_json(world);
    const json_t *line = json_array_get(lines, 0);
    assert_string_equal(json_string_value(json_object_get(line, "command_id")), ID);
    assert_true(json_is_false(json_object_get(line, "answered")));
    json_decref(lines);
}

/* One line for each, and the worst of them as exit status. */
static void test_a_batch_waits_for_all_its_answers(void **state) {
    struct cli_world *world = *state;
    static const char batch[] = "create-space -r alpha -s one\n"
                                "create-space -r alpha -s two\n"
                                "create-space -r alpha -s three\n";
    const char *path = cli_world_file(world, "batch", batch, strlen(batch));
    struct cli_run run = cli_world_start(world, "send", "--batch", path, "--wait=2", NULL);
    struct berth_reader *reader =
        cli_world_reader(world, world->config->registries[0].command_topic);
    for (int i = 0; i < 3; i++) {
        struct berth_record *record = cli_world_take(reader);
        struct berth_decoded decoded = cli_world_decode(world, record);
        struct berth_source source = cli_world_source(record);
        struct berth_outcome outcome = cli_world_outcome("space.created", "Created");
        outcome.kind = strcmp(decoded.command.space, "two") == 0 ? BERTH_REJECTED : BERTH_SUCCEEDED;
        if (strcmp(decoded.command.space, "one") != 0) {
            cli_world_publish(world, &decoded.command, &source, &outcome);
        }
        berth_decoded_deinit(&decoded);
        berth_record_free(record);
    }
    berth_reader_free(reader);
    cli_world_finish(world, run);
    cli_world_assert_status(world, 3);
    const char *out = cli_world_out(world);
    assert_non_null(strstr(out, "SUCCEEDED space.created  CreateSpace alpha/three  "));
    assert_non_null(strstr(out, "REJECTED  space.created  CreateSpace alpha/two  "));
    assert_null(strstr(out, "alpha/one"));
    assert_non_null(strstr(cli_world_err(world), "no answer to CreateSpace alpha/one"));
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, cli_world_setup, cli_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_result_is_shown_to_people),
        TEST(test_the_result_is_an_object_for_programs),
        TEST(test_no_answer_in_time_names_the_id_to_ask_again_with),
        TEST(test_a_rejected_command_is_exit_status_1),
        TEST(test_an_answer_to_another_record_is_not_taken),
        TEST(test_a_dead_letter_is_an_answer_too),
        TEST(test_a_result_counts_more_than_its_dead_letter),
        TEST(test_no_answer_in_time_is_exit_status_3),
        TEST(test_a_batch_waits_for_all_its_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
