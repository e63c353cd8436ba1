/* SPDX-License-Identifier: Apache-2.0 */
#include "credential.h"

#include <string.h>

#include "berth/base/assert.h"

#define K8S_NAME_MAX  253
#define K8S_LABEL_MAX 63

static void put_quoted(struct cli_secret_text *out, const char *text);
static void put_member(struct cli_secret_text *out, const char *before, const char *text);
static void put_docker_auth(struct cli_secret_text *out, const struct cli_credential *credential);
static bool labels_legal(const char *name, size_t max, bool dots);

bool cli_image_host(const char *url, char ret_host[CLI_HOST_BYTES]) {
    const char *host = strstr(url, "://");
    BERTH_ASSERT(host != NULL); /* The configuration takes no other. */
    host += strlen("://");
    size_t len = strcspn(host, "/");
    if (len >= CLI_HOST_BYTES) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool upper = host[i] >= 'A' && host[i] <= 'Z';
        ret_host[i] = (char)(upper ? host[i] - 'A' + 'a' : host[i]);
    }
    ret_host[len] = '\0';
    const char *usual = strncmp(url, "https:", strlen("https:")) == 0 ? ":443" : ":80";
    if (len > strlen(usual) && strcmp(ret_host + len - strlen(usual), usual) == 0) {
        ret_host[len - strlen(usual)] = '\0';
    }
    return true;
}

bool cli_login_name_usable(const char *login_name) {
    for (const char *at = login_name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x20 || byte == 0x7f || byte == ':') {
            return false;
        }
    }
    return login_name[0] != '\0';
}

void cli_credentials_put_lines(const struct cli_credential *credentials, size_t count,
                               struct cli_secret_text *out) {
    for (size_t i = 0; i < count; i++) {
        cli_secret_text_puts(out, credentials[i].registry);
        cli_secret_text_puts(out, "/");
        cli_secret_text_puts(out, credentials[i].space);
        cli_secret_text_puts(out, "\t");
        cli_secret_text_puts(out, credentials[i].login_name);
        cli_secret_text_puts(out, "\t");
        cli_secret_text_puts(out, credentials[i].secret);
        cli_secret_text_puts(out, "\n");
    }
}

void cli_credentials_put_json(const struct cli_credential *credentials, size_t count,
                              struct cli_secret_text *out) {
    for (size_t i = 0; i < count; i++) {
        put_member(out, "{\"registry\":", credentials[i].registry);
        put_member(out, ",\"space\":", credentials[i].space);
        put_member(out, ",\"host\":", credentials[i].host);
        put_member(out, ",\"user\":", credentials[i].login_name);
        put_member(out, ",\"password\":", credentials[i].secret);
        cli_secret_text_puts(out, "}\n");
    }
}

void cli_credentials_put_docker(const struct cli_credential *credentials, size_t count,
                                struct cli_secret_text *out) {
    cli_secret_text_puts(out, "{\"auths\":{");
    for (size_t i = 0; i < count; i++) {
        cli_secret_text_puts(out, i == 0 ? "" : ",");
        put_docker_auth(out, &credentials[i]);
    }
    cli_secret_text_puts(out, "}}\n");
}

enum berth_rc cli_credentials_put_k8s(const struct cli_credential *credentials, size_t count,
                                      const struct cli_k8s_names *names,
                                      struct cli_secret_text *out) {
    struct cli_secret_text docker = {0};
    cli_credentials_put_docker(credentials, count, &docker);
    if (docker.len > CLI_K8S_SECRET_BYTES_MAX) {
        cli_secret_text_wipe(&docker);
        return BERTH_BUSY;
    }
    /* Quoted, since YAML takes some legal names for numbers or truths. */
    cli_secret_text_puts(out, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: ");
    put_quoted(out, names->name);
    if (names->name_space != NULL) {
        cli_secret_text_puts(out, "\n  namespace: ");
        put_quoted(out, names->name_space);
    }
    cli_secret_text_puts(out, "\ntype: kubernetes.io/dockerconfigjson\ndata:\n"
                              "  .dockerconfigjson: ");
    out->failed = out->failed || docker.failed;
    if (!out->failed) {
        cli_secret_text_add_base64(out, docker.data, docker.len);
    }
    cli_secret_text_puts(out, "\n");
    cli_secret_text_wipe(&docker);
    return BERTH_OK;
}

bool cli_k8s_name_legal(const char *name) {
    return labels_legal(name, K8S_NAME_MAX, true);
}

bool cli_k8s_namespace_legal(const char *name) {
    return labels_legal(name, K8S_LABEL_MAX, false);
}

static void put_docker_auth(struct cli_secret_text *out, const struct cli_credential *credential) {
    cli_secret_text_puts(out, "\"");
    cli_secret_text_puts(out, credential->host);
    cli_secret_text_puts(out, "/");
    cli_secret_text_puts(out, credential->space);
    cli_secret_text_puts(out, "\":{\"username\":");
    put_quoted(out, credential->login_name);
    cli_secret_text_puts(out, ",\"password\":");
    put_quoted(out, credential->secret);
    cli_secret_text_puts(out, ",\"auth\":\"");
    struct cli_secret_text login = {0};
    cli_secret_text_puts(&login, credential->login_name);
    cli_secret_text_puts(&login, ":");
    cli_secret_text_puts(&login, credential->secret);
    out->failed = out->failed || login.failed;
    if (!out->failed) {
        cli_secret_text_add_base64(out, login.data, login.len);
    }
    cli_secret_text_wipe(&login);
    cli_secret_text_puts(out, "\"}");
}

static void put_member(struct cli_secret_text *out, const char *before, const char *text) {
    cli_secret_text_puts(out, before);
    put_quoted(out, text);
}

/* For JSON and for YAML; there are no control characters in what is quoted here. */
static void put_quoted(struct cli_secret_text *out, const char *text) {
    cli_secret_text_puts(out, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            cli_secret_text_puts(out, "\\");
        }
        cli_secret_text_add(out, at, 1);
    }
    cli_secret_text_puts(out, "\"");
}

/* Lower-case letters, digits and '-'; with dots: several such parts. None begins or ends with '-'.
 */
static bool labels_legal(const char *name, size_t max, bool dots) {
    size_t len = strnlen(name, max + 1);
    if (len == 0 || len > max) {
        return false;
    }
    char before = '.';
    for (size_t i = 0; i <= len; i++) {
        char now = i < len ? name[i] : '.'; /* The end of the name is one of a part too. */
        bool plain = (now >= 'a' && now <= 'z') || (now >= '0' && now <= '9');
        bool starts_part = before == '.';
        bool dot = now == '.' && (dots || i == len);
        if (!plain && (starts_part || (now != '-' && !dot) || (dot && before == '-'))) {
            return false;
        }
        before = now;
    }
    return true;
}
