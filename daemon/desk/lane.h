/*
 * lane: one place at the counter: its reader, camera and card, and the visit that is there now.
 * What reader, matcher and OCR say comes in here and becomes an event of the visit.
 */
#ifndef UKETSUKE_DESK_LANE_H
#define UKETSUKE_DESK_LANE_H

#include "desk.h"

int lane_new(struct lane **out, struct desk *desk, uint16_t number, const char *label,
             unsigned upstream);
void lane_free(struct lane **lane);

/* The reader program of this lane. A message: false when it breaks the rules (the connection is closed). */
void lane_reader_up(struct lane *lane);
void lane_reader_down(struct lane *lane);
bool lane_reader_message(struct lane *lane, const struct message *message);

void lane_matcher_up(struct desk *desk);
void lane_matcher_down(struct desk *desk);
bool lane_matcher_message(struct desk *desk, const struct message *message);

void lane_ocr_up(struct desk *desk);
void lane_ocr_down(struct desk *desk);
bool lane_ocr_message(struct desk *desk, const struct message *message);

bool lane_camera_usable(const struct lane *lane);
/* Tell the reader of the visit if it does not know it yet. */
void lane_begin(struct lane *lane);

void lane_state(const struct lane *lane, struct msg_lane_state *out);
/* Show it; `stepped`: something changed that makes older offers void. */
void lane_publish(struct lane *lane, bool stepped);
/* Offers of all lanes may have changed (matcher or OCR came or went). */
void lane_publish_all(struct desk *desk);
/* After a visit closed: the next begins at once when another card lies there already. */
void lane_next(struct lane *lane);

#endif
