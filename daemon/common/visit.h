/*
 * visit: the vocabulary that desk, web and command share. The rows stand in visit.def.
 */
#ifndef UKETSUKE_VISIT_H
#define UKETSUKE_VISIT_H

#include <stdint.h>

#define LIST_PAGE 256 /* rows of a list in one answer; a peer's queue (ipc.c) holds 512 packets */

enum visit_state {
#define VISIT_STATE(name, text, meaning) VISIT_##name,
#include "visit.def"
#undef VISIT_STATE
    VISIT_STATE_COUNT
};

enum visit_method {
#define VISIT_METHOD(name, text) METHOD_##name,
#include "visit.def"
#undef VISIT_METHOD
    VISIT_METHOD_COUNT
};

enum visit_outcome {
#define VISIT_OUTCOME(name, text, meaning) OUTCOME_##name,
#include "visit.def"
#undef VISIT_OUTCOME
    VISIT_OUTCOME_COUNT
};

enum visit_action {
    ACTION_NONE,
#define VISIT_ACTION(name, text, who) ACTION_##name,
#include "visit.def"
#undef VISIT_ACTION
    VISIT_ACTION_COUNT
};

/* Who the patient is in the clinic's books (visit_item.match). */
enum visit_match {
#define VISIT_MATCH(name, text, meaning) MATCH_##name,
#include "visit.def"
#undef VISIT_MATCH
    VISIT_MATCH_COUNT
};

/* Which view of patients' data stands in the audit log; view.view is one of the first two. */
enum view_kind {
    VIEW_BOARD = 1, /* the lanes, the day's visits and what comes to them from then on */
    VIEW_LANES,
    VIEW_VISITS,
    VIEW_VISIT,
    VIEW_SLIPS,
    VIEW_SLIP,
    VIEW_OUTBOX,
    VIEW_AUDIT, /* the log itself */
    VIEW_KIND_COUNT
};

/* patient_link.what */
enum patient_link {
    PATIENT_IS = 1,     /* this is the patient of that number: remembered */
    PATIENT_IS_NOT = 2, /* this is somebody else: remembered too */
};

/* So many days ahead the list of a pre-check may be about: appointments are given for some three months. */
#define PRECHECK_AHEAD 92

/* prechecked.result */
enum precheck_result {
    PRECHECK_VALID,
    PRECHECK_INVALID,
    PRECHECK_UNKNOWN, /* the service makes no statement: staff look */
    PRECHECK_WRONG,   /* the row itself: `field` */
    PRECHECK_LATER,   /* not asked, or not answered: the same row again later */
};

enum slip_kind {
#define SLIP_KIND(name, text, meaning) SLIP_##name,
#include "visit.def"
#undef SLIP_KIND
    SLIP_KIND_COUNT
};

enum slip_state {
#define SLIP_STATE(name, text, meaning) SLIP_STATE_##name,
#include "visit.def"
#undef SLIP_STATE
    SLIP_STATE_COUNT
};

/* slip_file.consent: how consent was given where there was no screen to give it on. */
enum slip_consent {
    SLIP_CONSENT_NOT_ASKED,
    SLIP_CONSENT_ORAL,
    SLIP_CONSENT_UNABLE, /* the patient could not answer */
    SLIP_CONSENT_COUNT
};

/* slip_amend.what */
enum slip_amend {
    SLIP_AMEND_NUMBERS = 1, /* these numbers are the patient's: ask with them */
    SLIP_AMEND_SETTLE = 2,  /* staff ended it by other means, said in `note` */
};

/* disaster_set.cause, disaster_state.cause; 0: the mode is off */
enum disaster_cause {
    DISASTER_OFF,
    DISASTER_MINISTRY, /* opened by the ministry for an area and a time */
    DISASTER_OUTAGE,   /* opened by the call centre: the service is out of order */
    DISASTER_CAUSE_COUNT
};

/* card_identified.pin_tries, lane_state.pin_tries and the like: what is left, or one of these. */
#define VISIT_TRIES_NO_KEY 254u
#define VISIT_TRIES_UNKNOWN 255u

/* lane_state.institution_kind, in the order of the setting institution-kind. */
enum institution_kind {
    INSTITUTION_CLINIC,
    INSTITUTION_HOSPITAL,
    INSTITUTION_PHARMACY,
    INSTITUTION_DENTAL
};

/* What the lane may be asked now (lane_state.offers): one bit an action. */
#define VISIT_OFFER(action) (UINT32_C(1) << (action))

/* Consents, asked one by one at the kiosk (lane_action.consents, visit_item.consents). */
enum consent_bit {
    CONSENT_LIMIT = 1 << 0,     /* LimitApplicationCertificateRelatedConsFlg */
    CONSENT_DRUGS = 1 << 1,     /* PharmacistsInfoConsFlg */
    CONSENT_CHECKUP = 1 << 2,   /* SpecificHealthCheckupsInfoConsFlg */
    CONSENT_DIAGNOSIS = 1 << 3, /* DiagnosisInfoConsFlg */
    CONSENT_OPERATION = 1 << 4, /* OperationInfoConsFlg */
    CONSENT_DISEASE = 1 << 5,   /* SpecificDiseasesCertificateRelatedConsFlg */
    CONSENT_ALL = (1 << 6) - 1,
};

/* Genuineness of a card, in two parts that are never folded (record signature; challenge to the chip). */
enum genuine {
    GENUINE_NOT_CHECKED, /* not asked, or no issuer keys configured */
    GENUINE_YES,
    GENUINE_NO,
};

/* Liveness: "not checked" is neither passed nor failed. */
enum liveness {
    LIVENESS_NOT_CHECKED,
    LIVENESS_PASSED,
    LIVENESS_FAILED,
};

/* visit_item.flags */
enum visit_flag {
    VISIT_FLAG_LOOK = 1 << 0,        /* staff are asked to look at the person */
    VISIT_FLAG_CACHED = 1 << 1,      /* today's answer was served from the cache */
    VISIT_FLAG_LAST_KNOWN = 1 << 2,  /* an older answer is shown */
    VISIT_FLAG_NOTICE = 1 << 3,      /* the answer carries a notice */
    VISIT_FLAG_MASKED_NAME = 1 << 4, /* the name has a ● */
    VISIT_FLAG_UNCHECKED = 1 << 5,   /* genuineness could not be checked */
    VISIT_FLAG_RESUMED = 1 << 6,     /* the desk was restarted in the middle */
    VISIT_FLAG_NO_CARD = 1 << 7,     /* opened by staff, without a lane's reader */
    VISIT_FLAG_SLIP = 1 << 8,        /* there is a slip: the service is asked later */
    VISIT_FLAG_RECONCILED = 1 << 9,  /* and it said the same */
    VISIT_FLAG_DIFFERENT = 1 << 10,  /* and it said something else */
    VISIT_FLAG_AGAIN = 1 << 11,    /* the same card was here minutes ago, or lies on another lane */
    VISIT_FLAG_PROXY = 1 << 12,    /* somebody else came for the patient */
    VISIT_FLAG_DISASTER = 1 << 13, /* opened under disaster mode */
    VISIT_FLAG_WHO = 1 << 14,      /* staff decide which of the clinic's patients this is */
    VISIT_FLAG_CHANGED = 1 << 15,  /* the answer says something else than last time */
    VISIT_FLAG_LATE = 1 << 16,     /* the answer came after its visit was over */
    VISIT_FLAG_LAST_MONTH = 1 << 17, /* the older answer that is shown is of an earlier month */
    VISIT_FLAG_HANDOVER =
        1 << 18, /* something of it was not, or perhaps not, handed over: staff decide */
    VISIT_FLAG_CARD_ENDS = 1 << 19,  /* the certificate of the card ends within three months */
    VISIT_FLAG_CARD_ENDED = 1 << 20, /* or has ended */
    VISIT_FLAG_SUBSIDY = 1 << 21, /* 医療費助成 (PMH): the answer does not tell, the paper does */
};

struct visit_bit {
    uint32_t bit;
    const char *name;
};
/* Each consent by the name that it has in the configuration and at the kiosk's pages. */
#define VISIT_CONSENTS 6
extern const struct visit_bit visit_consents[VISIT_CONSENTS];
/* 0 if there is no such consent. */
uint32_t visit_consent_of(const char *name);

/* Names as text; "?" for a value out of range. */
const char *visit_state_name(unsigned state);
const char *visit_method_name(unsigned method);
const char *visit_outcome_name(unsigned outcome);
const char *visit_action_name(unsigned action);
const char *visit_match_name(unsigned match);
/* "K", "B" or "KB": who may ask for it. */
const char *visit_action_who(unsigned action);
/* ACTION_NONE if there is no such action. */
enum visit_action visit_action_of(const char *name);
const char *visit_slip_kind_name(unsigned kind);
const char *visit_slip_state_name(unsigned state);
/* SLIP_NONE if there is no such kind. */
enum slip_kind visit_slip_kind_of(const char *name);

#endif
