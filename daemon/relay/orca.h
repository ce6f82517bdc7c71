/*
 * orca: acceptmodv2 of ORCA (日医標準レセプトソフト): the request's XML and what its answer says.
 * Pure.
 *
 * Source: "日医標準レセプトソフト API 受付", www.orca.med.or.jp/receipt/tec/api/acceptmod.html (as
 * of 2024-11-26): Request_Number 01 registers a reception; Department_Code and Physician_Code are
 * required, Medical_Information may be missing; without HealthInsurance_Information ORCA takes the
 * patient's last combination. Api_Result "00" is good, K1 to K3 are warnings, 16 says that such a
 * reception is there already, 90 that another terminal has the patient open. Which codes count as
 * what is configuration.
 */
#ifndef UKETSUKE_RELAY_ORCA_H
#define UKETSUKE_RELAY_ORCA_H

#include "codec_xml.h"

#include "../common/outbox.h"

struct orca_settings {
    const char *department;
    const char *physician;
    const char *medical;  /* "" none */
    const char *accepted; /* codes, separated by blanks */
    const char *busy;
};

/* UTF-8, NUL-terminated; the caller wipes and frees it. NULL: no memory, or a tree without patient.
 */
char *orca_request(const struct orca_settings *settings, const struct xmlmsg *tree);

/*
 * DONE, NOT_SENT (busy), REFUSED, or DOUBTFUL (no answer of ORCA's). `detail`: the code and ORCA's
 * words, "" when there are none.
 */
enum handover_outcome orca_read(struct codec_xml *codec, const struct orca_settings *settings,
                                const void *data, size_t len, char detail[129]);

#endif
