#include "obs/log_flood.h"

#include "base/time.h"

#include <string.h>

static bool same_text(const char *a, const char *b) {
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_kind(const struct obs_flood *slot, const struct obs_flood *flood) {
	return slot->event != NULL && slot->key == flood->key && same_text(slot->event, flood->event) &&
	       same_text(slot->reason, flood->reason);
}

static bool is_over(const struct obs_flood *slot, uint64_t now) {
	return now >= slot->start && now - slot->start >= OBS_FLOOD_NS;
}

uint64_t obs_flood_swallowed(const struct obs_flood *flood) {
	return flood->lines > OBS_FLOOD_LINES ? flood->lines - OBS_FLOOD_LINES : 0;
}

/* The slot of this kind of event, else a free one, else the one whose window is oldest. */
static struct obs_flood *find(struct obs_flood_table *table, const struct obs_flood *flood) {
	struct obs_flood *best = &table->slots[0];

	for (size_t i = 0; i < OBS_FLOOD_KEYS; i++) {
		struct obs_flood *slot = &table->slots[i];

		if (same_kind(slot, flood))
			return slot;
		if (best->event != NULL && (slot->event == NULL || slot->start < best->start))
			best = slot;
	}
	return best;
}

bool obs_flood_count(struct obs_flood_table *table, const struct obs_flood *flood, uint64_t now,
                     struct obs_flood *ret_over) {
	struct obs_flood *slot = find(table, flood);

	ret_over->event = NULL;
	if (!same_kind(slot, flood) || is_over(slot, now)) {
		*ret_over = *slot;
		*slot = *flood;
		slot->start = now;
		slot->lines = 0;
	}
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
