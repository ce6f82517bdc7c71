/* Decisions on trees put together by hand after the eligibility facts (2.3 to 2.6): every level, every CD006. */
#include "../../daemon/desk/decide.h"

#include "../../daemon/common/failure.h"
#include "../../daemon/common/xmlmsg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct decide_expect nobody = {.institution = "9910000017"};

static struct xmlmsg *message(const char *segment, const char *status, const char *validity,
                              unsigned results)
{
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *list;

    assert_non_null(root);
    /* The order of the elements is not the official one: it must not matter. */
    if (status != NULL)
        xmlmsg_set(root, "MessageBody/ProcessingResultStatus", status);
    if (validity != NULL)
        xmlmsg_set(root, "MessageBody/QualificationValidity", validity);
    if (results > 0) {
        list = xmlmsg_add(xmlmsg_find(root, "MessageBody"), "ResultList", NULL);
        for (unsigned i = 0; i < results; i++) {
            struct xmlmsg *r = xmlmsg_add(list, "ResultOfQualificationConfirmation", NULL);

            xmlmsg_add(r, "Name", "架空　花子");
            xmlmsg_add(r, "NameKana", "ｶｸｳ ﾊﾅｺ");
            xmlmsg_add(r, "Sex1", "2");
            xmlmsg_add(r, "Birthdate", "19540707");
            xmlmsg_add(r, "InsurerName", "架空健康保険組合");
        }
    }
    if (segment != NULL)
        xmlmsg_set(root, "MessageHeader/SegmentOfResult", segment);
    xmlmsg_set(root, "MessageHeader/MedicalInstitutionCode", "9910000017");
    return root;
}

static struct xmlmsg *result_of(struct xmlmsg *root)
{
    return xmlmsg_find(root, "MessageBody/ResultList/ResultOfQualificationConfirmation");
}

static struct decision decided(struct xmlmsg *root, const struct decide_expect *expect)
{
    struct decision d;

    decide(root, expect, &d);
    xmlmsg_free(&root);
    return d;
}

static void levels_and_validities(void **state)
{
    static const struct {
        const char *segment, *status, *validity;
        unsigned results;
        enum decide_result result;
        uint16_t failure;
    } cases[] = {
        {"1", "1", "1", 1, DECIDE_USABLE, FAILURE_NONE},
        {"1", "1", "2", 1, DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_INVALID},
        {"1", "1", "2", 0, DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_INVALID},
        {"1", "1", "3", 1, DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_INVALID_NEW},
        {"1", "1", "3", 2, DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_INVALID_NEW},
        {"1", "1", "4", 0, DECIDE_NOT_USABLE, FAILURE_ELIGIBILITY_NONE},
        {"1", "1", "5", 3, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_SEVERAL},
        {"1", "1", "6", 1, DECIDE_USABLE, FAILURE_ELIGIBILITY_TICKET_UNREGISTERED},
        /* valid, but not exactly one result */
        {"1", "1", "1", 0, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", "1", "1", 2, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_SEVERAL},
        {"1", "1", "6", 2, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_SEVERAL},
        /* the level above decides, whatever stands below it */
        {"9", "1", "1", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_REQUEST_ERROR},
        {"9", NULL, NULL, 0, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_REQUEST_ERROR},
        {"2", "1", "1", 1, DECIDE_PENDING, FAILURE_NONE},
        {"2", NULL, NULL, 0, DECIDE_PENDING, FAILURE_NONE},
        {"1", "2", "1", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_PROCESSING_ERROR},
        {"1", "2", NULL, 0, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_PROCESSING_ERROR},
        /* codes that no list has, and none at all */
        {"3", "1", "1", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {NULL, "1", "1", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", "3", "1", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", NULL, "1", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", "1", "7", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", "1", "01", 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", "1", NULL, 1, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
        {"1", NULL, NULL, 0, DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct decision d =
            decided(message(cases[i].segment, cases[i].status, cases[i].validity, cases[i].results),
                    &nobody);

        if (d.result != cases[i].result || d.failure != cases[i].failure)
            fail_msg("case %zu: %d %s", i, (int)d.result, failure_text(d.failure)->name);
    }
}

static void takes_what_is_shown(void **state)
{
    struct xmlmsg *root = message("1", "1", "1", 1);
    struct decision d;

    (void)state;
    xmlmsg_set(result_of(root), "ElderlyRecipientCertificateInfo/ElderlyRecipientContributionRatio",
               "020");
    xmlmsg_set(
        result_of(root),
        "LimitApplicationCertificateRelatedInfo/LimitApplicationCertificateClassificationFlag",
        "B04");
    xmlmsg_set(result_of(root), "ReferenceNumber", "PT000456");
    /* 2026-10-06 09:14:55 and an hour before, of Japan: the earlier ends the answer. */
    xmlmsg_set(result_of(root), "PharmacistsInfoAvailableTime", "20261006091455");
    xmlmsg_set(result_of(root), "DiagnosisInfoAvailableTime", "20261006081455");
    xmlmsg_set(result_of(root), "OperationInfoAvailableTime", "soon");
    d = decided(root, &nobody);
    assert_int_equal(d.result, DECIDE_USABLE);
    assert_string_equal(d.person.name, "架空　花子");
    assert_string_equal(d.person.kana, "ｶｸｳ ﾊﾅｺ");
    assert_string_equal(d.person.birth, "19540707");
    assert_string_equal(d.person.sex, "2");
    assert_string_equal(d.person.reference, "PT000456");
    assert_string_equal(d.person.insurer, "架空健康保険組合");
    assert_string_equal(d.ratio, "020");
    assert_string_equal(d.limit_class, "B04");
    assert_string_equal(d.validity, "1");
    assert_false(d.masked);
    assert_false(d.notice);
    /* date -u -d '2026-10-05 23:14:55' +%s */
    assert_int_equal(d.available_until_us, INT64_C(1791242095) * 1000000);
}

static void ratio_of_the_elderly_comes_first(void **state)
{
    struct xmlmsg *root = message("1", "1", "1", 1);

    (void)state;
    xmlmsg_set(result_of(root), "InsuredPartialContributionRatio", "010");
    xmlmsg_set(result_of(root), "ElderlyRecipientCertificateInfo/ElderlyRecipientContributionRatio",
               "030");
    assert_string_equal(decided(root, &nobody).ratio, "010");
    root = message("1", "1", "1", 1);
    xmlmsg_set(result_of(root), "InsuredPartialContributionRatio", "3割");
    assert_string_equal(decided(root, &nobody).ratio, "");
}

static void code_beside_status_1_is_a_notice(void **state)
{
    struct xmlmsg *root = message("1", "1", "1", 1);
    struct decision d;

    (void)state;
    xmlmsg_set(root, "MessageBody/ProcessingResultCode", "N301");
    xmlmsg_set(root, "MessageBody/ProcessingResultMessage", "期限が近づいています");
    d = decided(root, &nobody);
    assert_int_equal(d.result, DECIDE_USABLE);
    assert_int_equal(d.failure, FAILURE_ELIGIBILITY_NOTICE);
    assert_true(d.notice);
    assert_string_equal(d.notice_text, "N301 期限が近づいています");
}

static void text_of_an_error_is_kept_for_staff(void **state)
{
    struct xmlmsg *root = message("9", NULL, NULL, 0);

    (void)state;
    xmlmsg_set(root, "MessageHeader/ErrorCode", "OQC-OWSE0900000");
    xmlmsg_set(root, "MessageHeader/ErrorMessage", "通信エラー");
    assert_string_equal(decided(root, &nobody).notice_text, "OQC-OWSE0900000 通信エラー");
}

static void long_texts_are_cut_between_characters(void **state)
{
    char name[400] = "";
    struct xmlmsg *root = message("1", "1", "1", 1);
    struct xmlmsg *list = xmlmsg_find(root, "MessageBody/ResultList");
    struct decision d;

    (void)state;
    (void)list;
    for (unsigned i = 0; i < 100; i++)
        strcat(name, "花");
    xmlmsg_set(result_of(root), "InsurerName", name);
    d = decided(root, &nobody);
    assert_int_equal(strlen(d.person.insurer), 96);
    assert_memory_equal(d.person.insurer, name, 96);
}

static void masked_name_is_flagged(void **state)
{
    struct xmlmsg *root = message("1", "1", "1", 1);

    (void)state;
    xmlmsg_set(result_of(root), "Name", "架●　花子");
    assert_true(decided(root, &nobody).masked);
}

static void person_of_the_card_must_be_the_person_of_the_answer(void **state)
{
    static const struct {
        const char *birth, *sex;
        bool other;
    } cases[] = {
        {"19540707", "2", false}, {"19540708", "2", true}, {"19540707", "1", true}, {"", "", true}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct decide_expect expect = {"9910000017", cases[i].birth, cases[i].sex, NULL, NULL};

        assert_int_equal(decided(message("1", "1", "1", 1), &expect).other_person, cases[i].other);
        assert_int_equal(decided(message("1", "1", "2", 1), &expect).other_person, cases[i].other);
    }
    assert_false(decided(message("1", "1", "1", 1), &nobody).other_person);
}

static void answer_for_another_institution_is_none(void **state)
{
    struct decide_expect other = {.institution = "1310000001"};

    (void)state;
    assert_int_equal(decided(message("1", "1", "1", 1), &other).failure,
                     FAILURE_ELIGIBILITY_GARBLED);
}

static void registration(void **state)
{
    static const struct {
        const char *status, *outcome;
        enum decide_result result;
        uint16_t failure;
    } cases[] = {
        {"1", "accepted", DECIDE_REGISTERED, FAILURE_NONE},
        {"1", "already", DECIDE_REGISTERED, FAILURE_NONE},
        {"1", "refused", DECIDE_UNKNOWN, FAILURE_REGISTRATION_REFUSED},
        {"2", "refused", DECIDE_UNKNOWN, FAILURE_REGISTRATION_REFUSED},
        {"2", "accepted", DECIDE_UNKNOWN, FAILURE_REGISTRATION_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xmlmsg *root = message("1", cases[i].status, NULL, 0);
        struct decision d;

        xmlmsg_set(root, "MessageBody/RegistrationOutcome", cases[i].outcome);
        d = decided(root, &nobody);
        assert_int_equal(d.result, cases[i].result);
        assert_int_equal(d.failure, cases[i].failure);
    }
}

static void codes_of_the_simulated_extension(void **state)
{
    static const struct {
        const char *code;
        enum decide_result result;
        uint16_t failure;
    } cases[] = {
        {"SIMPRC221", DECIDE_NOT_REGISTERED, FAILURE_ELIGIBILITY_PROCESSING_ERROR},
        {"SIMPRC222", DECIDE_UNKNOWN, FAILURE_REGISTRATION_REFUSED},
        {"SIMPRC204", DECIDE_UNKNOWN, FAILURE_CARD_CERTIFICATE_EXPIRED},
        {"SIMPRC205", DECIDE_UNKNOWN, FAILURE_CARD_CERTIFICATE_REVOKED},
        {"SIMPRC999", DECIDE_UNKNOWN, FAILURE_ELIGIBILITY_PROCESSING_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xmlmsg *root = message("1", "2", NULL, 0);
        struct decision d;

        xmlmsg_set(root, "MessageBody/ProcessingResultCode", cases[i].code);
        d = decided(root, &nobody);
        assert_int_equal(d.result, cases[i].result);
        assert_int_equal(d.failure, cases[i].failure);
    }
}

/* A subsidy that the answer does not tell of is unknown, whatever else it says; it is never "none". */
static void a_subsidy_is_unknown_until_an_answer_tells(void **state)
{
    static const struct {
        const char *validity,
            *subsidy;             /* the element that is configured; NULL: nobody wants to know */
        const char *path, *value; /* what stands in the answer besides */
        bool unknown;
    } cases[] = {
        {"1", "", NULL, NULL, true},
        {"6", "", NULL, NULL, true},
        {"2", "", NULL, NULL, false}, /* without an entitlement there is nothing to add to it */
        {"1", NULL, NULL, NULL, false},
        {"1", "MedicalSubsidyInfo", NULL, NULL, true},
        {"1", "MedicalSubsidyInfo", "MessageBody/MedicalSubsidyInfo", "", true},
        {"1", "MedicalSubsidyInfo", "MessageBody/MedicalSubsidyInfo/RecipientNumber", "1", false},
        {"1", "MedicalSubsidyInfo",
         "MessageBody/ResultList/ResultOfQualificationConfirmation/MedicalSubsidyInfo", "yes",
         false},
        {"1", "MedicalSubsidyInfo", "MessageHeader/MedicalSubsidyInfo", "yes", true},
        {"1", "", "MessageBody/MedicalSubsidyInfo", "yes", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct decide_expect expect = {.institution = "9910000017", .subsidy = cases[i].subsidy};
        struct xmlmsg *root = message("1", "1", cases[i].validity, 1);

        if (cases[i].path != NULL)
            assert_int_equal(xmlmsg_set(root, cases[i].path, cases[i].value), 0);
        if (decided(root, &expect).subsidy_unknown != cases[i].unknown)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_and_validities),
        cmocka_unit_test(takes_what_is_shown),
        cmocka_unit_test(ratio_of_the_elderly_comes_first),
        cmocka_unit_test(code_beside_status_1_is_a_notice),
        cmocka_unit_test(text_of_an_error_is_kept_for_staff),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(masked_name_is_flagged),
        cmocka_unit_test(person_of_the_card_must_be_the_person_of_the_answer),
        cmocka_unit_test(answer_for_another_institution_is_none),
        cmocka_unit_test(registration),
        cmocka_unit_test(codes_of_the_simulated_extension),
        cmocka_unit_test(a_subsidy_is_unknown_until_an_answer_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
