/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which fault meets which step of which plan.
 *
 * A seed has a number of wishes, "the next time that this plan comes to this step, this happens",
 * dealt so that neighbouring seeds cover the table evenly. One that isn't met in its time is
 * granted at whatever step fits it next.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

#define ANY         (-1)
#define PATIENCE_MS 15000
/* What the number of an event is about: a wish, one to be arranged for, a worker to be killed. */
#define ARRANGE    100
#define KILL_LATER 1000

const char *sim_fault_name(enum sim_fault fault) {
    static const char *const names[SIM_FAULT_KINDS + 1] = {
        [SIM_LEDGER_LOST] = "ledger call lost",
        [SIM_LEDGER_APPLIED] = "ledger reply lost",
        [SIM_LEDGER_LATE] = "ledger call late",
        [SIM_HARBOR_NOT_SENT] = "not sent",
        [SIM_HARBOR_LOST] = "request lost",
        [SIM_HARBOR_APPLIED] = "reply lost",
        [SIM_HARBOR_DELAYED] = "delayed",
        [SIM_HARBOR_401] = "401",
        [SIM_HARBOR_403] = "403",
        [SIM_HARBOR_409] = "409",
        [SIM_HARBOR_412] = "412",
        [SIM_HARBOR_429] = "429",
        [SIM_HARBOR_5XX] = "5xx",
        [SIM_HARBOR_READ_ONLY] = "read-only",
        [SIM_HUMAN_CHANGES] = "human changes",
        [SIM_HUMAN_MAKES] = "foreign made",
        [SIM_ABORTED] = "aborted",
        [SIM_FENCED] = "fenced",
        [SIM_TIMED_OUT] = "timed out",
        [SIM_KILLED] = "killed",
        [SIM_FROZEN] = "frozen long",
        [SIM_FROZEN_LITE] = "frozen short",
        [SIM_CLOCK] = "clock jumps",
        [SIM_LOST_PARTITIONS] = "partitions lost",
        [SIM_LEAVES] = "leaves",
        [SIM_REGISTRY_SICK] = "registry sick",
        [SIM_REDIS_AWAY] = "redis away",
        [SIM_REDIS_EMPTIED] = "redis emptied",
        [SIM_REDIS_OLDER] = "redis older",
        [SIM_NO_FAULT] = "nothing",
    };
    return names[fault];
}

const char *sim_step_name(int step) {
    static const char *const names[SIM_STEP_HARBOR] = {
        [SIM_STEP_CLAIM] = "CLAIM", [SIM_STEP_REMEMBER] = "REMEMBER", [SIM_STEP_STORE] = "STORE",
        [SIM_STEP_RENEW] = "RENEW", [SIM_STEP_PUBLISH] = "PUBLISH",
    };
    return step < (int)SIM_STEP_HARBOR
               ? names[step]
               : berth_harbor_call_name((enum berth_harbor_call_kind)(step - (int)SIM_STEP_HARBOR));
}

/* ---- The table ---- */

#define CALL(kind) (1u << (kind))
#define READS      (CALL(BERTH_HARBOR_GET_PROJECT_NAME) | CALL(BERTH_HARBOR_LIST_ROBOTS))
#define BY_ID      CALL(BERTH_HARBOR_GET_PROJECT_ID)
#define SETS                                                                                       \
    (CALL(BERTH_HARBOR_UPDATE_PROJECT) | CALL(BERTH_HARBOR_GET_QUOTA) |                            \
     CALL(BERTH_HARBOR_SET_QUOTA))
#define BINDS (CALL(BERTH_HARBOR_CREATE_ROBOT) | CALL(BERTH_HARBOR_SET_SECRET))

/* Which requests a plan can make at all. Only plans that set a quota read one; only Bind and Set
 * mend robots; only CreateSpace asks whose account ours is; a Bind deletes what it made in a
 * namesake. */
static const unsigned requests[BERTH_COMMAND_TYPES] = {
    [BERTH_CREATE_SPACE] =
        READS | BY_ID | SETS | CALL(BERTH_HARBOR_CREATE_PROJECT) | CALL(BERTH_HARBOR_GET_ACCOUNT),
    [BERTH_UPDATE_SPACE] = READS | BY_ID | SETS,
    [BERTH_DELETE_SPACE] = READS | BY_ID | CALL(BERTH_HARBOR_DELETE_PROJECT),
    [BERTH_BIND_WORKSPACE] =
        READS | BY_ID | BINDS | CALL(BERTH_HARBOR_MEND_ROBOT) | CALL(BERTH_HARBOR_DELETE_ROBOT),
    [BERTH_UNBIND_WORKSPACE] = READS | BY_ID | CALL(BERTH_HARBOR_DELETE_ROBOT),
    [BERTH_SET_WORKSPACE_BINDINGS] =
        READS | BY_ID | BINDS | CALL(BERTH_HARBOR_MEND_ROBOT) | CALL(BERTH_HARBOR_DELETE_ROBOT),
};

static bool is_worker_fault(enum sim_fault fault) {
    return fault >= SIM_KILLED;
}

const char *sim_no_cell(enum sim_fault fault, int type, int step) {
    bool harbor = step >= (int)SIM_STEP_HARBOR;
    unsigned call = harbor ? CALL(step - (int)SIM_STEP_HARBOR) : 0;
    if (harbor && (requests[type] & call) == 0) {
        return "the plan never makes this request";
    }
    if (fault <= SIM_LEDGER_LATE && (harbor || step == SIM_STEP_PUBLISH)) {
        return "a fault of calls of the ledger";
    }
    if (fault >= SIM_HARBOR_NOT_SENT && fault <= SIM_HUMAN_MAKES && !harbor) {
        return "a fault of requests to Harbor";
    }
    if (fault >= SIM_ABORTED && fault <= SIM_TIMED_OUT && step != SIM_STEP_PUBLISH) {
        return "a fault of transactions";
    }
    if (fault == SIM_HARBOR_READ_ONLY &&
        !berth_harbor_call_is_write((enum berth_harbor_call_kind)(step - (int)SIM_STEP_HARBOR))) {
        return "read-only mode stops no read";
    }
    return NULL;
}

/* ---- Wishes ---- */

#define WEIGHT_MAX 3
#define CELLS_MAX  (WEIGHT_MAX * SIM_FAULT_KINDS * BERTH_COMMAND_TYPES * SIM_STEPS)

struct cell {
    uint8_t fault;
    uint8_t type;
    uint8_t step;
};

/* Steps that a plan seldom comes to are wished for more often. */
static int weight(int type, int step) {
    static const unsigned seldom[BERTH_COMMAND_TYPES] = {
        [BERTH_CREATE_SPACE] = BY_ID | SETS | CALL(BERTH_HARBOR_GET_ACCOUNT),
        [BERTH_UPDATE_SPACE] = BY_ID | SETS | READS,
        [BERTH_DELETE_SPACE] = READS,
        [BERTH_BIND_WORKSPACE] = CALL(BERTH_HARBOR_MEND_ROBOT) | CALL(BERTH_HARBOR_DELETE_ROBOT),
        [BERTH_UNBIND_WORKSPACE] = READS | CALL(BERTH_HARBOR_DELETE_ROBOT),
        [BERTH_SET_WORKSPACE_BINDINGS] = BY_ID | READS | CALL(BERTH_HARBOR_MEND_ROBOT),
    };
    bool harbor = step >= (int)SIM_STEP_HARBOR;
    return harbor && (seldom[type] & CALL(step - (int)SIM_STEP_HARBOR)) != 0 ? WEIGHT_MAX : 1;
}

static size_t list_cells(struct cell cells[CELLS_MAX]) {
    size_t count = 0;
    for (int fault = 0; fault < SIM_FAULT_KINDS; fault++) {
        for (int type = 0; type < BERTH_COMMAND_TYPES; type++) {
            for (int step = 0; step < SIM_STEPS; step++) {
                int count_of =
                    sim_no_cell((enum sim_fault)fault, type, step) == NULL ? weight(type, step) : 0;
                for (int i = 0; i < count_of; i++) {
                    cells[count++] = (struct cell){(uint8_t)fault, (uint8_t)type, (uint8_t)step};
                }
            }
        }
    }
    return count;
}

static bool is_rare(const struct sim_wish *wish);

void sim_faults_init(struct sim *sim) {
    sim_outputs_init(sim);
    struct cell cells[CELLS_MAX];
    if (sim->crash != NULL) {
        return;
    }
    if (sim->slow_world) {
        /* Its neighbours are watched instead. */
        sim->spaces[0].slow_until_ms = sim->now_ms + sim->sending_ms;
        return;
    }
    size_t count = list_cells(cells);
    for (size_t i = 0; i < SIM_FAULTS; i++) {
        struct sim_wish *wish = &sim->wishes[i];
        /* 677 is prime and no divisor of the number of cells: neighbours are far apart. */
        const struct cell *cell = &cells[(size_t)((sim->seed * SIM_FAULTS + i) * 677 % count)];
        *wish = (struct sim_wish){
            .fault = (enum sim_fault)cell->fault,
            .type = cell->type,
            .step = cell->step,
            .from_ms = sim->now_ms + 500 + sim_below(sim, sim->sending_ms),
        };
        struct sim_event *granted = sim_event(sim, SIM_EVENT_FAULT, -1);
        granted->number = (int)i;
        sim_post(sim, granted, wish->from_ms + PATIENCE_MS - sim->now_ms);
        if (is_rare(wish)) {
            struct sim_event *arranged = sim_event(sim, SIM_EVENT_FAULT, -1);
            arranged->number = ARRANGE + (int)i;
            sim_post(sim, arranged, wish->from_ms - sim->now_ms);
        }
    }
}

/* Steps that a plan comes to only after something happened by hand. */
static bool is_rare(const struct sim_wish *wish) {
    int step = wish->step - (int)SIM_STEP_HARBOR;
    bool leaves = wish->type == BERTH_BIND_WORKSPACE && step == BERTH_HARBOR_DELETE_ROBOT;
    return step == BERTH_HARBOR_MEND_ROBOT || leaves;
}

/* Somebody makes a project anew, or spoils a robot, and a command comes that meets that. */
static void arrange(struct sim *sim, const struct sim_wish *wish) {
    bool mend = wish->step == (int)SIM_STEP_HARBOR + (int)BERTH_HARBOR_MEND_ROBOT;
    bool disable = wish->type == BERTH_BIND_WORKSPACE && sim_chance(sim, 50);
    int first = (int)sim_below(sim, sim->spaces_count);
    for (int i = 0; i < sim->spaces_count; i++) {
        int space = (first + i) % sim->spaces_count;
        int workspace =
            mend ? sim_human_spoils(sim, space, disable) : sim_human_remakes(sim, space);
        if (workspace < 0) {
            continue;
        }
        sim->faults_done++;
        sim_producers_bind(sim, space, (enum berth_command_type)wish->type, workspace);
        return;
    }
}

/* ---- What happens to workers, and to Redis ---- */

static void calm_later(struct sim *sim, int64_t at_ms) {
    if (sim->calm_from_ms < at_ms) {
        sim->calm_from_ms = at_ms;
    }
}

static void freeze(struct sim *sim, struct sim_worker *worker, int64_t for_ms) {
    sim_trace(sim, "w%d is frozen for %lld ms", worker->number, (long long)for_ms);
    if (worker->frozen_until_ms < sim->now_ms + for_ms) {
        worker->frozen_until_ms = sim->now_ms + for_ms;
    }
    calm_later(sim, worker->frozen_until_ms);
    sim_group_froze(sim, worker, for_ms);
}

static void jump(struct sim *sim, struct sim_worker *worker) {
    static const int64_t jumps_ms[] = {1000, 60000, 600000, 4200000, 7200000};
    int64_t by_ms = jumps_ms[sim_below(sim, 5)] * (sim_chance(sim, 50) ? 1 : -1);
    worker->wall_ms += by_ms;
    sim_trace(sim, "w%d wall clock jumps by %lld ms", worker->number, (long long)by_ms);
}

static void drain(struct sim *sim, struct sim_worker *worker) {
    struct berth_event event = {.kind = BERTH_EVENT_DRAIN};
    if (!worker->draining) {
        worker->draining = true;
        sim_worker_tell(sim, worker, &event, 0);
    }
}

static void kill_now_or_soon(struct sim *sim, struct sim_worker *worker) {
    if (sim_chance(sim, 50)) {
        worker->stop_asked = true;
        return;
    }
    struct sim_event *kills = sim_event(sim, SIM_EVENT_FAULT, -1);
    kills->number = KILL_LATER + worker->number;
    kills->epoch = worker->life;
    sim_post(sim, kills, 1 + sim_below(sim, 60));
}

int64_t sim_dead_for_ms(struct sim *sim) {
    return sim->crash != NULL ? SIM_CRASHED_FOR_MS : 200 + sim_below(sim, 12000);
}

static void fall_sick(struct sim *sim) {
    static const enum sim_fault faults[] = {SIM_HARBOR_NOT_SENT,  SIM_HARBOR_LOST,
                                            SIM_HARBOR_5XX,       SIM_HARBOR_401,
                                            SIM_HARBOR_READ_ONLY, SIM_HARBOR_429};
    int registry = (int)sim_below(sim, SIM_REGISTRIES);
    struct sim_sickness *sick = &sim->sick[registry];
    sick->fault = faults[sim_below(sim, sizeof(faults) / sizeof(faults[0]))];
    sick->until_ms = sim->now_ms + 500 + sim_below(sim, 30000);
    sim_trace(sim, "registry %s: %s for %lld ms", sim->registries[registry].name,
              sim_fault_name(sick->fault), (long long)(sick->until_ms - sim->now_ms));
    calm_later(sim, sick->until_ms);
}

static void do_worker_fault(struct sim *sim, struct sim_worker *worker, enum sim_fault fault) {
    sim_trace(sim, "w%d meets %s", worker->number, sim_fault_name(fault));
    switch ((int)fault) {
    case SIM_KILLED:
        kill_now_or_soon(sim, worker);
        break;
    case SIM_FROZEN:
        freeze(sim, worker, 16000 + sim_below(sim, 25000));
        break;
    case SIM_FROZEN_LITE:
        freeze(sim, worker, 200 + sim_below(sim, 9000));
        break;
    case SIM_CLOCK:
        jump(sim, worker);
        break;
    case SIM_LOST_PARTITIONS: {
        struct sim_event *learns = sim_event(sim, SIM_EVENT_JOINS, worker->number);
        sim_group_expel(sim, worker);
        sim_post(sim, learns, 20 + sim_below(sim, 3000));
        break;
    }
    case SIM_LEAVES:
        drain(sim, worker);
        break;
    case SIM_REGISTRY_SICK:
        fall_sick(sim);
        break;
    case SIM_REDIS_AWAY:
        sim_redis_goes(sim, 500 + sim_below(sim, 20000));
        calm_later(sim, sim->redis_away_until_ms);
        break;
    case SIM_REDIS_EMPTIED:
        sim_redis_loses(sim, false);
        break;
    case SIM_REDIS_OLDER:
        sim_redis_loses(sim, true);
        break;
    default:
        BERTH_UNREACHABLE("a fault of workers");
    }
}

/* ---- Meeting ---- */

static void count(struct sim *sim, enum sim_fault fault, int type, int step) {
    __atomic_add_fetch(&sim->meetings->met[fault][type][step], 1, __ATOMIC_RELAXED);
}

static void done(struct sim *sim, struct sim_wish *wish) {
    wish->met = true;
    sim->faults_done++;
    __atomic_add_fetch(&sim->meetings->faults[wish->fault], 1, __ATOMIC_RELAXED);
}

static void crash_after(struct sim *sim, struct sim_worker *worker, const struct sim_slot *slot) {
    struct sim_crash *crash = sim->crash;
    if (slot->record->number != SIM_CRASHED || ++crash->effects != crash->effect) {
        return;
    }
    sim_trace(sim, "w%d crashes %lld ms after effect %d", worker->number,
              (long long)crash->delay_ms, crash->effect);
    if (crash->delay_ms == 0) {
        worker->stop_asked = true;
        return;
    }
    struct sim_event *kills = sim_event(sim, SIM_EVENT_FAULT, -1);
    kills->number = KILL_LATER + worker->number;
    kills->epoch = worker->life;
    sim_post(sim, kills, crash->delay_ms);
}

enum sim_fault sim_faults_meet(struct sim *sim, struct sim_worker *worker, struct sim_slot *slot,
                               int step) {
    int type = (int)slot->record->command.type;
    slot->step = step;
    __atomic_add_fetch(&sim->meetings->steps[type][step], 1, __ATOMIC_RELAXED);
    if (sim->crash != NULL) {
        crash_after(sim, worker, slot);
        return SIM_NO_FAULT;
    }
    if (sim->now_ms >= sim->faults_end_ms) {
        return SIM_NO_FAULT;
    }
    for (size_t i = 0; i < SIM_FAULTS; i++) {
        struct sim_wish *wish = &sim->wishes[i];
        if (wish->met || wish->from_ms > sim->now_ms || wish->from_ms == 0) {
            continue;
        }
        bool fits = wish->type == ANY ? sim_no_cell(wish->fault, type, step) == NULL
                                      : wish->type == type && wish->step == step;
        if (!fits) {
            continue;
        }
        done(sim, wish);
        count(sim, wish->fault, type, step);
        if (!is_worker_fault(wish->fault)) {
            return wish->fault;
        }
        do_worker_fault(sim, worker, wish->fault);
        return SIM_NO_FAULT;
    }
    return SIM_NO_FAULT;
}

static void grant(struct sim *sim, struct sim_wish *wish) {
    if (wish->met) {
        return;
    }
    if (!is_worker_fault(wish->fault)) {
        wish->type = ANY;
        return;
    }
    struct sim_worker *worker = &sim->workers[sim_below(sim, sim->workers_count)];
    if (worker->engine == NULL || sim->now_ms >= sim->faults_end_ms) {
        return;
    }
    done(sim, wish);
    for (size_t i = 0; i < SIM_SLOTS; i++) {
        const struct sim_slot *slot = &worker->slots[i];
        if (slot->taken && slot->step >= 0) {
            count(sim, wish->fault, (int)slot->record->command.type, slot->step);
        }
    }
    do_worker_fault(sim, worker, wish->fault);
    if (worker->stop_asked) {
        sim_worker_kill(sim, worker, sim_dead_for_ms(sim));
    }
}

void sim_faults_timed(struct sim *sim, struct sim_event *event) {
    if (event->number >= ARRANGE && event->number < KILL_LATER) {
        arrange(sim, &sim->wishes[event->number - ARRANGE]);
        return;
    }
    if (event->number < ARRANGE) {
        grant(sim, &sim->wishes[event->number]);
        return;
    }
    struct sim_worker *worker = &sim->workers[event->number - KILL_LATER];
    if (worker->engine != NULL && worker->life == event->epoch) {
        sim_worker_kill(sim, worker, sim_dead_for_ms(sim));
    }
}
