/*
 * onnx: writes a network as an ONNX file: the few operators that the face models need, opset 9. The
 * file format is Protocol Buffers; a message is numbers and pieces, each behind its field number
 * (github.com/onnx/onnx, onnx.proto).
 *
 * The first error sticks: every call after it does nothing, and onnx_finish() tells it.
 */
#ifndef UKETSUKE_ONNX_H
#define UKETSUKE_ONNX_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t len, room;
};

struct onnx {
    struct bytes nodes, tensors, inputs, outputs;
    unsigned count; /* of nodes, for their names */
    int error;
};

#define ONNX_NAME 40

void onnx_init(struct onnx *net);
/* The input that is fed: 1 x channels x height x width. */
void onnx_input(struct onnx *net, const char *name, const int64_t *dims, size_t ndims);
void onnx_output(struct onnx *net, const char *name, const int64_t *dims, size_t ndims);
/* A constant: weights. */
void onnx_tensor(struct onnx *net, const char *name, const int64_t *dims, size_t ndims,
                 const float *values);

/* Each makes `out` of `in`. pads: all four sides alike. */
void onnx_conv(struct onnx *net, const char *in, const char *weights, const char *bias, int kernel,
               int stride, int pad, const char *out);
void onnx_relu(struct onnx *net, const char *in, const char *out);
void onnx_add(struct onnx *net, const char *a, const char *b, const char *out);
void onnx_max_pool(struct onnx *net, const char *in, int kernel, int stride, const char *out);
void onnx_average_pool(struct onnx *net, const char *in, int kernel, int stride, const char *out);
void onnx_global_average(struct onnx *net, const char *in, const char *out);
/* Zeros behind the end of channels, rows, columns. */
void onnx_pad(struct onnx *net, const char *in, int channels, int rows, int columns,
              const char *out);
void onnx_flatten(struct onnx *net, const char *in, const char *out);
/* out = in x weights (rows = values of in) */
void onnx_matrix(struct onnx *net, const char *in, const char *weights, const char *out);
/* Channels x rows x columns to cells x channels: what one-shot detectors end with. */
void onnx_cells(struct onnx *net, const char *in, int cells, int channels, const char *out);
/* A node of any operator without attributes, one or two inputs. */
void onnx_plain(struct onnx *net, const char *op, const char *a, const char *b, const char *out);

/* The whole file; free() *data. 0, or the first error (-ENOMEM). Frees everything else. */
int onnx_finish(struct onnx *net, const char *name, uint8_t **data, size_t *len);

#endif
