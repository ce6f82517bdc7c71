/*
 * codec_xml: the eligibility message as XML, and back.
 *
 * Reading: UTF-8 or Shift_JIS (in practice CP932), as the declaration says, UTF-8 where it says
 * nothing; the encoding is settled before the parser runs, which is fed UTF-8 only.
 *   - an element with children is a branch, any other a leaf whose text is kept byte for byte
 *     (blanks in front of a number too; XML itself turns CR LF into LF);
 *   - white space around children, attributes, comments and processing instructions are passed over;
 *   - an element without text or children is a branch if layout.h knows it as one, else a leaf "";
 *   - elements that nobody knows are kept; other names of known ones become layout_name();
 *   - refused: a document type (so there are no entities), text beside children, NUL, bytes that
 *     the declared encoding does not have, other encodings (UTF-16...), and more depth, elements or
 *     bytes than xmlmsg.h allows. Input that is the beginning of a message and no more (a file
 *     still being written) is told apart from wrong input: -ENODATA.
 *
 * Writing: in the order of the layout (layout_copy()); a character that the encoding lacks is
 * refused, never written as a numeric entity. The characters that Unicode has twice for one place
 * of JIS X 0208 (wave dash and full-width tilde, for one) are written as that place.
 */
#ifndef UKETSUKE_CODEC_XML_H
#define UKETSUKE_CODEC_XML_H

#include "../common/xmlmsg.h"

/* Numbered as CharacterCodeIdentifier (CD005). */
enum codec_xml_encoding { CODEC_XML_UTF8 = 0, CODEC_XML_SHIFT_JIS = 1 };

enum codec_xml_fault {
    CODEC_XML_FINE,
    CODEC_XML_TRUNCATED, /* reading: a beginning without its end */
    CODEC_XML_LARGE,     /* more than xmlmsg.h allows: bytes, depth, elements, length of a name */
    CODEC_XML_ENCODING,  /* reading: an encoding that is not one of ours, or two at once */
    CODEC_XML_BYTES,     /* reading: bytes that the declared encoding does not have */
    CODEC_XML_DOCTYPE,   /* reading: a document type declaration */
    CODEC_XML_SYNTAX,    /* reading: not well-formed XML */
    CODEC_XML_MIXED,     /* reading: text beside elements */
    CODEC_XML_CHARACTER, /* writing: a character that the encoding, or XML, does not have */
    CODEC_XML_NAME,      /* writing: a name that XML does not allow, or not in ASCII */
    CODEC_XML_MEMORY,
    CODEC_XML_FAULTS
};

struct codec_xml_report {
    enum codec_xml_fault fault;
    enum codec_xml_encoding encoding; /* reading: as declared */
    size_t line;                      /* reading: of the fault, from 1; 0: not known */
    /* writing: "parent/name" of the element at fault; "" where there is none */
    char element[2 * 128 + 2];
};

/* What a fault means, for staff. Never NULL. */
const char *codec_xml_fault_ja(enum codec_xml_fault fault);
const char *codec_xml_fault_en(enum codec_xml_fault fault);

/*
 * The converters for CP932. Make it before the cage closes (it loads a module of the C library);
 * reading and writing then need no file. Not for two threads at once. NULL: out of memory, or this
 * system has no CP932.
 */
struct codec_xml;
struct codec_xml *codec_xml_new(void);
void codec_xml_free(struct codec_xml **codec);

/* 0, -ENODATA (truncated), -EBADMSG (refused), -ENOMEM. `report` may be NULL. */
int codec_xml_read(struct codec_xml *codec, struct xmlmsg **out, const void *data, size_t len,
                   struct codec_xml_report *report);

struct codec_xml_style {
    enum codec_xml_encoding encoding;
    bool crlf;          /* lines end CR LF, else LF */
    bool omit_empty;    /* leave out elements without content, as face files do; the root stays */
    const char *indent; /* one step of it ("\t", "  "); NULL: all in one line */
};

/*
 * *out: `len` bytes and a NUL; the caller wipes and frees it. 0, -EILSEQ (a character:
 * report->element says where), -EINVAL (a name), -E2BIG (more than a reader takes), -ENOMEM.
 * `report` may be NULL.
 */
int codec_xml_write(struct codec_xml *codec, const struct xmlmsg *root,
                    const struct codec_xml_style *style, char **out, size_t *len,
                    struct codec_xml_report *report);

#endif
