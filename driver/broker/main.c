/*
 * uketsuke-broker: watches udev, opens device nodes and simulator sockets, pairs them with lanes and hands the
 * descriptors to the lanes' readers. It alone may open devices; it sees nothing of any patient.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/log.h"
#include "daemon/common/service.h"
#include "pairing.h"
#include "supply.h"
#include "udev.h"

#define LANES_MOST 64u
#define DEVICES_MOST 128u
#define PEER_UIDS 16u
#define KIND_USBFS 1
#define KIND_USBIP 2
#define KIND_V4L2 3
#define SETTLE_US (1 * CLOCK_SECOND)
#define DEVICE_STATE_CLOSED 0
/* While something is missing it is looked for again: at once where nobody tells of plugging, else in case that a
 * message of udev was lost (its queue has an end). */
#define LOOK_UNTOLD_US (3 * CLOCK_SECOND)
#define LOOK_TOLD_US (20 * CLOCK_SECOND)

struct broker;

struct lane {
    struct broker *broker;
    uint16_t number;
    const char *name; /* of the instance: "1" */
    struct supply *supply;
    struct ipc_client *client;
};

struct broker {
    struct service service;
    struct udev_watch *watch; /* NULL: this host has no udev; simulators work all the same */
    struct timer *look;       /* runs while a lane lacks a device */
    struct ipc_server *server;
    size_t nlanes;
    struct lane lanes[LANES_MOST];
    struct pairing pairings[LANES_MOST];
    size_t ndevices;
    struct plugged devices[DEVICES_MOST], looked_at[DEVICES_MOST];
    size_t owners[DEVICES_MOST]; /* index of a lane */
};

/* -- pairing ----------------------------------------------------------------------------------- */

/* Names below /dev/v4l are symbolic links. */
static void find_node(struct spec *spec)
{
    char *real = spec->kind == SPEC_NODE ? realpath(spec->path, NULL) : NULL;

    (void)snprintf(spec->node, sizeof(spec->node), "%s",
                   real != NULL && strlen(real) < sizeof(spec->node) ? real : "");
    free(real);
}

/* False: what is plugged could not be found out, and what was known before still counts. */
static bool list_devices(struct broker *b)
{
    int n = udev_list(b->looked_at, DEVICES_MOST);

    if (n < 0) {
        log_event(LOG_LEVEL_WARNING, "devices cannot be listed", LOG_ERRNO(n));
    } else {
        b->ndevices = (size_t)n;
        memcpy(b->devices, b->looked_at, b->ndevices * sizeof(b->devices[0]));
    }
    for (size_t i = 0; i < b->nlanes; i++)
        find_node(&b->pairings[i].camera_spec);
    pairing_match(b->pairings, b->nlanes, b->devices, b->ndevices, b->owners);
    return n >= 0;
}

static size_t wishes_of(const struct broker *b, const struct pairing *p, struct supply_wish *wishes)
{
    size_t n = 0;

    memset(wishes, 0, SUPPLY_DEVICES * sizeof(*wishes));
    if (p->reader_result == PAIRING_SIMULATED) {
        wishes[n].use = SUPPLY_USE_READER;
        memcpy(wishes[n].path, p->reader_spec.path, sizeof(wishes[n].path));
        n++;
    } else if (p->reader_result == PAIRING_FOUND) {
        wishes[n].use = SUPPLY_USE_READER;
        wishes[n].device = b->devices[p->reader];
        n++;
    }
    if (p->camera_result == PAIRING_SIMULATED ||
        (p->camera_result == PAIRING_FOUND && p->camera == p->reader && !p->camera_by_kernel)) {
        wishes[0].use |= SUPPLY_USE_CAMERA;
    } else if (p->camera_result == PAIRING_FOUND) {
        wishes[n].use = SUPPLY_USE_CAMERA;
        wishes[n].video = p->camera_by_kernel;
        wishes[n].device = b->devices[p->camera];
        n++;
    }
    return n;
}

/* Somebody tells of plugging: we listen, and udev's daemon is there to speak. */
static bool is_told(const struct broker *b)
{
    return b->watch != NULL && udev_daemon_runs();
}

static bool some_lane_has(const struct broker *b, enum pairing_result result)
{
    for (size_t i = 0; i < b->nlanes; i++)
        if (b->pairings[i].reader_result == result || b->pairings[i].camera_result == result)
            return true;
    return false;
}

/* A device that we could not open, or of which its reader has not said that it works. */
static bool some_lane_waits(const struct broker *b)
{
    struct supply_view view;

    for (size_t i = 0; i < b->nlanes; i++)
        for (size_t k = 0;
             supply_has_reader(b->lanes[i].supply) && supply_view(b->lanes[i].supply, k, &view);
             k++)
            if (view.wish->path[0] == 0 && view.state != SUPPLY_IN_USE)
                return true;
    return false;
}

static void pair(struct broker *b)
{
    struct supply_wish wishes[SUPPLY_DEVICES];
    const bool listed = list_devices(b);
    size_t n;

    for (size_t i = 0; i < b->nlanes; i++) {
        n = wishes_of(b, &b->pairings[i], wishes);
        supply_set_wishes(b->lanes[i].supply, wishes, n);
    }
    if (some_lane_has(b, PAIRING_SETTLING))
        (void)timer_set_after(b->look, SETTLE_US);
    /* Its node may be of a device that has left, and udev's word about the one that came late. */
    else if (!listed || some_lane_waits(b))
        (void)timer_set_after(b->look, LOOK_UNTOLD_US);
    else if (some_lane_has(b, PAIRING_ABSENT) || some_lane_has(b, PAIRING_NO_NODE))
        (void)timer_set_after(b->look, is_told(b) ? LOOK_TOLD_US : LOOK_UNTOLD_US);
    else
        timer_stop(b->look);
}

static void on_udev(void *arg)
{
    pair(arg);
}

static void on_look(struct timer *timer, void *arg)
{
    (void)timer;
    pair(arg);
}

/* -- readers ----------------------------------------------------------------------------------- */

static void on_reader_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct lane *lane = arg;

    (void)peer;
    supply_set_reader(lane->supply, ipc);
}

static void on_reader_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct lane *lane = arg;

    if (m->type != MSG_DEVICE_STATE) {
        ipc_refuse(ipc, "not for the broker");
        return;
    }
    supply_device_state(lane->supply, &m->body.device_state);
    /* What was let go of may have been unplugged, and udev's word may come late or never. */
    if (m->body.device_state.state == DEVICE_STATE_CLOSED)
        pair(lane->broker);
}

static void on_reader_closed(struct ipc *ipc, int error, void *arg)
{
    struct lane *lane = arg;

    (void)ipc;
    log_event(LOG_LEVEL_NOTICE, "reader program lost", LOG_NUMBER("lane", lane->number),
              LOG_ERRNO(error));
    supply_set_reader(lane->supply, NULL);
}

static const struct ipc_handlers reader_handlers = {
    .open = on_reader_open, .message = on_reader_message, .closed = on_reader_closed};

/* -- who asks ---------------------------------------------------------------------------------- */

static const char *const wants[] = {
    [PAIRING_NOT_WANTED] = "",
    [PAIRING_FOUND] = "",
    [PAIRING_SIMULATED] = "",
    [PAIRING_NO_NODE] =
        "カメラはありますがカーネルのドライバーが付いていません。modprobe uvcvideo / the camera is "
        "there but no driver of the kernel's has it: modprobe uvcvideo",
    [PAIRING_SETTLING] = "つながったばかりです / just plugged in: wait a moment",
    [PAIRING_ABSENT] = "設定に合う装置がありません。つなぐか設定を確かめます / nothing plugged "
                       "fits the lane's setting: plug it in or correct it",
    [PAIRING_AMBIGUOUS] = "合う装置が複数あります。port= か id= で指定します / several devices "
                          "fit: name one by port= or id=",
    [PAIRING_TAKEN] = "合う装置は別のレーンが使います / what fits belongs to another lane",
};

static const char *next_of(const struct supply_view *view)
{
    if (view->error == -EACCES || view->error == -EPERM)
        return "装置を開く権限がありません。udevの規則を確かめます / no permission to open it: "
               "check the udev rule";
    if (view->failure == FAILURE_READER_BUSY)
        return "pcscdを止めます: systemctl disable --now pcscd.socket / stop pcscd: systemctl "
               "disable --now pcscd.socket";
    if (view->error != 0 && view->wish->path[0] != 0)
        return "模擬装置が応答しません。起動を確かめます / the simulator does not answer: is it "
               "running?";
    return view->failure != FAILURE_NONE ? failure_text(view->failure)->staff_en : "";
}

static void send_plugged(struct broker *b, struct ipc *ipc, uint32_t request, size_t i)
{
    const struct plugged *d = &b->devices[i];
    struct msg_device_item item = {
        .request = request, .kind = KIND_USBFS, .vendor = d->vendor, .product = d->product};
    const char *holder = d->holder;
    const char *next = "";
    struct supply_view view;

    if (d->node[0] == 0)
        item.kind = KIND_V4L2;
    item.use =
        (uint8_t)((d->reader ? SUPPLY_USE_READER : 0u) | (d->camera ? SUPPLY_USE_CAMERA : 0u));
    if (b->owners[i] != PAIRING_NO_DEVICE) {
        const struct lane *lane = &b->lanes[b->owners[i]];

        item.lane = lane->number;
        item.use = 0;
        for (size_t k = 0; supply_view(lane->supply, k, &view); k++) {
            if (view.wish->path[0] != 0 || strcmp(view.wish->device.port, d->port) != 0)
                continue;
            item.use |= view.wish->use;
            if (view.wish->video)
                item.kind = item.use == SUPPLY_USE_CAMERA ? KIND_V4L2 : KIND_USBFS;
            if (next[0] == 0)
                next = next_of(&view);
            if (view.state == SUPPLY_IN_USE)
                holder = "uketsuke-reader";
        }
    }
    (void)MESSAGE_TEXT(item.port, d->port);
    (void)MESSAGE_TEXT(item.serial, d->serial);
    (void)MESSAGE_TEXT(item.name, d->name);
    (void)MESSAGE_TEXT(item.holder, holder);
    (void)MESSAGE_TEXT(item.next, next);
    (void)ipc_send(ipc, MSG_DEVICE_ITEM, &item);
}

/* A simulator of a lane, or a reader or camera that a lane should have and has not (kind 0). */
static void send_lane(struct broker *b, struct ipc *ipc, uint32_t request, size_t i)
{
    const struct pairing *p = &b->pairings[i];
    struct msg_device_item item = {.request = request, .lane = b->lanes[i].number};
    struct supply_view view;

    for (size_t k = 0; supply_view(b->lanes[i].supply, k, &view); k++) {
        if (view.wish->path[0] == 0)
            continue;
        item.kind = KIND_USBIP;
        item.use = view.wish->use;
        (void)MESSAGE_TEXT(item.port, view.port);
        (void)MESSAGE_TEXT(item.name, "simulator");
        (void)MESSAGE_TEXT(item.holder, view.state == SUPPLY_IN_USE ? "uketsuke-reader" : "");
        (void)MESSAGE_TEXT(item.next, next_of(&view));
        (void)ipc_send(ipc, MSG_DEVICE_ITEM, &item);
        item = (struct msg_device_item){.request = request, .lane = b->lanes[i].number};
    }
    if (wants[p->reader_result][0] != 0) {
        item.use = SUPPLY_USE_READER;
        (void)MESSAGE_TEXT(item.next, wants[p->reader_result]);
        (void)ipc_send(ipc, MSG_DEVICE_ITEM, &item);
    }
    if (wants[p->camera_result][0] != 0) {
        item.use = SUPPLY_USE_CAMERA;
        (void)MESSAGE_TEXT(item.next, wants[p->camera_result]);
        (void)ipc_send(ipc, MSG_DEVICE_ITEM, &item);
    }
}

static void answer_devices(struct broker *b, struct ipc *ipc, uint32_t request)
{
    const struct msg_devices_end end = {.request = request};

    /* Fresh from sysfs: drivers come and go without a word to udev's listeners. */
    pair(b);
    for (size_t i = 0; i < b->ndevices; i++)
        if (b->devices[i].reader || b->devices[i].camera || b->owners[i] != PAIRING_NO_DEVICE)
            send_plugged(b, ipc, request, i);
    for (size_t i = 0; i < b->nlanes; i++)
        send_lane(b, ipc, request, i);
    (void)ipc_send(ipc, MSG_DEVICES_END, &end);
}

static void answer_health(struct broker *b, struct ipc *ipc, uint32_t request)
{
    char component[48];
    char detail[64];
    struct supply_view view;
    size_t in_use;

    service_health_common(&b->service, ipc, request);
    service_health_item(
        ipc, request, is_told(b) ? 0 : 1, FAILURE_NONE, "udev",
        is_told(b) ? "watching" : "not available",
        is_told(b)
            ? ""
            : "装置の抜き差しに気付くのが遅れます / plugging is noticed late: start systemd-udevd");
    for (size_t i = 0; i < b->nlanes; i++) {
        in_use = 0;
        for (size_t k = 0; supply_view(b->lanes[i].supply, k, &view); k++)
            in_use += view.state == SUPPLY_IN_USE;
        snprintf(component, sizeof(component), "devices of lane %u", b->lanes[i].number);
        snprintf(detail, sizeof(detail), "%zu in use, reader program %s", in_use,
                 supply_has_reader(b->lanes[i].supply) ? "connected" : "not connected");
        service_health_item(ipc, request, in_use > 0 ? 0 : 2,
                            in_use > 0 ? FAILURE_NONE : FAILURE_READER_ABSENT, component, detail,
                            in_use > 0 ? "" : "uketsuke doctor");
    }
    service_health_end(ipc, request);
}

static void on_desk_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct broker *b = arg;

    switch (m->type) {
    case MSG_DEVICES_QUERY:
        answer_devices(b, ipc, m->body.devices_query.request);
        break;
    case MSG_HEALTH_QUERY:
        answer_health(b, ipc, m->body.health_query.request);
        break;
    default:
        ipc_refuse(ipc, "not for the broker");
    }
}

static void on_desk_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)peer;
    (void)arg;
}

static void on_desk_closed(struct ipc *ipc, int error, void *arg)
{
    (void)error;
    (void)arg;
    ipc_free(&ipc);
}

static const struct ipc_handlers desk_handlers = {
    .open = on_desk_open, .message = on_desk_message, .closed = on_desk_closed};

/* -- start and end ----------------------------------------------------------------------------- */

static int read_lane(struct broker *b, const char *name)
{
    struct pairing *p = &b->pairings[b->nlanes];
    struct lane *lane = &b->lanes[b->nlanes];

    (void)spec_parse_reader(&p->reader_spec, config_text(b->service.config, CFG_lane_READER, name));
    (void)spec_parse_camera(&p->camera_spec, config_text(b->service.config, CFG_lane_CAMERA, name));
    lane->broker = b;
    lane->number = (uint16_t)strtoul(name, NULL, 10);
    lane->name = name;
    lane->supply = supply_new(b->service.loop, b->service.clock, lane->number);
    if (lane->supply == NULL)
        return -ENOMEM;
    b->nlanes++;
    return 0;
}

static int read_lanes(struct broker *b)
{
    const char *name;
    int rc = 0;

    for (size_t i = 0; rc == 0 && (name = config_instance(b->service.config, "lane", i)) != NULL;
         i++)
        rc = read_lane(b, name);
    return rc;
}

static int connect_readers(struct broker *b)
{
    struct ipc_self self = {.role = IPC_BROKER, .program = "uketsuke-broker", .instance = ""};
    char path[108];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < b->nlanes; i++) {
        rc = service_socket_path(&b->service, "reader", b->lanes[i].name, path, sizeof(path));
        self.lane = b->lanes[i].number;
        if (rc == 0)
            rc = ipc_client_new(&b->lanes[i].client, b->service.loop, b->service.clock, path, &self,
                                "R", &reader_handlers, &b->lanes[i]);
    }
    return rc;
}

static int serve(struct broker *b)
{
    const struct ipc_self self = {.role = IPC_BROKER, .program = "uketsuke-broker", .instance = ""};
    uid_t uids[PEER_UIDS];
    size_t nuids = service_peer_uids(&b->service, uids, PEER_UIDS);
    int fd = service_take_socket(&b->service, "broker");
    int rc;

    if (fd < 0) {
        log_event(LOG_LEVEL_ERROR, "no listening socket named broker was handed over");
        return -EBADF;
    }
    rc = ipc_server_new(&b->server, b->service.loop, fd, &self, "DWC", uids, nuids, &desk_handlers,
                        b);
    if (rc < 0)
        return rc;
    rc = udev_watch_new(&b->watch, b->service.loop, on_udev, b);
    if (rc < 0)
        log_event(LOG_LEVEL_WARNING, "udev cannot be watched", LOG_ERRNO(rc));
    b->look = timer_new(b->service.clock, on_look, b);
    if (b->look == NULL)
        return -ENOMEM;
    pair(b);
    return connect_readers(b);
}

static void parts_free(struct broker *b)
{
    ipc_server_free(&b->server);
    udev_watch_free(&b->watch);
    timer_free(&b->look);
    for (size_t i = 0; i < b->nlanes; i++) {
        ipc_client_free(&b->lanes[i].client);
        supply_free(&b->lanes[i].supply);
    }
}

static bool wants_video_nodes(const struct broker *b)
{
    for (size_t i = 0; i < b->nlanes; i++)
        if (b->pairings[i].camera_spec.driver != DRIVER_OWN)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static const struct cage_path paths[] = {
        {.path = "/dev/bus/usb", .write = true, .optional = true},
        {.path = "/sys", .optional = true},
        {.path = "/run/udev", .optional = true},
    };
    /* CAGE_USB: newer kernels tie the right to ioctl a device to who opened it, and the readers need it. */
    struct cage_spec cage = {
        .calls = CAGE_ACCEPT | CAGE_UNIX | CAGE_NETLINK | CAGE_FILES_READ | CAGE_FILES_WRITE |
                 CAGE_DIRECTORY | CAGE_USB,
        .paths = paths,
        .npaths = sizeof(paths) / sizeof(paths[0]),
    };
    static struct broker b;
    int rc = service_start(&b.service, "uketsuke-broker", argc, argv);

    if (rc != 0)
        return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    rc = read_lanes(&b);
    /* Nodes of cameras come and go below it. */
    if (wants_video_nodes(&b))
        cage.devices = "/dev";
    if (rc == 0 && !b.service.try_cage)
        rc = serve(&b);
    if (rc == 0)
        rc = service_cage(&b.service, &cage);
    if (rc == 0)
        rc = service_run(&b.service);
    else
        log_event(LOG_LEVEL_ERROR, "cannot start", LOG_ERRNO(rc));
    parts_free(&b);
    service_stop(&b.service);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
