/*
 * run: whole visits as scripts: one file a behaviour, one line a thing that happens or must hold.
 * `scenarios FILE|DIRECTORY...` runs them all, prints each that fails with its line, and then which rows of
 * the visit table were taken (`--missing` names those that were not); then random walks (walk.h). INDEX of a
 * folder is held against it (index.h). README.md lists the words.
 */
#include "index.h"
#include "script.h"
#include "walk.h"

#include "../../daemon/common/log.h"
#include "../../daemon/common/xmlmsg.h"
#include "../../daemon/desk/table.h"
#include "../../daemon/desk/visit.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t taken[512];
static uint32_t taken_from[512];

static void seen(const struct table_row *row, unsigned from, void *arg)
{
    (void)arg;
    taken[table_index(row)]++;
    taken_from[table_index(row)] |= UINT32_C(1) << from;
}

static void quiet(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

/* ---- reading words --------------------------------------------------------------------------- */

bool script_bad(struct script *s, const char *what, const char *got)
{
    if (s->why[0] == '\0')
        snprintf(s->why, sizeof(s->why), "%s: %s", what, got);
    return false;
}

/* The value of key=value among the words, or the fallback. */
const char *script_option(const struct script *s, const char *key, const char *fallback)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < s->nwords; i++)
        if (strncmp(s->words[i], key, n) == 0 && s->words[i][n] == '=')
            return s->words[i] + n + 1;
    return fallback;
}

bool script_has(const struct script *s, const char *word)
{
    for (size_t i = 1; i < s->nwords; i++)
        if (strcmp(s->words[i], word) == 0)
            return true;
    return false;
}

bool script_failure(struct script *s, const char *name, uint16_t *out)
{
    for (uint16_t i = 0; i < FAILURE_COUNT; i++)
        if (strcmp(i == 0 ? "none" : failure_text(i)->name, name) == 0) {
            *out = i;
            return true;
        }
    return script_bad(s, "no such failure", name);
}

static uint8_t genuine_of(const char *text)
{
    return strcmp(text, "yes") == 0  ? GENUINE_YES
           : strcmp(text, "no") == 0 ? GENUINE_NO
                                     : GENUINE_NOT_CHECKED;
}

uint64_t script_span_us(const char *text)
{
    char *end;
    double n = strtod(text, &end);

    if (strcmp(end, "ms") == 0)
        return (uint64_t)(n * 1000);
    if (strcmp(end, "m") == 0)
        return (uint64_t)(n * 60e6);
    if (strcmp(end, "h") == 0)
        return (uint64_t)(n * 3600e6);
    return (uint64_t)(n * 1e6);
}

/* ---- what happens ---------------------------------------------------------------------------- */

static bool do_card(struct script *s)
{
    if (s->nwords < 2)
        return script_bad(s, "card", "which?");
    stage_card(s->stage, s->lane, s->words[1]);
    return true;
}

static bool do_second(struct script *s)
{
    stage_second_card(s->stage, s->lane, script_has(s, "on"));
    return script_has(s, "on") || script_has(s, "off") || script_bad(s, "second", "on or off?");
}

static bool do_remove(struct script *s)
{
    stage_card(s->stage, s->lane, "");
    return true;
}

static bool do_reader(struct script *s)
{
    const char *what = s->nwords > 1 ? s->words[1] : "";
    uint16_t failure;

    if (strcmp(what, "identified") == 0) {
        const char *pin = script_option(s, "pin", "3");
        struct stage_identified how = {
            (uint8_t)(strcmp(pin, "none") == 0 ? VISIT_TRIES_NO_KEY : (unsigned)atoi(pin)),
            (uint8_t)atoi(script_option(s, "b", "10")),
            genuine_of(script_option(s, "chain", "yes")),
            script_has(s, "expired") ? -1 : atoi(script_option(s, "ends", "0"))};
        stage_identified(s->stage, s->lane, &how);
    } else if (strcmp(what, "photo") == 0) {
        struct stage_photo how = {genuine_of(script_option(s, "record", "yes")),
                                  genuine_of(script_option(s, "challenge", "yes")),
                                  script_option(s, "birth", "19540707"),
                                  script_option(s, "sex", "2")};
        stage_photo(s->stage, s->lane, &how);
    } else if (strcmp(what, "signed") == 0) {
        stage_signed(s->stage, s->lane);
    } else if (strcmp(what, "fails") == 0 && s->nwords > 2) {
        if (!script_failure(s, s->words[2], &failure))
            return false;
        if (!script_has(s, "before"))
            stage_card_failed(s->stage, s->lane, failure,
                              (uint8_t)atoi(script_option(s, "tries", "255")));
        else if (!stage_card_failed_before(s->stage, s->lane, failure, 255))
            return script_bad(s, "reader fails before", "it has heard of this visit");
    } else if (strcmp(what, "unplugged") == 0) {
        stage_reader_state(s->stage, s->lane, FAILURE_READER_LOST, FAILURE_CAMERA_ABSENT);
    } else if (strcmp(what, "fails_state") == 0 && s->nwords > 2) {
        if (!script_failure(s, s->words[2], &failure))
            return false;
        stage_reader_state(s->stage, s->lane, failure, FAILURE_CAMERA_ABSENT);
    } else if (strcmp(what, "plugged") == 0) {
        stage_reader_state(s->stage, s->lane, FAILURE_NONE, FAILURE_NONE);
    } else if (strcmp(what, "gone") == 0 || strcmp(what, "back") == 0) {
        stage_reader_program(s->stage, s->lane, what[0] == 'b');
    } else if (strcmp(what, "pinpad") == 0) {
        s->stage->lanes[s->lane].reader.pin_pad = 1;
        stage_reader_state(s->stage, s->lane, FAILURE_NONE, FAILURE_NONE);
    } else {
        return script_bad(s, "reader", what);
    }
    return true;
}

static bool do_camera(struct script *s)
{
    uint16_t failure;

    if (s->nwords < 3 || !script_failure(s, s->words[2], &failure))
        return script_bad(s, "camera", "fails|absent FAILURE");
    if (strcmp(s->words[1], "fails") == 0)
        stage_camera_failed(s->stage, s->lane, failure);
    else
        stage_reader_state(s->stage, s->lane, FAILURE_NONE, failure);
    return true;
}

static bool do_frame(struct script *s)
{
    stage_frame(s->stage, s->lane);
    return true;
}

static bool do_matcher(struct script *s)
{
    static const char *const decisions[] = {"unsure", "same", "not_same", "attack"};
    const char *what = s->nwords > 1 ? s->words[1] : "";
    uint16_t failure = FAILURE_NONE;

    for (uint8_t i = 0; i < 4; i++)
        if (strcmp(what, decisions[i]) == 0) {
            stage_match_result(s->stage, s->lane, i, FAILURE_NONE);
            return true;
        }
    if (s->nwords > 2 && !script_failure(s, s->words[2], &failure))
        return false;
    if (strcmp(what, "ready") == 0)
        stage_match_ready(s->stage, s->lane);
    else if (strcmp(what, "failed") == 0)
        stage_match_failed(s->stage, s->lane, failure);
    else if (strcmp(what, "hints") == 0)
        stage_match_result(s->stage, s->lane, 0, failure);
    else if (strcmp(what, "gone") == 0 || strcmp(what, "back") == 0)
        stage_matcher_program(s->stage, what[0] == 'b');
    else
        return script_bad(s, "matcher", what);
    return true;
}

static bool do_ocr(struct script *s)
{
    const char *what = s->nwords > 1 ? s->words[1] : "";

    if (strcmp(what, "read") == 0)
        stage_ocr_result(s->stage, s->lane, true, FAILURE_NONE);
    else if (strcmp(what, "unsure") == 0)
        stage_ocr_result(s->stage, s->lane, false, FAILURE_CARD_FACE_UNREADABLE);
    else if (strcmp(what, "gone") == 0 || strcmp(what, "back") == 0)
        stage_ocr_program(s->stage, what[0] == 'b');
    else
        return script_bad(s, "ocr", what);
    return true;
}

static bool do_relay(struct script *s)
{
    static const char *const outcomes[] = {"answers", "not_sent", "doubtful", "refused"};
    const char *what = s->nwords > 1 ? s->words[1] : "";
    uint16_t failure = FAILURE_NONE;

    if (strcmp(what, "gone") == 0 || strcmp(what, "back") == 0) {
        stage_relay_program(s->stage, what[0] == 'b');
        return true;
    }
    if (s->stage->lanes[s->lane].ask.request == 0)
        return script_bad(s, "nothing was asked", what);
    if (strcmp(what, "answers") == 0 && s->nwords > 2)
        return stage_answer(s->stage, s->lane, s->words[2]) || script_bad(s, "answer", s->words[2]);
    for (uint8_t i = 1; i < 4; i++)
        if (strcmp(what, outcomes[i]) == 0) {
            if (s->nwords > 2 && !script_failure(s, s->words[2], &failure))
                return false;
            stage_no_answer(s->stage, s->lane, i, failure);
            return true;
        }
    return script_bad(s, "relay", what);
}

static bool do_act(struct script *s)
{
    struct stage_act act = {.surface = (char)toupper((unsigned char)s->words[0][0]),
                            .consents = (uint32_t)atoi(script_option(s, "consents", "7")),
                            .stale = script_has(s, "stale"),
                            .empty = script_has(s, "empty"),
                            .nobody = script_has(s, "nobody")};

    if (s->nwords < 2)
        return script_bad(s, s->words[0], "does what?");
    act.action = (unsigned)visit_action_of(s->words[1]);
    if (act.action == ACTION_NONE)
        return script_bad(s, "no such action", s->words[1]);
    stage_act(s->stage, s->lane, &act);
    return true;
}

static bool do_lookup(struct script *s)
{
    struct stage_lookup lookup = {script_option(s, "insurer", "06130017"),
                                  script_option(s, "symbol", "試験"),
                                  script_option(s, "number", "1001"),
                                  script_option(s, "branch", "01"),
                                  script_option(s, "birth", "19540707"),
                                  0,
                                  (uint16_t)s->lane,
                                  script_has(s, "no_limit")};

    if (strcmp(s->words[0], "link") == 0)
        lookup.visit = s->stage->lanes[s->lane].shown.visit;
    stage_look_up(s->stage, &lookup);
    return true;
}

static bool do_advance(struct script *s)
{
    if (s->nwords < 2)
        return script_bad(s, "advance", "how long?");
    stage_advance(s->stage, script_span_us(s->words[1]));
    return true;
}

/* An administrator or NTP steps the wall clock, or the time server is lost; the desk looks at it once a minute. */
static bool do_clock(struct script *s)
{
    bool loose = s->nwords == 2 && strcmp(s->words[1], "loose") == 0;
    bool back = s->nwords == 3 && strcmp(s->words[1], "back") == 0;

    if (loose || (s->nwords == 2 && strcmp(s->words[1], "followed") == 0)) {
        clock_set_synchronised(s->stage->clock, !loose);
        (void)desk_check_clock(s->stage->desk);
        return true;
    }
    if (!back && (s->nwords != 3 || strcmp(s->words[1], "on") != 0))
        return script_bad(s, "clock", "back or on, and how far? or loose, followed");
    clock_step_realtime(s->stage->clock, (back ? -1 : 1) * (int64_t)script_span_us(s->words[2]));
    (void)desk_check_clock(s->stage->desk);
    return true;
}

static bool do_restart(struct script *s)
{
    stage_restart(s->stage);
    return true;
}

static bool do_store(struct script *s)
{
    const char *what = s->nwords > 1 ? s->words[1] : "";

    if (strcmp(what, "fails") == 0)
        fake_store_break(s->stage->store, true);
    else if (strcmp(what, "works") == 0)
        fake_store_break(s->stage->store, false);
    else if (strcmp(what, "hides_links") == 0)
        fake_store_hide_links(s->stage->store, true);
    else if (strcmp(what, "shows_links") == 0)
        fake_store_hide_links(s->stage->store, false);
    else if (strcmp(what, "call") == 0 && s->nwords > 2)
        fake_store_fail_at(s->stage->store, (unsigned)atoi(s->words[2]));
    else if (strcmp(what, "ages") == 0)
        fake_store_age_answers(s->stage->store, "20261004");
    else
        return script_bad(s, "store", what);
    return true;
}

static bool do_lane(struct script *s)
{
    s->lane = s->nwords > 1 ? (unsigned)atoi(s->words[1]) : 1;
    return s->lane <= s->stage->nlanes || script_bad(s, "no such lane", s->words[1]);
}

/* Settings; they hold from the next start of the desk, which is now. */
static bool do_set(struct script *s)
{
    const char *policy = script_option(s, "policy", NULL);
    const char *consents = script_option(s, "consents", NULL);
    const char *tries = script_option(s, "pin-tries", NULL);
    const char *lanes = script_option(s, "lanes", NULL);
    const char *upstream = script_option(s, "upstream", NULL);
    const char *kind = script_option(s, "kind", NULL);
    const char *negative = script_option(s, "negative", NULL);
    const char *clock = script_option(s, "clock", NULL);
    const char *subsidy = script_option(s, "subsidy", NULL);

    if (subsidy != NULL) {
        s->stage->settings.subsidy_off = strcmp(subsidy, "off") == 0;
        (void)MESSAGE_TEXT(s->stage->settings.subsidy_element,
                           strcmp(subsidy, "ask") == 0 ? "" : subsidy);
    }
    if (clock != NULL) {
        s->stage->settings.clock_watched = strcmp(clock, "none") != 0;
        s->stage->settings.clock_refused = strcmp(clock, "refuse") == 0;
    }
    if (policy != NULL)
        s->stage->settings.genuineness = strcmp(policy, "require") == 0 ? POLICY_REQUIRE
                                         : strcmp(policy, "challenge-only") == 0
                                             ? POLICY_CHALLENGE_ONLY
                                             : POLICY_OFF;
    if (negative != NULL)
        s->stage->settings.negative_us = script_span_us(negative);
    if (consents != NULL)
        s->stage->settings.consents = (uint32_t)atoi(consents);
    if (tries != NULL)
        s->stage->settings.pin_tries = (unsigned)atoi(tries);
    if (upstream != NULL)
        s->stage->capabilities = strcmp(upstream, "numbers") == 0   ? CAPABILITY_BY_NUMBERS
                                 : strcmp(upstream, "session") == 0 ? CAPABILITY_CARD_SESSION
                                 : strcmp(upstream, "bulk") == 0    ? CAPABILITY_BULK
                                                                    : s->stage->capabilities;
    if (kind != NULL)
        s->stage->settings.institution_kind = strcmp(kind, "pharmacy") == 0   ? INSTITUTION_PHARMACY
                                              : strcmp(kind, "hospital") == 0 ? INSTITUTION_HOSPITAL
                                                                              : INSTITUTION_CLINIC;
    if (lanes != NULL) {
        s->stage->nlanes = (unsigned)atoi(lanes);
        for (unsigned i = 1; i <= s->stage->nlanes; i++)
            s->stage->lanes[i].reader_up = true;
    }
    stage_restart(s->stage);
    return true;
}

/* The shortest way to each state: what everybody does until the visit is there. */
static const struct {
    const char *state;
    const char *lines;
} ways[] = {
    {"card", "card franck"},
    {"method", "card franck;reader identified"},
    {"show_card", "ocr back;card franck;reader identified;kiosk show_card"},
    {"number_b", "card franck;reader identified;kiosk choose_face"},
    {"number_b_confirm", "card franck;reader identified b=2;kiosk choose_face"},
    {"photo", "card franck;reader identified;kiosk choose_face;kiosk send_number_b"},
    {"face", "card franck;reader identified;kiosk choose_face;kiosk send_number_b;reader photo;"
             "matcher ready"},
    {"pin", "card franck;reader identified;kiosk choose_pin"},
    {"pin_confirm", "card franck;reader identified pin=1;kiosk choose_pin"},
    {"pin_check", "card franck;reader identified;kiosk choose_pin;kiosk send_pin"},
    {"visual", "card franck;reader identified;kiosk choose_staff"},
    {"consent", "card franck;reader identified;kiosk choose_pin;kiosk send_pin;reader signed"},
    {"eligibility", "card franck;reader identified;kiosk choose_pin;kiosk send_pin;reader signed;"
                    "kiosk consent"},
    {"register", "card franck;reader identified;kiosk choose_pin;kiosk send_pin;reader signed;"
                 "kiosk consent;relay answers not_registered"},
    {"staff", "card franck;reader identified;kiosk choose_pin;kiosk send_pin;reader signed;"
              "kiosk consent;relay answers status2"},
    {"link", "set upstream=numbers;card franck;reader identified;kiosk choose_pin;kiosk send_pin;"
             "reader signed;kiosk consent"},
    {"card_lost", "card franck;reader identified;remove"},
    {"done", "card franck;reader identified;kiosk choose_pin;kiosk send_pin;reader signed;"
             "kiosk consent;relay answers valid"},
    {"take_card", "card franck;reader identified;kiosk choose_pin;kiosk send_pin;reader signed;"
                  "kiosk consent;relay answers valid;advance 10s"},
};

static bool run_line(struct script *s, char *line);

static bool do_at(struct script *s)
{
    char lines[400], line[100], state[40];
    const struct stage_lane *l = &s->stage->lanes[s->lane];

    snprintf(state, sizeof(state), "%s", s->nwords > 1 ? s->words[1] : "");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char *rest = lines;

        if (strcmp(ways[i].state, state) != 0)
            continue;
        strcpy(lines, ways[i].lines);
        for (char *one; (one = strsep(&rest, ";")) != NULL;) {
            snprintf(line, sizeof(line), "%s", one);
            if (!run_line(s, line))
                return false;
        }
        return strcmp(visit_state_name(l->shown.state), state) == 0 ||
               script_bad(s, "did not get there but to", visit_state_name(l->shown.state));
    }
    return script_bad(s, "no way to", state);
}

static bool do_afresh(struct script *s)
{
    stage_free(&s->stage);
    s->stage = stage_new(1);
    s->lane = 1;
    return true;
}

/* ---- what must hold -------------------------------------------------------------------------- */

bool script_name(struct script *s, const char *what, const char *is, const char *want)
{
    if (strcmp(is, want) == 0)
        return true;
    snprintf(s->why, sizeof(s->why), "%s is %s, not %s", what, is, want);
    return false;
}

static const char *failure_name(uint16_t failure)
{
    return failure == FAILURE_NONE ? "none" : failure_text(failure)->name;
}

static bool expect_offers(struct script *s, uint32_t offers)
{
    for (size_t i = 2; i < s->nwords; i++) {
        bool without = s->words[i][0] == '!';
        enum visit_action action = visit_action_of(s->words[i] + without);

        if (action == ACTION_NONE)
            return script_bad(s, "no such action", s->words[i]);
        if (((offers & VISIT_OFFER(action)) != 0) == without)
            return script_bad(s, without ? "is on offer" : "is not on offer",
                              s->words[i] + without);
    }
    return true;
}

static bool expect_sent(struct script *s, const char *name, bool want)
{
    const struct message_row *row;
    unsigned n = 0;
    bool known = false;

    for (size_t i = 0; (row = message_row_at(i)) != NULL; i++)
        if (strcmp(row->name, name) == 0) {
            known = true;
            n = stage_count_sent(s->stage, row->type, 0, s->mark);
        }
    if (!known)
        return script_bad(s, "no such message", name);
    return (n > 0) == want || script_bad(s, want ? "was not sent" : "was sent", name);
}

bool script_number(struct script *s, const char *what, unsigned long is, const char *want)
{
    if (is == strtoul(want, NULL, 10))
        return true;
    snprintf(s->why, sizeof(s->why), "%s is %lu, not %s", what, is, want);
    return false;
}

static bool expect_flag(struct script *s, uint32_t flags)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {{"look", VISIT_FLAG_LOOK},
                 {"cached", VISIT_FLAG_CACHED},
                 {"last_known", VISIT_FLAG_LAST_KNOWN},
                 {"notice", VISIT_FLAG_NOTICE},
                 {"masked_name", VISIT_FLAG_MASKED_NAME},
                 {"unchecked", VISIT_FLAG_UNCHECKED},
                 {"resumed", VISIT_FLAG_RESUMED},
                 {"no_card", VISIT_FLAG_NO_CARD},
                 {"slip", VISIT_FLAG_SLIP},
                 {"reconciled", VISIT_FLAG_RECONCILED},
                 {"different", VISIT_FLAG_DIFFERENT},
                 {"again", VISIT_FLAG_AGAIN},
                 {"proxy", VISIT_FLAG_PROXY},
                 {"disaster", VISIT_FLAG_DISASTER},
                 {"who", VISIT_FLAG_WHO},
                 {"changed", VISIT_FLAG_CHANGED},
                 {"late", VISIT_FLAG_LATE},
                 {"last_month", VISIT_FLAG_LAST_MONTH},
                 {"card_ends", VISIT_FLAG_CARD_ENDS},
                 {"card_ended", VISIT_FLAG_CARD_ENDED},
                 {"subsidy", VISIT_FLAG_SUBSIDY}};

    for (size_t i = 2; i < s->nwords; i++) {
        bool without = s->words[i][0] == '!';
        bool known = false;

        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
            if (strcmp(names[j].name, s->words[i] + without) == 0) {
                known = true;
                if (((flags & names[j].bit) != 0) == without)
                    return script_bad(s, without ? "flag is set" : "flag is not set",
                                      names[j].name);
            }
        if (!known)
            return script_bad(s, "no such flag", s->words[i]);
    }
    return true;
}

static bool do_expect(struct script *s)
{
    const struct stage_lane *l = &s->stage->lanes[s->lane];
    const char *what = s->nwords > 1 ? s->words[1] : "";
    const char *arg = s->nwords > 2 ? s->words[2] : "";

    if (strcmp(what, "state") == 0)
        return script_name(s, what, visit_state_name(s->lane > 0 ? l->shown.state : l->item.state),
                           arg);
    if (strcmp(what, "shows") == 0)
        return script_name(s, what, failure_name(l->shown.failure), arg);
    if (strcmp(what, "hint") == 0)
        return script_name(s, what, failure_name(l->shown.hint), arg);
    if (strcmp(what, "outcome") == 0)
        return script_name(s, what, visit_outcome_name(l->item.outcome), arg);
    if (strcmp(what, "failure") == 0)
        return script_name(s, what, failure_name(l->item.failure), arg);
    if (strcmp(what, "method") == 0)
        return script_name(s, what, visit_method_name(l->item.method), arg);
    if (strcmp(what, "name") == 0)
        return script_name(s, what, l->item.name[0] != '\0' ? l->item.name : "-", arg);
    if (strcmp(what, "staff") == 0)
        return script_name(s, what, l->item.staff, arg);
    if (strcmp(what, "field") == 0)
        return script_name(s, what, s->stage->result.field, arg);
    if (strcmp(what, "refused") == 0)
        return (!s->stage->result.accepted || script_bad(s, "was accepted", arg)) &&
               script_name(s, what, failure_name(s->stage->result.failure), arg);
    if (strcmp(what, "accepted") == 0)
        return s->stage->result.accepted ||
               script_bad(s, "refused", failure_name(s->stage->result.failure));
    if (strcmp(what, "offers") == 0)
        return expect_offers(s, l->shown.offers);
    if (strcmp(what, "flags") == 0)
        return expect_flag(s, l->item.flags);
    if (strcmp(what, "sent") == 0 || strcmp(what, "unsent") == 0)
        return expect_sent(s, arg, what[0] == 's');
    if (strcmp(what, "pin_tries") == 0)
        return script_number(s, what, l->shown.pin_tries, arg);
    if (strcmp(what, "consents") == 0)
        return script_number(s, what, l->item.consents, arg);
    if (strcmp(what, "told") == 0)
        return script_number(s, what, l->told, arg);
    if (strcmp(what, "asked") == 0)
        return script_number(s, what, l->shown.consents_asked, arg);
    if (strcmp(what, "pins_sent") == 0)
        return script_number(s, what, l->pins_sent, arg);
    if (strcmp(what, "questions") == 0)
        return script_number(s, what, fake_store_asks(s->stage->store, false), arg);
    if (strcmp(what, "open_questions") == 0)
        return script_number(s, what, fake_store_asks(s->stage->store, true), arg);
    if (strcmp(what, "doubtful_questions") == 0)
        return script_number(s, what, fake_store_asks_ended(s->stage->store, 2), arg);
    if (strcmp(what, "open_visits") == 0)
        return script_number(s, what, fake_store_open_visits(s->stage->store), arg);
    if (strcmp(what, "visits") == 0)
        return script_number(s, what, fake_store_visits(s->stage->store), arg);
    return words_expect(s) > 0 || script_bad(s, "expect", what);
}

/* ---- one script ------------------------------------------------------------------------------ */

static const struct {
    const char *word;
    bool (*run)(struct script *s);
} words[] = {
    {"card", do_card},     {"second", do_second}, {"remove", do_remove},   {"reader", do_reader},
    {"camera", do_camera}, {"frame", do_frame},   {"matcher", do_matcher}, {"ocr", do_ocr},
    {"relay", do_relay},   {"kiosk", do_act},     {"board", do_act},       {"command", do_act},
    {"lookup", do_lookup}, {"link", do_lookup},   {"advance", do_advance}, {"restart", do_restart},
    {"store", do_store},   {"lane", do_lane},     {"set", do_set},         {"expect", do_expect},
    {"at", do_at},         {"afresh", do_afresh}, {"clock", do_clock},
};

static bool run_line(struct script *s, char *line)
{
    char *comment = strchr(line, '#');
    bool expects;
    int known;

    if (comment != NULL)
        *comment = '\0';
    s->nwords = 0;
    for (char *word = strtok(line, " \t\r\n"); word != NULL && s->nwords < WORDS_MAX;
         word = strtok(NULL, " \t\r\n"))
        s->words[s->nwords++] = word;
    if (s->nwords == 0)
        return true;
    expects = strcmp(s->words[0], "expect") == 0 || strcmp(s->words[0], "lane") == 0;
    if (!expects)
        s->mark = s->stage->nsent;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, s->words[0]) == 0)
            return words[i].run(s) &&
                   (s->stage->broken[0] == '\0' || script_bad(s, "rule broken", s->stage->broken));
    known = words_run(s);
    if (known < 0)
        return script_bad(s, "no such word", s->words[0]);
    return known > 0 &&
           (s->stage->broken[0] == '\0' || script_bad(s, "rule broken", s->stage->broken));
}

static bool run_file(const char *path)
{
    struct script s = {.lane = 1};
    FILE *in = fopen(path, "re");
    char line[300], copy[300];
    unsigned number = 0, expects = 0;
    bool good = in != NULL;

    if (in == NULL) {
        perror(path);
        return false;
    }
    s.stage = stage_new(1);
    while (good && fgets(line, sizeof(line), in) != NULL) {
        number++;
        strcpy(copy, line);
        expects += strncmp(line, "expect", 6) == 0;
        good = run_line(&s, line);
        if (!good)
            printf("%s:%u: %s    (%s)\n", path, number, s.why, strtok(copy, "\n"));
    }
    if (good && expects == 0) {
        printf("%s: expects nothing\n", path);
        good = false;
    }
    fclose(in);
    stage_free(&s.stage);
    return good;
}

static bool print_coverage(bool whole)
{
    size_t rows = 0, pairs = 0, pairs_taken = 0;
    uint32_t states = 0, reached = 0;

    for (size_t i = 0; i < table_rows(); i++) {
        const struct table_row *row = table_row_at(i);

        rows += taken[i] > 0;
        pairs += (size_t)__builtin_popcount(row->from);
        pairs_taken += (size_t)__builtin_popcount(taken_from[i]);
        states |= row->from;
        reached |= taken_from[i];
        for (unsigned state = 0; whole && state < VISIT_STATE_COUNT; state++)
            if (((row->from & ~taken_from[i]) >> state & 1) != 0)
                printf("not taken: row %zu in %s, %s [%s]\n", i, visit_state_name(state),
                       table_event_name(row->event), table_guard_name(row->guard));
    }
    printf("coverage: states %d of %d, rows %zu of %zu, transitions %zu of %zu\n",
           __builtin_popcount(reached), __builtin_popcount(states), rows, table_rows(), pairs_taken,
           pairs);
    return rows == table_rows() && reached == states && pairs_taken == pairs;
}

static unsigned ran, failed;
static bool indexed = true;

static int is_script(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return n > 4 && strcmp(entry->d_name + n - 4, ".txt") == 0;
}

static void run_all(const char *path)
{
    struct dirent **names;
    int n = scandir(path, &names, is_script, alphasort);

    if (n < 0) {
        ran++;
        failed += !run_file(path);
        return;
    }
    indexed = index_check(path) && indexed;
    for (int i = 0; i < n; i++) {
        char file[600];

        snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        ran++;
        failed += !run_file(file);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    uint64_t events = 100000, seed = 1;
    bool missing = false, covered, walked = true;

    log_capture(quiet, NULL);
    visit_trace(seen, NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--missing") == 0)
            missing = true;
        else if (strncmp(argv[i], "--walk=", 7) == 0)
            events = strtoull(argv[i] + 7, NULL, 10);
        else if (strncmp(argv[i], "--seed=", 7) == 0)
            seed = strtoull(argv[i] + 7, NULL, 10);
        else
            run_all(argv[i]);
    }
    printf("%u passed, %u failed\n", ran - failed, failed);
    covered = print_coverage(missing);
    if (events > 0) {
        walked = walk_run(seed, events);
        printf("with the walk: ");
        print_coverage(false);
    }
    return failed > 0 || ran == 0 || !covered || !walked || !indexed;
}
