/* client-win/advice.h: what the Windows client says to a person about the state of their PC, and what to do. Pure texts
 * over plain values. */
#ifndef CLIENT_WIN_ADVICE_H
#define CLIENT_WIN_ADVICE_H

#include "base/text.h"
#include "client-core/session.h"
#include "client-route/plan.h"
#include "client-tap/registry.h"

#define WINMAIN_ADVICE_BYTES 640

/* The driver did not take the tunnel's address even after a restart of the adapter (WIN-3). `restart_error` is why it
 * could not be restarted, "" when it was. */
void winmain_advise_mac(struct base_text *out, const struct tapwin_adapter *adapter, struct proto_mac driver,
                        struct proto_mac tunnel, const char *restart_error);
/* "room ROOM1, peer 3, MTU 1400, gateway: connected (peer 1)" (WIN-7, CTL-4). */
void winmain_advise_joined(struct base_text *out, const char *room, const struct ctrl_welcome *welcome);

/* One line for each route_note; NULL: this bit says nothing. */
const char *winmain_advise_note(enum route_note note);

/* Which exit status a failure of adapter or registry leads to. */
enum client_exit winmain_exit_of_adapter(int err);

#endif
