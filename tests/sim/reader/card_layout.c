/*
 * The applications and files of a My Number Card as third parties measured them on test cards
 * (myna, myna-card, jsapdu, OpenSC; no official document is public). Which of them a given card
 * has is decided by the files sim-makecards wrote for it.
 */
#include "card_impl.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct ef_layout jpki_efs[] = {
    {0x0001, EF_DATA, {0x001B}}, /* certificate for signing */
    {0x0002, EF_DATA, {0}},      /* its CA */
    {0x0006, EF_DATA, {0}},      /* token name */
    {0x0008, EF_DATA, {0}},      /* which certificates there are */
    {0x000A, EF_DATA, {0}},      /* user certificate; a phone asks for the PIN (card.conf) */
    {0x000B, EF_DATA, {0}},      /* its CA */
    {0x0016, EF_DATA, {0}},      /* key reference for terminal certificates */
    {0x0017, EF_KEY, {0x0018}},  /* user authentication key */
    {0x0018, EF_SECRET, {0}},    /* 4-digit PIN, 3 tries */
    {0x001A, EF_KEY, {0x001B}},  /* signing key */
    {0x001B, EF_SECRET, {0}},    /* 6-16 characters, 5 tries */
};

static const struct ef_layout kenkaku_efs[] = {
    {0x0001, EF_DATA, {0x0011}},         /* age record */
    {0x0002, EF_DATA, {0x0012, 0x0013}}, /* card face with photo */
    {0x0003, EF_DATA, {0}},              /* application information */
    {0x0004, EF_DATA, {0}},              /* certificate of the signer of the records */
    {0x0005, EF_DATA, {0x0013}},         /* individual number as picture */
    {0x0006, EF_DATA, {0}},
    {0x0011, EF_SECRET, {0}}, /* birth date, 6 digits */
    {0x0012, EF_SECRET, {0}}, /* verification number B, 14 digits */
    {0x0013, EF_SECRET, {0}}, /* verification number A, 12 digits */
    {0x001A, EF_KEY, {0}},    /* the card's own key, for challenges */
};

static const struct ef_layout kenhojo_efs[] = {
    {0x0001, EF_DATA, {0x0011, 0x0014}},         /* individual number */
    {0x0002, EF_DATA, {0x0011, 0x0015}},         /* name, address, birth date, sex */
    {0x0003, EF_DATA, {0x0011, 0x0014}},         /* digests and signature */
    {0x0004, EF_DATA, {0}},                      /* certificate of the signer */
    {0x0005, EF_DATA, {0}},                      /* application information */
    {0x0006, EF_DATA, {0x0011, 0x0014, 0x0015}}, /* key for a session key */
    {0x0007, EF_DATA, {0x0011, 0x0014, 0x0015}}, /* the application's own public key */
    {0x0011, EF_SECRET, {0}},                    /* 4-digit PIN, 3 tries */
    {0x0012, EF_SECRET, {0}},                    /* leaves the factory blocked */
    {0x0013, EF_KEY, {0}},
    {0x0014, EF_SECRET, {0}}, /* verification number A */
    {0x0015, EF_SECRET, {0}}, /* verification number B, counter of its own */
};

static const struct ef_layout juki_efs[] = {
    {0x0002, EF_DATA, {0}},
    {0x001C, EF_SECRET, {0}},
};

static const struct ef_layout common_efs[] = {
    {0x0001, EF_RECORDS, {0}}, /* serial, municipality, expiry */
    {0x0019, EF_KEY, {0}},
    {0x001C, EF_SECRET, {0}},
};

static const struct ap_layout layouts[] = {
    {"jpki",
     {0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01},
     10,
     jpki_efs,
     COUNT(jpki_efs),
     0,
     0,
     true},
    {"kenkaku",
     {0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x02},
     10,
     kenkaku_efs,
     COUNT(kenkaku_efs),
     0x001A,
     0,
     false},
    {"kenhojo",
     {0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08},
     10,
     kenhojo_efs,
     COUNT(kenhojo_efs),
     0x0013,
     0,
     true},
    {"juki",
     {0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x01},
     10,
     juki_efs,
     COUNT(juki_efs),
     0,
     0,
     false},
    {"common",
     {0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x01, 0x00},
     10,
     common_efs,
     COUNT(common_efs),
     0,
     0x0019,
     false},
};

static const struct {
    const char *alias, *ap;
    uint16_t file;
} aliases[] = {
    {"auth-pin", "jpki", 0x0018},         {"sign-password", "jpki", 0x001B},
    {"birth", "kenkaku", 0x0011},         {"number-b", "kenkaku", 0x0012},
    {"number-a", "kenkaku", 0x0013},      {"text-pin", "kenhojo", 0x0011},
    {"text-number-a", "kenhojo", 0x0014}, {"text-number-b", "kenhojo", 0x0015},
    {"juki-pin", "juki", 0x001C},
};

const struct ap_layout *sim_card_layout(size_t i)
{
    return i < COUNT(layouts) ? &layouts[i] : NULL;
}

size_t sim_card_layout_count(void)
{
    return COUNT(layouts);
}

bool sim_card_layout_alias(const char *alias, const char **ap, uint16_t *file)
{
    size_t i;

    for (i = 0; i < COUNT(aliases); i++) {
        if (strcmp(aliases[i].alias, alias) == 0) {
            *ap = aliases[i].ap;
            *file = aliases[i].file;
            return true;
        }
    }
    return false;
}
