/*
 * sim-vpcd: a simulated card in the virtual reader of vsmartcard's vpcd, so that independent
 * PC/SC software can judge it. Protocol: two bytes of length, big endian, then either one control
 * byte (0 off, 1 on, 2 reset, 4 answer-to-reset wanted) or a command APDU.
 */
#include "card.h"
#include "util.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 35963, TRIES = 100, TRY_MS = 100, FRAME_MAX = 65535 };

enum { CONTROL_OFF = 0, CONTROL_ON = 1, CONTROL_RESET = 2, CONTROL_ATR = 4 };

static const char usage[] =
    "usage: sim-vpcd --cards DIR --card NAME [--state DIR] [--port N] [--raise-loopback]\n";

/* In a network namespace of its own the loopback interface is down at first. */
static int raise_loopback(void)
{
    struct ifreq request = {0};
    int fd, r = 0;

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* vpcd may not be listening yet: tries for ten seconds. */
static int connect_vpcd(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timespec pause = {0, TRY_MS * 1000000L};
    int fd, i, r = -ETIMEDOUT;

    for (i = 0; i < TRIES; i++) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
            return fd;
        r = -errno;
        close(fd);
        nanosleep(&pause, NULL);
    }
    return r;
}

/* 1 = done, 0 = peer closed, or -errno. */
static int read_all(int fd, uint8_t *p, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = recv(fd, p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        p += n;
        len -= (size_t)n;
    }
    return 1;
}

static int write_frame(int fd, uint8_t *frame, size_t len)
{
    size_t sent = 0;
    ssize_t n;

    util_put_be16(frame, (unsigned)len);
    while (sent < len + 2) {
        n = send(fd, frame + sent, len + 2 - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        sent += (size_t)n;
    }
    return 1;
}

/* Answers until the peer closes. 0 or -errno. */
static int serve(int fd, struct card *card)
{
    static uint8_t in[FRAME_MAX], out[2 + CARD_RESPONSE_MAX];
    size_t len;
    int r;

    for (;;) {
        r = read_all(fd, in, 2);
        if (r <= 0)
            return r;
        len = util_get_be16(in);
        r = read_all(fd, in, len);
        if (r <= 0)
            return r;
        if (len == 1 && in[0] == CONTROL_ATR) {
            r = write_frame(fd, out, sim_card_atr(card, out + 2));
        } else if (len == 1 && in[0] <= CONTROL_RESET) {
            sim_card_reset(card);
        } else if (len > 1) {
            size_t n = sim_card_transmit(card, in, len, out + 2);

            if (n > FRAME_MAX) {
                util_put_be16(out + 2, 0x6700); /* more than this protocol can carry */
                n = 2;
            }
            r = write_frame(fd, out, n);
        }
        if (r < 0)
            return r;
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"cards", required_argument, NULL, 'd'},    {"card", required_argument, NULL, 'c'},
        {"state", required_argument, NULL, 's'},    {"port", required_argument, NULL, 'p'},
        {"raise-loopback", no_argument, NULL, 'l'}, {0},
    };
    const char *cards = NULL, *name = NULL, *state = NULL;
    struct card *card = NULL;
    uint64_t port = PORT;
    int c, fd, r = 0;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'd':
            cards = optarg;
            break;
        case 'c':
            name = optarg;
            break;
        case 's':
            state = optarg;
            break;
        case 'p':
            r = sim_util_parse_u64(optarg, 10, 65535, &port);
            break;
        case 'l':
            raise_loopback();
            break; /* if it fails, connecting will say so */
        default:
            r = -EINVAL;
        }
    }
    if (r < 0 || optind != argc || !cards || !name) {
        fputs(usage, stderr);
        return 2;
    }
    r = sim_card_open(&card, cards, state ? state : cards, name, 1);
    if (r < 0) {
        fprintf(stderr, "sim-vpcd: card %s in %s: %s\n", name, cards, strerror(-r));
        return 1;
    }
    fd = connect_vpcd((uint16_t)port);
    r = fd < 0 ? fd : serve(fd, card);
    if (r < 0)
        fprintf(stderr, "sim-vpcd: port %llu: %s\n", (unsigned long long)port, strerror(-r));
    if (fd >= 0)
        close(fd);
    sim_card_close(&card);
    return r < 0;
}
