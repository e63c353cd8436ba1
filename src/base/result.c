/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/result.h"

#include <stdarg.h>
#include <stdio.h>

void berth_error_set(struct berth_error *reterr, const char *format, ...) {
    if (reterr == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reterr->text, sizeof(reterr->text), format, arguments);
    va_end(arguments);
}

const char *berth_error_why(const struct berth_error *error, enum berth_rc rc) {
    return error->text[0] != '\0' ? error->text : berth_rc_name(rc);
}

const char *berth_rc_name(enum berth_rc rc) {
    switch (rc) {
    case BERTH_OK:
        return "BERTH_OK";
    case BERTH_BUSY:
        return "BERTH_BUSY";
    case BERTH_NOT_FOUND:
        return "BERTH_NOT_FOUND";
    case BERTH_INVALID:
        return "BERTH_INVALID";
    case BERTH_END:
        return "BERTH_END";
    case BERTH_FAULT_MEMORY:
        return "BERTH_FAULT_MEMORY";
    case BERTH_FAULT_SYSTEM:
        return "BERTH_FAULT_SYSTEM";
    case BERTH_FAULT_LIBRARY:
        return "BERTH_FAULT_LIBRARY";
    case BERTH_FAULT_PROTOCOL:
        return "BERTH_FAULT_PROTOCOL";
    case BERTH_FAULT_UNREACHABLE:
        return "BERTH_FAULT_UNREACHABLE";
    }
    return "BERTH_RC_UNKNOWN";
}
