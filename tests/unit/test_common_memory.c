/* Secrets, sealed memory, bounded bytes, log lines. */
#include "daemon/common/bytes.h"
#include "daemon/common/log.h"
#include "daemon/common/memfd.h"
#include "daemon/common/memory.h"
#include "daemon/common/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_secret_is_locked_kept_out_of_dumps_and_wiped(void **state)
{
    struct secret secret;
    char line[512], want[32];
    FILE *maps;
    int found = 0, locked = 0, dontdump = 0;

    (void)state;
    assert_int_equal(secret_new(&secret, 100), 0);
    assert_int_equal(secret_set(&secret, "5678", 4), 0);
    assert_int_equal(secret.len, 4);
    assert_int_equal(secret_set(&secret, line, 101), -ENOSPC);
    /* The kernel's own word: VmFlags "lo" locked, "dd" not dumped. */
    (void)snprintf(want, sizeof(want), "%lx-", (unsigned long)secret.data & ~4095ul);
    maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strncmp(line, want, strlen(want)) == 0)
            found = 1;
        if (found && strncmp(line, "VmFlags:", 8) == 0) {
            locked = strstr(line, " lo") != NULL;
            dontdump = strstr(line, " dd") != NULL;
            break;
        }
    }
    (void)fclose(maps);
#ifdef __SANITIZE_ADDRESS__
    locked = 1; /* the sanitizer's runtime does not let mlock() through */
#endif
    assert_true(found && locked && dontdump);
    secret_wipe(&secret);
    assert_int_equal(secret.len, 0);
    assert_memory_equal(secret.data, "\0\0\0\0", 4);
    secret_free(&secret);
    assert_null(secret.data);
    secret_free(&secret);
}

static void secrets_compare_by_content(void **state)
{
    struct secret a, b;

    (void)state;
    assert_int_equal(secret_new(&a, 8), 0);
    assert_int_equal(secret_new(&b, 8), 0);
    (void)secret_set(&a, "1234", 4);
    (void)secret_set(&b, "1234", 4);
    assert_true(secret_equal(&a, &b));
    (void)secret_set(&b, "1235", 4);
    assert_false(secret_equal(&a, &b));
    (void)secret_set(&b, "12345", 5);
    assert_false(secret_equal(&a, &b));
    secret_free(&a);
    secret_free(&b);
}

static void only_sealed_memory_of_the_right_size_is_mapped(void **state)
{
    const uint8_t *map;
    int fd = memfd_seal("x", "12345", 5), open_fd, file;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(memfd_map(fd, 5, 5, &map), 0);
    assert_memory_equal(map, "12345", 5);
    memfd_unmap(map, 5);
    assert_int_equal(memfd_map(fd, 4, 100, &map), -EMSGSIZE);
    assert_int_equal(memfd_map(fd, 6, 100, &map), -EMSGSIZE);
    assert_int_equal(memfd_map(fd, 5, 4, &map), -EMSGSIZE);
    assert_int_equal(memfd_map(fd, 0, 4, &map), -EMSGSIZE);
    assert_null(map);
    assert_true(pwrite(fd, "9", 1, 0) < 0 && ftruncate(fd, 9) < 0);
    (void)close(fd);
    open_fd = memfd_create("unsealed", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(open_fd, 5), 0);
    assert_int_equal(memfd_map(open_fd, 5, 5, &map), -EPERM);
    (void)close(open_fd);
    file = open("/etc/hostname", O_RDONLY);
    assert_int_equal(memfd_map(file, 5, 5, &map), -EBADF);
    (void)close(file);
    assert_int_equal(memfd_map(-1, 5, 5, &map), -EBADF);
}

static void a_read_past_the_end_fails_and_stays_failed(void **state)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct bytes_reader r;

    (void)state;
    bytes_reader_init(&r, data, sizeof(data));
    assert_int_equal(bytes_u8(&r), 1);
    assert_int_equal(bytes_u16le(&r), 0x0302);
    assert_int_equal(bytes_u32be(&r), 0x04050607);
    assert_int_equal(bytes_u32le(&r), 0);
    assert_true(r.failed);
    assert_int_equal(bytes_u8(&r), 0);
    assert_null(bytes_take(&r, 1));
    assert_false(bytes_done(&r));
    bytes_reader_init(&r, data, sizeof(data));
    assert_null(bytes_take(&r, SIZE_MAX));
    bytes_reader_init(&r, NULL, 0);
    assert_true(bytes_done(&r));
}

static void a_write_past_the_end_fails_and_writes_nothing(void **state)
{
    uint8_t out[4] = {0, 0, 0, 0xee};
    struct bytes_writer w;

    (void)state;
    bytes_writer_init(&w, out, 3);
    bytes_put_u16be(&w, 0x0102);
    bytes_put_u16be(&w, 0x0304);
    assert_true(w.failed);
    bytes_put_u8(&w, 5);
    assert_int_equal(w.used, 2);
    assert_int_equal(out[3], 0xee);
}

static char last_line[1024];

static void a_text_fits_its_field_with_its_end_or_nothing_is_taken(void **state)
{
    static const uint8_t data[] = {3, 0, 'a', 'b', 'c', 9, 0, 'd'};
    struct bytes_reader r;
    struct bytes_writer w;
    uint8_t out[8] = "";
    char field[4] = "";

    (void)state;
    bytes_reader_init(&r, data, sizeof(data));
    assert_true(bytes_text(&r, bytes_u16le(&r), field, sizeof(field)));
    assert_string_equal(field, "abc");
    assert_false(
        bytes_text(&r, bytes_u16le(&r), field, sizeof(field))); /* it says more than there is */
    assert_string_equal(field, "abc");
    bytes_reader_init(&r, data, 5);
    assert_false(bytes_text(&r, bytes_u16le(&r), field, 3)); /* no room for its end */
    assert_false(bytes_done(&r));
    bytes_writer_init(&w, out, sizeof(out));
    bytes_put_text(&w, field, sizeof(field));
    assert_memory_equal(out, data, 5);
    assert_int_equal(w.used, 5);
    bytes_put_text(&w, "xyz", 3); /* a field without an end */
    assert_true(w.failed);
}

static void a_program_ends_rather_than_go_on_without_memory(void **state)
{
    char said[200] = "";
    int ends[2], status;
    pid_t pid;
    void *block;

    (void)state;
    block = memory_or_end(0);
    assert_non_null(block);
    memory_wipe_free(block);
    memory_wipe_free(NULL);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
#ifdef __SANITIZE_ADDRESS__
        memory_end(); /* the sanitizer itself ends a program that asks for so much */
#else
        (void)memory_or_end(PTRDIFF_MAX);
        _exit(0);
#endif
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MEMORY_STATUS);
    assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
    assert_non_null(strstr(said, "no memory"));
    (void)close(ends[0]);
}

static void keep(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    (void)snprintf(last_line, sizeof(last_line), "%s", line);
}

/* Expected values: the published test vectors of FNV-1a (64 bits), and the same function in another program. */
static void an_event_has_one_message_id(void **state)
{
    char id[LOG_MESSAGE_ID];

    (void)state;
    log_message_id("foobar", id);
    assert_int_equal(strncmp(id, "85944171f73967e8", 16), 0);
    log_message_id("ready", id);
    assert_string_equal(id, "8935baf305f374b4ee3629cf4f8c7ee7");
    log_message_id("visit opened", id);
    assert_string_equal(id, "03481057d3fb0ee5ed01df02b6991dd4");
}

static void a_log_line_is_one_line_of_typed_fields(void **state)
{
    (void)state;
    log_open("test", "", LOG_LEVEL_INFO);
    log_capture(keep, NULL);
    log_event(LOG_LEVEL_INFO, "visit opened", LOG_NUMBER("visit", 7), LOG_HEX("sw", 0x63c2),
              LOG_ERRNO(-ENOSPC), LOG_FAILURE(FAILURE_PIN_WRONG), LOG_NAME("state", "pin"),
              LOG_PUBLIC("path", log_public_from_config("/a\nb")));
    assert_string_equal(
        last_line, "visit opened visit=7 sw=0x63c2 error=ENOSPC failure=P001 state=pin path=/a?b");
    last_line[0] = '\0';
    log_event(LOG_LEVEL_DEBUG, "too much");
    assert_string_equal(last_line, "");
    log_capture(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_locked_kept_out_of_dumps_and_wiped),
        cmocka_unit_test(secrets_compare_by_content),
        cmocka_unit_test(only_sealed_memory_of_the_right_size_is_mapped),
        cmocka_unit_test(a_read_past_the_end_fails_and_stays_failed),
        cmocka_unit_test(a_write_past_the_end_fails_and_writes_nothing),
        cmocka_unit_test(a_text_fits_its_field_with_its_end_or_nothing_is_taken),
        cmocka_unit_test(a_program_ends_rather_than_go_on_without_memory),
        cmocka_unit_test(an_event_has_one_message_id),
        cmocka_unit_test(a_log_line_is_one_line_of_typed_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
