/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one result type.
 *
 * Zero is success. A positive value is an outcome that the called function documents and its caller
 * handles. A negative value is a fault: it goes up unchanged until somebody decides what to do.
 * What Kafka, Harbor or Redis *say* is data (an event), never one of these.
 */
#ifndef BERTH_BASE_RESULT_H
#define BERTH_BASE_RESULT_H

#define BERTH_MUST_USE __attribute__((warn_unused_result))
#define BERTH_PRINTF(format_index, first_argument)                                                 \
    __attribute__((format(printf, format_index, first_argument)))

enum berth_rc {
    BERTH_OK = 0,

    /* Outcomes: each function's comment says which of them it has. */
    BERTH_BUSY = 1,      /* A bound is reached; nothing changed; offer it again later. */
    BERTH_NOT_FOUND = 2, /* What was asked for is not there. */
    BERTH_INVALID = 3,   /* The input breaks a rule; the error text says which and where. */
    BERTH_END = 4,       /* There is no more. */

    /* Faults. */
    BERTH_FAULT_MEMORY = -1,   /* The process has no memory left. */
    BERTH_FAULT_SYSTEM = -2,   /* A system call failed; the error text names it and its errno. */
    BERTH_FAULT_LIBRARY = -3,  /* A library refused; the error text carries its words. */
    BERTH_FAULT_PROTOCOL = -4, /* A peer broke its protocol. */
    /* A peer doesn't answer, or doesn't let us in; the error text names it and says why. */
    BERTH_FAULT_UNREACHABLE = -5,
};

/* The longest error text, with its terminating NUL. */
#define BERTH_ERROR_BYTES_MAX 512

/* Filled once, where a fault or a BERTH_INVALID is made; a sentence a user can act on. */
struct berth_error {
    char text[BERTH_ERROR_BYTES_MAX];
};

/* Writes the text, cut at the limit, when reterr is not NULL. */
void berth_error_set(struct berth_error *reterr, const char *format, ...) BERTH_PRINTF(2, 3);

/* The name of a value ("BERTH_BUSY"), for logs and tests. Never NULL. */
const char *berth_rc_name(enum berth_rc rc);

/* What is told of a failure: the text, or the name where none was written (there was no memory).
 * An error that is looked at was zeroed before the call that may fill it. */
const char *berth_error_why(const struct berth_error *error, enum berth_rc rc);

#endif
