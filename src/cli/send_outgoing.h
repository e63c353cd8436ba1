/* SPDX-License-Identifier: Apache-2.0 */
/* A record on its way out, and what becomes of it. */
#ifndef BERTH_CLI_SEND_OUTGOING_H
#define BERTH_CLI_SEND_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "berth/base/buffer.h"
#include "berth/core/limits.h"
#include "cli.h"
#include "send_request.h"

/* "registry/space". */
#define CLI_KEY_BYTES (BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES)
/* "topic/partition/offset". */
#define CLI_SOURCE_BYTES (BERTH_TOPIC_BYTES + 40)

/*
 * PREPARED -- handed to the producer --> SENT -- delivery report --> DELIVERED -- result -->
 * ANSWERED
 *
 * A delivery that fails, or an answer that doesn't come, is the end in that state.
 */
enum cli_outgoing_state {
    CLI_PREPARED,
    CLI_SENT,
    CLI_DELIVERED,
    CLI_ANSWERED,
    CLI_UNDELIVERED,
    CLI_UNANSWERED,
};

struct cli_outgoing {
    enum cli_outgoing_state state;
    char title[BERTH_MESSAGE_BYTES]; /* For people: "CreateSpace alpha/team-a". */
    char id[BERTH_UUID_BYTES];       /* Empty for raw bytes. */
    char traceparent[BERTH_TRACEPARENT_BYTES];
    char topic[BERTH_TOPIC_BYTES];
    struct berth_buffer key;
    struct berth_buffer value;
    int64_t sent_ms;      /* Monotonic. */
    int64_t delivered_ms; /* Monotonic. */
    int32_t partition;
    int64_t offset;
    char source[CLI_SOURCE_BYTES]; /* Where it was delivered: the answer names it. */
    UT_hash_handle by_source;
    int64_t dead_since_ms; /* Monotonic; when its dead letter was seen; 0: none. */
    char *dead_reason;     /* Owned. */
    enum cli_exit result;  /* When ANSWERED. */
};

struct cli_outgoing_list {
    struct cli_outgoing *items; /* They don't move any more once the first is sent. */
    size_t count;
    size_t capacity;
};

/*
 * Makes the record that a request asks for and adds it. What is wrong is told on standard error,
 * after `where` ("line 3: ", or "").
 * CLI_USAGE: the command breaks a rule, in the words that berthd would use. CLI_FAILED.
 */
enum cli_exit cli_outgoing_add(struct cli_outgoing_list *list, const struct cli *cli,
                               const struct cli_send_request *request, const char *where);

/*
 * Adds one for each line of a file ("-": standard input): options as on the command line, divided
 * by blanks, without quoting; empty lines and lines that begin with '#' are passed over. All lines
 * are looked at, so that all mistakes are told. CLI_USAGE, CLI_FAILED: nothing should be sent.
 */
enum cli_exit cli_outgoing_add_batch(struct cli_outgoing_list *list, const struct cli *cli,
                                     const char *path);

void cli_outgoing_deinit(struct cli_outgoing_list *list);

#endif
