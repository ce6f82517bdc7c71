#include "weights.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MOST (256l << 20)

int weights_open(struct weights *w, const char *manifest, const char *data)
{
    json_error_t error;
    FILE *file = NULL;
    long size;
    int r = 0;

    memset(w, 0, sizeof(*w));
    w->manifest = json_load_file(manifest, 0, &error);
    if (w->manifest == NULL) {
        fprintf(stderr, "%s: %s\n", manifest, error.text);
        return -EBADMSG;
    }
    file = fopen(data, "re");
    if (file == NULL) {
        r = -errno;
    } else if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) <= 0 || size > FILE_MOST) {
        r = -EBADMSG;
    } else {
        rewind(file);
        w->len = (size_t)size;
        w->data = malloc(w->len);
        if (w->data == NULL)
            r = -ENOMEM;
        else if (fread(w->data, 1, w->len, file) != w->len)
            r = -EIO;
    }
    if (file != NULL)
        fclose(file);
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", data, strerror(-r));
        weights_close(w);
    }
    return r;
}

void weights_close(struct weights *w)
{
    json_decref(w->manifest);
    free(w->data);
    memset(w, 0, sizeof(*w));
}

/* Values of an entry, 0 if its shape is not one of whole positive numbers or too large. */
static size_t entry_count(const json_t *entry)
{
    const json_t *shape = json_object_get(entry, "shape"), *dim;
    size_t count = 1, i;

    json_array_foreach (shape, i, dim) {
        const json_int_t n = json_integer_value(dim);

        if (n <= 0 || n > 1 << 20 || count > ((size_t)1 << 26) / (size_t)n)
            return 0;
        count *= (size_t)n;
    }
    return count;
}

static bool same_shape(const json_t *entry, const int64_t *dims, size_t ndims)
{
    const json_t *shape = json_object_get(entry, "shape");

    if (json_array_size(shape) != ndims)
        return false;
    for (size_t i = 0; i < ndims; i++)
        if (json_integer_value(json_array_get(shape, i)) != dims[i])
            return false;
    return true;
}

static int read_values(const struct weights *w, const json_t *entry, size_t at, size_t count,
                       float **values)
{
    const json_t *q = json_object_get(entry, "quantization");
    const size_t each = q != NULL ? 1 : sizeof(float);
    float *out;

    if (at > w->len || count > (w->len - at) / each)
        return -EBADMSG;
    out = malloc(count * sizeof(float));
    if (out == NULL)
        return -ENOMEM;
    if (q == NULL) {
        memcpy(out, w->data + at, count * sizeof(float));
    } else {
        const double scale = json_number_value(json_object_get(q, "scale"));
        const double min = json_number_value(json_object_get(q, "min"));

        for (size_t i = 0; i < count; i++)
            out[i] = (float)(w->data[at + i] * scale + min);
    }
    *values = out;
    return 0;
}

int weights_take(const struct weights *w, const char *name, const int64_t *dims, size_t ndims,
                 float **values)
{
    const json_t *group, *entry;
    size_t at = 0, i, k;

    json_array_foreach (w->manifest, i, group) {
        json_array_foreach (json_object_get(group, "weights"), k, entry) {
            const json_t *q = json_object_get(entry, "quantization");
            const char *called = json_string_value(json_object_get(entry, "name"));
            const char *dtype = json_string_value(json_object_get(q != NULL ? q : entry, "dtype"));
            const size_t count = entry_count(entry);

            if (called == NULL || dtype == NULL || count == 0 ||
                strcmp(dtype, q != NULL ? "uint8" : "float32") != 0)
                return -EBADMSG;
            if (strcmp(called, name) == 0)
                return same_shape(entry, dims, ndims) ? read_values(w, entry, at, count, values)
                                                      : -EINVAL;
            at += count * (q != NULL ? 1 : sizeof(float));
        }
    }
    return -ENOENT;
}
