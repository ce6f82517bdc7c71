#include "udev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-device.h>
#include <unistd.h>

#include "driver/ccid/quirks.h"

#define CLASS_HUB "09"
#define CLASS_SMART_CARD "0b"
#define CLASS_VIDEO "0e"
#define CLASS_VENDOR "ff"
/* As long as the kernel and udev's daemon may take to find and load a driver. */
#define SETTLED_US UINT64_C(2000000)

struct udev_watch {
    sd_device_monitor *monitor;
    udev_changed_fn *changed;
    void *arg;
};

static int on_device(sd_device_monitor *monitor, sd_device *device, void *arg)
{
    struct udev_watch *watch = arg;

    (void)monitor;
    (void)device;
    watch->changed(watch->arg);
    return 0;
}

int udev_watch_new(struct udev_watch **out, struct sd_event *loop, udev_changed_fn *changed,
                   void *arg)
{
    struct udev_watch *watch = calloc(1, sizeof(*watch));
    int rc;

    *out = NULL;
    if (watch == NULL)
        return -ENOMEM;
    watch->changed = changed;
    watch->arg = arg;
    rc = sd_device_monitor_new(&watch->monitor);
    if (rc >= 0)
        rc = sd_device_monitor_filter_add_match_subsystem_devtype(watch->monitor, "usb",
                                                                  "usb_device");
    if (rc >= 0)
        rc = sd_device_monitor_filter_add_match_subsystem_devtype(watch->monitor, "video4linux",
                                                                  NULL);
    if (rc >= 0)
        rc = sd_device_monitor_attach_event(watch->monitor, loop);
    if (rc >= 0)
        rc = sd_device_monitor_start(watch->monitor, on_device, watch);
    if (rc < 0) {
        udev_watch_free(&watch);
        return rc;
    }
    *out = watch;
    return 0;
}

void udev_watch_free(struct udev_watch **watch)
{
    if (*watch == NULL)
        return;
    sd_device_monitor_unref((*watch)->monitor);
    free(*watch);
    *watch = NULL;
}

bool udev_daemon_runs(void)
{
    return access("/run/udev/control", F_OK) == 0;
}

/* What could not be read for want of memory or descriptors is not known; all else is not there. */
static void note(int rc, int *unknown)
{
    if (rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE)
        *unknown = rc;
}

static const char *attribute(sd_device *device, const char *name, int *unknown)
{
    const char *value = NULL;
    int rc = sd_device_get_sysattr_value(device, name, &value);

    note(rc, unknown);
    return rc >= 0 ? value : "";
}

static void text(char *out, size_t size, const char *value)
{
    /* A device may call itself what it likes: what does not fit or is not plain text is left out. */
    size_t n = 0;

    for (; value[n] != 0 && n + 1 < size; n++)
        out[n] = value[n] >= ' ' && value[n] < 0x7f ? value[n] : '?';
    out[n] = 0;
}

static uint8_t speed_of(const char *megabits)
{
    static const struct {
        const char *megabits;
        uint8_t speed;
    } rows[] = {{"1.5", 1}, {"12", 2}, {"480", 3}, {"5000", 5}, {"10000", 5}, {"20000", 5}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].megabits, megabits) == 0)
            return rows[i].speed;
    return 0;
}

static void look_at_interfaces(sd_device *device, struct plugged *out, int *unknown)
{
    const struct ccid_quirk *quirk = ccid_quirk_find(out->vendor, out->product);
    const char *suffix = NULL;
    const char *driver;
    const char *class;

    for (sd_device *child = sd_device_get_child_first(device, &suffix); child != NULL;
         child = sd_device_get_child_next(device, &suffix)) {
        class = attribute(child, "bInterfaceClass", unknown);
        if (strcmp(class, CLASS_SMART_CARD) == 0)
            out->reader = true;
        if (strcmp(class, CLASS_VENDOR) == 0 && quirk != NULL &&
            (quirk->flags & CCID_QUIRK_VENDOR_CLASS) != 0)
            out->reader = true;
        if (strcmp(class, CLASS_VIDEO) == 0)
            out->camera = true;
        driver = NULL;
        if (class[0] != 0 && out->holder[0] == 0 && sd_device_get_driver(child, &driver) >= 0)
            text(out->holder, sizeof(out->holder), driver);
    }
}

/* False: a hub, or gone while being looked at. */
static bool describe(sd_device *device, struct plugged *out, int *unknown)
{
    const char *port = NULL;
    const char *node = NULL;
    uint64_t age = 0;
    int rc;

    memset(out, 0, sizeof(*out));
    if (strcmp(attribute(device, "bDeviceClass", unknown), CLASS_HUB) == 0)
        return false;
    rc = sd_device_get_sysname(device, &port);
    if (rc >= 0)
        rc = sd_device_get_devname(device, &node);
    if (rc < 0) {
        note(rc, unknown);
        return false;
    }
    text(out->port, sizeof(out->port), port);
    text(out->node, sizeof(out->node), node);
    text(out->serial, sizeof(out->serial), attribute(device, "serial", unknown));
    text(out->name, sizeof(out->name), attribute(device, "product", unknown));
    out->vendor = (uint16_t)strtoul(attribute(device, "idVendor", unknown), NULL, 16);
    out->product = (uint16_t)strtoul(attribute(device, "idProduct", unknown), NULL, 16);
    out->busnum = (uint32_t)strtoul(attribute(device, "busnum", unknown), NULL, 10);
    out->devnum = (uint32_t)strtoul(attribute(device, "devnum", unknown), NULL, 10);
    out->speed = speed_of(attribute(device, "speed", unknown));
    out->fresh = sd_device_get_usec_since_initialized(device, &age) >= 0 && age < SETTLED_US;
    look_at_interfaces(device, out, unknown);
    return true;
}

/* -- video nodes ------------------------------------------------------------------------------- */

/* Each camera's first node; further ones bring metadata. */
static bool is_first_node(sd_device *device, int *unknown)
{
    return strcmp(attribute(device, "index", unknown), "0") == 0;
}

static const char *port_of(sd_device *device, int *unknown)
{
    sd_device *parent = NULL;
    const char *port = NULL;
    int rc = sd_device_get_parent_with_subsystem_devtype(device, "usb", "usb_device", &parent);

    if (rc >= 0)
        rc = sd_device_get_sysname(parent, &port);
    note(rc, unknown);
    return rc >= 0 ? port : NULL;
}

/* A device with two cameras keeps the node with the lower number. */
static bool comes_before(const char *video, const char *other)
{
    return other[0] == 0 || strlen(video) < strlen(other) ||
           (strlen(video) == strlen(other) && strcmp(video, other) < 0);
}

static void take_video_node(sd_device *device, struct plugged *list, size_t *n, size_t most,
                            int *unknown)
{
    const char *port = port_of(device, unknown);
    const char *node = NULL;
    const char *name = NULL;
    struct plugged *p = list;

    if (!is_first_node(device, unknown) || sd_device_get_devname(device, &node) < 0 ||
        sd_device_get_sysname(device, &name) < 0 || strlen(node) >= sizeof(p->video))
        return;
    while (port != NULL && p < list + *n && strcmp(p->port, port) != 0)
        p++;
    if (port != NULL && p < list + *n) {
        if (comes_before(node, p->video))
            text(p->video, sizeof(p->video), node);
        return;
    }
    /* Of another bus. A USB camera whose device has gone meanwhile is nothing. */
    if (port != NULL || *n >= most)
        return;
    p = &list[(*n)++];
    memset(p, 0, sizeof(*p));
    p->camera = true;
    text(p->port, sizeof(p->port), name);
    text(p->video, sizeof(p->video), node);
    text(p->name, sizeof(p->name), attribute(device, "name", unknown));
}

static void list_video_nodes(struct plugged *list, size_t *n, size_t most, int *unknown)
{
    sd_device_enumerator *all = NULL;
    int rc = sd_device_enumerator_new(&all);

    if (rc >= 0)
        rc = sd_device_enumerator_add_match_subsystem(all, "video4linux", 1);
    if (rc >= 0)
        rc = sd_device_enumerator_allow_uninitialized(all);
    for (sd_device *d = rc >= 0 ? sd_device_enumerator_get_device_first(all) : NULL; d != NULL;
         d = sd_device_enumerator_get_device_next(all))
        take_video_node(d, list, n, most, unknown);
    note(rc, unknown);
    sd_device_enumerator_unref(all);
}

static int by_port(const void *a, const void *b)
{
    return strcmp(((const struct plugged *)a)->port, ((const struct plugged *)b)->port);
}

int udev_list(struct plugged *out, size_t most)
{
    sd_device_enumerator *all = NULL;
    size_t n = 0;
    int unknown = 0;
    int rc = sd_device_enumerator_new(&all);

    if (rc >= 0)
        rc = sd_device_enumerator_add_match_subsystem(all, "usb", 1);
    if (rc >= 0)
        rc = sd_device_enumerator_add_match_property(all, "DEVTYPE", "usb_device");
    /* Without a udev daemon nothing is ever marked as ready; the devices are there all the same. */
    if (rc >= 0)
        rc = sd_device_enumerator_allow_uninitialized(all);
    for (sd_device *d = rc >= 0 ? sd_device_enumerator_get_device_first(all) : NULL;
         d != NULL && n < most; d = sd_device_enumerator_get_device_next(all))
        if (describe(d, &out[n], &unknown))
            n++;
    sd_device_enumerator_unref(all);
    list_video_nodes(out, &n, most, &unknown);
    qsort(out, n, sizeof(out[0]), by_port);
    return rc < 0 ? rc : unknown < 0 ? unknown : (int)n;
}
