/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP as the contract suite needs it: blocking, with every header of the reply, and without any
 * help of curl's that would hide what a server said (no cookies, no redirects, no repeats).
 */
#ifndef BERTH_TEST_HTTP_H
#define BERTH_TEST_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_VALUE_BYTES 4096

struct http_client;

/* Who asks. All may be NULL. */
struct http_login {
    const char *user; /* Basic, with the password. */
    const char *password;
    const char *bearer;
    const char *cookies;
    const char *csrf_token;
};

struct http_request {
    const struct http_login *login; /* NULL: nobody. */
    const char *method;
    const char *path; /* Behind the server's URL. */
    const char *body; /* NULL: none. */
    size_t body_bytes;
    const char *content_type; /* NULL: JSON. */
    const char *header;       /* One more, "Name: value", or NULL. */
    long delay_ms;            /* It is sent so much later than the others that go with it. */
};

struct http_reply {
    long status; /* 0: there was no reply, and the body says why. */
    char *body;  /* Ends with a NUL that isn't counted. */
    size_t body_bytes;
    char *headers; /* One "Name: value\r\n" after the other. */
    size_t headers_bytes;
    json_t *json; /* NULL: the body isn't JSON. */
    char asked[256];
    struct http_reply *next; /* For the owner's list. */
};

struct http_client *http_client_new(const char *url);
struct http_client *http_client_free(struct http_client *client);

/* Sends all of them side by side and waits for every reply. The replies are the caller's. */
void http_send(struct http_client *client, const struct http_request *requests, size_t count,
               struct http_reply **ret_replies);
struct http_reply *http_reply_free(struct http_reply *reply);

/* The value of the first header of that name. False: there is none, or it is too long. */
bool http_header(const struct http_reply *reply, const char *name,
                 char ret_value[HTTP_VALUE_BYTES]);
/* The value of the last cookie of that name that the reply sets. */
bool http_cookie(const struct http_reply *reply, const char *name,
                 char ret_value[HTTP_VALUE_BYTES]);

#endif
