/*
 * dnn: the one door to OpenCV. dnn.cpp is the only C++ of the house; no exception and no C++ type passes here.
 *
 * A net is used by one thread at a time. It runs on that thread alone (no OpenCV workers, no OpenCL), so that
 * the number of threads is ours to choose and the same frame always costs the same.
 */
#ifndef UKETSUKE_DNN_H
#define UKETSUKE_DNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dnn_net;

#define DNN_DIMS_MAX 4
#define DNN_OUTPUTS_MAX 12
#define DNN_WHY 200 /* room for a reason, with its NUL */

/* A result inside the net: valid until the next run of the same net. */
struct dnn_tensor {
    const float *data;
    size_t count; /* of floats */
    int ndims;
    int dims[DNN_DIMS_MAX];
};

/* Once per process, before the first net: one thread per net, no OpenCL, nothing written to standard error. */
void dnn_setup(void);

/*
 * Read an ONNX file from memory (borrowed during the call). `shape` is N, C, H, W of its input. 0, or -EINVAL
 * with the reason in `why` (DNN_WHY bytes): not ONNX, or a layer that this OpenCV does not know.
 */
int dnn_load(struct dnn_net **out, const uint8_t *onnx, size_t len, const int shape[DNN_DIMS_MAX],
             char *why);
/* Accepts and stores NULL. */
void dnn_free(struct dnn_net **net);

/* Names of the outputs, in the order of dnn_run()'s results; NULL past the end. */
const char *dnn_output_name(const struct dnn_net *net, size_t i);

/*
 * One pass. `input` holds the floats of the shape given at load. Fills `out[0..most)` and sets *count.
 * 0, -EINVAL (the net and the input do not fit, or an output is no float tensor), -ENOSPC (more outputs than
 * `most`), -ENOMEM.
 */
int dnn_run(struct dnn_net *net, const float *input, struct dnn_tensor *out, size_t most,
            size_t *count);

#ifdef __cplusplus
}
#endif

#endif
