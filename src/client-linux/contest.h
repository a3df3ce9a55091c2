/* client-linux/contest.h: whether a LAN machine has the address that somebody gave the tunnel interface by hand. The
 * kernel asks nobody (RFC 5227 is for who sets an address), and the gateway's address guard keeps our claims from the
 * owner: without a question of ours the player would meet silence and no reason for it. Pure. */
#ifndef CLIENT_LINUX_CONTEST_H
#define CLIENT_LINUX_CONTEST_H

#include "base/addr.h"
#include "proto/mac.h"

struct lintap_contest { /* all zero: nothing is asked about */
	struct base_addr address;
	uint64_t ask_at;
	bool answered; /* since the last question */
	bool taken;
};

/* `address` is what the interface has by now, of no family if there is nothing to ask. True: send a probe of it. */
bool lintap_contest_ask(struct lintap_contest *contest, const struct base_addr *address, uint64_t now);
/* A frame from the LAN. True: by it the address is found to be taken. */
bool lintap_contest_frame(struct lintap_contest *contest, struct proto_mac mac, struct slice frame);

#endif
