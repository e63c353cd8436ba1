/* SPDX-License-Identifier: Apache-2.0 */
/* Running claims, and what a claim expects. */
#include "contract.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_SHOWN 160

static void run_claim(struct contract *c, const struct claim *claim);
static const char *why_not(struct contract *c, const struct claim *claim);
static void print_claim(struct contract *c, const struct claim *claim);
static void print_line(const char *verdict, const struct claim *claim, const char *why);
static void note(struct contract *c, const char *format, va_list words);
static const char *shown_body(struct contract *c, const struct http_reply *reply);

void run_claims(void **state, const struct claim *claims, size_t count) {
    struct contract *c = *state;
    size_t broken = c->broken;
    for (size_t i = 0; i < count; i++) {
        run_claim(c, &claims[i]);
    }
    if (c->broken > broken) {
        fail_msg("%zu claims don't hold", c->broken - broken);
    }
}

static void run_claim(struct contract *c, const struct claim *claim) {
    c->problem[0] = '\0';
    c->skipped[0] = '\0';
    c->stuck = false;
    const char *why = why_not(c, claim);
    c->problem[0] = '\0';
    if (why != NULL) {
        (void)snprintf(c->skipped, sizeof(c->skipped), "%s", why);
    } else {
        c->stuck = false;
        claim->check(c, claim);
        c->stuck = false;
        remove_made(c, c->kept_count);
    }
    print_claim(c, claim);
    forget_claim(c);
}

/* NULL: it can be tried. */
static const char *why_not(struct contract *c, const struct claim *claim) {
    if (claim->since > c->release) {
        return text(c, "holds from %d.%d on, this is %s", claim->since / 1000, claim->since % 1000,
                    c->version);
    }
    if (claim->until != 0 && claim->until <= c->release) {
        return text(c, "holds before %d.%d, this is %s", claim->until / 1000, claim->until % 1000,
                    c->version);
    }
    const struct {
        enum need need;
        bool met;
        const char *why;
    } needs[] = {
        {NEED_SYSADMIN, c->sysadmin, "the account doesn't administer the system"},
        {NEED_QUOTAS, c->quotas, "this Harbor keeps no quotas for projects"},
        {NEED_TOKENS, c->tokens, "the token service answers the account with an error"},
        {NEED_STAND_IN, c->stand_in != NULL, "would change settings of the whole Harbor"},
        {NEED_EVERYONE, c->everyone, "here only administrators create projects"},
    };
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if ((claim->needs & needs[i].need) != 0 && !needs[i].met) {
            return needs[i].why;
        }
    }
    return (claim->needs & NEED_USER) != 0 ? find_user(c) : NULL;
}

static void print_claim(struct contract *c, const struct claim *claim) {
    if (c->problem[0] != '\0') {
        c->broken++;
        print_line("not ok", claim, c->problem);
    } else if (c->skipped[0] != '\0') {
        c->not_tried++;
        print_line("skip", claim, c->skipped);
    } else {
        c->held++;
        print_line("ok", claim, NULL);
    }
}

static void print_line(const char *verdict, const struct claim *claim, const char *why) {
    (void)printf("%s %s %s%s", verdict, claim->paragraph, claim->says, why == NULL ? "" : ": ");
    for (const char *at = why; at != NULL && *at != '\0'; at++) {
        (void)putchar(isprint((unsigned char)*at) ? *at : ' ');
    }
    (void)putchar('\n');
    (void)fflush(stdout);
}

void expect(struct contract *c, bool met, const char *format, ...) {
    if (!met) {
        va_list words;
        va_start(words, format);
        note(c, format, words);
        va_end(words);
    }
}

bool require(struct contract *c, bool met, const char *format, ...) {
    if (!met) {
        va_list words;
        va_start(words, format);
        note(c, format, words);
        va_end(words);
        c->stuck = true;
    }
    return met;
}

void skip_claim(struct contract *c, const char *format, ...) {
    va_list words;
    va_start(words, format);
    (void)vsnprintf(c->skipped, sizeof(c->skipped), format, words);
    va_end(words);
    c->stuck = true;
}

void expect_status(struct contract *c, const struct http_reply *reply, int status) {
    expect(c, reply->status == status, "expected %d, got %ld for %s%s", status, reply->status,
           reply->asked, shown_body(c, reply));
}

void expect_status_in(struct contract *c, const struct http_reply *reply, int status, int other) {
    expect(c, reply->status == status || reply->status == other,
           "expected %d or %d, got %ld for %s%s", status, other, reply->status, reply->asked,
           shown_body(c, reply));
}

void expect_error(struct contract *c, const struct http_reply *reply, int status,
                  const char *code) {
    expect_status(c, reply, status);
    const char *got = text_at(reply->json, "errors.0.code");
    expect(c, strcmp(got, code) == 0, "expected code %s, got \"%s\" for %s%s", code, got,
           reply->asked, shown_body(c, reply));
    const char *message = text_at(reply->json, "errors.0.message");
    expect(c, message[0] != '\0', "expected a message in the error for %s", reply->asked);
    /* 1.8: that is a URL which this Harbor doesn't know, and says nothing of what was asked for. */
    expect(c, strncmp(message, "path /", strlen("path /")) != 0, "there is no %s", reply->asked);
}

void expect_empty(struct contract *c, const struct http_reply *reply) {
    expect(c, reply->body_bytes == 0, "expected no body, got %zu bytes for %s", reply->body_bytes,
           reply->asked);
}

void expect_text(struct contract *c, const char *what, const char *got, const char *wanted) {
    expect(c, strcmp(got, wanted) == 0, "expected %s \"%s\", got \"%s\"", what, wanted, got);
}

void expect_number(struct contract *c, const char *what, int64_t got, int64_t wanted) {
    if (got == INT64_MIN) {
        expect(c, false, "expected %s %" PRId64 ", got none", what, wanted);
    } else {
        expect(c, got == wanted, "expected %s %" PRId64 ", got %" PRId64, what, wanted, got);
    }
}

const json_t *json_at(const json_t *json, const char *path) {
    char step[64];
    while (json != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        (void)snprintf(step, sizeof(step), "%.*s", (int)len, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(step, NULL, 10))
                                   : json_object_get(json, step);
        path += len;
        path += *path == '.' ? 1 : 0;
    }
    return json;
}

const char *text_at(const json_t *json, const char *path) {
    const char *found = json_string_value(json_at(json, path));
    return found == NULL ? "" : found;
}

int64_t number_at(const json_t *json, const char *path) {
    const json_t *found = json_at(json, path);
    return json_is_integer(found) ? (int64_t)json_integer_value(found) : INT64_MIN;
}

const json_t *json_with(const json_t *array, const char *path, const char *wanted) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (strcmp(text_at(json_array_get(array, i), path), wanted) == 0) {
            return json_array_get(array, i);
        }
    }
    return NULL;
}

/* Only the first problem of a claim is told: the others mostly follow from it. */
static void note(struct contract *c, const char *format, va_list words) {
    if (c->problem[0] == '\0' && !c->stuck) {
        (void)vsnprintf(c->problem, sizeof(c->problem), format, words);
    }
}

/* A body of a refusal; others may hold a secret. */
static const char *shown_body(struct contract *c, const struct http_reply *reply) {
    if (reply->body_bytes == 0 || (reply->status >= 200 && reply->status < 400)) {
        return "";
    }
    return text(c, ": %.*s", BODY_SHOWN, reply->body);
}
