/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for librdkafka's threads, and what a thread of ours waits for, ends when it should,
 * whatever happens to the wall clock. Here it is read an hour ahead of what the kernel counts with:
 * as if it were set back an hour whenever somebody has begun to wait. Whoever goes by it hangs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "berth/io/publisher.h"
#include "kafka_client.h"
#include "kafka_job.h"

/* A test that hangs fails. */
#define PATIENCE_S 110

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's --wrap demands these names. */
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time) {
    int failed = __real_clock_gettime(clock, ret_time);
    ret_time->tv_sec += clock == CLOCK_REALTIME ? 3600 : 0;
    return failed;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int pipe_fds[2];

static void wait_for_pipe(void *ctx) {
    char byte;
    (void)ctx;
    (void)!read(pipe_fds[0], &byte, 1);
}

static void done(void *ctx) {
    (void)ctx;
}

static void test_a_job_that_hangs_is_left_behind_in_time(void **state) {
    (void)state;
    static struct berth_kafka_job job; /* It outlives this function. */
    struct event_base *base = event_base_new();
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(berth_kafka_job_init(&job, base, wait_for_pipe, done, NULL, NULL), BERTH_OK);
    assert_int_equal(berth_kafka_job_start(&job, NULL), BERTH_OK);
    (void)alarm(PATIENCE_S);
    assert_false(berth_kafka_job_deinit(&job, 50));
    (void)alarm(0);
    assert_int_equal(write(pipe_fds[1], "", 1), 1);
    event_base_free(base);
}

static void test_a_thread_that_ends_is_waited_for(void **state) {
    (void)state;
    struct berth_kafka_job job;
    struct event_base *base = event_base_new();
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(berth_kafka_job_init(&job, base, wait_for_pipe, done, NULL, NULL), BERTH_OK);
    assert_int_equal(berth_kafka_job_start(&job, NULL), BERTH_OK);
    assert_int_equal(write(pipe_fds[1], "", 1), 1);
    assert_true(berth_kafka_job_deinit(&job, PATIENCE_S * 1000));
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    event_base_free(base);
}

static void published(void *ctx, const struct berth_batch_result *result) {
    (void)ctx;
    (void)result;
}

/* No broker is there: the thread pauses, and tries again. */
static void test_a_pause_of_the_publisher_ends(void **state) {
    (void)state;
    const struct berth_config_property property = {.name = "bootstrap.servers",
                                                   .value = "127.0.0.1:1"};
    const char *const topics[] = {"results"};
    const struct berth_publisher_options options = {
        .properties = {.items = &property, .count = 1},
        .group = "berth",
        .transactional_id = "berth-one",
        .topics = topics,
        .topics_count = 1,
        .on_done = published,
    };
    struct event_base *base = event_base_new();
    struct berth_publisher *publisher = NULL;
    struct berth_error error = {0};
    assert_int_equal(berth_publisher_new(base, &options, &publisher, &error), BERTH_OK);
    (void)alarm(PATIENCE_S);
    while (berth_publisher_steps(publisher) == 0) {
        const struct timespec moment = {.tv_nsec = 10000000};
        (void)nanosleep(&moment, NULL);
    }
    (void)alarm(0);
    assert_true(berth_publisher_free(publisher, PATIENCE_S * 1000));
    event_base_free(base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_that_hangs_is_left_behind_in_time),
        cmocka_unit_test(test_a_thread_that_ends_is_waited_for),
        cmocka_unit_test(test_a_pause_of_the_publisher_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
