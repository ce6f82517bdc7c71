#include "csv.h"

#include "utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int from_cp932(const char *data, size_t len, char **out, size_t *out_len)
{
    size_t room = len * 3 + 1, left = room - 1;
    char *text = malloc(room), *to = text;
    iconv_t cd = iconv_open("UTF-8", "CP932");
    char *in = malloc(len + 1), *from = in;
    int r = 0;

    if (text == NULL || in == NULL || cd == (iconv_t)-1) {
        r = cd == (iconv_t)-1 ? -EILSEQ : -ENOMEM;
        goto done;
    }
    memcpy(in, data, len);
    if (iconv(cd, &from, &len, &to, &left) == (size_t)-1)
        r = -EILSEQ;
    *to = '\0';
    *out_len = (size_t)(to - text);
done:
    if (cd != (iconv_t)-1)
        (void)iconv_close(cd);
    if (in != NULL)
        explicit_bzero(in, (size_t)(from - in));
    free(in);
    if (r < 0)
        free(text);
    else
        *out = text;
    return r;
}

int csv_new(struct csv *out, const void *data, size_t len)
{
    const char *bytes = data;
    size_t n = len;
    int r = 0;

    memset(out, 0, sizeof(*out));
    if (len > CSV_BYTES_MAX)
        return -EMSGSIZE;
    if (len > 0 && memchr(data, '\0', len) != NULL)
        return -EILSEQ;
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        n -= 3;
    }
    if (utf8_valid(bytes, n)) {
        out->text = malloc(n + 1);
        if (out->text == NULL)
            return -ENOMEM;
        memcpy(out->text, bytes, n);
    } else {
        r = from_cp932(bytes, n, &out->text, &n);
    }
    if (r < 0)
        return r;
    out->text[n] = '\0';
    out->at = out->text;
    out->end = out->text + n;
    out->line = 1;
    return 0;
}

void csv_free(struct csv *csv)
{
    if (csv->text != NULL)
        explicit_bzero(csv->text, (size_t)(csv->end - csv->text));
    free(csv->text);
    memset(csv, 0, sizeof(*csv));
}

static int fail(struct csv *csv, const char *ja, const char *en)
{
    csv->why_ja = ja;
    csv->why_en = en;
    csv->at = csv->end;
    return -EINVAL;
}

/* At the end of a line: over it. False: it is none. */
static bool line_end(struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n')
        csv->at++;
    if (csv->at == csv->end || (*csv->at != '\n' && *csv->at != '\r'))
        return false;
    csv->at++;
    csv->line++;
    return true;
}

/* A field in quotes, taken out of them in place; `at` stands behind the closing one. */
static int quoted(struct csv *csv, char **end)
{
    char *to = csv->at;

    for (csv->at++; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"') {
            if (csv->at + 1 < csv->end && csv->at[1] == '"') {
                csv->at++;
            } else {
                csv->at++;
                *end = to;
                return 0;
            }
        } else if (*csv->at == '\n') {
            csv->line++;
        }
        *to++ = *csv->at;
    }
    return fail(csv, "閉じていない引用符があります", "a quote is not closed");
}

static int field(struct csv *csv, char **start, char **end)
{
    *start = *end = csv->at;
    if (csv->at < csv->end && *csv->at == '"')
        return quoted(csv, end);
    while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' && *csv->at != '\r') {
        if (*csv->at == '"')
            return fail(csv, "引用符が項目の途中にあります", "a quote stands inside a field");
        csv->at++;
    }
    *end = csv->at;
    return 0;
}

int csv_next(struct csv *csv, struct csv_row *row)
{
    memset(row, 0, sizeof(*row));
    while (line_end(csv))
        ;
    if (csv->at == csv->end)
        return 0;
    row->line = csv->line;
    for (;;) {
        char *start, *end, after;
        int r;

        if (row->n == CSV_FIELDS_MAX)
            return fail(csv, "項目が多すぎます", "too many fields");
        r = field(csv, &start, &end);
        if (r < 0)
            return r;
        if (end - start > CSV_FIELD_MAX)
            return fail(csv, "項目が長すぎます", "a field is too long");
        after = csv->at < csv->end ? *csv->at : '\n';
        if (after != ',' && after != '\n' && after != '\r')
            return fail(csv, "引用符の後に文字があります", "something follows a closing quote");
        row->fields[row->n++] = start;
        if (after != ',') {
            if (csv->at < csv->end)
                (void)line_end(csv);
            *end = '\0';
            return 1;
        }
        csv->at++;
        *end = '\0';
    }
}
