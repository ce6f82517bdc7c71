/* settings: what the configuration says, in the desk's own terms. */
#ifndef UKETSUKE_DESK_SETTINGS_H
#define UKETSUKE_DESK_SETTINGS_H

#include "desk.h"

#include <stdio.h>

struct config;

/* 0, or -EINVAL with the reason written to `errors`. */
int settings_read(const struct config *config, struct desk_settings *out, FILE *errors);
/* Every lane and upstream of the configuration. */
int settings_apply(const struct config *config, struct desk *desk, FILE *errors);

#endif
