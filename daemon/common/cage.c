#include "cage.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/videodev2.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of newer kernels than the headers of Debian 12 know (Linux, include/uapi/linux/landlock.h). */
#define FS_TRUNCATE (UINT64_C(1) << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define NET_TCP_BOTH UINT64_C(3)         /* ABI 4: bind, connect */
#define SCOPE_BOTH UINT64_C(3)           /* ABI 6: abstract Unix sockets, signals */
struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

static struct cage_status status;

void cage_status(struct cage_status *out)
{
    *out = status;
}

/* ---- Landlock -------------------------------------------------------------------------------- */

#define FS_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                     \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     FS_TRUNCATE)
#define FS_DEVICES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
/* Every right of ABI 1: what is handled and not granted is refused. */
#define FS_ALL_1 ((UINT64_C(1) << 13) - 1)

/* `rights`: of those that the path wants, the ones that may be given. */
static int landlock_allow(int ruleset, const struct cage_path *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.parent_fd = open(path->path, O_PATH | O_CLOEXEC)};
    struct stat st;
    int r = 0;

    if (rule.parent_fd < 0) {
        if (path->optional && errno == ENOENT)
            return 0;
        r = -errno;
        log_event(LOG_LEVEL_ERROR, "a path of the cage cannot be opened",
                  LOG_PUBLIC("path", log_public_from_config(path->path)), LOG_ERRNO(r));
        return r;
    }
    rule.allowed_access = (path->write ? FS_WRITE | LANDLOCK_ACCESS_FS_REFER : FS_READ) & rights;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= FS_FILE;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        r = -errno;
    (void)close(rule.parent_fd);
    return r;
}

static int landlock_enter(const struct cage_spec *spec)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset_attr attr = {.handled_access_fs = FS_ALL_1};
    size_t size = sizeof(uint64_t);
    int ruleset, r = 0;

    if (abi < 1) {
        log_event(LOG_LEVEL_WARNING, "no Landlock in this kernel");
        return 0;
    }
    if (abi >= 2)
        attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        attr.handled_access_fs |= FS_TRUNCATE;
    if (abi >= 4) {
        size = 2 * sizeof(uint64_t);
        attr.handled_access_net = (spec->calls & CAGE_INET) != 0 ? 0 : NET_TCP_BOTH;
    }
    if (abi >= 5 && (spec->calls & (CAGE_USB | CAGE_VIDEO)) == 0)
        attr.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= 6) {
        size = sizeof(attr);
        attr.scoped = SCOPE_BOTH;
    }
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return -errno;
    for (size_t i = 0; i < spec->npaths && r == 0; i++)
        r = landlock_allow(ruleset, &spec->paths[i],
                           attr.handled_access_fs & ~((spec->calls & CAGE_MOVES) != 0
                                                          ? UINT64_C(0)
                                                          : (uint64_t)LANDLOCK_ACCESS_FS_REFER));
    if (r == 0 && spec->devices != NULL)
        r = landlock_allow(ruleset, &(struct cage_path){.path = spec->devices, .write = true},
                           FS_DEVICES & attr.handled_access_fs);
    if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        r = -errno;
    (void)close(ruleset);
    if (r == 0)
        status.landlock_abi = (int)abi;
    return r;
}

/* ---- seccomp --------------------------------------------------------------------------------- */

#define ALWAYS 0xffffffffu

struct call {
    int number;
    unsigned when; /* any of these groups; ALWAYS: the base */
    /* one condition on an argument: (argument & mask) == value; mask 0: none */
    unsigned argument;
    uint64_t mask;
    uint64_t value;
};

#define CALL(name, when)                                                                           \
    {                                                                                              \
        SCMP_SYS(name), when, 0, 0, 0                                                              \
    }
#define CALL_IF(name, when, argument, mask, value)                                                 \
    {                                                                                              \
        SCMP_SYS(name), when, argument, mask, value                                                \
    }

/* The whole number: direction, size of what is passed, letter, number. */
#define CALL_VIDEO(request) CALL_IF(ioctl, CAGE_VIDEO, 1, UINT64_C(0xffffffff), (uint64_t)(request))

#define CALL_FCNTL(command) CALL_IF(fcntl, ALWAYS, 1, UINT64_C(0xffffffff), (uint64_t)(command))

static const struct call calls[] = {
    /* the given descriptors */
    CALL(read, ALWAYS),
    CALL(write, ALWAYS),
    CALL(readv, ALWAYS),
    CALL(writev, ALWAYS),
    CALL(pread64, ALWAYS),
    CALL(lseek, ALWAYS),
    CALL(close, ALWAYS),
    CALL(close_range, ALWAYS),
    CALL(fstat, ALWAYS),
    CALL_IF(newfstatat, ALWAYS, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
    CALL(dup, ALWAYS),
    CALL(dup2, ALWAYS),
    CALL(dup3, ALWAYS),
    CALL(pipe2, ALWAYS),
    /* by command: F_SETOWN and F_SETSIG would send signals to others */
    CALL_FCNTL(F_DUPFD),
    CALL_FCNTL(F_DUPFD_CLOEXEC),
    CALL_FCNTL(F_GETFD),
    CALL_FCNTL(F_SETFD),
    CALL_FCNTL(F_GETFL),
    CALL_FCNTL(F_SETFL),
    CALL_FCNTL(F_GETLK),
    CALL_FCNTL(F_SETLK),
    CALL_FCNTL(F_SETLKW),
    CALL_FCNTL(F_OFD_GETLK),
    CALL_FCNTL(F_OFD_SETLK),
    CALL_FCNTL(F_OFD_SETLKW),
    CALL_FCNTL(F_ADD_SEALS),
    CALL_FCNTL(F_GET_SEALS),
    CALL(sendmsg, ALWAYS),
    CALL(recvmsg, ALWAYS),
    CALL(sendto, ALWAYS),
    CALL(recvfrom, ALWAYS),
    CALL(shutdown, ALWAYS),
    CALL(getsockopt, ALWAYS),
    CALL(setsockopt, ALWAYS),
    CALL(getsockname, ALWAYS),
    CALL(getpeername, ALWAYS),
    /* the event loop */
    CALL(epoll_create1, ALWAYS),
    CALL(epoll_ctl, ALWAYS),
    CALL(epoll_wait, ALWAYS),
    CALL(epoll_pwait, ALWAYS),
    CALL(epoll_pwait2, ALWAYS),
    CALL(poll, ALWAYS),
    CALL(ppoll, ALWAYS),
    CALL(select, ALWAYS),
    CALL(pselect6, ALWAYS),
    CALL(timerfd_create, ALWAYS),
    CALL(timerfd_settime, ALWAYS),
    CALL(timerfd_gettime, ALWAYS),
    CALL(eventfd2, ALWAYS),
    CALL(signalfd4, ALWAYS),
    /* memory: never executable again */
    CALL(brk, ALWAYS),
    CALL_IF(mmap, ALWAYS, 2, PROT_EXEC, 0),
    CALL_IF(mprotect, ALWAYS, 2, PROT_EXEC, 0),
    CALL(munmap, ALWAYS),
    CALL(mremap, ALWAYS),
    CALL(madvise, ALWAYS),
    CALL(mlock, ALWAYS),
    CALL(mlock2, ALWAYS),
    CALL(munlock, ALWAYS),
    CALL(membarrier, ALWAYS),
    /* time, signals, the process itself */
    CALL(clock_gettime, ALWAYS),
    CALL(clock_getres, ALWAYS),
    CALL(clock_nanosleep, ALWAYS),
    CALL(nanosleep, ALWAYS),
    CALL(gettimeofday, ALWAYS),
    CALL(time, ALWAYS),
    CALL(rt_sigaction, ALWAYS),
    CALL(rt_sigprocmask, ALWAYS),
    CALL(rt_sigreturn, ALWAYS),
    CALL(rt_sigtimedwait, ALWAYS),
    CALL(sigaltstack, ALWAYS),
    CALL(restart_syscall, ALWAYS),
    CALL(getpid, ALWAYS),
    CALL(gettid, ALWAYS),
    CALL(getuid, ALWAYS),
    CALL(geteuid, ALWAYS),
    CALL(getgid, ALWAYS),
    CALL(getegid, ALWAYS),
    CALL(getrandom, ALWAYS),
    CALL(getrusage, ALWAYS),
    CALL(uname, ALWAYS),
    CALL(sysinfo, ALWAYS),
    CALL(futex, ALWAYS),
    CALL(set_robust_list, ALWAYS),
    CALL(rseq, ALWAYS),
    CALL(sched_yield, ALWAYS),
    CALL(getcpu, ALWAYS),
    CALL_IF(prctl, ALWAYS, 0, ~UINT64_C(0), PR_SET_NAME),
    CALL(exit, ALWAYS),
    CALL(exit_group, ALWAYS),
    /* groups */
    CALL_IF(clone, CAGE_THREADS, 0, CLONE_THREAD, CLONE_THREAD),
    CALL(sched_getaffinity, CAGE_THREADS),
    CALL(sched_setaffinity, CAGE_THREADS),
    CALL(sched_getparam, CAGE_THREADS),
    CALL(sched_getscheduler, CAGE_THREADS),
    CALL(set_tid_address, CAGE_THREADS),
    CALL_IF(openat, CAGE_FILES_READ, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CALL_IF(open, CAGE_FILES_READ, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CALL(openat, CAGE_FILES_WRITE),
    CALL(open, CAGE_FILES_WRITE),
    CALL(newfstatat, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(stat, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(lstat, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(statx, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(access, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(faccessat, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(faccessat2, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(readlink, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(readlinkat, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(getcwd, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(statfs, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(fstatfs, CAGE_FILES_READ | CAGE_FILES_WRITE),
    CALL(pwrite64, CAGE_FILES_WRITE),
    CALL(pwritev, CAGE_FILES_WRITE),
    CALL(fsync, CAGE_FILES_WRITE),
    CALL(fdatasync, CAGE_FILES_WRITE),
    CALL(ftruncate, CAGE_FILES_WRITE | CAGE_FD_PASS),
    CALL(fallocate, CAGE_FILES_WRITE),
    CALL(unlink, CAGE_FILES_WRITE),
    CALL(unlinkat, CAGE_FILES_WRITE),
    CALL(rename, CAGE_FILES_WRITE),
    CALL(renameat, CAGE_FILES_WRITE),
    CALL(renameat2, CAGE_FILES_WRITE),
    CALL(mkdir, CAGE_FILES_WRITE),
    CALL(mkdirat, CAGE_FILES_WRITE),
    CALL(fchmod, CAGE_FILES_WRITE),
    CALL(fchown, CAGE_FILES_WRITE),
    CALL(flock, CAGE_FILES_WRITE),
    CALL(utimensat, CAGE_FILES_WRITE),
    CALL(umask, CAGE_FILES_WRITE),
    CALL_IF(socket, CAGE_UNIX, 0, ~UINT64_C(0), AF_UNIX),
    CALL(connect, CAGE_UNIX | CAGE_INET),
    CALL_IF(socket, CAGE_INET, 0, ~UINT64_C(0), AF_INET),
    CALL_IF(socket, CAGE_INET, 0, ~UINT64_C(0), AF_INET6),
    CALL_IF(socket, CAGE_INET | CAGE_NETLINK, 0, ~UINT64_C(0), AF_NETLINK),
    CALL(bind, CAGE_INET | CAGE_NETLINK),
    CALL(sendmmsg, CAGE_INET),
    CALL(recvmmsg, CAGE_INET),
    CALL_IF(socketpair, CAGE_INET, 0, ~UINT64_C(0), AF_UNIX),
    CALL(accept4, CAGE_ACCEPT),
    CALL(accept, CAGE_ACCEPT),
    CALL_IF(ioctl, CAGE_USB, 1, 0xff00, 'U' << 8),
    CALL_VIDEO(VIDIOC_QUERYCAP),
    CALL_VIDEO(VIDIOC_ENUM_FMT),
    CALL_VIDEO(VIDIOC_ENUM_FRAMESIZES),
    CALL_VIDEO(VIDIOC_ENUM_FRAMEINTERVALS),
    CALL_VIDEO(VIDIOC_S_FMT),
    CALL_VIDEO(VIDIOC_S_PARM),
    CALL_VIDEO(VIDIOC_REQBUFS),
    CALL_VIDEO(VIDIOC_QUERYBUF),
    CALL_VIDEO(VIDIOC_QBUF),
    CALL_VIDEO(VIDIOC_DQBUF),
    CALL_VIDEO(VIDIOC_STREAMON),
    CALL_VIDEO(VIDIOC_STREAMOFF),
    CALL_VIDEO(VIDIOC_QUERYCTRL),
    CALL_VIDEO(VIDIOC_S_CTRL),
    CALL(memfd_create, CAGE_FD_PASS),
    CALL(getdents64, CAGE_DIRECTORY),
    CALL(inotify_init1, CAGE_DIRECTORY),
    CALL(inotify_add_watch, CAGE_DIRECTORY),
    CALL(inotify_rm_watch, CAGE_DIRECTORY),
    CALL(adjtimex, CAGE_CLOCK),
};

static int add_call(scmp_filter_ctx filter, const struct call *call)
{
    int r;

    if (call->mask == 0)
        return seccomp_rule_add_exact_array(filter, SCMP_ACT_ALLOW, call->number, 0, NULL);
    r = seccomp_rule_add_exact_array(
        filter, SCMP_ACT_ALLOW, call->number, 1,
        &(struct scmp_arg_cmp){call->argument, SCMP_CMP_MASKED_EQ, call->mask, call->value});
    return r;
}

static int seccomp_enter(const struct cage_spec *spec)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = -ENOMEM;

    if (filter == NULL)
        return r;
    /* Threads that were warmed up before the cage are caged with the rest. */
    r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* glibc falls back to clone(), whose flags a filter can see. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    /* abort() and a watchdog's SIGABRT to ourselves, nobody else. */
    if (r == 0)
        r = seccomp_rule_add_array(
            filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
            &(struct scmp_arg_cmp){0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0});
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && r == 0; i++) {
        if (calls[i].when != ALWAYS && (calls[i].when & spec->calls) == 0)
            continue;
        r = add_call(filter, &calls[i]);
        if (r == -EEXIST) /* a wider rule for the same call stands already */
            r = 0;
    }
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    status.seccomp = r == 0;
    return r;
}

int cage_enter(const struct cage_spec *spec)
{
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    status.no_dumps = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
    r = landlock_enter(spec);
    return r < 0 ? r : seccomp_enter(spec);
}
