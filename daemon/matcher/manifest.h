/*
 * manifest: the model set as data (models/manifest.ini): which file plays which role, its checksum, how it is
 * fed and read, and its thresholds. A model is exchanged by editing the manifest, not the program.
 *
 * Every refusal is one text for the user, Japanese first, that names the file, what is wrong and what to do.
 */
#ifndef UKETSUKE_MANIFEST_H
#define UKETSUKE_MANIFEST_H

#include "warp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_FILE "manifest.ini"
#define MANIFEST_WHY 600 /* room for a refusal, with its NUL */

enum model_role { MODEL_DETECTOR, MODEL_LANDMARKS, MODEL_RECOGNISER, MODEL_LIVENESS, MODEL_ROLES };

/* How the output of a net is read. Each belongs to one role. */
enum model_decoding {
    DECODING_ULTRAFACE,
    DECODING_YUNET,
    DECODING_IBUG68_UNIT,
    DECODING_EMBEDDING,
    DECODING_SOFTMAX,
};

/* Where a recogniser was taught to find the face's points: on the template of the ArcFace family, or
 * as in dlib's chips of 150 x 150, a quarter of the face's size of room around it. */
enum model_alignment { ALIGN_ARCFACE, ALIGN_DLIB };

/* False match rates that have a threshold of their own, in the order of [matcher] false-match-rate. */
enum model_fmr { FMR_1E2, FMR_1E3, FMR_1E4, FMR_1E5, FMR_COUNT };

struct model {
    char file[128];
    char sha256[65];
    char package[128];
    char licence[128];
    bool provenance_known;
    int width, height;
    struct warp_format format; /* colour, mean, 1 / divide */
    enum model_decoding decoding;
    /* detector */
    float score_threshold, nms_threshold;
    /* recogniser */
    enum model_alignment alignment;
    int dimensions;
    float thresholds[FMR_COUNT];
    float noise; /* of the score of one frame (decision.h); 0: not said */
    /* liveness */
    int live_class;
    float crop, pass, fail;
    bool gate;
    /* the file, once loaded */
    uint8_t *data;
    size_t len;
};

struct manifest {
    char name[64];
    struct model models[MODEL_ROLES];
};

/* "detector", "landmarks"... */
const char *manifest_role_name(enum model_role role);
/* Planes of the input. */
int model_channels(const struct model *model);

/*
 * Read `directory`/manifest.ini, then each file beside it, and compare its SHA-256. 0, or negative errno with
 * the refusal in `why` (MANIFEST_WHY bytes): -ENOENT a file is missing, -EINVAL the manifest is wrong, -EBADMSG
 * a file is not the one meant.
 */
int manifest_load(struct manifest **out, const char *directory, char *why);
/* Only the text, no files: what manifest_load() does first. For tests and for tools. */
int manifest_parse(struct manifest *out, const char *text, char *why);
/* Give back the files' bytes (the nets have their own copy by then). */
void manifest_drop_files(struct manifest *manifest);
/* Accepts and stores NULL. */
void manifest_free(struct manifest **manifest);

#endif
