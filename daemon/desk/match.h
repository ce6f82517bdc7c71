/*
 * match: who the person of an answer is in the clinic's own books, and what the answer says otherwise than last time.
 *
 * The clinic's number of a patient is found by the card linked before, else by the 照会番号 in the answer, else by
 * certificate numbers and birth date, else by an alias that staff once decided; a likeness of names alone, or anything
 * that contradicts itself, is only proposed: staff decide once, and that is remembered. Branch numbers keep twins apart.
 * The book holds what was last said of each patient (person.h): the next answer is compared with it, and then takes its
 * place, if it is usable and not older. Before a patient has a number, the last answer about the same card or the same
 * numbers is what is compared with.
 */
#ifndef UKETSUKE_DESK_MATCH_H
#define UKETSUKE_DESK_MATCH_H

#include "desk.h"

struct xmlmsg;

struct match_answer {
    const struct xmlmsg *tree;
    const char *date; /* the day it is about, YYYYMMDD */
    bool usable;
    bool
        fresh; /* told just now: compared and kept; else only who it is is looked up, but for what the book lacks yet */
    bool aside; /* compared, but the book keeps what it has */
    struct store_subject
        subject; /* whom the cache knows it as; len 0: it serves as last known only */
};

/*
 * Inside a step, before the answer is stored: sets match, patient, alias, candidates, since, changes and their flags.
 * What staff decided for this visit stays. 0 or negative errno.
 */
int match_take(struct desk *desk, struct store_visit *record, const struct match_answer *answer);
/* The same of an answer as the store has it (or will). */
int match_stored(struct desk *desk, struct store_visit *record, const struct store_answer *stored,
                 bool usable, bool fresh, struct store_subject subject);

/*
 * The same of an answer to a row of the clinic's own list (precheck.h): compared only. `number`, `name`: as the list has
 * them, "" for none; a number that the book does not know is taken over when the names agree and the answer is usable.
 */
int match_listed(struct desk *desk, struct store_visit *record, const struct store_answer *stored,
                 struct store_subject subject, const char *number, const char *name);

/* PATIENT_LINK of board and command; also after the visit is closed. */
void match_link(struct desk *desk, const struct msg_patient_link *entry,
                struct msg_action_result *out);

#endif
