/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract suite: what berth relies on of Harbor's API, as claims that a Harbor is asked about.
 *
 * A claim is one sentence with the number of its paragraph and a function that tries it. The
 * function makes what it needs, asks, and says what it expected with the expect_ functions; the
 * first expectation that isn't met becomes part of the claim's line. Nothing is thrown: the rest of
 * the claim goes on, and the next claims come all the same. What a claim made is removed after it.
 *
 * Only Harbor's public API is used. What is made there has names that nobody else uses, and nothing
 * else is touched: the suite runs beside other users of that Harbor.
 */
#ifndef BERTH_TEST_CONTRACT_H
#define BERTH_TEST_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http.h"

#define API        "/api/v2.0"
#define PULL       "[{'resource':'repository','action':'pull'}]"
#define MAP(array) array, sizeof(array) / sizeof((array)[0])
/* The repository of images that are pushed. */
#define IMAGE "img"
/* A project id that no Harbor has come to, within what a project id can be. */
#define NO_ID 2147000000

/* CLAIM(paragraph, says, check, .needs = ..., and so on) */
#define CLAIM(number, sentence, ...)                                                               \
    {.paragraph = (number), .says = (sentence), .check = __VA_ARGS__}

/* What a claim can't do without; several may be ored. */
enum need {
    NEED_SYSADMIN = 1 << 0, /* The account administers the system. */
    NEED_USER = 1 << 1,     /* A second user, who may nothing in particular. */
    NEED_QUOTAS = 1 << 2,   /* Quotas are kept for projects. */
    NEED_TOKENS = 1 << 3,   /* The token service has its key. */
    NEED_STAND_IN = 1 << 4, /* Settings of the whole Harbor may be changed. */
    NEED_EVERYONE = 1 << 5, /* Everyone may create projects. */
};

struct contract;
struct claim;

typedef void claim_fn(struct contract *c, const struct claim *claim);

struct claim {
    const char *paragraph;
    const char *says;
    claim_fn *check;
    unsigned needs;
    int since; /* The first release that keeps it, as 2013 for 2.13; 0: all. */
    int until; /* The first that doesn't any more; 0: none. */
    /* For functions that several claims share. */
    const char *input;
    int status;
    const char *code;
    int who;
};

struct contract {
    struct http_client *http;
    struct http_login admin; /* The account that was given. */
    struct http_login user;  /* The second user. */
    int64_t user_id;
    char *password;
    char run[32]; /* All names begin with it. */
    char version[64];
    int release; /* 2014 for 2.14; of a version that can't be read, a very late one. */
    bool sysadmin;
    bool quotas;
    bool everyone;
    bool tokens;
    const char *stand_in; /* Its admin URL, or NULL: it is a real Harbor. */
    char robot_prefix[64];
    int64_t default_storage;

    /* The claim that is being tried. */
    char problem[1024];
    bool stuck; /* What it needs couldn't be made: nothing more is asked. */
    char skipped[256];
    size_t names;
    struct http_reply *replies;
    struct text *texts;
    char *made[128]; /* Paths to delete, the last one first. */
    size_t made_count;
    size_t kept_count; /* The first of them live until the end. */

    size_t held;
    size_t broken;
    size_t not_tried;
};

/* ---- running ---- */

/* For cmocka's group: connects, finds out what kind of Harbor it is; removes everything. */
int contract_setup(void **state);
int contract_teardown(void **state);

/* Tries all and prints a line for each; the test fails if one of them doesn't hold. */
void run_claims(void **state, const struct claim *claims, size_t count);

/* ---- asking ---- */

/* Text that lives as long as the claim. */
const char *text(struct contract *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for JSON, with ' for ". */
const char *json_text(struct contract *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with each WORD in a template replaced. */
const char *filled(struct contract *c, const char *template, const char *word, const char *value);
/* A name for a project, robot or user, which nobody else uses. */
const char *new_name(struct contract *c);

/* Replies live as long as the claim. body: NULL for none. Nothing is asked by a claim that is
 * stuck: all its replies have status 0. */
const struct http_reply *ask(struct contract *c, const struct http_login *login, const char *method,
                             const char *body, const char *path, ...)
    __attribute__((format(printf, 5, 6)));
const struct http_reply *ask_with(struct contract *c, const struct http_request *request);
/* Side by side. */
void ask_all(struct contract *c, const struct http_request *requests, size_t count,
             const struct http_reply **ret_replies);

/* Values of headers and cookies; "" when there is none. */
const char *header_of(struct contract *c, const struct http_reply *reply, const char *name);
const char *cookie_of(struct contract *c, const struct http_reply *reply, const char *name);

/* By a path like "0.metadata.public"; NULL, "" and INT64_MIN when there is nothing of that kind. */
const json_t *json_at(const json_t *json, const char *path);
const char *text_at(const json_t *json, const char *path);
int64_t number_at(const json_t *json, const char *path);
/* The element of an array that has that text there. */
const json_t *json_with(const json_t *array, const char *path, const char *wanted);

/* ---- expecting ---- */

void expect(struct contract *c, bool met, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void expect_status(struct contract *c, const struct http_reply *reply, int status);
/* Either of two. */
void expect_status_in(struct contract *c, const struct http_reply *reply, int status, int other);
/* Harbor's own error body, with that code. */
void expect_error(struct contract *c, const struct http_reply *reply, int status, const char *code);
void expect_empty(struct contract *c, const struct http_reply *reply);
void expect_text(struct contract *c, const char *what, const char *got, const char *wanted);
void expect_number(struct contract *c, const char *what, int64_t got, int64_t wanted);
/* For what must be there before a claim can be tried: if not, the claim is stuck. */
bool require(struct contract *c, bool met, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The claim can't be shown here. */
void skip_claim(struct contract *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- making ---- */

struct project {
    const char *name;
    int64_t id;
};

struct robot {
    int64_t id;
    const char *short_name;
    const char *name; /* As it logs in. */
    const char *secret;
    struct http_login login;
};

struct session {
    const char *sid;
    const char *csrf_cookie;
    struct http_login login;
};

struct project make_project(struct contract *c);
struct project make_public_project(struct contract *c);
struct project make_project_as(struct contract *c, const struct http_login *login, const char *body,
                               const char *name);
/* The number that a Location ends with. */
int64_t location_id(const struct http_reply *reply);
/* GET of a project by its name, whatever that looks like. */
const struct http_reply *get_project(struct contract *c, const struct http_login *login,
                                     const char *name);
/* A project robot that may pull, or do what the JSON says. */
struct robot make_robot(struct contract *c, struct project project);
struct robot make_robot_with(struct contract *c, struct project project, const char *access);
/* A robot of the system, with this right on every project. */
struct robot make_system_robot(struct contract *c, const char *permissions);
/* What is posted to make a robot of a project. */
const char *robot_body(struct contract *c, const char *name, struct project project,
                       const char *access);
/* A session without a user: the two cookies and the token. */
struct session open_session(struct contract *c);
/* A session of the user; posts the login and returns the reply. */
const struct http_reply *log_in(struct contract *c, struct session *session, const char *user,
                                const char *password);
/* Switches faults of the stand-in (sandbox_faults.h); on a real Harbor, nothing. */
void set_stand_in(struct contract *c, const char *faults);
/* Pushes an image of the repository IMAGE; skips the claim, saying why, where that can't be done.
 */
void push_image(struct contract *c, struct project project);
void remove_image(struct contract *c, const char *project_name);

/* ---- between the suite's own files ---- */

/* What a reply with 201 says it made is removed later. */
void remember_made(struct contract *c, const struct http_reply *reply);
void remove_made(struct contract *c, size_t from);
/* Frees replies and texts. */
void forget_claim(struct contract *c);
/* Makes the second user, once. NULL, or why there is none. */
const char *find_user(struct contract *c);

#endif
