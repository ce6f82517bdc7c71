/*
 * lane: the hardware of one lane: at most a reader and a camera, often one device that is both.
 *
 * Devices come as open descriptors from the broker and go by unplugging, by trouble or by the broker's word.
 * A device that got into trouble is closed and the broker told, which may open it again. The card engine and
 * the frames are given the reader's slot and the camera as they come, and NULL when they go.
 */
#ifndef UKETSUKE_LANE_H
#define UKETSUKE_LANE_H

#include <stdint.h>

#include "daemon/common/message.h"

struct card_engine;
struct clock;
struct frames;
struct lane;
struct sd_event;

enum lane_device_state { LANE_DEVICE_CLOSED, LANE_DEVICE_IN_USE, LANE_DEVICE_REFUSED };

struct lane_listener {
    /* What lane_state() says has changed. */
    void (*changed)(void *arg);
    /* For the broker (DEVICE_STATE). */
    void (*device)(enum lane_device_state state, uint16_t failure, const char *port, void *arg);
};

/* Everything is borrowed. NULL if out of memory. */
struct lane *lane_new(struct sd_event *loop, struct clock *clock, struct card_engine *engine,
                      struct frames *frames, const struct lane_listener *listener, void *arg);
/* Accepts and stores NULL. */
void lane_free(struct lane **lane);

/* Takes the descriptor, whatever becomes of it. */
void lane_attach(struct lane *lane, const struct msg_device_attach *device, int fd);
void lane_detach(struct lane *lane, const char *port);

/* Tell the listener of every device in use: a broker that was restarted does not know. */
void lane_tell_devices(const struct lane *lane);

/* What the hardware can do now, as READER_STATE says it. */
void lane_state(const struct lane *lane, struct msg_reader_state *out);
/* Cards that lie on the reader (its slots). */
unsigned lane_cards(const struct lane *lane);

/* How a card operation went: a reader that breaks its protocol three times in a row is opened anew, and when that has
 * not mended it twice, reset. */
void lane_card_result(struct lane *lane, uint16_t failure);
/* From the frames: what is wrong with the camera that is plugged in (FAILURE_NONE: nothing). */
void lane_camera_result(struct lane *lane, uint16_t failure);

#endif
