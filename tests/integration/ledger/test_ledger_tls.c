/* SPDX-License-Identifier: Apache-2.0 */
/* Redis by TLS and by a Unix socket: what is let through, and what is said of the rest. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "outage.h"

/* Two authorities; the first has signed the server's certificate, for a name and not for its
 * address, and the client's. */
static const char make_certificates[] =
    "cd '%s' && exec >openssl.log 2>&1 && set -e\n"
    "authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "
    "2 -subj /CN=$1"
    " -keyout $1.key -out $1.pem; }\n"
    "signed() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$1 "
    "-keyout $1.key -out $1.csr;"
    " echo \"subjectAltName=DNS:$1\" >$1.ext;"
    " openssl x509 -req -days 2 -in $1.csr -extfile $1.ext -CA ours -CAkey ours.key"
    " -CAcreateserial -out $1.pem; }\n"
    "authority ours; cp ours.pem ours; authority other\n"
    "signed redis.example.test; signed client\n";

struct tls {
    struct outage outage;
    struct worker worker;
    struct berth_ledger_config config;
    uint16_t port;
    char address[64];
    char ca_file[320];
    char other_ca_file[320];
    char cert_file[320];
    char key_file[320];
    char socket[320];
};

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* A Redis that wants a client's certificate, and a worker that is yet to be told where it is. */
static int setup(void **state) {
    struct tls *tls = calloc(1, sizeof(*tls));
    assert_non_null(tls);
    *state = tls;
    own_redis_init(&tls->outage.redis);
    const char *folder = tls->outage.redis.folder;
    char command[sizeof(make_certificates) + 256];
    snprintf(command, sizeof(command), make_certificates, folder);
    /* NOLINTNEXTLINE(cert-env33-c): a test's own script. */
    assert_int_equal(system(command), 0);
    tls->port = free_port();
    char port[8];
    snprintf(port, sizeof(port), "%u", tls->port);
    snprintf(tls->address, sizeof(tls->address), "127.0.0.1:%u", tls->port);
    snprintf(tls->ca_file, sizeof(tls->ca_file), "%s/ours.pem", folder);
    snprintf(tls->other_ca_file, sizeof(tls->other_ca_file), "%s/other.pem", folder);
    snprintf(tls->cert_file, sizeof(tls->cert_file), "%s/client.pem", folder);
    snprintf(tls->key_file, sizeof(tls->key_file), "%s/client.key", folder);
    snprintf(tls->socket, sizeof(tls->socket), "%s/socket", folder);
    const char *const options[] = {"--tls-port",
                                   port,
                                   "--tls-cert-file",
                                   "redis.example.test.pem",
                                   "--tls-key-file",
                                   "redis.example.test.key",
                                   "--tls-ca-cert-file",
                                   "ours.pem",
                                   "--unixsocket",
                                   tls->socket,
                                   NULL};
    own_redis_start(&tls->outage.redis, options);
    world_init(&tls->outage.world, "127.0.0.1", tls->outage.redis.port);
    impatient_config(&tls->outage.world, &tls->worker, &tls->config);
    tls->config.server = (struct berth_redis_server){
        .address = tls->address,
        .timeout_ms = 5000,
        .tls = true,
        .ca_file = tls->ca_file,
        .client_cert_file = tls->cert_file,
        .client_key_file = tls->key_file,
        .server_name = "redis.example.test",
    };
    return 0;
}

static int teardown(void **state) {
    struct tls *tls = *state;
    worker_deinit(&tls->worker);
    outage_deinit(&tls->outage);
    free(tls);
    return 0;
}

static void refused_as(struct tls *tls, const char *why) {
    worker_start(&tls->worker, &tls->config);
    worker_wait_unavailable(&tls->worker);
    if (strstr(tls->worker.why, why) == NULL) {
        fail_msg("\"%s\" isn't in \"%s\"", why, tls->worker.why);
    }
}

static void test_redis_is_worked_on_by_tls_with_a_certificate_of_ours(void **state) {
    struct tls *tls = *state;
    worker_start(&tls->worker, &tls->config);
    worker_wait_available(&tls->worker);
}

static void test_an_authority_that_did_not_sign_is_named(void **state) {
    struct tls *tls = *state;
    tls->config.server.ca_file = tls->other_ca_file;
    refused_as(tls,
               "TLS: its certificate isn't accepted: self-signed certificate in certificate chain");
}

/* Else whoever has any certificate of that authority could be our Redis. */
static void test_a_certificate_of_somebody_else_is_not_accepted(void **state) {
    struct tls *tls = *state;
    tls->config.server.server_name = "other.example.test";
    refused_as(tls, "TLS: its certificate isn't accepted: hostname mismatch");
}

static void test_the_address_is_compared_where_no_name_is_given(void **state) {
    struct tls *tls = *state;
    tls->config.server.server_name = NULL;
    refused_as(tls, "TLS: its certificate isn't accepted: IP address mismatch");
}

static void test_a_missing_client_certificate_is_named(void **state) {
    struct tls *tls = *state;
    tls->config.server.client_cert_file = NULL;
    tls->config.server.client_key_file = NULL;
    refused_as(tls, "TLS: it asks for a certificate of ours");
}

static void test_a_port_without_tls_is_told_from_one_with(void **state) {
    struct tls *tls = *state;
    tls->config.server.address = tls->outage.world.address;
    tls->config.server.timeout_ms = TIMEOUT_MS;
    refused_as(tls, "is it a port without TLS?");
}

/* The files are read at every connect: a renewed certificate needs no restart, a lost one is named.
 */
static void test_a_file_that_is_gone_is_named(void **state) {
    struct tls *tls = *state;
    assert_int_equal(unlink(tls->cert_file), 0);
    refused_as(tls, "/client.pem: ");
    assert_non_null(strstr(tls->worker.why, "o such file"));
}

static void test_a_unix_socket_is_an_address(void **state) {
    struct tls *tls = *state;
    tls->config.server = (struct berth_redis_server){.address = tls->socket, .timeout_ms = 5000};
    worker_start(&tls->worker, &tls->config);
    worker_wait_available(&tls->worker);
    own_redis_stop(&tls->outage.redis);
    worker_wait_unavailable(&tls->worker);
}

static void test_a_unix_socket_that_is_not_there_is_told(void **state) {
    struct tls *tls = *state;
    tls->config.server =
        (struct berth_redis_server){.address = "/nowhere/redis.sock", .timeout_ms = 5000};
    refused_as(tls, "No such file or directory");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(redis_is_worked_on_by_tls_with_a_certificate_of_ours),
        TEST(an_authority_that_did_not_sign_is_named),
        TEST(a_certificate_of_somebody_else_is_not_accepted),
        TEST(the_address_is_compared_where_no_name_is_given),
        TEST(a_missing_client_certificate_is_named),
        TEST(a_port_without_tls_is_told_from_one_with),
        TEST(a_file_that_is_gone_is_named),
        TEST(a_unix_socket_is_an_address),
        TEST(a_unix_socket_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
