/*
 * fuzz_shortage: the input also says which call fails that the driver asks of the host: memory, a call into the
 * cryptographic library, memory that the library asks for (tests/unit/lane_wrap.h). Three bytes at the input's end:
 * the kind, and which call of it, counted from where the target arms it. No bytes, or zeros: none fails.
 */
#ifndef TEST_FUZZ_SHORTAGE_H
#define TEST_FUZZ_SHORTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First thing: takes its bytes away from the input. */
void fuzz_shortage_take(const uint8_t *data, size_t *size);
/* From here to there calls are counted, and the chosen one fails. */
void fuzz_shortage_arm(void);
/* True: one has failed. */
bool fuzz_shortage_disarm(void);

/* What the target itself does in between (it plays the world) is not the driver's, and never fails. May be nested. */
void fuzz_shortage_pause(void);
void fuzz_shortage_resume(void);

#endif
