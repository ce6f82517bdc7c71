#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay_rig.h"
#include "relay_tools.h"

const struct question_numbers rig_shikaku = {
    .insurer = "990010", .symbol = "試験", .number = "2001", .branch = "01", .birth = "19640229"};
const struct question_card rig_card = {
    .certificate = (const uint8_t *)"not a certificate", .certificate_len = 17, .method = "visual"};

struct xmlmsg *rig_question(const struct question_header *header, bool registers)
{
    struct xmlmsg *tree = registers ? question_register(header, &rig_card)
                                    : question_by_numbers(header, &rig_shikaku);

    assert_non_null(tree);
    return tree;
}

static const char *bin_dir(void)
{
    static char dir[PATH_MAX];
    const char *given = getenv("UKETSUKE_BIN");
    ssize_t n;

    if (given != NULL)
        return given;
    n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
    assert_true(n > 0);
    dir[n] = '\0';
    return dirname(dir);
}

void rig_program(const char *name, char *path, size_t size)
{
    assert_true((size_t)snprintf(path, size, "%s/%s", bin_dir(), name) < size);
    if (access(path, X_OK) != 0)
        fail_msg("%s is not there: build it, or set UKETSUKE_BIN", path);
}

/* The top of the source tree: where this test was compiled from, else the working directory. */
void rig_source(const char *name, char *path, size_t size)
{
    assert_true((size_t)snprintf(path, size, "%s/../../../%s", bin_dir(), name) < size);
    if (access(path, R_OK) != 0)
        assert_true((size_t)snprintf(path, size, "%s", name) < size);
    if (access(path, R_OK) != 0)
        fail_msg("%s is not there: run the test in the source tree", name);
}

uint64_t rig_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void rig_run(const char *const *argv)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        (void)dup2(null, STDOUT_FILENO);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const char *pki_dir(void)
{
    static char dir[PATH_MAX];
    char script[PATH_MAX];

    if (dir[0] == '\0') {
        (void)snprintf(dir, sizeof(dir), "/tmp/uketsuke-test-pki-%u", (unsigned)geteuid());
        rig_source("tests/sim/service/make-pki.sh", script, sizeof(script));
        rig_run((const char *const[]){"sh", script, dir, NULL});
    }
    return dir;
}

const char *rig_pki(const char *name, char *path, size_t size)
{
    assert_true((size_t)snprintf(path, size, "%s/%s", pki_dir(), name) < size);
    return path;
}

void rig_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

char *rig_read_file(const char *path)
{
    FILE *file = fopen(path, "re"), *whole;
    char *text = NULL, piece[4096];
    size_t len, n;

    whole = open_memstream(&text, &len);
    assert_non_null(whole);
    while (file != NULL && (n = fread(piece, 1, sizeof(piece), file)) > 0)
        assert_int_equal(fwrite(piece, 1, n, whole), n);
    if (file != NULL)
        (void)fclose(file);
    assert_int_equal(fclose(whole), 0);
    assert_non_null(text);
    return text;
}

/* ---- a terminal's folder --------------------------------------------------------------------- */

void rig_path(struct rig *rig, const char *place, const char *name, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/%s/%s", rig_folder(rig), place, name);
}

void rig_put(struct rig *rig, const char *place, const char *name, const char *text)
{
    char path[300];
    FILE *file;

    rig_path(rig, place, name, path, sizeof(path));
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* How many files there are; the name of the last. */
unsigned rig_files(struct rig *rig, const char *place, char *name, size_t size)
{
    char path[300];
    struct dirent *entry;
    unsigned n = 0;
    DIR *dir;

    rig_path(rig, place, ".", path, sizeof(path));
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (name != NULL)
            (void)snprintf(name, size, "%s", entry->d_name);
    }
    (void)closedir(dir);
    return n;
}

/* Until so many files are there; what is done after an answer happens behind it. */
void rig_wait_files(struct rig *rig, const char *place, unsigned n)
{
    for (int i = 0; i < 3000 && rig_files(rig, place, NULL, 0) != n; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(rig_files(rig, place, NULL, 0), n);
}

void rig_wait_log(struct rig *rig, const char *text)
{
    const uint64_t until = rig_now_ms() + PATIENCE_MS;
    bool there = false;

    while (!there) {
        char *log = rig_log(rig);

        there = strstr(log, text) != NULL;
        if (!there && rig_now_ms() > until)
            fail_msg("the log does not say \"%s\":\n%s", text, log);
        free(log);
        (void)poll(NULL, 0, 20);
    }
}
