/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_get.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/harbor_client.h"
#include "secret_text.h"

/* The longest that is asked for is a page of one robot, or the whole configuration. */
#define BODY_BYTES_MAX ((size_t)256 * 1024)
#define REQUEST_ID     "berth-cli"

struct cli_harbor {
    const struct berth_config_registry *registry;
    CURL *easy;
    struct curl_slist authorization; /* Its text is that of the member below. */
    struct curl_slist accept;
    struct curl_slist request_id;
    struct curl_slist *extra; /* What the configuration adds; owned. */
    struct cli_secret_text authorization_line;
    struct berth_buffer body;
    char curl_says[CURL_ERROR_SIZE];
};

/* curl's list has no const; nobody writes here. */
static char accept_line[] = "Accept: application/json";
static char request_id_line[] = "X-Request-Id: " REQUEST_ID;

static bool make_authorization(struct cli_harbor *harbor);
static void put_basic(const char *user, const char *password, size_t password_len,
                      struct cli_secret_text *line);
static CURLcode set_options(struct cli_harbor *harbor);
static void read_reply(struct cli_harbor *harbor, struct cli_harbor_reply *reply);
static bool is_echoed(CURL *easy);
static const char *header_of(CURL *easy, const char *name);
static int64_t certificate_expires_s(CURL *easy);
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx);

enum cli_exit cli_harbor_open(const struct berth_config_registry *registry,
                              struct cli_harbor **ret_harbor) {
    struct cli_harbor *harbor = calloc(1, sizeof(*harbor));
    if (harbor == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    harbor->registry = registry;
    berth_buffer_init(&harbor->body, BODY_BYTES_MAX);
    harbor->easy = curl_easy_init();
    if (harbor->easy == NULL || !make_authorization(harbor)) {
        (void)cli_harbor_close(harbor);
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    CURLcode code = set_options(harbor);
    if (code != CURLE_OK) {
        cli_complain("curl refuses its options: %s", curl_easy_strerror(code));
        (void)cli_harbor_close(harbor);
        return CLI_FAILED;
    }
    *ret_harbor = harbor;
    return CLI_SUCCEEDED;
}

struct cli_harbor *cli_harbor_close(struct cli_harbor *harbor) {
    if (harbor == NULL) {
        return NULL;
    }
    curl_easy_cleanup(harbor->easy);
    curl_slist_free_all(harbor->extra);
    cli_secret_text_wipe(&harbor->authorization_line);
    berth_buffer_deinit(&harbor->body);
    free(harbor);
    return NULL;
}

const struct berth_config_registry *cli_harbor_registry(const struct cli_harbor *harbor) {
    return harbor->registry;
}

void cli_harbor_get(struct cli_harbor *harbor, const char *path,
                    struct cli_harbor_reply *ret_reply) {
    *ret_reply =
        (struct cli_harbor_reply){.words = "no memory left", .content_type = "", .location = ""};
    char *url = NULL;
    if (asprintf(&url, "%s%s", harbor->registry->url, path) < 0) {
        return;
    }
    berth_buffer_clear(&harbor->body);
    harbor->curl_says[0] = '\0';
    CURLcode code = curl_easy_setopt(harbor->easy, CURLOPT_URL, url);
    free(url);
    if (code == CURLE_OK) {
        code = curl_easy_perform(harbor->easy);
    }
    if (code == CURLE_OK) {
        read_reply(harbor, ret_reply);
        return;
    }
    ret_reply->untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
    ret_reply->words = harbor->curl_says[0] != '\0' ? harbor->curl_says : curl_easy_strerror(code);
}

void cli_harbor_get_as(struct cli_harbor *harbor, const char *path, const char *user,
                       const char *password, struct cli_harbor_reply *ret_reply) {
    struct cli_secret_text line = {0};
    put_basic(user, password, strlen(password), &line);
    *ret_reply = (struct cli_harbor_reply){.words = "no memory left", .content_type = ""};
    if (!line.failed) {
        harbor->authorization.data = line.data;
        cli_harbor_get(harbor, path, ret_reply);
        harbor->authorization.data = harbor->authorization_line.data;
    }
    cli_secret_text_wipe(&line);
}

static void read_reply(struct cli_harbor *harbor, struct cli_harbor_reply *reply) {
    CURLcode code = curl_easy_getinfo(harbor->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    BERTH_ASSERT(code == CURLE_OK);
    reply->words = "";
    reply->body = berth_buffer_view(&harbor->body);
    reply->content_type = header_of(harbor->easy, "Content-Type");
    reply->location = header_of(harbor->easy, "Location");
    reply->echoed = is_echoed(harbor->easy);
    reply->date_s = curl_getdate(header_of(harbor->easy, "Date"), NULL);
    reply->certificate_expires_s = certificate_expires_s(harbor->easy);
}

/* As berthd judges it: a front end may add an id of its own, before or behind Harbor's. */
static bool is_echoed(CURL *easy) {
    struct curl_header *header = NULL;
    size_t count = 1;
    for (size_t i = 0; i < count; i++) {
        if (curl_easy_header(easy, "X-Request-Id", i, CURLH_HEADER, -1, &header) != CURLHE_OK) {
            return false;
        }
        if (strcmp(header->value, REQUEST_ID) == 0) {
            return true;
        }
        count = header->amount;
    }
    return false;
}

static const char *header_of(CURL *easy, const char *name) {
    struct curl_header *header = NULL;
    CURLHcode code = curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? header->value : "";
}

/* Of the first certificate of the chain, which is the server's own. */
static int64_t certificate_expires_s(CURL *easy) {
    static const char NAME[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
        chain->num_of_certs == 0) {
        return -1;
    }
    for (const struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next) {
        if (strncmp(line->data, NAME, sizeof(NAME) - 1) == 0) {
            return curl_getdate(line->data + sizeof(NAME) - 1, NULL);
        }
    }
    return -1;
}

/* Made here and not by curl, which would never wipe its copy of the password. */
static void put_basic(const char *user, const char *password, size_t password_len,
                      struct cli_secret_text *line) {
    struct cli_secret_text login = {0};
    cli_secret_text_puts(&login, user);
    cli_secret_text_puts(&login, ":");
    cli_secret_text_add(&login, password, password_len);
    cli_secret_text_puts(line, "Authorization: Basic ");
    line->failed = line->failed || login.failed;
    if (!line->failed) {
        cli_secret_text_add_base64(line, login.data, login.len);
    }
    cli_secret_text_wipe(&login);
}

static bool make_authorization(struct cli_harbor *harbor) {
    const struct berth_config_registry *registry = harbor->registry;
    struct cli_secret_text *line = &harbor->authorization_line;
    put_basic(registry->username, registry->password.text, registry->password.len, line);
    harbor->authorization = (struct curl_slist){.data = line->data, .next = &harbor->accept};
    harbor->accept = (struct curl_slist){.data = accept_line, .next = &harbor->request_id};
    harbor->request_id = (struct curl_slist){.data = request_id_line};
    return !line->failed;
}

/* What berthd's own requests are made with, so that what it reaches is reached here too; with
 * Basic, since a session takes three requests to make and one to end. Cookies are never kept: with
 * one Harbor wants CSRF tokens (harbor-contract 5.3). */
static CURLcode set_options(struct cli_harbor *harbor) {
    const struct berth_harbor_registry_config registry =
        berth_harbor_registry_configured(harbor->registry);
    CURL *easy = harbor->easy;
    for (size_t i = 0; i < registry.extra_headers_count; i++) {
        struct curl_slist *longer = curl_slist_append(harbor->extra, registry.extra_headers[i]);
        if (longer == NULL) {
            return CURLE_OUT_OF_MEMORY;
        }
        harbor->extra = longer;
    }
    harbor->request_id.next = harbor->extra;
    int bad = berth_harbor_set_up_curl(easy, &registry);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, harbor->curl_says);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &harbor->authorization);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &harbor->body);
    return bad == 0 ? CURLE_OK : CURLE_BAD_FUNCTION_ARGUMENT;
}

/* Less than all of it taken makes curl give up: the body is too long. */
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx) {
    struct berth_buffer *body = ctx;
    size_t len = size * count;
    return berth_buffer_append(body, data, len) == BERTH_OK ? len : 0;
}
