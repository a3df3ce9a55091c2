#include "obs/counters.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const counter_names[OBS_COUNTER_COUNT] = {
#define OBS_COUNTER_TEXT(name, text) [OBS_##name] = text,
    OBS_COUNTERS(OBS_COUNTER_TEXT)
#undef OBS_COUNTER_TEXT
};

static const char *const drop_names[OBS_DROP_COUNT] = {
#define OBS_DROP_TEXT(name, text) [OBS_DROP_##name] = text,
    OBS_DROPS(OBS_DROP_TEXT)
#undef OBS_DROP_TEXT
};

static int find(const char *const *names, int count, const char *name) {
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

const char *obs_counter_name(enum obs_counter counter) {
	assert((unsigned)counter < OBS_COUNTER_COUNT);
	return counter_names[counter];
}

const char *obs_drop_name(enum obs_drop drop) {
	assert((unsigned)drop < OBS_DROP_COUNT);
	return drop_names[drop];
}

int obs_counter_find(const char *name) {
	return find(counter_names, OBS_COUNTER_COUNT, name);
}

int obs_drop_find(const char *name) {
	return find(drop_names, OBS_DROP_COUNT, name);
}

uint64_t obs_drops_total(const struct obs_counters *counters) {
	uint64_t total = 0;

	for (size_t i = 0; i < OBS_DROP_COUNT; i++)
		total += counters->drop[i];
	return total;
}
