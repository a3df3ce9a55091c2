/* obs/diagnostics.h: OBS-3, what a client knows about its connectivity, and the short lines a person reads. Pure. */
#ifndef OBS_DIAGNOSTICS_H
#define OBS_DIAGNOSTICS_H

#include "base/addr.h"
#include "base/text.h"
#include "obs/counters.h"

enum obs_tristate { OBS_UNKNOWN, OBS_NO, OBS_YES };

struct obs_diagnostics {
	bool relay_connected;
	bool gateway_present;
	uint32_t gateway_peer; /* 0: present or not, id unknown */
	bool lan_down;         /* the gateway says that its LAN port has no link */
	bool shut_out;         /* the gateway says that a LAN machine has our MAC */
	enum obs_tristate route_pinned;
	enum obs_tristate tap_ready;
	struct base_addr tap_address; /* family NONE until DHCP has answered */
	bool tap_address_fixed;       /* it does not expire: no lease of a DHCP server */
	bool tap_address_taken;       /* a LAN machine has it too */
	uint64_t rtt_ns;              /* 0: unknown */
	size_t datagram_budget;
	uint16_t tap_mtu;
	uint64_t broadcasts_to_lan, broadcasts_from_lan;
};

#define OBS_DIAGNOSTICS_LINES_MAX 12
#define OBS_DIAGNOSTICS_LINE_BYTES 160

/* Writes up to OBS_DIAGNOSTICS_LINES_MAX lines, without newline; returns how many. */
size_t obs_diagnostics_lines(const struct obs_diagnostics *diagnostics,
                             char lines[static OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES]);
/* "gateway: connected (peer 4)" / "gateway: connected" / "gateway: not connected" (WIN-7, CTL-4). */
void obs_gateway_text(bool present, uint32_t peer, struct base_text *out);
#define OBS_SAME_NETWORK_BYTES 320
/* What is to be done when this machine's address at home and its address in the LAN, both IPv4, are of one network. */
void obs_same_network_text(const struct base_addr *home, uint8_t home_prefix, const struct base_addr *lan,
                           uint8_t lan_prefix, struct base_text *out);

#endif
