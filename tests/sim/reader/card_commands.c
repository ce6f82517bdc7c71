/*
 * The commands of the card, one function each, found by a table of CLA and INS.
 */
#include "card_impl.h"

#include <stdio.h>
#include <string.h>

static const uint8_t isd_aid[] = {0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00};

static struct ef *find_ef(struct ap *ap, unsigned id)
{
    size_t i;

    for (i = 0; ap && i < ap->ef_count; i++)
        if (ap->efs[i].layout->id == id)
            return &ap->efs[i];
    return NULL;
}

/* A short file identifier is the low five bits of the file id. */
static struct ef *find_sfi(struct ap *ap, unsigned sfi)
{
    size_t i;

    for (i = 0; ap && i < ap->ef_count; i++)
        if ((ap->efs[i].layout->id & 0x1fu) == sfi)
            return &ap->efs[i];
    return NULL;
}

static bool is_open(struct ap *ap, const struct ef *ef)
{
    size_t i;

    if (ef->guards[0] == 0)
        return true;
    for (i = 0; i < EF_GUARDS && ef->guards[i]; i++) {
        const struct ef *guard = find_ef(ap, ef->guards[i]);

        if (guard && guard->verified)
            return true;
    }
    return false;
}

static unsigned select_application(struct card *card, const struct apdu *a)
{
    size_t i;

    if (card->has_mf && a->lc == sizeof(isd_aid) && memcmp(a->data, isd_aid, a->lc) == 0) {
        card->ap = NULL;
        card->ef = NULL;
        return 0x9000;
    }
    for (i = 0; i < card->ap_count; i++) {
        const struct ap_layout *l = card->aps[i].layout;

        if (l->aid_len != a->lc || memcmp(l->aid, a->data, a->lc) != 0)
            continue;
        card->ap = &card->aps[i];
        card->ef = NULL;
        return 0x9000;
    }
    return 0x6A82;
}

static unsigned cmd_select(struct card *card, const struct apdu *a, struct response *r)
{
    struct ef *ef;

    (void)r;
    if (!card->has_mf)
        return 0x6A82; /* a transit card knows no file */
    if (a->p1 == 0x00 && a->p2 == 0x00)
        return card->ap ? 0x9000 : 0x6A86; /* SELECT MF: without effect inside an application */
    if (a->p2 != 0x0C)
        return 0x6A86;
    if (a->p1 == 0x04)
        return a->lc ? select_application(card, a) : 0x6A82;
    if (a->p1 != 0x02)
        return 0x6A86;
    if (a->lc != 2)
        return 0x6700;
    ef = find_ef(card->ap, util_get_be16(a->data));
    if (!ef)
        return 0x6A82;
    card->ef = ef;
    return 0x9000;
}

static unsigned cmd_read_binary(struct card *card, const struct apdu *a, struct response *r)
{
    size_t offset, n;
    struct ef *ef;

    if (a->lc || a->le == 0)
        return 0x6700;
    if (a->p1 & 0x80) {
        if (a->p1 & 0x60)
            return 0x6A86;
        ef = find_sfi(card->ap, a->p1 & 0x1fu);
        if (!ef)
            return 0x6A82;
        card->ef = ef;
        offset = a->p2;
    } else {
        offset = util_get_be16((const uint8_t[]){a->p1, a->p2});
    }
    ef = card->ef;
    if (!ef)
        return 0x6986;
    if (ef->layout->kind != EF_DATA)
        return 0x6981;
    if (!is_open(card->ap, ef))
        return 0x6982;
    if (offset >= ef->len)
        return 0x6B00;
    n = ef->len - offset;
    if (n > a->le)
        n = a->le;
    memcpy(r->data, ef->data + offset, n);
    r->len = n;
    return n < a->le && !a->le_is_maximum ? 0x6282 : 0x9000;
}

static unsigned cmd_read_record(struct card *card, const struct apdu *a, struct response *r)
{
    unsigned sfi = a->p2 >> 3, record = a->p1;
    size_t pos = 0, n;
    struct ef *ef;

    if (a->lc || a->le == 0)
        return 0x6700;
    if ((a->p2 & 7) != 4 || record == 0)
        return 0x6A86;
    ef = sfi ? find_sfi(card->ap, sfi) : card->ef;
    if (!ef)
        return sfi ? 0x6A82 : 0x6986;
    card->ef = ef;
    if (ef->layout->kind != EF_RECORDS)
        return 0x6981;
    if (!is_open(card->ap, ef))
        return 0x6982;
    while (pos + 2 <= ef->len) {
        n = 2u + ef->data[pos + 1];
        if (n > ef->len - pos)
            break;
        if (--record == 0) {
            if (n > a->le)
                return 0x6700;
            memcpy(r->data, ef->data + pos, n);
            r->len = n;
            return n < a->le && !a->le_is_maximum ? 0x6282 : 0x9000;
        }
        pos += n;
    }
    return 0x6A83;
}

/* P2 = 80: the current file; 80 | SFI: that file, which becomes current. */
static unsigned key_by_p2(struct card *card, unsigned p2, enum ef_kind kind, struct ef **out)
{
    struct ef *ef;

    if ((p2 & 0xe0) != 0x80)
        return 0x6A86;
    ef = p2 == 0x80 ? card->ef : find_sfi(card->ap, p2 & 0x1f);
    if (!ef)
        return p2 == 0x80 ? 0x6986 : 0x6A82;
    if (ef->layout->kind != kind)
        return 0x6981;
    card->ef = ef;
    *out = ef;
    return 0x9000;
}

static unsigned tries_left(const struct ef *ef)
{
    return 0x63C0u | (unsigned)ef->tries;
}

static unsigned cmd_verify(struct card *card, const struct apdu *a, struct response *r)
{
    struct ef *ef;
    unsigned sw;

    (void)r;
    if (a->p1 != 0)
        return 0x6A86;
    if (a->le)
        return 0x6700;
    sw = key_by_p2(card, a->p2, EF_SECRET, &ef);
    if (sw != 0x9000)
        return sw;
    if (a->lc == 0)
        return tries_left(ef);
    if (ef->tries == 0)
        return 0x6984;
    ef->verified = a->lc == strlen(ef->secret) && memcmp(a->data, ef->secret, a->lc) == 0;
    ef->tries = ef->verified ? ef->maximum : ef->tries - 1;
    /* A try that cannot be written down must not be answered as if it had counted. */
    if (sim_card_save_state(card) < 0) {
        ef->verified = false;
        return 0x6F00;
    }
    return ef->verified ? 0x9000 : tries_left(ef);
}

static unsigned cmd_change_secret(struct card *card, const struct apdu *a, struct response *r)
{
    struct ef *ef;
    unsigned sw;

    (void)r;
    if (a->p1 != 1)
        return 0x6A86;
    sw = key_by_p2(card, a->p2, EF_SECRET, &ef);
    if (sw != 0x9000)
        return sw;
    if (!card->ap->layout->can_change_secrets)
        return 0x6985;
    if (!ef->verified)
        return 0x6982;
    if (a->lc == 0 || a->lc > SECRET_MAX || memchr(a->data, 0, a->lc) ||
        memchr(a->data, ' ', a->lc) || memchr(a->data, '\n', a->lc))
        return 0x6A80;
    memcpy(ef->secret, a->data, a->lc);
    ef->secret[a->lc] = 0;
    return sim_card_save_state(card) < 0 ? 0x6F00 : 0x9000;
}

static unsigned cmd_get_challenge(struct card *card, const struct apdu *a, struct response *r)
{
    if (a->p1 || a->p2)
        return 0x6A86;
    if (a->lc || a->le == 0 || a->le > 256)
        return 0x6700;
    sim_prng_fill(&card->prng, r->data, a->le);
    r->len = a->le;
    return 0x9000;
}

static unsigned cmd_internal_authenticate(struct card *card, const struct apdu *a,
                                          struct response *r)
{
    struct ef *ef;
    unsigned sw;

    if (a->p1 != 0)
        return 0x6A86;
    if (a->lc == 0 || a->le == 0)
        return 0x6700;
    sw = key_by_p2(card, a->p2, EF_KEY, &ef);
    if (sw != 0x9000)
        return sw;
    if (card->ap->layout->internal_auth_key != ef->layout->id)
        return 0x6985;
    return sim_card_compute_signature(ef, 0, a->data, a->lc, r);
}

static unsigned cmd_sign(struct card *card, const struct apdu *a, struct response *r)
{
    struct ef *ef = NULL;
    unsigned sw;

    if (a->p2 == 0) {
        if (!card->ap || card->ap->layout->default_key == 0)
            return 0x6A86;
        ef = find_ef(card->ap, card->ap->layout->default_key);
        if (!ef)
            return 0x6A88;
    } else {
        sw = key_by_p2(card, a->p2, EF_KEY, &ef);
        if (sw != 0x9000)
            return sw;
    }
    if (a->lc == 0 || a->le == 0)
        return 0x6700;
    if (!is_open(card->ap, ef))
        return 0x6982;
    sw = sim_card_compute_signature(ef, a->p1, a->data, a->lc, r);
    if (sw == 0x9000 && r->len > a->le) {
        r->len = 0;
        sw = 0x6700;
    }
    return sw;
}

/* Data objects of the card manager, wrapped in their tag as GlobalPlatform answers. */
static unsigned cmd_get_data(struct card *card, const struct apdu *a, struct response *r)
{
    unsigned tag = (unsigned)a->p1 << 8 | a->p2;
    uint8_t value[128];
    struct buf b = {0};
    const char *hex;
    unsigned sw = 0x9000;
    char key[32];
    int n;

    if (a->lc || a->le == 0)
        return 0x6700;
    snprintf(key, sizeof(key), "data-object.%04X", tag);
    hex = card->ap ? NULL : sim_settings_get(card->conf, key, NULL);
    if (!hex)
        return 0x6A88;
    n = sim_util_from_hex(hex, value, sizeof(value));
    if (n < 0)
        return 0x6F00;
    sim_buf_put_tlv(&b, tag, value, (size_t)n);
    if (b.failed) {
        sw = 0x6F00;
    } else if (b.len > a->le) {
        sw = 0x6700;
    } else {
        memcpy(r->data, b.data, b.len);
        r->len = b.len;
    }
    sim_buf_free(&b);
    return sw;
}

static const struct {
    uint8_t cla, ins;
    unsigned (*run)(struct card *card, const struct apdu *a, struct response *r);
} commands[] = {
    {0x00, 0xA4, cmd_select},
    {0x00, 0xB0, cmd_read_binary},
    {0x00, 0xB2, cmd_read_record},
    {0x00, 0x20, cmd_verify},
    {0x00, 0x24, cmd_change_secret},
    {0x00, 0x84, cmd_get_challenge},
    {0x00, 0x88, cmd_internal_authenticate},
    {0x00, 0xCA, cmd_get_data},
    {0x80, 0x2A, cmd_sign},
};

static unsigned refuse_class(unsigned cla)
{
    if ((cla & 0x7f) == 0)
        return 0x9000;
    if (cla & 0x70)
        return 0x6E00;
    return cla & 0x0c ? 0x6882 : 0x6881;
}

unsigned sim_card_execute(struct card *card, const struct apdu *a, struct response *r)
{
    unsigned sw = refuse_class(a->cla);
    bool ins_known = false;
    size_t i;

    if (sw != 0x9000)
        return sw;
    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (commands[i].ins != a->ins)
            continue;
        if (commands[i].cla == a->cla)
            return commands[i].run(card, a, r);
        ins_known = true;
    }
    return ins_known ? 0x6E00 : 0x6D00;
}
