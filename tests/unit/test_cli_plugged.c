/* What doctor sees of a host's readers and cameras: trees like sysfs and proc, made here below a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/cli/plugged.h"

static char root[] = "/tmp/plugged-XXXXXX";
static char sys[64], proc[64];
static struct plugged_roots roots;

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[1024];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(command, sizeof(command), format, list);
    va_end(list);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void device(const char *port, const char *vendor, const char *product, const char *name,
                   unsigned devnum)
{
    shell("d=%s/bus/usb/devices/%s; mkdir -p $d; cd $d; echo %s >idVendor; echo %s >idProduct; "
          "printf '%s\\n' >product; echo 1 >busnum; echo %u >devnum",
          sys, port, vendor, product, name, devnum);
}

static void interface(const char *port, unsigned number, const char *class, const char *driver)
{
    shell("d=%s/bus/usb/devices/%s:1.%u; mkdir -p $d; echo %s >$d/bInterfaceClass; [ -z '%s' ] || "
          "ln -s ../../drivers/%s $d/driver",
          sys, port, number, class, driver, driver);
}

static void process(unsigned pid, const char *comm, const char *opened)
{
    shell("d=%s/%u; mkdir -p $d/fd; echo %s >$d/comm; ln -s /dev/null $d/fd/0; ln -s %s $d/fd/7",
          proc, pid, comm, opened);
}

static int up(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    (void)snprintf(sys, sizeof(sys), "%s/sys", root);
    (void)snprintf(proc, sizeof(proc), "%s/proc", root);
    roots = (struct plugged_roots){sys, proc};
    device("usb1", "1d6b", "0002", "host controller", 1);
    device("1-2", "1209", "0001", "Reader \\001 and camera", 4);
    interface("1-2", 0, "0b", "");
    interface("1-2", 1, "0e", "uvcvideo");
    shell("mkdir -p %s/bus/usb/devices/1-2:1.1/video4linux/video3", sys);
    device("1-2.1", "054c", "0dc8", "RC-S300/S", 12);
    interface("1-2.1", 0, "0b", "usbfs");
    device("1-1", "046d", "c077", "Mouse", 3);
    interface("1-1", 0, "03", "usbhid");
    process(812, "pcscd", "/dev/bus/usb/001/012");
    process(900, "cheese", "/dev/video3");
    process(901, "uketsuke-reader", "/dev/bus/usb/001/004");
    process(902, "bash", "/dev/bus/usb/001/003");
    shell("mkdir -p %s/903; echo gone >%s/903/comm; echo x >%s/version", proc, proc, proc);
    return 0;
}

static int down(void **state)
{
    (void)state;
    shell("rm -rf %s", root);
    return 0;
}

static void readers_and_cameras_are_listed(void **state)
{
    struct plugged_device list[8];

    (void)state;
    assert_int_equal(plugged_list(&roots, list, 8), 2);
    assert_string_equal(list[0].port, "1-2");
    assert_int_equal(list[0].vendor, 0x1209);
    assert_int_equal(list[0].product, 0x0001);
    assert_string_equal(list[0].name, "Reader ? and camera");
    assert_string_equal(list[0].driver, "uvcvideo");
    assert_true(list[0].reader);
    assert_true(list[0].camera);
    assert_string_equal(list[1].port, "1-2.1");
    assert_string_equal(list[1].driver, "usbfs");
    assert_true(list[1].reader);
    assert_false(list[1].camera);
    assert_int_equal(plugged_list(&roots, list, 1), 1);
}

static void who_has_it_is_named(void **state)
{
    char holders[120];

    (void)state;
    assert_true(plugged_holders(&roots, "1-2.1", holders, sizeof(holders)));
    assert_string_equal(holders, "pcscd (812)");
    /* a camera by its node, whatever it is asked by; our own reader is not told */
    assert_true(plugged_holders(&roots, "1-2", holders, sizeof(holders)));
    assert_string_equal(holders, "cheese (900)");
    assert_true(plugged_holders(&roots, "video3", holders, sizeof(holders)));
    assert_string_equal(holders, "cheese (900)");
    assert_true(plugged_holders(&roots, "video9", holders, sizeof(holders)));
    assert_string_equal(holders, "");
    process(950, "another", "/dev/bus/usb/001/012");
    (void)plugged_holders(&roots, "1-2.1", holders, sizeof(holders));
    assert_non_null(strstr(holders, "pcscd (812)"));
    assert_non_null(strstr(holders, ", "));
    assert_non_null(strstr(holders, "another (950)"));
    /* what does not fit is cut off, not written beyond */
    (void)plugged_holders(&roots, "1-2.1", holders, 6);
    assert_true(strlen(holders) < 6);
}

static void names_that_lead_elsewhere_are_none(void **state)
{
    static const char *const rows[] = {"",           "../../../etc", "1-9",
                                       "1-2/../1-2", "usb1",         "simulator-1"};
    char holders[120];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)plugged_holders(&roots, rows[i], holders, sizeof(holders));
        assert_string_equal(holders, "");
    }
}

static void a_host_without_usb_has_nothing(void **state)
{
    const struct plugged_roots none = {"/nonexistent", "/nonexistent"};
    struct plugged_device list[2];
    char holders[16];

    (void)state;
    assert_int_equal(plugged_list(&none, list, 2), 0);
    assert_false(plugged_holders(&none, "1-2", holders, sizeof(holders)));
    assert_string_equal(holders, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_cameras_are_listed),
        cmocka_unit_test(who_has_it_is_named),
        cmocka_unit_test(names_that_lead_elsewhere_are_none),
        cmocka_unit_test(a_host_without_usb_has_nothing),
    };

    return cmocka_run_group_tests(tests, up, down);
}
