#include "reader_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "daemon/common/clock.h"
#include "daemon/common/ipc.h"

#define QUEUE 256
#define START_MS 20000

struct reader_rig {
    char directory[64];
    char bin[PATH_MAX];
    char sim_directory[PATH_MAX];
    char config[128];
    struct sd_event *loop;
    struct clock *clock;
    const char *bus_reader; /* $UKETSUKE_RIG_READER; NULL: over the simulator's socket */
    unsigned patience;
    pid_t sim;
    pid_t plug;
    int control;
    char answer[4096];
    pid_t program[2];
    int status; /* of the one that was last found to be gone */
    int listening[2];
    struct ipc_client *reader;
    struct ipc_client *broker;
    unsigned losses; /* connections of the desk to the reader that were lost */
    struct message *queue[QUEUE];
    size_t first, last;
    struct message *given; /* handed out last */
    struct msg_reader_state state;
    bool has_state;
    unsigned ready_without_card;
    unsigned items;
    struct msg_device_item first_item;
    bool items_end;
    uint8_t worst;
    bool health_end;
    struct msg_visit_key key;
    char index[65536];
    char cell[256];
};

static const char *const *reader_environment;
static const char *const programs[] = {
    [RIG_READER] = "uketsuke-reader", [RIG_BROKER] = "uketsuke-broker"};
static const char *const sockets[] = {[RIG_READER] = "reader-1.sock", [RIG_BROKER] = "broker.sock"};
static const char *const names[] = {[RIG_READER] = "reader", [RIG_BROKER] = "broker"};

/* -- processes --------------------------------------------------------------------------------- */

static void path_of(const struct reader_rig *rig, const char *name, char *out, size_t size)
{
    assert_true((size_t)snprintf(out, size, "%s/%s", rig->directory, name) < size);
}

static struct sockaddr_un address_of(const struct reader_rig *rig, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    path_of(rig, name, address.sun_path, sizeof(address.sun_path));
    return address;
}

static int listen_at(const struct reader_rig *rig, const char *name)
{
    struct sockaddr_un address = address_of(rig, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void unblock_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void start_program(struct reader_rig *rig, enum reader_rig_program which)
{
    char path[PATH_MAX + 64];
    char pid[32];
    pid_t child;

    (void)snprintf(path, sizeof(path), "%s/%s", rig->bin, programs[which]);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unblock_signals();
        /* Descriptor 3 and no other, as a supervisor hands it over. */
        if (rig->listening[which] == 3)
            (void)fcntl(3, F_SETFD, 0);
        else if (dup2(rig->listening[which], 3) < 0)
            _exit(126);
        (void)close_range(4, ~0u, 0);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_FDNAMES", names[which], 1);
        /* The leak checker needs ptrace, which the cage refuses. */
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        for (const char *const *e = reader_environment;
             which == RIG_READER && e != NULL && *e != NULL; e++)
            (void)putenv(strdup(*e));
        (void)execl(path, path, "--config", rig->config,
                    which == RIG_READER ? "--instance" : (char *)NULL, "1", (char *)NULL);
        _exit(127);
    }
    rig->program[which] = child;
}

static void start_sim(struct reader_rig *rig, const char *level, bool pin_pad)
{
    char bin[PATH_MAX + 64];
    char usbip[128], control[128], cards[PATH_MAX + 64], videos[PATH_MAX + 64];

    (void)snprintf(bin, sizeof(bin), "%s/sim-reader", rig->bin);
    path_of(rig, "usbip.sock", usbip, sizeof(usbip));
    path_of(rig, "control.sock", control, sizeof(control));
    (void)snprintf(cards, sizeof(cards), "%s/cards", rig->sim_directory);
    (void)snprintf(videos, sizeof(videos), "%s/videos", rig->sim_directory);
    rig->sim = fork();
    assert_true(rig->sim >= 0);
    if (rig->sim == 0) {
        unblock_signals();
        (void)execl(bin, bin, "--usbip", usbip, "--control", control, "--cards", cards, "--videos",
                    videos, "--state", rig->directory, "--seed", "1", "--camera", "franck",
                    "--level", level, pin_pad ? "--pin-pad" : (char *)NULL, (char *)NULL);
        _exit(127);
    }
}

/* The simulator's device into a real bus. */
static void start_plug(struct reader_rig *rig)
{
    const char *program = getenv("UKETSUKE_RIG_PLUG");
    char usbip[128];

    if (program == NULL)
        return;
    path_of(rig, "usbip.sock", usbip, sizeof(usbip));
    rig->plug = fork();
    assert_true(rig->plug >= 0);
    if (rig->plug == 0) {
        unblock_signals();
        (void)execl(program, program, usbip, (char *)NULL);
        _exit(127);
    }
}

static void end_process(pid_t *pid, int signal_number)
{
    int status;

    if (*pid <= 0)
        return;
    (void)kill(*pid, signal_number);
    for (unsigned i = 0; i < 500 && waitpid(*pid, &status, WNOHANG) == 0; i++) {
        (void)usleep(10000);
        if (i == 400)
            (void)kill(*pid, SIGKILL);
    }
    *pid = 0;
}

void reader_rig_kill(struct reader_rig *rig, enum reader_rig_program which)
{
    int status;

    assert_int_equal(kill(rig->program[which], SIGKILL), 0);
    assert_int_equal(waitpid(rig->program[which], &status, 0), rig->program[which]);
    rig->program[which] = 0;
}

void reader_rig_restart(struct reader_rig *rig, enum reader_rig_program which)
{
    assert_int_equal(rig->program[which], 0);
    start_program(rig, which);
}

bool reader_rig_alive(struct reader_rig *rig, enum reader_rig_program which)
{
    if (rig->program[which] > 0 && waitpid(rig->program[which], &rig->status, WNOHANG) == 0)
        return true;
    rig->program[which] = 0;
    return false;
}

bool reader_rig_crashed(const struct reader_rig *rig)
{
    return WIFSIGNALED(rig->status);
}

void reader_rig_environment(const char *const *reader)
{
    reader_environment = reader;
}

/* -- the simulator's control socket ------------------------------------------------------------ */

static void connect_control(struct reader_rig *rig)
{
    struct sockaddr_un address = address_of(rig, "control.sock");
    const struct timeval patience = {.tv_sec = 10};

    rig->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (unsigned i = 0;
         connect(rig->control, (const struct sockaddr *)&address, sizeof(address)) != 0; i++) {
        if (i > 1000 * rig->patience)
            fail_msg("the simulated reader does not start: %s", strerror(errno));
        (void)usleep(10000);
    }
    (void)setsockopt(rig->control, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

const char *reader_rig_sim(struct reader_rig *rig, const char *format, ...)
{
    char line[512];
    size_t n = 0;
    va_list ap;
    ssize_t got;

    va_start(ap, format);
    (void)vsnprintf(line, sizeof(line) - 1, format, ap);
    va_end(ap);
    (void)strcat(line, "\n");
    assert_int_equal(send(rig->control, line, strlen(line), 0), (ssize_t)strlen(line));
    while (n == 0 || rig->answer[n - 1] != '\n') {
        assert_true(n < sizeof(rig->answer) - 1);
        got = recv(rig->control, rig->answer + n, sizeof(rig->answer) - 1 - n, 0);
        assert_true(got > 0);
        n += (size_t)got;
    }
    rig->answer[n] = 0;
    if (strncmp(rig->answer, "ok", 2) != 0)
        fail_msg("%s: %s", line, rig->answer);
    return rig->answer;
}

/* -- the desk ---------------------------------------------------------------------------------- */

static void drop(struct message *m)
{
    for (unsigned i = 0; m != NULL && i < m->nfds; i++)
        if (m->fds[i] >= 0)
            (void)close(m->fds[i]);
    free(m);
}

static void on_reader_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct reader_rig *rig = arg;
    struct message *copy;

    (void)ipc;
    if (m->type == MSG_READER_STATE) {
        rig->ready_without_card +=
            m->body.reader_state.reader == 0 && m->body.reader_state.card == 0;
        rig->state = m->body.reader_state;
        rig->has_state = true;
        return;
    }
    if (m->type == MSG_HEALTH_ITEM) {
        rig->items++;
        rig->worst =
            m->body.health_item.state > rig->worst ? m->body.health_item.state : rig->worst;
        return;
    }
    if (m->type == MSG_HEALTH_END) {
        rig->health_end = true;
        return;
    }
    assert_true(rig->last - rig->first < QUEUE);
    copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    *copy = *m;
    for (unsigned i = 0; i < m->nfds; i++)
        copy->fds[i] = ipc_take_fd(m, i);
    rig->queue[rig->last++ % QUEUE] = copy;
}

static void on_reader_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)arg;
    assert_int_equal(peer->role, IPC_READER);
    assert_int_equal(peer->lane, 1);
}

static void on_reader_closed(struct ipc *ipc, int error, void *arg)
{
    struct reader_rig *rig = arg;

    (void)ipc;
    (void)error;
    rig->losses++;
    rig->has_state = false;
}

static void on_broker_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct reader_rig *rig = arg;

    (void)ipc;
    if (m->type == MSG_DEVICE_ITEM && rig->items++ == 0)
        rig->first_item = m->body.device_item;
    if (m->type == MSG_DEVICES_END)
        rig->items_end = true;
    if (m->type == MSG_HEALTH_ITEM) {
        rig->items++;
        rig->worst =
            m->body.health_item.state > rig->worst ? m->body.health_item.state : rig->worst;
    }
    if (m->type == MSG_HEALTH_END)
        rig->health_end = true;
}

static void on_broker_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)peer;
    (void)arg;
}

static void on_broker_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)error;
    (void)arg;
}

static const struct ipc_handlers reader_handlers = {on_reader_open, on_reader_message,
                                                    on_reader_closed};
static const struct ipc_handlers broker_handlers = {on_broker_open, on_broker_message,
                                                    on_broker_closed};

/* One turn of the loop; false when the time is over. */
static bool turn(struct reader_rig *rig, uint64_t deadline_us)
{
    uint64_t now = clock_monotonic_us(rig->clock);

    if (now >= deadline_us)
        return false;
    assert_true(sd_event_run(rig->loop, deadline_us - now) >= 0);
    return true;
}

static uint64_t until(struct reader_rig *rig, unsigned ms)
{
    return clock_monotonic_us(rig->clock) + ms * CLOCK_MS;
}

/* Of something that is to come. */
static uint64_t by_then(struct reader_rig *rig, unsigned ms)
{
    return until(rig, ms * rig->patience);
}

void reader_rig_run_ms(struct reader_rig *rig, unsigned ms)
{
    uint64_t deadline = until(rig, ms);

    while (turn(rig, deadline))
        ;
}

void reader_rig_await_connection(struct reader_rig *rig, unsigned timeout_ms)
{
    uint64_t deadline = by_then(rig, timeout_ms);

    while (ipc_client_peer(rig->reader) == NULL || !rig->has_state)
        if (!turn(rig, deadline))
            fail_msg("no connection to the reader program");
}

void reader_rig_await_refusal(struct reader_rig *rig, unsigned timeout_ms)
{
    uint64_t deadline = by_then(rig, timeout_ms);
    unsigned before = rig->losses;

    while (rig->losses == before)
        if (!turn(rig, deadline))
            fail_msg("the reader did not close the connection");
}

void reader_rig_send(struct reader_rig *rig, uint16_t type, const void *body)
{
    struct ipc *peer = ipc_client_peer(rig->reader);

    assert_non_null(peer);
    assert_int_equal(ipc_send(peer, type, body), 0);
}

static struct message *next_of_types(struct reader_rig *rig, uint16_t type, uint16_t other)
{
    struct message *m;

    while (rig->first < rig->last) {
        m = rig->queue[rig->first++ % QUEUE];
        if (m->type == type || m->type == other)
            return m;
        drop(m);
    }
    return NULL;
}

struct message *reader_rig_expect_either(struct reader_rig *rig, uint16_t one, uint16_t other,
                                         unsigned timeout_ms)
{
    uint64_t deadline = by_then(rig, timeout_ms);
    struct message *m;

    while ((m = next_of_types(rig, one, other)) == NULL)
        if (!turn(rig, deadline))
            fail_msg("no %s within %u ms", message_name(one), timeout_ms);
    free(rig->given);
    rig->given = m;
    return m;
}

struct message *reader_rig_expect(struct reader_rig *rig, uint16_t type, unsigned timeout_ms)
{
    return reader_rig_expect_either(rig, type, type, timeout_ms);
}

bool reader_rig_try_send(struct reader_rig *rig, uint16_t type, const void *body)
{
    struct ipc *peer = ipc_client_peer(rig->reader);

    return peer != NULL && ipc_send(peer, type, body) == 0;
}

struct message *reader_rig_try_next(struct reader_rig *rig, unsigned timeout_ms)
{
    uint64_t deadline = until(rig, timeout_ms);
    unsigned before = rig->losses;

    while (rig->first == rig->last)
        if (rig->losses != before || !turn(rig, deadline))
            return NULL;
    free(rig->given);
    rig->given = rig->queue[rig->first++ % QUEUE];
    if (rig->given->type == MSG_VISIT_KEY)
        rig->key = rig->given->body.visit_key;
    return rig->given;
}

void reader_rig_expect_none(struct reader_rig *rig, uint16_t type, unsigned ms)
{
    uint64_t deadline = until(rig, ms);
    struct message *m;

    do {
        m = next_of_types(rig, type, type);
        if (m != NULL)
            fail_msg("%s was not to come", message_name(type));
    } while (turn(rig, deadline));
}

void reader_rig_await_state(struct reader_rig *rig, uint16_t reader, uint16_t camera, int card,
                            unsigned timeout_ms)
{
    uint64_t deadline = by_then(rig, timeout_ms);

    while (!rig->has_state || rig->state.reader != reader || rig->state.camera != camera ||
           rig->state.card != card)
        if (!turn(rig, deadline))
            fail_msg("reader %u camera %u card %u in place of %u %u %d", rig->state.reader,
                     rig->state.camera, rig->state.card, reader, camera, card);
}

unsigned reader_rig_ready_without_card(const struct reader_rig *rig)
{
    return rig->ready_without_card;
}

const struct msg_reader_state *reader_rig_state(const struct reader_rig *rig)
{
    return rig->has_state ? &rig->state : NULL;
}

bool reader_rig_on_bus(const struct reader_rig *rig)
{
    return rig->bus_reader != NULL;
}

void reader_rig_await_pin_pad(struct reader_rig *rig, bool there, unsigned timeout_ms)
{
    uint64_t deadline = by_then(rig, timeout_ms);

    while (!rig->has_state || rig->state.reader != 0 || (rig->state.pin_pad != 0) != there)
        if (!turn(rig, deadline))
            fail_msg("pin pad %u", rig->state.pin_pad);
}

static struct ipc *await_broker(struct reader_rig *rig)
{
    uint64_t deadline = by_then(rig, START_MS);

    while (ipc_client_peer(rig->broker) == NULL)
        if (!turn(rig, deadline))
            fail_msg("no connection to the broker program");
    return ipc_client_peer(rig->broker);
}

unsigned reader_rig_devices(struct reader_rig *rig, struct msg_device_item *first)
{
    const struct msg_devices_query query = {.request = 7};
    uint64_t deadline;

    rig->items = 0;
    rig->items_end = false;
    assert_int_equal(ipc_send(await_broker(rig), MSG_DEVICES_QUERY, &query), 0);
    deadline = by_then(rig, START_MS);
    while (!rig->items_end)
        assert_true(turn(rig, deadline));
    *first = rig->first_item;
    return rig->items;
}

unsigned reader_rig_health(struct reader_rig *rig, enum reader_rig_program which, uint8_t *worst)
{
    const struct msg_health_query query = {.request = 9};
    struct ipc *peer = which == RIG_READER ? ipc_client_peer(rig->reader) : await_broker(rig);
    uint64_t deadline = by_then(rig, START_MS);

    rig->items = 0;
    rig->worst = 0;
    rig->health_end = false;
    assert_non_null(peer);
    assert_int_equal(ipc_send(peer, MSG_HEALTH_QUERY, &query), 0);
    while (!rig->health_end)
        assert_true(turn(rig, deadline));
    *worst = rig->worst;
    return rig->items;
}

/* -- visits ------------------------------------------------------------------------------------ */

void reader_rig_visit(struct reader_rig *rig, uint64_t visit)
{
    const struct msg_visit_begin begin = {.visit = visit};

    reader_rig_send(rig, MSG_VISIT_BEGIN, &begin);
    rig->key = reader_rig_expect(rig, MSG_VISIT_KEY, 5000)->body.visit_key;
    assert_true(rig->key.visit == visit);
    assert_int_equal(rig->key.key.len, 65);
}

static void derive(const uint8_t *shared, const uint8_t *info, size_t info_len, uint8_t key[32])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    size_t len = 32;

    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_hkdf_key(ctx, shared, 32), 1);
    assert_int_equal(EVP_PKEY_CTX_add1_hkdf_info(ctx, info, (int)info_len), 1);
    assert_int_equal(EVP_PKEY_derive(ctx, key, &len), 1);
    EVP_PKEY_CTX_free(ctx);
}

uint32_t reader_rig_seal(struct reader_rig *rig, const char *purpose, const char *text,
                         uint8_t *out, size_t size)
{
    EVP_PKEY *own = EVP_EC_gen("P-256");
    EVP_PKEY *peer = EVP_PKEY_new();
    EVP_PKEY_CTX *agree;
    EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
    uint8_t shared[32], key[32], info[64];
    size_t info_len = (size_t)snprintf((char *)info, sizeof(info), "uketsuke v1 %s", purpose);
    size_t len = sizeof(shared);
    size_t point = 0;
    int n = 0;

    for (int i = 7; i >= 0; i--)
        info[info_len++] = (uint8_t)(rig->key.visit >> (8 * i));
    assert_int_equal(EVP_PKEY_copy_parameters(peer, own), 1);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, rig->key.key.data, 65), 1);
    agree = EVP_PKEY_CTX_new(own, NULL);
    assert_int_equal(EVP_PKEY_derive_init(agree), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(agree, peer), 1);
    assert_int_equal(EVP_PKEY_derive(agree, shared, &len), 1);
    derive(shared, info, info_len, key);
    assert_true(65 + 12 + strlen(text) + 16 <= size);
    assert_int_equal(EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_PUB_KEY, out, 65, &point),
                     1);
    assert_int_equal(RAND_bytes(out + 65, 12), 1);
    assert_int_equal(EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key, out + 65), 1);
    assert_int_equal(EVP_EncryptUpdate(gcm, NULL, &n, info, (int)info_len), 1);
    assert_int_equal(EVP_EncryptUpdate(gcm, out + 77, &n, (const uint8_t *)text, (int)strlen(text)),
                     1);
    assert_int_equal(EVP_EncryptFinal_ex(gcm, out + 77 + n, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_GET_TAG, 16, out + 77 + strlen(text)),
                     1);
    EVP_CIPHER_CTX_free(gcm);
    EVP_PKEY_CTX_free(agree);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    return (uint32_t)(77 + strlen(text) + 16);
}

/* The n-th tab-separated field of a line. */
static const char *field(struct reader_rig *rig, const char *line, unsigned n)
{
    size_t len;

    while (n-- > 0) {
        line += strcspn(line, "\t\n");
        assert_int_equal(*line, '\t');
        line++;
    }
    len = strcspn(line, "\t\n");
    assert_true(len < sizeof(rig->cell));
    memcpy(rig->cell, line, len);
    rig->cell[len] = 0;
    return rig->cell;
}

const char *reader_rig_card(struct reader_rig *rig, const char *card, const char *column)
{
    const char *line = rig->index;
    unsigned n = 0;

    while (strcmp(field(rig, rig->index, n), column) != 0)
        n++;
    while (line != NULL && *line != 0) {
        if (strcmp(field(rig, line, 0), card) == 0)
            return field(rig, line, n);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    fail_msg("no card %s", card);
    return "";
}

const char *reader_rig_sim_directory(struct reader_rig *rig)
{
    return rig->sim_directory;
}

/* -- start and stop ---------------------------------------------------------------------------- */

static void find_programs(struct reader_rig *rig)
{
    const char *bin = getenv("UKETSUKE_BIN");
    const char *sim = getenv("UKETSUKE_SIM");
    char here[PATH_MAX];
    ssize_t n;

    if (bin == NULL) {
        n = readlink("/proc/self/exe", here, sizeof(here) - 1);
        assert_true(n > 0);
        here[n] = 0;
        *strrchr(here, '/') = 0;
        bin = here;
    }
    (void)snprintf(rig->bin, sizeof(rig->bin), "%s", bin);
    if (sim != NULL)
        (void)snprintf(rig->sim_directory, sizeof(rig->sim_directory), "%s", sim);
    else
        assert_true((size_t)snprintf(rig->sim_directory, sizeof(rig->sim_directory),
                                     "%.3900s/../../sim", rig->bin) < sizeof(rig->sim_directory));
}

static void read_index(struct reader_rig *rig)
{
    char path[PATH_MAX + 64];
    FILE *file;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/cards/index.tsv", rig->sim_directory);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s: %s; make cards", path, strerror(errno));
    n = fread(rig->index, 1, sizeof(rig->index) - 1, file);
    rig->index[n] = 0;
    (void)fclose(file);
}

static void write_config(struct reader_rig *rig)
{
    char reader[160];
    FILE *file;

    (void)snprintf(reader, sizeof(reader), "usbip=%s/usbip.sock", rig->directory);
    path_of(rig, "uketsuke.conf", rig->config, sizeof(rig->config));
    file = fopen(rig->config, "w");
    assert_non_null(file);
    (void)fprintf(
        file,
        "[desk]\ninstitution = 9910000017\nrun-directory = %s\nstate-directory = %s\n\n"
        "[card]\nkenkaku-issuers = %s/cards/trust\nuser-ca = %s/cards/trust/auth-ca.pem\n\n"
        "[lane 1]\nreader = %s\ncamera = %s\n\n[upstream main]\nkind = web-api\n\n[log]\nlevel = "
        "%s\n",
        rig->directory, rig->directory, rig->sim_directory, rig->sim_directory,
        rig->bus_reader != NULL ? rig->bus_reader : reader,
        getenv("UKETSUKE_RIG_CAMERA") != NULL ? getenv("UKETSUKE_RIG_CAMERA") : "same",
        getenv("UKETSUKE_LOG") != NULL ? getenv("UKETSUKE_LOG") : "error");
    (void)fclose(file);
}

struct reader_rig *reader_rig_start(void)
{
    return reader_rig_start_with("extended", false);
}

struct reader_rig *reader_rig_start_with(const char *level, bool pin_pad)
{
    const struct ipc_self self = {.role = IPC_DESK, .program = "test", .instance = ""};
    const char *patience = getenv("UKETSUKE_RIG_PATIENCE");
    const char *simulator = getenv("UKETSUKE_RIG_SIMULATOR");
    struct reader_rig *rig = calloc(1, sizeof(*rig));
    char path[128];

    assert_non_null(rig);
    rig->control = -1;
    rig->bus_reader = getenv("UKETSUKE_RIG_READER");
    rig->patience = patience != NULL ? (unsigned)strtoul(patience, NULL, 10) : 6;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)strcpy(rig->directory, "/tmp/reader-rig-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    find_programs(rig);
    read_index(rig);
    write_config(rig);
    if (simulator == NULL || strcmp(simulator, "none") != 0) {
        start_sim(rig, level, pin_pad);
        connect_control(rig);
        start_plug(rig);
    }
    for (unsigned i = 0; i < 2; i++)
        rig->listening[i] = listen_at(rig, sockets[i]);
    start_program(rig, RIG_READER);
    start_program(rig, RIG_BROKER);
    assert_true(sd_event_new(&rig->loop) >= 0);
    rig->clock = clock_new_system(rig->loop);
    path_of(rig, sockets[RIG_READER], path, sizeof(path));
    assert_int_equal(ipc_client_new(&rig->reader, rig->loop, rig->clock, path, &self, "R",
                                    &reader_handlers, rig),
                     0);
    path_of(rig, sockets[RIG_BROKER], path, sizeof(path));
    assert_int_equal(ipc_client_new(&rig->broker, rig->loop, rig->clock, path, &self, "B",
                                    &broker_handlers, rig),
                     0);
    reader_rig_await_connection(rig, START_MS);
    return rig;
}

void reader_rig_stop(struct reader_rig *rig)
{
    char command[128];

    ipc_client_free(&rig->reader);
    ipc_client_free(&rig->broker);
    while (rig->first < rig->last)
        drop(rig->queue[rig->first++ % QUEUE]);
    free(rig->given);
    end_process(&rig->program[RIG_READER], SIGTERM);
    end_process(&rig->program[RIG_BROKER], SIGTERM);
    end_process(&rig->plug, SIGTERM);
    end_process(&rig->sim, SIGTERM);
    for (unsigned i = 0; i < 2; i++)
        (void)close(rig->listening[i]);
    if (rig->control >= 0)
        (void)close(rig->control);
    clock_free(&rig->clock);
    sd_event_unref(rig->loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", rig->directory);
    assert_int_equal(system(command), 0);
    free(rig);
}
