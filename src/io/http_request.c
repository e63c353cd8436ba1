/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/http_request.h"

#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"

#define LINE_END "\r\n"

static const struct berth_http_flaw not_a_request = {400, "request.invalid",
                                                     "not an HTTP/1.1 request"};
static const struct berth_http_flaw target_too_long = {
    414, "request.target_too_long", "the path with its query is longer than 4096 bytes"};
static const struct berth_http_flaw bad_escape = {
    400, "request.invalid", "a % in the path or query isn't followed by two hex digits, or is %00"};
static const struct berth_http_flaw path_too_deep = {404, "route.unknown",
                                                     "there is nothing at this path"};
static const struct berth_http_flaw too_many_parameters = {400, "request.invalid",
                                                           "the query has more than 16 parameters"};

/* Each returns NULL, or what is wrong. */
static const struct berth_http_flaw *parse_request_line(char *line,
                                                        struct berth_http_request *request);
static const struct berth_http_flaw *parse_target(char *target, struct berth_http_request *request);
static const struct berth_http_flaw *parse_path(char *path, struct berth_http_request *request);
static const struct berth_http_flaw *parse_query(char *query, struct berth_http_request *request);
static const struct berth_http_flaw *parse_header(char *line, struct berth_http_request *request);

static enum berth_http_method method_of(const char *name);
static void note_connection(const char *options, struct berth_http_request *request);
static char *next_line(char **rest);
static bool decode(char *text, bool plus_is_blank);
static int hex_digit(char digit);
static bool is_token(const char *text, size_t len);
static char *trim(char *text);

enum berth_rc berth_http_request_parse(char *head, size_t len,
                                       struct berth_http_request *ret_request,
                                       struct berth_http_flaw *ret_flaw) {
    BERTH_ASSERT(len >= 4);
    BERTH_ASSERT(memcmp(head + len - 4, LINE_END LINE_END, 4) == 0);
    struct berth_http_request request = {0};
    const struct berth_http_flaw *flaw = NULL;
    head[len - 2] = '\0'; /* The empty line; what is left is lines with their ends. */
    if (strlen(head) != len - 2) {
        flaw = &not_a_request;
    }
    char *rest = head;
    if (flaw == NULL) {
        flaw = parse_request_line(next_line(&rest), &request);
    }
    while (flaw == NULL && *rest != '\0') {
        flaw = parse_header(next_line(&rest), &request);
    }
    if (flaw != NULL) {
        *ret_flaw = *flaw;
        return BERTH_INVALID;
    }
    *ret_request = request;
    return BERTH_OK;
}

/* "METHOD TARGET HTTP/1.x" */
static const struct berth_http_flaw *parse_request_line(char *line,
                                                        struct berth_http_request *request) {
    size_t method_len = strcspn(line, " ");
    if (line[method_len] == '\0' || !is_token(line, method_len)) {
        return &not_a_request;
    }
    line[method_len] = '\0';
    char *target = line + method_len + 1;
    char *version = strchr(target, ' ');
    if (version == NULL) {
        return &not_a_request;
    }
    *version++ = '\0';
    /* From 1.1 on a connection is kept unless a header says otherwise (RFC 9112, 9.3). */
    request->keep_alive = strcmp(version, "HTTP/1.1") == 0;
    if (!request->keep_alive && strcmp(version, "HTTP/1.0") != 0) {
        return &not_a_request;
    }
    request->method = method_of(line);
    return parse_target(target, request);
}

static enum berth_http_method method_of(const char *name) {
    if (strcmp(name, "GET") == 0) {
        return BERTH_HTTP_GET;
    }
    return strcmp(name, "HEAD") == 0 ? BERTH_HTTP_HEAD : BERTH_HTTP_OTHER;
}

static const struct berth_http_flaw *parse_target(char *target,
                                                  struct berth_http_request *request) {
    size_t len = strlen(target);
    if (len > BERTH_HTTP_TARGET_BYTES_MAX) {
        return &target_too_long;
    }
    for (size_t i = 0; i < len; i++) {
        if (target[i] <= ' ' || target[i] > '~' || target[i] == '#') {
            return &not_a_request;
        }
    }
    if (target[0] != '/') {
        return &not_a_request;
    }
    char *query = strchr(target, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    const struct berth_http_flaw *flaw = parse_path(target + 1, request);
    return flaw == NULL && query != NULL ? parse_query(query, request) : flaw;
}

/* Cut before it is decoded: a %2F is part of a name. */
static const struct berth_http_flaw *parse_path(char *path, struct berth_http_request *request) {
    for (char *segment = path; segment != NULL;) {
        char *next = strchr(segment, '/');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (request->segments_count == BERTH_HTTP_SEGMENTS_MAX) {
            return &path_too_deep;
        }
        if (!decode(segment, false)) {
            return &bad_escape;
        }
        request->segments[request->segments_count++] = segment;
        segment = next;
    }
    return NULL;
}

static const struct berth_http_flaw *parse_query(char *query, struct berth_http_request *request) {
    for (char *parameter = query; parameter != NULL;) {
        char *next = strchr(parameter, '&');
        if (next != NULL) {
            *next++ = '\0';
        }
        char *value = parameter + strcspn(parameter, "=");
        if (*value == '=') {
            *value++ = '\0';
        }
        bool empty = *parameter == '\0' && *value == '\0';
        if (!empty && request->parameters_count == BERTH_HTTP_PARAMETERS_MAX) {
            return &too_many_parameters;
        }
        if (!decode(parameter, true) || !decode(value, true)) {
            return &bad_escape;
        }
        if (!empty) {
            request->parameters[request->parameters_count++] =
                (struct berth_http_parameter){.name = parameter, .value = value};
        }
        parameter = next;
    }
    return NULL;
}

/* "Name: value". No line that continues the one before: RFC 9112, 5.2 lets a server refuse it. */
static const struct berth_http_flaw *parse_header(char *line, struct berth_http_request *request) {
    size_t name_len = strcspn(line, ":");
    if (line[name_len] == '\0' || !is_token(line, name_len)) {
        return &not_a_request;
    }
    line[name_len] = '\0';
    char *value = trim(line + name_len + 1);
    for (const char *at = value; *at != '\0'; at++) {
        if ((*at > '\0' && *at < ' ' && *at != '\t') || *at == '\x7f') {
            return &not_a_request;
        }
    }
    if (strcasecmp(line, "Connection") == 0) {
        note_connection(value, request);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0 ||
               (strcasecmp(line, "Content-Length") == 0 && strcmp(value, "0") != 0)) {
        request->has_body = true;
    }
    return NULL;
}

/* Of several options that contradict each other, "close" counts, also before and after others. */
static void note_connection(const char *options, struct berth_http_request *request) {
    const char *at = options;
    bool keep = request->keep_alive;
    bool close = false;
    while (*at != '\0') {
        at += strspn(at, ", \t");
        size_t len = strcspn(at, ", \t");
        close = close || (len == strlen("close") && strncasecmp(at, "close", len) == 0);
        keep = keep || (len == strlen("keep-alive") && strncasecmp(at, "keep-alive", len) == 0);
        at += len;
    }
    request->keep_alive = keep && !close;
}

/* Cuts the line off, without its end. */
static char *next_line(char **rest) {
    char *line = *rest;
    char *end = strstr(line, LINE_END);
    BERTH_ASSERT(end != NULL); /* The last line has its end, too. */
    *end = '\0';
    *rest = end + strlen(LINE_END);
    return line;
}

/* Makes the text shorter, in place. False: it isn't encoded rightly, or holds a NUL. */
static bool decode(char *text, bool plus_is_blank) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '%') {
            *to++ = *from == '+' && plus_is_blank ? ' ' : *from;
            continue;
        }
        int high = hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text, size_t len) {
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return len > 0 && strspn(text, token) >= len;
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    text[len] = '\0';
    return text;
}
