/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A settled map as text. Base64 of:
 *
 *   1  magic, 'B'
 *   1  version, 1
 *   1  form, 'r' or 'b': whichever is shorter
 *   8  base, the highest byte first
 *   n  'r': for each run the number of offsets before it that aren't settled, counted from the base
 *           or the run before, then its length; seven bits a byte, the lowest first
 *      'b': a bit for each offset above the base, the lowest first, from the lowest bit of a byte
 *   4  CRC-32 (as in zlib) of all that, the highest byte first
 */
#include <string.h>

#include "berth/base/assert.h"
#include "crc32.h"
#include "settled_parts.h"

#define MAGIC         'B'
#define VERSION       1
#define FORM_RUNS     'r'
#define FORM_BITS     'b'
#define BASE_AT       3
#define BASE_BYTES    8
#define RAW_BYTES_MAX (BERTH_SETTLED_TEXT_MAX / 4 * 3)
#define NUMBER_BITS   63

/* What is being read: bytes that weren't read yet, and where the next offset is. */
struct reading {
    const uint8_t *at;
    const uint8_t *end;
    int64_t offset;
};

static size_t write_runs(const struct berth_settled_map *map, uint8_t *ret_bytes);
static size_t write_bits(const struct berth_settled_map *map, uint8_t *ret_bytes);
static void set_bits(uint8_t *bytes, size_t from, size_t to);
static bool read_runs(struct reading *reading, struct berth_settled_map *map, bool *ret_cut);
static bool read_bits(struct reading *reading, struct berth_settled_map *map, bool *ret_cut);
static bool add_run(struct berth_settled_map *map, int64_t first, int64_t end);
static bool read_number(struct reading *reading, int64_t *ret_number);
static void write_big(uint64_t number, size_t bytes, uint8_t *ret);
static uint64_t read_big(const uint8_t *bytes, size_t count);
static void to_base64(const uint8_t *bytes, size_t len, char *ret_text);
static bool from_base64(const char *text, size_t len, uint8_t *ret_bytes, size_t *ret_len);

/* ---- Writing ---- */

void berth_settled_map_write(const struct berth_settled_map *map,
                             char ret_text[BERTH_SETTLED_TEXT_BYTES]) {
    ret_text[0] = '\0';
    if (map->count == settled_front(map)) {
        return;
    }
    BERTH_ASSERT(berth_settled_map_bytes(map) <= BERTH_SETTLED_ROOM_BYTES);
    bool as_bits = settled_bits_bytes(map) < settled_runs_bytes(map);
    uint8_t raw[RAW_BYTES_MAX];
    raw[0] = MAGIC;
    raw[1] = VERSION;
    raw[2] = as_bits ? FORM_BITS : FORM_RUNS;
    write_big((uint64_t)berth_settled_map_base(map), BASE_BYTES, raw + BASE_AT);
    uint8_t *payload = raw + BERTH_SETTLED_HEAD_BYTES;
    size_t len = BERTH_SETTLED_HEAD_BYTES;
    len += as_bits ? write_bits(map, payload) : write_runs(map, payload);
    BERTH_ASSERT(len == BERTH_SETTLED_HEAD_BYTES + berth_settled_map_bytes(map));
    write_big(crc32_add(0, raw, len), BERTH_SETTLED_CHECKSUM_BYTES, raw + len);
    to_base64(raw, len + BERTH_SETTLED_CHECKSUM_BYTES, ret_text);
}

static size_t write_number(int64_t number, uint8_t *ret_bytes) {
    size_t len = 0;
    uint64_t rest = (uint64_t)number;
    for (; rest >= 0x80; rest >>= 7) {
        ret_bytes[len++] = (uint8_t)(0x80 | (rest & 0x7f));
    }
    ret_bytes[len++] = (uint8_t)rest;
    return len;
}

static size_t write_runs(const struct berth_settled_map *map, uint8_t *ret_bytes) {
    size_t len = 0;
    int64_t at = berth_settled_map_base(map);
    for (size_t i = settled_front(map); i < map->count; i++) {
        len += write_number(map->runs[i].first - at, ret_bytes + len);
        len += write_number(map->runs[i].end - map->runs[i].first, ret_bytes + len);
        at = map->runs[i].end;
    }
    return len;
}

static size_t write_bits(const struct berth_settled_map *map, uint8_t *ret_bytes) {
    size_t len = settled_bits_bytes(map);
    memset(ret_bytes, 0, len);
    int64_t zero = berth_settled_map_base(map) + 1;
    for (size_t i = settled_front(map); i < map->count; i++) {
        set_bits(ret_bytes, (size_t)(map->runs[i].first - zero), (size_t)(map->runs[i].end - zero));
    }
    return len;
}

/* Those from `from` up to `to`, whole bytes at once. */
static void set_bits(uint8_t *bytes, size_t from, size_t to) {
    while (from < to) {
        if (from % 8 == 0 && to - from >= 8) {
            size_t whole = (to - from) / 8;
            memset(bytes + from / 8, 0xff, whole);
            from += 8 * whole;
        } else {
            bytes[from / 8] |= (uint8_t)(1U << (from % 8));
            from++;
        }
    }
}

/* ---- Reading ---- */

enum berth_settled_reading berth_settled_map_read(struct berth_settled_map *map, const char *text) {
    BERTH_ASSERT(map->count == 0);
    size_t text_len = strlen(text);
    if (text_len == 0) {
        return BERTH_SETTLED_READ;
    }
    uint8_t raw[RAW_BYTES_MAX] = {0};
    size_t len = 0;
    if (text_len > BERTH_SETTLED_TEXT_MAX || !from_base64(text, text_len, raw, &len) ||
        len < BERTH_SETTLED_HEAD_BYTES + BERTH_SETTLED_CHECKSUM_BYTES || raw[0] != MAGIC) {
        return BERTH_SETTLED_FOREIGN;
    }
    len -= BERTH_SETTLED_CHECKSUM_BYTES;
    if (read_big(raw + len, BERTH_SETTLED_CHECKSUM_BYTES) != crc32_add(0, raw, len)) {
        return BERTH_SETTLED_DAMAGED;
    }
    if (raw[1] != VERSION) {
        return BERTH_SETTLED_VERSION;
    }
    if (read_big(raw + BASE_AT, BASE_BYTES) != (uint64_t)map->start) {
        return BERTH_SETTLED_OTHER_BASE;
    }
    struct reading reading = {
        .at = raw + BERTH_SETTLED_HEAD_BYTES, .end = raw + len, .offset = map->start};
    int64_t start = map->start;
    bool cut = false;
    bool right = raw[2] == FORM_RUNS   ? read_runs(&reading, map, &cut)
                 : raw[2] == FORM_BITS ? read_bits(&reading, map, &cut)
                                       : false;
    if (!right) {
        berth_settled_map_init(map, map->runs, map->capacity, start);
        return BERTH_SETTLED_DAMAGED;
    }
    return cut ? BERTH_SETTLED_CUT : BERTH_SETTLED_READ;
}

static bool read_runs(struct reading *reading, struct berth_settled_map *map, bool *ret_cut) {
    while (reading->at < reading->end) {
        int64_t gap;
        int64_t len;
        if (!read_number(reading, &gap) || !read_number(reading, &len) || gap == 0 || len == 0 ||
            gap > INT64_MAX - reading->offset || len > INT64_MAX - reading->offset - gap) {
            return false;
        }
        int64_t first = reading->offset + gap;
        reading->offset = first + len;
        *ret_cut |= !add_run(map, first, reading->offset);
    }
    return true;
}

static bool read_bits(struct reading *reading, struct berth_settled_map *map, bool *ret_cut) {
    int64_t bits = 8 * (int64_t)(reading->end - reading->at);
    if (bits >= INT64_MAX - reading->offset) {
        return false;
    }
    int64_t first = -1;
    for (int64_t bit = 0; bit <= bits; bit++) {
        bool is_set = bit < bits && (reading->at[bit / 8] >> (bit % 8) & 1) != 0;
        if (is_set && first < 0) {
            first = bit;
        } else if (!is_set && first >= 0) {
            *ret_cut |= !add_run(map, reading->offset + 1 + first, reading->offset + 1 + bit);
            first = -1;
        }
    }
    return true;
}

/* False: there is no run left. */
static bool add_run(struct berth_settled_map *map, int64_t first, int64_t end) {
    return berth_settled_map_settle(map, first, end) == BERTH_OK;
}

static bool read_number(struct reading *reading, int64_t *ret_number) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < NUMBER_BITS && reading->at < reading->end; shift += 7) {
        uint8_t byte = *reading->at++;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_number = (int64_t)number;
            return true;
        }
    }
    return false;
}

/* ---- Bytes ---- */

static void write_big(uint64_t number, size_t bytes, uint8_t *ret) {
    for (size_t i = bytes; i > 0; i--) {
        ret[i - 1] = (uint8_t)(number & 0xff);
        number >>= 8;
    }
}

static uint64_t read_big(const uint8_t *bytes, size_t count) {
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static void to_base64(const uint8_t *bytes, size_t len, char *ret_text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t there = len - i < 3 ? len - i : 3;
        uint8_t group[3] = {0};
        memcpy(group, bytes + i, there);
        uint32_t number = (uint32_t)read_big(group, sizeof(group));
        for (size_t digit = 0; digit < 4; digit++) {
            *ret_text++ = digit <= there ? digits[number >> (18 - 6 * digit) & 0x3f] : '=';
        }
    }
    *ret_text = '\0';
}

static int digit_of(char letter) {
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* The text is no longer than BERTH_SETTLED_TEXT_MAX. */
static bool from_base64(const char *text, size_t len, uint8_t *ret_bytes, size_t *ret_len) {
    if (len % 4 != 0) {
        return false;
    }
    size_t padding = 0;
    while (padding < 2 && text[len - 1 - padding] == '=') {
        padding++;
    }
    uint32_t number = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = i < len - padding ? digit_of(text[i]) : 0;
        if (digit < 0) {
            return false;
        }
        number = number << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            write_big(number & 0xffffff, 3, ret_bytes + i / 4 * 3);
            number = 0;
        }
    }
    *ret_len = len / 4 * 3 - padding;
    return true;
}
