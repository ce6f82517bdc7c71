#include "service.h"

#include "config_meaning.h"
#include "log.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define READY_AGAIN_US (50 * CLOCK_MS)

#ifndef UKETSUKE_VERSION
#define UKETSUKE_VERSION "0"
#endif

static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE,
                                        LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

static void usage(FILE *to, const char *program)
{
    (void)fprintf(
        to,
        "%s [--config FILE] [--instance NAME] [--try-cage]\n"
        "  -c, --config FILE    設定ファイル / configuration (default "
        "/etc/uketsuke/uketsuke.conf)\n"
        "  -i, --instance NAME  レーン番号または照会先 / number of the lane, name of the upstream\n"
        "      --try-cage       檻の中から外に出られないことを試す / prove that the cage holds, "
        "then end\n"
        "      --version, --help\n"
        "See %s(8).\n",
        program, program);
}

static int parse(struct service *service, int argc, char **argv, const char **config)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"instance", required_argument, NULL, 'i'},
        {"try-cage", no_argument, NULL, 't'},     {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "c:i:h", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            *config = optarg;
            break;
        case 'i':
            service->instance = optarg;
            break;
        case 't':
            service->try_cage = true;
            break;
        case 'V':
            (void)printf("%s %s\n", service->program, UKETSUKE_VERSION);
            return 1;
        case 'h':
            usage(stdout, service->program);
            return 1;
        default:
            usage(stderr, service->program);
            return -EINVAL;
        }
    }
    if (optind != argc) {
        (void)fprintf(
            stderr,
            "%s: %s: その引数はありません。--help をご覧ください / no such argument; see --help\n",
            service->program, argv[optind]);
        return -EINVAL;
    }
    return 0;
}

static int collect_sockets(struct service *service)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);

    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        int fd = SD_LISTEN_FDS_START + i;

        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        if (service->nsockets < sizeof(service->sockets) / sizeof(service->sockets[0])) {
            (void)snprintf(service->sockets[service->nsockets].name,
                           sizeof(service->sockets[0].name), "%s", names[i]);
            service->sockets[service->nsockets++].fd = fd;
        } else {
            (void)close(fd);
        }
        free(names[i]);
    }
    free(names);
    return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
    (void)info;
    (void)arg;
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* Most programs could not open the file any more: the command reads it and hands it to the desk. */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
    (void)source;
    (void)info;
    (void)arg;
    log_event(LOG_LEVEL_NOTICE, "SIGHUP changes nothing: use uketsuke reload");
    return 0;
}

static int make_loop(struct service *service)
{
    sigset_t stop;
    int r;

    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigaddset(&stop, SIGINT);
    (void)sigaddset(&stop, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    /* Blocked before any thread is made, so that every thread leaves them to the loop. */
    if (sigprocmask(SIG_BLOCK, &stop, NULL) != 0)
        return -errno;
    r = sd_event_new(&service->loop);
    if (r < 0)
        return r;
    r = sd_event_add_signal(service->loop, NULL, SIGTERM, on_signal, NULL);
    if (r >= 0)
        r = sd_event_add_signal(service->loop, NULL, SIGINT, on_signal, NULL);
    if (r >= 0)
        r = sd_event_add_signal(service->loop, NULL, SIGHUP, on_hangup, NULL);
    if (r < 0)
        return r;
    service->clock = clock_new_system(service->loop);
    return service->clock != NULL ? 0 : -ENOMEM;
}

static void say_config_errors(const char *program, const char *lines)
{
    (void)fprintf(stderr, "%s: 設定に誤りがあります / the configuration has errors:\n%s", program,
                  lines != NULL ? lines : "メモリが足りません / out of memory\n");
}

int service_config_complete(const struct service *service, unsigned use, const char *instance)
{
    char *lines = NULL;
    size_t size = 0, missing;
    FILE *to = open_memstream(&lines, &size);

    if (to == NULL)
        return -ENOMEM;
    missing = config_missing(service->config, use, instance, to);
    (void)fclose(to);
    if (missing > 0)
        say_config_errors(service->program, lines);
    free(lines);
    return missing > 0 ? -EINVAL : 0;
}

int service_start(struct service *service, const char *program, int argc, char **argv)
{
    const char *path = "/etc/uketsuke/uketsuke.conf";
    char *message = NULL;
    struct stat st;
    int r;

    memset(service, 0, sizeof(*service));
    service->program = program;
    service->instance = "";
    service->notify_fd = -1;
    r = parse(service, argc, argv, &path);
    if (r != 0)
        return r;
    service->config_path = path;
    if (stat(path, &st) == 0)
        service->config_read = st.st_mtim;
    r = config_load(&service->config, path, &message);
    if (r < 0) {
        say_config_errors(program, message);
        free(message);
        return r;
    }
    log_open(program, service->instance,
             levels[config_number(service->config, CFG_log_LEVEL, NULL)]);
    r = secret_protect_process();
    if (r >= 0)
        r = collect_sockets(service);
    if (r >= 0)
        r = make_loop(service);
    if (r < 0) {
        (void)fprintf(stderr, "%s: 起動できません / cannot start: %s\n", program, strerror(-r));
        service_stop(service);
    }
    return r;
}

int service_take_socket(struct service *service, const char *name)
{
    for (size_t i = 0; i < service->nsockets; i++)
        if (service->sockets[i].fd >= 0 && strcmp(service->sockets[i].name, name) == 0) {
            int fd = service->sockets[i].fd;

            service->sockets[i].fd = -1;
            return fd;
        }
    return -1;
}

/*
 * The supervisor's notification socket, connected before the cage closes: inside it most programs may not make
 * a socket any more, which sd_notify() would do for every word.
 */
static void notify_open(struct service *service)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path != NULL ? strlen(path) : 0;

    service->notify_fd = -1;
    if (len < 2 || len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, len);
    if (address.sun_path[0] == '@') /* an abstract address */
        address.sun_path[0] = '\0';
    service->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (service->notify_fd >= 0 &&
        connect(service->notify_fd, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
        (void)close(service->notify_fd);
        service->notify_fd = -1;
    }
}

/* False when the supervisor's queue is full just now. */
static bool notify(const struct service *service, const char *text)
{
    return service->notify_fd < 0 ||
           send(service->notify_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Many programs start at once and the queue may hold ten words only: a READY=1 that was lost would have the
 * supervisor end a program that is well. */
static void say_ready(struct timer *timer, void *arg)
{
    struct service *service = arg;

    if (!notify(service, "READY=1"))
        (void)timer_set_after(timer, READY_AGAIN_US);
}

static void feed_watchdog(struct timer *timer, void *arg)
{
    struct service *service = arg;

    (void)notify(service, "WATCHDOG=1");
    (void)timer_set_after(timer, service->watchdog_us / 2);
}

int service_cage(struct service *service, const struct cage_spec *spec)
{
    int r;

    notify_open(service);
    service->ready = timer_new(service->clock, say_ready, service);
    if (service->ready == NULL)
        return -ENOMEM;
    if (sd_watchdog_enabled(0, &service->watchdog_us) > 0) {
        service->watchdog = timer_new(service->clock, feed_watchdog, service);
        if (service->watchdog == NULL)
            return -ENOMEM;
        r = timer_set_after(service->watchdog, 0);
        if (r < 0)
            return r;
    }
    log_event(LOG_LEVEL_DEBUG,
              "entering the cage"); /* opens the journal's socket while that is allowed */
    r = cage_enter(spec);
    if (r < 0) {
        log_event(LOG_LEVEL_ERROR, "cannot enter the cage", LOG_ERRNO(r));
        return r;
    }
    if (service->try_cage) {
        int allowed = cage_try(spec);

        (void)fflush(stdout);
        _exit(allowed == 0 ? 0 : 1);
    }
    say_ready(service->ready, service);
    log_event(LOG_LEVEL_INFO, "ready");
    return 0;
}

int service_run(struct service *service)
{
    int r = sd_event_loop(service->loop);

    (void)notify(service, "STOPPING=1");
    if (r < 0)
        log_event(LOG_LEVEL_ERROR, "event loop failed", LOG_ERRNO(r));
    return r == 0 ? 0 : 1;
}

void service_stop(struct service *service)
{
    for (size_t i = 0; i < service->nsockets; i++)
        if (service->sockets[i].fd >= 0)
            (void)close(service->sockets[i].fd);
    service->nsockets = 0;
    timer_free(&service->watchdog);
    timer_free(&service->ready);
    if (service->notify_fd >= 0)
        (void)close(service->notify_fd);
    service->notify_fd = -1;
    clock_free(&service->clock);
    service->loop = sd_event_unref(service->loop);
    config_free(&service->config);
}

int service_credential(const char *name, struct secret *out, size_t most)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[4096];
    ssize_t n;
    int fd, r;

    if (directory == NULL)
        return -ENOENT;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    r = secret_new(out, most + 1);
    if (r < 0)
        goto done;
    while ((n = read(fd, out->data + out->len, out->size - out->len)) > 0)
        out->len += (size_t)n;
    if (n < 0)
        r = -errno;
    else if (out->len > most)
        r = -E2BIG;
    if (r < 0)
        secret_free(out);
done:
    (void)close(fd);
    return r;
}

void service_health_item(struct ipc *ipc, uint32_t request, uint8_t state, uint16_t failure,
                         const char *component, const char *detail, const char *next)
{
    struct msg_health_item item = {.request = request, .state = state, .failure = failure};

    (void)MESSAGE_TEXT(item.component, component);
    (void)MESSAGE_TEXT(item.detail, detail);
    (void)MESSAGE_TEXT(item.next, next);
    (void)ipc_send(ipc, MSG_HEALTH_ITEM, &item);
}

void service_health_ends(struct service *service, struct ipc *ipc, uint32_t request,
                         const char *component, int64_t until, const char *next)
{
    struct msg_health_item item = {.request = request, .until = until};
    int64_t left = until - (int64_t)(clock_realtime_us(service->clock) / CLOCK_SECOND);

    if (until == 0)
        return;
    item.state = left <= 0 ? 2 : left < SERVICE_ENDS_SOON_S ? 1 : 0;
    (void)MESSAGE_TEXT(item.component, component);
    (void)snprintf(item.detail, sizeof(item.detail),
                   left > 0 ? "ends in %lld days" : "ended %lld days ago",
                   (long long)((left > 0 ? left : -left) / 86400));
    (void)MESSAGE_TEXT(item.next, item.state > 0 ? next : "");
    (void)ipc_send(ipc, MSG_HEALTH_ITEM, &item);
}

void service_health_config(struct service *service, struct ipc *ipc, uint32_t request)
{
    static const char next[] = "uketsuke config check で確かめ、プログラムを再起動します / run "
                               "uketsuke config check, then restart the programs";
    struct stat now;

    if (service->config_path == NULL || stat(service->config_path, &now) != 0)
        service_health_item(ipc, request, 1, FAILURE_NONE, "configuration",
                            "起動後に読めなくなりました / cannot be read any more", next);
    else if (now.st_mtim.tv_sec != service->config_read.tv_sec ||
             now.st_mtim.tv_nsec != service->config_read.tv_nsec)
        service_health_item(ipc, request, 1, FAILURE_NONE, "configuration",
                            "起動後に書き換えられました / was changed after the start", next);
    else
        service_health_item(ipc, request, 0, FAILURE_NONE, "configuration",
                            "誤りなし、起動時のまま / no errors, as read at the start", "");
}

void service_health_common(struct service *service, struct ipc *ipc, uint32_t request)
{
    struct cage_status cage;
    char component[48];
    char detail[200];
    const char *next = "";
    uint8_t state = 0;

    cage_status(&cage);
    (void)snprintf(component, sizeof(component), "cage of %.24s%s%.8s", service->program,
                   service->instance[0] != '\0' ? " " : "", service->instance);
    (void)snprintf(detail, sizeof(detail), "seccomp %s, Landlock %s%d, dumps %s",
                   cage.seccomp ? "on" : "OFF", cage.landlock_abi > 0 ? "ABI " : "none ",
                   cage.landlock_abi, cage.no_dumps ? "off" : "ON");
    if (cage.landlock_abi == 0) {
        state = 1;
        next = "このカーネルにはLandlockがありません(5.13以降で有効化) / enable Landlock in the "
               "kernel (5.13 or newer)";
    }
    if (!cage.seccomp || !cage.no_dumps) {
        state = 2;
        next = "プログラムを再起動します / restart the program";
    }
    service_health_item(ipc, request, state, FAILURE_NONE, component, detail, next);
}

void service_health_end(struct ipc *ipc, uint32_t request)
{
    const struct msg_health_end end = {.request = request};

    (void)ipc_send(ipc, MSG_HEALTH_END, &end);
}

int service_socket_path(const struct service *service, const char *name, const char *instance,
                        char *out, size_t size)
{
    int n = snprintf(out, size, "%s/%s%s%s.sock",
                     config_text(service->config, CFG_desk_RUN_DIRECTORY, NULL), name,
                     instance[0] != '\0' ? "-" : "", instance);

    return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

size_t service_peer_uids(const struct service *service, uid_t *out, size_t most)
{
    const char *at = config_text(service->config, CFG_desk_PEERS, NULL);
    size_t n = 0;

    while (*at != '\0' && n < most) {
        char name[64];
        size_t len = strcspn(at, " ");
        const struct passwd *user;

        if (len > 0 && len < sizeof(name)) {
            memcpy(name, at, len);
            name[len] = '\0';
            user = getpwnam(name);
            if (user != NULL)
                out[n++] = user->pw_uid;
            else
                log_event(LOG_LEVEL_WARNING, "no such user",
                          LOG_PUBLIC("user", log_public_from_config(name)));
        }
        at += len;
        at += strspn(at, " ");
    }
    return n;
}
