/* SPDX-License-Identifier: Apache-2.0 */
/* berth check: whether every partition can go on where it should. */
#include <stdlib.h>

#include "check_report.h"
#include "offsets_listing.h"

#define SUBJECT "kafka"

void check_offsets(const struct check_options *options) {
    struct cli_offsets listing = {0};
    size_t stopped = 0;
    enum cli_exit status = cli_offsets_read(options->config, options->report->cluster, &listing);
    for (size_t i = 0; status == CLI_SUCCEEDED && i < listing.count; i++) {
        stopped += cli_offsets_stopped(&listing.partitions[i]);
    }
    if (status == CLI_SUCCEEDED && stopped == 0) {
        check_say(options->report, CHECK_OK, SUBJECT, "positions", NULL,
                  "each of %zu partitions can go on where it was", listing.count);
    } else if (status == CLI_SUCCEEDED) {
        check_say(options->report, CHECK_PROBLEM, SUBJECT, "positions",
                  "berth offsets says which, and has them go on",
                  "%zu of %zu partitions are stopped: their positions may be of another log",
                  stopped, listing.count);
    } else {
        check_say(options->report, CHECK_WARNING, SUBJECT, "positions", "ask again in a moment",
                  "where the partitions go on can't be read just now");
    }
    cli_offsets_free(&listing);
}
