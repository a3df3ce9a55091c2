#include "relay/holds.h"

#include "relay/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct hold {
	struct proto_mac place; /* zero: the gateway's */
	uint8_t key[CTRL_SEAT_KEY_BYTES];
	uint64_t until; /* free when it is over */
	struct relay_seat seat;
};

struct relay_holds {
	struct hold places[RELAY_HOLDS_MAX];
};

struct relay_holds *relay_holds_new(void) {
	return calloc(1, sizeof(struct relay_holds));
}

void relay_holds_free(struct relay_holds *holds) {
	free(holds);
}

static bool is_equal(const uint8_t *a, const uint8_t *b) {
	uint8_t difference = 0;

	for (size_t i = 0; i < CTRL_SEAT_KEY_BYTES; i++)
		difference |= (uint8_t)(a[i] ^ b[i]);
	return difference == 0;
}

bool relay_same_key(const struct ctrl_hello *a, const struct ctrl_hello *b) {
	return a->has_seat_key && b->has_seat_key && is_equal(a->seat_key, b->seat_key);
}

static struct proto_mac place_of(const struct ctrl_hello *hello) {
	return hello->role == CTRL_ROLE_CLIENT ? hello->mac : (struct proto_mac){{0}};
}

/* The place to give up first: one that is over, else the one of the shortest stay. */
static bool is_less(const struct hold *a, const struct hold *b, uint64_t now) {
	if ((a->until <= now) != (b->until <= now))
		return a->until <= now;
	return a->seat.stayed_ns < b->seat.stayed_ns;
}

void relay_holds_keep(struct relay_holds *holds, const struct ctrl_hello *hello, const struct relay_seat *seat,
                      uint64_t until, uint64_t now) {
	struct hold hold = {.place = place_of(hello), .until = until, .seat = *seat};
	struct hold *least = &holds->places[0];

	assert(hello->has_seat_key);
	memcpy(hold.key, hello->seat_key, sizeof(hold.key));
	for (size_t i = 1; i < RELAY_HOLDS_MAX; i++) {
		if (is_less(&holds->places[i], least, now))
			least = &holds->places[i];
	}
	if (!is_less(&hold, least, now))
		*least = hold;
}

void relay_holds_release(struct relay_holds *holds, const struct ctrl_hello *hello) {
	struct proto_mac place = place_of(hello);

	for (size_t i = 0; i < RELAY_HOLDS_MAX; i++) {
		if (proto_mac_equal(holds->places[i].place, place))
			holds->places[i].until = 0;
	}
}

/* `RELAY_HOLDS_MAX`: none. */
static size_t find(const struct relay_holds *holds, const struct ctrl_hello *hello, uint64_t now) {
	struct proto_mac place = place_of(hello);
	size_t i = 0;

	while (i < RELAY_HOLDS_MAX && (holds->places[i].until <= now || !proto_mac_equal(holds->places[i].place, place)))
		i++;
	return i;
}

static bool is_own(const struct hold *hold, const struct ctrl_hello *hello) {
	return hello->has_seat_key && is_equal(hold->key, hello->seat_key);
}

enum relay_hold relay_holds_ask(const struct relay_holds *holds, const struct ctrl_hello *hello, uint64_t now) {
	size_t i = holds != NULL ? find(holds, hello, now) : RELAY_HOLDS_MAX;

	if (i == RELAY_HOLDS_MAX)
		return RELAY_HOLD_NONE;
	return is_own(&holds->places[i], hello) ? RELAY_HOLD_OWN : RELAY_HOLD_OTHER;
}

struct relay_seat *relay_holds_own(struct relay_holds *holds, const struct ctrl_hello *hello, uint64_t now) {
	size_t i = holds != NULL ? find(holds, hello, now) : RELAY_HOLDS_MAX;

	return i < RELAY_HOLDS_MAX && is_own(&holds->places[i], hello) ? &holds->places[i].seat : NULL;
}

void relay_seat_forget_claim(struct relay_seat *seat) {
	seat->claimed_since = seat->claimed_last = seat->claimed_until = 0;
}

void relay_holds_forget_claims(struct relay_holds *holds) {
	for (size_t i = 0; holds != NULL && i < RELAY_HOLDS_MAX; i++)
		relay_seat_forget_claim(&holds->places[i].seat);
}

size_t relay_holds_count(const struct relay_holds *holds, uint64_t now) {
	size_t count = 0;

	for (size_t i = 0; holds != NULL && i < RELAY_HOLDS_MAX; i++)
		count += holds->places[i].until > now;
	return count;
}
