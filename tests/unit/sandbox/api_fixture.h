/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Harbor without sockets for the tests of its API: user berth, password Secret123, id 3, and
 * carol with the same password, id 4, who has no rights of her own.
 */
#ifndef BERTH_TESTS_API_FIXTURE_H
#define BERTH_TESTS_API_FIXTURE_H

#include "harbor_api.h"
#include "sandbox_http.h"

#define NOW_MS INT64_C(1795000000000)
/* Of berth:Secret123. */
#define BERTH   "Basic YmVydGg6U2VjcmV0MTIz"
#define CAROL   "Basic Y2Fyb2w6U2VjcmV0MTIz"
#define NOT_SO  "Basic YmVydGg6d3Jvbmc="
#define PROJECT "{\"project_name\":\"team-a\"}"

/* For cmocka's setup and teardown: the state is the Harbor. */
int api_setup(void **state);
int api_teardown(void **state);

/* A request of berth's; body may be NULL, then there is no content type either. */
struct berth_sandbox_request request_of(enum berth_sandbox_method method, const char *path,
                                        const char *body);

/* Sends it; the reply is the caller's to deinit. */
struct berth_sandbox_reply call(struct berth_sandbox_harbor *harbor,
                                const struct berth_sandbox_request *request);

/* Sends it and asserts the status. */
void call_expecting(struct berth_sandbox_harbor *harbor,
                    const struct berth_sandbox_request *request, int expected_status);

/* The reply's header, or NULL; of several with that name the first whose value begins with
 * prefix. */
const char *header_of(const struct berth_sandbox_reply *reply, const char *name,
                      const char *prefix);

/* The first of the error's code and its message. */
void assert_error(const struct berth_sandbox_reply *reply, int status, const char *code,
                  const char *message);

#endif
