/*
 * The fault matrix: a face visit and a PIN visit on the real libusb over a mocked usbfs node, and each of their
 * transfers gone wrong in each way. The transfers of an undisturbed visit are counted first; then there is one cell for
 * each transfer and each fault that it can have. What a cell must come to, and by when, is said by the table of rules
 * before it runs. After each cell the same lane, without restart, serves an undisturbed visit.
 *
 * The same matrix is run twice: a slice of it over libusb, and, in a fraction of the time, more of it over a transport
 * that hands each transfer to the device without a kernel. UKETSUKE_FAULTS=all runs every cell over libusb too (`make
 * faults`), UKETSUKE_FAULTS=K/N the K-th of N slices.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "lane_rig.h"
#include "sim_rig.h"
#include "umock_device.h"

#define PLACE_CONTROL 0x00u
#define PLACE_OUT 0x01u
#define PLACE_IN 0x81u
#define PLACE_INTERRUPT 0x82u
#define PLACE_ISO 0x83u
#define TRANSFERS_MAX 512u
#define HEADER 10u
#define SLICES_DIRECT 7u
#define SLICES_BY_ITSELF 29u /* a prime, so that every kind of place meets every kind of fault */

/* What a transfer is about, seen in the undisturbed visit. */
enum label {
    LABEL_NONE,
    LABEL_START,  /* descriptors */
    LABEL_ADJUST, /* exposure, white balance */
    LABEL_PROBE,  /* probe and commit */
    LABEL_PROBE_GET,
    LABEL_SLOT, /* slot status */
    LABEL_POWER,
    LABEL_OFF,
    LABEL_APDU,
    LABEL_VERIFY, /* with a credential in it */
    LABEL_NOTICE,
    LABEL_VIDEO,
    LABEL_CLAIM_READER,
    LABEL_CLAIM_CAMERA,
    LABEL_SET_INTERFACE,
    LABEL_COUNT
};

static const char *const label_names[LABEL_COUNT] = {
    [LABEL_NONE] = "?",
    [LABEL_START] = "descriptor",
    [LABEL_ADJUST] = "camera control",
    [LABEL_PROBE] = "probe",
    [LABEL_PROBE_GET] = "probe answer",
    [LABEL_SLOT] = "slot status",
    [LABEL_POWER] = "power on",
    [LABEL_OFF] = "power off",
    [LABEL_APDU] = "apdu",
    [LABEL_VERIFY] = "verify",
    [LABEL_NOTICE] = "notice",
    [LABEL_VIDEO] = "video",
    [LABEL_CLAIM_READER] = "claim reader",
    [LABEL_CLAIM_CAMERA] = "claim camera",
    [LABEL_SET_INTERFACE] = "set interface",
};

enum fault {
    FAULT_STALL,
    FAULT_SHORT,
    FAULT_EMPTY,
    FAULT_OVERLONG, /* more bytes than the message says */
    FAULT_BABBLE,
    FAULT_BUS,     /* -EPROTO; a device that was sent something has it all the same */
    FAULT_SILENCE, /* never done, until the host gives up; what it would have brought comes later */
    FAULT_LATE,
    FAULT_UNPLUG,
    FAULT_SUBMIT, /* the host has no memory for it */
    FAULT_CANCEL, /* the host ends it by itself */
    FAULT_SLEEP, /* the device is put to sleep in it and woken: it is there, but nothing under way comes to its end */
    FAULT_GARBAGE,
    FAULT_SEQUENCE,
    FAULT_SLOT,
    FAULT_LENGTH,
    FAULT_TWICE,
    FAULT_HELD,
    FAULT_COUNT
};

static const char *const fault_names[FAULT_COUNT] = {
    [FAULT_STALL] = "stall",      [FAULT_SHORT] = "short",
    [FAULT_EMPTY] = "empty",      [FAULT_OVERLONG] = "over-long",
    [FAULT_BABBLE] = "babble",    [FAULT_BUS] = "bus error",
    [FAULT_SILENCE] = "silence",  [FAULT_LATE] = "late",
    [FAULT_UNPLUG] = "unplug",    [FAULT_SUBMIT] = "submit",
    [FAULT_CANCEL] = "cancelled", [FAULT_SLEEP] = "sleep",
    [FAULT_GARBAGE] = "garbage",  [FAULT_SEQUENCE] = "wrong sequence",
    [FAULT_SLOT] = "wrong slot",  [FAULT_LENGTH] = "wrong length",
    [FAULT_TWICE] = "twice",      [FAULT_HELD] = "held",
};

#define BIT(fault) (1u << (fault))
#define ANY_PIPE                                                                                   \
    (BIT(FAULT_STALL) | BIT(FAULT_SHORT) | BIT(FAULT_BUS) | BIT(FAULT_SILENCE) | BIT(FAULT_LATE) | \
     BIT(FAULT_UNPLUG) | BIT(FAULT_SUBMIT) | BIT(FAULT_CANCEL) | BIT(FAULT_SLEEP))
#define ANY_IN (ANY_PIPE | BIT(FAULT_EMPTY) | BIT(FAULT_BABBLE) | BIT(FAULT_GARBAGE))

/* Which faults a place can have. A notice that is not there is not there: an interrupt pipe may be late, not silent;
 * isochronous pipes know neither handshake nor patience. */
static const struct place {
    unsigned place;
    const char *name;
    unsigned faults;
} places[] = {
    {PLACE_CONTROL, "control", ANY_IN},
    {PLACE_OUT, "bulk out", ANY_PIPE},
    {PLACE_IN, "bulk in",
     ANY_IN | BIT(FAULT_OVERLONG) | BIT(FAULT_SEQUENCE) | BIT(FAULT_SLOT) | BIT(FAULT_LENGTH) |
         BIT(FAULT_TWICE)},
    {PLACE_INTERRUPT, "interrupt", (ANY_IN & ~BIT(FAULT_SILENCE)) | BIT(FAULT_TWICE)},
    {PLACE_ISO, "isochronous", ANY_IN & ~(BIT(FAULT_LATE) | BIT(FAULT_STALL))},
    {UMOCK_CLAIM, "claim", BIT(FAULT_HELD) | BIT(FAULT_BUS) | BIT(FAULT_UNPLUG)},
    {UMOCK_SET_INTERFACE, "set interface", BIT(FAULT_STALL) | BIT(FAULT_BUS) | BIT(FAULT_UNPLUG)},
};

/* -- the rules --------------------------------------------------------------------------------- */

enum class {
    GOES_ON, /* nobody at the counter notices, but for the time */
    AGAIN,   /* the card is put down, or the PIN entered, once more: something retryable was told */
    CAMERA_AGAIN, /* the camera was told as broken, and starts when asked again */
    REOPENED,     /* the device was lost and opened anew by itself; the card is put down again */
    REFUSED,      /* not taken; works when plugged in anew */
};

static const char *const class_names[] = {"goes on", "again", "camera again", "reopened",
                                          "refused"};

/* The first row that fits. `ms`: how much longer than undisturbed the visit may take. */
#define ANY_LABEL LABEL_COUNT
#define ALL_FAULTS (~0u)
static const struct rule {
    enum label label;
    unsigned faults;
    enum class class;
    unsigned ms;
} rules[] = {
    /* a hand plugs in again what fell out, and puts the card down once more */
    {ANY_LABEL, BIT(FAULT_UNPLUG), REOPENED, 3000},
    /* the kernel flushes every transfer (-ESHUTDOWN), which libusb tells as a device that has gone */
    {ANY_LABEL, BIT(FAULT_SLEEP), REOPENED, 3000},
    /* whoever holds the reader (pcscd) must let go first */
    {LABEL_CLAIM_READER, BIT(FAULT_HELD), REFUSED, 3000},
    {LABEL_CLAIM_READER, BIT(FAULT_BUS), REOPENED, 3000},
    {LABEL_CLAIM_CAMERA, BIT(FAULT_HELD), CAMERA_AGAIN, 3000},
    {LABEL_CLAIM_CAMERA, ALL_FAULTS, GOES_ON, 1000},
    {LABEL_SET_INTERFACE, ALL_FAULTS, GOES_ON, 1000},
    /* descriptors are asked for again; silence costs two seconds a try */
    {LABEL_START, ALL_FAULTS, GOES_ON, 3500},
    {LABEL_ADJUST, ALL_FAULTS, GOES_ON, 1000},
    /* a camera has five seconds for its negotiation; then the desk is told, and may start it again */
    {LABEL_PROBE, BIT(FAULT_SILENCE), CAMERA_AGAIN, 7000},
    {LABEL_PROBE_GET, BIT(FAULT_SILENCE), CAMERA_AGAIN, 7000},
    {LABEL_PROBE_GET, BIT(FAULT_GARBAGE), CAMERA_AGAIN, 2000},
    {LABEL_PROBE, ALL_FAULTS, GOES_ON, 4000},
    {LABEL_PROBE_GET, ALL_FAULTS, GOES_ON, 4000},
    /* a stream that stands still is told after three seconds without a picture */
    {LABEL_VIDEO, BIT(FAULT_SILENCE), CAMERA_AGAIN, 5000},
    {LABEL_VIDEO, ALL_FAULTS, GOES_ON, 1000},
    {LABEL_NOTICE, ALL_FAULTS, GOES_ON, 3500},
    /* a credential is never sent twice: the patient is asked again, unless its answer came after all */
    {LABEL_VERIFY, BIT(FAULT_LATE) | BIT(FAULT_TWICE), GOES_ON, 3500},
    {LABEL_VERIFY, ALL_FAULTS, AGAIN, 9000},
    /* power off has a second; nothing hangs on its answer */
    {LABEL_OFF, ALL_FAULTS, GOES_ON, 3500},
    /* asked again after a second */
    {LABEL_SLOT, ALL_FAULTS, GOES_ON, 4500},
    /* everything else is said again; five seconds are what one APDU may take */
    {LABEL_POWER, ALL_FAULTS, GOES_ON, 7500},
    {LABEL_APDU, ALL_FAULTS, GOES_ON, 7500},
};

static const struct rule *rule_of(enum label label, enum fault fault)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if ((rules[i].label == label || rules[i].label == ANY_LABEL) &&
            (rules[i].faults & BIT(fault)) != 0)
            return &rules[i];
    return NULL;
}

/* -- the wire ---------------------------------------------------------------------------------- */

static struct wire {
    struct sim_rig *sim;
    enum label labels[UMOCK_PLACES][TRANSFERS_MAX + 1];
    unsigned counts[UMOCK_PLACES];
    bool recording;               /* the undisturbed visit */
    unsigned ended[UMOCK_PLACES]; /* the last of each that did not wait until the end */

    unsigned place, n; /* which goes wrong; 0: none */
    enum fault fault;
    bool fired;
    unsigned halted; /* endpoint, 0: none */
    uint64_t late_us;
    uint8_t kept[1024]; /* comes a second time */
    int kept_len;
    uint32_t noise;

    uint8_t selected[2];  /* by SELECT EF */
    unsigned verifies[3]; /* with a credential, that the reader got: 0018, 0012, 0015 */
} wire;

static enum label label_of_message(const uint8_t *data, size_t len)
{
    if (len < HEADER)
        return LABEL_NONE;
    switch (data[0]) {
    case 0x62:
        return LABEL_POWER;
    case 0x63:
        return LABEL_OFF;
    case 0x6f:
        return len > HEADER + 5 && data[HEADER + 1] == 0x20 ? LABEL_VERIFY : LABEL_APDU;
    default:
        return LABEL_SLOT;
    }
}

static enum label label_of(unsigned place, const uint8_t *data, size_t len)
{
    switch (place) {
    case PLACE_CONTROL:
        if ((data[0] & 0x60) == 0)
            return LABEL_START;
        if (data[5] != 0) /* an entity in wIndex */
            return LABEL_ADJUST;
        return (data[0] & 0x80) != 0 ? LABEL_PROBE_GET : LABEL_PROBE;
    case PLACE_OUT:
        return label_of_message(data, len);
    case PLACE_IN:
        return wire.labels[PLACE_OUT][wire.counts[PLACE_OUT]];
    case PLACE_INTERRUPT:
        return LABEL_NOTICE;
    case PLACE_ISO:
        return LABEL_VIDEO;
    case UMOCK_CLAIM:
        return len == 0 ? LABEL_CLAIM_READER : LABEL_CLAIM_CAMERA;
    case UMOCK_SET_INTERFACE:
        return LABEL_SET_INTERFACE;
    default:
        return LABEL_NONE;
    }
}

static bool strikes(unsigned place, unsigned n)
{
    return wire.n == n && wire.place == place;
}

static int on_submit(void *arg, unsigned place, unsigned n, const uint8_t *data, size_t len)
{
    (void)arg;
    if (n <= TRANSFERS_MAX) {
        wire.counts[place] = n;
        if (wire.recording)
            wire.labels[place][n] = label_of(place, data, len);
    }
    if (place == UMOCK_CLEAR_HALT && len == wire.halted)
        wire.halted = 0;
    if (!strikes(place, n) || wire.fired)
        return 0;
    switch (wire.fault) {
    case FAULT_SUBMIT:
        wire.fired = true;
        return -ENOMEM;
    case FAULT_HELD:
        wire.fired = true;
        return -EBUSY;
    case FAULT_STALL:
        wire.fired = place >= UMOCK_CLAIM;
        return wire.fired ? -EPIPE : 0;
    case FAULT_BUS:
        wire.fired = place >= UMOCK_CLAIM;
        return wire.fired ? -EIO : 0;
    case FAULT_UNPLUG:
        wire.fired = place >= UMOCK_CLAIM;
        if (wire.fired)
            sim_rig_pull_cable(wire.sim);
        return wire.fired ? -ENODEV : 0;
    default:
        return 0;
    }
}

static int on_before(void *arg, uint64_t now_us, unsigned place, unsigned n, uint8_t *data,
                     size_t size)
{
    (void)arg;
    if (wire.halted != 0 && wire.halted == place)
        return -EPIPE;
    if (wire.kept_len > 0 && place == wire.place && n > wire.n && (size_t)wire.kept_len <= size) {
        int len = wire.kept_len;

        memcpy(data, wire.kept, (size_t)len);
        wire.kept_len = 0;
        return len;
    }
    if (!strikes(place, n))
        return UMOCK_GO_ON;
    switch (wire.fault) {
    case FAULT_STALL:
        wire.fired = true;
        wire.halted = place;
        return -EPIPE;
    case FAULT_SILENCE:
        wire.fired = true;
        return -EAGAIN;
    case FAULT_LATE:
        if (!wire.fired)
            wire.late_us = now_us + 2500 * CLOCK_MS;
        wire.fired = true;
        if (now_us < wire.late_us)
            return -EAGAIN;
        wire.late_us = 0;
        return UMOCK_GO_ON;
    case FAULT_UNPLUG:
        wire.fired = true;
        sim_rig_pull_cable(wire.sim);
        return -ENODEV;
    case FAULT_CANCEL:
        wire.fired = true;
        return -ENOENT;
    case FAULT_SLEEP:
        wire.fired = true;
        return -ESHUTDOWN;
    default:
        return UMOCK_GO_ON;
    }
}

static void note_selection(const uint8_t *data, size_t len)
{
    static const uint8_t select_file[] = {0x00, 0xa4, 0x02, 0x0c, 0x02};
    static const uint8_t keys[3] = {0x18, 0x12, 0x15};

    if (len >= HEADER + 7 && data[0] == 0x6f && memcmp(data + HEADER, select_file, 5) == 0)
        memcpy(wire.selected, data + HEADER + 5, 2);
    if (label_of_message(data, len) != LABEL_VERIFY)
        return;
    for (unsigned i = 0; i < 3; i++)
        wire.verifies[i] += wire.selected[1] == keys[i];
}

static uint8_t noise(void)
{
    wire.noise = wire.noise * 1664525u + 1013904223u;
    return (uint8_t)(wire.noise >> 24);
}

static int on_after(void *arg, unsigned place, unsigned n, uint8_t *data, size_t size, int outcome)
{
    (void)arg;
    if (wire.recording)
        wire.ended[place] = n;
    if (place == PLACE_OUT && outcome >= 0)
        note_selection(data, size);
    if (!strikes(place, n))
        return outcome;
    switch (wire.fault) {
    case FAULT_SHORT:
        wire.fired = true;
        return outcome / 2;
    case FAULT_EMPTY:
        wire.fired = true;
        return 0;
    case FAULT_BABBLE:
        wire.fired = true;
        return -EOVERFLOW;
    case FAULT_BUS:
        wire.fired = true;
        return -EPROTO;
    case FAULT_OVERLONG:
        wire.fired = true;
        if ((size_t)outcome + 2 <= size)
            memset(data + outcome, 0, 2);
        return (size_t)outcome + 2 <= size ? outcome + 2 : outcome;
    case FAULT_GARBAGE:
        wire.fired = true;
        for (int i = 0; i < outcome; i++)
            data[i] = noise();
        return outcome;
    case FAULT_SEQUENCE:
        wire.fired = true;
        data[6]--;
        return outcome;
    case FAULT_SLOT:
        wire.fired = true;
        data[5]++;
        return outcome;
    case FAULT_LENGTH:
        wire.fired = true;
        data[1] = (uint8_t)(data[1] + 9);
        return outcome;
    case FAULT_TWICE:
        wire.fired = true;
        wire.kept_len = outcome;
        memcpy(wire.kept, data, (size_t)outcome);
        return outcome;
    default:
        return outcome;
    }
}

static uint64_t on_next(void *arg)
{
    (void)arg;
    return wire.fault == FAULT_LATE && wire.fired && wire.late_us != 0 ? wire.late_us : UINT64_MAX;
}

static const struct umock_hooks hooks = {on_submit, on_before, on_after, on_next};

/* -- cells ------------------------------------------------------------------------------------- */

enum kind { FACE, PIN };
static const char *const kind_names[] = {"face", "pin"};

static enum lane_wire wire_kind;
static struct lane_rig *rig;
static struct lane_visit undisturbed;
static unsigned cells, failed, by_class[5];
static uint64_t longest_us;

static void visit(enum kind kind, struct lane_visit *out)
{
    (kind == FACE ? lane_rig_face : lane_rig_pin)(rig, out);
}

static void calm(void)
{
    wire.n = 0;
    wire.fired = false;
    wire.halted = 0;
    wire.kept_len = 0;
    wire.late_us = 0;
}

static enum class class_of(const struct lane_visit *v) {
    return v->refused > 0        ? REFUSED
           : v->reopened > 0     ? REOPENED
           : v->again > 0        ? AGAIN
           : v->camera_again > 0 ? CAMERA_AGAIN
                                 : GOES_ON;
}

/* PIN, 照合番号B and that of the text application. */
static bool counters_are_full(void)
{
    bool full;

    (void)sim_rig_ask(wire.sim, "insert franck");
    full = sim_rig_tries(wire.sim, "jpki", 0x0018) == 3 &&
           sim_rig_tries(wire.sim, "kenkaku", 0x0012) == 10 &&
           sim_rig_tries(wire.sim, "kenhojo", 0x0015) == 10;
    (void)sim_rig_ask(wire.sim, "remove");
    return full;
}

/* NULL, or what is wrong. */
static const char *judge(enum kind kind, enum label label, const struct rule *rule,
                         const struct lane_visit *v)
{
    struct lane_visit after;

    if (!wire.fired)
        return "the fault was not met";
    if (!v->done)
        return "the visit did not come to its end";
    if (class_of(v) != rule->class && class_of(v) != GOES_ON)
        return "another outcome";
    /* A cable that goes with the very last word is noticed before the next visit. */
    if (class_of(v) != rule->class && rule->class != AGAIN &&
        !(rule->class == REOPENED && (label == LABEL_OFF || label == LABEL_SET_INTERFACE)))
        return "a better outcome than the rule says";
    if (v->us > undisturbed.us + rule->ms * CLOCK_MS)
        return "too late";
    if (kind == FACE && v->photo_print != undisturbed.photo_print)
        return "another photo";
    if (wire.verifies[0] > v->entries[0] || wire.verifies[1] > v->entries[1] ||
        wire.verifies[2] > v->entries[1])
        return "a credential was sent more often than it was entered";
    /* every wrong PIN and every lost answer was followed by a right one */
    if (!counters_are_full())
        return "a counter is not full";
    calm();
    (void)lane_rig_ready(rig, &after);
    visit(kind, &after);
    if (!after.done || class_of(&after) != GOES_ON || after.us > undisturbed.us + CLOCK_SECOND)
        return "the visit after it is not undisturbed";
    return NULL;
}

/* What is wrong with the visit of this cell, NULL: nothing; and its processor time. */
static const char *try_cell(enum kind kind, const struct place *place, unsigned n, enum fault fault,
                            struct lane_visit *v, uint64_t *us)
{
    enum label label = wire.labels[place->place][n];
    const struct rule *rule = rule_of(label, fault);
    struct timespec begun, ended;
    const char *wrong;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun); /* a busy machine is no fault */
    calm();
    lane_rig_anew(rig);
    sim_rig_hook(wire.sim, &hooks, NULL);
    memset(wire.verifies, 0, sizeof(wire.verifies));
    wire.place = place->place;
    wire.n = n;
    wire.fault = fault;
    visit(kind, v);
    wrong = judge(kind, label, rule, v);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    *us = (uint64_t)((ended.tv_sec - begun.tv_sec) * 1000000 +
                     (ended.tv_nsec - begun.tv_nsec) / 1000);
    return wrong;
}

static void run_cell(enum kind kind, const struct place *place, unsigned n, enum fault fault)
{
    enum label label = wire.labels[place->place][n];
    const struct rule *rule = rule_of(label, fault);
    struct lane_visit v;
    const char *wrong;
    uint64_t us;

    assert_non_null(rule);
    wrong = try_cell(kind, place, n, fault, &v, &us);
    /* Time that a host took away may be counted as work: real work is there the next time too. */
    if (wrong == NULL && us >= CLOCK_SECOND)
        wrong = try_cell(kind, place, n, fault, &v, &us);
    if (us > longest_us)
        longest_us = us;
    if (wrong == NULL && us >= CLOCK_SECOND)
        wrong = "it was a second's work or more";
    cells++;
    by_class[rule->class]++;
    if (wrong == NULL)
        return;
    failed++;
    print_message("FAIL %s: %s %u (%s) %s: must be \"%s\" within %u ms more, was \"%s\" after %llu "
                  "ms more: %s [%s]\n",
                  kind_names[kind], place->name, n, label_names[label], fault_names[fault],
                  class_names[rule->class], rule->ms, class_names[class_of(&v)],
                  (unsigned long long)(v.us > undisturbed.us ? v.us - undisturbed.us : 0) / 1000,
                  wrong, v.trouble);
}

/* K/N, or all. */
static void slice(unsigned *k, unsigned *of)
{
    const char *wish = getenv("UKETSUKE_FAULTS");

    *k = 0;
    *of = wire_kind == LANE_DIRECT ? SLICES_DIRECT : SLICES_BY_ITSELF;
    if (wish != NULL && strcmp(wish, "all") == 0)
        *of = 1;
    else if (wish != NULL)
        assert_int_equal(sscanf(wish, "%u/%u", k, of), 2);
}

static void run_matrix(enum kind kind)
{
    unsigned counted[UMOCK_PLACES], size = 0, k, of;
    char sizes[256] = "";

    slice(&k, &of);
    memset(&wire, 0, sizeof(wire));
    wire.sim = lane_rig_sim(rig);
    wire.noise = 1;
    lane_rig_anew(rig);
    sim_rig_hook(wire.sim, &hooks, NULL);
    wire.recording = true;
    visit(kind, &undisturbed);
    wire.recording = false;
    assert_true(undisturbed.done);
    assert_int_equal(class_of(&undisturbed), GOES_ON);
    memcpy(counted, wire.counts, sizeof(counted));
    cells = failed = 0;
    memset(by_class, 0, sizeof(by_class));
    for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
        unsigned here = counted[places[p].place];

        assert_true(here > 0 || (kind == PIN && (places[p].place == PLACE_ISO ||
                                                 places[p].place == UMOCK_SET_INTERFACE)));
        assert_true(here < TRANSFERS_MAX);
        snprintf(sizes + strlen(sizes), sizeof(sizes) - strlen(sizes), " %s %u", places[p].name,
                 here);
        /* What is under way when the visit ends is ended by ourselves: nothing comes of it. */
        if (places[p].place < UMOCK_CLAIM)
            here = wire.ended[places[p].place];
        for (unsigned n = 1; n <= here; n++)
            for (unsigned f = 0; f < FAULT_COUNT; f++) {
                if ((places[p].faults & BIT(f)) == 0)
                    continue;
                if (size++ % of == k)
                    run_cell(kind, &places[p], n, (enum fault)f);
            }
    }
    print_message("%s: transfers:%s\n%s: %u cells, %u of them run: %u go on, %u again, %u camera "
                  "again, %u reopened, "
                  "%u refused; the longest %llu ms of work\n",
                  kind_names[kind], sizes, kind_names[kind], size, cells, by_class[GOES_ON],
                  by_class[AGAIN], by_class[CAMERA_AGAIN], by_class[REOPENED], by_class[REFUSED],
                  (unsigned long long)longest_us / 1000);
    print_message("%u passed, %u failed\n", cells - failed, failed);
    assert_int_equal(failed, 0);
}

static void every_transfer_of_a_face_visit_may_go_wrong_in_every_way(void **state)
{
    (void)state;
    run_matrix(FACE);
}

static void every_transfer_of_a_pin_visit_may_go_wrong_in_every_way(void **state)
{
    (void)state;
    run_matrix(PIN);
}

static int up(void **state)
{
    struct lane_rig_options options = {.level = "extended", .card = "franck"};

    options.wire = wire_kind = *(enum lane_wire *)*state;
    log_open("faults", "", LOG_LEVEL_ERROR);
    rig = lane_rig_new(&options);
    return 0;
}

static int down(void **state)
{
    (void)state;
    lane_rig_free(&rig);
    return 0;
}

int main(int argc, char **argv)
{
    static enum lane_wire libusb = LANE_LIBUSB, direct = LANE_DIRECT;
    const struct CMUnitTest tests[] = {
        {"every transfer of a face visit may go wrong in every way (libusb)",
         every_transfer_of_a_face_visit_may_go_wrong_in_every_way, up, down, &libusb},
        {"every transfer of a pin visit may go wrong in every way (libusb)",
         every_transfer_of_a_pin_visit_may_go_wrong_in_every_way, up, down, &libusb},
        {"every transfer of a face visit may go wrong in every way (direct)",
         every_transfer_of_a_face_visit_may_go_wrong_in_every_way, up, down, &direct},
        {"every transfer of a pin visit may go wrong in every way (direct)",
         every_transfer_of_a_pin_visit_may_go_wrong_in_every_way, up, down, &direct},
    };

    if (!umock_device_preloaded()) {
        fprintf(stderr, "run this with LD_PRELOAD=libumockdev-preload.so.0\n");
        return 1;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
