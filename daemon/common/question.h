/*
 * question: builds the trees that the desk asks an upstream with (ELIGIBILITY_ASK).
 *
 * Every question is an XmlMsg tree in the shape of the eligibility message, so that the relay
 * translates and never interprets:
 *
 *   XmlMsg
 *     MessageHeader      QualificationConfirmationDate (yyyymmdd), MedicalInstitutionCode (10
 *                        digits), ArbitraryFileIdentifier (at most 50 visible characters, comes
 *                        back in the answer)
 *     MessageBody
 *       QualificationConfirmSearchInfo   UPSTREAM_BY_NUMBERS: InsurerNumber (8, blanks in front),
 *                        InsuredCardSymbol?, InsuredIdentificationNumber, InsuredBranchNumber?,
 *                        Birthdate, LimitApplicationCertificateRelatedConsFlg,
 *                        ArbitraryIdentifier?
 *     or CardSession     UPSTREAM_CARD_SESSION (extension): UserCertificate (base64 of DER), Method
 *                        (face | pin | visual), SignedStatement?, Signature? (base64), Consents
 *                        (one flag 0 or 1 for each consent asked, by its name in the message)
 *     or CardRegistration  UPSTREAM_REGISTER (extension): UserCertificate, Method,
 *                        SignedStatement?, Signature?
 *     or ConsentChange   UPSTREAM_CONSENTS (extension): as CardSession; a consent not asked stays
 *                        as it was
 *     or ReferenceNumberRegistrationInfo   UPSTREAM_REFERENCE_NUMBER: ReferenceNumber, then the
 *                        numbers without birth date; the same and QualificationConfirmSearchInfo
 *                        repeat for UPSTREAM_REFERENCE_BULK and UPSTREAM_BULK
 *     or MedicalTreatmentMonth   UPSTREAM_TICKETS
 *     or StartDate?, EndDate?, FileCategory, PrDiInfClassification, MedicalTreatmentFlag
 *                        UPSTREAM_DRUGS and UPSTREAM_CHECKUP, whose header has the numbers, under
 *                        names of its own
 *
 * The three about a card exist in the simulated service only: how they travel in the real one is
 * not public. All functions return a tree that the caller frees with xmlmsg_free(), NULL when out
 * of memory or when a text is no UTF-8. The form of numbers and dates is the caller's duty (it
 * tells the user which field is wrong).
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

/* 照会番号登録: `reference` (at most 50 characters, usually the clinic's own patient number) for
 * these numbers; birth date and consent are not part of it. */
struct question_reference {
    const char *reference;
    const struct question_numbers *numbers;
};
struct xmlmsg *question_reference_number(const struct question_header *header,
                                         const struct question_reference *reference);
/* Many at once. Each should have an ArbitraryIdentifier of its own, which comes back with its
 * answer. */
struct xmlmsg *question_bulk(const struct question_header *header,
                             const struct question_numbers *numbers, size_t count);
struct xmlmsg *question_reference_bulk(const struct question_header *header,
                                       const struct question_reference *references, size_t count);
/* 医療扶助: the tickets of a month (yyyymm). */
struct xmlmsg *question_tickets(const struct question_header *header, const char *month);

/* What the consent to a document says: its flag (CD016) as answered and the end of it in seconds
 * since 1970. */
struct question_consent {
    const char *flag;
    int64_t available_until;
};
/*
 * Drugs and treatment (YZK, with the days asked for) or the check-up (TKK, start and end NULL), as
 * XML. NULL also when the consent is not live at `now`: nothing is ever asked without one. The end
 * goes into eligibility_ask.until.
 */
struct xmlmsg *question_drugs(const struct question_header *header,
                              const struct question_numbers *numbers,
                              const struct question_consent *consent, int64_t now,
                              const char *start, const char *end);
struct xmlmsg *question_checkup(const struct question_header *header,
                                const struct question_numbers *numbers,
                                const struct question_consent *consent, int64_t now);

/* The element below MessageBody that a question of this kind must have; NULL: a kind without one.
 */
const char *question_part(uint8_t kind);

#endif
