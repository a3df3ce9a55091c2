/* client-route/apply.h: the scope of what this process changes in routes and interfaces. It knows each change, has it
 * on disk before it is made, and takes all of them back in reverse order (RTE-3, RTE-5, WIN-2, WIN-4). The system
 * itself is behind struct route_system: Windows' IP Helper, a refusal elsewhere (RTE-6), a table in tests. */
#ifndef CLIENT_ROUTE_APPLY_H
#define CLIENT_ROUTE_APPLY_H

#include "client-route/state_file.h"
#include "obs/diagnostics.h"
#include "obs/log.h"

/* Every function returns 0 or a code of base/error.h with a text for a person in `error`: BASE_E_DENIED,
 * BASE_E_NOT_FOUND, BASE_E_EXISTS (add), BASE_E_UNSUPPORTED, BASE_E_NOMEM, BASE_E_IO. Lists are freed by the caller. */
struct route_system {
	/* The system's own choice for a destination, and the source address it would use (RTE-1). */
	int (*best)(void *user, const struct base_addr *dest, struct route_entry *ret, struct base_addr *ret_source,
	            char error[static ROUTE_ERROR_BYTES]);
	int (*table)(void *user, uint8_t family, struct route_entry **ret, size_t *ret_count,
	             char error[static ROUTE_ERROR_BYTES]);
	int (*add)(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]);
	int (*remove)(void *user, const struct route_entry *entry,
	              char error[static ROUTE_ERROR_BYTES]); /* as `add` makes it */
	int (*take_out)(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]); /* anybody's */
	int (*get_settings)(void *user, uint64_t luid, uint8_t family, struct route_settings *ret,
	                    char error[static ROUTE_ERROR_BYTES]);
	int (*set_settings)(void *user, uint64_t luid, uint8_t family, const struct route_settings *settings,
	                    char error[static ROUTE_ERROR_BYTES]);
	int (*unicast)(void *user, struct route_unicast **ret, size_t *ret_count, char error[static ROUTE_ERROR_BYTES]);
	/* `guid` as in the registry, with braces (RTE-2). */
	int (*find_interface)(void *user, const char *guid, uint64_t *ret_luid, uint32_t *ret_index,
	                      char error[static ROUTE_ERROR_BYTES]);
	void *user;
};

/* The system this program runs on. */
const struct route_system *route_system_native(void);

struct route_scope;

/* `state_path` (UTF-8, copied) is where the undo list is kept; its folder is made when it is missing. NULL when memory
 * is out. */
struct route_scope *route_scope_new(const struct route_system *system, const char *state_path, struct obs_log *log);
void route_scope_free(struct route_scope *scope); /* restores what is left; accepts NULL */

/* Takes back what a run before this one left behind: call first. A file that is no state file is reported and replaced
 * at the next change. 0 (also when there is nothing), or the first error; what could not be taken back stays in the
 * file and in the scope. */
int route_recover(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]);

/* Pins the relay's address outside of the tunnel adapter; a pin for another relay is taken back first, one that is
 * good stays. A host route that leads to it into the tunnel, as a DHCP server may name it (RFC 3442), is removed. */
int route_pin(struct route_scope *scope, const struct base_addr *relay, uint64_t tap_luid,
              char error[static ROUTE_ERROR_BYTES]);
/* Looks whether the relay still goes by the pin, and repairs what can be repaired. 0: it does. BASE_E_STATE: nothing
 * is pinned, or another route overrules the pin; else as route_pin(). Logs only when the state changes. */
int route_check_pin(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]);
enum obs_tristate route_pin_state(const struct route_scope *scope);

/* MTU, metric and default routes of the tunnel adapter, both families; *ret_notes are enum route_note. Called again, it
 * changes what differs from the new wish. On failure what was changed stays in the scope, to be restored. */
int route_tune_tap(struct route_scope *scope, uint64_t tap_luid, const struct route_tap_wish *wish, unsigned *ret_notes,
                   char error[static ROUTE_ERROR_BYTES]);

/* Undoes everything, last change first, and goes on after a failure, whose text is in `error`. What could not be undone
 * stays in the state file for the next start. */
int route_restore(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]);

/* The adapter's address to show (RTE-4), and the home network that is the same as the LAN. `ret_overlap` has family
 * NONE when there is none. 0; BASE_E_NOT_FOUND: the adapter has no address yet (*ret_overlap is set all the same). */
int route_tap_address(const struct route_system *system, uint64_t tap_luid, struct route_unicast *ret,
                      struct route_unicast *ret_overlap, char error[static ROUTE_ERROR_BYTES]);

#endif
