#include "codec_xml_text.h"

#include "codec_xml.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NO_CONVERTER ((iconv_t)(intptr_t)-1)

bool codec_text_reserve(struct codec_text *text, size_t len)
{
    size_t size = text->size != 0 ? text->size : 256;
    char *data;

    if (len > SIZE_MAX / 4 - text->len)
        return false;
    if (text->data != NULL && text->len + len < text->size)
        return true;
    while (size <= text->len + len)
        size *= 2;
    data = calloc(1, size);
    if (data == NULL)
        return false;
    if (text->data != NULL) {
        memcpy(data, text->data, text->len);
        explicit_bzero(text->data, text->size);
        free(text->data);
    }
    text->data = data;
    text->size = size;
    return true;
}

bool codec_text_add(struct codec_text *text, const void *data, size_t len)
{
    if (!codec_text_reserve(text, len))
        return false;
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
    return true;
}

void codec_text_clear(struct codec_text *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->len);
    text->len = 0;
}

void codec_text_free(struct codec_text *text)
{
    if (text->data != NULL) {
        explicit_bzero(text->data, text->size);
        free(text->data);
    }
    *text = (struct codec_text){0};
}

int codec_text_convert(struct codec_text *to, iconv_t converter, const char *data, size_t len,
                       size_t *used)
{
    char *in = (char *)(uintptr_t)data; /* iconv() wants it writable and never writes */
    size_t left = len;
    int error = 0;

    (void)iconv(converter, NULL, NULL, NULL, NULL);
    while (left > 0 && error == 0) {
        char *out;
        size_t room;

        /* One byte of CP932 is three of UTF-8 at most, and the other way it only shrinks. */
        if (!codec_text_reserve(to, 3 * left))
            return -ENOMEM;
        out = to->data + to->len;
        room = to->size - to->len - 1;
        if (iconv(converter, &in, &left, &out, &room) == (size_t)-1)
            error = errno == E2BIG ? 0 : errno == EINVAL ? -ENODATA : -EILSEQ;
        to->len = (size_t)(out - to->data);
        to->data[to->len] = '\0';
    }
    *used = len - left;
    return error;
}

struct codec_xml *codec_xml_new(void)
{
    struct codec_xml *codec = calloc(1, sizeof(*codec));

    if (codec == NULL)
        return NULL;
    codec->from_cp932 = iconv_open("UTF-8", "CP932");
    codec->to_cp932 = iconv_open("CP932", "UTF-8");
    if (codec->from_cp932 == NO_CONVERTER || codec->to_cp932 == NO_CONVERTER)
        codec_xml_free(&codec);
    return codec;
}

void codec_xml_free(struct codec_xml **codec)
{
    if (*codec == NULL)
        return;
    if ((*codec)->from_cp932 != NO_CONVERTER)
        (void)iconv_close((*codec)->from_cp932);
    if ((*codec)->to_cp932 != NO_CONVERTER)
        (void)iconv_close((*codec)->to_cp932);
    codec_text_free(&(*codec)->back);
    free(*codec);
    *codec = NULL;
}

static const struct {
    const char *ja;
    const char *en;
} words[CODEC_XML_FAULTS] = {
    [CODEC_XML_FINE] = {"問題なし", "nothing wrong"},
    [CODEC_XML_TRUNCATED] = {"途中で切れています(書き込み中かもしれません)",
                             "cut off (perhaps still being written)"},
    [CODEC_XML_LARGE] = {"大きすぎるか、深すぎます", "too large or too deep"},
    [CODEC_XML_ENCODING] = {"文字コードの宣言が UTF-8 でも Shift_JIS でもありません",
                            "the encoding declared is neither UTF-8 nor Shift_JIS"},
    [CODEC_XML_BYTES] = {"宣言された文字コードにない文字があります",
                         "holds bytes that its declared encoding does not have"},
    [CODEC_XML_DOCTYPE] = {"文書型宣言(DTD)は受け付けません",
                           "a document type (DTD) is not accepted"},
    [CODEC_XML_SYNTAX] = {"XMLとして正しくありません", "not well-formed XML"},
    [CODEC_XML_MIXED] = {"要素の間に文字があります", "text beside elements"},
    [CODEC_XML_CHARACTER] = {"書き出す文字コードにない文字があります",
                             "a character that the encoding to be written does not have"},
    [CODEC_XML_NAME] = {"XMLの要素名にできない名前があります", "a name that XML does not allow"},
    [CODEC_XML_MEMORY] = {"メモリが足りません", "out of memory"},
};

const char *codec_xml_fault_ja(enum codec_xml_fault fault)
{
    return (unsigned)fault < CODEC_XML_FAULTS ? words[fault].ja : "?";
}

const char *codec_xml_fault_en(enum codec_xml_fault fault)
{
    return (unsigned)fault < CODEC_XML_FAULTS ? words[fault].en : "?";
}
