/*
 * watch: what happens, live. On a terminal a page that is drawn anew on each change and each second; elsewhere, or with
 * --lines or --json, a line for each message. A desk that restarts is waited for.
 */
#include "command.h"
#include "failure.h"
#include "json.h"
#include "lanes.h"
#include "link.h"
#include "table.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WATCH_LANES 1
#define WATCH_VISITS 2
#define LANES_MOST 64
#define HEALTH_MOST 64
#define EVENTS_MOST 32
#define HEALTH_EVERY_S 10
#define TICK_MS 1000

#define CONTROL_C 3

struct seen {
    struct msg_lane_state state;
    int64_t since; /* monotonic seconds */
};

struct health {
    struct msg_health_item items[HEALTH_MOST];
    unsigned count;
    unsigned of[3]; /* how many are good, to mind, bad */
};

struct event {
    char at[16], what[128], words[512];
};

struct watch {
    const struct command_options *options;
    struct msg_subscribe subscribe; /* said again to a desk that comes back */
    bool page;                      /* drawn; else lines */
    bool keys;                      /* standard input is the terminal */
    bool over;
    uint16_t failure;
    const char *desk; /* what is wrong with it; NULL: it is there */
    struct seen lanes[LANES_MOST];
    unsigned nlanes;
    struct health health, told; /* whole; what came of the next one so far */
    struct event events[EVENTS_MOST];
    unsigned nevents;
    struct termios before;
};

static volatile sig_atomic_t stopped;

static int64_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int line_of(struct watch *w, const struct message *message)
{
    FILE *out = w->options->out;
    char now[16], what[128], words[512];

    if (w->options->json) {
        json_message(out, message->type, &message->body);
    } else {
        lanes_event(message, what, sizeof(what), words, sizeof(words));
        lanes_hour(now, sizeof(now), (int64_t)time(NULL), false);
        (void)fprintf(out, "%s  %s", now, what);
        table_put(out, words);
        (void)fputc('\n', out);
    }
    (void)fflush(out);
    return ferror(out) ? -EPIPE : 0;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void ago(char *out, size_t size, int64_t seconds)
{
    if (seconds < 60)
        (void)snprintf(out, size, "%lld s", (long long)seconds);
    else if (seconds < 3600)
        (void)snprintf(out, size, "%lld min", (long long)seconds / 60);
    else
        (void)snprintf(out, size, "%lld h", (long long)seconds / 3600);
}

static void put_lanes(const struct watch *w, FILE *page)
{
    struct table *table = lanes_table(true);
    int64_t now = now_s();
    char since[32];

    if (table == NULL)
        return;
    for (unsigned i = 0; i < w->nlanes; i++) {
        ago(since, sizeof(since), now - w->lanes[i].since);
        lanes_add(table, &w->lanes[i].state, since);
    }
    table_print(table, page);
    table_free(&table);
}

/* How many are well; then the services that are asked, and whatever is not well. */
static void put_health(const struct watch *w, FILE *page)
{
    const struct health *h = &w->health;

    if (h->count == 0)
        return;
    (void)fprintf(page, "\n良 %u  注 %u  悪 %u / %u good, %u to mind, %u bad\n", h->of[0], h->of[1],
                  h->of[2], h->of[0], h->of[1], h->of[2]);
    for (unsigned i = 0; i < h->count; i++) {
        const struct msg_health_item *item = &h->items[i];

        (void)fprintf(page, "%s  ", command_sign(item->state));
        table_put(page, item->component);
        (void)fputs(": ", page);
        table_put(page, item->failure != FAILURE_NONE ? failure_text(item->failure)->code : "");
        (void)fputs(item->failure != FAILURE_NONE ? " " : "", page);
        table_put(page, item->detail);
        (void)fputc('\n', page);
    }
}

static void put_events(const struct watch *w, FILE *page)
{
    (void)fputc('\n', page);
    for (unsigned i = 0; i < w->nevents && i < EVENTS_MOST; i++) {
        const struct event *event = &w->events[(w->nevents - 1 - i) % EVENTS_MOST];

        (void)fprintf(page, "%s  %s", event->at, event->what);
        table_put(page, event->words);
        (void)fputc('\n', page);
    }
}

/*
 * Home, each line cleared and cut to the window, then the rest cleared. Not behind the text: after a line that fills the
 * window the cursor still stands on its last letter.
 */
static void put_page(const struct watch *w, char *text)
{
    struct winsize window = {0};
    unsigned rows, columns, row;
    FILE *out = w->options->out;
    char *line, *rest = text;

    (void)ioctl(fileno(out), TIOCGWINSZ, &window);
    rows = window.ws_row > 0 ? window.ws_row : 24;
    columns = window.ws_col > 0 ? window.ws_col : 80;
    (void)fputs("\033[H", out);
    for (row = 0; row < rows && (line = strsep(&rest, "\n")) != NULL; row++) {
        (void)fputs(row > 0 ? "\n\033[K" : "\033[K", out);
        table_put_most(out, line, columns);
    }
    if (row < rows)
        (void)fputs("\n\033[J", out);
    (void)fflush(out);
}

static int draw(struct watch *w)
{
    char *text = NULL, now[16];
    size_t size = 0;
    FILE *page = open_memstream(&text, &size);

    if (page == NULL)
        return -ENOMEM;
    lanes_hour(now, sizeof(now), (int64_t)time(NULL), false);
    (void)fprintf(page, "uketsuke  %s  %s\n\n", now,
                  w->desk != NULL ? w->desk : "q: 終わる / quit");
    put_lanes(w, page);
    put_health(w, page);
    put_events(w, page);
    if (fclose(page) == 0)
        put_page(w, text);
    free(text);
    return ferror(w->options->out) ? -EPIPE : 0;
}

/* Not each frame's hint, but what a line of the table says. */
static bool differs(const struct msg_lane_state *a, const struct msg_lane_state *b)
{
    return a->visit != b->visit || a->state != b->state || a->method != b->method ||
           a->card != b->card || a->failure != b->failure || a->reader != b->reader ||
           a->camera != b->camera;
}

/* True when the row changed. */
static bool note_lane(struct watch *w, const struct msg_lane_state *state)
{
    unsigned i = 0;
    bool news;

    while (i < w->nlanes && w->lanes[i].state.lane != state->lane)
        i++;
    if (i == LANES_MOST)
        return false;
    news = i == w->nlanes || differs(&w->lanes[i].state, state);
    w->nlanes += i == w->nlanes;
    w->lanes[i].state = *state;
    if (news)
        w->lanes[i].since = now_s();
    return news;
}

static int note(struct watch *w, const struct message *message)
{
    struct event *event;

    if (message->type == MSG_LANE_STATE && !note_lane(w, &message->body.lane_state))
        return 0;
    event = &w->events[w->nevents++ % EVENTS_MOST];
    lanes_hour(event->at, sizeof(event->at), (int64_t)time(NULL), false);
    lanes_event(message, event->what, sizeof(event->what), event->words, sizeof(event->words));
    return draw(w);
}

static void note_health(struct health *told, const struct msg_health_item *item)
{
    told->of[item->state < 2 ? item->state : 2]++;
    if (told->count < HEALTH_MOST &&
        (item->state != 0 || strncmp(item->component, "upstream", 8) == 0))
        told->items[told->count++] = *item;
}

/* ---- the conversation ------------------------------------------------------------------------ */

static int take(struct message *message, void *arg)
{
    struct watch *w = arg;

    switch (message->type) {
    case MSG_SUBSCRIBED:
        w->failure = message->body.subscribed.failure;
        return 1;
    case MSG_HEALTH_ITEM:
        note_health(&w->told, &message->body.health_item);
        return 0;
    case MSG_HEALTH_END:
        w->health = w->told;
        return 1;
    case MSG_LANE_STATE:
    case MSG_VISIT_ITEM:
        return w->page ? note(w, message) : line_of(w, message);
    default:
        return 0;
    }
}

static int on_key(int fd, void *arg)
{
    struct watch *w = arg;
    char keys[16];
    ssize_t n = read(fd, keys, sizeof(keys));

    for (ssize_t i = 0; i < n; i++)
        w->over = w->over || keys[i] == 'q' || keys[i] == 'Q' || keys[i] == CONTROL_C;
    return n <= 0 ? -EPIPE : w->over;
}

static int ask_health(struct watch *w, struct link *link)
{
    struct msg_health_query query = {0};
    int r;

    w->told = (struct health){0};
    r = link_ask(link, MSG_HEALTH_QUERY, &query, LINK_ASK_MS, take, w);
    return r == -ETIMEDOUT ? 0 : r;
}

/* Until a key or a signal ends it, or the desk goes. */
static int keep_page(struct watch *w, struct link *link)
{
    int64_t next = 0;
    int r = 0;

    if (w->keys)
        (void)link_watch_fd(link, STDIN_FILENO, on_key, w);
    while (r == 0 && !w->over) {
        if (now_s() >= next) {
            r = ask_health(w, link);
            next = now_s() + HEALTH_EVERY_S;
        }
        if (r == 0 && !w->over)
            r = draw(w);
        if (r == 0 && !w->over)
            r = link_listen(link, TICK_MS, take, w);
        if (r == -ETIMEDOUT)
            r = 0;
        w->over = w->over || stopped != 0;
    }
    return r;
}

static int watch_link(struct watch *w, struct link *link)
{
    int r = link_ask(link, MSG_SUBSCRIBE, &w->subscribe, LINK_ASK_MS, take, w);

    if (r < 0 || w->failure != FAILURE_NONE)
        return r;
    return w->page ? keep_page(w, link) : link_listen(link, 0, take, w);
}

/* A second for the desk to come back, or for a key. */
static void wait_for_desk(struct watch *w)
{
    struct pollfd fd = {.fd = w->keys ? STDIN_FILENO : -1, .events = POLLIN};

    if (w->page)
        (void)draw(w);
    if (poll(&fd, 1, TICK_MS) > 0 && on_key(STDIN_FILENO, w) < 0)
        w->keys = false;
    w->over = w->over || stopped != 0;
}

static struct link *link_again(struct watch *w)
{
    struct command_options quiet = *w->options;
    struct link *link = NULL;

    w->desk = command_reason(-ECONNREFUSED);
    if (!w->page)
        (void)fprintf(w->options->err, "uketsuke: %s\n", w->desk);
    quiet.err = fopen("/dev/null", "we");
    while (quiet.err != NULL && !w->over && (link = command_link(&quiet)) == NULL)
        wait_for_desk(w);
    if (quiet.err != NULL)
        (void)fclose(quiet.err);
    w->desk = NULL;
    w->nlanes = 0;
    return link;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Its other screen, so that no name stays to be scrolled back to. */
static void page_open(struct watch *w)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct termios now;

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    w->keys = tcgetattr(STDIN_FILENO, &w->before) == 0;
    if (w->keys) {
        now = w->before;
        now.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        now.c_cc[VINTR] = _POSIX_VDISABLE; /* it comes as a key */
        now.c_cc[VSUSP] = _POSIX_VDISABLE;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &now);
    }
    (void)fputs("\033[?1049h\033[?25l\033[2J", w->options->out);
}

static void page_close(struct watch *w)
{
    if (!w->page)
        return;
    (void)fputs("\033[?25h\033[?1049l", w->options->out);
    (void)fflush(w->options->out);
    if (w->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &w->before);
}

static int ended(struct watch *w, int r)
{
    page_close(w);
    if (w->failure != FAILURE_NONE)
        return command_refused(w->options, w->failure);
    if (w->over || r == -EPIPE)
        return EXIT_AS_ASKED;
    (void)fprintf(w->options->err, "uketsuke: %s\n", command_reason(r));
    return EXIT_NO_DESK;
}

int command_watch(const struct command_options *options, int argc, char **argv)
{
    struct msg_subscribe subscribe = {.what = WATCH_LANES | WATCH_VISITS};
    struct watch *w;
    int r, status;
    struct link *link =
        command_look(options, argc, argv, subscribe.staff, sizeof(subscribe.staff), &status);

    if (link == NULL)
        return status;
    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        link_close(&link);
        return EXIT_NO_DESK;
    }
    w->options = options;
    w->subscribe = subscribe;
    w->page = !options->json && !options->lines && fileno(options->out) >= 0 &&
              isatty(fileno(options->out));
    if (w->page)
        page_open(w);
    for (;;) {
        r = watch_link(w, link);
        link_close(&link);
        if (w->over || w->failure != FAILURE_NONE || r != -ECONNRESET)
            break;
        link = link_again(w);
        if (link == NULL)
            break;
    }
    status = ended(w, r);
    free(w);
    return status;
}
