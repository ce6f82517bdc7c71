#include "config_change.h"

#include <stdio.h>
#include <string.h>

static const struct {
    unsigned use;
    const char *unit; /* with an @: one for each lane, upstream or output */
} units[] = {
    {FOR_DESK, "uketsuke-desk"},
    {FOR_BROKER, "uketsuke-broker"},
    {FOR_READER, "uketsuke-reader@"},
    {FOR_MATCHER, "uketsuke-matcher"},
    {FOR_OCR, "uketsuke-ocr"},
    {FOR_RELAY, "uketsuke-relay@"},
    {FOR_HANDOVER, "uketsuke-handover@"},
    {FOR_WEB, "uketsuke-web"},
};

bool config_is_live(enum config_key key)
{
    return config_row(key)->use == FOR_DESK_LIVE;
}

/* Whoever reads any key of the section; and of a lane its reader's program, which is told by the desk but has to run. */
static unsigned use_of_section(const char *section)
{
    unsigned use = strcmp(section, "lane") == 0 ? FOR_READER : 0;

    for (int k = 0; k < CONFIG_KEY_COUNT; k++)
        if (strcmp(config_row((enum config_key)k)->section, section) == 0)
            use |= config_row((enum config_key)k)->use;
    return use;
}

void config_units(const struct config_change *change, char *out, size_t size)
{
    const struct config_row *row = config_row(change->key);
    bool whole = change->from == NULL || change->to == NULL;
    unsigned use = whole ? use_of_section(row->section) : row->use;
    size_t len = 0;

    (void)snprintf(out, size, "uketsuke.target");
    for (size_t i = 0; use != FOR_ALL && i < sizeof(units) / sizeof(units[0]) && len < size; i++)
        if ((use & units[i].use) != 0)
            len += (size_t)snprintf(out + len, size - len, "%s%s%s.service", len > 0 ? " " : "",
                                    units[i].unit,
                                    strchr(units[i].unit, '@') == NULL ? ""
                                    : change->instance != NULL         ? change->instance
                                                                       : "*");
}

struct comparing {
    const struct config *started, *running, *wanted;
    config_change_fn *each;
    void *arg;
    size_t count;
};

static void tell(struct comparing *c, enum config_key key, const char *instance, const char *from,
                 const char *to)
{
    const struct config_row *row = config_row(key);
    bool whole = from == NULL || to == NULL;
    char name[160];
    struct config_change change = {key, instance, name, from, to, !whole && config_is_live(key)};

    (void)snprintf(name, sizeof(name), "[%s%s%s]%s%s", row->section, instance != NULL ? " " : "",
                   instance != NULL ? instance : "", whole ? "" : " ", whole ? "" : row->name);
    c->count++;
    c->each(&change, c->arg);
}

static bool has(const struct config *config, const char *section, const char *instance)
{
    const char *name;

    for (size_t i = 0; (name = config_instance(config, section, i)) != NULL; i++)
        if (strcmp(name, instance) == 0)
            return true;
    return false;
}

static void compare_key(struct comparing *c, enum config_key key, const char *instance)
{
    const char *from = config_text(config_is_live(key) ? c->running : c->started, key, instance);
    const char *to = config_text(c->wanted, key, instance);

    if (strcmp(from, to) != 0)
        tell(c, key, instance, from, to);
}

/* One section with its instances ("" for those without, which config_instance() lists as well). */
static void compare_section(struct comparing *c, enum config_key first)
{
    const char *section = config_row(first)->section, *name;

    for (size_t i = 0; (name = config_instance(c->wanted, section, i)) != NULL; i++) {
        const char *instance = name[0] != '\0' ? name : NULL;

        if (!has(c->started, section, name)) {
            tell(c, first, instance, NULL, "");
            continue;
        }
        for (int k = (int)first;
             k < CONFIG_KEY_COUNT && strcmp(config_row((enum config_key)k)->section, section) == 0;
             k++)
            compare_key(c, (enum config_key)k, instance);
    }
    for (size_t i = 0; (name = config_instance(c->started, section, i)) != NULL; i++)
        if (!has(c->wanted, section, name))
            tell(c, first, name, "", NULL);
}

size_t config_compare(const struct config *started, const struct config *running,
                      const struct config *wanted, config_change_fn *each, void *arg)
{
    struct comparing c = {started, running, wanted, each, arg, 0};
    const char *last = "";

    for (int k = 0; k < CONFIG_KEY_COUNT; k++)
        if (strcmp(config_row((enum config_key)k)->section, last) != 0) {
            last = config_row((enum config_key)k)->section;
            compare_section(&c, (enum config_key)k);
        }
    return c.count;
}
