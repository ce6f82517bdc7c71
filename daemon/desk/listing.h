/*
 * listing: what web and command ask to see: visits, slips, an answer, counted troubles. Each is answered by its items
 * and its end; who looks stands in the audit log before (view.h).
 */
#ifndef UKETSUKE_DESK_LISTING_H
#define UKETSUKE_DESK_LISTING_H

struct desk;
struct ipc;
struct msg_answer_query;
struct msg_slips_query;
struct msg_troubles_query;
struct msg_visits_query;

void listing_visits(struct desk *desk, struct ipc *ipc, const struct msg_visits_query *query);
void listing_slips(struct desk *desk, struct ipc *ipc, const struct msg_slips_query *query);
void listing_troubles(struct desk *desk, struct ipc *ipc, const struct msg_troubles_query *query);
/* Its answer is shown to named staff, or not at all. */
void listing_answer(struct desk *desk, struct ipc *ipc, const struct msg_answer_query *query);
/* The visits of the last 24 hours, with request 0, to who has just begun to watch. */
void listing_day(struct desk *desk, struct ipc *ipc);

#endif
