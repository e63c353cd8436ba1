/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/ledger.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/redis_client.h"
#include "ledger_parts.h"

/* Four times the largest STORE: with fewer bytes under way a frozen Redis can't make us grow. */
#define PENDING_BYTES_MAX ((size_t)64 * 1024 * 1024)

extern const char berth_script_claim[];
extern const char berth_script_remember[];
extern const char berth_script_store[];
extern const char berth_script_renew[];
extern const char berth_script_settled[];
extern const char berth_script_bases[];
extern const char berth_script_look[];
extern const char berth_script_decide[];
extern const char berth_script_chill[];
extern const char berth_script_put[];
extern const char berth_script_open[];
extern const char berth_script_probe[];

/* One call under way. */
struct ledger_call {
    struct berth_ledger *ledger;
    uint64_t call_id;
    enum berth_ledger_call_kind kind;
    size_t count; /* RENEW, BASES: of what was asked for. */
};

/* ---- Answers ---- */

/* Whose refusal it is: a command's, which is told with its answer, or everybody's. key: where the
 * answer's view is kept. */
static void judge_refusal(struct berth_ledger *ledger, struct ledger_reply *reply,
                          char key[LEDGER_KEY_BYTES]) {
    enum berth_ledger_call_kind kind = reply->answer.kind;
    bool of_command =
        kind == BERTH_LEDGER_CLAIM || kind == BERTH_LEDGER_REMEMBER || kind == BERTH_LEDGER_STORE;
    if (reply->trouble[0] == '\0') {
        return;
    }
    if (ledger_refusal_of_key(ledger, reply->trouble, key) && of_command) {
        reply->answer.bad_key = key;
        reply->answer.bad_key_why = reply->trouble;
    } else {
        ledger_refusal_note(ledger, reply->trouble);
    }
}

static void call_answered(void *ctx, const struct redisReply *redis_reply) {
    struct ledger_call *call = ctx;
    struct berth_ledger *ledger = call->ledger;
    if (!ledger->freeing) {
        struct ledger_reply reply;
        ledger_reply_read(redis_reply, call->kind, call->count, &reply);
        char key[LEDGER_KEY_BYTES];
        judge_refusal(ledger, &reply, key);
        if (reply.sequence > ledger->data_set.seen) {
            ledger->data_set.seen = reply.sequence;
        }
        if (reply.sequence > ledger->data_set.raised) {
            ledger->data_set.raised = reply.sequence;
        }
        if (reply.stale) {
            ledger_data_set_stale(ledger);
        }
        ledger->on_answer(ledger->ctx, call->call_id, &reply.answer, reply.stored);
        ledger_reply_deinit(&reply);
    }
    free(call);
}

enum berth_rc berth_ledger_submit(struct berth_ledger *ledger, uint64_t call_id,
                                  const struct berth_ledger_call *call,
                                  const struct berth_publication *publication) {
    if (!berth_ledger_available(ledger)) {
        return BERTH_BUSY;
    }
    enum berth_rc rc = ledger_request(ledger, call, publication);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct ledger_call *kept = malloc(sizeof(*kept));
    if (kept == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    *kept = (struct ledger_call){.ledger = ledger, .call_id = call_id, .kind = call->kind};
    if (call->kind == BERTH_LEDGER_RENEW) {
        kept->count = call->renew.count;
    } else if (call->kind == BERTH_LEDGER_BASES) {
        kept->count = call->bases.count;
    }
    rc = berth_redis_client_run(ledger->client, (size_t)call->kind, &ledger->args, call_answered,
                                kept);
    if (rc != BERTH_OK) {
        free(kept);
    }
    return rc;
}

/* ---- An operator's decision ---- */

struct decision {
    void (*on_done)(void *ctx, bool decided, const char *why);
    void *ctx;
};

static void decision_answered(void *ctx, const struct redisReply *reply) {
    struct decision *decision = ctx;
    bool decided = reply != NULL && ledger_reply_is(reply, "decided");
    const char *why = reply == NULL                       ? "no answer in time"
                      : ledger_reply_is(reply, "unknown") ? "it holds no whole data set"
                                                          : ledger_reply_text(reply);
    decision->on_done(decision->ctx, decided, decided ? "" : why);
    free(decision);
}

enum berth_rc berth_ledger_decide(struct berth_ledger *ledger, const struct berth_base *place,
                                  void (*on_done)(void *ctx, bool decided, const char *why),
                                  void *ctx) {
    if (!berth_ledger_is_ours(ledger)) {
        return BERTH_BUSY;
    }
    struct decision *decision = malloc(sizeof(*decision));
    enum berth_rc rc = decision == NULL ? BERTH_FAULT_MEMORY : ledger_request_decide(ledger, place);
    if (rc == BERTH_OK) {
        *decision = (struct decision){.on_done = on_done, .ctx = ctx};
        rc = berth_redis_client_run(ledger->client, LEDGER_DECIDE, &ledger->args, decision_answered,
                                    decision);
    }
    if (rc != BERTH_OK) {
        free(decision);
    }
    return rc;
}

/* ---- State ---- */

static void client_changed(void *ctx, bool ready, const char *why) {
    struct berth_ledger *ledger = ctx;
    ledger_data_set_connected(ledger, ready, why);
}

static void client_warned(void *ctx, enum berth_redis_flaw flaw, const char *text) {
    (void)flaw;
    struct berth_ledger *ledger = ctx;
    ledger->on_warning(ledger->ctx, text);
}

bool berth_ledger_available(const struct berth_ledger *ledger) {
    return ledger->data_set.phase == DATA_SET_OPEN;
}

/* ---- Life ---- */

/* Printable ASCII without blanks: what takes part in keys, and in values that are split at blanks
 * and ends of lines. */
static bool is_word(const char *text, size_t bytes_max) {
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return len > 0 && len < bytes_max;
}

static enum berth_rc check(const struct berth_ledger_config *config, struct berth_error *reterr) {
    if (!is_word(config->instance, BERTH_INSTANCE_BYTES)) {
        berth_error_set(reterr, "the instance must be 1 to %d characters without blanks",
                        BERTH_INSTANCE_BYTES - 1);
        return BERTH_INVALID;
    }
    if (!is_word(config->incarnation, BERTH_UUID_BYTES) ||
        strlen(config->incarnation) != BERTH_UUID_BYTES - 1) {
        berth_error_set(reterr, "the incarnation must be a UUID");
        return BERTH_INVALID;
    }
    if (!is_word(config->prefix, BERTH_LEDGER_PREFIX_BYTES)) {
        berth_error_set(reterr, "the prefix of the keys must be 1 to %d characters without blanks",
                        BERTH_LEDGER_PREFIX_BYTES - 1);
        return BERTH_INVALID;
    }
    if (config->memory_ms <= 0 || config->tombstone_ms < config->memory_ms ||
        config->server.timeout_ms <= 0) {
        berth_error_set(reterr, "the ledger's times must be positive, and tombstones must be kept "
                                "as long as outcomes");
        return BERTH_INVALID;
    }
    return BERTH_OK;
}

static enum berth_rc make_client(struct berth_ledger *ledger,
                                 const struct berth_ledger_config *config,
                                 struct berth_error *reterr) {
    static const struct berth_redis_script scripts[LEDGER_SCRIPTS] = {
        [BERTH_LEDGER_CLAIM] = {"claim", berth_script_claim},
        [BERTH_LEDGER_REMEMBER] = {"remember", berth_script_remember},
        [BERTH_LEDGER_STORE] = {"store", berth_script_store},
        [BERTH_LEDGER_RENEW] = {"renew", berth_script_renew},
        [BERTH_LEDGER_SETTLED] = {"settled", berth_script_settled},
        [BERTH_LEDGER_BASES] = {"bases", berth_script_bases},
        [LEDGER_LOOK] = {"look", berth_script_look},
        [LEDGER_DECIDE] = {"decide", berth_script_decide},
        [LEDGER_CHILL] = {"chill", berth_script_chill},
        [LEDGER_PUT] = {"put", berth_script_put},
        [LEDGER_OPEN] = {"open", berth_script_open},
        [LEDGER_PROBE] = {"probe", berth_script_probe},
    };
    struct berth_redis_client_config client = {
        .base = config->base,
        .server = config->server,
        .scripts = scripts,
        .scripts_count = LEDGER_SCRIPTS,
        .pending_max = config->pending_max,
        .pending_bytes_max = PENDING_BYTES_MAX,
        .seed = config->seed,
        .on_state = client_changed,
        .on_warning = client_warned,
        .ctx = ledger,
    };
    return berth_redis_client_new(&client, &ledger->client, reterr);
}

enum berth_rc berth_ledger_new(const struct berth_ledger_config *config,
                               struct berth_ledger **ret_ledger, struct berth_error *reterr) {
    enum berth_rc rc = check(config, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        berth_error_set(reterr, "out of memory");
        return BERTH_FAULT_MEMORY;
    }
    *ledger = (struct berth_ledger){
        .memory_ms = config->memory_ms,
        .tombstone_ms = config->tombstone_ms,
        .on_answer = config->on_answer,
        .on_state = config->on_state,
        .on_warning = config->on_warning,
        .on_rebuild = config->on_rebuild,
        .on_foreign = config->on_foreign,
        .ctx = config->ctx,
    };
    berth_redis_args_init(&ledger->args);
    snprintf(ledger->prefix, sizeof(ledger->prefix), "%s", config->prefix);
    snprintf(ledger->instance, sizeof(ledger->instance), "%s", config->instance);
    snprintf(ledger->incarnation, sizeof(ledger->incarnation), "%s", config->incarnation);
    rc = ledger_data_set_init(ledger, config->base);
    if (rc == BERTH_OK) {
        rc = make_client(ledger, config, reterr);
    } else {
        berth_error_set(reterr, "libevent has no timer left");
    }
    if (rc != BERTH_OK) {
        berth_ledger_free(ledger);
        return rc;
    }
    *ret_ledger = ledger;
    return BERTH_OK;
}

struct berth_ledger *berth_ledger_free(struct berth_ledger *ledger) {
    if (ledger == NULL) {
        return NULL;
    }
    ledger->freeing = true;
    berth_redis_client_free(ledger->client);
    ledger_data_set_deinit(ledger);
    berth_redis_args_deinit(&ledger->args);
    free(ledger);
    return NULL;
}
