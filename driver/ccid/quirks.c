#include "quirks.h"

#include <stddef.h>

#define CCID_LIST "libccid's list of readers, descriptor file "
#define LSUSB_LIST "lsusb output of the reader, published by netlog.jpn.org in December 2022"

static const struct ccid_quirk rows[] = {
    {"Sony FeliCa RC-S300/S", CCID_LIST "SONY_FeliCa_RC-S300_S", 0, 0x054c, 0x0dc8},
    {"Sony FeliCa RC-S300/P", CCID_LIST "SONY_FeliCa_RC-S300_P", 0, 0x054c, 0x0dc9},
    {"Sony FeliCa RC-S660/U", CCID_LIST "SONY_FeliCa_RC-S660_U", 0, 0x054c, 0x0d8f},
    {"ACS ACR39U", CCID_LIST "ACR39U", 0, 0x072f, 0xb100},
    {"ACS ACR40U", CCID_LIST "ACS_ACR40U_ICC_Reader", 0, 0x072f, 0xb506},
    {"ACS ACR1252", CCID_LIST "ACS_ACR1252_Dual_Reader", 0, 0x072f, 0x223b},
    {"ACS ACR1251 (ACR1251DI-NTTCom)", LSUSB_LIST, 0, 0x072f, 0x221b},
    {"Alcor Micro AU9540", CCID_LIST "AU9540", 0, 0x058f, 0x9540},
    {"Gemalto PC Twin", CCID_LIST "GemPCTwin", 0, 0x08e6, 0x3437},
    {"SCM SCR3310", LSUSB_LIST, 0, 0x04e6, 0x5116},
    {"NTT Communications SCR3310-NTTCom", CCID_LIST "SCR3310-NTTCom (class 0xFF)",
     CCID_QUIRK_VENDOR_CLASS, 0x04e6, 0x511a},
    {"NTT Communications SCR331-DI-NTTCom", CCID_LIST "SCR331-DI-NTTCom (class 0xFF)",
     CCID_QUIRK_VENDOR_CLASS, 0x04e6, 0x5120},
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
