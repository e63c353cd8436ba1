/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_client_endpoint.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/identity.h"
#include "berth/io/config.h"

/* Idle connections are dropped before the server does it: nginx closes them after 65 s or more. */
#define IDLE_MAX_S 30L

_Static_assert(BERTH_HARBOR_EXTRA_HEADERS_MAX >= BERTH_CONFIG_HEADERS_MAX, "all fit");

static enum berth_rc check_url(const struct berth_harbor_registry_config *registry,
                               struct berth_error *reterr);
static bool url_has(CURLU *url, CURLUPart part);
static enum berth_rc copy(struct berth_harbor_endpoint *endpoint,
                          const struct berth_harbor_registry_config *registry);
static size_t size_of(const char *text);
static const char *put(char **at, const char *text);
static enum berth_rc make_lines(struct berth_harbor_endpoint *endpoint);
static char *authorization_of(const struct berth_harbor_registry_config *registry);

struct berth_harbor_registry_config
berth_harbor_registry_configured(const struct berth_config_registry *registry) {
    return (struct berth_harbor_registry_config){
        .name = registry->name,
        .uid = registry->uid,
        .url = registry->url,
        .username = registry->username,
        .password = registry->password.text,
        .basic_login = registry->login == BERTH_LOGIN_BASIC,
        .ca_file = registry->ca_file,
        .client_cert_file = registry->client_cert_file,
        .client_key_file = registry->client_key_file,
        .proxy = registry->proxy,
        .extra_headers = (const char *const *)registry->extra_headers.items,
        .extra_headers_count = registry->extra_headers.count,
        .connect_timeout_ms = (int)registry->connect_timeout_ms,
        .request_timeout_ms = (int)registry->request_timeout_ms,
        .echo_waived = registry->waive_request_id_echo,
    };
}

enum berth_rc berth_harbor_endpoint_new(const char *deployment, struct berth_bytes master_key,
                                        const struct berth_harbor_registry_config *registry,
                                        struct berth_harbor_endpoint **ret_endpoint,
                                        struct berth_error *reterr) {
    if (strchr(registry->username, ':') != NULL) {
        berth_error_set(reterr, "registry %s: a username can't hold a colon (RFC 7617)",
                        registry->name);
        return BERTH_INVALID;
    }
    enum berth_rc rc = check_url(registry, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_harbor_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (endpoint == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    if (master_key.len > 0) {
        berth_key_id(master_key, endpoint->key_id);
    }
    endpoint->marker =
        (struct berth_robot_marker){.deployment = deployment, .key_id = endpoint->key_id};
    endpoint->master_key = master_key;
    endpoint->users = 1;
    rc = copy(endpoint, registry);
    if (rc == BERTH_OK) {
        rc = make_lines(endpoint);
    }
    if (rc != BERTH_OK) {
        (void)berth_harbor_endpoint_leave(endpoint);
        return rc;
    }
    *ret_endpoint = endpoint;
    return BERTH_OK;
}

struct berth_harbor_endpoint *berth_harbor_endpoint_use(struct berth_harbor_endpoint *endpoint) {
    endpoint->users++;
    return endpoint;
}

struct berth_harbor_endpoint *berth_harbor_endpoint_leave(struct berth_harbor_endpoint *endpoint) {
    if (endpoint == NULL || --endpoint->users > 0) {
        return NULL;
    }
    if (endpoint->authorization != NULL) {
        explicit_bzero(endpoint->authorization, strlen(endpoint->authorization));
    }
    if (endpoint->texts != NULL) {
        explicit_bzero(endpoint->texts, endpoint->texts_bytes);
    }
    free(endpoint->authorization);
    free(endpoint->referer);
    free(endpoint->texts);
    free(endpoint);
    return NULL;
}

int berth_harbor_set_up_curl(void *easy, const struct berth_harbor_registry_config *registry) {
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* What is reached is what the configuration names, not what the environment adds. */
    bad |=
        (int)curl_easy_setopt(easy, CURLOPT_PROXY, registry->proxy != NULL ? registry->proxy : "");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    bad |=
        (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)registry->connect_timeout_ms);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)registry->request_timeout_ms);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    if (registry->ca_file != NULL) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CAINFO, registry->ca_file);
        /* curl would keep what was in the file for a day: a reload must see what is in it now. */
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    }
    if (registry->client_cert_file != NULL) {
        const char *key = registry->client_key_file;
        bad |= (int)curl_easy_setopt(easy, CURLOPT_SSLCERT, registry->client_cert_file);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_SSLKEY,
                                     key != NULL ? key : registry->client_cert_file);
    }
    return bad;
}

static enum berth_rc check_url(const struct berth_harbor_registry_config *registry,
                               struct berth_error *reterr) {
    CURLU *url = curl_url();
    if (url == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    char *scheme = NULL;
    bool good = curl_url_set(url, CURLUPART_URL, registry->url, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                !url_has(url, CURLUPART_QUERY) && !url_has(url, CURLUPART_FRAGMENT) &&
                !url_has(url, CURLUPART_USER) && !url_has(url, CURLUPART_PASSWORD);
    curl_free(scheme);
    curl_url_cleanup(url);
    if (!good) {
        berth_error_set(reterr,
                        "registry %s: the url must be http:// or https://, a host, perhaps a port "
                        "and a path, and nothing else",
                        registry->name);
        return BERTH_INVALID;
    }
    return BERTH_OK;
}

static bool url_has(CURLU *url, CURLUPart part) {
    char *value = NULL;
    bool has = curl_url_get(url, part, &value, 0) == CURLUE_OK;
    curl_free(value);
    return has;
}

/* All texts in one block, which is wiped as a whole. */
static enum berth_rc copy(struct berth_harbor_endpoint *endpoint,
                          const struct berth_harbor_registry_config *registry) {
    BERTH_ASSERT(registry->extra_headers_count <= BERTH_HARBOR_EXTRA_HEADERS_MAX);
    size_t bytes = size_of(registry->name) + size_of(registry->uid) + size_of(registry->url) +
                   size_of(registry->username) + size_of(registry->password) +
                   size_of(registry->ca_file) + size_of(registry->client_cert_file) +
                   size_of(registry->client_key_file) + size_of(registry->proxy);
    for (size_t i = 0; i < registry->extra_headers_count; i++) {
        bytes += size_of(registry->extra_headers[i]);
    }
    char *at = malloc(bytes);
    if (at == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    endpoint->texts = at;
    endpoint->texts_bytes = bytes;
    /* Extra headers first, since they are not const for curl's list. */
    endpoint->extra_count = registry->extra_headers_count;
    for (size_t i = 0; i < endpoint->extra_count; i++) {
        endpoint->extra[i] = (struct curl_slist){
            .data = at,
            .next = i + 1 < endpoint->extra_count ? &endpoint->extra[i + 1] : NULL,
        };
        (void)put(&at, registry->extra_headers[i]);
    }
    char *url = at;
    endpoint->registry = *registry;
    endpoint->registry.extra_headers = NULL;
    endpoint->registry.url = put(&at, registry->url);
    for (size_t len = strlen(url); len > 0 && url[len - 1] == '/'; len--) {
        url[len - 1] = 0;
    }
    endpoint->registry.name = put(&at, registry->name);
    endpoint->registry.uid = put(&at, registry->uid);
    endpoint->registry.username = put(&at, registry->username);
    endpoint->registry.password = put(&at, registry->password);
    endpoint->registry.ca_file = put(&at, registry->ca_file);
    endpoint->registry.client_cert_file = put(&at, registry->client_cert_file);
    endpoint->registry.client_key_file = put(&at, registry->client_key_file);
    endpoint->registry.proxy = put(&at, registry->proxy);
    BERTH_ASSERT(at == endpoint->texts + bytes);
    return BERTH_OK;
}

static size_t size_of(const char *text) {
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *put(char **at, const char *text) {
    if (text == NULL) {
        return NULL;
    }
    char *copied = *at;
    size_t bytes = strlen(text) + 1;
    memcpy(copied, text, bytes);
    *at += bytes;
    return copied;
}

/* A front end may check over TLS that a session's request comes from Harbor's own pages. */
static enum berth_rc make_lines(struct berth_harbor_endpoint *endpoint) {
    const char *url = endpoint->registry.url;
    endpoint->authorization = authorization_of(&endpoint->registry);
    if (endpoint->authorization == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    if (strncmp(url, "https://", strlen("https://")) == 0 &&
        asprintf(&endpoint->referer, "Referer: %s", url) < 0) {
        endpoint->referer = NULL;
        return BERTH_FAULT_MEMORY;
    }
    return BERTH_OK;
}

/*
 * Sent with each request from the first on. Made here and not by curl, which would keep one more
 * copy of the password in each handle, and never wipe it.
 */
static char *authorization_of(const struct berth_harbor_registry_config *registry) {
    static const char START[] = "Authorization: Basic ";
    size_t len = strlen(registry->username) + 1 + strlen(registry->password);
    size_t line_bytes = sizeof START + 4 * ((len + 2) / 3);
    char *plain = malloc(len + 1);
    char *line = malloc(line_bytes);
    if (plain == NULL || line == NULL) {
        free(plain);
        free(line);
        return NULL;
    }
    (void)snprintf(plain, len + 1, "%s:%s", registry->username, registry->password);
    memcpy(line, START, sizeof START - 1);
    int written = EVP_EncodeBlock((unsigned char *)line + sizeof START - 1,
                                  (const unsigned char *)plain, (int)len);
    BERTH_ASSERT(written >= 0);
    BERTH_ASSERT(sizeof START + (size_t)written <= line_bytes);
    explicit_bzero(plain, len);
    free(plain);
    return line;
}
