/*
 * ccid_message: the messages of the CCID bulk and interrupt pipes, as bytes. Pure.
 * Source: USB-IF CCID specification 1.1, chapter 6.
 */
#ifndef UKETSUKE_CCID_MESSAGE_H
#define UKETSUKE_CCID_MESSAGE_H

#include "ccid.h"

#define CCID_HEADER_BYTES 10u

enum ccid_command {
    CCID_SET_PARAMETERS = 0x61,
    CCID_POWER_ON = 0x62,
    CCID_POWER_OFF = 0x63,
    CCID_GET_SLOT_STATUS = 0x65,
    CCID_SECURE = 0x69,
    CCID_GET_PARAMETERS = 0x6c,
    CCID_XFR_BLOCK = 0x6f,
    CCID_ABORT = 0x72,
};

enum ccid_answer_type {
    CCID_DATA_BLOCK = 0x80,
    CCID_SLOT_STATUS = 0x81,
    CCID_PARAMETERS = 0x82,
};

/* wLevelParameter of XfrBlock and bChainParameter of DataBlock */
#define CCID_CHAIN_WHOLE 0x00u
#define CCID_CHAIN_BEGINS 0x01u
#define CCID_CHAIN_ENDS 0x02u
#define CCID_CHAIN_CONTINUES 0x03u
#define CCID_CHAIN_MORE 0x10u /* an empty block: "go on" */

enum ccid_icc { CCID_ICC_ACTIVE, CCID_ICC_INACTIVE, CCID_ICC_ABSENT, CCID_ICC_RESERVED };
enum ccid_outcome { CCID_DONE, CCID_FAILED, CCID_TIME_EXTENSION, CCID_OUTCOME_RESERVED };

struct ccid_message {
    enum ccid_command type;
    uint8_t slot;
    uint8_t seq;
    uint8_t specific[3]; /* bytes 7..9 */
    const uint8_t *data;
    size_t len;
};

struct ccid_answer {
    uint8_t type;
    uint8_t slot;
    uint8_t seq;
    enum ccid_icc icc;
    enum ccid_outcome outcome;
    uint8_t error; /* bError; a time extension: the multiplier */
    uint8_t chain; /* byte 9; of RDR_to_PC_Parameters: the protocol */
    const uint8_t *data;
    size_t len;
};

/* Bytes written, 0 when it does not fit into `size`. */
size_t ccid_message_put(const struct ccid_message *message, uint8_t *out, size_t size);

/* 0, or -EPROTO when the bytes cannot be an answer (too short, or a length that is not theirs). */
int ccid_answer_parse(struct ccid_answer *answer, const uint8_t *bytes, size_t len);

/* The answer's type that belongs to a command. */
uint8_t ccid_answer_type_for(enum ccid_command command);

/* What a failed command means; CCID_OK for an answer that did not fail. Absence of the card wins.
 */
enum ccid_result ccid_answer_result(const struct ccid_answer *answer);

#define CCID_NOTIFY_SLOT_CHANGE 0x50u
#define CCID_NOTIFY_HARDWARE 0x51u

/* A HardwareError message. */
bool ccid_notify_is_hardware(const uint8_t *bytes, size_t len);
/* A NotifySlotChange message that has a word about each of so many slots. */
bool ccid_notify_covers(const uint8_t *bytes, size_t len, unsigned slots);

/* One slot of a NotifySlotChange message; false when the bytes say nothing about it. */
bool ccid_notify_slot(const uint8_t *bytes, size_t len, unsigned slot, bool *present,
                      bool *changed);

#endif
