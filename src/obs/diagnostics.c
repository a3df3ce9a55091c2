#include "obs/diagnostics.h"

#include "base/time.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 section 5 */

struct lines {
	char (*buf)[OBS_DIAGNOSTICS_LINE_BYTES];
	size_t count;
	struct base_text text; /* of the last line */
};

static struct base_text *start(struct lines *lines, const char *text) {
	base_text_init(&lines->text, lines->buf[lines->count++], OBS_DIAGNOSTICS_LINE_BYTES);
	base_text_add(&lines->text, text);
	return &lines->text;
}

void obs_gateway_text(bool present, uint32_t peer, struct base_text *out) {
	base_text_add(out, present ? "gateway: connected" : "gateway: not connected");
	if (present && peer != 0)
		base_text_addf(out, " (peer %lu)", (unsigned long)peer);
}

static void add_gateway(struct lines *lines, const struct obs_diagnostics *diagnostics) {
	struct base_text *text = start(lines, "");

	obs_gateway_text(diagnostics->gateway_present, diagnostics->gateway_peer, text);
	if (diagnostics->gateway_present && diagnostics->lan_down)
		base_text_add(text, ", but cut off from its LAN (is a cable out there?)");
	else if (diagnostics->gateway_present && diagnostics->shut_out)
		base_text_add(text, ", but shuts us out: a LAN machine has our MAC address (see --virtual-mac)");
}

static void add_network(struct base_text *out, const struct base_addr *addr, uint8_t prefix) {
	base_text_addf(out, "%u.%u.%u.%u/%u", addr->ip[0], addr->ip[1], addr->ip[2], addr->ip[3], (unsigned)prefix);
}

void obs_same_network_text(const struct base_addr *home, uint8_t home_prefix, const struct base_addr *lan,
                           uint8_t lan_prefix, struct base_text *out) {
	base_text_add(out, "your home network (this PC is ");
	add_network(out, home, home_prefix);
	base_text_add(out, " there) and the LAN (");
	add_network(out, lan, lan_prefix);
	base_text_add(out, ") use the same addresses: some machines will not be reachable. Give your home router "
	                   "another network, for example 192.168.213.0/24");
}

static void add_relay(struct lines *lines, const struct obs_diagnostics *diagnostics) {
	struct base_text *text = start(lines, diagnostics->relay_connected ? "relay: connected" : "relay: not connected");
	uint64_t tenths = (diagnostics->rtt_ns + BASE_MS / 20) / (BASE_MS / 10);

	if (diagnostics->relay_connected && diagnostics->rtt_ns != 0)
		base_text_addf(text, ", round trip %llu.%u ms", (unsigned long long)(tenths / 10), (unsigned)(tenths % 10));
}

/* Unknown says nothing: a gateway has neither a pinned route nor a TAP. */
static void add_tristate(struct lines *lines, const char *what, enum obs_tristate state, const char *yes) {
	if (state != OBS_UNKNOWN)
		base_text_addf(start(lines, what), ": %s%s", state == OBS_YES ? "" : "not ", yes);
}

static void add_address(struct lines *lines, const struct obs_diagnostics *diagnostics) {
	const struct base_addr *addr = &diagnostics->tap_address;
	char ip[BASE_ADDR_TEXT_BYTES];
	struct base_text *text;

	if (addr->family == BASE_FAMILY_NONE) {
		if (diagnostics->tap_ready == OBS_YES)
			start(lines, "address: none yet (waiting for the LAN's DHCP server)");
		return;
	}
	text = start(lines, "address: ");
	base_text_add(text, base_addr_ip_text(addr, ip));
	/* IPv4: what is chosen when no DHCP server answers. IPv6: what every interface has from the start. */
	if (base_addr_is_link_local(addr))
		base_text_add(text, addr->family == BASE_FAMILY_V4 ? " (self-assigned: the LAN's DHCP server has not answered)"
		                                                   : " only (waiting for the LAN's DHCP server)");
	else if (diagnostics->tap_address_taken)
		base_text_add(text, ", but a LAN machine has it: take another");
	else if (addr->family == BASE_FAMILY_V4 && !diagnostics->tap_address_fixed)
		base_text_add(text, " (from DHCP)");
}

static void add_mtu(struct lines *lines, const struct obs_diagnostics *diagnostics) {
	struct base_text *text;

	if (diagnostics->tap_mtu == 0)
		return;
	text = start(lines, "MTU: ");
	base_text_add_u64(text, diagnostics->tap_mtu);
	if (diagnostics->tap_mtu >= IPV6_MTU_MIN)
		return;
	base_text_addf(text, ", IPv6 will not work because it needs at least %d", IPV6_MTU_MIN);
	if (diagnostics->datagram_budget != 0)
		base_text_addf(text, " (datagram budget: %zu bytes)", diagnostics->datagram_budget);
}

static void add_broadcasts(struct lines *lines, const struct obs_diagnostics *diagnostics) {
	bool to = diagnostics->broadcasts_to_lan != 0;
	bool from = diagnostics->broadcasts_from_lan != 0;
	const char *seen = to && from ? "seen in both directions"
	                   : to       ? "sent to the LAN, none received back yet"
	                   : from     ? "received from the LAN, none sent yet"
	                              : "none yet";

	base_text_add(start(lines, "broadcasts: "), seen);
}

size_t obs_diagnostics_lines(const struct obs_diagnostics *diagnostics,
                             char lines[static OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES]) {
	struct lines out = {.buf = lines};

	add_relay(&out, diagnostics);
	add_gateway(&out, diagnostics);
	add_tristate(&out, "relay route", diagnostics->route_pinned, "pinned");
	add_tristate(&out, "tunnel adapter", diagnostics->tap_ready, "ready");
	add_address(&out, diagnostics);
	add_mtu(&out, diagnostics);
	add_broadcasts(&out, diagnostics);
	return out.count;
}
