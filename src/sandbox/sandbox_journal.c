/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_journal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_api.h"
#include "sandbox_faults.h"
#include "sandbox_memory.h"

struct write {
    char *request_id; /* "" when the client sent none. */
    char *path;
    enum berth_sandbox_method method;
    int status;
    bool replied;
    int64_t at_ms;
};

struct berth_sandbox_journal {
    int64_t *counters;    /* By route. */
    struct write *writes; /* A ring of BERTH_SANDBOX_WRITES_MAX. */
    size_t first;
    size_t count;
    int64_t dropped;
};

static struct write *ring_at(const struct berth_sandbox_journal *journal, size_t index);
static void free_write(struct write *entry);
static json_t *any_text(const char *text);

struct berth_sandbox_journal *berth_sandbox_journal_new(void) {
    struct berth_sandbox_journal *journal = berth_sandbox_alloc(sizeof(*journal));
    journal->counters =
        berth_sandbox_alloc(berth_sandbox_route_count() * sizeof(journal->counters[0]));
    journal->writes = berth_sandbox_alloc(BERTH_SANDBOX_WRITES_MAX * sizeof(journal->writes[0]));
    return journal;
}

struct berth_sandbox_journal *berth_sandbox_journal_free(struct berth_sandbox_journal *journal) {
    if (journal != NULL) {
        berth_sandbox_journal_reset_writes(journal);
        free(journal->counters);
        free(journal->writes);
        free(journal);
    }
    return NULL;
}

void berth_sandbox_journal_count(struct berth_sandbox_journal *journal, size_t route) {
    BERTH_ASSERT(route < berth_sandbox_route_count());
    journal->counters[route]++;
}

void berth_sandbox_journal_add(struct berth_sandbox_journal *journal,
                               const struct berth_sandbox_request *request, int status,
                               bool replied) {
    if (journal->count == BERTH_SANDBOX_WRITES_MAX) {
        free_write(ring_at(journal, 0));
        journal->first = (journal->first + 1) % BERTH_SANDBOX_WRITES_MAX;
        journal->count--;
        journal->dropped++;
    }
    const char *id = request->request_id == NULL ? "" : request->request_id;
    *ring_at(journal, journal->count++) = (struct write){
        .request_id = berth_sandbox_copy(id),
        .path = berth_sandbox_copy(request->path),
        .method = request->method,
        .status = status,
        .replied = replied,
        .at_ms = request->now_ms,
    };
}

struct json_t *berth_sandbox_journal_counters(const struct berth_sandbox_journal *journal) {
    json_t *json = json_object();
    for (size_t route = 0; route < berth_sandbox_route_count(); route++) {
        char name[BERTH_SANDBOX_ROUTE_BYTES_MAX];
        berth_sandbox_route_name(route, name, sizeof(name));
        json_t *count = json_integer(journal->counters[route]);
        BERTH_ASSERT(json_object_set_new(json, name, count) == 0);
    }
    return json;
}

struct json_t *berth_sandbox_journal_writes(const struct berth_sandbox_journal *journal) {
    json_t *array = json_array();
    for (size_t i = 0; i < journal->count; i++) {
        const struct write *entry = ring_at(journal, i);
        json_t *json = json_pack(
            "{s:o,s:s,s:o,s:i,s:b,s:I}", "request_id", any_text(entry->request_id), "method",
            berth_sandbox_method_name(entry->method), "path", any_text(entry->path), "status",
            entry->status, "replied", (int)entry->replied, "at_ms", (json_int_t)entry->at_ms);
        BERTH_ASSERT(json != NULL);
        BERTH_ASSERT(json_array_append_new(array, json) == 0);
    }
    return array;
}

int64_t berth_sandbox_journal_dropped(const struct berth_sandbox_journal *journal) {
    return journal->dropped;
}

void berth_sandbox_journal_reset_counters(struct berth_sandbox_journal *journal) {
    memset(journal->counters, 0, berth_sandbox_route_count() * sizeof(journal->counters[0]));
}

void berth_sandbox_journal_reset_writes(struct berth_sandbox_journal *journal) {
    for (size_t i = 0; i < journal->count; i++) {
        free_write(ring_at(journal, i));
    }
    journal->first = 0;
    journal->count = 0;
    journal->dropped = 0;
}

static struct write *ring_at(const struct berth_sandbox_journal *journal, size_t index) {
    return &journal->writes[(journal->first + index) % BERTH_SANDBOX_WRITES_MAX];
}

static void free_write(struct write *entry) {
    free(entry->request_id);
    free(entry->path);
}

/* What a client sent need not be UTF-8; JSON must be. */
static json_t *any_text(const char *text) {
    json_t *json = json_string(text);
    return json != NULL ? json : json_string("(not UTF-8)");
}
