#include "control.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { WORDS_MAX = 8 };

struct answer {
    char *text;
    size_t cap;
};

static void reply(struct answer *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void reply(struct answer *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(a->text, a->cap, format, args);
    va_end(args);
}

static void append(struct answer *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct answer *a, const char *format, ...)
{
    size_t len = strlen(a->text);
    va_list args;

    va_start(args, format);
    vsnprintf(a->text + len, a->cap - len, format, args);
    va_end(args);
}

static void take_out(struct sim *sim)
{
    sim_ccid_set_card(sim_device_reader(sim->device), NULL);
    sim_card_close(&sim->card);
}

bool sim_control_take_torn(struct sim *sim)
{
    if (!sim_ccid_take_torn(sim_device_reader(sim->device)))
        return false;
    take_out(sim);
    return true;
}

void sim_control_finish(struct sim *sim)
{
    take_out(sim);
    sim_ccid_set_trace(sim_device_reader(sim->device), NULL);
    if (sim->trace)
        fclose(sim->trace);
    sim->trace = NULL;
}

static void cmd_insert(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct card *card;
    int r;

    (void)n;
    if (sim->card) {
        reply(a, "error card %s is in the slot: remove it first", sim_card_name(sim->card));
        return;
    }
    sim->seed++;
    r = sim_card_open(&card, sim->cards_dir, sim->state_dir, words[1], sim->seed);
    if (r < 0) {
        reply(a, "error no card %s (%s): see the directories in %s", words[1], strerror(-r),
              sim->cards_dir);
        return;
    }
    sim->card = card;
    sim_ccid_set_card(sim_device_reader(sim->device), card);
    /* Whose commands the lines below are. */
    if (sim->trace) {
        fprintf(sim->trace, "%llu insert %s\n", (unsigned long long)sim_util_now_us(), words[1]);
        fflush(sim->trace);
    }
    reply(a, "ok %s", words[1]);
}

static void cmd_remove(struct sim *sim, size_t n, char **words, struct answer *a)
{
    (void)n;
    (void)words;
    if (!sim->card) {
        reply(a, "error no card in the slot: insert one first");
        return;
    }
    take_out(sim);
    reply(a, "ok");
}

static void cmd_second(struct sim *sim, size_t n, char **words, struct answer *a)
{
    bool on = strcmp(words[1], "on") == 0;

    (void)n;
    if (!on && strcmp(words[1], "off") != 0)
        reply(a, "error wrong words: second on | off");
    else if (!sim_ccid_set_second(sim_device_reader(sim->device), on))
        reply(a, "error this reader has one slot: start it with --second-slot");
    else
        reply(a, "ok");
}

static void cmd_camera(struct sim *sim, size_t n, char **words, struct answer *a)
{
    static const struct {
        const char *word;
        void (*set)(struct camera *c);
    } states[] = {
        {"off", sim_camera_off}, {"freeze", sim_camera_freeze}, {"dark", sim_camera_dark}};
    struct camera *camera = sim_device_camera(sim->device);
    char dir[PATH_MAX];
    uint64_t first = 1;
    size_t i;
    int r;

    for (i = 0; i < COUNT(states); i++) {
        if (strcmp(states[i].word, words[1]) != 0)
            continue;
        states[i].set(camera);
        snprintf(sim->camera, sizeof(sim->camera), "%s", words[1]);
        reply(a, "ok %s", words[1]);
        return;
    }
    if ((n > 2 && (sim_util_parse_u64(words[2], 10, 99999, &first) < 0 || first == 0)) ||
        strchr(words[1], '/') || words[1][0] == '.') {
        reply(a, "error wrong words: camera NAME [FRAME from 1] | off | freeze | dark");
        return;
    }
    r = sim_util_path(dir, sizeof(dir), sim->videos_dir, words[1], NULL);
    if (r == 0)
        r = sim_camera_show(camera, dir, (size_t)first - 1);
    if (r < 0) {
        reply(a, "error no frames %s (%s): make them with make-frames.sh", words[1], strerror(-r));
        return;
    }
    snprintf(sim->camera, sizeof(sim->camera), "%s", words[1]);
    reply(a, "ok %s", words[1]);
}

/* A film that begins anew brings pictures that were seen before: to whoever asks again and again it runs on. */
static void cmd_show(struct sim *sim, size_t n, char **words, struct answer *a)
{
    if (strcmp(sim->camera, words[1]) == 0)
        reply(a, "ok %s", words[1]);
    else
        cmd_camera(sim, n, words, a);
}

static void cmd_status(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct ccid *reader = sim_device_reader(sim->device);

    (void)n;
    (void)words;
    reply(a,
          "ok plugged=%d imported=%d configured=%u card=%s powered=%d application=%s camera=%s "
          "alternate=%u pictures=%llu faults=%zu",
          sim_device_plugged(sim->device), sim->usbip && sim_usbip_imported(sim->usbip),
          sim_device_configuration(sim->device), sim->card ? sim_card_name(sim->card) : "-",
          sim_ccid_powered(reader), sim->card ? sim_card_application(sim->card) : "-", sim->camera,
          sim_camera_alternate(sim_device_camera(sim->device)),
          (unsigned long long)sim_camera_pictures(sim_device_camera(sim->device)),
          sim_faults_armed(sim_device_faults(sim->device)));
}

/* The card by name: the one in the slot, or opened for the moment (*opened, to be closed). */
static struct card *find_card(struct sim *sim, const char *name, struct card **opened,
                              struct answer *a)
{
    int r;

    *opened = NULL;
    if (sim->card && strcmp(sim_card_name(sim->card), name) == 0)
        return sim->card;
    r = sim_card_open(opened, sim->cards_dir, sim->state_dir, name, 0);
    if (r < 0) {
        reply(a, "error no card %s (%s): see the directories in %s", name, strerror(-r),
              sim->cards_dir);
        return NULL;
    }
    return *opened;
}

static void list_counters(const struct card *card, struct answer *a)
{
    struct card_counter c;
    size_t i;

    reply(a, "ok");
    for (i = 0; sim_card_counter(card, i, &c); i++)
        append(a, " %s.%04X=%d/%d", c.application, c.file, c.left, c.maximum);
}

static void cmd_counters(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct card *opened, *card = find_card(sim, words[1], &opened, a);

    (void)n;
    if (card)
        list_counters(card, a);
    sim_card_close(&opened);
}

static void cmd_set_counter(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct card *opened, *card = find_card(sim, words[1], &opened, a);
    uint64_t left;
    int r;

    (void)n;
    if (!card)
        return;
    r = sim_util_parse_u64(words[3], 10, 15, &left);
    if (r == 0)
        r = sim_card_set_counter(card, words[2], (int)left);
    if (r < 0)
        reply(a, "error cannot set %s to %s (%s): see 'counters %s'", words[2], words[3],
              strerror(-r), words[1]);
    else
        list_counters(card, a);
    sim_card_close(&opened);
}

static void cmd_reset_counters(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct card *opened, *card = find_card(sim, words[1], &opened, a);
    int r;

    (void)n;
    if (!card)
        return;
    r = sim_card_reset_counters(card);
    if (r < 0)
        reply(a, "error cannot write the counters: %s", strerror(-r));
    else
        list_counters(card, a);
    sim_card_close(&opened);
}

static void cmd_keys(struct sim *sim, size_t n, char **words, struct answer *a)
{
    static const char *const names[] = {"cancel", "timeout", "refuse", "wait"};
    size_t i, digits = strspn(words[1], "0123456789");
    bool known = digits > 0 && digits <= 16 && words[1][digits] == 0;

    (void)n;
    for (i = 0; i < COUNT(names); i++)
        known = known || strcmp(words[1], names[i]) == 0;
    if (!known) {
        reply(a, "error wrong words: keys DIGITS | cancel | timeout | refuse | wait");
        return;
    }
    sim_ccid_set_keys(sim_device_reader(sim->device), words[1]);
    reply(a, "ok");
}

static void cmd_apdus(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct ccid *reader = sim_device_reader(sim->device);

    (void)n;
    (void)words;
    reply(a, "ok insertion=%llu total=%llu blocks=%llu",
          (unsigned long long)sim_ccid_apdus_since_insertion(reader),
          (unsigned long long)sim_ccid_apdus(reader), (unsigned long long)sim_ccid_blocks(reader));
}

static void cmd_transfers(struct sim *sim, size_t n, char **words, struct answer *a)
{
    struct usbip_transfers t = {0};

    (void)n;
    (void)words;
    if (sim->usbip)
        t = sim_usbip_transfers(sim->usbip);
    reply(a, "ok control=%llu out=%llu in=%llu interrupt=%llu iso=%llu unlinked=%llu", t.control,
          t.bulk_out, t.bulk_in, t.interrupt, t.iso, t.unlinked);
}

static void cmd_trace(struct sim *sim, size_t n, char **words, struct answer *a)
{
    FILE *f = NULL;

    if (strcmp(words[1], "on") == 0 && n == 3) {
        f = fopen(words[2], "ae");
        if (!f) {
            reply(a, "error cannot write %s (%s): name another file", words[2], strerror(errno));
            return;
        }
    } else if (strcmp(words[1], "off") != 0 || n != 2) {
        reply(a, "error wrong words: trace on FILE | trace off");
        return;
    }
    sim_ccid_set_trace(sim_device_reader(sim->device), f);
    if (sim->trace)
        fclose(sim->trace);
    sim->trace = f;
    reply(a, "ok");
}

static void cmd_fault(struct sim *sim, size_t n, char **words, struct answer *a)
{
    char why[160];

    if (sim_faults_arm(sim_device_faults(sim->device), words + 1, n - 1, why, sizeof(why)) < 0)
        reply(a, "error %s", why);
    else
        reply(a, "ok armed=%zu", sim_faults_armed(sim_device_faults(sim->device)));
}

static void cmd_faults(struct sim *sim, size_t n, char **words, struct answer *a)
{
    size_t i;

    (void)n;
    if (strcmp(words[1], "off") == 0) {
        sim_faults_clear(sim_device_faults(sim->device));
        reply(a, "ok");
    } else if (strcmp(words[1], "list") == 0) {
        reply(a, "ok endpoints: control bulk-out bulk-in interrupt iso");
        for (i = 0; sim_faults_help(i); i++)
            append(a, "; %s", sim_faults_help(i));
    } else {
        reply(a, "error wrong words: faults off | faults list");
    }
}

static void cmd_unplug(struct sim *sim, size_t n, char **words, struct answer *a)
{
    (void)n;
    (void)words;
    sim_device_unplug(sim->device);
    reply(a, "ok");
}

static void cmd_plug(struct sim *sim, size_t n, char **words, struct answer *a)
{
    (void)n;
    (void)words;
    if (!sim_device_plugged(sim->device))
        sim_device_plug(sim->device, sim_util_now_us());
    reply(a, "ok");
}

static void cmd_quit(struct sim *sim, size_t n, char **words, struct answer *a)
{
    (void)n;
    (void)words;
    sim->quit = true;
    reply(a, "ok");
}

static void cmd_help(struct sim *sim, size_t n, char **words, struct answer *a);

static const struct {
    const char *name;
    size_t min, max; /* words, the command included */
    void (*run)(struct sim *sim, size_t n, char **words, struct answer *a);
    const char *usage;
} commands[] = {
    {"insert", 2, 2, cmd_insert, "insert NAME"},
    {"remove", 1, 1, cmd_remove, "remove"},
    {"second", 2, 2, cmd_second, "second on | off"},
    {"camera", 2, 3, cmd_camera, "camera NAME [FRAME] | off | freeze | dark"},
    {"show", 2, 2, cmd_show, "show NAME"},
    {"status", 1, 1, cmd_status, "status"},
    {"counters", 2, 2, cmd_counters, "counters NAME"},
    {"set-counter", 4, 4, cmd_set_counter, "set-counter NAME KEY N"},
    {"reset-counters", 2, 2, cmd_reset_counters, "reset-counters NAME"},
    {"apdus", 1, 1, cmd_apdus, "apdus"},
    {"transfers", 1, 1, cmd_transfers, "transfers"},
    {"keys", 2, 2, cmd_keys, "keys DIGITS | cancel | timeout | refuse | wait"},
    {"trace", 2, 3, cmd_trace, "trace on FILE | off"},
    {"fault", 2, WORDS_MAX, cmd_fault, "fault KIND [ENDPOINT] N [ARGS]"},
    {"faults", 2, 2, cmd_faults, "faults off | list"},
    {"unplug", 1, 1, cmd_unplug, "unplug"},
    {"plug", 1, 1, cmd_plug, "plug"},
    {"help", 1, 1, cmd_help, "help"},
    {"quit", 1, 1, cmd_quit, "quit"},
};

static void cmd_help(struct sim *sim, size_t n, char **words, struct answer *a)
{
    size_t i;

    (void)sim;
    (void)n;
    (void)words;
    reply(a, "ok");
    for (i = 0; i < COUNT(commands); i++)
        append(a, "%s %s", i ? ";" : "", commands[i].usage);
}

void sim_control_execute(struct sim *sim, char *line, char *text, size_t cap)
{
    struct answer a = {text, cap - 1};
    char *words[WORDS_MAX + 1], *save = NULL, *w;
    size_t n = 0, i;

    for (w = strtok_r(line, " \t\r\n", &save); w && n <= WORDS_MAX;
         w = strtok_r(NULL, " \t\r\n", &save))
        words[n++] = w;
    for (i = 0; n > 0 && i < COUNT(commands); i++)
        if (strcmp(commands[i].name, words[0]) == 0)
            break;
    if (n == 0 || i == COUNT(commands))
        reply(&a, "error unknown command: try 'help'");
    else if (n < commands[i].min || n > commands[i].max)
        reply(&a, "error wrong words: %s", commands[i].usage);
    else
        commands[i].run(sim, n, words, &a);
    strcat(text, "\n");
}
