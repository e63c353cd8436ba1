/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and listing projects (paragraph 1.5). Lists are narrowed to what the suite made. */
#include "contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Three projects, of which one is public, with a common beginning that nothing else has. */
struct three {
    const char *name;
    struct project a;
    struct project b;
    struct project open;
};

static struct three make_three(struct contract *c) {
    struct three three = {.name = new_name(c)};
    struct project *projects[] = {&three.a, &three.b, &three.open};
    static const char *const ENDS[] = {"-a.x", "-b_x", "-open"};
    for (size_t i = 0; i < 3; i++) {
        const char *name = text(c, "%s%s", three.name, ENDS[i]);
        const char *body = json_text(c, "{'project_name':'%s','metadata':{'public':'%s'}}", name,
                                     i == 2 ? "true" : "false");
        *projects[i] = make_project_as(c, &c->admin, body, name);
    }
    return three;
}

/* The ends of the names that a list has, such as "a.x b_x open"; others are shown whole. */
static const char *names_in(struct contract *c, const struct http_reply *list,
                            const struct three *three) {
    const char *names = "";
    for (size_t i = 0; i < json_array_size(list->json); i++) {
        const char *name = text_at(json_array_get(list->json, i), "name");
        if (strncmp(name, three->name, strlen(three->name)) == 0) {
            name += strlen(three->name) + 1;
        }
        names = text(c, "%s%s%s", names, i == 0 ? "" : " ", name);
    }
    return names;
}

/* claim->input is the query, with NAME for the common beginning and A, B for ids; code what is
 * found, or for another status the error. */
static void query(struct contract *c, const struct claim *claim) {
    struct three three = make_three(c);
    const char *asked = filled(c, claim->input, "NAME", three.name);
    asked = filled(c, asked, "<A>", text(c, "%" PRId64, three.a.id));
    asked = filled(c, asked, "<B>", text(c, "%" PRId64, three.b.id));
    asked = filled(c, asked, "<ME>", c->admin.user);
    const struct http_reply *list = ask(c, &c->admin, "GET", NULL, API "/projects?%s", asked);
    if (claim->status != 0) {
        expect_error(c, list, claim->status, claim->code);
        return;
    }
    expect_status(c, list, 200);
    expect_text(c, "the names", names_in(c, list, &three), claim->code);
    expect_text(c, "X-Total-Count", header_of(c, list, "X-Total-Count"),
                text(c, "%zu", json_array_size(list->json)));
}

static void fields(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    static const char *const TEXTS[] = {"name", "owner_name", "creation_time", "update_time",
                                        "metadata.public"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        expect(c, text_at(found->json, TEXTS[i])[0] != '\0', "expected text in %s", TEXTS[i]);
    }
    expect_number(c, "project_id", number_at(found->json, "project_id"), project.id);
    expect_number(c, "repo_count", number_at(found->json, "repo_count"), 0);
    expect(c, number_at(found->json, "owner_id") > 0, "expected a number in owner_id");
    expect_number(c, "current_user_role_id", number_at(found->json, "current_user_role_id"), 1);
    expect(c, json_is_object(json_at(found->json, "cve_allowlist")), "expected a cve_allowlist");
    int year = 0;
    int month = 0;
    const char *time = text_at(found->json, "creation_time");
    bool dated = sscanf(time, "%4d-%2d-", &year, &month) == 2; /* NOLINT(cert-err34-c) */
    expect(c, dated && strchr(time, 'T') != NULL, "expected RFC 3339, got %s", time);
}

static void without_detail(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *path = text(c, API "/projects?q=name%%3D%s", project.name);
    const struct http_reply *with = ask(c, &c->admin, "GET", NULL, "%s", path);
    expect_text(c, "metadata.public", text_at(with->json, "0.metadata.public"), "false");
    const struct http_reply *without = ask(c, &c->admin, "GET", NULL, "%s&with_detail=false", path);
    expect_number(c, "project_id", number_at(without->json, "0.project_id"), project.id);
    expect(c, text_at(without->json, "0.metadata.public")[0] == '\0', "the visibility is there");
}

static void pages(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    for (int i = 0; i < 11; i++) {
        const char *one = text(c, "%s-%02d", name, i);
        (void)make_project_as(c, &c->admin, json_text(c, "{'project_name':'%s'}", one), one);
    }
    const struct http_reply *first =
        ask(c, &c->admin, "GET", NULL, API "/projects?q=name%%3D~%s", name);
    expect_number(c, "projects on the first page", (int64_t)json_array_size(first->json), 10);
    expect_text(c, "X-Total-Count", header_of(c, first, "X-Total-Count"), "11");
    const char *link = header_of(c, first, "Link");
    expect(c, strstr(link, "rel=\"next\"") != NULL && strstr(link, "page=2") != NULL,
           "expected a Link to the next page, got \"%s\"", link);
    expect(c, strstr(link, text(c, "name=~%s", name)) != NULL,
           "expected the query in the Link without escapes, got \"%s\"", link);
    const struct http_reply *second =
        ask(c, &c->admin, "GET", NULL, API "/projects?page=2&q=name%%3D~%s", name);
    expect_number(c, "projects on the second page", (int64_t)json_array_size(second->json), 1);
    expect_text(c, "the last name", text_at(second->json, "0.name"), text(c, "%s-10", name));
    link = header_of(c, second, "Link");
    expect(c, strstr(link, "rel=\"prev\"") != NULL && strstr(link, "rel=\"next\"") == NULL,
           "expected a Link to the previous page alone, got \"%s\"", link);
    const struct http_reply *middle =
        ask(c, &c->admin, "GET", NULL, API "/projects?page=2&page_size=4&q=name%%3D~%s", name);
    link = header_of(c, middle, "Link");
    expect(c, strstr(link, "rel=\"prev\" , <") != NULL, "expected \" , \" in the Link, got \"%s\"",
           link);
}

static void no_link(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/projects?q=name%%3D%s", new_name(c));
    expect_status(c, list, 200);
    expect_text(c, "X-Total-Count", header_of(c, list, "X-Total-Count"), "0");
    expect_text(c, "Link", header_of(c, list, "Link"), "");
    expect(c, json_is_array(list->json) || json_is_null(list->json), "expected an empty list");
}

static void keyset(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct three three = make_three(c);
    const char *seen = "";
    int64_t last = three.a.id - 1;
    for (int i = 0; i < 3; i++) {
        const struct http_reply *list =
            ask(c, &c->admin, "GET", NULL,
                API "/projects?q=project_id%%3D%%5B%" PRId64 "~%%5D%%2Cname%%3D~%s&sort=project_id"
                    "&page_size=1",
                last + 1, three.name);
        expect_number(c, "projects", (int64_t)json_array_size(list->json), 1);
        seen = text(c, "%s%s ", seen, names_in(c, list, &three));
        last = number_at(list->json, "0.project_id");
    }
    expect_text(c, "what the scan saw", seen, "a.x b_x open ");
}

/* ---- who sees what ---- */

static void sees(struct contract *c, const struct claim *claim) {
    struct three three = make_three(c);
    const struct http_login *who = NULL;
    struct robot robot;
    if (claim->who == 1) {
        who = &c->user;
    } else if (claim->who == 2) {
        const char *body =
            json_text(c, "{'role_id':3,'member_user':{'user_id':%" PRId64 "}}", c->user_id);
        const struct http_reply *added =
            ask(c, &c->admin, "POST", body, API "/projects/%" PRId64 "/members", three.a.id);
        (void)require(c, added->status == 201, "no member can be added: %ld", added->status);
        who = &c->user;
    } else if (claim->who == 3) {
        robot = make_robot(c, three.b);
        who = &robot.login;
    } else if (claim->who == 4) {
        robot = make_system_robot(c, "[{'kind':'project','namespace':'*','access':" PULL "}]");
        who = &robot.login;
    }
    const struct http_reply *list =
        ask(c, who, "GET", NULL, API "/projects?q=name%%3D~%s", three.name);
    expect_status(c, list, 200);
    expect_text(c, "the names", names_in(c, list, &three), claim->code);
}

static void test_1_5_reading(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.5", "a project has its fields, repo_count 0 among them", fields),
        CLAIM("1.5", "with_detail=false drops the metadata", without_detail),
        CLAIM("1.5", "a page has 10 projects; X-Total-Count counts all, Link has next and prev",
              pages),
        CLAIM("1.5", "an empty list has the total 0 and no Link", no_link),
        CLAIM("1.5", "page_size above 100 is 422", query, .input = "page_size=101", .status = 422,
              .code = "UNPROCESSABLE_ENTITY"),
        CLAIM("1.5", "a q without = is 400", query, .input = "q=name", .status = 400,
              .code = "BAD_REQUEST"),
        CLAIM("1.5", "a scan by project_id=[last+1~] sees each project once", keyset),
        CLAIM("1.5", "without credentials only public projects are listed, with 200", sees,
              .code = "open"),
        CLAIM("1.5", "a user who is a member nowhere sees the public ones", sees, .who = 1,
              .code = "open", .needs = NEED_USER),
        CLAIM("1.5", "a user sees where he is a member and the public ones", sees, .who = 2,
              .code = "a.x open", .needs = NEED_USER),
        CLAIM("1.5", "a robot sees the project of its rights and the public ones", sees, .who = 3,
              .code = "b_x open"),
        CLAIM("1.5", "a robot with rights on * sees all", sees, .who = 4, .code = "a.x b_x open",
              .needs = NEED_SYSADMIN),
    };
    run_claims(state, MAP(claims));
}

static void test_1_5_queries(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.5", "q=name=NAME is exact", query, .input = "q=name%3DNAME-a.x", .code = "a.x"),
        CLAIM("1.5", "q=name=NAME finds no part of a name", query, .input = "q=name%3DNAME",
              .code = ""),
        CLAIM("1.5", "q=name=~PART finds parts, ordered by name", query, .input = "q=name%3D~NAME",
              .code = "a.x b_x open"),
        CLAIM("1.5", "% is no wildcard in a fuzzy q", query, .input = "q=name%3D~NAME%2525x",
              .code = ""),
        CLAIM("1.5", "_ is no wildcard in a fuzzy q", query, .input = "q=name%3D~NAME-a_x",
              .code = ""),
        CLAIM("1.5", "the parameter name is fuzzy", query, .input = "name=NAME-",
              .code = "a.x b_x open"),
        CLAIM("1.5", "the parameter name doesn't mind upper case", query, .input = "name=NAME-B_X",
              .code = "b_x"),
        CLAIM("1.5", "public=true lists public ones", query, .input = "public=true&q=name%3D~NAME",
              .code = "open"),
        CLAIM("1.5", "public=false lists private ones", query,
              .input = "public=false&q=name%3D~NAME", .code = "a.x b_x"),
        CLAIM("1.5", "owner lists those of a user", query, .input = "owner=<ME>&q=name%3D~NAME",
              .code = "a.x b_x open"),
        CLAIM("1.5", "owner of nobody lists none", query,
              .input = "owner=NAME-nobody&q=name%3D~NAME", .code = ""),
        CLAIM("1.5", "q can have public", query, .input = "q=public%3Dtrue%2Cname%3D~NAME",
              .code = "open"),
        CLAIM("1.5", "q can have owner", query, .input = "q=owner%3DNAME-nobody%2Cname%3D~NAME",
              .code = ""),
        CLAIM("1.5", "sort=-name turns the order round", query,
              .input = "sort=-name&q=name%3D~NAME", .code = "open b_x a.x"),
        CLAIM("1.5", "sort=-project_id is by a column", query,
              .input = "sort=-project_id&q=name%3D~NAME", .code = "open b_x a.x"),
        CLAIM("1.5", "q=project_id=N is exact", query, .input = "q=project_id%3D<B>",
              .code = "b_x"),
        CLAIM("1.5", "q=project_id=[A~B] is a range with both ends", query,
              .input = "q=project_id%3D%5B<A>~<B>%5D%2Cname%3D~NAME", .code = "a.x b_x"),
        CLAIM("1.5", "q=project_id=[~B] is open below", query,
              .input = "q=project_id%3D%5B~<B>%5D%2Cname%3D~NAME", .code = "a.x b_x"),
        CLAIM("1.5", "q=project_id=[B~] is open above", query,
              .input = "q=project_id%3D%5B<B>~%5D%2Cname%3D~NAME", .code = "b_x open"),
        CLAIM("1.5", "q=project_id={A B} is any of them", query,
              .input = "q=project_id%3D%7B<A>%20<B>%7D", .code = "a.x b_x"),
        CLAIM("1.5", "q=name={X Y} is any of them", query,
              .input = "q=name%3D%7BNAME-a.x%20NAME-open%7D", .code = "a.x open"),
        CLAIM("1.5", "digits in a list for a name are 500 UNKNOWN", query,
              .input = "q=name%3D%7B123%20NAME-a.x%7D", .status = 500, .code = "UNKNOWN"),
        CLAIM("1.5", "q knows the Go names of fields, too: Name", query,
              .input = "q=Name%3DNAME-a.x", .code = "a.x"),
        CLAIM("1.5", "q knows the Go names of fields, too: ProjectID", query,
              .input = "q=ProjectID%3D<B>", .code = "b_x"),
        CLAIM("1.5", "unknown keys in q are ignored", query,
              .input = "q=berth_colour%3Dblue%2Cname%3D~NAME", .code = "a.x b_x open"),
        CLAIM("1.5", "q is decoded twice", query, .input = "q=name%3DNAME%252Da.x", .code = "a.x"),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_5_reading),
        cmocka_unit_test(test_1_5_queries),
    };
    return cmocka_run_group_tests_name("lists", tests, contract_setup, contract_teardown);
}
