/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: production engines in a world that one seed decides, and checkers that watch what
 * design.md promises. What is shared by its parts:
 *
 *   sim_world.h      what a world consists of
 *   sim_wishes.h     what may go wrong in it
 *   sim_main.c       options, seeds side by side, the table of faults and steps
 *   sim_world.c      life, the queue of what happens, the end, the trace
 *   sim_config.c     what kind of world it is, and the workers' configuration
 *   sim_worker.c     one process berthd: what its loop does with events and effects
 *   sim_calls.c      calls of Harbor, there and back
 *   sim_kafka.c      logs, transactions, committed offsets
 *   sim_outputs.c    topics that refuse records for a while
 *   sim_topics.c     topics that are made anew, and where partitions go on
 *   sim_group.c      the consumer group: members, generations, who gets which partition
 *   sim_harbor.c     calls on the stand-in's model of Harbor's rules
 *   sim_humans.c     what people do in Harbor by hand
 *   sim_producers.c  which commands are sent, and when
 *   sim_faults.c     which fault meets which step
 *   sim_state.c      states and answers in a form that compares
 *   sim_checks.c     the promises
 *   sim_reference.c  what Harbor must be like by what was answered
 *   sim_link.c       a worker's connection to Redis
 *   sim_redis_faults.c  what happens to Redis
 *
 * Time is virtual. `sim->now_ms` is the world's; a worker's clocks are that plus its own offsets.
 */
#ifndef BERTH_TESTS_SIM_H
#define BERTH_TESTS_SIM_H

#include "sim_world.h"

/* ---- sim_world.c ---- */

struct sim_options {
    uint64_t seed;
    bool trace;
    struct sim_meetings *meetings;
    /* NULL: a world of the seed. Else one in which nothing goes wrong but a crash. */
    struct sim_crash *crash;
};

/* A plan whose worker is killed after this effect of its (the first is 1), and so much later; for
 * so long that another takes over. */
struct sim_crash {
    enum berth_command_type type;
    int effect;
    int64_t delay_ms;
    int effects; /* Met so far. */
};

/* Runs the world of a seed to its end; returns the hash of its trace. A breach doesn't return. */
uint64_t sim_run(const struct sim_options *options);
struct sim_event *sim_event(struct sim *sim, enum sim_event_kind kind, int worker);
void sim_post(struct sim *sim, struct sim_event *event, int64_t delay_ms);
int64_t sim_below(struct sim *sim, int64_t bound);
bool sim_chance(struct sim *sim, int percent);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last lines of the run that is under way, once. */
void sim_print_last(void);
_Noreturn void sim_fail(struct sim *sim, const char *sentence, const char *file, int line);
#define SIM_CHECK(sim, condition, sentence)                                                        \
    ((condition) ? (void)0 : sim_fail((sim), (sentence), __FILE__, __LINE__))

/* ---- sim_config.c ---- */

void sim_configure(struct sim *sim);

/* ---- sim_worker.c ---- */

void sim_worker_start(struct sim *sim, struct sim_worker *worker);
void sim_worker_kill(struct sim *sim, struct sim_worker *worker, int64_t again_after_ms);
void sim_worker_step(struct sim *sim, struct sim_worker *worker, struct berth_event *event);
void sim_worker_take_in(struct sim *sim, struct sim_worker *worker);
void sim_worker_tell(struct sim *sim, struct sim_worker *worker, const struct berth_event *event,
                     uint32_t epoch);
void sim_worker_told(struct sim *sim, struct sim_event *event);
bool sim_worker_frozen(const struct sim *sim, const struct sim_worker *worker);

/* ---- sim_calls.c ---- */

void sim_ask_harbor(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);
void sim_harbor_handed(struct sim *sim, struct sim_event *event);
void sim_harbor_arrives(struct sim *sim, struct sim_event *event);
void sim_harbor_answers(struct sim *sim, struct sim_event *event);

/* ---- sim_link.c ---- */

void sim_link_start(struct sim *sim, struct sim_worker *worker);
void sim_link_stop(struct sim *sim, struct sim_worker *worker);
void sim_ask_ledger(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);
void sim_link_drop(struct sim *sim, struct sim_request *take_request);
void sim_link_bury(struct sim *sim);
void sim_link_event(struct sim *sim, struct sim_event *event);
/* Its connection ends, within the client's time-out. */
void sim_link_breaks(struct sim *sim, struct sim_worker *worker);

/* ---- sim_redis_faults.c ---- */

void sim_redis_goes(struct sim *sim, int64_t for_ms);
void sim_redis_loses(struct sim *sim, bool older);

/* ---- sim_outputs.c ---- */

void sim_outputs_init(struct sim *sim);
/* Whether some output refuses an item of the transaction, which is noted in it. */
bool sim_outputs_refuse(struct sim *sim, struct sim_transaction *transaction);
/* Who published it has heard, and looks again later. */
void sim_outputs_heard(struct sim *sim, const struct sim_transaction *transaction);

/* ---- sim_kafka.c ---- */

void sim_append(struct sim *sim, struct sim_record *record, int index);
void sim_publish(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);
void sim_transaction_opens(struct sim *sim, struct sim_event *event);
void sim_transaction_ends(struct sim *sim, struct sim_event *event);
void sim_transaction_answers(struct sim *sim, struct sim_event *event);
void sim_transaction_expires(struct sim *sim, struct sim_event *event);
/* A new start of the same transactional.id: what its last life left open is aborted. */
void sim_producer_starts(struct sim *sim, struct sim_worker *worker);
void sim_transaction_unref(struct sim_transaction *transaction);

/* ---- sim_topics.c ---- */

void sim_topics_init(struct sim *sim);
void sim_topic_event(struct sim *sim, struct sim_event *event);
/* Which log a partition is of now. */
void sim_log_id(const struct sim_partition *partition, char ret_id[BERTH_LOG_ID_BYTES]);
uint32_t sim_record_checksum(const struct sim *sim, const struct sim_record *record);
/* Where it goes on; an operator hears of it if it doesn't. ret_map: of its committed offset. */
struct berth_log_position sim_topic_position(struct sim *sim, struct sim_partition *partition,
                                             const char **ret_map);

/* ---- sim_group.c ---- */

void sim_group_join(struct sim *sim, struct sim_worker *worker);
void sim_group_leave(struct sim *sim, struct sim_worker *worker);
/* The broker hasn't heard of the member for a session. */
void sim_group_expel(struct sim *sim, struct sim_worker *worker);
void sim_group_gave_up(struct sim *sim, struct sim_worker *worker, uint32_t name);
void sim_group_session(struct sim *sim, struct sim_event *event);
void sim_group_joins(struct sim *sim, struct sim_event *event);
void sim_group_fetches(struct sim *sim, struct sim_event *event);
/* Its process died, or stands still for so long. */
void sim_group_died(struct sim *sim, struct sim_worker *worker);
void sim_group_froze(struct sim *sim, struct sim_worker *worker, int64_t for_ms);

/* ---- sim_harbor.c ---- */

void sim_harbor_init(struct sim *sim);
void sim_harbor_deinit(struct sim *sim);
/* Carries the call out; with an answer if its sender is to hear one. */
void sim_harbor_apply(struct sim *sim, struct sim_event *event);
void sim_harbor_state(struct sim *sim, int space, struct sim_state *ret_state);
/* The command that made the project; 0: none of ours. */
int sim_harbor_maker(const struct sim *sim, int registry, int64_t project_id);
int64_t sim_harbor_repositories(struct sim *sim, int space);
const struct berth_model_project *sim_harbor_project(const struct sim *sim, int space);
/* The robots of a project; false: none can be listed. Ends with berth_model_query_page_deinit(). */
bool sim_harbor_robots(struct sim *sim, int registry, int64_t project_id, int64_t page,
                       struct berth_model_query_page *ret_page);
bool sim_harbor_is_ours(const struct berth_model_robot *robot, int *ret_workspace);
struct berth_model_caller sim_harbor_account(const struct sim *sim, int registry);

/* ---- sim_humans.c ---- */

void sim_human_changes(struct sim *sim, int space);
void sim_human_pushes(struct sim *sim, int space);
/* The workspace whose robot it was, or any; -1: it couldn't be done. */
int sim_human_spoils(struct sim *sim, int space, bool disable);
int sim_human_deletes(struct sim *sim, int space);
int sim_human_remakes(struct sim *sim, int space);
void sim_human_makes(struct sim *sim, int space, const struct berth_harbor_call *call);

/* ---- sim_producers.c ---- */

/* The command whose plan is crashed. */
#define SIM_CRASHED 3
void sim_producers_init(struct sim *sim);
void sim_producers_send(struct sim *sim, struct sim_event *event);
void sim_producers_bind(struct sim *sim, int space, enum berth_command_type type, int workspace);
void sim_producers_replay(struct sim *sim, const struct sim_record *record);

/* ---- sim_faults.c ---- */

void sim_faults_init(struct sim *sim);
/* The fault that is to happen to this call of this worker at this step; worker's faults happen at
 * once, or after the effect, by themselves. */
enum sim_fault sim_faults_meet(struct sim *sim, struct sim_worker *worker, struct sim_slot *slot,
                               int step);
void sim_faults_timed(struct sim *sim, struct sim_event *event);
/* How long a worker that is killed now stays dead. */
int64_t sim_dead_for_ms(struct sim *sim);
const char *sim_fault_name(enum sim_fault fault);
const char *sim_step_name(int step);
/* NULL: the fault can meet this step of this plan; else why not. */
const char *sim_no_cell(enum sim_fault fault, int type, int step);

/* ---- sim_table.c ---- */

/* Prints how often each fault met each step; returns how many cells are empty that shouldn't be. */
int sim_table(const struct sim_meetings *meetings);

/* ---- sim_state.c ---- */

void sim_state_of(const struct berth_space_state *state, struct sim_state *ret_state);
void sim_state_to(const struct sim_state *state, struct berth_space_state *ret_state,
                  struct berth_binding ret_bindings[SIM_WORKSPACES]);
void sim_publication_of(struct sim *sim, const struct sim_slot *slot,
                        const struct berth_outcome *outcome, struct sim_publication *ret);
bool sim_publication_read(struct berth_bytes bytes, struct sim_publication *ret);
const char *sim_state_text(const struct sim_state *state, char *ret_text, size_t bytes);
void sim_command_id(int number, char ret_id[BERTH_UUID_BYTES]);
int sim_number_of(const char *command_id);
int sim_workspace_of(const char *workspace);
int sim_space_of(const struct sim *sim, const char *registry, const char *space);

/* ---- sim_checks.c ---- */

void sim_check_handed(struct sim *sim, const struct sim_event *event);
void sim_check_write(struct sim *sim, const struct sim_event *event);
void sim_check_stored(struct sim *sim, const struct sim_event *event,
                      const struct sim_publication *publication);
void sim_check_commit(struct sim *sim, const struct sim_transaction *transaction);
void sim_check_worker(struct sim *sim, const struct sim_worker *worker);
void sim_check_end(struct sim *sim);

/* ---- sim_reference.c ---- */

void sim_reference_answer(struct sim *sim, const struct sim_item *item);
void sim_reference_dirty(struct sim *sim, int space, enum sim_facet facet);
void sim_reference_all_dirty(struct sim *sim, int space);
bool sim_facet_equal(const struct sim_state *a, const struct sim_state *b, enum sim_facet facet);

#endif
