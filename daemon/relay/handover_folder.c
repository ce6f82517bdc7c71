/* [output NAME] kind = face-files and documents: files in somebody's folder. */
#include "codec_xml.h"
#include "handover_face.h"
#include "handover_file.h"
#include "handover_internal.h"
#include "one_thread.h"

#include "../common/log.h"
#include "../common/memfd.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

struct files {
    struct carrier_setup setup;
    struct codec_xml *codec;
    struct handover_face how;
    bool documents;
    char work[PATH_MAX];
    struct folder_disk disk;
    struct cage_path paths[2];
    struct cage_spec cage;
    struct one_thread *thread;
    char fresh[HANDOVER_MARK_DIGITS + 1];
    bool hangs;
    uint16_t failure; /* of the last operation */
};

/* One step at the folder; the thread has it from the call to its end. */
struct job {
    struct files *files; /* on the loop only */
    const struct folder_disk *disk;
    char fresh[HANDOVER_MARK_DIGITS + 1];
    struct msg_handover_give give;
    char *data;
    size_t len;
    bool answered; /* it took too long, and the desk was told so */
    struct handover_end end;
    char mark[HANDOVER_MARK_DIGITS + 1];
};

static void job_free(void *at)
{
    struct job *job = at;

    if (job->data != NULL)
        explicit_bzero(job->data, job->len);
    free(job->data);
    free(job);
}

static void run(void *at)
{
    struct job *job = at;

    if (job->give.step == HANDOVER_STAGE)
        job->end = handover_file_stage(job->disk, job->give.name, job->data, job->len, job->fresh,
                                       job->mark);
    else if (job->give.step == HANDOVER_COMMIT)
        job->end = handover_file_commit(job->disk, job->give.name, job->give.mark);
    else
        job->end = handover_file_discard(job->disk, job->give.name, job->give.mark);
}

static void set_failure(struct files *f, uint16_t failure)
{
    if (f->failure == failure)
        return;
    f->failure = failure;
    f->setup.changed(f->setup.arg);
}

static void ended(void *arg, void *at)
{
    struct files *f = arg;
    struct job *job = at;

    f->hangs = false;
    if (job->end.error != 0 && job->end.outcome != HANDOVER_DONE)
        log_event(LOG_LEVEL_WARNING, "face file", LOG_NUMBER("entry", job->give.entry),
                  LOG_NUMBER("step", job->give.step), LOG_ERRNO(job->end.error));
    set_failure(f,
                job->end.outcome == HANDOVER_NOT_SENT ? job->end.failure : (uint16_t)FAILURE_NONE);
    if (!job->answered)
        f->setup.result(f->setup.arg, &job->give,
                        &(struct carrier_result){.outcome = (uint8_t)job->end.outcome,
                                                 .failure = job->end.failure,
                                                 .mark = job->mark});
    job_free(job);
}

/* Ordered again it finds out how far this one came. */
static void hangs(void *arg, void *at)
{
    struct files *f = arg;
    struct job *job = at;

    f->hangs = true;
    job->answered = true;
    set_failure(f, FAILURE_HANDOVER_UNREACHABLE);
    f->setup.result(f->setup.arg, &job->give,
                    &(struct carrier_result){.outcome = HANDOVER_NOT_SENT,
                                             .failure = FAILURE_HANDOVER_UNREACHABLE});
}

/* Its bytes, made on the loop: the codec is not for two threads. */
static struct carrier_result make(struct files *f, const struct carrier_data *data, struct job *job,
                                  char detail[129])
{
    struct xmlmsg *tree = NULL;
    int error = xmlmsg_unpack(&tree, data->tree, data->len);

    if (error == 0 && f->documents &&
        xmlmsg_find(tree, "MessageHeader/CharacterCodeIdentifier") != NULL)
        error = xmlmsg_set(tree, "MessageHeader/CharacterCodeIdentifier",
                           f->how.encoding == CODEC_XML_UTF8 ? "0" : "1");
    if (error == 0)
        error = (f->documents ? handover_document : handover_face)(
            f->codec, &f->how, tree, data->raw, data->raw_len, &job->data, &job->len, detail);
    xmlmsg_free(&tree);
    if (error == 0)
        return (struct carrier_result){.outcome = HANDOVER_STAGED};
    if (error == -ENOMEM)
        return (struct carrier_result){.outcome = HANDOVER_NOT_SENT,
                                       .failure = FAILURE_HANDOVER_UNREACHABLE};
    return (struct carrier_result){.outcome = HANDOVER_REFUSED,
                                   .failure = error == -EILSEQ ? FAILURE_HANDOVER_CHARACTER
                                                               : FAILURE_HANDOVER_GONE,
                                   .detail = detail};
}

static bool give(struct carrier *carrier, const struct msg_handover_give *give,
                 const struct carrier_data *data, struct carrier_result *at_once)
{
    static char detail[129];
    struct files *f = (void *)carrier;
    struct job *job;

    if (give->step != HANDOVER_STAGE && give->step != HANDOVER_COMMIT &&
        (give->step != HANDOVER_DISCARD || !f->documents))
        return false;
    *at_once = (struct carrier_result){.outcome = HANDOVER_NOT_SENT,
                                       .failure = FAILURE_HANDOVER_UNREACHABLE};
    job = one_thread_busy(f->thread) ? NULL : calloc(1, sizeof(*job));
    if (job == NULL)
        return true;
    job->files = f;
    job->disk = &f->disk;
    memcpy(job->fresh, f->fresh, sizeof(job->fresh));
    job->give = *give;
    if (give->step == HANDOVER_STAGE)
        *at_once = make(f, data, job, detail);
    if (give->step == HANDOVER_STAGE && at_once->outcome != HANDOVER_STAGED) {
        job_free(job);
        return true;
    }
    (void)one_thread_call(f->thread, job);
    at_once->outcome = HANDOVER_OUTCOME_COUNT; /* later */
    return true;
}

static void files_free(struct carrier **at)
{
    struct files *f = (void *)*at;

    if (f == NULL)
        return;
    *at = NULL;
    one_thread_free(&f->thread);
    codec_xml_free(&f->codec);
    free(f);
}

static int complain(const struct carrier_setup *setup, const char *key, const char *ja,
                    const char *en)
{
    (void)fprintf(stderr, "uketsuke-relay: [output %s] %s: %s / %s\n", setup->name, key, ja, en);
    return -EINVAL;
}

static int make_fresh(char out[HANDOVER_MARK_DIGITS + 1])
{
    uint8_t bytes[HANDOVER_MARK_DIGITS / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int open_files(struct carrier **out, const struct carrier_setup *setup)
{
    const char *folder = config_text(setup->config, CFG_output_FOLDER, setup->name);
    const char *work = config_text(setup->config, CFG_output_WORK_FOLDER, setup->name);
    struct files *f;

    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -ENOMEM;
    *out = (struct carrier *)f;
    f->setup = *setup;
    if ((size_t)snprintf(f->work, sizeof(f->work), "%s%s", work[0] != '\0' ? work : folder,
                         work[0] != '\0' ? "" : "/work") >= sizeof(f->work))
        return complain(setup, "work-folder", "長すぎます", "too long");
    /* Made for who has only the folder; what cannot be made is said by the first file. */
    if (mkdir(f->work, 0770) != 0 && errno != EEXIST)
        log_event(LOG_LEVEL_WARNING, "no work folder", LOG_ERRNO(-errno));
    f->disk.paths[FOLDER_WORK] = f->work;
    f->disk.paths[FOLDER_FACE] = folder;
    f->how = (struct handover_face){
        .encoding =
            (enum codec_xml_encoding)config_number(setup->config, CFG_output_ENCODING, setup->name),
        .raw = config_flag(setup->config, CFG_output_RAW, setup->name),
        .institution = config_text(setup->config, CFG_desk_INSTITUTION, NULL),
    };
    f->codec = codec_xml_new();
    f->paths[0] = (struct cage_path){.path = folder, .write = true, .optional = true};
    f->paths[1] = (struct cage_path){.path = f->work, .write = true, .optional = true};
    f->cage = (struct cage_spec){.calls = CAGE_THREADS | CAGE_FILES_READ | CAGE_FILES_WRITE |
                                          CAGE_DIRECTORY | CAGE_MOVES | CAGE_ACCEPT | CAGE_FD_PASS,
                                 .paths = f->paths,
                                 .npaths = 2};
    return f->codec != NULL ? make_fresh(f->fresh) : -ENOMEM;
}

static int open_documents(struct carrier **out, const struct carrier_setup *setup)
{
    int error = open_files(out, setup);

    if (*out != NULL)
        ((struct files *)*out)->documents = true;
    return error;
}

static int start_files(struct carrier *carrier)
{
    struct files *f = (void *)carrier;
    const struct one_thread_setup setup = {
        .loop = f->setup.loop,
        .clock = f->setup.clock,
        .limit_us =
            (uint64_t)config_number(f->setup.config, CFG_output_FOLDER_SECONDS, f->setup.name) *
            CLOCK_SECOND,
        .run = run,
        .ended = ended,
        .hangs = hangs,
        .drop = job_free,
        .arg = f,
    };

    return one_thread_new(&f->thread, &setup);
}

static const struct cage_spec *files_cage(const struct carrier *carrier)
{
    return &((const struct files *)(const void *)carrier)->cage;
}

static void files_state(struct carrier *carrier, struct carrier_state *out)
{
    const struct files *f = (const void *)carrier;

    *out = (struct carrier_state){.failure = f->failure};
}

const struct carrier_ops carrier_files = {
    .kind = OUTBOX_FACE_FILE,
    .open = open_files,
    .start = start_files,
    .give = give,
    .cage = files_cage,
    .state = files_state,
    .free = files_free,
};

const struct carrier_ops carrier_documents = {
    .kind = OUTBOX_DOCUMENT,
    .open = open_documents,
    .start = start_files,
    .give = give,
    .cage = files_cage,
    .state = files_state,
    .free = files_free,
};
