/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session cookies, CSRF and the login of the web page.
 * Sources: src/server/middleware/session, src/server/middleware/csrf/csrf.go (gorilla/csrf),
 * src/core/controllers/base.go.
 *
 * The CSRF cookie is a random value with a MAC; the token that belongs to it is another MAC of it.
 * So nothing needs to be remembered, any number of requests may use a pair, and a pair of another
 * Harbor (or of this one before its restart) is invalid, as it is with gorilla's key.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_crypto.h"

#define CSRF_COOKIE       "_gorilla_csrf"
#define CSRF_NONCE_BYTES  ((size_t)16)
#define CSRF_NONCE_CHARS  (2 * CSRF_NONCE_BYTES)
#define CSRF_COOKIE_CHARS (CSRF_NONCE_CHARS + 1 + BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES - 1)
#define CSRF_LIFE_S       43200

static bool cookie_value(const char *cookies, const char *name,
                         char ret_value[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX]);
static void begin_session(struct berth_sandbox_call *call, const struct berth_model_user *user);
static bool csrf_applies(const struct berth_sandbox_call *call, bool carries_session);
static bool check_csrf(struct berth_sandbox_call *call);
static bool csrf_cookie_valid(const struct berth_sandbox_harbor *harbor, const char *cookie);
static void csrf_cookie_new(const struct berth_sandbox_harbor *harbor,
                            char ret_cookie[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX]);
static void csrf_mac(const struct berth_sandbox_harbor *harbor, const char *purpose,
                     const char *text, char ret_hex[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES]);
static bool starts_with(const char *text, const char *prefix);

bool berth_sandbox_admit(struct berth_sandbox_call *call) {
    const struct berth_model_user *user = NULL;
    bool carries = cookie_value(call->request->cookie, "sid", call->session_id);
    bool known = call->handling->session != BERTH_SANDBOX_SESSION_UNKNOWN;
    if (carries && known &&
        berth_sandbox_sessions_use(call->harbor->sessions, call->session_id, call->request->now_ms,
                                   &user)) {
        if (user != NULL && !user->deleted &&
            call->handling->session != BERTH_SANDBOX_SESSION_USERLESS) {
            call->caller = berth_model_as_user(user);
        }
    } else if (call->ret_reading == NULL) {
        begin_session(call, NULL);
    }
    return !csrf_applies(call, carries) || check_csrf(call);
}

void berth_sandbox_login(struct berth_sandbox_call *call) {
    struct berth_sandbox_url_params form;
    berth_sandbox_url_params_init(&form, call->request->body, call->request->body_bytes);
    const char *principal = berth_sandbox_url_params_get(&form, "principal");
    const char *password = berth_sandbox_url_params_get(&form, "password");
    struct berth_model_caller caller = berth_model_as_anonymous();
    if (principal != NULL && password != NULL) {
        caller = berth_sandbox_call_login(call, principal, password);
    }
    berth_sandbox_url_params_deinit(&form);
    /* Robots can't have a session. */
    if (caller.kind != BERTH_MODEL_USER) {
        berth_sandbox_reply_empty(call->reply, 401);
        return;
    }
    berth_sandbox_sessions_end(call->harbor->sessions, call->session_id);
    begin_session(call, caller.user);
    berth_sandbox_reply_empty(call->reply, 200);
}

void berth_sandbox_logout(struct berth_sandbox_call *call) {
    berth_sandbox_sessions_end(call->harbor->sessions, call->session_id);
    berth_sandbox_reply_empty(call->reply, 200);
}

/* Copies the value of a cookie. False: there is none, or it is longer than any of ours. */
static bool cookie_value(const char *cookies, const char *name,
                         char ret_value[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX]) {
    size_t name_len = strlen(name);
    const char *at = cookies;
    while (at != NULL && *at != '\0') {
        at += strspn(at, " ;");
        size_t len = strcspn(at, ";");
        if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=' &&
            len - name_len - 1 < BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX) {
            memcpy(ret_value, at + name_len + 1, len - name_len - 1);
            ret_value[len - name_len - 1] = '\0';
            return true;
        }
        at += len;
    }
    return false;
}

/* The reply carries the new sid: the only sign by which a client learns that its own is unknown. */
static void begin_session(struct berth_sandbox_call *call, const struct berth_model_user *user) {
    unsigned char random[BERTH_SANDBOX_SESSION_ID_CHARS / 2];
    call->harbor->fill_random(random, sizeof(random));
    berth_sandbox_crypto_hex(random, sizeof(random), call->session_id);
    berth_sandbox_sessions_begin(call->harbor->sessions, call->session_id, user,
                                 call->request->now_ms);
    berth_sandbox_reply_header(call->reply, "Set-Cookie", "sid=%s; Path=/; HttpOnly",
                               call->session_id);
}

/* Clients without a session are spared below the paths that programs use. */
static bool csrf_applies(const struct berth_sandbox_call *call, bool carries_session) {
    const char *path = call->request->path;
    return carries_session || !(starts_with(path, "/api/") || starts_with(path, "/v2/") ||
                                starts_with(path, "/service/"));
}

static bool check_csrf(struct berth_sandbox_call *call) {
    char cookie[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX];
    bool valid = cookie_value(call->request->cookie, CSRF_COOKIE, cookie) &&
                 csrf_cookie_valid(call->harbor, cookie);
    if (!valid) {
        csrf_cookie_new(call->harbor, cookie);
        berth_sandbox_reply_header(call->reply, "Set-Cookie",
                                   CSRF_COOKIE "=%s; Path=/; Max-Age=%d; HttpOnly;"
                                               " SameSite=Strict",
                                   cookie, CSRF_LIFE_S);
    }
    char token[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES];
    csrf_mac(call->harbor, "token", cookie, token);
    berth_sandbox_reply_header(call->reply, "X-Harbor-CSRF-Token", "%s", token);
    const char *sent = call->request->csrf_token;
    if (berth_sandbox_method_is_safe(call->request->method)) {
        return true;
    }
    if (sent == NULL || sent[0] == '\0') {
        berth_sandbox_reply_error(call->reply, 403, "FORBIDDEN", "CSRF token not found in request");
        return false;
    }
    if (!valid || strcmp(sent, token) != 0) {
        berth_sandbox_reply_error(call->reply, 403, "FORBIDDEN", "CSRF token invalid");
        return false;
    }
    return true;
}

/* "<nonce>.<MAC of the nonce>" */
static bool csrf_cookie_valid(const struct berth_sandbox_harbor *harbor, const char *cookie) {
    char nonce[CSRF_NONCE_CHARS + 1];
    char mac[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES];
    if (strlen(cookie) != CSRF_COOKIE_CHARS || cookie[CSRF_NONCE_CHARS] != '.') {
        return false;
    }
    memcpy(nonce, cookie, CSRF_NONCE_CHARS);
    nonce[CSRF_NONCE_CHARS] = '\0';
    csrf_mac(harbor, "cookie", nonce, mac);
    return strcmp(cookie + CSRF_NONCE_CHARS + 1, mac) == 0;
}

static void csrf_cookie_new(const struct berth_sandbox_harbor *harbor,
                            char ret_cookie[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX]) {
    unsigned char random[CSRF_NONCE_BYTES];
    char nonce[CSRF_NONCE_CHARS + 1];
    char mac[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES];
    harbor->fill_random(random, sizeof(random));
    berth_sandbox_crypto_hex(random, sizeof(random), nonce);
    csrf_mac(harbor, "cookie", nonce, mac);
    (void)snprintf(ret_cookie, BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX, "%s.%s", nonce, mac);
}

static void csrf_mac(const struct berth_sandbox_harbor *harbor, const char *purpose,
                     const char *text, char ret_hex[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES]) {
    char signed_text[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX + 16];
    (void)snprintf(signed_text, sizeof(signed_text), "%s|%s", purpose, text);
    berth_sandbox_crypto_mac_hex(harbor->csrf_key, sizeof(harbor->csrf_key), signed_text, ret_hex);
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}
