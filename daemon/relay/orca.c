#include "orca.h"

#include "../common/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        default:
            (void)fputc(*text, out);
            break;
        }
}

static void put(FILE *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    (void)fprintf(out, "    <%s type=\"string\">", name);
    put_escaped(out, value);
    (void)fprintf(out, "</%s>\n", name);
}

char *orca_request(const struct orca_settings *settings, const struct xmlmsg *tree)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out;
    bool good;

    if (strcmp(xmlmsg_name(tree), "acceptreq") != 0 || xmlmsg_get(tree, "Patient_ID")[0] == '\0')
        return NULL;
    out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    (void)fputs(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<data>\n  <acceptreq type=\"record\">\n", out);
    put(out, "Request_Number", "01");
    put(out, "Patient_ID", xmlmsg_get(tree, "Patient_ID"));
    put(out, "Acceptance_Date", xmlmsg_get(tree, "Acceptance_Date"));
    put(out, "Acceptance_Time", xmlmsg_get(tree, "Acceptance_Time"));
    put(out, "Department_Code", settings->department);
    put(out, "Physician_Code", settings->physician);
    put(out, "Medical_Information", settings->medical);
    (void)fputs("  </acceptreq>\n</data>\n", out);
    good = !ferror(out);
    if (fclose(out) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    while (*words != '\0') {
        size_t n = strcspn(words, " ");

        if (n == len && n > 0 && strncmp(words, word, n) == 0)
            return true;
        words += n;
        words += strspn(words, " ");
    }
    return false;
}

/* As much of it as fits, cut between two characters. */
static void copy_words(char *out, size_t size, const char *text)
{
    const char *at = text, *end = text + strlen(text);
    size_t used = 0;

    while (at < end) {
        const char *from = at;

        if (utf8_next(&at, end) == UINT32_MAX || used + (size_t)(at - from) >= size)
            break;
        memcpy(out + used, from, (size_t)(at - from));
        used += (size_t)(at - from);
    }
    out[used] = '\0';
}

enum handover_outcome orca_read(struct codec_xml *codec, const struct orca_settings *settings,
                                const void *data, size_t len, char detail[129])
{
    enum handover_outcome outcome = HANDOVER_DOUBTFUL;
    struct xmlmsg *tree = NULL;
    const char *code, *words;

    detail[0] = '\0';
    if (codec_xml_read(codec, &tree, data, len, NULL) != 0)
        return outcome;
    code = xmlmsg_get(tree, "acceptres/Api_Result");
    words = xmlmsg_get(tree, "acceptres/Api_Result_Message");
    if (code[0] != '\0') {
        char text[600];

        outcome = has_word(settings->accepted, code) ? HANDOVER_DONE
                  : has_word(settings->busy, code)   ? HANDOVER_NOT_SENT
                                                     : HANDOVER_REFUSED;
        (void)snprintf(text, sizeof(text), "%.20s%s%.500s", code, words[0] != '\0' ? " " : "",
                       words);
        copy_words(detail, 129, text);
    }
    xmlmsg_free(&tree);
    return outcome;
}
