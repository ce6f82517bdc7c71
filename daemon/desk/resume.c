#include "resume.h"

#include "ask.h"
#include "disaster.h"
#include "outbox.h"
#include "reconcile.h"
#include "visit.h"

#include "../common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct found {
    struct store_visit *visits;
    size_t nvisits, room;
    struct store_ask *asks;
    size_t nasks, ask_room;
    int error;
};

static int each_visit(const struct store_visit *visit, void *arg)
{
    struct found *found = arg;

    if (found->nvisits == found->room) {
        size_t room = found->room > 0 ? found->room * 2 : 16;
        struct store_visit *more = reallocarray(found->visits, room, sizeof(*more));

        if (more == NULL) {
            found->error = -ENOMEM;
            return 1;
        }
        found->visits = more;
        found->room = room;
    }
    found->visits[found->nvisits++] = *visit;
    return 0;
}

static int each_ask(const struct store_ask *ask, void *arg)
{
    struct found *found = arg;

    if (found->nasks == found->ask_room) {
        size_t room = found->ask_room > 0 ? found->ask_room * 2 : 16;
        struct store_ask *more = reallocarray(found->asks, room, sizeof(*more));

        if (more == NULL) {
            found->error = -ENOMEM;
            return 1;
        }
        found->asks = more;
        found->ask_room = room;
    }
    found->asks[found->nasks++] = *ask;
    return 0;
}

static struct visit *place(struct desk *desk, const struct store_visit *record)
{
    bool no_card = (record->flags & VISIT_FLAG_NO_CARD) != 0 || record->method == METHOD_NUMBERS;
    struct lane *lane = no_card ? NULL : desk_lane(desk, record->lane);
    struct visit *v;

    if (lane != NULL)
        return lane->visit->record.id == 0 ? lane->visit : NULL;
    if (!no_card)
        return NULL;
    v = visit_new(desk, NULL);
    if (v != NULL) {
        v->next_lookup = desk->lookups;
        desk->lookups = v;
        desk->nlookups++;
    }
    return v;
}

/* Its lane is not in the configuration any more, or has a later visit: it ends here, and says so. */
static int end_orphan(struct desk *desk, struct store_visit *record)
{
    int r = store_begin(desk->store);

    if (record->outcome == OUTCOME_OPEN) {
        record->outcome = OUTCOME_ABANDONED;
        record->failure = FAILURE_VISIT_ABANDONED;
    }
    record->state = VISIT_CLOSED;
    record->flags |= VISIT_FLAG_RESUMED;
    record->closed_us = (int64_t)clock_realtime_us(desk->clock);
    if (r == 0)
        r = store_visit_save(desk->store, record);
    if (r == 0)
        r = store_audit(desk->store, "orphaned", record->id, record->lane, "", "closed");
    if (r == 0)
        r = outbox_visit_over(desk, record, OUTBOX_FINISHED);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

static void resume_one(struct desk *desk, struct found *found, struct store_visit *record)
{
    struct visit *v = place(desk, record);
    int r;

    if (v == NULL) {
        r = end_orphan(desk, record);
        if (r < 0)
            found->error = r;
        return;
    }
    for (size_t i = 0; i < found->nasks; i++)
        if (found->asks[i].visit == record->id) {
            v->ask.row = found->asks[i];
            v->ask.may_be_there = true;
            found->asks[i].id = 0;
        }
    v->record = *record;
    if (v->lane == NULL) {
        uint8_t subject[32];

        ask_lookup_subject(record->id, subject);
        v->facts.has_numbers = store_link_get(desk->store, subject, &v->facts.numbers) == 0;
        v->facts.limit_consent = (record->consents & CONSENT_LIMIT) != 0;
    }
    log_event(LOG_LEVEL_NOTICE, "visit resumed", LOG_NUMBER("visit", record->id),
              LOG_NUMBER("lane", record->lane), LOG_NAME("state", visit_state_name(record->state)));
    (void)visit_resume(v, record);
}

/* Questions whose visit is over: whether they arrived is not known, and nobody waits for them. */
static int end_asks(struct desk *desk, const struct found *found)
{
    int r = store_begin(desk->store);

    for (size_t i = 0; r == 0 && i < found->nasks; i++)
        if (found->asks[i].id != 0)
            r = store_ask_end(desk->store, found->asks[i].id, 2);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

int desk_resume(struct desk *desk)
{
    struct found found = {0};
    int r = store_asks_open(desk->store, each_ask, &found);

    if (r == 0)
        r = store_visits(desk->store, 0, INT64_MAX, 0, UINT32_MAX, true, each_visit, &found);
    if (r == 0)
        r = found.error;
    for (size_t i = 0; r == 0 && i < found.nvisits; i++)
        resume_one(desk, &found, &found.visits[i]);
    if (r == 0)
        r = found.error;
    if (r == 0 && found.nasks > 0)
        r = end_asks(desk, &found);
    if (r == 0)
        r = disaster_load(desk);
    if (r == 0)
        r = outbox_resume(desk);
    if (r == 0)
        reconcile_wake(desk, true);
    if (found.visits != NULL)
        explicit_bzero(found.visits, found.room * sizeof(*found.visits));
    free(found.visits);
    free(found.asks);
    return r;
}
