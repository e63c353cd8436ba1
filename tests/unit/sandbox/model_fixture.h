/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Harbor for the tests of its rules: users admin and berth are system administrators, carol is a
 * user without rights of her own.
 */
#ifndef BERTH_TESTS_MODEL_FIXTURE_H
#define BERTH_TESTS_MODEL_FIXTURE_H

#include "harbor_model.h"

#define NOW_MS INT64_C(1795000000000)

struct fixture {
    struct berth_model *model;
    struct berth_model_caller berth;
    struct berth_model_caller carol;
    struct berth_model_caller anonymous;
};

/* For cmocka's setup and teardown. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct berth_model_project_ref by_name(const char *name);
struct berth_model_project_ref by_id_or_name(const char *text);

/* These assert the status that is expected. */
int64_t create_project(struct fixture *fixture, const struct berth_model_caller *caller,
                       const char *name, int expected_status);
void delete_project(struct fixture *fixture, const struct berth_model_caller *caller,
                    const char *name, int expected_status);

/* A project robot with repository:pull on the project, and its secret. 0 unless created. */
int64_t create_pull_robot(struct fixture *fixture, const struct berth_model_caller *caller,
                          const char *project, const char *name, const char *secret,
                          int expected_status);

/* The id of a project by name, 0 if there is none. */
int64_t project_id(const struct fixture *fixture, const char *name);

/* A caller logged in with full name and secret. */
struct berth_model_caller login(const struct fixture *fixture, const char *name,
                                const char *secret);

#endif
