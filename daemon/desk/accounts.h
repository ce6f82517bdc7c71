/*
 * accounts: who may sign in at the board, as which role, and what happens after wrong attempts.
 *
 * Passwords and one-time codes are judged by uketsuke-web, which alone sees them; it asks for what
 * it needs before each attempt, tells how it went, and lets somebody in only after this has counted
 * it, locked if need be and written it to the audit log. Counts and locks are on the disk, so that
 * no restart gives new attempts.
 *
 * A new account has a setup code instead of a password (its SHA-256 in hexadecimal, "setup:..." as
 * proof): whoever holds the code chooses the password, so that an administrator never knows one.
 */
#ifndef UKETSUKE_DESK_ACCOUNTS_H
#define UKETSUKE_DESK_ACCOUNTS_H

#include "../common/account.h"
#include "../common/clock.h"
#include "../common/message.h"

#include <stdbool.h>

struct store;
struct ipc;

#define ACCOUNTS_FREE_ATTEMPTS 5
#define ACCOUNTS_FIRST_LOCK_S 60
#define ACCOUNTS_LONGEST_LOCK_S 3600
#define ACCOUNTS_MOST 200

struct accounts {
    struct store *store;
    struct clock *clock;
};

void accounts_query(struct accounts *accounts, const struct msg_account_query *query,
                    struct msg_account *out);
void accounts_sign_in(struct accounts *accounts, const struct msg_sign_in *how,
                      struct msg_account_result *out);
void accounts_change(struct accounts *accounts, const struct msg_account_change *change,
                     struct msg_account_result *out);
/* For control_other(): takes the messages above and answers them; false when it is none of them. */
bool accounts_message(void *accounts, struct ipc *ipc, const struct message *message);

#endif
