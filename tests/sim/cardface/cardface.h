/*
 * cardface: draws the printed side of invented My Number Cards and films them: JPEG frames of a
 * card held up to a camera or lying under it, worn, glared at, blurred, partly covered, at any
 * angle. Everything follows from a seed.
 *
 * Nothing here is a picture of a real card: rules for the places of the fields are in face.c,
 * people are drawn by lot. No code of the product is used.
 */
#ifndef CARDFACE_H
#define CARDFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fonts by number; the last is held out of all tuning. */
#define CARDFACE_FONTS 6
#define CARDFACE_FONT_HELD_OUT 5
const char *cardface_font_name(unsigned font);
/* The file, NULL when its Debian package is not installed. */
const char *cardface_font_file(unsigned font);

/* What stands in the way of reading; each adds to a good picture. */
enum cardface_trouble {
    CARDFACE_WEAR = 1 << 0,    /* scratches, faded print */
    CARDFACE_GLARE = 1 << 1,   /* a lamp mirrored in the plastic */
    CARDFACE_BLUR = 1 << 2,    /* out of focus, moved */
    CARDFACE_NOISE = 1 << 3,   /* a dark room */
    CARDFACE_FINGERS = 1 << 4, /* the hand that holds it */
    CARDFACE_TILT = 1 << 5,    /* perspective */
    CARDFACE_TURNED = 1 << 6,  /* any angle in the plane, also upside down */
    CARDFACE_CLUTTER = 1 << 7, /* a busy background */
    CARDFACE_FAR = 1 << 8,     /* small in the frame */
    CARDFACE_ALL = (1 << 9) - 1,
};
#define CARDFACE_TROUBLES 9
const char *cardface_trouble_name(unsigned bit);

/* How birth and expiry may be printed against the rules: what a reader must then keep to itself. */
enum cardface_fault {
    CARDFACE_RIGHT,
    CARDFACE_GREGORIAN,    /* birth date of a foreign resident */
    CARDFACE_NOT_BIRTHDAY, /* expiry is another day */
    CARDFACE_NO_SUCH_DATE, /* an era's year that never was */
    CARDFACE_OTHER_CARD,   /* a card of another kind, with dates on it */
};

struct cardface_person {
    char name[32], address[96];
    char birth[64];       /* as printed: 昭和50年 6月 4日生 */
    char expiry[64];      /* 2034年 6月 4日まで有効 */
    char certificate[64]; /* expiry of the certificates, hand-written, "" for none */
    char code[16];
    char number_b[16]; /* what stands in the three fields, by the card's rule */
    bool woman;
};

struct cardface {
    struct cardface_person person;
    enum cardface_fault fault;
    unsigned font;
    unsigned troubles;
    int width, height; /* of a frame */
    uint64_t seed;
    double fill;           /* how much of the frame's width the card takes; 0: by lot */
    struct picture *print; /* the card itself, flat */
};

/* A card by lot. `today` YYYYMMDD: cards are valid or nearly so on that day. NULL when the font is
 * missing. */
struct cardface *cardface_new(uint64_t seed, unsigned font, unsigned troubles,
                              enum cardface_fault fault, int width, int height, int today);
/* The card of a description in tests/sim/cards, without trouble. */
struct cardface *cardface_of_card(const char *card_file, uint64_t seed, unsigned font, int width,
                                  int height);
void cardface_free(struct cardface **face);
/* Frame `n` of the film: a JPEG in memory of malloc(); the caller frees it. 0 bytes: none. */
size_t cardface_frame(const struct cardface *face, unsigned n, uint8_t **jpeg);

#endif
