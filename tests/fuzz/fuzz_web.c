/*
 * Browsers that lie on one side of uketsuke-web, a desk that lies on the other: requests of any method, path, header
 * and body with the token of nobody, of a kiosk or of staff, and any message that a desk may send, in any order.
 *
 * What must hold: each request is replied once or kept; a patient's name, which only the desk's messages here hold,
 * reaches nobody but staff.
 */
#define _GNU_SOURCE 1
#include "fuzz_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/memfd.h"
#include "daemon/common/message.h"
#include "daemon/web/desk_link.h"
#include "daemon/web/pages.h"
#include "daemon/web/session.h"
#include "daemon/web/web.h"

#define NAME "ZZNAMEZZ"
#define LANE_TOKEN "lane-one-token-0123456789"
#define STAFF_TOKEN "staff-token-0123456789abcdef"

static struct {
    char folder[64], socket[108];
    int desk, port_fd;
    char host[32], origin[48];
    bool made;
} house;

struct world {
    sd_event *loop;
    struct clock *clock;
    struct session *session;
    struct web web;
    int desk;
    uint32_t asked[8]; /* requests that the desk was asked, the last ones */
    unsigned nasked;
    char *texts[256];
    unsigned ntexts;
};

static void take_down(void)
{
    char path[160];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", house.folder, i == 0 ? "kiosk.html" : "board.html");
        unlink(path);
    }
    unlink(house.socket);
    rmdir(house.folder);
}

static void make_house(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(in);
    char path[160];

    strcpy(house.folder, "/tmp/uketsuke-fuzz-XXXXXX");
    FUZZ_CHECK(mkdtemp(house.folder) != NULL);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", house.folder, i == 0 ? "kiosk.html" : "board.html");
        file = fopen(path, "w");
        FUZZ_CHECK(file != NULL && fputs("<p>page</p>", file) >= 0 && fclose(file) == 0);
    }
    snprintf(house.socket, sizeof(house.socket), "%s/desk", house.folder);
    strcpy(un.sun_path, house.socket);
    house.desk = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(house.desk >= 0 && bind(house.desk, (struct sockaddr *)&un, sizeof(un)) == 0 &&
               listen(house.desk, 8) == 0);
    house.port_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(house.port_fd >= 0 && bind(house.port_fd, (struct sockaddr *)&in, sizeof(in)) == 0);
    FUZZ_CHECK(listen(house.port_fd, 1) == 0 &&
               getsockname(house.port_fd, (struct sockaddr *)&in, &len) == 0);
    snprintf(house.host, sizeof(house.host), "127.0.0.1:%u", ntohs(in.sin_port));
    snprintf(house.origin, sizeof(house.origin), "http://%s", house.host);
    FUZZ_CHECK(atexit(take_down) == 0);
    house.made = true;
}

static void hear(struct world *w)
{
    static uint8_t packet[MESSAGE_MAX];
    static struct message message;

    if (w->desk < 0)
        w->desk = accept4(house.desk, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (w->desk >= 0) {
        char room[CMSG_SPACE(4 * sizeof(int))];
        struct iovec part = {packet, sizeof(packet)};
        struct msghdr head = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
        ssize_t n = recvmsg(w->desk, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n == 0) {
            close(w->desk);
            w->desk = -1;
        }
        if (n <= 0)
            return;
        /* What the web sends is lawful, whatever a browser said. */
        FUZZ_CHECK(message_decode(packet, (size_t)n, 0, &message) == 0);
        if (message.type != MSG_HELLO && message.type != MSG_HEALTH_ITEM &&
            message.type != MSG_HEALTH_END)
            w->asked[w->nasked++ % 8] = message.body.subscribe.request;
    }
}

static void settle(struct world *w, uint64_t us)
{
    clock_advance(w->clock, us);
    for (unsigned i = 0; i < 12; i++) {
        int r = sd_event_run(w->loop, 0);

        FUZZ_CHECK(r >= 0);
        hear(w);
        fuzz_server_turn();
        if (r == 0)
            break;
    }
}

static void send_packet(struct world *w, const void *packet, size_t len, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {(void *)(uintptr_t)packet, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    memset(&control, 0, sizeof(control));
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control.room);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    }
    if (w->desk >= 0)
        (void)sendmsg(w->desk, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_hello(struct world *w)
{
    struct msg_hello hello = {.version = 1, .role = 'D', .program = "uketsuked"};
    uint8_t packet[128];
    int len = message_encode(MSG_HELLO, &hello, 0, packet, sizeof(packet));

    FUZZ_CHECK(len > 0);
    send_packet(w, packet, (size_t)len, -1);
}

static void desk_says(struct world *w, struct fuzz_input *in)
{
    const struct message_row *row = message_row_at(fuzz_u8(in));
    static struct message message;
    static union message_body zero;
    static uint8_t packet[MESSAGE_MAX];
    unsigned what = fuzz_u8(in);
    size_t len, room;
    const uint8_t *bytes = fuzz_piece(in, 600, &len);
    int fd = -1, n;

    if (row == NULL || strchr(row->from, 'D') == NULL || row->type == MSG_HELLO)
        return;
    n = message_encode(row->type, &zero, row->fds, packet, sizeof(packet));
    if (n < 0)
        return;
    room = (size_t)n - MESSAGE_HEADER;
    memcpy(packet + MESSAGE_HEADER, bytes, len < room ? len : room);
    if (message_decode(packet, (size_t)n, row->fds, &message) < 0)
        return;
    if (row->fds > 0) {
        const uint8_t *content = fuzz_piece(in, 1000, &len);

        fd = memfd_seal("desk", len > 0 ? content : (const uint8_t *)"x", len > 0 ? len : 1);
    }
    switch (row->type) {
    case MSG_LANE_STATE:
        strcpy(message.body.lane_state.patient, NAME);
        message.body.lane_state.lane = (uint16_t)(message.body.lane_state.lane % 3);
        break;
    case MSG_VISIT_ITEM:
        strcpy(message.body.visit_item.name, NAME);
        strcpy(message.body.visit_item.kana, NAME);
        break;
    default:
        break;
    }
    if ((what & 1) == 0 && row->type != MSG_LANE_STATE && row->type != MSG_LANE_PREVIEW)
        message.body.subscribed.request = w->asked[(what >> 1) % 8];
    if (row->type == MSG_ANSWER && fd >= 0 && (what & 0x80) == 0)
        message.body.answer.bytes = (uint32_t)(len > 0 ? len : 1);
    if (row->type == MSG_LANE_PREVIEW && (what & 0x80) == 0)
        message.body.lane_preview.bytes = (uint32_t)(len > 0 ? len : 1);
    n = message_encode(row->type, &message.body, fd >= 0 ? row->fds : 0, packet, sizeof(packet));
    if (n > 0)
        send_packet(w, packet, (size_t)n, fd);
    if (fd >= 0)
        close(fd);
}

static void on_reply(unsigned status, const char *type, const uint8_t *data, size_t len, void *arg)
{
    bool staff = arg != NULL;

    (void)status;
    FUZZ_CHECK(type != NULL || len == 0);
    /* A name may be split over two pieces of a stream; half of it is enough to tell. */
    if (!staff && len >= 4)
        for (size_t i = 0; i + 4 <= len; i++)
            FUZZ_CHECK(!(data[i] == 'Z' && data[i + 1] == 'Z' && data[i + 2] == 'N' &&
                         data[i + 3] == 'A'));
}

static const char *text(struct world *w, struct fuzz_input *in, size_t most)
{
    char *one;

    if (w->ntexts == sizeof(w->texts) / sizeof(w->texts[0]))
        return "";
    one = w->texts[w->ntexts++] = fuzz_text(in, most);
    return one;
}

static void browser_asks(struct world *w, struct fuzz_input *in)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"};
    static const char *const paths[] = {"/api/health",
                                        "/metrics",
                                        "/api/failures",
                                        "/api/session",
                                        "/api/lanes",
                                        "/api/lanes/1",
                                        "/api/lanes/1/actions",
                                        "/api/lanes/1/events",
                                        "/api/lanes/1/preview",
                                        "/api/visits",
                                        "/api/visits/1",
                                        "/api/visits/1/answer",
                                        "/api/events",
                                        "/api/lookup",
                                        "/api/devices",
                                        "/kiosk/1",
                                        "/board"};
    unsigned method = fuzz_u8(in), path = fuzz_u8(in), who = fuzz_u8(in), more = fuzz_u8(in);
    struct fuzz_request wish = {.method = methods[method % 6], .headers = {{"Host", house.host}}};
    unsigned n = 1;
    const char *body;

    wish.path = path < 224 ? paths[path % (sizeof(paths) / sizeof(paths[0]))] : text(w, in, 200);
    if ((who & 3) == 1)
        wish.headers[n][1] = "Bearer " LANE_TOKEN;
    if ((who & 3) == 2)
        wish.headers[n][1] = "Bearer " STAFF_TOKEN;
    if ((who & 3) == 3)
        wish.headers[n][1] = text(w, in, 200);
    if ((who & 3) != 0)
        wish.headers[n++][0] = "Authorization";
    if ((who & 4) == 0) {
        wish.headers[n][0] = "X-Uketsuke";
        wish.headers[n++][1] = (who & 3) == 1 || (who & 8) != 0 ? "kiosk" : "board";
    }
    if ((more & 1) == 0) {
        wish.headers[n][0] = "Origin";
        wish.headers[n++][1] = (more & 2) != 0 ? text(w, in, 100) : house.origin;
    }
    if ((more & 4) == 0) {
        wish.headers[n][0] = "Content-Type";
        wish.headers[n++][1] = (more & 8) != 0 ? text(w, in, 60) : "application/json";
    }
    if ((more & 16) != 0) {
        wish.headers[n][0] = "Cookie";
        wish.headers[n++][1] = text(w, in, 700);
    }
    if ((more & 32) != 0) {
        wish.headers[n][0] = "Host";
        wish.headers[n++][1] = text(w, in, 100);
    }
    if ((more & 64) != 0)
        wish.query = text(w, in, 100);
    if ((more & 128) != 0) {
        body = text(w, in, 9000);
        wish.body = (const uint8_t *)body;
        wish.body_len = strlen(body);
    }
    /* Only the staff's token makes staff; what is signed in the input cannot be made up. */
    (void)fuzz_server_ask(&wish, on_reply, (who & 3) == 2 ? w : NULL);
}

static void no_health(struct ipc *ipc, uint32_t request, void *arg)
{
    (void)ipc;
    (void)request;
    (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct fuzz_input in = {data, size};
    struct pages *pages = NULL;

    if (!house.made)
        make_house();
    /* The name must come from the messages' own fields alone. */
    if (memmem(data, size, "ZZN", 3) != NULL || memmem(data, size, "lane-one", 8) != NULL ||
        memmem(data, size, "staff-token", 11) != NULL)
        return 0;
    memset(&w, 0, sizeof(w));
    w.desk = -1;
    FUZZ_CHECK(sd_event_new(&w.loop) >= 0);
    w.clock = clock_new_simulated(50 * CLOCK_SECOND, UINT64_C(1795338000) * CLOCK_SECOND);
    FUZZ_CHECK(session_new(&w.session, w.clock) == 0);
    FUZZ_CHECK(session_add_token(w.session, 0, STAFF_TOKEN, strlen(STAFF_TOKEN)) == 0);
    FUZZ_CHECK(session_add_token(w.session, 1, LANE_TOKEN, strlen(LANE_TOKEN)) == 0);
    FUZZ_CHECK(pages_load(&pages, house.folder) == 0);
    w.web.health = no_health;
    FUZZ_CHECK(web_start(&w.web, w.loop, w.clock, w.session, pages, dup(house.port_fd),
                         house.socket) == 0);
    for (unsigned i = 0; i < 20 && w.desk < 0; i++)
        settle(&w, 10 * CLOCK_MS);
    say_hello(&w);
    settle(&w, 0);
    while (in.left > 0) {
        unsigned what = fuzz_u8(&in);

        switch (what % 8) {
        case 0:
        case 1:
        case 2:
            desk_says(&w, &in);
            break;
        case 3:
            settle(&w, fuzz_u8(&in) * 50 * CLOCK_MS);
            break;
        case 4:
            if (what < 32)
                fuzz_server_leave();
            else if (what > 240 && w.desk >= 0) {
                close(w.desk);
                w.desk = -1;
                for (unsigned i = 0; i < 100 && w.desk < 0; i++)
                    settle(&w, 100 * CLOCK_MS);
                say_hello(&w);
            }
            break;
        default:
            browser_asks(&w, &in);
            break;
        }
        settle(&w, 0);
    }
    /* Whatever the desk never answered is refused in the end. */
    settle(&w, 10 * CLOCK_SECOND);
    web_stop(&w.web);
    session_free(&w.session);
    if (w.desk >= 0)
        close(w.desk);
    hear(&w);
    clock_free(&w.clock);
    sd_event_unref(w.loop);
    for (unsigned i = 0; i < w.ntexts; i++)
        free(w.texts[i]);
    return 0;
}

static unsigned at(uint16_t type)
{
    const struct message_row *row;
    unsigned i = 0;

    while ((row = message_row_at(i)) != NULL && row->type != type)
        i++;
    return i;
}

static void lane(struct fuzz_seed *seed)
{
    seed_u8(seed, 0);
    seed_u8(seed, at(MSG_LANE_STATE));
    seed_u8(seed, 1);
    seed_piece_hex(seed, "0100");
    seed_u8(seed, 0);
    seed_u8(seed, at(MSG_SUBSCRIBED));
    seed_u8(seed, 0);
    seed_piece_hex(seed, "");
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static const struct {
        const char *name, *head, *body;
    } requests[] = {
        {"session", "05 01 03 04 80",
         "{\"surface\":\"kiosk\",\"lane\":1,\"token\":\"wrong-token-0123456789\"}"},
        {"action", "05 01 06 01 80",
         "{\"visit\":\"1\",\"step\":0,\"action\":\"cancel\",\"consents\":[\"drugs\"],\"sealed\":"
         "\"AAAA\"}"},
        {"lookup", "05 01 0d 02 80",
         "{\"insurer\":\"06130017\",\"symbol\":\"1\",\"number\":\"2\",\"branch\":\"01\",\"birth\":"
         "\"19540707\",\"lane\":1}"},
        {"staff", "05 01 06 02 80",
         "{\"visit\":\"1\",\"step\":0,\"action\":\"confirm\",\"staff\":\"a\"}"},
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        lane(&seed);
        seed_hex(&seed, requests[i].head);
        seed_text(&seed, requests[i].body);
        seed_u8(&seed, 0);
        seed_u8(&seed, at(MSG_ACTION_RESULT));
        seed_u8(&seed, 2);
        seed_piece_hex(&seed, "00000000 01");
        seed_write(&seed, requests[i].name);
    }
    /* Every path by everybody, and the desk's answer to it. */
    for (unsigned who = 0; who < 3; who++) {
        lane(&seed);
        for (unsigned path = 0; path < 17; path++) {
            seed_u8(&seed, 5);
            seed_u8(&seed, 0);
            seed_u8(&seed, path);
            seed_u8(&seed, who);
            seed_u8(&seed, 0);
            for (unsigned i = 0; i < 3; i++) {
                static const uint16_t answers[] = {MSG_VISIT_ITEM, MSG_VISITS_END, MSG_ANSWER};

                seed_u8(&seed, 0);
                seed_u8(&seed, at(answers[i]));
                seed_u8(&seed, (path % 8) * 2);
                seed_piece_hex(&seed, "00000000 0100000000000000");
                if (answers[i] == MSG_ANSWER)
                    seed_piece_hex(&seed, "01 02");
            }
        }
        lane(&seed);
        seed_hex(&seed, "03 ff");
        seed_write(&seed, who == 0 ? "nobody" : who == 1 ? "kiosk" : "board");
    }
}
