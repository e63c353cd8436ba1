/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories, as far as they hold up the delete of their project. */
#include <stdlib.h>
#include <string.h>

#include "harbor_model_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

struct berth_model_verdict berth_model_put_repository(struct berth_model *model,
                                                      const char *project_name,
                                                      const char *repository) {
    struct project_row *project = berth_model_project_by_name(model, project_name);
    if (project == NULL) {
        return berth_model_error("NOT_FOUND", "project %s not found", project_name);
    }
    if (!berth_model_rules_name_legal(repository) ||
        strlen(repository) > BERTH_MODEL_NAME_BYTES_MAX ||
        project->view.repository_count == BERTH_MODEL_REPOSITORIES_MAX) {
        return berth_model_error("BAD_REQUEST",
                                 "the repository's name is not legal, or there are"
                                 " %d already",
                                 BERTH_MODEL_REPOSITORIES_MAX);
    }
    struct repository_row *row = NULL;
    HASH_FIND_STR(project->repositories, repository, row);
    if (row != NULL) {
        return berth_model_ok(200);
    }
    row = berth_sandbox_alloc(sizeof(*row));
    row->name = berth_sandbox_copy(repository);
    HASH_ADD_KEYPTR(hh, project->repositories, row->name, strlen(row->name), row);
    project->view.repository_count++;
    return berth_model_ok(201);
}

struct berth_model_verdict berth_model_remove_repository(struct berth_model *model,
                                                         const char *project_name,
                                                         const char *repository) {
    struct project_row *project = berth_model_project_by_name(model, project_name);
    struct repository_row *row = NULL;
    if (project != NULL) {
        HASH_FIND_STR(project->repositories, repository, row);
    }
    if (row == NULL) {
        return berth_model_error("NOT_FOUND", "repository %s/%s not found", project_name,
                                 repository);
    }
    HASH_DEL(project->repositories, row);
    free(row->name);
    free(row);
    project->view.repository_count--;
    return berth_model_ok(200);
}

void berth_model_drop_repositories(struct project_row *project) {
    struct repository_row *next = project->repositories;
    HASH_CLEAR(hh, project->repositories);
    while (next != NULL) {
        struct repository_row *repository = next;
        next = repository->hh.next;
        free(repository->name);
        free(repository);
    }
}
