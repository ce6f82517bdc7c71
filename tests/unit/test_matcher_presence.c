/*
 * Liveness over time, without a picture: heads made of points that turn, speak and blink, planes
 * that are tilted, rooms that stay and papers that move along. What real nets and drawn frames come
 * to is shown by tests/visit-figures.sh.
 */
#include "daemon/matcher/presence.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define STEP_US 100000
#define WIDTH 640
#define HEIGHT 480

/* "passive", and "challenge". */
static const struct presence_rule by_time = {
    .live_pass = 0.5f, .threshold = 0.41f, .different = 0.24f};
static const struct presence_rule by_answer = {
    .live_pass = 0.5f, .threshold = 0.41f, .different = 0.24f, .answer = true};

/* ---- a head of 68 points in space: not the product's, a sphere with a nose ------------------- */

struct space {
    double x, y, z;
};

static void head_points(struct space out[LANDMARKS])
{
    for (int i = 0; i < LANDMARKS; i++)
        out[i] = (struct space){0, 0, 0};
    for (int i = 0; i <= 16; i++) { /* jaw */
        const double a = (i - 8) / 8.0 * 1.5;

        out[i] = (struct space){sin(a), 0.2 + 0.9 * cos(a), 0.55 * cos(a)};
    }
    for (int i = 17; i <= 26; i++) /* brows */
        out[i] = (struct space){(i - 21.5) / 4.5 * 0.75, -0.45, 0.8};
    for (int i = 27; i <= 30; i++) /* ridge of the nose */
        out[i] = (struct space){0, -0.25 + (i - 27) * 0.15, 0.95 + (i - 27) * 0.12};
    for (int i = 31; i <= 35; i++)
        out[i] = (struct space){(i - 33) * 0.1, 0.3, 1.05};
    for (int e = 0; e < 2; e++) {
        static const double lid[6][2] = {{-0.18, 0}, {-0.07, -0.06}, {0.07, -0.06},
                                         {0.18, 0},  {0.07, 0.06},   {-0.07, 0.06}};

        for (int i = 0; i < 6; i++)
            out[36 + 6 * e + i] =
                (struct space){(e == 0 ? -0.38 : 0.38) + lid[i][0], -0.25 + lid[i][1], 0.82};
    }
    for (int i = 48; i < 68; i++) { /* mouth */
        const double a = (i - 48) / 10.0 * 3.14159;

        out[i] = (struct space){-0.3 * cos(a), 0.62 - 0.1 * sin(a), 0.88};
    }
}

struct look {
    double yaw, pitch;  /* of the head, or of the plane it is printed on */
    bool flat;          /* printed: the points first lie down in a plane */
    double shut, mouth; /* 0..1 */
    double x, y, scale; /* middle, pixels a unit */
    double noise;       /* pixels */
};

static uint32_t noise_state = 1;
static double noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (noise_state >> 8) / 8388608.0 - 1;
}

static void see(const struct look *l, struct point out[LANDMARKS])
{
    struct space p[LANDMARKS];

    head_points(p);
    for (int e = 36; e < 48; e++)
        p[e].y = -0.25 + (p[e].y + 0.25) * (1 - 0.85 * l->shut);
    for (int i = 55; i <= 59; i++)
        p[i].y += 0.25 * l->mouth;
    for (int i = 65; i <= 67; i++)
        p[i].y += 0.25 * l->mouth;
    for (int i = 0; i < LANDMARKS; i++) {
        const double z0 = l->flat ? 0 : p[i].z;
        const double x = p[i].x * cos(l->yaw) + z0 * sin(l->yaw),
                     z1 = z0 * cos(l->yaw) - p[i].x * sin(l->yaw);
        const double y = p[i].y * cos(l->pitch) - z1 * sin(l->pitch),
                     z = z1 * cos(l->pitch) + p[i].y * sin(l->pitch);
        const double near = 8 / (8 - z); /* eight head radii before the camera */

        out[i].x = (float)(l->x + l->scale * x * near + l->noise * noise());
        out[i].y = (float)(l->y + l->scale * y * near + l->noise * noise());
    }
}

/* ---- a room and what is in it ---------------------------------------------------------------- */

/* The small picture: a pattern that stays, or goes with the head (dx, dy in its pixels). */
static void room(uint8_t *small, double dx, double dy)
{
    double across[TRACE_WIDTH], down[TRACE_HEIGHT], both[TRACE_WIDTH + TRACE_HEIGHT];

    for (int x = 0; x < TRACE_WIDTH; x++)
        across[x] = 50 * sin((x - dx) * 0.55);
    for (int y = 0; y < TRACE_HEIGHT; y++)
        down[y] = cos((y - dy) * 0.48);
    for (int i = 0; i < TRACE_WIDTH + TRACE_HEIGHT; i++)
        both[i] = 128 + 35 * sin((i - dx - dy) * 0.31);
    for (int y = 0; y < TRACE_HEIGHT; y++)
        for (int x = 0; x < TRACE_WIDTH; x++)
            small[y * TRACE_WIDTH + x] = (uint8_t)(both[x + y] + across[x] * down[y]);
}

struct scene {
    struct presence presence;
    const struct presence_rule *rule;
    unsigned n;
    uint8_t small[TRACE_BYTES];
};

static const struct look still = {.x = 320, .y = 250, .scale = 80, .noise = 0.15};

static void begin(struct scene *s, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->rule = &by_time;
    assert_int_equal(presence_init(&s->presence, seed), 0);
}

/* One frame; the carrier, if any, moves along with the head. */
static void frame(struct scene *s, const struct look *l, bool carried, float grid, float live,
                  float score)
{
    struct point points[LANDMARKS], five[FACE_POINTS];
    struct presence_frame f = {
        .captured_us = 1000000 + (uint64_t)s->n++ * STEP_US, .width = WIDTH, .height = HEIGHT};

    see(l, points);
    landmarks_five(points, five);
    room(s->small, carried ? (l->x - still.x) / 4 : 0, carried ? (l->y - still.y) / 4 : 0);
    f.box = (struct box){(float)(l->x - l->scale), (float)(l->y - 1.1 * l->scale),
                         (float)(l->x + l->scale), (float)(l->y + 1.3 * l->scale)};
    f.points = points;
    f.small = s->small;
    f.grid = grid;
    f.eyes = five[POINT_EYE_RIGHT].x - five[POINT_EYE_LEFT].x;
    f.yaw = (five[POINT_NOSE].x - (five[POINT_EYE_LEFT].x + five[POINT_EYE_RIGHT].x) / 2) / f.eyes;
    f.live_known = f.score_known = true;
    f.live = live;
    f.score = score;
    presence_add(&s->presence, s->rule, &f);
}

static void nothing_is_known_before_anything_was_seen(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED);
    assert_false(presence_watched(&s.presence));
    assert_false(presence_open(&s.presence));
    assert_int_equal(presence_hint(&s.presence), FAILURE_NONE);
    presence_free(&s.presence);
}

static void speak(struct scene *s, int frames)
{
    for (int i = 0; i < frames; i++) {
        struct look l = still;

        l.yaw = 0.12 * sin(i * 0.45);
        l.mouth = 0.5 + 0.5 * sin(i * 1.3);
        l.x += 12 * sin(i * 0.5);
        frame(s, &l, false, 1.3f, 0.9f, 0.8f);
    }
}

static void a_person_who_speaks_and_turns_a_little_passes_by_time(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    speak(&s, 40);
    assert_int_equal(s.presence.state, LIVENESS_PASSED);
    assert_int_equal(s.presence.reason, PRESENCE_BY_TIME);
    presence_free(&s.presence);
}

/* A film of that person on a fine screen looks the same: where an answer is wanted, time passes
 * nobody. */
static void time_alone_passes_nobody_where_an_answer_is_wanted(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    s.rule = &by_answer;
    speak(&s, 200);
    assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED);
    assert_true(s.presence.strong);
    assert_true(presence_open(&s.presence));
    presence_free(&s.presence);
}

/* The same person, when one of the four kinds of evidence does not speak for him: thin, not failed.
 */
static void evidence_that_is_missing_makes_it_thin_and_never_failed(void **state)
{
    static const struct {
        bool carried;
        float grid, live;
        double moves;
    } rows[] = {
        {true, 1.3f, 0.9f, 1}, {false, 0, 0.9f, 1}, {false, 1.3f, 0.1f, 1}, {false, 1.3f, 0.9f, 0}};

    (void)state;
    for (size_t r = 0; r < 4; r++) {
        struct scene s;

        begin(&s, 1);
        for (int i = 0; i < 60; i++) {
            struct look l = still;

            l.yaw = rows[r].moves * 0.12 * sin(i * 0.45);
            l.mouth = rows[r].moves * (0.5 + 0.5 * sin(i * 1.3));
            l.x += 12 * sin(i * 0.5);
            frame(&s, &l, rows[r].carried, rows[r].grid, rows[r].live, 0.8f);
        }
        assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED);
        assert_true(presence_open(&s.presence));
        assert_false(s.presence.strong);
        presence_free(&s.presence);
    }
}

static void a_picture_that_is_tilted_fails_and_stays_failed(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 40; i++) {
        struct look l = still;

        l.flat = true;
        l.yaw = 0.6 * sin(i * 0.4);
        l.pitch = 0.3 * sin(i * 0.3);
        frame(&s, &l, true, 1.3f, 0.9f, 0.8f);
    }
    assert_int_equal(s.presence.state, LIVENESS_FAILED);
    assert_int_equal(s.presence.reason, PRESENCE_FLAT);
    presence_ask(&s.presence, 90000000);
    assert_int_equal(presence_hint(&s.presence), FAILURE_NONE); /* nothing is asked any more */
    for (int i = 0; i < 40; i++) {
        struct look l = still;

        l.yaw = 0.12 * sin(i * 0.45);
        l.mouth = 0.5 + 0.5 * sin(i * 1.3);
        frame(&s, &l, false, 1.3f, 0.9f, 0.8f);
    }
    assert_int_equal(s.presence.state, LIVENESS_FAILED);
    presence_free(&s.presence);
}

static void a_head_that_turns_as_far_is_not_taken_for_a_plane(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 40; i++) {
        struct look l = still;

        l.yaw = 0.5 * sin(i * 0.4);
        l.pitch = 0.2 * sin(i * 0.3);
        frame(&s, &l, false, 0, 0.1f, 0.8f);
    }
    assert_int_not_equal(s.presence.state, LIVENESS_FAILED);
    assert_true(s.presence.counts.tilted > 0);
    presence_free(&s.presence);
}

static void a_screens_grid_in_most_frames_fails(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 8; i++)
        frame(&s, &still, false, i % 4 == 0 ? 1.4f : 2.9f, 0.9f, 0.8f);
    assert_int_equal(s.presence.state, LIVENESS_FAILED);
    assert_int_equal(s.presence.reason, PRESENCE_GRID);
    presence_free(&s.presence);
}

static void frames_that_come_again_fail_but_a_camera_that_froze_does_not(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 100; i++)
        presence_repeated(&s.presence, 1);
    assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED);
    for (int i = 0; i < 3; i++)
        presence_repeated(&s.presence, 15);
    assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED);
    presence_repeated(&s.presence, 15);
    assert_int_equal(s.presence.state, LIVENESS_FAILED);
    assert_int_equal(s.presence.reason, PRESENCE_RETURN);
    presence_free(&s.presence);
}

/* ---- answers --------------------------------------------------------------------------------- */

enum who {
    PERSON,
    PICTURE,
    SOMEBODY_ELSE,
    NOBODY_FOR_A_SECOND,
    WHO_CANNOT_TURN, /* does everything else */
    WRONG_WAY_ONCE,  /* takes the first left for right */
    WRONG_WAY_ALWAYS,
    BEFORE_IT_IS_ASKED,  /* moves within a tenth of a second */
    BLINKS_ON_HIS_OWN,   /* every 2.5 s, and does nothing else */
    RESTLESS,            /* his head never keeps still */
    GOES_WITH_THE_SCENE, /* does all, but what is beside him comes along */
};

/* What is asked is tried, one after the other, until it is enough. Returns how much was asked. */
static unsigned try_all(struct scene *s, uint64_t seed, enum who who)
{
    unsigned asked = 0, since = 0, wrong = 0;
    enum failure last = FAILURE_NONE;

    begin(s, seed);
    s->rule = &by_answer;
    for (int i = 0; i < 300 && s->presence.state == LIVENESS_NOT_CHECKED; i++) {
        const enum failure now = s->presence.asked;
        const unsigned delay = who == BEFORE_IT_IS_ASKED ? 0 : 4;
        struct look l = still;
        double along, turn;

        since = now != FAILURE_NONE && now == last ? since + 1 : 0;
        if (now != FAILURE_NONE && now != last) {
            asked++;
            wrong += now == FAILURE_FACE_TURN_LEFT || now == FAILURE_FACE_TURN_RIGHT;
        }
        last = now;
        along = now == FAILURE_NONE || since < delay || since > delay + 12
                    ? 0
                    : sin((since - delay + (delay == 0 ? 3 : 0)) / 12.0 * 3.14159);
        turn = who == WHO_CANNOT_TURN || who == BLINKS_ON_HIS_OWN ? 0 : 0.6 * along;
        if (who == WRONG_WAY_ALWAYS || (who == WRONG_WAY_ONCE && wrong == 1))
            turn = -turn;
        l.flat = who == PICTURE;
        l.x += (who == GOES_WITH_THE_SCENE ? 24 : 6) * sin(i * 0.5);
        if (now == FAILURE_FACE_TURN_LEFT)
            l.yaw = turn;
        if (now == FAILURE_FACE_TURN_RIGHT)
            l.yaw = -turn;
        if (who == RESTLESS)
            l.yaw += 0.3 * sin(i * 0.9);
        if (now == FAILURE_FACE_COME_NEARER && who != BLINKS_ON_HIS_OWN)
            l.scale *= 1 + 0.4 * along;
        if (now == FAILURE_FACE_BLINK && who != PICTURE)
            l.shut = since % 6 >= 4 ? 1 : 0;
        if (who == BLINKS_ON_HIS_OWN)
            l.shut = i % 25 < 2 ? 1 : 0;
        if (who == NOBODY_FOR_A_SECOND && since >= 8 && since <= 14) {
            s->n++; /* away in the middle of the answer */
            continue;
        }
        frame(s, &l, who == PICTURE || who == GOES_WITH_THE_SCENE, 0, 0.1f,
              who == SOMEBODY_ELSE && since > 4 && since < 16 ? 0.02f : 0.8f);
        if (presence_open(&s->presence))
            presence_ask(&s->presence, 1000000 + (uint64_t)s->n * STEP_US);
    }
    return asked;
}

static void a_person_who_does_what_is_asked_passes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scene s;
        const unsigned asked = try_all(&s, seed, PERSON);

        assert_int_equal(s.presence.state, LIVENESS_PASSED);
        assert_int_equal(s.presence.reason, PRESENCE_ANSWERED);
        assert_int_equal(asked, 2); /* one of them a turn */
        assert_true(s.presence.turned > 0);
        presence_free(&s.presence);
    }
}

static void where_time_speaks_for_a_person_one_turn_is_enough(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct scene s;
        unsigned asked = 0, since = 0;

        begin(&s, seed);
        s.rule = &by_answer;
        speak(&s, 60);
        assert_true(s.presence.strong);
        for (int i = 0; i < 60 && s.presence.state == LIVENESS_NOT_CHECKED; i++) {
            const enum failure now = s.presence.asked;
            struct look l = still;

            since = now != FAILURE_NONE ? since + 1 : 0;
            asked += since == 1;
            if (since >= 4 && since <= 16)
                l.yaw = (now == FAILURE_FACE_TURN_LEFT ? 0.6 : -0.6) *
                        sin((since - 4) / 12.0 * 3.14159);
            frame(&s, &l, false, 1.3f, 0.9f, 0.8f);
            presence_ask(&s.presence, 1000000 + (uint64_t)s.n * STEP_US);
            assert_true(s.presence.asked == FAILURE_NONE ||
                        s.presence.asked == FAILURE_FACE_TURN_LEFT ||
                        s.presence.asked == FAILURE_FACE_TURN_RIGHT);
        }
        assert_int_equal(s.presence.state, LIVENESS_PASSED);
        assert_int_equal(asked, 1);
        presence_free(&s.presence);
    }
}

static void nobody_passes(enum who who)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct scene s;

        (void)try_all(&s, seed, who);
        assert_int_not_equal(s.presence.state, LIVENESS_PASSED);
        presence_free(&s.presence);
    }
}

static void without_a_turn_nobody_passes(void **state)
{
    (void)state;
    nobody_passes(WHO_CANNOT_TURN);
    nobody_passes(BLINKS_ON_HIS_OWN);
}

static void the_other_way_costs_one_answer_more_and_never_passes_by_itself(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct scene s;
        const unsigned asked = try_all(&s, seed, WRONG_WAY_ONCE);

        assert_int_equal(s.presence.state, LIVENESS_PASSED);
        assert_int_equal(s.presence.missed, 1);
        assert_int_equal(asked, 4);
        presence_free(&s.presence);
    }
    nobody_passes(WRONG_WAY_ALWAYS);
}

static void what_was_under_way_before_it_could_be_an_answer_is_none(void **state)
{
    (void)state;
    nobody_passes(BEFORE_IT_IS_ASKED);
}

static void a_restless_head_is_asked_to_look_straight_and_nothing_else(void **state)
{
    struct scene s;

    (void)state;
    assert_int_equal(try_all(&s, 1, RESTLESS), 0);
    assert_int_equal(presence_hint(&s.presence), FAILURE_FACE_TURNED);
    assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED);
    presence_free(&s.presence);
}

static void what_carries_its_surround_along_must_come_nearer_in_the_room(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct scene s;

        (void)try_all(&s, seed, GOES_WITH_THE_SCENE);
        assert_true(s.presence.carried);
        if (s.presence.state == LIVENESS_PASSED)
            assert_true(s.presence.neared);
        presence_free(&s.presence);
    }
}

static void a_picture_that_is_turned_and_brought_nearer_does_not_pass(void **state)
{
    (void)state;
    nobody_passes(PICTURE);
}

static void an_answer_by_somebody_else_or_with_a_gap_is_worth_nothing(void **state)
{
    (void)state;
    nobody_passes(SOMEBODY_ELSE);
    nobody_passes(NOBODY_FOR_A_SECOND);
}

static void what_is_asked_follows_from_the_seed_and_nothing_else(void **state)
{
    unsigned first[4] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct scene s;

        begin(&s, seed * UINT64_C(0x9e3779b97f4a7c15));
        for (int i = 0; i < 8; i++)
            frame(&s, &still, false, 0, 0.1f, 0.8f);
        presence_ask(&s.presence, 1700000);
        assert_in_range(s.presence.asked, FAILURE_FACE_TURN_LEFT, FAILURE_FACE_BLINK);
        first[s.presence.asked - FAILURE_FACE_TURN_LEFT]++;
        presence_free(&s.presence);
    }
    for (int i = 0; i < 4;
         i++) /* each of four a hundred times, give or take four standard deviations */
        assert_in_range(first[i], 65, 135);
}

static void each_is_asked_once_and_then_no_more(void **state)
{
    struct scene s;
    unsigned asked = 0;
    enum failure last = FAILURE_NONE;

    (void)state;
    begin(&s, 3);
    s.rule = &by_answer;
    for (int i = 0; i < 400; i++) {
        frame(&s, &still, false, 0, 0.1f, 0.8f);
        if (presence_open(&s.presence))
            presence_ask(&s.presence, 1000000 + (uint64_t)s.n * STEP_US);
        asked += s.presence.asked != FAILURE_NONE && s.presence.asked != last;
        last = s.presence.asked;
    }
    assert_int_equal(asked, 4);
    assert_int_equal(s.presence.asked, FAILURE_NONE);
    assert_int_equal(s.presence.state, LIVENESS_NOT_CHECKED); /* not answered is not failed */
    presence_free(&s.presence);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void a_homography_leaves_nothing_over_of_a_plane(void **state)
{
    struct look a = still, b = still;
    struct point from[LANDMARKS], to[LANDMARKS];
    double left_over, squeeze, depth;

    (void)state;
    a.flat = b.flat = true;
    a.noise = b.noise = 0;
    b.yaw = 0.5;
    see(&a, from);
    see(&b, to);
    assert_int_equal(presence_plane(from, to, &left_over, &squeeze), 0);
    assert_true(
        left_over <
        2e-3); /* points are floats, and the fit is of the equations, not of the distances */
    assert_true(squeeze > 1.10 && squeeze < 1.20); /* 1 / cos(0.5) = 1.14 */
    assert_int_equal(presence_depth(from, to, &depth), 0);
    assert_true(depth < 2e-3);
    a.flat = b.flat = false;
    see(&a, from);
    see(&b, to);
    assert_int_equal(presence_plane(from, to, &left_over, &squeeze), 0);
    assert_true(left_over > 0.03);
    assert_int_equal(presence_depth(from, to, &depth), 0);
    assert_true(depth > 0.03);
    for (int i = 0; i < LANDMARKS; i++)
        from[i] = (struct point){5, 5};
    assert_true(presence_plane(from, to, &left_over, &squeeze) < 0);
}

static void lids_tell_how_far_an_eye_is_open(void **state)
{
    struct look l = still;
    struct point points[LANDMARKS];
    float open;

    (void)state;
    l.noise = 0;
    see(&l, points);
    open = presence_openness(points);
    assert_true(open > 0.30f && open < 0.37f); /* lids 0.12 apart, corners 0.36 */
    l.shut = 1;
    see(&l, points);
    assert_true(presence_openness(points) < 0.3f * open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_before_anything_was_seen),
        cmocka_unit_test(a_person_who_speaks_and_turns_a_little_passes_by_time),
        cmocka_unit_test(time_alone_passes_nobody_where_an_answer_is_wanted),
        cmocka_unit_test(evidence_that_is_missing_makes_it_thin_and_never_failed),
        cmocka_unit_test(a_picture_that_is_tilted_fails_and_stays_failed),
        cmocka_unit_test(a_head_that_turns_as_far_is_not_taken_for_a_plane),
        cmocka_unit_test(a_screens_grid_in_most_frames_fails),
        cmocka_unit_test(frames_that_come_again_fail_but_a_camera_that_froze_does_not),
        cmocka_unit_test(a_person_who_does_what_is_asked_passes),
        cmocka_unit_test(where_time_speaks_for_a_person_one_turn_is_enough),
        cmocka_unit_test(without_a_turn_nobody_passes),
        cmocka_unit_test(the_other_way_costs_one_answer_more_and_never_passes_by_itself),
        cmocka_unit_test(what_was_under_way_before_it_could_be_an_answer_is_none),
        cmocka_unit_test(a_restless_head_is_asked_to_look_straight_and_nothing_else),
        cmocka_unit_test(what_carries_its_surround_along_must_come_nearer_in_the_room),
        cmocka_unit_test(a_picture_that_is_turned_and_brought_nearer_does_not_pass),
        cmocka_unit_test(an_answer_by_somebody_else_or_with_a_gap_is_worth_nothing),
        cmocka_unit_test(what_is_asked_follows_from_the_seed_and_nothing_else),
        cmocka_unit_test(each_is_asked_once_and_then_no_more),
        cmocka_unit_test(a_homography_leaves_nothing_over_of_a_plane),
        cmocka_unit_test(lids_tell_how_far_an_eye_is_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
