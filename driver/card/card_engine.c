#include "card_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "card_trust.h"
#include "daemon/common/clock.h"
#include "tlv.h"

/* A chip's signature takes below a second; a card that needs longer than this is not going to answer. */
#define APDU_LONGEST_US (5 * CLOCK_SECOND)
#define POWER_OFF_LONGEST_US CLOCK_SECOND
/* Somebody keys in four digits; the signature after it needs its time too. */
#define PAD_LONGEST_US (45 * CLOCK_SECOND)
/* Largest answer that is put together from 61xx pieces. */
#define ANSWER_MAX (CARD_FILE_BYTES_MAX + 2u)
#define CONTINUED_MOST 256u
/* How often one operation may say something again because the wire, not the card, had failed. */
#define REPEATS_MOST 2u
#define OFFSET_MOST 0x7FFFu /* READ BINARY offsets have 15 bits */

#define SW_LENGTH_WRONG 0x6700u
#define SW_END_REACHED 0x6282u
#define SW_OFFSET_WRONG 0x6B00u
#define SW_MORE 0x61u
#define SW_LENGTH_IS 0x6Cu

static void on_answer(void *arg, enum card_link link, const uint8_t *data, size_t len);
static void on_power_on(void *arg, enum card_link link, const uint8_t *data, size_t len);
static void on_power_off(void *arg, enum card_link link, const uint8_t *data, size_t len);
static void advance(struct card_engine *e);
static void read_more(struct card_engine *e, enum card_file file);
static void finish(struct card_engine *e, enum card_end end);

static const char *const end_names[CARD_END_COUNT] = {
    [CARD_END_OK] = "ok",
    [CARD_END_CANCELLED] = "cancelled",
    [CARD_END_ABSENT] = "absent",
    [CARD_END_MUTE] = "mute",
    [CARD_END_REMOVED] = "removed",
    [CARD_END_TROUBLE] = "trouble",
    [CARD_END_TIMEOUT] = "timeout",
    [CARD_END_READER_LOST] = "reader-lost",
    [CARD_END_READER_HELD] = "reader-held",
    [CARD_END_READER_PROTOCOL] = "reader-protocol",
    [CARD_END_FOREIGN] = "foreign",
    [CARD_END_OLD_RESIDENT] = "old-resident",
    [CARD_END_PHONE] = "phone",
    [CARD_END_NEXT_GENERATION] = "next-generation",
    [CARD_END_OTHER_CARD] = "other-card",
    [CARD_END_DAMAGED] = "damaged",
    [CARD_END_NO_PHOTO] = "no-photo",
    [CARD_END_NOT_ITS_KEY] = "not-its-key",
    [CARD_END_PIN_FORMAT] = "pin-format",
    [CARD_END_PIN_LAST_TRY] = "pin-last-try",
    [CARD_END_PIN_WRONG] = "pin-wrong",
    [CARD_END_PIN_LOCKED] = "pin-locked",
    [CARD_END_PIN_NOT_SET] = "pin-not-set",
    [CARD_END_PAD_CANCELLED] = "pad-cancelled",
    [CARD_END_PAD_TIMEOUT] = "pad-timeout",
    [CARD_END_PAD_REFUSED] = "pad-refused",
    [CARD_END_NUMBER_B_FORMAT] = "number-b-format",
    [CARD_END_NUMBER_B_FEW_TRIES] = "number-b-few-tries",
    [CARD_END_NUMBER_B_WRONG] = "number-b-wrong",
    [CARD_END_NUMBER_B_LOCKED] = "number-b-locked",
    [CARD_END_INTERNAL] = "internal",
};

static const enum card_end link_ends[CARD_LINK_COUNT] = {
    [CARD_LINK_OK] = CARD_END_OK,
    [CARD_LINK_NO_CARD] = CARD_END_ABSENT,
    [CARD_LINK_MUTE] = CARD_END_MUTE,
    [CARD_LINK_REMOVED] = CARD_END_REMOVED,
    [CARD_LINK_TROUBLE] = CARD_END_TROUBLE,
    [CARD_LINK_UNSUPPORTED] = CARD_END_FOREIGN,
    [CARD_LINK_TIMEOUT] = CARD_END_TIMEOUT,
    [CARD_LINK_CANCELLED] = CARD_END_CANCELLED,
    [CARD_LINK_READER_LOST] = CARD_END_READER_LOST,
    [CARD_LINK_READER_HELD] = CARD_END_READER_HELD,
    [CARD_LINK_PAD_CANCELLED] = CARD_END_PAD_CANCELLED,
    [CARD_LINK_PAD_TIMEOUT] = CARD_END_PAD_TIMEOUT,
    [CARD_LINK_PAD_REFUSED] = CARD_END_PAD_REFUSED,
    [CARD_LINK_READER_PROTOCOL] = CARD_END_READER_PROTOCOL,
};

const char *card_end_name(enum card_end end)
{
    return (unsigned)end < CARD_END_COUNT ? end_names[end] : "?";
}

/*
 * 63Cx: x tries left. Blocked is seen as 63C0 and 6984 on cards; 6983 is ISO's usual word for it. How a card
 * answers whose PIN was never set (顔認証マイナンバーカード) is not public: besides a blocked key, "no such
 * reference" and "cannot be used now" are taken for it, as is a key file that is not there (see the steps).
 */
enum card_key_state card_engine_key_state(uint16_t sw, uint8_t *tries)
{
    static const struct {
        uint16_t sw;
        enum card_key_state state;
        uint8_t tries;
    } rows[] = {
        {0x6984, CARD_KEY_BLOCKED, 0},
        {0x6983, CARD_KEY_BLOCKED, 0},
        {0x63C0, CARD_KEY_BLOCKED, 0},
        {0x6A88, CARD_KEY_UNSET, CARD_TRIES_UNKNOWN},
        {0x6A82, CARD_KEY_UNSET, CARD_TRIES_UNKNOWN},
        {0x6985, CARD_KEY_UNSET, CARD_TRIES_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].sw == sw) {
            *tries = rows[i].tries;
            return rows[i].state;
        }
    if ((sw & 0xFFF0u) == 0x63C0u) {
        *tries = (uint8_t)(sw & 0x0Fu);
        return CARD_KEY_OPEN;
    }
    *tries = CARD_TRIES_UNKNOWN;
    return CARD_KEY_UNKNOWN;
}

/* -- life -------------------------------------------------------------------------------------- */

static void wipe_operation(struct card_engine *e)
{
    secret_wipe(&e->answer);
    secret_wipe(&e->scratch);
    secret_wipe(&e->record);
    secret_free(&e->credential);
    apdu_wipe(&e->bytes);
    explicit_bzero(e->input, sizeof(e->input));
    explicit_bzero(e->nonce, sizeof(e->nonce));
    explicit_bzero(e->statement, sizeof(e->statement));
    explicit_bzero(e->signature, sizeof(e->signature));
    explicit_bzero(e->signer, sizeof(e->signer));
    explicit_bzero(&e->face, sizeof(e->face));
    explicit_bzero(&e->report, sizeof(e->report));
    memset(&e->command, 0, sizeof(e->command));
    e->input_len = 0;
    e->signature_len = 0;
    e->signer_len = 0;
    e->total = 0;
    e->face_read = false;
    e->text_open = false;
    e->at_pad = false;
    e->agreed = false;
    e->scanned = false;
    e->credential_kind = CARD_CREDENTIAL_NONE;
    e->counted = CARD_FILE_NONE;
    e->key_state = CARD_KEY_UNKNOWN;
    e->tries = CARD_TRIES_UNKNOWN;
}

static void forget_card(struct card_engine *e)
{
    card_certificate_clear(&e->certificate);
    explicit_bzero(e->certificate_der, sizeof(e->certificate_der));
    e->certificate_len = 0;
    e->has_certificate = false;
    e->identified = false;
    e->same = false;
}

/* Without power nobody can tell whether the card is still the one that it was: whoever asks next looks again. */
static void unpowered(struct card_engine *e)
{
    e->powered = false;
    e->same = false;
    e->application = CARD_AP_NONE;
    e->file = CARD_FILE_NONE;
}

/* Operation over; the callback may start the next one. */
static void report(struct card_engine *e)
{
    struct card_report report = e->report;
    card_done_fn *done = e->done;
    void *arg = e->arg;

    report.elapsed_ms = (uint32_t)((clock_monotonic_us(e->clock) - e->started_us) / CLOCK_MS);
    e->operation = NULL;
    e->phase = CARD_PHASE_IDLE;
    e->done = NULL;
    if (e->forget)
        forget_card(e);
    e->forget = false;
    if (done != NULL)
        done(e, &report, arg);
    explicit_bzero(&report, sizeof(report));
    if (!card_engine_busy(e))
        wipe_operation(e);
}

static void on_later(struct timer *timer, void *arg)
{
    struct card_engine *e = arg;

    (void)timer;
    if (e->phase == CARD_PHASE_REPORT)
        report(e);
}

struct card_engine *card_engine_new(struct clock *clock, const struct card_trust *trust)
{
    struct card_engine *e = calloc(1, sizeof(*e));
    int rc = -ENOMEM;

    if (e == NULL)
        return NULL;
    e->clock = clock;
    e->trust = trust;
    unpowered(e);
    e->later = timer_new(clock, on_later, e);
    if (e->later == NULL)
        goto fail;
    if ((rc = secret_new(&e->answer, ANSWER_MAX)) < 0 || (rc = secret_new(&e->scratch, 4096)) < 0 ||
        (rc = secret_new(&e->record, CARD_FILE_BYTES_MAX)) < 0)
        goto fail;
    wipe_operation(e);
    return e;
fail:
    card_engine_free(&e);
    errno = -rc;
    return NULL;
}

void card_engine_free(struct card_engine **engine)
{
    struct card_engine *e = *engine;

    *engine = NULL;
    if (e == NULL)
        return;
    timer_free(&e->later);
    forget_card(e);
    secret_free(&e->credential);
    secret_free(&e->answer);
    secret_free(&e->scratch);
    secret_free(&e->record);
    explicit_bzero(e, sizeof(*e));
    free(e);
}

bool card_engine_busy(const struct card_engine *e)
{
    return e->phase != CARD_PHASE_IDLE;
}

bool card_engine_powered(const struct card_engine *e)
{
    return e->powered;
}

void card_engine_set_channel(struct card_engine *e, struct card_channel *channel)
{
    bool waiting = e->waiting;

    e->channel = channel;
    e->waiting = false;
    e->same = false;
    e->no_extended = false;
    unpowered(e);
    if (!waiting)
        return;
    if (e->phase == CARD_PHASE_OFF) {
        e->phase = CARD_PHASE_REPORT;
        timer_set_after(e->later, 0);
    } else {
        finish(e, CARD_END_READER_LOST);
    }
}

void card_engine_card_gone(struct card_engine *e)
{
    e->same = false;
    e->no_extended = false;
    /* Under way, the channel itself will tell, unless its last answer had set out before. */
    if (e->waiting)
        e->left = true;
    else
        unpowered(e);
}

void card_engine_forget(struct card_engine *e)
{
    if (card_engine_busy(e)) {
        e->forget = true;
        return;
    }
    wipe_operation(e);
    forget_card(e);
}

int card_engine_prepare(struct card_engine *e, uint64_t deadline_us)
{
    if (card_engine_busy(e))
        return -EBUSY;
    if (e->channel == NULL)
        return -ENODEV;
    wipe_operation(e);
    e->report.pin_tries = CARD_TRIES_UNKNOWN;
    e->report.number_b_tries = CARD_TRIES_UNKNOWN;
    e->started_us = clock_monotonic_us(e->clock);
    e->deadline_us = deadline_us;
    e->cancelled = false;
    e->left = false;
    e->step = 0;
    e->repeats = 0;
    return 0;
}

void card_engine_run(struct card_engine *e, const struct card_operation *operation,
                     card_done_fn *done, void *arg)
{
    e->operation = operation;
    e->done = done;
    e->arg = arg;
    advance(e);
}

void card_engine_refuse(struct card_engine *e, enum card_end end, card_done_fn *done, void *arg)
{
    static const struct card_operation nothing = {0};

    e->operation = &nothing;
    e->done = done;
    e->arg = arg;
    finish(e, end);
}

int card_engine_off(struct card_engine *e, card_done_fn *done, void *arg)
{
    static const struct card_operation off = {.power_off = true};
    int rc = card_engine_prepare(e, clock_monotonic_us(e->clock) + POWER_OFF_LONGEST_US);

    if (rc < 0)
        return rc;
    e->operation = &off;
    e->done = done;
    e->arg = arg;
    finish(e, CARD_END_OK);
    return 0;
}

void card_engine_cancel(struct card_engine *e)
{
    if (e->phase == CARD_PHASE_IDLE || e->phase == CARD_PHASE_OFF ||
        e->phase == CARD_PHASE_REPORT || e->cancelled)
        return;
    e->cancelled = true;
    if (e->waiting)
        e->channel->ops->abort(e->channel);
}

/* -- the end ----------------------------------------------------------------------------------- */

static uint64_t deadline(const struct card_engine *e, uint64_t longest_us)
{
    uint64_t at = clock_monotonic_us(e->clock) + longest_us;

    return at < e->deadline_us ? at : e->deadline_us;
}

static bool is_gone(enum card_link link)
{
    return link == CARD_LINK_REMOVED || link == CARD_LINK_NO_CARD || link == CARD_LINK_READER_LOST;
}

static void finish(struct card_engine *e, enum card_end end)
{
    bool off = e->powered && e->channel != NULL && (e->operation->power_off || end != CARD_END_OK);

    secret_free(&e->credential);
    e->credential_kind = CARD_CREDENTIAL_NONE;
    if (off) {
        e->phase = CARD_PHASE_OFF;
        e->waiting = true;
        /* Not out of what is left of the budget: this must happen also when nothing is left. */
        e->channel->ops->power_off(e->channel, clock_monotonic_us(e->clock) + POWER_OFF_LONGEST_US,
                                   on_power_off, e);
    }
    if (off)
        unpowered(e);
    if (e->operation->conclude != NULL)
        end = e->operation->conclude(e, end);
    if (e->left)
        unpowered(e);
    e->report.end = end;
    if (!off) {
        e->phase = CARD_PHASE_REPORT;
        timer_set_after(e->later, 0);
    }
}

static void on_power_off(void *arg, enum card_link link, const uint8_t *data, size_t len)
{
    struct card_engine *e = arg;

    (void)data;
    (void)len;
    if (!e->waiting)
        return;
    e->waiting = false;
    if (is_gone(link))
        e->same = false;
    report(e);
}

/*
 * A damaged or lost message between us and the reader: what changes nothing on the chip is said again. A
 * VERIFY is not, for it may have been carried out; neither is anything to a card that lost its power.
 */
static bool repeated(struct card_engine *e, enum card_link link)
{
    const struct card_step *step = &e->operation->steps[e->step];

    if ((link != CARD_LINK_READER_PROTOCOL && link != CARD_LINK_TIMEOUT) || e->cancelled ||
        e->repeats == REPEATS_MOST || clock_left_us(e->clock, e->deadline_us) == 0)
        return false;
    if (e->phase == CARD_PHASE_COMMAND && step->kind == CARD_STEP_VERIFY)
        return false;
    e->repeats++;
    /* What was read of the file so far stays. */
    if (e->phase == CARD_PHASE_COMMAND && step->kind == CARD_STEP_READ)
        read_more(e, step->file);
    else
        advance(e);
    return true;
}

/* True when the channel's answer ends the operation, or is asked for again. */
static bool ended_by_link(struct card_engine *e, enum card_link link)
{
    e->waiting = false;
    if (link == CARD_LINK_OK && !e->cancelled)
        return false;
    if (repeated(e, link))
        return true;
    /* After any other trouble the chip may still hold rights: finish() powers it off. */
    if (is_gone(link)) {
        e->same = false;
        unpowered(e);
    }
    finish(e, e->cancelled ? CARD_END_CANCELLED : link_ends[link]);
    return true;
}

/* -- one command ------------------------------------------------------------------------------- */

static void transmit(struct card_engine *e, const struct apdu_command *command)
{
    int rc = apdu_build(&e->bytes, command);

    if (rc < 0) {
        finish(e, CARD_END_INTERNAL);
        return;
    }
    e->waiting = true;
    e->report.apdus++;
    e->channel->ops->transmit(e->channel, e->bytes.data, e->bytes.len, deadline(e, APDU_LONGEST_US),
                              on_answer, e);
    apdu_wipe(&e->bytes);
}

static void send_command(struct card_engine *e, uint8_t cla, uint8_t ins, uint8_t p1, uint8_t p2,
                         const uint8_t *data, size_t len, size_t expected)
{
    e->command = (struct apdu_command){cla, ins, p1, p2, data, len, expected};
    e->resent = false;
    e->continued = 0;
    secret_wipe(&e->answer);
    transmit(e, &e->command);
}

static struct secret *read_target(struct card_engine *e, enum card_file file)
{
    return file == CARD_FILE_RECORD ? &e->record : &e->scratch;
}

/* How much of the file to ask for next. */
static size_t read_size(const struct card_engine *e, const struct secret *target)
{
    size_t most = e->no_extended || e->channel->read_max < APDU_SHORT_LE_MAX ? APDU_SHORT_LE_MAX
                                                                             : e->channel->read_max;
    size_t left = e->total - target->len;

    /* The length is only known from the first bytes. */
    if (e->total == 0)
        return APDU_SHORT_LE_MAX;
    if (most > CARD_FILE_BYTES_MAX)
        most = CARD_FILE_BYTES_MAX;
    return left < most ? left : most;
}

static void read_more(struct card_engine *e, enum card_file file)
{
    const struct secret *target = read_target(e, file);

    if (target->len > OFFSET_MOST) {
        finish(e, CARD_END_DAMAGED);
        return;
    }
    send_command(e, 0x00, 0xB0, (uint8_t)(target->len >> 8), (uint8_t)target->len, NULL, 0,
                 read_size(e, target));
}

static void command_read(struct card_engine *e, const struct card_step *step)
{
    secret_wipe(read_target(e, step->file));
    e->total = card_layout_file(step->file)->fixed;
    read_more(e, step->file);
}

static void command_tries(struct card_engine *e, const struct card_step *step)
{
    (void)step;
    send_command(e, 0x00, 0x20, 0x00, 0x80, NULL, 0, 0);
}

/* The reader takes the digits and sends them; this process never has them. */
static void verify_at_pad(struct card_engine *e)
{
    static const uint8_t header[4] = {0x00, 0x20, 0x00, 0x80};

    e->command = (struct apdu_command){0x00, 0x20, 0x00, 0x80, NULL, 0, 0};
    e->resent = false;
    e->continued = 0;
    secret_wipe(&e->answer);
    e->waiting = true;
    e->report.apdus++;
    e->channel->ops->verify_at_pad(e->channel, header, CARD_PIN_DIGITS, deadline(e, PAD_LONGEST_US),
                                   on_answer, e);
}

/*
 * The only place that sends a credential. It goes to a key that the layout says it is for, whose counter
 * was read in this operation and is not empty; anything else is a defect of ours and sends nothing.
 */
static void command_verify(struct card_engine *e, const struct card_step *step)
{
    if ((e->credential.len == 0) != e->at_pad ||
        card_layout_file(step->file)->credential != e->credential_kind ||
        e->counted != step->file || e->key_state == CARD_KEY_BLOCKED ||
        e->key_state == CARD_KEY_UNSET) {
        finish(e, CARD_END_INTERNAL);
        return;
    }
    e->counted = CARD_FILE_NONE;
    if (e->at_pad) {
        verify_at_pad(e);
        return;
    }
    send_command(e, 0x00, 0x20, 0x00, 0x80, e->credential.data, e->credential.len, 0);
}

static void command_sign(struct card_engine *e, const struct card_step *step)
{
    send_command(e, 0x80, 0x2A, 0x00, step->file == CARD_FILE_NONE ? 0x00 : 0x80, e->input,
                 e->input_len, APDU_SHORT_LE_MAX);
}

static void (*const commands[])(struct card_engine *e, const struct card_step *step) = {
    [CARD_STEP_READ] = command_read,
    [CARD_STEP_TRIES] = command_tries,
    [CARD_STEP_VERIFY] = command_verify,
    [CARD_STEP_SIGN] = command_sign,
};

/* -- the steps --------------------------------------------------------------------------------- */

static enum card_application application_of(const struct card_step *step)
{
    return step->file == CARD_FILE_NONE ? step->application
                                        : card_layout_file(step->file)->application;
}

static void step_done(struct card_engine *e, const struct card_outcome *outcome)
{
    enum card_end end = e->operation->steps[e->step].done(e, outcome);

    if (end != CARD_END_OK) {
        finish(e, end);
        return;
    }
    e->step++;
    advance(e);
}

/* Bring the chip to the next step: power, application, file, command, whichever is missing. */
static void advance(struct card_engine *e)
{
    const struct card_application_row *row;
    const struct card_step *step;

    while (e->step < e->operation->count && e->operation->steps[e->step].wanted != NULL &&
           !e->operation->steps[e->step].wanted(e))
        e->step++;
    if (e->step >= e->operation->count) {
        finish(e, CARD_END_OK);
        return;
    }
    step = &e->operation->steps[e->step];
    if (!e->powered) {
        e->phase = CARD_PHASE_POWER;
        e->waiting = true;
        e->channel->ops->power_on(e->channel, deadline(e, APDU_LONGEST_US), on_power_on, e);
    } else if (e->application != application_of(step)) {
        e->phase = CARD_PHASE_APPLICATION;
        e->file = CARD_FILE_NONE;
        row = card_layout_application(application_of(step));
        send_command(e, 0x00, 0xA4, 0x04, 0x0C, row->aid, row->aid_len, 0);
    } else if (step->file != CARD_FILE_NONE && e->file != step->file) {
        e->phase = CARD_PHASE_FILE;
        e->file_id[0] = (uint8_t)(card_layout_file(step->file)->id >> 8);
        e->file_id[1] = (uint8_t)card_layout_file(step->file)->id;
        send_command(e, 0x00, 0xA4, 0x02, 0x0C, e->file_id, sizeof(e->file_id), 0);
    } else {
        e->phase = CARD_PHASE_COMMAND;
        commands[step->kind](e, step);
    }
}

static void on_power_on(void *arg, enum card_link link, const uint8_t *data, size_t len)
{
    struct card_engine *e = arg;

    (void)data;
    (void)len;
    if (!e->waiting)
        return;
    e->powered = link == CARD_LINK_OK;
    e->application = CARD_AP_NONE;
    e->file = CARD_FILE_NONE;
    if (!ended_by_link(e, link))
        advance(e);
}

/* The length of the file, from its outer TLV. 0, -EAGAIN (not to be seen yet), -EBADMSG. */
static int find_total(const struct card_file_row *row, const struct secret *target, size_t *total)
{
    size_t header = 0;
    size_t value = 0;
    uint16_t tag = 0;
    int rc;

    for (size_t shift = 0; shift <= row->slack && shift < target->len; shift++) {
        rc = tlv_header(target->data + shift, target->len - shift, &tag, &header, &value);
        if (rc == -EAGAIN)
            return rc;
        if (rc < 0 || tag != row->outer)
            continue;
        *total = shift + header + value;
        return *total <= row->most ? 0 : -EBADMSG;
    }
    return -EBADMSG;
}

static void read_answered(struct card_engine *e, const struct card_step *step, uint16_t sw)
{
    const struct card_file_row *row = card_layout_file(step->file);
    struct secret *target = read_target(e, step->file);
    struct card_outcome outcome = {.selected = true, .sw = sw};
    bool more = sw == APDU_SW_OK && e->answer.len > 0;
    int rc = 0;

    /* An extended length that is not understood: the same again in short pieces. */
    if (!more && sw != SW_OFFSET_WRONG && sw != SW_END_REACHED &&
        e->command.expected > APDU_SHORT_LE_MAX) {
        e->no_extended = true;
        read_more(e, step->file);
        return;
    }
    if (e->answer.len > e->command.expected || e->answer.len > target->size - target->len) {
        finish(e, CARD_END_DAMAGED);
        return;
    }
    memcpy(target->data + target->len, e->answer.data, e->answer.len);
    target->len += e->answer.len;
    if (e->total == 0 && target->len > 0 && (more || sw == SW_END_REACHED))
        rc = find_total(row, target, &e->total);
    if (rc == -EBADMSG) {
        finish(e, CARD_END_DAMAGED);
        return;
    }
    if (more && (e->total == 0 || target->len < e->total)) {
        read_more(e, step->file);
        return;
    }
    /* What follows the TLV is filler. A file of fixed length may be shorter on some cards. */
    if (e->total > 0 && (target->len >= e->total || (row->fixed > 0 && target->len > 0))) {
        if (target->len > e->total)
            target->len = e->total;
        outcome.sw = APDU_SW_OK;
        outcome.data = target->data;
        outcome.len = target->len;
    } else if (sw == APDU_SW_OK) {
        outcome.sw = SW_END_REACHED;
    }
    step_done(e, &outcome);
}

static void command_answered(struct card_engine *e, const struct card_step *step, uint16_t sw)
{
    struct card_outcome outcome = {
        .selected = true, .sw = sw, .data = e->answer.data, .len = e->answer.len};

    if (step->kind == CARD_STEP_READ) {
        read_answered(e, step, sw);
        return;
    }
    if (step->kind == CARD_STEP_TRIES) {
        e->counted = step->file;
        e->key_state = card_engine_key_state(sw, &e->tries);
    }
    step_done(e, &outcome);
}

static void select_answered(struct card_engine *e, const struct card_step *step, uint16_t sw)
{
    struct card_outcome outcome = {.selected = false, .sw = sw};

    if (sw != APDU_SW_OK) {
        step_done(e, &outcome);
        return;
    }
    if (e->phase == CARD_PHASE_APPLICATION)
        e->application = application_of(step);
    else
        e->file = step->file;
    advance(e);
}

/* The rest of the answer waits in the card (61xx), or the length should have been another (6Cxx). */
static bool continued(struct card_engine *e, uint16_t sw)
{
    struct apdu_command more = {0x00, 0xC0, 0x00, 0x00, NULL, 0, 0};
    size_t announced = (sw & 0xFFu) == 0 ? APDU_SHORT_LE_MAX : sw & 0xFFu;

    if (sw >> 8 == SW_MORE && e->continued < CONTINUED_MOST) {
        e->continued++;
        more.expected = announced;
        transmit(e, &more);
        return true;
    }
    if (sw >> 8 == SW_LENGTH_IS && e->command.expected > 0 && !e->resent) {
        e->resent = true;
        e->command.expected = announced;
        transmit(e, &e->command);
        return true;
    }
    return false;
}

static void on_answer(void *arg, enum card_link link, const uint8_t *data, size_t len)
{
    struct card_engine *e = arg;
    const struct card_step *step;
    struct apdu_answer answer;

    if (!e->waiting || ended_by_link(e, link))
        return;
    if (apdu_answer(&answer, data, len) < 0) {
        finish(e, CARD_END_READER_PROTOCOL);
        return;
    }
    e->report.status_word = answer.sw;
    if (answer.len > e->answer.size - e->answer.len) {
        finish(e, CARD_END_DAMAGED);
        return;
    }
    if (answer.len > 0)
        memcpy(e->answer.data + e->answer.len, answer.data, answer.len);
    e->answer.len += answer.len;
    if (continued(e, answer.sw))
        return;
    step = &e->operation->steps[e->step];
    if (e->phase == CARD_PHASE_COMMAND)
        command_answered(e, step, answer.sw);
    else
        select_answered(e, step, answer.sw);
}
