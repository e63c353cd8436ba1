/* SPDX-License-Identifier: Apache-2.0 */
#include "send_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

/* Options without a letter of their own. */
enum {
    KEY_PUBLIC = 0x100,
    KEY_PRIVATE,
    KEY_NONE,
    KEY_QUOTA,
    KEY_ADOPT,
    KEY_UNBIND,
    KEY_ID,
    KEY_TOPIC,
    KEY_RAW,
    KEY_NO_CHECK,
};

/* The options that only some commands have. */
#define USES_WORKSPACES 1U
#define USES_VISIBILITY 2U
#define USES_QUOTA      4U
#define USES_ADOPT      8U
#define USES_UNBIND     16U
#define USES_NONE       32U

static const struct {
    const char *name;
    enum berth_command_type type;
    unsigned uses;
} commands[] = {
    {"create-space", BERTH_CREATE_SPACE, USES_VISIBILITY | USES_QUOTA | USES_ADOPT},
    {"update-space", BERTH_UPDATE_SPACE, USES_VISIBILITY | USES_QUOTA},
    {"delete-space", BERTH_DELETE_SPACE, USES_UNBIND},
    {"bind-workspace", BERTH_BIND_WORKSPACE, USES_WORKSPACES},
    {"unbind-workspace", BERTH_UNBIND_WORKSPACE, USES_WORKSPACES},
    {"set-workspace-bindings", BERTH_SET_WORKSPACE_BINDINGS, USES_WORKSPACES | USES_NONE},
};

static const struct {
    unsigned use;
    const char *option;
} uses[] = {
    {USES_WORKSPACES, "--workspace"}, {USES_VISIBILITY, "--public and --private"},
    {USES_QUOTA, "--quota"},          {USES_ADOPT, "--adopt"},
    {USES_UNBIND, "--unbind"},        {USES_NONE, "--none"},
};

static error_t parse(int key, char *argument, struct argp_state *state);
static error_t parse_plain(int key, char *argument, struct cli_send_request *request);
static error_t parse_visibility(struct cli_send_request *request, struct argp_state *state,
                                enum berth_visibility visibility);
static error_t parse_command(struct cli_send_request *request, struct argp_state *state,
                             const char *name);
static error_t add_workspace(struct cli_send_request *request, const char *workspace);
static error_t finish(struct cli_send_request *request, struct argp_state *state);
static error_t fail(const struct argp_state *state, const char *format, ...) BERTH_PRINTF(2, 3);
static error_t check_uses(const struct cli_send_request *request, struct argp_state *state);
static bool anything_given(const struct cli_send_request *request);

static const struct argp_option options[] = {
    {.name = "registry", .key = 'r', .arg = "NAME", .doc = "The registry, as configured"},
    {.name = "space", .key = 's', .arg = "NAME", .doc = "The registry space"},
    {.name = "workspace",
     .key = 'w',
     .arg = "ID",
     .doc = "A workspace to bind or unbind; may be given several times"},
    {.name = "none",
     .key = KEY_NONE,
     .doc = "set-workspace-bindings: leave no workspace bound (instead of --workspace)"},
    {.name = "public", .key = KEY_PUBLIC, .doc = "Everybody may pull"},
    {.name = "private", .key = KEY_PRIVATE, .doc = "Only bound workspaces may pull"},
    {.name = "quota",
     .key = KEY_QUOTA,
     .arg = "SIZE",
     .doc = "Storage limit: bytes, with K, M, G or T (10G, 10GiB) for powers of 1024, or "
            "unlimited (-1)"},
    {.name = "adopt", .key = KEY_ADOPT, .doc = "create-space: take a project over that exists"},
    {.name = "unbind",
     .key = KEY_UNBIND,
     .doc = "delete-space: also if workspaces are still bound"},
    {.name = "actor",
     .key = 'a',
     .arg = "NAME",
     .doc = "Who asks, for the audit (default: your login name)"},
    {.name = "id",
     .key = KEY_ID,
     .arg = "UUID",
     .doc = "The command's id (default: a new one); the same id is never done twice"},
    {.doc = "For trying bad input:"},
    {.name = "topic",
     .key = KEY_TOPIC,
     .arg = "TOPIC",
     .doc = "Where it is sent (default: the registry's command topic)"},
    {.name = "key", .key = 'k', .arg = "KEY", .doc = "The record's key (default: REGISTRY/SPACE)"},
    {.name = "raw", .key = KEY_RAW, .arg = "FILE", .doc = "Sends the bytes of FILE as they are"},
    {.name = "no-check",
     .key = KEY_NO_CHECK,
     .doc = "Sends it even if berthd is going to refuse it"},
    {0},
};

const struct argp cli_send_request_argp = {
    .options = options, .parser = parse, .args_doc = "COMMAND"};

void cli_send_request_deinit(struct cli_send_request *request) {
    free(request->workspaces);
    *request = (struct cli_send_request){0};
}

bool cli_parse_quota(const char *text, int64_t *ret_bytes) {
    static const char units[] = "KMGTkmgt";
    if (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0) { /* As quota_bytes says it. */
        *ret_bytes = BERTH_QUOTA_UNLIMITED;
        return true;
    }
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    const char *unit = text + digits;
    int shift = 0;
    if (*unit != '\0') {
        const char *known = strchr(units, *unit);
        bool binary = strcmp(unit + 1, "") == 0 || strcasecmp(unit + 1, "i") == 0 ||
                      strcasecmp(unit + 1, "iB") == 0;
        if (known == NULL || !binary) {
            return false;
        }
        shift = 10 * ((int)(known - units) % 4 + 1);
    }
    if (digits == 0 || errno != 0 || number > INT64_MAX >> shift) {
        return false;
    }
    *ret_bytes = (int64_t)((uint64_t)number << shift);
    return true;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct cli_send_request *request = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        if ((state->flags & ARGP_NO_EXIT) != 0) {
            state->err_stream = NULL; /* A line of a batch has no --help to be pointed to. */
        }
        return 0;
    case ARGP_KEY_ARG:
        return parse_command(request, state, argument);
    case KEY_PUBLIC:
        return parse_visibility(request, state, BERTH_PUBLIC);
    case KEY_PRIVATE:
        return parse_visibility(request, state, BERTH_PRIVATE);
    case KEY_QUOTA:
        request->used |= USES_QUOTA;
        request->quota_given = true;
        if (!cli_parse_quota(argument, &request->quota_bytes)) {
            return fail(
                state,
                "--quota %s: must be bytes, or a size such as 10G or 10GiB (powers of 1024; "
                "GB would be another number), or unlimited",
                argument);
        }
        return 0;
    case ARGP_KEY_END:
        return finish(request, state);
    default:
        return parse_plain(key, argument, request);
    }
}

static error_t parse_plain(int key, char *argument, struct cli_send_request *request) {
    switch (key) {
    case 'r':
        request->registry = argument;
        return 0;
    case 's':
        request->space = argument;
        return 0;
    case 'w':
        request->used |= USES_WORKSPACES;
        return add_workspace(request, argument);
    case 'a':
        request->actor = argument;
        return 0;
    case 'k':
        request->key = argument;
        return 0;
    case KEY_NONE:
        request->used |= USES_NONE;
        return 0;
    case KEY_ADOPT:
        request->used |= USES_ADOPT;
        request->adopt = true;
        return 0;
    case KEY_UNBIND:
        request->used |= USES_UNBIND;
        request->unbind = true;
        return 0;
    case KEY_ID:
        request->id = argument;
        return 0;
    case KEY_TOPIC:
        request->topic = argument;
        return 0;
    case KEY_RAW:
        request->raw = argument;
        return 0;
    case KEY_NO_CHECK:
        request->no_check = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_visibility(struct cli_send_request *request, struct argp_state *state,
                                enum berth_visibility visibility) {
    if (request->visibility != BERTH_VISIBILITY_UNSET && request->visibility != visibility) {
        return fail(state, "either --public or --private");
    }
    request->used |= USES_VISIBILITY;
    request->visibility = visibility;
    return 0;
}

static error_t parse_command(struct cli_send_request *request, struct argp_state *state,
                             const char *name) {
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!request->typed && strcmp(commands[i].name, name) == 0) {
            request->typed = true;
            request->type = commands[i].type;
            return 0;
        }
    }
    bool another = request->workspaces_count > 0;
    if (request->typed) {
        return fail(state, "%s: there is one command already%s%s", name,
                    another ? "; another workspace has an option of its own: --workspace " : "",
                    another ? name : "");
    }
    return fail(state,
                "%s: must be create-space, update-space, delete-space, bind-workspace, "
                "unbind-workspace or set-workspace-bindings%s%s",
                name, another ? "; another workspace has an option of its own: --workspace " : "",
                another ? name : "");
}

static error_t add_workspace(struct cli_send_request *request, const char *workspace) {
    const char **workspaces =
        reallocarray(request->workspaces, request->workspaces_count + 1, sizeof(*workspaces));
    if (workspaces == NULL) {
        return ENOMEM;
    }
    workspaces[request->workspaces_count++] = workspace;
    request->workspaces = workspaces;
    return 0;
}

/* What is missing, and options of other commands. */
static error_t finish(struct cli_send_request *request, struct argp_state *state) {
    if (request->in_batch) {
        if (anything_given(request)) {
            return fail(state, "--batch takes commands and their options from FILE");
        }
        return 0;
    }
    if (request->raw != NULL) {
        if (request->typed || request->used != 0) {
            return fail(state, "--raw sends a file, not a command with options");
        }
        if (request->topic == NULL && request->registry == NULL) {
            return fail(state, "--raw needs --topic or --registry");
        }
        return 0;
    }
    if (!request->typed || request->registry == NULL || request->space == NULL) {
        return fail(state, "needs %s",
                    !request->typed ? "a command, such as create-space" : "--registry and --space");
    }
    return check_uses(request, state);
}

static error_t check_uses(const struct cli_send_request *request, struct argp_state *state) {
    unsigned allowed = 0;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        allowed |= commands[i].type == request->type ? commands[i].uses : 0;
    }
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        if ((request->used & uses[i].use & ~allowed) != 0) {
            return fail(state, "%s: not for %s", uses[i].option,
                        berth_command_type_name(request->type));
        }
    }
    /* The whole set is replaced: workspaces that were forgotten must not unbind everybody. */
    bool named = (request->used & USES_WORKSPACES) != 0;
    bool none = (request->used & USES_NONE) != 0;
    if (request->type == BERTH_SET_WORKSPACE_BINDINGS && named == none) {
        return fail(state, "set-workspace-bindings %s",
                    named ? "takes either --workspace or --none"
                          : "needs --workspace, or --none to leave no workspace bound");
    }
    return 0;
}

/* Says what is wrong, after the name of the program or of the line; the program ends with it. */
static error_t fail(const struct argp_state *state, const char *format, ...) {
    (void)fprintf(stderr, "%s: ", state->name);
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    if ((state->flags & ARGP_NO_EXIT) == 0) {
        exit(CLI_USAGE);
    }
    return EINVAL;
}

static bool anything_given(const struct cli_send_request *request) {
    return request->typed || request->used != 0 || request->no_check || request->registry != NULL ||
           request->space != NULL || request->actor != NULL || request->id != NULL ||
           request->topic != NULL || request->key != NULL || request->raw != NULL;
}
