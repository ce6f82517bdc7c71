/*
 * links: the desk's connections to the other programs, one client each, made again whenever one is lost.
 * Descriptors of frames and photos are passed on without being mapped.
 */
#ifndef UKETSUKE_DESK_LINKS_H
#define UKETSUKE_DESK_LINKS_H

#include "desk.h"

struct links;
struct service;

enum link_kind { LINK_READER, LINK_MATCHER, LINK_OCR, LINK_RELAY, LINK_BROKER, LINK_HANDOVER };

/* Answers to queries that control passed on: HEALTH_*, DEVICE*. */
typedef void links_answer_fn(void *arg, const struct message *message);

/* -ENOMEM, or an error of a path. `desk` may be set later, before the loop runs. */
int links_new(struct links **out, struct service *service, links_answer_fn *answer, void *arg);
void links_free(struct links **links);
/* Connect to every program that the desk's lanes and upstreams need. */
int links_open(struct links *links, struct desk *desk);

/* For desk_ports.send. */
int links_send(struct links *links, enum desk_peer peer, unsigned index, uint16_t type,
               const void *body, const int *fds, unsigned nfds);
/* Send to every connected program (or to those of one kind); returns to how many. */
unsigned links_send_all(struct links *links, uint16_t type, const void *body);
unsigned links_send_kind(struct links *links, enum link_kind kind, uint16_t type, const void *body);

/* The i-th program: its name ("reader 1", "relay main"), and whether it is connected. False past the end. */
bool links_program(const struct links *links, size_t i, char *name, size_t size, bool *connected);

#endif
