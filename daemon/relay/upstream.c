#include "upstream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int upstream_read_capabilities(const char *name, const char *text, uint32_t offered, uint32_t *out)
{
    const char *at = text;

    *out = 0;
    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        char word[32] = "";
        uint32_t bit;

        if (len < sizeof(word))
            memcpy(word, at, len);
        bit = upstream_capability_of(word);
        if (len > 0 && (bit & offered) == 0) {
            (void)fprintf(stderr,
                          "uketsuke-relay: [upstream %s] capabilities: %.*s: "
                          "この種類の照会先にはありません / not something that this kind of "
                          "upstream can do (",
                          name, (int)len, at);
            for (uint32_t each = 1; each != 0; each <<= 1)
                if ((each & offered) != 0)
                    (void)fprintf(stderr, "%s%s", upstream_capability_name(each),
                                  (offered & ~(each | (each - 1))) != 0 ? " " : ")\n");
            return -EINVAL;
        }
        *out |= bit;
        at += len;
        at += strspn(at, " ");
    }
    return 0;
}
