/* Words of scripts about what is noted now and asked later: slips, disaster mode, who picks up. README.md lists them. */
#include "script.h"

#include "../../daemon/common/visit.h"
#include "../../daemon/desk/action.h"
#include "../../daemon/desk/disaster.h"
#include "../../daemon/desk/slip.h"

#include <stdlib.h>
#include <string.h>

static const char *const staff = "佐藤";

/* `closed`: the lane's last visit, which is over; `new`: nobody's yet; else the one at the lane. */
static uint64_t which(const struct script *s)
{
    const struct stage_lane *l = &s->stage->lanes[s->lane];

    if (script_has(s, "new"))
        return 0;
    return script_has(s, "closed") || s->lane == 0 ? l->item.visit : l->shown.visit;
}

static void put(char *field, size_t size, const struct script *s, const char *key,
                const char *fallback)
{
    message_text(field, size, script_option(s, key, fallback));
}
#define PUT(field, key, fallback) put(field, sizeof(field), s, key, fallback)

static bool do_slip(struct script *s)
{
    struct msg_slip_file m = {
        .request = 9, .visit = which(s), .lane = (uint16_t)s->lane, .surface = 'B'};
    bool numbers = script_has(s, "numbered");

    if (!script_has(s, "nobody"))
        message_text(m.staff, sizeof(m.staff), staff);
    m.kind = (uint8_t)(s->nwords > 1 ? visit_slip_kind_of(s->words[1]) : SLIP_NONE);
    PUT(m.name, "name", "架空　花子");
    PUT(m.birth, "birth", "19540707");
    PUT(m.sex, "sex", "2");
    PUT(m.address, "address", "架空県見本市1-2-3");
    PUT(m.phone, "phone", "000-0000-0000");
    PUT(m.insured, "insured", "架空　太郎");
    PUT(m.insurer, "insurer", numbers ? "06130017" : "");
    PUT(m.symbol, "symbol", numbers ? "試験" : "");
    PUT(m.number, "number", numbers ? "1001" : "");
    PUT(m.branch, "branch", numbers ? "01" : "");
    PUT(m.ratio, "ratio", "");
    PUT(m.valid_from, "from", "");
    PUT(m.valid_until, "until", "");
    PUT(m.note, "note", "");
    m.consent = (uint8_t)atoi(script_option(s, "consent", "0"));
    m.numbers_unknown = script_has(s, "unknown");
    slip_file(s->stage->desk, &m, &s->stage->result);
    return true;
}

static bool do_amend(struct script *s)
{
    struct msg_slip_amend m = {.request = 10, .visit = which(s), .surface = 'B'};

    message_text(m.staff, sizeof(m.staff), staff);
    m.what = script_has(s, "numbers")  ? SLIP_AMEND_NUMBERS
             : script_has(s, "settle") ? SLIP_AMEND_SETTLE
                                       : 0;
    PUT(m.insurer, "insurer", "06130017");
    PUT(m.symbol, "symbol", "試験");
    PUT(m.number, "number", "1001");
    PUT(m.branch, "branch", "01");
    PUT(m.birth, "birth", "");
    PUT(m.note, "note", "");
    slip_amend(s->stage->desk, &m, &s->stage->result);
    return true;
}

static bool do_late(struct script *s)
{
    static const char *const outcomes[] = {"answers", "not_sent", "doubtful", "refused"};
    const char *what = s->nwords > 1 ? s->words[1] : "";
    uint16_t failure = FAILURE_NONE;

    if (s->stage->late.request == 0)
        return script_bad(s, "nothing was asked later", what);
    if (strcmp(what, "answers") == 0 && s->nwords > 2)
        return stage_answer_late(s->stage, s->words[2], script_option(s, "about", "")) ||
               script_bad(s, "answer", s->words[2]);
    for (uint8_t i = 1; i < 4; i++)
        if (strcmp(what, outcomes[i]) == 0) {
            if (s->nwords > 2 && !script_failure(s, s->words[2], &failure))
                return false;
            stage_no_answer_late(s->stage, i, failure);
            return true;
        }
    return script_bad(s, "late", what);
}

static bool do_disaster(struct script *s)
{
    struct msg_disaster_set m = {.request = 11, .surface = 'B'};

    message_text(m.staff, sizeof(m.staff), staff);
    m.cause = script_has(s, "ministry") ? DISASTER_MINISTRY
              : script_has(s, "outage") ? DISASTER_OUTAGE
                                        : DISASTER_OFF;
    PUT(m.word, "word", m.cause != DISASTER_OFF ? "厚生労働省事務連絡" : "");
    m.until = (int64_t)((clock_realtime_us(s->stage->clock) +
                         script_span_us(script_option(s, "for", "2h"))) /
                        CLOCK_SECOND);
    disaster_set(s->stage->desk, &m, &s->stage->result);
    return true;
}

static bool do_pick_up(struct script *s)
{
    struct msg_pick_up m = {
        .request = 12, .visit = which(s), .lane = (uint16_t)s->lane, .surface = 'B'};

    message_text(m.staff, sizeof(m.staff), staff);
    PUT(m.name, "name", "架空　一郎");
    PUT(m.relation, "relation", "子");
    action_proxy(s->stage->desk, &m, &s->stage->result);
    return true;
}

int words_run(struct script *s)
{
    static const struct {
        const char *word;
        bool (*run)(struct script *s);
    } words[] = {{"slip", do_slip},
                 {"amend", do_amend},
                 {"late", do_late},
                 {"disaster", do_disaster},
                 {"pick_up", do_pick_up}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, s->words[0]) == 0)
            return words[i].run(s);
    return books_run(s);
}

static const char *failure_name(uint16_t failure)
{
    return failure == FAILURE_NONE ? "none" : failure_text(failure)->name;
}

int words_expect(struct script *s)
{
    const char *what = s->words[1];
    const char *arg = s->nwords > 2 ? s->words[2] : "";
    const struct msg_slip_item *slip = &s->stage->slip;
    const struct stage_lane *l = &s->stage->lanes[s->lane];

    if (strcmp(what, "slip") == 0)
        return script_name(s, what, visit_slip_state_name(slip->state), arg);
    if (strcmp(what, "slip_kind") == 0)
        return script_name(s, what, visit_slip_kind_name(slip->kind), arg);
    if (strcmp(what, "slip_failure") == 0)
        return script_name(s, what, failure_name(slip->failure), arg);
    if (strcmp(what, "slip_number") == 0)
        return script_name(s, what, slip->number, arg);
    if (strcmp(what, "slip_insurer") == 0)
        return script_name(s, what, slip->insurer, arg);
    if (strcmp(what, "slip_date") == 0)
        return script_name(s, what, slip->date, arg);
    if (strcmp(what, "different") == 0)
        return script_name(s, what, slip->different[0] != '\0' ? slip->different : "-", arg);
    if (strcmp(what, "slips") == 0)
        return script_number(s, what, fake_store_slips(s->stage->store, -1), arg);
    if (strcmp(what, "asked_later") == 0)
        return script_number(s, what, s->stage->late.request != 0, arg);
    if (strcmp(what, "disaster") == 0)
        return script_number(s, what, s->stage->disaster.cause, arg);
    if (strcmp(what, "proxy") == 0)
        return script_name(s, what, l->item.proxy[0] != '\0' ? l->item.proxy : "-", arg);
    if (strcmp(what, "relation") == 0)
        return script_name(s, what, l->item.relation, arg);
    if (strcmp(what, "ratio") == 0)
        return script_name(s, what, l->item.ratio[0] != '\0' ? l->item.ratio : "-", arg);
    return books_expect(s);
}
