/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas of schemas/, as text within the program. The table is generated at build by
 * embed_schemas.cmake; its order is the list in CMakeLists.txt.
 */
#ifndef BERTH_SRC_CODEC_SHIPPED_SCHEMAS_H
#define BERTH_SRC_CODEC_SHIPPED_SCHEMAS_H

#include <stddef.h>

#define BERTH_SHIPPED_SCHEMAS 10

struct berth_shipped_schema {
    const char *name; /* The file's name without ".avsc". */
    const unsigned char *text;
    size_t text_len;
};

extern const struct berth_shipped_schema berth_shipped_schemas[BERTH_SHIPPED_SCHEMAS];

#endif
