#include "codec_xml.h"

#include "../common/utf8.h"
#include "codec_xml_text.h"
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Unicode has two characters for each of these places of JIS X 0208, because two vendors' tables
 * read the place differently. CP932 writes both as the place and reads it as the second: that is no
 * loss.
 */
static const struct {
    uint32_t written;
    uint32_t read;
} same_place[] = {
    {0x2014, 0x2015}, /* em dash */
    {0x2016, 0x2225}, /* double vertical line */
    {0x2212, 0xff0d}, /* minus */
    {0x301c, 0xff5e}, /* wave dash */
    {0x00a2, 0xffe0}, /* cent */
    {0x00a3, 0xffe1}, /* pound */
    {0x00ac, 0xffe2}, /* not */
};

struct writing {
    struct codec_xml *codec;
    const struct codec_xml_style *style;
    struct codec_xml_report *report;
    struct codec_text out;
    struct codec_text escaped;
    const char *end_of_line;
};

static bool put(struct writing *w, const char *text)
{
    return codec_text_add(&w->out, text, strlen(text));
}

static int fail(struct writing *w, enum codec_xml_fault fault, int error, const char *parent,
                const char *name)
{
    w->report->fault = fault;
    (void)snprintf(w->report->element, sizeof(w->report->element), "%.128s%s%.128s", parent,
                   parent[0] != '\0' ? "/" : "", name);
    return error;
}

/* What XML 1.0 can hold and give back as it was; CR would come back as LF. */
static bool is_character(uint32_t c)
{
    return c == '\t' || c == '\n' || (c >= 0x20 && c != 0xfffe && c != 0xffff);
}

static const char *escape_of(uint32_t c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
}

static int escape(struct writing *w, const char *value)
{
    const char *end = value + strlen(value);

    codec_text_clear(&w->escaped);
    while (value < end) {
        const char *at = value;
        uint32_t c = utf8_next(&value, end);
        const char *instead = escape_of(c);

        if (c == UINT32_MAX || !is_character(c))
            return -EILSEQ;
        if (instead != NULL ? !codec_text_add(&w->escaped, instead, strlen(instead))
                            : !codec_text_add(&w->escaped, at, (size_t)(value - at)))
            return -ENOMEM;
    }
    return 0;
}

static bool same_characters(const char *written, const char *read)
{
    const char *a_end = written + strlen(written), *b_end = read + strlen(read);

    while (written < a_end && read < b_end) {
        uint32_t a = utf8_next(&written, a_end), b = utf8_next(&read, b_end);
        bool same = a == b;

        for (size_t i = 0; i < sizeof(same_place) / sizeof(same_place[0]) && !same; i++)
            same = a == same_place[i].written && b == same_place[i].read;
        if (!same)
            return false;
    }
    return written == a_end && read == b_end;
}

/*
 * The converter is generous (a yen sign becomes a backslash), so what it wrote is read back and
 * compared.
 */
static int put_cp932(struct writing *w, const struct codec_text *text)
{
    struct codec_text *back = &w->codec->back;
    size_t start = w->out.len, used;
    int error = codec_text_convert(&w->out, w->codec->to_cp932, text->data, text->len, &used);

    codec_text_clear(back);
    if (error == 0)
        error = codec_text_convert(back, w->codec->from_cp932, w->out.data + start,
                                   w->out.len - start, &used);
    if (error == 0 && !same_characters(text->data, back->data))
        error = -EILSEQ;
    codec_text_clear(back);
    return error == -ENODATA ? -EILSEQ : error;
}

static int put_value(struct writing *w, const char *parent, const char *name, const char *value)
{
    int error = escape(w, value);

    if (error == 0 && w->escaped.len > 0) {
        if (w->style->encoding == CODEC_XML_SHIFT_JIS)
            error = put_cp932(w, &w->escaped);
        else
            error = codec_text_add(&w->out, w->escaped.data, w->escaped.len) ? 0 : -ENOMEM;
    }
    return error == -EILSEQ ? fail(w, CODEC_XML_CHARACTER, error, parent, name) : error;
}

/* The published names are ASCII; others would have to be right in two encodings and two editions of
 * XML. */
static bool is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-";

    return name[0] != '\0' && strchr(letters, name[0]) != NULL && name[strspn(name, more)] == '\0';
}

static bool has_content(const struct xmlmsg *element)
{
    const char *value = xmlmsg_value(element);

    if (value != NULL)
        return value[0] != '\0';
    for (const struct xmlmsg *c = xmlmsg_child(element, NULL); c != NULL; c = xmlmsg_next(c, NULL))
        if (has_content(c))
            return true;
    return false;
}

static bool put_line(struct writing *w, size_t depth)
{
    if (w->style->indent == NULL)
        return true;
    if (!put(w, w->end_of_line))
        return false;
    while (depth-- > 0)
        if (!put(w, w->style->indent))
            return false;
    return true;
}

static int put_element(struct writing *w, const char *parent, const struct xmlmsg *element,
                       size_t depth)
{
    const char *name = xmlmsg_name(element), *value = xmlmsg_value(element);
    bool empty = value != NULL ? value[0] == '\0' : true;
    int error = 0;

    if (!is_name(name))
        return fail(w, CODEC_XML_NAME, -EINVAL, parent, name);
    if (!put(w, "<") || !put(w, name) || !put(w, ">"))
        return -ENOMEM;
    if (value != NULL)
        error = put_value(w, parent, name, value);
    for (const struct xmlmsg *c = xmlmsg_child(element, NULL); c != NULL && error == 0;
         c = xmlmsg_next(c, NULL)) {
        if (w->style->omit_empty && !has_content(c))
            continue;
        empty = false;
        error = put_line(w, depth + 1) ? put_element(w, name, c, depth + 1) : -ENOMEM;
    }
    if (error != 0)
        return error;
    if (empty) { /* "<Name>" becomes "<Name/>" */
        w->out.len--;
        return put(w, "/>") ? 0 : -ENOMEM;
    }
    if (value == NULL && !put_line(w, depth))
        return -ENOMEM;
    if (!put(w, "</") || !put(w, name) || !put(w, ">"))
        return -ENOMEM;
    return w->out.len <= XMLMSG_BYTES_MAX ? 0 : fail(w, CODEC_XML_LARGE, -E2BIG, parent, name);
}

int codec_xml_write(struct codec_xml *codec, const struct xmlmsg *root,
                    const struct codec_xml_style *style, char **out, size_t *len,
                    struct codec_xml_report *report)
{
    struct codec_xml_report own = {0};
    struct writing w = {.codec = codec,
                        .style = style,
                        .report = report != NULL ? report : &own,
                        .end_of_line = style->crlf ? "\r\n" : "\n"};
    struct xmlmsg *ordered = layout_copy(root);
    int error = -ENOMEM;

    *w.report = (struct codec_xml_report){.encoding = style->encoding};
    *out = NULL;
    *len = 0;
    if (ordered == NULL || !put(&w, "<?xml version=\"1.0\" encoding=\"") ||
        !put(&w, style->encoding == CODEC_XML_SHIFT_JIS ? "Shift_JIS" : "UTF-8") ||
        !put(&w, "\" standalone=\"no\"?>") || !put(&w, w.end_of_line))
        goto out;
    error = put_element(&w, "", ordered, 0);
    if (error == 0 && !put(&w, w.end_of_line))
        error = -ENOMEM;
    if (error == 0 && w.out.len > XMLMSG_BYTES_MAX)
        error = fail(&w, CODEC_XML_LARGE, -E2BIG, "", xmlmsg_name(ordered));
    if (error == 0) {
        *out = w.out.data;
        *len = w.out.len;
        w.out = (struct codec_text){0};
    }
out:
    if (error == -ENOMEM)
        w.report->fault = CODEC_XML_MEMORY;
    codec_text_free(&w.out);
    codec_text_free(&w.escaped);
    xmlmsg_free(&ordered);
    return error;
}
