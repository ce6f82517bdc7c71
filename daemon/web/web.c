#include "web.h"

#include "clock.h"
#include "desk_link.h"
#include "events.h"
#include "json_view.h"
#include "pages.h"
#include "password.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct server_handlers handlers = {.head = route_head, .complete = route_complete};

int web_start(struct web *web, struct sd_event *loop, struct clock *clock, struct session *session,
              struct pages *pages, int listen_fd, const char *desk_path)
{
    json_t *failures = NULL;
    int r;

    web->clock = clock;
    web->session = session;
    r = guard_init(&web->guard, listen_fd);
    if (r < 0)
        goto fail;
    failures = json_pack("{s:o}", "failures", json_failures());
    web->failures = failures != NULL ? json_dumps(failures, JSON_COMPACT) : NULL;
    json_decref(failures);
    r = -ENOMEM;
    if (web->failures == NULL)
        goto fail;
    web->failures_len = strlen(web->failures);
    r = events_new(&web->events, clock);
    if (r < 0)
        goto fail;
    r = desk_link_new(&web->desk, loop, clock, desk_path, &live_events, web);
    if (r < 0)
        goto fail;
    web->look = timer_new(clock, live_look, web);
    r = web->look != NULL ? timer_set_after(web->look, LIVE_LOOK_US) : -ENOMEM;
    if (r < 0)
        goto fail;
    r = server_new(&web->server, loop, clock, listen_fd, &handlers, web);
    listen_fd = -1;
    if (r < 0)
        goto fail;
    web->pages = pages;
    return 0;
fail:
    if (listen_fd >= 0)
        (void)close(listen_fd);
    web_stop(web);
    return r;
}

/* In the reverse order; the server first, because every waiting request hangs on the rest. */
void web_stop(struct web *web)
{
    server_free(&web->server);
    timer_free(&web->look);
    passwords_free(&web->passwords);
    desk_link_free(&web->desk);
    events_free(&web->events);
    pages_free(&web->pages);
    free(web->failures);
    web->failures = NULL;
}
