/*
 * visit: what the desk asks of the reader, message by message: one visit at a time, with a key of its own;
 * one card operation at a time, answered once.
 *
 * A message that the desk may not send now ends its connection. What can cross on the wire is forgiven: the
 * end of a visit that is over, credit or stop for a camera run that has just failed.
 */
#ifndef UKETSUKE_READER_VISIT_H
#define UKETSUKE_READER_VISIT_H

#include "daemon/common/message.h"

struct card_engine;
struct clock;
struct frames;
struct ipc;
struct lane;
struct reader_visit;

/* All borrowed. NULL if out of memory. */
struct reader_visit *reader_visit_new(struct clock *clock, struct card_engine *engine,
                                      struct frames *frames);
/* Accepts and stores NULL. */
void reader_visit_free(struct reader_visit **visit);
void reader_visit_set_lane(struct reader_visit *visit, struct lane *lane);

/* Who the desk is now; NULL: it is gone, and with it the visit. */
void reader_visit_set_desk(struct reader_visit *visit, struct ipc *desk);
/* A message of the desk. May refuse its connection. */
void reader_visit_message(struct reader_visit *visit, struct ipc *desk, struct message *message);
/* Send a message to the desk, if there is one; `fd` -1 for none, borrowed. */
void reader_visit_send(struct reader_visit *visit, uint16_t type, const void *body, int fd);

#endif
