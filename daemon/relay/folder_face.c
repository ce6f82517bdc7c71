/*
 * The face files of an official terminal: each told once, none ever touched.
 *
 * What was taken over by the desk has a mark in the work folder, named by the hash of its content:
 * so a copy under another name is not told again, nor is anything after a restart. A mark goes when
 * it is older than any file that would still be told.
 */
#include "folder_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACES_MAX 65536
#define BUCKETS 4096
#define READS_MAX 32 /* a round: a folder full of files must not keep an answer waiting */
#define MARK_PREFIX "face_"
#define MARK_END ".taken"

enum face_state {
    FACE_NEW,
    FACE_TOLD,  /* and not taken over yet */
    FACE_TAKEN, /* or told under another name */
    FACE_OLD,
    FACE_FOREIGN,
    FACE_FAULTY,
};

struct face {
    struct face *next;
    enum face_state state;
    bool seen; /* in this round's list */
    struct folder_reading reading;
    char name[];
};

struct folder_face_table {
    struct face *buckets[BUCKETS];
    size_t n;
    bool many;
    struct folder_faces told;
};

int folder_faces_new(struct folder_face_table **out)
{
    *out = calloc(1, sizeof(**out));
    return *out != NULL ? 0 : -ENOMEM;
}

void folder_faces_free(struct folder_face_table **faces)
{
    if (*faces == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((*faces)->buckets[i] != NULL) {
            struct face *face = (*faces)->buckets[i];

            (*faces)->buckets[i] = face->next;
            free(face);
        }
    free(*faces);
    *faces = NULL;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* FNV-1a: names are not secret, and the table is bounded. */
static struct face **bucket_of(struct folder_face_table *faces, const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return &faces->buckets[h % BUCKETS];
}

static bool is_face_name(const char *name)
{
    size_t len = strlen(name), prefix = strlen(FOLDER_FACE_PREFIX);

    /* The prefix only: what follows differs from terminal to terminal. */
    return len > prefix + 4 && strncmp(name, FOLDER_FACE_PREFIX, prefix) == 0 &&
           strcmp(name + len - 4, ".xml") == 0;
}

static int note_name(void *arg, const char *name)
{
    struct folder_face_table *faces = arg;
    struct face **at, *face;

    if (!is_face_name(name))
        return 0;
    at = bucket_of(faces, name);
    for (face = *at; face != NULL && strcmp(face->name, name) != 0; face = face->next)
        ;
    if (face == NULL && faces->n < FACES_MAX) {
        face = calloc(1, sizeof(*face) + strlen(name) + 1);
        if (face == NULL)
            return -ENOMEM;
        memcpy(face->name, name, strlen(name));
        face->next = *at;
        *at = face;
        faces->n++;
    }
    if (face != NULL)
        face->seen = true;
    else
        faces->many = true;
    return 0;
}

/* Those that somebody has taken away are forgotten. */
static void forget_gone(struct folder_face_table *faces)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct face **at = &faces->buckets[i];

        while (*at != NULL) {
            struct face *face = *at;

            if (face->seen) {
                face->seen = false;
                at = &face->next;
            } else {
                *at = face->next;
                faces->n--;
                free(face);
            }
        }
    }
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void mark_name(const uint8_t hash[FOLDER_HASH], char out[FOLDER_NAME_MAX])
{
    size_t used = (size_t)snprintf(out, FOLDER_NAME_MAX, MARK_PREFIX);

    for (size_t i = 0; i < FOLDER_HASH; i++)
        used += (size_t)snprintf(out + used, FOLDER_NAME_MAX - used, "%02x", hash[i]);
    (void)snprintf(out + used, FOLDER_NAME_MAX - used, MARK_END);
}

static bool is_marked(struct folder *folder, const uint8_t hash[FOLDER_HASH])
{
    char name[FOLDER_NAME_MAX];
    struct folder_stat stat;

    mark_name(hash, name);
    return folder_disk_stat(&folder->setup.disk, FOLDER_WORK, name, &stat) == 0;
}

static struct face *find_told(struct folder_face_table *faces, const uint8_t hash[FOLDER_HASH],
                              const struct face *but)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct face *face = faces->buckets[i]; face != NULL; face = face->next)
            if (face != but && face->state == FACE_TOLD &&
                memcmp(face->reading.hash, hash, FOLDER_HASH) == 0)
                return face;
    return NULL;
}

void folder_face_taken(struct folder *folder, const uint8_t hash[FOLDER_HASH])
{
    struct face *face = find_told(folder->faces, hash, NULL);
    char name[FOLDER_NAME_MAX];
    int error;

    if (face == NULL)
        return;
    mark_name(hash, name);
    error = folder_disk_create(&folder->setup.disk, FOLDER_WORK, name, "", 0, NULL);
    /* Without its mark it is told again after a restart, and the desk knows it by the hash. */
    if (error == 0 || error == -EEXIST)
        face->state = FACE_TAKEN;
}

void folder_faces_again(struct folder *folder)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct face *face = folder->faces->buckets[i]; face != NULL; face = face->next)
            if (face->state == FACE_TOLD) {
                face->state = FACE_NEW;
                memset(&face->reading, 0, sizeof(face->reading));
            }
}

struct marks {
    struct folder *folder;
    int64_t before_us;
};

static int drop_old_mark(void *arg, const char *name)
{
    const struct marks *marks = arg;
    size_t len = strlen(name), prefix = strlen(MARK_PREFIX), end = strlen(MARK_END);
    struct folder_stat stat;

    if (len == prefix + 2 * FOLDER_HASH + end && strncmp(name, MARK_PREFIX, prefix) == 0 &&
        strcmp(name + len - end, MARK_END) == 0 &&
        folder_disk_stat(&marks->folder->setup.disk, FOLDER_WORK, name, &stat) == 0 &&
        stat.modified_us < marks->before_us)
        (void)folder_disk_remove(&marks->folder->setup.disk, FOLDER_WORK, name);
    return 0;
}

void folder_faces_recover(struct folder *folder, uint64_t now_us)
{
    /* Twice the age: a mark is younger than its file. */
    struct marks marks = {folder, folder->clock_base_us + (int64_t)now_us -
                                      2 * (int64_t)folder->setup.face_age_us};

    (void)folder_disk_list(&folder->setup.disk, FOLDER_WORK, drop_old_mark, &marks);
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool is_old(const struct folder *folder, const struct folder_stat *stat, uint64_t now_us)
{
    return stat->modified_us <
           folder->clock_base_us + (int64_t)now_us - (int64_t)folder->setup.face_age_us;
}

static void take_face(struct folder *folder, struct face *face, struct folder_event *event)
{
    enum folder_fault fault;

    memcpy(event->hash, face->reading.hash, sizeof(event->hash));
    face->state = FACE_TAKEN;
    if (find_told(folder->faces, event->hash, face) != NULL || is_marked(folder, event->hash))
        goto drop;
    fault = folder_parse(folder, event->raw, event->raw_len, &event->tree);
    if (fault != FOLDER_FAULT_NONE) {
        /* Half a file may become a whole one: looked at again when it changes. */
        face->state = FACE_FAULTY;
        face->reading.tried = true;
        face->reading.once = false;
        goto drop;
    }
    if (strcmp(xmlmsg_get(event->tree, "MessageHeader/MedicalInstitutionCode"),
               folder->setup.institution) != 0) {
        face->state = FACE_FOREIGN;
        goto drop;
    }
    face->state = FACE_TOLD;
    folder_tell(folder, event);
    return;
drop:
    xmlmsg_free(&event->tree);
    folder_wipe(event->raw, event->raw_len);
}

/* 0 or what is wrong with the folder. */
static int look_at_face(struct folder *folder, struct face *face, uint64_t now_us, uint64_t *next)
{
    struct folder_event event = {.kind = FOLDER_EVENT_FACE};
    struct folder_stat stat;
    int error = 0;

    if (face->state == FACE_NEW && !face->reading.once) {
        error = folder_disk_stat(&folder->setup.disk, FOLDER_FACE, face->name, &stat);
        if (error != 0)
            return error == -ENOENT ? 0 : error;
        if (!stat.regular || is_old(folder, &stat, now_us)) {
            face->state = FACE_OLD;
            return 0;
        }
    }
    switch (folder_settle(folder, FOLDER_FACE, face->name, &face->reading, now_us, next, &event.raw,
                          &event.raw_len, &error)) {
    case FOLDER_WAIT:
        return 0;
    case FOLDER_FAULTY:
        switch (folder_fault_of(error)) {
        case FOLDER_FAULT_LOCKED:
            return 0;
        case FOLDER_FAULT_DISK:
            return error;
        default:
            face->state = FACE_OLD; /* too large, or no file: never a message */
            return 0;
        }
    case FOLDER_SETTLED:
        take_face(folder, face, &event);
        break;
    }
    return 0;
}

static void tell_counts(struct folder *folder)
{
    struct folder_face_table *faces = folder->faces;
    struct folder_event event = {.kind = FOLDER_EVENT_FACES};

    event.faces.known = (unsigned)faces->n;
    event.faces.many = faces->many;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct face *face = faces->buckets[i]; face != NULL; face = face->next) {
            event.faces.foreign += face->state == FACE_FOREIGN;
            event.faces.faulty += face->state == FACE_FAULTY;
        }
    if (event.faces.known == faces->told.known && event.faces.many == faces->told.many &&
        event.faces.foreign == faces->told.foreign && event.faces.faulty == faces->told.faulty)
        return;
    faces->told = event.faces;
    folder_tell(folder, &event);
}

int folder_faces_step(struct folder *folder, uint64_t now_us, uint64_t *next)
{
    struct folder_face_table *faces = folder->faces;
    unsigned reads = 0;
    int error;

    faces->many = false;
    error = folder_disk_list(&folder->setup.disk, FOLDER_FACE, note_name, faces);
    if (error != 0)
        return error;
    forget_gone(faces);
    for (size_t i = 0; i < BUCKETS && error == 0; i++)
        for (struct face *face = faces->buckets[i]; face != NULL && error == 0; face = face->next) {
            if (face->state != FACE_NEW && face->state != FACE_FAULTY)
                continue;
            if (face->state == FACE_NEW && ++reads > READS_MAX) {
                *next = now_us; /* there is more to do */
                break;
            }
            error = look_at_face(folder, face, now_us, next);
        }
    tell_counts(folder);
    return error;
}
