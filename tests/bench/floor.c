/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <curl/curl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "load.h"

#define WORDS 13

static void print_versions(void);
static struct floor_options options_of(char **words);
static void signal_cb(evutil_socket_t signal, short what, void *ctx);

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--versions") == 0) {
        print_versions();
        return EXIT_SUCCESS;
    }
    if (argc - 1 != WORDS) {
        (void)fprintf(stderr,
                      "usage: %s --versions | BROKERS COMMANDS_TOPIC RESULTS_TOPIC AUDIT_TOPIC "
                      "SPACES_TOPIC SCHEMA_FILE REDIS_PORT HARBOR_URL USER:PASSWORD HARBOR_LIMIT "
                      "JOBS_MAX PAUSE_US RETRY_BACKOFF_MS\n",
                      argv[0]);
        return EXIT_FAILURE;
    }
    struct floor floor = {.options = options_of(argv + 1), .base = event_base_new()};
    TAILQ_INIT(&floor.free_jobs);
    struct floor_job *jobs = load_memory(floor.options.jobs_max, sizeof(*jobs));
    for (size_t i = 0; i < floor.options.jobs_max; i++) {
        TAILQ_INSERT_TAIL(&floor.free_jobs, &jobs[i], link);
    }
    floor.decoder = floor_decoder_new(floor.options.schema_file);
    floor.redis = floor_redis_new(&floor);
    floor.harbor = floor_harbor_new(&floor);
    floor.publisher = floor_publisher_new(&floor);
    floor.consumer = floor_consumer_new(&floor);
    struct event *term = evsignal_new(floor.base, SIGTERM, signal_cb, floor.base);
    (void)event_add(term, NULL);
    (void)event_base_dispatch(floor.base);
    /* The group is left, so that the next one needn't wait; the rest ends with the process. */
    (void)rd_kafka_consumer_close(floor_consumer_handle(floor.consumer));
    _Exit(EXIT_SUCCESS);
}

void floor_on_message(struct floor *floor, struct floor_job *job) {
    floor_decode(floor->decoder, job);
    floor_redis_claim(floor->redis, job);
}

void floor_on_claimed(struct floor *floor, struct floor_job *job) {
    floor_harbor_post(floor->harbor, job);
}

void floor_on_posted(struct floor *floor, struct floor_job *job) {
    floor_redis_store(floor->redis, job);
}

void floor_on_stored(struct floor *floor, struct floor_job *job) {
    floor_publisher_add(floor->publisher, job);
}

void floor_on_committed(struct floor *floor, struct floor_jobs *jobs) {
    struct floor_job *job;
    while ((job = TAILQ_FIRST(jobs)) != NULL) {
        TAILQ_REMOVE(jobs, job, link);
        rd_kafka_message_destroy(job->message);
        TAILQ_INSERT_TAIL(&floor->free_jobs, job, link);
    }
    floor_consumer_take(floor->consumer);
}

struct event *floor_wake_event(struct floor *floor, event_callback_fn callback, void *ctx) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct event *event =
        fd < 0 ? NULL : event_new(floor->base, fd, EV_READ | EV_PERSIST, callback, ctx);
    if (event == NULL || event_add(event, NULL) != 0) {
        load_fail("no event to wake the loop with");
    }
    return event;
}

static void print_versions(void) {
    printf("{\"librdkafka\": \"%s\", \"hiredis\": \"%d.%d.%d\", \"libcurl\": \"%s\", "
           "\"libevent\": \"%s\"}\n",
           rd_kafka_version_str(), HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH,
           curl_version_info(CURLVERSION_NOW)->version, event_get_version());
}

static struct floor_options options_of(char **words) {
    return (struct floor_options){
        .brokers = words[0],
        .topic = words[1],
        .topics = {words[2], words[3], words[4]},
        .schema_file = words[5],
        .redis_port = words[6],
        .harbor_url = words[7],
        .harbor_login = words[8],
        .harbor_limit = load_number(words[9], "HARBOR_LIMIT"),
        .jobs_max = load_number(words[10], "JOBS_MAX"),
        .pause_us = load_number_or_none(words[11], "PAUSE_US"),
        .retry_backoff_ms = words[12],
    };
}

static void signal_cb(evutil_socket_t signal, short what, void *ctx) {
    (void)signal;
    (void)what;
    (void)event_base_loopbreak(ctx);
}
