/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_client_transfer_parts.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "berth/base/assert.h"
#include "berth/codec/identity.h"
#include "berth/io/clock.h"

/* A longer wait than this is nobody's business to ask for. */
#define RETRY_AFTER_MAX_S 3600
/* A probe that hangs keeps the next one from finding the registry well again. */
#define PROBE_MAX_MS 2000L

/* curl's list has no const; nobody writes here. */
static char resource_name_line[] = "X-Is-Resource-Name: true";
static char json_line[] = "Content-Type: application/json";
static char form_line[] = "Content-Type: application/x-www-form-urlencoded";
static char accept_line[] = "Accept: application/json";

static int set_lasting_options(struct berth_harbor_transfer *transfer);
static enum berth_rc begin_round(struct berth_harbor_transfer *transfer, const char *login_name);
static enum berth_rc make_request(struct berth_harbor_transfer *transfer, const char *login_name);
static enum berth_rc set_request(struct berth_harbor_transfer *transfer);
static struct curl_slist *link_headers(struct berth_harbor_transfer *transfer);
static bool end_lookup(struct berth_harbor_transfer *transfer,
                       const struct berth_harbor_reply *reply, bool new_sid,
                       struct berth_harbor_answer *ret_answer);
static void answer_failure(const struct berth_harbor_transfer *transfer, CURLcode code,
                           struct berth_harbor_answer *answer);
static const char *failure_detail(const struct berth_harbor_transfer *transfer, CURLcode code);
static int curl_socket_made_cb(void *ctx, curl_socket_t fd, curlsocktype purpose);
static int curl_before_sending_cb(void *ctx, char *peer, char *own, int peer_port, int own_port);
static size_t curl_header_cb(char *data, size_t size, size_t count, void *ctx);
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx);

enum berth_rc berth_harbor_transfer_new(struct berth_harbor_endpoint *endpoint, void *owner,
                                        struct berth_harbor_transfer **ret_transfer) {
    struct berth_harbor_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    transfer->endpoint = berth_harbor_endpoint_use(endpoint);
    transfer->owner = owner;
    berth_buffer_init(&transfer->body, BERTH_HARBOR_BODY_BYTES_MAX);
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL) {
        (void)berth_harbor_transfer_free(transfer);
        return BERTH_FAULT_MEMORY;
    }
    if (set_lasting_options(transfer) != 0) {
        (void)berth_harbor_transfer_free(transfer);
        return BERTH_FAULT_LIBRARY;
    }
    *ret_transfer = transfer;
    return BERTH_OK;
}

struct berth_harbor_transfer *berth_harbor_transfer_free(struct berth_harbor_transfer *transfer) {
    if (transfer == NULL) {
        return NULL;
    }
    berth_harbor_transfer_abandon(transfer);
    curl_easy_cleanup(transfer->easy);
    berth_buffer_deinit(&transfer->body);
    (void)berth_harbor_endpoint_leave(transfer->endpoint);
    free(transfer);
    return NULL;
}

const struct berth_harbor_endpoint *
berth_harbor_transfer_endpoint(const struct berth_harbor_transfer *transfer) {
    return transfer->endpoint;
}

CURL *berth_harbor_transfer_easy(const struct berth_harbor_transfer *transfer) {
    return transfer->easy;
}

void *berth_harbor_transfer_owner_of(CURL *easy) {
    char *private = NULL; /* curl's documentation has it as text. */
    CURLcode code = curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    BERTH_ASSERT(code == CURLE_OK);
    const struct berth_harbor_transfer *transfer = (const void *)private;
    return transfer->owner;
}

enum berth_rc berth_harbor_transfer_begin(struct berth_harbor_transfer *transfer,
                                          const struct berth_harbor_call *call,
                                          const struct berth_harbor_keys *keys) {
    BERTH_ASSERT(transfer->call == NULL);
    BERTH_ASSERT(transfer->errand == BERTH_HARBOR_ERRAND_NONE);
    transfer->call = call;
    transfer->in_session = keys != NULL;
    transfer_carry_keys(transfer, keys);
    transfer->looking_up = call->kind == BERTH_HARBOR_MEND_ROBOT;
    enum berth_rc rc = begin_round(transfer, NULL);
    if (rc != BERTH_OK) {
        berth_harbor_transfer_abandon(transfer);
    }
    return rc;
}

bool berth_harbor_transfer_end(struct berth_harbor_transfer *transfer, CURLcode code,
                               struct berth_harbor_decoded *ret_decoded,
                               struct berth_harbor_seen *ret_seen) {
    BERTH_ASSERT(transfer->call != NULL);
    struct berth_harbor_answer *answer = &ret_decoded->answer;
    *ret_decoded = (struct berth_harbor_decoded){.robots = NULL};
    bool new_sid = transfer->in_session && transfer->headers.brought.sid[0] != 0;
    if (code != CURLE_OK) {
        answer_failure(transfer, code, answer);
    } else {
        struct berth_harbor_reply reply = transfer_reply_of(transfer);
        if (!transfer->looking_up) {
            berth_harbor_reply_decode(transfer->call, &transfer->endpoint->marker,
                                      transfer->endpoint->registry.echo_waived, &reply,
                                      ret_decoded);
        } else if (!end_lookup(transfer, &reply, new_sid, answer)) {
            return false;
        }
    }
    *ret_seen = (struct berth_harbor_seen){
        .kind = transfer->call->kind,
        .verdict = answer->verdict,
        .written = transfer->is_write,
        .status = answer->http_status,
        .empty = answer->robots_total == 0 && answer->quota_id == 0,
        .new_sid = new_sid,
        /* Only its words tell it from other refusals (contract 5.2). */
        .csrf = answer->http_status == 403 && strstr(answer->error, "CSRF token") != NULL,
    };
    berth_harbor_transfer_abandon(transfer);
    return true;
}

void berth_harbor_transfer_abandon(struct berth_harbor_transfer *transfer) {
    berth_harbor_request_deinit(&transfer->request);
    /* The reply to POST /robots holds a secret of Harbor's. */
    if (transfer->body.len > 0) {
        explicit_bzero(transfer->body.data, transfer->body.len);
    }
    berth_buffer_clear(&transfer->body);
    explicit_bzero(transfer->cookie_line, sizeof transfer->cookie_line);
    explicit_bzero(transfer->token_line, sizeof transfer->token_line);
    explicit_bzero(&transfer->headers.brought, sizeof transfer->headers.brought);
    transfer->call = NULL;
    transfer->errand = BERTH_HARBOR_ERRAND_NONE;
}

/* What is the same for every request to this endpoint; curl keeps it. Zero when all went well. */
static int set_lasting_options(struct berth_harbor_transfer *transfer) {
    CURL *easy = transfer->easy;
    int bad = berth_harbor_set_up_curl(easy, &transfer->endpoint->registry);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_says);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, curl_socket_made_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, curl_before_sending_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, curl_header_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    return bad;
}

/* The lines are copies: a session may be lost while a request of it is under way. */
void transfer_carry_keys(struct berth_harbor_transfer *transfer,
                         const struct berth_harbor_keys *keys) {
    transfer->cookie_line[0] = 0;
    transfer->token_line[0] = 0;
    if (keys == NULL) {
        return;
    }
    const char *csrf = keys->csrf;
    (void)snprintf(transfer->cookie_line, sizeof transfer->cookie_line, "Cookie: sid=%s%s%s",
                   keys->sid, csrf[0] != 0 ? "; _gorilla_csrf=" : "", csrf);
    if (keys->token[0] != 0) {
        (void)snprintf(transfer->token_line, sizeof transfer->token_line, "X-Harbor-CSRF-Token: %s",
                       keys->token);
    }
}

/* One request of the call; login_name is there for the second round of a MEND_ROBOT. */
static enum berth_rc begin_round(struct berth_harbor_transfer *transfer, const char *login_name) {
    enum berth_rc rc = make_request(transfer, login_name);
    if (rc != BERTH_OK) {
        return rc;
    }
    transfer->is_write = !transfer->looking_up && berth_harbor_call_is_write(transfer->call->kind);
    return transfer_send_round(transfer);
}

enum berth_rc transfer_send_round(struct berth_harbor_transfer *transfer) {
    transfer->sent = false;
    transfer->stop = STOP_NONE;
    transfer->curl_says[0] = 0;
    berth_harbor_headers_init(&transfer->headers);
    berth_buffer_clear(&transfer->body);
    return set_request(transfer);
}

static enum berth_rc make_request(struct berth_harbor_transfer *transfer, const char *login_name) {
    const struct berth_harbor_endpoint *endpoint = transfer->endpoint;
    const struct berth_harbor_call *call = transfer->call;
    if (transfer->looking_up) {
        berth_harbor_request_make_lookup(call, &transfer->request);
        return BERTH_OK;
    }
    struct berth_harbor_request_context context = {
        .marker = &endpoint->marker,
        .login_name = login_name,
    };
    char secret[BERTH_PULL_SECRET_BYTES] = "";
    if (call->kind == BERTH_HARBOR_SET_SECRET) {
        uint8_t workspace_key[BERTH_WORKSPACE_KEY_BYTES];
        berth_workspace_key(endpoint->master_key, call->workspace, workspace_key);
        berth_pull_secret(workspace_key, endpoint->registry.uid, call->project_id, call->robot_id,
                          secret);
        explicit_bzero(workspace_key, sizeof workspace_key);
        context.secret = secret;
    }
    enum berth_rc rc = berth_harbor_request_make(call, &context, &transfer->request);
    explicit_bzero(secret, sizeof secret);
    return rc;
}

static enum berth_rc set_request(struct berth_harbor_transfer *transfer) {
    const struct berth_harbor_request *request = &transfer->request;
    const char *base_url = transfer->endpoint->registry.url;
    CURL *easy = transfer->easy;
    char *url = NULL;
    if (asprintf(&url, "%s%s", base_url, request->path) < 0) {
        return BERTH_FAULT_MEMORY;
    }
    int bad = (int)curl_easy_setopt(easy, CURLOPT_URL, url);
    free(url);
    long timeout_ms = transfer->endpoint->registry.request_timeout_ms;
    if (transfer->call != NULL && transfer->call->kind == BERTH_HARBOR_PROBE &&
        timeout_ms > PROBE_MAX_MS) {
        timeout_ms = PROBE_MAX_MS;
    }
    bad |= (int)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    if (request->body.len > 0) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
    } else {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, link_headers(transfer));
    return bad == 0 ? BERTH_OK : BERTH_FAULT_LIBRARY;
}

/* The request's lines in front of those that the configuration adds. */
static struct curl_slist *link_headers(struct berth_harbor_transfer *transfer) {
    struct berth_harbor_endpoint *endpoint = transfer->endpoint;
    bool login = transfer->errand == BERTH_HARBOR_ERRAND_LOGIN;
    const struct berth_harbor_call *call = transfer->call;
    if (call != NULL) {
        (void)snprintf(transfer->request_id_line, sizeof transfer->request_id_line,
                       "X-Request-Id: %s", call->request_id);
    }
    char *const wanted[LINES_MAX] = {
        call != NULL ? transfer->request_id_line : NULL,
        transfer->request.resource_name ? resource_name_line : NULL,
        transfer->request.body.len == 0 ? NULL
        : login                         ? form_line
                                        : json_line,
        transfer->in_session ? transfer->cookie_line : endpoint->authorization,
        transfer->is_write || login ? transfer->token_line : NULL,
        transfer->in_session ? endpoint->referer : NULL,
        accept_line,
    };
    struct curl_slist *first = endpoint->extra_count > 0 ? &endpoint->extra[0] : NULL;
    for (size_t i = LINES_MAX; i-- > 0;) {
        if (wanted[i] != NULL && wanted[i][0] != 0) {
            transfer->lines[i] = (struct curl_slist){.data = wanted[i], .next = first};
            first = &transfer->lines[i];
        }
    }
    return first;
}

struct berth_harbor_reply transfer_reply_of(const struct berth_harbor_transfer *transfer) {
    const struct berth_harbor_headers *headers = &transfer->headers;
    long status = 0;
    curl_off_t retry_after_s = 0;
    CURLcode code = curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    BERTH_ASSERT(code == CURLE_OK);
    if (status == 429 || status == 503) {
        code = curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        BERTH_ASSERT(code == CURLE_OK);
        retry_after_s = retry_after_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : retry_after_s;
    }
    return (struct berth_harbor_reply){
        .status = (int)status,
        .content_type = headers->content_type[0] == 0 ? NULL : headers->content_type,
        .location = headers->location[0] == 0 ? NULL : headers->location,
        .request_id = headers->request_id[0] == 0 ? NULL : headers->request_id,
        .total_count = headers->total_count,
        .retry_after_ms = (int64_t)retry_after_s * 1000,
        .body = berth_buffer_view(&transfer->body),
    };
}

/* False: the PUT is ready to be carried. */
static bool end_lookup(struct berth_harbor_transfer *transfer,
                       const struct berth_harbor_reply *reply, bool new_sid,
                       struct berth_harbor_answer *ret_answer) {
    char login_name[BERTH_HARBOR_LOGIN_BYTES];
    berth_harbor_lookup_decode(transfer->call, &transfer->endpoint->marker,
                               transfer->endpoint->registry.echo_waived, reply, ret_answer,
                               login_name);
    if (ret_answer->verdict != BERTH_HARBOR_DONE || new_sid) {
        return true;
    }
    transfer->looking_up = false;
    berth_harbor_request_deinit(&transfer->request);
    if (begin_round(transfer, login_name) == BERTH_OK) {
        return false;
    }
    *ret_answer = (struct berth_harbor_answer){.verdict = BERTH_HARBOR_NOT_SENT,
                                               .error = "no memory for the request"};
    return true;
}

/* No reply: whether the request may have been applied depends on one thing, whether it was sent. */
static void answer_failure(const struct berth_harbor_transfer *transfer, CURLcode code,
                           struct berth_harbor_answer *answer) {
    bool in_doubt = transfer->sent && !transfer->looking_up;
    answer->verdict = in_doubt ? BERTH_HARBOR_UNKNOWN : BERTH_HARBOR_NOT_SENT;
    bool ours = transfer->stop != STOP_NONE && transfer->stop != STOP_SECOND;
    answer->trouble = ours ? BERTH_HARBOR_TROUBLE_NONE : BERTH_HARBOR_TROUBLE_CONNECTION;
    const char *detail = failure_detail(transfer, code);
    (void)snprintf(answer->error, sizeof answer->error, "%.90s%s%.34s",
                   transfer_failure_text(transfer, code), detail[0] == 0 ? "" : ": ", detail);
}

const char *transfer_failure_text(const struct berth_harbor_transfer *transfer, CURLcode code) {
    switch (transfer->stop) {
    case STOP_LATE:
        return "too late to be sent under this lease";
    case STOP_SECOND:
        return "the connection ended before the reply, and a write is never sent twice";
    case STOP_LONG_HEADERS:
        return "the reply's headers are longer than any of Harbor's";
    case STOP_LONG_BODY:
        return "the reply's body is longer than any of Harbor's";
    case STOP_NO_MEMORY:
        return "no memory for the reply";
    case STOP_NONE:
        break;
    }
    return transfer->curl_says[0] != 0 ? transfer->curl_says : curl_easy_strerror(code);
}

/* What the system said to connect(); curl's own words are only that it failed. */
static const char *failure_detail(const struct berth_harbor_transfer *transfer, CURLcode code) {
    long number = 0;
    if (transfer->stop != STOP_NONE || code != CURLE_COULDNT_CONNECT ||
        curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number) != CURLE_OK || number == 0) {
        return "";
    }
    const char *words = strerrordesc_np((int)number);
    return words == NULL ? "" : words;
}

/*
 * Once we have given a request up, nothing of it may arrive later: closing throws away what the
 * kernel hasn't delivered and resets the connection (SO_LINGER 0), and a peer that acknowledges
 * nothing is given up by the kernel, too (TCP_USER_TIMEOUT). curl closes a connection only when it
 * is broken, timed out or idle, so an ordinary request never ends this way (design 4.7).
 */
static int curl_socket_made_cb(void *ctx, curl_socket_t fd, curlsocktype purpose) {
    (void)purpose;
    const struct berth_harbor_transfer *transfer = ctx;
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    unsigned timeout_ms = (unsigned)transfer->endpoint->registry.request_timeout_ms;
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms) != 0) {
        return CURL_SOCKOPT_ERROR;
    }
    return CURL_SOCKOPT_OK;
}

/*
 * curl has a connection and is about to send. It comes here a second time when a reused connection
 * died before the reply: it would send the request again, without a word (design 4.5). A read may
 * go twice.
 */
static int curl_before_sending_cb(void *ctx, char *peer, char *own, int peer_port, int own_port) {
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    struct berth_harbor_transfer *transfer = ctx;
    if (transfer->is_write && transfer->sent) {
        transfer->stop = STOP_SECOND;
        return CURL_PREREQFUNC_ABORT;
    }
    if (transfer->is_write && berth_clock_monotonic_ms() > transfer->call->not_after_ms) {
        transfer->stop = STOP_LATE;
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->sent = true;
    return CURL_PREREQFUNC_OK;
}

static size_t curl_header_cb(char *data, size_t size, size_t count, void *ctx) {
    struct berth_harbor_transfer *transfer = ctx;
    size_t len = size * count;
    const char *request_id = transfer->call != NULL ? transfer->call->request_id : "";
    if (!berth_harbor_headers_take(&transfer->headers, request_id, data, len)) {
        transfer->stop = STOP_LONG_HEADERS;
        return 0;
    }
    return len;
}

static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx) {
    struct berth_harbor_transfer *transfer = ctx;
    size_t len = size * count;
    enum berth_rc rc = berth_buffer_append(&transfer->body, data, len);
    if (rc != BERTH_OK) {
        transfer->stop = rc == BERTH_BUSY ? STOP_LONG_BODY : STOP_NO_MEMORY;
        return 0;
    }
    return len;
}
