/*
 * sim-terminal: a simulated 資格確認端末 on its folder side: takes files from req, answers into
 * res, drops face files.
 *
 *   sim-terminal --folder DIR --people DIR --accounts JSON --ledger FILE --control SOCKET
 *
 * People and answers are those of the simulated service (tests/sim/service); XML is read and
 * written by libxml2 and iconv. What it does on bad days is told by the control socket, a line a
 * command (see terminal_commands[]). The ledger has one line for each request taken: "FAMILY SUFFIX
 * IDENTIFIER SUBJECT".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/service/answer.h"
#include "tests/sim/service/service.h"
#include "tests/sim/service/text.h"
#include "xml.h"

#define PATH_SIZE 4096
#define TASKS_MAX 512
#define LINE_SIZE 1024
#define TICK_MS 10
#define FACE_PREFIX "OQSsiquc01res_face_"

/* Something to be done to a file at its time. */
struct task {
    long long at_ms; /* 0: free */
    char path[PATH_SIZE];
    char *data;      /* NULL: end a lease */
    size_t from, to; /* bytes to be written; `from` 0 makes the file */
    int lease;
};

/* How a file is spoilt. */
enum mischief {
    MISCHIEF_NONE,
    MISCHIEF_HALF,      /* its first half at once, the rest after `number` ms */
    MISCHIEF_NULS,      /* its full length in NULs at once, its bytes after `number` ms */
    MISCHIEF_CUT,       /* never more than half of it */
    MISCHIEF_DUPLICATE, /* and copies of it under other names */
    MISCHIEF_GARBAGE,
    MISCHIEF_LARGE,
    MISCHIEF_LOCKED, /* under a lease for `number` ms: others cannot open it without waiting */
    MISCHIEF_FIFO,
    MISCHIEF_SYMLINK,
    MISCHIEF_DIRECTORY,
    MISCHIEF_OTHER_INSTITUTION,
    MISCHIEF_OTHER_IDENTIFIER,
    MISCHIEF_LOST, /* taken, done, and never answered */
};

static const struct {
    const char *name;
    enum mischief kind;
} terminal_mischiefs[] = {
    {"normal", MISCHIEF_NONE},
    {"half", MISCHIEF_HALF},
    {"nuls", MISCHIEF_NULS},
    {"cut", MISCHIEF_CUT},
    {"duplicate", MISCHIEF_DUPLICATE},
    {"garbage", MISCHIEF_GARBAGE},
    {"large", MISCHIEF_LARGE},
    {"locked", MISCHIEF_LOCKED},
    {"fifo", MISCHIEF_FIFO},
    {"symlink", MISCHIEF_SYMLINK},
    {"directory", MISCHIEF_DIRECTORY},
    {"other-institution", MISCHIEF_OTHER_INSTITUTION},
    {"other-identifier", MISCHIEF_OTHER_IDENTIFIER},
    {"lost", MISCHIEF_LOST},
};

struct terminal {
    struct service service;
    const json_t *account;
    const char *folder;
    const char *ledger;
    struct task tasks[TASKS_MAX];
    bool down;
    long slow_ms;
    enum mischief mischief;
    long number;
    long turns; /* the mischief's; -1: until normal */
    struct xml_style style;
    long pending; /* so many bulk results are "still being worked on" */
    char error_segment[64], error_processing[64];
    json_t *receptions; /* number -> request tree */
    unsigned next_reception;
    bool quit;
};

static long long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void path_in(const struct terminal *t, const char *place, const char *name, char *out)
{
    snprintf(out, PATH_SIZE, "%s/%s/%s", t->folder, place, name);
}

static struct task *task_new(struct terminal *t, long in_ms, const char *path)
{
    for (size_t i = 0; i < TASKS_MAX; i++) {
        struct task *task = &t->tasks[i];

        if (task->at_ms != 0)
            continue;
        memset(task, 0, sizeof(*task));
        task->lease = -1;
        task->at_ms = now_ms() + in_ms;
        snprintf(task->path, sizeof(task->path), "%s", path);
        return task;
    }
    fprintf(stderr, "sim-terminal: too much at once\n");
    abort();
}

static void write_later(struct terminal *t, long in_ms, const char *path, const char *data,
                        size_t from, size_t to)
{
    struct task *task = task_new(t, in_ms, path);

    task->data = malloc(to + 1);
    if (task->data == NULL)
        abort();
    memcpy(task->data, data, to);
    task->from = from;
    task->to = to;
}

/* As Windows programs do: the file appears at once under its name and is filled. */
static void do_task(struct task *task)
{
    int fd;

    if (task->data == NULL) {
        if (task->lease >= 0)
            close(task->lease);
    } else {
        fd = open(task->path, task->from == 0 ? O_WRONLY | O_CREAT | O_TRUNC : O_WRONLY, 0660);
        if (fd >= 0) {
            if (pwrite(fd, task->data + task->from, task->to - task->from, (off_t)task->from) < 0)
                fprintf(stderr, "sim-terminal: %s: %s\n", task->path, strerror(errno));
            close(fd);
        }
    }
    free(task->data);
    task->at_ms = 0;
}

static void do_tasks(struct terminal *t)
{
    for (;;) {
        struct task *next = NULL;

        for (size_t i = 0; i < TASKS_MAX; i++)
            if (t->tasks[i].at_ms != 0 && t->tasks[i].at_ms <= now_ms() &&
                (next == NULL || t->tasks[i].at_ms < next->at_ms))
                next = &t->tasks[i];
        if (next == NULL)
            return;
        do_task(next);
    }
}

static enum mischief take_mischief(struct terminal *t)
{
    enum mischief m = t->turns != 0 ? t->mischief : MISCHIEF_NONE;

    if (t->turns > 0)
        t->turns--;
    return m;
}

/* Puts a file there as the mischief of the day wants it. */
static void put_file(struct terminal *t, enum mischief m, const char *place, const char *name,
                     char *data, size_t len)
{
    char path[PATH_SIZE], other[PATH_SIZE];
    char *nuls;
    struct task *task;
    int fd;

    path_in(t, place, name, path);
    switch (m) {
    case MISCHIEF_HALF:
        write_later(t, t->slow_ms, path, data, 0, len / 2);
        write_later(t, t->slow_ms + t->number, path, data, len / 2, len);
        break;
    case MISCHIEF_CUT:
        write_later(t, t->slow_ms, path, data, 0, len / 2);
        break;
    case MISCHIEF_NULS:
        nuls = calloc(1, len + 1);
        write_later(t, t->slow_ms, path, nuls, 0, len);
        write_later(t, t->slow_ms + t->number, path, data, 0, len);
        free(nuls);
        break;
    case MISCHIEF_DUPLICATE:
        write_later(t, t->slow_ms, path, data, 0, len);
        snprintf(other, sizeof(other), "%.*s (1).xml", (int)(strlen(path) - 4), path);
        write_later(t, t->slow_ms, other, data, 0, len);
        write_later(t, t->slow_ms + t->number, path, data, 0, len);
        break;
    case MISCHIEF_GARBAGE:
        write_later(t, t->slow_ms, path, "MZ\220 this is no message <<<", 0, 25);
        break;
    case MISCHIEF_LARGE:
        fd = open(path, O_WRONLY | O_CREAT, 0660);
        if (fd < 0 || ftruncate(fd, 64 << 20) != 0)
            abort();
        close(fd);
        break;
    case MISCHIEF_LOCKED:
        write_later(t, 0, path, data, 0, len);
        do_tasks(t);
        fd = open(path, O_RDWR);
        if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) != 0)
            fprintf(stderr, "sim-terminal: no lease: %s\n", strerror(errno));
        task = task_new(t, t->number, path);
        task->lease = fd;
        break;
    case MISCHIEF_FIFO:
        (void)mkfifo(path, 0660);
        break;
    case MISCHIEF_SYMLINK:
        if (symlink("/etc/passwd", path) != 0)
            abort();
        break;
    case MISCHIEF_DIRECTORY:
        (void)mkdir(path, 0770);
        break;
    case MISCHIEF_LOST:
        break;
    default:
        write_later(t, t->slow_ms, path, data, 0, len);
        break;
    }
}

static void put_tree(struct terminal *t, enum mischief m, const char *place, const char *name,
                     json_t *tree)
{
    json_t *header = json_object_get(json_object_get(tree, "XmlMsg"), "MessageHeader");
    size_t len;
    char *data;

    if (json_object_get(header, "CharacterCodeIdentifier") != NULL)
        json_object_set_new(header, "CharacterCodeIdentifier",
                            json_string(t->style.encoding == XML_SHIFT_JIS ? "1" : "0"));
    if (m == MISCHIEF_OTHER_INSTITUTION)
        json_object_set_new(header, "MedicalInstitutionCode", json_string("9919999999"));
    if (m == MISCHIEF_OTHER_IDENTIFIER)
        json_object_set_new(header, "ArbitraryFileIdentifier", json_string("SOMEBODY-ELSE"));
    data = xml_write(tree, &t->style, &len);
    if (data == NULL) {
        fprintf(stderr, "sim-terminal: an answer that cannot be written\n");
        return;
    }
    if (t->style.shuffle != 0)
        t->style.shuffle++;
    put_file(t, m, place, name, data, len);
    free(data);
}

/* ---- requests -------------------------------------------------------------------------------- */

static const struct terminal_message {
    const char *family;
    service_handler handle;
    const char *second; /* the family that fetches the result; NULL: answered at once */
} terminal_messages[] = {
    {"OQSsiquc01", search_handle, NULL},
    {"OQSsiimm01", reference_handle, NULL},
    {"OQSmuquc01", bulk_handle, "OQSmuquc02"},
    {"OQSmuimm01", reference_bulk_handle, "OQSmuimm02"},
    {"OQSmutic01", tickets_handle, "OQSmutic02"},
    {"YZKsiquc01", drugs_handle, NULL},
    {"TKKsiquc01", checkup_handle, NULL},
};

static json_t *act(struct terminal *t, service_handler handle, json_t *tree, char *subject,
                   size_t size)
{
    struct request request = {.path = "", .json = tree, .account = t->account};
    struct reply reply = {0};
    json_t *answer;

    handle(&t->service, &request, &reply);
    snprintf(subject, size, "%s", reply.subject[0] != '\0' ? reply.subject : reply.outcome);
    answer = json_incref(reply.body);
    reply_clear(&reply);
    return answer;
}

static json_t *simple_answer(struct terminal *t, json_t *tree, const char *segment)
{
    struct request request = {.path = "", .json = tree, .account = t->account};
    struct reply reply = {0};
    json_t *answer, *header;

    answer_pending(&t->service, &request, NULL, &reply);
    answer = json_incref(reply.body);
    reply_clear(&reply);
    header = json_object_get(json_object_get(answer, "XmlMsg"), "MessageHeader");
    json_object_set_new(header, "SegmentOfResult", json_string(segment));
    return answer;
}

static json_t *member(json_t *tree, const char *part, const char *name)
{
    return json_object_get(json_object_get(json_object_get(tree, "XmlMsg"), part), name);
}

/* The second stage: the result by its number. */
static json_t *fetch(struct terminal *t, const struct terminal_message *message, json_t *tree,
                     char *subject, size_t size)
{
    const char *number = json_string_value(member(tree, "MessageBody", "ReceptionNumber"));
    json_t *first = number != NULL ? json_object_get(t->receptions, number) : NULL;
    json_t *answer;

    snprintf(subject, size, "reception %s", number != NULL ? number : "none");
    if (first == NULL) {
        answer = simple_answer(t, tree, "9");
        json_object_set_new(json_object_get(json_object_get(answer, "XmlMsg"), "MessageHeader"),
                            "ErrorCode", json_string("SIMSEG011"));
        return answer;
    }
    if (t->pending > 0) {
        t->pending--;
        answer = simple_answer(t, tree, "2");
    } else {
        answer = act(t, message->handle, first, subject, size);
    }
    json_object_set_new(json_object_get(json_object_get(answer, "XmlMsg"), "MessageHeader"),
                        "ReceptionNumber", json_string(number));
    return answer;
}

static json_t *receive(struct terminal *t, json_t *tree, char *subject, size_t size)
{
    json_t *answer = simple_answer(t, tree, "1");
    char number[32];

    snprintf(number, sizeof(number), "R%07u", ++t->next_reception);
    json_object_set(t->receptions, number, tree);
    json_object_set_new(json_object_get(json_object_get(answer, "XmlMsg"), "MessageHeader"),
                        "ReceptionNumber", json_string(number));
    snprintf(subject, size, "received %s", number);
    return answer;
}

static json_t *answer_to(struct terminal *t, const char *family, json_t *tree, char *subject,
                         size_t size)
{
    struct request request = {.path = "", .json = tree, .account = t->account};
    struct reply reply = {0};
    json_t *answer;

    if (t->error_segment[0] != '\0' || t->error_processing[0] != '\0') {
        if (t->error_segment[0] != '\0')
            answer_fail_segment(&t->service, &request, NULL, t->error_segment, "試験用のエラー",
                                &reply);
        else
            answer_fail_processing(&t->service, &request, NULL, t->error_processing,
                                   "試験用のエラー", NULL, &reply);
        snprintf(subject, size, "%s", reply.outcome);
        answer = json_incref(reply.body);
        reply_clear(&reply);
        return answer;
    }
    for (size_t i = 0; i < sizeof(terminal_messages) / sizeof(terminal_messages[0]); i++) {
        const struct terminal_message *m = &terminal_messages[i];

        if (strcmp(m->family, family) == 0)
            return m->second != NULL ? receive(t, tree, subject, size)
                                     : act(t, m->handle, tree, subject, size);
        if (m->second != NULL && strcmp(m->second, family) == 0)
            return fetch(t, m, tree, subject, size);
    }
    return NULL;
}

static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *data = NULL;

    *len = 0;
    if (file != NULL) {
        data = malloc((8u << 20) + 1);
        if (data == NULL)
            abort();
        *len = fread(data, 1, 8u << 20, file);
        fclose(file);
    }
    return data;
}

static void note(struct terminal *t, const char *family, const char *suffix, const char *identifier,
                 const char *subject)
{
    int fd = open(t->ledger, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0 || dprintf(fd, "%s %s %s %s\n", family, suffix, identifier, subject) < 0)
        abort();
    close(fd);
}

static void take_request(struct terminal *t, const char *name)
{
    char path[PATH_SIZE], family[16] = "", suffix[200] = "", answer_name[256], subject[256] = "";
    enum xml_encoding encoding;
    json_t *tree, *answer;
    const char *identifier;
    size_t len;
    char *data;

    if (sscanf(name, "%10[A-Za-z0-9]req_%199[^.].xml", family, suffix) != 2 || strlen(family) != 10)
        return; /* not for it */
    path_in(t, "req", name, path);
    data = read_file(path, &len);
    if (data == NULL)
        return;
    tree = xml_read(data, len, &encoding);
    free(data);
    if (tree == NULL) {
        /* Half a request: whoever moves files into place never shows one. */
        note(t, family, suffix, "-", "HALF A REQUEST");
        (void)unlink(path);
        return;
    }
    identifier = json_string_value(member(tree, "MessageHeader", "ArbitraryFileIdentifier"));
    answer = answer_to(t, family, tree, subject, sizeof(subject));
    note(t, family, suffix, identifier != NULL ? identifier : "-", subject);
    (void)unlink(path);
    snprintf(answer_name, sizeof(answer_name), "%sres_%s.xml", family, suffix);
    if (answer != NULL)
        put_tree(t, take_mischief(t), "res", answer_name, answer);
    json_decref(answer);
    json_decref(tree);
}

static void look(struct terminal *t)
{
    char path[PATH_SIZE];
    struct dirent *entry;
    DIR *dir;

    if (t->down)
        return;
    snprintf(path, sizeof(path), "%s/req", t->folder);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            take_request(t, entry->d_name);
    if (dir != NULL)
        closedir(dir);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* face PERSON NAME [half MS | foreign]: a card session at the terminal has ended. */
static bool command_face(struct terminal *t, const char *rest, char *answer, size_t size)
{
    char who[64] = "", file[128] = "", how[32] = "", name[256];
    struct answer_choice choice = {.limit = true, .diseases = true};
    const struct person *person;
    struct request request = {.path = "", .account = t->account};
    struct reply reply = {0};
    enum mischief m = MISCHIEF_NONE;
    json_t *tree, *body;
    char now[15];

    if (sscanf(rest, "%63s %127s %31s %ld", who, file, how, &t->number) < 2)
        return false;
    person = people_find_name(t->service.people, who);
    if (person == NULL)
        return false;
    for (size_t i = 0; i < sizeof(terminal_mischiefs) / sizeof(terminal_mischiefs[0]); i++)
        if (strcmp(terminal_mischiefs[i].name, how) == 0)
            m = terminal_mischiefs[i].kind;
    text_format_jst(service_now(&t->service), now);
    now[8] = '\0';
    tree = json_pack(
        "{s:{s:{s:s, s:s}}}", "XmlMsg", "MessageHeader", "QualificationConfirmationDate", now,
        "MedicalInstitutionCode",
        json_string_value(json_array_get(json_object_get(t->account, "institutions"), 0)));
    request.json = tree;
    choice.consents = json_object_get(person->data, "consents");
    choice.consent_time = service_now(&t->service);
    body = answer_succeed(&t->service, &request, ANSWER_BY_CARD, &reply);
    json_object_set_new(body, "PrescriptionIssueSelect", json_string("2"));
    answer_add_people(&t->service, &request, &person, 1, &choice, body, &reply);
    snprintf(name, sizeof(name), FACE_PREFIX "%s.xml", file);
    put_tree(t, m, "face", name, reply.body);
    snprintf(answer, size, "ok %s", name);
    reply_clear(&reply);
    json_decref(tree);
    return true;
}

static bool command_count(struct terminal *t, const char *rest, char *answer, size_t size)
{
    size_t len, lines = 0;
    char *text = read_file(t->ledger, &len);
    char needle[64];

    snprintf(needle, sizeof(needle), "%s", rest);
    if (text != NULL) {
        text[len] = '\0';
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
            lines += strstr(line, needle) != NULL;
    }
    free(text);
    snprintf(answer, size, "ok %zu", lines);
    return true;
}

static bool command_mischief(struct terminal *t, const char *line)
{
    char name[32] = "";
    long number = 0, turns = -1;

    if (sscanf(line, "%31s %ld %ld", name, &number, &turns) < 1)
        return false;
    for (size_t i = 0; i < sizeof(terminal_mischiefs) / sizeof(terminal_mischiefs[0]); i++) {
        if (strcmp(terminal_mischiefs[i].name, name) != 0)
            continue;
        t->mischief = terminal_mischiefs[i].kind;
        t->number = number;
        t->turns = turns;
        if (t->mischief == MISCHIEF_NONE) {
            t->slow_ms = 0;
            t->pending = 0;
            t->error_segment[0] = t->error_processing[0] = '\0';
        }
        return true;
    }
    return false;
}

/*
 * down, up | slow MS | pending N | error segment CODE | error processing CODE | encoding
 * utf-8|shift-jis | shuffle SEED | spread | count TEXT | face PERSON NAME [MISCHIEF MS] | person
 * NAME KEY VALUE | clock SECONDS | MISCHIEF [MS [TURNS]] | quit
 */
static void run_command(struct terminal *t, const char *line, char *answer, size_t size)
{
    char word[32] = "", kind[32] = "", code[64] = "", value[128] = "";
    const char *rest;

    (void)sscanf(line, "%31s", word);
    rest = line + strlen(word);
    rest += strspn(rest, " ");
    snprintf(answer, size, "ok");
    if (strcmp(word, "down") == 0 || strcmp(word, "up") == 0) {
        t->down = word[0] == 'd';
    } else if (strcmp(word, "slow") == 0) {
        t->slow_ms = atol(rest);
    } else if (strcmp(word, "pending") == 0) {
        t->pending = atol(rest);
    } else if (strcmp(word, "encoding") == 0) {
        t->style.encoding = strcmp(rest, "shift-jis") == 0 ? XML_SHIFT_JIS : XML_UTF_8;
    } else if (strcmp(word, "shuffle") == 0) {
        t->style.shuffle = (unsigned)atol(rest);
    } else if (strcmp(word, "spread") == 0) {
        t->style.spread = true;
    } else if (strcmp(word, "clock") == 0) {
        t->service.clock_offset = atol(rest);
    } else if (strcmp(word, "quit") == 0) {
        t->quit = true;
    } else if (strcmp(word, "error") == 0 && sscanf(rest, "%31s %63s", kind, code) == 2) {
        snprintf(kind[0] == 's' ? t->error_segment : t->error_processing, 64, "%s", code);
    } else if (strcmp(word, "person") == 0 &&
               sscanf(rest, "%31s %63s %127[^\n]", kind, code, value) == 3) {
        json_t *json = json_string(value);

        if (people_set(t->service.people, kind, code, json) != 0)
            snprintf(answer, size, "error person");
        json_decref(json);
    } else if (strcmp(word, "count") == 0  ? command_count(t, rest, answer, size)
               : strcmp(word, "face") == 0 ? command_face(t, rest, answer, size)
                                           : command_mischief(t, line)) {
        return;
    } else if (strcmp(answer, "ok") == 0) {
        snprintf(answer, size, "error not understood: %.100s", line);
    }
}

static void serve(struct terminal *t, int listener)
{
    char line[LINE_SIZE], answer[LINE_SIZE];
    size_t used = 0;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    while (fd >= 0 && used < sizeof(line) - 1 && memchr(line, '\n', used) == NULL) {
        ssize_t n = read(fd, line + used, sizeof(line) - 1 - used);

        if (n <= 0)
            break;
        used += (size_t)n;
    }
    line[used] = '\0';
    line[strcspn(line, "\n")] = '\0';
    run_command(t, line, answer, sizeof(answer));
    if (fd >= 0) {
        (void)dprintf(fd, "%s\n", answer);
        close(fd);
    }
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 8) != 0) {
        fprintf(stderr, "sim-terminal: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    return fd;
}

static void loop(struct terminal *t, int listener, int signals)
{
    while (!t->quit) {
        struct pollfd fds[2] = {{listener, POLLIN, 0}, {signals, POLLIN, 0}};

        do_tasks(t);
        look(t);
        do_tasks(t);
        if (poll(fds, 2, TICK_MS) > 0) {
            if (fds[1].revents != 0)
                return;
            if (fds[0].revents != 0)
                serve(t, listener);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"folder", required_argument, NULL, 'f'},   {"people", required_argument, NULL, 'p'},
        {"accounts", required_argument, NULL, 'A'}, {"ledger", required_argument, NULL, 'l'},
        {"control", required_argument, NULL, 'C'},  {NULL, 0, NULL, 0}};
    static const char *const places[] = {"req", "res", "face"};
    static struct terminal t;
    const char *people = NULL, *accounts = NULL, *control = NULL;
    char why[256] = "", path[PATH_SIZE];
    sigset_t set;
    int letter, listener, signals;

    while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1)
        switch (letter) {
        case 'f':
            t.folder = optarg;
            break;
        case 'p':
            people = optarg;
            break;
        case 'A':
            accounts = optarg;
            break;
        case 'l':
            t.ledger = optarg;
            break;
        case 'C':
            control = optarg;
            break;
        default:
            return 2;
        }
    if (t.folder == NULL || people == NULL || accounts == NULL || t.ledger == NULL ||
        control == NULL) {
        fprintf(stderr, "usage: sim-terminal --folder DIR --people DIR --accounts JSON --ledger "
                        "FILE --control SOCKET\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* somebody wants to open what is under a lease */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    t.service.accounts = json_load_file(accounts, 0, NULL);
    t.account = json_array_get(json_object_get(t.service.accounts, "accounts"), 0);
    t.receptions = json_object();
    if (t.account == NULL || people_load(&t.service.people, people, why, sizeof(why)) < 0) {
        fprintf(stderr, "sim-terminal: people or accounts: %s\n", why);
        return 1;
    }
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", t.folder, places[i]);
        if (mkdir(path, 0770) != 0 && errno != EEXIST) {
            fprintf(stderr, "sim-terminal: %s: %s\n", path, strerror(errno));
            return 1;
        }
    }
    listener = listen_at(control);
    printf("sim-terminal: %s, %zu people\n", t.folder, people_count(t.service.people));
    fflush(stdout);
    loop(&t, listener, signals);
    close(listener);
    (void)unlink(control);
    return 0;
}
