/* SPDX-License-Identifier: Apache-2.0 */
/* The files for TLS, looked at before the first connection needs them. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "config_loader.h"
#include "config_report.h"

/* Whose they are: a section's, and the lines of its options. */
struct tls_files {
    struct berth_config_loader *loader;
    enum berth_config_section_id section;
    const int *lines;
};

/* A file that an option names. */
struct named_file {
    const struct tls_files *of;
    const char *option;
    const char *path;
};

static void check(const struct tls_files *files, const char *ca_file, const char *client_cert_file,
                  const char *client_key_file);
static X509 *read_certificate(const struct named_file *named);
static EVP_PKEY *read_key(const struct named_file *named);
static FILE *open_file(const struct named_file *named);
static void report(const struct named_file *named, const char *problem);
static int openssl_password_cb(char *buffer, int size, int writing, void *ctx);

void berth_config_check_certificates(struct berth_config_loader *loader, size_t index) {
    const struct berth_config_registry *registry = &loader->config->registries[index];
    const struct tls_files files = {loader, BERTH_SECTION_REGISTRY,
                                    loader->registry_option_lines[index]};
    check(&files, registry->ca_file, registry->client_cert_file, registry->client_key_file);
}

void berth_config_check_redis_certificates(struct berth_config_loader *loader) {
    const struct berth_config *config = loader->config;
    const struct tls_files files = {loader, BERTH_SECTION_REDIS, loader->lines};
    check(&files, config->redis.ca_file, config->redis.client_cert_file,
          config->redis.client_key_file);
}

static void check(const struct tls_files *files, const char *ca_file, const char *client_cert_file,
                  const char *client_key_file) {
    const struct named_file ca = {files, "ca_file", ca_file};
    const struct named_file shown = {files, "client_cert_file", client_cert_file};
    const struct named_file apart = {files, "client_key_file", client_key_file};
    const struct named_file *of_key = apart.path != NULL ? &apart : &shown;
    if (ca.path != NULL) {
        X509_free(read_certificate(&ca));
    }
    X509 *certificate = shown.path != NULL ? read_certificate(&shown) : NULL;
    EVP_PKEY *key = certificate != NULL ? read_key(of_key) : NULL;
    if (key != NULL && X509_check_private_key(certificate, key) != 1) {
        report(of_key, "isn't the key of the certificate");
    }
    EVP_PKEY_free(key);
    X509_free(certificate);
}

static X509 *read_certificate(const struct named_file *named) {
    FILE *file = open_file(named);
    if (file == NULL) {
        return NULL;
    }
    X509 *certificate = PEM_read_X509(file, NULL, openssl_password_cb, NULL);
    (void)fclose(file);
    if (certificate == NULL) {
        report(named, "holds no certificate in PEM");
    }
    return certificate;
}

static EVP_PKEY *read_key(const struct named_file *named) {
    FILE *file = open_file(named);
    if (file == NULL) {
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, openssl_password_cb, NULL);
    (void)fclose(file);
    if (key == NULL) {
        report(named, "holds no key in PEM, or one with a password");
    }
    return key;
}

static FILE *open_file(const struct named_file *named) {
    FILE *file = fopen(named->path, "re");
    if (file == NULL) {
        report(named, strerror(errno));
    }
    return file;
}

static void report(const struct named_file *named, const char *problem) {
    ERR_clear_error(); /* Nobody else must take it for an error of his own. */
    int option = berth_config_find_option(named->of->section, named->option);
    BERTH_ASSERT(option >= 0);
    berth_config_error(named->of->loader->report, named->of->lines[option], "%s: %s: %s",
                       named->option, named->path, problem);
}

/* OpenSSL would ask the terminal. */
static int openssl_password_cb(char *buffer, int size, int writing, void *ctx) {
    (void)buffer;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}
