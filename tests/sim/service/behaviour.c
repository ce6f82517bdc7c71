#include "behaviour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define SCRIPT_MAX 64
#define PAUSE_MAX_MS 600000
#define HUGE_MAX_BYTES (1L << 32)

static const struct behaviour_kind behaviour_table[] = {
    {"normal", "", 0, 0, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_WHOLE, "answer as it should"},
    {"slow", "n", 0, PAUSE_MAX_MS, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_LATE,
     "answer MS milliseconds late"},
    {"error segment", "wr", 0, 0, BEHAVIOUR_ANSWER_SEGMENT, BEHAVIOUR_TRANSFER_WHOLE,
     "SegmentOfResult 9 with CODE and MSG"},
    {"error processing", "wr", 0, 0, BEHAVIOUR_ANSWER_PROCESSING, BEHAVIOUR_TRANSFER_WHOLE,
     "ProcessingResultStatus 2 with CODE and MSG"},
    {"pending", "", 0, 0, BEHAVIOUR_ANSWER_PENDING, BEHAVIOUR_TRANSFER_WHOLE,
     "SegmentOfResult 2: still processing"},
    {"status", "n", 200, 599, BEHAVIOUR_ANSWER_STATUS, BEHAVIOUR_TRANSFER_WHOLE,
     "this HTTP status"},
    {"garbage", "", 0, 0, BEHAVIOUR_ANSWER_GARBAGE, BEHAVIOUR_TRANSFER_WHOLE,
     "200 and bytes that are not JSON"},
    {"half", "", 0, 0, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_HALF,
     "act, then cut in the middle of the body"},
    {"drip", "n", 0, PAUSE_MAX_MS, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_DRIP,
     "one byte of the body each MS milliseconds"},
    {"endless", "", 0, 0, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_ENDLESS, "a body without end"},
    {"huge", "n", 0, HUGE_MAX_BYTES, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_HUGE,
     "pad the body with blanks to BYTES"},
    {"redirect", "", 0, 0, BEHAVIOUR_ANSWER_REDIRECT, BEHAVIOUR_TRANSFER_WHOLE,
     "302 to another host"},
    {"reset", "", 0, 0, BEHAVIOUR_ANSWER_NONE, BEHAVIOUR_TRANSFER_RESET,
     "do nothing and reset the connection"},
    {"lost", "", 0, 0, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_RESET,
     "act, then reset the connection: the answer is lost"},
    {NULL, NULL, 0, 0, BEHAVIOUR_ANSWER_TRUE, BEHAVIOUR_TRANSFER_WHOLE, NULL},
};

struct behaviour_script {
    struct behaviour behaviour;
    long left;
};

struct behaviour_set {
    struct behaviour standing;
    struct behaviour_script scripts[SCRIPT_MAX];
    size_t count;
};

struct behaviour_set *behaviour_set_new(void)
{
    struct behaviour_set *set = calloc(1, sizeof(*set));

    if (set != NULL)
        set->standing.kind = &behaviour_table[0];
    return set;
}

void behaviour_set_free(struct behaviour_set *set)
{
    free(set);
}

const struct behaviour_kind *behaviour_kinds(void)
{
    return behaviour_table;
}

/* Takes the next word of *at into out. False when there is none or it does not fit. */
static bool behaviour_word(char **at, char *out, size_t size)
{
    char *start = *at + strspn(*at, " ");
    size_t length = strcspn(start, " ");

    if (length == 0 || length >= size)
        return false;
    memcpy(out, start, length);
    out[length] = '\0';
    *at = start + length;
    return true;
}

/* A last word that begins with a slash limits the behaviour to paths that end in it. */
static bool behaviour_split_path(char *text, char *path, size_t size)
{
    size_t length = strlen(text);
    char *last;

    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
    last = strrchr(text, ' ');
    if (last == NULL || last[1] != '/')
        return true;
    if (strlen(last + 1) >= size)
        return false;
    memcpy(path, last + 1, strlen(last + 1) + 1);
    *last = '\0';
    return true;
}

static const struct behaviour_kind *behaviour_find(char **at)
{
    for (const struct behaviour_kind *kind = behaviour_table; kind->name != NULL; kind++) {
        size_t length = strlen(kind->name);

        if (strncmp(*at, kind->name, length) == 0 &&
            ((*at)[length] == ' ' || (*at)[length] == '\0')) {
            *at += length;
            return kind;
        }
    }
    return NULL;
}

static bool behaviour_argument(char letter, char **at, struct behaviour *out)
{
    char word[64];

    switch (letter) {
    case 'n':
        return behaviour_word(at, word, sizeof(word)) &&
               text_parse_number(word, out->kind->min, out->kind->max, &out->number);
    case 'w':
        return behaviour_word(at, out->word, sizeof(out->word));
    case 'r':
        *at += strspn(*at, " ");
        if (**at == '\0' || strlen(*at) >= sizeof(out->rest))
            return false;
        memcpy(out->rest, *at, strlen(*at) + 1);
        *at += strlen(*at);
        return true;
    default:
        return false;
    }
}

bool behaviour_parse(const char *text, struct behaviour *out, char *why, size_t size)
{
    char line[512];
    char *at = line;

    memset(out, 0, sizeof(*out));
    if ((size_t)snprintf(line, sizeof(line), "%s", text) >= sizeof(line) ||
        !behaviour_split_path(line, out->path, sizeof(out->path))) {
        snprintf(why, size, "too long");
        return false;
    }
    out->kind = behaviour_find(&at);
    if (out->kind == NULL) {
        snprintf(why, size, "no such behaviour");
        return false;
    }
    for (const char *letter = out->kind->arguments; *letter != '\0'; letter++) {
        if (!behaviour_argument(*letter, &at, out)) {
            snprintf(why, size, "%s: an argument is missing or out of range", out->kind->name);
            return false;
        }
    }
    if (at[strspn(at, " ")] != '\0') {
        snprintf(why, size, "%s: too many arguments", out->kind->name);
        return false;
    }
    return true;
}

void behaviour_set_standing(struct behaviour_set *set, const struct behaviour *behaviour)
{
    set->standing = *behaviour;
}

bool behaviour_set_script(struct behaviour_set *set, long count, const struct behaviour *behaviour)
{
    if (set->count == SCRIPT_MAX)
        return false;
    set->scripts[set->count].behaviour = *behaviour;
    set->scripts[set->count].left = count;
    set->count++;
    return true;
}

void behaviour_set_clear(struct behaviour_set *set)
{
    memset(set, 0, sizeof(*set));
    set->standing.kind = &behaviour_table[0];
}

static bool behaviour_holds(const struct behaviour *behaviour, const char *path)
{
    size_t end = strlen(behaviour->path);
    size_t length = strlen(path);

    return length >= end && strcmp(path + length - end, behaviour->path) == 0;
}

struct behaviour behaviour_set_take(struct behaviour_set *set, const char *path)
{
    struct behaviour taken = {.kind = &behaviour_table[0]};

    for (size_t i = 0; i < set->count; i++) {
        if (!behaviour_holds(&set->scripts[i].behaviour, path))
            continue;
        taken = set->scripts[i].behaviour;
        if (--set->scripts[i].left <= 0) {
            set->count--;
            memmove(&set->scripts[i], &set->scripts[i + 1],
                    (set->count - i) * sizeof(set->scripts[0]));
        }
        return taken;
    }
    return behaviour_holds(&set->standing, path) ? set->standing : taken;
}

void behaviour_set_describe(const struct behaviour_set *set, char *out, size_t size)
{
    size_t used;

    used = (size_t)snprintf(out, size, "%s%s%s", set->standing.kind->name,
                            set->standing.path[0] != '\0' ? " " : "", set->standing.path);
    for (size_t i = 0; i < set->count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, ", next %ld: %s%s%s",
                                 set->scripts[i].left, set->scripts[i].behaviour.kind->name,
                                 set->scripts[i].behaviour.path[0] != '\0' ? " " : "",
                                 set->scripts[i].behaviour.path);
}
