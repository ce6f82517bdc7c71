/*
 * store: the desk's memory: visits, answers, links, consents, asks, audit rows, in SQLite.
 *
 * WAL, STRICT tables, foreign keys, synchronous=FULL, numbered migrations (sql/migrations), one
 * writer: this process. What could name a person is in sealed columns (AES-256-GCM; the additional
 * data bind table, column and row, so that a sealed value cannot be moved); look-ups by person go
 * by keyed hash. PIN, 照合番号B, photo and frames have no way in: no function here takes a `struct
 * secret` but store_open() (the key).
 *
 * Every function returns 0 or a negative errno (-EIO for SQLite, -EBADMSG when a sealed value does
 * not open, -ENOENT when there is no such row). After a failed write inside a transaction call
 * store_rollback(). Times are microseconds of UTC.
 */
#ifndef UKETSUKE_STORE_H
#define UKETSUKE_STORE_H

#include "../common/clock.h"
#include "../common/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/*
 * Opens or creates DIRECTORY/uketsuke.db and brings it to the newest migration. `key`: 32 bytes,
 * borrowed during the call. *message (free it) says in words what to do when it fails: a wrong key,
 * a newer database, a full disk, a damaged file.
 */
int store_open(struct store **out, const char *directory, const struct secret *key,
               struct clock *clock, char **message);
void store_close(struct store **store);

/* One durable step: everything between begin and commit is on the disk when commit returns, or
 * nothing is. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);

/* ---- visits ---------------------------------------------------------------------------------- */

/* What names the patient; sealed as a whole. Texts are UTF-8, "" when unknown. */
struct store_person {
    char name[257];
    char kana[257];
    char birth[9]; /* YYYYMMDD */
    char sex[2];
    char reference[51]; /* 照会番号 */
    char insurer[97];   /* InsurerName */
};

struct store_visit {
    uint64_t id;
    uint16_t lane; /* 0: a look-up without a lane */
    uint8_t state; /* enum visit_state */
    uint8_t method;
    uint8_t outcome;
    uint16_t failure;
    uint32_t flags;
    uint32_t step; /* of its own, counts the saves */
    int64_t opened_us;
    int64_t closed_us; /* 0: open */
    uint8_t record;
    uint8_t challenge;
    uint8_t liveness;
    int32_t score_milli;
    uint32_t consents;   /* given */
    uint8_t face_failed; /* 1: a face was compared and did not match in this visit */
    uint32_t card_ms, photo_ms, face_ms, pin_ms, ask_ms, total_ms;
    uint32_t apdus, frames;
    uint64_t answer; /* id of the answer shown, 0 none */
    char validity[3];
    char ratio[4];
    char limit_class[4];
    char notice[201];
    char staff[65];
    char proxy[257];      /* who came for the patient, "" nobody */
    char relation[65];    /* and in what relation */
    uint8_t match;        /* enum visit_match: who this is in the clinic's books */
    char patient[51];     /* the clinic's number of the patient, "" not (yet) known */
    char alias[257];      /* the name in the clinic's books, when the answer writes it otherwise */
    char candidates[601]; /* lines "number TAB name TAB how": who it may be, for staff to decide */
    char since[9];        /* the day of what `changes` compares with */
    char changes[1801];   /* lines "field TAB old TAB new" */
    bool has_subject;
    uint8_t subject[32]; /* SHA-256 of issuer and serial: stored only as a keyed hash and sealed */
    struct store_person person;
};

/* A new row; sets visit->id, opened_us and step. */
int store_visit_open(struct store *store, struct store_visit *visit);
/* Writes all of it; step goes up by one. */
int store_visit_save(struct store *store, struct store_visit *visit);
int store_visit_load(struct store *store, uint64_t id, struct store_visit *out);
/*
 * Newest first, opened in [since, until), of all (before: 0) or of those that come after the visit
 * `before` in that order; stops when `each` returns non-zero. `open_only`: closed_us is 0 (and
 * before is 0). A row whose sealed part does not open is logged and left out. 1: `limit` rows were
 * read, there may be more.
 */
typedef int store_visit_fn(const struct store_visit *visit, void *arg);
int store_visits(struct store *store, int64_t since_us, int64_t until_us, uint64_t before,
                 uint32_t limit, bool open_only, store_visit_fn *each, void *arg);

/* A visit that is over already and was somewhere else: opened_us and closed_us are the caller's. Sets id and step. */
int store_visit_record(struct store *store, struct store_visit *visit);

/* How many other visits of this subject opened since then were received (or accepted on a slip). */
int store_visits_again(struct store *store, const uint8_t subject[32], int64_t since_us,
                       uint64_t but, uint32_t *count);

/* ---- answers: the cache ---------------------------------------------------------------------- */

struct store_answer {
    uint64_t id;
    char institution[11];
    char date[9];      /* QualificationConfirmationDate */
    uint32_t consents; /* under which it was asked */
    uint8_t usable;    /* 1: valid and usable by the rules */
    uint16_t failure;  /* why not */
    int64_t answered_us;
    int64_t available_until_us; /* consented parts are purged then; 0 none */
    uint8_t *tree;              /* canonical XmlMsg; owned by the struct, store_answer_free() */
    size_t tree_len;
    uint8_t *raw; /* bytes as received, may be NULL */
    size_t raw_len;
};

/* Whom an answer is about: the card's subject, or the numbers of a certificate, as one canonical
 * byte string. */
struct store_subject {
    const void *data;
    size_t len;
};

int store_answer_put(struct store *store, struct store_subject subject,
                     struct store_answer *answer);
/* The newest answer of that date whose consents are exactly `consents`. */
int store_answer_today(struct store *store, struct store_subject subject, const char *institution,
                       const char *date, uint32_t consents, struct store_answer *out);
/* The newest usable answer about any day up to `until` ("last known"): what was asked ahead about a later day is not. */
int store_answer_last(struct store *store, struct store_subject subject, const char *institution,
                      const char *until, struct store_answer *out);
int store_answer_load(struct store *store, uint64_t id, struct store_answer *out);
void store_answer_free(struct store_answer *answer);

/* ---- links: this card is that patient -------------------------------------------------------- */

struct store_numbers {
    char insurer[9];
    char symbol[81];
    char number[81];
    char branch[3];
    char birth[9];
};
int store_link_put(struct store *store, const uint8_t subject[32],
                   const struct store_numbers *numbers);
int store_link_get(struct store *store, const uint8_t subject[32], struct store_numbers *out);

/* ---- patients: who this is in the clinic's own books ----------------------------------------- */

/* `state`: what was last said of the patient, as the desk writes it down; owned by the struct. */
struct store_patient {
    uint64_t id;
    char number[51]; /* the clinic's own, which is also its 照会番号 */
    int64_t linked_us, seen_us;
    char date[9]; /* the confirmation date of `state`, "" none */
    uint8_t *state;
    size_t state_len;
};

/* By what a patient is found. Values stand in the database. */
enum store_patient_key {
    PATIENT_KEY_CARD = 1,    /* the card's subject: one patient */
    PATIENT_KEY_NUMBERS = 2, /* insurer, symbol, number and birth date, without branch */
    PATIENT_KEY_BIRTH = 3,   /* birth date */
    PATIENT_KEY_ALIAS =
        4, /* a name as it was written, with birth date and sex: staff said that it is this one */
    PATIENT_KEY_NOT = 5, /* the same with insurer and number: staff said that it is not this one */
};
#define STORE_PATIENTS_MOST 64 /* with one key that are looked at */

/* New when id is 0; sets id and times. -EEXIST or -EIO when there is one of that number already. */
int store_patient_put(struct store *store, struct store_patient *patient);
int store_patient_load(struct store *store, uint64_t id, struct store_patient *out);
int store_patient_by_number(struct store *store, const char *number, struct store_patient *out);
void store_patient_free(struct store_patient *patient);
int store_patient_key(struct store *store, enum store_patient_key kind, struct store_subject key,
                      uint64_t patient);
/* patient 0: of every patient that has it. */
int store_patient_unkey(struct store *store, enum store_patient_key kind, struct store_subject key,
                        uint64_t patient);
int store_patients_by_key(struct store *store, enum store_patient_key kind,
                          struct store_subject key, uint64_t out[STORE_PATIENTS_MOST],
                          size_t *count);

/* ---- what a relay told, by the hash of its bytes: *before says that it is kept already ------- */
#define STORE_RELAY_HASH 32
int store_relay_keep(struct store *store, const uint8_t hash[STORE_RELAY_HASH], bool *before);

/* ---- slips: accepted without an answer of the day, asked for later --------------------------- */

/* Texts are UTF-8, "" when unknown; all of them are sealed as a whole. */
struct store_slip {
    uint64_t visit;
    uint16_t lane;
    uint8_t kind;     /* enum slip_kind */
    uint8_t state;    /* enum slip_state */
    uint16_t failure; /* why it has this state, FAILURE_NONE */
    uint8_t consent;  /* enum slip_consent */
    uint8_t numbers_known;
    uint32_t tries; /* questions begun */
    char date[9];   /* the day of the visit: what the service is asked about */
    int64_t filed_us, asked_us, ended_us; /* 0: not yet */
    char name[257];
    char kana[257];
    char birth[9];
    char sex[2];
    char address[513];
    char phone[33];
    char insured[257]; /* of a newborn: who is insured */
    char ratio[4];
    char valid_from[9];
    char valid_until[9];
    char note[201];
    char different[97]; /* names of the fields that the answer has otherwise */
    char staff[65];
    char ended_by[65];
    struct store_numbers numbers;
};

/* Writes it whole, new or not. */
int store_slip_put(struct store *store, const struct store_slip *slip);
int store_slip_load(struct store *store, uint64_t visit, struct store_slip *out);
typedef int store_slip_fn(const struct store_slip *slip, void *arg);
/*
 * ALL and OPEN newest first (before: 0, or below that visit); WAITING (to be asked) the longest unasked first. Stops
 * when `each` returns non-zero. 1: `limit` rows were read, there may be more.
 */
enum store_slips { STORE_SLIPS_ALL, STORE_SLIPS_OPEN, STORE_SLIPS_WAITING };
int store_slips(struct store *store, enum store_slips which, uint64_t before, uint32_t limit,
                store_slip_fn *each, void *arg);

struct store_disaster {
    uint8_t cause; /* enum disaster_cause */
    int64_t since_us, until_us;
    char word[201]; /* by whose word; sealed */
    char staff[65]; /* sealed */
};
/* The one that is open, -ENOENT when none is. */
int store_disaster_open(struct store *store, struct store_disaster *out);
/* Ends the one that is open, if any, and opens this one. */
int store_disaster_put(struct store *store, const struct store_disaster *disaster);
int store_disaster_end(struct store *store, int64_t now_us);

/* ---- consents, asks, audit ------------------------------------------------------------------- */

int store_consent_put(struct store *store, uint64_t visit, uint32_t bit, bool given, int64_t at_us,
                      int64_t until_us);
/* Were any consents of this visit given or refused, and not purged since? 1 yes, 0 no. */
int store_consents_answered(struct store *store, uint64_t visit);

/*
 * A question on its way upstream. It is written before it is sent and ended when its answer is
 * stored, so that after a crash an open row says what may have arrived. correlation: unique, the
 * upstream's request id.
 */
struct store_ask {
    uint64_t id;
    uint64_t visit;
    uint8_t kind;
    uint8_t writes;
    char correlation[51];
    int64_t asked_us;
    int64_t ended_us;
    uint8_t outcome; /* as eligibility_answer.outcome; 255: open */
};
int store_ask_begin(struct store *store, struct store_ask *ask);
int store_ask_end(struct store *store, uint64_t id, uint8_t outcome);
/* The question of that correlation, open or not. */
int store_ask_find(struct store *store, const char *correlation, struct store_ask *out);
typedef int store_ask_fn(const struct store_ask *ask, void *arg);
int store_asks_open(struct store *store, store_ask_fn *each, void *arg);

/*
 * One row of the audit log; the hash of each row covers the row before it. `event` is a name from
 * the caller's table, `who` the member of staff ("" for none, sealed), `detail` a code or a number,
 * never a patient's data.
 */
int store_audit(struct store *store, const char *event, uint64_t visit, uint16_t lane,
                const char *who, const char *detail);
/* Walk the chain. 0 good; -EBADMSG with *bad_row set. *rows: how many there are. */
int store_audit_verify(struct store *store, uint64_t *rows, uint64_t *bad_row);
/* The same, some rows a step, between other work (rows may be added meanwhile). Zeroed at the beginning. */
struct store_audit_walk {
    uint64_t rows; /* walked so far */
    uint64_t bad_row;
    uint8_t hash[32];
};
/* 1: more to do; 0: the whole chain is good; -EBADMSG with bad_row set; other negative errno. */
int store_audit_walk_step(struct store *store, struct store_audit_walk *walk, unsigned most);
/*
 * What stands for the chain up to that row (0: the newest) in the hands of somebody else: half of its hash. Kept
 * outside, it shows later that the chain up to there is still the same. *row is set to the row it is about.
 */
struct store_audit_anchor {
    uint64_t row, high, low;
};
int store_audit_anchor(struct store *store, uint64_t row, struct store_audit_anchor *out);

/* A row of the log, to be read. who: "" for no person. */
#define STORE_AUDIT_TEXT 256
struct store_audit_row {
    uint64_t id, visit;
    int64_t at_us;
    uint16_t lane;
    char event[STORE_AUDIT_TEXT + 1], who[STORE_AUDIT_TEXT + 1], detail[STORE_AUDIT_TEXT + 1];
};
typedef int store_audit_fn(const struct store_audit_row *row, void *arg);
/*
 * The rows below `before` (0: from the newest on), the newest first. Stops when `each` returns non-zero. Whether they
 * are as they were written is for the walk to say; a name that does not open any more is "?".
 */
int store_audit_rows(struct store *store, uint64_t before, uint32_t limit, store_audit_fn *each,
                     void *arg);

/* ---- troubles: how often a failure was shown, by day ----------------------------------------- */

struct store_trouble {
    char day[9]; /* YYYYMMDD in Japan */
    uint16_t failure;
    uint32_t count;
};
/* One more of this failure on that day. */
int store_trouble_add(struct store *store, const char *day, uint16_t failure);
/* From that day on, the newest day first, on each the most frequent first. */
typedef int store_trouble_fn(const struct store_trouble *trouble, void *arg);
int store_troubles(struct store *store, const char *since, uint32_t limit, store_trouble_fn *each,
                   void *arg);

/* ---- keys ------------------------------------------------------------------------------------ */

/*
 * The data are sealed under keys of their own, and those under the master key of store_open(). A
 * new master key seals them anew in one step; from then on only it opens the database. Backups open
 * with the master key of their day.
 */
int store_rekey(struct store *store, const struct secret *master);
/*
 * A new payload key: patients' data are sealed anew, some rows a step, between other work. It may
 * stop anywhere (also by kill -9) and is taken up again by the next store_rotation_begin();
 * store_rotating() says that one is unfinished. After the last step nothing opens with the old key,
 * and it is gone.
 */
struct store_rotation;
bool store_rotating(const struct store *store);
int store_rotation_begin(struct store_rotation **out, struct store *store);
/* 1: more to do; 0: done; negative: this step did not happen. *done: rows sealed anew since the
 * beginning. */
int store_rotation_step(struct store_rotation *rotation, unsigned most, uint64_t *done);
void store_rotation_free(struct store_rotation **rotation);

/* ---- upkeep ---------------------------------------------------------------------------------- */

/*
 * The answer whose consented parts are past their time first: its number and its tree (wipe and free it). 1: there is
 * one, 0: none.
 */
int store_answer_due(struct store *store, int64_t now_us, uint64_t *id, uint8_t **tree,
                     size_t *len);
/* When the first of all consented parts is over. -ENOENT: there is none. */
int store_answers_end(struct store *store, int64_t *end_us);
/* What is left of it: a new tree, no raw bytes, and when the next part of it is over (0: none). */
int store_answer_replace(struct store *store, uint64_t id, const void *tree, size_t len,
                         int64_t available_until_us);
/*
 * What store_answer_due() cannot give any more because it does not open: its raw bytes go, and it is due no longer.
 * Also consents past their time. How many answers, or negative.
 */
int store_purge(struct store *store, int64_t now_us);
/*
 * Closed visits opened before that time, with their consents and questions, and answers given before it; with them the
 * clinic's patients of whom no answer has spoken since, links of cards that no visit is left of, and what was noted of
 * what the relays told (no relay tells anything that old: [upstream] face-hours is shorter than the shortest retention);
 * at most `most` of each. How many rows went, or negative: call again until it is 0. The audit log stays.
 */
int store_retire(struct store *store, int64_t before_us, unsigned most);
/* The log of writes is brought into the file and emptied, so that nothing of what went is left in it. */
int store_settle(struct store *store);

struct store_status {
    unsigned migration;
    uint64_t visits, answers, links, asks_open, audit_rows;
    uint64_t bytes;
    uint64_t commits;
    int64_t newest_answer_us; /* 0: there is no answer */
};
int store_status(struct store *store, struct store_status *out);

#endif
