/*
 * The JSON of the eligibility message. The samples are those of the published facts, typed in by
 * hand in both forms: the text that goes over the wire, and what must be found in the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../daemon/common/question.h"
#include "../../daemon/relay/codec_json.h"

static struct xmlmsg *read_text(const char *text)
{
    struct xmlmsg *root = NULL;

    assert_int_equal(codec_json_read(&root, text, strlen(text)), 0);
    return root;
}

static void refused(const char *text, size_t len)
{
    struct xmlmsg *root;
    /* A copy of exactly that length: reading past it is seen by the sanitizer. */
    char *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    assert_int_equal(codec_json_read(&root, copy, len), -EBADMSG);
    assert_null(root);
    free(copy);
}

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"

/* The request (a) in the form of the Web API (e), compared as JSON values. */
static void writes_the_request_as_the_web_api_has_it(void **state)
{
    static const char wanted[] =
        "{\"XmlMsg\":{\"MessageHeader\":{\"QualificationConfirmationDate\":\"20261005\","
        "\"MedicalInstitutionCode\":\"9910000017\",\"ArbitraryFileIdentifier\":\"RD-20261005-"
        "0001\"},"
        "\"MessageBody\":{\"QualificationConfirmSearchInfo\":{\"InsurerNumber\":\"00990012\","
        "\"InsuredCardSymbol\":\"試験\",\"InsuredIdentificationNumber\":\"1001\","
        "\"InsuredBranchNumber\":\"01\","
        "\"Birthdate\":\"19710203\",\"LimitApplicationCertificateRelatedConsFlg\":\"1\"}}}}";
    const struct question_header header = {"9910000017", "20261005", "RD-20261005-0001"};
    const struct question_numbers numbers = {.insurer = "00990012",
                                             .symbol = "試験",
                                             .number = "1001",
                                             .branch = "01",
                                             .birth = "19710203",
                                             .limit_consent = true};
    struct xmlmsg *root = question_by_numbers(&header, &numbers);
    json_t *a, *b;
    char *text;
    size_t len;

    (void)state;
    assert_int_equal(codec_json_write(root, &text, &len), 0);
    assert_int_equal(len, strlen(text));
    a = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    b = json_loads(wanted, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    free(text);
    xmlmsg_free(&root);
}

/* (b): mixed order, ● in the name, nested certificates; ResultList as an array as clients of the
 * Web API see it. */
static void reads_a_card_session_in_mixed_order(void **state)
{
    struct xmlmsg *root = read_text(
        "{\"XmlMsg\":{\"MessageBody\":{\"ResultList\":[{\"ResultOfQualificationConfirmation\":{"
        "\"Name\":\"架●　花子\",\"NameKana\":\"ｶｸｳ ﾊﾅｺ\",\"InsurerNumber\":\"99000011\","
        "\"InsuredCardClassification\":\"01\",\"InsuredBranchNumber\":\"02\","
        "\"InsuredIdentificationNumber\":\"4567\","
        "\"InsuredCardSymbol\":\"９９０１\",\"Sex1\":\"2\",\"Birthdate\":\"19540707\","
        "\"ElderlyRecipientCertificateInfo\":{\"ElderlyRecipientContributionRatio\":\"020\"},"
        "\"LimitApplicationCertificateRelatedInfo\":{"
        "\"LimitApplicationCertificateClassificationFlag\":\"B04\"},"
        "\"SpecificDiseasesCertificateList\":[{\"SpecificDiseasesCertificateInfo\":"
        "{\"SpecificDiseasesDiseaseCategory\":\"1\"}}],"
        "\"PharmacistsInfoConsFlg\":\"1\",\"PharmacistsInfoAvailableTime\":\"20261006091455\","
        "\"ReferenceNumber\":\"PT000456\"}}],\"QualificationValidity\":\"1\","
        "\"PrescriptionIssueSelect\":\"1\","
        "\"ProcessingResultStatus\":\"1\"},\"MessageHeader\":{\"CharacterCodeIdentifier\":\"0\","
        "\"SegmentOfResult\":\"1\",\"ReferenceClassification\":\"1\",\"MedicalInstitutionCode\":"
        "\"9910000017\"}}}");

    (void)state;
    assert_string_equal(xmlmsg_name(root), "XmlMsg");
    assert_string_equal(xmlmsg_get(root, "MessageHeader/SegmentOfResult"), "1");
    assert_string_equal(xmlmsg_get(root, "MessageBody/ProcessingResultStatus"), "1");
    assert_string_equal(xmlmsg_get(root, "MessageBody/QualificationValidity"), "1");
    assert_string_equal(xmlmsg_get(root, RESULT "Name"), "架●　花子");
    assert_string_equal(xmlmsg_get(root, RESULT "NameKana"), "ｶｸｳ ﾊﾅｺ");
    assert_string_equal(xmlmsg_get(root, RESULT "InsuredCardSymbol"), "９９０１");
    assert_string_equal(
        xmlmsg_get(root,
                   RESULT "ElderlyRecipientCertificateInfo/ElderlyRecipientContributionRatio"),
        "020");
    assert_string_equal(
        xmlmsg_get(root, RESULT "SpecificDiseasesCertificateList/SpecificDiseasesCertificateInfo/"
                                "SpecificDiseasesDiseaseCategory"),
        "1");
    assert_string_equal(xmlmsg_get(root, RESULT "PharmacistsInfoAvailableTime"), "20261006091455");
    xmlmsg_free(&root);
}

/* (c): the entitlement is lost and a new one exists: two results, one padded with blanks, one with
 * zeros. */
static void keeps_several_results_and_their_padding(void **state)
{
    struct xmlmsg *root = read_text("{\"XmlMsg\":{\"MessageHeader\":{\"SegmentOfResult\":\"1\","
                                    "\"ReferenceClassification\":\"2\"},"
                                    "\"MessageBody\":{\"ProcessingResultStatus\":\"1\","
                                    "\"QualificationValidity\":\"3\",\"ResultList\":["
                                    "{\"ResultOfQualificationConfirmation\":{\"InsurerNumber\":\"  "
                                    "990012\",\"DisqualificationDate\":\"20260901\","
                                    "\"ReasonOfLoss\":\"03\"}},"
                                    "{\"ResultOfQualificationConfirmation\":{\"InsurerNumber\":"
                                    "\"00990020\",\"QualificationDate\":\"20260901\"}}"
                                    "]}}}");
    struct xmlmsg *list = xmlmsg_find(root, "MessageBody/ResultList");
    struct xmlmsg *first = xmlmsg_child(list, "ResultOfQualificationConfirmation");
    struct xmlmsg *second = xmlmsg_next(first, "ResultOfQualificationConfirmation");

    (void)state;
    assert_non_null(second);
    assert_null(xmlmsg_next(second, NULL));
    assert_string_equal(xmlmsg_get(first, "InsurerNumber"), "  990012");
    assert_string_equal(xmlmsg_get(first, "ReasonOfLoss"), "03");
    assert_string_equal(xmlmsg_get(second, "InsurerNumber"), "00990020");
    xmlmsg_free(&root);
}

/* (d): the whole request failed; there is no body. */
static void reads_a_failure_of_the_whole_request(void **state)
{
    struct xmlmsg *root = read_text(
        "{\"XmlMsg\":{\"MessageHeader\":{\"ProcessExecutionTime\":\"20261005091801\","
        "\"ArbitraryFileIdentifier\":\"RD-20261005-0002\",\"SegmentOfResult\":\"9\","
        "\"ErrorCode\":\"OQC-OWSE0900000\",\"ErrorMessage\":\"通信エラー（試験用文言）\"}}}");

    (void)state;
    assert_string_equal(xmlmsg_get(root, "MessageHeader/SegmentOfResult"), "9");
    assert_string_equal(xmlmsg_get(root, "MessageHeader/ErrorCode"), "OQC-OWSE0900000");
    assert_false(xmlmsg_has(root, "MessageBody"));
    xmlmsg_free(&root);
}

/* (f): 医療扶助 whose ticket is not registered yet: an empty list stays an empty list. */
static void reads_a_ticket_that_is_not_registered_yet(void **state)
{
    struct xmlmsg *root = read_text(
        "{\"XmlMsg\":{\"MessageHeader\":{\"SegmentOfResult\":\"1\"},\"MessageBody\":{"
        "\"ProcessingResultStatus\":\"1\","
        "\"QualificationValidity\":\"6\",\"ResultList\":[{\"ResultOfQualificationConfirmation\":{"
        "\"InsuredCardClassification\":\"A1\",\"InsurerNumber\":\"12990012\","
        "\"InsuredIdentificationNumber\":\"1234567\",\"PublicExpenseResultList\":[]}}]}}}");
    struct xmlmsg *list = xmlmsg_find(root, RESULT "PublicExpenseResultList");
    char *text;
    size_t len;

    (void)state;
    assert_string_equal(xmlmsg_get(root, "MessageBody/QualificationValidity"), "6");
    assert_non_null(list);
    assert_null(xmlmsg_child(list, NULL));
    assert_int_equal(codec_json_write(root, &text, &len), 0);
    assert_non_null(strstr(text, "\"PublicExpenseResultList\":[]"));
    free(text);
    xmlmsg_free(&root);
}

static void keeps_what_nobody_knows(void **state)
{
    struct xmlmsg *root = read_text("{\"XmlMsg\":{\"Unknown\":{\"Deep\":[\"a\",\"b\"]},"
                                    "\"新しい項目\":\"値\",\"N\":7,\"T\":true,\"F\":false,"
                                    "\"Null\":null,\"Real\":0.5,\"Empty\":{},\"None\":[]}}");
    struct xmlmsg *deep = xmlmsg_find(root, "Unknown/Deep");

    (void)state;
    assert_string_equal(xmlmsg_value(deep), "a");
    assert_string_equal(xmlmsg_value(xmlmsg_next(deep, "Deep")), "b");
    assert_string_equal(xmlmsg_get(root, "新しい項目"), "値");
    assert_string_equal(xmlmsg_get(root, "N"), "7");
    assert_string_equal(xmlmsg_get(root, "T"), "true");
    assert_string_equal(xmlmsg_get(root, "F"), "false");
    assert_true(xmlmsg_has(root, "Null"));
    assert_string_equal(xmlmsg_get(root, "Null"), "");
    assert_string_equal(xmlmsg_get(root, "Real"), "0.5");
    assert_null(xmlmsg_value(xmlmsg_find(root, "Empty")));
    assert_false(xmlmsg_has(root, "None"));
    xmlmsg_free(&root);
}

/* Repeats and lists built as a tree, written, and compared with text typed here. */
static void writes_lists_and_repeats(void **state)
{
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *list = xmlmsg_add(root, "ResultList", NULL);
    struct xmlmsg *again;
    char *text, *second;
    size_t len;

    (void)state;
    assert_non_null(xmlmsg_add(xmlmsg_add(list, "R", NULL), "A", "1"));
    assert_non_null(xmlmsg_add(xmlmsg_add(list, "R", NULL), "A", "\"\\\n"));
    assert_non_null(xmlmsg_add(root, "X", "a"));
    assert_non_null(xmlmsg_add(root, "Y", NULL));
    assert_non_null(xmlmsg_add(root, "X", "b"));
    assert_non_null(xmlmsg_add(root, "X", "c"));
    assert_int_equal(codec_json_write(root, &text, &len), 0);
    assert_string_equal(
        text, "{\"XmlMsg\":{\"ResultList\":[{\"R\":{\"A\":\"1\"}},{\"R\":{\"A\":\"\\\"\\\\\\n\"}}],"
              "\"X\":[\"a\",\"b\",\"c\"],\"Y\":{}}}");
    again = read_text(text);
    assert_int_equal(xmlmsg_count(again), xmlmsg_count(root));
    assert_int_equal(codec_json_write(again, &second, &len), 0);
    assert_string_equal(second, text);
    free(second);
    free(text);
    xmlmsg_free(&again);
    /* Two lists of one name come together; a leaf of a list's name beside it has no form in JSON.
     */
    assert_non_null(xmlmsg_add(xmlmsg_add(root, "ResultList", NULL), "R", "z"));
    assert_int_equal(codec_json_write(root, &text, &len), 0);
    assert_non_null(strstr(text, "{\"A\":\"\\\"\\\\\\n\"}},{\"R\":\"z\"}],"));
    free(text);
    assert_non_null(xmlmsg_add(root, "ResultList", "leaf"));
    assert_int_equal(codec_json_write(root, &text, &len), -EINVAL);
    assert_null(text);
    xmlmsg_free(&root);
}

static void refuses_what_is_no_message(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "[]",
        "\"XmlMsg\"",
        "{}",
        "null",
        "{\"XmlMsg\":[]}",
        "{\"XmlMsg\":\"x\"}",
        "{\"XmlMsg\":{}} x",
        "{\"XmlMsg\":{}}{}",
        "{\"XmlMsg\":{},\"Other\":{}}",
        "{\"XmlMsg\":{}",
        "{\"XmlMsg\":{\"A\":\"",
        "{\"XmlMsg\":{\"A\":\"1\",\"A\":\"2\"}}", /* a member twice */
        "{\"XmlMsg\":{\"A\":\"\\u0000\"}}",       /* NUL */
        "{\"XmlMsg\":{\"A\":\"\\ud800\"}}",       /* half a surrogate pair */
        "{\"XmlMsg\":{\"A\":\"\xff\"}}",          /* no UTF-8 */
        "{\"XmlMsg\":{\"A\":[[\"1\"]]}}",         /* an array in an array */
        "{\"XmlMsg\":{\"AList\":[\"1\"]}}",       /* a list of texts */
        "{\"XmlMsg\":{\"AList\":[[]]}}",
        "{\"XmlMsg\":{\"a b\":\"1\"}}",
        "{\"XmlMsg\":{\"\":\"1\"}}",
        "{\"XmlMsg\":{\"a/b\":\"1\"}}",
        "{\"\":{}}",
        "{\"XmlMsg\":{\"A\":1e999}}",
        "<XmlMsg/>",
        /* the message itself is no list */
        "{\"XmlList\":{\"A\":\"1\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(bad[i], strlen(bad[i]));
    refused("{\"XmlMsg\":{\"A\":\"1\0\"}}", 21);
}

static void refuses_every_cut(void **state)
{
    static const char text[] =
        "{\"XmlMsg\":{\"A\":[{\"BList\":[{\"C\":\"\\u3042\"}]},{\"D\":-1.5e3}]}}";

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        refused(text, len);
    struct xmlmsg *root = read_text(text);
    assert_string_equal(xmlmsg_get(root, "A/BList/C"), "あ");
    xmlmsg_free(&root);
}

static void refuses_more_than_a_message_can_be(void **state)
{
    size_t room = (4u << 20) + 64;
    char *text = malloc(room);
    size_t n;

    (void)state;
    assert_non_null(text);
    /* Depth: 15 objects below the root are one too many, in 16 levels the root counts. */
    for (int depth = 15; depth <= 16; depth++) {
        n = (size_t)sprintf(text, "{\"XmlMsg\":");
        for (int i = 1; i < depth; i++)
            n += (size_t)sprintf(text + n, "{\"A\":");
        n += (size_t)sprintf(text + n, "{\"A\":\"x\"}");
        for (int i = 0; i < depth; i++)
            text[n++] = '}';
        if (depth == 15) {
            struct xmlmsg *root;

            assert_int_equal(codec_json_read(&root, text, n), 0);
            xmlmsg_free(&root);
        } else {
            refused(text, n);
        }
    }
    /* Thousands of brackets. */
    n = (size_t)sprintf(text, "{\"XmlMsg\":{\"A\":");
    memset(text + n, '[', 100000);
    refused(text, n + 100000);
    /* A million empty arrays in 3 MB. */
    n = (size_t)sprintf(text, "{\"XmlMsg\":{\"AList\":[");
    for (int i = 0; i < 1000000; i++, n += 3)
        memcpy(text + n, "[],", 3);
    n += (size_t)sprintf(text + n, "{}]}}");
    assert_int_equal(codec_json_check_size(text, n), -EBADMSG);
    refused(text, n);
    /* 20000 elements with the root are too many. */
    n = (size_t)sprintf(text, "{\"XmlMsg\":{\"A\":[\"\"");
    for (int i = 1; i < 20000; i++, n += 3)
        memcpy(text + n, ",\"\"", 3);
    n += (size_t)sprintf(text + n, "]}}");
    refused(text, n);
    /* More than 4 MiB, be it blanks. */
    memset(text, ' ', room);
    memcpy(text, "{\"XmlMsg\":{}}", 13);
    refused(text, (4u << 20) + 1);
    free(text);
}

static void brackets_within_texts_are_texts(void **state)
{
    char text[700] = "{\"XmlMsg\":{\"A\":\"\\\"";
    struct xmlmsg *root;

    (void)state;
    memset(text + strlen(text), '[', 500);
    strcat(text, "\"}}");
    root = read_text(text);
    assert_int_equal(strlen(xmlmsg_get(root, "A")), 501);
    xmlmsg_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_request_as_the_web_api_has_it),
        cmocka_unit_test(reads_a_card_session_in_mixed_order),
        cmocka_unit_test(keeps_several_results_and_their_padding),
        cmocka_unit_test(reads_a_failure_of_the_whole_request),
        cmocka_unit_test(reads_a_ticket_that_is_not_registered_yet),
        cmocka_unit_test(keeps_what_nobody_knows),
        cmocka_unit_test(writes_lists_and_repeats),
        cmocka_unit_test(refuses_what_is_no_message),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_more_than_a_message_can_be),
        cmocka_unit_test(brackets_within_texts_are_texts),
    };

    codec_json_protect();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
