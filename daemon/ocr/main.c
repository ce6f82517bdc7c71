/*
 * uketsuke-ocr: reads 照合番号B off the printed side of a card that is shown to the camera.
 *
 * A process of its own because Debian's Tesseract brings a network library and many decoders along:
 * caged after start, it has no file, no network and no new program; the desk's socket and
 * descriptors with frames are all. What it reads leaves it only sealed to the reader's key of the
 * visit.
 */
#include "daemon/common/ipc.h"
#include "daemon/common/log.h"
#include "daemon/common/service.h"
#include "recognise.h"
#include "session.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VISITS_MOST 64
#define PEERS_MOST 16
#define THREADS 2

/* A visit and the connection that began it. */
struct lane {
    struct session *session; /* NULL: free */
    struct ipc *ipc;
};

struct ocr {
    struct service service;
    struct pool *pool;
    struct ipc_server *server;
    struct lane lanes[VISITS_MOST];
    struct ipc *peers[PEERS_MOST];
};

static struct lane *find_lane(struct ocr *ocr, const struct ipc *ipc, uint64_t visit)
{
    for (size_t i = 0; i < VISITS_MOST; i++) {
        struct lane *lane = &ocr->lanes[i];

        if (lane->session != NULL && lane->ipc == ipc && session_visit(lane->session) == visit)
            return lane;
    }
    return NULL;
}

static struct lane *free_lane(struct ocr *ocr)
{
    for (size_t i = 0; i < VISITS_MOST; i++)
        if (ocr->lanes[i].session == NULL)
            return &ocr->lanes[i];
    return NULL;
}

static void on_answer(void *arg, const struct msg_ocr_result *result)
{
    const struct lane *lane = arg;

    if (result->sealed.len > 0)
        log_event(LOG_LEVEL_INFO, "card face read", LOG_NUMBER("visit", result->visit));
    (void)ipc_send(lane->ipc, MSG_OCR_RESULT, result);
}

static void take_begin(struct ocr *ocr, struct ipc *ipc, struct message *message)
{
    const struct msg_ocr_begin *begin = &message->body.ocr_begin;
    struct lane *lane = find_lane(ocr, ipc, begin->visit);
    int r;

    if (begin->key.len != SEAL_POINT) {
        ipc_refuse(ipc, "a key that is no point");
        return;
    }
    /* Begun again: a new key, nothing of before counts. */
    if (lane != NULL)
        session_free(&lane->session);
    else
        lane = free_lane(ocr);
    if (lane == NULL) {
        log_event(LOG_LEVEL_WARNING, "no room for a visit", LOG_NUMBER("visit", begin->visit));
        return;
    }
    lane->ipc = ipc;
    r = session_new(&lane->session, ocr->pool, ocr->service.clock, begin->visit, begin->key.data,
                    on_answer, lane);
    if (r == -EINVAL)
        ipc_refuse(ipc, "a key that is no point of the curve");
    else if (r < 0)
        log_event(LOG_LEVEL_WARNING, "a visit cannot begin", LOG_NUMBER("visit", begin->visit),
                  LOG_ERRNO(r));
}

static void take_frame(struct ocr *ocr, struct ipc *ipc, struct message *message)
{
    const struct msg_ocr_frame *frame = &message->body.ocr_frame;
    struct lane *lane = find_lane(ocr, ipc, frame->visit);
    const int fd = ipc_take_fd(message, 0);

    if (lane != NULL) {
        session_frame(lane->session, frame, fd);
    } else {
        /* Its visit could not begin: the patient is asked to key the number in. */
        const struct msg_ocr_result result = {
            .visit = frame->visit, .frame = frame->frame, .failure = FAILURE_CARD_FACE_UNREADABLE};

        close(fd);
        (void)ipc_send(ipc, MSG_OCR_RESULT, &result);
    }
}

static void take_end(struct ocr *ocr, struct ipc *ipc, struct message *message)
{
    struct lane *lane = find_lane(ocr, ipc, message->body.ocr_end.visit);

    if (lane != NULL)
        session_free(&lane->session);
}

static void take_health(struct ocr *ocr, struct ipc *ipc, struct message *message)
{
    const uint32_t request = message->body.health_query.request;
    char detail[96];
    unsigned visits = 0;

    for (size_t i = 0; i < VISITS_MOST; i++)
        visits += ocr->lanes[i].session != NULL;
    service_health_common(&ocr->service, ipc, request);
    (void)snprintf(detail, sizeof(detail), "tesseract %s + %s, %d threads, %u visits",
                   recogniser_language(RECOGNISE_DATES), recogniser_language(RECOGNISE_DIGITS),
                   THREADS, visits);
    service_health_item(ipc, request, 0, FAILURE_NONE, "card face", detail, "");
    service_health_end(ipc, request);
}

static const struct {
    uint16_t type;
    void (*take)(struct ocr *ocr, struct ipc *ipc, struct message *message);
} takers[] = {
    {MSG_OCR_BEGIN, take_begin},
    {MSG_OCR_FRAME, take_frame},
    {MSG_OCR_END, take_end},
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
    ipc_refuse(ipc, "a message that the card-face reader does not take");
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct ocr *ocr = arg;

    (void)peer;
    for (size_t i = 0; i < PEERS_MOST; i++) {
        if (ocr->peers[i] == NULL) {
            ocr->peers[i] = ipc;
            return;
        }
    }
    ipc_refuse(ipc, "too many connections");
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct ocr *ocr = arg;

    (void)error;
    for (size_t i = 0; i < PEERS_MOST; i++)
        if (ocr->peers[i] == ipc)
            ocr->peers[i] = NULL;
    for (size_t i = 0; i < VISITS_MOST; i++) {
        if (ocr->lanes[i].ipc == ipc) {
            session_free(&ocr->lanes[i].session);
            ocr->lanes[i].ipc = NULL;
        }
    }
    ipc_free(&ipc);
}

static const struct ipc_handlers handlers = {on_open, on_message, on_closed};

static int open_pool(struct ocr *ocr)
{
    const int r = pool_new(&ocr->pool, ocr->service.loop, THREADS);

    if (r == -ENOENT)
        (void)fprintf(stderr,
                      "uketsuke-ocr: Tesseract の言語データがありません。tesseract-ocr-%s と "
                      "tesseract-ocr-%s を入れてください / "
                      "language data of Tesseract is missing: install tesseract-ocr-%s and "
                      "tesseract-ocr-%s\n",
                      recogniser_language(RECOGNISE_DATES), recogniser_language(RECOGNISE_DIGITS),
                      recogniser_language(RECOGNISE_DATES), recogniser_language(RECOGNISE_DIGITS));
    else if (r < 0)
        (void)fprintf(stderr, "uketsuke-ocr: %s\n", strerror(-r));
    return r;
}

static int open_server(struct ocr *ocr)
{
    static const struct ipc_self self = {
        .role = IPC_OCR, .program = "uketsuke-ocr", .instance = ""};
    uid_t uids[16];
    const size_t nuids = service_peer_uids(&ocr->service, uids, sizeof(uids) / sizeof(uids[0]));
    const int fd = service_take_socket(&ocr->service, "ocr");

    if (fd < 0) {
        (void)fputs("uketsuke-ocr: ソケット ocr が渡されていません。systemd "
                    "か起動プログラムから起動してください / "
                    "no socket named ocr was handed over: start it by systemd or the launcher\n",
                    stderr);
        return -EBADF;
    }
    return ipc_server_new(&ocr->server, ocr->service.loop, fd, &self, "DC", uids, nuids, &handlers,
                          ocr);
}

int main(int argc, char **argv)
{
    static const struct cage_spec cage = {.calls = CAGE_THREADS | CAGE_ACCEPT};
    struct ocr *ocr;
    int r, status = EXIT_FAILURE;

    /* Tesseract and Leptonica do not wipe what they give back: the allocator does. */
    (void)mallopt(M_PERTURB, 0x5a);
    ocr = calloc(1, sizeof(*ocr));
    if (ocr == NULL)
        return EXIT_FAILURE;
    r = service_start(&ocr->service, "uketsuke-ocr", argc, argv);
    if (r != 0) {
        free(ocr);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (open_pool(ocr) < 0 || (!ocr->service.try_cage && open_server(ocr) < 0) ||
        service_cage(&ocr->service, &cage) < 0)
        goto out;
    log_event(LOG_LEVEL_NOTICE, "ready");
    status = service_run(&ocr->service);
out:
    ipc_server_free(&ocr->server);
    for (size_t i = 0; i < VISITS_MOST; i++)
        session_free(&ocr->lanes[i].session);
    for (size_t i = 0; i < PEERS_MOST; i++)
        ipc_free(&ocr->peers[i]);
    pool_free(&ocr->pool);
    service_stop(&ocr->service);
    free(ocr);
    return status;
}
