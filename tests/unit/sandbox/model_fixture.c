/* SPDX-License-Identifier: Apache-2.0 */
#include "model_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

int fixture_setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    const struct berth_model_options options = {.admin_password = "Harbor12345", .now_ms = NOW_MS};
    fixture->model = berth_model_new(&options);
    fixture->berth =
        berth_model_as_user(berth_model_add_user(fixture->model, 3, "berth", "Secret123", true));
    fixture->carol =
        berth_model_as_user(berth_model_add_user(fixture->model, 4, "carol", "Secret456", false));
    fixture->anonymous = berth_model_as_anonymous();
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state) {
    struct fixture *fixture = *state;
    berth_model_free(fixture->model);
    free(fixture);
    return 0;
}

struct berth_model_project_ref by_name(const char *name) {
    return (struct berth_model_project_ref){.text = name, .is_name = true};
}

struct berth_model_project_ref by_id_or_name(const char *text) {
    return (struct berth_model_project_ref){.text = text};
}

int64_t create_project(struct fixture *fixture, const struct berth_model_caller *caller,
                       const char *name, int expected_status) {
    const struct berth_model_project_request request = {.name = name};
    const struct berth_model_project *project = NULL;
    struct berth_model_verdict verdict =
        berth_model_create_project(fixture->model, caller, &request, NOW_MS, &project);
    assert_int_equal(verdict.status, expected_status);
    return project == NULL ? 0 : project->id;
}

void delete_project(struct fixture *fixture, const struct berth_model_caller *caller,
                    const char *name, int expected_status) {
    struct berth_model_verdict verdict =
        berth_model_delete_project(fixture->model, caller, by_name(name));
    assert_int_equal(verdict.status, expected_status);
}

int64_t create_pull_robot(struct fixture *fixture, const struct berth_model_caller *caller,
                          const char *project, const char *name, const char *secret,
                          int expected_status) {
    const struct berth_model_access pull = {
        .resource = "repository", .action = "pull", .effect = ""};
    const struct berth_model_permission permission = {
        .kind = "project", .namespace = project, .access = &pull, .access_count = 1};
    const struct berth_model_robot_request request = {
        .name = name,
        .level = "project",
        .description = "",
        .duration_days = -1,
        .has_duration = true,
        .permissions = &permission,
        .permission_count = 1,
    };
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict =
        berth_model_create_robot(fixture->model, caller, &request, secret, NOW_MS, &robot);
    assert_int_equal(verdict.status, expected_status);
    return robot == NULL ? 0 : robot->id;
}

int64_t project_id(const struct fixture *fixture, const char *name) {
    const struct berth_model_project *project =
        berth_model_find_project(fixture->model, by_name(name));
    return project == NULL ? 0 : project->id;
}

struct berth_model_caller login(const struct fixture *fixture, const char *name,
                                const char *secret) {
    return berth_model_authenticate(fixture->model, name, secret, NOW_MS);
}
