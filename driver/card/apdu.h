/*
 * apdu: command and response APDUs as bytes (ISO 7816-4, cases 1 to 4, short and extended lengths).
 *
 * The builder cannot overflow and never sends what it was not given: a command without data and without
 * an expected length is the bare four-byte header, which on this card asks a key for its tries left.
 */
#ifndef UKETSUKE_APDU_H
#define UKETSUKE_APDU_H

#include <stddef.h>
#include <stdint.h>

#define APDU_DATA_MAX 512u
#define APDU_COMMAND_MAX (4u + 3u + APDU_DATA_MAX + 2u)
#define APDU_SHORT_LC_MAX 255u
#define APDU_SHORT_LE_MAX 256u
#define APDU_LE_MAX 65536u
/* 65536 bytes and the status word. */
#define APDU_RESPONSE_MAX (APDU_LE_MAX + 2u)

#define APDU_SW_OK 0x9000u

struct apdu_command {
    uint8_t cla, ins, p1, p2;
    const uint8_t *data; /* NULL: none */
    size_t data_len;
    size_t expected; /* Le: 0 none, up to 256 as short length, above as extended length */
};

struct apdu_bytes {
    size_t len;
    uint8_t data[APDU_COMMAND_MAX];
};

struct apdu_answer {
    const uint8_t *data; /* borrowed, without the status word */
    size_t len;
    uint16_t sw;
};

/* 0, -EINVAL (more data or more expected than an APDU can say). */
int apdu_build(struct apdu_bytes *out, const struct apdu_command *command);
/* 0, -EBADMSG (no status word, or longer than an APDU can be). */
int apdu_answer(struct apdu_answer *out, const uint8_t *bytes, size_t len);
/* A command may hold a credential. */
void apdu_wipe(struct apdu_bytes *bytes);

#endif
