/*
 * A configuration file. What loads holds only values within the table's bounds; what does not is refused with words.
 */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/config.h"

static void check_value(const struct config *config, enum config_key key, const char *instance)
{
    const struct config_row *row = config_row(key);

    if (!config_given(config, key, instance))
        return;
    switch (row->type) {
    case CONFIG_NUMBER:
        FUZZ_CHECK(config_number(config, key, instance) >= row->min);
        FUZZ_CHECK(config_number(config, key, instance) <= row->max);
        break;
    case CONFIG_CHOICE: {
        int64_t choices = 1;

        for (const char *p = row->choices; *p != '\0'; p++)
            choices += *p == '|';
        FUZZ_CHECK(config_number(config, key, instance) >= 0);
        FUZZ_CHECK(config_number(config, key, instance) < choices);
        break;
    }
    case CONFIG_FLAG:
        (void)config_flag(config, key, instance);
        break;
    case CONFIG_TEXT:
        FUZZ_CHECK(config_text(config, key, instance) != NULL);
        FUZZ_CHECK((int64_t)strlen(config_text(config, key, instance)) >= row->min);
        FUZZ_CHECK((int64_t)strlen(config_text(config, key, instance)) <= row->max);
        break;
    case CONFIG_PATH:
        FUZZ_CHECK(config_text(config, key, instance) != NULL);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    char *message = NULL, path[64];
    int fd = memfd_create("config", 0), r;

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = config_load(&config, path, &message);
    FUZZ_CHECK((r == 0) == (config != NULL));
    if (r < 0)
        FUZZ_CHECK(message != NULL && message[0] != '\0');
    if (config != NULL) {
        for (unsigned key = 0; key < CONFIG_KEY_COUNT; key++) {
            const char *section = config_row((enum config_key)key)->section, *instance;

            /* A section that has instances is asked for each of them, else without one. */
            if (config_instance(config, section, 0) == NULL)
                check_value(config, (enum config_key)key, NULL);
            for (size_t i = 0; (instance = config_instance(config, section, i)) != NULL; i++)
                check_value(config, (enum config_key)key, instance);
        }
    }
    free(message);
    config_free(&config);
    close(fd);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    char line[512];

    /* The whole table with its own defaults, then the shapes that a hand makes. */
    for (unsigned key = 0; key < CONFIG_KEY_COUNT; key++) {
        const struct config_row *row = config_row((enum config_key)key);
        bool many = strcmp(row->section, "lane") == 0 || strcmp(row->section, "upstream") == 0;

        snprintf(line, sizeof(line), "[%s%s]\n%s = %s\n", row->section, many ? " 1" : "", row->name,
                 row->fallback != NULL && row->fallback[0] != '\0' ? row->fallback : "1");
        seed_bytes(&seed, line, strlen(line));
    }
    seed_write(&seed, "table");
    seed_bytes(&seed,
               "# word\n[desk]\ninstitution = 9910000017\n\n[lane 1]\nreader = id=054c:0dc8\n", 71);
    seed_write(&seed, "hand");
    seed_bytes(&seed, "[lane x y]\n nonsense\n=\n[upstream main]\nkind = webapi ; word\n", 60);
    seed_write(&seed, "nonsense");
}
