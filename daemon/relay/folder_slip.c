#include "folder_slip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "uketsuke slip 1\n"
#define TAIL "end\n"

size_t folder_slip_write(const struct folder_slip *slip, char out[FOLDER_SLIP_MAX])
{
    int n = snprintf(out, FOLDER_SLIP_MAX,
                     HEAD "key=%s\nfamily=%s\nsuffix=%s\nkind=%u\nstage=%u\nwrites=%d\nstrict=%d\n"
                          "institution=%s\nidentifier=%s\nreception=%s\nasked=%" PRId64
                          "\nuntil=%" PRId64 "\n" TAIL,
                     slip->key, slip->family, slip->suffix, slip->kind, slip->stage, slip->writes,
                     slip->strict, slip->institution, slip->identifier, slip->reception,
                     slip->asked_s, slip->until_s);

    return n > 0 && n < FOLDER_SLIP_MAX ? (size_t)n : 0;
}

/* The value behind `name=` at *at, which goes on to the next line. */
static bool take(const char **at, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    const char *end = strchr(*at, '\n');

    if (end == NULL || strncmp(*at, name, len) != 0 || (*at)[len] != '=')
        return false;
    *at += len + 1;
    len = (size_t)(end - *at);
    if (len >= size)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at = end + 1;
    return true;
}

static bool take_number(const char **at, const char *name, int64_t most, int64_t *out)
{
    char text[24], *end;

    if (!take(at, name, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
        return false;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && *out <= most;
}

static bool letters(const char *text)
{
    for (; *text != '\0'; text++)
        if (!((*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= 'a' && *text <= 'z')))
            return false;
    return true;
}

bool folder_slip_read(struct folder_slip *slip, const char *text, size_t len)
{
    char copy[FOLDER_SLIP_MAX];
    const char *at = copy + strlen(HEAD);
    int64_t kind, stage, writes, strict;

    if (len >= sizeof(copy) || memchr(text, 0, len) != NULL)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strncmp(copy, HEAD, strlen(HEAD)) != 0 || !take(&at, "key", slip->key, sizeof(slip->key)) ||
        !take(&at, "family", slip->family, sizeof(slip->family)) ||
        !take(&at, "suffix", slip->suffix, sizeof(slip->suffix)) ||
        !take_number(&at, "kind", 255, &kind) || !take_number(&at, "stage", 2, &stage) ||
        !take_number(&at, "writes", 1, &writes) || !take_number(&at, "strict", 1, &strict) ||
        !take(&at, "institution", slip->institution, sizeof(slip->institution)) ||
        !take(&at, "identifier", slip->identifier, sizeof(slip->identifier)) ||
        !take(&at, "reception", slip->reception, sizeof(slip->reception)) ||
        !take_number(&at, "asked", INT64_MAX, &slip->asked_s) ||
        !take_number(&at, "until", INT64_MAX, &slip->until_s) || strcmp(at, TAIL) != 0)
        return false;
    slip->kind = (uint8_t)kind;
    slip->stage = (uint8_t)stage;
    slip->writes = writes != 0;
    slip->strict = strict != 0;
    return strlen(slip->key) == FOLDER_KEY_DIGITS && letters(slip->key) && letters(slip->family) &&
           letters(slip->suffix) && slip->family[0] != '\0' && slip->suffix[0] != '\0' && stage > 0;
}

void folder_slip_request_name(const struct folder_slip *slip, char *out, size_t size)
{
    (void)snprintf(out, size, "%sreq_%s.xml", slip->family, slip->suffix);
}

void folder_slip_answer_name(const struct folder_slip *slip, char *out, size_t size)
{
    (void)snprintf(out, size, "%sres_%s.xml", slip->family, slip->suffix);
}
