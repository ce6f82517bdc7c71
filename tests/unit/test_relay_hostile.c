/*
 * A service that means harm, met by the relay as it runs: in its cage, with real TLS on the loopback. The login is
 * answered by the simulated service; everything else meets a server of the test's own (relay_server.h).
 *
 * Whatever that does: a question ends within its budget, with a code that has a page of its own; what changes something
 * is sent once; nothing of what came is followed, unpacked or logged; and the same process takes the next good answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/question.h"

#include "relay_rig.h"
#include "relay_server.h"
#include "relay_tools.h"

enum { ANSWERED = 0, NOT_SENT = 1, DOUBTFUL = 2, REFUSED = 3 };

/* Short where the time is to run out; elsewhere a busy machine may take its own. */
#define DRIP_MS 1500
#define BUDGET_MS 10000
#define LATE_MS 20000 /* a drip would last half an hour */
#define GROWTH_KIB                                                                                 \
    (48ul * 1024) /* a body at its cap, held twice, and what a sanitizer keeps of it */
#define BOMB (128ul << 20)
#define MALICE "malice-7f3a"

#define GOOD_JSON                                                                                  \
    "{\"XmlMsg\":{\"MessageHeader\":{\"SegmentOfResult\":\"1\"},\"MessageBody\":"                  \
    "{\"ProcessingResultStatus\":\"1\"}}}"
#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"

static const struct question_header header = {"9910000017", "20261005", "RD-20261005-0001"};

/* What the server does, and what becomes of a question that reads and of one that changes something. */
struct row {
    enum way way;
    const char *bytes;
    int read, read_failure;
    int write, write_failure;
    bool sent; /* did the question reach anybody? */
};

struct world {
    struct rig *rig;
    struct server *server;
    unsigned long peak_kib;
    unsigned budget_ms;
};

static char good[400];

static struct rig_answer ask(struct world *w, enum upstream_kind kind)
{
    bool writes = kind == UPSTREAM_REGISTER;
    struct xmlmsg *tree = rig_question(&header, writes);
    struct rig_answer answer;
    uint64_t request;

    request = rig_ask(w->rig, kind, writes, w->budget_ms, tree, header.correlation);
    xmlmsg_free(&tree);
    assert_true(rig_wait(w->rig, request, w->budget_ms + PATIENCE_MS, &answer));
    return answer;
}

/* The server has come to its senses: the same relay takes its answer. */
static void well_again(struct world *w)
{
    uint64_t until = rig_now_ms() + PATIENCE_MS;
    int outcome;

    w->budget_ms = BUDGET_MS;
    w->server->body = NULL;
    w->server->bytes = good;
    w->server->way = WAY_BYTES;
    for (;;) {
        struct rig_answer a = ask(w, UPSTREAM_BY_NUMBERS);

        outcome = a.message.outcome;
        rig_answer_free(&a);
        if (outcome == ANSWERED || rig_now_ms() > until)
            break;
        (void)poll(NULL, 0, 200);
    }
    assert_int_equal(outcome, ANSWERED);
    assert_true(rig_is_connected(w->rig));
}

static void begin(struct world *w)
{
    struct rig_options options = {.capabilities = "by_numbers register"};

    (void)snprintf(good, sizeof(good), HEAD "Content-Length: %zu\r\n\r\n" GOOD_JSON,
                   strlen(GOOD_JSON));
    w->server = server_start(WAY_BYTES, good);
    /* A session taken up again would show no certificate. */
    (void)SSL_CTX_set_num_tickets(w->server->tls, 0);
    (void)SSL_CTX_set_options(w->server->tls, SSL_OP_NO_TICKET);
    options.asked_port = w->server->port;
    w->rig = rig_start(&options);
    well_again(w);
    w->peak_kib = rig_peak_kib(w->rig);
}

static void end(struct world *w)
{
    char *log = rig_log(w->rig);

    assert_null(strstr(log, MALICE));
    free(log);
    assert_in_range(rig_peak_kib(w->rig), 0, w->peak_kib + GROWTH_KIB);
    rig_stop(w->rig);
    server_stop(w->server);
}

/* The code has its page, with the words that the board says and with what to do. */
static void has_words(uint16_t failure)
{
    const struct failure_text *text = failure_text(failure);
    char name[64], path[512], line[600];
    char *page;

    (void)snprintf(name, sizeof(name), "packaging/failure-codes/%s.txt", text->code);
    rig_source(name, path, sizeof(path));
    page = rig_read_file(path);
    (void)snprintf(line, sizeof(line), "\nstaff-ja: %s\n", text->staff_ja);
    assert_non_null(strstr(page, line));
    (void)snprintf(line, sizeof(line), "\nstaff-en: %s\n", text->staff_en);
    assert_non_null(strstr(page, line));
    assert_non_null(strstr(page, "\ndo-ja: "));
    assert_non_null(strstr(page, "\ncheck-ja: "));
    free(page);
}

static void ends(const struct world *w, const struct row *row, struct rig_answer *a, bool writes)
{
    int outcome = writes ? row->write : row->read;
    int failure = writes ? row->write_failure : row->read_failure;

    if (a->message.outcome != outcome || a->message.failure != failure)
        fail_msg("way %d, \"%.40s\": outcome %d %s, wanted %d %s", row->way, row->bytes,
                 a->message.outcome, failure_text(a->message.failure)->name, outcome,
                 failure_text((uint16_t)failure)->name);
    assert_null(a->tree);
    assert_int_equal(a->raw_len, 0);
    assert_in_range(a->message.elapsed_ms, 0, w->budget_ms + LATE_MS);
    has_words(a->message.failure);
    rig_answer_free(a);
}

/* First what changes something, while the breaker is closed: it goes out once, whatever comes of it. */
static void meets(struct world *w, const struct row *row, const void *body, size_t body_len)
{
    unsigned before = w->server->requests;
    struct rig_answer a;

    w->server->bytes = row->bytes;
    w->server->body = body;
    w->server->body_len = body_len;
    w->server->way = row->way;
    w->budget_ms = row->way == WAY_DRIP ? DRIP_MS : BUDGET_MS;
    a = ask(w, UPSTREAM_REGISTER);
    assert_int_equal(w->server->requests - before, row->sent ? 1 : 0);
    ends(w, row, &a, true);
    a = ask(w, UPSTREAM_BY_NUMBERS);
    ends(w, row, &a, false);
    assert_int_equal(w->server->requests > before, row->sent);
    well_again(w);
}

static void all_of(const struct row *rows, size_t n)
{
    struct world w;

    begin(&w);
    for (size_t i = 0; i < n; i++)
        meets(&w, &rows[i], NULL, 0);
    end(&w);
}
#define ALL_OF(rows) all_of(rows, sizeof(rows) / sizeof((rows)[0]))

#define TOO_SLOW NOT_SENT, FAILURE_ELIGIBILITY_SLOW, DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL, true
#define NO_ANSWER                                                                                  \
    NOT_SENT, FAILURE_ELIGIBILITY_GARBLED, DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL, true
#define NO_MESSAGE                                                                                 \
    NOT_SENT, FAILURE_ELIGIBILITY_GARBLED, DOUBTFUL, FAILURE_ELIGIBILITY_GARBLED, true

static void a_slow_drip_ends_with_the_budget(void **state)
{
    static const struct row rows[] = {
        {WAY_DRIP, "HTTP/1.1 200 OK\r\nX-" MALICE ": ", TOO_SLOW},
        {WAY_DRIP, HEAD "Content-Length: 100000\r\n\r\n{\"XmlMsg\":\"" MALICE, TOO_SLOW},
    };

    (void)state;
    ALL_OF(rows);
}

static void an_endless_body_is_cut_off(void **state)
{
    static const struct row rows[] = {
        {WAY_FLOOD_BODY, "", NO_ANSWER},
        {WAY_FLOOD_HEADER, "", NO_ANSWER},
    };

    (void)state;
    ALL_OF(rows);
}

/* The service's own certificate, by the right authority, but over since yesterday. */
static void expired_certificate(struct server *server)
{
    char path[256];
    X509 *old = X509_dup(SSL_CTX_get0_certificate(server->tls));
    FILE *file = fopen(rig_pki("ca.key", path, sizeof(path)), "re");
    EVP_PKEY *key;

    assert_non_null(old);
    assert_non_null(file);
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    (void)fclose(file);
    assert_non_null(key);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(old), -3 * 86400L));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(old), -86400L));
    assert_true(X509_sign(old, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(server->tls, old), 1);
    EVP_PKEY_free(key);
    X509_free(old);
}

/* No byte of a question reaches who shows one: neither patient nor token. */
static void a_wrong_certificate_gets_no_question(void **state)
{
    static const struct row row = {
        WAY_BYTES, HEAD "\r\n" GOOD_JSON,       REFUSED, FAILURE_ELIGIBILITY_REFUSED,
        REFUSED,   FAILURE_ELIGIBILITY_REFUSED, false};
    static const char *const certificates[] = {"wrong-server", "wrong-host", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]); i++) {
        struct world w;
        unsigned before;
        struct rig_answer a;

        begin(&w);
        before = w.server->requests;
        if (certificates[i] != NULL)
            server_certificate(w.server, certificates[i]);
        else
            expired_certificate(w.server);
        a = ask(&w, UPSTREAM_REGISTER);
        ends(&w, &row, &a, true);
        a = ask(&w, UPSTREAM_BY_NUMBERS);
        ends(&w, &row, &a, false);
        assert_int_equal(w.server->requests, before);
        server_certificate(w.server, "server");
        well_again(&w);
        end(&w);
    }
}

static void a_redirect_is_not_followed(void **state)
{
    static const char *const statuses[] = {"301 Moved", "302 Found", "303 See Other",
                                           "307 Temporary", "308 Permanent"};
    struct server *elsewhere = server_start(WAY_BYTES, HEAD "\r\n" GOOD_JSON);
    struct world w;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        char bytes[300];
        const struct row row = {WAY_BYTES, bytes, NO_ANSWER};

        (void)snprintf(bytes, sizeof(bytes),
                       "HTTP/1.1 %s\r\nConnection: close\r\nLocation: https://127.0.0.1:%u/" MALICE
                       "\r\nContent-Length: 0\r\n\r\n",
                       statuses[i], elsewhere->port);
        meets(&w, &row, NULL, 0);
    }
    end(&w);
    assert_int_equal(elsewhere->accepted, 0);
    server_stop(elsewhere);
}

/* A good answer and so many blanks behind it, packed by gzip; what gzip makes of it again is as long. */
static unsigned char *pack(unsigned long blanks, size_t *len)
{
    char path[] = "/tmp/uketsuke-hostile-XXXXXX", command[400];
    unsigned char *packed = malloc(1u << 20);
    unsigned long whole = 0;
    int fd = mkstemp(path);
    FILE *file;

    assert_true(fd >= 0);
    assert_non_null(packed);
    (void)snprintf(command, sizeof(command),
                   "{ printf %%s '%s'; head -c %lu /dev/zero | tr '\\0' ' '; } | gzip -9 >%s && "
                   "gzip -dc %s | wc -c",
                   GOOD_JSON, blanks, path, path);
    file = popen(command, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &whole), 1);
    assert_int_equal(pclose(file), 0);
    assert_int_equal(whole, blanks + strlen(GOOD_JSON));
    file = fdopen(fd, "re");
    assert_non_null(file);
    *len = fread(packed, 1, 1u << 20, file);
    assert_in_range(*len, 20, (1u << 20) - 1);
    (void)fclose(file);
    (void)unlink(path);
    return packed;
}

/* Nor is a small one: that would be a good answer, unpacked. */
static void a_gzip_bomb_is_not_unpacked(void **state)
{
    static const unsigned long blanks[] = {BOMB, 0};
    static const char *const encodings[] = {"gzip", "x-gzip, identity"};
    struct world w;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < 2; i++) {
        size_t len;
        unsigned char *packed = pack(blanks[i], &len);

        for (size_t e = 0; e < 2; e++) {
            char bytes[300];
            const struct row row = {WAY_BYTES, bytes, NO_MESSAGE};

            (void)snprintf(bytes, sizeof(bytes),
                           HEAD "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", encodings[e],
                           len);
            meets(&w, &row, packed, len);
        }
        free(packed);
    }
    end(&w);
}

static void a_truncated_connection_is_no_answer(void **state)
{
    static const struct row rows[] = {
        /* The length tells. */
        {WAY_CUT, HEAD "Content-Length: 100\r\n\r\n{\"XmlMsg\":{\"" MALICE, NO_ANSWER},
        {WAY_CUT, HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"Xml", NO_ANSWER},
        /* Nothing tells but that half a message is none. */
        {WAY_CUT, HEAD "\r\n{\"XmlMsg\":{\"MessageHeader\":{\"" MALICE, NO_MESSAGE},
        {WAY_CUT_RECORD, "", NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE, DOUBTFUL,
         FAILURE_ELIGIBILITY_DOUBTFUL, true},
        {WAY_CUT_RECORD, HEAD "Content-Length: 100\r\n\r\n{\"XmlMsg\":{", NO_ANSWER},
        {WAY_CUT_HANDSHAKE, "", NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE, NOT_SENT,
         FAILURE_ELIGIBILITY_UNREACHABLE, false},
    };

    (void)state;
    ALL_OF(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_drip_ends_with_the_budget),
        cmocka_unit_test(an_endless_body_is_cut_off),
        cmocka_unit_test(a_wrong_certificate_gets_no_question),
        cmocka_unit_test(a_redirect_is_not_followed),
        cmocka_unit_test(a_gzip_bomb_is_not_unpacked),
        cmocka_unit_test(a_truncated_connection_is_no_answer),
    };

    cmocka_set_test_filter(getenv("UKETSUKE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
