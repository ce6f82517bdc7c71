/*
 * bench_lookups PORT TOKEN_FILE COUNT REST_MS LANE FIELDS: so many look-ups at the board, one after the other over one
 * connection, with REST_MS between them. FIELDS: the members of the entry as JSON, without braces.
 *
 * A line each: microseconds until the board said "taken", and until it was decided; the outcome; the failure's code or
 * "-"; "cached" or "asked". What is answered from the cache is decided when it is taken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define POLL_US 300
#define DECIDED_MS 60000

struct board {
    int fd;
    unsigned port;
    char cookie[512]; /* of the session, once signed in */
    char head[1u << 16];
    char answer[1u << 16]; /* the body of the last one */
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_lookups: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void connect_board(struct board *b)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)b->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (b->fd >= 0)
        (void)close(b->fd);
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b->fd < 0 || connect(b->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
}

/* The status, 0 when the connection ended before one came. */
static int exchange(struct board *b, const char *request, size_t len)
{
    char *head = b->head;
    size_t used = 0, body, want;
    const char *end = NULL, *length;

    if (send(b->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
        return 0;
    while (end == NULL) {
        ssize_t n = recv(b->fd, head + used, sizeof(b->head) - 1 - used, 0);

        if (n <= 0)
            return 0;
        used += (size_t)n;
        head[used] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    length = strcasestr(head, "\r\nContent-Length:");
    want = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (want >= sizeof(b->answer))
        die("an answer that is too long");
    body = used - (size_t)(end + 4 - head);
    memcpy(b->answer, end + 4, body);
    while (body < want) {
        ssize_t n = recv(b->fd, b->answer + body, want - body, 0);

        if (n <= 0)
            return 0;
        body += (size_t)n;
    }
    b->answer[body] = '\0';
    return atoi(head + strlen("HTTP/1.1 "));
}

static int ask(struct board *b, const char *method, const char *path, const char *body)
{
    char request[4096];
    int len = snprintf(request, sizeof(request),
                       "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nOrigin: http://127.0.0.1:%u\r\n"
                       "%s%s%sX-Uketsuke: board\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       method, path, b->port, b->port, b->cookie[0] != '\0' ? "Cookie: " : "",
                       b->cookie, b->cookie[0] != '\0' ? "\r\n" : "", strlen(body), body);
    int status;

    if (len < 0 || (size_t)len >= sizeof(request))
        die("the request is too long");
    status = exchange(b, request, (size_t)len);
    if (status == 0) { /* the server closes what lay open for long */
        connect_board(b);
        status = exchange(b, request, (size_t)len);
    }
    return status;
}

/* As staff do at the board: what is changed bears a name. */
static void sign_in(struct board *b, const char *token_file)
{
    char token[256] = "", body[400];
    FILE *file = fopen(token_file, "re");
    const char *at;

    if (file == NULL || fgets(token, sizeof(token), file) == NULL)
        die(token_file);
    (void)fclose(file);
    token[strcspn(token, "\n")] = '\0';
    snprintf(body, sizeof(body), "{\"token\":\"%s\",\"name\":\"測定\"}", token);
    connect_board(b);
    if (ask(b, "POST", "/api/session", body) != 200 ||
        (at = strcasestr(b->head, "\r\nSet-Cookie: ")) == NULL)
        die("signing in");
    snprintf(b->cookie, sizeof(b->cookie), "%s", at + strlen("\r\nSet-Cookie: "));
    b->cookie[strcspn(b->cookie, ";\r")] = '\0';
}

/* The text value behind "name": in the answer; "-" when it is null or not there. */
static void value(const struct board *b, const char *name, char *out, size_t size)
{
    char look[64];
    const char *at;

    snprintf(look, sizeof(look), "\"%s\":\"", name);
    at = strstr(b->answer, look);
    snprintf(out, size, "%s", at != NULL ? at + strlen(look) : "-");
    out[strcspn(out, "\"")] = '\0';
}

static void one(struct board *b, const char *body)
{
    char visit[32], path[64], outcome[32], code[16];
    uint64_t began = measure_now_ns();
    uint64_t taken, decided;
    int status = ask(b, "POST", "/api/lookup", body);

    taken = decided = measure_now_ns();
    if (status != 200) {
        value(b, "code", code, sizeof(code));
        printf("%.1f %.1f refused %s -\n", (double)(taken - began) / 1000,
               (double)(taken - began) / 1000, code);
        return;
    }
    value(b, "visit", visit, sizeof(visit));
    snprintf(path, sizeof(path), "/api/visits/%s", visit);
    for (;;) {
        if (ask(b, "GET", path, "") != 200)
            die(path);
        decided = measure_now_ns();
        value(b, "outcome", outcome, sizeof(outcome));
        if (strcmp(outcome, "open") != 0 || decided - began > (uint64_t)DECIDED_MS * 1000000)
            break;
        (void)usleep(POLL_US);
    }
    value(b, "code", code, sizeof(code));
    printf("%.1f %.1f %s %s %s\n", (double)(taken - began) / 1000, (double)(decided - began) / 1000,
           outcome, code, strstr(b->answer, "\"cached\"") != NULL ? "cached" : "asked");
}

int main(int argc, char **argv)
{
    static struct board board = {.fd = -1};
    char body[1024];
    long count, rest;

    if (argc != 7) {
        fprintf(stderr, "usage: bench_lookups PORT TOKEN_FILE COUNT REST_MS LANE FIELDS\n");
        return 2;
    }
    board.port = (unsigned)atoi(argv[1]);
    sign_in(&board, argv[2]);
    count = atol(argv[3]);
    rest = atol(argv[4]);
    snprintf(body, sizeof(body), "{\"lane\":%d,%s}", atoi(argv[5]), argv[6]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (long i = 0; i < count; i++) {
        one(&board, body);
        if (rest > 0)
            (void)usleep((useconds_t)rest * 1000);
    }
    return 0;
}
