/*
 * question: builds the trees that the desk asks an upstream with (ELIGIBILITY_ASK).
 *
 * Every question is an XmlMsg tree in the shape of the eligibility message, so that the relay
 * translates and never interprets:
 *
 *   XmlMsg
 *     MessageHeader      QualificationConfirmationDate (yyyymmdd), MedicalInstitutionCode (10
 * digits), ArbitraryFileIdentifier (at most 50 visible characters, comes back in the answer)
 *     MessageBody
 *       QualificationConfirmSearchInfo   UPSTREAM_BY_NUMBERS: InsurerNumber (8, blanks in front),
 *                        InsuredCardSymbol?, InsuredIdentificationNumber, InsuredBranchNumber?,
 * Birthdate, LimitApplicationCertificateRelatedConsFlg, ArbitraryIdentifier? or CardSession
 * UPSTREAM_CARD_SESSION (extension): UserCertificate (base64 of DER), Method (face | pin | visual),
 * SignedStatement?, Signature? (base64), Consents (one flag 0 or 1 for each consent asked, by its
 * name in the message) or CardRegistration  UPSTREAM_REGISTER (extension): UserCertificate, Method,
 * SignedStatement?, Signature? or ConsentChange   UPSTREAM_CONSENTS (extension): as CardSession; a
 * consent not asked stays as it was
 *
 * The last three exist in the simulated service only: how they travel in the real one is not
 * public. All functions return a tree that the caller frees with xmlmsg_free(), NULL when out of
 * memory or when a text is no UTF-8. The form of numbers and dates is the caller's duty (it tells
 * the user which field is wrong).
 */
#ifndef UKETSUKE_QUESTION_H
#define UKETSUKE_QUESTION_H

#include "xmlmsg.h"

struct question_header {
    const char *institution; /* 10 digits */
    const char *date;        /* yyyymmdd: the day for which the entitlement is asked */
    const char *correlation; /* the same text as eligibility_ask.correlation */
};

struct question_numbers {
    const char *insurer; /* digits; padded here to 8 with blanks in front */
    const char *symbol;  /* NULL or "": none (75 and over) */
    const char *number;
    const char *branch;     /* NULL or "": none */
    const char *birth;      /* yyyymmdd */
    const char *identifier; /* ArbitraryIdentifier, NULL or "": none */
    bool limit_consent;
};

struct question_card {
    const uint8_t *certificate; /* DER */
    size_t certificate_len;
    const char *method;       /* "face", "pin", "visual" */
    const uint8_t *statement; /* what the reader composed and the card signed; len 0: none */
    size_t statement_len;
    const uint8_t *signature;
    size_t signature_len;
    uint32_t consents_asked; /* enum consent_bit */
    uint32_t consents;       /* those of them that were given */
};

struct xmlmsg *question_by_numbers(const struct question_header *header,
                                   const struct question_numbers *numbers);
struct xmlmsg *question_card_session(const struct question_header *header,
                                     const struct question_card *card);
struct xmlmsg *question_consents(const struct question_header *header,
                                 const struct question_card *card);
/* The consents of `card` are not used. Its answer has MessageBody/RegistrationOutcome: accepted,
 * already or refused. */
struct xmlmsg *question_register(const struct question_header *header,
                                 const struct question_card *card);

/* The element below MessageBody that a question of this kind must have; NULL: a kind without one.
 */
const char *question_part(uint8_t kind);

#endif
