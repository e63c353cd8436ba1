/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused before a command is claimed, with which code, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "berth/core/command_rules.h"

static const char *const names[] = {"harbor-1", "harbor-2"};
static const char *const topics[] = {"berth.commands.harbor-1", "berth.commands.harbor-2"};
static const char *const protected_spaces[] = {"library"};
static const struct berth_rules rules = {
    .registry_names = names,
    .registry_topics = topics,
    .registries_count = 2,
    .protected_spaces = protected_spaces,
    .protected_spaces_count = 1,
};

static struct berth_workspace workspaces[BERTH_COMMAND_WORKSPACES_MAX + 1];
static struct berth_refusal refusal;

static struct berth_command a_command(enum berth_command_type type) {
    memset(workspaces, 0, sizeof(workspaces));
    memcpy(workspaces[0].id, "ws.One_1-2", sizeof("ws.One_1-2"));
    return (struct berth_command){
        .type = type,
        .id = "2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a",
        .registry = "harbor-2",
        .space = "team-a",
        .visibility = BERTH_PUBLIC,
        .workspaces = workspaces,
        .workspaces_count = 1,
    };
}

static bool check_with(const struct berth_command *command, const char *topic, const char *key) {
    size_t registry = 99;
    memset(&refusal, 0, sizeof(refusal));
    bool fine = berth_command_check(command, topic, key, key != NULL ? strlen(key) : 0, &rules,
                                    &registry, &refusal);
    assert_int_equal(registry, fine ? 1 : 99);
    return fine;
}

static bool check(const struct berth_command *command) {
    char key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    (void)snprintf(key, sizeof(key), "%s/%s", command->registry, command->space);
    return check_with(command, topics[1], key);
}

static void expect_refused(const struct berth_command *command, const char *code) {
    assert_false(check(command));
    assert_string_equal(refusal.code, code);
    size_t len = strlen(refusal.message);
    assert_true(len > 0);
    assert_int_equal(refusal.message[len - 1], '.');
}

static void test_each_type_of_command_is_acceptable(void **state) {
    (void)state;
    for (enum berth_command_type type = 0; type < BERTH_COMMAND_TYPES; type++) {
        struct berth_command command = a_command(type);
        assert_true(check(&command));
    }
}

static void test_an_id_must_be_a_uuid(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    command.id[0] = '\0';
    expect_refused(&command, BERTH_CODE_COMMAND_ID_INVALID);

    assert_true(berth_uuid_legal("2F0C3F6E-8F2B-4D0C-9A53-0D6F3F0C7B1A"));
    assert_false(berth_uuid_legal("2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1"));
    assert_false(berth_uuid_legal("2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a0"));
    assert_false(berth_uuid_legal("2f0c3f6e08f2b-4d0c-9a53-0d6f3f0c7b1a"));
    assert_false(berth_uuid_legal("2g0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a"));
}

/* The remedy is a look at what there is. */
static void test_an_unknown_registry_is_told_with_those_there_are(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    memcpy(command.registry, "habror-2", sizeof("habror-2"));
    expect_refused(&command, BERTH_CODE_REGISTRY_UNKNOWN);
    assert_string_equal(refusal.message,
                        "No registry 'habror-2' is configured; there is: harbor-1, harbor-2.");
}

/* However many there are, the sentence fits. */
static void test_many_registries_are_listed_in_part(void **state) {
    (void)state;
    static const char *many[100];
    for (size_t i = 0; i < 100; i++) {
        many[i] = "a-registry-with-a-longish-name";
    }
    struct berth_rules wide = rules;
    wide.registry_names = many;
    wide.registries_count = 100;
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    size_t registry;
    assert_false(berth_command_check(&command, topics[1], "", 0, &wide, &registry, &refusal));
    assert_string_equal(refusal.code, BERTH_CODE_REGISTRY_UNKNOWN);
    assert_non_null(strstr(refusal.message, ", ..."));
}

static void test_a_command_belongs_on_its_registrys_topic(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    assert_false(check_with(&command, topics[0], "harbor-2/team-a"));
    assert_string_equal(refusal.code, BERTH_CODE_COMMAND_WRONG_TOPIC);
    assert_non_null(strstr(refusal.message, topics[1]));
}

/* Order for each space depends on the key. */
static void test_the_key_must_be_registry_and_space(void **state) {
    (void)state;
    static const char *const keys[] = {
        NULL, "", "team-a", "harbor-2/team-", "harbor-2/team-ab", "harbor-1/team-a"};
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_false(check_with(&command, topics[1], keys[i]));
        assert_string_equal(refusal.code, BERTH_CODE_COMMAND_KEY_MISMATCH);
        assert_non_null(strstr(refusal.message, "'harbor-2/team-a'"));
    }
}

static void test_names_follow_harbors_rule(void **state) {
    (void)state;
    static const char *const legal[] = {"a", "123", "team-a", "a.b_c-d", "0-0"};
    static const char *const illegal[] = {"",    "-a",  "a-",        "a--b", "a._b", "A",
                                          "a b", "a/b", "t\xc3\xa9", "a#1",  "."};
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        assert_true(berth_harbor_name_legal(legal[i]));
    }
    for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
        assert_false(berth_harbor_name_legal(illegal[i]));
    }
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    memcpy(command.space, "Team-A", sizeof("Team-A"));
    expect_refused(&command, BERTH_CODE_SPACE_NAME_INVALID);
    assert_non_null(strstr(refusal.message, "lower-case"));
}

static void test_a_space_name_has_190_bytes_at_most(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    memset(command.space, 'a', BERTH_SPACE_NAME_BYTES_MAX);
    assert_true(check(&command));
    command.space[BERTH_SPACE_NAME_BYTES_MAX] = 'a';
    expect_refused(&command, BERTH_CODE_SPACE_NAME_INVALID);
}

static void test_a_quota_is_unlimited_or_positive_and_bounded(void **state) {
    (void)state;
    static const int64_t legal[] = {-1, 1, (int64_t)1 << 50};
    static const int64_t illegal[] = {0, -2, ((int64_t)1 << 50) + 1, INT64_MIN, INT64_MAX};
    struct berth_command command = a_command(BERTH_CREATE_SPACE);
    for (int type = 0; type < 2; type++) {
        command.type = type == 0 ? BERTH_CREATE_SPACE : BERTH_UPDATE_SPACE;
        command.quota_given = true;
        for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
            command.quota_bytes = legal[i];
            assert_true(check(&command));
        }
        for (size_t i = 0; i < sizeof(illegal) / sizeof(illegal[0]); i++) {
            command.quota_bytes = illegal[i];
            expect_refused(&command, BERTH_CODE_QUOTA_INVALID);
        }
    }
}

static void test_an_update_must_say_what(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_UPDATE_SPACE);
    command.visibility = BERTH_VISIBILITY_UNSET;
    expect_refused(&command, BERTH_CODE_COMMAND_NOTHING_TO_UPDATE);
}

/* Only deletion is: a protected space may be bound. */
static void test_a_protected_space_is_not_deleted(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_DELETE_SPACE);
    memcpy(command.space, "library", sizeof("library"));
    expect_refused(&command, BERTH_CODE_SPACE_PROTECTED);
    command.type = BERTH_BIND_WORKSPACE;
    assert_true(check(&command));
}

static void test_binding_needs_workspaces_but_an_empty_set_is_one(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_BIND_WORKSPACE);
    command.workspaces_count = 0;
    expect_refused(&command, BERTH_CODE_COMMAND_WORKSPACES_EMPTY);
    command.type = BERTH_UNBIND_WORKSPACE;
    expect_refused(&command, BERTH_CODE_COMMAND_WORKSPACES_EMPTY);
    command.type = BERTH_SET_WORKSPACE_BINDINGS;
    assert_true(check(&command));
}

static void test_more_than_a_thousand_workspaces_are_refused(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_SET_WORKSPACE_BINDINGS);
    for (size_t i = 0; i <= BERTH_COMMAND_WORKSPACES_MAX; i++) {
        (void)snprintf(workspaces[i].id, sizeof(workspaces[i].id), "w%04zu", i);
    }
    command.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX;
    assert_true(check(&command));
    command.workspaces_count++;
    expect_refused(&command, BERTH_CODE_COMMAND_WORKSPACES_TOO_MANY);
}

/* The one that is wrong is named. */
static void test_an_illegal_workspace_is_named(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_UNBIND_WORKSPACE);
    command.workspaces_count = 2;
    memcpy(workspaces[1].id, "no good", sizeof("no good"));
    expect_refused(&command, BERTH_CODE_WORKSPACE_ID_INVALID);
    assert_non_null(strstr(refusal.message, "'no good'"));

    char longest[BERTH_WORKSPACE_BYTES + 1];
    memset(longest, 'a', sizeof(longest));
    longest[BERTH_WORKSPACE_BYTES - 1] = '\0';
    assert_true(berth_workspace_id_legal(longest));
    longest[BERTH_WORKSPACE_BYTES - 1] = 'a';
    longest[BERTH_WORKSPACE_BYTES] = '\0';
    assert_false(berth_workspace_id_legal(longest));
    assert_false(berth_workspace_id_legal(""));
}

/* id, registry, topic, name, key, fields: of several faults, the first is told. */
static void test_faults_are_told_in_a_fixed_order(void **state) {
    (void)state;
    struct berth_command command = a_command(BERTH_UPDATE_SPACE);
    command.visibility = BERTH_VISIBILITY_UNSET;
    memcpy(command.registry, "nowhere", sizeof("nowhere"));
    memcpy(command.space, "Team", sizeof("Team"));
    command.id[0] = '\0';
    static const char *const order[] = {
        BERTH_CODE_COMMAND_ID_INVALID,   BERTH_CODE_REGISTRY_UNKNOWN,
        BERTH_CODE_COMMAND_WRONG_TOPIC,  BERTH_CODE_SPACE_NAME_INVALID,
        BERTH_CODE_COMMAND_KEY_MISMATCH, BERTH_CODE_COMMAND_NOTHING_TO_UPDATE,
    };
    const char *topic = "elsewhere";
    const char *key = "wrong";
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_false(check_with(&command, topic, key));
        assert_string_equal(refusal.code, order[i]);
        /* Put that one right, and look for the next. */
        struct berth_command right = a_command(BERTH_UPDATE_SPACE);
        if (i == 0) {
            memcpy(command.id, right.id, sizeof(right.id));
        } else if (i == 1) {
            memcpy(command.registry, right.registry, sizeof(right.registry));
        } else if (i == 2) {
            topic = topics[1];
        } else if (i == 3) {
            memcpy(command.space, right.space, sizeof(right.space));
        } else if (i == 4) {
            key = "harbor-2/team-a";
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_of_command_is_acceptable),
        cmocka_unit_test(test_an_id_must_be_a_uuid),
        cmocka_unit_test(test_an_unknown_registry_is_told_with_those_there_are),
        cmocka_unit_test(test_many_registries_are_listed_in_part),
        cmocka_unit_test(test_a_command_belongs_on_its_registrys_topic),
        cmocka_unit_test(test_the_key_must_be_registry_and_space),
        cmocka_unit_test(test_names_follow_harbors_rule),
        cmocka_unit_test(test_a_space_name_has_190_bytes_at_most),
        cmocka_unit_test(test_a_quota_is_unlimited_or_positive_and_bounded),
        cmocka_unit_test(test_an_update_must_say_what),
        cmocka_unit_test(test_a_protected_space_is_not_deleted),
        cmocka_unit_test(test_binding_needs_workspaces_but_an_empty_set_is_one),
        cmocka_unit_test(test_more_than_a_thousand_workspaces_are_refused),
        cmocka_unit_test(test_an_illegal_workspace_is_named),
        cmocka_unit_test(test_faults_are_told_in_a_fixed_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
