/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/command.h"

#include "berth/base/assert.h"

const char *berth_command_type_name(enum berth_command_type type) {
    static const char *const names[BERTH_COMMAND_TYPES] = {
        [BERTH_CREATE_SPACE] = "CreateSpace",
        [BERTH_UPDATE_SPACE] = "UpdateSpace",
        [BERTH_DELETE_SPACE] = "DeleteSpace",
        [BERTH_BIND_WORKSPACE] = "BindWorkspace",
        [BERTH_UNBIND_WORKSPACE] = "UnbindWorkspace",
        [BERTH_SET_WORKSPACE_BINDINGS] = "SetWorkspaceBindings",
    };
    BERTH_ASSERT((unsigned)type < BERTH_COMMAND_TYPES);
    return names[type];
}
