#include "stage.h"
#include "answers.h"

#include "../../daemon/common/memfd.h"
#include "../../daemon/common/xmlmsg.h"
#include "../../daemon/desk/action.h"
#include "../../daemon/desk/ask.h"
#include "../../daemon/desk/lane.h"
#include "../../daemon/desk/resume.h"
#include "../../daemon/desk/visit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void stage_broke(struct stage *stage, const char *format, ...)
{
    va_list args;

    if (stage->broken[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(stage->broken, sizeof(stage->broken), format, args);
    va_end(args);
}

/* ---- what leaves the desk -------------------------------------------------------------------- */

/* Safe in every state: these stop and wipe, so they may go out even when the store takes nothing. */
static bool only_stops(uint16_t type)
{
    return type == MSG_CAMERA_STOP || type == MSG_MATCH_END || type == MSG_OCR_END ||
           type == MSG_CARD_OFF || type == MSG_VISIT_END || type == MSG_ELIGIBILITY_CANCEL;
}

static void check_durable(struct stage *stage, uint64_t visit, uint16_t type)
{
    const struct store_visit *stored = fake_store_visit(stage->store, visit);
    struct visit *v = desk_visit(stage->desk, visit);

    if (only_stops(type))
        return;
    /* A receipt says that something is on the disk, whatever visit that became. */
    if (type == MSG_RELAY_TAKEN && !fake_store_in_transaction(stage->store))
        return;
    if (type == MSG_ELIGIBILITY_ASK && visit == 0 && !fake_store_in_transaction(stage->store))
        return;
    /* What is asked later is about a visit that is over. */
    if (type == MSG_ELIGIBILITY_ASK && v == NULL && stored != NULL && stored->closed_us != 0 &&
        (stored->flags & VISIT_FLAG_SLIP) != 0 && !fake_store_in_transaction(stage->store))
        return;
    if (fake_store_in_transaction(stage->store))
        stage_broke(stage, "%s left in the middle of a transaction", message_name(type));
    else if (stored == NULL || v == NULL)
        stage_broke(stage, "%s left for a visit that is not stored", message_name(type));
    else if (stored->state != v->record.state || stored->step != v->record.step)
        stage_broke(stage, "%s left in %s while the store says %s", message_name(type),
                    visit_state_name(v->record.state), visit_state_name(stored->state));
}

static void check_credential(struct stage *stage, struct stage_lane *lane, uint16_t type)
{
    if (type == MSG_CARD_SIGN && ++lane->pins_sent > lane->pins_given)
        stage_broke(stage, "a PIN was sent that nobody entered");
    if (type == MSG_CARD_PHOTO && ++lane->numbers_sent > lane->numbers_given)
        stage_broke(stage, "a 照合番号B was sent that nobody gave");
}

static void to_reader(struct stage *stage, struct stage_lane *lane, uint16_t type,
                      const union message_body *body, uint64_t *visit)
{
    *visit = body->visit_begin.visit; /* the first field of them all */
    check_credential(stage, lane, type);
    if (type == MSG_VISIT_BEGIN) {
        lane->reader_visit = *visit;
        lane->keys_due++;
    }
    if (type != MSG_VISIT_BEGIN && !only_stops(type) && lane->reader_visit != *visit)
        stage_broke(stage, "%s before VISIT_BEGIN", message_name(type));
    if (type == MSG_CARD_IDENTIFY || type == MSG_CARD_PHOTO || type == MSG_CARD_SIGN) {
        if (lane->asked_reader != 0)
            stage_broke(stage, "%s while %s is under way", message_name(type),
                        message_name(lane->asked_reader));
        lane->asked_reader = type;
    }
    /* The reader closes the connection on a second operation or a second start of the camera. */
    if (type == MSG_VISIT_BEGIN || type == MSG_VISIT_END)
        lane->asked_reader = 0;
    if (type == MSG_CAMERA_START) {
        if (lane->filming)
            stage_broke(stage, "the camera was started twice");
        /* Small letters: at 640 pixels most cards cannot be read. */
        if (desk_visit(stage->desk, *visit) != NULL &&
            (body->camera_start.width >= 1280) !=
                (desk_visit(stage->desk, *visit)->record.state == VISIT_SHOW_CARD))
            stage_broke(stage, "%u pixels are asked of the camera", body->camera_start.width);
        lane->filming = true;
    }
    if (type == MSG_CAMERA_STOP || type == MSG_VISIT_END || type == MSG_VISIT_BEGIN)
        lane->filming = false;
    if (type == MSG_VISIT_END)
        lane->reader_visit = 0;
}

/* 0: of no lane */
static unsigned lane_number(const struct stage *stage, uint64_t visit)
{
    const struct visit *v = desk_visit(stage->desk, visit);

    return v != NULL && v->lane != NULL ? v->lane->number : 0;
}

/* The day that the question is about. */
static void read_day(int fd, char day[9])
{
    struct xmlmsg *tree = NULL;
    struct stat file;

    day[0] = '\0';
    if (fstat(fd, &file) < 0 || xmlmsg_from_memfd(&tree, fd, (size_t)file.st_size) < 0)
        return;
    snprintf(day, 9, "%s", xmlmsg_get(tree, "MessageHeader/QualificationConfirmationDate"));
    xmlmsg_free(&tree);
}

static void to_relay(struct stage *stage, const struct msg_eligibility_ask *ask)
{
    struct visit *v = desk_visit(stage->desk, ask->visit);
    unsigned lane = lane_number(stage, ask->visit);

    /* Rows of a list are asked by the command, which keeps its own books. */
    if (ask->visit == 0) {
        stage->late = *ask;
        stage->questions_sent++;
        return;
    }
    if (fake_store_asks(stage->store, true) == 0)
        stage_broke(stage, "a question left that is not stored");
    if (stage->asks_sent[ask->request % 1024].request == ask->request &&
        stage->asks_sent[ask->request % 1024].connection == stage->connection)
        stage_broke(stage, "a question was sent twice over one connection");
    stage->asks_sent[ask->request % 1024].request = ask->request;
    stage->asks_sent[ask->request % 1024].connection = stage->connection;
    stage->questions_sent++;
    if (ask->writes) {
        if (stage->writes_sent[ask->request % 1024] == ask->request)
            stage_broke(stage, "a change was sent twice");
        stage->writes_sent[ask->request % 1024] = ask->request;
    }
    if (v == NULL)
        stage->late = *ask;
    else
        stage->lanes[lane].ask = *ask;
}

static unsigned consents_told(int fd)
{
    struct xmlmsg *tree = NULL, *consents;
    struct stat file;
    size_t n = 0;

    if (fstat(fd, &file) < 0 || xmlmsg_from_memfd(&tree, fd, (size_t)file.st_size) < 0)
        return 0;
    consents = xmlmsg_find(tree, "MessageBody/CardSession/Consents");
    if (consents != NULL)
        n = xmlmsg_count(consents) - 1;
    xmlmsg_free(&tree);
    return (unsigned)n;
}

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    struct stage *stage = arg;
    const union message_body *b = body;
    uint64_t visit = 0;
    uint16_t number = 0;
    static uint8_t packet[MESSAGE_MAX];

    if (message_encode(type, body, nfds, packet, sizeof(packet)) < 0)
        stage_broke(stage, "%s does not fit its row", message_name(type));
    switch (peer) {
    case PEER_READER:
        number = stage->desk->lanes[index]->number;
        if (!stage->lanes[number].reader_up)
            return -107;
        to_reader(stage, &stage->lanes[number], type, b, &visit);
        break;
    case PEER_MATCHER:
        if (!stage->matcher_up)
            return -107;
        visit = b->match_end.visit;
        break;
    case PEER_OCR:
        if (!stage->ocr_up)
            return -107;
        visit = b->ocr_end.visit;
        break;
    case PEER_RELAY:
        if (!stage->relay_up)
            return -107;
        if (type == MSG_ELIGIBILITY_ASK) {
            visit = b->eligibility_ask.visit;
            to_relay(stage, &b->eligibility_ask);
            if (nfds == 1)
                read_day(fds[0], stage->asked_day);
            if (stage->late.request == b->eligibility_ask.request)
                memcpy(stage->late_day, stage->asked_day, sizeof(stage->late_day));
            if (visit != 0 && nfds == 1)
                stage->lanes[lane_number(stage, visit)].told = consents_told(fds[0]);
        }
        break;
    case PEER_HANDOVER:
        stage_broke(stage, "something is handed over although no output is configured");
        break;
    }
    check_durable(stage, visit, type);
    if (stage->nsent == STAGE_SENT_MAX)
        stage->nsent = 0;
    stage->sent[stage->nsent].type = type;
    stage->sent[stage->nsent++].lane = number;
    return 0;
}

static void port_lane(void *arg, const struct msg_lane_state *state)
{
    struct stage *stage = arg;

    stage->lanes[state->lane].shown = *state;
}

static void port_visit(void *arg, const struct msg_visit_item *item)
{
    struct stage *stage = arg;
    const struct store_visit *stored = fake_store_visit(stage->store, item->visit);

    if (stored == NULL || stored->state != item->state)
        stage_broke(stage, "a board saw a state that is not stored");
    stage->lanes[(item->flags & VISIT_FLAG_NO_CARD) != 0 ? 0 : item->lane].item = *item;
}

static void port_preview(void *arg, const struct msg_lane_preview *preview, int fd)
{
    (void)arg;
    (void)preview;
    (void)fd;
}

static void port_slip(void *arg, const struct msg_slip_item *item)
{
    struct stage *stage = arg;

    if (fake_store_in_transaction(stage->store))
        stage_broke(stage, "a board saw a slip in the middle of a transaction");
    stage->slip = *item;
}

static void port_prechecked(void *arg, void *asker, const struct msg_prechecked *prechecked)
{
    struct stage *stage = arg;

    if (asker != stage)
        stage_broke(stage, "somebody else was told about a row");
    if (fake_store_in_transaction(stage->store))
        stage_broke(stage, "a row was answered in the middle of a transaction");
    stage->prechecked = *prechecked;
    stage->nprechecked++;
}

static void port_disaster(void *arg, const struct msg_disaster_state *state)
{
    struct stage *stage = arg;

    stage->disaster = *state;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void start(struct stage *stage)
{
    struct desk_ports ports = {stage,     port_send,     port_lane, port_visit,     port_preview,
                               port_slip, port_disaster, NULL,      port_prechecked};

    desk_new(&stage->desk, stage->clock, stage->store, &stage->settings, &ports);
    desk_add_upstream(stage->desk, "main", stage->capabilities);
    for (unsigned i = 1; i <= stage->nlanes; i++)
        desk_add_lane(stage->desk, (uint16_t)i, "counter", 0);
    if (desk_resume(stage->desk) < 0)
        stage_broke(stage, "the visits could not be resumed");
    stage_matcher_program(stage, true);
    stage_relay_program(stage, true);
    for (unsigned i = 1; i <= stage->nlanes; i++)
        stage_reader_program(stage, i, true);
}

/* The defaults of the configuration's table, taken from its documentation. */
static void defaults(struct desk_settings *s)
{
    static const struct {
        enum visit_state state;
        unsigned seconds;
    } limits[] = {
        {VISIT_CARD, 10},
        {VISIT_METHOD, 60},
        {VISIT_SHOW_CARD, 90},
        {VISIT_NUMBER_B, 90},
        {VISIT_NUMBER_B_CONFIRM, 90},
        {VISIT_PHOTO, 20},
        {VISIT_FACE, 20},
        {VISIT_PIN, 90},
        {VISIT_PIN_CONFIRM, 90},
        {VISIT_PIN_CHECK, 90},
        {VISIT_VISUAL, 300},
        {VISIT_REGISTER, 60},
        {VISIT_CONSENT, 60},
        {VISIT_ELIGIBILITY, 12},
        {VISIT_LINK, 300},
        {VISIT_STAFF, 300},
        {VISIT_CARD_LOST, 15},
        {VISIT_DONE, 10},
        {VISIT_TAKE_CARD, 30},
    };

    memset(s, 0, sizeof(*s));
    strcpy(s->institution, "9910000017");
    s->consents = CONSENT_LIMIT | CONSENT_DRUGS | CONSENT_CHECKUP;
    s->pin_tries = 3;
    s->clock_watched = true;
    s->precheck_days = 3;
    s->again_us = 10 * CLOCK_MINUTE;
    for (unsigned i = 0; i < VISIT_STATE_COUNT; i++)
        s->limit_us[i] = CLOCK_NEVER;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        s->limit_us[limits[i].state] = limits[i].seconds * CLOCK_SECOND;
}

struct stage *stage_new(unsigned lanes)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    stage->clock = clock_new_simulated(CLOCK_SECOND, STAGE_START_US);
    stage->store = fake_store_new(stage->clock);
    stage->nlanes = lanes;
    stage->capabilities =
        CAPABILITY_BY_NUMBERS | CAPABILITY_CARD_SESSION | CAPABILITY_REGISTER | CAPABILITY_CONSENTS;
    defaults(&stage->settings);
    start(stage);
    return stage;
}

void stage_free(struct stage **stage)
{
    struct stage *s = *stage;

    desk_free(&s->desk);
    fake_store_free(&s->store);
    clock_free(&s->clock);
    free(s);
    *stage = NULL;
}

void stage_restart(struct stage *stage)
{
    bool matcher = stage->matcher_up, relay = stage->relay_up, ocr = stage->ocr_up;
    bool readers[STAGE_LANES_MAX + 1];

    store_rollback(stage->store); /* what was not committed is not there after kill -9 */
    desk_free(&stage->desk);
    for (unsigned i = 1; i <= stage->nlanes; i++) {
        readers[i] = stage->lanes[i].reader_up;
        stage->lanes[i].reader_up = false;
        stage->lanes[i].reader_visit = 0;
        stage->lanes[i].asked_reader = 0;
        stage->lanes[i].filming = false;
        stage->lanes[i].ask.request = 0;
    }
    stage->lanes[0].ask.request = stage->late.request = 0;
    stage->matcher_up = stage->relay_up = stage->ocr_up = false;
    {
        struct desk_ports ports = {stage,         port_send,    port_lane,
                                   port_visit,    port_preview, port_slip,
                                   port_disaster, NULL,         port_prechecked};

        desk_new(&stage->desk, stage->clock, stage->store, &stage->settings, &ports);
        desk_add_upstream(stage->desk, "main", stage->capabilities);
        for (unsigned i = 1; i <= stage->nlanes; i++)
            desk_add_lane(stage->desk, (uint16_t)i, "counter", 0);
        if (desk_resume(stage->desk) < 0)
            stage_broke(stage, "the visits could not be resumed");
    }
    if (matcher)
        stage_matcher_program(stage, true);
    if (ocr)
        stage_ocr_program(stage, true);
    if (relay)
        stage_relay_program(stage, true);
    for (unsigned i = 1; i <= stage->nlanes; i++)
        if (readers[i])
            stage_reader_program(stage, i, true);
}

/* ---- readers --------------------------------------------------------------------------------- */

static void deliver(struct stage *stage, unsigned lane, uint16_t type, union message_body *body,
                    int fd)
{
    struct message message = {.type = type, .nfds = fd >= 0, .fds = {fd, -1}, .body = *body};

    if (!lane_reader_message(desk_lane(stage->desk, (uint16_t)lane), &message))
        stage_broke(stage, "the desk refused a lawful %s", message_name(type));
    if (fd >= 0)
        close(fd);
}

/* A reader speaks in the order in which it heard: the key of a visit before all that is said of it. */
static void from_reader(struct stage *stage, unsigned lane, uint16_t type, union message_body *body,
                        int fd)
{
    struct stage_lane *l = &stage->lanes[lane];

    while (l->keys_due > 0) {
        union message_body key = {.visit_key = {.visit = l->reader_visit, .key = {.len = 65}}};

        l->keys_due--;
        deliver(stage, lane, MSG_VISIT_KEY, &key, -1);
    }
    deliver(stage, lane, type, body, fd);
}

void stage_reader_state(struct stage *stage, unsigned lane, uint16_t reader, uint16_t camera)
{
    struct stage_lane *l = &stage->lanes[lane];
    union message_body body = {0};

    l->reader.reader = reader;
    l->reader.camera = camera;
    l->reader.card = reader != FAILURE_NONE ? 0 : (uint8_t)((l->card[0] != '\0') + l->second);
    body.reader_state = l->reader;
    if (reader != FAILURE_NONE)
        l->asked_reader = 0;
    if (l->reader_up)
        from_reader(stage, lane, MSG_READER_STATE, &body, -1);
}

void stage_reader_program(struct stage *stage, unsigned lane, bool up)
{
    struct stage_lane *l = &stage->lanes[lane];

    if (up == l->reader_up)
        return;
    l->reader_up = up;
    l->reader_visit = 0;
    l->keys_due = 0;
    l->asked_reader = 0;
    l->filming = false;
    if (up) {
        lane_reader_up(desk_lane(stage->desk, (uint16_t)lane));
        stage_reader_state(stage, lane, FAILURE_NONE, FAILURE_NONE);
    } else {
        lane_reader_down(desk_lane(stage->desk, (uint16_t)lane));
    }
}

void stage_card(struct stage *stage, unsigned lane, const char *name)
{
    struct stage_lane *l = &stage->lanes[lane];

    snprintf(l->card, sizeof(l->card), "%s", name);
    if (l->reader.reader == FAILURE_NONE)
        stage_reader_state(stage, lane, FAILURE_NONE, l->reader.camera);
}

void stage_second_card(struct stage *stage, unsigned lane, bool there)
{
    stage->lanes[lane].second = there;
    stage_reader_state(stage, lane, stage->lanes[lane].reader.reader,
                       stage->lanes[lane].reader.camera);
}

static uint64_t present(const struct stage *stage, unsigned lane)
{
    return stage->lanes[lane].shown.visit;
}

void stage_identified(struct stage *stage, unsigned lane, const struct stage_identified *how)
{
    struct stage_lane *l = &stage->lanes[lane];
    union message_body body = {0};
    struct msg_card_identified *m = &body.card_identified;
    int64_t now = (int64_t)(clock_realtime_us(stage->clock) / CLOCK_SECOND);

    m->visit = present(stage, lane);
    m->token = 1;
    m->certificate.len = 600;
    memset(m->certificate.data, l->card[0], m->certificate.len);
    m->subject.len = 32;
    strncpy((char *)m->subject.data, l->card, 31);
    m->valid_from = now - 86400;
    m->valid_until = now + (int64_t)86400 * (how->ends != 0 ? how->ends : 365);
    m->pin_tries = how->pin;
    m->number_b_tries = how->number_b;
    m->certificate_chain = how->chain;
    m->apdus = 9;
    m->elapsed_ms = 120;
    l->asked_reader = 0;
    from_reader(stage, lane, MSG_CARD_IDENTIFIED, &body, -1);
}

void stage_photo(struct stage *stage, unsigned lane, const struct stage_photo *how)
{
    union message_body body = {0};
    struct msg_card_photo_read *m = &body.card_photo_read;

    m->visit = present(stage, lane);
    m->number_b_tries = 10;
    m->record = how->record;
    m->challenge = how->challenge;
    strcpy(m->birth, how->birth);
    strcpy(m->sex, how->sex);
    strcpy(m->expiry, "20330707");
    strcpy(m->name, "架空　花子");
    m->photo_bytes = 5;
    m->apdus = 31;
    m->elapsed_ms = 480;
    stage->lanes[lane].asked_reader = 0;
    from_reader(stage, lane, MSG_CARD_PHOTO_READ, &body, memfd_seal("photo", "photo", 5));
}

void stage_signed(struct stage *stage, unsigned lane)
{
    union message_body body = {0};
    struct msg_card_signed *m = &body.card_signed;

    m->visit = present(stage, lane);
    m->pin_tries = 3;
    m->statement.len = 100;
    memset(m->statement.data, 's', 100);
    m->signature.len = 256;
    memset(m->signature.data, 'g', 256);
    m->apdus = 5;
    m->elapsed_ms = 210;
    stage->lanes[lane].asked_reader = 0;
    from_reader(stage, lane, MSG_CARD_SIGNED, &body, -1);
}

static union message_body card_failed(const struct stage *stage, unsigned lane, uint16_t failure,
                                      uint8_t tries)
{
    static const struct {
        uint8_t state;
        uint16_t operation;
    } operations[] = {{VISIT_CARD, MSG_CARD_IDENTIFY},
                      {VISIT_PHOTO, MSG_CARD_PHOTO},
                      {VISIT_PIN_CHECK, MSG_CARD_SIGN}};
    union message_body body = {0};
    struct msg_card_failed *m = &body.card_failed;

    m->visit = present(stage, lane);
    for (size_t i = 0; i < 3; i++)
        if (operations[i].state == stage->lanes[lane].shown.state)
            m->operation = operations[i].operation;
    m->failure = failure;
    m->tries = tries;
    m->apdus = 3;
    return body;
}

void stage_card_failed(struct stage *stage, unsigned lane, uint16_t failure, uint8_t tries)
{
    union message_body body = card_failed(stage, lane, failure, tries);

    stage->lanes[lane].asked_reader = 0;
    from_reader(stage, lane, MSG_CARD_FAILED, &body, -1);
}

bool stage_card_failed_before(struct stage *stage, unsigned lane, uint16_t failure, uint8_t tries)
{
    union message_body body = card_failed(stage, lane, failure, tries);

    if (stage->lanes[lane].keys_due == 0)
        return false;
    deliver(stage, lane, MSG_CARD_FAILED, &body, -1);
    return true;
}

void stage_camera_failed(struct stage *stage, unsigned lane, uint16_t failure)
{
    union message_body body = {0};

    body.camera_failed.visit = present(stage, lane);
    body.camera_failed.failure = failure;
    from_reader(stage, lane, MSG_CAMERA_FAILED, &body, -1);
}

void stage_frame(struct stage *stage, unsigned lane)
{
    union message_body body = {0};

    body.camera_frame.visit = present(stage, lane);
    body.camera_frame.format = 1;
    body.camera_frame.bytes = 4;
    from_reader(stage, lane, MSG_CAMERA_FRAME, &body, memfd_seal("frame", "jpeg", 4));
}

/* ---- matcher, OCR ---------------------------------------------------------------------------- */

void stage_matcher_program(struct stage *stage, bool up)
{
    if (up == stage->matcher_up)
        return;
    stage->matcher_up = up;
    if (up)
        lane_matcher_up(stage->desk);
    else
        lane_matcher_down(stage->desk);
}

void stage_ocr_program(struct stage *stage, bool up)
{
    if (up == stage->ocr_up)
        return;
    stage->ocr_up = up;
    if (up)
        lane_ocr_up(stage->desk);
    else
        lane_ocr_down(stage->desk);
}

static void from_matcher(struct stage *stage, uint16_t type, union message_body *body)
{
    struct message message = {.type = type, .fds = {-1, -1}, .body = *body};

    if (!lane_matcher_message(stage->desk, &message))
        stage_broke(stage, "the desk refused a lawful %s", message_name(type));
}

void stage_match_ready(struct stage *stage, unsigned lane)
{
    union message_body body = {0};

    body.match_ready.visit = present(stage, lane);
    from_matcher(stage, MSG_MATCH_READY, &body);
}

void stage_match_failed(struct stage *stage, unsigned lane, uint16_t failure)
{
    union message_body body = {0};

    body.match_failed.visit = present(stage, lane);
    body.match_failed.failure = failure;
    from_matcher(stage, MSG_MATCH_FAILED, &body);
}

void stage_match_result(struct stage *stage, unsigned lane, uint8_t decision, uint16_t hint)
{
    union message_body body = {0};
    struct msg_match_result *m = &body.match_result;

    m->visit = present(stage, lane);
    m->failure = hint;
    m->decision = decision;
    m->score_milli = decision == 1 ? 712 : 105;
    m->liveness = decision == 3 ? LIVENESS_FAILED : LIVENESS_PASSED;
    from_matcher(stage, MSG_MATCH_RESULT, &body);
}

void stage_ocr_result(struct stage *stage, unsigned lane, bool read, uint16_t hint)
{
    struct message message = {.type = MSG_OCR_RESULT, .fds = {-1, -1}};
    struct msg_ocr_result *m = &message.body.ocr_result;

    m->visit = present(stage, lane);
    m->failure = hint;
    if (read) {
        m->sealed.len = 100;
        stage->lanes[lane].numbers_given++;
    }
    if (!lane_ocr_message(stage->desk, &message))
        stage_broke(stage, "the desk refused a lawful OCR_RESULT");
}

/* ---- kiosk, board, command ------------------------------------------------------------------- */

void stage_act(struct stage *stage, unsigned lane, const struct stage_act *act)
{
    struct stage_lane *l = &stage->lanes[lane];
    struct msg_lane_action m = {.request = 7,
                                .lane = (uint16_t)lane,
                                .visit = lane > 0 ? l->shown.visit : l->item.visit,
                                .step = l->shown.step - act->stale,
                                .action = (uint8_t)act->action,
                                .surface = (uint8_t)act->surface,
                                .consents = act->consents};

    /* The board may still show a visit whose lane is free again. */
    if (act->action == ACTION_STAFF_LOOKED)
        m.visit = l->item.visit;
    if (act->surface != 'K' && !act->nobody)
        strcpy(m.staff, "佐藤");
    if ((act->action == ACTION_SEND_PIN || act->action == ACTION_SEND_NUMBER_B) && !act->empty) {
        m.sealed.len = 97;
        memset(m.sealed.data, 'c', m.sealed.len);
    }
    if (act->action == ACTION_SEND_PIN && (!act->empty || l->reader.pin_pad))
        l->pins_given++;
    if (act->action == ACTION_SEND_NUMBER_B && !act->empty)
        l->numbers_given++;
    action_lane(stage->desk, &m, &stage->result);
    if (!stage->result.accepted && act->action == ACTION_SEND_PIN &&
        (!act->empty || l->reader.pin_pad))
        l->pins_given--;
    if (!stage->result.accepted && act->action == ACTION_SEND_NUMBER_B && !act->empty)
        l->numbers_given--;
}

void stage_look_up(struct stage *stage, const struct stage_lookup *lookup)
{
    struct msg_lookup m = {.request = 8,
                           .visit = lookup->visit,
                           .lane = lookup->lane,
                           .surface = 'B',
                           .limit_consent = !lookup->no_limit};

    strcpy(m.staff, "佐藤");
    message_text(m.insurer, sizeof(m.insurer), lookup->insurer);
    message_text(m.symbol, sizeof(m.symbol), lookup->symbol);
    message_text(m.number, sizeof(m.number), lookup->number);
    message_text(m.branch, sizeof(m.branch), lookup->branch);
    message_text(m.birth, sizeof(m.birth), lookup->birth);
    action_lookup(stage->desk, &m, &stage->result);
}

void stage_advance(struct stage *stage, uint64_t us)
{
    clock_advance(stage->clock, us);
}

unsigned stage_count_sent(const struct stage *stage, uint16_t type, unsigned lane, size_t from)
{
    unsigned n = 0;

    for (size_t i = from; i < stage->nsent; i++)
        n += stage->sent[i].type == type && (lane == 0 || stage->sent[i].lane == lane);
    return n;
}
