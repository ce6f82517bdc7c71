#include "plugged.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASS_SMART_CARD "0b"
#define CLASS_VIDEO "0e"
#define NODES_MOST 8u
/* Our own programs may have it; comm is cut off after 15 letters. */
#define OURS "uketsuke"

static const char *sys_of(const struct plugged_roots *roots)
{
    return roots != NULL && roots->sys != NULL ? roots->sys : "/sys";
}

static const char *proc_of(const struct plugged_roots *roots)
{
    return roots != NULL && roots->proc != NULL ? roots->proc : "/proc";
}

/* The first line of a small file; what is not plain text is shown as "?". "" when there is none. */
static void read_line(int directory, const char *name, char *out, size_t size)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;

    if (fd >= 0)
        (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    for (char *p = out; *p != '\0'; p++)
        if (*p < ' ' || *p >= 0x7f)
            *p = '?';
}

/* -- what is plugged --------------------------------------------------------------------------- */

static void look_at_interface(int directory, struct plugged_device *device)
{
    char class[8], driver[256];
    ssize_t n;
    const char *slash;

    read_line(directory, "bInterfaceClass", class, sizeof(class));
    device->reader = device->reader || strcmp(class, CLASS_SMART_CARD) == 0;
    device->camera = device->camera || strcmp(class, CLASS_VIDEO) == 0;
    n = readlinkat(directory, "driver", driver, sizeof(driver) - 1);
    if (n <= 0 || device->driver[0] != '\0')
        return;
    driver[n] = '\0';
    slash = strrchr(driver, '/');
    (void)snprintf(device->driver, sizeof(device->driver), "%.32s",
                   slash != NULL ? slash + 1 : driver);
}

/* "1-2.3:1.0" is an interface of "1-2.3". */
static void look_at_interfaces(int bus, struct plugged_device *device)
{
    int again = openat(bus, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = again >= 0 ? fdopendir(again) : NULL;
    size_t len = strlen(device->port);
    const struct dirent *entry;

    while (all != NULL && (entry = readdir(all)) != NULL) {
        int directory;

        if (strncmp(entry->d_name, device->port, len) != 0 || entry->d_name[len] != ':')
            continue;
        directory = openat(bus, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0) {
            look_at_interface(directory, device);
            (void)close(directory);
        }
    }
    if (all != NULL)
        (void)closedir(all);
    else if (again >= 0)
        (void)close(again);
}

static bool describe(int bus, const char *port, struct plugged_device *device)
{
    int directory = openat(bus, port, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char text[8];

    memset(device, 0, sizeof(*device));
    if (directory < 0)
        return false;
    (void)snprintf(device->port, sizeof(device->port), "%.63s", port);
    read_line(directory, "idVendor", text, sizeof(text));
    device->vendor = (uint16_t)strtoul(text, NULL, 16);
    read_line(directory, "idProduct", text, sizeof(text));
    device->product = (uint16_t)strtoul(text, NULL, 16);
    read_line(directory, "serial", device->serial, sizeof(device->serial));
    read_line(directory, "product", device->name, sizeof(device->name));
    (void)close(directory);
    look_at_interfaces(bus, device);
    return device->reader || device->camera;
}

static int by_port(const void *a, const void *b)
{
    return strcmp(((const struct plugged_device *)a)->port,
                  ((const struct plugged_device *)b)->port);
}

size_t plugged_list(const struct plugged_roots *roots, struct plugged_device *out, size_t most)
{
    char path[512];
    const struct dirent *entry;
    size_t n = 0;
    DIR *bus;

    (void)snprintf(path, sizeof(path), "%s/bus/usb/devices", sys_of(roots));
    bus = opendir(path);
    while (bus != NULL && n < most && (entry = readdir(bus)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && strchr(entry->d_name, ':') == NULL &&
            strlen(entry->d_name) < sizeof(out->port) &&
            describe(dirfd(bus), entry->d_name, &out[n]))
            n++;
    if (bus != NULL)
        (void)closedir(bus);
    qsort(out, n, sizeof(*out), by_port);
    return n;
}

/* -- who has it -------------------------------------------------------------------------------- */

struct nodes {
    char paths[NODES_MOST][64];
    size_t n;
};

/* "video0" */
static void add_video_node(struct nodes *nodes, const char *name)
{
    if (nodes->n < NODES_MOST)
        (void)snprintf(nodes->paths[nodes->n++], sizeof(nodes->paths[0]), "/dev/%.50s", name);
}

/* Nodes of cameras below an interface: ".../1-2:1.1/video4linux/video0". */
static void add_video_nodes(struct nodes *nodes, const char *interface)
{
    char path[1024];
    const struct dirent *entry;
    DIR *all;

    (void)snprintf(path, sizeof(path), "%s/video4linux", interface);
    all = opendir(path);
    while (all != NULL && (entry = readdir(all)) != NULL)
        if (strncmp(entry->d_name, "video", 5) == 0)
            add_video_node(nodes, entry->d_name);
    if (all != NULL)
        (void)closedir(all);
}

static void nodes_of(const char *sys, const char *port, struct nodes *nodes)
{
    char path[512], interface[800], text[16], number[16];
    size_t len = strlen(port);
    const struct dirent *entry;
    int directory;
    DIR *bus;

    nodes->n = 0;
    if (strncmp(port, "video", 5) == 0) {
        add_video_node(nodes, port);
        return;
    }
    if (len == 0 || strspn(port, "0123456789-.") != len)
        return;
    (void)snprintf(path, sizeof(path), "%s/bus/usb/devices/%s", sys, port);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return;
    read_line(directory, "busnum", text, sizeof(text));
    read_line(directory, "devnum", number, sizeof(number));
    (void)close(directory);
    (void)snprintf(nodes->paths[nodes->n++], sizeof(nodes->paths[0]), "/dev/bus/usb/%03lu/%03lu",
                   strtoul(text, NULL, 10), strtoul(number, NULL, 10));
    (void)snprintf(path, sizeof(path), "%s/bus/usb/devices", sys);
    bus = opendir(path);
    while (bus != NULL && (entry = readdir(bus)) != NULL) {
        if (strncmp(entry->d_name, port, len) != 0 || entry->d_name[len] != ':')
            continue;
        (void)snprintf(interface, sizeof(interface), "%s/%.255s", path, entry->d_name);
        add_video_nodes(nodes, interface);
    }
    if (bus != NULL)
        (void)closedir(bus);
}

static bool is_one_of(const struct nodes *nodes, const char *path)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->paths[i], path) == 0)
            return true;
    return false;
}

/* -1: this process does not let itself be looked at. */
static int has_one_open(int process, const struct nodes *nodes)
{
    int directory = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *fds = directory >= 0 ? fdopendir(directory) : NULL;
    const struct dirent *entry;
    char target[256];
    int found = 0;

    if (fds == NULL) {
        int error = errno;

        if (directory >= 0)
            (void)close(directory);
        return error == EACCES || error == EPERM ? -1 : 0; /* else it has ended meanwhile */
    }
    while (found == 0 && (entry = readdir(fds)) != NULL) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

        target[n > 0 ? n : 0] = '\0';
        found = is_one_of(nodes, target);
    }
    (void)closedir(fds);
    return found;
}

bool plugged_holders(const struct plugged_roots *roots, const char *port, char *out, size_t size)
{
    DIR *all = opendir(proc_of(roots));
    const struct dirent *entry;
    bool complete = all != NULL;
    struct nodes nodes;
    char comm[32];
    size_t used = 0;

    out[0] = '\0';
    nodes_of(sys_of(roots), port, &nodes);
    while (all != NULL && nodes.n > 0 && (entry = readdir(all)) != NULL) {
        int process, r;

        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
            continue;
        process = openat(dirfd(all), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
            continue;
        r = has_one_open(process, &nodes);
        read_line(process, "comm", comm, sizeof(comm));
        (void)close(process);
        if (r < 0 && strncmp(comm, OURS, strlen(OURS)) != 0)
            complete = false;
        if (r <= 0 || strncmp(comm, OURS, strlen(OURS)) == 0 || used >= size)
            continue;
        used += (size_t)snprintf(out + used, size - used, "%s%s (%.10s)", used > 0 ? ", " : "",
                                 comm, entry->d_name);
    }
    if (all != NULL)
        (void)closedir(all);
    return complete;
}
