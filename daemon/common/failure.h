/*
 * failure: the closed set of misfortunes, each with the code and the words that patient and staff see.
 * The rows stand in failure.def; FAILURE_NONE (0) means that nothing went wrong.
 */
#ifndef UKETSUKE_FAILURE_H
#define UKETSUKE_FAILURE_H

#include <stdint.h>

enum failure {
    FAILURE_NONE,
#define FAILURE(name, code, kind, pj, pe, sj, se) FAILURE_##name,
#include "failure.def"
#undef FAILURE
    FAILURE_COUNT
};

enum failure_kind {
    FAILURE_KIND_NONE,
    FAILURE_KIND_RETRY,
    FAILURE_KIND_OTHER,
    FAILURE_KIND_STAFF,
    FAILURE_KIND_BROKEN,
    FAILURE_KIND_NOTICE,
};

struct failure_text {
    const char *name; /* "CARD_REMOVED" */
    const char *code; /* "C003" */
    enum failure_kind kind;
    const char *patient_ja;
    const char *patient_en;
    const char *staff_ja;
    const char *staff_en;
};

/* Never NULL: an unknown value gives the row of FAILURE_NONE (empty texts, code "-"). */
const struct failure_text *failure_text(uint16_t failure);

#endif
