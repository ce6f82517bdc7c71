/*
 * outbox: what the desk hands over to others: face files for the receipt computer, web hooks, ORCA,
 * 照会番号登録.
 *
 * Entries are written in the transaction of the step that causes them, and carried out by other
 * programs: an output's carrier (uketsuke-relay for [output NAME]) or the relay of an upstream. The
 * desk decides only what may be sent (again):
 *
 *   face file        WAITING -> the carrier stages the file (whole, in its work folder) ->
 *                    SENT_MAYBE with the carrier's mark -> the carrier moves it -> DONE. After any
 *                    crash the move is ordered again: as long as the staged file is there it was
 *                    not moved, and when it is gone it was. So it appears exactly once, even if the
 *                    receipt computer takes it away at once.
 *   document         the same, but what is staged is asked for first (outbox_document.c).
 *   hook             WAITING -> SENT_MAYBE -> DONE; sent again with its id until it is taken: at
 *                    least once. Given up after a time: DOUBTFUL when a try may have arrived, else
 *                    REFUSED.
 *   ORCA, reference  WAITING -> SENT_MAYBE -> DONE, REFUSED, back to WAITING (certainly not sent),
 *                    or DOUBTFUL. After a crash SENT_MAYBE is DOUBTFUL.
 *
 * What is doubtful is never sent again but by somebody's word.
 *
 * One thing at a time for each target, oldest first; what fails waits longer each time.
 */
#ifndef UKETSUKE_DESK_OUTBOX_H
#define UKETSUKE_DESK_OUTBOX_H

#include "../store/outbox.h"
#include "desk.h"

#define OUTBOX_OUTPUTS_MAX CONFIG_OUTPUTS_MAX

struct outbox;

struct outbox_output {
    char name[33];
    uint8_t kind;        /* enum outbox_kind: FACE_FILE, HOOK, ORCA or DOCUMENT */
    bool details;        /* a hook tells the patient too */
    uint64_t give_up_us; /* hooks */
    uint64_t seconds_us; /* for one attempt */
    unsigned months;     /* documents: how far back */
};

int outbox_new(struct outbox **out, struct desk *desk);
void outbox_free(struct outbox **outbox);
/* Index, or negative: too many, or a name that there is. Outputs first, then outbox_resume(). */
int outbox_add_output(struct desk *desk, const struct outbox_output *output);
const struct outbox_output *outbox_output(const struct desk *desk, unsigned index);
unsigned outbox_outputs(const struct desk *desk);
/* 照会番号登録 in the background; `bulk`: so many waiting go as one (0: never). */
void outbox_references(struct desk *desk, bool on, unsigned bulk);

/* What an earlier run of the desk left. */
int outbox_resume(struct desk *desk);
/* Look what can go now. Call after a commit that may have added something. */
void outbox_wake(struct desk *desk);
/* The same, but from the event loop. */
void outbox_wake_soon(struct desk *desk);

/* Within the step's transaction (outbox_make.c): entries for each output that this outcome
 * concerns. */
int outbox_visit_over(struct desk *desk, const struct store_visit *record, enum outbox_cause cause);
/*
 * Within a transaction (outbox_patient.c): the visit's patient has this number in the clinic's books (record->patient),
 * found or, with `anew`, decided by staff now. Its registration is queued unless the service has said that number
 * itself; and ORCA is told where it was waiting for it. outbox_visit_over() does it too.
 */
int outbox_patient_known(struct desk *desk, const struct store_visit *record, bool anew);
/* Staff say what becomes of what is doubtful or refused. */
void outbox_decide(struct desk *desk, const struct msg_outbox_decide *entry,
                   struct msg_action_result *out);

/* ---- from the carriers and relays */
void outbox_carrier_up(struct desk *desk, unsigned index);
void outbox_carrier_down(struct desk *desk, unsigned index);
bool outbox_carrier_message(struct desk *desk, unsigned index, const struct message *message);
void outbox_relay_changed(struct desk *desk, unsigned upstream);
void outbox_relay_down(struct desk *desk, unsigned upstream);
/* True: it answered a registration of the outbox. */
bool outbox_relay_answer(struct desk *desk, unsigned upstream, const struct message *message);
/* True: it brought a document that the outbox had asked for (outbox_document.c). */
bool outbox_document_answer(struct desk *desk, unsigned upstream, const struct message *message);
/* The same for an answer that came late; true: it is kept, and the relay need not tell it again. */
bool outbox_relay_late(struct desk *desk, const struct message *message);

/* ---- for board, command and metrics */
/* `patient`: "" when not known. */
void outbox_item(const struct store_outbox *entry, const char *patient, uint32_t request,
                 struct msg_outbox_item *out);
/* The carrier of an output is connected and can work now; *failure says why not. */
bool outbox_output_good(const struct desk *desk, unsigned index, uint16_t *failure);
/* Messages of web and command that concern the outbox; false: it is none of them. */
struct ipc;
bool outbox_message(struct desk *desk, struct ipc *ipc, const struct message *message);

#endif
