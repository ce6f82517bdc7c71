/* What was consented to for a time goes when it is over: out of the tree, the bytes as received,
 * file and log of writes. */
#include "store_hand.h"
#include "store_rig.h"

#include "daemon/common/xmlmsg.h"
#include "daemon/desk/consented.h"
#include "daemon/desk/decide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two groups that end a day apart, in Japan's time, and what is nobody's secret. */
static struct xmlmsg *an_answer(void)
{
    static const char *const leaves[][2] = {
        {"InsurerNumber", "06123456"},
        {"PharmacistsInfoConsFlg", "1"},
        {"PharmacistsInfoConsTime", "20260801090000"},
        {"PharmacistsInfoAvailableTime", "20260802090000"},
        {"SpecificHealthCheckupsInfoConsFlg", "1"},
        {"SpecificHealthCheckupsInfoAvailableTime", "20260803090000"},
        {"LimitApplicationCertificateRelatedConsFlg", "1"},
        {"LimitApplicationCertificateRelatedConsTime", "20260801090000"},
    };
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *result =
        xmlmsg_add(xmlmsg_add(xmlmsg_add(root, "MessageBody", NULL), "ResultList", NULL),
                   "ResultOfQualificationConfirmation", NULL);

    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
        assert_non_null(xmlmsg_add(result, leaves[i][0], leaves[i][1]));
    assert_non_null(
        xmlmsg_add(xmlmsg_add(result, "PharmacistsInfoDetails", NULL), "Drug", RIG_NAME));
    return root;
}

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"
/* 2026-08-02 09:00 in Japan is midnight UTC. */
#define FIRST INT64_C(1785628800000000)
#define SECOND (FIRST + INT64_C(86400000000))

static void a_group_goes_as_a_whole_when_its_time_is_over(void **state)
{
    struct xmlmsg *tree = an_answer();
    uint8_t *packed;
    size_t before = xmlmsg_count(tree), len;
    int64_t next;

    (void)state;
    assert_true(decide_time_us("20260802090000") == FIRST);
    assert_int_equal(consented_prune(tree, FIRST - 1, &next), 0);
    assert_true(next == FIRST);
    assert_int_equal(xmlmsg_count(tree), before);
    assert_int_equal(consented_prune(tree, FIRST, &next), 1);
    assert_true(next == SECOND);
    assert_int_equal(xmlmsg_count(tree), before - 5);
    assert_false(xmlmsg_has(tree, RESULT "PharmacistsInfoConsFlg"));
    assert_false(xmlmsg_has(tree, RESULT "PharmacistsInfoDetails/Drug"));
    assert_true(xmlmsg_has(tree, RESULT "SpecificHealthCheckupsInfoConsFlg"));
    assert_int_equal(consented_prune(tree, SECOND, &next), 1);
    assert_true(next == 0);
    assert_string_equal(xmlmsg_get(tree, RESULT "InsurerNumber"), "06123456");
    assert_string_equal(xmlmsg_get(tree, RESULT "LimitApplicationCertificateRelatedConsFlg"), "1");
    assert_int_equal(consented_prune(tree, SECOND, &next), 0);
    /* What the root counts is still right: it packs and opens again. */
    assert_int_equal(xmlmsg_pack(tree, &packed, &len), 0);
    xmlmsg_free(&tree);
    assert_int_equal(xmlmsg_unpack(&tree, packed, len), 0);
    assert_int_equal(xmlmsg_count(tree), before - 7);
    free(packed);
    xmlmsg_free(&tree);
}

static void a_time_that_is_none_ends_nothing(void **state)
{
    static const char *const none[] = {"", "0", "2026080209000", "never", "202608020900000"};
    int64_t next;

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct xmlmsg *tree = xmlmsg_new("R");

        assert_non_null(xmlmsg_add(tree, "TestInfoAvailableTime", none[i]));
        assert_int_equal(consented_prune(tree, INT64_MAX / 2, &next), 0);
        assert_true(next == 0);
        xmlmsg_free(&tree);
    }
}

static void put_answer(struct rig *rig, int64_t until)
{
    struct xmlmsg *tree = an_answer();
    struct store_answer answer;

    rig_answer(&answer);
    free(answer.tree);
    assert_int_equal(xmlmsg_pack(tree, &answer.tree, &answer.tree_len), 0);
    answer.available_until_us = until;
    assert_int_equal(store_answer_put(rig->store, (struct store_subject){"x", 1}, &answer), 0);
    store_answer_free(&answer);
    xmlmsg_free(&tree);
}

static void no_file_holds(struct rig *rig, const uint8_t *bytes, size_t len)
{
    static const char *const suffixes[] = {"", "-wal"};

    for (size_t i = 0; i < 2; i++) {
        size_t file_len;
        uint8_t *file = rig_file(rig, suffixes[i], &file_len);

        assert_true(file == NULL || memmem(file, file_len, bytes, len) == NULL);
        free(file);
    }
}

static void a_kept_answer_loses_it_in_the_database_too(void **state)
{
    struct rig rig;
    struct store_answer answer;
    struct xmlmsg *tree;
    uint8_t sealed_tree[4096], sealed_raw[4096];
    size_t tree_len, raw_len;

    (void)state;
    rig_new(&rig);
    put_answer(&rig, FIRST);
    put_answer(&rig, 0); /* nothing consented: stays as it is */
    tree_len = hand_blob(&rig, "answers", "tree", 1, sealed_tree, sizeof(sealed_tree));
    raw_len = hand_blob(&rig, "answers", "raw", 1, sealed_raw, sizeof(sealed_raw));
    assert_int_equal(consented_purge(rig.store, FIRST - 1), 0);
    assert_int_equal(consented_purge(rig.store, FIRST), 1);
    assert_int_equal(consented_purge(rig.store, FIRST), 0); /* once */
    assert_int_equal(store_settle(rig.store), 0);
    no_file_holds(&rig, sealed_tree, tree_len);
    no_file_holds(&rig, sealed_raw, raw_len);
    assert_int_equal(store_answer_load(rig.store, 1, &answer), 0);
    assert_null(answer.raw);
    assert_true(answer.available_until_us == SECOND);
    assert_int_equal(xmlmsg_unpack(&tree, answer.tree, answer.tree_len), 0);
    assert_false(xmlmsg_has(tree, RESULT "PharmacistsInfoConsFlg"));
    assert_true(xmlmsg_has(tree, RESULT "SpecificHealthCheckupsInfoConsFlg"));
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    assert_int_equal(consented_purge(rig.store, SECOND), 1);
    assert_int_equal(store_answer_load(rig.store, 1, &answer), 0);
    assert_true(answer.available_until_us == 0);
    store_answer_free(&answer);
    assert_int_equal(store_answer_load(rig.store, 2, &answer), 0);
    assert_non_null(answer.raw);
    store_answer_free(&answer);
    rig_free(&rig);
}

static void it_is_known_when_the_first_is_over(void **state)
{
    struct rig rig;
    int64_t end;

    (void)state;
    rig_new(&rig);
    put_answer(&rig, 0);
    assert_int_equal(store_answers_end(rig.store, &end), -ENOENT);
    put_answer(&rig, SECOND);
    put_answer(&rig, FIRST);
    assert_int_equal(store_answers_end(rig.store, &end), 0);
    assert_true(end == FIRST);
    assert_int_equal(consented_purge(rig.store, FIRST), 1);
    assert_int_equal(store_answers_end(rig.store, &end), 0);
    assert_true(end == SECOND);
    rig_free(&rig);
}

static void an_answer_that_does_not_open_holds_up_no_other(void **state)
{
    struct rig rig;
    struct store_answer answer;

    (void)state;
    rig_new(&rig);
    put_answer(&rig, FIRST);
    put_answer(&rig, FIRST + 1);
    rig_sql(&rig, "UPDATE answers SET tree = zeroblob(60) WHERE id = 1");
    assert_int_equal(consented_purge(rig.store, FIRST + 1), 2);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM answers WHERE raw IS NOT NULL"), 0);
    assert_int_equal(store_answer_load(rig.store, 2, &answer), 0);
    assert_true(answer.available_until_us == SECOND);
    store_answer_free(&answer);
    assert_int_equal(consented_purge(rig.store, FIRST + 1), 0);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_goes_as_a_whole_when_its_time_is_over),
        cmocka_unit_test(a_time_that_is_none_ends_nothing),
        cmocka_unit_test(a_kept_answer_loses_it_in_the_database_too),
        cmocka_unit_test(an_answer_that_does_not_open_holds_up_no_other),
        cmocka_unit_test(it_is_known_when_the_first_is_over),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
