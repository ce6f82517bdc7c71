/*
 * sim-service: a simulated online eligibility service for tests and for trying the desk out.
 * Shares no code with the product. See README.md.
 */
#include <errno.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cards.h"
#include "control.h"
#include "send.h"
#include "server.h"
#include "service.h"
#include "text.h"

struct options {
    const char *certificate;
    const char *key;
    const char *client_ca;
    const char *user_ca;
    const char *user_crl;
    const char *cards;
    const char *people;
    const char *accounts;
    const char *ledger;
    const char *control;
    const char *port_file;
    long port;
    long token_seconds;
    long grace_months;
    bool resume;
};

struct world {
    struct service service;
    struct server *server;
    struct control *control;
    char *certificate;
    char *key;
    char *client_ca;
};

static void main_usage(FILE *out)
{
    fputs("usage: sim-service --cert PEM --key PEM --client-ca PEM --people DIR --accounts JSON\n"
          "                   --ledger FILE [--port N] [--port-file FILE] [--control SOCKET]\n"
          "                   [--user-ca PEM] [--user-crl PEM] [--cards DIR] [--token-seconds N]\n"
          "                   [--grace-months N] [--resume]\n"
          "       sim-service --send SOCKET COMMAND...\n",
          out);
}

static bool main_number(const char *text, long max, long *out)
{
    if (text_parse_number(text, 0, max, out))
        return true;
    fprintf(stderr, "sim-service: not a number from 0 to %ld: %s\n", max, text);
    return false;
}

/* 0: go on; 1: done (help); negative: wrong. */
static int main_read_options(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},
        {"client-ca", required_argument, NULL, 'a'},
        {"user-ca", required_argument, NULL, 'u'},
        {"people", required_argument, NULL, 'p'},
        {"accounts", required_argument, NULL, 'A'},
        {"ledger", required_argument, NULL, 'l'},
        {"control", required_argument, NULL, 'C'},
        {"port-file", required_argument, NULL, 'f'},
        {"port", required_argument, NULL, 'P'},
        {"user-crl", required_argument, NULL, 'R'},
        {"cards", required_argument, NULL, 'd'},
        {"token-seconds", required_argument, NULL, 't'},
        {"grace-months", required_argument, NULL, 'g'},
        {"resume", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char **texts[128] = {
        ['c'] = &options->certificate, ['k'] = &options->key,       ['a'] = &options->client_ca,
        ['u'] = &options->user_ca,     ['p'] = &options->people,    ['A'] = &options->accounts,
        ['R'] = &options->user_crl,    ['d'] = &options->cards,     ['l'] = &options->ledger,
        ['C'] = &options->control,     ['f'] = &options->port_file,
    };
    bool good = true;
    int letter;

    while ((letter = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        if (letter == '?')
            return -EINVAL;
        if (letter == 'h')
            return 1;
        if (letter == 'P')
            good = main_number(optarg, 65535, &options->port) && good;
        else if (letter == 't')
            good = main_number(optarg, 86400, &options->token_seconds) && good;
        else if (letter == 'g')
            good = main_number(optarg, 120, &options->grace_months) && good;
        else if (letter == 'r')
            options->resume = true;
        else
            *texts[letter] = optarg;
    }
    if (!good || optind != argc || options->certificate == NULL || options->key == NULL ||
        options->client_ca == NULL || options->people == NULL || options->accounts == NULL ||
        options->ledger == NULL)
        return -EINVAL;
    return 0;
}

/* The whole file as text, or NULL after saying why. */
static char *main_read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;

    if (file != NULL) {
        size_t length = 0;

        text = calloc(1, 65536 + 1);
        if (text != NULL)
            length = fread(text, 1, 65536, file);
        if (ferror(file) || length == 0 || length == 65536) {
            free(text);
            text = NULL;
        }
        fclose(file);
    }
    if (text == NULL)
        fprintf(stderr, "sim-service: cannot read %s\n", path);
    return text;
}

/* Whoever waits for the file must never see half a number: written beside it, then renamed. */
static int main_write_port(const char *path, unsigned port)
{
    char work[4096];
    FILE *file;
    bool good;

    if ((size_t)snprintf(work, sizeof(work), "%s.%ld", path, (long)getpid()) >= sizeof(work))
        return -ENAMETOOLONG;
    file = fopen(work, "we");
    if (file == NULL)
        return -errno;
    good = fprintf(file, "%u\n", port) > 0;
    good = fclose(file) == 0 && good;
    if (!good || rename(work, path) < 0) {
        unlink(work);
        return -EIO;
    }
    return 0;
}

static int main_open_service(struct service *service, const struct options *options)
{
    char why[512] = "";
    json_error_t error;
    int r;

    pthread_mutex_init(&service->lock, NULL);
    service->token_seconds = options->token_seconds;
    service->grace_months = options->grace_months;
    service->tokens = json_object();
    service->answered = json_object();
    service->nonces = json_object();
    service->behaviours = behaviour_set_new();
    if (service->tokens == NULL || service->answered == NULL || service->nonces == NULL ||
        service->behaviours == NULL)
        return -ENOMEM;
    service->accounts = json_load_file(options->accounts, 0, &error);
    if (!json_is_array(json_object_get(service->accounts, "accounts"))) {
        fprintf(stderr, "sim-service: %s: no \"accounts\" array\n", options->accounts);
        return -EINVAL;
    }
    if (options->user_ca != NULL) {
        service->user_ca = main_read_file(options->user_ca);
        if (service->user_ca == NULL)
            return -EINVAL;
    }
    if (options->user_crl != NULL) {
        service->user_crl = main_read_file(options->user_crl);
        if (service->user_crl == NULL)
            return -EINVAL;
    }
    if (options->cards != NULL) {
        r = cards_load(&service->cards, options->cards);
        if (r < 0) {
            fprintf(stderr, "sim-service: %s: %s\n", options->cards, strerror(-r));
            return r;
        }
    }
    r = people_load(&service->people, options->people, why, sizeof(why));
    if (r < 0) {
        fprintf(stderr, "sim-service: %s\n", why);
        return r;
    }
    r = ledger_open(&service->ledger, options->ledger, options->resume ? service_resume_line : NULL,
                    service);
    if (r < 0)
        fprintf(stderr, "sim-service: %s: %s\n", options->ledger, strerror(-r));
    return r;
}

static void main_close_service(struct service *service)
{
    ledger_close(service->ledger);
    people_free(service->people);
    behaviour_set_free(service->behaviours);
    json_decref(service->accounts);
    json_decref(service->tokens);
    json_decref(service->answered);
    json_decref(service->nonces);
    json_decref(service->cards);
    free(service->user_ca);
    free(service->user_crl);
    pthread_mutex_destroy(&service->lock);
}

static int main_open_server(struct world *world, const struct options *options)
{
    struct server_files files;
    int r;

    world->certificate = main_read_file(options->certificate);
    world->key = main_read_file(options->key);
    world->client_ca = main_read_file(options->client_ca);
    if (world->certificate == NULL || world->key == NULL || world->client_ca == NULL)
        return -EINVAL;
    files.certificate = world->certificate;
    files.key = world->key;
    files.client_ca = world->client_ca;
    r = server_create(&world->server, &world->service, &files, (uint16_t)options->port);
    if (r < 0) {
        fprintf(stderr, "sim-service: port %ld: %s\n", options->port, strerror(-r));
        return r;
    }
    r = server_start(world->server);
    if (r < 0)
        fprintf(stderr, "sim-service: cannot serve (certificate and key?): %s\n", strerror(-r));
    return r;
}

static int main_loop(struct world *world, int signals)
{
    struct pollfd polls[CONTROL_POLLS + 1];

    while (!control_wants_quit(world->control)) {
        size_t count = control_prepare(world->control, polls);
        polls[count] = (struct pollfd){.fd = signals, .events = POLLIN};
        if (poll(polls, count + 1, -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (polls[count].revents != 0)
            return 0;
        control_dispatch(world->control, polls, count);
    }
    return 0;
}

/* Before any thread is started, so that every thread leaves these signals to the loop. */
static int main_open_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
    struct options options = {.token_seconds = 600, .grace_months = 3};
    struct world world = {0};
    int signals = -1;
    int r;

    if (argc > 3 && strcmp(argv[1], "--send") == 0)
        return send_command(argv[2], argc - 3, argv + 3);
    r = main_read_options(argc, argv, &options);
    if (r != 0) {
        main_usage(r < 0 ? stderr : stdout);
        return r < 0 ? 2 : 0;
    }
    json_object_seed(0);
    r = -EIO;
    signals = main_open_signals();
    if (signals < 0 || main_open_service(&world.service, &options) < 0 ||
        main_open_server(&world, &options) < 0)
        goto out;
    r = control_open(&world.control, options.control, &world.service, world.server, options.people);
    if (r < 0) {
        fprintf(stderr, "sim-service: %s: %s\n", options.control, strerror(-r));
        goto out;
    }
    if (options.port_file != NULL) {
        r = main_write_port(options.port_file, server_port(world.server));
        if (r < 0) {
            fprintf(stderr, "sim-service: %s: %s\n", options.port_file, strerror(-r));
            goto out;
        }
    }
    printf("sim-service: https://127.0.0.1:%u, %zu people\n", server_port(world.server),
           people_count(world.service.people));
    fflush(stdout);
    r = main_loop(&world, signals);
    if (options.port_file != NULL)
        unlink(options.port_file);
out:
    server_free(world.server);
    control_close(world.control);
    main_close_service(&world.service);
    free(world.certificate);
    free(world.key);
    free(world.client_ca);
    if (signals >= 0)
        close(signals);
    return r < 0 ? 1 : 0;
}
