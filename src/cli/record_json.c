/* SPDX-License-Identifier: Apache-2.0 */
#include "record_json.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "berth/base/assert.h"

/* JSON may be longer than what it is made from: names, escapes, times as text. */
#define JSON_BYTES_MAX ((size_t)8 * BERTH_RECORD_BYTES_MAX)

static json_t *base64_of(struct berth_bytes bytes);
static int set_base64(json_t *object, const char *name, struct berth_bytes bytes);
static int set_text(json_t *object, const char *name, struct berth_bytes bytes);
static int set_value(json_t *object, struct berth_codec *codec, const struct berth_record *record);

json_t *cli_record_value(struct berth_codec *codec, const struct berth_record *record,
                         const char **ret_name) {
    struct berth_bytes value = berth_record_value(record);
    if (value.data == NULL) {
        return NULL;
    }
    struct berth_buffer text;
    berth_buffer_init(&text, JSON_BYTES_MAX);
    json_t *object = NULL;
    const char *name = NULL;
    if (berth_codec_to_json(codec, value, &text, &name, NULL) == BERTH_OK) {
        object = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, NULL);
    }
    berth_buffer_deinit(&text);
    if (object != NULL && ret_name != NULL) {
        *ret_name = name;
    }
    return object;
}

json_t *cli_record_headers(const struct berth_record *record) {
    json_t *object = json_object();
    size_t count = 0;
    const struct berth_header *headers = berth_record_headers(record, &count);
    for (size_t i = 0; object != NULL && i < count; i++) {
        if (set_text(object, headers[i].name, headers[i].value) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

char *cli_record_header(const struct berth_record *record, const char *name) {
    size_t count = 0;
    const struct berth_header *headers = berth_record_headers(record, &count);
    for (size_t i = count; i > 0; i--) {
        const struct berth_header *header = &headers[i - 1];
        if (strcmp(header->name, name) == 0 && header->value.data != NULL) {
            return strndup((const char *)header->value.data, header->value.len);
        }
    }
    return NULL;
}

json_t *cli_record_json(struct berth_codec *codec, const struct berth_record *record) {
    json_t *object = json_object();
    char time[CLI_TIME_BYTES];
    cli_time_text(berth_record_time_ms(record), time);
    int rc = object != NULL ? 0 : -1;
    rc += json_object_set_new(object, "topic", json_string(berth_record_topic(record)));
    rc += json_object_set_new(object, "partition", json_integer(berth_record_partition(record)));
    rc += json_object_set_new(object, "offset", json_integer(berth_record_offset(record)));
    rc += json_object_set_new(object, "timestamp", json_string(time));
    rc += set_text(object, "key", berth_record_key(record));
    rc += json_object_set_new(object, "headers", cli_record_headers(record));
    rc += set_value(object, codec, record);
    if (rc != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

void cli_time_text(int64_t wall_ms, char ret_text[CLI_TIME_BYTES]) {
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    if (wall_ms < 0 || gmtime_r(&seconds, &parts) == NULL) {
        (void)snprintf(ret_text, CLI_TIME_BYTES, "-");
        return;
    }
    char day_and_time[CLI_TIME_BYTES - 8];
    size_t len = strftime(day_and_time, sizeof(day_and_time), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(ret_text, CLI_TIME_BYTES, "%s.%03dZ", len > 0 ? day_and_time : "-",
                   (int)(wall_ms % 1000));
}

static json_t *base64_of(struct berth_bytes bytes) {
    BERTH_ASSERT(bytes.len < INT32_MAX / 2);
    size_t size = 4 * ((bytes.len + 2) / 3) + 1;
    unsigned char *text = malloc(size);
    if (text == NULL) {
        return NULL;
    }
    int len = EVP_EncodeBlock(text, bytes.data, (int)bytes.len);
    json_t *string = json_stringn((const char *)text, (size_t)len);
    free(text);
    return string;
}

static int set_base64(json_t *object, const char *name, struct berth_bytes bytes) {
    char *long_name = NULL;
    if (asprintf(&long_name, "%s_base64", name) < 0) {
        return -1;
    }
    int rc = json_object_set_new(object, long_name, base64_of(bytes));
    free(long_name);
    return rc;
}

/* Bytes that are UTF-8 as they are, others in base64. */
static int set_text(json_t *object, const char *name, struct berth_bytes bytes) {
    if (bytes.data == NULL) {
        return json_object_set_new(object, name, json_null());
    }
    json_t *text = json_stringn((const char *)bytes.data, bytes.len);
    return text != NULL ? json_object_set_new(object, name, text) : set_base64(object, name, bytes);
}

static int set_value(json_t *object, struct berth_codec *codec, const struct berth_record *record) {
    struct berth_bytes bytes = berth_record_value(record);
    if (bytes.data == NULL) {
        return json_object_set_new(object, "value", json_null());
    }
    json_t *value = cli_record_value(codec, record, NULL);
    return value != NULL ? json_object_set_new(object, "value", value)
                         : set_base64(object, "value", bytes);
}
