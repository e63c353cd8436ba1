/* SPDX-License-Identifier: Apache-2.0 */
#include "own_redis.h"

#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger_world.h"

#define WORDS_MAX 32

void own_redis_init(struct own_redis *redis) {
    static int number = 0;
    const char *folder = getenv("BERTH_TEST_DIR");
    assert_non_null(folder);
    *redis = (struct own_redis){0};
    snprintf(redis->folder, sizeof(redis->folder), "%s/own-redis-%d", folder, number++);
    assert_int_equal(mkdir(redis->folder, 0700), 0);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    redis->port = ntohs(address.sin_port);
    close(fd);
}

/* Any reply but "loading" will do: with a password it is an error. What is asked gives an empty
 * Redis a data set. */
static bool answers(uint16_t port) {
    struct timeval timeout = {.tv_sec = 1};
    redisContext *connection = redisConnectWithTimeout("127.0.0.1", port, timeout);
    bool answered = false;
    if (connection != NULL && connection->err == 0) {
        redisReply *reply =
            redisCommand(connection, "SET berth:v1:epoch %s NX", WORLD_EPOCH " 1700000000000");
        answered = reply != NULL && (reply->str == NULL || strncmp(reply->str, "LOADING", 7) != 0);
        freeReplyObject(reply);
    }
    redisFree(connection);
    return answered;
}

static void run(struct own_redis *redis, const char *const *options) {
    char port[8];
    snprintf(port, sizeof(port), "%u", redis->port);
    const char *program = getenv("BERTH_TEST_REDIS_SERVER");
    const char *words[WORDS_MAX] = {program != NULL ? program : "redis-server",
                                    "--bind",
                                    "127.0.0.1",
                                    "--port",
                                    port,
                                    "--dir",
                                    redis->folder,
                                    "--save",
                                    "",
                                    "--logfile",
                                    "redis.log"};
    size_t count = 11;
    for (; options != NULL && *options != NULL; options++) {
        assert_true(count < WORDS_MAX - 1);
        words[count++] = *options;
    }
    pid_t parent = getpid();
    redis->pid = fork();
    assert_true(redis->pid >= 0);
    if (redis->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            execvp(words[0], (char *const *)(uintptr_t)words);
        }
        _exit(127);
    }
}

void own_redis_start(struct own_redis *redis, const char *const *options) {
    assert_int_equal(redis->pid, 0);
    run(redis, options);
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < 2000; i++) {
        if (answers(redis->port)) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    fail_msg("redis-server doesn't answer; see %s/redis.log", redis->folder);
}

void own_redis_stop(struct own_redis *redis) {
    if (redis->pid == 0) {
        return;
    }
    own_redis_thaw(redis);
    assert_int_equal(kill(redis->pid, SIGTERM), 0);
    assert_int_equal(waitpid(redis->pid, NULL, 0), redis->pid);
    redis->pid = 0;
}

void own_redis_freeze(struct own_redis *redis) {
    assert_int_equal(kill(redis->pid, SIGSTOP), 0);
    int status = 0;
    assert_int_equal(waitpid(redis->pid, &status, WUNTRACED), redis->pid);
    assert_true(WIFSTOPPED(status));
}

void own_redis_thaw(struct own_redis *redis) {
    assert_int_equal(kill(redis->pid, SIGCONT), 0);
}
