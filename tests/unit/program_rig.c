#include "program_rig.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void path_of(const struct program_rig *rig, const char *end, char *out, size_t size)
{
    assert_true((size_t)snprintf(out, size, "%s/%s%s", rig->directory, rig->options.socket, end) <
                size);
}

void program_path(const char *name, char *out, size_t size)
{
    const char *bin = getenv("UKETSUKE_BIN");
    char here[PATH_MAX] = "";

    if (bin == NULL) {
        assert_true(readlink("/proc/self/exe", here, sizeof(here) - 1) > 0);
        *strrchr(here, '/') = '\0';
        bin = here;
    }
    assert_true((size_t)snprintf(out, size, "%s/%s", bin, name) < size);
}

/* Descriptor 3 and no other, as a supervisor hands it over (sd_listen_fds(3)). */
static void start(struct program_rig *rig)
{
    const char *const *environment = rig->options.environment;
    char program[PATH_MAX], config[128], pid[16];

    program_path(rig->options.program, program, sizeof(program));
    path_of(rig, ".conf", config, sizeof(config));
    rig->pid = fork();
    assert_true(rig->pid >= 0);
    if (rig->pid > 0)
        return;
    /* A failed test leaves its rig behind; nothing of it may outlive the test program. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (rig->listening == 3)
        (void)fcntl(3, F_SETFD, 0);
    else if (dup2(rig->listening, 3) < 0)
        _exit(126);
    (void)close_range(4, ~0u, 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "1", 1);
    (void)setenv("LISTEN_FDNAMES", rig->options.socket, 1);
    /* The leak checker needs ptrace, which the cage refuses. */
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1", 1);
    while (environment != NULL && *environment != NULL)
        (void)putenv(strdup(*environment++));
    (void)execl(program, program, "--config", config, (char *)NULL);
    _exit(127);
}

void program_rig_make(struct program_rig *rig, const struct program_options *options)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char path[128];
    FILE *config;

    memset(rig, 0, sizeof(*rig));
    rig->options = *options;
    (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/uketsuke-program-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    (void)signal(SIGPIPE, SIG_IGN);
    path_of(rig, ".sock", at.sun_path, sizeof(at.sun_path));
    rig->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(rig->listening >= 0);
    assert_int_equal(bind(rig->listening, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(rig->listening, 16), 0);
    path_of(rig, ".conf", path, sizeof(path));
    config = fopen(path, "w");
    assert_non_null(config);
    (void)fprintf(
        config, "[desk]\ninstitution = 9910000017\nrun-directory = %s\nstate-directory = %s\n\n%s",
        rig->directory, rig->directory, rig->options.config);
    assert_int_equal(fclose(config), 0);
    assert_true(sd_event_new(&rig->loop) >= 0);
    rig->clock = clock_new_system(rig->loop);
    assert_non_null(rig->clock);
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct program_rig *rig = arg;

    (void)ipc;
    assert_int_equal(peer->role, rig->options.role);
    rig->open = true;
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct program_rig *rig = arg;

    (void)ipc;
    rig->options.on_message(rig->options.arg, message);
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct program_rig *rig = arg;

    (void)ipc;
    (void)error;
    rig->open = false;
    rig->losses++;
}

uint64_t program_rig_in(const struct program_rig *rig, unsigned ms)
{
    return clock_monotonic_us(rig->clock) + ms * CLOCK_MS;
}

bool program_rig_turn(struct program_rig *rig, uint64_t deadline_us)
{
    const uint64_t left = clock_left_us(rig->clock, deadline_us);

    assert_true(sd_event_run(rig->loop, left) >= 0);
    return left > 0;
}

void program_rig_connect(struct program_rig *rig)
{
    const uint64_t limit = program_rig_in(rig, PROGRAM_PATIENCE_MS);

    while (!rig->open)
        if (!program_rig_turn(rig, limit))
            fail_msg("%s does not answer", rig->options.program);
}

void program_rig_begin(struct program_rig *rig)
{
    static const struct ipc_self self = {.role = IPC_DESK, .program = "uketsuked", .instance = ""};
    static const struct ipc_handlers handlers = {on_open, on_message, on_closed};
    const char allow[] = {(char)rig->options.role, '\0'};
    char path[128];

    start(rig);
    path_of(rig, ".sock", path, sizeof(path));
    assert_int_equal(
        ipc_client_new(&rig->client, rig->loop, rig->clock, path, &self, allow, &handlers, rig), 0);
    program_rig_connect(rig);
}

bool program_rig_send(struct program_rig *rig, uint16_t type, const void *body, int fd)
{
    struct ipc *ipc = rig->open ? ipc_client_peer(rig->client) : NULL;

    return ipc != NULL &&
           (fd >= 0 ? ipc_send_fds(ipc, type, body, &fd, 1) : ipc_send(ipc, type, body)) == 0;
}

const char *program_rig_come_back(struct program_rig *rig, unsigned *ended)
{
    const uint64_t limit = program_rig_in(rig, 1000), soon = program_rig_in(rig, 20);
    const char *wrong = NULL;
    int status = 0;
    pid_t gone;

    while (program_rig_turn(rig, soon)) /* what is on its way */
        ;
    while ((gone = waitpid(rig->pid, &status, WNOHANG)) == 0 && !rig->open)
        if (!program_rig_turn(rig, limit))
            break;
    if (gone == rig->pid) {
        if (WIFSIGNALED(status))
            wrong = "it crashed";
        else
            ++*ended;
        start(rig);
        /* The old connection's end is still to be heard of. */
        while (rig->open && program_rig_turn(rig, limit))
            ;
    }
    program_rig_connect(rig);
    return wrong;
}

void program_rig_stop(struct program_rig *rig)
{
    static const char *const files[] = {".sock", ".conf"};
    char path[128];
    int status;

    ipc_client_free(&rig->client);
    clock_free(&rig->clock);
    rig->loop = sd_event_unref(rig->loop);
    (void)kill(rig->pid, SIGTERM);
    assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(rig->listening);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        path_of(rig, files[i], path, sizeof(path));
        (void)unlink(path);
    }
    (void)rmdir(rig->directory);
}
