/*
 * desk: what the parts of the desk's core share. Private to daemon/desk/ and its tests.
 *
 * The core knows no sockets: what comes in are the functions of lane.h, action.h and ask.h, what goes out are
 * `desk_ports`. So whole days at a counter run in tests on a simulated clock.
 */
#ifndef UKETSUKE_DESK_DESK_H
#define UKETSUKE_DESK_DESK_H

#include "../common/clock.h"
#include "../common/config.h"
#include "../common/message.h"
#include "../common/visit.h"
#include "../store/store.h"
#include "decide.h"
#include "metrics.h"
#include "table.h"
#include "view.h"

#include <stdbool.h>
#include <stdint.h>

#define DESK_LANES_MAX 64
#define DESK_UPSTREAMS_MAX CONFIG_UPSTREAMS_MAX
#define DESK_ROUTES_MAX 3
#define DESK_LOOKUPS_MAX 256 /* look-ups without card that are open at once */
#define DESK_NUMBER_B_MAX 10 /* tries of 照合番号B on a fresh counter (card facts, 1.5) */
#define DESK_NUMBER_B_FEW 3  /* from here on each try needs an explicit yes */

struct desk;
struct lane;
struct visit;

enum desk_peer { PEER_READER, PEER_MATCHER, PEER_OCR, PEER_RELAY, PEER_HANDOVER };

struct desk_ports {
    void *arg;
    /* index: of the lane for PEER_READER, of the upstream for PEER_RELAY, of the output for PEER_HANDOVER. 0 or negative errno (not there). */
    int (*send)(void *arg, enum desk_peer peer, unsigned index, uint16_t type, const void *body,
                const int *fds, unsigned nfds);
    void (*lane_changed)(void *arg, const struct msg_lane_state *state);
    void (*visit_changed)(void *arg, const struct msg_visit_item *item);
    void (*preview)(void *arg, const struct msg_lane_preview *preview, int fd);
    void (*slip_changed)(void *arg, const struct msg_slip_item *item);
    void (*disaster_changed)(void *arg, const struct msg_disaster_state *state);
    void (*outbox_changed)(void *arg, const struct msg_outbox_item *item); /* NULL: nobody looks */
    void (*prechecked)(void *arg, void *asker, const struct msg_prechecked *prechecked);
};

enum genuineness_policy { POLICY_REQUIRE, POLICY_CHALLENGE_ONLY, POLICY_OFF };

struct desk_settings {
    char institution[11];
    uint8_t institution_kind;
    enum genuineness_policy genuineness;
    uint32_t consents;
    unsigned pin_tries;
    bool clock_watched;       /* the kernel is asked whether the clock follows a time server */
    bool clock_refused;       /* and where it does not, the clock is not believed */
    uint64_t again_us;        /* the same card within this time was perhaps received already */
    bool subsidy_off;         /* whether an answer tells about 医療費助成 is of no interest */
    char subsidy_element[65]; /* by which it does; "": none does */
    uint64_t negative_us;     /* for so long a negative answer serves the same card again */
    unsigned precheck_bulk;   /* rows of a list in one bulk question; 0 and 1: one by one */
    unsigned precheck_days;   /* before its day an answer told ahead may have been told, to serve */
    uint64_t limit_us[VISIT_STATE_COUNT]; /* CLOCK_NEVER for IDLE and CLOSED */
};

struct upstream {
    char name[33];
    bool up;
    uint32_t capabilities; /* declared in the configuration until the relay has spoken */
    uint8_t breaker;
    uint16_t failure;
};

/* What one event brings; members that do not belong to its kind are zero. */
struct desk_event {
    enum desk_event_kind kind;
    uint16_t failure;
    const union message_body *body; /* the message behind it */
    int fd;                         /* its descriptor, borrowed; -1 none */
    const uint8_t *sealed;          /* ciphertext of a PIN or 照合番号B, passed on unread */
    size_t sealed_len;
    uint32_t consents;
    const char *staff; /* "" or who */
    const struct store_numbers *numbers;
    bool limit_consent;
    uint16_t lane; /* LOOKUP or SLIP without a card: the lane it was keyed in for */
    const struct store_slip *slip;
    const char *proxy, *relation;
};

/* A question on its way. */
struct ask {
    struct store_ask row; /* id 0: none */
    bool sent;            /* over the present connection */
    bool may_be_there;    /* over this one or an earlier one, or by an earlier run of the desk */
    char date
        [9]; /* the confirmation date that the question named: the answer is that day's, whenever it comes */
};

/* An answer between its arrival and the step that stores it. */
struct pending_answer {
    bool there;
    bool cached;
    bool registration;
    struct decision decision;
    struct store_answer stored; /* tree and raw owned */
};

/* What is known of a visit only while the desk runs; copied as a whole before each step. */
struct visit_facts {
    uint16_t shown; /* failure on the lane's screens */
    uint8_t resume; /* enum visit_state: where the visit was when the card left */
    uint8_t pin_tries, number_b_tries;
    uint8_t pins_sent;
    bool pin_agreed, b_agreed;
    bool face_closed, pin_closed;
    uint16_t face_closed_by, pin_closed_by;
    bool photo_there; /* the matcher holds the photo */
    uint8_t chain;    /* enum genuine */
    bool consents_done, registration_tried;
    uint32_t consents_asked;
    char birth[9], sex[2]; /* as signed in the card */
    uint64_t face_started_us;
    struct {
        uint32_t len;
        uint8_t data[4096];
    } certificate;
    struct {
        uint32_t len;
        uint8_t data[512];
    } statement, signature;
    struct {
        uint32_t len;
        uint8_t data[256];
    } scanned; /* sealed reading of the card's face, until the card is back */
    bool has_numbers;
    bool limit_consent;
    struct store_numbers numbers;
};

/* What is asked later, one question at a time for the whole desk; see reconcile.h. */
struct reconcile {
    struct timer *timer;  /* when to look next, or how long to wait for an answer */
    struct store_ask row; /* id 0: nothing is under way */
    unsigned upstream;    /* that it was sent to */
    char date[9];
    uint64_t not_before_us; /* after an attempt that came to nothing */
};

/* What the relays told and the store refused; see hub.h. */
#define HUB_WAITING_MAX 32
struct hub_waiting {
    unsigned upstream;
    struct message message; /* with descriptors of its own */
};
struct hub {
    struct timer *timer;
    struct hub_waiting waiting[HUB_WAITING_MAX];
    size_t n;
};

/* Rows of tomorrow's list that are asked about; see precheck.h. */
struct precheck_row {
    struct msg_precheck entry;
    struct store_numbers numbers;
};
struct precheck {
    struct timer *timer;
    void *asker;    /* NULL: nobody waits for it (any more) */
    uint64_t asked; /* request towards the relay, 0: nothing is under way */
    uint64_t count;
    unsigned upstream;
    char date[9];              /* all rows are about this day */
    struct precheck_row *rows; /* gathered, or under way */
    unsigned n, room;
};

/* Disaster mode as it stands in the store; cause 0: off. See disaster.h. */
struct disaster {
    struct store_disaster open;
    struct timer *timer;
};

struct visit {
    struct desk *desk;
    struct lane *lane; /* NULL: a look-up without card */
    struct store_visit record;
    struct visit_facts facts;
    struct ask ask;
    uint64_t cancel_request;  /* of the question that ended with this step unanswered */
    unsigned cancel_upstream; /* where it was asked */
    struct pending_answer answer;
    enum desk_event_kind next; /* raised by a note, handled after its step; EVENT_COUNT none */
    uint16_t next_failure;
    bool begun;      /* the reader knows this visit */
    bool busy;       /* it was asked something that it has not answered yet */
    bool matching;   /* the matcher knows it */
    bool filming;    /* the camera runs for it */
    unsigned credit; /* frames that the reader may still send; what comes beyond is not passed on */
    bool scanning;   /* the OCR knows it */
    bool unsaved;    /* the store refused the last step: state is STAFF, not on the disk */
    uint64_t state_since_us;
    struct timer *limit;
    struct timer *again; /* the next question, or the next attempt to store */
    struct visit *next_hash;
    struct visit *next_lookup;
};

struct lane {
    struct desk *desk;
    uint16_t number;
    unsigned index;
    unsigned upstream;
    char label[65];
    bool reader_up; /* the reader program is connected */
    bool heard;     /* and has said how the reader is */
    unsigned keys;  /* VISIT_BEGINs that it has not answered by their key yet */
    struct msg_reader_state reader;
    bool card;       /* a card lies there */
    bool card_spent; /* and its visit is over: the next begins only after it was lifted */
    bool store_trouble;
    struct visit *visit; /* never NULL; state IDLE while there is none */
    uint32_t step;
    uint32_t offers; /* as last shown */
    uint16_t hint;
    uint16_t box[4];
    struct {
        uint32_t len;
        uint8_t data[65];
    } key;
    struct timer *retry; /* after the store refused to open a visit */
};

#define DESK_HASH 256

struct desk {
    struct clock *clock;
    struct store *store;
    struct desk_settings settings;
    struct desk_ports ports;
    struct lane *lanes[DESK_LANES_MAX];
    unsigned nlanes;
    struct upstream upstreams[DESK_UPSTREAMS_MAX];
    unsigned nupstreams;
    struct {
        uint32_t capability;
        unsigned upstream;
    } routes[DESK_ROUTES_MAX];
    unsigned nroutes;
    bool matcher_up, ocr_up;
    struct visit *by_id[DESK_HASH];
    struct visit *lookups;
    unsigned nlookups;
    struct metrics metrics;
    struct reconcile reconcile;
    struct disaster disaster;
    struct hub hub;
    struct outbox *outbox; /* see outbox.h */
    struct precheck precheck;
    struct views views;
    /* The wall clock as last believed, and when that was; see desk_check_clock(). */
    uint64_t wall_us, wall_monotonic_us;
    bool clock_doubtful;
    bool clock_loose; /* it followed no time server when it was looked at */
};

/* `store` is borrowed; `ports` and `settings` are copied. -ENOMEM. */
int desk_new(struct desk **out, struct clock *clock, struct store *store,
             const struct desk_settings *settings, const struct desk_ports *ports);
/* Open visits stay open in the store. Accepts and stores NULL. */
void desk_free(struct desk **desk);
/* Index of the upstream of that name, made when new. Negative: too many. */
int desk_add_upstream(struct desk *desk, const char *name, uint32_t capabilities);
/* What this kind of question is asked elsewhere than at the lane's upstream. -EINVAL: not a kind that can be, or said twice. */
int desk_add_route(struct desk *desk, uint32_t capability, unsigned upstream);
/* Index of the upstream that is asked for a lane (0 or unknown: the first one). `capability` 0: the lane's own. */
unsigned desk_upstream_for(const struct desk *desk, uint16_t lane, uint32_t capability);
int desk_add_lane(struct desk *desk, uint16_t number, const char *label, unsigned upstream);

struct lane *desk_lane(struct desk *desk, uint16_t number);
/* The open visit of that id, NULL when it is not open. */
struct visit *desk_visit(struct desk *desk, uint64_t id);
/* Today in Japan, YYYYMMDD; and the day of a time (microseconds since 1970). */
void desk_today(const struct desk *desk, char out[9]);
void desk_day(int64_t us, char out[9]);
/* YYYYMMDD as days since 1970, to count between two days. */
long desk_day_number(const char *day);

/*
 * May the wall clock be believed? Not before this program's own time, nor after a step back of more than a few
 * minutes while it ran: yesterday's answers would be today's again. Then nothing is asked, served from the cache or
 * dated, until the clock has caught up or the desk was restarted; where it is configured so, also while it follows no
 * time server. Lanes are shown anew when it changes.
 */
bool desk_check_clock(struct desk *desk);
/* As clock_synchronised(); 1 where nobody wants to know. */
int desk_clock_synchronised(const struct desk *desk);
/* The time, or what it ought to be while the clock is in doubt; microseconds since 1970. */
uint64_t desk_wall_us(const struct desk *desk);

#endif
