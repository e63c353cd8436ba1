/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a commit: telling the ledger which outcomes need no more than their result any longer, and
 * where each partition's last committed transaction ended (design 4.3, 4.10).
 *
 * Nothing waits for it. One call is under way at a time; what is committed meanwhile gathers for
 * the next. Outcomes whose telling is lost stay as they are: that costs memory, for as long as they
 * are kept. A base is told until it was taken, because a partition whose committed offset has
 * expired starts there; another owner of the partition tells it as well, when it gains it.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "engine_parts.h"

/* While Redis doesn't answer. */
#define SETTLE_PAUSE_FIRST_MS 100
#define SETTLE_PAUSE_MAX_MS   10000

static size_t gather_bases(struct berth_engine *engine);

void settle_outcome(struct berth_engine *engine, const struct item *item) {
    switch (item->form) {
    case BERTH_PUBLISH_MADE:
    case BERTH_PUBLISH_STORED:
    case BERTH_PUBLISH_STORED_QUIETLY:
        break;
    case BERTH_PUBLISH_DIRECT: /* It isn't in the ledger. */
    case BERTH_PUBLISH_REPLAY: /* The record that it was stored for may not be answered yet. */
        return;
    }
    if (engine->settled_count == engine->config->commands_max) {
        return; /* The ledger is slow: it keeps this one whole. */
    }
    BERTH_ASSERT(item->registry < engine->config->registries_count);
    struct berth_settled *settled = &engine->settled[engine->settled_count++];
    *settled = (struct berth_settled){
        .version = item->token,
        /* The item's own text goes with it. What is stored came on its registry's topic. */
        .topic = engine->config->registries[item->registry].command_topic,
        .partition = item->source.partition,
        .offset = item->source.offset,
    };
    memcpy(settled->log_id, item->source.log_id, sizeof(settled->log_id));
    memcpy(settled->command_id, item->command.id, sizeof(settled->command_id));
}

void settle_base(struct berth_engine *engine, struct partition *partition, int64_t offset) {
    partition->base = offset;
    partition->base_unsaved = true;
    engine->bases_unsaved = true;
}

void settle_tell(struct berth_engine *engine) {
    if (engine->settling || berth_deadline_armed(&engine->settle_timer.deadline) ||
        (engine->settled_count == 0 && !engine->bases_unsaved)) {
        return;
    }
    size_t bases = gather_bases(engine);
    if (engine->settled_count + bases == 0) {
        return; /* The partition has gone. */
    }
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_LEDGER);
    effect->ledger.call_id = ENGINE_SETTLE_CALL_ID;
    effect->ledger.call.kind = BERTH_LEDGER_SETTLED;
    /* The tables don't change before the effect was performed. */
    effect->ledger.call.settled.commands = engine->settled;
    effect->ledger.call.settled.commands_count = engine->settled_count;
    effect->ledger.call.settled.bases = engine->bases;
    effect->ledger.call.settled.bases_count = bases;
    engine->settled_count = 0;
    engine->settling = true;
}

static size_t gather_bases(struct berth_engine *engine) {
    size_t count = 0;
    for (uint32_t i = 0; engine->bases_unsaved && i < BERTH_ENGINE_PARTITIONS_MAX; i++) {
        struct partition *partition = &engine->partitions[i];
        if (partition->state == PARTITION_FREE || !partition->base_unsaved) {
            continue;
        }
        engine->bases[count++] = (struct berth_base){
            .topic = partition->topic,
            .partition = partition->kafka_number,
            .offset = partition->base,
            .log = partition->log,
        };
        partition->base_unsaved = false;
        partition->base_asked = true;
    }
    engine->bases_unsaved = false;
    return count;
}

void settle_told(struct berth_engine *engine, const struct berth_ledger_answer *answer) {
    BERTH_ASSERT(engine->settling);
    engine->settling = false;
    if (!answer->unavailable) {
        engine->settle_failures = 0;
    }
    for (uint32_t i = 0; i < BERTH_ENGINE_PARTITIONS_MAX; i++) {
        struct partition *partition = &engine->partitions[i];
        if (partition->state != PARTITION_FREE && partition->base_asked) {
            partition->base_asked = false;
            partition->base_unsaved |= answer->unavailable;
            engine->bases_unsaved |= answer->unavailable;
        }
    }
    if (engine->bases_unsaved && answer->unavailable) {
        engine_arm(engine, &engine->settle_timer,
                   engine_backoff_ms(engine, SETTLE_PAUSE_FIRST_MS, SETTLE_PAUSE_MAX_MS,
                                     engine->settle_failures));
        engine->settle_failures++;
    }
}
