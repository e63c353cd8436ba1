/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(int words_count, char **words);
    int words_count;
    const char *words;
} modes[] = {
    {"commands", load_commands, 7,
     "BROKERS TOPIC REGISTRY PREFIX COUNT/SPACES A_SECOND|0 RESULTS_TOPIC"},
    {"fill", load_fill, 5, "BROKERS TOPIC REGISTRY PREFIX COUNT/SPACES"},
    {"records", load_records, 7,
     "BROKERS TOPIC REGISTRY PREFIX COUNT/SPACES A_SECOND|0 RESULTS_TOPIC"},
    {"bare", load_bare, 9,
     "BROKERS GROUP COMMANDS_TOPIC RESULTS_TOPIC AUDIT_TOPIC SPACES_TOPIC COUNT/A_SECOND|0 "
     "PAUSE_US RETRY_BACKOFF_MS"},
};

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, modes[i].name) == 0 && argc - 2 == modes[i].words_count) {
            modes[i].run(argc - 2, argv + 2);
            return EXIT_SUCCESS;
        }
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        (void)fprintf(stderr, "usage: %s %s %s\n", argv[0], modes[i].name, modes[i].words);
    }
    return EXIT_FAILURE;
}
