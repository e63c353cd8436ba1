/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "config_loader.h"
#include "config_report.h"

static bool open_secret(const char *path, int line, struct berth_config_report *report,
                        int *ret_fd);
static ssize_t read_all(int fd, char *text, size_t size);
static size_t without_newline(const char *text, size_t len);
static enum berth_rc read_for(struct berth_config_loader *loader,
                              enum berth_config_section_id section, const char *name,
                              const char *path, const int *lines, struct berth_secret *ret_secret);

enum berth_rc berth_config_read_secrets(struct berth_config_loader *loader) {
    struct berth_config *config = loader->config;
    enum berth_rc rc = BERTH_OK;
    if (loader->purpose == BERTH_CONFIG_FOR_DAEMON) {
        rc = read_for(loader, BERTH_SECTION_BERTH, "master_key_file", config->master_key_file,
                      loader->lines, &config->master_key);
    }
    if (rc == BERTH_OK) {
        rc = read_for(loader, BERTH_SECTION_REDIS, "password_file", config->redis.password_file,
                      loader->lines, &config->redis.password);
    }
    bool accounts = loader->purpose != BERTH_CONFIG_FOR_LISTS;
    for (size_t i = 0; rc == BERTH_OK && accounts && i < config->registries_count; i++) {
        struct berth_config_registry *registry = &config->registries[i];
        rc = read_for(loader, BERTH_SECTION_REGISTRY, "password_file", registry->password_file,
                      loader->registry_option_lines[i], &registry->password);
    }
    return rc;
}

enum berth_rc berth_secret_read(const char *path, size_t min, size_t max, int line,
                                struct berth_config_report *report,
                                struct berth_secret *ret_secret) {
    BERTH_ASSERT(max <= BERTH_CONFIG_SECRET_BYTES_MAX);
    int fd = -1;
    if (!open_secret(path, line, report, &fd)) {
        return BERTH_OK;
    }
    /* Room for a line end and one byte more, by which a file that is too long is known. */
    size_t size = max + 3;
    char *text = calloc(size + 1, 1);
    if (text == NULL) {
        (void)close(fd);
        return BERTH_FAULT_MEMORY;
    }
    ssize_t len = read_all(fd, text, size);
    int problem = errno;
    (void)close(fd);

    struct berth_secret secret = {.text = text, .len = len > 0 ? (size_t)len : 0};
    secret.len = without_newline(text, secret.len);
    if (len < 0) {
        berth_config_error(report, line, "%s can't be read: %s", path, strerror(problem));
    } else if (secret.len < min || secret.len > max) {
        berth_config_error(report, line, "%s must hold %zu to %zu bytes%s", path, min, max,
                           secret.len < min ? ", and holds fewer" : ", and holds more");
    } else {
        text[secret.len] = '\0';
        *ret_secret = secret;
        return BERTH_OK;
    }
    explicit_bzero(text, size);
    free(text);
    return BERTH_OK;
}

void berth_secret_wipe(struct berth_secret *secret) {
    if (secret->text != NULL) {
        explicit_bzero(secret->text, secret->len);
        free(secret->text);
    }
    *secret = (struct berth_secret){0};
}

static enum berth_rc read_for(struct berth_config_loader *loader,
                              enum berth_config_section_id section, const char *name,
                              const char *path, const int *lines, struct berth_secret *ret_secret) {
    if (path == NULL) {
        return BERTH_OK;
    }
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    int index = berth_config_find_option(section, name);
    BERTH_ASSERT(index >= 0);
    return berth_secret_read(path, (size_t)table[index].min, (size_t)table[index].max, lines[index],
                             loader->report, ret_secret);
}

static bool open_secret(const char *path, int line, struct berth_config_report *report,
                        int *ret_fd) {
    /* Not blocking: a pipe in a secret's place must not hold the start up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        berth_config_error(report, line, "%s can't be read: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        berth_config_error(report, line, "%s is not a file", path);
    } else {
        if ((status.st_mode & S_IROTH) != 0) {
            berth_config_warning(report, line, "%s can be read by everybody: chmod o-rwx it", path);
        }
        *ret_fd = fd;
        return true;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return false;
}

/* Up to size bytes; -1 with errno. */
static ssize_t read_all(int fd, char *text, size_t size) {
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, text + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static size_t without_newline(const char *text, size_t len) {
    if (len > 0 && text[len - 1] == '\n') {
        len--;
        if (len > 0 && text[len - 1] == '\r') {
            len--;
        }
    }
    return len;
}
