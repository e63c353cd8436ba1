/* SPDX-License-Identifier: Apache-2.0 */
#include "kept_bases.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "berth/codec/identity.h"
#include "berth/io/ledger.h"

/* Beside the configured time-out: a name to be looked up, and a few answers. */
#define MARGIN_MS 3000
#define MEMORY_MS 1 /* Nothing is stored. */

static void on_state(void *ctx, bool available, const char *why);
static void on_foreign(void *ctx, const char *text);
static void on_warning(void *ctx, const char *text);
static void on_answer(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored);
static void on_decided(void *ctx, bool decided, const char *why);
static enum cli_exit wait_for(struct cli_kept_bases *kept);

enum cli_exit cli_kept_bases_open(const struct berth_config *config, const char *cluster,
                                  struct cli_kept_bases *ret_kept) {
    *ret_kept = (struct cli_kept_bases){.base = event_base_new(), .why = "no answer in time"};
    char incarnation[BERTH_UUID_BYTES];
    if (ret_kept->base == NULL || berth_uuid4(incarnation) != BERTH_OK) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    const struct berth_ledger_config ledger = {
        .base = ret_kept->base,
        .server = berth_config_redis_server(config),
        .prefix = config->redis.prefix,
        .instance = config->instance,
        .incarnation = incarnation,
        .memory_ms = MEMORY_MS,
        .tombstone_ms = MEMORY_MS,
        .pending_max = 4,
        .on_answer = on_answer,
        .on_state = on_state,
        .on_warning = on_warning,
        .on_foreign = on_foreign,
        .ctx = ret_kept,
    };
    struct berth_error error = {0};
    enum berth_rc rc = berth_ledger_new(&ledger, &ret_kept->ledger, &error);
    if (rc != BERTH_OK) {
        return cli_fault(rc, &error);
    }
    berth_ledger_set_owner(ret_kept->ledger, config->deployment, config->group, cluster);
    ret_kept->bound_ms = config->redis.timeout_ms + MARGIN_MS;
    return wait_for(ret_kept);
}

void cli_kept_bases_close(struct cli_kept_bases *kept) {
    kept->ledger = berth_ledger_free(kept->ledger);
    if (kept->base != NULL) {
        event_base_free(kept->base);
        kept->base = NULL;
    }
}

enum cli_exit cli_kept_bases_read(struct cli_kept_bases *kept, const struct berth_base *partitions,
                                  size_t count, struct berth_kept_base *ret_bases) {
    kept->into = ret_bases;
    kept->count = count;
    const struct berth_ledger_call call = {.kind = BERTH_LEDGER_BASES,
                                           .bases = {.partitions = partitions, .count = count}};
    enum berth_rc rc = berth_ledger_submit(kept->ledger, 0, &call, NULL);
    return rc == BERTH_OK ? wait_for(kept) : cli_fault(rc, NULL);
}

enum cli_exit cli_kept_bases_decide(struct cli_kept_bases *kept, const struct berth_base *place) {
    enum berth_rc rc = berth_ledger_decide(kept->ledger, place, on_decided, kept);
    return rc == BERTH_OK ? wait_for(kept) : cli_fault(rc, NULL);
}

static void answered(struct cli_kept_bases *kept, bool done, const char *why) {
    kept->answered = true;
    kept->done = done;
    (void)snprintf(kept->why, sizeof(kept->why), "%s", why);
    (void)event_base_loopbreak(kept->base);
}

/* Connecting takes a few words; only the last matters, unless it is somebody else's. */
static void on_state(void *ctx, bool available, const char *why) {
    struct cli_kept_bases *kept = ctx;
    if (available && berth_ledger_is_ours(kept->ledger)) {
        answered(kept, true, "");
    } else if (!kept->answered) {
        (void)snprintf(kept->why, sizeof(kept->why), "%s", why);
    }
}

static void on_foreign(void *ctx, const char *text) {
    answered(ctx, false, text);
}

static void on_warning(void *ctx, const char *text) {
    (void)ctx;
    (void)text;
}

static void on_answer(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored) {
    (void)call_id;
    (void)stored;
    struct cli_kept_bases *kept = ctx;
    bool told = !answer->unavailable && answer->bases.count == kept->count;
    if (told) {
        memcpy(kept->into, answer->bases.kept, kept->count * sizeof(*kept->into));
    }
    answered(kept, told, "it doesn't tell");
}

static void on_decided(void *ctx, bool decided, const char *why) {
    answered(ctx, decided, why);
}

static void over_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    (void)event_base_loopbreak(ctx);
}

static enum cli_exit wait_for(struct cli_kept_bases *kept) {
    const struct timeval bound = {.tv_sec = kept->bound_ms / 1000,
                                  .tv_usec = kept->bound_ms % 1000 * 1000};
    struct event *over = evtimer_new(kept->base, over_cb, kept->base);
    if (over == NULL || evtimer_add(over, &bound) != 0) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    kept->answered = false;
    (void)event_base_dispatch(kept->base);
    event_free(over);
    if (kept->answered && kept->done) {
        return CLI_SUCCEEDED;
    }
    cli_complain("Redis: %s", kept->why);
    return kept->answered ? CLI_FAILED : CLI_NO_ANSWER;
}
