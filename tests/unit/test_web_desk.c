/* uketsuke-web between pages and desk: what it asks, what it tells on, and to whom. */
#include "web_rig.h"

#include "failure.h"
#include "xmlmsg.h"

static struct msg_lane_state lane_of(uint16_t number)
{
    struct msg_lane_state lane = {
        .lane = number, .visit = 7, .step = 9, .pin_tries = 3, .number_b_tries = 10};

    MESSAGE_TEXT(lane.label, "正面");
    MESSAGE_TEXT(lane.patient, "山田 花子");
    return lane;
}

/* ---- actions --------------------------------------------------------------------------------- */

static void accept_action(struct rig *rig, const struct message *message)
{
    if (message->type == MSG_LANE_ACTION || message->type == MSG_LOOKUP) {
        uint32_t request;
        struct msg_action_result result = {.accepted = 1, .visit = 12};

        memcpy(&request, &message->body, sizeof(request));
        result.request = request;
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
    } else {
        rig_desk_plain(rig, message);
    }
}

static void an_action_reaches_the_desk_as_it_was_meant(void **state)
{
    struct rig *rig = *state;
    const struct msg_lane_action *m = &rig->last.body.lane_action;
    struct reply *reply;

    rig->on_desk = accept_action;
    reply = post(rig, "/api/lanes/2/actions", BEARER(LANE2_TOKEN) JSON_OF("kiosk"),
                 "{\"visit\":\"18446744073709551615\",\"step\":4294967295,\"action\":\"send_pin\","
                 "\"sealed\":\"AAECA/+/\"}");
    assert_int_equal(reply->status, 200);
    assert_string_equal(reply->body, "{\"accepted\":true,\"visit\":\"12\"}");
    assert_int_equal(rig->last.type, MSG_LANE_ACTION);
    assert_int_equal(m->lane, 2);
    assert_true(m->visit == UINT64_MAX);
    assert_true(m->step == UINT32_MAX);
    assert_int_equal(m->action, ACTION_SEND_PIN);
    assert_int_equal(m->surface, 'K');
    assert_int_equal(m->sealed.len, 6);
    assert_memory_equal(m->sealed.data, "\x00\x01\x02\x03\xff\xbf", 6);
    assert_string_equal(m->staff, "");
    reply = post(
        rig, "/api/lanes/1/actions", BEARER(LANE1_TOKEN) JSON_OF("kiosk"),
        "{\"visit\":null,\"step\":0,\"action\":\"consent\",\"consents\":[\"limit\",\"checkup\"]}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(m->visit, 0);
    assert_int_equal(m->consents, CONSENT_LIMIT | CONSENT_CHECKUP);
    reply = post(rig, "/api/lanes/1/actions", BEARER(STAFF_TOKEN) JSON_OF("board"),
                 "{\"visit\":\"7\",\"step\":9,\"action\":\"staff_confirm\"}");
    assert_int_equal(reply->status, 200);
    assert_int_equal(m->surface, 'B');
    assert_int_equal(m->action, ACTION_STAFF_CONFIRM);
}

static void each_surface_has_its_own_actions(void **state)
{
    struct rig *rig = *state;

    rig->on_desk = accept_action;
    rig->got = 0;
    for (unsigned a = ACTION_NONE + 1; a < VISIT_ACTION_COUNT; a++) {
        char body[100];

        (void)snprintf(body, sizeof(body), "{\"visit\":\"7\",\"step\":9,\"action\":\"%s\"}",
                       visit_action_name(a));
        assert_int_equal(
            post(rig, "/api/lanes/1/actions", BEARER(LANE1_TOKEN) JSON_OF("kiosk"), body)->status,
            strchr(visit_action_who(a), 'K') != NULL ? 200 : 403);
        assert_int_equal(
            post(rig, "/api/lanes/1/actions", BEARER(STAFF_TOKEN) JSON_OF("board"), body)->status,
            strchr(visit_action_who(a), 'B') != NULL ? 200 : 403);
    }
    /* Nobody speaks as the other one. */
    assert_int_equal(post(rig, "/api/lanes/1/actions", BEARER(STAFF_TOKEN) JSON_OF("kiosk"),
                          "{\"step\":1,\"action\":\"yes\"}")
                         ->status,
                     403);
    assert_int_equal(post(rig, "/api/lanes/1/actions", BEARER(LANE1_TOKEN) JSON_OF("board"),
                          "{\"step\":1,\"action\":\"staff_end\"}")
                         ->status,
                     403);
    assert_int_equal(post(rig, "/api/lanes/2/actions", BEARER(LANE1_TOKEN) JSON_OF("kiosk"),
                          "{\"step\":1,\"action\":\"yes\"}")
                         ->status,
                     403);
    assert_int_equal(post(rig, "/api/lookup", BEARER(LANE1_TOKEN) JSON_OF("kiosk"), "{}")->status,
                     403);
}

static void refuse_action(struct rig *rig, const struct message *message)
{
    struct msg_action_result result = {.failure = FAILURE_LOOKUP_FORMAT};

    memcpy(&result.request, &message->body, sizeof(result.request));
    MESSAGE_TEXT(result.field, "birth");
    if (message->type == MSG_LANE_ACTION || message->type == MSG_LOOKUP)
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
}

static void a_refusal_comes_in_the_words_for_who_asked(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    rig->on_desk = refuse_action;
    reply = post(rig, "/api/lookup", BEARER(STAFF_TOKEN) JSON_OF("board"),
                 "{\"insurer\":\"06123456\",\"symbol\":\"１２\",\"number\":\"34\",\"branch\":"
                 "\"01\",\"birth\":\"1955\",\"limit_consent\":true}");
    assert_int_equal(reply->status, 409);
    assert_string_equal(
        reply->body,
        "{\"error\":{\"code\":\"E019\",\"ja\":\"番号・生年月日の形が正しくありません。\",\"en\":"
        "\"Numbers or birth date are "
        "not of the right form.\",\"next\":\"retry\",\"field\":\"birth\"}}");
    assert_string_equal(rig->last.body.lookup.insurer, "06123456");
    assert_string_equal(rig->last.body.lookup.symbol, "１２");
    assert_int_equal(rig->last.body.lookup.limit_consent, 1);
    assert_int_equal(rig->last.body.lookup.surface, 'B');
    reply = post(rig, "/api/lanes/1/actions", BEARER(LANE1_TOKEN) JSON_OF("kiosk"),
                 "{\"step\":1,\"action\":\"yes\"}");
    assert_int_equal(reply->status, 409);
    assert_non_null(strstr(reply->body, "\"ja\":\"入力を確かめてください。\""));
    assert_int_equal(post(rig, "/api/lookup", BEARER(STAFF_TOKEN) JSON_OF("board"),
                          "{\"insurer\":\"123456789\"}")
                         ->status,
                     422);
}

/* ---- a desk that does not answer ------------------------------------------------------------- */

static void mute(struct rig *rig, const struct message *message)
{
    (void)rig;
    (void)message;
}

static void a_silent_desk_is_waited_for_five_seconds(void **state)
{
    struct rig *rig = *state;
    struct reply reply;
    int fd;

    rig->on_desk = mute;
    fd = client_begin(rig, "GET", "/api/visits", BEARER(STAFF_TOKEN), NULL);
    rig_advance(rig, 4900 * CLOCK_MS);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.len, 0);
    rig_advance(rig, 200 * CLOCK_MS);
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 504);
    close(fd);
}

static void a_desk_that_goes_away_is_said_at_once_and_found_again(void **state)
{
    struct rig *rig = *state;
    struct reply reply;
    int fd;

    rig->on_desk = mute;
    fd = client_begin(rig, "GET", "/metrics", "", NULL);
    close(rig->desk);
    rig->desk = -1;
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 503);
    close(fd);
    rig->on_desk = rig_desk_plain;
    rig_advance(rig, 3 * CLOCK_SECOND);
    assert_int_equal(get(rig, "/api/health", "")->status, 200);
    assert_int_equal(get(rig, "/api/lanes/1", BEARER(LANE1_TOKEN))->status, 200);
}

static void a_client_that_leaves_while_waiting_costs_nothing(void **state)
{
    struct rig *rig = *state;
    struct msg_visits_end end = {0};
    int fd;

    rig->on_desk = mute;
    fd = client_begin(rig, "GET", "/api/visits", BEARER(STAFF_TOKEN), NULL);
    end.request = rig->last.body.visits_query.request;
    close(fd);
    rig_send(rig, MSG_VISITS_END, &end, -1);
    rig_pump(rig);
    rig_advance(rig, CLOCK_SECOND);
    assert_int_equal(server_connections(rig->web.server), 0);
}

/* ---- visits and answers ---------------------------------------------------------------------- */

static void one_answer(struct rig *rig, const struct message *message)
{
    if (rig_view(rig, message))
        return;
    if (message->type == MSG_ANSWER_QUERY) {
        struct xmlmsg *root = xmlmsg_new("XmlMsg");
        struct msg_answer answer = {.request = message->body.answer_query.request,
                                    .visit = message->body.answer_query.visit};
        uint8_t *packed;
        size_t len;

        assert_int_equal(xmlmsg_set(root, "MessageBody/QualificationValidity", "1"), 0);
        assert_int_equal(xmlmsg_set(root,
                                    "MessageBody/ResultList/ResultOfQualificationConfirmation/Name",
                                    "山田 <花子>"),
                         0);
        assert_int_equal(xmlmsg_pack(root, &packed, &len), 0);
        answer.bytes = (uint32_t)len;
        rig_send_memfd(rig, MSG_ANSWER, &answer, packed, len);
        free(packed);
        xmlmsg_free(&root);
    } else if (message->type == MSG_SLIPS_QUERY) {
        struct msg_slip_item slip = {.request = message->body.slips_query.request,
                                     .visit = 5,
                                     .kind = SLIP_NEWBORN,
                                     .state = SLIP_STATE_NUMBERS,
                                     .failure = FAILURE_SLIP_NUMBERS};
        struct msg_slips_end end = {.request = slip.request, .count = 1};

        rig_send(rig, MSG_SLIP_ITEM, &slip, -1);
        rig_send(rig, MSG_SLIPS_END, &end, -1);
    } else if (message->type == MSG_VISITS_QUERY) {
        struct msg_visit_item item = {.request = message->body.visits_query.request,
                                      .visit = 7,
                                      .lane = 1,
                                      .opened = 1795338000};
        struct msg_visits_end end = {.request = item.request, .count = 1};

        item.match = MATCH_DOUBT;
        item.flags = VISIT_FLAG_WHO | VISIT_FLAG_CHANGED;
        MESSAGE_TEXT(item.candidates, "PT1\t山田　花子\tnumbers\nPT2\t\tname\n");
        MESSAGE_TEXT(item.since, "20261001");
        MESSAGE_TEXT(item.changes, "address\t見本市\t例町 \"1\"\nratio\t\t030\n");
        MESSAGE_TEXT(item.name, "山田 花子");
        if (message->body.visits_query.visit == 0 || message->body.visits_query.visit == 7)
            rig_send(rig, MSG_VISIT_ITEM, &item, -1);
        rig_send(rig, MSG_VISITS_END, &end, -1);
    }
}

static void visits_and_answers_are_for_the_board(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    rig->on_desk = one_answer;
    reply = get(rig, "/api/visits/7/answer", BEARER(STAFF_TOKEN));
    assert_int_equal(reply->status, 200);
    assert_string_equal(reply->body,
                        "{\"visit\":\"7\",\"answer\":{\"XmlMsg\":{\"MessageBody\":{"
                        "\"QualificationValidity\":\"1\",\"ResultList\":"
                        "[{\"ResultOfQualificationConfirmation\":{\"Name\":\"山田 <花子>\"}}]}}}}");
    assert_non_null(strstr(reply->text, "Content-Type: application/json\r\n"));
    assert_int_equal(get(rig, "/api/visits/8", BEARER(STAFF_TOKEN))->status, 404);
    assert_non_null(
        strstr(get(rig, "/api/visits/7", BEARER(STAFF_TOKEN))->body, "\"name\":\"山田 花子\""));
    assert_non_null(strstr(
        get(rig, "/api/visits/7", BEARER(STAFF_TOKEN))->body,
        "\"match\":\"doubt\",\"patient\":null,\"alias\":\"\",\"candidates\":["
        "{\"number\":\"PT1\",\"name\":\"山田　花子\",\"by\":\"numbers\"},"
        "{\"number\":\"PT2\",\"name\":\"\",\"by\":\"name\"}],\"since\":\"20261001\",\"changes\":["
        "{\"field\":\"address\",\"old\":\"見本市\",\"new\":\"例町 \\\"1\\\"\"},"
        "{\"field\":\"ratio\",\"old\":\"\",\"new\":\"030\"}]"));
    assert_non_null(strstr(get(rig, "/api/visits/7", BEARER(STAFF_TOKEN))->body,
                           "\"flags\":[\"who\",\"changed\"]"));
    reply = get(rig, "/api/visits?since=100&until=200&limit=5", BEARER(STAFF_TOKEN));
    assert_int_equal(reply->status, 200);
    assert_int_equal(rig->last.body.visits_query.since, 100);
    assert_int_equal(rig->last.body.visits_query.until, 200);
    assert_int_equal(rig->last.body.visits_query.limit, 5);
    assert_string_equal(rig->last.body.visits_query.staff, "(token)");
    assert_int_equal(get(rig, "/api/visits?limit=401", BEARER(STAFF_TOKEN))->status, 422);
    assert_int_equal(get(rig, "/api/visits?before=7x", BEARER(STAFF_TOKEN))->status, 422);
    assert_int_equal(get(rig, "/api/visits?since=-1", BEARER(STAFF_TOKEN))->status, 422);
    assert_int_equal(get(rig, "/api/visits?since=1x", BEARER(STAFF_TOKEN))->status, 422);
}

static void house_answers(struct rig *rig, const struct message *message)
{
    static const char metrics[] = "# TYPE uketsuke_visits_total counter\nuketsuke_visits_total 3\n";

    if (message->type == MSG_METRICS_QUERY) {
        struct msg_metrics m = {.request = message->body.metrics_query.request,
                                .bytes = sizeof(metrics) - 1};

        rig_send_memfd(rig, MSG_METRICS, &m, metrics, sizeof(metrics) - 1);
    } else if (message->type == MSG_HEALTH_QUERY) {
        struct msg_health_item item = {.request = message->body.health_query.request,
                                       .state = 2,
                                       .failure = FAILURE_READER_ABSENT};
        struct msg_health_end end = {.request = item.request};

        MESSAGE_TEXT(item.component, "reader 1");
        rig_send(rig, MSG_HEALTH_ITEM, &item, -1);
        rig_send(rig, MSG_HEALTH_END, &end, -1);
    } else if (message->type == MSG_DEVICES_QUERY) {
        struct msg_device_item item = {
            .request = message->body.devices_query.request, .lane = 1, .vendor = 0x054c, .use = 3};
        struct msg_devices_end end = {.request = item.request};

        MESSAGE_TEXT(item.holder, "pcscd");
        rig_send(rig, MSG_DEVICE_ITEM, &item, -1);
        rig_send(rig, MSG_DEVICES_END, &end, -1);
    }
}

static void the_house_is_shown(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    rig->on_desk = house_answers;
    reply = get(rig, "/metrics", "");
    assert_int_equal(reply->status, 200);
    assert_non_null(
        strstr(reply->text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_int_equal(
        strncmp(reply->body, "# TYPE uketsuke_visits_total counter\nuketsuke_visits_total 3\n", 61),
        0);
    assert_non_null(strstr(reply->body, "\nuketsuke_web_connections 1\n"));
    assert_string_equal(get(rig, "/api/health", "")->body, "{\"status\":\"ok\",\"desk\":true}");
    reply = get(rig, "/api/health", BEARER(STAFF_TOKEN));
    assert_non_null(strstr(reply->body, "\"status\":\"degraded\""));
    assert_non_null(strstr(reply->body, "\"component\":\"reader 1\""));
    assert_non_null(strstr(reply->body, "\"code\":\"R001\""));
    assert_non_null(
        strstr(get(rig, "/api/devices", BEARER(STAFF_TOKEN))->body, "\"holder\":\"pcscd\""));
}

/* ---- previews -------------------------------------------------------------------------------- */

static void send_preview(struct rig *rig, uint16_t lane, uint64_t visit, uint32_t frame,
                         const char *bytes)
{
    struct msg_lane_preview m = {
        .lane = lane, .visit = visit, .frame = frame, .bytes = (uint32_t)strlen(bytes)};

    rig_send_memfd(rig, MSG_LANE_PREVIEW, &m, bytes, strlen(bytes));
    rig_pump(rig);
}

static void the_newest_preview_is_given_when_it_comes(void **state)
{
    struct rig *rig = *state;
    struct msg_lane_state lane = lane_of(1);
    struct reply reply;
    int fd;

    lane.state = VISIT_FACE;
    rig_lane(rig, &lane);
    rig_pump(rig);
    fd = client_begin(rig, "GET", "/api/lanes/1/preview", BEARER(LANE1_TOKEN), NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.len, 0); /* waits */
    send_preview(rig, 1, 8, 1, "of another visit");
    send_preview(rig, 2, 7, 1, "of another lane");
    send_preview(rig, 1, 7, 5, "jpeg five");
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "jpeg five");
    assert_non_null(strstr(reply.text, "X-Frame: 5\r\n"));
    assert_non_null(strstr(reply.text, "Content-Type: image/jpeg\r\n"));
    close(fd);
    send_preview(rig, 1, 7, 6, "jpeg six");
    send_preview(rig, 1, 7, 9, "jpeg nine");
    assert_string_equal(get(rig, "/api/lanes/1/preview?after=5", BEARER(LANE1_TOKEN))->body,
                        "jpeg nine");
    /* Nothing newer for two seconds. */
    fd = client_begin(rig, "GET", "/api/lanes/1/preview?after=9", BEARER(LANE1_TOKEN), NULL);
    rig_advance(rig, 2100 * CLOCK_MS);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 204);
    close(fd);
    /* The picture is gone with the step. */
    lane.state = VISIT_CONSENT;
    rig_lane(rig, &lane);
    rig_pump(rig);
    send_preview(rig, 1, 7, 10, "too late");
    fd = client_begin(rig, "GET", "/api/lanes/1/preview?after=0", BEARER(LANE1_TOKEN), NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.len, 0);
    close(fd);
    rig_pump(rig);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void a_kiosk_hears_its_lane_and_no_name(void **state)
{
    struct rig *rig = *state;
    struct msg_lane_state lane = lane_of(2);
    struct msg_visit_item visit = {.visit = 7, .lane = 1};
    static struct reply reply;
    int fd = client_begin(rig, "GET", "/api/lanes/1/events", BEARER(LANE1_TOKEN), NULL);

    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.text, "Content-Type: text/event-stream; charset=utf-8\r\n"));
    assert_non_null(
        strstr(reply.text, "event: settings\ndata: {\"voice\":\"off\",\"keypad\":\"fixed\"}\n\n"));
    assert_non_null(strstr(reply.text, "event: desk\ndata: {\"up\":true}\n\n"));
    assert_non_null(strstr(reply.text, "event: lane\ndata: {\"lane\":1,"));
    lane.state = VISIT_PIN;
    rig_lane(rig, &lane); /* another's */
    lane.lane = 1;
    lane.failure = FAILURE_PIN_WRONG;
    rig_lane(rig, &lane);
    visit.request = rig->subscription;
    MESSAGE_TEXT(visit.name, "山田 花子");
    rig_send(rig, MSG_VISIT_ITEM, &visit, -1);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "\"state\":\"pin\""));
    assert_non_null(strstr(reply.text, "\"code\":\"P001\""));
    assert_null(strstr(reply.text, "\"lane\":2"));
    assert_null(strstr(reply.text, "山田"));
    assert_null(strstr(reply.text, "event: visit"));
    close(fd);
}

static void a_board_hears_the_full_state_first_and_then_what_happens(void **state)
{
    struct rig *rig = *state;
    struct msg_visit_item visit = {.visit = 8, .lane = 1};
    static struct reply reply;
    struct msg_slip_item slip = {.visit = 9};
    struct msg_disaster_state disaster = {.cause = DISASTER_OUTAGE, .until = 1795400000};
    const char *desk, *lane, *item, *ready, *waits;
    int fd;

    rig->on_desk = one_answer;
    fd = client_begin(rig, "GET", "/api/events", BEARER(STAFF_TOKEN), NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    desk = strstr(reply.text, "event: desk");
    lane = strstr(reply.text, "event: lane\ndata: {\"lane\":2");
    item = strstr(reply.text, "event: visit\ndata: {\"visit\":\"7\"");
    ready =
        strstr(reply.text, "event: ready\ndata: {\"count\":1,\"older\":null,\"older_slips\":null}");
    assert_non_null(desk);
    waits = strstr(reply.text, "event: slip\ndata: {\"visit\":\"5\"");
    assert_true(lane > desk && waits > lane && item > waits && ready > item);
    assert_non_null(strstr(reply.text, "event: disaster\ndata: {\"cause\":null,"));
    rig_send(rig, MSG_SLIP_ITEM, &slip, -1);
    rig_send(rig, MSG_DISASTER_STATE, &disaster, -1);
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "event: slip\ndata: {\"visit\":\"9\""));
    assert_non_null(strstr(reply.text, "event: disaster\ndata: {\"cause\":\"outage\""));
    visit.request = rig->subscription;
    rig_send(rig, MSG_VISIT_ITEM, &visit, -1);
    client_read(rig, fd, &reply);
    assert_true(strstr(reply.text, "event: visit\ndata: {\"visit\":\"8\"") > ready);
    /* The desk dies and comes back: said, and the full state again. */
    close(rig->desk);
    rig->desk = -1;
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "event: desk\ndata: {\"up\":false}"));
    rig->on_desk = rig_desk_plain;
    rig_advance(rig, 3 * CLOCK_SECOND);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "event: desk\ndata: {\"up\":true}"));
    assert_non_null(strstr(
        reply.text, "event: ready\ndata: {\"count\":0,\"older\":null,\"older_slips\":null}"));
    close(fd);
}

static struct message asked[8]; /* since it was emptied */
static unsigned nasked;
static uint16_t because; /* why the desk refuses to be looked at; FAILURE_NONE: it does not */

static void writes_it_down(struct rig *rig, const struct message *message)
{
    struct msg_action_result result = {.request = message->body.view.request, .failure = because};

    if (nasked < sizeof(asked) / sizeof(asked[0]))
        asked[nasked++] = *message;
    if (message->type == MSG_VIEW && because != FAILURE_NONE)
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
    else if (message->type == MSG_SUBSCRIBE)
        rig_desk_plain(rig, message);
    else
        one_answer(rig, message);
}

static void mute_about_views(struct rig *rig, const struct message *message)
{
    if (message->type == MSG_SUBSCRIBE)
        rig_desk_plain(rig, message);
}

/* Somebody who signed in with that name by the board's token. */
static const char *cookie_as(struct rig *rig, const char *name)
{
    static char line[SESSION_COOKIE_MAX + 20];
    char head[200], body[200];
    struct reply *reply;
    const char *at;

    (void)snprintf(head, sizeof(head), "%s%s", origin_line(rig), JSON_OF("board"));
    (void)snprintf(body, sizeof(body), "{\"token\":\"" STAFF_TOKEN "\",\"name\":\"%s\"}", name);
    reply = post(rig, "/api/session", head, body);
    assert_int_equal(reply->status, 200);
    at = strstr(reply->text, "Set-Cookie: ");
    assert_non_null(at);
    (void)snprintf(line, sizeof(line), "Cookie: %.*s\r\n", (int)strcspn(at + 12, ";"), at + 12);
    return line;
}

static void nothing_is_shown_before_it_is_written_down_who_looks(void **state)
{
    struct rig *rig = *state;
    const char *cookie = cookie_as(rig, "受付 鈴木");
    struct msg_visit_item visit = {.visit = 8, .lane = 1};
    static struct reply reply;
    int fd;

    /* A desk that has not answered yet: the stream stands, and nothing of anybody is on it. */
    rig->on_desk = mute_about_views;
    fd = client_begin(rig, "GET", "/api/events", cookie, NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_int_equal(reply.status, 200);
    visit.request = rig->subscription;
    rig_send(rig, MSG_VISIT_ITEM, &visit, -1);
    client_read(rig, fd, &reply);
    assert_null(strstr(reply.text, "event:"));
    close(fd);
    rig_advance(rig, 16 * CLOCK_SECOND);
    /* Who, and that it is a board; what a board is told then is not asked in anybody's name again. */
    nasked = 0;
    because = FAILURE_NONE;
    rig->on_desk = writes_it_down;
    fd = client_begin(rig, "GET", "/api/events", cookie, NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "event: ready"));
    close(fd);
    assert_int_equal(nasked, 3);
    assert_int_equal(asked[0].type, MSG_VIEW);
    assert_int_equal(asked[0].body.view.view, VIEW_BOARD);
    assert_string_equal(asked[0].body.view.staff, "受付 鈴木");
    assert_int_equal(asked[1].type, MSG_SLIPS_QUERY);
    assert_string_equal(asked[1].body.slips_query.staff, "");
    assert_int_equal(asked[2].type, MSG_VISITS_QUERY);
    assert_string_equal(asked[2].body.visits_query.staff, "");
    /* Each list asked for is asked for by name. */
    nasked = 0;
    assert_int_equal(get(rig, "/api/visits", cookie)->status, 200);
    assert_int_equal(get(rig, "/api/visits/7", cookie)->status, 200);
    assert_int_equal(get(rig, "/api/slips", cookie)->status, 200);
    assert_int_equal(get(rig, "/api/lanes", cookie)->status, 200);
    assert_int_equal(get(rig, "/api/lanes/1", cookie)->status, 200);
    assert_int_equal(nasked, 5);
    assert_string_equal(asked[0].body.visits_query.staff, "受付 鈴木");
    assert_string_equal(asked[1].body.visits_query.staff, "受付 鈴木");
    assert_string_equal(asked[2].body.slips_query.staff, "受付 鈴木");
    assert_int_equal(asked[3].body.view.view, VIEW_LANES);
    assert_string_equal(asked[4].body.view.staff, "受付 鈴木");
    /* The kiosk's own lane is nobody's look. */
    nasked = 0;
    assert_int_equal(get(rig, "/api/lanes/1", BEARER(LANE1_TOKEN))->status, 200);
    assert_int_equal(nasked, 0);
}

static void what_cannot_be_written_down_is_not_shown(void **state)
{
    struct rig *rig = *state;
    struct reply *answer;
    static struct reply reply;
    int fd;

    because = FAILURE_DESK_STORE;
    rig->on_desk = writes_it_down;
    answer = get(rig, "/api/lanes", BEARER(STAFF_TOKEN));
    assert_int_equal(answer->status, 503);
    assert_non_null(strstr(answer->body, "\"code\":\"S001\""));
    assert_int_equal(get(rig, "/api/lanes/1", BEARER(STAFF_TOKEN))->status, 503);
    /* A board's stream ends, so that its page comes back by itself. */
    fd = client_begin(rig, "GET", "/api/events", BEARER(STAFF_TOKEN), NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_true(reply.closed || strstr(reply.text, "\r\n0\r\n") != NULL);
    assert_null(strstr(reply.text, "event: lane"));
    close(fd);
    rig_pump(rig);
    assert_int_equal(events_count(rig->web.events, 0), 0);
}

/* A board that is still open says so again, so that the log shows until when. */
static void a_board_that_stays_open_is_written_down_again(void **state)
{
    struct rig *rig = *state;
    static struct reply reply;
    unsigned views = 0;
    int fd;

    because = FAILURE_NONE;
    rig->on_desk = writes_it_down;
    fd = client_begin(rig, "GET", "/api/events", cookie_as(rig, "受付 鈴木"), NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "event: ready"));
    nasked = 0;
    for (unsigned minute = 0; minute < 60; minute++)
        rig_advance(rig, CLOCK_MINUTE);
    for (unsigned i = 0; i < nasked; i++) {
        views += asked[i].type == MSG_VIEW;
        assert_int_equal(asked[i].type, MSG_VIEW); /* and is shown nothing anew by that */
        assert_string_equal(asked[i].body.view.staff, "受付 鈴木");
    }
    assert_int_equal(views, 2);
    assert_int_equal(events_count(rig->web.events, 0), 1);
    /* From then on it cannot be written down: it is shown nothing more. */
    because = FAILURE_DESK_STORE;
    for (unsigned minute = 0; minute < 31; minute++)
        rig_advance(rig, CLOCK_MINUTE);
    assert_int_equal(events_count(rig->web.events, 0), 0);
    close(fd);
    rig_pump(rig);
}

/* A board that came while there was no desk is written down when there is one, before it is shown anything. */
static void a_board_without_a_desk_is_opened_when_there_is_one(void **state)
{
    struct rig *rig = *state;
    static struct reply reply;
    int fd;

    close(rig->desk);
    rig->desk = -1;
    rig_pump(rig);
    fd = client_begin(rig, "GET", "/api/events", BEARER(STAFF_TOKEN), NULL);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, fd, &reply);
    assert_non_null(strstr(reply.text, "event: desk\ndata: {\"up\":false}"));
    nasked = 0;
    because = FAILURE_NONE;
    rig->on_desk = writes_it_down;
    memset(&reply, 0, sizeof(reply));
    rig_advance(rig, 3 * CLOCK_SECOND);
    client_read(rig, fd, &reply);
    close(fd);
    assert_non_null(strstr(reply.text, "event: desk\ndata: {\"up\":true}"));
    assert_non_null(strstr(reply.text, "event: lane\ndata: {\"lane\":2"));
    assert_non_null(strstr(
        reply.text, "event: ready\ndata: {\"count\":1,\"older\":null,\"older_slips\":null}"));
    assert_int_equal(nasked, 4);
    assert_int_equal(asked[0].type, MSG_SUBSCRIBE);
    assert_int_equal(asked[1].type, MSG_VIEW);
    assert_string_equal(asked[1].body.view.staff, "(token)");
    rig_pump(rig);
}

static void a_listener_that_left_is_found_and_one_that_stays_hears_a_pulse(void **state)
{
    struct rig *rig = *state;
    static struct reply reply;
    int gone = client_begin(rig, "GET", "/api/lanes/1/events", BEARER(LANE1_TOKEN), NULL);
    int here = client_begin(rig, "GET", "/api/events", BEARER(STAFF_TOKEN), NULL);

    memset(&reply, 0, sizeof(reply));
    client_read(rig, here, &reply);
    assert_int_equal(events_count(rig->web.events, 1), 1);
    close(gone);
    rig_advance(rig, 16 * CLOCK_SECOND);
    assert_int_equal(events_count(rig->web.events, 1), 0);
    assert_int_equal(events_count(rig->web.events, 0), 1);
    memset(&reply, 0, sizeof(reply));
    client_read(rig, here, &reply);
    assert_non_null(strstr(reply.text, ": here\n\n"));
    close(here);
    rig_advance(rig, 16 * CLOCK_SECOND);
    assert_int_equal(server_connections(rig->web.server), 0);
}

static void a_listener_that_does_not_read_is_dropped(void **state)
{
    struct rig *rig = *state;
    struct msg_visit_item visit = {.visit = 8, .lane = 1};
    int small = 4096;
    int fd = client_open(rig);
    char text[200];

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    (void)snprintf(text, sizeof(text),
                   "GET /api/events HTTP/1.1\r\nHost: localhost:%u\r\n" BEARER(STAFF_TOKEN) "\r\n",
                   rig->port);
    client_send(rig, fd, text, strlen(text));
    assert_int_equal(events_count(rig->web.events, 0), 1);
    visit.request = rig->subscription;
    /* About 1 KB each: more than the kernel's buffers and the queue of 1 MiB take together. */
    for (int i = 0; i < 8000 && events_count(rig->web.events, 0) == 1; i++) {
        rig_send(rig, MSG_VISIT_ITEM, &visit, -1);
        rig_pump(rig);
    }
    assert_int_equal(events_count(rig->web.events, 0), 0);
    /* Its connection is shut when the reply has not been taken for twenty seconds. */
    rig_advance(rig, 21 * CLOCK_SECOND);
    assert_int_equal(server_connections(rig->web.server), 0);
    close(fd);
}

static void a_kiosk_opened_again_and_again_replaces_itself(void **state)
{
    struct rig *rig = *state;
    int fds[6];

    for (int i = 0; i < 6; i++) {
        fds[i] = client_begin(rig, "GET", "/api/lanes/1/events", BEARER(LANE1_TOKEN), NULL);
        rig_pump(rig);
    }
    assert_int_equal(events_count(rig->web.events, 1), EVENTS_PER_LANE_MAX);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(an_action_reaches_the_desk_as_it_was_meant),
        T(each_surface_has_its_own_actions),
        T(a_refusal_comes_in_the_words_for_who_asked),
        T(a_silent_desk_is_waited_for_five_seconds),
        T(a_desk_that_goes_away_is_said_at_once_and_found_again),
        T(a_client_that_leaves_while_waiting_costs_nothing),
        T(visits_and_answers_are_for_the_board),
        T(the_house_is_shown),
        T(the_newest_preview_is_given_when_it_comes),
        T(a_kiosk_hears_its_lane_and_no_name),
        T(a_board_hears_the_full_state_first_and_then_what_happens),
        T(nothing_is_shown_before_it_is_written_down_who_looks),
        T(what_cannot_be_written_down_is_not_shown),
        T(a_board_that_stays_open_is_written_down_again),
        T(a_board_without_a_desk_is_opened_when_there_is_one),
        T(a_listener_that_left_is_found_and_one_that_stays_hears_a_pulse),
        T(a_listener_that_does_not_read_is_dropped),
        T(a_kiosk_opened_again_and_again_replaces_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
