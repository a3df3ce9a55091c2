/* quic/gate.c: how many connections there are and where they came from, over all servers of a relay, so that every
 * limit is exact however many threads there are. A place is taken before there is a connection, and given back with it.
 */
#include "quic/internal.h"
#include "thread/lock.h"

#include <stdlib.h>

/* The number of connections does not limit how often handshakes begin, since whoever hangs up at once frees its place,
 * and each costs us a signature: half a millisecond. So a network may begin as many in this time as it may have
 * connections, or HANDSHAKES_MIN if that is more, and all of them at once. */
#define HANDSHAKES_NS (10 * BASE_SECOND)
#define HANDSHAKES_MIN 256

struct quic_gate *quic_gate_new(void) {
	struct quic_gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return NULL;
	quic_random((uint8_t *)gate->seed, sizeof(gate->seed));
	gate->lock = thread_lock_new();
	if (base_map_init(&gate->sources, gate->seed) != 0 || gate->lock == NULL) {
		quic_gate_free(gate);
		return NULL;
	}
	return gate;
}

void quic_gate_free(struct quic_gate *gate) {
	if (gate == NULL)
		return;
	base_map_done(&gate->sources);
	thread_lock_free(gate->lock);
	free(gate);
}

static int enter(struct quic_gate *gate, const struct quic_server_limits *limits, const struct base_addr *remote,
                 struct quic_source **ret) {
	struct quic_source *source;

	if (quic_gate_is_full(gate, limits))
		return BASE_E_FULL;
	if (quic_source_count(&gate->sources, remote) >= limits->per_address_max)
		return BASE_E_DENIED;
	source = quic_source_enter(&gate->sources, remote);
	if (source == NULL)
		return BASE_E_NOMEM;
	atomic_fetch_add(&gate->connections, 1);
	*ret = source;
	return 0;
}

int quic_gate_enter(struct quic_gate *gate, const struct quic_server_limits *limits, const struct base_addr *remote,
                    struct quic_source **ret) {
	int result;

	thread_lock_take(gate->lock);
	result = enter(gate, limits, remote, ret);
	thread_lock_release(gate->lock);
	return result;
}

void quic_gate_leave(struct quic_gate *gate, struct quic_source *source) {
	thread_lock_take(gate->lock);
	quic_source_leave(&gate->sources, source);
	atomic_fetch_sub(&gate->connections, 1);
	thread_lock_release(gate->lock);
}

bool quic_gate_is_full(struct quic_gate *gate, const struct quic_server_limits *limits) {
	return atomic_load(&gate->connections) >= limits->connections_max;
}

bool quic_gate_begin(struct quic_gate *gate, size_t max) {
	size_t seen = atomic_load(&gate->half_open);

	do {
		if (seen >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&gate->half_open, &seen, seen + 1));
	return true;
}

void quic_gate_end(struct quic_gate *gate) {
	atomic_fetch_sub(&gate->half_open, 1);
}

/* Of some places, the last ones: as many as `kept`, but no more than half. */
static bool are_last(size_t taken, size_t max, size_t kept) {
	size_t half = max - max / 2;

	return taken + (kept < half ? kept : half) >= max;
}

bool quic_gate_is_scarce(struct quic_gate *gate, const struct quic_server_limits *limits,
                         const struct base_addr *remote) {
	size_t there;

	if (are_last(atomic_load(&gate->connections), limits->connections_max, limits->retry_above))
		return true;
	thread_lock_take(gate->lock);
	there = quic_source_count(&gate->sources, remote);
	thread_lock_release(gate->lock);
	return are_last(there, limits->per_address_max, limits->retry_above);
}

/* A word is a second and the answers in it. The servers' clocks are the same but for the length of a turn: one that is
 * behind counts in the others' second. */
bool quic_gate_answer(struct quic_gate *gate, enum quic_share share, size_t per_second, uint64_t now) {
	_Atomic(uint64_t) *word = &gate->answers[share];
	uint64_t second = now / BASE_SECOND << 32, seen = atomic_load(word), next;

	do {
		next = (seen >> 32 < second >> 32 ? second : seen) + 1;
		if ((uint32_t)next > per_second)
			return false;
	} while (!atomic_compare_exchange_weak(word, &seen, next));
	return true;
}

/* A token bucket as in relay/limiter.c. */
bool quic_gate_handshake(struct quic_gate *gate, const struct quic_server_limits *limits,
                         const struct base_addr *remote, bool proven, uint64_t now) {
	size_t bucket = base_siphash13(gate->seed, base_addr_network(remote)) % QUIC_HANDSHAKE_BUCKETS;
	size_t count = limits->per_address_max > HANDSHAKES_MIN ? limits->per_address_max : HANDSHAKES_MIN;
	_Atomic(uint64_t) *full_at = &gate->handshakes[proven][bucket];
	uint64_t seen = atomic_load(full_at), cost = HANDSHAKES_NS / count, start;

	do {
		start = seen > now ? seen : now;
		if (start - now + cost > HANDSHAKES_NS)
			return false;
	} while (!atomic_compare_exchange_weak(full_at, &seen, start + cost));
	return true;
}
