/*
 * uketsuke-web: the pages and the HTTP interface. It holds no database and no keys: it asks the desk by messages.
 *
 * Before the cage: configuration, tokens and pages are read. After it: accept on the socket from the supervisor,
 * connect to the desk's socket, nothing else; no file is opened any more.
 */
#include "desk_link.h"
#include "events.h"
#include "log.h"
#include "pages.h"
#include "server.h"
#include "service.h"
#include "session.h"
#include "web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct house {
    struct service service;
    struct session *session;
    struct pages *pages;
    struct web web;
};

static int complain(const char *ja, const char *en, const char *what, int error)
{
    (void)fprintf(stderr, "uketsuke-web: %s / %s: %s: %s\n", ja, en, what, strerror(-error));
    return error;
}

static int read_tokens(struct house *house)
{
    const struct config *config = house->service.config;
    const char *path = config_text(config, CFG_web_STAFF_TOKEN_FILE, NULL);
    const char *instance;
    int r;

    if (path[0] == '\0') {
        log_event(LOG_LEVEL_WARNING, "no staff token: the board is closed");
    } else {
        r = session_add_token_file(house->session, 0, path);
        if (r < 0)
            return complain("係の合言葉を読めません", "the staff token cannot be read", path, r);
    }
    for (size_t i = 0; (instance = config_instance(config, "lane", i)) != NULL; i++) {
        unsigned long lane = strtoul(instance, NULL, 10);

        path = config_text(config, CFG_lane_TOKEN_FILE, instance);
        if (lane == 0 || lane > SESSION_LANES_MAX)
            return complain("レーンの番号は1から64です", "lanes are numbered 1 to 64", instance, -ERANGE);
        if (path[0] == '\0') {
            log_event(LOG_LEVEL_WARNING, "no token: the kiosk of this lane is closed", LOG_NUMBER("lane", lane));
            continue;
        }
        r = session_add_token_file(house->session, (uint16_t)lane, path);
        if (r < 0)
            return complain("端末画面の合言葉を読めません", "the kiosk's token cannot be read", path, r);
    }
    return 0;
}

static void on_health(struct ipc *ipc, uint32_t request, void *arg)
{
    struct house *house = arg;
    size_t listeners = events_count(house->web.events, 0);
    char detail[200];

    for (uint16_t lane = 1; lane <= SESSION_LANES_MAX; lane++)
        listeners += events_count(house->web.events, lane);
    service_health_common(&house->service, ipc, request);
    (void)snprintf(detail, sizeof(detail), "%s: %zu connections, %zu pages listening, %llu requests refused",
                   house->web.guard.hosts[0], server_connections(house->web.server), listeners,
                   (unsigned long long)house->web.refused);
    service_health_item(ipc, request, 0, FAILURE_NONE, "web", detail, "");
    service_health_end(ipc, request);
}

static int start(struct house *house)
{
    static const struct cage_spec cage = {.calls = CAGE_ACCEPT | CAGE_UNIX | CAGE_FD_PASS};
    char desk[256];
    int listen_fd, r;

    r = session_new(&house->session, house->service.clock);
    if (r < 0)
        return complain("起動できません", "cannot start", "session", r);
    r = read_tokens(house);
    if (r < 0)
        return r;
    r = pages_load(&house->pages, config_text(house->service.config, CFG_web_PAGES, NULL));
    if (r < 0)
        return complain("画面のファイルを読めません", "the pages cannot be read",
                        config_text(house->service.config, CFG_web_PAGES, NULL), r);
    r = service_socket_path(&house->service, "desk", "", desk, sizeof(desk));
    if (r < 0)
        return complain("パスが長すぎます", "the path is too long", "run-directory", r);
    listen_fd = service_take_socket(&house->service, "web");
    if (listen_fd < 0)
        return complain("待ち受けソケット web が渡されていません(systemdか起動プログラムから起動します)",
                        "no listening socket `web` was passed in: start it by its supervisor", "LISTEN_FDS", -EBADF);
    tzset(); /* reads /etc/localtime while files can still be opened */
    house->web.health = on_health;
    house->web.health_arg = house;
    r = web_start(&house->web, house->service.loop, house->service.clock, house->session, house->pages, listen_fd, desk);
    if (r < 0)
        return complain("画面の待ち受けを始められません(ループバックのアドレスだけです)",
                        "cannot serve the pages (loopback addresses only)",
                        config_text(house->service.config, CFG_web_LISTEN, NULL), r);
    house->pages = NULL;
    return service_cage(&house->service, &cage);
}

int main(int argc, char **argv)
{
    struct house house;
    int status = 1;
    int r;

    memset(&house, 0, sizeof(house));
    r = service_start(&house.service, "uketsuke-web", argc, argv);
    if (r != 0)
        return r > 0 ? 0 : 1;
    if (start(&house) == 0)
        status = service_run(&house.service);
    web_stop(&house.web);
    pages_free(&house.pages);
    session_free(&house.session);
    service_stop(&house.service);
    return status;
}
