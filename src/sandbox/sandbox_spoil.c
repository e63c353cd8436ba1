/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_spoil.h"

#include <stdio.h>
#include <time.h>

#include "berth/base/assert.h"

#define REQUEST_ID "X-Request-Id"

/* What nginx says when Harbor's core doesn't, and what Harbor's portal says to any path. */
static const char PAGE_OF_NGINX[] = "<html>\r\n<head><title>%d</title></head>\r\n<body>\r\n"
                                    "<center><h1>%d</h1></center>\r\n<hr><center>nginx</center>"
                                    "\r\n</body>\r\n</html>\r\n";
static const char PAGE_OF_PORTAL[] = "<!doctype html><html><head><title>Harbor</title></head>"
                                     "<body><harbor-app></harbor-app></body></html>\n";

static void put_status(const struct berth_sandbox_fault *fault, int64_t now_ms,
                       struct berth_sandbox_reply *reply);
static void put_error(int status, struct berth_sandbox_reply *reply);
static void put_retry_after(const struct berth_sandbox_fault *fault, int64_t now_ms,
                            struct berth_sandbox_reply *reply);
static void put_page(struct berth_sandbox_reply *reply, bool of_portal);
static void put_body(const struct berth_sandbox_fault *fault, struct berth_sandbox_reply *reply);

bool berth_sandbox_spoil_keeps_away(const struct berth_sandbox_fault *fault) {
    return !fault->apply && (fault->status != 0 || fault->body == BERTH_SANDBOX_BODY_HTML);
}

void berth_sandbox_spoil(const struct berth_sandbox_request *request,
                         const struct berth_sandbox_fault *fault,
                         struct berth_sandbox_reply *reply) {
    if (berth_sandbox_spoil_keeps_away(fault) && request->request_id != NULL) {
        berth_sandbox_reply_header(reply, REQUEST_ID, "%s", request->request_id);
    }
    if (fault->status != 0) {
        put_status(fault, request->now_ms, reply);
    }
    put_body(fault, reply);
    switch (fault->request_id) {
    case BERTH_SANDBOX_ECHO_RIGHT:
        break;
    case BERTH_SANDBOX_ECHO_STRIPPED:
        berth_sandbox_reply_drop_header(reply, REQUEST_ID);
        break;
    case BERTH_SANDBOX_ECHO_WRONG:
        berth_sandbox_reply_drop_header(reply, REQUEST_ID);
        berth_sandbox_reply_header(reply, REQUEST_ID, "of-another-request");
        break;
    }
}

static void put_status(const struct berth_sandbox_fault *fault, int64_t now_ms,
                       struct berth_sandbox_reply *reply) {
    /* Of a reply that was applied before, what only a success has. */
    berth_sandbox_reply_drop_header(reply, "Location");
    put_error((int)fault->status, reply);
    if (fault->retry_after_s > 0) {
        put_retry_after(fault, now_ms, reply);
    }
}

/* An error as Harbor's core would write it: from 500 on, its cause is masked. */
static void put_error(int status, struct berth_sandbox_reply *reply) {
    static const struct {
        int status;
        const char *code;
        const char *message;
    } ERRORS[] = {
        {401, "UNAUTHORIZED", "unauthorized"},
        {403, "FORBIDDEN", "forbidden"},
        {404, "NOT_FOUND", "not found"},
        {409, "CONFLICT", "conflict"},
        {412, "PRECONDITION", "precondition failed"},
        {422, "UNPROCESSABLE_ENTITY", "validation failure list:\ninjected"},
        {429, "TOO_MANY_REQUEST", "too many requests"},
    };
    const char *code = status >= 500 ? "UNKNOWN" : "BAD_REQUEST";
    const char *message = status >= 500 ? "internal server error" : "bad request";
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        if (ERRORS[i].status == status) {
            code = ERRORS[i].code;
            message = ERRORS[i].message;
        }
    }
    berth_sandbox_reply_error(reply, status, code, message);
}

/* RFC 9110, 10.2.3: seconds, or a date. */
static void put_retry_after(const struct berth_sandbox_fault *fault, int64_t now_ms,
                            struct berth_sandbox_reply *reply) {
    if (!fault->retry_after_date) {
        berth_sandbox_reply_header(reply, "Retry-After", "%lld", (long long)fault->retry_after_s);
        return;
    }
    time_t at = (time_t)(now_ms / 1000 + fault->retry_after_s);
    struct tm parts;
    char date[64];
    BERTH_ASSERT(gmtime_r(&at, &parts) != NULL);
    BERTH_ASSERT(strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    berth_sandbox_reply_header(reply, "Retry-After", "%s", date);
}

static void put_page(struct berth_sandbox_reply *reply, bool of_portal) {
    char page[512];
    if (of_portal) {
        berth_sandbox_reply_text(reply, 200, "text/html", PAGE_OF_PORTAL);
        return;
    }
    (void)snprintf(page, sizeof(page), PAGE_OF_NGINX, reply->status, reply->status);
    berth_sandbox_reply_text(reply, reply->status, "text/html", page);
}

static void put_body(const struct berth_sandbox_fault *fault, struct berth_sandbox_reply *reply) {
    switch (fault->body) {
    case BERTH_SANDBOX_BODY_AS_IT_IS:
        break;
    case BERTH_SANDBOX_BODY_NONE:
        berth_sandbox_reply_empty(reply, reply->status);
        break;
    case BERTH_SANDBOX_BODY_HTML:
        put_page(reply, fault->status == 0);
        break;
    case BERTH_SANDBOX_BODY_CUT:
        reply->body_bytes /= 2;
        break;
    case BERTH_SANDBOX_BODY_TRUNCATED:
        reply->delivery = BERTH_SANDBOX_TRUNCATED;
        break;
    case BERTH_SANDBOX_BODY_GIGABYTE:
        reply->delivery = BERTH_SANDBOX_ENDLESS;
        reply->stream_bytes = fault->body_bytes > 0 ? fault->body_bytes : BERTH_SANDBOX_BODY_BYTES;
        break;
    case BERTH_SANDBOX_BODY_DRIP:
        reply->delivery = BERTH_SANDBOX_DRIPPING;
        reply->drip_ms = fault->drip_ms > 0 ? fault->drip_ms : BERTH_SANDBOX_DRIP_MS;
        break;
    case BERTH_SANDBOX_BODY_WRONG_TYPE:
        reply->content_type = reply->content_type == NULL ? NULL : "text/plain; charset=utf-8";
        break;
    }
}
