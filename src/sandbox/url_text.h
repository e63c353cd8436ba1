/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percent-encoding, as Go's net/url reads it (Harbor is written in Go).
 */
#ifndef BERTH_SANDBOX_URL_TEXT_H
#define BERTH_SANDBOX_URL_TEXT_H

#include <stdbool.h>

/*
 * Decodes %XX in place and, when plus_is_space, "+" to a blank, as url.QueryUnescape does; paths
 * keep their "+". False: a "%" without two hex digits, or a NUL byte; text is then unchanged.
 */
bool berth_sandbox_url_decode(char *text, bool plus_is_space);

#endif
