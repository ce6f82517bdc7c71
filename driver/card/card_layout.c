#include "card_layout.h"

#include <string.h>

static const struct card_application_row applications[CARD_AP_COUNT] = {
    [CARD_AP_JPKI] = {{0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}, 10},
    [CARD_AP_KENKAKU] = {{0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x02}, 10},
    [CARD_AP_KENHOJO] = {{0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08}, 10},
};

/*
 * Sizes: the token name stands in the first 32 bytes of its file. A user certificate is below 2 KiB, the
 * signer's certificate 568 bytes, the text a few hundred; the record's size is unpublished, but offsets
 * of READ BINARY have 15 bits. Slack: one report says that cards of 2023 have two bytes before the record.
 * Tries: PIN 3 (OpenSC and municipal pages), 照合番号B 10 (Digital Agency).
 */
#define DATA(ap, ef, ...)                                                                          \
    {                                                                                              \
        .application = CARD_AP_##ap, .id = (ef), __VA_ARGS__                                       \
    }
#define KEY(ap, ef, what, tries)                                                                   \
    {                                                                                              \
        .application = CARD_AP_##ap, .id = (ef), .credential = CARD_CREDENTIAL_##what,             \
        .tries_max = (tries)                                                                       \
    }
static const struct card_file_row files[CARD_FILE_COUNT] = {
    [CARD_FILE_TOKEN] = DATA(JPKI, 0x0006, .fixed = 32, .most = 32),
    [CARD_FILE_USER_CERTIFICATE] = DATA(JPKI, 0x000A, .outer = 0x30, .most = 4096),
    [CARD_FILE_USER_KEY] = DATA(JPKI, 0x0017, .most = 0),
    [CARD_KEY_PIN] = KEY(JPKI, 0x0018, PIN, 3),
    [CARD_FILE_RECORD] =
        DATA(KENKAKU, 0x0002, .outer = 0xFF20, .slack = 2, .most = CARD_FILE_BYTES_MAX),
    [CARD_FILE_RECORD_SIGNER] = DATA(KENKAKU, 0x0004, .outer = 0x7F21, .most = 2048),
    [CARD_KEY_NUMBER_B] = KEY(KENKAKU, 0x0012, NUMBER_B, 10),
    [CARD_FILE_TEXT] = DATA(KENHOJO, 0x0002, .outer = 0xFF20, .most = 4096),
    [CARD_KEY_TEXT_NUMBER_B] = KEY(KENHOJO, 0x0015, NUMBER_B, 10),
};
#undef DATA
#undef KEY

static const struct {
    const char *name;
    enum card_token token;
} tokens[] = {
    {"JPKIAPICCTOKEN2", CARD_TOKEN_MY_NUMBER},
    {"JPKIAPICCTOKEN", CARD_TOKEN_OLD_RESIDENT},
    {"JPKIAPGPSETOKEN", CARD_TOKEN_ANDROID},
    {"JPKIAPIOSTOKEN", CARD_TOKEN_IOS},
};

const struct card_application_row *card_layout_application(enum card_application application)
{
    return &applications[application];
}

const struct card_file_row *card_layout_file(enum card_file file)
{
    return &files[file];
}

enum card_token card_layout_token(const uint8_t *name, size_t len)
{
    while (len > 0 && name[len - 1] == ' ')
        len--;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        if (strlen(tokens[i].name) == len && memcmp(tokens[i].name, name, len) == 0)
            return tokens[i].token;
    return CARD_TOKEN_UNKNOWN;
}
