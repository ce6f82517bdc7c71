#include "lane_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"
#include "driver/card/card.h"
#include "driver/card/card_trust.h"
#include "driver/reader/frames.h"
#include "driver/reader/lane.h"
#include "driver/reader/outcome.h"
#include "driver/usb/usb.h"
#include "driver/v4l2/v4l2.h"
#include "sim_rig.h"
#include "sim_usb.h"
#include "umock_device.h"

#define WAIT_US (30 * CLOCK_SECOND)
#define BUDGET_US (15 * CLOCK_SECOND)
#define HAND_US (300 * CLOCK_MS) /* a hand that takes a card, or plugs something in */
#define TRIES 4u
#define PICTURES 2u
#define PORT "1-1"

struct lane_rig {
    struct lane_rig_options options;
    sd_event *loop;
    struct clock *clock;
    struct sim_rig *sim;
    struct card_trust *trust;
    struct card_engine *engine;
    struct frames *frames;
    struct lane *lane;
    struct usb *direct; /* LANE_DIRECT: behind the lane now */
    char cards[PATH_MAX], authorities[PATH_MAX + 32];
    char pin[16], number_b[16];
    uint32_t devnum;

    /* what was told */
    bool attached, in_use, closed, refused;
    uint16_t failure;
    struct lane_visit *visit;
    unsigned reports;
    struct card_report report;
    uint32_t print;
    unsigned pictures;
    bool camera_failed;
};

static struct lane_rig *opening; /* whose usb_libusb_new() is under way */

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "lane_rig: %s: %s\n", what, strerror(errno));
    abort();
}

struct usb *lane_rig_next_usb;
const struct v4l2_calls *lane_rig_v4l2_calls;

/* The linker puts these around the driver's own (-Wl,--wrap). */
struct camera *__real_v4l2_new(struct sd_event *loop, struct clock *clock,
                               struct v4l2_worker *worker, const struct v4l2_calls *calls, int fd);
struct camera *__wrap_v4l2_new(struct sd_event *loop, struct clock *clock,
                               struct v4l2_worker *worker, const struct v4l2_calls *calls, int fd);

struct camera *__wrap_v4l2_new(struct sd_event *loop, struct clock *clock,
                               struct v4l2_worker *worker, const struct v4l2_calls *calls, int fd)
{
    return __real_v4l2_new(loop, clock, worker, calls != NULL ? calls : lane_rig_v4l2_calls, fd);
}

struct usb *__real_usb_libusb_new(struct sd_event *loop, struct clock *clock, int fd);
struct usb *__wrap_usb_libusb_new(struct sd_event *loop, struct clock *clock, int fd);

struct usb *__wrap_usb_libusb_new(struct sd_event *loop, struct clock *clock, int fd)
{
    if (lane_rig_next_usb != NULL) {
        close(fd);
        return lane_rig_next_usb;
    }
    if (opening == NULL || opening->options.wire == LANE_LIBUSB)
        return __real_usb_libusb_new(loop, clock, fd);
    close(fd);
    opening->direct = sim_usb_new(clock, sim_rig_model(), opening->sim);
    return opening->direct;
}

/* -- what the lane says ------------------------------------------------------------------------ */

static void trouble(struct lane_rig *rig, const char *what, unsigned failure)
{
    if (rig->visit != NULL && rig->visit->trouble[0] == 0)
        snprintf(rig->visit->trouble, sizeof(rig->visit->trouble), "%s %s", what,
                 failure < FAILURE_COUNT ? failure_text((enum failure)failure)->code : "");
}

static void on_changed(void *arg)
{
    (void)arg;
}

static void on_device(enum lane_device_state state, uint16_t failure, const char *port, void *arg)
{
    struct lane_rig *rig = arg;

    (void)port;
    rig->in_use = state == LANE_DEVICE_IN_USE;
    rig->closed = state == LANE_DEVICE_CLOSED;
    rig->refused = state == LANE_DEVICE_REFUSED;
    rig->failure = failure;
    if (state != LANE_DEVICE_IN_USE) {
        rig->direct = NULL;
        rig->attached = false;
        trouble(rig, "device", failure);
    }
}

static const struct lane_listener lane_listener = {on_changed, on_device};

static void on_send(uint16_t type, const void *body, int fd, void *arg)
{
    struct lane_rig *rig = arg;

    (void)fd;
    if (type == MSG_CAMERA_FRAME)
        rig->pictures++;
    if (type == MSG_CAMERA_FAILED) {
        rig->camera_failed = true;
        trouble(rig, "camera", ((const struct msg_camera_failed *)body)->failure);
    }
}

static void on_state(uint16_t failure, void *arg)
{
    lane_camera_result(((struct lane_rig *)arg)->lane, failure);
}

static uint32_t print_of(const uint8_t *data, size_t len)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

static void on_done(struct card_engine *engine, const struct card_report *report, void *arg)
{
    struct lane_rig *rig = arg;

    (void)engine;
    rig->reports++;
    rig->report = *report;
    rig->print = report->photo != NULL ? print_of(report->photo, report->photo_len) : 0;
    lane_card_result(rig->lane, (uint16_t)outcome_of_card(report->end));
}

/* -- time -------------------------------------------------------------------------------------- */

uint64_t lane_rig_now(struct lane_rig *rig)
{
    return clock_monotonic_us(rig->clock);
}

static bool turn_once(struct lane_rig *rig)
{
    bool moved = false;

    if (rig->options.wire == LANE_LIBUSB) {
        while (sd_event_run(rig->loop, 0) > 0)
            moved = true;
        return sim_rig_step(rig->sim) || moved;
    }
    while (rig->direct != NULL && sim_usb_step(rig->direct))
        moved = true;
    return moved;
}

static uint64_t next_us(struct lane_rig *rig, uint64_t end)
{
    uint64_t next = sim_rig_next_us(rig->sim), timer = clock_next_deadline(rig->clock);
    uint64_t iso = rig->direct != NULL ? sim_usb_next_us(rig->direct) : UINT64_MAX;

    if (timer < next)
        next = timer;
    if (iso < next)
        next = iso;
    return next < end ? next : end;
}

/* Turns until `holds` or for so long; true when it holds. */
static bool run(struct lane_rig *rig, bool (*holds)(struct lane_rig *rig), uint64_t us)
{
    uint64_t end = lane_rig_now(rig) + us;

    for (;;) {
        uint64_t now, next;

        while (turn_once(rig))
            ;
        if (holds != NULL && holds(rig))
            return true;
        now = lane_rig_now(rig);
        if (now >= end)
            return false;
        next = next_us(rig, end);
        clock_advance(rig->clock, next > now ? next - now : 0);
    }
}

unsigned lane_rig_pass(struct lane_rig *rig, uint64_t us)
{
    uint64_t end = lane_rig_now(rig) + us;
    unsigned fired = 0;

    while (lane_rig_now(rig) < end) {
        uint64_t now = lane_rig_now(rig), next;

        while (turn_once(rig))
            ;
        next = next_us(rig, end);
        fired += clock_advance(rig->clock, next > now ? next - now : 0);
    }
    return fired;
}

/* -- the broker -------------------------------------------------------------------------------- */

static void attach(struct lane_rig *rig)
{
    struct msg_device_attach device = {.kind = 1, .use = 3, .busnum = 1, .devnum = ++rig->devnum};

    if (rig->options.camera_only)
        device.use = 2;
    strcpy(device.port, PORT);
    rig->in_use = rig->closed = rig->refused = false;
    rig->attached = true;
    opening = rig;
    lane_attach(rig->lane, &device,
                rig->options.wire == LANE_LIBUSB ? sim_rig_open(rig->sim)
                                                 : open("/dev/null", O_RDWR | O_CLOEXEC));
    opening = NULL;
}

static bool settled(struct lane_rig *rig)
{
    return rig->in_use || rig->closed || rig->refused;
}

bool lane_rig_ready(struct lane_rig *rig, struct lane_visit *visit)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (rig->in_use)
            return true;
        if (rig->devnum > 0) {
            if (rig->refused)
                visit->refused++;
            else
                visit->reopened++;
        }
        if (!sim_rig_plugged(rig->sim) || rig->refused) {
            run(rig, NULL, HAND_US);
            sim_rig_replug(rig->sim);
        }
        attach(rig);
        run(rig, settled, WAIT_US);
    }
    return rig->in_use;
}

/* -- the patient ------------------------------------------------------------------------------- */

static bool card_seen(struct lane_rig *rig)
{
    return lane_cards(rig->lane) > 0 || !rig->in_use;
}

static bool card_away(struct lane_rig *rig)
{
    return lane_cards(rig->lane) == 0 || !rig->in_use;
}

static void take_card(struct lane_rig *rig)
{
    (void)sim_rig_ask(rig->sim, "remove");
    run(rig, card_away, WAIT_US);
    run(rig, NULL, HAND_US);
}

static bool put_card(struct lane_rig *rig)
{
    char line[64];

    snprintf(line, sizeof(line), "insert %s", rig->options.card);
    (void)sim_rig_ask(rig->sim, line);
    return run(rig, card_seen, WAIT_US) && rig->in_use;
}

static bool reported(struct lane_rig *rig)
{
    return rig->reports > 0 && !card_engine_busy(rig->engine);
}

enum want { WANT_IDENTIFY, WANT_PHOTO, WANT_WRONG_PIN, WANT_SIGN };

static struct secret secret_of(const char *text)
{
    struct secret secret;

    sim_usb_inside++; /* the patient's, not the driver's */
    must(secret_new(&secret, 32) == 0 && secret_set(&secret, text, strlen(text)) == 0, "secret");
    sim_usb_inside--;
    return secret;
}

static int begin(struct lane_rig *rig, enum want want)
{
    uint64_t deadline = lane_rig_now(rig) + BUDGET_US;
    const struct card_sign_request sign = {.deadline_us = deadline,
                                           .last_try_agreed = true,
                                           .time = 1795339500,
                                           .institution = "9910000017",
                                           .purpose = "eligibility"};
    const struct card_photo_request photo = {.deadline_us = deadline, .few_tries_agreed = true};
    char wrong[16];
    struct secret secret;

    if (want == WANT_IDENTIFY)
        return card_engine_identify(rig->engine, deadline, on_done, rig);
    if (want == WANT_PHOTO) {
        secret = secret_of(rig->number_b);
        rig->visit->entries[1]++;
        return card_engine_photo(rig->engine, &photo, &secret, on_done, rig);
    }
    rig->visit->entries[0]++;
    if (rig->options.pin_pad)
        return card_engine_sign(rig->engine, &sign, NULL, on_done, rig);
    snprintf(wrong, sizeof(wrong), "%s", rig->pin);
    wrong[3] = wrong[3] == '9' ? '0' : (char)(wrong[3] + 1);
    secret = secret_of(want == WANT_WRONG_PIN ? wrong : rig->pin);
    return card_engine_sign(rig->engine, &sign, &secret, on_done, rig);
}

/* One operation, once. */
static enum card_end operate(struct lane_rig *rig, enum want want)
{
    int rc;

    rig->reports = 0;
    rc = begin(rig, want);
    if (rc < 0)
        return CARD_END_READER_LOST;
    must(run(rig, reported, WAIT_US), "an operation does not end");
    must(rig->reports == 1, "an operation ended more than once");
    rig->visit->apdus += rig->report.apdus;
    return rig->report.end;
}

static bool genuine(const struct card_report *report, enum want want)
{
    if (want == WANT_IDENTIFY)
        return report->chain == GENUINE_YES;
    return want != WANT_PHOTO ||
           (report->record == GENUINE_YES && report->challenge == GENUINE_YES);
}

/* One operation, as often as a patient would try it; a reader that fell out is seen to meanwhile. */
static bool achieve(struct lane_rig *rig, enum want want, enum card_end wanted)
{
    for (unsigned i = 0; i < TRIES; i++) {
        enum card_end end;

        if (!rig->in_use && (!lane_rig_ready(rig, rig->visit) || !put_card(rig)))
            continue;
        end = operate(rig, want);
        if (end == wanted) {
            rig->visit->not_genuine = rig->visit->not_genuine || !genuine(&rig->report, want);
            return true;
        }
        trouble(rig, card_end_name(end), outcome_of_card(end));
        /* What a wrong PIN did is not known: the next one is entered as a new one. */
        if (want == WANT_WRONG_PIN && i == 0) {
            rig->visit->again++;
            take_card(rig);
            return put_card(rig) || !rig->in_use;
        }
        run(rig, NULL, HAND_US); /* a device that goes is told of after the operation's end */
        if (!rig->in_use)
            continue;
        rig->visit->again++;
        take_card(rig);
        (void)put_card(rig);
    }
    return false;
}

static bool pictures_or_trouble(struct lane_rig *rig)
{
    return rig->pictures >= PICTURES || rig->camera_failed || !rig->in_use;
}

static bool watch(struct lane_rig *rig)
{
    const struct msg_camera_start start = {
        .visit = 1, .width = 640, .height = 480, .fps = 30, .credit = 255};

    for (unsigned i = 0; i < TRIES; i++) {
        if (!rig->in_use && !lane_rig_ready(rig, rig->visit))
            continue;
        rig->pictures = 0;
        rig->camera_failed = false;
        must(frames_start(rig->frames, &start) == 0, "frames");
        run(rig, pictures_or_trouble, WAIT_US);
        frames_stop(rig->frames);
        if (rig->pictures >= PICTURES && !rig->camera_failed)
            return true;
        run(rig, NULL, HAND_US);
        if (rig->in_use)
            rig->visit->camera_again++;
    }
    return false;
}

static bool engine_idle(struct lane_rig *rig)
{
    return !card_engine_busy(rig->engine);
}

static bool arrive(struct lane_rig *rig, struct lane_visit *visit)
{
    memset(visit, 0, sizeof(*visit));
    rig->visit = visit;
    visit->us = lane_rig_now(rig);
    return lane_rig_ready(rig, visit) && (put_card(rig) || !rig->in_use) &&
           achieve(rig, WANT_IDENTIFY, CARD_END_OK);
}

static void leave(struct lane_rig *rig, struct lane_visit *visit)
{
    if (card_engine_powered(rig->engine) && !card_engine_busy(rig->engine))
        (void)card_engine_off(rig->engine, on_done, rig);
    run(rig, engine_idle, WAIT_US);
    take_card(rig);
    card_engine_forget(rig->engine);
    visit->us = lane_rig_now(rig) - visit->us;
    rig->visit = NULL;
}

void lane_rig_face(struct lane_rig *rig, struct lane_visit *visit)
{
    visit->done = false;
    if (arrive(rig, visit) && achieve(rig, WANT_PHOTO, CARD_END_OK)) {
        visit->photo_print = rig->print;
        visit->done = watch(rig);
    }
    leave(rig, visit);
}

void lane_rig_pin(struct lane_rig *rig, struct lane_visit *visit)
{
    visit->done = false;
    if (arrive(rig, visit) && achieve(rig, WANT_WRONG_PIN, CARD_END_PIN_WRONG))
        visit->done = achieve(rig, WANT_SIGN, CARD_END_OK);
    leave(rig, visit);
}

bool lane_rig_watch(struct lane_rig *rig, struct lane_visit *visit)
{
    memset(visit, 0, sizeof(*visit));
    rig->visit = visit;
    visit->done = watch(rig);
    rig->visit = NULL;
    return visit->done;
}

unsigned lane_rig_cards(struct lane_rig *rig)
{
    return lane_cards(rig->lane);
}

void lane_rig_anew(struct lane_rig *rig)
{
    (void)sim_rig_ask(rig->sim, "unplug");
    lane_detach(rig->lane, PORT);
    rig->direct = NULL;
    while (turn_once(rig))
        ;
    rig->attached = rig->in_use = rig->closed = rig->refused = false;
    rig->devnum = 0;
    sim_rig_replug(rig->sim);
}

/* -- life -------------------------------------------------------------------------------------- */

static void find_cards(struct lane_rig *rig)
{
    const char *sim = getenv("UKETSUKE_SIM");
    char path[PATH_MAX];
    ssize_t n;

    if (sim != NULL) {
        snprintf(rig->cards, sizeof(rig->cards), "%.4000s/cards", sim);
        return;
    }
    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    must(n > 0, "/proc/self/exe");
    path[n] = 0;
    *strrchr(path, '/') = 0;
    snprintf(rig->cards, sizeof(rig->cards), "%.4000s/../../sim/cards", path);
}

/* A cell of cards/index.tsv. */
static void cell(struct lane_rig *rig, const char *column, char *out, size_t size)
{
    char path[PATH_MAX + 16], line[2048], head[2048];
    unsigned n = 0;
    char *at;
    FILE *file;

    snprintf(path, sizeof(path), "%s/index.tsv", rig->cards);
    file = fopen(path, "re");
    must(file != NULL && fgets(head, sizeof(head), file) != NULL, path);
    for (at = strtok(head, "\t\n"); at != NULL && strcmp(at, column) != 0;
         at = strtok(NULL, "\t\n"))
        n++;
    out[0] = 0;
    while (out[0] == 0 && fgets(line, sizeof(line), file) != NULL) {
        size_t len = strlen(rig->options.card);

        if (strncmp(line, rig->options.card, len) != 0 || line[len] != '\t')
            continue;
        at = line;
        for (unsigned i = 0; i < n; i++)
            at = strchr(at, '\t') + 1;
        snprintf(out, size, "%.*s", (int)strcspn(at, "\t\n"), at);
    }
    fclose(file);
    must(out[0] != 0, "no such card; make cards");
}

struct lane_rig *lane_rig_new(const struct lane_rig_options *options)
{
    struct lane_rig *rig = calloc(1, sizeof(*rig));
    char issuers[PATH_MAX + 32], *culprit = NULL;

    must(rig != NULL, "calloc");
    rig->options = *options;
    find_cards(rig);
    cell(rig, "pin", rig->pin, sizeof(rig->pin));
    cell(rig, "number-b", rig->number_b, sizeof(rig->number_b));
    snprintf(issuers, sizeof(issuers), "%s/trust", rig->cards);
    snprintf(rig->authorities, sizeof(rig->authorities), "%s/trust/auth-ca.pem", rig->cards);
    must(sd_event_new(&rig->loop) >= 0, "loop");
    rig->clock = clock_new_simulated(CLOCK_SECOND, 1795339500 * CLOCK_SECOND);
    must(card_trust_load(&rig->trust, issuers, rig->authorities, &culprit) == 0,
         "trust; make cards");
    if (options->wire == LANE_LIBUSB)
        rig->sim = sim_rig_new_stepped(options->level, options->pin_pad, rig->clock, rig->cards,
                                       options->hooks, options->hooks_arg);
    else
        rig->sim = sim_rig_new_bare(options->level, options->pin_pad, rig->clock, rig->cards);
    (void)sim_rig_ask(rig->sim, "camera dark");
    rig->engine = card_engine_new(rig->clock, rig->trust);
    rig->frames = frames_new(rig->clock, on_send, on_state, rig);
    must(rig->engine != NULL && rig->frames != NULL, "engine");
    rig->lane = lane_new(rig->loop, rig->clock, rig->engine, rig->frames, &lane_listener, rig);
    must(rig->lane != NULL, "lane");
    return rig;
}

void lane_rig_free(struct lane_rig **slot)
{
    struct lane_rig *rig = *slot;

    *slot = NULL;
    lane_free(&rig->lane);
    card_engine_free(&rig->engine);
    frames_free(&rig->frames);
    card_trust_free(&rig->trust);
    sim_rig_free(&rig->sim);
    clock_free(&rig->clock);
    sd_event_unref(rig->loop);
    free(rig);
}

const char *lane_rig_authorities(struct lane_rig *rig)
{
    return rig->authorities;
}

void lane_rig_card_file(struct lane_rig *rig, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s/%s", rig->cards, rig->options.card, name);
}

struct sim_rig *lane_rig_sim(struct lane_rig *rig)
{
    return rig->sim;
}
