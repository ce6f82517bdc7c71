#include "handover_face.h"

#include "facefile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A card session's result, of this institution, in the encoding that is wanted. An answer to a
 * question of ours echoes the question, or says that numbers were asked (CD002 is not 1): as a face
 * file it would say what nobody did.
 */
static bool as_it_is(struct codec_xml *codec, const struct handover_face *how, const uint8_t *raw,
                     size_t len)
{
    struct codec_xml_report report = {.fault = CODEC_XML_FINE};
    struct xmlmsg *tree = NULL;
    const struct xmlmsg *echo;
    bool due;

    if (!how->raw || len == 0 || codec_xml_read(codec, &tree, raw, len, &report) != 0)
        return false;
    echo = xmlmsg_find(tree, "MessageBody/QualificationConfirmSearchInfo");
    due = report.encoding == how->encoding &&
          strcmp(xmlmsg_get(tree, "MessageHeader/ReferenceClassification"), "1") == 0 &&
          strcmp(xmlmsg_get(tree, "MessageHeader/MedicalInstitutionCode"), how->institution) == 0 &&
          (echo == NULL || xmlmsg_child(echo, NULL) == NULL);
    xmlmsg_free(&tree);
    return due;
}

static int copy(const uint8_t *raw, size_t raw_len, char **out, size_t *len)
{
    *out = malloc(raw_len);
    if (*out == NULL)
        return -ENOMEM;
    memcpy(*out, raw, raw_len);
    *len = raw_len;
    return 0;
}

int handover_face(struct codec_xml *codec, const struct handover_face *how,
                  const struct xmlmsg *answer, const uint8_t *raw, size_t raw_len, char **out,
                  size_t *len, char element[129])
{
    const struct facefile_style style = {.encoding = how->encoding};
    struct codec_xml_report report = {.fault = CODEC_XML_FINE};
    int error;

    *out = NULL;
    *len = 0;
    element[0] = '\0';
    if (as_it_is(codec, how, raw, raw_len))
        return copy(raw, raw_len, out, len);
    error = facefile_write(codec, answer, &style, out, len, &report);
    if (error == -EILSEQ)
        (void)snprintf(element, 129, "%.128s", report.element);
    return error;
}

int handover_document(struct codec_xml *codec, const struct handover_face *how,
                      const struct xmlmsg *answer, const uint8_t *raw, size_t raw_len, char **out,
                      size_t *len, char element[129])
{
    const struct codec_xml_style style = {.encoding = how->encoding, .crlf = true, .indent = "\t"};
    struct codec_xml_report report = {.fault = CODEC_XML_FINE};
    struct xmlmsg *tree = NULL;
    int error;
    bool same = how->raw && raw_len > 0 &&
                codec_xml_read(codec, &tree, raw, raw_len, &report) == 0 &&
                report.encoding == how->encoding;

    xmlmsg_free(&tree);
    *out = NULL;
    *len = 0;
    element[0] = '\0';
    if (same)
        return copy(raw, raw_len, out, len);
    report = (struct codec_xml_report){.fault = CODEC_XML_FINE};
    error = codec_xml_write(codec, answer, &style, out, len, &report);
    if (error == -EILSEQ)
        (void)snprintf(element, 129, "%.128s", report.element);
    return error;
}
