#include "dnn.h"

#include <opencv2/core.hpp>
#include <opencv2/core/ocl.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <vector>

struct dnn_net {
    cv::dnn::Net net;
    std::vector<int> shape;
    std::vector<cv::String> names;
    std::vector<cv::Mat>
        results; /* headers over the net's own memory; kept so that a run allocates no list */
};

/* OpenCV prints an error before it throws: texts from a file under inspection have no place in our log. */
static int keep_quiet(int, const char *, const char *, const char *, int, void *)
{
    return 0;
}

extern "C" void dnn_setup(void)
{
    try {
        cv::redirectError(keep_quiet);
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        cv::ocl::setUseOpenCL(false);
        cv::setNumThreads(0);
    } catch (...) {
        /* Each of these only narrows what OpenCV does; a net that then fails says so itself. */
    }
}

/* OpenCV fills its registry of layers on first use without a sound guard: nets are read one at a time. */
static std::mutex loading;

extern "C" int dnn_load(struct dnn_net **out, const uint8_t *onnx, size_t len,
                        const int shape[DNN_DIMS_MAX], char *why)
{
    const std::lock_guard<std::mutex> one_at_a_time(loading);
    dnn_net *made = nullptr;

    *out = nullptr;
    why[0] = '\0';
    try {
        made = new dnn_net();
        made->net = cv::dnn::readNetFromONNX(reinterpret_cast<const char *>(onnx), len);
        if (made->net.empty()) {
            std::snprintf(why, DNN_WHY, "no layers");
            delete made;
            return -EINVAL;
        }
        made->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        made->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
        made->shape.assign(shape, shape + DNN_DIMS_MAX);
        made->names = made->net.getUnconnectedOutLayersNames();
        *out = made;
        return 0;
    } catch (const std::bad_alloc &) {
        delete made;
        return -ENOMEM;
    } catch (const cv::Exception &e) {
        std::snprintf(why, DNN_WHY, "%s", e.err.c_str());
        delete made;
        return -EINVAL;
    } catch (...) {
        std::snprintf(why, DNN_WHY, "unknown failure");
        delete made;
        return -EINVAL;
    }
}

extern "C" void dnn_free(struct dnn_net **net)
{
    try {
        delete *net;
    } catch (...) {
        /* A destructor that throws leaves nothing that we could still give back. */
    }
    *net = nullptr;
}

extern "C" const char *dnn_output_name(const struct dnn_net *net, size_t i)
{
    return i < net->names.size() ? net->names[i].c_str() : nullptr;
}

extern "C" int dnn_run(struct dnn_net *net, const float *input, struct dnn_tensor *out, size_t most,
                       size_t *count)
{
    *count = 0;
    try {
        /* setInput() copies at once, so the const is kept in fact. */
        const cv::Mat blob(net->shape, CV_32F, const_cast<float *>(input));

        net->net.setInput(blob);
        net->net.forward(net->results, net->names);
        if (net->results.size() > most)
            return -ENOSPC;
        for (size_t i = 0; i < net->results.size(); i++) {
            const cv::Mat &m = net->results[i];

            if (m.type() != CV_32F || !m.isContinuous() || m.dims > DNN_DIMS_MAX)
                return -EINVAL;
            out[i].data = m.ptr<float>();
            out[i].count = m.total();
            out[i].ndims = m.dims;
            for (int d = 0; d < m.dims; d++)
                out[i].dims[d] = m.size[d];
        }
        *count = net->results.size();
        return 0;
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    } catch (...) {
        return -EINVAL;
    }
}
