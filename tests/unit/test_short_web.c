/*
 * The host and the libraries fail the web at each call that a patient's and a receptionist's pages
 * make of it (short_calls.h): nothing crashes, nothing leaks, no page is shown what is not so, no
 * press is carried to the desk twice, and the next requests are served as if nothing had been.
 *
 * A slice of them runs by itself; UKETSUKE_FAULTS=all runs each (`make faults`).
 */
#include "short_calls.h"
#include "web_rig.h"

#include "failure.h"

static const char *const names[SHORT_KINDS] = {SHORT_NAMES};
#ifdef __SANITIZE_ADDRESS__
static const unsigned runs_wanted = 10;
#else
static const unsigned runs_wanted = 40;
#endif

int __real_sd_event_run(sd_event *loop, uint64_t us);
int __wrap_sd_event_run(sd_event *loop, uint64_t us);
unsigned __real_clock_advance(struct clock *clock, uint64_t us);
unsigned __wrap_clock_advance(struct clock *clock, uint64_t us);

int __wrap_sd_event_run(sd_event *loop, uint64_t us)
{
    int r;

    short_in();
    r = __real_sd_event_run(loop, us);
    short_out();
    return r;
}

unsigned __wrap_clock_advance(struct clock *clock, uint64_t us)
{
    unsigned n;

    short_in();
    n = __real_clock_advance(clock, us);
    short_out();
    return n;
}

static unsigned presses; /* LANE_ACTIONs that the desk got */

static void desk(struct rig *rig, const struct message *message)
{
    if (message->type == MSG_LANE_ACTION) {
        struct msg_action_result result = {.request = message->body.lane_action.request,
                                           .accepted = 1};

        presses++;
        rig_send(rig, MSG_ACTION_RESULT, &result, -1);
        return;
    }
    rig_desk_plain(rig, message);
}

/* What a kiosk and a board do: page, lane, events, a press, visits. How many were served as they
 * should be. */
#define REQUESTS 6
struct served {
    int status[REQUESTS];
    bool told_wrong;
    unsigned pressed;
};

static void requests(struct rig *rig, struct served *out)
{
    static const char *const paths[] = {"/kiosk/1", "/api/health", "/api/lanes/1", "/api/visits"};
    static const char *const heads[] = {"", "", BEARER(LANE1_TOKEN), BEARER(STAFF_TOKEN)};
    struct msg_lane_state lane = {.lane = 1, .step = 4, .pin_tries = 255, .number_b_tries = 255};
    struct reply *reply;
    struct reply events;
    int fd;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        reply = get(rig, paths[i], heads[i]);
        out->status[i] = reply->status;
        /* What is called good is whole: the lane's own state, and nobody else's. */
        if (i == 2 && reply->status == 200 && strstr(reply->body, "\"lane\"") == NULL)
            out->told_wrong = true;
    }
    presses = 0;
    reply = post(rig, "/api/lanes/1/actions", BEARER(LANE1_TOKEN) JSON_OF("kiosk"),
                 "{\"visit\":\"1\",\"step\":4,\"action\":\"choose_pin\"}");
    out->status[4] = reply->status;
    out->pressed = presses;
    fd = client_begin(rig, "GET", "/api/lanes/1/events", BEARER(LANE1_TOKEN), NULL);
    if (rig->desk >= 0) {
        lane.step++;
        MESSAGE_TEXT(lane.label, "正面");
        rig_lane(rig, &lane);
        lane.step--;
        rig_lane(rig, &lane);
    }
    memset(&events, 0, sizeof(events));
    client_read(rig, fd, &events);
    out->status[5] = events.status;
    close(fd);
    rig_pump(rig);
}

/* The desk may have been lost: it is connected to again by the clock. */
static void settle(struct rig *rig)
{
    for (int i = 0; i < 60; i++)
        rig_advance(rig, 100 * CLOCK_MS);
    if (!desk_link_up(rig->web.desk) && rig->desk >= 0) {
        close(rig->desk);
        rig->desk = -1;
        for (int i = 0; i < 60; i++)
            rig_advance(rig, 100 * CLOCK_MS);
    }
}

static bool same(const struct served *a, const struct served *b)
{
    return memcmp(a->status, b->status, sizeof(a->status)) == 0 && a->pressed == b->pressed;
}

static bool leaks(struct rig *rig, enum short_kind kind, unsigned n)
{
    struct served served;
    unsigned grown = 0;

    for (unsigned i = 0; i < 3; i++) {
        long live = short_live();

        short_arm(kind, n);
        requests(rig, &served);
        (void)short_disarm();
        settle(rig);
        requests(rig, &served);
        settle(rig);
        grown += short_live() > live;
    }
    return grown == 3;
}

static void run_kind(struct rig *rig, enum short_kind kind)
{
    const char *wish = getenv("UKETSUKE_FAULTS");
    unsigned total, runs = 0, failed = 0, served_all = 0;
    struct served calm, got;

#ifdef __SANITIZE_ADDRESS__
    if (kind == SHORT_MEMORY)
        return;
#endif
    rig->on_desk = desk;
    rig->lossy = true;
    for (unsigned i = 0; i < 3; i++)
        requests(rig, &calm);
    for (unsigned i = 0; i < REQUESTS; i++)
        if (calm.status[i] != 200 && calm.status[i] != 204)
            fail_msg("request %u: %d", i, calm.status[i]);
    assert_int_equal(calm.pressed, 1);
    settle(rig);
    short_arm(kind, 0);
    requests(rig, &got);
    total = short_disarm();
    assert_true(same(&calm, &got));
    for (unsigned n = 1; n <= total;
         n += wish != NULL && strcmp(wish, "all") == 0 ? 1 : 1 + total / runs_wanted, runs++) {
        const char *wrong = NULL;
        char name[48];
        long live;

        settle(rig);
        live = short_live();
        short_arm(kind, n);
        requests(rig, &got);
        (void)short_disarm();
        (void)snprintf(name, sizeof(name), "%s", short_failed() != NULL ? short_failed() : "-");
        served_all += same(&calm, &got);
        if (got.told_wrong)
            wrong = "a page was told what is not so";
        else if (got.pressed > 1)
            wrong = "a press was carried to the desk twice";
        else if (got.pressed == 0 && got.status[4] == 200)
            wrong = "a press that the desk never got was called done";
        settle(rig);
        requests(rig, &got);
        if (wrong == NULL && !same(&calm, &got))
            wrong = "the next requests are not undisturbed";
        settle(rig);
        if (wrong == NULL && short_live() > live + 16 && leaks(rig, kind, n))
            wrong = "memory is kept";
        if (wrong == NULL)
            continue;
        failed++;
        print_message("FAIL %s %u (%s): %s (%d %d %d %d %d %d)\n", names[kind], n, name, wrong,
                      got.status[0], got.status[1], got.status[2], got.status[3], got.status[4],
                      got.status[5]);
    }
    print_message("%s: %u calls, %u of them made to fail in turn: %u times every page was served "
                  "all the same, %u failed\n",
                  names[kind], total, runs, served_all, failed);
    assert_int_equal(failed, 0);
    assert_true(total > 0); /* else it says nothing */
}

SHORT_TEST(SHORT_MEMORY, any_piece_of_memory_may_be_missing)
SHORT_TEST(SHORT_TALK, any_call_to_a_socket_or_the_loop_may_fail)
SHORT_TEST(SHORT_CRYPTO, any_call_of_the_cryptographic_library_may_fail)

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_piece_of_memory_may_be_missing),
        TEST(any_call_to_a_socket_or_the_loop_may_fail),
        TEST(any_call_of_the_cryptographic_library_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
