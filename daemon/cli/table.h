/*
 * table: columns on a terminal that line up also when names are Japanese, and text that cannot steer the terminal.
 */
#ifndef UKETSUKE_CLI_TABLE_H
#define UKETSUKE_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table;

/* Cells of a text in a terminal (Unicode East Asian Width; ambiguous ones count one). */
size_t table_width(const char *text);
/* Write text; control characters (a name from outside may hold escape sequences) come out as U+FFFD. */
void table_put(FILE *out, const char *text);
/* The same, cut to so many cells. */
void table_put_most(FILE *out, const char *text, size_t cells);

/* NULL if out of memory. */
struct table *table_new(const char *const *headings, size_t columns);
void table_free(struct table **table);
/* `cells`: as many as columns; copied. */
void table_add(struct table *table, const char *const *cells);
size_t table_rows(const struct table *table);
/* The last column is not padded; others are as wide as their widest cell. */
void table_print(const struct table *table, FILE *out);

#endif
