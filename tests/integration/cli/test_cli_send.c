/* SPDX-License-Identifier: Apache-2.0 */
/* berth topics, and what berth send puts on the wire. */
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "berth/io/kafka_topics.h"
#include "cli_world.h"

#define ID "2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a"

static void assert_key(const struct berth_record *record, const char *key) {
    struct berth_bytes bytes = berth_record_key(record);
    assert_int_equal(bytes.len, strlen(key));
    assert_memory_equal(bytes.data, key, bytes.len);
}

/* Asserts that nothing was put on the topic. */
static void assert_empty(struct cli_world *world, const char *topic) {
    struct berth_reader *reader = cli_world_reader(world, topic);
    assert_true(berth_reader_at_end(reader));
    berth_reader_free(reader);
}

static void test_topics_are_missing_until_they_are_made(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "topics", NULL);
    cli_world_assert_status(world, 1);
    assert_non_null(strstr(cli_world_out(world), "missing: berth topics --create makes it"));

    cli_world_run(world, "topics", "--create", "--partitions", "3", "--replication-factor", "1",
                  NULL);
    cli_world_assert_status(world, 0);
    assert_null(strstr(cli_world_out(world), "missing"));

    const char *names[] = {world->config->topics.spaces, world->config->topics.results,
                           world->config->registries[1].command_topic};
    const char *policies[] = {"compact", "delete", "delete"};
    struct berth_topic_status statuses[3];
    struct berth_error error = {0};
    assert_int_equal(
        berth_topics_describe(&world->kafka, names, 3, WORLD_TIMEOUT_MS, statuses, &error),
        BERTH_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_true(statuses[i].exists);
        assert_int_equal(statuses[i].partitions, 3);
        assert_string_equal(statuses[i].cleanup_policy, policies[i]);
    }

    cli_world_run(world, "topics", NULL);
    cli_world_assert_status(world, 0);

    /* Whoever asks for other numbers later is told that they are not what is there. */
    assert_string_equal(cli_world_err(world), "");
    cli_world_run(world, "topics", "--create", "--partitions", "4", "--replication-factor", "2",
                  NULL);
    cli_world_assert_status(world, 0);
    const char *said = cli_world_err(world);
    assert_non_null(strstr(said, "was there already, with 3 partitions instead of 4"));
    assert_non_null(strstr(said, "was there already, with replication factor 1 instead of 2"));
    assert_non_null(strstr(said, world->config->topics.spaces));
}

/* A topic of states that forgets the old ones would lose spaces. */
static void test_a_wrong_cleanup_policy_is_told(void **state) {
    struct cli_world *world = *state;
    const struct berth_topic_spec spec = {.name = world->config->topics.spaces,
                                          .partitions = 1,
                                          .replication_factor = 1,
                                          .cleanup_policy = "delete"};
    struct berth_topic_made made = {0};
    struct berth_error error = {0};
    assert_int_equal(berth_topics_create(&world->kafka, &spec, 1, WORLD_TIMEOUT_MS, &made, &error),
                     BERTH_OK);
    assert_true(made.made);
    cli_world_run(world, "topics", "--create", NULL);
    cli_world_assert_status(world, 1);
    assert_non_null(strstr(cli_world_out(world), "wrong cleanup policy: it must be compact\n"));
}

/* The line of one topic, which is there. */
static const json_t *line_of(const json_t *lines, const char *topic) {
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        if (strcmp(json_string_value(json_object_get(line, "topic")), topic) == 0) {
            return line;
        }
    }
    fail_msg("no line about %s", topic);
    return NULL;
}

/* What a deployment script goes by; the exit status is the same as for people. */
static void test_topics_are_objects_for_programs(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "topics", "--json", NULL);
    cli_world_assert_status(world, 1);
    json_t *lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 6);
    const json_t *spaces = line_of(lines, world->config->topics.spaces);
    assert_string_equal(json_string_value(json_object_get(spaces, "state")), "missing");
    assert_true(json_is_null(json_object_get(spaces, "partitions")));
    assert_true(json_is_null(json_object_get(spaces, "cleanup_policy")));
    assert_string_equal(json_string_value(json_object_get(spaces, "cleanup_policy_wanted")),
                        "compact");
    json_decref(lines);

    cli_world_run(world, "topics", "--json", "--create", "--partitions", "3",
                  "--replication-factor", "1", NULL);
    cli_world_assert_status(world, 0);
    lines = cli_world_json(world);
    assert_int_equal(json_array_size(lines), 6);
    spaces = line_of(lines, world->config->topics.spaces);
    assert_string_equal(json_string_value(json_object_get(spaces, "state")), "ok");
    assert_int_equal(json_integer_value(json_object_get(spaces, "partitions")), 3);
    assert_int_equal(json_integer_value(json_object_get(spaces, "replication_factor")), 1);
    assert_string_equal(json_string_value(json_object_get(spaces, "cleanup_policy")), "compact");
    json_decref(lines);
}

static void test_a_command_is_sent_as_berthd_reads_it(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "send", "create-space", "--registry", "alpha", "--space", "team-a",
                  "--public", "--quota", "10G", "--adopt", "--actor", "alice", "--id", ID, NULL);
    cli_world_assert_status(world, 0);
    assert_non_null(strstr(cli_world_out(world), "sent CreateSpace alpha/team-a  to commands-"));
    assert_non_null(strstr(cli_world_out(world), "id=" ID "\n"));

    struct berth_reader *reader =
        cli_world_reader(world, world->config->registries[0].command_topic);
    struct berth_record *record = cli_world_take(reader);
    assert_key(record, "alpha/team-a");
    struct berth_decoded decoded = cli_world_decode(world, record);
    assert_int_equal(decoded.command.type, BERTH_CREATE_SPACE);
    assert_string_equal(decoded.command.id, ID);
    assert_string_equal(decoded.command.actor, "alice");
    assert_int_equal(decoded.command.visibility, BERTH_PUBLIC);
    assert_true(decoded.command.quota_given);
    assert_int_equal(decoded.command.quota_bytes, (int64_t)10 << 30);
    assert_int_equal(decoded.command.if_exists, BERTH_IF_EXISTS_ADOPT);
    assert_int_equal(strlen(decoded.command.traceparent), BERTH_TRACEPARENT_BYTES - 1);
    berth_decoded_deinit(&decoded);
    berth_record_free(record);
    berth_reader_free(reader);
}

static void test_what_is_not_given_is_chosen(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "send", "bind-workspace", "-r", "beta", "-s", "team-a", "-w", "prod", "-w",
                  "dev", "--json", NULL);
    cli_world_assert_status(world, 0);
    json_t *lines = cli_world_json(world);
    const json_t *line = json_array_get(lines, 0);

    struct berth_reader *reader =
        cli_world_reader(world, world->config->registries[1].command_topic);
    struct berth_record *record = cli_world_take(reader);
    struct berth_decoded decoded = cli_world_decode(world, record);
    assert_string_equal(decoded.command.id, json_string_value(json_object_get(line, "command_id")));
    assert_string_equal(berth_record_topic(record),
                        json_string_value(json_object_get(line, "topic")));
    assert_int_equal(berth_record_partition(record),
                     json_integer_value(json_object_get(line, "partition")));
    assert_int_equal(berth_record_offset(record),
                     json_integer_value(json_object_get(line, "offset")));
    assert_string_equal(decoded.command.actor, getpwuid(geteuid())->pw_name);
    assert_int_equal(decoded.command.workspaces_count, 2);
    assert_string_equal(decoded.command.workspaces[0].id, "dev");
    assert_string_equal(decoded.command.workspaces[1].id, "prod");
    berth_decoded_deinit(&decoded);
    berth_record_free(record);
    berth_reader_free(reader);
    json_decref(lines);
}

/* What berthd would refuse isn't sent, and is refused in the same words. */
static void test_a_command_is_checked_before_it_is_sent(void **state) {
    struct cli_world *world = *state;
    static const struct {
        const char *words[8];
        const char *code;
    } cases[] = {
        {{"create-space", "-r", "gamma", "-s", "x"}, "registry.unknown: "},
        {{"create-space", "-r", "alpha", "-s", "Team"}, "space.name_invalid: "},
        {{"create-space", "-r", "alpha", "-s", "x", "--id", "7"}, "command.id_invalid: "},
        {{"create-space", "-r", "alpha", "-s", "x", "--key", "x"}, "command.key_mismatch: "},
        {{"delete-space", "-r", "alpha", "-s", "library"}, "space.protected: "},
        {{"create-space", "-r", "alpha", "-s", "x", "--topic", "dlq-1"}, "command.wrong_topic: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const *words = cases[i].words;
        cli_world_run(world, "send", words[0], words[1], words[2], words[3], words[4], words[5],
                      words[6], words[7], NULL);
        cli_world_assert_status(world, 2);
        assert_non_null(strstr(cli_world_err(world), cases[i].code));
    }
    assert_empty(world, world->config->registries[0].command_topic);
}

/* To see berthd refuse it after all. */
static void test_no_check_sends_it_all_the_same(void **state) {
    struct cli_world *world = *state;
    const char *topic = world->config->registries[0].command_topic;
    cli_world_run(world, "send", "create-space", "-r", "gamma", "-s", "Team", "--topic", topic,
                  "--key", "x", "--no-check", NULL);
    cli_world_assert_status(world, 0);
    struct berth_reader *reader = cli_world_reader(world, topic);
    struct berth_record *record = cli_world_take(reader);
    assert_key(record, "x");
    struct berth_decoded decoded = cli_world_decode(world, record);
    assert_string_equal(decoded.command.registry, "gamma");
    assert_string_equal(decoded.command.space, "Team");
    berth_decoded_deinit(&decoded);
    berth_record_free(record);
    berth_reader_free(reader);
}

static void test_raw_bytes_are_sent_as_they_are(void **state) {
    struct cli_world *world = *state;
    static const char bytes[] = "\x00\x01\xff\n";
    const char *path = cli_world_file(world, "raw", bytes, sizeof(bytes) - 1);
    cli_world_run(world, "send", "--raw", path, "--registry", "alpha", "--space", "x", NULL);
    cli_world_assert_status(world, 0);
    struct berth_reader *reader =
        cli_world_reader(world, world->config->registries[0].command_topic);
    struct berth_record *record = cli_world_take(reader);
    assert_key(record, "alpha/x");
    assert_int_equal(berth_record_value(record).len, sizeof(bytes) - 1);
    assert_memory_equal(berth_record_value(record).data, bytes, sizeof(bytes) - 1);
    berth_record_free(record);
    berth_reader_free(reader);
}

/* Commands of one space keep their order, since they have one partition. */
static void test_a_batch_is_sent_in_its_order(void **state) {
    struct cli_world *world = *state;
    static const char batch[] = "# a space and its workspaces\n"
                                "create-space -r alpha -s team-a\n"
                                "\n"
                                "\tbind-workspace -r alpha  -s team-a -w dev\n"
                                "unbind-workspace -r alpha -s team-a --workspace=dev\r\n"
                                "delete-space -r alpha -s team-a --unbind";
    const char *path = cli_world_file(world, "batch", batch, strlen(batch));
    cli_world_run(world, "send", "--batch", path, NULL);
    cli_world_assert_status(world, 0);
    static const enum berth_command_type types[] = {BERTH_CREATE_SPACE, BERTH_BIND_WORKSPACE,
                                                    BERTH_UNBIND_WORKSPACE, BERTH_DELETE_SPACE};
    struct berth_reader *reader =
        cli_world_reader(world, world->config->registries[0].command_topic);
    for (size_t i = 0; i < 4; i++) {
        struct berth_record *record = cli_world_take(reader);
        struct berth_decoded decoded = cli_world_decode(world, record);
        assert_int_equal(decoded.command.type, types[i]);
        berth_decoded_deinit(&decoded);
        berth_record_free(record);
    }
    assert_true(berth_reader_at_end(reader));
    berth_reader_free(reader);
}

/* Half a batch would be worse than none. */
static void test_a_batch_with_a_mistake_sends_nothing(void **state) {
    struct cli_world *world = *state;
    static const char batch[] = "create-space -r alpha -s team-a\n"
                                "create-space -r alpha\n"
                                "create-space -r alpha -s Team\n"
                                "make-space -r alpha -s x\n"
                                "create-space -r alpha -s x --wait\n";
    const char *path = cli_world_file(world, "batch", batch, strlen(batch));
    cli_world_run(world, "send", "--batch", path, NULL);
    cli_world_assert_status(world, 2);
    assert_non_null(strstr(cli_world_err(world), "line 2: needs --registry and --space\n"));
    assert_non_null(strstr(cli_world_err(world), "line 3: space.name_invalid: "));
    assert_non_null(strstr(cli_world_err(world), "line 4: make-space: must be create-space"));
    assert_non_null(strstr(cli_world_err(world), "line 5: unrecognized option '--wait'\n"));
    assert_empty(world, world->config->registries[0].command_topic);
}

static void test_help_and_version_are_commands_too(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "help", NULL);
    cli_world_assert_status(world, 0);
    assert_non_null(strstr(cli_world_out(world), "Commands, each with a --help"));
    cli_world_run(world, "help", "tail", NULL);
    cli_world_assert_status(world, 0);
    assert_non_null(strstr(cli_world_out(world), "results|audit|spaces|dlq"));
    cli_world_run(world, "help", "nothing", NULL);
    cli_world_assert_status(world, 2);
    cli_world_run(world, "version", NULL);
    cli_world_assert_status(world, 0);
    assert_string_equal(cli_world_out(world), "berth " BERTH_VERSION "\n");
}

static void test_a_topic_that_is_missing_is_told(void **state) {
    struct cli_world *world = *state;
    cli_world_run(world, "send", "create-space", "-r", "alpha", "-s", "x", NULL);
    cli_world_assert_status(world, 1);
    assert_non_null(strstr(cli_world_err(world), world->config->registries[0].command_topic));
    cli_world_run(world, "tail", "results", NULL);
    cli_world_assert_status(world, 1);
    assert_non_null(strstr(cli_world_err(world), world->config->topics.results));
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, cli_world_setup, cli_world_teardown)
#define TEST_BARE(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, cli_world_setup_bare, cli_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST_BARE(test_topics_are_missing_until_they_are_made),
        TEST_BARE(test_topics_are_objects_for_programs),
        TEST_BARE(test_a_wrong_cleanup_policy_is_told),
        TEST(test_a_command_is_sent_as_berthd_reads_it),
        TEST(test_what_is_not_given_is_chosen),
        TEST(test_a_command_is_checked_before_it_is_sent),
        TEST(test_no_check_sends_it_all_the_same),
        TEST(test_raw_bytes_are_sent_as_they_are),
        TEST(test_a_batch_is_sent_in_its_order),
        TEST(test_a_batch_with_a_mistake_sends_nothing),
        TEST_BARE(test_help_and_version_are_commands_too),
        TEST_BARE(test_a_topic_that_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
