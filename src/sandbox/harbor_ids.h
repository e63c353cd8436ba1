/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids: a PostgreSQL sequence and the rows it numbered.
 *
 * Harbor's ids rise and are never used twice: not after a delete, and not after an insert that
 * failed either, since a sequence is not rolled back. So an id is an index, found in one step, and
 * walking the indexes walks the rows in the order of their ids.
 */
#ifndef BERTH_SANDBOX_HARBOR_IDS_H
#define BERTH_SANDBOX_HARBOR_IDS_H

#include <stddef.h>
#include <stdint.h>

/* The most ids one sequence gives: a table of 80 MB. */
#define BERTH_MODEL_IDS_MAX 10000000

struct berth_model_ids {
    void **rows; /* Index = id; NULL where there is no row. */
    size_t capacity;
    int64_t next; /* The id that is given next; ids begin at 1. */
};

void berth_model_ids_init(struct berth_model_ids *ids);
void berth_model_ids_deinit(struct berth_model_ids *ids);

/* Takes the next id out of the sequence; 0 when all BERTH_MODEL_IDS_MAX are used up. */
int64_t berth_model_ids_take(struct berth_model_ids *ids);

/* Puts the row of a taken id, or removes it with NULL. The row is borrowed. */
void berth_model_ids_put(struct berth_model_ids *ids, int64_t id, void *row);

/* The row, or NULL; any number may be asked for. */
void *berth_model_ids_get(const struct berth_model_ids *ids, int64_t id);

#endif
