/* SPDX-License-Identifier: Apache-2.0 */
/* The files for TLS, looked at before the first connection needs them. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "config_loader.h"
#include "config_report.h"

/* A file that an option of a registry names. */
struct named_file {
    struct berth_config_loader *loader;
    size_t registry;
    const char *option;
    const char *path;
};

static X509 *read_certificate(const struct named_file *named);
static EVP_PKEY *read_key(const struct named_file *named);
static FILE *open_file(const struct named_file *named);
static void report(const struct named_file *named, const char *problem);
static int openssl_password_cb(char *buffer, int size, int writing, void *ctx);

void berth_config_check_certificates(struct berth_config_loader *loader, size_t index) {
    const struct berth_config_registry *registry = &loader->config->registries[index];
    const struct named_file ca = {loader, index, "ca_file", registry->ca_file};
    const struct named_file shown = {loader, index, "client_cert_file", registry->client_cert_file};
    const struct named_file apart = {loader, index, "client_key_file", registry->client_key_file};
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
    int option = berth_config_find_option(BERTH_SECTION_REGISTRY, named->option);
    BERTH_ASSERT(option >= 0);
    berth_config_error(named->loader->report,
                       named->loader->registry_option_lines[named->registry][option], "%s: %s: %s",
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
