/*
 * A list of appointments as CSV. Rows come in the order of lines, each field ends within the text and has no NUL byte, and
 * the bounds hold; what is no CSV is refused with words. Reading the same bytes again says the same.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "daemon/cli/csv.h"

static unsigned read_all(const uint8_t *data, size_t size)
{
    struct csv csv;
    struct csv_row row;
    unsigned rows = 0, line = 0;
    int r;

    if (csv_new(&csv, data, size) < 0)
        return 0;
    while ((r = csv_next(&csv, &row)) == 1) {
        rows++;
        FUZZ_CHECK(row.line > line);
        line = row.line;
        FUZZ_CHECK(row.n > 0 && row.n <= CSV_FIELDS_MAX);
        for (size_t i = 0; i < row.n; i++) {
            FUZZ_CHECK(row.fields[i] >= csv.text && row.fields[i] <= csv.end);
            FUZZ_CHECK(strlen(row.fields[i]) <= CSV_FIELD_MAX);
        }
    }
    FUZZ_CHECK(r == 0 || (csv.why_ja != NULL && csv.why_en != NULL));
    csv_free(&csv);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1u << 16)
        return 0;
    FUZZ_CHECK(read_all(data, size) == read_all(data, size));
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static const char *const texts[] = {
        "患者番号,氏名,生年月日,保険者番号,記号,番号,枝番\r\nPT1,\"架空　花子\",S290707,06130017,"
        "試験,1001,01\r\n",
        "a,\"b\"\"c\",\"d\r\ne\"\n\n,,\n",
        "\xef\xbb\xbf"
        "name\nx",
        "\x8e\x81\x96\xbc,\xfb\xfc\r\n",
        "\"a\"b\n",
        "a\"b",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char name[16];

        snprintf(name, sizeof(name), "hand%zu", i);
        seed_bytes(&seed, texts[i], strlen(texts[i]));
        seed_write(&seed, name);
    }
}
