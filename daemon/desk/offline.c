#include "offline.h"

#include "../common/clock.h"
#include "../common/config.h"
#include "../common/log.h"
#include "../common/secret.h"
#include "../common/service.h"
#include "../store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define KEY_BYTES 32

struct wanted {
    const char *check, *restore, *key, *config;
};

static const struct {
    const char *option;
    size_t offset;
} options[] = {
    {"--check-backup", offsetof(struct wanted, check)},
    {"--restore", offsetof(struct wanted, restore)},
    {"--key", offsetof(struct wanted, key)},
    {"--config", offsetof(struct wanted, config)},
};

bool offline_wanted(const char *option)
{
    return strcmp(option, "--check-backup") == 0 || strcmp(option, "--restore") == 0;
}

static int parse(struct wanted *wanted, int argc, char **argv)
{
    memset(wanted, 0, sizeof(*wanted));
    wanted->config = "/etc/uketsuke/uketsuke.conf";
    for (int i = 1; i < argc; i += 2) {
        size_t o = 0;

        while (o < sizeof(options) / sizeof(options[0]) && strcmp(options[o].option, argv[i]) != 0)
            o++;
        if (o == sizeof(options) / sizeof(options[0]) || i + 1 == argc)
            return -EINVAL;
        memcpy((char *)wanted + options[o].offset, &argv[i + 1], sizeof(argv[i + 1]));
    }
    return (wanted->check == NULL) == (wanted->restore == NULL) ? -EINVAL : 0;
}

static int read_key_file(const char *path, struct secret *key)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : secret_new(key, KEY_BYTES + 1);

    if (r == 0) {
        ssize_t n = read(fd, key->data, KEY_BYTES + 1);

        r = n == KEY_BYTES ? 0 : n < 0 ? -errno : -EINVAL;
        key->len = r == 0 ? KEY_BYTES : 0;
    }
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static int read_key(const struct wanted *wanted, struct secret *key)
{
    int r = wanted->key != NULL ? read_key_file(wanted->key, key)
                                : service_credential("database.key", key, KEY_BYTES);

    if (r == 0 && key->len != KEY_BYTES)
        r = -EINVAL;
    if (r < 0)
        (void)fprintf(stderr,
                      "uketsuked: 鍵(32バイト)を読めません。--key FILE で渡します / the master key "
                      "(32 bytes) cannot be "
                      "read; give it with --key FILE (%s)\n",
                      strerror(-r));
    return r;
}

static int run(const struct wanted *wanted, const struct secret *key, struct clock *clock,
               struct backup_report *report, char **message)
{
    struct config *config = NULL;
    int r;

    if (wanted->check != NULL)
        return backup_check(wanted->check, key, clock, report, message);
    r = config_load(&config, wanted->config, message);
    if (r == 0)
        r = backup_restore(wanted->restore, config_text(config, CFG_desk_STATE_DIRECTORY, NULL),
                           key, clock, report, message);
    config_free(&config);
    return r;
}

static void print_report(const struct wanted *wanted, const struct backup_report *report)
{
    time_t taken = (time_t)(report->taken_us / 1000000);
    char when[40] = "";
    struct tm tm;

    if (localtime_r(&taken, &tm) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    (void)printf("%s\n  %s: 受付 / visits %llu, 回答 / answers %llu, 監査ログ / audit rows %llu "
                 "(鎖は正しい / chain whole)\n",
                 wanted->check != NULL ? "このバックアップは使えます / this backup is good"
                                       : "戻しました。元のファイルは uketsuke.db.before-restore-… "
                                         "に残しています / restored; what "
                                         "stood there is kept as uketsuke.db.before-restore-...",
                 when, (unsigned long long)report->visits, (unsigned long long)report->answers,
                 (unsigned long long)report->audit_rows);
}

int offline_main(int argc, char **argv)
{
    struct wanted wanted;
    struct backup_report report;
    struct secret key = {0};
    struct clock *clock = NULL;
    sd_event *loop = NULL;
    char *message = NULL;
    int r = parse(&wanted, argc, argv);

    if (r < 0) {
        (void)fprintf(stderr,
                      "uketsuked --check-backup FILE [--key FILE]\n"
                      "uketsuked --restore FILE [--config FILE] [--key FILE]\nSee uketsuked(8).\n");
        return 1;
    }
    log_open("uketsuked", "", LOG_LEVEL_WARNING);
    r = secret_protect_process();
    if (r == 0)
        r = read_key(&wanted, &key);
    if (r == 0)
        r = sd_event_new(&loop);
    if (r >= 0) {
        clock = clock_new_system(loop);
        r = clock == NULL ? -ENOMEM : run(&wanted, &key, clock, &report, &message);
    }
    if (r == 0)
        print_report(&wanted, &report);
    else if (message != NULL)
        (void)fprintf(stderr, "uketsuked: %s\n", message);
    free(message);
    clock_free(&clock);
    (void)sd_event_unref(loop);
    secret_free(&key);
    return r == 0 ? 0 : 1;
}
