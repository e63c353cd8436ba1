/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

void berth_sandbox_crypto_mac(const unsigned char *key, size_t key_bytes, const char *text,
                              unsigned char ret_mac[BERTH_SANDBOX_CRYPTO_MAC_BYTES]) {
    unsigned len = 0;
    const unsigned char *mac = HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)text,
                                    strlen(text), ret_mac, &len);
    BERTH_ASSERT(mac != NULL);
    BERTH_ASSERT(len == BERTH_SANDBOX_CRYPTO_MAC_BYTES);
}

void berth_sandbox_crypto_mac_hex(const unsigned char *key, size_t key_bytes, const char *text,
                                  char ret_hex[BERTH_SANDBOX_CRYPTO_MAC_HEX_BYTES]) {
    unsigned char mac[BERTH_SANDBOX_CRYPTO_MAC_BYTES];
    berth_sandbox_crypto_mac(key, key_bytes, text, mac);
    berth_sandbox_crypto_hex(mac, sizeof(mac), ret_hex);
}

void berth_sandbox_crypto_hex(const unsigned char *data, size_t bytes, char *ret_hex) {
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        ret_hex[2 * i] = DIGITS[data[i] >> 4];
        ret_hex[2 * i + 1] = DIGITS[data[i] & 0x0f];
    }
    ret_hex[2 * bytes] = '\0';
}

char *berth_sandbox_crypto_base64_text(const char *encoded) {
    size_t len = strlen(encoded);
    if (len == 0 || len % 4 != 0) {
        return NULL;
    }
    char *text = berth_sandbox_alloc(len / 4 * 3 + 1);
    int bytes = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)encoded, (int)len);
    if (bytes < 0) {
        free(text);
        return NULL;
    }
    /* EVP_DecodeBlock counts the padding as bytes. */
    bytes -= encoded[len - 1] == '=' ? 1 : 0;
    bytes -= encoded[len - 2] == '=' ? 1 : 0;
    text[bytes] = '\0';
    if (strlen(text) != (size_t)bytes) {
        free(text);
        return NULL;
    }
    return text;
}

char *berth_sandbox_crypto_base64url(const void *data, size_t bytes) {
    char *text = berth_sandbox_alloc((bytes + 2) / 3 * 4 + 1);
    (void)EVP_EncodeBlock((unsigned char *)text, data, (int)bytes);
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '+') {
            *at = '-';
        } else if (*at == '/') {
            *at = '_';
        } else if (*at == '=') {
            *at = '\0';
            break;
        }
    }
    return text;
}

char *berth_sandbox_crypto_base64url_text(const char *encoded) {
    size_t len = strlen(encoded);
    char *padded = berth_sandbox_alloc(len + 4);
    memcpy(padded, encoded, len);
    for (char *at = padded; *at != '\0'; at++) {
        *at = *at == '-' ? '+' : *at;
        *at = *at == '_' ? '/' : *at;
    }
    while (len % 4 != 0) {
        padded[len++] = '=';
    }
    char *text = berth_sandbox_crypto_base64_text(padded);
    free(padded);
    return text;
}
