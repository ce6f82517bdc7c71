#include "short_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#ifndef SHORT_PRELOADED
#include <sqlite3.h>
#endif

static struct short_state own = {.kind = -1};
static struct short_state *at = &own;

/* Where the code of the libraries lies that are spared. */
#define SPARED_MOST 128
static struct {
    uintptr_t from, to;
} spared[SPARED_MOST];
static size_t nspared;

/* Preloaded: the state is a file of the test's, everything is inside. */
#ifdef SHORT_PRELOADED
static bool is_named(const char *path, const char *words)
{
    char word[48];
    size_t n;

    for (; *words != '\0'; words += n + (words[n] != '\0')) {
        n = strcspn(words, " ,");
        if (n == 0 || n >= sizeof(word))
            continue;
        memcpy(word, words, n);
        word[n] = '\0';
        if (strstr(path, word) != NULL)
            return true;
    }
    return false;
}

static int spare(struct dl_phdr_info *info, size_t size, void *words)
{
    (void)size;
    for (int i = 0; is_named(info->dlpi_name, words) && i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0 &&
            nspared < SPARED_MOST) {
            spared[nspared].from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            spared[nspared].to = spared[nspared].from + info->dlpi_phdr[i].p_memsz;
            nspared++;
        }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SHORT_STATE");
    char *words = getenv("SHORT_SPARE");
    int fd = path != NULL ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (words != NULL)
        (void)dl_iterate_phdr(spare, words);
    if (fd < 0)
        return;
    map = (void *)syscall(SYS_mmap, NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        at = map;
    (void)syscall(SYS_close, fd);
    at->live = 0;
}
#endif

static bool is_spared(const void *caller)
{
    for (size_t i = 0; i < nspared; i++)
        if ((uintptr_t)caller >= spared[i].from && (uintptr_t)caller < spared[i].to)
            return true;
    return false;
}

static bool fails_for(const void *caller, enum short_kind kind, const char *name)
{
    struct short_state *s = at;
    unsigned calls;

    if (s->kind != (int)kind || s->inside <= 0 || is_spared(caller))
        return false;
    calls = __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);
    if (calls != s->n &&
        (s->every == 0 || s->n == 0 || calls < s->n || (calls - s->n) % s->every != 0))
        return false;
    (void)__atomic_add_fetch(&s->refused, 1, __ATOMIC_SEQ_CST);
    for (size_t i = 0; i < sizeof(s->failed) - 1 && (i == 0 || name[i - 1] != '\0'); i++)
        s->failed[i] = name[i];
    return true;
}
/* In the function that stands for another: who called it? */
#define fails(kind, name) fails_for(__builtin_return_address(0), kind, name)

void short_in(void)
{
    at->inside++;
}

void short_out(void)
{
    at->inside--;
}

int short_pause(void)
{
    int was = at->inside;

    at->inside = 0;
    return was;
}

void short_resume(int was)
{
    at->inside = was;
}

void short_arm(enum short_kind kind, unsigned n)
{
    at->calls = 0;
    at->n = n;
    at->every = 0;
    at->failed[0] = '\0';
    at->kind = (int)kind;
}

unsigned short_disarm(void)
{
    at->kind = -1;
    return at->calls;
}

const char *short_failed(void)
{
    return at->failed[0] != '\0' ? at->failed : NULL;
}

long short_live(void)
{
    return at->live;
}

/* -- memory ------------------------------------------------------------------------------------ */

#ifndef __SANITIZE_ADDRESS__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *memalign(size_t alignment, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

static void *counted(void *block)
{
    if (block != NULL)
        (void)__atomic_add_fetch(&at->live, 1, __ATOMIC_SEQ_CST);
    return block;
}

static void *none(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return fails(SHORT_MEMORY, "malloc") ? none() : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails(SHORT_MEMORY, "calloc") ? none() : counted(__libc_calloc(count, size));
}

void *__libc_memalign(size_t alignment, size_t size);

static void *aligned(size_t alignment, size_t size, const void *caller)
{
    return fails_for(caller, SHORT_MEMORY, "memalign") ? none()
                                                       : counted(__libc_memalign(alignment, size));
}

void *memalign(size_t alignment, size_t size)
{
    return aligned(alignment, size, __builtin_return_address(0));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return aligned(alignment, size, __builtin_return_address(0));
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *block = aligned(alignment, size, __builtin_return_address(0));

    if (block != NULL)
        *out = block;
    return block != NULL ? 0 : ENOMEM;
}

void *realloc(void *old, size_t size)
{
    void *block;

    if (size > 0 && fails(SHORT_MEMORY, "realloc"))
        return none();
    block = __libc_realloc(old, size);
    if (old == NULL)
        return counted(block);
    if (size == 0)
        (void)__atomic_sub_fetch(&at->live, 1, __ATOMIC_SEQ_CST);
    return block;
}

void free(void *block)
{
    if (block != NULL)
        (void)__atomic_sub_fetch(&at->live, 1, __ATOMIC_SEQ_CST);
    __libc_free(block);
}
#endif

/* -- system calls: by the linker's name, for the headers have their own ideas of these --------- */

#define TAKES(name) __asm__(#name)
#define TWIN(name, of) __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name ", " #of)
/* The call itself; -1 and errno as the C library has it. */
#define SYSTEM(kind, type, name, number, error, parameters, ...)                                   \
    type short_##name parameters TAKES(name);                                                      \
    type short_##name parameters                                                                   \
    {                                                                                              \
        if (fails(SHORT_##kind, #name)) {                                                          \
            errno = error;                                                                         \
            return (type)-1;                                                                       \
        }                                                                                          \
        return (type)syscall(number, __VA_ARGS__);                                                 \
    }

#define MODE(flags)                                                                                \
    unsigned mode = 0;                                                                             \
    if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                              \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, unsigned);                                                             \
        va_end(list);                                                                              \
    }

/*
 * Preloaded, another library may stand behind this one that has its own idea of some of these (a host
 * made by hand): they are passed on to it.
 */
#ifdef SHORT_PRELOADED
static void *passed_to(const char *name)
{
    int was = short_pause();
    void *next = dlsym(RTLD_NEXT, name);

    short_resume(was);
    return next;
}
#define PASSED_ON(kind, type, name, number, error, parameters, ...)                                \
    type short_##name parameters TAKES(name);                                                      \
    type short_##name parameters                                                                   \
    {                                                                                              \
        static type(*next) parameters;                                                             \
        if (fails(SHORT_##kind, #name)) {                                                          \
            errno = error;                                                                         \
            return (type)-1;                                                                       \
        }                                                                                          \
        if (next == NULL)                                                                          \
            *(void **)&next = passed_to(#name);                                                    \
        return next(__VA_ARGS__);                                                                  \
    }
#else
#define PASSED_ON SYSTEM
#endif

static int open_at(int dir, const char *path, int flags, unsigned mode)
{
#ifdef SHORT_PRELOADED
    static int (*next)(int, const char *, int, ...);

    if (next == NULL)
        *(void **)&next = passed_to("openat");
    return next(dir, path, flags | O_LARGEFILE, mode);
#else
    return (int)syscall(SYS_openat, dir, path, flags | O_LARGEFILE, mode);
#endif
}

int short_open(const char *path, int flags, ...) TAKES(open);
int short_open(const char *path, int flags, ...)
{
    MODE(flags)
    if (fails(SHORT_FILES, "open")) {
        errno = EMFILE;
        return -1;
    }
    return open_at(AT_FDCWD, path, flags, mode);
}
TWIN(open64, open);

int short_openat(int dir, const char *path, int flags, ...) TAKES(openat);
int short_openat(int dir, const char *path, int flags, ...)
{
    MODE(flags)
    if (fails(SHORT_FILES, "openat")) {
        errno = EMFILE;
        return -1;
    }
    return open_at(dir, path, flags, mode);
}
TWIN(openat64, openat);

/* No more room for files: what would be written into one is not. */
static bool is_full(int fd, const void *caller, const char *name)
{
    struct stat st;

    return at->kind == SHORT_SPACE && syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) &&
           fails_for(caller, SHORT_SPACE, name);
}
#define WRITES(type, name, number, parameters, ...)                                                \
    type short_##name parameters TAKES(name);                                                      \
    type short_##name parameters                                                                   \
    {                                                                                              \
        if (fails(SHORT_FILES, #name) || is_full(fd, __builtin_return_address(0), #name)) {        \
            errno = ENOSPC;                                                                        \
            return (type)-1;                                                                       \
        }                                                                                          \
        return (type)syscall(number, __VA_ARGS__);                                                 \
    }
WRITES(ssize_t, write, SYS_write, (int fd, const void *data, size_t len), fd, data, len)
WRITES(ssize_t, pwrite, SYS_pwrite64, (int fd, const void *data, size_t len, off_t to), fd, data,
       len, to)
TWIN(pwrite64, pwrite);
SYSTEM(FILES, ssize_t, pread, SYS_pread64, EIO, (int fd, void *data, size_t len, off_t from), fd,
       data, len, from)
TWIN(pread64, pread);
WRITES(int, ftruncate, SYS_ftruncate, (int fd, off_t size), fd, size)
TWIN(ftruncate64, ftruncate);
SYSTEM(FILES, int, fsync, SYS_fsync, EIO, (int fd), fd)
SYSTEM(FILES, int, fdatasync, SYS_fdatasync, EIO, (int fd), fd)
SYSTEM(FILES, int, rename, SYS_rename, ENOSPC, (const char *from, const char *to), from, to)
SYSTEM(FILES, int, renameat, SYS_renameat, ENOSPC,
       (int dir, const char *from, int other, const char *to), dir, from, other, to)
SYSTEM(FILES, int, unlink, SYS_unlink, EIO, (const char *path), path)

SYSTEM(MEMORY, int, memfd_create, SYS_memfd_create, ENOMEM, (const char *name, unsigned flags),
       name, flags)

PASSED_ON(TALK, int, socket, SYS_socket, EMFILE, (int domain, int type, int protocol), domain, type,
          protocol)
PASSED_ON(TALK, int, connect, SYS_connect, ECONNREFUSED,
          (int fd, const void *address, unsigned len), fd, address, len)
SYSTEM(TALK, int, accept4, SYS_accept4, EMFILE, (int fd, void *address, void *len, int flags), fd,
       address, len, flags)
SYSTEM(TALK, ssize_t, sendmsg, SYS_sendmsg, ENOBUFS, (int fd, const void *message, int flags), fd,
       message, flags)
PASSED_ON(TALK, ssize_t, recvmsg, SYS_recvmsg, ENOMEM, (int fd, void *message, int flags), fd,
          message, flags)
SYSTEM(TALK, ssize_t, send, SYS_sendto, ENOBUFS, (int fd, const void *data, size_t len, int flags),
       fd, data, len, flags, NULL, 0)
SYSTEM(TALK, ssize_t, recv, SYS_recvfrom, ENOMEM, (int fd, void *data, size_t len, int flags), fd,
       data, len, flags, NULL, NULL)

/* Adding alone can fail for want of anything (epoll_ctl(2)). */
int short_epoll_ctl(int fd, int what, int other, void *event) TAKES(epoll_ctl);
int short_epoll_ctl(int fd, int what, int other, void *event)
{
    if (what == 1 /* EPOLL_CTL_ADD */ && fails(SHORT_TALK, "epoll_ctl")) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, fd, what, other, event);
}

SYSTEM(TALK, int, timerfd_create, SYS_timerfd_create, EMFILE, (int clock, int flags), clock, flags)
SYSTEM(TALK, int, timerfd_settime, SYS_timerfd_settime, EINVAL,
       (int fd, int flags, const void *new, void *old), fd, flags, new, old)
SYSTEM(TALK, int, eventfd, SYS_eventfd2, EMFILE, (unsigned value, int flags), value, flags)

#ifdef SHORT_PRELOADED
/* The clock on the wall, as its program sees it. */
int short_clock_gettime(clockid_t id, struct timespec *now) TAKES(clock_gettime);
int short_clock_gettime(clockid_t id, struct timespec *now)
{
    const int r = (int)syscall(SYS_clock_gettime, id, now);

    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += at->clock_s;
    return r;
}

time_t short_time(time_t *out) TAKES(time);
time_t short_time(time_t *out)
{
    struct timespec now;

    (void)short_clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
#endif

/* -- libraries: the next one of that name ------------------------------------------------------ */

/* What the library calls of its own is its own affair (its memory is failed above); a preloaded one
 * sees everybody's. */
static bool ours(const void *caller)
{
#ifdef SHORT_PRELOADED
    return caller != NULL;
#else
    extern const char __executable_start[], etext[];

    return (const char *)caller >= __executable_start && (const char *)caller < etext;
#endif
}

#define LIBRARY(kind, type, name, parameters, arguments, failure)                                  \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*next) parameters;                                                             \
        if (next == NULL) {                                                                        \
            int was = short_pause();                                                               \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                             \
            short_resume(was);                                                                     \
        }                                                                                          \
        if (ours(__builtin_return_address(0)) && fails(SHORT_##kind, #name))                       \
            return failure;                                                                        \
        return next arguments;                                                                     \
    }

#ifndef SHORT_PRELOADED
LIBRARY(SQLITE, int, sqlite3_open_v2, (const char *path, sqlite3 **db, int flags, const char *vfs),
        (path, db, flags, vfs), (*db = NULL, SQLITE_CANTOPEN))
LIBRARY(SQLITE, int, sqlite3_prepare_v2,
        (sqlite3 * db, const char *sql, int len, sqlite3_stmt **out, const char **rest),
        (db, sql, len, out, rest), (*out = NULL, SQLITE_NOMEM))
LIBRARY(SQLITE, int, sqlite3_prepare_v3,
        (sqlite3 * db, const char *sql, int len, unsigned flags, sqlite3_stmt **out,
         const char **rest),
        (db, sql, len, flags, out, rest), (*out = NULL, SQLITE_NOMEM))
LIBRARY(SQLITE, int, sqlite3_exec,
        (sqlite3 * db, const char *sql, int (*each)(void *, int, char **, char **), void *arg,
         char **error),
        (db, sql, each, arg, error), SQLITE_IOERR)
LIBRARY(SQLITE, int, sqlite3_step, (sqlite3_stmt * statement), (statement), SQLITE_IOERR)
LIBRARY(SQLITE, int, sqlite3_bind_int64, (sqlite3_stmt * statement, int n, sqlite3_int64 value),
        (statement, n, value), SQLITE_NOMEM)
LIBRARY(SQLITE, int, sqlite3_bind_text,
        (sqlite3_stmt * statement, int n, const char *text, int len, void (*end)(void *)),
        (statement, n, text, len, end), SQLITE_NOMEM)
LIBRARY(SQLITE, int, sqlite3_bind_blob64,
        (sqlite3_stmt * statement, int n, const void *data, sqlite3_uint64 len,
         void (*end)(void *)),
        (statement, n, data, len, end), SQLITE_NOMEM)
LIBRARY(SQLITE, int, sqlite3_wal_checkpoint_v2,
        (sqlite3 * db, const char *name, int mode, int *log, int *done),
        (db, name, mode, log, done), SQLITE_IOERR)
#endif

#define RAISED(value) (ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE), value)
LIBRARY(CRYPTO, EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), RAISED(NULL))
LIBRARY(CRYPTO, int, EVP_CipherInit_ex,
        (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *impl, const unsigned char *key,
         const unsigned char *iv, int enc),
        (ctx, cipher, impl, key, iv, enc), RAISED(0))
LIBRARY(CRYPTO, int, EVP_CipherUpdate,
        (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
        (ctx, out, out_len, in, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_CipherFinal_ex, (EVP_CIPHER_CTX * ctx, unsigned char *out, int *len),
        (ctx, out, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_EncryptInit_ex,
        (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *impl, const unsigned char *key,
         const unsigned char *iv),
        (ctx, cipher, impl, key, iv), RAISED(0))
LIBRARY(CRYPTO, int, EVP_EncryptUpdate,
        (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
        (ctx, out, out_len, in, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_EncryptFinal_ex, (EVP_CIPHER_CTX * ctx, unsigned char *out, int *len),
        (ctx, out, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_DecryptInit_ex,
        (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *impl, const unsigned char *key,
         const unsigned char *iv),
        (ctx, cipher, impl, key, iv), RAISED(0))
LIBRARY(CRYPTO, int, EVP_DecryptUpdate,
        (EVP_CIPHER_CTX * ctx, unsigned char *out, int *out_len, const unsigned char *in, int len),
        (ctx, out, out_len, in, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_DecryptFinal_ex, (EVP_CIPHER_CTX * ctx, unsigned char *out, int *len),
        (ctx, out, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * ctx, int type, int arg, void *data),
        (ctx, type, arg, data), RAISED(0))
LIBRARY(CRYPTO, EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), RAISED(NULL))
LIBRARY(CRYPTO, int, EVP_Digest,
        (const void *data, size_t len, unsigned char *out, unsigned *out_len, const EVP_MD *type,
         ENGINE *impl),
        (data, len, out, out_len, type, impl), RAISED(0))
LIBRARY(CRYPTO, int, EVP_DigestInit_ex, (EVP_MD_CTX * ctx, const EVP_MD *type, ENGINE *impl),
        (ctx, type, impl), RAISED(0))
LIBRARY(CRYPTO, int, EVP_DigestUpdate, (EVP_MD_CTX * ctx, const void *data, size_t len),
        (ctx, data, len), RAISED(0))
LIBRARY(CRYPTO, int, EVP_DigestFinal_ex, (EVP_MD_CTX * ctx, unsigned char *out, unsigned *len),
        (ctx, out, len), RAISED(0))
LIBRARY(CRYPTO, unsigned char *, HMAC,
        (const EVP_MD *type, const void *key, int key_len, const unsigned char *data, size_t len,
         unsigned char *out, unsigned *out_len),
        (type, key, key_len, data, len, out, out_len), RAISED(NULL))
LIBRARY(CRYPTO, int, RAND_bytes, (unsigned char *out, int len), (out, len), RAISED(0))
LIBRARY(CRYPTO, EVP_KDF *, EVP_KDF_fetch,
        (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties),
        RAISED(NULL))
LIBRARY(CRYPTO, EVP_KDF_CTX *, EVP_KDF_CTX_new, (EVP_KDF * kdf), (kdf), RAISED(NULL))
LIBRARY(CRYPTO, int, EVP_KDF_derive,
        (EVP_KDF_CTX * ctx, unsigned char *key, size_t len, const OSSL_PARAM params[]),
        (ctx, key, len, params), RAISED(0))
LIBRARY(CRYPTO, X509 *, d2i_X509, (X509 * *out, const unsigned char **in, long len), (out, in, len),
        RAISED(NULL))
