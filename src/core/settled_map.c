/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/settled_map.h"

#include <string.h>

#include "berth/base/assert.h"
#include "settled_parts.h"

static size_t find(const struct berth_settled_map *map, int64_t offset);
static size_t cost(const struct berth_settled_map *map, size_t from, size_t to);
static void insert(struct berth_settled_map *map, size_t at, struct berth_settled_run run);
static void cut_out(struct berth_settled_map *map, size_t from, size_t count);

void berth_settled_map_init(struct berth_settled_map *map, struct berth_settled_run *runs,
                            size_t capacity, int64_t start) {
    BERTH_ASSERT(capacity > 1);
    BERTH_ASSERT(start >= 0);
    *map = (struct berth_settled_map){.start = start, .runs = runs, .capacity = capacity};
}

size_t settled_front(const struct berth_settled_map *map) {
    return map->count > 0 && map->runs[0].first == map->start ? 1 : 0;
}

int64_t berth_settled_map_base(const struct berth_settled_map *map) {
    return settled_front(map) == 0 ? map->start : map->runs[0].end;
}

int64_t berth_settled_map_end(const struct berth_settled_map *map) {
    return map->count == 0 ? map->start : map->runs[map->count - 1].end;
}

bool berth_settled_map_has(const struct berth_settled_map *map, int64_t offset) {
    if (offset < map->start) {
        return true;
    }
    size_t at = find(map, offset + 1);
    return at < map->count && map->runs[at].first <= offset;
}

int64_t berth_settled_map_gap_before(const struct berth_settled_map *map, int64_t offset) {
    if (offset <= map->start) {
        return offset;
    }
    size_t at = find(map, offset);
    if (at < map->count && map->runs[at].first < offset) {
        return offset; /* The one before it is settled. */
    }
    return at == 0 ? map->start : map->runs[at - 1].end;
}

enum berth_rc berth_settled_map_settle(struct berth_settled_map *map, int64_t first, int64_t end) {
    BERTH_ASSERT(first >= berth_settled_map_base(map));
    BERTH_ASSERT(end > first);
    size_t at = find(map, first);
    bool joins_left = at < map->count && map->runs[at].end == first;
    size_t right = joins_left ? at + 1 : at;
    BERTH_ASSERT(right == map->count || map->runs[right].first >= end);
    bool joins_right = right < map->count && map->runs[right].first == end;
    /* One is spared for the front, which makes room. */
    size_t spared = first == berth_settled_map_base(map) ? 0 : 1;
    if (!joins_left && !joins_right && map->count + spared >= map->capacity) {
        return BERTH_BUSY;
    }

    size_t count = map->count;
    size_t before = cost(map, at, at + 2);
    if (joins_left && joins_right) {
        map->runs[at].end = map->runs[right].end;
        cut_out(map, right, 1);
    } else if (joins_left) {
        map->runs[at].end = end;
    } else if (joins_right) {
        map->runs[at].first = first;
    } else {
        insert(map, at, (struct berth_settled_run){.first = first, .end = end});
    }
    map->runs_bytes += cost(map, at, at + 2 + map->count - count) - before;

    if (berth_settled_map_bytes(map) > BERTH_SETTLED_ROOM_BYTES) {
        berth_settled_map_unsettle(map, first, end);
        return BERTH_BUSY;
    }
    return BERTH_OK;
}

void berth_settled_map_unsettle(struct berth_settled_map *map, int64_t first, int64_t end) {
    BERTH_ASSERT(end > first);
    size_t at = find(map, end);
    BERTH_ASSERT(at < map->count);
    struct berth_settled_run *run = &map->runs[at];
    BERTH_ASSERT(run->first <= first);

    size_t count = map->count;
    size_t before = cost(map, at, at + 2);
    if (run->first == first && run->end == end) {
        cut_out(map, at, 1);
    } else if (run->first == first) {
        run->first = end;
    } else if (run->end == end) {
        run->end = first;
    } else {
        struct berth_settled_run left = {.first = run->first, .end = first};
        run->first = end;
        insert(map, at, left);
    }
    map->runs_bytes += cost(map, at, at + 2 + map->count - count) - before;
}

void berth_settled_map_commit(struct berth_settled_map *map) {
    berth_settled_map_start_at(map, berth_settled_map_base(map));
}

void berth_settled_map_start_at(struct berth_settled_map *map, int64_t offset) {
    size_t gone = 0;
    while (gone < map->count && map->runs[gone].first <= offset) {
        offset = map->runs[gone].end > offset ? map->runs[gone].end : offset;
        gone++;
    }
    if (offset <= map->start) {
        return;
    }
    size_t before = cost(map, 0, gone + 1);
    cut_out(map, 0, gone);
    map->start = offset;
    map->runs_bytes += cost(map, 0, 1) - before;
}

bool berth_settled_map_crowded(const struct berth_settled_map *map) {
    return berth_settled_map_bytes(map) > (size_t)BERTH_SETTLED_ROOM_BYTES * 3 / 4;
}

size_t berth_settled_map_bytes(const struct berth_settled_map *map) {
    size_t bits = settled_bits_bytes(map);
    size_t runs = settled_runs_bytes(map);
    return bits < runs ? bits : runs;
}

size_t settled_runs_bytes(const struct berth_settled_map *map) {
    return map->runs_bytes - cost(map, 0, settled_front(map));
}

size_t settled_bits_bytes(const struct berth_settled_map *map) {
    int64_t ahead = berth_settled_map_end(map) - berth_settled_map_base(map);
    /* The base itself needs no bit: it isn't settled. */
    return ahead == 0 ? 0 : ((size_t)ahead - 1 + 7) / 8;
}

bool berth_settled_map_covers(const struct berth_settled_map *map,
                              const struct berth_settled_map *other) {
    if (berth_settled_map_base(map) < berth_settled_map_base(other)) {
        return false;
    }
    for (size_t i = 0; i < other->count; i++) {
        const struct berth_settled_run *run = &other->runs[i];
        size_t at = find(map, run->end);
        bool covered = run->end <= map->start ||
                       (at < map->count &&
                        (map->runs[at].first <= run->first || map->runs[at].first <= map->start));
        if (!covered) {
            return false;
        }
    }
    return true;
}

size_t settled_number_bytes(int64_t number) {
    size_t bytes = 1;
    for (uint64_t rest = (uint64_t)number; rest >= 0x80; rest >>= 7) {
        bytes++;
    }
    return bytes;
}

/* The first run that ends at the offset or above it. */
static size_t find(const struct berth_settled_map *map, int64_t offset) {
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->runs[middle].end >= offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* What these runs take, with the gaps before them; fewer when there are fewer. */
static size_t cost(const struct berth_settled_map *map, size_t from, size_t to) {
    size_t bytes = 0;
    for (size_t i = from; i < to && i < map->count; i++) {
        int64_t left = i == 0 ? map->start : map->runs[i - 1].end;
        bytes += settled_number_bytes(map->runs[i].first - left) +
                 settled_number_bytes(map->runs[i].end - map->runs[i].first);
    }
    return bytes;
}

static void insert(struct berth_settled_map *map, size_t at, struct berth_settled_run run) {
    BERTH_ASSERT(map->count < map->capacity);
    memmove(map->runs + at + 1, map->runs + at, (map->count - at) * sizeof(run));
    map->runs[at] = run;
    map->count++;
}

static void cut_out(struct berth_settled_map *map, size_t from, size_t count) {
    memmove(map->runs + from, map->runs + from + count,
            (map->count - from - count) * sizeof(map->runs[0]));
    map->count -= count;
}
