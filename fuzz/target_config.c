/* The configuration file: no input may crash, and what was refused must leave the values as they were. */
#include "cli/options.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cli_option options[] = {
    {.name = "room", .kind = CLI_TEXT, .value = "NAME", .help = "-"},
    {.name = "peers-max", .kind = CLI_NUMBER, .value = "N", .help = "-", .min = 2, .max = 1024},
    {.name = "pin", .kind = CLI_LIST, .value = "HEX", .help = "-"},
    {.name = "verbose", .kind = CLI_FLAG, .help = "-"},
    {.name = "help", .kind = CLI_FLAG, .help = "-", .command_line_only = true},
};

static const struct cli_table table = {
    .program = "fuzz",
    .summary = "-",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	const char *const argv[] = {"fuzz"};
	char error[CLI_ERROR_BYTES] = "";
	struct cli_values *values;

	if (cli_parse_args(&table, 1, argv, &values, error) != 0)
		return 0;
	if (cli_parse_config(values, slice_of(data, size), "file", error) != 0) {
		if (error[0] == '\0' || cli_given(values, "room") || cli_given(values, "pin") || cli_given(values, "verbose"))
			abort();
	} else {
		uint64_t peers_max = cli_number(values, "peers-max");

		if (cli_given(values, "help") || (cli_given(values, "peers-max") && (peers_max < 2 || peers_max > 1024)))
			abort();
	}
	cli_values_free(values);
	return 0;
}
