/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of src/daemon/rebuild.c, in its order, with the world's Kafka. */
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim_redis_link_parts.h"

static void end(struct sim_link *link) {
    struct sim_rebuild *rebuild = &link->rebuild;
    free(rebuild->beginnings);
    *rebuild = (struct sim_rebuild){.phase = SIM_REBUILD_IDLE};
    sim_link_timer_changed(link);
}

static void fail(struct sim_link *link, const char *why) {
    end(link);
    berth_ledger_rebuild_drop(link->ledger, why);
}

/* Before anything else: every record that was claimed in the lost data set is below the ends. */
static void begin(struct sim_link *link) {
    struct sim_rebuild *rebuild = &link->rebuild;
    const struct berth_source *ends = NULL;
    size_t count = 0;
    bool committed = false;
    bool written = false;
    if (!link->config.kafka->ends(link->config.ctx, &ends, &count, &committed, &written)) {
        berth_ledger_rebuild_drop(link->ledger, "Kafka can't be asked");
        return;
    }
    if (!committed && !written) {
        count = 0; /* A first start. */
    }
    rebuild->begun_ms = link->now_ms;
    rebuild->wait = committed;
    rebuild->beginnings = calloc(count + 1, sizeof(*rebuild->beginnings));
    BERTH_ASSERT(rebuild->beginnings != NULL);
    if (count > 0) {
        memcpy(rebuild->beginnings, ends, count * sizeof(*ends));
    }
    rebuild->beginnings_count = count;
    rebuild->phase = SIM_REBUILD_CHILLING;
    if (berth_ledger_rebuild_chill(link->ledger) != BERTH_OK) {
        fail(link, "Redis can't be asked");
    }
}

static void put_more(struct sim_link *link) {
    struct sim_rebuild *rebuild = &link->rebuild;
    const struct berth_space_state *state = NULL;
    const char *registry = NULL;
    const char *space = NULL;
    while (link->config.kafka->state(link->config.ctx, rebuild->next, &registry, &space, &state)) {
        enum berth_rc rc = berth_ledger_rebuild_put(link->ledger, registry, space, state);
        if (rc == BERTH_BUSY && rebuild->outstanding > 0) {
            return; /* Goes on with the next answer. */
        }
        if (rc != BERTH_OK) {
            fail(link, "Redis can't be asked");
            return;
        }
        rebuild->outstanding++;
        rebuild->next++;
    }
    if (rebuild->outstanding > 0) {
        return;
    }
    rebuild->phase = SIM_REBUILD_OPENING;
    if (berth_ledger_rebuild_open(link->ledger, rebuild->beginnings, rebuild->beginnings_count) !=
        BERTH_OK) {
        fail(link, "Redis can't be asked");
    }
}

static void chilled(struct sim_link *link) {
    struct sim_rebuild *rebuild = &link->rebuild;
    BERTH_ASSERT(rebuild->phase == SIM_REBUILD_CHILLING);
    rebuild->phase = SIM_REBUILD_WAITING;
    rebuild->due_ms = rebuild->wait ? rebuild->begun_ms + link->config.lease_ms : link->now_ms;
    sim_link_timer_changed(link);
}

void sim_rebuild_event(void *ctx, enum berth_rebuild_event event) {
    struct sim_link *link = ctx;
    switch (event) {
    case BERTH_REBUILD_BEGUN:
        begin(link);
        break;
    case BERTH_REBUILD_CHILLED:
        chilled(link);
        break;
    case BERTH_REBUILD_PUT:
        BERTH_ASSERT(link->rebuild.phase == SIM_REBUILD_PUTTING);
        BERTH_ASSERT(link->rebuild.outstanding > 0);
        link->rebuild.outstanding--;
        put_more(link);
        break;
    case BERTH_REBUILD_LOST:
        end(link);
        break;
    }
}

void sim_rebuild_available(struct sim_link *link) {
    if (link->rebuild.phase == SIM_REBUILD_OPENING) {
        end(link);
    }
}

int64_t sim_rebuild_due_ms(const struct sim_link *link) {
    return link->rebuild.phase == SIM_REBUILD_WAITING ? link->rebuild.due_ms : -1;
}

void sim_rebuild_tick(struct sim_link *link) {
    struct sim_rebuild *rebuild = &link->rebuild;
    if (rebuild->phase == SIM_REBUILD_WAITING && link->now_ms >= rebuild->due_ms) {
        rebuild->phase = SIM_REBUILD_PUTTING;
        put_more(link);
    }
}

bool sim_link_rebuilding(const struct sim_link *link) {
    return link->rebuild.phase != SIM_REBUILD_IDLE;
}

void sim_rebuild_deinit(struct sim_link *link) {
    free(link->rebuild.beginnings);
}
