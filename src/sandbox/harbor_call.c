/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_call.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "berth/base/assert.h"

static bool content_is_json(const char *content_type);
static bool bind_whole_number(struct berth_sandbox_call *call, const char *text, const char *name,
                              const char *place, int64_t *value);
static const json_t *present(const struct json_t *object, const char *name);
static bool wrong_type(struct berth_sandbox_call *call, const char *name, const char *type);
static void write_link(const struct berth_sandbox_call *call, int64_t page, int64_t page_size,
                       const char *rel, FILE *stream);
static int compare_params(const void *left, const void *right);

void berth_sandbox_call_refuse(struct berth_sandbox_call *call,
                               const struct berth_model_verdict *verdict) {
    berth_sandbox_reply_error(call->reply, verdict->status, verdict->code, verdict->message);
}

void berth_sandbox_call_answer(struct berth_sandbox_call *call,
                               const struct berth_model_verdict *verdict) {
    if (verdict->status != 200) {
        berth_sandbox_call_refuse(call, verdict);
        return;
    }
    berth_sandbox_reply_empty(call->reply, 200);
}

void berth_sandbox_call_invalid(struct berth_sandbox_call *call, const char *format, ...) {
    char message[BERTH_MODEL_MESSAGE_BYTES];
    int prefix = snprintf(message, sizeof(message), "validation failure list:\n");
    BERTH_ASSERT(prefix > 0);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message + prefix, sizeof(message) - (size_t)prefix, format, arguments);
    va_end(arguments);
    berth_sandbox_reply_error(call->reply, 422, "UNPROCESSABLE_ENTITY", message);
}

bool berth_sandbox_call_bind_body(struct berth_sandbox_call *call, const char *what) {
    const struct berth_sandbox_request *request = call->request;
    if (request->body_bytes == 0) {
        berth_sandbox_call_invalid(call, "%s in body is required", what);
        return false;
    }
    if (!content_is_json(request->content_type)) {
        berth_sandbox_call_invalid(
            call, "unsupported media type \"%s\", only [application/json] are allowed",
            request->content_type == NULL ? "" : request->content_type);
        return false;
    }
    json_error_t error;
    call->body = json_loadb(request->body, request->body_bytes, 0, &error);
    if (call->body == NULL) {
        berth_sandbox_call_invalid(call, "parsing %s body from \"\" failed, because %s", what,
                                   error.text);
        return false;
    }
    if (!json_is_object(call->body)) {
        berth_sandbox_call_invalid(
            call,
            "parsing %s body from \"\" failed, because json: cannot unmarshal"
            " it into an object",
            what);
        return false;
    }
    return true;
}

bool berth_sandbox_call_bind_text(struct berth_sandbox_call *call, const struct json_t *object,
                                  const char *name, const char **value) {
    const json_t *field = present(object, name);
    if (field == NULL) {
        return true;
    }
    if (!json_is_string(field)) {
        return wrong_type(call, name, "string");
    }
    *value = json_string_value(field);
    return true;
}

bool berth_sandbox_call_bind_number(struct berth_sandbox_call *call, const struct json_t *object,
                                    const char *name, int64_t *value, bool *ret_given) {
    const json_t *field = present(object, name);
    *ret_given = field != NULL;
    if (field == NULL) {
        return true;
    }
    if (!json_is_integer(field)) {
        return wrong_type(call, name, "int64");
    }
    *value = json_integer_value(field);
    return true;
}

bool berth_sandbox_call_bind_flag(struct berth_sandbox_call *call, const struct json_t *object,
                                  const char *name, bool *value) {
    const json_t *field = present(object, name);
    if (field == NULL) {
        return true;
    }
    if (!json_is_boolean(field)) {
        return wrong_type(call, name, "bool");
    }
    *value = json_is_true(field);
    return true;
}

bool berth_sandbox_call_bind_object(struct berth_sandbox_call *call, const struct json_t *object,
                                    const char *name, struct json_t **value) {
    const json_t *field = present(object, name);
    if (field == NULL) {
        return true;
    }
    if (!json_is_object(field)) {
        return wrong_type(call, name, "object");
    }
    *value = json_object_get(object, name);
    return true;
}

bool berth_sandbox_call_bind_array(struct berth_sandbox_call *call, const struct json_t *object,
                                   const char *name, struct json_t **value) {
    const json_t *field = present(object, name);
    if (field == NULL) {
        return true;
    }
    if (!json_is_array(field)) {
        return wrong_type(call, name, "array");
    }
    *value = json_object_get(object, name);
    return true;
}

bool berth_sandbox_call_bind_id(struct berth_sandbox_call *call, size_t param, const char *name,
                                int64_t *ret_id) {
    return bind_whole_number(call, call->params[param], name, "path", ret_id);
}

bool berth_sandbox_call_bind_query(struct berth_sandbox_call *call,
                                   struct berth_model_query *ret_query) {
    berth_model_query_init(ret_query);
    const char *page = berth_sandbox_url_params_get(&call->query, "page");
    const char *page_size = berth_sandbox_url_params_get(&call->query, "page_size");
    if (!bind_whole_number(call, page, "page", "query", &ret_query->page) ||
        !bind_whole_number(call, page_size, "page_size", "query", &ret_query->page_size)) {
        return false;
    }
    if (ret_query->page_size > 100) {
        berth_sandbox_call_invalid(call, "page_size in query should be less than or equal to 100");
        return false;
    }
    struct berth_error error = {{0}};
    if (berth_model_query_parse(ret_query, berth_sandbox_url_params_get(&call->query, "q"),
                                &error) != BERTH_OK) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST", error.text);
        return false;
    }
    berth_model_query_parse_sort(ret_query, berth_sandbox_url_params_get(&call->query, "sort"));
    return true;
}

struct berth_model_project_ref
berth_sandbox_call_project_ref(const struct berth_sandbox_call *call) {
    return (struct berth_model_project_ref){
        .text = call->params[0],
        .is_name = berth_sandbox_call_truth(call->request->is_resource_name)};
}

void berth_sandbox_call_page_headers(struct berth_sandbox_call *call,
                                     const struct berth_model_query *query, int64_t total) {
    berth_sandbox_reply_header(call->reply, "X-Total-Count", "%lld", (long long)total);
    if (query->page_size <= 0 || query->page <= 0) {
        return;
    }
    /* Pages so far behind the end that their product overflows have no neighbours. */
    int64_t end = 0;
    if (__builtin_mul_overflow(query->page, query->page_size, &end)) {
        return;
    }
    char *links = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&links, &len);
    BERTH_ASSERT(stream != NULL);
    bool has_previous = query->page > 1 && end - query->page_size < total;
    if (has_previous) {
        write_link(call, query->page - 1, query->page_size, "prev", stream);
    }
    if (end < total) {
        (void)fputs(has_previous ? " , " : "", stream);
        write_link(call, query->page + 1, query->page_size, "next", stream);
    }
    (void)fclose(stream);
    if (len > 0 && strpbrk(links, "\r\n") == NULL) {
        berth_sandbox_reply_header(call->reply, "Link", "%s", links);
    }
    free(links);
}

bool berth_sandbox_call_truth(const char *text) {
    static const char *const WORDS[] = {"true", "1", "yes",      "ok",      "y",
                                        "on",   "t", "selected", "checked", "enabled"};
    for (size_t i = 0; text != NULL && i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (strcasecmp(text, WORDS[i]) == 0) {
            return true;
        }
    }
    return false;
}

void berth_sandbox_call_time(int64_t ms, char ret_text[BERTH_SANDBOX_CALL_TIME_BYTES_MAX]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    BERTH_ASSERT(gmtime_r(&seconds, &parts) != NULL);
    char date[BERTH_SANDBOX_CALL_TIME_BYTES_MAX - 6];
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(ret_text, BERTH_SANDBOX_CALL_TIME_BYTES_MAX, "%s.%03dZ", date, (int)(ms % 1000));
}

static bool content_is_json(const char *content_type) {
    static const char JSON[] = "application/json";
    if (content_type == NULL || strncasecmp(content_type, JSON, sizeof(JSON) - 1) != 0) {
        return false;
    }
    char next = content_type[sizeof(JSON) - 1];
    return next == '\0' || next == ';' || next == ' ';
}

/* NULL leaves the value as it is. */
static bool bind_whole_number(struct berth_sandbox_call *call, const char *text, const char *name,
                              const char *place, int64_t *value) {
    if (text == NULL) {
        return true;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        berth_sandbox_call_invalid(call, "%s in %s must be of type int64: \"%s\"", name, place,
                                   text);
        return false;
    }
    *value = number;
    return true;
}

static const json_t *present(const struct json_t *object, const char *name) {
    const json_t *field = json_object_get(object, name);
    return json_is_null(field) ? NULL : field;
}

static bool wrong_type(struct berth_sandbox_call *call, const char *name, const char *type) {
    berth_sandbox_call_invalid(call,
                               "parsing the body from \"\" failed, because json: cannot unmarshal"
                               " field %s into Go value of type %s",
                               name, type);
    return false;
}

/* Harbor writes the URL decoded, its parameters in the order of their names. */
static void write_link(const struct berth_sandbox_call *call, int64_t page, int64_t page_size,
                       const char *rel, FILE *stream) {
    struct berth_sandbox_url_param params[BERTH_SANDBOX_URL_PARAMS_MAX + 2];
    char page_text[24];
    char size_text[24];
    size_t count = 0;
    for (size_t i = 0; i < call->query.count; i++) {
        const struct berth_sandbox_url_param *param = &call->query.pairs[i];
        if (strcmp(param->name, "page") != 0 && strcmp(param->name, "page_size") != 0) {
            params[count++] = *param;
        }
    }
    (void)snprintf(page_text, sizeof(page_text), "%lld", (long long)page);
    (void)snprintf(size_text, sizeof(size_text), "%lld", (long long)page_size);
    params[count++] = (struct berth_sandbox_url_param){.name = "page", .value = page_text};
    params[count++] = (struct berth_sandbox_url_param){.name = "page_size", .value = size_text};
    qsort(params, count, sizeof(params[0]), compare_params);
    (void)fprintf(stream, "<%s", call->request->path);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stream, "%c%s=%s", i == 0 ? '?' : '&', params[i].name, params[i].value);
    }
    (void)fprintf(stream, ">; rel=\"%s\"", rel);
}

static int compare_params(const void *left, const void *right) {
    const struct berth_sandbox_url_param *a = left;
    const struct berth_sandbox_url_param *b = right;
    return strcmp(a->name, b->name);
}
