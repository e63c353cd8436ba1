/* SPDX-License-Identifier: Apache-2.0 */
/* How the ledger finds its Redis, logs in, looks at it, and begins. */
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "outage.h"

struct name_server {
    struct evdns_server_port *port;
    char address[32];
    size_t asked;
    bool silent;
};

static void name_asked_cb(struct evdns_server_request *request, void *ctx) {
    struct name_server *server = ctx;
    server->asked++;
    if (server->silent) {
        evdns_server_request_drop(request);
        return;
    }
    int error = DNS_ERR_NOTEXIST;
    for (int i = 0; i < request->nquestions; i++) {
        const struct evdns_server_question *question = request->questions[i];
        bool twins = strcasecmp(question->name, "twins.example.test") == 0;
        if (!twins && strcasecmp(question->name, "redis.example.test") != 0) {
            continue;
        }
        error = DNS_ERR_NONE;
        if (question->type == EVDNS_TYPE_A) {
            /* Nothing listens at the first of the twins. */
            const uint32_t addresses[] = {htonl(INADDR_LOOPBACK + 1), htonl(INADDR_LOOPBACK)};
            evdns_server_request_add_a_reply(request, question->name, twins ? 2 : 1,
                                             twins ? addresses : addresses + 1, 60);
        }
    }
    evdns_server_request_respond(request, error);
}

static void name_server_init(struct name_server *server, struct event_base *base) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *server = (struct name_server){0};
    snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(address.sin_port));
    server->port = evdns_add_server_port_with_base(base, fd, 0, name_asked_cb, server);
    assert_non_null(server->port);
}

static void name_server_deinit(struct name_server *server) {
    evdns_close_server_port(server->port);
}

static void named_worker(struct world *world, struct worker *worker, struct name_server *server,
                         const char *name) {
    struct berth_ledger_config config;
    impatient_config(world, worker, &config);
    char address[64];
    snprintf(address, sizeof(address), "%s:%u", name, world->port);
    config.server.address = address;
    config.server.nameserver = server->address;
    worker_start(worker, &config);
}

static void test_redis_is_found_by_its_name(void **state) {
    struct world *world = *state;
    struct worker worker;
    struct name_server server;
    name_server_init(&server, world->base);
    named_worker(world, &worker, &server, "redis.example.test");
    worker_wait_available(&worker);
    assert_true(server.asked > 0);
    worker_deinit(&worker);

    named_worker(world, &worker, &server, "nowhere.example.test");
    worker_wait_unavailable(&worker);
    assert_non_null(strstr(worker.why, "the name nowhere.example.test can't be resolved"));
    worker_deinit(&worker);

    named_worker(world, &worker, &server, "twins.example.test");
    /* Nobody listens at the first of its addresses: no reason to say that Redis is away. */
    worker_wait_available(&worker);
    assert_int_equal(worker.changes, 1);
    /* That a connection was lost is said at once, whatever other addresses there are. */
    redis_says(world, "CLIENT KILL TYPE normal SKIPME yes");
    worker_wait_unavailable(&worker);
    worker_wait_available(&worker);
    worker_deinit(&worker);

    size_t asked = server.asked;
    named_worker(world, &worker, &server, "localhost");
    worker_wait_available(&worker);
    assert_int_equal(server.asked, asked);
    worker_deinit(&worker);
    name_server_deinit(&server);
}

static bool was_asked(void *ctx) {
    struct name_server *server = ctx;
    return server->asked > 0;
}

static void test_a_silent_name_server_is_noticed(void **state) {
    struct world *world = *state;
    struct worker worker;
    struct name_server server;
    name_server_init(&server, world->base);
    server.silent = true;
    named_worker(world, &worker, &server, "redis.example.test");
    worker_wait_unavailable(&worker);
    assert_string_equal(worker.why, "the name redis.example.test can't be resolved: no answer");
    server.silent = false;
    worker_wait_available(&worker);
    worker_deinit(&worker);

    /* A worker that ends in the middle of a look-up. */
    server.silent = true;
    server.asked = 0;
    named_worker(world, &worker, &server, "redis.example.test");
    world_run_until(world, was_asked, &server);
    worker_deinit(&worker);
    event_base_loop(world->base, EVLOOP_NONBLOCK);
    name_server_deinit(&server);
}

static void test_a_login_is_used_and_a_wrong_one_is_named(void **state) {
    (void)state;
    static const char *const protected[] = {"--requirepass", "s3cret", NULL};
    struct outage outage;
    struct worker worker;
    struct berth_ledger_config config;
    outage_init(&outage, protected);
    impatient_config(&outage.world, &worker, &config);
    config.server.password = "wrong";
    worker_start(&worker, &config);
    worker_wait_unavailable(&worker);
    assert_non_null(strstr(worker.why, "it refuses the login: WRONGPASS"));
    assert_null(strstr(worker.why, "wrong\""));
    worker_deinit(&worker);

    impatient_config(&outage.world, &worker, &config);
    worker_start(&worker, &config);
    worker_wait_unavailable(&worker);
    assert_non_null(strstr(worker.why, "NOAUTH"));
    worker_deinit(&worker);

    assert_string_equal(redis_says(&outage.world, "AUTH s3cret"), "OK");
    world_begin_data_set(&outage.world);
    static const char *const usernames[] = {NULL, "", "default"};
    for (int i = 0; i < 3; i++) {
        impatient_config(&outage.world, &worker, &config);
        config.server.username = usernames[i];
        config.server.password = "s3cret";
        worker_start(&worker, &config);
        worker_wait_available(&worker);
        worker_deinit(&worker);
    }
    outage_deinit(&outage);
}

static void test_database_and_prefix_are_where_the_keys_go(void **state) {
    struct world *world = *state;
    struct worker worker;
    struct berth_ledger_config config;
    worker_config(world, &worker, 1, &config);
    config.server.database = 3;
    config.prefix = "other:";
    redis_says(world, "DEL berth:v1:epoch");
    redis_says(world, "SELECT 3");
    redis_says(world, "SET other:epoch %s", WORLD_EPOCH " 1700000000000");
    redis_says(world, "SELECT 0");
    worker_start(&worker, &config);
    worker_wait_available(&worker);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &command, &source, &space, "one");
    assert_string_equal(redis_says(world, "DBSIZE"), "0");
    redis_says(world, "SELECT 3");
    assert_string_equal(redis_says(world, "DBSIZE"), "7");
    assert_string_equal(redis_says(world, "EVAL %s 0", "return #redis.call('KEYS', 'other:*')"),
                        "7");
    worker_deinit(&worker);

    worker_config(world, &worker, 1, &config);
    config.server.database = 4711;
    worker_start(&worker, &config);
    worker_wait_unavailable(&worker);
    assert_non_null(strstr(worker.why, "it refuses database 4711"));
    worker_deinit(&worker);
}

struct reason_wanted {
    struct worker *worker;
    const char *why;
};

static bool has_reason(void *ctx) {
    struct reason_wanted *wanted = ctx;
    return !wanted->worker->available && strcmp(wanted->worker->why, wanted->why) == 0;
}

static void worker_wait_why(struct worker *worker, const char *why) {
    struct reason_wanted wanted = {worker, why};
    world_run_until(worker->world, has_reason, &wanted);
}

/* Writing to a replica fails, or would be lost with the next sync. */
static void test_a_replica_is_refused_until_it_is_the_master(void **state) {
    struct world *master = *state;
    struct outage outage;
    struct worker worker;
    outage_init(&outage, NULL);
    redis_says(&outage.world, "REPLICAOF %s %d", master->host, master->port);
    struct berth_ledger_config config;
    impatient_config(&outage.world, &worker, &config);
    worker_start(&worker, &config);
    worker_wait_unavailable(&worker);
    assert_string_equal(worker.why, "it is a replica (role slave); berth needs the master");
    redis_says(&outage.world, "REPLICAOF NO ONE");
    worker_wait_available(&worker);

    /* A failover under a connection that stays. */
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    take(&worker, &command, &source);
    redis_says(&outage.world, "REPLICAOF %s %d", master->host, master->port);
    struct berth_ledger_call call = a_claim(&command, &source);
    assert_true(worker_ask(&worker, &call, NULL)->answer.unavailable);
    worker_wait_unavailable(&worker);
    worker_wait_why(&worker, "it is a replica (role slave); berth needs the master");
    assert_int_equal(worker.warnings, 1); /* It keeps nothing on disk. */
    worker_deinit(&worker);
    outage_deinit(&outage);
}

static void test_what_an_operator_should_mend_is_said_once(void **state) {
    (void)state;
    static const char *const evicting[] = {"--maxmemory-policy", "allkeys-lru", "--appendonly",
                                           "yes", NULL};
    struct outage outage;
    struct worker worker;
    outage_init(&outage, evicting);
    impatient_worker(&outage.world, &worker);
    assert_int_equal(worker.warnings, 1);
    assert_non_null(strstr(worker.warning, "maxmemory-policy is allkeys-lru"));
    own_redis_stop(&outage.redis);
    worker_wait_unavailable(&worker);
    own_redis_start(&outage.redis, evicting);
    worker_wait_available(&worker);
    assert_int_equal(worker.warnings, 1);

    own_redis_stop(&outage.redis);
    worker_wait_unavailable(&worker);
    own_redis_start(&outage.redis, NULL);
    worker_wait_available(&worker);
    assert_int_equal(worker.warnings, 2);
    assert_non_null(strstr(worker.warning, "in memory only"));
    worker_deinit(&worker);
    outage_deinit(&outage);
}

static void test_a_configuration_that_would_break_the_keys_is_refused(void **state) {
    struct worker worker;
    struct berth_ledger_config good;
    worker_config(*state, &worker, 1, &good);
    struct berth_ledger_config bad[6] = {good, good, good, good, good, good};
    bad[0].instance = "two words";
    bad[1].instance = "";
    bad[2].incarnation = "not-a-uuid";
    bad[3].prefix = "with\nline";
    bad[4].memory_ms = 0;
    bad[5].tombstone_ms = good.memory_ms - 1;
    for (int i = 0; i < 6; i++) {
        struct berth_error error = {""};
        struct berth_ledger *ledger = NULL;
        assert_int_equal(berth_ledger_new(&bad[i], &ledger, &error), BERTH_INVALID);
        assert_true(error.text[0] != '\0');
        assert_null(ledger);
    }
}

int main(void) {
#define TEST(name)     cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
#define TEST_OWN(name) cmocka_unit_test(test_##name)
    const struct CMUnitTest tests[] = {
        TEST(redis_is_found_by_its_name),
        TEST(a_silent_name_server_is_noticed),
        TEST_OWN(a_login_is_used_and_a_wrong_one_is_named),
        TEST(database_and_prefix_are_where_the_keys_go),
        TEST(a_replica_is_refused_until_it_is_the_master),
        TEST_OWN(what_an_operator_should_mend_is_said_once),
        TEST(a_configuration_that_would_break_the_keys_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
