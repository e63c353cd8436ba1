/* SPDX-License-Identifier: Apache-2.0 */
#include "reply_stream.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sandbox_evhttp.h"
#include "sandbox_memory.h"

#define CHUNK_BYTES 65536
/* A client that doesn't read leaves no more than this with us, and what the kernel takes. */
#define PENDING_BYTES_MAX 262144
#define PAUSE_MS          1
/* How much more a truncated reply promises. */
#define MISSING_BYTES 64

struct berth_sandbox_stream {
    struct evhttp_request *request;
    struct berth_sandbox_reply reply;
    int64_t sent_bytes;
    int64_t end_bytes; /* How much is sent. */
};

/* Sent again and again, by reference; whoever reads slowly may keep them beyond their stream. */
static char blanks[CHUNK_BYTES];

static int64_t promised_bytes(const struct berth_sandbox_stream *stream);
static void send_bytes(struct berth_sandbox_stream *stream, size_t bytes_max);

struct berth_sandbox_stream *berth_sandbox_stream_new(struct evhttp_request *request,
                                                      struct berth_sandbox_reply *take_reply) {
    struct berth_sandbox_stream *stream = berth_sandbox_alloc(sizeof(*stream));
    memset(blanks, ' ', sizeof(blanks));
    stream->request = request;
    stream->reply = *take_reply;
    berth_sandbox_reply_init(take_reply);
    bool endless = stream->reply.delivery == BERTH_SANDBOX_ENDLESS;
    stream->end_bytes = endless ? stream->reply.stream_bytes : (int64_t)stream->reply.body_bytes;
    char length[32];
    (void)snprintf(length, sizeof(length), "%lld", (long long)promised_bytes(stream));
    berth_sandbox_start(request, &stream->reply, length);
    return stream;
}

struct berth_sandbox_stream *berth_sandbox_stream_free(struct berth_sandbox_stream *stream) {
    if (stream != NULL) {
        berth_sandbox_reply_deinit(&stream->reply);
        free(stream);
    }
    return NULL;
}

int64_t berth_sandbox_stream_step(struct berth_sandbox_stream *stream) {
    struct evhttp_connection *connection = evhttp_request_get_connection(stream->request);
    if (connection == NULL || stream->sent_bytes == stream->end_bytes ||
        evhttp_request_get_command(stream->request) == EVHTTP_REQ_HEAD) {
        evhttp_send_reply_end(stream->request);
        return -1;
    }
    if (stream->reply.delivery == BERTH_SANDBOX_DRIPPING) {
        send_bytes(stream, 1);
        return stream->reply.drip_ms;
    }
    struct bufferevent *channel = evhttp_connection_get_bufferevent(connection);
    while (stream->sent_bytes < stream->end_bytes &&
           evbuffer_get_length(bufferevent_get_output(channel)) < PENDING_BYTES_MAX) {
        send_bytes(stream, CHUNK_BYTES);
    }
    return PAUSE_MS;
}

static int64_t promised_bytes(const struct berth_sandbox_stream *stream) {
    bool truncated = stream->reply.delivery == BERTH_SANDBOX_TRUNCATED;
    return stream->end_bytes + (truncated ? MISSING_BYTES : 0);
}

/* The body first; blanks after it, which leave JSON what it was. */
static void send_bytes(struct berth_sandbox_stream *stream, size_t bytes_max) {
    int64_t left = stream->end_bytes - stream->sent_bytes;
    size_t bytes = left < (int64_t)bytes_max ? (size_t)left : bytes_max;
    struct evbuffer *chunk = evbuffer_new();
    BERTH_ASSERT(chunk != NULL);
    if (stream->sent_bytes < (int64_t)stream->reply.body_bytes) {
        size_t body_left = stream->reply.body_bytes - (size_t)stream->sent_bytes;
        bytes = bytes < body_left ? bytes : body_left;
        BERTH_ASSERT(evbuffer_add(chunk, stream->reply.body + stream->sent_bytes, bytes) == 0);
    } else {
        BERTH_ASSERT(evbuffer_add_reference(chunk, blanks, bytes, NULL, NULL) == 0);
    }
    evhttp_send_reply_chunk(stream->request, chunk);
    evbuffer_free(chunk);
    stream->sent_bytes += (int64_t)bytes;
}
