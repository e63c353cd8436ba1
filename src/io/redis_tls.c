/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS to Redis: hiredis carries it, what is checked is decided here. Its own contexts don't compare
 * the certificate with the server's name, and keep the reason of a failure to themselves.
 */
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "redis_client_parts.h"
#include "redis_resolve.h"

/* What OpenSSL complained of first, which is the cause of the rest; its queue is empty afterwards.
 * NULL: nothing. */
static const char *complaint(void) {
    unsigned long code = ERR_peek_error();
    ERR_clear_error();
    if (code == 0) {
        return NULL;
    }
    return ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
}

static bool failed(char ret_why[REDIS_WHY_BYTES], const char *what) {
    const char *text = complaint();
    snprintf(ret_why, REDIS_WHY_BYTES, "TLS: %s: %s", what, text != NULL ? text : "unusable");
    return false;
}

/* A key with a password can't be read: OpenSSL would ask the terminal for it. */
static int no_password_cb(char *buffer, int size, int writing, void *ctx) {
    (void)buffer;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

/* Asked for when we have none to show: that it was asked is kept with the connection. */
static int certificate_asked_cb(SSL *tls, X509 **ret_certificate, EVP_PKEY **ret_key) {
    static char asked[] = "asked";
    (void)ret_certificate;
    (void)ret_key;
    SSL_set_app_data(tls, asked);
    return 0;
}

static bool load_files(SSL_CTX *context, const struct berth_redis_server *server,
                       char ret_why[REDIS_WHY_BYTES]) {
    SSL_CTX_set_default_passwd_cb(context, no_password_cb);
    const char *certificate = server->client_cert_file;
    const char *key = server->client_key_file != NULL ? server->client_key_file : certificate;
    bool trusted = server->ca_file != NULL ? SSL_CTX_load_verify_file(context, server->ca_file) == 1
                                           : SSL_CTX_set_default_verify_paths(context) == 1;
    if (!trusted) {
        return failed(ret_why, server->ca_file != NULL ? server->ca_file : "the system's CAs");
    }
    if (certificate != NULL && SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        return failed(ret_why, certificate);
    }
    if (key != NULL && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        return failed(ret_why, key);
    }
    return true;
}

/* With a context of its own: files that were renewed count from the next connect on. */
static SSL *make_tls(const struct berth_redis_server *server, const char *name,
                     char ret_why[REDIS_WHY_BYTES]) {
    SSL *tls = NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        (void)failed(ret_why, "it can't be begun");
    } else if (load_files(context, server, ret_why)) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_client_cert_cb(context, certificate_asked_cb);
        tls = SSL_new(context);
        bool named = tls != NULL && SSL_set1_host(tls, name) == 1 &&
                     (berth_redis_is_numeric(name) || SSL_set_tlsext_host_name(tls, name) == 1);
        if (!named) {
            (void)failed(ret_why, name);
            SSL_free(tls);
            tls = NULL;
        }
    }
    SSL_CTX_free(context); /* The SSL has its own reference. */
    return tls;
}

SSL *redis_tls_begin(const struct berth_redis_client *client, redisAsyncContext *connection,
                     char ret_why[REDIS_WHY_BYTES]) {
    const struct berth_redis_server *server = &client->config.server;
    const char *name = server->server_name != NULL ? server->server_name : client->host;
    ERR_clear_error();
    SSL *tls = make_tls(server, name, ret_why);
    if (tls != NULL && redisInitiateSSL(&connection->c, tls) != REDIS_OK) {
        if (!redis_tls_why(tls, false, ret_why)) {
            snprintf(ret_why, REDIS_WHY_BYTES, "TLS: %s", connection->c.errstr);
        }
        SSL_free(tls);
        return NULL;
    }
    return tls;
}

bool redis_tls_why(SSL *tls, bool was_ready, char ret_why[REDIS_WHY_BYTES]) {
    ret_why[0] = '\0';
    long verdict = SSL_get_verify_result(tls);
    const char *text = complaint();
    if (verdict != X509_V_OK) {
        snprintf(ret_why, REDIS_WHY_BYTES, "TLS: its certificate isn't accepted: %s",
                 X509_verify_cert_error_string(verdict));
    } else if (!was_ready && SSL_get_app_data(tls) != NULL) {
        /* Its alert is often lost: it hangs up with our greeting unread. */
        snprintf(ret_why, REDIS_WHY_BYTES,
                 "TLS: it asks for a certificate of ours and hangs up: set client_cert_file");
    } else if (text != NULL) {
        snprintf(ret_why, REDIS_WHY_BYTES, "TLS: %s", text);
    }
    return ret_why[0] != '\0';
}

bool redis_tls_up(const SSL *tls) {
    return SSL_is_init_finished(tls) == 1;
}
