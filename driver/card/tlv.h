/*
 * tlv: BER tag-length-value as this card writes it: tags of one or two bytes, lengths below 80 or led by
 * 81 or 82. Anything else (longer tags, indefinite or longer lengths) is refused. All values are borrowed.
 */
#ifndef UKETSUKE_TLV_H
#define UKETSUKE_TLV_H

#include <stddef.h>
#include <stdint.h>

struct bytes_reader;

struct tlv {
    uint16_t tag; /* 0x30, 0xDF22... */
    const uint8_t *value;
    size_t len;
    const uint8_t *whole; /* with tag and length */
    size_t whole_len;
};

/* Longest tag and length: the first read of a file must bring as many, if the file has them. */
#define TLV_HEADER_MAX 5u

/*
 * Tag and length alone, the value need not be there. 0, -EAGAIN (the header does not end within `len`),
 * -EBADMSG.
 */
int tlv_header(const uint8_t *data, size_t len, uint16_t *tag, size_t *header_len,
               size_t *value_len);

/* The next one; moves the reader on. 0, -ENODATA at the end, -EBADMSG (the reader has failed then). */
int tlv_next(struct bytes_reader *r, struct tlv *out);

/* The first with this tag among the siblings in `data`. 0, -ENOENT, -EBADMSG. */
int tlv_find(const uint8_t *data, size_t len, uint16_t tag, struct tlv *out);

#endif
