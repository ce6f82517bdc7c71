/*
 * folder_request: which message of a 資格確認端末 asks which kind of question, and the request
 * files themselves.
 *
 * A bulk request has two stages: the first (01) brings a ReceptionNumber, the second (02) fetches
 * the result by it, again and again while it is still being worked on. Pure, but for chance.
 */
#ifndef UKETSUKE_RELAY_FOLDER_REQUEST_H
#define UKETSUKE_RELAY_FOLDER_REQUEST_H

#include "codec_xml.h"
#include "folder_slip.h"

struct
    folder_message { /* NOLINT(clang-analyzer-optin.performance.Padding): in the order it is read */
    uint8_t kind;    /* enum upstream_kind */
    uint32_t capability; /* enum upstream_capability */
    const char *first;   /* "OQSsiquc01" */
    const char *second;  /* NULL: one stage */
    bool strict;         /* its answers name institution and identifier */
};

/* NULL: no message asks this. */
const struct folder_message *folder_message_of(uint8_t kind);

/*
 * Fills key, kind, family, stage 1, strict, institution and identifier from the question. The key
 * is a digest of all of it: the same question asked again has the same. 0; -EINVAL: no institution,
 * or an identifier that is none.
 */
int folder_request_begin(struct folder_slip *slip, const struct folder_message *message,
                         const struct xmlmsg *tree);
/* A suffix that was never used: the day, a U, and chance. 0 or -EIO. */
int folder_request_name(struct folder_slip *slip, int64_t realtime_s);
/* The file of stage 1; caller wipes and frees. -EILSEQ: a character that the encoding lacks. */
int folder_request_write(struct codec_xml *codec, const struct xmlmsg *tree,
                         enum codec_xml_encoding encoding, char **out, size_t *len);
/* Turns the slip into one of stage 2, and makes its file. -EINVAL: a reception number that is none.
 */
int folder_request_second(struct codec_xml *codec, struct folder_slip *slip,
                          const struct folder_message *message, const char *reception,
                          enum codec_xml_encoding encoding, char **out, size_t *len);
/* What the first stage's answer brought; "" when nothing. */
const char *folder_request_reception(const struct xmlmsg *answer);

#endif
