/*
 * engine: the frame path. One picture in; a face, an embedding, a score, or the reason why there is
 * none.
 *
 * An engine belongs to one thread: its nets, its decoder and its buffers, all made at the start; a
 * steady stream of frames of one size allocates nothing here. uketsuke-evaluate and the bench run
 * this same code.
 */
#ifndef UKETSUKE_ENGINE_H
#define UKETSUKE_ENGINE_H

#include "decode.h"
#include "detect.h"
#include "embed.h"
#include "landmarks.h"
#include "manifest.h"
#include "quality.h"

struct engine;

/* A face as the recogniser sees it. In secret memory: embedding.value.data holds `dimensions`
 * floats. */
struct embedding {
    struct secret value;
    int dimensions;
};
static inline float *embedding_floats(const struct embedding *e)
{
    return (float *)(void *)e->value.data;
}
/* 0 or -ENOMEM. */
int embedding_new(struct embedding *embedding, const struct manifest *manifest);
void embedding_free(struct embedding *embedding);

/*
 * Load the nets of the manifest (whose files must still be there) and run each once: a wrong shape
 * shows here, and the first patient waits no longer than the second. 0, or negative errno with the
 * refusal in `why` (MANIFEST_WHY bytes).
 */
int engine_new(struct engine **out, const struct manifest *manifest, char *why);
/* Accepts and stores NULL. */
void engine_free(struct engine **engine);

struct frame {
    unsigned format; /* enum decode_format */
    int width, height;
    const uint8_t *data;
    size_t len;
};

enum engine_want {
    WANT_LIVENESS = 1 << 0,
    WANT_PREVIEW = 1 << 1,
    WANT_TRACE = 1 << 2, /* for presence.h: points, the small picture */
    WANT_GRID = 1 << 3,  /* with it: how much of a screen's grid is in the face */
    WANT_ANYWAY =
        1 << 4, /* a score also of a face that is turned or near, as somebody is asked to be */
    WANT_MIRRORED = 1 << 5, /* the score of the face as a mirror shows it */
};

/* All times in microseconds. */
struct frame_report {
    enum failure failure; /* FAILURE_NONE: a good frame, score holds */
    bool score_known;     /* also with WANT_ANYWAY and a failure */
    float score;          /* cosine */
    bool live_known;
    float live; /* 0..1 */
    int width, height;
    struct box box; /* of the nearest face; all zero: none */
    unsigned faces;
    bool points_known;
    struct point points[LANDMARKS];
    struct quality quality;
    bool followed; /* the frame was not searched */
    uint32_t decode_us, detect_us, landmarks_us, embed_us, live_us, preview_us, trace_us;
    const uint8_t *preview; /* borrowed until the next call; NULL: none */
    size_t preview_len;
    const uint8_t *small; /* TRACE_BYTES of grey, borrowed until the next call; NULL: none */
    float grid;
};

/* One camera frame against a reference. */
void engine_frame(struct engine *engine, const struct frame *frame,
                  const struct embedding *reference, unsigned want, struct frame_report *out);

/*
 * Where the face was, so that not every frame has to be searched: its box goes with its points from
 * frame to frame, and the whole frame is searched again every third frame, after a gap, when the
 * picture's size changed, and at once when what stands there does not score at least `least` (so
 * whoever is not the photo's person is always searched for, and a face that has gone costs one
 * embedding more). Of a second face one hears two frames later. Zeroed: nothing known. Of a
 * session; a picture's positions, no picture.
 */
struct track {
    float least;     /* set by the caller: the threshold that decides */
    uint64_t now_us; /* set by the caller: of the frame */
    uint64_t last_us;
    int width, height;
    unsigned left; /* frames that need not be searched */
    struct box box;
    struct point points[LANDMARKS]; /* of the last frame */
};

/* As engine_frame(), following. */
void engine_follow(struct engine *engine, const struct frame *frame,
                   const struct embedding *reference, unsigned want, struct track *track,
                   struct frame_report *out);

/*
 * A chip photo: decode, find the face (tight crops are tried again with room around), embed it and
 * what a mirror shows of it: the mean of both, which is as near to a mirrored frame as to one that
 * is not. Quality is not judged: there is no second photo. FAILURE_NONE, CARD_NO_PHOTO or
 * FACE_PHOTO_UNREADABLE.
 */
enum failure engine_photo(struct engine *engine, const uint8_t *data, size_t len,
                          struct embedding *out);

/*
 * The same for a picture of any kind, for measuring. single: unless NULL, without the mirror.
 * FACE_NONE when no face is found.
 */
enum failure engine_reference(struct engine *engine, const uint8_t *data, size_t len,
                              struct embedding *out, struct embedding *single,
                              struct frame_report *report);

/* A still picture, JPEG or JPEG 2000, as a camera frame but without judging quality: for measuring.
 * mirror: unless NULL, as a frame that is wanted mirrored. FACE_NONE as above. */
enum failure engine_still(struct engine *engine, const uint8_t *data, size_t len,
                          struct embedding *out, struct embedding *mirror,
                          struct frame_report *report);

/* Decode and find the face, without embedding it: the picture is borrowed until the next call;
 * `report` gets box, points and quality. FACE_NONE as above. */
enum failure engine_locate(struct engine *engine, const uint8_t *data, size_t len,
                           const struct image **image, struct frame_report *report);

/* Wipe pictures and buffers, and run the nets on nothing so that their own memory holds no face
 * either. */
void engine_wipe(struct engine *engine);

#endif
