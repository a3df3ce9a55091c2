/* tests/cli/table.h: a table with every kind of option, for the tests of this room. */
#ifndef TESTS_CLI_TABLE_H
#define TESTS_CLI_TABLE_H

#include "base/error.h"
#include "cli/options.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

static const struct cli_option test_options[] = {
    {.name = "listen", .kind = CLI_TEXT, .value = "[HOST]:PORT", .help = "Where to listen.", .fallback = "443/udp"},
    {.name = "room", .kind = CLI_TEXT, .value = "NAME", .help = "The room.\nEveryone in it sees each other."},
    {.name = "peers-max",
     .kind = CLI_NUMBER,
     .value = "N",
     .help = "How many.",
     .fallback = "64",
     .min = 2,
     .max = 1024},
    {.name = "bytes", .kind = CLI_NUMBER, .value = "N", .help = "Any size.", .min = 1},
    {.name = "pin", .kind = CLI_LIST, .value = "SHA256-FINGERPRINT-OF-THE-RELAY", .help = "A certificate."},
    {.name = "verbose", .kind = CLI_FLAG, .help = "Say more."},
    {.name = "config", .kind = CLI_TEXT, .value = "FILE", .help = "Read FILE.", .command_line_only = true},
    {.name = "help", .kind = CLI_FLAG, .help = "Print this text.", .command_line_only = true},
};

static const struct cli_table test_table = {
    .program = "lanparty-test",
    .summary = "a program - with 'quotes' and a \\ - that tests use",
    .epilog = ".first line\nExit codes:\n  0  fine\n\n  1  not\n\nExamples:\n  lanparty-test --listen 443/udp\n",
    .options = test_options,
    .count = sizeof(test_options) / sizeof(test_options[0]),
};

/* Parses up to seven arguments; the list ends with NULL. */
static inline int parse_words(const char *const *words, struct cli_values **ret, char error[static CLI_ERROR_BYTES]) {
	const char *argv[8] = {"lanparty-test"};
	int argc = 1;

	while (*words != NULL)
		argv[argc++] = *words++;
	return cli_parse_args(&test_table, argc, argv, ret, error);
}

#endif
