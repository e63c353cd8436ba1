/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a record that was sent, for people and for programs. */
#ifndef BERTH_CLI_SEND_PRINT_H
#define BERTH_CLI_SEND_PRINT_H

#include <jansson.h>
#include <stdbool.h>

#include "berth/io/kafka_record.h"
#include "send_outgoing.h"

struct cli_send_form {
    bool json;
    bool one_line; /* For people: a batch has one line for each. */
};

/* It is delivered, and that was all that was asked. */
enum berth_rc cli_print_delivered(const struct cli_send_form *form,
                                  const struct cli_outgoing *outgoing);

/* Its result: the record, and its decoded value. ret_result is by the outcome. */
enum berth_rc cli_print_result(const struct cli_send_form *form,
                               const struct cli_outgoing *outgoing,
                               const struct berth_record *record, json_t *result,
                               int64_t elapsed_ms, enum cli_exit *ret_result);

/* Nothing came in time. For programs; people are told on standard error. */
enum berth_rc cli_print_unanswered(const struct cli_send_form *form,
                                   const struct cli_outgoing *outgoing);

/* It has only become a dead letter. */
enum berth_rc cli_print_dead_letter(const struct cli_send_form *form,
                                    const struct cli_outgoing *outgoing);

#endif
