#include "vote.h"

#include <string.h>

static bool same_date(const struct card_date *a, const struct card_date *b)
{
    return a->era == b->era && a->year == b->year && a->month == b->month && a->day == b->day;
}

static bool contradicts(const struct votes *v, const struct reading *r)
{
    return (r->birth_there && v->birth > 0 && !same_date(&r->birth, &v->held.birth)) ||
           (r->expiry_there && v->expiry > 0 && !same_date(&r->expiry, &v->held.expiry)) ||
           (r->code_there && v->code > 0 && memcmp(r->code, v->held.code, 4) != 0);
}

static void add(struct votes *v, const struct reading *r)
{
    if (r->birth_there) {
        v->held.birth = r->birth;
        v->birth++;
    }
    if (r->expiry_there) {
        v->held.expiry = r->expiry;
        v->expiry++;
    }
    if (r->code_there) {
        memcpy(v->held.code, r->code, sizeof(v->held.code));
        v->code++;
    }
}

bool vote_add(struct votes *votes, const struct reading *reading, int today)
{
    /* A birth date A.D. beside one of an era: one of the two is an error. */
    if (contradicts(votes, reading) || reading->foreign)
        explicit_bzero(votes, sizeof(*votes));
    if (reading->foreign)
        return false;
    add(votes, reading);
    if (votes->birth > 0 && votes->expiry > 0 &&
        !fields_plausible(&votes->held.birth, &votes->held.expiry, today)) {
        explicit_bzero(votes, sizeof(*votes));
        return false;
    }
    return votes->birth >= VOTES_DATE && votes->expiry >= VOTES_DATE && votes->code >= VOTES_CODE;
}

void vote_number(const struct votes *votes, char *out)
{
    fields_number_b(&votes->held.birth, &votes->held.expiry, votes->held.code, out);
}
