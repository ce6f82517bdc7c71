/*
 * handover: carries out what the desk hands over, for one [output NAME]: IPC with the desk on one
 * side, one kind of output on the other. One thing at a time; the desk alone decides what is given
 * again.
 */
#ifndef UKETSUKE_RELAY_HANDOVER_H
#define UKETSUKE_RELAY_HANDOVER_H

#include "../common/cage.h"
#include "../common/service.h"
#include "retry.h"

struct handover;

/* Reads the output's files and listens; before the cage. `listen_fd`: -1 with --try-cage. */
int handover_new(struct handover **out, struct service *service, const char *name, int listen_fd,
                 const struct retry_random *random);
const struct cage_spec *handover_cage(const struct handover *handover);
/* Inside the cage. */
int handover_start(struct handover *handover);
void handover_free(struct handover **handover);

#endif
