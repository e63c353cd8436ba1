/* SPDX-License-Identifier: Apache-2.0 */
#include "secret_text.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

#define CAPACITY_MIN 256

static bool reserve(struct cli_secret_text *text, size_t len);

void cli_secret_text_add(struct cli_secret_text *text, const char *data, size_t len) {
    if (!reserve(text, len)) {
        return;
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void cli_secret_text_puts(struct cli_secret_text *text, const char *more) {
    cli_secret_text_add(text, more, strlen(more));
}

void cli_secret_text_add_base64(struct cli_secret_text *text, const char *data, size_t len) {
    BERTH_ASSERT(len <= INT_MAX / 2);
    if (!reserve(text, 4 * ((len + 2) / 3))) {
        return;
    }
    int written = EVP_EncodeBlock((unsigned char *)text->data + text->len,
                                  (const unsigned char *)data, (int)len);
    BERTH_ASSERT(written >= 0);
    text->len += (size_t)written;
    BERTH_ASSERT(text->len < text->capacity);
}

enum cli_exit cli_secret_text_print(const struct cli_secret_text *text) {
    if (text->failed) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    (void)setvbuf(stdout, NULL, _IONBF, 0);
    (void)fwrite(text->data, 1, text->len, stdout);
    return cli_flush() == BERTH_OK ? CLI_SUCCEEDED : CLI_FAILED;
}

void cli_secret_text_wipe(struct cli_secret_text *text) {
    if (text->data != NULL) {
        explicit_bzero(text->data, text->capacity);
    }
    free(text->data);
    *text = (struct cli_secret_text){0};
}

/* Room for len bytes more and the NUL. realloc() would leave a copy behind. */
static bool reserve(struct cli_secret_text *text, size_t len) {
    size_t needed = text->len + len + 1;
    if (text->failed || needed <= text->capacity) {
        return !text->failed;
    }
    size_t capacity = text->capacity == 0 ? CAPACITY_MIN : text->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = calloc(1, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    if (text->data != NULL) {
        memcpy(data, text->data, text->len);
        explicit_bzero(text->data, text->capacity);
        free(text->data);
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}
