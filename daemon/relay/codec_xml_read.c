#include "codec_xml.h"

#include "../common/utf8.h"
#include "codec_xml_text.h"
#include "layout.h"

#include <errno.h>
#include <expat.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 128
#define DECLARATION_MAX 512 /* bytes within which "?>" must come */
#define BLANKS " \t\r\n"

static const struct {
    const char *name;
    enum codec_xml_encoding encoding;
} encodings[] = {
    {"UTF-8", CODEC_XML_UTF8},
    {"Shift_JIS", CODEC_XML_SHIFT_JIS},
    {"Shift-JIS", CODEC_XML_SHIFT_JIS},
    {"SJIS", CODEC_XML_SHIFT_JIS},
    {"x-sjis", CODEC_XML_SHIFT_JIS},
    {"csShiftJIS", CODEC_XML_SHIFT_JIS},
    {"MS_Kanji", CODEC_XML_SHIFT_JIS},
    {"Windows-31J", CODEC_XML_SHIFT_JIS},
    {"csWindows31J", CODEC_XML_SHIFT_JIS},
    {"MS932", CODEC_XML_SHIFT_JIS},
    {"CP932", CODEC_XML_SHIFT_JIS},
};

struct reading {
    XML_Parser parser;
    struct xmlmsg *stack[XMLMSG_DEPTH_MAX]; /* the open branches, the root first */
    size_t depth;
    char pending[NAME_MAX_BYTES + 1]; /* open, and not yet known whether leaf or branch; "": none */
    struct codec_text text;           /* since the newest tag */
    enum codec_xml_fault fault;
};

/* ---- the tree -------------------------------------------------------------------------------- */

static void stop(struct reading *reading, enum codec_xml_fault fault)
{
    if (reading->fault == CODEC_XML_FINE)
        reading->fault = fault;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static bool only_blanks(const struct codec_text *text)
{
    return text->len == 0 || strspn(text->data, BLANKS) == text->len;
}

/* The pending element has proven to be a branch: white space before its first child goes. */
static void open_branch(struct reading *reading)
{
    struct xmlmsg *branch;

    if (!only_blanks(&reading->text)) {
        stop(reading, CODEC_XML_MIXED);
        return;
    }
    if (reading->depth == 0)
        branch = xmlmsg_new(reading->pending);
    else if (reading->depth < XMLMSG_DEPTH_MAX)
        branch = xmlmsg_add(reading->stack[reading->depth - 1], reading->pending, NULL);
    else
        branch = NULL;
    if (branch == NULL) {
        stop(reading, CODEC_XML_LARGE);
        return;
    }
    reading->stack[reading->depth++] = branch;
    reading->pending[0] = '\0';
}

static void on_start(void *arg, const XML_Char *tag, const XML_Char **attributes)
{
    struct reading *reading = arg;
    const char *name = layout_name(tag);
    size_t len = strlen(name);

    (void)attributes;
    if (reading->fault != CODEC_XML_FINE)
        return;
    if (reading->pending[0] != '\0')
        open_branch(reading);
    else if (!only_blanks(&reading->text))
        stop(reading, CODEC_XML_MIXED);
    if (reading->fault != CODEC_XML_FINE)
        return;
    if (len > NAME_MAX_BYTES) {
        stop(reading, CODEC_XML_LARGE);
        return;
    }
    memcpy(reading->pending, name, len + 1);
    codec_text_clear(&reading->text);
    if (reading->depth == 0)
        open_branch(reading); /* the root has children or nothing */
}

static void close_pending(struct reading *reading)
{
    struct xmlmsg *parent = reading->stack[reading->depth - 1];
    bool branch = only_blanks(&reading->text) && layout_is_branch(reading->pending);
    const char *value = reading->text.len > 0 ? reading->text.data : "";

    if (xmlmsg_add(parent, reading->pending, branch ? NULL : value) == NULL)
        stop(reading, CODEC_XML_LARGE);
    reading->pending[0] = '\0';
}

static void on_end(void *arg, const XML_Char *tag)
{
    struct reading *reading = arg;

    (void)tag;
    if (reading->fault != CODEC_XML_FINE)
        return;
    if (reading->pending[0] != '\0')
        close_pending(reading);
    else if (!only_blanks(&reading->text))
        stop(reading, CODEC_XML_MIXED);
    else
        reading->depth--;
    codec_text_clear(&reading->text);
}

static void on_text(void *arg, const XML_Char *text, int len)
{
    struct reading *reading = arg;

    if (reading->fault != CODEC_XML_FINE)
        return;
    if (reading->text.len + (size_t)len > XMLMSG_BYTES_MAX)
        stop(reading, CODEC_XML_LARGE);
    else if (!codec_text_add(&reading->text, text, (size_t)len))
        stop(reading, CODEC_XML_MEMORY);
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public_id, int internal)
{
    (void)name;
    (void)system;
    (void)public_id;
    (void)internal;
    stop(arg, CODEC_XML_DOCTYPE);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- the parser ------------------------------------------------------------------------------ */

/* The parser's own copies of names and addresses go as they came. */
static void wipe_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

static void *wipe_realloc(void *memory, size_t size)
{
    void *moved = malloc(size);

    if (moved != NULL && memory != NULL) {
        size_t old = malloc_usable_size(memory);

        memcpy(moved, memory, old < size ? old : size);
        wipe_free(memory);
    }
    return moved;
}

static enum codec_xml_fault fault_of(const struct reading *reading, const char *data, size_t len)
{
    if (reading->fault != CODEC_XML_FINE)
        return reading->fault;
    switch (XML_GetErrorCode(reading->parser)) {
    case XML_ERROR_NO_MEMORY:
        return CODEC_XML_MEMORY;
    case XML_ERROR_INVALID_TOKEN:
    case XML_ERROR_PARTIAL_CHAR:
        return utf8_valid(data, len) ? CODEC_XML_SYNTAX : CODEC_XML_BYTES;
    default:
        return CODEC_XML_SYNTAX;
    }
}

/* Errors at the end of the input that more input would cure. */
static bool cured_by_more(enum XML_Error error)
{
    return error == XML_ERROR_NO_ELEMENTS || error == XML_ERROR_UNCLOSED_TOKEN ||
           error == XML_ERROR_PARTIAL_CHAR || error == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

/* A percent sign or a name may go on for ever, as far as the parser knows; no message begins so. */
static bool begins_like_xml(const char *data, size_t len)
{
    const char *end = data + len;

    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        data += 3;
    while (data < end && is_blank(*data))
        data++;
    return data == end || *data == '<' || *data == '\xef';
}

/* `cut`: the input is known to go on. */
static enum codec_xml_fault parse(struct xmlmsg **out, const char *data, size_t len, bool cut,
                                  size_t *line)
{
    static const XML_Memory_Handling_Suite memory = {malloc, wipe_realloc, wipe_free};
    struct reading reading = {0};
    enum codec_xml_fault fault = CODEC_XML_FINE;

    *line = 1;
    if (!begins_like_xml(data, len))
        return utf8_valid(data, len) ? CODEC_XML_SYNTAX : CODEC_XML_BYTES;
    reading.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (reading.parser == NULL)
        return CODEC_XML_MEMORY;
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
    /*
     * All there is, but not as the end: what is wrong now stays wrong. (In one piece, because expat
     * scans a long token again for every piece that it comes in.)
     */
    if (XML_Parse(reading.parser, data, (int)len, XML_FALSE) != XML_STATUS_OK)
        fault = fault_of(&reading, data, len);
    else if (cut)
        fault = CODEC_XML_TRUNCATED;
    else if (XML_Parse(reading.parser, "", 0, XML_TRUE) != XML_STATUS_OK)
        fault = cured_by_more(XML_GetErrorCode(reading.parser)) && reading.fault == CODEC_XML_FINE
                    ? CODEC_XML_TRUNCATED
                    : fault_of(&reading, data, len);
    *line = (size_t)XML_GetCurrentLineNumber(reading.parser);
    if (fault == CODEC_XML_FINE)
        *out = reading.stack[0];
    else
        xmlmsg_free(&reading.stack[0]);
    explicit_bzero(reading.pending, sizeof(reading.pending));
    codec_text_free(&reading.text);
    XML_ParserFree(reading.parser);
    return fault;
}

/* ---- the encoding ---------------------------------------------------------------------------- */

static bool begins(const char *data, size_t len, const char *with, size_t with_len)
{
    return len >= with_len && memcmp(data, with, with_len) == 0;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/*
 * The value of `encoding` among the pseudo-attributes of a declaration; NULL: none. What is not of
 * the form is left for the parser to refuse.
 */
static const char *encoding_value(const char *at, const char *end, size_t *len)
{
    while (at < end) {
        const char *name = skip_blanks(at, end), *name_end = name, *value;

        while (name_end < end && *name_end != '=' && !is_blank(*name_end))
            name_end++;
        at = skip_blanks(name_end, end);
        if (at >= end || *at != '=')
            return NULL;
        value = skip_blanks(at + 1, end);
        if (value >= end || (*value != '"' && *value != '\''))
            return NULL;
        at = memchr(value + 1, *value, (size_t)(end - value - 1));
        if (at == NULL)
            return NULL;
        if (name_end - name == 8 && memcmp(name, "encoding", 8) == 0) {
            *len = (size_t)(at - value - 1);
            return value + 1;
        }
        at++;
    }
    return NULL;
}

static enum codec_xml_fault find_encoding(const char *data, size_t len,
                                          enum codec_xml_encoding *out)
{
    static const char mark[] = "\xef\xbb\xbf", declaration[] = "<?xml";
    const size_t name_len = sizeof(declaration) - 1;
    bool marked = begins(data, len, mark, 3);
    const char *end, *value;
    size_t value_len;

    *out = CODEC_XML_UTF8;
    /* UTF-16 has no place here, marked or not: its letters are half NUL. */
    if (begins(data, len, "\xff\xfe", 2) || begins(data, len, "\xfe\xff", 2) ||
        begins(data, len, "<\0", 2) || begins(data, len, "\0<", 2))
        return CODEC_XML_ENCODING;
    if (marked)
        data += 3, len -= 3;
    if (len <= name_len || !begins(data, len, declaration, name_len) || !is_blank(data[name_len]))
        return CODEC_XML_FINE; /* no declaration, or not all of its first word: the parser will tell
                                */
    end = memmem(data, len < DECLARATION_MAX ? len : DECLARATION_MAX, "?>", 2);
    if (end == NULL)
        return len < DECLARATION_MAX ? CODEC_XML_TRUNCATED : CODEC_XML_SYNTAX;
    value = encoding_value(data + name_len, end, &value_len);
    if (value == NULL)
        return CODEC_XML_FINE;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
        if (strlen(encodings[i].name) == value_len &&
            strncasecmp(encodings[i].name, value, value_len) == 0) {
            *out = encodings[i].encoding;
            /* A UTF-8 mark on Shift_JIS: one of the two lies. */
            return marked && *out != CODEC_XML_UTF8 ? CODEC_XML_ENCODING : CODEC_XML_FINE;
        }
    return CODEC_XML_ENCODING;
}

static size_t lines(const char *data, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += data[i] == '\n';
    return n;
}

static enum codec_xml_fault read_message(struct codec_xml *codec, struct xmlmsg **out,
                                         const char *data, size_t len,
                                         struct codec_xml_report *report)
{
    struct codec_text text = {0};
    const char *nul;
    enum codec_xml_fault fault;
    size_t used;
    bool cut = false;
    int error;

    if (len > XMLMSG_BYTES_MAX)
        return CODEC_XML_LARGE;
    fault = find_encoding(data, len, &report->encoding);
    if (fault != CODEC_XML_FINE)
        return fault;
    /* A file made long before it is filled ends in NULs; a NUL before anything else is wrong. */
    nul = memchr(data, 0, len);
    if (nul != NULL) {
        const char *rest = nul;

        while (rest < data + len && *rest == '\0')
            rest++;
        report->line = lines(data, (size_t)(nul - data));
        if (rest < data + len)
            return CODEC_XML_BYTES;
        len = (size_t)(nul - data);
        cut = true;
    }
    if (report->encoding == CODEC_XML_UTF8)
        return parse(out, data, len, cut, &report->line);
    error = codec_text_convert(&text, codec->from_cp932, data, len, &used);
    if (error == -EILSEQ) {
        report->line = lines(data, used);
        fault = CODEC_XML_BYTES;
    } else if (error == -ENOMEM) {
        fault = CODEC_XML_MEMORY;
    } else {
        fault = parse(out, text.data != NULL ? text.data : "", text.len, cut || error == -ENODATA,
                      &report->line);
    }
    codec_text_free(&text);
    return fault;
}

int codec_xml_read(struct codec_xml *codec, struct xmlmsg **out, const void *data, size_t len,
                   struct codec_xml_report *report)
{
    struct codec_xml_report own;

    if (report == NULL)
        report = &own;
    *report = (struct codec_xml_report){.encoding = CODEC_XML_UTF8};
    *out = NULL;
    report->fault = len > 0 ? read_message(codec, out, data, len, report) : CODEC_XML_TRUNCATED;
    switch (report->fault) {
    case CODEC_XML_FINE:
        return 0;
    case CODEC_XML_TRUNCATED:
        return -ENODATA;
    case CODEC_XML_MEMORY:
        return -ENOMEM;
    default:
        return -EBADMSG;
    }
}
