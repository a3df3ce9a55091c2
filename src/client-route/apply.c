#include "client-route/apply.h"

#include "base/error.h"
#include "host/host.h"

#include <stdlib.h>
#include <string.h>

#define STATE_FILE_MODE 0600
#define INTO_TUNNEL_MAX 8 /* so many are removed in one go */

struct route_scope {
	const struct route_system *system;
	struct obs_log *log;
	char *state_path;
	struct route_change changes[ROUTE_STATE_CHANGES_MAX]; /* in the order they were made */
	size_t count;
	struct base_addr relay; /* family NONE: nothing is pinned */
	uint64_t tap_luid;
	struct route_entry pin;
	bool needless; /* the relay's address needs no pin */
	bool ours;     /* the pin is one of `changes` */
	bool follows;  /* the pin copies the way of the route table (plan.h), so it may follow that */
	enum obs_tristate state;
};

struct route_scope *route_scope_new(const struct route_system *system, const char *state_path, struct obs_log *log) {
	struct route_scope *scope = calloc(1, sizeof(*scope));

	if (scope == NULL)
		return NULL;
	scope->system = system;
	scope->log = log;
	scope->state = OBS_UNKNOWN;
	scope->state_path = strdup(state_path);
	if (scope->state_path != NULL)
		return scope;
	free(scope);
	return NULL;
}

void route_scope_free(struct route_scope *scope) {
	char error[ROUTE_ERROR_BYTES];

	if (scope == NULL)
		return;
	(void)route_restore(scope, error);
	free(scope->state_path);
	free(scope);
}

static int save(const struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]) {
	char buf[ROUTE_STATE_BYTES_MAX];
	struct base_text text;

	_Static_assert(ROUTE_ERROR_BYTES >= HOST_ERROR_BYTES, "a host error must fit");
	base_text_init(&text, buf, sizeof(buf));
	route_state_write(scope->changes, scope->count, &text);
	return host_write_file(scope->state_path, slice_of(buf, text.len), STATE_FILE_MODE, error);
}

static void log_change(const struct route_scope *scope, const char *event, const struct route_change *change) {
	if (!obs_on(scope->log, OBS_INFO))
		return;
	obs_begin(scope->log, OBS_INFO, event);
	obs_str(scope->log, "what", route_change_name(change->kind));
	obs_u64(scope->log, "family", change->family);
	if (change->kind == ROUTE_CHANGE_PIN) {
		obs_ip(scope->log, "relay", &change->pin.dest);
		obs_ip(scope->log, "gateway", &change->pin.next_hop);
	} else {
		obs_u64(scope->log, "set", change->set);
		obs_u64(scope->log, "was", change->was);
	}
	obs_end(scope->log);
}

static int make_change(const struct route_scope *scope, const struct route_change *change,
                       char error[static ROUTE_ERROR_BYTES]) {
	const struct route_system *system = scope->system;
	struct route_settings settings;
	int err;

	if (change->kind == ROUTE_CHANGE_PIN)
		return system->add(system->user, &change->pin, error);
	err = system->get_settings(system->user, change->luid, change->family, &settings, error);
	if (err != 0)
		return err;
	route_change_apply(change, &settings);
	return system->set_settings(system->user, change->luid, change->family, &settings, error);
}

/* A setting that was changed again needs one undo: to what it was at first, or to what somebody else set meanwhile, for
 * then the first undo would find a value that is not ours. */
static void coalesce(struct route_scope *scope) {
	const struct route_change *last = &scope->changes[scope->count - 1];

	for (size_t i = 0; last->kind != ROUTE_CHANGE_PIN && i + 1 < scope->count; i++) {
		struct route_change *earlier = &scope->changes[i];

		if (earlier->kind != last->kind || earlier->family != last->family || earlier->luid != last->luid)
			continue;
		if (earlier->set == last->was && !last->was_automatic)
			earlier->set = last->set;
		else
			*earlier = *last;
		scope->count--;
		return;
	}
}

/* First on disk, then in the system: whatever happens in between, the next start knows. */
static int change_system(struct route_scope *scope, const struct route_change *change,
                         char error[static ROUTE_ERROR_BYTES]) {
	char ignored[ROUTE_ERROR_BYTES];
	int err;

	if (scope->count == ROUTE_STATE_CHANGES_MAX) {
		base_text_copy(error, ROUTE_ERROR_BYTES, "too many changes of routes and interfaces wait to be undone");
		return BASE_E_FULL;
	}
	scope->changes[scope->count++] = *change;
	err = save(scope, error);
	if (err == 0)
		err = make_change(scope, change, error);
	if (err != 0) {
		scope->count--;
		(void)save(scope, ignored); /* what stays in the file does no harm: undoing looks first */
		return err;
	}
	log_change(scope, "route_change", change);
	coalesce(scope); /* reaches the disk with the next change; until then the file has one undo more */
	return 0;
}

/* What is gone, or somebody else's by now, counts as undone. */
static int undo_change(const struct route_scope *scope, const struct route_change *change,
                       char error[static ROUTE_ERROR_BYTES]) {
	const struct route_system *system = scope->system;
	struct route_settings settings;
	int err;

	if (change->kind == ROUTE_CHANGE_PIN)
		err = system->remove(system->user, &change->pin, error);
	else {
		err = system->get_settings(system->user, change->luid, change->family, &settings, error);
		if (err == 0 && !route_change_undo(change, &settings))
			return 0;
		if (err == 0)
			err = system->set_settings(system->user, change->luid, change->family, &settings, error);
	}
	if (err == 0)
		log_change(scope, "route_undo", change);
	return err == BASE_E_NOT_FOUND ? 0 : err;
}

static void drop_change(struct route_scope *scope, size_t index) {
	memmove(&scope->changes[index], &scope->changes[index + 1], (scope->count - index - 1) * sizeof(scope->changes[0]));
	scope->count--;
}

int route_restore(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]) {
	char text[ROUTE_ERROR_BYTES];
	const size_t before = scope->count;
	int result = 0;

	for (size_t i = scope->count; i-- > 0;) {
		const int err = undo_change(scope, &scope->changes[i], text);

		if (err == 0)
			drop_change(scope, i);
		else if (result == 0) {
			memcpy(error, text, sizeof(text));
			result = err;
		}
	}
	if (scope->count != before) {
		const int err = save(scope, text);

		if (err != 0 && result == 0) {
			memcpy(error, text, sizeof(text));
			result = err;
		}
	}
	scope->relay = (struct base_addr){.family = BASE_FAMILY_NONE};
	scope->ours = false;
	scope->state = OBS_UNKNOWN;
	return result;
}

int route_recover(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]) {
	char why[ROUTE_ERROR_BYTES];
	struct base_text text;
	uint8_t *bytes;
	size_t len;
	int err = host_read_file(scope->state_path, ROUTE_STATE_BYTES_MAX, &bytes, &len, error);

	if (err == BASE_E_NOT_FOUND)
		return 0;
	if (err != 0)
		return err;
	err = route_state_parse(slice_of(bytes, len), scope->changes, &scope->count, why);
	free(bytes);
	if (err != 0) {
		base_text_init(&text, error, ROUTE_ERROR_BYTES);
		base_text_addf(&text, "%.120s: %s; look at the adapter's MTU and metric yourself, then delete this file",
		               scope->state_path, why);
		return err;
	}
	if (scope->count > 0 && obs_on(scope->log, OBS_WARN)) {
		obs_begin(scope->log, OBS_WARN, "route_recover");
		obs_u64(scope->log, "changes", scope->count);
		obs_str(scope->log, "message",
		        "an earlier run ended without restoring routes and settings; restoring them now");
		obs_end(scope->log);
	}
	return route_restore(scope, error);
}

static void enter(struct route_scope *scope, enum obs_tristate state, const char *error) {
	if (scope->state == state)
		return;
	scope->state = state;
	if (!obs_on(scope->log, state == OBS_YES ? OBS_INFO : OBS_WARN))
		return;
	obs_begin(scope->log, state == OBS_YES ? OBS_INFO : OBS_WARN,
	          state == OBS_YES ? "route_pinned" : "route_not_pinned");
	obs_ip(scope->log, "relay", &scope->relay);
	if (state != OBS_YES) {
		obs_str(scope->log, "message", error);
	} else if (!scope->needless) {
		obs_ip(scope->log, "gateway", &scope->pin.next_hop);
		if (scope->pin.index != 0)
			obs_u64(scope->log, "interface", scope->pin.index);
	}
	obs_end(scope->log);
}

struct look {
	struct route_view view;
	struct route_entry *routes, best;
};

static int look_once(const struct route_scope *scope, struct look *ret, char error[static ROUTE_ERROR_BYTES]) {
	const struct route_system *system = scope->system;
	char ignored[ROUTE_ERROR_BYTES];
	struct base_addr source;
	int err;

	*ret = (struct look){.view = {.tap_luid = scope->tap_luid}};
	err = system->table(system->user, scope->relay.family, &ret->routes, &ret->view.count, error);
	if (err != 0)
		return err;
	ret->view.routes = ret->routes;
	/* Without a best way there may still be one in the table. */
	if (system->best(system->user, &scope->relay, &ret->best, &source, ignored) == 0)
		ret->view.best = &ret->best;
	return 0;
}

static bool leads_into_tunnel(const struct route_scope *scope, const struct look *now) {
	return now->view.best != NULL && now->best.luid == scope->tap_luid &&
	       now->best.prefix == base_addr_ip_bytes(&scope->relay) * 8;
}

static void say_removed(const struct route_scope *scope) {
	if (!obs_on(scope->log, OBS_WARN))
		return;
	obs_begin(scope->log, OBS_WARN, "route_into_tunnel_removed");
	obs_ip(scope->log, "relay", &scope->relay);
	obs_str(scope->log, "message",
	        "a host route led to the relay through the tunnel itself (of the LAN's DHCP server?)");
	obs_end(scope->log);
}

/* With what leads into the tunnel out of the way: with the adapter's metric it goes before any pin, and is of no use to
 * anybody. */
static int look(const struct route_scope *scope, struct look *ret, char error[static ROUTE_ERROR_BYTES]) {
	const struct route_system *system = scope->system;
	char ignored[ROUTE_ERROR_BYTES];
	int err = look_once(scope, ret, error);

	for (int tries = 0; err == 0 && tries < INTO_TUNNEL_MAX && leads_into_tunnel(scope, ret); tries++) {
		if (system->take_out(system->user, &ret->best, ignored) != 0)
			break;
		say_removed(scope);
		free(ret->routes);
		err = look_once(scope, ret, error);
	}
	return err;
}

static int unpin(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]) {
	int err = 0;

	for (size_t i = scope->count; scope->ours && i-- > 0;) {
		if (scope->changes[i].kind != ROUTE_CHANGE_PIN || !route_entry_same(&scope->changes[i].pin, &scope->pin))
			continue;
		err = undo_change(scope, &scope->changes[i], error);
		if (err != 0)
			return err;
		drop_change(scope, i);
		err = save(scope, error);
		break;
	}
	scope->ours = false;
	return err;
}

static int install(struct route_scope *scope, const struct look *now, char error[static ROUTE_ERROR_BYTES]) {
	struct route_pin_plan plan;
	int err = route_plan_pin(&now->view, &scope->relay, &plan);

	if (err != 0) {
		base_text_copy(error, ROUTE_ERROR_BYTES, "no route leads to the relay outside of the tunnel");
		return err;
	}
	scope->needless = plan.kind == ROUTE_PIN_NEEDLESS;
	scope->pin = plan.change.pin;
	scope->follows = plan.follows;
	if (plan.kind != ROUTE_PIN_ADD)
		return 0;
	err = change_system(scope, &plan.change, error);
	scope->ours = err == 0;
	return err == BASE_E_EXISTS ? 0 : err;
}

static int check(struct route_scope *scope, bool anew, char error[static ROUTE_ERROR_BYTES]) {
	enum route_pin_verdict verdict = ROUTE_PIN_LOST;
	struct look now;
	int err = look(scope, &now, error);

	if (err != 0)
		return err;
	/* After a refusal the pin may still be that of the relay's address before. */
	if (!anew && base_addr_same_prefix(&scope->pin.dest, &scope->relay, base_addr_ip_bytes(&scope->relay) * 8))
		verdict = route_pin_judge(&now.view, &scope->pin, scope->ours && scope->follows);
	if (verdict == ROUTE_PIN_OVERRULED) {
		base_text_copy(error, ROUTE_ERROR_BYTES, "another route to the relay is preferred over the pinned one");
		err = BASE_E_STATE;
	} else if (verdict != ROUTE_PIN_GOOD) {
		err = unpin(scope, error);
		if (err == 0 && verdict == ROUTE_PIN_MOVED) {
			scope->state = OBS_UNKNOWN; /* to be said again */
			free(now.routes);
			err = look(scope, &now, error);
			if (err != 0)
				return err;
		}
		if (err == 0)
			err = install(scope, &now, error);
	}
	free(now.routes);
	return err;
}

int route_pin(struct route_scope *scope, const struct base_addr *relay, uint64_t tap_luid,
              char error[static ROUTE_ERROR_BYTES]) {
	struct base_addr wanted = *relay;
	int err;

	wanted.port = 0;
	if (scope->state == OBS_YES && (!scope->ours || scope->follows) && scope->tap_luid == tap_luid &&
	    base_addr_equal(&scope->relay, &wanted) && route_check_pin(scope, error) == 0)
		return 0; /* a new connection to the same relay: no gap in which it has no pin */
	err = unpin(scope, error);
	scope->relay = wanted;
	scope->tap_luid = tap_luid;
	scope->needless = false;
	scope->state = OBS_UNKNOWN;
	if (err == 0)
		err = check(scope, true, error);
	enter(scope, err == 0 ? OBS_YES : OBS_NO, error);
	return err;
}

int route_check_pin(struct route_scope *scope, char error[static ROUTE_ERROR_BYTES]) {
	int err = 0;

	if (scope->relay.family == BASE_FAMILY_NONE) {
		base_text_copy(error, ROUTE_ERROR_BYTES, "no relay is pinned");
		return BASE_E_STATE;
	}
	if (!scope->needless)
		err = check(scope, false, error);
	enter(scope, err == 0 ? OBS_YES : OBS_NO, error);
	return err;
}

enum obs_tristate route_pin_state(const struct route_scope *scope) {
	return scope->state;
}

int route_tune_tap(struct route_scope *scope, uint64_t tap_luid, const struct route_tap_wish *wish, unsigned *ret_notes,
                   char error[static ROUTE_ERROR_BYTES]) {
	const struct route_system *system = scope->system;
	static const uint8_t families[] = {BASE_FAMILY_V4, BASE_FAMILY_V6};
	struct route_settings now[2] = {{.present = false}, {.present = false}};
	struct route_tap_plan plan;
	int err;

	for (size_t i = 0; i < 2; i++) {
		err = system->get_settings(system->user, tap_luid, families[i], &now[i], error);
		if (err != 0 && (i == 0 || err != BASE_E_NOT_FOUND))
			return err;
		now[i].present = err == 0;
	}
	err = route_plan_tap(tap_luid, now, wish, &plan);
	for (size_t i = 0; err == 0 && i < plan.count; i++)
		err = change_system(scope, &plan.changes[i], error);
	if (err == 0)
		*ret_notes = plan.notes;
	return err;
}

int route_tap_address(const struct route_system *system, uint64_t tap_luid, struct route_unicast *ret,
                      struct route_unicast *ret_overlap, char error[static ROUTE_ERROR_BYTES]) {
	struct route_unicast *list, lan, home = {.addr = {.family = BASE_FAMILY_NONE}};
	bool found;
	size_t count;
	int err = system->unicast(system->user, &list, &count, error);

	if (err != 0)
		return err;
	(void)route_find_overlap(list, count, tap_luid, &home, &lan);
	*ret_overlap = home;
	found = route_choose_unicast(list, count, tap_luid, ret);
	free(list);
	if (found)
		return 0;
	base_text_copy(error, ROUTE_ERROR_BYTES, "the tunnel adapter has no address yet");
	return BASE_E_NOT_FOUND;
}
