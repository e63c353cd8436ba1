/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.x request (RFC 9112), taken apart: for the admin server.
 *
 * Strict, because who sends something odd is not one of those that this server is for: lines end
 * with CR LF, a target begins with '/', and there is no %00. What a server of lookups has no use
 * for (bodies, most headers) is only looked at so far as it decides where a request ends.
 * Pure: no I/O, no allocation.
 */
#ifndef BERTH_IO_HTTP_REQUEST_H
#define BERTH_IO_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"

/* Both names of a lookup and its query fit in also when every byte of them is percent-encoded. */
#define BERTH_HTTP_TARGET_BYTES_MAX 4096
#define BERTH_HTTP_SEGMENTS_MAX     8
#define BERTH_HTTP_PARAMETERS_MAX   16

enum berth_http_method {
    BERTH_HTTP_GET,
    BERTH_HTTP_HEAD,
    BERTH_HTTP_OTHER,
};

/* "?name=value"; without a '=' the value is "". */
struct berth_http_parameter {
    const char *name;
    const char *value;
};

/* Text is percent-decoded, NUL-terminated, and a view of the head that was parsed; it may be any
 * bytes but NUL. "/a/b" has the segments "a" and "b", "/a/" has "a" and "". */
struct berth_http_request {
    enum berth_http_method method;
    bool keep_alive; /* The client would send another request over this connection. */
    bool has_body;   /* A body follows, which nobody reads: the connection can't go on. */
    const char *segments[BERTH_HTTP_SEGMENTS_MAX];
    size_t segments_count;
    struct berth_http_parameter parameters[BERTH_HTTP_PARAMETERS_MAX];
    size_t parameters_count;
};

/* What is to be answered to a request that isn't understood. Static text. */
struct berth_http_flaw {
    int status;
    const char *code;
    const char *message;
};

/*
 * Parses the len bytes of a head, which end with the empty line (asserted), and changes them: the
 * request's text is made of them.
 * BERTH_INVALID: it isn't a request that is served; ret_flaw says why.
 */
BERTH_MUST_USE enum berth_rc berth_http_request_parse(char *head, size_t len,
                                                      struct berth_http_request *ret_request,
                                                      struct berth_http_flaw *ret_flaw);

#endif
