/* client-linux/options.h: the command line of lanparty-client on Linux. */
#ifndef CLIENT_LINUX_OPTIONS_H
#define CLIENT_LINUX_OPTIONS_H

#include "cli/options.h"

extern const struct cli_table lintap_options;

#endif
