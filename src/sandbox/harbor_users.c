/* SPDX-License-Identifier: Apache-2.0 */
/* Local users: made, found and deleted. Source: src/server/v2.0/handler/user.go. */
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_members.h"
#include "harbor_model_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

static struct berth_model_user *row_of(const struct berth_model *model, int64_t id);

const struct berth_model_user *berth_model_add_user(struct berth_model *model, int64_t id,
                                                    const char *name, const char *password,
                                                    bool sysadmin) {
    BERTH_ASSERT(model->user_count < BERTH_MODEL_USERS_MAX);
    for (size_t i = 0; i < model->user_count; i++) {
        BERTH_ASSERT(model->users[i]->view.id != id);
    }
    BERTH_ASSERT(berth_model_find_user(model, name) == NULL);
    struct user_row *user = berth_sandbox_alloc(sizeof(*user));
    model->users[model->user_count++] = user;
    user->view =
        (struct berth_model_user){.id = id, .name = berth_sandbox_copy(name), .sysadmin = sysadmin};
    user->password = berth_sandbox_copy(password);
    model->user_id_next = id >= model->user_id_next ? id + 1 : model->user_id_next;
    return &user->view;
}

const struct berth_model_user *berth_model_find_user(const struct berth_model *model,
                                                     const char *name) {
    for (size_t i = 0; i < model->user_count; i++) {
        const struct berth_model_user *user = &model->users[i]->view;
        if (!user->deleted && strcmp(user->name, name) == 0) {
            return user;
        }
    }
    return NULL;
}

const struct berth_model_user *berth_model_find_user_id(const struct berth_model *model,
                                                        int64_t id) {
    return row_of(model, id);
}

bool berth_model_is_login_of(const struct berth_model_user *user, const char *login) {
    size_t len = strlen(user->name);
    return strncmp(user->name, login, len) == 0 &&
           (login[len] == '\0' || strcmp(login + len, "@example.com") == 0);
}

struct berth_model_verdict berth_model_create_user(struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   const char *name, const char *password,
                                                   const struct berth_model_user **ret_user) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (berth_model_is_ok(&verdict)) {
        verdict = berth_model_require_system(model, caller, "user", "create");
    }
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (!berth_model_rules_secret_legal(password)) {
        return berth_model_error("BAD_REQUEST",
                                 "the password or secret must be longer than 8 chars with at least"
                                 " 1 uppercase letter, 1 lowercase letter and 1 number");
    }
    if (name[0] == '\0' || strlen(name) > BERTH_MODEL_NAME_BYTES_MAX ||
        strpbrk(name, ",~#$%") != NULL) {
        return berth_model_error("BAD_REQUEST", "username with illegal length or characters");
    }
    if (berth_model_find_user(model, name) != NULL) {
        return berth_model_error("CONFLICT", "user %s or its email address already exists", name);
    }
    if (model->user_count == BERTH_MODEL_USERS_MAX) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    *ret_user = berth_model_add_user(model, model->user_id_next, name, password, false);
    return berth_model_ok(201);
}

void berth_model_make_sysadmin(struct berth_model *model, int64_t id) {
    struct berth_model_user *user = row_of(model, id);
    BERTH_ASSERT(user != NULL);
    user->sysadmin = true;
}

/* The row stays, since projects and robots point at it. */
struct berth_model_verdict berth_model_delete_user(struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   int64_t id) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (berth_model_is_ok(&verdict)) {
        verdict = berth_model_require_system(model, caller, "user", "delete");
    }
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    bool himself = caller->kind == BERTH_MODEL_USER && caller->user->id == id;
    if (id == BERTH_MODEL_ADMIN_ID || himself) {
        return berth_model_error("FORBIDDEN", "User with ID %lld cannot be deleted", (long long)id);
    }
    struct berth_model_user *user = row_of(model, id);
    if (user == NULL) {
        return berth_model_error("NOT_FOUND", "user %lld not found", (long long)id);
    }
    user->deleted = true;
    return verdict;
}

static struct berth_model_user *row_of(const struct berth_model *model, int64_t id) {
    for (size_t i = 0; i < model->user_count; i++) {
        struct berth_model_user *user = &model->users[i]->view;
        if (!user->deleted && user->id == id) {
            return user;
        }
    }
    return NULL;
}
