#include "show.h"

#include "../common/cage.h"
#include "../common/secret.h"
#include "codec_json.h"
#include "codec_xml.h"
#include "layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRAM "uketsuke-relay --show"
#define PROCESSOR_SECONDS 20 /* what 4 MiB of the worst kind take is a small part of it */

static const struct cage_spec cage = {.calls = 0};

static void say(const char *ja, const char *en, size_t line)
{
    if (line > 0)
        (void)fprintf(stderr, "%zu行目: %s / line %zu: %s\n", line, ja, line, en);
    else
        (void)fprintf(stderr, "%s / %s\n", ja, en);
}

static enum show_status broken(const char *what, int error)
{
    (void)fprintf(stderr, PROGRAM ": %s: %s\n", what, strerror(-error));
    return SHOW_BROKEN;
}

/* One byte more than a message may have is enough to know that it is none. */
static int read_input(uint8_t *data, size_t size, size_t *len)
{
    *len = 0;
    while (*len < size) {
        ssize_t n = read(STDIN_FILENO, data + *len, size - *len);

        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        *len += (size_t)n;
    }
    return 0;
}

static int write_output(const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* An object begins with a brace, which XML never does. A byte order mark is passed over. */
static bool is_json(const uint8_t *data, size_t len, size_t *start)
{
    size_t i = len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    *start = i;
    while (i < len && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n'))
        i++;
    return i < len && data[i] == '{';
}

static enum show_status read_tree(struct codec_xml *codec, struct xmlmsg **tree,
                                  const uint8_t *data, size_t len)
{
    struct codec_xml_report report;
    size_t start;
    int error;

    if (is_json(data, len, &start)) {
        error = codec_json_read(tree, data + start, len - start);
        if (error == 0)
            return SHOW_SHOWN;
        say("JSONのメッセージとして読めません", "cannot be read as a message in JSON", 0);
        return SHOW_REFUSED;
    }
    error = codec_xml_read(codec, tree, data, len, &report);
    if (error == 0)
        return SHOW_SHOWN;
    say(codec_xml_fault_ja(report.fault), codec_xml_fault_en(report.fault), report.line);
    return error == -ENODATA ? SHOW_TRUNCATED : SHOW_REFUSED;
}

static enum show_status show(struct codec_xml *codec, uint8_t *data, size_t size)
{
    struct xmlmsg *tree = NULL, *ordered = NULL;
    uint8_t *packed = NULL;
    size_t len, packed_len = 0;
    enum show_status status;
    int error = read_input(data, size, &len);

    if (error < 0)
        return broken("standard input", error);
    status = read_tree(codec, &tree, data, len);
    if (status != SHOW_SHOWN)
        return status;
    ordered = layout_copy(tree);
    error = ordered != NULL ? xmlmsg_pack(ordered, &packed, &packed_len) : -ENOMEM;
    if (error == 0)
        error = write_output(packed, packed_len);
    if (error < 0)
        status = broken("standard output", error);
    if (packed != NULL)
        explicit_bzero(packed, packed_len);
    free(packed);
    xmlmsg_free(&ordered);
    xmlmsg_free(&tree);
    return status;
}

void show_run(bool try_cage)
{
    static const size_t size = XMLMSG_BYTES_MAX + 1;
    const struct rlimit processor = {PROCESSOR_SECONDS, PROCESSOR_SECONDS};
    struct codec_xml *codec = codec_xml_new();
    uint8_t *data = malloc(size);
    enum show_status status = SHOW_BROKEN;
    int r = secret_protect_process();

    codec_json_protect();
    if (codec == NULL || data == NULL)
        r = -ENOMEM;
    /* Nothing that the caller may have left open comes in. */
    if (r >= 0 && (close_range(3, ~0U, 0) != 0 || setrlimit(RLIMIT_CPU, &processor) != 0))
        r = -errno;
    if (r >= 0)
        r = cage_enter(&cage);
    if (r < 0) {
        status = broken("cannot start", r);
    } else if (try_cage) {
        status = cage_try(&cage) == 0 ? SHOW_SHOWN : SHOW_REFUSED;
        (void)fflush(stdout);
    } else {
        status = show(codec, data, size);
        explicit_bzero(data, size);
    }
    free(data);
    codec_xml_free(&codec);
    /* Not exit(): what libraries would do at the end of a process is outside the cage. */
    _exit((int)status);
}
