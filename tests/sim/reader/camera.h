/*
 * camera.h - the video function: UVC 1.1, MJPEG 640x480 and 320x240, isochronous. Negotiation by
 * 34-byte probe and commit; pictures paced by the caller's clock, sent packet by packet.
 */
#ifndef SIM_CAMERA_H
#define SIM_CAMERA_H

#include "faults.h"
#include "util.h"

enum {
    CAMERA_PROBE = 34,
    CAMERA_CLOCK_HZ = 48000000,
    CAMERA_SIZES = 2,
    CAMERA_INTERVALS = 3,
    CAMERA_ALTERNATES = 6, /* with bandwidth; alternate 0 has none */
};

struct camera_size {
    unsigned width, height;
    uint32_t max_frame;                  /* bytes */
    uint32_t interval[CAMERA_INTERVALS]; /* 100 ns, shortest first */
};

extern const struct camera_size sim_camera_sizes[CAMERA_SIZES];
/* wMaxPacketSize of alternate 1 + i, as in the endpoint descriptor (mult in bits 12..11). */
extern const uint16_t sim_camera_packet_size[CAMERA_ALTERNATES];

/* Unit and terminal numbers of the VideoControl interface. */
enum { CAMERA_TERMINAL = 1, CAMERA_PROCESSING = 2, CAMERA_OUTPUT = 3 };
/* bmControls of the two, made from the table of controls. */
uint32_t sim_camera_control_bits(unsigned entity);

struct camera;

struct camera *sim_camera_new(struct faults *faults, uint64_t seed);
void sim_camera_free(struct camera **c);
void sim_camera_reset(struct camera *c);

/* What stands before the lens: a directory of frames, from picture `first` on. 0 or -errno. */
int sim_camera_show(struct camera *c, const char *dir, size_t first);
void sim_camera_off(struct camera *c);    /* delivers no pictures */
void sim_camera_freeze(struct camera *c); /* the same picture again and again */
void sim_camera_dark(struct camera *c);   /* black pictures */

/* Class requests; interface 0 = VideoControl, 1 = VideoStreaming. Answer's length or -EPIPE. */
int sim_camera_control(struct camera *c, unsigned interface, const uint8_t setup[8], uint8_t *data,
                       size_t cap);
/* Alternate setting of the streaming interface: 0 stops. 0 or -EPIPE. */
int sim_camera_set_alternate(struct camera *c, unsigned alternate, uint64_t now_us);
unsigned sim_camera_alternate(const struct camera *c);
/* Payload of the isochronous microframe at now_us; 0 = nothing sent. */
size_t sim_camera_packet(struct camera *c, uint64_t now_us, uint8_t *out, size_t cap);
/* Pictures sent whole since start, for status and tests. */
uint64_t sim_camera_pictures(const struct camera *c);

#endif
