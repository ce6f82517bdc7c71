/*
 * handover_face: the bytes of a face file. Pure.
 *
 * What an official terminal has written goes on as it is (`raw`), when it is in the encoding that
 * the receipt computer reads; everything else is written anew in the official shape (facefile.h).
 */
#ifndef UKETSUKE_RELAY_HANDOVER_FACE_H
#define UKETSUKE_RELAY_HANDOVER_FACE_H

#include "codec_xml.h"

struct handover_face {
    enum codec_xml_encoding encoding;
    bool raw;
    const char *institution;
};

/*
 * *out is `len` bytes; the caller wipes and frees it. 0; -EILSEQ: a character that the encoding
 * lacks, `element` says where; -EINVAL: not an answer; -ENOMEM, -E2BIG.
 */
int handover_face(struct codec_xml *codec, const struct handover_face *how,
                  const struct xmlmsg *answer, const uint8_t *raw, size_t raw_len, char **out,
                  size_t *len, char element[129]);
/*
 * A document (YZK, TKK) as it came: its bytes when it came as XML in the encoding that is wanted, else written anew with
 * everything that it says. As above.
 */
int handover_document(struct codec_xml *codec, const struct handover_face *how,
                      const struct xmlmsg *answer, const uint8_t *raw, size_t raw_len, char **out,
                      size_t *len, char element[129]);

#endif
