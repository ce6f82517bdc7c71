/*
 * rig-bench ours|pcscd CONTROL PIN NUMBER_B CHUNK VISITS: what a face visit and a PIN visit ask of a card, over one of two
 * ways to the same reader: our driver (libusb, in this process) or pcscd with libccid (another process, libpcsclite in
 * this one). The same function asks the same APDUs over both, and prints what they were as a digest, so that a third
 * party can see that they were the same.
 *
 * VISITS times, without what comes before and after (finding the reader, powering the card). One line a visit:
 *
 *     WAY wall_us cpu_us transfers apdus bytes digest
 *
 * cpu_us: of this process and of pcscd (whose id is in $PCSCD_PID). transfers: those of bulk and control that the
 * simulated device counted (its CONTROL socket). CHUNK: bytes a READ BINARY asks for; above 256 by extended APDUs.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include <winscard.h>

#include "daemon/common/clock.h"
#include "driver/ccid/ccid.h"
#include "driver/usb/usb.h"

#define RESPONSE_MAX 65538u
#define PATIENCE_US (30 * CLOCK_SECOND)
#define READER_ID "1209"

struct way {
    const char *name;
    int (*open)(void);
    /* Fills response[]; its length, or -1. */
    long (*transmit)(const uint8_t *apdu, size_t len);
    void (*close)(void);
};

static uint8_t response[RESPONSE_MAX];
static unsigned long apdus, bytes;
static EVP_MD_CTX *digest;

static int fail(const char *what)
{
    (void)fprintf(stderr, "rig-bench: %s\n", what);
    return -1;
}

/* -- our driver -------------------------------------------------------------------------------- */

static struct {
    sd_event *loop;
    struct clock *clock;
    struct usb *usb;
    struct ccid *ccid;
    bool done;
    long result; /* length of what came; -1: trouble */
} ours;

static void on_started(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    (void)arg;
    ours.done = true;
    ours.result = status == USB_OK ? 0 : -1;
}

static void on_done(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    (void)ccid;
    (void)slot;
    (void)arg;
    ours.done = true;
    ours.result = result == CCID_OK ? (long)len : -1;
    if (result == CCID_OK && len > 0)
        memcpy(response, data, len);
    if (result != CCID_OK)
        (void)fprintf(stderr, "rig-bench: %s\n", ccid_result_name(result));
}

static long wait_done(void)
{
    while (!ours.done)
        if (sd_event_run(ours.loop, UINT64_MAX) < 0)
            return -1;
    ours.done = false;
    return ours.result;
}

static uint64_t deadline(void)
{
    return clock_monotonic_us(ours.clock) + PATIENCE_US;
}

/* The node of the reader, from sysfs. */
static int open_node(void)
{
    char path[256], node[64], text[16] = "";
    unsigned bus = 0, device = 0;
    int fd = -1;
    glob_t all;
    FILE *f;

    if (glob("/sys/bus/usb/devices/[0-9]*-*/idVendor", 0, NULL, &all) != 0)
        return -1;
    for (size_t i = 0; i < all.gl_pathc && fd < 0; i++) {
        f = fopen(all.gl_pathv[i], "re");
        if (f == NULL || fgets(text, sizeof(text), f) == NULL || strncmp(text, READER_ID, 4) != 0) {
            if (f != NULL)
                (void)fclose(f);
            continue;
        }
        (void)fclose(f);
        (void)snprintf(path, sizeof(path), "%.*s/uevent",
                       (int)(strlen(all.gl_pathv[i]) - strlen("/idVendor")), all.gl_pathv[i]);
        f = fopen(path, "re");
        while (f != NULL && fgets(path, sizeof(path), f) != NULL) {
            (void)sscanf(path, "BUSNUM=%u", &bus);
            (void)sscanf(path, "DEVNUM=%u", &device);
        }
        if (f != NULL)
            (void)fclose(f);
        (void)snprintf(node, sizeof(node), "/dev/bus/usb/%03u/%03u", bus, device);
        fd = open(node, O_RDWR | O_CLOEXEC);
    }
    globfree(&all);
    return fd;
}

static int ours_open(void)
{
    int fd = open_node();

    if (fd < 0)
        return fail("no reader on the bus");
    if (sd_event_new(&ours.loop) < 0 || (ours.clock = clock_new_system(ours.loop)) == NULL)
        return -1;
    ours.usb = usb_libusb_new(ours.loop, ours.clock, fd);
    if (ours.usb == NULL)
        return fail("usb_libusb_new");
    usb_start(ours.usb, deadline(), on_started, NULL);
    if (wait_done() < 0)
        return fail("usb_start");
    ours.ccid = ccid_new(ours.usb, 0);
    if (ours.ccid == NULL)
        return fail("ccid_new");
    ccid_open(ours.ccid, deadline(), on_done, NULL);
    if (wait_done() < 0)
        return fail("ccid_open");
    ccid_power_on(ours.ccid, 0, deadline(), on_done, NULL);
    return wait_done() > 0 ? 0 : fail("ccid_power_on");
}

static long ours_transmit(const uint8_t *apdu, size_t len)
{
    ccid_transmit(ours.ccid, 0, apdu, len, deadline(), on_done, NULL);
    return wait_done();
}

static void ours_close(void)
{
    if (ours.ccid != NULL) {
        ccid_power_off(ours.ccid, 0, deadline(), on_done, NULL);
        (void)wait_done();
    }
    ccid_free(&ours.ccid);
    usb_free(&ours.usb);
    clock_free(&ours.clock);
    sd_event_unref(ours.loop);
}

/* -- pcscd with libccid ------------------------------------------------------------------------ */

static struct {
    SCARDCONTEXT context;
    SCARDHANDLE card;
    const SCARD_IO_REQUEST *protocol;
    bool has_context, has_card;
} pcsc;

static int pcsc_open(void)
{
    char readers[1024];
    DWORD len = sizeof(readers), protocol = 0;

    if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &pcsc.context) != SCARD_S_SUCCESS)
        return fail("SCardEstablishContext");
    pcsc.has_context = true;
    if (SCardListReaders(pcsc.context, NULL, readers, &len) != SCARD_S_SUCCESS)
        return fail("SCardListReaders");
    if (SCardConnect(pcsc.context, readers, SCARD_SHARE_EXCLUSIVE,
                     SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &pcsc.card,
                     &protocol) != SCARD_S_SUCCESS)
        return fail("SCardConnect");
    pcsc.has_card = true;
    pcsc.protocol = protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    return 0;
}

static long pcsc_transmit(const uint8_t *apdu, size_t len)
{
    DWORD got = sizeof(response);
    LONG r = SCardTransmit(pcsc.card, pcsc.protocol, apdu, (DWORD)len, NULL, response, &got);

    if (r != SCARD_S_SUCCESS)
        (void)fprintf(stderr, "rig-bench: SCardTransmit: 0x%lx\n", (unsigned long)r);
    return r == SCARD_S_SUCCESS ? (long)got : -1;
}

static void pcsc_close(void)
{
    if (pcsc.has_card)
        (void)SCardDisconnect(pcsc.card, SCARD_UNPOWER_CARD);
    if (pcsc.has_context)
        (void)SCardReleaseContext(pcsc.context);
}

static const struct way ways[] = {
    {"ours", ours_open, ours_transmit, ours_close},
    {"pcscd", pcsc_open, pcsc_transmit, pcsc_close},
};

/* -- what is asked ----------------------------------------------------------------------------- */

/* One APDU; its status word, or -1. The response stays in response[]. */
static long ask(const struct way *way, const uint8_t *apdu, size_t len, size_t *got)
{
    long n = way->transmit(apdu, len);

    if (n < 2)
        return -1;
    apdus++;
    bytes += len + (unsigned long)n;
    (void)EVP_DigestUpdate(digest, apdu, len);
    *got = (size_t)n - 2;
    return response[n - 2] << 8 | response[n - 1];
}

static int expect(const struct way *way, const char *what, const uint8_t *apdu, size_t len,
                  long status)
{
    size_t got;
    long sw = ask(way, apdu, len, &got);

    if (sw == status)
        return 0;
    (void)fprintf(stderr, "rig-bench: %s: %lx\n", what, (unsigned long)sw);
    return -1;
}

static int select_application(const struct way *way, const uint8_t aid[10])
{
    uint8_t apdu[15] = {0x00, 0xa4, 0x04, 0x0c, 10};

    memcpy(apdu + 5, aid, 10);
    return expect(way, "SELECT AP", apdu, sizeof(apdu), 0x9000);
}

static int select_file(const struct way *way, uint16_t id)
{
    const uint8_t apdu[] = {0x00, 0xa4, 0x02, 0x0c, 2, (uint8_t)(id >> 8), (uint8_t)id};

    return expect(way, "SELECT EF", apdu, sizeof(apdu), 0x9000);
}

static int verify(const struct way *way, const char *digits)
{
    uint8_t apdu[5 + 16] = {0x00, 0x20, 0x00, 0x80};
    size_t n = strlen(digits);

    apdu[4] = (uint8_t)n;
    memcpy(apdu + 5, digits, n);
    return expect(way, "VERIFY", apdu, 5 + n, 0x9000);
}

static int count_tries(const struct way *way, long status)
{
    static const uint8_t apdu[] = {0x00, 0x20, 0x00, 0x80};

    return expect(way, "tries left", apdu, sizeof(apdu), status);
}

/* Tag, length and value of the outermost object: how long it is altogether. */
static size_t whole_length(const uint8_t *p, size_t len)
{
    size_t at = len > 0 && (p[0] & 0x1f) == 0x1f ? 2 : 1, n = 0;

    if (len < at + 4)
        return 0;
    if (p[at] < 0x80)
        return at + 1 + p[at];
    for (size_t i = 1; i <= (p[at] & 0x7fu); i++)
        n = n << 8 | p[at + i];
    return at + 1 + (p[at] & 0x7fu) + n;
}

static int read_file(const struct way *way, size_t chunk)
{
    size_t whole = chunk, at = 0, got = 0;

    while (at < whole) {
        size_t want = whole - at < chunk ? whole - at : chunk;
        const uint8_t small[] = {0x00, 0xb0, (uint8_t)(at >> 8), (uint8_t)at, (uint8_t)want};
        const uint8_t large[] = {
            0x00, 0xb0, (uint8_t)(at >> 8), (uint8_t)at, 0, (uint8_t)(want >> 8), (uint8_t)want};
        long sw = want <= 256 ? ask(way, small, sizeof(small), &got)
                              : ask(way, large, sizeof(large), &got);

        if ((sw != 0x9000 && sw != 0x6282) || got == 0)
            return fail("READ BINARY");
        if (at == 0)
            whole = whole_length(response, got);
        at += got;
    }
    return 0;
}

/* SHA-256 of nothing in particular, as a DigestInfo (RFC 8017, 9.2). */
static int sign(const struct way *way)
{
    static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint8_t apdu[5 + 51 + 1] = {0x80, 0x2a, 0x00, 0x80, 51};
    size_t got = 0;

    memcpy(apdu + 5, info, sizeof(info));
    memset(apdu + 5 + sizeof(info), 0x5a, 32);
    return ask(way, apdu, sizeof(apdu), &got) == 0x9000 && got == 256 ? 0 : fail("signature");
}

/* User certificate, PIN counter, signature, photo. */
static int visit(const struct way *way, const char *pin, const char *number_b, size_t chunk)
{
    static const uint8_t jpki[10] = {0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01};
    static const uint8_t kenkaku[10] = {0xd3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x02};
    int r = select_application(way, jpki);

    r = r == 0 ? select_file(way, 0x000a) : r;
    r = r == 0 ? read_file(way, chunk) : r;
    r = r == 0 ? select_file(way, 0x0018) : r;
    r = r == 0 ? count_tries(way, 0x63c3) : r;
    r = r == 0 ? verify(way, pin) : r;
    r = r == 0 ? select_file(way, 0x0017) : r;
    r = r == 0 ? sign(way) : r;
    r = r == 0 ? select_application(way, kenkaku) : r;
    r = r == 0 ? select_file(way, 0x0012) : r;
    r = r == 0 ? count_tries(way, 0x63ca) : r;
    r = r == 0 ? verify(way, number_b) : r;
    r = r == 0 ? select_file(way, 0x0002) : r;
    return r == 0 ? read_file(way, chunk) : r;
}

/* -- what it costs ----------------------------------------------------------------------------- */

static uint64_t now_us(clockid_t clock)
{
    struct timespec t = {0};

    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t cpu_us(void)
{
    const char *pid = getenv("PCSCD_PID");
    clockid_t other;
    uint64_t us = now_us(CLOCK_PROCESS_CPUTIME_ID);

    if (pid != NULL && clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &other) == 0)
        us += now_us(other);
    return us;
}

static unsigned long transfers(int control)
{
    unsigned long c = 0, out = 0, in = 0;
    char line[256];
    ssize_t n = send(control, "transfers\n", 10, MSG_NOSIGNAL) == 10
                    ? recv(control, line, sizeof(line) - 1, 0)
                    : 0;

    line[n > 0 ? n : 0] = 0;
    if (sscanf(line, "ok control=%lu out=%lu in=%lu", &c, &out, &in) != 3)
        (void)fail("the simulator does not count");
    return c + out + in;
}

static int connect_control(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? fd
                                                                                           : -1;
}

static int measure(const struct way *way, int control, const char *pin, const char *number_b,
                   size_t chunk)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned sum_len = 0;
    uint64_t wall, cpu;
    unsigned long moved;
    int r;

    apdus = bytes = 0;
    if (EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        return -1;
    moved = transfers(control);
    cpu = cpu_us();
    wall = now_us(CLOCK_MONOTONIC);
    r = visit(way, pin, number_b, chunk);
    wall = now_us(CLOCK_MONOTONIC) - wall;
    cpu = cpu_us() - cpu;
    moved = transfers(control) - moved;
    (void)EVP_DigestFinal_ex(digest, sum, &sum_len);
    if (r == 0)
        (void)printf("%s %lu %lu %lu %lu %lu %02x%02x%02x%02x\n", way->name, (unsigned long)wall,
                     (unsigned long)cpu, moved, apdus, bytes, sum[0], sum[1], sum[2], sum[3]);
    return r;
}

int main(int argc, char **argv)
{
    const struct way *way = NULL;
    int control, r;

    if (argc == 7)
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
            if (strcmp(argv[1], ways[i].name) == 0)
                way = &ways[i];
    if (way == NULL || strlen(argv[3]) > 16 || strlen(argv[4]) > 16) {
        (void)fputs("usage: rig-bench ours|pcscd CONTROL PIN NUMBER_B CHUNK VISITS\n", stderr);
        return 2;
    }
    control = connect_control(argv[2]);
    digest = EVP_MD_CTX_new();
    if (control < 0 || digest == NULL) {
        (void)fail("the simulator is not there");
        return 1;
    }
    r = way->open();
    for (int i = atoi(argv[6]); r == 0 && i > 0; i--)
        r = measure(way, control, argv[3], argv[4], (size_t)atoi(argv[5]));
    way->close();
    EVP_MD_CTX_free(digest);
    close(control);
    return r == 0 ? 0 : 1;
}
