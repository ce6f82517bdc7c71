/* Which upstream is asked what: the lane's, or the one that [desk] routes names for the kind of question. */
#include "fake_store.h"
#include "quiet_desk.h"

#include "daemon/common/config.h"
#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/outbox.h"
#include "daemon/desk/precheck.h"
#include "daemon/desk/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TWO                                                                                        \
    "[upstream terminal]\nkind = folders\ncapabilities = by_numbers reference_number face_files\n" \
    "[upstream web]\ncapabilities = by_numbers documents\n"                                        \
    "[lane 1]\nupstream = terminal\n[lane 2]\nupstream = web\n"

static struct house {
    struct clock *clock;
    struct store *store;
    struct desk *desk;
    struct config *config;
    int asked; /* index of the upstream that the last question went to; -1: none */
} house;

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    (void)arg;
    (void)body;
    (void)fds;
    (void)nfds;
    if (peer == PEER_RELAY && type == MSG_ELIGIBILITY_ASK)
        house.asked = (int)index;
    return 0;
}

/* What config_load() and settings_apply() say of this configuration; a good one leaves its desk in `house`. */
static int begin(const char *routes, const char *rest)
{
    const struct desk_ports ports = quiet_ports(port_send, NULL);
    struct desk_settings settings;
    char path[] = "/tmp/uketsuke-routes-XXXXXX", *message = NULL, *words = NULL;
    size_t len;
    FILE *errors = open_memstream(&words, &len);
    int fd = mkstemp(path), r;

    assert_true(fd >= 0);
    assert_true(dprintf(fd, "[desk]\ninstitution = 9910000017\nroutes = %s\n%s", routes, rest) > 0);
    (void)close(fd);
    r = config_load(&house.config, path, &message);
    (void)unlink(path);
    if (r != 0) {
        assert_non_null(strstr(message, ":3: routes: "));
        (void)fclose(errors);
        free(message);
        free(words);
        return r;
    }
    house.asked = -1;
    house.clock = clock_new_simulated(1, UINT64_C(1785542400000000));
    house.store = fake_store_new(house.clock);
    settings_read(house.config, &settings);
    assert_int_equal(desk_new(&house.desk, house.clock, house.store, &settings, &ports), 0);
    r = settings_apply(house.config, house.desk, errors);
    (void)fclose(errors);
    assert_int_equal(r<0, len> 0); /* a refusal says why */
    free(words);
    return r;
}

static void end(void)
{
    desk_free(&house.desk);
    fake_store_free(&house.store);
    config_free(&house.config);
    clock_free(&house.clock);
}

static unsigned whom(uint16_t lane, uint32_t capability)
{
    return desk_upstream_for(house.desk, lane, capability);
}

static void without_routes_the_lane_decides(void **state)
{
    (void)state;
    assert_int_equal(begin("", TWO), 0);
    for (unsigned bit = 0; bit < 8; bit++) {
        assert_int_equal(whom(1, 1u << bit), 0);
        assert_int_equal(whom(2, 1u << bit), 1);
        assert_int_equal(whom(0, 1u << bit), 0); /* a look-up of no counter */
    }
    end();
}

static void a_route_holds_for_its_kind_on_every_lane(void **state)
{
    (void)state;
    assert_int_equal(begin("documents=web  reference_number=terminal", TWO), 0);
    assert_int_equal(whom(1, CAPABILITY_DOCUMENTS), 1);
    assert_int_equal(whom(0, CAPABILITY_DOCUMENTS), 1);
    assert_int_equal(whom(2, CAPABILITY_REFERENCE_NUMBER), 0);
    assert_int_equal(whom(2, CAPABILITY_BY_NUMBERS), 1);
    /* What the card says itself stays with the lane. */
    assert_int_equal(whom(1, CAPABILITY_CARD_SESSION), 0);
    assert_int_equal(whom(1, 0), 0);
    end();
}

/* Both services are there; the list is asked about where the route says. */
static void a_question_goes_where_the_route_says(void **state)
{
    static const char *const routes[] = {"by_numbers=web", "by_numbers=terminal"};
    struct msg_precheck row = {.request = 1,
                               .insurer = "06990014",
                               .symbol = "試験",
                               .number = "1001",
                               .branch = "01",
                               .birth = "19710203"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        int asker;

        assert_int_equal(begin(routes[i], TWO), 0);
        ask_relay_up(house.desk, 0);
        ask_relay_up(house.desk, 1);
        precheck_ask(house.desk, &asker, &row);
        assert_int_equal(house.asked, 1 - i);
        end();
        /* The named one is away: nobody else is asked in its place. */
        assert_int_equal(begin(routes[i], TWO), 0);
        ask_relay_up(house.desk, (unsigned)i);
        precheck_ask(house.desk, &asker, &row);
        assert_int_equal(house.asked, -1);
        end();
    }
}

static void a_route_that_cannot_be_is_refused_in_words(void **state)
{
    static const char *const wrong[] = {
        "documents=nobody", "documents",        "documents=",   "=web",
        "cards=web",        "card_session=web", "register=web", "documents=web documents=terminal"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(begin(wrong[i], TWO) < 0);
    }
}

static void an_output_of_documents_is_one_of_the_kinds(void **state)
{
    (void)state;
    assert_int_equal(begin("documents=web", TWO "[output chart]\nkind = documents\nfolder = /tmp\n"
                                                "months = 3\n"),
                     0);
    assert_int_equal(outbox_outputs(house.desk), 1);
    assert_int_equal(outbox_output(house.desk, 0)->kind, OUTBOX_DOCUMENT);
    assert_int_equal(outbox_output(house.desk, 0)->months, 3);
    end();
}

/* What a clock without a time server is worth, as [desk] says. */
static void the_clock_is_believed_as_it_is_configured(void **state)
{
    static const struct {
        const char *lines;
        int told; /* by the kernel: 1 followed, 0 not, negative: it cannot be told */
        bool believed;
    } cases[] = {
        {"", 1, true},
        {"", 0, true},
        {"", -EPERM, true},
        {"\nclock-wrong = refuse", 1, true},
        {"\nclock-wrong = refuse", 0, false},
        {"\nclock-wrong = refuse", -EPERM, false},
        {"\nclock-wrong = refuse\nclock-source = none", 0, true},
        {"\nclock-source = none", 0, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(begin(cases[i].lines, TWO), 0);
        clock_set_synchronised(house.clock, cases[i].told);
        assert_int_equal(desk_check_clock(house.desk), cases[i].believed);
        /* One that went back is believed by none of them; set right again, by all. */
        clock_step_realtime(house.clock, -(int64_t)(10 * CLOCK_MINUTE));
        assert_false(desk_check_clock(house.desk));
        clock_step_realtime(house.clock, 10 * CLOCK_MINUTE);
        clock_set_synchronised(house.clock, 1);
        assert_true(desk_check_clock(house.desk));
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_routes_the_lane_decides),
        cmocka_unit_test(a_route_holds_for_its_kind_on_every_lane),
        cmocka_unit_test(a_question_goes_where_the_route_says),
        cmocka_unit_test(a_route_that_cannot_be_is_refused_in_words),
        cmocka_unit_test(an_output_of_documents_is_one_of_the_kinds),
        cmocka_unit_test(the_clock_is_believed_as_it_is_configured),
    };

    quiet_log();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
