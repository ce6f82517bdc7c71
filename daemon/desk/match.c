#include "match_internal.h"

#include "names.h"

#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys ------------------------------------------------------------------------------------ */

struct store_subject match_subject(const struct match_key *key)
{
    return (struct store_subject){key->data, key->len};
}

/* False: the answer lacks what the key is made of. */
bool match_numbers_key(const struct person *p, struct match_key *out)
{
    char insurer[PERSON_TEXT], symbol[PERSON_TEXT], number[PERSON_TEXT];
    int n;

    memset(out, 0, sizeof(*out));
    names_fold_code(p->text[PERSON_INSURER], insurer, sizeof(insurer));
    names_fold_code(p->text[PERSON_SYMBOL], symbol, sizeof(symbol));
    names_fold_code(p->text[PERSON_NUMBER], number, sizeof(number));
    n = snprintf(out->data, sizeof(out->data), "%s\n%s\n%s\n%s", insurer + strspn(insurer, "0"),
                 symbol, number, p->text[PERSON_BIRTH]);
    out->len = n > 0 && (size_t)n < sizeof(out->data) ? (size_t)n : 0;
    return out->len > 0 && insurer[0] != '\0' && number[0] != '\0' &&
           p->text[PERSON_BIRTH][0] != '\0';
}

static bool birth_key(const struct person *p, struct match_key *out)
{
    out->len = strlen(p->text[PERSON_BIRTH]);
    memcpy(out->data, p->text[PERSON_BIRTH], out->len);
    return out->len == 8;
}

/* A name as it is written, of somebody of that birth date and sex. */
bool match_alias_key(const struct person *p, struct match_key *out)
{
    uint32_t folded[NAMES_MAX];
    size_t n = names_fold(p->text[PERSON_NAME], folded);
    int tail;

    memcpy(out->data, folded, n * sizeof(folded[0]));
    out->len = n * sizeof(folded[0]);
    tail = snprintf(out->data + out->len, sizeof(out->data) - out->len, "\n%.8s\n%.1s",
                    p->text[PERSON_BIRTH], p->text[PERSON_SEX]);
    out->len += (size_t)tail;
    return n > 0 && p->text[PERSON_BIRTH][0] != '\0';
}

/* The same with these numbers: another of that name and birth date is not meant. */
bool match_not_key(const struct person *p, struct match_key *out)
{
    char insurer[16], number[128];
    int tail;

    if (!match_alias_key(p, out))
        return false;
    names_fold_code(p->text[PERSON_INSURER], insurer, sizeof(insurer));
    names_fold_code(p->text[PERSON_NUMBER], number, sizeof(number));
    tail = snprintf(out->data + out->len, sizeof(out->data) - out->len, "\n%s\n%s",
                    insurer + strspn(insurer, "0"), number);
    out->len += (size_t)tail;
    return true;
}

struct store_subject match_card(const struct store_visit *record)
{
    return (struct store_subject){record->subject, sizeof(record->subject)};
}

/* ---- finding --------------------------------------------------------------------------------- */

struct search {
    struct desk *desk;
    const struct store_visit *record;
    const struct person *now;
    struct match_found *found;
    uint64_t not_these[STORE_PATIENTS_MOST];
    size_t nnot;
    uint64_t aliases[STORE_PATIENTS_MOST];
    size_t naliases;
};

static bool among(const uint64_t *ids, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void propose(struct search *s, uint64_t id, enum visit_match by)
{
    struct match_found *f = s->found;

    f->match = MATCH_DOUBT;
    f->patient = 0;
    for (size_t i = 0; i < f->ncandidates; i++)
        if (f->candidates[i].id == id)
            return;
    if (f->ncandidates < MATCH_SHOWN)
        f->candidates[f->ncandidates++] = (struct match_candidate){id, by};
}

static void sure(struct search *s, uint64_t id, enum visit_match by)
{
    s->found->match = by;
    s->found->patient = id;
    s->found->ncandidates = 0;
}

static int load(struct desk *desk, uint64_t id, struct store_patient *patient, struct person *said)
{
    int r = store_patient_load(desk->store, id, patient);

    memset(said, 0, sizeof(*said));
    if (r == 0 && !person_unpack(said, (const char *)patient->state, patient->state_len))
        r = -EBADMSG;
    if (r < 0)
        store_patient_free(patient);
    return r;
}

static bool other(const char *a, const char *b)
{
    return a[0] != '\0' && b[0] != '\0' && strcmp(a, b) != 0;
}

static bool other_birth(const struct person *a, const struct person *b)
{
    return other(a->text[PERSON_BIRTH], b->text[PERSON_BIRTH]);
}

static bool name_alike(const struct person *a, const struct person *b)
{
    const char *x = a->text[PERSON_KANA], *y = b->text[PERSON_KANA];

    return names_compare(a->text[PERSON_NAME], b->text[PERSON_NAME]) != NAMES_OTHER ||
           (x[0] != '\0' && y[0] != '\0' && names_compare_kana(x, y) != NAMES_OTHER);
}

/* What names a patient by itself still has to agree with what the book says of that patient. */
static int check_named(struct search *s, uint64_t id, enum visit_match by)
{
    struct store_patient patient;
    struct person said;
    int r = load(s->desk, id, &patient, &said);

    if (r < 0)
        return r;
    if (other_birth(&said, s->now) || among(s->not_these, s->nnot, id) ||
        (by == MATCH_REFERENCE && said.text[PERSON_NAME][0] != '\0' && !name_alike(&said, s->now) &&
         !among(s->aliases, s->naliases, id)))
        propose(s, id, by);
    else
        sure(s, id, by);
    store_patient_free(&patient);
    explicit_bzero(&said, sizeof(said));
    return 0;
}

static int find_by_card(struct search *s)
{
    uint64_t ids[STORE_PATIENTS_MOST];
    size_t n = 0;
    int r = 0;

    if (s->record->has_subject)
        r = store_patients_by_key(s->desk->store, PATIENT_KEY_CARD, match_card(s->record), ids, &n);
    return r < 0 || n == 0 ? r : check_named(s, ids[0], MATCH_CARD);
}

/* The clinic's own number came back with the answer. With a card of another patient it is a
 * contradiction. */
static int find_by_reference(struct search *s)
{
    const char *reference = s->record->person.reference;
    struct store_patient patient;
    uint64_t id;
    int r;

    if (reference[0] == '\0')
        return 0;
    r = store_patient_by_number(s->desk->store, reference, &patient);
    id = patient.id;
    store_patient_free(&patient);
    if (r == -ENOENT) {
        if (s->found->match == MATCH_NEW)
            sure(s, 0, MATCH_REFERENCE);
        return 0;
    }
    if (r < 0)
        return r;
    if (s->found->match == MATCH_NEW)
        return check_named(s, id, MATCH_REFERENCE);
    if (s->found->patient != id) {
        if (s->found->patient != 0)
            propose(s, s->found->patient, s->found->match);
        propose(s, id, MATCH_REFERENCE);
    }
    return 0;
}

static int find_by_numbers(struct search *s)
{
    uint64_t ids[STORE_PATIENTS_MOST];
    struct match_key key;
    size_t n = 0, left = 0;
    uint64_t only = 0;
    bool good = false;
    int r = match_numbers_key(s->now, &key)
                ? store_patients_by_key(s->desk->store, PATIENT_KEY_NUMBERS, match_subject(&key),
                                        ids, &n)
                : 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        struct store_patient patient;
        struct person said;

        if (among(s->not_these, s->nnot, ids[i]))
            continue;
        r = load(s->desk, ids[i], &patient, &said);
        if (r < 0)
            break;
        /* A twin has another branch number. */
        if (!other(said.text[PERSON_BRANCH], s->now->text[PERSON_BRANCH])) {
            left++;
            only = ids[i];
            good = name_alike(&said, s->now) || among(s->aliases, s->naliases, ids[i]);
            propose(s, ids[i], MATCH_NUMBERS);
        }
        store_patient_free(&patient);
        explicit_bzero(&said, sizeof(said));
    }
    explicit_bzero(&key, sizeof(key));
    if (r == 0 && left == 1 && good)
        sure(s, only, MATCH_NUMBERS);
    return r;
}

static int find_by_name(struct search *s)
{
    uint64_t ids[STORE_PATIENTS_MOST];
    struct match_key key;
    size_t n = 0;
    int r = 0;

    if (s->naliases == 1 && !among(s->not_these, s->nnot, s->aliases[0])) {
        sure(s, s->aliases[0], MATCH_ALIAS);
        return 0;
    }
    if (birth_key(s->now, &key))
        r = store_patients_by_key(s->desk->store, PATIENT_KEY_BIRTH, match_subject(&key), ids, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct store_patient patient;
        struct person said;

        if (among(s->not_these, s->nnot, ids[i]))
            continue;
        r = load(s->desk, ids[i], &patient, &said);
        if (r < 0)
            break;
        if (!other(said.text[PERSON_SEX], s->now->text[PERSON_SEX]) && name_alike(&said, s->now))
            propose(s, ids[i], MATCH_NAME);
        store_patient_free(&patient);
        explicit_bzero(&said, sizeof(said));
    }
    explicit_bzero(&key, sizeof(key));
    return r;
}

int match_find(struct desk *desk, const struct store_visit *record, const struct person *now,
               struct match_found *out)
{
    struct search s = {.desk = desk, .record = record, .now = now, .found = out};
    struct match_key key;
    int r = 0;

    memset(out, 0, sizeof(*out));
    out->match = MATCH_NEW;
    if (match_alias_key(now, &key)) {
        r = store_patients_by_key(desk->store, PATIENT_KEY_ALIAS, match_subject(&key), s.aliases,
                                  &s.naliases);
    }
    if (r == 0 && match_not_key(now, &key))
        r = store_patients_by_key(desk->store, PATIENT_KEY_NOT, match_subject(&key), s.not_these,
                                  &s.nnot);
    explicit_bzero(&key, sizeof(key));
    if (r == 0)
        r = find_by_card(&s);
    if (r == 0)
        r = find_by_reference(&s);
    if (r == 0 && out->match == MATCH_NEW)
        r = find_by_numbers(&s);
    if (r == 0 && out->match == MATCH_NEW)
        r = find_by_name(&s);
    return r;
}

/* ---- the book -------------------------------------------------------------------------------- */

static int put_key(struct desk *desk, enum store_patient_key kind, bool made,
                   const struct match_key *key, uint64_t patient)
{
    return made ? store_patient_key(desk->store, kind, match_subject(key), patient) : 0;
}

int match_put_keys(struct desk *desk, const struct store_visit *record, const struct person *now,
                   uint64_t patient)
{
    struct match_key key;
    int r = put_key(desk, PATIENT_KEY_NUMBERS, match_numbers_key(now, &key), &key, patient);

    if (r == 0)
        r = put_key(desk, PATIENT_KEY_BIRTH, birth_key(now, &key), &key, patient);
    if (r == 0 && record->has_subject) {
        r = store_patient_unkey(desk->store, PATIENT_KEY_CARD, match_card(record), 0);
        if (r == 0)
            r = store_patient_key(desk->store, PATIENT_KEY_CARD, match_card(record), patient);
    }
    explicit_bzero(&key, sizeof(key));
    return r;
}

/* The state becomes what is known after this answer. `kept` is what was known before it. */
static int put_state(struct desk *desk, struct store_patient *patient, struct person *kept,
                     const struct person *now, const char *date)
{
    char packed[PERSON_PACKED];
    int r;

    person_merge(kept, now);
    if (patient->state != NULL)
        explicit_bzero(patient->state, patient->state_len);
    free(patient->state);
    patient->state_len = person_pack(kept, packed, sizeof(packed));
    patient->state = malloc(patient->state_len + 1);
    if (patient->state == NULL) {
        patient->state_len = 0;
        return -ENOMEM;
    }
    memcpy(patient->state, packed, patient->state_len);
    explicit_bzero(packed, sizeof(packed));
    (void)MESSAGE_TEXT(patient->date, date);
    r = store_patient_put(desk->store, patient);
    return r;
}

void match_show_candidates(struct desk *desk, const struct match_found *found,
                           struct store_visit *record)
{
    size_t used = 0, size = sizeof(record->candidates);

    record->candidates[0] = '\0';
    for (size_t i = 0; i < found->ncandidates; i++) {
        struct store_patient patient;
        struct person said;
        char line[400];
        size_t n;

        if (load(desk, found->candidates[i].id, &patient, &said) < 0)
            continue;
        n = (size_t)snprintf(line, sizeof(line), "%s\t%s\t%s\n", patient.number,
                             said.text[PERSON_NAME], visit_match_name(found->candidates[i].by));
        if (n < sizeof(line) && used + n < size) {
            memcpy(record->candidates + used, line, n + 1);
            used += n;
        }
        store_patient_free(&patient);
        explicit_bzero(&said, sizeof(said));
        explicit_bzero(line, sizeof(line));
    }
}

/* How the book writes the name, when the answer writes it otherwise. */
static void show_alias(const struct person *said, const struct person *now,
                       struct store_visit *record)
{
    const char *name = said->text[PERSON_NAME];
    char book[PERSON_TEXT], answer[PERSON_TEXT];

    record->alias[0] = '\0';
    names_fold_code(name, book, sizeof(book));
    names_fold_code(now->text[PERSON_NAME], answer, sizeof(answer));
    if (strcmp(book, answer) != 0 && strstr(name, "\xe2\x97\x8f") == NULL)
        (void)MESSAGE_TEXT(record->alias, name);
}

static void show_changes(const struct person *said, const struct person *now, const char *date,
                         struct store_visit *record)
{
    record->changes[0] = record->since[0] = '\0';
    record->flags &= ~(uint32_t)VISIT_FLAG_CHANGED;
    (void)MESSAGE_TEXT(record->since, date);
    if (person_compare(said, now, record->changes, sizeof(record->changes)) > 0)
        record->flags |= VISIT_FLAG_CHANGED;
}

/* With the patient's own last state; the answer then takes its place, unless it is only proposed
 * that it is this one. */
int match_against_book(struct desk *desk, struct store_visit *record, uint64_t id,
                       const struct person *now, const struct match_answer *answer)
{
    bool proposed = record->match == MATCH_DOUBT;
    struct store_patient patient;
    struct person said;
    int r = load(desk, id, &patient, &said);
    bool older, fresh;
    char today[9];

    if (r < 0)
        return r;
    if (!proposed)
        (void)MESSAGE_TEXT(record->patient, patient.number);
    show_alias(&said, now, record);
    older = patient.date[0] != '\0' && strcmp(answer->date, patient.date) < 0;
    /* What serves from the cache and is news to the book was told to a list only (precheck.h). */
    fresh = answer->fresh || (answer->subject.len > 0 && patient.date[0] != '\0' &&
                              strcmp(answer->date, patient.date) > 0);
    if (fresh && !older && patient.date[0] != '\0')
        show_changes(&said, now, patient.date, record);
    if (fresh && !older && answer->usable && !proposed &&
        !(answer->aside && patient.date[0] != '\0')) {
        /* Told ahead about a later day: a patient who comes before it is not older than the book. */
        desk_today(desk, today);
        r = put_state(desk, &patient, &said, now,
                      strcmp(answer->date, today) < 0 ? answer->date : today);
        if (r == 0)
            r = match_put_keys(desk, record, now, id);
    }
    store_patient_free(&patient);
    explicit_bzero(&said, sizeof(said));
    return r;
}

/* Nobody in the book yet, or nobody for sure: with the last answer about the same card or numbers.
 */
static int against_last(struct desk *desk, struct store_visit *record, const struct person *now,
                        const struct match_answer *answer)
{
    struct store_answer last = {0};
    struct xmlmsg *tree = NULL;
    struct person said;
    char today[9];
    int r;

    desk_today(desk, today);
    r = store_answer_last(desk->store, answer->subject, desk->settings.institution,
                          strcmp(answer->date, today) > 0 ? answer->date : today, &last);
    if (r == 0 && strcmp(answer->date, last.date) >= 0 &&
        xmlmsg_unpack(&tree, last.tree, last.tree_len) == 0 && person_take(&said, tree))
        show_changes(&said, now, last.date, record);
    xmlmsg_free(&tree);
    store_answer_free(&last);
    explicit_bzero(&said, sizeof(said));
    return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

int match_new_patient(struct desk *desk, const char *number, struct store_patient *out)
{
    memset(out, 0, sizeof(*out));
    return message_text(out->number, sizeof(out->number), number) < 0
               ? -EINVAL
               : store_patient_put(desk->store, out);
}

static int take_found(struct desk *desk, struct store_visit *record, struct match_found *found,
                      const struct person *now, const struct match_answer *answer)
{
    int r = 0;

    record->match = (uint8_t)found->match;
    match_show_candidates(desk, found, record);
    if (found->match == MATCH_DOUBT)
        record->flags |= VISIT_FLAG_WHO;
    if (found->match == MATCH_REFERENCE && found->patient == 0 && answer->usable) {
        struct store_patient patient;

        r = match_new_patient(desk, record->person.reference, &patient);
        found->patient = patient.id;
        store_patient_free(&patient);
    }
    if (r == 0 && found->match == MATCH_DOUBT && found->ncandidates == 1)
        found->patient = found->candidates[0].id;
    if (r == 0 && found->patient != 0) {
        r = match_against_book(desk, record, found->patient, now, answer);
        if (record->since[0] != '\0')
            return r;
    }
    return r == 0 && answer->fresh ? against_last(desk, record, now, answer) : r;
}

int match_take(struct desk *desk, struct store_visit *record, const struct match_answer *answer)
{
    struct person *now = malloc(sizeof(*now));
    struct match_found found;
    int r = now == NULL ? -ENOMEM : 0;

    if (r == 0 && record->match == MATCH_STAFF) {
        struct store_patient patient;

        if (person_take(now, answer->tree) &&
            store_patient_by_number(desk->store, record->patient, &patient) == 0) {
            uint64_t id = patient.id;

            store_patient_free(&patient);
            r = match_against_book(desk, record, id, now, answer);
        }
    } else if (r == 0) {
        record->match = MATCH_NONE;
        record->patient[0] = record->alias[0] = record->candidates[0] = '\0';
        record->since[0] = record->changes[0] = '\0';
        record->flags &= ~(uint32_t)(VISIT_FLAG_WHO | VISIT_FLAG_CHANGED);
        if (person_take(now, answer->tree)) {
            r = match_find(desk, record, now, &found);
            if (r == 0)
                r = take_found(desk, record, &found, now, answer);
        }
    }
    if (now != NULL)
        explicit_bzero(now, sizeof(*now));
    free(now);
    return r;
}

int match_stored(struct desk *desk, struct store_visit *record, const struct store_answer *stored,
                 bool usable, bool fresh, struct store_subject subject)
{
    struct match_answer answer = {
        .date = stored->date, .usable = usable, .fresh = fresh, .subject = subject};
    struct xmlmsg *tree = NULL;
    int r = xmlmsg_unpack(&tree, stored->tree, stored->tree_len);

    answer.tree = tree;
    if (r == 0)
        r = match_take(desk, record, &answer);
    xmlmsg_free(&tree);
    return r;
}
