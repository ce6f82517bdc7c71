/*
 * visit-figures: whole simulated visits through sessions, worker thread and models, as the matcher
 * runs them.
 *
 *   visit-figures MODELS SIM PART PARTS SEED POLICY what=count... [stills=PAIRS.csv:COUNT]
 *                 [done=FILE]
 *
 * SIM: build/sim, with videos/ (frames) and stills/ (chip photos). what: living, stranger, or a
 * kind of attack of tests/sim/presentation. Of the visits those with number % PARTS == PART. done:
 * lines of an earlier run; what stands there is not run again.
 * POLICY: off, passive, challenge. Time is the camera's, 10 frames a second, at most 20 s: the same
 * visit is the same on every machine. A line a visit:
 *
 *   visit KIND NUMBER same|not-same|attack|none SECONDS liveness TROUBLE asked N most-told CODE [covered]
 *
 * SECONDS: from the first frame with a face to the decision. Trouble: 0..1, how much light, size,
 * pose and noise are disturbed. tests/visit-figures.sh adds the lines up.
 */
#include "daemon/common/memfd.h"
#include "daemon/matcher/dnn.h"
#include "daemon/matcher/session.h"
#include "tests/sim/presentation/presentation.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FPS 15.0    /* of the films */
#define CAMERA 10.0 /* frames a second that come to be looked at; presence.h wants no more */
#define SECONDS_MOST 20.0
#define WANTED_MOST 40

struct video {
    const char *name;
    const char *photo; /* beginning of the chip photo's name */
    unsigned frames;
    struct presentation_head *heads; /* of each frame, once found */
    uint8_t *known;                  /* 0 not looked at, 1 found, 2 none */
};

static struct video videos[] = {{"franck", "franck", 0, NULL, NULL},
                                {"cap12", "cap12", 0, NULL, NULL},
                                {"cap13", "cap12", 0, NULL, NULL}};
#define VIDEOS (sizeof(videos) / sizeof(videos[0]))

static const char *sim;
static struct session_shared shared;
static struct manifest *manifest;
static struct engine *finder; /* tells the generator where heads are; decides nothing */

struct seen {
    bool ready, failed;
    struct msg_match_result last;
    unsigned results;
};

static void on_ready(void *arg, const struct msg_match_ready *ready)
{
    (void)ready;
    ((struct seen *)arg)->ready = true;
}
static void on_failed(void *arg, const struct msg_match_failed *failed)
{
    (void)failed;
    ((struct seen *)arg)->failed = true;
}
static void on_result(void *arg, const struct msg_match_result *result, int preview)
{
    struct seen *seen = arg;

    (void)preview;
    seen->last = *result;
    seen->results++;
}
static const struct session_answers answers = {on_ready, on_failed, on_result};

static uint8_t *file_bytes(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    uint8_t *data = NULL;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) <= 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    rewind(file);
    *len = (size_t)size;
    data = malloc(*len);
    if (data == NULL || fread(data, 1, *len, file) != *len)
        exit(1);
    fclose(file);
    return data;
}

static char *photo_of(const struct video *video)
{
    char pattern[4300], *path;
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s/stills/%s*.jp2", sim, video->photo);
    if (glob(pattern, 0, NULL, &found) != 0) {
        fprintf(stderr, "no photo %s\n", pattern);
        exit(1);
    }
    path = strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static bool find_head(const char *path, struct presentation_head *head)
{
    const struct image *image;
    struct frame_report r;
    struct point five[FACE_POINTS];
    size_t len;
    uint8_t *data = file_bytes(path, &len);
    const enum failure failure = engine_locate(finder, data, len, &image, &r);

    free(data);
    if (failure != FAILURE_NONE)
        return false;
    landmarks_five(r.points, five);
    *head = (struct presentation_head){(double)(r.box.x0 + r.box.x1) / 2,
                                       (double)(r.box.y0 + r.box.y1) / 2,
                                       (double)box_width(&r.box),
                                       (double)box_height(&r.box),
                                       (double)five[0].x,
                                       (double)five[0].y,
                                       (double)five[1].x,
                                       (double)five[1].y};
    return true;
}

static const struct presentation_head *head_of(struct video *video, const struct presentation *p,
                                               unsigned frame)
{
    char path[4300];

    if (video == NULL)
        return NULL;
    if (video->known[frame] == 0) {
        presentation_path(p, frame, path, sizeof(path));
        video->known[frame] = find_head(path, &video->heads[frame]) ? 1 : 2;
    }
    return video->known[frame] == 1 ? &video->heads[frame] : NULL;
}

static enum presentation_asked asked_of(uint16_t failure)
{
    switch (failure) {
    case FAILURE_FACE_TURN_LEFT:
        return ASKED_LEFT;
    case FAILURE_FACE_TURN_RIGHT:
        return ASKED_RIGHT;
    case FAILURE_FACE_COME_NEARER:
        return ASKED_NEARER;
    case FAILURE_FACE_BLINK:
        return ASKED_BLINK;
    case FAILURE_FACE_COVERED:
        return ASKED_UNCOVER;
    default:
        return ASKED_NOTHING;
    }
}

/* One visit: the photo, then frames, each answered before the next, until a decision or the end of
 * the time. */
static void visit(const char *kind, unsigned number, const char *photo,
                  const struct presentation_setting *setting, struct video *video)
{
    static const char *const outcomes[] = {"none", "same", "not-same", "attack"};
    static const char *const states[] = {"not-checked", "passed", "failed"};
    unsigned told[FAILURE_COUNT] = {0}, most = 0, asks = 0;
    enum presentation_asked asked = ASKED_NOTHING;
    bool uncover = false;
    double first_face = -1, asked_at = 0, t = 0;
    struct session *session = NULL;
    struct presentation *p = NULL;
    struct seen seen = {0};
    uint8_t *data, *jpeg;
    size_t len;

    data = file_bytes(photo, &len);
    if (presentation_new(&p, setting) < 0 ||
        session_new(&session, &shared, number, (uint32_t)len, false, memfd_seal("photo", data, len),
                    &answers, &seen) < 0)
        exit(1);
    while (!seen.ready && !seen.failed)
        pool_drain(shared.pool, true);
    free(data);
    for (unsigned i = 0; seen.ready && t < SECONDS_MOST && seen.last.decision == DECISION_NOT_YET;
         i++) {
        struct msg_match_frame frame = {
            .visit = number, .frame = i, .format = 1, .width = 640, .height = 480};
        const unsigned before = seen.results;
        enum presentation_asked now;

        t = i / CAMERA;
        if (presentation_frame(p, t, asked, asked_at, head_of(video, p, presentation_source(p, t)),
                               &jpeg, &len) < 0)
            exit(1);
        frame.captured_us = 1000000 + (uint64_t)(t * 1e6);
        frame.bytes = (uint32_t)len;
        session_frame(session, &frame, memfd_seal("frame", jpeg, len));
        free(jpeg);
        while (seen.results == before)
            pool_drain(shared.pool, true);
        if (first_face < 0 && seen.last.faces > 0)
            first_face = t;
        told[seen.last.failure]++;
        now = asked_of(seen.last.failure);
        if (now != ASKED_NOTHING && now != asked) {
            asked = now;
            asked_at = t;
            asks += now != ASKED_UNCOVER;
            uncover |= now == ASKED_UNCOVER;
        } else if (now == ASKED_NOTHING && seen.last.failure == FAILURE_NONE) {
            asked = ASKED_NOTHING;
        }
    }
    for (unsigned f = 1; f < FAILURE_COUNT; f++)
        if (told[f] > told[most] || most == 0)
            most = f;
    printf("visit %s %u %s %.2f %s %.2f asked %u most-told %s%s\n", kind, number,
           outcomes[seen.last.decision], first_face < 0 ? t : t - first_face,
           states[seen.last.liveness], setting->trouble, asks,
           seen.failed      ? "photo"
           : told[most] > 0 ? failure_text((uint16_t)most)->name
                            : "-",
           uncover ? " covered" : "");
    fflush(stdout);
    session_free(&session);
    presentation_free(&p);
}

static struct presentation_setting setting_of(struct video *video, enum presentation_kind kind,
                                              struct dice *d)
{
    static char path[4300]; /* of the visit that runs */

    snprintf(path, sizeof(path), "%s/videos/%s", sim, video->name);
    return (struct presentation_setting){
        .kind = kind,
        .frames = path,
        .nframes = video->frames,
        .first = 1 + (unsigned)dice_between(d, 0, video->frames * 0.999),
        .fps = FPS,
        .seed = dice_next(d),
        .trouble = dice_between(d, 0, 1),
        .answer_after = dice_between(d, 0.4, 1.4),
    };
}

static void run_kind(const char *what, unsigned number, uint64_t seed)
{
    struct dice d = {seed + number * UINT64_C(0x9E3779B97F4A7C15)};
    struct video *video = &videos[number % VIDEOS], *card = video;
    enum presentation_kind kind = PRESENT_LIVING;
    struct presentation_setting setting;
    char *photo, pnm[4300];

    for (unsigned k = 0; k < PRESENT_KINDS; k++)
        if (strcmp(what, presentation_names[k]) == 0)
            kind = (enum presentation_kind)k;
    if (strcmp(what, "stranger") == 0) /* two before the camera, not three: another man's card */
        card = video == &videos[0] ? &videos[1] : &videos[0];
    setting = setting_of(video, kind, &d);
    photo = photo_of(card);
    if (kind == PRESENT_CHIP_PHOTO) {
        snprintf(pnm, sizeof(pnm), "%.*s.pgm", (int)(strlen(photo) - 4), photo);
        setting.photo = pnm;
    }
    visit(what, number, photo, &setting, video);
    free(photo);
}

/* The n-th pair of pictures of two people in a list: one is the card's, the other, disturbed, is
 * held still before the camera. False: there are not as many. */
static bool run_still(const char *list, unsigned n, uint64_t seed)
{
    const char *slash = strrchr(list, '/');
    char line[2000], a[900], b[900], path[4300], other[4300];
    struct dice d = {seed ^ n};
    struct presentation_setting setting = {
        .kind = PRESENT_LIVING, .still = other, .nframes = 1, .first = 1, .fps = FPS};
    FILE *file = fopen(list, "re");
    unsigned at = 0;
    int same;
    bool found = false;

    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", list);
        exit(1);
    }
    while (!found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "%899[^,],%899[^,],%d", a, b, &same) == 3 && same == 0 && at++ == n;
    fclose(file);
    if (!found)
        return false;
    snprintf(path, sizeof(path), "%.*s/%s", slash == NULL ? 1 : (int)(slash - list),
             slash == NULL ? "." : list, a);
    snprintf(other, sizeof(other), "%.*s/%s", slash == NULL ? 1 : (int)(slash - list),
             slash == NULL ? "." : list, b);
    setting.seed = dice_next(&d);
    setting.trouble = dice_between(&d, 0, 0.5);
    visit("still-pair", n, path, &setting, NULL);
    return true;
}

/* ---- what is wanted -------------------------------------------------------------------------- */

struct wanted {
    char what[4200]; /* a kind, or the list of still pairs */
    bool stills;
    unsigned count;
    uint64_t seed;
};

static bool wanted_read(const char *text, struct wanted *out)
{
    out->stills = sscanf(text, "stills=%4100[^:]:%u", out->what, &out->count) == 2;
    return out->stills || sscanf(text, "%4100[^=]=%u", out->what, &out->count) == 2;
}

static char *had; /* lines of an earlier run, or NULL */

static void read_had(const char *path)
{
    FILE *file = fopen(path, "re");
    size_t room = 0;

    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    if (getdelim(&had, &room, '\0', file) < 0) { /* empty */
        free(had);
        had = NULL;
    }
    fclose(file);
}

static bool was_done(const struct wanted *w, unsigned n)
{
    char begin[4300];
    const char *at = had;

    snprintf(begin, sizeof(begin), "visit %s %u ", w->stills ? "still-pair" : w->what, n);
    while (at != NULL && (at = strstr(at, begin)) != NULL && at != had && at[-1] != '\n')
        at++;
    return at != NULL;
}

/* A visit of each kind, then the next of each, so that what ends early has something of all. */
static void run_all(struct wanted *wanted, unsigned n, unsigned part, unsigned parts)
{
    unsigned most = 0;

    for (unsigned i = 0; i < n; i++)
        most = wanted[i].count > most ? wanted[i].count : most;
    for (unsigned number = part; number < most; number += parts) {
        for (unsigned i = 0; i < n; i++) {
            const struct wanted *w = &wanted[i];

            if (number >= w->count || was_done(w, number))
                continue;
            if (!w->stills)
                run_kind(w->what, number, w->seed);
            else if (!run_still(w->what, number, w->seed))
                wanted[i].count = number;
        }
    }
}

static void open_videos(void)
{
    for (size_t i = 0; i < VIDEOS; i++) {
        char path[4300];

        do
            snprintf(path, sizeof(path), "%s/videos/%s/frame_%05u.jpg", sim, videos[i].name,
                     ++videos[i].frames);
        while (access(path, R_OK) == 0);
        videos[i].frames--;
        videos[i].heads = calloc(videos[i].frames + 1, sizeof(*videos[i].heads));
        videos[i].known = calloc(videos[i].frames + 1, 1);
        if (videos[i].frames == 0 || videos[i].heads == NULL || videos[i].known == NULL) {
            fprintf(stderr, "no frames in %s/videos/%s\n", sim, videos[i].name);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    static const char *const policies[] = {"off", "passive", "challenge"};
    char why[MANIFEST_WHY];
    static struct wanted wanted[WANTED_MOST];
    unsigned part, parts, nwanted = 0;
    uint64_t seed;

    if (argc < 8) {
        fprintf(stderr, "usage: visit-figures MODELS SIM PART PARTS SEED POLICY what=count...\n");
        return 2;
    }
    sim = argv[2];
    part = (unsigned)strtoul(argv[3], NULL, 10);
    parts = (unsigned)strtoul(argv[4], NULL, 10);
    seed = strtoull(argv[5], NULL, 10);
    if (parts == 0)
        return 2;
    dnn_setup();
    if (manifest_load(&manifest, argv[1], why) < 0 ||
        pool_new(&shared.pool, NULL, manifest, 1, why) < 0 ||
        engine_new(&finder, manifest, why) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    shared.manifest = manifest;
    shared.seed = seed;
    decision_rule_set(&shared.rule, manifest->models[MODEL_RECOGNISER].thresholds,
                      manifest->models[MODEL_RECOGNISER].noise, FMR_1E4, 0);
    shared.rule.live_pass = manifest->models[MODEL_LIVENESS].pass;
    shared.rule.live_fail = manifest->models[MODEL_LIVENESS].fail;
    shared.rule.live_gates = manifest->models[MODEL_LIVENESS].gate;
    shared.rule.policy = PRESENCE_CHALLENGE;
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(argv[6], policies[i]) == 0)
            shared.rule.policy = (enum presence_policy)i;
    open_videos();
    for (int i = 7; i < argc && nwanted < WANTED_MOST; i++) {
        if (strncmp(argv[i], "done=", 5) == 0) {
            read_had(argv[i] + 5);
        } else if (wanted_read(argv[i], &wanted[nwanted])) {
            /* Of the place among the kinds: the same visits whatever else is wanted. */
            wanted[nwanted].seed = wanted[nwanted].stills ? seed : seed + 7 + nwanted;
            nwanted++;
        }
    }
    run_all(wanted, nwanted, part, parts);
    free(had);
    pool_free(&shared.pool);
    engine_free(&finder);
    manifest_free(&manifest);
    return 0;
}
