/*
 * The block protocol T=1 with a card whose every block comes from the input: as it is, or with its length and check
 * byte put right, or none at all. Whatever the card says, a block that goes out is a block, a command that was sent
 * whole is never begun anew, and each exchange ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/ccid/t1.h"
#include "fuzz.h"
#include "tests/sim/reader/tpdu.h"

#define ENDS_WITHIN 64u

struct world {
    struct t1 t1;
    enum t1_next next;
    bool busy;
    uint8_t *command;
    size_t command_len;
    size_t answered;
    /* the last information block that went out */
    uint8_t sent[T1_BLOCK_MAX];
    size_t sent_len;
    bool whole; /* the command's last block has gone out */
};

static size_t tail(const struct t1 *t1)
{
    return t1->crc ? 2 : 1;
}

static void check_epilogue(const struct t1 *t1, uint8_t *block, size_t len, bool put)
{
    uint8_t right[2] = {0, 0};
    uint16_t crc;

    if (t1->crc) {
        crc = t1_crc16(block, len);
        right[0] = (uint8_t)(crc >> 8);
        right[1] = (uint8_t)crc;
    } else {
        for (size_t i = 0; i < len; i++)
            right[0] ^= block[i];
    }
    if (put)
        memcpy(block + len, right, tail(t1));
    else
        FUZZ_CHECK(memcmp(block + len, right, tail(t1)) == 0);
}

static void look(struct world *w)
{
    struct t1 *t1 = &w->t1;
    bool information = (t1->block[1] & 0x80) == 0;

    if (t1->drop)
        w->answered = 0;
    if (t1->part != NULL) {
        FUZZ_CHECK(t1->part_len <= 254);
        w->answered += t1->part_len;
    }
    if (w->next != T1_SEND) {
        FUZZ_CHECK(t1->phase == T1_IDLE || w->next == T1_DEAD);
        w->busy = false;
        return;
    }
    FUZZ_CHECK(t1->block_len >= T1_PROLOGUE + tail(t1) && t1->block_len <= T1_BLOCK_MAX);
    FUZZ_CHECK(t1->block_len <= t1->block_max);
    FUZZ_CHECK(t1->block[0] == 0 && t1->block[2] + T1_PROLOGUE + tail(t1) == t1->block_len);
    check_epilogue(t1, t1->block, t1->block_len - tail(t1), false);
    if (!information)
        return;
    FUZZ_CHECK(t1->block[2] <= t1->ifsc);
    /* Once whole, only the very same block goes out again: the card knows by its number that it is the same. */
    if (w->whole)
        FUZZ_CHECK(t1->block_len == w->sent_len && memcmp(t1->block, w->sent, w->sent_len) == 0);
    memcpy(w->sent, t1->block, t1->block_len);
    w->sent_len = t1->block_len;
    w->whole = (t1->block[1] & 0x20) == 0;
}

static void begin(struct world *w, struct fuzz_input *in)
{
    uint8_t prologue[T1_PROLOGUE];
    size_t len;

    free(w->command);
    w->command = fuzz_piece_copy(in, 2000, &len);
    w->command_len = len;
    w->whole = false;
    w->answered = 0;
    w->busy = true;
    if (len == 5 && w->t1.phase == T1_IDLE) {
        /* put in by the reader itself */
        t1_command_outside(&w->t1, len, prologue);
        FUZZ_CHECK(prologue[2] == len);
        w->whole = true;
        memset(w->sent, 0xff, sizeof(w->sent));
        w->sent_len = 1; /* it can never go out again */
        return;
    }
    w->next = t1_command(&w->t1, w->command, len);
    look(w);
}

static void step(struct world *w, struct fuzz_input *in)
{
    uint8_t block[T1_BLOCK_MAX + 16];
    unsigned what = fuzz_u8(in);
    const uint8_t *piece;
    size_t len;

    if (!w->busy) {
        begin(w, in);
        return;
    }
    if (what < 16) {
        w->next = t1_nothing(&w->t1, (what & 1) != 0);
        look(w);
        return;
    }
    piece = fuzz_piece(in, sizeof(block) - 4, &len);
    if (len > 0)
        memcpy(block, piece, len);
    if (what >= 32 && len >= T1_PROLOGUE && len <= T1_PROLOGUE + 254u) {
        block[0] = 0;
        block[2] = (uint8_t)(len - T1_PROLOGUE);
        check_epilogue(&w->t1, block, len, true);
        len += tail(&w->t1);
    }
    w->next = t1_received(&w->t1, block, len);
    look(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned flags = fuzz_u8(&in), turns = 0;
    uint8_t ifsc = fuzz_u8(&in);
    uint32_t ifsd = fuzz_u16(&in);
    size_t block_max = 54 + fuzz_u8(&in); /* the least message of a reader is 64 bytes */
    struct world w;

    memset(&w, 0, sizeof(w));
    t1_init(&w.t1, ifsc > 0 && ifsc < 255 ? ifsc : 32, (flags & 1) != 0, ifsd, (flags & 2) != 0,
            block_max);
    w.next = t1_start(&w.t1);
    w.busy = true;
    look(&w);
    while (in.left > 0)
        step(&w, &in);
    /* A card that falls silent is given up. */
    while (w.busy) {
        FUZZ_CHECK(++turns < ENDS_WITHIN);
        w.next = t1_nothing(&w.t1, false);
        look(&w);
    }
    t1_wipe(&w.t1);
    free(w.command);
    return 0;
}

/* -- seeds: what the simulated card says in whole exchanges ------------------------------------ */

struct script {
    uint8_t response[1200];
    size_t len;
};

static size_t run_script(void *arg, const uint8_t *apdu, size_t len, const uint8_t **response)
{
    struct script *script = arg;

    (void)apdu;
    (void)len;
    *response = script->response;
    return script->len;
}

/* `fault`: how the simulated card misbehaves in the second block, NULL: not at all. */
static void record(const char *name, size_t command_len, size_t response_len, const char *fault)
{
    static struct fuzz_seed seed;
    static struct sim_t1 sim;
    static uint8_t command[2000];
    struct script script = {.len = response_len};
    struct tpdu_card card = {run_script, &script};
    struct faults *faults = sim_faults_new();
    struct t1 t1;
    enum t1_next next;
    char words[3][16];
    char *list[3] = {words[0], words[1], words[2]}, why[128];
    unsigned n = 0;

    memset(&sim, 0, sizeof(sim));
    sim_t1_reset(&sim);
    t1_init(&t1, 254, false, 254, false, 261);
    if (fault != NULL) {
        n = (unsigned)sscanf(fault, "%15s %15s %15s", words[0], words[1], words[2]);
        FUZZ_CHECK(sim_faults_arm(faults, list, n, why, sizeof(why)) == 0);
    }
    seed_u8(&seed, 0);
    seed_u8(&seed, 254);
    seed_u16(&seed, 254);
    seed_u8(&seed, 207);
    next = t1_start(&t1);
    for (unsigned exchange = 0; exchange < 2; exchange++) {
        while (next == T1_SEND) {
            uint8_t out[TPDU_BLOCK_MAX];
            size_t len = sim_t1_block(&sim, &card, faults, t1.block, t1.block_len, out);

            seed_u8(&seed, len > 0 ? 16 : 0);
            if (len > 0)
                seed_piece(&seed, out, len);
            next = len > 0 ? t1_received(&t1, out, len) : t1_nothing(&t1, false);
        }
        if (exchange == 0) {
            seed_u8(&seed, 0);
            seed_piece(&seed, command, command_len);
            next = t1_command(&t1, command, command_len);
        }
    }
    sim_faults_free(&faults);
    seed_write(&seed, name);
}

void fuzz_seeds(void)
{
    static const char *const faults[] = {"block-lost 2",    "block-silent 2", "block-damaged 2",
                                         "block-refused 2", "block-old 2",    "block-wtx 2 5",
                                         "block-ifs 2 16",  "block-abort 2"};
    char name[32];

    record("short", 10, 2, NULL);
    record("long_answer", 10, 1000, NULL);
    record("long_command", 1000, 2, NULL);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(faults[i], " "), faults[i]);
        record(name, 600, 600, faults[i]);
    }
}
