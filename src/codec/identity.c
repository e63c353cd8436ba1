/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/codec/identity.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"
#include "digest.h"

#define UUID_RAW_BYTES 16
#define SHA256_BYTES   BERTH_SHA256_BYTES
/* "ws-" leaves 52 for a plain slug in a name that every Harbor takes; a hash needs "h-" and 52. */
#define SLUG_PLAIN_MAX 52

/* UUIDv5 of "berth.io" under RFC 4122's namespace for names of the DNS. */
static const uint8_t NAMESPACE[UUID_RAW_BYTES] = {
    0xcd, 0x84, 0x69, 0x7a, 0x78, 0x1a, 0x5e, 0xcc, 0x96, 0x82, 0x9a, 0xa7, 0x6e, 0xa8, 0x8d, 0xa6,
};

static void format_uuid(uint8_t raw[UUID_RAW_BYTES], int version, char ret_uuid[BERTH_UUID_BYTES]);
static void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                        uint8_t ret_mac[SHA256_BYTES]);
static void digest_text(struct berth_digest *digest, const char *text);
static void digest_number(struct berth_digest *digest, int64_t number);
static const char *visibility_text(enum berth_visibility visibility);
static bool slug_is_plain(const char *workspace);
static void base32_lower(const uint8_t *data, size_t len, char *ret_text);
static void base62(const uint8_t number[SHA256_BYTES], char *ret_text, size_t text_bytes);

void berth_uuid5(const char *name, size_t name_len, char ret_uuid[BERTH_UUID_BYTES]) {
    struct berth_digest digest;
    uint8_t hash[BERTH_SHA1_BYTES];
    berth_digest_begin(&digest, BERTH_SHA1);
    berth_digest_add(&digest, NAMESPACE, sizeof NAMESPACE);
    berth_digest_add(&digest, name, name_len);
    berth_digest_end(&digest, hash);
    format_uuid(hash, 5, ret_uuid);
}

void berth_sha256_hex(struct berth_bytes data, char ret_hex[BERTH_SHA256_HEX_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[BERTH_SHA256_BYTES];
    _Static_assert(2 * sizeof hash + 1 == BERTH_SHA256_HEX_BYTES, "two digits a byte");
    berth_digest_sha256(data.data, data.len, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        ret_hex[2 * i] = digits[hash[i] >> 4];
        ret_hex[2 * i + 1] = digits[hash[i] & 15];
    }
    ret_hex[BERTH_SHA256_HEX_BYTES - 1] = '\0';
}

enum berth_rc berth_uuid4(char ret_uuid[BERTH_UUID_BYTES]) {
    uint8_t raw[UUID_RAW_BYTES];
    if (RAND_bytes(raw, sizeof raw) != 1) {
        return BERTH_FAULT_LIBRARY;
    }
    format_uuid(raw, 4, ret_uuid);
    return BERTH_OK;
}

void berth_command_digest(const struct berth_command *command,
                          uint8_t ret_digest[BERTH_DIGEST_BYTES]) {
    struct berth_digest hashed;
    struct berth_digest *digest = &hashed;
    berth_digest_begin(digest, BERTH_SHA256);
    /* The ledger compares digests that other versions of berth have made, so words stand here
     * instead of the enums' numbers, and the first word changes whenever the list does. */
    digest_text(digest, "berth command 1");
    digest_text(digest, berth_command_type_name(command->type));
    digest_text(digest, command->id);
    digest_text(digest, command->registry);
    digest_text(digest, command->space);
    digest_text(digest, command->actor);
    digest_text(digest, visibility_text(command->visibility));
    digest_number(digest, command->quota_given ? 1 : 0);
    digest_number(digest, command->quota_given ? command->quota_bytes : 0);
    digest_text(digest, command->if_exists == BERTH_IF_EXISTS_ADOPT ? "ADOPT" : "FAIL");
    digest_number(digest, command->unbind ? 1 : 0);
    digest_number(digest, (int64_t)command->workspaces_count);
    for (size_t i = 0; i < command->workspaces_count; i++) {
        digest_text(digest, command->workspaces[i].id);
    }
    berth_digest_end(digest, ret_digest);
}

void berth_robot_name(const char *workspace, char ret_name[BERTH_ROBOT_NAME_BYTES]) {
    if (slug_is_plain(workspace)) {
        (void)snprintf(ret_name, BERTH_ROBOT_NAME_BYTES, "ws-%s", workspace);
        return;
    }
    uint8_t hash[SHA256_BYTES];
    berth_digest_sha256(workspace, strlen(workspace), hash);
    char text[SHA256_BYTES * 8 / 5 + 2];
    base32_lower(hash, sizeof hash, text);
    (void)snprintf(ret_name, BERTH_ROBOT_NAME_BYTES, "ws-h-%s", text);
}

void berth_key_id(struct berth_bytes master_key, char ret_key_id[BERTH_KEY_ID_BYTES]) {
    static const char LABEL[] = "key id";
    uint8_t mac[SHA256_BYTES];
    hmac_sha256(master_key.data, master_key.len, LABEL, sizeof LABEL - 1, mac);
    (void)snprintf(ret_key_id, BERTH_KEY_ID_BYTES, "%02x%02x%02x%02x", mac[0], mac[1], mac[2],
                   mac[3]);
    OPENSSL_cleanse(mac, sizeof mac);
}

void berth_workspace_key(struct berth_bytes master_key, const char *workspace,
                         uint8_t ret_key[BERTH_WORKSPACE_KEY_BYTES]) {
    BERTH_ASSERT(master_key.len >= BERTH_MASTER_KEY_BYTES_MIN);
    BERTH_ASSERT(master_key.len <= BERTH_MASTER_KEY_BYTES_MAX);
    char label[sizeof "ws|" + BERTH_WORKSPACE_BYTES];
    int len = snprintf(label, sizeof label, "ws|%s", workspace);
    BERTH_ASSERT(len > 0);
    BERTH_ASSERT((size_t)len < sizeof label);
    hmac_sha256(master_key.data, master_key.len, label, (size_t)len, ret_key);
}

void berth_pull_secret(const uint8_t workspace_key[BERTH_WORKSPACE_KEY_BYTES],
                       const char *registry_uid, int64_t project_id, int64_t robot_id,
                       char ret_secret[BERTH_PULL_SECRET_BYTES]) {
    char label[sizeof "v1|||" + BERTH_UUID_BYTES + 2 * sizeof "-9223372036854775808"];
    int len = snprintf(label, sizeof label, "v1|%s|%" PRId64 "|%" PRId64, registry_uid, project_id,
                       robot_id);
    BERTH_ASSERT(len > 0);
    BERTH_ASSERT((size_t)len < sizeof label);
    uint8_t mac[SHA256_BYTES];
    hmac_sha256(workspace_key, BERTH_WORKSPACE_KEY_BYTES, label, (size_t)len, mac);
    /* Harbor wants an upper-case letter, a lower-case one and a digit (harbor-contract 2.4). */
    memcpy(ret_secret, "Hb1", 3);
    base62(mac, ret_secret + 3, BERTH_PULL_SECRET_BYTES - 3);
    OPENSSL_cleanse(mac, sizeof mac);
}

/* Sets version and variant (RFC 4122, 4.1) and writes it in lower case. */
static void format_uuid(uint8_t raw[UUID_RAW_BYTES], int version, char ret_uuid[BERTH_UUID_BYTES]) {
    static const char DIGITS[] = "0123456789abcdef";
    raw[6] = (uint8_t)((raw[6] & 0x0fU) | ((unsigned)version << 4U));
    raw[8] = (uint8_t)((raw[8] & 0x3fU) | 0x80U);
    char *out = ret_uuid;
    for (int i = 0; i < UUID_RAW_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = DIGITS[raw[i] >> 4U];
        *out++ = DIGITS[raw[i] & 0x0fU];
    }
    *out = 0;
}

static void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                        uint8_t ret_mac[SHA256_BYTES]) {
    unsigned mac_len = 0;
    const uint8_t *mac = HMAC(EVP_sha256(), key, (int)key_len, data, len, ret_mac, &mac_len);
    BERTH_ASSERT(mac != NULL);
    BERTH_ASSERT(mac_len == SHA256_BYTES);
}

/* Length first, so that no two lists of texts have the same bytes. */
static void digest_text(struct berth_digest *digest, const char *text) {
    size_t len = strlen(text);
    digest_number(digest, (int64_t)len);
    berth_digest_add(digest, text, len);
}

static void digest_number(struct berth_digest *digest, int64_t number) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)((uint64_t)number >> (56U - 8U * i));
    }
    berth_digest_add(digest, bytes, sizeof bytes);
}

static const char *visibility_text(enum berth_visibility visibility) {
    switch (visibility) {
    case BERTH_VISIBILITY_UNSET:
        return "";
    case BERTH_PRIVATE:
        return "PRIVATE";
    case BERTH_PUBLIC:
        return "PUBLIC";
    }
    BERTH_UNREACHABLE("every visibility has a text");
}

/* A slug that begins with "h-" is a hash: an id that looks like one must not meet it. */
static bool slug_is_plain(const char *workspace) {
    return strlen(workspace) <= SLUG_PLAIN_MAX && strncmp(workspace, "h-", 2) != 0 &&
           berth_harbor_name_legal(workspace);
}

/* RFC 4648's alphabet in lower case, without padding. ret_text has room for it and the NUL. */
static void base32_lower(const uint8_t *data, size_t len, char *ret_text) {
    static const char DIGITS[] = "abcdefghijklmnopqrstuvwxyz234567";
    char *out = ret_text;
    uint32_t held = 0;
    unsigned held_bits = 0;
    for (size_t i = 0; i < len; i++) {
        held = (held << 8U) | data[i];
        held_bits += 8;
        while (held_bits >= 5) {
            held_bits -= 5;
            *out++ = DIGITS[(held >> held_bits) & 0x1fU];
        }
    }
    if (held_bits > 0) {
        *out++ = DIGITS[(held << (5U - held_bits)) & 0x1fU];
    }
    *out = 0;
}

/* Repeated division by 62; each round yields the last digit of what is left. */
static void base62(const uint8_t number[SHA256_BYTES], char *ret_text, size_t text_bytes) {
    static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint8_t left[SHA256_BYTES];
    memcpy(left, number, sizeof left);
    char reversed[SHA256_BYTES * 2];
    size_t count = 0;
    bool more = true;
    while (more) {
        uint32_t remainder = 0;
        more = false;
        for (size_t i = 0; i < sizeof left; i++) {
            uint32_t value = (remainder << 8U) | left[i];
            left[i] = (uint8_t)(value / 62);
            remainder = value % 62;
            more = more || left[i] != 0;
        }
        BERTH_ASSERT(count < sizeof reversed);
        reversed[count++] = DIGITS[remainder];
    }
    BERTH_ASSERT(count < text_bytes);
    for (size_t i = 0; i < count; i++) {
        ret_text[i] = reversed[count - 1 - i];
    }
    ret_text[count] = 0;
    OPENSSL_cleanse(reversed, sizeof reversed);
}
