/*
 * A slip of the folder protocol, as it lies in a folder that others can write to. What is read writes to text that reads to
 * the same again, and its names stay single components of a path.
 */
#include "fuzz.h"

#include <string.h>

#include "daemon/relay/folder_disk.h"
#include "daemon/relay/folder_slip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct folder_slip slip, again;
    char text[FOLDER_SLIP_MAX], name[FOLDER_NAME_MAX];
    size_t len;

    memset(&slip, 0, sizeof(slip));
    if (!folder_slip_read(&slip, (const char *)data, size))
        return 0;
    len = folder_slip_write(&slip, text);
    FUZZ_CHECK(len > 0 && len < sizeof(text));
    memset(&again, 0, sizeof(again));
    FUZZ_CHECK(folder_slip_read(&again, text, len));
    FUZZ_CHECK(strcmp(again.key, slip.key) == 0 && strcmp(again.suffix, slip.suffix) == 0);
    FUZZ_CHECK(strcmp(again.identifier, slip.identifier) == 0 && again.until_s == slip.until_s);
    FUZZ_CHECK(again.writes == slip.writes && again.stage == slip.stage && again.kind == slip.kind);
    folder_slip_request_name(&slip, name, sizeof(name));
    FUZZ_CHECK(strchr(name, '/') == NULL && name[0] != '.' && strlen(name) < sizeof(name) - 1);
    folder_slip_answer_name(&slip, name, sizeof(name));
    FUZZ_CHECK(strchr(name, '/') == NULL && name[0] != '.' && strlen(name) < sizeof(name) - 1);
    return 0;
}

void fuzz_seeds(void)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"read",
         "uketsuke slip 1\nkey=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
         "family=OQSsiquc01\nsuffix=20261005U0123456789abcdef\nkind=1\nstage=1\nwrites=0\nstrict="
         "1\n"
         "institution=9910000017\nidentifier=U1-5\nreception=\nasked=1795339500\nuntil=0\nend\n"},
        {"bulk",
         "uketsuke slip 1\nkey=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
         "family=OQSmuquc02\nsuffix=20261005Uff\nkind=6\nstage=2\nwrites=0\nstrict=1\n"
         "institution=9910000017\nidentifier=U1-6\nreception=R0000001\nasked=1795339500\nuntil="
         "1795343100\nend\n"},
        {"empty", "uketsuke slip 1\n"},
    };
    static struct fuzz_seed seed;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        seed_bytes(&seed, rows[i].text, strlen(rows[i].text));
        seed_write(&seed, rows[i].name);
    }
}
