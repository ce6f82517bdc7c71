/* Vectors that another program made of the same pictures. */
#include "evaluate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The numbers after the path, made a vector of length 1. */
static int vector_read(char *text, int dimensions, float **out)
{
    float *numbers = calloc((size_t)dimensions, sizeof(float));
    const struct dnn_tensor whole = {.data = numbers, .count = (size_t)dimensions};
    int r = numbers == NULL ? -ENOMEM : 0;

    for (int i = 0; i < dimensions && r == 0; i++) {
        char *end;

        numbers[i] = strtof(text, &end);
        if (end == text || *end != (i + 1 < dimensions ? ',' : '\n'))
            r = -EINVAL;
        text = end + 1;
    }
    if (r == 0)
        r = embed_read(&whole, 1, dimensions, numbers);
    if (r == 0) {
        *out = numbers;
        numbers = NULL;
    }
    free(numbers);
    return r;
}

static int line_read(struct work *work, char *text)
{
    const int dimensions = work->manifest->models[MODEL_RECOGNISER].dimensions;
    char *comma = strchr(text, ',');

    if (comma == NULL)
        return -EINVAL;
    *comma = '\0';
    for (size_t i = 0; i < work->pairs->npictures; i++)
        if (strcmp(work->pairs->pictures[i].path, text) == 0)
            return work->results[i].plain != NULL
                       ? -EEXIST
                       : vector_read(comma + 1, dimensions, &work->results[i].plain);
    return 0; /* of another list */
}

int against_read(struct work *work, const char *path, size_t *line)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    int r = 0;

    *line = 0;
    if (file == NULL)
        return -errno;
    while (r == 0 && getline(&text, &room, file) > 0) {
        ++*line;
        r = line_read(work, text);
    }
    if (r == 0 && ferror(file))
        r = -EIO;
    free(text);
    fclose(file);
    return r;
}
