#include "flatten.h"

#include <errno.h>
#include <math.h>

/* The projective map of the unit square onto four corners (Heckbert 1989, 2.2.3). */
static int square_to(const struct spot c[4], double m[8])
{
    const double dx1 = c[1].x - c[2].x, dx2 = c[3].x - c[2].x,
                 sx = c[0].x - c[1].x + c[2].x - c[3].x;
    const double dy1 = c[1].y - c[2].y, dy2 = c[3].y - c[2].y,
                 sy = c[0].y - c[1].y + c[2].y - c[3].y;
    const double det = dx1 * dy2 - dx2 * dy1;

    if (fabs(det) < 1e-6)
        return -EINVAL;
    m[6] = (sx * dy2 - dx2 * sy) / det;
    m[7] = (dx1 * sy - sx * dy1) / det;
    m[0] = c[1].x - c[0].x + m[6] * c[1].x;
    m[1] = c[3].x - c[0].x + m[7] * c[3].x;
    m[2] = c[0].x;
    m[3] = c[1].y - c[0].y + m[6] * c[1].y;
    m[4] = c[3].y - c[0].y + m[7] * c[3].y;
    m[5] = c[0].y;
    return 0;
}

static uint8_t between(const struct plane *frame, double x, double y)
{
    const double fx = fmin(fmax(x - 0.5, 0), frame->width - 1.001),
                 fy = fmin(fmax(y - 0.5, 0), frame->height - 1.001);
    const int x0 = (int)fx, y0 = (int)fy;
    const int ax = (int)((fx - x0) * 256), ay = (int)((fy - y0) * 256);
    const uint8_t *p = plane_row(frame, y0) + x0, *q = p + frame->width;

    return (uint8_t)(((p[0] * (256 - ax) + p[1] * ax) * (256 - ay) +
                      (q[0] * (256 - ax) + q[1] * ax) * ay + 32768) >>
                     16);
}

int flatten_card(const struct plane *frame, const struct outline *outline, unsigned first,
                 struct plane *out)
{
    struct spot c[4];
    double m[8];
    int r;

    for (unsigned i = 0; i < 4; i++)
        c[i] = outline->corners[(i + first) % 4];
    r = square_to(c, m);
    if (r == 0)
        r = plane_resize(out, FLAT_WIDTH, FLAT_HEIGHT);
    if (r < 0)
        return r;
    for (int y = 0; y < FLAT_HEIGHT; y++) {
        const double v = (y + 0.5) / FLAT_HEIGHT;
        uint8_t *row = plane_row(out, y);

        for (int x = 0; x < FLAT_WIDTH; x++) {
            const double u = (x + 0.5) / FLAT_WIDTH, w = m[6] * u + m[7] * v + 1;

            row[x] =
                between(frame, (m[0] * u + m[1] * v + m[2]) / w, (m[3] * u + m[4] * v + m[5]) / w);
        }
    }
    return 0;
}
