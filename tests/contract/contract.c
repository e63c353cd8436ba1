/* SPDX-License-Identifier: Apache-2.0 */
/* The Harbor that is asked, and what is asked of it. */
#include "contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "berth/base/assert.h"

#define REQUESTS_MAX 32

/* Text of the claim that is being tried. */
struct text {
    struct text *next;
    char text[];
};

static const char *environment(const char *name);
static char *read_password(const char *file);
static void learn_version(struct contract *c, const char *version);
static void learn_settings(struct contract *c);
static const char *take_text(struct contract *c, const char *format, va_list words);
static void sweep(struct contract *c, const char *list, const char *path);

int contract_setup(void **state) {
    struct contract *c = calloc(1, sizeof(*c));
    BERTH_ASSERT(c != NULL);
    *state = c;
    char url[512];
    (void)snprintf(url, sizeof(url), "%s", environment("BERTH_TEST_HARBOR_URL"));
    url[strcspn(url, " ")] = '\0';
    while (url[0] != '\0' && url[strlen(url) - 1] == '/') {
        url[strlen(url) - 1] = '\0';
    }
    c->http = http_client_new(url);
    c->password = read_password(environment("BERTH_TEST_HARBOR_PASSWORD_FILE"));
    c->admin =
        (struct http_login){.user = environment("BERTH_TEST_HARBOR_USER"), .password = c->password};
    c->stand_in = getenv("BERTH_TEST_SANDBOX_ADMIN");
    uint32_t number = 0;
    BERTH_ASSERT(getrandom(&number, sizeof(number), 0) == sizeof(number));
    (void)snprintf(c->run, sizeof(c->run), "berth-ct-%08" PRIx32, number);

    const struct http_reply *me = ask(c, &c->admin, "GET", NULL, API "/users/current");
    if (me->status != 200) {
        print_error("contract: %s: users/current of the given account: status %ld: %s\n", url,
                    me->status, me->body);
        return -1;
    }
    c->sysadmin = json_is_true(json_at(me->json, "sysadmin_flag")) ||
                  json_is_true(json_at(me->json, "admin_role_in_auth"));
    learn_settings(c);
    /* Here a failed login need not take as long as a real one, but for the claim about it. */
    set_stand_in(c, "{\"login_lock_ms\":100}");
    print_message("contract: %s is Harbor %s; names begin with %s\n", url, c->version, c->run);
    return 0;
}

int contract_teardown(void **state) {
    struct contract *c = *state;
    /* Without a Harbor nothing was made. */
    c->stuck = c->version[0] == '\0';
    c->problem[0] = '\0';
    remove_made(c, 0);
    sweep(c, text(c, API "/projects?page_size=100&q=name%%3D~%s", c->run), "projects");
    sweep(c, text(c, API "/robots?page_size=100&q=Name%%3D~%s", c->run), "robots");
    if (c->problem[0] != '\0') {
        print_error("contract: left behind: %s\n", c->problem);
    }
    print_message("contract: %zu claims hold, %zu don't, %zu can't be shown here\n", c->held,
                  c->broken, c->not_tried);
    int rc = c->problem[0] == '\0' ? 0 : -1;
    forget_claim(c);
    c->http = http_client_free(c->http);
    free(c->password);
    free(c);
    return rc;
}

void forget_claim(struct contract *c) {
    while (c->replies != NULL) {
        struct http_reply *next = c->replies->next;
        (void)http_reply_free(c->replies);
        c->replies = next;
    }
    while (c->texts != NULL) {
        struct text *next = c->texts->next;
        free(c->texts);
        c->texts = next;
    }
}

const char *text(struct contract *c, const char *format, ...) {
    va_list words;
    va_start(words, format);
    const char *made = take_text(c, format, words);
    va_end(words);
    return made;
}

const char *json_text(struct contract *c, const char *format, ...) {
    va_list words;
    va_start(words, format);
    (void)take_text(c, format, words);
    va_end(words);
    char *made = c->texts->text;
    for (char *at = made; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return made;
}

const char *filled(struct contract *c, const char *template, const char *word, const char *value) {
    const char *at = strstr(template, word);
    const char *made = text(c, "%s", template);
    while (at != NULL) {
        made = text(c, "%.*s%s%s", (int)(at - template), template, value, at + strlen(word));
        template = made;
        at = strstr(template, word);
    }
    return json_text(c, "%s", made);
}

const char *new_name(struct contract *c) {
    return text(c, "%s-%zu", c->run, ++c->names);
}

const struct http_reply *ask(struct contract *c, const struct http_login *login, const char *method,
                             const char *body, const char *path, ...) {
    va_list words;
    va_start(words, path);
    const char *whole = take_text(c, path, words);
    va_end(words);
    return ask_with(
        c, &(struct http_request){.login = login, .method = method, .path = whole, .body = body});
}

const struct http_reply *ask_with(struct contract *c, const struct http_request *request) {
    const struct http_reply *reply = NULL;
    ask_all(c, request, 1, &reply);
    return reply;
}

void ask_all(struct contract *c, const struct http_request *requests, size_t count,
             const struct http_reply **ret_replies) {
    struct http_reply *replies[REQUESTS_MAX] = {NULL};
    BERTH_ASSERT(count <= REQUESTS_MAX);
    static char nothing[] = "";
    static struct http_reply unasked = {.body = nothing, .headers = nothing, .asked = "nothing"};
    if (!c->stuck) {
        http_send(c->http, requests, count, replies);
    }
    for (size_t i = 0; i < count; i++) {
        ret_replies[i] = c->stuck ? &unasked : replies[i];
        if (!c->stuck) {
            replies[i]->next = c->replies;
            c->replies = replies[i];
            remember_made(c, replies[i]);
        }
    }
}

const char *header_of(struct contract *c, const struct http_reply *reply, const char *name) {
    char value[HTTP_VALUE_BYTES];
    return http_header(reply, name, value) ? text(c, "%s", value) : "";
}

const char *cookie_of(struct contract *c, const struct http_reply *reply, const char *name) {
    char value[HTTP_VALUE_BYTES];
    return http_cookie(reply, name, value) ? text(c, "%s", value) : "";
}

/* A 201 names what it made; a member and a quota go with their project. */
void remember_made(struct contract *c, const struct http_reply *reply) {
    char location[HTTP_VALUE_BYTES];
    if (reply->status != 201 || !http_header(reply, "Location", location) ||
        strncmp(location, API "/", strlen(API "/")) != 0 || strstr(location, "/members/") != NULL) {
        return;
    }
    BERTH_ASSERT(c->made_count < sizeof(c->made) / sizeof(c->made[0]));
    c->made[c->made_count++] = strdup(location);
}

void remove_made(struct contract *c, size_t from) {
    while (c->made_count > from) {
        char *path = c->made[--c->made_count];
        struct http_request request = {.login = &c->admin, .method = "DELETE", .path = path};
        /* A project may be named in its Location by a name that looks like an id. */
        if (strstr(path, "/projects/berth-ct-") != NULL) {
            request.header = "X-Is-Resource-Name: true";
        }
        const struct http_reply *reply = ask_with(c, &request);
        if (reply->status == 412) {
            remove_image(c, text_at(ask(c, &c->admin, "GET", NULL, "%s", path)->json, "name"));
            reply = ask_with(c, &request);
        }
        /* What is gone already is 403 to those who don't administer the system (1.8). */
        bool gone = reply->status == 404 || (reply->status == 403 && !c->sysadmin);
        if (reply->status != 200 && !gone) {
            expect(c, false, "%s can't be removed (status %ld)", path, reply->status);
        }
        free(path);
    }
}

static const char *environment(const char *name) {
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0') {
        print_error("contract: %s is not set\n", name);
        fail();
    }
    return value;
}

static char *read_password(const char *file) {
    char line[256] = "";
    FILE *stream = fopen(file, "r");
    if (stream == NULL || fgets(line, sizeof(line), stream) == NULL) {
        print_error("contract: no password in %s\n", file);
        fail();
    }
    (void)fclose(stream);
    line[strcspn(line, "\r\n")] = '\0';
    char *password = strdup(line);
    BERTH_ASSERT(password != NULL);
    return password;
}

/* "v2.14.4-1a2b3c4d"; builds between releases may say anything. */
static void learn_version(struct contract *c, const char *version) {
    int major = 0;
    int minor = 0;
    (void)snprintf(c->version, sizeof(c->version), "%s", version);
    bool known = sscanf(version, "v%d.%d", &major, &minor) == 2; /* NOLINT(cert-err34-c) */
    c->release = known ? major * 1000 + minor : 9999;
}

static void learn_settings(struct contract *c) {
    const struct http_reply *system = ask(c, &c->admin, "GET", NULL, API "/systeminfo");
    learn_version(c, text_at(system->json, "harbor_version"));
    c->everyone = strcmp(text_at(system->json, "project_creation_restriction"), "everyone") == 0;
    (void)snprintf(c->robot_prefix, sizeof(c->robot_prefix), "robot$");
    c->quotas = true;
    c->default_storage = -1;
    const struct http_reply *settings = ask(c, &c->admin, "GET", NULL, API "/configurations");
    if (settings->status == 200) {
        (void)snprintf(c->robot_prefix, sizeof(c->robot_prefix), "%s",
                       text_at(settings->json, "robot_name_prefix.value"));
        c->quotas = json_is_true(json_at(settings->json, "quota_per_project_enable.value"));
        c->default_storage = number_at(settings->json, "storage_per_project.value");
    }
    c->tokens =
        ask(c, &c->admin, "GET", NULL, "/service/token?service=harbor-registry")->status == 200;
}

static const char *take_text(struct contract *c, const char *format, va_list words) {
    va_list again;
    va_copy(again, words);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    BERTH_ASSERT(len >= 0);
    struct text *made = malloc(sizeof(*made) + (size_t)len + 1);
    BERTH_ASSERT(made != NULL);
    (void)vsnprintf(made->text, (size_t)len + 1, format, words);
    made->next = c->texts;
    c->texts = made;
    return made->text;
}

/* Removes what a reply that was lost, or is unknown for another reason, has left. */
static void sweep(struct contract *c, const char *list, const char *path) {
    const struct http_reply *reply = ask(c, &c->admin, "GET", NULL, "%s", list);
    for (size_t i = 0; i < json_array_size(reply->json); i++) {
        const json_t *left = json_array_get(reply->json, i);
        const char *name = text_at(left, "name");
        int64_t id = number_at(left, strcmp(path, "projects") == 0 ? "project_id" : "id");
        if (strstr(name, c->run) != NULL) {
            print_message("contract: removing %s\n", name);
            const struct http_reply *gone =
                ask(c, &c->admin, "DELETE", NULL, API "/%s/%" PRId64, path, id);
            expect(c, gone->status == 200, "%s (status %ld)", name, gone->status);
        }
    }
}
