/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

/* A whole report: BERTH_CONFIG_FINDINGS_MAX lines of bounded length, and the path in each. */
#define REPORT_BYTES_MAX ((size_t)256 * 1024)

static error_t parse_common(int key, char *argument, struct argp_state *state);
static enum cli_exit load(const struct cli_common *common, enum berth_config_purpose purpose,
                          struct berth_config **ret_config);

static const struct argp_option common_options[] = {
    {.name = "config",
     .key = 'c',
     .arg = "FILE",
     .doc = "The configuration (default: $BERTH_CONFIG, or " BERTH_CONFIG_DEFAULT_PATH ")"},
    {0},
};

const struct argp cli_common_argp = {.options = common_options, .parser = parse_common};

enum cli_exit cli_with_config(const struct cli_common *common, enum berth_config_purpose purpose,
                              cli_run_fn *run, const void *arguments) {
    struct berth_config *config = NULL;
    enum cli_exit status = load(common, purpose, &config);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    struct cli cli = {
        .config = config,
        .kafka = {.items = config->kafka.properties, .count = config->kafka.properties_count},
    };
    status = run(&cli, arguments);
    cli.codec = berth_codec_free(cli.codec);
    config = berth_config_free(config);
    return status;
}

enum cli_exit cli_make_codec(struct cli *cli) {
    BERTH_ASSERT(cli->codec == NULL);
    struct berth_error error = {0};
    enum berth_rc rc = berth_codec_new(&cli->codec, &error);
    return rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
}

static enum cli_exit load(const struct cli_common *common, enum berth_config_purpose purpose,
                          struct berth_config **ret_config) {
    const char *path = common->config_path;
    if (path == NULL) {
        path = getenv("BERTH_CONFIG");
    }
    if (path == NULL || path[0] == '\0') {
        path = BERTH_CONFIG_DEFAULT_PATH;
    }
    struct berth_config_report report;
    enum berth_rc rc = berth_config_load(path, purpose, ret_config, &report);
    cli_print_report(&report, path);
    if (rc != BERTH_OK) {
        return rc == BERTH_INVALID ? CLI_USAGE : cli_fault(rc, NULL);
    }
    return CLI_SUCCEEDED;
}

void cli_print_report(const struct berth_config_report *report, const char *path) {
    struct berth_buffer text;
    berth_buffer_init(&text, REPORT_BYTES_MAX);
    if (berth_config_report_write(report, path, &text) == BERTH_OK && text.len > 0) {
        (void)fwrite(text.data, 1, text.len, stderr);
    }
    berth_buffer_deinit(&text);
}

void cli_complain(const char *format, ...) {
    char text[BERTH_ERROR_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "berth: %s\n", text);
}

enum cli_exit cli_fault(enum berth_rc rc, const struct berth_error *error) {
    if (error != NULL && error->text[0] != '\0') {
        cli_complain("%s", error->text);
    } else {
        cli_complain("%s", rc == BERTH_FAULT_MEMORY ? "no memory left" : berth_rc_name(rc));
    }
    return rc == BERTH_FAULT_UNREACHABLE ? CLI_NO_ANSWER : CLI_FAILED;
}

enum berth_rc cli_flush(void) {
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return BERTH_OK;
    }
    if (errno == EPIPE) {
        return BERTH_END;
    }
    cli_complain("standard output can't be written: %s", strerror(errno));
    return BERTH_FAULT_SYSTEM;
}

static error_t parse_common(int key, char *argument, struct argp_state *state) {
    struct cli_common *common = state->input;
    if (key == 'c') {
        common->config_path = argument;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}
