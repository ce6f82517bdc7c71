/* What the sends of the table do. They run after the step is on the disk, in the order of the table. */
#include "ask.h"
#include "lane.h"
#include "visit.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>

/* What the reader gets for one operation; less than the state's own limit, so that its answer comes first. */
#define IDENTIFY_MS 8000
#define PHOTO_MS 15000
#define SIGN_MS 12000
#define SIGN_PIN_PAD_MS 60000
#define FRAME_WIDTH 640
#define FRAME_HEIGHT 480
#define FRAME_FPS 30
/* The printed side has small letters: at 640 pixels most cards cannot be read. A camera that has no such size gives its
 * nearest. */
#define SCAN_WIDTH 1280
#define SCAN_HEIGHT 720
#define SCAN_FPS 15
#define CREDIT 2
#define PURPOSE "eligibility"
#define ASK_LATER_US CLOCK_SECOND

static int to_reader(struct visit *v, uint16_t type, const void *body)
{
    struct desk_ports *ports = &v->desk->ports;

    return ports->send(ports->arg, PEER_READER, v->lane->index, type, body, NULL, 0);
}

static void operate(struct visit *v, uint16_t type, const void *body)
{
    v->busy = to_reader(v, type, body) == 0;
}

static int to_matcher(struct visit *v, uint16_t type, const void *body, const int *fds,
                      unsigned nfds)
{
    struct desk_ports *ports = &v->desk->ports;

    return ports->send(ports->arg, PEER_MATCHER, 0, type, body, fds, nfds);
}

static void send_camera_stop(struct visit *v, const struct desk_event *e)
{
    struct msg_camera_stop body = {.visit = v->record.id};

    (void)e;
    if (v->filming)
        (void)to_reader(v, MSG_CAMERA_STOP, &body);
    v->filming = false;
    v->lane->hint = FAILURE_NONE;
    memset(v->lane->box, 0, sizeof(v->lane->box));
}

static void send_scan_end(struct visit *v, const struct desk_event *e)
{
    struct msg_ocr_end body = {.visit = v->record.id};

    (void)e;
    if (v->scanning)
        (void)v->desk->ports.send(v->desk->ports.arg, PEER_OCR, 0, MSG_OCR_END, &body, NULL, 0);
    v->scanning = false;
}

static void send_match_end(struct visit *v, const struct desk_event *e)
{
    struct msg_match_end body = {.visit = v->record.id};

    (void)e;
    if (v->matching)
        (void)to_matcher(v, MSG_MATCH_END, &body, NULL, 0);
    v->matching = false;
    v->facts.photo_there = false;
}

static void send_card_off(struct visit *v, const struct desk_event *e)
{
    struct msg_card_off body = {.visit = v->record.id};

    (void)e;
    if (v->begun)
        (void)to_reader(v, MSG_CARD_OFF, &body);
}

/* The reader wipes what it holds; what the desk holds of the card goes with it. */
static void send_end(struct visit *v, const struct desk_event *e)
{
    struct msg_visit_end body = {.visit = v->record.id};

    (void)e;
    if (v->begun)
        (void)to_reader(v, MSG_VISIT_END, &body);
    v->begun = v->busy = v->filming = false;
    explicit_bzero(&v->facts.scanned, sizeof(v->facts.scanned));
    explicit_bzero(&v->facts.statement, sizeof(v->facts.statement));
    explicit_bzero(&v->facts.signature, sizeof(v->facts.signature));
    explicit_bzero(&v->facts.certificate, sizeof(v->facts.certificate));
}

static void send_identify(struct visit *v, const struct desk_event *e)
{
    struct msg_card_identify body = {.visit = v->record.id, .budget_ms = IDENTIFY_MS};

    (void)e;
    /* One operation at a time: what nobody waits for any more goes with a fresh start. */
    if (v->busy)
        v->begun = false;
    lane_begin(v->lane);
    operate(v, MSG_CARD_IDENTIFY, &body);
}

static void send_photo(struct visit *v, const struct desk_event *e)
{
    struct msg_card_photo body = {.visit = v->record.id, .budget_ms = PHOTO_MS};
    const uint8_t *sealed = e->sealed;
    size_t len = e->sealed_len;

    /* A scanned reading waited for the card to come back, or came with this very event. */
    if (e->kind == EVENT_IDENTIFIED || e->kind == EVENT_CARD_FACE_READ) {
        sealed = v->facts.scanned.data;
        len = v->facts.scanned.len;
        body.scanned = 1;
    }
    if (len > sizeof(body.sealed.data))
        return;
    /* Who keys the digits in says yes by that, while tries are plenty; a scanned reading never does. */
    body.few_tries_agreed =
        v->facts.b_agreed || (body.scanned == 0 && v->facts.number_b_tries != 255 &&
                              v->facts.number_b_tries > DESK_NUMBER_B_FEW);
    body.sealed.len = (uint32_t)len;
    memcpy(body.sealed.data, sealed, len);
    lane_begin(v->lane);
    operate(v, MSG_CARD_PHOTO, &body);
    v->facts.scanned.len = 0;
}

static void send_sign(struct visit *v, const struct desk_event *e)
{
    struct msg_card_sign body = {
        .visit = v->record.id,
        .budget_ms = v->lane->reader.pin_pad != 0 ? SIGN_PIN_PAD_MS : SIGN_MS,
        .last_try_agreed = v->facts.pin_agreed,
        .time = (int64_t)(clock_realtime_us(v->desk->clock) / CLOCK_SECOND),
    };

    if (e->sealed_len > sizeof(body.sealed.data))
        return;
    (void)MESSAGE_TEXT(body.institution, v->desk->settings.institution);
    (void)MESSAGE_TEXT(body.purpose, PURPOSE);
    body.sealed.len = (uint32_t)e->sealed_len;
    if (e->sealed_len > 0)
        memcpy(body.sealed.data, e->sealed, e->sealed_len);
    lane_begin(v->lane);
    operate(v, MSG_CARD_SIGN, &body);
}

static void send_match(struct visit *v, const struct desk_event *e)
{
    struct msg_match_begin body = {
        .visit = v->record.id, .photo_bytes = e->body->card_photo_read.photo_bytes, .preview = 1};

    v->matching = true;
    if (to_matcher(v, MSG_MATCH_BEGIN, &body, &e->fd, 1) < 0)
        log_event(LOG_LEVEL_WARNING, "photo not passed on", LOG_NUMBER("visit", v->record.id));
}

static void start_camera(struct visit *v, bool scan)
{
    struct msg_camera_start body = {.visit = v->record.id,
                                    .width = scan ? SCAN_WIDTH : FRAME_WIDTH,
                                    .height = scan ? SCAN_HEIGHT : FRAME_HEIGHT,
                                    .fps = scan ? SCAN_FPS : FRAME_FPS,
                                    .credit = CREDIT};

    if (v->filming)
        return;
    lane_begin(v->lane);
    v->filming = to_reader(v, MSG_CAMERA_START, &body) == 0;
    v->credit = CREDIT;
}

static void send_camera(struct visit *v, const struct desk_event *e)
{
    (void)e;
    start_camera(v, false);
}

static void send_scan(struct visit *v, const struct desk_event *e)
{
    struct msg_ocr_begin body = {.visit = v->record.id};

    (void)e;
    lane_begin(v->lane);
    body.key.len = v->lane->key.len;
    memcpy(body.key.data, v->lane->key.data, sizeof(body.key.data));
    v->scanning = true;
    (void)v->desk->ports.send(v->desk->ports.arg, PEER_OCR, 0, MSG_OCR_BEGIN, &body, NULL, 0);
    start_camera(v, true);
}

static void send_cancel_ask(struct visit *v, const struct desk_event *e)
{
    (void)e;
    ask_cancel(v);
}

static void send_ask(struct visit *v, const struct desk_event *e)
{
    (void)e;
    ask_send(v);
}

static void send_ask_later(struct visit *v, const struct desk_event *e)
{
    (void)e;
    (void)timer_set_after(v->again, ASK_LATER_US);
}

static const struct {
    void (*send)(struct visit *v, const struct desk_event *e);
    bool lane; /* only where there is one */
} sends_table[SEND_COUNT] = {
    [SEND_CAMERA_STOP] = {send_camera_stop, true},
    [SEND_SCAN_END] = {send_scan_end, true},
    [SEND_MATCH_END] = {send_match_end, true},
    [SEND_CANCEL_ASK] = {send_cancel_ask, false},
    [SEND_CARD_OFF] = {send_card_off, true},
    [SEND_END] = {send_end, true},
    [SEND_IDENTIFY] = {send_identify, true},
    [SEND_PHOTO] = {send_photo, true},
    [SEND_SIGN] = {send_sign, true},
    [SEND_MATCH] = {send_match, true},
    [SEND_CAMERA] = {send_camera, true},
    [SEND_SCAN] = {send_scan, true},
    [SEND_ASK] = {send_ask, false},
    [SEND_ASK_LATER] = {send_ask_later, false},
};

void send_out(struct visit *v, const struct desk_event *e, uint32_t sends)
{
    for (unsigned i = 0; i < SEND_COUNT; i++)
        if ((sends >> i & 1) != 0 && (!sends_table[i].lane || v->lane != NULL))
            sends_table[i].send(v, e);
}
