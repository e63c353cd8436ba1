/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login names of robots, asked of Harbor one by one: their prefix is Harbor's to configure, and may
 * change (harbor-contract 2.3).
 */
#ifndef BERTH_CLI_ROBOT_LOGIN_H
#define BERTH_CLI_ROBOT_LOGIN_H

#include "berth/base/buffer.h"
#include "berth/codec/harbor.h"
#include "berth/core/limits.h"
#include "cli.h"
#include "harbor_get.h"

/* What lets a workspace pull from one space. */
struct cli_binding {
    char registry[BERTH_REGISTRY_BYTES];
    char space[BERTH_SPACE_BYTES];
    int64_t project_id;
    int64_t robot_id;
    char key_id[BERTH_KEY_ID_BYTES]; /* Empty: it isn't known with which key the secret was set. */
};

/*
 * The login name of the robot that binds the workspace to a space of this registry. What is wrong
 * is told on standard error. CLI_FAILED: Harbor refuses, or with ret_broken has no such robot that
 * can pull.
 * CLI_NO_ANSWER: it can't be reached, is late, or is out of order.
 */
enum cli_exit cli_harbor_robot_login(struct cli_harbor *harbor, const struct cli_binding *binding,
                                     const char *workspace,
                                     char ret_login_name[BERTH_HARBOR_LOGIN_BYTES],
                                     bool *ret_broken);

/*
 * Reads the body of GET /robots/{id}.
 * BERTH_NOT_FOUND: it is this robot, and somebody disabled it.
 * BERTH_INVALID: it isn't the robot of this binding.
 */
BERTH_MUST_USE enum berth_rc cli_robot_login_parse(struct berth_bytes body,
                                                   const struct cli_binding *binding,
                                                   const char *workspace,
                                                   char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]);

#endif
