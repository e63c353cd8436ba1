/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_client_transfer.h"

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
#include "harbor_client_headers.h"

/* Idle connections are dropped before the server does it: nginx closes them after 65 s or more. */
#define IDLE_MAX_S 30L
/* A longer wait than this is nobody's business to ask for. */
#define RETRY_AFTER_MAX_S 3600

/* A probe that hangs keeps the next one from finding the registry well again. */
#define PROBE_MAX_MS 2000L

/* Why a transfer was stopped by us. */
enum stop {
    STOP_NONE,
    STOP_LATE,   /* not_after_ms passed before it was sent. */
    STOP_SECOND, /* curl was about to send a write once more. */
    STOP_LONG_HEADERS,
    STOP_LONG_BODY,
    STOP_NO_MEMORY,
};

struct berth_harbor_transfer {
    const struct berth_harbor_endpoint *endpoint;
    void *owner;
    CURL *easy;
    char curl_says[CURL_ERROR_SIZE];

    const struct berth_harbor_call *call; /* NULL: idle. */
    bool looking_up;                      /* The first round of an ENABLE_ROBOT. */
    bool is_write;                        /* Of this round's request. */
    struct berth_harbor_request request;
    char request_id_line[sizeof "X-Request-Id: " + BERTH_REQUEST_ID_BYTES];
    struct curl_slist request_id_header;
    struct curl_slist resource_name_header;

    bool sent; /* A byte of the request may have left. */
    enum stop stop;
    struct berth_harbor_headers headers;
    struct berth_buffer body;
};

static char resource_name_line[] = "X-Is-Resource-Name: true";

static int set_lasting_options(struct berth_harbor_transfer *transfer);
static enum berth_rc begin_round(struct berth_harbor_transfer *transfer, const char *login_name);
static enum berth_rc make_request(struct berth_harbor_transfer *transfer, const char *login_name);
static enum berth_rc set_request(struct berth_harbor_transfer *transfer);
static struct curl_slist *link_headers(struct berth_harbor_transfer *transfer);
static struct berth_harbor_reply reply_of(const struct berth_harbor_transfer *transfer);
static bool end_lookup(struct berth_harbor_transfer *transfer,
                       const struct berth_harbor_reply *reply,
                       struct berth_harbor_answer *ret_answer);
static void answer_failure(const struct berth_harbor_transfer *transfer, CURLcode code,
                           struct berth_harbor_answer *answer);
static const char *failure_text(const struct berth_harbor_transfer *transfer, CURLcode code);
static const char *failure_detail(const struct berth_harbor_transfer *transfer, CURLcode code);
static int curl_socket_made_cb(void *ctx, curl_socket_t fd, curlsocktype purpose);
static int curl_before_sending_cb(void *ctx, char *peer, char *own, int peer_port, int own_port);
static size_t curl_header_cb(char *data, size_t size, size_t count, void *ctx);
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx);

enum berth_rc berth_harbor_transfer_new(const struct berth_harbor_endpoint *endpoint, void *owner,
                                        struct berth_harbor_transfer **ret_transfer) {
    struct berth_harbor_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    transfer->endpoint = endpoint;
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
    free(transfer);
    return NULL;
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
                                          const struct berth_harbor_call *call) {
    BERTH_ASSERT(transfer->call == NULL);
    transfer->call = call;
    transfer->looking_up = call->kind == BERTH_HARBOR_ENABLE_ROBOT;
    enum berth_rc rc = begin_round(transfer, NULL);
    if (rc != BERTH_OK) {
        berth_harbor_transfer_abandon(transfer);
    }
    return rc;
}

bool berth_harbor_transfer_end(struct berth_harbor_transfer *transfer, CURLcode code,
                               struct berth_harbor_decoded *ret_decoded) {
    BERTH_ASSERT(transfer->call != NULL);
    *ret_decoded = (struct berth_harbor_decoded){.robots = NULL};
    if (code != CURLE_OK) {
        answer_failure(transfer, code, &ret_decoded->answer);
    } else {
        struct berth_harbor_reply reply = reply_of(transfer);
        if (transfer->looking_up) {
            if (!end_lookup(transfer, &reply, &ret_decoded->answer)) {
                return false;
            }
        } else {
            berth_harbor_reply_decode(transfer->call, transfer->endpoint->deployment,
                                      transfer->endpoint->registry->echo_waived, &reply,
                                      ret_decoded);
        }
    }
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
    transfer->call = NULL;
}

/* What is the same for every request of this registry; curl keeps it. Zero when all went well. */
static int set_lasting_options(struct berth_harbor_transfer *transfer) {
    const struct berth_harbor_registry_config *registry = transfer->endpoint->registry;
    CURL *easy = transfer->easy;
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_says);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* What is reached is what the configuration names, not what the environment adds. */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    bad |=
        (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)registry->connect_timeout_ms);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, curl_socket_made_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, curl_before_sending_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, curl_header_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (registry->ca_file != NULL) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CAINFO, registry->ca_file);
    }
    return bad;
}

/* One request of the call; login_name is there for the second round of an ENABLE_ROBOT. */
static enum berth_rc begin_round(struct berth_harbor_transfer *transfer, const char *login_name) {
    enum berth_rc rc = make_request(transfer, login_name);
    if (rc != BERTH_OK) {
        return rc;
    }
    transfer->is_write = !transfer->looking_up && berth_harbor_call_is_write(transfer->call->kind);
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
        .deployment = endpoint->deployment,
        .login_name = login_name,
    };
    char secret[BERTH_PULL_SECRET_BYTES] = "";
    if (call->kind == BERTH_HARBOR_SET_SECRET) {
        uint8_t workspace_key[BERTH_WORKSPACE_KEY_BYTES];
        berth_workspace_key(endpoint->master_key, call->workspace, workspace_key);
        berth_pull_secret(workspace_key, endpoint->registry->uid, call->project_id, call->robot_id,
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
    const char *base_url = transfer->endpoint->base_url;
    CURL *easy = transfer->easy;
    char *url = NULL;
    if (asprintf(&url, "%s%s", base_url, request->path) < 0) {
        return BERTH_FAULT_MEMORY;
    }
    int bad = (int)curl_easy_setopt(easy, CURLOPT_URL, url);
    free(url);
    long timeout_ms = transfer->endpoint->registry->request_timeout_ms;
    if (transfer->call->kind == BERTH_HARBOR_PROBE && timeout_ms > PROBE_MAX_MS) {
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

/* What differs from request to request goes before what the registry's requests have in common. */
static struct curl_slist *link_headers(struct berth_harbor_transfer *transfer) {
    const struct berth_harbor_endpoint *endpoint = transfer->endpoint;
    /* curl's list has no const, and curl doesn't write into it. */
    struct curl_slist *common =
        (struct curl_slist *)(uintptr_t)(transfer->request.body.len > 0 ? &endpoint->content_type
                                                                        : &endpoint->plain);
    if (transfer->request.resource_name) {
        transfer->resource_name_header =
            (struct curl_slist){.data = resource_name_line, .next = common};
        common = &transfer->resource_name_header;
    }
    int len = snprintf(transfer->request_id_line, sizeof transfer->request_id_line,
                       "X-Request-Id: %s", transfer->call->request_id);
    BERTH_ASSERT(len > 0);
    transfer->request_id_header =
        (struct curl_slist){.data = transfer->request_id_line, .next = common};
    return &transfer->request_id_header;
}

static struct berth_harbor_reply reply_of(const struct berth_harbor_transfer *transfer) {
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
                       const struct berth_harbor_reply *reply,
                       struct berth_harbor_answer *ret_answer) {
    char login_name[BERTH_HARBOR_LOGIN_BYTES];
    berth_harbor_lookup_decode(transfer->call, transfer->endpoint->deployment,
                               transfer->endpoint->registry->echo_waived, reply, ret_answer,
                               login_name);
    if (ret_answer->verdict != BERTH_HARBOR_DONE) {
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
    bool broke = transfer->stop == STOP_NONE || transfer->stop == STOP_SECOND;
    answer->trouble = broke ? BERTH_HARBOR_TROUBLE_CONNECTION : BERTH_HARBOR_TROUBLE_NONE;
    const char *detail = failure_detail(transfer, code);
    (void)snprintf(answer->error, sizeof answer->error, "%.90s%s%.34s",
                   failure_text(transfer, code), detail[0] == 0 ? "" : ": ", detail);
}

static const char *failure_text(const struct berth_harbor_transfer *transfer, CURLcode code) {
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
    unsigned timeout_ms = (unsigned)transfer->endpoint->registry->request_timeout_ms;
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
    if (!berth_harbor_headers_take(&transfer->headers, transfer->call->request_id, data, len)) {
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
