/*
 * accounts: who may sign in at the board, as stored. What the fields mean is decided by
 * daemon/desk/accounts.h.
 *
 * Only an Argon2id hash of a password ever comes here. Functions return 0 or a negative errno as in
 * store.h.
 */
#ifndef UKETSUKE_STORE_ACCOUNTS_H
#define UKETSUKE_STORE_ACCOUNTS_H

#include "store.h"

#define ACCOUNT_NAME_MAX 64
#define ACCOUNT_PROOF_MAX 160
#define ACCOUNT_TOTP_MAX 32

struct store_account {
    char name[ACCOUNT_NAME_MAX + 1];
    uint8_t role;
    uint8_t state;
    uint32_t epoch;          /* goes up whenever sessions that are open must end */
    uint32_t failures;       /* wrong attempts since the last good one */
    int64_t locked_until_us; /* 0: not locked */
    uint64_t totp_step;      /* the newest one-time code that was used: none is taken twice */
    int64_t changed_us;
    char proof[ACCOUNT_PROOF_MAX + 1]; /* Argon2id (PHC string), or of a setup code */
    uint8_t totp_len;
    uint8_t totp[ACCOUNT_TOTP_MAX];
};

/* Makes it or writes all of it; changed_us is set. */
int store_account_put(struct store *store, struct store_account *account);
/* -ENOENT when there is none. Wipe the result after use. */
int store_account_get(struct store *store, const char *name, struct store_account *out);
int store_account_delete(struct store *store, const char *name);
/* All of them, in no order; stops when `each` returns non-zero. Damaged rows are logged and left
 * out. */
typedef int store_account_fn(const struct store_account *account, void *arg);
int store_accounts(struct store *store, store_account_fn *each, void *arg);

#endif
