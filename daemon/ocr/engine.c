#include "engine.h"

#include "cells.h"
#include "find.h"
#include "flatten.h"
#include "lines.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Where to look, in millimetres. No drawing of the card with measures is public, so the zones are
 * wide: only the order is relied on (photo at the left, dates beside it, the code at its lower
 * right) and what the lines say.
 */
static const struct zone dates = {25, 16, 84, 43, 1.5, 4.6, 14, 60, 1};
static const struct zone code = {23.4, 39, 46, 53, 1.4, 4.4, 4, 14, 0};

/* Below this the networks' own certainty is not believed. Measured by tests/ocr-figures.sh. */
#define SURE_DATE 15.0f
#define SURE_CODE 15.0f

#define GAP_PX                                                                                     \
    10 /* between groups of digits that are read together: about what the print itself leaves */
/* Above and below a line: the networks misread print that touches the edge of what they are shown. */
#define PAPER_PX 5
#define LINE_MOST (FLAT_WIDTH * 80)

/* What lies in secret memory beside the pictures. */
struct notes {
    struct symbols line, digits;
    uint8_t pixels[LINE_MOST];
    uint8_t strip[LINE_MOST];
};

struct engine {
    struct decoder *decoder;
    struct finder *finder;
    struct reader *reader;
    struct plane frame, flat;
    struct secret notes;
    unsigned turned; /* the corner that was the top left one last time, 0 or 2 */
};

int engine_new(struct engine **out)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    int r = -ENOMEM;

    *out = NULL;
    if (engine == NULL)
        return r;
    engine->decoder = decoder_new();
    engine->finder = finder_new();
    if (engine->decoder != NULL && engine->finder != NULL)
        r = secret_new(&engine->notes, sizeof(struct notes));
    if (r == 0)
        r = reader_new(&engine->reader);
    if (r < 0)
        engine_free(&engine);
    *out = engine;
    return r;
}

void engine_free(struct engine **engine)
{
    if (*engine == NULL)
        return;
    reader_free(&(*engine)->reader);
    finder_free(&(*engine)->finder);
    decoder_free(&(*engine)->decoder);
    plane_free(&(*engine)->frame);
    plane_free(&(*engine)->flat);
    secret_free(&(*engine)->notes);
    free(*engine);
    *engine = NULL;
}

void engine_wipe(struct engine *engine)
{
    plane_wipe(&engine->frame);
    plane_wipe(&engine->flat);
    finder_wipe(engine->finder);
    secret_wipe(&engine->notes);
    engine->turned = 0;
}

static struct notes *notes_of(const struct engine *engine)
{
    return (struct notes *)(void *)engine->notes.data;
}

/* ---- one line -------------------------------------------------------------------------------- */

/* Rows of a line as it is shown to the networks. */
static int shown_height(const struct line_box *box)
{
    return box->y1 - box->y0 + 2 * PAPER_PX;
}

/* Copy the line's pixels, with paper above and below. False when it is larger than a line can be. */
static bool cut(const struct plane *flat, const struct line_box *box, uint8_t *out)
{
    const int w = box->x1 - box->x0, h = box->y1 - box->y0;
    uint8_t *line = out + PAPER_PX * (size_t)(w > 0 ? w : 0);
    uint8_t paper;

    if (w <= 0 || h <= 0 || (size_t)w * (size_t)shown_height(box) > LINE_MOST)
        return false;
    for (int y = 0; y < h; y++)
        memcpy(line + (size_t)y * (size_t)w, plane_row(flat, box->y0 + y) + box->x0, (size_t)w);
    paper = cells_paper(line, (size_t)w * (size_t)h);
    memset(out, paper, PAPER_PX * (size_t)w);
    memset(line + (size_t)h * (size_t)w, paper, PAPER_PX * (size_t)w);
    return true;
}

/*
 * The digits of a date by themselves, its groups side by side without the words between, into
 * notes->strip. Cuts lie half way into the gaps. The strip's width, 0 when the line cannot be cut.
 */
static int cut_digits(struct engine *engine, const struct line_box *box,
                      const struct date_read *date)
{
    struct notes *notes = notes_of(engine);
    const int w = box->x1 - box->x0, h = shown_height(box);
    const uint8_t *line = notes->pixels + PAPER_PX * (size_t)w;
    const int rows = box->y1 - box->y0;
    struct cell cells[SYMBOLS_MOST];
    struct cell cuts[3] = {{0, 0}, {0, 0}, {0, 0}};
    int used = 0, width = -GAP_PX;

    if (!cells_align(line, w, rows, &notes->line, cells))
        return 0;
    for (unsigned g = 0; g < 3; g++) {
        const unsigned first = date->groups[g].first, end = first + date->groups[g].n;

        if (first == end)
            continue;
        cuts[g].x0 = first == 0 ? 0 : (cells[first - 1].x1 + cells[first].x0) / 2;
        cuts[g].x1 = end == notes->line.n ? w : (cells[end - 1].x1 + cells[end].x0 + 1) / 2;
        width += cuts[g].x1 - cuts[g].x0 + GAP_PX;
    }
    if (width <= 0 || (size_t)width * (size_t)h > LINE_MOST)
        return 0;
    memset(notes->strip, cells_paper(line, (size_t)w * (size_t)rows), (size_t)width * (size_t)h);
    for (unsigned g = 0; g < 3; g++) {
        const int n = cuts[g].x1 - cuts[g].x0;

        for (int y = 0; n > 0 && y < h; y++)
            memcpy(notes->strip + (size_t)y * (size_t)width + used,
                   notes->pixels + (size_t)y * (size_t)w + cuts[g].x0, (size_t)n);
        used += n > 0 ? n + GAP_PX : 0;
    }
    return width;
}

/* True when the strip reads as just these digits. */
static bool same_digits(const struct symbols *read, const char *digits)
{
    const size_t n = strlen(digits);

    if (read->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (read->at[i].code != (uint32_t)digits[i])
            return false;
    return true;
}

/* The other network's digits in place of the line's. */
static bool take_digits(const struct symbols *read, struct date_read *date)
{
    unsigned value[3] = {date->date.year, 0, 0}, at = 0;

    if (read->n != strlen(date->digits))
        return false;
    for (unsigned g = 0; g < 3; g++) {
        if (date->groups[g].n > 0)
            value[g] = 0;
        for (unsigned i = 0; i < date->groups[g].n; i++, at++) {
            const uint32_t c = read->at[at].code;

            if (c < '0' || c > '9')
                return false;
            date->digits[at] = (char)c;
            value[g] = value[g] * 10 + (c - '0');
        }
    }
    date->date.year = (uint16_t)value[0];
    date->date.month = (uint8_t)value[1];
    date->date.day = (uint8_t)value[2];
    return true;
}

/*
 * The digits once more by the Latin network. Where it reads others than the line had, the Japanese
 * one is asked again about the digits alone (in a line of words it takes some fonts' 0 for 9): one
 * reading of each must be the same.
 */
static bool confirm_date(struct engine *engine, const struct line_box *box, struct date_read *date)
{
    struct notes *notes = notes_of(engine);
    const int h = shown_height(box), width = cut_digits(engine, box, date);

    if (width == 0 ||
        reader_line(engine->reader, RECOGNISE_DIGITS, notes->strip, width, h, &notes->digits) < 0)
        return false;
    if (same_digits(&notes->digits, date->digits))
        return true;
    return take_digits(&notes->digits, date) &&
           reader_line(engine->reader, RECOGNISE_DIGITS_AGAIN, notes->strip, width, h,
                       &notes->digits) == 0 &&
           same_digits(&notes->digits, date->digits);
}

/* True when a date stands where dates stand, confirmed or not: then the card lies the right way up.
 */
static bool read_dates(struct engine *engine, struct reading *out)
{
    bool any = false;
    struct notes *notes = notes_of(engine);
    struct line_box boxes[LINES_FOUND_MOST];
    const unsigned n = lines_find(&engine->flat, &dates, boxes);

    for (unsigned i = 0; i < n && !(out->birth_there && out->expiry_there); i++) {
        struct date_read date;

        if (!cut(&engine->flat, &boxes[i], notes->pixels) ||
            reader_line(engine->reader, RECOGNISE_DATES, notes->pixels, boxes[i].x1 - boxes[i].x0,
                        shown_height(&boxes[i]), &notes->line) < 0)
            continue;
        fields_find_date(&notes->line, &date);
        any = any || date.kind != DATE_NONE;
        out->foreign = out->foreign || date.kind == DATE_BIRTH_AD;
        if ((date.kind == DATE_BIRTH || date.kind == DATE_EXPIRY) && date.sure >= SURE_DATE &&
            confirm_date(engine, &boxes[i], &date) && fields_day(&date.date) != 0) {
            if (date.kind == DATE_BIRTH && !out->birth_there) {
                out->birth_there = true;
                out->birth = date.date;
            } else if (date.kind == DATE_EXPIRY && !out->expiry_there) {
                out->expiry_there = true;
                out->expiry = date.date;
            }
        }
        explicit_bzero(&date, sizeof(date));
    }
    return any;
}

static void read_code(struct engine *engine, struct reading *out)
{
    struct notes *notes = notes_of(engine);
    struct line_box boxes[LINES_FOUND_MOST];
    const unsigned n = lines_find(&engine->flat, &code, boxes);
    unsigned found = 0;

    for (unsigned i = 0; i < n; i++) {
        const int w = boxes[i].x1 - boxes[i].x0, h = shown_height(&boxes[i]);
        char digits[5], again[5];
        float sure, sure_again;

        if (cut(&engine->flat, &boxes[i], notes->pixels) &&
            reader_line(engine->reader, RECOGNISE_DIGITS, notes->pixels, w, h, &notes->line) == 0 &&
            fields_find_code(&notes->line, digits, &sure) && sure >= SURE_CODE &&
            reader_line(engine->reader, RECOGNISE_DIGITS_AGAIN, notes->pixels, w, h,
                        &notes->digits) == 0 &&
            fields_find_code(&notes->digits, again, &sure_again) && sure_again >= SURE_CODE &&
            memcmp(digits, again, 4) == 0) {
            memcpy(out->code, digits, sizeof(out->code));
            found++;
        }
        explicit_bzero(digits, sizeof(digits));
        explicit_bzero(again, sizeof(again));
    }
    /* Two different fours in the zone: which is the code cannot be told. */
    out->code_there = found == 1;
}

/* ---- one frame ------------------------------------------------------------------------------- */

/* How much the brightness changes over a part of the card, coarsely: a photo does, print on paper
 * does not. */
static double coarse_contrast(const struct plane *flat, double x0_mm, double y0_mm)
{
    double sum = 0, squares = 0;
    unsigned n = 0;

    for (int j = 0; j < 8; j++) {
        for (int i = 0; i < 7; i++) {
            const int x0 = (int)((x0_mm + 2.6 * i) * FLAT_PX_PER_MM),
                      y0 = (int)((y0_mm + 2.8 * j) * FLAT_PX_PER_MM);
            double cell = 0;

            for (int y = y0; y < y0 + 24; y += 3)
                for (int x = x0; x < x0 + 24; x += 3)
                    cell += plane_row(flat, y)[x];
            cell /= 64;
            sum += cell;
            squares += cell * cell;
            n++;
        }
    }
    return squares / n - (sum / n) * (sum / n);
}

int engine_frame(struct engine *engine, const struct frame *frame, struct reading *out)
{
    struct outline outlines[FIND_MOST];
    unsigned found;
    int r;

    memset(out, 0, sizeof(*out));
    r = decode_frame(engine->decoder, frame->format, frame->width, frame->height, frame->data,
                     frame->len, &engine->frame);
    if (r < 0)
        return r;
    found = find_card(engine->finder, &engine->frame, outlines);
    out->card = found > 0;
    for (unsigned i = 0; i < found; i++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            if (turn == 0) {
                double up, down;

                if (flatten_card(&engine->frame, &outlines[i], 0, &engine->flat) < 0)
                    break;
                up = coarse_contrast(&engine->flat, 5, 23);
                down = coarse_contrast(&engine->flat, 85.6 - 5 - 18.2, 54 - 23 - 22.4);
                engine->turned = up >= down ? 0 : 2;
                if (engine->turned == 2 &&
                    flatten_card(&engine->frame, &outlines[i], 2, &engine->flat) < 0)
                    break;
            } else if (flatten_card(&engine->frame, &outlines[i], engine->turned ^ 2u,
                                    &engine->flat) < 0) {
                break;
            }
            if (read_dates(engine, out)) {
                read_code(engine, out);
                return 0;
            }
        }
    }
    return 0;
}
