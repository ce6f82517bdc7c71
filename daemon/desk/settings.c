#include "settings.h"

#include "outbox.h"

#include "../common/config.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bit;
} consents[] = {
    {"limit", CONSENT_LIMIT},         {"drugs", CONSENT_DRUGS},
    {"checkup", CONSENT_CHECKUP},     {"diagnosis", CONSENT_DIAGNOSIS},
    {"operation", CONSENT_OPERATION}, {"disease", CONSENT_DISEASE},
};

static uint32_t consent_of(const char *word)
{
    for (size_t i = 0; i < sizeof(consents) / sizeof(consents[0]); i++)
        if (strcmp(consents[i].name, word) == 0)
            return consents[i].bit;
    return 0;
}

/* Blank-separated words, each a bit by `of`. -EINVAL when one is unknown. */
static int read_words(const char *text, uint32_t (*of)(const char *), uint32_t *out,
                      const char *key, FILE *errors)
{
    *out = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        char word[40];

        if (len >= sizeof(word)) {
            fprintf(errors, "%s: %.60s: 長すぎます / too long\n", key, text);
            return -EINVAL;
        }
        memcpy(word, text, len);
        word[len] = '\0';
        if (len > 0 && of(word) == 0) {
            fprintf(errors, "%s: %s: 不明な語です / no such word\n", key, word);
            return -EINVAL;
        }
        *out |= len > 0 ? of(word) : 0;
        text += len;
        text += strspn(text, " ");
    }
    return 0;
}

int settings_read(const struct config *config, struct desk_settings *out, FILE *errors)
{
    const char *institution = config_text(config, CFG_desk_INSTITUTION, NULL);

    memset(out, 0, sizeof(*out));
    if (strlen(institution) != 10 || strspn(institution, "0123456789") != 10) {
        fprintf(errors,
                "[desk] institution: 医療機関コードは数字10桁です / ten digits are needed\n");
        return -EINVAL;
    }
    (void)MESSAGE_TEXT(out->institution, institution);
    out->institution_kind = (uint8_t)config_number(config, CFG_desk_INSTITUTION_KIND, NULL);
    out->genuineness = (enum genuineness_policy)config_number(config, CFG_desk_GENUINENESS, NULL);
    out->clock_watched = config_number(config, CFG_desk_CLOCK_SOURCE, NULL) == 0;
    out->clock_refused = config_number(config, CFG_desk_CLOCK_WRONG, NULL) == 1;
    out->again_us = (uint64_t)config_number(config, CFG_desk_AGAIN_SECONDS, NULL) * CLOCK_SECOND;
    out->negative_us =
        (uint64_t)config_number(config, CFG_desk_NEGATIVE_SECONDS, NULL) * CLOCK_SECOND;
    out->precheck_days = (unsigned)config_number(config, CFG_desk_PRECHECK_DAYS, NULL);
    out->subsidy_off = config_number(config, CFG_desk_SUBSIDY, NULL) == 1;
    (void)MESSAGE_TEXT(out->subsidy_element, config_text(config, CFG_desk_SUBSIDY_ELEMENT, NULL));
    out->pin_tries = (unsigned)config_number(config, CFG_desk_PIN_TRIES, NULL);
    for (unsigned state = 0; state < VISIT_STATE_COUNT; state++) {
        struct table_limit limit = table_limit(state);
        uint64_t seconds = limit.seconds;

        if (limit.config_key >= 0)
            seconds = (uint64_t)config_number(config, (enum config_key)limit.config_key, NULL);
        out->limit_us[state] = limit.config_key == -2 ? CLOCK_NEVER : seconds * CLOCK_SECOND;
    }
    return read_words(config_text(config, CFG_desk_CONSENTS, NULL), consent_of, &out->consents,
                      "[desk] consents", errors);
}

static int apply_upstream(const struct config *config, struct desk *desk, const char *name,
                          FILE *errors)
{
    uint32_t capabilities;
    int r = read_words(config_text(config, CFG_upstream_CAPABILITIES, name), upstream_capability_of,
                       &capabilities, "[upstream] capabilities", errors);

    return r < 0 ? r : desk_add_upstream(desk, name, capabilities);
}

static int apply_lane(const struct config *config, struct desk *desk, const char *name,
                      FILE *errors)
{
    const char *upstream = config_text(config, CFG_lane_UPSTREAM, name);
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    int index = -1, r;

    if (*end != '\0' || number < 1 || number > DESK_LANES_MAX) {
        fprintf(errors, "[lane %s]: レーンは1から%dの番号です / lanes are numbered 1 to %d\n", name,
                DESK_LANES_MAX, DESK_LANES_MAX);
        return -EINVAL;
    }
    for (unsigned i = 0; i < desk->nupstreams; i++)
        if (strcmp(desk->upstreams[i].name, upstream) == 0)
            index = (int)i;
    if (index < 0) {
        fprintf(errors,
                "[lane %s] upstream: [upstream %s] がありません / there is no such section\n", name,
                upstream);
        return -EINVAL;
    }
    r = desk_add_lane(desk, (uint16_t)number, config_text(config, CFG_lane_LABEL, name),
                      (unsigned)index);
    if (r < 0)
        fprintf(errors, "[lane %s]: レーンを作れません / the lane cannot be made (%s)\n", name,
                strerror(-r));
    return r;
}

#define ATTEMPT_SLOW 4 /* a file is handed over in several operations, each as slow as it may be */

static int apply_output(const struct config *config, struct desk *desk, const char *name,
                        FILE *errors)
{
    static const uint8_t kinds[] = {OUTBOX_FACE_FILE, OUTBOX_HOOK, OUTBOX_ORCA, OUTBOX_DOCUMENT};
    struct outbox_output output = {
        .kind = kinds[config_number(config, CFG_output_KIND, name)],
        .details = config_number(config, CFG_output_DETAILS, name) == 1,
        .months = (unsigned)config_number(config, CFG_output_MONTHS, name),
        .give_up_us = (uint64_t)config_number(config, CFG_output_GIVE_UP_HOURS, name) * CLOCK_HOUR,
    };
    int r;

    output.seconds_us =
        outbox_delivery(output.kind) == OUTBOX_EXACTLY
            ? (uint64_t)config_number(config, CFG_output_FOLDER_SECONDS, name) * CLOCK_SECOND *
                  ATTEMPT_SLOW
            : (uint64_t)config_number(config, CFG_output_SECONDS, name) * CLOCK_SECOND;
    for (unsigned i = 0; i < desk->nupstreams; i++)
        if (strcmp(desk->upstreams[i].name, name) == 0) {
            fprintf(errors,
                    "[output %s]: 同じ名前の [upstream] があります / an upstream has that name\n",
                    name);
            return -EEXIST;
        }
    r = MESSAGE_TEXT(output.name, name);
    if (r == 0)
        r = outbox_add_output(desk, &output);
    if (r < 0)
        fprintf(errors, "[output %s]: 渡し先を作れません / the output cannot be made (%s)\n", name,
                strerror(-r));
    return r;
}

/* "documents=web reference_number=terminal" */
static int apply_routes(const struct config *config, struct desk *desk, FILE *errors)
{
    char text[201], *at = text, *word;
    int r = 0;

    (void)snprintf(text, sizeof(text), "%s", config_text(config, CFG_desk_ROUTES, NULL));
    while (r == 0 && (word = strsep(&at, " ")) != NULL) {
        char *name = strchr(word, '=');
        unsigned i = 0;

        if (word[0] == '\0')
            continue;
        if (name != NULL)
            *name++ = '\0';
        while (name != NULL && i < desk->nupstreams && strcmp(desk->upstreams[i].name, name) != 0)
            i++;
        r = name != NULL ? desk_add_route(desk, upstream_capability_of(word), i) : -EINVAL;
        if (r < 0)
            fprintf(errors,
                    "[desk] routes: %.60s: 機能=照会先 の形で、機能は一度だけ書けます (by_numbers "
                    "reference_number documents) / must be CAPABILITY=UPSTREAM, each capability "
                    "once\n",
                    word);
    }
    return r;
}

int settings_apply(const struct config *config, struct desk *desk, FILE *errors)
{
    const char *name;
    int r = 0;

    for (size_t i = 0; r >= 0 && (name = config_instance(config, "upstream", i)) != NULL; i++)
        r = apply_upstream(config, desk, name, errors);
    if (r >= 0)
        r = apply_routes(config, desk, errors);
    for (size_t i = 0; r >= 0 && (name = config_instance(config, "lane", i)) != NULL; i++)
        r = apply_lane(config, desk, name, errors);
    for (size_t i = 0; r >= 0 && (name = config_instance(config, "output", i)) != NULL; i++)
        r = apply_output(config, desk, name, errors);
    outbox_references(desk, config_flag(config, CFG_desk_REGISTER_REFERENCES, NULL),
                      (unsigned)config_number(config, CFG_desk_REFERENCE_BULK, NULL));
    if (r >= 0 && (desk->nlanes == 0 || desk->nupstreams == 0)) {
        fprintf(errors, "[lane 1] と [upstream main] が要ります / both sections are needed\n");
        r = -EINVAL;
    }
    return r < 0 ? r : 0;
}
