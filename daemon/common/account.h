/*
 * account: the vocabulary of staff accounts that desk, web and command share, and setup codes.
 *
 * A new account has a setup code instead of a password: 16 letters of base32 (80 random bits),
 * shown once, of which only the SHA-256 travels and is kept ("setup:" and 64 hexadecimal digits).
 */
#ifndef UKETSUKE_ACCOUNT_H
#define UKETSUKE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* As in the database and in messages. */
enum account_role { ROLE_NONE = 0, ROLE_RECEPTION = 1, ROLE_CLINICIAN = 2, ROLE_ADMINISTRATOR = 3 };
enum account_state { ACCOUNT_SETUP = 0, ACCOUNT_ACTIVE = 1, ACCOUNT_DISABLED = 2 };
enum sign_in { SIGN_IN_WRONG = 0, SIGN_IN_GOOD = 1 };
enum account_change {
    ACCOUNT_NEW = 1,  /* name, role, proof of the setup code */
    ACCOUNT_SET_UP,   /* by its holder, after web has judged the setup code */
    ACCOUNT_PASSWORD, /* by its holder, after signing in; epoch as seen */
    ACCOUNT_RESET,    /* a new setup code; the old password is gone */
    ACCOUNT_ROLE,
    ACCOUNT_DISABLE,
    ACCOUNT_ENABLE,
    ACCOUNT_REMOVE,
};

/* "" and 0 for what is none. */
const char *account_role_name(uint8_t role);
uint8_t account_role_of(const char *name);
const char *account_state_name(uint8_t state);
/* Those that an administrator asks for: add, reset, role, disable, enable, remove. */
uint8_t account_change_of(const char *word);

#define ACCOUNT_CODE_LETTERS 16
#define ACCOUNT_PROOF_ROOM 161

/* A fresh code and its proof for the desk. 0 or -EIO. */
int account_setup_new(char code[ACCOUNT_CODE_LETTERS + 1], char proof[ACCOUNT_PROOF_ROOM]);
/* As typed: blanks, hyphens and case disregarded. */
bool account_setup_fits(const char *proof, const char *typed);

#endif
