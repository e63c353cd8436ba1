/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_faults.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_api.h"

typedef enum berth_rc set_fn(struct berth_sandbox_faults *faults, const json_t *value,
                             struct berth_error *reterr);

struct key {
    const char *name;
    set_fn *set;
};

static set_fn set_latency;
static set_fn set_away;
static set_fn set_read_only;
static set_fn set_status;
static set_fn set_count;
static set_fn set_route;
static enum berth_rc whole_number(const json_t *value, const char *name, int64_t min, int64_t max,
                                  int64_t *ret_number, struct berth_error *reterr);
static bool route_exists(const char *name);

static const struct key KEYS[] = {
    {"latency_ms", set_latency}, {"away", set_away},   {"read_only", set_read_only},
    {"status", set_status},      {"count", set_count}, {"route", set_route},
};

/* In the order of the enum. */
static const char *const AWAY_NAMES[] = {"no", "refuse", "reset", "reset_after", "hang"};

enum berth_rc berth_sandbox_faults_merge(struct berth_sandbox_faults *faults,
                                         const struct json_t *json, struct berth_error *reterr) {
    if (!json_is_object(json)) {
        berth_error_set(reterr, "faults must be a JSON object");
        return BERTH_INVALID;
    }
    struct berth_sandbox_faults merged = *faults;
    size_t known = 0;
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        const json_t *value = json_object_get(json, KEYS[i].name);
        if (value == NULL) {
            continue;
        }
        known++;
        enum berth_rc rc = KEYS[i].set(&merged, value, reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    if (known != json_object_size(json)) {
        berth_error_set(reterr, "unknown key; there are latency_ms, away, read_only, status, count"
                                " and route");
        return BERTH_INVALID;
    }
    if (merged.away == BERTH_SANDBOX_AWAY_REFUSE &&
        (merged.count != 0 || merged.route[0] != '\0')) {
        berth_error_set(reterr, "away=refuse is for the whole registry: connections that are"
                                " refused can't be counted or told apart by route");
        return BERTH_INVALID;
    }
    *faults = merged;
    return BERTH_OK;
}

struct json_t *berth_sandbox_faults_json(const struct berth_sandbox_faults *faults) {
    json_t *json =
        json_pack("{s:I,s:s,s:b,s:i,s:I,s:s}", "latency_ms", (json_int_t)faults->latency_ms, "away",
                  AWAY_NAMES[faults->away], "read_only", (int)faults->read_only, "status",
                  faults->status, "count", (json_int_t)faults->count, "route", faults->route);
    BERTH_ASSERT(json != NULL);
    return json;
}

struct berth_sandbox_faults berth_sandbox_faults_take(struct berth_sandbox_faults *faults,
                                                      size_t route) {
    if (faults->route[0] != '\0') {
        char name[BERTH_SANDBOX_ROUTE_BYTES_MAX];
        berth_sandbox_route_name(route, name, sizeof(name));
        if (strcmp(name, faults->route) != 0) {
            return (struct berth_sandbox_faults){0};
        }
    }
    struct berth_sandbox_faults taken = *faults;
    if (faults->count > 0 && --faults->count == 0) {
        *faults = (struct berth_sandbox_faults){0};
    }
    return taken;
}

static enum berth_rc set_latency(struct berth_sandbox_faults *faults, const json_t *value,
                                 struct berth_error *reterr) {
    return whole_number(value, "latency_ms", 0, BERTH_SANDBOX_LATENCY_MS_MAX, &faults->latency_ms,
                        reterr);
}

static enum berth_rc set_away(struct berth_sandbox_faults *faults, const json_t *value,
                              struct berth_error *reterr) {
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < sizeof(AWAY_NAMES) / sizeof(AWAY_NAMES[0]); i++) {
        if (strcmp(AWAY_NAMES[i], name) == 0) {
            faults->away = (enum berth_sandbox_away)i;
            return BERTH_OK;
        }
    }
    berth_error_set(reterr, "away must be \"no\", \"refuse\", \"reset\", \"reset_after\" or"
                            " \"hang\"");
    return BERTH_INVALID;
}

static enum berth_rc set_read_only(struct berth_sandbox_faults *faults, const json_t *value,
                                   struct berth_error *reterr) {
    if (!json_is_boolean(value)) {
        berth_error_set(reterr, "read_only must be true or false");
        return BERTH_INVALID;
    }
    faults->read_only = json_is_true(value);
    return BERTH_OK;
}

static enum berth_rc set_status(struct berth_sandbox_faults *faults, const json_t *value,
                                struct berth_error *reterr) {
    int64_t status = 0;
    if (whole_number(value, "status", 0, 599, &status, reterr) != BERTH_OK ||
        (status != 0 && status < 400)) {
        berth_error_set(reterr, "status must be 0 (none) or from 400 to 599");
        return BERTH_INVALID;
    }
    faults->status = (int)status;
    return BERTH_OK;
}

static enum berth_rc set_count(struct berth_sandbox_faults *faults, const json_t *value,
                               struct berth_error *reterr) {
    return whole_number(value, "count", 0, BERTH_SANDBOX_COUNT_MAX, &faults->count, reterr);
}

static enum berth_rc set_route(struct berth_sandbox_faults *faults, const json_t *value,
                               struct berth_error *reterr) {
    const char *name = json_string_value(value);
    if (name == NULL || (name[0] != '\0' && !route_exists(name))) {
        berth_error_set(reterr, "route must be \"\" or one of those that the counters name, like"
                                " \"POST /projects\"");
        return BERTH_INVALID;
    }
    (void)snprintf(faults->route, sizeof(faults->route), "%s", name);
    return BERTH_OK;
}

static enum berth_rc whole_number(const json_t *value, const char *name, int64_t min, int64_t max,
                                  int64_t *ret_number, struct berth_error *reterr) {
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < min || number > max) {
        berth_error_set(reterr, "%s must be a whole number from %lld to %lld", name, (long long)min,
                        (long long)max);
        return BERTH_INVALID;
    }
    *ret_number = number;
    return BERTH_OK;
}

static bool route_exists(const char *name) {
    for (size_t route = 0; route < berth_sandbox_route_count(); route++) {
        char known[BERTH_SANDBOX_ROUTE_BYTES_MAX];
        berth_sandbox_route_name(route, known, sizeof(known));
        if (strcmp(known, name) == 0) {
            return true;
        }
    }
    return false;
}
