/*
 * guest: plays patient, receptionist and fate against a running desk, only through what they have: the kiosk's
 * and board's HTTP, cards and camera of the simulated device, the service's control and its ledger.
 * It shares no code with the product.
 */
#ifndef SIM_GUEST_H
#define SIM_GUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- http.c: requests to uketsuke-web ---------------------------------------------------------------------- */

enum surface { KIOSK, BOARD };

struct http;
struct http *http_new(const char *base_url, const char *kiosk_token, const char *staff_token);
void http_free(struct http **http);
/* NULL when there was no answer in JSON; *status is the HTTP status, 0 without one. body NULL: GET. */
json_t *http_ask(struct http *http, enum surface surface, const char *path, json_t *body, long *status);

/* ---- line.c: control sockets of the simulators and the launcher ---------------------------------------------- */

/* One line out, one line in (without its end). False when nobody answers or the answer is an error. */
bool line_ask(const char *socket_path, const char *line, char *answer, size_t size);

/* ---- seal.c: what the kiosk page does with WebCrypto ----------------------------------------------------------- */

/*
 * purpose "pin" or "number-b"; key in base64 as the kiosk got it. Returns base64 to be freed, or NULL.
 * P-256 ECDH, HKDF-SHA-256, AES-256-GCM: the format is in the man page of uketsuke-reader.
 */
char *seal_entry(const char *purpose, uint64_t visit, const char *key_base64, const char *digits);

/* ---- card.c: what a patient knows of a card ---------------------------------------------------------------------- */

struct card_facts {
    char pin[8];
    char number_b[24]; /* 14 digits: birth in the era, expiry year, security code */
};
bool card_facts_read(struct card_facts *out, const char *cards_directory, const char *name);

/* ---- stage.c: one visit at one lane ------------------------------------------------------------------------------- */

struct stage {
    struct http *http;
    const char *desk;  /* directory of the desk */
    const char *cards; /* directory of the .card files */
    int lane;
    char device[256];  /* control socket of the lane's device */
    char service[256]; /* control socket of the service */
    char launcher[256];
    char ledger[256];
    uint64_t visit;
    uint64_t last_visit;
    int step;
    char state[32];
    char failure[8];
    char key[128];
    char problem[256]; /* what went wrong in words; "" so far so good */
    long ledger_before;
    unsigned consents; /* 1 limit, 2 drugs, 4 checkup: what the patient says yes to */
};

/* All return false with stage->problem set; a stage with a problem does nothing more. */
bool stage_device(struct stage *stage, const char *command);
bool stage_look(struct stage *stage);
/* Wait until the lane is in one of the states ("a|b"). */
bool stage_wait(struct stage *stage, const char *states, int milliseconds);
bool stage_act(struct stage *stage, enum surface surface, const char *action);
bool stage_consent(struct stage *stage);
bool stage_send(struct stage *stage, const char *action, const char *purpose, const char *digits);
bool stage_fail(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
long stage_ledger_lines(const struct stage *stage);
/* The visit as the board has it; to be released with json_decref. */
json_t *stage_visit(struct stage *stage, uint64_t visit);

/* ---- visits.c: the visits of `make run` ----------------------------------------------------------------------------- */

struct visit_plan {
    const char *name;
    const char *ja;
    const char *en;
    bool (*run)(struct stage *stage);
};
extern const struct visit_plan visit_plans[];

/* ---- kills.c: every program killed in the middle of a visit ------------------------------------------------------------ */

/* Prints a line a cell; returns how many did not end as the table says. */
int kills_run(struct stage *stage, int *cells);

#endif
