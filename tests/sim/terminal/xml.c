#include "xml.h"

#include <iconv.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool xml_is_list(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, "List") == 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static json_t *xml_element(xmlNode *node);

static void xml_put(json_t *object, const char *name, json_t *value)
{
    json_t *before = json_object_get(object, name);

    if (before == NULL) {
        json_object_set_new(object, name, value);
    } else if (json_is_array(before)) {
        json_array_append_new(before, value);
    } else {
        json_object_set_new(object, name, json_pack("[O,o]", before, value));
    }
}

static json_t *xml_element(xmlNode *node)
{
    const char *own = (const char *)node->name;
    json_t *object = NULL;

    for (xmlNode *child = node->children; child != NULL; child = child->next) {
        const char *name = (const char *)child->name;

        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (object == NULL)
            object = xml_is_list(own) ? json_array() : json_object();
        if (json_is_array(object))
            json_array_append_new(object, json_pack("{s:o}", name, xml_element(child)));
        else
            xml_put(object, name, xml_element(child));
    }
    if (object == NULL) {
        xmlChar *text = xmlNodeGetContent(node);

        object = json_string((const char *)text);
        xmlFree(text);
    }
    return object;
}

/* The whole of `data` in another encoding; NULL where it cannot be. */
static char *xml_convert(const char *to, const char *from, const char *data, size_t len,
                         size_t *out_len)
{
    iconv_t converter = iconv_open(to, from);
    size_t left = len * 3 + 16, size = left;
    char *out = malloc(size), *at = out, *in = (char *)(uintptr_t)data;

    if (converter == (iconv_t)-1 || out == NULL ||
        iconv(converter, &in, &len, &at, &left) == (size_t)-1) {
        free(out);
        out = NULL;
    } else {
        *out_len = size - left;
        out[*out_len] = '\0';
    }
    if (converter != (iconv_t)-1)
        iconv_close(converter);
    return out;
}

json_t *xml_read(const char *data, size_t len, enum xml_encoding *encoding)
{
    const char *declared = memmem(data, len < 200 ? len : 200, "encoding=", 9);
    char *text = NULL;
    json_t *tree = NULL;
    xmlDoc *doc;

    *encoding =
        declared != NULL && strncasecmp(declared + 10, "shift", 5) == 0 ? XML_SHIFT_JIS : XML_UTF_8;
    if (*encoding == XML_SHIFT_JIS) {
        text = xml_convert("UTF-8", "CP932", data, len, &len);
        if (text == NULL)
            return NULL;
        data = text;
    }
    doc = xmlReadMemory(data, (int)len, "request", "UTF-8",
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (doc != NULL) {
        xmlNode *root = xmlDocGetRootElement(doc);

        if (root != NULL)
            tree = json_pack("{s:o}", (const char *)root->name, xml_element(root));
        xmlFreeDoc(doc);
    }
    free(text);
    return tree;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct xml_out {
    char *data;
    size_t len, size;
    unsigned chance;
    bool spread;
};

static void xml_text(struct xml_out *out, const char *text)
{
    size_t len = strlen(text);

    if (out->len + len + 1 > out->size) {
        out->size = (out->len + len + 1) * 2;
        out->data = realloc(out->data, out->size);
        if (out->data == NULL)
            abort();
    }
    memcpy(out->data + out->len, text, len + 1);
    out->len += len;
}

static void xml_escaped(struct xml_out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        char one[2] = {*text, '\0'};

        xml_text(out, *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : one);
    }
}

static void xml_line(struct xml_out *out, unsigned depth)
{
    if (!out->spread)
        return;
    xml_text(out, "\r\n");
    for (unsigned i = 0; i < depth; i++)
        xml_text(out, "\t");
}

static unsigned xml_draw(struct xml_out *out, unsigned below)
{
    out->chance = out->chance * 1103515245u + 12345u;
    return (out->chance >> 16) % below;
}

static void xml_value(struct xml_out *out, const char *name, const json_t *value, unsigned depth);

static void xml_members(struct xml_out *out, const json_t *object, unsigned depth)
{
    const char *names[256];
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        if (count < sizeof(names) / sizeof(names[0]))
            names[count++] = name;
    }
    if (out->chance != 0) {
        for (size_t i = count; i > 1; i--) {
            size_t j = xml_draw(out, (unsigned)i);
            const char *swap = names[i - 1];

            names[i - 1] = names[j];
            names[j] = swap;
        }
    }
    for (size_t i = 0; i < count; i++)
        xml_value(out, names[i], json_object_get(object, names[i]), depth);
}

static void xml_value(struct xml_out *out, const char *name, const json_t *value, unsigned depth)
{
    if (json_is_array(value) && !xml_is_list(name)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            xml_value(out, name, json_array_get(value, i), depth);
        return;
    }
    xml_line(out, depth);
    xml_text(out, "<");
    xml_text(out, name);
    xml_text(out, ">");
    if (json_is_string(value)) {
        xml_escaped(out, json_string_value(value));
    } else {
        if (json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(value); i++)
                xml_members(out, json_array_get(value, i), depth + 1);
        } else {
            xml_members(out, value, depth + 1);
        }
        xml_line(out, depth);
    }
    xml_text(out, "</");
    xml_text(out, name);
    xml_text(out, ">");
}

char *xml_write(const json_t *tree, const struct xml_style *style, size_t *len)
{
    struct xml_out out = {.chance = style->shuffle, .spread = style->spread};
    char *converted;

    xml_text(&out, style->encoding == XML_SHIFT_JIS
                       ? "<?xml version=\"1.0\" encoding=\"Shift_JIS\" standalone=\"no\"?>"
                       : "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>");
    xml_members(&out, tree, 0);
    if (style->spread)
        xml_text(&out, "\r\n");
    *len = out.len;
    if (style->encoding == XML_UTF_8)
        return out.data;
    converted = xml_convert("CP932", "UTF-8", out.data, out.len, len);
    free(out.data);
    return converted;
}
