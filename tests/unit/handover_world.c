#include "handover_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char world_top[64];

void world_note(const char *book, const char *line)
{
    char path[200];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", world_top, book);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", line) < 0)
        abort();
    (void)close(fd);
}

unsigned world_noted(const char *book, bool *same)
{
    char path[200], line[300], first[300] = "";
    unsigned n = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", world_top, book);
    file = fopen(path, "re");
    *same = true;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (n++ == 0)
            (void)strcpy(first, line);
        *same = *same && strcmp(first, line) == 0;
    }
    if (file != NULL)
        (void)fclose(file);
    return n;
}

void world_take(const char *directory, const char *prefix, const char *book)
{
    const struct dirent *entry;
    DIR *dir = opendir(directory);

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL) {
        char path[400], text[40000] = "";
        FILE *file;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        file = fopen(path, "re");
        if (file == NULL || fread(text, 1, sizeof(text) - 1, file) == 0 || fclose(file) != 0)
            abort();
        world_note(book, strstr(text, "</end>") != NULL ? "whole" : "HALF");
        (void)unlink(path);
    }
    (void)closedir(dir);
}

unsigned world_files(const char *directory, bool remove)
{
    const struct dirent *entry;
    unsigned n = 0;
    DIR *dir = opendir(directory);

    if (dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL) {
        char path[400];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "work") == 0 ||
            strcmp(entry->d_name, "chart-work") == 0 || strcmp(entry->d_name, "face") == 0 ||
            strcmp(entry->d_name, "chart") == 0)
            continue;
        n++;
        if (remove)
            (void)unlink(path);
    }
    (void)closedir(dir);
    return n;
}
