/*
 * uketsuke-reader: one lane's hardware: card reader, card and camera; one process a lane.
 *
 * It opens nothing: devices come as descriptors from the broker, requests from the desk. It alone holds PIN and
 * 照合番号B in the clear, for as long as a card operation runs.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/failure.h"
#include "daemon/common/log.h"
#include "daemon/common/service.h"
#include "driver/card/card.h"
#include "driver/card/card_trust.h"
#include "envelope.h"
#include "frames.h"
#include "lane.h"
#include "visit.h"

#define PEER_UIDS 16u

struct reader {
    struct service service;
    struct card_trust *trust;
    struct card_engine *engine;
    struct frames *frames;
    struct lane *lane;
    struct reader_visit *visit;
    struct ipc_server *server;
    struct ipc *desk; /* the newest of each; NULL: none */
    struct ipc *broker;
};

/* -- what lane and frames tell ----------------------------------------------------------------- */

static void send_state(struct reader *r)
{
    struct msg_reader_state state;

    lane_state(r->lane, &state);
    reader_visit_send(r->visit, MSG_READER_STATE, &state, -1);
}

static void on_lane_changed(void *arg)
{
    send_state(arg);
}

static void on_lane_device(enum lane_device_state state, uint16_t failure, const char *port,
                           void *arg)
{
    struct msg_device_state body = {.state = (uint8_t)state, .failure = failure};
    struct reader *r = arg;

    (void)MESSAGE_TEXT(body.port, port);
    if (r->broker != NULL)
        (void)ipc_send(r->broker, MSG_DEVICE_STATE, &body);
}

static const struct lane_listener lane_listener = {.changed = on_lane_changed,
                                                   .device = on_lane_device};

static void on_frames_send(uint16_t type, const void *body, int fd, void *arg)
{
    struct reader *r = arg;

    reader_visit_send(r->visit, type, body, fd);
}

static void on_frames_state(uint16_t failure, void *arg)
{
    struct reader *r = arg;

    lane_camera_result(r->lane, failure);
}

/* -- health ------------------------------------------------------------------------------------ */

static void answer_health(struct reader *r, struct ipc *ipc, uint32_t request)
{
    struct msg_reader_state state;
    char component[48];
    bool usable;

    service_health_common(&r->service, ipc, request);
    lane_state(r->lane, &state);
    usable = state.reader == FAILURE_NONE;
    snprintf(component, sizeof(component), "reader %.16s", r->service.instance);
    service_health_item(ipc, request, usable ? 0 : 2, state.reader, component,
                        usable ? state.name : "-", failure_text(state.reader)->staff_en);
    usable = state.camera == FAILURE_NONE;
    snprintf(component, sizeof(component), "camera %.16s", r->service.instance);
    service_health_item(ipc, request, usable ? 0 : 1, state.camera, component,
                        usable ? "plugged in" : "-", failure_text(state.camera)->staff_en);
    snprintf(component, sizeof(component), "card %.16s", r->service.instance);
    service_health_item(ipc, request, 0, FAILURE_NONE, component,
                        state.card ? "on the reader" : "none", "");
    snprintf(component, sizeof(component), "issuer keys %.16s", r->service.instance);
    usable = card_trust_issuers(r->trust) > 0;
    service_health_item(ipc, request, usable ? 0 : 1,
                        usable ? FAILURE_NONE : FAILURE_CARD_UNCHECKED, component,
                        usable ? "configured" : "none: cards cannot be proven genuine",
                        usable ? "" : "[card] kenkaku-issuers");
    snprintf(component, sizeof(component), "CA of cards %.16s", r->service.instance);
    service_health_ends(&r->service, ipc, request, component, card_trust_until(r->trust),
                        "[card] user-ca に新しいCA証明書を入れます / put the new CA certificate "
                        "into [card] user-ca");
    service_health_end(ipc, request);
}

/* -- connections ------------------------------------------------------------------------------- */

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct reader *r = arg;
    struct ipc **slot = peer->role == IPC_DESK     ? &r->desk
                        : peer->role == IPC_BROKER ? &r->broker
                                                   : NULL;

    if (slot == NULL)
        return;
    /* A program that was restarted comes again before its old connection is known to be dead. */
    if (*slot != NULL)
        ipc_free(slot);
    *slot = ipc;
    if (slot == &r->desk) {
        reader_visit_set_desk(r->visit, ipc);
        send_state(r);
    } else {
        lane_tell_devices(r->lane);
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct reader *r = arg;

    if (ipc == r->desk) {
        log_event(LOG_LEVEL_NOTICE, "desk lost", LOG_ERRNO(error));
        r->desk = NULL;
        reader_visit_set_desk(r->visit, NULL);
    }
    if (ipc == r->broker)
        r->broker = NULL;
    ipc_free(&ipc);
}

static void on_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct reader *r = arg;

    switch (m->type) {
    case MSG_HEALTH_QUERY:
        answer_health(r, ipc, m->body.health_query.request);
        break;
    case MSG_DEVICE_ATTACH:
        lane_attach(r->lane, &m->body.device_attach, ipc_take_fd(m, 0));
        break;
    case MSG_DEVICE_DETACH:
        lane_detach(r->lane, m->body.device_detach.port);
        break;
    default:
        if (ipc == r->desk)
            reader_visit_message(r->visit, ipc, m);
        else
            ipc_refuse(ipc, "not the desk");
    }
}

static const struct ipc_handlers handlers = {
    .open = on_open, .message = on_message, .closed = on_closed};

/* -- start and end ----------------------------------------------------------------------------- */

static int load_trust(struct reader *r)
{
    const char *issuers = config_text(r->service.config, CFG_card_KENKAKU_ISSUERS, NULL);
    const char *user_ca = config_text(r->service.config, CFG_card_USER_CA, NULL);
    char *culprit = NULL;
    int rc = card_trust_load(&r->trust, issuers, user_ca, &culprit);

    if (rc < 0)
        log_event(LOG_LEVEL_ERROR, "trust cannot be read",
                  LOG_PUBLIC("path", log_public_from_config(culprit != NULL ? culprit : "-")),
                  LOG_ERRNO(rc));
    else
        log_event(LOG_LEVEL_INFO, "trust", LOG_NUMBER("issuers", card_trust_issuers(r->trust)),
                  LOG_NUMBER("authorities", card_trust_authorities(r->trust)));
    free(culprit);
    return rc;
}

/* What the cryptographic library opens or asks of the system, it does here, before the cage. */
static int warm_up(void)
{
    uint8_t point[ENVELOPE_POINT];
    struct envelope_key *key = NULL;
    int rc =
        OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_DIGESTS |
                                OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                            NULL) == 1
            ? 0
            : -EIO;

    if (rc == 0)
        rc = envelope_key_new(&key, point);
    envelope_key_free(&key);
    return rc;
}

static int parts_new(struct reader *r)
{
    r->engine = card_engine_new(r->service.clock, r->trust);
    r->frames = frames_new(r->service.clock, on_frames_send, on_frames_state, r);
    if (r->engine == NULL || r->frames == NULL)
        return -ENOMEM;
    r->visit = reader_visit_new(r->service.clock, r->engine, r->frames);
    r->lane = lane_new(r->service.loop, r->service.clock, r->engine, r->frames, &lane_listener, r);
    if (r->visit == NULL || r->lane == NULL)
        return -ENOMEM;
    reader_visit_set_lane(r->visit, r->lane);
    return 0;
}

static int serve(struct reader *r)
{
    struct ipc_self self = {.role = IPC_READER,
                            .lane = (uint16_t)strtoul(r->service.instance, NULL, 10),
                            .program = "uketsuke-reader",
                            .instance = r->service.instance};
    uid_t uids[PEER_UIDS];
    size_t nuids = service_peer_uids(&r->service, uids, PEER_UIDS);
    int fd = service_take_socket(&r->service, "reader");

    if (fd < 0) {
        log_event(LOG_LEVEL_ERROR, "no listening socket named reader was handed over");
        return -EBADF;
    }
    return ipc_server_new(&r->server, r->service.loop, fd, &self, "DBWC", uids, nuids, &handlers,
                          r);
}

static void parts_free(struct reader *r)
{
    ipc_server_free(&r->server);
    if (r->desk != NULL)
        ipc_free(&r->desk);
    if (r->broker != NULL)
        ipc_free(&r->broker);
    if (r->visit != NULL)
        reader_visit_set_desk(r->visit, NULL);
    lane_free(&r->lane);
    card_engine_free(&r->engine);
    frames_free(&r->frames);
    reader_visit_free(&r->visit);
    card_trust_free(&r->trust);
}

int main(int argc, char **argv)
{
    static const struct cage_spec cage = {.calls =
                                              CAGE_ACCEPT | CAGE_USB | CAGE_VIDEO | CAGE_FD_PASS};
    struct reader r;
    int rc;

    memset(&r, 0, sizeof(r));
    rc = service_start(&r.service, "uketsuke-reader", argc, argv);
    if (rc != 0)
        return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    rc = warm_up();
    if (rc == 0)
        rc = load_trust(&r);
    if (rc == 0)
        rc = parts_new(&r);
    if (rc == 0 && !r.service.try_cage)
        rc = serve(&r);
    if (rc == 0)
        rc = service_cage(&r.service, &cage);
    if (rc == 0)
        rc = service_run(&r.service);
    else
        log_event(LOG_LEVEL_ERROR, "cannot start", LOG_ERRNO(rc));
    parts_free(&r);
    service_stop(&r.service);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
