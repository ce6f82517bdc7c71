#include "proof.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define STATEMENT_FIRST_LINE "uketsuke statement v1"
#define STATEMENT_MAX 4096
#define STATEMENT_SECONDS 600
#define NONCE_SECONDS (2 * STATEMENT_SECONDS)
#define NONCE_DIGITS 32
#define COMMON_NAME_PREFIX "SIM-"
#define SOON_MONTHS 3

struct statement {
    char purpose[65];
    char institution[65];
    char time[65];
    char nonce[65];
};

static bool proof_decode(const json_t *session, const char *name, gnutls_datum_t *out)
{
    const char *text = json_string_value(json_object_get(session, name));
    gnutls_datum_t in;

    out->data = NULL;
    out->size = 0;
    if (text == NULL || text[0] == '\0' || strlen(text) > 65536)
        return false;
    in.data = (unsigned char *)(uintptr_t)text;
    in.size = (unsigned)strlen(text);
    return gnutls_base64_decode2(&in, out) == GNUTLS_E_SUCCESS && out->size > 0;
}

static bool proof_check_issuer(const struct service *service, gnutls_x509_crt_t certificate)
{
    gnutls_x509_crt_t issuers[8];
    unsigned count = sizeof(issuers) / sizeof(issuers[0]);
    gnutls_datum_t pem;
    unsigned status = 0;
    bool good;

    if (service->user_ca == NULL)
        return true;
    pem.data = (unsigned char *)service->user_ca;
    pem.size = (unsigned)strlen(service->user_ca);
    if (gnutls_x509_crt_list_import(issuers, &count, &pem, GNUTLS_X509_FMT_PEM, 0) < 0)
        return false;
    /* Expiry has an answer of its own, so it is not a fault of the chain here. */
    good = gnutls_x509_crt_verify(certificate, issuers, (unsigned)count,
                                  GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) == 0 &&
           status == 0;
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(issuers[i]);
    return good;
}

/* The first moment, in Japan, of the month that lies months after that of when. */
static time_t proof_month_start(time_t when, long months)
{
    time_t shifted = when + 9 * 3600;
    struct tm tm;

    if (gmtime_r(&shifted, &tm) == NULL)
        return when;
    tm.tm_mon += (int)months;
    tm.tm_mday = 1;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    return timegm(&tm) - 9 * 3600;
}

static time_t proof_months_before(time_t when, long months)
{
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL)
        return when;
    tm.tm_mon -= (int)months;
    return timegm(&tm);
}

static bool proof_check_expiry(const struct service *service, gnutls_x509_crt_t certificate,
                               struct proof *proof)
{
    time_t now = service_now(service);
    time_t until = gnutls_x509_crt_get_expiration_time(certificate);

    if (now > until) {
        proof->in_grace = true;
        return now < proof_month_start(until, service->grace_months + 1);
    }
    proof->expires_soon = now >= proof_months_before(until, SOON_MONTHS);
    return true;
}

static bool proof_verify(gnutls_x509_crt_t certificate, const gnutls_datum_t *data,
                         const gnutls_datum_t *signature)
{
    gnutls_pubkey_t key = NULL;
    gnutls_sign_algorithm_t algorithm = GNUTLS_SIGN_UNKNOWN;
    bool good = false;

    if (gnutls_pubkey_init(&key) < 0)
        return false;
    if (gnutls_pubkey_import_x509(key, certificate, 0) < 0)
        goto out;
    switch (gnutls_pubkey_get_pk_algorithm(key, NULL)) {
    case GNUTLS_PK_RSA:
        algorithm = GNUTLS_SIGN_RSA_SHA256;
        break;
    case GNUTLS_PK_ECDSA:
        algorithm = GNUTLS_SIGN_ECDSA_SHA256;
        break;
    default:
        goto out;
    }
    good = gnutls_pubkey_verify_data2(key, algorithm, 0, data, signature) >= 0;
out:
    gnutls_pubkey_deinit(key);
    return good;
}

static char *statement_field(struct statement *statement, const char *key, size_t length)
{
    static const struct {
        const char *key;
        size_t offset;
    } fields[] = {
        {"purpose", offsetof(struct statement, purpose)},
        {"institution", offsetof(struct statement, institution)},
        {"time", offsetof(struct statement, time)},
        {"nonce", offsetof(struct statement, nonce)},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strlen(fields[i].key) == length && memcmp(fields[i].key, key, length) == 0)
            return (char *)statement + fields[i].offset;
    }
    return NULL;
}

/* One line "key: value". Keys not known are let pass; a known key may stand only once. */
static bool statement_read_line(const char *line, size_t length, struct statement *statement)
{
    const char *colon = memchr(line, ':', length);
    size_t key_length;
    size_t value_length;
    char *field;

    if (colon == NULL || colon == line || (size_t)(colon - line) + 3 > length || colon[1] != ' ')
        return false;
    key_length = (size_t)(colon - line);
    value_length = length - key_length - 2;
    field = statement_field(statement, line, key_length);
    if (field == NULL)
        return true;
    if (field[0] != '\0' || value_length >= sizeof(statement->purpose))
        return false;
    memcpy(field, colon + 2, value_length);
    field[value_length] = '\0';
    return true;
}

static bool statement_is_text(const gnutls_datum_t *data)
{
    if (data->size == 0 || data->size > STATEMENT_MAX || data->data[data->size - 1] != '\n')
        return false;
    for (unsigned i = 0; i < data->size; i++) {
        if (data->data[i] != '\n' && (data->data[i] < 0x20 || data->data[i] > 0x7e))
            return false;
    }
    return true;
}

static bool statement_read(const gnutls_datum_t *data, struct statement *statement)
{
    const char *at = (const char *)data->data;
    const char *end = at + data->size;
    bool first = true;

    memset(statement, 0, sizeof(*statement));
    if (!statement_is_text(data))
        return false;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)(newline - at);

        if (first) {
            if (length != strlen(STATEMENT_FIRST_LINE) ||
                memcmp(at, STATEMENT_FIRST_LINE, length) != 0)
                return false;
            first = false;
        } else if (!statement_read_line(at, length, statement)) {
            return false;
        }
        at = newline + 1;
    }
    return statement->purpose[0] != '\0' && statement->institution[0] != '\0' &&
           statement->time[0] != '\0' && strlen(statement->nonce) == NONCE_DIGITS &&
           strspn(statement->nonce, "0123456789abcdef") == NONCE_DIGITS;
}

void proof_purge_nonces(struct service *service)
{
    time_t now = service_now(service);
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (service->nonces, next, key, value) {
        if (json_integer_value(json_object_get(value, "time")) < now - NONCE_SECONDS)
            (void)json_object_del(service->nonces, key);
    }
}

/*
 * A nonce is used up by the request that brings it; only the same request, sent again under its
 * request id, may bring it again, or the next one after a request that handed it on.
 */
static bool proof_take_nonce(struct service *service, const struct request *request,
                             const char *nonce)
{
    const char *id = request->request_id != NULL ? request->request_id : "";
    json_t *seen;

    proof_purge_nonces(service);
    seen = json_object_get(service->nonces, nonce);
    if (seen != NULL) {
        const char *first = json_string_value(json_object_get(seen, "id"));

        if (json_is_true(json_object_get(seen, "open"))) {
            json_object_set_new(seen, "open", json_false());
            json_object_set_new(seen, "id", json_string(id));
            return true;
        }
        return first != NULL && id[0] != '\0' && strcmp(first, id) == 0;
    }
    json_object_set_new(
        service->nonces, nonce,
        json_pack("{s:s, s:I}", "id", id, "time", (json_int_t)service_now(service)));
    return true;
}

void proof_hand_on(struct service *service, struct reply *reply)
{
    json_t *seen = json_object_get(service->nonces, reply->nonce);

    reply->nonce_open = seen != NULL;
    if (seen != NULL)
        json_object_set_new(seen, "open", json_true());
}

static bool proof_check_statement(struct service *service, const struct request *request,
                                  const json_t *session, gnutls_x509_crt_t certificate,
                                  struct reply *reply, enum answer_code *fault)
{
    gnutls_datum_t data = {NULL, 0};
    gnutls_datum_t signature = {NULL, 0};
    struct statement statement;
    time_t when = 0;
    bool good = false;

    *fault = ANSWER_STATEMENT;
    if (!proof_decode(session, "SignedStatement", &data))
        goto out;
    *fault = ANSWER_SIGNATURE;
    if (!proof_decode(session, "Signature", &signature))
        goto out;
    if (!proof_verify(certificate, &data, &signature))
        goto out;
    *fault = ANSWER_STATEMENT;
    if (!statement_read(&data, &statement))
        goto out;
    *fault = ANSWER_STATEMENT_INSTITUTION;
    if (strcmp(statement.institution, answer_institution(request)) != 0)
        goto out;
    *fault = ANSWER_STATEMENT_TIME;
    if (!text_parse_utc(statement.time, &when) ||
        labs((long)(when - service_now(service))) > STATEMENT_SECONDS)
        goto out;
    *fault = ANSWER_STATEMENT_NONCE;
    if (!proof_take_nonce(service, request, statement.nonce))
        goto out;
    snprintf(reply->nonce, sizeof(reply->nonce), "%s", statement.nonce);
    good = true;
out:
    gnutls_free(data.data);
    gnutls_free(signature.data);
    return good;
}

static bool proof_is_revoked(const struct service *service, gnutls_x509_crt_t certificate)
{
    gnutls_x509_crl_t list = NULL;
    gnutls_datum_t pem;
    bool revoked = true;

    if (service->user_crl == NULL)
        return false;
    pem.data = (unsigned char *)service->user_crl;
    pem.size = (unsigned)strlen(service->user_crl);
    if (gnutls_x509_crl_init(&list) < 0)
        return true;
    if (gnutls_x509_crl_import(list, &pem, GNUTLS_X509_FMT_PEM) >= 0)
        revoked = gnutls_x509_crt_check_revocation(certificate, &list, 1) != 0;
    gnutls_x509_crl_deinit(list);
    return revoked;
}

/* The serial as a decimal number; false when it has more than 64 bits. */
static bool proof_read_serial(gnutls_x509_crt_t certificate, char *out, size_t size)
{
    unsigned char bytes[64];
    size_t length = sizeof(bytes);
    unsigned long long serial = 0;

    if (gnutls_x509_crt_get_serial(certificate, bytes, &length) < 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (serial >> 56 != 0)
            return false;
        serial = serial << 8 | bytes[i];
    }
    snprintf(out, size, "%llu", serial);
    return true;
}

static const struct person *proof_find_card(const struct service *service, const char *card,
                                            struct reply *reply)
{
    snprintf(reply->subject, sizeof(reply->subject), "card:%s", card);
    return people_find_card(service->people, card);
}

/*
 * Whose certificate it is: by the serial that a card description names, else by a common name
 * "SIM-<card>". Several descriptions may share one certificate; the first that has a person counts.
 */
static const struct person *proof_find_person(const struct service *service,
                                              gnutls_x509_crt_t certificate, struct reply *reply)
{
    const struct person *person = NULL;
    const json_t *cards;
    char serial[32] = "";
    char name[128];
    size_t size = sizeof(name) - 1;

    if (proof_read_serial(certificate, serial, sizeof(serial)))
        snprintf(reply->subject, sizeof(reply->subject), "serial:%s", serial);
    cards = json_object_get(service->cards, serial);
    for (size_t i = 0; person == NULL && i < json_array_size(cards); i++)
        person = proof_find_card(service, json_string_value(json_array_get(cards, i)), reply);
    if (person != NULL || gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
                                                        0, name, &size) < 0)
        return person;
    name[sizeof(name) - 1] = '\0';
    if (strncmp(name, COMMON_NAME_PREFIX, strlen(COMMON_NAME_PREFIX)) == 0)
        person = proof_find_card(service, name + strlen(COMMON_NAME_PREFIX), reply);
    return person;
}

static bool proof_check_certificate(struct service *service, const struct request *request,
                                    const json_t *session, gnutls_x509_crt_t certificate,
                                    struct proof *proof, struct reply *reply,
                                    enum answer_code *fault)
{
    const char *method = json_string_value(json_object_get(session, "Method"));

    proof->person = proof_find_person(service, certificate, reply);
    *fault = ANSWER_CERTIFICATE_ISSUER;
    if (!proof_check_issuer(service, certificate))
        return false;
    *fault = ANSWER_CERTIFICATE_UNKNOWN;
    if (proof->person == NULL)
        return false;
    *fault = ANSWER_CERTIFICATE_REVOKED;
    if (proof_is_revoked(service, certificate) ||
        strcmp(person_string(proof->person, "certificate", "valid"), "revoked") == 0)
        return false;
    *fault = ANSWER_CERTIFICATE_EXPIRED;
    if (!proof_check_expiry(service, certificate, proof))
        return false;
    *fault = ANSWER_METHOD;
    if (method == NULL)
        return false;
    if (strcmp(method, "face") == 0 || strcmp(method, "visual") == 0)
        return true;
    if (strcmp(method, "pin") != 0)
        return false;
    return proof_check_statement(service, request, session, certificate, reply, fault);
}

bool proof_check(struct service *service, const struct request *request, const json_t *session,
                 struct proof *proof, struct reply *reply)
{
    gnutls_x509_crt_t certificate = NULL;
    gnutls_datum_t der = {NULL, 0};
    enum answer_code fault = ANSWER_CERTIFICATE;
    bool good = false;

    memset(proof, 0, sizeof(*proof));
    if (proof_decode(session, "UserCertificate", &der) &&
        gnutls_x509_crt_init(&certificate) == GNUTLS_E_SUCCESS &&
        gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS)
        good =
            proof_check_certificate(service, request, session, certificate, proof, reply, &fault);
    if (!good)
        answer_fail(service, request, ANSWER_BY_CARD, fault, NULL, reply);
    if (certificate != NULL)
        gnutls_x509_crt_deinit(certificate);
    gnutls_free(der.data);
    return good;
}
