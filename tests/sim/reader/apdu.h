/*
 * apdu.h - command APDUs as ISO 7816-4 writes them: cases 1 to 4, short and extended length.
 */
#ifndef SIM_APDU_H
#define SIM_APDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct apdu {
    uint8_t cla, ins, p1, p2;
    const uint8_t *data; /* points into the parsed bytes */
    size_t lc;           /* 0 = no data */
    size_t le;           /* 0 = no answer data asked for */
    bool le_is_maximum;  /* Le was written as zero: "as many as there are" */
    bool extended;
};

/* 0, or -EINVAL when the lengths do not agree with the bytes (status word 6700). */
int sim_apdu_parse(struct apdu *a, const uint8_t *bytes, size_t len);

#endif
