/* client-linux/limits.h: every cap and interval of the Linux client on one page. */
#ifndef CLIENT_LINUX_LIMITS_H
#define CLIENT_LINUX_LIMITS_H

#include "base/time.h"

#define LINTAP_ROUTE_CHECK_NS (5 * BASE_SECOND)
/* From news about a route to the next look: changes come in bursts. */
#define LINTAP_ROUTE_SETTLE_NS (100 * BASE_MS)
/* Addresses of a relay whose way is watched while there is none: one of each family, and some more. */
#define LINTAP_CUT_OFF_MAX 4
#define LINTAP_DIAGNOSTICS_NS (10 * BASE_SECOND)
/* How often the LAN is asked whether somebody else has an address that was set by hand. */
#define LINTAP_CONTEST_NS (60 * BASE_SECOND)
/* After the room is lost the link stays up for so long: a short outage must not make the machine's DHCP client drop its
 * lease, a long one should look like a pulled cable. */
#define LINTAP_CARRIER_GRACE_NS (30 * BASE_SECOND)

#endif
