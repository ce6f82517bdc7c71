#include "config_change.h"

#include <stdio.h>
#include <string.h>

static const enum config_key live[] = {
    CFG_desk_GENUINENESS,       CFG_desk_CONSENTS,          CFG_desk_METHOD_SECONDS,
    CFG_desk_ENTRY_SECONDS,     CFG_desk_FACE_SECONDS,      CFG_desk_STAFF_SECONDS,
    CFG_desk_CARD_BACK_SECONDS, CFG_desk_TAKE_CARD_SECONDS, CFG_desk_ASK_SECONDS,
    CFG_desk_PIN_TRIES,         CFG_desk_AGAIN_SECONDS,     CFG_desk_BACKUP_HOURS,
    CFG_desk_BACKUP_KEEP,       CFG_desk_RETENTION_DAYS,    CFG_desk_AUDIT_ANCHOR_HOURS,
    CFG_desk_OUTBOX_DAYS,       CFG_desk_CLOCK_SOURCE,      CFG_desk_CLOCK_WRONG,
};

/* Whose section it is. A lane's label, reader and token concern several programs. */
static const struct {
    const char *section;
    const char *unit;
    bool instance;
} units[] = {
    {"desk", "uketsuke-desk.service", false},       {"web", "uketsuke-web.service", false},
    {"matcher", "uketsuke-matcher.service", false}, {"upstream", "uketsuke-relay@%s.service", true},
    {"card", "uketsuke-reader@*.service", false},
};

bool config_is_live(enum config_key key)
{
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
        if (live[i] == key)
            return true;
    return false;
}

void config_unit(enum config_key key, const char *instance, char *out, size_t size)
{
    const char *section = config_row(key)->section;

    (void)snprintf(out, size, "uketsuke.target");
    if (strcmp(section, "output") == 0)
        (void)snprintf(out, size, "uketsuke-handover@%s.service", instance);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].section, section) == 0 && units[i].instance)
            (void)snprintf(out, size, "uketsuke-relay@%s.service", instance);
        else if (strcmp(units[i].section, section) == 0)
            (void)snprintf(out, size, "%s", units[i].unit);
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
