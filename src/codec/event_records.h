/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of events: an outcome as CommandResult, AuditRecord and SpaceState, framed.
 * Each ret_record is a view that is valid until the codec writes the next one. Faults: LIBRARY,
 * MEMORY.
 */
#ifndef BERTH_SRC_CODEC_EVENT_RECORDS_H
#define BERTH_SRC_CODEC_EVENT_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/events.h"
#include "codec_parts.h"

/* When the command was first claimed, or finished when it was answered without. */
int64_t berth_event_received_ms(const struct berth_outcome *outcome);

BERTH_MUST_USE enum berth_rc berth_event_result(struct berth_codec *codec,
                                                const struct berth_event_context *context,
                                                const struct berth_outcome *outcome,
                                                bool with_details, struct berth_bytes *ret_record,
                                                struct berth_error *reterr);

BERTH_MUST_USE enum berth_rc berth_event_audit(struct berth_codec *codec,
                                               const struct berth_event_context *context,
                                               const struct berth_outcome *outcome,
                                               const char *audit_id, struct berth_bytes *ret_record,
                                               struct berth_error *reterr);

/* outcome->after is PRESENT. */
BERTH_MUST_USE enum berth_rc berth_event_state(struct berth_codec *codec,
                                               const struct berth_event_context *context,
                                               const struct berth_outcome *outcome,
                                               struct berth_bytes *ret_record,
                                               struct berth_error *reterr);

/*
 * A CommandResult again, with another source; ret_command_id is its command's id.
 * BERTH_INVALID: the record is no CommandResult.
 */
BERTH_MUST_USE enum berth_rc
berth_event_result_replay(struct berth_codec *codec, struct berth_bytes record,
                          const struct berth_source *source, char ret_command_id[BERTH_UUID_BYTES],
                          struct berth_bytes *ret_record, struct berth_error *reterr);

#endif
