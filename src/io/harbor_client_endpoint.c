/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_client_transfer.h"

/* curl's list has no const; nobody writes here. */
static char content_type_line[] = "Content-Type: application/json";
static char accept_line[] = "Accept: application/json";

static enum berth_rc check_url(const struct berth_harbor_registry_config *registry,
                               struct berth_error *reterr);
static bool url_has(CURLU *url, CURLUPart part);
static char *without_slashes(const char *url);
static char *authorization_of(const struct berth_harbor_registry_config *registry);

enum berth_rc berth_harbor_endpoint_init(struct berth_harbor_endpoint *endpoint,
                                         const struct berth_harbor_client_config *config,
                                         const struct berth_harbor_registry_config *registry,
                                         struct berth_error *reterr) {
    *endpoint = (struct berth_harbor_endpoint){
        .registry = registry,
        .deployment = config->deployment,
        .master_key = config->master_key,
    };
    if (strchr(registry->username, ':') != NULL) {
        berth_error_set(reterr, "registry %s: a username can't hold a colon (RFC 7617)",
                        registry->name);
        return BERTH_INVALID;
    }
    enum berth_rc rc = check_url(registry, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    endpoint->base_url = without_slashes(registry->url);
    endpoint->authorization = authorization_of(registry);
    if (endpoint->base_url == NULL || endpoint->authorization == NULL) {
        berth_harbor_endpoint_deinit(endpoint);
        return BERTH_FAULT_MEMORY;
    }
    endpoint->content_type =
        (struct curl_slist){.data = content_type_line, .next = &endpoint->plain};
    endpoint->plain =
        (struct curl_slist){.data = endpoint->authorization, .next = &endpoint->accept};
    endpoint->accept = (struct curl_slist){.data = accept_line};
    return BERTH_OK;
}

void berth_harbor_endpoint_deinit(struct berth_harbor_endpoint *endpoint) {
    if (endpoint->authorization != NULL) {
        explicit_bzero(endpoint->authorization, strlen(endpoint->authorization));
    }
    free(endpoint->authorization);
    free(endpoint->base_url);
    *endpoint = (struct berth_harbor_endpoint){.registry = NULL};
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

static char *without_slashes(const char *url) {
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return strndup(url, len);
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
