#include "client-linux/options.h"

#include "link/setup.h"

static const struct cli_option options[] = {
    LINK_SETUP_OPTIONS("name of the tunnel interface to make", "lanparty0",
                       LINK_SETUP_STATE_DIRECTORY "/client-identity.json"),
    {.name = "virtual-mac",
     .kind = CLI_TEXT,
     .value = "MAC",
     .help = "use this MAC address instead of the one in the identity file"},
    {.name = "no-dhcp",
     .kind = CLI_FLAG,
     .help = "do not ask the LAN for an address: this machine looks after the interface"},
    {.name = "no-route-pin", .kind = CLI_FLAG, .help = "do not keep a host route to the relay outside of the tunnel"},
};

const struct cli_table lintap_options = {
    .program = "lanparty-client",
    .summary = "Makes this machine a station of a remote LAN.",
    .epilog = "The interface gets its address from the LAN's DHCP server, and this machine uses the LAN for the game\n"
              "alone: no default route and no name servers are taken. Several clients on one machine each need their\n"
              "own --interface and --identity.\n\n" LINK_SETUP_EXIT_STATUS "\nExample:\n"
              "  lanparty-client --relay relay.example --relay-ca-cert relay-cert.der --room ROOM1\n",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};
