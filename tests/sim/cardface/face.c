#include "face.h"

#include "people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *file;
} fonts[CARDFACE_FONTS] = {
    {"IPA Gothic", "/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf"},
    {"IPA Mincho", "/usr/share/fonts/opentype/ipafont-mincho/ipam.ttf"},
    {"Noto Sans CJK", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"},
    {"Noto Serif CJK", "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc"},
    {"VL Gothic", "/usr/share/fonts/truetype/vlgothic/VL-Gothic-Regular.ttf"},
    {"BIZ UD Gothic", "/usr/share/fonts/truetype/bizud-gothic/BIZUDGothic-Regular.ttf"},
};

const char *cardface_font_name(unsigned font)
{
    return fonts[font].name;
}

const char *cardface_font_file(unsigned font)
{
    return font < CARDFACE_FONTS && access(fonts[font].file, R_OK) == 0 ? fonts[font].file : NULL;
}

const char *cardface_trouble_name(unsigned bit)
{
    static const char *const names[CARDFACE_TROUBLES] = {
        "wear", "glare", "blur", "noise", "fingers", "tilt", "turned", "clutter", "far"};

    return names[bit];
}

#define MM FACE_PX_PER_MM
#define INK 0x202428u

/* Pale waves, as security print has. */
static void draw_guilloche(struct picture *p, struct lot *lot)
{
    const double phase = lot_range(lot, 0, 6.28);

    for (int line = 0; line < 60; line++) {
        double before = 0;

        for (int x = 0; x <= p->width; x += 12) {
            const double y = line * p->height / 50.0 - 60 +
                             40 * sin(x / 130.0 + phase + line * 0.21) +
                             14 * sin(x / 47.0 + line * 0.5);

            if (x > 0)
                picture_line(p, x - 12, before, x, y, 2.2,
                             line % 3 == 0   ? 0xe8b9c4
                             : line % 3 == 1 ? 0xb9d9cf
                                             : 0xbccbe6,
                             0.55);
            before = y;
        }
    }
}

static void draw_photo(struct picture *p, struct lot *lot, double x, double y)
{
    const double w = 20 * MM, h = 25 * MM, cx = x + w / 2;
    static const uint32_t cloth[] = {0x28304a, 0x6a2a34, 0x304a38, 0x707478, 0xe0e0d8};
    const uint32_t skin = lot_below(lot, 2) ? 0xe0b89c : 0xcfa283;

    picture_rectangle(p, x, y, x + w, y + h, lot_below(lot, 2) ? 0xd4e0ec : 0xe8e8e8, 1);
    picture_ellipse(p, cx, y + h * 1.02, w * 0.46, h * 0.34, cloth[lot_below(lot, 5)], 1);
    picture_rectangle(p, x - 8 * MM, y + h, x + w + 8 * MM, y + h * 1.4, 0xf6f2ee, 0.9);
    picture_ellipse(p, cx, y + h * 0.38, w * 0.27, h * 0.28, 0x241c18, 1);
    picture_ellipse(p, cx, y + h * 0.44, w * 0.22, h * 0.25, skin, 1);
    for (int side = -1; side <= 1; side += 2)
        picture_ellipse(p, cx + side * w * 0.09, y + h * 0.40, w * 0.03, h * 0.012, 0x201818, 1);
    picture_ellipse(p, cx, y + h * 0.57, w * 0.07, h * 0.012, 0xa05048, 1);
}

static void draw_wear(struct picture *p, struct lot *lot)
{
    for (int i = 0; i < 24; i++) {
        const double x = lot_range(lot, 0, p->width), y = lot_range(lot, 0, p->height),
                     a = lot_range(lot, 0, 6.28);
        const double length = lot_range(lot, 3, 25) * MM;

        picture_line(p, x, y, x + length * cos(a), y + length * sin(a), lot_range(lot, 1, 4),
                     lot_below(lot, 3) ? 0xfaf8f4 : 0x8a8480, lot_range(lot, 0.15, 0.6));
    }
    for (int i = 0; i < 60; i++)
        picture_ellipse(p, lot_range(lot, 0, p->width), lot_range(lot, 0, p->height),
                        lot_range(lot, 1, 6), lot_range(lot, 1, 6), 0xf6f2ee,
                        lot_range(lot, 0.2, 0.8));
}

/*
 * Where things stand, in millimetres from the top left corner, baselines. No drawing of the card
 * with measures is public: these are the order and the neighbourhoods that its descriptions name
 * (name and address on top, photo at the left, dates beside it, the code at the photo's lower
 * right), moved a little by lot.
 */
void face_print(struct picture *p, struct type *type, const struct cardface *face, struct lot *lot)
{
    const struct cardface_person *person = &face->person;
    const double dx = lot_range(lot, -1.2, 1.2) * MM, dy = lot_range(lot, -1.2, 1.2) * MM;
    const double ink =
        face->troubles & CARDFACE_WEAR ? lot_range(lot, 0.5, 0.9) : lot_range(lot, 0.85, 1);
    const double size = lot_range(lot, 2.7, 3.3) * MM, small = 1.9 * MM;
    const uint32_t label = 0x506080;

    draw_guilloche(p, lot);
    draw_photo(p, lot, 4.5 * MM + dx, 23 * MM + dy);
    if (face->fault == CARDFACE_OTHER_CARD) {
        (void)type_draw(type, p, 8 * MM, 8 * MM, 4 * MM, INK, ink, 0, "図書館利用カード");
        (void)type_draw(type, p, 28 * MM, 30 * MM, size, INK, ink, 0, person->expiry);
        (void)type_draw(type, p, 28 * MM, 40 * MM, size, INK, ink, 0, person->code);
        return;
    }
    (void)type_draw(type, p, 3.5 * MM + dx, 6 * MM + dy, small, label, ink, 0, "氏名");
    (void)type_draw(type, p, 10 * MM + dx, 6.5 * MM + dy, size * 1.15, INK, ink, 0, person->name);
    (void)type_draw(type, p, 3.5 * MM + dx, 12 * MM + dy, small, label, ink, 0, "住所");
    (void)type_draw(type, p, 10 * MM + dx, 12.5 * MM + dy, size, INK, ink, 0, person->address);
    (void)type_draw(type, p, 28 * MM + dx, 26.5 * MM + dy, size, INK, ink, 0, person->birth);
    (void)type_draw(type, p, 62 * MM + dx, 26.3 * MM + dy, small, label, ink, 0, "性別");
    (void)type_draw(type, p, 67 * MM + dx, 26.5 * MM + dy, size, INK, ink, 0,
                    person->woman ? "女" : "男");
    (void)type_draw(type, p, 28 * MM + dx, 32.5 * MM + dy, size, INK, ink, 0, person->expiry);
    (void)type_draw(type, p, 62 * MM + dx, 38 * MM + dy, size, INK, ink, 0, "見本市長");
    (void)type_draw(type, p, 26.5 * MM + dx, 47.5 * MM + dy, size * lot_range(lot, 0.9, 1.15), INK,
                    ink, lot_range(lot, 0, 0.3) * MM, person->code);
    (void)type_draw(type, p, 42 * MM + dx, 43 * MM + dy, small, label, ink, 0,
                    "電子証明書の有効期限");
    if (person->certificate[0] != '\0')
        (void)type_draw(type, p, 62 * MM + dx, 43.6 * MM + dy, size * 0.85, 0x303890, ink,
                        0.25 * MM, person->certificate);
    picture_rectangle(p, 40 * MM + dx, 45 * MM + dy, 82 * MM + dx, 51 * MM + dy, 0xfffff8, 0.7);
    if (face->troubles & CARDFACE_WEAR)
        draw_wear(p, lot);
}

/* person NULL: by lot. */
static struct cardface *make(const struct cardface_person *person, uint64_t seed, unsigned font,
                             unsigned troubles, enum cardface_fault fault, int width, int height,
                             int today)
{
    struct cardface *face;
    struct type *type;
    struct lot lot;

    if (cardface_font_file(font) == NULL)
        return NULL;
    face = calloc(1, sizeof(*face));
    type = type_open(fonts[font].file);
    if (face != NULL && type != NULL)
        face->print = picture_new((int)(FACE_WIDTH_MM * MM), (int)(FACE_HEIGHT_MM * MM), 0xf6f2ee);
    if (face == NULL || type == NULL || face->print == NULL) {
        type_close(&type);
        cardface_free(&face);
        return NULL;
    }
    face->fault = fault;
    face->font = font;
    face->troubles = troubles;
    face->width = width;
    face->height = height;
    face->seed = seed;
    lot_seed(&lot, seed, 1);
    if (person != NULL)
        face->person = *person;
    else
        person_draw(&face->person, &lot, fault, today);
    lot_seed(&lot, seed, 2);
    face_print(face->print, type, face, &lot);
    type_close(&type);
    return face;
}

struct cardface *cardface_new(uint64_t seed, unsigned font, unsigned troubles,
                              enum cardface_fault fault, int width, int height, int today)
{
    return make(NULL, seed, font, troubles, fault, width, height, today);
}

struct cardface *cardface_of_card(const char *card_file, uint64_t seed, unsigned font, int width,
                                  int height)
{
    struct cardface_person person;
    struct cardface *face = person_read(&person, card_file)
                                ? make(&person, seed, font, 0, CARDFACE_RIGHT, width, height, 0)
                                : NULL;

    /* Held as near as the whole card allows: 640 pixels are few for its small print. */
    if (face != NULL)
        face->fill = 0.92;
    return face;
}

void cardface_free(struct cardface **face)
{
    if (*face == NULL)
        return;
    picture_free(&(*face)->print);
    free(*face);
    *face = NULL;
}
