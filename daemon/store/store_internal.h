/* store_internal: what the files of this room share; nobody else includes it. */
#ifndef UKETSUKE_STORE_INTERNAL_H
#define UKETSUKE_STORE_INTERNAL_H

#include "../common/bytes.h"
#include "keyring.h"
#include "store.h"

#include <sqlite3.h>

#define STORE_HASH 32
#define STORE_WRAP "uketsuke wrap" /* what a master key is derived for */
#define STORE_BACKUP "uketsuke backup"
#define STORE_RESTORING                                                                            \
    "uketsuke.db.restoring" /* stands there while a restore is under way, or was cut off */
#define STORE_SEAL_ROOM 29  /* version, nonce 12, tag 16 */
#define STORE_SEALED_MAX (9u << 20)

enum store_query {
    QUERY_META_GET,
    QUERY_META_PUT,
    QUERY_META_DELETE,
    QUERY_VISIT_OPEN,
    QUERY_VISIT_SAVE,
    QUERY_VISIT_LOAD,
    QUERY_VISITS_BETWEEN,
    QUERY_VISITS_OPEN,
    QUERY_ANSWER_INSERT,
    QUERY_ANSWER_SEAL,
    QUERY_ANSWER_TODAY,
    QUERY_ANSWER_LAST,
    QUERY_ANSWER_LOAD,
    QUERY_ANSWER_PURGE,
    QUERY_ANSWERS_DUE,
    QUERY_ANSWERS_END,
    QUERY_ANSWER_REPLACE,
    QUERY_LINK_PUT,
    QUERY_LINK_GET,
    QUERY_CONSENT_PUT,
    QUERY_CONSENTS_ANSWERED,
    QUERY_CONSENT_PURGE,
    QUERY_ASK_BEGIN,
    QUERY_ASK_END,
    QUERY_ASKS_OPEN,
    QUERY_ASK_FIND,
    QUERY_AUDIT_ADD,
    QUERY_AUDIT_WALK_FROM,
    QUERY_AUDIT_HASH,
    QUERY_AUDIT_BEFORE,
    QUERY_VISIT_RETIRE,
    QUERY_ANSWER_RETIRE,
    QUERY_ACCOUNT_PUT,
    QUERY_ACCOUNT_GET,
    QUERY_ACCOUNTS_ALL,
    QUERY_ACCOUNT_DELETE,
    QUERY_COUNTS,
    QUERY_SLIP_PUT,
    QUERY_SLIP_LOAD,
    QUERY_SLIPS_ALL,
    QUERY_SLIPS_OPEN,
    QUERY_SLIPS_WAITING,
    QUERY_DISASTER_PUT,
    QUERY_DISASTER_END,
    QUERY_DISASTER_OPEN,
    QUERY_VISITS_AGAIN,
    QUERY_PATIENT_INSERT,
    QUERY_PATIENT_SAVE,
    QUERY_PATIENT_LOAD,
    QUERY_PATIENT_BY_NUMBER,
    QUERY_PATIENT_KEY_PUT,
    QUERY_PATIENT_KEY_DROP,
    QUERY_PATIENT_KEY_FIND,
    QUERY_RELAY_KEPT_PUT,
    QUERY_TROUBLE_ADD,
    QUERY_TROUBLES_SINCE,
    QUERY_TROUBLE_RETIRE,
    QUERY_PATIENT_RETIRE,
    QUERY_LINK_RETIRE,
    QUERY_RELAY_KEPT_RETIRE,
    QUERY_OUTBOX_ADD,
    QUERY_OUTBOX_SAVE,
    QUERY_OUTBOX_LOAD,
    QUERY_OUTBOX_NEXT,
    QUERY_OUTBOX_DUE,
    QUERY_OUTBOX_ALL,
    QUERY_OUTBOX_OPEN,
    QUERY_OUTBOX_VISIT,
    QUERY_OUTBOX_BEGUN,
    QUERY_OUTBOX_COUNTS,
    QUERY_OUTBOX_RETIRE,
    QUERY_OUTBOX_SAME,
    QUERY_COUNT
};

struct store {
    sqlite3 *db;
    int lock; /* the directory, locked against a second desk; -1 none */
    sqlite3_stmt *queries[QUERY_COUNT];
    struct clock *clock;
    struct secret wrap_key;   /* of the master key: seals the key ring */
    struct secret backup_key; /* of the master key: seals backups */
    struct keyring ring;
    uint64_t audit_rows;
    uint8_t audit_hash[STORE_HASH];
    uint64_t saved_rows; /* the chain's head before the transaction, for a rollback */
    uint8_t saved_hash[STORE_HASH];
    uint64_t commits;
    bool in_transaction;
};

/* ---- statement.c: bind in order, step, read in order ----------------------------------------- */

struct statement {
    struct store *store;
    sqlite3_stmt *stmt;
    int bound;
    int read;
    int rc;
};
void statement_start(struct statement *s, struct store *store, enum store_query query);
void statement_int(struct statement *s, int64_t value);
void statement_text(struct statement *s, const char *value);
/* NULL data binds NULL. Borrowed until statement_end(). */
void statement_blob(struct statement *s, const void *data, size_t len);
/* 1: a row; 0: done; negative errno. */
int statement_step(struct statement *s);
int64_t statement_get_int(struct statement *s);
/* Copies at most size - 1 bytes; false when there is more (also behind a NUL byte). */
bool statement_get_text(struct statement *s, char *out, size_t size);
/* Borrowed until the next step; NULL only for NULL, an empty value is none. */
const uint8_t *statement_get_blob(struct statement *s, size_t *len);
/* Negative errno when a value of this row could not be had (no memory), else 0: ask before using the row. */
int statement_error(struct statement *s);
/* Resets (and forgets the bound values); returns `r`. */
int statement_end(struct statement *s, int r);
/* Bind done: run to the end; 0 or negative errno. */
int statement_run(struct statement *s);
/* Bind done: the one number asked for; -ENOENT when there is none, or it is NULL. */
int statement_run_int(struct statement *s, int64_t *out);
int store_errno(struct store *store, int rc);

/* ---- seal.c ---------------------------------------------------------------------------------- */

int seal_hmac(const struct secret *key, const void *data, size_t len, uint8_t out[STORE_HASH]);
/* A key for one purpose from the master key. */
int seal_derive(const struct secret *master, const char *purpose, struct secret *out);
/* HMAC of what an answer or link is about. */
int seal_subject(const struct store *store, const void *data, size_t len, uint8_t out[STORE_HASH]);
/* *out is allocated (len + STORE_SEAL_ROOM); place: "visits.payload"; row binds it to its row. */
int seal_close(const struct store *store, const char *place, uint64_t row, const void *data,
               size_t len, uint8_t **out, size_t *out_len);
/* *out is allocated; wipe with seal_free(). -EBADMSG when it does not open. */
int seal_open(const struct store *store, const char *place, uint64_t row, const void *sealed,
              size_t len, uint8_t **out, size_t *out_len);
void seal_free(uint8_t **data, size_t len);
/* The same under a key that is named; generation becomes the first byte. */
int seal_close_with(const struct secret *key, uint8_t generation, const char *place, uint64_t row,
                    const void *data, size_t len, uint8_t **out, size_t *out_len);
int seal_open_with(const struct secret *key, const char *place, uint64_t row, const void *sealed,
                   size_t len, uint8_t **out, size_t *out_len);
int seal_chain(const struct store *store, const uint8_t previous[STORE_HASH], const void *row,
               size_t len, uint8_t out[STORE_HASH]);

/* ---- codes_of_failures.c: failures by their code --------------------------------------------- */

int64_t failure_to_store(uint16_t failure);
/* A number that no code has (an older program's) is FAILURE_NONE. */
uint16_t failure_from_store(int64_t number);

/* ---- audit.c --------------------------------------------------------------------------------- */

/* A new database: the head of an empty chain. */
int audit_seed(struct store *store);
/* Read the head of the chain at the start; -EBADMSG when there is none, or not ours. */
int audit_start(struct store *store);

/* ---- store.c --------------------------------------------------------------------------------- */

/*
 * For what is more than one statement: a transaction of its own unless the caller is in one already.
 * store_leave() commits when r is 0, else rolls back; returns r or the error of the commit.
 */
int store_enter(struct store *store, bool *alone);
int store_leave(struct store *store, bool alone, int r);

#endif
