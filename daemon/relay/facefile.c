#include "facefile.h"

#include "../common/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INSTITUTION_DIGITS 10
#define TIME_DIGITS 14
#define IDENTIFIER_MAX 50 /* characters */
#define RATIO_DIGITS 3

static bool is_digits(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789") == len;
}

int facefile_name(char out[FACEFILE_NAME_SIZE], const char *institution,
                  const uint8_t id[FACEFILE_ID], const char *time)
{
    char hex[2 * FACEFILE_ID + 1];

    if (!is_digits(institution, INSTITUTION_DIGITS) || !is_digits(time, TIME_DIGITS))
        return -EINVAL;
    for (size_t i = 0; i < FACEFILE_ID; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id[i]);
    (void)snprintf(out, FACEFILE_NAME_SIZE, FACEFILE_PREFIX "%s%s_%s.xml", institution, hex, time);
    return 0;
}

static size_t characters(const char *text)
{
    const char *end = text + strlen(text);
    size_t n = 0;

    while (text < end) {
        if (utf8_next(&text, end) == UINT32_MAX)
            return SIZE_MAX;
        n++;
    }
    return n;
}

static bool is_ratio(const char *name)
{
    return strcmp(name, "InsuredPartialContributionRatio") == 0 ||
           strcmp(name, "ElderlyRecipientContributionRatio") == 0;
}

/* "20" is written "020"; what is no short number stays as it is. */
static const char *ratio(const char *value, char buffer[RATIO_DIGITS + 1])
{
    size_t len = strlen(value);

    if (len == 0 || len >= RATIO_DIGITS || !is_digits(value, len))
        return value;
    memset(buffer, '0', RATIO_DIGITS - len);
    memcpy(buffer + RATIO_DIGITS - len, value, len + 1);
    return buffer;
}

/* The echo of a query, directly in the body of a message. */
static bool is_echo(const struct xmlmsg *parent, const char *name)
{
    return strcmp(xmlmsg_name(parent), "MessageBody") == 0 &&
           strcmp(name, "QualificationConfirmSearchInfo") == 0;
}

static int copy(struct xmlmsg *to, const struct xmlmsg *from)
{
    int error = 0;

    for (const struct xmlmsg *c = xmlmsg_child(from, NULL); c != NULL && error == 0;
         c = xmlmsg_next(c, NULL)) {
        const char *name = xmlmsg_name(c), *value = xmlmsg_value(c);
        char buffer[RATIO_DIGITS + 1];
        struct xmlmsg *child;

        if (is_echo(to, name))
            continue;
        if (value != NULL && is_ratio(name))
            value = ratio(value, buffer);
        child = xmlmsg_add(to, name, value);
        error = child != NULL ? copy(child, c) : -ENOMEM;
    }
    return error;
}

static bool style_valid(const struct facefile_style *style)
{
    if (style->identifier != NULL && characters(style->identifier) > IDENTIFIER_MAX)
        return false;
    return style->prescription == NULL || strcmp(style->prescription, "1") == 0 ||
           strcmp(style->prescription, "2") == 0;
}

int facefile_write(struct codec_xml *codec, const struct xmlmsg *answer,
                   const struct facefile_style *style, char **out, size_t *len,
                   struct codec_xml_report *report)
{
    const struct codec_xml_style xml = {
        .encoding = style->encoding, .crlf = true, .omit_empty = true, .indent = "\t"};
    struct xmlmsg *face = NULL;
    int error = -EINVAL;

    *out = NULL;
    *len = 0;
    if (report != NULL)
        *report = (struct codec_xml_report){.encoding = style->encoding};
    if (!style_valid(style) || xmlmsg_get(answer, "MessageHeader/SegmentOfResult")[0] == '\0' ||
        xmlmsg_get(answer, "MessageHeader/MedicalInstitutionCode")[0] == '\0')
        return -EINVAL;
    face = xmlmsg_new(xmlmsg_name(answer));
    error = face != NULL ? copy(face, answer) : -ENOMEM;
    if (error == 0)
        error = xmlmsg_set(face, "MessageHeader/CharacterCodeIdentifier",
                           style->encoding == CODEC_XML_SHIFT_JIS ? "1" : "0");
    if (error == 0 && style->identifier != NULL)
        error = xmlmsg_set(face, "MessageHeader/ArbitraryFileIdentifier", style->identifier);
    if (error == 0 && style->prescription != NULL)
        error = xmlmsg_set(face, "MessageBody/PrescriptionIssueSelect", style->prescription);
    if (error == 0)
        error = codec_xml_write(codec, face, &xml, out, len, report);
    xmlmsg_free(&face);
    return error;
}
