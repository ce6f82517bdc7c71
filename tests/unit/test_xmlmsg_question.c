/* The questions that the desk asks: every element where the facts say it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../daemon/common/question.h"
#include "../../daemon/common/visit.h"

static const struct question_header header = {"9910000017", "20261005", "RD-20261005-0001"};

static void asks_by_numbers(void **state)
{
    const struct question_numbers numbers = {.insurer = "990012",
                                             .symbol = "試験",
                                             .number = "1001",
                                             .branch = "01",
                                             .birth = "19710203",
                                             .identifier = "PT000123",
                                             .limit_consent = true};
    struct xmlmsg *root = question_by_numbers(&header, &numbers);
    struct xmlmsg *info;

    (void)state;
    assert_non_null(root);
    assert_string_equal(xmlmsg_name(root), "XmlMsg");
    assert_string_equal(xmlmsg_get(root, "MessageHeader/QualificationConfirmationDate"),
                        "20261005");
    assert_string_equal(xmlmsg_get(root, "MessageHeader/MedicalInstitutionCode"), "9910000017");
    assert_string_equal(xmlmsg_get(root, "MessageHeader/ArbitraryFileIdentifier"),
                        "RD-20261005-0001");
    info = xmlmsg_find(root, "MessageBody/QualificationConfirmSearchInfo");
    assert_non_null(info);
    assert_string_equal(xmlmsg_get(info, "InsurerNumber"), "  990012");
    assert_string_equal(xmlmsg_get(info, "InsuredCardSymbol"), "試験");
    assert_string_equal(xmlmsg_get(info, "InsuredIdentificationNumber"), "1001");
    assert_string_equal(xmlmsg_get(info, "InsuredBranchNumber"), "01");
    assert_string_equal(xmlmsg_get(info, "Birthdate"), "19710203");
    assert_string_equal(xmlmsg_get(info, "LimitApplicationCertificateRelatedConsFlg"), "1");
    assert_string_equal(xmlmsg_get(info, "ArbitraryIdentifier"), "PT000123");
    xmlmsg_free(&root);
}

static void leaves_out_what_an_elder_does_not_have(void **state)
{
    const struct question_numbers numbers = {
        .insurer = "39990014", .symbol = "", .number = "12345678", .birth = "19400101"};
    struct xmlmsg *root = question_by_numbers(&header, &numbers);

    (void)state;
    assert_non_null(root);
    assert_string_equal(
        xmlmsg_get(root, "MessageBody/QualificationConfirmSearchInfo/InsurerNumber"), "39990014");
    assert_false(xmlmsg_has(root, "MessageBody/QualificationConfirmSearchInfo/InsuredCardSymbol"));
    assert_false(
        xmlmsg_has(root, "MessageBody/QualificationConfirmSearchInfo/InsuredBranchNumber"));
    assert_string_equal(
        xmlmsg_get(
            root,
            "MessageBody/QualificationConfirmSearchInfo/LimitApplicationCertificateRelatedConsFlg"),
        "0");
    xmlmsg_free(&root);
}

/* Test vectors of RFC 4648 section 10. */
static void writes_bytes_as_base64(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } vectors[] = {{"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct question_card card = {.certificate = (const uint8_t *)vectors[i].bytes,
                                           .certificate_len = strlen(vectors[i].bytes),
                                           .method = "face"};
        struct xmlmsg *root = question_register(&header, &card);

        assert_non_null(root);
        assert_string_equal(xmlmsg_get(root, "MessageBody/CardRegistration/UserCertificate"),
                            vectors[i].text);
        assert_false(xmlmsg_has(root, "MessageBody/CardRegistration/SignedStatement"));
        assert_false(xmlmsg_has(root, "MessageBody/CardRegistration/Consents"));
        xmlmsg_free(&root);
    }
}

static void asks_by_card_with_the_consents_that_were_asked(void **state)
{
    const struct question_card card = {.certificate = (const uint8_t *)"c",
                                       .certificate_len = 1,
                                       .method = "pin",
                                       .statement = (const uint8_t *)"\xff\xff\xff",
                                       .statement_len = 3,
                                       .signature = (const uint8_t *)"\x00",
                                       .signature_len = 1,
                                       .consents_asked =
                                           CONSENT_LIMIT | CONSENT_DRUGS | CONSENT_DISEASE,
                                       .consents = CONSENT_DRUGS | CONSENT_OPERATION};
    struct xmlmsg *root = question_card_session(&header, &card);
    struct xmlmsg *session, *consents;

    (void)state;
    assert_non_null(root);
    session = xmlmsg_find(root, "MessageBody/CardSession");
    assert_string_equal(xmlmsg_get(session, "Method"), "pin");
    assert_string_equal(xmlmsg_get(session, "SignedStatement"), "////");
    assert_string_equal(xmlmsg_get(session, "Signature"), "AA==");
    consents = xmlmsg_child(session, "Consents");
    assert_int_equal(xmlmsg_count(consents), 1 + 3);
    assert_string_equal(xmlmsg_get(consents, "LimitApplicationCertificateRelatedConsFlg"), "0");
    assert_string_equal(xmlmsg_get(consents, "PharmacistsInfoConsFlg"), "1");
    assert_string_equal(xmlmsg_get(consents, "SpecificDiseasesCertificateRelatedConsFlg"), "0");
    xmlmsg_free(&root);

    root = question_consents(&header, &card);
    assert_non_null(root);
    assert_true(xmlmsg_has(root, "MessageBody/ConsentChange/Consents/PharmacistsInfoConsFlg"));
    xmlmsg_free(&root);
}

static void names_the_part_of_each_kind(void **state)
{
    (void)state;
    assert_string_equal(question_part(UPSTREAM_BY_NUMBERS), "QualificationConfirmSearchInfo");
    assert_string_equal(question_part(UPSTREAM_CARD_SESSION), "CardSession");
    assert_string_equal(question_part(UPSTREAM_REGISTER), "CardRegistration");
    assert_string_equal(question_part(UPSTREAM_CONSENTS), "ConsentChange");
    assert_string_equal(question_part(UPSTREAM_REFERENCE_NUMBER),
                        "ReferenceNumberRegistrationInfo");
    assert_string_equal(question_part(UPSTREAM_REFERENCE_BULK), "ReferenceNumberRegistrationInfo");
    assert_string_equal(question_part(UPSTREAM_BULK), "QualificationConfirmSearchInfo");
    assert_string_equal(question_part(UPSTREAM_TICKETS), "MedicalTreatmentMonth");
    assert_string_equal(question_part(UPSTREAM_DRUGS), "FileCategory");
    assert_string_equal(question_part(UPSTREAM_CHECKUP), "FileCategory");
    assert_null(question_part(99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_by_numbers),
        cmocka_unit_test(leaves_out_what_an_elder_does_not_have),
        cmocka_unit_test(writes_bytes_as_base64),
        cmocka_unit_test(asks_by_card_with_the_consents_that_were_asked),
        cmocka_unit_test(names_the_part_of_each_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
