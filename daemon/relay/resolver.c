#include "resolver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* One word of the line: a module, or an [action] of nsswitch.conf(5). */
static void load(const char *word)
{
    char name[96];

    if (word[0] == '[' || strcspn(word, "/]=") != strlen(word))
        return;
    (void)snprintf(name, sizeof(name), "libnss_%.64s.so.2", word);
    /* Kept open for good; what cannot be loaded would not have been used either. */
    (void)dlopen(name, RTLD_NOW);
}

void resolver_load_modules(void)
{
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    char line[512];

    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        char *save = NULL;

        line[strcspn(line, "#\n")] = '\0';
        if (strncmp(line, "hosts:", 6) != 0)
            continue;
        for (char *word = strtok_r(line + 6, " \t", &save); word != NULL;
             word = strtok_r(NULL, " \t", &save))
            load(word);
    }
    (void)fclose(file);
}
