#include "pages.h"

#include "log.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pages {
    struct page table[PAGES_MAX];
    size_t n;
    size_t bytes;
};

static const struct {
    const char *ending;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(dot, types[i].ending) == 0)
            return types[i].type;
    return NULL;
}

int pages_read(int dir, const char *name, size_t most, char **data, size_t *len)
{
    struct stat st;
    size_t have = 0;
    char *bytes = NULL;
    int fd, r = 0;

    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        r = -EINVAL;
        goto out;
    }
    if ((size_t)st.st_size > most) {
        r = -EFBIG;
        goto out;
    }
    bytes = malloc((size_t)st.st_size + 1);
    if (bytes == NULL) {
        r = -ENOMEM;
        goto out;
    }
    while (have < (size_t)st.st_size) {
        ssize_t n = read(fd, bytes + have, (size_t)st.st_size - have);

        if (n <= 0) {
            r = n == 0 ? -EIO : -errno;
            goto out;
        }
        have += (size_t)n;
    }
    *data = bytes;
    *len = have;
    bytes = NULL;
out:
    free(bytes);
    (void)close(fd);
    return r;
}

static int load_one(struct pages *pages, int dir, const char *name)
{
    struct page *page = &pages->table[pages->n];
    int r;

    if (pages->n == PAGES_MAX)
        return -EFBIG;
    r = pages_read(dir, name, PAGES_BYTES_MAX - pages->bytes, &page->data, &page->len);
    if (r < 0)
        return r;
    (void)snprintf(page->name, sizeof(page->name), "%.*s", (int)sizeof(page->name) - 1, name);
    page->type = type_of(name);
    pages->bytes += page->len;
    pages->n++;
    return 0;
}

static const struct page *find(const struct pages *pages, const char *name)
{
    for (size_t i = 0; i < pages->n; i++)
        if (strcmp(pages->table[i].name, name) == 0)
            return &pages->table[i];
    return NULL;
}

int pages_load(struct pages **out, const char *directory)
{
    struct pages *pages = calloc(1, sizeof(*pages));
    struct dirent *entry;
    DIR *dir = NULL;
    int r = -ENOMEM;

    *out = NULL;
    if (pages == NULL)
        return r;
    dir = opendir(directory);
    if (dir == NULL) {
        r = -errno;
        goto fail;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || type_of(entry->d_name) == NULL ||
            strlen(entry->d_name) >= sizeof(pages->table[0].name))
            continue;
        r = load_one(pages, dirfd(dir), entry->d_name);
        if (r < 0) {
            log_event(LOG_LEVEL_ERROR, "page not read",
                      LOG_PUBLIC("name", log_public_from_config(entry->d_name)), LOG_ERRNO(r));
            goto fail;
        }
    }
    if (find(pages, "kiosk.html") == NULL || find(pages, "board.html") == NULL) {
        r = -ENOENT;
        goto fail;
    }
    (void)closedir(dir);
    *out = pages;
    return 0;
fail:
    if (dir != NULL)
        (void)closedir(dir);
    pages_free(&pages);
    return r;
}

void pages_free(struct pages **pages)
{
    if (*pages == NULL)
        return;
    for (size_t i = 0; i < (*pages)->n; i++)
        free((*pages)->table[i].data);
    free(*pages);
    *pages = NULL;
}

/* "/kiosk/" and one to five digits. */
static int is_kiosk(const char *path)
{
    static const char prefix[] = "/kiosk/";
    size_t digits;

    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return 0;
    path += sizeof(prefix) - 1;
    digits = strspn(path, "0123456789");
    return digits >= 1 && digits <= 5 && path[digits] == '\0';
}

const struct page *pages_find(const struct pages *pages, const char *path)
{
    if (strcmp(path, "/") == 0 || strcmp(path, "/board") == 0)
        return find(pages, "board.html");
    if (is_kiosk(path))
        return find(pages, "kiosk.html");
    return path[0] == '/' ? find(pages, path + 1) : NULL;
}
