/*
 * folder: the folder protocol of a 資格確認端末, step by step; what is durable in it survives a
 * kill at any point.
 *
 * Sending: the request is written whole into the work folder and synced; then a slip
 * (folder_slip.h) says that it may be on its way; then it is moved into `req`. So after a crash a
 * request without a slip            was never sent: it is thrown away, a request with its slip was
 * not moved: neither was it sent, a slip without its request          was sent: its answer is
 * waited for, and it is never sent again. An answer is the file in `res` with the request's suffix;
 * it is taken when two readings some time apart are the same and it is a message of our institution
 * and identifier. The slip then becomes a `done` mark; after that the answer's file goes, and the
 * mark last.
 *
 * Face files are read and never touched; a mark in the work folder, by the hash of the content,
 * says which were taken over by the desk.
 *
 * Synchronous, one thread, no clock of its own: every call may block as long as the mount does
 * (folder_worker.h).
 */
#ifndef UKETSUKE_RELAY_FOLDER_H
#define UKETSUKE_RELAY_FOLDER_H

#include "codec_xml.h"
#include "folder_disk.h"
#include "folder_slip.h"

#define FOLDER_HASH 32
#define FOLDER_FACE_PREFIX "OQSsiquc01res_face_"

/* Why a file that could be the answer is not taken. */
enum folder_fault {
    FOLDER_FAULT_NONE,
    FOLDER_FAULT_TRUNCATED, /* the beginning of a message: perhaps still being written */
    FOLDER_FAULT_MESSAGE,   /* no message that can be read */
    FOLDER_FAULT_FOREIGN,   /* another institution's or another request's */
    FOLDER_FAULT_KIND,      /* no regular file */
    FOLDER_FAULT_LARGE,
    FOLDER_FAULT_LOCKED,
    FOLDER_FAULT_DISK, /* the folder cannot be used: `error` */
    FOLDER_FAULTS
};
const char *folder_fault_ja(enum folder_fault fault);
const char *folder_fault_en(enum folder_fault fault);

enum folder_event_kind {
    FOLDER_EVENT_SLIP,      /* recovery: this was sent and not finished */
    FOLDER_EVENT_ANSWERED,  /* recovery: this was answered, and not taken over by the desk */
    FOLDER_EVENT_SENT,      /* `error` 0: it is in req. Else `unknown`: may it be there? */
    FOLDER_EVENT_TAKEN,     /* the other side has taken the request file */
    FOLDER_EVENT_ANSWER,    /* tree and raw are given away */
    FOLDER_EVENT_FAULT,     /* of the answer to `slip`, said once for each kind of fault */
    FOLDER_EVENT_WITHDRAWN, /* `error` 0: it was still in req, and is gone from there */
    FOLDER_EVENT_FACE,      /* a face file; tree and raw are given away */
    FOLDER_EVENT_FACES,     /* what else lies there: `faces` */
    FOLDER_EVENT_SKEW,      /* by how much the folder's clock is ahead of ours: `skew_us` */
    FOLDER_EVENT_DISK,      /* a round ended: `error` 0, or the folder cannot be used */
};

struct folder_faces {
    unsigned known;   /* files of the prefix */
    unsigned foreign; /* of another institution */
    unsigned faulty;  /* no messages */
    bool many;        /* more than are looked at */
};

struct folder_event {
    enum folder_event_kind kind;
    struct folder_slip slip;
    int error;
    bool unknown;
    enum folder_fault fault;
    struct xmlmsg *tree;
    uint8_t *raw;
    size_t raw_len;
    uint8_t hash[FOLDER_HASH]; /* SHA-256 of the raw bytes */
    int64_t skew_us;
    struct folder_faces faces;
};

struct folder_setup {
    struct folder_disk disk;
    struct codec_xml *codec; /* for this thread only; borrowed */
    int notify;              /* inotify descriptor that the folders are watched with; -1: none */
    char institution[11];
    size_t most;          /* bytes of a file */
    uint64_t settle_us;   /* between the two readings */
    bool faces;           /* look at `face` */
    uint64_t face_age_us; /* older ones, by the folder's own clock, are not told */
    void (*event)(void *arg, struct folder_event *event);
    void *arg;
};

struct folder;

int folder_new(struct folder **out, const struct folder_setup *setup);
void folder_free(struct folder **folder);

/* Once, first: what a killed relay left behind is finished or told. Also measures the clock. */
void folder_recover(struct folder *folder, uint64_t now_us, int64_t realtime_us);
/* The slip's answer is looked for from then on. Told: SENT. */
void folder_send(struct folder *folder, const struct folder_slip *slip, const void *xml, size_t len,
                 int64_t realtime_us);
/* Its answer has reached the desk: from now on it is answered, whatever happens. */
void folder_done(struct folder *folder, const struct folder_slip *slip);
/* Nothing more is wanted of it: the answer's file and the slip go. */
void folder_drop(struct folder *folder, const struct folder_slip *slip);
/* A request that only reads, if it still lies in req: told as WITHDRAWN, and dropped when it did.
 */
void folder_withdraw(struct folder *folder, const struct folder_slip *slip);
/* The desk keeps this face file: never told again, also after a restart. */
void folder_face_taken(struct folder *folder, const uint8_t hash[FOLDER_HASH]);
/* Tell the faces again that were told and not taken (a desk has come). */
void folder_faces_again(struct folder *folder);
/* One round of looking. Returns when the next has to be at the latest; UINT64_MAX: no file is being
 * waited for. */
uint64_t folder_step(struct folder *folder, uint64_t now_us);

#endif
