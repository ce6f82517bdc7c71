/*
 * The host and the libraries fail a whole broker at each call that it makes when a reader comes and goes
 * (short_program.h): the device comes to its own lane and to no other, in the end, and the next
 * one comes at once.
 */
#include "program_rig.h"
#include "short_program.h"

#include "daemon/common/failure.h"

#include "host_lanes.h"
#include "host_usb.h"

#include <stdlib.h>
#include <string.h>

#define LANES 2u
#define PORT "1-4"
#define IN_USE 1

static struct program_rig rig;
static struct host_lane lanes[LANES];
static struct {
    unsigned items, found;
    bool end;
} heard;

static void on_message(void *arg, struct message *m)
{
    (void)arg;
    if (m->type == MSG_DEVICE_ITEM) {
        heard.items++;
        heard.found += m->body.device_item.lane == 1 &&
                       strcmp(m->body.device_item.port, PORT) == 0 &&
                       strcmp(m->body.device_item.serial, "A1") == 0;
    } else if (m->type == MSG_DEVICES_END) {
        heard.end = true;
    }
}

/* Of the first lane; what came before is passed over. NULL: not within the time, or the broker is gone. */
static const struct host_event *next_of(uint16_t type, unsigned lost)
{
    uint64_t limit = program_rig_in(&rig, 15000), again = program_rig_in(&rig, 500);
    bool gone = false;

    for (;;) {
        while (lanes[0].read < lanes[0].n)
            if (lanes[0].events[lanes[0].read++].type == type)
                return &lanes[0].events[lanes[0].read - 1];
        /* From a reader that was lost nothing is taken back. */
        if (type == MSG_DEVICE_DETACH && lanes[0].losses != lost)
            return NULL;
        if (!rig.open && !gone)
            limit = program_rig_in(&rig, 2000);
        gone = !rig.open;
        if (program_rig_turn(&rig, again < limit ? again : limit))
            continue;
        if (clock_left_us(rig.clock, limit) == 0)
            return NULL;
        /* It looks again by itself, in seconds; udev may also have more to say. */
        host_tell(PORT, "change");
        again = program_rig_in(&rig, 500);
    }
}

static bool is_ours(const struct host_event *e)
{
    return strcmp(e->port, PORT) == 0 && strcmp(e->attach.serial, "A1") == 0 &&
           e->attach.vendor == 0x054c && e->attach.product == 0x0dc8 && e->attach.kind == 1 &&
           e->attach.devnum == 8;
}

/* The desk asks what is plugged: true when the device is named. */
static bool is_listed(void)
{
    const struct msg_devices_query query = {.request = 5};
    const uint64_t limit = program_rig_in(&rig, short_program_is_armed() ? 2000 : 10000);

    memset(&heard, 0, sizeof(heard));
    if (!program_rig_send(&rig, MSG_DEVICES_QUERY, &query, -1))
        return false;
    while (!heard.end && rig.open)
        if (!program_rig_turn(&rig, limit))
            return false;
    return heard.found > 0;
}

/*
 * The device that stands there becomes lane 1's, udev says so, it is handed over, listed, and is another one again. What
 * failed is tried again by the broker itself.
 */
static const char *once(void *arg, bool *right)
{
    const unsigned losses = rig.losses, lost = lanes[0].losses;
    const struct host_event *e;
    const char *wrong = NULL;
    bool listed = false;

    (void)arg;
    for (unsigned i = 0; i < LANES; i++)
        lanes[i].n = lanes[i].read = 0;
    host_set(PORT, "serial", "A1\n");
    host_tell(PORT, "change");
    e = next_of(MSG_DEVICE_ATTACH, lost);
    /* It ended by itself: whoever starts it anew sees to the device. */
    if (e == NULL && rig.losses == losses)
        wrong = "the device never came to its lane";
    if (e != NULL && !is_ours(e)) {
        print_message("handed over: %s %04x:%04x serial %s, kind %u, number %u\n", e->port,
                      e->attach.vendor, e->attach.product, e->attach.serial, e->attach.kind,
                      e->attach.devnum);
        wrong = "another device was handed over";
    }
    if (e != NULL && wrong == NULL) {
        (void)host_lane_says(&lanes[0], IN_USE, FAILURE_NONE, PORT);
        listed = is_listed();
    }
    host_set(PORT, "serial", "none\n");
    host_tell(PORT, "change");
    if (e != NULL && wrong == NULL) {
        e = next_of(MSG_DEVICE_DETACH, lost);
        if (e == NULL && rig.losses == losses && lanes[0].losses == lost)
            wrong = "nobody said that the device is gone";
    }
    if (lanes[1].n > 0)
        wrong = "another lane was told of it";
    *right = wrong == NULL && e != NULL && listed && rig.losses == losses;
    return wrong;
}

static bool await_lanes(unsigned ms)
{
    const uint64_t limit = program_rig_in(&rig, ms);

    for (unsigned i = 0; i < LANES; i++)
        while (lanes[i].ipc == NULL)
            if (!program_rig_turn(&rig, limit))
                return false;
    return true;
}

static const char *come_back(void *arg, unsigned *ended)
{
    const char *wrong;
    unsigned tries = 0;

    (void)arg;
    /* It may end a moment after it was looked at. */
    do
        wrong = tries++ < 6 ? program_rig_come_back(&rig, ended) : "it does not come to its lanes";
    while (wrong == NULL && !await_lanes(5000));
    /* What it missed it is told again, until it knows that the device is gone. */
    for (unsigned i = 0; wrong == NULL && is_listed(); i++) {
        const uint64_t limit = program_rig_in(&rig, 200);

        if (i == 50)
            return "it never knew that the device is gone";
        host_tell(PORT, "change");
        while (program_rig_turn(&rig, limit))
            ;
    }
    return wrong;
}

static const struct short_work works[] = {{"a reader in and out", NULL, once, come_back, 6}};

static int up(void **state)
{
    struct program_options options = {
        .program = "uketsuke-broker",
        .socket = "broker",
        .role = IPC_BROKER,
        .config = "[lane 1]\nreader = id=054c:0dc8/A1\ncamera = none\n\n[lane 2]\nreader = "
                  "id=054c:0dc8/B2\ncamera = none\n\n[upstream main]\nkind = web-api\n\n[log]\n"
                  "level = error\n",
        .on_message = on_message};

    (void)state;
    host_new();
    host_plug(PORT, 8, "054c:0dc8", "none", "RC-S300/S", NULL);
    options.environment = short_program_begin("libumockdev-preload.so.0", NULL);
    program_rig_make(&rig, &options);
    for (unsigned i = 0; i < LANES; i++)
        host_lane_new(&lanes[i], i + 1, rig.loop, rig.directory);
    program_rig_begin(&rig);
    assert_true(await_lanes(PROGRAM_PATIENCE_MS));
    return 0;
}

static int down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LANES; i++)
        host_lane_free(&lanes[i]);
    program_rig_stop(&rig);
    short_program_end();
    host_free();
    return 0;
}

int main(void)
{
    static const struct short_suite suite = {works, 1, true};

    return short_program_main(&suite, up, down);
}
