/*
 * The folders of a 資格確認端末: questions as files, answers as files (folder.h), on a thread of
 * its own.
 *
 * A question goes: queued (no more than `sessions` at once) -> being sent -> waited for ->
 * answered. When its time is over its asker is told so, and the file is waited for all the same: an
 * answer that comes late is told as such. Nothing is ever sent a second time; a question that is
 * asked again (the desk or this program was restarted) joins the file that is on its way already.
 * One that lies in req untaken says that the terminal is not running: the breaker opens, reads are
 * taken back, and one of them stays there to tell when the terminal is back.
 */
#include "folders_internal.h"

#include "../common/config_meaning.h"
#include "../common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static struct folders *folders_of(struct upstream *upstream)
{
    return (struct folders *)(void *)upstream; /* its first member */
}

static const char *text_of(const struct folders *f, enum config_key key)
{
    return config_text(f->setup.config, key, f->setup.name);
}

static int64_t number_of(const struct folders *f, enum config_key key)
{
    return config_number(f->setup.config, key, f->setup.name);
}

/* ---- questions ------------------------------------------------------------------------------- */

static struct request *find_key(struct folders *f, const struct folder_slip *slip)
{
    for (struct request *r = f->first; r != NULL; r = r->next)
        if (!r->asked && r->stage != STAGE_QUEUED && strcmp(r->slip.key, slip->key) == 0)
            return r;
    return NULL;
}

static void wait_for(struct request *r, const struct upstream_question *asked)
{
    r->asked = true;
    r->unwanted = false;
    r->question = *asked;
    r->question.tree = NULL;
    (void)timer_set_at(r->timer, asked->deadline_us);
}

/* The same question is on its way already, or has its answer: nothing is sent. */
static void join(struct request *r, const struct upstream_question *asked)
{
    log_event(LOG_LEVEL_NOTICE, "a question is on its way already",
              LOG_NUMBER("question", asked->id), LOG_NUMBER("stage", r->stage));
    wait_for(r, asked);
    if (r->stage == STAGE_UNHEARD)
        (void)timer_set_after(r->timer, 0);
    else if (r->stage == STAGE_ANSWERED)
        request_end_soon(r, RETRY_OUTCOME_DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL);
}

/* Why it cannot be asked; FAILURE_NONE when it can: then the request is queued. */
static uint16_t prepare(struct folders *f, struct request *r, const struct folder_message *message,
                        const struct upstream_question *asked)
{
    int error;

    if (asked->until != 0 && folders_wall_s(f) >= asked->until)
        return FAILURE_ELIGIBILITY_CANNOT_ASK;
    error = folder_request_begin(&r->slip, message, asked->tree);
    if (error == 0)
        error = folder_request_name(&r->slip, folders_wall_s(f));
    if (error == 0)
        error = folder_request_write(f->codec, asked->tree, f->encoding, &r->xml, &r->len);
    r->slip.writes = asked->writes;
    r->slip.until_s = asked->until;
    r->slip.asked_s = folders_wall_s(f);
    if (error == 0 && r->len <= XMLMSG_BYTES_MAX)
        return FAILURE_NONE;
    log_event(LOG_LEVEL_WARNING, "a question that cannot be written",
              LOG_NUMBER("question", asked->id), LOG_ERRNO(error));
    return FAILURE_LOOKUP_FORMAT;
}

static int folders_ask(struct upstream *upstream, struct upstream_question *asked)
{
    struct folders *f = folders_of(upstream);
    const struct folder_message *message = folder_message_of(asked->kind);
    struct request *r = request_new(f);
    struct request *same;
    uint16_t failure = FAILURE_ELIGIBILITY_CANNOT_ASK;

    if (r == NULL) {
        xmlmsg_free(&asked->tree);
        return -ENOBUFS;
    }
    r->stage = STAGE_QUEUED;
    if (message != NULL && (f->capabilities & message->capability) != 0)
        failure = prepare(f, r, message, asked);
    xmlmsg_free(&asked->tree);
    same = failure == FAILURE_NONE && f->recovered ? find_key(f, &r->slip) : NULL;
    if (same != NULL) {
        request_free(r);
        join(same, asked);
        return 0;
    }
    wait_for(r, asked);
    if (failure != FAILURE_NONE) {
        request_end_soon(r, RETRY_OUTCOME_NOT_SENT, failure);
    } else if (!breaker_enter(&f->breaker, folders_now_us(f))) {
        request_end_soon(r, RETRY_OUTCOME_NOT_SENT, f->last_failure);
    } else {
        r->trial = f->breaker.state == BREAKER_HALF_OPEN;
        request_send_queued(f);
    }
    return 0;
}

void folders_recovered(struct folders *f)
{
    struct request *next;

    f->recovered = true;
    for (struct request *r = f->first; r != NULL; r = next) {
        struct request *same = NULL;

        next = r->next;
        if (r->stage == STAGE_QUEUED && r->asked && !r->ending)
            same = find_key(f, &r->slip);
        if (same == NULL)
            continue;
        join(same, &r->question);
        request_free(r);
    }
    request_send_queued(f);
}

static bool folders_cancel(struct upstream *upstream, uint64_t id)
{
    struct folders *f = folders_of(upstream);
    struct request *r = f->first;

    while (r != NULL && (!r->asked || r->question.id != id))
        r = r->next;
    if (r == NULL)
        return true;
    if (r->stage == STAGE_QUEUED ||
        (r->stage == STAGE_SENDING && folder_worker_revoke(f->worker, &r->slip))) {
        if (r->trial && f->breaker.state == BREAKER_HALF_OPEN)
            breaker_abandon(&f->breaker);
        request_free(r);
        request_send_queued(f);
        return true;
    }
    if (r->slip.writes)
        return false;
    r->asked = r->ending = false;
    r->unwanted = true;
    timer_stop(r->timer);
    request_take_back(r);
    request_send_queued(f);
    return true;
}

static void folders_desk_up(struct upstream *upstream)
{
    struct folders *f = folders_of(upstream);
    struct request *next;

    for (struct request *r = f->first; r != NULL; r = next) {
        next = r->next;
        if (r->stage == STAGE_UNHEARD && !r->asked)
            request_deliver(r);
    }
    if ((f->capabilities & CAPABILITY_FACE_FILES) != 0 && f->worker != NULL) {
        folders_post(f, FOLDER_COMMAND_FACES_AGAIN, NULL);
        folders_look_soon(f, 0);
    }
}

static void folders_taken(struct upstream *upstream, const uint8_t hash[UPSTREAM_HASH])
{
    struct folders *f = folders_of(upstream);
    struct folder_command command = {.kind = FOLDER_COMMAND_FACE_TAKEN};
    struct request *next;

    for (struct request *r = f->first; r != NULL; r = next) {
        next = r->next;
        if (r->stage == STAGE_ANSWERED && !r->asked && memcmp(r->hash, hash, FOLDER_HASH) == 0)
            request_drop(r);
    }
    memcpy(command.hash, hash, sizeof(command.hash));
    (void)folder_worker_post(f->worker, &command);
}

/* ---- state and health ------------------------------------------------------------------------ */

static void folders_state(struct upstream *upstream, struct upstream_state *out)
{
    struct folders *f = folders_of(upstream);

    memset(out, 0, sizeof(*out));
    out->capabilities = f->capabilities;
    out->breaker = (uint8_t)breaker_state(&f->breaker, folders_now_us(f));
    out->retry_us = breaker_left_us(&f->breaker, folders_now_us(f));
    if (out->breaker != BREAKER_CLOSED)
        out->failure = f->last_failure;
}

static void health_folder(struct folders *f, upstream_health_fn *item, void *arg)
{
    struct upstream_state state;
    char detail[200], ago[60] = "no answer yet";
    const char *next = "";
    uint8_t grade;

    folders_state(&f->upstream, &state);
    if (f->answered_at != 0)
        (void)snprintf(ago, sizeof(ago), "last sign of the terminal %lld s ago",
                       (long long)(folders_wall_s(f) - f->answered_at));
    grade = state.breaker == BREAKER_OPEN                               ? 2
            : state.breaker == BREAKER_HALF_OPEN || f->answered_at == 0 ? 1
                                                                        : 0;
    if (f->worker != NULL && folder_worker_hangs(f->worker)) {
        grade = 2;
        state.failure = FAILURE_ELIGIBILITY_FOLDER;
        (void)snprintf(detail, sizeof(detail), "the folder does not answer, %s", ago);
        next = "共有フォルダの接続(ネットワーク・端末の電源)を確かめます / check the share: "
               "network, and "
               "whether the terminal is on";
    } else if (f->disk_error != 0) {
        grade = 2;
        state.failure = FAILURE_ELIGIBILITY_FOLDER;
        (void)snprintf(detail, sizeof(detail), "%s, %s", strerror(-f->disk_error), ago);
        next = failure_text(FAILURE_ELIGIBILITY_FOLDER)->staff_ja;
    } else {
        (void)snprintf(detail, sizeof(detail), "breaker %s, %s",
                       state.breaker == BREAKER_CLOSED ? "closed"
                       : state.breaker == BREAKER_OPEN ? "open"
                                                       : "half open",
                       ago);
        if (state.breaker != BREAKER_CLOSED)
            next = "資格確認端末の電源と連携アプリを確かめます / see that the terminal and its "
                   "relay program "
                   "run";
    }
    item(arg, grade, state.failure, "upstream folder", detail, next);
}

static void health_doubtful(const struct folders *f, upstream_health_fn *item, void *arg)
{
    unsigned waiting = 0, doubtful = 0, unheard = 0;
    int64_t oldest = INT64_MAX;
    char detail[200];

    for (const struct request *r = f->first; r != NULL; r = r->next) {
        waiting += r->asked;
        unheard += r->stage == STAGE_UNHEARD;
        if (r->asked || !r->slip.writes || r->stage == STAGE_ANSWERED || r->stage == STAGE_UNHEARD)
            continue;
        doubtful++;
        oldest = r->slip.asked_s < oldest ? r->slip.asked_s : oldest;
    }
    if (doubtful > 0)
        (void)snprintf(detail, sizeof(detail),
                       "%u may have arrived or not, the oldest %lld s old; %u waiting, %u unheard",
                       doubtful, (long long)(folders_wall_s(f) - oldest), waiting, unheard);
    else
        (void)snprintf(detail, sizeof(detail), "none doubtful, %u waiting, %u unheard", waiting,
                       unheard);
    item(arg, doubtful > 0, doubtful > 0 ? FAILURE_ELIGIBILITY_DOUBTFUL : FAILURE_NONE,
         "upstream requests", detail,
         doubtful > 0 ? failure_text(FAILURE_ELIGIBILITY_DOUBTFUL)->staff_ja : "");
}

static void health_clock(const struct folders *f, upstream_health_fn *item, void *arg)
{
    int64_t s = f->skew_us / (int64_t)CLOCK_SECOND;
    bool off = f->skew_us > SKEW_US || f->skew_us < -SKEW_US;
    char detail[100];

    (void)snprintf(detail, sizeof(detail), "the folder's clock is %lld s %s ours",
                   (long long)(s < 0 ? -s : s), s < 0 ? "behind" : "ahead of");
    item(arg, off, FAILURE_NONE, "upstream clock", detail,
         off ? "資格確認端末とこの機械の時計を合わせます / set the clocks of terminal and this "
               "machine"
             : "");
}

static void health_faces(const struct folders *f, upstream_health_fn *item, void *arg)
{
    char detail[200];

    if ((f->capabilities & CAPABILITY_FACE_FILES) == 0)
        return;
    (void)snprintf(detail, sizeof(detail),
                   "%u files, %u of another institution, %u that are no messages", f->faces.known,
                   f->faces.foreign, f->faces.faulty);
    item(arg, f->faces.many || f->faces.foreign > 0 || f->faces.faulty > 0, FAILURE_NONE,
         "upstream face files", detail,
         f->faces.many ? "faceの古いファイルを移します / move old files out of face" : "");
}

static void folders_health(struct upstream *upstream, upstream_health_fn *item, void *arg)
{
    struct folders *f = folders_of(upstream);

    health_folder(f, item, arg);
    health_doubtful(f, item, arg);
    health_clock(f, item, arg);
    health_faces(f, item, arg);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void scan_timer(struct timer *timer, void *arg)
{
    struct folders *f = arg;

    (void)timer;
    if (!f->recovered && !f->recovering) {
        f->recovering = true;
        folders_post(f, FOLDER_COMMAND_RECOVER, NULL);
    } else if (f->recovered && !f->stepping) {
        f->stepping = true;
        folders_post(f, FOLDER_COMMAND_STEP, NULL);
    }
}

/* What nobody has asked for since a day. */
static void upkeep_timer(struct timer *timer, void *arg)
{
    struct folders *f = arg;
    struct request *next;

    for (struct request *r = f->first; r != NULL; r = next) {
        next = r->next;
        if (r->asked || folders_wall_s(f) - r->slip.asked_s < KEEP_S || r->stage == STAGE_SENDING)
            continue;
        if (r->slip.writes && r->stage == STAGE_WAITING)
            log_event(LOG_LEVEL_WARNING, "no answer to a request of yesterday: it stays doubtful",
                      LOG_NUMBER("kind", r->slip.kind));
        request_drop(r);
    }
    (void)timer_set_after(timer, UPKEEP_US);
}

static int on_notify(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    char buffer[4096];

    (void)source;
    (void)revents;
    while (read(fd, buffer, sizeof(buffer)) > 0)
        ;
    folders_look_soon(arg, 0);
    return 0;
}

static int folders_start(struct upstream *upstream)
{
    struct folders *f = folders_of(upstream);
    struct folder_worker_setup setup = {
        .folder =
            {
                .codec = f->worker_codec,
                .notify = -1,
                .most = XMLMSG_BYTES_MAX,
                .settle_us = (uint64_t)number_of(f, CFG_upstream_SETTLE_MS) * CLOCK_MS,
                .faces = (f->capabilities & CAPABILITY_FACE_FILES) != 0,
                .face_age_us = (uint64_t)number_of(f, CFG_upstream_FACE_HOURS) * 60 * CLOCK_MINUTE,
            },
        .loop = f->setup.loop,
        .clock = f->setup.clock,
        .limit_us = (uint64_t)number_of(f, CFG_upstream_FOLDER_SECONDS) * CLOCK_SECOND,
        .event = folders_event,
        .ended = folders_ended,
        .hangs = folders_hangs,
        .arg = f,
    };
    int error;

    for (int i = 0; i < FOLDER_PLACES; i++)
        setup.folder.disk.paths[i] = f->paths[i];
    (void)snprintf(setup.folder.institution, sizeof(setup.folder.institution), "%s",
                   config_text(f->setup.config, CFG_desk_INSTITUTION, NULL));
    f->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    /* Without it looking at its own pace is enough. */
    if (f->notify >= 0 &&
        sd_event_add_io(f->setup.loop, &f->notify_source, f->notify, EPOLLIN, on_notify, f) >= 0)
        setup.folder.notify = f->notify;
    error = folder_worker_new(&f->worker, &setup);
    if (error != 0)
        return error;
    folders_look_soon(f, 0);
    (void)timer_set_after(f->upkeep, UPKEEP_US);
    return 0;
}

static const struct cage_spec *folders_cage(struct upstream *upstream)
{
    return &folders_of(upstream)->cage;
}

static void folders_free(struct upstream **upstream)
{
    struct folders *f = folders_of(*upstream);
    bool ended;

    *upstream = NULL;
    while (f->first != NULL)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each takes itself off the list */
        request_free(f->first);
    ended = folder_worker_free(&f->worker);
    sd_event_source_disable_unref(f->notify_source);
    if (f->notify >= 0)
        (void)close(f->notify);
    timer_free(&f->scan);
    timer_free(&f->upkeep);
    codec_xml_free(&f->codec);
    if (!ended)
        return; /* the thread goes on with its paths and its codec */
    codec_xml_free(&f->worker_codec);
    free(f);
}

/* ---- opening: everything that can be wrong with the configuration is said here --------------- */

static int complain(const struct folders *f, const char *what, const char *value, const char *ja,
                    const char *en)
{
    (void)fprintf(stderr, "uketsuke-relay: [upstream %s] %s = %s: %s / %s\n", f->setup.name, what,
                  value, ja, en);
    return -EINVAL;
}

static int find_places(struct folders *f)
{
    static const char *const names[FOLDER_PLACES] = {"work", "req", "res", "face"};
    const char *root = text_of(f, CFG_upstream_FOLDER);
    const char *work = text_of(f, CFG_upstream_WORK_FOLDER);
    bool faces = (f->capabilities & CAPABILITY_FACE_FILES) != 0;
    struct stat st, req = {0};

    for (int i = 0; i < FOLDER_PLACES; i++) {
        int n = i == FOLDER_WORK && work[0] != '\0'
                    ? snprintf(f->paths[i], sizeof(f->paths[i]), "%s", work)
                    : snprintf(f->paths[i], sizeof(f->paths[i]), "%s/%s", root, names[i]);

        if (n < 0 || (size_t)n >= sizeof(f->paths[i]))
            return -ENAMETOOLONG;
        if (i == FOLDER_FACE && !faces)
            continue;
        if (i == FOLDER_WORK)
            (void)mkdir(f->paths[i], 0770);
        if (stat(f->paths[i], &st) != 0)
            return complain(f, "folder", f->paths[i], "フォルダがないか、開けません",
                            strerror(errno));
        if (!S_ISDIR(st.st_mode))
            return complain(f, "folder", f->paths[i], "フォルダではありません", "not a folder");
        if (i == FOLDER_REQ)
            req = st;
        f->cage_paths[f->cage.npaths++] =
            (struct cage_path){.path = f->paths[i], .write = i != FOLDER_FACE};
    }
    if (stat(f->paths[FOLDER_WORK], &st) == 0 && st.st_dev != req.st_dev)
        return complain(f, "work-folder", f->paths[FOLDER_WORK],
                        "reqと同じファイルシステムに置いてください",
                        "must be on the file system of req: a file is moved from one to the other");
    f->cage.calls = CAGE_THREADS | CAGE_FILES_READ | CAGE_FILES_WRITE | CAGE_MOVES |
                    CAGE_DIRECTORY | CAGE_ACCEPT | CAGE_FD_PASS;
    f->cage.paths = f->cage_paths;
    return 0;
}

static int folders_open(struct upstream **out, const struct upstream_setup *setup)
{
    struct folders *f = calloc(1, sizeof(*f));
    int error;

    *out = NULL;
    if (f == NULL)
        return -ENOMEM;
    f->upstream.ops = &upstream_folders;
    f->setup = *setup;
    f->notify = -1;
    f->encoding = number_of(f, CFG_upstream_ENCODING) == 1 ? CODEC_XML_SHIFT_JIS : CODEC_XML_UTF8;
    f->scan_us = (uint64_t)number_of(f, CFG_upstream_SCAN_MS) * CLOCK_MS;
    f->taken_us = (uint64_t)number_of(f, CFG_upstream_TAKEN_SECONDS) * CLOCK_SECOND;
    f->poll_us = (uint64_t)number_of(f, CFG_upstream_POLL_SECONDS) * CLOCK_SECOND;
    f->sessions = (unsigned)number_of(f, CFG_upstream_SESSIONS);
    breaker_init(&f->breaker, BREAKER_LIMIT, BREAKER_OPEN_US, BREAKER_OPEN_MAX_US);
    *out = &f->upstream;
    f->capabilities = config_bits(setup->config, CFG_upstream_CAPABILITIES, setup->name);
    error = find_places(f);
    if (error != 0)
        goto fail;
    error = -ENOMEM;
    f->scan = timer_new(setup->clock, scan_timer, f);
    f->upkeep = timer_new(setup->clock, upkeep_timer, f);
    f->codec = codec_xml_new();
    f->worker_codec = codec_xml_new();
    if (f->scan == NULL || f->upkeep == NULL || f->codec == NULL || f->worker_codec == NULL)
        goto fail;
    return 0;
fail:
    folders_free(out);
    return error;
}

const struct upstream_kind_ops upstream_folders = {
    .name = "folders",
    .open = folders_open,
    .cage = folders_cage,
    .start = folders_start,
    .ask = folders_ask,
    .cancel = folders_cancel,
    .desk_up = folders_desk_up,
    .taken = folders_taken,
    .state = folders_state,
    .health = folders_health,
    .free = folders_free,
};
