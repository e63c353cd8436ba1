/* SPDX-License-Identifier: Apache-2.0 */
/* Pull credentials, in the forms in which they are used. */
#ifndef BERTH_CLI_CREDENTIAL_H
#define BERTH_CLI_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"
#include "berth/codec/harbor.h"
#include "berth/codec/identity.h"
#include "berth/core/limits.h"
#include "berth/io/config.h"
#include "secret_text.h"

#define CLI_HOST_BYTES BERTH_CONFIG_PULL_HOST_BYTES
/* What Kubernetes takes as the data of one Secret (MaxSecretSize). */
#define CLI_K8S_SECRET_BYTES_MAX ((size_t)1024 * 1024)

/* With what one workspace pulls from one space. */
struct cli_credential {
    char registry[BERTH_REGISTRY_BYTES];
    char host[CLI_HOST_BYTES]; /* What the names of its images begin with, with a port if any. */
    char space[BERTH_SPACE_BYTES];
    char login_name[BERTH_HARBOR_LOGIN_BYTES];
    char secret[BERTH_PULL_SECRET_BYTES];
};

struct cli_k8s_names {
    const char *name;
    const char *name_space; /* NULL: whichever kubectl is set to. */
};

/* Host and port of a registry's configured URL as images are named, which clients compare letter by
 * letter: in lower case, without the scheme's own port. false: longer than any host. */
bool cli_image_host(const char *url, char ret_host[CLI_HOST_BYTES]);

/*
 * Whether a client can log in with it and a line can show it: no control characters, and no colon,
 * which ends the name in HTTP's Basic (RFC 7617).
 */
bool cli_login_name_usable(const char *login_name);

/* "REGISTRY/SPACE <tab> user <tab> password", one line each. */
void cli_credentials_put_lines(const struct cli_credential *credentials, size_t count,
                               struct cli_secret_text *out);

/* {"registry", "space", "host", "user", "password"}, one object a line. The login names are usable
 * (above). */
void cli_credentials_put_json(const struct cli_credential *credentials, size_t count,
                              struct cli_secret_text *out);

/* Docker's config.json in one line: "auths" with one key HOST/SPACE each. The login names are
 * usable (above). */
void cli_credentials_put_docker(const struct cli_credential *credentials, size_t count,
                                struct cli_secret_text *out);

/*
 * The manifest of a Kubernetes Secret of the type kubernetes.io/dockerconfigjson.
 * BERTH_BUSY: Kubernetes takes no Secret as large as this; nothing was added.
 */
BERTH_MUST_USE enum berth_rc cli_credentials_put_k8s(const struct cli_credential *credentials,
                                                     size_t count,
                                                     const struct cli_k8s_names *names,
                                                     struct cli_secret_text *out);

/* A DNS subdomain as RFC 1123 has it, as Kubernetes wants of a Secret's name; a single label of it,
 * as it wants of a namespace's. */
bool cli_k8s_name_legal(const char *name);
bool cli_k8s_namespace_legal(const char *name);

#endif
