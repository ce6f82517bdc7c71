#include "question.h"

#include "visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    uint32_t bit;
    const char *name;
} consents[] = {
    {CONSENT_LIMIT, "LimitApplicationCertificateRelatedConsFlg"},
    {CONSENT_DRUGS, "PharmacistsInfoConsFlg"},
    {CONSENT_CHECKUP, "SpecificHealthCheckupsInfoConsFlg"},
    {CONSENT_DIAGNOSIS, "DiagnosisInfoConsFlg"},
    {CONSENT_OPERATION, "OperationInfoConsFlg"},
    {CONSENT_DISEASE, "SpecificDiseasesCertificateRelatedConsFlg"},
};

static const struct {
    uint8_t kind;
    const char *part;
} parts[] = {
    {UPSTREAM_BY_NUMBERS, "QualificationConfirmSearchInfo"},
    {UPSTREAM_CARD_SESSION, "CardSession"},
    {UPSTREAM_REGISTER, "CardRegistration"},
    {UPSTREAM_CONSENTS, "ConsentChange"},
    {UPSTREAM_REFERENCE_NUMBER, "ReferenceNumberRegistrationInfo"},
    {UPSTREAM_BULK, "QualificationConfirmSearchInfo"},
    {UPSTREAM_REFERENCE_BULK, "ReferenceNumberRegistrationInfo"},
    {UPSTREAM_DRUGS, "FileCategory"},
    {UPSTREAM_CHECKUP, "FileCategory"},
    {UPSTREAM_TICKETS, "MedicalTreatmentMonth"},
};

const char *question_part(uint8_t kind)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].kind == kind)
            return parts[i].part;
    return NULL;
}

/* Header and empty body; NULL when out of memory. `date` is not part of every message's header. */
static struct xmlmsg *begin_message(struct xmlmsg **root, const struct question_header *header,
                                    bool date)
{
    struct xmlmsg *head, *body = NULL;

    *root = xmlmsg_new("XmlMsg");
    if (*root == NULL)
        return NULL;
    head = xmlmsg_add(*root, "MessageHeader", NULL);
    if (head != NULL &&
        (!date || xmlmsg_add(head, "QualificationConfirmationDate", header->date) != NULL) &&
        xmlmsg_add(head, "MedicalInstitutionCode", header->institution) != NULL &&
        xmlmsg_add(head, "ArbitraryFileIdentifier", header->correlation) != NULL)
        body = xmlmsg_add(*root, "MessageBody", NULL);
    if (body == NULL)
        xmlmsg_free(root);
    return body;
}

/* The header and the empty part for this kind; *root NULL when out of memory. */
static struct xmlmsg *begin(struct xmlmsg **root, const struct question_header *header,
                            uint8_t kind)
{
    struct xmlmsg *body = begin_message(root, header, true);
    struct xmlmsg *part = body != NULL ? xmlmsg_add(body, question_part(kind), NULL) : NULL;

    if (part == NULL)
        xmlmsg_free(root);
    return part;
}

static bool add_optional(struct xmlmsg *parent, const char *name, const char *value)
{
    return value == NULL || value[0] == '\0' || xmlmsg_add(parent, name, value) != NULL;
}

/* Blanks in front, to eight. */
static bool add_insurer(struct xmlmsg *parent, const char *number)
{
    char insurer[64];
    bool added;

    snprintf(insurer, sizeof(insurer), "%8.60s", number);
    added = xmlmsg_add(parent, "InsurerNumber", insurer) != NULL;
    explicit_bzero(insurer, sizeof(insurer));
    return added;
}

static bool add_numbers(struct xmlmsg *info, const struct question_numbers *numbers)
{
    return add_insurer(info, numbers->insurer) &&
           add_optional(info, "InsuredCardSymbol", numbers->symbol) &&
           xmlmsg_add(info, "InsuredIdentificationNumber", numbers->number) != NULL &&
           add_optional(info, "InsuredBranchNumber", numbers->branch);
}

static bool add_search(struct xmlmsg *info, const struct question_numbers *numbers)
{
    return add_numbers(info, numbers) && xmlmsg_add(info, "Birthdate", numbers->birth) != NULL &&
           xmlmsg_add(info, "LimitApplicationCertificateRelatedConsFlg",
                      numbers->limit_consent ? "1" : "0") != NULL &&
           add_optional(info, "ArbitraryIdentifier", numbers->identifier);
}

struct xmlmsg *question_by_numbers(const struct question_header *header,
                                   const struct question_numbers *numbers)
{
    struct xmlmsg *root;
    struct xmlmsg *info = begin(&root, header, UPSTREAM_BY_NUMBERS);

    if (info != NULL && !add_search(info, numbers))
        xmlmsg_free(&root);
    return root;
}

struct xmlmsg *question_bulk(const struct question_header *header,
                             const struct question_numbers *numbers, size_t count)
{
    struct xmlmsg *root;
    struct xmlmsg *body = begin_message(&root, header, true);

    for (size_t i = 0; i < count && root != NULL; i++) {
        struct xmlmsg *info = xmlmsg_add(body, question_part(UPSTREAM_BULK), NULL);

        if (info == NULL || !add_search(info, &numbers[i]))
            xmlmsg_free(&root);
    }
    return root;
}

static bool add_reference(struct xmlmsg *body, const struct question_reference *reference)
{
    struct xmlmsg *info = xmlmsg_add(body, question_part(UPSTREAM_REFERENCE_NUMBER), NULL);

    return info != NULL && xmlmsg_add(info, "ReferenceNumber", reference->reference) != NULL &&
           add_numbers(info, reference->numbers);
}

struct xmlmsg *question_reference_bulk(const struct question_header *header,
                                       const struct question_reference *references, size_t count)
{
    struct xmlmsg *root;
    struct xmlmsg *body = begin_message(&root, header, false);

    for (size_t i = 0; i < count && root != NULL; i++)
        if (!add_reference(body, &references[i]))
            xmlmsg_free(&root);
    return root;
}

struct xmlmsg *question_reference_number(const struct question_header *header,
                                         const struct question_reference *reference)
{
    return question_reference_bulk(header, reference, 1);
}

struct xmlmsg *question_tickets(const struct question_header *header, const char *month)
{
    struct xmlmsg *root;
    struct xmlmsg *body = begin_message(&root, header, false);

    if (body != NULL && xmlmsg_add(body, question_part(UPSTREAM_TICKETS), month) == NULL)
        xmlmsg_free(&root);
    return root;
}

/* The family of documents has names of its own for the numbers, and has them in the header. */
static struct xmlmsg *document(const struct question_header *header,
                               const struct question_numbers *numbers,
                               const struct question_consent *consent, int64_t now,
                               const char *start, const char *end)
{
    struct xmlmsg *root, *head, *body;

    if (consent->flag == NULL || strcmp(consent->flag, "1") != 0 || consent->available_until <= now)
        return NULL;
    body = begin_message(&root, header, false);
    if (body == NULL)
        return NULL;
    head = xmlmsg_child(root, "MessageHeader");
    if (!add_insurer(head, numbers->insurer) ||
        !add_optional(head, "InsuranceCardSymbol", numbers->symbol) ||
        xmlmsg_add(head, "InsuredPersonIdentificationNumber", numbers->number) == NULL ||
        !add_optional(head, "BranchNumber", numbers->branch) ||
        !add_optional(body, "StartDate", start) || !add_optional(body, "EndDate", end) ||
        xmlmsg_add(body, "FileCategory", "2") == NULL || /* XML; 1 would be PDF */
        xmlmsg_add(body, "PrDiInfClassification", "1") == NULL ||
        xmlmsg_add(body, "MedicalTreatmentFlag", "1") == NULL) /* CD028: at the desk */
        xmlmsg_free(&root);
    return root;
}

struct xmlmsg *question_drugs(const struct question_header *header,
                              const struct question_numbers *numbers,
                              const struct question_consent *consent, int64_t now,
                              const char *start, const char *end)
{
    return document(header, numbers, consent, now, start, end);
}

struct xmlmsg *question_checkup(const struct question_header *header,
                                const struct question_numbers *numbers,
                                const struct question_consent *consent, int64_t now)
{
    return document(header, numbers, consent, now, NULL, NULL);
}

/* RFC 4648, with padding. NULL when out of memory; the caller wipes and frees. */
static char *base64(const uint8_t *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((len + 2) / 3 * 4 + 1);
    char *out = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)data[i] << 16;

        v |= n > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        v |= n > 2 ? data[i + 2] : 0;
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = '=';
        *out++ = '=';
        if (n > 1)
            out[-2] = digits[v >> 6 & 63];
        if (n > 2)
            out[-1] = digits[v & 63];
    }
    *out = '\0';
    return text;
}

static bool add_bytes(struct xmlmsg *parent, const char *name, const uint8_t *data, size_t len)
{
    char *text;
    bool added;

    if (len == 0)
        return true;
    text = base64(data, len);
    if (text == NULL)
        return false;
    added = xmlmsg_add(parent, name, text) != NULL;
    explicit_bzero(text, strlen(text));
    free(text);
    return added;
}

static bool add_consents(struct xmlmsg *part, const struct question_card *card)
{
    struct xmlmsg *given = xmlmsg_add(part, "Consents", NULL);

    for (size_t i = 0; given != NULL && i < sizeof(consents) / sizeof(consents[0]); i++)
        if ((card->consents_asked & consents[i].bit) != 0 &&
            xmlmsg_add(given, consents[i].name,
                       (card->consents & consents[i].bit) != 0 ? "1" : "0") == NULL)
            return false;
    return given != NULL;
}

static struct xmlmsg *by_card(const struct question_header *header,
                              const struct question_card *card, uint8_t kind)
{
    struct xmlmsg *root;
    struct xmlmsg *part = begin(&root, header, kind);

    if (part == NULL)
        return NULL;
    if (!add_bytes(part, "UserCertificate", card->certificate, card->certificate_len) ||
        xmlmsg_add(part, "Method", card->method) == NULL ||
        !add_bytes(part, "SignedStatement", card->statement, card->statement_len) ||
        !add_bytes(part, "Signature", card->signature, card->signature_len) ||
        (kind != UPSTREAM_REGISTER && !add_consents(part, card)))
        xmlmsg_free(&root);
    return root;
}

struct xmlmsg *question_card_session(const struct question_header *header,
                                     const struct question_card *card)
{
    return by_card(header, card, UPSTREAM_CARD_SESSION);
}

struct xmlmsg *question_consents(const struct question_header *header,
                                 const struct question_card *card)
{
    return by_card(header, card, UPSTREAM_CONSENTS);
}

struct xmlmsg *question_register(const struct question_header *header,
                                 const struct question_card *card)
{
    return by_card(header, card, UPSTREAM_REGISTER);
}
