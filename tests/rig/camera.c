/*
 * rig-camera kernel|auto|vivid [PATTERN]: the lane's camera through the kernel's own driver (camera = v4l2:...).
 *
 * kernel: the simulated device on a real bus, its camera held by uvcvideo, its reader by our driver.
 * auto: the same device under camera = auto:same.
 * vivid: the kernel's test driver, which nobody here wrote and which makes mistakes on request, as the camera of a
 *   lane whose reader is another device. $UKETSUKE_RIG_NODE is its node.
 *
 * Environment otherwise as tests/unit/reader_rig.h says.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/videodev2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "tests/unit/reader_rig.h"

#define DEVICE "/sys/devices/platform/vhci_hcd.0/usb*/*-1/*-1:1.%u/driver"
#define AGAIN_MS 12000
#define FRAME_MS 15000
enum { MJPEG = 1, YUY2 = 2 };

static struct reader_rig *rig;
static uint64_t visit = 7000;

/* -- the desk's side --------------------------------------------------------------------------- */

static void start_camera(unsigned width, unsigned height, unsigned fps)
{
    const struct msg_camera_start body = {.visit = visit,
                                          .width = (uint16_t)width,
                                          .height = (uint16_t)height,
                                          .fps = (uint8_t)fps,
                                          .credit = 200};

    reader_rig_send(rig, MSG_CAMERA_START, &body);
}

static void stop_camera(void)
{
    reader_rig_send(rig, MSG_CAMERA_STOP, &(struct msg_camera_stop){.visit = visit});
}

/* The next frame, mapped; free_frame() gives it back. */
static const uint8_t *frame(struct msg_camera_frame *out)
{
    struct message *m = reader_rig_expect(rig, MSG_CAMERA_FRAME, FRAME_MS);
    const uint8_t *bytes = NULL;

    *out = m->body.camera_frame;
    assert_int_equal(memfd_map(m->fds[0], out->bytes, 8u << 20, &bytes), 0);
    close(m->fds[0]);
    return bytes;
}

static void free_frame(const uint8_t *bytes, const struct msg_camera_frame *f)
{
    memfd_unmap(bytes, f->bytes);
}

static void await_frames(unsigned n, uint8_t format, unsigned width, unsigned height)
{
    struct msg_camera_frame f;
    const uint8_t *bytes;

    while (n-- > 0) {
        bytes = frame(&f);
        assert_int_equal(f.format, format);
        assert_int_equal(f.width, width);
        assert_int_equal(f.height, height);
        if (format == YUY2)
            assert_int_equal(f.bytes, width * height * 2);
        free_frame(bytes, &f);
    }
}

static void await_camera_failure(uint16_t failure)
{
    struct message *m = reader_rig_expect(rig, MSG_CAMERA_FAILED, 30000);

    assert_int_equal(m->body.camera_failed.failure, failure);
}

static void await_all_is_well(void)
{
    reader_rig_await_connection(rig, AGAIN_MS);
    reader_rig_visit(rig, ++visit);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 20000);
}

static void card_can_be_read(void)
{
    const struct msg_card_identify body = {.visit = visit, .budget_ms = 30000};

    reader_rig_send(rig, MSG_CARD_IDENTIFY, &body);
    (void)reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 20000);
}

static int up(void **state)
{
    (void)state;
    rig = reader_rig_start();
    return 0;
}

static int down(void **state)
{
    (void)state;
    reader_rig_stop(rig);
    return 0;
}

static int all_is_well(void **state)
{
    (void)state;
    reader_rig_sim(rig, "plug");
    reader_rig_sim(rig, "faults off");
    if (strstr(reader_rig_sim(rig, "status"), "card=- ") != NULL)
        reader_rig_sim(rig, "insert franck");
    reader_rig_sim(rig, "camera franck");
    await_all_is_well();
    return 0;
}

/* -- uvcvideo ---------------------------------------------------------------------------------- */

static const char *driver_of(unsigned interface)
{
    static char name[256];
    char pattern[128];
    const char *slash;
    glob_t found;
    ssize_t n = 0;

    (void)snprintf(pattern, sizeof(pattern), DEVICE, interface);
    if (glob(pattern, 0, NULL, &found) == 0) {
        n = readlink(found.gl_pathv[0], name, sizeof(name) - 1);
        globfree(&found);
    }
    name[n > 0 ? n : 0] = 0;
    slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}

static void camera_is_the_kernels(void)
{
    assert_string_equal(driver_of(0), "usbfs"); /* the reader is ours */
    assert_string_equal(driver_of(1), "uvcvideo");
    assert_string_equal(driver_of(2), "uvcvideo");
}

/* Byte for byte a picture of the film that the simulated camera shows. */
static bool is_of_the_film(const uint8_t *bytes, size_t len, const char *below)
{
    static uint8_t file[1u << 20];
    char directory[4200], path[4500];
    const struct dirent *entry;
    struct stat st;
    bool same = false;
    DIR *films;
    FILE *f;

    (void)snprintf(directory, sizeof(directory), "%s/videos/franck%s",
                   reader_rig_sim_directory(rig), below);
    films = opendir(directory);
    assert_non_null(films);
    while (!same && (entry = readdir(films)) != NULL) {
        if (strstr(entry->d_name, ".jpg") == NULL)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%.250s", directory, entry->d_name);
        if (stat(path, &st) != 0 || (size_t)st.st_size != len)
            continue;
        f = fopen(path, "rb");
        same = f != NULL && fread(file, 1, sizeof(file), f) == len && memcmp(file, bytes, len) == 0;
        if (f != NULL)
            (void)fclose(f);
    }
    closedir(films);
    return same;
}

static void pictures_are_the_films(void **state)
{
    static const struct {
        unsigned width, height;
        const char *below;
    } rows[] = {{640, 480, ""}, {320, 240, "/half"}};
    struct msg_camera_frame f;
    const uint8_t *bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start_camera(rows[i].width, rows[i].height, 15);
        for (unsigned n = 0; n < 8; n++) {
            bytes = frame(&f);
            assert_int_equal(f.format, MJPEG);
            assert_int_equal(f.width, rows[i].width);
            assert_true(is_of_the_film(bytes, f.bytes, rows[i].below));
            free_frame(bytes, &f);
        }
        camera_is_the_kernels();
        card_can_be_read();
        stop_camera();
        reader_rig_visit(rig, ++visit);
    }
}

static void the_broker_names_one_device(void **state)
{
    struct msg_device_item item;

    (void)state;
    assert_int_equal(reader_rig_devices(rig, &item), 1);
    assert_int_equal(item.use, 3);
    assert_int_equal(item.lane, 1);
    assert_string_equal(item.holder, "uketsuke-reader");
    assert_string_equal(item.next, "");
}

static void unplugged_while_it_streams(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        start_camera(640, 480, 15);
        await_frames(2, MJPEG, 640, 480);
        reader_rig_sim(rig, "unplug");
        await_camera_failure(FAILURE_CAMERA_ABSENT);
        reader_rig_await_state(rig, FAILURE_READER_LOST, FAILURE_CAMERA_ABSENT, 0, 8000);
        assert_int_equal(all_is_well(state), 0);
        start_camera(640, 480, 15);
        await_frames(2, MJPEG, 640, 480);
        camera_is_the_kernels();
        stop_camera();
    }
}

static void killed_while_it_streams(void **state)
{
    (void)state;
    start_camera(640, 480, 15);
    await_frames(2, MJPEG, 640, 480);
    reader_rig_kill(rig, RIG_READER);
    reader_rig_restart(rig, RIG_READER);
    reader_rig_run_ms(rig, 100);
    await_all_is_well();
    start_camera(640, 480, 15);
    await_frames(2, MJPEG, 640, 480);
    stop_camera();
}

static void first_node(char *out, size_t size)
{
    glob_t found;

    assert_int_equal(glob("/sys/devices/platform/vhci_hcd.0/usb*/*-1/*-1:1.1/video4linux/video*", 0,
                          NULL, &found),
                     0);
    (void)snprintf(out, size, "/dev/%s", strrchr(found.gl_pathv[0], '/') + 1);
    globfree(&found);
}

/* Who has asked the driver for memory holds the camera. */
static void another_program_holds_it(void **state)
{
    struct v4l2_requestbuffers request = {
        .count = 2, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    char node[64];
    int fd;

    (void)state;
    first_node(node, sizeof(node));
    fd = open(node, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    /* What was streamed before lets go a moment after the word to stop. */
    for (unsigned i = 0; ioctl(fd, VIDIOC_REQBUFS, &request) < 0; i++) {
        assert_int_equal(errno, EBUSY);
        assert_true(i < 200);
        reader_rig_run_ms(rig, 50);
        request.count = 2;
    }
    start_camera(640, 480, 15);
    await_camera_failure(FAILURE_CAMERA_BUSY);
    close(fd);
    start_camera(640, 480, 15);
    await_frames(2, MJPEG, 640, 480);
    stop_camera();
}

static void a_frozen_and_a_dead_picture_are_told(void **state)
{
    (void)state;
    start_camera(640, 480, 15);
    await_frames(1, MJPEG, 640, 480);
    reader_rig_sim(rig, "camera freeze");
    await_camera_failure(FAILURE_CAMERA_FROZEN);
    reader_rig_sim(rig, "camera off");
    start_camera(640, 480, 15);
    await_camera_failure(FAILURE_CAMERA_SILENT);
    reader_rig_sim(rig, "camera franck");
    start_camera(640, 480, 15);
    await_frames(2, MJPEG, 640, 480);
    stop_camera();
}

static int32_t value_of(int fd, uint32_t id)
{
    struct v4l2_control control = {.id = id};

    assert_int_equal(ioctl(fd, VIDIOC_G_CTRL, &control), 0);
    return control.value;
}

static void set_value(int fd, uint32_t id, int32_t value)
{
    struct v4l2_control control = {.id = id, .value = value};

    assert_int_equal(ioctl(fd, VIDIOC_S_CTRL, &control), 0);
    assert_int_equal(value_of(fd, id), value);
}

/* Whatever somebody else has left in the camera. */
static void exposure_and_white_balance_are_made_automatic(void **state)
{
    char node[64];
    int fd;

    (void)state;
    first_node(node, sizeof(node));
    fd = open(node, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    set_value(fd, V4L2_CID_EXPOSURE_AUTO, V4L2_EXPOSURE_MANUAL);
    set_value(fd, V4L2_CID_AUTO_WHITE_BALANCE, 0);
    start_camera(640, 480, 15);
    await_frames(1, MJPEG, 640, 480);
    assert_int_equal(value_of(fd, V4L2_CID_EXPOSURE_AUTO), V4L2_EXPOSURE_APERTURE_PRIORITY);
    assert_int_equal(value_of(fd, V4L2_CID_AUTO_WHITE_BALANCE), 1);
    stop_camera();
    close(fd);
}

static void auto_takes_the_kernels(void **state)
{
    (void)state;
    start_camera(640, 480, 15);
    await_frames(3, MJPEG, 640, 480);
    camera_is_the_kernels();
    stop_camera();
}

/* -- vivid ------------------------------------------------------------------------------------- */

/* A control by the name that vivid gives it. */
static void mistake(const char *name, int value)
{
    struct v4l2_queryctrl query = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
    int fd = open(getenv("UKETSUKE_RIG_NODE"), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    while (ioctl(fd, VIDIOC_QUERYCTRL, &query) == 0 && strcmp((const char *)query.name, name) != 0)
        query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
    if (strcmp((const char *)query.name, name) != 0)
        fail_msg("vivid has no control '%s'", name);
    assert_int_equal(
        ioctl(fd, VIDIOC_S_CTRL, &(struct v4l2_control){.id = query.id, .value = value}), 0);
    close(fd);
}

static void rows_come_whole(void **state)
{
    (void)state;
    start_camera(640, 480, 15);
    await_frames(10, YUY2, 640, 480);
    stop_camera();
    reader_rig_visit(rig, ++visit);
    start_camera(300, 150, 30);
    await_frames(5, YUY2, 320, 180);
    stop_camera();
    card_can_be_read();
}

static void pictures_that_the_driver_calls_broken_are_left_out(void **state)
{
    struct msg_camera_frame f;
    const uint8_t *bytes;

    (void)state;
    start_camera(320, 180, 30);
    await_frames(2, YUY2, 320, 180);
    for (unsigned i = 0; i < 3; i++)
        mistake("Inject V4L2_BUF_FLAG_ERROR", 1);
    mistake("Percentage of Dropped Buffers", 40);
    for (unsigned i = 0; i < 10; i++) {
        bytes = frame(&f);
        assert_int_equal(f.bytes, 320 * 180 * 2);
        free_frame(bytes, &f);
    }
    mistake("Percentage of Dropped Buffers", 0);
    stop_camera();
}

static void a_start_that_fails_is_told_and_the_next_one_works(void **state)
{
    static const char *const rows[] = {"Inject VIDIOC_REQBUFS Error", "Inject VIDIOC_QBUF Error",
                                       "Inject VIDIOC_STREAMON Error"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message *m;

        print_message("%s\n", rows[i]);
        mistake(rows[i], 1);
        start_camera(320, 180, 30);
        m = reader_rig_expect(rig, MSG_CAMERA_FAILED, 20000);
        assert_int_not_equal(m->body.camera_failed.failure, FAILURE_NONE);
        start_camera(320, 180, 30);
        await_frames(3, YUY2, 320, 180);
        stop_camera();
        reader_rig_visit(rig, ++visit);
    }
}

/* The driver gives up in mid-stream: the reader starts it again by itself. */
static void a_stream_that_breaks_off_goes_on(void **state)
{
    (void)state;
    start_camera(320, 180, 30);
    await_frames(2, YUY2, 320, 180);
    mistake("Inject Fatal Streaming Error", 1);
    await_frames(40, YUY2, 320, 180);
    reader_rig_expect_none(rig, MSG_CAMERA_FAILED, 200);
    stop_camera();
}

/* The last of all: there is no way back but to load the driver again. */
static void the_driver_says_that_the_device_is_gone(void **state)
{
    (void)state;
    start_camera(320, 180, 30);
    await_frames(2, YUY2, 320, 180);
    mistake("Disconnect", 1);
    await_camera_failure(FAILURE_CAMERA_ABSENT);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_ABSENT, 1, 20000);
    card_can_be_read();
}

#define TEST(name) cmocka_unit_test_setup(name, all_is_well)

int main(int argc, char **argv)
{
    const struct CMUnitTest kernel[] = {
        TEST(pictures_are_the_films),
        TEST(the_broker_names_one_device),
        TEST(unplugged_while_it_streams),
        TEST(killed_while_it_streams),
        TEST(another_program_holds_it),
        TEST(exposure_and_white_balance_are_made_automatic),
        TEST(a_frozen_and_a_dead_picture_are_told),
    };
    const struct CMUnitTest automatic[] = {TEST(auto_takes_the_kernels)};
    const struct CMUnitTest vivid[] = {
        TEST(rows_come_whole),
        TEST(pictures_that_the_driver_calls_broken_are_left_out),
        TEST(a_start_that_fails_is_told_and_the_next_one_works),
        TEST(a_stream_that_breaks_off_goes_on),
        TEST(the_driver_says_that_the_device_is_gone),
    };

    if (argc == 3)
        cmocka_set_test_filter(argv[2]);
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "kernel") == 0)
        return cmocka_run_group_tests(kernel, up, down);
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "auto") == 0)
        return cmocka_run_group_tests(automatic, up, down);
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "vivid") == 0)
        return cmocka_run_group_tests(vivid, up, down);
    (void)fputs("usage: rig-camera kernel|auto|vivid [PATTERN]\n", stderr);
    return 2;
}
