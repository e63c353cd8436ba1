/* SPDX-License-Identifier: Apache-2.0 */
/* berth tail: what berth publishes, decoded, as it comes. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
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

/* An option without a letter of its own. */
#define KEY_LIMIT 0x100
/* They are held in memory. */
#define LAST_MAX 10000
/* How many offsets are read first for each record that is wanted: beside records there are the
 * marks of transactions, and what was aborted or compacted away. If that wasn't enough, so much
 * more. */
#define BACK_FACTOR 4

struct arguments {
    struct cli_common common;
    const struct cli_stream *stream;
    bool from_beginning;
    bool until_end;
    bool json;
    long limit; /* 0: none. */
    long last;  /* 0: not asked for. */
};

/* The last records that were seen so far, by their time. */
struct last {
    struct berth_record **records;
    size_t count;
    size_t max;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static void interrupt(int signal_number);
static enum cli_exit run(struct cli *cli, const void *input);
static long parse_count(struct argp_state *state, const char *option, const char *text, long max);
static enum berth_rc open_reader(const struct cli *cli, const struct arguments *arguments,
                                 int64_t back_offsets, struct berth_reader **ret_reader,
                                 struct berth_error *reterr);
static enum cli_exit follow(const struct cli *cli, const struct arguments *arguments,
                            struct berth_reader *reader);
static enum cli_exit show_last(const struct cli *cli, const struct arguments *arguments);
static enum berth_rc gather(const struct cli *cli, const struct arguments *arguments,
                            int64_t back_offsets, struct last *last, bool *ret_all,
                            struct berth_error *reterr);
static void keep(struct last *last, struct berth_record *take_record);
static void forget(struct last *last);
static bool reader_is_gone(void);
static enum berth_rc print(const struct cli *cli, const struct arguments *arguments,
                           const struct berth_record *record);

static const struct argp_option options[] = {
    {.name = "from-beginning", .key = 'b', .doc = "Shows what is already there first"},
    {.name = "until-end",
     .key = 'e',
     .doc = "Stops at what was the end when berth tail was started; with --from-beginning: shows "
            "what is there, and no more"},
    {.name = "last",
     .key = 'n',
     .arg = "N",
     .doc = "Shows the last N records that are there, by their time, and ends"},
    {.name = "limit", .key = KEY_LIMIT, .arg = "N", .doc = "Stops after N records"},
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
        arguments->last = parse_count(state, "--last", argument, LAST_MAX);
        return 0;
    case KEY_LIMIT:
        arguments->limit = parse_count(state, "--limit", argument, LONG_MAX);
        return 0;
    case ARGP_KEY_END:
        if (arguments->last > 0 && (arguments->limit > 0 || arguments->from_beginning)) {
            argp_error(state, "--last goes without --limit and --from-beginning");
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

static long parse_count(struct argp_state *state, const char *option, const char *text, long max) {
    char *end = NULL;
    errno = 0;
    long count = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || count < 1 || count > max) {
        argp_error(state,
                   max == LONG_MAX ? "%s must be a number from 1 on"
                                   : "%s must be a number from 1 to %ld",
                   option, max);
    }
    return count;
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

    if (arguments->last > 0) {
        return show_last(cli, arguments);
    }
    struct berth_reader *reader = NULL;
    struct berth_error error = {0};
    enum berth_rc rc =
        open_reader(cli, arguments,
                    arguments->from_beginning ? BERTH_READER_FROM_BEGINNING : BERTH_READER_FROM_END,
                    &reader, &error);
    if (rc != BERTH_OK) {
        return cli_fault(rc, &error);
    }
    status = follow(cli, arguments, reader);
    berth_reader_free(reader);
    return status;
}

static enum berth_rc open_reader(const struct cli *cli, const struct arguments *arguments,
                                 int64_t back_offsets, struct berth_reader **ret_reader,
                                 struct berth_error *reterr) {
    const char *topic = cli_stream_topic(arguments->stream, cli->config);
    return berth_reader_new(&cli->kafka, &topic, 1, back_offsets, CLI_KAFKA_TIMEOUT_MS, ret_reader,
                            reterr);
}

/* ---- The last ones ---- */

static enum cli_exit show_last(const struct cli *cli, const struct arguments *arguments) {
    struct last last = {.max = (size_t)arguments->last};
    last.records = calloc(last.max, sizeof(struct berth_record *));
    struct berth_error error = {0};
    enum berth_rc rc = last.records == NULL ? BERTH_FAULT_MEMORY : BERTH_OK;
    bool all = false;
    for (int64_t back = BACK_FACTOR * arguments->last; rc == BERTH_OK && !all;
         back *= BACK_FACTOR) {
        forget(&last);
        rc = gather(cli, arguments, back, &last, &all, &error);
    }
    enum cli_exit status = rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
    if (rc == BERTH_OK && !arguments->json) {
        cli_stream_print_head(arguments->stream, stdout);
        rc = cli_flush();
    }
    for (size_t i = 0; rc == BERTH_OK && i < last.count; i++) {
        rc = print(cli, arguments, last.records[i]);
    }
    forget(&last);
    free(last.records);
    return status != CLI_SUCCEEDED || rc == BERTH_OK || rc == BERTH_END ? status : CLI_FAILED;
}

/* ret_all: they are the last ones of the topic; else too few offsets were read. */
static enum berth_rc gather(const struct cli *cli, const struct arguments *arguments,
                            int64_t back_offsets, struct last *last, bool *ret_all,
                            struct berth_error *reterr) {
    struct berth_reader *reader = NULL;
    enum berth_rc rc = open_reader(cli, arguments, back_offsets, &reader, reterr);
    while (rc == BERTH_OK && interrupted == 0 && !berth_reader_at_end(reader)) {
        struct berth_record *record = NULL;
        rc = berth_reader_take(reader, TURN_MS, &record, reterr);
        if (rc == BERTH_OK) {
            keep(last, record);
        }
        rc = rc == BERTH_END ? BERTH_OK : rc;
    }
    *ret_all = rc == BERTH_OK && (interrupted != 0 || berth_reader_gave(reader, arguments->last));
    berth_reader_free(reader);
    return rc;
}

/* In its place by time, behind those of the same time; the oldest makes room. */
static void keep(struct last *last, struct berth_record *take_record) {
    int64_t time_ms = berth_record_time_ms(take_record);
    size_t place = last->count;
    while (place > 0 && berth_record_time_ms(last->records[place - 1]) > time_ms) {
        place--;
    }
    if (last->count < last->max) {
        memmove(&last->records[place + 1], &last->records[place],
                (last->count - place) * sizeof(struct berth_record *));
        last->records[place] = take_record;
        last->count++;
        return;
    }
    if (place == 0) {
        berth_record_free(take_record);
        return;
    }
    berth_record_free(last->records[0]);
    memmove(&last->records[0], &last->records[1], (place - 1) * sizeof(struct berth_record *));
    last->records[place - 1] = take_record;
}

static void forget(struct last *last) {
    for (size_t i = 0; i < last->count; i++) {
        berth_record_free(last->records[i]);
    }
    last->count = 0;
}

/* ---- Following ---- */

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
