/*
 * decision: from the scores of many frames to one answer about a visit. Pure: no clock, no
 * pictures.
 *
 * The question. Let m be the mean score of this person, today, before this camera, against this
 * photo; the score of one frame is m plus frame noise. A single comparison at threshold T has the
 * false match rate f that was measured for T, noise included. We accept only when we are sure that
 * m itself is at or above T:
 *
 *     P(accept an impostor) <= P(m >= T) + P(accept although m < T)
 *
 * The first part is not above f in the upper tail, where noise only adds (m is what is left of a
 * single score when the noise is averaged away). The second part is held down by a boundary that
 * the running sum crosses with probability at most ALPHA_ACCEPT, however often we look and whenever
 * we stop (Robbins' mixture boundary, from Ville's inequality, for noise that is sub-Gaussian with
 * standard deviation sigma, the recogniser's `frame-noise` in the manifest):
 *
 *     sum(w s) - T W  >=  sqrt((W sigma^2 + rho) (ln((W sigma^2 + rho) / rho) + 2 ln(1 / alpha)))
 *
 * with W the evidence so far. Real noise has longer tails than that, so a lucky frame must not win
 * either: a score counts as T + LUCK sigma at most (which only makes acceptance harder), at least two
 * frames must each reach T, and so must half of the evidence; one frame is never enough. There is
 * no looser level for anybody who tries longer.
 *
 * Evidence is not the number of frames. Frames of a moment are nearly the same picture; each good
 * frame counts w = min(1, time since the last counted one / TAU). The first counts 1, a
 * byte-identical repetition nothing. Every second one is compared mirrored (session.c), with a photo
 * that is the mean of itself and its mirror.
 *
 * The bound holds for noise that has no memory beyond TAU. Pose and light have more: simulated with
 * sigma = 0.06, somebody with m = T - 0.02, T - 0.05, T - 0.1 is accepted within 20 s with probability
 * 0.006, 0.0001, 0 when the memory is TAU, and 0.12, 0.017, 0.0006 when it is half a second. Few
 * impostors stand so near to T (on the pairs that T comes from, ten times as many at T - 0.08), so
 * all in all a visit has up to about twice the false match rate aimed at.
 *
 * Not the same: the mirrored boundary with ALPHA_REJECT, so that a right person is refused with
 * that probability at most beyond what the threshold itself costs. Clearly different (m below the
 * threshold of FMR 1e-2): after EVIDENCE_REJECT over SPAN_REJECT. Not good enough (m below T): only
 * after much more of both, so that there is time to take off a mask or come nearer.
 *
 * Liveness: what presence.h says, under the policy of [matcher] liveness. Failed is a presentation
 * attack, whatever the score; it is never turned into "try again". passive: acceptance waits until
 * enough was watched; challenge: until it is passed. The mean of the passive scores, weighed like
 * the others, is told beside; it decides by itself only if the manifest says that it gates (known
 * from EVIDENCE_LIVE on).
 *
 * Once made, a decision stands.
 */
#ifndef UKETSUKE_DECISION_H
#define UKETSUKE_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/visit.h"
#include "presence.h"

/* sigma of the shipped recogniser; measured 0.03 to 0.05 within videos (models/README.md) */
#define DECISION_NOISE 0.06
#define DECISION_RHO 2 /* of sigma^2: the boundary is tightest near W = 2 */
#define DECISION_ALPHA_ACCEPT 0.05
#define DECISION_ALPHA_REJECT 0.01
#define DECISION_TAU_US 120000
#define DECISION_EVIDENCE_ACCEPT 1.9
#define DECISION_FRAMES_ACCEPT 2
/* of sigma, above T: what one frame can add at most; two clear frames still suffice */
#define DECISION_LUCK (10.0 / 3)
#define DECISION_EVIDENCE_REJECT 8.0
#define DECISION_SPAN_REJECT_US 1500000
#define DECISION_EVIDENCE_DOUBT 30.0
#define DECISION_SPAN_DOUBT_US 6000000
#define DECISION_EVIDENCE_HINT 6.0
#define DECISION_EVIDENCE_LIVE 1.9

/* As in MATCH_RESULT. */
enum decision { DECISION_NOT_YET, DECISION_SAME, DECISION_NOT_SAME, DECISION_ATTACK };

struct decision_rule {
    float threshold; /* T: cosine for the false match rate aimed at */
    float different; /* below this a person is clearly another: the threshold of FMR 1e-2, never
                        above T */
    double noise;    /* sigma: what the score of one frame strays by */
    float live_pass, live_fail;
    bool live_gates;
    enum presence_policy policy;
};

struct decision_state {
    enum decision decision;
    enum liveness liveness;
    enum liveness presence; /* as told last */
    bool watched;
    bool matches;    /* the scores would accept: only liveness is waited for */
    double evidence; /* W */
    double sum;      /* of w s */
    double above;    /* the part of the evidence from frames at or above T */
    double live_evidence;
    double live_sum;
    uint32_t good_frames;  /* counted at all */
    uint32_t above_frames; /* of these with a score at or above T */
    uint64_t first_us, last_us;
};

/*
 * Threshold, rejection bound and noise of a rule. thresholds: of the manifest, for FMR 1e-2 and below;
 * noise: of the manifest, 0 for DECISION_NOISE; fmr: which threshold; override_milli: a configured
 * one as cosine x 1000 in its place, 0 for none.
 */
void decision_rule_set(struct decision_rule *rule, const float *thresholds, float noise,
                       unsigned fmr, int override_milli);

void decision_init(struct decision_state *state);

/*
 * A good frame with its score. captured_us: monotonic, of the capture; a frame from before the last
 * one, or `repeated` (the same bytes again), is no evidence. live: NULL when the frame has no
 * liveness score.
 */
void decision_add(struct decision_state *state, const struct decision_rule *rule,
                  uint64_t captured_us, bool repeated, float score, const float *live);

/* What presence.h says after this frame: its state, and whether enough was watched for the passive
 * policy. */
void decision_presence(struct decision_state *state, const struct decision_rule *rule,
                       enum liveness presence, bool watched);

/* Neither accepted nor clearly somebody else after EVIDENCE_HINT: a mask, glasses, hair may be in the
 * way, and there is still time to take them off. */
bool decision_doubtful(const struct decision_state *state, const struct decision_rule *rule);

/* Half width of what is not known about the mean: the boundary above divided by W. */
double decision_radius(double evidence, double noise, double alpha);

/* Mean of the evidence so far; 0 before any. */
double decision_mean(const struct decision_state *state);
double decision_live_mean(const struct decision_state *state);

#endif
