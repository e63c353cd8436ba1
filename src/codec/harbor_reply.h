/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of Harbor's replies: from parsed JSON into an answer (private to the codec).
 *
 * Each reader checks the shape that harbor-contract.md gives and that the body is about what was
 * asked. True: the answer is filled. False: it isn't to be believed, and answer.error says why.
 */
#ifndef BERTH_CODEC_HARBOR_REPLY_H
#define BERTH_CODEC_HARBOR_REPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "berth/codec/harbor.h"

/* GET /projects/{name or id}, by call->kind. */
bool berth_harbor_read_project(const struct berth_harbor_call *call, const json_t *json,
                               struct berth_harbor_answer *answer);

/* GET /quotas of one project. */
bool berth_harbor_read_quota(const struct berth_harbor_call *call, const json_t *json,
                             struct berth_harbor_answer *answer);

/* GET /robots of one project; the robots are allocated in decoded. */
bool berth_harbor_read_robots(const struct berth_harbor_call *call,
                              const struct berth_robot_marker *marker, int64_t total_count,
                              const json_t *json, struct berth_harbor_decoded *decoded);

/* 201 of POST /robots. */
bool berth_harbor_read_created_robot(const struct berth_harbor_call *call, const json_t *json,
                                     struct berth_harbor_answer *answer);

/* GET /users/current. */
bool berth_harbor_read_account(const json_t *json, struct berth_harbor_answer *answer);

/* GET /robots/{id} before a MEND_ROBOT. ret_ours is false when the robot has another marker. */
bool berth_harbor_read_login_name(const struct berth_harbor_call *call,
                                  const struct berth_robot_marker *marker, const json_t *json,
                                  struct berth_harbor_answer *answer, bool *ret_ours,
                                  char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]);

/* 200 of PATCH /robots/{id}. */
bool berth_harbor_read_secret_set(const json_t *json, struct berth_harbor_answer *answer);

/* Copies text, cut to fit between two characters of UTF-8. */
void berth_harbor_copy_text(char *target, size_t target_bytes, const char *text);

/* A member's text, or NULL when there is no such member or it is no string. A view. */
const char *berth_harbor_text_of(const json_t *object, const char *name);

#endif
