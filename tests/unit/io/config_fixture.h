/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with secret files and a configuration file, for the tests of the configuration. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#include "berth/base/buffer.h"
#include "berth/io/config.h"

/* A whole file, in parts; "@/" stands for the folder. */
#define CONFIG_BERTH                                                                               \
    "[berth]\n"                                                                                    \
    "deployment = test\n"                                                                          \
    "start = earliest\n"                                                                           \
    "master_key_file = @/master\n"
#define CONFIG_KAFKA                                                                               \
    "[kafka]\n"                                                                                    \
    "bootstrap.servers = 127.0.0.1:9092\n"
#define CONFIG_REGISTRY_OF(name, uid)                                                              \
    "[registry " name "]\n"                                                                        \
    "uid = " uid "\n"                                                                              \
    "url = https://" name ".example.com\n"                                                         \
    "username = berth\n"                                                                           \
    "password_file = @/password\n"
#define CONFIG_UID      "3f0d9a52-6f0e-4a55-9c1e-0b7f5f5d7c11"
#define CONFIG_REGISTRY CONFIG_REGISTRY_OF("main", CONFIG_UID)
#define CONFIG_WHOLE    CONFIG_BERTH CONFIG_KAFKA CONFIG_REGISTRY

#define CONFIG_MASTER_KEY "0123456789abcdef0123456789abcdef"
#define CONFIG_PASSWORD   "correct horse"

struct config_fixture {
    char folder[64];
    char path[96];
    struct berth_config *config; /* Of the last load that succeeded. */
    struct berth_config_report report;
    struct berth_buffer messages; /* The report as text, with "FILE" for the path. */
};

/* cmocka's setup and teardown; *state is the fixture. The folder holds "master" and "password". */
int config_fixture_setup(void **state);
int config_fixture_teardown(void **state);

/* Makes or overwrites a file of the folder. */
void config_fixture_put(struct config_fixture *fixture, const char *name, const char *text,
                        size_t len, mode_t mode);

/* Writes the configuration file and loads it. */
enum berth_rc config_fixture_load(struct config_fixture *fixture, enum berth_config_purpose purpose,
                                  const char *text);
/* The same with bytes that are taken as they are. */
enum berth_rc config_fixture_load_bytes(struct config_fixture *fixture,
                                        enum berth_config_purpose purpose, const char *text,
                                        size_t len);

/* The messages of the last load. */
const char *config_fixture_messages(const struct config_fixture *fixture);

/* Loads for the daemon and asserts that it is refused with these messages, neither more nor less.
 */
void config_fixture_assert_refused(struct config_fixture *fixture, const char *text,
                                   const char *messages);

/* Loads for the daemon and asserts that it is accepted with these warnings. */
void config_fixture_assert_accepted(struct config_fixture *fixture, const char *text,
                                    const char *warnings);

#endif
