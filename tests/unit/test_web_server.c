/* uketsuke-web over a real loopback socket: who is let in, what is refused, and what happens to peers that misbehave. */
#include "web_rig.h"

#include "failure.h"

/* ---- is it meant for us, and from our own pages ---------------------------------------------- */

static void a_request_for_another_host_is_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const hosts[] = {
        "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80", "[::1]:80", ""};
    char text[200];
    struct reply reply;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        int fd = client_open(rig);

        (void)snprintf(text, sizeof(text), "GET /api/health HTTP/1.1\r\nHost: %s\r\n\r\n",
                       hosts[i]);
        client_send(rig, fd, text, strlen(text));
        memset(&reply, 0, sizeof(reply));
        client_read(rig, fd, &reply);
        assert_int_equal(reply.status, 421);
        close(fd);
    }
    (void)snprintf(text, sizeof(text), "GET /api/health HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                   rig->port);
    {
        int fd = client_open(rig);

        client_send(rig, fd, text, strlen(text));
        memset(&reply, 0, sizeof(reply));
        client_read(rig, fd, &reply);
        assert_int_equal(reply.status, 200);
        close(fd);
    }
}

static void two_hosts_are_none(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(get(rig, "/api/health", "Host: evil.example\r\n")->status, 421);
}

static void another_sites_page_is_refused(void **state)
{
    struct rig *rig = *state;
    char same[160];

    assert_int_equal(get(rig, "/api/health", "Origin: http://evil.example\r\n")->status, 403);
    assert_int_equal(get(rig, "/api/health", "Origin: null\r\n")->status, 403);
    assert_int_equal(get(rig, "/api/health", "Origin: https://127.0.0.1\r\n")->status, 403);
    assert_int_equal(get(rig, "/api/health", "Sec-Fetch-Site: cross-site\r\n")->status, 403);
    assert_int_equal(get(rig, "/api/health", "Sec-Fetch-Site: same-site\r\n")->status, 403);
    (void)snprintf(same, sizeof(same), "%sSec-Fetch-Site: same-origin\r\n", origin_line(rig));
    assert_int_equal(get(rig, "/api/health", same)->status, 200);
}

static void only_loopback_is_served(void **state)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct guard guard;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(guard_init(&guard, fd), -EADDRNOTAVAIL);
    close(fd);
}

/* ---- who may go where ------------------------------------------------------------------------ */

static void every_door_wants_its_token(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *path;
        int nobody, lane1, lane2, staff;
    } doors[] = {
        {"/api/health", 200, 200, 200, 200},
        {"/api/failures", 200, 200, 200, 200},
        {"/api/lanes", 401, 403, 403, 200},
        {"/api/lanes/1", 401, 200, 403, 200},
        {"/api/lanes/2", 401, 403, 200, 200},
        {"/api/lanes/1/preview?after=x", 401, 422, 403, 403},
        {"/api/lanes/1/events", 401, 200, 403, 403},
        {"/api/visits", 401, 403, 403, 200},
        {"/api/visits/7/answer", 401, 403, 403, 0},
        {"/api/events", 401, 403, 403, 200},
        {"/api/lanes/3", 401, 403, 403, 404},
    };

    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
        if (strcmp(doors[i].path, "/api/health") != 0) {
            assert_int_equal(get(rig, doors[i].path, "")->status, doors[i].nobody);
            assert_int_equal(get(rig, doors[i].path, BEARER(LANE1_TOKEN))->status, doors[i].lane1);
            assert_int_equal(get(rig, doors[i].path, BEARER(LANE2_TOKEN))->status, doors[i].lane2);
        }
        if (doors[i].staff != 0 && strcmp(doors[i].path, "/api/health") != 0)
            assert_int_equal(get(rig, doors[i].path, BEARER(STAFF_TOKEN))->status, doors[i].staff);
    }
    assert_int_equal(get(rig, "/api/lanes", "Authorization: Basic " STAFF_TOKEN "\r\n")->status,
                     401);
    assert_int_equal(get(rig, "/api/lanes", BEARER("staff-token-0123456789abcdeg"))->status, 401);
}

static void wrong_tokens_are_slowed_down(void **state)
{
    struct rig *rig = *state;

    for (int i = 0; i < 10; i++)
        assert_int_equal(get(rig, "/api/lanes", BEARER("guess-guess-guess-guess"))->status, 401);
    assert_int_equal(get(rig, "/api/lanes", BEARER(STAFF_TOKEN))->status, 429);
    assert_non_null(
        strstr(get(rig, "/api/lanes", BEARER(STAFF_TOKEN))->text, "Retry-After: 60\r\n"));
    assert_int_equal(
        post(rig, "/api/session", JSON_OF("board"), "{\"token\":\"" STAFF_TOKEN "\"}")->status,
        429);
    rig_advance(rig, 61 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/lanes", BEARER(STAFF_TOKEN))->status, 200);
}

/* "Cookie: ..." from a Set-Cookie of the last reply. */
static void cookie_of(const struct reply *reply, char *out, size_t size)
{
    const char *at = strstr(reply->text, "Set-Cookie: ");

    assert_non_null(at);
    at += strlen("Set-Cookie: ");
    (void)snprintf(out, size, "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at);
}

static void sign_in(struct rig *rig, const char *token, const char *surface, char *cookie,
                    size_t size)
{
    char head[256], body[256];
    struct reply *reply;

    (void)snprintf(head, sizeof(head), "Content-Type: application/json\r\nX-Uketsuke: %s\r\n%s",
                   surface, origin_line(rig));
    (void)snprintf(body, sizeof(body), "{\"token\":\"%s\",\"name\":\"佐藤\"}", token);
    reply = post(rig, "/api/session", head, body);
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->text, "; HttpOnly"));
    assert_non_null(strstr(reply->text, "; SameSite=Strict"));
    assert_null(strstr(reply->text, token));
    cookie_of(reply, cookie, size);
}

static void a_token_is_exchanged_for_a_cookie(void **state)
{
    struct rig *rig = *state;
    char cookie[600], changed[600], both[1300];

    sign_in(rig, LANE1_TOKEN, "kiosk", cookie, sizeof(cookie));
    assert_int_equal(get(rig, "/api/lanes/1", cookie)->status, 200);
    assert_int_equal(get(rig, "/api/lanes/2", cookie)->status, 401);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 401);
    /* Every byte of it counts. */
    for (size_t i = strlen("Cookie: uketsuke_lane_1="); i < strlen(cookie) - 2; i += 7) {
        (void)strcpy(changed, cookie);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(get(rig, "/api/lanes/1", changed)->status, 401);
    }
    sign_in(rig, STAFF_TOKEN, "board", changed, sizeof(changed));
    assert_int_equal(get(rig, "/api/lanes", changed)->status, 200);
    /* One browser with both: each page says which it is. */
    (void)snprintf(both, sizeof(both), "Cookie: %.*s; %s", (int)strlen(cookie) - 2 - 8, cookie + 8,
                   changed + 8);
    assert_int_equal(get(rig, "/api/lanes", both)->status, 200);
    assert_int_equal(get(rig, "/api/lanes/1/events", both)->status, 200);
    assert_non_null(strstr(get(rig, "/api/session", both)->body, "\"name\":\"佐藤\""));
}

static void a_board_is_opened_by_somebody_with_a_name(void **state)
{
    static const char *const nobody[] = {"", " ", "\\u3000"};
    struct rig *rig = *state;
    char head[200], body[200];

    (void)snprintf(head, sizeof(head), JSON_OF("board") "%s", origin_line(rig));
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
        struct reply *reply;

        (void)snprintf(body, sizeof(body), "{\"token\":\"" STAFF_TOKEN "\",\"name\":\"%s\"}",
                       nobody[i]);
        reply = post(rig, "/api/session", head, body);
        assert_int_equal(reply->status, 422);
        assert_non_null(strstr(reply->body, "\"field\":\"name\""));
        assert_null(strstr(reply->text, "Set-Cookie"));
    }
}

static void a_session_ends(void **state)
{
    struct rig *rig = *state;
    char cookie[600], head[900];

    sign_in(rig, STAFF_TOKEN, "board", cookie, sizeof(cookie));
    (void)snprintf(head, sizeof(head), "%sX-Uketsuke: board\r\n", cookie);
    assert_int_equal(client(rig, "DELETE", "/api/session", head, NULL)->status,
                     403); /* no Origin */
    (void)snprintf(head, sizeof(head), "%s%sX-Uketsuke: board\r\n", cookie, origin_line(rig));
    assert_int_equal(client(rig, "DELETE", "/api/session", head, NULL)->status, 204);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 401);
    sign_in(rig, STAFF_TOKEN, "board", cookie, sizeof(cookie));
    rig_advance(rig, (uint64_t)11 * 3600 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 200);
    rig_advance(rig, (uint64_t)61 * 60 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 401);
}

static void a_session_outlives_the_program_but_not_its_token(void **state)
{
    struct rig *rig = *state;
    struct rig *other;
    void *again = NULL;
    char cookie[600];

    sign_in(rig, STAFF_TOKEN, "board", cookie, sizeof(cookie));
    rig_setup_with(&again, STAFF_TOKEN);
    other = again;
    assert_int_equal(get(other, "/api/lanes", cookie)->status, 200);
    rig_teardown(&again);
    rig_setup_with(&again, "another-staff-token-01234567");
    other = again;
    assert_int_equal(get(other, "/api/lanes", cookie)->status, 401);
    rig_teardown(&again);
}

static void a_change_must_come_from_a_page_of_ours(void **state)
{
    static const char body[] = "{\"visit\":\"7\",\"step\":4,\"action\":\"staff_end\"}";
    struct rig *rig = *state;
    char cookie[600], head[900];

    sign_in(rig, STAFF_TOKEN, "board", cookie, sizeof(cookie));
    rig->got = 0;
    (void)snprintf(head, sizeof(head), "%sContent-Type: application/json\r\n%s", cookie,
                   origin_line(rig));
    assert_int_equal(post(rig, "/api/lanes/1/actions", head, body)->status,
                     403); /* no header of ours */
    (void)snprintf(head, sizeof(head), "%s" JSON_OF("board"), cookie);
    assert_int_equal(post(rig, "/api/lanes/1/actions", head, body)->status, 403); /* no Origin */
    (void)snprintf(head, sizeof(head), "%s" JSON_OF("board") "Origin: http://evil.example\r\n",
                   cookie);
    assert_int_equal(post(rig, "/api/lanes/1/actions", head, body)->status, 403);
    (void)snprintf(head, sizeof(head), "%sX-Uketsuke: board\r\nContent-Type: text/plain\r\n%s",
                   cookie, origin_line(rig));
    assert_int_equal(post(rig, "/api/lanes/1/actions", head, body)->status, 415);
    (void)snprintf(head, sizeof(head), "%s" JSON_OF("kiosk") "%s", cookie, origin_line(rig));
    assert_int_equal(post(rig, "/api/lanes/1/actions", head, body)->status,
                     401); /* a board is no kiosk */
    assert_int_equal(rig->got, 0);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void pages_are_a_table_not_a_directory(void **state)
{
    struct rig *rig = *state;
    static const char *const nowhere[] = {
        "/secret.token",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/..%2fsecret.token",
        "/x.js/",
        "/x.js%00.html",
        "/kiosk/",
        "/kiosk/1/..",
        "/kiosk/x",
        "/kiosk/123456",
        "/.",
        "/pages/x.js",
        "/api",
        "/api/",
        "/api/lanes/",
        "/api/lanes/01",
        "/api/lanes/65536",
        "/api/lanes/-1",
        "/api/visits/18446744073709551616",
        "/api/visits/7/",
        "/desk.sock",
    };
    struct reply *reply = get(rig, "/kiosk/1", "");

    assert_int_equal(reply->status, 200);
    assert_string_equal(reply->body, "<p>kiosk</p>");
    assert_non_null(strstr(reply->text, "Content-Type: text/html; charset=utf-8\r\n"));
    assert_non_null(strstr(
        reply->text, "Content-Security-Policy: default-src 'none'; script-src 'self' 'sha256-"));
    assert_null(strstr(reply->text, "unsafe"));
    assert_non_null(strstr(reply->text, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(reply->text, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(reply->text, "Referrer-Policy: no-referrer\r\n"));
    assert_string_equal(get(rig, "/", "")->body, "<p>board</p>");
    assert_string_equal(get(rig, "/board", "")->body, "<p>board</p>");
    assert_string_equal(get(rig, "/x.js", "")->body, "export {};");
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        assert_int_equal(get(rig, nowhere[i], BEARER(STAFF_TOKEN))->status, 404);
    assert_int_equal(client(rig, "DELETE", "/x.js", "X-Uketsuke: board\r\n", NULL)->status, 405);
}

/* ---- malformed, too large, too slow ---------------------------------------------------------- */

static void wrong_methods_and_bodies_are_named(void **state)
{
    struct rig *rig = *state;
    static const char head[] = BEARER(LANE1_TOKEN) JSON_OF("kiosk");
    struct reply *reply = client(rig, "PUT", "/api/session", head, "{}");
    static const struct {
        const char *body;
        const char *field;
    } wrong[] = {
        {"{\"action\":\"cancel\",\"step\":-1}", "step"},
        {"{\"action\":\"cancel\",\"step\":4294967296}", "step"},
        {"{\"action\":\"fly\",\"step\":1}", "action"},
        {"{\"step\":1}", "action"},
        {"{\"action\":\"cancel\",\"step\":1,\"visit\":7}", "visit"},
        {"{\"action\":\"cancel\",\"step\":1,\"visit\":\"0\"}", "visit"},
        {"{\"action\":\"cancel\",\"step\":1,\"visit\":\"18446744073709551616\"}", "visit"},
        {"{\"action\":\"cancel\",\"step\":1,\"extra\":1}", "?"},
        {"{\"action\":\"send_pin\",\"step\":1,\"sealed\":\"AAA\"}", "sealed"},
        {"{\"action\":\"send_pin\",\"step\":1,\"sealed\":\"AA=A\"}", "sealed"},
        {"{\"action\":\"send_pin\",\"step\":1,\"sealed\":\"AB==\"}", "sealed"},
        {"{\"action\":\"consent\",\"step\":1,\"consents\":[\"money\"]}", "consents"},
        {"{\"action\":\"consent\",\"step\":1,\"consents\":\"limit\"}", "consents"},
    };
    static const char *const no_json[] = {
        "", "[]", "7", "{", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}"};

    assert_int_equal(reply->status, 405);
    assert_non_null(strstr(reply->text, "Allow: POST, GET, DELETE\r\n"));
    for (size_t i = 0; i < sizeof(no_json) / sizeof(no_json[0]); i++)
        assert_int_equal(post(rig, "/api/lanes/1/actions", head, no_json[i])->status, 400);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char field[40];

        reply = post(rig, "/api/lanes/1/actions", head, wrong[i].body);
        assert_int_equal(reply->status, 422);
        (void)snprintf(field, sizeof(field), "\"field\":\"%s\"", wrong[i].field);
        assert_non_null(strstr(reply->body, field));
    }
}

static void a_large_body_is_refused_before_it_comes(void **state)
{
    struct rig *rig = *state;
    struct reply reply;
    char chunk[4200] = "1000\r\n";
    int fd = client_begin(rig, "POST", "/api/lookup",
                          BEARER(STAFF_TOKEN) JSON_OF("board") "Content-Length: 8193\r\n", NULL);

    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 413);
    close(fd);
    /* Without an announced length: closed when it gets too long. */
    fd = client_begin(rig, "POST", "/api/lookup",
                      BEARER(STAFF_TOKEN) JSON_OF("board") "Transfer-Encoding: chunked\r\n", NULL);
    memset(chunk + 6, 'x', 4096);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    for (int i = 0; i < 3; i++)
        client_send(rig, fd, chunk, 6 + 4096 + 2);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_true(reply.closed);
    assert_int_equal(reply.status, 0);
    close(fd);
}

static void a_head_that_drips_is_cut_off(void **state)
{
    struct rig *rig = *state;
    struct reply reply;
    int fd = client_open(rig);

    client_send(rig, fd, "GET /api/he", 11);
    assert_int_equal(server_connections(rig->web.server), 1);
    for (int i = 0; i < 9; i++) {
        rig_advance(rig, CLOCK_SECOND);
        client_send(rig, fd, "a", 1);
    }
    assert_int_equal(server_connections(rig->web.server), 1);
    rig_advance(rig, 2 * CLOCK_SECOND);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_true(reply.closed);
    assert_int_equal(server_connections(rig->web.server), 0);
    close(fd);
}

static void a_body_that_drips_is_cut_off(void **state)
{
    struct rig *rig = *state;
    struct reply reply;
    int fd = client_begin(rig, "POST", "/api/lookup",
                          BEARER(STAFF_TOKEN) JSON_OF("board") "Content-Length: 100\r\n", NULL);

    client_send(rig, fd, "{", 1);
    rig_advance(rig, 11 * CLOCK_SECOND);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_true(reply.closed);
    assert_int_equal(server_connections(rig->web.server), 0);
    close(fd);
}

static void an_idle_connection_is_closed(void **state)
{
    struct rig *rig = *state;
    struct reply reply;
    int fd = client_begin(rig, "GET", "/api/health", "", NULL);

    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(server_connections(rig->web.server), 1);
    rig_advance(rig, 61 * CLOCK_SECOND);
    assert_int_equal(server_connections(rig->web.server), 0);
    close(fd);
}

/* More connections than there is room for, each of which has said this much and says no more (slowloris). */
static void many_that_say(struct rig *rig, const char *text)
{
    static int silent[SERVER_CONNECTIONS_MAX + 40];
    struct reply reply = {0};
    int fd;

    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        silent[i] = client_open(rig);
        if (text[0] != '\0')
            client_send(rig, silent[i], text, strlen(text));
        rig_pump(rig);
    }
    assert_true(server_connections(rig->web.server) < SERVER_CONNECTIONS_MAX);
    fd = client_begin(rig, "GET", "/api/health", "", NULL);
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 200);
    close(fd);
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        close(silent[i]);
    rig_pump(rig);
}

static void silent_connections_do_not_shut_the_pages_out(void **state)
{
    many_that_say(*state, "");
}

static void half_a_head_does_not_shut_the_pages_out(void **state)
{
    many_that_say(*state, "GET /api/health HTTP/1.1\r\nX-Drip: a");
}

/* A sign-in whose body never comes: anybody may begin one. */
static void half_a_body_does_not_shut_the_pages_out(void **state)
{
    struct rig *rig = *state;
    char text[300];

    (void)snprintf(text, sizeof(text),
                   "POST /api/session HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" JSON_OF(
                       "board") "%sContent-Length: 100\r\n\r\n{",
                   rig->port, origin_line(rig));
    many_that_say(rig, text);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_request_for_another_host_is_refused),
        T(two_hosts_are_none),
        T(another_sites_page_is_refused),
        cmocka_unit_test(only_loopback_is_served),
        T(every_door_wants_its_token),
        T(wrong_tokens_are_slowed_down),
        T(a_token_is_exchanged_for_a_cookie),
        T(a_board_is_opened_by_somebody_with_a_name),
        T(a_session_ends),
        T(a_session_outlives_the_program_but_not_its_token),
        T(a_change_must_come_from_a_page_of_ours),
        T(pages_are_a_table_not_a_directory),
        T(wrong_methods_and_bodies_are_named),
        T(a_large_body_is_refused_before_it_comes),
        T(a_head_that_drips_is_cut_off),
        T(a_body_that_drips_is_cut_off),
        T(an_idle_connection_is_closed),
        T(silent_connections_do_not_shut_the_pages_out),
        T(half_a_head_does_not_shut_the_pages_out),
        T(half_a_body_does_not_shut_the_pages_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
