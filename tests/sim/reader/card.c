/*
 * Opening a made card, power, counters and their state file. The commands are in card_commands.c.
 */
#include "card.h"

#include "card_impl.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EF_FILE_MAX = 65536, KEY_NAME_MAX = 64 };

static void ef_key_name(char out[KEY_NAME_MAX], const char *what, const struct ap *ap,
                        const struct ef *ef)
{
    snprintf(out, KEY_NAME_MAX, "%s.%s.%04X", what, ap->layout->name, ef->layout->id);
}

static int load_key(struct ef *ef, const char *path)
{
    uint8_t *pem = NULL;
    size_t len = 0;
    BIO *bio;
    int r;

    r = sim_util_read_file(path, EF_FILE_MAX, &pem, &len);
    if (r < 0)
        return r;
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio)
        ef->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    free(pem);
    return ef->key ? 0 : -EINVAL;
}

/* "1234 3" in card.conf: the secret and its maximum. */
static int load_secret(const struct card *card, const struct ap *ap, struct ef *ef)
{
    char key[KEY_NAME_MAX], secret[SECRET_MAX + 1];
    const char *value;
    int maximum;

    ef_key_name(key, "secret", ap, ef);
    value = sim_settings_get(card->conf, key, NULL);
    if (!value)
        return -ENOENT;
    if (sscanf(value, "%16s %d", secret, &maximum) != 2 || maximum < 1 || maximum > 15)
        return -EINVAL;
    strcpy(ef->secret, secret);
    ef->maximum = maximum;
    ef_key_name(key, "tries", ap, ef);
    value = sim_settings_get(card->conf, key, NULL);
    ef->tries = value ? atoi(value) : maximum;
    return ef->tries < 0 || ef->tries > maximum ? -EINVAL : 0;
}

static int load_ef(const struct card *card, const struct ap *ap, struct ef *ef, const char *dir)
{
    char path[PATH_MAX], key[KEY_NAME_MAX];
    const char *guard;
    uint64_t value;
    int n;

    memcpy(ef->guards, ef->layout->guards, sizeof(ef->guards));
    ef_key_name(key, "guard", ap, ef);
    guard = sim_settings_get(card->conf, key, NULL);
    if (guard) {
        if (sim_util_parse_u64(guard, 16, 0xffff, &value) < 0)
            return -EINVAL;
        memset(ef->guards, 0, sizeof(ef->guards));
        ef->guards[0] = (uint16_t)value;
    }
    if (ef->layout->kind == EF_SECRET)
        return load_secret(card, ap, ef);
    n = snprintf(path, sizeof(path), "%s/%s-%04X.%s", dir, ap->layout->name, ef->layout->id,
                 ef->layout->kind == EF_KEY ? "pem" : "bin");
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    if (ef->layout->kind == EF_KEY)
        return load_key(ef, path);
    return sim_util_read_file(path, EF_FILE_MAX, &ef->data, &ef->len);
}

/* A file that was not made for this card is a file the card does not have. */
static int load_application(struct card *card, const struct ap_layout *layout, const char *dir)
{
    struct ap *ap = &card->aps[card->ap_count];
    size_t i;
    int r;

    memset(ap, 0, sizeof(*ap));
    ap->layout = layout;
    for (i = 0; i < layout->ef_count; i++) {
        struct ef *ef = &ap->efs[ap->ef_count];

        memset(ef, 0, sizeof(*ef));
        ef->layout = &layout->efs[i];
        r = load_ef(card, ap, ef, dir);
        if (r == -ENOENT)
            continue;
        ap->ef_count++; /* counted even on error, so that sim_card_close frees it */
        if (r < 0) {
            card->ap_count++;
            return r;
        }
    }
    card->ap_count++;
    return 0;
}

static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word), n;

    while (*list) {
        n = strcspn(list, " ");
        if (n == len && strncmp(list, word, n) == 0)
            return true;
        list += n;
        list += strspn(list, " ");
    }
    return false;
}

static void apply_state(struct card *card, const struct settings *state)
{
    char key[KEY_NAME_MAX];
    const char *v;
    size_t i, j;
    int tries;

    for (i = 0; i < card->ap_count; i++) {
        struct ap *ap = &card->aps[i];

        for (j = 0; j < ap->ef_count; j++) {
            struct ef *ef = &ap->efs[j];

            if (ef->layout->kind != EF_SECRET)
                continue;
            ef_key_name(key, "tries", ap, ef);
            v = sim_settings_get(state, key, NULL);
            tries = v ? atoi(v) : ef->tries;
            if (tries >= 0 && tries <= ef->maximum)
                ef->tries = tries;
            ef_key_name(key, "value", ap, ef);
            v = sim_settings_get(state, key, NULL);
            if (v && strlen(v) <= SECRET_MAX)
                strcpy(ef->secret, v);
        }
    }
}

int sim_card_save_state(const struct card *card)
{
    struct settings *state = sim_settings_new();
    char key[KEY_NAME_MAX], number[12];
    size_t i, j;
    int r = state ? 0 : -ENOMEM;

    for (i = 0; i < card->ap_count && r == 0; i++) {
        const struct ap *ap = &card->aps[i];

        for (j = 0; j < ap->ef_count && r == 0; j++) {
            const struct ef *ef = &ap->efs[j];

            if (ef->layout->kind != EF_SECRET)
                continue;
            ef_key_name(key, "tries", ap, ef);
            snprintf(number, sizeof(number), "%d", ef->tries);
            r = sim_settings_set(state, key, number);
            ef_key_name(key, "value", ap, ef);
            if (r == 0)
                r = sim_settings_set(state, key, ef->secret);
        }
    }
    if (r == 0)
        r = sim_settings_save(state, card->state_path);
    sim_settings_free(&state);
    return r;
}

static int load_card(struct card *card, const char *dir)
{
    const char *atr, *apps;
    size_t i;
    int r;

    atr = sim_settings_get(card->conf, "atr", "none");
    if (strcmp(atr, "none") != 0) {
        r = sim_util_from_hex(atr, card->atr, sizeof(card->atr));
        if (r < 0)
            return r;
        card->atr_len = (size_t)r;
    }
    apps = sim_settings_get(card->conf, "applications", "");
    card->has_mf = *apps != 0;
    for (i = 0; i < sim_card_layout_count(); i++) {
        const struct ap_layout *layout = sim_card_layout(i);

        if (!list_has(apps, layout->name))
            continue;
        r = load_application(card, layout, dir);
        if (r < 0)
            return r;
    }
    return 0;
}

int sim_card_open(struct card **out, const char *dir, const char *state_dir, const char *name,
                  uint64_t seed)
{
    char card_dir[PATH_MAX], path[PATH_MAX];
    struct settings *state = NULL;
    struct card *card = NULL;
    int r;

    if (!*name || strchr(name, '/') || name[0] == '.')
        return -ENOENT;
    r = sim_util_path(card_dir, sizeof(card_dir), dir, name, NULL);
    if (r == 0)
        r = sim_util_path(path, sizeof(path), card_dir, "card.conf", NULL);
    if (r < 0)
        return r;
    card = calloc(1, sizeof(*card));
    if (!card)
        return -ENOMEM;
    card->prng.state = seed;
    card->name = strdup(name);
    r = card->name ? sim_settings_load(&card->conf, path, NULL) : -ENOMEM;
    if (r == 0)
        r = load_card(card, card_dir);
    if (r == 0)
        r = sim_util_path(path, sizeof(path), state_dir, name, ".state");
    if (r < 0)
        goto out;
    card->state_path = strdup(path);
    r = card->state_path ? sim_settings_load(&state, path, NULL) : -ENOMEM;
    if (r == -ENOENT)
        r = 0; /* never used yet */
    if (r < 0)
        goto out;
    if (state)
        apply_state(card, state);
    sim_card_reset(card);
    *out = card;
    card = NULL;
out:
    sim_settings_free(&state);
    sim_card_close(&card);
    return r;
}

void sim_card_close(struct card **card)
{
    size_t i, j;

    if (!*card)
        return;
    for (i = 0; i < (*card)->ap_count; i++) {
        for (j = 0; j < (*card)->aps[i].ef_count; j++) {
            free((*card)->aps[i].efs[j].data);
            EVP_PKEY_free((*card)->aps[i].efs[j].key);
        }
    }
    sim_settings_free(&(*card)->conf);
    free((*card)->state_path);
    free((*card)->name);
    free(*card);
    *card = NULL;
}

const char *sim_card_name(const struct card *card)
{
    return card->name;
}

size_t sim_card_atr(const struct card *card, uint8_t atr[CARD_ATR_MAX])
{
    memcpy(atr, card->atr, card->atr_len);
    return card->atr_len;
}

void sim_card_reset(struct card *card)
{
    size_t i, j;

    for (i = 0; i < card->ap_count; i++)
        for (j = 0; j < card->aps[i].ef_count; j++)
            card->aps[i].efs[j].verified = false;
    card->ap = NULL;
    card->ef = NULL;
}

size_t sim_card_transmit(struct card *card, const uint8_t *command, size_t len, uint8_t *response)
{
    struct response r = {response, 0};
    struct apdu a;
    unsigned sw;

    sw = sim_apdu_parse(&a, command, len) < 0 ? 0x6700 : sim_card_execute(card, &a, &r);
    util_put_be16(response + r.len, sw);
    return r.len + 2;
}

const char *sim_card_application(const struct card *card)
{
    return card->ap ? card->ap->layout->name : "mf";
}

/* The i-th secret of the card, over all applications. */
static struct ef *nth_secret(const struct card *card, size_t n, const struct ap **ap)
{
    size_t i, j;

    for (i = 0; i < card->ap_count; i++) {
        for (j = 0; j < card->aps[i].ef_count; j++) {
            if (card->aps[i].efs[j].layout->kind != EF_SECRET || n-- != 0)
                continue;
            *ap = &card->aps[i];
            return (struct ef *)(uintptr_t)&card->aps[i].efs[j];
        }
    }
    return NULL;
}

bool sim_card_counter(const struct card *card, size_t i, struct card_counter *out)
{
    const struct ap *ap;
    const struct ef *ef = nth_secret(card, i, &ap);

    if (!ef)
        return false;
    out->application = ap->layout->name;
    out->file = ef->layout->id;
    out->left = ef->tries;
    out->maximum = ef->maximum;
    return true;
}

int sim_card_set_counter(struct card *card, const char *key, int left)
{
    char name[KEY_NAME_MAX];
    const struct ap *ap;
    const char *ap_name;
    struct ef *ef;
    uint16_t file;
    size_t i;

    if (sim_card_layout_alias(key, &ap_name, &file)) {
        snprintf(name, sizeof(name), "%s.%04X", ap_name, file);
        key = name;
    }
    for (i = 0; (ef = nth_secret(card, i, &ap)) != NULL; i++) {
        char mine[KEY_NAME_MAX];

        snprintf(mine, sizeof(mine), "%s.%04X", ap->layout->name, ef->layout->id);
        if (strcasecmp(mine, key) != 0)
            continue;
        if (left < 0 || left > ef->maximum)
            return -ERANGE;
        ef->tries = left;
        return sim_card_save_state(card);
    }
    return -ENOENT;
}

int sim_card_reset_counters(struct card *card)
{
    const struct ap *ap;
    struct ef *ef;
    size_t i;
    int r;

    for (i = 0; (ef = nth_secret(card, i, &ap)) != NULL; i++) {
        r = load_secret(card, ap, ef);
        if (r < 0)
            return r;
    }
    return sim_card_save_state(card);
}
