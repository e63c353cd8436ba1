/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Journal: what a registry was asked, for tests to look at. Requests are counted by route; writes
 * are remembered one by one, the last BERTH_SANDBOX_WRITES_MAX of them.
 */
#ifndef BERTH_SANDBOX_JOURNAL_H
#define BERTH_SANDBOX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox_http.h"

#define BERTH_SANDBOX_WRITES_MAX 100000

struct json_t;
struct berth_sandbox_journal;

struct berth_sandbox_journal *berth_sandbox_journal_new(void);
struct berth_sandbox_journal *berth_sandbox_journal_free(struct berth_sandbox_journal *journal);

/* Counts a request of the route (harbor_api.h). */
void berth_sandbox_journal_count(struct berth_sandbox_journal *journal, size_t route);

/* Remembers a write. status: of the reply, 0 when the request was never applied; replied: whether
 * the client was sent that reply. */
void berth_sandbox_journal_add(struct berth_sandbox_journal *journal,
                               const struct berth_sandbox_request *request, int status,
                               bool replied);

/* {"POST /projects": 3, ...} with all routes; a new reference. */
struct json_t *berth_sandbox_journal_counters(const struct berth_sandbox_journal *journal);

/* [{"request_id", "method", "path", "status", "replied", "at_ms"}], oldest first; a new
 * reference. */
struct json_t *berth_sandbox_journal_writes(const struct berth_sandbox_journal *journal);

/* How many writes had to be forgotten because the bound was reached. */
int64_t berth_sandbox_journal_dropped(const struct berth_sandbox_journal *journal);

void berth_sandbox_journal_reset_counters(struct berth_sandbox_journal *journal);
void berth_sandbox_journal_reset_writes(struct berth_sandbox_journal *journal);

#endif
