/*
 * uketsuke-relay: one process for each upstream, alone in speaking TLS and the upstream's formats; and one for each
 * output, which carries to the receipt computer or a hook what the desk hands over (handover.h). Which of the two it is
 * is said by the section of the configuration that bears the instance's name.
 */
#include "../common/log.h"
#include "../common/memory.h"
#include "codec_json.h"
#include "handover.h"
#include "http.h"
#include "relay.h"
#include "resolver.h"
#include "show.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PROGRAM "uketsuke-relay"

/* Spreads waits; nothing secret comes of it (splitmix64, Steele, Lea and Flood 2014). */
static uint32_t next_random(void *arg)
{
    uint64_t *state = arg;
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32);
}

/* memory.h, as OpenSSL asks: it says where in its source, and of nothing wants nothing. */
static void *openssl_memory(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size > 0 ? memory_or_end(size) : NULL;
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

static void *openssl_resized(void *block, size_t size, const char *file, int line)
{
    if (size > 0)
        return memory_resized_or_end(block, size);
    openssl_free(block, file, line);
    return NULL;
}

static bool has_section(const struct service *service, const char *section)
{
    const char *name;

    for (size_t i = 0; (name = config_instance(service->config, section, i)) != NULL; i++)
        if (strcmp(name, service->instance) == 0)
            return true;
    return false;
}

static bool configured(const struct service *service, bool *output)
{
    const char *instance = service->instance[0] != '\0' ? service->instance : "NAME";
    bool upstream = has_section(service, "upstream");

    *output = has_section(service, "output");
    if (upstream != *output)
        return true;
    (void)fprintf(
        stderr,
        upstream ? PROGRAM
            ": [upstream %s] [output %s]: 同じ名前は使えません / both sections have that name\n"
                 : PROGRAM ": --instance %s: 設定に [upstream %s] も [output] もありません / the "
                           "configuration has no such section\n",
        instance, instance);
    return false;
}

/* Until it is told to end; the exit status. */
static int run_relay(struct service *service, int fd, const struct retry_random *random)
{
    struct relay *relay = NULL;
    int status = 1;

    if (relay_new(&relay, service, service->instance, fd, random) == 0 &&
        service_cage(service, relay_cage(relay)) == 0 && relay_start(relay) == 0)
        status = service_run(service);
    relay_free(&relay);
    return status;
}

static int run_handover(struct service *service, int fd, const struct retry_random *random)
{
    struct handover *handover = NULL;
    int status = 1;

    if (handover_new(&handover, service, service->instance, fd, random) == 0 &&
        service_cage(service, handover_cage(handover)) == 0 && handover_start(handover) == 0)
        status = service_run(service);
    handover_free(&handover);
    return status;
}

int main(int argc, char **argv)
{
    struct service service;
    bool output = false;
    uint64_t seed = 0;
    const struct retry_random random = {next_random, &seed};
    int status = 1;
    int fd;
    int r;

    if (CRYPTO_set_mem_functions(openssl_memory, openssl_resized, openssl_free) != 1) {
        (void)fprintf(stderr, PROGRAM ": OpenSSL had memory before it was told where from\n");
        return 1;
    }
    /* Needs no configuration, no upstream and no socket. */
    if (argc >= 2 && strcmp(argv[1], "--show") == 0)
        show_run(argc == 3 && strcmp(argv[2], "--try-cage") == 0);
    r = service_start(&service, PROGRAM, argc, argv);
    if (r != 0)
        return r < 0 ? 1 : 0;
    if (!configured(&service, &output))
        goto out;
    codec_json_protect();
    resolver_load_modules();
    if (http_setup() != 0 || getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        log_event(LOG_LEVEL_ERROR, "libraries do not start");
        goto out;
    }
    fd = service_take_socket(&service, output ? "handover" : "relay");
    if (fd < 0 && !service.try_cage) {
        const char *name = output ? "handover" : "relay";

        (void)fprintf(stderr,
                      PROGRAM
                      ": ソケット「%s」が渡されていません / the supervisor passed no socket "
                      "named %s\n",
                      name, name);
        goto out;
    }
    status = output ? run_handover(&service, fd, &random) : run_relay(&service, fd, &random);
out:
    curl_global_cleanup();
    service_stop(&service);
    return status;
}
