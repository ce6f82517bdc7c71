#include "cards.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".card"

static int cards_filter(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > strlen(SUFFIX) && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int cards_add(json_t *cards, const char *serial, const char *file)
{
    json_t *names = json_object_get(cards, serial);

    if (names == NULL) {
        if (json_object_set_new(cards, serial, json_array()) < 0)
            return -ENOMEM;
        names = json_object_get(cards, serial);
    }
    return json_array_append_new(names, json_stringn(file, strlen(file) - strlen(SUFFIX))) < 0
               ? -ENOMEM
               : 0;
}

static int cards_read(json_t *cards, const char *dir, const char *name)
{
    char path[4096];
    char line[1024];
    FILE *file;
    int r = 0;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
        return -ENAMETOOLONG;
    file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    while (r == 0 && fgets(line, sizeof(line), file) != NULL) {
        unsigned long long serial;
        char text[32];

        if (sscanf(line, " auth-serial = %20llu", &serial) != 1)
            continue;
        snprintf(text, sizeof(text), "%llu", serial);
        r = cards_add(cards, text, name);
    }
    fclose(file);
    return r;
}

int cards_load(json_t **out, const char *dir)
{
    struct dirent **entries = NULL;
    json_t *cards = json_object();
    int count = scandir(dir, &entries, cards_filter, alphasort);
    int r = count < 0 ? -errno : 0;

    for (int i = 0; i < count; i++) {
        if (r == 0)
            r = cards_read(cards, dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (r < 0 || cards == NULL) {
        json_decref(cards);
        return r < 0 ? r : -ENOMEM;
    }
    *out = cards;
    return 0;
}
