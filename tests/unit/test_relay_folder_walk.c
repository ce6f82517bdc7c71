/*
 * A crash at every step of the folder protocol, and at every step of the recovery after it: nothing
 * is sent twice, nothing that was answered is lost, and what is left behind is known.
 *
 * Each life is a process of its own that ends at its n-th step as if by kill -9. Between two lives
 * the terminal (here: a few lines, moving files) takes what lies in req and answers it. What the
 * desk has heard and what the terminal has taken are written down outside the folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/relay/folder.h"

#define INSTITUTION "9910000017"
#define STEPS_MAX 400
#define KILLED 9
#define SETTLE UINT64_C(1000)

static char top[64], places[FOLDER_PLACES][100];
static struct codec_xml *codec;

/* What a life is about. */
enum story { STORY_READ, STORY_WRITE, STORY_FACE, STORIES };

struct plan {
    enum story story;
    bool busy_terminal; /* it acts at once, while the relay lives; else between two lives only */
    int at;             /* the step that this life ends at; 0: it lives to its end */
    int error;          /* not 0: the step fails so, and the life goes on */
};

struct life {
    const struct plan *plan;
    int steps;
    bool failed; /* the error was given */
    struct folder *folder;
    bool slip; /* a request of an earlier life, or of this one, is on its way */
    struct folder_slip sent;
    bool refused; /* certainly not sent */
    unsigned told;
};

/* ---- the world ------------------------------------------------------------------------------- */

static void path_of(char *out, const char *name)
{
    (void)snprintf(out, 400, "%s/%s", top, name);
}

static void note(const char *book, const char *line)
{
    char path[400];
    int fd;

    path_of(path, book);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", line) < 0)
        abort();
    (void)close(fd);
}

static unsigned noted(const char *book, const char *text)
{
    char path[400], line[300];
    unsigned n = 0;
    FILE *file;

    path_of(path, book);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        n += strstr(line, text) != NULL;
    if (file != NULL)
        (void)fclose(file);
    return n;
}

static bool watched; /* say what is there */

static unsigned count_files(enum folder_place place, bool remove)
{
    struct dirent *entry;
    unsigned n = 0;
    DIR *dir = opendir(places[place]);

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL) {
        char path[400];

        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (watched)
            print_error("left behind: %s\n", entry->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", places[place], entry->d_name);
        if (remove)
            (void)unlink(path);
    }
    (void)closedir(dir);
    return n;
}

static const char answer_text[] =
    "<?xml version=\"1.0\" "
    "encoding=\"UTF-8\"?><XmlMsg><MessageHeader><MedicalInstitutionCode>" INSTITUTION
    "</MedicalInstitutionCode><ArbitraryFileIdentifier>WALK</"
    "ArbitraryFileIdentifier><SegmentOfResult>1</SegmentOfResult>"
    "</MessageHeader><MessageBody><ProcessingResultStatus>1</ProcessingResultStatus></"
    "MessageBody></XmlMsg>";

static void put(enum folder_place place, const char *name, const char *text)
{
    char path[400];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", places[place], name);
    file = fopen(path, "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

/* Takes and answers whatever lies in req, and says if it was not whole. */
static void terminal_acts(void)
{
    struct dirent *entry;
    DIR *dir = opendir(places[FOLDER_REQ]);

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL) {
        char path[400], answer[300], text[32768] = "";
        const char *suffix = strstr(entry->d_name, "req_");
        FILE *file;

        if (suffix == NULL)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", places[FOLDER_REQ], entry->d_name);
        file = fopen(path, "re");
        if (file == NULL || fread(text, 1, sizeof(text) - 1, file) == 0 || fclose(file) != 0)
            abort();
        note("taken", strstr(text, "</XmlMsg>") != NULL ? "whole" : "HALF");
        (void)unlink(path);
        (void)snprintf(answer, sizeof(answer), "%.*sres_%s", (int)(suffix - entry->d_name),
                       entry->d_name, suffix + 4);
        put(FOLDER_RES, answer, answer_text);
    }
    (void)closedir(dir);
}

static void clean(void)
{
    char path[400];

    for (int i = 0; i < FOLDER_PLACES; i++)
        (void)count_files((enum folder_place)i, true);
    path_of(path, "taken");
    (void)unlink(path);
    path_of(path, "heard");
    (void)unlink(path);
}

/* ---- one life -------------------------------------------------------------------------------- */

static int at_step(void *arg, const char *step)
{
    struct life *life = arg;

    (void)step;
    if (++life->steps != life->plan->at)
        return 0;
    if (life->plan->error == 0)
        _exit(KILLED);
    life->failed = true;
    return life->plan->error;
}

static void on_event(void *arg, struct folder_event *event)
{
    struct life *life = arg;

    switch (event->kind) {
    case FOLDER_EVENT_SLIP:
    case FOLDER_EVENT_ANSWERED:
        life->slip = true;
        life->sent = event->slip;
        break;
    case FOLDER_EVENT_SENT:
        life->slip = event->error == 0 || event->unknown;
        life->refused = !life->slip;
        break;
    case FOLDER_EVENT_ANSWER:
        /* The desk has it before the folder forgets it. */
        note("heard", "answer");
        life->told++;
        if (event->slip.writes)
            folder_done(life->folder, &event->slip);
        folder_drop(life->folder, &event->slip); /* for a write: its receipt has come */
        life->slip = false;
        break;
    case FOLDER_EVENT_FACE:
        note("heard", "face");
        life->told++;
        folder_face_taken(life->folder, event->hash);
        break;
    default:
        break;
    }
    xmlmsg_free(&event->tree);
    free(event->raw);
}

static void send_request(struct life *life)
{
    static char xml[16000]; /* several pieces, so that it can be half written */
    struct folder_slip slip = {.family = "OQSsiimm01",
                               .kind = UPSTREAM_REFERENCE_NUMBER,
                               .stage = 1,
                               .strict = true,
                               .institution = INSTITUTION,
                               .identifier = "WALK",
                               .asked_s = 1790000000};

    memset(slip.key, 'a', FOLDER_KEY_DIGITS);
    slip.writes = life->plan->story == STORY_WRITE;
    (void)snprintf(slip.suffix, sizeof(slip.suffix), "20261005U%d", (int)getpid());
    memset(xml, ' ', sizeof(xml) - 1);
    memcpy(xml, "<XmlMsg>", 8);
    memcpy(xml + sizeof(xml) - 10, "</XmlMsg>", 9);
    folder_send(life->folder, &slip, xml, sizeof(xml) - 1, 0);
}

/* The relay with a desk that asks what has not been answered: a read again and again, a write once
 * in all its lives. */
static void live(const struct plan *plan, bool first)
{
    struct life life = {.plan = plan};
    struct folder_setup setup = {.disk = {.before = at_step, .arg = &life},
                                 .codec = codec,
                                 .notify = -1,
                                 .institution = INSTITUTION,
                                 .most = 1 << 20,
                                 .settle_us = SETTLE,
                                 .faces = plan->story == STORY_FACE,
                                 .face_age_us = UINT64_C(86400000000),
                                 .event = on_event,
                                 .arg = &life};
    uint64_t now = 1000000;

    for (int i = 0; i < FOLDER_PLACES; i++)
        setup.disk.paths[i] = places[i];
    if (folder_new(&life.folder, &setup) != 0)
        abort();
    folder_recover(life.folder, now, (int64_t)time(NULL) * 1000000);
    if (plan->story != STORY_FACE && !life.slip && noted("heard", "answer") == 0 &&
        (first || plan->story == STORY_READ))
        send_request(&life);
    for (int round = 0; round < 8; round++) {
        if (plan->busy_terminal)
            terminal_acts();
        (void)folder_step(life.folder, now += 2 * SETTLE);
    }
    note("ends", life.slip ? "waits" : "rests");
    folder_free(&life.folder);
    if (plan->error != 0 && !life.failed)
        _exit(2); /* past the last step */
    _exit(0);
}

/* The exit status; KILLED, or 0 when it came to its end. */
static int one_life(const struct plan *plan, bool first)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        live(plan, first);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        fail_msg("story %d, step %d: signal %d", plan->story, plan->at, WTERMSIG(status));
    return WEXITSTATUS(status);
}

static void begin(const struct plan *plan)
{
    clean();
    if (plan->story == STORY_FACE)
        put(FOLDER_FACE, "OQSsiquc01res_face_a.xml", answer_text);
}

/* The last life is never killed; then everything has come to its end. */
static void judge(const struct plan *plan, int again)
{
    const struct plan whole = {.story = plan->story, .busy_terminal = plan->busy_terminal};
    unsigned taken, heard;

    terminal_acts();
    assert_int_equal(one_life(&whole, false), 0);
    terminal_acts();
    assert_int_equal(one_life(&whole, false), 0);
    taken = noted("taken", "whole");
    heard = noted("heard", "answer");
    if (noted("taken", "HALF") != 0 || taken > 1 || (plan->story == STORY_READ && taken != 1) ||
        (plan->story != STORY_FACE && (heard > 0) != (taken > 0)) ||
        (plan->story == STORY_FACE && noted("heard", "face") == 0))
        fail_msg("story %d, terminal %d, steps %d and %d: taken %u, half %u, heard %u, faces %u",
                 plan->story, plan->busy_terminal, plan->at, again, taken, noted("taken", "HALF"),
                 heard, noted("heard", "face"));
    watched = plan->story != STORY_FACE;
    if (count_files(FOLDER_REQ, false) + count_files(FOLDER_RES, false) +
            (watched ? count_files(FOLDER_WORK, false) : 0) >
        0)
        fail_msg("story %d, terminal %d, steps %d and %d: not clean", plan->story,
                 plan->busy_terminal, plan->at, again);
    watched = false;
    if (plan->story != STORY_FACE)
        return;
    /* One mark, one untouched file; a third life tells nothing more. */
    assert_int_equal(count_files(FOLDER_WORK, false), 1);
    assert_int_equal(count_files(FOLDER_FACE, false), 1);
    heard = noted("heard", "face");
    assert_int_equal(one_life(&whole, false), 0);
    assert_int_equal(noted("heard", "face"), heard);
}

static int set_up(void **state)
{
    static const char *const names[FOLDER_PLACES] = {"work", "req", "res", "face"};

    (void)state;
    /* In memory where there is such a place: thousands of lives sync their files. */
    (void)snprintf(top, sizeof(top), "%s/uketsuke-walk-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    codec = codec_xml_new();
    if (mkdtemp(top) == NULL || codec == NULL)
        return -1;
    for (int i = 0; i < FOLDER_PLACES; i++) {
        (void)snprintf(places[i], sizeof(places[i]), "%s/%s", top, names[i]);
        if (mkdir(places[i], 0700) != 0)
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    codec_xml_free(&codec);
    (void)snprintf(command, sizeof(command), "rm -rf %s", top);
    return system(command);
}

static void killed_at_every_step(void **state)
{
    unsigned lives = 0;

    (void)state;
    for (int story = 0; story < STORIES; story++)
        for (int busy = 0; busy < 2; busy++)
            for (int at = 1;; at++, lives++) {
                const struct plan plan = {
                    .story = (enum story)story, .busy_terminal = busy, .at = at};
                int status;

                assert_true(at < STEPS_MAX);
                begin(&plan);
                status = one_life(&plan, true);
                judge(&plan, 0);
                if (status == 0)
                    break; /* it has come to its end before */
                assert_int_equal(status, KILLED);
            }
    print_message("%u moments of death\n", lives);
    assert_true(lives > 100);
}

static void killed_again_at_every_step_of_the_recovery(void **state)
{
    /* All of them is `make folder-walk`; every fifth of the first deaths, with all second ones, is
     * enough for a day. */
#ifdef __SANITIZE_ADDRESS__
    const int stride = 30; /* a process costs ten times as much here */
#else
    const int stride = getenv("UKETSUKE_WALK_ALL") != NULL ? 1 : 5;
#endif
    unsigned lives = 0;

    (void)state;
    for (int story = 0; story < STORIES; story++)
        for (int busy = 0; busy < 2; busy++)
            for (int at = 1; at < STEPS_MAX; at += stride) {
                const struct plan first = {
                    .story = (enum story)story, .busy_terminal = busy, .at = at};
                int status = KILLED;

                for (int again = 1; status == KILLED; again++, lives++) {
                    const struct plan second = {
                        .story = (enum story)story, .busy_terminal = busy, .at = again};

                    begin(&first);
                    status = one_life(&first, true);
                    if (status == 0)
                        break;
                    terminal_acts();
                    status = one_life(&second, false);
                    judge(&first, again);
                }
                begin(&first);
                if (one_life(&first, true) == 0)
                    break;
            }
    print_message("%u pairs of deaths\n", lives);
    assert_true(lives > (stride == 30 ? 50 : 400));
}

/* A full disk, a lost share, a right that is missing: at every step, once, and the relay lives on.
 */
static void every_step_fails_once(void **state)
{
    static const int errors[] = {-ENOSPC, -EIO, -EACCES};
    unsigned lives = 0;

    (void)state;
    for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
        for (int story = 0; story < STORIES; story++)
            for (int at = 1;; at++, lives++) {
                const struct plan plan = {.story = (enum story)story,
                                          .busy_terminal = true,
                                          .at = at,
                                          .error = errors[e]};
                int status;

                assert_true(at < STEPS_MAX);
                begin(&plan);
                status = one_life(&plan, true);
                judge(&plan, 0);
                if (status == 2)
                    break;
                assert_int_equal(status, 0);
            }
    print_message("%u failures\n", lives);
    assert_true(lives > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_step),
        cmocka_unit_test(killed_again_at_every_step_of_the_recovery),
        cmocka_unit_test(every_step_fails_once),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
