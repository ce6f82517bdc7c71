#include "listing.h"

#include "desk.h"
#include "slip.h"
#include "visit.h"

#include "../common/ipc.h"
#include "../common/log.h"
#include "../common/memfd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DAY_US (INT64_C(86400) * 1000000)

struct listing {
    struct desk *desk;
    struct ipc *ipc;
    uint32_t request;
    uint32_t count;
};

static uint32_t most(uint32_t limit)
{
    return limit == 0 || limit > LIST_PAGE ? LIST_PAGE : limit;
}

/* ---- visits ---------------------------------------------------------------------------------- */

static int list_visit(const struct store_visit *record, void *arg)
{
    struct listing *listing = arg;
    struct store *store = listing->desk->store;
    struct store_answer answer = {0};
    struct msg_visit_item item;

    visit_item(record, listing->request, &item);
    if (record->answer != 0 && store_answer_load(store, record->answer, &answer) == 0) {
        item.answered = answer.answered_us / 1000000;
        store_answer_free(&answer);
    }
    if (ipc_send(listing->ipc, MSG_VISIT_ITEM, &item) < 0)
        return 1;
    explicit_bzero(&item, sizeof(item));
    listing->count++;
    return 0;
}

static int add_visit(const struct store_visit *record, void *arg)
{
    view_add(arg, record->id);
    return 0;
}

static int walk_visits(struct desk *desk, int64_t since_us, int64_t until_us, uint64_t before,
                       uint32_t limit, store_visit_fn *each, void *arg)
{
    int r = store_visits(desk->store, since_us, until_us, before, limit, false, each, arg);

    if (r < 0)
        log_event(LOG_LEVEL_ERROR, "visits cannot be read");
    return r;
}

void listing_day(struct desk *desk, struct ipc *ipc)
{
    struct listing listing = {desk, ipc, 0, 0};
    int64_t now = (int64_t)clock_realtime_us(desk->clock);

    (void)walk_visits(desk, now - DAY_US, INT64_MAX, 0, LIST_PAGE, list_visit, &listing);
}

static void list_visits(struct listing *listing, const struct msg_visits_query *query,
                        struct msg_visits_end *end)
{
    int64_t latest = INT64_MAX / 1000000;
    int64_t until = query->until > 0 && query->until < latest ? query->until : latest;
    int64_t since = query->since > 0 && query->since < latest ? query->since : 0;
    struct view view = {.kind = VIEW_VISITS, .staff = query->staff};

    if (view.staff[0] != '\0')
        (void)walk_visits(listing->desk, since * 1000000, until * 1000000, query->before,
                          most(query->limit), add_visit, &view);
    end->failure = view_to(listing->desk, listing->ipc, &view);
    if (end->failure == FAILURE_NONE)
        end->more = walk_visits(listing->desk, since * 1000000, until * 1000000, query->before,
                                most(query->limit), list_visit, listing) > 0;
}

void listing_visits(struct desk *desk, struct ipc *ipc, const struct msg_visits_query *query)
{
    struct listing listing = {desk, ipc, query->request, 0};
    struct msg_visits_end end = {.request = query->request};
    struct store_visit record;

    if (query->visit == 0) {
        list_visits(&listing, query, &end);
    } else if (store_visit_load(desk->store, query->visit, &record) == 0) {
        struct view view = {
            .kind = VIEW_VISIT, .staff = query->staff, .visit = record.id, .lane = record.lane};

        end.failure = view_to(desk, ipc, &view);
        if (end.failure == FAILURE_NONE)
            (void)list_visit(&record, &listing);
        explicit_bzero(&record, sizeof(record));
    }
    end.count = listing.count;
    (void)ipc_send(ipc, MSG_VISITS_END, &end);
}

/* ---- troubles: nobody's in particular -------------------------------------------------------- */

static int list_trouble(const struct store_trouble *trouble, void *arg)
{
    struct listing *listing = arg;
    struct msg_trouble_item item = {
        .request = listing->request, .failure = trouble->failure, .count = trouble->count};

    (void)MESSAGE_TEXT(item.day, trouble->day);
    listing->count++;
    return ipc_send(listing->ipc, MSG_TROUBLE_ITEM, &item) < 0;
}

void listing_troubles(struct desk *desk, struct ipc *ipc, const struct msg_troubles_query *query)
{
    struct listing listing = {desk, ipc, query->request, 0};
    struct msg_troubles_end end = {.request = query->request};
    char since[9];

    desk_day(query->since > 0 && query->since < INT64_MAX / 1000000 ? query->since * 1000000 : 0,
             since);
    if (store_troubles(desk->store, since, LIST_PAGE, list_trouble, &listing) < 0)
        log_event(LOG_LEVEL_ERROR, "troubles cannot be read");
    end.count = listing.count;
    (void)ipc_send(ipc, MSG_TROUBLES_END, &end);
}

/* ---- slips ----------------------------------------------------------------------------------- */

static int list_slip(const struct store_slip *slip, void *arg)
{
    struct listing *listing = arg;
    struct msg_slip_item item;
    int r;

    slip_item(slip, listing->request, &item);
    r = ipc_send(listing->ipc, MSG_SLIP_ITEM, &item);
    explicit_bzero(&item, sizeof(item));
    listing->count += r >= 0;
    return r < 0;
}

static int add_slip(const struct store_slip *slip, void *arg)
{
    view_add(arg, slip->visit);
    return 0;
}

static int one_slip(struct listing *listing, const struct msg_slips_query *query,
                    struct msg_slips_end *end)
{
    struct view view = {.kind = VIEW_SLIP, .staff = query->staff, .visit = query->visit};
    struct store_slip slip;
    int r = store_slip_load(listing->desk->store, query->visit, &slip);

    if (r == 0) {
        view.lane = slip.lane;
        end->failure = view_to(listing->desk, listing->ipc, &view);
        if (end->failure == FAILURE_NONE)
            (void)list_slip(&slip, listing);
    }
    explicit_bzero(&slip, sizeof(slip));
    return r;
}

static int all_slips(struct listing *listing, const struct msg_slips_query *query,
                     struct msg_slips_end *end)
{
    enum store_slips which = query->open_only != 0 ? STORE_SLIPS_OPEN : STORE_SLIPS_ALL;
    struct view view = {.kind = VIEW_SLIPS, .staff = query->staff};
    struct store *store = listing->desk->store;
    int r = 0;

    if (view.staff[0] != '\0')
        r = store_slips(store, which, query->before, most(query->limit), add_slip, &view);
    if (r < 0)
        return r;
    end->failure = view_to(listing->desk, listing->ipc, &view);
    if (end->failure == FAILURE_NONE)
        r = store_slips(store, which, query->before, most(query->limit), list_slip, listing);
    end->more = end->failure == FAILURE_NONE && r > 0;
    return r;
}

void listing_slips(struct desk *desk, struct ipc *ipc, const struct msg_slips_query *query)
{
    struct listing listing = {desk, ipc, query->request, 0};
    struct msg_slips_end end = {.request = query->request};
    int r = query->visit != 0 ? one_slip(&listing, query, &end) : all_slips(&listing, query, &end);

    if (r < 0 && r != -ENOENT)
        log_event(LOG_LEVEL_ERROR, "slips cannot be read");
    end.count = listing.count;
    (void)ipc_send(ipc, MSG_SLIPS_END, &end);
}

/* ---- an answer ------------------------------------------------------------------------------- */

void listing_answer(struct desk *desk, struct ipc *ipc, const struct msg_answer_query *query)
{
    struct msg_answer body = {.request = query->request, .visit = query->visit};
    struct store_answer answer = {0};
    struct store_visit record = {0};
    int fd = -1;

    if (query->staff[0] == '\0' || store_visit_load(desk->store, query->visit, &record) < 0)
        body.failure = FAILURE_DESK_OUT_OF_TURN;
    else if (record.answer == 0 || store_answer_load(desk->store, record.answer, &answer) < 0)
        body.failure = FAILURE_ELIGIBILITY_NONE;
    else if (view_answer(desk, record.id, record.lane, query->staff) < 0)
        body.failure = FAILURE_DESK_STORE;
    else
        fd = memfd_seal("answer", answer.tree, answer.tree_len);
    if (fd >= 0)
        body.bytes = (uint32_t)answer.tree_len;
    else if (body.failure == FAILURE_NONE)
        body.failure = FAILURE_DESK_STORE;
    (void)ipc_send_fds(ipc, MSG_ANSWER, &body, &fd, fd >= 0 ? 1 : 0);
    if (fd >= 0)
        (void)close(fd);
    store_answer_free(&answer);
    explicit_bzero(&record, sizeof(record));
}
