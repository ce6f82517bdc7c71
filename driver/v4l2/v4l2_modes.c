#include "v4l2_modes.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "v4l2_device.h"

/* Lists end where the driver says so; one that never does is cut off. */
#define LIST_MOST 256u
/* Larger ones are not taken by anybody behind the reader. */
#define FRAME_BYTES_MOST (8u * 1024 * 1024)
#define UNITS_A_SECOND UINT64_C(10000000)

static const struct {
    uint32_t pixel_format;
    enum camera_format format;
} formats[] = {
    {V4L2_PIX_FMT_MJPEG, CAMERA_MJPEG},
    {V4L2_PIX_FMT_JPEG, CAMERA_MJPEG},
    {V4L2_PIX_FMT_YUYV, CAMERA_YUY2},
};

/* While a list is walked. */
struct search {
    const struct v4l2_calls *calls;
    int fd;
    const struct camera_need *need;
    struct v4l2_choice *best;
    uint64_t distance; /* of the best; UINT64_MAX: none yet */
};

uint32_t v4l2_interval_100ns(const struct v4l2_fract *interval)
{
    uint64_t units;

    if (interval->denominator == 0)
        return 0;
    units = interval->numerator * UNITS_A_SECOND / interval->denominator;
    return units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Missing pixels weigh double: scaling down costs nothing that matters. */
static uint64_t distance(unsigned offered, unsigned wanted)
{
    return offered >= wanted ? offered - wanted : UINT64_C(2) * (wanted - offered);
}

/* -- rates ------------------------------------------------------------------------------------- */

/* A range: the wish itself where it lies inside. Steps are the driver's to round. */
static struct v4l2_fract within(const struct v4l2_frmival_stepwise *range, unsigned fps)
{
    struct v4l2_fract wish = {1, fps};
    uint32_t wanted = v4l2_interval_100ns(&wish);

    if (wanted < v4l2_interval_100ns(&range->min))
        return range->min;
    return wanted > v4l2_interval_100ns(&range->max) ? range->max : wish;
}

static void choose_interval(const struct search *s)
{
    unsigned fps = s->need->fps > 0 ? s->need->fps : 1;
    uint64_t wanted = UNITS_A_SECOND / fps;
    struct v4l2_fract best = {0, 0};
    struct v4l2_frmivalenum item;

    for (unsigned i = 0; i < LIST_MOST; i++) {
        item = (struct v4l2_frmivalenum){.index = i,
                                         .pixel_format = s->best->pixel_format,
                                         .width = s->best->width,
                                         .height = s->best->height};
        if (s->calls->control(s->fd, VIDIOC_ENUM_FRAMEINTERVALS, &item) < 0)
            break;
        if (item.type != V4L2_FRMIVAL_TYPE_DISCRETE) {
            best = within(&item.stepwise, fps);
            break;
        }
        if (v4l2_interval_100ns(&item.discrete) == 0)
            continue;
        if (best.denominator == 0 || apart(v4l2_interval_100ns(&item.discrete), wanted) <
                                         apart(v4l2_interval_100ns(&best), wanted))
            best = item.discrete;
    }
    s->best->interval = best;
}

/* -- sizes ------------------------------------------------------------------------------------- */

static void weigh(struct search *s, enum camera_format format, uint32_t pixel_format,
                  unsigned width, unsigned height)
{
    uint64_t here = distance(width, s->need->width) + distance(height, s->need->height);

    if (width < V4L2_SIDE_LEAST || height < V4L2_SIDE_LEAST || width > V4L2_SIDE_MOST ||
        height > V4L2_SIDE_MOST || here >= s->distance)
        return;
    /* Rows of YUY2 are pairs of pixels. */
    if (format == CAMERA_YUY2 && ((width & 1) != 0 || width * height * 2 > FRAME_BYTES_MOST))
        return;
    s->distance = here;
    *s->best = (struct v4l2_choice){format, pixel_format, width, height, {0, 0}};
}

static unsigned nearest(unsigned wanted, uint32_t least, uint32_t most, uint32_t step)
{
    if (wanted <= least || most < least)
        return least;
    if (wanted >= most)
        return most;
    /* Rather larger than smaller; the largest is a step by definition. */
    return step > 1 ? least + (wanted - least + step - 1) / step * step : wanted;
}

static void weigh_sizes(struct search *s, enum camera_format format, uint32_t pixel_format)
{
    struct v4l2_frmsizeenum item;
    unsigned i;

    for (i = 0; i < LIST_MOST; i++) {
        item = (struct v4l2_frmsizeenum){.index = i, .pixel_format = pixel_format};
        if (s->calls->control(s->fd, VIDIOC_ENUM_FRAMESIZES, &item) < 0)
            break;
        if (item.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
            weigh(s, format, pixel_format, item.discrete.width, item.discrete.height);
            continue;
        }
        weigh(s, format, pixel_format,
              nearest(s->need->width, item.stepwise.min_width, item.stepwise.max_width,
                      item.stepwise.step_width),
              nearest(s->need->height, item.stepwise.min_height, item.stepwise.max_height,
                      item.stepwise.step_height));
        return;
    }
    if (i == 0)
        weigh(s, format, pixel_format, s->need->width, s->need->height);
}

/* -- formats ----------------------------------------------------------------------------------- */

int v4l2_choose(const struct v4l2_calls *calls, int fd, const struct camera_need *need,
                struct v4l2_choice *choice)
{
    struct search s = {calls, fd, need, choice, UINT64_MAX};
    bool offered[sizeof(formats) / sizeof(formats[0])] = {false};
    struct v4l2_fmtdesc item;
    int r = 0;

    memset(choice, 0, sizeof(*choice));
    for (unsigned i = 0; i < LIST_MOST; i++) {
        item = (struct v4l2_fmtdesc){.index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
        r = calls->control(fd, VIDIOC_ENUM_FMT, &item);
        if (r < 0)
            break;
        for (size_t k = 0; k < sizeof(formats) / sizeof(formats[0]); k++)
            if (formats[k].pixel_format == item.pixelformat)
                offered[k] = true;
    }
    if (r < 0 && r != -EINVAL) /* EINVAL: the end of the list */
        return r;
    for (size_t k = 0; k < sizeof(formats) / sizeof(formats[0]) && s.distance == UINT64_MAX; k++)
        if (offered[k])
            weigh_sizes(&s, formats[k].format, formats[k].pixel_format);
    if (s.distance == UINT64_MAX)
        return -ENOTSUP;
    choose_interval(&s);
    return 0;
}
