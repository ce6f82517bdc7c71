/*
 * waiter: kiosk pages that wait for the next preview of their lane.
 *
 * The page asks with the number of the frame it has and is answered with the newest other one as soon as there is
 * one: so a slow page skips frames instead of falling behind, and nothing queues anywhere.
 */
#ifndef UKETSUKE_WEB_WAITER_H
#define UKETSUKE_WEB_WAITER_H

#include <stdint.h>

struct request;
struct web;

#define WAITER_MS 2000 /* then 204, and the page asks again */

/* Reply now if there is a preview of another frame than `after`; else keep the request. */
void waiter_ask(struct web *web, struct request *request, uint16_t lane, uint32_t after);
/* A new preview of that lane has come. */
void waiter_serve(struct web *web, uint16_t lane);

#endif
