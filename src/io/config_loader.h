/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One load of a configuration: what the steps of berth_config_load() hand on to each other.
 */
#ifndef BERTH_IO_CONFIG_LOADER_H
#define BERTH_IO_CONFIG_LOADER_H

#include "config_ini.h"
#include "config_table.h"

struct berth_config_loader {
    struct berth_config *config;
    struct berth_config_report *report;
    enum berth_config_purpose purpose;
    /* The lines in which things were set; 0: they weren't. By the option's index in the table. */
    int lines[BERTH_OPTIONS_MAX];
    int registry_lines[BERTH_CONFIG_REGISTRIES_MAX];
    int registry_option_lines[BERTH_CONFIG_REGISTRIES_MAX][BERTH_OPTIONS_MAX];
};

/* Adds one entry of [kafka]. What librdkafka or berth doesn't want is reported.
 * BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc berth_config_add_property(struct berth_config_loader *loader,
                                                       const struct berth_ini_entry *entry);
/* Reports what [kafka] lacks. */
void berth_config_check_properties(struct berth_config_loader *loader);
/* Reports what the login to the brokers lacks. */
void berth_config_check_login(struct berth_config_loader *loader);
void berth_config_free_properties(struct berth_config *config);

/* Reads the secrets of [redis] and the registries, for berthd that of [berth] too. What can't be
 * read is reported. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc berth_config_read_secrets(struct berth_config_loader *loader);

/* Reports what is wrong with a registry's certificates and key. */
void berth_config_check_certificates(struct berth_config_loader *loader, size_t index);
/* The same of those of [redis]. */
void berth_config_check_redis_certificates(struct berth_config_loader *loader);

/* Reports what is fine by itself and not together. Every option has its value. */
void berth_config_check(struct berth_config_loader *loader);

#endif
