/* cli/describe.h: the parts of an option's description that --help and the man page share. Private to the room. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "cli/options.h"

#define CLI_FACTS_BYTES 256

/* "(1 to 65535, default 443, may be repeated)" or an empty string. Returns `buf`. */
const char *cli_facts(const struct cli_option *option, char buf[static CLI_FACTS_BYTES]);

#endif
