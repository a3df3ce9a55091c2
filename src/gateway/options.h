/* gateway/options.h: the command line of lanparty-gateway. */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include "cli/options.h"

extern const struct cli_table gateway_options;

#endif
