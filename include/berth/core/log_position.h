/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a partition is read on, and whether that may be: the rules of docs/redis.md, "Whose log is
 * it?". Pure; whoever reads Kafka and the ledger brings the facts.
 */
#ifndef BERTH_CORE_LOG_POSITION_H
#define BERTH_CORE_LOG_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/core/log_mark.h"

/* What the ledger keeps of a partition. */
struct berth_kept_base {
    int64_t offset; /* Where its last committed transaction ended; -1: there is none. */
    bool marked;
    struct berth_log_mark mark;
    /* What an operator decided; -1: nothing. It is meant for this log only. */
    int64_t from;
    char from_id[BERTH_LOG_ID_BYTES];
};

/* What is where a mark points. */
enum berth_log_look {
    BERTH_LOG_NOT_LOOKED, /* It needn't be known. */
    BERTH_LOG_RECORD,     /* A record. */
    BERTH_LOG_NO_RECORD,  /* None: compacted away, a transaction's marker, ... */
};

struct berth_log_facts {
    char id[BERTH_LOG_ID_BYTES]; /* Of the topic, now; empty: it can't be told. */
    int64_t start;
    int64_t end;
    int64_t committed; /* By the group; -1: nothing. */
    bool marked;       /* With this mark. */
    struct berth_log_mark mark;
    const struct berth_kept_base *kept; /* Borrowed; NULL: the ledger hasn't said. */
    enum berth_log_look look; /* At the place of berth_log_mark_in_question(), what is there. */
    int64_t timestamp_ms;
    uint32_t checksum;
    bool from_end; /* Where nothing says where: at the log's end, else at its start. */
};

enum berth_log_origin {
    BERTH_LOG_AT_COMMITTED,
    BERTH_LOG_AT_BASE,     /* Nothing is committed. */
    BERTH_LOG_AT_START,    /* There is no base, either: chosen by `start`. */
    BERTH_LOG_AT_DECISION, /* An operator's. */
    BERTH_LOG_WANTS_BASE,  /* It isn't known before the ledger was asked. */
    BERTH_LOG_STOPPED,     /* Nothing may be read on. */
};

/* Why it is stopped. */
enum berth_log_doubt {
    BERTH_LOG_PROVED,
    BERTH_LOG_OTHER_ID,
    BERTH_LOG_TOO_SHORT,    /* It ends before the position, or before the marked record. */
    BERTH_LOG_OTHER_RECORD, /* At the mark's place. */
    BERTH_LOG_GONE_RECORD,  /* There is none at the mark's place, and no id to go by. */
    BERTH_LOG_CUT,          /* It begins above the mark's place, and no id to go by. */
};

struct berth_log_position {
    enum berth_log_origin origin;
    int64_t offset;            /* Where to read on. */
    int64_t known;             /* What the origin says; -1: nothing does. */
    int64_t lost;              /* So many offsets below `offset` are passed over: from this ... */
    int64_t lost_from;         /* ... on. */
    struct berth_log_mark log; /* The mark of what is settled of this log so far. */
    enum berth_log_doubt doubt;
};

/* The mark that is to be looked at before the position can be told; NULL: none is. */
const struct berth_log_mark *berth_log_mark_in_question(const struct berth_log_facts *facts);

struct berth_log_position berth_log_position_of(const struct berth_log_facts *facts);

/* A sentence's end: what is wrong with the log. */
const char *berth_log_doubt_text(enum berth_log_doubt doubt);

#endif
