/*
 * A long random day at many lanes: every lane a patient (and staff) who do anything that the screen
 * offers and much that it does not; fate pulls cards, cables and plugs, kills and stops programs,
 * ill-treats the service, fills the disk, withholds memory and moves the clock. No end is expected
 * of any visit but that it has one; what must be true afterwards is what reconcile.sql says. The
 * seed names what each lane and fate decide.
 *
 * The first two fifths are rough; then no program is killed, stopped or starved any more, so that
 * memory and descriptors of each can be watched: they must not grow. The calm is looked at in four
 * quarters. A leak grows from each to the next; what is made once at the first need (a worker's
 * first card) is a step. Judged from 120 s of calm on: 4 % or 1 MB in all, a third of it or more
 * each time, or 8 descriptors, is too much.
 */
#include "guest.h"
#include "shortage.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS_MAX 96
#define SAMPLES_MAX 400
#define HURRY_MS 15
#define JUDGED_FROM_MS 120000

static const char *const cards[] = {
    "franck",
    "other",
    "locked-pin",
    "last-try",
    "no-photo",
    "absent-photo",
    "pinless",
    "expired-cert",
    "revoked-cert",
    "counterfeit",
    "cloned",
    "unknown-issuer",
    "number-b-used",
    "foreign",
    "android",
    "old-juki",
    "next-gen",
    "suica",
    "mute",
    "first-use",
    "lost",
    "lost-new",
    "notice",
    "several",
    "none",
    "no-pin",
    "number-b-few",
    "insurer-missing",
    "expired-card",
    "welfare-unregistered",
    "number-b-locked",
};
#define CARDS (sizeof(cards) / sizeof(cards[0]))

/* "fault KIND N REST", N drawn */
static const struct {
    const char *kind, *rest;
} lane_faults[] = {
    {"torn", ""},
    {"mute", ""},
    {"torn-in", ""},
    {"torn-lost", ""},
    {"silent", ""},
    {"twice", ""},
    {"stale", ""},
    {"wrong-seq", ""},
    {"extend", "3 80"},
    {"sw", "6F00"},
    {"berror", "F6"},
    {"stall bulk-in", ""},
    {"unplug bulk-in", ""},
    {"camera-stop", ""},
    {"camera-error", ""},
    {"camera-garbage", ""},
    {"garbage bulk-in", ""},
    {"slow bulk-in", "400"},
    {"short bulk-in", "5"},
};
static const char *const films[] = {"franck", "franck",    "franck", "cap12", "cap13",
                                    "off",    "companion", "parent", "night"};
static const char *const storms[] = {
    "slow 700",
    "script 2 lost",
    "script 2 half",
    "script 2 reset",
    "script 3 status 500",
    "script 2 garbage",
    "script 2 pending",
    "token-expire",
    "script 1 error segment SIMSEG001 x",
    "script 1 error processing SIMPRC999 x",
    "script 2 status 401",
    "script 1 redirect",
    "script 1 huge 300000",
    "script 2 drip 5",
};
static const char *const programs[] = {"desk",       "web",    "matcher", "ocr",
                                       "relay-main", "broker", "service"};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct program {
    char name[32];
    int pid;
    struct {
        uint64_t at_ms;
        long pss_kb;
        int fds;
    } samples[SAMPLES_MAX];
    int nsamples;
};

struct soak {
    struct site *site;
    uint64_t began_ms, calm_ms, end_ms;
    unsigned long seed;
    bool taken[CARDS];
    unsigned visits, kills, stops, storms, faults, unplugs, actions, refusals;
    struct shortage *shortage; /* NULL: the desk was not prepared for it */
    unsigned full, starved, jumps, unwritten, unallocated;
    int stuck;
    struct program programs[PROGRAMS_MAX];
    int nprograms;
    pthread_mutex_t lock;
};

struct patient {
    struct soak *soak;
    struct stage stage;
    uint64_t random;
    pthread_t thread;
};

/* xorshift64*: good enough to be unlike a person, and the same for a seed. */
static unsigned draw(uint64_t *state, unsigned below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (unsigned)((*state * 0x2545F4914F6CDD1DULL) >> 33) % below;
}

static bool over(const struct soak *soak)
{
    return guest_now_ms() >= soak->end_ms;
}

static void count(struct soak *soak, unsigned *what)
{
    (void)pthread_mutex_lock(&soak->lock);
    (*what)++;
    (void)pthread_mutex_unlock(&soak->lock);
}

/* A card of this desk lies at one lane at a time. */
static int borrow_card(struct soak *soak, uint64_t *random)
{
    int at = -1;

    (void)pthread_mutex_lock(&soak->lock);
    for (unsigned tries = 0; tries < 200 && at < 0; tries++) {
        unsigned i = draw(random, CARDS);

        if (!soak->taken[i])
            at = (int)i;
    }
    if (at >= 0)
        soak->taken[at] = true;
    (void)pthread_mutex_unlock(&soak->lock);
    return at;
}

static void give_back(struct soak *soak, int card)
{
    (void)pthread_mutex_lock(&soak->lock);
    soak->taken[card] = false;
    (void)pthread_mutex_unlock(&soak->lock);
}

/* ---- one lane -------------------------------------------------------------------------------- */

static void device(struct patient *p, const char *command)
{
    char answer[512];

    (void)line_ask(p->stage.device, command, answer, sizeof(answer));
}

static void misfortune(struct patient *p)
{
    char command[64];
    unsigned kind = draw(&p->random, 30);

    if (kind < COUNT(lane_faults)) {
        (void)snprintf(command, sizeof(command), "fault %s %u %s", lane_faults[kind].kind,
                       1 + draw(&p->random, 20), lane_faults[kind].rest);
        device(p, command);
        count(p->soak, &p->soak->faults);
    } else if (kind == 20 || kind == 21) {
        device(p, "unplug");
        guest_sleep_ms(50 + draw(&p->random, 1500));
        device(p, "plug");
        count(p->soak, &p->soak->unplugs);
    } else if (kind == 22) {
        device(p, "camera freeze");
    } else if (kind == 23) {
        device(p, "camera dark");
    }
}

/* Wrong only while the card would forgive it: nobody means to lock the cards of the whole day. */
static bool enter(struct patient *p, const char *kind)
{
    struct stage *stage = &p->stage;
    struct card_facts facts;
    bool pin = strcmp(kind, "pin") == 0;
    int tries = pin ? stage->pin_tries : stage->number_b_tries;
    bool wrong = tries >= (pin ? 3 : 9) && draw(&p->random, 8) == 0;

    if (!card_facts_read(&facts, stage->site->cards, stage->card))
        return false;
    if (wrong)
        return stage_enter(stage, kind, pin ? "0000" : "45010120300000", false);
    return stage_enter(stage, kind, pin ? facts.pin : facts.number_b, true);
}

/* One thing that somebody may do now; most of the time what brings the visit on. */
static void do_something(struct patient *p)
{
    static const char *const staff[] = {"staff_confirm", "staff_end",    "staff_reject",
                                        "staff_retry",   "staff_looked", "choose_staff",
                                        "link"};
    static const char *const kiosk[] = {"choose_face", "choose_pin", "choose_staff",
                                        "yes",         "no",         "cancel",
                                        "still_here",  "key_in",     "show_card"};
    struct stage *stage = &p->stage;
    char *const numbers[5] = {"99000010", "見本", "3001", "01", "19900110"};
    unsigned luck = draw(&p->random, 100);
    bool good = false;

    stage->problem[0] = '\0';
    if (luck < 4)
        good = stage_act(stage, BOARD, staff[draw(&p->random, COUNT(staff))]);
    else if (luck < 8)
        good = stage_act(stage, KIOSK, kiosk[draw(&p->random, COUNT(kiosk))]);
    else if (luck < 10) {
        const uint64_t at_the_lane = stage->last_visit;

        good = stage_lookup(stage, numbers, stage->visit != 0 && strcmp(stage->state, "link") == 0);
        stage->last_visit = at_the_lane;
    } else if (strcmp(stage->state, "method") == 0)
        good = stage_act(stage, KIOSK,
                         luck < 45   ? "choose_face"
                         : luck < 90 ? "choose_pin"
                                     : "choose_staff");
    else if (strcmp(stage->state, "number_b") == 0)
        good = enter(p, "number-b");
    else if (strcmp(stage->state, "pin") == 0)
        good = enter(p, "pin");
    else if (guest_among("number_b_confirm|pin_confirm|register", stage->state))
        good = stage_act(stage, KIOSK, luck < 70 ? "yes" : "no");
    else if (strcmp(stage->state, "show_card") == 0)
        good = stage_act(stage, KIOSK, "key_in");
    else if (strcmp(stage->state, "consent") == 0) {
        stage->consents = draw(&p->random, 8);
        good = stage_consent(stage);
    } else if (strcmp(stage->state, "visual") == 0)
        good = stage_act(stage, BOARD, luck < 80 ? "staff_confirm" : "staff_reject");
    else if (guest_among("staff|link", stage->state))
        good = stage_act(stage, BOARD, luck < 70 ? "staff_end" : "staff_retry");
    else
        return;
    count(p->soak, good ? &p->soak->actions : &p->soak->refusals);
    stage->problem[0] = '\0';
}

static void note_end(struct patient *p)
{
    struct stage *stage = &p->stage;
    json_t *visit = stage_visit(stage, stage->last_visit);
    const char *outcome = json_string_value(json_object_get(visit, "outcome"));

    if (outcome != NULL)
        site_note(stage->site,
                  json_pack("{s:s, s:i, s:I, s:s}", "event", "ended", "lane", stage->lane, "visit",
                            (json_int_t)stage->last_visit, "outcome", outcome));
    json_decref(visit);
}

static void one_visit(struct patient *p, int card)
{
    struct stage *stage = &p->stage;
    uint64_t placed = guest_now_ms();
    unsigned taken = 0;
    char command[64];

    stage_begin(stage);
    (void)snprintf(command, sizeof(command), "camera %s %u", films[draw(&p->random, COUNT(films))],
                   1 + draw(&p->random, 60));
    device(p, command);
    if (draw(&p->random, 4) == 0)
        misfortune(p);
    (void)stage_place(stage, cards[card]);
    stage->problem[0] = '\0';
    while (guest_now_ms() - placed < 90000) {
        if (!stage_look(stage)) {
            guest_sleep_ms(50);
            continue;
        }
        if (stage->nseen > 0 && strcmp(stage->state, "idle") == 0)
            break;
        /* A card that nobody notices: the reader is away, or it fell out again. */
        if (strcmp(stage->state, "idle") == 0 && guest_now_ms() - placed > 8000)
            break;
        if (guest_among("done|take_card", stage->state) || draw(&p->random, 40) == 0)
            (void)stage_take(stage);
        else if (strcmp(stage->state, "card_lost") == 0 && taken < 2 && draw(&p->random, 2) == 0) {
            taken++;
            (void)stage_place(stage, cards[card]);
        } else if (draw(&p->random, 25) == 0)
            misfortune(p);
        else if (draw(&p->random, 3) > 0)
            do_something(p);
        stage->problem[0] = '\0';
        guest_sleep_ms(HURRY_MS + draw(&p->random, draw(&p->random, 10) == 0 ? 1500 : 60));
    }
    if (stage->nseen > 0)
        count(p->soak, &p->soak->visits);
}

/* The lane as a day begins: empty, plugged, idle. */
static bool tidy_lane(struct patient *p, int milliseconds)
{
    struct stage *stage = &p->stage;
    uint64_t end = guest_now_ms() + (uint64_t)milliseconds;

    device(p, "plug");
    device(p, "faults off");
    (void)stage_take(stage);
    do {
        stage->problem[0] = '\0';
        if (stage_look(stage)) {
            if (strcmp(stage->state, "idle") == 0)
                return true;
            if (guest_among("staff|link|visual|consent|register|eligibility", stage->state))
                (void)stage_act(stage, BOARD, "staff_end");
        }
        guest_sleep_ms(50);
    } while (guest_now_ms() < end);
    return false;
}

static void *live(void *arg)
{
    struct patient *p = arg;

    while (!over(p->soak)) {
        int card = borrow_card(p->soak, &p->random);

        if (card < 0) {
            guest_sleep_ms(100);
            continue;
        }
        one_visit(p, card);
        if (!tidy_lane(p, 60000)) {
            (void)printf("FAIL  lane %d did not become idle within 60 s: %s %s\n", p->stage.lane,
                         p->stage.state, p->stage.failure);
            count(p->soak, (unsigned *)&p->soak->stuck);
        }
        if (p->stage.nseen > 0)
            note_end(p);
        give_back(p->soak, card);
    }
    return NULL;
}

/* ---- fate ------------------------------------------------------------------------------------ */

static void signal_program(struct soak *soak, const char *program, int number)
{
    char command[64], answer[128];

    (void)snprintf(command, sizeof(command), "kill %s %d", program, number);
    site_note(soak->site,
              json_pack("{s:s, s:s, s:i}", "event", "kill", "program", program, "signal", number));
    (void)line_ask(soak->site->launcher, command, answer, sizeof(answer));
}

static void service(struct soak *soak, const char *command)
{
    char path[400], answer[512];

    (void)snprintf(path, sizeof(path), "%s/run/service.control", soak->site->directory);
    (void)line_ask(path, command, answer, sizeof(answer));
}

/* The rough part: a program dies, or hangs for a while, about every second. */
static void *kill_programs(void *arg)
{
    struct soak *soak = arg;
    uint64_t random = soak->seed * 6364136223846793005u + 99;

    while (guest_now_ms() < soak->calm_ms) {
        char program[32];

        if (draw(&random, 2) == 0)
            (void)snprintf(program, sizeof(program), "%s-%d",
                           draw(&random, 2) == 0 ? "reader" : "device",
                           soak->site->lanes[draw(&random, (unsigned)soak->site->nlanes)].number);
        else
            (void)snprintf(program, sizeof(program), "%s",
                           programs[draw(&random, COUNT(programs))]);
        if (draw(&random, 4) > 0) {
            signal_program(soak, program, 9);
            soak->kills++;
        } else {
            signal_program(soak, program, 19);
            guest_sleep_ms(200 + draw(&random, 2000));
            signal_program(soak, program, 18);
            soak->stops++;
        }
        guest_sleep_ms(300 + draw(&random, 1200));
    }
    return NULL;
}

/* How far a clock is set wrong, in seconds: by days, by hours, by what a battery loses. */
static const long steps[] = {-86400, 86400, -3600, 3600, -90, 600};

enum { LACK_DISK, LACK_MEMORY, LACK_TIME, LACKS };

/* Who sat idle asked for nothing, so that nothing was refused: then it is tried again, into the calm if need be. */
static bool must_lack(const struct soak *soak, unsigned lack)
{
    if (guest_now_ms() < soak->calm_ms)
        return true;
    return (lack == LACK_DISK && soak->unwritten == 0) ||
           (lack == LACK_MEMORY && soak->unallocated == 0);
}

static void lack(struct soak *soak, uint64_t *random, unsigned lack)
{
    if (lack == LACK_DISK) {
        shortage_disk(soak->shortage);
        guest_sleep_ms(200 + draw(random, 2500));
        soak->unwritten += shortage_over(soak->shortage);
        soak->full++;
    } else if (lack == LACK_MEMORY) {
        shortage_memory(soak->shortage, draw(random, shortage_programs(soak->shortage)),
                        1 + draw(random, 60));
        guest_sleep_ms(200 + draw(random, 1500));
        soak->unallocated += shortage_over(soak->shortage);
        soak->starved++;
    } else {
        const long step = steps[draw(random, COUNT(steps))];

        shortage_clock(soak->shortage, step);
        guest_sleep_ms(200 + draw(random, 2000));
        shortage_clock(soak->shortage, 0);
        soak->jumps++;
        /* A desk that saw a later time doubts the right one until it is started anew, as its words say. */
        if (step > 0)
            signal_program(soak, "desk", 9);
    }
}

/* What the host lacks for a while: each of the three in turn, in the rough part. */
static void *starve_programs(void *arg)
{
    struct soak *soak = arg;
    uint64_t random = soak->seed * 2862933555777941757u + 3037;

    for (unsigned turn = 0;
         !over(soak) && (must_lack(soak, LACK_DISK) || must_lack(soak, LACK_MEMORY)); turn++) {
        if (!must_lack(soak, turn % LACKS))
            continue;
        lack(soak, &random, turn % LACKS);
        guest_sleep_ms(300 + draw(&random, 1200));
    }
    return NULL;
}

static void storm(struct soak *soak, uint64_t *random)
{
    if (draw(random, 8) == 0) {
        service(soak, "down");
        guest_sleep_ms(500 + draw(random, 4000));
        service(soak, "up");
    } else {
        service(soak, storms[draw(random, COUNT(storms))]);
        guest_sleep_ms(300 + draw(random, 1500));
        service(soak, "normal");
    }
    soak->storms++;
}

/* ---- memory and descriptors ------------------------------------------------------------------ */

static long pss_of(int pid)
{
    char path[64], line[128];
    long kb = -1;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    file = fopen(path, "re");
    while (file != NULL && kb < 0 && fgets(line, sizeof(line), file) != NULL)
        (void)sscanf(line, "Pss: %ld", &kb);
    if (file != NULL)
        (void)fclose(file);
    return kb;
}

static int descriptors_of(int pid)
{
    char path[64];
    int n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        (void)closedir(dir);
    return n - 2;
}

static struct program *program_named(struct soak *soak, const char *name)
{
    for (int i = 0; i < soak->nprograms; i++)
        if (strcmp(soak->programs[i].name, name) == 0)
            return &soak->programs[i];
    if (soak->nprograms == PROGRAMS_MAX)
        return NULL;
    (void)snprintf(soak->programs[soak->nprograms].name, sizeof(soak->programs[0].name), "%s",
                   name);
    return &soak->programs[soak->nprograms++];
}

/* Simulators are not judged: they are no part of what is installed. */
static void sample(struct soak *soak)
{
    static char answer[8192];
    char *save = NULL;

    if (!line_ask(soak->site->launcher, "pids", answer, sizeof(answer)))
        return;
    for (char *word = strtok_r(answer + 2, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        char name[32];
        struct program *program;
        int pid;

        if (sscanf(word, "%31[^=]=%d", name, &pid) != 2 || pid == 0 ||
            strncmp(name, "device", 6) == 0 || strncmp(name, "service", 7) == 0)
            continue;
        program = program_named(soak, name);
        if (program == NULL || program->nsamples == SAMPLES_MAX)
            continue;
        if (program->pid != pid)
            program->nsamples = 0; /* begun anew: so is its memory */
        program->pid = pid;
        program->samples[program->nsamples].at_ms = guest_now_ms();
        program->samples[program->nsamples].pss_kb = pss_of(pid);
        program->samples[program->nsamples++].fds = descriptors_of(pid);
    }
}

static int by_size(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return (x > y) - (x < y);
}

/* Of the samples between two moments the median memory and the most descriptors. */
static bool middle(const struct program *program, uint64_t from_ms, uint64_t to_ms, long *pss_kb,
                   int *fds)
{
    long sizes[SAMPLES_MAX];
    size_t n = 0;

    *fds = 0;
    for (int i = 0; i < program->nsamples; i++)
        if (program->samples[i].at_ms >= from_ms && program->samples[i].at_ms < to_ms &&
            program->samples[i].pss_kb > 0) {
            sizes[n++] = program->samples[i].pss_kb;
            *fds = program->samples[i].fds > *fds ? program->samples[i].fds : *fds;
        }
    if (n == 0)
        return false;
    qsort(sizes, n, sizeof(sizes[0]), by_size);
    *pss_kb = sizes[n / 2];
    return true;
}

static bool is_judged(const struct soak *soak)
{
    return soak->end_ms - soak->calm_ms >= JUDGED_FROM_MS;
}

static int judge_memory(struct soak *soak)
{
    enum { QUARTERS = 4 };
    const uint64_t span = soak->end_ms - soak->calm_ms;
    int wrong = 0;

    (void)printf("memory and descriptors in the quarters of the calm part (%llu s%s):\n",
                 (unsigned long long)span / 1000,
                 is_judged(soak) ? "" : ", too short to judge: for information");
    for (int i = 0; i < soak->nprograms; i++) {
        const struct program *program = &soak->programs[i];
        long pss_kb[QUARTERS], room;
        int fds[QUARTERS], n = 0;
        bool grown;

        for (uint64_t from = soak->calm_ms; n < QUARTERS; n++, from += span / QUARTERS)
            if (!middle(program, from, from + span / QUARTERS + 1000, &pss_kb[n], &fds[n]))
                break;
        if (n < QUARTERS)
            continue;
        room = pss_kb[0] / 25 > 1024 ? pss_kb[0] / 25 : 1024;
        grown = pss_kb[1] > pss_kb[0] + room / 3 && pss_kb[2] > pss_kb[1] + room / 3 &&
                pss_kb[3] > pss_kb[2] + room / 3;
        grown = is_judged(soak) && (grown || fds[3] > fds[1] + 8);
        (void)printf("%s  %-12s PSS %6ld %6ld %6ld %6ld kB, descriptors %3d %3d %3d %3d\n",
                     grown ? "FAIL" : "ok  ", program->name, pss_kb[0], pss_kb[1], pss_kb[2],
                     pss_kb[3], fds[0], fds[1], fds[2], fds[3]);
        wrong += grown;
    }
    return wrong;
}

/* Where nobody comes, nothing is shown: a visit a second where it is long enough to judge, else one a lane. */
static bool is_busy(const struct soak *soak, int lanes)
{
    const uint64_t seconds = (soak->end_ms - soak->began_ms) / 1000;

    return soak->visits > (is_judged(soak) ? seconds : (unsigned)lanes);
}

static int fails(bool failed, const char *words)
{
    if (failed)
        (void)printf("FAIL  %s\n", words);
    return failed;
}

/* ---- the day --------------------------------------------------------------------------------- */

int run_soak(struct site *site, unsigned seconds, unsigned long seed)
{
    struct soak *soak = calloc(1, sizeof(*soak));
    struct patient *patients = calloc((size_t)site->nlanes, sizeof(*patients));
    uint64_t random = seed * 2 + 1, sampled = 0;
    pthread_t killer, starver;
    bool killing, starving, busy;
    int wrong, lanes = 0;

    if (soak == NULL || patients == NULL) {
        free(soak);
        free(patients);
        return 1;
    }
    soak->site = site;
    soak->seed = seed;
    soak->began_ms = guest_now_ms();
    soak->calm_ms = soak->began_ms + seconds * 400u;
    soak->end_ms = soak->began_ms + seconds * 1000u;
    (void)pthread_mutex_init(&soak->lock, NULL);
    (void)printf("soak: %d lanes, %u s, seed %lu\n", site->nlanes, seconds, seed);
    for (int i = 0; i < site->nlanes; i++) {
        patients[i].soak = soak;
        patients[i].random = seed * 1000003u + (unsigned)i * 7919u + 1;
        if (stage_open(&patients[i].stage, site, i) &&
            pthread_create(&patients[i].thread, NULL, live, &patients[i]) == 0)
            lanes++;
        else
            break;
    }
    killing = pthread_create(&killer, NULL, kill_programs, soak) == 0;
    soak->shortage = shortage_open(site);
    starving = soak->shortage != NULL && pthread_create(&starver, NULL, starve_programs, soak) == 0;
    while (!over(soak)) {
        storm(soak, &random);
        if (guest_now_ms() - sampled > seconds * 1000u / 200) {
            sampled = guest_now_ms();
            sample(soak);
        }
        guest_sleep_ms(300 + draw(&random, 1200));
    }
    if (killing)
        (void)pthread_join(killer, NULL);
    if (starving)
        (void)pthread_join(starver, NULL);
    service(soak, "normal");
    service(soak, "up");
    for (int i = 0; i < lanes; i++) {
        (void)pthread_join(patients[i].thread, NULL);
        stage_close(&patients[i].stage);
    }
    sample(soak);
    wrong = soak->stuck + fails(lanes != site->nlanes, "not every lane could be opened") +
            fails(!site_ready(site, 60), "the desk was not ready within 60 s of the day's end");
    wrong += judge_memory(soak);
    (void)printf("%u visits over %d lanes in %llu s: %u actions, %u refused; %u faults, %u "
                 "unplugged, %u programs killed, %u stopped, %u storms\n",
                 soak->visits, lanes, (unsigned long long)(guest_now_ms() - soak->began_ms) / 1000,
                 soak->actions, soak->refusals, soak->faults, soak->unplugs, soak->kills,
                 soak->stops, soak->storms);
    if (soak->shortage != NULL)
        (void)printf("disk full %u times (%u writes refused), memory short %u times (%u requests "
                     "refused), %u jumps of the clock\n",
                     soak->full, soak->unwritten, soak->starved, soak->unallocated, soak->jumps);
    /* Prepared for it, and nothing was ever refused: then nothing was tried. */
    wrong += fails(soak->shortage != NULL && (soak->unwritten == 0 || soak->unallocated == 0),
                   "no write or no request for memory was refused all day");
    shortage_close(&soak->shortage);
    busy = is_busy(soak, lanes);
    wrong += fails(!busy, "too few visits for anything to be shown");
    (void)printf("soak: %d passed, %d failed\n", busy, wrong);
    free(soak);
    free(patients);
    return wrong;
}
