#include "apdu.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/bytes.h"

int apdu_build(struct apdu_bytes *out, const struct apdu_command *c)
{
    bool extended = c->data_len > APDU_SHORT_LC_MAX || c->expected > APDU_SHORT_LE_MAX;
    struct bytes_writer w;

    out->len = 0;
    if (c->data_len > APDU_DATA_MAX || c->expected > APDU_LE_MAX ||
        (c->data == NULL && c->data_len > 0))
        return -EINVAL;
    bytes_writer_init(&w, out->data, sizeof(out->data));
    bytes_put_u8(&w, c->cla);
    bytes_put_u8(&w, c->ins);
    bytes_put_u8(&w, c->p1);
    bytes_put_u8(&w, c->p2);
    /* In the extended form one zero byte says so, before Lc or, without data, before Le. */
    if (extended)
        bytes_put_u8(&w, 0);
    if (c->data_len > 0) {
        if (extended)
            bytes_put_u16be(&w, (uint16_t)c->data_len);
        else
            bytes_put_u8(&w, (uint8_t)c->data_len);
        bytes_put(&w, c->data, c->data_len);
    }
    /* The largest length is written as zero, which is what the cast leaves of 256 and 65536. */
    if (c->expected > 0) {
        if (extended)
            bytes_put_u16be(&w, (uint16_t)c->expected);
        else
            bytes_put_u8(&w, (uint8_t)c->expected);
    }
    if (w.failed)
        return -EINVAL;
    out->len = w.used;
    return 0;
}

int apdu_answer(struct apdu_answer *out, const uint8_t *bytes, size_t len)
{
    memset(out, 0, sizeof(*out));
    if (bytes == NULL || len < 2 || len > APDU_RESPONSE_MAX)
        return -EBADMSG;
    out->data = bytes;
    out->len = len - 2;
    out->sw = (uint16_t)(bytes[len - 2] << 8 | bytes[len - 1]);
    return 0;
}

void apdu_wipe(struct apdu_bytes *bytes)
{
    explicit_bzero(bytes, sizeof(*bytes));
}
