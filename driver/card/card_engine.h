/*
 * card engine, inside: an operation is a table of steps, run one after the other by card_engine.c. A step
 * names a file or key; power, application and file are selected when they are not current. After it the
 * step's `done` looks at the outcome and says CARD_END_OK to go on or how the operation ends.
 */
#ifndef UKETSUKE_CARD_ENGINE_H
#define UKETSUKE_CARD_ENGINE_H

#include "apdu.h"
#include "card.h"
#include "card_channel.h"
#include "card_layout.h"
#include "card_proof.h"
#include "daemon/common/secret.h"

#define CARD_NONCE_BYTES 32u

enum card_step_kind {
    CARD_STEP_READ,   /* the whole of a data file */
    CARD_STEP_TRIES,  /* the tries left of a key: spends none */
    CARD_STEP_VERIFY, /* send the operation's credential to a key */
    CARD_STEP_SIGN, /* COMPUTE SIGNATURE over engine->input, by `file`, or by the application's own key */
};

struct card_outcome {
    bool selected; /* false: application or file could not be selected, `sw` says why */
    uint16_t sw;
    const uint8_t
        *data; /* READ: the file, only when it is complete (sw 9000); SIGN: the signature */
    size_t len;
};

struct card_step {
    enum card_step_kind kind;
    enum card_application application;
    enum card_file file; /* CARD_FILE_NONE: SIGN by the application's own key */
    bool (*wanted)(const struct card_engine *engine); /* NULL: always */
    enum card_end (*done)(struct card_engine *engine, const struct card_outcome *outcome);
};
/* A step on a file, its application taken from the layout by the runner. */
#define CARD_STEP(kind, file, wanted, done)                                                        \
    {                                                                                              \
        CARD_STEP_##kind, CARD_AP_NONE, (file), (wanted), (done)                                   \
    }

enum card_key_state {
    CARD_KEY_OPEN, /* tries are left */
    CARD_KEY_BLOCKED,
    CARD_KEY_UNSET,   /* there is no such credential on this card */
    CARD_KEY_UNKNOWN, /* the card does not tell */
};

struct card_operation {
    const struct card_step *steps; /* the table, `count` long; none: power off */
    size_t count;
    bool power_off; /* when it ends, however it ends */
    /* When all steps are through or one ended it: last checks, fill in the report. May be NULL. */
    enum card_end (*conclude)(struct card_engine *engine, enum card_end end);
};

enum card_phase {
    CARD_PHASE_IDLE,
    CARD_PHASE_POWER,
    CARD_PHASE_APPLICATION,
    CARD_PHASE_FILE,
    CARD_PHASE_COMMAND,
    CARD_PHASE_OFF,
    CARD_PHASE_REPORT
};

struct card_engine {
    struct clock *clock;
    const struct card_trust *trust;
    struct card_channel *channel;
    struct timer *later; /* reports come from the loop */

    /* the chip, as we left it */
    enum card_application application;
    enum card_file file;
    bool powered;
    bool no_extended; /* this card or reader refused an extended length */

    /* the card of this visit */
    bool identified;
    bool same; /* its certificate was read since the last power on */
    bool has_certificate;
    bool forget; /* as soon as the operation under way has ended */

    /* the operation under way */
    bool waiting; /* for the channel */
    bool left;    /* the card left meanwhile, whatever the channel still answers */
    bool cancelled;
    enum card_phase phase;
    const struct card_operation *operation;
    size_t step;
    unsigned repeats; /* of what the wire had lost, see card_engine.c */
    uint64_t started_us;
    uint64_t deadline_us;
    card_done_fn *done;
    void *arg;

    /* the exchange under way */
    unsigned continued; /* GET RESPONSEs in a row */
    bool resent;        /* with the length that 6Cxx asked for */
    uint8_t file_id[2];
    struct apdu_command command;
    struct secret answer;  /* what came of the present command so far */
    struct secret scratch; /* a small file being read */
    struct secret record;  /* the card face, kept while it is checked */
    size_t total;          /* of the file being read, 0 while unknown */

    /* credentials */
    struct secret credential;
    enum card_credential credential_kind;
    enum card_file counted; /* the key whose counter was read last */
    enum card_key_state key_state;
    uint8_t tries;
    bool at_pad; /* the credential is keyed in at the reader */
    bool agreed; /* a person said yes to a low counter */
    bool scanned;

    /* sign and photo */
    bool face_read;
    bool text_open;
    size_t input_len;
    size_t signature_len;
    size_t signer_len;
    size_t certificate_len;
    struct card_certificate certificate;
    struct card_record face;
    struct card_report report;
    struct apdu_bytes bytes;
    uint8_t input[APDU_SHORT_LC_MAX];
    uint8_t nonce[CARD_NONCE_BYTES];
    char statement[CARD_STATEMENT_MAX];
    uint8_t signature[CARD_SIGNATURE_MAX];
    uint8_t signer[2048];
    uint8_t certificate_der[4096];
};

/* Begin; the operation's own fields were set by the caller after card_engine_prepare(). */
int card_engine_prepare(struct card_engine *engine, uint64_t deadline_us);
void card_engine_run(struct card_engine *engine, const struct card_operation *operation,
                     card_done_fn *done, void *arg);
/* As card_engine_run(), but it ends so at once: nothing is sent. */
void card_engine_refuse(struct card_engine *engine, enum card_end end, card_done_fn *done,
                        void *arg);

/* What an empty VERIFY, or one that failed, says about the key. */
enum card_key_state card_engine_key_state(uint16_t sw, uint8_t *tries);

/* Steps that more than one operation has: read the user certificate, and see that it is still that card. */
bool card_engine_wants_certificate(const struct card_engine *engine);
enum card_end card_engine_on_certificate(struct card_engine *engine,
                                         const struct card_outcome *outcome);

#endif
