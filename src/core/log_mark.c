/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/log_mark.h"

#include <string.h>

#include "crc32.h"
#include "text.h"

static const char head[] = "L1:";

static bool read_id(const char **at, char ret_id[BERTH_LOG_ID_BYTES]);
static bool read_number(const char **at, int64_t *ret_number);
static bool skip(const char **at, char wanted);

void berth_log_mark_write(const struct berth_log_mark *mark,
                          char ret_text[BERTH_LOG_MARK_TEXT_BYTES]) {
    char offset[TEXT_NUMBER_BYTES];
    char timestamp[TEXT_NUMBER_BYTES];
    char checksum[TEXT_NUMBER_BYTES];
    text_set(ret_text, BERTH_LOG_MARK_TEXT_BYTES, head, mark->id, ":",
             text_number(mark->offset, offset), ":", text_number(mark->timestamp_ms, timestamp),
             ":", text_number(mark->checksum, checksum), NULL);
}

bool berth_log_mark_read(const char *text, struct berth_log_mark *ret_mark, const char **ret_rest) {
    if (ret_rest != NULL) {
        *ret_rest = text;
    }
    struct berth_log_mark mark;
    int64_t checksum = 0;
    const char *at = text + strlen(head);
    bool read = strncmp(text, head, strlen(head)) == 0 && read_id(&at, mark.id) && skip(&at, ':') &&
                read_number(&at, &mark.offset) && skip(&at, ':') &&
                read_number(&at, &mark.timestamp_ms) && skip(&at, ':') &&
                read_number(&at, &checksum) && (*at == '\0' || *at == ' ');
    if (!read || mark.offset < -1 || checksum < 0 || checksum > (int64_t)UINT32_MAX) {
        return false;
    }
    mark.checksum = (uint32_t)checksum;
    *ret_mark = mark;
    if (ret_rest != NULL) {
        *ret_rest = *at == ' ' ? at + 1 : at;
    }
    return true;
}

struct berth_log_mark berth_log_mark_none(const char *id) {
    struct berth_log_mark mark = {.offset = -1, .timestamp_ms = -1};
    text_set(mark.id, sizeof(mark.id), id, NULL);
    return mark;
}

uint32_t berth_log_checksum(const void *key, size_t key_len, const void *value, size_t value_len) {
    /* The key's length, too: else bytes could move from the one to the other. */
    uint64_t len = key_len;
    uint8_t bytes[sizeof(len)];
    for (size_t i = 0; i < sizeof(len); i++) {
        bytes[i] = (uint8_t)(len >> 8 * i & 0xff);
    }
    return crc32_add(crc32_add(crc32_add(0, bytes, sizeof(bytes)), key, key_len), value, value_len);
}

bool berth_log_same_id(const char *one, const char *other) {
    return one[0] != '\0' && strcmp(one, other) == 0;
}

bool berth_log_other_id(const char *one, const char *other) {
    return one[0] != '\0' && other[0] != '\0' && strcmp(one, other) != 0;
}

static bool read_id(const char **at, char ret_id[BERTH_LOG_ID_BYTES]) {
    size_t len = strcspn(*at, ": ");
    if (len >= BERTH_LOG_ID_BYTES) {
        return false;
    }
    memcpy(ret_id, *at, len);
    ret_id[len] = '\0';
    *at += len;
    return true;
}

/* Up to 18 digits, so that nothing overflows. */
static bool read_number(const char **at, int64_t *ret_number) {
    bool negative = skip(at, '-');
    int64_t number = 0;
    int digits = 0;
    for (; **at >= '0' && **at <= '9' && digits < 18; (*at)++) {
        number = number * 10 + (**at - '0');
        digits++;
    }
    *ret_number = negative ? -number : number;
    return digits > 0 && (**at < '0' || **at > '9');
}

static bool skip(const char **at, char wanted) {
    bool there = **at == wanted;
    *at += there;
    return there;
}
