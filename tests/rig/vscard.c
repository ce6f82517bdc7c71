/*
 * rig-vscard --qemu SOCKET --control SOCKET --cards DIR --card NAME [--state DIR]
 *
 * A simulated card in QEMU's reader (usb-ccid with ccid-card-passthru), so that a reader that
 * nobody here wrote stands before the card. Speaks the VSCard protocol of libcacard: messages of
 * type, reader, length (32 bits each, big endian) and that many bytes.
 *
 * QEMU's reader works at the TPDU level and knows T=0 only, while the card answers APDUs and its
 * own answer to reset offers T=1 only. So this is the same card with a T=0 face (ISO/IEC 7816-3,
 * 12.2.1): it answers to reset with both protocols, T=0 first, holds back the data of a case 4
 * command for GET RESPONSE (61xx) and tells the length of what was asked for wrongly (6Cxx).
 *
 * OpenSC's JPKI driver does not ask for the data that a 61xx announces (it was written for cards
 * that speak T=1, and takes 61xx for the end). "at-once" lets the card give the data with the
 * command's own answer, as an APDU card behind this reader does; "held" is T=0 as it is written.
 *
 * The control socket takes lines, one client at a time: "insert", "remove", "at-once", "held",
 * "tpdus"; each is answered by "ok ..." or "error". QEMU tells a card nothing of power, so the
 * card forgets verified secrets only when it is removed.
 */
#include "tests/sim/reader/card.h"
#include "tests/sim/reader/util.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { /* VSCMsgType */
       VSC_INIT = 1,
       VSC_ERROR,
       VSC_READER_ADD,
       VSC_READER_REMOVE,
       VSC_ATR,
       VSC_CARD_REMOVE,
       VSC_APDU,
       VSC_FLUSH,
       VSC_FLUSH_COMPLETE,
};

enum { HEADER = 12, MESSAGE_MAX = 70000, TRIES = 300, TRY_MS = 50, LINE = 64, SHORT = 256 };

#define ANY_READER 0xffffffffu

/* T=0, then T=1, no historical bytes; the check byte that T=1 demands. */
static const uint8_t answer_to_reset[] = {0x3B, 0x80, 0x80, 0x01, 0x01};

struct rig {
    struct card *card;
    int qemu, listening, control;
    bool added, inserted, at_once;
    unsigned long tpdus;
    uint8_t held[CARD_RESPONSE_MAX]; /* answer data that waits for GET RESPONSE, from held_at on */
    size_t held_len, held_at;
    unsigned held_status;
    char line[LINE];
    size_t line_len;
};

/* ---- T=0 ------------------------------------------------------------------------------------- */

/* Of the card's commands only these bring data to the host without taking any from it. */
static bool is_outgoing(uint8_t ins)
{
    static const uint8_t rows[] = {0x84, 0xB0, 0xB2, 0xC0, 0xCA};

    return memchr(rows, ins, sizeof(rows)) != NULL;
}

static size_t status(uint8_t *out, unsigned sw)
{
    util_put_be16(out, sw);
    return 2;
}

static unsigned more(const struct rig *rig)
{
    size_t left = rig->held_len - rig->held_at;

    return left == 0 ? rig->held_status : 0x6100u | (left >= SHORT ? 0 : (unsigned)left);
}

static size_t get_response(struct rig *rig, uint8_t p3, uint8_t *out)
{
    size_t left = rig->held_len - rig->held_at, wanted = p3 ? p3 : SHORT;

    if (left == 0)
        return status(out, 0x6985);
    if (wanted > left)
        return status(out, 0x6C00u | (left & 0xff));
    memcpy(out, rig->held + rig->held_at, wanted);
    rig->held_at += wanted;
    return wanted + status(out + wanted, more(rig));
}

/* Case 2. A card of this protocol gives exactly what P3 says, or says what it would give. */
static size_t outgoing(struct rig *rig, const uint8_t *tpdu, uint8_t *out)
{
    size_t wanted = tpdu[4] ? tpdu[4] : SHORT, n = sim_card_transmit(rig->card, tpdu, 5, out);

    if (n > 2 && n - 2 < wanted)
        return status(out, 0x6C00u | ((n - 2) & 0xff));
    return n;
}

/* Cases 1, 3 and 4, which look the same: the card knows by itself whether it will have data. */
static size_t incoming(struct rig *rig, const uint8_t *tpdu, size_t len, uint8_t *out)
{
    static const uint8_t with_answer[] = {0x2A, 0x88};
    uint8_t apdu[5 + 255 + 1];
    size_t n = tpdu[4] == 0 ? 4 : len;

    memcpy(apdu, tpdu, n);
    if (n > 4 && memchr(with_answer, tpdu[1], sizeof(with_answer)))
        apdu[n++] = 0;
    if (rig->at_once)
        return sim_card_transmit(rig->card, apdu, n, out);
    n = sim_card_transmit(rig->card, apdu, n, rig->held);
    rig->held_len = n - 2;
    rig->held_at = 0;
    rig->held_status = util_get_be16(rig->held + n - 2);
    return status(out, more(rig));
}

static size_t exchange(struct rig *rig, const uint8_t *tpdu, size_t len, uint8_t *out)
{
    uint8_t p3 = len > 4 ? tpdu[4] : 0;
    uint8_t header[5];

    rig->tpdus++;
    if (len < 4 || len > 5 + 255)
        return status(out, 0x6700);
    memcpy(header, tpdu, 4);
    header[4] = p3;
    if (len <= 5 && tpdu[1] == 0xC0)
        return get_response(rig, p3, out);
    rig->held_len = rig->held_at = 0;
    if (len <= 5 && is_outgoing(tpdu[1]))
        return outgoing(rig, header, out);
    if (len > 5 && len != 5u + p3) /* a Le has no place in a T=0 command */
        return status(out, 0x6700);
    if (len == 5 && p3 != 0)
        return status(out, 0x6700);
    return incoming(rig, len <= 5 ? header : tpdu, len <= 5 ? 5 : len, out);
}

/* ---- QEMU ------------------------------------------------------------------------------------ */

static int send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int receive(int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, bytes, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? -ECONNRESET : -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int tell(const struct rig *rig, unsigned type, uint32_t reader, const uint8_t *bytes,
                size_t len)
{
    uint8_t header[HEADER];
    int r;

    util_put_be32(header, type);
    util_put_be32(header + 4, reader);
    util_put_be32(header + 8, (uint32_t)len);
    r = send_all(rig->qemu, header, sizeof(header));
    return r < 0 ? r : send_all(rig->qemu, bytes, len);
}

static int insert(struct rig *rig)
{
    rig->inserted = true;
    return tell(rig, VSC_ATR, 0, answer_to_reset, sizeof(answer_to_reset));
}

static int withdraw(struct rig *rig)
{
    rig->inserted = false;
    rig->held_len = rig->held_at = 0;
    sim_card_reset(rig->card);
    return tell(rig, VSC_CARD_REMOVE, 0, NULL, 0);
}

static int take_message(struct rig *rig)
{
    static uint8_t in[MESSAGE_MAX], out[CARD_RESPONSE_MAX];
    uint8_t header[HEADER];
    uint32_t type, len;
    int r = receive(rig->qemu, header, sizeof(header));

    if (r < 0)
        return r;
    type = util_get_be32(header);
    len = util_get_be32(header + 8);
    if (len > sizeof(in))
        return -EPROTO;
    r = receive(rig->qemu, in, len);
    if (r < 0)
        return r;
    switch (type) {
    case VSC_INIT:
        return tell(rig, VSC_READER_ADD, ANY_READER, (const uint8_t *)"rig", 4);
    case VSC_ERROR: /* code 0: the reader was added */
        if (rig->added || len < 4 || util_get_be32(in) != 0)
            return 0;
        rig->added = true;
        return insert(rig);
    case VSC_APDU:
        return rig->inserted ? tell(rig, VSC_APDU, 0, out, exchange(rig, in, len, out)) : 0;
    case VSC_FLUSH:
        return tell(rig, VSC_FLUSH_COMPLETE, 0, NULL, 0);
    default:
        return 0;
    }
}

/* QEMU's socket comes into being when QEMU starts. */
static int connect_qemu(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timespec pause = {0, TRY_MS * 1000000L};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), i;

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    for (i = 0; i < TRIES; i++) {
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    close(fd);
    return -ECONNREFUSED;
}

/* ---- control --------------------------------------------------------------------------------- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
        return -errno;
    return fd;
}

static int run_line(struct rig *rig, const char *line)
{
    char answer[LINE];
    int r = 0;

    snprintf(answer, sizeof(answer), "ok\n");
    if (strcmp(line, "insert") == 0 && rig->added && !rig->inserted)
        r = insert(rig);
    else if (strcmp(line, "remove") == 0 && rig->inserted)
        r = withdraw(rig);
    else if (strcmp(line, "at-once") == 0)
        rig->at_once = true;
    else if (strcmp(line, "held") == 0)
        rig->at_once = false;
    else if (strcmp(line, "tpdus") == 0)
        snprintf(answer, sizeof(answer), "ok %lu\n", rig->tpdus);
    else
        snprintf(answer, sizeof(answer), "error\n");
    (void)send(rig->control, answer, strlen(answer), MSG_NOSIGNAL);
    return r;
}

static int take_control(struct rig *rig)
{
    char c;
    int r = 0;

    if (recv(rig->control, &c, 1, 0) != 1) {
        close(rig->control);
        rig->control = -1;
        return 0;
    }
    if (c != '\n' && c != '\r') {
        if (rig->line_len < sizeof(rig->line) - 1)
            rig->line[rig->line_len++] = c;
    } else if (rig->line_len > 0) {
        rig->line[rig->line_len] = 0;
        rig->line_len = 0;
        r = run_line(rig, rig->line);
    }
    return r;
}

static int run(struct rig *rig)
{
    struct pollfd fds[3];
    uint8_t hello[12] = {'V', 'S', 'C', 'D', 0, 0, 0, 2}; /* version 2, no capabilities */
    int r = tell(rig, VSC_INIT, 0, hello, sizeof(hello));

    while (r == 0) {
        fds[0] = (struct pollfd){.fd = rig->qemu, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = rig->control < 0 ? rig->listening : -1, .events = POLLIN};
        fds[2] = (struct pollfd){.fd = rig->control, .events = POLLIN};
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return -errno;
        if (fds[0].revents)
            r = take_message(rig);
        if (r == 0 && fds[1].revents)
            rig->control = accept4(rig->listening, NULL, NULL, SOCK_CLOEXEC);
        if (r == 0 && fds[2].revents)
            r = take_control(rig);
    }
    return r == -ECONNRESET ? 0 : r;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"qemu", required_argument, NULL, 'q'},  {"control", required_argument, NULL, 'c'},
        {"cards", required_argument, NULL, 'd'}, {"card", required_argument, NULL, 'n'},
        {"state", required_argument, NULL, 's'}, {0},
    };
    const char *qemu = NULL, *control = NULL, *cards = NULL, *name = NULL, *state = NULL;
    static struct rig rig = {.qemu = -1, .listening = -1, .control = -1};
    int c, r;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'q':
            qemu = optarg;
            break;
        case 'c':
            control = optarg;
            break;
        case 'd':
            cards = optarg;
            break;
        case 'n':
            name = optarg;
            break;
        case 's':
            state = optarg;
            break;
        default:
            optind = argc + 1;
        }
    }
    if (optind != argc || !qemu || !control || !cards || !name) {
        fputs("usage: rig-vscard --qemu SOCKET --control SOCKET --cards DIR --card NAME"
              " [--state DIR]\n",
              stderr);
        return 2;
    }
    r = sim_card_open(&rig.card, cards, state ? state : cards, name, 1);
    if (r == 0)
        r = rig.listening = listen_at(control);
    if (r >= 0)
        r = rig.qemu = connect_qemu(qemu);
    if (r >= 0)
        r = run(&rig);
    if (r < 0)
        fprintf(stderr, "rig-vscard: %s\n", strerror(-r));
    sim_card_close(&rig.card);
    unlink(control);
    return r < 0;
}
