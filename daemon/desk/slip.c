#include "slip.h"

#include "action.h"
#include "ask.h"
#include "disaster.h"
#include "lane.h"
#include "numbers.h"
#include "reconcile.h"
#include "slip_fields.h"
#include "visit.h"

#include "../common/xmlmsg.h"

#include <errno.h>
#include <string.h>

/* A visit that ended so ended for want of an answer, which may still be had. */
static const uint16_t wants_of_an_answer[] = {
    FAILURE_ELIGIBILITY_UNREACHABLE, FAILURE_ELIGIBILITY_SLOW,       FAILURE_ELIGIBILITY_REFUSED,
    FAILURE_ELIGIBILITY_GARBLED,     FAILURE_ELIGIBILITY_LAST_KNOWN, FAILURE_ELIGIBILITY_CANNOT_ASK,
};

bool slip_may_follow(const struct store_visit *record)
{
    return record->outcome == OUTCOME_UNKNOWN || record->outcome == OUTCOME_LAST_KNOWN ||
           record->outcome == OUTCOME_STAFF;
}

/* ---- whose numbers --------------------------------------------------------------------------- */

/* A usable answer names the entitlement it is about: what a look-up would be keyed in with. */
static bool numbers_of_stored(const struct store_answer *answer, const char *today,
                              struct store_numbers *out)
{
    struct xmlmsg *tree;
    bool good = xmlmsg_unpack(&tree, answer->tree, answer->tree_len) == 0 &&
                numbers_of_answer(tree, today, out);

    xmlmsg_free(&tree);
    return good;
}

bool slip_find_numbers(struct desk *desk, const struct store_visit *record,
                       struct store_numbers *out)
{
    struct store_answer answer = {0};
    uint8_t subject[32];
    char today[9];
    bool good = false;

    ask_lookup_subject(record->id, subject);
    if (store_link_get(desk->store, subject, out) == 0)
        return true;
    if (!record->has_subject)
        return false;
    if (store_link_get(desk->store, record->subject, out) == 0)
        return true;
    desk_today(desk, today);
    if (store_answer_last(desk->store,
                          (struct store_subject){record->subject, sizeof(record->subject)},
                          desk->settings.institution, today, &answer) == 0)
        good = numbers_of_stored(&answer, today, out);
    store_answer_free(&answer);
    return good;
}

/* ---- inside a step --------------------------------------------------------------------------- */

static void fill(char *field, size_t size, const char *text)
{
    if (field[0] == '\0')
        (void)message_text(field, size, text);
}

int slip_keep(struct desk *desk, struct store_visit *record, const struct store_slip *slip)
{
    struct store_slip row = *slip;
    int r;

    row.visit = record->id;
    row.lane = record->lane;
    row.filed_us = (int64_t)desk_wall_us(desk);
    desk_day(record->opened_us, row.date);
    if (row.state == SLIP_STATE_NUMBERS && row.numbers.insurer[0] == '\0' &&
        slip_find_numbers(desk, record, &row.numbers)) {
        row.numbers_known = 1;
        row.state = SLIP_STATE_WAITING;
        row.failure = FAILURE_NONE;
    }
    r = store_slip_put(desk->store, &row);
    record->flags |= VISIT_FLAG_SLIP;
    if (record->method == METHOD_NONE)
        record->method =
            row.kind == SLIP_CERTIFICATE || row.kind == SLIP_STATEMENT ? METHOD_PAPER : METHOD_SLIP;
    fill(record->person.name, sizeof(record->person.name), row.name);
    fill(record->person.kana, sizeof(record->person.kana), row.kana);
    fill(record->person.birth, sizeof(record->person.birth), row.birth);
    fill(record->person.sex, sizeof(record->person.sex), row.sex);
    fill(record->ratio, sizeof(record->ratio), row.ratio);
    if (row.staff[0] != '\0')
        (void)MESSAGE_TEXT(record->staff, row.staff);
    explicit_bzero(&row, sizeof(row));
    if (r == 0)
        desk->metrics.slips_filed++;
    return r;
}

int slip_queue(struct visit *v)
{
    struct store_slip slip = {.kind = SLIP_QUEUED, .state = SLIP_STATE_WAITING, .numbers_known = 1};
    struct store_visit *record = &v->record;
    bool wants = false;
    int r = 0;

    for (size_t i = 0; i < sizeof(wants_of_an_answer) / sizeof(wants_of_an_answer[0]); i++)
        wants = wants || record->failure == wants_of_an_answer[i];
    if (!wants || (record->outcome != OUTCOME_UNKNOWN && record->outcome != OUTCOME_LAST_KNOWN) ||
        record->method == METHOD_NONE || (record->flags & VISIT_FLAG_SLIP) != 0 ||
        v->desk->clock_doubtful)
        return 0;
    if (slip_find_numbers(v->desk, record, &slip.numbers)) {
        (void)MESSAGE_TEXT(slip.name, record->person.name);
        (void)MESSAGE_TEXT(slip.birth, record->person.birth);
        (void)MESSAGE_TEXT(slip.sex, record->person.sex);
        (void)MESSAGE_TEXT(slip.ratio, record->ratio);
        r = slip_keep(v->desk, record, &slip);
    }
    explicit_bzero(&slip, sizeof(slip));
    return r;
}

/* ---- showing --------------------------------------------------------------------------------- */

void slip_item(const struct store_slip *slip, uint32_t request, struct msg_slip_item *out)
{
    memset(out, 0, sizeof(*out));
    out->request = request;
    out->visit = slip->visit;
    out->lane = slip->lane;
    out->kind = slip->kind;
    out->state = slip->state;
    out->failure = slip->failure;
    out->consent = slip->consent;
    out->tries = slip->tries;
    out->filed = slip->filed_us / 1000000;
    out->asked = slip->asked_us / 1000000;
    out->ended = slip->ended_us / 1000000;
    (void)MESSAGE_TEXT(out->date, slip->date);
    (void)MESSAGE_TEXT(out->name, slip->name);
    (void)MESSAGE_TEXT(out->kana, slip->kana);
    (void)MESSAGE_TEXT(out->birth, slip->birth);
    (void)MESSAGE_TEXT(out->sex, slip->sex);
    (void)MESSAGE_TEXT(out->address, slip->address);
    (void)MESSAGE_TEXT(out->phone, slip->phone);
    (void)MESSAGE_TEXT(out->insured, slip->insured);
    (void)MESSAGE_TEXT(out->insurer, slip->numbers.insurer);
    (void)MESSAGE_TEXT(out->symbol, slip->numbers.symbol);
    (void)MESSAGE_TEXT(out->number, slip->numbers.number);
    (void)MESSAGE_TEXT(out->branch, slip->numbers.branch);
    (void)MESSAGE_TEXT(out->ratio, slip->ratio);
    (void)MESSAGE_TEXT(out->valid_from, slip->valid_from);
    (void)MESSAGE_TEXT(out->valid_until, slip->valid_until);
    (void)MESSAGE_TEXT(out->note, slip->note);
    (void)MESSAGE_TEXT(out->different, slip->different);
    (void)MESSAGE_TEXT(out->staff, slip->staff);
    (void)MESSAGE_TEXT(out->ended_by, slip->ended_by);
}

void slip_publish(struct desk *desk, uint64_t visit)
{
    struct store_slip slip;
    struct msg_slip_item item;

    if (store_slip_load(desk->store, visit, &slip) < 0)
        return;
    slip_item(&slip, 0, &item);
    desk->ports.slip_changed(desk->ports.arg, &item);
    explicit_bzero(&slip, sizeof(slip));
    explicit_bzero(&item, sizeof(item));
    reconcile_wake(desk, false);
}

/* ---- staff ----------------------------------------------------------------------------------- */

/* The visit is over and had no answer: its slip is filed now, and its outcome is open again. */
static int file_after(struct desk *desk, struct store_visit *record, const struct store_slip *slip,
                      uint16_t notice)
{
    struct msg_visit_item item;
    int r = store_begin(desk->store);

    if (r == 0)
        r = slip_keep(desk, record, slip);
    record->outcome = OUTCOME_PENDING;
    record->failure = notice;
    if (r == 0)
        r = store_visit_save(desk->store, record);
    if (r == 0)
        r = store_audit(desk->store, "slip", record->id, record->lane, slip->staff,
                        visit_slip_kind_name(slip->kind));
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        return r;
    }
    visit_item(record, 0, &item);
    desk->ports.visit_changed(desk->ports.arg, &item);
    explicit_bzero(&item, sizeof(item));
    slip_publish(desk, record->id);
    return 0;
}

/* What is known of the visit that the slip is about; id 0: none yet, it is somebody without a card.
 */
static int about(struct desk *desk, const struct msg_slip_file *entry, struct visit **open,
                 struct store_visit *record)
{
    int r = 0;

    *open = desk_visit(desk, entry->visit);
    memset(record, 0, sizeof(*record));
    if (*open != NULL)
        *record = (*open)->record;
    else if (entry->visit != 0)
        r = store_visit_load(desk->store, entry->visit, record);
    else
        record->opened_us = (int64_t)clock_realtime_us(desk->clock);
    if (r == 0 && entry->visit != 0 && *open == NULL && !slip_may_follow(record))
        r = -ENOENT;
    return r;
}

void slip_file(struct desk *desk, const struct msg_slip_file *entry, struct msg_action_result *out)
{
    struct store_visit record;
    struct store_slip slip;
    struct desk_event e = {
        .kind = EVENT_SLIP, .fd = -1, .staff = entry->staff, .slip = &slip, .lane = entry->lane};
    struct visit *open;
    const char *wrong;
    char day[9];
    int r;

    memset(out, 0, sizeof(*out));
    out->request = entry->request;
    out->visit = entry->visit;
    if ((entry->surface != 'B' && entry->surface != 'C') || entry->staff[0] == '\0') {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    if (!desk_check_clock(desk)) {
        action_refuse(desk, out, FAILURE_DESK_CLOCK);
        return;
    }
    if (entry->kind == SLIP_DISASTER && !disaster_on(desk)) {
        action_refuse(desk, out, FAILURE_VISIT_DISASTER_OFF);
        return;
    }
    r = about(desk, entry, &open, &record);
    desk_day(record.opened_us, day);
    if (r == 0) {
        wrong = slip_fields_check(entry, &record.person, day, &slip);
        if (wrong != NULL) {
            action_refuse(desk, out, numbers_failure(wrong, entry->insurer, FAILURE_SLIP_FORMAT));
            (void)MESSAGE_TEXT(out->field, wrong);
            goto wipe;
        }
        e.failure = slip_fields_notice(entry->kind);
        if (open != NULL)
            r = visit_event(open, &e);
        else if (entry->visit != 0)
            r = file_after(desk, &record, &slip, e.failure);
        else
            r = action_open(desk, &e, &out->visit);
    }
    action_end(desk, out, r);
wipe:
    explicit_bzero(&slip, sizeof(slip));
    explicit_bzero(&record, sizeof(record));
}

/* The visit may be over, or its result may still stand at a lane (`open`): then the engine's own
 * record changes with the row, so that its end stores the same. */
static int settle(struct desk *desk, struct visit *open, struct store_slip *slip,
                  const struct msg_slip_amend *entry)
{
    struct store_visit record = {0};
    struct msg_visit_item item;
    int r = store_begin(desk->store);

    slip->state = SLIP_STATE_SETTLED;
    slip->failure = FAILURE_NONE;
    slip->ended_us = (int64_t)desk_wall_us(desk);
    (void)MESSAGE_TEXT(slip->ended_by, entry->staff);
    (void)MESSAGE_TEXT(slip->note, entry->note);
    if (r == 0 && open != NULL)
        record = open->record;
    else if (r == 0)
        r = store_visit_load(desk->store, slip->visit, &record);
    if (r == 0)
        r = store_slip_put(desk->store, slip);
    if (r == 0) {
        if (record.outcome == OUTCOME_PENDING)
            record.outcome = OUTCOME_STAFF;
        (void)MESSAGE_TEXT(record.staff, entry->staff);
        r = store_visit_save(desk->store, &record);
    }
    if (r == 0)
        r = store_audit(desk->store, "slip_settled", slip->visit, slip->lane, entry->staff, "");
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        explicit_bzero(&record, sizeof(record));
        return r;
    }
    if (open != NULL) {
        open->record = record;
        if (open->lane != NULL)
            lane_publish(open->lane, false);
    }
    visit_item(&record, 0, &item);
    desk->ports.visit_changed(desk->ports.arg, &item);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
    return 0;
}

static int renumber(struct desk *desk, struct store_slip *slip, const struct store_numbers *numbers,
                    const char *staff)
{
    int r = store_begin(desk->store);

    slip->numbers = *numbers;
    slip->numbers_known = 1;
    slip->state = SLIP_STATE_WAITING;
    slip->failure = FAILURE_NONE;
    slip->asked_us = 0;
    if (slip->birth[0] == '\0')
        (void)MESSAGE_TEXT(slip->birth, numbers->birth);
    if (r == 0)
        r = store_slip_put(desk->store, slip);
    if (r == 0)
        r = store_audit(desk->store, "slip_numbers", slip->visit, slip->lane, staff, "");
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

/* Numbers are the patient's own, so their birth date is the slip's, once that is known. */
static const char *amend_numbers(const struct msg_slip_amend *entry, const struct store_slip *slip,
                                 struct store_numbers *out)
{
    struct numbers_entry numbers = {entry->insurer, entry->symbol, entry->number, entry->branch,
                                    entry->birth[0] != '\0' ? entry->birth : slip->birth};
    const char *wrong = numbers_check(&numbers, slip->date, out);

    if (wrong == NULL && slip->birth[0] != '\0' && strcmp(slip->birth, out->birth) != 0)
        return "birth";
    return wrong;
}

void slip_amend(struct desk *desk, const struct msg_slip_amend *entry,
                struct msg_action_result *out)
{
    struct store_slip slip;
    struct store_numbers numbers;
    const char *wrong = NULL;
    int r;

    memset(out, 0, sizeof(*out));
    out->request = entry->request;
    out->visit = entry->visit;
    if ((entry->surface != 'B' && entry->surface != 'C') || entry->staff[0] == '\0') {
        action_refuse(desk, out, FAILURE_DESK_OUT_OF_TURN);
        return;
    }
    r = store_slip_load(desk->store, entry->visit, &slip);
    /* What is over stays; while it is being asked about it is not touched. */
    if (r == 0 && slip.ended_us != 0)
        r = -ENOENT;
    else if (r == 0 && reconcile_asks(desk, entry->visit))
        r = -EAGAIN;
    if (r == 0 && entry->what == SLIP_AMEND_NUMBERS)
        wrong = amend_numbers(entry, &slip, &numbers);
    else if (r == 0 && entry->what == SLIP_AMEND_SETTLE)
        wrong = entry->note[strspn(entry->note, " ")] == '\0' ? "note" : NULL;
    else if (r == 0)
        wrong = "what";
    if (wrong != NULL) {
        action_refuse(desk, out, numbers_failure(wrong, entry->insurer, FAILURE_SLIP_FORMAT));
        (void)MESSAGE_TEXT(out->field, wrong);
        goto wipe;
    }
    if (r == 0)
        r = entry->what == SLIP_AMEND_NUMBERS
                ? renumber(desk, &slip, &numbers, entry->staff)
                : settle(desk, desk_visit(desk, entry->visit), &slip, entry);
    if (r == 0)
        slip_publish(desk, entry->visit);
    action_end(desk, out, r);
wipe:
    explicit_bzero(&slip, sizeof(slip));
    explicit_bzero(&numbers, sizeof(numbers));
}
