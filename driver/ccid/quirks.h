/*
 * quirks: the readers we know by name, and what must be done differently for each. One table.
 */
#ifndef UKETSUKE_CCID_QUIRKS_H
#define UKETSUKE_CCID_QUIRKS_H

#include <stdint.h>

#define CCID_QUIRK_VENDOR_CLASS 0x01u /* interface class 0xFF instead of 0x0B */

struct ccid_quirk {
    const char *name;
    const char *source; /* where the row is from */
    uint32_t flags;
    uint16_t vendor, product;
};

/* NULL for a reader that is not in the table, which is no fault of it. */
const struct ccid_quirk *ccid_quirk_find(uint16_t vendor, uint16_t product);
/* Row `i`, NULL behind the last. For lists shown to people. */
const struct ccid_quirk *ccid_quirk_at(unsigned i);

#endif
