/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derived identities: digests, event ids, robot names, pull secrets (design 3, 4 "Bindings").
 * Everything here is a pure function of its input; hashes come from OpenSSL.
 */
#ifndef BERTH_CODEC_IDENTITY_H
#define BERTH_CODEC_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/core/command.h"

#define BERTH_MASTER_KEY_BYTES_MIN 32
#define BERTH_MASTER_KEY_BYTES_MAX 1024
#define BERTH_WORKSPACE_KEY_BYTES  32
/* "Hb1" and the base62 of 32 bytes, which is at most 43 digits, and the NUL. */
#define BERTH_PULL_SECRET_BYTES 48

/*
 * UUIDv5 (RFC 4122, 4.3) of name under berth's own namespace, lower case. The namespace is
 * cd84697a-781a-5ecc-9682-9aa76ea88da6: the UUIDv5 of "berth.io" in the namespace of DNS names.
 */
void berth_uuid5(const char *name, size_t name_len, char ret_uuid[BERTH_UUID_BYTES]);

/* 64 hex digits and the NUL. */
#define BERTH_SHA256_HEX_BYTES 65

/* SHA-256 in lower-case hex. */
void berth_sha256_hex(struct berth_bytes data, char ret_hex[BERTH_SHA256_HEX_BYTES]);

/*
 * A random UUID (version 4), for incarnations and command ids; from OpenSSL's generator, which the
 * system's seeds. Faults: LIBRARY (no randomness to be had).
 */
BERTH_MUST_USE enum berth_rc berth_uuid4(char ret_uuid[BERTH_UUID_BYTES]);

/*
 * SHA-256 over the command's content without issued_at and trace (design 4.3). The workspaces are
 * sorted already (core/command.h). Kept in the ledger: the same content has the same digest in
 * every version of berth.
 */
void berth_command_digest(const struct berth_command *command,
                          uint8_t ret_digest[BERTH_DIGEST_BYTES]);

/*
 * The robot's short name for a workspace: "ws-" and the id itself if that is legal in Harbor, at
 * most 52 characters and doesn't begin with "h-"; else "ws-h-" and the lower-case base32 (no
 * padding) of its SHA-256.
 */
void berth_robot_name(const char *workspace, char ret_name[BERTH_ROBOT_NAME_BYTES]);

/* The first 8 hex digits of HMAC-SHA256(master key, "key id"). */
void berth_key_id(struct berth_bytes master_key, char ret_key_id[BERTH_KEY_ID_BYTES]);

/* K_ws = HMAC-SHA256(master key, "ws|" + workspace). */
void berth_workspace_key(struct berth_bytes master_key, const char *workspace,
                         uint8_t ret_key[BERTH_WORKSPACE_KEY_BYTES]);

/*
 * "Hb1" + base62(HMAC-SHA256(K_ws, "v1|" + registry uid + "|" + project id + "|" + robot id)):
 * digits, upper case, lower case; the 32 bytes as one big-endian number, no leading zeros. The
 * result is a secret: never log it, wipe it after use.
 */
void berth_pull_secret(const uint8_t workspace_key[BERTH_WORKSPACE_KEY_BYTES],
                       const char *registry_uid, int64_t project_id, int64_t robot_id,
                       char ret_secret[BERTH_PULL_SECRET_BYTES]);

#endif
