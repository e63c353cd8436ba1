/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes of small things. OpenSSL 3 looks an algorithm up by its name each time that EVP_sha256()
 * or EVP_sha1() is used, which takes longer than hashing a hundred bytes (callgrind: about a
 * tenth of what making a publication costs), so each is looked up once and kept until the process
 * ends.
 */
#ifndef BERTH_SRC_CODEC_DIGEST_H
#define BERTH_SRC_CODEC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define BERTH_SHA1_BYTES   20
#define BERTH_SHA256_BYTES 32

enum berth_digest_kind {
    BERTH_SHA1,
    BERTH_SHA256,
};
#define BERTH_DIGEST_KINDS 2

struct evp_md_ctx_st;

/* What is hashed, in pieces; small ones gather before OpenSSL sees them. */
struct berth_digest {
    struct evp_md_ctx_st *openssl;
    uint8_t gathered[256];
    size_t gathered_len;
};

/* Ended with berth_digest_end(). */
void berth_digest_begin(struct berth_digest *digest, enum berth_digest_kind kind);
void berth_digest_add(struct berth_digest *digest, const void *data, size_t len);
/* ret_hash has the kind's number of bytes. */
void berth_digest_end(struct berth_digest *digest, uint8_t *ret_hash);

/* The SHA-256 of one piece. */
void berth_digest_sha256(const void *data, size_t len, uint8_t ret_hash[BERTH_SHA256_BYTES]);

#endif
