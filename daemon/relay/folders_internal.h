/* What folders.c (the contract) and folders_life.c (a question's life) share. Private to the two.
 */
#ifndef UKETSUKE_RELAY_FOLDERS_INTERNAL_H
#define UKETSUKE_RELAY_FOLDERS_INTERNAL_H

#include "breaker.h"
#include "folder_request.h"
#include "folder_worker.h"
#include "upstream.h"

struct sd_event_source;

#define BREAKER_LIMIT 4
#define BREAKER_OPEN_US (3 * CLOCK_SECOND)
#define BREAKER_OPEN_MAX_US (30 * CLOCK_SECOND)
#define KEEP_S (24 * 3600) /* what nobody asks for any more, and what was written */
#define REQUESTS_MAX 128
#define SKEW_US (120 * (int64_t)CLOCK_SECOND)
#define SHUT_ROUNDS 20
#define UPKEEP_US (10 * CLOCK_MINUTE)

enum stage {
    STAGE_QUEUED,
    STAGE_SENDING,
    STAGE_WAITING,  /* for its answer */
    STAGE_RESTING,  /* between two questions for a bulk result */
    STAGE_UNHEARD,  /* answered, and no desk is there to be told */
    STAGE_ANSWERED, /* told; what was written is remembered until the desk keeps it */
};

struct folders;

struct request {
    struct request *next;
    struct folders *folders;
    struct folder_slip slip;
    enum stage stage;
    /* who waits for it */
    bool asked;
    struct upstream_question question; /* its tree is gone */
    struct timer *timer; /* the asker's end; or, `ending`, the next turn of the loop */
    bool ending;
    struct upstream_answer end;
    /* the file */
    char *xml; /* queued */
    size_t len;
    struct timer *rest; /* untaken for too long; or the next question for a bulk result */
    bool taken;
    bool unwanted; /* cancelled: its answer is thrown away */
    bool probe;    /* left in req to tell when the terminal is back */
    bool known;    /* it is in the folder: SENT came, or it was found at the start */
    bool trial;    /* the breaker's one try */
    enum folder_fault fault;
    /* unheard or answered */
    struct xmlmsg *tree;
    uint8_t *raw;
    size_t raw_len;
    uint8_t hash[FOLDER_HASH];
};

struct face {
    struct face *next;
    struct xmlmsg *tree;
    uint8_t *raw;
    size_t raw_len;
    uint8_t hash[FOLDER_HASH];
};

struct folders {
    struct upstream upstream;
    struct upstream_setup setup;
    char paths[FOLDER_PLACES][4096];
    struct cage_path cage_paths[FOLDER_PLACES];
    struct cage_spec cage;
    struct codec_xml *codec;        /* the loop's, for writing */
    struct codec_xml *worker_codec; /* the thread's, for reading */
    struct folder_worker *worker;
    int notify;
    struct sd_event_source *notify_source;
    struct timer *scan;
    bool recovered; /* what an earlier run has sent is known: before that nothing is sent */
    bool recovering;
    bool stepping; /* a round is under way */
    bool again;    /* and something has happened meanwhile */
    struct timer *upkeep;
    struct breaker breaker;
    uint16_t last_failure;
    int disk_error; /* of the last round */
    unsigned shut;  /* rounds in a row that nothing was let in */
    uint32_t capabilities;
    enum codec_xml_encoding encoding;
    uint64_t scan_us, taken_us, poll_us;
    unsigned sessions;
    int64_t answered_at; /* realtime of the last answer or taken request, 0 never */
    int64_t skew_us;
    struct folder_faces faces;
    struct request *first;
    size_t nrequests;
};

int64_t folders_wall_s(const struct folders *folders);
uint64_t folders_now_us(const struct folders *folders);
/* A round of looking, in `us` at the latest. */
void folders_look_soon(struct folders *folders, uint64_t us);
void folders_post(struct folders *folders, enum folder_command_kind kind,
                  const struct folder_slip *slip);

/* NULL: too many, or out of memory. */
struct request *request_new(struct folders *folders);
void request_free(struct request *request);
/* On the next turn of the loop. */
void request_end_soon(struct request *request, enum retry_outcome outcome, uint16_t failure);
/* As many of those that wait for a place as there are places. */
void request_send_queued(struct folders *folders);
/* Nobody asks any more: a read that still lies in req is taken back, or left there as the probe. */
void request_take_back(struct request *request);
/* The file's answer is there: it goes to whoever waits for it, else to the desk as late, else it
 * waits. */
void request_deliver(struct request *request);
/* Nothing more of it is wanted, here or in the folder. */
void request_drop(struct request *request);

/* Recovery has ended: what was asked meanwhile joins what is on its way, or is sent. */
void folders_recovered(struct folders *folders);

void folders_event(void *arg, struct folder_event *event);
void folders_ended(void *arg, enum folder_command_kind kind, uint64_t next_us);
void folders_hangs(void *arg, bool hangs);

#endif
