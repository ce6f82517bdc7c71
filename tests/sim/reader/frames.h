/*
 * frames.h - a directory of JPEG files frame_00001.jpg ... as a looped film, plus a black picture.
 */
#ifndef SIM_FRAMES_H
#define SIM_FRAMES_H

#include "util.h"

struct frames;

/* dir holds the files and "fps"; with half, its subdirectory of half-size pictures. 0 or -errno. */
int sim_frames_open(struct frames **out, const char *dir, bool half);
void sim_frames_close(struct frames **f);
size_t sim_frames_count(const struct frames *f);
unsigned sim_frames_fps(const struct frames *f);
/* Picture i (taken modulo the count); valid until the next call. 0 or -errno. */
int sim_frames_get(struct frames *f, size_t i, const uint8_t **jpeg, size_t *len);

/* A valid black baseline JPEG: what a covered lens gives. */
void sim_frames_black(struct buf *out, unsigned width, unsigned height);

#endif
