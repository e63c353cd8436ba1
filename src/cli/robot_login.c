/* SPDX-License-Identifier: Apache-2.0 */
#include "robot_login.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/identity.h"
#include "berth/io/harbor_client.h"
#include "credential.h"
#include "secret_text.h"

/* One robot takes a few hundred bytes; what is longer isn't one. */
#define BODY_BYTES_MAX ((size_t)64 * 1024)

struct cli_harbor {
    const struct berth_config_registry *registry;
    CURL *easy;
    struct curl_slist authorization; /* Its text is that of the member below. */
    struct curl_slist accept;
    struct curl_slist *extra; /* What the configuration adds; owned. */
    struct cli_secret_text authorization_line;
    struct berth_buffer body;
    char curl_says[CURL_ERROR_SIZE];
};

/* curl's list has no const; nobody writes here. */
static char accept_line[] = "Accept: application/json";

static bool make_authorization(struct cli_harbor *harbor);
static CURLcode set_options(struct cli_harbor *harbor);
static enum cli_exit get(struct cli_harbor *harbor, int64_t robot_id, long *ret_status);
static enum cli_exit explain_status(const struct cli_harbor *harbor,
                                    const struct cli_binding *binding, const char *workspace,
                                    long status);
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx);
static bool names_binding(const char *login_name, const struct cli_binding *binding,
                          const char *workspace);

enum cli_exit cli_harbor_open(const struct berth_config_registry *registry,
                              struct cli_harbor **ret_harbor) {
    struct cli_harbor *harbor = calloc(1, sizeof(*harbor));
    if (harbor == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    harbor->registry = registry;
    berth_buffer_init(&harbor->body, BODY_BYTES_MAX);
    harbor->easy = curl_easy_init();
    if (harbor->easy == NULL || !make_authorization(harbor)) {
        (void)cli_harbor_close(harbor);
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    CURLcode code = set_options(harbor);
    if (code != CURLE_OK) {
        cli_complain("curl refuses its options: %s", curl_easy_strerror(code));
        (void)cli_harbor_close(harbor);
        return CLI_FAILED;
    }
    *ret_harbor = harbor;
    return CLI_SUCCEEDED;
}

struct cli_harbor *cli_harbor_close(struct cli_harbor *harbor) {
    if (harbor == NULL) {
        return NULL;
    }
    curl_easy_cleanup(harbor->easy);
    curl_slist_free_all(harbor->extra);
    cli_secret_text_wipe(&harbor->authorization_line);
    berth_buffer_deinit(&harbor->body);
    free(harbor);
    return NULL;
}

enum cli_exit cli_harbor_robot_login(struct cli_harbor *harbor, const struct cli_binding *binding,
                                     const char *workspace,
                                     char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]) {
    const char *registry = harbor->registry->name;
    long http_status = 0;
    enum cli_exit status = get(harbor, binding->robot_id, &http_status);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    if (http_status != 200) {
        return explain_status(harbor, binding, workspace, http_status);
    }
    switch ((int)cli_robot_login_parse(berth_buffer_view(&harbor->body), binding, workspace,
                                       ret_login_name)) {
    case BERTH_OK:
        return CLI_SUCCEEDED;
    case BERTH_NOT_FOUND:
        cli_complain("the robot account %" PRId64 " of %s in %s/%s was disabled in Harbor: binding "
                     "the workspace again enables it",
                     binding->robot_id, workspace, registry, binding->space);
        return CLI_FAILED;
    default:
        cli_complain("what %s says of its robot account %" PRId64 " isn't about %s in %s/%s",
                     registry, binding->robot_id, workspace, registry, binding->space);
        return CLI_FAILED;
    }
}

enum berth_rc cli_robot_login_parse(struct berth_bytes body, const struct cli_binding *binding,
                                    const char *workspace,
                                    char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]) {
    json_t *robot = json_loadb((const char *)body.data, body.len, 0, NULL);
    const json_t *id = json_object_get(robot, "id");
    const char *login_name = json_string_value(json_object_get(robot, "name"));
    enum berth_rc rc = BERTH_INVALID;
    if (json_is_integer(id) && json_integer_value(id) == binding->robot_id && login_name != NULL &&
        strlen(login_name) < BERTH_HARBOR_LOGIN_BYTES && cli_login_name_usable(login_name) &&
        names_binding(login_name, binding, workspace)) {
        (void)snprintf(ret_login_name, BERTH_HARBOR_LOGIN_BYTES, "%s", login_name);
        rc = json_is_true(json_object_get(robot, "disable")) ? BERTH_NOT_FOUND : BERTH_OK;
    }
    json_decref(robot);
    return rc;
}

/* Made here and not by curl, which would never wipe its copy of the password. */
static bool make_authorization(struct cli_harbor *harbor) {
    const struct berth_config_registry *registry = harbor->registry;
    struct cli_secret_text *line = &harbor->authorization_line;
    struct cli_secret_text login = {0};
    cli_secret_text_puts(&login, registry->username);
    cli_secret_text_puts(&login, ":");
    cli_secret_text_add(&login, registry->password.text, registry->password.len);
    cli_secret_text_puts(line, "Authorization: Basic ");
    line->failed = line->failed || login.failed;
    if (!line->failed) {
        cli_secret_text_add_base64(line, login.data, login.len);
    }
    cli_secret_text_wipe(&login);
    harbor->authorization = (struct curl_slist){.data = line->data, .next = &harbor->accept};
    harbor->accept = (struct curl_slist){.data = accept_line};
    return !line->failed;
}

/* What berthd's own requests are made with, so that what it reaches is reached here too; with
 * Basic, since a session takes three requests to make and one to end. Cookies are never kept: with
 * one Harbor wants CSRF tokens (harbor-contract 5.3). */
static CURLcode set_options(struct cli_harbor *harbor) {
    const struct berth_harbor_registry_config registry =
        berth_harbor_registry_configured(harbor->registry);
    CURL *easy = harbor->easy;
    for (size_t i = 0; i < registry.extra_headers_count; i++) {
        struct curl_slist *longer = curl_slist_append(harbor->extra, registry.extra_headers[i]);
        if (longer == NULL) {
            return CURLE_OUT_OF_MEMORY;
        }
        harbor->extra = longer;
    }
    harbor->accept.next = harbor->extra;
    int bad = berth_harbor_set_up_curl(easy, &registry);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, harbor->curl_says);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &harbor->authorization);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &harbor->body);
    return bad == 0 ? CURLE_OK : CURLE_BAD_FUNCTION_ARGUMENT;
}

static enum cli_exit get(struct cli_harbor *harbor, int64_t robot_id, long *ret_status) {
    const struct berth_config_registry *registry = harbor->registry;
    char *url = NULL;
    if (asprintf(&url, "%s/api/v2.0/robots/%" PRId64, registry->url, robot_id) < 0) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    berth_buffer_clear(&harbor->body);
    harbor->curl_says[0] = '\0';
    CURLcode code = curl_easy_setopt(harbor->easy, CURLOPT_URL, url);
    free(url);
    if (code == CURLE_OK) {
        code = curl_easy_perform(harbor->easy);
    }
    if (code == CURLE_OK) {
        code = curl_easy_getinfo(harbor->easy, CURLINFO_RESPONSE_CODE, ret_status);
    }
    if (code != CURLE_OK) {
        cli_complain("registry %s at %s doesn't answer: %s", registry->name, registry->url,
                     harbor->curl_says[0] != '\0' ? harbor->curl_says : curl_easy_strerror(code));
        return CLI_NO_ANSWER;
    }
    return CLI_SUCCEEDED;
}

static enum cli_exit explain_status(const struct cli_harbor *harbor,
                                    const struct cli_binding *binding, const char *workspace,
                                    long status) {
    const struct berth_config_registry *registry = harbor->registry;
    if (status == 401 || status == 403) {
        cli_complain("registry %s doesn't let %s read the robot account %" PRId64 " of %s (HTTP "
                     "%ld)",
                     registry->name, registry->username, binding->robot_id, binding->space, status);
        return CLI_FAILED;
    }
    if (status == 404) {
        cli_complain("registry %s has no robot account %" PRId64 " (any more): workspace %s was "
                     "unbound from %s meanwhile, or its robot was deleted by hand; binding it "
                     "again repairs that",
                     registry->name, binding->robot_id, workspace, binding->space);
        return CLI_FAILED;
    }
    cli_complain("registry %s is out of order: HTTP %ld", registry->name, status);
    return status == 429 || status >= 500 ? CLI_NO_ANSWER : CLI_FAILED;
}

/* Less than all of it taken makes curl give up: the body is too long. */
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx) {
    struct berth_buffer *body = ctx;
    size_t len = size * count;
    return berth_buffer_append(body, data, len) == BERTH_OK ? len : 0;
}

/* "<prefix><space>+<short name>", whatever the prefix is (harbor-contract 2.3). */
static bool names_binding(const char *login_name, const struct cli_binding *binding,
                          const char *workspace) {
    char robot_name[BERTH_ROBOT_NAME_BYTES];
    char ending[BERTH_SPACE_BYTES + BERTH_ROBOT_NAME_BYTES + 1];
    berth_robot_name(workspace, robot_name);
    (void)snprintf(ending, sizeof(ending), "%s+%s", binding->space, robot_name);
    size_t len = strlen(login_name);
    size_t ending_len = strlen(ending);
    return len >= ending_len && strcmp(login_name + len - ending_len, ending) == 0;
}
