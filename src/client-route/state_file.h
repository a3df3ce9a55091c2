/* client-route/state_file.h: the text form of what must be undone, so that the next start cleans up after a crash or a
 * power cut. Pure. The file is ours alone, yet read as if a stranger had written it: whole, in order, or not at all.
 *
 *   lanparty-route-state 1
 *   pin family=4 luid=1689399632855040 dest=203.0.113.5 next_hop=192.0.2.1
 *   mtu family=4 luid=1970324836974592 set=1400 was=1500
 *   metric family=4 luid=1970324836974592 set=3 was=25 automatic=1
 *   defaults family=4 luid=1970324836974592 set=1 was=0
 *   end 4
 *
 * Changes stand in the order they were made. */
#ifndef CLIENT_ROUTE_STATE_FILE_H
#define CLIENT_ROUTE_STATE_FILE_H

#include "base/text.h"
#include "client-route/plan.h"

#define ROUTE_ERROR_BYTES 256
#define ROUTE_STATE_CHANGES_MAX 16
#define ROUTE_STATE_BYTES_MAX 4096 /* enough for the most changes */

/* Into `out`, which needs ROUTE_STATE_BYTES_MAX. */
void route_state_write(const struct route_change *changes, size_t count, struct base_text *out);

/* 0; BASE_E_SYNTAX (also a file that ends too early), BASE_E_VERSION, BASE_E_RANGE, BASE_E_FULL (too many changes),
 * with `error` naming line and field. The results stay untouched on failure. */
int route_state_parse(struct slice text, struct route_change ret[static ROUTE_STATE_CHANGES_MAX], size_t *ret_count,
                      char error[static ROUTE_ERROR_BYTES]);

#endif
