#include "people.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define PEOPLE_MAX 4096

struct people {
    struct person *list;
    size_t count;
};

/* Values a file may hold under a key; anything else is a mistake in the file and stops the start. */
static const struct {
    const char *key;
    const char *values[8];
} people_choices[] = {
    {"validity", {"auto", "1", "2", "3", "4", "5", "6", NULL}},
    {"registration", {"registered", "not-registered", "insurer-missing", NULL}},
    {"certificate", {"valid", "revoked", NULL}},
};

static bool people_check_choice(const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof(people_choices) / sizeof(people_choices[0]); i++) {
        if (strcmp(people_choices[i].key, key) != 0)
            continue;
        for (const char *const *v = people_choices[i].values; *v != NULL; v++) {
            if (value != NULL && strcmp(*v, value) == 0)
                return true;
        }
        return false;
    }
    return true;
}

static const char *people_check(json_t *data)
{
    const char *key;
    json_t *value;
    json_t *list;

    if (!json_is_object(data))
        return "not a JSON object";
    if (!json_is_array(json_object_get(data, "results")))
        return "\"results\" must be an array";
    list = json_object_get(data, "cards");
    if (list != NULL && !json_is_array(list))
        return "\"cards\" must be an array";
    list = json_object_get(data, "identity");
    if (list != NULL && !json_is_array(list))
        return "\"identity\" must be an array";
    json_object_foreach (data, key, value) {
        if (!people_check_choice(key, json_string_value(value)))
            return key;
    }
    return NULL;
}

static int people_order(const void *a, const void *b)
{
    const struct person *left = a;
    const struct person *right = b;

    return strcmp(left->name, right->name);
}

static int people_load_file(struct people *people, const char *dir, const char *file, char *why,
                            size_t size)
{
    struct person *person = &people->list[people->count];
    size_t stem = strlen(file) - strlen(".json");
    char path[4096];
    json_error_t error;
    const char *fault;

    if (stem == 0 || stem >= sizeof(person->name)) {
        snprintf(why, size, "%s: name too long", file);
        return -ENAMETOOLONG;
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
        return -ENAMETOOLONG;
    person->data = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (person->data == NULL) {
        snprintf(why, size, "%s:%d: %s", file, error.line, error.text);
        return -EINVAL;
    }
    memcpy(person->name, file, stem);
    person->name[stem] = '\0';
    people->count++;
    fault = people_check(person->data);
    if (fault != NULL) {
        snprintf(why, size, "%s: wrong value: %s", file, fault);
        return -EINVAL;
    }
    return 0;
}

int people_load(struct people **out, const char *dir, char *why, size_t size)
{
    struct people *people = calloc(1, sizeof(*people));
    struct dirent *entry;
    DIR *handle = NULL;
    int r = -ENOMEM;

    if (people == NULL)
        return -ENOMEM;
    people->list = calloc(PEOPLE_MAX, sizeof(*people->list));
    if (people->list == NULL)
        goto fail;
    handle = opendir(dir);
    if (handle == NULL) {
        r = -errno;
        snprintf(why, size, "%s: %s", dir, strerror(errno));
        goto fail;
    }
    while ((entry = readdir(handle)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');

        if (entry->d_name[0] == '.' || dot == NULL || strcmp(dot, ".json") != 0)
            continue;
        if (people->count == PEOPLE_MAX) {
            snprintf(why, size, "%s: more than %d people", dir, PEOPLE_MAX);
            r = -E2BIG;
            goto fail;
        }
        r = people_load_file(people, dir, entry->d_name, why, size);
        if (r < 0)
            goto fail;
    }
    closedir(handle);
    /* The directory's order is chance; the order of several matches must not be. */
    qsort(people->list, people->count, sizeof(*people->list), people_order);
    *out = people;
    return 0;
fail:
    if (handle != NULL)
        closedir(handle);
    people_free(people);
    return r;
}

void people_free(struct people *people)
{
    if (people == NULL)
        return;
    for (size_t i = 0; i < people->count; i++)
        json_decref(people->list[i].data);
    free(people->list);
    free(people);
}

size_t people_count(const struct people *people)
{
    return people->count;
}

const struct person *people_at(const struct people *people, size_t i)
{
    return &people->list[i];
}

const struct person *people_find_name(const struct people *people, const char *name)
{
    for (size_t i = 0; i < people->count; i++) {
        if (strcmp(people->list[i].name, name) == 0)
            return &people->list[i];
    }
    return NULL;
}

const struct person *people_find_card(const struct people *people, const char *card)
{
    for (size_t i = 0; i < people->count; i++) {
        const json_t *cards = json_object_get(people->list[i].data, "cards");

        for (size_t n = 0; n < json_array_size(cards); n++) {
            const char *each = json_string_value(json_array_get(cards, n));

            if (each != NULL && strcmp(each, card) == 0)
                return &people->list[i];
        }
    }
    return NULL;
}

static const char *people_element(const json_t *identity, const char *name)
{
    const char *value = json_string_value(json_object_get(identity, name));

    return value != NULL ? value : "";
}

static bool people_same(const char *a, const char *b, bool padded)
{
    char left[128];
    char right[128];

    if (!text_fold_width(a, left, sizeof(left)) || !text_fold_width(b, right, sizeof(right)))
        return false;
    if (padded)
        return strcmp(text_skip_padding(left), text_skip_padding(right)) == 0;
    return strcmp(left, right) == 0;
}

static bool people_match(const json_t *identity, const struct people_numbers *numbers)
{
    const char *branch = people_element(identity, "InsuredBranchNumber");
    const char *symbol = numbers->symbol != NULL ? numbers->symbol : "";

    if (!people_same(people_element(identity, "InsurerNumber"), numbers->insurer, true))
        return false;
    if (!people_same(people_element(identity, "InsuredCardSymbol"), symbol, false))
        return false;
    if (!people_same(people_element(identity, "InsuredIdentificationNumber"), numbers->number,
                     true))
        return false;
    if (numbers->birthdate != NULL &&
        strcmp(people_element(identity, "Birthdate"), numbers->birthdate) != 0)
        return false;
    /* A branch number is compared only where both sides have one: older certificates lack it. */
    if (numbers->branch == NULL || numbers->branch[0] == '\0' || branch[0] == '\0')
        return true;
    return people_same(branch, numbers->branch, true);
}

static bool people_match_any(const json_t *list, const struct people_numbers *numbers)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (people_match(json_array_get(list, i), numbers))
            return true;
    }
    return false;
}

size_t people_find_numbers(const struct people *people, const struct people_numbers *numbers,
                           const struct person **found, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < people->count; i++) {
        const json_t *data = people->list[i].data;
        const json_t *identity = json_object_get(data, "identity");

        if (identity == NULL)
            identity = json_object_get(data, "results");
        if (!people_match_any(identity, numbers))
            continue;
        if (count < max)
            found[count] = &people->list[i];
        count++;
    }
    return count;
}

static int people_set_leaf(json_t *at, const char *key, json_t *value)
{
    long index;

    if (json_is_object(at)) {
        if (json_is_null(value)) {
            (void)json_object_del(at, key);
            return 0;
        }
        return json_object_set(at, key, value) < 0 ? -ENOMEM : 0;
    }
    if (json_is_array(at) && text_parse_number(key, 0, 1000, &index))
        return json_array_set(at, (size_t)index, value) < 0 ? -EINVAL : 0;
    return -EINVAL;
}

int people_set(struct people *people, const char *name, const char *key, json_t *value)
{
    const struct person *person = people_find_name(people, name);
    char path[256];
    char *at_key = path;
    char *dot;
    json_t *at;

    if (person == NULL)
        return -ENOENT;
    if ((size_t)snprintf(path, sizeof(path), "%s", key) >= sizeof(path) || path[0] == '\0')
        return -EINVAL;
    if (!people_check_choice(key, json_string_value(value)))
        return -EINVAL;
    at = person->data;
    while ((dot = strchr(at_key, '.')) != NULL) {
        json_t *next = NULL;
        long index;

        *dot = '\0';
        if (json_is_object(at)) {
            next = json_object_get(at, at_key);
            if (next == NULL && json_object_set_new(at, at_key, json_object()) == 0)
                next = json_object_get(at, at_key);
        } else if (json_is_array(at) && text_parse_number(at_key, 0, 1000, &index)) {
            next = json_array_get(at, (size_t)index);
        }
        if (next == NULL)
            return -EINVAL;
        at = next;
        at_key = dot + 1;
    }
    return people_set_leaf(at, at_key, value);
}

const char *person_string(const struct person *person, const char *key, const char *fallback)
{
    const char *value = json_string_value(json_object_get(person->data, key));

    return value != NULL ? value : fallback;
}
