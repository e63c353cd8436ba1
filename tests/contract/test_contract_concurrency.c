/* SPDX-License-Identifier: Apache-2.0 */
/* Repeats, and requests side by side (paragraph 6). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

#define SIDE_BY_SIDE  20
#define ORPHAN_ROUNDS 12

/* How many of the replies have that status. */
static size_t count_of(const struct http_reply *const *replies, size_t count, long status) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += replies[i]->status == status ? 1 : 0;
    }
    return found;
}

static void creates(struct contract *c, const char *path, const char *body) {
    struct http_request requests[SIDE_BY_SIDE];
    const struct http_reply *replies[SIDE_BY_SIDE];
    for (size_t i = 0; i < SIDE_BY_SIDE; i++) {
        requests[i] =
            (struct http_request){.login = &c->admin, .method = "POST", .path = path, .body = body};
    }
    ask_all(c, requests, SIDE_BY_SIDE, replies);
    expect_number(c, "creates with 201", (int64_t)count_of(replies, SIDE_BY_SIDE, 201), 1);
    expect_number(c, "creates with 409", (int64_t)count_of(replies, SIDE_BY_SIDE, 409),
                  SIDE_BY_SIDE - 1);
}

static void creates_projects(struct contract *c, const struct claim *claim) {
    (void)claim;
    creates(c, API "/projects", json_text(c, "{'project_name':'%s'}", new_name(c)));
}

static void creates_robots(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    creates(c, API "/robots", robot_body(c, "w", project, PULL));
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            project.id);
    expect_number(c, "robots", (int64_t)json_array_size(list->json), 1);
}

static void deletes_projects(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct http_request request = {.login = &c->admin, .method = "DELETE"};
    request.path = text(c, API "/projects/%" PRId64, project.id);
    const struct http_request requests[] = {request, request};
    const struct http_reply *replies[2];
    ask_all(c, requests, 2, replies);
    expect_status_in(c, replies[0], 200, 404);
    expect_status_in(c, replies[1], 200, 404);
    expect(c, count_of(replies, 2, 200) > 0, "expected 200 for one of them");
    expect_status(c, ask_with(c, &request), 404);
}

static void deletes_robots(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    struct http_request request = {.login = &c->admin, .method = "DELETE"};
    request.path = text(c, API "/robots/%" PRId64, robot.id);
    const struct http_request requests[] = {request, request};
    const struct http_reply *replies[2];
    ask_all(c, requests, 2, replies);
    expect_number(c, "deletes with 200", (int64_t)count_of(replies, 2, 200), 1);
    expect_number(c, "deletes with 404", (int64_t)count_of(replies, 2, 404), 1);
}

/* Whatever the order was: either the create came first, or it found the name free. */
static void create_beside_delete(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_request requests[] = {
        {.login = &c->admin,
         .method = "DELETE",
         .path = text(c, API "/projects/%" PRId64, project.id)},
        {.login = &c->admin,
         .method = "POST",
         .path = API "/projects",
         .body = json_text(c, "{'project_name':'%s'}", project.name)},
    };
    const struct http_reply *replies[2];
    ask_all(c, requests, 2, replies);
    expect_status(c, replies[0], 200);
    expect_status_in(c, replies[1], 201, 409);
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    expect_status(c, found, replies[1]->status == 201 ? 200 : 404);
    if (replies[1]->status == 201) {
        expect(c, number_at(found->json, "project_id") > project.id, "expected a new id");
    }
}

/* ---- 6.3 ---- */

/* One try: a robot of the project is made while the project is deleted. The id of a robot that was
 * left without its project, or 0. */
static int64_t try_orphan(struct contract *c, struct project project, long delay_ms) {
    const struct http_request requests[] = {
        {.login = &c->admin,
         .method = "POST",
         .path = API "/robots",
         .body = robot_body(c, "w", project, PULL),
         .delay_ms = delay_ms < 0 ? -delay_ms : 0},
        {.login = &c->admin,
         .method = "DELETE",
         .path = text(c, API "/projects/%" PRId64, project.id),
         .delay_ms = delay_ms > 0 ? delay_ms : 0},
    };
    const struct http_reply *replies[2];
    ask_all(c, requests, 2, replies);
    expect(c, replies[0]->status == 201 || replies[0]->status == 404 || replies[0]->status == 500,
           "expected 201, 404 or 500 for the robot, got %ld", replies[0]->status);
    expect_status(c, replies[1], 200);
    int64_t id = number_at(replies[0]->json, "id");
    bool there = replies[0]->status == 201 &&
                 ask(c, &c->admin, "GET", NULL,
                     API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64, project.id)
                         ->body_bytes > strlen("[]\n");
    return there ? id : 0;
}

static void orphan(struct contract *c, const struct claim *claim) {
    (void)claim;
    for (int round = 0; round < ORPHAN_ROUNDS; round++) {
        struct project project = make_project(c);
        int64_t id = try_orphan(c, project, (long)(round % 4) * 2 - 2);
        if (id == 0) {
            continue;
        }
        const char *list =
            text(c, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64, project.id);
        const struct http_reply *left = ask(c, &c->admin, "GET", NULL, "%s", list);
        expect_number(c, "the robot in the list of the old id", number_at(left->json, "0.id"), id);
        expect_status(c, ask(c, &c->admin, "DELETE", NULL, API "/robots/%" PRId64, id), 200);
        left = ask(c, &c->admin, "GET", NULL, "%s", list);
        expect_number(c, "robots afterwards", (int64_t)json_array_size(left->json), 0);
        return;
    }
    skip_claim(c, "no robot was left without its project in %d rounds", ORPHAN_ROUNDS);
}

/* ---- 6.2 ---- */

static void repeats_visibility(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    for (int i = 0; i < 2; i++) {
        expect_status(c,
                      ask(c, &c->admin, "PUT", "{\"metadata\":{\"public\":\"true\"}}",
                          API "/projects/%" PRId64, project.id),
                      200);
        expect_text(c, "metadata.public",
                    text_at(get_project(c, &c->admin, project.name)->json, "metadata.public"),
                    "true");
    }
}

static void repeats_robot_put(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    const char *body = json_text(c,
                                 "{'name':'%s','level':'project','duration':-1,'disable':false,"
                                 "'description':'again','permissions':[{'kind':'project',"
                                 "'namespace':'%s','access':" PULL "}]}",
                                 robot.name, project.name);
    for (int i = 0; i < 2; i++) {
        expect_status(c, ask(c, &c->admin, "PUT", body, API "/robots/%" PRId64, robot.id), 200);
        const struct http_reply *found =
            ask(c, &c->admin, "GET", NULL, API "/robots/%" PRId64, robot.id);
        expect_text(c, "description", text_at(found->json, "description"), "again");
        expect_number(c, "rights",
                      (int64_t)json_array_size(json_at(found->json, "permissions.0.access")), 1);
    }
}

/* 6.1: a refusal leaves nothing of what it had begun. */
static void refused_as_a_whole(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body = json_text(c,
                                 "{'name':'w','level':'project','duration':-1,'permissions':"
                                 "[{'kind':'project','namespace':'%s','access':"
                                 "[{'resource':'repository','action':'pull'},"
                                 "{'resource':'repository','action':'fly'}]}]}",
                                 project.name);
    expect_error(c, ask(c, &c->admin, "POST", body, API "/robots"), 400, "BAD_REQUEST");
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            project.id);
    expect_number(c, "robots", (int64_t)json_array_size(list->json), 0);
}

static void test_6_repeats(void **state) {
    static const struct claim claims[] = {
        CLAIM("6.1", "a robot that is refused leaves nothing", refused_as_a_whole, .since = 2010),
        CLAIM("6.2", "PUT of visibility again is the same state", repeats_visibility),
        CLAIM("6.2", "PUT of a robot again is the same state", repeats_robot_put),
    };
    run_claims(state, MAP(claims));
}

static void test_6_side_by_side(void **state) {
    static const struct claim claims[] = {
        CLAIM("6.6", "of 20 creates of a project side by side one is 201, the rest 409",
              creates_projects),
        CLAIM("6.6", "of 20 creates of a robot side by side one is 201, the rest 409",
              creates_robots),
        CLAIM("1.7", "of two deletes of a project side by side one or both are 200",
              deletes_projects, .needs = NEED_SYSADMIN),
        CLAIM("2.9", "of two deletes of a robot side by side one is 200, the other 404",
              deletes_robots, .needs = NEED_SYSADMIN),
        CLAIM("1.4", "a create beside the delete of that name is 409, or 201 with a new id",
              create_beside_delete, .needs = NEED_SYSADMIN),
        CLAIM("6.3", "a robot left without its project is listed by the old id and deleted", orphan,
              .needs = NEED_SYSADMIN),
    };
    /* A real Harbor takes its time between what it reads and what it writes. */
    set_stand_in(*state, "{\"between_ms\":100}");
    run_claims(state, MAP(claims));
    set_stand_in(*state, "{\"between_ms\":0}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_6_repeats),
        cmocka_unit_test(test_6_side_by_side),
    };
    return cmocka_run_group_tests_name("concurrency", tests, contract_setup, contract_teardown);
}
