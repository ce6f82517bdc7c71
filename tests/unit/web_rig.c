#include "web_rig.h"

void rig_send(struct rig *rig, uint16_t type, const void *body, int fd)
{
    uint8_t packet[MESSAGE_MAX];
    int len = message_encode(type, body, fd >= 0 ? 1 : 0, packet, sizeof(packet));
    struct iovec iov = {packet, (size_t)len};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    assert_true(len > 0);
    if (fd >= 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    if (rig->lossy && (rig->desk < 0 || sendmsg(rig->desk, &msg, MSG_NOSIGNAL) != len)) {
        if (rig->desk >= 0)
            close(rig->desk);
        rig->desk = -1;
        return;
    }
    if (!rig->lossy)
        assert_int_equal(sendmsg(rig->desk, &msg, MSG_NOSIGNAL), len);
}

void rig_send_memfd(struct rig *rig, uint16_t type, const void *body, const void *data, size_t len)
{
    int fd = memfd_seal("test", data, len);

    assert_true(fd >= 0);
    rig_send(rig, type, body, fd);
    close(fd);
}

void rig_desk_poll(struct rig *rig)
{
    uint8_t packet[MESSAGE_MAX];
    ssize_t n;

    if (rig->lossy && rig->desk >= 0 && recv(rig->desk, packet, 1, MSG_DONTWAIT | MSG_PEEK) == 0) {
        close(rig->desk);
        rig->desk = -1;
    }

    if (rig->desk < 0 && rig->desk_listen >= 0) {
        struct msg_hello hello = {.version = IPC_VERSION, .role = 'D'};

        rig->desk = accept4(rig->desk_listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (rig->desk < 0)
            return;
        MESSAGE_TEXT(hello.program, "fake");
        rig_send(rig, MSG_HELLO, &hello, -1);
    }
    while (rig->desk >= 0 && (n = recv(rig->desk, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
        assert_int_equal(message_decode(packet, (size_t)n, 0, &rig->last), 0);
        if (rig->last.type == MSG_HELLO) {
            assert_int_equal(rig->last.body.hello.role, 'W');
            continue;
        }
        rig->got++;
        if (rig->last.type == MSG_SUBSCRIBE)
            rig->subscription = rig->last.body.subscribe.request;
        if (rig->on_desk != NULL)
            rig->on_desk(rig, &rig->last);
    }
}

/* Let everybody do what can be done now. */
void rig_pump(struct rig *rig)
{
    for (int quiet = 0; quiet < 3;) {
        unsigned before = rig->got;
        int r = sd_event_run(rig->loop, 0);

        assert_true(r >= 0);
        rig_desk_poll(rig);
        quiet = r == 0 && before == rig->got ? quiet + 1 : 0;
    }
}

void rig_lane(struct rig *rig, const struct msg_lane_state *lane)
{
    rig_send(rig, MSG_LANE_STATE, lane, -1);
}

bool rig_view(struct rig *rig, const struct message *message)
{
    struct msg_action_result result = {.request = message->body.view.request, .accepted = 1};

    if (message->type == MSG_VIEW)
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
    return message->type == MSG_VIEW;
}

/* What a desk does by itself: two lanes, no visits. */
void rig_desk_plain(struct rig *rig, const struct message *message)
{
    if (message->type == MSG_SUBSCRIBE) {
        struct msg_subscribed end = {.request = message->body.subscribe.request};
        struct msg_lane_state lane = {
            .lane = 1, .step = 4, .pin_tries = 255, .number_b_tries = 255};

        MESSAGE_TEXT(lane.label, "正面");
        rig_lane(rig, &lane);
        lane.lane = 2;
        rig_lane(rig, &lane);
        rig_send(rig, MSG_SUBSCRIBED, &end, -1);
    } else if (message->type == MSG_VISITS_QUERY) {
        struct msg_visits_end end = {.request = message->body.visits_query.request};

        rig_send(rig, MSG_VISITS_END, &end, -1);
    } else if (message->type == MSG_SLIPS_QUERY) {
        struct msg_slips_end end = {.request = message->body.slips_query.request};

        rig_send(rig, MSG_SLIPS_END, &end, -1);
    } else {
        (void)rig_view(rig, message);
    }
}

void rig_write(const char *directory, const char *name, const char *text)
{
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

int rig_listen(unsigned *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

static void quiet(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int rig_setup_with(void **state, const char *staff_token)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct pages *pages;

    assert_non_null(rig);
    (void)strcpy(rig->directory, "/tmp/uketsuke-web-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    rig_write(rig->directory, "kiosk.html", "<p>kiosk</p>");
    rig_write(rig->directory, "board.html", "<p>board</p>");
    rig_write(rig->directory, "x.js", "export {};");
    rig_write(rig->directory, "secret.token", "never served");
    assert_int_equal(sd_event_new(&rig->loop), 0);
    /* 2026-11-22 00:00:00 UTC plus nine hours, Tokyo's noon minus three */
    rig->clock = clock_new_simulated(50 * CLOCK_SECOND, UINT64_C(1795338000) * CLOCK_SECOND);
    assert_int_equal(session_new(&rig->session, rig->clock), 0);
    assert_int_equal(session_add_token(rig->session, 0, staff_token, strlen(staff_token)), 0);
    assert_int_equal(session_add_token(rig->session, 1, LANE1_TOKEN, strlen(LANE1_TOKEN)), 0);
    assert_int_equal(session_add_token(rig->session, 2, LANE2_TOKEN, strlen(LANE2_TOKEN)), 0);
    assert_int_equal(pages_load(&pages, rig->directory), 0);
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/desk.sock", rig->directory);
    rig->desk_listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(rig->desk_listen, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(rig->desk_listen, 4), 0);
    rig->desk = -1;
    rig->on_desk = rig_desk_plain;
    assert_int_equal(web_start(&rig->web, rig->loop, rig->clock, rig->session, pages,
                               rig_listen(&rig->port), un.sun_path),
                     0);
    /* The desk is connected to on the first turn of the clock. */
    for (int i = 0; i < 10; i++)
        rig_advance(rig, 10 * CLOCK_MS);
    assert_true(desk_link_up(rig->web.desk));
    log_capture(quiet, NULL);
    *state = rig;
    return 0;
}

int rig_setup(void **state)
{
    return rig_setup_with(state, STAFF_TOKEN);
}

int rig_teardown(void **state)
{
    static const char *const names[] = {"kiosk.html", "board.html", "x.js", "secret.token",
                                        "desk.sock"};
    struct rig *rig = *state;
    char path[160];

    web_stop(&rig->web);
    session_free(&rig->session);
    clock_free(&rig->clock);
    sd_event_unref(rig->loop);
    if (rig->desk >= 0)
        close(rig->desk);
    if (rig->desk_listen >= 0)
        close(rig->desk_listen);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", rig->directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(rig->directory), 0);
    free(rig);
    return 0;
}

void rig_advance(struct rig *rig, uint64_t us)
{
    (void)clock_advance(rig->clock, us);
    rig_pump(rig);
}

/* ---- the client ------------------------------------------------------------------------------ */

int client_open(struct rig *rig)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)rig->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

void client_send(struct rig *rig, int fd, const char *text, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno != EAGAIN)
            return; /* the server has hung up, which is for the test to see */
        rig_pump(rig);
    }
}

/* Whatever is there now. */
void client_read(struct rig *rig, int fd, struct reply *reply)
{
    rig_pump(rig);
    for (int idle = 0; idle < 20 && !reply->closed && reply->len < sizeof(reply->text) - 1;) {
        ssize_t n = recv(fd, reply->text + reply->len, sizeof(reply->text) - 1 - reply->len, 0);

        if (n > 0) {
            reply->len += (size_t)n;
            idle = 0;
        } else if (n == 0 || errno != EAGAIN) {
            reply->closed = true;
        } else {
            struct pollfd p = {.fd = fd, .events = POLLIN};

            (void)poll(&p, 1, 1);
            idle++;
        }
        rig_pump(rig);
    }
    reply->text[reply->len] = '\0';
    reply->status = strncmp(reply->text, "HTTP/1.1 ", 9) == 0 ? atoi(reply->text + 9) : 0;
    reply->body = strstr(reply->text, "\r\n\r\n");
    reply->body = reply->body != NULL ? reply->body + 4 : "";
}

/* One request with a Host header of ours; `head` are more header lines, each with its CRLF. */
int client_begin(struct rig *rig, const char *method, const char *path, const char *head,
                 const char *body)
{
    char text[20000];
    int fd = client_open(rig);
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", method, path,
                     rig->port, head);

    if (body != NULL)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: %zu\r\n", strlen(body));
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n%s", body != NULL ? body : "");
    assert_true((size_t)n < sizeof(text));
    client_send(rig, fd, text, (size_t)n);
    return fd;
}

struct reply *client(struct rig *rig, const char *method, const char *path, const char *head,
                     const char *body)
{
    static struct reply reply;
    int fd = client_begin(rig, method, path, head, body);

    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    close(fd);
    rig_pump(rig);
    return &reply;
}

struct reply *get(struct rig *rig, const char *path, const char *head)
{
    return client(rig, "GET", path, head, NULL);
}

struct reply *post(struct rig *rig, const char *path, const char *head, const char *body)
{
    return client(rig, "POST", path, head, body);
}

/* "http://127.0.0.1:PORT" as an Origin line. */
const char *origin_line(const struct rig *rig)
{
    static char line[64];

    (void)snprintf(line, sizeof(line), "Origin: http://127.0.0.1:%u\r\n", rig->port);
    return line;
}
