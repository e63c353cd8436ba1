/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the Harbor client share.
 *
 *   harbor_client.c           life, the queue and the limit of each registry, answers
 *   harbor_client_session.c   the session's errands, and whether an answer is to be believed
 *   harbor_client_logout.c    ending the sessions
 *
 *   submit --> waiting --> slot ------- believed ------> answered
 *                 ^          |                               ^
 *                 +- repeat -+--> to_prove --> proving ------+
 *                 ^                  |            |
 *                 +------------------+------------+
 *
 * A job is in exactly one of these places; in_flight counts them all. From `waiting` it is answered
 * when it is too late or when there is no login.
 */
#ifndef BERTH_IO_HARBOR_CLIENT_PARTS_H
#define BERTH_IO_HARBOR_CLIENT_PARTS_H

#include "harbor_client_transfer.h"

struct berth_curl_loop;
struct event;

/* A call from its submission to its answer. */
struct job {
    uint64_t call_id;
    struct berth_harbor_call call;
    int timeout_ms;                  /* A request's, when not_after_ms was agreed on. */
    unsigned repeats;                /* For the session's sake. */
    uint64_t generation;             /* Of the session that it went with; 0: with Basic. */
    struct berth_harbor_answer held; /* While it waits for proof; it has no robots. */
    struct job *next;
};

struct jobs {
    struct job *first;
    struct job *last;
};

/* A transfer and the call that it carries; one of a registry's limit. */
struct slot {
    struct registry *registry;
    struct berth_harbor_transfer *transfer; /* NULL until the first call needs it. */
    struct job *job;                        /* NULL: idle. */
    struct slot *next_idle;
};

/*
 * Invariants: in_flight is the number of jobs in all places, at most limit and queue_max together;
 * a job waits only while no slot is idle or there is no login, but for the moment until the kick.
 */
struct registry {
    struct berth_harbor_client *client;
    struct berth_harbor_endpoint *endpoint;
    struct slot *slots; /* As many as the limit. */
    size_t slots_count;
    struct slot *idle; /* A stack, so that the same connections stay in use. */
    struct jobs waiting;
    size_t in_flight;
    size_t in_flight_max;

    struct berth_harbor_session session; /* Unused with endpoint->registry.basic_login. */
    size_t basic_under_way;              /* Calls in slots that went with Basic. */
    struct slot errands;                 /* Besides the limit. */
    enum berth_harbor_errand errand;     /* Under way in it. */
    struct jobs to_prove;                /* Wait for a proof that isn't sent yet. */
    struct jobs proving;                 /* Wait for the one that is under way. */
    bool troubled;                       /* Somebody was told that logging in doesn't work. */
};

struct berth_harbor_client {
    struct berth_curl_loop *loop;
    struct event *kick; /* Starts what was submitted: never within submit itself. */
    const char *deployment;
    struct berth_bytes master_key;
    berth_harbor_answer_fn *on_answer;
    berth_harbor_notice_fn *on_notice;
    void *ctx;
    struct registry *registries;
    size_t registries_count;
    bool answering; /* Somebody's on_answer is running. */
};

/* ---- harbor_client.c ---- */

void client_push(struct jobs *jobs, struct job *job);
void client_push_first(struct jobs *jobs, struct job *job);
/* The longest waiting; NULL: there is none. */
struct job *client_pop(struct jobs *jobs);

/* Starts what waits, as far as slots and login allow. */
void client_start_waiting(struct registry *registry);
/* Makes the slot's transfer, if need be, for the endpoint of now. Faults: MEMORY, LIBRARY. */
BERTH_MUST_USE enum berth_rc client_ready_transfer(struct slot *slot);
/* The end of a job. Whoever is called may submit, so everything is in order before. */
void client_answer(struct registry *registry, struct job *job,
                   const struct berth_harbor_answer *answer);

/* ---- harbor_client_session.c ---- */

enum client_way {
    CLIENT_GOES,    /* With job->generation and the keys. */
    CLIENT_WAITS,   /* For a login, or for room. */
    CLIENT_REFUSED, /* registry->session.failure is its answer. */
};

/* How a job that is about to start goes. ret_keys: NULL with Basic. */
enum client_way client_choose_way(struct registry *registry, struct job *job,
                                  const struct berth_harbor_keys **ret_keys);
/* Takes the answer of a job that is out of its slot: it is answered, repeated or proved. */
void client_take_answer(struct registry *registry, struct job *job,
                        struct berth_harbor_decoded *decoded, struct berth_harbor_seen *seen);
/* Starts the errand that is due, unless one is under way. */
void client_run_errands(struct registry *registry);
/* The errand's transfer has ended. */
void client_errand_done(struct registry *registry, CURLcode code);
/* Takes back the errand under way. */
void client_stop_errand(struct registry *registry);

#endif
