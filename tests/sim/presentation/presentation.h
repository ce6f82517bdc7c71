/*
 * presentation: what somebody holds before the camera (ISO/IEC 30107-3: bona fide presentations and
 * attacks), made from the frames of the project's videos. A living person under disturbed light,
 * size, noise, also with a mask or dark glasses on; a printed photo that lies still, is held, waved, bent, has its eyes cut out; a
 * screen that plays the video, on a stand, in the hand, near; the chip photo enlarged; the same
 * frames injected again. Deterministic by its seed; shares no code with the product.
 *
 * Simulated, and said so: how a living person answers to "turn" (the head's texture turned on an
 * ellipsoid with a nose, before the unmoved background), "come closer" (the head enlarged before
 * the unmoved background) and "blink" (lids drawn over the eyes). Attackers try to answer as well
 * as their means allow.
 */
#ifndef UKETSUKE_SIM_PRESENTATION_H
#define UKETSUKE_SIM_PRESENTATION_H

#include "picture.h"

#include <stdbool.h>

enum presentation_kind {
    PRESENT_LIVING,
    PRESENT_PRINT_STILL,  /* on a stand, nothing moves but the sensor's noise */
    PRESENT_PRINT_HELD,   /* a hand that trembles */
    PRESENT_PRINT_WAVED,  /* shifted and tilted */
    PRESENT_PRINT_BENT,   /* round a vertical axis, more and less */
    PRESENT_PRINT_EYES,   /* eyes cut out, somebody looks and blinks through */
    PRESENT_PRINT_CLOSE,  /* so near that no edge is in the picture */
    PRESENT_CHIP_PHOTO,   /* the chip's own photo, enlarged */
    PRESENT_SCREEN_STAND, /* a tablet that plays the video, on a stand */
    PRESENT_SCREEN_HELD,  /* in the hand */
    PRESENT_SCREEN_CLOSE, /* so near that no bezel is in the picture */
    PRESENT_FROZEN,       /* injected: one frame, again and again */
    PRESENT_LOOP,         /* injected: a second of frames, again and again */
    PRESENT_ANIMATED,     /* a still made to blink, nod and speak by a program, on a good screen */
    PRESENT_RECORDED,     /* a film of a visit of that person, who answers what was asked then, on a
                             good screen; never used in tuning */
    PRESENT_MASKED,       /* a living person with a mask, who takes it off when told so */
    PRESENT_SHADES,       /* the same with dark glasses */
    PRESENT_KINDS,
};
extern const char *const presentation_names[PRESENT_KINDS];

enum presentation_asked {
    ASKED_NOTHING,
    ASKED_LEFT,
    ASKED_RIGHT,
    ASKED_NEARER,
    ASKED_BLINK,
    ASKED_UNCOVER
};

/* Where the head is in a source picture, found by whoever asks; pixels. */
struct presentation_head {
    double x, y, width, height;              /* of the face: middle and size */
    double left_x, left_y, right_x, right_y; /* eyes, as seen */
};

struct presentation_setting {
    enum presentation_kind kind;
    const char *frames;      /* directory of frame_00001.jpg ... */
    unsigned nframes, first; /* how many there are; where the visit begins */
    double fps;
    const char *photo; /* PNM of the chip photo, for PRESENT_CHIP_PHOTO */
    const char *still; /* one JPEG in place of the frames; NULL: none */
    uint64_t seed;
    double trouble;      /* 0: as the camera saw it; 1: light, size, noise, pose disturbed */
    double answer_after; /* seconds a person needs to begin what was asked */
};

struct presentation;

int presentation_new(struct presentation **out, const struct presentation_setting *setting);
void presentation_free(struct presentation **p);
/* The number of the source frame that shows at `seconds`; what the head is asked about. */
unsigned presentation_source(const struct presentation *p, double seconds);
/*
 * The camera's JPEG at `seconds`; `asked` since `asked_at`. head: of the source frame, or NULL when
 * unknown (then nothing is answered). *jpeg is malloc()ed. 0 or -1.
 */
int presentation_frame(struct presentation *p, double seconds, enum presentation_asked asked,
                       double asked_at, const struct presentation_head *head, uint8_t **jpeg,
                       size_t *len);
/* Path of a source frame. */
void presentation_path(const struct presentation *p, unsigned frame, char *path, size_t room);

#endif
