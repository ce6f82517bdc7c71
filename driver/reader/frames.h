/*
 * frames: from the camera to the desk, against credit.
 *
 * Each frame goes as a sealed memfd and costs one credit. Without credit only the newest is kept, and goes
 * when credit comes. A camera whose picture stays the same, byte for byte, for three seconds is frozen (no
 * sensor does that); one that brings no whole picture for three seconds is silent. Both end the run with
 * CAMERA_FAILED.
 */
#ifndef UKETSUKE_FRAMES_H
#define UKETSUKE_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/message.h"

struct camera;
struct clock;
struct frames;

/* What is found of the camera that is there: a run ended by trouble (`failure`); FAILURE_NONE: pictures move again. That
 * none was there is not told so: one may have come meanwhile. */
typedef void frames_state_fn(uint16_t failure, void *arg);
/* One message to the desk; `fd` -1 for none, borrowed. */
typedef void frames_send_fn(uint16_t type, const void *body, int fd, void *arg);

struct frames *frames_new(struct clock *clock, frames_send_fn *send, frames_state_fn *state,
                          void *arg);
/* The camera must be gone (frames_set_camera NULL) or outlive this call. Accepts and stores NULL. */
void frames_free(struct frames **frames);

/* Borrowed; NULL when it went: a run under way then fails with CAMERA_ABSENT. */
void frames_set_camera(struct frames *frames, struct camera *camera);

/* 0; -EALREADY: there is a run under way. Whatever else is wrong comes as CAMERA_FAILED. */
int frames_start(struct frames *frames, const struct msg_camera_start *request);
/* Credit for a run that has ended meanwhile is ignored. */
void frames_credit(struct frames *frames, unsigned credit);
void frames_stop(struct frames *frames);

#endif
