#include "tlv.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/bytes.h"

#define TAG_MORE 0x1Fu  /* low bits of a first byte whose tag goes on */
#define TAG_THIRD 0x80u /* in a second byte: a third would follow */

int tlv_header(const uint8_t *data, size_t len, uint16_t *tag, size_t *header_len,
               size_t *value_len)
{
    size_t at = 0;
    size_t bytes;

    if (len < 1)
        return -EAGAIN;
    *tag = data[at++];
    if ((*tag & TAG_MORE) == TAG_MORE) {
        if (len < at + 1)
            return -EAGAIN;
        if (data[at] & TAG_THIRD)
            return -EBADMSG;
        *tag = (uint16_t)(*tag << 8 | data[at++]);
    }
    if (len < at + 1)
        return -EAGAIN;
    *value_len = data[at++];
    if (*value_len >= 0x80) {
        bytes = *value_len - 0x80;
        if (bytes < 1 || bytes > 2)
            return -EBADMSG;
        if (len < at + bytes)
            return -EAGAIN;
        for (*value_len = 0; bytes > 0; bytes--)
            *value_len = *value_len << 8 | data[at++];
    }
    *header_len = at;
    return 0;
}

int tlv_next(struct bytes_reader *r, struct tlv *out)
{
    size_t header;
    int rc;

    memset(out, 0, sizeof(*out));
    if (r->failed)
        return -EBADMSG;
    if (r->left == 0)
        return -ENODATA;
    rc = tlv_header(r->at, r->left, &out->tag, &header, &out->len);
    if (rc < 0 || out->len > r->left - header) {
        r->failed = true;
        return -EBADMSG;
    }
    out->whole_len = header + out->len;
    out->whole = bytes_take(r, out->whole_len);
    out->value = out->whole + header;
    return 0;
}

int tlv_find(const uint8_t *data, size_t len, uint16_t tag, struct tlv *out)
{
    struct bytes_reader r;
    int rc;

    bytes_reader_init(&r, data, len);
    while ((rc = tlv_next(&r, out)) == 0)
        if (out->tag == tag)
            return 0;
    memset(out, 0, sizeof(*out));
    return rc == -ENODATA ? -ENOENT : rc;
}
