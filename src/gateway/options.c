#include "gateway/options.h"

#include "link/setup.h"

static const struct cli_option options[] = {
    LINK_SETUP_OPTIONS("the wired LAN interface to bridge", NULL, LINK_SETUP_STATE_DIRECTORY "/gateway-identity.json"),
    /* Switches forget a MAC after 300 s (IEEE 802.1Q-2022 table 8-6); one lost refresh must not matter. */
    {.name = "cam-refresh",
     .kind = CLI_NUMBER,
     .value = "SECONDS",
     .help = "how often the LAN's switches are reminded of the remote machines; 0: only when one joins",
     .fallback = "60",
     .max = 3600},
    {.name = "no-address-guard",
     .kind = CLI_FLAG,
     .help = "let remote machines claim IP addresses that LAN machines hold"},
};

const struct cli_table gateway_options = {
    .program = "lanparty-gateway",
    .summary = "Bridges a wired LAN to the remote machines of a lanparty room.",
    .epilog = LINK_SETUP_EXIT_STATUS "\nExample:\n"
                                     "  lanparty-gateway --relay relay.example --relay-ca-cert relay-cert.der --room "
                                     "ROOM1 --interface eth0\n",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};
