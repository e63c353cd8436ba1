/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/assert.h"

/* No scenario needs nearly as many; more is a plan that doesn't end. */
#define CALLS_MAX 5000

struct queue {
    struct berth_harbor_call calls[BERTH_PLAN_CALLS_MAX];
    size_t count;
};

const char *driver_fault_name(enum driver_fault fault) {
    static const char *const names[DRIVER_FAULTS] = {
        "not sent",     "unauthenticated", "read-only",   "busy",        "forbidden",
        "lost request", "lost reply",      "late by one", "late by two", "nonsense",
        "other object", "crash before",    "crash after", "crash, late",
    };
    return names[fault];
}

void driver_init(struct driver *driver, enum berth_command_type type) {
    memset(driver, 0, offsetof(struct driver, workspaces));
    berth_pool_init(&driver->pool, SIZE_MAX / 2);
    model_harbor_init(&driver->harbor, DRIVER_ACCOUNT);
    berth_space_state_init(&driver->redis);
    berth_space_state_init(&driver->before);
    driver->command = (struct berth_command){
        .type = type,
        .id = DRIVER_ID,
        .registry = "harbor-1",
        .space = DRIVER_SPACE,
        .workspaces = driver->workspaces,
    };
    driver->registry = (struct berth_plan_registry){.dedicated = true};
    driver->settings.key_id = DRIVER_KEY;
    driver->capacity = BERTH_PLAN_CALLS_MAX;
}

void driver_deinit(struct driver *driver) {
    berth_work_deinit(&driver->work);
    berth_outcome_deinit(&driver->outcome, &driver->pool);
    berth_space_state_deinit(&driver->redis, &driver->pool);
    berth_space_state_deinit(&driver->before, &driver->pool);
    berth_pool_deinit(&driver->pool);
}

void driver_workspace(struct driver *driver, const char *id) {
    struct berth_workspace *workspace = &driver->workspaces[driver->command.workspaces_count++];
    (void)snprintf(workspace->id, sizeof(workspace->id), "%s", id);
    (void)snprintf(workspace->robot_name, sizeof(workspace->robot_name), "ws-%.50s", id);
}

struct model_project *driver_space(struct driver *driver, enum berth_visibility visibility) {
    struct model_project *project =
        model_harbor_add(&driver->harbor, DRIVER_SPACE, DRIVER_ACCOUNT, visibility);
    driver->redis.knowledge = BERTH_SPACE_PRESENT;
    driver->redis.project_id = project->id;
    driver->redis.visibility = visibility;
    driver->redis.quota_bytes = BERTH_QUOTA_UNLIMITED;
    driver->redis.version = 1; /* It was published. */
    (void)snprintf(driver->redis.created_by, sizeof(driver->redis.created_by), "%s", DRIVER_OTHER);
    return project;
}

struct model_robot *driver_binding(struct driver *driver, const char *workspace,
                                   const char *key_id) {
    char name[BERTH_ROBOT_NAME_BYTES];
    (void)snprintf(name, sizeof(name), "ws-%.50s", workspace);
    struct model_robot *robot =
        model_harbor_add_robot(&driver->harbor, driver->redis.project_id, name, workspace);
    robot->secret_derived = strcmp(key_id, DRIVER_KEY) == 0;
    struct berth_binding binding = {.robot_id = robot->robot.id};
    (void)snprintf(binding.workspace, sizeof(binding.workspace), "%s", workspace);
    (void)snprintf(binding.key_id, sizeof(binding.key_id), "%s", key_id);
    berth_space_state_put(&driver->redis, &binding, &driver->pool);
    return robot;
}

void driver_forget(struct driver *driver) {
    berth_space_state_deinit(&driver->redis, &driver->pool);
}

void driver_claimed_before(struct driver *driver) {
    driver->later_claim = true;
    driver->before_known = true;
    berth_space_state_copy(&driver->before, &driver->redis, &driver->pool);
}

/* ---- Running ---- */

void driver_claim(struct driver *driver) {
    bool warm = !driver->cold && driver->redis.knowledge == BERTH_SPACE_PRESENT;
    if (warm && !driver->before_known) {
        /* The ledger takes it from what Redis knows, within the claim. */
        berth_space_state_copy(&driver->before, &driver->redis, &driver->pool);
        driver->before_known = true;
    }
    berth_work_init(&driver->work, &driver->command, &driver->registry, &driver->settings,
                    &driver->pool);
    berth_work_claimed(&driver->work, !driver->later_claim, driver->before_known, &driver->before,
                       &driver->redis, driver->cold);
}

/* The worker dies and another one, or the same again, claims the command. */
static void crash(struct driver *driver, struct queue *queue) {
    queue->count = 0;
    berth_work_deinit(&driver->work);
    driver->later_claim = true;
    driver->cold = true;
    driver_claim(driver);
}

static const struct driver_injection *injection_at(const struct driver *driver, unsigned number) {
    for (size_t i = 0; i < driver->injections_count; i++) {
        if (driver->injections[i].at == number) {
            return &driver->injections[i];
        }
    }
    return NULL;
}

static enum berth_harbor_verdict verdict_of(enum driver_fault fault) {
    static const enum berth_harbor_verdict verdicts[DRIVER_FAULTS] = {
        [DRIVER_NOT_SENT] = BERTH_HARBOR_NOT_SENT,
        [DRIVER_UNAUTHENTICATED] = BERTH_HARBOR_UNAUTHENTICATED,
        [DRIVER_READ_ONLY] = BERTH_HARBOR_READ_ONLY,
        [DRIVER_BUSY] = BERTH_HARBOR_BUSY,
        [DRIVER_FORBIDDEN] = BERTH_HARBOR_FORBIDDEN,
        [DRIVER_LOST_REQUEST] = BERTH_HARBOR_UNKNOWN,
        [DRIVER_LOST_REPLY] = BERTH_HARBOR_UNKNOWN,
        [DRIVER_LATE_1] = BERTH_HARBOR_UNKNOWN,
        [DRIVER_LATE_2] = BERTH_HARBOR_UNKNOWN,
    };
    return verdicts[fault];
}

/* What no call of this kind can be told about its object. */
static enum berth_harbor_verdict nonsense_for(enum berth_harbor_call_kind kind) {
    bool can_conflict = kind == BERTH_HARBOR_CREATE_PROJECT || kind == BERTH_HARBOR_CREATE_ROBOT;
    return can_conflict ? BERTH_HARBOR_NOT_EMPTY : BERTH_HARBOR_CONFLICT;
}

/* Of calls whose answer says which object it is about. */
static struct berth_harbor_answer about_another(struct driver *driver,
                                                const struct berth_harbor_call *call) {
    struct berth_harbor_answer answer = model_harbor_answer(&driver->harbor, call);
    bool by_id = call->kind == BERTH_HARBOR_GET_PROJECT_ID;
    bool told = by_id || call->kind == BERTH_HARBOR_CREATE_PROJECT ||
                call->kind == BERTH_HARBOR_GET_PROJECT_NAME ||
                call->kind == BERTH_HARBOR_CREATE_ROBOT;
    if (answer.verdict == BERTH_HARBOR_DONE && told) {
        answer.project_id = by_id ? call->project_id + 1 : 0;
        answer.robot_id = 0;
    }
    return answer;
}

static struct berth_harbor_answer faulty_answer(struct driver *driver,
                                                const struct berth_harbor_call *call,
                                                enum driver_fault fault) {
    struct berth_harbor_answer answer = {.verdict = verdict_of(fault)};
    bool write = berth_harbor_call_is_write(call->kind);
    if (fault == DRIVER_OTHER_OBJECT) {
        answer = about_another(driver, call);
    } else if (fault == DRIVER_NONSENSE) {
        answer.verdict = nonsense_for(call->kind);
    } else if (write && fault == DRIVER_LOST_REPLY) {
        (void)model_harbor_answer(&driver->harbor, call);
    } else if (write && (fault == DRIVER_LATE_1 || fault == DRIVER_LATE_2)) {
        model_harbor_later(&driver->harbor, call, fault == DRIVER_LATE_1 ? 1 : 2);
    }
    return answer;
}

static void crash_with(struct driver *driver, struct queue *queue, enum driver_fault fault) {
    for (size_t i = 0; i < queue->count && fault != DRIVER_CRASH_BEFORE; i++) {
        const struct berth_harbor_call *call = &queue->calls[i];
        if (!berth_harbor_call_is_write(call->kind)) {
            continue;
        }
        if (fault == DRIVER_CRASH_AFTER) {
            (void)model_harbor_answer(&driver->harbor, call);
        } else {
            model_harbor_later(&driver->harbor, call, 1);
        }
    }
    crash(driver, queue);
}

static void answer_one(struct driver *driver, struct queue *queue, size_t place) {
    unsigned number = ++driver->calls;
    assert_true(number <= CALLS_MAX);
    if (driver->on_call != NULL) {
        driver->on_call(driver, number);
    }
    const struct driver_injection *injection = injection_at(driver, number);
    if (injection != NULL && injection->fault >= DRIVER_CRASH_BEFORE) {
        crash_with(driver, queue, injection->fault);
        model_harbor_tick(&driver->harbor);
        return;
    }
    struct berth_harbor_call call = queue->calls[place];
    queue->count--;
    memmove(&queue->calls[place], &queue->calls[place + 1],
            (queue->count - place) * sizeof(queue->calls[0]));

    struct berth_harbor_answer answer = injection != NULL
                                            ? faulty_answer(driver, &call, injection->fault)
                                            : model_harbor_answer(&driver->harbor, &call);
    enum berth_observed observed = berth_work_observe(&driver->work, &call, &answer);
    driver->retries += observed == BERTH_OBSERVED_RETRY;
    driver->retries_free += observed == BERTH_OBSERVED_RETRY_FREE;
    model_harbor_tick(&driver->harbor);
}

static void answer_some(struct driver *driver, struct queue *queue) {
    if (driver->order == DRIVER_NEWEST) {
        answer_one(driver, queue, queue->count - 1);
        return;
    }
    do {
        answer_one(driver, queue, 0);
    } while (driver->order == DRIVER_ALL_THEN_STEP && queue->count > 0);
}

void driver_run(struct driver *driver) {
    struct queue queue = {.count = 0};
    struct berth_harbor_call calls[BERTH_PLAN_CALLS_MAX];
    driver_claim(driver);
    for (;;) {
        size_t count = 0;
        enum berth_plan_step step =
            berth_work_step(&driver->work, calls, driver->capacity, &count, &driver->outcome);
        if (step == BERTH_PLAN_DONE) {
            assert_int_equal(queue.count, 0);
            return;
        }
        if (step == BERTH_PLAN_REMEMBER) {
            berth_space_state_copy(&driver->before, &driver->work.before, &driver->pool);
            driver->before_known = true;
            driver->remembered++;
            continue;
        }
        assert_true(count <= driver->capacity);
        assert_true(queue.count + count <= BERTH_PLAN_CALLS_MAX);
        memcpy(&queue.calls[queue.count], calls, count * sizeof(calls[0]));
        queue.count += count;
        assert_int_equal(queue.count, driver->work.calls_outstanding);
        if (queue.count > driver->most_outstanding) {
            driver->most_outstanding = queue.count;
        }
        assert_true(queue.count > 0);
        answer_some(driver, &queue);
    }
}

/* ---- Looking at the result ---- */

struct writer {
    char *at;
    size_t room;
};

static void put(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct writer *writer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(writer->at, writer->room, format, arguments);
    va_end(arguments);
    assert_true(len >= 0 && (size_t)len < writer->room);
    writer->at += len;
    writer->room -= (size_t)len;
}

static void put_state(struct writer *writer, const char *name,
                      const struct berth_space_state *state) {
    put(writer, "%s: knowledge=%d visibility=%d quota=%lld created_by=%s\n", name,
        (int)state->knowledge, (int)state->visibility, (long long)state->quota_bytes,
        state->created_by);
    for (size_t i = 0; i < state->bindings_count; i++) {
        const struct berth_binding *binding = &state->bindings[i];
        put(writer, "  bound %s key=%s%s\n", binding->workspace, binding->key_id,
            binding->disabled ? " disabled" : "");
    }
}

/* The robot of the project whose name comes next after this one, or NULL. */
static const struct model_robot *robot_after(const struct model_harbor *harbor, int64_t project_id,
                                             const char *name) {
    const struct model_robot *next = NULL;
    for (size_t i = 0; i < harbor->robots_count; i++) {
        const struct model_robot *robot = &harbor->robots[i];
        if (robot->exists && robot->project_id == project_id &&
            strcmp(robot->robot.name, name) > 0 &&
            (next == NULL || strcmp(robot->robot.name, next->robot.name) < 0)) {
            next = robot;
        }
    }
    return next;
}

static void put_harbor(struct writer *writer, struct model_harbor *harbor) {
    const struct model_project *project = model_harbor_find(harbor, DRIVER_SPACE);
    if (project == NULL) {
        put(writer, "harbor: absent\n");
        return;
    }
    put(writer, "harbor: visibility=%d quota=%lld\n", (int)project->visibility,
        (long long)project->quota_bytes);
    const struct model_robot *robot = robot_after(harbor, project->id, "");
    while (robot != NULL) {
        put(writer, "  robot %s%s%s%s\n", robot->robot.name, robot->robot.ours ? " ours" : "",
            robot->robot.disabled ? " disabled" : "", robot->secret_derived ? " derived" : "");
        robot = robot_after(harbor, project->id, robot->robot.name);
    }
}

void driver_describe(struct driver *driver, char *target, size_t size) {
    struct writer writer = {.at = target, .room = size};
    const struct berth_outcome *outcome = &driver->outcome;
    put(&writer, "%s %s changed=%d publish=%d dead=%d\n%s\n",
        berth_outcome_kind_name(outcome->kind), outcome->code, outcome->changed,
        outcome->publish_state, outcome->dead_letter, outcome->message);
    for (size_t i = 0; i < outcome->details_count; i++) {
        if (strncmp(outcome->details[i].name, "foreign_", 8) == 0) {
            continue; /* Once the space is gone, a later claim can't know them. */
        }
        put(&writer, "  %s=%s\n", outcome->details[i].name, outcome->details[i].value);
    }
    for (size_t i = 0; i < outcome->bindings_count; i++) {
        const struct berth_binding_change *change = &outcome->bindings[i];
        put(&writer, "  %s %s %s\n", change->workspace,
            berth_binding_change_kind_name(change->kind), change->code);
    }
    put_state(&writer, "before", &outcome->before);
    put_state(&writer, "after", &outcome->after);
    put_harbor(&writer, &driver->harbor);
}

void driver_expect(const struct driver *driver, enum berth_outcome_kind kind, const char *code,
                   bool changed) {
    assert_string_equal(driver->outcome.code, code);
    assert_int_equal(driver->outcome.kind, kind);
    assert_int_equal(driver->outcome.changed, changed);
}

void driver_expect_binding(const struct driver *driver, const char *workspace,
                           enum berth_binding_change_kind kind, const char *code) {
    for (size_t i = 0; i < driver->outcome.bindings_count; i++) {
        const struct berth_binding_change *change = &driver->outcome.bindings[i];
        if (strcmp(change->workspace, workspace) == 0) {
            assert_string_equal(change->code, code);
            assert_int_equal(change->kind, kind);
            return;
        }
    }
    fail_msg("nothing is told of workspace %s", workspace);
}

void driver_expect_detail(const struct driver *driver, const char *name, const char *value) {
    for (size_t i = 0; i < driver->outcome.details_count; i++) {
        const struct berth_detail *detail = &driver->outcome.details[i];
        if (strcmp(detail->name, name) == 0) {
            assert_non_null(value);
            assert_string_equal(detail->value, value);
            return;
        }
    }
    if (value != NULL) {
        fail_msg("there is no detail %s", name);
    }
}
