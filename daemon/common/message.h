/*
 * message: the typed, versioned, bounded messages between the programs, generated from message.def.
 *
 * For every row `MESSAGE(NAME, name, ...)` there are `struct msg_name` and `MSG_NAME`. A packet is
 *   u16 'U'|'K'<<8, u16 IPC_VERSION, u16 type, u16 descriptors, u32 length of the body, body
 * Decoding refuses another magic or version, an unknown type, a body that is too short or too long,
 * text that is not UTF-8 or holds a NUL, a descriptor too many or too few.
 */
#ifndef UKETSUKE_MESSAGE_H
#define UKETSUKE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define IPC_VERSION 10
#define MESSAGE_HEADER 12
#define MESSAGE_MAX 16384 /* no packet is larger */
#define MESSAGE_FDS_MAX 2

enum message_type {
#define MESSAGE(NAME, name, type, from, to, fds, fields) MSG_##NAME = type,
#include "message.def"
#undef MESSAGE
};

#define U8(n) uint8_t n;
#define U16(n) uint16_t n;
#define U32(n) uint32_t n;
#define U64(n) uint64_t n;
#define I32(n) int32_t n;
#define I64(n) int64_t n;
#define STR(n, max) char n[(max) + 1];
#define BLOB(n, max)                                                                               \
    struct {                                                                                       \
        uint32_t len;                                                                              \
        uint8_t data[max];                                                                         \
    } n;
#define MESSAGE(NAME, name, type, from, to, fds, fields)                                           \
    struct msg_##name {                                                                            \
        fields                                                                                     \
    };
#include "message.def"
#undef MESSAGE
#undef U8
#undef U16
#undef U32
#undef U64
#undef I32
#undef I64
#undef STR
#undef BLOB

/* Large enough for the body of any message; what message_decode() fills. */
union message_body {
#define MESSAGE(NAME, name, type, from, to, fds, fields) struct msg_##name name;
#include "message.def"
#undef MESSAGE
};

struct message {
    uint16_t type;
    unsigned nfds;
    int fds[MESSAGE_FDS_MAX]; /* filled by the connection; who takes one sets it to -1 */
    union message_body body;
};

struct message_row {
    const char *name; /* "CARD_SIGN" */
    uint16_t type;
    const char *from; /* role letters */
    const char *to;
    unsigned fds;     /* how many descriptors */
    int fds_optional; /* or none */
    size_t body_size; /* of the struct */
};

/* NULL for an unknown type. */
const struct message_row *message_row(uint16_t type);
/* The i-th row, NULL past the end (for tests and fuzzers that walk all). */
const struct message_row *message_row_at(size_t i);
/* The name of a type, "?" when unknown. */
const char *message_name(uint16_t type);

/*
 * Encode `body` (the struct of `type`) into `out`. Returns the length of the packet, or -EINVAL when a text
 * is unterminated or not UTF-8, a blob longer than its bound, or the descriptors do not fit the row.
 */
int message_encode(uint16_t type, const void *body, unsigned nfds, void *out, size_t size);
/* Decode a packet that came with `nfds` descriptors. 0, or -EBADMSG; `out->fds` is left alone. */
int message_decode(const void *packet, size_t len, unsigned nfds, struct message *out);

/* Copy text into a bounded field of a message; -ENAMETOOLONG and an empty field when it does not fit. */
int message_text(char *field, size_t size, const char *text);
#define MESSAGE_TEXT(field, text) message_text((field), sizeof(field), (text))

#endif
