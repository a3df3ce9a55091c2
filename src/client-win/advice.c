#include "client-win/advice.h"

#include "base/error.h"
#include "obs/diagnostics.h"

static void add_mac(struct base_text *out, struct proto_mac mac) {
	char text[PROTO_MAC_TEXT_BYTES];

	base_text_add(out, proto_mac_text(mac, text));
}

static const char *adapter_name(const struct tapwin_adapter *adapter) {
	return adapter->name[0] != '\0' ? adapter->name : adapter->guid;
}

void winmain_advise_mac(struct base_text *out, const struct tapwin_adapter *adapter, struct proto_mac driver,
                        struct proto_mac tunnel, const char *restart_error) {
	base_text_addf(out, "the TAP adapter \"%s\" has the MAC address ", adapter_name(adapter));
	add_mac(out, driver);
	base_text_add(out, " and not ");
	add_mac(out, tunnel);
	if (restart_error[0] != '\0')
		base_text_addf(out, "; it could not be restarted (%s)", restart_error);
	else
		base_text_add(out, ", although it was restarted");
	base_text_add(out,
	              ". Disable and enable it under \"Network Connections\" (ncpa.cpl), or restart Windows; if that does "
	              "not help, install a newer TAP-Windows6 driver");
}

void winmain_advise_joined(struct base_text *out, const char *room, const struct ctrl_welcome *welcome) {
	base_text_addf(out, "room %s, peer %u, MTU %u, ", room, (unsigned)welcome->peer_id, (unsigned)welcome->mtu);
	obs_gateway_text(welcome->gateway, welcome->gateway_peer, out);
}

const char *winmain_advise_note(enum route_note note) {
	switch (note) {
	case ROUTE_NOTE_DEFAULTS_V4:
		return "default routes (IPv4) of the LAN were allowed on the adapter; they are ignored while this runs, so "
		       "that "
		       "your Internet stays at home";
	case ROUTE_NOTE_DEFAULTS_V6:
		return "default routes (IPv6) of the LAN were allowed on the adapter; they are ignored while this runs, so "
		       "that "
		       "your Internet stays at home";
	case ROUTE_NOTE_NO_V6:
		return "IPv6 is switched off on the adapter; games that need it will not work";
	case ROUTE_NOTE_SMALL_MTU:
		return "the room's packets are too small for IPv6; games that need it will not work";
	}
	return NULL;
}

enum client_exit winmain_exit_of_adapter(int err) {
	return err == BASE_E_DENIED                              ? CLIENT_EXIT_PRIVILEGE
	       : err == BASE_E_SYNTAX || err == BASE_E_DUPLICATE ? CLIENT_EXIT_USAGE
	                                                         : CLIENT_EXIT_DEVICE;
}
