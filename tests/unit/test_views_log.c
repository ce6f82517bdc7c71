/* Who saw patients' data stands in the audit log before they were sent: the desk's lists over real connections, on a
 * real database under a simulated clock. */
#include "quiet_desk.h"
#include "store_rig.h"

#include "daemon/common/ipc.h"
#include "daemon/common/log.h"
#include "daemon/desk/audit.h"
#include "daemon/desk/desk.h"
#include "daemon/desk/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define SEEN_MAX 300
#define SATO "受付 佐藤"

/* One that asks, and the desk's end of its connection. */
struct peer {
    struct ipc *here, *there;
    struct message seen[SEEN_MAX];
    size_t nseen;
};

struct house {
    struct rig rig;
    sd_event *loop;
    struct desk *desk;
    struct peer web, command;
};

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    (void)ipc;
    (void)peer;
    (void)arg;
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)error;
    (void)arg;
}

static void on_question(struct ipc *ipc, struct message *message, void *arg)
{
    struct house *h = arg;
    struct msg_action_result result;

    switch (message->type) {
    case MSG_VISITS_QUERY:
        listing_visits(h->desk, ipc, &message->body.visits_query);
        break;
    case MSG_SLIPS_QUERY:
        listing_slips(h->desk, ipc, &message->body.slips_query);
        break;
    case MSG_VIEW:
        view_told(h->desk, &message->body.view, &result);
        assert_int_equal(ipc_send(ipc, MSG_ACTION_RESULT, &result), 0);
        break;
    default:
        assert_true(audit_message(h->desk, ipc, message));
    }
}

static void on_answer(struct ipc *ipc, struct message *message, void *arg)
{
    struct peer *peer = arg;

    (void)ipc;
    assert_true(peer->nseen < SEEN_MAX);
    peer->seen[peer->nseen++] = *message;
}

static void connect_peer(struct house *h, struct peer *peer, enum ipc_role role)
{
    static const struct ipc_handlers desk = {on_open, on_question, on_closed};
    static const struct ipc_handlers asker = {on_open, on_answer, on_closed};
    const struct ipc_self self = {role, 0, "test", ""}, desk_self = {IPC_DESK, 0, "test", ""};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
                     0);
    assert_int_equal(ipc_new(&peer->there, h->loop, ends[0], &desk_self, "WC", &desk, h), 0);
    assert_int_equal(ipc_new(&peer->here, h->loop, ends[1], &self, "D", &asker, peer), 0);
    while (!ipc_is_open(peer->here) || !ipc_is_open(peer->there))
        assert_true(sd_event_run(h->loop, 1000000) >= 0);
}

static void add_visit(struct house *h)
{
    struct store_visit visit;

    for (unsigned step = 1; step <= RIG_STEPS; step++)
        assert_int_equal(rig_step(&h->rig, &visit, step), 0);
}

static int start(void **state)
{
    const struct desk_settings settings = {.institution = RIG_INSTITUTION};
    struct house *h = calloc(1, sizeof(*h));
    const struct desk_ports ports = quiet_ports(NULL, NULL);

    assert_non_null(h);
    rig_quiet();
    rig_new(&h->rig);
    assert_true(sd_event_new(&h->loop) >= 0);
    assert_int_equal(desk_new(&h->desk, h->rig.clock, h->rig.store, &settings, &ports), 0);
    add_visit(h);
    add_visit(h);
    connect_peer(h, &h->web, IPC_WEB);
    connect_peer(h, &h->command, IPC_COMMAND);
    *state = h;
    return 0;
}

static int stop(void **state)
{
    struct house *h = *state;

    ipc_free(&h->web.here);
    ipc_free(&h->web.there);
    ipc_free(&h->command.here);
    ipc_free(&h->command.there);
    desk_free(&h->desk);
    sd_event_unref(h->loop);
    rig_free(&h->rig);
    free(h);
    return 0;
}

/* Ask, and wait for the end; the end. */
static const union message_body *ask(struct house *h, struct peer *peer, uint16_t type,
                                     const void *body, uint16_t end)
{
    peer->nseen = 0;
    assert_int_equal(ipc_send(peer->here, type, body), 0);
    while (peer->nseen == 0 || peer->seen[peer->nseen - 1].type != end)
        assert_true(sd_event_run(h->loop, 1000000) > 0);
    return &peer->seen[peer->nseen - 1].body;
}

static const struct msg_visits_end *visits(struct house *h, struct peer *peer, const char *staff,
                                           uint64_t visit)
{
    struct msg_visits_query query = {.request = 5, .visit = visit};

    (void)MESSAGE_TEXT(query.staff, staff);
    return &ask(h, peer, MSG_VISITS_QUERY, &query, MSG_VISITS_END)->visits_end;
}

static int64_t rows(struct house *h, const char *where)
{
    char sql[300];

    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE %s", where);
    return rig_sql_int(&h->rig, sql);
}

static void a_list_is_written_with_who_how_many_and_which_visits(void **state)
{
    struct house *h = *state;
    const struct msg_visits_end *end = visits(h, &h->command, SATO, 0);

    assert_int_equal(end->count, 2);
    assert_int_equal(end->failure, FAILURE_NONE);
    assert_int_equal(h->command.nseen, 3);
    assert_string_equal(h->command.seen[0].body.visit_item.name, RIG_NAME);
    assert_int_equal(
        rows(h, "event = 'visits_viewed' AND visit = 0 AND detail = 'command rows=2 visits=1-2'"),
        1);
    (void)visits(h, &h->web, SATO, 0);
    assert_int_equal(rows(h, "event = 'visits_viewed' AND detail = 'board rows=2 visits=1-2'"), 1);
    end = visits(h, &h->web, SATO, 2);
    assert_int_equal(end->count, 1);
    assert_int_equal(rows(h, "event = 'visit_viewed' AND visit = 2 AND detail = 'board'"), 1);
    (void)visits(h, &h->web, SATO, 99); /* nobody's */
    assert_int_equal(rows(h, "event LIKE '%_viewed'"), 3);
}

static void the_log_has_nothing_of_a_patient_and_nobodys_name_in_the_clear(void **state)
{
    struct house *h = *state;
    uint8_t *file;
    size_t len;

    (void)visits(h, &h->web, SATO, 0);
    (void)visits(h, &h->web, SATO, 1);
    assert_int_equal(rows(h, "event LIKE '%_viewed' AND (detail LIKE '%" RIG_NAME "%' OR detail "
                             "LIKE '%" RIG_BIRTH "%' OR detail LIKE '%" SATO "%')"),
                     0);
    assert_int_equal(rows(h, "event LIKE '%_viewed' AND who IS NOT NULL"), 2);
    file = rig_file(&h->rig, "-wal", &len);
    assert_non_null(file);
    assert_null(memmem(file, len, SATO, strlen(SATO)));
    free(file);
}

static void the_same_is_not_written_again_within_an_hour_unless_there_is_more(void **state)
{
    struct house *h = *state;

    for (unsigned i = 0; i < 200; i++)
        (void)visits(h, &h->web, SATO, 0);
    assert_int_equal(rows(h, "event = 'visits_viewed'"), 1);
    (void)visits(h, &h->web, "別の人", 0);
    assert_int_equal(rows(h, "event = 'visits_viewed'"), 2);
    add_visit(h);
    (void)visits(h, &h->web, SATO, 0);
    (void)visits(h, &h->web, SATO, 0);
    assert_int_equal(rows(h, "event = 'visits_viewed' AND detail = 'board rows=3 visits=1-3'"), 1);
    clock_advance(h->rig.clock, 59 * CLOCK_MINUTE);
    (void)visits(h, &h->web, SATO, 0);
    assert_int_equal(rows(h, "event = 'visits_viewed'"), 3);
    clock_advance(h->rig.clock, CLOCK_MINUTE);
    (void)visits(h, &h->web, SATO, 0);
    assert_int_equal(rows(h, "event = 'visits_viewed'"), 4);
}

static void a_command_without_a_name_sees_nothing(void **state)
{
    struct house *h = *state;
    const struct msg_visits_end *end = visits(h, &h->command, "", 0);

    assert_int_equal(end->count, 0);
    assert_int_equal(end->failure, FAILURE_DESK_OUT_OF_TURN);
    assert_int_equal(h->command.nseen, 1);
    assert_int_equal(visits(h, &h->command, "", 1)->failure, FAILURE_DESK_OUT_OF_TURN);
    /* Web says it beforehand, for each board. */
    assert_int_equal(visits(h, &h->web, "", 0)->count, 2);
    assert_int_equal(rows(h, "event LIKE '%_viewed'"), 0);
}

static uint16_t open_board(struct house *h, uint8_t kind, const char *staff)
{
    struct msg_view view = {.request = 6, .view = kind};
    const struct msg_action_result *result;

    (void)MESSAGE_TEXT(view.staff, staff);
    result = &ask(h, &h->web, MSG_VIEW, &view, MSG_ACTION_RESULT)->action_result;
    assert_int_equal(result->accepted, result->failure == FAILURE_NONE);
    return result->failure;
}

static void fifty_boards_are_fifty_rows_however_much_they_are_told(void **state)
{
    struct house *h = *state;
    char name[32];

    for (unsigned times = 0; times < 3; times++)
        for (unsigned i = 0; i < 50; i++) {
            (void)snprintf(name, sizeof(name), "受付%u", i);
            assert_int_equal(open_board(h, VIEW_BOARD, name), FAILURE_NONE);
            (void)visits(h, &h->web, "", 0);
        }
    assert_int_equal(rows(h, "event LIKE '%_viewed'"), 50);
    assert_int_equal(rows(h, "event = 'board_viewed' AND detail = 'board' AND who IS NOT NULL"),
                     50);
    assert_int_equal(open_board(h, VIEW_LANES, "受付1"), FAILURE_NONE);
    assert_int_equal(rows(h, "event = 'lanes_viewed'"), 1);
}

static void only_what_web_holds_is_told_by_it_and_by_somebody(void **state)
{
    struct house *h = *state;

    assert_int_equal(open_board(h, VIEW_BOARD, ""), FAILURE_DESK_OUT_OF_TURN);
    for (unsigned kind = 0; kind <= UINT8_MAX; kind++)
        if (kind != VIEW_BOARD && kind != VIEW_LANES)
            assert_int_equal(open_board(h, (uint8_t)kind, SATO), FAILURE_DESK_OUT_OF_TURN);
    assert_int_equal(rows(h, "event LIKE '%_viewed'"), 0);
}

static void slips_are_written_too(void **state)
{
    struct house *h = *state;
    struct msg_slips_query query = {.request = 7};

    (void)MESSAGE_TEXT(query.staff, SATO);
    assert_int_equal(ask(h, &h->web, MSG_SLIPS_QUERY, &query, MSG_SLIPS_END)->slips_end.failure,
                     FAILURE_NONE);
    assert_int_equal(rows(h, "event = 'slips_viewed' AND detail = 'board rows=0'"), 1);
    query.staff[0] = '\0';
    assert_int_equal(ask(h, &h->command, MSG_SLIPS_QUERY, &query, MSG_SLIPS_END)->slips_end.failure,
                     FAILURE_DESK_OUT_OF_TURN);
}

static void the_log_is_read_the_newest_first_and_its_reader_stands_in_it(void **state)
{
    struct house *h = *state;
    struct msg_audit_query query = {.request = 8, .limit = 2};
    const struct msg_audit_item *item = &h->command.seen[0].body.audit_item;
    const struct msg_audit_end *end;
    uint64_t first;

    (void)visits(h, &h->web, SATO, 1);
    (void)MESSAGE_TEXT(query.staff, "監査 係");
    end = &ask(h, &h->command, MSG_AUDIT_QUERY, &query, MSG_AUDIT_END)->audit_end;
    assert_int_equal(end->failure, FAILURE_NONE);
    assert_int_equal(end->count, 2);
    assert_string_equal(item->event, "audit_viewed");
    assert_string_equal(item->who, "監査 係");
    assert_string_equal(item->detail, "command");
    assert_int_equal(item->at, (int64_t)clock_realtime_us(h->rig.clock));
    first = item->row;
    item = &h->command.seen[1].body.audit_item;
    assert_int_equal(item->row, first - 1);
    assert_string_equal(item->event, "visit_viewed");
    assert_string_equal(item->who, SATO);
    assert_int_equal(item->visit, 1);
    /* Page by page down to the first row, each once. */
    query.limit = 5;
    query.before = first;
    for (uint64_t next = first - 1; next > 0;) {
        end = &ask(h, &h->command, MSG_AUDIT_QUERY, &query, MSG_AUDIT_END)->audit_end;
        assert_in_range(end->count, 1, 5);
        for (uint32_t i = 0; i < end->count; i++)
            assert_int_equal(h->command.seen[i].body.audit_item.row, next--);
        query.before = next + 1;
    }
    assert_int_equal(ask(h, &h->command, MSG_AUDIT_QUERY, &query, MSG_AUDIT_END)->audit_end.count,
                     0);
    assert_int_equal(rows(h, "event = 'audit_viewed'"), 1);
    query.staff[0] = '\0';
    end = &ask(h, &h->command, MSG_AUDIT_QUERY, &query, MSG_AUDIT_END)->audit_end;
    assert_int_equal(end->failure, FAILURE_DESK_OUT_OF_TURN);
}

/* A name put there by somebody else does not open; the row is shown, and the walk finds it. */
static void a_row_that_was_changed_is_shown_and_found(void **state)
{
    struct house *h = *state;
    struct msg_audit_query query = {.request = 8, .limit = 2};
    uint64_t walked, bad;

    (void)visits(h, &h->web, SATO, 1);
    (void)visits(h, &h->web, "別の人", 2);
    rig_sql(&h->rig, "UPDATE audit SET who = (SELECT who FROM audit WHERE event = 'visit_viewed' "
                     "AND visit = 1) WHERE event = 'visit_viewed' AND visit = 2");
    (void)MESSAGE_TEXT(query.staff, SATO);
    assert_int_equal(ask(h, &h->command, MSG_AUDIT_QUERY, &query, MSG_AUDIT_END)->audit_end.count,
                     2);
    assert_string_equal(h->command.seen[1].body.audit_item.who, "?");
    assert_int_equal(store_audit_verify(h->rig.store, &walked, &bad), -EBADMSG);
    assert_int_equal(bad, h->command.seen[1].body.audit_item.row);
}

static void the_chain_holds_with_views_in_it(void **state)
{
    struct house *h = *state;
    uint64_t walked, bad;

    (void)visits(h, &h->web, SATO, 0);
    (void)open_board(h, VIEW_BOARD, SATO);
    assert_int_equal(store_audit_verify(h->rig.store, &walked, &bad), 0);
    assert_int_equal(walked, 2 * RIG_STEPS + 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(a_list_is_written_with_who_how_many_and_which_visits),
        T(the_log_has_nothing_of_a_patient_and_nobodys_name_in_the_clear),
        T(the_same_is_not_written_again_within_an_hour_unless_there_is_more),
        T(a_command_without_a_name_sees_nothing),
        T(fifty_boards_are_fifty_rows_however_much_they_are_told),
        T(only_what_web_holds_is_told_by_it_and_by_somebody),
        T(slips_are_written_too),
        T(the_log_is_read_the_newest_first_and_its_reader_stands_in_it),
        T(a_row_that_was_changed_is_shown_and_found),
        T(the_chain_holds_with_views_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
