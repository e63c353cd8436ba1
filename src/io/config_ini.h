/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The INI file as a list of entries with their line numbers: inih, with a reader of our own in
 * front that knows the line and refuses what inih would cut or misread in silence.
 */
#ifndef BERTH_IO_CONFIG_INI_H
#define BERTH_IO_CONFIG_INI_H

#include <stddef.h>

#include "berth/io/config.h"

struct berth_ini_section {
    char *name; /* What stands between the brackets. */
    int line;
};

struct berth_ini_entry {
    char *name;
    char *value;
    int line;
    size_t section; /* Index; every entry has one. */
};

struct berth_ini {
    struct berth_ini_section *sections;
    size_t sections_count;
    struct berth_ini_entry *entries;
    size_t entries_count;
};

/*
 * Parses the text of a file. What can't be parsed is reported and left out.
 * BERTH_FAULT_MEMORY. Freed with berth_ini_deinit().
 */
BERTH_MUST_USE enum berth_rc berth_ini_parse(const char *text, size_t len,
                                             struct berth_ini *ret_ini,
                                             struct berth_config_report *report);
void berth_ini_deinit(struct berth_ini *ini);

#endif
