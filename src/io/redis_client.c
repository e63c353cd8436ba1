/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <hiredis/adapters/libevent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "redis_client_parts.h"
#include "redis_resolve.h"

/* Back-off between attempts: uniform in [MIN, ceiling), the ceiling doubles. A Redis that restarts
 * is back within a second or two, so there is no point in waiting for much longer than that. */
#define BACKOFF_MIN_MS     20
#define BACKOFF_FIRST_MS   100
#define BACKOFF_CEILING_MS 2000

/* One command under way. */
struct request {
    struct berth_redis_client *client;
    berth_redis_reply_fn fn;
    void *ctx;
    size_t script; /* REDIS_NO_SCRIPT: a plain command. */
    bool again;    /* Sent a second time already, after NOSCRIPT. */
    size_t wire_len;
    char wire[]; /* The command as sent: a script's may have to be sent again. */
};

static bool send_wire(struct berth_redis_client *client, struct request *request);

/* ---- Phases ---- */

static const bool moves[REDIS_PHASES][REDIS_PHASES] = {
    [REDIS_DOWN] = {[REDIS_RESOLVING] = true},
    [REDIS_RESOLVING] = {[REDIS_DOWN] = true, [REDIS_CONNECTING] = true},
    [REDIS_CONNECTING] = {[REDIS_DOWN] = true, [REDIS_GREETING] = true},
    [REDIS_GREETING] = {[REDIS_DOWN] = true, [REDIS_READY] = true},
    [REDIS_READY] = {[REDIS_DOWN] = true},
};

static void move_to(struct berth_redis_client *client, enum redis_phase to) {
    BERTH_ASSERT(moves[client->phase][to]);
    client->phase = to;
    bool connected = to == REDIS_CONNECTING || to == REDIS_GREETING || to == REDIS_READY;
    BERTH_ASSERT((client->connection != NULL) == connected);
    BERTH_ASSERT((client->resolve != NULL) == (to == REDIS_RESOLVING));
}

static void arm_timer(struct berth_redis_client *client, int64_t delay_ms) {
    int64_t ms = delay_ms < 0 ? 0 : delay_ms;
    struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    int rc = evtimer_add(client->timer, &delay);
    BERTH_ASSERT(rc == 0);
}

static void say(struct berth_redis_client *client, bool ready) {
    bool changed = !client->said || ready != client->said_ready;
    if (!changed && (ready || strcmp(client->why, client->said_why) == 0)) {
        return;
    }
    client->said = true;
    client->said_ready = ready;
    memcpy(client->said_why, client->why, sizeof(client->why));
    client->config.on_state(client->config.ctx, ready, client->said_why);
}

static void set_why(struct berth_redis_client *client, const char *text) {
    snprintf(client->why, sizeof(client->why), "%s", text);
}

static int64_t backoff_ms(struct berth_redis_client *client) {
    uint32_t doublings = client->failures < 8 ? client->failures : 8;
    int64_t ceiling_ms = (int64_t)BACKOFF_FIRST_MS << doublings;
    if (ceiling_ms > BACKOFF_CEILING_MS) {
        ceiling_ms = BACKOFF_CEILING_MS;
    }
    return BACKOFF_MIN_MS + berth_random_below(&client->random, ceiling_ms);
}

/* The end of every way down: nothing is under way any more. */
static void wait_and_try_again(struct berth_redis_client *client) {
    BERTH_ASSERT(client->pending == 0);
    if (client->freeing) {
        return;
    }
    /* A name may have an address at which nobody is: only after the last one there is something to
     * say, and to wait for. */
    client->tried++;
    bool lost = client->said && client->said_ready;
    if (client->tried < client->addresses && !lost) {
        arm_timer(client, 0);
        return;
    }
    client->tried = 0;
    arm_timer(client, backoff_ms(client));
    client->failures++;
    say(client, false);
}

/* Leaves the connection to hiredis, which answers what is under way and then calls
 * disconnected_cb(), if it was connected at all. */
static redisAsyncContext *let_go(struct berth_redis_client *client) {
    redisAsyncContext *connection = client->connection;
    client->connection = NULL;
    client->tls = NULL;
    move_to(client, REDIS_DOWN);
    return connection;
}

void redis_drop(struct berth_redis_client *client, const char *format, ...) {
    if (client->phase == REDIS_DOWN) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(client->why, sizeof(client->why), format, arguments);
    va_end(arguments);

    bool connected = client->phase == REDIS_GREETING || client->phase == REDIS_READY;
    if (client->phase == REDIS_RESOLVING) {
        berth_redis_resolve_stop(client->resolve);
        client->resolve = NULL;
        move_to(client, REDIS_DOWN);
    } else {
        redisAsyncFree(let_go(client));
    }
    if (!connected) {
        wait_and_try_again(client);
    }
}

/* Says why a connection has ended: TLS has the better reason, where it was that. */
static void note_end(struct berth_redis_client *client, const redisAsyncContext *connection) {
    char why[REDIS_WHY_BYTES];
    bool tls = client->tls != NULL && redis_tls_why(client->tls, client->phase == REDIS_READY, why);
    const char *plain = connection->c.err != 0 ? connection->c.errstr : "connection closed";
    set_why(client, tls ? why : plain);
    (void)let_go(client);
}

/* hiredis frees the connection after this, whoever ended it. */
static void disconnected_cb(const redisAsyncContext *connection, int status) {
    (void)status;
    struct berth_redis_client *client = connection->data;
    if (client->phase != REDIS_DOWN) {
        note_end(client, connection);
    }
    wait_and_try_again(client);
}

/* hiredis frees the connection after this when it failed, without disconnected_cb(). */
static void connected_cb(const redisAsyncContext *connection, int status) {
    struct berth_redis_client *client = connection->data;
    if (client->phase == REDIS_DOWN) {
        return; /* Dropped while connecting: hiredis says so here, too. */
    }
    if (status != REDIS_OK) {
        note_end(client, connection);
        wait_and_try_again(client);
        return;
    }
    move_to(client, REDIS_GREETING);
    redis_greet(client);
}

static void connect_to(struct berth_redis_client *client, const char *address) {
    redisAsyncContext *connection = address[0] == '/' ? redisAsyncConnectUnix(address)
                                                      : redisAsyncConnect(address, client->port);
    if (connection == NULL || connection->err != 0) {
        set_why(client, connection == NULL ? "out of memory" : connection->errstr);
        if (connection != NULL) {
            redisAsyncFree(connection);
        }
        move_to(client, REDIS_DOWN);
        wait_and_try_again(client);
        return;
    }
    connection->data = client;
    client->connection = connection;
    move_to(client, REDIS_CONNECTING);
    if (redisLibeventAttach(connection, client->config.base) != REDIS_OK) {
        redis_drop(client, "out of memory");
        return;
    }
    if (client->config.server.tls) {
        char why[REDIS_WHY_BYTES];
        client->tls = redis_tls_begin(client, connection, why);
        if (client->tls == NULL) {
            redis_drop(client, "%s", why);
            return;
        }
    }
    /* The loop must know the connection first: setting this one asks it for the write event. */
    (void)redisAsyncSetConnectCallback(connection, connected_cb);
    (void)redisAsyncSetDisconnectCallback(connection, disconnected_cb);
}

static void resolved(void *ctx, const char *address, size_t count, const char *why) {
    struct berth_redis_client *client = ctx;
    client->addresses = count;
    char numeric[BERTH_REDIS_ADDRESS_BYTES];
    if (address == NULL) {
        redis_drop(client, "the name %s can't be resolved: %s", client->host, why);
        return;
    }
    snprintf(numeric, sizeof(numeric), "%s", address);
    berth_redis_resolve_stop(client->resolve);
    client->resolve = NULL;
    connect_to(client, numeric);
}

static void start(struct berth_redis_client *client) {
    const struct berth_redis_client_config *config = &client->config;
    client->resolve = berth_redis_resolve_start(
        config->base, client->host, config->server.nameserver, client->tried, resolved, client);
    if (client->resolve == NULL) {
        set_why(client, "out of memory");
        wait_and_try_again(client);
        return;
    }
    client->addresses = 0;
    move_to(client, REDIS_RESOLVING);
    arm_timer(client, config->server.timeout_ms);
}

void redis_greeted(struct berth_redis_client *client) {
    move_to(client, REDIS_READY);
    client->failures = 0;
    client->tried = 0;
    set_why(client, "");
    say(client, true);
}

/* Redis has been silent since heard_ms although it was asked; or the timer was armed for a command
 * that has been answered since. */
static void watch_silence(struct berth_redis_client *client) {
    if (client->pending == 0) {
        return;
    }
    int64_t silent_ms = berth_clock_monotonic_ms() - client->heard_ms;
    if (silent_ms < client->config.server.timeout_ms) {
        arm_timer(client, client->config.server.timeout_ms - silent_ms);
        return;
    }
    bool handshake = client->tls != NULL && !redis_tls_up(client->tls);
    redis_drop(client, "no %s for %d ms%s", handshake ? "TLS handshake" : "reply",
               (int)client->config.server.timeout_ms,
               handshake ? ": is it a port without TLS?" : "");
}

static void timer_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_redis_client *client = ctx;
    switch (client->phase) {
    case REDIS_DOWN:
        start(client);
        break;
    case REDIS_RESOLVING:
        redis_drop(client, "the name %s can't be resolved: no answer", client->host);
        break;
    case REDIS_CONNECTING:
        redis_drop(client, "no connection within %d ms", (int)client->config.server.timeout_ms);
        break;
    case REDIS_GREETING:
    case REDIS_READY:
        watch_silence(client);
        break;
    }
}

/* ---- Commands ---- */

/* Takes a request off the books; its answer is then given by the caller. */
static void request_ended(struct request *request) {
    struct berth_redis_client *client = request->client;
    BERTH_ASSERT(client->pending > 0);
    client->pending--;
    client->pending_bytes -= request->wire_len;
}

/* SCRIPT FLUSH, or a Redis restored beneath the connection: commands of one connection run in
 * order, so the script is there when the repetition comes. */
static bool load_and_repeat(struct request *request) {
    struct berth_redis_client *client = request->client;
    request->again = true;
    redis_load_script(client, request->script);
    return client->phase == REDIS_READY && send_wire(client, request);
}

/* An error that comes out of a script has "ERR " in front of its own word. */
static bool begins_with(const redisReply *reply, const char *word) {
    if (reply->type != REDIS_REPLY_ERROR) {
        return false;
    }
    const char *text = reply->str;
    while (strncmp(text, "ERR ", strlen("ERR ")) == 0) {
        text += strlen("ERR ");
    }
    return strncmp(text, word, strlen(word)) == 0;
}

/* It was demoted, or reads its data again: whatever is asked, it has to be looked at anew. */
static bool is_unfit(const redisReply *reply) {
    return begins_with(reply, "READONLY") || begins_with(reply, "LOADING");
}

static void reply_cb(redisAsyncContext *connection, void *reply_data, void *privdata) {
    struct request *request = privdata;
    struct berth_redis_client *client = request->client;
    const redisReply *reply = reply_data;
    if (reply != NULL) {
        client->heard_ms = berth_clock_monotonic_ms();
        if (request->script != REDIS_NO_SCRIPT && !request->again &&
            begins_with(reply, "NOSCRIPT") && load_and_repeat(request)) {
            return;
        }
    } else if (client->phase != REDIS_DOWN) {
        /* The first of those that get no reply: from here on nothing is taken. */
        note_end(client, connection);
    }
    bool unfit = reply != NULL && is_unfit(reply);
    request_ended(request);
    request->fn(request->ctx, unfit ? NULL : reply);
    free(request);
    if (unfit) {
        redis_drop(client, "%s", reply->str);
    }
}

static bool send_wire(struct berth_redis_client *client, struct request *request) {
    return redisAsyncFormattedCommand(client->connection, reply_cb, request, request->wire,
                                      request->wire_len) == REDIS_OK;
}

bool redis_send(struct berth_redis_client *client, const struct berth_redis_args *args,
                size_t script, berth_redis_reply_fn fn, void *ctx) {
    size_t wire_len = berth_redis_args_wire_len(args);
    struct request *request = malloc(sizeof(*request) + wire_len);
    if (request == NULL) {
        return false;
    }
    *request = (struct request){
        .client = client, .fn = fn, .ctx = ctx, .script = script, .wire_len = wire_len};
    berth_redis_args_wire(args, request->wire);
    if (!send_wire(client, request)) {
        free(request);
        return false;
    }
    if (client->pending == 0) {
        client->heard_ms = berth_clock_monotonic_ms();
    }
    client->pending++;
    client->pending_bytes += wire_len;
    if (!evtimer_pending(client->timer, NULL)) {
        arm_timer(client, client->config.server.timeout_ms);
    }
    return true;
}

static enum berth_rc ask(struct berth_redis_client *client, const struct berth_redis_args *args,
                         size_t script, berth_redis_reply_fn fn, void *ctx) {
    if (client->phase != REDIS_READY || client->pending >= client->config.pending_max ||
        client->pending_bytes + berth_redis_args_wire_len(args) >
            client->config.pending_bytes_max) {
        return BERTH_BUSY;
    }
    return redis_send(client, args, script, fn, ctx) ? BERTH_OK : BERTH_FAULT_MEMORY;
}

enum berth_rc berth_redis_client_ask(struct berth_redis_client *client,
                                     const struct berth_redis_args *args, berth_redis_reply_fn fn,
                                     void *ctx) {
    return ask(client, args, REDIS_NO_SCRIPT, fn, ctx);
}

void berth_redis_client_script_words(struct berth_redis_args *args, size_t keys_count) {
    BERTH_ASSERT(args->count == 0);
    berth_redis_args_text(args, "EVALSHA");
    berth_redis_args_text(args, "");
    berth_redis_args_number(args, (int64_t)keys_count);
}

enum berth_rc berth_redis_client_run(struct berth_redis_client *client, size_t script,
                                     struct berth_redis_args *args, berth_redis_reply_fn fn,
                                     void *ctx) {
    BERTH_ASSERT(script < client->config.scripts_count);
    BERTH_ASSERT(args->count > BERTH_REDIS_SCRIPT_WORDS);
    args->words[1] = client->sha[script];
    args->lens[1] = REDIS_SHA_LEN;
    return ask(client, args, script, fn, ctx);
}

/* ---- Life ---- */

/* Makes the server's strings our own. False: out of memory. */
static bool copy_texts(struct berth_redis_client *client) {
    struct berth_redis_server *server = &client->config.server;
    const char **texts[REDIS_SERVER_TEXTS] = {
        &server->password,        &server->address,     &server->nameserver,
        &server->username,        &server->ca_file,     &server->client_cert_file,
        &server->client_key_file, &server->server_name,
    };
    for (size_t i = 0; i < REDIS_SERVER_TEXTS; i++) {
        if (*texts[i] == NULL) {
            continue;
        }
        client->texts[i] = strdup(*texts[i]);
        if (client->texts[i] == NULL) {
            return false;
        }
        *texts[i] = client->texts[i];
    }
    return true;
}

/* Takes the address apart. */
static void find_host(struct berth_redis_client *client) {
    const char *address = client->config.server.address;
    const char *colon = strrchr(address, ':');
    if (address[0] == '/' || colon == NULL) {
        snprintf(client->host, sizeof(client->host), "%s", address);
        return;
    }
    bool bracketed = address[0] == '[' && colon > address && colon[-1] == ']';
    size_t len = (size_t)(colon - address) - (bracketed ? 2 : 0);
    snprintf(client->host, sizeof(client->host), "%.*s", (int)len, address + (bracketed ? 1 : 0));
    client->port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

enum berth_rc berth_redis_client_new(const struct berth_redis_client_config *config,
                                     struct berth_redis_client **ret_client,
                                     struct berth_error *reterr) {
    BERTH_ASSERT(config->scripts_count <= BERTH_REDIS_SCRIPTS_MAX);
    BERTH_ASSERT(config->server.timeout_ms > 0);
    struct berth_redis_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        berth_error_set(reterr, "out of memory");
        return BERTH_FAULT_MEMORY;
    }
    client->config = *config;
    berth_redis_args_init(&client->args);
    berth_random_init(&client->random, config->seed);
    if (!copy_texts(client)) {
        berth_redis_client_free(client);
        berth_error_set(reterr, "out of memory");
        return BERTH_FAULT_MEMORY;
    }
    find_host(client);
    client->timer = evtimer_new(config->base, timer_cb, client);
    if (client->timer == NULL) {
        berth_redis_client_free(client);
        berth_error_set(reterr, "libevent has no timer left");
        return BERTH_FAULT_LIBRARY;
    }
    arm_timer(client, 0);
    *ret_client = client;
    return BERTH_OK;
}

struct berth_redis_client *berth_redis_client_free(struct berth_redis_client *client) {
    if (client == NULL) {
        return NULL;
    }
    client->freeing = true;
    redis_drop(client, "the program ends");
    BERTH_ASSERT(client->pending == 0);
    if (client->timer != NULL) {
        event_free(client->timer);
    }
    berth_redis_args_deinit(&client->args);
    for (size_t i = 0; i < REDIS_SERVER_TEXTS; i++) {
        if (client->texts[i] != NULL) {
            explicit_bzero(client->texts[i], strlen(client->texts[i])); /* One is the password. */
        }
        free(client->texts[i]);
    }
    free(client);
    return NULL;
}
