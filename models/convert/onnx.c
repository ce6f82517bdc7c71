#include "onnx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Protocol Buffers ------------------------------------------------------------------------ */

enum wire { WIRE_NUMBER = 0, WIRE_PIECE = 2 };

static void put(struct bytes *b, const void *data, size_t len, int *error)
{
    if (*error < 0)
        return;
    if (b->len + len > b->room) {
        const size_t room = 2 * (b->len + len) + 64;
        uint8_t *more = realloc(b->data, room);

        if (more == NULL) {
            *error = -ENOMEM;
            return;
        }
        b->data = more;
        b->room = room;
    }
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void put_varint(struct bytes *b, uint64_t v, int *error)
{
    uint8_t out[10];
    size_t n = 0;

    do {
        out[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v > 0);
    put(b, out, n, error);
}

static void put_number(struct bytes *b, unsigned field, uint64_t v, int *error)
{
    put_varint(b, field << 3 | WIRE_NUMBER, error);
    put_varint(b, v, error);
}

static void put_piece(struct bytes *b, unsigned field, const void *data, size_t len, int *error)
{
    put_varint(b, field << 3 | WIRE_PIECE, error);
    put_varint(b, len, error);
    put(b, data, len, error);
}

static void put_text(struct bytes *b, unsigned field, const char *text, int *error)
{
    put_piece(b, field, text, strlen(text), error);
}

/* A message becomes a field of another and is gone. */
static void put_message(struct bytes *b, unsigned field, struct bytes *message, int *error)
{
    put_piece(b, field, message->data, message->len, error);
    free(message->data);
    memset(message, 0, sizeof(*message));
}

/* ---- ONNX: field numbers of onnx.proto ------------------------------------------------------- */

enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20, TYPE_INTS = 7 };
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    FLOATS = 1,
    INTEGERS = 7
};
enum {
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_ELEMENT = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1
};

void onnx_init(struct onnx *net)
{
    memset(net, 0, sizeof(*net));
}

static void value(struct onnx *net, struct bytes *to, unsigned field, const char *name,
                  const int64_t *dims, size_t ndims)
{
    struct bytes shape = {0}, tensor = {0}, type = {0}, info = {0};

    for (size_t i = 0; i < ndims; i++) {
        struct bytes dim = {0};

        put_number(&dim, DIM_VALUE, (uint64_t)dims[i], &net->error);
        put_message(&shape, SHAPE_DIM, &dim, &net->error);
    }
    put_number(&tensor, TENSOR_ELEMENT, FLOATS, &net->error);
    put_message(&tensor, TENSOR_SHAPE, &shape, &net->error);
    put_message(&type, TYPE_TENSOR, &tensor, &net->error);
    put_text(&info, VALUE_NAME, name, &net->error);
    put_message(&info, VALUE_TYPE, &type, &net->error);
    put_message(to, field, &info, &net->error);
}

void onnx_input(struct onnx *net, const char *name, const int64_t *dims, size_t ndims)
{
    value(net, &net->inputs, GRAPH_INPUT, name, dims, ndims);
}

void onnx_output(struct onnx *net, const char *name, const int64_t *dims, size_t ndims)
{
    value(net, &net->outputs, GRAPH_OUTPUT, name, dims, ndims);
}

void onnx_tensor(struct onnx *net, const char *name, const int64_t *dims, size_t ndims,
                 const float *values)
{
    struct bytes tensor = {0};
    size_t count = 1;

    for (size_t i = 0; i < ndims; i++) {
        put_number(&tensor, TENSOR_DIMS, (uint64_t)dims[i], &net->error);
        count *= (size_t)dims[i];
    }
    put_number(&tensor, TENSOR_TYPE, FLOATS, &net->error);
    put_text(&tensor, TENSOR_NAME, name, &net->error);
    put_piece(&tensor, TENSOR_RAW, values, count * sizeof(float),
              &net->error); /* little endian, as here */
    put_message(&net->tensors, GRAPH_TENSOR, &tensor, &net->error);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct bytes node(struct onnx *net, const char *op, const char *const *inputs,
                         size_t ninputs, const char *out)
{
    struct bytes n = {0};
    char name[ONNX_NAME];

    for (size_t i = 0; i < ninputs; i++)
        put_text(&n, NODE_INPUT, inputs[i], &net->error);
    put_text(&n, NODE_OUTPUT, out, &net->error);
    (void)snprintf(name, sizeof(name), "n%u", net->count++);
    put_text(&n, NODE_NAME, name, &net->error);
    put_text(&n, NODE_OP, op, &net->error);
    return n;
}

static void ints(struct onnx *net, struct bytes *n, const char *name, const int64_t *values,
                 size_t count)
{
    struct bytes a = {0};

    put_text(&a, ATTRIBUTE_NAME, name, &net->error);
    for (size_t i = 0; i < count; i++)
        put_number(&a, ATTRIBUTE_INTS, (uint64_t)values[i], &net->error);
    put_number(&a, ATTRIBUTE_TYPE, TYPE_INTS, &net->error);
    put_message(n, NODE_ATTRIBUTE, &a, &net->error);
}

static void add_node(struct onnx *net, struct bytes *n)
{
    put_message(&net->nodes, GRAPH_NODE, n, &net->error);
}

static void window(struct onnx *net, struct bytes *n, int kernel, int stride, int pad)
{
    const int64_t kernels[2] = {kernel, kernel}, strides[2] = {stride, stride},
                  pads[4] = {pad, pad, pad, pad};

    ints(net, n, "kernel_shape", kernels, 2);
    ints(net, n, "strides", strides, 2);
    ints(net, n, "pads", pads, 4);
}

void onnx_conv(struct onnx *net, const char *in, const char *weights, const char *bias, int kernel,
               int stride, int pad, const char *out)
{
    const char *const inputs[3] = {in, weights, bias};
    struct bytes n = node(net, "Conv", inputs, 3, out);

    window(net, &n, kernel, stride, pad);
    add_node(net, &n);
}

void onnx_plain(struct onnx *net, const char *op, const char *a, const char *b, const char *out)
{
    const char *const inputs[2] = {a, b};
    struct bytes n = node(net, op, inputs, b != NULL ? 2 : 1, out);

    add_node(net, &n);
}

void onnx_relu(struct onnx *net, const char *in, const char *out)
{
    onnx_plain(net, "Relu", in, NULL, out);
}

void onnx_add(struct onnx *net, const char *a, const char *b, const char *out)
{
    onnx_plain(net, "Add", a, b, out);
}

void onnx_global_average(struct onnx *net, const char *in, const char *out)
{
    onnx_plain(net, "GlobalAveragePool", in, NULL, out);
}

void onnx_flatten(struct onnx *net, const char *in, const char *out)
{
    onnx_plain(net, "Flatten", in, NULL, out);
}

static void pool(struct onnx *net, const char *op, const char *in, int kernel, int stride,
                 const char *out)
{
    struct bytes n = node(net, op, &in, 1, out);

    window(net, &n, kernel, stride, 0);
    add_node(net, &n);
}

void onnx_max_pool(struct onnx *net, const char *in, int kernel, int stride, const char *out)
{
    pool(net, "MaxPool", in, kernel, stride, out);
}

void onnx_average_pool(struct onnx *net, const char *in, int kernel, int stride, const char *out)
{
    pool(net, "AveragePool", in, kernel, stride, out);
}

void onnx_pad(struct onnx *net, const char *in, int channels, int rows, int columns,
              const char *out)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, channels, rows, columns};
    struct bytes n = node(net, "Pad", &in, 1, out);

    ints(net, &n, "pads", pads, 8);
    add_node(net, &n);
}

void onnx_matrix(struct onnx *net, const char *in, const char *weights, const char *out)
{
    onnx_plain(net, "MatMul", in, weights, out);
}

void onnx_cells(struct onnx *net, const char *in, int cells, int channels, const char *out)
{
    const int64_t order[4] = {0, 2, 3, 1}, three = 3, dims[3] = {1, cells, channels};
    char turned[ONNX_NAME], shape[ONNX_NAME];
    const char *const inputs[2] = {turned, shape};
    struct bytes tensor = {0}, n;

    (void)snprintf(turned, sizeof(turned), "t%u", net->count);
    (void)snprintf(shape, sizeof(shape), "s%u", net->count);
    n = node(net, "Transpose", &in, 1, turned);
    ints(net, &n, "perm", order, 4);
    add_node(net, &n);
    put_number(&tensor, TENSOR_DIMS, (uint64_t)three, &net->error);
    put_number(&tensor, TENSOR_TYPE, INTEGERS, &net->error);
    put_text(&tensor, TENSOR_NAME, shape, &net->error);
    put_piece(&tensor, TENSOR_RAW, dims, sizeof(dims), &net->error);
    put_message(&net->tensors, GRAPH_TENSOR, &tensor, &net->error);
    n = node(net, "Reshape", inputs, 2, out);
    add_node(net, &n);
}

int onnx_finish(struct onnx *net, const char *name, uint8_t **data, size_t *len)
{
    struct bytes graph = {0}, opset = {0}, model = {0};

    put(&graph, net->nodes.data, net->nodes.len, &net->error);
    put_text(&graph, GRAPH_NAME, name, &net->error);
    put(&graph, net->tensors.data, net->tensors.len, &net->error);
    put(&graph, net->inputs.data, net->inputs.len, &net->error);
    put(&graph, net->outputs.data, net->outputs.len, &net->error);
    put_number(&model, MODEL_IR, 4, &net->error);
    put_text(&model, MODEL_PRODUCER, "uketsuke-convert", &net->error);
    put_message(&model, MODEL_GRAPH, &graph, &net->error);
    put_number(&opset, OPSET_VERSION, 9, &net->error);
    put_message(&model, MODEL_OPSET, &opset, &net->error);
    free(net->nodes.data);
    free(net->tensors.data);
    free(net->inputs.data);
    free(net->outputs.data);
    *data = NULL;
    *len = 0;
    if (net->error < 0) {
        free(model.data);
        return net->error;
    }
    *data = model.data;
    *len = model.len;
    return 0;
}
