#include "relay/report.h"

#include <jansson.h>
#include <string.h>

/* Numbers add up, objects by their members; what is neither is the same in every part. The shard's own number is no sum
 * and its rooms are listed together. */
static void add(json_t *sum, json_t *part) {
	const char *name;
	json_t *value;

	json_object_foreach(part, name, value) {
		json_t *before = json_object_get(sum, name);

		if (strcmp(name, "shard") == 0 || json_is_array(value))
			continue;
		if (json_is_object(value)) {
			if (before == NULL && json_object_set_new(sum, name, before = json_object()) != 0)
				before = NULL; /* it did not fit into memory, and is gone */
			add(before, value);
		} else if (json_is_integer(value) && before != NULL) {
			json_integer_set(before, json_integer_value(before) + json_integer_value(value));
		} else if (before == NULL) {
			json_object_set_new(sum, name,
			                    json_is_integer(value) ? json_integer(json_integer_value(value)) : json_incref(value));
		}
	}
}

char *relay_report(json_t *const *parts, size_t count) {
	json_t *whole = json_object(), *shards = json_array(), *rooms = json_array();
	char *text;

	for (size_t i = 0; i < count; i++) {
		add(whole, parts[i]);
		json_array_extend(rooms, json_object_get(parts[i], "rooms"));
		json_object_del(parts[i], "rooms");
		json_array_append_new(shards, parts[i]);
	}
	json_object_set_new(whole, "shards", shards);
	json_object_set_new(whole, "rooms", rooms);
	text = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	return text;
}
