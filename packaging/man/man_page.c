/* packaging/man/man_page.c: prints the manual page of one program, made from the table that is also its --help. Run by
 * the build; never installed. */
#include "client-linux/options.h"
#include "gateway/options.h"
#include "relay/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char see_also[] =
    ".SH SEE ALSO\n"
    "operations.md, below /usr/share/doc in the folder of the package, or of lanparty: certificates, systemd, logs,\n"
    "messages, and what to do when nobody sees the game.\n";

static const struct {
	const struct cli_table *table;
	const char *description;
} pages[] = {
    {&relay_cli_table,
     "The relay is the public server of a LAN party. Clients and gateways connect to it over QUIC, name a room, and "
     "the "
     "relay switches their Ethernet frames within that room. It terminates the encryption: whoever runs it can read "
     "the "
     "frames, unless the room has a key. It needs no privilege but its UDP port.\n"
     "\n"
     "A layer-2 policy stops what a remote machine must not do on somebody's LAN: DHCP server replies, router "
     "advertisements, spanning tree, VLAN tags, forged addresses.\n"},
    {&gateway_options,
     "The gateway stands on the wired LAN and bridges it to one room of a relay. It opens the interface first, refuses "
     "Wi-Fi and interfaces without carrier, and only then connects. After start it keeps CAP_NET_RAW and nothing "
     "else.\n"
     "\n"
     "Frames of remote machines are checked again before they reach the LAN, and remote machines may not claim IP "
     "addresses that LAN machines hold. The gateway's own host does not take part in the bridge: remote machines reach "
     "every station of the LAN but this one.\n"},
    {&lintap_options,
     "The client makes a tunnel interface (TAP) and joins a room of a relay. Through the room's gateway this machine "
     "is "
     "a station of the remote LAN: it gets an address from the LAN's DHCP server and takes part in its broadcasts.\n"
     "\n"
     "The interface, its MAC address and its addresses stay while the client reconnects. While it runs, a host route "
     "keeps the relay reachable outside of the tunnel; it is taken back at the end. After start the client keeps "
     "CAP_NET_ADMIN and nothing else.\n"},
};

int main(int argc, char **argv) {
	for (size_t i = 0; argc == 2 && i < sizeof(pages) / sizeof(pages[0]); i++) {
		char *page;
		bool bad;

		if (strcmp(argv[1], pages[i].table->program) != 0)
			continue;
		page = cli_man_page(pages[i].table, LANPARTY_VERSION, pages[i].description);
		bad = page == NULL || fputs(page, stdout) == EOF || fputs(see_also, stdout) == EOF || fflush(stdout) != 0;
		free(page);
		return bad ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	fputs("usage: man-page lanparty-relay|lanparty-gateway|lanparty-client\n", stderr);
	return 2;
}
