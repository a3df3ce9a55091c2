#include "obs/log_flood.h"

#include "base/time.h"

#include <string.h>

static bool same_text(const char *a, const char *b) {
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_event(const struct obs_flood *slot, const struct obs_flood *flood) {
	return slot->event != NULL && same_text(slot->event, flood->event) && same_text(slot->reason, flood->reason);
}

static bool same_kind(const struct obs_flood *slot, const struct obs_flood *flood) {
	return slot->key == flood->key && slot->number == flood->number && !slot->others &&
	       slice_equal(base_addr_network(&slot->addr), base_addr_network(&flood->addr)) && same_event(slot, flood);
}

static bool is_over(const struct obs_flood *slot, uint64_t now) {
	return now >= slot->start && now - slot->start >= OBS_FLOOD_NS;
}

uint64_t obs_flood_swallowed(const struct obs_flood *flood) {
	return flood->lines > OBS_FLOOD_LINES ? flood->lines - OBS_FLOOD_LINES : 0;
}

static void begin(struct obs_flood *slot, const struct obs_flood *flood, bool others, uint64_t now,
                  struct obs_flood *ret_over) {
	*ret_over = *slot;
	*slot = *flood;
	slot->others = others;
	slot->start = now;
	slot->lines = 0;
}

/* The slot in which this event is counted: its own; else one that is free, or whose window is over. When all are in
 * use, the event's slot for `others`, which takes the place of the oldest slot if there is none yet. If each new key
 * ended another key's window instead, somebody with more keys than there are slots would never be counted. There are
 * few kinds of events, so that a slot for the others of each leaves most slots alone. */
static struct obs_flood *take_slot(struct obs_flood_table *table, const struct obs_flood *flood, uint64_t now,
                                   struct obs_flood *ret_over) {
	struct obs_flood *oldest = &table->slots[0], *others = NULL;

	for (size_t i = 0; i < OBS_FLOOD_KEYS; i++) {
		struct obs_flood *slot = &table->slots[i];

		if (same_kind(slot, flood)) {
			if (is_over(slot, now))
				begin(slot, flood, false, now, ret_over);
			return slot;
		}
		if (slot->others && same_event(slot, flood))
			others = slot;
		if (oldest->event != NULL && (slot->event == NULL || slot->start < oldest->start))
			oldest = slot;
	}
	if (oldest->event == NULL || is_over(oldest, now))
		begin(oldest, flood, false, now, ret_over);
	else if (others != NULL)
		return others;
	else
		begin(oldest, flood, true, now, ret_over);
	return oldest;
}

bool obs_flood_count(struct obs_flood_table *table, const struct obs_flood *flood, uint64_t now,
                     struct obs_flood *ret_over) {
	struct obs_flood *slot;

	ret_over->event = NULL;
	slot = take_slot(table, flood, now, ret_over);
	return ++slot->lines <= OBS_FLOOD_LINES;
}

bool obs_flood_take_over(struct obs_flood_table *table, uint64_t now, struct obs_flood *ret_over) {
	for (size_t i = 0; i < OBS_FLOOD_KEYS; i++) {
		struct obs_flood *slot = &table->slots[i];

		if (slot->event == NULL || !is_over(slot, now))
			continue;
		*ret_over = *slot;
		slot->event = NULL;
		return true;
	}
	return false;
}
