/* SPDX-License-Identifier: Apache-2.0 */
/* What claims are tried on: projects, robots, a second user, sessions, an image. */
#include "contract.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

#define OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DIGEST_BYTES (sizeof("sha256:") + 64)

static void digest_of(const char *bytes, char ret_digest[DIGEST_BYTES]);
static bool push_blob(struct contract *c, const char *project_name, const char *bytes,
                      const char *digest);
static bool ask_stand_in(struct contract *c, const char *method, const char *path,
                         const char *body);
static const char *form_value(struct contract *c, const char *value);

struct project make_project(struct contract *c) {
    const char *name = new_name(c);
    return make_project_as(c, &c->admin, json_text(c, "{'project_name':'%s'}", name), name);
}

struct project make_public_project(struct contract *c) {
    const char *name = new_name(c);
    return make_project_as(c, &c->admin,
                           json_text(c, "{'project_name':'%s','metadata':{'public':'true'}}", name),
                           name);
}

struct project make_project_as(struct contract *c, const struct http_login *login, const char *body,
                               const char *name) {
    const struct http_reply *made = ask(c, login, "POST", body, API "/projects");
    (void)require(c, made->status == 201, "a project can't be made: expected 201, got %ld: %.200s",
                  made->status, made->body);
    struct project project = {.name = name, .id = location_id(made)};
    (void)require(c, project.id > 0, "the project that was made has no id in its Location");
    return project;
}

int64_t location_id(const struct http_reply *reply) {
    char location[HTTP_VALUE_BYTES];
    const char *last = http_header(reply, "Location", location) ? strrchr(location, '/') : NULL;
    return last == NULL ? 0 : strtoll(last + 1, NULL, 10);
}

const struct http_reply *get_project(struct contract *c, const struct http_login *login,
                                     const char *name) {
    return ask_with(c, &(struct http_request){.login = login,
                                              .method = "GET",
                                              .path = text(c, API "/projects/%s", name),
                                              .header = "X-Is-Resource-Name: true"});
}

const char *robot_body(struct contract *c, const char *name, struct project project,
                       const char *access) {
    return json_text(c,
                     "{'name':'%s','level':'project','duration':-1,'description':'of %s',"
                     "'permissions':[{'kind':'project','namespace':'%s','access':%s}]}",
                     name, c->run, project.name, access);
}

struct robot make_robot(struct contract *c, struct project project) {
    return make_robot_with(c, project, PULL);
}

static struct robot robot_made(struct contract *c, const struct http_reply *made,
                               const char *short_name) {
    (void)require(c, made->status == 201, "a robot can't be made: expected 201, got %ld: %.200s",
                  made->status, made->body);
    struct robot robot = {.id = number_at(made->json, "id"),
                          .short_name = short_name,
                          .name = text_at(made->json, "name"),
                          .secret = text_at(made->json, "secret")};
    robot.login = (struct http_login){.user = robot.name, .password = robot.secret};
    return robot;
}

struct robot make_robot_with(struct contract *c, struct project project, const char *access) {
    const char *name = text(c, "w%zu", ++c->names);
    const char *body = robot_body(c, name, project, access);
    return robot_made(c, ask(c, &c->admin, "POST", body, API "/robots"), name);
}

struct robot make_system_robot(struct contract *c, const char *permissions) {
    const char *name = new_name(c);
    const char *body = json_text(c, "{'name':'%s','level':'system','duration':-1,'permissions':%s}",
                                 name, permissions);
    return robot_made(c, ask(c, &c->admin, "POST", body, API "/robots"), name);
}

const char *find_user(struct contract *c) {
    static char name[64];
    static char password[] = "Contract-Suite-1";
    if (c->user.user != NULL) {
        return NULL;
    }
    if (!c->sysadmin) {
        return "only a system administrator can make the second user that it needs";
    }
    (void)snprintf(name, sizeof(name), "%s-user", c->run);
    const char *body = json_text(c,
                                 "{'username':'%s','email':'%s@example.com','realname':'%s',"
                                 "'password':'%s','comment':'for a test'}",
                                 name, name, name, password);
    const struct http_reply *made = ask(c, &c->admin, "POST", body, API "/users");
    if (made->status != 201) {
        return text(c, "the second user that it needs can't be made (status %ld)", made->status);
    }
    c->kept_count = c->made_count;
    c->user = (struct http_login){.user = name, .password = password};
    c->user_id = number_at(ask(c, &c->user, "GET", NULL, API "/users/current")->json, "user_id");
    return NULL;
}

struct session open_session(struct contract *c) {
    struct session session = {0};
    session.sid = cookie_of(c, ask(c, NULL, "GET", NULL, API "/systeminfo"), "sid");
    (void)require(c, session.sid[0] != '\0', "a reply to a request without cookies sets no sid");
    session.login.cookies = text(c, "sid=%s", session.sid);
    const struct http_reply *pair = ask(c, &session.login, "GET", NULL, API "/systeminfo");
    session.csrf_cookie = cookie_of(c, pair, "_gorilla_csrf");
    session.login.csrf_token = header_of(c, pair, "X-Harbor-CSRF-Token");
    (void)require(c, session.csrf_cookie[0] != '\0', "a reply with a sid sets no _gorilla_csrf");
    (void)require(c, session.login.csrf_token[0] != '\0', "a reply with a sid has no CSRF token");
    session.login.cookies = text(c, "sid=%s; _gorilla_csrf=%s", session.sid, session.csrf_cookie);
    return session;
}

const struct http_reply *log_in(struct contract *c, struct session *session, const char *user,
                                const char *password) {
    const char *body =
        text(c, "principal=%s&password=%s", form_value(c, user), form_value(c, password));
    struct http_request request = {.login = &session->login, .method = "POST", .body = body};
    request.path = "/c/login";
    request.content_type = "application/x-www-form-urlencoded";
    const struct http_reply *reply = ask_with(c, &request);
    if (reply->status == 200) {
        session->sid = cookie_of(c, reply, "sid");
        session->login.cookies =
            text(c, "sid=%s; _gorilla_csrf=%s", session->sid, session->csrf_cookie);
    }
    return reply;
}

void set_stand_in(struct contract *c, const char *faults) {
    if (c->stand_in != NULL) {
        (void)require(c, ask_stand_in(c, "PUT", "faults", faults),
                      "the stand-in takes no faults: %s", faults);
    }
}

void push_image(struct contract *c, struct project project) {
    static const char CONFIG[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
                                 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    if (c->stand_in != NULL) {
        /* It has no registry behind it: its admin path does what a push would. */
        const char *path = text(c, "repositories/%s/" IMAGE, project.name);
        (void)require(c, ask_stand_in(c, "PUT", path, NULL), "the stand-in makes no repository");
        return;
    }
    char digest[DIGEST_BYTES];
    digest_of(CONFIG, digest);
    if (!push_blob(c, project.name, CONFIG, digest)) {
        skip_claim(c, "no image can be pushed: /v2 takes no blob here");
        return;
    }
    struct http_request request = {.login = &c->admin, .method = "PUT"};
    request.path = text(c, "/v2/%s/" IMAGE "/manifests/one", project.name);
    request.content_type = OCI_MANIFEST;
    request.body = json_text(c,
                             "{'schemaVersion':2,'mediaType':'" OCI_MANIFEST "',"
                             "'config':{'mediaType':'" OCI_CONFIG "','digest':'%s',"
                             "'size':%zu},'layers':[]}",
                             digest, strlen(CONFIG));
    const struct http_reply *pushed = ask_with(c, &request);
    if (pushed->status != 201) {
        skip_claim(c, "no image can be pushed: its manifest is answered with %ld", pushed->status);
    }
}

void remove_image(struct contract *c, const char *project_name) {
    if (c->stand_in != NULL) {
        const char *path = text(c, "repositories/%s/" IMAGE, project_name);
        (void)ask_stand_in(c, "DELETE", path, NULL);
        return;
    }
    const struct http_reply *gone =
        ask(c, &c->admin, "DELETE", NULL, API "/projects/%s/repositories/" IMAGE, project_name);
    expect_status(c, gone, 200);
}

static bool ask_stand_in(struct contract *c, const char *method, const char *path,
                         const char *body) {
    struct http_client *admin = http_client_new(c->stand_in);
    struct http_request request = {.method = method, .body = body};
    struct http_reply *reply = NULL;
    request.path = text(c, "/registries/alpha/%s", path);
    http_send(admin, &request, 1, &reply);
    bool done = reply->status / 100 == 2;
    (void)http_reply_free(reply);
    (void)http_client_free(admin);
    return done;
}

/* The upload in one piece: where to, and the bytes. */
static bool push_blob(struct contract *c, const char *project_name, const char *bytes,
                      const char *digest) {
    const struct http_reply *begun =
        ask(c, &c->admin, "POST", NULL, "/v2/%s/" IMAGE "/blobs/uploads/", project_name);
    const char *path = strstr(header_of(c, begun, "Location"), "/v2/");
    if (begun->status != 202 || path == NULL) {
        return false;
    }
    struct http_request request = {.login = &c->admin, .method = "PUT", .body = bytes};
    request.path = text(c, "%s%cdigest=%s", path, strchr(path, '?') == NULL ? '?' : '&', digest);
    request.content_type = "application/octet-stream";
    return ask_with(c, &request)->status == 201;
}

static void digest_of(const char *bytes, char ret_digest[DIGEST_BYTES]) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    BERTH_ASSERT(EVP_Digest(bytes, strlen(bytes), sum, &len, EVP_sha256(), NULL) == 1);
    BERTH_ASSERT(len == 32);
    (void)snprintf(ret_digest, DIGEST_BYTES, "sha256:");
    for (unsigned i = 0; i < len; i++) {
        (void)snprintf(ret_digest + strlen("sha256:") + 2 * (size_t)i, 3, "%02x", sum[i]);
    }
}

/* As a form wants it: everything that isn't a letter or a digit as %XX. */
static const char *form_value(struct contract *c, const char *value) {
    char coded[512];
    size_t len = 0;
    for (const char *at = value; *at != '\0' && len + 4 < sizeof(coded); at++) {
        bool plain =
            (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        len += (size_t)snprintf(coded + len, sizeof(coded) - len, plain ? "%c" : "%%%02X",
                                (unsigned char)*at);
    }
    coded[len] = '\0';
    return text(c, "%s", coded);
}
