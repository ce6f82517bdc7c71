#include "spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool hex4(const char *text, uint16_t *out)
{
    char *end;

    if (strspn(text, "0123456789abcdefABCDEF") < 4)
        return false;
    *out = (uint16_t)strtoul((const char[]){text[0], text[1], text[2], text[3], 0}, &end, 16);
    return *end == 0;
}

static int copy(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len >= size)
        return -EINVAL;
    memcpy(out, text, len + 1);
    return 0;
}

static int parse_port(struct spec *out, const char *text)
{
    if (strspn(text, "0123456789-.") != strlen(text))
        return -EINVAL;
    return copy(out->port, sizeof(out->port), text);
}

static int parse_id(struct spec *out, const char *text)
{
    if (!hex4(text, &out->vendor) || text[4] != ':' || !hex4(text + 5, &out->product))
        return -EINVAL;
    if (text[9] == 0)
        return 0;
    return text[9] == '/' ? copy(out->serial, sizeof(out->serial), text + 10) : -EINVAL;
}

static int parse_usbip(struct spec *out, const char *text)
{
    return copy(out->path, sizeof(out->path), text);
}

static int parse_node(struct spec *out, const char *text)
{
    const char *path = text - strlen("/dev/");

    return strstr(path, "/..") == NULL ? copy(out->path, sizeof(out->path), path) : -EINVAL;
}

static const struct {
    const char *word;
    enum spec_kind kind;
    bool reader;
    bool camera;
    int (*rest)(struct spec *out, const char *text); /* NULL: the word is all */
} words[] = {
    {"only", SPEC_ONLY, true, true, NULL},         {"same", SPEC_SAME, false, true, NULL},
    {"none", SPEC_NONE, false, true, NULL},        {"port=", SPEC_PORT, true, true, parse_port},
    {"id=", SPEC_ID, true, true, parse_id},        {"usbip=", SPEC_USBIP, true, false, parse_usbip},
    {"/dev/", SPEC_NODE, false, true, parse_node},
};

static int parse(struct spec *out, const char *text, bool camera)
{
    size_t len;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        len = strlen(words[i].word);
        if (camera ? !words[i].camera : !words[i].reader)
            continue;
        out->kind = words[i].kind;
        if (words[i].rest == NULL && strcmp(text, words[i].word) == 0)
            return 0;
        if (words[i].rest != NULL && strncmp(text, words[i].word, len) == 0)
            return words[i].rest(out, text + len);
    }
    return -EINVAL;
}

int spec_parse_reader(struct spec *out, const char *text)
{
    return parse(out, text, false);
}

int spec_parse_camera(struct spec *out, const char *text)
{
    static const struct {
        const char *word;
        enum spec_driver driver;
    } drivers[] = {{"v4l2:", DRIVER_KERNEL}, {"auto:", DRIVER_EITHER}, {"", DRIVER_OWN}};
    size_t i = 0;
    int r;

    while (strncmp(text, drivers[i].word, strlen(drivers[i].word)) != 0)
        i++;
    r = parse(out, text + strlen(drivers[i].word), true);
    out->driver = drivers[i].driver;
    if (r == 0 && ((out->kind == SPEC_NODE && out->driver != DRIVER_KERNEL) ||
                   (out->kind == SPEC_NONE && out->driver != DRIVER_OWN)))
        r = -EINVAL;
    return r;
}
