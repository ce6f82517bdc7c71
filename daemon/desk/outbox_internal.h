/* outbox_internal: what the files outbox*.c share; nobody else includes it. */
#ifndef UKETSUKE_DESK_OUTBOX_INTERNAL_H
#define UKETSUKE_DESK_OUTBOX_INTERNAL_H

#include "outbox.h"

#define OUTBOX_TARGETS_MAX (OUTBOX_OUTPUTS_MAX + DESK_UPSTREAMS_MAX)
#define OUTBOX_GROUP_MAX 200
#define OUTBOX_BREAKER_OPEN 2
#define OUTBOX_STEP_ASK 0 /* flight.step of a document that is asked for; else enum handover_step */
/* Above every number that a question of a visit has: registrations are asked under their own. */
#define OUTBOX_REQUEST (UINT64_C(1) << 62)

/* What is on its way to one target. */
struct flight {
    uint64_t entry;   /* 0: nothing */
    uint32_t attempt; /* of this run of the desk: tells an answer from that of an earlier attempt */
    uint8_t step;     /* enum handover_step, or OUTBOX_STEP_ASK */
    unsigned upstream; /* that was asked */
    uint16_t why; /* a document is discarded for this, and not for its consent; else FAILURE_NONE */
    char detail[129];
    unsigned n; /* of a bulk registration */
    uint64_t group[OUTBOX_GROUP_MAX];
};

struct target {
    struct outbox *outbox;
    struct outbox_output output;
    bool reference; /* the relay of upstream `index`; else the carrier of output `index` */
    unsigned index;
    bool up;
    uint8_t breaker;
    uint16_t failure;
    struct flight flight;
    struct timer *timer; /* the next look, or how long an answer is waited for */
    uint64_t not_before_us;
    unsigned failures; /* in a row */
    bool quiet;        /* several ends at once: the next look comes after them */
};

struct outbox {
    struct desk *desk;
    struct target targets[OUTBOX_TARGETS_MAX];
    unsigned noutputs, ntargets;
    bool references;
    unsigned bulk;
    uint32_t attempts;
};

/* outbox.c */
void outbox_look(struct target *target);
/* The end of one try: stores it, shows it, looks for the next. `entry` is loaded anew. */
struct outbox_end {
    uint8_t outcome; /* enum handover_outcome */
    uint16_t failure;
    const char *detail;
    const char *mark;
};
void outbox_ended(struct target *target, uint64_t id, const struct outbox_end *end);
/* Before it goes out: SENT_MAYBE and one try more, on the disk. */
int outbox_begin(struct target *target, struct store_outbox *entry);
/* Sends the entry's state to boards, and marks its visit when staff are wanted. */
void outbox_publish(struct desk *desk, const struct store_outbox *entry);
/* Within a transaction: the visit's flag says whether something of it waits for staff. */
int outbox_flag_visit(struct desk *desk, const struct store_outbox *entry);
void outbox_land(struct target *target); /* nothing is on its way any more */
/* To the carrier: a step without data, or an answer's two forms. */
void outbox_give_step(struct target *target, const struct store_outbox *entry, uint8_t step);
void outbox_give_data(struct target *target, const struct store_outbox *entry, uint8_t step,
                      const struct store_answer *data);

/* outbox_reference.c: what the relay of an upstream carries */
void outbox_send_references(struct target *target, struct store_outbox *entry);

/* outbox_document.c */
const char *outbox_document_prefix(uint8_t cause);
/* Within a transaction: an entry for each document that the visit's answer allows to be asked for. */
int outbox_documents_of(struct desk *desk, const struct outbox_output *output,
                        const struct store_visit *record);
void outbox_send_document(struct target *target, const struct store_outbox *entry);
/* The relay of that upstream is gone, or is there (again). */
void outbox_document_relay(struct desk *desk, unsigned upstream, bool lost);

/* outbox_patient.c: the numbers of the answer, else those that the card was linked to; insurer "" when there are none. */
int outbox_numbers_of(struct desk *desk, const struct store_visit *record,
                      struct store_numbers *out);

/* outbox_make.c */
int outbox_new_name(struct desk *desk, struct store_outbox *entry);
/* -EEXIST is no error: it is there already. */
int outbox_add_for(struct desk *desk, const struct outbox_output *output,
                   const struct store_visit *record, enum outbox_cause cause);

#endif
