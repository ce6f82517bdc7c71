#include "visit.h"

#include <stddef.h>
#include <string.h>

static const char *const states[] = {
#define VISIT_STATE(name, text, meaning) [VISIT_##name] = text,
#include "visit.def"
#undef VISIT_STATE
};

static const char *const methods[] = {
#define VISIT_METHOD(name, text) [METHOD_##name] = text,
#include "visit.def"
#undef VISIT_METHOD
};

static const char *const outcomes[] = {
#define VISIT_OUTCOME(name, text, meaning) [OUTCOME_##name] = text,
#include "visit.def"
#undef VISIT_OUTCOME
};

static const char *const matches[] = {
#define VISIT_MATCH(name, text, meaning) [MATCH_##name] = text,
#include "visit.def"
#undef VISIT_MATCH
};

static const struct {
    const char *name;
    const char *who;
} actions[] = {
    [ACTION_NONE] = {"none", ""},
#define VISIT_ACTION(name, text, who) [ACTION_##name] = {text, who},
#include "visit.def"
#undef VISIT_ACTION
};

static const char *const slip_kinds[] = {
#define SLIP_KIND(name, text, meaning) [SLIP_##name] = text,
#include "visit.def"
#undef SLIP_KIND
};

static const char *const slip_states[] = {
#define SLIP_STATE(name, text, meaning) [SLIP_STATE_##name] = text,
#include "visit.def"
#undef SLIP_STATE
};

const struct visit_bit visit_consents[VISIT_CONSENTS] = {
    {CONSENT_LIMIT, "limit"},         {CONSENT_DRUGS, "drugs"},
    {CONSENT_CHECKUP, "checkup"},     {CONSENT_DIAGNOSIS, "diagnosis"},
    {CONSENT_OPERATION, "operation"}, {CONSENT_DISEASE, "disease"},
};

uint32_t visit_consent_of(const char *name)
{
    for (size_t i = 0; i < VISIT_CONSENTS; i++)
        if (strcmp(visit_consents[i].name, name) == 0)
            return visit_consents[i].bit;
    return 0;
}

const char *visit_state_name(unsigned state)
{
    return state < VISIT_STATE_COUNT ? states[state] : "?";
}

const char *visit_method_name(unsigned method)
{
    return method < VISIT_METHOD_COUNT ? methods[method] : "?";
}

const char *visit_outcome_name(unsigned outcome)
{
    return outcome < VISIT_OUTCOME_COUNT ? outcomes[outcome] : "?";
}

const char *visit_match_name(unsigned match)
{
    return match < VISIT_MATCH_COUNT ? matches[match] : "?";
}

const char *visit_action_name(unsigned action)
{
    return action < VISIT_ACTION_COUNT ? actions[action].name : "?";
}

const char *visit_action_who(unsigned action)
{
    return action < VISIT_ACTION_COUNT ? actions[action].who : "";
}

enum visit_action visit_action_of(const char *name)
{
    for (unsigned i = ACTION_NONE + 1; i < VISIT_ACTION_COUNT; i++)
        if (strcmp(actions[i].name, name) == 0)
            return (enum visit_action)i;
    return ACTION_NONE;
}

const char *visit_slip_kind_name(unsigned kind)
{
    return kind < SLIP_KIND_COUNT ? slip_kinds[kind] : "?";
}

const char *visit_slip_state_name(unsigned state)
{
    return state < SLIP_STATE_COUNT ? slip_states[state] : "?";
}

enum slip_kind visit_slip_kind_of(const char *name)
{
    for (unsigned i = SLIP_NONE + 1; i < SLIP_KIND_COUNT; i++)
        if (strcmp(slip_kinds[i], name) == 0)
            return (enum slip_kind)i;
    return SLIP_NONE;
}
