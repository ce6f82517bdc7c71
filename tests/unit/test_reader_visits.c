/*
 * Whole visits of the reader in this process: what they cost, what they leave behind, and what a lane does that
 * nobody uses. UKETSUKE_VISITS=10000 for more of them.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "lane_rig.h"
#include "lane_wrap.h"
#include "sim_rig.h"
#include "sim_usb.h"
#include "umock_device.h"

static const char *const levels[] = {"extended", "short", "tpdu-t1", "tpdu-t0", "tpdu-bare"};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static bool untroubled(const struct lane_visit *v)
{
    return v->done && !v->not_genuine && v->again + v->camera_again + v->reopened + v->refused == 0;
}

static struct lane_rig *rig_of(enum lane_wire wire, const char *level)
{
    struct lane_rig_options options = {.wire = wire, .level = level, .card = "franck"};

    return lane_rig_new(&options);
}

static void both_visits_come_to_their_ends_at_every_level_of_a_reader(void **state)
{
    (void)state;
    for (unsigned wire = 0; wire < 2; wire++)
        for (size_t i = 0; i < LEVELS; i++) {
            struct lane_rig *rig = rig_of(wire, levels[i]);
            struct lane_visit face, pin;

            lane_rig_face(rig, &face);
            lane_rig_pin(rig, &pin);
            assert_true(untroubled(&face));
            assert_true(untroubled(&pin));
            lane_rig_free(&rig);
        }
}

/* -- what a visit asks of the card ------------------------------------------------------------- */

/* The whole of a file's TLV, without the filler behind it. */
static size_t tlv_bytes(struct lane_rig *rig, const char *name)
{
    uint8_t head[8];
    char path[8192];
    size_t at = 1;
    FILE *file;

    lane_rig_card_file(rig, name, path, sizeof(path));
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, sizeof(head), file), sizeof(head));
    fclose(file);
    if ((head[0] & 0x1f) == 0x1f)
        at++;
    if (head[at] < 0x80)
        return at + 1 + head[at];
    if (head[at] == 0x81)
        return at + 2 + head[at + 1];
    assert_int_equal(head[at], 0x82);
    return at + 3 + ((size_t)head[at + 1] << 8 | head[at + 2]);
}

/* READ BINARYs of a visit, and the bytes they brought, from the simulated card's own record. */
static void count_reads(const char *trace, unsigned *reads, size_t *bytes)
{
    FILE *file = fopen(trace, "re");
    char line[256];

    assert_non_null(file);
    *reads = 0;
    *bytes = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *arrow = strstr(line, "-> ");

        if (strstr(line, " INS=B0 ") == NULL)
            continue;
        assert_non_null(arrow);
        (*reads)++;
        *bytes += strtoul(arrow + 3, NULL, 10);
    }
    fclose(file);
}

/*
 * The least that the card's files allow, for a face visit: besides the reads, each application (3) and each file or
 * key (8) selected once, a counter asked before each VERIFY and when the card is identified (4), two VERIFYs, one
 * challenge. Where one read may bring more than 256 bytes, a file still costs a short one first, which tells how long
 * it is: asking for all that may be there would bring the filler too, over a contactless link at its 20 bytes a
 * millisecond.
 */
static void a_face_visit_asks_for_no_more_than_the_files_need(void **state)
{
    static const char *const files[] = {"jpki-000A.bin", "kenkaku-0002.bin", "kenkaku-0004.bin",
                                        "kenhojo-0002.bin"};
    static const struct {
        const char *level;
        size_t
            most; /* that one READ BINARY may bring: 522 less header and status at the extended level */
    } rows[] = {{"short", 256}, {"extended", 510}};

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct lane_rig *rig = rig_of(LANE_DIRECT, rows[r].level);
        char trace[] = "/tmp/visit-trace-XXXXXX", line[64];
        unsigned least_reads = 1, short_first = 0, reads, others = 3 + 8 + 4 + 2 + 1;
        size_t least_bytes = 32, filler = 0, bytes;
        struct lane_visit face;
        int fd = mkstemp(trace);

        assert_true(fd >= 0);
        close(fd);
        snprintf(line, sizeof(line), "trace on %s", trace);
        sim_rig_do(lane_rig_sim(rig), line);
        lane_rig_face(rig, &face);
        assert_true(untroubled(&face));
        sim_rig_do(lane_rig_sim(rig), "trace off");
        count_reads(trace, &reads, &bytes);
        unlink(trace);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
            size_t n = tlv_bytes(rig, files[i]);
            size_t least = (n + rows[r].most - 1) / rows[r].most;
            size_t ours = n <= 256 ? 1 : 1 + (n - 256 + rows[r].most - 1) / rows[r].most;

            least_reads += (unsigned)least;
            least_bytes += n;
            short_first += (unsigned)(ours - least);
            filler += n < 256 ? 256 - n : 0;
        }
        print_message("%s: %u APDUs, least %u; %u reads, least %u; %zu bytes read, least %zu\n",
                      rows[r].level, face.apdus, least_reads + others, reads, least_reads, bytes,
                      least_bytes);
        assert_int_equal(face.apdus, others + reads);
        assert_int_equal(reads, least_reads + short_first);
        assert_int_equal(bytes, least_bytes + filler);
        assert_true(rows[r].most > 256 || short_first == 0);
        assert_true(short_first <= 3);
        lane_rig_free(&rig);
    }
}

/* -- what is left behind ----------------------------------------------------------------------- */

static unsigned long resident_kib(void)
{
    unsigned long total, resident;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    fclose(file);
    return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void visits_leave_nothing_behind(void **state)
{
    const char *wish = getenv("UKETSUKE_VISITS");
    unsigned count = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : 100;
    struct lane_rig *rig = rig_of(LANE_DIRECT, "extended");
    unsigned long before, after;
    unsigned descriptors = 0;
    long live = 0;

    (void)state;
    before = 0;
    for (unsigned i = 0; i < count + 20; i++) {
        struct lane_visit v;

        if (i == 20) { /* by now everything has been used once */
            live = lane_wrap_live();
            before = resident_kib();
            descriptors = open_descriptors();
        }
        (i % 2 == 0 ? lane_rig_face : lane_rig_pin)(rig, &v);
        assert_true(untroubled(&v));
    }
    after = resident_kib();
    print_message("%u visits: %ld blocks before, %ld after; %lu KiB resident before, %lu after; %u "
                  "descriptors before, %u after\n",
                  count, live, lane_wrap_live(), before, after, descriptors, open_descriptors());
    assert_int_equal(lane_wrap_live(), live);
    assert_int_equal(open_descriptors(), descriptors);
    /* Blocks are counted; pages are the host's affair, but not by the megabyte (sanitizers keep what was freed). */
#ifndef __SANITIZE_ADDRESS__
    assert_true(after < before + 1024);
#endif
    lane_rig_free(&rig);
}

/* -- nobody there ------------------------------------------------------------------------------ */

static void eight_lanes_without_a_card_do_nothing(void **state)
{
    struct lane_rig *rigs[8];
    struct lane_visit v;
    uint64_t submitted;
    unsigned fired = 0;

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        rigs[i] = rig_of(LANE_DIRECT, levels[i % LEVELS]);
        memset(&v, 0, sizeof(v));
        assert_true(lane_rig_ready(rigs[i], &v));
        lane_rig_pass(rigs[i], 2 * CLOCK_SECOND);
    }
    submitted = sim_usb_counts.submitted;
    for (size_t i = 0; i < 8; i++)
        fired += lane_rig_pass(rigs[i], 12 * 60 * CLOCK_MINUTE);
    print_message("eight lanes, twelve hours: %llu transfers submitted, %u timers fired\n",
                  (unsigned long long)(sim_usb_counts.submitted - submitted), fired);
    assert_int_equal(sim_usb_counts.submitted, submitted);
    assert_int_equal(fired, 0);
    for (size_t i = 0; i < 8; i++) {
        lane_rig_face(rigs[i], &v);
        assert_true(untroubled(&v));
        lane_rig_free(&rigs[i]);
    }
}

/* -- sleep ------------------------------------------------------------------------------------- */

/*
 * A device that is put to sleep, by itself or with the host, brings nothing under way to its end: the handle is given up
 * and the broker opens it anew, which asks what lies on it. Where its claims are taken instead, the reader is asked
 * over the handle that it has.
 */
static void a_reader_that_slept_is_asked_what_lies_on_it(void **state)
{
    static const struct {
        enum sim_sleep sleep;
        unsigned reopened;
    } rows[] = {{SIM_SLEEP_POWERED, 1}, {SIM_SLEEP_UNPOWERED, 1}, {SIM_SLEEP_RESET, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lane_rig *rig = rig_of(LANE_LIBUSB, "extended");
        struct lane_visit v;

        memset(&v, 0, sizeof(v));
        assert_true(lane_rig_ready(rig, &v));
        /* a card is put down while it sleeps: no word of that comes by the pipe */
        (void)sim_rig_ask(lane_rig_sim(rig), "insert franck");
        sim_rig_sleep(lane_rig_sim(rig), rows[i].sleep);
        lane_rig_pass(rig, 3 * CLOCK_SECOND);
        assert_true(lane_rig_ready(rig, &v));
        assert_int_equal(v.reopened, rows[i].reopened);
        assert_int_equal(lane_rig_cards(rig), 1);
        /* and taken away in the next sleep */
        (void)sim_rig_ask(lane_rig_sim(rig), "remove");
        sim_rig_sleep(lane_rig_sim(rig), rows[i].sleep);
        lane_rig_pass(rig, 3 * CLOCK_SECOND);
        assert_true(lane_rig_ready(rig, &v));
        assert_int_equal(v.reopened, 2 * rows[i].reopened);
        assert_int_equal(v.refused, 0);
        assert_int_equal(lane_rig_cards(rig), 0);
        lane_rig_face(rig, &v);
        assert_true(untroubled(&v));
        lane_rig_free(&rig);
    }
}

/*
 * An idle camera of its own has no transfer under way, so that nobody is told of a sleep. Where its power was lost
 * uvcvideo has it by then: the first start finds that out, and the next one has the camera again.
 */
static void a_camera_that_slept_is_taken_back_from_the_kernels_driver(void **state)
{
    static const struct {
        enum sim_sleep sleep;
        unsigned reopened;
    } rows[] = {{SIM_SLEEP_POWERED, 0}, {SIM_SLEEP_UNPOWERED, 1}, {SIM_SLEEP_RESET, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lane_rig_options options = {
            .wire = LANE_LIBUSB, .level = "extended", .card = "franck", .camera_only = true};
        struct lane_rig *rig = lane_rig_new(&options);
        struct lane_visit v;

        memset(&v, 0, sizeof(v));
        assert_true(lane_rig_ready(rig, &v));
        assert_true(lane_rig_watch(rig, &v));
        assert_true(untroubled(&v));
        sim_rig_sleep(lane_rig_sim(rig), rows[i].sleep);
        lane_rig_pass(rig, 3 * CLOCK_SECOND);
        assert_true(lane_rig_watch(rig, &v));
        assert_int_equal(v.reopened, rows[i].reopened);
        assert_int_equal(v.refused + v.camera_again, 0);
        assert_true(lane_rig_watch(rig, &v));
        assert_true(untroubled(&v));
        lane_rig_free(&rig);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_visits_come_to_their_ends_at_every_level_of_a_reader),
        cmocka_unit_test(a_face_visit_asks_for_no_more_than_the_files_need),
        cmocka_unit_test(visits_leave_nothing_behind),
        cmocka_unit_test(eight_lanes_without_a_card_do_nothing),
        cmocka_unit_test(a_reader_that_slept_is_asked_what_lies_on_it),
        cmocka_unit_test(a_camera_that_slept_is_taken_back_from_the_kernels_driver),
    };

    if (!umock_device_preloaded()) {
        fprintf(stderr, "run this with LD_PRELOAD=libumockdev-preload.so.0\n");
        return 1;
    }
    lane_wrap_prepare();
    log_open("visits", "", LOG_LEVEL_ERROR);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
