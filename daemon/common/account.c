#include "account.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char *const roles[] = {"", "reception", "clinician", "administrator"};
static const char *const states[] = {"setup", "active", "disabled"};
static const char *const changes[] = {"",     "add",     "",       "",      "reset",
                                      "role", "disable", "enable", "remove"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *account_role_name(uint8_t role)
{
    return role < COUNT(roles) ? roles[role] : "";
}

uint8_t account_role_of(const char *name)
{
    for (size_t i = 1; i < COUNT(roles); i++)
        if (strcmp(roles[i], name) == 0)
            return (uint8_t)i;
    return 0;
}

const char *account_state_name(uint8_t state)
{
    return state < COUNT(states) ? states[state] : "";
}

uint8_t account_change_of(const char *word)
{
    for (size_t i = 1; i < COUNT(changes); i++)
        if (changes[i][0] != '\0' && strcmp(changes[i], word) == 0)
            return (uint8_t)i;
    return 0;
}

static int proof_of(const char *code, char proof[ACCOUNT_PROOF_ROOM])
{
    uint8_t hash[32];

    if (EVP_Digest(code, ACCOUNT_CODE_LETTERS, hash, NULL, EVP_sha256(), NULL) != 1)
        return -EIO;
    memcpy(proof, "setup:", 7);
    for (size_t i = 0; i < sizeof(hash); i++)
        (void)snprintf(proof + 6 + 2 * i, 3, "%02x", hash[i]);
    return 0;
}

int account_setup_new(char code[ACCOUNT_CODE_LETTERS + 1], char proof[ACCOUNT_PROOF_ROOM])
{
    uint8_t random[ACCOUNT_CODE_LETTERS];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return -EIO;
    for (size_t i = 0; i < ACCOUNT_CODE_LETTERS; i++)
        code[i] = letters[random[i] & 31];
    code[ACCOUNT_CODE_LETTERS] = '\0';
    explicit_bzero(random, sizeof(random));
    return proof_of(code, proof);
}

bool account_setup_fits(const char *proof, const char *typed)
{
    char code[ACCOUNT_CODE_LETTERS + 1] = "", wanted[ACCOUNT_PROOF_ROOM];
    size_t n = 0;
    bool fits;

    for (; *typed != '\0'; typed++) {
        if (*typed == ' ' || *typed == '-')
            continue;
        if (n == ACCOUNT_CODE_LETTERS)
            return false;
        code[n++] = (char)toupper((unsigned char)*typed);
    }
    if (n != ACCOUNT_CODE_LETTERS || proof_of(code, wanted) < 0)
        return false;
    fits = strlen(proof) == strlen(wanted) && CRYPTO_memcmp(proof, wanted, strlen(wanted)) == 0;
    explicit_bzero(code, sizeof(code));
    explicit_bzero(wanted, sizeof(wanted));
    return fits;
}
