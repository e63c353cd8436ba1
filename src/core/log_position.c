/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/log_position.h"

#include <stddef.h>

#include "berth/base/assert.h"

/* A position, and the mark that it bears. */
struct claimed {
    enum berth_log_origin origin;
    int64_t offset; /* -1: there is none. */
    bool marked;
    const struct berth_log_mark *mark;
};

static struct claimed claimed_by(const struct berth_log_facts *facts);
static enum berth_log_doubt doubt_of(const struct berth_log_facts *facts,
                                     const struct claimed *claimed);
static bool may_look(const struct berth_log_facts *facts, const struct claimed *claimed);
static struct berth_log_position go_on(const struct berth_log_facts *facts,
                                       const struct claimed *claimed);
static bool decided(const struct berth_log_facts *facts);
static struct berth_log_position decision(const struct berth_log_facts *facts,
                                          const struct claimed *claimed);

const struct berth_log_mark *berth_log_mark_in_question(const struct berth_log_facts *facts) {
    struct claimed claimed = claimed_by(facts);
    return claimed.offset >= 0 && may_look(facts, &claimed) ? claimed.mark : NULL;
}

struct berth_log_position berth_log_position_of(const struct berth_log_facts *facts) {
    struct claimed claimed = claimed_by(facts);
    struct berth_log_position position = {
        .origin = BERTH_LOG_WANTS_BASE, .known = -1, .log = berth_log_mark_none(facts->id)};
    if (claimed.offset < 0 && facts->kept == NULL) {
        return position;
    }
    if (claimed.offset < 0) {
        position.origin = BERTH_LOG_AT_START;
        position.offset = facts->from_end ? facts->end : facts->start;
        return position;
    }
    enum berth_log_doubt doubt = doubt_of(facts, &claimed);
    if (doubt == BERTH_LOG_PROVED) {
        return go_on(facts, &claimed);
    }
    if (facts->kept != NULL && decided(facts)) {
        return decision(facts, &claimed);
    }
    position.origin = facts->kept == NULL ? BERTH_LOG_WANTS_BASE : BERTH_LOG_STOPPED;
    position.known = claimed.offset;
    position.doubt = doubt;
    return position;
}

/* Kafka's word goes before the ledger's. */
static struct claimed claimed_by(const struct berth_log_facts *facts) {
    if (facts->committed >= 0) {
        return (struct claimed){.origin = BERTH_LOG_AT_COMMITTED,
                                .offset = facts->committed,
                                .marked = facts->marked,
                                .mark = &facts->mark};
    }
    if (facts->kept != NULL && facts->kept->offset >= 0) {
        return (struct claimed){.origin = BERTH_LOG_AT_BASE,
                                .offset = facts->kept->offset,
                                .marked = facts->kept->marked,
                                .mark = &facts->kept->mark};
    }
    return (struct claimed){.offset = -1};
}

static enum berth_log_doubt doubt_of(const struct berth_log_facts *facts,
                                     const struct claimed *claimed) {
    const struct berth_log_mark *mark = claimed->mark;
    if (claimed->marked && berth_log_other_id(mark->id, facts->id)) {
        return BERTH_LOG_OTHER_ID;
    }
    bool same_id = claimed->marked && berth_log_same_id(mark->id, facts->id);
    if (claimed->offset > facts->end || (claimed->marked && mark->offset >= facts->end)) {
        return BERTH_LOG_TOO_SHORT;
    }
    if (!claimed->marked || mark->offset < 0) {
        return BERTH_LOG_PROVED;
    }
    if (mark->offset < facts->start) {
        /* Where everything that is there is read on, nothing can be passed over. */
        return same_id || claimed->offset <= facts->start ? BERTH_LOG_PROVED : BERTH_LOG_CUT;
    }
    BERTH_ASSERT(facts->look != BERTH_LOG_NOT_LOOKED);
    if (facts->look == BERTH_LOG_NO_RECORD) {
        return same_id ? BERTH_LOG_PROVED : BERTH_LOG_GONE_RECORD;
    }
    bool same = mark->timestamp_ms == facts->timestamp_ms && mark->checksum == facts->checksum;
    return same ? BERTH_LOG_PROVED : BERTH_LOG_OTHER_RECORD;
}

/* Only then a record can be there, and matters. */
static bool may_look(const struct berth_log_facts *facts, const struct claimed *claimed) {
    const struct berth_log_mark *mark = claimed->mark;
    return claimed->marked && !berth_log_other_id(mark->id, facts->id) &&
           claimed->offset <= facts->end && mark->offset >= facts->start &&
           mark->offset < facts->end;
}

static struct berth_log_position go_on(const struct berth_log_facts *facts,
                                       const struct claimed *claimed) {
    struct berth_log_position position = {.origin = claimed->origin,
                                          .offset = claimed->offset,
                                          .known = claimed->offset,
                                          .lost_from = claimed->offset,
                                          .log = berth_log_mark_none(facts->id)};
    if (claimed->marked) {
        position.log = *claimed->mark;
        if (facts->id[0] != '\0') {
            /* The record proved that it is the same log, whose id couldn't be told before. */
            struct berth_log_mark named = berth_log_mark_none(facts->id);
            named.offset = claimed->mark->offset;
            named.timestamp_ms = claimed->mark->timestamp_ms;
            named.checksum = claimed->mark->checksum;
            position.log = named;
        }
    }
    if (position.offset < facts->start) {
        position.offset = facts->start;
        position.lost = facts->start - claimed->offset;
    }
    return position;
}

static bool decided(const struct berth_log_facts *facts) {
    const struct berth_kept_base *kept = facts->kept;
    return kept->from >= 0 && kept->from <= facts->end &&
           !berth_log_other_id(kept->from_id, facts->id);
}

/* Of another log nothing was read before; of the same one what is below the position was. */
static struct berth_log_position decision(const struct berth_log_facts *facts,
                                          const struct claimed *claimed) {
    int64_t from = facts->kept->from > facts->start ? facts->kept->from : facts->start;
    bool same_log = claimed->marked && berth_log_same_id(claimed->mark->id, facts->id);
    int64_t read_to = same_log && claimed->offset > facts->start ? claimed->offset : facts->start;
    return (struct berth_log_position){.origin = BERTH_LOG_AT_DECISION,
                                       .offset = from,
                                       .known = claimed->offset,
                                       .lost = from > read_to ? from - read_to : 0,
                                       .lost_from = read_to,
                                       .log = berth_log_mark_none(facts->id)};
}

const char *berth_log_doubt_text(enum berth_log_doubt doubt) {
    switch (doubt) {
    case BERTH_LOG_PROVED:
        return "it is the same log";
    case BERTH_LOG_OTHER_ID:
        return "it is another log: the topic was made anew";
    case BERTH_LOG_TOO_SHORT:
        return "the log ends before that: it is another log, or has lost its end";
    case BERTH_LOG_OTHER_RECORD:
        return "another record is where the last settled one was: it is another log, or has lost "
               "its end";
    case BERTH_LOG_GONE_RECORD:
        return "the last settled record isn't there any more, so it may be another log";
    case BERTH_LOG_CUT:
        return "the log begins above the last settled record, so it may be another log";
    }
    BERTH_UNREACHABLE("doubt");
}
