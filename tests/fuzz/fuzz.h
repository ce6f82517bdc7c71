/*
 * fuzz: what the fuzz targets share. A target plays the outside world from libFuzzer's bytes: what is read from the
 * input is what a card, a device, a peer or a file says.
 *
 * Each fuzz_NAME.c has LLVMFuzzerTestOneInput() and fuzz_seeds(); the seeds are made when they are wanted
 * (`fuzz_NAME --seeds FOLDER`), never kept in the tree.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What must hold: says so and aborts, so that the input is kept. */
#define FUZZ_CHECK(holds)                                                                          \
    do {                                                                                           \
        if (!(holds))                                                                              \
            fuzz_broken(#holds, __FILE__, __LINE__);                                               \
    } while (0)
_Noreturn void fuzz_broken(const char *what, const char *file, int line);

/* ---- reading the input: zero and nothing when it has ended ----------------------------------- */

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

uint8_t fuzz_u8(struct fuzz_input *in);
uint16_t fuzz_u16(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
uint64_t fuzz_u64(struct fuzz_input *in);
/* A piece with a 16-bit length in front, shortened to `most` and to what is left. Borrowed. */
const uint8_t *fuzz_piece(struct fuzz_input *in, size_t most, size_t *len);
/* The same in memory of its own of exactly that size: reading past it is seen. Free it. */
uint8_t *fuzz_piece_copy(struct fuzz_input *in, size_t most, size_t *len);
/* A piece as text without NUL. Free it. */
char *fuzz_text(struct fuzz_input *in, size_t most);

/* ---- making seeds ---------------------------------------------------------------------------- */

/* Writes this target's seeds by the functions below. */
void fuzz_seeds(void);

struct fuzz_seed {
    uint8_t data[70000];
    size_t len;
};
void seed_u8(struct fuzz_seed *seed, unsigned value);
void seed_u16(struct fuzz_seed *seed, unsigned value); /* little endian, as fuzz_u16() reads */
void seed_u32(struct fuzz_seed *seed, uint32_t value);
void seed_u64(struct fuzz_seed *seed, uint64_t value);
void seed_bytes(struct fuzz_seed *seed, const void *data, size_t len);
/* Hex digits, blanks allowed. */
void seed_hex(struct fuzz_seed *seed, const char *hex);
/* For fuzz_piece() and fuzz_text(). */
void seed_piece(struct fuzz_seed *seed, const void *data, size_t len);
void seed_piece_hex(struct fuzz_seed *seed, const char *hex);
void seed_text(struct fuzz_seed *seed, const char *text);
/* Bytes of zero that seed_write() puts behind each seed (fuzz_shortage.h). */
extern size_t fuzz_seed_tail;
/* Into a file of the seed folder; the seed is empty afterwards. */
void seed_write(struct fuzz_seed *seed, const char *name);

#endif
