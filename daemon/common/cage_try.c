/* The break-out test of every program: each attempt is a system call that the design refuses. */
#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Each returns 0 or more when the system let it through. */
static long try_read_passwords(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long try_read_process(void)
{
    return open("/proc/1/environ", O_RDONLY | O_CLOEXEC);
}

static long try_create_file(void)
{
    return open("/tmp/uketsuke-escaped", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long try_device(void)
{
    return open("/dev/mem", O_RDWR | O_CLOEXEC);
}

static long try_socket_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_socket_inet(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_socket_inet6(void)
{
    return socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long try_socket_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long try_socket_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

/* A path that does not exist: refused is EPERM, let through is ENOENT (and this process is still here). */
static long try_exec(void)
{
    static char *const none[] = {NULL};

    (void)execve("/nonexistent/uketsuke", none, none);
    return errno == ENOENT ? 0 : -1;
}

static long try_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        _exit(0);
    return pid;
}

static long try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_memory_of_parent(void)
{
    char byte;
    struct iovec here = {&byte, 1};
    struct iovec there = {(void *)(uintptr_t)&try_memory_of_parent, 1};

    (void)process_vm_readv(getppid(), &here, 1, &there, 1, 0);
    /* Let through, the kernel would have looked for the memory (EFAULT) or the process (ESRCH). */
    return errno == EPERM || errno == ENOSYS ? -1 : 0;
}

static long try_signal_parent(void)
{
    return kill(getppid(), 0);
}

/* A descriptor whose owner is another process signals it when data comes. */
static long try_signal_by_descriptor(void)
{
    return fcntl(STDOUT_FILENO, F_SETOWN, getppid());
}

static long try_executable_memory(void)
{
    void *map =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return map == MAP_FAILED ? -1 : 0;
}

static long try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_io_uring(void)
{
    (void)syscall(SYS_io_uring_setup, 1, NULL);
    return errno == EPERM || errno == ENOSYS ? -1 : 0;
}

static long try_keys(void)
{
    return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 0);
}

/* A camera's registers: refused is EPERM, let through finds no device (EBADF). */
static long try_camera_registers(void)
{
    struct v4l2_dbg_register registers = {0};

    (void)ioctl(-1, VIDIOC_DBG_S_REGISTER, &registers);
    return errno == EPERM ? -1 : 0;
}

static const struct attempt {
    const char *name;
    long (*run)(void);
    unsigned granted; /* a group that rightly lets it through */
} attempts[] = {
    {"read /etc/passwd", try_read_passwords, 0},
    {"read another process", try_read_process, 0},
    {"create a file outside", try_create_file, 0},
    {"open a device", try_device, 0},
    {"a Unix socket", try_socket_unix, CAGE_UNIX},
    {"an IPv4 socket", try_socket_inet, CAGE_INET},
    {"an IPv6 socket", try_socket_inet6, CAGE_INET},
    {"a packet socket", try_socket_packet, 0},
    {"a netlink socket", try_socket_netlink, CAGE_INET | CAGE_NETLINK},
    {"exec", try_exec, 0},
    {"fork", try_fork, 0},
    {"ptrace", try_ptrace, 0},
    {"another's memory", try_memory_of_parent, 0},
    {"signal another", try_signal_parent, 0},
    {"signal another by a descriptor", try_signal_by_descriptor, 0},
    {"executable memory", try_executable_memory, 0},
    {"a new user namespace", try_unshare, 0},
    {"io_uring", try_io_uring, 0},
    {"registers of a camera", try_camera_registers, 0},
    {"kernel keyrings", try_keys, 0},
};

int cage_try(const struct cage_spec *spec)
{
    int wrong = 0;

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const struct attempt *a = &attempts[i];
        bool through = a->run() >= 0;
        bool granted = (a->granted & spec->calls) != 0;

        (void)printf("%s %s\n", !through ? "refused" : granted ? "granted" : "ALLOWED", a->name);
        wrong += through && !granted;
    }
    return wrong;
}
