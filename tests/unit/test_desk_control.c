/* The door for web and command: the real server on a real socket, a desk without its other programs. */
#include "fake_store.h"
#include "quiet_desk.h"

#include "../../daemon/common/ipc.h"
#include "../../daemon/common/memfd.h"
#include "../../daemon/common/service.h"
#include "../../daemon/common/xmlmsg.h"
#include "../../daemon/desk/ask.h"
#include "../../daemon/desk/control.h"
#include "../../daemon/desk/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEN_MAX (LIST_PAGE + 64)

struct house {
    char directory[64];
    struct service service;
    struct store *store;
    struct desk *desk;
    struct links *links;
    struct control *control;
    struct ipc_client *client;
    struct message seen[SEEN_MAX];
    size_t nseen;
    struct msg_eligibility_ask ask;
    bool lost;
};

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    struct house *h = arg;

    (void)peer;
    (void)index;
    (void)fds;
    (void)nfds;
    if (type == MSG_ELIGIBILITY_ASK)
        h->ask = *(const struct msg_eligibility_ask *)body;
    return 0;
}

static void port_lane(void *arg, const struct msg_lane_state *state)
{
    control_lane_changed(((struct house *)arg)->control, state);
}

static void port_visit(void *arg, const struct msg_visit_item *item)
{
    control_visit_changed(((struct house *)arg)->control, item);
}

static void port_slip(void *arg, const struct msg_slip_item *item)
{
    struct house *h = arg;

    if (h->control != NULL)
        control_slip_changed(h->control, item);
}

static void port_prechecked(void *arg, void *asker, const struct msg_prechecked *prechecked)
{
    struct house *h = arg;

    control_prechecked(h->control, asker, prechecked);
}

static void port_disaster(void *arg, const struct msg_disaster_state *state)
{
    struct house *h = arg;

    if (h->control != NULL)
        control_disaster_changed(h->control, state);
}

static void port_preview(void *arg, const struct msg_lane_preview *preview, int fd)
{
    control_preview(((struct house *)arg)->control, preview, fd);
}

static void on_answer(void *arg, const struct message *message)
{
    control_answer(((struct house *)arg)->control, message);
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct house *h = arg;

    (void)ipc;
    assert_true(h->nseen < SEEN_MAX);
    h->seen[h->nseen] = *message;
    for (unsigned i = 0; i < message->nfds; i++)
        h->seen[h->nseen].fds[i] = ipc_take_fd(message, i);
    h->nseen++;
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    (void)ipc;
    (void)error;
    ((struct house *)arg)->lost = true;
}

static void forget(struct house *h)
{
    for (size_t i = 0; i < h->nseen; i++)
        for (unsigned f = 0; f < h->seen[i].nfds; f++)
            close(h->seen[i].fds[f]);
    h->nseen = 0;
}

/* The first message of a type; the loop runs for at most half a minute for it. */
static struct message *wait_for(struct house *h, uint16_t type)
{
    uint64_t deadline = clock_monotonic_us(h->service.clock) + 30 * CLOCK_SECOND;

    for (;;) {
        for (size_t i = 0; i < h->nseen; i++)
            if (h->seen[i].type == type)
                return &h->seen[i];
        if (h->lost || clock_monotonic_us(h->service.clock) > deadline)
            return NULL;
        sd_event_run(h->service.loop, 10000);
    }
}

static size_t count(const struct house *h, uint16_t type)
{
    size_t n = 0;

    for (size_t i = 0; i < h->nseen; i++)
        n += h->seen[i].type == type;
    return n;
}

static void say(struct house *h, uint16_t type, const void *body)
{
    assert_int_equal(ipc_send(ipc_client_peer(h->client), type, body), 0);
}

static int start(void **state)
{
    static const struct ipc_self web = {IPC_WEB, 0, "test", ""};
    static const struct ipc_handlers handlers = {NULL, on_message, on_closed};
    struct house *h = calloc(1, sizeof(*h));
    struct desk_ports ports = {h,         port_send,     port_lane, port_visit,     port_preview,
                               port_slip, port_disaster, NULL,      port_prechecked};
    struct desk_settings settings = {.institution = "9910000017", .pin_tries = 3};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[200], *message = NULL;
    FILE *out;
    int fd;

    quiet_log();
    strcpy(h->directory, "/tmp/uketsuke-desk-XXXXXX");
    assert_non_null(mkdtemp(h->directory));
    snprintf(path, sizeof(path), "%s/u.conf", h->directory);
    out = fopen(path, "we");
    fprintf(out, "[desk]\ninstitution = 9910000017\nrun-directory = %s\n", h->directory);
    fclose(out);
    assert_int_equal(config_load(&h->service.config, path, &message), 0);
    h->service.program = "uketsuked";
    h->service.instance = "";
    assert_true(sd_event_new(&h->service.loop) >= 0);
    h->service.clock = clock_new_system(h->service.loop);
    h->store = fake_store_new(h->service.clock);
    for (unsigned i = 0; i < VISIT_STATE_COUNT; i++)
        settings.limit_us[i] = 60 * CLOCK_SECOND;
    assert_int_equal(desk_new(&h->desk, h->service.clock, h->store, &settings, &ports), 0);
    assert_int_equal(desk_add_upstream(h->desk, "main", CAPABILITY_BY_NUMBERS), 0);
    assert_int_equal(desk_add_lane(h->desk, 1, "one", 0), 0);
    ask_relay_up(h->desk, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/desk.sock", h->directory);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(links_new(&h->links, &h->service, on_answer, h), 0);
    assert_int_equal(control_new(&h->control, &h->service, h->links, fd), 0);
    control_open(h->control, h->desk);
    assert_int_equal(ipc_client_new(&h->client, h->service.loop, h->service.clock, address.sun_path,
                                    &web, "D", &handlers, h),
                     0);
    for (unsigned i = 0; i < 200 && (ipc_client_peer(h->client) == NULL ||
                                     !ipc_is_open(ipc_client_peer(h->client)));
         i++)
        sd_event_run(h->service.loop, 10000);
    assert_non_null(ipc_client_peer(h->client));
    *state = h;
    return 0;
}

static int stop(void **state)
{
    struct house *h = *state;
    char path[200];

    forget(h);
    ipc_client_free(&h->client);
    control_free(&h->control);
    links_free(&h->links);
    desk_free(&h->desk);
    fake_store_free(&h->store);
    clock_free(&h->service.clock);
    sd_event_unref(h->service.loop);
    config_free(&h->service.config);
    snprintf(path, sizeof(path), "%s/u.conf", h->directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/desk.sock", h->directory);
    unlink(path);
    rmdir(h->directory);
    free(h);
    return 0;
}

static void look_up(struct house *h)
{
    struct msg_lookup m = {.request = 5,
                           .surface = 'B',
                           .staff = "佐藤",
                           .insurer = "06130017",
                           .number = "1001",
                           .birth = "19540707"};

    say(h, MSG_LOOKUP, &m);
}

static void answer(struct house *h)
{
    struct message m = {.type = MSG_ELIGIBILITY_ANSWER, .nfds = 2};
    struct xmlmsg *tree = xmlmsg_new("XmlMsg");
    size_t len;

    xmlmsg_set(tree, "MessageHeader/SegmentOfResult", "1");
    xmlmsg_set(tree, "MessageBody/ProcessingResultStatus", "1");
    xmlmsg_set(tree, "MessageBody/QualificationValidity", "1");
    xmlmsg_set(tree, "MessageBody/ResultList/ResultOfQualificationConfirmation/Name", "架空　花子");
    m.fds[0] = xmlmsg_to_memfd(tree, &len);
    m.fds[1] = memfd_seal("raw", "raw", 3);
    m.body.eligibility_answer.request = h->ask.request;
    m.body.eligibility_answer.visit = h->ask.visit;
    assert_true(ask_relay_message(h->desk, 0, &m));
    close(m.fds[0]);
    close(m.fds[1]);
    xmlmsg_free(&tree);
}

static void present_state_comes_before_subscribed(void **state)
{
    struct house *h = *state;
    struct msg_subscribe m = {.request = 3, .what = 3};

    say(h, MSG_SUBSCRIBE, &m);
    assert_non_null(wait_for(h, MSG_SUBSCRIBED));
    assert_int_equal(h->nseen, 3);
    assert_int_equal(h->seen[0].type, MSG_LANE_STATE);
    assert_int_equal(h->seen[0].body.lane_state.lane, 1);
    assert_int_equal(h->seen[1].type, MSG_DISASTER_STATE);
    assert_int_equal(h->seen[1].body.disaster_state.cause, 0);
    assert_int_equal(h->seen[2].body.subscribed.request, 3);
}

static void look_up_is_followed_by_its_visit(void **state)
{
    struct house *h = *state;
    struct msg_subscribe m = {.request = 3, .what = 2};
    struct message *result;
    uint64_t visit;

    say(h, MSG_SUBSCRIBE, &m);
    assert_non_null(wait_for(h, MSG_SUBSCRIBED));
    forget(h);
    look_up(h);
    result = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(result);
    assert_true(result->body.action_result.accepted);
    visit = result->body.action_result.visit;
    assert_int_not_equal(visit, 0);
    forget(h);
    answer(h);
    result = wait_for(h, MSG_VISIT_ITEM);
    assert_non_null(result);
    assert_int_equal(result->body.visit_item.visit, visit);
    assert_int_equal(result->body.visit_item.outcome, OUTCOME_ELIGIBLE);
    assert_string_equal(result->body.visit_item.name, "架空　花子");
}

static void answers_are_shown_to_named_staff_and_audited_first(void **state)
{
    struct house *h = *state;
    struct msg_answer_query query = {.request = 9};
    struct message *m;
    struct xmlmsg *tree = NULL;
    size_t before;
    uint64_t visit;
    const char *who, *detail;

    look_up(h);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    query.visit = m->body.action_result.visit;
    answer(h);
    say(h, MSG_ANSWER_QUERY, &query);
    m = wait_for(h, MSG_ANSWER);
    assert_non_null(m);
    assert_int_equal(m->nfds, 0);
    assert_int_equal(m->body.answer.failure, FAILURE_DESK_OUT_OF_TURN);
    forget(h);

    strcpy(query.staff, "鈴木");
    fake_store_break(h->store, true);
    say(h, MSG_ANSWER_QUERY, &query);
    m = wait_for(h, MSG_ANSWER);
    assert_non_null(m);
    assert_int_equal(m->nfds, 0);
    assert_int_equal(m->body.answer.failure, FAILURE_DESK_STORE);
    forget(h);

    fake_store_break(h->store, false);
    before = fake_store_audits(h->store);
    say(h, MSG_ANSWER_QUERY, &query);
    m = wait_for(h, MSG_ANSWER);
    assert_non_null(m);
    assert_int_equal(m->nfds, 1);
    assert_int_equal(xmlmsg_from_memfd(&tree, m->fds[0], m->body.answer.bytes), 0);
    assert_string_equal(xmlmsg_get(tree, "MessageBody/QualificationValidity"), "1");
    xmlmsg_free(&tree);
    assert_int_equal(fake_store_audits(h->store), before + 1);
    assert_string_equal(fake_store_audit(h->store, before, &visit, &who, &detail), "answer_viewed");
    assert_int_equal(visit, query.visit);
    assert_string_equal(who, "鈴木");
}

/* A slip filed at the door: accepted, shown to who watches, listed; refused with the field when something is missing. */
static void slips_are_filed_shown_and_listed(void **state)
{
    struct house *h = *state;
    struct msg_subscribe watch = {.request = 3, .what = 2};
    struct msg_slip_file slip = {.request = 21, .surface = 'B', .kind = SLIP_NEWBORN};
    struct msg_slips_query query = {.request = 22, .open_only = 1};
    struct msg_slip_amend amend = {.request = 23, .surface = 'B', .what = SLIP_AMEND_SETTLE};
    struct message *m;
    uint64_t visit;

    say(h, MSG_SUBSCRIBE, &watch);
    assert_non_null(wait_for(h, MSG_SUBSCRIBED));
    forget(h);
    strcpy(slip.staff, "佐藤");
    strcpy(slip.insured, "架空　太郎");
    say(h, MSG_SLIP_FILE, &slip);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    assert_int_equal(m->body.action_result.accepted, 0);
    assert_int_equal(m->body.action_result.failure, FAILURE_SLIP_FORMAT);
    assert_string_equal(m->body.action_result.field, "birth");
    forget(h);
    desk_today(h->desk, slip.birth);
    say(h, MSG_SLIP_FILE, &slip);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    assert_int_equal(m->body.action_result.accepted, 1);
    visit = m->body.action_result.visit;
    m = wait_for(h, MSG_SLIP_ITEM);
    assert_non_null(m);
    assert_int_equal(m->body.slip_item.visit, visit);
    assert_int_equal(m->body.slip_item.request, 0);
    assert_int_equal(m->body.slip_item.state, SLIP_STATE_NUMBERS);
    forget(h);
    say(h, MSG_SLIPS_QUERY, &query);
    m = wait_for(h, MSG_SLIPS_END);
    assert_non_null(m);
    assert_int_equal(m->body.slips_end.count, 1);
    m = wait_for(h, MSG_SLIP_ITEM);
    assert_int_equal(m->body.slip_item.request, 22);
    assert_string_equal(m->body.slip_item.insured, "架空　太郎");
    forget(h);
    /* Its result still stands on the board: it is settled all the same, but only with a word. */
    amend.visit = visit;
    strcpy(amend.staff, "佐藤");
    say(h, MSG_SLIP_AMEND, &amend);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    assert_int_equal(m->body.action_result.failure, FAILURE_SLIP_FORMAT);
    assert_string_equal(m->body.action_result.field, "note");
    forget(h);
    strcpy(amend.note, "来院せず");
    say(h, MSG_SLIP_AMEND, &amend);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    assert_int_equal(m->body.action_result.accepted, 1);
    m = wait_for(h, MSG_VISIT_ITEM);
    assert_non_null(m);
    assert_int_equal(m->body.visit_item.outcome, OUTCOME_STAFF);
    assert_string_equal(m->body.visit_item.staff, "佐藤");
    m = wait_for(h, MSG_SLIP_ITEM);
    assert_non_null(m);
    assert_int_equal(m->body.slip_item.state, SLIP_STATE_SETTLED);
}

static void disaster_mode_is_told_to_who_watches(void **state)
{
    struct house *h = *state;
    struct msg_subscribe watch = {.request = 3, .what = 1};
    struct msg_disaster_set on = {.request = 31, .surface = 'B', .cause = DISASTER_OUTAGE};
    struct message *m;

    say(h, MSG_SUBSCRIBE, &watch);
    assert_non_null(wait_for(h, MSG_SUBSCRIBED));
    forget(h);
    strcpy(on.staff, "佐藤");
    strcpy(on.word, "コールセンター");
    on.until = (int64_t)(clock_realtime_us(h->service.clock) / CLOCK_SECOND) + 3600;
    say(h, MSG_DISASTER_SET, &on);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    assert_int_equal(m->body.action_result.accepted, 1);
    m = wait_for(h, MSG_DISASTER_STATE);
    assert_non_null(m);
    assert_int_equal(m->body.disaster_state.cause, DISASTER_OUTAGE);
    assert_string_equal(m->body.disaster_state.word, "コールセンター");
    assert_int_equal(m->body.disaster_state.until, on.until);
    m = wait_for(h, MSG_LANE_STATE);
    assert_non_null(m);
    assert_int_equal(m->body.lane_state.disaster, DISASTER_OUTAGE);
}

static void visits_can_be_asked_for(void **state)
{
    struct house *h = *state;
    struct msg_visits_query query = {.request = 4};
    struct message *end;

    for (unsigned i = 0; i < 3; i++) {
        look_up(h);
        assert_non_null(wait_for(h, MSG_ACTION_RESULT));
        forget(h);
    }
    say(h, MSG_VISITS_QUERY, &query);
    end = wait_for(h, MSG_VISITS_END);
    assert_non_null(end);
    assert_int_equal(end->body.visits_end.count, 3);
    assert_int_equal(count(h, MSG_VISIT_ITEM), 3);
    forget(h);
    query.visit = 2;
    say(h, MSG_VISITS_QUERY, &query);
    end = wait_for(h, MSG_VISITS_END);
    assert_non_null(end);
    assert_int_equal(end->body.visits_end.count, 1);
    assert_int_equal(h->seen[0].body.visit_item.visit, 2);
    forget(h);
    query.visit = 77;
    say(h, MSG_VISITS_QUERY, &query);
    end = wait_for(h, MSG_VISITS_END);
    assert_non_null(end);
    assert_int_equal(end->body.visits_end.count, 0);
}

/* A day of more visits than one answer holds; its pages together are all of them, each once. */
static void a_day_of_hundreds_comes_page_by_page(void **state)
{
    enum { DAY = 2 * LIST_PAGE + 7 };
    static const unsigned pages[] = {LIST_PAGE, LIST_PAGE, 7};
    struct house *h = *state;
    struct msg_visits_query query = {.request = 4, .limit = 100000};
    struct message *end;
    uint64_t next = DAY;

    assert_int_equal(store_begin(h->desk->store), 0);
    for (unsigned i = 0; i < DAY; i++) {
        struct store_visit visit = {.lane = 1, .outcome = OUTCOME_ELIGIBLE};

        assert_int_equal(store_visit_open(h->desk->store, &visit), 0);
    }
    assert_int_equal(store_commit(h->desk->store), 0);
    for (size_t page = 0; page < sizeof(pages) / sizeof(pages[0]); page++) {
        query.before = page > 0 ? next + 1 : 0;
        say(h, MSG_VISITS_QUERY, &query);
        end = wait_for(h, MSG_VISITS_END);
        assert_non_null(end);
        assert_int_equal(end->body.visits_end.count, pages[page]);
        assert_int_equal(end->body.visits_end.more, page < 2);
        for (unsigned i = 0; i < h->nseen; i++)
            if (h->seen[i].type == MSG_VISIT_ITEM)
                assert_int_equal(h->seen[i].body.visit_item.visit, next--);
        forget(h);
    }
    assert_int_equal(next, 0);
}

/* Nobody sees a list before the log says so: where it cannot be written, the end says why there is nothing. */
static void a_list_is_not_shown_when_who_looks_cannot_be_written_down(void **state)
{
    struct house *h = *state;
    struct msg_visits_query query = {.request = 4};
    struct msg_slips_query slips = {.request = 5};
    struct msg_view board = {.request = 6, .view = VIEW_BOARD};
    struct message *m;
    size_t before;
    uint64_t visit;
    const char *who, *detail;

    look_up(h);
    assert_non_null(wait_for(h, MSG_ACTION_RESULT));
    forget(h);
    strcpy(query.staff, "鈴木");
    strcpy(slips.staff, "鈴木");
    strcpy(board.staff, "鈴木");
    before = fake_store_audits(h->store);
    fake_store_break(h->store, true);
    say(h, MSG_VISITS_QUERY, &query);
    m = wait_for(h, MSG_VISITS_END);
    assert_non_null(m);
    assert_int_equal(m->body.visits_end.failure, FAILURE_DESK_STORE);
    assert_int_equal(m->body.visits_end.count, 0);
    say(h, MSG_SLIPS_QUERY, &slips);
    m = wait_for(h, MSG_SLIPS_END);
    assert_non_null(m);
    assert_int_equal(m->body.slips_end.failure, FAILURE_DESK_STORE);
    say(h, MSG_VIEW, &board);
    m = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(m);
    assert_int_equal(m->body.action_result.accepted, 0);
    assert_int_equal(m->body.action_result.failure, FAILURE_DESK_STORE);
    assert_int_equal(count(h, MSG_VISIT_ITEM), 0);
    forget(h);
    fake_store_break(h->store, false);
    assert_int_equal(fake_store_audits(h->store), before);
    say(h, MSG_VISITS_QUERY, &query);
    assert_non_null(wait_for(h, MSG_VISITS_END));
    assert_int_equal(count(h, MSG_VISIT_ITEM), 1);
    assert_int_equal(fake_store_audits(h->store), before + 1);
    assert_string_equal(fake_store_audit(h->store, before, &visit, &who, &detail), "visits_viewed");
    assert_int_equal(visit, 0);
    assert_string_equal(who, "鈴木");
}

static void metrics_are_prometheus_text(void **state)
{
    struct house *h = *state;
    struct msg_metrics_query query = {.request = 6};
    const uint8_t *map;
    struct message *m;
    char *text;

    look_up(h);
    assert_non_null(wait_for(h, MSG_ACTION_RESULT));
    h->desk->metrics.backups = (struct metrics_backups){
        .wanted = true, .hours = 24, .newest_us = 1795838400900000, .failures = 2};
    say(h, MSG_METRICS_QUERY, &query);
    m = wait_for(h, MSG_METRICS);
    assert_non_null(m);
    assert_int_equal(memfd_map(m->fds[0], m->body.metrics.bytes, 1 << 20, &map), 0);
    text = strndup((const char *)map, m->body.metrics.bytes);
    memfd_unmap(map, m->body.metrics.bytes);
    assert_non_null(strstr(text, "\nuketsuke_visits_opened_total 1\n"));
    assert_non_null(strstr(text, "\n# TYPE uketsuke_stage_seconds histogram\n"));
    assert_non_null(strstr(text, "uketsuke_stage_seconds_bucket{stage=\"ask\",le=\"+Inf\"} 0\n"));
    assert_non_null(strstr(text, "\nuketsuke_clock_believed 1\n"));
    assert_non_null(strstr(text, "\nuketsuke_upstream_up{upstream=\"main\"} 1\n"));
    assert_non_null(strstr(text, "\nuketsuke_clock_followed 1\n")); /* nobody looks here */
    assert_non_null(strstr(text, "\nuketsuke_backup_last_timestamp_seconds 1795838400\n"));
    assert_non_null(strstr(text, "\nuketsuke_backup_interval_seconds 86400\n"));
    assert_non_null(strstr(text, "\nuketsuke_backup_failures_total 2\n"));
    assert_null(strstr(text, "花子"));
    free(text);
}

static void health_names_what_is_missing_and_ends(void **state)
{
    struct house *h = *state;
    struct msg_health_query query = {.request = 8};
    bool lane = false, clock = false;

    say(h, MSG_HEALTH_QUERY, &query);
    assert_non_null(wait_for(h, MSG_HEALTH_END));
    for (size_t i = 0; i < h->nseen; i++)
        if (h->seen[i].type == MSG_HEALTH_ITEM) {
            assert_int_equal(h->seen[i].body.health_item.request, 8);
            if (strcmp(h->seen[i].body.health_item.component, "clock of the desk") == 0) {
                clock = true;
                assert_int_equal(h->seen[i].body.health_item.state, 0);
                assert_non_null(strstr(h->seen[i].body.health_item.detail, "looked at"));
            }
            if (strcmp(h->seen[i].body.health_item.component, "lane 1") == 0) {
                lane = true;
                assert_int_equal(h->seen[i].body.health_item.state, 2);
                assert_int_equal(h->seen[i].body.health_item.failure, FAILURE_READER_ABSENT);
            }
        }
    assert_true(lane && clock);
}

/* What the desk says of its backups. */
static const struct msg_health_item *backups_health(struct house *h)
{
    struct msg_health_query query = {.request = 9};

    forget(h);
    say(h, MSG_HEALTH_QUERY, &query);
    assert_non_null(wait_for(h, MSG_HEALTH_END));
    for (size_t i = 0; i < h->nseen; i++)
        if (h->seen[i].type == MSG_HEALTH_ITEM &&
            strcmp(h->seen[i].body.health_item.component, "backups") == 0)
            return &h->seen[i].body.health_item;
    fail_msg("nothing is said of backups");
    return NULL;
}

static void backups_that_are_missing_late_or_failing_are_told(void **state)
{
    struct house *h = *state;
    struct metrics_backups *b = &h->desk->metrics.backups;
    int64_t now = (int64_t)clock_realtime_us(h->service.clock);
    const int64_t hour = 60 * (int64_t)CLOCK_MINUTE;
    const struct msg_health_item *item = backups_health(h);

    assert_int_equal(item->state, 1);
    assert_non_null(strstr(item->next, "backup-directory"));
    *b = (struct metrics_backups){.wanted = true, .hours = 24, .since_us = now - 47 * hour};
    item = backups_health(h);
    assert_int_equal(item->state, 1);
    assert_non_null(strstr(item->detail, "none yet"));
    b->since_us = now - 49 * hour;
    assert_int_equal(backups_health(h)->state, 2);
    b->newest_us = now - 3 * hour;
    item = backups_health(h);
    assert_int_equal(item->state, 0);
    assert_non_null(strstr(item->detail, "3 h ago"));
    assert_string_equal(item->next, "");
    b->failing = true;
    b->failures = 5;
    item = backups_health(h);
    assert_int_equal(item->state, 1);
    assert_non_null(strstr(item->detail, "5 failed"));
    assert_non_null(strstr(item->next, "uketsuke backup"));
    b->newest_us = now - 49 * hour;
    assert_int_equal(backups_health(h)->state, 2);
    *b = (struct metrics_backups){.wanted = true, .hours = 24, .since_us = now, .failing = true};
    assert_int_equal(backups_health(h)->state, 2); /* never one, and it does not work */
}

/* A command asks; the web program, a client of the same door, is asked in its turn. */
struct asker {
    bool item, end;
};

static void on_asker_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    const struct msg_health_query query = {.request = 77};

    (void)peer;
    (void)arg;
    assert_int_equal(ipc_send(ipc, MSG_HEALTH_QUERY, &query), 0);
}

static void on_asker_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct asker *asker = arg;

    (void)ipc;
    if (message->type == MSG_HEALTH_ITEM &&
        strcmp(message->body.health_item.component, "cage of the web") == 0) {
        assert_int_equal(message->body.health_item.request, 77);
        asker->item = true;
    }
    asker->end = asker->end || message->type == MSG_HEALTH_END;
}

static void health_of_the_web_program_is_asked_too(void **state)
{
    static const struct ipc_self command = {IPC_COMMAND, 0, "test", ""};
    static const struct ipc_handlers handlers = {on_asker_open, on_asker_message, NULL};
    struct house *h = *state;
    struct msg_health_item item = {.component = "cage of the web"};
    struct asker asker = {false, false};
    struct ipc_client *client = NULL;
    struct message *asked;
    char path[200];

    snprintf(path, sizeof(path), "%s/desk.sock", h->directory);
    assert_int_equal(ipc_client_new(&client, h->service.loop, h->service.clock, path, &command, "D",
                                    &handlers, &asker),
                     0);
    asked = wait_for(h, MSG_HEALTH_QUERY);
    assert_non_null(asked);
    item.request = asked->body.health_query.request;
    say(h, MSG_HEALTH_ITEM, &item);
    say(h, MSG_HEALTH_END, &(const struct msg_health_end){.request = item.request});
    for (unsigned i = 0; i < 300 && !asker.end; i++)
        sd_event_run(h->service.loop, 10000);
    assert_true(asker.item && asker.end);
    ipc_client_free(&client);
}

static void devices_end_even_without_a_broker(void **state)
{
    struct house *h = *state;
    struct msg_devices_query query = {.request = 11};
    struct message *m;

    say(h, MSG_DEVICES_QUERY, &query);
    m = wait_for(h, MSG_DEVICES_END);
    assert_non_null(m);
    assert_int_equal(m->body.devices_end.request, 11);
}

static void kiosk_does_nothing_out_of_turn(void **state)
{
    struct house *h = *state;
    struct msg_lane_action m = {
        .request = 12, .lane = 1, .visit = 1, .action = ACTION_CHOOSE_PIN, .surface = 'K'};
    struct message *result;

    say(h, MSG_LANE_ACTION, &m);
    result = wait_for(h, MSG_ACTION_RESULT);
    assert_non_null(result);
    assert_false(result->body.action_result.accepted);
    assert_int_equal(result->body.action_result.failure, FAILURE_DESK_OUT_OF_TURN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(present_state_comes_before_subscribed, start, stop),
        cmocka_unit_test_setup_teardown(look_up_is_followed_by_its_visit, start, stop),
        cmocka_unit_test_setup_teardown(answers_are_shown_to_named_staff_and_audited_first, start,
                                        stop),
        cmocka_unit_test_setup_teardown(slips_are_filed_shown_and_listed, start, stop),
        cmocka_unit_test_setup_teardown(disaster_mode_is_told_to_who_watches, start, stop),
        cmocka_unit_test_setup_teardown(visits_can_be_asked_for, start, stop),
        cmocka_unit_test_setup_teardown(a_day_of_hundreds_comes_page_by_page, start, stop),
        cmocka_unit_test_setup_teardown(a_list_is_not_shown_when_who_looks_cannot_be_written_down,
                                        start, stop),
        cmocka_unit_test_setup_teardown(metrics_are_prometheus_text, start, stop),
        cmocka_unit_test_setup_teardown(health_names_what_is_missing_and_ends, start, stop),
        cmocka_unit_test_setup_teardown(backups_that_are_missing_late_or_failing_are_told, start,
                                        stop),
        cmocka_unit_test_setup_teardown(health_of_the_web_program_is_asked_too, start, stop),
        cmocka_unit_test_setup_teardown(devices_end_even_without_a_broker, start, stop),
        cmocka_unit_test_setup_teardown(kiosk_does_nothing_out_of_turn, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
