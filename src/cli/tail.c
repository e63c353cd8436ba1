/* SPDX-License-Identifier: Apache-2.0 */
/* berth tail: what berth publishes, decoded, as it comes. */
#include <argp.h>
#include <errno.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/io/kafka_reader.h"
#include "cli.h"
#include "record_json.h"
#include "tail_lines.h"

/* How soon an interrupt is seen. */
#define TURN_MS 200

struct arguments {
    struct cli_common common;
    const struct cli_stream *stream;
    bool from_beginning;
    bool until_end;
    bool json;
    long limit; /* 0: none. */
};

static error_t parse(int key, char *argument, struct argp_state *state);
static void interrupt(int signal_number);
static enum cli_exit run(struct cli *cli, const void *input);
static enum cli_exit follow(const struct cli *cli, const struct arguments *arguments,
                            struct berth_reader *reader);
static bool reader_is_gone(void);
static enum berth_rc print(const struct cli *cli, const struct arguments *arguments,
                           const struct berth_record *record);

static const struct argp_option options[] = {
    {.name = "from-beginning", .key = 'b', .doc = "Shows what is already there first"},
    {.name = "until-end",
     .key = 'e',
     .doc = "Stops at what was the end when berth tail was started; with --from-beginning: shows "
            "what is there, and no more"},
    {.name = "limit", .key = 'n', .arg = "N", .doc = "Stops after N records"},
    {.name = "json",
     .key = 'j',
     .doc = "One JSON object a line, with key, headers and the whole "
            "value"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "results|audit|spaces|dlq",
    .doc = "Shows what berth publishes, decoded, one line a record: only what is committed, from "
           "every partition, until it is interrupted."
           "\vRecords of one space come in their order, those of different spaces as they are "
           "read.\n\n"
           "Exit status: 0 also when it is interrupted, 1 the topic can't be read, 2 wrong usage, "
           "3 Kafka can't be reached.",
    .children = children,
};

static volatile sig_atomic_t interrupted;

enum cli_exit cli_tail(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common};
    error_t problem = argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    BERTH_ASSERT(problem == 0);
    return cli_with_config(&arguments.common, BERTH_CONFIG_FOR_TOOLS, run, &arguments);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    char *end = NULL;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case 'b':
        arguments->from_beginning = true;
        return 0;
    case 'e':
        arguments->until_end = true;
        return 0;
    case 'j':
        arguments->json = true;
        return 0;
    case 'n':
        errno = 0;
        arguments->limit = strtol(argument, &end, 10);
        if (end == argument || *end != '\0' || errno != 0 || arguments->limit < 1) {
            argp_error(state, "--limit must be a number from 1 on");
        }
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->stream != NULL) {
            argp_error(state, "%s: only one of results, audit, spaces, dlq", argument);
        }
        arguments->stream = cli_stream_find(argument);
        if (arguments->stream == NULL) {
            argp_error(state, "%s: must be results, audit, spaces or dlq", argument);
        }
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    enum cli_exit status = cli_make_codec(cli);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    /* A second interrupt ends it at once, should Kafka block. */
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);

    const char *topic = cli_stream_topic(arguments->stream, cli->config);
    struct berth_reader *reader = NULL;
    struct berth_error error = {0};
    enum berth_rc rc = berth_reader_new(&cli->kafka, &topic, 1,
                                        arguments->from_beginning ? BERTH_READER_FROM_BEGINNING
                                                                  : BERTH_READER_FROM_END,
                                        CLI_KAFKA_TIMEOUT_MS, &reader, &error);
    if (rc != BERTH_OK) {
        return cli_fault(rc, &error);
    }
    status = follow(cli, arguments, reader);
    berth_reader_free(reader);
    return status;
}

static enum cli_exit follow(const struct cli *cli, const struct arguments *arguments,
                            struct berth_reader *reader) {
    long shown = 0;
    if (!arguments->json) {
        cli_stream_print_head(arguments->stream, stdout);
    }
    enum berth_rc rc = cli_flush();
    while (rc == BERTH_OK && interrupted == 0) {
        if (arguments->until_end && berth_reader_at_end(reader)) {
            break;
        }
        struct berth_record *record = NULL;
        struct berth_error error = {0};
        rc = berth_reader_take(reader, TURN_MS, &record, &error);
        if (rc == BERTH_END) {
            rc = reader_is_gone() ? BERTH_END : BERTH_OK;
            continue;
        }
        if (rc != BERTH_OK) {
            return cli_fault(rc, &error);
        }
        rc = print(cli, arguments, record);
        berth_record_free(record);
        shown++;
        if (arguments->limit > 0 && shown == arguments->limit) {
            break;
        }
    }
    /* Whoever stops reading has seen enough. */
    return rc == BERTH_OK || rc == BERTH_END ? CLI_SUCCEEDED : CLI_FAILED;
}

/* Whether standard output is a pipe that nobody reads: seen before the next record would tell. */
static bool reader_is_gone(void) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

static enum berth_rc print(const struct cli *cli, const struct arguments *arguments,
                           const struct berth_record *record) {
    if (!arguments->json) {
        cli_stream_print(arguments->stream, cli->codec, record, stdout);
        return cli_flush();
    }
    json_t *object = cli_record_json(cli->codec, record);
    if (object == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    (void)json_dumpf(object, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    json_decref(object);
    return cli_flush();
}
