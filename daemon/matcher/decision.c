#include "decision.h"

#include <math.h>
#include <string.h>

void decision_rule_set(struct decision_rule *rule, const float *thresholds, unsigned fmr, int override_milli)
{
    rule->threshold = override_milli > 0 ? (float)override_milli / 1000 : thresholds[fmr];
    rule->different = thresholds[0] < rule->threshold ? thresholds[0] : rule->threshold;
}

void decision_init(struct decision_state *state)
{
    memset(state, 0, sizeof(*state));
}

double decision_radius(double evidence, double alpha)
{
    const double variance = evidence * DECISION_SIGMA * DECISION_SIGMA + DECISION_RHO;

    if (!(evidence > 0))
        return INFINITY;
    return sqrt(variance * (log(variance / DECISION_RHO) + 2 * log(1 / alpha))) / evidence;
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

static enum liveness judge_liveness(const struct decision_state *state, const struct decision_rule *rule)
{
    if (state->live_evidence < DECISION_EVIDENCE_LIVE)
        return LIVENESS_NOT_CHECKED;
    if (decision_live_mean(state) >= (double)rule->live_pass)
        return LIVENESS_PASSED;
    if (decision_live_mean(state) < (double)rule->live_fail)
        return LIVENESS_FAILED;
    return LIVENESS_NOT_CHECKED;
}

static enum decision judge(const struct decision_state *state, const struct decision_rule *rule)
{
    const double mean = decision_mean(state);
    const uint64_t span = state->last_us - state->first_us;
    const double high = mean + decision_radius(state->evidence, DECISION_ALPHA_REJECT);
    const bool same = state->evidence >= DECISION_EVIDENCE_ACCEPT && state->above_frames >= DECISION_FRAMES_ACCEPT &&
                      2 * state->above >= state->evidence &&
                      mean - decision_radius(state->evidence, DECISION_ALPHA_ACCEPT) >= (double)rule->threshold;

    if (rule->live_gates && state->liveness == LIVENESS_FAILED)
        return DECISION_ATTACK;
    if (same)
        return rule->live_gates && state->liveness != LIVENESS_PASSED ? DECISION_NOT_YET : DECISION_SAME;
    if (high < (double)rule->different && state->evidence >= DECISION_EVIDENCE_REJECT &&
        span >= DECISION_SPAN_REJECT_US)
        return DECISION_NOT_SAME;
    if (high < (double)rule->threshold && state->evidence >= DECISION_EVIDENCE_DOUBT &&
        span >= DECISION_SPAN_DOUBT_US)
        return DECISION_NOT_SAME;
    return DECISION_NOT_YET;
}

void decision_add(struct decision_state *state, const struct decision_rule *rule, uint64_t captured_us, bool repeated,
                  float score, const float *live)
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
    state->sum += w * fmin((double)score, (double)rule->threshold + DECISION_LUCK);
    if (live != NULL && isfinite(*live)) {
        state->live_evidence += w;
        state->live_sum += w * (double)*live;
    }
    state->liveness = judge_liveness(state, rule);
    state->decision = judge(state, rule);
}
