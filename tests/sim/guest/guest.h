/*
 * guest: plays patient, receptionist and fate against running desks, only through what they have:
 * the kiosk's and board's HTTP, cards and camera of the simulated device, the services' control and
 * their ledgers. It shares no code with the product.
 */
#ifndef SIM_GUEST_H
#define SIM_GUEST_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

uint64_t guest_now_ms(void);
void guest_sleep_ms(unsigned milliseconds);
/* Is `word` one of "a|b|c"? */
bool guest_among(const char *list, const char *word);

/* ---- http.c: requests to uketsuke-web -------------------------------------------------------- */

enum surface { KIOSK, BOARD };

struct http;
struct http *http_new(const char *base_url, const char *kiosk_token, const char *staff_token);
void http_free(struct http **http);
/* NULL when there was no answer in JSON; *status is the HTTP status, 0 without one. body NULL: GET.
 */
json_t *http_ask(struct http *http, enum surface surface, const char *path, json_t *body,
                 long *status);

/* ---- line.c: control sockets of the simulators and the launcher ------------------------------ */

/* One line out, one line in (without its end). False when nobody answers or the answer is an error.
 */
bool line_ask(const char *socket_path, const char *line, char *answer, size_t size);

/* ---- seal.c: what the kiosk page does with WebCrypto ----------------------------------------- */

/*
 * purpose "pin" or "number-b"; key in base64 as the kiosk got it. Returns base64 to be freed, or
 * NULL. P-256 ECDH, HKDF-SHA-256, AES-256-GCM: the format is in the man page of uketsuke-reader.
 */
char *seal_entry(const char *purpose, uint64_t visit, const char *key_base64, const char *digits);

/* ---- card.c: what a patient knows of a card -------------------------------------------------- */

struct card_facts {
    char pin[8];
    char number_b[24]; /* 14 digits: birth in the era, expiry year, security code */
};
bool card_facts_read(struct card_facts *out, const char *cards_directory, const char *name);

/* ---- site.c: one desk with its lanes, and the guest's own book about it ---------------------- */

#define SITE_LANES_MAX 64

struct site {
    char directory[256];
    char cards[256]; /* directory of the .card files */
    char port[8];
    char launcher[300];
    struct {
        int number;
        char place[24];
    } lanes[SITE_LANES_MAX];
    int nlanes;
    FILE *book;
    pthread_mutex_t lock;
};

/* Reads what make-desk.sh wrote; says on stderr what is missing. */
bool site_open(struct site *site, const char *directory);
void site_close(struct site *site);
/* Until every program of the launcher says that it is ready. */
bool site_ready(const struct site *site, int seconds);
/*
 * Until the desk says that each service answers. A relay whose service began after it, or was away, may have given up
 * for some seconds: it finds out by itself, and asks nobody's question before that.
 */
bool site_served(struct site *site, int seconds);
/* One line of log/book.jsonl: what was done and seen, never a digit of what was keyed in. Takes
 * `line`. */
void site_note(struct site *site, json_t *line);

/* ---- stage.c: one visit at one lane ---------------------------------------------------------- */

#define STAGE_SEEN_MAX 16

struct stage {
    struct http *http;
    struct site *site;
    int lane;
    char device[300];  /* control socket of the lane's device */
    char service[300]; /* of the service that the lane's upstream asks */
    char ledger[300];
    uint64_t visit;                /* 0: none */
    uint64_t last_visit;           /* the newest seen */
    uint64_t seen[STAGE_SEEN_MAX]; /* all since stage_begin() */
    int nseen;
    int step;
    int pin_tries, number_b_tries; /* as the lane shows them; -1 not known */
    char state[32];
    char failure[8];
    char key[128];
    char offers[256];  /* "a|b" */
    char card[48];     /* lies there; "" none */
    char problem[320]; /* what went wrong in words; "" so far so good */
    unsigned consents; /* bits in the order of stage_consent_names: what the patient says yes to */
};

bool stage_open(struct stage *stage, struct site *site, int lane_index);
void stage_close(struct stage *stage);
/* Forgets what was seen and what went wrong. */
void stage_begin(struct stage *stage);

/* All return false with stage->problem set; a stage with a problem does nothing more. */
bool stage_fail(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool stage_device(struct stage *stage, const char *command);
bool stage_place(struct stage *stage, const char *card);
bool stage_take(struct stage *stage);
bool stage_look(struct stage *stage);
/* Wait until the lane is in one of the states ("a|b"). */
bool stage_wait(struct stage *stage, const char *states, int milliseconds);
/* And shows this failure; "" none, NULL any. */
bool stage_wait_for(struct stage *stage, const char *states, const char *code, int milliseconds);
bool stage_act(struct stage *stage, enum surface surface, const char *action);
bool stage_consent(struct stage *stage);
/* kind "pin" or "number-b"; `right`: are they the card's? */
bool stage_enter(struct stage *stage, const char *kind, const char *digits, bool right);
/* words: insurer, symbol, number, branch, birth ("-" is empty). link: for the visit of this lane.
 */
bool stage_lookup(struct stage *stage, char *const words[5], bool link);
/* Takes `body`. code NULL: it must be accepted, else refused with that code. */
bool stage_post(struct stage *stage, const char *path, json_t *body, const char *code);
/* The slip of the first visit seen comes to that state; that visit is the last one from then on. */
bool stage_slip(struct stage *stage, const char *state, int milliseconds);
bool stage_decided(struct stage *stage, int milliseconds);
/* handed.c: of the last visit. What goes to the target comes to that state, with that failure ("-": none). */
bool stage_handed(struct stage *stage, const char *target, const char *state, const char *code);
/* So many files of the desk's directory are called so. */
bool stage_files(struct stage *stage, size_t wanted, const char *pattern);
/* The board shows an element of that name in its answer, or none any more. */
bool stage_answer(struct stage *stage, bool has, const char *name);
/* The visit as the board has it; to be released with json_decref. */
json_t *stage_visit(struct stage *stage, uint64_t visit);
/* Questions of these visits in the service's ledger. */
long stage_questions(const struct stage *stage);
/* Tries left: of the user PIN, of 照合番号B in the visual and in the text application; -1 there is
 * none. */
bool stage_counters(struct stage *stage, const char *card, int out[3]);

/* ---- script.c: a table of visits in a file --------------------------------------------------- */

#define SCRIPT_STEPS_MAX 48

struct ending {
    char method[12], outcome[16], code[8]; /* "-": no failure */
    int asked;
    char counters[3][8]; /* "3>2", "": unchanged */
    char flags[48], record[16], challenge[16];
};

struct plan {
    int line;
    int family; /* index in script.families */
    char name[40], words[160];
    char place[24];
    char claims[160]; /* cards and people it needs for itself: "|a|b|" */
    struct ending ends;
    char *steps[SCRIPT_STEPS_MAX];
    int nsteps;
};

struct script {
    const char *path;
    struct {
        char name[24], words[80];
    } families[40];
    int nfamilies;
    struct {
        char name[24];
        char *steps;
    } ways[40];
    int nways;
    struct plan *plans;
    int nplans;
};

/* Says what is wrong with which line. */
bool script_read(struct script *script, const char *path);
void script_free(struct script *script);

/* ---- steps.c: one step of a script ----------------------------------------------------------- */

/* `beside`: the lane that steps with that word go to, or NULL. */
bool step_take(struct stage *stage, struct stage *beside, const char *step);
/* A signal for a program of the launcher; after SIGKILL it has been started anew. */
bool step_kill(struct stage *stage, const char *program, int signal_number);

/* ---- run.c: the visits of `make run` --------------------------------------------------------- */

/* Drives the whole table over every lane that fits, prints a line a visit; returns how many did not
 * end as said. */
int run_visits(struct site *sites, int nsites, const struct script *script, const char *family);

/* ---- part.c: parts of a visit ---------------------------------------------------------------- */

/*
 * part: a state, up to which a visit is driven; "finish", the visit at the lane to its end; "loop",
 * visits until killed. A line "visit|closed|wrong ID OUTCOME WORDS" each.
 */
int run_part(struct site *site, const char *part, const char *method, unsigned seconds);

/* ---- kills.c: every program killed in every state -------------------------------------------- */

/*
 * One cell after another on each desk. `table`: where all cells are written down first. family:
 * NULL all; of the cells every n-th from the k-th on. Returns how many did not end as said.
 */
int run_kills(struct site *sites, int nsites, const char *file, const char *table,
              const char *family, int k, int n);

/* ---- pulls.c: a card pulled at every command ------------------------------------------------- */

/* `table`, `family`, k and n as above. Returns how many did not end as said. */
int run_pulls(struct site *site, const char *file, const char *table, const char *family, int k,
              int n);

/* ---- soak.c: a long random day at many lanes ------------------------------------------------- */

/* Prints what happened, then memory and descriptors; returns how much was wrong. */
int run_soak(struct site *site, unsigned seconds, unsigned long seed);

/* ---- lanes.c: many lanes, three of them stuck ------------------------------------------------ */

/* So many visits a lane and round. Returns how many went wrong. */
int run_lanes(struct site *site, int visits);

#endif
