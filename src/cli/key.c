/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

#define KEY_ID_DIGITS (BERTH_KEY_ID_BYTES - 1)
#define KEY_DIGITS    ((size_t)2 * BERTH_WORKSPACE_KEY_BYTES)

static enum cli_exit read_secret(const char *path, size_t min, size_t max,
                                 struct berth_secret *ret_secret);
static unsigned digit_value(char digit);

enum cli_exit cli_key_derive(const struct berth_config *config, const char *workspace,
                             struct cli_key *ret_key) {
    if (config->master_key_file == NULL) {
        cli_complain("the configuration names no master_key_file in [berth]");
        return CLI_USAGE;
    }
    struct berth_secret secret = {0};
    enum cli_exit status = read_secret(config->master_key_file, BERTH_MASTER_KEY_BYTES_MIN,
                                       BERTH_MASTER_KEY_BYTES_MAX, &secret);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    const struct berth_bytes master_key = {(const uint8_t *)secret.text, secret.len};
    berth_workspace_key(master_key, workspace, ret_key->key);
    berth_key_id(master_key, ret_key->key_id);
    berth_secret_wipe(&secret);
    return CLI_SUCCEEDED;
}

enum cli_exit cli_key_read(const char *path, const char *workspace, struct cli_key *ret_key) {
    struct berth_secret secret = {0};
    enum cli_exit status = read_secret(path, 1, CLI_KEY_TEXT_BYTES - 1, &secret);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    struct berth_error error = {0};
    if (cli_key_parse(secret.text, workspace, ret_key, &error) != BERTH_OK) {
        cli_complain("%s: %s", path, error.text);
        status = CLI_USAGE;
    }
    berth_secret_wipe(&secret);
    return status;
}

void cli_key_format(const struct cli_key *key, const char *workspace,
                    char ret_text[CLI_KEY_TEXT_BYTES]) {
    static const char DIGITS[] = "0123456789abcdef";
    int len = snprintf(ret_text, CLI_KEY_TEXT_BYTES, "%s:%s:", workspace, key->key_id);
    BERTH_ASSERT(len > 0);
    BERTH_ASSERT((size_t)len + KEY_DIGITS < CLI_KEY_TEXT_BYTES);
    char *out = ret_text + len;
    for (size_t i = 0; i < BERTH_WORKSPACE_KEY_BYTES; i++) {
        *out++ = DIGITS[key->key[i] >> 4U];
        *out++ = DIGITS[key->key[i] & 0x0fU];
    }
    *out = '\0';
}

enum berth_rc cli_key_parse(const char *text, const char *workspace, struct cli_key *ret_key,
                            struct berth_error *reterr) {
    size_t name_len = strcspn(text, ":");
    const char *key_id = text + name_len + 1;
    bool shaped = text[name_len] == ':' && strspn(key_id, "0123456789abcdef") == KEY_ID_DIGITS &&
                  key_id[KEY_ID_DIGITS] == ':';
    const char *digits = shaped ? key_id + KEY_ID_DIGITS + 1 : "";
    if (strspn(digits, "0123456789abcdef") != KEY_DIGITS || digits[KEY_DIGITS] != '\0') {
        berth_error_set(reterr, "this is no key as `berth workspace-key` prints it");
        return BERTH_INVALID;
    }
    if (name_len != strlen(workspace) || memcmp(text, workspace, name_len) != 0) {
        berth_error_set(reterr, "this is the key of workspace %.*s, not of %s", (int)name_len, text,
                        workspace);
        return BERTH_INVALID;
    }
    memcpy(ret_key->key_id, key_id, KEY_ID_DIGITS);
    ret_key->key_id[KEY_ID_DIGITS] = '\0';
    for (size_t i = 0; i < BERTH_WORKSPACE_KEY_BYTES; i++) {
        ret_key->key[i] =
            (uint8_t)(digit_value(digits[2 * i]) << 4U | digit_value(digits[2 * i + 1]));
    }
    return BERTH_OK;
}

void cli_key_wipe(struct cli_key *key) {
    explicit_bzero(key, sizeof(*key));
}

/* As the configuration's own secrets are read, with the same warning about everybody's eyes. */
static enum cli_exit read_secret(const char *path, size_t min, size_t max,
                                 struct berth_secret *ret_secret) {
    struct berth_config_report report = {.findings_count = 0};
    enum berth_rc rc = berth_secret_read(path, min, max, 0, &report, ret_secret);
    cli_print_report(&report, "berth");
    if (rc != BERTH_OK) {
        return cli_fault(rc, NULL);
    }
    return report.errors_count == 0 ? CLI_SUCCEEDED : CLI_USAGE;
}

static unsigned digit_value(char digit) {
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}
