/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules: what Harbor accepts as a name, a secret, a duration and a right.
 *
 * Source: goharbor/harbor, src/server/v2.0/handler/robot.go, src/pkg/project/manager.go,
 * src/controller/robot/controller.go and src/common/rbac/const.go of 2.16-dev; unchanged since 2.10
 * except where a line says otherwise.
 */
#ifndef BERTH_SANDBOX_HARBOR_RULES_H
#define BERTH_SANDBOX_HARBOR_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns: project.name, robot.name (with "<project>+") and robot.description. */
#define BERTH_MODEL_NAME_BYTES_MAX        255
#define BERTH_MODEL_DESCRIPTION_BYTES_MAX 1024
#define BERTH_MODEL_SECRET_BYTES_MIN      8
#define BERTH_MODEL_SECRET_BYTES_MAX      128
/* 1024 TiB, the highest quota. */
#define BERTH_MODEL_STORAGE_BYTES_MAX INT64_C(1125899906842624)
#define BERTH_MODEL_UNLIMITED         (-1)

/* Roles of members. */
#define BERTH_MODEL_ROLE_ADMIN         1
#define BERTH_MODEL_ROLE_DEVELOPER     2
#define BERTH_MODEL_ROLE_GUEST         3
#define BERTH_MODEL_ROLE_MAINTAINER    4
#define BERTH_MODEL_ROLE_LIMITED_GUEST 5

/* ^[a-z0-9]+(?:[._-][a-z0-9]+)*$, for projects and for the short names of robots. */
bool berth_model_rules_name_legal(const char *name);

/* 8 to 128 bytes with a lower-case letter, an upper-case letter and a digit. */
bool berth_model_rules_secret_legal(const char *secret);

/* -1 (never) or 1 to 2^31 - 2 days. Up to 2.10 Harbor took 0 as well. */
bool berth_model_rules_duration_legal(int64_t days);

/* -1 (unlimited) or 1 to BERTH_MODEL_STORAGE_BYTES_MAX. */
bool berth_model_rules_storage_legal(int64_t bytes);

/* Whether a robot may hold this right in a project (Harbor 2.9 and older took anything). */
bool berth_model_rules_project_right(const char *resource, const char *action);

/* The same for a permission of kind "system". */
bool berth_model_rules_system_right(const char *resource, const char *action);

/* Whether a member with this role may do this in his project; role 0 is none. As far as there is
 * something here to do (src/common/rbac/project/rbac_role.go). */
bool berth_model_rules_role_may(int64_t role, const char *resource, const char *action);

/* The rights that robots may hold in a project or in the system, one after another. False: there
 * are no more. */
bool berth_model_rules_right_at(bool of_project, size_t index, const char **ret_resource,
                                const char **ret_action);

/* Keys of a project's metadata besides "public": 0 to BERTH_MODEL_METADATA_COUNT - 1. */
const char *berth_model_rules_metadata_key(size_t index);

/* Whether a key's value is a bool in words; the others are text. */
bool berth_model_rules_metadata_is_flag(size_t index);

/* What "public" counts as for access: "true" in any case, or "1". Lists compare otherwise. */
bool berth_model_rules_truth(const char *text);

#endif
