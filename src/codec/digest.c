/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>

#include "berth/base/assert.h"

static EVP_MD *algorithm(enum berth_digest_kind kind);
static void flush(struct berth_digest *digest);

void berth_digest_begin(struct berth_digest *digest, enum berth_digest_kind kind) {
    digest->gathered_len = 0;
    digest->openssl = EVP_MD_CTX_new();
    BERTH_ASSERT(digest->openssl != NULL);
    int done = EVP_DigestInit_ex2(digest->openssl, algorithm(kind), NULL);
    BERTH_ASSERT(done == 1);
}

void berth_digest_add(struct berth_digest *digest, const void *data, size_t len) {
    if (len > sizeof digest->gathered - digest->gathered_len) {
        flush(digest);
    }
    if (len > sizeof digest->gathered) {
        int done = EVP_DigestUpdate(digest->openssl, data, len);
        BERTH_ASSERT(done == 1);
        return;
    }
    if (len > 0) {
        memcpy(digest->gathered + digest->gathered_len, data, len);
        digest->gathered_len += len;
    }
}

void berth_digest_end(struct berth_digest *digest, uint8_t *ret_hash) {
    flush(digest);
    int done = EVP_DigestFinal_ex(digest->openssl, ret_hash, NULL);
    BERTH_ASSERT(done == 1);
    EVP_MD_CTX_free(digest->openssl);
    digest->openssl = NULL;
}

void berth_digest_sha256(const void *data, size_t len, uint8_t ret_hash[BERTH_SHA256_BYTES]) {
    int done = EVP_Digest(data, len, ret_hash, NULL, algorithm(BERTH_SHA256), NULL);
    BERTH_ASSERT(done == 1);
}

/* Whichever thread comes first keeps it for all; what a second one has looked up meanwhile is given
 * back. */
static EVP_MD *algorithm(enum berth_digest_kind kind) {
    static const char *const names[BERTH_DIGEST_KINDS] = {
        [BERTH_SHA1] = "SHA1", [BERTH_SHA256] = "SHA256"};
    static _Atomic(EVP_MD *) kept[BERTH_DIGEST_KINDS];
    EVP_MD *known = atomic_load_explicit(&kept[kind], memory_order_acquire);
    if (known != NULL) {
        return known;
    }
    EVP_MD *fetched = EVP_MD_fetch(NULL, names[kind], NULL);
    BERTH_ASSERT(fetched != NULL);
    if (atomic_compare_exchange_strong(&kept[kind], &known, fetched)) {
        return fetched;
    }
    EVP_MD_free(fetched);
    return known;
}

static void flush(struct berth_digest *digest) {
    if (digest->gathered_len > 0) {
        int done = EVP_DigestUpdate(digest->openssl, digest->gathered, digest->gathered_len);
        BERTH_ASSERT(done == 1);
        digest->gathered_len = 0;
    }
}
