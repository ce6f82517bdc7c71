/*
 * What a card session proves: whose certificate it is and, for a PIN visit, that the card signed.
 */
#ifndef SIM_SERVICE_PROOF_H
#define SIM_SERVICE_PROOF_H

#include "answer.h"
#include "service.h"

struct proof {
    const struct person *person; /* borrowed */
    bool expires_soon;           /* within three months */
    bool in_grace;               /* expired, but it still names the person */
};

/*
 * Checks UserCertificate (base64 of DER), Method ("face", "pin", "visual") and, for "pin",
 * SignedStatement and Signature (base64): the signature over the exact bytes with the certificate's
 * key (RSA PKCS#1 v1.5 or ECDSA, SHA-256), then the statement's lines. Sets the reply's subject and
 * nonce.
 * False: the reply is the refusal.
 */
bool proof_check(struct service *service, const struct request *request, const json_t *session,
                 struct proof *proof, struct reply *reply);

/* Forgets nonces too old to pass the time check. */
/*
 * The statement of this request names no entitlement yet (the card is not registered, or was just
 * registered): the next request may bring it once more, so that a patient keys in one PIN.
 */
void proof_hand_on(struct service *service, struct reply *reply);
void proof_purge_nonces(struct service *service);

#endif
