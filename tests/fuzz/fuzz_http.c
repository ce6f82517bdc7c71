/*
 * A client that writes whatever it likes to the port of uketsuke-web: the bytes of the input go through a real socket
 * into the real server (libmicrohttpd and daemon/web/server.c), in the pieces that the input says, and then the client
 * closes, resets or stops reading. No token is in any input.
 *
 * What must hold: what comes back is HTTP; without a token nothing of what only the signed-in may see is replied with
 * 200; and afterwards the server serves the next one as before.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/web/pages.h"
#include "daemon/web/session.h"
#include "daemon/web/web.h"

#define STAFF_TOKEN "staff-token-0123456789abcdef"
#define TURNS 12
#define CLOSED "/api/visits" /* needs a session */
#define OPEN "/api/failures" /* needs none */

static struct {
    bool made;
    char folder[64];
    struct sockaddr_in address;
    char host[32];
    sd_event *loop;
    struct clock *clock;
    struct session *session;
    struct web web;
} house;

static char answer[1u << 17];
static size_t answered;

static void no_health(struct ipc *ipc, uint32_t request, void *arg)
{
    (void)ipc;
    (void)request;
    (void)arg;
}

static void take_down(void)
{
    char path[160];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", house.folder, i == 0 ? "kiosk.html" : "board.html");
        unlink(path);
    }
    rmdir(house.folder);
}

static void make_house(void)
{
    socklen_t len = sizeof(house.address);
    struct pages *pages = NULL;
    char path[160];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(house.folder, "/tmp/uketsuke-fuzz-XXXXXX");
    FUZZ_CHECK(mkdtemp(house.folder) != NULL && atexit(take_down) == 0);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", house.folder, i == 0 ? "kiosk.html" : "board.html");
        file = fopen(path, "w");
        FUZZ_CHECK(file != NULL && fputs("<p>page</p>", file) >= 0 && fclose(file) == 0);
    }
    house.address.sin_family = AF_INET;
    house.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FUZZ_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&house.address, len) == 0);
    FUZZ_CHECK(listen(fd, 64) == 0 &&
               getsockname(fd, (struct sockaddr *)&house.address, &len) == 0);
    snprintf(house.host, sizeof(house.host), "127.0.0.1:%u", ntohs(house.address.sin_port));
    FUZZ_CHECK(sd_event_new(&house.loop) >= 0);
    house.clock = clock_new_simulated(50 * CLOCK_SECOND, UINT64_C(1795338000) * CLOCK_SECOND);
    FUZZ_CHECK(session_new(&house.session, house.clock) == 0);
    FUZZ_CHECK(session_add_token(house.session, 0, STAFF_TOKEN, strlen(STAFF_TOKEN)) == 0);
    FUZZ_CHECK(pages_load(&pages, house.folder) == 0);
    house.web.health = no_health;
    snprintf(path, sizeof(path), "%s/no-desk", house.folder);
    FUZZ_CHECK(web_start(&house.web, house.loop, house.clock, house.session, pages, fd, path) == 0);
    house.made = true;
}

/* Lets the server work, and takes what it says. */
static void turn(int client, unsigned turns, bool reads)
{
    for (unsigned i = 0; i < turns; i++) {
        ssize_t n;

        FUZZ_CHECK(sd_event_run(house.loop, 0) >= 0);
        while (reads && answered < sizeof(answer) - 1 &&
               (n = recv(client, answer + answered, sizeof(answer) - 1 - answered, MSG_DONTWAIT)) >
                   0)
            answered += (size_t)n;
    }
    answer[answered] = '\0';
}

static int connect_client(void)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    answered = 0;
    answer[0] = '\0';
    FUZZ_CHECK(client >= 0);
    FUZZ_CHECK(connect(client, (struct sockaddr *)&house.address, sizeof(house.address)) == 0);
    return client;
}

static void serves_the_next_one(void)
{
    char request[200];
    int client = connect_client();
    int n = snprintf(request, sizeof(request),
                     "GET " OPEN
                     " HTTP/1.1\r\nHost: %s\r\nX-Uketsuke: board\r\nConnection: close\r\n\r\n",
                     house.host);

    FUZZ_CHECK(send(client, request, (size_t)n, MSG_NOSIGNAL) == n);
    for (unsigned i = 0; i < 200 && strstr(answer, "\r\n\r\n") == NULL; i++)
        turn(client, 1, true);
    FUZZ_CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
    close(client);
    turn(-1, 4, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct linger reset = {1, 0};
    struct fuzz_input in = {data, size};
    bool asks_closed =
        memmem(data, size, CLOSED, strlen(CLOSED)) != NULL && memmem(data, size, "GET", 3) != NULL;
    uint8_t manner;
    int client;

    if (!house.made)
        make_house();
    if (memmem(data, size, "staff-token", 11) != NULL)
        return 0;
    manner = fuzz_u8(&in);
    client = connect_client();
    while (in.left > 0) {
        size_t len;
        const uint8_t *piece = fuzz_piece(&in, 16384, &len);

        /* The server may have closed already: that is its right. */
        if (len > 0 && send(client, piece, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
            break;
        turn(client, 2, (manner & 1) == 0);
    }
    if ((manner & 2) != 0)
        (void)shutdown(client, SHUT_WR);
    turn(client, TURNS, (manner & 1) == 0);
    /* What the head of the stream is must be a status line; only a good Host, which no input can know, gets 200. */
    FUZZ_CHECK(answered < 5 || memcmp(answer, "HTTP/", 5) == 0);
    if (asks_closed)
        FUZZ_CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) != 0);
    if ((manner & 4) != 0)
        (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client);
    turn(-1, 4, false);
    serves_the_next_one();
    return 0;
}

static void request(const char *name, unsigned manner, const char *const *pieces)
{
    static struct fuzz_seed seed;

    seed_u8(&seed, manner);
    for (; *pieces != NULL; pieces++)
        seed_piece(&seed, *pieces, strlen(*pieces));
    seed_write(&seed, name);
}

#define HEAD "Host: 127.0.0.1\r\nX-Uketsuke: board\r\n"
#define WRITE(name, manner, ...) request(name, manner, (const char *const[]){__VA_ARGS__, NULL})

void fuzz_seeds(void)
{
    WRITE("get", 0, "GET " OPEN " HTTP/1.1\r\n" HEAD "\r\n");
    WRITE("closed", 0, "GET " CLOSED " HTTP/1.1\r\n" HEAD "Authorization: Bearer x\r\n\r\n");
    WRITE("drip", 0, "GE", "T /api/heal", "th HTTP/1", ".1\r\nHo", "st: a\r\n", "\r", "\n");
    WRITE(
        "body", 2,
        "POST /api/session HTTP/1.1\r\n" HEAD
        "Origin: http://127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n",
        "{\"token\"", ":1}");
    WRITE("chunked", 0, "POST /api/lookup HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n",
          "5\r\n{\"a\":\r\n", "2;x=y\r\n1}\r\n0\r\nT: v\r\n\r\n");
    WRITE("both", 0,
          "POST /api/lookup HTTP/1.1\r\n" HEAD
          "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET " CLOSED
          " HTTP/1.1\r\n\r\n");
    WRITE("long", 0,
          "POST /api/lookup HTTP/1.1\r\n" HEAD "Content-Length: 99999999999999999999\r\n\r\n{");
    WRITE("twice", 0,
          "GET /api/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
          "GET /board HTTP/1.1\r\nHost: a\r\n\r\n");
    WRITE("expect", 0,
          "POST /api/slips HTTP/1.1\r\n" HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
          "{}");
    WRITE("events", 5, "GET /api/events HTTP/1.1\r\n" HEAD "\r\n");
    WRITE("path", 0, "GET /%2e%2e/%00/..//x?a=%zz&b HTTP/1.0\r\n\r\n");
    WRITE("old", 2, "GET /\r\n\r\n");
    WRITE("head", 4,
          "HEAD /kiosk?lane=1 HTTP/1.1\r\n" HEAD "Cookie: uketsuke-kiosk-1=a; b=\"c\r\n\r\n");
    WRITE("folded", 0, "GET / HTTP/1.1\r\nHost: a\r\n b\r\nX: \x80\xff\r\n\r\n");
    WRITE("none", 6, "\r\n\r\n\r\n");
}
