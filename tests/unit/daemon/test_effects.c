/* SPDX-License-Identifier: Apache-2.0 */
/* What is done of what the engine asks for when the worker can't go on. Its other parts are the
 * test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/io/kafka_record.h"
#include "worker_parts.h"

#define EFFECTS_MAX 4

static struct {
    struct berth_effect effects[EFFECTS_MAX]; /* What the engine asks for, in this order. */
    size_t count;
    size_t next;
    bool publication_fails;
    int submitted; /* To the ledger, ... */
    int called;    /* ... to Harbor. */
} stage;

bool berth_engine_next_effect(struct berth_engine *engine, struct berth_effect *ret_effect) {
    (void)engine;
    if (stage.next == stage.count) {
        return false;
    }
    *ret_effect = stage.effects[stage.next++];
    return true;
}

void worker_make_publication(struct worker *worker, uint32_t slot,
                             const struct berth_command *command, const struct berth_source *source,
                             uint32_t registry, int64_t version,
                             const struct berth_outcome *outcome) {
    (void)slot;
    (void)command;
    (void)source;
    (void)registry;
    (void)version;
    (void)outcome;
    worker->failed = stage.publication_fails;
}

enum berth_rc berth_ledger_submit(struct berth_ledger *ledger, uint64_t call_id,
                                  const struct berth_ledger_call *call,
                                  const struct berth_publication *publication) {
    (void)ledger;
    (void)call_id;
    (void)call;
    (void)publication;
    stage.submitted++;
    return BERTH_OK;
}

enum berth_rc berth_harbor_client_submit(struct berth_harbor_client *client, uint64_t call_id,
                                         const struct berth_harbor_call *call) {
    (void)client;
    (void)call_id;
    (void)call;
    stage.called++;
    return BERTH_OK;
}

void worker_publish(struct worker *worker, const struct berth_effect *effect) {
    (void)worker;
    (void)effect;
}

void worker_close(struct worker *worker) {
    (void)worker;
}

void berth_consumer_give_up(struct berth_consumer *consumer, uint32_t slot) {
    (void)consumer;
    (void)slot;
}

struct berth_record *berth_record_free(struct berth_record *record) {
    (void)record;
    return NULL;
}

/* A decided outcome is to be stored, then Harbor is to be asked for another command. */
static void perform_store_and_call(struct worker *worker) {
    static const struct berth_command command;
    static const struct berth_source source;
    static const struct berth_outcome outcome;
    stage.next = 0;
    stage.count = 2;
    stage.effects[0] = (struct berth_effect){.kind = BERTH_EFFECT_LEDGER};
    stage.effects[0].ledger.call = (struct berth_ledger_call){
        .kind = BERTH_LEDGER_STORE,
        .store = {.command = &command, .source = &source, .outcome = &outcome}};
    stage.effects[1] = (struct berth_effect){.kind = BERTH_EFFECT_HARBOR};
    assert_int_equal(berth_slots_init(&worker->slots, 1), BERTH_OK);
    worker_perform_effects(worker);
    berth_slots_deinit(&worker->slots);
}

static void test_what_the_engine_asks_for_is_done(void **state) {
    (void)state;
    memset(&stage, 0, sizeof(stage));
    struct worker *worker = calloc(1, sizeof(*worker));
    perform_store_and_call(worker);
    assert_int_equal(stage.submitted, 1);
    assert_int_equal(stage.called, 1);
    free(worker);
}

/* The store would be one of nothing; and what was asked for behind it rests on it. */
static void test_without_its_publication_nothing_is_stored_or_done_after_it(void **state) {
    (void)state;
    memset(&stage, 0, sizeof(stage));
    stage.publication_fails = true;
    struct worker *worker = calloc(1, sizeof(*worker));
    perform_store_and_call(worker);
    assert_int_equal(stage.submitted, 0);
    assert_int_equal(stage.called, 0);
    free(worker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_engine_asks_for_is_done),
        cmocka_unit_test(test_without_its_publication_nothing_is_stored_or_done_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
