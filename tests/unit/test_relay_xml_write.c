/*
 * Writing the XML of the eligibility messages, and face files. The judges are programs of others: xmllint (is it
 * XML, and what stands where) and iconv (is it CP932, and the same text).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../daemon/relay/codec_xml.h"
#include "../../daemon/relay/facefile.h"
#include "../../daemon/relay/layout.h"
#include "relay_messages.h"

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"

static struct codec_xml *codec;
static char directory[64];
static char path[100];

static int set_up(void **state)
{
    (void)state;
    codec = codec_xml_new();
    snprintf(directory, sizeof(directory), "/tmp/uketsuke-xml-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/written.xml", directory);
    setenv("F", path, 1);
    return codec != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    codec_xml_free(&codec);
    unlink(path);
    return rmdir(directory);
}

/* What a shell command prints; its status in *status. Free it. */
static char *run(const char *command, size_t *len, int *status)
{
    FILE *in = popen(command, "r");
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    int c;

    assert_non_null(in);
    assert_non_null(out);
    while ((c = getc(in)) != EOF)
        putc(c, out);
    fclose(out);
    *status = pclose(in);
    return text;
}

static void save(const char *text, size_t len)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

/* The saved file is $F. */
static char *judge(const char *command, size_t *len)
{
    char *text;
    int status;

    text = run(command, len, &status);
    assert_int_equal(status, 0);
    return text;
}

/* The value at an XPath as xmllint finds it in the saved file. */
static void xpath_is(const char *xpath, const char *wanted)
{
    char command[300];
    char *text;
    size_t len;

    snprintf(command, sizeof(command), "xmllint --nonet --xpath 'string(%s)' \"$F\"", xpath);
    text = judge(command, &len);
    assert_true(len > 0);
    text[len - 1] = '\0'; /* its newline */
    assert_string_equal(text, wanted);
    free(text);
}

static struct xmlmsg *read_text(const char *text, size_t len)
{
    struct xmlmsg *root;

    assert_int_equal(codec_xml_read(codec, &root, text, len, NULL), 0);
    return root;
}

static char *write_tree(const struct xmlmsg *root, const struct codec_xml_style *style, size_t *len)
{
    struct codec_xml_report report;
    char *text;

    assert_int_equal(codec_xml_write(codec, root, style, &text, len, &report), 0);
    assert_int_equal(report.fault, CODEC_XML_FINE);
    assert_int_equal(text[*len], '\0');
    return text;
}

static void the_request_is_written_as_it_is_published(void **state)
{
    (void)state;
    for (int sjis = 0; sjis < 2; sjis++) {
        const char *wanted = sample(SAMPLE_A, sjis);
        const struct codec_xml_style own = {.encoding = sjis ? CODEC_XML_SHIFT_JIS : CODEC_XML_UTF8,
                                            .indent = ""};
        struct xmlmsg *root = xmlmsg_new("XmlMsg");
        size_t len;
        char *text;

        /* Put in in another order than the layout's. */
        assert_int_equal(
            xmlmsg_set(root, "MessageBody/QualificationConfirmSearchInfo/ArbitraryIdentifier",
                       "PT000123"),
            0);
        assert_int_equal(
            xmlmsg_set(root, "MessageBody/QualificationConfirmSearchInfo/Birthdate", "19710203"),
            0);
        assert_int_equal(
            xmlmsg_set(root, "MessageBody/QualificationConfirmSearchInfo/InsuredBranchNumber",
                       "01"),
            0);
        assert_int_equal(xmlmsg_set(root,
                                    "MessageBody/QualificationConfirmSearchInfo/"
                                    "LimitApplicationCertificateRelatedConsFlg",
                                    "1"),
                         0);
        assert_int_equal(
            xmlmsg_set(root,
                       "MessageBody/QualificationConfirmSearchInfo/InsuredIdentificationNumber",
                       "1001"),
            0);
        assert_int_equal(xmlmsg_set(root,
                                    "MessageBody/QualificationConfirmSearchInfo/InsuredCardSymbol",
                                    "試験"),
                         0);
        assert_int_equal(xmlmsg_set(root,
                                    "MessageBody/QualificationConfirmSearchInfo/InsurerNumber",
                                    "  990012"),
                         0);
        assert_int_equal(
            xmlmsg_set(root, "MessageHeader/ArbitraryFileIdentifier", "RD-20261005-0001"), 0);
        assert_int_equal(
            xmlmsg_set(root, "MessageHeader/QualificationConfirmationDate", "20261005"), 0);
        assert_int_equal(xmlmsg_set(root, "MessageHeader/MedicalInstitutionCode", "9910000017"), 0);
        text = write_tree(root, &own, &len);
        assert_string_equal(text, wanted);
        free(text);
        xmlmsg_free(&root);
    }
}

/* xmllint takes it for XML; iconv takes the CP932 for the very text that UTF-8 has. */
static void judges_agree_on_every_sample(void **state)
{
    (void)state;
    for (int which = 0; which < SAMPLES; which++)
        for (int form = 0; form < 8; form++) {
            struct codec_xml_style style = {
                .crlf = form & 1, .omit_empty = form & 2, .indent = form & 4 ? "\t" : NULL};
            struct xmlmsg *root = read_text(sample((enum sample)which, true),
                                            strlen(sample((enum sample)which, true)));
            size_t utf8_len, sjis_len, len;
            char *utf8, *sjis, *found;

            utf8 = write_tree(root, &style, &utf8_len);
            save(utf8, utf8_len);
            free(judge("xmllint --nonet --noout \"$F\"", &len));
            style.encoding = CODEC_XML_SHIFT_JIS;
            sjis = write_tree(root, &style, &sjis_len);
            save(sjis, sjis_len);
            free(judge("xmllint --nonet --noout \"$F\"", &len));
            found = judge("iconv -f CP932 -t UTF-8 \"$F\" | sed '1s/Shift_JIS/UTF-8/'", &len);
            assert_int_equal(len, utf8_len);
            assert_memory_equal(found, utf8, len);
            assert_true((strstr(utf8, "\r\n") != NULL) == style.crlf);
            free(found);
            free(sjis);
            free(utf8);
            xmlmsg_free(&root);
        }
}

static void xmllint_finds_what_was_put_in(void **state)
{
    const struct codec_xml_style styles[] = {
        {.encoding = CODEC_XML_UTF8, .indent = "  "},
        {.encoding = CODEC_XML_SHIFT_JIS, .crlf = true, .indent = "\t"}};
    static const char value[] = "  架●　花子 <&> \"'] ]]> ｶｸｳ";

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct xmlmsg *root = xmlmsg_new("XmlMsg");
        size_t len;
        char *text;

        assert_int_equal(xmlmsg_set(root, RESULT "Name", value), 0);
        assert_int_equal(xmlmsg_set(root, RESULT "InsurerNumber", "  990012"), 0);
        text = write_tree(root, &styles[i], &len);
        assert_null(strstr(text, "&#"));
        save(text, len);
        xpath_is("//ResultOfQualificationConfirmation/Name", value);
        xpath_is("//InsurerNumber", "  990012");
        free(text);
        xmlmsg_free(&root);
    }
}

static void equal_trees(const struct xmlmsg *a, const struct xmlmsg *b)
{
    uint8_t *left, *right;
    size_t left_len, right_len;

    assert_int_equal(xmlmsg_pack(a, &left, &left_len), 0);
    assert_int_equal(xmlmsg_pack(b, &right, &right_len), 0);
    assert_int_equal(left_len, right_len);
    assert_memory_equal(left, right, left_len);
    free(left);
    free(right);
}

static void what_is_written_reads_back_in_every_combination(void **state)
{
    static const char *const codes[] = {"0", "1", "2", "3", "6", "9"};

    (void)state;
    for (uint32_t i = 0; i < 216; i++) {
        const struct recipe recipe = {.segment = codes[i % 6],
                                      .status = codes[1 + i % 2],
                                      .validity = codes[i / 6 % 6],
                                      .consent = codes[i / 36 % 6],
                                      .results = i % 4,
                                      .shift_jis = i % 2,
                                      .shuffle = i * 7919,
                                      .noise = i % 3 == 0};
        const struct codec_xml_style style = {.encoding =
                                                  i / 2 % 2 ? CODEC_XML_SHIFT_JIS : CODEC_XML_UTF8,
                                              .crlf = i % 5 == 0,
                                              .indent = i % 7 == 0 ? NULL : "\t"};
        char *composed = compose(&recipe);
        struct xmlmsg *root = read_text(composed, strlen(composed)), *ordered = layout_copy(root),
                      *again;
        size_t len;
        char *text = write_tree(root, &style, &len);

        again = read_text(text, len);
        equal_trees(ordered, again);
        free(text);
        free(composed);
        xmlmsg_free(&again);
        xmlmsg_free(&ordered);
        xmlmsg_free(&root);
    }
}

static int write_name(enum codec_xml_encoding encoding, const char *name, const char *value,
                      struct codec_xml_report *report)
{
    const struct codec_xml_style style = {.encoding = encoding};
    struct xmlmsg *root = xmlmsg_new("XmlMsg");
    struct xmlmsg *body = xmlmsg_add(root, "MessageBody", NULL);
    size_t len;
    char *text;
    int error;

    assert_non_null(xmlmsg_add(body, "First", "1"));
    assert_non_null(xmlmsg_add(body, name, value));
    error = codec_xml_write(codec, root, &style, &text, &len, report);
    assert_true((error == 0) == (text != NULL));
    free(text);
    xmlmsg_free(&root);
    return error;
}

static void characters_that_the_encoding_lacks_are_refused_by_name(void **state)
{
    /* Not in CP932: emoji, CJK extension B, Latin with marks, an IVS, half of what looks the same. */
    static const char *const lacking[] = {"😀", "𠮷", "é",        "葛\U000e0100", "¥",
                                          "‾", "¦",  "鷗\u0301", "\u00a0",       "\uf8f0"};
    static const char *const there[] = {"髙﨑①～－∥￥￣ｱ", "〜−‖—¢£¬", "\\~", "", "○●"};
    static const char *const nowhere[] = {"\x01", "a\rb", "\x1b[2J", "\xef\xbf\xbe"};
    struct codec_xml_report report;

    (void)state;
    for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
        assert_int_equal(write_name(CODEC_XML_SHIFT_JIS, "Name", lacking[i], &report), -EILSEQ);
        assert_int_equal(report.fault, CODEC_XML_CHARACTER);
        assert_string_equal(report.element, "MessageBody/Name");
        assert_int_equal(write_name(CODEC_XML_UTF8, "Name", lacking[i], &report), 0);
    }
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
        assert_int_equal(write_name(CODEC_XML_SHIFT_JIS, "Name", there[i], &report), 0);
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        for (int e = 0; e < 2; e++) {
            assert_int_equal(write_name((enum codec_xml_encoding)e, "Name", nowhere[i], &report),
                             -EILSEQ);
            assert_string_equal(report.element, "MessageBody/Name");
        }
}

static void names_that_xml_lacks_are_refused(void **state)
{
    static const char *const names[] = {"1st", "-a", ".a", "a;b", "a:b", "名前", "a(b)"};
    struct codec_xml_report report;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(write_name(CODEC_XML_UTF8, names[i], "1", &report), -EINVAL);
        assert_int_equal(report.fault, CODEC_XML_NAME);
        assert_non_null(strstr(report.element, names[i]));
    }
    assert_int_equal(write_name(CODEC_XML_UTF8, "_A-1.b", "1", &report), 0);
}

static void text_that_no_reader_would_take_is_not_written(void **state)
{
    struct codec_xml_report report;
    char *long_value = malloc(1000001);

    (void)state;
    memset(long_value, '&', 1000000); /* five bytes each */
    long_value[1000000] = '\0';
    assert_int_equal(write_name(CODEC_XML_UTF8, "Name", long_value, &report), -E2BIG);
    assert_int_equal(report.fault, CODEC_XML_LARGE);
    free(long_value);
}

/* The face file of sample (b), written out by hand. */
static const char face_b[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\r\n"
    "<XmlMsg>\r\n"
    "\t<MessageHeader>\r\n"
    "\t\t<ProcessExecutionTime>20261005091502</ProcessExecutionTime>\r\n"
    "\t\t<QualificationConfirmationDate>20261005</QualificationConfirmationDate>\r\n"
    "\t\t<MedicalInstitutionCode>9910000017</MedicalInstitutionCode>\r\n"
    "\t\t<ArbitraryFileIdentifier>V-17</ArbitraryFileIdentifier>\r\n"
    "\t\t<ReferenceClassification>1</ReferenceClassification>\r\n"
    "\t\t<SegmentOfResult>1</SegmentOfResult>\r\n"
    "\t\t<CharacterCodeIdentifier>0</CharacterCodeIdentifier>\r\n"
    "\t</MessageHeader>\r\n"
    "\t<MessageBody>\r\n"
    "\t\t<PrescriptionIssueSelect>2</PrescriptionIssueSelect>\r\n"
    "\t\t<ProcessingResultStatus>1</ProcessingResultStatus>\r\n"
    "\t\t<QualificationValidity>1</QualificationValidity>\r\n"
    "\t\t<ResultList>\r\n"
    "\t\t\t<ResultOfQualificationConfirmation>\r\n"
    "\t\t\t\t<InsuredCardClassification>01</InsuredCardClassification>\r\n"
    "\t\t\t\t<InsurerNumber>99000011</InsurerNumber>\r\n"
    "\t\t\t\t<InsuredCardSymbol>９９０１</InsuredCardSymbol>\r\n"
    "\t\t\t\t<InsuredIdentificationNumber>4567</InsuredIdentificationNumber>\r\n"
    "\t\t\t\t<InsuredBranchNumber>02</InsuredBranchNumber>\r\n"
    "\t\t\t\t<PersonalFamilyClassification>2</PersonalFamilyClassification>\r\n"
    "\t\t\t\t<InsuredName>架空　太郎</InsuredName>\r\n"
    "\t\t\t\t<Name>架●　花子</Name>\r\n"
    "\t\t\t\t<NameKana>ｶｸｳ ﾊﾅｺ</NameKana>\r\n"
    "\t\t\t\t<Sex1>2</Sex1>\r\n"
    "\t\t\t\t<Birthdate>19540707</Birthdate>\r\n"
    "\t\t\t\t<Address>架空県見本市例町１－２－３</Address>\r\n"
    "\t\t\t\t<PostNumber>000-0000</PostNumber>\r\n"
    "\t\t\t\t<QualificationDate>20200401</QualificationDate>\r\n"
    "\t\t\t\t<InsurerName>架空健康保険組合</InsurerName>\r\n"
    "\t\t\t\t<ElderlyRecipientCertificateInfo>\r\n"
    "\t\t\t\t\t<ElderlyRecipientCertificateDate>20260801</ElderlyRecipientCertificateDate>\r\n"
    "\t\t\t\t\t<ElderlyRecipientValidStartDate>20260801</ElderlyRecipientValidStartDate>\r\n"
    "\t\t\t\t\t<ElderlyRecipientValidEndDate>20270731</ElderlyRecipientValidEndDate>\r\n"
    "\t\t\t\t\t<ElderlyRecipientContributionRatio>020</ElderlyRecipientContributionRatio>\r\n"
    "\t\t\t\t</ElderlyRecipientCertificateInfo>\r\n"
    "\t\t\t\t<LimitApplicationCertificateRelatedConsFlg>1</"
    "LimitApplicationCertificateRelatedConsFlg>\r\n"
    "\t\t\t\t<LimitApplicationCertificateRelatedConsTime>20261005091455</"
    "LimitApplicationCertificateRelatedConsTime>\r\n"
    "\t\t\t\t<LimitApplicationCertificateRelatedInfo>\r\n"
    "\t\t\t\t\t<LimitApplicationCertificateClassification>01</"
    "LimitApplicationCertificateClassification>\r\n"
    "\t\t\t\t\t<LimitApplicationCertificateClassificationFlag>B04</"
    "LimitApplicationCertificateClassificationFlag>\r\n"
    "\t\t\t\t\t<LimitApplicationCertificateDate>20260801</LimitApplicationCertificateDate>\r\n"
    "\t\t\t\t\t<LimitApplicationCertificateValidStartDate>20260801</"
    "LimitApplicationCertificateValidStartDate>\r\n"
    "\t\t\t\t\t<LimitApplicationCertificateValidEndDate>20270731</"
    "LimitApplicationCertificateValidEndDate>\r\n"
    "\t\t\t\t</LimitApplicationCertificateRelatedInfo>\r\n"
    "\t\t\t\t<SpecificHealthCheckupsInfoConsFlg>0</SpecificHealthCheckupsInfoConsFlg>\r\n"
    "\t\t\t\t<PharmacistsInfoConsFlg>1</PharmacistsInfoConsFlg>\r\n"
    "\t\t\t\t<PharmacistsInfoConsTime>20261005091455</PharmacistsInfoConsTime>\r\n"
    "\t\t\t\t<PharmacistsInfoAvailableTime>20261006091455</PharmacistsInfoAvailableTime>\r\n"
    "\t\t\t\t<DiagnosisInfoConsFlg>1</DiagnosisInfoConsFlg>\r\n"
    "\t\t\t\t<DiagnosisInfoConsTime>20261005091455</DiagnosisInfoConsTime>\r\n"
    "\t\t\t\t<DiagnosisInfoAvailableTime>20261006091455</DiagnosisInfoAvailableTime>\r\n"
    "\t\t\t\t<OperationInfoConsFlg>0</OperationInfoConsFlg>\r\n"
    "\t\t\t\t<ReferenceNumber>PT000456</ReferenceNumber>\r\n"
    "\t\t\t</ResultOfQualificationConfirmation>\r\n"
    "\t\t</ResultList>\r\n"
    "\t</MessageBody>\r\n"
    "</XmlMsg>\r\n";

static void a_face_file_has_the_shape_of_the_terminals(void **state)
{
    const struct facefile_style style = {
        .encoding = CODEC_XML_UTF8, .identifier = "V-17", .prescription = "2"};
    struct xmlmsg *answer = read_text(sample(SAMPLE_B, true), strlen(sample(SAMPLE_B, true)));
    size_t len, found_len;
    char *text, *found;

    (void)state;
    assert_int_equal(facefile_write(codec, answer, &style, &text, &len, NULL), 0);
    assert_string_equal(text, face_b);
    free(text);
    /* The same in CP932, as iconv reads it. */
    assert_int_equal(facefile_write(codec, answer,
                                    &(struct facefile_style){CODEC_XML_SHIFT_JIS, "V-17", "2"},
                                    &text, &len, NULL),
                     0);
    save(text, len);
    found = judge("iconv -f CP932 -t UTF-8 \"$F\" | sed '1s/Shift_JIS/UTF-8/; "
                  "s/Identifier>1</Identifier>0</'",
                  &found_len);
    assert_string_equal(found, face_b);
    free(found);
    free(text);
    xmlmsg_free(&answer);
}

static void a_face_file_says_what_was_answered_and_no_more(void **state)
{
    const struct facefile_style style = {.encoding = CODEC_XML_SHIFT_JIS};
    struct codec_xml_report report;
    struct xmlmsg *answer = read_text(sample(SAMPLE_C, false), strlen(sample(SAMPLE_C, false))),
                  *face;
    size_t len;
    char *text;

    (void)state;
    assert_int_equal(
        xmlmsg_set(answer, "MessageBody/QualificationConfirmSearchInfo/InsurerNumber", "  990012"),
        0);
    assert_int_equal(xmlmsg_set(answer, RESULT "InsuredPartialContributionRatio", "20"), 0);
    assert_int_equal(xmlmsg_set(answer, RESULT "NobodyKnowsThis", "kept"), 0);
    assert_int_equal(xmlmsg_set(answer, RESULT "NameOfOther", ""), 0);
    assert_int_equal(facefile_write(codec, answer, &style, &text, &len, &report), 0);
    face = read_text(text, len);
    assert_false(xmlmsg_has(face, "MessageBody/QualificationConfirmSearchInfo"));
    assert_false(xmlmsg_has(face, RESULT "NameOfOther"));
    assert_string_equal(xmlmsg_get(face, RESULT "InsuredPartialContributionRatio"), "020");
    assert_string_equal(xmlmsg_get(face, RESULT "NobodyKnowsThis"), "kept");
    assert_string_equal(xmlmsg_get(face, RESULT "InsurerNumber"), "  990012");
    assert_string_equal(xmlmsg_get(face, "MessageHeader/CharacterCodeIdentifier"), "1");
    assert_string_equal(xmlmsg_get(face, "MessageHeader/ReferenceClassification"), "2");
    assert_string_equal(xmlmsg_get(face, "MessageHeader/ArbitraryFileIdentifier"),
                        "RD-20261005-0001");
    assert_string_equal(xmlmsg_get(answer, "MessageHeader/CharacterCodeIdentifier"),
                        "0"); /* not touched */
    xmlmsg_free(&face);
    free(text);
    assert_int_equal(xmlmsg_set(answer, RESULT "Name", "𠮷田　次郎"), 0);
    assert_int_equal(facefile_write(codec, answer, &style, &text, &len, &report), -EILSEQ);
    assert_string_equal(report.element, "ResultOfQualificationConfirmation/Name");
    assert_null(text);
    xmlmsg_free(&answer);
}

static void what_is_no_answer_makes_no_face_file(void **state)
{
    struct xmlmsg *request = read_text(sample(SAMPLE_A, false), strlen(sample(SAMPLE_A, false)));
    struct xmlmsg *answer = read_text(sample(SAMPLE_B, false), strlen(sample(SAMPLE_B, false)));
    const struct facefile_style wrong[] = {
        {.prescription = "3"},
        {.prescription = ""},
        {.identifier = "123456789012345678901234567890123456789012345678901"}};
    size_t len;
    char *text;

    (void)state;
    assert_int_equal(facefile_write(codec, request, &(struct facefile_style){0}, &text, &len, NULL),
                     -EINVAL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(facefile_write(codec, answer, &wrong[i], &text, &len, NULL), -EINVAL);
    /* Fifty characters, not fifty bytes. */
    assert_int_equal(
        facefile_write(codec, answer,
                       &(struct facefile_style){
                           .identifier =
                               "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十"
                               "一二三四五六七八九十一二三四五六七八九十"},
                       &text, &len, NULL),
        0);
    free(text);
    xmlmsg_free(&request);
    xmlmsg_free(&answer);
}

static void a_face_file_is_named_like_the_terminals(void **state)
{
    static const uint8_t id[FACEFILE_ID] = {0x01, 0x23, 0x45, 0x67, 0x89,
                                            0xab, 0xcd, 0xef, 0x01, 0x23};
    char name[FACEFILE_NAME_SIZE];

    (void)state;
    assert_int_equal(facefile_name(name, "9910000017", id, "20261005091502"), 0);
    assert_string_equal(name,
                        "OQSsiquc01res_face_99100000170123456789abcdef0123_20261005091502.xml");
    assert_int_equal(strlen(name) + 1, FACEFILE_NAME_SIZE);
    assert_int_equal(facefile_name(name, "991000001", id, "20261005091502"), -EINVAL);
    assert_int_equal(facefile_name(name, "99100000170", id, "20261005091502"), -EINVAL);
    assert_int_equal(facefile_name(name, "../../../a", id, "20261005091502"), -EINVAL);
    assert_int_equal(facefile_name(name, "9910000017", id, "2026100509150"), -EINVAL);
    assert_int_equal(facefile_name(name, "9910000017", id, "2026-10-050915"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_written_as_it_is_published),
        cmocka_unit_test(judges_agree_on_every_sample),
        cmocka_unit_test(xmllint_finds_what_was_put_in),
        cmocka_unit_test(what_is_written_reads_back_in_every_combination),
        cmocka_unit_test(characters_that_the_encoding_lacks_are_refused_by_name),
        cmocka_unit_test(names_that_xml_lacks_are_refused),
        cmocka_unit_test(text_that_no_reader_would_take_is_not_written),
        cmocka_unit_test(a_face_file_has_the_shape_of_the_terminals),
        cmocka_unit_test(a_face_file_says_what_was_answered_and_no_more),
        cmocka_unit_test(what_is_no_answer_makes_no_face_file),
        cmocka_unit_test(a_face_file_is_named_like_the_terminals),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
