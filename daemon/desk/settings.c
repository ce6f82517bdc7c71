#include "settings.h"

#include "outbox.h"

#include "../common/config_meaning.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void settings_read(const struct config *config, struct desk_settings *out)
{
    memset(out, 0, sizeof(*out));
    (void)MESSAGE_TEXT(out->institution, config_text(config, CFG_desk_INSTITUTION, NULL));
    out->institution_kind = (uint8_t)config_number(config, CFG_desk_INSTITUTION_KIND, NULL);
    out->genuineness = (enum genuineness_policy)config_number(config, CFG_desk_GENUINENESS, NULL);
    out->clock_watched = config_number(config, CFG_desk_CLOCK_SOURCE, NULL) == 0;
    out->clock_refused = config_number(config, CFG_desk_CLOCK_WRONG, NULL) == 1;
    out->again_us = (uint64_t)config_number(config, CFG_desk_AGAIN_SECONDS, NULL) * CLOCK_SECOND;
    out->negative_us =
        (uint64_t)config_number(config, CFG_desk_NEGATIVE_SECONDS, NULL) * CLOCK_SECOND;
    out->precheck_bulk = (unsigned)config_number(config, CFG_desk_PRECHECK_BULK, NULL);
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
    out->consents = config_bits(config, CFG_desk_CONSENTS, NULL);
}

/* nupstreams when there is none of that name. */
static unsigned find_upstream(const struct desk *desk, const char *name)
{
    unsigned i = 0;

    while (i < desk->nupstreams && strcmp(desk->upstreams[i].name, name) != 0)
        i++;
    return i;
}

static int apply_lane(const struct config *config, struct desk *desk, const char *name,
                      FILE *errors)
{
    const char *upstream = config_text(config, CFG_lane_UPSTREAM, name);
    int r = desk_add_lane(desk, (uint16_t)strtoul(name, NULL, 10),
                          config_text(config, CFG_lane_LABEL, name), find_upstream(desk, upstream));

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
    r = MESSAGE_TEXT(output.name, name);
    if (r == 0)
        r = outbox_add_output(desk, &output);
    if (r < 0)
        fprintf(errors, "[output %s]: 渡し先を作れません / the output cannot be made (%s)\n", name,
                strerror(-r));
    return r;
}

static int apply_routes(const struct config *config, struct desk *desk, FILE *errors)
{
    const char *text = config_text(config, CFG_desk_ROUTES, NULL);
    struct config_route route;
    int r = 0;

    while (r == 0 && config_next_route(&text, &route)) {
        r = desk_add_route(desk, route.capability, find_upstream(desk, route.upstream));
        if (r < 0)
            fprintf(errors, "[desk] routes: %s: %s\n", route.word, strerror(-r));
    }
    return r;
}

int settings_apply(const struct config *config, struct desk *desk, FILE *errors)
{
    const char *name;
    int r = 0;

    for (size_t i = 0; r >= 0 && (name = config_instance(config, "upstream", i)) != NULL; i++)
        r = desk_add_upstream(desk, name, config_bits(config, CFG_upstream_CAPABILITIES, name));
    if (r >= 0)
        r = apply_routes(config, desk, errors);
    for (size_t i = 0; r >= 0 && (name = config_instance(config, "lane", i)) != NULL; i++)
        r = apply_lane(config, desk, name, errors);
    for (size_t i = 0; r >= 0 && (name = config_instance(config, "output", i)) != NULL; i++)
        r = apply_output(config, desk, name, errors);
    outbox_references(desk, config_flag(config, CFG_desk_REGISTER_REFERENCES, NULL),
                      (unsigned)config_number(config, CFG_desk_REFERENCE_BULK, NULL));
    return r < 0 ? r : 0;
}
