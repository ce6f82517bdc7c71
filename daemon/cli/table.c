#include "table.h"

#include "utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct row {
    struct row *next;
    char *cells[TABLE_COLUMNS_MAX];
};

struct table {
    size_t columns;
    size_t widths[TABLE_COLUMNS_MAX];
    struct row *first, **last;
    size_t rows;
};

struct range {
    uint32_t from, to;
};

/* Wide and full-width ranges (Unicode 15, EastAsianWidth.txt: W and F), joined where only unassigned lies between. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x1b000, 0x1b2fb}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff},
    {0x20000, 0x2fffd}, {0x30000, 0x3fffd},
};

/* Marks that stand on the letter before them, and invisible ones. */
static const struct range nothing[] = {
    {0x0300, 0x036f}, {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},   {0x2066, 0x2069},
    {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};

static int in(const struct range *table, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= table[i].from && c <= table[i].to)
            return 1;
    return 0;
}
#define IN(table, c) in((table), sizeof(table) / sizeof((table)[0]), (c))

/* Controls, and marks that turn the direction of what follows. */
static int is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static size_t width_of(uint32_t c)
{
    if (c == UINT32_MAX || is_control(c))
        return 1;
    return IN(nothing, c) ? 0 : IN(wide, c) ? 2 : 1;
}

size_t table_width(const char *text)
{
    const char *end = text + strlen(text);
    size_t width = 0;

    while (text < end) {
        uint32_t c = utf8_next(&text, end);

        width += width_of(c);
        if (c == UINT32_MAX)
            return width;
    }
    return width;
}

void table_put(FILE *out, const char *text)
{
    table_put_most(out, text, SIZE_MAX);
}

void table_put_most(FILE *out, const char *text, size_t cells)
{
    static const char instead[] = "\xef\xbf\xbd";
    const char *end = text + strlen(text);

    while (text < end) {
        const char *at = text;
        uint32_t c = utf8_next(&text, end);
        size_t width = width_of(c);

        if (width > cells)
            return;
        cells -= width;

        if (c == UINT32_MAX) {
            (void)fputs(instead, out);
            return;
        }
        if (is_control(c))
            (void)fputs(instead, out);
        else
            (void)fwrite(at, 1, (size_t)(text - at), out);
    }
}

struct table *table_new(const char *const *headings, size_t columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table == NULL || columns > TABLE_COLUMNS_MAX) {
        free(table);
        return NULL;
    }
    table->columns = columns;
    table->last = &table->first;
    table_add(table, headings);
    table->rows = 0;
    return table;
}

void table_free(struct table **at)
{
    struct table *table = *at;

    if (table == NULL)
        return;
    while (table->first != NULL) {
        struct row *row = table->first;

        table->first = row->next;
        for (size_t i = 0; i < table->columns; i++)
            free(row->cells[i]);
        free(row);
    }
    free(table);
    *at = NULL;
}

void table_add(struct table *table, const char *const *cells)
{
    struct row *row = calloc(1, sizeof(*row));

    if (row == NULL)
        return;
    for (size_t i = 0; i < table->columns; i++) {
        size_t width = table_width(cells[i]);

        row->cells[i] = strdup(cells[i]);
        if (width > table->widths[i])
            table->widths[i] = width;
    }
    *table->last = row;
    table->last = &row->next;
    table->rows++;
}

size_t table_rows(const struct table *table)
{
    return table->rows;
}

void table_print(const struct table *table, FILE *out)
{
    for (const struct row *row = table->first; row != NULL; row = row->next) {
        for (size_t i = 0; i < table->columns; i++) {
            const char *text = row->cells[i] != NULL ? row->cells[i] : "";

            table_put(out, text);
            if (i + 1 < table->columns)
                (void)fprintf(out, "%*s", (int)(table->widths[i] - table_width(text) + 2), "");
        }
        (void)fputc('\n', out);
    }
}
