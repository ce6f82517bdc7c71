/*
 * decide: what an answer means. Pure: a canonical tree in, a decision out.
 *
 * Three levels are kept apart and never folded: SegmentOfResult (the whole message), ProcessingResultStatus
 * (this request), QualificationValidity (the entitlement). Usable is: 1, 1, 1 (or 6, 医療扶助 with a ticket not
 * registered yet, with a notice), and exactly one result. A code beside status 1 is a notice, no failure.
 * Codes of the lists are those of 別紙5-1 as quoted by public code; unknown ones are kept and shown.
 */
#ifndef UKETSUKE_DESK_DECIDE_H
#define UKETSUKE_DESK_DECIDE_H

#include "../store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct xmlmsg;

enum decide_result {
    DECIDE_USABLE,         /* the entitlement is valid */
    DECIDE_NOT_USABLE,     /* the service says: lost, or none */
    DECIDE_UNKNOWN,        /* no statement about the entitlement can be made from this */
    DECIDE_PENDING,        /* SegmentOfResult 2: ask again */
    DECIDE_NOT_REGISTERED, /* the card is not registered as insurance card yet */
    DECIDE_REGISTERED,     /* a registration was accepted (or stood already) */
};

struct decide_expect {
    const char *institution; /* must be the answer's, when the answer names one; NULL: any */
    const char *birth;       /* signed DF22 of the card; NULL: not to be compared */
    const char *sex;         /* signed DF23, ISO 5218 */
    const char *ticket;      /* TicketType (CD018) that 医療扶助 needs here; NULL: any */
    /* The element that tells about 医療費助成, "": none does; NULL: of no interest. */
    const char *subsidy;
};

struct decision {
    enum decide_result result;
    uint16_t failure;  /* why it is not usable, or the notice; FAILURE_NONE */
    bool notice;       /* a code or a message beside status 1 */
    bool masked;       /* ● in the name */
    bool other_person; /* birth date or sex are not those of the card */
    /* Usable, and nothing is said about 医療費助成: no consent and no entitlement look the same, so it is never "none". */
    bool subsidy_unknown;
    char validity[3];
    char ratio[4];       /* percent, three digits, "" when not said */
    char limit_class[4]; /* CD012 */
    char notice_text[201];
    struct store_person person;
    int64_t available_until_us; /* the earliest AvailableTime of consented parts; 0 none */
};

void decide(const struct xmlmsg *tree, const struct decide_expect *expect, struct decision *out);

/* A time of the message (yyyyMMddHHmmss, Japan's) in microseconds since 1970; 0 when it is none. */
int64_t decide_time_us(const char *text);

#endif
