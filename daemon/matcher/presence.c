#include "presence.h"

#include "align.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Between frames that are looked at, and between those that are kept. */
#define STEP_US 80000
#define KEY_US 400000

/* Bounds, set on living persons and attacks that tests/sim/presentation makes (figures:
 * models/README.md). */
#define SHAPE_LEAST 0.017
#define SHAPE_PAIRS 8
#define TILT_LEAST 0.08
#define FLAT_MOST 0.16 /* of TILT_NOISE + tilt */
#define TILT_NOISE 0.01
#define FLAT_PAIRS 12
#define STAYS_LEAST 24
#define ALONG_MOST 0.25
#define GRID_HIGH 2.2f
#define GRID_LOW 1.8f
#define GRID_FRAMES 4
#define RETURNS 4
#define LIVES_LEAST 5
#define WATCH_US 1000000
#define WATCH_FRAMES 6
#define WAIT_US 1000000 /* for a quiet head, before it is told to keep still */

#define ANSWER_US 4000000 /* for one challenge */
#define ASKS_MOST 6
#define PAUSE_US 600000 /* between two */
#define GAP_US 700000   /* a face not seen for so long is another visit to the camera */
#define JUMP_MOST 0.7f  /* parts of the box, from frame to frame */
#define TURN_LEAST 0.13f
#define TURN_FRAMES 3
#define DEPTH_LEAST 0.030
#define QUIET_MOST 0.06f /* of yaw; nine of ten moments of the videos' men are quieter */
#define QUIET_US 500000
#define REACT_US 200000 /* picture, screen, eye and muscle: nobody is faster */
#define NEARER_LEAST 1.20f
#define NEARER_STAYS 6
#define NEARER_REACH 1.6f /* a tablet's edge is farther from the face than its background */
#define NEARER_FRAMES 2
#define TWICE_US 1600000 /* between two blinks that belong together */
#define SHUT_MOST 0.74f
#define OPEN_LEAST 0.86f
#define STRAIGHT 0.08f

struct key {
    uint64_t us;
    int width, height;
    struct box box;
    struct point points[LANDMARKS];
    uint8_t small[TRACE_BYTES];
};

enum challenge { TURN_LEFT, TURN_RIGHT, NEARER, BLINK, CHALLENGES };
#define TURNS (1u << TURN_LEFT | 1u << TURN_RIGHT)
static const enum failure challenges[CHALLENGES] = {
    [TURN_LEFT] = FAILURE_FACE_TURN_LEFT,
    [TURN_RIGHT] = FAILURE_FACE_TURN_RIGHT,
    [NEARER] = FAILURE_FACE_COME_NEARER,
    [BLINK] = FAILURE_FACE_BLINK,
};

static struct key *key_at(const struct presence *p, unsigned i)
{
    return (struct key *)(void *)p->keys.data + i;
}

int presence_init(struct presence *p, uint64_t seed)
{
    memset(p, 0, sizeof(*p));
    p->dice = seed;
    p->left = (1u << CHALLENGES) - 1;
    return secret_new(&p->keys, PRESENCE_KEYS * sizeof(struct key));
}

void presence_free(struct presence *p)
{
    secret_free(&p->keys);
    explicit_bzero(p, sizeof(*p));
}

/* ---- geometry -------------------------------------------------------------------------------- */

/* Gauss with pivots; rows of 9, the last is the right side. */
static int solve(double a[8][9])
{
    for (int i = 0; i < 8; i++) {
        int best = i;

        for (int k = i + 1; k < 8; k++)
            if (fabs(a[k][i]) > fabs(a[best][i]))
                best = k;
        if (!(fabs(a[best][i]) > 1e-10))
            return -EDOM;
        for (int c = 0; c < 9; c++) {
            const double t = a[i][c];

            a[i][c] = a[best][c];
            a[best][c] = t;
        }
        for (int k = 0; k < 8; k++) {
            const double f = k == i ? 0 : a[k][i] / a[i][i];

            for (int c = i; c < 9; c++)
                a[k][c] -= f * a[i][c];
        }
    }
    for (int i = 0; i < 8; i++)
        a[i][8] /= a[i][i];
    return 0;
}

static struct point middle_of(const struct point *points, int n)
{
    struct point sum = {0, 0};

    for (int i = 0; i < n; i++) {
        sum.x += points[i].x;
        sum.y += points[i].y;
    }
    return (struct point){sum.x / (float)n, sum.y / (float)n};
}

static int fit_plane(const struct point *from, const struct point *to, int n, double scale,
                     double *left_over, double *squeeze)
{
    const struct point a = middle_of(from, n), b = middle_of(to, n);
    double m[8][9] = {{0}}, sum = 0, e, f, g, h;

    if (!(scale > 0))
        return -EDOM;
    for (int i = 0; i < n; i++) {
        const double x = (double)(from[i].x - a.x) / scale, y = (double)(from[i].y - a.y) / scale;
        const double u = (double)(to[i].x - b.x) / scale, v = (double)(to[i].y - b.y) / scale;
        const double one[9] = {x, y, 1, 0, 0, 0, -u * x, -u * y, u},
                     two[9] = {0, 0, 0, x, y, 1, -v * x, -v * y, v};

        for (int r = 0; r < 8; r++)
            for (int c = 0; c < 9; c++)
                m[r][c] += one[r] * one[c] + two[r] * two[c];
    }
    if (solve(m) < 0)
        return -EDOM;
    for (int i = 0; i < n; i++) {
        const double x = (double)(from[i].x - a.x) / scale, y = (double)(from[i].y - a.y) / scale;
        const double w = m[6][8] * x + m[7][8] * y + 1;
        const double du =
            (m[0][8] * x + m[1][8] * y + m[2][8]) / w - (double)(to[i].x - b.x) / scale;
        const double dv =
            (m[3][8] * x + m[4][8] * y + m[5][8]) / w - (double)(to[i].y - b.y) / scale;

        sum += du * du + dv * dv;
    }
    if (!isfinite(sum))
        return -EDOM;
    *left_over = sqrt(sum / n);
    /* Singular values of the linear part: how unequally it stretches. */
    e = (m[0][8] + m[4][8]) / 2;
    f = (m[0][8] - m[4][8]) / 2;
    g = (m[3][8] + m[1][8]) / 2;
    h = (m[3][8] - m[1][8]) / 2;
    *squeeze = (hypot(e, h) + hypot(f, g)) / fmax(fabs(hypot(e, h) - hypot(f, g)), 1e-6);
    return 0;
}

static double apart(const struct point *points, int a, int b)
{
    return hypot((double)(points[a].x - points[b].x), (double)(points[a].y - points[b].y));
}

int presence_plane(const struct point from[LANDMARKS], const struct point to[LANDMARKS],
                   double *left_over, double *squeeze)
{
    return fit_plane(from, to, LANDMARKS, apart(from, 36, 45), left_over, squeeze);
}

int presence_depth(const struct point from[LANDMARKS], const struct point to[LANDMARKS],
                   double *depth)
{
    static const uint8_t rigid[] = {0,  1,  2,  3,  13, 14, 15, 16, 27, 28, 29,
                                    30, 31, 32, 33, 34, 35, 36, 39, 42, 45};
    struct point a[sizeof(rigid)], b[sizeof(rigid)];
    double squeeze;

    for (size_t i = 0; i < sizeof(rigid); i++) {
        a[i] = from[rigid[i]];
        b[i] = to[rigid[i]];
    }
    return fit_plane(a, b, (int)sizeof(rigid), apart(from, 36, 45), depth, &squeeze);
}

float presence_openness(const struct point points[LANDMARKS])
{
    double sum = 0;

    for (int eye = 36; eye <= 42; eye += 6) {
        const double across = apart(points, eye, eye + 3);

        if (across > 0)
            sum +=
                (apart(points, eye + 1, eye + 5) + apart(points, eye + 2, eye + 4)) / (2 * across);
    }
    return (float)(sum / 2);
}

/* ---- the surround ---------------------------------------------------------------------------- */

#define CELL 8

/* Grey at a place between pixels; negative outside. */
static float grey_at(const uint8_t *small, float x, float y)
{
    const float fx = floorf(x), fy = floorf(y), u = x - fx, v = y - fy;
    const uint8_t *a;

    if (!(x >= 0) || !(y >= 0) || !(x < TRACE_WIDTH - 1) || !(y < TRACE_HEIGHT - 1))
        return -1;
    a = small + (int)fy * TRACE_WIDTH + (int)fx;
    return (1 - v) * ((1 - u) * (float)a[0] + u * (float)a[1]) +
           v * ((1 - u) * (float)a[TRACE_WIDTH] + u * (float)a[TRACE_WIDTH + 1]);
}

/* Variances of a cell: its own, of the change if it stayed, of the change if it moved by (dx, dy).
 * False: cut off. */
static bool cell_look(const uint8_t *before, const uint8_t *now, float x, float y, float dx,
                      float dy, float out[3])
{
    float sum[3] = {0}, squares[3] = {0};

    for (int j = -CELL / 2; j < CELL / 2; j++) {
        for (int i = -CELL / 2; i < CELL / 2; i++) {
            const float a = grey_at(before, x + (float)i, y + (float)j),
                        b = grey_at(now, x + (float)i, y + (float)j);
            const float c = grey_at(now, x + (float)i + dx, y + (float)j + dy);
            const float v[3] = {a, a - b, a - c};

            if (a < 0 || b < 0 || c < 0)
                return false;
            for (int k = 0; k < 3; k++) {
                sum[k] += v[k];
                squares[k] += v[k] * v[k];
            }
        }
    }
    for (int k = 0; k < 3; k++)
        out[k] = (squares[k] - sum[k] * sum[k] / (CELL * CELL)) / (CELL * CELL);
    return true;
}

/* Beside and above the head, in box sizes from its middle: not the shoulders, they are the person's
 * own. */
static bool beside(float rx, float ry, float reach)
{
    return (fabsf(rx) > 0.68f && fabsf(rx) < 1.3f * reach && ry > -0.9f && ry < 0.25f) ||
           (ry < -0.72f && ry > -1.1f * reach && fabsf(rx) < 0.9f);
}

#define TEXTURE 20.0f /* variance from which a cell can tell where it went */
#define MOVED 0.7f    /* of a pixel of the small picture: less cannot be told */

/* reach: how far, 1 for what is next to the head. */
static void look_around(const struct key *before, const struct presence_frame *now, float reach,
                        unsigned *stays, unsigned *along)
{
    const float kx = (float)TRACE_WIDTH / (float)now->width,
                ky = (float)TRACE_HEIGHT / (float)now->height;
    const float w = box_width(&before->box), h = box_height(&before->box);
    const float cx = (before->box.x0 + before->box.x1) / 2,
                cy = (before->box.y0 + before->box.y1) / 2;
    struct warp_map map;

    if (before->width != now->width || before->height != now->height || !(w > 0) || !(h > 0) ||
        align_similarity(before->points, now->points, LANDMARKS, &map) < 0)
        return;
    for (int y = CELL; y <= TRACE_HEIGHT - CELL; y += CELL) {
        for (int x = CELL; x <= TRACE_WIDTH - CELL; x += CELL) {
            const float fx = (float)x / kx, fy = (float)y / ky;
            const float dx = (map.a * fx + map.b * fy + map.c) * kx - (float)x;
            const float dy = (map.d * fx + map.e * fy + map.f) * ky - (float)y;
            float v[3];

            if (!beside((fx - cx) / w, (fy - cy) / h, reach) || dx * dx + dy * dy < MOVED * MOVED ||
                !cell_look(before->small, now->small, (float)x, (float)y, dx, dy, v) ||
                v[0] < TEXTURE)
                continue;
            *stays += v[1] < v[2] / 2 && v[1] < v[0] / 2;
            *along += v[2] < v[1] / 2 && v[2] < v[0] / 2;
        }
    }
}

/* ---- evidence over time ---------------------------------------------------------------------- */

static void compare_keys(struct presence *p, const struct presence_frame *frame)
{
    struct presence_counts *c = &p->counts;

    for (unsigned i = 0; i < p->nkeys; i++) {
        const struct key *key = key_at(p, i);
        double left_over, squeeze;

        if (frame->captured_us < key->us + KEY_US ||
            presence_plane(key->points, frame->points, &left_over, &squeeze) < 0)
            continue;
        c->shape += left_over >= SHAPE_LEAST;
        if (squeeze - 1 >= TILT_LEAST) {
            c->tilted++;
            c->flat += left_over < FLAT_MOST * (TILT_NOISE + squeeze - 1);
        }
        if (frame->small != NULL)
            look_around(key, frame, 1, &c->stays, &c->along);
    }
}

static void keep_key(struct presence *p, const struct presence_frame *frame)
{
    struct key *key = key_at(p, p->next_key);

    if (frame->small == NULL || (p->nkeys > 0 && frame->captured_us < p->key_us + KEY_US))
        return;
    key->us = p->key_us = frame->captured_us;
    key->width = frame->width;
    key->height = frame->height;
    key->box = frame->box;
    memcpy(key->points, frame->points, sizeof(key->points));
    memcpy(key->small, frame->small, TRACE_BYTES);
    p->next_key = (p->next_key + 1) % PRESENCE_KEYS;
    if (p->nkeys < PRESENCE_KEYS)
        p->nkeys++;
}

static void set_state(struct presence *p, enum liveness state, enum presence_reason reason)
{
    if (p->state == LIVENESS_FAILED || (p->state == LIVENESS_PASSED && state != LIVENESS_FAILED))
        return;
    p->state = state;
    p->reason = reason;
}

static void judge(struct presence *p, const struct presence_rule *rule)
{
    const struct presence_counts *c = &p->counts;
    const bool room_stays =
        c->stays >= STAYS_LEAST && c->along <= ALONG_MOST * (c->stays + c->along);
    const bool no_grid = c->grids >= GRID_FRAMES && c->grid_high * 8 <= c->grids;
    const bool score = c->lives >= LIVES_LEAST && c->live_sum / c->lives >= (double)rule->live_pass;

    if (c->flat >= FLAT_PAIRS && c->flat * 5 >= c->tilted * 4)
        set_state(p, LIVENESS_FAILED, PRESENCE_FLAT);
    if (c->grid_high >= GRID_FRAMES && c->grid_high * 2 >= c->grids)
        set_state(p, LIVENESS_FAILED, PRESENCE_GRID);
    if (c->returns >= RETURNS)
        set_state(p, LIVENESS_FAILED, PRESENCE_RETURN);
    p->strong = presence_watched(p) && c->shape >= SHAPE_PAIRS && room_stays && no_grid && score;
    if (p->strong && !rule->answer)
        set_state(p, LIVENESS_PASSED, PRESENCE_BY_TIME);
    p->carried = c->along >= STAYS_LEAST && c->along > c->stays;
    if (p->turned > 0 && p->turned + p->more >= (p->strong ? 1 : 2) + p->missed &&
        (!p->carried || p->neared))
        set_state(p, LIVENESS_PASSED, PRESENCE_ANSWERED);
}

bool presence_watched(const struct presence *p)
{
    return p->frames >= WATCH_FRAMES && p->last_us - p->first_us >= WATCH_US;
}

bool presence_open(const struct presence *p)
{
    return p->state == LIVENESS_NOT_CHECKED && presence_watched(p);
}

/* ---- challenges ------------------------------------------------------------------------------ */

static uint64_t throw_dice(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void ask_end(struct presence *p, uint64_t now_us)
{
    p->asked = FAILURE_NONE;
    p->quiet_until_us = now_us + PAUSE_US;
}

/* The head has not turned for QUIET_US: what comes now is an answer, not something that was going
 * on. */
static bool quiet(const struct presence *p, uint64_t now_us)
{
    const unsigned n = p->nrecent < PRESENCE_RECENT ? p->nrecent : PRESENCE_RECENT;
    float low = INFINITY, high = -INFINITY;

    for (unsigned i = 1; i <= n; i++) {
        const struct presence_yaw *r = &p->recent[(p->nrecent - i) % PRESENCE_RECENT];

        low = fminf(low, r->yaw);
        high = fmaxf(high, r->yaw);
        if (r->us + QUIET_US <= now_us)
            return high - low <= QUIET_MOST;
    }
    return false;
}

/* Something that was not asked yet; what is missing, when only one thing would do. */
static enum challenge throw_challenge(struct presence *p)
{
    const bool turn = p->turned == 0 && (p->left & TURNS) != 0 && (p->strong || p->more > 0);
    const bool nearer = !turn && p->carried && p->done > 0 && (p->left & 1u << NEARER) != 0;
    const unsigned from = turn ? p->left & TURNS : nearer ? 1u << NEARER : p->left;
    unsigned which;

    do
        which = (unsigned)(throw_dice(&p->dice) % CHALLENGES);
    while ((from & (1u << which)) == 0);
    return (enum challenge)which;
}

void presence_ask(struct presence *p, uint64_t now_us)
{
    enum challenge which;

    if (p->asked != FAILURE_NONE || p->left == 0 || p->done >= ASKS_MOST ||
        now_us < p->quiet_until_us || p->state != LIVENESS_NOT_CHECKED || !(p->eyes_before > 0))
        return;
    if (!p->wanted)
        p->wanted_us = now_us;
    p->wanted = true;
    if (!quiet(p, now_us))
        return;
    which = throw_challenge(p);
    p->wanted = false;
    p->left &= ~(1u << which);
    p->done++;
    p->asked = challenges[which];
    p->asked_us = now_us;
    p->reached = p->shut = false;
    p->answering = p->contrary = p->early = p->blinks = p->others = 0;
}

enum failure presence_hint(const struct presence *p)
{
    if (p->asked != FAILURE_NONE)
        return p->reached ? FAILURE_FACE_TURNED : p->asked;
    return p->wanted && p->last_us > p->wanted_us + WAIT_US ? FAILURE_FACE_TURNED : FAILURE_NONE;
}

static float blend(float before, float now)
{
    return before > 0 ? before + 0.2f * (now - before) : now;
}

/* How the face stands when nothing is asked of it: what an answer is measured against. */
static void learn(struct presence *p, const struct presence_frame *frame)
{
    const float open = presence_openness(frame->points);

    p->yaw_before =
        p->eyes_before > 0 ? p->yaw_before + 0.2f * (frame->yaw - p->yaw_before) : frame->yaw;
    p->eyes_before = blend(p->eyes_before, frame->eyes);
    /* Blinks do not count as the ordinary state. */
    if (!(p->open_before > 0) || open > SHUT_MOST * p->open_before)
        p->open_before = blend(p->open_before, open);
}

static bool nearer_in_the_room(const struct presence *p, const struct presence_frame *frame)
{
    unsigned stays = 0, along = 0;

    if (frame->eyes < NEARER_LEAST * p->eyes_before || frame->small == NULL)
        return false;
    for (unsigned i = 0; i < p->nkeys; i++)
        look_around(key_at(p, i), frame, NEARER_REACH, &stays, &along);
    return stays >= NEARER_STAYS && along * 3 <= stays;
}

/* What a plane cannot explain between before the question and now: over all that was kept. */
static double depth_since(const struct presence *p, const struct presence_frame *frame)
{
    double sum = 0, depth;
    unsigned n = 0;

    for (unsigned i = 0; i < p->nkeys; i++) {
        if (presence_depth(key_at(p, i)->points, frame->points, &depth) < 0)
            continue;
        sum += depth;
        n++;
    }
    return n > 0 ? sum / n : 0;
}

/* Two blinks that belong together, none of them from before anybody could react. */
static bool blinked_twice(struct presence *p, const struct presence_frame *frame)
{
    const float open = presence_openness(frame->points);

    if (frame->captured_us < p->asked_us + REACT_US)
        return false;
    if (!p->shut && open <= SHUT_MOST * p->open_before) {
        p->shut = true;
    } else if (p->shut && open >= OPEN_LEAST * p->open_before) {
        p->shut = false;
        p->blinks = p->blinks > 0 && frame->captured_us <= p->blinked_us + TWICE_US ? 2 : 1;
        p->blinked_us = frame->captured_us;
    }
    return p->blinks >= 2;
}

static bool is_turn(enum failure asked)
{
    return asked == FAILURE_FACE_TURN_LEFT || asked == FAILURE_FACE_TURN_RIGHT;
}

/* A turn: the way that was asked, the other way, or before it could be one. */
static void see_turn(struct presence *p, const struct presence_frame *frame)
{
    /* The person's own left is the picture's right. */
    const float sign = p->asked == FAILURE_FACE_TURN_LEFT ? 1 : -1;
    const float turn = sign * (frame->yaw - p->yaw_before);

    if (fabsf(turn) >= TURN_LEAST && frame->captured_us < p->asked_us + REACT_US)
        p->early++;
    else if (turn <= -TURN_LEAST)
        p->contrary++;
    else if (turn >= TURN_LEAST && depth_since(p, frame) >= DEPTH_LEAST)
        p->answering++;
}

/* True once this frame and those before it show what was asked for. */
static bool answered(struct presence *p, const struct presence_frame *frame)
{
    if (is_turn(p->asked)) {
        see_turn(p, frame);
        return p->answering >= TURN_FRAMES;
    }
    if (p->asked == FAILURE_FACE_BLINK)
        return blinked_twice(p, frame);
    p->answering += nearer_in_the_room(p, frame);
    return p->answering >= NEARER_FRAMES;
}

static void take_answer(struct presence *p, const struct presence_rule *rule,
                        const struct presence_frame *frame)
{
    const bool straight = fabsf(frame->yaw - p->yaw_before) < STRAIGHT;

    if (frame->captured_us > p->asked_us + ANSWER_US) {
        ask_end(p, frame->captured_us);
        return;
    }
    if (frame->score_known && frame->score < rule->different)
        p->others++;
    if (!p->reached)
        p->reached = answered(p, frame);
    if (!p->reached && (p->contrary >= TURN_FRAMES || p->early > 0)) {
        p->missed++;
        p->left |= p->asked == FAILURE_FACE_TURN_LEFT ? 1u << TURN_LEFT : 1u << TURN_RIGHT;
        ask_end(p, frame->captured_us);
        return;
    }
    if (p->reached && (straight || p->asked == FAILURE_FACE_COME_NEARER) && frame->score_known &&
        frame->score >= rule->threshold) {
        if (p->others < 2 && is_turn(p->asked))
            p->turned++;
        else if (p->others < 2)
            p->more++;
        p->neared |= p->others < 2 && p->asked == FAILURE_FACE_COME_NEARER;
        ask_end(p, frame->captured_us);
    }
}

/* The face is not where it was: an answer that is under way is worth nothing. */
static bool lost(const struct presence *p, const struct presence_frame *frame)
{
    const struct box *a = &p->last_box, *b = &frame->box;
    const float size = fmaxf(box_width(a), box_width(b));

    return frame->captured_us > p->last_us + GAP_US ||
           fabsf(a->x0 + a->x1 - b->x0 - b->x1) > 2 * JUMP_MOST * size ||
           fabsf(a->y0 + a->y1 - b->y0 - b->y1) > 2 * JUMP_MOST * size;
}

void presence_add(struct presence *p, const struct presence_rule *rule,
                  const struct presence_frame *frame)
{
    struct presence_counts *c = &p->counts;

    if (frame->points == NULL) {
        if (p->asked != FAILURE_NONE && frame->captured_us > p->asked_us + ANSWER_US)
            ask_end(p, frame->captured_us);
        return;
    }
    if (p->frames > 0 && frame->captured_us < p->last_us + STEP_US)
        return;
    if (p->frames == 0)
        p->first_us = frame->captured_us;
    else if (p->asked != FAILURE_NONE && lost(p, frame))
        ask_end(p, frame->captured_us);
    p->frames++;
    p->last_us = frame->captured_us;
    p->last_box = frame->box;
    p->recent[p->nrecent++ % PRESENCE_RECENT] =
        (struct presence_yaw){frame->captured_us, frame->yaw};
    compare_keys(p, frame);
    if (frame->grid > 0) {
        c->grids++;
        c->grid_high += frame->grid >= GRID_HIGH;
    }
    if (frame->live_known) {
        c->lives++;
        c->live_sum += (double)frame->live;
    }
    if (p->asked != FAILURE_NONE)
        take_answer(p, rule, frame);
    else if (frame->score_known)
        learn(p, frame);
    judge(p, rule);
    if (p->asked == FAILURE_NONE) /* an answer is compared with what was before it */
        keep_key(p, frame);
}

void presence_repeated(struct presence *p, unsigned ago)
{
    if (ago < 2)
        return;
    p->counts.returns++;
    if (p->counts.returns >= RETURNS)
        set_state(p, LIVENESS_FAILED, PRESENCE_RETURN);
}
