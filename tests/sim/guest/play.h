/*
 * play: families of visits read from a file, and a patient and staff who simply do what the screen
 * asks for, whatever befalls the visit in between. kills.c kills programs meanwhile, pulls.c pulls
 * the card.
 *
 *   programs NAME...         (kills) "reader" and "device" are those of the lane, "relay" that of
 *                            its upstream
 *   family NAME WORDS        begins a family; the lines below belong to it
 *     at PLACE               main unless said
 *     card CARD[|CARD...] [FILM]   of several each cell takes the next
 *     lookup NUMBERS...      in place of a card: its states are the board's
 *     slip                   in place of a card: its states are "none" until staff file it
 *                            (`when none:`), "filed" while its result stands, then the slip's own;
 *                            of one that waits: "asking" once the service was asked, "refused" once
 *                            that came to nothing
 *     first STEP; STEP...    before each cell
 *     then STEP; STEP...     (kills) after the kill
 *     last STEP; STEP...     when the visit is decided
 *     stays                  (kills) what was done to the service stays until the visit is decided
 *     when STATE: STEPS      what patient and staff do when the lane shows it
 *     once STATE: STEPS      the first time instead
 *     before STATE in STATE: STEPS   on the way to that state, so that it lasts
 *     linger MS STATE...     (kills) the kill comes so long after the state began: what was sent
 *                            arrived
 *     states STATE...        (kills) in which each program is killed; "a>b": in b after a was seen
 *     ends METHOD[|METHOD] OUTCOME CODE[|CODE] within SECONDS
 *     except PROGRAM,... STATE,...: METHOD OUTCOME CODE within SECONDS
 *     gone, gone-last METHOD OUTCOME CODE within SECONDS   (pulls) when the card does not come
 *                            back; after its last command
 */
#ifndef SIM_PLAY_H
#define SIM_PLAY_H

#include "guest.h"

#define PLAY_FAMILIES_MAX 24
#define PLAY_RULES_MAX 24

struct ends {
    char method[12], outcome[16], code[24];
    unsigned seconds;
};

struct rule {
    char state[40], in[24];
    char *steps;
    bool once;
};

struct except {
    char programs[80], states[160];
    struct ends ends;
};

struct family {
    char name[24], words[80], place[24], cards[160], film[24];
    char *lookup, *first, *then, *last;
    struct rule when[PLAY_RULES_MAX], before[PLAY_RULES_MAX];
    int nwhen, nbefore;
    char states[12][40], lingers[12][40];
    int nstates, nlingers;
    unsigned linger_ms;
    bool slip, stays;
    struct ends ends, gone, gone_last;
    struct except except[PLAY_RULES_MAX];
    int nexcept;
};

struct families {
    char programs[12][16];
    int nprograms;
    struct family list[PLAY_FAMILIES_MAX];
    int n;
};

/* Says which line cannot be understood. */
bool families_read(struct families *families, const char *path);
void families_free(struct families *families);
/* Without a card at a lane. */
bool family_on_board(const struct family *family);

struct play {
    const struct family *family;
    struct stage *stage;
    const struct ends *ends;
    const char *aim; /* state that `before` rules lead to; NULL none */
    char after[24];  /* "a" of an aim "a>b": must be seen first */
    char target[24];
    bool seen_after;
    bool leaves;   /* takes the card and does not come back */
    bool saw_lost; /* the lane asked for the card with CARD_REMOVED */
    unsigned once; /* rules of that kind that were used */
    int acted_step;
    uint64_t acted_ms;
    char acted_state[32];
    char card[40];
};

/* aim NULL: none. */
void play_begin(struct play *play, const struct family *family, struct stage *stage,
                const struct ends *ends, const char *aim);
/* The next of "a|b|c". */
void play_pick_card(const char *cards, unsigned turn, char *out, size_t size);
/* "STEP; STEP": of a script, or "consent" with what the stage says yes to. */
bool play_steps(struct stage *stage, const char *steps);
/* Until over() holds; false at `end` (guest_now_ms). The same screen is answered again after a
 * second. */
bool play_until(struct play *play, bool (*over)(struct play *), uint64_t end);
bool play_there(struct play *play);
bool play_decided(struct play *play);
/* One visit, closed, that ended as said; the card's counters are `counters` now (NULL: no card). */
bool play_check(struct play *play, const int counters[3]);
/* After something went wrong: an empty reader, no faults, a good service, and the lane idle if it
 * can be. */
void play_tidy(struct stage *stage);
void play_print_ends(const struct ends *ends);

#endif
