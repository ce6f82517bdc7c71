/* Who a patient is by somebody's word: staff decide, or the clinic's own list says so. */
#include "match_internal.h"

#include "action.h"
#include "names.h"
#include "outbox.h"
#include "visit.h"

#include "../common/log.h"
#include "../common/utf8.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The clinic's number as staff key it in: one width, no blanks; what is left must be something. */
static bool take_number(const char *text, char out[51])
{
    char folded[52];
    const char *end;

    names_fold_code(text, folded, sizeof(folded));
    if (folded[0] == '\0' || strlen(folded) > 50)
        return false;
    end = folded + strlen(folded);
    for (const char *at = folded; at < end;) {
        uint32_t c = utf8_next(&at, end);

        if (c == UINT32_MAX || (c >= 0x7f && c < 0xa0))
            return false;
    }
    memcpy(out, folded, strlen(folded) + 1);
    return true;
}

int match_listed(struct desk *desk, struct store_visit *record, const struct store_answer *stored,
                 struct store_subject subject, const char *number, const char *name)
{
    struct match_answer answer = {.date = stored->date,
                                  .usable = stored->usable != 0,
                                  .fresh = true,
                                  .aside = true,
                                  .subject = subject};
    enum names_likeness like = names_compare(name, record->person.name);
    struct store_patient patient = {0};
    struct xmlmsg *tree = NULL;
    char folded[51];
    int r = xmlmsg_unpack(&tree, stored->tree, stored->tree_len);

    if (r == 0 && number[0] != '\0' && take_number(number, folded) && like != NAMES_OTHER) {
        r = store_patient_by_number(desk->store, folded, &patient);
        if (r == -ENOENT && answer.usable)
            r = match_new_patient(desk, folded, &patient);
        if (r == 0 && patient.id != 0) {
            record->match = MATCH_STAFF; /* the clinic's own list says so */
            (void)MESSAGE_TEXT(record->patient, folded);
        }
        store_patient_free(&patient);
        r = r == -ENOENT ? 0 : r;
    }
    answer.tree = tree;
    if (r == 0)
        r = match_take(desk, record, &answer);
    xmlmsg_free(&tree);
    return r;
}

/* ---- staff ----------------------------------------------------------------------------------- */

/* What the visit says of its person: the answer's words, else what else is known. */
static int person_of(struct desk *desk, const struct store_visit *record, struct person *out,
                     char date[9], bool *usable)
{
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;
    bool told = false;
    int r = 0;

    memset(out, 0, sizeof(*out));
    date[0] = '\0';
    *usable = false;
    if (record->answer != 0)
        r = store_answer_load(desk->store, record->answer, &answer);
    if (r == 0 && answer.tree != NULL && xmlmsg_unpack(&tree, answer.tree, answer.tree_len) == 0 &&
        person_take(out, tree)) {
        told = true;
        memcpy(date, answer.date, sizeof(answer.date));
        *usable = answer.usable != 0;
    }
    if (!told) {
        (void)MESSAGE_TEXT(out->text[PERSON_NAME], record->person.name);
        (void)MESSAGE_TEXT(out->text[PERSON_KANA], record->person.kana);
        (void)MESSAGE_TEXT(out->text[PERSON_BIRTH], record->person.birth);
        (void)MESSAGE_TEXT(out->text[PERSON_SEX], record->person.sex);
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

/* A patient that this person is not after all: found by nothing of this visit any more, and what it
 * may have been given from there is forgotten, so that the next answer is compared with nothing
 * wrong. */
static int let_go(struct desk *desk, const struct store_visit *record, const struct person *now,
                  const char *number)
{
    struct store_patient patient;
    struct match_key key;
    int r = store_patient_by_number(desk->store, number, &patient);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (match_numbers_key(now, &key))
        r = store_patient_unkey(desk->store, PATIENT_KEY_NUMBERS, match_subject(&key), patient.id);
    if (r == 0 && match_alias_key(now, &key))
        r = store_patient_unkey(desk->store, PATIENT_KEY_ALIAS, match_subject(&key), patient.id);
    if (r == 0 && record->has_subject)
        r = store_patient_unkey(desk->store, PATIENT_KEY_CARD, match_card(record), patient.id);
    if (r == 0 && strcmp(record->patient, number) == 0) {
        explicit_bzero(patient.state, patient.state_len);
        patient.state_len = 0;
        patient.date[0] = '\0';
        r = store_patient_put(desk->store, &patient);
    }
    store_patient_free(&patient);
    explicit_bzero(&key, sizeof(key));
    return r;
}

static int link_to(struct desk *desk, struct store_visit *record, const struct person *now,
                   const char *number, const char *date, bool usable)
{
    struct match_answer answer = {.date = date, .usable = usable, .fresh = true};
    struct store_patient patient = {0};
    struct match_key key;
    /* Between likenesses: that is what is remembered. */
    bool decided = record->match == MATCH_DOUBT;
    int r = 0;

    if (record->patient[0] != '\0' && strcmp(record->patient, number) != 0)
        r = let_go(desk, record, now, record->patient);
    if (r == 0)
        r = store_patient_by_number(desk->store, number, &patient);
    if (r == -ENOENT)
        r = match_new_patient(desk, number, &patient);
    if (r < 0)
        return r;
    record->match = MATCH_STAFF;
    record->candidates[0] = '\0';
    record->flags &= ~(uint32_t)VISIT_FLAG_WHO;
    if (match_not_key(now, &key))
        r = store_patient_unkey(desk->store, PATIENT_KEY_NOT, match_subject(&key), patient.id);
    if (r == 0 && decided && match_alias_key(now, &key))
        r = store_patient_key(desk->store, PATIENT_KEY_ALIAS, match_subject(&key), patient.id);
    explicit_bzero(&key, sizeof(key));
    if (r == 0 && date[0] != '\0')
        r = match_against_book(desk, record, patient.id, now, &answer);
    else if (r == 0)
        (void)MESSAGE_TEXT(record->patient, number);
    /* Whatever the answer said of the entitlement, the person is this one from now on. */
    if (r == 0)
        r = match_put_keys(desk, record, now, patient.id);
    store_patient_free(&patient);
    return r;
}

static int not_this(struct desk *desk, struct store_visit *record, const struct person *now,
                    const char *number)
{
    struct store_patient patient;
    struct match_found found;
    struct match_key key;
    int r = store_patient_by_number(desk->store, number, &patient);
    uint64_t id = patient.id;

    store_patient_free(&patient);
    if (r == 0)
        r = let_go(desk, record, now, number);
    if (r == 0 && match_not_key(now, &key))
        r = store_patient_key(desk->store, PATIENT_KEY_NOT, match_subject(&key), id);
    explicit_bzero(&key, sizeof(key));
    if (r < 0)
        return r;
    record->patient[0] = record->alias[0] = record->since[0] = record->changes[0] = '\0';
    record->flags &= ~(uint32_t)(VISIT_FLAG_WHO | VISIT_FLAG_CHANGED);
    r = match_find(desk, record, now, &found);
    if (r < 0)
        return r;
    /* What is left is proposed; for sure it is nobody before staff have said so. */
    if (found.patient != 0)
        found.candidates[found.ncandidates++] =
            (struct match_candidate){found.patient, found.match};
    record->match = found.ncandidates > 0 ? MATCH_DOUBT : MATCH_NEW;
    record->flags |= found.ncandidates > 0 ? VISIT_FLAG_WHO : 0u;
    match_show_candidates(desk, &found, record);
    return 0;
}

static int decide_who(struct desk *desk, struct store_visit *record,
                      const struct msg_patient_link *entry, const char *number)
{
    struct person *now = malloc(sizeof(*now));
    char date[9];
    bool usable;
    int r = now == NULL ? -ENOMEM : store_begin(desk->store);

    if (r == 0)
        r = person_of(desk, record, now, date, &usable);
    if (r == 0)
        r = entry->what == PATIENT_IS ? link_to(desk, record, now, number, date, usable)
                                      : not_this(desk, record, now, number);
    if (r == 0) {
        (void)MESSAGE_TEXT(record->staff, entry->staff);
        r = store_visit_save(desk->store, record);
    }
    if (r == 0 && entry->what == PATIENT_IS)
        r = outbox_patient_known(desk, record, true);
    if (r == 0)
        r = store_audit(desk->store, entry->what == PATIENT_IS ? "patient_linked" : "patient_not",
                        record->id, record->lane, entry->staff, "");
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    if (now != NULL)
        explicit_bzero(now, sizeof(*now));
    free(now);
    return r;
}

void match_link(struct desk *desk, const struct msg_patient_link *entry,
                struct msg_action_result *out)
{
    struct visit *open = desk_visit(desk, entry->visit);
    struct store_visit record;
    struct msg_visit_item item;
    char number[51];
    int r;

    memset(out, 0, sizeof(*out));
    out->request = entry->request;
    out->visit = entry->visit;
    if ((entry->surface != 'B' && entry->surface != 'C') || entry->staff[0] == '\0' ||
        entry->what < PATIENT_IS || entry->what > PATIENT_IS_NOT) {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    if (!take_number(entry->number, number)) {
        action_refuse(desk, out, FAILURE_PATIENT_NUMBER);
        (void)MESSAGE_TEXT(out->field, "number");
        return;
    }
    r = open != NULL ? 0 : store_visit_load(desk->store, entry->visit, &record);
    if (open != NULL)
        record = open->record;
    if (r == 0 && (open == NULL ? record.closed_us == 0 : open->unsaved))
        r = -ENOENT;
    if (r == 0)
        r = decide_who(desk, &record, entry, number);
    if (r == 0) {
        if (open != NULL)
            open->record = record;
        outbox_wake_soon(desk);
        if (open != NULL) {
            visit_publish(open);
        } else {
            visit_item(&record, 0, &item);
            desk->ports.visit_changed(desk->ports.arg, &item);
            explicit_bzero(&item, sizeof(item));
        }
        log_event(LOG_LEVEL_INFO, "patient decided", LOG_NUMBER("visit", record.id),
                  LOG_NUMBER("is", entry->what == PATIENT_IS));
    }
    explicit_bzero(&record, sizeof(record));
    action_end(desk, out, r);
}
