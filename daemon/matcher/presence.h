/*
 * presence: does a living person stand there, or is something held before the camera (presentation
 * attack detection, ISO/IEC 30107)? Pure: what frames left behind goes in, a state comes out; no
 * clock, no pictures decoded here.
 *
 * Three answers that are never mixed: not checked (the evidence is thin), passed, failed. Failed
 * stands for the visit.
 *
 * What time shows (each compared between this frame and up to KEYS earlier ones, 0.4 s apart):
 *   shape     The 68 points of a flat thing move as a plane does: one homography takes them from
 * frame to frame, what is left over is the noise of the points (0.004 to 0.012 of the distance
 * between the eyes). A face that speaks, blinks or turns leaves 0.015 to 0.06. A plane that is
 * tilted (the homography squeezes) and still leaves next to nothing is a picture: failed. surround
 * What has texture beside the head either stays when the head moves (the room) or moves along with
 * it (the paper, the tablet; also long hair). Mostly moving along: the evidence is thin, never
 * failed by itself. grid      A screen's pixels seen by the camera's beat: a sharp peak in the
 * spectrum, in most frames: failed. return    Frames that were shown before come again with others
 * between, byte by byte: injected: failed. (The same frame again and again is a camera that froze:
 * no evidence for anything.) score     The passive score of the liveness net: advisory. Too low
 * means thin, never failed. Passed by time alone: shape, surround, grid and score all speak for a
 * person.
 *
 * What an answer shows, when the evidence is thin and the policy asks: one of turn left, turn
 * right, come nearer, blink twice, in an order that nobody can know before. A turn that shows depth
 * is worth 2 points (a plane has no nose that moves against the eyes), the others 1 (a picture can
 * be brought nearer, a mask can blink; nearer counts only if the room stays where it is); 2 points
 * are passed. An answer counts only when the face was seen all the time, stayed the person of the
 * photo as far as the recogniser could say, and looked straight again at the end. What is not
 * answered in time is asked no more; when all was asked and the points are not there, the state
 * stays "not checked", and the visit's own time limit ends the face method.
 */
#ifndef UKETSUKE_PRESENCE_H
#define UKETSUKE_PRESENCE_H

#include "daemon/common/failure.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"
#include "landmarks.h"
#include "trace.h"

#define PRESENCE_KEYS 6

/* [matcher] liveness, in this order. */
enum presence_policy { PRESENCE_OFF, PRESENCE_PASSIVE, PRESENCE_CHALLENGE };

/* What one frame tells. points NULL: no face, or none whose points could be found. */
struct presence_frame {
    uint64_t captured_us;
    int width, height;
    struct box box;
    const struct point *points; /* LANDMARKS */
    const uint8_t *small;       /* TRACE_BYTES; NULL: none */
    float grid;                 /* of trace_grid(); 0: not measured */
    float yaw, eyes;            /* as in struct quality */
    bool live_known, score_known;
    float live, score;
};

struct presence_rule {
    float live_pass; /* mean passive score from which it speaks for a person */
    float threshold; /* scores: the photo's person */
    float different; /* clearly somebody else */
};

/* Why, for those who measure. */
enum presence_reason {
    PRESENCE_NOTHING,
    PRESENCE_FLAT,     /* failed: a plane was tilted */
    PRESENCE_GRID,     /* failed: a screen */
    PRESENCE_RETURN,   /* failed: frames came again */
    PRESENCE_BY_TIME,  /* passed */
    PRESENCE_ANSWERED, /* passed */
    PRESENCE_REASONS,
};

struct presence_counts {
    unsigned shape, tilted, flat; /* pairs of frames */
    unsigned stays, along;        /* places beside the head */
    unsigned grids, grid_high;    /* frames measured, frames with a grid */
    unsigned returns;
    unsigned lives;
    double live_sum;
};

struct presence {
    enum liveness state;
    enum presence_reason reason;
    struct presence_counts counts;
    struct secret keys; /* PRESENCE_KEYS kept frames: points and pictures of a person */
    unsigned nkeys, next_key;
    uint64_t first_us, last_us, key_us;
    unsigned frames;
    /* what is asked */
    uint64_t dice;
    enum failure asked;  /* FAILURE_NONE: nothing */
    unsigned done, left; /* asked so far; challenges that were not yet asked, bits */
    unsigned points;
    uint64_t asked_us, quiet_until_us;
    float yaw_before, eyes_before, open_before; /* running, of frames that look straight */
    bool reached;                               /* the answer was seen; now straight again */
    unsigned answering, blinks;
    bool shut;
    unsigned others; /* frames of the answer that are clearly somebody else */
    struct box last_box;
};

/* 0 or -ENOMEM. `seed`: the order of what is asked; not to be guessed by the person. */
int presence_init(struct presence *p, uint64_t seed);
void presence_free(struct presence *p);

/* A frame with new bytes. */
void presence_add(struct presence *p, const struct presence_rule *rule,
                  const struct presence_frame *frame);
/* A frame whose bytes came before, `ago` different frames ago (1: the last one). */
void presence_repeated(struct presence *p, unsigned ago);

/* Enough was seen to accept under the passive policy, if it did not fail. */
bool presence_watched(const struct presence *p);

/* Neither passed nor failed, although there was time for more than what thin evidence gives. */
bool presence_thin(const struct presence *p);

/* Ask, if nothing is being asked and something is left. Called while the evidence is thin and
 * everything else would accept. */
void presence_ask(struct presence *p, uint64_t now_us);
/* What the person should be told now: FACE_TURN_LEFT ..., FACE_TURNED ("look straight") at the end
 * of an answer, or none. */
enum failure presence_hint(const struct presence *p);

/* ---- parts, for tests and measuring ---- */

/*
 * Points `from` taken to `to` by the best homography (least squares): what is left over (root mean
 * square, in distances between the outer corners of the eyes of `from`), and by how much it
 * squeezes (1: not at all). -EDOM when there is none.
 */
int presence_plane(const struct point *from, const struct point *to, int n, double *left_over,
                   double *squeeze);
/* How far the eyes are open: height over width, mean of both. */
float presence_openness(const struct point points[LANDMARKS]);

#endif
