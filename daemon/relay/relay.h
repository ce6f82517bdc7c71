/*
 * relay: the desk's side of the program: questions in, answers and the upstream's state out.
 *
 * ELIGIBILITY_ASK is answered once, by ELIGIBILITY_ANSWER, unless ELIGIBILITY_CANCEL ends it first.
 * A cancel that finds a writing request under way changes nothing: its answer comes. When the
 * desk's connection is lost its reads end and its writes run on unheard (what became of them is in
 * the log).
 */
#ifndef UKETSUKE_RELAY_H
#define UKETSUKE_RELAY_H

#include "../common/service.h"
#include "upstream.h"

struct relay;

/*
 * Opens the upstream of `name` (reads files: before the cage; failures have been said on standard
 * error) and takes `listen_fd` (-1: none, to try the cage only).
 */
int relay_new(struct relay **out, struct service *service, const char *name, int listen_fd,
              const struct retry_random *random);
/* What its upstream needs inside the cage; borrowed. */
const struct cage_spec *relay_cage(const struct relay *relay);
/* Inside the cage: get ready to ask. */
int relay_start(struct relay *relay);
void relay_free(struct relay **relay);

#endif
