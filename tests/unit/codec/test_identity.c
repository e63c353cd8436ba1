/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expected values were computed with Python's hashlib, hmac, uuid and base64, by the words of
 * the header and the design, not by this code.
 */
#include "berth/codec/identity.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/command_rules.h"

#define REGISTRY_UID "5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b21"

/* The bytes 0, 1, 2, ... 31. */
static struct berth_bytes counting_key(void) {
    static uint8_t key[BERTH_MASTER_KEY_BYTES_MIN];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    return (struct berth_bytes){.data = key, .len = sizeof key};
}

static void assert_hex(const uint8_t *data, size_t len, const char *expected) {
    char text[2 * BERTH_DIGEST_BYTES + 1] = "";
    assert_true(len <= BERTH_DIGEST_BYTES);
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", data[i]);
    }
    assert_string_equal(text, expected);
}

static void assert_robot_name(const char *workspace, const char *expected) {
    char name[BERTH_ROBOT_NAME_BYTES];
    berth_robot_name(workspace, name);
    assert_string_equal(name, expected);
    assert_true(berth_harbor_name_legal(name));
}

/* Event ids are made from names, so that what is published again is the same event. */
static void test_a_uuid5_is_the_one_that_others_compute(void **state) {
    (void)state;
    char uuid[BERTH_UUID_BYTES];
    berth_uuid5("hello", 5, uuid);
    assert_string_equal(uuid, "02d816d9-e64a-5a0c-bd78-2b8b3fbeadd4");
    berth_uuid5("", 0, uuid);
    assert_string_equal(uuid, "5ef8eb60-6f64-578d-832d-bc2d1a8a2e88");
}

/* Only the given length counts, since a name may be a view. */
static void test_a_uuid5_reads_no_further_than_its_name(void **state) {
    (void)state;
    char uuid[BERTH_UUID_BYTES];
    berth_uuid5("hello and more", 5, uuid);
    assert_string_equal(uuid, "02d816d9-e64a-5a0c-bd78-2b8b3fbeadd4");
}

static void test_a_uuid4_is_well_formed_and_never_the_same(void **state) {
    (void)state;
    char first[BERTH_UUID_BYTES];
    char second[BERTH_UUID_BYTES];
    assert_int_equal(berth_uuid4(first), BERTH_OK);
    assert_int_equal(berth_uuid4(second), BERTH_OK);
    assert_true(berth_uuid_legal(first));
    assert_int_equal(first[14], '4');
    assert_non_null(strchr("89ab", first[19]));
    assert_string_not_equal(first, second);
}

static struct berth_command bind_command(struct berth_workspace *workspaces, size_t count) {
    return (struct berth_command){
        .type = BERTH_BIND_WORKSPACE,
        .id = "0b9f5b0a-6d3e-4c8f-8a53-2f0b6c0d1e2f",
        .registry = "alpha",
        .space = "team-a",
        .actor = "ci",
        .issued_at_ms = 1700000000000,
        .workspaces = workspaces,
        .workspaces_count = count,
    };
}

/* The ledger keeps digests for days: a new version of berth must not call every id reused. */
static void test_a_digest_stays_what_it_was(void **state) {
    (void)state;
    struct berth_workspace workspaces[] = {{.id = "w1"}, {.id = "w2"}};
    struct berth_command bind = bind_command(workspaces, 2);
    uint8_t digest[BERTH_DIGEST_BYTES];
    berth_command_digest(&bind, digest);
    assert_hex(digest, sizeof digest,
               "f85441911e0b681353be70ab470dd6b552ee0c5ac961b28e8a615486058f54b2");

    struct berth_command create = bind_command(NULL, 0);
    create.type = BERTH_CREATE_SPACE;
    create.visibility = BERTH_PUBLIC;
    create.quota_given = true;
    create.quota_bytes = BERTH_QUOTA_UNLIMITED;
    create.if_exists = BERTH_IF_EXISTS_ADOPT;
    berth_command_digest(&create, digest);
    assert_hex(digest, sizeof digest,
               "36cf44d218f2b73e32db0fd41466949f8cd14301a16cd732bc9722132cb18775");
}

/* A producer that sends the same command again stamps it anew and traces it anew. */
static void test_a_digest_leaves_out_when_it_was_issued_and_traced(void **state) {
    (void)state;
    struct berth_command command = bind_command(NULL, 0);
    uint8_t before[BERTH_DIGEST_BYTES];
    uint8_t after[BERTH_DIGEST_BYTES];
    berth_command_digest(&command, before);
    command.issued_at_ms++;
    (void)snprintf(command.traceparent, sizeof command.traceparent, "00-00-00-00");
    berth_command_digest(&command, after);
    assert_memory_equal(before, after, sizeof before);
}

/* The same id with other content is command.id_reused: each field must count. */
static void test_a_digest_changes_with_each_field(void **state) {
    (void)state;
    struct berth_workspace one[] = {{.id = "w1"}};
    struct berth_workspace split[] = {{.id = "w"}, {.id = "1"}};
    struct berth_command variants[11];
    for (size_t i = 0; i < 11; i++) {
        variants[i] = bind_command(one, 1);
    }
    variants[1].type = BERTH_UNBIND_WORKSPACE;
    variants[2].id[0] = '1';
    variants[3].registry[0] = 'b';
    variants[4].space[0] = 'b';
    variants[5].actor[0] = 'b';
    variants[6].visibility = BERTH_PRIVATE;
    variants[7].quota_given = true; /* An invalid 0 is not the same as none. */
    variants[8].if_exists = BERTH_IF_EXISTS_ADOPT;
    variants[9].unbind = true;
    variants[10].workspaces = split;
    variants[10].workspaces_count = 2;
    uint8_t digests[11][BERTH_DIGEST_BYTES];
    for (size_t i = 0; i < 11; i++) {
        berth_command_digest(&variants[i], digests[i]);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(digests[i], digests[j], BERTH_DIGEST_BYTES);
        }
    }
}

/* What an administrator sees in Harbor is the workspace's own id, where Harbor takes it. */
static void test_a_legal_workspace_id_is_its_own_slug(void **state) {
    (void)state;
    assert_robot_name("team-a", "ws-team-a");
    assert_robot_name("7", "ws-7");
    assert_robot_name("hh-x", "ws-hh-x");
    assert_robot_name("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                      "ws-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

/* Two workspaces never share a robot: what Harbor can't take, what is too long, and what looks like
 * a hash is hashed. */
static void test_every_other_workspace_id_is_hashed(void **state) {
    (void)state;
    assert_robot_name("Team.A", "ws-h-4ux2dvyqw77bgtx7oikcgvo6xmaowj3n6wxzsgmepuedezj3wiva");
    assert_robot_name("team--a", "ws-h-pwlmt6fpytcz4krspe5gnbtjenkg33nfqz3zdptiygvlclj3duoq");
    assert_robot_name("_", "ws-h-2lrk35yxpn5iv7o3yewrmngpepvbu4icb5vbgcahbilead5wr7pa");
    assert_robot_name("h-x", "ws-h-uqbgezcjfnt22opop5z7hxfouamnddp475hyh6pgfteeclmns2ea");
    assert_robot_name("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                      "ws-h-vprunjzft7eqwtbhdbkbsyuolzvpmrtldlu3krdmvrf7yjwpaxca");
}

static void test_the_key_id_tells_master_keys_apart(void **state) {
    (void)state;
    char key_id[BERTH_KEY_ID_BYTES];
    berth_key_id(counting_key(), key_id);
    assert_string_equal(key_id, "86517456");
    /* Longer than a block of the hash, so the key itself is hashed first (RFC 2104). */
    uint8_t data[100];
    memset(data, 0x5a, sizeof data);
    berth_key_id((struct berth_bytes){.data = data, .len = sizeof data}, key_id);
    assert_string_equal(key_id, "761f9880");
}

/* The vector of the documentation: whoever holds the key of one workspace derives the same. */
static void test_a_pull_secret_is_the_one_that_others_compute(void **state) {
    (void)state;
    uint8_t key[BERTH_WORKSPACE_KEY_BYTES];
    char secret[BERTH_PULL_SECRET_BYTES];
    berth_workspace_key(counting_key(), "ws-alpha", key);
    assert_hex(key, sizeof key, "f6f34aa5a33c7ebff324b667fd042f72ead292075672113c1c1b93c713e2603f");
    berth_pull_secret(key, REGISTRY_UID, 42, 7, secret);
    assert_string_equal(secret, "Hb1q1OlHJ2XvM9huronwz1YOJUo7Z9A9ZP4GkpMKQ48A1M");
}

/* The hash is a number, and a small one is a short text. */
static void test_a_pull_secret_has_no_leading_zeros(void **state) {
    (void)state;
    uint8_t key[BERTH_WORKSPACE_KEY_BYTES];
    char secret[BERTH_PULL_SECRET_BYTES];
    berth_workspace_key(counting_key(), "ws-alpha", key);
    berth_pull_secret(key, REGISTRY_UID, 42, 2362, secret);
    assert_string_equal(secret, "Hb1cA4qxScMJjujXeCKdkFbTvg9mjtm3u90EtoeifzlJ");
}

/* Harbor asks for 8 to 128 bytes with a digit and letters of both cases (harbor-contract 2.4). */
static void test_every_pull_secret_is_one_that_harbor_takes(void **state) {
    (void)state;
    uint8_t key[BERTH_WORKSPACE_KEY_BYTES];
    berth_workspace_key(counting_key(), "w", key);
    for (int64_t robot_id = 1; robot_id <= 200; robot_id++) {
        char secret[BERTH_PULL_SECRET_BYTES];
        berth_pull_secret(key, REGISTRY_UID, 1, robot_id, secret);
        assert_in_range(strlen(secret), 8, 128);
        assert_int_equal(strncmp(secret, "Hb1", 3), 0);
        for (const char *at = secret; *at != 0; at++) {
            assert_true(isalnum((unsigned char)*at));
        }
    }
}

/* Unbinding and binding again gives another robot, and so another secret. */
static void test_a_pull_secret_depends_on_all_it_is_for(void **state) {
    (void)state;
    uint8_t key[BERTH_WORKSPACE_KEY_BYTES];
    uint8_t other_key[BERTH_WORKSPACE_KEY_BYTES];
    berth_workspace_key(counting_key(), "w", key);
    berth_workspace_key(counting_key(), "v", other_key);
    char secrets[5][BERTH_PULL_SECRET_BYTES];
    berth_pull_secret(key, REGISTRY_UID, 1, 2, secrets[0]);
    berth_pull_secret(key, REGISTRY_UID, 1, 3, secrets[1]);
    berth_pull_secret(key, REGISTRY_UID, 2, 2, secrets[2]);
    berth_pull_secret(key, "5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b22", 1, 2, secrets[3]);
    berth_pull_secret(other_key, REGISTRY_UID, 1, 2, secrets[4]);
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(secrets[i], secrets[j]);
        }
    }
}

/* FIPS 180-2, appendix B.1. */
static void test_sha256_in_hex_is_as_the_standard_says(void **state) {
    (void)state;
    char hex[BERTH_SHA256_HEX_BYTES];
    berth_sha256_hex((struct berth_bytes){.data = (const uint8_t *)"abc", .len = 3}, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_in_hex_is_as_the_standard_says),
        cmocka_unit_test(test_a_uuid5_is_the_one_that_others_compute),
        cmocka_unit_test(test_a_uuid5_reads_no_further_than_its_name),
        cmocka_unit_test(test_a_uuid4_is_well_formed_and_never_the_same),
        cmocka_unit_test(test_a_digest_stays_what_it_was),
        cmocka_unit_test(test_a_digest_leaves_out_when_it_was_issued_and_traced),
        cmocka_unit_test(test_a_digest_changes_with_each_field),
        cmocka_unit_test(test_a_legal_workspace_id_is_its_own_slug),
        cmocka_unit_test(test_every_other_workspace_id_is_hashed),
        cmocka_unit_test(test_the_key_id_tells_master_keys_apart),
        cmocka_unit_test(test_a_pull_secret_is_the_one_that_others_compute),
        cmocka_unit_test(test_a_pull_secret_has_no_leading_zeros),
        cmocka_unit_test(test_every_pull_secret_is_one_that_harbor_takes),
        cmocka_unit_test(test_a_pull_secret_depends_on_all_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
