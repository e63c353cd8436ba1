/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's writer: a thread that writes to standard error, so that nobody who logs waits for it.
 *
 * Whoever reads standard error may stop reading: a pipe, a terminal that was told ^S, a journal
 * that hangs. write(2) blocks then, and with it the loop. Lines therefore go into a bounded queue,
 * and a thread writes them, each with one call. Why a thread: O_NONBLOCK belongs to the open file
 * description, which a shell, a terminal or a supervisor shares with us and would suffer from; a
 * description of our own (/proc/self/fd/2) can't be had of sockets, which is what journald gives;
 * and asking poll(2) first promises nothing for terminals, nor for a pipe that others write to,
 * too.
 *
 * What finds no room is dropped, and all that follows, until the queue is empty: then one line says
 * how many are missing, at the very place where they are missing.
 *
 * Without a writer (tools and tests) each line is written by whoever logs it.
 */
#ifndef BERTH_BASE_LOG_WRITER_H
#define BERTH_BASE_LOG_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

/* Lines that wait to be written, in bytes: some minutes of a quiet worker, a second of a loud one.
 */
#define BERTH_LOG_QUEUE_BYTES ((size_t)256 * 1024)

/* Starts the thread; once (asserted), or again after it was stopped. */
BERTH_MUST_USE enum berth_rc berth_log_writer_start(struct berth_error *reterr);

/* Waits until all that was logged is written, for at most so long, and ends the thread. If it can't
 * be ended in time, because nobody reads, it is left behind and nothing is written any more: then
 * the process is to end. Nothing happens if there is none. */
void berth_log_writer_stop(int64_t timeout_ms);

/* How many lines weren't written: dropped, or refused by standard error. */
uint64_t berth_log_lines_dropped(void);

/* Writes a line, or queues it; len counts its newline. From any thread. */
void berth_log_write(const char *line, size_t len);

#endif
