/* SPDX-License-Identifier: Apache-2.0 */
#include "pull_proof.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any image will do: Harbor looks at the project alone. */
#define TOKEN_PATH  "/service/token?service=harbor-registry"
#define SCOPE_START "&scope=repository:"
#define SCOPE_END   "/berth:pull"
#define PATH_BYTES  (sizeof(TOKEN_PATH SCOPE_START SCOPE_END) + BERTH_SPACE_BYTES)
/* Harbor's tokens have some 1,500 characters for one scope. */
#define TOKEN_LEN_MAX 65536

static enum cli_exit refuse(const struct cli_credential *credential, const char *workspace,
                            const char *why, bool *ret_refused);
static enum cli_exit explain(const struct cli_credential *credential,
                             const struct cli_harbor_reply *reply);
static json_t *payload_of(const char *token);

/*
 * With a scope the service answers 200 to everybody, and says in the token what he may; without one
 * it says whether the login is good. Both are asked: everybody may pull from a public space, also
 * whoever has the wrong password, and a good login may have lost its right.
 */
enum cli_exit cli_prove_pull(struct cli_harbor *harbor, const struct cli_credential *credential,
                             const char *workspace, bool *ret_refused) {
    struct cli_harbor_reply reply;
    cli_harbor_get_as(harbor, TOKEN_PATH, credential->login_name, credential->secret, &reply);
    if (reply.status == 401) {
        return refuse(credential, workspace,
                      "refuses its secret: it was set by somebody else, or its robot account has "
                      "expired",
                      ret_refused);
    }
    if (reply.status != 200) {
        return explain(credential, &reply);
    }
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), TOKEN_PATH SCOPE_START "%s" SCOPE_END, credential->space);
    cli_harbor_get_as(harbor, path, credential->login_name, credential->secret, &reply);
    if (reply.status != 200) {
        return explain(credential, &reply);
    }
    if (!cli_token_allows_pull(reply.body)) {
        return refuse(credential, workspace,
                      "gives it no right to pull: those of its robot account were changed",
                      ret_refused);
    }
    return CLI_SUCCEEDED;
}

static enum cli_exit refuse(const struct cli_credential *credential, const char *workspace,
                            const char *why, bool *ret_refused) {
    cli_complain("the credential of %s for %s/%s doesn't work: the registry %s. This repairs it: "
                 "berth send bind-workspace --registry %s --space %s --workspace %s --wait",
                 workspace, credential->registry, credential->space, why, credential->registry,
                 credential->space, workspace);
    *ret_refused = true;
    return CLI_FAILED;
}

static enum cli_exit explain(const struct cli_credential *credential,
                             const struct cli_harbor_reply *reply) {
    bool later = reply->status == 0 || reply->status == 429 || reply->status >= 500;
    if (reply->status == 0) {
        cli_complain("the token service of registry %s doesn't answer: %s (--no-verify leaves that "
                     "out)",
                     credential->registry, reply->words);
    } else {
        cli_complain("the token service of registry %s answers with HTTP %ld (--no-verify leaves "
                     "that out)",
                     credential->registry, reply->status);
    }
    return later ? CLI_NO_ANSWER : CLI_FAILED;
}

bool cli_token_allows_pull(struct berth_bytes body) {
    json_t *reply = json_loadb((const char *)body.data, body.len, 0, NULL);
    const char *token = json_string_value(json_object_get(reply, "token"));
    json_t *payload = token == NULL ? NULL : payload_of(token);
    const json_t *access = json_object_get(payload, "access");
    const json_t *actions = json_object_get(json_array_get(access, 0), "actions");
    bool allows = false;
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const char *action = json_string_value(json_array_get(actions, i));
        allows |= action != NULL && strcmp(action, "pull") == 0;
    }
    json_decref(payload);
    json_decref(reply);
    return allows;
}

/* The middle one of a token's three parts, which is JSON in the Base64 of URLs (RFC 7515). */
static json_t *payload_of(const char *token) {
    const char *dot = strchr(token, '.');
    size_t len = dot == NULL ? 0 : strcspn(dot + 1, ".");
    if (len == 0 || len > TOKEN_LEN_MAX) {
        return NULL;
    }
    size_t padded = (len + 3) / 4 * 4;
    char *coded = malloc(padded);
    unsigned char *plain = malloc(padded);
    json_t *payload = NULL;
    if (coded != NULL && plain != NULL) {
        for (size_t i = 0; i < padded; i++) {
            char c = i < len ? dot[1 + i] : '=';
            coded[i] = c == '-' ? '+' : c == '_' ? '/' : c;
        }
        int bytes = EVP_DecodeBlock(plain, (const unsigned char *)coded, (int)padded);
        size_t padding = padded - len;
        if (bytes >= 0 && (size_t)bytes > padding) {
            payload = json_loadb((const char *)plain, (size_t)bytes - padding, 0, NULL);
        }
    }
    free(coded);
    free(plain);
    return payload;
}
