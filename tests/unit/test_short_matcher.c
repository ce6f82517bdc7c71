/*
 * The host and the libraries (all but OpenCV and what belongs to it) fail a whole matcher at each call that
 * it makes for a visit (short_program.h): nobody is ever taken for another, no holder is turned away as
 * another, and the next visit is undisturbed.
 *
 * Needs UKETSUKE_MODELS and UKETSUKE_FRAMES, as test_matcher_visit does.
 */
#include "program_rig.h"
#include "short_program.h"

#include "daemon/common/failure.h"
#include "daemon/common/memfd.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_US 33333
#define FRAMES 8
/* enum decision of daemon/matcher/decision.h, as it stands on the wire. */
enum { NOT_YET, SAME, NOT_SAME };
/*
 * OpenCV, and the libraries that it alone brings along or that allocate on its behalf. OpenJPEG 2.5.0 falls over a
 * piece of memory that it does not get (its tag trees), whatever its caller does: that ends the matcher, and a
 * visit's step with it.
 */
#define SPARED                                                                                     \
    "libopenjp2 libopencv libstdc++ libprotobuf libtbb libgomp liblapack libblas libgfortran "     \
    "libade "                                                                                      \
    "libflexiblas libopenblas ld-linux"

struct picture {
    uint8_t *data;
    size_t len;
};

static struct program_rig rig;
static struct picture photo, film[2][FRAMES];
static uint64_t visits;
static struct {
    bool ready, failed;
    unsigned results;
    struct msg_match_result last;
} heard;

static void on_message(void *arg, struct message *m)
{
    (void)arg;
    if (m->type == MSG_MATCH_READY && m->body.match_ready.visit == visits)
        heard.ready = true;
    else if (m->type == MSG_MATCH_FAILED && m->body.match_failed.visit == visits)
        heard.failed = true;
    else if (m->type == MSG_MATCH_RESULT && m->body.match_result.visit == visits) {
        heard.results++;
        heard.last = m->body.match_result;
    }
}

static bool send_picture(uint16_t type, const void *body, const struct picture *picture)
{
    const int fd = memfd_seal("picture", picture->data, picture->len);
    bool sent;

    assert_true(fd >= 0);
    sent = program_rig_send(&rig, type, body, fd);
    (void)close(fd);
    return sent;
}

/* An answer may be lost with the call that was to send it: then nobody waits for long. */
static bool awaited(bool (*came)(unsigned n), unsigned n)
{
    const uint64_t limit =
        program_rig_in(&rig, short_program_is_armed() ? 1500 : PROGRAM_PATIENCE_MS);

    while (!came(n))
        if (!rig.open || !program_rig_turn(&rig, limit))
            return false;
    return true;
}

static bool is_begun(unsigned n)
{
    (void)n;
    return heard.ready || heard.failed;
}

static bool is_answered(unsigned n)
{
    return heard.results > n;
}

/* The photo, and frames of a film; `arg` is its number: 0 the holder's, 1 another man's. */
static const char *once(void *arg, bool *right)
{
    const unsigned who = *(const unsigned *)arg;
    struct msg_match_begin begin = {.visit = ++visits, .photo_bytes = (uint32_t)photo.len};
    const struct msg_match_end end = {.visit = visits};
    /* The holder is known after a few; of another nothing is said so soon. */
    static const unsigned frames[] = {FRAMES, FRAMES / 2};
    const char *wrong = NULL;
    unsigned scored = 0;

    memset(&heard, 0, sizeof(heard));
    if (!send_picture(MSG_MATCH_BEGIN, &begin, &photo) || !awaited(is_begun, 0) || heard.failed)
        return NULL;
    for (unsigned n = 0; n < frames[who] && wrong == NULL && heard.last.decision == NOT_YET; n++) {
        const struct picture *picture = &film[who][n];
        struct msg_match_frame frame = {.visit = visits,
                                        .frame = n,
                                        .captured_us = 1000000 + (uint64_t)n * 3 * FRAME_US,
                                        .format = 1,
                                        .width = 640,
                                        .height = 480,
                                        .bytes = (uint32_t)picture->len};

        if (!send_picture(MSG_MATCH_FRAME, &frame, picture) || !awaited(is_answered, n))
            return NULL;
        scored += heard.last.failure == FAILURE_NONE;
        if (who == 1 && heard.last.decision == SAME)
            wrong = "another man was taken for the holder";
        else if (who == 0 && heard.last.decision == NOT_SAME)
            wrong = "the holder was called another";
    }
    *right = who == 0 ? heard.last.decision == SAME : scored == FRAMES / 2;
    (void)program_rig_send(&rig, MSG_MATCH_END, &end, -1);
    return wrong;
}

static const char *come_back(void *arg, unsigned *ended)
{
    (void)arg;
    return program_rig_come_back(&rig, ended);
}

static unsigned holder = 0, other = 1;
static const struct short_work works[] = {{"the holder's visit", &holder, once, come_back, 2},
                                          {"another man's", &other, once, come_back, 2}};

/* ---- files ----------------------------------------------------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        fail_msg("%s is not set: make check sets it", name);
    return value;
}

static void take(const char *path, struct picture *out)
{
    FILE *file = fopen(path, "r");

    if (file == NULL)
        fail_msg("cannot open %s", path);
    out->data = malloc(1 << 20);
    assert_non_null(out->data);
    out->len = fread(out->data, 1, 1 << 20, file);
    assert_in_range(out->len, 1, (1 << 20) - 1);
    (void)fclose(file);
}

static int up(void **state)
{
    static const char *const films[] = {"franck", "cap12"};
    char path[4300], config[4400];
    struct program_options options = {.program = "uketsuke-matcher",
                                      .socket = "matcher",
                                      .role = IPC_MATCHER,
                                      .config = config,
                                      .on_message = on_message};
    glob_t found;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/../stills/franck*.jp2", environment("UKETSUKE_FRAMES"));
    assert_int_equal(glob(path, 0, NULL, &found), 0);
    take(found.gl_pathv[0], &photo);
    globfree(&found);
    for (unsigned who = 0; who < 2; who++)
        for (unsigned n = 0; n < FRAMES; n++) {
            (void)snprintf(path, sizeof(path), "%s/%s/frame_%05u.jpg",
                           environment("UKETSUKE_FRAMES"), films[who], 1 + 3 * n);
            take(path, &film[who][n]);
        }
    (void)snprintf(config, sizeof(config),
                   "[matcher]\nmodels = %s\nliveness = off\nthreads = 1\n[lane 1]\nlabel = "
                   "1\n[log]\nlevel = error\n",
                   environment("UKETSUKE_MODELS"));
    options.environment = short_program_begin(NULL, SPARED);
    program_rig_make(&rig, &options);
    program_rig_begin(&rig);
    return 0;
}

static int down(void **state)
{
    (void)state;
    program_rig_stop(&rig);
    short_program_end();
    free(photo.data);
    for (unsigned who = 0; who < 2; who++)
        for (unsigned n = 0; n < FRAMES; n++)
            free(film[who][n].data);
    return 0;
}

int main(void)
{
    static const struct short_suite suite = {works, 2, true};

    return short_program_main(&suite, up, down);
}
