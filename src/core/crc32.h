/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as in zlib, four bits at a time: a small table, and quick enough for records. */
#ifndef BERTH_CORE_CRC32_H
#define BERTH_CORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The checksum so far, 0 at first, with these bytes behind it. */
uint32_t crc32_add(uint32_t crc, const void *bytes, size_t len);

#endif
