/* SPDX-License-Identifier: Apache-2.0 */
#include "topic_listing.h"

#include <string.h>

#include "berth/base/assert.h"

static void add_output(struct cli_topic_listing *listing, const char *name, const char *policy);

void cli_topic_listing_make(const struct berth_config *config, struct cli_topic_listing *listing) {
    listing->commands_count = berth_config_command_topics(config, listing->names);
    for (size_t i = 0; i < listing->commands_count; i++) {
        listing->policies[i] = "delete";
    }
    listing->count = listing->commands_count;
    add_output(listing, config->topics.results, "delete");
    add_output(listing, config->topics.audit, "delete");
    add_output(listing, config->topics.spaces, "compact");
    add_output(listing, config->topics.dlq, "delete");
}

static void add_output(struct cli_topic_listing *listing, const char *name, const char *policy) {
    BERTH_ASSERT(listing->count < CLI_TOPICS_MAX);
    listing->names[listing->count] = name;
    listing->policies[listing->count] = policy;
    listing->count++;
}

bool cli_topic_policy_fits(const struct cli_topic_listing *listing, size_t index) {
    const char *policy = listing->statuses[index].cleanup_policy;
    return policy[0] == '\0' || strcmp(policy, listing->policies[index]) == 0;
}
