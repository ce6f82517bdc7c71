/*
 * A file from the terminal's folder. What is read is written in UTF-8 and reads back the same; what CP932 can hold does
 * too; what is written is never refused.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/relay/codec_xml.h"
#include "daemon/relay/facefile.h"
#include "daemon/relay/layout.h"

static void same(const struct xmlmsg *a, const struct xmlmsg *b)
{
    uint8_t *left, *right;
    size_t left_len, right_len;

    FUZZ_CHECK(xmlmsg_pack(a, &left, &left_len) == 0 && xmlmsg_pack(b, &right, &right_len) == 0);
    FUZZ_CHECK(left_len == right_len && memcmp(left, right, left_len) == 0);
    free(left);
    free(right);
}

/* What another encoding, another line end or nothing at all between elements must not change. */
static void write_and_read(struct codec_xml *codec, const struct xmlmsg *root, unsigned form)
{
    static const char *const indents[] = {NULL, "", "\t"};
    const struct codec_xml_style style = {.encoding =
                                              form & 1 ? CODEC_XML_SHIFT_JIS : CODEC_XML_UTF8,
                                          .crlf = form & 2,
                                          .indent = indents[form / 4 % 3]};
    struct codec_xml_report report;
    struct xmlmsg *again = NULL;
    char *text;
    size_t len;
    int error = codec_xml_write(codec, root, &style, &text, &len, &report);

    if (error != 0) {
        FUZZ_CHECK(text == NULL && report.fault != CODEC_XML_FINE);
        FUZZ_CHECK(error == -EINVAL || error == -E2BIG ||
                   (error == -EILSEQ && report.element[0] != '\0'));
        return;
    }
    FUZZ_CHECK(strlen(text) == len);
    FUZZ_CHECK(strstr(text, "&#") == NULL);
    FUZZ_CHECK(codec_xml_read(codec, &again, text, len, &report) == 0);
    FUZZ_CHECK(report.encoding == style.encoding);
    /* CP932 gives one of two twins back: the same number of elements is what it promises. */
    if (style.encoding == CODEC_XML_UTF8)
        same(root, again);
    else
        FUZZ_CHECK(xmlmsg_count(root) == xmlmsg_count(again));
    xmlmsg_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_xml *codec;
    struct codec_xml_report report;
    struct xmlmsg *root = NULL, *ordered, *twice;
    unsigned form;
    char *face;
    size_t len;
    int error;

    if (codec == NULL)
        codec = codec_xml_new();
    if (size < 1 || codec == NULL)
        return 0;
    form = data[0];
    error = codec_xml_read(codec, &root, data + 1, size - 1, &report);
    FUZZ_CHECK((error == 0) == (root != NULL) && (error == 0) == (report.fault == CODEC_XML_FINE));
    FUZZ_CHECK((error == -ENODATA) == (report.fault == CODEC_XML_TRUNCATED));
    if (error != 0)
        return 0;
    ordered = layout_copy(root);
    FUZZ_CHECK(ordered != NULL && xmlmsg_count(ordered) == xmlmsg_count(root));
    twice = layout_copy(ordered);
    FUZZ_CHECK(twice != NULL);
    same(ordered, twice);
    write_and_read(codec, ordered, form);
    error = facefile_write(
        codec, root,
        &(struct facefile_style){.encoding = form & 1 ? CODEC_XML_SHIFT_JIS : CODEC_XML_UTF8},
        &face, &len, &report);
    FUZZ_CHECK((error == 0) == (face != NULL));
    free(face);
    xmlmsg_free(&twice);
    xmlmsg_free(&ordered);
    xmlmsg_free(&root);
    return 0;
}

void fuzz_seeds(void)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"failed",
         "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n<XmlMsg><MessageHeader>"
         "<MedicalInstitutionCode>9910000017</MedicalInstitutionCode><SegmentOfResult>9</"
         "SegmentOfResult>"
         "<ErrorCode>OQC-OWSE0900000</ErrorCode></MessageHeader></XmlMsg>"},
        {"card",
         "<XmlMsg><MessageBody><ResultList><ResultOfQualificationConfirmation><Name>架●　花子</"
         "Name>"
         "<InsurerNumber>  "
         "990012</InsurerNumber><PublicExpenseResultList/><SpecificDiseasesCertificateList>\r\n"
         "</SpecificDiseasesCertificateList></ResultOfQualificationConfirmation></ResultList></"
         "MessageBody>"
         "<MessageHeader "
         "a='1'><SegmentOfResult>1</SegmentOfResult><MedicalInstitutionCode>9910000017"
         "</MedicalInstitutionCode></MessageHeader></XmlMsg>"},
        {"cp932", "<?xml version='1.0' "
                  "encoding='Shift_JIS'?><XmlMsg><Name>\x89\xcb\x81\x9c\x81\x40\x89\xd4\x8e\x71"
                  "\xb6\xb8\xb3 \xfb\xfc\x87\x40\x81\x60</Name></XmlMsg>"},
        {"other", "\xef\xbb\xbf<?xml version='1.0'?><!-- x --><?p "
                  "i?><XmlMsg><A><![CDATA[<&]]>&#x3042;&amp;</A></XmlMsg>"},
        {"doctype", "<!DOCTYPE XmlMsg [<!ENTITY e 'x'>]><XmlMsg><A>&e;</A></XmlMsg>"},
    };
    static struct fuzz_seed seed;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        seed_u8(&seed, (unsigned)i);
        seed_bytes(&seed, rows[i].text, strlen(rows[i].text));
        seed_write(&seed, rows[i].name);
    }
}
