#include "decide.h"

#include "../common/clock.h"
#include "../common/failure.h"
#include "../common/xmlmsg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MASK "\xe2\x97\x8f" /* ● U+25CF */

/* CD006 */
static const struct {
    const char *validity;
    enum decide_result result;
    uint16_t failure;
} validities[] = {
    {"1", DECIDE_USABLE, FAILURE_NONE},
    {"2", DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_INVALID},
    {"3", DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_INVALID_NEW},
    {"4", DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_NONE},
    {"5", DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_SEVERAL},
    {"6", DECIDE_USABLE, FAILURE_ELIGIBILITY_TICKET_UNREGISTERED},
};

/*
 * Codes with a meaning of their own. Those of the real service are not public, so the only ones
 * here belong to the extensions of the simulated service (prefix SIM); any other code is an opaque
 * text for staff.
 */
static const struct {
    const char *code;
    enum decide_result result;
    uint16_t failure;
} codes[] = {
    {"SIMPRC221", DECIDE_NOT_REGISTERED, FAILURE_ELIGIBILITY_PROCESSING_ERROR},
    {"SIMPRC222", DECIDE_UNKNOWN, FAILURE_REGISTRATION_REFUSED},
    {"SIMPRC204", DECIDE_UNKNOWN, FAILURE_CARD_CERTIFICATE_EXPIRED},
    {"SIMPRC205", DECIDE_UNKNOWN, FAILURE_CARD_CERTIFICATE_REVOKED},
};

/* What does not fit is cut at the end of a character. */
static void copy(char *field, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        for (n = size - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
            ;
    memcpy(field, text, n);
    field[n] = '\0';
}

/* Code and message, cut at a character's end: "code message". */
static void take_notice(struct decision *out, const char *code, const char *message)
{
    char text[sizeof(out->notice_text) * 2];

    (void)snprintf(text, sizeof(text), "%.40s%s%.350s", code,
                   code[0] != '\0' && message[0] != '\0' ? " " : "", message);
    copy(out->notice_text, sizeof(out->notice_text), text);
}

static bool digits(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789") == n;
}

/* yyyyMMddHHmmss of Japan's time, in microseconds of UTC; 0 when it is anything else. */
int64_t decide_time_us(const char *text)
{
    struct tm tm = {0};

    if (!digits(text, 14) || sscanf(text, "%4d%2d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon,
                                    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return ((int64_t)timegm(&tm) - CLOCK_JAPAN_SECONDS) * 1000000;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Each consented part has a time until which it may be kept; the first to end ends the answer's. */
static void take_available(const struct xmlmsg *result, struct decision *out)
{
    for (struct xmlmsg *e = xmlmsg_child(result, NULL); e != NULL; e = xmlmsg_next(e, NULL)) {
        const char *value = xmlmsg_value(e);
        int64_t until = 0;

        if (value != NULL && (ends_with(xmlmsg_name(e), "AvailableTime") ||
                              ends_with(xmlmsg_name(e), "AcquisitionTime")))
            until = decide_time_us(value);
        if (until > 0 && (out->available_until_us == 0 || until < out->available_until_us))
            out->available_until_us = until;
    }
}

/* The first result, and how many there are. A list may repeat as a whole or hold several. */
static const struct xmlmsg *find_result(const struct xmlmsg *body, size_t *count)
{
    const struct xmlmsg *first = NULL;

    *count = 0;
    for (struct xmlmsg *list = xmlmsg_child(body, "ResultList"); list != NULL;
         list = xmlmsg_next(list, "ResultList"))
        for (struct xmlmsg *r = xmlmsg_child(list, "ResultOfQualificationConfirmation"); r != NULL;
             r = xmlmsg_next(r, "ResultOfQualificationConfirmation")) {
            if (first == NULL)
                first = r;
            (*count)++;
        }
    return first;
}

static void take_person(const struct xmlmsg *result, struct decision *out)
{
    struct store_person *person = &out->person;
    const char *ratio = xmlmsg_get(result, "InsuredPartialContributionRatio");

    copy(person->name, sizeof(person->name), xmlmsg_get(result, "Name"));
    copy(person->kana, sizeof(person->kana), xmlmsg_get(result, "NameKana"));
    copy(person->birth, sizeof(person->birth), xmlmsg_get(result, "Birthdate"));
    copy(person->sex, sizeof(person->sex), xmlmsg_get(result, "Sex1"));
    copy(person->reference, sizeof(person->reference), xmlmsg_get(result, "ReferenceNumber"));
    copy(person->insurer, sizeof(person->insurer), xmlmsg_get(result, "InsurerName"));
    out->masked = strstr(person->name, MASK) != NULL;
    if (ratio[0] == '\0')
        ratio =
            xmlmsg_get(result, "ElderlyRecipientCertificateInfo/ElderlyRecipientContributionRatio");
    if (digits(ratio, 3))
        copy(out->ratio, sizeof(out->ratio), ratio);
    copy(out->limit_class, sizeof(out->limit_class),
         xmlmsg_get(result, "LimitApplicationCertificateRelatedInfo/"
                            "LimitApplicationCertificateClassificationFlag"));
}

/*
 * 医療扶助: a pharmacy wants a 調剤券, everybody else a 医療券 (CD018). Without any the service
 * says so itself (CD006 6); here one is registered, but it is none of this kind of institution's.
 */
static bool ticket_missing(const struct xmlmsg *result, const char *wanted)
{
    bool any = false;

    if (wanted == NULL || strcmp(xmlmsg_get(result, "InsuredCardClassification"), "A1") != 0)
        return false;
    for (const struct xmlmsg *list = xmlmsg_child(result, "PublicExpenseResultList"); list != NULL;
         list = xmlmsg_next(list, "PublicExpenseResultList"))
        for (const struct xmlmsg *ticket = xmlmsg_child(list, "MedicalTicketInfo"); ticket != NULL;
             ticket = xmlmsg_next(ticket, "MedicalTicketInfo")) {
            any = true;
            if (strcmp(xmlmsg_get(ticket, "TicketType"), wanted) == 0)
                return false;
        }
    return any;
}

static void settle(struct decision *out, enum decide_result result, uint16_t failure)
{
    out->result = result;
    out->failure = failure;
}

/* Status 2, or the registration's own words. True when that settles it. */
static bool decide_processing(const struct xmlmsg *body, struct decision *out)
{
    const char *status = xmlmsg_get(body, "ProcessingResultStatus");
    const char *code = xmlmsg_get(body, "ProcessingResultCode");
    const char *registration = xmlmsg_get(body, "RegistrationOutcome");

    take_notice(out, code, xmlmsg_get(body, "ProcessingResultMessage"));
    if (strcmp(status, "1") != 0 && strcmp(status, "2") != 0) {
        settle(out, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED);
        return true;
    }
    if (registration[0] != '\0') {
        bool accepted = strcmp(status, "1") == 0 && (strcmp(registration, "accepted") == 0 ||
                                                     strcmp(registration, "already") == 0);

        settle(out, accepted ? DECIDE_REGISTERED : DECIDE_UNKNOWN,
               accepted ? FAILURE_NONE : FAILURE_REGISTRATION_REFUSED);
        return true;
    }
    if (strcmp(status, "1") == 0)
        return false;
    settle(out, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_PROCESSING_ERROR);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(codes[i].code, code) == 0)
            settle(out, codes[i].result, codes[i].failure);
    return true;
}

static bool tells_subsidy(const struct xmlmsg *body, const struct xmlmsg *result, const char *name)
{
    const struct xmlmsg *element = xmlmsg_child(result, name);

    if (name[0] == '\0')
        return false;
    if (element == NULL)
        element = xmlmsg_child(body, name);
    /* An empty one says nothing. */
    return element != NULL && (xmlmsg_child(element, NULL) != NULL ||
                               (xmlmsg_value(element) != NULL && xmlmsg_value(element)[0] != '\0'));
}

static void decide_validity(const struct xmlmsg *body, const struct decide_expect *expect,
                            struct decision *out)
{
    const char *validity = xmlmsg_get(body, "QualificationValidity");
    size_t count, i, n = sizeof(validities) / sizeof(validities[0]);
    const struct xmlmsg *result = find_result(body, &count);

    copy(out->validity, sizeof(out->validity), validity);
    for (i = 0; i < n && strcmp(validities[i].validity, validity) != 0; i++)
        ;
    if (i == n) {
        settle(out, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED);
        return;
    }
    settle(out, validities[i].result, validities[i].failure);
    out->notice = out->notice_text[0] != '\0';
    if (result != NULL && count == 1) {
        take_person(result, out);
        take_available(result, out);
    }
    if (out->result == DECIDE_USABLE && count != 1)
        settle(out, DECIDE_UNKNOWN,
               count > 1 ? FAILURE_ELIGIBILITY_SEVERAL : FAILURE_ELIGIBILITY_GARBLED);
    if (out->result == DECIDE_USABLE && out->failure == FAILURE_NONE &&
        ticket_missing(result, expect->ticket))
        out->failure = FAILURE_ELIGIBILITY_TICKET_OTHER;
    if (out->result == DECIDE_USABLE && out->failure == FAILURE_NONE && out->notice)
        out->failure = FAILURE_ELIGIBILITY_NOTICE;
    if (out->result == DECIDE_USABLE && out->failure != FAILURE_NONE)
        out->notice = true;
    out->subsidy_unknown = out->result == DECIDE_USABLE && expect->subsidy != NULL &&
                           !tells_subsidy(body, result, expect->subsidy);
    /* Somebody else's loss is not this patient's, so a result is compared whatever it says. */
    if (expect->birth != NULL && count == 1)
        out->other_person = strcmp(out->person.birth, expect->birth) != 0 ||
                            strcmp(out->person.sex, expect->sex) != 0;
}

void decide(const struct xmlmsg *tree, const struct decide_expect *expect, struct decision *out)
{
    const struct xmlmsg *header = xmlmsg_find(tree, "MessageHeader");
    const struct xmlmsg *body = xmlmsg_find(tree, "MessageBody");
    const char *segment = xmlmsg_get(tree, "MessageHeader/SegmentOfResult");
    const char *institution = xmlmsg_get(tree, "MessageHeader/MedicalInstitutionCode");

    memset(out, 0, sizeof(*out));
    if (header == NULL || (expect->institution != NULL && institution[0] != '\0' &&
                           strcmp(institution, expect->institution) != 0)) {
        settle(out, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED);
    } else if (strcmp(segment, "2") == 0) {
        settle(out, DECIDE_PENDING, FAILURE_NONE);
    } else if (strcmp(segment, "9") == 0) {
        take_notice(out, xmlmsg_get(header, "ErrorCode"), xmlmsg_get(header, "ErrorMessage"));
        settle(out, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_REQUEST_ERROR);
    } else if (strcmp(segment, "1") != 0 || body == NULL) {
        settle(out, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED);
    } else if (!decide_processing(body, out)) {
        decide_validity(body, expect, out);
    }
}
