#include "relay.h"

#include "../common/ipc.h"
#include "../common/log.h"
#include "../common/memfd.h"
#include "../common/question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS_MAX 4 /* one desk; more only while an old connection dies */
#define PEER_UIDS_MAX 16
#define BUDGET_MAX_MS 120000u
#define BUDGET_BULK_MAX_MS                                                                         \
    (4u * 3600000u) /* it is worked on for as long as it takes, elsewhere   \
                                            */

struct ask {
    struct ask *next;
    uint64_t id;      /* ours: the desk's numbers begin again when it does */
    struct ipc *peer; /* NULL: lost, nobody waits */
    uint64_t request;
    uint64_t visit;
    uint64_t begun_us;
    bool writes;
};

struct relay {
    struct service *service;
    const char *name;
    const struct upstream_kind_ops *ops;
    struct upstream *upstream;
    struct ipc_server *server;
    struct ipc *peers[PEERS_MAX];
    struct ask *first;
    uint64_t last_id;
    struct msg_upstream_state told;
};

static const struct upstream_kind_ops *const kinds[] = {&upstream_webapi, &upstream_folders};

const struct upstream_kind_ops *upstream_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

/* ---- state ----------------------------------------------------------------------------------- */

static void read_state(struct relay *relay, struct msg_upstream_state *out)
{
    struct upstream_state state;

    relay->ops->state(relay->upstream, &state);
    memset(out, 0, sizeof(*out));
    (void)MESSAGE_TEXT(out->upstream, relay->name);
    out->capabilities = state.capabilities;
    out->breaker = state.breaker;
    out->failure = state.failure;
    out->retry_ms = (uint32_t)(state.retry_us / CLOCK_MS);
    out->certificate_until = state.certificate_until;
}

static void state_changed(void *arg)
{
    struct relay *relay = arg;
    struct msg_upstream_state now;

    read_state(relay, &now);
    if (now.breaker == relay->told.breaker && now.failure == relay->told.failure &&
        now.capabilities == relay->told.capabilities)
        return;
    relay->told = now;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (relay->peers[i] != NULL)
            (void)ipc_send(relay->peers[i], MSG_UPSTREAM_STATE, &now);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void ask_free(struct relay *relay, struct ask *ask)
{
    struct ask **at = &relay->first;

    while (*at != NULL && *at != ask)
        at = &(*at)->next;
    if (*at == ask)
        *at = ask->next;
    free(ask);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* The tree and the raw bytes as sealed memory. 0 or negative errno. */
static int seal(const struct xmlmsg *tree, const uint8_t *raw, size_t raw_len, int fds[2],
                uint32_t *bytes)
{
    size_t len = 0;

    fds[1] = -1;
    fds[0] = xmlmsg_to_memfd(tree, &len);
    if (fds[0] < 0)
        return fds[0];
    *bytes = (uint32_t)len;
    fds[1] = memfd_seal("answer", raw, raw_len);
    return fds[1] < 0 ? fds[1] : 0;
}

static bool answered(void *arg, uint64_t id, const struct upstream_answer *answer)
{
    struct relay *relay = arg;
    struct msg_eligibility_answer message = {
        .outcome = answer->outcome,
        .failure = answer->failure,
        .http_status = answer->http_status,
        .attempts = answer->attempts,
    };
    struct ask *ask = relay->first;
    int fds[2] = {-1, -1};
    unsigned nfds = 0;
    bool heard;

    while (ask != NULL && ask->id != id)
        ask = ask->next;
    if (ask == NULL)
        return false;
    message.request = ask->request;
    message.visit = ask->visit;
    message.elapsed_ms =
        (uint32_t)((clock_monotonic_us(relay->service->clock) - ask->begun_us) / CLOCK_MS);
    if (answer->tree != NULL && ask->peer != NULL) {
        int error = seal(answer->tree, answer->raw, answer->raw_len, fds, &message.bytes);

        if (error == 0) {
            nfds = 2;
        } else {
            /* It came, but cannot be handed on: to the desk that is the same as not knowing. */
            log_event(LOG_LEVEL_ERROR, "cannot pass the answer on", LOG_ERRNO(error));
            message.outcome = ask->writes ? RETRY_OUTCOME_DOUBTFUL : RETRY_OUTCOME_NOT_SENT;
            message.failure = ask->writes ? FAILURE_ELIGIBILITY_DOUBTFUL : FAILURE_ELIGIBILITY_SLOW;
            message.bytes = 0;
        }
    }
    log_event(LOG_LEVEL_INFO, "question answered", LOG_NUMBER("question", ask->id),
              LOG_NUMBER("visit", ask->visit), LOG_NUMBER("heard", ask->peer != NULL),
              LOG_NUMBER("outcome", message.outcome), LOG_FAILURE(message.failure),
              LOG_NUMBER("status", message.http_status), LOG_NUMBER("attempts", message.attempts),
              LOG_NUMBER("ms", message.elapsed_ms));
    heard = ask->peer != NULL && ipc_send_fds(ask->peer, MSG_ELIGIBILITY_ANSWER, &message,
                                              nfds > 0 ? fds : NULL, nfds) == 0;
    close_fd(fds[0]);
    close_fd(fds[1]);
    ask_free(relay, ask);
    return heard;
}

/* The first desk there is: false when there is none, or when it cannot be told. */
static bool tell_desk(struct relay *relay, uint16_t type, const void *body, const int fds[2])
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (relay->peers[i] != NULL)
            return ipc_send_fds(relay->peers[i], type, body, fds, 2) == 0;
    return false;
}

static bool came_late(void *arg, const struct upstream_late *late)
{
    struct relay *relay = arg;
    struct msg_eligibility_late message = {
        .kind = late->kind, .writes = late->writes, .asked = late->asked};
    int fds[2] = {-1, -1};
    int error = seal(late->tree, late->raw, late->raw_len, fds, &message.bytes);
    bool heard = false;

    message.hash.len = UPSTREAM_HASH;
    memcpy(message.hash.data, late->hash, UPSTREAM_HASH);
    if (error == 0 && MESSAGE_TEXT(message.correlation, late->correlation) == 0)
        heard = tell_desk(relay, MSG_ELIGIBILITY_LATE, &message, fds);
    log_event(LOG_LEVEL_NOTICE, "an answer came late", LOG_NUMBER("kind", late->kind),
              LOG_NUMBER("writes", late->writes), LOG_NUMBER("heard", heard));
    close_fd(fds[0]);
    close_fd(fds[1]);
    return heard;
}

static bool terminal_visit(void *arg, const struct upstream_terminal *terminal)
{
    struct relay *relay = arg;
    struct msg_terminal_visit message = {.hash = {.len = UPSTREAM_HASH}};
    int fds[2] = {-1, -1};
    int error = seal(terminal->tree, terminal->raw, terminal->raw_len, fds, &message.bytes);
    bool heard = false;

    memcpy(message.hash.data, terminal->hash, UPSTREAM_HASH);
    if (error == 0)
        heard = tell_desk(relay, MSG_TERMINAL_VISIT, &message, fds);
    close_fd(fds[0]);
    close_fd(fds[1]);
    return heard;
}

/* ---- questions ------------------------------------------------------------------------------- */

static struct ask *find_ask(struct relay *relay, const struct ipc *peer, uint64_t request)
{
    struct ask *ask = relay->first;

    while (ask != NULL && (ask->peer != peer || ask->request != request))
        ask = ask->next;
    return ask;
}

/* It becomes a header of the request. */
static bool correlation_valid(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool kind_writes(uint8_t kind)
{
    return kind == UPSTREAM_REGISTER || kind == UPSTREAM_CONSENTS ||
           kind == UPSTREAM_REFERENCE_NUMBER || kind == UPSTREAM_REFERENCE_BULK;
}

static bool kind_bulk(uint8_t kind)
{
    return kind == UPSTREAM_BULK || kind == UPSTREAM_REFERENCE_BULK || kind == UPSTREAM_TICKETS;
}

static bool part_present(const struct xmlmsg *tree, uint8_t kind)
{
    const char *part = question_part(kind);
    const struct xmlmsg *body = xmlmsg_find(tree, "MessageBody");

    return part == NULL || (body != NULL && xmlmsg_child(body, part) != NULL);
}

/* The answer of a question that was not even taken. */
static void turn_away(struct ipc *ipc, const struct msg_eligibility_ask *asked, uint16_t failure)
{
    const struct msg_eligibility_answer message = {.request = asked->request,
                                                   .visit = asked->visit,
                                                   .outcome = RETRY_OUTCOME_NOT_SENT,
                                                   .failure = failure};

    (void)ipc_send(ipc, MSG_ELIGIBILITY_ANSWER, &message);
}

static void take_question(struct relay *relay, struct ipc *ipc,
                          const struct msg_eligibility_ask *asked, struct xmlmsg *tree)
{
    uint64_t now = clock_monotonic_us(relay->service->clock);
    uint32_t most = kind_bulk(asked->kind) ? BUDGET_BULK_MAX_MS : BUDGET_MAX_MS;
    uint32_t budget = asked->budget_ms < most ? asked->budget_ms : most;
    struct upstream_question question = {
        .id = ++relay->last_id,
        .kind = asked->kind,
        .writes = asked->writes != 0 || kind_writes(asked->kind),
        .deadline_us = now + budget * CLOCK_MS,
        .until = asked->until,
        .tree = tree,
    };
    struct ask *ask = calloc(1, sizeof(*ask));
    int error;

    if (ask == NULL) {
        xmlmsg_free(&tree);
        turn_away(ipc, asked, FAILURE_ELIGIBILITY_SLOW);
        return;
    }
    *ask = (struct ask){.next = relay->first,
                        .id = question.id,
                        .peer = ipc,
                        .request = asked->request,
                        .visit = asked->visit,
                        .begun_us = now,
                        .writes = question.writes};
    relay->first = ask;
    memcpy(question.correlation, asked->correlation, sizeof(question.correlation));
    log_event(LOG_LEVEL_INFO, "question", LOG_NUMBER("question", ask->id),
              LOG_NUMBER("visit", ask->visit), LOG_NUMBER("kind", question.kind),
              LOG_NUMBER("writes", question.writes), LOG_NUMBER("budget_ms", budget));
    error = relay->ops->ask(relay->upstream, &question);
    if (error != 0) {
        ask_free(relay, ask);
        turn_away(ipc, asked, FAILURE_ELIGIBILITY_SLOW);
    }
}
_Static_assert(sizeof(((struct upstream_question *)0)->correlation) ==
                   sizeof(((struct msg_eligibility_ask *)0)->correlation),
               "the correlation is copied as it lies");

static void on_ask(struct relay *relay, struct ipc *ipc, struct message *message)
{
    const struct msg_eligibility_ask *asked = &message->body.eligibility_ask;
    struct xmlmsg *tree = NULL;
    const char *reason = NULL;

    if (find_ask(relay, ipc, asked->request) != NULL)
        reason = "a request number that is under way";
    else if (!correlation_valid(asked->correlation))
        reason = "a correlation that cannot be a header";
    else if (xmlmsg_from_memfd(&tree, message->fds[0], 0) != 0)
        reason = "a question that is no tree";
    else if (strcmp(xmlmsg_name(tree), "XmlMsg") != 0 || !part_present(tree, asked->kind))
        reason = "a question of another kind than it says";
    if (reason != NULL) {
        xmlmsg_free(&tree);
        ipc_refuse(ipc, reason);
        return;
    }
    take_question(relay, ipc, asked, tree);
}

static void on_cancel(struct relay *relay, struct ipc *ipc,
                      const struct msg_eligibility_cancel *cancel)
{
    struct ask *ask = find_ask(relay, ipc, cancel->request);

    /* Not there: its answer has crossed the cancel on the way. */
    if (ask != NULL && relay->ops->cancel(relay->upstream, ask->id))
        ask_free(relay, ask);
}

/* ---- health ---------------------------------------------------------------------------------- */

struct health_to {
    struct ipc *ipc;
    uint32_t request;
};

static void health_item(void *arg, uint8_t state, uint16_t failure, const char *component,
                        const char *detail, const char *next)
{
    const struct health_to *to = arg;

    service_health_item(to->ipc, to->request, state, failure, component, detail, next);
}

static void on_health(struct relay *relay, struct ipc *ipc, uint32_t request)
{
    struct health_to to = {ipc, request};
    struct upstream_state state = {0};
    char component[48];

    service_health_common(relay->service, ipc, request);
    relay->ops->health(relay->upstream, health_item, &to);
    relay->ops->state(relay->upstream, &state);
    (void)snprintf(component, sizeof(component), "certificate of %.32s", relay->name);
    service_health_ends(relay->service, ipc, request, component, state.certificate_until,
                        "クライアント証明書を更新します / renew the client certificate");
    (void)snprintf(component, sizeof(component), "CA of %.32s", relay->name);
    service_health_ends(
        relay->service, ipc, request, component, state.ca_until,
        "サービスの新しいCA証明書を入れます / install the service's new CA certificate");
    service_health_end(ipc, request);
}

/* ---- the desk's connection ------------------------------------------------------------------- */

static void peer_open(struct ipc *ipc, const struct msg_hello *hello, void *arg)
{
    struct relay *relay = arg;

    (void)hello;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (relay->peers[i] != NULL)
            continue;
        relay->peers[i] = ipc;
        read_state(relay, &relay->told);
        (void)ipc_send(ipc, MSG_UPSTREAM_STATE, &relay->told);
        if (relay->ops->desk_up != NULL)
            relay->ops->desk_up(relay->upstream);
        return;
    }
    ipc_refuse(ipc, "too many connections");
}

static void on_taken(struct relay *relay, struct ipc *ipc, const struct msg_relay_taken *taken)
{
    if (taken->hash.len != UPSTREAM_HASH || relay->ops->taken == NULL)
        ipc_refuse(ipc, "a receipt for nothing");
    else
        relay->ops->taken(relay->upstream, taken->hash.data);
}

static void peer_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct relay *relay = arg;

    switch (message->type) {
    case MSG_ELIGIBILITY_ASK:
        on_ask(relay, ipc, message);
        break;
    case MSG_ELIGIBILITY_CANCEL:
        on_cancel(relay, ipc, &message->body.eligibility_cancel);
        break;
    case MSG_RELAY_TAKEN:
        on_taken(relay, ipc, &message->body.relay_taken);
        break;
    case MSG_HEALTH_QUERY:
        on_health(relay, ipc, message->body.health_query.request);
        break;
    default:
        ipc_refuse(ipc, "a message that has no business here");
        break;
    }
}

static void peer_closed(struct ipc *ipc, int error, void *arg)
{
    struct relay *relay = arg;
    struct ask *ask = relay->first;

    log_event(LOG_LEVEL_NOTICE, "desk gone", LOG_ERRNO(error));
    while (ask != NULL) {
        struct ask *next = ask->next;

        if (ask->peer == ipc) {
            ask->peer = NULL;
            if (relay->ops->cancel(relay->upstream, ask->id))
                ask_free(relay, ask);
        }
        ask = next;
    }
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (relay->peers[i] == ipc)
            relay->peers[i] = NULL;
    ipc_free(&ipc);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int listen_to_desk(struct relay *relay, int listen_fd)
{
    static const struct ipc_handlers handlers = {peer_open, peer_message, peer_closed};
    const struct ipc_self self = {
        .role = IPC_RELAY, .program = relay->service->program, .instance = relay->name};
    uid_t uids[PEER_UIDS_MAX];
    size_t nuids = service_peer_uids(relay->service, uids, PEER_UIDS_MAX);

    return ipc_server_new(&relay->server, relay->service->loop, listen_fd, &self, "D", uids, nuids,
                          &handlers, relay);
}

int relay_new(struct relay **out, struct service *service, const char *name, int listen_fd,
              const struct retry_random *random)
{
    static const char *const words[] = {"web-api", "folders"};
    struct upstream_setup setup = {.name = name,
                                   .config = service->config,
                                   .loop = service->loop,
                                   .clock = service->clock,
                                   .random = *random};
    const char *kind = words[config_number(service->config, CFG_upstream_KIND, name)];
    struct relay *relay = calloc(1, sizeof(*relay));
    int error;

    *out = NULL;
    if (relay == NULL)
        return -ENOMEM;
    relay->service = service;
    relay->name = name;
    relay->ops = upstream_kind(kind);
    setup.handlers =
        (struct upstream_handlers){answered, state_changed, came_late, terminal_visit, relay};
    error = service_config_complete(service, FOR_RELAY, name);
    if (error != 0)
        goto fail;
    error = -EINVAL;
    if (relay->ops == NULL) {
        (void)fprintf(stderr,
                      "uketsuke-relay: [upstream %s] kind = %s: この版では使えません / is not "
                      "offered by this version\n",
                      name, kind);
        goto fail;
    }
    error = relay->ops->open(&relay->upstream, &setup);
    if (error == 0 && listen_fd >= 0)
        error = listen_to_desk(relay, listen_fd);
    if (error != 0)
        goto fail;
    read_state(relay, &relay->told);
    *out = relay;
    return 0;
fail:
    relay_free(&relay);
    return error;
}

const struct cage_spec *relay_cage(const struct relay *relay)
{
    return relay->ops->cage(relay->upstream);
}

int relay_start(struct relay *relay)
{
    return relay->ops->start(relay->upstream);
}

void relay_free(struct relay **at)
{
    struct relay *relay = *at;

    if (relay == NULL)
        return;
    *at = NULL;
    ipc_server_free(&relay->server);
    for (size_t i = 0; i < PEERS_MAX; i++)
        ipc_free(&relay->peers[i]);
    if (relay->upstream != NULL)
        relay->ops->free(&relay->upstream);
    while (relay->first != NULL)
        ask_free(relay, relay->first);
    free(relay);
}
