/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_token.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_crypto.h"
#include "sandbox_memory.h"

static char *encode_json(const json_t *json);
static char *signature_of(const struct berth_sandbox_harbor *harbor, const char *signed_part);

char *berth_sandbox_token_sign(const struct berth_sandbox_harbor *harbor,
                               const struct json_t *payload) {
    json_t *header =
        json_pack("{s:s,s:s,s:s}", "alg", "HS256", "typ", "JWT", "kid", "berth-sandbox");
    BERTH_ASSERT(header != NULL);
    char *first = encode_json(header);
    char *second = encode_json(payload);
    json_decref(header);
    char *signed_part = NULL;
    char *token = NULL;
    BERTH_ASSERT(asprintf(&signed_part, "%s.%s", first, second) > 0);
    char *signature = signature_of(harbor, signed_part);
    BERTH_ASSERT(asprintf(&token, "%s.%s", signed_part, signature) > 0);
    free(first);
    free(second);
    free(signed_part);
    free(signature);
    return token;
}

struct json_t *berth_sandbox_token_verify(const struct berth_sandbox_harbor *harbor,
                                          const char *token, int64_t now_ms) {
    const char *dot = strrchr(token, '.');
    if (dot == NULL) {
        return NULL;
    }
    char *signed_part = berth_sandbox_copy(token);
    signed_part[dot - token] = '\0';
    char *expected = signature_of(harbor, signed_part);
    char *payload = NULL;
    const char *encoded = strchr(signed_part, '.');
    if (encoded != NULL && strcmp(expected, dot + 1) == 0) {
        payload = berth_sandbox_crypto_base64url_text(encoded + 1);
    }
    json_t *json = payload == NULL ? NULL : json_loads(payload, 0, NULL);
    if (json != NULL && json_integer_value(json_object_get(json, "exp")) <= now_ms / 1000) {
        json_decref(json);
        json = NULL;
    }
    free(payload);
    free(expected);
    free(signed_part);
    return json;
}

static char *encode_json(const json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT);
    BERTH_ASSERT(text != NULL);
    char *encoded = berth_sandbox_crypto_base64url(text, strlen(text));
    free(text);
    return encoded;
}

static char *signature_of(const struct berth_sandbox_harbor *harbor, const char *signed_part) {
    unsigned char mac[BERTH_SANDBOX_CRYPTO_MAC_BYTES];
    berth_sandbox_crypto_mac(harbor->key, sizeof(harbor->key), signed_part, mac);
    return berth_sandbox_crypto_base64url(mac, sizeof(mac));
}
