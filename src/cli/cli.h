/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all commands of `berth` share: the configuration, exit codes, messages.
 */
#ifndef BERTH_CLI_H
#define BERTH_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "berth/io/config.h"
#include "berth/io/kafka_properties.h"

/* Exit codes, a promise to scripts. */
enum cli_exit {
    CLI_SUCCEEDED = 0,
    CLI_FAILED = 1, /* Rejected, failed, or something that berth needs is missing. */
    CLI_USAGE = 2,  /* Wrong options, configuration or command: nothing was sent. */
    /* No answer came in time, also when a command was sent; or Kafka can't be reached. */
    CLI_NO_ANSWER = 3,
};

/* How long Kafka may take to be reached before berth gives up. */
#define CLI_KAFKA_TIMEOUT_MS 10000

/* -c, which berth and each of its commands take; the path is what the program was given last. */
struct cli_common {
    const char *config_path; /* NULL: BERTH_CONFIG, or the default. */
};
extern const struct argp cli_common_argp; /* Its input is a struct cli_common. */

struct cli {
    const struct berth_config *config;
    struct berth_codec *codec;           /* NULL until cli_make_codec(). */
    struct berth_kafka_properties kafka; /* A view of the configuration. */
};

/* What a command does with its configuration; arguments are its own. cli is lent for the call. */
typedef enum cli_exit cli_run_fn(struct cli *cli, const void *arguments);

/* Loads the configuration, telling what is wrong on standard error, runs a command with it and
 * frees it. CLI_USAGE, CLI_FAILED: it wasn't run; else what it returned. */
enum cli_exit cli_with_config(const struct cli_common *common, enum berth_config_purpose purpose,
                              cli_run_fn *run, const void *arguments);

/* Loads the schemas, for commands that read or write records; freed with the configuration.
 * CLI_FAILED: told on standard error. Once at most (asserted). */
enum cli_exit cli_make_codec(struct cli *cli);

/* What was found wrong, on standard error; path is what each line begins with. */
void cli_print_report(const struct berth_config_report *report, const char *path);

/* One line on standard error, after "berth: ". */
void cli_complain(const char *format, ...) BERTH_PRINTF(1, 2);

/* The result of a fault: its text, and CLI_FAILED; CLI_NO_ANSWER: nobody could be asked. */
enum cli_exit cli_fault(enum berth_rc rc, const struct berth_error *error);

/*
 * Flushes standard output, so that every record is seen when it is printed.
 * BERTH_END: nobody reads any more. BERTH_FAULT_SYSTEM: told on standard error.
 */
BERTH_MUST_USE enum berth_rc cli_flush(void);

/* The commands: each parses its own options and returns the exit status. argv[0] is its name. */
enum cli_exit cli_send(int argc, char **argv, struct cli_common common);
enum cli_exit cli_tail(int argc, char **argv, struct cli_common common);
enum cli_exit cli_bindings(int argc, char **argv, struct cli_common common);
enum cli_exit cli_check(int argc, char **argv, struct cli_common common);
enum cli_exit cli_topics(int argc, char **argv, struct cli_common common);
enum cli_exit cli_offsets(int argc, char **argv, struct cli_common common);
enum cli_exit cli_pull_secret(int argc, char **argv, struct cli_common common);
enum cli_exit cli_workspace_key(int argc, char **argv, struct cli_common common);

#endif
