/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_world.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/io/clock.h"
#include "berth/io/kafka_producer.h"
#include "berth/io/kafka_reader.h"
#include "berth/io/kafka_topics.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Of asking for what must be there; each takes a tenth of a second or more. */
#define COMMITTED_TRIES_MAX 100

/* ---- The world ---- */

struct world *world_new(const char *bootstrap) {
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->base = event_base_new();
    assert_non_null(world->base);
    snprintf(world->bootstrap, sizeof(world->bootstrap), "%s", bootstrap);
    world->properties.items = world->items;
    world_set(world, "bootstrap.servers", world->bootstrap);
    world_set(world, "session.timeout.ms", "6000");
    world_set(world, "heartbeat.interval.ms", "200");
    world_set(world, "topic.metadata.refresh.interval.ms", "1000");
    return world;
}

int world_setup(void **state) {
    const char *address = getenv("BERTH_TEST_KAFKA");
    assert_non_null(address);
    *state = world_new(address);
    return 0;
}

int world_teardown(void **state) {
    struct world *world = *state;
    event_base_free(world->base);
    free(world);
    return 0;
}

void world_set(struct world *world, const char *name, const char *value) {
    union {
        const char *ours;
        char *theirs; /* The configuration owns its strings; these are only read. */
    } a = {.ours = name}, b = {.ours = value};
    size_t i = 0;
    while (i < world->properties.count && strcmp(world->items[i].name, name) != 0) {
        i++;
    }
    assert_true(i < COUNT(world->items));
    world->items[i] = (struct berth_config_property){.name = a.theirs, .value = b.theirs};
    world->properties.count = i < world->properties.count ? world->properties.count : i + 1;
}

void fresh_name(char name[NAME_BYTES], const char *stem) {
    static int count;
    snprintf(name, NAME_BYTES, "%s-%d-%d", stem, ++count, (int)getpid());
}

void make_topic(struct world *world, const char *topic, int partitions) {
    struct berth_topic_spec spec = {
        .name = topic, .partitions = partitions, .replication_factor = 1};
    struct berth_topic_made made;
    struct berth_error error = {.text = ""};
    enum berth_rc rc = berth_topics_create(&world->properties, &spec, 1, 10000, &made, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
    assert_string_equal(made.text, "");
}

static void libevent_over_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    bool *over = ctx;
    *over = true;
}

bool turn_until(struct world *world, bool (*done)(void *ctx), void *ctx, int patience_ms) {
    bool over = false;
    struct event *limit = evtimer_new(world->base, libevent_over_cb, &over);
    assert_non_null(limit);
    struct timeval wait = {.tv_sec = patience_ms / 1000, .tv_usec = patience_ms % 1000 * 1000L};
    assert_int_equal(event_add(limit, &wait), 0);
    while (!done(ctx) && !over) {
        assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
    }
    event_free(limit);
    return done(ctx);
}

void run_until_at(struct world *world, bool (*done)(void *ctx), void *ctx, const char *what,
                  const char *file, int line) {
    if (!turn_until(world, done, ctx, WORLD_PATIENCE_MS)) {
        print_error("%s:%d: waited in vain for %s\n", file, line, what);
        fail();
    }
}

static void ignore_delivery(void *ctx, const struct berth_delivery *delivery) {
    (void)ctx;
    assert_null(delivery->error_text);
}

void produce(struct world *world, const char *topic, int partition, const char *stem, int count) {
    struct berth_producer *producer = NULL;
    struct berth_error error;
    /* murmur2 sends "a" to the first of two partitions and "d" to the second. */
    static const char *const keys[] = {"a", "d"};
    assert_in_range(partition, 0, 1);
    assert_int_equal(
        berth_producer_new(&world->properties, 10000, ignore_delivery, NULL, &producer, &error),
        BERTH_OK);
    for (int i = 0; i < count; i++) {
        char value[64];
        int len = snprintf(value, sizeof(value), "%s %d", stem, i);
        struct berth_bytes key = {.data = (const uint8_t *)keys[partition], .len = 1};
        struct berth_bytes bytes = {.data = (const uint8_t *)value, .len = (size_t)len};
        assert_int_equal(berth_producer_send(producer, topic, key, bytes, NULL, 0, NULL, &error),
                         BERTH_OK);
    }
    assert_int_equal(berth_producer_flush(producer, 10000), BERTH_OK);
    berth_producer_free(producer);
}

int count_committed(struct world *world, const char *topic, const char *value) {
    struct berth_reader *reader = NULL;
    struct berth_error error = {.text = ""};
    enum berth_rc rc = berth_reader_new(&world->properties, &topic, 1, BERTH_READER_FROM_BEGINNING,
                                        10000, &reader, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
    int count = 0;
    while (!berth_reader_at_end(reader)) {
        struct berth_record *record = NULL;
        rc = berth_reader_take(reader, 10000, &record, &error);
        if (rc == BERTH_OK) {
            struct berth_bytes bytes = berth_record_value(record);
            bool same = bytes.len == strlen(value) && memcmp(bytes.data, value, bytes.len) == 0;
            count += same ? 1 : 0;
            berth_record_free(record);
        } else {
            assert_int_equal(rc, BERTH_END);
            assert_true(berth_reader_at_end(reader)); /* Else the time was over. */
        }
    }
    berth_reader_free(reader);
    return count;
}

void assert_committed_once(struct world *world, const char *topic, const char *value) {
    int count = 0;
    for (int i = 0; i < COMMITTED_TRIES_MAX && count == 0; i++) {
        count = count_committed(world, topic, value);
    }
    assert_int_equal(count, 1);
}

/* ---- Members ---- */

/* Writes a line down. */
#define TELL(member, ...)                                                                          \
    assert_int_equal(berth_buffer_printf(&(member)->told, __VA_ARGS__), BERTH_OK)

static void on_gained(void *ctx, const struct berth_partition_info *partition) {
    struct member *member = ctx;
    assert_in_range(partition->slot, 0, SLOTS_MAX - 1);
    assert_false(member->slots[partition->slot].held);
    member->held_count++;
    memset(&member->slots[partition->slot], 0, sizeof(member->slots[0]));
    member->slots[partition->slot].held = true;
    snprintf(member->slots[partition->slot].topic, NAME_BYTES, "%s", partition->topic);
    snprintf(member->slots[partition->slot].metadata, sizeof(member->slots[0].metadata), "%s",
             partition->metadata);
    member->slots[partition->slot].partition = partition->partition;
    member->slots[partition->slot].epoch = partition->epoch;
    member->slots[partition->slot].start_offset = partition->start_offset;
    member->slots[partition->slot].committed_offset = partition->committed_offset;
    member->slots[partition->slot].committed = partition->committed;
    member->slots[partition->slot].origin = partition->origin;
    member->slots[partition->slot].lost = partition->lost;
    member->slots[partition->slot].log = partition->log;
    member->slots[partition->slot].lost_from = partition->lost_from;
    member->slots[partition->slot].last_offset = partition->start_offset - 1;
    TELL(member, "gained %d\n", partition->partition);
}

void member_set_base(struct member *member, const char *topic, int32_t partition, int64_t base) {
    const struct berth_kept_base kept = {.offset = base, .from = -1};
    berth_consumer_set_base(member->consumer, topic, partition, &kept);
}

static void on_base_wanted(void *ctx, const char *topic, int32_t partition, bool again) {
    struct member *member = ctx;
    if (member->kept.offset >= 0) {
        berth_consumer_set_base(member->consumer, topic, partition, &member->kept);
    } else if (member->says_bases) {
        member_set_base(member, topic, partition, member->base);
    } else if (again) {
        TELL(member, "base wanted again %d\n", partition);
    } else {
        TELL(member, "base wanted %d\n", partition);
    }
}

static void on_revoked(void *ctx, uint32_t slot) {
    struct member *member = ctx;
    assert_true(member->slots[slot].held);
    TELL(member, "revoked %d\n", member->slots[slot].partition);
    member->slots[slot].revoked = true;
    member->revoked_count++;
    if (member->gives_up) {
        member->slots[slot].held = false;
        member->held_count--;
        berth_consumer_give_up(member->consumer, slot);
    }
}

static void on_lost(void *ctx, uint32_t slot) {
    struct member *member = ctx;
    assert_true(member->slots[slot].held);
    member->slots[slot].held = false;
    member->held_count--;
    TELL(member, "lost %d\n", member->slots[slot].partition);
}

static void on_records(void *ctx) {
    (void)ctx; /* The tests take when they want to. */
}

static void on_stopped(void *ctx, const char *topic, int32_t partition, const char *text) {
    struct member *member = ctx;
    (void)topic;
    TELL(member, "stopped %d: %s\n", partition, text);
}

static void on_topic_missing(void *ctx, const char *topic) {
    struct member *member = ctx;
    TELL(member, "missing %s\n", topic);
}

static void on_error(void *ctx, bool fatal, const char *text) {
    struct member *member = ctx;
    TELL(member, "%s: %s\n", fatal ? "fatal" : "error", text);
}

static void on_closed(void *ctx) {
    struct member *member = ctx;
    assert_false(member->closed);
    member->closed = true;
}

static void join(struct member *member, struct world *world, const char *group,
                 const char *instance, const char *topic, enum berth_config_start start) {
    member->world = world;
    member->gives_up = true;
    member->kept = (struct berth_kept_base){.offset = -1, .from = -1};
    berth_buffer_init(&member->told, 65536);
    struct berth_consumer_options options = {.properties = world->properties,
                                             .group = group,
                                             .instance = instance,
                                             .topics = &topic,
                                             .topics_count = 1,
                                             .start = start,
                                             .partitions_max = SLOTS_MAX,
                                             .callbacks = {.on_gained = on_gained,
                                                           .on_base_wanted = on_base_wanted,
                                                           .on_revoked = on_revoked,
                                                           .on_lost = on_lost,
                                                           .on_records = on_records,
                                                           .on_stopped = on_stopped,
                                                           .on_topic_missing = on_topic_missing,
                                                           .on_error = on_error,
                                                           .on_closed = on_closed},
                                             .ctx = member};
    struct berth_error error = {.text = ""};
    enum berth_rc rc = berth_consumer_new(world->base, &options, &member->consumer, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
}

void member_join(struct member *member, struct world *world, const char *group,
                 const char *instance, const char *topic, enum berth_config_start start) {
    *member = (struct member){.says_bases = true, .base = -1};
    join(member, world, group, instance, topic, start);
}

void member_join_unanswered(struct member *member, struct world *world, const char *group,
                            const char *topic) {
    *member = (struct member){.says_bases = false};
    join(member, world, group, NULL, topic, BERTH_START_EARLIEST);
}

void member_join_at(struct member *member, struct world *world, const char *group,
                    const char *topic, int64_t base) {
    *member = (struct member){.says_bases = true, .base = base};
    join(member, world, group, NULL, topic, BERTH_START_EARLIEST);
}

static bool is_closed(void *ctx) {
    const struct member *member = ctx;
    return member->closed;
}

void member_leave(struct member *member) {
    member->gives_up = true;
    berth_consumer_close(member->consumer);
    run_until(member->world, is_closed, member);
    assert_int_equal(member->held_count, 0);
    member_vanish(member);
}

void member_vanish(struct member *member) {
    member->consumer = berth_consumer_free(member->consumer, 5000);
    berth_buffer_deinit(&member->told);
}

struct held_wanted {
    const struct member *member;
    int count;
};

static bool holds(void *ctx) {
    const struct held_wanted *wanted = ctx;
    return wanted->member->held_count == wanted->count;
}

void member_wait_held(struct member *member, int count) {
    struct held_wanted wanted = {.member = member, .count = count};
    run_until(member->world, holds, &wanted);
}

bool member_was_told(const struct member *member, const char *line_part) {
    return member->told.len > 0 && strstr((const char *)member->told.data, line_part) != NULL;
}

uint32_t member_slot_of(const struct member *member, int32_t partition) {
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        if (member->slots[i].held && member->slots[i].partition == partition) {
            return i;
        }
    }
    fail_msg("partition %d is not held", partition);
    return 0;
}

int member_take(struct member *member, uint32_t slot, int limit) {
    int count = 0;
    struct berth_record *record = NULL;
    while (count < limit && berth_consumer_take(member->consumer, slot, &record) == BERTH_OK) {
        assert_true(berth_record_offset(record) > member->slots[slot].last_offset);
        assert_int_equal(berth_record_partition(record), member->slots[slot].partition);
        member->slots[slot].last_offset = berth_record_offset(record);
        struct berth_bytes value = berth_record_value(record);
        snprintf(member->slots[slot].last_value, sizeof(member->slots[0].last_value), "%.*s",
                 (int)value.len, (const char *)value.data);
        berth_record_free(record);
        member->slots[slot].records_count++;
        count++;
    }
    return count;
}

struct records_wanted {
    struct member *member;
    uint32_t slot;
    int count;
};

static bool took_enough(void *ctx) {
    const struct records_wanted *wanted = ctx;
    int have = wanted->member->slots[wanted->slot].records_count;
    (void)member_take(wanted->member, wanted->slot, wanted->count - have);
    return wanted->member->slots[wanted->slot].records_count >= wanted->count;
}

void member_wait_records(struct member *member, uint32_t slot, int count) {
    struct records_wanted wanted = {.member = member, .slot = slot, .count = count};
    run_until(member->world, took_enough, &wanted);
}

/* ---- Publishers ---- */

static void on_done(void *ctx, const struct berth_batch_result *result) {
    struct outlet *outlet = ctx;
    outlet->done_count++;
    assert_int_equal(result->id, 1000 + outlet->done_count);
    outlet->outcome = result->outcome;
    outlet->culprit = result->culprit;
    outlet->metadata_too_large = result->metadata_too_large;
    outlet->verdict = result->outputs[0].verdict;
    snprintf(outlet->text, sizeof(outlet->text), "%s", result->text);
}

static void on_trouble(void *ctx, const char *text) {
    struct outlet *outlet = ctx;
    outlet->troubles_count++;
    snprintf(outlet->trouble, sizeof(outlet->trouble), "%s", text);
}

void outlet_open(struct outlet *outlet, struct world *world, const char *group, const char *id,
                 const char *const *topics, size_t topics_count) {
    memset(outlet, 0, sizeof(*outlet));
    outlet->world = world;
    struct berth_publisher_options options = {.properties = world->properties,
                                              .group = group,
                                              .transactional_id = id,
                                              .topics = topics,
                                              .topics_count = topics_count,
                                              .on_done = on_done,
                                              .on_trouble = on_trouble,
                                              .ctx = outlet};
    struct berth_error error = {.text = ""};
    enum berth_rc rc = berth_publisher_new(world->base, &options, &outlet->publisher, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
}

void outlet_close(struct outlet *outlet) {
    assert_true(berth_publisher_free(outlet->publisher, 10000));
    outlet->publisher = NULL;
}

static bool is_ready(void *ctx) {
    const struct outlet *outlet = ctx;
    return berth_publisher_ready(outlet->publisher);
}

static void libevent_tick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    (void)ctx;
}

/* Being ready is no event of the loop, so a tick looks again. */
void outlet_wait_ready(struct outlet *outlet) {
    struct event *tick = event_new(outlet->world->base, -1, EV_PERSIST, libevent_tick_cb, NULL);
    struct timeval period = {.tv_usec = 5000};
    assert_int_equal(event_add(tick, &period), 0);
    run_until(outlet->world, is_ready, outlet);
    event_free(tick);
}

void outlet_submit(struct outlet *outlet, struct member *member, const char *value,
                   const char *offset_topic, int64_t offset, const char *metadata) {
    /* Borrowed until the answer: one batch at a time for each process is enough here. */
    static struct berth_batch_record record;
    static struct berth_batch_offset batch_offset;
    struct berth_group_metadata *group_metadata = NULL;
    assert_int_equal(berth_consumer_group_metadata(member->consumer, &group_metadata), BERTH_OK);
    record =
        (struct berth_batch_record){.topic = 0, .key = {.data = (const uint8_t *)"k", .len = 1}};
    if (value != NULL) {
        record.value = (struct berth_bytes){.data = (const uint8_t *)value, .len = strlen(value)};
    }
    batch_offset = (struct berth_batch_offset){
        .topic = offset_topic, .partition = 0, .offset = offset, .metadata = metadata};
    struct berth_batch batch = {.id = 1000 + (uint64_t)outlet->done_count + 1,
                                .records = &record,
                                .records_count = value == NULL ? 0 : 1,
                                .offsets = &batch_offset,
                                .offsets_count = 1,
                                .take_group_metadata = group_metadata};
    int before = outlet->done_count;
    assert_int_equal(berth_publisher_submit(outlet->publisher, &batch), BERTH_OK);
    assert_int_equal(outlet->done_count, before); /* Never from within the call. */
}

static bool is_idle(void *ctx) {
    const struct outlet *outlet = ctx;
    return berth_publisher_busy_ms(outlet->publisher, berth_clock_monotonic_ms()) == 0;
}

enum berth_batch_outcome outlet_wait(struct outlet *outlet) {
    run_until(outlet->world, is_idle, outlet);
    return outlet->outcome;
}
