/* obs/log_flood.h: the bounded table that tells floods of identical events from news. Internal to the room; it counts
 * and answers, others write. */
#ifndef OBS_LOG_FLOOD_H
#define OBS_LOG_FLOOD_H

#include "obs/log.h"

#define OBS_FLOOD_ROOM_BYTES 40 /* what is longer is cut; a room may be gone when its flood is summed up */

struct obs_flood {
	const char *event;  /* a literal; NULL: slot is free */
	const char *reason; /* a literal or NULL */
	uint64_t key;
	uint64_t number; /* of the room that the key belongs to; 0: none */
	char room[OBS_FLOOD_ROOM_BYTES];
	struct base_addr addr; /* in place of the key: somebody of the network that it is about; no family: none */
	bool others;           /* counts every room, key and network that found no slot of its own */
	enum obs_level level;
	uint64_t start; /* of the window, ns */
	uint64_t lines; /* seen in the window, swallowed ones included */
};

struct obs_flood_table {
	struct obs_flood slots[OBS_FLOOD_KEYS];
};

/* Counts one event of the kind that `flood` says (event, reason, key, number, addr, level). True: it may be printed.
 * *ret_over gets a window that ended to make place, with `event` NULL if none did. */
bool obs_flood_count(struct obs_flood_table *table, const struct obs_flood *flood, uint64_t now,
                     struct obs_flood *ret_over);
/* Takes out one window that is over at `now`, in no special order. False: there is none. */
bool obs_flood_take_over(struct obs_flood_table *table, uint64_t now, struct obs_flood *ret_over);
/* How many events of the window were swallowed. */
uint64_t obs_flood_swallowed(const struct obs_flood *flood);

#endif
