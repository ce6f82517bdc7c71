/*
 * folder_slip: what is remembered of a request file, beside the files themselves: a few lines of
 * text without any patient's data, so that a relay that was killed knows what it has sent.
 */
#ifndef UKETSUKE_RELAY_FOLDER_SLIP_H
#define UKETSUKE_RELAY_FOLDER_SLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLDER_KEY_DIGITS 64
#define FOLDER_SUFFIX_MAX 40
#define FOLDER_SLIP_MAX 1024

struct folder_slip {
    char key[FOLDER_KEY_DIGITS +
             1];     /* SHA-256 of the question, hexadecimal: the same question has the same */
    char family[16]; /* "OQSsiquc01" */
    char suffix[FOLDER_SUFFIX_MAX + 1]; /* of the file's name, the same in the answer's */
    uint8_t kind;                       /* enum upstream_kind */
    uint8_t stage;                      /* 1; 2: the fetching half of a bulk request */
    bool writes;
    bool strict; /* the answer must name institution and identifier; else it must not name others */
    char institution[11];
    char identifier[51]; /* ArbitraryFileIdentifier */
    char reception[65];  /* stage 2: ReceptionNumber, visible ASCII; "": none */
    int64_t asked_s;     /* realtime */
    int64_t until_s;     /* after which its answer is not to be handed on; 0: none */
};

/* The text of it; its length. */
size_t folder_slip_write(const struct folder_slip *slip, char out[FOLDER_SLIP_MAX]);
/* False: not one of ours, or damaged. */
bool folder_slip_read(struct folder_slip *slip, const char *text, size_t len);

/* "OQSsiquc01req_SUFFIX.xml" and the answer's; both fit FOLDER_NAME_MAX. */
void folder_slip_request_name(const struct folder_slip *slip, char *out, size_t size);
void folder_slip_answer_name(const struct folder_slip *slip, char *out, size_t size);

#endif
