/*
 * liars: programs around the desk that were taken over. Each sends what its connection lets through from its role,
 * with any content, about any visit; a connection that the desk closes comes back.
 */
#ifndef TEST_FUZZ_LIARS_H
#define TEST_FUZZ_LIARS_H

#include "fuzz.h"

#include "../scenario/stage.h"

/* The at-th kind of message (modulo their number) that the role may send to the desk; NULL: none. */
const struct message_row *liars_row(char role, unsigned at);
/* None, one to come, the other lane's, the last or the one under way of this lane. */
uint64_t liars_visit(struct stage *stage, unsigned lane, unsigned which);
/*
 * A body from the input: its bytes are laid over a lawful packet, so that most of them decode. The first fields
 * (visit, request) are then to be filled in so that the desk knows whom it is about.
 */
bool liars_compose(const struct message_row *row, struct fuzz_input *in, struct message *message);

/* One message: of this lane's reader; of the matcher, the OCR, the relay, about this lane. */
void liars_reader(struct stage *stage, struct fuzz_input *in, unsigned lane);
void liars_matcher(struct stage *stage, struct fuzz_input *in, unsigned lane);
void liars_ocr(struct stage *stage, struct fuzz_input *in, unsigned lane);
void liars_relay(struct stage *stage, struct fuzz_input *in, unsigned lane);

#endif
