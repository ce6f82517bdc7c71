/* The board's calls about slips, who picks up and disaster mode: what reaches the desk, and what staff get back. */
#include "web_rig.h"

#include "failure.h"

#define BOARD BEARER(STAFF_TOKEN) JSON_OF("board")

static void say_yes(struct rig *rig, const struct message *message)
{
    struct msg_action_result result = {.accepted = 1, .visit = 12};

    if (message->type == MSG_SLIP_FILE || message->type == MSG_SLIP_AMEND ||
        message->type == MSG_PICK_UP || message->type == MSG_PATIENT_LINK ||
        message->type == MSG_DISASTER_SET) {
        memcpy(&result.request, &message->body, sizeof(result.request));
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
    } else if (message->type == MSG_SLIPS_QUERY) {
        struct msg_slip_item slip = {.request = message->body.slips_query.request,
                                     .visit = 12,
                                     .lane = 3,
                                     .kind = SLIP_CERTIFICATE,
                                     .state = SLIP_STATE_DIFFERENT,
                                     .failure = FAILURE_SLIP_DIFFERENT,
                                     .consent = SLIP_CONSENT_UNABLE,
                                     .tries = 2,
                                     .filed = 1791159302,
                                     .asked = 1791159400};
        struct msg_slips_end end = {.request = slip.request};

        MESSAGE_TEXT(slip.date, "20261005");
        MESSAGE_TEXT(slip.name, "架空 <花子>");
        MESSAGE_TEXT(slip.ratio, "020");
        MESSAGE_TEXT(slip.different, "ratio");
        if (message->body.slips_query.visit == 0 || message->body.slips_query.visit == 12) {
            rig_send(rig, MSG_SLIP_ITEM, &slip, -1);
            end.count = 1;
        }
        rig_send(rig, MSG_SLIPS_END, &end, -1);
    } else {
        rig_desk_plain(rig, message);
    }
}

static void refuse(struct rig *rig, const struct message *message)
{
    struct msg_action_result result = {.failure = FAILURE_SLIP_FORMAT};

    memcpy(&result.request, &message->body, sizeof(result.request));
    MESSAGE_TEXT(result.field, "address");
    if (message->type == MSG_SLIP_FILE || message->type == MSG_SLIP_AMEND)
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
}

static void a_slip_reaches_the_desk_as_it_was_filled_in(void **state)
{
    struct rig *rig = *state;
    const struct msg_slip_file *m = &rig->last.body.slip_file;
    struct reply *reply;

    rig->on_desk = say_yes;
    reply = post(rig, "/api/slips", BOARD,
                 "{\"kind\":\"certificate\",\"visit\":\"7\",\"lane\":2,\"name\":\"架空 "
                 "花子\",\"kana\":\"ｶｸｳ\",\"birth\":\"S290707\",\"sex\":\"2\","
                 "\"address\":\"架空県\",\"phone\":\"0\",\"insured\":\"太郎\",\"numbers_unknown\":"
                 "false,\"insurer\":\"06130017\",\"symbol\":\"９９\","
                 "\"number\":\"4567\",\"branch\":\"02\",\"ratio\":\"020\",\"valid_from\":"
                 "\"20260801\",\"valid_until\":\"20270731\","
                 "\"consent\":\"oral\",\"note\":\"電話あり\"}");
    assert_int_equal(reply->status, 200);
    assert_string_equal(reply->body, "{\"accepted\":true,\"visit\":\"12\"}");
    assert_int_equal(rig->last.type, MSG_SLIP_FILE);
    assert_int_equal(m->kind, SLIP_CERTIFICATE);
    assert_int_equal(m->visit, 7);
    assert_int_equal(m->lane, 2);
    assert_int_equal(m->surface, 'B');
    assert_string_equal(m->name, "架空 花子");
    assert_string_equal(m->kana, "ｶｸｳ");
    assert_string_equal(m->birth, "S290707");
    assert_string_equal(m->sex, "2");
    assert_string_equal(m->address, "架空県");
    assert_string_equal(m->phone, "0");
    assert_string_equal(m->insured, "太郎");
    assert_int_equal(m->numbers_unknown, 0);
    assert_string_equal(m->insurer, "06130017");
    assert_string_equal(m->symbol, "９９");
    assert_string_equal(m->number, "4567");
    assert_string_equal(m->branch, "02");
    assert_string_equal(m->ratio, "020");
    assert_string_equal(m->valid_from, "20260801");
    assert_string_equal(m->valid_until, "20270731");
    assert_int_equal(m->consent, SLIP_CONSENT_ORAL);
    assert_string_equal(m->note, "電話あり");
    assert_int_equal(
        post(rig, "/api/slips", BOARD, "{\"kind\":\"newborn\",\"numbers_unknown\":true}")->status,
        200);
    assert_int_equal(m->kind, SLIP_NEWBORN);
    assert_int_equal(m->visit, 0);
    assert_int_equal(m->numbers_unknown, 1);
    assert_int_equal(m->consent, SLIP_CONSENT_NOT_ASKED);
}

static void what_no_slip_can_say_is_refused_at_the_door(void **state)
{
    static const struct {
        const char *body, *field;
    } cases[] = {
        {"{}", "kind"},
        {"{\"kind\":\"none\"}", "kind"},
        {"{\"kind\":\"coupon\"}", "kind"},
        {"{\"kind\":\"intake\",\"consent\":\"perhaps\"}", "consent"},
        {"{\"kind\":\"intake\",\"sex\":\"22\"}", "sex"},
        {"{\"kind\":\"intake\",\"visit\":7}", "visit"},
        {"{\"kind\":\"intake\",\"numbers_unknown\":1}", "numbers_unknown"},
        {"{\"kind\":\"intake\",\"pin\":\"1234\"}", "?"},
    };
    struct rig *rig = *state;
    unsigned before;

    rig->on_desk = say_yes;
    before = rig->got;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char field[64];
        struct reply *reply = post(rig, "/api/slips", BOARD, cases[i].body);

        (void)snprintf(field, sizeof(field), "\"field\":\"%s\"", cases[i].field);
        assert_int_equal(reply->status, 422);
        assert_non_null(strstr(reply->body, field));
    }
    assert_int_equal(
        post(rig, "/api/slips", BOARD, "{\"kind\":\"intake\",\"kind\":\"intake\"}")->status, 400);
    assert_int_equal(rig->got, before);
}

static void the_field_that_the_desk_misses_is_named(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    rig->on_desk = refuse;
    reply = post(rig, "/api/slips", BOARD, "{\"kind\":\"intake\"}");
    assert_int_equal(reply->status, 409);
    assert_non_null(strstr(reply->body, "\"code\":\"E023\""));
    assert_non_null(strstr(reply->body, "\"field\":\"address\""));
}

static void a_slip_is_amended_or_settled(void **state)
{
    struct rig *rig = *state;
    const struct msg_slip_amend *m = &rig->last.body.slip_amend;

    rig->on_desk = say_yes;
    assert_int_equal(post(rig, "/api/visits/12/slip", BOARD,
                          "{\"what\":\"numbers\",\"insurer\":\"06130017\",\"symbol\":\"試\","
                          "\"number\":\"1\",\"branch\":\"03\",\"birth\":\"20260920\"}")
                         ->status,
                     200);
    assert_int_equal(rig->last.type, MSG_SLIP_AMEND);
    assert_int_equal(m->visit, 12);
    assert_int_equal(m->what, SLIP_AMEND_NUMBERS);
    assert_int_equal(m->surface, 'B');
    assert_string_equal(m->insurer, "06130017");
    assert_string_equal(m->symbol, "試");
    assert_string_equal(m->number, "1");
    assert_string_equal(m->branch, "03");
    assert_string_equal(m->birth, "20260920");
    assert_int_equal(
        post(rig, "/api/visits/12/slip", BOARD, "{\"what\":\"settle\",\"note\":\"電話で確認\"}")
            ->status,
        200);
    assert_int_equal(m->what, SLIP_AMEND_SETTLE);
    assert_string_equal(m->note, "電話で確認");
    assert_int_equal(post(rig, "/api/visits/12/slip", BOARD, "{\"what\":\"forget\"}")->status, 422);
}

static void slips_are_listed_for_the_board(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    rig->on_desk = say_yes;
    reply = get(rig, "/api/slips", BEARER(STAFF_TOKEN));
    assert_int_equal(reply->status, 200);
    assert_int_equal(rig->last.body.slips_query.open_only, 1);
    assert_string_equal(reply->body,
                        "{\"slips\":[{\"visit\":\"12\",\"lane\":3,\"kind\":\"certificate\","
                        "\"state\":\"different\",\"failure\":{\"code\":\"E022\",\"kind\":\"staff\","
                        "\"ja\":\"後からの照会の結果が、受付票に控えた内容と違います。\",\"en\":"
                        "\"The answer that came later differs from what the slip says.\"},"
                        "\"consent\":\"unable\",\"tries\":2,\"date\":\"20261005\",\"filed\":"
                        "1791159302,\"asked\":1791159400,\"ended\":null,"
                        "\"name\":\"架空 "
                        "<花子>\",\"kana\":\"\",\"birth\":\"\",\"sex\":\"\",\"address\":\"\","
                        "\"phone\":\"\",\"insured\":\"\",\"insurer\":\"\",\"symbol\":\"\","
                        "\"number\":\"\",\"branch\":\"\",\"ratio\":\"020\",\"valid_from\":\"\","
                        "\"valid_until\":\"\",\"note\":\"\",\"different\":\"ratio\",\"staff\":\"\","
                        "\"ended_by\":\"\"}],\"more\":false}");
    assert_int_equal(get(rig, "/api/slips?all=1", BEARER(STAFF_TOKEN))->status, 200);
    assert_int_equal(rig->last.body.slips_query.open_only, 0);
    assert_int_equal(get(rig, "/api/slips?all=yes", BEARER(STAFF_TOKEN))->status, 422);
    reply = get(rig, "/api/visits/12/slip", BEARER(STAFF_TOKEN));
    assert_int_equal(reply->status, 200);
    assert_non_null(strstr(reply->body, "\"different\":\"ratio\""));
    assert_int_equal(get(rig, "/api/visits/13/slip", BEARER(STAFF_TOKEN))->status, 404);
}

static void who_picks_up_is_noted(void **state)
{
    struct rig *rig = *state;
    const struct msg_pick_up *m = &rig->last.body.pick_up;

    rig->on_desk = say_yes;
    assert_int_equal(
        post(rig, "/api/visits/12/pick-up", BOARD, "{\"name\":\"架空 一郎\",\"relation\":\"子\"}")
            ->status,
        200);
    assert_int_equal(rig->last.type, MSG_PICK_UP);
    assert_int_equal(m->visit, 12);
    assert_string_equal(m->name, "架空 一郎");
    assert_string_equal(m->relation, "子");
    assert_int_equal(m->surface, 'B');
    assert_int_equal(
        post(rig, "/api/visits/12/pick-up", BOARD, "{\"name\":\"x\",\"number\":\"1\"}")->status,
        422);
}

static void who_the_patient_is_is_decided(void **state)
{
    struct rig *rig = *state;
    const struct msg_patient_link *m = &rig->last.body.patient_link;

    rig->on_desk = say_yes;
    assert_int_equal(
        post(rig, "/api/visits/12/patient", BOARD, "{\"number\":\"PT000456\"}")->status, 200);
    assert_int_equal(rig->last.type, MSG_PATIENT_LINK);
    assert_int_equal(m->visit, 12);
    assert_int_equal(m->what, PATIENT_IS);
    assert_string_equal(m->number, "PT000456");
    assert_int_equal(m->surface, 'B');
    assert_int_equal(
        post(rig, "/api/visits/12/patient", BOARD, "{\"number\":\"PT000456\",\"same\":false}")
            ->status,
        200);
    assert_int_equal(m->what, PATIENT_IS_NOT);
    assert_int_equal(post(rig, "/api/visits/12/patient", BOARD, "{\"number\":456}")->status, 422);
    assert_int_equal(
        post(rig, "/api/visits/12/patient", BOARD, "{\"number\":\"1\",\"who\":\"x\"}")->status,
        422);
}

static void disaster_mode_is_shown_and_set(void **state)
{
    struct msg_disaster_state on = {
        .cause = DISASTER_MINISTRY, .since = 1791159302, .until = 1791245702};
    struct rig *rig = *state;
    const struct msg_disaster_set *m = &rig->last.body.disaster_set;

    rig->on_desk = say_yes;
    assert_string_equal(
        get(rig, "/api/disaster", BEARER(STAFF_TOKEN))->body,
        "{\"cause\":null,\"word\":\"\",\"since\":null,\"until\":null,\"staff\":\"\"}");
    assert_int_equal(post(rig, "/api/disaster", BOARD,
                          "{\"cause\":\"ministry\",\"word\":\"事務連絡\",\"until\":1791245702}")
                         ->status,
                     200);
    assert_int_equal(rig->last.type, MSG_DISASTER_SET);
    assert_int_equal(m->cause, DISASTER_MINISTRY);
    assert_int_equal(m->until, 1791245702);
    assert_string_equal(m->word, "事務連絡");
    MESSAGE_TEXT(on.word, "事務連絡");
    MESSAGE_TEXT(on.staff, "佐藤");
    rig_send(rig, MSG_DISASTER_STATE, &on, -1);
    rig_pump(rig);
    assert_string_equal(get(rig, "/api/disaster", BEARER(STAFF_TOKEN))->body,
                        "{\"cause\":\"ministry\",\"word\":\"事務連絡\",\"since\":1791159302,"
                        "\"until\":1791245702,\"staff\":\"佐藤\"}");
    assert_int_equal(post(rig, "/api/disaster", BOARD, "{\"cause\":\"off\"}")->status, 200);
    assert_int_equal(m->cause, DISASTER_OFF);
    assert_int_equal(post(rig, "/api/disaster", BOARD, "{\"cause\":\"flood\"}")->status, 422);
    assert_int_equal(
        post(rig, "/api/disaster", BOARD, "{\"cause\":\"ministry\",\"until\":\"soon\"}")->status,
        422);
}

/* What names a patient, or says whose word it was, is for the board alone; a desk that has gone is said. */
static void it_is_all_for_staff(void **state)
{
    static const char *const gets[] = {"/api/slips", "/api/visits/12/slip", "/api/disaster"};
    static const char *const posts[] = {"/api/slips", "/api/visits/12/slip",
                                        "/api/visits/12/pick-up", "/api/disaster",
                                        "/api/visits/12/patient"};
    struct rig *rig = *state;
    unsigned before;

    rig->on_desk = say_yes;
    before = rig->got;
    for (size_t i = 0; i < sizeof(gets) / sizeof(gets[0]); i++) {
        assert_int_equal(get(rig, gets[i], "")->status, 401);
        assert_int_equal(get(rig, gets[i], BEARER(LANE1_TOKEN))->status, 403);
    }
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++) {
        assert_int_equal(post(rig, posts[i], BEARER(LANE1_TOKEN) JSON_OF("kiosk"), "{}")->status,
                         403);
        assert_int_equal(
            post(rig, posts[i], BEARER(STAFF_TOKEN) "Content-Type: application/json\r\n", "{}")
                ->status,
            403);
    }
    assert_int_equal(rig->got, before);
    close(rig->desk);
    rig->desk = -1;
    rig_pump(rig);
    assert_int_equal(get(rig, "/api/disaster", BEARER(STAFF_TOKEN))->status, 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slip_reaches_the_desk_as_it_was_filled_in, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(what_no_slip_can_say_is_refused_at_the_door, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(the_field_that_the_desk_misses_is_named, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(a_slip_is_amended_or_settled, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(slips_are_listed_for_the_board, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(who_picks_up_is_noted, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(who_the_patient_is_is_decided, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(disaster_mode_is_shown_and_set, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(it_is_all_for_staff, rig_setup, rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
