/*
 * matcher_nets: a model set of four tiny nets, made on the spot, of the shapes that the engine
 * wants: they find a "face" in every picture, points where a face has them, some vector. So the
 * whole frame path runs thousands of times a second, without models.
 */
#ifndef TEST_MATCHER_NETS_H
#define TEST_MATCHER_NETS_H

#include "daemon/matcher/manifest.h"

/* Loaded as manifest_load() would leave it; free with manifest_free(). NULL: no memory. */
struct manifest *tiny_set(void);

#endif
