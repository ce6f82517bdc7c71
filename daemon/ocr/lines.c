#include "lines.h"

#include "flatten.h"

#include <leptonica/allheaders.h>
#include <stdbool.h>

#define WINDOW_MM 1.6  /* half the window whose mean a stroke must stand out from */
#define CONTRAST 0.22f /* Sauvola's k (Sauvola, Pietikäinen 2000), for print on a waved ground */
#define GAP_MM 2.3     /* within a word; what is wider must line up to be one line (joins) */
#define SPECK_MM 0.35  /* what is smaller either way is no stroke */
#define MARGIN_MM 0.45
#define EDGE_MM 0.15 /* ink so near to the zone's edge goes on beyond it */
#define PARTS_MOST 64

static int px(double mm)
{
    return (int)(mm * FLAT_PX_PER_MM + 0.5);
}

static int clip(int v, int least, int most)
{
    return v < least ? least : v > most ? most : v;
}

/* The part as a binary picture, ink set. NULL: out of memory. */
static PIX *ink_of(const struct plane *flat, int x0, int y0, int x1, int y1)
{
    PIX *grey = pixCreate(x1 - x0, y1 - y0, 8), *ink = NULL;

    if (grey == NULL)
        return NULL;
    for (int y = y0; y < y1; y++) {
        l_uint32 *row = pixGetData(grey) + (size_t)(y - y0) * (size_t)pixGetWpl(grey);

        for (int x = x0; x < x1; x++)
            SET_DATA_BYTE(row, x - x0, plane_row(flat, y)[x]);
    }
    if (pixSauvolaBinarize(grey, px(WINDOW_MM), CONTRAST, 1, NULL, NULL, NULL, &ink) != 0)
        ink = NULL;
    pixDestroy(&grey);
    return ink;
}

/* Letters of one line grown together, what cannot be a letter taken out before. */
static PIX *grow_together(PIX *ink, const struct zone *zone)
{
    PIX *strokes = pixSelectBySize(ink, px(SPECK_MM), px(SPECK_MM), 8, L_SELECT_IF_EITHER,
                                   L_SELECT_IF_GTE, NULL),
        *letters = NULL, *grown = NULL;

    if (strokes != NULL)
        letters = pixSelectBySize(strokes, px(zone->most_height), px(zone->most_height), 8,
                                  L_SELECT_IF_BOTH, L_SELECT_IF_LTE, NULL);
    if (letters != NULL)
        grown = pixCloseSafeBrick(NULL, letters, px(GAP_MM), 1);
    pixDestroy(&strokes);
    pixDestroy(&letters);
    return grown;
}

static bool fits(const struct zone *zone, int w, int h)
{
    return w >= px(zone->least_width) && w <= px(zone->most_width) && h >= px(zone->least_height) &&
           h <= px(zone->most_height);
}

/* A digit that the zone's edge cuts can look like another, in every frame and to every network: a
 * 3 without its left side is a 5. */
static bool whole(int x, int y, int w, int h, int width, int height)
{
    const int edge = px(EDGE_MM);

    return x >= edge && y >= edge && x + w + edge <= width && y + h + edge <= height;
}

/* Two parts side by side, as high as each other and no further apart than the zone's lines have
 * gaps: before a number of one figure stands an empty place, and with a narrow figure's own sides
 * that is wider than any gap between words. */
static bool joins(const struct line_box *a, const struct line_box *b, double gap)
{
    const int ha = a->y1 - a->y0, hb = b->y1 - b->y0, taller = ha > hb ? ha : hb;
    const int top = a->y0 > b->y0 ? a->y0 : b->y0, bottom = a->y1 < b->y1 ? a->y1 : b->y1;
    const int apart = a->x0 < b->x0 ? b->x0 - a->x1 : a->x0 - b->x1;

    return (bottom - top) * 10 >= taller * 7 && apart <= gap * taller;
}

static unsigned join_parts(struct line_box parts[PARTS_MOST], unsigned n, double gap)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = i + 1; j < n; j++) {
            struct line_box *a = &parts[i], *b = &parts[j];

            if (!joins(a, b, gap))
                continue;
            *a = (struct line_box){a->x0 < b->x0 ? a->x0 : b->x0, a->y0 < b->y0 ? a->y0 : b->y0,
                                   a->x1 > b->x1 ? a->x1 : b->x1, a->y1 > b->y1 ? a->y1 : b->y1};
            *b = parts[--n];
            j = i; /* it has grown: once more against all that follow */
        }
    }
    return n;
}

/* Where ink as high as a line stands, within the zone's picture; parts of one line joined. */
static unsigned find_parts(BOXA *boxes, const struct zone *zone, struct line_box parts[PARTS_MOST])
{
    unsigned n = 0;

    for (int i = 0; i < boxaGetCount(boxes) && n < PARTS_MOST; i++) {
        int x, y, w, h;

        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) == 0 && h >= px(zone->least_height) &&
            h <= px(zone->most_height))
            parts[n++] = (struct line_box){x, y, x + w, y + h};
    }
    return zone->gap > 0 ? join_parts(parts, n, zone->gap) : n;
}

unsigned lines_find(const struct plane *flat, const struct zone *zone,
                    struct line_box out[LINES_FOUND_MOST])
{
    const int x0 = clip(px(zone->x0), 0, flat->width - 2),
              x1 = clip(px(zone->x1), x0 + 1, flat->width);
    const int y0 = clip(px(zone->y0), 0, flat->height - 2),
              y1 = clip(px(zone->y1), y0 + 1, flat->height);
    PIX *ink = ink_of(flat, x0, y0, x1, y1), *grown = ink != NULL ? grow_together(ink, zone) : NULL;
    BOXA *boxes = grown != NULL ? pixConnCompBB(grown, 8) : NULL;
    struct line_box parts[PARTS_MOST];
    const unsigned nparts = boxes != NULL ? find_parts(boxes, zone, parts) : 0;
    unsigned n = 0;

    for (unsigned i = 0; i < nparts; i++) {
        const int x = parts[i].x0, y = parts[i].y0, w = parts[i].x1 - x, h = parts[i].y1 - y;
        struct line_box box;
        unsigned at;

        if (!fits(zone, w, h) || !whole(x, y, w, h, x1 - x0, y1 - y0))
            continue;
        box.x0 = clip(x0 + x - px(MARGIN_MM), 0, flat->width);
        box.x1 = clip(x0 + x + w + px(MARGIN_MM), 0, flat->width);
        box.y0 = clip(y0 + y - px(MARGIN_MM), 0, flat->height);
        box.y1 = clip(y0 + y + h + px(MARGIN_MM), 0, flat->height);
        if (n == LINES_FOUND_MOST)
            break;
        for (at = n++; at > 0 && out[at - 1].y0 > box.y0; at--)
            out[at] = out[at - 1];
        out[at] = box;
    }
    boxaDestroy(&boxes);
    pixDestroy(&grown);
    pixDestroy(&ink);
    return n;
}
