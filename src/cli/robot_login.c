/* SPDX-License-Identifier: Apache-2.0 */
#include "robot_login.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "berth/codec/identity.h"
#include "credential.h"

#define PATH_BYTES 64

static enum cli_exit explain_status(const struct berth_config_registry *registry,
                                    const struct cli_binding *binding, const char *workspace,
                                    long status);
static bool names_binding(const char *login_name, const struct cli_binding *binding,
                          const char *workspace);

enum cli_exit cli_harbor_robot_login(struct cli_harbor *harbor, const struct cli_binding *binding,
                                     const char *workspace,
                                     char ret_login_name[BERTH_HARBOR_LOGIN_BYTES],
                                     bool *ret_broken) {
    const struct berth_config_registry *config = cli_harbor_registry(harbor);
    const char *registry = config->name;
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/api/v2.0/robots/%" PRId64, binding->robot_id);
    struct cli_harbor_reply reply;
    cli_harbor_get(harbor, path, &reply);
    if (reply.status == 0) {
        cli_complain("registry %s at %s doesn't answer: %s", registry, config->url, reply.words);
        return CLI_NO_ANSWER;
    }
    if (reply.status != 200) {
        *ret_broken = reply.status == 404;
        return explain_status(config, binding, workspace, reply.status);
    }
    switch ((int)cli_robot_login_parse(reply.body, binding, workspace, ret_login_name)) {
    case BERTH_OK:
        return CLI_SUCCEEDED;
    case BERTH_NOT_FOUND:
        *ret_broken = true;
        cli_complain("the robot account %" PRId64 " of %s in %s/%s was disabled in Harbor: binding "
                     "the workspace again enables it",
                     binding->robot_id, workspace, registry, binding->space);
        return CLI_FAILED;
    default:
        cli_complain("what %s says of its robot account %" PRId64 " isn't about %s in %s/%s",
                     registry, binding->robot_id, workspace, registry, binding->space);
        return CLI_FAILED;
    }
}

enum berth_rc cli_robot_login_parse(struct berth_bytes body, const struct cli_binding *binding,
                                    const char *workspace,
                                    char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]) {
    json_t *robot = json_loadb((const char *)body.data, body.len, 0, NULL);
    const json_t *id = json_object_get(robot, "id");
    const char *login_name = json_string_value(json_object_get(robot, "name"));
    enum berth_rc rc = BERTH_INVALID;
    if (json_is_integer(id) && json_integer_value(id) == binding->robot_id && login_name != NULL &&
        strlen(login_name) < BERTH_HARBOR_LOGIN_BYTES && cli_login_name_usable(login_name) &&
        names_binding(login_name, binding, workspace)) {
        (void)snprintf(ret_login_name, BERTH_HARBOR_LOGIN_BYTES, "%s", login_name);
        rc = json_is_true(json_object_get(robot, "disable")) ? BERTH_NOT_FOUND : BERTH_OK;
    }
    json_decref(robot);
    return rc;
}

static enum cli_exit explain_status(const struct berth_config_registry *registry,
                                    const struct cli_binding *binding, const char *workspace,
                                    long status) {
    if (status == 401 || status == 403) {
        cli_complain("registry %s doesn't let %s read the robot account %" PRId64 " of %s (HTTP "
                     "%ld)",
                     registry->name, registry->username, binding->robot_id, binding->space, status);
        return CLI_FAILED;
    }
    if (status == 404) {
        cli_complain("registry %s has no robot account %" PRId64 " (any more): workspace %s was "
                     "unbound from %s meanwhile, or its robot was deleted by hand; binding it "
                     "again repairs that",
                     registry->name, binding->robot_id, workspace, binding->space);
        return CLI_FAILED;
    }
    cli_complain("registry %s is out of order: HTTP %ld", registry->name, status);
    return status == 429 || status >= 500 ? CLI_NO_ANSWER : CLI_FAILED;
}

/* "<prefix><space>+<short name>", whatever the prefix is (harbor-contract 2.3). */
static bool names_binding(const char *login_name, const struct cli_binding *binding,
                          const char *workspace) {
    char robot_name[BERTH_ROBOT_NAME_BYTES];
    char ending[BERTH_SPACE_BYTES + BERTH_ROBOT_NAME_BYTES + 1];
    berth_robot_name(workspace, robot_name);
    (void)snprintf(ending, sizeof(ending), "%s+%s", binding->space, robot_name);
    size_t len = strlen(login_name);
    size_t ending_len = strlen(ending);
    return len >= ending_len && strcmp(login_name + len - ending_len, ending) == 0;
}
