/*
 * quality: is this frame good enough to be compared, and if not, what should the person do?
 *
 * A comparison of a bad frame says little and costs 20 ms; telling somebody to come closer helps at once. Each
 * bound is one row of struct quality_bounds; the defaults were set on the simulated camera's videos and on news
 * portraits so that ordinary frames pass (figures in models/README.md).
 */
#ifndef UKETSUKE_QUALITY_H
#define UKETSUKE_QUALITY_H

#include "daemon/common/failure.h"
#include "landmarks.h"

struct quality {
    float eyes;     /* distance between the eyes, pixels of the frame */
    float height;   /* of the face box, parts of the frame's height */
    float outside;  /* part of the aligned face that lies beyond the frame's border */
    float light;    /* mean of the aligned face, 0..255 */
    float contrast; /* standard deviation of the aligned face */
    float around;   /* mean of the whole frame, 0..255 */
    float sharp;    /* mean square of the Laplacian over the variance, aligned face */
    float
        yaw; /* nose off the middle of the eyes, in eye distances along the line of the eyes; 0 is frontal */
    float pitch; /* where the nose stands between eyes and mouth, 0..1 */
    float roll;  /* degrees of the line of the eyes */
    /* of what should be skin; the colour of the light is in none of them */
    float skin_red;  /* red over green between the eyes and on the cheeks; 1: a grey picture */
    float mouth_red; /* the same of mouth and chin, over skin_red: lips are redder, cloth is not */
    float
        mouth_rough;  /* mean step from row to row over the mean, mouth and chin: cloth is smooth */
    float eyes_light; /* of the eyes over the cheeks below */
    float eyes_rough; /* as mouth_rough, over the cheeks' light */
};

struct quality_bounds {
    float eyes_least;
    float height_most;
    float outside_most;
    float light_least, light_most;
    float contrast_least;
    float backlight; /* around - light above which a dim face counts as "against the light" */
    float sharp_least;
    float yaw_most, pitch_least, pitch_most, roll_most;
    float skin_red_least;                      /* below: no colours to judge by */
    float mouth_red_least;                     /* below: not skin */
    float mouth_red_smooth, mouth_rough_least; /* both below: not skin */
    float eyes_light_least, eyes_rough_least;  /* both below: dark glasses */
};

extern const struct quality_bounds quality_bounds_default;

/* From the box and the points alone: what can be said before anything is warped. */
void quality_of_shape(const struct image *image, const struct box *face,
                      const struct point five[FACE_POINTS], struct quality *out);
/* From the picture: samples the face by `map` (the alignment to a square) in grey, and the frame coarsely. */
void quality_of_light(const struct image *image, const struct warp_map *map, int side,
                      struct quality *out);

/* The most useful thing to say, FAILURE_NONE when the frame is good. In the order in which a person can act. */
enum failure quality_judge_shape(const struct quality *q, const struct quality_bounds *bounds);
enum failure quality_judge_light(const struct quality *q, const struct quality_bounds *bounds);

#endif
