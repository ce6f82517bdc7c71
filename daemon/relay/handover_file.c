#include "handover_file.h"

#include "../common/failure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MOST 64

static struct handover_end end_with(enum handover_outcome outcome, uint16_t failure, int error)
{
    return (struct handover_end){outcome, failure, error};
}

static struct handover_end unusable(int error)
{
    return end_with(HANDOVER_NOT_SENT, FAILURE_HANDOVER_FOLDER, error);
}

static int read_mark(const struct folder_disk *disk, char mark[HANDOVER_MARK_DIGITS + 1])
{
    struct folder_stat stat;
    uint8_t *data = NULL;
    size_t len = 0;
    int error =
        folder_disk_read(disk, FOLDER_WORK, HANDOVER_MARK_FILE, MARK_MOST, &data, &len, &stat);

    if (error == 0 && len != HANDOVER_MARK_DIGITS)
        error = -EBADMSG;
    if (error == 0) {
        memcpy(mark, data, len);
        mark[len] = '\0';
    }
    free(data);
    return error;
}

/* One that is half written (a crash as it was made) marks nothing yet: it is made anew. */
static int have_mark(const struct folder_disk *disk, const char *fresh,
                     char mark[HANDOVER_MARK_DIGITS + 1])
{
    int error = read_mark(disk, mark);

    if (error == -EBADMSG)
        error = folder_disk_remove(disk, FOLDER_WORK, HANDOVER_MARK_FILE);
    else if (error != -ENOENT)
        return error;
    else
        error = 0;
    if (error == 0)
        error =
            folder_disk_create(disk, FOLDER_WORK, HANDOVER_MARK_FILE, fresh, strlen(fresh), NULL);
    return error != 0 ? error : read_mark(disk, mark);
}

struct handover_end handover_file_stage(const struct folder_disk *disk, const char *name,
                                        const void *data, size_t len,
                                        const char fresh[HANDOVER_MARK_DIGITS + 1],
                                        char mark[HANDOVER_MARK_DIGITS + 1])
{
    struct folder_stat stat;
    int error = folder_disk_stat(disk, FOLDER_FACE, name, &stat);

    /* The desk orders a stage only when no commit of this name was ever ordered: it is not ours. */
    if (error == 0)
        return end_with(HANDOVER_DOUBTFUL, FAILURE_HANDOVER_DOUBTFUL, -EEXIST);
    if (error != -ENOENT)
        return unusable(error);
    error = have_mark(disk, fresh, mark);
    /* What an earlier life left half written. */
    if (error == 0)
        error = folder_disk_remove(disk, FOLDER_WORK, name);
    if (error == 0)
        error = folder_disk_create(disk, FOLDER_WORK, name, data, len, NULL);
    return error == 0 ? end_with(HANDOVER_STAGED, FAILURE_NONE, 0) : unusable(error);
}

/* It is not in the work folder any more. What we see must also outlive a loss of power before it is
 * believed. */
static struct handover_end moved(const struct folder_disk *disk)
{
    int error = folder_disk_sync(disk, FOLDER_FACE);

    if (error == 0)
        error = folder_disk_sync(disk, FOLDER_WORK);
    return error == 0 ? end_with(HANDOVER_DONE, FAILURE_NONE, 0) : unusable(error);
}

/* STAGED: the file lies in the work folder that the desk means. DONE: it does not any more. Anything else is the end. */
static struct handover_end find_staged(const struct folder_disk *disk, const char *name,
                                       const char *mark)
{
    char here[HANDOVER_MARK_DIGITS + 1] = "";
    struct folder_stat stat;
    int error = read_mark(disk, here);

    if (error == -ENOENT || error == -EBADMSG || (error == 0 && strcmp(here, mark) != 0))
        return end_with(HANDOVER_DOUBTFUL, FAILURE_HANDOVER_DOUBTFUL, error);
    if (error == 0)
        error = folder_disk_stat(disk, FOLDER_WORK, name, &stat);
    if (error == -ENOENT)
        return end_with(HANDOVER_DONE, FAILURE_NONE, 0);
    return error == 0 ? end_with(HANDOVER_STAGED, FAILURE_NONE, 0) : unusable(error);
}

struct handover_end handover_file_commit(const struct folder_disk *disk, const char *name,
                                         const char *mark)
{
    struct handover_end end = find_staged(disk, name, mark);
    struct folder_stat stat;
    int error;

    if (end.outcome == HANDOVER_DONE)
        return moved(disk);
    if (end.outcome != HANDOVER_STAGED)
        return end;
    error = folder_disk_move(disk, FOLDER_WORK, name, FOLDER_FACE, name);
    if (error == -EEXIST)
        return end_with(HANDOVER_DOUBTFUL, FAILURE_HANDOVER_DOUBTFUL, error);
    /* After a failure nobody knows whether it happened: the work folder does. */
    if (error != 0 && folder_disk_stat(disk, FOLDER_WORK, name, &stat) != -ENOENT)
        return unusable(error);
    return moved(disk);
}

/* One that is gone was moved by an earlier order, or taken away by one of which the desk never heard the end: nobody
 * knows which, and that is what is said. Without a mark no move was ever ordered: whatever is there goes. */
struct handover_end handover_file_discard(const struct folder_disk *disk, const char *name,
                                          const char *mark)
{
    struct handover_end end = mark[0] != '\0' ? find_staged(disk, name, mark)
                                              : end_with(HANDOVER_STAGED, FAILURE_NONE, 0);
    int error;

    if (end.outcome == HANDOVER_DONE)
        return end_with(HANDOVER_DOUBTFUL, FAILURE_HANDOVER_DOUBTFUL, 0);
    if (end.outcome != HANDOVER_STAGED)
        return end;
    error = folder_disk_remove(disk, FOLDER_WORK, name);
    if (error == 0)
        error = folder_disk_sync(disk, FOLDER_WORK);
    return error == 0 ? end_with(HANDOVER_REFUSED, FAILURE_HANDOVER_CONSENT, 0) : unusable(error);
}
