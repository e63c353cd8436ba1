/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_record.h"

#include <stdlib.h>

#include "kafka_client.h"
#include "kafka_member.h"

struct berth_record *berth_record_new(rd_kafka_message_t *take_message,
                                      struct berth_member *lender) {
    rd_kafka_headers_t *headers = NULL;
    size_t count = 0;
    if (rd_kafka_message_headers(take_message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        count = rd_kafka_header_cnt(headers);
    }
    struct berth_record *record = malloc(sizeof(*record) + count * sizeof(record->headers[0]));
    if (record == NULL) {
        return NULL;
    }
    record->message = take_message;
    record->lender = lender;
    if (lender != NULL) {
        lender->records_lent++;
    }
    record->headers_count = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t len;
        if (rd_kafka_header_get_all(headers, i, &name, &value, &len) ==
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            record->headers[record->headers_count++] =
                (struct berth_header){.name = name, .value = {.data = value, .len = len}};
        }
    }
    return record;
}

struct berth_record *berth_record_free(struct berth_record *record) {
    if (record != NULL) {
        rd_kafka_message_destroy(record->message);
        if (record->lender != NULL) {
            berth_member_record_freed(record->lender);
        }
        free(record);
    }
    return NULL;
}

struct berth_bytes berth_record_key(const struct berth_record *record) {
    return (struct berth_bytes){.data = record->message->key, .len = record->message->key_len};
}

struct berth_bytes berth_record_value(const struct berth_record *record) {
    return (struct berth_bytes){.data = record->message->payload, .len = record->message->len};
}

const struct berth_header *berth_record_headers(const struct berth_record *record,
                                                size_t *ret_count) {
    *ret_count = record->headers_count;
    return record->headers;
}

const char *berth_record_topic(const struct berth_record *record) {
    return rd_kafka_topic_name(record->message->rkt);
}

int32_t berth_record_partition(const struct berth_record *record) {
    return record->message->partition;
}

int64_t berth_record_offset(const struct berth_record *record) {
    return record->message->offset;
}

int64_t berth_record_time_ms(const struct berth_record *record) {
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp(record->message, &type);
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : time_ms;
}
