/*
 * The people the service knows: one readable JSON file each (see README.md for the keys).
 *
 * The files are read once; what happens afterwards (registration, consents, control commands)
 * changes only the copy in memory. Callers serialise by the service's lock; every json_t returned
 * is borrowed and valid until the next change.
 */
#ifndef SIM_SERVICE_PEOPLE_H
#define SIM_SERVICE_PEOPLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct people;

struct person {
    char name[64]; /* file name without .json */
    json_t *data;  /* owned by the table */
};

/* The numbers somebody is asked for by. Members are borrowed; symbol and branch may be NULL, and so
 * may birthdate: then it is not compared. */
struct people_numbers {
    const char *insurer;
    const char *symbol;
    const char *number;
    const char *branch;
    const char *birthdate;
};

/* Reads every *.json of dir. On failure why says which file and what. 0 or negative errno. */
int people_load(struct people **out, const char *dir, char *why, size_t size);
void people_free(struct people *people);

size_t people_count(const struct people *people);
const struct person *people_at(const struct people *people, size_t i);
const struct person *people_find_name(const struct people *people, const char *name);
const struct person *people_find_card(const struct people *people, const char *card);

/* Fills found with up to max people whose numbers are these; returns how many there are. */
size_t people_find_numbers(const struct people *people, const struct people_numbers *numbers,
                           const struct person **found, size_t max);

/*
 * Sets a value in a person's data. key may be a path with dots ("results.0.Name"); objects on the
 * way are made, array elements must exist. Takes its own reference to value. JSON null removes.
 * -ENOENT: no such person; -EINVAL: the path cannot be.
 */
int people_set(struct people *people, const char *name, const char *key, json_t *value);

/* A string of the person's data, or fallback. */
const char *person_string(const struct person *person, const char *key, const char *fallback);

#endif
