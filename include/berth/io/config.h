/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: one INI file for berthd and berth (design 7, 8).
 *
 * One table (src/io/config_table.c) names every option with its section, type, unit, range, default
 * and help; it feeds loading, messages, what `berthd -t` shows, and config/berth.conf.example.
 *
 * The file: `[section]` lines, `name = value` lines, blank lines, and comments, which begin with
 * '#' or ';' and have a line of their own. A line has up to BERTH_CONFIG_LINE_BYTES_MAX bytes; a
 * value that ends with a comma goes on on the next line if that one is indented. Nothing is
 * substituted in values. Unknown or repeated sections and options are errors. Secrets are never in
 * this file, only in files that it names; one newline at their end doesn't count.
 *
 * Single-threaded while loading; a loaded configuration is read-only.
 */
#ifndef BERTH_IO_CONFIG_H
#define BERTH_IO_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/log.h"
#include "berth/base/result.h"

struct berth_redis_server; /* io/redis_client.h */

#define BERTH_CONFIG_DEFAULT_PATH "/etc/berth/berth.conf"

#define BERTH_CONFIG_LINE_BYTES_MAX                                                                \
    199 /* inih drops what is beyond, so longer ones are refused.                                  \
         */
#define BERTH_CONFIG_FILE_BYTES_MAX   ((size_t)256 * 1024)
#define BERTH_CONFIG_SECRET_BYTES_MAX ((size_t)64 * 1024)
#define BERTH_CONFIG_REGISTRIES_MAX   64
#define BERTH_CONFIG_PROPERTIES_MAX   128
#define BERTH_CONFIG_LIST_MAX         64
/* A host of the DNS (253), a port, the NUL. */
#define BERTH_CONFIG_PULL_HOST_BYTES 264

/* Who loads it decides what must be there and which secrets are read. */
enum berth_config_purpose {
    BERTH_CONFIG_FOR_DAEMON, /* berthd, also with -t: everything, all secrets. */
    BERTH_CONFIG_FOR_TOOLS,  /* berth: enough to talk to Kafka; only the secrets of [kafka]. */
    /* Lookups of berth: Redis and the registries, with their secrets; Kafka needn't be there. */
    BERTH_CONFIG_FOR_LOOKUPS,
    /* Lists, which Redis alone answers: Harbor's accounts needn't be there either. */
    BERTH_CONFIG_FOR_LISTS,
};

/* Where a partition without a committed offset starts (design 4.10). */
enum berth_config_start {
    BERTH_START_EARLIEST,
    BERTH_START_LATEST,
};

/* How berth logs in to a Harbor (harbor-contract 5.3b). */
enum berth_config_login {
    BERTH_LOGIN_SESSION, /* Once, and then by a session. */
    BERTH_LOGIN_BASIC,   /* With each request. */
};
/* What names of robot accounts begin with, unless Harbor is configured otherwise. */
#define BERTH_ROBOT_PREFIX       "robot$"
#define BERTH_CONFIG_HEADERS_MAX 16

/* What a secret file held. Wiped when it is freed; never printed. */
struct berth_secret {
    char *text; /* NUL-terminated (it may hold NULs itself); NULL: none was configured or read. */
    size_t len;
};

struct berth_config_list {
    char **items;
    size_t count;
};

/* One line of [kafka] for rd_kafka_conf_set(); librdkafka has accepted it. */
struct berth_config_property {
    char *name;
    char *value; /* Wiped when it is freed. */
    char *file;  /* Where the value came from when it is a secret; NULL: it isn't one. */
    int line;
};

/* One [registry NAME]. */
struct berth_config_registry {
    char *name;
    char *uid; /* A UUID in lower case. NULL for tools when it isn't given, as url and username. */
    char *url; /* Without a slash at its end. */
    char *pull_host; /* NULL: the url's. */
    char *username;
    char *password_file;
    struct berth_secret password; /* Daemon and lookups. */
    char *command_topic;
    int login;              /* enum berth_config_login; BASIC for a robot account. */
    char *ca_file;          /* NULL: the system's certificates. */
    char *client_cert_file; /* NULL: none. */
    char *client_key_file;  /* NULL: it is in client_cert_file, if there is one. */
    char *proxy;            /* "http://HOST:PORT"; NULL: none. */
    struct berth_config_list extra_headers; /* "Name: value" each. */
    bool dedicated;
    bool waive_request_id_echo;
    int64_t limit;
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
};

/* All strings are owned by the configuration. An optional one that isn't given is NULL. */
struct berth_config {
    char *path;

    /* [berth] */
    char *deployment; /* NULL for tools when it isn't given; also master_key_file. */
    char *instance;
    char *group;
    bool static_membership; /* KIP-345, under the instance's name. */
    char *state_dir;
    char *master_key_file;
    struct berth_secret master_key; /* Daemon only. */
    char *admin_listen;             /* "ADDRESS:PORT". */
    int start;                      /* enum berth_config_start; daemon only. */
    int log_level;                  /* enum berth_log_level. */
    struct berth_config_list protected_spaces;
    int64_t commands_max;
    int64_t window;
    int64_t batch_max;
    int64_t engine_memory_mib;
    int64_t lease_ms;
    int64_t renew_ms;
    int64_t restart_grace_ms;
    int64_t cold_after_ms;
    int64_t retry_attempts;
    int64_t retry_age_ms;
    int64_t retry_backoff_ms;
    int64_t retry_backoff_max_ms;
    int64_t drain_timeout_ms;
    int64_t ledger_days;

    struct {
        struct berth_config_property *properties; /* In the file's order. */
        size_t properties_count;
    } kafka;

    struct {
        char *results;
        char *audit;
        char *spaces;
        char *dlq;
    } topics;

    struct {
        char *address; /* "HOST:PORT", or "/PATH" of a Unix socket. */
        char *username;
        char *password_file;
        struct berth_secret password; /* Daemon and lookups. */
        char *prefix;
        int64_t database;
        int64_t timeout_ms;
        bool tls;
        char *ca_file;
        char *client_cert_file;
        char *client_key_file;
        char *server_name;
    } redis;

    struct berth_config_registry *registries; /* In the file's order. */
    size_t registries_count;
};

/* What was found wrong: all of it up to a bound, so that one run shows what there is to repair. */
#define BERTH_CONFIG_FINDINGS_MAX 20

struct berth_config_finding {
    bool warning; /* It is loaded all the same. */
    int line;     /* 0: not about one line. */
    char text[BERTH_ERROR_BYTES_MAX];
};

struct berth_config_report {
    struct berth_config_finding findings[BERTH_CONFIG_FINDINGS_MAX];
    size_t findings_count;
    size_t errors_count; /* Also those that found no room above. */
    size_t warnings_count;
};

/*
 * Reads the file. ret_report is always filled, also with warnings about what was loaded.
 * BERTH_INVALID: the report has errors; nothing was loaded.
 * BERTH_FAULT_MEMORY: nothing was loaded; the report is not complete.
 * The configuration is the caller's: berth_config_free().
 */
BERTH_MUST_USE enum berth_rc berth_config_load(const char *path, enum berth_config_purpose purpose,
                                               struct berth_config **ret_config,
                                               struct berth_config_report *ret_report);

/* Wipes the secrets. NULL is fine; returns NULL. */
struct berth_config *berth_config_free(struct berth_config *config);

/*
 * What a reload did with an option that is another one now: "berth.log_level",
 * "registry main.url", "registry other" as a whole. applied: it is in force; else it needs a
 * restart.
 */
typedef void berth_config_change_fn(void *ctx, const char *option, bool applied);

/*
 * Takes over from fresh, which was loaded FOR_DAEMON as config was, every option that can change
 * while the worker runs; what they replace is left in fresh, for whoever still borrows it.
 * Registries are matched by name; their number and their order in config stay. Time-outs for which
 * lease_ms, which needs a restart, would be too short aren't taken over either.
 */
void berth_config_reload(struct berth_config *config, struct berth_config *fresh,
                         berth_config_change_fn *on_change, void *ctx);

/* The registry of that name, or NULL. A view. */
const struct berth_config_registry *berth_config_find_registry(const struct berth_config *config,
                                                               const char *name);

/* The topics that commands come from, in the file's order; one that registries share is named once.
 * Views of the configuration. Returns how many; none of them is one of config->topics, which
 * berth_config_load() refuses. */
size_t berth_config_command_topics(const struct berth_config *config,
                                   const char *ret_topics[BERTH_CONFIG_REGISTRIES_MAX]);

/* What [redis] says, as views of the configuration. */
struct berth_redis_server berth_config_redis_server(const struct berth_config *config);

/*
 * Appends the findings, one line each: "PATH:LINE: error: TEXT".
 * BERTH_BUSY: the buffer's limit. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_config_report_write(const struct berth_config_report *report,
                                                       const char *path, struct berth_buffer *out);

/*
 * Appends the configuration that is in force, in the file's own syntax, for `berthd -t`: every
 * option with its value, defaults too. Secrets don't appear, only the names of their files.
 * BERTH_BUSY: the buffer's limit. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_config_write(const struct berth_config *config,
                                                struct berth_buffer *out);

/*
 * Appends config/berth.conf.example: every option of the table at its default, with its help.
 * BERTH_BUSY: the buffer's limit. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_config_write_example(struct berth_buffer *out);

/*
 * Reads one secret file of min to max bytes (at most BERTH_CONFIG_SECRET_BYTES_MAX, asserted),
 * without one newline at its end; line is where the file is named, 0: in no line, for the report.
 * A problem with the file is reported and no fault: ret_secret is then untouched. Freed with
 * berth_secret_wipe(). BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_secret_read(const char *path, size_t min, size_t max, int line,
                                               struct berth_config_report *report,
                                               struct berth_secret *ret_secret);
/* Overwrites and frees what it holds. Fine on a zeroed one, and twice. */
void berth_secret_wipe(struct berth_secret *secret);

/* The index of the name that `name` is most likely a slip of, or -1 when none is near: for "did you
 * mean" in messages. */
int berth_config_nearest(const char *name, const char *const *names, size_t count);

#endif
