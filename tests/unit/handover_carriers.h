/*
 * handover_carriers: who carries what in the walk of the hand-over, with the steps that a life may end at: the file
 * protocol is the product's, receivers write down what they got (handover_world.h).
 */
#ifndef TESTS_HANDOVER_CARRIERS_H
#define TESTS_HANDOVER_CARRIERS_H

#include "daemon/desk/desk.h"
#include "daemon/relay/folder_disk.h"

#include <stdbool.h>
#include <stdint.h>

#define KILLED 9
#define CONSENT_ENDS                                                                               \
    INT64_C(1785628800) /* 2026-08-02 09:00 in Japan, a day after the clock begins */

struct plan {
    bool
        busy; /* the receipt computer takes a file as soon as it is there; else between two lives only */
    int at;         /* the step that this life ends at; 0: it lives to its end */
    int error;      /* not 0: a step at the folder fails so instead, and the life goes on */
    bool bulk;      /* two patients and their numbers, nothing else */
    bool deaf;      /* nobody takes the hook, for hours */
    bool stuck;     /* nothing can be moved into the chart's folder, for days */
    bool terminal;  /* the visit is a terminal's face file */
    bool late;      /* this life begins after the consent's end */
    bool withdrawn; /* the service says no to the document */
};

extern struct life {
    const struct plan *plan;
    int steps;
    bool failed;
    struct desk *desk;
    struct folder_disk disk, chart_disk; /* of face files, of documents */
} life;

extern const char terminal_bytes[]; /* a terminal's face file as it came */

/* What lies where others look is taken. */
void carriers_files_taken(const char *face, const char *chart);
/* arg: the disk that it happens at, NULL anywhere else. What a folder_disk's `before` is. */
int carriers_step(void *arg, const char *step);
/* A desk's port. */
int carriers_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type, const void *body,
                  const int *fds, unsigned nfds);
/* What came back is delivered between two calls, as from an event loop. */
void carriers_answer(void);

#endif
