/*
 * rig-attach USBIP_SOCKET [PORT [DEVICE_ID]]
 *
 * Puts the simulated device behind the kernel's virtual USB host controller (vhci_hcd), as the
 * usbip tool does but over a Unix socket: asks the simulator for its device (OP_REQ_IMPORT of
 * Documentation/usb/usbip_protocol.rst), then hands the connected socket to the kernel, which
 * speaks to the simulator from then on. When the simulator pulls the cable (its end of the socket
 * closes) the kernel sees an unplugged device, and this program asks again until there is one.
 *
 * PORT is the port of the virtual hub (0 to 7 are high speed), DEVICE_ID what the kernel puts into
 * its requests. Ends on SIGTERM; the cable is pulled then as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROLLER "/sys/devices/platform/vhci_hcd.0"

enum {
    VERSION = 0x0111,
    OP_REQ_IMPORT = 0x8003,
    OP_REP_IMPORT = 0x0003,
    HEADER = 8,
    BUS_ID = 32,
    PATH = 256,
    DEVICE = 312,
    SPEED_AT = HEADER + PATH + BUS_ID + 8,
    PORT_FREE = 4, /* VDEV_ST_NULL in the controller's status file */
    PAUSE_MS = 20,
    PATIENCE_MS = 5000,
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static uint32_t be(const uint8_t *p, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | *p++;
    return value;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return fd < 0 ? -errno : -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -ECONNREFUSED;
}

/* Exactly len bytes in time, or -errno. */
static int receive(int fd, uint8_t *bytes, size_t len)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    ssize_t n;

    while (len > 0) {
        if (poll(&poller, 1, PATIENCE_MS) <= 0)
            return -ETIMEDOUT;
        n = recv(fd, bytes, len, 0);
        if (n <= 0)
            return n == 0 ? -ECONNRESET : -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Returns the speed of the imported device as the protocol numbers it, or -errno. */
static int import(int fd)
{
    uint8_t request[HEADER + BUS_ID] = {VERSION >> 8, VERSION & 0xff, OP_REQ_IMPORT >> 8,
                                        OP_REQ_IMPORT & 0xff};
    uint8_t reply[HEADER + DEVICE];
    int r;

    strcpy((char *)request + HEADER, "1-1");
    if (send(fd, request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request))
        return -EPIPE;
    r = receive(fd, reply, HEADER);
    if (r < 0)
        return r;
    if (be(reply + 2, 2) != OP_REP_IMPORT)
        return -EPROTO;
    if (be(reply + 4, 4) != 0)
        return -ENODEV; /* unplugged, or imported by somebody else */
    r = receive(fd, reply + HEADER, DEVICE);
    return r < 0 ? r : (int)be(reply + SPEED_AT, 4);
}

static int write_line(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* "hs 0000 004 ..." a line of the status file: hub, port, state. */
static bool port_is_free(unsigned port)
{
    FILE *file = fopen(CONTROLLER "/status", "re");
    char line[256], hub[8];
    unsigned number, state;
    bool is_free = false;

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "%7s %u %u", hub, &number, &state) == 3 && number == port)
            is_free = state == PORT_FREE;
    if (file)
        fclose(file);
    return is_free;
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* One plugging: until the cable is pulled. False: nothing to plug at the moment. */
static bool plug(const char *path, unsigned port, unsigned device_id)
{
    struct pollfd poller = {.events = POLLRDHUP};
    char line[64];
    int speed, r = 0;

    poller.fd = connect_to(path);
    if (poller.fd < 0)
        return false;
    speed = import(poller.fd);
    if (speed > 0) {
        snprintf(line, sizeof(line), "%u %d %u %d", port, poller.fd, device_id, speed);
        r = write_line(CONTROLLER "/attach", line);
        if (r < 0)
            fprintf(stderr, "rig-attach: port %u: %s\n", port, strerror(-r));
    }
    if (speed <= 0 || r < 0) {
        close(poller.fd);
        return false;
    }
    printf("attached port=%u speed=%d\n", port, speed);
    /* The kernel reads the socket: only its end is waited for here. */
    while (!ended && poll(&poller, 1, -1) < 0 && errno == EINTR)
        ;
    if (ended) {
        snprintf(line, sizeof(line), "%u", port);
        (void)write_line(CONTROLLER "/detach", line);
    }
    close(poller.fd);
    while (!ended && !port_is_free(port))
        pause_ms(PAUSE_MS);
    printf("detached port=%u\n", port);
    return true;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    unsigned port = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    unsigned device_id = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 0) : 0x00010002;

    if (argc < 2 || argc > 4) {
        fputs("usage: rig-attach USBIP_SOCKET [PORT [DEVICE_ID]]\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (access(CONTROLLER "/attach", W_OK) < 0) {
        fputs("rig-attach: no " CONTROLLER ": load vhci-hcd\n", stderr);
        return 1;
    }
    while (!ended)
        if (!plug(argv[1], port, device_id))
            pause_ms(PAUSE_MS);
    return 0;
}
