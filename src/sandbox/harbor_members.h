/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of projects, and local users (part of the model: harbor_model.h says how it behaves).
 * Source: src/server/v2.0/handler/{member,user}.go, src/pkg/member/dao/dao.go.
 * Not modelled: members that are groups.
 */
#ifndef BERTH_SANDBOX_HARBOR_MEMBERS_H
#define BERTH_SANDBOX_HARBOR_MEMBERS_H

#include "harbor_model.h"

struct berth_model_member {
    int64_t id;
    int64_t project_id;
    const struct berth_model_user *user;
    int64_t role;
};

/* A member as a body names him: by id if there is one, else by name. */
struct berth_model_member_request {
    int64_t role;
    int64_t user_id; /* 0: not given. */
    const char *user_name;
};

/* 201 with the member; 400, 401, 403, 404, 409 whatever his role is. */
struct berth_model_verdict berth_model_add_member(struct berth_model *model,
                                                  const struct berth_model_caller *caller,
                                                  struct berth_model_project_ref ref,
                                                  const struct berth_model_member_request *request,
                                                  const struct berth_model_member **ret_member);

/* The two halves of it, like those of a robot's create. When somebody else was faster in between,
 * the second deletes and inserts, as Harbor does: it answers 201 if it deletes what the other one
 * has made, and 500 if it only meets that when it inserts, since Harbor doesn't know the unique
 * key's error here. One after the other, by turns. */
struct berth_model_verdict berth_model_read_for_member(
    const struct berth_model *model, const struct berth_model_caller *caller,
    struct berth_model_project_ref ref, const struct berth_model_member_request *request,
    struct berth_model_reading *ret_reading);
struct berth_model_verdict berth_model_join_member(struct berth_model *model,
                                                   const struct berth_model_member_request *request,
                                                   const struct berth_model_reading *reading,
                                                   const struct berth_model_member **ret_member);

/* 200 whether or not there is such a member, and whatever the role. */
struct berth_model_verdict berth_model_update_member(struct berth_model *model,
                                                     const struct berth_model_caller *caller,
                                                     struct berth_model_project_ref ref,
                                                     int64_t member_id, int64_t role);

/* 200 whether or not there was such a member; 400 for id 0. */
struct berth_model_verdict berth_model_delete_member(struct berth_model *model,
                                                     const struct berth_model_caller *caller,
                                                     struct berth_model_project_ref ref,
                                                     int64_t member_id);

/* 200 with the member, 401, 403, 404. */
struct berth_model_verdict berth_model_get_member(const struct berth_model *model,
                                                  const struct berth_model_caller *caller,
                                                  struct berth_model_project_ref ref,
                                                  int64_t member_id,
                                                  const struct berth_model_member **ret_member);

/* 200 with a page of struct berth_model_member, whose total ignores the name, as Harbor's does.
 * user_name NULL: all. */
struct berth_model_verdict berth_model_list_members(const struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    struct berth_model_project_ref ref,
                                                    const char *user_name,
                                                    const struct berth_model_query *query,
                                                    struct berth_model_query_page *ret_page);

/* The user's role in the project, 0 if he has none. */
int64_t berth_model_role(const struct berth_model_project *project, int64_t user_id);

/* Whether the caller is projectAdmin of any project. */
bool berth_model_administers(const struct berth_model *model,
                             const struct berth_model_caller *caller);

/* How many members have this role. */
int64_t berth_model_role_count(const struct berth_model_project *project, int64_t role);

/* As Harbor says it: "projectAdmin"; "" for a number that is no role. */
const char *berth_model_role_name(int64_t role);

/* A live user, or NULL. */
const struct berth_model_user *berth_model_find_user(const struct berth_model *model,
                                                     const char *name);
const struct berth_model_user *berth_model_find_user_id(const struct berth_model *model,
                                                        int64_t id);

/* Whether a login by this name is the user's: Harbor takes his mail address as well, which here is
 * his name at example.com. His projects are owned by his name all the same. */
bool berth_model_is_login_of(const struct berth_model_user *user, const char *login);

/* What a system administrator does: 201 with the user; 400, 401, 403, 409. */
struct berth_model_verdict berth_model_create_user(struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   const char *name, const char *password,
                                                   const struct berth_model_user **ret_user);

/* The user, who is there (asserted), is a system administrator from now on. */
void berth_model_make_sysadmin(struct berth_model *model, int64_t id);

/* 200, 401, 403, 404. The user logs in no more; what he owns stays his. */
struct berth_model_verdict berth_model_delete_user(struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   int64_t id);

#endif
