/* relay/holds.h: the seats of a room whose peers have left and may come back: the MAC of a client, the place of the
 * gateway. While a seat is kept nobody else gets it, so that a stranger who knows the room's code cannot be who has
 * just gone. Only peers with a seat key can be told from others, so only theirs are kept.
 *
 * Fixed size. When it is full the seat that was sat in for the shortest time goes: whoever comes and goes to push out
 * the seat of another has to stay as long as that one did. */
#ifndef RELAY_HOLDS_H
#define RELAY_HOLDS_H

#include "ctrl/message.h"
#include "relay/limiter.h"

struct relay_holds;

/* What goes on when its peer comes back: whoever leaves and returns starts nothing anew. */
struct relay_seat {
	uint64_t stayed_ns; /* altogether, without the time that it is in now */
	struct relay_bucket broadcast_rate, unknown_unicast_rate, bandwidth_rate, malformed_rate;
	struct relay_bucket broadcast_part; /* of what the room's broadcasts may cost */
	struct relay_bucket return_rate;
	/* Frames with a client's MAC that came in through the gateway: the first and the last of those without a pause, and
	 * until when the MAC is a LAN station's for their sake. */
	uint64_t claimed_since, claimed_last, claimed_until;
};

enum relay_hold {
	RELAY_HOLD_NONE,
	RELAY_HOLD_OWN, /* kept for whoever has the key of this hello */
	RELAY_HOLD_OTHER
};

struct relay_holds *relay_holds_new(void); /* NULL when memory is out */
void relay_holds_free(struct relay_holds *holds);
/* The seat that the peer with this hello, which must have a key, has left. It was not kept before. */
void relay_holds_keep(struct relay_holds *holds, const struct ctrl_hello *hello, const struct relay_seat *seat,
                      uint64_t until, uint64_t now);
/* The seat that is kept for whoever has the key of this hello, or NULL; as long as nothing else is kept or released. */
struct relay_seat *relay_holds_own(struct relay_holds *holds, const struct ctrl_hello *hello, uint64_t now);
/* Somebody sits there again. */
void relay_holds_release(struct relay_holds *holds, const struct ctrl_hello *hello);
/* For whom the seat this hello asks for is kept. `holds` may be NULL in these, and in relay_holds_own. */
enum relay_hold relay_holds_ask(const struct relay_holds *holds, const struct ctrl_hello *hello, uint64_t now);
/* The LAN is another one: its stations claim nothing any more. */
void relay_seat_forget_claim(struct relay_seat *seat);
void relay_holds_forget_claims(struct relay_holds *holds);
size_t relay_holds_count(const struct relay_holds *holds, uint64_t now);

/* Whether both have a key and it is the same, in constant time: a stranger must not find a key byte by byte. */
bool relay_same_key(const struct ctrl_hello *a, const struct ctrl_hello *b);

#endif
