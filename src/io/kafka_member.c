/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_member.h"

#include <stdint.h>
#include <stdlib.h>

#include "berth/base/assert.h"
#include "kafka_client.h"

static void drop_queue(struct berth_member *member);

enum berth_rc berth_member_new(const rd_kafka_conf_t *conf,
                               const rd_kafka_topic_partition_list_t *topics, int control_fd,
                               struct berth_member **ret_member, struct berth_error *reterr) {
    struct berth_member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    enum berth_rc rc = berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, rd_kafka_conf_dup(conf),
                                              &member->handle, reterr);
    if (rc != BERTH_OK) {
        free(member);
        return rc;
    }
    (void)rd_kafka_poll_set_consumer(member->handle);
    member->queue = rd_kafka_queue_get_consumer(member->handle);
    BERTH_ASSERT(member->queue != NULL);
    rd_kafka_queue_io_event_enable(member->queue, control_fd, &(uint64_t){1}, sizeof(uint64_t));
    rd_kafka_resp_err_t err = rd_kafka_subscribe(member->handle, topics);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "subscribe: %s", rd_kafka_err2str(err));
        berth_member_retire(member);
        return BERTH_FAULT_LIBRARY;
    }
    *ret_member = member;
    return BERTH_OK;
}

void berth_member_retire(struct berth_member *take_member) {
    drop_queue(take_member);
    take_member->retired = true;
    if (take_member->records_lent == 0) {
        berth_kafka_handle_destroy_later(take_member->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        free(take_member);
    }
}

struct berth_member *berth_member_free(struct berth_member *member, int timeout_ms) {
    if (member == NULL) {
        return NULL;
    }
    BERTH_ASSERT(member->records_lent == 0);
    drop_queue(member);
    (void)berth_kafka_handle_destroy(member->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     timeout_ms);
    free(member);
    return NULL;
}

void berth_member_record_freed(struct berth_member *member) {
    BERTH_ASSERT(member->records_lent > 0);
    member->records_lent--;
    if (member->retired && member->records_lent == 0) {
        berth_kafka_handle_destroy_later(member->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        free(member);
    }
}

static void drop_queue(struct berth_member *member) {
    rd_kafka_queue_io_event_enable(member->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(member->queue);
}
