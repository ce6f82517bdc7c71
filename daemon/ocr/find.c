#include "find.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_WIDTH 320 /* lines are sought in a picture about so wide */
#define SMALL_MOST 640
#define ANGLES 120 /* of a half turn */
#define RHO_STEP 2.0
#define RHOS 512
#define LINES_MOST 36
#define SECTORS                                                                                    \
    6 /* of directions; each may give so many lines, so that a striped table leaves room for the   \
         card */
#define LINES_A_SECTOR 9
#define SPREAD 9         /* directions to either side of an edge's own that it votes for */
#define CARD_RATIO 1.586 /* ISO/IEC 7810: 85.60 by 53.98 mm */
#define PI 3.14159265358979

struct edge {
    int16_t gx, gy; /* zero where there is no edge */
};

struct line {
    double nx, ny, rho; /* nx x + ny y = rho */
    double angle;
};

enum edge_state { EDGE_NONE, EDGE_VOTES, EDGE_SILENT };

struct pair {
    uint8_t a, b;
    double angle, gap;
};

struct finder {
    uint8_t small[SMALL_MOST * SMALL_MOST]; /* brightness, then enum edge_state */
    struct edge edges[SMALL_MOST * SMALL_MOST];
    int32_t votes[ANGLES][RHOS];
    double nx[ANGLES], ny[ANGLES];
    struct line lines[LINES_MOST];
    struct pair pairs[LINES_MOST * LINES_MOST / 2];
    int width, height, factor;
};

struct finder *finder_new(void)
{
    return calloc(1, sizeof(struct finder));
}

void finder_free(struct finder **finder)
{
    if (*finder != NULL)
        finder_wipe(*finder);
    free(*finder);
    *finder = NULL;
}

void finder_wipe(struct finder *finder)
{
    explicit_bzero(finder, sizeof(*finder));
}

static void shrink(struct finder *f, const struct plane *frame)
{
    const int by_width = (frame->width + SMALL_WIDTH / 2) / SMALL_WIDTH;
    const int by_height = (frame->height + SMALL_MOST - 1) / SMALL_MOST;
    const int factor = by_width > by_height ? by_width : by_height;
    const unsigned cells = factor > 1 ? (unsigned)factor * (unsigned)factor : 1;

    f->factor = factor > 1 ? factor : 1;
    f->width = frame->width / f->factor;
    f->height = frame->height / f->factor;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            unsigned sum = 0;

            for (int v = 0; v < f->factor; v++)
                for (int u = 0; u < f->factor; u++)
                    sum += plane_row(frame, y * f->factor + v)[x * f->factor + u];
            f->small[y * f->width + x] = (uint8_t)(sum / cells);
        }
    }
}

/* Sobel gradients, thinned across the edge, the strongest seventh kept (and none that is only
 * noise). */
static void find_edges(struct finder *f)
{
    const int w = f->width, h = f->height;
    unsigned histogram[256] = {0}, kept = 0;
    int threshold = 255;

    memset(f->edges, 0, sizeof(f->edges[0]) * (size_t)(w * h));
    for (int y = 1; y < h - 1; y++) {
        for (int x = 1; x < w - 1; x++) {
            const uint8_t *p = f->small + y * w + x;
            const int gx = p[1 - w] + 2 * p[1] + p[1 + w] - p[-1 - w] - 2 * p[-1] - p[w - 1];
            const int gy = p[w - 1] + 2 * p[w] + p[w + 1] - p[-w - 1] - 2 * p[-w] - p[1 - w];
            const int m = (abs(gx) + abs(gy)) / 8;

            f->edges[y * w + x] = (struct edge){(int16_t)gx, (int16_t)gy};
            histogram[m > 255 ? 255 : m]++;
        }
    }
    while (threshold > 4 && kept < (unsigned)(w * h) / 7)
        kept += histogram[threshold--];
    threshold *= 8;
    for (int y = 1; y < h - 1; y++) {
        for (int x = 1; x < w - 1; x++) {
            const struct edge *e = &f->edges[y * w + x];
            const int m = abs(e->gx) + abs(e->gy);
            const int dx = abs(e->gx) * 5 > abs(e->gy) * 2 ? (e->gx > 0 ? 1 : -1) : 0;
            const int dy = abs(e->gy) * 5 > abs(e->gx) * 2 ? (e->gy > 0 ? 1 : -1) : 0;
            const struct edge *a = &f->edges[(y + dy) * w + x + dx],
                              *b = &f->edges[(y - dy) * w + x - dx];

            f->small[y * w + x] =
                m > threshold && m >= abs(a->gx) + abs(a->gy) && m > abs(b->gx) + abs(b->gy)
                    ? EDGE_VOTES
                    : EDGE_NONE;
        }
    }
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (y == 0 || x == 0 || y == h - 1 || x == w - 1 || f->small[y * w + x] == EDGE_NONE)
                f->edges[y * w + x] = (struct edge){0, 0};
}

static int direction_of(const struct edge *e)
{
    return (int)lrint(atan2(e->gy, e->gx) / PI * ANGLES) + 2 * ANGLES;
}

/* Adds the edge's votes, or takes them back. */
static void vote(struct finder *f, int x, int y, bool back)
{
    const int middle = direction_of(&f->edges[y * f->width + x]);
    const int32_t one = back ? -1 : 1;

    for (int d = -SPREAD; d <= SPREAD; d++) {
        const int a = (middle + d) % ANGLES;
        const int rho = (int)lrint((f->nx[a] * x + f->ny[a] * y) / RHO_STEP) + RHOS / 2;

        if (rho > 0 && rho < RHOS - 1) {
            f->votes[a][rho] += 2 * one;
            f->votes[a][rho - 1] += one;
            f->votes[a][rho + 1] += one;
        }
    }
}

static void vote_all(struct finder *f)
{
    memset(f->votes, 0, sizeof(f->votes));
    for (int a = 0; a < ANGLES; a++) {
        f->nx[a] = cos(a * PI / ANGLES);
        f->ny[a] = sin(a * PI / ANGLES);
    }
    for (int y = 1; y < f->height - 1; y++)
        for (int x = 1; x < f->width - 1; x++)
            if (f->edges[y * f->width + x].gx != 0 || f->edges[y * f->width + x].gy != 0)
                vote(f, x, y, false);
}

/* A line was taken: the edges that made it vote for no other. */
static void silence(struct finder *f, const struct line *line, int angle)
{
    for (int y = 1; y < f->height - 1; y++) {
        for (int x = 1; x < f->width - 1; x++) {
            const struct edge *e = &f->edges[y * f->width + x];
            int off;

            if (f->small[y * f->width + x] != EDGE_VOTES ||
                fabs(line->nx * x + line->ny * y - line->rho) > 2.2)
                continue;
            off = abs((direction_of(e) - angle) % ANGLES);
            if (off > SPREAD + 1 && off < ANGLES - SPREAD - 1)
                continue;
            vote(f, x, y, true);
            f->small[y * f->width + x] = EDGE_SILENT;
        }
    }
}

static unsigned strongest_lines(struct finder *f)
{
    const int32_t least = f->height / 4;
    unsigned n = 0, taken[SECTORS] = {0};

    while (n < LINES_MOST) {
        struct line *line = &f->lines[n];
        int32_t best = 0;
        int angle = 0, rho = 0;

        for (int a = 0; a < ANGLES; a++) {
            if (taken[a * SECTORS / ANGLES] >= LINES_A_SECTOR)
                continue;
            for (int r = 0; r < RHOS; r++) {
                if (f->votes[a][r] > best) {
                    best = f->votes[a][r];
                    angle = a;
                    rho = r;
                }
            }
        }
        if (best < least)
            break;
        line->angle = angle * PI / ANGLES;
        line->nx = f->nx[angle];
        line->ny = f->ny[angle];
        line->rho = RHO_STEP * rho - RHO_STEP * RHOS / 2;
        n++;
        taken[angle * SECTORS / ANGLES]++;
        silence(f, line, angle);
        f->votes[angle][rho] = INT32_MIN / 2; /* what is left of it is no line */
    }
    return n;
}

/* Difference of two directions without sense, 0 .. pi / 2. */
static double angle_between(double a, double b)
{
    double d = fmod(fabs(a - b), PI);

    return d > PI / 2 ? PI - d : d;
}

static bool meet(const struct line *a, const struct line *b, struct spot *at)
{
    const double det = a->nx * b->ny - a->ny * b->nx;

    if (fabs(det) < 0.2)
        return false;
    at->x = (a->rho * b->ny - b->rho * a->ny) / det;
    at->y = (a->nx * b->rho - b->nx * a->rho) / det;
    return true;
}

/* The part of the side that lies on edges of its own direction. */
static double side_weight(const struct finder *f, struct spot a, struct spot b)
{
    const double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy);
    const double nx = -dy / length, ny = dx / length;
    const int steps = (int)length;
    int on = 0, seen = 0;

    for (int i = steps / 14; i <= steps - steps / 14; i++) {
        const double x = a.x + dx * i / steps, y = a.y + dy * i / steps;
        bool hit = false, inside = false;

        for (int d = -2; d <= 2 && !hit; d++) {
            const int px = (int)lrint(x + nx * d), py = (int)lrint(y + ny * d);
            const struct edge *e;

            if (px < 1 || py < 1 || px >= f->width - 1 || py >= f->height - 1)
                continue;
            inside = true;
            e = &f->edges[py * f->width + px];
            if (e->gx != 0 || e->gy != 0) {
                const double across = fabs(e->gx * nx + e->gy * ny);

                hit = across > 0.75 * hypot(e->gx, e->gy);
            }
        }
        seen += 1;
        on += inside && hit;
    }
    return seen == 0 ? 0 : (double)on / seen;
}

/*
 * What a shape that is not the card's takes from an outline's weight, 0 .. 0.15: the photo's edge or a
 * stripe of the table in the place of a side that is hard to see. A card that leans is shorter one
 * way, and its opposite sides differ by about what allows that.
 */
static double misfit(const double sides[4])
{
    const double ratio = log((sides[0] + sides[2]) / (sides[1] + sides[3]) / CARD_RATIO);
    const double wide = log(sides[0] / sides[2]), high = log(sides[1] / sides[3]);

    return fmin(0.15, 2.5 * fmax(0, fabs(ratio) - 4 * (wide * wide + high * high) - 0.01));
}

static bool weigh(const struct finder *f, const struct spot c[4], double *weight)
{
    double sides[4], area = 0, least = 1, sum = 0;
    const double margin = 0.03 * f->width;

    for (int i = 0; i < 4; i++) {
        const struct spot *a = &c[i], *b = &c[(i + 1) % 4], *d = &c[(i + 2) % 4];
        const double cross = (b->x - a->x) * (d->y - b->y) - (b->y - a->y) * (d->x - b->x);

        if (a->x < -margin || a->y < -margin || a->x > f->width + margin ||
            a->y > f->height + margin || cross <= 0)
            return false;
        sides[i] = hypot(b->x - a->x, b->y - a->y);
        area += (a->x * b->y - b->x * a->y) / 2;
    }
    /* An ID-1 card is 1.585 times as wide as high; the rest is perspective. */
    if (area < 0.07 * f->width * f->height ||
        (sides[0] + sides[2]) < 1.27 * (sides[1] + sides[3]) ||
        (sides[0] + sides[2]) > 2.05 * (sides[1] + sides[3]) ||
        fmin(sides[0], sides[2]) < 0.7 * fmax(sides[0], sides[2]) ||
        fmin(sides[1], sides[3]) < 0.7 * fmax(sides[1], sides[3]))
        return false;
    for (int i = 0; i < 4; i++) {
        const double w = side_weight(f, c[i], c[(i + 1) % 4]);

        if (w < 0.25)
            return false;
        least = fmin(least, w);
        sum += w;
    }
    *weight =
        (sum / 4 + 0.3 * least) * pow(area / (f->width * f->height), 0.2) * (1 - misfit(sides));
    return sum / 4 > 0.5;
}

/* Clockwise on a screen (y down), the first side a long one. */
static void put_in_order(struct spot c[4])
{
    double area = 0;

    for (int i = 0; i < 4; i++)
        area += c[i].x * c[(i + 1) % 4].y - c[(i + 1) % 4].x * c[i].y;
    if (area < 0) {
        const struct spot t = c[1];

        c[1] = c[3];
        c[3] = t;
    }
    if (hypot(c[1].x - c[0].x, c[1].y - c[0].y) + hypot(c[3].x - c[2].x, c[3].y - c[2].y) <
        hypot(c[2].x - c[1].x, c[2].y - c[1].y) + hypot(c[0].x - c[3].x, c[0].y - c[3].y)) {
        const struct spot t = c[0];

        memmove(c, c + 1, 3 * sizeof(*c));
        c[3] = t;
    }
}

static unsigned pair_up(struct finder *f, unsigned nlines)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nlines; i++) {
        for (unsigned j = i + 1; j < nlines; j++) {
            const struct line *a = &f->lines[i], *b = &f->lines[j];
            /* The distance at the frame's middle, whatever the sense of the normals. */
            const double ax = a->nx * f->width / 2 + a->ny * f->height / 2 - a->rho;
            const double bx = b->nx * f->width / 2 + b->ny * f->height / 2 - b->rho;
            const double gap = fabs(a->nx * b->nx + a->ny * b->ny > 0 ? ax - bx : ax + bx);

            if (angle_between(a->angle, b->angle) < 0.42 && gap > 0.15 * f->height)
                f->pairs[n++] = (struct pair){(uint8_t)i, (uint8_t)j, a->angle, gap};
        }
    }
    return n;
}

static void keep(struct outline out[FIND_MOST], unsigned *n, const struct spot c[4], double weight)
{
    unsigned at = *n;

    /* Nearly the same as one that is kept: the heavier stays. */
    for (unsigned i = 0; i < *n; i++) {
        double far = 0;

        for (int k = 0; k < 4; k++)
            far = fmax(far, fmin(hypot(out[i].corners[k].x - c[k].x, out[i].corners[k].y - c[k].y),
                                 hypot(out[i].corners[(k + 2) % 4].x - c[k].x,
                                       out[i].corners[(k + 2) % 4].y - c[k].y)));
        if (far < 8) {
            if (out[i].weight >= weight)
                return;
            at = i;
            break;
        }
    }
    if (at == *n && *n == FIND_MOST) {
        at = FIND_MOST - 1;
        if (out[at].weight >= weight)
            return;
    } else if (at == *n) {
        (*n)++;
    }
    memcpy(out[at].corners, c, sizeof(out[at].corners));
    out[at].weight = weight;
    for (; at > 0 && out[at].weight > out[at - 1].weight; at--) {
        const struct outline t = out[at];

        out[at] = out[at - 1];
        out[at - 1] = t;
    }
}

/* ---- to the pixel: each side is fitted anew in the frame itself ------------------------------ */

static double bright(const struct plane *frame, double x, double y)
{
    const int px = (int)lrint(x), py = (int)lrint(y);

    return px < 0 || py < 0 || px >= frame->width || py >= frame->height ? -1
                                                                         : plane_row(frame, py)[px];
}

#define FIT_POINTS 48

static bool fit_side(const struct plane *frame, struct spot a, struct spot b, double reach,
                     struct line *out)
{
    const double length = hypot(b.x - a.x, b.y - a.y), dx = (b.x - a.x) / length,
                 dy = (b.y - a.y) / length;
    double along[FIT_POINTS], off[FIT_POINTS], slope = 0, base = 0;
    bool use[FIT_POINTS];
    int n = 0;

    for (int i = 0; i < FIT_POINTS; i++) {
        const double t = length * (0.08 + 0.84 * i / (FIT_POINTS - 1)), x = a.x + dx * t,
                     y = a.y + dy * t;
        double best = 6, at = 0;

        for (int half = -(int)(2 * reach); half <= (int)(2 * reach); half++) {
            const double d = half / 2.0;
            double step = 0;
            bool inside = true;

            for (int k = 1; k <= 3; k++) {
                const double p = bright(frame, x - dy * (d + k), y + dx * (d + k)),
                             q = bright(frame, x - dy * (d - k), y + dx * (d - k));

                inside = inside && p >= 0 && q >= 0;
                step += p - q;
            }
            if (inside && fabs(step) / 3 > best) {
                best = fabs(step) / 3;
                at = d;
            }
        }
        if (best > 6) {
            along[n] = t;
            off[n] = at;
            use[n++] = true;
        }
    }
    if (n < FIT_POINTS / 4)
        return false;
    for (int round = 0; round < 4; round++) {
        double s = 0, st = 0, so = 0, stt = 0, sto = 0,
               tolerance = round == 0 ? reach : reach / (round + 1);

        for (int i = 0; i < n; i++) {
            if (!use[i])
                continue;
            s += 1;
            st += along[i];
            so += off[i];
            stt += along[i] * along[i];
            sto += along[i] * off[i];
        }
        if (s < FIT_POINTS / 6.0 || fabs(s * stt - st * st) < 1e-6)
            return false;
        slope = (s * sto - st * so) / (s * stt - st * st);
        base = (so - slope * st) / s;
        for (int i = 0; i < n; i++)
            use[i] = fabs(base + slope * along[i] - off[i]) < fmax(1.2, tolerance);
    }
    {
        const struct spot p = {a.x - dy * base, a.y + dx * base};
        const struct spot q = {b.x - dy * (base + slope * length),
                               b.y + dx * (base + slope * length)};
        const double l = hypot(q.x - p.x, q.y - p.y);

        out->nx = -(q.y - p.y) / l;
        out->ny = (q.x - p.x) / l;
        out->rho = out->nx * p.x + out->ny * p.y;
    }
    return true;
}

static void refine(const struct plane *frame, int factor, struct outline *outline)
{
    struct line sides[4];
    struct spot fresh[4];

    for (int i = 0; i < 4; i++) {
        outline->corners[i].x = (outline->corners[i].x + 0.5) * factor;
        outline->corners[i].y = (outline->corners[i].y + 0.5) * factor;
    }
    for (int i = 0; i < 4; i++)
        if (!fit_side(frame, outline->corners[i], outline->corners[(i + 1) % 4], 2.5 * factor + 1,
                      &sides[i]))
            return;
    for (int i = 0; i < 4; i++) {
        if (!meet(&sides[(i + 3) % 4], &sides[i], &fresh[i]) ||
            hypot(fresh[i].x - outline->corners[i].x, fresh[i].y - outline->corners[i].y) >
                6 * factor + 4)
            return;
    }
    memcpy(outline->corners, fresh, sizeof(fresh));
}

unsigned find_card(struct finder *finder, const struct plane *frame, struct outline out[FIND_MOST])
{
    unsigned nlines, npairs, found = 0;

    shrink(finder, frame);
    find_edges(finder);
    vote_all(finder);
    nlines = strongest_lines(finder);
    npairs = pair_up(finder, nlines);
    for (unsigned p = 0; p < npairs; p++) {
        for (unsigned q = p + 1; q < npairs; q++) {
            const struct pair *a = &finder->pairs[p], *b = &finder->pairs[q];
            struct spot c[4];
            double weight;

            if (angle_between(a->angle, b->angle) < 1.0 ||
                !meet(&finder->lines[a->a], &finder->lines[b->a], &c[0]) ||
                !meet(&finder->lines[a->a], &finder->lines[b->b], &c[1]) ||
                !meet(&finder->lines[a->b], &finder->lines[b->b], &c[2]) ||
                !meet(&finder->lines[a->b], &finder->lines[b->a], &c[3]))
                continue;
            put_in_order(c);
            if (weigh(finder, c, &weight))
                keep(out, &found, c, weight);
        }
    }
    for (unsigned i = 0; i < found; i++)
        refine(frame, finder->factor, &out[i]);
    return found;
}
