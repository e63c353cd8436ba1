/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session with one Harbor (private to io; harbor-contract 5.3, 5.3b): whether there is one, how
 * to get one, and whether a reply that came on it is to be believed.
 *
 *            +--------------------- wanted ----------------------+
 *            v                                                   |
 *   IDLE --> GREETING --sid--> ASKING_TOKEN --pair--> POSTING --200, new sid--> IDLE
 *   ^  wanted    |                  |                    |
 *   |            +---- trouble -----+--------------------+--> BACKOFF --time over, wanted-->
 * GREETING |            +-- unfit, once: GREETING again; twice --+
 *   +------------------ Basic for a while ----------------+
 *
 * | from                          | when                                      | to           |
 * |-------------------------------|-------------------------------------------|--------------|
 * | IDLE                          | a call comes and no session serves, or    | GREETING     |
 * |                               | the one that does is old, or a reload     |              |
 * | GREETING                      | the reply brings a sid                    | ASKING_TOKEN |
 * | ASKING_TOKEN                  | the reply brings CSRF cookie and token    | POSTING      |
 * | POSTING                       | 200 with a new sid: it serves from now on | IDLE         |
 * | GREETING .. POSTING           | no reply, 401, 429, 5xx                   | BACKOFF      |
 * | GREETING .. POSTING           | anything else: sessions don't work here   | GREETING,    |
 * |                               |                                           | then IDLE    |
 * | BACKOFF                       | its time is over and a call comes         | GREETING     |
 * | any                           | a reload                                  | GREETING     |
 *
 * What serves meanwhile is apart from that: a renewal leaves the old session in use until the new
 * one is there. Each session has a generation, by which a reply is known to be an older one's.
 *
 * Pure: no I/O, no clock, nothing is allocated. The keys are secrets: wiped when they are done
 * with, never in a text. The caller sends what errand() says, one at a time, and tells the reply.
 */
#ifndef BERTH_IO_HARBOR_SESSION_H
#define BERTH_IO_HARBOR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/base/random.h"
#include "berth/core/harbor_call.h"

/* Harbor's are 32, about 160 and 88 long. */
#define BERTH_HARBOR_SID_BYTES   256
#define BERTH_HARBOR_CSRF_BYTES  512
#define BERTH_HARBOR_TOKEN_BYTES 256

/* The CSRF cookie lives 12 hours, so a session is renewed before 11 and not used after. */
#define BERTH_HARBOR_SESSION_RENEW_MS        (10 * INT64_C(3600000))
#define BERTH_HARBOR_SESSION_RENEW_JITTER_MS (INT64_C(1800000))
#define BERTH_HARBOR_SESSION_MAX_MS          (11 * INT64_C(3600000))
/* Between two logins that fail: Harbor answers a locked name with 401 for up to 1.5 s. */
#define BERTH_HARBOR_LOGIN_PAUSE_MS     2000
#define BERTH_HARBOR_LOGIN_PAUSE_MAX_MS 60000
/* How long Basic is used when sessions don't work, and with how many requests at once. */
#define BERTH_HARBOR_BASIC_MS    600000
#define BERTH_HARBOR_BASIC_LIMIT 2
/* After a new login that didn't cure a 403 or a 401, none is made for the next one so long. */
#define BERTH_HARBOR_UNCURED_403_MS 60000
#define BERTH_HARBOR_UNCURED_401_MS 2000

/* What a request of a session carries. Empty: not there. Secrets. */
struct berth_harbor_keys {
    char sid[BERTH_HARBOR_SID_BYTES];
    char csrf[BERTH_HARBOR_CSRF_BYTES];
    char token[BERTH_HARBOR_TOKEN_BYTES];
};

enum berth_harbor_login {
    BERTH_HARBOR_LOGIN_IDLE,
    BERTH_HARBOR_LOGIN_GREETING,
    BERTH_HARBOR_LOGIN_ASKING_TOKEN,
    BERTH_HARBOR_LOGIN_POSTING,
    BERTH_HARBOR_LOGIN_BACKOFF,
};

/* What is to be asked of Harbor besides the calls. */
enum berth_harbor_errand {
    BERTH_HARBOR_ERRAND_NONE,
    BERTH_HARBOR_ERRAND_GREET, /* GET /systeminfo without a key. */
    BERTH_HARBOR_ERRAND_TOKEN, /* GET /systeminfo with the sid. */
    BERTH_HARBOR_ERRAND_LOGIN, /* POST /c/login with all keys. */
    BERTH_HARBOR_ERRAND_PROVE, /* GET /users/current with the keys of the session that serves. */
};

/* The struct is visible to be embedded; its fields are private. */
struct berth_harbor_session {
    struct berth_random random;

    uint64_t generation; /* Of the session that serves; 0: none does. */
    uint64_t generations;
    struct berth_harbor_keys keys;
    int64_t renew_at_ms;
    int64_t ends_ms;

    enum berth_harbor_login login;
    struct berth_harbor_keys fresh;     /* Those of the login under way. */
    int64_t attempted_ms;               /* When the last login was begun. */
    int64_t retry_at_ms;                /* BACKOFF: until when. */
    unsigned failures;                  /* In a row. */
    struct berth_harbor_answer failure; /* The last one, as the answer to a call. */

    unsigned unfit; /* Logins in a row that said that sessions don't work. */
    int64_t basic_until_ms;
    int64_t uncured_403_until_ms;
    int64_t uncured_401_until_ms;

    bool proof_wanted;
    uint64_t proof_generation; /* That the proof under way is about; 0: none is under way. */
};

void berth_harbor_session_init(struct berth_harbor_session *session, uint64_t seed);
/* Wipes the keys. Fine on a zeroed one, and twice. */
void berth_harbor_session_deinit(struct berth_harbor_session *session);

enum berth_harbor_access {
    BERTH_HARBOR_ACCESS_SESSION, /* With session->keys, under session->generation. */
    BERTH_HARBOR_ACCESS_BASIC,   /* Sessions don't work: BERTH_HARBOR_BASIC_LIMIT at once. */
    BERTH_HARBOR_ACCESS_WAIT,    /* A login is under way, perhaps begun by this. */
    BERTH_HARBOR_ACCESS_NONE,    /* It failed lately: session->failure is the call's answer. */
};

/* A call is about to be sent. urgent: a login is tried again within the back-off, too, when the
 * last one was begun BERTH_HARBOR_LOGIN_PAUSE_MS ago. */
enum berth_harbor_access berth_harbor_session_ask(struct berth_harbor_session *session,
                                                  int64_t now_ms, bool urgent);

/* Begins a login whatever is under way; what serves goes on. For a reload: errands under way were
 * taken back. */
void berth_harbor_session_renew(struct berth_harbor_session *session, int64_t now_ms);

/* Forgets the session if it is still the one that serves. */
void berth_harbor_session_lose(struct berth_harbor_session *session, uint64_t generation);

/* What to send next, and its keys (NULL: none); nothing of the kind is under way. */
enum berth_harbor_errand berth_harbor_session_errand(struct berth_harbor_session *session,
                                                     const struct berth_harbor_keys **ret_keys);

/* What came back of an errand. */
struct berth_harbor_errand_reply {
    int status;                       /* 0: no reply. */
    struct berth_harbor_keys brought; /* Set-Cookie's and the token's header. */
    bool names_us;                    /* PROVE: the body is about our account. */
    int64_t retry_after_ms;
    const char *location; /* Of a redirect; NULL: none. */
    const char *words;    /* No reply: curl's. */
};

enum berth_harbor_errand_end {
    BERTH_HARBOR_ERRAND_GOES_ON, /* There is another one. */
    BERTH_HARBOR_LOGGED_IN,
    BERTH_HARBOR_LOGIN_FAILED,
    BERTH_HARBOR_LOGIN_UNFIT, /* Sessions don't work: Basic for a while. */
    BERTH_HARBOR_PROVED,      /* It was us on the session asked about. */
    BERTH_HARBOR_DISPROVED,   /* It wasn't, and the session is lost. */
    BERTH_HARBOR_UNPROVED,    /* It can't be told now. */
};

enum berth_harbor_errand_end
berth_harbor_session_take(struct berth_harbor_session *session, int64_t now_ms,
                          enum berth_harbor_errand errand,
                          const struct berth_harbor_errand_reply *reply);

/* What came back of a call. */
struct berth_harbor_seen {
    enum berth_harbor_call_kind kind;
    enum berth_harbor_verdict verdict;
    bool written;     /* The write itself went out, not only a look-up before it. */
    int status;       /* 0: no reply. */
    bool empty;       /* DONE, and there was nothing in the list. */
    bool new_sid;     /* The reply set a sid although one was sent. */
    bool csrf;        /* It was refused for its CSRF token. */
    unsigned repeats; /* How often the call was repeated for such reasons so far. */
};

enum berth_harbor_belief {
    BERTH_HARBOR_BELIEVE, /* It is the answer. */
    BERTH_HARBOR_PROVE,   /* It is when berth_harbor_session_take() says PROVED of a proof that was
                           * sent from now on. */
    BERTH_HARBOR_REPEAT,  /* Nothing was done: the call goes again, from its beginning. */
    BERTH_HARBOR_REFUSED, /* Nothing was done, and repeating doesn't help: we aren't let in. */
    BERTH_HARBOR_DOUBT,   /* A write that may have been done, whatever its reply says. */
};

/* Judges a reply on the session of that generation. PROVE has noted that a proof is wanted. */
enum berth_harbor_belief berth_harbor_session_judge(struct berth_harbor_session *session,
                                                    int64_t now_ms, uint64_t generation,
                                                    const struct berth_harbor_seen *seen);

#endif
