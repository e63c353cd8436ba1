/* SPDX-License-Identifier: Apache-2.0 */
#include "send_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_json.h"
#include "text.h"

static enum berth_rc print_json(json_t *object);
static void print_lines(const struct cli_outgoing *outgoing, const struct berth_record *record,
                        const json_t *result, int64_t elapsed_ms);
static void print_one_line(const struct cli_outgoing *outgoing, const json_t *result,
                           int64_t elapsed_ms);

enum berth_rc cli_print_delivered(const struct cli_send_form *form,
                                  const struct cli_outgoing *outgoing) {
    if (form->json) {
        return print_json(json_pack("{s:s*, s:s, s:i, s:I}", "command_id",
                                    outgoing->id[0] != '\0' ? outgoing->id : NULL, "topic",
                                    outgoing->topic, "partition", (int)outgoing->partition,
                                    "offset", (json_int_t)outgoing->offset));
    }
    (void)fputs("sent ", stdout);
    cli_put_text(stdout, outgoing->title, strlen(outgoing->title));
    (void)printf("  to %s[%" PRId32 "]@%" PRId64, outgoing->topic, outgoing->partition,
                 outgoing->offset);
    if (outgoing->id[0] != '\0') {
        (void)fputs("  id=", stdout);
        cli_put_text(stdout, outgoing->id, strlen(outgoing->id));
    }
    (void)fputc('\n', stdout);
    return cli_flush();
}

enum berth_rc cli_print_result(const struct cli_send_form *form,
                               const struct cli_outgoing *outgoing,
                               const struct berth_record *record, json_t *result,
                               int64_t elapsed_ms, enum cli_exit *ret_result) {
    bool succeeded = strcmp(cli_member(result, "outcome"), "SUCCEEDED") == 0;
    *ret_result = succeeded ? CLI_SUCCEEDED : CLI_FAILED;
    if (form->json) {
        json_t *object = json_copy(result);
        if (json_object_set_new(object, "elapsed_ms", json_integer(elapsed_ms)) != 0 ||
            json_object_set_new(object, "headers", cli_record_headers(record)) != 0) {
            json_decref(object);
            return BERTH_FAULT_MEMORY;
        }
        return print_json(object);
    }
    if (form->one_line) {
        print_one_line(outgoing, result, elapsed_ms);
    } else {
        print_lines(outgoing, record, result, elapsed_ms);
    }
    return cli_flush();
}

enum berth_rc cli_print_unanswered(const struct cli_send_form *form,
                                   const struct cli_outgoing *outgoing) {
    if (!form->json) {
        return BERTH_OK;
    }
    return print_json(json_pack("{s:s*, s:b, s:{s:s, s:i, s:I}}", "command_id",
                                outgoing->id[0] != '\0' ? outgoing->id : NULL, "answered", 0,
                                "source", "topic", outgoing->topic, "partition",
                                (int)outgoing->partition, "offset", (json_int_t)outgoing->offset));
}

enum berth_rc cli_print_dead_letter(const struct cli_send_form *form,
                                    const struct cli_outgoing *outgoing) {
    const char *reason = outgoing->dead_reason != NULL ? outgoing->dead_reason : "";
    if (form->json) {
        return print_json(json_pack("{s:s*, s:s, s:{s:s, s:i, s:I}}", "command_id",
                                    outgoing->id[0] != '\0' ? outgoing->id : NULL, "dead_letter",
                                    reason, "source", "topic", outgoing->topic, "partition",
                                    (int)outgoing->partition, "offset",
                                    (json_int_t)outgoing->offset));
    }
    (void)fputs("dead letter: ", stdout);
    cli_put_text(stdout, reason, strlen(reason));
    (void)fputs(form->one_line ? "  " : "\n  ", stdout);
    cli_put_text(stdout, outgoing->title, strlen(outgoing->title));
    (void)printf("  from %s[%" PRId32 "]@%" PRId64 "\n", outgoing->topic, outgoing->partition,
                 outgoing->offset);
    return cli_flush();
}

static enum berth_rc print_json(json_t *object) {
    if (object == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    (void)json_dumpf(object, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    json_decref(object);
    return cli_flush();
}

/* The toast, what a program would go by, and one line for each binding and each detail. */
static void print_lines(const struct cli_outgoing *outgoing, const struct berth_record *record,
                        const json_t *result, int64_t elapsed_ms) {
    cli_put_member(stdout, result, "message");
    (void)printf("\n  %s ", cli_member(result, "outcome"));
    cli_put_member(stdout, result, "code");
    (void)fputs("  ", stdout);
    cli_put_text(stdout, outgoing->title, strlen(outgoing->title));
    (void)printf("  %" PRId64 " ms  id=", elapsed_ms);
    cli_put_member(stdout, result, "command_id");
    char *replayed = cli_record_header(record, "berth-replayed");
    (void)fputs(replayed != NULL ? "  (this id was answered before)\n" : "\n", stdout);
    free(replayed);

    size_t index = 0;
    const json_t *binding = NULL;
    json_array_foreach(json_object_get(result, "bindings"), index, binding) {
        (void)printf("  %-9s ", cli_member(binding, "change"));
        cli_put_member(stdout, binding, "workspace");
        (void)fputs("  ", stdout);
        cli_put_member(stdout, binding, "code");
        (void)fputc('\n', stdout);
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_t *details = json_object_get(result, "details");
    json_object_foreach(details, name, value) {
        (void)fputs("  ", stdout);
        cli_put_text(stdout, name, strlen(name));
        (void)fputs(": ", stdout);
        cli_put_member(stdout, details, name);
        (void)fputc('\n', stdout);
    }
}

static void print_one_line(const struct cli_outgoing *outgoing, const json_t *result,
                           int64_t elapsed_ms) {
    (void)printf("%-9s ", cli_member(result, "outcome"));
    cli_put_member(stdout, result, "code");
    (void)fputs("  ", stdout);
    cli_put_text(stdout, outgoing->title, strlen(outgoing->title));
    (void)printf("  %" PRId64 " ms  id=", elapsed_ms);
    cli_put_member(stdout, result, "command_id");
    (void)fputs("  \"", stdout);
    cli_put_member(stdout, result, "message");
    (void)fputs("\"\n", stdout);
}
