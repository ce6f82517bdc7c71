/*
 * outbox: the vocabulary of what is handed over to others, shared by desk, carrier, web and
 * command. The rows stand in outbox.def.
 */
#ifndef UKETSUKE_OUTBOX_H
#define UKETSUKE_OUTBOX_H

enum outbox_kind {
#define OUTBOX_KIND(name, text, delivery, meaning) OUTBOX_##name,
#include "outbox.def"
#undef OUTBOX_KIND
    OUTBOX_KIND_COUNT
};

enum outbox_state {
#define OUTBOX_STATE(name, text, meaning) OUTBOX_##name,
#include "outbox.def"
#undef OUTBOX_STATE
    OUTBOX_STATE_COUNT
};

enum outbox_cause {
#define OUTBOX_CAUSE(name, text, meaning) OUTBOX_##name,
#include "outbox.def"
#undef OUTBOX_CAUSE
    OUTBOX_LINKED = 16 /* and the numbers after it */
};

/* How often the same thing may arrive. */
enum outbox_delivery {
    OUTBOX_EXACTLY,    /* once, whatever happens between */
    OUTBOX_LEAST,      /* at least once: sent again after doubt, under the same id */
    OUTBOX_NOT_RESENT, /* never sent again by itself after doubt */
};

/* handover_give.step */
enum handover_step {
    HANDOVER_STAGE = 1,  /* a file: written whole into the work folder, not yet where others look */
    HANDOVER_COMMIT = 2, /* and moved to where they do */
    HANDOVER_SEND = 3,   /* HTTP */
    HANDOVER_DISCARD =
        4, /* a document that is staged is taken away again: the consent to it has ended */
};

/* handover_result.outcome */
enum handover_outcome {
    HANDOVER_DONE,     /* it is there */
    HANDOVER_NOT_SENT, /* certainly not: the same may be given again */
    HANDOVER_DOUBTFUL,
    HANDOVER_REFUSED, /* certainly not, and the same would be refused again */
    HANDOVER_STAGED,
    HANDOVER_OUTCOME_COUNT
};

/* outbox_decide.what */
enum outbox_decision { OUTBOX_RESEND = 1, OUTBOX_ARRIVED = 2 };

/* "?" for a value out of range. Causes from OUTBOX_LINKED on are "linked". */
const char *outbox_cause_name(unsigned cause);
const char *outbox_kind_name(unsigned kind);
const char *outbox_state_name(unsigned state);
/* OUTBOX_NOT_RESENT for a kind out of range. */
enum outbox_delivery outbox_delivery(unsigned kind);

#endif
