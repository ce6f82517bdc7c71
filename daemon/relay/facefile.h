/*
 * facefile: a finished visit as the receipt computer expects it: the name and the content of a file
 * in the shape of those that a face-recognition reader leaves (資格確認端末, folder "face"). Pure:
 * no file is made.
 *
 * The shape follows public readers and writers of such files; which receipt computers accept
 * generated ones is not public. Programs that look for them should match on the prefix alone.
 */
#ifndef UKETSUKE_RELAY_FACEFILE_H
#define UKETSUKE_RELAY_FACEFILE_H

#include "codec_xml.h"

#define FACEFILE_PREFIX "OQSsiquc01res_face_"
#define FACEFILE_ID 10 /* bytes, 20 hexadecimal digits in the name */
#define FACEFILE_NAME_SIZE (sizeof(FACEFILE_PREFIX) - 1 + 10 + 2 * FACEFILE_ID + 1 + 14 + 4 + 1)

/*
 * OQSsiquc01res_face_<institution><20 hex>_<time>.xml. `id`: unique to the visit (the caller's:
 * random, or derived so that a visit handed over twice has one name). `time`: yyyyMMddHHmmss of the
 * hand-over (JST). 0; -EINVAL: the institution is not 10 digits or the time not 14.
 */
int facefile_name(char out[FACEFILE_NAME_SIZE], const char *institution,
                  const uint8_t id[FACEFILE_ID], const char *time);

struct facefile_style {
    enum codec_xml_encoding encoding;
    const char *identifier; /* ArbitraryFileIdentifier, at most 50 characters; NULL: as answered */
    const char
        *prescription; /* "1" electronic, "2" paper, as the patient chose; NULL: as answered */
};

/*
 * The content: the answer in the layout's order, CR LF, tabs, empty elements left out, ratios with
 * three digits, CharacterCodeIdentifier as the encoding is, without the echo of the query (a card
 * session has none). What it says is not changed otherwise, and what nobody knows is kept. 0;
 * -EINVAL: no answer (no SegmentOfResult, no institution) or a wrong choice of the style; else as
 * codec_xml_write().
 */
int facefile_write(struct codec_xml *codec, const struct xmlmsg *answer,
                   const struct facefile_style *style, char **out, size_t *len,
                   struct codec_xml_report *report);

#endif
