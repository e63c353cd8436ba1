/* SPDX-License-Identifier: Apache-2.0 */
/* What settled_map.c and settled_text.c share. */
#ifndef BERTH_CORE_SETTLED_PARTS_H
#define BERTH_CORE_SETTLED_PARTS_H

#include "berth/core/settled_map.h"

/* How many runs lead from the start to the base: 1 or none. They aren't in the text. */
size_t settled_front(const struct berth_settled_map *map);
/* What is above the base in either form. */
size_t settled_runs_bytes(const struct berth_settled_map *map);
size_t settled_bits_bytes(const struct berth_settled_map *map);
/* Of a number that isn't negative: seven bits a byte, the lowest first (LEB128). */
size_t settled_number_bytes(int64_t number);

#endif
