/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS: registries that speak https, and want a certificate of their clients if asked to.
 */
#ifndef BERTH_SANDBOX_TLS_H
#define BERTH_SANDBOX_TLS_H

#include "berth/base/result.h"

struct evhttp;
struct berth_sandbox_tls;

/* PEM files: the certificate with its chain, its key, and the authority whose clients alone are
 * let in (NULL: anybody). BERTH_FAULT_LIBRARY: one can't be used. */
BERTH_MUST_USE enum berth_rc berth_sandbox_tls_new(const char *certificate_file,
                                                   const char *key_file, const char *client_ca_file,
                                                   struct berth_sandbox_tls **ret_tls,
                                                   struct berth_error *reterr);
struct berth_sandbox_tls *berth_sandbox_tls_free(struct berth_sandbox_tls *tls);

/* All connections of the server are TLS from now on. The TLS outlives it. */
void berth_sandbox_tls_use(struct berth_sandbox_tls *tls, struct evhttp *server);

#endif
