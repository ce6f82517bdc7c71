#include "failure.h"

static const struct failure_text texts[FAILURE_COUNT] = {
    [FAILURE_NONE] = {"NONE", "-", FAILURE_KIND_NONE, "", "", "", ""},
#define FAILURE(name, code, kind, pj, pe, sj, se)                                                  \
    [FAILURE_##name] = {#name, code, FAILURE_KIND_##kind, pj, pe, sj, se},
#include "failure.def"
#undef FAILURE
};

const struct failure_text *failure_text(uint16_t failure)
{
    return &texts[failure < FAILURE_COUNT ? failure : FAILURE_NONE];
}
