/*
 * ccid_impl.h - what the files of the card reader function share: ccid.c (messages, APDU levels)
 * and ccid_tpdu.c (the TPDU level and the PIN pad).
 */
#ifndef SIM_CCID_IMPL_H
#define SIM_CCID_IMPL_H

#include "ccid.h"

#include "tpdu.h"

enum { HEADER = 10, PACKET = 512, QUEUE = 16 };

enum { /* messages to the reader */
       SET_PARAMETERS = 0x61,
       POWER_ON = 0x62,
       POWER_OFF = 0x63,
       GET_SLOT_STATUS = 0x65,
       SECURE = 0x69,
       T0_APDU = 0x6A,
       ESCAPE = 0x6B,
       GET_PARAMETERS = 0x6C,
       RESET_PARAMETERS = 0x6D,
       ICC_CLOCK = 0x6E,
       XFR_BLOCK = 0x6F,
       MECHANICAL = 0x71,
       ABORT = 0x72,
       SET_DATA_RATE = 0x73,
};

enum { /* messages from the reader */
       DATA_BLOCK = 0x80,
       SLOT_STATUS = 0x81,
       PARAMETERS = 0x82,
       ESCAPE_ANSWER = 0x83,
       DATA_RATE = 0x84,
       NOTIFY_SLOT_CHANGE = 0x50,
};

enum { /* bError */
       E_ABORTED = 0xFF,
       E_MUTE = 0xFE,
       E_PIN_TIMEOUT = 0xF0,
       E_PIN_CANCELLED = 0xEF,
       E_BUSY = 0xE0,
       E_UNSUPPORTED = 0x00,
       E_BAD_LENGTH = 0x01,
       E_BAD_SLOT = 0x05,
       E_BAD_BYTE7 = 0x07,
       E_BAD_LEVEL = 0x08,
       E_BAD_DATA = 0x0A,
};

enum { /* wLevelParameter and bChainParameter */
       CHAIN_WHOLE = 0x00,
       CHAIN_BEGINS = 0x01,
       CHAIN_ENDS = 0x02,
       CHAIN_CONTINUES = 0x03,
       CHAIN_ASK = 0x10,
};

struct ccid_level {
    const char *name;
    uint32_t features;
    uint32_t max_message, protocols, ifsd;
    uint8_t protocol; /* TPDU: T=1 or T=0 towards the card */
    uint8_t speed;    /* TPDU: FiDi that the host must set and the card be asked for */
    uint8_t atr[12];  /* of any card behind it; empty: the card's own */
    /* An XfrBlock at this level: sends its own answer. */
    void (*transfer)(struct ccid *c, const uint8_t *msg, size_t len);
};

struct answer {
    uint8_t data[CCID_MESSAGE_MAX];
    size_t len, sent;
    uint64_t ready_us;
};

struct ccid {
    const struct ccid_level *level;
    struct faults *faults;
    struct card *card;
    bool powered, muted, torn, torn_next, notice;
    bool two_slots, second, second_notice; /* a card in the second; that it changed */
    uint64_t now_us;

    uint8_t in[CCID_MESSAGE_MAX]; /* message being received */
    size_t in_len;
    struct answer queue[QUEUE];
    size_t queued;

    uint8_t command[CARD_COMMAND_MAX]; /* APDU collected from a chain */
    size_t command_len;
    bool collecting;
    uint8_t response[CARD_RESPONSE_MAX];
    size_t response_len, response_sent;

    bool parameters_set, pps_done;
    struct sim_t1 t1;
    struct sim_t0 t0;
    bool pin_pad;
    char keys[17];    /* what happens at the PIN pad */
    uint64_t slow_us; /* the next answer is so late */

    int abort_control, abort_bulk; /* bSeq of half an abort, or -1 */
    FILE *trace;
    uint64_t apdus, apdus_inserted;
};

/*
 * Sends one answer to msg, through the faults that concern answers. status: bits 6-7 of bStatus.
 * specific is the tenth byte.
 */
void sim_ccid_answer(struct ccid *c, const uint8_t *msg, unsigned type, unsigned status,
                     unsigned error, unsigned specific, const uint8_t *data, size_t len);
void sim_ccid_fail(struct ccid *c, const uint8_t *msg, unsigned type, unsigned error);
/* Runs a whole APDU on the card. False when there is no answer because the card is gone or mute. */
bool sim_ccid_run_apdu(struct ccid *c, const uint8_t *apdu, size_t len);
/* The next piece of the response, as large as a message may be. */
void sim_ccid_send_response(struct ccid *c, const uint8_t *msg);

void sim_ccid_transfer_tpdu(struct ccid *c, const uint8_t *msg, size_t len);
void sim_ccid_tpdu_parameters(struct ccid *c, const uint8_t *msg, size_t len);
void sim_ccid_secure(struct ccid *c, const uint8_t *msg, size_t len);

#endif
