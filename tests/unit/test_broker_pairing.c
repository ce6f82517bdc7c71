/* Which device belongs to which lane: words of the configuration against lists of what is plugged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver/broker/pairing.h"

#define NONE PAIRING_NO_DEVICE

/* A combined reader and camera, two readers of one model, a camera, and a mouse. */
static const struct plugged everything[] = {
    {.port = "1-1", .vendor = 0x1209, .product = 0x0001, .reader = true, .camera = true},
    {.port = "1-2.1", .vendor = 0x054c, .product = 0x0dc8, .serial = "A1", .reader = true},
    {.port = "1-2.2", .vendor = 0x054c, .product = 0x0dc8, .serial = "B2", .reader = true},
    {.port = "2-1", .vendor = 0x046d, .product = 0x0825, .camera = true},
    {.port = "2-2", .vendor = 0x046d, .product = 0xc077},
};

struct want {
    const char *reader, *camera;
    size_t reader_device, camera_device;
    enum pairing_result reader_result, camera_result;
};

static void check(const struct want *want, size_t lanes, const struct plugged *devices, size_t n)
{
    struct pairing pairings[8];
    size_t owner[8];

    memset(pairings, 0, sizeof(pairings));
    for (size_t i = 0; i < lanes; i++) {
        assert_int_equal(spec_parse_reader(&pairings[i].reader_spec, want[i].reader), 0);
        assert_int_equal(spec_parse_camera(&pairings[i].camera_spec, want[i].camera), 0);
    }
    pairing_match(pairings, lanes, devices, n, owner);
    for (size_t i = 0; i < lanes; i++) {
        assert_int_equal(pairings[i].reader_result, want[i].reader_result);
        assert_int_equal(pairings[i].camera_result, want[i].camera_result);
        assert_true(pairings[i].reader == want[i].reader_device);
        assert_true(pairings[i].camera == want[i].camera_device);
        if (pairings[i].reader != NONE)
            assert_int_equal(owner[pairings[i].reader], i);
        if (pairings[i].camera != NONE)
            assert_int_equal(owner[pairings[i].camera], i);
    }
}

#define CHECK(devices, n, ...)                                                                     \
    do {                                                                                           \
        const struct want want_[] = {__VA_ARGS__};                                                 \
        check(want_, sizeof(want_) / sizeof(want_[0]), (devices), (n));                            \
    } while (0)

static void one_device_is_the_only_one(void **state)
{
    (void)state;
    CHECK(everything, 1, {"only", "same", 0, 0, PAIRING_FOUND, PAIRING_FOUND});
    CHECK(everything, 0, {"only", "same", NONE, NONE, PAIRING_ABSENT, PAIRING_ABSENT});
    CHECK(everything + 1, 1, {"only", "same", 0, NONE, PAIRING_FOUND, PAIRING_ABSENT});
    CHECK(everything + 4, 1, {"only", "only", NONE, NONE, PAIRING_ABSENT, PAIRING_ABSENT});
    CHECK(everything, 1, {"only", "none", 0, NONE, PAIRING_FOUND, PAIRING_NOT_WANTED});
}

static void several_are_not_chosen_among(void **state)
{
    (void)state;
    CHECK(everything, 5, {"only", "same", NONE, NONE, PAIRING_AMBIGUOUS, PAIRING_ABSENT});
    CHECK(everything, 5,
          {"id=054c:0dc8", "none", NONE, NONE, PAIRING_AMBIGUOUS, PAIRING_NOT_WANTED});
}

static void a_port_a_model_a_serial_name_one(void **state)
{
    (void)state;
    CHECK(everything, 5, {"port=1-2.2", "none", 2, NONE, PAIRING_FOUND, PAIRING_NOT_WANTED});
    CHECK(everything, 5, {"id=1209:0001", "same", 0, 0, PAIRING_FOUND, PAIRING_FOUND});
    CHECK(everything, 5, {"id=054C:0DC8/B2", "none", 2, NONE, PAIRING_FOUND, PAIRING_NOT_WANTED});
    CHECK(everything, 5,
          {"id=054c:0dc8/C3", "none", NONE, NONE, PAIRING_ABSENT, PAIRING_NOT_WANTED});
    CHECK(everything, 5, {"port=1-9", "none", NONE, NONE, PAIRING_ABSENT, PAIRING_NOT_WANTED});
}

static void lanes_that_name_a_device_come_before_those_that_take_the_rest(void **state)
{
    (void)state;
    CHECK(everything, 3, {"only", "none", 0, NONE, PAIRING_FOUND, PAIRING_NOT_WANTED},
          {"id=054c:0dc8/A1", "none", 1, NONE, PAIRING_FOUND, PAIRING_NOT_WANTED},
          {"port=1-2.2", "none", 2, NONE, PAIRING_FOUND, PAIRING_NOT_WANTED});
}

static void a_device_serves_one_lane(void **state)
{
    (void)state;
    CHECK(everything, 1, {"only", "same", 0, 0, PAIRING_FOUND, PAIRING_FOUND},
          {"only", "same", NONE, NONE, PAIRING_TAKEN, PAIRING_ABSENT});
    /* its camera does not go to another lane than its reader */
    CHECK(everything, 2, {"port=1-2.1", "port=1-1", 1, NONE, PAIRING_FOUND, PAIRING_TAKEN},
          {"port=1-1", "same", 0, 0, PAIRING_FOUND, PAIRING_FOUND});
}

static void reader_and_camera_of_two_devices_make_a_lane(void **state)
{
    (void)state;
    CHECK(everything, 5, {"id=054c:0dc8/A1", "port=2-1", 1, 3, PAIRING_FOUND, PAIRING_FOUND},
          {"id=054c:0dc8/B2", "id=1209:0001", 2, 0, PAIRING_FOUND, PAIRING_FOUND});
    /* the only camera beside the one inside the reader itself */
    CHECK(everything, 5, {"id=1209:0001", "only", 0, 3, PAIRING_FOUND, PAIRING_FOUND});
    CHECK(everything, 3, {"id=1209:0001", "only", 0, 0, PAIRING_FOUND, PAIRING_FOUND});
}

static void a_device_without_camera_is_no_camera(void **state)
{
    (void)state;
    CHECK(everything, 5, {"port=1-2.1", "port=2-2", 1, NONE, PAIRING_FOUND, PAIRING_ABSENT});
    CHECK(everything, 5, {"port=1-2.1", "id=046d:c077", 1, NONE, PAIRING_FOUND, PAIRING_ABSENT});
}

static void a_simulator_is_not_looked_for_among_the_plugged(void **state)
{
    (void)state;
    CHECK(everything, 5,
          {"usbip=/run/sim.sock", "same", NONE, NONE, PAIRING_SIMULATED, PAIRING_SIMULATED});
    CHECK(everything, 5,
          {"usbip=/run/sim.sock", "port=2-1", NONE, 3, PAIRING_SIMULATED, PAIRING_FOUND});
}

/* The combined device and the camera as the kernel's driver has them, and a camera that hangs on no USB. */
static const struct plugged with_nodes[] = {
    {.port = "1-1",
     .node = "/dev/bus/usb/001/004",
     .video = "/dev/video0",
     .reader = true,
     .camera = true},
    {.port = "1-2",
     .node = "/dev/bus/usb/001/005",
     .vendor = 0x046d,
     .product = 0x0825,
     .camera = true},
    {.port = "video2", .video = "/dev/video2", .camera = true},
};

static void by_kernel(const char *camera, const struct plugged *devices, size_t n,
                      enum pairing_result result, size_t device, bool kernel)
{
    struct pairing lane;
    size_t owner[8];

    memset(&lane, 0, sizeof(lane));
    assert_int_equal(spec_parse_reader(&lane.reader_spec, "port=1-1"), 0);
    assert_int_equal(spec_parse_camera(&lane.camera_spec, camera), 0);
    /* what the broker does with realpath() */
    memcpy(lane.camera_spec.node, lane.camera_spec.path, sizeof(lane.camera_spec.node));
    pairing_match(&lane, 1, devices, n, owner);
    assert_int_equal(lane.camera_result, result);
    assert_true(lane.camera == device);
    assert_int_equal(lane.camera_by_kernel, kernel);
}

static void a_camera_may_be_the_kernels(void **state)
{
    struct plugged fresh[3];

    (void)state;
    by_kernel("v4l2:same", with_nodes, 3, PAIRING_FOUND, 0, true);
    by_kernel("v4l2:port=1-1", with_nodes, 3, PAIRING_FOUND, 0, true);
    by_kernel("v4l2:/dev/video0", with_nodes, 3, PAIRING_FOUND, 0, true);
    by_kernel("v4l2:/dev/video2", with_nodes, 3, PAIRING_FOUND, 2, true);
    by_kernel("v4l2:/dev/video7", with_nodes, 3, PAIRING_ABSENT, NONE, false);
    by_kernel("v4l2:id=046d:0825", with_nodes, 3, PAIRING_NO_NODE, NONE, false);
    by_kernel("auto:same", with_nodes, 3, PAIRING_FOUND, 0, true);
    by_kernel("auto:id=046d:0825", with_nodes, 3, PAIRING_FOUND, 1, false);
    by_kernel("same", with_nodes, 3, PAIRING_FOUND, 0, false);
    by_kernel("port=1-1", with_nodes, 3, PAIRING_FOUND, 0, false);
    /* our own driver has no way to a camera without USB */
    by_kernel("only", with_nodes, 3, PAIRING_FOUND, 1, false);
    by_kernel("v4l2:only", with_nodes, 3, PAIRING_AMBIGUOUS, NONE, false);
    by_kernel("v4l2:only", with_nodes + 2, 1, PAIRING_FOUND, 0, true);
    /* just plugged in: the kernel's driver may be on its way */
    memcpy(fresh, with_nodes, sizeof(fresh));
    fresh[1].fresh = true;
    by_kernel("auto:id=046d:0825", fresh, 3, PAIRING_SETTLING, NONE, false);
    by_kernel("v4l2:id=046d:0825", fresh, 3, PAIRING_SETTLING, NONE, false);
    by_kernel("id=046d:0825", fresh, 3, PAIRING_FOUND, 1, false);
}

static void a_camera_of_one_lane_is_not_anothers_by_its_node(void **state)
{
    struct pairing lanes[2];
    size_t owner[3];

    (void)state;
    memset(lanes, 0, sizeof(lanes));
    assert_int_equal(spec_parse_reader(&lanes[0].reader_spec, "port=1-1"), 0);
    assert_int_equal(spec_parse_camera(&lanes[0].camera_spec, "same"), 0);
    assert_int_equal(spec_parse_reader(&lanes[1].reader_spec, "port=9-9"), 0);
    assert_int_equal(spec_parse_camera(&lanes[1].camera_spec, "v4l2:/dev/v4l/by-id/link"), 0);
    strcpy(lanes[1].camera_spec.node, "/dev/video0");
    pairing_match(lanes, 2, with_nodes, 3, owner);
    /* the lane that names the node comes first, and its device is then nobody else's */
    assert_int_equal(lanes[1].camera_result, PAIRING_FOUND);
    assert_int_equal(owner[0], 1);
    assert_int_equal(lanes[0].reader_result, PAIRING_TAKEN);
}

static void words_that_mean_nothing_are_refused(void **state)
{
    static const char *const readers[] = {"",
                                          "Only",
                                          "only ",
                                          "same",
                                          "none",
                                          "port=",
                                          "port=usb1",
                                          "id=",
                                          "id=54c:dc8",
                                          "id=054c-0dc8",
                                          "id=054c:0dc8x",
                                          "id=054c:0dc8/",
                                          "id=054c:0dg8",
                                          "usbip=",
                                          "serial=1"};
    static const char *const cameras[] = {"",
                                          "usbip=/x",
                                          "port=",
                                          "id=054c",
                                          "both",
                                          "/dev/video0",
                                          "v4l2:",
                                          "v4l2:none",
                                          "auto:none",
                                          "auto:/dev/video0",
                                          "v4l2:usbip=/x",
                                          "v4l2:auto:only",
                                          "v4l2:video0",
                                          "v4l2:/dev/../etc/passwd"};
    char path[200] = "usbip=/";
    struct spec spec;

    (void)state;
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
        assert_int_equal(spec_parse_reader(&spec, readers[i]), -EINVAL);
    for (size_t i = 0; i < sizeof(cameras) / sizeof(cameras[0]); i++)
        assert_int_equal(spec_parse_camera(&spec, cameras[i]), -EINVAL);
    /* a path that no socket address can hold */
    memset(path + 7, 'a', 108);
    assert_int_equal(spec_parse_reader(&spec, path), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_device_is_the_only_one),
        cmocka_unit_test(several_are_not_chosen_among),
        cmocka_unit_test(a_port_a_model_a_serial_name_one),
        cmocka_unit_test(lanes_that_name_a_device_come_before_those_that_take_the_rest),
        cmocka_unit_test(a_device_serves_one_lane),
        cmocka_unit_test(reader_and_camera_of_two_devices_make_a_lane),
        cmocka_unit_test(a_device_without_camera_is_no_camera),
        cmocka_unit_test(a_simulator_is_not_looked_for_among_the_plugged),
        cmocka_unit_test(a_camera_may_be_the_kernels),
        cmocka_unit_test(a_camera_of_one_lane_is_not_anothers_by_its_node),
        cmocka_unit_test(words_that_mean_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
