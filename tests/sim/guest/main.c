/*
 * sim-guest visits FILE [--family NAME] --desk DIRECTORY [--desk DIRECTORY...]
 * sim-guest kills FILE [--family NAME] [--slice K/N] --table FILE --desk DIRECTORY [--desk
 * DIRECTORY...]
 * sim-guest pulls FILE [--family NAME] [--slice K/N] --table FILE --desk DIRECTORY
 * sim-guest part STATE|finish|loop [--method pin|face] [--seconds N] --desk DIRECTORY
 *
 * sim-guest soak SECONDS [--seed N] --desk DIRECTORY
 * sim-guest lanes VISITS --desk DIRECTORY
 *
 * Drives a table of visits (script.c says how it is written), the kill matrix (kills.c) or a random
 * day (soak.c) against running desks and prints a line for each. Ends with status 0 only if each
 * ended as the table says.
 */
#include "guest.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define SITES_MAX 8

struct options {
    const char *family, *table, *method;
    unsigned seconds;
    int slice, slices;
    unsigned long seed;
    struct site sites[SITES_MAX];
    int nsites;
};

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: sim-guest visits|kills|pulls FILE [--family NAME] [--slice K/N] "
                  "[--table FILE] --desk DIRECTORY...\n"
                  "       sim-guest soak SECONDS [--seed N] --desk DIRECTORY\n"
                  "       sim-guest part STATE|finish|loop [--method pin|face] --desk DIRECTORY\n"
                  "       sim-guest lanes VISITS --desk DIRECTORY\n");
    return 2;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"desk", required_argument, NULL, 'd'},    {"family", required_argument, NULL, 'f'},
        {"slice", required_argument, NULL, 's'},   {"table", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'r'},    {"method", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 'S'}, {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'd':
            if (o->nsites == SITES_MAX || !site_open(&o->sites[o->nsites++], optarg))
                return false;
            break;
        case 'f':
            o->family = optarg;
            break;
        case 's':
            if (sscanf(optarg, "%d/%d", &o->slice, &o->slices) != 2 || o->slice < 0 ||
                o->slices < 1)
                return false;
            break;
        case 'r':
            o->seed = strtoul(optarg, NULL, 10);
            break;
        case 't':
            o->table = optarg;
            break;
        case 'm':
            o->method = optarg;
            break;
        case 'S':
            o->seconds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    return o->nsites > 0 && optind + 2 == argc;
}

/* A run may follow another on the same desk: an empty reader, no faults, a well-behaved service. */
static bool tidy(const struct site *site)
{
    char path[400], answer[512];

    for (int i = 0; i < site->nlanes; i++) {
        (void)snprintf(path, sizeof(path), "%s/run/device-%d.control", site->directory,
                       site->lanes[i].number);
        (void)line_ask(path, "remove", answer, sizeof(answer));
        (void)line_ask(path, "faults off", answer, sizeof(answer));
    }
    (void)snprintf(path, sizeof(path), "%s/run/service.control", site->directory);
    return line_ask(path, "normal", answer, sizeof(answer));
}

int main(int argc, char **argv)
{
    static struct options o = {.slices = 1, .method = "pin", .seconds = 60};
    struct script script;
    int failed = 1;
    bool good = read_options(&o, argc, argv);

    if (!good)
        return usage();
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    json_object_seed(0);
    for (int i = 0; good && i < o.nsites; i++)
        good = site_ready(&o.sites[i], 60) && (strcmp(argv[optind], "part") == 0 ||
                                               (tidy(&o.sites[i]) && site_served(&o.sites[i], 60)));
    if (good && strcmp(argv[optind], "visits") == 0) {
        if (script_read(&script, argv[optind + 1]))
            failed = run_visits(o.sites, o.nsites, &script, o.family);
        script_free(&script);
    } else if (good && strcmp(argv[optind], "part") == 0) {
        failed = run_part(&o.sites[0], argv[optind + 1], o.method, o.seconds);
    } else if (good && strcmp(argv[optind], "kills") == 0 && o.table != NULL) {
        failed =
            run_kills(o.sites, o.nsites, argv[optind + 1], o.table, o.family, o.slice, o.slices);
    } else if (good && strcmp(argv[optind], "pulls") == 0 && o.table != NULL) {
        failed = run_pulls(&o.sites[0], argv[optind + 1], o.table, o.family, o.slice, o.slices);
    } else if (good && strcmp(argv[optind], "lanes") == 0) {
        failed = run_lanes(&o.sites[0], atoi(argv[optind + 1]));
    } else if (good && strcmp(argv[optind], "soak") == 0) {
        failed = run_soak(&o.sites[0], (unsigned)atoi(argv[optind + 1]), o.seed);
    } else if (good) {
        failed = usage();
    }
    for (int i = 0; i < o.nsites; i++)
        site_close(&o.sites[i]);
    curl_global_cleanup();
    return failed == 0 ? 0 : 1;
}
