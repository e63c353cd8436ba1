/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a commit that was never answered, by the offsets that the group has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/settled_map.h"
#include "publisher_parts.h"

/* A map of so many settled offsets directly above an unsettled base. */
static const char *map_of(int64_t base, int64_t settled, char text[BERTH_SETTLED_TEXT_BYTES]) {
    struct berth_settled_run runs[4];
    struct berth_settled_map map;
    berth_settled_map_init(&map, runs, 4, base);
    assert_int_equal(berth_settled_map_settle(&map, base + 1, base + 1 + settled), BERTH_OK);
    berth_settled_map_write(&map, text);
    return text;
}

/* Two partitions: what the batch wanted, and what is there. */
struct scene {
    struct berth_batch_offset ours[2];
    rd_kafka_topic_partition_list_t *there;
};

static void scene_set(struct scene *scene) {
    scene->there = rd_kafka_topic_partition_list_new(2);
    for (int i = 0; i < 2; i++) {
        scene->ours[i] = (struct berth_batch_offset){.topic = "commands", .partition = i};
        (void)rd_kafka_topic_partition_list_add(scene->there, "commands", i);
    }
}

static void wanted(struct scene *scene, int partition, int64_t offset, const char *metadata) {
    scene->ours[partition].offset = offset;
    scene->ours[partition].metadata = metadata;
}

static void found(struct scene *scene, int partition, int64_t offset, const char *metadata) {
    rd_kafka_topic_partition_t *there = &scene->there->elems[partition];
    there->offset = offset;
    if (metadata != NULL) {
        there->metadata = strdup(metadata);
        there->metadata_size = strlen(metadata);
    }
}

static bool was_committed(struct scene *scene) {
    struct berth_batch batch = {.offsets = scene->ours, .offsets_count = 2};
    bool readable = true;
    bool committed = berth_batch_was_committed(&batch, scene->there, &readable);
    assert_true(readable);
    rd_kafka_topic_partition_list_destroy(scene->there);
    return committed;
}

static void test_the_same_offset_with_an_older_map_is_not_ours(void **state) {
    (void)state;
    char older[BERTH_SETTLED_TEXT_BYTES];
    char ours[BERTH_SETTLED_TEXT_BYTES];
    struct scene scene;
    scene_set(&scene);
    wanted(&scene, 0, 5, map_of(5, 3, ours));
    wanted(&scene, 1, 9, NULL);
    found(&scene, 0, 5, map_of(5, 2, older));
    found(&scene, 1, 8, NULL);
    assert_false(was_committed(&scene));
}

/* The other partition is somebody else's by now, who has settled more behind the same base. */
static void test_one_partition_that_is_exactly_ours_proves_all(void **state) {
    (void)state;
    char ours[BERTH_SETTLED_TEXT_BYTES];
    struct scene scene;
    scene_set(&scene);
    wanted(&scene, 0, 5, map_of(5, 3, ours));
    wanted(&scene, 1, 9, NULL);
    found(&scene, 0, 5, ours);
    found(&scene, 1, 9, "set by hand");
    assert_true(was_committed(&scene));
}

static void test_partitions_that_others_moved_on_are_beyond_ours(void **state) {
    (void)state;
    char ours[BERTH_SETTLED_TEXT_BYTES];
    char more[BERTH_SETTLED_TEXT_BYTES];
    struct scene scene;
    scene_set(&scene);
    wanted(&scene, 0, 5, map_of(5, 3, ours));
    wanted(&scene, 1, 9, NULL);
    found(&scene, 0, 5, map_of(5, 4, more));
    found(&scene, 1, 12, NULL);
    assert_true(was_committed(&scene));
}

/* The topic was made anew, and an operator had it go on at its start: what the group still has of
 * the old log is higher, and none of ours. */
static void test_a_higher_offset_of_another_log_is_not_beyond_ours(void **state) {
    (void)state;
    struct scene scene;
    scene_set(&scene);
    wanted(&scene, 0, 0, "L1:new:-1:-1:0");
    wanted(&scene, 1, 0, "L1:new:-1:-1:0");
    found(&scene, 0, 9, "L1:old:8:1008:7");
    found(&scene, 1, 12, "L1:old:11:1011:7");
    assert_false(was_committed(&scene));
    scene_set(&scene);
    wanted(&scene, 0, 0, "L1:new:-1:-1:0");
    wanted(&scene, 1, 0, "L1:new:-1:-1:0");
    found(&scene, 0, 9, "L1:new:8:1008:7");
    found(&scene, 1, 12, "L1:new:11:1011:7");
    assert_true(was_committed(&scene));
}

/* Maps are compared behind their marks. */
static void test_a_map_behind_a_mark_is_compared_like_any_other(void **state) {
    (void)state;
    char map[BERTH_SETTLED_TEXT_BYTES];
    char ours[BERTH_METADATA_MAX + 1];
    char more[BERTH_METADATA_MAX + 1];
    char less[BERTH_METADATA_MAX + 1];
    struct scene scene;
    (void)snprintf(ours, sizeof(ours), "L1:id:8:1008:7 %s", map_of(5, 3, map));
    (void)snprintf(more, sizeof(more), "L1:id:9:1009:7 %s", map_of(5, 4, map));
    (void)snprintf(less, sizeof(less), "L1:id:7:1007:7 %s", map_of(5, 2, map));
    scene_set(&scene);
    wanted(&scene, 0, 5, ours);
    wanted(&scene, 1, 9, "L1:id:8:1008:7");
    found(&scene, 0, 5, more);
    found(&scene, 1, 12, "L1:id:11:1011:7");
    assert_true(was_committed(&scene));
    scene_set(&scene);
    wanted(&scene, 0, 5, ours);
    wanted(&scene, 1, 9, "L1:id:8:1008:7");
    found(&scene, 0, 5, less);
    found(&scene, 1, 12, "L1:id:11:1011:7");
    assert_false(was_committed(&scene));
}

/* Without a map of ours nothing can be told from the same offset: repetition, never loss. */
static void test_the_same_offset_without_our_map_proves_nothing(void **state) {
    (void)state;
    char theirs[BERTH_SETTLED_TEXT_BYTES];
    struct scene scene;
    scene_set(&scene);
    wanted(&scene, 0, 5, NULL);
    wanted(&scene, 1, 9, "omitted 2");
    found(&scene, 0, 5, map_of(5, 3, theirs));
    found(&scene, 1, 9, "omitted 1");
    assert_false(was_committed(&scene));
}

static void test_an_offset_that_cannot_be_read_decides_nothing(void **state) {
    (void)state;
    struct scene scene;
    scene_set(&scene);
    wanted(&scene, 0, 5, NULL);
    wanted(&scene, 1, 9, NULL);
    found(&scene, 0, 5, NULL);
    found(&scene, 1, 9, NULL);
    scene.there->elems[1].err = RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    struct berth_batch batch = {.offsets = scene.ours, .offsets_count = 2};
    bool readable = true;
    assert_false(berth_batch_was_committed(&batch, scene.there, &readable));
    assert_false(readable);
    rd_kafka_topic_partition_list_destroy(scene.there);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_offset_with_an_older_map_is_not_ours),
        cmocka_unit_test(test_one_partition_that_is_exactly_ours_proves_all),
        cmocka_unit_test(test_partitions_that_others_moved_on_are_beyond_ours),
        cmocka_unit_test(test_a_higher_offset_of_another_log_is_not_beyond_ours),
        cmocka_unit_test(test_a_map_behind_a_mark_is_compared_like_any_other),
        cmocka_unit_test(test_the_same_offset_without_our_map_proves_nothing),
        cmocka_unit_test(test_an_offset_that_cannot_be_read_decides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
