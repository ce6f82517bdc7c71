#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First days of the eras whose year a 照合番号B can hold (the boundary is by day). */
static const struct {
    int first; /* YYYYMMDD */
    int year_zero;
} eras[] = {{20190501, 2018}, {19890108, 1988}, {19261225, 1925}, {19120730, 1911}};

bool card_facts_read(struct card_facts *out, const char *cards_directory, const char *name)
{
    char path[512], line[512];
    int birth = 0, expiry = 0;
    char code[8] = "";
    FILE *file;

    memset(out, 0, sizeof(*out));
    (void)snprintf(path, sizeof(path), "%s/%s.card", cards_directory, name);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "birth = %8d", &birth);
        (void)sscanf(line, "expiry = %8d", &expiry);
        (void)sscanf(line, "security-code = %4s", code);
        (void)sscanf(line, "pin = %4s", out->pin);
        (void)sscanf(line, "number-b = %14s", out->number_b);
    }
    (void)fclose(file);
    if (out->number_b[0] != '\0') /* one that does not follow from the card's dates */
        return true;
    for (size_t i = 0; i < sizeof(eras) / sizeof(eras[0]); i++)
        if (birth >= eras[i].first) {
            (void)snprintf(out->number_b, sizeof(out->number_b), "%02d%04d%04d%.4s",
                           (birth / 10000 - eras[i].year_zero) % 100, birth % 10000,
                           expiry / 10000 % 10000, code);
            return strlen(out->number_b) == 14;
        }
    return false;
}
