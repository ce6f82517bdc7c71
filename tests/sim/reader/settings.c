#include "settings.h"

#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_FILE_MAX = 64 * 1024 };

struct pair {
    char *key;
    char *value;
};

struct settings {
    struct pair *pairs;
    size_t count;
};

struct settings *sim_settings_new(void)
{
    return calloc(1, sizeof(struct settings));
}

void sim_settings_free(struct settings **s)
{
    size_t i;

    if (!*s)
        return;
    for (i = 0; i < (*s)->count; i++) {
        free((*s)->pairs[i].key);
        free((*s)->pairs[i].value);
    }
    free((*s)->pairs);
    free(*s);
    *s = NULL;
}

static struct pair *find(const struct settings *s, const char *key)
{
    size_t i;

    for (i = 0; i < s->count; i++)
        if (strcmp(s->pairs[i].key, key) == 0)
            return &s->pairs[i];
    return NULL;
}

const char *sim_settings_get(const struct settings *s, const char *key, const char *fallback)
{
    const struct pair *p = find(s, key);

    return p ? p->value : fallback;
}

int sim_settings_set(struct settings *s, const char *key, const char *value)
{
    struct pair *p = find(s, key), *grown;
    char *v = strdup(value), *k;

    if (!v)
        return -ENOMEM;
    if (p) {
        free(p->value);
        p->value = v;
        return 0;
    }
    k = strdup(key);
    grown = k ? realloc(s->pairs, (s->count + 1) * sizeof(*grown)) : NULL;
    if (!grown) {
        free(k);
        free(v);
        return -ENOMEM;
    }
    s->pairs = grown;
    s->pairs[s->count].key = k;
    s->pairs[s->count].value = v;
    s->count++;
    return 0;
}

size_t sim_settings_count(const struct settings *s)
{
    return s->count;
}

const char *sim_settings_key(const struct settings *s, size_t i)
{
    return i < s->count ? s->pairs[i].key : NULL;
}

/* Cut blanks at both ends, in place. */
static char *trim(char *t)
{
    char *end;

    while (*t && isspace((unsigned char)*t))
        t++;
    end = t + strlen(t);
    while (end > t && isspace((unsigned char)end[-1]))
        *--end = 0;
    return t;
}

static int parse_line(struct settings *s, char *text)
{
    char *eq, *key;

    text = trim(text);
    if (*text == 0 || *text == '#')
        return 0;
    eq = strchr(text, '=');
    if (!eq)
        return -EINVAL;
    *eq = 0;
    key = trim(text);
    if (*key == 0 || find(s, key))
        return -EINVAL;
    return sim_settings_set(s, key, trim(eq + 1));
}

int sim_settings_load(struct settings **out, const char *path, unsigned *line)
{
    struct settings *s = NULL;
    uint8_t *data = NULL;
    char *save = NULL, *text, *next;
    size_t len = 0;
    unsigned n = 0;
    int r;

    if (line)
        *line = 0;
    r = sim_util_read_file(path, SETTINGS_FILE_MAX, &data, &len);
    if (r < 0)
        return r;
    if (memchr(data, 0, len)) {
        r = -EINVAL;
        goto out;
    }
    s = sim_settings_new();
    if (!s) {
        r = -ENOMEM;
        goto out;
    }
    save = (char *)data;
    while ((text = save) != NULL) {
        next = strchr(text, '\n');
        if (next)
            *next++ = 0;
        save = next;
        n++;
        r = parse_line(s, text);
        if (r < 0) {
            if (line)
                *line = n;
            goto out;
        }
    }
    *out = s;
    s = NULL;
out:
    sim_settings_free(&s);
    free(data);
    return r;
}

int sim_settings_save(const struct settings *s, const char *path)
{
    struct buf b = {0};
    size_t i;
    int r;

    for (i = 0; i < s->count; i++) {
        sim_buf_put_str(&b, s->pairs[i].key);
        sim_buf_put_str(&b, " = ");
        sim_buf_put_str(&b, s->pairs[i].value);
        sim_buf_put_str(&b, "\n");
    }
    r = b.failed ? -ENOMEM : sim_util_write_file(path, b.data, b.len);
    sim_buf_free(&b);
    return r;
}
