#include "action.h"

#include "numbers.h"
#include "visit.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

void action_refuse(struct desk *desk, struct msg_action_result *out, uint16_t failure)
{
    out->accepted = 0;
    out->failure = failure;
    desk->metrics.actions_refused++;
}

/* The command line speaks for staff. */
static bool surface_may(uint8_t surface, unsigned action)
{
    const char *who = visit_action_who(action);

    return surface == 'K' ? strchr(who, 'K') != NULL
                          : (surface == 'B' || surface == 'C') && strchr(who, 'B') != NULL;
}

/* Staff may look at a person whose visit is over: the flag goes, and the audit log keeps who. */
static int looked_after(struct desk *desk, const struct msg_lane_action *action)
{
    struct store_visit record;
    struct msg_visit_item item;
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_visit_load(desk->store, action->visit, &record);
    if (r == 0 && (record.closed_us == 0 || (record.flags & VISIT_FLAG_LOOK) == 0))
        r = -ENOENT;
    if (r == 0) {
        record.flags &= ~(uint32_t)VISIT_FLAG_LOOK;
        (void)MESSAGE_TEXT(record.staff, action->staff);
        r = store_visit_save(desk->store, &record);
    }
    if (r == 0)
        r = store_audit(desk->store, "staff_looked", record.id, record.lane, action->staff,
                        "closed");
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        return r;
    }
    visit_item(&record, 0, &item);
    desk->ports.visit_changed(desk->ports.arg, &item);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
    return 0;
}

/* The visit that an action means; NULL when the page is out of date. A look-up has no lane and no
 * step. */
static struct visit *find(struct desk *desk, const struct msg_lane_action *action)
{
    struct lane *lane = desk_lane(desk, action->lane);
    struct visit *v;

    if (action->lane == 0) {
        v = desk_visit(desk, action->visit);
        return v != NULL && v->lane == NULL ? v : NULL;
    }
    if (lane == NULL || lane->visit->record.id != action->visit || lane->step != action->step ||
        action->visit == 0)
        return NULL;
    return lane->visit;
}

static bool entry_complete(const struct visit *v, const struct msg_lane_action *action)
{
    switch (action->action) {
    case ACTION_SEND_PIN: /* an empty one starts the PIN pad */
        return action->sealed.len > 0 || (v->lane != NULL && v->lane->reader.pin_pad != 0);
    case ACTION_SEND_NUMBER_B:
        return action->sealed.len > 0;
    case ACTION_SLIP: /* what is noted comes with SLIP_FILE, who comes with PICK_UP */
    case ACTION_PROXY:
        return false;
    default:
        return true;
    }
}

void action_lane(struct desk *desk, const struct msg_lane_action *action,
                 struct msg_action_result *out)
{
    struct visit *v = find(desk, action);
    struct desk_event e = {.kind = table_event_of_action(action->action),
                           .fd = -1,
                           .sealed = action->sealed.data,
                           .sealed_len = action->sealed.len,
                           .consents = action->consents,
                           .staff = action->surface == 'K' ? "" : action->staff};
    int r;

    memset(out, 0, sizeof(*out));
    out->request = action->request;
    out->visit = action->visit;
    if (e.kind == EVENT_COUNT || !surface_may(action->surface, action->action) ||
        (action->surface != 'K' && action->staff[0] == '\0')) {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    if (v == NULL && action->action == ACTION_STAFF_LOOKED &&
        desk_visit(desk, action->visit) == NULL)
        r = looked_after(desk, action);
    else if (v == NULL)
        r = -ENOENT;
    else if (!entry_complete(v, action)) {
        action_refuse(desk, out,
                      action->action == ACTION_SEND_PIN        ? FAILURE_PIN_FORMAT
                      : action->action == ACTION_SEND_NUMBER_B ? FAILURE_NUMBER_B_FORMAT
                                                               : FAILURE_SLIP_FORMAT);
        return;
    } else
        r = visit_event(v, &e);
    if (r == 0)
        out->accepted = 1;
    else if (r == -ENOENT)
        action_refuse(desk, out,
                      v != NULL ? visit_refusal(v, action->action)
                                : (uint16_t)FAILURE_DESK_OUT_OF_TURN);
    else
        action_refuse(desk, out, FAILURE_DESK_STORE);
}

void action_end(struct desk *desk, struct msg_action_result *out, int r)
{
    out->accepted = r == 0;
    if (r == -ENOENT)
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
    else if (r == -EAGAIN)
        action_refuse(desk, out, FAILURE_DESK_BUSY);
    else if (r < 0)
        action_refuse(desk, out, FAILURE_DESK_STORE);
}

int action_open(struct desk *desk, const struct desk_event *e, uint64_t *id)
{
    struct visit *v;
    int r;

    if (desk->nlookups >= DESK_LOOKUPS_MAX)
        return -EAGAIN;
    v = visit_new(desk, NULL);
    if (v == NULL)
        return -ENOMEM;
    v->next_lookup = desk->lookups;
    desk->lookups = v;
    desk->nlookups++;
    r = visit_event(v, e);
    /* It is closed only after its outcome was shown for a while, so it is still there, unless
     * refused. */
    if (r < 0) {
        desk->lookups = v->next_lookup;
        desk->nlookups--;
        visit_free(&v);
        return r;
    }
    *id = v->record.id;
    return 0;
}

void action_lookup(struct desk *desk, const struct msg_lookup *lookup,
                   struct msg_action_result *out)
{
    struct numbers_entry entry = {.insurer = lookup->insurer,
                                  .symbol = lookup->symbol,
                                  .number = lookup->number,
                                  .branch = lookup->branch,
                                  .birth = lookup->birth};
    struct store_numbers numbers;
    struct desk_event e = {.kind = EVENT_LOOKUP,
                           .fd = -1,
                           .staff = lookup->staff,
                           .numbers = &numbers,
                           .limit_consent = lookup->limit_consent != 0,
                           .lane = lookup->lane};
    struct visit *v = desk_visit(desk, lookup->visit);
    const char *wrong;
    char today[9];
    int r;

    memset(out, 0, sizeof(*out));
    out->request = lookup->request;
    out->visit = lookup->visit;
    if ((lookup->surface != 'B' && lookup->surface != 'C') || lookup->staff[0] == '\0') {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    /* Without a day no birth date can be judged, and nothing could be asked. */
    if (!desk_check_clock(desk)) {
        action_refuse(desk, out, FAILURE_DESK_CLOCK);
        return;
    }
    desk_today(desk, today);
    wrong = numbers_check(&entry, today, &numbers);
    if (wrong != NULL) {
        action_refuse(desk, out, numbers_failure(wrong, entry.insurer, FAILURE_LOOKUP_FORMAT));
        (void)MESSAGE_TEXT(out->field, wrong);
        return;
    }
    if (lookup->visit != 0)
        r = v != NULL && v->lane != NULL ? visit_event(v, &e) : -ENOENT;
    else
        r = action_open(desk, &e, &out->visit);
    explicit_bzero(&numbers, sizeof(numbers));
    action_end(desk, out, r);
}

/* ---- who came for the patient ---------------------------------------------------------------- */

/* A name is one line with something in it. */
static bool is_line(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return strspn(text, " ") != n;
}

/* The medicine may be handed out long after the visit was closed. */
static int proxy_after(struct desk *desk, const struct msg_pick_up *proxy)
{
    struct store_visit record;
    struct msg_visit_item item;
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_visit_load(desk->store, proxy->visit, &record);
    if (r == 0 && (record.closed_us == 0 || record.outcome == OUTCOME_REFUSED ||
                   record.outcome == OUTCOME_ABANDONED))
        r = -ENOENT;
    if (r == 0) {
        record.flags |= VISIT_FLAG_PROXY;
        (void)MESSAGE_TEXT(record.proxy, proxy->name);
        (void)MESSAGE_TEXT(record.relation, proxy->relation);
        (void)MESSAGE_TEXT(record.staff, proxy->staff);
        r = store_visit_save(desk->store, &record);
    }
    if (r == 0)
        r = store_audit(desk->store, "proxy", record.id, record.lane, proxy->staff, "closed");
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        return r;
    }
    visit_item(&record, 0, &item);
    desk->ports.visit_changed(desk->ports.arg, &item);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
    return 0;
}

void action_proxy(struct desk *desk, const struct msg_pick_up *proxy, struct msg_action_result *out)
{
    struct desk_event e = {.kind = EVENT_PROXY,
                           .fd = -1,
                           .staff = proxy->staff,
                           .proxy = proxy->name,
                           .relation = proxy->relation};
    struct visit *v = desk_visit(desk, proxy->visit);

    memset(out, 0, sizeof(*out));
    out->request = proxy->request;
    out->visit = proxy->visit;
    if ((proxy->surface != 'B' && proxy->surface != 'C') || proxy->staff[0] == '\0' ||
        desk->settings.institution_kind != INSTITUTION_PHARMACY) {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
    } else if (!is_line(proxy->name) || !is_line(proxy->relation)) {
        action_refuse(desk, out, FAILURE_SLIP_FORMAT);
        (void)MESSAGE_TEXT(out->field, is_line(proxy->name) ? "relation" : "name");
    } else {
        action_end(desk, out, v != NULL ? visit_event(v, &e) : proxy_after(desk, proxy));
    }
}
