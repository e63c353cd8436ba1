/* SPDX-License-Identifier: Apache-2.0 */
/* berth pull-secret: with what a workspace pulls from the spaces that it is bound to. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"
#include "cli.h"
#include "credential.h"
#include "key.h"
#include "lookups.h"
#include "pull_proof.h"
#include "robot_login.h"

/* A workspace is bound to at most so many spaces; with more, nothing is printed. */
#define BINDINGS_MAX 10000

/* Options without a letter of their own. */
enum {
    KEY_KEY_FILE = 0x100,
    KEY_NAME,
    KEY_NAMESPACE,
    KEY_NO_VERIFY,
};

enum form {
    FORM_K8S,
    FORM_DOCKER,
    FORM_USER_PASSWORD,
    FORM_JSON,
};

static const char *const form_names[] = {
    [FORM_K8S] = "k8s",
    [FORM_DOCKER] = "dockerconfigjson",
    [FORM_USER_PASSWORD] = "user-password",
    [FORM_JSON] = "json",
};

/* Whose bindings, and which of them. */
struct query {
    const char *workspace;
    const char *registry; /* NULL: any. */
    const char *space;    /* NULL: any. */
};

struct bindings {
    const struct berth_config *config;
    const struct query *query;
    struct cli_binding *items; /* Owned; by registry and space. */
    size_t count;
    size_t capacity;
    enum cli_exit status;
};

struct arguments {
    struct cli_common common;
    struct query query;
    enum form form;
    const char *key_file; /* NULL: the configuration's master key. */
    struct cli_k8s_names names;
    bool names_given;
    bool no_verify;
};

static error_t parse(int key, char *argument, struct argp_state *state);
static void parse_form(struct arguments *arguments, struct argp_state *state, const char *name);
static void check(const struct arguments *arguments, struct argp_state *state);
static enum cli_exit run(struct cli *cli, const void *input);
static enum cli_exit read_bindings(struct bindings *bindings);
static bool add_page(void *ctx, const struct berth_lookup_answer *answer);
static enum cli_exit add_space(struct bindings *bindings, const struct berth_lookup_space *space);
static enum cli_exit make_room(struct bindings *bindings);
static enum cli_exit check_bindings(const struct arguments *arguments, const char *key_id,
                                    const struct bindings *bindings);
static enum cli_exit check_key_id(const struct arguments *arguments, const char *key_id,
                                  const struct cli_binding *binding);
static enum cli_exit make_all(const struct berth_config *config, const struct arguments *arguments,
                              const struct cli_key *key, const struct bindings *bindings,
                              struct cli_credential *credentials);
static void mark_cold(const struct berth_config *config, const struct cli_binding *binding);
static enum cli_exit make_one(struct cli_harbor *harbor, const struct arguments *arguments,
                              const struct cli_key *key, const struct cli_binding *binding,
                              struct cli_credential *credential, bool *ret_broken);
static enum cli_exit print(const struct arguments *arguments,
                           const struct cli_credential *credentials, size_t count);

static const struct argp_option options[] = {
    {.name = "workspace", .key = 'w', .arg = "ID", .doc = "The workspace that pulls"},
    {.name = "registry", .key = 'r', .arg = "NAME", .doc = "Only its spaces of this registry"},
    {.name = "space", .key = 's', .arg = "NAME", .doc = "Only the space of this name"},
    {.name = "output",
     .key = 'o',
     .arg = "FORM",
     .doc = "k8s (default): the manifest of a Kubernetes Secret; dockerconfigjson: what is in it; "
            "user-password: lines of space, user and password; json: one JSON object a line"},
    {.name = "json", .key = 'j', .doc = "The same as --output json"},
    {.name = "name",
     .key = KEY_NAME,
     .arg = "NAME",
     .doc = "k8s: the Secret's name (default: registry-secret)"},
    {.name = "namespace", .key = KEY_NAMESPACE, .arg = "NAME", .doc = "k8s: its namespace"},
    {.name = "key-file",
     .key = KEY_KEY_FILE,
     .arg = "FILE",
     .doc = "The key of this workspace alone, as `berth workspace-key` prints it (default: the "
            "master key of the configuration)"},
    {.name = "no-verify",
     .key = KEY_NO_VERIFY,
     .doc = "Don't try the credentials on the registries' token services before they are printed"},
    {0},
};

static const struct argp_child children[] = {{.argp = &cli_common_argp}, {0}};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "--workspace ID",
    .doc = "Prints the credentials with which a workspace pulls from the spaces that it is bound "
           "to: all of them in the registries of the configuration, or what --registry and --space "
           "leave. Redis is asked for the bindings, Harbor for the robots' login names, and each "
           "credential is tried on the registry's token service."
           "\vIt prints all that was asked for, or nothing. A space whose credential doesn't work "
           "is marked in Redis, so that its next command looks at Harbor first; to bind the "
           "workspace again repairs it.\n\n"
           "Exit status: 0, 1 it isn't bound, or bound under another key, or the credential "
           "doesn't work, or Redis or Harbor refuses, 2 wrong usage, 3 Redis or Harbor doesn't "
           "answer.",
    .children = children,
};

enum cli_exit cli_pull_secret(int argc, char **argv, struct cli_common common) {
    struct arguments arguments = {.common = common, .names = {.name = "registry-secret"}};
    error_t problem = argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    BERTH_ASSERT(problem == 0);
    return cli_with_config(&arguments.common, BERTH_CONFIG_FOR_LOOKUPS, run, &arguments);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->common;
        return 0;
    case 'w':
        arguments->query.workspace = argument;
        return 0;
    case 'r':
        arguments->query.registry = argument;
        return 0;
    case 's':
        arguments->query.space = argument;
        return 0;
    case 'o':
        parse_form(arguments, state, argument);
        return 0;
    case 'j':
        arguments->form = FORM_JSON;
        return 0;
    case KEY_KEY_FILE:
        arguments->key_file = argument;
        return 0;
    case KEY_NAME:
        arguments->names.name = argument;
        arguments->names_given = true;
        return 0;
    case KEY_NAMESPACE:
        arguments->names.name_space = argument;
        arguments->names_given = true;
        return 0;
    case KEY_NO_VERIFY:
        arguments->no_verify = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: berth pull-secret takes only options", argument);
        return 0;
    case ARGP_KEY_END:
        check(arguments, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_form(struct arguments *arguments, struct argp_state *state, const char *name) {
    for (size_t i = 0; i < sizeof(form_names) / sizeof(form_names[0]); i++) {
        if (strcmp(form_names[i], name) == 0) {
            arguments->form = (enum form)i;
            return;
        }
    }
    argp_error(state, "--output must be k8s, dockerconfigjson, user-password or json");
}

static void check(const struct arguments *arguments, struct argp_state *state) {
    if (arguments->query.workspace == NULL) {
        argp_error(state, "needs --workspace");
    } else if (!berth_workspace_id_legal(arguments->query.workspace)) {
        argp_error(state, "--workspace must be 1 to %d letters, digits, '.', '_' and '-'",
                   BERTH_WORKSPACE_BYTES - 1);
    } else if (arguments->names_given && arguments->form != FORM_K8S) {
        argp_error(state, "--name and --namespace are for --output k8s");
    } else if (!cli_k8s_name_legal(arguments->names.name)) {
        argp_error(state,
                   "--name must be a DNS subdomain: lower-case letters, digits, '-' and '.'");
    } else if (arguments->names.name_space != NULL &&
               !cli_k8s_namespace_legal(arguments->names.name_space)) {
        argp_error(state, "--namespace must be lower-case letters, digits and '-', at most 63");
    }
}

static enum cli_exit run(struct cli *cli, const void *input) {
    const struct arguments *arguments = input;
    const struct berth_config *config = cli->config;
    const struct query *query = &arguments->query;
    if (query->registry != NULL && berth_config_find_registry(config, query->registry) == NULL) {
        cli_complain("the configuration has no registry %s", query->registry);
        return CLI_USAGE;
    }
    struct cli_key key = {.key_id = ""};
    struct bindings bindings = {.config = config, .query = query};
    struct cli_credential *credentials = NULL;
    enum cli_exit status = arguments->key_file != NULL
                               ? cli_key_read(arguments->key_file, query->workspace, &key)
                               : cli_key_derive(config, query->workspace, &key);
    if (status == CLI_SUCCEEDED) {
        status = read_bindings(&bindings);
    }
    if (status == CLI_SUCCEEDED) {
        status = check_bindings(arguments, key.key_id, &bindings);
    }
    if (status == CLI_SUCCEEDED) {
        credentials = calloc(bindings.count, sizeof(*credentials));
        status = credentials != NULL ? make_all(config, arguments, &key, &bindings, credentials)
                                     : cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    if (status == CLI_SUCCEEDED) {
        status = print(arguments, credentials, bindings.count);
    }
    if (credentials != NULL) {
        explicit_bzero(credentials, bindings.count * sizeof(*credentials));
    }
    free(credentials);
    free(bindings.items);
    cli_key_wipe(&key);
    return status;
}

/* As lookups list them, which is by registry and space. */
static enum cli_exit read_bindings(struct bindings *bindings) {
    const struct berth_lookup_query query = {.workspace = bindings->query->workspace,
                                             .registry = bindings->query->registry};
    struct cli_lookups lookups = {0};
    enum cli_exit status = cli_lookups_open(bindings->config, true, &lookups);
    if (status == CLI_SUCCEEDED) {
        status = cli_lookups_list(&lookups, &query, 0, add_page, bindings);
    }
    cli_lookups_close(&lookups);
    return status == CLI_SUCCEEDED ? bindings->status : status;
}

static bool add_page(void *ctx, const struct berth_lookup_answer *answer) {
    struct bindings *bindings = ctx;
    for (size_t i = 0; bindings->status == CLI_SUCCEEDED && i < answer->spaces_count; i++) {
        const struct berth_lookup_space *space = &answer->spaces[i];
        const char *wanted = bindings->query->space;
        if (wanted == NULL || strcmp(wanted, space->space) == 0) {
            bindings->status = add_space(bindings, space);
        }
    }
    return bindings->status == CLI_SUCCEEDED;
}

static enum cli_exit add_space(struct bindings *bindings, const struct berth_lookup_space *space) {
    /* Only what berth itself writes: it is printed as it is, into JSON too. */
    if (!berth_harbor_name_legal(space->space)) {
        cli_complain("Redis at %s holds a space's name that isn't one",
                     bindings->config->redis.address);
        return CLI_FAILED;
    }
    const struct berth_binding *binding =
        berth_space_state_find(&space->state, bindings->query->workspace);
    if (binding == NULL) {
        return CLI_SUCCEEDED;
    }
    enum cli_exit status = make_room(bindings);
    if (status == CLI_SUCCEEDED) {
        struct cli_binding *item = &bindings->items[bindings->count++];
        *item = (struct cli_binding){.project_id = space->state.project_id,
                                     .robot_id = binding->robot_id};
        (void)snprintf(item->registry, sizeof(item->registry), "%s", space->registry);
        (void)snprintf(item->space, sizeof(item->space), "%s", space->space);
        (void)snprintf(item->key_id, sizeof(item->key_id), "%s", binding->key_id);
    }
    return status;
}

static enum cli_exit make_room(struct bindings *bindings) {
    if (bindings->count == BINDINGS_MAX) {
        cli_complain("workspace %s is bound to more than %d spaces: take those of one registry or "
                     "space",
                     bindings->query->workspace, BINDINGS_MAX);
        return CLI_FAILED;
    }
    if (bindings->count == bindings->capacity) {
        size_t capacity = bindings->capacity > 0 ? 2 * bindings->capacity : 16;
        struct cli_binding *items = reallocarray(bindings->items, capacity, sizeof(*items));
        if (items == NULL) {
            return cli_fault(BERTH_FAULT_MEMORY, NULL);
        }
        bindings->items = items;
        bindings->capacity = capacity;
    }
    return CLI_SUCCEEDED;
}

/* Before Harbor is asked anything: it has something to print for, and the key is the right one. */
static enum cli_exit check_bindings(const struct arguments *arguments, const char *key_id,
                                    const struct bindings *bindings) {
    const struct query *query = &arguments->query;
    if (bindings->count == 0) {
        cli_complain("workspace %s isn't bound to %s%s%s%s", query->workspace,
                     query->space != NULL ? "space " : "any space",
                     query->space != NULL ? query->space : "",
                     query->registry != NULL ? " of registry " : "",
                     query->registry != NULL ? query->registry : "");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < bindings->count; i++) {
        enum cli_exit status = check_key_id(arguments, key_id, &bindings->items[i]);
        if (status != CLI_SUCCEEDED) {
            return status;
        }
    }
    return CLI_SUCCEEDED;
}

static enum cli_exit check_key_id(const struct arguments *arguments, const char *key_id,
                                  const struct cli_binding *binding) {
    if (strcmp(binding->key_id, key_id) == 0) {
        return CLI_SUCCEEDED;
    }
    if (binding->key_id[0] == '\0') {
        cli_complain("it isn't known whether the secret of %s in %s/%s was ever set: bind the "
                     "workspace again",
                     arguments->query.workspace, binding->registry, binding->space);
    } else {
        cli_complain("the secret of %s in %s/%s was set with the master key whose id is %s; this "
                     "key is of master key %s",
                     arguments->query.workspace, binding->registry, binding->space, binding->key_id,
                     key_id);
    }
    return CLI_FAILED;
}

/* The bindings are sorted by registry: one connection each. */
static enum cli_exit make_all(const struct berth_config *config, const struct arguments *arguments,
                              const struct cli_key *key, const struct bindings *bindings,
                              struct cli_credential *credentials) {
    const struct berth_config_registry *registry = NULL;
    struct cli_harbor *harbor = NULL;
    enum cli_exit status = CLI_SUCCEEDED;
    for (size_t i = 0; status == CLI_SUCCEEDED && i < bindings->count; i++) {
        const struct cli_binding *binding = &bindings->items[i];
        if (registry == NULL || strcmp(registry->name, binding->registry) != 0) {
            registry = berth_config_find_registry(config, binding->registry);
            harbor = cli_harbor_close(harbor);
            status = cli_harbor_open(registry, &harbor);
        }
        bool broken = false;
        if (status == CLI_SUCCEEDED) {
            status = make_one(harbor, arguments, key, binding, &credentials[i], &broken);
        }
        if (broken) {
            mark_cold(config, binding);
        }
    }
    (void)cli_harbor_close(harbor);
    return status;
}

/* Somebody changed it by hand. Who may only read Redis can't do this; the bind that repairs it
 * looks at Harbor all the same. */
static void mark_cold(const struct berth_config *config, const struct cli_binding *binding) {
    struct cli_lookups lookups = {0};
    enum cli_exit status = cli_lookups_open(config, true, &lookups);
    if (status == CLI_SUCCEEDED) {
        status = cli_lookups_doubt(&lookups, binding->registry, binding->space);
    }
    cli_lookups_close(&lookups);
    if (status != CLI_SUCCEEDED) {
        cli_complain("so Redis still shows %s/%s as it was", binding->registry, binding->space);
    }
}

/* ret_broken: the binding isn't in Harbor what it should be. */
static enum cli_exit make_one(struct cli_harbor *harbor, const struct arguments *arguments,
                              const struct cli_key *key, const struct cli_binding *binding,
                              struct cli_credential *credential, bool *ret_broken) {
    const struct berth_config_registry *registry = cli_harbor_registry(harbor);
    const char *workspace = arguments->query.workspace;
    if (registry->pull_host != NULL) {
        (void)snprintf(credential->host, sizeof(credential->host), "%s", registry->pull_host);
    } else if (!cli_image_host(registry->url, credential->host)) {
        cli_complain("the host of registry %s is longer than any", registry->name);
        return CLI_USAGE;
    }
    (void)snprintf(credential->registry, sizeof(credential->registry), "%s", binding->registry);
    (void)snprintf(credential->space, sizeof(credential->space), "%s", binding->space);
    enum cli_exit status =
        cli_harbor_robot_login(harbor, binding, workspace, credential->login_name, ret_broken);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    berth_pull_secret(key->key, registry->uid, binding->project_id, binding->robot_id,
                      credential->secret);
    return arguments->no_verify ? CLI_SUCCEEDED
                                : cli_prove_pull(harbor, credential, workspace, ret_broken);
}

static enum cli_exit print(const struct arguments *arguments,
                           const struct cli_credential *credentials, size_t count) {
    struct cli_secret_text text = {0};
    enum berth_rc rc = BERTH_OK;
    switch (arguments->form) {
    case FORM_K8S:
        rc = cli_credentials_put_k8s(credentials, count, &arguments->names, &text);
        break;
    case FORM_DOCKER:
        cli_credentials_put_docker(credentials, count, &text);
        break;
    case FORM_USER_PASSWORD:
        cli_credentials_put_lines(credentials, count, &text);
        break;
    case FORM_JSON:
        cli_credentials_put_json(credentials, count, &text);
        break;
    }
    enum cli_exit status = CLI_FAILED;
    if (rc == BERTH_OK) {
        status = cli_secret_text_print(&text);
    } else {
        cli_complain("%zu spaces are more than fit into one Secret, which Kubernetes takes up to 1 "
                     "MiB: take those of one registry or space",
                     count);
    }
    cli_secret_text_wipe(&text);
    return status;
}
