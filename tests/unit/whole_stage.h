/* whole_stage: the desk's core with everybody around it played (tests/scenario/stage.h), over the
 * real store. */
#ifndef TESTS_WHOLE_STAGE_H
#define TESTS_WHOLE_STAGE_H

#include "../scenario/stage.h"

struct rig;
/* Where its database is; "" before the first stage. It stays from stage to stage until
 * whole_stage_end(). */
const char *whole_stage_directory(void);
struct rig *whole_stage_rig(void);
/* The store anew, after fake_store_free(). */
void whole_stage_open(struct stage *stage);
void whole_stage_end(void);

#endif
