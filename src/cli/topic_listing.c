/* SPDX-License-Identifier: Apache-2.0 */
#include "topic_listing.h"

#include <string.h>

#include "berth/base/assert.h"

static void add_topic(struct cli_topic_listing *listing, const char *name, const char *policy);

void cli_topic_listing_make(const struct berth_config *config, struct cli_topic_listing *listing) {
    for (size_t i = 0; i < config->registries_count; i++) {
        add_topic(listing, config->registries[i].command_topic, "delete");
    }
    listing->commands_count = listing->count;
    add_topic(listing, config->topics.results, "delete");
    add_topic(listing, config->topics.audit, "delete");
    add_topic(listing, config->topics.spaces, "compact");
    add_topic(listing, config->topics.dlq, "delete");
}

/* Registries may share a topic: it is listed once. */
static void add_topic(struct cli_topic_listing *listing, const char *name, const char *policy) {
    for (size_t i = 0; i < listing->count; i++) {
        if (strcmp(listing->names[i], name) == 0) {
            return;
        }
    }
    BERTH_ASSERT(listing->count < CLI_TOPICS_MAX);
    listing->names[listing->count] = name;
    listing->policies[listing->count] = policy;
    listing->count++;
}

bool cli_topic_policy_fits(const struct cli_topic_listing *listing, size_t index) {
    const char *policy = listing->statuses[index].cleanup_policy;
    return policy[0] == '\0' || strcmp(policy, listing->policies[index]) == 0;
}
