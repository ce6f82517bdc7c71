/* The film: where the card is in a frame, what light and hand do to it, and the camera's own
 * faults. */
#include "face.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#define LEVELS 4

/* Frame pixel to card millimetre: x = (h0 u + h1 v + h2) / (h6 u + h7 v + h8). */
struct map {
    double h[9];
};

struct pose {
    double cx, cy; /* of the card's middle, in frame pixels */
    double scale;  /* pixels a millimetre at the middle */
    double roll, yaw, pitch;
};

static void invert3(const double m[9], double out[9])
{
    const double a = m[4] * m[8] - m[5] * m[7], b = m[5] * m[6] - m[3] * m[8],
                 c = m[3] * m[7] - m[4] * m[6];
    const double det = m[0] * a + m[1] * b + m[2] * c;

    out[0] = a / det;
    out[1] = (m[2] * m[7] - m[1] * m[8]) / det;
    out[2] = (m[1] * m[5] - m[2] * m[4]) / det;
    out[3] = b / det;
    out[4] = (m[0] * m[8] - m[2] * m[6]) / det;
    out[5] = (m[2] * m[3] - m[0] * m[5]) / det;
    out[6] = c / det;
    out[7] = (m[1] * m[6] - m[0] * m[7]) / det;
    out[8] = (m[0] * m[4] - m[1] * m[3]) / det;
}

/* A pinhole camera whose distance makes `scale` pixels a millimetre at the card's middle. */
static struct map map_of(const struct pose *pose, int width)
{
    const double f = 1.1 * width, z = f / pose->scale;
    const double cr = cos(pose->roll), sr = sin(pose->roll), cw = cos(pose->yaw),
                 sw = sin(pose->yaw), cp = cos(pose->pitch), sp = sin(pose->pitch);
    /* Columns of R = Rx(pitch) Ry(yaw) Rz(roll) for the card's x and y. */
    const double rx[3] = {cw * cr, cp * sr + sp * sw * cr, sp * sr - cp * sw * cr};
    const double ry[3] = {-cw * sr, cp * cr - sp * sw * sr, sp * cr + cp * sw * sr};
    const double ox = -FACE_WIDTH_MM / 2, oy = -FACE_HEIGHT_MM / 2;
    double forward[9];
    struct map map;

    for (int i = 0; i < 3; i++) {
        forward[3 * i] = rx[i];
        forward[3 * i + 1] = ry[i];
        forward[3 * i + 2] = rx[i] * ox + ry[i] * oy;
    }
    forward[8] += z;
    for (int i = 0; i < 3; i++) {
        forward[i] = f * forward[i] + pose->cx * forward[6 + i];
        forward[3 + i] = f * forward[3 + i] + pose->cy * forward[6 + i];
    }
    invert3(forward, map.h);
    return map;
}

static void to_card(const struct map *map, double u, double v, double *x, double *y)
{
    const double w = map->h[6] * u + map->h[7] * v + map->h[8];

    *x = (map->h[0] * u + map->h[1] * v + map->h[2]) / w;
    *y = (map->h[3] * u + map->h[4] * v + map->h[5]) / w;
}

static bool on_card(double x, double y)
{
    const double dx = fmax(fabs(x - FACE_WIDTH_MM / 2) - (FACE_WIDTH_MM / 2 - FACE_CORNER_MM), 0);
    const double dy = fmax(fabs(y - FACE_HEIGHT_MM / 2) - (FACE_HEIGHT_MM / 2 - FACE_CORNER_MM), 0);

    return hypot(dx, dy) <= FACE_CORNER_MM;
}

static void sample(const struct picture *p, double x, double y, float out[3])
{
    const double fx = fmin(fmax(x - 0.5, 0), p->width - 1.001),
                 fy = fmin(fmax(y - 0.5, 0), p->height - 1.001);
    const int x0 = (int)fx, y0 = (int)fy;
    const float ax = (float)(fx - x0), ay = (float)(fy - y0); /* how far into the pixel */
    const uint8_t *a = picture_at(p, x0, y0), *b = picture_at(p, x0, y0 + 1);

    for (int c = 0; c < 3; c++)
        out[c] += ((float)a[c] * (1 - ax) + (float)a[c + 3] * ax) * (1 - ay) +
                  ((float)b[c] * (1 - ax) + (float)b[c + 3] * ax) * ay;
}

static void draw_background(struct picture *frame, struct lot *lot, bool clutter)
{
    static const uint32_t desks[] = {0x4a4038, 0x8a7458, 0x303438, 0xa8a49c,
                                     0x586070, 0xc8b898, 0xdcdcd8};
    const uint32_t desk = desks[lot_below(lot, 7)];
    const double period = lot_range(lot, 6, 30), slope = lot_range(lot, -0.3, 0.3),
                 depth = lot_range(lot, 0, 0.12);

    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            const double grain = 1 + depth * sin((y + slope * x) / period + 2 * sin(x / 90.0));

            for (int c = 0; c < 3; c++)
                picture_at(frame, x, y)[c] =
                    (uint8_t)fmin(255, (desk >> (16 - 8 * c) & 0xff) * grain);
        }
    }
    for (int i = 0; clutter && i < 14; i++) {
        const double x = lot_range(lot, 0, frame->width), y = lot_range(lot, 0, frame->height);
        const uint32_t colour = (uint32_t)lot_next(lot) & 0xffffff;

        if (lot_below(lot, 2))
            picture_rectangle(frame, x, y, x + lot_range(lot, 20, 300), y + lot_range(lot, 10, 200),
                              colour, 0.8);
        else
            picture_line(frame, x, y, lot_range(lot, 0, frame->width),
                         lot_range(lot, 0, frame->height), lot_range(lot, 2, 14), colour, 0.9);
    }
}

static void draw_card(struct picture *frame, const struct cardface *face, const struct map *map,
                      double scale, struct lot *lot)
{
    struct picture *levels[LEVELS] = {NULL};
    const struct picture *print = face->print;
    const bool glare = (face->troubles & CARDFACE_GLARE) != 0;
    const double gx = lot_range(lot, 0, FACE_WIDTH_MM), gy = lot_range(lot, 0, FACE_HEIGHT_MM),
                 gr = lot_range(lot, 3, 9);
    const double shade = lot_range(lot, 0.75, 1), lean = lot_range(lot, -0.15, 0.15);
    double px = FACE_PX_PER_MM;

    for (int i = 0; i < LEVELS && px > 1.6 * scale; i++) {
        levels[i] = picture_halve(print);
        if (levels[i] == NULL)
            break;
        print = levels[i];
        px /= 2;
    }
    for (int v = 0; v < frame->height; v++) {
        for (int u = 0; u < frame->width; u++) {
            float sum[3] = {0, 0, 0};
            int hits = 0;
            double x, y, light;
            uint8_t *at = picture_at(frame, u, v);

            for (int s = 0; s < 4; s++) {
                to_card(map, u + 0.25 + 0.5 * (s & 1), v + 0.25 + 0.5 * (s >> 1), &x, &y);
                if (on_card(x, y)) {
                    sample(print, x * px, y * px, sum);
                    hits++;
                }
            }
            if (hits == 0)
                continue;
            light = shade + lean * (x - FACE_WIDTH_MM / 2) / FACE_WIDTH_MM;
            if (glare)
                light += 1.1 * exp(-((x - gx) * (x - gx) + (y - gy) * (y - gy)) / (2 * gr * gr));
            for (int c = 0; c < 3; c++) {
                const double lit =
                    glare ? fmin(255, sum[c] / (float)hits * light + fmax(0, light - 1) * 160)
                          : fmin(255, sum[c] / (float)hits * light);

                at[c] = (uint8_t)((lit * hits + at[c] * (4 - hits)) / 4);
            }
        }
    }
    for (int i = 0; i < LEVELS; i++)
        picture_free(&levels[i]);
}

/* Thumb on the card's edge, from a hand outside; sometimes it lies on a field. */
static void draw_fingers(struct picture *frame, const struct pose *pose, struct lot *lot)
{
    const unsigned side = lot_below(lot, 3); /* right edge, bottom edge, left edge */
    const double along = lot_range(lot, -0.35, 0.35), reach = lot_range(lot, 4, 13);
    const double ex = side == 1 ? along * FACE_WIDTH_MM : (side == 0 ? 1 : -1) * FACE_WIDTH_MM / 2;
    const double ey = side == 1 ? FACE_HEIGHT_MM / 2 : along * FACE_HEIGHT_MM;
    const double nx = side == 1 ? 0 : side == 0 ? -1 : 1, ny = side == 1 ? -1 : 0;

    for (double t = -60; t < reach - 7; t += 1.5) {
        const double x = ex + nx * t, y = ey + ny * t;
        const double u = pose->cx + pose->scale * (x * cos(pose->roll) - y * sin(pose->roll));
        const double v = pose->cy + pose->scale * (x * sin(pose->roll) + y * cos(pose->roll));

        picture_ellipse(frame, u, v, 8 * pose->scale, 8 * pose->scale, 0xc89478, 1);
    }
}

static void add_noise(struct picture *frame, struct lot *lot, double sigma, double gain)
{
    for (size_t i = 0; i < (size_t)frame->width * (size_t)frame->height * 3; i++) {
        /* four uniforms: near enough to a bell for a camera */
        const uint64_t r = lot_next(lot);
        const double n = ((double)(r & 0xffff) + (double)(r >> 16 & 0xffff) +
                          (double)(r >> 32 & 0xffff) + (double)(r >> 48)) /
                             65536.0 -
                         2;
        const double value = frame->rgb[i] * gain + n * 1.732 * sigma;

        frame->rgb[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static size_t compress(const struct picture *frame, int quality, uint8_t **jpeg)
{
    tjhandle handle = tjInitCompress();
    unsigned char *out = NULL;
    unsigned long size = 0;
    size_t len = 0;

    *jpeg = NULL;
    if (handle != NULL && tjCompress2(handle, frame->rgb, frame->width, 0, frame->height, TJPF_RGB,
                                      &out, &size, TJSAMP_422, quality, 0) == 0) {
        *jpeg = malloc(size);
        if (*jpeg != NULL) {
            memcpy(*jpeg, out, size);
            len = size;
        }
    }
    tjFree(out);
    if (handle != NULL)
        tjDestroy(handle);
    return len;
}

static struct pose pose_of(const struct cardface *face, unsigned n)
{
    const unsigned t = face->troubles;
    struct lot lot, hand;
    struct pose pose;
    double fill;

    lot_seed(&lot, face->seed, 3);
    lot_seed(&hand, face->seed, 100 + n);
    fill = t & CARDFACE_FAR ? lot_range(&lot, 0.42, 0.55) : lot_range(&lot, 0.58, 0.78);
    if (face->fill > 0)
        fill = face->fill;
    pose.scale = fill * face->width / FACE_WIDTH_MM;
    pose.roll = lot_range(&lot, -0.12, 0.12);
    pose.yaw = pose.pitch = 0;
    if (t & CARDFACE_TURNED)
        pose.roll = lot_range(&lot, -3.14159, 3.14159);
    /* Standing upright, the card must still fit. */
    pose.scale = fmin(pose.scale, 0.95 * face->height /
                                      (FACE_WIDTH_MM * fabs(sin(pose.roll)) +
                                       FACE_HEIGHT_MM * fabs(cos(pose.roll))));
    if (t & CARDFACE_TILT) {
        pose.yaw = lot_range(&lot, -0.45, 0.45);
        pose.pitch = lot_range(&lot, -0.4, 0.4);
    }
    pose.cx = face->width * lot_range(&lot, 0.47, 0.53);
    pose.cy = face->height * lot_range(&lot, 0.47, 0.53);
    /* The hand is never still. */
    pose.cx += 5 * lot_normal(&hand);
    pose.cy += 5 * lot_normal(&hand);
    pose.roll += 0.015 * lot_normal(&hand);
    pose.yaw += 0.02 * lot_normal(&hand);
    pose.pitch += 0.02 * lot_normal(&hand);
    pose.scale *= 1 + 0.01 * lot_normal(&hand);
    return pose;
}

size_t cardface_frame(const struct cardface *face, unsigned n, uint8_t **jpeg)
{
    const unsigned t = face->troubles;
    const struct pose pose = pose_of(face, n);
    const struct map map = map_of(&pose, face->width);
    struct picture *frame = picture_new(face->width, face->height, 0);
    struct lot place, moment;
    size_t len;

    *jpeg = NULL;
    if (frame == NULL)
        return 0;
    lot_seed(&place, face->seed, 4);
    lot_seed(&moment, face->seed, 1000 + n);
    draw_background(frame, &place, (t & CARDFACE_CLUTTER) != 0);
    draw_card(frame, face, &map, pose.scale, &place);
    if (t & CARDFACE_FINGERS)
        draw_fingers(frame, &pose, &place);
    picture_blur(frame,
                 t & CARDFACE_BLUR ? lot_range(&moment, 0.6, 1.8) * face->width / 1280 : 0.45);
    if (t & CARDFACE_BLUR)
        picture_smear(frame, lot_range(&moment, 0, 7) * face->width / 1280,
                      lot_range(&moment, 0, 3.14));
    add_noise(frame, &moment, t & CARDFACE_NOISE ? lot_range(&moment, 6, 16) : 2.5,
              t & CARDFACE_NOISE ? lot_range(&place, 0.35, 0.7) : lot_range(&place, 0.85, 1.05));
    len = compress(frame, 60 + (int)lot_below(&moment, 30), jpeg);
    picture_free(&frame);
    return len;
}
