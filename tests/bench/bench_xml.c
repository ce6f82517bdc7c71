/*
 * bench_xml: how fast a big answer is read: by our codec into a tree, by expat alone (no handlers:
 * what the parser itself can do), and by the xmllint program on the same file; each in megabytes of
 * the file a second.
 */
#include "daemon/relay/codec_xml.h"
#include "measure.h"

#include <expat.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS 15
#define UNITS 700
#define SIZE (2u << 20)

static char text[SIZE], shift_jis[SIZE];
static size_t text_len, shift_jis_len;

static void add(const char *line)
{
    size_t len = strlen(line);

    if (text_len + len >= sizeof(text))
        abort();
    memcpy(text + text_len, line, len);
    text_len += len;
}

/* A bulk result, of the shape and about as large as one message may be. */
static void compose(void)
{
    char line[400];

    add("<XmlMsg><MessageHeader><MedicalInstitutionCode>9910000017</"
        "MedicalInstitutionCode><SegmentOfResult>1"
        "</SegmentOfResult></MessageHeader><MessageBody>");
    for (int i = 0; i < UNITS; i++) {
        (void)snprintf(line, sizeof(line),
                       "\r\n\t<BulkConfirmUnit>\r\n\t\t<QualificationConfirmSearchInfo>\r\n\t\t\t<"
                       "InsurerNumber>  990010"
                       "</InsurerNumber>\r\n\t\t\t<InsuredIdentificationNumber>%d</"
                       "InsuredIdentificationNumber>\r\n\t\t\t"
                       "<Birthdate>19640229</Birthdate>\r\n\t\t\t<ArbitraryIdentifier>PT%06d</"
                       "ArbitraryIdentifier>\r\n\t\t"
                       "</QualificationConfirmSearchInfo>",
                       i, i);
        add(line);
        add("\r\n\t\t<ProcessingResultStatus>1</"
            "ProcessingResultStatus>\r\n\t\t<QualificationValidity>1"
            "</QualificationValidity>\r\n\t\t<ResultOfQualificationConfirmation>");
        for (int n = 0; n < 18; n++) {
            (void)snprintf(
                line, sizeof(line),
                "\r\n\t\t\t<InsurerName%d>架空健康保険組合　見本市例町１－２－３</InsurerName%d>",
                n, n);
            add(line);
        }
        add("\r\n\t\t</ResultOfQualificationConfirmation>\r\n\t</BulkConfirmUnit>");
    }
    add("</MessageBody></XmlMsg>");
}

static void convert(void)
{
    static const char head[] = "<?xml version=\"1.0\" encoding=\"Shift_JIS\"?>";
    iconv_t to = iconv_open("CP932", "UTF-8");
    char *in = text, *out = shift_jis + sizeof(head) - 1;
    size_t in_left = text_len, left = sizeof(shift_jis) - sizeof(head);

    memcpy(shift_jis, head, sizeof(head) - 1);
    if (to == (iconv_t)-1 || iconv(to, &in, &in_left, &out, &left) == (size_t)-1)
        abort();
    shift_jis_len = (size_t)(out - shift_jis);
    (void)iconv_close(to);
}

static double by_codec(struct codec_xml *codec, const char *data, size_t len)
{
    uint64_t began = measure_now_ns();
    struct xmlmsg *tree;

    if (codec_xml_read(codec, &tree, data, len, NULL) != 0)
        abort();
    xmlmsg_free(&tree);
    return (double)len * 1000 / (double)(measure_now_ns() - began);
}

static double by_expat(void)
{
    uint64_t began = measure_now_ns();
    XML_Parser parser = XML_ParserCreate("UTF-8");

    if (parser == NULL || XML_Parse(parser, text, (int)text_len, XML_TRUE) != XML_STATUS_OK)
        abort();
    XML_ParserFree(parser);
    return (double)text_len * 1000 / (double)(measure_now_ns() - began);
}

/* Parsed a hundred times by one process, so that its start does not count. */
static double by_xmllint(const char *path)
{
    char command[300];
    uint64_t began;

    (void)snprintf(command, sizeof(command), "xmllint --noout --repeat '%s'", path);
    began = measure_now_ns();
    if (system(command) != 0)
        return 0;
    return (double)text_len * 100 * 1000 / (double)(measure_now_ns() - began);
}

int main(void)
{
    struct codec_xml *codec = codec_xml_new();
    double ours[RUNS], cp932[RUNS], expat[RUNS], xmllint[3], median_ours, median_expat,
        median_xmllint;
    char path[] = "/tmp/uketsuke-bench-XXXXXX";
    int fd = mkstemp(path);

    if (codec == NULL || fd < 0)
        return 1;
    compose();
    convert();
    if (write(fd, text, text_len) != (ssize_t)text_len || close(fd) != 0)
        return 1;
    for (int i = 0; i < RUNS;
         i++) { /* side by side, so that what the machine does beside hits all of them */
        ours[i] = by_codec(codec, text, text_len);
        cp932[i] = by_codec(codec, shift_jis, shift_jis_len);
        expat[i] = by_expat();
    }
    for (int i = 0; i < 3; i++)
        xmllint[i] = by_xmllint(path);
    (void)unlink(path);
    codec_xml_free(&codec);
    measure_print("read into a tree, UTF-8", ours, RUNS, "MB/s");
    measure_print("read into a tree, Shift_JIS", cp932, RUNS, "MB/s");
    measure_print("expat alone", expat, RUNS, "MB/s");
    measure_print("xmllint --noout", xmllint, 3, "MB/s");
    median_ours = measure_quantile(ours, RUNS, 0.5);
    median_expat = measure_quantile(expat, RUNS, 0.5);
    median_xmllint = measure_quantile(xmllint, 3, 0.5);
    printf("  ours is %.2f of expat alone, %.2f of xmllint (%zu bytes)\n",
           median_ours / median_expat, median_xmllint > 0 ? median_ours / median_xmllint : 0,
           text_len);
    return 0;
}
