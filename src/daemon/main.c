/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berthd: reads its command line and configuration, then runs one worker until it is told to stop.
 */
#include <argp.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/log.h"
#include "berth/base/log_writer.h"
#include "berth/base/standard_streams.h"
#include "berth/io/config.h"
#include "worker.h"

#define EXIT_USAGE        2
#define PRINTED_BYTES_MAX ((size_t)1024 * 1024)
/* How long the end waits for the last lines of the log to be written. */
#define LAST_LINES_MS 2000

const char *argp_program_version = "berthd " BERTH_VERSION;

struct arguments {
    const char *config_path;
    bool test;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case 'c':
        arguments->config_path = argument;
        return 0;
    case 't':
        arguments->test = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Configuration file (default " BERTH_CONFIG_DEFAULT_PATH ")", 0},
    {"test", 't', NULL, 0, "Check the configuration, print what is in force, and exit", 0},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .doc = "Applies registry space commands from Kafka to Harbor, exactly as if once.\v"
           "Signals: SIGTERM and SIGINT finish what is under way and stop; a second one stops at "
           "once; SIGHUP reads the configuration again.\nExit status: 0 stopped as told, 1 could "
           "not go on, 2 bad command line or "
           "configuration.",
};

static void print_report(const struct berth_config_report *report, const char *path) {
    struct berth_buffer text;
    berth_buffer_init(&text, PRINTED_BYTES_MAX);
    if (berth_config_report_write(report, path, &text) == BERTH_OK && text.len > 0) {
        berth_log_write((const char *)text.data, text.len);
    }
    berth_buffer_deinit(&text);
}

static int print_configuration(const struct berth_config *config) {
    struct berth_buffer text;
    berth_buffer_init(&text, PRINTED_BYTES_MAX);
    enum berth_rc rc = berth_config_write(config, &text);
    if (rc == BERTH_OK) {
        (void)fputs((const char *)text.data, stdout);
        (void)fprintf(stderr, "%s: the configuration is fine\n", config->path);
    }
    berth_buffer_deinit(&text);
    return rc == BERTH_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* libevent's own warnings, which would go past the log's writer. */
static void libevent_log_cb(int severity, const char *text) {
    berth_log(severity == EVENT_LOG_ERR ? BERTH_LOG_ERROR : BERTH_LOG_WARNING, "libevent.says",
              "text=\"%s\"", text);
}

static int run_worker(struct berth_config *config) {
    berth_log_setup((enum berth_log_level)config->log_level, getenv("JOURNAL_STREAM") != NULL);
    event_set_log_callback(libevent_log_cb);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_worker_run(config, &error);
    if (rc != BERTH_OK) {
        berth_log(BERTH_LOG_ERROR, "worker.stopped", "reason=\"%s\"", berth_error_why(&error, rc));
    }
    curl_global_cleanup();
    return rc == BERTH_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int load_and_run(const struct arguments *arguments) {
    struct berth_config *config = NULL;
    struct berth_config_report report;
    enum berth_rc rc =
        berth_config_load(arguments->config_path, BERTH_CONFIG_FOR_DAEMON, &config, &report);
    print_report(&report, arguments->config_path);
    if (rc != BERTH_OK) {
        return EXIT_USAGE;
    }
    int status = arguments->test ? print_configuration(config) : run_worker(config);
    berth_config_free(config);
    return status;
}

int main(int argc, char **argv) {
    berth_standard_streams_secure();
    struct arguments arguments = {.config_path = BERTH_CONFIG_DEFAULT_PATH};
    argp_err_exit_status = EXIT_USAGE;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (arguments.test) {
        return load_and_run(&arguments);
    }
    struct berth_error error = {{0}};
    if (berth_log_writer_start(&error) != BERTH_OK) {
        (void)fprintf(stderr, "berthd: %s\n", error.text);
        return EXIT_FAILURE;
    }
    int status = load_and_run(&arguments);
    berth_log_writer_stop(LAST_LINES_MS);
    return status;
}
