/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "berth/base/assert.h"

/* A real Harbor may be slow, and a front end of it gives up after 60 s. */
#define TIMEOUT_S     90L
#define SIDE_BY_SIDE  32
#define REPLY_BYTES_M (8 << 20)

struct http_client {
    char *url;
    CURLM *multi; /* Kept, because it keeps the connections. */
};

/* One request on its way. */
struct flight {
    CURL *easy;
    struct curl_slist *headers;
    struct http_reply *reply;
    long due_ms;
    bool sent;
};

static void begin(struct flight *flight, const struct http_client *client,
                  const struct http_request *request);
static void add_headers(struct flight *flight, const char *url, const struct http_request *request);
static void add_header(struct flight *flight, const char *name, const char *value);
static void end(struct flight *flight, CURLcode code);
static size_t on_body(char *bytes, size_t size, size_t count, void *context);
static size_t on_header(char *bytes, size_t size, size_t count, void *context);
static size_t append(char **text, size_t *len, const char *bytes, size_t count);
static const char *next_header(const char *at, const char *name, size_t *ret_len);
static long now_ms(void);

struct http_client *http_client_new(const char *url) {
    struct http_client *client = calloc(1, sizeof(*client));
    BERTH_ASSERT(client != NULL);
    BERTH_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    client->url = strdup(url);
    client->multi = curl_multi_init();
    BERTH_ASSERT(client->url != NULL);
    BERTH_ASSERT(client->multi != NULL);
    return client;
}

struct http_client *http_client_free(struct http_client *client) {
    if (client != NULL) {
        (void)curl_multi_cleanup(client->multi);
        free(client->url);
        free(client);
        curl_global_cleanup();
    }
    return NULL;
}

void http_send(struct http_client *client, const struct http_request *requests, size_t count,
               struct http_reply **ret_replies) {
    struct flight flights[SIDE_BY_SIDE] = {{0}};
    BERTH_ASSERT(count <= SIDE_BY_SIDE);
    for (size_t i = 0; i < count; i++) {
        begin(&flights[i], client, &requests[i]);
        ret_replies[i] = flights[i].reply;
    }
    long start_ms = now_ms();
    size_t left = count;
    while (left > 0) {
        for (size_t i = 0; i < count; i++) {
            if (!flights[i].sent && now_ms() - start_ms >= flights[i].due_ms) {
                flights[i].sent = true;
                BERTH_ASSERT(curl_multi_add_handle(client->multi, flights[i].easy) == CURLM_OK);
            }
        }
        int running = 0;
        BERTH_ASSERT(curl_multi_perform(client->multi, &running) == CURLM_OK);
        int queued = 0;
        for (const CURLMsg *said = curl_multi_info_read(client->multi, &queued); said != NULL;
             said = curl_multi_info_read(client->multi, &queued)) {
            struct flight *flight = NULL;
            CURLcode code = said->data.result;
            BERTH_ASSERT(curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, &flight) ==
                         CURLE_OK);
            (void)curl_multi_remove_handle(client->multi, flight->easy);
            end(flight, code);
            left--;
        }
        if (left > 0) {
            (void)curl_multi_poll(client->multi, NULL, 0, 20, NULL);
        }
    }
}

struct http_reply *http_reply_free(struct http_reply *reply) {
    if (reply != NULL) {
        json_decref(reply->json);
        free(reply->body);
        free(reply->headers);
        free(reply);
    }
    return NULL;
}

bool http_header(const struct http_reply *reply, const char *name,
                 char ret_value[HTTP_VALUE_BYTES]) {
    size_t len = 0;
    const char *value = next_header(reply->headers, name, &len);
    if (value == NULL || len >= HTTP_VALUE_BYTES) {
        return false;
    }
    memcpy(ret_value, value, len);
    ret_value[len] = '\0';
    return true;
}

bool http_cookie(const struct http_reply *reply, const char *name,
                 char ret_value[HTTP_VALUE_BYTES]) {
    bool found = false;
    size_t len = 0;
    size_t name_len = strlen(name);
    for (const char *at = next_header(reply->headers, "Set-Cookie", &len); at != NULL;
         at = next_header(at + len, "Set-Cookie", &len)) {
        size_t pair_len = strcspn(at, ";\r\n");
        if (pair_len > name_len && memcmp(at, name, name_len) == 0 && at[name_len] == '=' &&
            pair_len - name_len - 1 < HTTP_VALUE_BYTES) {
            memcpy(ret_value, at + name_len + 1, pair_len - name_len - 1);
            ret_value[pair_len - name_len - 1] = '\0';
            found = true;
        }
    }
    return found;
}

static void begin(struct flight *flight, const struct http_client *client,
                  const struct http_request *request) {
    char url[HTTP_VALUE_BYTES];
    int len = snprintf(url, sizeof(url), "%s%s", client->url, request->path);
    BERTH_ASSERT(len > 0 && (size_t)len < sizeof(url));
    CURL *easy = curl_easy_init();
    struct http_reply *reply = calloc(1, sizeof(*reply));
    BERTH_ASSERT(easy != NULL);
    BERTH_ASSERT(reply != NULL);
    (void)snprintf(reply->asked, sizeof(reply->asked), "%s %s", request->method, request->path);
    (void)append(&reply->body, &reply->body_bytes, "", 0);
    (void)append(&reply->headers, &reply->headers_bytes, "", 0);
    *flight = (struct flight){.easy = easy, .reply = reply, .due_ms = request->delay_ms};
    add_headers(flight, client->url, request);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT, TIMEOUT_S);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, flight);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, reply);
    if (strcmp(request->method, "HEAD") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request->body != NULL) {
        size_t bytes = request->body_bytes > 0 ? request->body_bytes : strlen(request->body);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bytes);
        (void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, flight->headers);
}

static void add_headers(struct flight *flight, const char *url,
                        const struct http_request *request) {
    const struct http_login *login = request->login;
    if (request->body != NULL) {
        const char *type = request->content_type;
        add_header(flight, "Content-Type", type == NULL ? "application/json" : type);
    } else if (strcmp(request->method, "POST") == 0) {
        add_header(flight, "Content-Length", "0");
    }
    add_header(flight, "Expect", NULL);
    if (request->header != NULL) {
        flight->headers = curl_slist_append(flight->headers, request->header);
    }
    if (login == NULL) {
        return;
    }
    if (login->user != NULL) {
        (void)curl_easy_setopt(flight->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(flight->easy, CURLOPT_USERNAME, login->user);
        (void)curl_easy_setopt(flight->easy, CURLOPT_PASSWORD, login->password);
    }
    if (login->bearer != NULL) {
        char value[HTTP_VALUE_BYTES];
        int len = snprintf(value, sizeof(value), "Bearer %s", login->bearer);
        BERTH_ASSERT(len > 0 && (size_t)len < sizeof(value));
        add_header(flight, "Authorization", value);
    }
    if (login->cookies != NULL) {
        add_header(flight, "Cookie", login->cookies);
    }
    if (login->csrf_token != NULL) {
        add_header(flight, "X-Harbor-CSRF-Token", login->csrf_token);
        /* 5.3b: over TLS a front end may check it. */
        add_header(flight, "Referer", url);
    }
}

/* Without a value: curl is not to send it. */
static void add_header(struct flight *flight, const char *name, const char *value) {
    char line[HTTP_VALUE_BYTES + 64];
    int len = value == NULL ? snprintf(line, sizeof(line), "%s:", name)
                            : snprintf(line, sizeof(line), "%s: %s", name, value);
    BERTH_ASSERT(len > 0 && (size_t)len < sizeof(line));
    struct curl_slist *longer = curl_slist_append(flight->headers, line);
    BERTH_ASSERT(longer != NULL);
    flight->headers = longer;
}

static void end(struct flight *flight, CURLcode code) {
    struct http_reply *reply = flight->reply;
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &reply->status);
        reply->json = json_loadb(reply->body, reply->body_bytes, JSON_DECODE_ANY, NULL);
    } else {
        const char *why = curl_easy_strerror(code);
        reply->body_bytes = 0;
        (void)append(&reply->body, &reply->body_bytes, why, strlen(why));
    }
    curl_slist_free_all(flight->headers);
    curl_easy_cleanup(flight->easy);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    struct http_reply *reply = context;
    return append(&reply->body, &reply->body_bytes, bytes, size * count);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context) {
    struct http_reply *reply = context;
    if (size * count > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        reply->headers_bytes = 0; /* A reply in front of the last one, such as 100. */
    }
    return append(&reply->headers, &reply->headers_bytes, bytes, size * count);
}

/* How many bytes were taken over; fewer than all make curl give up. */
static size_t append(char **text, size_t *len, const char *bytes, size_t count) {
    if (*len + count >= REPLY_BYTES_M) {
        return 0;
    }
    char *longer = realloc(*text, *len + count + 1);
    BERTH_ASSERT(longer != NULL);
    memcpy(longer + *len, bytes, count);
    *text = longer;
    *len += count;
    longer[*len] = '\0';
    return count;
}

/* The value of the next header of that name in the lines from at on; NULL: no more. */
static const char *next_header(const char *at, const char *name, size_t *ret_len) {
    size_t name_len = strlen(name);
    while (*at != '\0') {
        size_t line_len = strcspn(at, "\r\n");
        if (line_len > name_len && strncasecmp(at, name, name_len) == 0 && at[name_len] == ':') {
            const char *value = at + name_len + 1;
            value += strspn(value, " ");
            *ret_len = line_len - (size_t)(value - at);
            return value;
        }
        at += line_len;
        at += strspn(at, "\r\n");
    }
    return NULL;
}

static long now_ms(void) {
    struct timespec now;
    BERTH_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
