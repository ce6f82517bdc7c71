/*
 * search-secrets PATTERNS files PATH...       every file below the paths, symbolic links not followed
 * search-secrets PATTERNS memory NAME=PID...  every readable mapping and every memfd of a process, its
 *                                             environment and command line
 * search-secrets PATTERNS hold                keeps all of them in memory of its own, says "held", and
 *                                             waits for the end of its input: something to be found
 *
 * PATTERNS has a line each:
 *   NAME text TEXT        these bytes
 *   NAME digits DIGITS    these digits, with no other digit beside them, and not amidst sixteen or more
 *                         hexadecimal ones (of a token, a nonce, a hash: any four stand there by chance)
 *   NAME hex HEX
 *   NAME parts FILE       three runs of 24 bytes out of the file's inside
 *   NAME pixels FILE      runs of brightness out of a JPEG, from its middle and from its last rows (what a
 *                         decoder holds longest), where the picture is lively enough to be known again
 *
 * A line for everything found ("found NAME in WHERE ..."; of a process with the address, what its
 * mapping is and whether it is locked and left out of dumps), one for what could not be read, and one
 * in the end with what was searched. The status says only whether the search could be made.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <turbojpeg.h>
#include <unistd.h>

#define LONGEST 64
#define RUN 24
#define BLOCK ((size_t)1 << 20)
#define NAME_MAX_BYTES 24
#define HEXADECIMAL_RUN 16u
#define BEFORE HEXADECIMAL_RUN /* bytes that are held before the one looked at */

struct pattern {
    char name[NAME_MAX_BYTES];
    uint8_t bytes[LONGEST];
    size_t len;
    bool digits;
    int next; /* in the same row of heads */
};

static struct {
    struct pattern *all;
    size_t count, room;
    int heads[65536];
    unsigned long long bytes; /* searched */
    unsigned places, found, unread;
} search;

/* By its first four bytes: memory is full of things that begin with the same two. */
static unsigned row_of(const uint8_t *at)
{
    uint32_t key;

    memcpy(&key, at, sizeof(key));
    return (key * UINT32_C(2654435761)) >> 16;
}

/* ---- patterns -------------------------------------------------------------------------------- */

static bool add(const char *name, const uint8_t *bytes, size_t len, bool digits)
{
    struct pattern *p;
    unsigned head;

    if (len < 4 || len > LONGEST || strlen(name) >= NAME_MAX_BYTES)
        return false;
    if (search.count == search.room) {
        size_t room = search.room * 2 + 64;
        struct pattern *grown = realloc(search.all, room * sizeof(*grown));

        if (grown == NULL)
            return false;
        search.all = grown;
        search.room = room;
    }
    p = &search.all[search.count];
    memset(p, 0, sizeof(*p));
    (void)strcpy(p->name, name);
    memcpy(p->bytes, bytes, len);
    p->len = len;
    p->digits = digits;
    head = row_of(bytes);
    p->next = search.heads[head];
    search.heads[head] = (int)search.count++;
    return true;
}

static bool add_hex(const char *name, const char *text)
{
    uint8_t bytes[LONGEST];
    size_t len = 0;
    unsigned byte;
    int used;

    for (; *text != '\0'; text += used, len++) {
        if (len == LONGEST || sscanf(text, "%2x%n", &byte, &used) != 1 || used != 2)
            return false;
        bytes[len] = (uint8_t)byte;
    }
    return add(name, bytes, len, false);
}

/* What lies at a quarter, a half and three quarters: no header, and not what other files have. */
static bool add_parts(const char *name, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t run[RUN];
    struct stat st;
    bool good = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 16 * RUN;

    for (int quarter = 1; good && quarter < 4; quarter++)
        good = pread(fd, run, sizeof(run), st.st_size * quarter / 4) == (ssize_t)sizeof(run) &&
               add(name, run, sizeof(run), false);
    if (fd >= 0)
        (void)close(fd);
    return good;
}

/* Some runs of a row, if they differ enough from anything flat. */
static bool add_row(const char *name, const uint8_t *row, int width)
{
    bool good = true;

    for (int quarter = 1; good && quarter < 4; quarter++) {
        const uint8_t *run = row + width * quarter / 4;
        int low = 255, high = 0;

        for (int i = 0; i < RUN; i++) {
            low = run[i] < low ? run[i] : low;
            high = run[i] > high ? run[i] : high;
        }
        good = high - low < 24 || add(name, run, RUN, false);
    }
    return good;
}

static bool add_pixels(const char *name, const char *path)
{
    static uint8_t jpeg[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC), width = 0, height = 0, sampling, colours;
    ssize_t len = fd >= 0 ? read(fd, jpeg, sizeof(jpeg)) : -1;
    tjhandle handle = tjInitDecompress();
    uint8_t *grey = NULL;
    bool good = len > 0 && handle != NULL &&
                tjDecompressHeader3(handle, jpeg, (unsigned long)len, &width, &height, &sampling,
                                    &colours) == 0 &&
                width > 8 * RUN && height > 64;

    if (good)
        grey = malloc((size_t)width * (size_t)height);
    good = good && grey != NULL &&
           tjDecompress2(handle, jpeg, (unsigned long)len, grey, width, 0, height, TJPF_GRAY, 0) ==
               0 &&
           add_row(name, grey + (size_t)width * ((size_t)height / 2), width) &&
           add_row(name, grey + (size_t)width * ((size_t)height - 3), width);
    free(grey);
    if (handle != NULL)
        (void)tjDestroy(handle);
    if (fd >= 0)
        (void)close(fd);
    return good;
}

static bool read_patterns(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[PATH_MAX + 64], name[NAME_MAX_BYTES], kind[8], what[PATH_MAX];
    bool good = file != NULL;

    memset(search.heads, 0xff, sizeof(search.heads));
    while (good && fgets(line, sizeof(line), file) != NULL) {
        good = sscanf(line, "%23s %7s %4095s", name, kind, what) == 3;
        if (!good)
            break;
        if (strcmp(kind, "text") == 0 || strcmp(kind, "digits") == 0)
            good = add(name, (const uint8_t *)what, strlen(what), kind[0] == 'd');
        else if (strcmp(kind, "hex") == 0)
            good = add_hex(name, what);
        else if (strcmp(kind, "pixels") == 0)
            good = add_pixels(name, what);
        else
            good = strcmp(kind, "parts") == 0 && add_parts(name, what);
    }
    if (!good)
        (void)fprintf(stderr, "search-secrets: %s: %s\n", path,
                      file == NULL ? strerror(errno)
                                   : "a line that says nothing, or of a file that cannot be read");
    if (file != NULL)
        (void)fclose(file);
    return good && search.count > 0;
}

/* ---- the search ------------------------------------------------------------------------------ */

/* Where bytes come from; at most so many, -1: none, 0: the end. */
typedef ssize_t read_fn(void *arg, uint64_t at, void *out, size_t most);
/* Said of everything found there. */
typedef void tell_fn(void *arg, const char *name, uint64_t at);

static bool stands_alone(const uint8_t *at, size_t len, size_t left)
{
    size_t from = 0, to = len;

    if (isdigit(at[-1]) || (len < left && isdigit(at[len])))
        return false;
    while (from < BEFORE && isxdigit(*(at - from - 1)))
        from++;
    while (to < left && to < HEXADECIMAL_RUN && isxdigit(at[to]))
        to++;
    return from + to < HEXADECIMAL_RUN;
}

static void look_at(const uint8_t *at, uint64_t where, tell_fn *tell, void *arg, size_t left)
{
    for (int i = search.heads[row_of(at)]; i >= 0; i = search.all[i].next) {
        const struct pattern *p = &search.all[i];

        if (left < p->len || memcmp(at, p->bytes, p->len) != 0)
            continue;
        if (p->digits && !stands_alone(at, p->len, left))
            continue;
        search.found++;
        tell(arg, p->name, where);
    }
}

/* From `from` to `to` (0: to the end), block by block; what lies across two is found in the second. */
static void look_through(uint64_t from, uint64_t to, read_fn *take, tell_fn *tell, void *arg)
{
    static uint8_t room[BEFORE + LONGEST + BLOCK];
    size_t held = 0; /* bytes behind those that wait for what follows them */
    uint64_t at = from;
    bool more = true;

    memset(room, 0, BEFORE);
    while (more) {
        size_t want = to != 0 && to - at < BLOCK ? (size_t)(to - at) : BLOCK, stop;
        ssize_t n = want > 0 ? take(arg, at, room + BEFORE + held, want) : 0;

        if (n < 0) {
            search.unread++;
            n = 0;
        }
        more = n > 0;
        at += (uint64_t)n;
        search.bytes += (unsigned long long)n;
        held += (size_t)n;
        /* The last ones can only be judged with what comes after. */
        stop = !more ? held : held > LONGEST ? held - LONGEST : 0;
        for (size_t i = 0; i + 4 <= held && i < stop; i++)
            look_at(room + BEFORE + i, at - held + i, tell, arg, held - i);
        memmove(room, room + stop, held - stop + BEFORE);
        held -= stop;
    }
    search.places++;
}

static ssize_t take_at(void *arg, uint64_t at, void *out, size_t most)
{
    return pread(*(const int *)arg, out, most, (off_t)at);
}

struct opened {
    int fd; /* first: what take_at() reads from */
    const char *what, *where;
};

static void tell_place(void *arg, const char *name, uint64_t at)
{
    const struct opened *o = arg;

    (void)printf("found %s in %s %s at %llu\n", name, o->what, o->where, (unsigned long long)at);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void look_in_file(const char *what, const char *path, int flags)
{
    struct opened o = {open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags), what, path};

    if (o.fd < 0) {
        (void)printf("unread %s %s: %s\n", what, path, strerror(errno));
        search.unread++;
        return;
    }
    look_through(0, 0, take_at, tell_place, &o);
    (void)close(o.fd);
}

static void look_below(const char *path)
{
    char name[PATH_MAX];
    struct stat st;
    const struct dirent *entry;
    DIR *dir;

    if (lstat(path, &st) != 0)
        return;
    if (S_ISREG(st.st_mode))
        look_in_file("file", path, O_NOFOLLOW);
    if (!S_ISDIR(st.st_mode))
        return;
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (size_t)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) < sizeof(name))
            look_below(name);
    if (dir == NULL)
        search.unread++;
    else
        (void)closedir(dir);
}

/* ---- processes ------------------------------------------------------------------------------- */

struct mapping {
    int fd; /* first: what take_at() reads from */
    const char *process;
    uint64_t from, to;
    char rights[8], what[256];
    bool locked, undumped;
};

static void tell_mapping(void *arg, const char *name, uint64_t at)
{
    const struct mapping *m = arg;

    (void)printf("found %s in %s memory at %llx %s %s %s\n", name, m->process,
                 (unsigned long long)at, m->rights,
                 m->locked && m->undumped ? "locked,undumped"
                 : m->locked              ? "locked"
                 : m->undumped            ? "undumped"
                                          : "plain",
                 m->what[0] != '\0' ? m->what : "anonymous");
}

/* The clock's page ("[vvar]") and the page of old system calls are the kernel's own. */
static void look_in_mapping(struct mapping *m)
{
    const unsigned unread = search.unread;

    if (m->rights[0] != 'r' || strncmp(m->what, "[vvar", 5) == 0 ||
        strcmp(m->what, "[vsyscall]") == 0)
        return;
    look_through(m->from, m->to, take_at, tell_mapping, m);
    if (search.unread > unread)
        (void)printf("unread %s %llx %s %s\n", m->process, (unsigned long long)m->from, m->rights,
                     m->what);
}

/* A head, then lines of facts, the flags last. */
static bool look_in_memory(const char *process, const char *directory)
{
    char path[PATH_MAX], line[PATH_MAX + 128];
    struct mapping m = {.process = process};
    FILE *maps;

    (void)snprintf(path, sizeof(path), "%s/mem", directory);
    m.fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "%s/smaps", directory);
    maps = fopen(path, "re");
    if (m.fd < 0 || maps == NULL) {
        (void)printf("unread %s: %s\n", process, strerror(errno));
        if (m.fd >= 0)
            (void)close(m.fd);
        if (maps != NULL)
            (void)fclose(maps);
        return false;
    }
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long long from, to;
        char rights[8], what[256] = "";

        if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %255[^\n]", &from, &to, rights, what) >= 3) {
            m.from = from;
            m.to = to;
            (void)strcpy(m.rights, rights);
            (void)strcpy(m.what, what);
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            m.locked = strstr(line, " lo") != NULL;
            m.undumped = strstr(line, " dd") != NULL;
            look_in_mapping(&m);
        }
    }
    (void)fclose(maps);
    (void)close(m.fd);
    return true;
}

/* What it was handed and keeps open: pictures travel so. */
static void look_in_memfds(const char *process, const char *directory)
{
    char path[PATH_MAX], name[PATH_MAX + 300], to[64];
    const struct dirent *entry;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/fd", directory);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        ssize_t n;

        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        n = readlink(name, to, sizeof(to) - 1);
        if (n > 0 && strncmp(to, "/memfd:", 7) == 0)
            look_in_file(process, name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static bool look_in_process(const char *argument)
{
    const char *pid = strchr(argument, '=');
    char directory[64], path[128], process[64];

    if (pid == NULL || pid - argument >= (ptrdiff_t)sizeof(process) || atoi(pid + 1) <= 0)
        return false;
    (void)snprintf(process, sizeof(process), "%.*s", (int)(pid - argument), argument);
    (void)snprintf(directory, sizeof(directory), "/proc/%d", atoi(pid + 1));
    if (!look_in_memory(process, directory))
        return false;
    (void)snprintf(path, sizeof(path), "%s/environ", directory);
    look_in_file(process, path, 0);
    (void)snprintf(path, sizeof(path), "%s/cmdline", directory);
    look_in_file(process, path, 0);
    look_in_memfds(process, directory);
    return true;
}

/* ---- something to be found ------------------------------------------------------------------- */

static bool hold(void)
{
    char byte;

    /* Whoever runs the test may read it, also where only parents may read their children. */
    (void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    (void)printf("held\n");
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return true;
}

int main(int argc, char **argv)
{
    bool good = true;

    if (argc < 3 || !read_patterns(argv[1]))
        return 2;
    if (strcmp(argv[2], "hold") == 0)
        return hold() ? 0 : 1;
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[2], "files") == 0)
            look_below(argv[i]);
        else
            good = look_in_process(argv[i]) && good;
    (void)printf("searched %u places, %llu bytes, for %zu runs of bytes: %u found, %u unread\n",
                 search.places, search.bytes, search.count, search.found, search.unread);
    free(search.all);
    return good ? 0 : 1;
}
