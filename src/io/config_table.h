/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all options. It is the only place that names one: loading, messages, the example
 * file and what `berthd -t` shows are made from it.
 */
#ifndef BERTH_IO_CONFIG_TABLE_H
#define BERTH_IO_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/io/config.h"

enum berth_config_section_id {
    BERTH_SECTION_BERTH,
    BERTH_SECTION_KAFKA,
    BERTH_SECTION_TOPICS,
    BERTH_SECTION_REDIS,
    BERTH_SECTION_REGISTRY, /* [registry NAME], any number of them. */
};
#define BERTH_SECTIONS 5

/* What a value may be, and which type its field has. */
enum berth_option_type {
    BERTH_OPTION_LABEL,       /* char *: a-z, 0-9, '-'; up to max bytes. */
    BERTH_OPTION_WORD,        /* char *: letters, digits, '.', '_', '-'; up to max bytes. */
    BERTH_OPTION_TOPIC,       /* char *: a word that Kafka takes as a topic. */
    BERTH_OPTION_TEXT,        /* char *: no control characters; up to max bytes. */
    BERTH_OPTION_PATH,        /* char *: absolute. */
    BERTH_OPTION_SECRET_FILE, /* char *: absolute; what the file holds is the secret. */
    BERTH_OPTION_UUID,        /* char *: in lower case. */
    BERTH_OPTION_URL,         /* char *: http or https, scheme, host, port and path only. */
    BERTH_OPTION_ADDRESS,     /* char *: HOST:PORT. */
    BERTH_OPTION_SERVER,      /* char *: HOST:PORT, or the absolute path of a Unix socket. */
    BERTH_OPTION_BOOLEAN,     /* bool: yes or no. */
    BERTH_OPTION_INTEGER,     /* int64_t: min to max. */
    BERTH_OPTION_CHOICE,      /* int: the index in choices. */
    BERTH_OPTION_NAMES,       /* struct berth_config_list: names of spaces, by commas. */
    BERTH_OPTION_HEADERS,     /* struct berth_config_list: "Name: value", by commas. */
    BERTH_OPTION_PROXY,       /* char *: http://HOST:PORT. */
    BERTH_OPTION_PROPERTY,    /* A property of librdkafka; has no field. */
};
#define BERTH_OPTION_TYPES 17

enum berth_option_need {
    BERTH_OPTIONAL,
    BERTH_NEEDED_BY_DAEMON,
    BERTH_NEEDED_BY_ALL,
};

#define BERTH_CHOICES_MAX 4

struct berth_config_option {
    enum berth_config_section_id section;
    const char *name;
    enum berth_option_type type;
    enum berth_option_need need;
    const char *unit; /* As a sentence says it, or NULL. */
    int64_t min;
    int64_t max;                                /* Of a text: bytes. */
    const char *value;                          /* The default; NULL: none. */
    const char *example;                        /* For options without a default. */
    const char *choices[BERTH_CHOICES_MAX + 1]; /* CHOICE: NULL at its end. */
    bool reloads;  /* SIGHUP takes a new value over; for the others it takes a restart. */
    size_t offset; /* Of its field in struct berth_config, or berth_config_registry. */
    const char *help;
};

#define BERTH_OPTIONS_MAX 64

/* The whole table, by sections. A constant. */
const struct berth_config_option *berth_config_table(size_t *ret_count);

/* "berth", ..., "registry". */
const char *berth_config_section_name(enum berth_config_section_id section);
/* What the section is for, for the example file: lines without their "# ". */
const char *berth_config_section_help(enum berth_config_section_id section);

/* The option's index in the table, or -1. */
int berth_config_find_option(enum berth_config_section_id section, const char *name);

#endif
