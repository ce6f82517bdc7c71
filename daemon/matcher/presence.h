/*
 * presence: does a living person stand there, or is something held before the camera (presentation
 * attack detection, ISO/IEC 30107)? Pure: what frames left behind goes in, a state comes out; no
 * clock, no pictures decoded here.
 *
 * Three answers that are never mixed: not checked (the evidence is thin), passed, failed. Failed
 * stands for the visit.
 *
 * What time shows (each compared between this frame and up to KEYS earlier ones, 0.4 s apart):
 *
 *   shape     The 68 points of a flat thing move as a plane does: one homography takes them from
 *             frame to frame, what is left over is the noise of the points (0.004 to 0.012 of the
 *             distance between the eyes). A face that speaks, blinks or turns leaves 0.015 to 0.06.
 *             A plane that is tilted (the homography squeezes) and still leaves next to nothing is
 *             a picture: failed.
 *   surround  What has texture beside the head either stays when the head moves (the room) or moves
 *             along with it (the paper, the tablet; also long hair). Mostly moving along: the
 *             evidence is thin, never failed by itself.
 *   grid      A screen's pixels seen by the camera's beat: a sharp peak in the spectrum, in most
 *             frames: failed.
 *   return    Frames that were shown before come again with others between, byte by byte:
 *             injected: failed. (The same frame again and again is a camera that froze: no evidence
 *             for anything.)
 *   score     The passive score of the liveness net: advisory. Too low means thin, never failed.
 *
 * Speaks for a person: shape, surround, grid and score all do. That passes under the policy
 * "passive" (where a pass is told, and only a failure decides).
 *
 * None of this tells a person from a film of that person, or from a still that a program makes
 * speak and blink, on a screen whose pixels the camera does not resolve. So under the policy
 * "challenge" time alone passes nobody: it only says how much is asked.
 *
 * What an answer shows: one of turn left, turn right, come nearer, blink twice, in an order that
 * nobody can know before.
 *
 *   asked     only of a head that has been quiet: what moves anyway would answer anything.
 *   answered  begun no earlier than anybody can react, and the way that was asked: whoever goes the
 *             other way, or was under way already, has to answer one more, and may be asked that
 *             again.
 *   turn      must show depth: the points that cannot move against each other (nose, corners of the
 *             eyes, sides of the jaw) of the turned face against those of before, less the best
 *             homography. Whatever is flat, however tilted, leaves noise; and it is the nose that
 *             goes against the eyes, not the whole picture that is squeezed.
 *   nearer    the room stays where it is, and nothing with an edge (paper, tablet) comes along.
 *   blink     twice, one close after the other, as nobody does by himself.
 *
 * Passed: a turn, and one more answer of any kind unless time has spoken for a person (shape,
 * surround, grid and score, above). Where what is beside the head has mostly gone along with it
 * (paper, a tablet in the hand, also long hair) "nearer" must be one of the answers: it is the one
 * that such a thing cannot give. Without a turn nobody passes: everything else can be done by a
 * picture or by a screen that does not know what was asked. (The net that finds the points takes a
 * face that is squeezed for one that is turned, a little; so depth alone does not decide either.)
 * What an obedient screen can do, a program that turns a head to order before an unmoved room, is
 * not told from a person.
 *
 * An answer counts only when the face was seen all the time, stayed the person of the photo as far
 * as the recogniser could say, and looked straight again at the end. What is not answered in time
 * is asked no more; when all was asked and it is not enough, the state stays "not checked", and the
 * visit's own time limit ends the face method: PIN or staff remain.
 */
#ifndef UKETSUKE_PRESENCE_H
#define UKETSUKE_PRESENCE_H

#include "daemon/common/failure.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"
#include "landmarks.h"
#include "trace.h"

#define PRESENCE_KEYS 6
#define PRESENCE_RECENT 16 /* frames whose yaw is remembered: is the head quiet? */

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
    bool answer;     /* the policy is "challenge": only an answer passes */
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
    bool strong;  /* time speaks for a person */
    bool carried; /* what is beside the head mostly goes where the head goes */
    struct presence_yaw {
        uint64_t us;
        float yaw;
    } recent[PRESENCE_RECENT]; /* a ring */
    unsigned nrecent;
    /* what is asked */
    uint64_t dice;
    bool wanted;           /* something is to be asked as soon as the head is quiet */
    enum failure asked;    /* FAILURE_NONE: nothing */
    unsigned done, left;   /* asked so far; challenges that were not yet asked, bits */
    unsigned turned, more; /* answered: turns with depth; others */
    bool neared;           /* one of the others is "nearer" */
    unsigned missed;       /* the other way, or too early */
    uint64_t wanted_us, asked_us, quiet_until_us, blinked_us;
    float yaw_before, eyes_before, open_before; /* running, of frames that look straight */
    bool reached;                               /* the answer was seen; now straight again */
    unsigned answering, contrary, early;        /* frames */
    unsigned blinks;
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

/* Neither passed nor failed, and it has been watched long enough for something to be asked. */
bool presence_open(const struct presence *p);

/* Ask, if nothing is being asked, something is left and the head is quiet. Called with every frame
 * while the state is open and everything else would accept. */
void presence_ask(struct presence *p, uint64_t now_us);
/* What the person should be told now: FACE_TURN_LEFT ..., FACE_TURNED ("look straight") at the end
 * of an answer or while a restless head is waited for, or none. */
enum failure presence_hint(const struct presence *p);

/* ---- parts, for tests and measuring ---------------------------------------------------------- */

/*
 * Points `from` taken to `to` by the best homography (least squares): what is left over (root mean
 * square, in distances between the outer corners of the eyes of `from`), and by how much it
 * squeezes (1: not at all). -EDOM when there is none.
 */
int presence_plane(const struct point from[LANDMARKS], const struct point to[LANDMARKS],
                   double *left_over, double *squeeze);
/*
 * What a plane cannot explain of the way from one face to another: left over by the best homography
 * of the points that cannot move against each other, in distances between the outer corners of the
 * eyes. -EDOM when there is none.
 */
int presence_depth(const struct point from[LANDMARKS], const struct point to[LANDMARKS],
                   double *depth);
/* How far the eyes are open: height over width, mean of both. */
float presence_openness(const struct point points[LANDMARKS]);

#endif
