#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

#define LINE_SIZE 4096

struct control_client {
    int fd;
    size_t used;
    char line[LINE_SIZE];
};

struct control {
    struct service *service;
    struct server *server;
    const char *people_dir;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int fd;
    bool quit;
    struct control_client clients[CONTROL_CLIENTS];
};

/* ---- commands -------------------------------------------------------------------------------- */

/* Each gets what follows its name and writes "ok ..." or "error ...". Under the service's lock,
 * except those that stop or start the server, whose threads need it to end. */
struct control_command {
    const char *name;
    bool unlocked;
    void (*run)(struct control *control, const char *rest, char *answer, size_t size);
    const char *help;
};

static void control_down(struct control *control, const char *rest, char *answer, size_t size)
{
    (void)rest;
    server_stop(control->server);
    snprintf(answer, size, "ok");
}

static void control_up(struct control *control, const char *rest, char *answer, size_t size)
{
    int r = server_start(control->server);

    (void)rest;
    if (r < 0)
        snprintf(answer, size, "error %s", strerror(-r));
    else
        snprintf(answer, size, "ok");
}

static void control_clear(struct control *control, const char *rest, char *answer, size_t size)
{
    (void)rest;
    behaviour_set_clear(control->service->behaviours);
    snprintf(answer, size, "ok");
}

static void control_script(struct control *control, const char *rest, char *answer, size_t size)
{
    struct behaviour behaviour;
    char count_text[16];
    char why[128];
    size_t length = strcspn(rest, " ");
    long count;

    if (length == 0 || length >= sizeof(count_text)) {
        snprintf(answer, size, "error script N BEHAVIOUR");
        return;
    }
    memcpy(count_text, rest, length);
    count_text[length] = '\0';
    if (!text_parse_number(count_text, 1, 1000000, &count)) {
        snprintf(answer, size, "error N is 1 to 1000000");
        return;
    }
    rest += length;
    rest += strspn(rest, " ");
    if (!behaviour_parse(rest, &behaviour, why, sizeof(why)))
        snprintf(answer, size, "error %s", why);
    else if (!behaviour_set_script(control->service->behaviours, count, &behaviour))
        snprintf(answer, size, "error too many scripts");
    else
        snprintf(answer, size, "ok");
}

static void control_token_expire(struct control *control, const char *rest, char *answer,
                                 size_t size)
{
    (void)rest;
    snprintf(answer, size, "ok %zu", json_object_size(control->service->tokens));
    json_object_clear(control->service->tokens);
}

static void control_expire_seconds(struct control *control, const char *rest, char *answer,
                                   size_t size)
{
    if (text_parse_number(rest, 0, 86400, &control->service->token_seconds))
        snprintf(answer, size, "ok");
    else
        snprintf(answer, size, "error seconds are 0 to 86400");
}

static void control_consent_seconds(struct control *control, const char *rest, char *answer,
                                    size_t size)
{
    if (text_parse_number(rest, 0, 86400, &control->service->consent_seconds))
        snprintf(answer, size, "ok");
    else
        snprintf(answer, size, "error seconds are 0 (a day) to 86400");
}

static void control_clock(struct control *control, const char *rest, char *answer, size_t size)
{
    if (text_parse_number(rest, -4000000000L, 4000000000L, &control->service->clock_offset))
        snprintf(answer, size, "ok %ld", (long)service_now(control->service));
    else
        snprintf(answer, size, "error seconds to add to the machine's clock");
}

/* Every value of a message is a string; only what looks like a JSON container or word is parsed. */
static json_t *control_value(const char *text)
{
    json_t *parsed = NULL;

    if (strchr("{[\"", text[0]) != NULL || strcmp(text, "null") == 0)
        parsed = json_loads(text, JSON_DECODE_ANY, NULL);
    return parsed != NULL ? parsed : json_string(text);
}

static void control_person(struct control *control, const char *rest, char *answer, size_t size)
{
    char name[64];
    char key[128];
    json_t *value;
    int used = 0;
    int r;

    if (sscanf(rest, "%63s %127s %n", name, key, &used) != 2 || rest[used] == '\0') {
        snprintf(answer, size, "error person NAME KEY VALUE");
        return;
    }
    value = control_value(rest + used);
    r = value != NULL ? people_set(control->service->people, name, key, value) : -EINVAL;
    json_decref(value);
    if (r == -ENOENT)
        snprintf(answer, size, "error no such person: %s", name);
    else if (r < 0)
        snprintf(answer, size, "error %s cannot be that", key);
    else
        snprintf(answer, size, "ok");
}

static void control_reload(struct control *control, const char *rest, char *answer, size_t size)
{
    struct people *people = NULL;
    char why[256] = "";

    (void)rest;
    if (people_load(&people, control->people_dir, why, sizeof(why)) < 0) {
        snprintf(answer, size, "error %s", why);
        return;
    }
    people_free(control->service->people);
    control->service->people = people;
    json_object_clear(control->service->answered);
    snprintf(answer, size, "ok %zu", people_count(people));
}

static void control_ledger(struct control *control, const char *rest, char *answer, size_t size)
{
    json_t *counts = ledger_counts(control->service->ledger);
    char *text = json_dumps(counts, JSON_COMPACT);

    (void)rest;
    if (text != NULL)
        snprintf(answer, size, "ok %s", text);
    else
        snprintf(answer, size, "error no memory");
    free(text);
    json_decref(counts);
}

static void control_show(struct control *control, const char *rest, char *answer, size_t size)
{
    char text[1024];

    (void)rest;
    behaviour_set_describe(control->service->behaviours, text, sizeof(text));
    snprintf(answer, size, "ok %s, port %u, %s", server_is_up(control->server) ? "up" : "down",
             server_port(control->server), text);
}

static void control_quit(struct control *control, const char *rest, char *answer, size_t size)
{
    (void)rest;
    control->quit = true;
    snprintf(answer, size, "ok");
}

static void control_help(struct control *control, const char *rest, char *answer, size_t size);

static const struct control_command control_commands[] = {
    {"down", true, control_down, "refuse connections, cut the open ones"},
    {"up", true, control_up, "accept again"},
    {"normal", false, control_clear, "no behaviour, no script"},
    {"script", false, control_script, "script N BEHAVIOUR: for the next N requests"},
    {"token-expire", false, control_token_expire, "end all tokens"},
    {"expire-seconds", false, control_expire_seconds, "lifetime of tokens given from now on"},
    {"consent-seconds", false, control_consent_seconds,
     "medical information is to be had so long after a consent from now on (0: a day)"},
    {"clock", false, control_clock, "seconds added to the machine's clock"},
    {"person", false, control_person, "person NAME KEY VALUE"},
    {"reload", false, control_reload, "read the people's files again, forget request ids"},
    {"ledger", false, control_ledger, "counts of this run"},
    {"show", false, control_show, "what is set"},
    {"quit", false, control_quit, "end"},
    {"help", false, control_help, "this list"},
};

#define CONTROL_COMMANDS (sizeof(control_commands) / sizeof(control_commands[0]))

static void control_help(struct control *control, const char *rest, char *answer, size_t size)
{
    size_t used = (size_t)snprintf(answer, size, "ok");

    (void)control;
    (void)rest;
    for (size_t i = 0; i < CONTROL_COMMANDS && used < size; i++)
        used += (size_t)snprintf(answer + used, size - used, " %s (%s);", control_commands[i].name,
                                 control_commands[i].help);
    for (const struct behaviour_kind *kind = behaviour_kinds(); kind->name != NULL && used < size;
         kind++)
        used += (size_t)snprintf(answer + used, size - used, " %s (%s);", kind->name, kind->help);
}

static const struct control_command *control_find(const char *line, const char **rest)
{
    size_t length = strcspn(line, " ");

    for (size_t i = 0; i < CONTROL_COMMANDS; i++) {
        if (strlen(control_commands[i].name) == length &&
            strncmp(control_commands[i].name, line, length) == 0) {
            *rest = line + length + strspn(line + length, " ");
            return &control_commands[i];
        }
    }
    return NULL;
}

void control_run(struct control *control, const char *line, char *answer, size_t size)
{
    const struct control_command *command;
    struct behaviour behaviour;
    const char *rest = "";
    char why[128];

    line += strspn(line, " ");
    command = control_find(line, &rest);
    if (command != NULL && command->unlocked) {
        command->run(control, rest, answer, size);
        return;
    }
    pthread_mutex_lock(&control->service->lock);
    if (command != NULL) {
        command->run(control, rest, answer, size);
    } else if (behaviour_parse(line, &behaviour, why, sizeof(why))) {
        behaviour_set_standing(control->service->behaviours, &behaviour);
        snprintf(answer, size, "ok");
    } else {
        snprintf(answer, size, "error %s", why);
    }
    pthread_mutex_unlock(&control->service->lock);
}

/* ---- socket ---------------------------------------------------------------------------------- */

static int control_listen(struct control *control, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    memcpy(control->path, path, strlen(path) + 1);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->fd < 0)
        return -errno;
    if (bind(control->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        control->path[0] = '\0';
        return -errno;
    }
    return listen(control->fd, CONTROL_CLIENTS) < 0 ? -errno : 0;
}

int control_open(struct control **out, const char *path, struct service *service,
                 struct server *server, const char *people_dir)
{
    struct control *control = calloc(1, sizeof(*control));
    int r = 0;

    if (control == NULL)
        return -ENOMEM;
    control->service = service;
    control->server = server;
    control->people_dir = people_dir;
    control->fd = -1;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        control->clients[i].fd = -1;
    if (path != NULL)
        r = control_listen(control, path);
    if (r < 0) {
        control_close(control);
        return r;
    }
    *out = control;
    return 0;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        if (control->clients[i].fd >= 0)
            close(control->clients[i].fd);
    }
    if (control->fd >= 0)
        close(control->fd);
    if (control->path[0] != '\0')
        unlink(control->path);
    free(control);
}

bool control_wants_quit(const struct control *control)
{
    return control->quit;
}

size_t control_prepare(struct control *control, struct pollfd polls[static CONTROL_POLLS])
{
    polls[0] = (struct pollfd){.fd = control->fd, .events = POLLIN};
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        polls[i + 1] = (struct pollfd){.fd = control->clients[i].fd, .events = POLLIN};
    return CONTROL_POLLS;
}

static void control_accept(struct control *control)
{
    int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        if (control->clients[i].fd < 0) {
            control->clients[i].fd = fd;
            control->clients[i].used = 0;
            return;
        }
    }
    close(fd);
}

static void control_drop(struct control_client *client)
{
    close(client->fd);
    client->fd = -1;
}

static bool control_answer(struct control *control, struct control_client *client, const char *line)
{
    char answer[LINE_SIZE];
    size_t length;

    control_run(control, line, answer, sizeof(answer) - 1);
    length = strlen(answer);
    answer[length++] = '\n';
    return send(client->fd, answer, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* Runs every whole line in the buffer. False: the client is to be dropped. */
static bool control_take_lines(struct control *control, struct control_client *client)
{
    char *start = client->line;
    char *newline;

    while ((newline = memchr(start, '\n', client->used - (size_t)(start - client->line))) != NULL) {
        *newline = '\0';
        if (newline > start && newline[-1] == '\r')
            newline[-1] = '\0';
        if (start[0] != '\0' && !control_answer(control, client, start))
            return false;
        start = newline + 1;
    }
    client->used -= (size_t)(start - client->line);
    memmove(client->line, start, client->used);
    return client->used < sizeof(client->line);
}

static void control_read(struct control *control, struct control_client *client)
{
    ssize_t got =
        recv(client->fd, client->line + client->used, sizeof(client->line) - client->used, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        control_drop(client);
        return;
    }
    client->used += (size_t)got;
    if (!control_take_lines(control, client))
        control_drop(client);
}

void control_dispatch(struct control *control, const struct pollfd *polls, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (polls[i].fd >= 0 && polls[i].revents != 0 && control->clients[i - 1].fd == polls[i].fd)
            control_read(control, &control->clients[i - 1]);
    }
    if (polls[0].revents != 0)
        control_accept(control);
}
