/* eligibility: what a request, answer or face file says, with the meaning of its codes. */
#include "codes.h"
#include "command.h"
#include "json.h"
#include "relay_show.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct view {
    FILE *out;
    bool lines; /* indented; else all in one line */
    unsigned depth;
};

static void new_line(const struct view *view)
{
    if (!view->lines)
        return;
    (void)fputc('\n', view->out);
    for (unsigned i = 0; i < view->depth; i++)
        (void)fputs("  ", view->out);
}

static void open_bracket(struct view *view, char bracket)
{
    (void)fputc(bracket, view->out);
    view->depth++;
}

static void close_bracket(struct view *view, char bracket, bool empty)
{
    view->depth--;
    if (!empty)
        new_line(view);
    (void)fputc(bracket, view->out);
}

static void put_name(const struct view *view, const char *name)
{
    json_text(view->out, name);
    (void)fputs(view->lines ? ": " : ":", view->out);
}

/* A code with its meaning: {"code":"1","list":"CD006","ja":"有効","en":"valid"}. */
static void put_code(const struct view *view, enum code_list list, const char *value)
{
    const struct code_text *code = codes_find(list, value);
    const char *ja = code != NULL ? code->ja : value[0] != '\0' ? "コード表にない値" : "記載なし";
    const char *en = code != NULL ? code->en : value[0] != '\0' ? "not in the code list" : "empty";
    const char *const members[][2] = {
        {"code", value}, {"list", codes_list(list)->name}, {"ja", ja}, {"en", en}};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        (void)fputs(i == 0 ? "{" : view->lines ? ", " : ",", view->out);
        put_name(view, members[i][0]);
        json_text(view->out, members[i][1]);
    }
    /* Said where it is not the ordinary case. */
    if (code == NULL && value[0] != '\0') {
        (void)fputs(view->lines ? ", " : ",", view->out);
        put_name(view, "known");
        (void)fputs("false", view->out);
    } else if (code != NULL && !code->verified) {
        (void)fputs(view->lines ? ", " : ",", view->out);
        put_name(view, "confirmed");
        (void)fputs("false", view->out);
    }
    (void)fputc('}', view->out);
}

static bool is_list(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, "List") == 0;
}

static void put_element(struct view *view, const char *parent, const struct xmlmsg *element);

static void put_leaf(const struct view *view, const char *parent, const char *name,
                     const char *value)
{
    enum code_list list = codes_list_of(parent, name);

    if (list != CODE_LIST_NONE)
        put_code(view, list, value);
    else
        json_text(view->out, value);
}

/* The siblings of one name stand together in a canonical tree. NULL when `element` is the last of
 * its name. */
static struct xmlmsg *next_of_name(const struct xmlmsg *element)
{
    struct xmlmsg *next = xmlmsg_next(element, NULL);

    return next != NULL && strcmp(xmlmsg_name(next), xmlmsg_name(element)) == 0 ? next : NULL;
}

/* An item of an array; of a list each child is an item of its own:
 * {"ResultOfQualificationConfirmation":{...}}. */
static bool put_items(struct view *view, const char *parent, const struct xmlmsg *element,
                      bool first)
{
    const char *name = xmlmsg_name(element);

    if (!is_list(name) || xmlmsg_value(element) != NULL) {
        if (!first)
            (void)fputc(',', view->out);
        new_line(view);
        put_element(view, parent, element);
        return false;
    }
    for (const struct xmlmsg *c = xmlmsg_child(element, NULL); c != NULL;
         c = xmlmsg_next(c, NULL)) {
        if (!first)
            (void)fputc(',', view->out);
        first = false;
        new_line(view);
        open_bracket(view, '{');
        new_line(view);
        put_name(view, xmlmsg_name(c));
        put_element(view, name, c);
        close_bracket(view, '}', false);
    }
    return first;
}

static void put_array(struct view *view, const char *parent, const struct xmlmsg *first_of_name)
{
    bool empty = true;

    open_bracket(view, '[');
    for (const struct xmlmsg *e = first_of_name; e != NULL; e = next_of_name(e))
        empty = put_items(view, parent, e, empty);
    close_bracket(view, ']', empty);
}

/* The depth is that of a tree, so bounded by XMLMSG_DEPTH_MAX. */
static void put_element(struct view *view, const char *parent, const struct xmlmsg *element)
{
    const struct xmlmsg *child = xmlmsg_child(element, NULL);
    const char *name = xmlmsg_name(element);
    bool empty = true;

    if (xmlmsg_value(element) != NULL) {
        put_leaf(view, parent, name, xmlmsg_value(element));
        return;
    }
    open_bracket(view, '{');
    while (child != NULL) {
        bool list = is_list(xmlmsg_name(child)) && xmlmsg_value(child) == NULL;
        const struct xmlmsg *next = next_of_name(child);

        if (!empty)
            (void)fputc(',', view->out);
        empty = false;
        new_line(view);
        put_name(view, xmlmsg_name(child));
        if (list || next != NULL)
            put_array(view, name, child);
        else
            put_element(view, name, child);
        for (; next != NULL; next = next_of_name(next))
            child = next;
        child = xmlmsg_next(child, NULL);
    }
    close_bracket(view, '}', empty);
}

static void print(const struct command_options *options, const struct xmlmsg *root)
{
    struct view view = {.out = options->out, .lines = !options->json};

    open_bracket(&view, '{');
    new_line(&view);
    put_name(&view, xmlmsg_name(root));
    put_element(&view, "", root);
    close_bracket(&view, '}', false);
    (void)fputc('\n', view.out);
}

/* "-" is standard input. A pipe that nobody writes to must not hold us at its opening. */
static int open_input(const char *path)
{
    struct stat st;
    int fd;

    if (strcmp(path, "-") == 0)
        return (fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) < 0 ? -errno : fd;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        (void)close(fd);
        return -EISDIR;
    }
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

static void complain(const struct command_options *options, const char *path, const char *words)
{
    (void)fputs("uketsuke: ", options->err);
    table_put(options->err, path);
    (void)fputs(": ", options->err);
    table_put(options->err, words);
    (void)fputc('\n', options->err);
}

static int show(const struct command_options *options, const char *path)
{
    struct xmlmsg *root = NULL;
    char why[1024];
    int fd = open_input(path);
    int r;

    if (fd < 0) {
        complain(options, path, strerror(-fd));
        return EXIT_USAGE;
    }
    r = relay_show(&root, fd, why, sizeof(why));
    (void)close(fd);
    switch (r) {
    case 0:
        print(options, root);
        xmlmsg_free(&root);
        return EXIT_AS_ASKED;
    case -EBADMSG:
        complain(options, path, why[0] != '\0' ? why : "読めません / cannot be read");
        return EXIT_NOT_SO;
    case -ETIMEDOUT:
        complain(options, path, "時間内に読めません / not read in time");
        return EXIT_NOT_SO;
    case -ENOENT:
        complain(
            options, path,
            "uketsuke-relay がありません / uketsuke-relay is not installed beside this program");
        return EXIT_NO_DESK;
    default:
        complain(options, path,
                 why[0] != '\0' ? why
                                : "uketsuke-relay を動かせません / uketsuke-relay cannot be run");
        return EXIT_NO_DESK;
    }
}

int command_eligibility(const struct command_options *options, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], "show") == 0)
        return show(options, argv[1]);
    (void)fprintf(options->err, "uketsuke eligibility show FILE\n");
    return EXIT_USAGE;
}
