/* relay/report.h: the snapshots of a relay's shards as one: numbers are summed up, rooms stand side by side, and what
 * each shard said of itself is there too. */
#ifndef RELAY_REPORT_H
#define RELAY_REPORT_H

#include <stddef.h>

struct json_t;

/* Takes the parts, of which none may be NULL. A text for free(), or NULL: memory is out. */
char *relay_report(struct json_t *const *parts, size_t count);

#endif
