/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_session.h"

#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

/* More repeats of one call than this have no cause that another one would cure. */
#define REPEATS_MAX 2

/*
 * Which answers somebody who isn't logged in could be given as well, so that they count only with
 * proof. Of Harbor's own code (read: 2.8 to main; contract 1.8, 5.1) none: each of these calls
 * checks its caller first and says 401. Yet "there is nothing" is what berth unbinds, forgets and
 * makes anew by, and a session can lose its user without a sign, so reads that find nothing are
 * proved all the same. A write is refused to strangers by its CSRF token and by 401, and what it
 * was told of its object was looked up behind that. Behind each line: what a stranger is told.
 */
static const struct {
    bool absent; /* ABSENT needs proof. */
    bool empty;  /* An empty list does. */
} PROOFS[BERTH_HARBOR_CALL_KINDS] = {
    [BERTH_HARBOR_CREATE_PROJECT] = {false, false},  /* 401 */
    [BERTH_HARBOR_GET_PROJECT_NAME] = {true, false}, /* 401; a public project: 200 */
    [BERTH_HARBOR_GET_PROJECT_ID] = {true, false},   /* 401; a public project: 200 */
    [BERTH_HARBOR_UPDATE_PROJECT] = {false, false},  /* 401 */
    [BERTH_HARBOR_DELETE_PROJECT] = {false, false},  /* 401 */
    [BERTH_HARBOR_GET_QUOTA] = {true, true},         /* 401 */
    [BERTH_HARBOR_SET_QUOTA] = {false, false},       /* 401 */
    [BERTH_HARBOR_LIST_ROBOTS] = {true, true},       /* 401 */
    [BERTH_HARBOR_CREATE_ROBOT] = {false, false},    /* 401 */
    [BERTH_HARBOR_SET_SECRET] = {false, false},      /* 401 */
    [BERTH_HARBOR_MEND_ROBOT] = {true, false},       /* 401; the look-up, a read */
    [BERTH_HARBOR_DELETE_ROBOT] = {false, false},    /* 401 */
    [BERTH_HARBOR_PROBE] = {false, false},           /* 200 without harbor_version */
    [BERTH_HARBOR_GET_ACCOUNT] = {false, false},     /* 401 */
};

static void begin(struct berth_harbor_session *session, int64_t now_ms);
static enum berth_harbor_errand_end take_proof(struct berth_harbor_session *session,
                                               const struct berth_harbor_errand_reply *reply);
static enum berth_harbor_errand_end end_login(struct berth_harbor_session *session, int64_t now_ms,
                                              const struct berth_harbor_errand_reply *reply);
static enum berth_harbor_errand_end fail(struct berth_harbor_session *session, int64_t now_ms,
                                         const struct berth_harbor_errand_reply *reply);
static enum berth_harbor_errand_end find_unfit(struct berth_harbor_session *session,
                                               int64_t now_ms);
static void fall_back(struct berth_harbor_session *session, int64_t now_ms);
static bool is_redirect(const struct berth_harbor_errand_reply *reply);
static bool is_trouble(enum berth_harbor_errand errand,
                       const struct berth_harbor_errand_reply *reply);
static int64_t pause_ms(struct berth_harbor_session *session);
static enum berth_harbor_belief judge_stranger(struct berth_harbor_session *session, int64_t now_ms,
                                               uint64_t generation,
                                               const struct berth_harbor_seen *seen);
static enum berth_harbor_belief judge_refusal(struct berth_harbor_session *session, int64_t now_ms,
                                              uint64_t generation,
                                              const struct berth_harbor_seen *seen);
static void wipe(struct berth_harbor_keys *keys);

void berth_harbor_session_init(struct berth_harbor_session *session, uint64_t seed) {
    *session = (struct berth_harbor_session){.generation = 0};
    berth_random_init(&session->random, seed);
}

void berth_harbor_session_deinit(struct berth_harbor_session *session) {
    explicit_bzero(session, sizeof *session);
}

enum berth_harbor_access berth_harbor_session_ask(struct berth_harbor_session *session,
                                                  int64_t now_ms, bool urgent) {
    if (now_ms < session->basic_until_ms) {
        return BERTH_HARBOR_ACCESS_BASIC;
    }
    if (session->generation != 0 && now_ms >= session->ends_ms) {
        berth_harbor_session_lose(session, session->generation);
    }
    bool serves = session->generation != 0;
    bool wanted = !serves || now_ms >= session->renew_at_ms;
    bool may = session->login == BERTH_HARBOR_LOGIN_IDLE;
    if (session->login == BERTH_HARBOR_LOGIN_BACKOFF) {
        may = now_ms >= session->retry_at_ms ||
              (urgent && now_ms - session->attempted_ms >= BERTH_HARBOR_LOGIN_PAUSE_MS);
    }
    if (wanted && may) {
        begin(session, now_ms);
    }
    if (serves) {
        return BERTH_HARBOR_ACCESS_SESSION;
    }
    return session->login == BERTH_HARBOR_LOGIN_BACKOFF ? BERTH_HARBOR_ACCESS_NONE
                                                        : BERTH_HARBOR_ACCESS_WAIT;
}

void berth_harbor_session_renew(struct berth_harbor_session *session, int64_t now_ms) {
    session->basic_until_ms = 0;
    session->failures = 0;
    session->unfit = 0;
    if (session->proof_generation != 0) {
        session->proof_generation = 0;
        session->proof_wanted = true;
    }
    session->renew_at_ms = now_ms; /* Should this login fail, others follow. */
    begin(session, now_ms);
}

void berth_harbor_session_lose(struct berth_harbor_session *session, uint64_t generation) {
    if (generation != 0 && generation == session->generation) {
        session->generation = 0;
        wipe(&session->keys);
    }
}

enum berth_harbor_errand berth_harbor_session_errand(struct berth_harbor_session *session,
                                                     const struct berth_harbor_keys **ret_keys) {
    *ret_keys = NULL;
    if (session->proof_wanted && session->generation != 0) {
        session->proof_wanted = false;
        session->proof_generation = session->generation;
        *ret_keys = &session->keys;
        return BERTH_HARBOR_ERRAND_PROVE;
    }
    switch (session->login) {
    case BERTH_HARBOR_LOGIN_GREETING:
        return BERTH_HARBOR_ERRAND_GREET;
    case BERTH_HARBOR_LOGIN_ASKING_TOKEN:
        *ret_keys = &session->fresh;
        return BERTH_HARBOR_ERRAND_TOKEN;
    case BERTH_HARBOR_LOGIN_POSTING:
        *ret_keys = &session->fresh;
        return BERTH_HARBOR_ERRAND_LOGIN;
    case BERTH_HARBOR_LOGIN_IDLE:
    case BERTH_HARBOR_LOGIN_BACKOFF:
        break;
    }
    return BERTH_HARBOR_ERRAND_NONE;
}

enum berth_harbor_errand_end
berth_harbor_session_take(struct berth_harbor_session *session, int64_t now_ms,
                          enum berth_harbor_errand errand,
                          const struct berth_harbor_errand_reply *reply) {
    if (errand == BERTH_HARBOR_ERRAND_PROVE) {
        return take_proof(session, reply);
    }
    if (is_trouble(errand, reply)) {
        return fail(session, now_ms, reply);
    }
    struct berth_harbor_keys *fresh = &session->fresh;
    const struct berth_harbor_keys *brought = &reply->brought;
    switch (session->login) {
    case BERTH_HARBOR_LOGIN_GREETING:
        if (brought->sid[0] == 0) {
            return find_unfit(session, now_ms);
        }
        memcpy(fresh->sid, brought->sid, sizeof fresh->sid);
        session->login = BERTH_HARBOR_LOGIN_ASKING_TOKEN;
        return BERTH_HARBOR_ERRAND_GOES_ON;
    case BERTH_HARBOR_LOGIN_ASKING_TOKEN:
        if (brought->sid[0] != 0 || brought->csrf[0] == 0 || brought->token[0] == 0) {
            return find_unfit(session, now_ms);
        }
        memcpy(fresh->csrf, brought->csrf, sizeof fresh->csrf);
        memcpy(fresh->token, brought->token, sizeof fresh->token);
        session->login = BERTH_HARBOR_LOGIN_POSTING;
        return BERTH_HARBOR_ERRAND_GOES_ON;
    case BERTH_HARBOR_LOGIN_POSTING:
        return end_login(session, now_ms, reply);
    case BERTH_HARBOR_LOGIN_IDLE:
    case BERTH_HARBOR_LOGIN_BACKOFF:
        break;
    }
    BERTH_UNREACHABLE("no login is under way");
}

enum berth_harbor_belief berth_harbor_session_judge(struct berth_harbor_session *session,
                                                    int64_t now_ms, uint64_t generation,
                                                    const struct berth_harbor_seen *seen) {
    if (seen->status == 0) {
        return BERTH_HARBOR_BELIEVE;
    }
    if (seen->new_sid) {
        return judge_stranger(session, now_ms, generation, seen);
    }
    if (seen->verdict == BERTH_HARBOR_UNAUTHENTICATED || seen->verdict == BERTH_HARBOR_FORBIDDEN) {
        return judge_refusal(session, now_ms, generation, seen);
    }
    if ((seen->verdict == BERTH_HARBOR_ABSENT && PROOFS[seen->kind].absent) ||
        (seen->verdict == BERTH_HARBOR_DONE && seen->empty && PROOFS[seen->kind].empty)) {
        /* Only the very session can prove it. */
        if (generation != session->generation) {
            return seen->repeats < REPEATS_MAX ? BERTH_HARBOR_REPEAT : BERTH_HARBOR_REFUSED;
        }
        session->proof_wanted = true;
        return BERTH_HARBOR_PROVE;
    }
    return BERTH_HARBOR_BELIEVE;
}

static void begin(struct berth_harbor_session *session, int64_t now_ms) {
    wipe(&session->fresh);
    session->login = BERTH_HARBOR_LOGIN_GREETING;
    session->attempted_ms = now_ms;
}

static enum berth_harbor_errand_end take_proof(struct berth_harbor_session *session,
                                               const struct berth_harbor_errand_reply *reply) {
    uint64_t generation = session->proof_generation;
    session->proof_generation = 0;
    bool stranger = reply->brought.sid[0] != 0 || reply->status == 401;
    if (stranger || (reply->status == 200 && !reply->names_us)) {
        berth_harbor_session_lose(session, generation);
        return BERTH_HARBOR_DISPROVED;
    }
    return reply->status == 200 ? BERTH_HARBOR_PROVED : BERTH_HARBOR_UNPROVED;
}

/* The web page of a front end says 200, too: only a new sid is Harbor's word. */
static enum berth_harbor_errand_end end_login(struct berth_harbor_session *session, int64_t now_ms,
                                              const struct berth_harbor_errand_reply *reply) {
    if (reply->status != 200 || reply->brought.sid[0] == 0) {
        return find_unfit(session, now_ms);
    }
    session->keys = session->fresh;
    memcpy(session->keys.sid, reply->brought.sid, sizeof session->keys.sid);
    wipe(&session->fresh);
    session->generation = ++session->generations;
    session->renew_at_ms =
        now_ms + BERTH_HARBOR_SESSION_RENEW_MS +
        berth_random_below(&session->random, BERTH_HARBOR_SESSION_RENEW_JITTER_MS);
    session->ends_ms = now_ms + BERTH_HARBOR_SESSION_MAX_MS;
    session->login = BERTH_HARBOR_LOGIN_IDLE;
    session->failures = 0;
    session->unfit = 0;
    return BERTH_HARBOR_LOGGED_IN;
}

/* The registry is away or doesn't let us in: later. */
static enum berth_harbor_errand_end fail(struct berth_harbor_session *session, int64_t now_ms,
                                         const struct berth_harbor_errand_reply *reply) {
    struct berth_harbor_answer *failure = &session->failure;
    *failure = (struct berth_harbor_answer){
        .verdict = BERTH_HARBOR_NOT_SENT,
        .http_status = reply->status,
        .retry_after_ms = reply->retry_after_ms,
    };
    if (reply->status == 0) {
        failure->trouble = BERTH_HARBOR_TROUBLE_CONNECTION;
        (void)snprintf(failure->error, sizeof failure->error, "no login: %.100s", reply->words);
    } else if (reply->status == 401) {
        failure->verdict = BERTH_HARBOR_UNAUTHENTICATED;
        failure->trouble = BERTH_HARBOR_TROUBLE_CREDENTIALS;
        (void)snprintf(failure->error, sizeof failure->error,
                       "Harbor refuses the login: wrong password, or the account is locked");
    } else if (is_redirect(reply)) {
        failure->trouble = BERTH_HARBOR_TROUBLE_CONNECTION;
        (void)snprintf(failure->error, sizeof failure->error,
                       "no login: HTTP %d, a redirect to %.60s: correct url", reply->status,
                       reply->location != NULL ? reply->location : "nowhere");
    } else if (reply->status == 404) {
        failure->trouble = BERTH_HARBOR_TROUBLE_CONNECTION;
        (void)snprintf(failure->error, sizeof failure->error,
                       "no login: HTTP 404 for GET /systeminfo: there is no Harbor at url");
    } else {
        failure->trouble = reply->status == 429 || reply->status == 503
                               ? BERTH_HARBOR_TROUBLE_RATE
                               : BERTH_HARBOR_TROUBLE_SERVER;
        (void)snprintf(failure->error, sizeof failure->error, "no login: HTTP %d", reply->status);
    }
    wipe(&session->fresh);
    session->failures++;
    int64_t pause = pause_ms(session);
    session->retry_at_ms = now_ms + (pause > reply->retry_after_ms ? pause : reply->retry_after_ms);
    session->login = BERTH_HARBOR_LOGIN_BACKOFF;
    return BERTH_HARBOR_LOGIN_FAILED;
}

static enum berth_harbor_errand_end find_unfit(struct berth_harbor_session *session,
                                               int64_t now_ms) {
    session->unfit++;
    if (session->unfit < 2) {
        begin(session, now_ms);
        return BERTH_HARBOR_ERRAND_GOES_ON;
    }
    fall_back(session, now_ms);
    return BERTH_HARBOR_LOGIN_UNFIT;
}

static void fall_back(struct berth_harbor_session *session, int64_t now_ms) {
    berth_harbor_session_lose(session, session->generation);
    wipe(&session->fresh);
    session->login = BERTH_HARBOR_LOGIN_IDLE;
    session->unfit = 0;
    session->basic_until_ms = now_ms + BERTH_HARBOR_BASIC_MS;
}

static bool is_redirect(const struct berth_harbor_errand_reply *reply) {
    return reply->status >= 300 && reply->status < 400;
}

/* Later it may be better, or the url is wrong: nothing but Harbor answers 200 to GET /systeminfo.
 * Everything else means that a login by session doesn't work here. */
static bool is_trouble(enum berth_harbor_errand errand,
                       const struct berth_harbor_errand_reply *reply) {
    bool not_harbor = errand != BERTH_HARBOR_ERRAND_LOGIN && reply->status == 404;
    return reply->status == 0 || reply->status == 401 || reply->status == 429 ||
           reply->status >= 500 || is_redirect(reply) || not_harbor;
}

/* 2, 4, 8, ... seconds and up to a half more, never beyond the most. */
static int64_t pause_ms(struct berth_harbor_session *session) {
    const int64_t most_ms = BERTH_HARBOR_LOGIN_PAUSE_MAX_MS * 2 / 3;
    int64_t ms = BERTH_HARBOR_LOGIN_PAUSE_MS;
    for (unsigned i = 1; i < session->failures && ms < most_ms; i++) {
        ms *= 2;
    }
    ms = ms < most_ms ? ms : most_ms;
    return ms + berth_random_below(&session->random, ms / 2 + 1);
}

/*
 * Harbor doesn't know the session: the request was a stranger's (contract 5.3b). A write of a
 * stranger's is refused; one that says otherwise may have been done, whoever did it.
 */
static enum berth_harbor_belief judge_stranger(struct berth_harbor_session *session, int64_t now_ms,
                                               uint64_t generation,
                                               const struct berth_harbor_seen *seen) {
    berth_harbor_session_lose(session, generation);
    if (seen->written &&
        (seen->verdict == BERTH_HARBOR_DONE || seen->verdict == BERTH_HARBOR_UNKNOWN)) {
        return BERTH_HARBOR_DOUBT;
    }
    if (seen->verdict == BERTH_HARBOR_READ_ONLY || seen->verdict == BERTH_HARBOR_BUSY) {
        return BERTH_HARBOR_BELIEVE; /* It is said to everybody. */
    }
    if (seen->repeats == 1) {
        fall_back(session, now_ms); /* The new one was forgotten at once. */
    }
    return seen->repeats < REPEATS_MAX ? BERTH_HARBOR_REPEAT : BERTH_HARBOR_REFUSED;
}

/* A 401 or a 403, not for read-only mode: perhaps the session's, which a new login would cure. */
static enum berth_harbor_belief judge_refusal(struct berth_harbor_session *session, int64_t now_ms,
                                              uint64_t generation,
                                              const struct berth_harbor_seen *seen) {
    bool forbidden = seen->verdict == BERTH_HARBOR_FORBIDDEN;
    if (seen->csrf && seen->repeats == 1) {
        fall_back(session, now_ms);
        return BERTH_HARBOR_REPEAT;
    }
    if (seen->repeats > 0) {
        if (forbidden) {
            session->uncured_403_until_ms = now_ms + BERTH_HARBOR_UNCURED_403_MS;
        } else {
            session->uncured_401_until_ms = now_ms + BERTH_HARBOR_UNCURED_401_MS;
        }
        return BERTH_HARBOR_BELIEVE;
    }
    if (generation != session->generation) {
        return BERTH_HARBOR_REPEAT; /* There was a login, or a loss, since it was sent. */
    }
    int64_t uncured_until_ms =
        forbidden ? session->uncured_403_until_ms : session->uncured_401_until_ms;
    if (!seen->csrf && now_ms < uncured_until_ms) {
        return BERTH_HARBOR_BELIEVE;
    }
    berth_harbor_session_lose(session, generation);
    return BERTH_HARBOR_REPEAT;
}

static void wipe(struct berth_harbor_keys *keys) {
    explicit_bzero(keys, sizeof *keys);
}
