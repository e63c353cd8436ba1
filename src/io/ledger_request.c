/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/assert.h"
#include "berth/io/redis_client.h"
#include "ledger_parts.h"
#include "space_fields.h"

/* Room for the words that are made here: the parts of a key and of a holder are bounded by their
 * types, and no script takes more than five keys, a source and a dozen numbers. */
#define NAME_TEXT   ((size_t)(BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES))
#define KEY_TEXT    (BERTH_LEDGER_PREFIX_BYTES + NAME_TEXT + 32)
#define SOURCE_TEXT ((size_t)(BERTH_TOPIC_BYTES + BERTH_LOG_ID_BYTES + 64))
#define DIGEST_TEXT ((size_t)(2 * BERTH_DIGEST_BYTES))
#define NUMBER_TEXT ((size_t)BERTH_REDIS_NUMBER_BYTES)
#define FIXED_TEXT  (8 * KEY_TEXT + SOURCE_TEXT + DIGEST_TEXT + NAME_TEXT + 16 * NUMBER_TEXT)
#define FIXED_WORDS 32
/* A settled command, its version and source; a base's keys, its offset and its log. */
#define COMMAND_TEXT (BERTH_LEDGER_PREFIX_BYTES + 16 + BERTH_UUID_BYTES + NUMBER_TEXT + SOURCE_TEXT)
#define BASE_TEXT                                                                                  \
    (BASE_KEYS * (BERTH_LEDGER_PREFIX_BYTES + 16 + BERTH_TOPIC_BYTES + NUMBER_TEXT) +              \
     NUMBER_TEXT + BERTH_LOG_MARK_TEXT_BYTES)
#define BASE_KEYS 3

static void add_space_name(struct berth_redis_args *args, const struct berth_command *command) {
    berth_redis_args_append(args, command->registry);
    berth_redis_args_append(args, "/");
    berth_redis_args_append(args, command->space);
    berth_redis_args_close(args);
}

static void add_space_key(struct berth_ledger *ledger, const struct berth_command *command) {
    berth_redis_args_append(&ledger->args, ledger->prefix);
    berth_redis_args_append(&ledger->args, "space:");
    add_space_name(&ledger->args, command);
}

/* prefix + kind + name + suffix */
void ledger_add_key(struct berth_ledger *ledger, const char *kind, const char *name,
                    const char *suffix) {
    berth_redis_args_append(&ledger->args, ledger->prefix);
    berth_redis_args_append(&ledger->args, kind);
    berth_redis_args_append(&ledger->args, name);
    berth_redis_args_append(&ledger->args, suffix);
    berth_redis_args_close(&ledger->args);
}

/* The ends of a guarded script's words (lua/guard.lua): its last KEYS, and its last ARGV. */
#define GUARD_KEYS 2
static void add_guard_keys(struct berth_ledger *ledger) {
    ledger_add_key(ledger, "epoch", "", "");
    ledger_add_key(ledger, "sequence", "", "");
}

static void add_guard(struct berth_ledger *ledger) {
    berth_redis_args_text(&ledger->args, ledger->data_set.id);
    berth_redis_args_number(&ledger->args, ledger->data_set.seen);
    berth_redis_args_number(&ledger->args, ledger->data_set.raised);
}

static void add_holder(struct berth_ledger *ledger, const struct berth_command *command) {
    berth_redis_args_text(&ledger->args, ledger->instance);
    berth_redis_args_text(&ledger->args, ledger->incarnation);
    berth_redis_args_text(&ledger->args, command->id);
}

void ledger_add_attempt(struct berth_ledger *ledger) {
    berth_redis_args_append(&ledger->args, ledger->incarnation);
    berth_redis_args_append(&ledger->args, " ");
    berth_redis_args_append(&ledger->args, ledger->data_set.attempt);
    berth_redis_args_close(&ledger->args);
}

static void add_digest(struct berth_redis_args *args, const struct berth_command *command) {
    static const char hex[] = "0123456789abcdef";
    char text[DIGEST_TEXT];
    for (size_t i = 0; i < BERTH_DIGEST_BYTES; i++) {
        text[2 * i] = hex[command->digest[i] >> 4];
        text[2 * i + 1] = hex[command->digest[i] & 15];
    }
    berth_redis_args_append_bytes(args, text, sizeof(text));
    berth_redis_args_close(args);
}

static void add_place(struct berth_redis_args *args, const char *topic, int32_t partition,
                      int64_t offset, const char *log_id) {
    berth_redis_args_append(args, topic);
    berth_redis_args_append(args, " ");
    berth_redis_args_append_number(args, partition);
    berth_redis_args_append(args, " ");
    berth_redis_args_append_number(args, offset);
    if (log_id[0] != '\0') {
        berth_redis_args_append(args, " ");
        berth_redis_args_append(args, log_id);
    }
    berth_redis_args_close(args);
}

static void add_source(struct berth_redis_args *args, const struct berth_source *source) {
    add_place(args, source->topic, source->partition, source->offset, source->log_id);
}

static const char *issued_word(enum berth_issued issued) {
    switch (issued) {
    case BERTH_ISSUED_FINE:
        return "fine";
    case BERTH_ISSUED_TOO_OLD:
        return "too_old";
    case BERTH_ISSUED_IN_FUTURE:
        return "in_future";
    }
    BERTH_UNREACHABLE("issued");
}

static enum berth_rc claim(struct berth_ledger *ledger, const struct berth_claim_call *call) {
    struct berth_redis_args *args = &ledger->args;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS, FIXED_TEXT);
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 2 + GUARD_KEYS);
    add_space_key(ledger, call->command);
    ledger_add_key(ledger, "command:", call->command->id, "");
    add_guard_keys(ledger);

    add_holder(ledger, call->command);
    add_digest(args, call->command);
    add_source(args, call->source);
    berth_redis_args_text(args, issued_word(call->issued));
    berth_redis_args_flag(args, call->before_is_absent);
    berth_redis_args_number(args, call->warm_since_ms);
    berth_redis_args_number(args, call->now_wall_ms);
    berth_redis_args_number(args, (int64_t)call->number);
    berth_redis_args_flag(args, call->take_over);
    berth_redis_args_number(args, call->mark.token);
    berth_redis_args_number(args, call->mark.renewals);
    berth_redis_args_flag(args, ledger_is_before_data_set(&ledger->data_set, call->source));
    add_guard(ledger);
    return BERTH_OK;
}

static enum berth_rc remember(struct berth_ledger *ledger, const struct berth_remember_call *call) {
    struct berth_redis_args *args = &ledger->args;
    size_t bindings = call->before->bindings_count;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS + SPACE_FIELDS_WORDS(bindings),
                                              FIXED_TEXT + SPACE_FIELDS_TEXT(bindings) +
                                                  SPACE_FIELDS_LINES(bindings));
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 2 + GUARD_KEYS);
    add_space_key(ledger, call->command);
    ledger_add_key(ledger, "command:", call->command->id, "");
    add_guard_keys(ledger);

    add_holder(ledger, call->command);
    berth_redis_args_number(args, call->token);
    size_t fields = args->count;
    space_fields_add(args, call->before, call->before->version);
    space_fields_join(args, fields);
    berth_redis_args_flag(args, call->corrects);
    add_guard(ledger);
    return BERTH_OK;
}

static const char *becomes_word(const struct berth_store_call *call) {
    if (!call->write_state) {
        return call->still_warm ? "same" : "cold";
    }
    BERTH_ASSERT(call->outcome->after.knowledge != BERTH_SPACE_UNKNOWN);
    return call->outcome->after.knowledge == BERTH_SPACE_PRESENT ? "present" : "absent";
}

static enum berth_rc store(struct berth_ledger *ledger, const struct berth_store_call *call,
                           const struct berth_publication *publication) {
    BERTH_ASSERT(call->outcome->final);
    BERTH_ASSERT(publication != NULL);
    BERTH_ASSERT(publication->result_len > 0);
    BERTH_ASSERT(publication->len >= publication->result_len);
    struct berth_redis_args *args = &ledger->args;
    const struct berth_command *command = call->command;
    size_t bindings = call->write_state ? call->outcome->after.bindings_count : 0;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS + SPACE_FIELDS_WORDS(bindings),
                                              FIXED_TEXT + SPACE_FIELDS_TEXT(bindings));
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 5 + GUARD_KEYS);
    add_space_key(ledger, command);
    ledger_add_key(ledger, "command:", command->id, "");
    ledger_add_key(ledger, "registry:", command->registry, "");
    ledger_add_key(ledger, "registry:", command->registry, ":public");
    ledger_add_key(ledger, "sequence", "", "");
    add_guard_keys(ledger);

    add_holder(ledger, command);
    berth_redis_args_number(args, call->token);
    add_digest(args, command);
    add_source(args, call->source);
    berth_redis_args_text(args, berth_outcome_kind_name(call->outcome->kind));
    berth_redis_args_bytes(args, publication->data, publication->result_len);
    berth_redis_args_number(args, ledger->memory_ms);
    berth_redis_args_number(args, ledger->tombstone_ms);
    berth_redis_args_text(args, becomes_word(call));
    berth_redis_args_flag(args, call->free_lane);
    add_space_name(args, command);
    ledger_add_key(ledger, "workspace:", "", "");
    berth_redis_args_bytes(args, publication->data + publication->result_len,
                           publication->len - publication->result_len);
    if (call->write_state) {
        space_fields_add(args, &call->outcome->after, call->token);
    }
    add_guard(ledger);
    return BERTH_OK;
}

static enum berth_rc renew(struct berth_ledger *ledger, const struct berth_renewal *lanes,
                           size_t count) {
    BERTH_ASSERT(count > 0);
    struct berth_redis_args *args = &ledger->args;
    enum berth_rc rc = berth_redis_args_begin(
        args, FIXED_WORDS + 6 * count, FIXED_TEXT + count * (2 * KEY_TEXT + 4 * NUMBER_TEXT));
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 2 * count + GUARD_KEYS);
    for (size_t i = 0; i < count; i++) {
        add_space_key(ledger, lanes[i].command);
        ledger_add_key(ledger, "command:", lanes[i].command->id, "");
    }
    add_guard_keys(ledger);
    berth_redis_args_text(args, ledger->instance);
    berth_redis_args_text(args, ledger->incarnation);
    for (size_t i = 0; i < count; i++) {
        berth_redis_args_text(args, lanes[i].command->id);
        berth_redis_args_number(args, lanes[i].token);
        berth_redis_args_number(args, lanes[i].burned);
        berth_redis_args_number(args, lanes[i].paused_ms);
    }
    add_guard(ledger);
    return BERTH_OK;
}

static void add_base_key(struct berth_ledger *ledger, const char *kind,
                         const struct berth_base *base) {
    berth_redis_args_append(&ledger->args, ledger->prefix);
    berth_redis_args_append(&ledger->args, kind);
    berth_redis_args_append(&ledger->args, base->topic);
    berth_redis_args_append(&ledger->args, "/");
    berth_redis_args_append_number(&ledger->args, base->partition);
    berth_redis_args_close(&ledger->args);
}

/* Its base, the mark of its log, and what an operator decided. */
static void add_base_keys(struct berth_ledger *ledger, const struct berth_base *base) {
    static const char *const kinds[BASE_KEYS] = {"offset:", "log:", "from:"};
    for (size_t i = 0; i < BASE_KEYS; i++) {
        add_base_key(ledger, kinds[i], base);
    }
}

static enum berth_rc settled(struct berth_ledger *ledger, const struct berth_ledger_call *call) {
    const struct berth_settled *commands = call->settled.commands;
    const struct berth_base *bases = call->settled.bases;
    size_t commands_count = call->settled.commands_count;
    size_t bases_count = call->settled.bases_count;
    BERTH_ASSERT(commands_count + bases_count > 0);
    struct berth_redis_args *args = &ledger->args;
    enum berth_rc rc = berth_redis_args_begin(
        args, FIXED_WORDS + 3 * commands_count + (BASE_KEYS + 2) * bases_count,
        FIXED_TEXT + commands_count * COMMAND_TEXT + bases_count * BASE_TEXT);
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, commands_count + BASE_KEYS * bases_count);
    for (size_t i = 0; i < commands_count; i++) {
        ledger_add_key(ledger, "command:", commands[i].command_id, "");
    }
    for (size_t i = 0; i < bases_count; i++) {
        add_base_keys(ledger, &bases[i]);
    }
    berth_redis_args_number(args, (int64_t)commands_count);
    for (size_t i = 0; i < commands_count; i++) {
        berth_redis_args_number(args, commands[i].version);
        add_place(args, commands[i].topic, commands[i].partition, commands[i].offset,
                  commands[i].log_id);
    }
    for (size_t i = 0; i < bases_count; i++) {
        char mark[BERTH_LOG_MARK_TEXT_BYTES];
        berth_log_mark_write(&bases[i].log, mark);
        berth_redis_args_number(args, bases[i].offset);
        berth_redis_args_append(args, mark); /* Copied: it doesn't outlive this turn. */
        berth_redis_args_close(args);
    }
    return BERTH_OK;
}

static enum berth_rc bases(struct berth_ledger *ledger, const struct berth_base *partitions,
                           size_t count) {
    BERTH_ASSERT(count > 0);
    struct berth_redis_args *args = &ledger->args;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS + BASE_KEYS * count,
                                              FIXED_TEXT + count * BASE_TEXT);
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 1 + BASE_KEYS * count);
    ledger_add_key(ledger, "epoch", "", "");
    for (size_t i = 0; i < count; i++) {
        add_base_keys(ledger, &partitions[i]);
    }
    return BERTH_OK;
}

enum berth_rc ledger_request_decide(struct berth_ledger *ledger, const struct berth_base *place) {
    struct berth_redis_args *args = &ledger->args;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS, FIXED_TEXT + BASE_TEXT);
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 2);
    ledger_add_key(ledger, "epoch", "", "");
    add_base_key(ledger, "from:", place);
    berth_redis_args_append_number(args, place->offset);
    berth_redis_args_append(args, " ");
    berth_redis_args_append(args, place->log.id);
    berth_redis_args_close(args);
    return BERTH_OK;
}

enum berth_rc ledger_request(struct berth_ledger *ledger, const struct berth_ledger_call *call,
                             const struct berth_publication *publication) {
    switch (call->kind) {
    case BERTH_LEDGER_CLAIM:
        return claim(ledger, &call->claim);
    case BERTH_LEDGER_REMEMBER:
        return remember(ledger, &call->remember);
    case BERTH_LEDGER_STORE:
        return store(ledger, &call->store, publication);
    case BERTH_LEDGER_RENEW:
        return renew(ledger, call->renew.lanes, call->renew.count);
    case BERTH_LEDGER_SETTLED:
        return settled(ledger, call);
    case BERTH_LEDGER_BASES:
        return bases(ledger, call->bases.partitions, call->bases.count);
    }
    BERTH_UNREACHABLE("ledger call");
}
