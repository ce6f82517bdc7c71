#include "supply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/ipc.h"
#include "daemon/common/log.h"
#include "importer.h"

#define KIND_USBFS 1
#define KIND_USBIP 2
#define KIND_V4L2 3
#define STATE_CLOSED 0
#define STATE_IN_USE 1
#define PAUSE_FIRST_US (100 * CLOCK_MS)
#define PAUSE_MOST_US (5 * CLOCK_SECOND)
/* The reader refused it: somebody has to do something first. */
#define PAUSE_REFUSED_US (5 * CLOCK_SECOND)

struct item {
    struct supply *supply;
    struct supply_wish wish;
    char port[65]; /* as the reader knows it */
    enum supply_state state;
    uint16_t failure;
    int error;
    uint64_t pause_us;
    struct timer *timer;
    struct importer
        *importer; /* stays until the next attempt: it is not freed from inside its own callback */
};

struct supply {
    struct sd_event *loop;
    struct clock *clock;
    uint16_t lane;
    struct ipc *reader;
    struct item items[SUPPLY_DEVICES];
};

static bool same_wish(const struct supply_wish *a, const struct supply_wish *b)
{
    return a->use == b->use && a->video == b->video && strcmp(a->path, b->path) == 0 &&
           (!a->video || strcmp(a->device.video, b->device.video) == 0) &&
           strcmp(a->device.port, b->device.port) == 0 && a->device.busnum == b->device.busnum &&
           a->device.devnum == b->device.devnum;
}

static void try_later(struct item *item, uint64_t pause_us)
{
    item->state = SUPPLY_WAITING;
    timer_set_after(item->timer, pause_us);
}

static void try_again(struct item *item)
{
    item->pause_us = item->pause_us == 0 ? PAUSE_FIRST_US : item->pause_us * 2;
    if (item->pause_us > PAUSE_MOST_US)
        item->pause_us = PAUSE_MOST_US;
    try_later(item, item->pause_us);
}

/* The descriptor is closed here; the reader has its own by then. */
static void hand_over(struct item *item, int fd, uint8_t kind, const struct import_device *device)
{
    const struct plugged *plugged = &item->wish.device;
    struct msg_device_attach body = {.kind = kind, .use = item->wish.use};
    int rc = -ENOTCONN;

    body.vendor = device->vendor;
    body.product = device->product;
    body.busnum = device->busnum;
    body.devnum = device->devnum;
    body.devid = device->busnum << 16 | device->devnum;
    body.speed = device->speed;
    (void)MESSAGE_TEXT(body.port, item->port);
    (void)MESSAGE_TEXT(body.serial, plugged->serial);
    (void)MESSAGE_TEXT(body.name, plugged->name);
    if (item->supply->reader != NULL)
        rc = ipc_send_fds(item->supply->reader, MSG_DEVICE_ATTACH, &body, &fd, 1);
    close(fd);
    item->error = rc;
    if (rc < 0) {
        try_again(item);
        return;
    }
    item->state = SUPPLY_HANDED_OVER;
    log_event(LOG_LEVEL_INFO, "device handed over", LOG_NUMBER("lane", item->supply->lane),
              LOG_NUMBER("kind", kind), LOG_NUMBER("use", item->wish.use),
              LOG_HEX("vendor", device->vendor), LOG_HEX("product", device->product));
}

static void failed(struct item *item, int error)
{
    if (item->error != error)
        log_event(LOG_LEVEL_WARNING, "device cannot be opened",
                  LOG_NUMBER("lane", item->supply->lane), LOG_ERRNO(error));
    item->error = error;
    try_again(item);
}

static void on_imported(int error, int fd, const struct import_device *device, void *arg)
{
    struct item *item = arg;

    if (error != 0)
        failed(item, error);
    else
        hand_over(item, fd, KIND_USBIP, device);
}

static void open_node(struct item *item)
{
    const struct plugged *p = &item->wish.device;
    struct import_device device = {.busnum = p->busnum,
                                   .devnum = p->devnum,
                                   .speed = p->speed,
                                   .vendor = p->vendor,
                                   .product = p->product};
    int fd =
        open(item->wish.video ? p->video : p->node, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        failed(item, -errno);
    else
        hand_over(item, fd, item->wish.video ? KIND_V4L2 : KIND_USBFS, &device);
}

static void on_timer(struct timer *timer, void *arg)
{
    struct item *item = arg;
    int rc;

    (void)timer;
    if (item->state != SUPPLY_WAITING || item->supply->reader == NULL)
        return;
    importer_free(&item->importer);
    if (item->wish.path[0] == 0) {
        open_node(item);
        return;
    }
    item->state = SUPPLY_IMPORTING;
    rc = importer_new(&item->importer, item->supply->loop, item->supply->clock, item->wish.path,
                      on_imported, item);
    if (rc < 0)
        failed(item, rc);
}

static void item_clear(struct item *item)
{
    struct msg_device_detach body = {0};
    struct supply *supply = item->supply;
    struct timer *timer = item->timer;

    if ((item->state == SUPPLY_HANDED_OVER || item->state == SUPPLY_IN_USE) &&
        supply->reader != NULL) {
        (void)MESSAGE_TEXT(body.port, item->port);
        (void)ipc_send(supply->reader, MSG_DEVICE_DETACH, &body);
    }
    importer_free(&item->importer);
    timer_stop(timer);
    memset(item, 0, sizeof(*item));
    item->supply = supply;
    item->timer = timer;
}

/* Reader and camera of one device may go two ways: each has a name of its own. */
static void name_port(const struct supply_wish *wish, char *out, size_t size)
{
    const char *name = strrchr(wish->device.video, '/');

    (void)snprintf(out, size, "%s", wish->video && name != NULL ? name + 1 : wish->device.port);
}

static void item_set(struct item *item, const struct supply_wish *wish)
{
    item->wish = *wish;
    if (wish->path[0] != 0)
        (void)snprintf(item->port, sizeof(item->port), "simulator-%u", item->supply->lane);
    else
        name_port(wish, item->port, sizeof(item->port));
    try_later(item, 0);
}

struct supply *supply_new(struct sd_event *loop, struct clock *clock, uint16_t lane)
{
    struct supply *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->clock = clock;
    s->lane = lane;
    for (size_t i = 0; i < SUPPLY_DEVICES; i++) {
        s->items[i].supply = s;
        s->items[i].timer = timer_new(clock, on_timer, &s->items[i]);
        if (s->items[i].timer == NULL) {
            supply_free(&s);
            return NULL;
        }
    }
    return s;
}

void supply_free(struct supply **supply)
{
    struct supply *s = *supply;

    *supply = NULL;
    if (s == NULL)
        return;
    for (size_t i = 0; i < SUPPLY_DEVICES; i++) {
        importer_free(&s->items[i].importer);
        timer_free(&s->items[i].timer);
    }
    free(s);
}

void supply_set_reader(struct supply *s, struct ipc *reader)
{
    s->reader = reader;
    for (size_t i = 0; i < SUPPLY_DEVICES; i++) {
        if (s->items[i].state == SUPPLY_NOTHING)
            continue;
        importer_free(&s->items[i].importer);
        s->items[i].pause_us = 0;
        s->items[i].failure = FAILURE_NONE;
        try_later(&s->items[i], 0);
    }
}

void supply_set_wishes(struct supply *s, const struct supply_wish *wishes, size_t n)
{
    bool kept[SUPPLY_DEVICES] = {false};
    size_t k;

    for (size_t i = 0; i < SUPPLY_DEVICES; i++) {
        if (s->items[i].state == SUPPLY_NOTHING)
            continue;
        for (k = 0; k < n && (kept[k] || !same_wish(&s->items[i].wish, &wishes[k])); k++)
            ;
        if (k < n)
            kept[k] = true;
        else
            item_clear(&s->items[i]);
    }
    for (k = 0; k < n; k++)
        for (size_t i = 0; i < SUPPLY_DEVICES && !kept[k]; i++)
            if (s->items[i].state == SUPPLY_NOTHING) {
                item_set(&s->items[i], &wishes[k]);
                kept[k] = true;
            }
}

void supply_device_state(struct supply *s, const struct msg_device_state *state)
{
    struct item *item = s->items;

    while (item < s->items + SUPPLY_DEVICES && strcmp(item->port, state->port) != 0)
        item++;
    /* A word about something that was taken back meanwhile. */
    if (item == s->items + SUPPLY_DEVICES || item->state == SUPPLY_NOTHING)
        return;
    if (state->state == STATE_IN_USE) {
        /* Also when it was not handed over by us but by the broker before us. */
        importer_free(&item->importer);
        timer_stop(item->timer);
        item->state = SUPPLY_IN_USE;
        item->failure = FAILURE_NONE;
        item->error = 0;
        item->pause_us = 0;
        return;
    }
    if (item->state != SUPPLY_HANDED_OVER && item->state != SUPPLY_IN_USE)
        return;
    item->failure = state->failure;
    if (state->state == STATE_CLOSED) {
        try_again(item);
    } else {
        try_later(item, PAUSE_REFUSED_US);
    }
}

bool supply_has_reader(const struct supply *s)
{
    return s->reader != NULL;
}

bool supply_view(const struct supply *s, size_t i, struct supply_view *out)
{
    size_t seen = 0;

    for (size_t k = 0; k < SUPPLY_DEVICES; k++) {
        const struct item *item = &s->items[k];

        if (item->state == SUPPLY_NOTHING || seen++ != i)
            continue;
        *out = (struct supply_view){.wish = &item->wish,
                                    .state = item->state,
                                    .failure = item->failure,
                                    .error = item->error};
        memcpy(out->port, item->port, sizeof(out->port));
        return true;
    }
    return false;
}
