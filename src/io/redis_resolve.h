/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the name of a Redis to a numeric address, on the loop (libevent's evdns), one at a time.
 */
#ifndef BERTH_IO_REDIS_RESOLVE_H
#define BERTH_IO_REDIS_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"

struct berth_redis_resolve;
struct event_base;

/* A numeric IPv6 address with a scope, or the path of a Unix socket, and its NUL. */
#define BERTH_REDIS_ADDRESS_BYTES 108

/* address: numeric or a path, borrowed, one of count; NULL: the name has none, and why says so. */
typedef void (*berth_redis_resolve_fn)(void *ctx, const char *address, size_t count,
                                       const char *why);

/*
 * Starts to look host up; fn is called once, later, from the loop. Numeric addresses, paths and
 * "localhost" (127.0.0.1) are not looked up. nth: which of the addresses found (the remainder
 * counts), so that the next attempt tries the next one. nameserver: "ADDRESS[:PORT]", or NULL for
 * resolv.conf's; that file and /etc/hosts are read again each time. NULL: out of memory. host and
 * nameserver are borrowed for the call.
 */
struct berth_redis_resolve *berth_redis_resolve_start(struct event_base *base, const char *host,
                                                      const char *nameserver, size_t nth,
                                                      berth_redis_resolve_fn fn, void *ctx);

/* Whether it is an address of IPv4 or IPv6. */
bool berth_redis_is_numeric(const char *host);

/* Ends it, answered or not; fn isn't called any more. Never from within fn. NULL is fine. */
void berth_redis_resolve_stop(struct berth_redis_resolve *resolve);

#endif
