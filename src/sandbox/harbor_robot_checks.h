/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Harbor checks in a robot request before it writes anything. Shared by harbor_robots.c and
 * harbor_robot_checks.c only.
 */
#ifndef BERTH_SANDBOX_HARBOR_ROBOT_CHECKS_H
#define BERTH_SANDBOX_HARBOR_ROBOT_CHECKS_H

#include "harbor_model_rows.h"

/*
 * Everything about a create that comes before the insert: body, rights, the project (NULL for a
 * system robot). 200, 400, 401, 403, 404.
 */
struct berth_model_verdict berth_model_check_robot_create(
    const struct berth_model *model, const struct berth_model_caller *caller,
    const struct berth_model_robot_request *request, const struct project_row **ret_project);

/* Duration, level and permissions of a create or an update. 200 or 400. */
struct berth_model_verdict
berth_model_check_robot_body(const struct berth_model_robot_request *request,
                             int64_t duration_days);

/* Whether each permission's namespace is there: 200, 400, 404. Harbor finds out after the insert
 * and rolls it back. */
struct berth_model_verdict
berth_model_check_permission_scopes(const struct berth_model *model,
                                    const struct berth_model_robot_request *request);

#endif
