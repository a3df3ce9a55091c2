#include "client-route/plan.h"

#include "base/error.h"

#include <string.h>

#define IPV6_MTU_MIN 1280 /* RFC 8200 section 5; Windows refuses less */

static bool same_ip(const struct base_addr *a, const struct base_addr *b) {
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

const char *route_change_name(enum route_change_kind kind) {
	static const char *const names[] = {[ROUTE_CHANGE_PIN] = "pin",
	                                    [ROUTE_CHANGE_MTU] = "mtu",
	                                    [ROUTE_CHANGE_METRIC] = "metric",
	                                    [ROUTE_CHANGE_DEFAULTS] = "defaults"};
	return names[kind];
}

static void plan_family(uint64_t luid, uint8_t family, const struct route_settings *now,
                        const struct route_tap_wish *wish, struct route_tap_plan *plan) {
	struct route_change change = {.family = family, .luid = luid};

	if (family == BASE_FAMILY_V6 && wish->mtu < IPV6_MTU_MIN)
		plan->notes |= ROUTE_NOTE_SMALL_MTU;
	else if (now->mtu > wish->mtu || (now->mtu < wish->mtu && !wish->smaller_will_do)) {
		change.kind = ROUTE_CHANGE_MTU;
		change.set = wish->mtu;
		change.was = now->mtu;
		plan->changes[plan->count++] = change;
	}
	if (now->automatic_metric || now->metric != wish->metric) {
		change.kind = ROUTE_CHANGE_METRIC;
		change.set = wish->metric;
		change.was = now->metric;
		change.was_automatic = now->automatic_metric;
		plan->changes[plan->count++] = change;
		change.was_automatic = false;
	}
	if (!now->no_default_routes) {
		plan->notes |= family == BASE_FAMILY_V4 ? ROUTE_NOTE_DEFAULTS_V4 : ROUTE_NOTE_DEFAULTS_V6;
		change.kind = ROUTE_CHANGE_DEFAULTS;
		change.set = 1;
		change.was = 0;
		plan->changes[plan->count++] = change;
	}
}

int route_plan_tap(uint64_t luid, const struct route_settings now[static 2], const struct route_tap_wish *wish,
                   struct route_tap_plan *ret) {
	if (!now[0].present)
		return BASE_E_NOT_FOUND;
	*ret = (struct route_tap_plan){.count = 0};
	plan_family(luid, BASE_FAMILY_V4, &now[0], wish, ret);
	if (now[1].present)
		plan_family(luid, BASE_FAMILY_V6, &now[1], wish, ret);
	else
		ret->notes |= ROUTE_NOTE_NO_V6;
	return 0;
}

void route_change_apply(const struct route_change *change, struct route_settings *settings) {
	if (change->kind == ROUTE_CHANGE_MTU)
		settings->mtu = change->set;
	else if (change->kind == ROUTE_CHANGE_METRIC) {
		settings->automatic_metric = false;
		settings->metric = change->set;
	} else if (change->kind == ROUTE_CHANGE_DEFAULTS)
		settings->no_default_routes = change->set != 0;
}

bool route_change_undo(const struct route_change *change, struct route_settings *settings) {
	struct route_settings ours = *settings;

	route_change_apply(change, &ours);
	if (ours.metric != settings->metric || ours.mtu != settings->mtu ||
	    ours.automatic_metric != settings->automatic_metric || ours.no_default_routes != settings->no_default_routes)
		return false;
	if (change->kind == ROUTE_CHANGE_MTU)
		settings->mtu = change->was;
	else if (change->kind == ROUTE_CHANGE_METRIC) {
		settings->automatic_metric = change->was_automatic;
		settings->metric = change->was;
	} else if (change->kind == ROUTE_CHANGE_DEFAULTS)
		settings->no_default_routes = change->was != 0;
	return true;
}

bool route_entry_same(const struct route_entry *a, const struct route_entry *b) {
	return a->prefix == b->prefix && a->luid == b->luid && same_ip(&a->dest, &b->dest) &&
	       same_ip(&a->next_hop, &b->next_hop);
}

static bool same_way(const struct route_entry *a, const struct route_entry *b) {
	return a->luid == b->luid && same_ip(&a->next_hop, &b->next_hop);
}

bool route_best_of(const struct route_entry *routes, size_t count, const struct base_addr *dest, uint64_t except_luid,
                   const struct route_entry *except, struct route_entry *ret) {
	const struct route_entry *best = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct route_entry *route = &routes[i];

		if (route->luid == except_luid || !base_addr_same_prefix(&route->dest, dest, route->prefix) ||
		    (except != NULL && route_entry_same(route, except)))
			continue;
		if (best == NULL || route->prefix > best->prefix ||
		    (route->prefix == best->prefix && route->metric < best->metric))
			best = route;
	}
	if (best == NULL)
		return false;
	*ret = *best;
	return true;
}

int route_plan_pin(const struct route_view *view, const struct base_addr *relay, struct route_pin_plan *ret) {
	struct route_pin_plan plan = {.kind = ROUTE_PIN_NEEDLESS};
	struct route_entry around, *way = &plan.change.pin;
	const uint8_t host_prefix = (uint8_t)(base_addr_ip_bytes(relay) * 8);
	const bool has_around = route_best_of(view->routes, view->count, relay, view->tap_luid, NULL, &around);

	if (base_addr_is_loopback(relay) || base_addr_is_link_local(relay)) {
		*ret = plan;
		return 0;
	}
	/* The system's own choice counts more than ours: it knows of source addresses and of interfaces without cable. */
	if (view->best != NULL && view->best->luid != view->tap_luid)
		*way = *view->best;
	else if (has_around)
		*way = around;
	else
		return BASE_E_NOT_FOUND;
	plan.change.kind = ROUTE_CHANGE_PIN;
	plan.change.family = relay->family;
	plan.change.luid = way->luid;
	plan.follows = has_around && same_way(&around, way);
	plan.kind = way->prefix == host_prefix ? ROUTE_PIN_EXISTS : ROUTE_PIN_ADD;
	if (plan.kind == ROUTE_PIN_ADD) {
		way->dest = *relay;
		way->dest.port = 0;
		way->prefix = host_prefix;
		way->metric = 0;
	}
	*ret = plan;
	return 0;
}

enum route_pin_verdict route_pin_judge(const struct route_view *view, const struct route_entry *pin, bool follows) {
	struct route_entry around;
	bool there = false;

	for (size_t i = 0; i < view->count && !there; i++)
		there = route_entry_same(&view->routes[i], pin);
	if (!there)
		return ROUTE_PIN_LOST;
	if (follows && route_best_of(view->routes, view->count, &pin->dest, view->tap_luid, pin, &around) &&
	    !same_way(&around, pin))
		return ROUTE_PIN_MOVED;
	if (view->best == NULL || !same_way(view->best, pin))
		return ROUTE_PIN_OVERRULED;
	return ROUTE_PIN_GOOD;
}

/* Lower is better. */
static unsigned unicast_rank(const struct base_addr *addr) {
	return (base_addr_is_link_local(addr) ? 2U : 0U) + (addr->family == BASE_FAMILY_V4 ? 0U : 1U);
}

bool route_choose_unicast(const struct route_unicast *list, size_t count, uint64_t luid, struct route_unicast *ret) {
	const struct route_unicast *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (list[i].luid == luid && (best == NULL || unicast_rank(&list[i].addr) < unicast_rank(&best->addr)))
			best = &list[i];
	if (best == NULL)
		return false;
	*ret = *best;
	return true;
}

static bool is_network(const struct route_unicast *unicast) {
	return unicast->addr.family == BASE_FAMILY_V4 && !base_addr_is_link_local(&unicast->addr) &&
	       !base_addr_is_loopback(&unicast->addr);
}

bool route_find_overlap(const struct route_unicast *list, size_t count, uint64_t tap_luid,
                        struct route_unicast *ret_home, struct route_unicast *ret_lan) {
	for (size_t lan = 0; lan < count; lan++) {
		if (list[lan].luid != tap_luid || !is_network(&list[lan]))
			continue;
		for (size_t home = 0; home < count; home++) {
			const uint8_t bits = list[lan].prefix < list[home].prefix ? list[lan].prefix : list[home].prefix;

			if (list[home].luid == tap_luid || !is_network(&list[home]) ||
			    !base_addr_same_prefix(&list[lan].addr, &list[home].addr, bits))
				continue;
			*ret_home = list[home];
			*ret_lan = list[lan];
			return true;
		}
	}
	return false;
}
