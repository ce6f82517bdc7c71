#include "../sim/reader/control.h"
#include "../sim/reader/descriptors.h"
#include "../sim/reader/device.h"
#include "../sim/reader/usbip.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"
#include "sim_rig.h"
#include "sim_usb.h"
#include "umock_device.h"

#define TAG_LISTEN (1ull << 32)
#define TAG_CONNECTION (2ull << 32)
#define IMPORT_BYTES 40
#define IMPORTED_BYTES 320
/* Bit each, as uvcvideo takes them. */
#define CAMERA_INTERFACES (1u << INTERFACE_CONTROL | 1u << INTERFACE_STREAMING)

struct sim_rig {
    enum sim_transport transport;
    struct sim sim;
    struct umock_device *umock;
    struct usbip *usbip;
    int epoll_fd, listen_fd;
    struct sockaddr_un address;
    socklen_t address_len;
    pthread_mutex_t mutex;
    pthread_t thread;
    bool stop;
    struct clock *clock; /* stepped: the test's */
    char dir[64];
    char answer[1024];
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "sim_rig: %s\n", what);
    abort();
}

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void lock(struct sim_rig *rig)
{
    if (rig->umock != NULL)
        umock_device_lock(rig->umock);
    else
        pthread_mutex_lock(&rig->mutex);
    if (rig->umock == NULL && rig->usbip == NULL)
        sim_usb_inside++;
}

static void unlock(struct sim_rig *rig)
{
    if (rig->umock == NULL && rig->usbip == NULL)
        sim_usb_inside--;
    if (rig->umock != NULL)
        umock_device_unlock(rig->umock);
    else
        pthread_mutex_unlock(&rig->mutex);
}

/* -- the model under umockdev ------------------------------------------------------------------ */

static int model_control(void *model, uint64_t now, const uint8_t setup[8], uint8_t *data,
                         size_t size)
{
    struct sim_rig *rig = model;
    int n = sim_device_control(rig->sim.device, now, setup, data, size);

    return n > (int)size ? (int)size : n;
}

static int model_out(void *model, uint64_t now, unsigned endpoint, const uint8_t *data, size_t len)
{
    struct sim_rig *rig = model;
    int n = sim_device_bulk_out(rig->sim.device, now, endpoint, data, len);

    sim_control_take_torn(&rig->sim);
    return n;
}

static int model_in(void *model, uint64_t now, unsigned endpoint, uint8_t *data, size_t size)
{
    struct sim_rig *rig = model;
    int n = endpoint == ENDPOINT_INTERRUPT
                ? sim_device_interrupt_in(rig->sim.device, now, endpoint, data, size)
                : sim_device_bulk_in(rig->sim.device, now, endpoint, data, size);

    sim_control_take_torn(&rig->sim);
    return n;
}

static int model_packet(void *model, uint64_t now, unsigned endpoint, uint8_t *data, size_t size)
{
    struct sim_rig *rig = model;

    return sim_device_iso_in(rig->sim.device, now, endpoint, data, size);
}

static int model_set_interface(void *model, uint64_t now, unsigned interface, unsigned alternate)
{
    struct sim_rig *rig = model;

    return sim_device_set_interface(rig->sim.device, now, interface, alternate);
}

static int model_clear_halt(void *model, unsigned endpoint)
{
    struct sim_rig *rig = model;

    return sim_device_clear_halt(rig->sim.device, endpoint);
}

static void model_reset(void *model, uint64_t now)
{
    struct sim_rig *rig = model;

    /* As the kernel does after a reset: the configuration is set again. */
    sim_device_reset(rig->sim.device, now);
    must(sim_device_control(rig->sim.device, now, (const uint8_t[8]){0, 9, 1}, NULL, 0) >= 0,
         "configure");
}

static bool model_plugged(void *model)
{
    struct sim_rig *rig = model;

    return sim_device_plugged(rig->sim.device);
}

static const struct umock_model model = {
    .control = model_control,
    .out = model_out,
    .in = model_in,
    .packet = model_packet,
    .set_interface = model_set_interface,
    .clear_halt = model_clear_halt,
    .reset = model_reset,
    .plugged = model_plugged,
};

/* -- the model behind its own USB/IP host ------------------------------------------------------ */

static void *serve(void *arg)
{
    struct sim_rig *rig = arg;
    bool stop = false;

    while (!stop) {
        struct epoll_event events[4];
        int n = epoll_wait(rig->epoll_fd, events, 4, 1);

        pthread_mutex_lock(&rig->mutex);
        for (int i = 0; i < n; i++) {
            uint64_t tag = events[i].data.u64;

            if (tag == TAG_LISTEN)
                sim_usbip_accept(rig->usbip, rig->listen_fd);
            else
                sim_usbip_ready(rig->usbip, tag & 0xffffffff, events[i].events, now_us());
        }
        sim_usbip_serve(rig->usbip, now_us());
        sim_control_take_torn(&rig->sim);
        stop = rig->stop;
        pthread_mutex_unlock(&rig->mutex);
    }
    return NULL;
}

static void start_usbip(struct sim_rig *rig)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct sockaddr_un automatic = {.sun_family = AF_UNIX};

    rig->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    rig->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rig->address_len = sizeof(rig->address);
    /* A name in the abstract space, chosen by the kernel. */
    must(bind(rig->listen_fd, (struct sockaddr *)&automatic, sizeof(sa_family_t)) == 0 &&
             listen(rig->listen_fd, 1) == 0 &&
             getsockname(rig->listen_fd, (struct sockaddr *)&rig->address, &rig->address_len) == 0,
         "socket");
    event.data.u64 = TAG_LISTEN;
    must(epoll_ctl(rig->epoll_fd, EPOLL_CTL_ADD, rig->listen_fd, &event) == 0, "epoll");
    must(sim_usbip_new(&rig->usbip, rig->sim.device, rig->epoll_fd, TAG_CONNECTION) == 0, "usbip");
    rig->sim.usbip = rig->usbip;
    must(pthread_create(&rig->thread, NULL, serve, rig) == 0, "thread");
}

/* OP_REQ_IMPORT of bus id "1-1" and its answer, which is the broker's business. */
static int import(struct sim_rig *rig, uint32_t *devid)
{
    uint8_t request[IMPORT_BYTES] = {0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, '1', '-', '1'};
    uint8_t reply[IMPORTED_BYTES];
    const uint8_t *numbers = reply + 8 + 256 + 32;
    size_t got = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(connect(fd, (struct sockaddr *)&rig->address, rig->address_len) == 0, "connect");
    must(send(fd, request, sizeof(request), 0) == (ssize_t)sizeof(request), "request");
    while (got < sizeof(reply)) {
        ssize_t n = recv(fd, reply + got, sizeof(reply) - got, 0);

        must(n > 0, "import");
        got += (size_t)n;
    }
    must(reply[7] == 0, "import refused");
    *devid = (uint32_t)numbers[2] << 24 | (uint32_t)numbers[3] << 16 | (uint32_t)numbers[6] << 8 |
             numbers[7];
    return fd;
}

/* -- life -------------------------------------------------------------------------------------- */

static void write_file(const struct sim_rig *rig, const char *card, const char *name,
                       const void *data, size_t len)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", rig->dir, card);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%s/%s", rig->dir, card, name);
    file = fopen(path, "we");
    must(file != NULL && fwrite(data, 1, len, file) == len && fclose(file) == 0, path);
}

static void make_cards(struct sim_rig *rig)
{
    static const char plain[] = "atr = 3BE000FF8131FE4514\napplications = jpki\n";
    static const char mute[] = "atr = none\n";
    uint8_t bytes[SIM_RIG_FILE_BYTES];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    strcpy(rig->dir, "/tmp/sim-rig-XXXXXX");
    must(mkdtemp(rig->dir) != NULL, "mkdtemp");
    write_file(rig, "plain", "card.conf", plain, strlen(plain));
    write_file(rig, "plain", "jpki-0002.bin", bytes, sizeof(bytes));
    write_file(rig, "mute", "card.conf", mute, strlen(mute));
}

static void remove_cards(const struct sim_rig *rig)
{
    static const char *const names[] = {"plain/card.conf",
                                        "plain/jpki-0002.bin",
                                        "mute/card.conf",
                                        "plain.state",
                                        "mute.state",
                                        "plain",
                                        "mute",
                                        ""};
    char path[256];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", rig->dir, names[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
}

static void remove_states(const struct sim_rig *rig)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    must(system(command) == 0, "rm");
}

/* Its host has configured it, as a kernel does. */
static void configure(struct sim_rig *rig, uint64_t now)
{
    lock(rig);
    must(sim_device_control(rig->sim.device, now, (const uint8_t[8]){0, 9, 1}, NULL, 0) >= 0,
         "configure");
    unlock(rig);
}

static void start_umock(struct sim_rig *rig)
{
    struct buf descriptors = {0};

    sim_device_put_descriptors(rig->sim.device, &descriptors);
    rig->umock = umock_device_new(&model, rig, descriptors.data, descriptors.len);
    sim_buf_free(&descriptors);
}

static uint64_t clock_now(void *arg)
{
    return clock_monotonic_us(((struct sim_rig *)arg)->clock);
}

struct sim_rig *sim_rig_new_bare(const char *level, bool pin_pad, struct clock *clock,
                                 const char *cards_dir)
{
    struct sim_rig *rig = calloc(1, sizeof(*rig));
    struct device_options options = {
        .serial = "0001", .level = level, .pin_pad = pin_pad, .seed = 1};

    must(rig != NULL, "calloc");
    rig->transport = SIM_LIBUSB;
    rig->clock = clock;
    rig->epoll_fd = rig->listen_fd = -1;
    pthread_mutex_init(&rig->mutex, NULL);
    /* A card's state is written to the disk at each change, which takes its time but in memory. */
    /* Not below /dev: there each file that is opened costs the mock a socket, which it keeps. */
    strcpy(rig->dir, "/tmp/sim-rig-XXXXXX");
    if (mkdtemp(rig->dir) == NULL) {
        strcpy(rig->dir, "/tmp/sim-rig-XXXXXX");
        must(mkdtemp(rig->dir) != NULL, "mkdtemp");
    }
    rig->sim.cards_dir = cards_dir;
    rig->sim.state_dir = rig->sim.videos_dir = rig->dir;
    must(sim_device_new(&rig->sim.device, &options) == 0, "device");
    sim_device_plug(rig->sim.device, clock_now(rig));
    configure(rig, clock_now(rig));
    return rig;
}

const struct umock_model *sim_rig_model(void)
{
    return &model;
}

struct sim_rig *sim_rig_new_stepped(const char *level, bool pin_pad, struct clock *clock,
                                    const char *cards_dir, const struct umock_hooks *hooks,
                                    void *arg)
{
    struct sim_rig *rig = sim_rig_new_bare(level, pin_pad, clock, cards_dir);

    start_umock(rig);
    umock_device_own_time(rig->umock, clock_now, rig);
    umock_device_hook(rig->umock, hooks, arg);
    return rig;
}

int sim_rig_open(struct sim_rig *rig)
{
    return umock_device_open(rig->umock);
}

void sim_rig_hook(struct sim_rig *rig, const struct umock_hooks *hooks, void *arg)
{
    if (rig->umock != NULL)
        umock_device_hook(rig->umock, hooks, arg);
    else
        sim_usb_hook(hooks, arg);
}

bool sim_rig_step(struct sim_rig *rig)
{
    return umock_device_step(rig->umock);
}

uint64_t sim_rig_next_us(struct sim_rig *rig)
{
    uint64_t next = rig->umock != NULL ? umock_device_next_us(rig->umock) : UINT64_MAX, own;

    lock(rig);
    own = sim_device_next_us(rig->sim.device, clock_now(rig));
    unlock(rig);
    return own < next ? own : next;
}

bool sim_rig_plugged(struct sim_rig *rig)
{
    return sim_device_plugged(rig->sim.device);
}

void sim_rig_pull_cable(struct sim_rig *rig)
{
    sim_device_unplug(rig->sim.device);
}

void sim_rig_sleep(struct sim_rig *rig, enum sim_sleep sleep)
{
    /* uvcvideo takes a camera that nobody holds; no driver of the kernel's takes a reader. */
    umock_device_disown(rig->umock, sleep == SIM_SLEEP_RESET ? -ENOENT : -ESHUTDOWN,
                        sleep == SIM_SLEEP_POWERED, CAMERA_INTERFACES);
    if (sleep == SIM_SLEEP_POWERED)
        return;
    lock(rig);
    sim_device_reset(rig->sim.device, clock_now(rig));
    unlock(rig);
    configure(rig, clock_now(rig));
}

void sim_rig_replug(struct sim_rig *rig)
{
    lock(rig);
    sim_device_plug(rig->sim.device, clock_now(rig));
    unlock(rig);
    if (rig->umock != NULL)
        umock_device_replug(rig->umock);
    configure(rig, clock_now(rig));
}

int sim_rig_tries(struct sim_rig *rig, const char *application, unsigned file)
{
    struct card_counter counter;

    for (size_t i = 0; rig->sim.card != NULL && sim_card_counter(rig->sim.card, i, &counter); i++)
        if (strcmp(counter.application, application) == 0 && counter.file == file)
            return counter.left;
    return -1;
}

struct sim_rig *sim_rig_new(enum sim_transport transport, const char *level)
{
    struct sim_rig *rig = calloc(1, sizeof(*rig));
    struct device_options options = {.serial = "0001", .level = level, .seed = 1};

    must(rig != NULL, "calloc");
    rig->transport = transport;
    rig->epoll_fd = rig->listen_fd = -1;
    pthread_mutex_init(&rig->mutex, NULL);
    make_cards(rig);
    rig->sim.cards_dir = rig->sim.state_dir = rig->sim.videos_dir = rig->dir;
    must(sim_device_new(&rig->sim.device, &options) == 0, "device");
    sim_device_plug(rig->sim.device, now_us());
    if (transport == SIM_USBIP) {
        start_usbip(rig);
        return rig;
    }
    start_umock(rig);
    configure(rig, now_us());
    return rig;
}

void sim_rig_free(struct sim_rig **slot)
{
    struct sim_rig *rig = *slot;

    if (rig == NULL)
        return;
    *slot = NULL;
    umock_device_free(&rig->umock);
    if (rig->usbip != NULL) {
        pthread_mutex_lock(&rig->mutex);
        rig->stop = true;
        pthread_mutex_unlock(&rig->mutex);
        pthread_join(rig->thread, NULL);
        sim_usbip_free(&rig->usbip);
        close(rig->listen_fd);
        close(rig->epoll_fd);
    }
    sim_control_finish(&rig->sim);
    sim_device_free(&rig->sim.device);
    if (rig->clock == NULL)
        remove_cards(rig);
    else
        remove_states(rig);
    pthread_mutex_destroy(&rig->mutex);
    free(rig);
}

struct usb *sim_rig_usb(struct sim_rig *rig, struct sd_event *loop, struct clock *clock)
{
    struct usb *usb;

    if (rig->transport == SIM_LIBUSB) {
        usb = usb_libusb_new(loop, clock, umock_device_open(rig->umock));
    } else {
        uint32_t devid;
        int fd = import(rig, &devid);

        usb = usb_usbip_new(loop, clock, fd, devid, USB_SPEED_HIGH);
    }
    must(usb != NULL, "usb");
    return usb;
}

const char *sim_rig_ask(struct sim_rig *rig, const char *line)
{
    char copy[CONTROL_LINE];

    snprintf(copy, sizeof(copy), "%s", line);
    lock(rig);
    sim_control_execute(&rig->sim, copy, rig->answer, sizeof(rig->answer));
    unlock(rig);
    return rig->answer;
}

void sim_rig_do(struct sim_rig *rig, const char *line)
{
    const char *answer = sim_rig_ask(rig, line);

    if (strncmp(answer, "ok", 2) != 0)
        fprintf(stderr, "%s: %s\n", line, answer);
    must(strncmp(answer, "ok", 2) == 0, "the simulator refuses");
}

void sim_rig_hold(struct sim_rig *rig, unsigned interface)
{
    must(rig->umock != NULL, "only usbfs knows other holders");
    umock_device_hold(rig->umock, interface, true);
}
