#include "host_usb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <umockdev.h>

#define ROOT "/devices/pci0000:00/usb1"

static UMockdevTestbed *bed;

static void add(const char *description)
{
    GError *error = NULL;

    if (!umockdev_testbed_add_from_string(bed, description, &error))
        fail_msg("%s", error->message);
}

void host_new(void)
{
    (void)setenv("TMPDIR", "/dev/shm", 1);
    bed = umockdev_testbed_new();
    add("P: " ROOT "\nN: bus/usb/001/001\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nE: "
        "DEVNAME=/dev/bus/usb/001/001\n"
        "A: bDeviceClass=09\nA: idVendor=1d6b\nA: idProduct=0002\nA: busnum=1\\n\nA: "
        "devnum=1\\n\nA: speed=480\\n\n");
}

void host_free(void)
{
    g_clear_object(&bed);
}

/* The mock's nodes of cameras are terminals; the cage sees where they lead to, and a plain file will do. */
static void make_plain(const char *video)
{
    char *root = umockdev_testbed_get_root_dir(bed), path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/dev/%s", root, video);
    g_free(root);
    (void)unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

/* A device with one interface of the class, or two: a reader, and a camera that the kernel's driver has. */
void host_plug(const char *port, unsigned devnum, const char *id, const char *serial,
               const char *name, const char *video)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "P: " ROOT "/%s\nN: bus/usb/001/%03u\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\nE: "
             "DEVNAME=/dev/bus/usb/001/%03u\n"
             "A: bDeviceClass=00\\n\nA: idVendor=%.4s\\n\nA: idProduct=%.4s\\n\nA: busnum=1\\n\nA: "
             "devnum=%u\\n\nA: speed=480\\n\n"
             "A: serial=%s\\n\nA: product=%s\\n\n",
             port, devnum, devnum, id, id + 5, devnum, serial, name);
    add(text);
    snprintf(text, sizeof(text),
             "P: " ROOT
             "/%s/%s:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: bInterfaceClass=0b\\n\n",
             port, port);
    add(text);
    if (video == NULL)
        return;
    snprintf(text, sizeof(text),
             "P: " ROOT
             "/%s/%s:1.1\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: bInterfaceClass=0e\\n\n"
             "L: driver=../../../../../bus/usb/drivers/uvcvideo\n",
             port, port);
    add(text);
    snprintf(text, sizeof(text),
             "P: " ROOT "/%s/%s:1.1/video4linux/%s\nN: %s\nE: SUBSYSTEM=video4linux\nE: "
             "DEVNAME=/dev/%s\nA: index=0\\n\n"
             "A: name=%s\\n\n",
             port, port, video, video, video, name);
    add(text);
    make_plain(video);
}

void host_tell(const char *port, const char *action)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys" ROOT "/%s", port);
    umockdev_testbed_uevent(bed, path, action);
}

void host_unplug(const char *port)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys" ROOT "/%s", port);
    umockdev_testbed_uevent(bed, path, "remove");
    umockdev_testbed_remove_device(bed, path);
}

void host_set(const char *port, const char *attribute, const char *value)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys" ROOT "/%s", port);
    umockdev_testbed_set_attribute(bed, path, attribute, value);
}
