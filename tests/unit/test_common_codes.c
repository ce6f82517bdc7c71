/* What codes mean: looked up by element as the messages have them, and the table itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "codes.h"
#include "utf8.h"

static const struct code_text *meaning(const char *parent, const char *element, const char *value)
{
    return codes_find(codes_list_of(parent, element), value);
}

/* Every list of the published description, with how many values it has. */
static void every_list_has_its_values(void **state)
{
    static const struct {
        const char *name;
        size_t values;
    } lists[] = {
        {"CD001", 2}, {"CD002", 5}, {"CD003", 3}, {"CD004", 2}, {"CD005", 2}, {"CD006", 6},
        {"CD007", 3}, {"CD008", 4}, {"CD009", 2}, {"CD010", 8}, {"CD011", 3}, {"CD012", 16},
        {"CD013", 3}, {"CD014", 2}, {"CD015", 1}, {"CD016", 4}, {"CD017", 2}, {"CD018", 2},
        {"CD019", 5}, {"CD020", 2}, {"CD021", 2}, {"CD022", 1}, {"CD023", 2}, {"CD024", 2},
        {"CD025", 2}, {"CD026", 2}, {"CD027", 1}, {"CD028", 4}, {"CD036", 5}, {"CD038", 4},
        {"CD044", 4},
    };

    (void)state;
    assert_int_equal(CODE_LIST_COUNT, 1 + sizeof(lists) / sizeof(lists[0]));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        enum code_list list = codes_list_named(lists[i].name);
        size_t n = 0;

        assert_int_not_equal(list, CODE_LIST_NONE);
        assert_string_equal(codes_list(list)->name, lists[i].name);
        for (size_t r = 0; codes_row(r) != NULL; r++)
            n += codes_row(r)->list == list;
        assert_int_equal(n, lists[i].values);
    }
}

static void elements_lead_to_their_lists(void **state)
{
    static const struct {
        const char *parent, *element, *list;
    } rows[] = {
        {"MessageHeader", "ReferenceClassification", "CD002"},
        {"MessageHeader", "SegmentOfResult", "CD003"},
        {"MessageBody", "ProcessingResultStatus", "CD004"},
        {"BulkConfirmUnit", "ProcessingResultStatus", "CD004"},
        {"MessageHeader", "CharacterCodeIdentifier", "CD005"},
        {"MessageBody", "QualificationValidity", "CD006"},
        {"ResultOfQualificationConfirmation", "Sex1", "CD007"},
        {"ResultOfQualificationConfirmation", "Sex2", "CD007"},
        {NULL, "ReasonOfLoss", "CD008"},
        {NULL, "PersonalFamilyClassification", "CD009"},
        {NULL, "InsuredCardClassification", "CD010"},
        {NULL, "LimitApplicationCertificateClassification", "CD011"},
        {NULL, "LimitApplicationCertificateClassificationFlag", "CD012"},
        {NULL, "SpecificDiseasesDiseaseCategory", "CD013"},
        {NULL, "LimitApplicationCertificateChanged", "CD014"},
        {NULL, "PreschoolClassification", "CD015"},
        {NULL, "PrescriptionIssueSelect", "CD017"},
        {NULL, "TicketType", "CD018"},
        {NULL, "MedicalTreatmentType", "CD019"},
        {NULL, "SingleOrCombinedUse", "CD020"},
        {NULL, "StatusOfSocialInsurance", "CD021"},
        {NULL, "ConsistencyFlag", "CD022"},
        {NULL, "StatusOfInfecton", "CD023"},
        {NULL, "StatusOfElderlyMedicalCare", "CD024"},
        {NULL, "StatusOfPrefecturalExpenses", "CD025"},
        {NULL, "MedicalTreatmentFlag", "CD028"},
        /* The same name is another list in the question than in the answer. */
        {"QualificationConfirmSearchInfo", "LimitApplicationCertificateRelatedConsFlg", "CD001"},
        {"ResultOfQualificationConfirmation", "LimitApplicationCertificateRelatedConsFlg", "CD016"},
        {NULL, "LimitApplicationCertificateRelatedConsFlg", "CD016"},
        {NULL, "PharmacistsInfoConsFlg", "CD016"},
        {NULL, "AKindThatComesLaterConsFlg", "CD016"},
        {NULL, "ConsFlg", ""},
        {NULL, "PharmacistsInfoConsTime", ""},
        {NULL, "Name", ""},
        {NULL, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(codes_list(codes_list_of(rows[i].parent, rows[i].element))->name,
                            rows[i].list);
}

static void meanings_as_the_description_has_them(void **state)
{
    (void)state;
    assert_string_equal(meaning("MessageBody", "QualificationValidity", "1")->ja, "有効");
    assert_string_equal(meaning("MessageBody", "QualificationValidity", "1")->en, "valid");
    assert_non_null(strstr(meaning("MessageBody", "QualificationValidity", "3")->ja, "新しい資格"));
    assert_non_null(strstr(meaning("MessageBody", "QualificationValidity", "6")->ja, "医療扶助"));
    assert_string_equal(meaning("", "Sex1", "2")->en, "female");
    assert_string_equal(meaning("", "ReasonOfLoss", "01")->ja, "死亡");
    assert_non_null(
        strstr(meaning("", "InsuredCardClassification", "A1")->en, "medical assistance"));
    assert_non_null(strstr(meaning("", "LimitApplicationCertificateClassificationFlag", "B01")->ja,
                           "現役並みⅢ"));
    assert_non_null(strstr(meaning("", "LimitApplicationCertificateClassificationFlag", "B03")->ja,
                           "現役並みⅠ"));
    assert_non_null(
        strstr(meaning("", "LimitApplicationCertificateClassificationFlag", "B10")->ja, "一般Ⅰ"));
    assert_string_equal(meaning("", "PrescriptionIssueSelect", "2")->en, "on paper");
    assert_true(meaning("MessageHeader", "ReferenceClassification", "1")->verified);
    assert_false(meaning("MessageHeader", "ReferenceClassification", "A")->verified);
    assert_false(codes_find(codes_list_named("CD044"), "8")->verified);
}

static void what_is_not_in_the_list_is_unknown(void **state)
{
    (void)state;
    assert_null(meaning("MessageBody", "QualificationValidity", "7"));
    assert_null(meaning("MessageBody", "QualificationValidity", "01"));
    assert_null(meaning("MessageBody", "QualificationValidity", " 1"));
    assert_null(meaning("MessageBody", "QualificationValidity", ""));
    assert_null(meaning("", "InsuredCardClassification", "1"));
    assert_null(meaning("", "InsuredCardClassification", "a1"));
    assert_null(codes_find(CODE_LIST_NONE, "1"));
    assert_string_equal(codes_list((enum code_list)CODE_LIST_COUNT)->name, "");
    assert_string_equal(codes_list(CODE_LIST_NONE)->ja, "");
    assert_int_equal(codes_list_named("CD099"), CODE_LIST_NONE);
    assert_int_equal(codes_list_named(""), CODE_LIST_NONE);
}

static void every_row_is_said_in_both_languages_and_once(void **state)
{
    (void)state;
    for (size_t i = 0; codes_row(i) != NULL; i++) {
        const struct code_text *row = codes_row(i);

        assert_true(row->value[0] != '\0' && row->ja[0] != '\0' && row->en[0] != '\0');
        assert_true(utf8_valid(row->ja, strlen(row->ja)) && utf8_valid(row->en, strlen(row->en)));
        assert_ptr_equal(codes_find(row->list, row->value), row);
    }
    for (int i = CODE_LIST_NONE + 1; i < CODE_LIST_COUNT; i++)
        assert_true(codes_list((enum code_list)i)->ja[0] != '\0' &&
                    codes_list((enum code_list)i)->en[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_has_its_values),
        cmocka_unit_test(elements_lead_to_their_lists),
        cmocka_unit_test(meanings_as_the_description_has_them),
        cmocka_unit_test(what_is_not_in_the_list_is_unknown),
        cmocka_unit_test(every_row_is_said_in_both_languages_and_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
