/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refusal of Redis means, in one table, and whether it refuses now.
 *
 * A refusal of everybody's (no memory, no disk, no right) stops all work that needs it: it waits,
 * and is told until Redis takes what is written to it again. A key that is one command's alone and
 * holds something else stops that command only, whose budget it burns.
 */
#include <ctype.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/redis_client.h"
#include "ledger_parts.h"

/* A refusal is told until so many probes in a row were fine and nothing else was refused: that
 * takes more than ten seconds, and whoever was refused asks again within two. */
#define PROBES_FINE 3

/* The words by which refusals are known, wherever they stand: within a script Redis 6 puts its own
 * in front of them. READONLY and LOADING, by which it says that it isn't our Redis (any more),
 * never come here: redis_client.c ends the connection. */
static const struct {
    const char *word;
    bool of_key; /* The key holds something that isn't berth's; else it is the operator's. */
} refusals[] = {
    {"OOM", false},                           /* maxmemory is reached. */
    {"MISCONF", false},                       /* Its disk doesn't take what it saves. */
    {"NOREPLICAS", false},                    /* min-replicas-to-write. */
    {"MASTERDOWN", false},                    /* A replica that has lost its master. */
    {"CLUSTERDOWN", false},                   /* Part of a cluster. */
    {"NOPERM", false},                        /* The rights of its user, ... */
    {"The user executing the script", false}, /* ... within a script of Redis, ... */
    {"ACL failure in script", false},         /* ... or of Valkey. */
    {"NOAUTH", false},                        /* The login ended: its user was deleted. */
    {"BUSY", false},                          /* Another's script runs for too long. */
    {"WRONGTYPE", true},                      /* The key is of another type. */
    {"is not an integer", true},              /* A field that should be a number isn't. */
    {"attempt to", true},                     /* Lua's words: a field is missing, or no number. */
    {LEDGER_NOT_UNDERSTOOD, true},            /* Ours: the reply of a script makes no sense. */
};

/* The text in Redis' own words: without what it puts in front and behind when a script is the one
 * who says it. Returns where what lua/call.lua adds begins, "(HSET key)"; NULL: it added nothing.
 */
static char *clean(const char *text, char ret_text[LEDGER_TROUBLE_BYTES]) {
    while (strncmp(text, "ERR ", strlen("ERR ")) == 0) {
        text += strlen("ERR ");
    }
    snprintf(ret_text, LEDGER_TROUBLE_BYTES, "%s", text);
    /* " script: <its hash>, on @user_script:12." */
    char *tail = NULL;
    for (char *at = strstr(ret_text, " script: "); at != NULL; at = strstr(at + 1, " script: ")) {
        tail = at;
    }
    if (tail != NULL && strstr(tail, ", on @user_script") != NULL) {
        *tail = '\0';
    }
    char *named = strrchr(ret_text, '(');
    size_t len = strlen(ret_text);
    bool ours = named != NULL && ret_text[len - 1] == ')' && isupper((unsigned char)named[1]);
    return ours ? named : NULL;
}

/* The key in "(HSET berth:v1:space:alpha/team-a)"; empty: none. */
static void take_key(const char *named, char ret_key[LEDGER_KEY_BYTES]) {
    const char *blank = named != NULL ? strchr(named, ' ') : NULL;
    ret_key[0] = '\0';
    if (blank != NULL) {
        snprintf(ret_key, LEDGER_KEY_BYTES, "%.*s", (int)strcspn(blank + 1, ")"), blank + 1);
    }
}

/* Whether the key is of one command, one space or one workspace; what isn't named is. */
static bool is_one_commands(const struct berth_ledger *ledger, const char *key) {
    static const char *const kinds[] = {"command:", "space:", "workspace:"};
    size_t prefix_len = strlen(ledger->prefix);
    if (key[0] == '\0') {
        return true;
    }
    if (strncmp(key, ledger->prefix, prefix_len) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(key + prefix_len, kinds[i], strlen(kinds[i])) == 0) {
            return true;
        }
    }
    return false;
}

bool ledger_refusal_of_key(const struct berth_ledger *ledger, char text[LEDGER_TROUBLE_BYTES],
                           char ret_key[LEDGER_KEY_BYTES]) {
    char said[LEDGER_TROUBLE_BYTES];
    char *named = clean(text, said);
    take_key(named, ret_key);
    memcpy(text, said, sizeof(said));
    if (named != NULL) {
        *named = '\0'; /* A key's name isn't searched for words. */
    }
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (strstr(said, refusals[i].word) != NULL) {
            return refusals[i].of_key && is_one_commands(ledger, ret_key);
        }
    }
    return false; /* Unknown: it waits, and is told. */
}

void ledger_refusal_note(struct berth_ledger *ledger, const char *text) {
    struct ledger_refusal *refusal = &ledger->refusal;
    bool told = refusal->told;
    refusal->told = true;
    refusal->probes_fine = 0;
    snprintf(refusal->text, sizeof(refusal->text), "%s", text);
    if (!told) {
        char line[LEDGER_TROUBLE_BYTES + 64];
        snprintf(line, sizeof(line), "Redis refuses to work on the ledger: %s", text);
        ledger->on_warning(ledger->ctx, line);
    }
}

void ledger_refusal_forget(struct berth_ledger *ledger) {
    ledger->refusal.told = false;
}

const char *berth_ledger_refusal(const struct berth_ledger *ledger) {
    return ledger->refusal.told ? ledger->refusal.text : NULL;
}

static void probed(void *ctx, const struct redisReply *reply) {
    struct berth_ledger *ledger = ctx;
    if (ledger->freeing || reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char text[LEDGER_TROUBLE_BYTES];
        (void)clean(reply->str, text);
        ledger_refusal_note(ledger, text);
        return;
    }
    struct ledger_refusal *refusal = &ledger->refusal;
    if (refusal->told && ++refusal->probes_fine == PROBES_FINE) {
        ledger_refusal_forget(ledger);
        ledger->on_warning(ledger->ctx, "Redis works on the ledger again");
    }
}

void ledger_refusal_probe(struct berth_ledger *ledger) {
    struct berth_redis_args *args = &ledger->args;
    if (berth_redis_args_begin(args, BERTH_REDIS_SCRIPT_WORDS + 2,
                               BERTH_LEDGER_PREFIX_BYTES + 64) != BERTH_OK) {
        return; /* The next one may find memory. */
    }
    berth_redis_client_script_words(args, 1);
    ledger_add_key(ledger, "sequence", "", ":raised");
    berth_redis_args_text(args, ledger->instance);
    enum berth_rc rc = berth_redis_client_run(ledger->client, LEDGER_PROBE, args, probed, ledger);
    (void)rc; /* As much as may be is under way: its answers say the same. */
}
