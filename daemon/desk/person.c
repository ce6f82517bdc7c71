#include "person.h"

#include "names.h"

#include "../common/xmlmsg.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 160 /* bytes of a value in a line about a difference */

enum how { HOW_NAME, HOW_KANA, HOW_CODE, HOW_TEXT, HOW_INSURER };
enum absence { ABSENCE_SILENT, ABSENCE_ENDED, ABSENCE_LIMIT, ABSENCE_DISEASE };

static const struct {
    const char *name;
    const char *path;
    enum how how;
    enum absence absence;
} fields[PERSON_COUNT] = {
#define PERSON_FIELD(name, text, path, how, absence) {text, path, HOW_##how, ABSENCE_##absence},
#include "person.def"
#undef PERSON_FIELD
};

const char *person_field_name(unsigned field)
{
    return field < PERSON_COUNT ? fields[field].name : "?";
}

/* One line without tabs, cut at the end of a character. */
static void put(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        for (n = size - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
            ;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[n] = '\0';
}

/* "1 2": the kinds (CD013) in the order of the answer. */
static void take_diseases(const struct xmlmsg *list, char *out, size_t size)
{
    size_t used = 0;

    for (struct xmlmsg *e = xmlmsg_child(list, "SpecificDiseasesCertificateInfo"); e != NULL;
         e = xmlmsg_next(e, "SpecificDiseasesCertificateInfo")) {
        char one[16];

        put(one, sizeof(one), xmlmsg_get(e, "SpecificDiseasesDiseaseCategory"));
        if (one[0] != '\0' && used + strlen(one) + 2 < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", one);
    }
}

static const struct xmlmsg *only_result(const struct xmlmsg *tree)
{
    const struct xmlmsg *body = xmlmsg_find(tree, "MessageBody"), *only = NULL;
    unsigned count = 0;

    if (body == NULL)
        return NULL;
    for (struct xmlmsg *list = xmlmsg_child(body, "ResultList"); list != NULL;
         list = xmlmsg_next(list, "ResultList"))
        for (struct xmlmsg *r = xmlmsg_child(list, "ResultOfQualificationConfirmation"); r != NULL;
             r = xmlmsg_next(r, "ResultOfQualificationConfirmation")) {
            only = r;
            count++;
        }
    return count == 1 ? only : NULL;
}

bool person_take(struct person *out, const struct xmlmsg *tree)
{
    const struct xmlmsg *result = only_result(tree);
    const struct xmlmsg *diseases;

    memset(out, 0, sizeof(*out));
    if (result == NULL)
        return false;
    for (unsigned i = 0; i < PERSON_COUNT; i++)
        put(out->text[i], PERSON_TEXT, xmlmsg_get(result, fields[i].path));
    diseases = xmlmsg_find(result, fields[PERSON_DISEASES].path);
    if (diseases != NULL)
        take_diseases(diseases, out->text[PERSON_DISEASES], PERSON_TEXT);
    out->limit_told =
        out->text[PERSON_LIMIT_CLASS][0] != '\0' ||
        strcmp(xmlmsg_get(result, "LimitApplicationCertificateRelatedConsFlg"), "1") == 0;
    out->diseases_told =
        out->text[PERSON_DISEASES][0] != '\0' ||
        strcmp(xmlmsg_get(result, "SpecificDiseasesCertificateRelatedConsFlg"), "1") == 0;
    return true;
}

/* Beside the fields: whether a limit, a disease certificate was ever asked for. */
static const char *const told_names[] = {"limit_told", "diseases_told"};
#define TOLD (sizeof(told_names) / sizeof(told_names[0]))

static const bool *told_of(const struct person *person, unsigned i)
{
    return i == 0 ? &person->limit_told : &person->diseases_told;
}

static bool named(const char *name, const char *data, size_t len)
{
    return strlen(name) == len && memcmp(name, data, len) == 0;
}

size_t person_pack(const struct person *person, char *out, size_t size)
{
    size_t used = 0;

    for (unsigned i = 0; i < PERSON_COUNT; i++) {
        int n;

        if (person->text[i][0] == '\0')
            continue;
        n = snprintf(out + used, size - used, "%s\t%s\n", fields[i].name, person->text[i]);
        if (n < 0 || (size_t)n >= size - used)
            return 0;
        used += (size_t)n;
    }
    for (unsigned i = 0; i < TOLD; i++)
        if (*told_of(person, i)) {
            int n = snprintf(out + used, size - used, "%s\t1\n", told_names[i]);

            if (n < 0 || (size_t)n >= size - used)
                return 0;
            used += (size_t)n;
        }
    return used;
}

bool person_unpack(struct person *out, const char *data, size_t len)
{
    memset(out, 0, sizeof(*out));
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        const char *tab = end != NULL ? memchr(data, '\t', (size_t)(end - data)) : NULL;
        size_t value;

        if (tab == NULL)
            return false;
        value = (size_t)(end - tab - 1);
        for (unsigned i = 0; i < PERSON_COUNT; i++)
            if (named(fields[i].name, data, (size_t)(tab - data)) && value < PERSON_TEXT) {
                memcpy(out->text[i], tab + 1, value);
                out->text[i][value] = '\0';
            }
        out->limit_told = out->limit_told || named(told_names[0], data, (size_t)(tab - data));
        out->diseases_told = out->diseases_told || named(told_names[1], data, (size_t)(tab - data));
        len -= (size_t)(end - data) + 1;
        data = end + 1;
    }
    return true;
}

static bool says_something(const struct person *now, unsigned field)
{
    if (now->text[field][0] != '\0')
        return true;
    switch (fields[field].absence) {
    case ABSENCE_SILENT:
        return false;
    case ABSENCE_ENDED:
        return true;
    case ABSENCE_LIMIT:
        return now->limit_told;
    case ABSENCE_DISEASE:
        return now->diseases_told;
    }
    return false;
}

static bool same_code(const char *a, const char *b, bool insurer)
{
    char x[PERSON_TEXT], y[PERSON_TEXT];
    const char *p = x, *q = y;

    names_fold_code(a, x, sizeof(x));
    names_fold_code(b, y, sizeof(y));
    if (insurer) {
        p += strspn(p, "0");
        q += strspn(q, "0");
    }
    return strcmp(p, q) == 0;
}

static bool same(unsigned field, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    if (a[0] == '\0' || b[0] == '\0')
        return false;
    switch (fields[field].how) {
    case HOW_NAME:
        return names_compare(a, b) != NAMES_OTHER;
    case HOW_KANA:
        return names_compare_kana(a, b) != NAMES_OTHER;
    case HOW_CODE:
    case HOW_TEXT:
        return same_code(a, b, false);
    case HOW_INSURER:
        return same_code(a, b, true);
    }
    return false;
}

unsigned person_compare(const struct person *old, const struct person *now, char *out, size_t size)
{
    static const char more[] = "more\t\t\n";
    unsigned differ = 0;
    size_t used = 0;
    bool full = false;

    out[0] = '\0';
    for (unsigned i = 0; i < PERSON_COUNT; i++) {
        char before[SHOWN_MAX], after[SHOWN_MAX];
        char line[2 * SHOWN_MAX + 40];
        size_t n;

        if (!says_something(now, i) || same(i, old->text[i], now->text[i]))
            continue;
        /* What nobody had said before is no change. */
        if (old->text[i][0] == '\0' && !says_something(old, i))
            continue;
        differ++;
        put(before, sizeof(before), old->text[i]);
        put(after, sizeof(after), now->text[i]);
        n = (size_t)snprintf(line, sizeof(line), "%s\t%s\t%s\n", fields[i].name, before, after);
        if (full || used + n + sizeof(more) > size) {
            full = true;
            continue;
        }
        memcpy(out + used, line, n + 1);
        used += n;
    }
    if (full)
        memcpy(out + used, more, sizeof(more));
    return differ;
}

void person_merge(struct person *kept, const struct person *now)
{
    for (unsigned i = 0; i < PERSON_COUNT; i++) {
        if (!says_something(now, i))
            continue;
        /* The book's own way to write a name stays while it may be the same name, unless it lacks
         * characters. */
        if (fields[i].how == HOW_NAME && strstr(kept->text[i], "\xe2\x97\x8f") == NULL &&
            names_compare(kept->text[i], now->text[i]) != NAMES_OTHER)
            continue;
        memcpy(kept->text[i], now->text[i], PERSON_TEXT);
    }
    kept->limit_told = kept->limit_told || now->limit_told;
    kept->diseases_told = kept->diseases_told || now->diseases_told;
}
