#include "decision.h"

#include <math.h>
#include <string.h>

void decision_rule_set(struct decision_rule *rule, const float *thresholds, float noise,
                       unsigned fmr, int override_milli)
{
    rule->noise = noise > 0 ? (double)noise : DECISION_NOISE;
    rule->threshold = override_milli > 0 ? (float)override_milli / 1000 : thresholds[fmr];
    rule->different = thresholds[0] < rule->threshold ? thresholds[0] : rule->threshold;
}

void decision_init(struct decision_state *state)
{
    memset(state, 0, sizeof(*state));
}

double decision_radius(double evidence, double noise, double alpha)
{
    const double variance = evidence + DECISION_RHO; /* in sigma^2 */

    if (!(evidence > 0))
        return INFINITY;
    return noise * sqrt(variance * (log(variance / DECISION_RHO) + 2 * log(1 / alpha))) / evidence;
}

double decision_mean(const struct decision_state *state)
{
    return state->evidence > 0 ? state->sum / state->evidence : 0;
}

double decision_live_mean(const struct decision_state *state)
{
    return state->live_evidence > 0 ? state->live_sum / state->live_evidence : 0;
}

static double weight(const struct decision_state *state, uint64_t captured_us)
{
    uint64_t gap;

    if (state->good_frames == 0)
        return 1;
    if (captured_us <= state->last_us)
        return 0;
    gap = captured_us - state->last_us;
    return gap >= DECISION_TAU_US ? 1 : (double)gap / DECISION_TAU_US;
}

/* By the mean of the passive scores alone. */
static enum liveness by_score(const struct decision_state *state, const struct decision_rule *rule)
{
    if (state->live_evidence < DECISION_EVIDENCE_LIVE)
        return LIVENESS_NOT_CHECKED;
    if (decision_live_mean(state) >= (double)rule->live_pass)
        return LIVENESS_PASSED;
    if (decision_live_mean(state) < (double)rule->live_fail)
        return LIVENESS_FAILED;
    return LIVENESS_NOT_CHECKED;
}

/* Failed when anything that decides says so, passed when all that decides says so. */
static enum liveness judge_liveness(const struct decision_state *state,
                                    const struct decision_rule *rule)
{
    const enum liveness score = rule->live_gates ? by_score(state, rule) : LIVENESS_PASSED;
    const enum liveness presence = rule->policy != PRESENCE_OFF ? state->presence : LIVENESS_PASSED;

    if (score == LIVENESS_FAILED || presence == LIVENESS_FAILED)
        return LIVENESS_FAILED;
    if (score == LIVENESS_NOT_CHECKED || presence == LIVENESS_NOT_CHECKED ||
        (!rule->live_gates && rule->policy == PRESENCE_OFF))
        return LIVENESS_NOT_CHECKED;
    return LIVENESS_PASSED;
}

/* Liveness does not stand in the way of an acceptance. */
static bool may_accept(const struct decision_state *state, const struct decision_rule *rule)
{
    if (rule->live_gates && by_score(state, rule) != LIVENESS_PASSED)
        return false;
    switch (rule->policy) {
    case PRESENCE_OFF:
        return true;
    case PRESENCE_PASSIVE:
        return state->watched;
    case PRESENCE_CHALLENGE:
        return state->presence == LIVENESS_PASSED;
    }
    return false;
}

static bool scores_match(const struct decision_state *state, const struct decision_rule *rule)
{
    return state->evidence >= DECISION_EVIDENCE_ACCEPT &&
           state->above_frames >= DECISION_FRAMES_ACCEPT && 2 * state->above >= state->evidence &&
           decision_mean(state) -
                   decision_radius(state->evidence, rule->noise, DECISION_ALPHA_ACCEPT) >=
               (double)rule->threshold;
}

static enum decision judge(const struct decision_state *state, const struct decision_rule *rule)
{
    const uint64_t span = state->last_us - state->first_us;
    const double high =
        decision_mean(state) + decision_radius(state->evidence, rule->noise, DECISION_ALPHA_REJECT);

    if (state->liveness == LIVENESS_FAILED)
        return DECISION_ATTACK;
    if (state->matches)
        return may_accept(state, rule) ? DECISION_SAME : DECISION_NOT_YET;
    if (high < (double)rule->different && state->evidence >= DECISION_EVIDENCE_REJECT &&
        span >= DECISION_SPAN_REJECT_US)
        return DECISION_NOT_SAME;
    if (high < (double)rule->threshold && state->evidence >= DECISION_EVIDENCE_DOUBT &&
        span >= DECISION_SPAN_DOUBT_US)
        return DECISION_NOT_SAME;
    return DECISION_NOT_YET;
}

static void judge_again(struct decision_state *state, const struct decision_rule *rule)
{
    state->liveness = judge_liveness(state, rule);
    state->matches = scores_match(state, rule);
    state->decision = judge(state, rule);
}

bool decision_doubtful(const struct decision_state *state, const struct decision_rule *rule)
{
    return state->decision == DECISION_NOT_YET && !state->matches &&
           state->evidence >= DECISION_EVIDENCE_HINT &&
           decision_mean(state) >= (double)rule->different &&
           decision_mean(state) < (double)rule->threshold;
}

void decision_presence(struct decision_state *state, const struct decision_rule *rule,
                       enum liveness presence, bool watched)
{
    if (state->decision != DECISION_NOT_YET)
        return;
    state->presence = presence;
    state->watched = watched;
    judge_again(state, rule);
}

void decision_add(struct decision_state *state, const struct decision_rule *rule,
                  uint64_t captured_us, bool repeated, float score, const float *live)
{
    const double w = repeated || !isfinite(score) ? 0 : weight(state, captured_us);

    if (state->decision != DECISION_NOT_YET || !(w > 0))
        return;
    if (state->good_frames == 0)
        state->first_us = captured_us;
    state->last_us = captured_us;
    state->good_frames++;
    if (score >= rule->threshold) {
        state->above_frames++;
        state->above += w;
    }
    state->evidence += w;
    state->sum += w * fmin((double)score, (double)rule->threshold + DECISION_LUCK * rule->noise);
    if (live != NULL && isfinite(*live)) {
        state->live_evidence += w;
        state->live_sum += w * (double)*live;
    }
    judge_again(state, rule);
}
