/* SPDX-License-Identifier: Apache-2.0 */
#include "config_values.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"
#include "berth/core/limits.h"

typedef enum berth_rc parse_fn(const struct berth_config_option *option, const char *text,
                               void *field, struct berth_error *reterr);

static parse_fn parse_label;
static parse_fn parse_word;
static parse_fn parse_topic;
static parse_fn parse_text;
static parse_fn parse_path;
static parse_fn parse_uuid;
static parse_fn parse_url;
static parse_fn parse_address;
static parse_fn parse_server;
static parse_fn parse_boolean;
static parse_fn parse_integer;
static parse_fn parse_choice;
static parse_fn parse_names;
static parse_fn parse_headers;
static parse_fn parse_proxy;
static const char *header_problem(const char *line);
static const char *url_problem(CURLU *url, const char *text);
static bool ends_in_api_path(const char *text);
static bool is_text(enum berth_option_type type);
static bool is_list(enum berth_option_type type);
static char *const *text_of(const struct berth_config_option *option, const void *base);
static enum berth_rc keep(const char *text, size_t len, char **ret_copy);
static void free_list(struct berth_config_list *list);

static parse_fn *const PARSERS[BERTH_OPTION_TYPES] = {
    [BERTH_OPTION_LABEL] = parse_label,     [BERTH_OPTION_WORD] = parse_word,
    [BERTH_OPTION_TOPIC] = parse_topic,     [BERTH_OPTION_TEXT] = parse_text,
    [BERTH_OPTION_PATH] = parse_path,       [BERTH_OPTION_SECRET_FILE] = parse_path,
    [BERTH_OPTION_UUID] = parse_uuid,       [BERTH_OPTION_URL] = parse_url,
    [BERTH_OPTION_ADDRESS] = parse_address, [BERTH_OPTION_SERVER] = parse_server,
    [BERTH_OPTION_BOOLEAN] = parse_boolean, [BERTH_OPTION_INTEGER] = parse_integer,
    [BERTH_OPTION_CHOICE] = parse_choice,   [BERTH_OPTION_NAMES] = parse_names,
    [BERTH_OPTION_HEADERS] = parse_headers, [BERTH_OPTION_PROXY] = parse_proxy,
    [BERTH_OPTION_PROPERTY] = NULL, /* librdkafka's own: config_kafka.c. */
};

enum berth_rc berth_option_parse(const struct berth_config_option *option, const char *text,
                                 void *base, struct berth_error *reterr) {
    BERTH_ASSERT(PARSERS[option->type] != NULL);
    return PARSERS[option->type](option, text, (char *)base + option->offset, reterr);
}

bool berth_option_is_set(const struct berth_config_option *option, const void *base) {
    if (option->type == BERTH_OPTION_HEADERS) {
        const void *field = (const char *)base + option->offset;
        return ((const struct berth_config_list *)field)->count > 0;
    }
    return !is_text(option->type) || *text_of(option, base) != NULL;
}

enum berth_rc berth_option_format(const struct berth_config_option *option, const void *base,
                                  struct berth_buffer *out) {
    const void *field = (const char *)base + option->offset;
    if (option->type == BERTH_OPTION_INTEGER) {
        return berth_buffer_printf(out, "%" PRId64, *(const int64_t *)field);
    }
    if (option->type == BERTH_OPTION_BOOLEAN) {
        return berth_buffer_append_text(out, *(const bool *)field ? "yes" : "no");
    }
    if (option->type == BERTH_OPTION_CHOICE) {
        return berth_buffer_append_text(out, option->choices[*(const int *)field]);
    }
    if (is_list(option->type)) {
        const struct berth_config_list *list = field;
        enum berth_rc rc = BERTH_OK;
        for (size_t i = 0; rc == BERTH_OK && i < list->count; i++) {
            rc = berth_buffer_printf(out, "%s%s", i == 0 ? "" : ", ", list->items[i]);
        }
        return rc;
    }
    BERTH_ASSERT(berth_option_is_set(option, base));
    return berth_buffer_append_text(out, *text_of(option, base));
}

void berth_option_free(const struct berth_config_option *option, void *base) {
    void *field = (char *)base + option->offset;
    if (is_text(option->type)) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (is_list(option->type)) {
        free_list(field);
    }
}

bool berth_label_legal(const char *text, size_t max) {
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= max && text[len] == '\0';
}

bool berth_word_legal(const char *text, size_t max) {
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= max && text[len] == '\0';
}

static enum berth_rc parse_label(const struct berth_config_option *option, const char *text,
                                 void *field, struct berth_error *reterr) {
    if (!berth_label_legal(text, (size_t)option->max)) {
        berth_error_set(reterr, "must be 1 to %" PRId64 " lower-case letters, digits and '-'",
                        option->max);
        return BERTH_INVALID;
    }
    return keep(text, strlen(text), field);
}

static enum berth_rc parse_word(const struct berth_config_option *option, const char *text,
                                void *field, struct berth_error *reterr) {
    if (!berth_word_legal(text, (size_t)option->max)) {
        berth_error_set(reterr, "must be 1 to %" PRId64 " letters, digits, '.', '_' and '-'",
                        option->max);
        return BERTH_INVALID;
    }
    return keep(text, strlen(text), field);
}

/* Kafka's own rule: org.apache.kafka.common.internals.Topic. */
static enum berth_rc parse_topic(const struct berth_config_option *option, const char *text,
                                 void *field, struct berth_error *reterr) {
    (void)option;
    if (!berth_word_legal(text, BERTH_TOPIC_BYTES - 1) || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0) {
        berth_error_set(reterr, "must be 1 to %d letters, digits, '.', '_' and '-'",
                        BERTH_TOPIC_BYTES - 1);
        return BERTH_INVALID;
    }
    return keep(text, strlen(text), field);
}

static enum berth_rc parse_text(const struct berth_config_option *option, const char *text,
                                void *field, struct berth_error *reterr) {
    size_t len = strlen(text);
    bool printable = true;
    for (size_t i = 0; i < len; i++) {
        printable = printable && !iscntrl((unsigned char)text[i]);
    }
    if (len == 0 || len > (size_t)option->max || !printable) {
        berth_error_set(reterr, "must be 1 to %" PRId64 " bytes without control characters",
                        option->max);
        return BERTH_INVALID;
    }
    return keep(text, len, field);
}

static enum berth_rc parse_path(const struct berth_config_option *option, const char *text,
                                void *field, struct berth_error *reterr) {
    (void)option;
    if (text[0] != '/') {
        berth_error_set(reterr, "must be a whole path, from \"/\" on");
        return BERTH_INVALID;
    }
    return keep(text, strlen(text), field);
}

static enum berth_rc parse_uuid(const struct berth_config_option *option, const char *text,
                                void *field, struct berth_error *reterr) {
    (void)option;
    if (!berth_uuid_legal(text)) {
        berth_error_set(reterr, "must be a UUID, such as 3f0d9a52-6f0e-4a55-9c1e-0b7f5f5d7c11");
        return BERTH_INVALID;
    }
    char **ret_uid = field;
    enum berth_rc rc = keep(text, strlen(text), ret_uid);
    for (char *at = *ret_uid; rc == BERTH_OK && *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return rc;
}

static enum berth_rc parse_url(const struct berth_config_option *option, const char *text,
                               void *field, struct berth_error *reterr) {
    (void)option;
    CURLU *url = curl_url();
    if (url == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    const char *problem = url_problem(url, text);
    curl_url_cleanup(url);
    if (problem != NULL) {
        berth_error_set(reterr, "%s", problem);
        return BERTH_INVALID;
    }
    size_t len = strlen(text);
    while (text[len - 1] == '/') {
        len--;
    }
    return keep(text, len, field);
}

static bool ends_in_api_path(const char *text) {
    static const char *const tails[] = {"/api", "/api/v2.0"};
    size_t len = strlen(text);
    for (; text[len - 1] == '/'; len--) {
    }
    bool found = false;
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        size_t tail_len = strlen(tails[i]);
        found |= len > tail_len && strncmp(text + len - tail_len, tails[i], tail_len) == 0;
    }
    return found;
}

/* Credentials would end up in logs, and a query or a fragment can't have a path put behind it. */
static const char *url_problem(CURLU *url, const char *text) {
    static const CURLUPart UNWANTED[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                         CURLUPART_FRAGMENT};
    if (strncmp(text, "http://", strlen("http://")) != 0 &&
        strncmp(text, "https://", strlen("https://")) != 0) {
        return "must begin with http:// or https://";
    }
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
        return "is not a URL";
    }
    if (ends_in_api_path(text)) {
        return "must not have the path of Harbor's API, /api/v2.0: it is where its web page is";
    }
    for (size_t i = 0; i < sizeof(UNWANTED) / sizeof(UNWANTED[0]); i++) {
        char *part = NULL;
        CURLUcode code = curl_url_get(url, UNWANTED[i], &part, 0);
        curl_free(part);
        if (code == CURLUE_OK) {
            return "must be scheme, host, port and path only: no user, no '?', no '#'";
        }
    }
    return NULL;
}

static enum berth_rc parse_address(const struct berth_config_option *option, const char *text,
                                   void *field, struct berth_error *reterr) {
    (void)option;
    const char *colon = strrchr(text, ':');
    size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;
    bool bracketed = host_len > 2 && text[0] == '[' && text[host_len - 1] == ']';
    bool host_fine = bracketed || (host_len > 0 && memchr(text, ':', host_len) == NULL &&
                                   strcspn(text, "[]/ \t") == strlen(text));
    const char *digits = colon != NULL ? colon + 1 : "";
    size_t digits_len = strspn(digits, "0123456789");
    bool port_fine = digits_len > 0 && digits_len <= 5 && digits[digits_len] == '\0';
    long port = port_fine ? strtol(digits, NULL, 10) : 0;
    if (!host_fine || port < 1 || port > 65535) {
        berth_error_set(reterr, "must be HOST:PORT, or [ADDRESS]:PORT for IPv6");
        return BERTH_INVALID;
    }
    return keep(text, strlen(text), field);
}

static enum berth_rc parse_server(const struct berth_config_option *option, const char *text,
                                  void *field, struct berth_error *reterr) {
    size_t len = strlen(text);
    if (text[0] == '/' && len < sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        return keep(text, len, field);
    }
    if (text[0] == '/' || parse_address(option, text, field, reterr) == BERTH_INVALID) {
        berth_error_set(reterr, "must be HOST:PORT, [ADDRESS]:PORT for IPv6, or the path of a Unix "
                                "socket, from \"/\" on, of up to 107 bytes");
        return BERTH_INVALID;
    }
    return BERTH_OK;
}

static enum berth_rc parse_boolean(const struct berth_config_option *option, const char *text,
                                   void *field, struct berth_error *reterr) {
    (void)option;
    bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0) {
        berth_error_set(reterr, "must be yes or no");
        return BERTH_INVALID;
    }
    *(bool *)field = yes;
    return BERTH_OK;
}

static enum berth_rc parse_integer(const struct berth_config_option *option, const char *text,
                                   void *field, struct berth_error *reterr) {
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (digits == 0 || text[digits] != '\0' || errno != 0 || value < option->min ||
        value > option->max) {
        berth_error_set(reterr, "must be a number from %" PRId64 " to %" PRId64 "%s%s", option->min,
                        option->max, option->unit != NULL ? " " : "",
                        option->unit != NULL ? option->unit : "");
        return BERTH_INVALID;
    }
    *(int64_t *)field = value;
    return BERTH_OK;
}

static enum berth_rc parse_choice(const struct berth_config_option *option, const char *text,
                                  void *field, struct berth_error *reterr) {
    size_t listed_len = 0;
    char listed[128] = "";
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *(int *)field = i;
            return BERTH_OK;
        }
        const char *glue = i == 0 ? "" : option->choices[i + 1] != NULL ? ", " : " or ";
        int written = snprintf(listed + listed_len, sizeof(listed) - listed_len, "%s%s", glue,
                               option->choices[i]);
        BERTH_ASSERT(written > 0);
        listed_len += (size_t)written;
        BERTH_ASSERT(listed_len < sizeof(listed));
    }
    berth_error_set(reterr, "must be %s", listed);
    return BERTH_INVALID;
}

static enum berth_rc parse_names(const struct berth_config_option *option, const char *text,
                                 void *field, struct berth_error *reterr) {
    (void)option;
    struct berth_config_list list = {.items = calloc(BERTH_CONFIG_LIST_MAX, sizeof(char *))};
    enum berth_rc rc = list.items != NULL ? BERTH_OK : BERTH_FAULT_MEMORY;
    const char *at = text;
    while (rc == BERTH_OK) {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, " \t,");
        if (len == 0) {
            break;
        }
        if (list.count == BERTH_CONFIG_LIST_MAX) {
            berth_error_set(reterr, "has more than %d names", BERTH_CONFIG_LIST_MAX);
            rc = BERTH_INVALID;
            break;
        }
        rc = keep(at, len, &list.items[list.count]);
        at += len;
        if (rc == BERTH_OK && !berth_harbor_name_legal(list.items[list.count++])) {
            berth_error_set(reterr, "must be names of spaces, by commas; \"%.*s\" is not one",
                            (int)(len < BERTH_SPACE_BYTES ? len : BERTH_SPACE_BYTES), at - len);
            rc = BERTH_INVALID;
        }
    }
    if (rc != BERTH_OK) {
        free_list(&list);
        return rc;
    }
    *(struct berth_config_list *)field = list;
    return BERTH_OK;
}

static enum berth_rc parse_headers(const struct berth_config_option *option, const char *text,
                                   void *field, struct berth_error *reterr) {
    (void)option;
    struct berth_config_list list = {.items = calloc(BERTH_CONFIG_HEADERS_MAX, sizeof(char *))};
    enum berth_rc rc = list.items != NULL ? BERTH_OK : BERTH_FAULT_MEMORY;
    const char *at = text;
    while (rc == BERTH_OK) {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, ",");
        if (len == 0) {
            break;
        }
        if (list.count == BERTH_CONFIG_HEADERS_MAX) {
            berth_error_set(reterr, "has more than %d lines", BERTH_CONFIG_HEADERS_MAX);
            rc = BERTH_INVALID;
            break;
        }
        size_t trimmed = len;
        while (at[trimmed - 1] == ' ' || at[trimmed - 1] == '\t') {
            trimmed--;
        }
        rc = keep(at, trimmed, &list.items[list.count]);
        at += len;
        const char *problem = rc == BERTH_OK ? header_problem(list.items[list.count++]) : NULL;
        if (problem != NULL) {
            berth_error_set(reterr, "%s", problem);
            rc = BERTH_INVALID;
        }
    }
    if (rc != BERTH_OK) {
        free_list(&list);
        return rc;
    }
    *(struct berth_config_list *)field = list;
    return BERTH_OK;
}

/* Ours are not to be said twice; the connection's are libcurl's. */
static const char *header_problem(const char *line) {
    static const char TOKEN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "!#$%&'*+-.^_`|~"; /* RFC 9110, 5.6.2 */
    static const char *const OURS[] = {
        "Accept",
        "Authorization",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "Expect",
        "Host",
        "Referer",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "User-Agent",
        "X-Harbor-CSRF-Token",
        "X-Is-Resource-Name",
        "X-Request-Id",
    };
    size_t len = strspn(line, TOKEN);
    if (len == 0 || line[len] != ':' || line[len + 1 + strspn(line + len + 1, " \t")] == '\0') {
        return "must be header lines, \"Name: value\", by commas";
    }
    for (const char *at = line; *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at)) {
            return "must not hold control characters";
        }
    }
    for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++) {
        if (strlen(OURS[i]) == len && strncasecmp(line, OURS[i], len) == 0) {
            return "must not name a header that berth or its HTTP client sets itself";
        }
    }
    return NULL;
}

static enum berth_rc parse_proxy(const struct berth_config_option *option, const char *text,
                                 void *field, struct berth_error *reterr) {
    static const char SCHEME[] = "http://";
    char *address = NULL;
    enum berth_rc rc = BERTH_INVALID;
    if (strncmp(text, SCHEME, strlen(SCHEME)) == 0) {
        rc = parse_address(option, text + strlen(SCHEME), &address, reterr);
    }
    free(address);
    if (rc == BERTH_INVALID) {
        berth_error_set(reterr, "must be http://HOST:PORT");
    }
    return rc == BERTH_OK ? keep(text, strlen(text), field) : rc;
}

/* Whether the field is a char pointer. */
static bool is_text(enum berth_option_type type) {
    switch (type) {
    case BERTH_OPTION_LABEL:
    case BERTH_OPTION_WORD:
    case BERTH_OPTION_TOPIC:
    case BERTH_OPTION_TEXT:
    case BERTH_OPTION_PATH:
    case BERTH_OPTION_SECRET_FILE:
    case BERTH_OPTION_UUID:
    case BERTH_OPTION_URL:
    case BERTH_OPTION_ADDRESS:
    case BERTH_OPTION_SERVER:
    case BERTH_OPTION_PROXY:
        return true;
    case BERTH_OPTION_NAMES:
    case BERTH_OPTION_HEADERS:
    case BERTH_OPTION_BOOLEAN:
    case BERTH_OPTION_INTEGER:
    case BERTH_OPTION_CHOICE:
    case BERTH_OPTION_PROPERTY:
        return false;
    }
    BERTH_UNREACHABLE("a type of option");
}

static bool is_list(enum berth_option_type type) {
    return type == BERTH_OPTION_NAMES || type == BERTH_OPTION_HEADERS;
}

static char *const *text_of(const struct berth_config_option *option, const void *base) {
    return (char *const *)((const char *)base + option->offset);
}

static enum berth_rc keep(const char *text, size_t len, char **ret_copy) {
    char *copy = strndup(text, len);
    if (copy == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    *ret_copy = copy;
    return BERTH_OK;
}

static void free_list(struct berth_config_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct berth_config_list){0};
}
