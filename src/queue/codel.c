#include "queue/codel.h"

#define REMEMBER_NS (16 * QUEUE_CODEL_INTERVAL_NS)

/* The square root of `value`, rounded down. */
static uint64_t root(uint64_t value) {
	uint64_t result = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1) {
		if ((result + bit) * (result + bit) <= value)
			result += bit;
	}
	return result;
}

/* Interval / sqrt(count): TCP's rate falls with the square root of its loss rate, so its rate falls linearly. */
static uint64_t spacing(uint32_t count) {
	return (QUEUE_CODEL_INTERVAL_NS << 10) / root((uint64_t)count << 20);
}

/* Above the target, without a break, for an interval. */
static bool stands(struct queue_codel *codel, uint64_t waited, bool alone, uint64_t target, uint64_t now) {
	if (waited < target || alone) {
		codel->above_until = 0;
		return false;
	}
	if (codel->above_until == 0) {
		codel->above_until = now + QUEUE_CODEL_INTERVAL_NS;
		return false;
	}
	return now >= codel->above_until;
}

static void start_dropping(struct queue_codel *codel, uint64_t now) {
	uint32_t fresh = codel->count - codel->count_before;
	bool recent = now < codel->drop_next + REMEMBER_NS;

	/* What was needed a moment ago is a good guess. */
	codel->count = fresh > 1 && recent ? fresh : 1;
	codel->count_before = codel->count;
	codel->drop_next = now + spacing(codel->count);
	codel->dropping = true;
}

bool queue_codel_drops(struct queue_codel *codel, uint64_t waited, bool alone, uint64_t target, uint64_t now) {
	if (!stands(codel, waited, alone, target, now)) {
		codel->dropping = false;
		return false;
	}
	if (!codel->dropping) {
		start_dropping(codel, now);
		return true;
	}
	if (now < codel->drop_next)
		return false;
	codel->count++;
	codel->drop_next += spacing(codel->count);
	return true;
}

void queue_codel_empty(struct queue_codel *codel) {
	codel->above_until = 0; /* that ends dropping, too */
}
