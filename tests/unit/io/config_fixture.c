/* SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "berth.conf"
#define TEXT_MAX  ((size_t)1024 * 1024)

static void append(struct berth_buffer *buffer, const char *text, size_t len);

int config_fixture_setup(void **state) {
    struct config_fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL) {
        return -1;
    }
    const char *parent = getenv("TMPDIR");
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "%s/berth-config-XXXXXX",
                   parent != NULL && strlen(parent) < 32 ? parent : "/tmp");
    if (mkdtemp(fixture->folder) == NULL) {
        free(fixture);
        return -1;
    }
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/" FILE_NAME, fixture->folder);
    berth_buffer_init(&fixture->messages, TEXT_MAX);
    config_fixture_put(fixture, "master", CONFIG_MASTER_KEY "\n", strlen(CONFIG_MASTER_KEY) + 1,
                       0600);
    config_fixture_put(fixture, "password", CONFIG_PASSWORD "\n", strlen(CONFIG_PASSWORD) + 1,
                       0600);
    *state = fixture;
    return 0;
}

int config_fixture_teardown(void **state) {
    struct config_fixture *fixture = *state;
    static const char *const FILES[] = {"master",          "password",  "other",  "both.pem",
                                        "certificate.pem", "other.key", FILE_NAME};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, FILES[i]);
        (void)unlink(path);
    }
    int rc = rmdir(fixture->folder);
    berth_config_free(fixture->config);
    berth_buffer_deinit(&fixture->messages);
    free(fixture);
    return rc;
}

void config_fixture_put(struct config_fixture *fixture, const char *name, const char *text,
                        size_t len, mode_t mode) {
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

enum berth_rc config_fixture_load(struct config_fixture *fixture, enum berth_config_purpose purpose,
                                  const char *text) {
    struct berth_buffer whole;
    berth_buffer_init(&whole, TEXT_MAX);
    const char *at = text;
    for (const char *mark = strstr(at, "@/"); mark != NULL; mark = strstr(at, "@/")) {
        append(&whole, at, (size_t)(mark - at));
        append(&whole, fixture->folder, strlen(fixture->folder));
        at = mark + 1;
    }
    append(&whole, at, strlen(at));
    enum berth_rc rc =
        config_fixture_load_bytes(fixture, purpose, (const char *)whole.data, whole.len);
    berth_buffer_deinit(&whole);
    return rc;
}

enum berth_rc config_fixture_load_bytes(struct config_fixture *fixture,
                                        enum berth_config_purpose purpose, const char *text,
                                        size_t len) {
    config_fixture_put(fixture, FILE_NAME, text, len, 0644);
    fixture->config = berth_config_free(fixture->config);
    enum berth_rc rc =
        berth_config_load(fixture->path, purpose, &fixture->config, &fixture->report);
    berth_buffer_clear(&fixture->messages);
    assert_int_equal(berth_config_report_write(&fixture->report, "FILE", &fixture->messages),
                     BERTH_OK);
    return rc;
}

const char *config_fixture_messages(const struct config_fixture *fixture) {
    return fixture->messages.len > 0 ? (const char *)fixture->messages.data : "";
}

void config_fixture_assert_refused(struct config_fixture *fixture, const char *text,
                                   const char *messages) {
    enum berth_rc rc = config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text);
    assert_string_equal(config_fixture_messages(fixture), messages);
    assert_int_equal(rc, BERTH_INVALID);
    assert_null(fixture->config);
}

void config_fixture_assert_accepted(struct config_fixture *fixture, const char *text,
                                    const char *warnings) {
    enum berth_rc rc = config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text);
    assert_string_equal(config_fixture_messages(fixture), warnings);
    assert_int_equal(rc, BERTH_OK);
    assert_non_null(fixture->config);
}

static void append(struct berth_buffer *buffer, const char *text, size_t len) {
    assert_int_equal(berth_buffer_append(buffer, text, len), BERTH_OK);
}
