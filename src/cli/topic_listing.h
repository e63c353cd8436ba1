/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of a configuration, and what they must be like. */
#ifndef BERTH_CLI_TOPIC_LISTING_H
#define BERTH_CLI_TOPIC_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/io/config.h"
#include "berth/io/kafka_topics.h"

#define CLI_TOPICS_MAX (BERTH_CONFIG_REGISTRIES_MAX + 4)
_Static_assert(CLI_TOPICS_MAX <= BERTH_TOPICS_MAX, "all topics of a configuration are asked for");

/* Each topic once, command topics first. Views of the configuration. */
struct cli_topic_listing {
    size_t count;
    size_t commands_count; /* The first so many are command topics. */
    const char *names[CLI_TOPICS_MAX];
    const char *policies[CLI_TOPICS_MAX]; /* The cleanup policy that each must have. */
    struct berth_topic_status statuses[CLI_TOPICS_MAX]; /* As last seen; the caller's to fill. */
};

void cli_topic_listing_make(const struct berth_config *config, struct cli_topic_listing *listing);

/* Unreadable is no reason to refuse: whoever may use a topic needn't be allowed to see how it is.
 */
bool cli_topic_policy_fits(const struct cli_topic_listing *listing, size_t index);

#endif
