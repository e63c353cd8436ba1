/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of the topic of space states, read back: what a rebuild of the data set is made of
 * (design 4.9).
 */
#ifndef BERTH_CODEC_STATE_RECORD_H
#define BERTH_CODEC_STATE_RECORD_H

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "berth/core/space.h"

struct berth_state_record {
    char registry[BERTH_REGISTRY_BYTES];
    char registry_uid[BERTH_UUID_BYTES]; /* Empty for a tombstone. */
    char space[BERTH_SPACE_BYTES];
    /* PRESENT, or UNKNOWN for a tombstone. verified_at is 0, and no binding is disabled: the record
     * doesn't say. The bindings are owned here: berth_state_record_deinit(). */
    struct berth_space_state state;
};

/*
 * Decodes a record; value.data NULL: a tombstone. Bounded as every decoding here; what is decoded
 * can take part in keys and values in Redis.
 * BERTH_INVALID: it isn't a SpaceState, breaks a rule, or its key isn't that of its space; reterr
 * says which. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_state_record_decode(struct berth_codec *codec,
                                                       struct berth_bytes key,
                                                       struct berth_bytes value,
                                                       struct berth_state_record *ret_record,
                                                       struct berth_error *reterr);

/* Twice is fine. */
void berth_state_record_deinit(struct berth_state_record *record);

#endif
