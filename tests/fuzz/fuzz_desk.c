/*
 * A lying reader, matcher, OCR, relay and web around the desk's core: any message that the wire lets through, with
 * any content, in any order, on a simulated clock and a store that may refuse. The stage of the scenarios plays the
 * honest parts and keeps its rules with every message that leaves: nothing before it is stored, no credential that
 * nobody gave, no question that is not stored, no change sent twice.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/desk/action.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/lane.h"
#include "daemon/desk/visit.h"
#include "liars.h"

#define LANES 2

/* Web and command: any action by anybody at any step, and look-ups of any form. */
static void web_lies(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    const struct message_row *row =
        message_row((fuzz_u8(in) & 3) != 0 ? MSG_LANE_ACTION : MSG_LOOKUP);
    struct stage_lane *l = &stage->lanes[lane];
    unsigned which = fuzz_u8(in);
    struct msg_action_result result;
    struct message message;

    if (!liars_compose(row, in, &message))
        return;
    if (row->type == MSG_LOOKUP) {
        message.body.lookup.visit = liars_visit(stage, lane, which);
        action_lookup(stage->desk, &message.body.lookup, &result);
        return;
    }
    message.body.lane_action.lane = (uint16_t)((which & 0x70) == 0 ? which : lane);
    message.body.lane_action.visit = liars_visit(stage, lane, which);
    if ((which & 0x80) == 0)
        message.body.lane_action.step = l->shown.step;
    /* What was entered counts as given, accepted or not: a refused entry must still never be sent. */
    if (message.body.lane_action.action == ACTION_SEND_PIN)
        l->pins_given++;
    if (message.body.lane_action.action == ACTION_SEND_NUMBER_B)
        l->numbers_given++;
    action_lane(stage->desk, &message.body.lane_action, &result);
    if (!result.accepted && message.body.lane_action.action == ACTION_SEND_PIN)
        l->pins_given--;
    if (!result.accepted && message.body.lane_action.action == ACTION_SEND_NUMBER_B)
        l->numbers_given--;
}

static void offered(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    const struct msg_lane_state *shown = &stage->lanes[lane].shown;
    struct stage_act act = {.consents = fuzz_u8(in)};
    unsigned n = fuzz_u8(in);

    for (unsigned i = 0; i < VISIT_ACTION_COUNT; i++) {
        act.action = 1 + (n + i) % (VISIT_ACTION_COUNT - 1);
        if ((shown->offers & VISIT_OFFER(act.action)) != 0)
            break;
    }
    act.surface = strchr(visit_action_who(act.action), 'K') != NULL ? 'K' : 'B';
    stage_act(stage, lane, &act);
}

static void honest_reader(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    struct stage_lane *l = &stage->lanes[lane];
    unsigned what = fuzz_u8(in);
    struct stage_identified identified = {(uint8_t)(what & 3), (uint8_t)(what >> 4), GENUINE_YES,
                                          0};
    struct stage_photo photo = {GENUINE_YES, GENUINE_YES, "19540707", "2"};

    if (l->asked_reader == 0 || !l->reader_up)
        return;
    if (what == 0xff)
        stage_card_failed(stage, lane, (uint16_t)(1 + fuzz_u8(in) % (FAILURE_COUNT - 1)),
                          fuzz_u8(in));
    else if (l->asked_reader == MSG_CARD_IDENTIFY)
        stage_identified(stage, lane, &identified);
    else if (l->asked_reader == MSG_CARD_PHOTO)
        stage_photo(stage, lane, &photo);
    else
        stage_signed(stage, lane);
}

static void honest_relay(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    static const char *const kinds[] = {"valid",      "notice",      "lost",    "none",
                                        "several",    "segment9",    "pending", "not_registered",
                                        "registered", "other_birth", "garbled"};
    unsigned which = fuzz_u8(in);

    lane = (which & 128) != 0 ? 0 : lane;
    if (stage->lanes[lane].ask.request != 0 && stage->relay_up)
        (void)stage_answer(stage, lane, kinds[which % (sizeof(kinds) / sizeof(kinds[0]))]);
}

static void disturb(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    unsigned what = fuzz_u8(in);

    switch (what % 8) {
    case 0:
        fake_store_break(stage->store, (what & 8) != 0);
        break;
    case 1:
        fake_store_fail_at(stage->store, 1 + (what >> 4));
        break;
    case 2:
        fake_store_break(stage->store, false);
        fake_store_fail_at(stage->store, 0);
        stage_restart(stage);
        break;
    case 3:
        stage_reader_program(stage, lane, (what & 8) != 0);
        break;
    case 4:
        stage_matcher_program(stage, (what & 8) != 0);
        break;
    case 5:
        stage_relay_program(stage, (what & 8) != 0);
        break;
    case 6:
        stage_ocr_program(stage, (what & 8) != 0);
        break;
    default:
        stage_frame(stage, lane);
        break;
    }
}

static void step(struct stage *stage, struct fuzz_input *in)
{
    static const char *const cards[] = {"", "hanako", "franck", "suica"};
    static const uint64_t waits[] = {10, 100, 1000, 5000, 15000, 61000, 301000, 1};
    unsigned what = fuzz_u8(in), lane = 1 + (what >> 4) % LANES;

    switch (what & 15) {
    case 0:
        liars_reader(stage, in, lane);
        break;
    case 1:
        liars_matcher(stage, in, lane);
        break;
    case 2:
        liars_ocr(stage, in, lane);
        break;
    case 3:
        liars_relay(stage, in, lane);
        break;
    case 4:
        web_lies(stage, in, lane);
        break;
    case 5:
        stage_card(stage, lane, cards[fuzz_u8(in) % 4]);
        break;
    case 6:
    case 7:
        honest_reader(stage, in, lane);
        break;
    case 8:
        honest_relay(stage, in, lane);
        break;
    case 9:
        stage_advance(stage, waits[fuzz_u8(in) % 8] * CLOCK_MS);
        break;
    case 10:
        disturb(stage, in, lane);
        break;
    case 11:
        if (stage->matcher_up)
            stage_match_ready(stage, lane);
        break;
    case 12:
        if (stage->matcher_up)
            stage_match_result(stage, lane, fuzz_u8(in) % 4, FAILURE_NONE);
        break;
    default:
        offered(stage, in, lane);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct stage *stage = stage_new(LANES);

    stage_ocr_program(stage, true);
    for (unsigned i = 0; i < 600 && in.left > 0 && stage->broken[0] == '\0'; i++)
        step(stage, &in);
    if (stage->broken[0] != '\0')
        fuzz_broken(stage->broken, __FILE__, __LINE__);
    for (uint64_t id = 1; id <= fake_store_visits(stage->store); id++) {
        const struct store_visit *v = fake_store_visit(stage->store, id);

        FUZZ_CHECK(v->state < VISIT_STATE_COUNT);
        /* Nobody is let in without somebody having checked. */
        if (v->outcome == OUTCOME_ELIGIBLE || v->outcome == OUTCOME_LAST_KNOWN)
            FUZZ_CHECK(v->method != METHOD_NONE);
    }
    stage_free(&stage);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    const struct message_row *row;

    /* A whole visit by PIN, one by face, and each lie once after a card was laid down. */
    seed_hex(&seed, "05 01 06 a3 0d 00 01 0d 00 05 06 a3 08 00 0d 0f 03 09 03 05 00 09 04");
    seed_write(&seed, "pin");
    seed_hex(&seed,
             "05 01 06 a3 0d 00 00 0d 00 03 06 a3 0b 0c 01 0c 01 0d 0f 02 08 00 09 04 05 00");
    seed_write(&seed, "face");
    for (unsigned liar = 0; liar < 4; liar++)
        for (unsigned at = 0; (row = liars_row("RMOY"[liar], at)) != NULL && at < 10; at++) {
            char name[64];

            seed_hex(&seed, "05 01 06 a3");
            seed_u8(&seed, liar);
            seed_u8(&seed, at);
            seed_u8(&seed, 7);
            seed_piece_hex(&seed, "01 00 00 00 00 00 00 00 01 00 00 00");
            seed_piece_hex(&seed, "00");
            seed_piece_hex(&seed, "00");
            seed_hex(&seed, "0d 00 01 09 04");
            snprintf(name, sizeof(name), "lie_%s_%u", row->name, at);
            seed_write(&seed, name);
        }
    seed_hex(&seed, "05 01 06 a3 04 01 07");
    seed_piece_hex(&seed, "07000000 0100 0100000000000000 02000000 03 4b");
    seed_write(&seed, "action");
}
