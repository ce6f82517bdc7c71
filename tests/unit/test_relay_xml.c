/*
 * Reading the XML of the eligibility messages. What goes in is typed by hand or composed with printf(); what must
 * be found was typed beside it.
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

#include "../../daemon/relay/codec_xml.h"
#include "../../daemon/relay/layout.h"
#include "relay_messages.h"

#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation/"

static struct codec_xml *codec;

static int set_up(void **state)
{
    (void)state;
    codec = codec_xml_new();
    return codec != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    codec_xml_free(&codec);
    return 0;
}

/* A copy of exactly that length: reading past it is seen by the sanitizer. */
static enum codec_xml_fault try_read(struct xmlmsg **root, const void *data, size_t len, int *error)
{
    struct codec_xml_report report;
    char *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, data, len);
    *error = codec_xml_read(codec, root, copy, len, &report);
    free(copy);
    assert_true((*error == 0) == (*root != NULL));
    assert_true((*error == 0) == (report.fault == CODEC_XML_FINE));
    return report.fault;
}

static struct xmlmsg *read_bytes(const void *data, size_t len)
{
    struct xmlmsg *root;
    int error;

    assert_int_equal(try_read(&root, data, len, &error), CODEC_XML_FINE);
    return root;
}

static struct xmlmsg *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void refused_bytes(enum codec_xml_fault fault, const void *data, size_t len)
{
    struct xmlmsg *root;
    int error;

    assert_int_equal(try_read(&root, data, len, &error), fault);
    assert_int_equal(error, fault == CODEC_XML_TRUNCATED ? -ENODATA : -EBADMSG);
}

static void refused(enum codec_xml_fault fault, const char *text)
{
    refused_bytes(fault, text, strlen(text));
}

#define HAS(root, path, value) assert_string_equal(xmlmsg_get(root, path), value)

static void request_in_both_encodings(void **state)
{
    (void)state;
    for (int sjis = 0; sjis < 2; sjis++) {
        struct xmlmsg *root = read_text(sample(SAMPLE_A, sjis));
        const char *info = "MessageBody/QualificationConfirmSearchInfo";

        assert_string_equal(xmlmsg_name(root), "XmlMsg");
        assert_int_equal(xmlmsg_count(root), 1 + 1 + 3 + 1 + 1 + 7);
        HAS(root, "MessageHeader/ArbitraryFileIdentifier", "RD-20261005-0001");
        HAS(xmlmsg_find(root, info), "InsurerNumber", "  990012");
        HAS(xmlmsg_find(root, info), "InsuredCardSymbol", "試験");
        HAS(xmlmsg_find(root, info), "Birthdate", "19710203");
        xmlmsg_free(&root);
    }
}

static void card_session_in_any_order_with_a_name_that_has_a_hole(void **state)
{
    (void)state;
    for (int sjis = 0; sjis < 2; sjis++) {
        struct xmlmsg *root = read_text(sample(SAMPLE_B, sjis));

        HAS(root, RESULT "Name", "架●　花子");
        HAS(root, RESULT "NameKana", "ｶｸｳ ﾊﾅｺ");
        HAS(root, RESULT "InsuredCardSymbol", "９９０１");
        HAS(root, RESULT "Address", "架空県見本市例町１－２－３");
        HAS(root, RESULT "ElderlyRecipientCertificateInfo/ElderlyRecipientContributionRatio",
            "020");
        HAS(root,
            RESULT
            "LimitApplicationCertificateRelatedInfo/LimitApplicationCertificateClassificationFlag",
            "B04");
        HAS(root, RESULT "PharmacistsInfoAvailableTime", "20261006091455");
        HAS(root, "MessageBody/QualificationValidity", "1");
        HAS(root, "MessageHeader/CharacterCodeIdentifier", sjis ? "1" : "0");
        xmlmsg_free(&root);
    }
}

static void answers_of_loss_and_of_failure(void **state)
{
    (void)state;
    for (int sjis = 0; sjis < 2; sjis++) {
        struct xmlmsg *root = read_text(sample(SAMPLE_C, sjis));

        HAS(root, "MessageBody/QualificationValidity", "3");
        HAS(root, RESULT "InsurerNumber", "  990012");
        HAS(root, RESULT "InsurerName", "見本市国民健康保険");
        HAS(root, RESULT "ReasonOfLoss", "03");
        xmlmsg_free(&root);
        root = read_text(sample(SAMPLE_D, sjis));
        HAS(root, "MessageHeader/ErrorCode", "OQC-OWSE0900000");
        HAS(root, "MessageHeader/ErrorMessage", "通信エラー（試験用文言）");
        assert_false(xmlmsg_has(root, "MessageBody"));
        xmlmsg_free(&root);
    }
}

/* Every beginning of a message is a file still being written, none of them is wrong and none is whole. */
static void every_beginning_is_truncated(void **state)
{
    (void)state;
    for (int which = 0; which < SAMPLES; which++)
        for (int sjis = 0; sjis < 2; sjis++) {
            const char *text = sample((enum sample)which, sjis);
            size_t whole = strlen(text) - 1; /* the newline at the end may be missing */

            for (size_t len = 0; len < whole; len++)
                refused_bytes(CODEC_XML_TRUNCATED, text, len);
            for (size_t len = whole; len <= whole + 1; len++) {
                struct xmlmsg *root = read_bytes(text, len);

                xmlmsg_free(&root);
            }
        }
    for (int sjis = 0; sjis < 2; sjis++) {
        const struct recipe recipe = {"1", "1", "1", "1", 1, sjis, 7, true};
        char *text = compose(&recipe);

        for (size_t len = 0; len < strlen(text) - 1; len++)
            refused_bytes(CODEC_XML_TRUNCATED, text, len);
        free(text);
    }
    /* Whole, and then half a character. */
    refused(CODEC_XML_TRUNCATED, "<?xml version='1.0' encoding='CP932'?><XmlMsg/>\x81");
}

/* A share may show a file in its full length before its bytes are there. */
static void a_file_that_ends_in_nuls_is_truncated(void **state)
{
    static char bytes[8192];
    size_t len = strlen(sample(SAMPLE_B, true));

    (void)state;
    refused_bytes(CODEC_XML_TRUNCATED, bytes, sizeof(bytes));
    memcpy(bytes, sample(SAMPLE_B, true), len / 2);
    refused_bytes(CODEC_XML_TRUNCATED, bytes, sizeof(bytes));
    memcpy(bytes, sample(SAMPLE_B, true), len);
    refused_bytes(CODEC_XML_TRUNCATED, bytes, sizeof(bytes));
    bytes[1000] = '\0';
    refused_bytes(CODEC_XML_BYTES, bytes, len);
}

static void equal_trees(const struct xmlmsg *a, const struct xmlmsg *b)
{
    struct xmlmsg *one = layout_copy(a), *two = layout_copy(b);
    uint8_t *left, *right;
    size_t left_len, right_len;

    assert_non_null(one);
    assert_non_null(two);
    assert_int_equal(xmlmsg_pack(one, &left, &left_len), 0);
    assert_int_equal(xmlmsg_pack(two, &right, &right_len), 0);
    assert_int_equal(left_len, right_len);
    assert_memory_equal(left, right, left_len);
    free(left);
    free(right);
    xmlmsg_free(&one);
    xmlmsg_free(&two);
}

static void check_composed(const struct recipe *recipe)
{
    char *text = compose(recipe);
    struct xmlmsg *root = read_text(text);
    unsigned n = 0;

    HAS(root, "MessageHeader/SegmentOfResult", recipe->segment);
    HAS(root, "MessageHeader/CharacterCodeIdentifier", recipe->shift_jis ? "1" : "0");
    HAS(root, "MessageBody/ProcessingResultStatus", recipe->status);
    HAS(root, "MessageBody/QualificationValidity", recipe->validity);
    assert_null(xmlmsg_value(xmlmsg_find(root, "MessageBody/ResultList")));
    for (struct xmlmsg *r =
             xmlmsg_find(root, "MessageBody/ResultList/ResultOfQualificationConfirmation");
         r != NULL; r = xmlmsg_next(r, "ResultOfQualificationConfirmation"), n++) {
        char number[16], insurer[16];

        snprintf(number, sizeof(number), "%u", 1000 + n);
        snprintf(insurer, sizeof(insurer), "  %06u", 990000 + n);
        HAS(r, "InsuredIdentificationNumber", number);
        HAS(r, "InsurerNumber", insurer);
        HAS(r, "Name", texts[TEXT_NAME].utf8);
        HAS(r, "NameKana", texts[TEXT_KANA].utf8);
        HAS(r, "InsuredCardSymbol", texts[TEXT_SYMBOL].utf8);
        HAS(r, "InsurerName", texts[TEXT_INSURER].utf8);
        HAS(r, "Address", "髙①～∥ソ表 & A");
        HAS(r, "PharmacistsInfoConsFlg", recipe->consent);
        HAS(r, "PharmacistsInfoAvailableTime", recipe->consent[0] == '1' ? "20261006091455" : "");
        /* An empty list is a list, an empty value a value. */
        assert_null(xmlmsg_value(xmlmsg_find(r, "PublicExpenseResultList")));
        assert_null(xmlmsg_value(xmlmsg_find(r, "SpecificDiseasesCertificateList")));
        assert_string_equal(xmlmsg_value(xmlmsg_find(r, "ReferenceNumber")), "");
        HAS(r, "NobodyKnowsThis/Inner", recipe->noise ? "7" : "");
    }
    assert_int_equal(n, recipe->results);
    if (recipe->shuffle != 0) {
        struct recipe straight = *recipe;
        char *same;
        struct xmlmsg *again;

        straight.shuffle = 0;
        same = compose(&straight);
        again = read_text(same);
        equal_trees(root, again);
        xmlmsg_free(&again);
        free(same);
    }
    xmlmsg_free(&root);
    free(text);
}

static void every_combination_of_codes_in_both_encodings(void **state)
{
    static const char *const segments[] = {"1", "2", "9", "7"}, *const statuses[] = {"1", "2"},
                             *const validities[] = {"1", "2", "3", "4", "5", "6", "8"},
                             *const consents[] = {"0", "1", "2", "3", "x"};
    uint32_t round = 0;

    (void)state;
    for (size_t s = 0; s < 4; s++)
        for (size_t t = 0; t < 2; t++)
            for (size_t v = 0; v < 7; v++)
                for (size_t c = 0; c < 5; c++)
                    for (int sjis = 0; sjis < 2; sjis++, round++) {
                        const struct recipe recipe = {.segment = segments[s],
                                                      .status = statuses[t],
                                                      .validity = validities[v],
                                                      .consent = consents[c],
                                                      .shift_jis = sjis,
                                                      .results = round % 4,
                                                      .shuffle = round % 3 == 0 ? 0 : round,
                                                      .noise = round % 5 > 2};

                        check_composed(&recipe);
                    }
    assert_int_equal(round, 4 * 2 * 7 * 5 * 2);
}

static void values_are_kept_as_they_are(void **state)
{
    struct xmlmsg *root =
        read_text("<XmlMsg><A>  12 </A>\n<B>\t</B><C/><D>&lt;&#x3042;&gt;\r\n&quot;</D>"
                  "<ResultList>kept</ResultList><MessageHeader>  </MessageHeader></XmlMsg>");

    (void)state;
    HAS(root, "A", "  12 ");
    HAS(root, "B", "\t");
    assert_string_equal(xmlmsg_value(xmlmsg_find(root, "C")), "");
    HAS(root, "D", "<あ>\n\"");
    HAS(root, "ResultList", "kept");
    assert_null(xmlmsg_value(xmlmsg_find(root, "MessageHeader")));
    xmlmsg_free(&root);
}

static void other_names_of_the_same_are_known(void **state)
{
    struct xmlmsg *root =
        read_text("<XmlMsg><PharmaceuticalInfoConsFlg>1</PharmaceuticalInfoConsFlg>"
                  "<PharmaceuticalInfoAcquisitionTime>2</PharmaceuticalInfoAcquisitionTime>"
                  "<DiagnosisInfoAcquisitionTime>3</DiagnosisInfoAcquisitionTime></XmlMsg>");

    (void)state;
    HAS(root, "PharmacistsInfoConsFlg", "1");
    HAS(root, "PharmacistsInfoAvailableTime", "2");
    HAS(root, "DiagnosisInfoAvailableTime", "3");
    assert_int_equal(xmlmsg_count(root), 4);
    xmlmsg_free(&root);
}

#define BODY "<XmlMsg><A>x</A></XmlMsg>"

static void the_declaration_decides_the_encoding(void **state)
{
    static const char *const names[] = {"Shift_JIS", "SHIFT-JIS", "sjis",  "Windows-31J",
                                        "MS932",     "cp932",     "x-sjis"};
    struct xmlmsg *root;
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text),
                 "<?xml version='1.0' encoding='%s'?><XmlMsg><A>\xfb\xfc</A></XmlMsg>", names[i]);
        root = read_text(text);
        HAS(root, "A", "髙");
        xmlmsg_free(&root);
    }
    root = read_text("<XmlMsg><A>髙</A></XmlMsg>");
    HAS(root, "A", "髙");
    xmlmsg_free(&root);
    root = read_text("\xef\xbb\xbf<?xml version=\"1.0\"?><XmlMsg><A>髙</A></XmlMsg>");
    HAS(root, "A", "髙");
    xmlmsg_free(&root);
    refused(CODEC_XML_ENCODING, "<?xml version='1.0' encoding='EUC-JP'?>" BODY);
    refused(CODEC_XML_ENCODING, "<?xml version='1.0' encoding='UTF-16'?>" BODY);
    refused(CODEC_XML_ENCODING, "<?xml version='1.0' encoding='UTF-7'?>" BODY);
    refused(CODEC_XML_ENCODING, "<?xml version='1.0' encoding=''?>" BODY);
    refused(CODEC_XML_ENCODING, "\xef\xbb\xbf<?xml version='1.0' encoding='Shift_JIS'?>" BODY);
    /* One encoding declared, the other written. */
    refused(CODEC_XML_BYTES,
            "<?xml version='1.0' encoding='UTF-8'?><XmlMsg><A>\x8e\x8e\x8c\xb1</A></XmlMsg>");
    refused(CODEC_XML_BYTES,
            "<?xml version='1.0' encoding='Shift_JIS'?><XmlMsg><A>試験です</A></XmlMsg>");
    /* Only half of the declaration's attributes, or none of XML's own form. */
    refused(CODEC_XML_SYNTAX, "<?xml version='1.0' encoding?>" BODY);
    refused(CODEC_XML_SYNTAX, "<?xml version='1.0' encoding='UTF-8?>" BODY);
    refused(CODEC_XML_SYNTAX, " <?xml version='1.0'?>" BODY);
}

static void bytes_that_no_encoding_has(void **state)
{
    static const char *const utf8[] = {
        "\xc0\xbc",
        "\xc1\xbf",
        "\xe0\x80\xbc",
        "\xf0\x80\x80\xbc", /* longer forms of '<' */
        "\xed\xa0\x80",
        "\xed\xbf\xbf", /* halves of surrogates */
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xff",
        "\xfe", /* beyond Unicode */
        "\x80",
        "\xe3\x81",
        "\xe3\x41\x41", /* without its beginning, its end, its middle */
    };
    static const char *const cp932[] = {"\x80",     "\xa0",     "\xfd",     "\xff",
                                        "\x81\x20", "\x85\x40", "\xeb\xa5", "\xfc\x4c"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++) {
        snprintf(text, sizeof(text), "<XmlMsg><A>%s</A></XmlMsg>", utf8[i]);
        refused(CODEC_XML_BYTES, text);
    }
    for (size_t i = 0; i < sizeof(cp932) / sizeof(cp932[0]); i++) {
        snprintf(text, sizeof(text),
                 "<?xml version='1.0' encoding='Shift_JIS'?><XmlMsg><A>%s</A></XmlMsg>", cp932[i]);
        refused(CODEC_XML_BYTES, text);
    }
    refused_bytes(CODEC_XML_BYTES, "<XmlMsg><A>\0</A></XmlMsg>", 25);
    refused(CODEC_XML_SYNTAX, "<XmlMsg><A>\x01</A></XmlMsg>");
    refused(CODEC_XML_SYNTAX, "<XmlMsg><A>&#0;</A></XmlMsg>");
    refused(CODEC_XML_SYNTAX, "<XmlMsg><A>&#xd800;</A></XmlMsg>");
    refused(CODEC_XML_SYNTAX, "<XmlMsg><A>&#x110000;</A></XmlMsg>");
}

static void utf_16_is_refused_whatever_it_says(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><XmlMsg><A>x</A></XmlMsg>";
    char wide[2 + 2 * sizeof(text)];

    (void)state;
    for (int big = 0; big < 2; big++) {
        memcpy(wide, big ? "\xfe\xff" : "\xff\xfe", 2);
        for (size_t i = 0; i < sizeof(text) - 1; i++) {
            wide[2 + 2 * i + (size_t)big] = text[i];
            wide[2 + 2 * i + (size_t)!big] = '\0';
        }
        refused_bytes(CODEC_XML_ENCODING, wide, 2 * sizeof(text));
        refused_bytes(CODEC_XML_ENCODING, wide + 2, 2 * sizeof(text) - 2);
    }
}

static void a_document_type_is_refused_before_it_is_read(void **state)
{
    char *bomb = NULL;
    size_t len;
    FILE *out = open_memstream(&bomb, &len);

    (void)state;
    assert_non_null(out);
    fputs("<!DOCTYPE XmlMsg [<!ENTITY e0 \"x\">", out);
    for (int i = 1; i < 30; i++)
        fprintf(out, "<!ENTITY e%d \"&e%d;&e%d;&e%d;&e%d;\">", i, i - 1, i - 1, i - 1, i - 1);
    fputs("]><XmlMsg><A>&e29;</A></XmlMsg>", out);
    fclose(out);
    refused(CODEC_XML_DOCTYPE, bomb);
    free(bomb);
    refused(CODEC_XML_DOCTYPE, "<!DOCTYPE XmlMsg SYSTEM \"file:///etc/passwd\"><XmlMsg/>");
    refused(CODEC_XML_DOCTYPE,
            "<?xml version='1.0'?><!DOCTYPE XmlMsg PUBLIC 'a' 'http://192.0.2.1/a.dtd'><XmlMsg/>");
    refused(CODEC_XML_DOCTYPE,
            "<!DOCTYPE XmlMsg [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><XmlMsg/>");
    refused(CODEC_XML_DOCTYPE, "<!DOCTYPE XmlMsg><XmlMsg/>");
    refused(CODEC_XML_SYNTAX, "<XmlMsg><A>&unknown;</A></XmlMsg>");
}

static void not_well_formed_is_wrong_and_not_truncated(void **state)
{
    static const char *const wrong[] = {
        "hello",
        "%PDF-1.7",
        "MessageHeader",
        "&amp",
        "\xef\xbb\xbf%x",
        "{\"XmlMsg\":{}}",
        "<XmlMsg></xmlMsg>",
        "<XmlMsg><A></B></XmlMsg>",
        "<XmlMsg/><XmlMsg/>",
        "<XmlMsg/>x",
        "<XmlMsg a='1' a='2'/>",
        "<XmlMsg><A b=c/></XmlMsg>",
        "<XmlMsg><1/></XmlMsg>",
        "<XmlMsg><A>]]></A></XmlMsg>",
        "<XmlMsg><A></XmlMsg>",
        "<XmlMsg><!-- -- --></XmlMsg>",
        "<XmlMsg><?xml version='1.0'?></XmlMsg>",
        "</XmlMsg>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refused(CODEC_XML_SYNTAX, wrong[i]);
    refused(CODEC_XML_MIXED, "<XmlMsg>text</XmlMsg>");
    refused(CODEC_XML_MIXED, "<XmlMsg><A>x<B/></A></XmlMsg>");
    refused(CODEC_XML_MIXED, "<XmlMsg><A><B/>x</A></XmlMsg>");
    refused(CODEC_XML_MIXED, "<XmlMsg><A/>x<A/></XmlMsg>");
}

static char *repeated(const char *before, const char *what, size_t n, const char *between,
                      const char *end, const char *after)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    fputs(before, out);
    for (size_t i = 0; i < n; i++)
        fputs(what, out);
    fputs(between, out);
    for (size_t i = 0; i < n && end[0] != '\0'; i++)
        fputs(end, out);
    fputs(after, out);
    fclose(out);
    return text;
}

static void caps_hold_at_their_edges(void **state)
{
    struct xmlmsg *root;
    char *text;

    (void)state;
    /* Depth: the root is the first. */
    text = repeated("<XmlMsg>", "<A>", XMLMSG_DEPTH_MAX - 1, "x", "</A>", "</XmlMsg>");
    root = read_text(text);
    xmlmsg_free(&root);
    free(text);
    text = repeated("<XmlMsg>", "<A>", XMLMSG_DEPTH_MAX, "x", "</A>", "</XmlMsg>");
    refused(CODEC_XML_LARGE, text);
    free(text);
    text = repeated("", "<A>", 200000, "x", "</A>", "");
    refused(CODEC_XML_LARGE, text);
    free(text);
    /* Elements. */
    text = repeated("<XmlMsg>", "<A/>", XMLMSG_NODES_MAX - 1, "", "", "</XmlMsg>");
    root = read_text(text);
    assert_int_equal(xmlmsg_count(root), XMLMSG_NODES_MAX);
    xmlmsg_free(&root);
    free(text);
    text = repeated("<XmlMsg>", "<A/>", XMLMSG_NODES_MAX, "", "", "</XmlMsg>");
    refused(CODEC_XML_LARGE, text);
    free(text);
    /* Length of a name. */
    text = repeated("<XmlMsg><", "N", 128, "/></XmlMsg>", "", "");
    root = read_text(text);
    xmlmsg_free(&root);
    free(text);
    text = repeated("<XmlMsg><", "N", 129, "/></XmlMsg>", "", "");
    refused(CODEC_XML_LARGE, text);
    free(text);
    text = repeated("<XmlMsg><", "N", 3000000, "/></XmlMsg>", "", "");
    refused(CODEC_XML_LARGE, text);
    free(text);
    /* Bytes: of the input, and of what half-width kana become in UTF-8. */
    text = repeated("<XmlMsg><A>", "x", XMLMSG_BYTES_MAX - 25, "</A></XmlMsg>", "", "");
    assert_true(strlen(text) < XMLMSG_BYTES_MAX);
    refused(CODEC_XML_LARGE, text); /* its canonical form is a little longer than its XML */
    free(text);
    text = repeated("<XmlMsg><A>", "x", XMLMSG_BYTES_MAX - 200, "</A></XmlMsg>", "", "");
    root = read_text(text);
    xmlmsg_free(&root);
    free(text);
    text = repeated("<XmlMsg/>", " ", XMLMSG_BYTES_MAX, "", "", "");
    refused(CODEC_XML_LARGE, text);
    free(text);
    text = repeated("<?xml version='1.0' encoding='Shift_JIS'?><XmlMsg><A>", "\xb6", 2000000,
                    "</A></XmlMsg>", "", "");
    refused(CODEC_XML_LARGE, text);
    free(text);
    /* Attributes are passed over, as many as there may be. */
    text = repeated("<XmlMsg", " ", 100000, " a='1' b='2'><A/></XmlMsg>", "", "");
    root = read_text(text);
    xmlmsg_free(&root);
    free(text);
    /* A declaration without an end. */
    text = repeated("<?xml version='1.0'", " ", 1000, "?><XmlMsg/>", "", "");
    refused(CODEC_XML_SYNTAX, text);
    free(text);
}

static void a_fault_has_its_line_and_its_words(void **state)
{
    struct codec_xml_report report;
    struct xmlmsg *root;
    static const char
        utf8[] = "<XmlMsg>\n<A>\n\x80</A></XmlMsg>",
        mixed[] = "<XmlMsg>\n\n\n<A/>x</XmlMsg>",
        sjis[] = "<?xml version='1.0' encoding='Shift_JIS'?>\n<XmlMsg>\n\n<A>\x80</A></XmlMsg>";

    (void)state;
    assert_int_equal(codec_xml_read(codec, &root, utf8, sizeof(utf8) - 1, &report), -EBADMSG);
    assert_int_equal(report.line, 3);
    assert_int_equal(codec_xml_read(codec, &root, mixed, sizeof(mixed) - 1, &report), -EBADMSG);
    assert_int_equal(report.line, 4);
    assert_int_equal(codec_xml_read(codec, &root, sjis, sizeof(sjis) - 1, &report), -EBADMSG);
    assert_int_equal(report.line, 4);
    assert_int_equal(report.encoding, CODEC_XML_SHIFT_JIS);
    for (int f = 0; f < CODEC_XML_FAULTS; f++) {
        assert_true(strlen(codec_xml_fault_ja((enum codec_xml_fault)f)) > 4);
        assert_true(strlen(codec_xml_fault_en((enum codec_xml_fault)f)) > 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_in_both_encodings),
        cmocka_unit_test(card_session_in_any_order_with_a_name_that_has_a_hole),
        cmocka_unit_test(answers_of_loss_and_of_failure),
        cmocka_unit_test(every_beginning_is_truncated),
        cmocka_unit_test(a_file_that_ends_in_nuls_is_truncated),
        cmocka_unit_test(every_combination_of_codes_in_both_encodings),
        cmocka_unit_test(values_are_kept_as_they_are),
        cmocka_unit_test(other_names_of_the_same_are_known),
        cmocka_unit_test(the_declaration_decides_the_encoding),
        cmocka_unit_test(bytes_that_no_encoding_has),
        cmocka_unit_test(utf_16_is_refused_whatever_it_says),
        cmocka_unit_test(a_document_type_is_refused_before_it_is_read),
        cmocka_unit_test(not_well_formed_is_wrong_and_not_truncated),
        cmocka_unit_test(caps_hold_at_their_edges),
        cmocka_unit_test(a_fault_has_its_line_and_its_words),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
