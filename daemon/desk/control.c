#include "control.h"

#include "action.h"
#include "disaster.h"
#include "lane.h"
#include "links.h"
#include "listing.h"
#include "match.h"
#include "outbox.h"
#include "precheck.h"
#include "slip.h"
#include "visit.h"

#include "../common/ipc.h"
#include "../common/log.h"
#include "../common/memfd.h"
#include "../common/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define QUERIES_MAX 64
#define QUERY_US (2 * CLOCK_SECOND) /* programs that say nothing by then are reported as silent */

enum { WATCH_LANES = 1 << 0, WATCH_VISITS = 1 << 1, WATCH_PREVIEWS = 1 << 2 };

struct client {
    struct control *control;
    struct ipc *ipc;
    uint8_t what;
};

/* A question of a client that was passed on to other programs. */
struct query {
    struct control *control;
    struct client *client; /* NULL: free */
    uint32_t id;           /* towards the programs */
    uint32_t request;      /* towards the client */
    bool devices;
    unsigned pending;
    struct timer *timer;
};

struct control {
    struct service *service;
    struct links *links;
    struct desk *desk;
    struct control_worker worker;
    control_other_fn *other;
    void *other_arg;
    struct ipc_server *server;
    struct ipc_self self;
    struct client *clients[CLIENTS_MAX];
    struct query queries[QUERIES_MAX];
    uint32_t next_id;
};

/* ---- queries that other programs answer ------------------------------------------------------ */

static void query_end(struct query *q)
{
    struct msg_devices_end devices = {.request = q->request};

    timer_stop(q->timer);
    if (q->devices)
        (void)ipc_send(q->client->ipc, MSG_DEVICES_END, &devices);
    else
        service_health_end(q->client->ipc, q->request);
    q->client = NULL;
}

static void on_query_timer(struct timer *timer, void *arg)
{
    struct query *q = arg;

    (void)timer;
    if (q->client == NULL)
        return;
    if (q->pending > 0 && !q->devices) {
        char detail[100];

        (void)snprintf(detail, sizeof(detail), "%u program(s) did not answer in time", q->pending);
        service_health_item(q->client->ipc, q->request, 1, FAILURE_NONE, "programs", detail,
                            "uketsuke doctor をもう一度 / run it again");
    }
    query_end(q);
}

static struct query *query_new(struct client *client, uint32_t request, bool devices)
{
    struct control *c = client->control;

    for (size_t i = 0; i < QUERIES_MAX; i++) {
        struct query *q = &c->queries[i];

        if (q->client != NULL)
            continue;
        if (q->timer == NULL)
            q->timer = timer_new(c->service->clock, on_query_timer, q);
        if (q->timer == NULL)
            return NULL;
        q->control = c;
        q->client = client;
        q->id = ++c->next_id;
        q->request = request;
        q->devices = devices;
        q->pending = 0;
        (void)timer_set_after(q->timer, QUERY_US);
        return q;
    }
    return NULL;
}

static struct query *query_find(struct control *c, uint32_t id)
{
    for (size_t i = 0; i < QUERIES_MAX; i++)
        if (c->queries[i].client != NULL && c->queries[i].id == id)
            return &c->queries[i];
    return NULL;
}

void control_answer(struct control *c, const struct message *message)
{
    /* Each of the four begins with the number of the request. */
    struct query *q = query_find(c, message->body.health_end.request);

    if (q == NULL)
        return;
    if (message->type == MSG_HEALTH_ITEM && !q->devices) {
        struct msg_health_item item = message->body.health_item;

        item.request = q->request;
        (void)ipc_send(q->client->ipc, MSG_HEALTH_ITEM, &item);
    } else if (message->type == MSG_DEVICE_ITEM && q->devices) {
        struct msg_device_item item = message->body.device_item;

        item.request = q->request;
        (void)ipc_send(q->client->ipc, MSG_DEVICE_ITEM, &item);
    } else if ((message->type == MSG_HEALTH_END && !q->devices) ||
               (message->type == MSG_DEVICES_END && q->devices)) {
        if (q->pending > 0 && --q->pending == 0)
            query_end(q);
    }
}

/* ---- health ---------------------------------------------------------------------------------- */

static void health_programs(struct control *c, struct ipc *ipc, uint32_t request)
{
    char name[48];
    bool connected;

    for (size_t i = 0; links_program(c->links, i, name, sizeof(name), &connected); i++) {
        bool optional = strcmp(name, "ocr") == 0;

        if (connected || optional)
            service_health_item(ipc, request, 0, FAILURE_NONE, name,
                                connected ? "running" : "not running (optional)", "");
        else
            service_health_item(ipc, request, 2, FAILURE_NONE, name, "not running",
                                "自動で再起動します。続くならログを見ます / it restarts by itself; "
                                "if not, see its log");
    }
}

static void health_lanes(struct control *c, struct ipc *ipc, uint32_t request)
{
    for (unsigned i = 0; i < c->desk->nlanes; i++) {
        const struct lane *lane = c->desk->lanes[i];
        const struct failure_text *reader = failure_text(lane->reader.reader);
        const struct failure_text *camera = failure_text(lane->reader.camera);
        char component[48], detail[200];

        (void)snprintf(component, sizeof(component), "lane %u", lane->number);
        (void)snprintf(detail, sizeof(detail), "%s, reader %s, camera %s",
                       visit_state_name(lane->visit->record.state), reader->code, camera->code);
        if (lane->reader.reader != FAILURE_NONE)
            service_health_item(ipc, request, 2, lane->reader.reader, component, detail,
                                reader->staff_ja);
        else if (lane->reader.camera != FAILURE_NONE)
            service_health_item(ipc, request, 1, lane->reader.camera, component, detail,
                                camera->staff_ja);
        else
            service_health_item(ipc, request, 0, FAILURE_NONE, component, detail, "");
    }
}

static void health_store(struct control *c, struct ipc *ipc, uint32_t request)
{
    struct store_status status;
    char detail[200];

    if (store_status(c->desk->store, &status) < 0) {
        service_health_item(ipc, request, 2, FAILURE_DESK_STORE, "database", "cannot be read",
                            failure_text(FAILURE_DESK_STORE)->staff_ja);
        return;
    }
    (void)snprintf(detail, sizeof(detail),
                   "migration %u, %llu visits, %llu answers, %llu questions open, %llu audit rows, "
                   "%llu bytes",
                   status.migration, (unsigned long long)status.visits,
                   (unsigned long long)status.answers, (unsigned long long)status.asks_open,
                   (unsigned long long)status.audit_rows, (unsigned long long)status.bytes);
    if (c->desk->metrics.store_failures > 0)
        service_health_item(ipc, request, 1, FAILURE_DESK_STORE, "database", detail,
                            failure_text(FAILURE_DESK_STORE)->staff_ja);
    else
        service_health_item(ipc, request, 0, FAILURE_NONE, "database", detail, "");
}

/* Said by somebody who must act: what is doubtful or refused waits for staff, not for time. */
static void health_outbox(struct control *c, struct ipc *ipc, uint32_t request)
{
    struct store_outbox_counts counts;
    uint64_t waiting = 0, staff = 0;
    char detail[200];

    if (outbox_outputs(c->desk) == 0 && c->desk->metrics.handover_tries == 0)
        return;
    if (store_outbox_counts(c->desk->store, &counts) < 0)
        return; /* the database's own line says why */
    for (unsigned k = 0; k < OUTBOX_KIND_COUNT; k++) {
        waiting += counts.count[k][OUTBOX_WAITING] + counts.count[k][OUTBOX_SENT_MAYBE];
        staff += counts.count[k][OUTBOX_DOUBTFUL] + counts.count[k][OUTBOX_REFUSED];
    }
    (void)snprintf(detail, sizeof(detail), "%llu on their way, %llu wait for a decision",
                   (unsigned long long)waiting, (unsigned long long)staff);
    if (staff > 0)
        service_health_item(ipc, request, 1, FAILURE_HANDOVER_DOUBTFUL, "outbox", detail,
                            "uketsuke outbox で確かめます / see uketsuke outbox");
    else
        service_health_item(ipc, request, 0, FAILURE_NONE, "outbox", detail, "");
}

static void health_backups(struct control *c, struct ipc *ipc, uint32_t request)
{
    const struct metrics_backups *b = &c->desk->metrics.backups;
    int64_t now = (int64_t)clock_realtime_us(c->desk->clock);
    long long hours = (now - b->newest_us) / (int64_t)(60 * CLOCK_MINUTE);
    bool bad = metrics_backups_late(b, now) || (b->newest_us == 0 && b->failing);
    char detail[200];

    if (!b->wanted) {
        service_health_item(ipc, request, 1, FAILURE_NONE, "backups",
                            "取っていません / none are made",
                            "[desk] backup-directory に別のディスクの場所を書きます / set [desk] "
                            "backup-directory to a place on another disk: uketsuke.conf(5)");
        return;
    }
    if (b->newest_us == 0)
        (void)snprintf(detail, sizeof(detail), "まだありません / there is none yet, %llu failed",
                       (unsigned long long)b->failures);
    else
        (void)snprintf(
            detail, sizeof(detail),
            "最後は %lld 時間前 / the last good one %lld h ago (every %u h), %llu failed", hours,
            hours, b->hours, (unsigned long long)b->failures);
    service_health_item(ipc, request,
                        bad                               ? 2
                        : b->failing || b->newest_us == 0 ? 1
                                                          : 0,
                        FAILURE_NONE, "backups", detail,
                        bad || b->failing
                            ? "uketsuke backup で理由を見て、置き場所の空きと権限を確かめます / "
                              "see why with uketsuke "
                              "backup; then space and permissions of backup-directory"
                            : "");
}

/* The web program is a client here, yet a program like the others: its cage and state are asked
 * too. */
static unsigned ask_web(struct control *c, const struct client *asker,
                        const struct msg_health_query *body)
{
    unsigned asked = 0;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i] != NULL && c->clients[i] != asker &&
            ipc_peer_role(c->clients[i]->ipc) == IPC_WEB &&
            ipc_send(c->clients[i]->ipc, MSG_HEALTH_QUERY, body) == 0)
            asked++;
    return asked;
}

static void health_clock(struct control *c, struct ipc *ipc, uint32_t request)
{
    bool good = desk_check_clock(c->desk);
    int synchronised = desk_clock_synchronised(c->desk);
    const char *next = "";
    char today[9], detail[120];

    desk_today(c->desk, today);
    (void)snprintf(detail, sizeof(detail), "%s %s%s, %s", good ? "today in Japan is" : "says",
                   today, good ? "" : " and is not believed",
                   !c->desk->settings.clock_watched ? "no sign that it is right is looked at"
                   : synchronised == 1              ? "it follows a time server"
                   : synchronised == 0              ? "it follows no time server"
                                       : "the kernel does not say whether it is right");
    if (!good)
        next = failure_text(FAILURE_DESK_CLOCK)->staff_ja;
    else if (synchronised != 1)
        next = "timedatectl で時刻合わせを確かめます / see timedatectl: is a time server followed?";
    service_health_item(ipc, request,
                        !good               ? 2
                        : synchronised != 1 ? 1
                                            : 0,
                        good ? (uint16_t)FAILURE_NONE : (uint16_t)FAILURE_DESK_CLOCK,
                        "clock of the desk", detail, next);
}

static void take_health(struct client *client, uint32_t request)
{
    struct control *c = client->control;
    struct msg_health_query body;
    struct query *q = query_new(client, request, false);

    if (q == NULL) {
        service_health_item(client->ipc, request, 1, FAILURE_DESK_BUSY, "desk", "too many queries",
                            "");
        service_health_end(client->ipc, request);
        return;
    }
    service_health_common(c->service, client->ipc, request);
    health_store(c, client->ipc, request);
    health_clock(c, client->ipc, request);
    service_health_config(c->service, client->ipc, request);
    health_programs(c, client->ipc, request);
    health_lanes(c, client->ipc, request);
    health_outbox(c, client->ipc, request);
    health_backups(c, client->ipc, request);
    body.request = q->id;
    q->pending = links_send_all(c->links, MSG_HEALTH_QUERY, &body) + ask_web(c, client, &body);
    if (q->pending == 0)
        query_end(q);
}

static void take_devices(struct client *client, uint32_t request)
{
    struct control *c = client->control;
    struct msg_devices_end none = {.request = request};
    struct msg_devices_query body;
    struct query *q = query_new(client, request, true);

    if (q == NULL) {
        (void)ipc_send(client->ipc, MSG_DEVICES_END, &none);
        return;
    }
    body.request = q->id;
    q->pending = links_send_kind(c->links, LINK_BROKER, MSG_DEVICES_QUERY, &body);
    if (q->pending == 0)
        query_end(q);
}

/* ---- what clients ask for --------------------------------------------------------------------- */

static void take_metrics(struct client *client, uint32_t request)
{
    struct msg_metrics body = {.request = request};
    size_t len = 0;
    char *text = metrics_text(client->control->desk, &len);
    int fd = memfd_seal("metrics", text != NULL ? text : "", text != NULL ? len : 0);

    body.bytes = (uint32_t)(text != NULL ? len : 0);
    if (fd >= 0) {
        (void)ipc_send_fds(client->ipc, MSG_METRICS, &body, &fd, 1);
        (void)close(fd);
    }
    free(text);
}

static void take_subscribe(struct client *client, const struct msg_subscribe *subscribe)
{
    struct desk *desk = client->control->desk;
    struct msg_subscribed done = {.request = subscribe->request};
    struct view view = {.kind = (subscribe->what & WATCH_VISITS) != 0 ? VIEW_BOARD : VIEW_LANES,
                        .staff = subscribe->staff};

    done.failure = view_to(desk, client->ipc, &view);
    client->what = done.failure == FAILURE_NONE ? subscribe->what : 0;
    if (ipc_peer_role(client->ipc) != IPC_WEB)
        client->what &= (uint8_t)~WATCH_PREVIEWS;
    for (unsigned i = 0; (client->what & WATCH_LANES) != 0 && i < desk->nlanes; i++) {
        struct msg_lane_state state;

        lane_state(desk->lanes[i], &state);
        (void)ipc_send(client->ipc, MSG_LANE_STATE, &state);
        explicit_bzero(&state, sizeof(state));
    }
    if ((client->what & WATCH_LANES) != 0) {
        struct msg_disaster_state disaster;

        disaster_state(desk, &disaster);
        (void)ipc_send(client->ipc, MSG_DISASTER_STATE, &disaster);
    }
    if ((client->what & WATCH_VISITS) != 0)
        listing_day(desk, client->ipc);
    (void)ipc_send(client->ipc, MSG_SUBSCRIBED, &done);
}

/* ---- clients --------------------------------------------------------------------------------- */

static void drop(struct client *client)
{
    struct control *c = client->control;

    for (size_t i = 0; i < QUERIES_MAX; i++)
        if (c->queries[i].client == client) {
            c->queries[i].client = NULL;
            timer_stop(c->queries[i].timer);
        }
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i] == client)
            c->clients[i] = NULL;
    precheck_forget(c->desk, client);
    if (c->worker.forget != NULL)
        c->worker.forget(c->worker.arg, client);
    ipc_free(&client->ipc);
    free(client);
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct control *c = arg;
    struct client *client = calloc(1, sizeof(*client));
    size_t i = 0;

    (void)peer;
    while (i < CLIENTS_MAX && c->clients[i] != NULL)
        i++;
    if (client == NULL || i == CLIENTS_MAX) {
        log_event(LOG_LEVEL_WARNING, "too many clients");
        free(client);
        ipc_set_arg(ipc, NULL);
        ipc_refuse(ipc, "too many clients");
        return;
    }
    client->control = c;
    client->ipc = ipc;
    c->clients[i] = client;
    ipc_set_arg(ipc, client);
    ipc_answer_first(ipc);
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct client *client = arg;
    const union message_body *body = &message->body;
    struct msg_action_result result;

    if (client == NULL)
        return;
    switch (message->type) {
    case MSG_SUBSCRIBE:
        take_subscribe(client, &body->subscribe);
        break;
    case MSG_LANE_ACTION:
        action_lane(client->control->desk, &body->lane_action, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_LOOKUP:
        action_lookup(client->control->desk, &body->lookup, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_SLIP_FILE:
        slip_file(client->control->desk, &body->slip_file, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_SLIP_AMEND:
        slip_amend(client->control->desk, &body->slip_amend, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_PICK_UP:
        action_proxy(client->control->desk, &body->pick_up, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_PRECHECK:
        precheck_ask(client->control->desk, client, &body->precheck);
        break;
    case MSG_PRECHECK_ROOM_QUERY: {
        struct msg_precheck_room room = {.request = body->precheck_room_query.request,
                                         .rows = (uint16_t)precheck_room(client->control->desk)};

        (void)ipc_send(ipc, MSG_PRECHECK_ROOM, &room);
        break;
    }
    case MSG_PATIENT_LINK:
        match_link(client->control->desk, &body->patient_link, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_DISASTER_SET:
        disaster_set(client->control->desk, &body->disaster_set, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_VIEW:
        view_told(client->control->desk, &body->view, &result);
        (void)ipc_send(ipc, MSG_ACTION_RESULT, &result);
        break;
    case MSG_SLIPS_QUERY:
        listing_slips(client->control->desk, ipc, &body->slips_query);
        break;
    case MSG_TROUBLES_QUERY:
        listing_troubles(client->control->desk, ipc, &body->troubles_query);
        break;
    case MSG_VISITS_QUERY:
        listing_visits(client->control->desk, ipc, &body->visits_query);
        break;
    case MSG_ANSWER_QUERY:
        listing_answer(client->control->desk, ipc, &body->answer_query);
        break;
    case MSG_METRICS_QUERY:
        take_metrics(client, body->metrics_query.request);
        break;
    case MSG_HEALTH_QUERY:
        take_health(client, body->health_query.request);
        break;
    case MSG_MAINTAIN:
        if (client->control->worker.start != NULL)
            client->control->worker.start(client->control->worker.arg, &body->maintain, client);
        break;
    case MSG_DEVICES_QUERY:
        take_devices(client, body->devices_query.request);
        break;
    case MSG_HEALTH_ITEM:
    case MSG_HEALTH_END:
        if (ipc_peer_role(ipc) != IPC_WEB) /* only web was asked */
            ipc_refuse(ipc, "an answer that nobody asked for");
        else
            control_answer(client->control, message);
        break;
    default:
        if (client->control->other == NULL ||
            !client->control->other(client->control->other_arg, ipc, message))
            ipc_refuse(ipc, "a message out of turn");
        break;
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    (void)error;
    /* A client that was turned away has no place of its own. */
    if (arg == NULL)
        ipc_free(&ipc);
    else
        drop(arg);
}

static const struct ipc_handlers handlers = {on_open, on_message, on_closed};

int control_new(struct control **out, struct service *service, struct links *links, int listen_fd)
{
    struct control *c = calloc(1, sizeof(*c));
    uid_t uids[16];
    size_t n = service_peer_uids(service, uids, sizeof(uids) / sizeof(uids[0]));

    *out = c;
    if (c == NULL) {
        (void)close(listen_fd);
        return -ENOMEM;
    }
    c->service = service;
    c->links = links;
    c->self = (struct ipc_self){IPC_DESK, 0, service->program, ""};
    return ipc_server_new(&c->server, service->loop, listen_fd, &c->self, "WC", uids, n, &handlers,
                          c);
}

void control_open(struct control *c, struct desk *desk)
{
    c->desk = desk;
}

void control_worker(struct control *c, const struct control_worker *worker)
{
    c->worker = *worker;
}

void control_other(struct control *c, control_other_fn *other, void *arg)
{
    c->other = other;
    c->other_arg = arg;
}

void control_maintain_progress(void *arg, void *asker, const struct msg_maintain_progress *progress)
{
    const struct client *client = asker;

    (void)arg;
    (void)ipc_send(client->ipc, MSG_MAINTAIN_PROGRESS, progress);
}

void control_maintain_end(void *arg, void *asker, const struct msg_maintained *end)
{
    const struct client *client = asker;

    (void)arg;
    (void)ipc_send(client->ipc, MSG_MAINTAINED, end);
}

void control_free(struct control **control)
{
    struct control *c = *control;

    if (c == NULL)
        return;
    ipc_server_free(&c->server);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i] != NULL)
            drop(c->clients[i]);
    for (size_t i = 0; i < QUERIES_MAX; i++)
        timer_free(&c->queries[i].timer);
    free(c);
    *control = NULL;
}

/* ---- what changed ---------------------------------------------------------------------------- */

static void tell(struct control *c, uint8_t what, uint16_t type, const void *body, const int *fds,
                 unsigned nfds)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i] != NULL && (c->clients[i]->what & what) != 0)
            (void)ipc_send_fds(c->clients[i]->ipc, type, body, fds, nfds);
}

void control_lane_changed(struct control *c, const struct msg_lane_state *state)
{
    tell(c, WATCH_LANES, MSG_LANE_STATE, state, NULL, 0);
}

void control_visit_changed(struct control *c, const struct msg_visit_item *item)
{
    tell(c, WATCH_VISITS, MSG_VISIT_ITEM, item, NULL, 0);
}

void control_preview(struct control *c, const struct msg_lane_preview *preview, int fd)
{
    tell(c, WATCH_PREVIEWS, MSG_LANE_PREVIEW, preview, &fd, 1);
}

void control_slip_changed(struct control *c, const struct msg_slip_item *item)
{
    tell(c, WATCH_VISITS, MSG_SLIP_ITEM, item, NULL, 0);
}

void control_outbox_changed(struct control *c, const struct msg_outbox_item *item)
{
    tell(c, WATCH_VISITS, MSG_OUTBOX_ITEM, item, NULL, 0);
}

void control_prechecked(struct control *c, void *asker, const struct msg_prechecked *prechecked)
{
    const struct client *client = asker;

    (void)c;
    (void)ipc_send(client->ipc, MSG_PRECHECKED, prechecked);
}

void control_disaster_changed(struct control *c, const struct msg_disaster_state *state)
{
    tell(c, WATCH_LANES, MSG_DISASTER_STATE, state, NULL, 0);
}
