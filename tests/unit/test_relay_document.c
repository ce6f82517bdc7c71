/* What is written of a document (YZK, TKK): its bytes as they came where they are what is wanted, else all that it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/relay/handover_face.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Order, blanks and an element that nobody knows: as a terminal may write it. */
#define UTF8                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<XmlMsg><MessageBody><Unknown>x</Unknown>"        \
    "<CzDiMonthInf><DateInf><DrugInf><DrugN>見本錠</DrugN></DrugInf></DateInf></CzDiMonthInf>"  \
    "<ResultCode>1</ResultCode></MessageBody>  </XmlMsg>"
#define DRUG "MessageBody/CzDiMonthInf/DateInf/DrugInf/DrugN"

static struct codec_xml *codec;

static struct xmlmsg *read(const void *data, size_t len, enum codec_xml_encoding *encoding)
{
    struct codec_xml_report report;
    struct xmlmsg *tree = NULL;

    assert_int_equal(codec_xml_read(codec, &tree, data, len, &report), 0);
    *encoding = report.encoding;
    return tree;
}

/* What comes out, and that nothing of the answer is lost in it. */
static char *write_out(enum codec_xml_encoding encoding, bool raw, const char *bytes, size_t *len)
{
    const struct handover_face how = {
        .encoding = encoding, .raw = raw, .institution = "9910000017"};
    enum codec_xml_encoding was;
    struct xmlmsg *tree = read(UTF8, strlen(UTF8), &was), *again;
    char *out = NULL, element[129];

    assert_int_equal(handover_document(codec, &how, tree, (const uint8_t *)bytes, strlen(bytes),
                                       &out, len, element),
                     0);
    again = read(out, *len, &was);
    assert_int_equal(was, encoding);
    assert_string_equal(xmlmsg_get(again, DRUG), "見本錠");
    assert_string_equal(xmlmsg_get(again, "MessageBody/Unknown"), "x");
    assert_string_equal(xmlmsg_get(again, "MessageBody/ResultCode"), "1");
    xmlmsg_free(&tree);
    xmlmsg_free(&again);
    return out;
}

static void a_terminals_file_goes_on_byte_for_byte(void **state)
{
    size_t len;
    char *out = write_out(CODEC_XML_UTF8, true, UTF8, &len);

    (void)state;
    assert_int_equal(len, strlen(UTF8));
    assert_memory_equal(out, UTF8, len);
    free(out);
}

static void anything_else_is_written_anew(void **state)
{
    static const char json[] = "{\"XmlMsg\":{\"MessageBody\":{\"ResultCode\":\"1\"}}}";
    size_t len;
    char *out = write_out(CODEC_XML_UTF8, true, json, &len);

    (void)state;
    assert_memory_equal(out, "<?xml", 5);
    free(out);
    out = write_out(CODEC_XML_SHIFT_JIS, true, UTF8, &len);
    assert_null(memmem(out, len, "見本錠", strlen("見本錠")));
    free(out);
    out = write_out(CODEC_XML_UTF8, false, UTF8, &len);
    assert_true(len != strlen(UTF8) || memcmp(out, UTF8, len) != 0);
    free(out);
}

static void a_character_that_the_encoding_lacks_is_named_and_not_replaced(void **state)
{
    const struct handover_face how = {.encoding = CODEC_XML_SHIFT_JIS, .raw = true};
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    char *out = NULL, element[129];
    size_t len;

    (void)state;
    assert_int_equal(xmlmsg_set(tree, DRUG, "\xf0\xa0\xae\xb7錠"), 0);
    assert_int_equal(handover_document(codec, &how, tree, NULL, 0, &out, &len, element), -EILSEQ);
    assert_null(out);
    assert_string_equal(element, "DrugInf/DrugN");
    xmlmsg_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminals_file_goes_on_byte_for_byte),
        cmocka_unit_test(anything_else_is_written_anew),
        cmocka_unit_test(a_character_that_the_encoding_lacks_is_named_and_not_replaced),
    };
    int failed;

    codec = codec_xml_new();
    failed = codec == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
    codec_xml_free(&codec);
    return failed;
}
