/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encodings and signatures of the stand-in: Base64 of Basic logins and tokens, HMAC-SHA256.
 */
#ifndef BERTH_SANDBOX_HARBOR_CRYPTO_H
#define BERTH_SANDBOX_HARBOR_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#define BERTH_SANDBOX_CRYPTO_MAC_BYTES     32
#define BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES (2 * BERTH_SANDBOX_CRYPTO_MAC_BYTES + 1)

/* HMAC-SHA256 of text. */
void berth_sandbox_crypto_mac(const unsigned char *key, size_t key_bytes, const char *text,
                              unsigned char ret_mac[BERTH_SANDBOX_CRYPTO_MAC_BYTES]);

/* The same as lower-case hex digits with their NUL. */
void berth_sandbox_crypto_mac_hex(const unsigned char *key, size_t key_bytes, const char *text,
                                  char ret_hex[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES]);

/* Lower-case hex digits and a NUL: 2 * bytes + 1 characters. */
void berth_sandbox_crypto_hex(const unsigned char *data, size_t bytes, char *ret_hex);

/* Decodes padded Base64; the result (free()) is followed by a NUL. NULL: it is none, or holds a
 * NUL. */
char *berth_sandbox_crypto_base64_text(const char *encoded);

/* Base64url without padding (RFC 7515); the result is the caller's to free(). */
char *berth_sandbox_crypto_base64url(const void *data, size_t bytes);

/* Decodes base64url; as berth_sandbox_crypto_base64_text. */
char *berth_sandbox_crypto_base64url_text(const char *encoded);

#endif
