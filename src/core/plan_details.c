/* SPDX-License-Identifier: Apache-2.0 */
/* Details: the parameters of what people are told, and sentences made from them. */
#include <string.h>

#include "berth/base/assert.h"
#include "plan_parts.h"
#include "text.h"

/* A sentence shows a long name's beginning, so that there is room for the remedy; the detail has it
 * whole. Harbor's words and the request's id are told as they came. */
#define NAME_IN_SENTENCE_BYTES  64
#define WORDS_IN_SENTENCE_BYTES 127
/* Of many names a sentence spells out so many. */
#define NAMES_IN_SENTENCE 3

static const struct berth_detail *find_detail(const struct berth_outcome *outcome, const char *name,
                                              size_t name_len);
static void add_value(struct text *text, const struct berth_detail *detail,
                      const struct berth_outcome *outcome);
static void add_few(struct text *text, const char *names, const char *count);
static void detail_names(struct berth_outcome *outcome, const char *first, size_t stride,
                         size_t count);

void plan_detail(struct berth_outcome *outcome, const char *name, const char *value) {
    BERTH_ASSERT(outcome->details_count < BERTH_DETAILS_MAX);
    struct berth_detail *detail = &outcome->details[outcome->details_count++];
    text_set(detail->name, sizeof(detail->name), name, NULL);
    text_set(detail->value, sizeof(detail->value), value, NULL);
}

void plan_detail_number(struct berth_outcome *outcome, const char *name, int64_t value) {
    char digits[TEXT_NUMBER_BYTES];
    plan_detail(outcome, name, text_number(value, digits));
}

void plan_detail_bindings(struct berth_outcome *outcome, const struct berth_space_state *state) {
    if (state->bindings_count > 0) {
        detail_names(outcome, state->bindings[0].workspace, sizeof(state->bindings[0]),
                     state->bindings_count);
    }
}

void plan_detail_workspaces(struct berth_outcome *outcome, const struct berth_command *command) {
    if (command->workspaces_count > 0) {
        detail_names(outcome, command->workspaces[0].id, sizeof(command->workspaces[0]),
                     command->workspaces_count);
    }
}

/* first: the first name; each next one is stride bytes further. */
static void detail_names(struct berth_outcome *outcome, const char *first, size_t stride,
                         size_t count) {
    static const char separator[] = ", ";
    char names[BERTH_DETAIL_VALUE_BYTES];
    struct text text;
    text_init(&text, names, sizeof(names));
    for (size_t i = 0; i < count; i++) {
        const char *name = first + i * stride;
        if (strlen(separator) + strlen(name) > text_room(&text)) {
            break;
        }
        text_add(&text, i > 0 ? separator : "");
        text_add(&text, name);
    }
    plan_detail(outcome, "workspaces", names);
    plan_detail_number(outcome, "workspaces_count", (int64_t)count);
}

void plan_detail_foreign(struct berth_outcome *outcome, const struct berth_work *work) {
    plan_detail_number(outcome, "foreign_robots", (int64_t)work->foreign_robots);
    plan_detail(outcome, "foreign_robot", work->foreign_example);
}

void plan_detail_said(struct berth_outcome *outcome, const struct berth_harbor_said *said) {
    plan_detail(outcome, "harbor", said->words[0] != '\0' ? said->words : "no reason given");
    plan_detail_number(outcome, "harbor_status", said->http_status);
    plan_detail(outcome, "harbor_call", said->call);
    plan_detail(outcome, "harbor_request", said->request_id);
}

/* ---- Sentences ---- */

void plan_say(struct berth_outcome *outcome, const char *sentence) {
    struct text text;
    text_init(&text, outcome->message, sizeof(outcome->message));
    const char *rest = sentence;
    for (;;) {
        size_t plain = strcspn(rest, "{");
        text_add_bytes(&text, rest, plain);
        rest += plain;
        if (*rest == '\0') {
            break;
        }
        const char *name = rest + 1;
        size_t name_len = strcspn(name, "}");
        const struct berth_detail *detail = find_detail(outcome, name, name_len);
        BERTH_ASSERT(detail != NULL);
        add_value(&text, detail, outcome);
        rest = name + name_len + 1;
    }
    BERTH_ASSERT(!text.cut); /* The sentences are ours, and so are the bounds of what is put in. */
}

static const struct berth_detail *find_detail(const struct berth_outcome *outcome, const char *name,
                                              size_t name_len) {
    for (size_t i = 0; i < outcome->details_count; i++) {
        const struct berth_detail *detail = &outcome->details[i];
        if (strlen(detail->name) == name_len && memcmp(detail->name, name, name_len) == 0) {
            return detail;
        }
    }
    return NULL;
}

static void add_value(struct text *text, const struct berth_detail *detail,
                      const struct berth_outcome *outcome) {
    if (strcmp(detail->name, "workspaces") == 0) {
        static const char count_name[] = "workspaces_count";
        add_few(text, detail->value, find_detail(outcome, count_name, strlen(count_name))->value);
    } else if (strncmp(detail->name, "harbor", strlen("harbor")) == 0) {
        text_add_short(text, detail->value, WORDS_IN_SENTENCE_BYTES);
    } else {
        text_add_short(text, detail->value, NAME_IN_SENTENCE_BYTES);
    }
}

/* "a, b, c and others (17 in all)"; names: separated by ", ". */
static void add_few(struct text *text, const char *names, const char *count) {
    const char *rest = names;
    for (size_t i = 0; i < NAMES_IN_SENTENCE && *rest != '\0'; i++) {
        char name[BERTH_WORKSPACE_BYTES];
        size_t len = strcspn(rest, ",");
        BERTH_ASSERT(len < sizeof(name));
        memcpy(name, rest, len);
        name[len] = '\0';
        text_add(text, i > 0 ? ", " : "");
        text_add_short(text, name, NAME_IN_SENTENCE_BYTES);
        rest += len + strspn(rest + len, ", ");
    }
    if (*rest != '\0') {
        text_add(text, " and others (");
        text_add(text, count);
        text_add(text, " in all)");
    }
}
