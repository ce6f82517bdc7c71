#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL_FILE_MOST (256u << 20)
#define TEXT_MOST (64u << 10)

static const char *const role_names[MODEL_ROLES] = {"detector", "landmarks", "recogniser",
                                                    "liveness"};

const char *manifest_role_name(enum model_role role)
{
    return role < MODEL_ROLES ? role_names[role] : "?";
}

int model_channels(const struct model *model)
{
    return model->format.colour == WARP_GREY ? 1 : 3;
}

/* ---- the keys -------------------------------------------------------------------------------- */

enum key_type { KEY_TEXT, KEY_INT, KEY_FLOAT, KEY_WORD, KEY_IGNORED };

#define ROLE(r) (1u << MODEL_##r)
#define ROLE_ANY ((1u << MODEL_ROLES) - 1)

struct key {
    const char *name;
    enum key_type type;
    unsigned roles;
    size_t offset;
    double min, max;   /* numbers; for text the room there is */
    const char *words; /* of KEY_WORD, separated by '|': the value is the index */
};

#define AT(field) offsetof(struct model, field)

/* divide is stored as it stands and turned into a factor at the end; so are provenance and gate. */
static const struct key keys[] = {
    {"file", KEY_TEXT, ROLE_ANY, AT(file), 1, 127, NULL},
    {"sha256", KEY_TEXT, ROLE_ANY, AT(sha256), 64, 64, NULL},
    {"package", KEY_TEXT, ROLE_ANY, AT(package), 0, 127, NULL},
    {"member", KEY_IGNORED, ROLE_ANY, 0, 0, 0, NULL},  /* for fetch.sh */
    {"convert", KEY_IGNORED, ROLE_ANY, 0, 0, 0, NULL}, /* for fetch.sh */
    {"licence", KEY_TEXT, ROLE_ANY, AT(licence), 1, 127, NULL},
    {"provenance", KEY_WORD, ROLE_ANY, AT(provenance_known), 0, 0, "unknown|known"},
    {"origin", KEY_IGNORED, ROLE_ANY, 0, 0, 0, NULL}, /* for people */
    {"width", KEY_INT, ROLE_ANY, AT(width), 16, 1024, NULL},
    {"height", KEY_INT, ROLE_ANY, AT(height), 16, 1024, NULL},
    {"colour", KEY_WORD, ROLE_ANY, AT(format.colour), 0, 0, "bgr|rgb|grey"},
    {"mean", KEY_FLOAT, ROLE_ANY, AT(format.mean), 0, 255, NULL},
    {"divide", KEY_FLOAT, ROLE_ANY, AT(format.scale), 0.001, 1000, NULL},
    {"decoding", KEY_WORD, ROLE_ANY, AT(decoding), 0, 0,
     "ultraface|yunet|ibug68-unit|embedding|softmax"},
    {"score-threshold", KEY_FLOAT, ROLE(DETECTOR), AT(score_threshold), 0.01, 0.999, NULL},
    {"nms-threshold", KEY_FLOAT, ROLE(DETECTOR), AT(nms_threshold), 0.01, 0.999, NULL},
    {"alignment", KEY_WORD, ROLE(RECOGNISER), AT(alignment), 0, 0, "arcface|dlib"},
    {"dimensions", KEY_INT, ROLE(RECOGNISER), AT(dimensions), 16, 1024, NULL},
    {"threshold-1e-2", KEY_FLOAT, ROLE(RECOGNISER), AT(thresholds[FMR_1E2]), 0.01, 0.999, NULL},
    {"threshold-1e-3", KEY_FLOAT, ROLE(RECOGNISER), AT(thresholds[FMR_1E3]), 0.01, 0.999, NULL},
    {"threshold-1e-4", KEY_FLOAT, ROLE(RECOGNISER), AT(thresholds[FMR_1E4]), 0.01, 0.999, NULL},
    {"threshold-1e-5", KEY_FLOAT, ROLE(RECOGNISER), AT(thresholds[FMR_1E5]), 0.01, 0.999, NULL},
    {"frame-noise", KEY_FLOAT, ROLE(RECOGNISER), AT(noise), 0.001, 0.5, NULL},
    {"threshold-from", KEY_IGNORED, ROLE(RECOGNISER), 0, 0, 0, NULL}, /* for people */
    {"live-class", KEY_INT, ROLE(LIVENESS), AT(live_class), 0, 15, NULL},
    {"crop", KEY_FLOAT, ROLE(LIVENESS), AT(crop), 0.5, 8, NULL},
    {"pass", KEY_FLOAT, ROLE(LIVENESS), AT(pass), 0, 1, NULL},
    {"fail", KEY_FLOAT, ROLE(LIVENESS), AT(fail), 0, 1, NULL},
    {"gate", KEY_WORD, ROLE(LIVENESS), AT(gate), 0, 0, "no|yes"},
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static const unsigned decoding_roles[] = {
    [DECODING_ULTRAFACE] = ROLE(DETECTOR),    [DECODING_YUNET] = ROLE(DETECTOR),
    [DECODING_IBUG68_UNIT] = ROLE(LANDMARKS), [DECODING_EMBEDDING] = ROLE(RECOGNISER),
    [DECODING_SOFTMAX] = ROLE(LIVENESS),
};

struct parse {
    struct manifest *manifest;
    uint64_t seen[MODEL_ROLES];
    char *why;
};

static int refuse(struct parse *p, const char *section, const char *name, const char *what)
{
    if (p->why[0] == '\0')
        snprintf(p->why, MANIFEST_WHY, "[%.40s] %.40s: %s", section, name, what);
    return 0;
}

static bool word_index(const char *words, const char *value, int *out)
{
    const size_t len = strlen(value);
    int i = 0;

    for (const char *at = words; len > 0; i++) {
        const size_t n = strcspn(at, "|");

        if (n == len && memcmp(at, value, n) == 0) {
            *out = i;
            return true;
        }
        if (at[n] == '\0')
            break;
        at += n + 1;
    }
    return false;
}

static int store_word(struct parse *p, const struct key *key, struct model *model,
                      const char *section, const char *value)
{
    int i;

    if (!word_index(key->words, value, &i))
        return refuse(p, section, key->name, key->words);
    if (key->offset == AT(provenance_known))
        model->provenance_known = i != 0;
    else if (key->offset == AT(gate))
        model->gate = i != 0;
    else if (key->offset == AT(alignment))
        model->alignment = (enum model_alignment)i;
    else if (key->offset == AT(format.colour))
        model->format.colour = (enum warp_colour)i;
    else
        model->decoding = (enum model_decoding)i;
    return 1;
}

static int store(struct parse *p, const struct key *key, struct model *model, const char *section,
                 const char *value)
{
    char *field = (char *)model + key->offset, *end;
    const size_t len = strlen(value);
    double number;

    switch (key->type) {
    case KEY_IGNORED:
        return 1;
    case KEY_WORD:
        return store_word(p, key, model, section, value);
    case KEY_TEXT:
        if (len < (size_t)key->min || len > (size_t)key->max)
            return refuse(p, section, key->name, "wrong length");
        memcpy(field, value, len + 1);
        return 1;
    case KEY_INT:
    case KEY_FLOAT:
        errno = 0;
        number = strtod(value, &end);
        if (len == 0 || *end != '\0' || errno != 0 || !(number >= key->min && number <= key->max) ||
            (key->type == KEY_INT && number != floor(number)))
            return refuse(p, section, key->name, "not a number within its range");
        if (key->type == KEY_INT)
            *(int *)(void *)field = (int)number;
        else
            *(float *)(void *)field = (float)number;
        return 1;
    }
    return 0;
}

static int take_set(struct parse *p, const char *name, const char *value)
{
    const size_t len = strlen(value);

    if (strcmp(name, "kind") == 0)
        return 1;
    if (strcmp(name, "name") != 0)
        return refuse(p, "set", name, "unknown key");
    if (len == 0 || len >= sizeof(p->manifest->name))
        return refuse(p, "set", name, "wrong length");
    memcpy(p->manifest->name, value, len + 1);
    return 1;
}

static int take_line(void *arg, const char *section, const char *name, const char *value)
{
    struct parse *p = arg;

    if (strcmp(section, "set") == 0)
        return take_set(p, name, value);
    if (strncmp(section, "package ", 8) == 0)
        return 1; /* for fetch.sh */
    for (unsigned role = 0; role < MODEL_ROLES; role++) {
        if (strcmp(section, role_names[role]) != 0)
            continue;
        for (size_t i = 0; i < NKEYS; i++) {
            if (strcmp(name, keys[i].name) != 0 || (keys[i].roles & (1u << role)) == 0)
                continue;
            if ((p->seen[role] & (UINT64_C(1) << i)) != 0)
                return refuse(p, section, name, "given twice");
            p->seen[role] |= UINT64_C(1) << i;
            return store(p, &keys[i], &p->manifest->models[role], section, value);
        }
        return refuse(p, section, name, "unknown key");
    }
    return refuse(p, section, name, "unknown section");
}

/* What no single line can show. */
static bool whole_is_sound(struct parse *p)
{
    if (p->manifest->name[0] == '\0')
        return refuse(p, "set", "name", "missing"), false;
    for (unsigned role = 0; role < MODEL_ROLES; role++) {
        struct model *model = &p->manifest->models[role];

        for (size_t i = 0; i < NKEYS; i++)
            if ((keys[i].roles & (1u << role)) != 0 && (p->seen[role] & (UINT64_C(1) << i)) == 0 &&
                keys[i].type != KEY_IGNORED && keys[i].offset != AT(alignment) &&
                keys[i].offset != AT(noise))
                return refuse(p, role_names[role], keys[i].name, "missing"), false;
        if ((decoding_roles[model->decoding] & (1u << role)) == 0)
            return refuse(p, role_names[role], "decoding", "is for another role"), false;
        if (strchr(model->file, '/') != NULL)
            return refuse(p, role_names[role], "file", "stands beside the manifest: no directory"),
                   false;
        if (strspn(model->sha256, "0123456789abcdef") != 64)
            return refuse(p, role_names[role], "sha256", "64 small hexadecimal digits"), false;
        model->format.scale = 1 / model->format.scale;
    }
    for (int i = 1; i < FMR_COUNT; i++)
        if (!(p->manifest->models[MODEL_RECOGNISER].thresholds[i] >
              p->manifest->models[MODEL_RECOGNISER].thresholds[i - 1]))
            return refuse(p, "recogniser", "threshold", "a smaller rate needs a larger threshold"),
                   false;
    if (p->manifest->models[MODEL_LIVENESS].fail > p->manifest->models[MODEL_LIVENESS].pass)
        return refuse(p, "liveness", "fail", "must not be above pass"), false;
    return true;
}

int manifest_parse(struct manifest *out, const char *text, char *why)
{
    char reason[MANIFEST_WHY] = "";
    struct parse p = {.manifest = out, .why = reason};
    int line;

    memset(out, 0, sizeof(*out));
    why[0] = '\0';
    line = ini_parse_string(text, take_line, &p);
    if (line == 0 && whole_is_sound(&p))
        return 0;
    snprintf(why, MANIFEST_WHY,
             "モデルの目録 %s の%d行目に誤りがあります / " MANIFEST_FILE
             " line %d is wrong: %.300s",
             MANIFEST_FILE, line, line, reason[0] != '\0' ? reason : "not 'key = value'");
    return -EINVAL;
}

/* ---- the files ------------------------------------------------------------------------------- */

static int read_whole(int directory, const char *name, size_t most, uint8_t **out, size_t *len)
{
    uint8_t *data = NULL;
    struct stat st;
    size_t at = 0;
    int fd, r;

    fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        r = -errno;
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > most) {
        r = -EBADMSG;
        goto out;
    }
    data = malloc((size_t)st.st_size + 1);
    if (data == NULL) {
        r = -ENOMEM;
        goto out;
    }
    while (at < (size_t)st.st_size) {
        ssize_t n = read(fd, data + at, (size_t)st.st_size - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : -EBADMSG;
            goto out;
        }
        at += (size_t)n;
    }
    data[at] = '\0';
    *out = data;
    *len = at;
    data = NULL;
    r = 0;
out:
    free(data);
    close(fd);
    return r;
}

static int sha256_hex(const uint8_t *data, size_t len, char out[65])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;

    if (EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL) != 1 || n != 32)
        return -EIO;
    for (unsigned i = 0; i < n; i++)
        snprintf(out + (size_t)2 * i, 3, "%02x", digest[i]);
    return 0;
}

static int load_file(int directory, const char *directory_name, struct model *model, char *why)
{
    char found[65];
    int r;

    r = read_whole(directory, model->file, MODEL_FILE_MOST, &model->data, &model->len);
    if (r < 0) {
        snprintf(why, MANIFEST_WHY,
                 "モデル %.120s/%s を読めません(%s)。models/fetch.sh %.120s で取得してください / "
                 "cannot read the model: "
                 "fetch it with models/fetch.sh",
                 directory_name, model->file, strerror(-r), directory_name);
        return r;
    }
    r = sha256_hex(model->data, model->len, found);
    if (r < 0)
        return r;
    if (strcmp(found, model->sha256) != 0) {
        snprintf(why, MANIFEST_WHY,
                 "モデル %.120s/%s は目録のものと違います(SHA-256 %.12s…、目録 "
                 "%.12s…)。models/fetch.sh %.120s で取り直してください / "
                 "the model is not the one the manifest names: fetch it again with models/fetch.sh",
                 directory_name, model->file, found, model->sha256, directory_name);
        return -EBADMSG;
    }
    return 0;
}

int manifest_load(struct manifest **out, const char *directory, char *why)
{
    struct manifest *manifest = NULL;
    uint8_t *text = NULL;
    size_t len;
    int fd, r;

    *out = NULL;
    why[0] = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -errno : read_whole(fd, MANIFEST_FILE, TEXT_MOST, &text, &len);
    if (r < 0) {
        snprintf(why, MANIFEST_WHY,
                 "モデルの目録 %.200s/" MANIFEST_FILE
                 " を読めません(%s)。models/fetch.sh %.200s で取得してください / "
                 "cannot read the model manifest: fetch the models with models/fetch.sh",
                 directory, strerror(-r), directory);
        goto out;
    }
    manifest = calloc(1, sizeof(*manifest));
    if (manifest == NULL) {
        r = -ENOMEM;
        goto out;
    }
    r = manifest_parse(manifest, (const char *)text, why);
    for (int role = 0; role < MODEL_ROLES && r == 0; role++)
        r = load_file(fd, directory, &manifest->models[role], why);
    if (r < 0)
        goto out;
    *out = manifest;
    manifest = NULL;
out:
    manifest_free(&manifest);
    free(text);
    if (fd >= 0)
        close(fd);
    return r;
}

void manifest_drop_files(struct manifest *manifest)
{
    for (int role = 0; role < MODEL_ROLES; role++) {
        free(manifest->models[role].data);
        manifest->models[role].data = NULL;
        manifest->models[role].len = 0;
    }
}

void manifest_free(struct manifest **manifest)
{
    if (*manifest == NULL)
        return;
    manifest_drop_files(*manifest);
    free(*manifest);
    *manifest = NULL;
}
