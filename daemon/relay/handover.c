#include "handover.h"

#include "handover_internal.h"

#include "../common/ipc.h"
#include "../common/log.h"
#include "../common/memfd.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 4 /* one desk; more only while an old connection dies */
#define PEER_UIDS_MAX 16

struct handover {
    struct service *service;
    const char *name;
    struct carrier *carrier;
    const struct carrier_ops *ops;
    struct ipc_server *server;
    struct ipc *peers[PEERS_MAX];
    struct ipc *asker; /* whose order is under way; NULL: nobody's, or its desk is gone */
    bool busy;
    uint64_t begun_us;
    struct msg_output_state told;
};

/* In the order of [output] kind. */
static const struct carrier_ops *const kinds[] = {&carrier_files, &carrier_hook, &carrier_orca,
                                                  &carrier_documents};

/* ---- state ----------------------------------------------------------------------------------- */

static void read_state(struct handover *h, struct msg_output_state *out)
{
    struct carrier_state state;

    h->ops->state(h->carrier, &state);
    memset(out, 0, sizeof(*out));
    (void)MESSAGE_TEXT(out->output, h->name);
    out->kind = h->ops->kind;
    out->breaker = state.breaker;
    out->failure = state.failure;
    out->retry_ms = (uint32_t)(state.retry_us / CLOCK_MS);
}

static void changed(void *arg)
{
    struct handover *h = arg;
    struct msg_output_state now;

    read_state(h, &now);
    if (now.breaker == h->told.breaker && now.failure == h->told.failure)
        return;
    h->told = now;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (h->peers[i] != NULL)
            (void)ipc_send(h->peers[i], MSG_OUTPUT_STATE, &now);
}

/* ---- orders ---------------------------------------------------------------------------------- */

static void reply(struct handover *h, struct ipc *to, const struct msg_handover_give *give,
                  const struct carrier_result *result)
{
    struct msg_handover_result body = {
        .entry = give->entry,
        .attempt = give->attempt,
        .step = give->step,
        .outcome = result->outcome,
        .failure = result->failure,
        .http_status = result->http_status,
        .elapsed_ms = (uint32_t)((clock_monotonic_us(h->service->clock) - h->begun_us) / CLOCK_MS),
    };

    if (result->mark != NULL)
        (void)MESSAGE_TEXT(body.mark, result->mark);
    if (result->detail != NULL && MESSAGE_TEXT(body.detail, result->detail) < 0)
        body.detail[0] = '\0';
    log_event(LOG_LEVEL_INFO, "order done", LOG_NUMBER("entry", give->entry),
              LOG_NUMBER("step", give->step), LOG_NUMBER("outcome", body.outcome),
              LOG_FAILURE(body.failure), LOG_NUMBER("status", body.http_status),
              LOG_NUMBER("ms", body.elapsed_ms));
    if (to != NULL)
        (void)ipc_send(to, MSG_HANDOVER_RESULT, &body);
    explicit_bzero(&body, sizeof(body));
}

static void on_result(void *arg, const struct msg_handover_give *give,
                      const struct carrier_result *result)
{
    struct handover *h = arg;
    struct ipc *asker = h->asker;

    h->busy = false;
    h->asker = NULL;
    reply(h, asker, give, result);
}

/* The order's descriptors as bytes. */
static int map_data(const struct message *message, struct carrier_data *out)
{
    const struct msg_handover_give *give = &message->body.handover_give;
    int error;

    memset(out, 0, sizeof(*out));
    if (message->nfds != 2)
        return 0;
    error = memfd_map(message->fds[0], give->bytes, XMLMSG_BYTES_MAX, &out->tree);
    if (error != 0)
        return error;
    out->len = give->bytes;
    if (give->raw_bytes == 0)
        return 0;
    error = memfd_map(message->fds[1], give->raw_bytes, XMLMSG_BYTES_MAX, &out->raw);
    out->raw_len = error == 0 ? give->raw_bytes : 0;
    return error;
}

static void unmap_data(struct carrier_data *data)
{
    if (data->tree != NULL)
        memfd_unmap(data->tree, data->len);
    if (data->raw != NULL)
        memfd_unmap(data->raw, data->raw_len);
}

static void on_give(struct handover *h, struct ipc *ipc, const struct message *message)
{
    const struct msg_handover_give *give = &message->body.handover_give;
    struct carrier_result at_once = {.outcome = HANDOVER_NOT_SENT,
                                     .failure = FAILURE_HANDOVER_UNREACHABLE};
    struct carrier_data data;

    bool bare = give->step == HANDOVER_COMMIT || give->step == HANDOVER_DISCARD;

    if (bare != (message->nfds == 0) || map_data(message, &data) != 0) {
        ipc_refuse(ipc, "an order without its data");
        return;
    }
    /* An earlier desk's order is still under way: this one waits for it at the desk. */
    if (!h->busy) {
        h->begun_us = clock_monotonic_us(h->service->clock);
        if (!h->ops->give(h->carrier, give, &data, &at_once))
            ipc_refuse(ipc, "an order that this output cannot carry out");
        else if (at_once.outcome == HANDOVER_OUTCOME_COUNT)
            h->busy = true;
    }
    if (h->busy && at_once.outcome == HANDOVER_OUTCOME_COUNT)
        h->asker = ipc;
    else if (ipc_is_open(ipc))
        reply(h, ipc, give, &at_once);
    unmap_data(&data);
}

/* ---- health ---------------------------------------------------------------------------------- */

static void on_health(struct handover *h, struct ipc *ipc, uint32_t request)
{
    struct carrier_state state;
    char component[48];
    const struct failure_text *text;

    h->ops->state(h->carrier, &state);
    text = failure_text(state.failure);
    service_health_common(h->service, ipc, request);
    (void)snprintf(component, sizeof(component), "output %s", h->name);
    service_health_item(
        ipc, request, state.failure == FAILURE_NONE ? 0 : 1, state.failure, component,
        state.failure == FAILURE_NONE ? outbox_kind_name(h->ops->kind) : text->staff_en,
        state.failure == FAILURE_NONE ? "" : text->staff_ja);
    service_health_end(ipc, request);
}

/* ---- the desk's connection ------------------------------------------------------------------- */

static void peer_open(struct ipc *ipc, const struct msg_hello *hello, void *arg)
{
    struct handover *h = arg;

    (void)hello;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (h->peers[i] != NULL)
            continue;
        h->peers[i] = ipc;
        read_state(h, &h->told);
        (void)ipc_send(ipc, MSG_OUTPUT_STATE, &h->told);
        return;
    }
    ipc_refuse(ipc, "too many connections");
}

static void peer_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct handover *h = arg;

    switch (message->type) {
    case MSG_HANDOVER_GIVE:
        on_give(h, ipc, message);
        break;
    case MSG_HEALTH_QUERY:
        on_health(h, ipc, message->body.health_query.request);
        break;
    default:
        ipc_refuse(ipc, "a message that has no business here");
        break;
    }
}

static void peer_closed(struct ipc *ipc, int error, void *arg)
{
    struct handover *h = arg;

    log_event(LOG_LEVEL_NOTICE, "desk gone", LOG_ERRNO(error));
    if (h->asker == ipc)
        h->asker = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (h->peers[i] == ipc)
            h->peers[i] = NULL;
    ipc_free(&ipc);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int listen_to_desk(struct handover *h, int listen_fd)
{
    static const struct ipc_handlers handlers = {peer_open, peer_message, peer_closed};
    const struct ipc_self self = {
        .role = IPC_HANDOVER, .program = h->service->program, .instance = h->name};
    uid_t uids[PEER_UIDS_MAX];
    size_t nuids = service_peer_uids(h->service, uids, PEER_UIDS_MAX);

    return ipc_server_new(&h->server, h->service->loop, listen_fd, &self, "D", uids, nuids,
                          &handlers, h);
}

int handover_new(struct handover **out, struct service *service, const char *name, int listen_fd,
                 const struct retry_random *random)
{
    struct handover *h = calloc(1, sizeof(*h));
    struct carrier_setup setup = {.name = name,
                                  .config = service->config,
                                  .loop = service->loop,
                                  .clock = service->clock,
                                  .random = *random,
                                  .result = on_result,
                                  .changed = changed,
                                  .arg = h};
    int error;

    *out = h;
    if (h == NULL)
        return -ENOMEM;
    h->service = service;
    h->name = name;
    h->ops = kinds[config_number(service->config, CFG_output_KIND, name)];
    error = service_config_complete(service, FOR_HANDOVER, name);
    if (error == 0)
        error = h->ops->open(&h->carrier, &setup);
    if (error == 0 && listen_fd >= 0)
        error = listen_to_desk(h, listen_fd);
    if (error != 0)
        handover_free(out);
    else
        read_state(h, &h->told);
    return error;
}

const struct cage_spec *handover_cage(const struct handover *h)
{
    return h->ops->cage(h->carrier);
}

int handover_start(struct handover *h)
{
    return h->ops->start(h->carrier);
}

void handover_free(struct handover **at)
{
    struct handover *h = *at;

    if (h == NULL)
        return;
    *at = NULL;
    ipc_server_free(&h->server);
    for (size_t i = 0; i < PEERS_MAX; i++)
        ipc_free(&h->peers[i]);
    if (h->carrier != NULL)
        h->ops->free(&h->carrier);
    free(h);
}
