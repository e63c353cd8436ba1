/* SPDX-License-Identifier: Apache-2.0 */
/* berth check: one Harbor. What its answers mean is in harbor-contract 5 and docs/harbor.md. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "berth/io/clock.h"
#include "check_report.h"
#include "harbor_get.h"

#define MINOR_MIN            8 /* Of version 2. */
#define CLOCK_TOLERANCE_S    30
#define CERTIFICATE_SOON_S   ((int64_t)14 * 86400)
#define ADMIN_ID             1
#define HTTP_PRECONDITION    412 /* What Harbor says to a robot that asks who it is. */
#define HTTP_UNAUTHENTICATED 401

struct registry {
    struct check_report *report;
    const struct berth_config_registry *config;
    char subject[CHECK_SUBJECT_BYTES];
    struct cli_harbor *harbor;
};

static void check_all(struct registry *registry);
static bool check_reachable(const struct registry *registry, const struct cli_harbor_reply *reply,
                            const json_t *info);
static void check_transport(const struct registry *registry, const struct cli_harbor_reply *reply);
static void check_clock(const struct registry *registry, const struct cli_harbor_reply *reply);
static void check_echo(const struct registry *registry, const struct cli_harbor_reply *reply);
static bool check_version(const struct registry *registry, const json_t *info);
static void check_read_only(const struct registry *registry, const json_t *info);
static void check_identity(struct registry *registry);
static void check_user(struct registry *registry, const json_t *user);
static void check_dedication(const struct registry *registry, bool is_admin);
static void check_quotas(struct registry *registry);
static json_t *get_json(struct registry *registry, const char *path,
                        struct cli_harbor_reply *ret_reply);
static bool on_loopback(const char *url);

void check_registry(const struct check_options *options,
                    const struct berth_config_registry *config) {
    struct registry registry = {.report = options->report, .config = config};
    (void)snprintf(registry.subject, sizeof(registry.subject), "registry %s", config->name);
    if (cli_harbor_open(config, &registry.harbor) != CLI_SUCCEEDED) {
        registry.report->counts[CHECK_PROBLEM]++; /* Told by cli_harbor_open(). */
        return;
    }
    check_all(&registry);
    (void)cli_harbor_close(registry.harbor);
}

static void check_all(struct registry *registry) {
    struct cli_harbor_reply reply;
    json_t *info = get_json(registry, "/api/v2.0/systeminfo", &reply);
    if (check_reachable(registry, &reply, info)) {
        check_transport(registry, &reply);
        check_clock(registry, &reply);
        check_echo(registry, &reply);
        if (check_version(registry, info)) {
            check_read_only(registry, info);
            check_identity(registry);
        }
    }
    json_decref(info);
}

static bool check_reachable(const struct registry *registry, const struct cli_harbor_reply *reply,
                            const json_t *info) {
    const struct berth_config_registry *config = registry->config;
    if (reply->status == 0) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "reachable",
                  reply->untrusted ? "set ca_file to the authority that signed its certificate"
                                   : "look at url, and at what is between here and there",
                  "%s: %s", config->url, reply->words);
        return false;
    }
    if (reply->status >= 300 && reply->status <= 399) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "reachable",
                  "set url to where it leads, without /api", "%s redirects (HTTP %ld) to %s",
                  config->url, reply->status,
                  reply->location[0] != '\0' ? reply->location : "nowhere");
        return false;
    }
    if (reply->status != 200 || json_object_get(info, "auth_mode") == NULL) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "reachable",
                  "url is where Harbor's web page is, without /api",
                  "%s answers, but not as Harbor does: HTTP %ld, %s", config->url, reply->status,
                  reply->content_type[0] != '\0' ? reply->content_type : "no content type");
        return false;
    }
    check_say(registry->report, CHECK_OK, registry->subject, "reachable", NULL, "%s answers",
              config->url);
    return true;
}

static void check_transport(const struct registry *registry, const struct cli_harbor_reply *reply) {
    const char *url = registry->config->url;
    if (strncasecmp(url, "https:", strlen("https:")) != 0) {
        bool near = on_loopback(url);
        check_say(registry->report, near ? CHECK_OK : CHECK_WARNING, registry->subject, "tls",
                  near ? NULL : "an https:// url",
                  near ? "no TLS, on this machine"
                       : "no TLS: the password and every pull secret cross the network in clear");
        return;
    }
    int64_t left_s = reply->certificate_expires_s - berth_clock_wall_ms() / 1000;
    if (reply->certificate_expires_s >= 0 && left_s < CERTIFICATE_SOON_S) {
        check_say(registry->report, CHECK_WARNING, registry->subject, "tls",
                  "have the certificate renewed", "its certificate ends in %" PRId64 " hours",
                  left_s / 3600);
        return;
    }
    check_say(registry->report, CHECK_OK, registry->subject, "tls", NULL,
              "its certificate is trusted%s",
              reply->certificate_expires_s >= 0 ? " and good for two weeks and more" : "");
}

/* Nothing rests on it; but whoever compares logs is misled. */
static void check_clock(const struct registry *registry, const struct cli_harbor_reply *reply) {
    if (reply->date_s < 0) {
        check_say(registry->report, CHECK_NOT_TRIED, registry->subject, "clock", NULL,
                  "its replies bear no date");
        return;
    }
    int64_t ahead_s = reply->date_s - berth_clock_wall_ms() / 1000;
    bool far = ahead_s > CLOCK_TOLERANCE_S || ahead_s < -CLOCK_TOLERANCE_S;
    check_say(registry->report, far ? CHECK_WARNING : CHECK_OK, registry->subject, "clock",
              far ? "keep both clocks by NTP" : NULL, "its clock is %" PRId64 " s %s ours",
              ahead_s < 0 ? -ahead_s : ahead_s, ahead_s < 0 ? "behind" : "ahead of");
}

static void check_echo(const struct registry *registry, const struct cli_harbor_reply *reply) {
    if (registry->config->waive_request_id_echo) {
        check_say(registry->report, reply->echoed ? CHECK_WARNING : CHECK_OK, registry->subject,
                  "request_id",
                  reply->echoed ? "waive_request_id_echo = no, which believes fewer replies" : NULL,
                  "X-Request-Id %s, and that is waived",
                  reply->echoed ? "comes back" : "doesn't come back");
        return;
    }
    check_say(registry->report, reply->echoed ? CHECK_OK : CHECK_PROBLEM, registry->subject,
              "request_id",
              reply->echoed ? NULL
                            : "let the front end pass X-Request-Id in both directions, or set "
                              "waive_request_id_echo = yes",
              reply->echoed ? "X-Request-Id comes back"
                            : "X-Request-Id doesn't come back, so no reply to a write counts");
}

/* False: it took us for nobody, and the rest can't be asked. */
static bool check_version(const struct registry *registry, const json_t *info) {
    const char *version = json_string_value(json_object_get(info, "harbor_version"));
    if (version == NULL) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "identity",
                  "look at username and password_file; a failed login by anybody locks the name "
                  "for 1.5 s",
                  "it doesn't let %s in", registry->config->username);
        return false;
    }
    int major = 0;
    int minor = 0;
    /* NOLINTNEXTLINE(cert-err34-c): what isn't a version leaves the zeros. */
    bool known = sscanf(version, "v%d.%d", &major, &minor) == 2;
    if (known && (major < 2 || (major == 2 && minor < MINOR_MIN))) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "version",
                  "Harbor 2.8 or later", "it is Harbor %s", version);
    } else {
        check_say(registry->report, known ? CHECK_OK : CHECK_WARNING, registry->subject, "version",
                  known ? NULL : "docs/harbor.md says which versions were read", "it is Harbor %s",
                  version);
    }
    return true;
}

static void check_read_only(const struct registry *registry, const json_t *info) {
    bool read_only = json_is_true(json_object_get(info, "read_only"));
    check_say(registry->report, read_only ? CHECK_WARNING : CHECK_OK, registry->subject,
              "read_only", read_only ? "end read-only mode in Harbor's configuration" : NULL,
              read_only ? "it is in read-only mode: its commands wait" : "it takes writes");
}

/* ---- The account ---- */

static void check_identity(struct registry *registry) {
    struct cli_harbor_reply reply;
    json_t *user = get_json(registry, "/api/v2.0/users/current", &reply);
    const char *name = registry->config->username;
    if (reply.status == 200 && json_is_integer(json_object_get(user, "user_id"))) {
        check_user(registry, user);
    } else if (reply.status == HTTP_PRECONDITION) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "identity",
                  "a user of berth's own, who is a system administrator",
                  "%s is a robot account: it may not set the secrets of other robots, so no "
                  "workspace can be bound",
                  name);
    } else {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "identity",
                  reply.status == HTTP_UNAUTHENTICATED ? "look at username and password_file"
                                                       : "ask again in a moment",
                  "who %s is can't be read: HTTP %ld %s", name, reply.status, reply.words);
    }
    json_decref(user);
}

static void check_user(struct registry *registry, const json_t *user) {
    const char *name = registry->config->username;
    const char *called = json_string_value(json_object_get(user, "username"));
    bool otherwise = called != NULL && strcmp(called, name) != 0;
    bool is_admin = json_integer_value(json_object_get(user, "user_id")) == ADMIN_ID;
    bool sysadmin = json_is_true(json_object_get(user, "sysadmin_flag")) ||
                    json_is_true(json_object_get(user, "admin_role_in_auth"));
    if (!sysadmin) {
        check_say(registry->report, CHECK_PROBLEM, registry->subject, "identity",
                  "make it a system administrator",
                  "%s is a user without administration: it can't set quotas, can't touch projects "
                  "that it didn't create, and is told 403 for what is missing",
                  name);
        return;
    }
    check_say(registry->report, CHECK_OK, registry->subject, "identity", NULL,
              "%s%s%s%s is a system administrator: it may create, set quotas and manage robots",
              name, otherwise ? " (to Harbor: " : "", otherwise ? called : "",
              otherwise ? ")" : "");
    check_dedication(registry, is_admin);
    check_quotas(registry);
}

static void check_dedication(const struct registry *registry, bool is_admin) {
    bool dedicated = registry->config->dedicated;
    enum check_state state = CHECK_OK;
    const char *remedy = NULL;
    const char *text = "the account is berth's alone";
    if (is_admin && dedicated) {
        state = CHECK_PROBLEM;
        remedy = "a user of berth's own, or dedicated = no";
        text = "dedicated = yes, but the account is Harbor's first user, which others use too";
    } else if (is_admin) {
        state = CHECK_WARNING;
        remedy = "a user of berth's own, and dedicated = yes";
        text = "the account is Harbor's first user: whoever mistypes its password locks it for "
               "1.5 s, and a create whose reply is lost can't be proved";
    } else if (!dedicated) {
        state = CHECK_WARNING;
        remedy = "dedicated = yes, if nobody else uses the account";
        text = "dedicated = no: a create whose reply is lost ends as space.create_unproved";
    }
    check_say(registry->report, state, registry->subject, "dedicated", remedy, "%s", text);
}

static void check_quotas(struct registry *registry) {
    struct cli_harbor_reply reply;
    json_t *configuration = get_json(registry, "/api/v2.0/configurations", &reply);
    const json_t *enabled =
        json_object_get(json_object_get(configuration, "quota_per_project_enable"), "value");
    if (json_is_false(enabled)) {
        check_say(registry->report, CHECK_WARNING, registry->subject, "quota",
                  "turn quotas on and, for the projects that there are, POST "
                  "/api/internal/syncquota; or send no quota_bytes",
                  "quotas are turned off: a command with quota_bytes is refused");
    } else if (json_is_true(enabled)) {
        check_say(registry->report, CHECK_OK, registry->subject, "quota", NULL,
                  "quotas are turned on");
    } else {
        check_say(registry->report, CHECK_NOT_TRIED, registry->subject, "quota", NULL,
                  "whether quotas are turned on isn't told (HTTP %ld)", reply.status);
    }
    json_decref(configuration);
}

/* NULL: what came is no JSON. A new reference. */
static json_t *get_json(struct registry *registry, const char *path,
                        struct cli_harbor_reply *ret_reply) {
    cli_harbor_get(registry->harbor, path, ret_reply);
    return json_loadb((const char *)ret_reply->body.data, ret_reply->body.len, 0, NULL);
}

static bool on_loopback(const char *url) {
    return strncmp(url, "http://127.", strlen("http://127.")) == 0 ||
           strncmp(url, "http://localhost", strlen("http://localhost")) == 0 ||
           strncmp(url, "http://[::1]", strlen("http://[::1]")) == 0;
}
