#include "folder_request.h"

#include "../common/clock.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const struct folder_message messages[] = {
    {UPSTREAM_BY_NUMBERS, CAPABILITY_BY_NUMBERS, "OQSsiquc01", NULL, true},
    {UPSTREAM_REFERENCE_NUMBER, CAPABILITY_REFERENCE_NUMBER, "OQSsiimm01", NULL, true},
    {UPSTREAM_BULK, CAPABILITY_BULK, "OQSmuquc01", "OQSmuquc02", true},
    {UPSTREAM_REFERENCE_BULK, CAPABILITY_BULK, "OQSmuimm01", "OQSmuimm02", true},
    {UPSTREAM_TICKETS, CAPABILITY_BULK, "OQSmutic01", "OQSmutic02", true},
    /* What the header of their answers names is not public. */
    {UPSTREAM_DRUGS, CAPABILITY_DOCUMENTS, "YZKsiquc01", NULL, false},
    {UPSTREAM_CHECKUP, CAPABILITY_DOCUMENTS, "TKKsiquc01", NULL, false},
};

const struct folder_message *folder_message_of(uint8_t kind)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        if (messages[i].kind == kind)
            return &messages[i];
    return NULL;
}

/* A line of a slip, and of a header. */
static bool visible(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return true;
}

static int copy(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len >= size || !visible(text))
        return -EINVAL;
    memcpy(out, text, len + 1);
    return 0;
}

int folder_request_begin(struct folder_slip *slip, const struct folder_message *message,
                         const struct xmlmsg *tree)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    uint8_t *packed = NULL;
    size_t len;
    int error = copy(slip->institution, sizeof(slip->institution),
                     xmlmsg_get(tree, "MessageHeader/MedicalInstitutionCode"));

    if (error == 0)
        error = copy(slip->identifier, sizeof(slip->identifier),
                     xmlmsg_get(tree, "MessageHeader/ArbitraryFileIdentifier"));
    if (error == 0)
        error = xmlmsg_pack(tree, &packed, &len);
    if (error != 0)
        return error;
    (void)SHA256(packed, len, hash);
    explicit_bzero(packed, len);
    free(packed);
    for (size_t i = 0; i < sizeof(hash); i++)
        (void)snprintf(slip->key + 2 * i, 3, "%02x", hash[i]);
    /* Two messages may carry the same tree. */
    slip->kind = message->kind;
    slip->key[0] = "0123456789abcdef"[message->kind % 16];
    (void)snprintf(slip->family, sizeof(slip->family), "%s", message->first);
    slip->stage = 1;
    slip->strict = message->strict;
    return 0;
}

int folder_request_name(struct folder_slip *slip, int64_t realtime_s)
{
    time_t japan = (time_t)(realtime_s + CLOCK_JAPAN_SECONDS);
    uint64_t chance;
    struct tm tm;

    if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance) ||
        gmtime_r(&japan, &tm) == NULL)
        return -EIO;
    (void)snprintf(slip->suffix, sizeof(slip->suffix), "%04u%02u%02uU%016llx",
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                   (unsigned)tm.tm_mday % 100, (unsigned long long)chance);
    return 0;
}

int folder_request_write(struct codec_xml *codec, const struct xmlmsg *tree,
                         enum codec_xml_encoding encoding, char **out, size_t *len)
{
    const struct codec_xml_style style = {.encoding = encoding, .indent = "  "};

    return codec_xml_write(codec, tree, &style, out, len, NULL);
}

int folder_request_second(struct codec_xml *codec, struct folder_slip *slip,
                          const struct folder_message *message, const char *reception,
                          enum codec_xml_encoding encoding, char **out, size_t *len)
{
    struct xmlmsg *tree = NULL;
    int error = -EINVAL;

    *out = NULL;
    if (message->second == NULL || copy(slip->reception, sizeof(slip->reception), reception) != 0)
        return -EINVAL;
    (void)snprintf(slip->family, sizeof(slip->family), "%s", message->second);
    slip->stage = 2;
    tree = xmlmsg_new("XmlMsg");
    error = -ENOMEM;
    if (tree != NULL)
        error = xmlmsg_set(tree, "MessageHeader/MedicalInstitutionCode", slip->institution);
    if (error == 0)
        error = xmlmsg_set(tree, "MessageHeader/ArbitraryFileIdentifier", slip->identifier);
    if (error == 0)
        error = xmlmsg_set(tree, "MessageBody/ReceptionNumber", slip->reception);
    if (error == 0)
        error = folder_request_write(codec, tree, encoding, out, len);
    xmlmsg_free(&tree);
    return error;
}

const char *folder_request_reception(const struct xmlmsg *answer)
{
    const char *number = xmlmsg_get(answer, "MessageHeader/ReceptionNumber");

    return number[0] != '\0' ? number : xmlmsg_get(answer, "MessageBody/ReceptionNumber");
}
