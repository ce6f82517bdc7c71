/*
 * weights: the named weights of a TensorFlow.js model: a manifest (JSON) and one file of numbers
 * behind each other, floats or bytes with scale and minimum.
 */
#ifndef UKETSUKE_WEIGHTS_H
#define UKETSUKE_WEIGHTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct weights {
    json_t *manifest;
    uint8_t *data;
    size_t len;
};

/* 0 or negative errno (said on stderr). */
int weights_open(struct weights *w, const char *manifest, const char *data);
void weights_close(struct weights *w);
/*
 * The values of a name, as floats; free() *values. dims must be those of the file. 0, -ENOENT,
 * -EINVAL (other shape), -EBADMSG (behind the end of the file), -ENOMEM.
 */
int weights_take(const struct weights *w, const char *name, const int64_t *dims, size_t ndims,
                 float **values);

#endif
