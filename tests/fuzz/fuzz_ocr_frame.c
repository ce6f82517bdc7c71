/*
 * What uketsuke-ocr does with a frame, up to where Tesseract begins: the bytes are decoded, a
 * card's outline is looked for, laid flat both ways up, its lines of print are found and dealt out
 * to characters; and from where Tesseract ends: whatever it may say becomes dates, a code, votes, a
 * number. What must hold: boxes within the card, cells within the line, fourteen digits or nothing.
 */
#include "fuzz.h"

#include "daemon/ocr/cells.h"
#include "daemon/ocr/decode.h"
#include "daemon/ocr/flatten.h"
#include "daemon/ocr/lines.h"
#include "daemon/ocr/vote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TODAY 20260601

static struct decoder *decoder;
static struct finder *finder;
static struct plane frame, flat;

/* Characters of Tesseract's whitelists, and one that is none. */
static const uint32_t alphabet[] = {'0',    '1',    '2',    '3',    '4',    '5',    '6',    '7',
                                    '8',    '9',    0x5e74, 0x6708, 0x65e5, 0x751f, 0x307e, 0x3067,
                                    0x6709, 0x52b9, 0x662d, 0x548c, 0x5e73, 0x6210, 0x4ee4, 0x5927,
                                    0x6b63, 0x660e, 0x6cbb, 0x5143, 0xfffd};

static void some_symbols(struct fuzz_input *in, struct symbols *out)
{
    memset(out, 0, sizeof(*out));
    out->n = fuzz_u8(in) % (SYMBOLS_MOST + 1);
    for (unsigned i = 0; i < out->n; i++) {
        out->at[i].code = alphabet[fuzz_u8(in) % (sizeof(alphabet) / sizeof(alphabet[0]))];
        out->at[i].sure = (float)(fuzz_u8(in) % 101);
        out->at[i].x0 = fuzz_u8(in);
        out->at[i].x1 = fuzz_u8(in);
    }
}

static void read_flat(struct fuzz_input *in)
{
    static const struct zone zones[] = {{25, 16, 84, 43, 1.5, 4.6, 14, 60, 1},
                                        {23.4, 39, 46, 53, 1.4, 4.4, 4, 14, 0}};
    static uint8_t pixels[FLAT_WIDTH * FLAT_HEIGHT];

    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
        struct line_box boxes[LINES_FOUND_MOST];
        const unsigned n = lines_find(&flat, &zones[z], boxes);

        FUZZ_CHECK(n <= LINES_FOUND_MOST);
        for (unsigned i = 0; i < n; i++) {
            const struct line_box *b = &boxes[i];
            const int w = b->x1 - b->x0, h = b->y1 - b->y0;
            struct cell cells[SYMBOLS_MOST];
            struct symbols line;

            FUZZ_CHECK(b->x0 >= 0 && b->y0 >= 0 && w > 0 && h > 0 && b->x1 <= flat.width &&
                       b->y1 <= flat.height);
            for (int y = 0; y < h; y++)
                memcpy(pixels + (size_t)y * (size_t)w, plane_row(&flat, b->y0 + y) + b->x0,
                       (size_t)w);
            some_symbols(in, &line);
            if (!cells_align(pixels, w, h, &line, cells))
                continue;
            for (unsigned c = 0; c < line.n; c++)
                FUZZ_CHECK(cells[c].x0 >= 0 && cells[c].x0 <= cells[c].x1 && cells[c].x1 <= w);
        }
    }
}

/* A frame as it came. */
static void bytes_of_a_camera(struct fuzz_input *in)
{
    const unsigned format = fuzz_u8(in);
    const int width = fuzz_u16(in), height = fuzz_u16(in);
    size_t len;
    uint8_t *data = fuzz_piece_copy(in, 16384, &len);
    const int r = decode_frame(decoder, format, width, height, data, len, &frame);
    struct outline found[FIND_MOST];

    free(data);
    if (r == 0)
        FUZZ_CHECK(find_card(finder, &frame, found) <= FIND_MOST);
}

/* A bright card with marks on it on a dark table, so that there is something to find. */
static void a_card_on_a_table(struct fuzz_input *in)
{
    const int width = 160, height = 120;
    const int x0 = 10 + fuzz_u8(in) % 30, y0 = 10 + fuzz_u8(in) % 30, x1 = 120 + fuzz_u8(in) % 30,
              y1 = 80 + fuzz_u8(in) % 30;
    const double lean = ((int)fuzz_u8(in) - 128) / 600.0;
    struct outline found[FIND_MOST];
    size_t len;
    const uint8_t *marks = fuzz_piece(in, 4096, &len);
    unsigned n;

    if (plane_resize(&frame, width, height) < 0)
        return;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const double u = x + lean * (y - 60), v = y - lean * (x - 80);
            const bool card = u >= x0 && u < x1 && v >= y0 && v < y1;
            const size_t at = (size_t)((int)(u / 2) + 80 * (int)(v / 2));

            plane_row(&frame, y)[x] = !card ? 40 : len > 0 && (marks[at % len] & 1) != 0 ? 60 : 210;
        }
    }
    n = find_card(finder, &frame, found);
    FUZZ_CHECK(n <= FIND_MOST);
    for (unsigned i = 0; i < n; i++) {
        for (int c = 0; c < 4; c++)
            FUZZ_CHECK(isfinite(found[i].corners[c].x) && isfinite(found[i].corners[c].y));
        if (flatten_card(&frame, &found[i], fuzz_u8(in) & 2, &flat) == 0)
            read_flat(in);
    }
}

/* Readings of frames, one after the other. */
static void what_was_read(struct fuzz_input *in)
{
    struct votes votes;
    char number[15];

    memset(&votes, 0, sizeof(votes));
    for (unsigned i = 0; i < 12 && in->left > 0; i++) {
        struct reading reading;
        struct date_read date;
        struct symbols line;
        float sure;

        memset(&reading, 0, sizeof(reading));
        for (int k = 0; k < 2; k++) {
            some_symbols(in, &line);
            fields_find_date(&line, &date);
            reading.foreign = reading.foreign || date.kind == DATE_BIRTH_AD;
            if (date.kind == DATE_BIRTH && fields_day(&date.date) != 0) {
                reading.birth_there = true;
                reading.birth = date.date;
            } else if (date.kind == DATE_EXPIRY && fields_day(&date.date) != 0) {
                reading.expiry_there = true;
                reading.expiry = date.date;
            }
        }
        some_symbols(in, &line);
        reading.code_there = fields_find_code(&line, reading.code, &sure);
        if (reading.code_there)
            FUZZ_CHECK(strspn(reading.code, "0123456789") == 4 && reading.code[4] == '\0');
        if (!vote_add(&votes, &reading, TODAY))
            continue;
        FUZZ_CHECK(fields_plausible(&votes.held.birth, &votes.held.expiry, TODAY));
        vote_number(&votes, number);
        FUZZ_CHECK(strspn(number, "0123456789") == 14 && number[14] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    if (decoder == NULL)
        decoder = decoder_new();
    if (finder == NULL)
        finder = finder_new();
    FUZZ_CHECK(decoder != NULL && finder != NULL);
    switch (fuzz_u8(&in) % 3) {
    case 0:
        bytes_of_a_camera(&in);
        break;
    case 1:
        a_card_on_a_table(&in);
        break;
    default:
        what_was_read(&in);
    }
    return 0;
}

/* The symbols of a text of the alphabet's places, "." ends it. */
static void seed_line(struct fuzz_seed *seed, const uint8_t *places, unsigned n)
{
    seed_u8(seed, n);
    for (unsigned i = 0; i < n; i++) {
        seed_u8(seed, places[i]);
        seed_u8(seed, 95);
        seed_u8(seed, 10 * i);
        seed_u8(seed, 10 * i + 8);
    }
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static const uint8_t birth[] = {18, 19, 5, 0, 10, 6, 11, 4, 12, 13}; /* 昭和50年6月4日生 */
    static const uint8_t expiry[] = {2, 0, 3, 4, 10, 6, 11, 4, 12, 14, 15, 16, 17};
    static const uint8_t code[] = {1, 2, 3, 4};
    uint8_t marks[240];

    seed_u8(&seed, 0);
    seed_u8(&seed, DECODE_MJPEG);
    seed_u16(&seed, 64);
    seed_u16(&seed, 64);
    seed_piece_hex(
        &seed,
        "ffd8 ffdb 0043 00 ffc0 000b 08 0040 0040 01 01 11 00 ffda 0008 01 01 00 00 3f 00 00 ffd9");
    seed_write(&seed, "jpeg");
    seed_u8(&seed, 1);
    for (int i = 0; i < 5; i++)
        seed_u8(&seed, i == 4 ? 128 : 20);
    for (unsigned i = 0; i < sizeof(marks); i++)
        marks[i] = (uint8_t)(i % 7 == 0 || i % 11 == 3);
    seed_piece(&seed, marks, sizeof(marks));
    for (int i = 0; i < 4; i++)
        seed_line(&seed, birth, sizeof(birth));
    seed_write(&seed, "card");
    seed_u8(&seed, 2);
    for (int i = 0; i < 4; i++) {
        seed_line(&seed, birth, sizeof(birth));
        seed_line(&seed, expiry, sizeof(expiry));
        seed_line(&seed, code, sizeof(code));
    }
    seed_write(&seed, "readings");
}
