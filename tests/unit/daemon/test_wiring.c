/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worker makes of what its consumer and the check of its topics say. Both are the test's,
 * and so is the rest of the worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "wiring.h"
#include "worker_parts.h"

#define ALPHA "berth.commands.alpha"
#define BETA  "berth.commands.beta"

struct stage {
    struct worker worker; /* First, so that the worker is the stage. */
    struct berth_config_registry registries[2];
    struct berth_config config;
    struct berth_consumer_callbacks consumer;
    berth_topics_checked_fn checked;
    int checks;
    enum berth_rc consumer_rc;
};

static struct stage *stage;

/* ---- What the wiring calls ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's --wrap demands these names. */
enum berth_rc __wrap_berth_consumer_new(struct event_base *base,
                                        const struct berth_consumer_options *options,
                                        struct berth_consumer **ret_consumer,
                                        struct berth_error *reterr);
enum berth_rc __wrap_berth_consumer_new(struct event_base *base,
                                        const struct berth_consumer_options *options,
                                        struct berth_consumer **ret_consumer,
                                        struct berth_error *reterr) {
    (void)base;
    (void)ret_consumer;
    (void)reterr;
    stage->consumer = options->callbacks;
    return stage->consumer_rc;
}

enum berth_rc __wrap_berth_topics_check_new(struct event_base *base,
                                            const struct berth_kafka_properties *properties,
                                            const char *const *names, size_t count,
                                            berth_topics_checked_fn on_checked, void *ctx,
                                            struct berth_topics_check **ret_check,
                                            struct berth_error *reterr);
enum berth_rc __wrap_berth_topics_check_new(struct event_base *base,
                                            const struct berth_kafka_properties *properties,
                                            const char *const *names, size_t count,
                                            berth_topics_checked_fn on_checked, void *ctx,
                                            struct berth_topics_check **ret_check,
                                            struct berth_error *reterr) {
    (void)base;
    (void)properties;
    (void)names;
    (void)count;
    (void)ctx;
    (void)reterr;
    stage->checked = on_checked;
    *ret_check = NULL;
    return BERTH_OK;
}

enum berth_rc __wrap_berth_topics_check_start(struct berth_topics_check *check, int timeout_ms,
                                              struct berth_error *reterr);
enum berth_rc __wrap_berth_topics_check_start(struct berth_topics_check *check, int timeout_ms,
                                              struct berth_error *reterr) {
    (void)check;
    (void)timeout_ms;
    (void)reterr;
    stage->checks++;
    return BERTH_OK;
}

void __wrap_berth_publisher_limit_batches(struct berth_publisher *publisher, size_t bytes);
void __wrap_berth_publisher_limit_batches(struct berth_publisher *publisher, size_t bytes) {
    (void)publisher;
    (void)bytes;
}

void __wrap_berth_ledger_set_owner(struct berth_ledger *ledger, const char *deployment,
                                   const char *group, const char *cluster);
void __wrap_berth_ledger_set_owner(struct berth_ledger *ledger, const char *deployment,
                                   const char *group, const char *cluster) {
    (void)ledger;
    (void)deployment;
    (void)group;
    (void)cluster;
}

void __wrap_berth_engine_figures(const struct berth_engine *engine,
                                 struct berth_engine_figures *ret_figures);
void __wrap_berth_engine_figures(const struct berth_engine *engine,
                                 struct berth_engine_figures *ret_figures) {
    (void)engine;
    *ret_figures = (struct berth_engine_figures){0};
}

bool __wrap_berth_ledger_is_ours(const struct berth_ledger *ledger);
bool __wrap_berth_ledger_is_ours(const struct berth_ledger *ledger) {
    (void)ledger;
    return true;
}

void __wrap_berth_ledger_allow_rebuild(struct berth_ledger *ledger);
void __wrap_berth_ledger_allow_rebuild(struct berth_ledger *ledger) {
    (void)ledger;
}
/* NOLINTEND(bugprone-reserved-identifier) */

void worker_step(struct worker *worker, struct berth_event *event) {
    (void)worker;
    (void)event;
}

void worker_fail(struct worker *worker, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(worker->error.text, sizeof(worker->error.text), format, arguments);
    va_end(arguments);
    worker->failed = true;
}

/* ---- What it could call, and doesn't here ---- */

enum berth_rc wire_rebuild(struct worker *worker, struct berth_error *reterr) {
    (void)worker;
    (void)reterr;
    return BERTH_OK;
}

void unwire_rebuild(struct worker *worker) {
    (void)worker;
}

void lookups_serve(struct lookups *lookups, struct berth_admin_http *server) {
    (void)lookups;
    (void)server;
}

uint32_t worker_lanes_max(const struct berth_config_registry *registry) {
    (void)registry;
    return 1;
}

void worker_published(void *ctx, const struct berth_batch_result *result) {
    (void)ctx;
    (void)result;
}

void worker_base_wanted(void *ctx, const char *topic, int32_t partition, bool again) {
    (void)ctx;
    (void)topic;
    (void)partition;
    (void)again;
}

void worker_read_bases(struct worker *worker) {
    (void)worker;
}

void worker_bases_read(struct worker *worker, const struct berth_ledger_answer *answer) {
    (void)worker;
    (void)answer;
}

void worker_rebuild_event(void *ctx, enum berth_rebuild_event event) {
    (void)ctx;
    (void)event;
}

void worker_rebuild_available(struct worker *worker) {
    (void)worker;
}

void worker_live(void *ctx, struct berth_buffer *reasons) {
    (void)ctx;
    (void)reasons;
}

void worker_ready(void *ctx, struct berth_buffer *reasons) {
    (void)ctx;
    (void)reasons;
}

void worker_metrics(void *ctx, struct berth_buffer *text) {
    (void)ctx;
    (void)text;
}

/* ---- The stage ---- */

static int setup(void **state) {
    stage = calloc(1, sizeof(*stage));
    struct worker *worker = &stage->worker;
    worker->base = event_base_new();
    worker->config = &stage->config;
    stage->registries[0].command_topic = ALPHA;
    stage->registries[1].command_topic = BETA;
    stage->config.registries = stage->registries;
    stage->config.registries_count = 2;
    stage->config.topics.results = "berth.results";
    stage->config.topics.audit = "berth.audit";
    stage->config.topics.spaces = "berth.spaces";
    stage->config.topics.dlq = "berth.dlq";
    stage->config.path = "berth.conf";
    stage->config.group = "berth";
    stage->config.redis.prefix = "berth:v1:";
    *state = stage;
    struct berth_error error = {{0}};
    assert_int_equal(wire_topics_check(worker, &error), BERTH_OK);
    assert_int_equal(wire_consumer(worker, &error), BERTH_OK);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unwire_topics_check(&stage->worker);
    event_base_free(stage->worker.base);
    free(stage);
    return 0;
}

/* All are there but this one (NULL: all are). */
static void tell_checked(const char *missing) {
    struct berth_topic_status statuses[BERTH_RECORD_KINDS + 2];
    for (size_t i = 0; i < stage->worker.topics_count; i++) {
        statuses[i] = (struct berth_topic_status){
            .exists = missing == NULL || strcmp(stage->worker.topics[i], missing) != 0,
            .message_bytes_max = 1048588,
        };
    }
    stage->checked(&stage->worker, BERTH_OK, statuses, stage->worker.topics_count, "cluster", "");
}

static void gain(const char *topic) {
    stage->consumer.on_gained(&stage->worker, &(struct berth_partition_info){.topic = topic});
}

/* ---- Topics that go missing ---- */

static void test_a_partition_of_another_topic_does_not_hide_that_one_is_missing(void **state) {
    (void)state;
    tell_checked(NULL);
    assert_string_equal(stage->worker.topics_why, "");
    stage->consumer.on_topic_missing(&stage->worker, ALPHA);
    gain(BETA);
    assert_non_null(strstr(stage->worker.topics_why, ALPHA));
    /* Nor one of its own: it may have been gained before it was deleted. */
    gain(ALPHA);
    assert_non_null(strstr(stage->worker.topics_why, ALPHA));
}

/* Its partitions may all be another worker's. */
static void test_a_missing_topic_is_looked_for_until_it_is_there(void **state) {
    (void)state;
    tell_checked(NULL);
    int checks = stage->checks;
    stage->consumer.on_topic_missing(&stage->worker, ALPHA);
    for (int i = 1; i <= 3; i++) {
        assert_true(event_pending(stage->worker.topics_event, EV_TIMEOUT, NULL) != 0);
        event_active(stage->worker.topics_event, EV_TIMEOUT, 0);
        (void)event_base_loop(stage->worker.base, EVLOOP_NONBLOCK);
        assert_int_equal(stage->checks, checks + i);
        tell_checked(i < 3 ? ALPHA : NULL);
        assert_true((strstr(stage->worker.topics_why, ALPHA) != NULL) == (i < 3));
    }
    assert_string_equal(stage->worker.topics_why, "");
    assert_true(event_pending(stage->worker.topics_event, EV_TIMEOUT, NULL) == 0);
}

/* ---- A consumer that can't be made ---- */

static void test_a_consumer_that_cannot_be_made_says_why_or_at_least_what(void **state) {
    (void)state;
    stage->consumer_rc = BERTH_FAULT_MEMORY; /* Without a text. */
    stage->worker.redis_available = true;
    tell_checked(NULL);
    assert_true(stage->worker.failed);
    assert_string_equal(stage->worker.error.text,
                        "the Kafka consumer can't be made: BERTH_FAULT_MEMORY");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_partition_of_another_topic_does_not_hide_that_one_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_topic_is_looked_for_until_it_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_consumer_that_cannot_be_made_says_why_or_at_least_what, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
