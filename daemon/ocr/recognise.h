/*
 * recognise: one line of print into characters, by two networks of Tesseract that were trained
 * apart: the Japanese one, held to the characters of the card's dates or to digits, and the Latin
 * one, held to digits. Where the same digits come out of both, an error of one alone is caught.
 */
#ifndef UKETSUKE_OCR_RECOGNISE_H
#define UKETSUKE_OCR_RECOGNISE_H

#include <stddef.h>
#include <stdint.h>

enum recogniser {
    RECOGNISE_DATES,        /* Japanese, the characters of dates */
    RECOGNISE_DIGITS,       /* Latin, digits */
    RECOGNISE_DIGITS_AGAIN, /* Japanese, digits */
    RECOGNISE_COUNT,
};

#define SYMBOLS_MOST 48

struct symbol {
    uint32_t code; /* Unicode */
    float sure;    /* 0..100, the network's own opinion of itself */
    int x0, x1;    /* columns of the line's picture */
};

struct symbols {
    unsigned n;
    struct symbol at[SYMBOLS_MOST];
};

struct reader;

/* Loads both networks. -ENOENT: a language of Tesseract is not installed (see
 * `recogniser_language`). -ENOMEM. */
int reader_new(struct reader **out);
void reader_free(struct reader **reader);
const char *recogniser_language(enum recogniser which);

/* A line's picture: brightness bytes, rows packed. 0 with what was read (maybe nothing), -EINVAL,
 * -EIO. */
int reader_line(struct reader *reader, enum recogniser which, const uint8_t *pixels, int width,
                int height, struct symbols *out);

#endif
