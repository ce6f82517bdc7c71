/* Lists of the desk by the web: long ones page by page, refused ones as refused. */
#include "web_rig.h"

#include "failure.h"

static void refused_lists(struct rig *rig, const struct message *message)
{
    struct msg_visits_end visits = {.request = message->body.visits_query.request,
                                    .failure = FAILURE_DESK_STORE};
    struct msg_slips_end slips = {.request = visits.request, .failure = FAILURE_DESK_STORE};
    struct msg_outbox_end outbox = {.request = visits.request, .failure = FAILURE_DESK_STORE};

    if (message->type == MSG_VISITS_QUERY)
        rig_send(rig, MSG_VISITS_END, &visits, -1);
    else if (message->type == MSG_SLIPS_QUERY)
        rig_send(rig, MSG_SLIPS_END, &slips, -1);
    else if (message->type == MSG_OUTBOX_QUERY)
        rig_send(rig, MSG_OUTBOX_END, &outbox, -1);
}

/* More than one answer of the desk holds: said with the page, and to a board with the number that the next begins below. */
static void full_pages(struct rig *rig, const struct message *message)
{
    struct msg_visit_item visit = {.request = message->body.visits_query.request, .visit = 300};
    struct msg_slip_item slip = {.request = visit.request, .visit = 290, .kind = SLIP_NEWBORN};
    struct msg_outbox_item outbox = {.request = visit.request, .entry = 44};
    struct msg_visits_end visits = {.request = visit.request, .count = 1, .more = 1};
    struct msg_slips_end slips = {.request = visit.request, .count = 1, .more = 1};
    struct msg_outbox_end entries = {.request = visit.request, .count = 1, .more = 1};

    if (message->type == MSG_VISITS_QUERY) {
        rig_send(rig, MSG_VISIT_ITEM, &visit, -1);
        rig_send(rig, MSG_VISITS_END, &visits, -1);
    } else if (message->type == MSG_SLIPS_QUERY) {
        rig_send(rig, MSG_SLIP_ITEM, &slip, -1);
        rig_send(rig, MSG_SLIPS_END, &slips, -1);
    } else if (message->type == MSG_OUTBOX_QUERY) {
        rig_send(rig, MSG_OUTBOX_ITEM, &outbox, -1);
        rig_send(rig, MSG_OUTBOX_END, &entries, -1);
    } else
        rig_desk_plain(rig, message);
}

static void a_list_that_is_longer_than_a_page_says_so(void **state)
{
    static const struct {
        const char *path;
        const char *rows;
    } lists[] = {{"/api/visits?before=301", "{\"visits\":[{\"visit\":\"300\""},
                 {"/api/slips?before=301", "{\"slips\":[{\"visit\":\"290\""},
                 {"/api/outbox?before=301", "{\"entries\":[{\"entry\":\"44\""}};
    struct rig *rig = *state;
    static struct reply listened;
    int fd;

    rig->on_desk = full_pages;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct reply *reply = get(rig, lists[i].path, BEARER(STAFF_TOKEN));

        assert_int_equal(reply->status, 200);
        assert_int_equal(strncmp(reply->body, lists[i].rows, strlen(lists[i].rows)), 0);
        assert_non_null(strstr(reply->body, "],\"more\":true}"));
        assert_int_equal(i == 0   ? rig->last.body.visits_query.before
                         : i == 1 ? rig->last.body.slips_query.before
                                  : rig->last.body.outbox_query.before,
                         301);
    }
    fd = client_begin(rig, "GET", "/api/events", BEARER(STAFF_TOKEN), NULL);
    memset(&listened, 0, sizeof(listened));
    client_read(rig, fd, &listened);
    assert_non_null(
        strstr(listened.text, "data: {\"count\":1,\"older\":\"300\",\"older_slips\":\"290\"}"));
    close(fd);
    rig_pump(rig);
}

static void a_list_that_the_desk_refuses_is_no_empty_list(void **state)
{
    static const char *const paths[] = {"/api/visits", "/api/visits/7",
                                        "/api/slips",  "/api/visits/7/slip",
                                        "/api/outbox", "/api/visits/7/outbox"};
    struct rig *rig = *state;

    rig->on_desk = refused_lists;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct reply *reply = get(rig, paths[i], BEARER(STAFF_TOKEN));

        assert_int_equal(reply->status, 503);
        assert_non_null(strstr(reply->body, "\"code\":\"S001\""));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        T(a_list_that_the_desk_refuses_is_no_empty_list),
        T(a_list_that_is_longer_than_a_page_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
