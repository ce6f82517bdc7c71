/*
 * faults.h - what can go wrong on purpose. A table of kinds; armed ones wait for their n-th
 * occasion, counted from the moment of arming. Each fires once, except those marked "every".
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the model asks whether something goes wrong now. */
enum fault_point {
    FAULT_AT_TRANSFER, /* a transfer of an endpoint is about to complete */
    FAULT_AT_ANSWER,   /* the reader is about to answer a CCID command */
    FAULT_AT_APDU,     /* a whole APDU reached the card */
    FAULT_AT_BLOCK,    /* a block of T=1 is about to reach the card (TPDU readers) */
    FAULT_AT_FRAME,    /* the camera begins a frame */
    FAULT_AT_PACKET,   /* the camera sends a packet with picture data */
    FAULT_POINTS
};

enum fault_kind {
    FAULT_NONE,
    FAULT_STALL,   /* endpoint halts until CLEAR_FEATURE */
    FAULT_SHORT,   /* transfer cut to `arg` bytes */
    FAULT_SLOW,    /* transfer late by `arg` ms */
    FAULT_GARBAGE, /* bytes replaced by noise */
    FAULT_BABBLE,  /* device sends more than asked: -EOVERFLOW */
    FAULT_UNPLUG,  /* cable out */
    FAULT_EXTEND,  /* `arg` time extensions, `arg2` ms apart, before the answer */
    FAULT_WRONG_SEQ,
    FAULT_WRONG_SLOT,
    FAULT_WRONG_LENGTH,    /* dwLength larger than the message */
    FAULT_STALE,           /* an answer with the previous bSeq comes first */
    FAULT_TWICE,           /* answer sent twice */
    FAULT_SILENT,          /* never answered */
    FAULT_BERROR,          /* command fails with bError `arg` */
    FAULT_MUTE,            /* card stops answering: bError FE */
    FAULT_TORN,            /* card gone after this APDU was answered */
    FAULT_TORN_IN,         /* card gone before this APDU is executed */
    FAULT_TORN_LOST,       /* executed, and gone before the answer leaves */
    FAULT_SW,              /* card answers status word `arg` (hex) instead of executing */
    FAULT_BLOCK_LOST,      /* it does not reach the card */
    FAULT_BLOCK_SILENT,    /* the card's answer does not reach the reader */
    FAULT_BLOCK_DAMAGED,   /* the answer's check byte is wrong */
    FAULT_BLOCK_REFUSED,   /* the card saw a wrong check byte */
    FAULT_BLOCK_OLD,       /* the card's block before comes in place of its answer */
    FAULT_BLOCK_WTX,       /* the card wants `arg` waiting times before its next answer */
    FAULT_BLOCK_IFS,       /* the card wants blocks of `arg` bytes from now on */
    FAULT_BLOCK_ABORT,     /* the card gives the exchange up instead of answering */
    FAULT_CAMERA_DROP,     /* every n-th packet with data is lost */
    FAULT_CAMERA_ERROR,    /* ERR bit in the frame */
    FAULT_CAMERA_TRUNCATE, /* frame cut to `arg` bytes */
    FAULT_CAMERA_NO_EOF,   /* frame without its EOF bit */
    FAULT_CAMERA_GARBAGE,  /* noise instead of the picture */
    FAULT_CAMERA_HEADER,   /* impossible payload header length */
    FAULT_CAMERA_STOP,     /* no more frames */
};

struct fault {
    enum fault_kind kind;
    enum fault_point point;
    unsigned endpoint; /* address with direction bit; only at FAULT_AT_TRANSFER */
    bool every;
    uint64_t n, left;
    uint64_t arg, arg2;
};

struct faults;

struct faults *sim_faults_new(void);
void sim_faults_free(struct faults **f);
/*
 * words: KIND [ENDPOINT] N [ARG [ARG2]]; see sim_faults_help. 0, or -EINVAL/-ENOSPC with a sentence
 * in why.
 */
int sim_faults_arm(struct faults *f, char *const *words, size_t count, char *why, size_t why_cap);
void sim_faults_clear(struct faults *f);
size_t sim_faults_armed(const struct faults *f);
/* One occasion passes. NULL, or the fault that fires now, valid until the next call. */
const struct fault *sim_faults_hit(struct faults *f, enum fault_point point, unsigned endpoint);
/* Line i of the list of kinds, NULL past the end. */
const char *sim_faults_help(size_t i);

#endif
