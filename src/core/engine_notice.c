/* SPDX-License-Identifier: Apache-2.0 */
/* Notices: something an operator may want to read, about a command, a partition or a registry. */
#include <stdarg.h>
#include <string.h>

#include "engine_parts.h"
#include "text.h"

void engine_notice(struct berth_engine *engine, const struct item *item, const char *event, ...) {
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_NOTICE);
    effect->slot = item->slot;
    effect->notice.event = event;
    /* Copies: the item may be released within the same step. */
    memcpy(effect->notice.command_id, item->command.id, sizeof(item->command.id));
    memcpy(effect->notice.registry, item->command.registry, sizeof(item->command.registry));
    memcpy(effect->notice.space, item->command.space, sizeof(item->command.space));
    effect->notice.source = item->source;
    struct text text;
    text_init(&text, effect->notice.text, sizeof(effect->notice.text));
    va_list parts;
    va_start(parts, event);
    text_add_list(&text, parts);
    va_end(parts);
}

void engine_notice_partition(struct berth_engine *engine, const struct partition *partition,
                             int64_t offset, const char *event, ...) {
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_NOTICE);
    effect->notice.event = event;
    text_set(effect->notice.source.topic, sizeof(effect->notice.source.topic), partition->topic,
             NULL);
    effect->notice.source.partition = partition->kafka_number;
    effect->notice.source.offset = offset;
    struct text text;
    text_init(&text, effect->notice.text, sizeof(effect->notice.text));
    va_list parts;
    va_start(parts, event);
    text_add_list(&text, parts);
    va_end(parts);
}

void engine_notice_registry(struct berth_engine *engine, uint32_t registry, const char *event,
                            ...) {
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_NOTICE);
    effect->notice.event = event;
    text_set(effect->notice.registry, sizeof(effect->notice.registry),
             engine->registry_names[registry], NULL);
    struct text text;
    text_init(&text, effect->notice.text, sizeof(effect->notice.text));
    va_list parts;
    va_start(parts, event);
    text_add_list(&text, parts);
    va_end(parts);
}
