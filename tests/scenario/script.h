/* script: one script while it runs, and the reading of its words; shared by run.c and words.c. */
#ifndef TEST_SCENARIO_SCRIPT_H
#define TEST_SCENARIO_SCRIPT_H

#include "stage.h"

#define WORDS_MAX 24

struct script {
    struct stage *stage;
    unsigned lane;
    size_t mark; /* in stage->sent, since the last command that was no `expect` */
    size_t nwords;
    const char *words[WORDS_MAX];
    char why[300];
};

/* Says why, once; false. */
bool script_bad(struct script *s, const char *what, const char *got);
/* The value of key=value among the words, or the fallback. */
const char *script_option(const struct script *s, const char *key, const char *fallback);
bool script_has(const struct script *s, const char *word);
bool script_failure(struct script *s, const char *name, uint16_t *out);
uint64_t script_span_us(const char *text);
bool script_name(struct script *s, const char *what, const char *is, const char *want);
bool script_number(struct script *s, const char *what, unsigned long is, const char *want);

/* words.c: slips, what is asked later, disaster mode, who picks up. -1: no such word (or expectation). */
int words_run(struct script *s);
int words_expect(struct script *s);
/* books.c: what the service says of a person, who that is in the clinic's books. The same. */
int books_run(struct script *s);
int books_expect(struct script *s);

#endif
