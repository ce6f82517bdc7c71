/* What folder.c (requests and answers) and folder_face.c (face files) share. Private to the two. */
#ifndef UKETSUKE_RELAY_FOLDER_INTERNAL_H
#define UKETSUKE_RELAY_FOLDER_INTERNAL_H

#include "folder.h"

#define FOLDER_ENTRIES_MAX 256

/* A file between its two readings. */
struct folder_reading {
    bool once;  /* read, and waiting for the second time */
    bool tried; /* settled, and found to be no use: not read again before it changes */
    uint64_t at_us;
    uint8_t hash[FOLDER_HASH];
    struct folder_stat stat;
};

struct folder_entry {
    bool used;
    bool taken;    /* the request is gone from req */
    bool answered; /* its answer was told: whatever the file becomes is not looked at */
    struct folder_slip slip;
    struct folder_reading reading;
    unsigned told; /* faults that were told: one bit each */
};

struct folder_face_table;

struct folder {
    struct folder_setup setup;
    struct folder_entry entries[FOLDER_ENTRIES_MAX];
    struct folder_face_table *faces;
    int64_t clock_base_us; /* the folder's clock when our monotonic clock was 0 */
};

enum folder_settled { FOLDER_SETTLED, FOLDER_WAIT, FOLDER_FAULTY };

/*
 * Reads the file once more. FOLDER_SETTLED: *data is what it is, twice in a row; FOLDER_WAIT: not
 * yet (*next: look again by then); FOLDER_FAULTY: *error. -ENOENT is FOLDER_WAIT.
 */
enum folder_settled folder_settle(struct folder *folder, enum folder_place place, const char *name,
                                  struct folder_reading *reading, uint64_t now_us, uint64_t *next,
                                  uint8_t **data, size_t *len, int *error);
/* The bytes as a message; the fault when they are none. */
enum folder_fault folder_parse(struct folder *folder, const uint8_t *data, size_t len,
                               struct xmlmsg **tree);
enum folder_fault folder_fault_of(int error);
void folder_tell(struct folder *folder, struct folder_event *event);
void folder_wipe(uint8_t *data, size_t len);

int folder_faces_new(struct folder_face_table **out);
void folder_faces_free(struct folder_face_table **faces);
/* Marks that nobody needs any more go. */
void folder_faces_recover(struct folder *folder, uint64_t now_us);
/* 0 or what is wrong with the folder. */
int folder_faces_step(struct folder *folder, uint64_t now_us, uint64_t *next);

#endif
