/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "record_json.h"
#include "text.h"

/* value is NULL when the record has none that can be decoded. */
typedef void print_fn(const struct berth_record *record, const json_t *value, FILE *out);

struct cli_stream {
    const char *name;
    size_t topic;       /* Offset of its char * in struct berth_config. */
    const char *record; /* The Avro record that it holds; NULL: any. */
    const char *head;
    print_fn *print;
};

static print_fn print_result;
static print_fn print_audit;
static print_fn print_space;
static print_fn print_dead_letter;
static void print_unknown(const struct berth_record *record, FILE *out);
static void print_time(const struct berth_record *record, FILE *out);
static void print_state(const char *name, const json_t *value, FILE *out);
static void print_header(const struct berth_record *record, const char *before, const char *name,
                         FILE *out);

static const struct cli_stream streams[] = {
    {"results", offsetof(struct berth_config, topics.results), "CommandResult", NULL, print_result},
    {"audit", offsetof(struct berth_config, topics.audit), "AuditRecord", NULL, print_audit},
    {"spaces", offsetof(struct berth_config, topics.spaces), "SpaceState",
     "TIME                      SPACE                           VISIBILITY  QUOTA       "
     "WORKSPACE\n",
     print_space},
    {"dlq", offsetof(struct berth_config, topics.dlq), NULL, NULL, print_dead_letter},
};

const struct cli_stream *cli_stream_find(const char *name) {
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        if (strcmp(streams[i].name, name) == 0) {
            return &streams[i];
        }
    }
    return NULL;
}

const char *cli_stream_topic(const struct cli_stream *stream, const struct berth_config *config) {
    return *(char *const *)((const char *)config + stream->topic);
}

void cli_stream_print_head(const struct cli_stream *stream, FILE *out) {
    if (stream->head != NULL) {
        (void)fputs(stream->head, out);
    }
}

void cli_stream_print(const struct cli_stream *stream, struct berth_codec *codec,
                      const struct berth_record *record, FILE *out) {
    const char *name = "";
    json_t *value = cli_record_value(codec, record, &name);
    bool tombstone = berth_record_value(record).data == NULL;
    bool expected = stream->record == NULL ||
                    (value != NULL && strcmp(name, stream->record) == 0) ||
                    (tombstone && stream->print == print_space);
    print_time(record, out);
    if (expected) {
        stream->print(record, value, out);
    } else {
        print_unknown(record, out);
    }
    (void)fputc('\n', out);
    json_decref(value);
}

static void print_result(const struct berth_record *record, const json_t *value, FILE *out) {
    (void)record;
    (void)fprintf(out, "%-9s ", cli_member(value, "outcome"));
    cli_put_member(out, value, "code");
    (void)fputs("  ", out);
    cli_put_member(out, value, "registry");
    (void)fputc('/', out);
    cli_put_member(out, value, "space");
    (void)fprintf(out, "  %s by ", cli_member(value, "command"));
    cli_put_member(out, value, "actor");
    (void)fputs("  id=", out);
    cli_put_member(out, value, "command_id");
    (void)fputs("  \"", out);
    cli_put_member(out, value, "message");
    (void)fputc('"', out);
}

static void print_audit(const struct berth_record *record, const json_t *value, FILE *out) {
    (void)record;
    (void)fprintf(out, "%-22s ", cli_member(value, "action"));
    cli_put_member(out, value, "registry");
    (void)fputc('/', out);
    cli_put_member(out, value, "space");
    (void)fputs(" by ", out);
    cli_put_member(out, value, "actor");
    (void)fprintf(out, "  %s ", cli_member(value, "outcome"));
    cli_put_member(out, value, "code");
    print_state("before", json_object_get(value, "before"), out);
    print_state("after", json_object_get(value, "after"), out);
    (void)fputs("  id=", out);
    cli_put_member(out, value, "command_id");
}

static void print_space(const struct berth_record *record, const json_t *value, FILE *out) {
    struct berth_bytes key = berth_record_key(record);
    cli_put_text(out, (const char *)key.data, key.len);
    (void)fprintf(out, "%*s", key.len < 30 ? (int)(30 - key.len) : 0, "");
    if (value == NULL) {
        (void)fputs("  deleted", out);
        return;
    }
    const char *visibility = cli_member(value, "visibility");
    char quota[CLI_QUOTA_BYTES];
    cli_quota_text(json_object_get(value, "quota_bytes"), quota);
    (void)fprintf(out, "  %-10s  %-10s  ", visibility[0] != '\0' ? visibility : "-", quota);
    cli_put_workspaces(out, json_object_get(value, "bindings"));
}

static void print_dead_letter(const struct berth_record *record, const json_t *value, FILE *out) {
    struct berth_bytes key = berth_record_key(record);
    struct berth_bytes bytes = berth_record_value(record);
    print_header(record, "", "berth-dlq-reason", out);
    (void)fputs("  key=", out);
    cli_put_text(out, (const char *)key.data, key.len);
    print_header(record, "  from ", "berth-dlq-topic", out);
    print_header(record, "[", "berth-dlq-partition", out);
    print_header(record, "]@", "berth-dlq-offset", out);
    (void)fprintf(out, "  %zu bytes", bytes.len);
    if (json_is_string(json_object_get(value, "command_id"))) {
        (void)fputs("  id=", out);
        cli_put_member(out, value, "command_id");
    }
    print_header(record, "  \"", "berth-dlq-message", out);
    (void)fputc('"', out);
}

static void print_unknown(const struct berth_record *record, FILE *out) {
    struct berth_bytes key = berth_record_key(record);
    (void)fputs("not a record of this topic:  key=", out);
    cli_put_text(out, (const char *)key.data, key.len);
    (void)fprintf(out, "  %zu bytes at %s[%" PRId32 "]@%" PRId64, berth_record_value(record).len,
                  berth_record_topic(record), berth_record_partition(record),
                  berth_record_offset(record));
}

static void print_time(const struct berth_record *record, FILE *out) {
    char time[CLI_TIME_BYTES];
    cli_time_text(berth_record_time_ms(record), time);
    (void)fprintf(out, "%-24s  ", time);
}

/* "  before: PRIVATE, dev, prod"; nothing there and nothing told are both null. */
static void print_state(const char *name, const json_t *value, FILE *out) {
    (void)fprintf(out, "  %s: ", name);
    if (!json_is_object(value)) {
        (void)fputs("none", out);
        return;
    }
    cli_put_member(out, value, "visibility");
    (void)fputs(", ", out);
    cli_put_workspaces(out, json_object_get(value, "workspaces"));
}

static void print_header(const struct berth_record *record, const char *before, const char *name,
                         FILE *out) {
    char *text = cli_record_header(record, name);
    (void)fputs(before, out);
    if (text != NULL) {
        cli_put_text(out, text, strlen(text));
    } else {
        (void)fputc('-', out);
    }
    free(text);
}
