#include "presentation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 640
#define HEIGHT 480
#define FOCAL 800.0
#define HEAD_METRES 0.24
#define PI 3.14159265358979
#define LOOP_FRAMES 15
#define TONES 1024
#define GRAINS 65521

/* White, light blue, black, grey, pink; red, green, blue. */
#define CLOTHS 5
static const double cloths[CLOTHS][3] = {
    {226, 230, 232}, {170, 200, 225}, {40, 42, 45}, {150, 150, 150}, {225, 170, 190}};

const char *const presentation_names[PRESENT_KINDS] = {
    [PRESENT_LIVING] = "living",
    [PRESENT_PRINT_STILL] = "print-still",
    [PRESENT_PRINT_HELD] = "print-held",
    [PRESENT_PRINT_WAVED] = "print-waved",
    [PRESENT_PRINT_BENT] = "print-bent",
    [PRESENT_PRINT_EYES] = "print-eyes",
    [PRESENT_PRINT_CLOSE] = "print-close",
    [PRESENT_CHIP_PHOTO] = "chip-photo",
    [PRESENT_SCREEN_STAND] = "screen-stand",
    [PRESENT_SCREEN_HELD] = "screen-held",
    [PRESENT_SCREEN_CLOSE] = "screen-close",
    [PRESENT_FROZEN] = "frozen",
    [PRESENT_LOOP] = "loop",
    [PRESENT_ANIMATED] = "animated",
    [PRESENT_RECORDED] = "recorded",
    [PRESENT_MASKED] = "masked",
    [PRESENT_SHADES] = "shades",
};

/* What is fixed for one presentation, thrown at its beginning. */
struct presentation {
    struct presentation_setting set;
    struct dice noise;
    double zoom, roll, shift_x, shift_y, gain, gamma, side, grain; /* living and the room's light */
    double distance, tremble, phase[12], tilt, pixels, moire, glare_x, glare_y;
    unsigned cloth; /* which mask */
    bool off;       /* mask or glasses */
    struct picture source, photo, room;
    unsigned loaded;
    float tone[TONES], grains[GRAINS];
    unsigned next_grain;
    uint8_t *first_jpeg[LOOP_FRAMES]; /* of what is injected again */
    size_t first_len[LOOP_FRAMES];
};

/* What a person or an attacker does in answer: 0 nothing, 1 all of it. */
struct answer {
    double turn, nearer, blink;
};

static double smooth(double x)
{
    x = fmin(fmax(x, 0), 1);
    return x * x * (3 - 2 * x);
}

static bool shows_still(enum presentation_kind kind)
{
    return (kind >= PRESENT_PRINT_STILL && kind <= PRESENT_CHIP_PHOTO) || kind == PRESENT_FROZEN ||
           kind == PRESENT_ANIMATED;
}

static bool is_screen(enum presentation_kind kind)
{
    return (kind >= PRESENT_SCREEN_STAND && kind <= PRESENT_SCREEN_CLOSE) ||
           kind == PRESENT_ANIMATED || kind == PRESENT_RECORDED;
}

static bool fills_view(enum presentation_kind kind)
{
    return kind == PRESENT_PRINT_CLOSE || kind == PRESENT_SCREEN_CLOSE;
}

void presentation_path(const struct presentation *p, unsigned frame, char *path, size_t room)
{
    if (p->set.still != NULL)
        (void)snprintf(path, room, "%s", p->set.still);
    else
        (void)snprintf(path, room, "%s/frame_%05u.jpg", p->set.frames, frame);
}

unsigned presentation_source(const struct presentation *p, double seconds)
{
    unsigned n = p->set.first - 1;

    if (!shows_still(p->set.kind)) {
        const unsigned along = (unsigned)(seconds * p->set.fps + 0.5);

        n += p->set.kind == PRESENT_LOOP ? along % LOOP_FRAMES : along;
    }
    return n % p->set.nframes + 1;
}

/* A room without anybody: a wall with a door, a shelf, something with a pattern. */
static void paint_room(struct presentation *p, struct dice *d)
{
    const double door = dice_between(d, 60, 580), shelf = dice_between(d, 80, 300),
                 hue = dice_between(d, -25, 25);

    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *px = p->room.rgb + 3 * ((size_t)y * WIDTH + (size_t)x);
            double v = 150 + 30.0 * x / WIDTH - 25.0 * y / HEIGHT;

            if (fabs(x - door) < 5 || fabs(x - door - 90) < 5)
                v -= 60;
            if (fabs(y - shelf) < 6)
                v -= 45;
            if (y > shelf - 70 && y < shelf - 6 && ((int)(x / 17.0) * 7919) % 5 < 3)
                v -= 20 + ((int)(x / 17.0) * 104729) % 60;
            px[0] = (uint8_t)fmin(fmax(v + hue, 0), 255);
            px[1] = (uint8_t)fmin(fmax(v, 0), 255);
            px[2] = (uint8_t)fmin(fmax(v - hue, 0), 255);
        }
    }
}

static void make_tables(struct presentation *p);

int presentation_new(struct presentation **out, const struct presentation_setting *setting)
{
    struct presentation *p = calloc(1, sizeof(*p));
    struct dice d = {setting->seed * UINT64_C(0x2545F4914F6CDD1D) + 1};
    const double t = setting->trouble;

    *out = NULL;
    if (p == NULL)
        return -1;
    p->set = *setting;
    p->noise.state = dice_next(&d);
    p->zoom = pow(2, t * dice_between(&d, -0.55, 0.35));
    p->roll = t * dice_between(&d, -0.17, 0.17);
    p->shift_x = t * dice_between(&d, -60, 60);
    p->shift_y = t * dice_between(&d, -30, 30);
    p->gain = pow(2, t * dice_between(&d, -1.2, 0.5));
    p->gamma = pow(2, t * dice_between(&d, -0.4, 0.4));
    p->side = t * dice_between(&d, -0.6, 0.6);
    p->grain = 1 + t * dice_between(&d, 0, 7);
    p->distance = FOCAL * HEAD_METRES / dice_between(&d, 150, 240);
    p->tremble = dice_between(&d, 0.6, 1.6);
    for (int i = 0; i < 12; i++)
        p->phase[i] = dice_between(&d, 0, 2 * PI);
    p->tilt = dice_between(&d, -0.06, 0.06);
    p->pixels = dice_between(&d, 3800, 6500); /* of the screen, a metre */
    p->moire = dice_between(&d, 0.05, 0.2);
    p->glare_x = dice_between(&d, 100, 540);
    p->glare_y = dice_between(&d, 60, 420);
    if (picture_new(&p->room, WIDTH, HEIGHT) < 0 ||
        (setting->kind == PRESENT_CHIP_PHOTO && picture_read_pnm(&p->photo, setting->photo) < 0)) {
        presentation_free(&p);
        return -1;
    }
    paint_room(p, &d);
    make_tables(p);
    p->cloth = (unsigned)(dice_next(&d) % CLOTHS);
    *out = p;
    return 0;
}

void presentation_free(struct presentation **ref)
{
    struct presentation *p = *ref;

    if (p == NULL)
        return;
    picture_free(&p->source);
    picture_free(&p->photo);
    picture_free(&p->room);
    for (int i = 0; i < LOOP_FRAMES; i++)
        free(p->first_jpeg[i]);
    free(p);
    *ref = NULL;
}

static int load(struct presentation *p, unsigned frame)
{
    char path[4300];

    if (p->loaded == frame)
        return 0;
    picture_free(&p->source);
    p->loaded = frame;
    presentation_path(p, frame, path, sizeof(path));
    return picture_read_jpeg(&p->source, path);
}

/* ---- a head that turns, comes nearer, blinks: in coordinates of the source ------------------- */

/* Where in the source the point (x, y) of the changed picture comes from. */
static void head_warp(const struct presentation_head *h, const struct answer *a, double *x,
                      double *y)
{
    const double grow = 1 + 0.5 * a->nearer, cx = h->x, cy = h->y + 0.1 * h->height;
    double u = (*x - cx) / (0.72 * h->width), v = (*y - cy) / (0.80 * h->height);

    if (a->nearer > 0) {
        /* The head enlarged, shoulders with it; beside it the room as it was. */
        const double gu = u / grow, gv = v / grow;

        if (gu * gu + gv * gv < 1 || (gv > 0 && fabs(gu) < 1.0 + gv)) {
            *x = cx + gu * 0.72 * h->width;
            *y = cy + gv * 0.80 * h->height;
            u = gu;
            v = gv;
        }
    }
    if (a->turn != 0 && u * u + v * v < 1) {
        const double reach = sqrt(1 - v * v), at = fmin(fmax(u / reach, -0.999), 0.999);
        const double from = asin(at) - a->turn * 0.6;
        double moved = reach * sin(fmin(fmax(from, -PI / 2), PI / 2));
        /* The nose stands out: it moves more than the skin around it. */
        const double nx = moved / 0.16, ny = (v - 0.05) / 0.18;

        moved -= 0.22 * sin(a->turn * 0.6) * exp(-nx * nx - ny * ny);
        *x = cx + moved * 0.72 * h->width;
    }
}

/* True when (x, y) of the source lies on a lid that is drawn down; *y moves to skin. */
static bool lid(const struct presentation_head *h, double closed, double x, double *y)
{
    const double d = hypot(h->right_x - h->left_x, h->right_y - h->left_y);
    const double eyes[2][2] = {{h->left_x, h->left_y}, {h->right_x, h->right_y}};

    if (!(closed > 0))
        return false;
    for (int i = 0; i < 2; i++) {
        const double u = (x - eyes[i][0]) / (0.30 * d), v = (*y - eyes[i][1]) / (0.15 * d);

        if (u * u + v * v < 1 && v < 2 * closed - 1) {
            /* Skin from the cheek. */
            *y = eyes[i][1] + 0.38 * d + 0.04 * d * v;
            return true;
        }
    }
    return false;
}

static double blink_at(double since)
{
    /* 80 ms down, 120 ms closed, 120 ms up */
    return since < 0 ? 0 : smooth(since / 0.08) * (1 - smooth((since - 0.2) / 0.12));
}

static struct answer answer_of(const struct presentation *p, double seconds,
                               enum presentation_asked asked, double asked_at)
{
    const double since = seconds - asked_at - p->set.answer_after;
    const double way = smooth(since / 0.7) * (1 - smooth((since - 1.8) / 0.7));
    struct answer a = {0};

    if (asked == ASKED_NOTHING || since < 0)
        return a;
    if (asked == ASKED_LEFT || asked == ASKED_RIGHT)
        a.turn = asked == ASKED_LEFT ? way : -way;
    if (asked == ASKED_NEARER)
        a.nearer = way;
    if (asked == ASKED_BLINK)
        a.blink = fmax(blink_at(since), blink_at(since - 0.9));
    return a;
}

/* What the person of a recording answered then: something every 3.5 s. */
static struct answer answer_recorded(const struct presentation *p, double seconds)
{
    const unsigned n = (unsigned)(seconds / 3.5);
    struct dice d = {p->set.seed + n * UINT64_C(0x9E3779B97F4A7C15)};

    return answer_of(p, seconds, (enum presentation_asked)(1 + dice_next(&d) % 4), 3.5 * n);
}

/* ---- what a person wears --------------------------------------------------------------------- */

/* Seconds to take it off. */
#define TAKES_OFF 1.2

static bool wears(const struct presentation *p)
{
    return (p->set.kind == PRESENT_MASKED || p->set.kind == PRESENT_SHADES) && !p->off;
}

/* The point (x, y) of the source under mask or glasses: rgb becomes theirs. */
static void wear(const struct presentation *p, const struct presentation_head *h, double x,
                 double y, double rgb[3])
{
    const double ex = h->right_x - h->left_x, ey = h->right_y - h->left_y, d = hypot(ex, ey);
    const double dx = x - (h->left_x + h->right_x) / 2, dy = y - (h->left_y + h->right_y) / 2;
    /* In distances between the eyes, from the middle between them. */
    const double u = (dx * ex + dy * ey) / (d * d), v = (dy * ex - dx * ey) / (d * d);

    if (p->set.kind == PRESENT_SHADES) {
        const double a = (fabs(u) - 0.5) / 0.42, b = (v - 0.06) / 0.30;

        for (int c = 0; c < 3 && a * a + b * b < 1; c++)
            rgb[c] = 12 + 0.12 * rgb[c];
    } else {
        const double half = v < 1.2 ? 1.08 - 0.05 * (v - 0.4) : 1.04 - 1.05 * (v - 1.2);
        /* Pleats, and darker to the sides; some of the face's own light and shade. */
        const double shade =
            (1 - 0.2 * u * u + 0.06 * cos(22 * v)) * (0.7 + 0.3 * (rgb[0] + rgb[1] + rgb[2]) / 450);

        if (v > 0.42 + 0.22 * u * u && v < 1.85 && fabs(u) < half)
            for (int c = 0; c < 3; c++)
                rgb[c] = fmin(cloths[p->cloth][c] * shade, 255);
    }
}

/* ---- light and sensor ------------------------------------------------------------------------ */

static void put(struct presentation *p, struct picture *out, int x, int y, const double rgb[3])
{
    uint8_t *px = out->rgb + 3 * ((size_t)y * WIDTH + (size_t)x);
    const double light = p->gain * (1 + p->side * (2.0 * x / WIDTH - 1)) * (TONES - 1) / 255.0;
    const float grain = p->grains[p->next_grain++ % GRAINS];

    for (int c = 0; c < 3; c++) {
        const double v = fmin(fmax(rgb[c] * light, 0), TONES - 1);
        const float lit = p->tone[(int)v] + grain;

        px[c] = (uint8_t)(lit < 0 ? 0 : lit > 255 ? 255 : lit);
    }
}

/* Tables, so that a frame costs little: the tone curve, and grain that begins somewhere else in
 * every frame. */
static void make_tables(struct presentation *p)
{
    for (int i = 0; i < TONES; i++)
        p->tone[i] = (float)(255 * pow(i / (TONES - 1.0), p->gamma));
    for (int i = 0; i < GRAINS; i++)
        p->grains[i] = (float)(p->grain * dice_gauss(&p->noise));
}

/* ---- presentations --------------------------------------------------------------------------- */

static void draw_living(struct presentation *p, const struct presentation_head *h,
                        const struct answer *a, struct picture *out)
{
    const double c = cos(p->roll) / p->zoom, s = sin(p->roll) / p->zoom;
    const double fit = fmin((double)WIDTH / p->source.width, (double)HEIGHT / p->source.height);

    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const double dx = x + 0.5 - WIDTH / 2.0 - p->shift_x,
                         dy = y + 0.5 - HEIGHT / 2.0 - p->shift_y;
            double sx = WIDTH / 2.0 + c * dx + s * dy, sy = HEIGHT / 2.0 - s * dx + c * dy, rgb[3];

            if (h != NULL) {
                head_warp(h, a, &sx, &sy);
                (void)lid(h, a->blink, sx, &sy);
            }
            /* A source of another size is fitted into the frame. */
            picture_sample(&p->source, (sx - WIDTH / 2.0) / fit + p->source.width / 2.0,
                           (sy - HEIGHT / 2.0) / fit + p->source.height / 2.0, rgb);
            if (h != NULL && wears(p))
                wear(p, h, sx, sy, rgb);
            put(p, out, x, y, rgb);
        }
    }
}

struct pose {
    double x, y, z, yaw, pitch, roll, bend;
};

static double wobble(const struct presentation *p, int i, double t)
{
    return sin(2 * PI * (0.31 + 0.11 * i) * t + p->phase[i]) +
           0.5 * sin(2 * PI * (1.3 + 0.27 * i) * t + p->phase[i + 6]);
}

static struct pose pose_at(const struct presentation *p, double t, const struct answer *a)
{
    struct pose q = {.z = p->distance, .yaw = p->tilt, .pitch = p->tilt * 0.7};
    double hand = p->tremble;

    switch (p->set.kind) {
    case PRESENT_PRINT_STILL:
    case PRESENT_SCREEN_STAND:
        hand = 0;
        break;
    case PRESENT_PRINT_WAVED:
        q.x = 0.05 * wobble(p, 0, 2 * t);
        q.y = 0.02 * wobble(p, 1, 2 * t);
        q.yaw += 0.35 * wobble(p, 2, 1.5 * t);
        q.pitch += 0.2 * wobble(p, 3, 1.5 * t);
        break;
    case PRESENT_PRINT_BENT:
        q.bend = 2.2 + 1.2 * wobble(p, 4, t);
        q.yaw += 0.15 * wobble(p, 2, t);
        break;
    case PRESENT_CHIP_PHOTO:
        q.yaw += 0.05 * wobble(p, 2, t);
        break;
    default:
        break;
    }
    q.x += 0.003 * hand * wobble(p, 0, t);
    q.y += 0.003 * hand * wobble(p, 1, t);
    q.yaw += 0.012 * hand * wobble(p, 2, t);
    q.pitch += 0.012 * hand * wobble(p, 3, t);
    q.roll += 0.006 * hand * wobble(p, 4, t);
    q.z += 0.004 * hand * wobble(p, 5, t);
    /* Asked to turn, the attacker turns what he holds; asked to come nearer, he brings it nearer.
     */
    if (p->set.kind != PRESENT_PRINT_STILL && p->set.kind != PRESENT_SCREEN_STAND) {
        q.yaw += 0.6 * a->turn;
        q.z /= 1 + 0.5 * a->nearer;
    }
    if (fills_view(p->set.kind))
        q.z *= 0.62;
    return q;
}

/* What the artefact shows, in metres around the face's middle. */
struct artefact {
    const struct picture *shown;
    double pixels; /* of the picture, a metre */
    double cx, cy;
    double half_w, half_h; /* of the picture */
    double rim;
};

static struct artefact artefact_of(const struct presentation *p, const struct presentation_head *h)
{
    struct artefact f = {.shown = &p->source};

    f.pixels = h->height / HEAD_METRES;
    f.cx = h->x;
    f.cy = h->y;
    if (p->set.kind == PRESENT_CHIP_PHOTO) {
        f.shown = &p->photo;
        f.pixels = 0.62 * p->photo.height / HEAD_METRES;
        f.cx = p->photo.width / 2.0;
        f.cy = p->photo.height / 2.0;
        f.half_w = p->photo.width / 2.0 / f.pixels;
        f.half_h = p->photo.height / 2.0 / f.pixels;
        f.rim = 0.01;
    } else if (fills_view(p->set.kind)) {
        f.half_w = f.half_h = 10;
    } else if (is_screen(p->set.kind)) {
        f.half_w = 0.24;
        f.half_h = 0.19;
        f.rim = 0.018;
    } else {
        f.half_w = 0.7 * h->width / f.pixels * 1.25;
        f.half_h = 0.8 * h->height / f.pixels;
        f.rim = 0.012;
    }
    return f;
}

static void shine(const struct presentation *p, const struct artefact *f, double X, double Y, int x,
                  int y, double rgb[3])
{
    const double gx = (x - p->glare_x) / 90, gy = (y - p->glare_y) / 50,
                 glare = 70 * exp(-gx * gx - gy * gy);
    const double m = p->set.kind >= PRESENT_ANIMATED ? 0.01 : p->moire; /* a fine screen */

    (void)f;
    for (int c = 0; c < 3; c++) {
        /* Stripes of red, green, blue and rows between: sampled once a pixel, so that they beat. */
        const double grid =
            1 + m * cos(2 * PI * (X * p->pixels + c / 3.0)) + 0.6 * m * cos(2 * PI * Y * p->pixels);

        rgb[c] = (14 + 0.9 * rgb[c]) * grid + glare;
    }
}

static void draw_artefact(struct presentation *p, double t, const struct presentation_head *h,
                          const struct answer *a, struct picture *out)
{
    const struct pose q = pose_at(p, t, a);
    const struct artefact f = artefact_of(p, h);
    const enum presentation_kind kind = p->set.kind;
    const double cy = cos(q.yaw), sy = sin(q.yaw), cp = cos(q.pitch), sp = sin(q.pitch),
                 cr = cos(q.roll), sr = sin(q.roll);
    /* Rows are the artefact's axes in the camera's coordinates: first roll, then pitch, then yaw.
     */
    const double ax[3] = {cr * cy + sr * sp * sy, sr * cp, -cr * sy + sr * sp * cy};
    const double ay[3] = {-sr * cy + cr * sp * sy, cr * cp, sr * sy + cr * sp * cy};
    const double az[3] = {cp * sy, -sp, cp * cy};
    const double o[3] = {-(ax[0] * q.x + ax[1] * q.y + ax[2] * q.z),
                         -(ay[0] * q.x + ay[1] * q.y + ay[2] * q.z),
                         -(az[0] * q.x + az[1] * q.y + az[2] * q.z)};
    const struct answer moves = {.turn = 0.25 * wobble(p, 0, t)}, then = answer_recorded(p, t);
    const double since = fmod(t + p->phase[0], 2.7);
    const double eye = hypot(h->right_x - h->left_x, h->right_y - h->left_y);

    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const double d[3] = {(x + 0.5 - WIDTH / 2.0) / FOCAL, (y + 0.5 - HEIGHT / 2.0) / FOCAL,
                                 1};
            const double dx = ax[0] * d[0] + ax[1] * d[1] + ax[2] * d[2];
            const double dy = ay[0] * d[0] + ay[1] * d[1] + ay[2] * d[2];
            const double dz = az[0] * d[0] + az[1] * d[1] + az[2] * d[2];
            double z = 0, X = 0, Y = 0, rgb[3], sx, sY, s;

            for (int i = 0; i < (q.bend != 0 ? 4 : 1); i++) {
                s = (z - o[2]) / dz;
                X = o[0] + s * dx;
                Y = o[1] + s * dy;
                z = q.bend * X * X;
            }
            if (fabs(X) > f.half_w + f.rim || fabs(Y) > f.half_h + f.rim) {
                picture_sample(&p->room, x + 0.5, y + 0.5, rgb);
                put(p, out, x, y, rgb);
                continue;
            }
            if (fabs(X) > f.half_w || fabs(Y) > f.half_h) {
                rgb[0] = rgb[1] = rgb[2] = is_screen(kind) ? 12 : 235;
                put(p, out, x, y, rgb);
                continue;
            }
            sx = f.cx + X * f.pixels;
            sY = f.cy + Y * f.pixels;
            if (kind == PRESENT_PRINT_EYES) {
                const double l =
                    hypot((sx - h->left_x) / (0.30 * eye), (sY - h->left_y) / (0.17 * eye));
                const double r =
                    hypot((sx - h->right_x) / (0.30 * eye), (sY - h->right_y) / (0.17 * eye));

                if (l < 1 || r < 1) { /* somebody's eyes, two centimetres behind, a little beside */
                    s = (0.02 - o[2]) / dz;
                    sx = f.cx + (o[0] + s * dx) * f.pixels + 0.03 * eye * wobble(p, 3, t);
                    sY = f.cy + (o[1] + s * dy) * f.pixels;
                    (void)lid(h, fmax(blink_at(since), a->blink), sx, &sY);
                }
            }
            if (kind == PRESENT_ANIMATED) {
                const double mx = (sx - h->x) / (0.25 * h->width),
                             my = (sY - h->y - 0.28 * h->height) / (0.12 * h->height);

                sY += 0.03 * h->height * (1 + wobble(p, 1, 3 * t)) * 0.5 * my *
                      exp(-mx * mx - my * my);
                head_warp(h, &moves, &sx, &sY);
                (void)lid(h, blink_at(since), sx, &sY);
            }
            if (kind == PRESENT_RECORDED) {
                head_warp(h, &then, &sx, &sY);
                (void)lid(h, then.blink, sx, &sY);
            }
            picture_sample(f.shown, sx, sY, rgb);
            if (is_screen(kind))
                shine(p, &f, X, Y, x, y, rgb);
            else
                for (int c = 0; c < 3; c++)
                    rgb[c] = 18 + 0.84 * rgb[c]; /* paper's blacks are grey */
            put(p, out, x, y, rgb);
        }
    }
}

int presentation_frame(struct presentation *p, double seconds, enum presentation_asked asked,
                       double asked_at, const struct presentation_head *head, uint8_t **jpeg,
                       size_t *len)
{
    const bool injected = p->set.kind == PRESENT_FROZEN || p->set.kind == PRESENT_LOOP;
    const unsigned again =
        p->set.kind == PRESENT_LOOP ? (unsigned)(seconds * p->set.fps + 0.5) % LOOP_FRAMES : 0;
    const struct answer a = answer_of(p, seconds, asked, asked_at);
    struct picture out = {0};
    int r = -1;

    *jpeg = NULL;
    p->off |= asked == ASKED_UNCOVER && seconds >= asked_at + p->set.answer_after + TAKES_OFF;
    if (injected && p->first_jpeg[again] != NULL) {
        *len = p->first_len[again];
        *jpeg = malloc(*len);
        if (*jpeg == NULL)
            return -1;
        memcpy(*jpeg, p->first_jpeg[again], *len);
        return 0;
    }
    p->next_grain = (unsigned)(dice_next(&p->noise) % GRAINS);
    if (load(p, presentation_source(p, seconds)) < 0 || picture_new(&out, WIDTH, HEIGHT) < 0)
        goto out;
    if (p->set.kind == PRESENT_LIVING || p->set.kind >= PRESENT_MASKED || injected || head == NULL)
        draw_living(p, head, &a, &out);
    else
        draw_artefact(p, seconds, head, &a, &out);
    r = picture_jpeg(&out, 88, jpeg, len);
    if (r == 0 && injected) {
        p->first_jpeg[again] = malloc(*len);
        if (p->first_jpeg[again] != NULL) {
            memcpy(p->first_jpeg[again], *jpeg, *len);
            p->first_len[again] = *len;
        }
    }
out:
    picture_free(&out);
    return r;
}
