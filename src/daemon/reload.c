/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: the configuration is read again. What can change in a running worker does, for what is
 * begun from now on; what is under way ends as it began. A bad file changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "berth/base/log.h"
#include "worker_parts.h"

static void log_findings(const struct berth_config_report *report);
static void changed(void *ctx, const char *option, bool applied);
static void take_over(struct worker *worker);
static void keep_old_names(struct worker *worker, struct berth_config *fresh);

void worker_reload_cb(evutil_socket_t signal_number, short what, void *ctx) {
    (void)signal_number;
    (void)what;
    struct worker *worker = ctx;
    struct berth_config *fresh = NULL;
    struct berth_config_report report;
    enum berth_rc rc =
        berth_config_load(worker->config->path, BERTH_CONFIG_FOR_DAEMON, &fresh, &report);
    if (rc != BERTH_OK) {
        bool known = report.findings_count > 0;
        berth_log(
            BERTH_LOG_ERROR, "configuration.refused",
            "file=%s line=%d errors=%zu reason=\"%s\" remedy=\"berthd -t shows all of it; the "
            "old one stays in force\"",
            worker->config->path, known ? report.findings[0].line : 0, report.errors_count,
            known ? report.findings[0].text : berth_rc_name(rc));
        return;
    }
    log_findings(&report);
    berth_config_reload(worker->config, fresh, changed, worker);
    keep_old_names(worker, fresh);
    /* Told at the old level or at the new one, whichever lets it through. */
    bool told = berth_log_enabled(BERTH_LOG_INFO);
    if (told) {
        berth_log(BERTH_LOG_INFO, "configuration.reloaded", "file=%s", worker->config->path);
    }
    take_over(worker);
    fresh = berth_config_free(fresh);
    if (!told) {
        berth_log(BERTH_LOG_INFO, "configuration.reloaded", "file=%s", worker->config->path);
    }
}

void worker_free_old_names(struct worker *worker) {
    while (worker->old_names != NULL) {
        struct old_name *old = worker->old_names;
        worker->old_names = old->next;
        free(old->text);
        free(old);
    }
}

static void log_findings(const struct berth_config_report *report) {
    for (size_t i = 0; i < report->findings_count; i++) {
        berth_log(BERTH_LOG_WARNING, "configuration.warning", "line=%d reason=\"%s\"",
                  report->findings[i].line, report->findings[i].text);
    }
}

static void changed(void *ctx, const char *option, bool applied) {
    (void)ctx;
    if (applied) {
        berth_log(BERTH_LOG_INFO, "configuration.changed", "option=\"%s\"", option);
    } else {
        berth_log(BERTH_LOG_WARNING, "configuration.needs_restart", "option=\"%s\"", option);
    }
}

/* Everybody borrows the configuration itself but for what stands here. */
static void take_over(struct worker *worker) {
    const struct berth_config *config = worker->config;
    berth_log_setup((enum berth_log_level)config->log_level, getenv("JOURNAL_STREAM") != NULL);
    struct berth_engine_config *engine = &worker->engine_config;
    engine->request_timeout_ms = worker_longest_request_ms(config);
    engine->retry_attempts = (uint32_t)config->retry_attempts;
    engine->retry_age_ms = config->retry_age_ms;
    engine->backoff_ms = config->retry_backoff_ms;
    engine->backoff_max_ms = config->retry_backoff_max_ms;

    struct berth_error error = {{0}};
    enum berth_rc rc = BERTH_OK;
    for (size_t i = 0; rc == BERTH_OK && i < config->registries_count; i++) {
        const struct berth_harbor_registry_config registry = worker_harbor_registry(worker, i);
        rc = berth_harbor_client_reload(worker->harbor, i, &registry, &error);
    }
    if (rc == BERTH_OK) {
        rc = berth_lookup_reload(worker->lookups.lookup, &error);
    }
    if (rc != BERTH_OK) {
        berth_log(BERTH_LOG_ERROR, "configuration.not_taken_over",
                  "reason=\"%s\" remedy=\"restart\"", berth_error_why(&error, rc));
    }
}

/* What was replaced is in fresh now; a name that is the same on both sides was not. */
static void keep_old_names(struct worker *worker, struct berth_config *fresh) {
    for (size_t i = 0; i < fresh->registries_count; i++) {
        const struct berth_config_registry *now =
            berth_config_find_registry(worker->config, fresh->registries[i].name);
        if (now == NULL || strcmp(now->username, fresh->registries[i].username) == 0) {
            continue;
        }
        struct old_name *old = malloc(sizeof(*old));
        if (old == NULL) {
            worker_fail(worker, "no memory to reload the configuration");
            return;
        }
        *old = (struct old_name){.text = fresh->registries[i].username, .next = worker->old_names};
        fresh->registries[i].username = NULL;
        worker->old_names = old;
    }
}
