/*
 * handover_file: a face file appears in the receipt computer's folder exactly once, through every
 * crash.
 *
 * Two steps, between which the desk notes that the first is done:
 *   stage   the whole file, synced, in the work folder, under the name that it will have
 *   commit  a rename into the folder. Ordered again after a crash it looks first: as long as the
 *           staged file is in the work folder it was not moved; when it is gone it was, even if the
 *           receipt computer has taken it away since.
 * So the work folder is the memory of what was moved. It carries a mark of its own, which the desk
 * keeps with each staged file: in another (or an emptied) work folder "gone" would mean nothing,
 * and the answer is doubtful.
 *
 * Calls may block for as long as the mount does: they belong on a thread (one_thread.h).
 */
#ifndef UKETSUKE_RELAY_HANDOVER_FILE_H
#define UKETSUKE_RELAY_HANDOVER_FILE_H

#include "../common/outbox.h"
#include "folder_disk.h"

#define HANDOVER_MARK_DIGITS 32
#define HANDOVER_MARK_FILE "uketsuke-work-folder"

struct handover_end {
    enum handover_outcome outcome;
    uint16_t failure; /* enum failure */
    int error;        /* negative errno for the log, 0 */
};

/*
 * disk->paths: FOLDER_WORK and FOLDER_FACE. `fresh`: hexadecimal digits for the mark of a work
 * folder that has none yet. STAGED fills `mark`; NOT_SENT: nothing is where others look, and it may
 * be tried again; DOUBTFUL: a file of that name is there already.
 */
struct handover_end handover_file_stage(const struct folder_disk *disk, const char *name,
                                        const void *data, size_t len,
                                        const char fresh[HANDOVER_MARK_DIGITS + 1],
                                        char mark[HANDOVER_MARK_DIGITS + 1]);
/* DONE; NOT_SENT: order it again; DOUBTFUL: another work folder, or somebody else's file of that
 * name. */
struct handover_end handover_file_commit(const struct folder_disk *disk, const char *name,
                                         const char *mark);
/* A document whose consent has ended, staged, or with `mark` "" perhaps staged by an order of which nobody heard the
 * end. REFUSED: it is nowhere and was never where others look; NOT_SENT: order it again; DOUBTFUL (with a mark):
 * another work folder, or it is not there any more. */
struct handover_end handover_file_discard(const struct folder_disk *disk, const char *name,
                                          const char *mark);

#endif
