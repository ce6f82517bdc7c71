/*
 * A card that lies, over all three operations: a chip made of the test's own files stands behind the channel, and
 * the input changes its files and its answers, APDU by APDU. The input: counters and switches, changes of files, the
 * operations, then for each request one byte (and more) about its answer; an input that has ended leaves the chip
 * honest.
 *
 * What must hold: each operation reports once; credentials go only to their key, each at most once for each time
 * that one was given; what is reported OK is whole; nothing is called genuine that was not signed: whatever was changed,
 * in the files or on the way, a genuine record's photo, birth and sex are those of the one record that has a signature.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"
#include "fuzz_shortage.h"
#include "tests/unit/card_rig.h"

#define PIN "1234"
#define NUMBER_B "55021720352285"

static struct rig_world world;

struct liar {
    struct card_channel channel; /* first */
    struct card_rig *rig;
    struct fuzz_input *in;
    card_channel_fn *done;
    void *arg;
    uint8_t *answer;
    size_t answer_len;
    unsigned verifies[2]; /* with data: the PIN, 照合番号B */
    unsigned given[2];
    bool any_changed;
    bool files_changed;
    bool trusted;
    unsigned requests;
};

static void change(struct liar *liar, const uint8_t *data, size_t len, unsigned what)
{
    size_t more;
    const uint8_t *bytes;

    free(liar->answer);
    liar->answer = NULL;
    liar->answer_len = 0;
    liar->any_changed = true;
    switch (what % 4) {
    case 0: /* other words entirely */
        liar->answer = fuzz_piece_copy(liar->in, 66000, &liar->answer_len);
        return;
    case 1: /* another status, no data */
        liar->answer = malloc(2);
        FUZZ_CHECK(liar->answer != NULL);
        liar->answer[0] = fuzz_u8(liar->in);
        liar->answer[1] = fuzz_u8(liar->in);
        liar->answer_len = 2;
        return;
    case 2:  /* a byte changed */
    default: /* bytes before the status cut off or put in */
        bytes = fuzz_piece(liar->in, 512, &more);
        liar->answer = malloc(len + more + 2);
        FUZZ_CHECK(liar->answer != NULL);
        memcpy(liar->answer, data, len);
        liar->answer_len = len;
        if (what % 4 == 2 && len > 0) {
            for (size_t i = 0; i + 2 < more; i += 3)
                liar->answer[(bytes[i] | (size_t)bytes[i + 1] << 8) % len] = bytes[i + 2];
        } else if (len >= 2 && (what & 4) != 0) {
            memcpy(liar->answer + len - 2, bytes, more);
            memcpy(liar->answer + len - 2 + more, data + len - 2, 2);
            liar->answer_len = len + more;
        } else if (len >= 2) {
            size_t cut = more < len ? more : len;

            liar->answer_len = len - cut;
        }
        return;
    }
}

static void on_answer(void *arg, enum card_link link, const uint8_t *data, size_t len)
{
    struct liar *liar = arg;
    card_channel_fn *done = liar->done;
    unsigned what = liar->in->left > 0 ? fuzz_u8(liar->in) : 0;

    liar->done = NULL;
    if (what >= 0xf8)
        link = (enum card_link)(what % CARD_LINK_COUNT);
    if (link == CARD_LINK_OK && what >= 0xa0 && what < 0xf8) {
        fuzz_shortage_pause();
        change(liar, data, len, what);
        fuzz_shortage_resume();
        done(liar->arg, CARD_LINK_OK, liar->answer, liar->answer_len);
        return;
    }
    if (what >= 0x90 && what < 0xa0)
        clock_advance(liar->rig->clock, what * CLOCK_SECOND / 100);
    done(liar->arg, link, link == CARD_LINK_OK ? data : NULL, link == CARD_LINK_OK ? len : 0);
}

static void keep(struct liar *liar, card_channel_fn *done, void *arg)
{
    FUZZ_CHECK(liar->done == NULL);
    FUZZ_CHECK(liar->requests++ < 4000);
    liar->done = done;
    liar->arg = arg;
}

static void power_on(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                     void *arg)
{
    struct liar *liar = (struct liar *)channel;

    keep(liar, done, arg);
    fuzz_shortage_pause();
    liar->rig->channel.ops->power_on(&liar->rig->channel, deadline_us, on_answer, liar);
    fuzz_shortage_resume();
}

static void power_off(struct card_channel *channel, uint64_t deadline_us, card_channel_fn *done,
                      void *arg)
{
    struct liar *liar = (struct liar *)channel;

    keep(liar, done, arg);
    fuzz_shortage_pause();
    liar->rig->channel.ops->power_off(&liar->rig->channel, deadline_us, on_answer, liar);
    fuzz_shortage_resume();
}

static void transmit(struct card_channel *channel, const uint8_t *apdu, size_t len,
                     uint64_t deadline_us, card_channel_fn *done, void *arg)
{
    struct liar *liar = (struct liar *)channel;
    const struct rig_file *key = liar->rig->current;

    keep(liar, done, arg);
    FUZZ_CHECK(len >= 4);
    if (apdu[1] == 0x20 && len > 5) {
        unsigned which = apdu[4] == 14;

        FUZZ_CHECK(len == 5u + apdu[4] && (apdu[4] == 4 || apdu[4] == 14));
        liar->verifies[which]++;
        /* An honest chip stands where the engine believes it to be: then the key is the right one. */
        if (!liar->any_changed && key != NULL)
            FUZZ_CHECK(which ? key->id == 0x0012 || key->id == 0x0015
                             : key->application == 1 && key->id == 0x0018);
    }
    /* The rig insists on power; a liar's card may have lost it without a word. */
    liar->rig->powered = true;
    fuzz_shortage_pause();
    liar->rig->channel.ops->transmit(&liar->rig->channel, apdu, len, deadline_us, on_answer, liar);
    fuzz_shortage_resume();
}

static void abort_request(struct card_channel *channel)
{
    struct liar *liar = (struct liar *)channel;

    liar->rig->channel.ops->abort(&liar->rig->channel);
}

static const struct card_channel_ops ops = {
    .power_on = power_on, .power_off = power_off, .transmit = transmit, .abort = abort_request};

static void on_report(struct card_engine *engine, const struct card_report *report, void *arg)
{
    struct liar *liar = arg;
    struct card_rig *rig = liar->rig;

    FUZZ_CHECK(engine == rig->engine);
    FUZZ_CHECK((unsigned)report->end < CARD_END_COUNT);
    rig->reports++;
    rig->report = *report;
    FUZZ_CHECK(strlen(report->birth) <= 8 && strlen(report->name) <= 256);
    /* Nothing that the host lacks makes an honest chip a false one. */
    if (liar->trusted && !liar->any_changed && !liar->files_changed)
        FUZZ_CHECK(report->record != GENUINE_NO && report->challenge != GENUINE_NO &&
                   report->chain != GENUINE_NO && report->end != CARD_END_NOT_ITS_KEY);
    if (report->end != CARD_END_OK)
        return;
    if (report->record == GENUINE_YES)
        FUZZ_CHECK(report->photo != NULL && report->photo_len == sizeof(world.photo) &&
                   memcmp(report->photo, world.photo, sizeof(world.photo)) == 0 &&
                   strcmp(report->birth, "19800217") == 0 && strcmp(report->sex, "1") == 0);
}

static void turn(struct card_rig *rig, unsigned before)
{
    /* As rig_finish(), with an end for a wish that was never begun. */
    for (unsigned i = 0; rig->reports == before; i++) {
        FUZZ_CHECK(i < 20000);
        if (rig->pending) {
            rig->pending = false;
            rig->done(rig->arg, rig->link, rig->link == CARD_LINK_OK ? rig->answer : NULL,
                      rig->link == CARD_LINK_OK ? rig->answer_len : 0);
        } else {
            clock_advance(rig->clock, 1000);
        }
    }
}

static void fill(struct secret *secret, const char *text, struct fuzz_input *in, bool raw)
{
    size_t len = strlen(text);
    const uint8_t *bytes = (const uint8_t *)text;

    if (raw)
        bytes = fuzz_piece(in, 32, &len);
    fuzz_shortage_pause();
    FUZZ_CHECK(secret_new(secret, 32) == 0);
    FUZZ_CHECK(secret_set(secret, bytes, len) == 0);
    fuzz_shortage_resume();
}

static void operate(struct liar *liar, unsigned what)
{
    struct card_rig *rig = liar->rig;
    struct card_sign_request sign = {.deadline_us =
                                         clock_monotonic_us(rig->clock) + 30 * CLOCK_SECOND,
                                     .last_try_agreed = (what & 8) != 0,
                                     .time = 1795339500,
                                     .institution = "9910000017",
                                     .purpose = "eligibility"};
    struct card_photo_request photo = {.deadline_us = sign.deadline_us,
                                       .few_tries_agreed = (what & 8) != 0,
                                       .scanned = (what & 16) != 0};
    struct secret secret = {0};
    unsigned before = rig->reports, pins = liar->verifies[0], numbers = liar->verifies[1];
    int r;

    switch (what % 4) {
    case 0:
        r = card_engine_identify(rig->engine, sign.deadline_us, on_report, liar);
        break;
    case 1:
        fill(&secret, PIN, liar->in, (what & 64) != 0);
        r = card_engine_sign(rig->engine, &sign, &secret, on_report, liar);
        secret_free(&secret);
        break;
    case 2:
        fill(&secret, NUMBER_B, liar->in, (what & 64) != 0);
        r = card_engine_photo(rig->engine, &photo, &secret, on_report, liar);
        secret_free(&secret);
        break;
    default:
        r = card_engine_off(rig->engine, on_report, liar);
        break;
    }
    if (r == 0 && (what & 32) != 0)
        card_engine_cancel(rig->engine);
    if (r == 0)
        turn(rig, before);
    FUZZ_CHECK(!card_engine_busy(rig->engine));
    /* One entry is one try of each key that it opens. */
    FUZZ_CHECK(liar->verifies[0] - pins <= (what % 4 == 1 ? 1u : 0u));
    FUZZ_CHECK(liar->verifies[1] - numbers <= (what % 4 == 2 ? 2u : 0u));
    if ((what & 128) != 0)
        card_engine_forget(rig->engine);
}

/* The files that the input changes are copies; `made` keeps them to be freed. */
static void change_files(struct liar *liar, uint8_t *made[8])
{
    unsigned count = fuzz_u8(liar->in) % 8;

    liar->files_changed = count > 0;

    for (unsigned i = 0; i < count; i++) {
        struct rig_file *file = &liar->rig->files[fuzz_u8(liar->in) % liar->rig->nfiles];
        unsigned what = fuzz_u8(liar->in);
        size_t more;
        const uint8_t *bytes = fuzz_piece(liar->in, 0x8000, &more);

        if (file->data == NULL) {
            if (file->secret != NULL) {
                file->tries = what % 16;
                file->query_sw =
                    what >= 0xc0 && more >= 2 ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 0;
            }
            continue;
        }
        made[i] = malloc(file->len + more + 1);
        FUZZ_CHECK(made[i] != NULL);
        memcpy(made[i], file->data, file->len);
        if (what % 3 == 0) {
            memcpy(made[i], bytes, more);
            file->len = more;
        } else if (what % 3 == 1 && file->len > 0) {
            for (size_t at = 0; at + 2 < more; at += 3)
                made[i][(bytes[at] | (size_t)bytes[at + 1] << 8) % file->len] = bytes[at + 2];
        } else {
            file->len = more < file->len ? file->len - more : 0;
        }
        file->data = made[i];
    }
}

static void forget_world(void)
{
    rig_world_free(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct card_rig rig;
    static bool made_world;
    struct fuzz_input in = {data, (fuzz_shortage_take(data, &size), size)};
    struct liar liar = {.rig = &rig, .in = &in};
    uint8_t *made[8] = {NULL};
    unsigned flags = fuzz_u8(&in), operations;

    if (!made_world)
        FUZZ_CHECK(rig_world_new(&world) == 0 && atexit(forget_world) == 0);
    made_world = true;
    rig_start(&rig, &world, (flags & 1) == 0);
    rig.no_extended = (flags & 2) != 0;
    rig.short_pieces = (flags & 4) != 0;
    rig.wrong_length = (flags & 8) != 0;
    liar.channel.ops = &ops;
    liar.channel.read_max = (flags & 16) != 0 ? 32768 : 256;
    change_files(&liar, made);
    liar.trusted = (flags & 1) == 0;
    card_engine_set_channel(rig.engine, &liar.channel);
    operations = fuzz_u8(&in) % 5;
    {
        uint8_t wishes[5];

        for (unsigned i = 0; i < operations; i++)
            wishes[i] = fuzz_u8(&in);
        fuzz_shortage_arm();
        for (unsigned i = 0; i < operations; i++) {
            free(liar.answer);
            liar.answer = NULL;
            operate(&liar, wishes[i]);
        }
    }
    (void)fuzz_shortage_disarm();
    rig_stop(&rig);
    free(liar.answer);
    for (unsigned i = 0; i < 8; i++)
        free(made[i]);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static const struct {
        const char *name, *hex;
    } rows[] = {
        {"visit", "00 00 04 00 02 01 03"},
        {"short_pieces", "06 00 03 00 02 01"},
        {"wrong_length", "0a 00 03 00 02 01"},
        {"extended", "10 00 03 00 02 01"},
        {"untrusted", "01 00 03 00 02 01"},
        {"few_tries", "00 02 03 01 0000 06 01 0000 02 09 0a"},
        {"changed_photo", "00 01 04 01 0300 e8 03 00 02 00 02"},
        {"cut_filler", "00 01 04 11 0300 000000 02 00 02"},       /* it stands behind the record */
        {"changed_expiry", "00 01 04 01 0300 90 25 36 02 00 02"}, /* it has no signature */
        {"photo_alone", "00 00 01 02"},
        {"other_status", "00 00 02 00 01 00 00 a1 6a 82 00 a1 69 84"},
        {"removed", "00 00 02 00 02 00 00 00 fb 00 00 fc"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        seed_hex(&seed, rows[i].hex);
        seed_write(&seed, rows[i].name);
    }
}
