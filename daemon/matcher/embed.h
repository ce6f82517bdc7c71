/*
 * embed: a face as a vector of length 1, and how alike two of them are.
 */
#ifndef UKETSUKE_EMBED_H
#define UKETSUKE_EMBED_H

#include "dnn.h"

#define EMBEDDING_MOST 1024

/* Read the net's vector and scale it to length 1. -EINVAL: not `dimensions` finite numbers, or all zero. */
int embed_read(const struct dnn_tensor *outputs, size_t noutputs, int dimensions, float *out);

/* Cosine, -1..1. Both of length 1. */
float embed_cosine(const float *a, const float *b, int dimensions);

#endif
