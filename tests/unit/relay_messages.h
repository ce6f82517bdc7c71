/*
 * relay_messages: messages of the eligibility terminal, composed without the codec: the samples of the public
 * description typed by hand in both encodings, and a generator with printf().
 */
#ifndef TESTS_UNIT_RELAY_MESSAGES_H
#define TESTS_UNIT_RELAY_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* (a) a request, (b) a card session in mixed order with ●, (c) entitlement lost, (d) the whole request failed. */
enum sample { SAMPLE_A, SAMPLE_B, SAMPLE_C, SAMPLE_D, SAMPLES };

/* The bytes of a sample, `shift_jis` in CP932 with the declaration to match. */
const char *sample(enum sample which, bool shift_jis);

/* Texts that occur in the samples and in what is generated, in both encodings. */
struct text_pair {
    const char *utf8;
    const char *cp932;
};
enum text { TEXT_SYMBOL, TEXT_NAME, TEXT_KANA, TEXT_INSURER, TEXT_RARE, TEXTS };
extern const struct text_pair texts[TEXTS];

struct recipe {
    const char *segment;  /* CD003 */
    const char *status;   /* CD004 */
    const char *validity; /* CD006 */
    const char *consent;  /* CD016, of the pharmacist's part */
    unsigned results;
    bool shift_jis;
    uint32_t shuffle; /* 0: the order of the layout; else the seed of another order */
    bool noise;       /* attributes, comments, white space, elements that nobody knows */
};

/* A message of that kind; a string to be freed. */
char *compose(const struct recipe *recipe);

#endif
