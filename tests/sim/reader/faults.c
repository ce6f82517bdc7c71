#include "faults.h"

#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { FAULTS_MAX = 64, N_MAX = 1000000 };

struct faults {
    struct fault list[FAULTS_MAX];
    size_t count;
    struct fault fired; /* copy, so that the slot can be reused at once */
};

static const struct {
    const char *name;
    enum fault_kind kind;
    enum fault_point point;
    unsigned args; /* numbers after N */
    int base;      /* of ARG */
    bool every;
    const char *usage;
} kinds[] = {
    {"stall", FAULT_STALL, FAULT_AT_TRANSFER, 0, 10, false, "stall ENDPOINT N"},
    {"short", FAULT_SHORT, FAULT_AT_TRANSFER, 1, 10, false, "short ENDPOINT N BYTES"},
    {"slow", FAULT_SLOW, FAULT_AT_TRANSFER, 1, 10, false, "slow ENDPOINT N MS"},
    {"garbage", FAULT_GARBAGE, FAULT_AT_TRANSFER, 0, 10, false, "garbage ENDPOINT N"},
    {"babble", FAULT_BABBLE, FAULT_AT_TRANSFER, 0, 10, false, "babble ENDPOINT N"},
    {"unplug", FAULT_UNPLUG, FAULT_AT_TRANSFER, 0, 10, false, "unplug ENDPOINT N"},
    {"extend", FAULT_EXTEND, FAULT_AT_ANSWER, 2, 10, false, "extend N COUNT MS"},
    {"wrong-seq", FAULT_WRONG_SEQ, FAULT_AT_ANSWER, 0, 10, false, "wrong-seq N"},
    {"wrong-slot", FAULT_WRONG_SLOT, FAULT_AT_ANSWER, 0, 10, false, "wrong-slot N"},
    {"wrong-length", FAULT_WRONG_LENGTH, FAULT_AT_ANSWER, 0, 10, false, "wrong-length N"},
    {"stale", FAULT_STALE, FAULT_AT_ANSWER, 0, 10, false, "stale N"},
    {"twice", FAULT_TWICE, FAULT_AT_ANSWER, 0, 10, false, "twice N"},
    {"silent", FAULT_SILENT, FAULT_AT_ANSWER, 0, 10, false, "silent N"},
    {"berror", FAULT_BERROR, FAULT_AT_ANSWER, 1, 16, false, "berror N CODE(hex)"},
    {"mute", FAULT_MUTE, FAULT_AT_APDU, 0, 10, false, "mute N"},
    {"torn", FAULT_TORN, FAULT_AT_APDU, 0, 10, false, "torn N"},
    {"torn-in", FAULT_TORN_IN, FAULT_AT_APDU, 0, 10, false, "torn-in N"},
    {"torn-lost", FAULT_TORN_LOST, FAULT_AT_APDU, 0, 10, false, "torn-lost N"},
    {"sw", FAULT_SW, FAULT_AT_APDU, 1, 16, false, "sw N STATUS(hex)"},
    {"block-lost", FAULT_BLOCK_LOST, FAULT_AT_BLOCK, 0, 10, false, "block-lost N"},
    {"block-silent", FAULT_BLOCK_SILENT, FAULT_AT_BLOCK, 0, 10, false, "block-silent N"},
    {"block-damaged", FAULT_BLOCK_DAMAGED, FAULT_AT_BLOCK, 0, 10, false, "block-damaged N"},
    {"block-refused", FAULT_BLOCK_REFUSED, FAULT_AT_BLOCK, 0, 10, false, "block-refused N"},
    {"block-old", FAULT_BLOCK_OLD, FAULT_AT_BLOCK, 0, 10, false, "block-old N"},
    {"block-wtx", FAULT_BLOCK_WTX, FAULT_AT_BLOCK, 1, 10, false, "block-wtx N TIMES"},
    {"block-ifs", FAULT_BLOCK_IFS, FAULT_AT_BLOCK, 1, 10, false, "block-ifs N BYTES"},
    {"block-abort", FAULT_BLOCK_ABORT, FAULT_AT_BLOCK, 0, 10, false, "block-abort N"},
    {"camera-drop", FAULT_CAMERA_DROP, FAULT_AT_PACKET, 0, 10, true, "camera-drop EVERY"},
    {"camera-error", FAULT_CAMERA_ERROR, FAULT_AT_FRAME, 0, 10, false, "camera-error N"},
    {"camera-truncate", FAULT_CAMERA_TRUNCATE, FAULT_AT_FRAME, 1, 10, false,
     "camera-truncate N BYTES"},
    {"camera-no-eof", FAULT_CAMERA_NO_EOF, FAULT_AT_FRAME, 0, 10, false, "camera-no-eof N"},
    {"camera-garbage", FAULT_CAMERA_GARBAGE, FAULT_AT_FRAME, 0, 10, false, "camera-garbage N"},
    {"camera-header", FAULT_CAMERA_HEADER, FAULT_AT_FRAME, 0, 10, false, "camera-header N"},
    {"camera-stop", FAULT_CAMERA_STOP, FAULT_AT_FRAME, 0, 10, false, "camera-stop N"},
};

static const struct {
    const char *name;
    unsigned address;
} endpoints[] = {
    {"control", 0x00}, {"bulk-out", 0x01}, {"bulk-in", 0x81}, {"interrupt", 0x82}, {"iso", 0x83},
};

struct faults *sim_faults_new(void)
{
    return calloc(1, sizeof(struct faults));
}

void sim_faults_free(struct faults **f)
{
    free(*f);
    *f = NULL;
}

void sim_faults_clear(struct faults *f)
{
    f->count = 0;
}

size_t sim_faults_armed(const struct faults *f)
{
    return f->count;
}

const char *sim_faults_help(size_t i)
{
    return i < COUNT(kinds) ? kinds[i].usage : NULL;
}

static bool parse_endpoint(const char *word, unsigned *address)
{
    size_t i;

    for (i = 0; i < COUNT(endpoints); i++) {
        if (strcmp(endpoints[i].name, word) == 0) {
            *address = endpoints[i].address;
            return true;
        }
    }
    return false;
}

int sim_faults_arm(struct faults *f, char *const *words, size_t count, char *why, size_t why_cap)
{
    struct fault new = {0};
    size_t i, k = 1;

    for (i = 0; i < COUNT(kinds); i++)
        if (count > 0 && strcmp(kinds[i].name, words[0]) == 0)
            break;
    if (i == COUNT(kinds)) {
        snprintf(why, why_cap, "unknown fault: see 'faults list'");
        return -EINVAL;
    }
    new.kind = kinds[i].kind;
    new.point = kinds[i].point;
    new.every = kinds[i].every;
    if (new.point == FAULT_AT_TRANSFER &&
        (k >= count || !parse_endpoint(words[k++], &new.endpoint)))
        goto usage;
    if (count != k + 1 + kinds[i].args || sim_util_parse_u64(words[k++], 10, N_MAX, &new.n) < 0 ||
        new.n == 0)
        goto usage;
    if (kinds[i].args > 0 && sim_util_parse_u64(words[k++], kinds[i].base, N_MAX, &new.arg) < 0)
        goto usage;
    if (kinds[i].args > 1 && sim_util_parse_u64(words[k], 10, N_MAX, &new.arg2) < 0)
        goto usage;
    if (f->count == FAULTS_MAX) {
        snprintf(why, why_cap, "too many faults armed: 'faults off' first");
        return -ENOSPC;
    }
    new.left = new.n;
    f->list[f->count++] = new;
    return 0;
usage:
    snprintf(why, why_cap, "wrong words: fault %s", kinds[i].usage);
    return -EINVAL;
}

const struct fault *sim_faults_hit(struct faults *f, enum fault_point point, unsigned endpoint)
{
    const struct fault *hit = NULL;
    size_t i = 0;

    while (i < f->count) {
        struct fault *one = &f->list[i];

        if (one->point != point || (point == FAULT_AT_TRANSFER && one->endpoint != endpoint) ||
            (one->left > 1 && --one->left > 0) || hit) {
            i++; /* when two come due together, the later one waits for the next occasion */
            continue;
        }
        f->fired = *one;
        hit = &f->fired;
        if (one->every) {
            one->left = one->n;
            i++;
        } else {
            memmove(one, one + 1, (f->count - i - 1) * sizeof(*one));
            f->count--;
        }
    }
    return hit;
}
