#include "recognise.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

/* Of the OpenMP run-time that Tesseract brings along: its loops are far too short to be worth
 * threads. */
void omp_set_num_threads(int threads);

#define RESOLUTION                                                                                 \
    300 /* what Tesseract is told of the picture: only sizes of layout hang on it   \
                        */

enum network { JAPANESE, LATIN, NETWORKS };

static const char *const languages[NETWORKS] = {[JAPANESE] = "jpn", [LATIN] = "eng"};

static const struct {
    enum network network;
    const char *characters;
} kinds[RECOGNISE_COUNT] = {
    [RECOGNISE_DATES] = {JAPANESE, "0123456789年月日生まで有効昭和平成令大正明治元"},
    [RECOGNISE_DIGITS] = {LATIN, "0123456789"},
    [RECOGNISE_DIGITS_AGAIN] = {JAPANESE, "0123456789"},
};

struct reader {
    TessBaseAPI *api[NETWORKS];
};

const char *recogniser_language(enum recogniser which)
{
    return languages[kinds[which].network];
}

static TessBaseAPI *open_one(const char *language)
{
    /* No word lists: numbers are not words, and a guess that makes sense is worse here than none.
     */
    static const char *const names[] = {"load_system_dawg",  "load_freq_dawg",
                                        "load_punc_dawg",    "load_number_dawg",
                                        "load_unambig_dawg", "load_bigram_dawg"};
    static const char *const off[] = {"0", "0", "0", "0", "0", "0"};
    const size_t n = sizeof(names) / sizeof(names[0]);
    char *vars[6], *values[6];
    TessBaseAPI *api = TessBaseAPICreate();
    bool ok = api != NULL;

    for (size_t i = 0; i < n; i++) {
        vars[i] = strdup(names[i]);
        values[i] = strdup(off[i]);
        ok = ok && vars[i] != NULL && values[i] != NULL;
    }
    ok = ok &&
         TessBaseAPIInit4(api, NULL, language, OEM_LSTM_ONLY, NULL, 0, vars, values, n, 0) == 0;
    ok = ok && TessBaseAPISetVariable(api, "classify_enable_learning", "0") != 0;
    for (size_t i = 0; i < n; i++) {
        free(vars[i]);
        free(values[i]);
    }
    if (!ok) {
        TessBaseAPIDelete(api);
        return NULL;
    }
    TessBaseAPISetPageSegMode(api, PSM_RAW_LINE);
    return api;
}

int reader_new(struct reader **out)
{
    struct reader *reader = calloc(1, sizeof(*reader));

    *out = NULL;
    if (reader == NULL)
        return -ENOMEM;
    omp_set_num_threads(1);
    for (unsigned i = 0; i < NETWORKS; i++) {
        reader->api[i] = open_one(languages[i]);
        if (reader->api[i] == NULL) {
            reader_free(&reader);
            return -ENOENT;
        }
    }
    *out = reader;
    return 0;
}

void reader_free(struct reader **reader)
{
    if (*reader == NULL)
        return;
    for (unsigned i = 0; i < NETWORKS; i++)
        if ((*reader)->api[i] != NULL)
            TessBaseAPIDelete((*reader)->api[i]);
    free(*reader);
    *reader = NULL;
}

static uint32_t first_code(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    if (p[0] < 0x80)
        return p[0];
    if (p[0] >= 0xc0 && p[0] < 0xe0 && p[1] != 0)
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    if (p[0] >= 0xe0 && p[0] < 0xf0 && p[1] != 0 && p[2] != 0)
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    return 0xfffd;
}

static void collect(TessBaseAPI *api, struct symbols *out)
{
    TessResultIterator *at = TessBaseAPIGetIterator(api);

    if (at == NULL)
        return;
    do {
        char *text = TessResultIteratorGetUTF8Text(at, RIL_SYMBOL);
        struct symbol *s = &out->at[out->n];
        int top, bottom;

        if (text == NULL)
            continue;
        s->code = first_code(text);
        explicit_bzero(text, strlen(text));
        TessDeleteText(text);
        s->sure = TessResultIteratorConfidence(at, RIL_SYMBOL);
        if (s->code > ' ' &&
            TessPageIteratorBoundingBox(TessResultIteratorGetPageIterator(at), RIL_SYMBOL, &s->x0,
                                        &top, &s->x1, &bottom) != 0)
            out->n++;
    } while (out->n < SYMBOLS_MOST && TessResultIteratorNext(at, RIL_SYMBOL));
    TessResultIteratorDelete(at);
}

int reader_line(struct reader *reader, enum recogniser which, const uint8_t *pixels, int width,
                int height, struct symbols *out)
{
    TessBaseAPI *api = reader->api[kinds[which].network];
    int r = 0;

    out->n = 0;
    if (width < 8 || height < 8)
        return -EINVAL;
    omp_set_num_threads(1);
    if (TessBaseAPISetVariable(api, "tessedit_char_whitelist", kinds[which].characters) == 0)
        return -EIO;
    TessBaseAPISetImage(api, pixels, width, height, 1, width);
    TessBaseAPISetSourceResolution(api, RESOLUTION);
    if (TessBaseAPIRecognize(api, NULL) == 0)
        collect(api, out);
    else
        r = -EIO;
    TessBaseAPIClear(api);
    return r;
}
