/* SPDX-License-Identifier: Apache-2.0 */
#include "outputs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/kafka_topics.h"

/* librdkafka's message.max.bytes is 1,000,000. */
#define RECORD_BYTES_MAX 900000
/* A batch's own head, and a little. */
#define BATCH_ROOM_BYTES 1024
/* Below that a limit that was only guessed isn't lowered. */
#define GUESS_BYTES_MIN BERTH_TOPIC_MESSAGE_BYTES_MIN

/* Whatever a topic takes that may be published to, it takes each record's smaller form. */
static_assert(BERTH_SMALLER_BYTES_MAX < BERTH_TOPIC_ROOM_BYTES, "the smaller form always fits");

static void set_limit(struct output *output, int64_t message_bytes);

void outputs_init(struct outputs *outputs) {
    *outputs = (struct outputs){.look_ms = OUTPUTS_LOOK_FIRST_MS};
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        outputs->list[i].read_bytes = OUTPUTS_MESSAGE_BYTES;
        set_limit(&outputs->list[i], OUTPUTS_MESSAGE_BYTES);
    }
}

void outputs_deinit(struct outputs *outputs) {
    free(outputs->needs);
    free(outputs->blame);
    *outputs = (struct outputs){.needs = NULL};
}

bool outputs_refuse(struct outputs *outputs, enum berth_record_kind kind, const char *why) {
    struct output *output = &outputs->list[kind];
    BERTH_ASSERT(why[0] != '\0');
    outputs->refused_total++;
    outputs->on_probation = (uint8_t)(outputs->on_probation | 1U << kind);
    if (strncmp(output->why, why, sizeof(output->why) - 1) == 0) {
        return false;
    }
    (void)snprintf(output->why, sizeof(output->why), "%s", why);
    return true;
}

bool outputs_accept(struct outputs *outputs, enum berth_record_kind kind) {
    bool refused = outputs->list[kind].why[0] != '\0';
    outputs->list[kind].why[0] = '\0';
    return refused;
}

uint8_t outputs_refusing(const struct outputs *outputs) {
    unsigned bits = 0;
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        bits |= outputs->list[i].why[0] != '\0' ? 1U << i : 0;
    }
    return (uint8_t)bits;
}

bool outputs_limit(struct outputs *outputs, enum berth_record_kind kind, int64_t message_bytes) {
    struct output *output = &outputs->list[kind];
    if (message_bytes < 0 || message_bytes == output->read_bytes) {
        return false; /* What it has refused although it says so stays believed. */
    }
    output->read_bytes = message_bytes;
    set_limit(output, message_bytes);
    return true;
}

void outputs_too_large(struct outputs *outputs, enum berth_record_kind kind, size_t bytes) {
    struct output *output = &outputs->list[kind];
    int64_t guess =
        (int64_t)(bytes < (size_t)output->message_bytes ? bytes : (size_t)output->message_bytes);
    guess /= 2;
    guess = guess < GUESS_BYTES_MIN ? GUESS_BYTES_MIN : guess;
    if (guess < output->message_bytes) {
        set_limit(output, guess);
    }
}

static void set_limit(struct output *output, int64_t message_bytes) {
    int64_t bytes = message_bytes - BERTH_TOPIC_ROOM_BYTES;
    if (bytes < BERTH_TOPIC_ROOM_BYTES) {
        bytes = BERTH_TOPIC_ROOM_BYTES; /* Less can't be left out of every record. */
    }
    output->message_bytes = message_bytes;
    output->record_bytes_max = bytes < RECORD_BYTES_MAX ? (size_t)bytes : RECORD_BYTES_MAX;
}

size_t outputs_batch_bytes(const struct outputs *outputs) {
    int64_t least = OUTPUTS_MESSAGE_BYTES;
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        least = outputs->list[i].message_bytes < least ? outputs->list[i].message_bytes : least;
    }
    return least > 2 * (int64_t)BATCH_ROOM_BYTES ? (size_t)least - BATCH_ROOM_BYTES
                                                 : BATCH_ROOM_BYTES;
}

void outputs_begin(struct outputs *outputs) {
    outputs->items_count = 0;
}

enum berth_rc outputs_add_item(struct outputs *outputs) {
    if (outputs->items_count == outputs->items_capacity) {
        size_t capacity = outputs->items_capacity > 0 ? 2 * outputs->items_capacity : 64;
        uint8_t *needs = realloc(outputs->needs, capacity);
        outputs->needs = needs != NULL ? needs : outputs->needs;
        uint8_t *blame = realloc(outputs->blame, capacity);
        outputs->blame = blame != NULL ? blame : outputs->blame;
        if (needs == NULL || blame == NULL) {
            return BERTH_FAULT_MEMORY;
        }
        outputs->items_capacity = capacity;
    }
    outputs->needs[outputs->items_count++] = 0;
    return BERTH_OK;
}

void outputs_need(struct outputs *outputs, enum berth_record_kind kind) {
    BERTH_ASSERT(outputs->items_count > 0);
    uint8_t *needs = &outputs->needs[outputs->items_count - 1];
    *needs = (uint8_t)(*needs | 1U << kind);
}

const uint8_t *outputs_blame(struct outputs *outputs) {
    uint8_t refusing = outputs_refusing(outputs);
    bool any = false;
    for (size_t i = 0; i < outputs->items_count; i++) {
        outputs->blame[i] = outputs->needs[i] & refusing;
        any = any || outputs->blame[i] != 0;
    }
    return any ? outputs->blame : NULL;
}

const uint8_t *outputs_blame_itself(struct outputs *outputs) {
    BERTH_ASSERT(outputs->items_count == 1);
    outputs->blame[0] = OUTPUTS_ITSELF;
    return outputs->blame;
}

int64_t outputs_pause_ms(struct outputs *outputs) {
    int64_t pause_ms = outputs->look_ms;
    outputs->look_ms = 2 * pause_ms < OUTPUTS_LOOK_MAX_MS ? 2 * pause_ms : OUTPUTS_LOOK_MAX_MS;
    return pause_ms;
}

void outputs_committed(struct outputs *outputs) {
    unsigned took = 0;
    for (size_t i = 0; i < outputs->items_count; i++) {
        took |= outputs->needs[i];
    }
    outputs->on_probation = (uint8_t)(outputs->on_probation & ~took);
    if (outputs->on_probation == 0) {
        outputs->look_ms = OUTPUTS_LOOK_FIRST_MS;
    }
}
