/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of robots and their indexes, without a word about rights. Private to harbor_robots.c.
 */
#ifndef BERTH_SANDBOX_HARBOR_ROBOT_ROWS_H
#define BERTH_SANDBOX_HARBOR_ROBOT_ROWS_H

#include "harbor_model_rows.h"

/* A robot with the request's permissions, whose scopes were checked; secret and times are left to
 * the caller. project_id 0: of the system. A project that is gone makes it an orphan. */
struct robot_row *berth_model_add_robot(struct berth_model *model,
                                        const struct berth_model_caller *caller, int64_t id,
                                        const struct berth_model_robot_request *request,
                                        const char *name, int64_t project_id);

/* By Harbor's key: stored name and project. */
bool berth_model_robot_exists(const struct berth_model *model, const char *name,
                              int64_t project_id);

/* The system's with project 0. Of a deleted project only orphans: the others went with it. The
 * caller frees the array. */
const void **berth_model_robots_of(const struct berth_model *model, int64_t project_id,
                                   size_t *ret_count);

void berth_model_replace_permissions(const struct berth_model *model, struct robot_row *robot,
                                     const struct berth_model_robot_request *request);

#endif
