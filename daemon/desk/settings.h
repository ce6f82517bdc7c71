/* settings: what the configuration says, in the desk's own terms. */
#ifndef UKETSUKE_DESK_SETTINGS_H
#define UKETSUKE_DESK_SETTINGS_H

#include "desk.h"

#include <stdio.h>

struct config;

/* Both of a configuration that has what the desk needs: config_missing(FOR_DESK) found nothing. */
void settings_read(const struct config *config, struct desk_settings *out);
/* Every lane, upstream and output of it; negative errno with the reason written to `errors`. */
int settings_apply(const struct config *config, struct desk *desk, FILE *errors);

#endif
