/* cli/values.h: what the parsers of the command line and of the configuration file share. Private to the room. */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include "cli/options.h"

struct cli_value {
	char **items; /* CLI_FLAG: one item, "yes" or "no" */
	size_t count;
	size_t line; /* of the file, of the last item; 0: from the command line */
};

struct cli_values {
	const struct cli_table *table;
	char *file; /* where values with a line are from; NULL: there are none */
	struct cli_value values[CLI_OPTIONS_MAX];
};

#define CLI_NO_OPTION SIZE_MAX

/* Where a value came from: on the command line (file NULL) or a line of a file. */
struct cli_place {
	const char *file;
	size_t line;
};

/* The index of the option called `name`, or CLI_NO_OPTION. */
size_t cli_find(const struct cli_table *table, struct slice name);
/* The option somebody who wrote `name` most likely meant, or NULL. */
const struct cli_option *cli_nearest(const struct cli_table *table, struct slice name, bool for_file);

/* Checks and stores one value. 0 or a code with `error` filled. */
int cli_values_add(struct cli_values *values, size_t index, struct slice text, struct cli_place place,
                   char error[static CLI_ERROR_BYTES]);

/* Starts an error text with the place and the option's name (empty: the place alone). */
void cli_error_begin(struct base_text *text, char error[static CLI_ERROR_BYTES], struct cli_place place,
                     struct slice name);
/* What an error may show of `text`, which should have been a name: all of it, but nothing behind a word like a secret
 * option's name, for that may be the value. */
struct slice cli_shown(const struct cli_table *table, struct slice text);

#endif
