#include "walk.h"

#include "stage.h"

#include "../../daemon/desk/action.h"
#include "../../daemon/desk/disaster.h"
#include "../../daemon/desk/slip.h"
#include "../../daemon/desk/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8

struct walk {
    struct stage *stage;
    uint64_t random;
    unsigned lane;
    uint64_t restarts, refusals, slips, late;
};

/* splitmix64 (Steele, Lea, Flood 2014): a whole period from any seed. */
static uint64_t next(struct walk *w)
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned pick(struct walk *w, unsigned n)
{
    return (unsigned)(next(w) % n);
}

static const char *const cards[] = {"", "", "franck", "hanako", "jiro", "suica"};

static void card(struct walk *w)
{
    stage_card(w->stage, w->lane, cards[pick(w, sizeof(cards) / sizeof(cards[0]))]);
}

static void fail_card(struct walk *w)
{
    /* Any code at all: the reader may say what it likes, the desk must stay sound. */
    const uint16_t failure = (uint16_t)(1 + pick(w, FAILURE_COUNT - 1));
    const uint8_t tries = (uint8_t)(pick(w, 4) == 0 ? 255 : pick(w, 11));

    if (pick(w, 4) != 0 || !stage_card_failed_before(w->stage, w->lane, failure, tries))
        stage_card_failed(w->stage, w->lane, failure, tries);
}

static void reader(struct walk *w)
{
    struct stage_lane *l = &w->stage->lanes[w->lane];
    static const int ends[] = {-1, 10, 0, 0, 0, 0, 0, 0, 0}; /* days */
    static const uint8_t pin_tries[] = {0, 1, 2, 3, VISIT_TRIES_NO_KEY, VISIT_TRIES_UNKNOWN};
    struct stage_identified identified = {
        pin_tries[pick(w, sizeof(pin_tries))], (uint8_t)pick(w, 11),
        pick(w, 20) == 0 ? GENUINE_NO : GENUINE_YES, ends[pick(w, 9)]};
    struct stage_photo photo = {pick(w, 9) == 0 ? (uint8_t)pick(w, 3) : GENUINE_YES,
                                pick(w, 9) == 0 ? (uint8_t)pick(w, 3) : GENUINE_YES, "19540707",
                                "2"};

    if (l->asked_reader == 0 || !l->reader_up || l->card[0] == '\0')
        return;
    if (pick(w, 6) == 0)
        fail_card(w);
    else if (l->asked_reader == MSG_CARD_IDENTIFY)
        stage_identified(w->stage, w->lane, &identified);
    else if (l->asked_reader == MSG_CARD_PHOTO)
        stage_photo(w->stage, w->lane, &photo);
    else
        stage_signed(w->stage, w->lane);
}

static void hardware(struct walk *w)
{
    switch (pick(w, 6)) {
    case 0:
        stage_reader_state(w->stage, w->lane, FAILURE_READER_LOST, FAILURE_CAMERA_ABSENT);
        break;
    case 1:
        stage_reader_state(w->stage, w->lane, FAILURE_NONE, FAILURE_CAMERA_SILENT);
        break;
    case 2:
        stage_camera_failed(w->stage, w->lane, FAILURE_CAMERA_FROZEN);
        break;
    case 3:
        stage_reader_program(w->stage, w->lane, false);
        break;
    default:
        stage_reader_program(w->stage, w->lane, true);
        stage_reader_state(w->stage, w->lane, FAILURE_NONE, FAILURE_NONE);
        break;
    }
}

static void face(struct walk *w)
{
    static const uint8_t decisions[] = {0, 0, 0, 1, 1, 1, 2, 3};

    if (!w->stage->matcher_up)
        return;
    if (pick(w, 12) == 0)
        stage_match_failed(w->stage, w->lane, FAILURE_FACE_PHOTO_UNREADABLE);
    else if (pick(w, 2) == 0)
        stage_match_ready(w->stage, w->lane);
    else
        stage_match_result(w->stage, w->lane, decisions[pick(w, 8)], FAILURE_FACE_TOO_DARK);
    if (w->stage->lanes[w->lane].filming && w->stage->lanes[w->lane].reader_up)
        stage_frame(w->stage, w->lane);
    if (w->stage->ocr_up && pick(w, 3) == 0 &&
        w->stage->lanes[w->lane].shown.state == VISIT_SHOW_CARD)
        stage_ocr_result(w->stage, w->lane, pick(w, 2) == 0, FAILURE_NONE);
}

static void relay(struct walk *w)
{
    static const char *const kinds[] = {"valid",
                                        "valid",
                                        "valid",
                                        "notice",
                                        "lost",
                                        "none",
                                        "several",
                                        "segment9",
                                        "status2",
                                        "pending",
                                        "not_registered",
                                        "registered",
                                        "register_refused",
                                        "other_birth",
                                        "garbled"};
    unsigned lane = pick(w, 5) == 0 ? 0 : w->lane;

    if (w->stage->lanes[lane].ask.request == 0 || !w->stage->relay_up)
        return;
    if (pick(w, 5) == 0)
        stage_no_answer(w->stage, lane, (uint8_t)(1 + pick(w, 3)), FAILURE_ELIGIBILITY_UNREACHABLE);
    else
        (void)stage_answer(w->stage, lane, kinds[pick(w, sizeof(kinds) / sizeof(kinds[0]))]);
}

static void act(struct walk *w)
{
    const struct msg_lane_state *shown = &w->stage->lanes[w->lane].shown;
    struct stage_act a = {.surface = "KKKB"[pick(w, 4)], .consents = pick(w, 64)};

    /* Mostly what is on offer, now and then anything, by anybody, out of date. */
    a.action = 1 + pick(w, VISIT_ACTION_COUNT - 1);
    for (unsigned i = 0; pick(w, 10) != 0 && i < 40; i++) {
        if ((shown->offers & VISIT_OFFER(a.action)) != 0)
            break;
        a.action = 1 + pick(w, VISIT_ACTION_COUNT - 1);
    }
    if (pick(w, 10) != 0)
        a.surface = strchr(visit_action_who(a.action), 'K') != NULL ? 'K' : 'B';
    a.stale = pick(w, 30) == 0;
    a.empty = pick(w, 30) == 0;
    a.nobody = pick(w, 30) == 0;
    stage_act(w->stage, w->lane, &a);
    w->refusals += !w->stage->result.accepted;
}

static void look_up(struct walk *w)
{
    struct stage_lookup lookup = {"06130017",        "試験", "1001", "01", "19540707", 0,
                                  (uint16_t)w->lane, false};

    if (pick(w, 2) == 0)
        lookup.visit = w->stage->lanes[w->lane].shown.visit;
    if (pick(w, 5) == 0)
        lookup.birth = "19540230";
    stage_look_up(w->stage, &lookup);
}

/* Slips of every kind, for the visit at the lane, the last one there, or nobody's; now and then half filled in. */
static void slip(struct walk *w)
{
    const struct stage_lane *l = &w->stage->lanes[w->lane];
    struct msg_slip_file m = {.request = 9,
                              .lane = (uint16_t)w->lane,
                              .surface = 'B',
                              .kind = (uint8_t)pick(w, SLIP_KIND_COUNT)};
    bool numbers = pick(w, 2) == 0;

    m.visit = pick(w, 4) == 0 ? 0 : pick(w, 3) == 0 ? l->item.visit : l->shown.visit;
    MESSAGE_TEXT(m.staff, pick(w, 30) == 0 ? "" : "佐藤");
    MESSAGE_TEXT(m.name, "架空　花子");
    MESSAGE_TEXT(m.birth, m.kind == SLIP_NEWBORN ? "20260920" : "19540707");
    MESSAGE_TEXT(m.sex, "2");
    MESSAGE_TEXT(m.address, pick(w, 8) == 0 ? "" : "架空県");
    MESSAGE_TEXT(m.phone, "000");
    MESSAGE_TEXT(m.insured, "架空　太郎");
    MESSAGE_TEXT(m.insurer, numbers ? "06130017" : "");
    MESSAGE_TEXT(m.number, numbers ? "1001" : "");
    m.numbers_unknown = pick(w, 6) == 0;
    MESSAGE_TEXT(m.ratio, "020");
    MESSAGE_TEXT(m.valid_from, "20260801");
    MESSAGE_TEXT(m.valid_until, "20270731");
    m.consent = (uint8_t)pick(w, 4);
    slip_file(w->stage->desk, &m, &w->stage->result);
    w->slips += w->stage->result.accepted;
    w->refusals += !w->stage->result.accepted;
}

static void amend(struct walk *w)
{
    size_t n = fake_store_slips(w->stage->store, -1);
    struct msg_slip_amend m = {.request = 10, .surface = 'B', .what = (uint8_t)pick(w, 4)};

    if (n == 0)
        return;
    m.visit = fake_store_slip(w->stage->store, pick(w, (unsigned)n))->visit;
    MESSAGE_TEXT(m.staff, "佐藤");
    MESSAGE_TEXT(m.insurer, "06130017");
    MESSAGE_TEXT(m.number, "1001");
    MESSAGE_TEXT(m.birth, pick(w, 4) == 0 ? "19540707" : "");
    MESSAGE_TEXT(m.note, pick(w, 4) == 0 ? "" : "電話で確認");
    slip_amend(w->stage->desk, &m, &w->stage->result);
}

static void late(struct walk *w)
{
    static const char *const kinds[] = {"valid",   "valid",    "ratio_30", "lost",   "none",
                                        "several", "segment9", "pending",  "garbled"};

    if (w->stage->late.request == 0 || !w->stage->relay_up)
        return;
    w->late++;
    if (pick(w, 4) == 0)
        stage_no_answer_late(w->stage, (uint8_t)(1 + pick(w, 3)), FAILURE_ELIGIBILITY_UNREACHABLE);
    else
        (void)stage_answer_late(w->stage, kinds[pick(w, sizeof(kinds) / sizeof(kinds[0]))], "");
}

static void disaster(struct walk *w)
{
    struct msg_disaster_set m = {.request = 11, .surface = 'B', .cause = (uint8_t)pick(w, 4)};

    MESSAGE_TEXT(m.staff, "佐藤");
    MESSAGE_TEXT(m.word, pick(w, 6) == 0 ? "" : "事務連絡");
    m.until =
        (int64_t)(clock_realtime_us(w->stage->clock) / CLOCK_SECOND) + (int64_t)pick(w, 7200) - 600;
    disaster_set(w->stage->desk, &m, &w->stage->result);
}

static void pick_up(struct walk *w)
{
    const struct stage_lane *l = &w->stage->lanes[w->lane];
    struct msg_pick_up m = {
        .request = 12, .visit = pick(w, 3) == 0 ? l->item.visit : l->shown.visit, .surface = 'B'};

    MESSAGE_TEXT(m.staff, "佐藤");
    MESSAGE_TEXT(m.name, pick(w, 8) == 0 ? " " : "架空　一郎");
    MESSAGE_TEXT(m.relation, "子");
    action_proxy(w->stage->desk, &m, &w->stage->result);
}

static void programs(struct walk *w)
{
    bool up = pick(w, 3) != 0;

    switch (pick(w, 4)) {
    case 0:
        stage_matcher_program(w->stage, up);
        break;
    case 1:
        stage_ocr_program(w->stage, up);
        break;
    case 2:
        stage_relay_program(w->stage, up);
        break;
    default:
        /* A desk whose store refuses at its very start ends, and the supervisor starts it again. */
        fake_store_break(w->stage->store, false);
        fake_store_fail_at(w->stage->store, 0);
        w->stage->settings.institution_kind =
            pick(w, 2) == 0 ? INSTITUTION_PHARMACY : INSTITUTION_CLINIC;
        stage_restart(w->stage);
        w->restarts++;
        break;
    }
}

static void store(struct walk *w)
{
    switch (pick(w, 4)) {
    case 0:
        fake_store_break(w->stage->store, true);
        break;
    case 1:
        fake_store_fail_at(w->stage->store, 1 + pick(w, 8));
        break;
    default:
        fake_store_break(w->stage->store, false);
        break;
    }
}

static void wait(struct walk *w)
{
    static const uint64_t spans[] = {10, 10, 100, 1000, 1000, 5000, 15000, 61000, 301000};

    stage_advance(w->stage, spans[pick(w, 9)] * CLOCK_MS);
}

static void step(struct walk *w)
{
    static const struct {
        unsigned weight;
        void (*run)(struct walk *w);
    } steps[] = {{12, card}, {30, reader}, {2, hardware}, {14, face},    {20, relay},
                 {40, act},  {2, look_up}, {1, programs}, {2, store},    {6, wait},
                 {3, slip},  {1, amend},   {6, late},     {1, disaster}, {1, pick_up}};
    unsigned all = 0, at;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        all += steps[i].weight;
    w->lane = 1 + pick(w, LANES);
    at = pick(w, all);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (at < steps[i].weight) {
            steps[i].run(w);
            return;
        }
        at -= steps[i].weight;
    }
}

/* Everything works again and everybody takes the card: every visit must come to its end by itself. */
static void go_home(struct walk *w)
{
    fake_store_break(w->stage->store, false);
    fake_store_fail_at(w->stage->store, 0);
    stage_matcher_program(w->stage, true);
    stage_relay_program(w->stage, true);
    for (unsigned lane = 1; lane <= LANES; lane++) {
        stage_reader_program(w->stage, lane, true);
        stage_card(w->stage, lane, "");
        stage_reader_state(w->stage, lane, FAILURE_NONE, FAILURE_NONE);
    }
    stage_advance(w->stage, 30 * CLOCK_MINUTE);
    /* The service is back for good: it answers whatever is asked, until nothing is. */
    for (unsigned quiet = 0; quiet < 30 && w->stage->broken[0] == '\0'; quiet++) {
        if (w->stage->late.request != 0) {
            (void)stage_answer_late(w->stage, "valid", "");
            quiet = 0;
        }
        stage_advance(w->stage, 5 * CLOCK_SECOND);
    }
}

/* Visit and slip say the same, and nothing is left that the desk could still ask. */
static bool slips_agree(struct stage *stage)
{
    bool good = true;

    for (size_t i = 0; i < fake_store_slips(stage->store, -1); i++) {
        const struct store_slip *slip = fake_store_slip(stage->store, i);
        const struct store_visit *v = fake_store_visit(stage->store, slip->visit);
        bool settled = slip->state == SLIP_STATE_RECONCILED || slip->state == SLIP_STATE_DIFFERENT;
        bool answered =
            v != NULL && (v->flags & (VISIT_FLAG_RECONCILED | VISIT_FLAG_DIFFERENT)) != 0;

        if (v == NULL || (v->flags & VISIT_FLAG_SLIP) == 0 || slip->state == SLIP_STATE_WAITING ||
            settled != answered ||
            (settled && v->outcome != OUTCOME_ELIGIBLE && v->outcome != OUTCOME_NOT_ELIGIBLE) ||
            (slip->ended_us != 0) != (settled || slip->state == SLIP_STATE_SETTLED) ||
            (slip->state == SLIP_STATE_WAITING && slip->numbers_known == 0)) {
            printf("walk: slip of visit %llu is %s, the visit %s\n",
                   (unsigned long long)slip->visit, visit_slip_state_name(slip->state),
                   v != NULL ? visit_outcome_name(v->outcome) : "not there");
            good = false;
        }
    }
    for (uint64_t id = 1; id <= fake_store_visits(stage->store); id++) {
        const struct store_visit *v = fake_store_visit(stage->store, id);
        struct store_slip slip;

        /* A pending visit waits for somebody, and its slip says for whom. */
        if (v->outcome == OUTCOME_PENDING &&
            (store_slip_load(stage->store, id, &slip) != 0 || slip.ended_us != 0)) {
            printf("walk: visit %llu is pending without an open slip\n", (unsigned long long)id);
            good = false;
        }
        /* The audit log has one row for each time a visit was written, no more and no fewer. */
        if (fake_store_audits_of_saves(stage->store, id) != v->step - 1) {
            printf("walk: visit %llu was written %u times, the audit log says %zu\n",
                   (unsigned long long)id, (unsigned)v->step - 1,
                   fake_store_audits_of_saves(stage->store, id));
            good = false;
        }
    }
    return good;
}

/* In the audit log each step of a visit begins where the one before it ended. */
static bool steps_follow(const struct stage *stage)
{
    const size_t n = fake_store_audits(stage->store);
    char(*stands)[24] = calloc(fake_store_visits(stage->store) + 1, sizeof(*stands));
    bool good = stands != NULL;

    for (size_t i = 0; good && i < n; i++) {
        const char *who, *detail, *arrow, *to;
        uint64_t visit;
        const char *event = fake_store_audit(stage->store, i, &visit, &who, &detail);

        arrow = strchr(detail, '>');
        to = arrow != NULL ? arrow + 1 : strcmp(event, "stored_late") == 0 ? detail : NULL;
        if (to == NULL || visit > fake_store_visits(stage->store))
            continue;
        if (arrow != NULL && strncmp(detail, stands[visit][0] != '\0' ? stands[visit] : "idle",
                                     (size_t)(arrow - detail)) != 0) {
            printf("walk: visit %llu steps %s, but stood in %s\n", (unsigned long long)visit,
                   detail, stands[visit]);
            good = false;
        }
        (void)snprintf(stands[visit], sizeof(stands[visit]), "%s", to);
    }
    free(stands);
    return good;
}

static bool agree(struct walk *w)
{
    struct stage *stage = w->stage;
    bool good = slips_agree(stage) && steps_follow(stage);

    if (fake_store_open_visits(stage->store) != 0) {
        printf("walk: %zu visits never ended\n", fake_store_open_visits(stage->store));
        good = false;
    }
    if (fake_store_asks(stage->store, true) != 0) {
        printf("walk: %zu questions never ended\n", fake_store_asks(stage->store, true));
        good = false;
    }
    for (uint64_t id = 1; id <= fake_store_visits(stage->store); id++) {
        const struct store_visit *v = fake_store_visit(stage->store, id);

        if (v->outcome == OUTCOME_OPEN || v->state != VISIT_CLOSED || v->closed_us < v->opened_us) {
            printf("walk: visit %llu ended in %s, %s\n", (unsigned long long)id,
                   visit_state_name(v->state), visit_outcome_name(v->outcome));
            good = false;
        }
        /* Nobody is let in without somebody having checked. */
        if ((v->outcome == OUTCOME_ELIGIBLE || v->outcome == OUTCOME_LAST_KNOWN) &&
            v->method == METHOD_NONE) {
            printf("walk: visit %llu is eligible without a method\n", (unsigned long long)id);
            good = false;
        }
    }
    for (unsigned lane = 1; lane <= LANES; lane++)
        if (stage->lanes[lane].pins_sent > stage->lanes[lane].pins_given ||
            stage->lanes[lane].shown.state != VISIT_IDLE) {
            printf("walk: lane %u: %u PINs sent of %u, state %s\n", lane,
                   stage->lanes[lane].pins_sent, stage->lanes[lane].pins_given,
                   visit_state_name(stage->lanes[lane].shown.state));
            good = false;
        }
    return good;
}

bool walk_run(uint64_t seed, uint64_t events)
{
    struct walk w = {.stage = stage_new(LANES), .random = seed};
    uint64_t i = 0;
    bool good;

    stage_ocr_program(w.stage, true);
    while (i < events && w.stage->broken[0] == '\0') {
        step(&w);
        i++;
    }
    if (w.stage->broken[0] == '\0')
        go_home(&w);
    if (w.stage->broken[0] != '\0')
        printf("walk: rule broken at event %llu: %s\n", (unsigned long long)i, w.stage->broken);
    good = w.stage->broken[0] == '\0' && agree(&w);
    printf("walk: seed %llu, %llu events over %d lanes, %zu visits, %zu slips (%llu filed by "
           "staff, %llu answers later), "
           "%llu questions sent, %zu audit rows, %llu restarts, %llu refusals: %s\n",
           (unsigned long long)seed, (unsigned long long)i, LANES,
           fake_store_visits(w.stage->store), fake_store_slips(w.stage->store, -1),
           (unsigned long long)w.slips, (unsigned long long)w.late,
           (unsigned long long)w.stage->questions_sent, fake_store_audits(w.stage->store),
           (unsigned long long)w.restarts, (unsigned long long)w.refusals,
           good ? "good" : "NOT GOOD");
    stage_free(&w.stage);
    return good;
}
