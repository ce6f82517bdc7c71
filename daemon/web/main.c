/*
 * uketsuke-web: the pages and the HTTP interface. It holds no database and no keys: it asks the
 * desk by messages.
 *
 * Before the cage: configuration, tokens and pages are read. After it: accept on the socket from
 * the supervisor, connect to the desk's socket, nothing else; no file is opened any more.
 */
#include "desk_link.h"
#include "events.h"
#include "log.h"
#include "memory.h"
#include "pages.h"
#include "password.h"
#include "secret.h"
#include "server.h"
#include "service.h"
#include "session.h"
#include "voice.h"
#include "web.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct house {
    struct service service;
    struct session *session;
    struct pages *pages;
    struct voice *voice;
    struct web web;
};

static int complain(const char *ja, const char *en, const char *what, int error)
{
    (void)fprintf(stderr, "uketsuke-web: %s / %s: %s: %s\n", ja, en, what, strerror(-error));
    return error;
}

/* From the supervisor's credential: its first line, without blanks around it, as in a file.
 * -ENOENT: there is none. */
static int add_token_credential(struct house *house, uint16_t lane, const char *name)
{
    struct secret secret = {0};
    size_t start = 0, len = 0;
    int r = service_credential(name, &secret, SESSION_TOKEN_MAX + 64);

    if (r < 0)
        return r;
    while (start < secret.len && strchr(" \t", secret.data[start]) != NULL)
        start++;
    while (start + len < secret.len && strchr("\r\n", secret.data[start + len]) == NULL)
        len++;
    while (len > 0 && strchr(" \t", secret.data[start + len - 1]) != NULL)
        len--;
    r = session_add_token(house->session, lane, (const char *)secret.data + start, len);
    secret_free(&secret);
    return r;
}

/* From the file of the configuration, else the credential. */
static int add_token(struct house *house, uint16_t lane, const char *path, const char *credential)
{
    return path[0] != '\0' ? session_add_token_file(house->session, lane, path)
                           : add_token_credential(house, lane, credential);
}

static int read_tokens(struct house *house)
{
    const struct config *config = house->service.config;
    const char *path = config_text(config, CFG_web_STAFF_TOKEN_FILE, NULL);
    const char *instance;
    char credential[64];
    enum { AUTO, ACCOUNTS, TOKEN };
    int64_t sign_in = config_number(config, CFG_web_SIGN_IN, NULL);
    int r = sign_in == ACCOUNTS ? -ENOENT : add_token(house, 0, path, "token_staff");

    if (r == -ENOENT && (path[0] == '\0' || sign_in == ACCOUNTS) && sign_in != TOKEN) {
        r = session_use_accounts(house->session,
                                 60 * (unsigned)config_number(config, CFG_web_IDLE_MINUTES, NULL));
        if (r < 0)
            return complain("起動できません", "cannot start", "accounts", r);
    } else if (r == -ENOENT && path[0] == '\0')
        log_event(LOG_LEVEL_WARNING, "no staff token: the board is closed");
    else if (r < 0)
        return complain("係の合言葉を読めません", "the staff token cannot be read",
                        path[0] != '\0' ? path : "token_staff", r);
    for (size_t i = 0; (instance = config_instance(config, "lane", i)) != NULL; i++) {
        unsigned long lane = strtoul(instance, NULL, 10);

        path = config_text(config, CFG_lane_TOKEN_FILE, instance);
        if (lane == 0 || lane > SESSION_LANES_MAX)
            return complain("レーンの番号は1から64です", "lanes are numbered 1 to 64", instance,
                            -ERANGE);
        (void)snprintf(credential, sizeof(credential), "token_lane-%lu", lane);
        r = add_token(house, (uint16_t)lane, path, credential);
        if (r == -ENOENT && path[0] == '\0')
            log_event(LOG_LEVEL_WARNING, "no token: the kiosk of this lane is closed",
                      LOG_NUMBER("lane", lane));
        else if (r < 0)
            return complain("端末画面の合言葉を読めません", "the kiosk's token cannot be read",
                            path[0] != '\0' ? path : credential, r);
    }
    return 0;
}

/* How each kiosk is set up. The recordings are read only where some lane may speak. */
static int read_manners(struct house *house)
{
    const struct config *config = house->service.config;
    const char *made = config_text(config, CFG_web_VOICE, NULL);
    const char *instance;
    bool spoken = false;
    int r;

    for (size_t i = 0; (instance = config_instance(config, "lane", i)) != NULL; i++) {
        unsigned long lane = strtoul(instance, NULL, 10); /* read_tokens has checked it */
        struct lane_manner *manner = &house->web.manners[lane];
        const char *voice = config_text(config, CFG_lane_VOICE, instance);

        manner->shuffled = strcmp(config_text(config, CFG_lane_KEYPAD, instance), "shuffled") == 0;
        if (strcmp(voice, "on") == 0)
            manner->voice = LANE_VOICE_ON;
        else if (strcmp(voice, "request") == 0)
            manner->voice = LANE_VOICE_REQUEST;
        spoken = spoken || manner->voice != LANE_VOICE_OFF;
    }
    if (!spoken)
        return 0;
    r = voice_load(&house->voice, made, config_text(config, CFG_web_RECORDINGS, NULL));
    if (r < 0)
        return complain("音声を読めません", "the recordings cannot be read", made, r);
    if (voice_count(house->voice) == 0) {
        log_event(LOG_LEVEL_WARNING, "a lane may speak, but there are no recordings: it is silent");
        for (size_t i = 0; i < sizeof(house->web.manners) / sizeof(house->web.manners[0]); i++)
            house->web.manners[i].voice = LANE_VOICE_OFF;
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
    (void)snprintf(detail, sizeof(detail),
                   "%s: %zu connections, %zu pages listening, %llu requests refused",
                   house->web.guard.hosts[0], server_connections(house->web.server), listeners,
                   (unsigned long long)house->web.refused);
    service_health_item(ipc, request, 0, FAILURE_NONE, "web", detail, "");
    service_health_end(ipc, request);
}

static int start(struct house *house)
{
    static const struct cage_spec cage = {.calls = CAGE_THREADS | CAGE_ACCEPT | CAGE_UNIX |
                                                   CAGE_FD_PASS};
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
    r = read_manners(house);
    if (r < 0)
        return r;
    r = service_socket_path(&house->service, "desk", "", desk, sizeof(desk));
    if (r < 0)
        return complain("パスが長すぎます", "the path is too long", "run-directory", r);
    listen_fd = service_take_socket(&house->service, "web");
    if (listen_fd < 0)
        return complain(
            "待ち受けソケット web が渡されていません(systemdか起動プログラムから起動します)",
            "no listening socket `web` was passed in: start it by its supervisor", "LISTEN_FDS",
            -EBADF);
    tzset(); /* reads /etc/localtime while files can still be opened */
    house->web.health = on_health;
    house->web.health_arg = house;
    house->web.voice = house->voice;
    r = web_start(&house->web, house->service.loop, house->service.clock, house->session,
                  house->pages, listen_fd, desk);
    if (r < 0)
        return complain("画面の待ち受けを始められません(ループバックのアドレスだけです)",
                        "cannot serve the pages (loopback addresses only)",
                        config_text(house->service.config, CFG_web_LISTEN, NULL), r);
    house->pages = NULL;
    if (session_has_accounts(house->session)) {
        r = passwords_new(&house->web.passwords, house->service.loop);
        if (r < 0)
            return complain("起動できません", "cannot start", "passwords", r);
    }
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
    /* What is asked of us holds passwords; and see memory.h. */
    json_set_alloc_funcs(memory_or_end, memory_wipe_free);
    if (start(&house) == 0)
        status = service_run(&house.service);
    web_stop(&house.web);
    pages_free(&house.pages);
    voice_free(&house.voice);
    session_free(&house.session);
    service_stop(&house.service);
    return status;
}
