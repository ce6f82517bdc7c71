/*
 * XmlMsg answers: header, the error levels, the entitlements of a person.
 *
 * Result codes of the real service are not public, so the ones here are invented and say so by
 * their prefix "SIM". A client must treat every code as an opaque string.
 */
#ifndef SIM_SERVICE_ANSWER_H
#define SIM_SERVICE_ANSWER_H

#include <stdbool.h>

#include "service.h"

enum answer_code {
    ANSWER_SHAPE,
    ANSWER_INSTITUTION,
    ANSWER_FOREIGN_INSTITUTION,
    ANSWER_DATE,
    ANSWER_IDENTIFIER,
    ANSWER_INSURER,
    ANSWER_SYMBOL,
    ANSWER_NUMBER,
    ANSWER_BRANCH,
    ANSWER_BIRTHDATE,
    ANSWER_CONSENT,
    ANSWER_ARBITRARY,
    ANSWER_PRESCRIPTION,
    ANSWER_CERTIFICATE,
    ANSWER_CERTIFICATE_ISSUER,
    ANSWER_CERTIFICATE_UNKNOWN,
    ANSWER_CERTIFICATE_EXPIRED,
    ANSWER_CERTIFICATE_REVOKED,
    ANSWER_METHOD,
    ANSWER_STATEMENT,
    ANSWER_SIGNATURE,
    ANSWER_STATEMENT_INSTITUTION,
    ANSWER_STATEMENT_TIME,
    ANSWER_STATEMENT_NONCE,
    ANSWER_NOT_REGISTERED,
    ANSWER_INSURER_MISSING,
    ANSWER_NOTICE_EXPIRES,
    ANSWER_NOTICE_GRACE,
    ANSWER_NOTICE_ALREADY,
};

/* ReferenceClassification, CD002. */
#define ANSWER_BY_CARD "1"
#define ANSWER_BY_NUMBERS "2"

/*
 * Checks XmlMsg/MessageHeader and that MessageBody has the object named part. On failure the reply
 * is a whole-request failure and NULL comes back; else the object, borrowed.
 */
json_t *answer_check_request(const struct service *service, const struct request *request,
                             const char *part, const char *reference, struct reply *reply);

/* The whole request failed: SegmentOfResult 9. */
void answer_fail_segment(const struct service *service, const struct request *request,
                         const char *reference, const char *code, const char *message,
                         struct reply *reply);

/* SegmentOfResult 2, no body: ask again. */
void answer_pending(const struct service *service, const struct request *request,
                    const char *reference, struct reply *reply);

/* The body says error: ProcessingResultStatus 2. echo: search info to echo, or NULL. */
void answer_fail_processing(const struct service *service, const struct request *request,
                            const char *reference, const char *code, const char *message,
                            json_t *echo, struct reply *reply);

/* The same with a code of the table. */
void answer_fail(const struct service *service, const struct request *request,
                 const char *reference, enum answer_code code, json_t *echo, struct reply *reply);

/*
 * Success: makes header and MessageBody with ProcessingResultStatus 1, sets it as the reply, and
 * returns MessageBody (borrowed) to be filled.
 */
json_t *answer_succeed(const struct service *service, const struct request *request,
                       const char *reference, struct reply *reply);

/* Adds a notice to a successful body: a code of the table. */
void answer_add_notice(json_t *body, enum answer_code code);

/* What of a person's data goes into an answer. */
struct answer_choice {
    bool limit;             /* 限度額 wanted and agreed to */
    bool diseases;          /* 特定疾病 agreed to */
    const json_t *consents; /* element name -> "0".."3" of a card session, or NULL */
    time_t consent_time;
    long consent_seconds; /* as the service has it */
    const json_t *echo;   /* the search info, or NULL */
};

/* Fills QualificationValidity, ResultList and the person's own notice. person: one match or more. */
void answer_add_people(const struct service *service, const struct request *request,
                       const struct person *const *person, size_t count,
                       const struct answer_choice *choice, json_t *body, struct reply *reply);

/* True when value is one of the consent flags of CD016. */
bool answer_is_consent(const char *value);

/* The institution and confirmation date of a request that answer_check_request let pass. */
const char *answer_institution(const struct request *request);
const char *answer_confirmation_date(const struct request *request);

#endif
