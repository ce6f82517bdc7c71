/*
 * card: what is asked of a My Number Card, as operations over a card channel.
 *
 * - One operation at a time. Each ends in its callback exactly once, from the event loop, never from inside
 *   the call that started it; the next may be started from the callback.
 * - An operation has one absolute deadline; each APDU gets what is left of it, at most five seconds.
 * - Credentials: the counter of a key is read before every VERIFY, in the same operation; the PIN goes to
 *   JPKI key 0018 and to no other, 照合番号B to keys 0012 (券面事項確認AP) and 0015 (券面事項入力補助AP) and to no
 *   other. The card is powered off at once after an operation that sent one.
 * - Whatever was read is wiped when the callback has returned; only which card it is stays until
 *   card_engine_forget().
 */
#ifndef UKETSUKE_CARD_H
#define UKETSUKE_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct card_channel;
struct card_engine;
struct card_trust;
struct clock;
struct secret;

enum card_end {
    CARD_END_OK,
    CARD_END_CANCELLED,
    /* the wire */
    CARD_END_ABSENT,  /* no card there */
    CARD_END_MUTE,    /* it does not answer */
    CARD_END_REMOVED, /* taken away while being read */
    CARD_END_TROUBLE, /* bad contact or field */
    CARD_END_TIMEOUT,
    CARD_END_READER_LOST,
    CARD_END_READER_HELD,
    CARD_END_READER_PROTOCOL,
    /* what kind of card */
    CARD_END_FOREIGN, /* not a My Number Card */
    CARD_END_OLD_RESIDENT,
    CARD_END_PHONE,
    CARD_END_NEXT_GENERATION,
    CARD_END_OTHER_CARD, /* came back, but it is not the card that was identified */
    CARD_END_DAMAGED,    /* its data have an unexpected shape, or it refuses what it should do */
    CARD_END_NO_PHOTO,
    CARD_END_NOT_ITS_KEY, /* the signature does not fit the certificate */
    /* credentials */
    CARD_END_PIN_FORMAT, /* nothing was sent */
    CARD_END_PIN_LAST_TRY,
    CARD_END_PIN_WRONG,
    CARD_END_PIN_LOCKED,
    CARD_END_PIN_NOT_SET,
    CARD_END_PAD_CANCELLED, /* at the reader's PIN pad; nothing was sent to the card, as in the next two */
    CARD_END_PAD_TIMEOUT,
    CARD_END_PAD_REFUSED, /* the reader cannot do it after all: card_channel.pin_pad is false now */
    CARD_END_NUMBER_B_FORMAT,
    CARD_END_NUMBER_B_FEW_TRIES,
    CARD_END_NUMBER_B_WRONG,
    CARD_END_NUMBER_B_LOCKED,
    CARD_END_INTERNAL, /* out of memory, or the library failed */
    CARD_END_COUNT
};

/* A short lower-case word for logs. */
const char *card_end_name(enum card_end end);

#define CARD_TRIES_UNKNOWN 255u
#define CARD_TRIES_NO_KEY 254u /* the card has no such key */
#define CARD_STATEMENT_MAX 512u
#define CARD_SIGNATURE_MAX 512u

/* The outcome; pointers are borrowed for the time of the callback. Fields of other operations are zero. */
struct card_report {
    enum card_end end;
    uint16_t status_word; /* the card's last one */
    uint32_t apdus;
    uint32_t elapsed_ms;
    uint8_t pin_tries; /* CARD_TRIES_UNKNOWN, CARD_TRIES_NO_KEY (identify); 0 locked */
    uint8_t number_b_tries;
    /* identify */
    const uint8_t *certificate;
    size_t certificate_len;
    const uint8_t *subject; /* 32 bytes, see card_proof.h */
    int64_t valid_from;
    int64_t valid_until;
    uint8_t chain; /* enum genuine */
    /* sign */
    const char *statement;
    size_t statement_len;
    const uint8_t *signature;
    size_t signature_len;
    /* photo; record and challenge also when it failed after they were found */
    uint8_t record;    /* enum genuine */
    uint8_t challenge; /* enum genuine */
    const uint8_t *photo;
    size_t photo_len;
    char birth[9];
    char sex[2];
    char expiry[9];
    char name[257]; /* "" when the text application did not open */
};

typedef void card_done_fn(struct card_engine *engine, const struct card_report *report, void *arg);

/* clock and trust are borrowed and must outlive it. NULL and errno when there is no (lockable) memory. */
struct card_engine *card_engine_new(struct clock *clock, const struct card_trust *trust);
/*
 * Drops what runs, without a callback; the channel must not call back afterwards. Not from inside a callback
 * of the engine. Accepts and stores NULL.
 */
void card_engine_free(struct card_engine **engine);

/*
 * The reader came (channel borrowed) or went (NULL). What runs on the old channel ends with
 * CARD_END_READER_LOST; the old channel must not call back any more.
 */
void card_engine_set_channel(struct card_engine *engine, struct card_channel *channel);
/* The reader tells that the card was taken off. What runs ends by the channel. */
void card_engine_card_gone(struct card_engine *engine);

bool card_engine_busy(const struct card_engine *engine);
bool card_engine_powered(const struct card_engine *engine);

/* These return 0, or start nothing: -EBUSY, -ENODEV (no channel), -EINVAL. */

/*
 * Which card is it: token, user certificate, chain, both counters. From here on only this card is served:
 * when it has been without power or off the reader, the other operations read the certificate again before
 * anything else, and it must be the same, byte by byte.
 */
int card_engine_identify(struct card_engine *engine, uint64_t deadline_us, card_done_fn *done,
                         void *arg);

struct card_sign_request {
    uint64_t deadline_us;
    bool last_try_agreed;
    int64_t time;            /* seconds since 1970 */
    const char *institution; /* 10 digits */
    const char *purpose;     /* lower-case words with '-' */
};
/*
 * VERIFY of the PIN (taken over: `pin` is zeroed; NULL: it is keyed in at the reader's own pad, -EINVAL
 * without one), then a signature over a statement composed here:
 *   uketsuke statement v1\n
 *   purpose: <purpose>\n
 *   institution: <institution>\n
 *   time: 20261122T091500Z\n
 *   nonce: <32 hexadecimal digits from getrandom>\n
 * checked against the certificate before it is reported.
 */
int card_engine_sign(struct card_engine *engine, const struct card_sign_request *request,
                     struct secret *pin, card_done_fn *done, void *arg);

struct card_photo_request {
    uint64_t deadline_us;
    bool few_tries_agreed; /* a person said yes to a counter that is not full */
    bool scanned;          /* read by a machine: sent at a full counter only */
};
/* The photo, what is signed with it, and the name, by 照合番号B (taken over: `number_b` is zeroed). */
int card_engine_photo(struct card_engine *engine, const struct card_photo_request *request,
                      struct secret *number_b, card_done_fn *done, void *arg);

/* Power off. Nothing to do is a success. `done` may be NULL. */
int card_engine_off(struct card_engine *engine, card_done_fn *done, void *arg);

/* Ask for an early end: CARD_END_CANCELLED, or the real outcome if that was quicker. No-op when idle. */
void card_engine_cancel(struct card_engine *engine);
/* The visit is over: forget which card it was, now or when the operation under way has ended. */
void card_engine_forget(struct card_engine *engine);

#endif
