/* Opening: new, again, newer, wrong key, damaged, links; and that the words say what to do. */
#include "store_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void refused(struct rig *rig, int error, const char *ja, const char *en)
{
    char *message;

    assert_int_equal(rig_try_open(rig, &message), error);
    assert_null(rig->store);
    assert_non_null(message);
    if (strstr(message, ja) == NULL || strstr(message, en) == NULL)
        fail_msg("the words are: %s", message);
    free(message);
}

static void a_new_database_has_the_settings_that_the_design_asks_for(void **state)
{
    struct rig rig;
    struct store_status status;
    struct stat st;
    char path[128];

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_status(rig.store, &status), 0);
    assert_int_equal(status.migration, rig_migrations());
    assert_int_equal(
        status.visits + status.answers + status.links + status.asks_open + status.audit_rows, 0);
    assert_true(status.bytes > 0);
    assert_int_equal(
        rig_sql_int(&rig, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"),
        1);
    assert_int_equal(
        rig_sql_int(
            &rig, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
                  " AND strict = 0 AND name NOT LIKE 'sqlite_%'"),
        0);
    assert_true(rig_sql_int(&rig, "SELECT count(*) FROM pragma_table_list WHERE strict = 1") >= 7);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig.directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    rig_free(&rig);
}

static void opening_again_changes_nothing(void **state)
{
    struct rig rig;
    struct store_visit visit;
    uint8_t *before, *after;
    size_t before_len, after_len;

    (void)state;
    rig_new(&rig);
    for (unsigned step = 1; step <= RIG_STEPS; step++)
        assert_int_equal(rig_step(&rig, &visit, step), 0);
    rig_close(&rig);
    before = rig_file(&rig, "", &before_len);
    rig_open(&rig);
    assert_int_equal(rig_check(&rig, RIG_STEPS, RIG_STEPS), RIG_STEPS);
    rig_close(&rig);
    after = rig_file(&rig, "", &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, before_len);
    free(before);
    free(after);
    rig_free(&rig);
}

static void a_newer_database_is_left_alone(void **state)
{
    struct rig rig;
    char sql[64];

    (void)state;
    rig_new(&rig);
    rig_close(&rig);
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %u", rig_migrations() + 1);
    rig_sql(&rig, sql);
    refused(&rig, -EPERM, "新しい版", "newer version");
    assert_int_equal(rig_sql_int(&rig, "PRAGMA user_version"), rig_migrations() + 1);
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %u", rig_migrations());
    rig_sql(&rig, sql);
    rig_open(&rig);
    rig_free(&rig);
}

static void a_wrong_key_is_refused_before_anything_is_written(void **state)
{
    struct rig rig;
    struct store_visit visit;
    uint8_t *before, *after;
    size_t before_len, after_len;

    (void)state;
    rig_new(&rig);
    for (unsigned step = 1; step <= 4; step++)
        assert_int_equal(rig_step(&rig, &visit, step), 0);
    rig_close(&rig);
    before = rig_file(&rig, "", &before_len);
    for (int i = 0; i < 32; i += 31) {
        rig.key.data[i] ^= 1;
        refused(&rig, -EBADMSG, "鍵が違います", "put the right database.key back");
        rig.key.data[i] ^= 1;
    }
    rig.key.len = 31;
    refused(&rig, -EINVAL, "32バイト", "32 bytes");
    rig.key.len = 32;
    after = rig_file(&rig, "", &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, before_len);
    assert_null(rig_file(&rig, "-wal", &after_len));
    free(before);
    free(after);
    rig_open(&rig);
    (void)rig_check(&rig, 4, 4);
    rig_free(&rig);
}

static void a_database_without_its_keys_is_not_adopted(void **state)
{
    struct rig rig;

    (void)state;
    rig_new(&rig);
    rig_close(&rig);
    rig_sql(&rig, "DELETE FROM meta WHERE name = 'keys'");
    refused(&rig, -EBADMSG, "鍵が違います", "key");
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM meta WHERE name = 'keys'"), 0);
    rig_free(&rig);
}

static void a_damaged_file_is_named_as_such(void **state)
{
    struct rig rig;
    char path[128];
    FILE *file;

    (void)state;
    rig_new_closed(&rig);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig.directory);
    file = fopen(path, "we");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        assert_true(fputs("this is no database ", file) >= 0);
    assert_int_equal(fclose(file), 0);
    refused(&rig, -EIO, "壊れています", "restore a backup");
    rig_free(&rig);

    /* A good first page (number, key) and a hole behind it. */
    rig_new(&rig);
    rig_close(&rig);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig.directory);
    assert_int_equal(truncate(path, 4096), 0);
    refused(&rig, -EIO, "壊れています", "restore a backup");
    rig_free(&rig);
}

static void a_missing_table_is_an_unexpected_shape(void **state)
{
    struct rig rig;

    (void)state;
    rig_new(&rig);
    rig_close(&rig);
    rig_sql(&rig, "DROP TABLE links");
    refused(&rig, -EIO, "形が想定と違います", "unexpected shape");
    rig_free(&rig);
}

static void the_directory_may_be_reached_by_a_link_the_file_may_be_none(void **state)
{
    struct rig rig, there;
    char link[80], path[128], to[128], real[64];

    (void)state;
    rig_new_closed(&rig);
    (void)snprintf(real, sizeof(real), "%s", rig.directory);
    (void)snprintf(link, sizeof(link), "%s-link", real);
    assert_int_equal(symlink(real, link), 0);
    (void)snprintf(rig.directory, sizeof(rig.directory), "%s", link);
    rig_open(&rig);
    rig_close(&rig);
    (void)snprintf(rig.directory, sizeof(rig.directory), "%s", real);
    assert_int_equal(unlink(link), 0);

    rig_new_closed(&there);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", there.directory);
    (void)snprintf(to, sizeof(to), "%s/uketsuke.db", rig.directory);
    assert_int_equal(symlink(to, path), 0);
    refused(&there, -EIO, "権限", "permissions");
    rig_free(&there);
    rig_free(&rig);

    rig_new_closed(&rig);
    (void)snprintf(real, sizeof(real), "%s", rig.directory);
    (void)snprintf(rig.directory, sizeof(rig.directory), "%s/none", real);
    refused(&rig, -ENOENT, "置き場所がありません", "cannot be reached");
    (void)snprintf(rig.directory, sizeof(rig.directory), "%s", real);
    rig_free(&rig);
}

static void a_second_desk_is_refused_while_the_first_lives(void **state)
{
    struct rig rig, second;

    (void)state;
    rig_new(&rig);
    second = rig;
    second.store = NULL;
    refused(&second, -EBUSY, "別の uketsuked", "another uketsuked");
    /* The first is not hurt by the attempt, and once it has gone the database is free again. */
    assert_int_equal(store_audit(rig.store, "first", 0, 0, "", ""), 0);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM audit"), 1);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_database_has_the_settings_that_the_design_asks_for),
        cmocka_unit_test(opening_again_changes_nothing),
        cmocka_unit_test(a_newer_database_is_left_alone),
        cmocka_unit_test(a_wrong_key_is_refused_before_anything_is_written),
        cmocka_unit_test(a_database_without_its_keys_is_not_adopted),
        cmocka_unit_test(a_damaged_file_is_named_as_such),
        cmocka_unit_test(a_missing_table_is_an_unexpected_shape),
        cmocka_unit_test(the_directory_may_be_reached_by_a_link_the_file_may_be_none),
        cmocka_unit_test(a_second_desk_is_refused_while_the_first_lives),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
