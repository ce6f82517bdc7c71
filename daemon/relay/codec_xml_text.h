/* codec_xml_text: the growing text and the converters that reader and writer of XML share. Private
 * to codec_xml. */
#ifndef UKETSUKE_CODEC_XML_TEXT_H
#define UKETSUKE_CODEC_XML_TEXT_H

#include <iconv.h>
#include <stdbool.h>
#include <stddef.h>

/* Grows on demand, is wiped when it moves and when it ends. */
struct codec_text {
    char *data; /* always ends in a NUL that `len` does not count; NULL while empty */
    size_t len;
    size_t size;
};

/* False: out of memory; nothing was appended. */
bool codec_text_add(struct codec_text *text, const void *data, size_t len);
/* Room for `len` bytes more, to be written in place. */
bool codec_text_reserve(struct codec_text *text, size_t len);
void codec_text_free(struct codec_text *text);
/* Empty again; the room stays, wiped. */
void codec_text_clear(struct codec_text *text);

struct codec_xml {
    iconv_t from_cp932; /* to UTF-8 */
    iconv_t to_cp932;   /* from UTF-8 */
    struct codec_text back;
};

/*
 * Append `len` bytes, converted. 0; -EILSEQ: bytes or characters that the other side does not have;
 * -ENODATA: the last character is cut (all before it was appended); -ENOMEM. *used: the input
 * taken.
 */
int codec_text_convert(struct codec_text *to, iconv_t converter, const char *data, size_t len,
                       size_t *used);

#endif
