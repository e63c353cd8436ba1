/* SPDX-License-Identifier: Apache-2.0 */
#include "bindings_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/codec/lookup_json.h"
#include "record_json.h"
#include "text.h"

/* A space with as many bindings as it may have takes a fifth of this. */
#define JSON_BYTES_MAX ((size_t)1024 * 1024)

struct cli_bindings_print {
    bool json;
    bool headed; /* The table's head is printed. */
    int width;   /* Of the table's first column. */
    size_t count;
    enum berth_rc rc; /* Of printing: BERTH_END when nobody reads. */
    struct berth_buffer line;
};

static void print_json(struct cli_bindings_print *print, int64_t as_of_ms,
                       const struct berth_lookup_space *space);
static void widen(struct cli_bindings_print *print, const struct berth_lookup_answer *answer);
static void print_row(const struct cli_bindings_print *print,
                      const struct berth_lookup_space *space);
static void print_detail(const struct berth_lookup_space *space, int64_t as_of_ms);
static void put_name(const char *name);
static void put_bound(const struct berth_binding *binding);
static void put_change(const char *name, const char *command_id, int64_t at_ms);
static const char *type_of(const struct berth_space_state *state);
static const char *flaw_of(const struct berth_binding *binding);

enum cli_exit cli_bindings_print_new(bool json, struct cli_bindings_print **ret_print) {
    struct cli_bindings_print *print = calloc(1, sizeof(*print));
    if (print == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    print->json = json;
    print->width = (int)strlen("SPACE");
    berth_buffer_init(&print->line, JSON_BYTES_MAX);
    *ret_print = print;
    return CLI_SUCCEEDED;
}

struct cli_bindings_print *cli_bindings_print_free(struct cli_bindings_print *print) {
    if (print != NULL) {
        berth_buffer_deinit(&print->line);
        free(print);
    }
    return NULL;
}

bool cli_bindings_print_page(void *ctx, const struct berth_lookup_answer *answer) {
    struct cli_bindings_print *print = ctx;
    print->count += answer->spaces_count;
    widen(print, answer);
    if (!print->json && !print->headed && answer->spaces_count > 0) {
        (void)printf("%-*s  TYPE     WORKSPACE\n", print->width, "SPACE");
        print->headed = true;
    }
    for (size_t i = 0; print->rc == BERTH_OK && i < answer->spaces_count; i++) {
        if (print->json) {
            print_json(print, answer->as_of_ms, &answer->spaces[i]);
        } else {
            print_row(print, &answer->spaces[i]);
        }
    }
    if (print->rc == BERTH_OK) {
        print->rc = cli_flush();
    }
    return print->rc == BERTH_OK;
}

bool cli_bindings_print_space(void *ctx, const struct berth_lookup_answer *answer) {
    struct cli_bindings_print *print = ctx;
    if (print->json) {
        print_json(print, answer->as_of_ms, &answer->spaces[0]);
    } else {
        print_detail(&answer->spaces[0], answer->as_of_ms);
    }
    if (print->rc == BERTH_OK) {
        print->rc = cli_flush();
    }
    return print->rc == BERTH_OK;
}

enum cli_exit cli_bindings_print_end(struct cli_bindings_print *print, const char *workspace) {
    if (print->rc == BERTH_OK && print->count == 0 && !print->json) {
        (void)puts(workspace != NULL ? "No binding" : "No spaces");
        print->rc = cli_flush();
    }
    return cli_bindings_print_status(print);
}

enum cli_exit cli_bindings_print_status(const struct cli_bindings_print *print) {
    return print->rc == BERTH_OK || print->rc == BERTH_END ? CLI_SUCCEEDED : CLI_FAILED;
}

static void print_json(struct cli_bindings_print *print, int64_t as_of_ms,
                       const struct berth_lookup_space *space) {
    berth_buffer_clear(&print->line);
    print->rc = berth_space_json_write_as_of(as_of_ms, space->registry, space->space, &space->state,
                                             &print->line);
    if (print->rc == BERTH_OK) {
        (void)fwrite(print->line.data, 1, print->line.len, stdout); /* With its newline. */
    } else {
        (void)cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
}

static void widen(struct cli_bindings_print *print, const struct berth_lookup_answer *answer) {
    for (size_t i = 0; i < answer->spaces_count; i++) {
        int width = (int)(strlen(answer->spaces[i].registry) + 1 + strlen(answer->spaces[i].space));
        print->width = width > print->width ? width : print->width;
    }
}

static void print_row(const struct cli_bindings_print *print,
                      const struct berth_lookup_space *space) {
    const struct berth_space_state *state = &space->state;
    put_name(space->registry);
    (void)fputc('/', stdout);
    put_name(space->space);
    int width = (int)(strlen(space->registry) + 1 + strlen(space->space));
    (void)printf("%*s  %-7s  ", print->width - width, "", type_of(state));
    if (state->bindings_count == 0) {
        (void)fputs("No binding", stdout);
    }
    for (size_t i = 0; i < state->bindings_count; i++) {
        (void)fputs(i > 0 ? ", " : "", stdout);
        put_bound(&state->bindings[i]);
    }
    (void)fputc('\n', stdout);
}

static void print_detail(const struct berth_lookup_space *space, int64_t as_of_ms) {
    const struct berth_space_state *state = &space->state;
    char quota[CLI_QUOTA_BYTES];
    char time[CLI_TIME_BYTES];
    json_t *quota_bytes =
        state->quota_bytes != BERTH_QUOTA_UNSET ? json_integer(state->quota_bytes) : NULL;
    cli_quota_text(quota_bytes, quota);
    json_decref(quota_bytes);
    (void)fputs("space      ", stdout);
    put_name(space->registry);
    (void)fputc('/', stdout);
    put_name(space->space);
    (void)printf("\ntype       %s\nquota      %s\nproject    %" PRId64 "\nworkspace  ",
                 type_of(state), quota, state->project_id);
    if (state->bindings_count == 0) {
        (void)fputs("No binding\n", stdout);
    }
    for (size_t i = 0; i < state->bindings_count; i++) {
        (void)fputs(i > 0 ? "           " : "", stdout);
        put_bound(&state->bindings[i]);
        (void)printf("  robot account %" PRId64 "\n", state->bindings[i].robot_id);
    }
    put_change("created", state->created_by, 0);
    put_change("updated", state->updated_by, state->updated_at_ms);
    cli_time_text(state->verified_at_ms, time);
    (void)printf("verified   %s\n", state->verified_at_ms > 0 ? time : "not since it was doubted");
    cli_time_text(as_of_ms, time);
    (void)printf("as of      %s\n", time);
}

/* Only what berth itself writes is found there; yet nothing else may move the terminal's cursor. */
static void put_name(const char *name) {
    cli_put_text(stdout, name, strlen(name));
}

static void put_bound(const struct berth_binding *binding) {
    put_name(binding->workspace);
    (void)fputs(flaw_of(binding), stdout);
}

static void put_change(const char *name, const char *command_id, int64_t at_ms) {
    if (command_id[0] == '\0') {
        return;
    }
    (void)printf("%-9s  ", name);
    if (at_ms > 0) {
        char time[CLI_TIME_BYTES];
        cli_time_text(at_ms, time);
        (void)printf("%s  ", time);
    }
    (void)fputs("command ", stdout);
    put_name(command_id);
    (void)fputc('\n', stdout);
}

static const char *type_of(const struct berth_space_state *state) {
    switch (state->visibility) {
    case BERTH_PUBLIC:
        return "public";
    case BERTH_PRIVATE:
        return "private";
    case BERTH_VISIBILITY_UNSET:
        break;
    }
    return "-";
}

/* Why somebody who is bound can't pull, or may not be able to. */
static const char *flaw_of(const struct berth_binding *binding) {
    if (binding->disabled) {
        return " (disabled)";
    }
    if (binding->altered) {
        return " (altered)";
    }
    return binding->key_id[0] == '\0' ? " (secret unknown)" : "";
}
