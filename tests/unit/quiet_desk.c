#include "quiet_desk.h"

#include "daemon/common/log.h"

static int to_nobody(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    (void)arg;
    (void)peer;
    (void)index;
    (void)type;
    (void)body;
    (void)fds;
    (void)nfds;
    return 0;
}

static void no_lane(void *arg, const struct msg_lane_state *state)
{
    (void)arg;
    (void)state;
}

static void no_visit(void *arg, const struct msg_visit_item *item)
{
    (void)arg;
    (void)item;
}

static void no_preview(void *arg, const struct msg_lane_preview *preview, int fd)
{
    (void)arg;
    (void)preview;
    (void)fd;
}

static void no_slip(void *arg, const struct msg_slip_item *item)
{
    (void)arg;
    (void)item;
}

static void no_disaster(void *arg, const struct msg_disaster_state *state)
{
    (void)arg;
    (void)state;
}

static void no_precheck(void *arg, void *asker, const struct msg_prechecked *prechecked)
{
    (void)arg;
    (void)asker;
    (void)prechecked;
}

struct desk_ports quiet_ports(int (*send)(void *arg, enum desk_peer peer, unsigned index,
                                          uint16_t type, const void *body, const int *fds,
                                          unsigned nfds),
                              void *arg)
{
    return (struct desk_ports){.arg = arg,
                               .send = send != NULL ? send : to_nobody,
                               .lane_changed = no_lane,
                               .visit_changed = no_visit,
                               .preview = no_preview,
                               .slip_changed = no_slip,
                               .disaster_changed = no_disaster,
                               .prechecked = no_precheck};
}

static void nowhere(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

void quiet_log(void)
{
    log_capture(nowhere, NULL);
}
