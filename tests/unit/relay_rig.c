#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "relay_rig.h"
#include "relay_tools.h"

#include "daemon/common/ipc.h"
#include "daemon/common/memfd.h"

#define ANSWERS_MAX 320
#define HEALTH_MAX 16

struct rig {
    char dir[64];
    pid_t service;
    pid_t relay;
    unsigned port;
    sd_event *loop;
    struct ipc *ipc;
    bool closed;
    uint64_t requests;
    unsigned states;
    struct msg_upstream_state state;
    struct rig_answer answers[ANSWERS_MAX];
    size_t nanswers;
    struct rig_told told[ANSWERS_MAX];
    size_t ntold;
    int64_t until;
    char folder[96];
    int listen_fd; /* kept for a relay that is started again */
    const char *const *environment;
    struct msg_health_item health[HEALTH_MAX];
    size_t nhealth;
    bool health_end;
};

/* ---- the service ----------------------------------------------------------------------------- */

static void start_service(struct rig *rig, const char *certificate)
{
    char exe[PATH_MAX], cert[PATH_MAX], key[PATH_MAX], ca[PATH_MAX], people[PATH_MAX],
        accounts[PATH_MAX];
    char ledger[128], port_file[128], control[128], name[64];
    uint64_t until = rig_now_ms() + 20000;

    rig_program("sim-service", exe, sizeof(exe));
    (void)snprintf(name, sizeof(name), "%s.pem", certificate);
    (void)rig_pki(name, cert, sizeof(cert));
    (void)snprintf(name, sizeof(name), "%s.key", certificate);
    (void)rig_pki(name, key, sizeof(key));
    (void)rig_pki("ca.pem", ca, sizeof(ca));
    rig_source("tests/sim/service/people", people, sizeof(people));
    rig_source("tests/sim/service/accounts.json", accounts, sizeof(accounts));
    (void)snprintf(ledger, sizeof(ledger), "%s/ledger", rig->dir);
    (void)snprintf(port_file, sizeof(port_file), "%s/port", rig->dir);
    (void)snprintf(control, sizeof(control), "%s/control", rig->dir);
    rig->service = fork();
    assert_true(rig->service >= 0);
    if (rig->service == 0) {
        int null = open("/dev/null", O_WRONLY);

        /* A failed test leaves its rig behind; nothing of it may outlive the test program. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execl(exe, exe, "--cert", cert, "--key", key, "--client-ca", ca, "--people", people,
                    "--accounts", accounts, "--ledger", ledger, "--port-file", port_file,
                    "--control", control, (char *)NULL);
        _exit(127);
    }
    while (access(port_file, R_OK) != 0) {
        assert_true(rig_now_ms() < until);
        (void)poll(NULL, 0, 10);
    }
    {
        char *text = rig_read_file(port_file);

        rig->port = (unsigned)strtoul(text, NULL, 10);
        free(text);
    }
    assert_in_range(rig->port, 1, 65535);
}

static void start_terminal(struct rig *rig)
{
    char exe[PATH_MAX], people[PATH_MAX], accounts[PATH_MAX], ledger[128], control[128];
    uint64_t until = rig_now_ms() + 20000;

    rig_program("sim-terminal", exe, sizeof(exe));
    rig_source("tests/sim/service/people", people, sizeof(people));
    rig_source("tests/sim/service/accounts.json", accounts, sizeof(accounts));
    (void)snprintf(ledger, sizeof(ledger), "%s/ledger", rig->dir);
    (void)snprintf(control, sizeof(control), "%s/control", rig->dir);
    (void)snprintf(rig->folder, sizeof(rig->folder), "%s/oqs", rig->dir);
    assert_int_equal(mkdir(rig->folder, 0700), 0);
    rig->service = fork();
    assert_true(rig->service >= 0);
    if (rig->service == 0) {
        int null = open("/dev/null", O_WRONLY);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(null, STDOUT_FILENO);
        (void)execl(exe, exe, "--folder", rig->folder, "--people", people, "--accounts", accounts,
                    "--ledger", ledger, "--control", control, (char *)NULL);
        _exit(127);
    }
    while (access(control, R_OK) != 0) {
        assert_true(rig_now_ms() < until);
        (void)poll(NULL, 0, 10);
    }
}

static void control_answer(struct rig *rig, const char *line, char *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t used = 0;
    uint64_t until = rig_now_ms() + PATIENCE_MS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", rig->dir);
    /* The name is there a moment before anybody listens. */
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        assert_true(rig_now_ms() < until);
        (void)poll(NULL, 0, 10);
    }
    assert_true(dprintf(fd, "%s\n", line) > 0);
    while (used < size - 1 && memchr(answer, '\n', used) == NULL) {
        ssize_t n = read(fd, answer + used, size - 1 - used);

        assert_true(n > 0);
        used += (size_t)n;
    }
    answer[used] = '\0';
    (void)close(fd);
    if (strncmp(answer, "ok", 2) != 0)
        fail_msg("control: %s: %s", line, answer);
}

void rig_control(struct rig *rig, const char *line)
{
    char answer[4096];

    control_answer(rig, line, answer, sizeof(answer));
}

unsigned rig_count(struct rig *rig, const char *text)
{
    char line[200], answer[4096];

    (void)snprintf(line, sizeof(line), "count %s", text);
    control_answer(rig, line, answer, sizeof(answer));
    return (unsigned)strtoul(answer + 3, NULL, 10);
}

const char *rig_folder(const struct rig *rig)
{
    return rig->folder;
}

unsigned rig_port(const struct rig *rig)
{
    return rig->port;
}

unsigned long rig_peak_kib(const struct rig *rig)
{
    char path[64];
    char *text;
    const char *at;
    unsigned long kib;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)rig->relay);
    text = rig_read_file(path);
    at = strstr(text, "VmHWM:");
    assert_non_null(at);
    kib = strtoul(at + strlen("VmHWM:"), NULL, 10);
    free(text);
    return kib;
}

unsigned rig_ledger(struct rig *rig, const char *kind)
{
    return rig_ledger_of(rig, kind, "");
}

unsigned rig_ledger_of(struct rig *rig, const char *kind, const char *correlation)
{
    char path[128], needle[96], *text, *save = NULL;
    unsigned count = 0;

    (void)snprintf(path, sizeof(path), "%s/ledger", rig->dir);
    (void)snprintf(needle, sizeof(needle), "/%s\"", kind);
    text = rig_read_file(path);
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        count += strstr(line, needle) != NULL && strstr(line, correlation) != NULL;
    free(text);
    return count;
}

/* ---- the relay ------------------------------------------------------------------------------- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) <
                sizeof(address.sun_path));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* As systemd does: the socket as descriptor 3, its name and our own pid in the environment. */
static pid_t spawn_relay(const char *config, const char *argument, int listen_fd, int err,
                         const char *const *environment)
{
    char exe[PATH_MAX], pid_text[32];
    pid_t pid;

    rig_program("uketsuke-relay", exe, sizeof(exe));
    pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(err, STDERR_FILENO);
    (void)dup2(err, STDOUT_FILENO);
    (void)unsetenv("JOURNAL_STREAM");
    while (environment != NULL && *environment != NULL)
        (void)putenv(strdup(*environment++));
    /* A sanitizer's search for leaks stops the process by ptrace at its end: the cage refuses that,
     * rightly. */
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    if (listen_fd >= 0) {
        if (dup2(listen_fd, 3) < 0)
            _exit(127);
        (void)fcntl(3, F_SETFD, 0);
        (void)snprintf(pid_text, sizeof(pid_text), "%ld", (long)getpid());
        (void)setenv("LISTEN_PID", pid_text, 1);
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_FDNAMES", "relay", 1);
    }
    (void)execl(exe, exe, "--config", config, "--instance", "main", argument, (char *)NULL);
    _exit(127);
}

static void write_config(struct rig *rig, const struct rig_options *o)
{
    char path[128], text[4096], ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX], name[64];
    const char *client = o->client != NULL ? o->client : "client";
    const char *host = o->host != NULL ? o->host : "127.0.0.1";
    unsigned asked_port = o->asked_port != 0 ? o->asked_port : rig->port;

    (void)snprintf(name, sizeof(name), "%s.pem", client);
    (void)rig_pki(name, cert, sizeof(cert));
    (void)snprintf(name, sizeof(name), "%s.key", client);
    (void)rig_pki(name, key, sizeof(key));
    (void)rig_pki("ca.pem", ca, sizeof(ca));
    (void)snprintf(path, sizeof(path), "%s/password", rig->dir);
    rig_write_file(path, o->password != NULL ? o->password : "sim-password-not-secret\n");
    assert_true(
        (size_t)snprintf(text, sizeof(text),
                         "[desk]\ninstitution = 9910000017\nrun-directory = %s\n"
                         "[upstream main]\nkind = web-api\n"
                         "auth-url = https://%s:%u/oqs-api-pro/MSA12020/ILI12020SV01/auth\n"
                         "search-url = https://%s:%u/oqs-api-pro/MSA01030/ILI01030SV01/search\n"
                         "extension-url = https://%s:%u/uketsuke-extension/v1\n"
                         "capabilities = %s\nca = %s\ncertificate = %s\nkey = %s\nuser = sim-user\n"
                         "password-file = %s\nconnect-seconds = %d\n%s\n",
                         rig->dir, host, rig->port, host, asked_port, host, asked_port,
                         o->capabilities != NULL ? o->capabilities
                                                 : "by_numbers card_session register consents",
                         ca, cert, key, path, o->connect_seconds > 0 ? o->connect_seconds : 20,
                         o->extra != NULL ? o->extra : "") < sizeof(text));
    (void)snprintf(path, sizeof(path), "%s/conf", rig->dir);
    rig_write_file(path, text);
}

static void write_folder_config(struct rig *rig, const struct rig_options *o)
{
    char path[128], text[2048];

    assert_true((size_t)snprintf(text, sizeof(text),
                                 "[desk]\ninstitution = 9910000017\nrun-directory = %s\n"
                                 "[upstream main]\nkind = folders\nfolder = %s\ncapabilities = %s\n"
                                 "scan-ms = %d\nsettle-ms = 40\ntaken-seconds = %d\n%s\n",
                                 rig->dir, rig->folder,
                                 o->capabilities != NULL
                                     ? o->capabilities
                                     : "by_numbers reference_number bulk documents face_files",
                                 o->scan_ms > 0 ? o->scan_ms : 100,
                                 o->taken_seconds > 0 ? o->taken_seconds : 30,
                                 o->extra != NULL ? o->extra : "") < sizeof(text));
    (void)snprintf(path, sizeof(path), "%s/conf", rig->dir);
    rig_write_file(path, text);
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)arg;
    assert_int_equal(peer->role, IPC_RELAY);
}

static void take_answer(struct rig *rig, struct message *message)
{
    struct rig_answer *answer = &rig->answers[rig->nanswers];

    assert_true(rig->nanswers < ANSWERS_MAX);
    rig->nanswers++;
    memset(answer, 0, sizeof(*answer));
    answer->message = message->body.eligibility_answer;
    if (message->nfds == 2) {
        struct stat st;
        const uint8_t *map;

        assert_int_equal(xmlmsg_from_memfd(&answer->tree, message->fds[0], answer->message.bytes),
                         0);
        assert_int_equal(fstat(message->fds[1], &st), 0);
        answer->raw_len = (size_t)st.st_size;
        assert_int_equal(memfd_map(message->fds[1], answer->raw_len, 4u << 20, &map), 0);
        answer->raw = calloc(1, answer->raw_len + 1);
        assert_non_null(answer->raw);
        memcpy(answer->raw, map, answer->raw_len);
        memfd_unmap(map, answer->raw_len);
    }
}

static void take_told(struct rig *rig, struct message *message)
{
    struct rig_told *told = &rig->told[rig->ntold];
    struct stat st;
    const uint8_t *map;

    assert_true(rig->ntold < ANSWERS_MAX);
    rig->ntold++;
    memset(told, 0, sizeof(*told));
    told->type = message->type;
    if (message->type == MSG_ELIGIBILITY_LATE) {
        told->late = message->body.eligibility_late;
    } else {
        told->late.bytes = message->body.terminal_visit.bytes;
        told->late.hash.len = message->body.terminal_visit.hash.len;
        memcpy(told->late.hash.data, message->body.terminal_visit.hash.data,
               sizeof(told->late.hash.data));
    }
    assert_int_equal(message->nfds, 2);
    assert_int_equal(xmlmsg_from_memfd(&told->tree, message->fds[0], told->late.bytes), 0);
    assert_int_equal(fstat(message->fds[1], &st), 0);
    told->raw_len = (size_t)st.st_size;
    assert_int_equal(memfd_map(message->fds[1], told->raw_len, 4u << 20, &map), 0);
    told->raw = calloc(1, told->raw_len + 1);
    assert_non_null(told->raw);
    memcpy(told->raw, map, told->raw_len);
    memfd_unmap(map, told->raw_len);
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct rig *rig = arg;

    (void)ipc;
    switch (message->type) {
    case MSG_UPSTREAM_STATE:
        rig->state = message->body.upstream_state;
        rig->states++;
        break;
    case MSG_ELIGIBILITY_ANSWER:
        take_answer(rig, message);
        break;
    case MSG_ELIGIBILITY_LATE:
    case MSG_TERMINAL_VISIT:
        take_told(rig, message);
        break;
    case MSG_HEALTH_ITEM:
        assert_true(rig->nhealth < HEALTH_MAX);
        rig->health[rig->nhealth++] = message->body.health_item;
        break;
    case MSG_HEALTH_END:
        rig->health_end = true;
        break;
    default:
        fail_msg("the relay sent %s", message_name(message->type));
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct rig *rig = arg;

    (void)error;
    rig->closed = true;
    if (rig->ipc == ipc)
        rig->ipc = NULL;
    ipc_free(&ipc);
}

static void turn(struct rig *rig, uint64_t until)
{
    uint64_t now = rig_now_ms();

    if (now < until)
        assert_true(sd_event_run(rig->loop, (until - now) * 1000) >= 0);
}

void rig_connect(struct rig *rig)
{
    static const struct ipc_handlers handlers = {on_open, on_message, on_closed};
    const struct ipc_self self = {.role = IPC_DESK, .program = "test", .instance = ""};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t until = rig_now_ms() + 20000;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/relay.sock", rig->dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    rig->states = 0;
    rig->closed = false;
    ipc_free(&rig->ipc);
    assert_int_equal(ipc_new(&rig->ipc, rig->loop, fd, &self, "Y", &handlers, rig), 0);
    while (rig->states == 0 && !rig->closed && rig_now_ms() < until)
        turn(rig, until);
    if (rig->states == 0) {
        char *text = rig_log(rig);

        print_error("%s", text);
        free(text);
        fail_msg("the relay does not answer");
    }
}

static void start_relay(struct rig *rig)
{
    char path[128], config[128];
    int err;

    (void)snprintf(path, sizeof(path), "%s/log", rig->dir);
    err = open(path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    assert_true(err >= 0);
    (void)snprintf(config, sizeof(config), "%s/conf", rig->dir);
    rig->relay = spawn_relay(config, NULL, rig->listen_fd, err, rig->environment);
    (void)close(err);
}

void rig_samples(const char *dir)
{
    char exe[PATH_MAX];

    rig_program("sim-samples", exe, sizeof(exe));
    rig_run((const char *const[]){exe, dir, NULL});
}

void rig_kill_relay(struct rig *rig)
{
    (void)kill(rig->relay, SIGKILL);
    (void)waitpid(rig->relay, NULL, 0);
    rig_disconnect(rig);
}

int rig_wait_exit(struct rig *rig, unsigned ms)
{
    uint64_t until = rig_now_ms() + ms;
    int status = -1;

    while (waitpid(rig->relay, &status, WNOHANG) == 0 && rig_now_ms() < until)
        turn(rig, rig_now_ms() + 10);
    rig_disconnect(rig);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

unsigned rig_end_relay(struct rig *rig)
{
    uint64_t began = rig_now_ms();
    int status = -1;

    (void)kill(rig->relay, SIGTERM);
    while (waitpid(rig->relay, &status, WNOHANG) == 0 && rig_now_ms() < began + 20000)
        (void)poll(NULL, 0, 10);
    assert_true(WIFEXITED(status));
    rig_disconnect(rig);
    return (unsigned)(rig_now_ms() - began);
}

void rig_revive_relay(struct rig *rig)
{
    start_relay(rig);
}

void rig_disconnect(struct rig *rig)
{
    ipc_free(&rig->ipc);
}

bool rig_is_connected(struct rig *rig)
{
    turn(rig, rig_now_ms());
    return rig->ipc != NULL && !rig->closed && ipc_is_open(rig->ipc);
}

void rig_until(struct rig *rig, int64_t until)
{
    rig->until = until;
}

struct rig *rig_start(const struct rig_options *options)
{
    static const struct rig_options usual;
    struct rig *rig = calloc(1, sizeof(*rig));
    const struct rig_options *o = options != NULL ? options : &usual;
    char path[128];

    assert_non_null(rig);
    (void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/uketsuke-relay-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    rig->port = 1; /* tcpmux: nobody listens there */
    if (o->folders)
        start_terminal(rig);
    else if (!o->without_service)
        start_service(rig, o->server != NULL ? o->server : "server");
    if (o->folders)
        write_folder_config(rig, o);
    else
        write_config(rig, o);
    (void)snprintf(path, sizeof(path), "%s/relay.sock", rig->dir);
    rig->listen_fd = listen_at(path);
    rig->environment = o->environment;
    start_relay(rig);
    assert_true(sd_event_new(&rig->loop) >= 0);
    rig_connect(rig);
    return rig;
}

static void end_process(pid_t *pid)
{
    if (*pid <= 0)
        return;
    (void)kill(*pid, SIGTERM);
    for (int i = 0; i < 500 && waitpid(*pid, NULL, WNOHANG) == 0; i++)
        (void)poll(NULL, 0, 10);
    (void)kill(*pid, SIGKILL);
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
}

void rig_stop(struct rig *rig)
{
    int status = -1;

    ipc_free(&rig->ipc);
    (void)kill(rig->relay, SIGTERM);
    for (int i = 0; i < 1000 && waitpid(rig->relay, &status, WNOHANG) == 0; i++)
        (void)poll(NULL, 0, 10);
    /* It ends by itself, at once and in order: a sanitizer's complaint shows here. */
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char *text = rig_log(rig);

        print_error("%s", text);
        free(text);
    }
    end_process(&rig->service);
    for (size_t i = 0; i < rig->nanswers; i++)
        rig_answer_free(&rig->answers[i]);
    for (size_t i = 0; i < rig->ntold; i++)
        rig_told_free(&rig->told[i]);
    (void)close(rig->listen_fd);
    rig_run((const char *const[]){"rm", "-rf", rig->dir, NULL});
    sd_event_unref(rig->loop);
    free(rig);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

char *rig_log(struct rig *rig)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/log", rig->dir);
    return rig_read_file(path);
}

int rig_run_relay(const char *config_text, const char *argument, char *output, size_t size)
{
    char dir[] = "/tmp/uketsuke-relay-XXXXXX", config[64], log[64];
    char *text;
    int err, status = -1;
    pid_t pid;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(config, sizeof(config), "%s/conf", dir);
    (void)snprintf(log, sizeof(log), "%s/log", dir);
    rig_write_file(config, config_text);
    err = open(log, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    assert_true(err >= 0);
    pid = spawn_relay(config, argument, -1, err, NULL);
    (void)close(err);
    for (int i = 0; i < 2000 && waitpid(pid, &status, WNOHANG) == 0; i++)
        (void)poll(NULL, 0, 10);
    text = rig_read_file(log);
    (void)snprintf(output, size, "%s", text);
    free(text);
    (void)unlink(config);
    (void)unlink(log);
    (void)rmdir(dir);
    if (!WIFEXITED(status)) {
        end_process(&pid);
        return -1;
    }
    return WEXITSTATUS(status);
}

/* ---- asking ---------------------------------------------------------------------------------- */

uint64_t rig_ask(struct rig *rig, enum upstream_kind kind, bool writes, uint32_t budget_ms,
                 const struct xmlmsg *tree, const char *correlation)
{
    struct msg_eligibility_ask ask = {.request = ++rig->requests,
                                      .visit = 77,
                                      .kind = (uint8_t)kind,
                                      .writes = writes,
                                      .budget_ms = budget_ms,
                                      .until = rig->until};
    size_t len;
    int fd = xmlmsg_to_memfd(tree, &len);

    assert_true(fd >= 0);
    assert_int_equal(MESSAGE_TEXT(ask.correlation, correlation), 0);
    assert_int_equal(ipc_send_fds(rig->ipc, MSG_ELIGIBILITY_ASK, &ask, &fd, 1), 0);
    (void)close(fd);
    return rig->requests;
}

void rig_cancel(struct rig *rig, uint64_t request)
{
    const struct msg_eligibility_cancel cancel = {.request = request};

    assert_int_equal(ipc_send(rig->ipc, MSG_ELIGIBILITY_CANCEL, &cancel), 0);
}

bool rig_wait(struct rig *rig, uint64_t request, unsigned ms, struct rig_answer *out)
{
    uint64_t until = rig_now_ms() + ms;

    do {
        for (size_t i = 0; i < rig->nanswers; i++) {
            if (rig->answers[i].message.request != request)
                continue;
            *out = rig->answers[i];
            rig->answers[i] = rig->answers[--rig->nanswers];
            return true;
        }
        turn(rig, until);
    } while (rig_now_ms() < until && !rig->closed);
    memset(out, 0, sizeof(*out));
    return false;
}

void rig_answer_free(struct rig_answer *answer)
{
    xmlmsg_free(&answer->tree);
    free(answer->raw);
    memset(answer, 0, sizeof(*answer));
}

bool rig_wait_told(struct rig *rig, uint16_t type, unsigned ms, struct rig_told *out)
{
    uint64_t until = rig_now_ms() + ms;

    do {
        for (size_t i = 0; i < rig->ntold; i++) {
            if (rig->told[i].type != type)
                continue;
            *out = rig->told[i];
            /* In the order in which they came. */
            memmove(&rig->told[i], &rig->told[i + 1], (rig->ntold - i - 1) * sizeof(rig->told[0]));
            rig->ntold--;
            return true;
        }
        turn(rig, until);
    } while (rig_now_ms() < until && !rig->closed);
    memset(out, 0, sizeof(*out));
    return false;
}

void rig_told_free(struct rig_told *told)
{
    xmlmsg_free(&told->tree);
    free(told->raw);
    memset(told, 0, sizeof(*told));
}

void rig_take(struct rig *rig, const struct rig_told *told)
{
    struct msg_relay_taken taken = {.hash = {.len = 32}};

    memcpy(taken.hash.data, told->late.hash.data, sizeof(taken.hash.data));
    assert_int_equal(ipc_send(rig->ipc, MSG_RELAY_TAKEN, &taken), 0);
}

const struct msg_upstream_state *rig_state(struct rig *rig)
{
    return &rig->state;
}

bool rig_wait_state(struct rig *rig, uint8_t breaker, uint16_t failure, unsigned ms)
{
    uint64_t until = rig_now_ms() + ms;

    while (rig->state.breaker != breaker || rig->state.failure != failure) {
        if (rig_now_ms() >= until || rig->closed)
            return false;
        turn(rig, until);
    }
    return true;
}

bool rig_health(struct rig *rig, const char *component, struct msg_health_item *out)
{
    const struct msg_health_query query = {.request = 5};
    uint64_t until = rig_now_ms() + PATIENCE_MS;

    rig->nhealth = 0;
    rig->health_end = false;
    assert_int_equal(ipc_send(rig->ipc, MSG_HEALTH_QUERY, &query), 0);
    while (!rig->health_end && rig_now_ms() < until)
        turn(rig, until);
    assert_true(rig->health_end);
    for (size_t i = 0; i < rig->nhealth; i++) {
        if (strcmp(rig->health[i].component, component) == 0) {
            *out = rig->health[i];
            return true;
        }
    }
    return false;
}

bool rig_wait_health(struct rig *rig, const char *component, const char *detail)
{
    const uint64_t until = rig_now_ms() + PATIENCE_MS;
    struct msg_health_item item;

    do {
        if (rig_health(rig, component, &item) && strcmp(item.detail, detail) == 0)
            return true;
        turn(rig, rig_now_ms() + 50);
    } while (rig_now_ms() < until);
    return false;
}

bool rig_send_raw(struct rig *rig, uint16_t type, const void *body, int fd)
{
    uint64_t until = rig_now_ms() + PATIENCE_MS;

    assert_int_equal(ipc_send_fds(rig->ipc, type, body, &fd, fd >= 0), 0);
    while (!rig->closed && rig_now_ms() < until)
        turn(rig, until);
    if (!rig->closed)
        return false;
    rig_connect(rig);
    return true;
}
