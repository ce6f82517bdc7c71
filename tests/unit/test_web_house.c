/* What the administration page asks: how the parts are and when they end, and what went wrong on which day. */
#include "web_rig.h"

#include "failure.h"

static void answer(struct rig *rig, const struct message *message)
{
    if (message->type == MSG_HEALTH_QUERY) {
        struct msg_health_item item = {
            .request = message->body.health_query.request, .state = 1, .until = 1791212400};
        struct msg_health_end end = {.request = item.request};

        MESSAGE_TEXT(item.component, "certificate of main");
        MESSAGE_TEXT(item.detail, "ends in 12 days");
        MESSAGE_TEXT(item.next, "更新します / renew");
        rig_send(rig, MSG_HEALTH_ITEM, &item, -1);
        rig_send(rig, MSG_HEALTH_END, &end, -1);
    } else if (message->type == MSG_TROUBLES_QUERY) {
        struct msg_trouble_item item = {.request = message->body.troubles_query.request,
                                        .failure = FAILURE_PIN_WRONG,
                                        .count = 17};
        struct msg_troubles_end end = {.request = item.request, .count = 1};

        MESSAGE_TEXT(item.day, "20261006");
        rig_send(rig, MSG_TROUBLE_ITEM, &item, -1);
        rig_send(rig, MSG_TROUBLES_END, &end, -1);
    } else {
        rig_desk_plain(rig, message);
    }
}

static void a_part_says_when_it_ends(void **state)
{
    struct rig *rig = *state;

    rig->on_desk = answer;
    assert_string_equal(
        get(rig, "/api/health", BEARER(STAFF_TOKEN))->body,
        "{\"status\":\"ok\",\"desk\":true,\"items\":[{\"state\":\"warning\",\"failure\":null,"
        "\"component\":\"certificate of main\","
        "\"detail\":\"ends in 12 days\",\"next\":\"更新します / renew\",\"until\":1791212400}]}");
    assert_null(strstr(get(rig, "/api/health", BEARER(LANE1_TOKEN))->body, "certificate"));
}

static void troubles_are_told_in_the_words_for_staff(void **state)
{
    struct rig *rig = *state;
    struct reply *reply;

    rig->on_desk = answer;
    reply = get(rig, "/api/troubles?since=1790000000", BEARER(STAFF_TOKEN));
    assert_int_equal(reply->status, 200);
    assert_int_equal(rig->last.type, MSG_TROUBLES_QUERY);
    assert_int_equal(rig->last.body.troubles_query.since, 1790000000);
    assert_non_null(strstr(
        reply->body,
        "{\"troubles\":[{\"day\":\"20261006\",\"failure\":{\"code\":\"P001\",\"kind\":\"retry\","));
    assert_non_null(strstr(reply->body, failure_text(FAILURE_PIN_WRONG)->staff_ja));
    assert_non_null(strstr(reply->body, "\"count\":17}]}"));
    assert_int_equal(get(rig, "/api/troubles", BEARER(STAFF_TOKEN))->status, 200);
    assert_int_equal(rig->last.body.troubles_query.since, 0);
}

static void they_are_for_staff_and_well_asked_for(void **state)
{
    static const char *const wrong[] = {"since=", "since=x", "since=1x", "since=-1",
                                        "since=99999999999999999999"};
    struct rig *rig = *state;
    unsigned before;
    char path[80];

    rig->on_desk = answer;
    before = rig->got;
    assert_int_equal(get(rig, "/api/troubles", "")->status, 401);
    assert_int_equal(get(rig, "/api/troubles", BEARER(LANE1_TOKEN))->status, 403);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(path, sizeof(path), "/api/troubles?%s", wrong[i]);
        assert_int_equal(get(rig, path, BEARER(STAFF_TOKEN))->status, 422);
    }
    assert_int_equal(rig->got, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_part_says_when_it_ends, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(troubles_are_told_in_the_words_for_staff, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(they_are_for_staff_and_well_asked_for, rig_setup,
                                        rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
