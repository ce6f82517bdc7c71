/*
 * The same nets as anybody would call them: cv::resize and cv::warpAffine through blobFromImage,
 * setInput, forward; no code of the matcher. What bench_matcher compares the frame path with, and
 * plain-vectors its accuracy. (The programs have one C++ file; this is none of theirs.)
 */
#include "plain_dnn.h"

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace
{

struct nets {
    cv::dnn::Net detect, landmark, feature, liveness;
    tjhandle jpeg;
};
nets *all;
bool stretched; /* to the detector's shape, as blobFromImage does by itself */

/* width, height: of what the detector saw; centre: of the picture. */
cv::Rect best_box(const cv::Mat &boxes, const cv::Mat &scores, int width, int height,
                  cv::Point2d centre, bool middle)
{
    const auto *b = boxes.ptr<float>(), *s = scores.ptr<float>();
    std::vector<cv::Rect> rects;
    std::vector<float> confidences;
    std::vector<int> kept;

    for (size_t i = 0; i < scores.total() / 2; i++) {
        if (s[2 * i + 1] < 0.65F)
            continue;
        const int x = static_cast<int>(b[4 * i] * static_cast<float>(width));
        const int y = static_cast<int>(b[4 * i + 1] * static_cast<float>(height));
        rects.emplace_back(x, y, static_cast<int>(b[4 * i + 2] * static_cast<float>(width)) - x,
                           static_cast<int>(b[4 * i + 3] * static_cast<float>(height)) - y);
        confidences.push_back(s[2 * i + 1]);
    }
    cv::dnn::NMSBoxes(rects, confidences, 0.65F, 0.4F, kept);
    if (kept.empty())
        return {};
    std::vector<cv::Rect> left;
    for (const int i : kept)
        left.push_back(rects[static_cast<size_t>(i)]);
    const auto from_middle = [=](const cv::Rect &r) {
        return std::hypot(r.x + r.width / 2.0 - centre.x, r.y + r.height / 2.0 - centre.y);
    };
    return *std::max_element(left.begin(), left.end(), [&](const cv::Rect &p, const cv::Rect &q) {
        return middle ? from_middle(p) > from_middle(q) : p.area() < q.area();
    });
}

/* Least squares similarity of five points (Umeyama), as a matrix from the picture to the template.
 */
cv::Mat similarity(const cv::Point2f *from)
{
    static const cv::Point2f to[5] = {{38.2946F, 51.6963F},
                                      {73.5318F, 51.5014F},
                                      {56.0252F, 71.7366F},
                                      {41.5493F, 92.3655F},
                                      {70.7299F, 92.2041F}};
    cv::Point2f a(0, 0), b(0, 0);
    float across = 0, along = 0, size = 0;

    for (int i = 0; i < 5; i++) {
        a += from[i] / 5;
        b += to[i] / 5;
    }
    for (int i = 0; i < 5; i++) {
        const cv::Point2f p = from[i] - a, q = to[i] - b;
        along += p.x * q.x + p.y * q.y;
        across += p.x * q.y - p.y * q.x;
        size += p.dot(p);
    }
    const float c = along / size, s = across / size;
    return (cv::Mat_<float>(2, 3) << c, -s, b.x - c * a.x + s * a.y, s, c, b.y - s * a.x - c * a.y);
}

/* The picture with room at its right or bottom, in the detector's shape: what its users call
 * letterbox. */
cv::Mat with_room(const cv::Mat &frame)
{
    cv::Mat room;

    if (frame.cols * 3 == frame.rows * 4 || stretched)
        return frame;
    cv::copyMakeBorder(frame, room, 0, std::max(0, frame.cols * 3 / 4 - frame.rows), 0,
                       std::max(0, frame.rows * 4 / 3 - frame.cols), cv::BORDER_CONSTANT,
                       cv::Scalar(127, 127, 127));
    return room;
}

/* The face's box, and its vector of length 1. False: no face. */
bool vector_of(const cv::Mat &frame, bool middle, cv::Rect &box, float *vector)
{
    const cv::Rect whole(0, 0, frame.cols, frame.rows);
    std::vector<cv::Mat> out;
    const std::vector<cv::String> names = all->detect.getUnconnectedOutLayersNames();
    const cv::Mat seen = with_room(frame);
    all->detect.setInput(
        cv::dnn::blobFromImage(seen, 1 / 128.0, {320, 240}, {127, 127, 127}, true));
    all->detect.forward(out, names);
    const bool boxes_first = out[0].size[2] == 4;
    box = best_box(out[boxes_first ? 0 : 1], out[boxes_first ? 1 : 0], seen.cols, seen.rows,
                   {frame.cols / 2.0, frame.rows / 2.0}, middle);
    if (box.area() == 0)
        return false;

    const cv::Rect square =
        cv::Rect(box.x + box.width / 2 - box.height / 2, box.y, box.height, box.height) & whole;
    cv::Mat grey;
    cv::cvtColor(frame(square), grey, cv::COLOR_BGR2GRAY);
    all->landmark.setInput(cv::dnn::blobFromImage(grey, 1 / 256.0, {64, 64}));
    const cv::Mat points = all->landmark.forward();
    const auto *p = points.ptr<float>();
    const auto mean = [&](std::initializer_list<int> of) {
        cv::Point2f sum(0, 0);
        for (const int i : of)
            sum += cv::Point2f(
                static_cast<float>(square.x) + p[2 * i] * static_cast<float>(square.width),
                static_cast<float>(square.y) + p[2 * i + 1] * static_cast<float>(square.height));
        return sum / static_cast<float>(of.size());
    };
    const cv::Point2f five[5] = {mean({37, 38, 40, 41}), mean({43, 44, 46, 47}), mean({30}),
                                 mean({48, 60}), mean({54, 64})};
    cv::Mat aligned;
    cv::warpAffine(frame, aligned, similarity(five), {112, 112});
    all->feature.setInput(cv::dnn::blobFromImage(aligned, 1 / 128.0, {112, 112}, {127, 127, 127}));
    const cv::Mat embedding = all->feature.forward();
    const double length = cv::norm(embedding);
    for (int i = 0; i < 512; i++)
        vector[i] = static_cast<float>(embedding.ptr<float>()[i] / length);
    return true;
}

} // namespace

extern "C" int plain_open(const char *models)
{
    const std::string folder = models;
    try {
        all = new nets();
        all->detect = cv::dnn::readNetFromONNX(folder + "/fr_detect.onnx");
        all->landmark = cv::dnn::readNetFromONNX(folder + "/fr_landmark.onnx");
        all->feature = cv::dnn::readNetFromONNX(folder + "/fr_feature.onnx");
        all->liveness = cv::dnn::readNetFromONNX(folder + "/fr_liveness.onnx");
        all->jpeg = tjInitDecompress();
        return all->jpeg == nullptr ? -1 : 0;
    } catch (const cv::Exception &) {
        return -1;
    }
}

extern "C" void plain_close(void)
{
    if (all != nullptr)
        tjDestroy(all->jpeg);
    delete all;
    all = nullptr;
}

extern "C" void plain_stretch(void)
{
    stretched = true;
}

extern "C" int plain_portrait(const unsigned char *bgr, int width, int height, float vector[512])
{
    try {
        cv::Mat frame(height, width, CV_8UC3);
        cv::Rect box;
        std::copy_n(bgr, frame.total() * 3, frame.data);
        return vector_of(frame, true, box, vector) ? 0 : -1;
    } catch (const cv::Exception &) {
        return -1;
    }
}

extern "C" int plain_frame(const unsigned char *jpeg, unsigned long len, float vector[512])
{
    int width = 0, height = 0, subsampling = 0, colours = 0;
    try {
        if (tjDecompressHeader3(all->jpeg, jpeg, len, &width, &height, &subsampling, &colours) < 0)
            return -1;
        cv::Mat frame(height, width, CV_8UC3);
        cv::Rect box;
        if (tjDecompress2(all->jpeg, jpeg, len, frame.data, width, 0, height, TJPF_BGR, 0) < 0)
            return -1;
        if (!vector_of(frame, false, box, vector))
            return -1;

        const int side =
            std::min({static_cast<int>(2.7 * std::max(box.width, box.height)), width, height});
        const int x = std::clamp(box.x + box.width / 2 - side / 2, 0, width - side),
                  y = std::clamp(box.y + box.height / 2 - side / 2, 0, height - side);
        all->liveness.setInput(
            cv::dnn::blobFromImage(frame(cv::Rect(x, y, side, side)), 1, {128, 128}));
        all->liveness.forward();
        return 0;
    } catch (const cv::Exception &) {
        return -1;
    }
}
