#include "credentials.h"

#include "../common/service.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEM_MAX (256u << 10)
#define KEY_MAX (32u << 10) /* locked memory is scarce */
#define CA_MAX (1u << 20)   /* a file with every public authority fits */
#define PASSWORD_MAX 512

/* One place for the form: program, upstream, what is wrong, what to do. */
static int complain(const char *name, enum config_key key, const char *path, const char *ja,
                    const char *en)
{
    (void)fprintf(stderr, "uketsuke-relay: [upstream %s] %s = %s: %s / %s\n", name,
                  config_row(key)->name, path, ja, en);
    return -EINVAL;
}

static ssize_t read_all(const char *path, uint8_t *data, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    while ((n = read(fd, data + used, size - used)) > 0)
        used += (size_t)n;
    if (n < 0)
        n = -errno;
    (void)close(fd);
    if (n < 0)
        return n;
    return used < size ? (ssize_t)used : -EFBIG;
}

static int read_public(const char *name, enum config_key key, const char *path, size_t most,
                       char **out, size_t *len)
{
    ssize_t n;

    *out = malloc(most);
    if (*out == NULL)
        return -ENOMEM;
    n = read_all(path, (uint8_t *)*out, most);
    if (n <= 0)
        return complain(name, key, path, "読めません",
                        n < 0 ? strerror((int)-n) : "the file is empty");
    *len = (size_t)n;
    return 0;
}

/* From the file of the configuration, else the credential upstream-NAME.SUFFIX. */
static int read_secret(const char *name, enum config_key key, const char *path, const char *suffix,
                       size_t most, struct secret *out)
{
    char credential[96];
    ssize_t n;
    int error;

    if (path[0] == '\0') {
        (void)snprintf(credential, sizeof(credential), "upstream-%s.%s", name, suffix);
        error = service_credential(credential, out, most);
        if (error != 0)
            return complain(name, key, "", "ファイルも資格情報もありません",
                            "neither a file nor a credential of the supervisor is there");
        return 0;
    }
    error = secret_new(out, most + 1);
    if (error != 0)
        return complain(name, key, path, "保護されたメモリがありません", "no locked memory");
    n = read_all(path, out->data, out->size);
    if (n <= 0)
        return complain(name, key, path, "読めません",
                        n < 0 ? strerror((int)-n) : "the file is empty");
    out->len = (size_t)n;
    return 0;
}

/* Never ask at a terminal: a daemon has none. */
static int no_pass_phrase(char *buffer, int size, int rwflag, void *arg)
{
    (void)buffer;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static int64_t asn1_time(const ASN1_TIME *when)
{
    struct tm tm;

    return when != NULL && ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static int check_pair(struct credentials *c, const struct config *config, const char *name)
{
    BIO *certificate_text = BIO_new_mem_buf(c->certificate, (int)c->certificate_len);
    BIO *key_text = BIO_new_mem_buf(c->key.data, (int)c->key.len);
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    int error = -ENOMEM;

    if (certificate_text == NULL || key_text == NULL)
        goto out;
    certificate = PEM_read_bio_X509(certificate_text, NULL, no_pass_phrase, NULL);
    key = PEM_read_bio_PrivateKey(key_text, NULL, no_pass_phrase, NULL);
    error = 0;
    if (certificate == NULL)
        error = complain(name, CFG_upstream_CERTIFICATE,
                         config_text(config, CFG_upstream_CERTIFICATE, name),
                         "証明書(PEM)ではありません", "is no certificate in PEM");
    else if (key == NULL)
        error = complain(name, CFG_upstream_KEY, config_text(config, CFG_upstream_KEY, name),
                         "鍵(PEM、パスフレーズなし)ではありません",
                         "is no private key in PEM without a pass phrase");
    else if (X509_check_private_key(certificate, key) != 1)
        error = complain(name, CFG_upstream_KEY, config_text(config, CFG_upstream_KEY, name),
                         "証明書の鍵ではありません", "is not the key of the certificate");
    else
        c->certificate_until = asn1_time(X509_get0_notAfter(certificate));
out:
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(certificate_text);
    BIO_free(key_text);
    return error;
}

static int check_ca(struct credentials *c, const struct config *config, const char *name)
{
    BIO *text = BIO_new_mem_buf(c->ca, (int)c->ca_len);
    X509 *certificate;
    bool good = false;

    while (text != NULL &&
           (certificate = PEM_read_bio_X509(text, NULL, no_pass_phrase, NULL)) != NULL) {
        int64_t until = asn1_time(X509_get0_notAfter(certificate));

        if (!good || until < c->ca_until)
            c->ca_until = until;
        good = true;
        X509_free(certificate);
    }
    ERR_clear_error(); /* the end of the file is none */
    BIO_free(text);
    return good ? 0
                : complain(name, CFG_upstream_CA, config_text(config, CFG_upstream_CA, name),
                           "証明書(PEM)がありません", "holds no certificate in PEM");
}

/* A password file usually ends in a newline that is no part of it. */
static int trim_password(struct credentials *c, const struct config *config, const char *name)
{
    struct secret *p = &c->password;

    while (p->len > 0 && (p->data[p->len - 1] == '\n' || p->data[p->len - 1] == '\r'))
        p->data[--p->len] = 0;
    p->data[p->len] = 0;
    if (p->len == 0 || memchr(p->data, 0, p->len) != NULL)
        return complain(name, CFG_upstream_PASSWORD_FILE,
                        config_text(config, CFG_upstream_PASSWORD_FILE, name), "合言葉がありません",
                        "holds no password");
    return 0;
}

int credentials_load(struct credentials *c, const struct config *config, const char *name)
{
    int error;

    memset(c, 0, sizeof(*c));
    error = read_public(name, CFG_upstream_CA, config_text(config, CFG_upstream_CA, name), CA_MAX,
                        &c->ca, &c->ca_len);
    if (error == 0)
        error = read_public(name, CFG_upstream_CERTIFICATE,
                            config_text(config, CFG_upstream_CERTIFICATE, name), PEM_MAX,
                            &c->certificate, &c->certificate_len);
    if (error == 0)
        error = read_secret(name, CFG_upstream_KEY, config_text(config, CFG_upstream_KEY, name),
                            "key", KEY_MAX, &c->key);
    if (error == 0)
        error = read_secret(name, CFG_upstream_PASSWORD_FILE,
                            config_text(config, CFG_upstream_PASSWORD_FILE, name), "password",
                            PASSWORD_MAX, &c->password);
    if (error == 0)
        error = check_ca(c, config, name);
    if (error == 0)
        error = check_pair(c, config, name);
    if (error == 0)
        error = trim_password(c, config, name);
    if (error != 0)
        credentials_free(c);
    return error;
}

void credentials_free(struct credentials *c)
{
    secret_free(&c->key);
    secret_free(&c->password);
    free(c->ca);
    free(c->certificate);
    memset(c, 0, sizeof(*c));
}

struct http_tls credentials_tls(const struct credentials *c)
{
    return (struct http_tls){.ca = c->ca,
                             .ca_len = c->ca_len,
                             .certificate = c->certificate,
                             .certificate_len = c->certificate_len,
                             .key = c->key.data,
                             .key_len = c->key.len};
}
