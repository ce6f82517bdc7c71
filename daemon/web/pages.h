/*
 * pages: the files of the pages, read once at the start; a request is only looked up in the table of what is
 * there, so there is no path to travel.
 */
#ifndef UKETSUKE_WEB_PAGES_H
#define UKETSUKE_WEB_PAGES_H

#include <stddef.h>

struct pages;

#define PAGES_MAX 64
#define PAGES_BYTES_MAX ((size_t)2 << 20)

struct page {
    char name[64];    /* "kiosk.js" */
    const char *type; /* its media type, a constant */
    char *data;
    size_t len;
};

/* Every regular file of a known type directly in the directory. -ENOENT when there is no kiosk.html or board.html. */
int pages_load(struct pages **out, const char *directory);
void pages_free(struct pages **pages);
/* All of one regular file of a directory, at most `most` bytes, to be freed by the caller. */
int pages_read(int dir, const char *name, size_t most, char **data, size_t *len);
/* The page of a path: "/kiosk.js", "/", "/board", "/kiosk/1". NULL when there is none. */
const struct page *pages_find(const struct pages *pages, const char *path);

#endif
