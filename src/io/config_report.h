/* SPDX-License-Identifier: Apache-2.0 */
/* Findings of the configuration's loader; see berth_config_report in berth/io/config.h. */
#ifndef BERTH_IO_CONFIG_REPORT_H
#define BERTH_IO_CONFIG_REPORT_H

#include "berth/io/config.h"

/* Each adds one finding; line 0: not about one line. Beyond the bound they are only counted. */
void berth_config_error(struct berth_config_report *report, int line, const char *format, ...)
    BERTH_PRINTF(3, 4);
void berth_config_warning(struct berth_config_report *report, int line, const char *format, ...)
    BERTH_PRINTF(3, 4);

#endif
