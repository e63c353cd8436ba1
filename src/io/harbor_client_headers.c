/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_client_headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A line without its end, cut at the colon; views. */
struct header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

static bool split(const char *line, size_t len, struct header *ret_header);
static bool is_named(const struct header *header, const char *name);
static void copy_value(const struct header *header, char *target, size_t target_bytes);
static void take_cookie(struct berth_harbor_keys *brought, const struct header *header);
static int64_t count_of(const struct header *header);

void berth_harbor_headers_init(struct berth_harbor_headers *headers) {
    *headers = (struct berth_harbor_headers){.total_count = -1};
}

bool berth_harbor_headers_take(struct berth_harbor_headers *headers, const char *request_id,
                               const char *line, size_t len) {
    size_t bytes = headers->bytes + len;
    if (bytes > BERTH_HARBOR_HEADERS_BYTES_MAX) {
        return false;
    }
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
        berth_harbor_headers_init(headers);
    }
    headers->bytes = bytes;

    struct header header;
    if (!split(line, len, &header)) {
        return true;
    }
    if (is_named(&header, "Content-Type")) {
        copy_value(&header, headers->content_type, sizeof headers->content_type);
    } else if (is_named(&header, "Location")) {
        copy_value(&header, headers->location, sizeof headers->location);
    } else if (is_named(&header, "X-Request-Id")) {
        if (strcmp(headers->request_id, request_id) != 0) {
            copy_value(&header, headers->request_id, sizeof headers->request_id);
        }
    } else if (is_named(&header, "X-Total-Count")) {
        headers->total_count = count_of(&header);
    } else if (is_named(&header, "Set-Cookie")) {
        take_cookie(&headers->brought, &header);
    } else if (is_named(&header, "X-Harbor-CSRF-Token")) {
        copy_value(&header, headers->brought.token, sizeof headers->brought.token);
    }
    return true;
}

static bool split(const char *line, size_t len, struct header *ret_header) {
    const char *colon = memchr(line, ':', len);
    if (colon == NULL) {
        return false;
    }
    const char *start = colon + 1;
    const char *end = line + len;
    while (start < end && (*start == ' ' || *start == '\t')) {
        start++;
    }
    while (end > start &&
           (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n')) {
        end--;
    }
    *ret_header = (struct header){
        .name = line,
        .name_len = (size_t)(colon - line),
        .value = start,
        .value_len = (size_t)(end - start),
    };
    return true;
}

static bool is_named(const struct header *header, const char *name) {
    return header->name_len == strlen(name) &&
           strncasecmp(header->name, name, header->name_len) == 0;
}

static void copy_value(const struct header *header, char *target, size_t target_bytes) {
    if (header->value_len >= target_bytes) {
        memcpy(target, "?", sizeof "?");
        return;
    }
    memcpy(target, header->value, header->value_len);
    target[header->value_len] = 0;
}

/* "name=value; attributes". That one was set counts, so an empty value reads "?" as well. */
static void take_cookie(struct berth_harbor_keys *brought, const struct header *header) {
    static const char SID[] = "sid=";
    static const char CSRF[] = "_gorilla_csrf=";
    struct header value = *header;
    const char *end = memchr(value.value, ';', value.value_len);
    if (end != NULL) {
        value.value_len = (size_t)(end - value.value);
    }
    if (value.value_len >= sizeof SID - 1 && memcmp(value.value, SID, sizeof SID - 1) == 0) {
        value.value += sizeof SID - 1;
        value.value_len -= sizeof SID - 1;
        copy_value(&value, brought->sid, sizeof brought->sid);
        if (value.value_len == 0) {
            memcpy(brought->sid, "?", sizeof "?");
        }
    } else if (value.value_len >= sizeof CSRF - 1 &&
               memcmp(value.value, CSRF, sizeof CSRF - 1) == 0) {
        value.value += sizeof CSRF - 1;
        value.value_len -= sizeof CSRF - 1;
        copy_value(&value, brought->csrf, sizeof brought->csrf);
    }
}

/* Digits and nothing else, or -1. */
static int64_t count_of(const struct header *header) {
    char text[16];
    copy_value(header, text, sizeof text);
    if (text[0] == 0 || strspn(text, "0123456789") != strlen(text)) {
        return -1;
    }
    return strtoll(text, NULL, 10);
}
