/* client-win/firewall.h: the network category that Windows gave the LAN, on which its firewall depends: Public hides
 * this PC from other players. Decides what to say and what to change, once; the system is behind struct winmain_profile
 * (profile.h: Windows' INetworkListManager; a table in tests). */
#ifndef CLIENT_WIN_FIREWALL_H
#define CLIENT_WIN_FIREWALL_H

#include "obs/log.h"

#include <stdbool.h>
#include <stdint.h>

enum winmain_category { WINMAIN_PUBLIC, WINMAIN_PRIVATE, WINMAIN_DOMAIN };

#define WINMAIN_PROFILE_ERROR_BYTES 160
#define WINMAIN_NETWORK_ID_BYTES 16

/* What Windows takes a LAN for. */
struct winmain_network {
	uint8_t id[WINMAIN_NETWORK_ID_BYTES];
	enum winmain_category category;
	bool lasting; /* false: an unidentified network, whose category is forgotten when the cable goes */
};

/* `guid` is the adapter's, with braces. 0; BASE_E_NOT_FOUND: Windows knows no network on this adapter (yet), or to set:
 * another one than this; BASE_E_DENIED, BASE_E_UNSUPPORTED, BASE_E_IO with `error`. */
struct winmain_profile {
	int (*get)(void *user, const char *guid, struct winmain_network *ret,
	           char error[static WINMAIN_PROFILE_ERROR_BYTES]);
	int (*set)(void *user, const char *guid, const struct winmain_network *wanted,
	           char error[static WINMAIN_PROFILE_ERROR_BYTES]);
	void *user;
};

struct winmain_firewall {
	const struct winmain_profile *profile;
	struct obs_log *log;
	const char *guid;
	bool make_private;              /* --private-network */
	bool settled;                   /* nothing left to do or to say for `network` */
	bool changed;                   /* it was Public and is Private because of us, until it is put back */
	struct winmain_network network; /* all zero after a failure */
};

/* Call from time to time while the adapter is connected: Windows takes some seconds to see a network there, and takes
 * it for another one when an address comes from a DHCP server, which may be much later. */
void winmain_firewall_look(struct winmain_firewall *firewall);
/* Call before the adapter is disconnected: what comes next may be another network, and only one that is connected can
 * be put back. */
void winmain_firewall_forget(struct winmain_firewall *firewall);
/* Puts back what was changed. */
void winmain_firewall_restore(struct winmain_firewall *firewall);

#endif
