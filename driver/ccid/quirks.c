#include "quirks.h"

#include <stddef.h>

#define CCID_LIST "libccid's list of readers, descriptor file "

static const struct ccid_quirk rows[] = {
    { 0x054c, 0x0dc8, "Sony FeliCa RC-S300/S", 0, CCID_LIST "SONY_FeliCa_RC-S300_S" },
    { 0x054c, 0x0dc9, "Sony FeliCa RC-S300/P", 0, CCID_LIST "SONY_FeliCa_RC-S300_P" },
    { 0x054c, 0x0d8f, "Sony FeliCa RC-S660/U", 0, CCID_LIST "SONY_FeliCa_RC-S660_U" },
    { 0x072f, 0xb100, "ACS ACR39U", 0, CCID_LIST "ACR39U" },
    { 0x072f, 0x221b, "ACS ACR1251 (ACR1251DI-NTTCom)", 0,
      "lsusb output published by netlog.jpn.org, 2022-12; read My Number Cards on both interfaces" },
    { 0x04e6, 0x5116, "SCM SCR3310", 0, "lsusb output published by netlog.jpn.org, 2022-12" },
    { 0x04e6, 0x511a, "NTT Communications SCR3310-NTTCom", CCID_QUIRK_VENDOR_CLASS,
      CCID_LIST "SCR3310-NTTCom: bInterfaceClass 0xFF" },
    { 0x04e6, 0x5120, "NTT Communications SCR331-DI-NTTCom", CCID_QUIRK_VENDOR_CLASS,
      CCID_LIST "SCR331-DI-NTTCom: bInterfaceClass 0xFF" },
};

const struct ccid_quirk *ccid_quirk_find(uint16_t vendor, uint16_t product)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].vendor == vendor && rows[i].product == product)
            return &rows[i];
    return NULL;
}

const struct ccid_quirk *ccid_quirk_at(unsigned i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}
