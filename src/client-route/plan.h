/* client-route/plan.h: what to change in the system's routes and interfaces so that the tunnel works, and how to take
 * it back: decisions over plain values, nothing is read or changed here (RTE-1, RTE-3, RTE-4, RTE-5, WIN-4). An
 * interface is its LUID, which stays when indexes change. */
#ifndef CLIENT_ROUTE_PLAN_H
#define CLIENT_ROUTE_PLAN_H

#include "base/addr.h"

struct route_entry {
	struct base_addr dest; /* host bits zero, port 0 */
	uint8_t prefix;
	struct base_addr next_hop; /* of the same family; all zeros: on link */
	uint64_t luid;
	uint32_t index;  /* of the interface, for logs: Windows may renumber; 0: not known */
	uint32_t metric; /* the route's and its interface's, summed: what decides between equal prefixes */
};

/* What one address family of an interface is set to. */
struct route_settings {
	bool present; /* false: the interface does not have this family */
	bool automatic_metric;
	bool no_default_routes;
	uint32_t metric;
	uint32_t mtu;
};

/* One address of this machine. */
struct route_unicast {
	struct base_addr addr;
	uint8_t prefix;
	uint64_t luid;
	bool by_hand; /* a person set it; neither a DHCP server nor the system itself */
};

/* What the system says about the way to the relay. */
struct route_view {
	const struct route_entry *routes; /* of the relay's family */
	size_t count;
	const struct route_entry *best; /* by the system's own choice; NULL: it has none */
	uint64_t tap_luid;
};

enum route_change_kind { ROUTE_CHANGE_PIN, ROUTE_CHANGE_MTU, ROUTE_CHANGE_METRIC, ROUTE_CHANGE_DEFAULTS };

/* One change with everything that is needed to take it back. */
struct route_change {
	enum route_change_kind kind;
	uint8_t family; /* enum base_family */
	uint64_t luid;
	struct route_entry pin; /* PIN only; its metric is 0 */
	uint32_t set, was;      /* the others; DEFAULTS: 1 means that default routes are ignored */
	bool was_automatic;     /* METRIC only */
};

const char *route_change_name(enum route_change_kind kind); /* "pin", "mtu", "metric", "defaults" */

/* What a tunnel adapter is to be set to. */
struct route_tap_wish {
	uint16_t mtu;
	bool smaller_will_do; /* a smaller MTU stays: somebody may need it, and all fits */
	uint32_t metric;      /* low enough that broadcasts leave by the tunnel */
};

#define ROUTE_TAP_METRIC 1      /* none is before it; what Windows chooses by itself begins with 5 */
#define ROUTE_TAP_CHANGES_MAX 6 /* three settings, two families */

enum route_note {
	ROUTE_NOTE_DEFAULTS_V4 = 1, /* default routes were not ignored until now (WIN-2 wants a warning) */
	ROUTE_NOTE_DEFAULTS_V6 = 2,
	ROUTE_NOTE_NO_V6 = 4, /* IPv6 is switched off on the adapter */
	ROUTE_NOTE_SMALL_MTU =
	    8, /* below IPv6's minimum: the IPv6 MTU stays, IPv6 through the tunnel is not to be relied on */
};

struct route_tap_plan {
	struct route_change changes[ROUTE_TAP_CHANGES_MAX]; /* in order; undone in reverse */
	size_t count;
	unsigned notes; /* enum route_note */
};

/* `now` is IPv4's settings, then IPv6's. What already is as wished is no change and never taken back. 0, or
 * BASE_E_NOT_FOUND when the adapter has no IPv4. */
int route_plan_tap(uint64_t luid, const struct route_settings now[static 2], const struct route_tap_wish *wish,
                   struct route_tap_plan *ret);

/* Puts a change that is no pin into the settings of its family. */
void route_change_apply(const struct route_change *change, struct route_settings *settings);
/* Puts back what was. False, with nothing changed: the setting is no longer what we made it, so it is somebody else's.
 */
bool route_change_undo(const struct route_change *change, struct route_settings *settings);

enum route_pin_kind {
	ROUTE_PIN_NEEDLESS, /* no route of the LAN can take this address over: link-local, loopback */
	ROUTE_PIN_EXISTS,   /* an exact host route is there: used, and left alone */
	ROUTE_PIN_ADD,
};

struct route_pin_plan {
	enum route_pin_kind kind;
	struct route_change change; /* ADD: what to do; EXISTS: .pin is the route that is there */
	bool follows;               /* ADD: copies the way that the route table gives, so it may follow that later */
};

/* The host route for the relay on the way that is best without the tunnel. 0, or BASE_E_NOT_FOUND: there is no way
 * around the tunnel. */
int route_plan_pin(const struct route_view *view, const struct base_addr *relay, struct route_pin_plan *ret);

enum route_pin_verdict {
	ROUTE_PIN_GOOD,
	ROUTE_PIN_LOST,      /* not in the table any more: plan anew */
	ROUTE_PIN_MOVED,     /* the network has another way now: remove it, then plan anew */
	ROUTE_PIN_OVERRULED, /* it is there, but the system prefers another way */
};

/* Whether the pin still does its work; `follows` says whether it may follow the table (ours, and copied from there). */
enum route_pin_verdict route_pin_judge(const struct route_view *view, const struct route_entry *pin, bool follows);

/* The most specific, then cheapest route to `dest` that does not use `except_luid` and is not `except` (NULL: none).
 * False: there is none. */
bool route_best_of(const struct route_entry *routes, size_t count, const struct base_addr *dest, uint64_t except_luid,
                   const struct route_entry *except, struct route_entry *ret);
/* The same destination, next hop and interface; the metric may differ. */
bool route_entry_same(const struct route_entry *a, const struct route_entry *b);

/* The address to show for an interface: IPv4 before IPv6, but what is not link-local before what is. False: none. */
bool route_choose_unicast(const struct route_unicast *list, size_t count, uint64_t luid, struct route_unicast *ret);
/* The home network that is also the LAN's: an IPv4 network of another interface that overlaps one of the TAP's. Then
 * either of the two cannot be reached. False: none. */
bool route_find_overlap(const struct route_unicast *list, size_t count, uint64_t tap_luid,
                        struct route_unicast *ret_home, struct route_unicast *ret_lan);

#endif
