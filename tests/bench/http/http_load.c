/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long HTTP answers take: one request after the other over one kept connection, since a
 * client in Python would take longer than the answer does.
 *
 *   bench_http PORT COUNT < TARGETS
 *
 * Asks 127.0.0.1 for the targets, one a line, in turn and from the beginning again, until COUNT
 * were answered with 200; prints the figures as JSON. Any other answer ends it with status 1.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "berth/base/assert.h"

#define TARGETS_MAX 100000
#define TARGET_MAX  512
#define ANSWER_MAX  ((size_t)16 * 1024 * 1024)
#define COUNT_MAX   10000000

struct load {
    uint16_t port;
    size_t count;
    char **targets;
    size_t targets_count;
    int fd;
    char *answer;
    size_t answer_len;
    int64_t *took_ns;
    uint64_t body_bytes;
};

static bool read_targets(struct load *load) {
    char line[TARGET_MAX];
    while (load->targets_count < TARGETS_MAX && fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *target = strdup(line);
        if (target == NULL) {
            return false;
        }
        load->targets[load->targets_count++] = target;
    }
    return load->targets_count > 0;
}

static bool open_connection(struct load *load) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(load->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int yes = 1;
    load->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return load->fd >= 0 &&
           connect(load->fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
           setsockopt(load->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0;
}

/* Reads on; false: the connection ended. */
static bool receive(struct load *load) {
    ssize_t got = recv(load->fd, load->answer + load->answer_len, ANSWER_MAX - load->answer_len, 0);
    if (got > 0) {
        load->answer_len += (size_t)got;
        load->answer[load->answer_len] = '\0';
    }
    return got > 0;
}

/* One whole answer, which is 200. */
static bool read_answer(struct load *load, bool *ret_kept) {
    load->answer_len = 0;
    load->answer[0] = '\0';
    char *end = NULL;
    while ((end = strstr(load->answer, "\r\n\r\n")) == NULL) {
        if (!receive(load)) {
            return false;
        }
    }
    *end = '\0'; /* What follows are the headers', not the body's. */
    const char *length = strstr(load->answer, "\r\nContent-Length: ");
    if (length == NULL || strncmp(load->answer, "HTTP/1.1 200 ", 13) != 0) {
        return false;
    }
    size_t body_bytes = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    size_t whole = (size_t)(end + 4 - load->answer) + body_bytes;
    *ret_kept = strstr(load->answer, "\r\nConnection: close") == NULL;
    while (load->answer_len < whole) {
        if (whole > ANSWER_MAX || !receive(load)) {
            return false;
        }
    }
    load->body_bytes += body_bytes;
    return load->answer_len == whole;
}

static int64_t now_ns(void) {
    struct timespec now;
    int rc = clock_gettime(CLOCK_MONOTONIC, &now);
    BERTH_ASSERT(rc == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Making a connection doesn't count: a client that asks often has one. */
static bool ask(struct load *load, size_t number) {
    char request[TARGET_MAX + 64];
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                       load->targets[number % load->targets_count]);
    if (load->fd < 0 && !open_connection(load)) {
        return false;
    }
    int64_t began_ns = now_ns();
    bool kept = false;
    if (send(load->fd, request, (size_t)len, MSG_NOSIGNAL) != len || !read_answer(load, &kept)) {
        return false;
    }
    load->took_ns[number] = now_ns() - began_ns;
    if (!kept) {
        (void)close(load->fd);
        load->fd = -1;
    }
    return true;
}

static int compare(const void *left, const void *right) {
    const int64_t *a = left;
    const int64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static double percentile_us(const struct load *load, double share) {
    size_t index = (size_t)((double)(load->count - 1) * share);
    return (double)load->took_ns[index] / 1000;
}

static int run(struct load *load) {
    int64_t began_ns = now_ns();
    for (size_t i = 0; i < load->count; i++) {
        if (!ask(load, i)) {
            (void)fprintf(stderr, "bench_http: request %zu, %s: %.300s\n", i,
                          load->targets[i % load->targets_count], load->answer);
            return EXIT_FAILURE;
        }
    }
    BERTH_ASSERT(load->count > 0);
    double seconds = (double)(now_ns() - began_ns) / 1e9;
    qsort(load->took_ns, load->count, sizeof(*load->took_ns), compare);
    (void)printf("{\"count\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, "
                 "\"body_bytes\": %llu, \"seconds\": %.3f}\n",
                 load->count, percentile_us(load, 0.5), percentile_us(load, 0.99),
                 percentile_us(load, 1), (unsigned long long)(load->body_bytes / load->count),
                 seconds);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    long port = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (port < 1 || port > UINT16_MAX || count < 1 || count > COUNT_MAX) {
        (void)fprintf(stderr, "usage: bench_http PORT COUNT < TARGETS\n");
        return 2;
    }
    struct load load = {.port = (uint16_t)port, .count = (size_t)count, .fd = -1};
    load.targets = calloc(TARGETS_MAX, sizeof(*load.targets));
    load.answer = calloc(1, ANSWER_MAX + 1);
    load.took_ns = calloc(load.count, sizeof(*load.took_ns));
    int status = EXIT_FAILURE;
    if (load.targets != NULL && load.answer != NULL && load.took_ns != NULL &&
        read_targets(&load)) {
        status = run(&load);
    }
    for (size_t i = 0; i < load.targets_count; i++) {
        free(load.targets[i]);
    }
    if (load.fd >= 0) {
        (void)close(load.fd);
    }
    free(load.targets);
    free(load.answer);
    free(load.took_ns);
    return status;
}
