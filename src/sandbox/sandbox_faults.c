/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_faults.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sandbox_keys.h"

#define KEY(type, struct_name, field, max)                                                         \
    {#field, type, offsetof(struct struct_name, field), 0, max, NULL}
#define NUMBER(field, max) KEY(BERTH_SANDBOX_KEY_NUMBER, berth_sandbox_fault, field, max)
#define FLAG(field)        KEY(BERTH_SANDBOX_KEY_FLAG, berth_sandbox_fault, field, 1)
#define WORD(field, words)                                                                         \
    {#field, BERTH_SANDBOX_KEY_WORD, offsetof(struct berth_sandbox_fault, field), 0, 0, words}

/* In the order of their enums. */
static const char *const AWAYS[] = {"no", "refuse", "reset", "reset_after", "hang", NULL};
static const char *const BODIES[] = {"",         "none", "html",       "cut", "truncated",
                                     "gigabyte", "drip", "wrong_type", NULL};
static const char *const ECHOES[] = {"echo", "strip", "wrong", NULL};
static const char *const SESSIONS[] = {"kept", "unknown", "userless", NULL};

/* latency_ms and route are no plain values and have code of their own. */
static const struct berth_sandbox_key RECORD_KEYS[] = {
    WORD(away, AWAYS),
    NUMBER(commit_ms, BERTH_SANDBOX_LATENCY_MS_MAX),
    NUMBER(between_ms, BERTH_SANDBOX_LATENCY_MS_MAX),
    FLAG(read_only),
    NUMBER(status, 599),
    FLAG(apply),
    NUMBER(retry_after_s, BERTH_SANDBOX_COUNT_MAX),
    FLAG(retry_after_date),
    WORD(body, BODIES),
    NUMBER(body_bytes, INT64_MAX),
    NUMBER(drip_ms, BERTH_SANDBOX_LATENCY_MS_MAX),
    WORD(request_id, ECHOES),
    WORD(session, SESSIONS),
    NUMBER(skip, BERTH_SANDBOX_COUNT_MAX),
    NUMBER(count, BERTH_SANDBOX_COUNT_MAX),
};

static const struct berth_sandbox_key WHOLE_KEYS[] = {
    KEY(BERTH_SANDBOX_KEY_NUMBER, berth_sandbox_faults, password_ms, BERTH_SANDBOX_LATENCY_MS_MAX),
    {"cores", BERTH_SANDBOX_KEY_NUMBER, offsetof(struct berth_sandbox_faults, cores), 1,
     BERTH_SANDBOX_CORES_MAX, NULL},
    KEY(BERTH_SANDBOX_KEY_NUMBER, berth_sandbox_faults, login_lock_ms,
        BERTH_SANDBOX_LATENCY_MS_MAX),
    KEY(BERTH_SANDBOX_KEY_NUMBER, berth_sandbox_faults, seed, INT64_MAX),
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static enum berth_rc set_key(struct berth_sandbox_faults *faults, const char *name,
                             const json_t *value, struct berth_error *reterr);
static enum berth_rc set_rules(struct berth_sandbox_faults *faults, const json_t *value,
                               struct berth_error *reterr);
static enum berth_rc set_record_key(struct berth_sandbox_fault *record, const char *name,
                                    const json_t *value, struct berth_error *reterr);
static enum berth_rc set_latency(struct berth_sandbox_fault *record, const json_t *value,
                                 struct berth_error *reterr);
static bool pair_of(const json_t *low, const json_t *high, int64_t min,
                    struct berth_sandbox_latency *latency);
static enum berth_rc set_route(struct berth_sandbox_fault *record, const json_t *value,
                               struct berth_error *reterr);
static enum berth_rc check_record(const struct berth_sandbox_fault *record, bool is_base,
                                  struct berth_error *reterr);
static json_t *record_json(const struct berth_sandbox_fault *record);
static bool is_for(const struct berth_sandbox_fault *record, const char *route);
static bool use_up(struct berth_sandbox_fault *record);
static void overlay(struct berth_sandbox_fault *fault, const struct berth_sandbox_fault *rule);
static int64_t draw(struct berth_random *random, const struct berth_sandbox_latency *latency);

void berth_sandbox_faults_init(struct berth_sandbox_faults *faults) {
    *faults = (struct berth_sandbox_faults){.cores = 2, .login_lock_ms = 1500, .seed = 1};
    berth_random_init(&faults->random, (uint64_t)faults->seed);
}

enum berth_rc berth_sandbox_faults_merge(struct berth_sandbox_faults *faults,
                                         const struct json_t *json, struct berth_error *reterr) {
    if (!json_is_object(json)) {
        berth_error_set(reterr, "faults must be a JSON object");
        return BERTH_INVALID;
    }
    struct berth_sandbox_faults merged = *faults;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        enum berth_rc rc = set_key(&merged, name, value, reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    enum berth_rc rc = check_record(&merged.base, true, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (json_object_get(json, "seed") != NULL) {
        berth_random_init(&merged.random, (uint64_t)merged.seed);
    }
    *faults = merged;
    return BERTH_OK;
}

enum berth_rc berth_sandbox_faults_add_rule(struct berth_sandbox_faults *faults,
                                            const struct json_t *json, struct berth_error *reterr) {
    struct berth_sandbox_fault rule = {0};
    if (!json_is_object(json)) {
        berth_error_set(reterr, "a rule must be a JSON object");
        return BERTH_INVALID;
    }
    if (faults->rule_count == BERTH_SANDBOX_RULES_MAX) {
        berth_error_set(reterr, "more than %d rules", BERTH_SANDBOX_RULES_MAX);
        return BERTH_INVALID;
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        enum berth_rc rc = set_record_key(&rule, name, value, reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    enum berth_rc rc = check_record(&rule, false, reterr);
    if (rc == BERTH_OK) {
        faults->rules[faults->rule_count++] = rule;
    }
    return rc;
}

struct json_t *berth_sandbox_faults_json(const struct berth_sandbox_faults *faults) {
    json_t *json = record_json(&faults->base);
    for (size_t i = 0; i < COUNT_OF(WHOLE_KEYS); i++) {
        json_t *value = berth_sandbox_key_get(&WHOLE_KEYS[i], faults);
        BERTH_ASSERT(json_object_set_new(json, WHOLE_KEYS[i].name, value) == 0);
    }
    json_t *rules = json_array();
    for (size_t i = 0; i < faults->rule_count; i++) {
        BERTH_ASSERT(json_array_append_new(rules, record_json(&faults->rules[i])) == 0);
    }
    BERTH_ASSERT(json_object_set_new(json, "rules", rules) == 0);
    return json;
}

bool berth_sandbox_faults_hang(const struct berth_sandbox_faults *faults) {
    bool hang = faults->base.away == BERTH_SANDBOX_AWAY_HANG;
    for (size_t i = 0; i < faults->rule_count; i++) {
        hang = hang || faults->rules[i].away == BERTH_SANDBOX_AWAY_HANG;
    }
    return hang;
}

struct berth_sandbox_fault berth_sandbox_faults_take(struct berth_sandbox_faults *faults,
                                                     size_t route) {
    char name[BERTH_SANDBOX_ROUTE_BYTES_MAX];
    berth_sandbox_route_name(route, name, sizeof(name));
    struct berth_sandbox_fault taken = {0};
    if (is_for(&faults->base, name)) {
        overlay(&taken, &faults->base);
        if (use_up(&faults->base)) {
            faults->base = (struct berth_sandbox_fault){0};
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < faults->rule_count; i++) {
        struct berth_sandbox_fault *rule = &faults->rules[i];
        bool gone = false;
        if (is_for(rule, name)) {
            overlay(&taken, rule);
            gone = use_up(rule);
        }
        if (!gone) {
            faults->rules[kept++] = *rule;
        }
    }
    faults->rule_count = kept;
    taken.latency = (struct berth_sandbox_latency){.low_ms = draw(&faults->random, &taken.latency)};
    return taken;
}

static enum berth_rc set_key(struct berth_sandbox_faults *faults, const char *name,
                             const json_t *value, struct berth_error *reterr) {
    if (strcmp(name, "rules") == 0) {
        return set_rules(faults, value, reterr);
    }
    const struct berth_sandbox_key *key =
        berth_sandbox_key_find(WHOLE_KEYS, COUNT_OF(WHOLE_KEYS), name);
    if (key != NULL) {
        return berth_sandbox_key_set(key, faults, value, reterr);
    }
    return set_record_key(&faults->base, name, value, reterr);
}

static enum berth_rc set_rules(struct berth_sandbox_faults *faults, const json_t *value,
                               struct berth_error *reterr) {
    if (!json_is_array(value)) {
        berth_error_set(reterr, "rules must be a list");
        return BERTH_INVALID;
    }
    faults->rule_count = 0;
    enum berth_rc rc = BERTH_OK;
    for (size_t i = 0; rc == BERTH_OK && i < json_array_size(value); i++) {
        rc = berth_sandbox_faults_add_rule(faults, json_array_get(value, i), reterr);
    }
    return rc;
}

static enum berth_rc set_record_key(struct berth_sandbox_fault *record, const char *name,
                                    const json_t *value, struct berth_error *reterr) {
    if (strcmp(name, "latency_ms") == 0) {
        return set_latency(record, value, reterr);
    }
    if (strcmp(name, "route") == 0) {
        return set_route(record, value, reterr);
    }
    const struct berth_sandbox_key *key =
        berth_sandbox_key_find(RECORD_KEYS, COUNT_OF(RECORD_KEYS), name);
    if (key == NULL) {
        berth_error_set(reterr, "unknown key \"%s\"; docs/sandbox.md has the list", name);
        return BERTH_INVALID;
    }
    return berth_sandbox_key_set(key, record, value, reterr);
}

static enum berth_rc set_latency(struct berth_sandbox_fault *record, const json_t *value,
                                 struct berth_error *reterr) {
    const json_t *uniform = json_object_get(value, "uniform");
    struct berth_sandbox_latency latency = {.kind = BERTH_SANDBOX_LATENCY_FIXED};
    bool legal = false;
    if (json_is_integer(value)) {
        legal = pair_of(value, value, 0, &latency);
    } else if (json_array_size(uniform) == 2) {
        latency.kind = BERTH_SANDBOX_LATENCY_UNIFORM;
        legal = json_object_size(value) == 1 &&
                pair_of(json_array_get(uniform, 0), json_array_get(uniform, 1), 0, &latency);
    } else if (json_object_size(value) == 2) {
        latency.kind = BERTH_SANDBOX_LATENCY_TAIL;
        legal = pair_of(json_object_get(value, "p50"), json_object_get(value, "p99"), 1, &latency);
    }
    if (!legal) {
        berth_error_set(reterr,
                        "latency_ms must be a whole number, {\"uniform\":[LOW,HIGH]} or"
                        " {\"p50\":N,\"p99\":N}, up to %d",
                        BERTH_SANDBOX_LATENCY_MS_MAX);
        return BERTH_INVALID;
    }
    record->latency = latency;
    return BERTH_OK;
}

static bool pair_of(const json_t *low, const json_t *high, int64_t min,
                    struct berth_sandbox_latency *latency) {
    if (!json_is_integer(low) || !json_is_integer(high)) {
        return false;
    }
    latency->low_ms = json_integer_value(low);
    latency->high_ms = json_integer_value(high);
    return latency->low_ms >= min && latency->low_ms <= latency->high_ms &&
           latency->high_ms <= BERTH_SANDBOX_LATENCY_MS_MAX;
}

static enum berth_rc set_route(struct berth_sandbox_fault *record, const json_t *value,
                               struct berth_error *reterr) {
    const char *name = json_string_value(value);
    bool known = name != NULL && name[0] == '\0';
    for (size_t route = 0; name != NULL && !known && route < berth_sandbox_route_count(); route++) {
        char route_name[BERTH_SANDBOX_ROUTE_BYTES_MAX];
        berth_sandbox_route_name(route, route_name, sizeof(route_name));
        known = strcmp(route_name, name) == 0;
    }
    if (!known) {
        berth_error_set(reterr, "route must be \"\" or one of those that the counters name, like"
                                " \"POST /projects\"");
        return BERTH_INVALID;
    }
    (void)snprintf(record->route, sizeof(record->route), "%s", name);
    return BERTH_OK;
}

static enum berth_rc check_record(const struct berth_sandbox_fault *record, bool is_base,
                                  struct berth_error *reterr) {
    if (record->status != 0 && record->status < 400) {
        berth_error_set(reterr, "status must be 0 (none) or from 400 to 599");
        return BERTH_INVALID;
    }
    bool whole = is_base && record->count == 0 && record->skip == 0 && record->route[0] == '\0';
    if (record->away == BERTH_SANDBOX_AWAY_REFUSE && !whole) {
        berth_error_set(reterr, "away=refuse is for the whole registry: connections that are"
                                " refused can't be counted or told apart by route");
        return BERTH_INVALID;
    }
    if (record->commit_ms > 0 && record->away != BERTH_SANDBOX_AWAY_RESET &&
        record->away != BERTH_SANDBOX_AWAY_HANG) {
        berth_error_set(reterr, "commit_ms goes with away=reset and away=hang only");
        return BERTH_INVALID;
    }
    return BERTH_OK;
}

static json_t *record_json(const struct berth_sandbox_fault *record) {
    const struct berth_sandbox_latency *latency = &record->latency;
    json_t *json = json_object();
    for (size_t i = 0; i < COUNT_OF(RECORD_KEYS); i++) {
        json_t *value = berth_sandbox_key_get(&RECORD_KEYS[i], record);
        BERTH_ASSERT(json_object_set_new(json, RECORD_KEYS[i].name, value) == 0);
    }
    json_t *shown = NULL;
    switch (latency->kind) {
    case BERTH_SANDBOX_LATENCY_FIXED:
        shown = json_integer(latency->low_ms);
        break;
    case BERTH_SANDBOX_LATENCY_UNIFORM:
        shown = json_pack("{s:[I,I]}", "uniform", (json_int_t)latency->low_ms,
                          (json_int_t)latency->high_ms);
        break;
    case BERTH_SANDBOX_LATENCY_TAIL:
        shown = json_pack("{s:I,s:I}", "p50", (json_int_t)latency->low_ms, "p99",
                          (json_int_t)latency->high_ms);
        break;
    }
    BERTH_ASSERT(json_object_set_new(json, "latency_ms", shown) == 0);
    BERTH_ASSERT(json_object_set_new(json, "route", json_string(record->route)) == 0);
    return json;
}

static bool is_for(const struct berth_sandbox_fault *record, const char *route) {
    return record->route[0] == '\0' || strcmp(record->route, route) == 0;
}

/* After a request that the record is for. True: that was its last one. */
static bool use_up(struct berth_sandbox_fault *record) {
    if (record->skip > 0) {
        record->skip--;
        return false;
    }
    return record->count > 0 && --record->count == 0;
}

/* What the rule sets, unless it spares the request. */
static void overlay(struct berth_sandbox_fault *fault, const struct berth_sandbox_fault *rule) {
    if (rule->skip > 0) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(RECORD_KEYS); i++) {
        berth_sandbox_key_overlay(&RECORD_KEYS[i], fault, rule);
    }
    if (rule->latency.high_ms > 0) {
        fault->latency = rule->latency;
    }
}

static int64_t draw(struct berth_random *random, const struct berth_sandbox_latency *latency) {
    switch (latency->kind) {
    case BERTH_SANDBOX_LATENCY_FIXED:
        return latency->low_ms;
    case BERTH_SANDBOX_LATENCY_UNIFORM:
        return latency->low_ms + berth_random_below(random, latency->high_ms - latency->low_ms + 1);
    case BERTH_SANDBOX_LATENCY_TAIL:
        break;
    }
    /* Pareto through both points: x = p50 * (2u)^-k with u in (0, 1] and (0.02)^-k = p99 / p50. */
    double u = ((double)(berth_random_next(random) >> 11) + 1.0) / 9007199254740992.0;
    double k = log((double)latency->high_ms / (double)latency->low_ms) / log(50.0);
    double ms = (double)latency->low_ms * pow(2.0 * u, -k);
    return ms < BERTH_SANDBOX_LATENCY_MS_MAX ? (int64_t)ms : BERTH_SANDBOX_LATENCY_MS_MAX;
}
