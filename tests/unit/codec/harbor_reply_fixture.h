/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls and replies that the tests of Harbor's replies share. Include <cmocka.h> first.
 */
#ifndef BERTH_TESTS_HARBOR_REPLY_FIXTURE_H
#define BERTH_TESTS_HARBOR_REPLY_FIXTURE_H

#include <stdbool.h>

#include "berth/codec/harbor.h"

#define JSON        "application/json; charset=utf-8"
#define ERROR(code) "{\"errors\":[{\"code\":\"" code "\",\"message\":\"as it says\"}]}\n"
#define PROJECT_PREFIX                                                                             \
    "{\"project_id\":12,\"name\":\"team-a\",\"owner_name\":\"svc\",\"repo_count\":3"
#define PROJECT PROJECT_PREFIX ",\"metadata\":{\"public\":\"true\"}}"
/* A robot with exactly the right that a binding means, and without an end. */
#define RIGHT(action)                                                                              \
    "{\"kind\":\"project\",\"namespace\":\"team-a\",\"access\":[{\"resource\":\"repository\","     \
    "\"action\":\"" action "\"}]}"
#define MARKED(id, name, marker, more)                                                             \
    "{\"id\":" #id ",\"name\":\"robot$team-a+" name "\",\"description\":\"" marker                 \
    "\",\"level\":\"project\"," more "}"
#define ROBOT(id, name, description)                                                               \
    "{\"id\":" #id ",\"name\":\"" name "\",\"description\":\"" description                         \
    "\",\"level\":\"project\",\"disable\":false,\"editable\":true}"

/* Deployment "prod", key "0a1b2c3d". */
extern const struct berth_robot_marker fixture_marker;

/* A call about space "team-a", project 12, robot 34, quota 56 and workspace "w1". */
struct berth_harbor_call any_call(enum berth_harbor_call_kind kind);

/* As Harbor answers: the request's id echoed, JSON, and the headers of a list. */
struct berth_harbor_reply any_reply(int status, const char *body);

/* Decodes for fixture_marker; every verdict but DONE must come with a reason. */
struct berth_harbor_decoded decode_as(enum berth_harbor_call_kind kind, bool echo_waived,
                                      struct berth_harbor_reply reply);

/* The same, without the robots. */
struct berth_harbor_answer answer_to(enum berth_harbor_call_kind kind,
                                     struct berth_harbor_reply reply);

void assert_verdict(enum berth_harbor_call_kind kind, struct berth_harbor_reply reply,
                    enum berth_harbor_verdict expected);

#endif
