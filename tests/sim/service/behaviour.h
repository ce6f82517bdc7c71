/*
 * Bad days: how the service misbehaves, set at run time by the control socket.
 *
 * One standing behaviour and a queue of scripted ones ("the next N requests"). Each may be limited
 * to paths that end in a given text. Callers serialise by the service's lock.
 */
#ifndef SIM_SERVICE_BEHAVIOUR_H
#define SIM_SERVICE_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>

/* What the answer is made of. */
enum behaviour_answer {
    BEHAVIOUR_ANSWER_TRUE,       /* the room handles the request as always */
    BEHAVIOUR_ANSWER_NONE,       /* nothing is done and nothing is answered */
    BEHAVIOUR_ANSWER_STATUS,     /* an HTTP status */
    BEHAVIOUR_ANSWER_GARBAGE,    /* 200, application/json, bytes that are not JSON */
    BEHAVIOUR_ANSWER_REDIRECT,   /* 302 to another host */
    BEHAVIOUR_ANSWER_SEGMENT,    /* XmlMsg: the whole request failed */
    BEHAVIOUR_ANSWER_PROCESSING, /* XmlMsg: the body says error */
    BEHAVIOUR_ANSWER_PENDING,    /* XmlMsg: SegmentOfResult 2, ask again */
};

/* How it goes on the wire. */
enum behaviour_transfer {
    BEHAVIOUR_TRANSFER_WHOLE,
    BEHAVIOUR_TRANSFER_LATE,    /* after number milliseconds */
    BEHAVIOUR_TRANSFER_HALF,    /* cut without a TLS goodbye in the middle of the body */
    BEHAVIOUR_TRANSFER_DRIP,    /* one byte each number milliseconds */
    BEHAVIOUR_TRANSFER_ENDLESS, /* the body never ends */
    BEHAVIOUR_TRANSFER_HUGE,    /* padded with blanks to number bytes */
    BEHAVIOUR_TRANSFER_RESET,   /* the connection is reset, no byte of an answer is sent */
};

struct behaviour_kind {
    const char *name;
    const char *arguments; /* one letter each: n number, w word, r rest of the line */
    long min;              /* of the number */
    long max;
    enum behaviour_answer answer;
    enum behaviour_transfer transfer;
    const char *help;
};

struct behaviour {
    const struct behaviour_kind *kind;
    long number;
    char word[64];
    char rest[256];
    char path[64]; /* ends of paths it holds for; empty: all */
};

struct behaviour_set;

struct behaviour_set *behaviour_set_new(void);
void behaviour_set_free(struct behaviour_set *set);

/* The table, for help texts. Ends with a NULL name. */
const struct behaviour_kind *behaviour_kinds(void);

/* Reads "NAME ARGUMENTS [/PATH]". False and a reason when it cannot be. */
bool behaviour_parse(const char *text, struct behaviour *out, char *why, size_t size);

/* Replaces the standing behaviour. */
void behaviour_set_standing(struct behaviour_set *set, const struct behaviour *behaviour);

/* Appends one for the next count requests it holds for. False when the queue is full. */
bool behaviour_set_script(struct behaviour_set *set, long count, const struct behaviour *behaviour);

/* Back to normal: the standing one and the queue. */
void behaviour_set_clear(struct behaviour_set *set);

/* The one for this request; uses up one turn of a script. */
struct behaviour behaviour_set_take(struct behaviour_set *set, const char *path);

/* One line of text about what is set. */
void behaviour_set_describe(const struct behaviour_set *set, char *out, size_t size);

#endif
