#include "links.h"

#include "ask.h"
#include "lane.h"
#include "outbox.h"

#include "../common/ipc.h"
#include "../common/log.h"
#include "../common/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX (DESK_LANES_MAX + DESK_UPSTREAMS_MAX + OUTBOX_OUTPUTS_MAX + 3)

struct link {
    struct links *links;
    enum link_kind kind;
    unsigned index;    /* of the lane, the upstream or the output */
    char instance[33]; /* "1", "main", "" */
    struct ipc_client *client;
    bool up;
};

struct links {
    struct service *service;
    struct desk *desk;
    links_answer_fn *answer;
    void *arg;
    struct ipc_self self;
    struct link all[LINKS_MAX];
    size_t n;
    /* by peer: where in all[] */
    struct link *readers[DESK_LANES_MAX];
    struct link *relays[DESK_UPSTREAMS_MAX];
    struct link *carriers[OUTBOX_OUTPUTS_MAX];
    struct link *matcher, *ocr, *broker;
};

static const struct {
    const char *name; /* of the program and its socket */
    const char *role;
} kinds[] = {
    [LINK_READER] = {"reader", "R"}, [LINK_MATCHER] = {"matcher", "M"},
    [LINK_OCR] = {"ocr", "O"},       [LINK_RELAY] = {"relay", "Y"},
    [LINK_BROKER] = {"broker", "B"}, [LINK_HANDOVER] = {"handover", "H"},
};

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct link *link = arg;
    struct desk *desk = link->links->desk;

    if (link->kind == LINK_READER && peer->lane != desk->lanes[link->index]->number) {
        ipc_refuse(ipc, "a reader of another lane");
        return;
    }
    link->up = true;
    switch (link->kind) {
    case LINK_READER:
        lane_reader_up(desk->lanes[link->index]);
        break;
    case LINK_MATCHER:
        lane_matcher_up(desk);
        break;
    case LINK_OCR:
        lane_ocr_up(desk);
        break;
    case LINK_RELAY:
        ask_relay_up(desk, link->index);
        break;
    case LINK_HANDOVER:
        outbox_carrier_up(desk, link->index);
        break;
    case LINK_BROKER:
        break;
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct link *link = arg;
    struct desk *desk = link->links->desk;

    (void)ipc;
    if (!link->up)
        return;
    link->up = false;
    log_event(LOG_LEVEL_WARNING, "program lost", LOG_NAME("program", kinds[link->kind].name),
              LOG_NUMBER("index", link->index), LOG_ERRNO(error));
    switch (link->kind) {
    case LINK_READER:
        lane_reader_down(desk->lanes[link->index]);
        break;
    case LINK_MATCHER:
        lane_matcher_down(desk);
        break;
    case LINK_OCR:
        lane_ocr_down(desk);
        break;
    case LINK_RELAY:
        ask_relay_down(desk, link->index);
        break;
    case LINK_HANDOVER:
        outbox_carrier_down(desk, link->index);
        break;
    case LINK_BROKER:
        break;
    }
}

static bool passed_on(struct link *link, const struct message *message)
{
    switch (message->type) {
    case MSG_HEALTH_ITEM:
    case MSG_HEALTH_END:
    case MSG_DEVICE_ITEM:
    case MSG_DEVICES_END:
        link->links->answer(link->links->arg, message);
        return true;
    default:
        return false;
    }
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct link *link = arg;
    struct desk *desk = link->links->desk;
    bool good = false;

    if (passed_on(link, message))
        return;
    switch (link->kind) {
    case LINK_READER:
        good = lane_reader_message(desk->lanes[link->index], message);
        break;
    case LINK_MATCHER:
        good = lane_matcher_message(desk, message);
        break;
    case LINK_OCR:
        good = lane_ocr_message(desk, message);
        break;
    case LINK_RELAY:
        good = ask_relay_message(desk, link->index, message);
        break;
    case LINK_HANDOVER:
        good = outbox_carrier_message(desk, link->index, message);
        break;
    case LINK_BROKER:
        break;
    }
    if (!good)
        ipc_refuse(ipc, "a message out of turn");
}

static const struct ipc_handlers handlers = {on_open, on_message, on_closed};

int links_new(struct links **out, struct service *service, links_answer_fn *answer, void *arg)
{
    struct links *links = calloc(1, sizeof(*links));

    *out = links;
    if (links == NULL)
        return -ENOMEM;
    links->service = service;
    links->answer = answer;
    links->arg = arg;
    links->self = (struct ipc_self){IPC_DESK, 0, service->program, ""};
    return 0;
}

void links_free(struct links **links)
{
    struct links *l = *links;

    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        ipc_client_free(&l->all[i].client);
    free(l);
    *links = NULL;
}

static int open_one(struct links *links, enum link_kind kind, unsigned index, const char *instance,
                    struct link **out)
{
    struct link *link = &links->all[links->n];
    char path[108];
    int r = service_socket_path(links->service, kinds[kind].name, instance, path, sizeof(path));

    if (r < 0)
        return r;
    link->links = links;
    link->kind = kind;
    link->index = index;
    (void)MESSAGE_TEXT(link->instance, instance);
    *out = link;
    links->n++;
    return ipc_client_new(&link->client, links->service->loop, links->service->clock, path,
                          &links->self, kinds[kind].role, &handlers, link);
}

int links_open(struct links *links, struct desk *desk)
{
    int r = 0;

    links->desk = desk;
    for (unsigned i = 0; r == 0 && i < desk->nlanes; i++) {
        char instance[8];

        (void)snprintf(instance, sizeof(instance), "%u", desk->lanes[i]->number);
        r = open_one(links, LINK_READER, i, instance, &links->readers[i]);
    }
    for (unsigned i = 0; r == 0 && i < desk->nupstreams; i++)
        r = open_one(links, LINK_RELAY, i, desk->upstreams[i].name, &links->relays[i]);
    for (unsigned i = 0; r == 0 && i < outbox_outputs(desk); i++)
        r = open_one(links, LINK_HANDOVER, i, outbox_output(desk, i)->name, &links->carriers[i]);
    if (r == 0)
        r = open_one(links, LINK_MATCHER, 0, "", &links->matcher);
    if (r == 0)
        r = open_one(links, LINK_OCR, 0, "", &links->ocr);
    if (r == 0)
        r = open_one(links, LINK_BROKER, 0, "", &links->broker);
    return r;
}

static int send_to(const struct link *link, uint16_t type, const void *body, const int *fds,
                   unsigned nfds)
{
    struct ipc *ipc = link != NULL ? ipc_client_peer(link->client) : NULL;

    return ipc == NULL ? -ENOTCONN : ipc_send_fds(ipc, type, body, fds, nfds);
}

int links_send(struct links *links, enum desk_peer peer, unsigned index, uint16_t type,
               const void *body, const int *fds, unsigned nfds)
{
    const struct link *link = NULL;

    switch (peer) {
    case PEER_READER:
        link = links->readers[index];
        break;
    case PEER_MATCHER:
        link = links->matcher;
        break;
    case PEER_OCR:
        link = links->ocr;
        break;
    case PEER_RELAY:
        link = links->relays[index];
        break;
    case PEER_HANDOVER:
        link = links->carriers[index];
        break;
    }
    return send_to(link, type, body, fds, nfds);
}

unsigned links_send_all(struct links *links, uint16_t type, const void *body)
{
    unsigned n = 0;

    for (size_t i = 0; i < links->n; i++)
        n += links->all[i].up && send_to(&links->all[i], type, body, NULL, 0) == 0;
    return n;
}

unsigned links_send_kind(struct links *links, enum link_kind kind, uint16_t type, const void *body)
{
    unsigned n = 0;

    for (size_t i = 0; i < links->n; i++)
        n += links->all[i].kind == kind && links->all[i].up &&
             send_to(&links->all[i], type, body, NULL, 0) == 0;
    return n;
}

bool links_program(const struct links *links, size_t i, char *name, size_t size, bool *connected)
{
    if (i >= links->n)
        return false;
    (void)snprintf(name, size, "%s%s%s", kinds[links->all[i].kind].name,
                   links->all[i].instance[0] != '\0' ? " " : "", links->all[i].instance);
    *connected = links->all[i].up;
    return true;
}
