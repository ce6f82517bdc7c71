#include "outbox.h"

static const struct {
    const char *name;
    enum outbox_delivery delivery;
} kinds[] = {
#define OUTBOX_KIND(name, text, delivery, meaning) [OUTBOX_##name] = {text, OUTBOX_##delivery},
#include "outbox.def"
#undef OUTBOX_KIND
};

static const char *const states[] = {
#define OUTBOX_STATE(name, text, meaning) [OUTBOX_##name] = text,
#include "outbox.def"
#undef OUTBOX_STATE
};

static const char *const causes[] = {
#define OUTBOX_CAUSE(name, text, meaning) [OUTBOX_##name] = text,
#include "outbox.def"
#undef OUTBOX_CAUSE
};

const char *outbox_cause_name(unsigned cause)
{
    if (cause >= OUTBOX_LINKED)
        return "linked";
    return cause < sizeof(causes) / sizeof(causes[0]) ? causes[cause] : "?";
}

const char *outbox_kind_name(unsigned kind)
{
    return kind < OUTBOX_KIND_COUNT ? kinds[kind].name : "?";
}

const char *outbox_state_name(unsigned state)
{
    return state < OUTBOX_STATE_COUNT ? states[state] : "?";
}

enum outbox_delivery outbox_delivery(unsigned kind)
{
    return kind < OUTBOX_KIND_COUNT ? kinds[kind].delivery : OUTBOX_NOT_RESENT;
}
