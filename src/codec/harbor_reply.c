/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"

/* Harbor nests five deep; a parser that recurses is handed no more than this. */
#define JSON_DEPTH_MAX 32
/* Harbor's longest has 32 letters. */
#define ERROR_CODE_LEN_MAX 40

#define CALL(kind) (1U << (unsigned)(kind))
#define LOOKUP     CALL(BERTH_HARBOR_CALL_KINDS) /* The first half of a MEND_ROBOT. */
#define ALL        (LOOKUP | (LOOKUP - 1))
#define CREATES    (CALL(BERTH_HARBOR_CREATE_PROJECT) | CALL(BERTH_HARBOR_CREATE_ROBOT))
#define LISTS      (CALL(BERTH_HARBOR_GET_QUOTA) | CALL(BERTH_HARBOR_LIST_ROBOTS))
#define READS                                                                                      \
    (LOOKUP | LISTS | CALL(BERTH_HARBOR_GET_PROJECT_NAME) | CALL(BERTH_HARBOR_GET_PROJECT_ID) |    \
     CALL(BERTH_HARBOR_PROBE) | CALL(BERTH_HARBOR_GET_ACCOUNT))
#define WRITES (ALL & ~READS)

/* What the error code in the body must be. */
#define NO_CODE  NULL /* No error body is asked for. */
#define ANY_CODE "*"  /* Any, but Harbor's own JSON: a front end's page says nothing. */

/*
 * The verdicts of harbor-contract 5.8; the first rule that fits counts, and what no rule knows is
 * UNKNOWN: redirects, pages of front ends, 404 of a path, and 5xx, since a failed commit is a 500
 * as well and a front end's 502 or 504 may hide a success.
 * - 404 of a list or of POST /projects names no object, so it is a wrong base URL.
 * - 403 DENIED is read-only mode (5.4). The same code means a legacy robot or the limits of a robot
 *   account, but the first is never ours and berth doesn't work with the second (2.8), and
 *   Harbor's message is not there to be decided on; it stands in answer.error. A read is never
 *   stopped by read-only mode.
 * - 403 FORBIDDEN covers "CSRF token invalid" (5.2, 5.3). Like any 403 it was refused before
 *   anything was done; the client repeats it, by its words.
 * - 408 and 425 say that a front end has given up or wasn't ready: whether Harbor has the request
 *   is open, so they are UNKNOWN like any other status that Harbor doesn't send.
 * - 503 with Retry-After was perhaps said by a front end that had passed the request on, so it is
 *   BUSY for reads only.
 */
static const struct rule {
    unsigned calls;
    int status;
    const char *code;
    enum berth_harbor_verdict verdict;
} RULES[] = {
    {CREATES, 201, NO_CODE, BERTH_HARBOR_DONE},
    {ALL & ~CREATES, 200, NO_CODE, BERTH_HARBOR_DONE},
    {CREATES, 409, "CONFLICT", BERTH_HARBOR_CONFLICT},
    {ALL & ~(LISTS | CALL(BERTH_HARBOR_CREATE_PROJECT) | CALL(BERTH_HARBOR_PROBE) |
             CALL(BERTH_HARBOR_GET_ACCOUNT)),
     404, "NOT_FOUND", BERTH_HARBOR_ABSENT},
    {CALL(BERTH_HARBOR_DELETE_PROJECT), 412, "PRECONDITION", BERTH_HARBOR_NOT_EMPTY},
    {ALL, 400, ANY_CODE, BERTH_HARBOR_INVALID},
    {ALL, 413, ANY_CODE, BERTH_HARBOR_INVALID},
    {ALL, 415, ANY_CODE, BERTH_HARBOR_INVALID},
    {ALL, 422, ANY_CODE, BERTH_HARBOR_INVALID},
    {ALL, 401, "UNAUTHORIZED", BERTH_HARBOR_UNAUTHENTICATED},
    {WRITES, 403, "DENIED", BERTH_HARBOR_READ_ONLY},
    {ALL, 403, ANY_CODE, BERTH_HARBOR_FORBIDDEN},
    {ALL, 429, NO_CODE, BERTH_HARBOR_BUSY},
    {READS, 503, NO_CODE, BERTH_HARBOR_BUSY}, /* With Retry-After. */
};

/* Harbor's own words for a refusal: the first of "errors". Views of the JSON. */
struct refusal {
    const char *code; /* NULL: the body isn't Harbor's. */
    const char *message;
};

static enum berth_harbor_verdict judge(unsigned call, const struct berth_harbor_call *asked,
                                       bool echo_waived, const struct berth_harbor_reply *reply,
                                       const json_t *json, struct berth_harbor_answer *answer);
static bool echo_holds(unsigned call, const char *request_id, bool waived,
                       const struct berth_harbor_reply *reply);
static enum berth_harbor_verdict look_up(unsigned call, const struct berth_harbor_reply *reply,
                                         const struct refusal *refusal);
static bool read_body(const struct berth_harbor_call *call, const struct berth_robot_marker *marker,
                      const struct berth_harbor_reply *reply, const json_t *json,
                      struct berth_harbor_decoded *decoded);
static bool read_location(const struct berth_harbor_reply *reply,
                          struct berth_harbor_answer *answer);
static bool read_nothing(const struct berth_harbor_reply *reply, const json_t *json,
                         struct berth_harbor_answer *answer);
static bool read_system_info(const json_t *json, struct berth_harbor_answer *answer);
static enum berth_harbor_trouble trouble_of(const struct berth_harbor_answer *answer);
static struct refusal refusal_of(const json_t *json);
static json_t *parse(const struct berth_harbor_reply *reply);
static bool is_json(const char *content_type);
static bool is_shallow(struct berth_bytes text);

void berth_harbor_reply_decode(const struct berth_harbor_call *call,
                               const struct berth_robot_marker *marker, bool echo_waived,
                               const struct berth_harbor_reply *reply,
                               struct berth_harbor_decoded *ret_decoded) {
    *ret_decoded = (struct berth_harbor_decoded){.robots = NULL};
    struct berth_harbor_answer *answer = &ret_decoded->answer;
    json_t *json = parse(reply);
    answer->verdict = judge(CALL(call->kind), call, echo_waived, reply, json, answer);
    if (answer->verdict == BERTH_HARBOR_DONE &&
        !read_body(call, marker, reply, json, ret_decoded)) {
        answer->verdict = BERTH_HARBOR_UNKNOWN;
    }
    answer->trouble = trouble_of(answer);
    json_decref(json);
}

void berth_harbor_decoded_deinit(struct berth_harbor_decoded *decoded) {
    free(decoded->robots);
    *decoded = (struct berth_harbor_decoded){.robots = NULL};
}

void berth_harbor_lookup_decode(const struct berth_harbor_call *call,
                                const struct berth_robot_marker *marker, bool echo_waived,
                                const struct berth_harbor_reply *reply,
                                struct berth_harbor_answer *ret_answer,
                                char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]) {
    BERTH_ASSERT(call->kind == BERTH_HARBOR_MEND_ROBOT);
    struct berth_harbor_answer *answer = ret_answer;
    *answer = (struct berth_harbor_answer){.http_status = 0};
    json_t *json = parse(reply);
    answer->verdict = judge(LOOKUP, call, echo_waived, reply, json, answer);
    bool ours = true;
    if (answer->verdict == BERTH_HARBOR_DONE &&
        !berth_harbor_read_login_name(call, marker, json, answer, &ours, ret_login_name)) {
        answer->verdict = BERTH_HARBOR_UNKNOWN;
    }
    if (!ours) {
        answer->verdict = BERTH_HARBOR_ABSENT;
    } else if (answer->verdict == BERTH_HARBOR_UNKNOWN) {
        /* Only a read was sent, so about the write there's no doubt. */
        answer->verdict = BERTH_HARBOR_NOT_SENT;
    }
    answer->trouble = trouble_of(answer);
    json_decref(json);
}

static enum berth_harbor_trouble trouble_of(const struct berth_harbor_answer *answer) {
    if (answer->http_status == 429 || answer->http_status == 503) {
        return BERTH_HARBOR_TROUBLE_RATE;
    }
    if (answer->http_status >= 500) {
        return BERTH_HARBOR_TROUBLE_SERVER;
    }
    if (answer->verdict == BERTH_HARBOR_READ_ONLY) {
        return BERTH_HARBOR_TROUBLE_READ_ONLY;
    }
    bool refused = answer->verdict == BERTH_HARBOR_UNAUTHENTICATED ||
                   answer->verdict == BERTH_HARBOR_FORBIDDEN;
    return refused ? BERTH_HARBOR_TROUBLE_CREDENTIALS : BERTH_HARBOR_TROUBLE_NONE;
}

bool berth_harbor_reply_names_user(const struct berth_harbor_reply *reply, const char *username) {
    json_t *json = parse(reply);
    const char *name = berth_harbor_text_of(json, "username");
    bool named = reply->status == 200 && name != NULL && name[0] != 0 &&
                 (strcasecmp(name, username) == 0 || strchr(username, '@') != NULL);
    json_decref(json);
    return named;
}

/* The verdict by everything but a good reply's body. */
static enum berth_harbor_verdict judge(unsigned call, const struct berth_harbor_call *asked,
                                       bool echo_waived, const struct berth_harbor_reply *reply,
                                       const json_t *json, struct berth_harbor_answer *answer) {
    answer->http_status = reply->status;
    answer->retry_after_ms = reply->retry_after_ms;
    if (reply->status >= 300 && reply->status <= 399) {
        (void)snprintf(answer->error, sizeof answer->error,
                       "HTTP %d, a redirect to %.80s: correct url", reply->status,
                       reply->location != NULL ? reply->location : "nowhere");
        return BERTH_HARBOR_UNKNOWN;
    }
    if (!echo_holds(call, asked->request_id, echo_waived, reply)) {
        (void)snprintf(answer->error, sizeof answer->error,
                       "HTTP %d without the echo of our X-Request-Id", reply->status);
        return BERTH_HARBOR_UNKNOWN;
    }
    struct refusal refusal = refusal_of(json);
    if (refusal.code != NULL) {
        char text[sizeof answer->error * 2];
        (void)snprintf(text, sizeof text, "%s: %.150s", refusal.code, refusal.message);
        berth_harbor_copy_text(answer->error, sizeof answer->error, text);
    } else if (reply->status < 200 || reply->status > 299) {
        (void)snprintf(answer->error, sizeof answer->error,
                       "HTTP %d without an error that Harbor writes", reply->status);
    }
    enum berth_harbor_verdict verdict = look_up(call, reply, &refusal);
    if (verdict == BERTH_HARBOR_UNKNOWN && answer->error[0] == 0) {
        (void)snprintf(answer->error, sizeof answer->error, "HTTP %d is no answer to %s",
                       reply->status, berth_harbor_call_name(asked->kind));
    }
    return verdict;
}

/*
 * A write's reply counts when it proves that it is the reply to this very request (design 4.4). A
 * read needs no proof, but one that carries another request's id comes from a cache or belongs to
 * somebody else.
 */
static bool echo_holds(unsigned call, const char *request_id, bool waived,
                       const struct berth_harbor_reply *reply) {
    if (waived) {
        return true;
    }
    if (reply->request_id == NULL) {
        return (call & READS) != 0;
    }
    return strcmp(reply->request_id, request_id) == 0;
}

static enum berth_harbor_verdict look_up(unsigned call, const struct berth_harbor_reply *reply,
                                         const struct refusal *refusal) {
    for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
        const struct rule *rule = &RULES[i];
        if ((rule->calls & call) == 0 || rule->status != reply->status) {
            continue;
        }
        if (rule->code != NO_CODE) {
            if (refusal->code == NULL) {
                continue;
            }
            if (strcmp(rule->code, ANY_CODE) != 0 && strcmp(rule->code, refusal->code) != 0) {
                continue;
            }
        }
        if (rule->status == 503 && reply->retry_after_ms == 0) {
            continue;
        }
        /* The one message that decides: Harbor's router says it of a path that it doesn't know,
         * with the code that a missing object has (contract 1.8). */
        if (rule->status == 404 && strncmp(refusal->message, "path ", 5) == 0) {
            continue;
        }
        return rule->verdict;
    }
    return BERTH_HARBOR_UNKNOWN;
}

static bool read_body(const struct berth_harbor_call *call, const struct berth_robot_marker *marker,
                      const struct berth_harbor_reply *reply, const json_t *json,
                      struct berth_harbor_decoded *decoded) {
    struct berth_harbor_answer *answer = &decoded->answer;
    switch (call->kind) {
    case BERTH_HARBOR_CREATE_PROJECT:
        return read_location(reply, answer);
    case BERTH_HARBOR_GET_PROJECT_NAME:
    case BERTH_HARBOR_GET_PROJECT_ID:
        return berth_harbor_read_project(call, json, answer);
    case BERTH_HARBOR_GET_QUOTA:
        return berth_harbor_read_quota(call, json, answer);
    case BERTH_HARBOR_LIST_ROBOTS:
        return berth_harbor_read_robots(call, marker, reply->total_count, json, decoded);
    case BERTH_HARBOR_CREATE_ROBOT:
        return berth_harbor_read_created_robot(call, json, answer);
    case BERTH_HARBOR_SET_SECRET:
        return berth_harbor_read_secret_set(json, answer);
    case BERTH_HARBOR_UPDATE_PROJECT:
    case BERTH_HARBOR_DELETE_PROJECT:
    case BERTH_HARBOR_SET_QUOTA:
    case BERTH_HARBOR_MEND_ROBOT:
    case BERTH_HARBOR_DELETE_ROBOT:
        return read_nothing(reply, json, answer);
    case BERTH_HARBOR_PROBE:
        return read_system_info(json, answer);
    case BERTH_HARBOR_GET_ACCOUNT:
        return berth_harbor_read_account(json, answer);
    }
    BERTH_UNREACHABLE("every kind of call has a reader");
}

/* "/api/v2.0/projects/12", with whatever a front end puts before it: the digits at the end. */
static bool read_location(const struct berth_harbor_reply *reply,
                          struct berth_harbor_answer *answer) {
    static const char BEFORE[] = "/projects/";
    const char *at = reply->location == NULL ? NULL : strstr(reply->location, BEFORE);
    if (at != NULL) {
        at += sizeof BEFORE - 1;
        size_t digits = strspn(at, "0123456789");
        if (digits > 0 && digits <= 18 && at[digits] == 0) {
            answer->project_id = strtoll(at, NULL, 10);
        }
    }
    if (answer->project_id <= 0) {
        (void)snprintf(answer->error, sizeof answer->error,
                       "HTTP 201 without the new project's id in Location");
        return false;
    }
    return true;
}

/* Harbor's success is empty here; a page with status 200 is a front end's. */
static bool read_nothing(const struct berth_harbor_reply *reply, const json_t *json,
                         struct berth_harbor_answer *answer) {
    if (reply->body.len > 0 && json == NULL) {
        (void)snprintf(answer->error, sizeof answer->error,
                       "HTTP %d with a body that Harbor doesn't send", reply->status);
        return false;
    }
    return true;
}

/* Harbor tells its version only to those it knows. */
static bool read_system_info(const json_t *json, struct berth_harbor_answer *answer) {
    if (!json_is_object(json)) {
        (void)snprintf(answer->error, sizeof answer->error, "HTTP 200 without Harbor's JSON");
        return false;
    }
    if (berth_harbor_text_of(json, "harbor_version") == NULL) {
        answer->verdict = BERTH_HARBOR_UNAUTHENTICATED;
        (void)snprintf(answer->error, sizeof answer->error, "it tells us no version");
    } else if (json_is_true(json_object_get(json, "read_only"))) {
        answer->verdict = BERTH_HARBOR_READ_ONLY;
        (void)snprintf(answer->error, sizeof answer->error, "it is in read-only mode");
    }
    return true;
}

static struct refusal refusal_of(const json_t *json) {
    const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
    const char *code = berth_harbor_text_of(first, "code");
    const char *message = berth_harbor_text_of(first, "message");
    if (code != NULL && strlen(code) > ERROR_CODE_LEN_MAX) {
        code = NULL;
    }
    return (struct refusal){.code = code, .message = message == NULL ? "" : message};
}

/* The body as JSON; NULL when it is none, or deeper or longer than anything of Harbor's. */
static json_t *parse(const struct berth_harbor_reply *reply) {
    struct berth_bytes body = reply->body;
    if (body.len == 0 || body.len > BERTH_HARBOR_BODY_BYTES_MAX || !is_json(reply->content_type) ||
        !is_shallow(body)) {
        return NULL;
    }
    return json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      NULL);
}

static bool is_json(const char *content_type) {
    static const char JSON[] = "application/json";
    if (content_type == NULL || strncasecmp(content_type, JSON, sizeof JSON - 1) != 0) {
        return false;
    }
    return strchr("; \t", content_type[sizeof JSON - 1]) != NULL;
}

static bool is_shallow(struct berth_bytes text) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '[' || c == '{')) {
            if (++depth > JSON_DEPTH_MAX) {
                return false;
            }
        } else if (!in_string && (c == ']' || c == '}')) {
            depth--;
        }
    }
    return true;
}
