#include "lines.h"

#include "flatten.h"

#include <leptonica/allheaders.h>
#include <stdbool.h>

#define WINDOW_MM 1.6  /* half the window whose mean a stroke must stand out from */
#define CONTRAST 0.22f /* Sauvola's k (Sauvola, Pietikäinen 2000), for print on a waved ground */
#define GAP_MM                                                                                     \
    2.3 /* the widest gap within a line: an empty place and the sides of its neighbours */
#define SPECK_MM 0.35 /* what is smaller either way is no stroke */
#define MARGIN_MM 0.45
#define EDGE_MM 0.15 /* ink so near to the zone's edge goes on beyond it */

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

unsigned lines_find(const struct plane *flat, const struct zone *zone,
                    struct line_box out[LINES_FOUND_MOST])
{
    const int x0 = clip(px(zone->x0), 0, flat->width - 2),
              x1 = clip(px(zone->x1), x0 + 1, flat->width);
    const int y0 = clip(px(zone->y0), 0, flat->height - 2),
              y1 = clip(px(zone->y1), y0 + 1, flat->height);
    PIX *ink = ink_of(flat, x0, y0, x1, y1), *grown = ink != NULL ? grow_together(ink, zone) : NULL;
    BOXA *boxes = grown != NULL ? pixConnCompBB(grown, 8) : NULL;
    unsigned n = 0;

    for (int i = 0; boxes != NULL && i < boxaGetCount(boxes); i++) {
        struct line_box box;
        int x, y, w, h;
        unsigned at;

        if (boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h) != 0 || !fits(zone, w, h) ||
            !whole(x, y, w, h, x1 - x0, y1 - y0))
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
