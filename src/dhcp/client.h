/* dhcp/client.h: a DHCP client (RFC 2131 section 4.4) for an interface that is used for one thing: it asks for an
 * address and its subnet mask, and takes no router, name server or anything else. Sans-IO: frames and time in; frames,
 * events and a deadline out.
 *
 * It keeps its lease when the LAN goes away, and asks whether that still holds when it comes back. A new address is
 * tried out first (RFC 5227): one that somebody has already is declined. */
#ifndef DHCP_CLIENT_H
#define DHCP_CLIENT_H

#include "base/rng.h"
#include "base/time.h"
#include "dhcp/message.h"

enum dhcp_state {
	DHCP_STOPPED,    /* no LAN */
	DHCP_SELECTING,  /* looks for servers, perhaps with a lease that none has confirmed yet */
	DHCP_REQUESTING, /* has taken an offer */
	DHCP_REBOOTING,  /* asks whether its lease still holds */
	DHCP_PROBING,    /* asks the LAN whether somebody has the new address */
	DHCP_BOUND,
	DHCP_RENEWING,  /* asks its own server */
	DHCP_REBINDING, /* asks every server */
};

struct dhcp_lease {
	uint32_t address, server; /* host byte order */
	struct proto_mac server_mac;
	uint8_t prefix; /* as dhcp_answer */
	uint32_t broadcast;
	uint64_t renew_at, rebind_at, expires_at; /* BASE_NEVER: it has no end */
};

/* Events may not call the client. */
struct dhcp_events {
	void (*send)(void *user, struct slice frame, uint64_t now);
	/* NULL, or why this machine cannot use an address that it does not have yet. */
	const char *(*unfit)(void *user, uint32_t address);
	/* A new lease in place of the one before, or the same one for longer: is to be in effect on return. False: it could
	 * not be, and nothing is. */
	bool (*leased)(void *user, const struct dhcp_lease *lease, uint64_t now);
	void (*lost)(void *user, const char *why, uint64_t now);
	/* The address that the server would have given is unfit, or another machine of the LAN has it. */
	void (*declined)(void *user, uint32_t address, const char *why, uint64_t now);
};

struct dhcp_client {
	const struct dhcp_events *events;
	void *user;
	struct proto_mac mac;
	struct base_rng rng;
	enum dhcp_state state;
	uint32_t xid;
	unsigned tries;    /* in this state */
	uint64_t begun_at; /* when this exchange began */
	uint16_t seconds;  /* it took so far; of a request, until its offer was asked for */
	uint64_t asked_at; /* when the last message left: leases count from there */
	uint64_t at;       /* what is due next */
	bool has_lease;
	struct dhcp_lease lease;
	struct dhcp_lease offer; /* REQUESTING: address and server only; PROBING: all of it */
};

/* `seed`: for transaction IDs and for clients that begin at once not to stay in step. */
void dhcp_client_init(struct dhcp_client *client, struct proto_mac mac, uint64_t seed, const struct dhcp_events *events,
                      void *user);

/* The LAN is there, or another one: at once it asks anew, or for its lease. */
void dhcp_client_start(struct dhcp_client *client, uint64_t now);
/* The LAN is gone; the lease stays until it ends. */
void dhcp_client_stop(struct dhcp_client *client);
/* Gives the lease back and stops; no event. */
void dhcp_client_release(struct dhcp_client *client, uint64_t now);

/* Any frame from the LAN. True: it was for this client, and for nobody else on this machine. */
bool dhcp_client_frame(struct dhcp_client *client, struct slice frame, uint64_t now);

void dhcp_client_tick(struct dhcp_client *client, uint64_t now);
uint64_t dhcp_client_deadline(const struct dhcp_client *client);

#endif
