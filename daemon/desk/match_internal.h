/* match_internal: what match.c and match_staff.c share; nobody else includes it. */
#ifndef UKETSUKE_DESK_MATCH_INTERNAL_H
#define UKETSUKE_DESK_MATCH_INTERNAL_H

#include "match.h"
#include "person.h"

#define MATCH_KEY_MAX 800
#define MATCH_SHOWN 8 /* candidates that staff are shown */

struct match_key {
    char data[MATCH_KEY_MAX];
    size_t len;
};

struct store_subject match_subject(const struct match_key *key);
struct store_subject match_card(const struct store_visit *record);
/* False: the answer lacks what the key is made of. */
bool match_numbers_key(const struct person *person, struct match_key *out);
bool match_alias_key(const struct person *person, struct match_key *out);
bool match_not_key(const struct person *person, struct match_key *out);

struct match_candidate {
    uint64_t id;
    enum visit_match by;
};

struct match_found {
    enum visit_match match; /* NEW, DOUBT, or how it was found for sure */
    uint64_t patient;       /* 0: none, or one of that 照会番号 that is not in the book yet */
    struct match_candidate candidates[MATCH_SHOWN];
    size_t ncandidates;
};

int match_find(struct desk *desk, const struct store_visit *record, const struct person *now,
               struct match_found *out);
void match_show_candidates(struct desk *desk, const struct match_found *found,
                           struct store_visit *record);
/* Compared with the patient's last state; the answer then takes its place where it may. */
int match_against_book(struct desk *desk, struct store_visit *record, uint64_t id,
                       const struct person *now, const struct match_answer *answer);
int match_put_keys(struct desk *desk, const struct store_visit *record, const struct person *now,
                   uint64_t patient);
int match_new_patient(struct desk *desk, const char *number, struct store_patient *out);

#endif
