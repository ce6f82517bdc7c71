/* The tree of an eligibility message: its caps, its look-ups and its canonical bytes (written here
 * by hand). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../daemon/common/memfd.h"
#include "../../daemon/common/xmlmsg.h"

static void looks_up_by_name_in_any_order(void **state)
{
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *body = xmlmsg_add(root, "MessageBody", NULL);
    struct xmlmsg *list = xmlmsg_add(body, "ResultList", NULL);
    struct xmlmsg *one = xmlmsg_add(list, "ResultOfQualificationConfirmation", NULL);
    struct xmlmsg *two = xmlmsg_add(list, "ResultOfQualificationConfirmation", NULL);

    (void)state;
    assert_non_null(xmlmsg_add(one, "Name", "架●　花子"));
    assert_non_null(xmlmsg_add(two, "InsurerNumber", "  990012"));
    assert_non_null(xmlmsg_add(two, "Sex1", "1"));
    assert_string_equal(
        xmlmsg_get(root, "MessageBody/ResultList/ResultOfQualificationConfirmation/Name"),
        "架●　花子");
    /* Only the second result has it: a path looks among all that repeat. */
    assert_string_equal(
        xmlmsg_get(root, "MessageBody/ResultList/ResultOfQualificationConfirmation/InsurerNumber"),
        "  990012");
    assert_string_equal(xmlmsg_get(root, "MessageBody/Nothing"), "");
    assert_string_equal(xmlmsg_get(root, "MessageBody"), "");
    assert_true(xmlmsg_has(root, "MessageBody/ResultList"));
    assert_false(xmlmsg_has(root, "MessageBody/ResultLis"));
    assert_false(xmlmsg_has(root, "MessageBody/ResultListX"));
    assert_ptr_equal(xmlmsg_next(one, "ResultOfQualificationConfirmation"), two);
    assert_null(xmlmsg_next(two, "ResultOfQualificationConfirmation"));
    assert_null(xmlmsg_value(two));
    assert_int_equal(xmlmsg_count(root), 8);
    xmlmsg_free(&root);
    assert_null(root);
    xmlmsg_free(&root);
}

static void sets_a_path_and_makes_what_is_missing(void **state)
{
    struct xmlmsg *root = xmlmsg_new("XmlMsg");

    (void)state;
    assert_int_equal(xmlmsg_set(root, "MessageHeader/MedicalInstitutionCode", "9910000017"), 0);
    assert_int_equal(xmlmsg_set(root, "MessageHeader/MedicalInstitutionCode", "9940000025"), 0);
    assert_int_equal(xmlmsg_set(root, "MessageHeader/SegmentOfResult", "1"), 0);
    assert_int_equal(xmlmsg_count(root), 4);
    assert_string_equal(xmlmsg_get(root, "MessageHeader/MedicalInstitutionCode"), "9940000025");
    assert_int_equal(xmlmsg_set(root, "MessageHeader", "x"), -EINVAL);
    assert_int_equal(xmlmsg_set(root, "MessageHeader/SegmentOfResult/Deeper", "x"), -EINVAL);
    assert_int_equal(xmlmsg_set(root, "New//Name", "x"), -EINVAL);
    assert_int_equal(xmlmsg_set(root, "New/Name", "\xff"), -EINVAL);
    assert_int_equal(xmlmsg_set(root, "", "x"), -EINVAL);
    assert_false(xmlmsg_has(root, "New")); /* a refused call leaves nothing behind */
    xmlmsg_free(&root);
}

static void refuses_names_that_could_not_be_elements(void **state)
{
    static const char *const bad[] = {"",     "a b", "a/b", "<a",   "a>",   "a&b",
                                      "a\"b", "a'b", "a=b", "a\nb", "\x7f", "\xc3\x28"};
    char longest[130];
    struct xmlmsg *root = xmlmsg_new("XmlMsg");

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(xmlmsg_add(root, bad[i], "v"));
        assert_null(xmlmsg_new(bad[i]));
    }
    memset(longest, 'a', sizeof(longest));
    longest[129] = '\0';
    assert_null(xmlmsg_add(root, longest, "v"));
    longest[128] = '\0';
    assert_non_null(xmlmsg_add(root, longest, "v"));
    assert_non_null(xmlmsg_add(root, "資格", "v"));
    assert_null(xmlmsg_add(root, "A", "\xe3\x81"));
    xmlmsg_free(&root);
}

static void keeps_its_caps_while_it_grows(void **state)
{
    struct xmlmsg *root = xmlmsg_new("A");
    struct xmlmsg *at = root;
    unsigned depth = 1, nodes = 1;
    char *big;

    (void)state;
    while ((at = xmlmsg_add(at, "A", NULL)) != NULL)
        depth++;
    assert_int_equal(depth, 16);
    xmlmsg_free(&root);

    root = xmlmsg_new("A");
    while (xmlmsg_add(root, "B", "") != NULL)
        nodes++;
    assert_int_equal(nodes, 20000);
    xmlmsg_free(&root);

    /* 4 MiB packed: 8 of header, 8 for the root (7 and its name), 8 for the leaf, the rest its
     * value. */
    big = malloc((4u << 20) + 1);
    assert_non_null(big);
    memset(big, 'x', 4u << 20);
    big[(4u << 20) - 23] = '\0';
    root = xmlmsg_new("A");
    assert_null(xmlmsg_add(root, "B", big));
    big[(4u << 20) - 24] = '\0';
    assert_non_null(xmlmsg_add(root, "B", big));
    assert_null(xmlmsg_add(root, "C", ""));
    assert_int_equal(xmlmsg_set(root, "B", ""), 0);
    assert_non_null(xmlmsg_add(root, "C", ""));
    assert_int_equal(xmlmsg_set(root, "B", big), -E2BIG);
    xmlmsg_free(&root);
    free(big);
}

static void a_leaf_has_no_children(void **state)
{
    struct xmlmsg *root = xmlmsg_new("A");
    struct xmlmsg *leaf = xmlmsg_add(root, "B", "");

    (void)state;
    assert_non_null(leaf);
    assert_null(xmlmsg_add(leaf, "C", "x"));
    assert_string_equal(xmlmsg_value(leaf), "");
    xmlmsg_free(&root);
}

/* <A><B>é</B><C/><C><D></D></C></A>, C a branch: kind, u16 name, then u32 length and value or u32
 * children. */
static const uint8_t packed[] = {
    'X', 'M', 'G', '1', 5, 0, 0, 0,             /* five elements */
    0,   1,   0,   'A', 3, 0, 0, 0,             /* A: three children */
    1,   1,   0,   'B', 2, 0, 0, 0, 0xc3, 0xa9, /* B: leaf of two bytes */
    0,   1,   0,   'C', 0, 0, 0, 0,             /* C: no children */
    0,   1,   0,   'C', 1, 0, 0, 0,             /* C: one child */
    1,   1,   0,   'D', 0, 0, 0, 0,             /* D: leaf, empty */
};

static void reads_the_canonical_bytes(void **state)
{
    struct xmlmsg *root;
    uint8_t *again;
    size_t len;

    (void)state;
    assert_int_equal(xmlmsg_unpack(&root, packed, sizeof(packed)), 0);
    assert_int_equal(xmlmsg_count(root), 5);
    assert_string_equal(xmlmsg_get(root, "B"), "\xc3\xa9");
    assert_null(xmlmsg_value(xmlmsg_child(root, "C")));
    assert_true(xmlmsg_has(root, "C/D"));
    assert_int_equal(xmlmsg_pack(root, &again, &len), 0);
    assert_int_equal(len, sizeof(packed));
    assert_memory_equal(again, packed, len);
    free(again);
    xmlmsg_free(&root);
}

static void refuses_every_cut_of_it(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(packed); len++) {
        /* A copy of exactly that length: reading past it is seen by the sanitizer. */
        uint8_t *copy = malloc(len > 0 ? len : 1);
        struct xmlmsg *root;

        assert_non_null(copy);
        memcpy(copy, packed, len);
        assert_int_equal(xmlmsg_unpack(&root, copy, len), -EBADMSG);
        assert_null(root);
        free(copy);
    }
}

static void refuses_lies(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } lies[] = {
        {0, 'x'},   /* magic */
        {4, 4},     /* fewer elements than there are */
        {4, 6},     /* more */
        {6, 1},     /* 65541 elements */
        {8, 1},     /* the root a leaf */
        {9, 0},     /* a name without bytes */
        {10, 0xff}, /* a name past the end */
        {11, '/'},  /* a name that is none */
        {12, 2},    /* a child fewer: bytes are left over */
        {12, 4},    /* a child more: bytes are missing */
        {15, 0xff}, /* four thousand million children */
        {16, 2},    /* an unknown kind */
        {23, 0xff}, /* a value past the end */
        {24, 0xff}, /* a value that is no UTF-8 */
        {24, 0},    /* a NUL in it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        uint8_t copy[sizeof(packed)];
        struct xmlmsg *root;

        memcpy(copy, packed, sizeof(packed));
        copy[lies[i].at] = lies[i].value;
        assert_int_equal(xmlmsg_unpack(&root, copy, sizeof(copy)), -EBADMSG);
    }
}

static void refuses_a_tree_too_deep(void **state)
{
    uint8_t bytes[8 + 17 * 8] = {'X', 'M', 'G', '1', 17};
    struct xmlmsg *root;

    (void)state;
    for (size_t i = 0; i < 17; i++)
        memcpy(bytes + 8 + i * 8, (const uint8_t[]){0, 1, 0, 'A', i < 16, 0, 0, 0}, 8);
    assert_int_equal(xmlmsg_unpack(&root, bytes, sizeof(bytes)), -EBADMSG);
    bytes[4] = 16;
    bytes[8 + 15 * 8 + 4] = 0;
    assert_int_equal(xmlmsg_unpack(&root, bytes, sizeof(bytes) - 8), 0);
    xmlmsg_free(&root);
}

/* Bytes at random, and the good ones with random damage: never a crash, never a tree that breaks
 * its caps. */
static void survives_random_damage(void **state)
{
    uint32_t x = 2463534242u;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t copy[sizeof(packed)];
        struct xmlmsg *root;

        memcpy(copy, packed, sizeof(packed));
        for (unsigned n = 0; n <= round % 4; n++) {
            x ^= x << 13, x ^= x >> 17, x ^= x << 5;
            copy[x % sizeof(copy)] = (uint8_t)(x >> 24);
        }
        if (xmlmsg_unpack(&root, copy, sizeof(copy)) == 0) {
            assert_true(xmlmsg_count(root) <= 5);
            xmlmsg_free(&root);
        }
    }
}

static void travels_through_sealed_memory_only(void **state)
{
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *other;
    size_t len;
    int fd;

    (void)state;
    assert_non_null(xmlmsg_add(root, "A", "1"));
    fd = xmlmsg_to_memfd(root, &len);
    assert_true(fd >= 0);
    xmlmsg_free(&root);
    assert_int_equal(xmlmsg_from_memfd(&other, fd, len), 0);
    assert_string_equal(xmlmsg_get(other, "A"), "1");
    xmlmsg_free(&other);
    assert_int_equal(xmlmsg_from_memfd(&other, fd, 0), 0); /* the descriptor's own size */
    xmlmsg_free(&other);
    assert_int_not_equal(xmlmsg_from_memfd(&other, fd, len + 1), 0);
    (void)close(fd);

    fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, packed, sizeof(packed)), sizeof(packed));
    assert_int_not_equal(xmlmsg_from_memfd(&other, fd, sizeof(packed)), 0); /* not sealed */
    assert_null(other);
    (void)close(fd);
}

static void knows_the_capabilities_by_name(void **state)
{
    (void)state;
    assert_int_equal(upstream_capability_of("by_numbers"), 1);
    assert_int_equal(upstream_capability_of("consents"), 64);
    assert_int_equal(upstream_capability_of("CONSENTS"), 0);
    assert_int_equal(upstream_capability_of(""), 0);
    assert_string_equal(upstream_capability_name(16), "card_session");
    assert_string_equal(upstream_capability_name(3), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_up_by_name_in_any_order),
        cmocka_unit_test(sets_a_path_and_makes_what_is_missing),
        cmocka_unit_test(refuses_names_that_could_not_be_elements),
        cmocka_unit_test(keeps_its_caps_while_it_grows),
        cmocka_unit_test(a_leaf_has_no_children),
        cmocka_unit_test(reads_the_canonical_bytes),
        cmocka_unit_test(refuses_every_cut_of_it),
        cmocka_unit_test(refuses_lies),
        cmocka_unit_test(refuses_a_tree_too_deep),
        cmocka_unit_test(survives_random_damage),
        cmocka_unit_test(travels_through_sealed_memory_only),
        cmocka_unit_test(knows_the_capabilities_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
