/*
 * card.h - a simulated IC card, made by sim-makecards: a directory of EF files, keys and a
 * card.conf. Speaks APDUs only; readers (CCID, vpcd) stand in front of it.
 *
 * Behaviour follows what is publicly known of the My Number Card (JICSAP 1.1, ISO 7816-4).
 * Retry counters and changed PINs live in a state file, replaced atomically at each change, so
 * that they survive a killed simulator as they survive in the chip.
 */
#ifndef SIM_CARD_H
#define SIM_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CARD_ATR_MAX = 33,
    CARD_COMMAND_MAX = 65544,  /* header 4, extended Lc 3, data 65535, Le 2 */
    CARD_RESPONSE_MAX = 65538, /* 65536 and the status word */
};

struct card;

/* Opens dir/name; the state file is state_dir/name.state. seed feeds GET CHALLENGE. 0 or -errno. */
int sim_card_open(struct card **out, const char *dir, const char *state_dir, const char *name,
                  uint64_t seed);
void sim_card_close(struct card **card);

const char *sim_card_name(const struct card *card);
/* Answer to reset; 0 bytes from a card that does not answer (mute, upside down). */
size_t sim_card_atr(const struct card *card, uint8_t atr[CARD_ATR_MAX]);
/* Power-up, warm reset or power-off: selections and verified secrets are forgotten. */
void sim_card_reset(struct card *card);

/*
 * One command in, one response out, status word included. Returns the length, 2 at least.
 * response must have room for CARD_RESPONSE_MAX bytes.
 */
size_t sim_card_transmit(struct card *card, const uint8_t *command, size_t len, uint8_t *response);

/* Name of the selected application ("mf" before any), for traces. */
const char *sim_card_application(const struct card *card);

/* A retry counter, in the order of the card's layout; false past the last one. */
struct card_counter {
    const char *application;
    uint16_t file;
    int left;
    int maximum;
};
bool sim_card_counter(const struct card *card, size_t i, struct card_counter *out);
/* key: "application.EEEE" or an alias such as "auth-pin". 0, -ENOENT, -ERANGE or -errno. */
int sim_card_set_counter(struct card *card, const char *key, int left);
/* All counters and values back to those of card.conf. 0 or -errno. */
int sim_card_reset_counters(struct card *card);

#endif
