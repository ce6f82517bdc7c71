#include "fake_store.h"

#include "../../daemon/store/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct audit {
    char event[32];
    uint64_t visit;
    char who[65];
    char detail[64];
};

struct link {
    uint8_t subject[32];
    struct store_numbers numbers;
};

struct answer {
    uint8_t subject[512];
    size_t subject_len;
    struct store_answer answer;
};

struct consent {
    uint64_t visit;
    uint32_t bit;
    bool given;
};

struct undo {
    enum { UNDO_VISIT, UNDO_ASK, UNDO_LINK, UNDO_SLIP, UNDO_DISASTER } kind;
    size_t index;
    struct store_visit visit;
    struct store_ask ask;
    struct link link;
    struct store_slip slip;
    struct store_disaster disaster;
};

#define FAKE_PATIENTS 256
#define FAKE_KEYS 1024
#define FAKE_KEPT 256

struct fake_key {
    enum store_patient_key kind;
    uint64_t patient;
    size_t len;
    uint8_t data[800];
};

struct fake_patients {
    struct store_patient at[FAKE_PATIENTS];
    size_t n;
    struct fake_key keys[FAKE_KEYS];
    size_t nkeys;
    uint8_t kept[FAKE_KEPT][32];
    size_t nkept;
};

#define LIST(type, name)                                                                           \
    struct {                                                                                       \
        struct type *at;                                                                           \
        size_t n, room, kept;                                                                      \
    } name

struct store {
    struct clock *clock;
    LIST(store_visit, visits);
    LIST(store_ask, asks);
    LIST(audit, audits);
    LIST(link, links);
    LIST(answer, answers);
    LIST(consent, consents);
    LIST(store_slip, slips);
    LIST(store_trouble, troubles);
    LIST(undo, undos);
    bool links_hidden;
    struct store_disaster disaster; /* cause 0: none is open */
    struct fake_patients patients, patients_before;
    bool open, broken;
    unsigned fail_at, calls;
    uint64_t commits;
};

#define PUSH(list)                                                                                 \
    ((list).n == (list).room                                                                       \
         ? ((list).room = (list).room ? (list).room * 2 : 16,                                      \
            (list).at = reallocarray((list).at, (list).room, sizeof(*(list).at)))                  \
         : (list).at,                                                                              \
     memset(&(list).at[(list).n], 0, sizeof(*(list).at)), &(list).at[(list).n++])

static int write_call(struct store *s);
#include "fake_store_patients.h"

struct store *fake_store_new(struct clock *clock)
{
    struct store *s = calloc(1, sizeof(*s));

    s->clock = clock;
    return s;
}

void fake_store_free(struct store **store)
{
    struct store *s = *store;

    if (s == NULL)
        return;
    for (size_t i = 0; i < s->answers.n; i++)
        store_answer_free(&s->answers.at[i].answer);
    patients_free(&s->patients);
    patients_free(&s->patients_before);
    free(s->visits.at);
    free(s->asks.at);
    free(s->audits.at);
    free(s->links.at);
    free(s->answers.at);
    free(s->consents.at);
    free(s->slips.at);
    free(s->troubles.at);
    free(s->undos.at);
    free(s);
    *store = NULL;
}

void fake_store_fail_at(struct store *s, unsigned n)
{
    s->fail_at = n;
}

void fake_store_break(struct store *s, bool broken)
{
    s->broken = broken;
}

unsigned fake_store_calls(const struct store *s)
{
    return s->calls;
}

static int write_call(struct store *s)
{
    s->calls++;
    if (s->fail_at > 0 && --s->fail_at == 0)
        return -EIO;
    return s->broken ? -EIO : 0;
}

int store_begin(struct store *s)
{
    int r = write_call(s);

    if (r < 0)
        return r;
    if (s->open)
        return -EBUSY;
    s->open = true;
    s->visits.kept = s->visits.n;
    s->asks.kept = s->asks.n;
    s->audits.kept = s->audits.n;
    s->links.kept = s->links.n;
    s->answers.kept = s->answers.n;
    s->consents.kept = s->consents.n;
    s->slips.kept = s->slips.n;
    s->undos.n = 0;
    patients_copy(&s->patients_before, &s->patients);
    return 0;
}

int store_commit(struct store *s)
{
    int r = write_call(s);

    if (r < 0)
        return r;
    if (!s->open)
        return -EINVAL;
    s->open = false;
    s->undos.n = 0;
    patients_free(&s->patients_before);
    s->commits++;
    return 0;
}

void store_rollback(struct store *s)
{
    if (!s->open)
        return;
    while (s->undos.n > 0) {
        struct undo *u = &s->undos.at[--s->undos.n];

        if (u->kind == UNDO_VISIT)
            s->visits.at[u->index] = u->visit;
        else if (u->kind == UNDO_ASK)
            s->asks.at[u->index] = u->ask;
        else if (u->kind == UNDO_LINK)
            s->links.at[u->index] = u->link;
        else if (u->kind == UNDO_SLIP)
            s->slips.at[u->index] = u->slip;
        else
            s->disaster = u->disaster;
    }
    for (size_t i = s->answers.kept; i < s->answers.n; i++)
        store_answer_free(&s->answers.at[i].answer);
    s->visits.n = s->visits.kept;
    s->asks.n = s->asks.kept;
    s->audits.n = s->audits.kept;
    s->links.n = s->links.kept;
    s->answers.n = s->answers.kept;
    s->consents.n = s->consents.kept;
    s->slips.n = s->slips.kept;
    patients_free(&s->patients);
    s->patients = s->patients_before;
    s->patients_before.n = 0;
    s->open = false;
}

int store_visit_open(struct store *s, struct store_visit *visit)
{
    visit->opened_us = (int64_t)clock_realtime_us(s->clock);
    return store_visit_record(s, visit);
}

int store_visit_record(struct store *s, struct store_visit *visit)
{
    int r = write_call(s);
    struct store_visit *row;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    row = PUSH(s->visits);
    visit->id = s->visits.n;
    visit->step = 1;
    *row = *visit;
    return 0;
}

int store_visit_save(struct store *s, struct store_visit *visit)
{
    int r = write_call(s);
    struct undo *u;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    if (visit->id == 0 || visit->id > s->visits.n)
        return -ENOENT;
    u = PUSH(s->undos);
    u->kind = UNDO_VISIT;
    u->index = visit->id - 1;
    u->visit = s->visits.at[u->index];
    visit->step++;
    s->visits.at[visit->id - 1] = *visit;
    return 0;
}

int store_visit_load(struct store *s, uint64_t id, struct store_visit *out)
{
    if (id == 0 || id > s->visits.n)
        return -ENOENT;
    *out = s->visits.at[id - 1];
    return 0;
}

int store_visits(struct store *s, int64_t since_us, int64_t until_us, uint64_t before,
                 uint32_t limit, bool open_only, store_visit_fn *each, void *arg)
{
    /* Here the order of the numbers is that of the times. */
    for (size_t i = before > 0 ? before - 1 : s->visits.n; i > 0 && limit > 0; i--) {
        const struct store_visit *v = &s->visits.at[i - 1];

        if (v->opened_us < since_us || v->opened_us >= until_us || (open_only && v->closed_us != 0))
            continue;
        limit--;
        if (each(v, arg) != 0)
            return 0;
    }
    return limit == 0;
}

static int answer_copy(struct store_answer *to, const struct store_answer *from)
{
    *to = *from;
    to->tree = malloc(from->tree_len > 0 ? from->tree_len : 1);
    memcpy(to->tree, from->tree, from->tree_len);
    to->raw = from->raw_len > 0 ? malloc(from->raw_len) : NULL;
    if (from->raw_len > 0)
        memcpy(to->raw, from->raw, from->raw_len);
    return 0;
}

int store_answer_put(struct store *s, struct store_subject subject, struct store_answer *answer)
{
    int r = write_call(s);
    struct answer *row;

    if (r < 0)
        return r;
    if (!s->open || subject.len == 0 || subject.len > sizeof(row->subject))
        return -EINVAL;
    row = PUSH(s->answers);
    memcpy(row->subject, subject.data, subject.len);
    row->subject_len = subject.len;
    answer->id = s->answers.n;
    return answer_copy(&row->answer, answer);
}

static bool about(const struct answer *a, struct store_subject subject, const char *institution)
{
    return a->subject_len == subject.len && memcmp(a->subject, subject.data, subject.len) == 0 &&
           strcmp(a->answer.institution, institution) == 0;
}

int store_answer_today(struct store *s, struct store_subject subject, const char *institution,
                       const char *date, uint32_t consents, struct store_answer *out)
{
    for (size_t i = s->answers.n; i > 0; i--) {
        const struct answer *a = &s->answers.at[i - 1];

        if (about(a, subject, institution) && strcmp(a->answer.date, date) == 0 &&
            a->answer.consents == consents)
            return answer_copy(out, &a->answer);
    }
    return -ENOENT;
}

int store_answer_last(struct store *s, struct store_subject subject, const char *institution,
                      const char *until, struct store_answer *out)
{
    for (size_t i = s->answers.n; i > 0; i--)
        if (about(&s->answers.at[i - 1], subject, institution) &&
            s->answers.at[i - 1].answer.usable &&
            strcmp(s->answers.at[i - 1].answer.date, until) <= 0)
            return answer_copy(out, &s->answers.at[i - 1].answer);
    return -ENOENT;
}

int store_answer_load(struct store *s, uint64_t id, struct store_answer *out)
{
    if (id == 0 || id > s->answers.n)
        return -ENOENT;
    return answer_copy(out, &s->answers.at[id - 1].answer);
}

void store_answer_free(struct store_answer *answer)
{
    free(answer->tree);
    free(answer->raw);
    memset(answer, 0, sizeof(*answer));
}

int store_link_put(struct store *s, const uint8_t subject[32], const struct store_numbers *numbers)
{
    int r = write_call(s);
    struct link *row = NULL;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    for (size_t i = 0; i < s->links.n; i++)
        if (memcmp(s->links.at[i].subject, subject, 32) == 0) {
            struct undo *u = PUSH(s->undos);

            u->kind = UNDO_LINK;
            u->index = i;
            u->link = s->links.at[i];
            row = &s->links.at[i];
        }
    if (row == NULL)
        row = PUSH(s->links);
    memcpy(row->subject, subject, 32);
    row->numbers = *numbers;
    return 0;
}

void fake_store_hide_links(struct store *s, bool hidden)
{
    s->links_hidden = hidden;
}

int store_link_get(struct store *s, const uint8_t subject[32], struct store_numbers *out)
{
    if (s->links_hidden)
        return -EIO;
    for (size_t i = 0; i < s->links.n; i++)
        if (memcmp(s->links.at[i].subject, subject, 32) == 0) {
            *out = s->links.at[i].numbers;
            return 0;
        }
    return -ENOENT;
}

int store_consent_put(struct store *s, uint64_t visit, uint32_t bit, bool given, int64_t at_us,
                      int64_t until_us)
{
    int r = write_call(s);
    struct consent *row;

    (void)at_us;
    (void)until_us;
    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    row = PUSH(s->consents);
    row->visit = visit;
    row->bit = bit;
    row->given = given;
    return 0;
}

int store_consents_answered(struct store *s, uint64_t visit)
{
    for (size_t i = 0; i < s->consents.n; i++)
        if (s->consents.at[i].visit == visit)
            return 1;
    return 0;
}

int store_ask_begin(struct store *s, struct store_ask *ask)
{
    int r = write_call(s);
    struct store_ask *row;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    for (size_t i = 0; i < s->asks.n; i++)
        if (strcmp(s->asks.at[i].correlation, ask->correlation) == 0)
            return -EEXIST;
    row = PUSH(s->asks);
    ask->id = s->asks.n;
    ask->outcome = 255;
    *row = *ask;
    return 0;
}

int store_ask_end(struct store *s, uint64_t id, uint8_t outcome)
{
    int r = write_call(s);
    struct undo *u;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    if (id == 0 || id > s->asks.n)
        return -ENOENT;
    u = PUSH(s->undos);
    u->kind = UNDO_ASK;
    u->index = id - 1;
    u->ask = s->asks.at[id - 1];
    s->asks.at[id - 1].outcome = outcome;
    s->asks.at[id - 1].ended_us = (int64_t)clock_realtime_us(s->clock);
    return 0;
}

int store_ask_find(struct store *s, const char *correlation, struct store_ask *out)
{
    for (size_t i = 0; i < s->asks.n; i++)
        if (strcmp(s->asks.at[i].correlation, correlation) == 0) {
            *out = s->asks.at[i];
            return 0;
        }
    return -ENOENT;
}

int store_asks_open(struct store *s, store_ask_fn *each, void *arg)
{
    for (size_t i = 0; i < s->asks.n; i++)
        if (s->asks.at[i].outcome == 255 && each(&s->asks.at[i], arg) != 0)
            break;
    return 0;
}

int store_audit(struct store *s, const char *event, uint64_t visit, uint16_t lane, const char *who,
                const char *detail)
{
    int r = write_call(s);
    struct audit *row;

    (void)lane;
    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    row = PUSH(s->audits);
    strncpy(row->event, event, sizeof(row->event) - 1);
    strncpy(row->who, who, sizeof(row->who) - 1);
    strncpy(row->detail, detail, sizeof(row->detail) - 1);
    row->visit = visit;
    return 0;
}

int store_visits_again(struct store *s, const uint8_t subject[32], int64_t since_us, uint64_t but,
                       uint32_t *count)
{
    *count = 0;
    for (size_t i = 0; i < s->visits.n; i++) {
        const struct store_visit *v = &s->visits.at[i];

        /* eligible, last known, pending: as visits_again.sql has them */
        *count += v->has_subject && memcmp(v->subject, subject, 32) == 0 &&
                  v->opened_us >= since_us && v->id != but &&
                  (v->outcome == 1 || v->outcome == 4 || v->outcome == 8);
    }
    return 0;
}

int store_trouble_add(struct store *s, const char *day, uint16_t failure)
{
    struct store_trouble *row;
    int r = write_call(s);

    if (r < 0)
        return r;
    for (size_t i = 0; i < s->troubles.n; i++)
        if (strcmp(s->troubles.at[i].day, day) == 0 && s->troubles.at[i].failure == failure) {
            s->troubles.at[i].count++;
            return 0;
        }
    row = PUSH(s->troubles);
    strncpy(row->day, day, sizeof(row->day) - 1);
    row->failure = failure;
    row->count = 1;
    return 0;
}

int store_troubles(struct store *s, const char *since, uint32_t limit, store_trouble_fn *each,
                   void *arg)
{
    for (size_t i = 0; i < s->troubles.n && limit > 0; i++, limit--)
        if (strcmp(s->troubles.at[i].day, since) >= 0 && each(&s->troubles.at[i], arg) != 0)
            break;
    return 0;
}

int store_slip_put(struct store *s, const struct store_slip *slip)
{
    int r = write_call(s);

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    for (size_t i = 0; i < s->slips.n; i++)
        if (s->slips.at[i].visit == slip->visit) {
            struct undo *u = PUSH(s->undos);

            u->kind = UNDO_SLIP;
            u->index = i;
            u->slip = s->slips.at[i];
            s->slips.at[i] = *slip;
            return 0;
        }
    *PUSH(s->slips) = *slip;
    return 0;
}

int store_slip_load(struct store *s, uint64_t visit, struct store_slip *out)
{
    for (size_t i = 0; i < s->slips.n; i++)
        if (s->slips.at[i].visit == visit) {
            *out = s->slips.at[i];
            return 0;
        }
    return -ENOENT;
}

int store_slips(struct store *s, enum store_slips which, uint64_t before, uint32_t limit,
                store_slip_fn *each, void *arg)
{
    size_t done[64];
    size_t ndone = 0;

    for (size_t i = s->slips.n; which != STORE_SLIPS_WAITING && i > 0 && limit > 0; i--)
        if ((which == STORE_SLIPS_ALL || s->slips.at[i - 1].ended_us == 0) &&
            (before == 0 || s->slips.at[i - 1].visit < before)) {
            limit--;
            if (each(&s->slips.at[i - 1], arg) != 0)
                return 0;
        }
    /* The longest unasked first; 64 are as many as a test has waiting. */
    while (which == STORE_SLIPS_WAITING && limit-- > 0 && ndone < 64) {
        size_t best = s->slips.n;

        for (size_t i = 0; i < s->slips.n; i++) {
            bool seen = s->slips.at[i].ended_us != 0 || s->slips.at[i].state != 0;

            for (size_t j = 0; j < ndone; j++)
                seen = seen || done[j] == i;
            if (!seen &&
                (best == s->slips.n || s->slips.at[i].asked_us < s->slips.at[best].asked_us))
                best = i;
        }
        if (best == s->slips.n || each(&s->slips.at[best], arg) != 0)
            return 0;
        done[ndone++] = best;
    }
    return 0;
}

int store_disaster_open(struct store *s, struct store_disaster *out)
{
    *out = s->disaster;
    return s->disaster.cause != 0 ? 0 : -ENOENT;
}

static int disaster(struct store *s, const struct store_disaster *next)
{
    int r = write_call(s);
    struct undo *u;

    if (r < 0 || !s->open)
        return r < 0 ? r : -EINVAL;
    u = PUSH(s->undos);
    u->kind = UNDO_DISASTER;
    u->disaster = s->disaster;
    s->disaster = *next;
    return 0;
}

int store_disaster_put(struct store *s, const struct store_disaster *next)
{
    return disaster(s, next);
}

int store_disaster_end(struct store *s, int64_t now_us)
{
    static const struct store_disaster none;

    (void)now_us;
    return disaster(s, &none);
}

int store_status(struct store *s, struct store_status *out)
{
    memset(out, 0, sizeof(*out));
    out->visits = s->visits.n;
    out->answers = s->answers.n;
    out->links = s->links.n;
    out->asks_open = fake_store_asks(s, true);
    out->audit_rows = s->audits.n;
    out->commits = s->commits;
    return 0;
}

/* ---- what tests look at ---------------------------------------------------------------------- */

bool fake_store_in_transaction(const struct store *s)
{
    return s->open;
}

const struct store_visit *fake_store_visit(const struct store *s, uint64_t id)
{
    return id == 0 || id > s->visits.n ? NULL : &s->visits.at[id - 1];
}

size_t fake_store_visits(const struct store *s)
{
    return s->visits.n;
}

size_t fake_store_open_visits(const struct store *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->visits.n; i++)
        n += s->visits.at[i].closed_us == 0;
    return n;
}

size_t fake_store_slips(const struct store *s, int state)
{
    size_t n = 0;

    for (size_t i = 0; i < s->slips.n; i++)
        n += state < 0 || s->slips.at[i].state == state;
    return n;
}

size_t fake_store_audits(const struct store *s)
{
    return s->audits.n;
}

const char *fake_store_audit(const struct store *s, size_t i, uint64_t *visit, const char **who,
                             const char **detail)
{
    *visit = s->audits.at[i].visit;
    *detail = s->audits.at[i].detail;
    *who = s->audits.at[i].who;
    return s->audits.at[i].event;
}

size_t fake_store_audits_of_saves(const struct store *s, uint64_t visit)
{
    size_t n = 0;

    for (size_t i = 0; i < s->audits.n; i++)
        n += s->audits.at[i].visit == visit && strcmp(s->audits.at[i].event, "slip_asked") != 0 &&
             strcmp(s->audits.at[i].event, "slip_numbers") != 0;
    return n;
}

const struct store_slip *fake_store_slip(const struct store *s, size_t i)
{
    return i < s->slips.n ? &s->slips.at[i] : NULL;
}

size_t fake_store_asks(const struct store *s, bool open_only)
{
    size_t n = 0;

    for (size_t i = 0; i < s->asks.n; i++)
        n += !open_only || s->asks.at[i].outcome == 255;
    return n;
}

size_t fake_store_asks_ended(const struct store *s, uint8_t outcome)
{
    size_t n = 0;

    for (size_t i = 0; i < s->asks.n; i++)
        n += s->asks.at[i].outcome == outcome;
    return n;
}

void fake_store_age_answers(struct store *s, const char *date)
{
    for (size_t i = 0; i < s->answers.n; i++)
        strncpy(s->answers.at[i].answer.date, date, sizeof(s->answers.at[i].answer.date) - 1);
}

#include "fake_store_outbox.h"
