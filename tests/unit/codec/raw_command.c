/* SPDX-License-Identifier: Apache-2.0 */
#include "raw_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_fixture.h"
#include "codec_parts.h"

struct raw_command raw_command_bind(void) {
    return (struct raw_command){.id = FIXTURE_ID,
                                .id_len = 36,
                                .actor = "alice",
                                .registry = "main",
                                .space = "team-a",
                                .space_len = 6,
                                .workspace = "blue",
                                .workspaces_count = 1};
}

void raw_command_put_frame(struct berth_codec *codec, struct berth_buffer *out,
                           const char *schema) {
    const uint8_t *frame = berth_codec_schema(codec, schema)->frame;
    assert_int_equal(berth_buffer_append(out, frame, BERTH_FRAME_BYTES), BERTH_OK);
}

void raw_command_put(struct berth_buffer *out, const struct raw_command *raw) {
    fixture_put_text(out, raw->id, raw->id_len);
    fixture_put_long(out, 1700000000000);
    fixture_put_text(out, raw->actor, strlen(raw->actor));
    fixture_put_text(out, raw->registry, strlen(raw->registry));
    fixture_put_text(out, raw->space, raw->space_len);
    if (raw->workspaces_count > 0) {
        fixture_put_long(out, (int64_t)raw->workspaces_count);
    }
    for (size_t i = 0; i < raw->workspaces_count; i++) {
        fixture_put_text(out, raw->workspace, strlen(raw->workspace));
    }
    fixture_put_long(out, 0);
}

void raw_command_decode_bytes(struct berth_codec *codec, const void *data, size_t len,
                              struct berth_decoded *ret_decoded) {
    /* Of exact size, so that asan sees each byte read beyond it. */
    uint8_t *copy = len == 0 ? NULL : malloc(len);
    if (copy != NULL) {
        memcpy(copy, data, len);
    }
    berth_codec_decode_command(codec, (struct berth_bytes){.data = copy, .len = len}, NULL, 0,
                               ret_decoded);
    free(copy);
}

void raw_command_decode(struct berth_codec *codec, const struct raw_command *raw,
                        struct berth_decoded *ret_decoded) {
    struct berth_buffer record;
    berth_buffer_init(&record, 1 << 20);
    raw_command_put_frame(codec, &record, "BindWorkspace");
    raw_command_put(&record, raw);
    raw_command_decode_bytes(codec, record.data, record.len, ret_decoded);
    berth_buffer_deinit(&record);
}

void raw_command_assert_dead_letter(struct berth_decoded *decoded, const char *reason,
                                    const char *text) {
    assert_false(decoded->is_command);
    assert_string_equal(decoded->reason, reason);
    if (strstr(decoded->text, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", decoded->text, text);
    }
    berth_decoded_deinit(decoded);
}
