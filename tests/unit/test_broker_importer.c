/* Fetching a device over USB/IP: bytes as Documentation/usb/usbip_protocol.rst lays them out, and servers that lie. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "driver/broker/importer.h"

#define REPLY 320

static char directory[] = "/tmp/importer-XXXXXX";
static char path[64];
static struct sd_event *loop;
static struct clock *now;
static int listening;

static unsigned calls;
static int error;
static int given;
static struct import_device device;

static void on_done(int e, int fd, const struct import_device *d, void *arg)
{
    assert_ptr_equal(arg, &calls);
    assert_true((e == 0) == (fd >= 0) && (e == 0) == (d != NULL));
    calls++;
    error = e;
    given = fd;
    if (d != NULL)
        device = *d;
}

static int up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/s", directory);
    strcpy(address.sun_path, path);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listening, 4), 0);
    assert_true(sd_event_new(&loop) >= 0);
    now = clock_new_simulated(CLOCK_SECOND, CLOCK_SECOND);
    return 0;
}

static int down(void **state)
{
    (void)state;
    clock_free(&now);
    sd_event_unref(loop);
    close(listening);
    unlink(path);
    return rmdir(directory);
}

static int before(void **state)
{
    (void)state;
    calls = 0;
    error = 1;
    given = -1;
    memset(&device, 0, sizeof(device));
    return 0;
}

static void turns(void)
{
    for (unsigned i = 0; i < 20; i++)
        assert_true(sd_event_run(loop, 1000) >= 0);
}

/* version 0111, OP_REP_IMPORT 0003, status; path 256, bus id 32, busnum, devnum, speed, idVendor, idProduct ... */
static void good_reply(uint8_t reply[REPLY])
{
    memset(reply, 0, REPLY);
    memcpy(reply, "\x01\x11\x00\x03\x00\x00\x00\x00/sys/devices/x", 22);
    memcpy(reply + 264, "1-1", 3);
    memcpy(reply + 296, "\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x03\x12\x09\x00\x01", 16);
}

/* Accept, take the request, answer with these bytes; returns the server's end. */
static int serve(struct importer **importer, const uint8_t *reply, size_t len)
{
    uint8_t request[64];
    int fd;

    assert_int_equal(importer_new(importer, loop, now, path, on_done, &calls), 0);
    assert_int_equal(calls, 0);
    fd = accept(listening, NULL, NULL);
    assert_true(fd >= 0);
    turns();
    assert_int_equal(recv(fd, request, sizeof(request), MSG_DONTWAIT), 40);
    assert_memory_equal(request,
                        "\x01\x11\x80\x03\x00\x00\x00\x00"
                        "1-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                        40);
    if (len > 0)
        assert_int_equal(send(fd, reply, len, 0), (ssize_t)len);
    turns();
    return fd;
}

static void a_device_is_fetched_with_its_socket(void **state)
{
    struct importer *importer;
    uint8_t reply[REPLY + 4];
    char rest[8];
    int fd;

    (void)state;
    good_reply(reply);
    memcpy(reply + REPLY, "next", 4);
    fd = serve(&importer, reply, sizeof(reply));
    assert_int_equal(calls, 1);
    assert_int_equal(error, 0);
    assert_int_equal(device.busnum, 1);
    assert_int_equal(device.devnum, 7);
    assert_int_equal(device.speed, 3);
    assert_int_equal(device.vendor, 0x1209);
    assert_int_equal(device.product, 0x0001);
    /* not one byte of what follows was taken */
    assert_int_equal(recv(given, rest, sizeof(rest), 0), 4);
    assert_memory_equal(rest, "next", 4);
    importer_free(&importer);
    close(given);
    close(fd);
}

static void a_reply_may_come_in_pieces(void **state)
{
    struct importer *importer;
    uint8_t reply[REPLY];
    int fd;

    (void)state;
    good_reply(reply);
    fd = serve(&importer, reply, 5);
    for (size_t i = 5; i < REPLY; i++) {
        assert_int_equal(calls, 0);
        assert_int_equal(send(fd, reply + i, 1, 0), 1);
        assert_true(sd_event_run(loop, 100000) >= 0);
    }
    assert_int_equal(calls, 1);
    assert_int_equal(error, 0);
    importer_free(&importer);
    close(given);
    close(fd);
}

static void refusals_and_lies_are_errors(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        size_t len;
        int error;
    } rows[] = {
        {7, 1, 8, -EBUSY},         /* status: refused, nothing follows */
        {1, 0x10, REPLY, -EPROTO}, /* another version */
        {3, 0x05, REPLY, -EPROTO}, /* another answer */
        {296, 1, REPLY, -EPROTO},  /* a bus number that no device id can hold */
    };
    uint8_t reply[REPLY];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct importer *importer;
        int fd;

        calls = 0;
        good_reply(reply);
        reply[rows[i].at] = rows[i].value;
        fd = serve(&importer, reply, rows[i].len);
        assert_int_equal(calls, 1);
        assert_int_equal(error, rows[i].error);
        importer_free(&importer);
        close(fd);
    }
}

static void a_server_that_hangs_up_or_says_nothing(void **state)
{
    struct importer *importer;
    uint8_t reply[REPLY];
    int fd;

    (void)state;
    good_reply(reply);
    fd = serve(&importer, reply, 100);
    close(fd);
    turns();
    assert_int_equal(calls, 1);
    assert_int_equal(error, -ECONNRESET);
    importer_free(&importer);
    calls = 0;
    fd = serve(&importer, reply, 100);
    (void)clock_advance(now, 5 * CLOCK_SECOND - 1);
    assert_int_equal(calls, 0);
    (void)clock_advance(now, 1);
    assert_int_equal(calls, 1);
    assert_int_equal(error, -ETIMEDOUT);
    importer_free(&importer);
    close(fd);
}

static void nobody_there_is_told_from_the_loop(void **state)
{
    struct importer *importer;

    (void)state;
    assert_int_equal(importer_new(&importer, loop, now, "/nonexistent/socket", on_done, &calls), 0);
    assert_int_equal(calls, 0);
    (void)clock_advance(now, 1);
    assert_int_equal(calls, 1);
    assert_int_equal(error, -ENOENT);
    importer_free(&importer);
    assert_null(importer);
}

static void given_up_it_does_not_call_back(void **state)
{
    struct importer *importer;
    uint8_t reply[REPLY];
    int fd;

    (void)state;
    good_reply(reply);
    fd = serve(&importer, reply, 10);
    importer_free(&importer);
    turns();
    (void)clock_advance(now, 10 * CLOCK_SECOND);
    assert_int_equal(calls, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_device_is_fetched_with_its_socket, before),
        cmocka_unit_test_setup(a_reply_may_come_in_pieces, before),
        cmocka_unit_test_setup(refusals_and_lies_are_errors, before),
        cmocka_unit_test_setup(a_server_that_hangs_up_or_says_nothing, before),
        cmocka_unit_test_setup(nobody_there_is_told_from_the_loop, before),
        cmocka_unit_test_setup(given_up_it_does_not_call_back, before),
    };

    return cmocka_run_group_tests(tests, up, down);
}
