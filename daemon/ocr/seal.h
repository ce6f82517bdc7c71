/* seal: the number to the reader's key of this visit; the format stands in
 * driver/reader/envelope.h. */
#ifndef UKETSUKE_OCR_SEAL_H
#define UKETSUKE_OCR_SEAL_H

#include <stddef.h>
#include <stdint.h>

#define SEAL_POINT 65u
#define SEAL_NUMBER 14u
#define SEAL_BYTES (SEAL_POINT + 12u + SEAL_NUMBER + 16u)

/* `point`: P-256, uncompressed. 0; -EINVAL when it is no point of the curve; -EIO. */
int seal_number_b(const uint8_t point[SEAL_POINT], uint64_t visit, const char number[SEAL_NUMBER],
                  uint8_t out[SEAL_BYTES]);

#endif
