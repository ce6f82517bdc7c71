#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/common/log.h"

static const char *seed_folder;
size_t fuzz_seed_tail;

_Noreturn void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* ---- seeds ----------------------------------------------------------------------------------- */

void seed_bytes(struct fuzz_seed *seed, const void *data, size_t len)
{
    if (len > sizeof(seed->data) - seed->len)
        fuzz_broken("the seed fits", __FILE__, __LINE__);
    if (len > 0)
        memcpy(seed->data + seed->len, data, len);
    seed->len += len;
}

void seed_u8(struct fuzz_seed *seed, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    seed_bytes(seed, &byte, 1);
}

void seed_u16(struct fuzz_seed *seed, unsigned value)
{
    seed_u8(seed, value & 0xff);
    seed_u8(seed, value >> 8 & 0xff);
}

void seed_u32(struct fuzz_seed *seed, uint32_t value)
{
    seed_u16(seed, value & 0xffff);
    seed_u16(seed, value >> 16);
}

void seed_u64(struct fuzz_seed *seed, uint64_t value)
{
    seed_u32(seed, (uint32_t)value);
    seed_u32(seed, (uint32_t)(value >> 32));
}

void seed_hex(struct fuzz_seed *seed, const char *hex)
{
    unsigned value;

    for (; *hex != '\0'; hex += 2) {
        while (*hex == ' ')
            hex++;
        if (*hex == '\0')
            break;
        if (sscanf(hex, "%2x", &value) != 1)
            fuzz_broken("hex digits", __FILE__, __LINE__);
        seed_u8(seed, value);
    }
}

void seed_piece(struct fuzz_seed *seed, const void *data, size_t len)
{
    if (len > UINT16_MAX)
        fuzz_broken("the piece fits", __FILE__, __LINE__);
    seed_u16(seed, (unsigned)len);
    seed_bytes(seed, data, len);
}

void seed_piece_hex(struct fuzz_seed *seed, const char *hex)
{
    size_t at = seed->len, len;

    seed_u16(seed, 0);
    seed_hex(seed, hex);
    len = seed->len - at - 2;
    seed->data[at] = (uint8_t)len;
    seed->data[at + 1] = (uint8_t)(len >> 8);
}

void seed_text(struct fuzz_seed *seed, const char *text)
{
    seed_piece(seed, text, strlen(text));
}

void seed_write(struct fuzz_seed *seed, const char *name)
{
    char path[512];
    FILE *file;

    for (size_t i = 0; i < fuzz_seed_tail; i++)
        seed_u8(seed, 0);
    snprintf(path, sizeof(path), "%s/%s", seed_folder, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(seed->data, 1, seed->len, file) != seed->len || fclose(file) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    seed->len = 0;
}

static void silent(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_capture(silent, NULL);
    if (*argc != 3 || strcmp((*argv)[1], "--seeds") != 0)
        return 0;
    seed_folder = (*argv)[2];
    (void)mkdir(seed_folder, 0700);
    fuzz_seeds();
    exit(0);
}
