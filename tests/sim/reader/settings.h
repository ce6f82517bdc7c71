/*
 * settings.h - "key = value" text: card descriptions, made cards, counters. Lines starting with
 * '#' and empty lines are skipped; the order is kept; keys are unique.
 */
#ifndef SIM_SETTINGS_H
#define SIM_SETTINGS_H

#include <stddef.h>

struct settings;

/* Read a file. On a bad line -EINVAL, with *line (may be NULL) set to its number. 0 or -errno. */
int sim_settings_load(struct settings **out, const char *path, unsigned *line);
struct settings *sim_settings_new(void);
void sim_settings_free(struct settings **s);
/* Value, or fallback when the key is absent. The text belongs to the settings. */
const char *sim_settings_get(const struct settings *s, const char *key, const char *fallback);
/* 0 or -ENOMEM */
int sim_settings_set(struct settings *s, const char *key, const char *value);
size_t sim_settings_count(const struct settings *s);
const char *sim_settings_key(const struct settings *s, size_t i);
/* Write atomically; 0 or -errno. */
int sim_settings_save(const struct settings *s, const char *path);

#endif
