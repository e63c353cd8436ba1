/* SPDX-License-Identifier: Apache-2.0 */
#include "lookups.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"

/* One lookup that is waited for. */
struct waiting {
    struct cli_lookups *lookups;
    cli_lookups_fn *fn;
    void *ctx;
    bool answered;
    bool go_on; /* There is another page, and it is wanted. */
    enum cli_exit status;
    size_t count; /* Spaces that were shown. */
    char last[BERTH_LOOKUP_CURSOR_BYTES];
};

static bool show_none(void *ctx, const struct berth_lookup_answer *answer);
static uint64_t random_seed(void);
static enum cli_exit wait_for(struct cli_lookups *lookups, struct waiting *waiting,
                              enum berth_rc asked);
static void answered(void *ctx, const struct berth_lookup_answer *answer);
static void show(struct waiting *waiting, const struct berth_lookup_answer *answer);
static bool is_refusal(const char *why);
static enum cli_exit explain(const struct berth_config *config,
                             const struct berth_lookup_answer *answer);

enum cli_exit cli_lookups_open(const struct berth_config *config, bool redis_only,
                               struct cli_lookups *ret_lookups) {
    *ret_lookups =
        (struct cli_lookups){.config = config, .base = event_base_new(), .redis_only = redis_only};
    if (ret_lookups->base == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    const struct berth_lookup_config lookup = {.base = ret_lookups->base,
                                               .config = config,
                                               .redis_only = redis_only,
                                               .seed = random_seed(),
                                               .one_shot = true};
    struct berth_error error = {0};
    enum berth_rc rc = berth_lookup_new(&lookup, &ret_lookups->lookup, &error);
    if (rc != BERTH_OK) {
        enum cli_exit status = cli_fault(rc, &error);
        return rc == BERTH_INVALID ? CLI_USAGE : status;
    }
    return CLI_SUCCEEDED;
}

void cli_lookups_close(struct cli_lookups *lookups) {
    lookups->lookup = berth_lookup_free(lookups->lookup);
    if (lookups->base != NULL) {
        event_base_free(lookups->base);
        lookups->base = NULL;
    }
}

enum cli_exit cli_lookups_list(struct cli_lookups *lookups, const struct berth_lookup_query *query,
                               size_t limit, cli_lookups_fn *fn, void *ctx) {
    struct waiting waiting = {.lookups = lookups, .fn = fn, .ctx = ctx, .go_on = true};
    enum cli_exit status = CLI_SUCCEEDED;
    while (status == CLI_SUCCEEDED && waiting.go_on && (limit == 0 || waiting.count < limit)) {
        struct berth_lookup_query page = *query;
        size_t left = limit > 0 ? limit - waiting.count : BERTH_LOOKUP_PAGE_MAX;
        page.limit = left < BERTH_LOOKUP_PAGE_MAX ? left : BERTH_LOOKUP_PAGE_MAX;
        page.after = waiting.last;
        enum berth_rc rc = berth_lookup_list(lookups->lookup, &page, answered, &waiting);
        status = wait_for(lookups, &waiting, rc);
    }
    return status;
}

enum cli_exit cli_lookups_one(struct cli_lookups *lookups, const char *registry, const char *space,
                              cli_lookups_fn *fn, void *ctx) {
    struct waiting waiting = {.lookups = lookups, .fn = fn, .ctx = ctx};
    enum berth_rc rc = berth_lookup_one(lookups->lookup, registry, space, answered, &waiting);
    enum cli_exit status = wait_for(lookups, &waiting, rc);
    if (status == CLI_SUCCEEDED && waiting.count == 0) {
        cli_complain("there is no space %s/%s", registry, space);
        return CLI_FAILED;
    }
    return status;
}

enum cli_exit cli_lookups_doubt(struct cli_lookups *lookups, const char *registry,
                                const char *space) {
    struct waiting waiting = {.lookups = lookups, .fn = show_none};
    enum berth_rc rc = berth_lookup_doubt(lookups->lookup, registry, space, answered, &waiting);
    return wait_for(lookups, &waiting, rc);
}

static bool show_none(void *ctx, const struct berth_lookup_answer *answer) {
    (void)ctx;
    (void)answer;
    return false;
}

static uint64_t random_seed(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        seed = (uint64_t)berth_clock_wall_ms();
    }
    return seed;
}

/* A lookup bounds its time itself. */
static enum cli_exit wait_for(struct cli_lookups *lookups, struct waiting *waiting,
                              enum berth_rc asked) {
    if (asked != BERTH_OK) {
        return cli_fault(asked, NULL);
    }
    waiting->answered = false;
    while (!waiting->answered) {
        int rc = event_base_loop(lookups->base, EVLOOP_ONCE);
        BERTH_ASSERT(rc == 0);
    }
    return waiting->status;
}

static void answered(void *ctx, const struct berth_lookup_answer *answer) {
    struct waiting *waiting = ctx;
    waiting->answered = true;
    waiting->go_on = false;
    if (answer->outcome == BERTH_LOOKUP_FOUND) {
        show(waiting, answer);
    } else if (answer->outcome == BERTH_LOOKUP_HARBOR_UNAVAILABLE && waiting->lookups->redis_only) {
        waiting->lookups->wants_harbor = true;
        waiting->status = CLI_NO_ANSWER;
    } else {
        waiting->status = explain(waiting->lookups->config, answer);
    }
}

static void show(struct waiting *waiting, const struct berth_lookup_answer *answer) {
    waiting->count += answer->spaces_count;
    if (answer->spaces_count > 0) {
        const struct berth_lookup_space *last = &answer->spaces[answer->spaces_count - 1];
        (void)snprintf(waiting->last, sizeof(waiting->last), "%s/%s", last->registry, last->space);
    }
    waiting->go_on = waiting->fn(waiting->ctx, answer) && answer->more;
}

/* A login that is wrong, or that may not do what lookups need: by Redis' own words and those of
 * io/redis_greeting.c. */
static bool is_refusal(const char *why) {
    static const char *const words[] = {"refuses", "NOAUTH", "NOPERM"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(why, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* What to do about it. Who refuses goes on refusing; who is away may be asked again. */
static enum cli_exit explain(const struct berth_config *config,
                             const struct berth_lookup_answer *answer) {
    switch (answer->outcome) {
    case BERTH_LOOKUP_FOUND:
    case BERTH_LOOKUP_NOT_FOUND:
        return CLI_SUCCEEDED;
    case BERTH_LOOKUP_REBUILDING:
        cli_complain("Redis at %s holds no whole data set of berth's under %s in database %lld: is "
                     "it the one that berthd uses? If berthd is rebuilding it, try again in a "
                     "moment",
                     config->redis.address, config->redis.prefix,
                     (long long)config->redis.database);
        return CLI_FAILED;
    case BERTH_LOOKUP_REDIS_UNAVAILABLE:
        if (is_refusal(answer->why)) {
            cli_complain("%s", answer->why);
            return CLI_FAILED;
        }
        cli_complain("%s (is it running, and is address in [redis] right?)", answer->why);
        return CLI_NO_ANSWER;
    case BERTH_LOOKUP_HARBOR_UNAVAILABLE:
        cli_complain("Redis doesn't know the space, and Harbor doesn't tell: %s", answer->why);
        return CLI_NO_ANSWER;
    case BERTH_LOOKUP_OVERLOADED:
        cli_complain("%s", answer->why);
        return CLI_NO_ANSWER;
    }
    BERTH_UNREACHABLE("every outcome is one of these");
}
