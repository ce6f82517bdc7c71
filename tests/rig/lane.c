/*
 * rig-lane composite|qemu [PATTERN]: uketsuke-reader and uketsuke-broker on devices of a real bus.
 *
 * composite: the simulated device behind the kernel's virtual host controller (rig-attach), with
 *   the kernel's camera driver and pcscd as rivals. What the programs do for a desk is tried by
 *   tests/unit/test_reader_process on the same device; here is what only a real bus can do.
 * qemu: QEMU's own reader with the simulated card in it (rig-vscard); a serial line moves the card.
 *
 * Environment as tests/unit/reader_rig.h says.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"
#include "daemon/common/visit.h"
#include "tests/unit/reader_rig.h"

#define CONTROLLER "/sys/devices/platform/vhci_hcd.0"
#define CARD_LINE "/dev/ttyS1"
#define PHOTO "franck_190.0_219x274+84+14_200x250_3000.jp2"
/* A reader that was refused is tried again after five seconds, a device that comes back at once. */
#define AGAIN_MS 12000
#define PLUG_MS 8000

static struct reader_rig *rig;
static uint64_t visit = 5000;
static pid_t pcscd;

/* -- the desk's questions ---------------------------------------------------------------------- */

static void ask_identify(void)
{
    const struct msg_card_identify body = {.visit = visit, .budget_ms = 30000};

    reader_rig_send(rig, MSG_CARD_IDENTIFY, &body);
}

static void ask_photo(void)
{
    struct msg_card_photo body = {.visit = visit, .budget_ms = 60000, .few_tries_agreed = 1};

    body.sealed.len = reader_rig_seal(rig, "number-b", reader_rig_card(rig, "franck", "number-b"),
                                      body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_PHOTO, &body);
}

static void ask_sign(const char *pin)
{
    struct msg_card_sign body = {.visit = visit, .budget_ms = 30000, .time = 1795339500};

    strcpy(body.institution, "9910000017");
    strcpy(body.purpose, "eligibility");
    body.sealed.len = reader_rig_seal(rig, "pin", pin, body.sealed.data, sizeof(body.sealed.data));
    reader_rig_send(rig, MSG_CARD_SIGN, &body);
}

static void start_camera(void)
{
    const struct msg_camera_start body = {
        .visit = visit, .width = 640, .height = 480, .fps = 15, .credit = 200};

    reader_rig_send(rig, MSG_CAMERA_START, &body);
}

static void await_identified(void)
{
    const struct msg_card_identified *m =
        &reader_rig_expect(rig, MSG_CARD_IDENTIFIED, 20000)->body.card_identified;

    assert_int_equal(m->token, 1);
    assert_int_equal(m->certificate_chain, GENUINE_YES);
    print_message("identify: %u APDUs, %u ms\n", m->apdus, m->elapsed_ms);
}

/* The photo is, byte for byte, the file that was put into the card. */
static void await_photo(void)
{
    struct message *m = reader_rig_expect(rig, MSG_CARD_PHOTO_READ, 40000);
    const struct msg_card_photo_read *read = &m->body.card_photo_read;
    const uint8_t *photo = NULL;
    uint8_t file[65536];
    char path[4400];
    size_t len;
    FILE *f;

    snprintf(path, sizeof(path), "%s/stills/" PHOTO, reader_rig_sim_directory(rig));
    f = fopen(path, "rb");
    assert_non_null(f);
    len = fread(file, 1, sizeof(file), f);
    fclose(f);
    assert_int_equal(read->photo_bytes, len);
    assert_int_equal(memfd_map(m->fds[0], len, sizeof(file), &photo), 0);
    assert_memory_equal(photo, file, len);
    memfd_unmap(photo, len);
    close(m->fds[0]);
    assert_int_equal(read->record, GENUINE_YES);
    assert_int_equal(read->challenge, GENUINE_YES);
    print_message("photo: %u APDUs, %u ms\n", read->apdus, read->elapsed_ms);
}

/* OpenSSL, with the certificate that was put into the card, accepts the signature. */
static void await_signature(void)
{
    const struct msg_card_signed *m =
        &reader_rig_expect(rig, MSG_CARD_SIGNED, 20000)->body.card_signed;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char path[4400];
    X509 *certificate;
    FILE *f;

    snprintf(path, sizeof(path), "%s/cards/franck/auth-certificate.pem",
             reader_rig_sim_directory(rig));
    f = fopen(path, "r");
    assert_non_null(f);
    certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(certificate);
    assert_int_equal(
        EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, X509_get0_pubkey(certificate)), 1);
    assert_int_equal(EVP_DigestVerify(md, m->signature.data, m->signature.len, m->statement.data,
                                      m->statement.len),
                     1);
    EVP_MD_CTX_free(md);
    X509_free(certificate);
    print_message("sign: %u APDUs, %u ms\n", m->apdus, m->elapsed_ms);
}

static void await_frames(unsigned n)
{
    while (n-- > 0) {
        struct message *m = reader_rig_expect(rig, MSG_CAMERA_FRAME, 10000);
        uint32_t bytes = m->body.camera_frame.bytes;
        const uint8_t *jpeg = NULL;

        assert_int_equal(memfd_map(m->fds[0], bytes, 4u << 20, &jpeg), 0);
        assert_memory_equal(jpeg, "\xFF\xD8\xFF", 3);
        assert_memory_equal(jpeg + bytes - 2, "\xFF\xD9", 2);
        memfd_unmap(jpeg, bytes);
        close(m->fds[0]);
    }
}

static uint16_t card_failure(void)
{
    return reader_rig_expect(rig, MSG_CARD_FAILED, 30000)->body.card_failed.failure;
}

/* -- composite --------------------------------------------------------------------------------- */

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

static int a_card_lies_there(void **state)
{
    (void)state;
    reader_rig_sim(rig, "plug");
    reader_rig_sim(rig, "faults off");
    if (strstr(reader_rig_sim(rig, "status"), "card=- ") != NULL)
        reader_rig_sim(rig, "insert franck");
    reader_rig_sim(rig, "reset-counters franck");
    reader_rig_sim(rig, "camera franck");
    reader_rig_await_connection(rig, PLUG_MS);
    reader_rig_visit(rig, ++visit);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 20000);
    return 0;
}

static void end_pcscd(void)
{
    if (pcscd <= 0)
        return;
    (void)kill(pcscd, SIGTERM);
    (void)waitpid(pcscd, NULL, 0);
    pcscd = 0;
}

/* Whatever a test that failed has left behind. */
static int nobody_else_is_there(void **state)
{
    (void)state;
    end_pcscd();
    if (!reader_rig_alive(rig, RIG_READER))
        reader_rig_restart(rig, RIG_READER);
    return 0;
}

/* A file named by a pattern of the shell: is there one? The first is copied out. */
static bool there_is(const char *pattern, char *out, size_t size)
{
    glob_t found;
    bool any = glob(pattern, 0, NULL, &found) == 0;

    if (any && out != NULL)
        snprintf(out, size, "%s", found.gl_pathv[0]);
    if (any)
        globfree(&found);
    return any;
}

/* The kernel's driver of an interface of our device; "" none. */
static const char *driver_of(unsigned interface)
{
    static char name[256];
    char pattern[128], path[256];
    ssize_t n;

    snprintf(pattern, sizeof(pattern), CONTROLLER "/usb*/*-1/*-1:1.%u/driver", interface);
    if (!there_is(pattern, path, sizeof(path)))
        return "";
    n = readlink(path, name, sizeof(name) - 1);
    name[n > 0 ? n : 0] = 0;
    return strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
}

static void await_driver(unsigned interface, const char *name)
{
    for (unsigned i = 0; strcmp(driver_of(interface), name) != 0; i++) {
        if (i > 600)
            fail_msg("interface %u has driver '%s', not '%s'", interface, driver_of(interface),
                     name);
        reader_rig_run_ms(rig, 50);
    }
}

static void a_face_visit_and_a_pin_visit(void **state)
{
    (void)state;
    ask_identify();
    await_identified();
    ask_photo();
    await_photo();
    start_camera();
    await_frames(10);
    ask_sign(reader_rig_card(rig, "franck", "pin"));
    await_signature();
}

static void the_broker_finds_it_by_udev(void **state)
{
    struct msg_device_item item;

    (void)state;
    assert_int_equal(reader_rig_devices(rig, &item), 1);
    assert_int_equal(item.kind, 1);
    assert_int_equal(item.lane, 1);
    assert_int_equal(item.vendor, 0x1209);
    assert_int_equal(item.product, 0x0001);
    assert_string_equal(item.serial, "SIM0001");
    assert_string_equal(item.name, "Simulated reception reader");
    assert_string_equal(item.holder, "uketsuke-reader");
    assert_non_null(strstr(item.port, "-1"));
}

/* The cable, at a transfer of each kind while card and camera work; then all is well again. */
static void unplugged_in_a_transfer_of_each_kind(void **state)
{
    static const char *const faults[] = {"control 1", "bulk-out 3", "bulk-in 5", "interrupt 1",
                                         "iso 40"};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        bool control = strncmp(faults[i], "control", 7) == 0;

        print_message("unplug %s\n", faults[i]);
        if (!control)
            start_camera();
        if (!control)
            await_frames(1);
        reader_rig_sim(rig, "fault unplug %s", faults[i]);
        if (control)
            start_camera(); /* negotiation is made of control transfers */
        ask_photo();
        if (strncmp(faults[i], "interrupt", 9) == 0)
            reader_rig_sim(rig, "remove"); /* what the interrupt would have told */
        assert_int_equal(reader_rig_expect(rig, MSG_CARD_FAILED, 10000)->body.card_failed.failure,
                         FAILURE_READER_LOST);
        reader_rig_await_state(rig, FAILURE_READER_LOST, FAILURE_CAMERA_ABSENT, 0, 5000);
        assert_int_equal(a_card_lies_there(state), 0);
        ask_identify();
        await_identified();
    }
}

/* The host's side of the cable: the kernel lets go of the device while transfers are on the way. */
static void the_port_is_switched_off(void **state)
{
    int fd;

    (void)state;
    start_camera();
    await_frames(1);
    ask_photo();
    fd = open(CONTROLLER "/detach", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0", 1), 1);
    close(fd);
    assert_int_equal(card_failure(), FAILURE_READER_LOST);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, PLUG_MS * 2);
    reader_rig_visit(rig, ++visit);
    ask_photo();
    await_photo();
}

static void a_reader_killed_in_mid_transfer_leaves_no_claim(void **state)
{
    (void)state;
    start_camera();
    await_frames(1);
    ask_photo();
    reader_rig_kill(rig, RIG_READER);
    assert_string_equal(driver_of(0), "");
    reader_rig_restart(rig, RIG_READER);
    reader_rig_run_ms(rig, 100);
    reader_rig_await_connection(rig, 20000);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 20000);
    reader_rig_visit(rig, ++visit);
    start_camera();
    await_frames(2);
    ask_photo();
    await_photo();
}

/* The kernel's camera driver is there first, as on every stock host: it gives way. */
static void the_kernels_camera_driver_gives_way(void **state)
{
    struct msg_device_item item;

    (void)state;
    reader_rig_kill(rig, RIG_READER);
    reader_rig_sim(rig, "unplug");
    reader_rig_run_ms(rig, 300);
    reader_rig_sim(rig, "plug");
    await_driver(1, "uvcvideo");
    await_driver(2, "uvcvideo");
    assert_true(there_is("/dev/video*", NULL, 0));
    assert_int_equal(reader_rig_devices(rig, &item), 1);
    assert_string_equal(item.holder, "uvcvideo");
    reader_rig_restart(rig, RIG_READER);
    reader_rig_run_ms(rig, 100);
    reader_rig_await_connection(rig, 20000);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, 20000);
    reader_rig_visit(rig, ++visit);
    start_camera();
    await_frames(10);
    assert_string_equal(driver_of(1), "usbfs");
    assert_string_equal(driver_of(2), "usbfs");
    reader_rig_send(rig, MSG_CAMERA_STOP, &(struct msg_camera_stop){.visit = visit});
}

static void start_pcscd(void)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)execlp("pcscd", "pcscd", "--foreground", "--config", "/tmp/rig/no-readers",
                     (char *)NULL);
        _exit(127);
    }
    pcscd = child;
}

/* pcscd has the reader: our lane says so, names the next step, and takes over when pcscd ends. */
static void pcscd_holds_the_reader(void **state)
{
    struct msg_device_item item;

    (void)state;
    reader_rig_kill(rig, RIG_READER);
    await_driver(0, "");
    start_pcscd();
    await_driver(0, "usbfs");
    reader_rig_restart(rig, RIG_READER);
    reader_rig_run_ms(rig, 100);
    reader_rig_await_connection(rig, 20000);
    reader_rig_await_state(rig, FAILURE_READER_BUSY, FAILURE_CAMERA_ABSENT, 0, 20000);
    for (unsigned i = 0; i < 50; i++) { /* the broker hears of it a moment after us */
        reader_rig_run_ms(rig, 100);
        assert_int_equal(reader_rig_devices(rig, &item), 1);
        if (item.next[0] != 0)
            break;
    }
    assert_non_null(strstr(item.next, "pcscd"));
    end_pcscd();
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_NONE, 1, AGAIN_MS);
    reader_rig_visit(rig, ++visit);
    ask_identify();
    await_identified();
}

/* The other way round: what the lane has, pcscd does not get, and the lane does not notice. */
static void pcscd_does_not_disturb_a_lane_at_work(void **state)
{
    (void)state;
    ask_identify();
    await_identified();
    start_pcscd();
    for (unsigned i = 0; i < 4; i++) {
        reader_rig_run_ms(rig, 500);
        ask_photo();
        await_photo();
    }
    end_pcscd();
    assert_int_equal(reader_rig_state(rig)->reader, FAILURE_NONE);
}

/* -- QEMU's reader ----------------------------------------------------------------------------- */

static int card_line = -1;

/* A line for the card; its answer must be "ok". */
static void card(const char *command)
{
    char answer[64];
    size_t n = 0;

    assert_int_equal(write(card_line, command, strlen(command)), (ssize_t)strlen(command));
    assert_int_equal(write(card_line, "\n", 1), 1);
    do {
        assert_true(n < sizeof(answer) - 1);
        assert_int_equal(read(card_line, answer + n, 1), 1);
    } while (answer[n++] != '\n');
    answer[n] = 0;
    if (strncmp(answer, "ok", 2) != 0)
        fail_msg("%s: %s", command, answer);
}

static int up_with_line(void **state)
{
    struct termios raw;

    card_line = open(CARD_LINE, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (card_line < 0 || tcgetattr(card_line, &raw) != 0)
        return -1;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 100; /* ten seconds */
    if (tcsetattr(card_line, TCSAFLUSH, &raw) != 0)
        return -1;
    return up(state);
}

static int down_with_line(void **state)
{
    close(card_line);
    return down(state);
}

static int a_visit_begins(void **state)
{
    (void)state;
    reader_rig_await_connection(rig, 20000);
    reader_rig_visit(rig, ++visit);
    reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_ABSENT, 1, 20000);
    return 0;
}

static void qemus_reader_is_found(void **state)
{
    struct msg_device_item item;

    (void)state;
    assert_true(reader_rig_devices(rig, &item) >= 1);
    assert_int_equal(item.kind, 1);
    assert_int_equal(item.vendor, 0x08e6);
    assert_int_equal(item.product, 0x4433);
    assert_string_equal(item.holder, "uketsuke-reader");
}

static void qemus_reader_tells_of_its_card(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        card("remove");
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_ABSENT, 0, 5000);
        card("insert");
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_ABSENT, 1, 5000);
    }
}

static void a_face_visit_over_qemus_reader(void **state)
{
    (void)state;
    ask_identify();
    await_identified();
    ask_photo();
    await_photo();
}

static void a_pin_visit_over_qemus_reader(void **state)
{
    (void)state;
    ask_sign("0000");
    assert_int_equal(reader_rig_expect(rig, MSG_CARD_FAILED, 20000)->body.card_failed.failure,
                     FAILURE_PIN_WRONG);
    ask_sign(reader_rig_card(rig, "franck", "pin"));
    await_signature();
}

/* A card that gives at once what T=0 would have it hold back for GET RESPONSE. */
static void a_card_that_answers_at_once(void **state)
{
    (void)state;
    card("at-once");
    ask_sign(reader_rig_card(rig, "franck", "pin"));
    await_signature();
    ask_photo();
    await_photo();
    card("held");
}

/* At any moment of the reading: whoever pulled too late got the photo, everybody else hears "removed". */
static void a_card_pulled_from_qemus_reader(void **state)
{
    unsigned removed = 0;

    (void)state;
    for (unsigned ms = 0; ms < 40; ms += 4) {
        struct message *m;

        ask_photo();
        if (ms > 0)
            reader_rig_run_ms(rig, ms);
        card("remove");
        m = reader_rig_expect_either(rig, MSG_CARD_FAILED, MSG_CARD_PHOTO_READ, 30000);
        if (m->type == MSG_CARD_FAILED) {
            assert_int_equal(m->body.card_failed.failure, FAILURE_CARD_REMOVED);
            removed++;
        } else {
            close(m->fds[0]);
        }
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_ABSENT, 0, 5000);
        card("insert");
        reader_rig_await_state(rig, FAILURE_NONE, FAILURE_CAMERA_ABSENT, 1, 5000);
    }
    print_message("pulled: %u of 10 in mid-read\n", removed);
    assert_true(removed > 0);
    ask_photo();
    await_photo();
}

#define TEST(name, setup) cmocka_unit_test_setup(name, setup)
#define ALONE(name) cmocka_unit_test_setup_teardown(name, a_card_lies_there, nobody_else_is_there)

int main(int argc, char **argv)
{
    const struct CMUnitTest composite[] = {
        ALONE(a_face_visit_and_a_pin_visit),
        ALONE(the_broker_finds_it_by_udev),
        ALONE(unplugged_in_a_transfer_of_each_kind),
        ALONE(the_port_is_switched_off),
        ALONE(a_reader_killed_in_mid_transfer_leaves_no_claim),
        ALONE(the_kernels_camera_driver_gives_way),
        ALONE(pcscd_holds_the_reader),
        ALONE(pcscd_does_not_disturb_a_lane_at_work),
    };
    const struct CMUnitTest qemu[] = {
        TEST(qemus_reader_is_found, a_visit_begins),
        TEST(qemus_reader_tells_of_its_card, a_visit_begins),
        TEST(a_face_visit_over_qemus_reader, a_visit_begins),
        TEST(a_pin_visit_over_qemus_reader, a_visit_begins),
        TEST(a_card_that_answers_at_once, a_visit_begins),
        TEST(a_card_pulled_from_qemus_reader, a_visit_begins),
    };

    if (argc == 3)
        cmocka_set_test_filter(argv[2]);
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "composite") == 0)
        return cmocka_run_group_tests(composite, up, down);
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "qemu") == 0)
        return cmocka_run_group_tests(qemu, up_with_line, down_with_line);
    fputs("usage: rig-lane composite|qemu [PATTERN]\n", stderr);
    return 2;
}
