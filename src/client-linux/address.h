/* client-linux/address.h: makes the tunnel interface a station of the LAN, and nothing but the game goes there: an
 * address by DHCP, the broadcasts and multicasts of this machine's programs, no default route. */
#ifndef CLIENT_LINUX_ADDRESS_H
#define CLIENT_LINUX_ADDRESS_H

#include "client-linux/rtnl.h"
#include "dhcp/client.h"
#include "loop/loop.h"
#include "obs/log.h"

struct lintap_address_options {
	struct loop *loop;
	struct rtnl *rtnl;
	struct obs_log *log;
	unsigned ifindex;
	const char *interface;
	struct proto_mac mac;
	uint64_t seed;
	void (*send)(void *user, struct slice frame, uint64_t now); /* to the LAN */
	/* The relay's address as the client tries it, family NONE before. */
	const struct base_addr *relay;
	void (*changed)(void *user); /* the interface has an address, or none any more */
	void *user;
};

struct lintap_address { /* all zero: not in use */
	struct lintap_address_options options;
	struct dhcp_client dhcp;
	struct loop_timer timer;
	struct netlink_address held; /* family NONE: none */
	bool unturned_said;          /* that broadcasts cannot be turned */
};

/* Before the interface is up: no IPv6 router of the LAN becomes this machine's, and in ARP it has its address of the
 * LAN alone. */
void lintap_address_init(struct lintap_address *address, const struct lintap_address_options *options);
/* The LAN is there: nothing new if it was; or it is gone. */
void lintap_address_lan(struct lintap_address *address, bool there, uint64_t now);
/* The interface has an IPv4 address, from whomever: on a LAN without a DHCP server it is set by hand. While the LAN is
 * there, what programs say to everybody and to groups goes there. */
void lintap_address_seen(struct lintap_address *address);
/* A frame from the LAN. True: the machine does not get it. */
bool lintap_address_frame(struct lintap_address *address, struct slice frame, uint64_t now);
/* Puts the address back if somebody removed it. */
void lintap_address_keep(struct lintap_address *address, uint64_t now);
/* Gives the lease back; the interface goes away with its address and routes. */
void lintap_address_release(struct lintap_address *address, uint64_t now);

#endif
