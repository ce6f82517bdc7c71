/*
 * uketsuke-matcher: compares the live face with the photo in the chip.
 *
 * It decodes what cameras and cards send, so it is caged most tightly: after start no file, no
 * network, no new program; only the socket of the desk, descriptors with pictures, and threads that
 * compute.
 */
#include "daemon/common/ipc.h"
#include "daemon/common/log.h"
#include "daemon/common/service.h"
#include "dnn.h"
#include "session.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define VISITS_MOST 64
#define PEERS_MOST 16

struct matcher;

/* A visit and the connection that began it. */
struct lane {
    struct matcher *matcher;
    struct session *session; /* NULL: free */
    struct ipc *ipc;
};

struct matcher {
    struct service service;
    struct manifest *manifest;
    struct session_shared shared;
    struct ipc_server *server;
    struct lane lanes[VISITS_MOST];
    struct ipc *peers[PEERS_MOST];
};

static struct lane *find_lane(struct matcher *matcher, const struct ipc *ipc, uint64_t visit)
{
    for (size_t i = 0; i < VISITS_MOST; i++) {
        struct lane *lane = &matcher->lanes[i];

        if (lane->session != NULL && lane->ipc == ipc && session_visit(lane->session) == visit)
            return lane;
    }
    return NULL;
}

static struct lane *free_lane(struct matcher *matcher)
{
    for (size_t i = 0; i < VISITS_MOST; i++)
        if (matcher->lanes[i].session == NULL)
            return &matcher->lanes[i];
    return NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void on_ready(void *arg, const struct msg_match_ready *ready)
{
    struct lane *lane = arg;

    log_event(LOG_LEVEL_INFO, "photo ready", LOG_NUMBER("visit", ready->visit),
              LOG_NUMBER("ms", ready->elapsed_ms));
    (void)ipc_send(lane->ipc, MSG_MATCH_READY, ready);
}

static void on_failed(void *arg, const struct msg_match_failed *failed)
{
    struct lane *lane = arg;

    log_event(LOG_LEVEL_NOTICE, "photo not usable", LOG_NUMBER("visit", failed->visit),
              LOG_FAILURE(failed->failure));
    (void)ipc_send(lane->ipc, MSG_MATCH_FAILED, failed);
}

static void on_result(void *arg, const struct msg_match_result *result, int preview)
{
    struct lane *lane = arg;

    if (preview >= 0)
        (void)ipc_send_fds(lane->ipc, MSG_MATCH_RESULT, result, &preview, 1);
    else
        (void)ipc_send(lane->ipc, MSG_MATCH_RESULT, result);
}

static const struct session_answers answers = {on_ready, on_failed, on_result};

/* ---- messages -------------------------------------------------------------------------------- */

static void take_begin(struct matcher *matcher, struct ipc *ipc, struct message *message)
{
    const struct msg_match_begin *begin = &message->body.match_begin;
    struct lane *lane = find_lane(matcher, ipc, begin->visit);
    const int fd = ipc_take_fd(message, 0);

    /* Begun again: the desk has read the photo anew, nothing of before counts. */
    if (lane != NULL)
        session_free(&lane->session);
    else
        lane = free_lane(matcher);
    if (lane != NULL) {
        lane->matcher = matcher;
        lane->ipc = ipc;
        if (session_new(&lane->session, &matcher->shared, begin->visit, begin->photo_bytes,
                        begin->preview != 0, fd, &answers, lane) == 0)
            return;
    } else {
        close(fd);
    }
    log_event(LOG_LEVEL_WARNING, "no room for a visit", LOG_NUMBER("visit", begin->visit));
    (void)ipc_send(
        ipc, MSG_MATCH_FAILED,
        &(struct msg_match_failed){.visit = begin->visit, .failure = FAILURE_FACE_UNAVAILABLE});
}

static void take_frame(struct matcher *matcher, struct ipc *ipc, struct message *message)
{
    const struct msg_match_frame *frame = &message->body.match_frame;
    struct lane *lane = find_lane(matcher, ipc, frame->visit);
    const int fd = ipc_take_fd(message, 0);

    if (lane != NULL) {
        session_frame(lane->session, frame, fd);
    } else {
        /* Its visit failed to begin, or we were restarted in the middle: the desk learns that from
         * the answer. */
        struct msg_match_result result;

        close(fd);
        session_result_init(&result, frame);
        result.failure = FAILURE_FACE_UNAVAILABLE;
        (void)ipc_send(ipc, MSG_MATCH_RESULT, &result);
    }
}

static void take_end(struct matcher *matcher, struct ipc *ipc, struct message *message)
{
    struct lane *lane = find_lane(matcher, ipc, message->body.match_end.visit);

    if (lane != NULL)
        session_free(&lane->session);
}

static void take_health(struct matcher *matcher, struct ipc *ipc, struct message *message)
{
    const uint32_t request = message->body.health_query.request;
    const struct model *recogniser = &matcher->manifest->models[MODEL_RECOGNISER];
    char detail[200];
    unsigned visits = 0;

    for (size_t i = 0; i < VISITS_MOST; i++)
        visits += matcher->lanes[i].session != NULL;
    service_health_common(&matcher->service, ipc, request);
    (void)snprintf(detail, sizeof(detail), "%.40s: %.30s, %.30s, %.30s, %.30s",
                   matcher->manifest->name, matcher->manifest->models[MODEL_DETECTOR].file,
                   matcher->manifest->models[MODEL_LANDMARKS].file, recogniser->file,
                   matcher->manifest->models[MODEL_LIVENESS].file);
    service_health_item(ipc, request, 0, FAILURE_NONE, "models", detail, "");
    (void)snprintf(detail, sizeof(detail), "threshold %.3f, liveness %s%s, %lld threads, %u visits",
                   (double)matcher->shared.rule.threshold,
                   config_text(matcher->service.config, CFG_matcher_LIVENESS, NULL),
                   matcher->shared.rule.live_gates ? " and the score" : "",
                   (long long)config_number(matcher->service.config, CFG_matcher_THREADS, NULL),
                   visits);
    service_health_item(ipc, request, 0, FAILURE_NONE, "matching", detail, "");
    service_health_end(ipc, request);
}

static const struct {
    uint16_t type;
    void (*take)(struct matcher *matcher, struct ipc *ipc, struct message *message);
} takers[] = {
    {MSG_MATCH_BEGIN, take_begin},
    {MSG_MATCH_FRAME, take_frame},
    {MSG_MATCH_END, take_end},
    {MSG_HEALTH_QUERY, take_health},
};

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        if (takers[i].type == message->type) {
            takers[i].take(arg, ipc, message);
            return;
        }
    }
    ipc_refuse(ipc, "a message that the matcher does not take");
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct matcher *matcher = arg;

    (void)peer;
    for (size_t i = 0; i < PEERS_MOST; i++) {
        if (matcher->peers[i] == NULL) {
            matcher->peers[i] = ipc;
            return;
        }
    }
    ipc_refuse(ipc, "too many connections");
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct matcher *matcher = arg;

    (void)error;
    for (size_t i = 0; i < PEERS_MOST; i++)
        if (matcher->peers[i] == ipc)
            matcher->peers[i] = NULL;
    for (size_t i = 0; i < VISITS_MOST; i++)
        if (matcher->lanes[i].ipc == ipc) {
            session_free(&matcher->lanes[i].session);
            matcher->lanes[i].ipc = NULL;
        }
    ipc_free(&ipc);
}

static const struct ipc_handlers handlers = {on_open, on_message, on_closed};

/* ---- start ----------------------------------------------------------------------------------- */

static void set_rule(struct matcher *matcher)
{
    const struct model *recogniser = &matcher->manifest->models[MODEL_RECOGNISER];
    const struct model *liveness = &matcher->manifest->models[MODEL_LIVENESS];
    const int64_t fmr = config_number(matcher->service.config, CFG_matcher_FMR, NULL);
    const int64_t milli = config_number(matcher->service.config, CFG_matcher_THRESHOLD_MILLI, NULL);

    decision_rule_set(&matcher->shared.rule, recogniser->thresholds, recogniser->noise,
                      (unsigned)fmr, (int)milli);
    matcher->shared.rule.live_pass = liveness->pass;
    matcher->shared.rule.live_fail = liveness->fail;
    matcher->shared.rule.live_gates = liveness->gate;
    matcher->shared.rule.policy =
        (enum presence_policy)config_number(matcher->service.config, CFG_matcher_LIVENESS, NULL);
}

static int open_models(struct matcher *matcher)
{
    const struct config *config = matcher->service.config;
    char why[MANIFEST_WHY] = "";
    int r;

    dnn_setup();
    r = manifest_load(&matcher->manifest, config_text(config, CFG_matcher_MODELS, NULL), why);
    if (r == 0)
        r = pool_new(&matcher->shared.pool, matcher->service.loop, matcher->manifest,
                     (unsigned)config_number(config, CFG_matcher_THREADS, NULL), why);
    if (r < 0) {
        (void)fprintf(stderr, "uketsuke-matcher: %s\n", why[0] != '\0' ? why : strerror(-r));
        return r;
    }
    manifest_drop_files(matcher->manifest);
    matcher->shared.manifest = matcher->manifest;
    set_rule(matcher);
    if (getrandom(&matcher->shared.seed, sizeof(matcher->shared.seed), 0) !=
        (ssize_t)sizeof(matcher->shared.seed))
        return -EIO;
    return 0;
}

static int open_server(struct matcher *matcher)
{
    static const struct ipc_self self = {
        .role = IPC_MATCHER, .program = "uketsuke-matcher", .instance = ""};
    uid_t uids[16];
    const size_t nuids = service_peer_uids(&matcher->service, uids, sizeof(uids) / sizeof(uids[0]));
    const int fd = service_take_socket(&matcher->service, "matcher");

    if (fd < 0) {
        (void)fputs(
            "uketsuke-matcher: ソケット matcher が渡されていません。systemd "
            "か起動プログラムから起動してください / "
            "no socket named matcher was handed over: start it by systemd or the launcher\n",
            stderr);
        return -EBADF;
    }
    return ipc_server_new(&matcher->server, matcher->service.loop, fd, &self, "DC", uids, nuids,
                          &handlers, matcher);
}

int main(int argc, char **argv)
{
    /* Models are read before; nothing is opened after. Threads: workers exist, a library may still
     * make one. */
    static const struct cage_spec cage = {.calls = CAGE_THREADS | CAGE_ACCEPT | CAGE_FD_PASS};
    struct matcher *matcher;
    int r, status = EXIT_FAILURE;

    /*
     * What OpenCV, OpenJPEG and turbojpeg give back is overwritten at once: their working memory
     * holds pieces of faces, and they do not wipe it themselves.
     */
    (void)mallopt(M_PERTURB, 0x5a);
    matcher = calloc(1, sizeof(*matcher));
    if (matcher == NULL)
        return EXIT_FAILURE;
    r = service_start(&matcher->service, "uketsuke-matcher", argc, argv);
    if (r != 0) {
        free(matcher);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    /* The trial of the cage wants everything that stands before it, but nobody to talk to. */
    if (open_models(matcher) < 0 || (!matcher->service.try_cage && open_server(matcher) < 0) ||
        service_cage(&matcher->service, &cage) < 0)
        goto out;
    log_event(LOG_LEVEL_NOTICE, "ready",
              LOG_NUMBER("threshold_milli", matcher->shared.rule.threshold * 1000));
    status = service_run(&matcher->service);
out:
    ipc_server_free(&matcher->server);
    for (size_t i = 0; i < VISITS_MOST; i++)
        session_free(&matcher->lanes[i].session);
    for (size_t i = 0; i < PEERS_MOST; i++)
        ipc_free(&matcher->peers[i]);
    pool_free(&matcher->shared.pool);
    manifest_free(&matcher->manifest);
    service_stop(&matcher->service);
    free(matcher);
    return status;
}
