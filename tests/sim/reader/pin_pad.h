/*
 * pin_pad.h - the reader's own keys: what PC_to_RDR_Secure says about a PIN (CCID 1.1, 6.1.11),
 * and the command that comes of it with the digits that somebody keyed in.
 */
#ifndef SIM_PIN_PAD_H
#define SIM_PIN_PAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIN_PAD_APDU_MAX = 64 };

struct pin_pad_command {
    unsigned seconds; /* how long to wait for keys */
    bool fits;        /* the number of digits is one that was asked for */
    uint8_t prologue[3];
    uint8_t apdu[PIN_PAD_APDU_MAX];
    size_t len;
};

/* data: behind the message's header. 0, or the index of the wrong byte in the message (bError). */
unsigned sim_pin_pad_command(struct pin_pad_command *out, const uint8_t *data, size_t len,
                             const char *digits);

#endif
