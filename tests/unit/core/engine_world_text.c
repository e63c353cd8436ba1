/* SPDX-License-Identifier: Apache-2.0 */
/* States and answers as text, and the trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world_parts.h"

static void add(char *text, size_t size, const char *separator, const char *more) {
    size_t len = strlen(text);
    (void)snprintf(text + len, size - len, "%s%s", len > 0 ? separator : "", more);
}

void text_of_state(const struct berth_space_state *state, char ret[WORLD_STATE_BYTES]) {
    memset(ret, 0, WORLD_STATE_BYTES);
    if (state->knowledge != BERTH_SPACE_PRESENT) {
        add(ret, WORLD_STATE_BYTES, " ",
            state->knowledge == BERTH_SPACE_ABSENT ? "absent" : "unknown");
        return;
    }
    add(ret, WORLD_STATE_BYTES, " ", state->visibility == BERTH_PUBLIC ? "public" : "private");
    for (size_t i = 0; i < state->bindings_count; i++) {
        add(ret, WORLD_STATE_BYTES, " ", state->bindings[i].workspace);
    }
}

void publication_of(const struct berth_outcome *outcome, struct world_publication *ret) {
    memset(ret, 0, sizeof(*ret));
    ret->kind = outcome->kind;
    ret->changed = outcome->changed;
    ret->publish_state = outcome->publish_state;
    ret->audit = outcome->audit;
    ret->dead_letter = outcome->dead_letter;
    ret->attempts = outcome->attempts;
    ret->received_at_ms = outcome->received_at_ms;
    ret->finished_at_ms = outcome->finished_at_ms;
    ret->version = outcome->after.version;
    ret->quota_before = outcome->before.quota_bytes;
    ret->quota_after = outcome->after.quota_bytes;
    add(ret->code, sizeof(ret->code), "", outcome->code);
    add(ret->message, sizeof(ret->message), "", outcome->message);
    text_of_state(&outcome->before, ret->before);
    text_of_state(&outcome->after, ret->after);
    for (size_t i = 0; i < outcome->bindings_count; i++) {
        const struct berth_binding_change *change = &outcome->bindings[i];
        add(ret->bindings, sizeof(ret->bindings), ", ",
            berth_binding_change_kind_name(change->kind));
        add(ret->bindings, sizeof(ret->bindings), " ", change->workspace);
    }
}

bool same_result(const struct world_publication *a, const struct world_publication *b) {
    return a->kind == b->kind && a->changed == b->changed && a->attempts == b->attempts &&
           a->received_at_ms == b->received_at_ms && a->finished_at_ms == b->finished_at_ms &&
           a->quota_after == b->quota_after && strcmp(a->code, b->code) == 0 &&
           strcmp(a->message, b->message) == 0 && strcmp(a->after, b->after) == 0 &&
           strcmp(a->bindings, b->bindings) == 0;
}

bool same_publication(const struct world_publication *a, const struct world_publication *b) {
    return same_result(a, b) && a->result_only == b->result_only &&
           a->publish_state == b->publish_state && a->audit == b->audit &&
           a->dead_letter == b->dead_letter && a->version == b->version &&
           a->quota_before == b->quota_before && strcmp(a->before, b->before) == 0;
}

int number_of(const char *command_id) {
    const char *digits = strrchr(command_id, '-');
    return digits == NULL ? 0 : (int)strtol(digits + 1, NULL, 10);
}

void incarnation_of(int worker, uint32_t life, char ret[BERTH_UUID_BYTES]) {
    (void)snprintf(ret, BERTH_UUID_BYTES, "worker-%d-life-%u", worker, life);
}

const char *form_name(enum berth_publish_form form) {
    switch (form) {
    case BERTH_PUBLISH_MADE:
        return "made";
    case BERTH_PUBLISH_DIRECT:
        return "direct";
    case BERTH_PUBLISH_STORED:
        return "stored";
    case BERTH_PUBLISH_STORED_QUIETLY:
        return "stored quietly";
    case BERTH_PUBLISH_REPLAY:
        return "replay";
    }
    return "?";
}

void trace(struct world *world, const char *format, ...) {
    if (!world->tracing) {
        return;
    }
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    /* A trace that is full has told enough. */
    (void)!berth_buffer_printf(&world->trace, "%s\n", line);
}

const char *world_trace(const struct world *world) {
    return world->trace.len > 0 ? (const char *)world->trace.data : "";
}

void world_trace_restart(struct world *world) {
    berth_buffer_clear(&world->trace);
}

int world_traced(const struct world *world, const char *line) {
    int found = 0;
    size_t len = strlen(line);
    const char *at = world_trace(world);
    while (at != NULL && *at != '\0') {
        found += strncmp(at, line, len) == 0;
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return found;
}

_Noreturn void world_fail(const struct world *world, const char *what, const char *file, int line) {
    /* Not print_error(), which cuts what is long. */
    (void)fprintf(stderr, "%sseed %llu, after %llu steps, at %lld ms: %s\n", world_trace(world),
                  (unsigned long long)world->seed, (unsigned long long)world->steps,
                  (long long)world->now_ms, what);
    _fail(file, line);
    abort(); /* Not reached: _fail() leaves the test. */
}
