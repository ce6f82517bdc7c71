#include "relay_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* JIS X 0208 and its CP932 extensions, by the published table. */
#define U_SYMBOL "試験"
#define S_SYMBOL "\x8e\x8e\x8c\xb1"
#define U_HANAKO "架●　花子"
#define S_HANAKO "\x89\xcb\x81\x9c\x81\x40\x89\xd4\x8e\x71"
#define U_HANAKO_KANA "ｶｸｳ ﾊﾅｺ"
#define S_HANAKO_KANA "\xb6\xb8\xb3\x20\xca\xc5\xba"
#define U_9901 "９９０１"
#define S_9901 "\x82\x58\x82\x58\x82\x4f\x82\x50"
#define U_TARO "架空　太郎"
#define S_TARO "\x89\xcb\x8b\xf3\x81\x40\x91\xbe\x98\x59"
#define U_ADDRESS "架空県見本市例町１－２－３"
#define S_ADDRESS                                                                                  \
    "\x89\xcb\x8b\xf3\x8c\xa7\x8c\xa9\x96\x7b\x8e\x73\x97\xe1\x92\xac\x82\x50\x81\x7c\x82\x51\x81" \
    "\x7c\x82\x52"
#define U_UNION "架空健康保険組合"
#define S_UNION "\x89\xcb\x8b\xf3\x8c\x92\x8d\x4e\x95\xdb\x8c\xaf\x91\x67\x8d\x87"
#define U_JIRO "見本　次郎"
#define S_JIRO "\x8c\xa9\x96\x7b\x81\x40\x8e\x9f\x98\x59"
#define U_JIRO_KANA "ﾐﾎﾝ ｼﾞﾛｳ"
#define S_JIRO_KANA "\xd0\xce\xdd\x20\xbc\xde\xdb\xb3"
#define U_CITY "見本市国民健康保険"
#define S_CITY "\x8c\xa9\x96\x7b\x8e\x73\x8d\x91\x96\xaf\x8c\x92\x8d\x4e\x95\xdb\x8c\xaf"
#define U_ERROR "通信エラー（試験用文言）"
#define S_ERROR                                                                                    \
    "\x92\xca\x90\x4d\x83\x47\x83\x89\x81\x5b\x81\x69\x8e\x8e\x8c\xb1\x97\x70\x95\xb6\x8c\xbe\x81" \
    "\x6a"
/* Beyond JIS X 0208, and second bytes that ASCII has for a backslash. */
#define U_RARE "髙①～∥ソ表"
#define S_RARE "\xfb\xfc\x87\x40\x81\x60\x81\x61\x83\x5c\x95\x5c"

const struct text_pair texts[TEXTS] = {
    [TEXT_SYMBOL] = {U_SYMBOL, S_SYMBOL},
    [TEXT_NAME] = {U_HANAKO, S_HANAKO},
    [TEXT_KANA] = {U_HANAKO_KANA, S_HANAKO_KANA},
    [TEXT_INSURER] = {U_CITY, S_CITY},
    [TEXT_RARE] = {U_RARE, S_RARE},
};

#define SAMPLE_A_TEXT(encoding, symbol)                                                            \
    "<?xml version=\"1.0\" encoding=\"" encoding "\" standalone=\"no\"?>\n"                        \
    "<XmlMsg>\n"                                                                                   \
    "<MessageHeader>\n"                                                                            \
    "<QualificationConfirmationDate>20261005</QualificationConfirmationDate>\n"                    \
    "<MedicalInstitutionCode>9910000017</MedicalInstitutionCode>\n"                                \
    "<ArbitraryFileIdentifier>RD-20261005-0001</ArbitraryFileIdentifier>\n"                        \
    "</MessageHeader>\n"                                                                           \
    "<MessageBody>\n"                                                                              \
    "<QualificationConfirmSearchInfo>\n"                                                           \
    "<InsurerNumber>  990012</InsurerNumber>\n"                                                    \
    "<InsuredCardSymbol>" symbol "</InsuredCardSymbol>\n"                                          \
    "<InsuredIdentificationNumber>1001</InsuredIdentificationNumber>\n"                            \
    "<InsuredBranchNumber>01</InsuredBranchNumber>\n"                                              \
    "<Birthdate>19710203</Birthdate>\n"                                                            \
    "<LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg>\n"   \
    "<ArbitraryIdentifier>PT000123</ArbitraryIdentifier>\n"                                        \
    "</QualificationConfirmSearchInfo>\n"                                                          \
    "</MessageBody>\n"                                                                             \
    "</XmlMsg>\n"

#define SAMPLE_B_TEXT(encoding, code, name, kana, symbol, insured, address, insurer)               \
    "<?xml version=\"1.0\" encoding=\"" encoding "\" standalone=\"no\"?>\n"                        \
    "<XmlMsg>\n"                                                                                   \
    "<MessageBody>\n"                                                                              \
    "<ResultList>\n"                                                                               \
    "<ResultOfQualificationConfirmation>\n"                                                        \
    "<Name>" name "</Name>\n"                                                                      \
    "<NameKana>" kana "</NameKana>\n"                                                              \
    "<InsurerNumber>99000011</InsurerNumber>\n"                                                    \
    "<InsuredCardClassification>01</InsuredCardClassification>\n"                                  \
    "<InsuredBranchNumber>02</InsuredBranchNumber>\n"                                              \
    "<InsuredIdentificationNumber>4567</InsuredIdentificationNumber>\n"                            \
    "<InsuredCardSymbol>" symbol "</InsuredCardSymbol>\n"                                          \
    "<PersonalFamilyClassification>2</PersonalFamilyClassification>\n"                             \
    "<InsuredName>" insured "</InsuredName>\n"                                                     \
    "<Sex1>2</Sex1>\n"                                                                             \
    "<Birthdate>19540707</Birthdate>\n"                                                            \
    "<Address>" address "</Address>\n"                                                             \
    "<PostNumber>000-0000</PostNumber>\n"                                                          \
    "<QualificationDate>20200401</QualificationDate>\n"                                            \
    "<InsurerName>" insurer "</InsurerName>\n"                                                     \
    "<ElderlyRecipientCertificateInfo>\n"                                                          \
    "<ElderlyRecipientCertificateDate>20260801</ElderlyRecipientCertificateDate>\n"                \
    "<ElderlyRecipientValidStartDate>20260801</ElderlyRecipientValidStartDate>\n"                  \
    "<ElderlyRecipientValidEndDate>20270731</ElderlyRecipientValidEndDate>\n"                      \
    "<ElderlyRecipientContributionRatio>020</ElderlyRecipientContributionRatio>\n"                 \
    "</ElderlyRecipientCertificateInfo>\n"                                                         \
    "<LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg>\n"   \
    "<LimitApplicationCertificateRelatedConsTime>20261005091455</"                                 \
    "LimitApplicationCertificateRelatedConsTime>\n"                                                \
    "<LimitApplicationCertificateRelatedInfo>\n"                                                   \
    "<LimitApplicationCertificateClassification>01</LimitApplicationCertificateClassification>\n"  \
    "<LimitApplicationCertificateClassificationFlag>B04</"                                         \
    "LimitApplicationCertificateClassificationFlag>\n"                                             \
    "<LimitApplicationCertificateDate>20260801</LimitApplicationCertificateDate>\n"                \
    "<LimitApplicationCertificateValidStartDate>20260801</"                                        \
    "LimitApplicationCertificateValidStartDate>\n"                                                 \
    "<LimitApplicationCertificateValidEndDate>20270731</"                                          \
    "LimitApplicationCertificateValidEndDate>\n"                                                   \
    "</LimitApplicationCertificateRelatedInfo>\n"                                                  \
    "<PharmacistsInfoConsFlg>1</PharmacistsInfoConsFlg>\n"                                         \
    "<PharmacistsInfoConsTime>20261005091455</PharmacistsInfoConsTime>\n"                          \
    "<PharmacistsInfoAvailableTime>20261006091455</PharmacistsInfoAvailableTime>\n"                \
    "<SpecificHealthCheckupsInfoConsFlg>0</SpecificHealthCheckupsInfoConsFlg>\n"                   \
    "<DiagnosisInfoConsFlg>1</DiagnosisInfoConsFlg>\n"                                             \
    "<DiagnosisInfoConsTime>20261005091455</DiagnosisInfoConsTime>\n"                              \
    "<DiagnosisInfoAvailableTime>20261006091455</DiagnosisInfoAvailableTime>\n"                    \
    "<OperationInfoConsFlg>0</OperationInfoConsFlg>\n"                                             \
    "<ReferenceNumber>PT000456</ReferenceNumber>\n"                                                \
    "</ResultOfQualificationConfirmation>\n"                                                       \
    "</ResultList>\n"                                                                              \
    "<QualificationValidity>1</QualificationValidity>\n"                                           \
    "<PrescriptionIssueSelect>1</PrescriptionIssueSelect>\n"                                       \
    "<ProcessingResultStatus>1</ProcessingResultStatus>\n"                                         \
    "</MessageBody>\n"                                                                             \
    "<MessageHeader>\n"                                                                            \
    "<CharacterCodeIdentifier>" code "</CharacterCodeIdentifier>\n"                                \
    "<SegmentOfResult>1</SegmentOfResult>\n"                                                       \
    "<ReferenceClassification>1</ReferenceClassification>\n"                                       \
    "<MedicalInstitutionCode>9910000017</MedicalInstitutionCode>\n"                                \
    "<QualificationConfirmationDate>20261005</QualificationConfirmationDate>\n"                    \
    "<ProcessExecutionTime>20261005091502</ProcessExecutionTime>\n"                                \
    "</MessageHeader>\n"                                                                           \
    "</XmlMsg>\n"

#define SAMPLE_C_TEXT(encoding, code, symbol, name, kana, insurer)                                 \
    "<?xml version=\"1.0\" encoding=\"" encoding "\" standalone=\"no\"?>\n"                        \
    "<XmlMsg>\n"                                                                                   \
    "<MessageHeader>\n"                                                                            \
    "<ProcessExecutionTime>20261005091733</ProcessExecutionTime>\n"                                \
    "<QualificationConfirmationDate>20261005</QualificationConfirmationDate>\n"                    \
    "<MedicalInstitutionCode>9910000017</MedicalInstitutionCode>\n"                                \
    "<ArbitraryFileIdentifier>RD-20261005-0001</ArbitraryFileIdentifier>\n"                        \
    "<ReferenceClassification>2</ReferenceClassification>\n"                                       \
    "<SegmentOfResult>1</SegmentOfResult>\n"                                                       \
    "<CharacterCodeIdentifier>" code "</CharacterCodeIdentifier>\n"                                \
    "</MessageHeader>\n"                                                                           \
    "<MessageBody>\n"                                                                              \
    "<ProcessingResultStatus>1</ProcessingResultStatus>\n"                                         \
    "<QualificationValidity>3</QualificationValidity>\n"                                           \
    "<ResultList>\n"                                                                               \
    "<ResultOfQualificationConfirmation>\n"                                                        \
    "<InsuredCardClassification>01</InsuredCardClassification>\n"                                  \
    "<InsurerNumber>  990012</InsurerNumber>\n"                                                    \
    "<InsuredCardSymbol>" symbol "</InsuredCardSymbol>\n"                                          \
    "<InsuredIdentificationNumber>1001</InsuredIdentificationNumber>\n"                            \
    "<InsuredBranchNumber>01</InsuredBranchNumber>\n"                                              \
    "<PersonalFamilyClassification>1</PersonalFamilyClassification>\n"                             \
    "<Name>" name "</Name>\n"                                                                      \
    "<NameKana>" kana "</NameKana>\n"                                                              \
    "<Sex1>1</Sex1>\n"                                                                             \
    "<Birthdate>19710203</Birthdate>\n"                                                            \
    "<QualificationDate>20210401</QualificationDate>\n"                                            \
    "<DisqualificationDate>20260901</DisqualificationDate>\n"                                      \
    "<ReasonOfLoss>03</ReasonOfLoss>\n"                                                            \
    "<InsurerName>" insurer "</InsurerName>\n"                                                     \
    "</ResultOfQualificationConfirmation>\n"                                                       \
    "</ResultList>\n"                                                                              \
    "</MessageBody>\n"                                                                             \
    "</XmlMsg>\n"

#define SAMPLE_D_TEXT(encoding, code, message)                                                     \
    "<?xml version=\"1.0\" encoding=\"" encoding "\" standalone=\"no\"?>\n"                        \
    "<XmlMsg><MessageHeader>\n"                                                                    \
    "<ProcessExecutionTime>20261005091801</ProcessExecutionTime>\n"                                \
    "<MedicalInstitutionCode>9910000017</MedicalInstitutionCode>\n"                                \
    "<ArbitraryFileIdentifier>RD-20261005-0002</ArbitraryFileIdentifier>\n"                        \
    "<SegmentOfResult>9</SegmentOfResult>\n"                                                       \
    "<ErrorCode>OQC-OWSE0900000</ErrorCode>\n"                                                     \
    "<ErrorMessage>" message "</ErrorMessage>\n"                                                   \
    "<CharacterCodeIdentifier>" code "</CharacterCodeIdentifier>\n"                                \
    "</MessageHeader></XmlMsg>\n"

static const char *const samples[SAMPLES][2] = {
    [SAMPLE_A] = {SAMPLE_A_TEXT("UTF-8", U_SYMBOL), SAMPLE_A_TEXT("Shift_JIS", S_SYMBOL)},
    [SAMPLE_B] = {SAMPLE_B_TEXT("UTF-8", "0", U_HANAKO, U_HANAKO_KANA, U_9901, U_TARO, U_ADDRESS,
                                U_UNION),
                  SAMPLE_B_TEXT("Shift_JIS", "1", S_HANAKO, S_HANAKO_KANA, S_9901, S_TARO,
                                S_ADDRESS, S_UNION)},
    [SAMPLE_C] = {SAMPLE_C_TEXT("UTF-8", "0", U_SYMBOL, U_JIRO, U_JIRO_KANA, U_CITY),
                  SAMPLE_C_TEXT("Shift_JIS", "1", S_SYMBOL, S_JIRO, S_JIRO_KANA, S_CITY)},
    [SAMPLE_D] = {SAMPLE_D_TEXT("UTF-8", "0", U_ERROR), SAMPLE_D_TEXT("Shift_JIS", "1", S_ERROR)},
};

const char *sample(enum sample which, bool shift_jis)
{
    return samples[which][shift_jis];
}

/* ---- the generator --------------------------------------------------------------------------- */

#define PARTS_MAX 40

struct parts {
    char *part[PARTS_MAX];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct parts *parts, const char *format, ...)
{
    va_list list;

    assert_true(parts->n < PARTS_MAX);
    va_start(list, format);
    assert_true(vasprintf(&parts->part[parts->n++], format, list) >= 0);
    va_end(list);
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes */
    return *state >> 8;
}

/* The parts in one text, in another order if the recipe wants one; they are freed. */
static char *join(struct parts *parts, const struct recipe *recipe, uint32_t *state)
{
    size_t len = 0;
    FILE *out;
    char *text;

    for (size_t i = parts->n; recipe->shuffle != 0 && i > 1; i--) {
        size_t j = next(state) % i;
        char *swap = parts->part[i - 1];

        parts->part[i - 1] = parts->part[j];
        parts->part[j] = swap;
    }
    out = open_memstream(&text, &len);
    assert_non_null(out);
    for (size_t i = 0; i < parts->n; i++) {
        fputs(recipe->noise ? "\r\n\t <!-- - -->" : "", out);
        fputs(parts->part[i], out);
        free(parts->part[i]);
    }
    fclose(out);
    parts->n = 0;
    return text;
}

static char *compose_result(const struct recipe *recipe, unsigned index, uint32_t *state)
{
    struct parts p = {.n = 0};
    const char *noise = recipe->noise ? " kind='x'" : "";

#define TEXT(which) (recipe->shift_jis ? texts[which].cp932 : texts[which].utf8)
    add(&p, "<InsuredCardClassification>01</InsuredCardClassification>");
    add(&p, "<InsurerNumber%s>  %06u</InsurerNumber>", noise, 990000 + index);
    add(&p, "<InsuredCardSymbol>%s</InsuredCardSymbol>", TEXT(TEXT_SYMBOL));
    add(&p, "<InsuredIdentificationNumber>%u</InsuredIdentificationNumber>", 1000 + index);
    add(&p, "<Name>%s</Name>", TEXT(TEXT_NAME));
    add(&p, "<NameKana>%s</NameKana>", TEXT(TEXT_KANA));
    add(&p, "<Sex1>%u</Sex1>", 1 + index % 3);
    add(&p, "<Birthdate>19540707</Birthdate>");
    add(&p, "<Address><![CDATA[%s]]> &amp; &#x41;</Address>", TEXT(TEXT_RARE));
    add(&p, "<InsurerName>%s</InsurerName>", TEXT(TEXT_INSURER));
    add(&p, "<SpecificDiseasesCertificateList%s>\n</SpecificDiseasesCertificateList>", noise);
    add(&p, "<PublicExpenseResultList/>");
    add(&p, "<PharmacistsInfoConsFlg>%s</PharmacistsInfoConsFlg>", recipe->consent);
    if (strcmp(recipe->consent, "1") == 0)
        add(&p, "<PharmacistsInfoAvailableTime>20261006091455</PharmacistsInfoAvailableTime>");
    add(&p, "<ReferenceNumber></ReferenceNumber>");
    if (recipe->noise) {
        add(&p, "<NobodyKnowsThis><Inner>7</Inner></NobodyKnowsThis>");
        add(&p, "<AlsoUnknown/>");
        add(&p, "<Z>z</Z>");
    }
    return join(&p, recipe, state);
#undef TEXT
}

static char *compose_body(const struct recipe *recipe, uint32_t *state)
{
    struct parts p = {.n = 0}, results = {.n = 0};
    char *list;

    for (unsigned i = 0; i < recipe->results; i++) {
        char *one = compose_result(recipe, i, state);
        /* Entitlements come in the order that the service gives them; only what is inside is mixed. */
        add(&results, "<ResultOfQualificationConfirmation>%s</ResultOfQualificationConfirmation>",
            one);
        free(one);
    }
    list = join(&results, &(struct recipe){.noise = recipe->noise}, state);
    add(&p, "<PrescriptionIssueSelect>1</PrescriptionIssueSelect>");
    add(&p, "<ProcessingResultStatus>%s</ProcessingResultStatus>", recipe->status);
    add(&p, "<QualificationValidity>%s</QualificationValidity>", recipe->validity);
    add(&p, "<ResultList>%s</ResultList>", list);
    free(list);
    return join(&p, recipe, state);
}

char *compose(const struct recipe *recipe)
{
    uint32_t state = recipe->shuffle;
    struct parts p = {.n = 0};
    char *header, *body, *both, *text;

    add(&p, "<ProcessExecutionTime>20261005091502</ProcessExecutionTime>");
    add(&p, "<MedicalInstitutionCode>9910000017</MedicalInstitutionCode>");
    add(&p, "<SegmentOfResult>%s</SegmentOfResult>", recipe->segment);
    add(&p, "<CharacterCodeIdentifier>%d</CharacterCodeIdentifier>", recipe->shift_jis);
    header = join(&p, recipe, &state);
    body = compose_body(recipe, &state);
    add(&p, "<MessageHeader>%s\n</MessageHeader>", header);
    add(&p, "<MessageBody>%s</MessageBody>", body);
    both = join(&p, recipe, &state);
    assert_true(asprintf(&text, "<?xml version='1.0'%s encoding = \"%s\"?>%s<XmlMsg>%s</XmlMsg>\n",
                         recipe->noise ? "\n" : "", recipe->shift_jis ? "shift_jis" : "utf-8",
                         recipe->noise ? "<?made by='hand'?>" : "", both) >= 0);
    free(header);
    free(body);
    free(both);
    return text;
}
