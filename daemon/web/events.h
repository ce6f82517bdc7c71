/*
 * events: server-sent events to kiosks and boards.
 *
 * Each listener has a queue bounded in bytes; one that lets it fill up is dropped and comes back by itself with the
 * full state first. A kiosk hears of its lane; a board of all lanes and visits, once it is open: when it stands in
 * the audit log who looks. A comment every 15 seconds keeps proxies awake and finds listeners that have gone.
 */
#ifndef UKETSUKE_WEB_EVENTS_H
#define UKETSUKE_WEB_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct events;
struct listener;
struct request;

#define EVENTS_QUEUE_MAX ((size_t)1 << 20) /* bytes waiting for one listener */
#define EVENTS_BOARDS_MAX 80
#define EVENTS_PER_LANE_MAX 4 /* a kiosk that is opened again replaces its oldest */

int events_new(struct events **out, struct clock *clock);
void events_free(struct events **events);

/* lane 0: a board, not open yet; staff: who looks (NULL at a kiosk). Keeps the request and starts its stream. NULL: no room. */
struct listener *events_listen(struct events *events, struct request *request, uint16_t lane,
                               const char *staff);
const char *events_staff(const struct listener *listener);
/* From now on the board is told what happens. */
void events_open(struct listener *listener);
/* The stream ends; its page comes back by itself. */
void events_end(struct listener *listener);
/* Each board that is open, or each that is not. */
void events_each_board(struct events *events, bool open,
                       void (*each)(struct listener *listener, void *arg), void *arg);

/* One event to one listener; `json` is its data in one line. */
void events_say(struct listener *listener, const char *event, const char *json);
/* To every listener of a lane (0: to every board that is open). */
void events_tell(struct events *events, uint16_t lane, const char *event, const char *json);
/* A number that is this listener's alone; 0 is nobody. */
uint64_t events_id(const struct listener *listener);
/* The listener of that number if it is still there. */
struct listener *events_find(struct events *events, uint64_t id);
/* Would anybody hear what is told there? Spares the work of making JSON for nobody. */
bool events_heard(const struct events *events, uint16_t lane);
/* How many listen there, shut boards with them. */
size_t events_count(const struct events *events, uint16_t lane);

#endif
