/*
 * pairs: the list of comparisons (CSV: path_a,path_b,same) and the pictures it names.
 */
#ifndef UKETSUKE_PAIRS_H
#define UKETSUKE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#define PAIRS_MOST 1000000

struct picture {
    char *path;           /* as in the list */
    const char *identity; /* name of its directory; points into `folder` */
    char *folder;
    bool reference; /* stands as path_a somewhere */
    bool probe;     /* stands as path_b somewhere */
};

struct pair {
    size_t a, b; /* pictures */
    bool same;
};

struct pairs {
    struct picture *pictures;
    size_t npictures;
    struct pair *pairs;
    size_t npairs;
};

/* 0, or negative errno with *line the line that is wrong (0: the file itself). */
int pairs_read(struct pairs *out, const char *path, size_t *line);

/*
 * Keep the pairs of one half of the people: a name belongs to the holdout when bit 8 of its 64-bit
 * FNV-1a hash is set. Pairs across the halves go. Pictures that no pair names any more are neither
 * reference nor probe. Returns the pairs left.
 */
size_t pairs_keep_half(struct pairs *pairs, bool holdout);
void pairs_free(struct pairs *pairs);

#endif
