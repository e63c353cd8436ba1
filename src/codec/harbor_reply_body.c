/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/codec/identity.h"
#include "berth/core/command_rules.h"
#include "harbor_reply.h"

#define ADMIN_ID 1

static bool disbelieve(struct berth_harbor_answer *answer, const char *format, ...)
    BERTH_PRINTF(2, 3);
static bool read_id(const json_t *object, const char *name, int64_t *ret_id);
static bool is_go_true(const char *text);
static bool read_robot(const struct berth_harbor_call *call,
                       const struct berth_robot_marker *marker, const json_t *json,
                       struct berth_harbor_robot *robot);
static bool is_altered(const json_t *robot, const char *space);
static bool is_our_right(const json_t *permission, const char *space);
static bool is_of_space(const char *login_name, const char *plus, const char *space);
static void read_marker(const char *description, const struct berth_robot_marker *marker,
                        const char *short_name, struct berth_harbor_robot *robot);
static const char *after(const char *text, const char *start);

bool berth_harbor_read_project(const struct berth_harbor_call *call, const json_t *json,
                               struct berth_harbor_answer *answer) {
    const json_t *repositories = json_object_get(json, "repo_count");
    const char *name = berth_harbor_text_of(json, "name");
    int64_t project_id = 0;
    if (!read_id(json, "project_id", &project_id) || name == NULL ||
        !json_is_integer(repositories) || json_integer_value(repositories) < 0) {
        return disbelieve(answer, "the body is no project");
    }
    if (call->kind == BERTH_HARBOR_GET_PROJECT_ID ? project_id != call->project_id
                                                  : strcmp(name, call->space) != 0) {
        return disbelieve(answer, "the body is another project than the one asked for");
    }
    const char *owner = berth_harbor_text_of(json, "owner_name");
    const char *is_public = berth_harbor_text_of(json_object_get(json, "metadata"), "public");
    answer->project_id = project_id;
    answer->repositories = json_integer_value(repositories);
    /* Harbor leaves out what isn't set; a project without the word is private. */
    answer->visibility = is_public != NULL && is_go_true(is_public) ? BERTH_PUBLIC : BERTH_PRIVATE;
    /* An owner decides whose project it is, so a name that is cut is worse than none. */
    if (owner != NULL && strlen(owner) < sizeof answer->owner) {
        berth_harbor_copy_text(answer->owner, sizeof answer->owner, owner);
    }
    return true;
}

/*
 * An empty list is believed: it says that quotas were off when the project was made (contract 4),
 * and whoever isn't logged in gets a 401 from this list, so 200 proves that we were.
 */
bool berth_harbor_read_quota(const struct berth_harbor_call *call, const json_t *json,
                             struct berth_harbor_answer *answer) {
    if (!json_is_array(json) || json_array_size(json) > 1) {
        return disbelieve(answer, "the body is no list of one quota");
    }
    answer->quota_bytes = BERTH_QUOTA_UNSET;
    if (json_array_size(json) == 0) {
        return true;
    }
    const json_t *quota = json_array_get(json, 0);
    const json_t *storage = json_object_get(json_object_get(quota, "hard"), "storage");
    int64_t quota_id = 0;
    int64_t project_id = 0;
    if (!read_id(quota, "id", &quota_id) || !json_is_integer(storage) ||
        !read_id(json_object_get(quota, "ref"), "id", &project_id)) {
        return disbelieve(answer, "the body is no quota");
    }
    if (project_id != call->project_id) {
        return disbelieve(answer, "the body is the quota of another project");
    }
    answer->quota_id = quota_id;
    answer->quota_bytes = json_integer_value(storage);
    return true;
}

/*
 * An empty list is believed: whoever isn't logged in gets a 401 from GET /robots, unlike from
 * GET /projects (contract 2.1, 5.1), so 200 proves that we were.
 */
bool berth_harbor_read_robots(const struct berth_harbor_call *call,
                              const struct berth_robot_marker *marker, int64_t total_count,
                              const json_t *json, struct berth_harbor_decoded *decoded) {
    struct berth_harbor_answer *answer = &decoded->answer;
    if (total_count < 0) {
        return disbelieve(answer, "the list of robots has no X-Total-Count");
    }
    size_t count = json_array_size(json); /* 0 for anything but an array. */
    bool is_list = json_is_array(json) || (json_is_null(json) && total_count == 0);
    if (!is_list || count > BERTH_HARBOR_PAGE_SIZE || (int64_t)count > total_count) {
        return disbelieve(answer, "the body is no page of robots");
    }
    if (count > 0) {
        decoded->robots = calloc(count, sizeof *decoded->robots);
        if (decoded->robots == NULL) {
            return disbelieve(answer, "no memory for a page of robots");
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_robot(call, marker, json_array_get(json, i), &decoded->robots[i])) {
            return disbelieve(answer, "the list has an entry that is no robot of this project");
        }
    }
    answer->robots = decoded->robots;
    answer->robots_count = count;
    answer->robots_total = total_count;
    return true;
}

bool berth_harbor_read_created_robot(const struct berth_harbor_call *call, const json_t *json,
                                     struct berth_harbor_answer *answer) {
    const char *login_name = berth_harbor_text_of(json, "name");
    const char *plus = login_name == NULL ? NULL : strrchr(login_name, '+');
    int64_t robot_id = 0;
    if (!read_id(json, "id", &robot_id) || plus == NULL) {
        return disbelieve(answer, "the body is no new robot");
    }
    if (strcmp(plus + 1, call->robot_name) != 0 || !is_of_space(login_name, plus, call->space)) {
        return disbelieve(answer, "the body is another robot than the one asked for");
    }
    answer->robot_id = robot_id;
    return true;
}

/* Harbor's first user is everybody's, so that a project is his says nothing (design 4.5). A name
 * that is cut is worse than none. */
bool berth_harbor_read_account(const json_t *json, struct berth_harbor_answer *answer) {
    const char *name = berth_harbor_text_of(json, "username");
    int64_t user_id = 0;
    if (!read_id(json, "user_id", &user_id) || name == NULL || name[0] == 0) {
        return disbelieve(answer, "the body is no user");
    }
    bool proves = user_id != ADMIN_ID && strlen(name) < sizeof answer->owner;
    berth_harbor_copy_text(answer->owner, sizeof answer->owner, proves ? name : "");
    return true;
}

bool berth_harbor_read_login_name(const struct berth_harbor_call *call,
                                  const struct berth_robot_marker *marker, const json_t *json,
                                  struct berth_harbor_answer *answer, bool *ret_ours,
                                  char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]) {
    struct berth_harbor_robot robot = {.id = 0};
    if (!read_robot(call, marker, json, &robot) || robot.id != call->robot_id) {
        return disbelieve(answer, "the body is no robot of this project with the id asked for");
    }
    if ((!robot.ours && !robot.kin) || strcmp(robot.workspace, call->workspace) != 0) {
        *ret_ours = false;
        return disbelieve(answer, "the robot is no longer ours");
    }
    const char *login_name = berth_harbor_text_of(json, "name");
    if (strlen(login_name) >= BERTH_HARBOR_LOGIN_BYTES) {
        return disbelieve(answer, "the robot's login name is longer than any of Harbor's");
    }
    berth_harbor_copy_text(ret_login_name, BERTH_HARBOR_LOGIN_BYTES, login_name);
    return true;
}

/* Harbor answers {}; it returns a secret when it took none from us but made one (contract 2.4). */
bool berth_harbor_read_secret_set(const json_t *json, struct berth_harbor_answer *answer) {
    if (!json_is_object(json)) {
        return disbelieve(answer, "the body is no answer to a new secret");
    }
    const char *secret = berth_harbor_text_of(json, "secret");
    if (secret != NULL && secret[0] != 0) {
        return disbelieve(answer, "Harbor made a secret of its own instead of taking ours");
    }
    return true;
}

void berth_harbor_copy_text(char *target, size_t target_bytes, const char *text) {
    size_t len = strnlen(text, target_bytes);
    if (len >= target_bytes) {
        len = target_bytes - 1;
        /* A byte 10xxxxxx continues a character: don't cut before one. */
        while (len > 0 && ((unsigned char)text[len] & 0xc0U) == 0x80U) {
            len--;
        }
    }
    memcpy(target, text, len);
    target[len] = 0;
}

const char *berth_harbor_text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static bool disbelieve(struct berth_harbor_answer *answer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(answer->error, sizeof answer->error, format, arguments);
    va_end(arguments);
    return false;
}

static bool read_id(const json_t *object, const char *name, int64_t *ret_id) {
    const json_t *id = json_object_get(object, name);
    if (!json_is_integer(id) || json_integer_value(id) <= 0) {
        return false;
    }
    *ret_id = json_integer_value(id);
    return true;
}

/* What Harbor grants access by: Go's strconv.ParseBool, since its PUT stores any text
 * (contract 1.6). */
static bool is_go_true(const char *text) {
    static const char *const WORDS[] = {"true", "1", "t", "T", "TRUE", "True"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strcmp(text, WORDS[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A robot of the call's project. False: it is none. */
static bool read_robot(const struct berth_harbor_call *call,
                       const struct berth_robot_marker *marker, const json_t *json,
                       struct berth_harbor_robot *robot) {
    const char *login_name = berth_harbor_text_of(json, "name");
    const char *level = berth_harbor_text_of(json, "level");
    const char *description = berth_harbor_text_of(json, "description");
    if (!read_id(json, "id", &robot->id) || login_name == NULL || level == NULL ||
        strcmp(level, "project") != 0) {
        return false;
    }
    robot->disabled = json_is_true(json_object_get(json, "disable"));
    const char *plus = strrchr(login_name, '+');
    if (plus == NULL) {
        /* A robot of Harbor's first kind, from before 2.2: somebody else's. */
        berth_harbor_copy_text(robot->name, sizeof robot->name, login_name);
        return true;
    }
    berth_harbor_copy_text(robot->name, sizeof robot->name, plus + 1);
    if (description != NULL) {
        read_marker(description, marker, plus + 1, robot);
    }
    if (!robot->ours && !robot->kin) {
        return true;
    }
    robot->altered = is_altered(json, call->space);
    return is_of_space(login_name, plus, call->space);
}

/* A binding is exactly one right, to pull from this project, and has no end (contract 2.2). */
static bool is_altered(const json_t *robot, const char *space) {
    const json_t *permissions = json_object_get(robot, "permissions");
    const json_t *expires_at = json_object_get(robot, "expires_at");
    bool ends = json_is_integer(expires_at) && json_integer_value(expires_at) != -1;
    return ends || json_array_size(permissions) != 1 ||
           !is_our_right(json_array_get(permissions, 0), space);
}

static bool is_our_right(const json_t *permission, const char *space) {
    const json_t *access = json_object_get(permission, "access");
    const json_t *right = json_array_get(access, 0);
    const char *kind = berth_harbor_text_of(permission, "kind");
    const char *namespace = berth_harbor_text_of(permission, "namespace");
    const char *resource = berth_harbor_text_of(right, "resource");
    const char *action = berth_harbor_text_of(right, "action");
    const char *effect = berth_harbor_text_of(right, "effect"); /* None is "allow". */
    return json_array_size(access) == 1 && kind != NULL && strcmp(kind, "project") == 0 &&
           namespace != NULL && (space[0] == 0 || strcmp(namespace, space) == 0) &&
           resource != NULL && strcmp(resource, "repository") == 0 && action != NULL &&
           strcmp(action, "pull") == 0 &&
           (effect == NULL || effect[0] == 0 || strcmp(effect, "allow") == 0);
}

/* The project's name stands before the "+", behind a prefix that only Harbor knows. */
static bool is_of_space(const char *login_name, const char *plus, const char *space) {
    size_t before = (size_t)(plus - login_name);
    size_t len = strlen(space); /* 0 when the call goes by id alone. */
    return before >= len && memcmp(plus - len, space, len) == 0;
}

/* The marker of harbor.h, or one of old without a key, and the name that this workspace's robot
 * has.
 */
static void read_marker(const char *description, const struct berth_robot_marker *marker,
                        const char *short_name, struct berth_harbor_robot *robot) {
    const char *rest = after(description, "berth=");
    rest = rest == NULL ? NULL : after(rest, marker->deployment);
    const char *key = rest == NULL ? NULL : after(rest, ";key=");
    size_t key_len = key == NULL ? 0 : strcspn(key, ";");
    const char *workspace = rest == NULL ? NULL : after(key == NULL ? rest : key + key_len, ";ws=");
    if (workspace == NULL || !berth_workspace_id_legal(workspace)) {
        return;
    }
    char expected[BERTH_ROBOT_NAME_BYTES];
    berth_robot_name(workspace, expected);
    if (strcmp(expected, short_name) != 0) {
        return;
    }
    bool same_key = key != NULL && strlen(marker->key_id) == key_len &&
                    memcmp(marker->key_id, key, key_len) == 0;
    robot->ours = key == NULL || same_key || marker->key_id[0] == 0;
    robot->kin = !robot->ours;
    robot->outdated = !same_key;
    berth_harbor_copy_text(robot->workspace, BERTH_WORKSPACE_BYTES, workspace);
}

/* What follows a beginning; NULL: it begins otherwise. */
static const char *after(const char *text, const char *start) {
    size_t len = strlen(start);
    return strncmp(text, start, len) == 0 ? text + len : NULL;
}
