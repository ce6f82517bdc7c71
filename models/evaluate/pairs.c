#include "pairs.h"

#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A path and where it was first seen; the tree gives each picture its number once. */
struct seen {
    char *path;
    size_t index;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct seen *)a)->path, ((const struct seen *)b)->path);
}

static int picture_fill(struct picture *picture, const char *path)
{
    char *slash;

    picture->path = strdup(path);
    picture->folder = strdup(path);
    if (picture->path == NULL || picture->folder == NULL)
        return -ENOMEM;
    slash = strrchr(picture->folder, '/');
    if (slash == NULL)
        return -EINVAL;
    *slash = '\0';
    slash = strrchr(picture->folder, '/');
    picture->identity = slash != NULL ? slash + 1 : picture->folder;
    return 0;
}

static int picture_of(struct pairs *pairs, void **tree, const char *path, size_t *index)
{
    struct seen *seen = calloc(1, sizeof(*seen)), **found;
    int r;

    if (seen == NULL)
        return -ENOMEM;
    seen->path = strdup(path);
    seen->index = pairs->npictures;
    found = seen->path != NULL ? tsearch(seen, tree, by_path) : NULL;
    if (found == NULL) {
        free(seen->path);
        free(seen);
        return -ENOMEM;
    }
    *index = (*found)->index;
    if (*found != seen) {
        free(seen->path);
        free(seen);
        return 0;
    }
    if ((pairs->npictures & (pairs->npictures - 1)) == 0) {
        const size_t room = pairs->npictures == 0 ? 1 : 2 * pairs->npictures;
        struct picture *more = reallocarray(pairs->pictures, room, sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        pairs->pictures = more;
    }
    memset(&pairs->pictures[pairs->npictures], 0, sizeof(struct picture));
    r = picture_fill(&pairs->pictures[pairs->npictures++], path);
    return r;
}

static int read_line(struct pairs *pairs, void **tree, char *text)
{
    char *first = strchr(text, ','), *second = first != NULL ? strchr(first + 1, ',') : NULL;
    struct pair pair;
    int r;

    if (second == NULL || pairs->npairs >= PAIRS_MOST)
        return -EINVAL;
    *first = *second = '\0';
    second[1 + strcspn(second + 1, "\r\n")] = '\0';
    if (strcmp(second + 1, "1") != 0 && strcmp(second + 1, "0") != 0)
        return -EINVAL;
    pair.same = second[1] == '1';
    r = picture_of(pairs, tree, text, &pair.a);
    if (r == 0)
        r = picture_of(pairs, tree, first + 1, &pair.b);
    if (r < 0)
        return r;
    pairs->pictures[pair.a].reference = true;
    pairs->pictures[pair.b].probe = true;
    if ((pairs->npairs & (pairs->npairs - 1)) == 0) {
        const size_t room = pairs->npairs == 0 ? 1 : 2 * pairs->npairs;
        struct pair *more = reallocarray(pairs->pairs, room, sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        pairs->pairs = more;
    }
    pairs->pairs[pairs->npairs++] = pair;
    return 0;
}

static void seen_free(void *node)
{
    struct seen *seen = node;

    free(seen->path);
    free(seen);
}

int pairs_read(struct pairs *out, const char *path, size_t *line)
{
    FILE *file = fopen(path, "re");
    void *tree = NULL;
    char *text = NULL;
    size_t room = 0;
    int r = 0;

    memset(out, 0, sizeof(*out));
    *line = 0;
    if (file == NULL)
        return -errno;
    while (r == 0 && getline(&text, &room, file) > 0) {
        ++*line;
        if (*line == 1 && strncmp(text, "path_a,", 7) == 0)
            continue;
        if (text[strspn(text, " \r\n")] == '\0')
            continue;
        r = read_line(out, &tree, text);
    }
    if (r == 0 && ferror(file))
        r = -EIO;
    if (r == 0 && out->npairs == 0)
        r = -ENODATA;
    tdestroy(tree, seen_free);
    free(text);
    fclose(file);
    if (r < 0)
        pairs_free(out);
    return r;
}

static bool in_holdout(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return (h >> 8 & 1) != 0;
}

size_t pairs_keep_half(struct pairs *pairs, bool holdout)
{
    size_t kept = 0;

    for (size_t i = 0; i < pairs->npictures; i++)
        pairs->pictures[i].reference = pairs->pictures[i].probe = false;
    for (size_t i = 0; i < pairs->npairs; i++) {
        const struct pair pair = pairs->pairs[i];

        if (in_holdout(pairs->pictures[pair.a].identity) != holdout ||
            in_holdout(pairs->pictures[pair.b].identity) != holdout)
            continue;
        pairs->pictures[pair.a].reference = true;
        pairs->pictures[pair.b].probe = true;
        pairs->pairs[kept++] = pair;
    }
    pairs->npairs = kept;
    return kept;
}

void pairs_free(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->npictures; i++) {
        free(pairs->pictures[i].path);
        free(pairs->pictures[i].folder);
    }
    free(pairs->pictures);
    free(pairs->pairs);
    memset(pairs, 0, sizeof(*pairs));
}
