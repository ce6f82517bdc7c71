/* What the broker sees of a host's USB, from a sysfs tree written here by hand and shown by umockdev. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <umockdev.h>

#include "driver/broker/udev.h"

static UMockdevTestbed *bed;

static void add(const char *description)
{
    GError *error = NULL;

    if (!umockdev_testbed_add_from_string(bed, description, &error))
        fail_msg("%s", error->message);
}

static int up(void **state)
{
    (void)state;
    bed = umockdev_testbed_new();
    add("P: /devices/pci0000:00/usb1\nN: bus/usb/001/001\nE: SUBSYSTEM=usb\nE: "
        "DEVTYPE=usb_device\nE: DEVNAME=/dev/bus/usb/001/001\n"
        "A: bDeviceClass=09\nA: idVendor=1d6b\nA: idProduct=0002\nA: busnum=1\\n\nA: "
        "devnum=1\\n\nA: speed=480\\n\n");
    add("P: /devices/pci0000:00/usb1/1-2\nN: bus/usb/001/004\nE: SUBSYSTEM=usb\nE: "
        "DEVTYPE=usb_device\nE: DEVNAME=/dev/bus/usb/001/004\n"
        "A: bDeviceClass=ef\\n\nA: idVendor=1209\\n\nA: idProduct=0001\\n\nA: busnum=1\\n\nA: "
        "devnum=4\\n\nA: speed=480\\n\n"
        "A: serial=S-17\\n\nA: product=Reader and camera\\n\n");
    add("P: /devices/pci0000:00/usb1/1-2/1-2:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: "
        "bInterfaceClass=0b\\n\n");
    add("P: /devices/pci0000:00/usb1/1-2/1-2:1.1\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: "
        "bInterfaceClass=0e\\n\n"
        "L: driver=../../../../../bus/usb/drivers/uvcvideo\n");
    add("P: /devices/pci0000:00/usb1/1-1\nN: bus/usb/001/003\nE: SUBSYSTEM=usb\nE: "
        "DEVTYPE=usb_device\nE: DEVNAME=/dev/bus/usb/001/003\n"
        "A: bDeviceClass=00\\n\nA: idVendor=046d\\n\nA: idProduct=c077\\n\nA: busnum=1\\n\nA: "
        "devnum=3\\n\nA: speed=1.5\\n\n");
    add("P: /devices/pci0000:00/usb1/1-1/1-1:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: "
        "bInterfaceClass=03\\n\n"
        "L: driver=../../../../../bus/usb/drivers/usbhid\n");
    /* a camera's picture node and its metadata node, a camera of another bus, its output side */
    add("P: /devices/pci0000:00/usb1/1-2/1-2:1.1/video4linux/video10\nN: video10\nE: "
        "SUBSYSTEM=video4linux\n"
        "E: DEVNAME=/dev/video10\nA: index=0\\n\nA: name=Reader and camera\\n\n");
    add("P: /devices/pci0000:00/usb1/1-2/1-2:1.1/video4linux/video2\nN: video2\nE: "
        "SUBSYSTEM=video4linux\n"
        "E: DEVNAME=/dev/video2\nA: index=1\\n\nA: name=Reader and camera\\n\n");
    add("P: /devices/platform/soc.0/video4linux/video3\nN: video3\nE: SUBSYSTEM=video4linux\nE: "
        "DEVNAME=/dev/video3\n"
        "A: index=0\\n\nA: name=On the board\\n\n");
    add("P: /devices/platform/soc.0/video4linux/video4\nN: video4\nE: SUBSYSTEM=video4linux\nE: "
        "DEVNAME=/dev/video4\n"
        "A: index=1\\n\nA: name=On the board\\n\n");
    /* a reader of the maker's own class that the table of readers knows, and a thing of such a class that it does not */
    add("P: /devices/pci0000:00/usb1/1-3\nN: bus/usb/001/006\nE: SUBSYSTEM=usb\nE: "
        "DEVTYPE=usb_device\nE: DEVNAME=/dev/bus/usb/001/006\n"
        "A: bDeviceClass=00\\n\nA: idVendor=04e6\\n\nA: idProduct=5120\\n\nA: busnum=1\\n\nA: "
        "devnum=6\\n\nA: speed=12\\n\n");
    add("P: /devices/pci0000:00/usb1/1-3/1-3:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: "
        "bInterfaceClass=ff\\n\n");
    add("P: /devices/pci0000:00/usb1/1-4\nN: bus/usb/001/007\nE: SUBSYSTEM=usb\nE: "
        "DEVTYPE=usb_device\nE: DEVNAME=/dev/bus/usb/001/007\n"
        "A: bDeviceClass=00\\n\nA: idVendor=04e6\\n\nA: idProduct=0001\\n\nA: busnum=1\\n\nA: "
        "devnum=7\\n\nA: speed=12\\n\n");
    add("P: /devices/pci0000:00/usb1/1-4/1-4:1.0\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\nA: "
        "bInterfaceClass=ff\\n\n");
    return 0;
}

static int down(void **state)
{
    (void)state;
    g_clear_object(&bed);
    return 0;
}

static void devices_are_told_with_what_they_are_and_who_has_them(void **state)
{
    struct plugged list[8];

    (void)state;
    assert_int_equal(udev_list(list, 8), 5);
    assert_string_equal(list[0].port, "1-1");
    assert_false(list[0].reader);
    assert_false(list[0].camera);
    assert_int_equal(list[0].speed, 1);
    assert_string_equal(list[0].holder, "usbhid");
    assert_string_equal(list[1].port, "1-2");
    assert_string_equal(list[1].node, "/dev/bus/usb/001/004");
    assert_int_equal(list[1].vendor, 0x1209);
    assert_int_equal(list[1].product, 0x0001);
    assert_string_equal(list[1].serial, "S-17");
    assert_string_equal(list[1].name, "Reader and camera");
    assert_string_equal(list[1].holder, "uvcvideo");
    assert_int_equal(list[1].busnum, 1);
    assert_int_equal(list[1].devnum, 4);
    assert_int_equal(list[1].speed, 3);
    assert_true(list[1].reader);
    assert_true(list[1].camera);
    assert_false(list[1].fresh); /* no daemon of udev's has seen it: nobody will take it now */
}

static void cameras_are_told_with_their_node(void **state)
{
    struct plugged list[8];

    (void)state;
    assert_int_equal(udev_list(list, 8), 5);
    assert_string_equal(list[0].video, "");
    assert_string_equal(list[1].video, "/dev/video10");
    assert_string_equal(list[4].port, "video3");
    assert_string_equal(list[4].node, "");
    assert_string_equal(list[4].video, "/dev/video3");
    assert_string_equal(list[4].name, "On the board");
    assert_true(list[4].camera);
    assert_false(list[4].reader);
}

static void readers_of_a_makers_own_class_are_known_by_the_table(void **state)
{
    struct plugged list[8];

    (void)state;
    assert_int_equal(udev_list(list, 8), 5);
    assert_string_equal(list[2].port, "1-3");
    assert_true(list[2].reader);
    assert_string_equal(list[3].port, "1-4");
    assert_false(list[3].reader);
}

static void no_more_than_there_is_room_for(void **state)
{
    struct plugged list[1];

    (void)state;
    assert_int_equal(udev_list(list, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_told_with_what_they_are_and_who_has_them),
        cmocka_unit_test(cameras_are_told_with_their_node),
        cmocka_unit_test(readers_of_a_makers_own_class_are_known_by_the_table),
        cmocka_unit_test(no_more_than_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, up, down);
}
