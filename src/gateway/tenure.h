/* gateway/tenure.h: which addresses remote clients have had for a while, as they themselves say in ARP and neighbour
 * discovery. Who has had one for GATEWAY_TENURE_NS may go on saying so when the LAN asks whether it is free; who says
 * so for the first time then may not. Pure; fixed size. */
#ifndef GATEWAY_TENURE_H
#define GATEWAY_TENURE_H

#include "gateway/claim.h"

struct gateway_tenure;

struct gateway_tenure *gateway_tenure_new(const uint64_t seed[static 2]); /* NULL when memory is out */
void gateway_tenure_free(struct gateway_tenure *tenure);                  /* accepts NULL */

/* This client claims this address; the one that it claimed longest ago is forgotten when it has too many of the
 * kind. */
void gateway_tenure_note(struct gateway_tenure *tenure, const struct gateway_claim *claim, struct proto_mac client,
                         uint64_t now);
bool gateway_tenure_has(struct gateway_tenure *tenure, const struct gateway_claim *claim, struct proto_mac client,
                        uint64_t now);

#endif
