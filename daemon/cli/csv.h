/*
 * csv: the rows of a CSV file (RFC 4180), bounded: quoted fields with doubled quotes and line ends inside, CRLF or LF,
 * a byte order mark, blank lines left out. UTF-8, else CP932 (what Japanese spreadsheets write).
 */
#ifndef UKETSUKE_CLI_CSV_H
#define UKETSUKE_CLI_CSV_H

#include <stddef.h>

#define CSV_FIELDS_MAX 64
#define CSV_FIELD_MAX 2048       /* bytes of a field */
#define CSV_BYTES_MAX (8u << 20) /* of a file */

struct csv {
    char *text; /* UTF-8; changed while it is read: fields point into it */
    char *at, *end;
    unsigned line;               /* where `at` stands, from 1 */
    const char *why_ja, *why_en; /* of the last error */
};

struct csv_row {
    unsigned line; /* on which it begins */
    size_t n;
    char *fields[CSV_FIELDS_MAX]; /* NUL-ended, valid until csv_free() */
};

/* A copy of the bytes is read. -EMSGSIZE, -EILSEQ (neither UTF-8 nor CP932, or a NUL byte), -ENOMEM. */
int csv_new(struct csv *out, const void *data, size_t len);
void csv_free(struct csv *csv);
/* 1: a row; 0: the end; -EINVAL: no CSV from here on (line and why say so). */
int csv_next(struct csv *csv, struct csv_row *row);

#endif
