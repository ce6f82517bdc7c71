/*
 * uketsuke-relay: one process for each upstream; alone in speaking TLS and the upstream's formats.
 */
#include "../common/log.h"
#include "codec_json.h"
#include "http.h"
#include "relay.h"
#include "resolver.h"
#include "show.h"

#include <curl/curl.h>
#include <stdio.h>
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

static bool configured(const struct service *service)
{
    const char *name;

    for (size_t i = 0; (name = config_instance(service->config, "upstream", i)) != NULL; i++)
        if (strcmp(name, service->instance) == 0)
            return true;
    (void)fprintf(stderr,
                  PROGRAM ": --instance %s: 設定に [upstream %s] がありません / the configuration "
                          "has no such section\n",
                  service->instance[0] != '\0' ? service->instance : "NAME",
                  service->instance[0] != '\0' ? service->instance : "NAME");
    return false;
}

int main(int argc, char **argv)
{
    struct service service;
    struct relay *relay = NULL;
    uint64_t seed = 0;
    const struct retry_random random = {next_random, &seed};
    int status = 1;
    int fd;
    int r;

    /* Needs no configuration, no upstream and no socket. */
    if (argc >= 2 && strcmp(argv[1], "--show") == 0)
        show_run(argc == 3 && strcmp(argv[2], "--try-cage") == 0);
    r = service_start(&service, PROGRAM, argc, argv);
    if (r != 0)
        return r < 0 ? 1 : 0;
    if (!configured(&service))
        goto out;
    codec_json_protect();
    resolver_load_modules();
    if (http_setup() != 0 || getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        log_event(LOG_LEVEL_ERROR, "libraries do not start");
        goto out;
    }
    fd = service_take_socket(&service, "relay");
    if (fd < 0 && !service.try_cage) {
        (void)fprintf(stderr, PROGRAM ": ソケット「relay」が渡されていません / the supervisor "
                                      "passed no socket named relay\n");
        goto out;
    }
    if (relay_new(&relay, &service, service.instance, fd, &random) < 0)
        goto out;
    if (service_cage(&service, relay_cage(relay)) < 0 || relay_start(relay) < 0)
        goto out;
    status = service_run(&service);
out:
    relay_free(&relay);
    curl_global_cleanup();
    service_stop(&service);
    return status;
}
