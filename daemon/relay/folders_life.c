/* A question's life: queued, sent, waited for, answered or not; and what the folder's thread tells
 * (see folders.c). */
#include "folders_internal.h"

#include "../common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

int64_t folders_wall_s(const struct folders *f)
{
    return (int64_t)(clock_realtime_us(f->setup.clock) / CLOCK_SECOND);
}

uint64_t folders_now_us(const struct folders *f)
{
    return clock_monotonic_us(f->setup.clock);
}

void folders_look_soon(struct folders *f, uint64_t us)
{
    uint64_t at = folders_now_us(f) + us;

    if (f->stepping)
        f->again = f->again || us == 0;
    else if (timer_deadline(f->scan) > at)
        (void)timer_set_at(f->scan, at);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void forget_answer(struct request *r)
{
    xmlmsg_free(&r->tree);
    if (r->raw != NULL)
        explicit_bzero(r->raw, r->raw_len);
    free(r->raw);
    r->raw = NULL;
}

static void forget_xml(struct request *r)
{
    if (r->xml != NULL)
        explicit_bzero(r->xml, r->len);
    free(r->xml);
    r->xml = NULL;
}

void request_free(struct request *r)
{
    struct request **at = &r->folders->first;

    while (*at != NULL && *at != r)
        at = &(*at)->next;
    if (*at == r) {
        *at = r->next;
        r->folders->nrequests--;
    }
    timer_free(&r->timer);
    timer_free(&r->rest);
    forget_answer(r);
    forget_xml(r);
    explicit_bzero(r, sizeof(*r));
    free(r);
}

void folders_post(struct folders *f, enum folder_command_kind kind, const struct folder_slip *slip)
{
    struct folder_command command = {.kind = kind};

    if (slip != NULL)
        command.slip = *slip;
    (void)folder_worker_post(f->worker, &command);
}

/* The asker is told; the file goes on by itself. False: nobody has heard it. */
static bool tell_asker(struct request *r, struct upstream_answer *answer)
{
    struct upstream_handlers handlers = r->folders->setup.handlers;

    if (!r->asked)
        return false;
    r->asked = r->ending = false;
    timer_stop(r->timer);
    /* A try that told nothing: the next may try. */
    if (r->trial && r->folders->breaker.state == BREAKER_HALF_OPEN)
        breaker_abandon(&r->folders->breaker);
    r->trial = false;
    answer->attempts = r->stage == STAGE_QUEUED ? 0 : 1;
    return handlers.answered(handlers.arg, r->question.id, answer);
}

static void fail_asker(struct request *r, enum retry_outcome outcome, uint16_t failure)
{
    struct upstream_answer answer = {.outcome = (uint8_t)outcome, .failure = failure};

    (void)tell_asker(r, &answer);
}

/* On the next turn of the loop: ask() must not answer by itself. */
void request_end_soon(struct request *r, enum retry_outcome outcome, uint16_t failure)
{
    r->ending = true;
    r->end = (struct upstream_answer){.outcome = (uint8_t)outcome, .failure = failure};
    (void)timer_set_after(r->timer, 0);
}

static struct request *find_slip(struct folders *f, const struct folder_slip *slip)
{
    struct request *r = f->first;

    while (r != NULL &&
           (strcmp(r->slip.suffix, slip->suffix) != 0 || strcmp(r->slip.family, slip->family) != 0))
        r = r->next;
    return r;
}

static unsigned under_way(const struct folders *f)
{
    unsigned n = 0;

    for (const struct request *r = f->first; r != NULL; r = r->next)
        n += r->asked && (r->stage == STAGE_SENDING || r->stage == STAGE_WAITING);
    return n;
}

static void send_file(struct request *r)
{
    struct folder_command command = {
        .kind = FOLDER_COMMAND_SEND, .slip = r->slip, .xml = r->xml, .len = r->len};

    r->xml = NULL;
    r->stage = STAGE_SENDING;
    r->taken = r->known = false;
    r->fault = FOLDER_FAULT_NONE;
    if (folder_worker_post(r->folders->worker, &command) != 0)
        request_end_soon(r, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
}

/* Those that wait for a place, the oldest first. */
void request_send_queued(struct folders *f)
{
    while (f->recovered && under_way(f) < f->sessions) {
        struct request *oldest = NULL;

        for (struct request *r = f->first; r != NULL; r = r->next)
            if (r->stage == STAGE_QUEUED && !r->ending)
                oldest = r;
        if (oldest == NULL)
            return;
        send_file(oldest);
    }
}

/* ---- the breaker ----------------------------------------------------------------------------- */

static void tell_change(struct folders *f)
{
    f->setup.handlers.changed(f->setup.handlers.arg);
}

/* The asker is told what is certain. True: nothing of it has left, and it is gone. */
static bool end_unanswered(struct request *r, uint16_t failure)
{
    bool unsent = r->stage == STAGE_QUEUED ||
                  (r->stage == STAGE_SENDING && folder_worker_revoke(r->folders->worker, &r->slip));

    if (!unsent && r->slip.writes)
        fail_asker(r, RETRY_OUTCOME_DOUBTFUL, FAILURE_ELIGIBILITY_DOUBTFUL);
    else if (r->fault != FOLDER_FAULT_NONE && r->fault != FOLDER_FAULT_LOCKED &&
             r->fault != FOLDER_FAULT_DISK)
        fail_asker(r, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_GARBLED);
    else
        fail_asker(r, RETRY_OUTCOME_NOT_SENT, failure);
    if (unsent)
        request_free(r);
    return unsent;
}

static bool has_probe(const struct folders *f)
{
    for (const struct request *r = f->first; r != NULL; r = r->next)
        if (r->probe || (r->slip.writes && r->known && !r->taken))
            return true;
    return false;
}

/* A read that still lies in req and that nobody waits for: taken back, or left there as the probe.
 */
void request_take_back(struct request *r)
{
    if (r->asked || r->slip.writes || !r->known || r->taken || r->probe ||
        r->stage != STAGE_WAITING)
        return;
    if (!has_probe(r->folders))
        r->probe = true;
    else
        folders_post(r->folders, FOLDER_COMMAND_WITHDRAW, &r->slip);
}

static void breaker_changed(struct folders *f)
{
    log_event(LOG_LEVEL_WARNING, "breaker", LOG_NUMBER("state", f->breaker.state),
              LOG_NUMBER("open_ms", breaker_left_us(&f->breaker, folders_now_us(f)) / CLOCK_MS),
              LOG_FAILURE(f->last_failure));
    if (f->breaker.state == BREAKER_OPEN) {
        struct request *next;

        for (struct request *r = f->first; r != NULL; r = next) {
            next = r->next;
            if (r->asked && !r->ending && !r->taken &&
                (r->stage == STAGE_QUEUED || r->stage == STAGE_WAITING))
                request_end_soon(
                    r,
                    r->slip.writes && r->stage == STAGE_WAITING ? RETRY_OUTCOME_DOUBTFUL
                                                                : RETRY_OUTCOME_NOT_SENT,
                    r->slip.writes && r->stage == STAGE_WAITING ? FAILURE_ELIGIBILITY_DOUBTFUL
                                                                : f->last_failure);
        }
    }
    tell_change(f);
}

static void upstream_failed(struct folders *f, uint16_t failure, unsigned weight)
{
    enum breaker_state before = f->breaker.state;

    f->last_failure = failure;
    breaker_fail(&f->breaker, folders_now_us(f), weight);
    if (f->breaker.state != before)
        breaker_changed(f);
}

static void close_breaker(struct folders *f)
{
    enum breaker_state before = f->breaker.state;

    breaker_succeed(&f->breaker);
    f->last_failure = FAILURE_NONE;
    if (before != BREAKER_CLOSED)
        breaker_changed(f);
}

/* A sign of life of the terminal's. */
static void upstream_alive(struct folders *f)
{
    f->answered_at = folders_wall_s(f);
    close_breaker(f);
}

/* ---- time is over ---------------------------------------------------------------------------- */

static void request_timer(struct timer *timer, void *arg)
{
    struct request *r = arg;
    struct folders *f = r->folders;
    uint16_t failure = r->taken ? FAILURE_ELIGIBILITY_SLOW : FAILURE_ELIGIBILITY_UNREACHABLE;

    (void)timer;
    if (r->stage == STAGE_UNHEARD) { /* asked again, and it was there already */
        request_deliver(r);
        return;
    }
    if (r->ending) {
        struct upstream_answer end = r->end;

        fail_asker(r, end.outcome, end.failure);
        if (r->stage == STAGE_QUEUED)
            request_free(r);
        else
            request_take_back(r);
        request_send_queued(f);
        return;
    }
    log_event(LOG_LEVEL_WARNING, "no answer in time", LOG_NUMBER("question", r->question.id),
              LOG_NUMBER("stage", r->stage), LOG_NUMBER("taken", r->taken),
              LOG_NUMBER("fault", r->fault));
    if (r->stage == STAGE_WAITING && r->slip.stage == 1)
        upstream_failed(f, failure, BREAKER_SLOW);
    if (!end_unanswered(r, failure))
        request_take_back(r);
    request_send_queued(f);
}

static void second_stage(struct request *r, const char *reception);

static void rest_timer(struct timer *timer, void *arg)
{
    struct request *r = arg;

    (void)timer;
    if (r->stage == STAGE_RESTING) {
        char reception[sizeof(r->slip.reception)];

        memcpy(reception, r->slip.reception, sizeof(reception));
        second_stage(r, reception);
    } else if (r->stage == STAGE_WAITING && !r->taken) {
        log_event(LOG_LEVEL_WARNING, "a request is not taken: the terminal does not run",
                  LOG_NUMBER("kind", r->slip.kind));
        upstream_failed(r->folders, FAILURE_ELIGIBILITY_UNREACHABLE, BREAKER_LIMIT);
    }
}

/* ---- what the thread tells ------------------------------------------------------------------- */

struct request *request_new(struct folders *f)
{
    struct request *r = f->nrequests < REQUESTS_MAX ? calloc(1, sizeof(*r)) : NULL;

    if (r == NULL)
        return NULL;
    r->folders = f;
    r->timer = timer_new(f->setup.clock, request_timer, r);
    r->rest = timer_new(f->setup.clock, rest_timer, r);
    r->next = f->first;
    f->first = r;
    f->nrequests++;
    if (r->timer == NULL || r->rest == NULL) {
        request_free(r);
        return NULL;
    }
    return r;
}

static void on_slip(struct folders *f, const struct folder_event *event)
{
    struct request *r = request_new(f);

    log_event(LOG_LEVEL_NOTICE, "a request of an earlier run", LOG_NUMBER("kind", event->slip.kind),
              LOG_NUMBER("writes", event->slip.writes),
              LOG_NUMBER("answered", event->kind == FOLDER_EVENT_ANSWERED),
              LOG_NUMBER("age_s", folders_wall_s(f) - event->slip.asked_s));
    if (r == NULL)
        return;
    r->slip = event->slip;
    r->stage = STAGE_WAITING;
    r->known = true;
    r->taken = event->kind == FOLDER_EVENT_ANSWERED;
}

static void on_sent(struct folders *f, const struct folder_event *event)
{
    struct request *r = find_slip(f, &event->slip);

    if (r == NULL)
        return;
    if (event->error == 0 || event->unknown) {
        r->stage = STAGE_WAITING;
        r->known = true;
        (void)timer_set_after(r->rest, f->taken_us);
        folders_look_soon(f, f->scan_us < 200 * CLOCK_MS ? f->scan_us : 200 * CLOCK_MS);
        if (event->error != 0)
            log_event(LOG_LEVEL_ERROR, "a request may be in the folder or not",
                      LOG_ERRNO(event->error));
        if (!r->asked)
            request_take_back(r);
        return;
    }
    log_event(LOG_LEVEL_ERROR, "a request cannot be put into the folder", LOG_ERRNO(event->error));
    f->disk_error = event->error;
    upstream_failed(f, FAILURE_ELIGIBILITY_FOLDER, BREAKER_SLOW);
    fail_asker(r, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_FOLDER);
    request_free(r);
    request_send_queued(f);
}

static void on_taken(struct folders *f, const struct folder_event *event)
{
    struct request *r = find_slip(f, &event->slip);

    if (r != NULL) {
        r->taken = true;
        r->probe = false;
        timer_stop(r->rest);
    }
    upstream_alive(f);
}

static void on_fault(struct folders *f, const struct folder_event *event)
{
    struct request *r = find_slip(f, &event->slip);

    log_event(LOG_LEVEL_WARNING, "answer file not taken",
              LOG_NAME("why", folder_fault_en(event->fault)), LOG_ERRNO(event->error));
    if (r == NULL)
        return;
    r->fault = event->fault;
    if (r->asked && event->fault == FOLDER_FAULT_MESSAGE)
        fail_asker(r, r->slip.writes ? RETRY_OUTCOME_DOUBTFUL : RETRY_OUTCOME_NOT_SENT,
                   FAILURE_ELIGIBILITY_GARBLED);
}

/* The request has had its answer, and the desk knows: what is left of it goes, or is remembered. */
static void settle(struct request *r)
{
    struct folders *f = r->folders;

    forget_answer(r);
    if (r->slip.writes) {
        r->stage = STAGE_ANSWERED;
        folders_post(f, FOLDER_COMMAND_DONE, &r->slip);
    } else {
        folders_post(f, FOLDER_COMMAND_DROP, &r->slip);
        request_free(r);
    }
    request_send_queued(f);
}

void request_drop(struct request *r)
{
    struct folders *f = r->folders;

    folders_post(f, FOLDER_COMMAND_DROP, &r->slip);
    request_free(r);
    request_send_queued(f);
}

static bool tell_late(struct request *r)
{
    struct upstream_handlers handlers = r->folders->setup.handlers;
    const struct upstream_late late = {
        .kind = r->slip.kind,
        .writes = r->slip.writes,
        .asked = r->slip.asked_s,
        .correlation = r->slip.identifier,
        .hash = r->hash,
        .tree = r->tree,
        .raw = r->raw,
        .raw_len = r->raw_len,
    };

    return handlers.late(handlers.arg, &late);
}

void request_deliver(struct request *r)
{
    struct upstream_answer answer = {.tree = r->tree, .raw = r->raw, .raw_len = r->raw_len};

    if (r->slip.until_s != 0 && folders_wall_s(r->folders) >= r->slip.until_s) {
        /* The consent has ended: nobody may have it any more. */
        fail_asker(r, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_CANNOT_ASK);
        request_drop(r);
    } else if (r->asked) {
        /* The asker may have gone, and another desk be there. */
        if (tell_asker(r, &answer) || !r->slip.writes || tell_late(r))
            settle(r);
        else
            r->stage = STAGE_UNHEARD;
    } else if (r->unwanted) {
        request_drop(r);
    } else if (tell_late(r)) {
        settle(r);
    } else {
        r->stage = STAGE_UNHEARD;
    }
}

static void second_stage(struct request *r, const char *reception)
{
    struct folders *f = r->folders;
    const struct folder_message *message = folder_message_of(r->slip.kind);
    struct folder_slip before = r->slip;

    timer_stop(r->rest);
    if (folder_request_second(f->codec, &r->slip, message, reception, f->encoding, &r->xml,
                              &r->len) != 0 ||
        folder_request_name(&r->slip, folders_wall_s(f)) != 0) {
        r->slip = before;
        forget_xml(r);
        request_deliver(r); /* as it is: the desk sees what came */
        return;
    }
    forget_answer(r);
    send_file(r);
    /* After the new one: a kill in between leaves one of the two, or both. */
    folders_post(f, FOLDER_COMMAND_DROP, &before);
}

static void on_answer(struct folders *f, struct folder_event *event)
{
    struct request *r = find_slip(f, &event->slip);
    const struct folder_message *message;
    const char *segment;

    upstream_alive(f);
    if (r == NULL) {
        folders_post(f, FOLDER_COMMAND_DROP, &event->slip);
        return;
    }
    timer_stop(r->rest);
    forget_answer(r);
    r->tree = event->tree;
    r->raw = event->raw;
    r->raw_len = event->raw_len;
    memcpy(r->hash, event->hash, sizeof(r->hash));
    event->tree = NULL;
    event->raw = NULL;
    r->taken = true;
    message = folder_message_of(r->slip.kind);
    segment = xmlmsg_get(r->tree, "MessageHeader/SegmentOfResult");
    log_event(LOG_LEVEL_INFO, "answer file", LOG_NUMBER("kind", r->slip.kind),
              LOG_NUMBER("stage", r->slip.stage), LOG_NUMBER("bytes", r->raw_len),
              LOG_NUMBER("waited_for", r->asked));
    if (message == NULL || message->second == NULL || r->unwanted) {
        request_deliver(r);
    } else if (r->slip.stage == 1 && strcmp(segment, "9") != 0 &&
               folder_request_reception(r->tree)[0] != '\0') {
        second_stage(r, folder_request_reception(r->tree));
    } else if (r->slip.stage == 2 && strcmp(segment, "2") == 0) {
        r->stage = STAGE_RESTING;
        (void)timer_set_after(r->rest, f->poll_us);
    } else {
        request_deliver(r);
    }
}

static void on_withdrawn(struct folders *f, const struct folder_event *event)
{
    struct request *r = find_slip(f, &event->slip);

    /* Taken after all: its answer comes, and is told late. */
    if (r == NULL || event->error != 0)
        return;
    /* Asked again while it was on its way back. */
    fail_asker(r, RETRY_OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE);
    request_free(r);
}

static void on_face(struct folders *f, const struct folder_event *event)
{
    struct upstream_handlers handlers = f->setup.handlers;
    const struct upstream_terminal terminal = {
        .hash = event->hash, .tree = event->tree, .raw = event->raw, .raw_len = event->raw_len};

    log_event(LOG_LEVEL_INFO, "face file", LOG_NUMBER("bytes", event->raw_len));
    /* Nobody there: it is told again when a desk comes. */
    (void)handlers.terminal(handlers.arg, &terminal);
}

/*
 * A share that was mounted anew is another place to the cage, which was closed around the old one:
 * nothing but a new beginning helps, and costs nothing, since all that is on its way has its slip.
 */
static void begin_again(struct folders *f, int error)
{
    bool shut = error == -EACCES || error == -EPERM || error == -ESTALE || error == -ENOTCONN;

    f->shut = shut ? f->shut + 1 : 0;
    if (f->shut != SHUT_ROUNDS)
        return;
    log_event(LOG_LEVEL_NOTICE, "the folder is shut to this program: it ends, to begin again");
    (void)sd_event_exit(f->setup.loop, 0);
}

static void on_disk(struct folders *f, const struct folder_event *event)
{
    begin_again(f, event->error);
    if (event->error == f->disk_error)
        return;
    f->disk_error = event->error;
    if (event->error != 0) {
        log_event(LOG_LEVEL_ERROR, "the folder cannot be used", LOG_ERRNO(event->error));
        upstream_failed(f, FAILURE_ELIGIBILITY_FOLDER, BREAKER_LIMIT);
    } else if (f->last_failure == FAILURE_ELIGIBILITY_FOLDER) {
        close_breaker(f);
    }
    tell_change(f);
}

static void on_skew(struct folders *f, const struct folder_event *event)
{
    int64_t skew = event->skew_us;

    if ((skew > SKEW_US || skew < -SKEW_US) && !(f->skew_us > SKEW_US || f->skew_us < -SKEW_US))
        log_event(LOG_LEVEL_WARNING, "the folder's clock differs from ours",
                  LOG_NUMBER("seconds", skew / (int64_t)CLOCK_SECOND));
    f->skew_us = skew;
}

void folders_event(void *arg, struct folder_event *event)
{
    struct folders *f = arg;

    switch (event->kind) {
    case FOLDER_EVENT_SLIP:
    case FOLDER_EVENT_ANSWERED:
        on_slip(f, event);
        break;
    case FOLDER_EVENT_SENT:
        on_sent(f, event);
        break;
    case FOLDER_EVENT_TAKEN:
        on_taken(f, event);
        break;
    case FOLDER_EVENT_ANSWER:
        on_answer(f, event);
        break;
    case FOLDER_EVENT_FAULT:
        on_fault(f, event);
        break;
    case FOLDER_EVENT_WITHDRAWN:
        on_withdrawn(f, event);
        break;
    case FOLDER_EVENT_FACE:
        on_face(f, event);
        break;
    case FOLDER_EVENT_FACES:
        f->faces = event->faces;
        break;
    case FOLDER_EVENT_SKEW:
        on_skew(f, event);
        break;
    case FOLDER_EVENT_DISK:
        on_disk(f, event);
        break;
    }
}

static bool anything_to_look_for(const struct folders *f)
{
    if ((f->capabilities & CAPABILITY_FACE_FILES) != 0)
        return true;
    for (const struct request *r = f->first; r != NULL; r = r->next)
        if (r->stage == STAGE_WAITING)
            return true;
    return f->disk_error != 0;
}

void folders_ended(void *arg, enum folder_command_kind kind, uint64_t next_us)
{
    struct folders *f = arg;
    uint64_t now = folders_now_us(f), next = now + f->scan_us;

    if (kind == FOLDER_COMMAND_RECOVER) {
        f->recovering = false;
        /* A folder that could not be looked into may hold slips: it is looked into again first. */
        if (f->disk_error == 0)
            folders_recovered(f);
        (void)timer_set_after(f->scan, f->recovered ? 0 : f->scan_us);
    }
    if (kind != FOLDER_COMMAND_STEP)
        return;
    f->stepping = false;
    if (next_us < next)
        next = next_us;
    if (f->again)
        next = now;
    f->again = false;
    if (next_us != UINT64_MAX || anything_to_look_for(f) || next == now)
        (void)timer_set_at(f->scan, next);
}

void folders_hangs(void *arg, bool hangs)
{
    struct folders *f = arg;

    if (hangs)
        log_event(LOG_LEVEL_ERROR, "the folder does not answer");
    else if (f->disk_error == 0)
        log_event(LOG_LEVEL_NOTICE, "the folder answers again");
    if (hangs) {
        struct request *next;

        upstream_failed(f, FAILURE_ELIGIBILITY_FOLDER, BREAKER_LIMIT);
        for (struct request *r = f->first; r != NULL; r = next) {
            next = r->next;
            if (r->asked && !r->ending && r->stage == STAGE_SENDING)
                (void)end_unanswered(r, FAILURE_ELIGIBILITY_FOLDER);
        }
    } else {
        if (f->last_failure == FAILURE_ELIGIBILITY_FOLDER && f->disk_error == 0)
            close_breaker(f);
        tell_change(f);
    }
}
