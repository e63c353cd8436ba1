/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "load.h"

#define HEADERS         8
#define VALUE_BYTES_MAX 512

/* As berth's result, audit record and state of a new space are (bytes of the value). */
static const size_t value_bytes[LOAD_RECORDS] = {380, 290, 190};

void load_records_produce(rd_kafka_t *producer, rd_kafka_topic_t *const topics[LOAD_RECORDS],
                          const void *key, size_t key_len, size_t stamp) {
    uint8_t value[VALUE_BYTES_MAX] = {0};
    memcpy(value, &stamp, sizeof(stamp));
    for (size_t record = 0; record < LOAD_RECORDS; record++) {
        rd_kafka_headers_t *headers = rd_kafka_headers_new(HEADERS);
        for (size_t i = 0; i < HEADERS; i++) {
            (void)rd_kafka_header_add(headers, "ce_header", -1, "of a usual length, say 30 bytes",
                                      -1);
        }
        rd_kafka_resp_err_t err = rd_kafka_producev(
            producer, RD_KAFKA_V_RKT(topics[record]), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key, key_len), RD_KAFKA_V_VALUE(value, value_bytes[record]),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            load_fail("sending: %s", rd_kafka_err2str(err));
        }
    }
}
