/* outcome: how what the drivers report is told to the desk: one table for each, nothing else decides. */
#ifndef UKETSUKE_OUTCOME_H
#define UKETSUKE_OUTCOME_H

#include "daemon/common/failure.h"
#include "driver/card/card.h"
#include "driver/ccid/ccid.h"
#include "driver/uvc/camera.h"

enum failure outcome_of_card(enum card_end end);
/* Of ccid_open(). */
enum failure outcome_of_reader(enum ccid_result result);
enum failure outcome_of_camera(enum camera_trouble trouble);

#endif
