/* SPDX-License-Identifier: Apache-2.0 */
#include "send_wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "berth/io/kafka_producer.h"
#include "berth/io/kafka_reader.h"
#include "record_json.h"
#include "text.h"

/* A record that the brokers don't take within this has failed. */
#define RECORD_TIMEOUT_MS 15000
#define TURN_MS           20
/* A record's result and its dead letter are published together, and read in any order. */
#define DEAD_GRACE_MS 1000

struct sending {
    const struct cli *cli;
    const struct cli_send_plan *plan;
    struct cli_outgoing_list *list;
    struct berth_producer *producer;
    struct berth_reader *reader; /* NULL: nobody waits. */
    struct cli_outgoing *by_source;
    size_t undelivered; /* Sent, without a delivery report. */
    size_t open;        /* Not at their end. */
    enum berth_rc rc;   /* Of printing: BERTH_END when nobody reads. */
};

static enum cli_exit open_reader(struct sending *sending);
static enum cli_exit open_producer(struct sending *sending);
static enum cli_exit send_each(struct sending *sending);
static enum cli_exit send_one(struct sending *sending, struct cli_outgoing *outgoing);
static void on_delivered(void *ctx, const struct berth_delivery *delivery);
static enum cli_exit wait_for_deliveries(struct sending *sending);
static enum cli_exit wait_for_answers(struct sending *sending);
static void on_record(struct sending *sending, const struct berth_record *record);
static void on_result(struct sending *sending, const struct berth_record *record);
static void on_dead_letter(struct sending *sending, const struct berth_record *record);
static struct cli_outgoing *find(struct sending *sending, const char *source);
static void give_up(struct sending *sending);
static void complain_of_no_answer(const struct sending *sending,
                                  const struct cli_outgoing *outgoing);
static void end(struct sending *sending, struct cli_outgoing *outgoing,
                enum cli_outgoing_state state);
static enum cli_exit verdict(const struct sending *sending);

enum cli_exit cli_send_all(const struct cli *cli, const struct cli_send_plan *plan,
                           struct cli_outgoing_list *list) {
    struct sending sending = {
        .cli = cli, .plan = plan, .list = list, .open = list->count, .rc = BERTH_OK};
    /* The positions are fixed first, so that no answer is behind them. */
    enum cli_exit status = plan->wait ? open_reader(&sending) : CLI_SUCCEEDED;
    if (status == CLI_SUCCEEDED) {
        status = open_producer(&sending);
    }
    if (status == CLI_SUCCEEDED) {
        status = send_each(&sending);
    }
    if (status == CLI_SUCCEEDED) {
        status = plan->wait ? wait_for_answers(&sending) : wait_for_deliveries(&sending);
    }
    if (status == CLI_SUCCEEDED) {
        status = verdict(&sending);
    }
    HASH_CLEAR(by_source, sending.by_source);
    sending.rc = BERTH_END; /* What is still told of deliveries is not printed. */
    berth_producer_free(sending.producer);
    berth_reader_free(sending.reader);
    return status;
}

static enum cli_exit open_reader(struct sending *sending) {
    const char *topics[] = {sending->cli->config->topics.results, sending->cli->config->topics.dlq};
    struct berth_error error = {0};
    enum berth_rc rc = berth_reader_new(&sending->cli->kafka, topics, 2, BERTH_READER_FROM_END,
                                        CLI_KAFKA_TIMEOUT_MS, &sending->reader, &error);
    return rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
}

static enum cli_exit open_producer(struct sending *sending) {
    struct berth_error error = {0};
    enum berth_rc rc = berth_producer_new(&sending->cli->kafka, RECORD_TIMEOUT_MS, on_delivered,
                                          sending, &sending->producer, &error);
    return rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
}

static enum cli_exit send_each(struct sending *sending) {
    for (size_t i = 0; i < sending->list->count; i++) {
        enum cli_exit status = send_one(sending, &sending->list->items[i]);
        if (status != CLI_SUCCEEDED) {
            return status;
        }
    }
    return CLI_SUCCEEDED;
}

/* What can't be sent at all is told and is that record's end; the others go on. */
static enum cli_exit send_one(struct sending *sending, struct cli_outgoing *outgoing) {
    const struct berth_header header = {
        .name = "traceparent",
        .value = {(const uint8_t *)outgoing->traceparent, strlen(outgoing->traceparent)}};
    struct berth_bytes value = berth_buffer_view(&outgoing->value);
    if (value.data == NULL) {
        value.data = (const uint8_t *)""; /* An empty file is an empty value, not a null one. */
    }
    int64_t deadline_ms = berth_clock_monotonic_ms() + RECORD_TIMEOUT_MS;
    struct berth_error error = {0};
    enum berth_rc rc = BERTH_OK;
    do {
        outgoing->sent_ms = berth_clock_monotonic_ms();
        rc = berth_producer_send(sending->producer, outgoing->topic,
                                 berth_buffer_view(&outgoing->key), value, &header, 1, outgoing,
                                 &error);
        if (rc == BERTH_BUSY) {
            berth_producer_poll(sending->producer, TURN_MS);
        }
    } while (rc == BERTH_BUSY && berth_clock_monotonic_ms() < deadline_ms);
    if (rc < BERTH_OK) {
        return cli_fault(rc, &error);
    }
    if (rc != BERTH_OK) {
        cli_complain("%s can't be sent: %s", outgoing->title,
                     rc == BERTH_BUSY ? "the brokers take nothing" : error.text);
        end(sending, outgoing, CLI_UNDELIVERED);
        return CLI_SUCCEEDED;
    }
    outgoing->state = CLI_SENT;
    sending->undelivered++;
    return CLI_SUCCEEDED;
}

static void on_delivered(void *ctx, const struct berth_delivery *delivery) {
    struct sending *sending = ctx;
    struct cli_outgoing *outgoing = delivery->tag;
    sending->undelivered--;
    if (delivery->error_text != NULL) {
        if (sending->rc == BERTH_OK) {
            bool known = outgoing->id[0] != '\0';
            cli_complain("%s was not delivered to %s: %s%s%s", outgoing->title, outgoing->topic,
                         delivery->error_text,
                         known ? "; if you send it again, do so with its id: --id " : "",
                         outgoing->id);
        }
        end(sending, outgoing, CLI_UNDELIVERED);
        return;
    }
    outgoing->state = CLI_DELIVERED;
    outgoing->delivered_ms = berth_clock_monotonic_ms();
    outgoing->partition = delivery->partition;
    outgoing->offset = delivery->offset;
    (void)snprintf(outgoing->source, sizeof(outgoing->source), "%s/%" PRId32 "/%" PRId64,
                   outgoing->topic, outgoing->partition, outgoing->offset);
    if (sending->plan->wait) {
        HASH_ADD(by_source, sending->by_source, source, strlen(outgoing->source), outgoing);
        return;
    }
    end(sending, outgoing, CLI_DELIVERED);
    if (sending->rc == BERTH_OK) {
        sending->rc = cli_print_delivered(&sending->plan->form, outgoing);
    }
}

static enum cli_exit wait_for_deliveries(struct sending *sending) {
    while (sending->undelivered > 0) {
        berth_producer_poll(sending->producer, TURN_MS);
    }
    return CLI_SUCCEEDED;
}

static enum cli_exit wait_for_answers(struct sending *sending) {
    while (sending->open > 0 && sending->rc == BERTH_OK) {
        berth_producer_poll(sending->producer, 0);
        struct berth_record *record = NULL;
        struct berth_error error = {0};
        enum berth_rc rc = berth_reader_take(sending->reader, TURN_MS, &record, &error);
        if (rc == BERTH_OK) {
            on_record(sending, record);
            berth_record_free(record);
        } else if (rc == BERTH_END) {
            give_up(sending);
        } else {
            return cli_fault(rc, &error);
        }
    }
    return CLI_SUCCEEDED;
}

static void on_record(struct sending *sending, const struct berth_record *record) {
    if (strcmp(berth_record_topic(record), sending->cli->config->topics.dlq) == 0) {
        on_dead_letter(sending, record);
    } else {
        on_result(sending, record);
    }
}

/* An answer names the record that it answers; the id alone would not do, since it may be sent
 * again. */
static void on_result(struct sending *sending, const struct berth_record *record) {
    int64_t now_ms = berth_clock_monotonic_ms();
    json_t *result = cli_record_value(sending->cli->codec, record, NULL);
    const json_t *source = json_object_get(result, "source");
    char text[CLI_SOURCE_BYTES];
    (void)snprintf(text, sizeof(text), "%s/%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
                   cli_member(source, "topic"),
                   json_integer_value(json_object_get(source, "partition")),
                   json_integer_value(json_object_get(source, "offset")));
    struct cli_outgoing *outgoing = find(sending, text);
    if (outgoing != NULL && outgoing->state == CLI_DELIVERED) {
        end(sending, outgoing, CLI_ANSWERED);
        sending->rc = cli_print_result(&sending->plan->form, outgoing, record, result,
                                       now_ms - outgoing->sent_ms, &outgoing->result);
    }
    json_decref(result);
}

static void on_dead_letter(struct sending *sending, const struct berth_record *record) {
    char *topic = cli_record_header(record, "berth-dlq-topic");
    char *partition = cli_record_header(record, "berth-dlq-partition");
    char *offset = cli_record_header(record, "berth-dlq-offset");
    if (topic != NULL && partition != NULL && offset != NULL) {
        char text[CLI_SOURCE_BYTES];
        (void)snprintf(text, sizeof(text), "%s/%s/%s", topic, partition, offset);
        struct cli_outgoing *outgoing = find(sending, text);
        if (outgoing != NULL && outgoing->dead_since_ms == 0) {
            outgoing->dead_since_ms = berth_clock_monotonic_ms();
            outgoing->dead_reason = cli_record_header(record, "berth-dlq-reason");
        }
    }
    free(topic);
    free(partition);
    free(offset);
}

/* While deliveries are still to be told, an answer may be ahead of its record's. */
static struct cli_outgoing *find(struct sending *sending, const char *source) {
    struct cli_outgoing *outgoing = NULL;
    HASH_FIND(by_source, sending->by_source, source, strlen(source), outgoing);
    while (outgoing == NULL && sending->undelivered > 0) {
        berth_producer_poll(sending->producer, TURN_MS);
        HASH_FIND(by_source, sending->by_source, source, strlen(source), outgoing);
    }
    return outgoing;
}

/* Ends those whose time is over. */
static void give_up(struct sending *sending) {
    int64_t now_ms = berth_clock_monotonic_ms();
    for (size_t i = 0; i < sending->list->count; i++) {
        struct cli_outgoing *outgoing = &sending->list->items[i];
        if (outgoing->state != CLI_DELIVERED) {
            continue;
        }
        if (outgoing->dead_since_ms > 0 && now_ms - outgoing->dead_since_ms >= DEAD_GRACE_MS) {
            end(sending, outgoing, CLI_ANSWERED);
            outgoing->result = CLI_FAILED;
            sending->rc = cli_print_dead_letter(&sending->plan->form, outgoing);
        } else if (now_ms - outgoing->delivered_ms >= sending->plan->wait_ms) {
            end(sending, outgoing, CLI_UNANSWERED);
            complain_of_no_answer(sending, outgoing);
            sending->rc = cli_print_unanswered(&sending->plan->form, outgoing);
        }
    }
}

/* With the id, so that it can be asked again; the rest of the command line is the caller's. */
static void complain_of_no_answer(const struct sending *sending,
                                  const struct cli_outgoing *outgoing) {
    cli_complain("no answer to %s (%s) within %" PRId64
                 " ms: is berthd running and ready (/readyz), and does it serve this registry? An "
                 "answer that comes later is on %s",
                 outgoing->title, outgoing->source, sending->plan->wait_ms,
                 sending->cli->config->topics.results);
    if (outgoing->id[0] != '\0') {
        cli_complain(
            "its id is %s; to ask again, send the same with it, which is never done twice: "
            "berth send ... --id %s --wait",
            outgoing->id, outgoing->id);
    }
}

static void end(struct sending *sending, struct cli_outgoing *outgoing,
                enum cli_outgoing_state state) {
    BERTH_ASSERT(sending->open > 0);
    outgoing->state = state;
    sending->open--;
}

static enum cli_exit verdict(const struct sending *sending) {
    enum cli_exit worst = sending->rc < BERTH_OK ? CLI_FAILED : CLI_SUCCEEDED;
    for (size_t i = 0; i < sending->list->count; i++) {
        const struct cli_outgoing *outgoing = &sending->list->items[i];
        enum cli_exit own = CLI_SUCCEEDED;
        if (outgoing->state == CLI_UNDELIVERED) {
            own = CLI_FAILED;
        } else if (outgoing->state == CLI_UNANSWERED) {
            own = CLI_NO_ANSWER;
        } else if (outgoing->state == CLI_ANSWERED) {
            own = outgoing->result;
        }
        worst = own > worst ? own : worst;
    }
    return worst;
}
