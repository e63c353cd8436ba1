/* SPDX-License-Identifier: Apache-2.0 */
/* Sends what is prepared and, if asked, waits for the answers. */
#ifndef BERTH_CLI_SEND_WAIT_H
#define BERTH_CLI_SEND_WAIT_H

#include "cli.h"
#include "send_outgoing.h"
#include "send_print.h"

struct cli_send_plan {
    struct cli_send_form form;
    bool wait;
    int64_t wait_ms; /* From each record's delivery report. */
};

/*
 * Sends all of the list through one producer and prints what becomes of each.
 * The worst of the records' fates: CLI_NO_ANSWER, then CLI_FAILED.
 */
enum cli_exit cli_send_all(const struct cli *cli, const struct cli_send_plan *plan,
                           struct cli_outgoing_list *list);

#endif
