/*
 * sim-samples DIR: one file of every message, and of every combination of CD003, CD004, CD006 and
 * CD016, in both encodings; beside each NAME.xml the same as NAME.json (one line), made from the
 * same tree without any XML.
 *
 * Shares no code with the product. Order, padding, ● in names, number of results, notices and the
 * parts of a result differ from file to file, by the file's number.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "xml.h"

#define INSTITUTION "9910000017"

static const char *directory;
static unsigned written;

static void set(json_t *object, const char *name, const char *value)
{
    json_object_set_new(object, name, json_string(value));
}

static void save(const char *name, const char *end, const char *data, size_t len)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s%s", directory, name, end);
    file = fopen(path, "we");
    if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0) {
        fprintf(stderr, "sim-samples: %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

/* Takes the tree. */
static void put(const char *name, json_t *tree, unsigned shuffle)
{
    for (int encoding = 0; encoding < 2; encoding++) {
        const struct xml_style style = {.encoding = encoding == 0 ? XML_UTF_8 : XML_SHIFT_JIS,
                                        .shuffle = shuffle,
                                        .spread = (written + (unsigned)encoding) % 3 != 0};
        json_t *header = json_object_get(json_object_get(tree, "XmlMsg"), "MessageHeader");
        char full[128];
        size_t len;
        char *text, *json;

        if (json_object_get(header, "SegmentOfResult") != NULL)
            set(header, "CharacterCodeIdentifier", encoding == 0 ? "0" : "1");
        text = xml_write(tree, &style, &len);
        json = json_dumps(tree, JSON_COMPACT);
        if (text == NULL || json == NULL) {
            fprintf(stderr, "sim-samples: %s cannot be written\n", name);
            exit(1);
        }
        snprintf(full, sizeof(full), "%s-%s", name, encoding == 0 ? "utf-8" : "shift-jis");
        save(full, ".xml", text, len);
        save(full, ".json", json, strlen(json));
        free(text);
        free(json);
    }
    written++;
    json_decref(tree);
}

static json_t *message(json_t *header, json_t *body)
{
    return body != NULL
               ? json_pack("{s:{s:o, s:o}}", "XmlMsg", "MessageHeader", header, "MessageBody", body)
               : json_pack("{s:{s:o}}", "XmlMsg", "MessageHeader", header);
}

static json_t *header(const char *identifier, const char *segment)
{
    json_t *h = json_pack("{s:s, s:s, s:s, s:s}", "ProcessExecutionTime", "20261005091502",
                          "QualificationConfirmationDate", "20261005", "MedicalInstitutionCode",
                          INSTITUTION, "ArbitraryFileIdentifier", identifier);

    if (segment != NULL)
        set(h, "SegmentOfResult", segment);
    return h;
}

/* ---- an entitlement -------------------------------------------------------------------------- */

static void consented(json_t *result, const char *stem, const char *flag, bool ends)
{
    char name[80];

    snprintf(name, sizeof(name), "%sConsFlg", stem);
    set(result, name, flag);
    if (flag[0] != '1')
        return;
    snprintf(name, sizeof(name), "%sConsTime", stem);
    set(result, name, "20261005091455");
    if (!ends)
        return;
    snprintf(name, sizeof(name), "%sAvailableTime", stem);
    set(result, name, "20261006091455");
}

static json_t *result_of(unsigned n, const char *consent)
{
    static const char *const names[] = {"架●　花子", "見本　次郎", "髙橋　①～∥",
                                        "ＭＩＨＯＮ　ＡＮＮＡ", "●●　●"};
    static const char *const kinds[] = {"01", "02", "03", "04", "05", "06", "07", "A1"};
    static const char *const limits[] = {"A01", "A02", "A03", "A04", "A05", "A06", "B01", "B02",
                                         "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10"};
    static const char *const losses[] = {"01", "02", "03", "99"};
    json_t *r = json_object();
    char text[32];

    set(r, "InsuredCardClassification", kinds[n % 8]);
    /* Eight characters, with blanks in front where the number is shorter. */
    snprintf(text, sizeof(text), n % 2 == 0 ? "  %06u" : "99%06u", 990000 + n);
    text[8] = '\0';
    set(r, "InsurerNumber", text);
    if (n % 4 != 3)
        set(r, "InsuredCardSymbol", n % 3 == 0 ? "試験" : n % 3 == 1 ? "９９０１" : "ソ表ー能");
    snprintf(text, sizeof(text), "%u", 1000 + n);
    set(r, "InsuredIdentificationNumber", text);
    set(r, "InsuredBranchNumber", n % 2 == 0 ? "01" : "02");
    set(r, "PersonalFamilyClassification", n % 2 == 0 ? "1" : "2");
    set(r, "Name", names[n % 5]);
    set(r, "NameKana", "ｶｸｳ ﾊﾅｺ");
    if (n % 6 == 0)
        set(r, "NameOfOther", "通称　名");
    set(r, "Sex1", n % 3 == 0 ? "1" : n % 3 == 1 ? "2" : "3");
    set(r, "Birthdate", "19540707");
    set(r, "Address", "架空県見本市例町１－２－３ & <方>");
    set(r, "PostNumber", "000-0000");
    set(r, "QualificationDate", "20200401");
    if (n % 5 == 1) {
        set(r, "DisqualificationDate", "20260901");
        set(r, "ReasonOfLoss", losses[n % 4]);
    }
    set(r, "InsurerName", "架空健康保険組合");
    if (n % 3 == 0)
        json_object_set_new(r, "ElderlyRecipientCertificateInfo",
                            json_pack("{s:s, s:s, s:s, s:s}", "ElderlyRecipientCertificateDate",
                                      "20260801", "ElderlyRecipientValidStartDate", "20260801",
                                      "ElderlyRecipientValidEndDate", "20270731",
                                      "ElderlyRecipientContributionRatio", "020"));
    consented(r, "LimitApplicationCertificateRelated", consent, false);
    if (consent[0] == '1')
        json_object_set_new(
            r, "LimitApplicationCertificateRelatedInfo",
            json_pack("{s:s, s:s, s:s}", "LimitApplicationCertificateClassification",
                      n % 3 == 0   ? "01"
                      : n % 3 == 1 ? "02"
                                   : "03",
                      "LimitApplicationCertificateClassificationFlag", limits[n % 16],
                      "LimitApplicationCertificateValidEndDate", "20270731"));
    consented(r, "SpecificDiseasesCertificateRelated", consent, false);
    if (consent[0] == '1')
        json_object_set_new(
            r, "SpecificDiseasesCertificateList",
            json_pack("[{s:{s:s, s:s}}, {s:{s:s}}]", "SpecificDiseasesCertificateInfo",
                      "SpecificDiseasesDiseaseCategory", n % 2 == 0 ? "1" : "2",
                      "SpecificDiseasesSelfPay", "10000", "SpecificDiseasesCertificateInfo",
                      "SpecificDiseasesDiseaseCategory", "3"));
    consented(r, "PharmacistsInfo", consent, true);
    consented(r, "SpecificHealthCheckupsInfo", consent, true);
    consented(r, "DiagnosisInfo", consent, true);
    consented(r, "OperationInfo", consent, true);
    if (n % 8 == 7)
        json_object_set_new(r, "PublicExpenseResultList",
                            json_pack("[{s:{s:s, s:s, s:s, s:s, s:s}}]", "MedicalTicketInfo",
                                      "TicketType", "01", "MedicalTreatmentType", "02",
                                      "SingleOrCombinedUse", "01", "StatusOfInfecton", "02",
                                      "Remarks1", "試験"));
    set(r, "ReferenceNumber", "PT000456");
    /* What nobody has heard of stays. */
    if (n % 7 == 0)
        json_object_set_new(r, "NotInAnyLayout", json_pack("{s:s}", "Inner", "値"));
    return r;
}

static json_t *results(unsigned n, unsigned count, const char *consent)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o}", "ResultOfQualificationConfirmation",
                                              result_of(n + i * 17, consent)));
    return list;
}

/* Every combination, whether it makes sense or not: what comes is shown as it is. */
static void combinations(void)
{
    static const char *const segments[] = {"1", "2", "9"}, *const statuses[] = {"1", "2"},
                             *const validities[] = {"1", "2", "3", "4", "5", "6"},
                             *const consents[] = {"0", "1", "2", "3"};
    unsigned n = 0;

    for (size_t s = 0; s < 3; s++)
        for (size_t t = 0; t < 2; t++)
            for (size_t v = 0; v < 6; v++)
                for (size_t c = 0; c < 4; c++, n++) {
                    char name[64];
                    json_t *h, *b = json_object();

                    snprintf(name, sizeof(name), "S%s-%s-%s-%s", segments[s], statuses[t],
                             validities[v], consents[c]);
                    h = header(name, segments[s]);
                    set(h, "ReferenceClassification", n % 2 == 0 ? "1" : "2");
                    if (segments[s][0] == '9') {
                        set(h, "ErrorCode", "OQC-OWSE0900000");
                        set(h, "ErrorMessage", "通信エラー（試験用文言）");
                    }
                    set(b, "ProcessingResultStatus", statuses[t]);
                    if (statuses[t][0] == '2' || n % 5 == 0) {
                        set(b, "ProcessingResultCode", "X-4711");
                        set(b, "ProcessingResultMessage", "お知らせ（試験用文言）");
                    }
                    set(b, "QualificationValidity", validities[v]);
                    if (n % 3 == 0)
                        set(b, "PrescriptionIssueSelect", n % 2 == 0 ? "1" : "2");
                    json_object_set_new(
                        b, "ResultList",
                        results(n, validities[v][0] == '4' ? 1 : 1 + n % 3, consents[c]));
                    put(name, message(h, b), n % 4 == 0 ? 0 : n + 1);
                }
}

/* ---- the other messages ---------------------------------------------------------------------- */

static json_t *numbers(const char *reference)
{
    json_t *info =
        json_pack("{s:s, s:s, s:s, s:s}", "InsurerNumber", "  990010", "InsuredCardSymbol", "試験",
                  "InsuredIdentificationNumber", "2001", "InsuredBranchNumber", "01");

    if (reference != NULL) {
        set(info, "ReferenceNumber", reference);
    } else {
        set(info, "Birthdate", "19640229");
        set(info, "LimitApplicationCertificateRelatedConsFlg", "1");
        set(info, "ArbitraryIdentifier", "PT000123");
    }
    return info;
}

static json_t *document_header(const char *identifier)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "MedicalInstitutionCode", INSTITUTION,
                     "InsurerNumber", "  990010", "InsuranceCardSymbol", "試験",
                     "InsuredPersonIdentificationNumber", "2001", "BranchNumber", "01",
                     "ArbitraryFileIdentifier", identifier);
}

static json_t *bulk_header(const char *identifier, const char *segment)
{
    json_t *h = header(identifier, segment);

    set(h, "ReceptionNumber", "R0000001");
    set(h, "NumberOfProcessingResult", "2");
    set(h, "NumberOfNormalProcessing", "1");
    set(h, "NumberOfError", "1");
    return h;
}

static void others(void)
{
    put("OQSsiquc01req",
        message(header("M-1", NULL),
                json_pack("{s:o}", "QualificationConfirmSearchInfo", numbers(NULL))),
        3);
    put("OQSsiquc01res-failed",
        message(json_pack("{s:s, s:s, s:s, s:s}", "MedicalInstitutionCode", INSTITUTION,
                          "SegmentOfResult", "9", "ErrorCode", "OQC-OWSE0900000", "ErrorMessage",
                          "通信エラー（試験用文言）"),
                NULL),
        0);
    put("OQSsiimm01req",
        message(header("M-2", NULL),
                json_pack("{s:o}", "ReferenceNumberRegistrationInfo", numbers("PT000123"))),
        5);
    put("OQSsiimm01res",
        message(header("M-2", "1"), json_pack("{s:o, s:s}", "ReferenceNumberRegistrationInfo",
                                              numbers("PT000123"), "ProcessingResultStatus", "1")),
        6);
    put("OQSmuquc01req",
        message(header("M-3", NULL), json_pack("{s:[o,o]}", "QualificationConfirmSearchInfo",
                                               numbers(NULL), numbers(NULL))),
        7);
    put("OQSmuquc01res", message(bulk_header("M-3", "1"), NULL), 0);
    put("OQSmuquc02req",
        message(header("M-3", NULL), json_pack("{s:s}", "ReceptionNumber", "R0000001")), 0);
    put("OQSmuquc02res-working", message(bulk_header("M-3", "2"), NULL), 8);
    put("OQSmuquc02res",
        message(
            bulk_header("M-3", "1"),
            json_pack("{s:[{s:o, s:s, s:s, s:o, s:s}, {s:o, s:s, s:s, s:s}]}", "BulkConfirmUnit",
                      "QualificationConfirmSearchInfo", numbers(NULL), "ProcessingResultStatus",
                      "1", "QualificationValidity", "1", "ResultOfQualificationConfirmation",
                      result_of(3, "1"), "LimitApplicationCertificateChanged", "1",
                      "QualificationConfirmSearchInfo", numbers(NULL), "ProcessingResultStatus",
                      "2", "ProcessingResultCode", "X-1", "ProcessingResultMessage", "該当なし")),
        9);
    put("OQSmuimm01req",
        message(header("M-4", NULL), json_pack("{s:[o,o]}", "ReferenceNumberRegistrationInfo",
                                               numbers("PT000001"), numbers("PT000002"))),
        10);
    put("OQSmuimm02res",
        message(bulk_header("M-4", "1"),
                json_pack("{s:[{s:o, s:s}, {s:o, s:s}]}", "BulkRegistrationUnit",
                          "ReferenceNumberRegistrationInfo", numbers("PT000001"),
                          "ProcessingResultStatus", "1", "ReferenceNumberRegistrationInfo",
                          numbers("PT000002"), "ProcessingResultStatus", "2")),
        11);
    put("OQSmutic01req",
        message(header("M-5", NULL), json_pack("{s:s}", "MedicalTreatmentMonth", "202611")), 0);
    put("YZKsiquc01req",
        message(document_header("M-6"),
                json_pack("{s:s, s:s, s:s, s:s, s:s}", "StartDate", "20260901", "EndDate",
                          "20260930", "FileCategory", "2", "PrDiInfClassification", "1",
                          "MedicalTreatmentFlag", "1")),
        12);
    put("YZKsiquc01res",
        message(json_pack("{s:s, s:{s:s, s:s}}", "MedicalInstitutionCode", INSTITUTION, "QuaInf",
                          "Name", "架空　三郎", "Birth", "19640229"),
                json_pack("{s:s, s:{s:s, s:{s:s, s:[{s:s, s:s}, {s:s, s:s}]}}}", "ResultCode", "1",
                          "CzDiMonthInf", "Month", "202610", "DateInf", "Date", "20261002",
                          "DrugInf", "DrugN", "見本錠５ｍｇ", "Times", "14", "DrugN",
                          "架空散１０％", "Times", "7")),
        13);
    put("TKKsiquc01req",
        message(document_header("M-7"),
                json_pack("{s:s, s:s, s:s}", "FileCategory", "2", "PrDiInfClassification", "1",
                          "MedicalTreatmentFlag", "1")),
        14);
    put("TKKsiquc01res",
        message(json_pack("{s:{s:s}}", "QualificationsInfo", "Name", "架空　三郎"),
                json_pack("{s:{s:s, s:[{s:s, s:s}, {s:s, s:s}]}}", "SpecificHealthCheckupInfo",
                          "EffectiveTime", "20260612", "HealthCheckupResultAndQuestionInfos",
                          "ItemName", "身長", "DataValue", "170.0", "ItemName", "体重", "DataValue",
                          "60.0")),
        15);
}

int main(int argc, char **argv)
{
    if (argc != 2 || (mkdir(argv[1], 0700) != 0 && errno != EEXIST)) {
        fprintf(stderr, "usage: sim-samples DIR\n");
        return 2;
    }
    directory = argv[1];
    combinations();
    others();
    printf("sim-samples: %u messages in two encodings\n", written);
    return 0;
}
