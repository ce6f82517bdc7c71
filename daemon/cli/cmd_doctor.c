/*
 * doctor: one line for each part, with its state and the next step. The desk is asked for the health of every
 * process; what can be seen from here (configuration, sockets, secrets, kernel, libraries) is checked also when the
 * desk is down, because that is when it is needed.
 */
#include "clock.h"
#include "command.h"
#include "config_meaning.h"
#include "failure.h"
#include "json.h"
#include "link.h"
#include "plugged.h"
#include "table.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define USE_READER 0x01u
#define USE_CAMERA 0x02u
#define PLUGGED_MOST 64u

enum level { GOOD, WARNING, BAD };

struct findings {
    const struct command_options *options;
    unsigned count[3];
    bool devices;
};

/* Words of the programs' own, with no path, name or address of the house: they may be in a bundle. */
static void say_plain(struct findings *f, enum level level, const char *component,
                      const char *detail, const char *next)
{
    FILE *out = f->options->out;

    f->count[level]++;
    if (f->options->json) {
        static const char *const states[] = {"good", "warning", "bad"};

        (void)fprintf(out, "{\"state\":\"%s\",\"component\":", states[level]);
        json_text(out, component);
        (void)fputs(",\"detail\":", out);
        json_text(out, detail);
        (void)fputs(",\"next\":", out);
        json_text(out, next);
        (void)fputs("}\n", out);
        return;
    }
    (void)fprintf(out, "%s  ", command_sign(level));
    table_put(out, component);
    (void)fputs(": ", out);
    table_put(out, detail);
    if (next[0] != '\0') {
        (void)fputs("\n            → ", out);
        table_put(out, next);
    }
    (void)fputc('\n', out);
}

static void say(struct findings *f, enum level level, const char *component, const char *detail,
                const char *next)
{
    say_plain(f, level, component, f->options->redacted ? "(removed)" : detail, next);
}

/* ---- the configuration and what it points to ------------------------------------------------- */

/* A token that no file of the configuration holds is a credential of systemd; uketsuke-setup makes it. */
static void check_token_credential(struct findings *f, const char *component, const char *name)
{
    char path[200], detail[240];
    bool there;

    (void)snprintf(path, sizeof(path), "/etc/uketsuke/credentials/tokens/%.32s", name);
    there = access(path, F_OK) == 0;
    (void)snprintf(detail, sizeof(detail), "credential token_%.32s", name);
    if (there)
        say(f, GOOD, component, detail, "");
    else if (errno == EACCES)
        say(f, WARNING, component, detail,
            "見る権限がありません。root で実行します / only root can see it");
    else
        say(f, WARNING, component, "合言葉がありません / there is no token",
            "uketsuke-setup を実行するか token-file を書きます / run uketsuke-setup or set "
            "token-file; until then this page stays closed");
}

static void check_secret(struct findings *f, const char *component, const char *path,
                         const char *credential)
{
    struct stat st;
    char detail[200];

    if (path[0] == '\0') {
        check_token_credential(f, component, credential);
        return;
    }
    (void)snprintf(detail, sizeof(detail), "%.190s", path);
    if (stat(path, &st) != 0) {
        enum level level = errno == EACCES ? WARNING : BAD;

        say(f, level, component, detail,
            level == BAD ? "ファイルを作ります(16文字以上) / create it: 16 characters or more, for "
                           "example `openssl rand -hex 32`"
                         : "root で調べます / run as root to check this one");
        return;
    }
    if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        say(f, BAD, component, detail, "他の人が読めます / others can read it: chmod 640");
    else if (st.st_size < 16)
        say(f, BAD, component, detail, "16文字以上にします / make it 16 characters or longer");
    else
        say(f, GOOD, component, detail, "");
}

static void check_file(struct findings *f, const char *component, const char *path,
                       const char *next)
{
    char detail[200];

    if (path[0] == '\0')
        return;
    (void)snprintf(detail, sizeof(detail), "%.190s", path);
    if (access(path, F_OK) == 0)
        say(f, GOOD, component, detail, "");
    else
        say(f, errno == EACCES ? WARNING : BAD, component, detail,
            errno == EACCES ? "root で調べます / run as root to check this one" : next);
}

static void check_configured(struct findings *f, const struct config *config)
{
    static const struct {
        enum config_key key;
        const char *name;
        const char *next;
    } upstream_files[] = {
        {CFG_upstream_CA, "CA", "CAの証明書を置きます / put the CA certificate there"},
        {CFG_upstream_CERTIFICATE, "certificate",
         "クライアント証明書を置きます / put the client certificate there"},
        {CFG_upstream_KEY, "key", "クライアント鍵を置きます / put the client key there"},
        {CFG_upstream_PASSWORD_FILE, "password",
         "合言葉のファイルを置きます / put the password file there"},
        {CFG_upstream_FOLDER, "folder", "共有フォルダーをつなぎます / mount the shared folder"},
    };
    const char *instance;
    char component[80], credential[40];

    check_secret(f, "token of the board", config_text(config, CFG_web_STAFF_TOKEN_FILE, NULL),
                 "staff");
    for (size_t i = 0; (instance = config_instance(config, "lane", i)) != NULL; i++) {
        (void)snprintf(component, sizeof(component), "token of lane %.16s", instance);
        (void)snprintf(credential, sizeof(credential), "lane-%.16s", instance);
        check_secret(f, component, config_text(config, CFG_lane_TOKEN_FILE, instance), credential);
    }
    for (size_t i = 0; (instance = config_instance(config, "upstream", i)) != NULL; i++)
        for (size_t k = 0; k < sizeof(upstream_files) / sizeof(upstream_files[0]); k++) {
            (void)snprintf(component, sizeof(component), "%s of upstream %.24s",
                           upstream_files[k].name, instance);
            check_file(f, component, config_text(config, upstream_files[k].key, instance),
                       upstream_files[k].next);
        }
    check_file(f, "models", config_text(config, CFG_matcher_MODELS, NULL),
               "モデルを入れます / install uketsuke-models, or `make run` fetches them");
    check_file(f, "pages", config_text(config, CFG_web_PAGES, NULL),
               "パッケージを入れ直します / reinstall the package");
    check_file(f, "state directory", config_text(config, CFG_desk_STATE_DIRECTORY, NULL),
               "ディレクトリを作ります / create it, owned by the desk's user");
}

/* ---- the host -------------------------------------------------------------------------------- */

static void check_kernel(struct findings *f)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    char detail[64];

    if (abi > 0) {
        (void)snprintf(detail, sizeof(detail), "ABI %ld", abi);
        say_plain(f, GOOD, "kernel: Landlock", detail, "");
    } else {
        say_plain(
            f, WARNING, "kernel: Landlock", "使えません / not available",
            "起動オプション lsm= に landlock を加えます / add landlock to the kernel's lsm= list "
            "(files are then closed by seccomp alone)");
    }
    if (seccomp >= 0)
        say_plain(f, GOOD, "kernel: seccomp", "使えます / available", "");
    else
        say_plain(f, BAD, "kernel: seccomp", "使えません / not available",
                  "seccompのあるカーネルを使います / use a kernel with CONFIG_SECCOMP_FILTER");
}

/* As [desk] clock-source and clock-wrong want it; without a configuration by their defaults. */
static void check_clock(struct findings *f, const struct config *config)
{
    enum { KERNEL, NONE };
    bool watched = config == NULL || config_number(config, CFG_desk_CLOCK_SOURCE, NULL) == KERNEL;
    bool refused = config != NULL && config_number(config, CFG_desk_CLOCK_WRONG, NULL) == 1;
    bool loose = watched && clock_host_synchronised() != 1;
    time_t now = time(NULL);
    struct tm tm;
    char detail[120] = "";
    size_t used = 0;

    if (localtime_r(&now, &tm) != NULL)
        used = strftime(detail, sizeof(detail), "%Y-%m-%d %H:%M:%S %Z", &tm);
    (void)snprintf(detail + used, sizeof(detail) - used, "%s",
                   !watched ? ""
                   : loose  ? ", 時刻合わせなし / follows no time server"
                            : ", 時刻合わせあり / follows a time server");
    if (now < CLOCK_NOT_BEFORE_S || (loose && refused))
        say_plain(f, BAD, "clock", detail,
                  "時計を合わせます / set the clock: timedatectl set-ntp true");
    else if (loose)
        say_plain(
            f, WARNING, "clock", detail,
            "時刻合わせを働かせるか、見ないなら [desk] clock-source = none / timedatectl set-ntp "
            "true, or clock-source = none where nothing should be looked at");
    else
        say_plain(f, GOOD, "clock", detail, "");
}

static void check_libraries(struct findings *f)
{
    static const struct {
        const char *soname;
        const char *package;
    } libraries[] = {
        {"libsystemd.so.0", "libsystemd0"},
        {"libcrypto.so.3", "libssl3"},
        {"libseccomp.so.2", "libseccomp2"},
        {"libinih.so.1", "libinih1"},
        {"libsqlite3.so.0", "libsqlite3-0"},
        {"libusb-1.0.so.0", "libusb-1.0-0"},
        {"libcurl.so.4", "libcurl4"},
        {"libjansson.so.4", "libjansson4"},
        {"libexpat.so.1", "libexpat1"},
        {"libmicrohttpd.so.12", "libmicrohttpd12"},
        {"libopenjp2.so.7", "libopenjp2-7"},
        {"libturbojpeg.so.0", "libturbojpeg0"},
        {"libopencv_core.so.406", "libopencv-core406"},
        {"libopencv_imgproc.so.406", "libopencv-imgproc406"},
        {"libopencv_dnn.so.406", "libopencv-dnn406"},
    };
    unsigned missing = 0;
    char detail[200], next[200];

    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        void *library = dlopen(libraries[i].soname, RTLD_LAZY | RTLD_LOCAL);

        if (library != NULL) {
            (void)dlclose(library);
            continue;
        }
        missing++;
        (void)snprintf(detail, sizeof(detail), "%s がありません / is missing", libraries[i].soname);
        (void)snprintf(next, sizeof(next), "apt-get install %s", libraries[i].package);
        say_plain(f, BAD, "library", detail, next);
    }
    if (missing == 0) {
        (void)snprintf(detail, sizeof(detail), "%zu 個そろっています / all %zu are there",
                       sizeof(libraries) / sizeof(libraries[0]),
                       sizeof(libraries) / sizeof(libraries[0]));
        say_plain(f, GOOD, "libraries", detail, "");
    }
}

/* ---- the desk -------------------------------------------------------------------------------- */

static int take_health(struct message *message, void *arg)
{
    const struct msg_health_item *m = &message->body.health_item;
    struct findings *f = arg;
    char next[800];

    if (message->type == MSG_HEALTH_END)
        return 1;
    if (message->type != MSG_HEALTH_ITEM)
        return 0;
    (void)snprintf(next, sizeof(next), "%s", m->next);
    if (m->failure != FAILURE_NONE) {
        const struct failure_text *t = failure_text(m->failure);

        (void)snprintf(next, sizeof(next), "%s %s / %s%s%s", t->code, t->staff_ja, t->staff_en,
                       m->next[0] != '\0' ? " → " : "", m->next);
    }
    say_plain(f,
              m->state == 0   ? GOOD
              : m->state == 1 ? WARNING
                              : BAD,
              m->component, m->detail, next);
    return 0;
}

/* ---- readers and cameras --------------------------------------------------------------------- */

/* What to do about who has it. False: nobody does who must not. */
static bool what_to_do(const char *driver, const char *holders, bool complete, char *next,
                       size_t size)
{
    bool used = strcmp(driver, "usbfs") == 0 || strcmp(driver, "pcscd") == 0;

    if (strstr(holders, "pcscd") != NULL)
        (void)snprintf(
            next, size,
            "pcscdを止めます: systemctl disable --now pcscd.socket pcscd.service / stop pcscd");
    else if (holders[0] != '\0')
        (void)snprintf(next, size,
                       "使っているプログラムを終了します: %.80s / end the program that has it",
                       holders);
    else if (used && !complete)
        (void)snprintf(next, size,
                       "root で調べると使っているプログラムが分かります / run as root to see which "
                       "program has it");
    else
        return used;
    return true;
}

/* How a lane would name it. */
static void how_to_name(char *next, size_t size, const char *port, uint8_t use, const char *driver)
{
    const char *by = strcmp(driver, "uvcvideo") == 0 ? "v4l2:" : "";

    if (strncmp(port, "video", 5) == 0)
        (void)snprintf(next, size,
                       "レーンで使うには / to use it in a lane: camera = v4l2:/dev/%.40s", port);
    else if (use == (USE_READER | USE_CAMERA))
        (void)snprintf(
            next, size,
            "レーンで使うには / to use it in a lane: reader = port=%.40s, camera = %ssame", port,
            by);
    else if (use == USE_READER)
        (void)snprintf(next, size, "レーンで使うには / to use it in a lane: reader = port=%.40s",
                       port);
    else
        (void)snprintf(next, size, "レーンで使うには / to use it in a lane: camera = %sport=%.40s",
                       by, port);
}

static const char *what_it_is(uint8_t use)
{
    static const char *const words[] = {"device", "reader", "camera", "reader and camera"};

    return words[use & 3];
}

/* Without the broker: what this host shows by itself. */
static void check_plugged(struct findings *f)
{
    struct plugged_device devices[PLUGGED_MOST];
    size_t n = plugged_list(NULL, devices, PLUGGED_MOST);
    char component[64], detail[240], holders[120], next[200];

    for (size_t i = 0; i < n; i++) {
        const struct plugged_device *d = &devices[i];
        uint8_t use = (uint8_t)((d->reader ? USE_READER : 0) | (d->camera ? USE_CAMERA : 0));
        bool complete = plugged_holders(NULL, d->port, holders, sizeof(holders));
        const char *held = holders[0] != '\0' ? holders : d->driver;
        bool wrong;

        f->devices = true;
        (void)snprintf(component, sizeof(component), "%s at %.30s", what_it_is(use), d->port);
        (void)snprintf(detail, sizeof(detail), "%.80s [%04x:%04x]%s%.60s", d->name, d->vendor,
                       d->product, held[0] != '\0' ? ", held by " : "", held);
        next[0] = '\0';
        wrong = what_to_do(d->driver, holders, complete, next, sizeof(next));
        say(f, wrong ? WARNING : GOOD, component, detail, next);
    }
}

static int take_devices(struct message *message, void *arg)
{
    const struct msg_device_item *m = &message->body.device_item;
    struct findings *f = arg;
    char component[48], detail[280], holders[120] = "", next[240];
    bool redacted = f->options->redacted;
    enum level level;
    bool complete;

    if (message->type == MSG_DEVICES_END)
        return 1;
    if (message->type != MSG_DEVICE_ITEM)
        return 0;
    f->devices = true;
    if (m->lane != 0)
        (void)snprintf(component, sizeof(component), "device of lane %u", m->lane);
    else
        (void)snprintf(component, sizeof(component), "device without lane");
    if (m->kind == 0) { /* what a lane should have and has not */
        (void)snprintf(detail, sizeof(detail), "%sがありません / no %s",
                       m->use == USE_CAMERA ? "カメラ" : "読み取り機", what_it_is(m->use));
        say_plain(f, BAD, component, detail, m->next);
        return 0;
    }
    complete = plugged_holders(NULL, m->port, holders, sizeof(holders));
    (void)snprintf(detail, sizeof(detail), "%.80s [%04x:%04x] %.40s%s%.60s",
                   redacted ? "" : m->name, m->vendor, m->product, m->port,
                   m->holder[0] != '\0' || holders[0] != '\0' ? ", held by " : "",
                   holders[0] != '\0' ? holders : m->holder);
    (void)snprintf(next, sizeof(next), "%s", m->next);
    level = m->lane == 0 ? WARNING : next[0] != '\0' ? BAD : GOOD;
    /* Our own reader holding it is as it should be, and the kernel's camera driver gives way; anybody else keeps it. */
    if (strncmp(m->holder, "uketsuke", 8) != 0 &&
        what_to_do(m->holder, holders, complete, next, sizeof(next)) && m->lane != 0)
        level = BAD;
    if (m->lane == 0 && next[0] == '\0')
        how_to_name(next, sizeof(next), m->port, m->use, m->holder);
    say_plain(f, level, component, detail, next);
    return 0;
}

static void check_desk(struct findings *f, const struct config *config)
{
    struct msg_health_query health = {0};
    struct msg_devices_query devices = {0};
    struct link *link = NULL;
    char path[256];
    int r = command_socket(config, path, sizeof(path));

    if (r == 0)
        r = link_open(&link, path);
    if (r < 0) {
        say(f, BAD, "desk", path, command_reason(r));
        check_plugged(f);
        return;
    }
    say(f, GOOD, "desk", path, "");
    r = link_ask(link, MSG_HEALTH_QUERY, &health, LINK_ASK_MS, take_health, f);
    if (r < 0)
        say(f, BAD, "desk: health", command_reason(r), "journalctl -u uketsuked");
    else
        r = link_ask(link, MSG_DEVICES_QUERY, &devices, LINK_ASK_MS, take_devices, f);
    if (r == 0 && !f->devices)
        say(f, WARNING, "devices",
            "読み取り機もカメラも見つかりません / no reader and no camera found",
            "USBケーブルと電源を確かめます / check USB cable and power");
    link_close(&link);
}

int command_doctor(const struct command_options *options, int argc, char **argv)
{
    struct findings f = {.options = options};
    struct config *config = NULL;
    char *message = NULL;

    (void)argv;
    if (argc != 0) {
        (void)fprintf(options->err, "uketsuke doctor\n");
        return EXIT_USAGE;
    }
    if (config_load(&config, options->config_path, &message) < 0) {
        say(&f, BAD, "configuration", options->config_path, "uketsuke config check");
        if (!options->redacted)
            (void)fprintf(options->err, "%s", message != NULL ? message : "");
        free(message);
    } else {
        bool whole =
            config_missing(config, FOR_ALL, NULL, options->redacted ? NULL : options->err) == 0;

        say(&f, whole ? GOOD : BAD, "configuration", options->config_path,
            whole ? "" : "uketsuke config check");
        check_configured(&f, config);
    }
    check_kernel(&f);
    check_clock(&f, config);
    check_libraries(&f);
    if (config != NULL)
        check_desk(&f, config);
    else
        check_plugged(&f);
    config_free(&config);
    if (!options->json)
        (void)fprintf(options->out, "\n良 %u  注 %u  悪 %u / %u good, %u to mind, %u bad\n",
                      f.count[GOOD], f.count[WARNING], f.count[BAD], f.count[GOOD],
                      f.count[WARNING], f.count[BAD]);
    return f.count[BAD] == 0 ? EXIT_AS_ASKED : EXIT_NOT_SO;
}
