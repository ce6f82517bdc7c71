#include "voice.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct voice {
    struct page *table; /* sorted by name once all is read */
    size_t n, room;
    size_t bytes;
};

static const struct {
    const char *ending;
    const char *type;
} types[] = {
    {".opus", "audio/ogg"}, {".ogg", "audio/ogg"}, {".mp3", "audio/mpeg"},
    {".m4a", "audio/mp4"},  {".wav", "audio/wav"}, {".webm", "audio/webm"},
};

/* "ja/pin.title" of "ja" and "pin.title.opus"; NULL when it is no recording. */
static const char *key_of(const char *language, const char *file, char *key, size_t size)
{
    const char *dot = strrchr(file, '.');
    int n;

    for (size_t i = 0; dot != NULL && dot != file && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(dot, types[i].ending) != 0)
            continue;
        n = snprintf(key, size, "%s/%.*s", language, (int)(dot - file), file);
        return n > 0 && (size_t)n < size ? types[i].type : NULL;
    }
    return NULL;
}

static struct page *slot(struct voice *voice, const char *key)
{
    struct page *table;

    for (size_t i = 0; i < voice->n; i++)
        if (strcmp(voice->table[i].name, key) == 0)
            return &voice->table[i];
    if (voice->n == VOICE_MAX)
        return NULL;
    if (voice->n == voice->room) {
        size_t room = voice->room == 0 ? 256 : voice->room * 2;

        table = realloc(voice->table, room * sizeof(*table));
        if (table == NULL)
            return NULL;
        voice->table = table;
        voice->room = room;
    }
    memset(&voice->table[voice->n], 0, sizeof(voice->table[0]));
    return &voice->table[voice->n++];
}

static int load_one(struct voice *voice, int dir, const char *language, const char *file)
{
    char key[sizeof(voice->table[0].name)];
    const char *type = key_of(language, file, key, sizeof(key));
    struct page *page;
    char *data;
    size_t len;
    int r;

    if (type == NULL)
        return 0;
    r = pages_read(dir, file, VOICE_BYTES_MAX - voice->bytes, &data, &len);
    if (r < 0)
        return r;
    page = slot(voice, key);
    if (page == NULL) {
        free(data);
        return voice->n == VOICE_MAX ? -EFBIG : -ENOMEM;
    }
    /* Own recordings come second and take the place. */
    voice->bytes -= page->len;
    free(page->data);
    (void)snprintf(page->name, sizeof(page->name), "%s", key);
    page->type = type;
    page->data = data;
    page->len = len;
    voice->bytes += len;
    return 0;
}

static int load_language(struct voice *voice, int parent, const char *language)
{
    int fd = openat(parent, language, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct dirent *entry;
    DIR *dir;
    int r = 0;

    if (fd < 0)
        return errno == ENOTDIR ? 0 : -errno; /* a file beside the languages is none of ours */
    dir = fdopendir(fd);
    if (dir == NULL) {
        r = -errno;
        (void)close(fd);
        return r;
    }
    while (r >= 0 && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            r = load_one(voice, fd, language, entry->d_name);
    (void)closedir(dir);
    return r;
}

static int load_all(struct voice *voice, const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    int r = 0;

    if (dir == NULL)
        return errno == ENOENT ? 0 : -errno;
    while (r >= 0 && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' &&
            entry->d_name[strspn(entry->d_name, "abcdefghijklmnopqrstuvwxyz-")] == '\0')
            r = load_language(voice, dirfd(dir), entry->d_name);
    (void)closedir(dir);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct page *)a)->name, ((const struct page *)b)->name);
}

int voice_load(struct voice **out, const char *made, const char *own)
{
    struct voice *voice = calloc(1, sizeof(*voice));
    int r;

    *out = NULL;
    if (voice == NULL)
        return -ENOMEM;
    r = load_all(voice, made);
    if (r >= 0 && own[0] != '\0')
        r = load_all(voice, own);
    if (r < 0) {
        voice_free(&voice);
        return r;
    }
    if (voice->n > 0)
        qsort(voice->table, voice->n, sizeof(voice->table[0]), by_name);
    *out = voice;
    return 0;
}

void voice_free(struct voice **voice)
{
    if (*voice == NULL)
        return;
    for (size_t i = 0; i < (*voice)->n; i++)
        free((*voice)->table[i].data);
    free((*voice)->table);
    free(*voice);
    *voice = NULL;
}

size_t voice_count(const struct voice *voice)
{
    return voice != NULL ? voice->n : 0;
}

const struct page *voice_find(const struct voice *voice, const char *path)
{
    static const char prefix[] = "/voice/";
    struct page key;

    if (voice_count(voice) == 0 || strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    path += sizeof(prefix) - 1;
    if (strlen(path) >= sizeof(key.name))
        return NULL;
    (void)snprintf(key.name, sizeof(key.name), "%s", path);
    return bsearch(&key, voice->table, voice->n, sizeof(voice->table[0]), by_name);
}
