#define _GNU_SOURCE 1
#include "liars.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/memfd.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/lane.h"
#include "daemon/desk/visit.h"

const struct message_row *liars_row(char role, unsigned at)
{
    const struct message_row *row;
    unsigned n = 0;

    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; (row = message_row_at(i)) != NULL; i++)
            if (row->from[0] != '*' && strchr(row->from, role) != NULL &&
                strchr(row->to, 'D') != NULL) {
                if (round == 1 && at-- == 0)
                    return row;
                n += round == 0;
            }
        if (n == 0)
            return NULL;
        if (round == 0)
            at %= n;
    }
    return NULL;
}

uint64_t liars_visit(struct stage *stage, unsigned lane, unsigned which)
{
    switch (which % 8) {
    case 0:
        return 0;
    case 1:
        return fake_store_visits(stage->store) + 1;
    case 2:
        return stage->lanes[1 + lane % stage->nlanes].shown.visit; /* of the other lane */
    case 3:
        return stage->lanes[lane].item.visit;
    default:
        return stage->lanes[lane].shown.visit;
    }
}

static int some_memfd(struct fuzz_input *in)
{
    size_t len;
    uint8_t *bytes = fuzz_piece_copy(in, 2048, &len);
    int fd = memfd_seal("liar", bytes, len > 0 ? len : 1);

    free(bytes);
    return fd;
}

bool liars_compose(const struct message_row *row, struct fuzz_input *in, struct message *message)
{
    static uint8_t packet[MESSAGE_MAX];
    static union message_body zero;
    size_t len, room;
    const uint8_t *bytes = fuzz_piece(in, 1024, &len);
    unsigned nfds = row->fds;
    int n;

    memset(message, 0, sizeof(*message));
    message->fds[0] = message->fds[1] = -1;
    if (row->fds_optional && (fuzz_u8(in) & 1) != 0)
        nfds = 0;
    n = message_encode(row->type, &zero, nfds, packet, sizeof(packet));
    if (n < 0)
        return false;
    room = (size_t)n - MESSAGE_HEADER;
    memcpy(packet + MESSAGE_HEADER, bytes, len < room ? len : room);
    if (message_decode(packet, (size_t)n, nfds, message) < 0)
        return false;
    message->nfds = nfds;
    for (unsigned i = 0; i < nfds; i++)
        message->fds[i] = some_memfd(in);
    return true;
}

static void close_fds(struct message *message)
{
    for (unsigned i = 0; i < message->nfds; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
}

/* A reader that answers what it was not asked: the stage must not hold the desk to what the liar has upset. */
static void reader_spoke(struct stage *stage, unsigned lane, const struct message *message)
{
    struct stage_lane *l = &stage->lanes[lane];

    switch (message->type) {
    case MSG_CARD_IDENTIFIED:
    case MSG_CARD_SIGNED:
    case MSG_CARD_PHOTO_READ:
    case MSG_CARD_FAILED:
        l->asked_reader = 0;
        break;
    case MSG_CAMERA_FAILED:
        l->filming = false;
        break;
    case MSG_READER_STATE:
        l->reader = message->body.reader_state;
        if (l->reader.reader != FAILURE_NONE || !l->reader.card)
            l->asked_reader = 0;
        break;
    default:
        break;
    }
}

void liars_reader(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    const struct message_row *row = liars_row('R', fuzz_u8(in));
    unsigned which = fuzz_u8(in);
    struct message message;

    /* Nothing comes to the desk's lanes but what links.c hands on: not the broker's rows. */
    if (row == NULL || strchr(row->to, 'D') == NULL || !stage->lanes[lane].reader_up ||
        !liars_compose(row, in, &message))
        return;
    if (row->type != MSG_READER_STATE)
        message.body.visit_key.visit = liars_visit(stage, lane, which);
    reader_spoke(stage, lane, &message);
    if (!lane_reader_message(desk_lane(stage->desk, (uint16_t)lane), &message)) {
        /* The connection is closed; the program comes again. */
        stage_reader_program(stage, lane, false);
        stage_reader_program(stage, lane, true);
    }
    close_fds(&message);
}

void liars_matcher(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    const struct message_row *row = liars_row('M', fuzz_u8(in));
    unsigned which = fuzz_u8(in);
    struct message message;

    if (row == NULL || !stage->matcher_up || !liars_compose(row, in, &message))
        return;
    message.body.match_ready.visit = liars_visit(stage, lane, which);
    if (!lane_matcher_message(stage->desk, &message)) {
        stage_matcher_program(stage, false);
        stage_matcher_program(stage, true);
    }
    close_fds(&message);
}

void liars_ocr(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    const struct message_row *row = liars_row('O', fuzz_u8(in));
    unsigned which = fuzz_u8(in);
    struct message message;

    if (row == NULL || !stage->ocr_up || !liars_compose(row, in, &message))
        return;
    message.body.ocr_result.visit = liars_visit(stage, lane, which);
    if (message.body.ocr_result.sealed.len > 0)
        stage->lanes[lane].numbers_given++;
    if (!lane_ocr_message(stage->desk, &message)) {
        stage_ocr_program(stage, false);
        stage_ocr_program(stage, true);
    }
    close_fds(&message);
}

void liars_relay(struct stage *stage, struct fuzz_input *in, unsigned lane)
{
    const struct message_row *row = liars_row('Y', fuzz_u8(in));
    unsigned which = fuzz_u8(in);
    struct message message;

    if (row == NULL || !stage->relay_up || !liars_compose(row, in, &message))
        return;
    if (row->type == MSG_ELIGIBILITY_ANSWER) {
        struct msg_eligibility_answer *answer = &message.body.eligibility_answer;

        if ((which & 1) != 0)
            answer->request = stage->lanes[which & 2 ? lane : 0].ask.request;
        if ((which & 4) != 0)
            answer->visit = stage->lanes[which & 2 ? lane : 0].ask.visit;
        if ((which & 8) != 0)
            answer->bytes %= 2048;
    }
    if (!ask_relay_message(stage->desk, 0, &message)) {
        stage_relay_program(stage, false);
        stage_relay_program(stage, true);
    }
    close_fds(&message);
}
