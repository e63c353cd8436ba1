/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

struct berth_sandbox_tls {
    SSL_CTX *context;
};

static bool load(SSL_CTX *context, const char *certificate_file, const char *key_file,
                 const char *client_ca_file);
static struct bufferevent *connection_cb(struct event_base *base, void *context);

enum berth_rc berth_sandbox_tls_new(const char *certificate_file, const char *key_file,
                                    const char *client_ca_file, struct berth_sandbox_tls **ret_tls,
                                    struct berth_error *reterr) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    BERTH_ASSERT(context != NULL);
    if (!load(context, certificate_file, key_file, client_ca_file)) {
        char text[256];
        ERR_error_string_n(ERR_get_error(), text, sizeof(text));
        berth_error_set(reterr, "TLS: the certificate, its key or the authority: %s", text);
        SSL_CTX_free(context);
        return BERTH_FAULT_LIBRARY;
    }
    struct berth_sandbox_tls *tls = berth_sandbox_alloc(sizeof(*tls));
    tls->context = context;
    *ret_tls = tls;
    return BERTH_OK;
}

struct berth_sandbox_tls *berth_sandbox_tls_free(struct berth_sandbox_tls *tls) {
    if (tls != NULL) {
        SSL_CTX_free(tls->context);
        free(tls);
    }
    return NULL;
}

void berth_sandbox_tls_use(struct berth_sandbox_tls *tls, struct evhttp *server) {
    evhttp_set_bevcb(server, connection_cb, tls);
}

static bool load(SSL_CTX *context, const char *certificate_file, const char *key_file,
                 const char *client_ca_file) {
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        return false;
    }
    if (client_ca_file == NULL) {
        return true;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return SSL_CTX_load_verify_locations(context, client_ca_file, NULL) == 1;
}

static struct bufferevent *connection_cb(struct event_base *base, void *context) {
    const struct berth_sandbox_tls *tls = context;
    SSL *ssl = SSL_new(tls->context);
    BERTH_ASSERT(ssl != NULL);
    struct bufferevent *channel = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    BERTH_ASSERT(channel != NULL);
    bufferevent_openssl_set_allow_dirty_shutdown(channel, 1);
    return channel;
}
