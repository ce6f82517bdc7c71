#include "card_record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "card_layout.h"
#include "daemon/common/bytes.h"
#include "daemon/common/utf8.h"

#define TAG_RECORD 0xFF20u
#define TAG_OFFSETS 0xDF21u
#define TAG_FIRST 0xDF22u
#define TAG_TEXT_NAME 0xDF22u
#define TAG_SIGNER 0x7F21u
#define TAG_SIGNER_BODY 0x5F4Eu
#define TAG_SIGNER_SIGNATURE 0x5F37u

static bool copy_digits(char *out, size_t digits, const struct tlv *field)
{
    if (field->len != digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (field->value[i] < '0' || field->value[i] > '9')
            return false;
    memcpy(out, field->value, digits);
    out[digits] = 0;
    return true;
}

/* The outer TLV, at the start of the file or within the slack that the layout allows. */
static int find_outer(const uint8_t *file, size_t len, uint16_t tag, size_t slack, struct tlv *out)
{
    struct bytes_reader r;

    for (size_t shift = 0; shift <= slack && shift + 2 <= len; shift++) {
        if (file[shift] != tag >> 8 || file[shift + 1] != (tag & 0xFFu))
            continue;
        bytes_reader_init(&r, file + shift, len - shift);
        return tlv_next(&r, out);
    }
    return -EBADMSG;
}

/* Every field stands where the table says, counted from `base`. */
static bool offsets_agree(const struct card_record *record, const struct tlv *table,
                          const uint8_t *base)
{
    struct bytes_reader r;
    uint16_t offset;

    bytes_reader_init(&r, table->value, table->len);
    for (size_t i = 0; i < CARD_FIELD_COUNT; i++) {
        offset = bytes_u16be(&r);
        if (record->field[i].whole != NULL && record->field[i].whole != base + offset)
            return false;
    }
    return bytes_done(&r);
}

static bool all_the_same(const uint8_t *data, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if (data[i] != data[0])
            return false;
    return true;
}

static bool has_needed_fields(const struct card_record *record)
{
    static const enum card_field needed[] = {CARD_FIELD_BIRTH, CARD_FIELD_SEX, CARD_FIELD_KEY,
                                             CARD_FIELD_SIGNATURE};

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (record->field[needed[i]].whole == NULL)
            return false;
    return true;
}

int card_record_parse(struct card_record *out, const uint8_t *file, size_t len)
{
    struct bytes_reader r;
    struct tlv outer;
    struct tlv table;
    struct tlv field;
    size_t next = 0;
    size_t index;
    int rc;

    memset(out, 0, sizeof(*out));
    if (find_outer(file, len, TAG_RECORD, card_layout_file(CARD_FILE_RECORD)->slack, &outer) < 0)
        return -EBADMSG;
    bytes_reader_init(&r, outer.value, outer.len);
    if (tlv_next(&r, &table) < 0 || table.tag != TAG_OFFSETS)
        return -EBADMSG;
    while ((rc = tlv_next(&r, &field)) == 0) {
        if (field.tag < TAG_FIRST + next)
            return -EBADMSG;
        index = field.tag - TAG_FIRST;
        /* Later cards may add fields behind; they are neither signed nor used here. */
        if (index >= CARD_FIELD_COUNT)
            break;
        out->field[index] = field;
        next = index + 1;
    }
    if (rc == -EBADMSG || !has_needed_fields(out))
        return -EBADMSG;
    if (!offsets_agree(out, &table, file) && !offsets_agree(out, &table, outer.whole))
        return -EBADMSG;
    if (!copy_digits(out->birth, 8, &out->field[CARD_FIELD_BIRTH]) ||
        !copy_digits(out->sex, 1, &out->field[CARD_FIELD_SEX]))
        return -EBADMSG;
    if (out->field[CARD_FIELD_EXPIRY].whole != NULL &&
        !copy_digits(out->expiry, 8, &out->field[CARD_FIELD_EXPIRY]))
        return -EBADMSG;
    field = out->field[CARD_FIELD_PHOTO];
    if (field.whole != NULL && !all_the_same(field.value, field.len)) {
        out->photo = field.value;
        out->photo_len = field.len;
    }
    return 0;
}

int card_signer_parse(struct card_signer *out, const uint8_t *file, size_t len)
{
    struct bytes_reader r;
    struct tlv outer;

    memset(out, 0, sizeof(*out));
    if (find_outer(file, len, TAG_SIGNER, 0, &outer) < 0 ||
        tlv_find(outer.value, outer.len, TAG_SIGNER_BODY, &out->body) < 0 ||
        tlv_find(outer.value, outer.len, TAG_SIGNER_SIGNATURE, &out->signature) < 0)
        return -EBADMSG;
    bytes_reader_init(&r, out->body.value, out->body.len);
    out->issuer = bytes_take(&r, CARD_KEY_ID_BYTES);
    out->subject = bytes_take(&r, CARD_KEY_ID_BYTES);
    out->key_len = r.left;
    out->key = bytes_take(&r, r.left);
    return r.failed ? -EBADMSG : 0;
}

int card_text_name(const uint8_t *file, size_t len, char *name, size_t size)
{
    struct tlv outer;
    struct tlv field;

    name[0] = 0;
    if (find_outer(file, len, TAG_RECORD, 0, &outer) < 0 ||
        tlv_find(outer.value, outer.len, TAG_TEXT_NAME, &field) < 0)
        return -EBADMSG;
    if (memchr(field.value, 0, field.len) != NULL ||
        !utf8_valid((const char *)field.value, field.len))
        return -EBADMSG;
    if (field.len >= size)
        return -ENOSPC;
    memcpy(name, field.value, field.len);
    name[field.len] = 0;
    return 0;
}
