#include "folder.h"

#include "folder_internal.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

static const struct {
    const char *ja;
    const char *en;
} faults[FOLDER_FAULTS] = {
    [FOLDER_FAULT_NONE] = {"正常", "fine"},
    [FOLDER_FAULT_TRUNCATED] = {"書きかけの回答ファイル", "half an answer file"},
    [FOLDER_FAULT_MESSAGE] = {"読めない回答ファイル", "an answer file that is no message"},
    [FOLDER_FAULT_FOREIGN] = {"別の施設か別の要求の回答",
                              "an answer to somebody else or to another request"},
    [FOLDER_FAULT_KIND] = {"ふつうのファイルではない", "no regular file"},
    [FOLDER_FAULT_LARGE] = {"大きすぎる回答ファイル", "an answer file that is too large"},
    [FOLDER_FAULT_LOCKED] = {"ほかのプログラムが開いたままの回答ファイル",
                             "an answer file that another program keeps open"},
    [FOLDER_FAULT_DISK] = {"フォルダを使えない", "the folder cannot be used"},
};

const char *folder_fault_ja(enum folder_fault fault)
{
    return (unsigned)fault < FOLDER_FAULTS ? faults[fault].ja : "?";
}

const char *folder_fault_en(enum folder_fault fault)
{
    return (unsigned)fault < FOLDER_FAULTS ? faults[fault].en : "?";
}

enum folder_fault folder_fault_of(int error)
{
    switch (error) {
    case -EFBIG:
        return FOLDER_FAULT_LARGE;
    case -ENOTSUP:
        return FOLDER_FAULT_KIND;
    case -EBUSY:
        return FOLDER_FAULT_LOCKED;
    default:
        return FOLDER_FAULT_DISK;
    }
}

void folder_tell(struct folder *folder, struct folder_event *event)
{
    folder->setup.event(folder->setup.arg, event);
}

void folder_wipe(uint8_t *data, size_t len)
{
    if (data != NULL)
        explicit_bzero(data, len);
    free(data);
}

/* ---- names in the work folder ---------------------------------------------------------------- */

static void work_name(const struct folder_slip *slip, const char *end, char out[FOLDER_NAME_MAX])
{
    (void)snprintf(out, FOLDER_NAME_MAX, "%s_%s%s", slip->family, slip->suffix, end);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len > n && strcmp(text + len - n, end) == 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

static struct folder_entry *find_entry(struct folder *folder, const struct folder_slip *slip)
{
    for (size_t i = 0; i < FOLDER_ENTRIES_MAX; i++) {
        struct folder_entry *e = &folder->entries[i];

        if (e->used && strcmp(e->slip.family, slip->family) == 0 &&
            strcmp(e->slip.suffix, slip->suffix) == 0)
            return e;
    }
    return NULL;
}

static struct folder_entry *add_entry(struct folder *folder, const struct folder_slip *slip)
{
    for (size_t i = 0; i < FOLDER_ENTRIES_MAX; i++) {
        struct folder_entry *e = &folder->entries[i];

        if (e->used)
            continue;
        *e = (struct folder_entry){.used = true, .slip = *slip};
        return e;
    }
    return NULL;
}

static void remove_entry(struct folder *folder, const struct folder_slip *slip)
{
    struct folder_entry *e = find_entry(folder, slip);

    if (e != NULL)
        explicit_bzero(e, sizeof(*e));
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Did the failed move happen all the same? A share may lose its answer on the way. */
static bool may_be_moved(struct folder *folder, const char *work)
{
    struct folder_stat st;

    return folder_disk_stat(&folder->setup.disk, FOLDER_WORK, work, &st) != 0;
}

static void take_skew(struct folder *folder, const struct folder_stat *stat, int64_t realtime_us)
{
    struct folder_event event = {.kind = FOLDER_EVENT_SKEW,
                                 .skew_us = stat->modified_us - realtime_us};

    folder_tell(folder, &event);
}

void folder_send(struct folder *folder, const struct folder_slip *slip, const void *xml, size_t len,
                 int64_t realtime_us)
{
    const struct folder_disk *disk = &folder->setup.disk;
    struct folder_event event = {.kind = FOLDER_EVENT_SENT, .slip = *slip};
    char request[FOLDER_NAME_MAX], work[FOLDER_NAME_MAX], note[FOLDER_NAME_MAX];
    char text[FOLDER_SLIP_MAX];
    struct folder_stat stat;
    struct folder_entry *entry = add_entry(folder, slip);
    size_t n = folder_slip_write(slip, text);

    folder_slip_request_name(slip, request, sizeof(request));
    work_name(slip, ".xml", work);
    work_name(slip, ".slip", note);
    event.error = entry == NULL || n == 0 ? -ENOBUFS : 0;
    if (event.error == 0)
        event.error = folder_disk_create(disk, FOLDER_WORK, work, xml, len, &stat);
    if (event.error == 0) {
        take_skew(folder, &stat, realtime_us);
        event.error = folder_disk_create(disk, FOLDER_WORK, note, text, n, NULL);
        if (event.error == 0) {
            event.error = folder_disk_move(disk, FOLDER_WORK, work, FOLDER_REQ, request);
            event.unknown = event.error != 0 && event.error != -EEXIST && event.error != -EXDEV &&
                            may_be_moved(folder, work);
        }
        /* The slip first: without it the request is known to be unsent. */
        if (event.error != 0 && !event.unknown) {
            (void)folder_disk_remove(disk, FOLDER_WORK, note);
            (void)folder_disk_remove(disk, FOLDER_WORK, work);
        }
    }
    if (event.error != 0 && !event.unknown && entry != NULL)
        remove_entry(folder, slip);
    folder_tell(folder, &event);
}

void folder_done(struct folder *folder, const struct folder_slip *slip)
{
    char note[FOLDER_NAME_MAX], done[FOLDER_NAME_MAX];

    work_name(slip, ".slip", note);
    work_name(slip, ".done", done);
    (void)folder_disk_move(&folder->setup.disk, FOLDER_WORK, note, FOLDER_WORK, done);
}

void folder_drop(struct folder *folder, const struct folder_slip *slip)
{
    const struct folder_disk *disk = &folder->setup.disk;
    char note[FOLDER_NAME_MAX], done[FOLDER_NAME_MAX], answer[FOLDER_NAME_MAX];

    work_name(slip, ".slip", note);
    work_name(slip, ".done", done);
    folder_slip_answer_name(slip, answer, sizeof(answer));
    /* Already done: there is no slip to move. */
    (void)folder_disk_move(disk, FOLDER_WORK, note, FOLDER_WORK, done);
    if (folder_disk_remove(disk, FOLDER_RES, answer) == 0 &&
        folder_disk_remove(disk, FOLDER_WORK, note) == 0)
        (void)folder_disk_remove(disk, FOLDER_WORK, done);
    remove_entry(folder, slip);
}

void folder_withdraw(struct folder *folder, const struct folder_slip *slip)
{
    const struct folder_disk *disk = &folder->setup.disk;
    struct folder_event event = {.kind = FOLDER_EVENT_WITHDRAWN, .slip = *slip};
    char request[FOLDER_NAME_MAX], work[FOLDER_NAME_MAX];

    folder_slip_request_name(slip, request, sizeof(request));
    work_name(slip, ".xml", work);
    /* The way back of folder_send(): with the request beside its slip nothing is on its way. */
    event.error = folder_disk_move(disk, FOLDER_REQ, request, FOLDER_WORK, work);
    if (event.error == 0) {
        folder_drop(folder, slip);
        (void)folder_disk_remove(disk, FOLDER_WORK, work);
    }
    folder_tell(folder, &event);
}

/* ---- answers --------------------------------------------------------------------------------- */

enum folder_settled folder_settle(struct folder *folder, enum folder_place place, const char *name,
                                  struct folder_reading *reading, uint64_t now_us, uint64_t *next,
                                  uint8_t **data, size_t *len, int *error)
{
    const struct folder_disk *disk = &folder->setup.disk;
    uint64_t due = reading->at_us + folder->setup.settle_us;
    uint8_t hash[FOLDER_HASH];
    struct folder_stat stat;

    *data = NULL;
    if (reading->once && now_us < due) {
        *next = due < *next ? due : *next;
        return FOLDER_WAIT;
    }
    if (reading->tried) {
        *error = folder_disk_stat(disk, place, name, &stat);
        if (*error == 0 && stat.size == reading->stat.size &&
            stat.modified_us == reading->stat.modified_us)
            return FOLDER_WAIT;
        memset(reading, 0, sizeof(*reading));
    }
    *error = folder_disk_read(disk, place, name, folder->setup.most, data, len, &stat);
    if (*error != 0) {
        reading->once = false;
        return *error == -ENOENT ? FOLDER_WAIT : FOLDER_FAULTY;
    }
    (void)SHA256(*data, *len, hash);
    if (reading->once && memcmp(hash, reading->hash, sizeof(hash)) == 0)
        return FOLDER_SETTLED;
    *reading = (struct folder_reading){.once = true, .at_us = now_us, .stat = stat};
    memcpy(reading->hash, hash, sizeof(hash));
    due = now_us + folder->setup.settle_us;
    *next = due < *next ? due : *next;
    folder_wipe(*data, *len);
    *data = NULL;
    return FOLDER_WAIT;
}

enum folder_fault folder_parse(struct folder *folder, const uint8_t *data, size_t len,
                               struct xmlmsg **tree)
{
    switch (codec_xml_read(folder->setup.codec, tree, data, len, NULL)) {
    case 0:
        return FOLDER_FAULT_NONE;
    case -ENODATA:
        return FOLDER_FAULT_TRUNCATED;
    default:
        return FOLDER_FAULT_MESSAGE;
    }
}

static bool belongs(const struct folder_slip *slip, const struct xmlmsg *tree)
{
    const struct {
        const char *path;
        const char *ours;
    } fields[] = {{"MessageHeader/MedicalInstitutionCode", slip->institution},
                  {"MessageHeader/ArbitraryFileIdentifier", slip->identifier}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *theirs = xmlmsg_get(tree, fields[i].path);

        if (strcmp(theirs, fields[i].ours) != 0 && (slip->strict || theirs[0] != '\0'))
            return false;
    }
    return true;
}

static void tell_fault(struct folder *folder, struct folder_entry *entry, enum folder_fault fault,
                       int error)
{
    struct folder_event event = {
        .kind = FOLDER_EVENT_FAULT, .slip = entry->slip, .fault = fault, .error = error};

    if ((entry->told & 1u << fault) != 0)
        return;
    entry->told |= 1u << fault;
    folder_tell(folder, &event);
}

/* 0, or what is wrong with the folder itself. */
static int look_for_answer(struct folder *folder, struct folder_entry *entry, uint64_t now_us,
                           uint64_t *next)
{
    struct folder_event event = {.kind = FOLDER_EVENT_ANSWER, .slip = entry->slip};
    struct folder_reading *reading = &entry->reading;
    enum folder_fault fault;
    char name[FOLDER_NAME_MAX];
    int error = 0;

    folder_slip_answer_name(&entry->slip, name, sizeof(name));
    switch (folder_settle(folder, FOLDER_RES, name, reading, now_us, next, &event.raw,
                          &event.raw_len, &error)) {
    case FOLDER_WAIT:
        return 0;
    case FOLDER_FAULTY:
        fault = folder_fault_of(error);
        tell_fault(folder, entry, fault, error);
        return fault == FOLDER_FAULT_DISK ? error : 0;
    case FOLDER_SETTLED:
        break;
    }
    memcpy(event.hash, reading->hash, sizeof(event.hash));
    fault = folder_parse(folder, event.raw, event.raw_len, &event.tree);
    if (fault == FOLDER_FAULT_NONE && !belongs(&entry->slip, event.tree))
        fault = FOLDER_FAULT_FOREIGN;
    if (fault != FOLDER_FAULT_NONE) {
        xmlmsg_free(&event.tree);
        folder_wipe(event.raw, event.raw_len);
        reading->tried = true;
        reading->once = false;
        tell_fault(folder, entry, fault, 0);
        return 0;
    }
    entry->answered = true;
    folder_tell(folder, &event);
    return 0;
}

static int look_at_entry(struct folder *folder, struct folder_entry *entry, uint64_t now_us,
                         uint64_t *next)
{
    struct folder_event event = {.kind = FOLDER_EVENT_TAKEN, .slip = entry->slip};
    char request[FOLDER_NAME_MAX];
    struct folder_stat stat;
    int error = 0;

    if (entry->answered)
        return 0;
    if (!entry->taken) {
        folder_slip_request_name(&entry->slip, request, sizeof(request));
        error = folder_disk_stat(&folder->setup.disk, FOLDER_REQ, request, &stat);
        entry->taken = error == -ENOENT;
        if (entry->taken)
            folder_tell(folder, &event);
        if (error == -ENOENT)
            error = 0;
    }
    return error != 0 ? error : look_for_answer(folder, entry, now_us, next);
}

uint64_t folder_step(struct folder *folder, uint64_t now_us)
{
    struct folder_event event = {.kind = FOLDER_EVENT_DISK};
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < FOLDER_ENTRIES_MAX && event.error == 0; i++)
        if (folder->entries[i].used)
            event.error = look_at_entry(folder, &folder->entries[i], now_us, &next);
    if (event.error == 0 && folder->setup.faces)
        event.error = folder_faces_step(folder, now_us, &next);
    folder_tell(folder, &event);
    return next;
}

/* ---- after a kill ---------------------------------------------------------------------------- */

struct found {
    char names[2 * FOLDER_ENTRIES_MAX][FOLDER_NAME_MAX + 1];
    size_t n;
};

static int find_ours(void *arg, const char *name)
{
    struct found *found = arg;

    if (found->n == sizeof(found->names) / sizeof(found->names[0]))
        return 0;
    if (ends_with(name, ".xml") || ends_with(name, ".slip") || ends_with(name, ".done"))
        memcpy(found->names[found->n++], name, strlen(name) + 1);
    return 0;
}

static bool is_found(const struct found *found, const struct folder_slip *slip, const char *end)
{
    char name[FOLDER_NAME_MAX];

    work_name(slip, end, name);
    for (size_t i = 0; i < found->n; i++)
        if (strcmp(found->names[i], name) == 0)
            return true;
    return false;
}

static bool read_slip(struct folder *folder, const char *name, struct folder_slip *slip)
{
    struct folder_stat stat;
    uint8_t *data;
    size_t len;
    bool good;

    if (folder_disk_read(&folder->setup.disk, FOLDER_WORK, name, FOLDER_SLIP_MAX - 1, &data, &len,
                         &stat) != 0)
        return false;
    good = folder_slip_read(slip, (const char *)data, len);
    folder_wipe(data, len);
    return good;
}

/* "NAME.xml" of "NAME.slip". */
static void other_end(const char *name, const char *end, char out[FOLDER_NAME_MAX + 8])
{
    (void)snprintf(out, FOLDER_NAME_MAX + 8, "%.*s%s", (int)(strrchr(name, '.') - name), name, end);
}

static void recover_slip(struct folder *folder, const struct found *found, const char *name)
{
    const struct folder_disk *disk = &folder->setup.disk;
    struct folder_event event = {.kind = FOLDER_EVENT_SLIP};
    char request[FOLDER_NAME_MAX + 8];
    struct folder_entry *entry;

    other_end(name, ".xml", request);
    /* Half a slip was being written: its request has not been moved, since that comes after. */
    if (!read_slip(folder, name, &event.slip) || is_found(found, &event.slip, ".xml")) {
        if (folder_disk_remove(disk, FOLDER_WORK, name) == 0)
            (void)folder_disk_remove(disk, FOLDER_WORK, request);
        return;
    }
    if (is_found(found, &event.slip, ".done"))
        return;
    entry = add_entry(folder, &event.slip);
    if (entry != NULL)
        folder_tell(folder, &event);
}

static void recover_done(struct folder *folder, const char *name)
{
    struct folder_event event = {.kind = FOLDER_EVENT_ANSWERED};
    struct folder_entry *entry;
    char answer[FOLDER_NAME_MAX];
    struct folder_stat stat;

    if (!read_slip(folder, name, &event.slip)) {
        (void)folder_disk_remove(&folder->setup.disk, FOLDER_WORK, name);
        return;
    }
    /*
     * Reading may be asked again; of what was written the desk may not have heard. Without the
     * answer's file there is nothing to tell: it was being dropped.
     */
    folder_slip_answer_name(&event.slip, answer, sizeof(answer));
    if (!event.slip.writes ||
        folder_disk_stat(&folder->setup.disk, FOLDER_RES, answer, &stat) == -ENOENT) {
        folder_drop(folder, &event.slip);
        return;
    }
    entry = add_entry(folder, &event.slip);
    if (entry == NULL)
        return;
    entry->taken = true;
    folder_tell(folder, &event);
}

static void recover_clock(struct folder *folder, uint64_t now_us, int64_t realtime_us)
{
    static const char name[] = "clock";
    struct folder_stat stat;

    folder->clock_base_us = realtime_us - (int64_t)now_us;
    (void)folder_disk_remove(&folder->setup.disk, FOLDER_WORK, name);
    if (folder_disk_create(&folder->setup.disk, FOLDER_WORK, name, "", 0, &stat) != 0)
        return;
    folder->clock_base_us = stat.modified_us - (int64_t)now_us;
    take_skew(folder, &stat, realtime_us);
    (void)folder_disk_remove(&folder->setup.disk, FOLDER_WORK, name);
}

/* A share may tell nothing, or only what this machine did itself: so looking goes on at its own
 * pace. */
static void watch(struct folder *folder)
{
    const struct folder_setup *s = &folder->setup;
    const uint32_t came = IN_CLOSE_WRITE | IN_MOVED_TO, went = IN_DELETE | IN_MOVED_FROM;

    if (s->notify < 0)
        return;
    (void)inotify_add_watch(s->notify, s->disk.paths[FOLDER_RES], came);
    (void)inotify_add_watch(s->notify, s->disk.paths[FOLDER_REQ], went);
    if (s->faces)
        (void)inotify_add_watch(s->notify, s->disk.paths[FOLDER_FACE], came);
}

void folder_recover(struct folder *folder, uint64_t now_us, int64_t realtime_us)
{
    struct folder_event event = {.kind = FOLDER_EVENT_DISK};
    struct found *found = calloc(1, sizeof(*found));

    event.error = found != NULL
                      ? folder_disk_list(&folder->setup.disk, FOLDER_WORK, find_ours, found)
                      : -ENOMEM;
    for (size_t i = 0; event.error == 0 && i < found->n; i++) {
        const char *name = found->names[i];
        struct folder_slip slip;

        if (ends_with(name, ".slip")) {
            recover_slip(folder, found, name);
        } else if (ends_with(name, ".done")) {
            recover_done(folder, name);
        } else {
            char note[FOLDER_NAME_MAX + 8];

            other_end(name, ".slip", note);
            /* Without a slip: never sent. With one recover_slip() takes it away. */
            if (!read_slip(folder, note, &slip))
                (void)folder_disk_remove(&folder->setup.disk, FOLDER_WORK, name);
        }
    }
    free(found);
    if (event.error == 0) {
        recover_clock(folder, now_us, realtime_us);
        watch(folder);
        if (folder->setup.faces)
            folder_faces_recover(folder, now_us);
    }
    folder_tell(folder, &event);
}

/* ---- life ------------------------------------------------------------------------------------ */

int folder_new(struct folder **out, const struct folder_setup *setup)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    *out = NULL;
    if (folder == NULL)
        return -ENOMEM;
    folder->setup = *setup;
    if (folder_faces_new(&folder->faces) != 0) {
        free(folder);
        return -ENOMEM;
    }
    *out = folder;
    return 0;
}

void folder_free(struct folder **at)
{
    struct folder *folder = *at;

    if (folder == NULL)
        return;
    *at = NULL;
    folder_faces_free(&folder->faces);
    explicit_bzero(folder, sizeof(*folder));
    free(folder);
}
