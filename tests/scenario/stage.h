/*
 * stage: the desk's core with everybody around it played: readers, matcher, OCR, relay, kiosk, board, on a
 * simulated clock and a store that can fail. Scripts (run.c) and the random walk (walk.c) act on it.
 *
 * With every message that leaves the desk it checks what must hold at all times: no transaction is open and
 * the visit stands in the store in the very state it is in; a PIN or 照合番号B leaves only if one was given and
 * not sent before; a question leaves only if its row stands in the store; none leaves twice once it writes.
 */
#ifndef TEST_SCENARIO_STAGE_H
#define TEST_SCENARIO_STAGE_H

#include "../../daemon/common/clock.h"
#include "../../daemon/desk/desk.h"
#include "../unit/fake_store.h"

#define STAGE_LANES_MAX 64
#define STAGE_SENT_MAX 4096
/* 2026-10-05 09:15:02 in Japan */
#define STAGE_START_US (UINT64_C(1791159302) * 1000000)

struct stage_lane {
    struct msg_lane_state shown; /* as kiosk and board see it */
    struct msg_visit_item item;  /* the last of this lane's visits, as the board saw it */
    struct msg_reader_state reader;
    bool reader_up;
    char card[32]; /* what lies there, "" nothing */
    bool second;   /* another card beside it */
    unsigned pins_given, pins_sent, numbers_given, numbers_sent;
    uint16_t asked_reader; /* operation under way */
    uint64_t reader_visit; /* of the last VISIT_BEGIN, 0 none */
    unsigned keys_due;     /* VISIT_BEGINs whose VISIT_KEY is still on its way */
    bool filming, matching, scanning;
    uint64_t match_visit;
    struct msg_eligibility_ask ask; /* request 0: none */
    unsigned told; /* consents, given or refused, that the last question spoke of */
};

struct stage {
    struct clock *clock;
    struct store *store;
    struct desk_settings settings;
    struct desk *desk;
    struct stage_lane lanes[STAGE_LANES_MAX + 1]; /* by number; 0: look-ups */
    unsigned nlanes;
    uint32_t capabilities;
    bool matcher_up, ocr_up, relay_up;
    struct {
        uint16_t type;
        uint16_t lane;
    } sent[STAGE_SENT_MAX];
    size_t nsent;
    uint64_t writes_sent[1024]; /* requests that write, by id modulo: none twice */
    struct {
        uint64_t request;
        unsigned connection;
    } asks_sent[1024]; /* any request, by id modulo: none twice over one connection of the relay */
    unsigned connection;
    uint64_t questions_sent;
    char broken[256]; /* the first rule that was broken; "" none */
    struct msg_action_result result;
    struct msg_eligibility_ask late;    /* the question about a slip, request 0: none */
    struct msg_slip_item slip;          /* the last that a board saw */
    struct msg_disaster_state disaster; /* as boards see it */
    uint64_t seed;
    struct {
        char name[100], value[200];
    } said[16]; /* elements of the result that the next answers have otherwise; see stage_say() */
    size_t nsaid;
    char asked_day[9], late_day[9];   /* that the last question was about; and `late` */
    struct msg_prechecked prechecked; /* the last that was told about a row of a list */
    unsigned nprechecked;
};

/* The result's element of that name (or path) has this value from now on; value "": it is left out. False: too many. */
bool stage_say(struct stage *stage, const char *name, const char *value);

/* A rule was broken: the first one is kept, in words. */
void stage_broke(struct stage *stage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct stage *stage_new(unsigned lanes);
void stage_free(struct stage **stage);
/* kill -9 and a new start on the same store: every program connects again. */
void stage_restart(struct stage *stage);

void stage_reader_state(struct stage *stage, unsigned lane, uint16_t reader, uint16_t camera);
void stage_reader_program(struct stage *stage, unsigned lane, bool up);
void stage_matcher_program(struct stage *stage, bool up);
void stage_ocr_program(struct stage *stage, bool up);
void stage_relay_program(struct stage *stage, bool up);
void stage_second_card(struct stage *stage, unsigned lane, bool there);
/* "" takes it away. */
void stage_card(struct stage *stage, unsigned lane, const char *name);

struct stage_identified {
    uint8_t pin, number_b, chain;
    int ends; /* days until the certificate ends; 0: a year; -1: it has ended */
};
void stage_identified(struct stage *stage, unsigned lane, const struct stage_identified *how);
struct stage_photo {
    uint8_t record, challenge;
    const char *birth, *sex;
};
void stage_photo(struct stage *stage, unsigned lane, const struct stage_photo *how);
void stage_signed(struct stage *stage, unsigned lane);
void stage_card_failed(struct stage *stage, unsigned lane, uint16_t failure, uint8_t tries);
/* The same, said before the reader heard of the last VISIT_BEGIN. False: it has heard of it. */
bool stage_card_failed_before(struct stage *stage, unsigned lane, uint16_t failure, uint8_t tries);
void stage_camera_failed(struct stage *stage, unsigned lane, uint16_t failure);
void stage_frame(struct stage *stage, unsigned lane);
void stage_match_ready(struct stage *stage, unsigned lane);
void stage_match_failed(struct stage *stage, unsigned lane, uint16_t failure);
void stage_match_result(struct stage *stage, unsigned lane, uint8_t decision, uint16_t hint);
void stage_ocr_result(struct stage *stage, unsigned lane, bool read, uint16_t hint);
/* kinds: see answers[] in stage.c. False: no such kind. */
bool stage_answer(struct stage *stage, unsigned lane, const char *kind);
void stage_no_answer(struct stage *stage, unsigned lane, uint8_t outcome, uint16_t failure);

/* The same for what is asked later about a slip. */
/* `day`: that the answer is about, "" as asked. */
bool stage_answer_late(struct stage *stage, const char *kind, const char *day);
void stage_no_answer_late(struct stage *stage, uint8_t outcome, uint16_t failure);

/* A face file of an official terminal; `n` stands for its bytes. False: no such kind of answer. */
bool stage_terminal(struct stage *stage, const char *kind, unsigned n, const char *at);
/* The answer to the lane's last question after its end (correlation NULL), or to one that nobody knows. */
bool stage_told_late(struct stage *stage, unsigned lane, const char *kind, unsigned n,
                     const char *correlation);

struct stage_act {
    char surface;
    unsigned action;
    uint32_t consents;
    bool stale;  /* names the step before */
    bool empty;  /* without a sealed entry */
    bool nobody; /* without the name of a member of staff */
};
void stage_act(struct stage *stage, unsigned lane, const struct stage_act *act);
struct stage_lookup {
    const char *insurer, *symbol, *number, *branch, *birth;
    uint64_t visit;
    uint16_t lane;
    bool no_limit; /* the payment limit is not asked for */
};
void stage_look_up(struct stage *stage, const struct stage_lookup *lookup);

void stage_advance(struct stage *stage, uint64_t us);
/* How many messages of a type went out to a lane (0: any) since `from` in sent[]. */
unsigned stage_count_sent(const struct stage *stage, uint16_t type, unsigned lane, size_t from);

#endif
