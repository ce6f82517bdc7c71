/* plain_dnn: the model set called without the matcher, to compare with. One thread. */
#ifndef UKETSUKE_PLAIN_DNN_H
#define UKETSUKE_PLAIN_DNN_H

#ifdef __cplusplus
extern "C" {
#endif

/* 0 or -1. */
int plain_open(const char *models);
void plain_close(void);
/* From now on a picture of another shape than the detector's is stretched; it gets room at its side
 * otherwise. */
void plain_stretch(void);
/* A JPEG frame to the vector of its largest face, with the liveness net run as well. 0 or -1. */
int plain_frame(const unsigned char *jpeg, unsigned long len, float vector[512]);
/* A portrait's pixels (blue-green-red, rows packed) to the vector of the face nearest to its middle.
 * 0 or -1. */
int plain_portrait(const unsigned char *bgr, int width, int height, float vector[512]);

#ifdef __cplusplus
}
#endif

#endif
