/*
 * camera: what the reader needs from a camera, whichever driver stands behind it.
 *
 * Frames are what the camera made, nobody here decodes them: JPEG images, or rows of YUY2 (two
 * bytes a pixel, no header) from a camera that has nothing else. They are delivered while the
 * camera is started and wanted, and only then.
 */
#ifndef UKETSUKE_CAMERA_H
#define UKETSUKE_CAMERA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct camera;

struct camera_need {
    unsigned width,
        height;          /* wished; the nearest offered size is taken, rather larger than smaller */
    unsigned fps;        /* wished frames per second; the nearest offered rate is taken */
    uint64_t silence_us; /* no whole frame for so long is trouble (CAMERA_SILENT) */
};

/* As `format` of CAMERA_FRAME and MATCH_FRAME has them (message.def). */
enum camera_format { CAMERA_MJPEG = 1, CAMERA_YUY2 = 2 };

struct camera_mode {
    unsigned width, height;
    uint32_t interval_100ns;
    enum camera_format format;
};

/* A JPEG without its end marker (decoders may show a grey rest); YUY2 with rows missing. */
#define CAMERA_FRAME_TRUNCATED 0x01u
#define CAMERA_FRAME_GAP 0x02u /* frames before this one were lost */

struct camera_frame {
    const uint8_t *data; /* borrowed for the time of the callback */
    size_t len;
    uint64_t monotonic_us; /* when its first byte arrived */
    uint32_t sequence;     /* frames since start, lost ones counted where they were noticed */
    uint32_t flags;
};

enum camera_trouble {
    CAMERA_OK,          /* started */
    CAMERA_GONE,        /* unplugged; the camera is of no more use */
    CAMERA_HELD,        /* another program holds it */
    CAMERA_UNSUPPORTED, /* no format or bandwidth that fits */
    CAMERA_REFUSED,     /* the device refuses to start */
    CAMERA_TIMEOUT,     /* no answer before the deadline */
    CAMERA_SILENT,      /* started, but no whole frame within `silence_us`; told once per silence */
    CAMERA_FAILED,      /* streaming broke off and is stopped; start again */
    CAMERA_TROUBLE_COUNT
};

/* A short lower-case word for logs. */
const char *camera_trouble_name(enum camera_trouble trouble);

struct camera_counters {
    uint64_t packets;   /* payloads received, empty ones included */
    uint64_t lost;      /* packets the bus or the host lost */
    uint64_t errors;    /* payloads marked bad by the camera, or with a header that cannot be */
    uint64_t truncated; /* frames delivered or dropped because a part is missing */
    uint64_t dropped;   /* frames not delivered */
    uint64_t frames;    /* frames delivered */
};

/* Called from the event loop; may call camera_stop() and camera_free(). */
struct camera_listener {
    void (*started)(struct camera *camera, const struct camera_mode *mode, void *arg);
    void (*frame)(struct camera *camera, const struct camera_frame *frame, void *arg);
    /* GONE, HELD, UNSUPPORTED, REFUSED, TIMEOUT, FAILED: it is stopped. SILENT: it goes on. */
    void (*trouble)(struct camera *camera, enum camera_trouble trouble, void *arg);
};

struct camera_ops {
    /* 0, -EALREADY when started, -EINVAL. The outcome comes as started() or trouble() by
     * `deadline_us`. */
    int (*start)(struct camera *camera, const struct camera_need *need, uint64_t deadline_us);
    /* At once for the listener: nothing is called after it until the next start. */
    void (*stop)(struct camera *camera);
    struct camera_counters (*counters)(const struct camera *camera);
    void (*free)(struct camera *camera);
};

/* The head of every implementation. */
struct camera {
    const struct camera_ops *ops;
    const struct camera_listener *listener;
    void *arg;
};

/* The listener and `arg` are borrowed. */
void camera_listen(struct camera *camera, const struct camera_listener *listener, void *arg);
int camera_start(struct camera *camera, const struct camera_need *need, uint64_t deadline_us);
void camera_stop(struct camera *camera);
struct camera_counters camera_counters(const struct camera *camera);
/* Accepts and stores NULL. */
void camera_free(struct camera **camera);

#endif
