/* cli/args.c: the command line. */
#include "cli/values.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_place command_line = {.file = NULL};

/* One step through argv: the option, its value if one is attached, and where the next argument is. */
struct cursor {
	const char *const *argv;
	int argc;
	int next;
	const struct cli_option *before; /* the last one seen */
};

static int fail_unknown(const struct cli_table *table, struct slice name, char error[static CLI_ERROR_BYTES]) {
	const struct cli_option *nearest = cli_nearest(table, cli_shown(table, name), false);
	char quoted[CLI_ERROR_BYTES];
	struct base_text text;

	base_text_init(&text, quoted, sizeof(quoted));
	base_text_add(&text, "--");
	base_text_add_bytes(&text, cli_shown(table, name));
	cli_error_begin(&text, error, command_line, slice_of_text(""));
	base_text_add(&text, "unknown option ");
	base_text_add_quoted(&text, slice_of_text(quoted));
	if (nearest != NULL)
		base_text_addf(&text, "; did you mean --%s?", nearest->name);
	return BASE_E_INVALID;
}

/* Of one that may be a secret option misspelled, no more than its name. */
static int fail_positional(const struct cli_table *table, const char *argument, const struct cli_option *before,
                           char error[static CLI_ERROR_BYTES]) {
	struct base_text text;

	if (before != NULL && before->secret) {
		cli_error_begin(&text, error, command_line, slice_of_text(before->name));
		base_text_add(&text, "there is more behind its value; one with blanks must be in quotes");
		return BASE_E_INVALID;
	}
	cli_error_begin(&text, error, command_line, slice_of_text(""));
	base_text_add(&text, "unexpected argument ");
	base_text_add_quoted(&text, cli_shown(table, slice_of_text(argument)));
	base_text_add(&text,
	              argument[0] == '-' ? " (options are written --name)" : " (values follow an option: --name value)");
	return BASE_E_INVALID;
}

/* Finds the value of an option that takes one: behind '=', or the next argument unless that is an option. */
static int take_value(const struct cli_option *option, struct cursor *cursor, const char *equals, struct slice *ret,
                      char error[static CLI_ERROR_BYTES]) {
	struct base_text text;
	const char *next;

	if (equals != NULL) {
		*ret = slice_of_text(equals + 1);
		return 0;
	}
	next = cursor->next < cursor->argc ? cursor->argv[cursor->next] : NULL;
	if (next != NULL && strncmp(next, "--", 2) != 0) {
		*ret = slice_of_text(next);
		cursor->next++;
		return 0;
	}
	cli_error_begin(&text, error, command_line, slice_of_text(option->name));
	base_text_addf(&text, "needs a value (%s)", option->value != NULL ? option->value : "VALUE");
	if (next != NULL && !option->secret) {
		base_text_add(&text, ", but ");
		base_text_add_quoted(&text, slice_of_text(next));
		base_text_add(&text, " follows");
	}
	return BASE_E_MISSING;
}

static int parse_argument(struct cli_values *values, struct cursor *cursor, char error[static CLI_ERROR_BYTES]) {
	const char *argument = cursor->argv[cursor->next++];
	const struct cli_option *option;
	struct slice name, value = slice_of_text("yes");
	const char *equals;
	size_t index;
	int err;

	if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0')
		return fail_positional(values->table, argument, cursor->before, error);
	equals = strchr(argument, '=');
	name = slice_of(argument + 2, equals != NULL ? (size_t)(equals - argument) - 2 : strlen(argument) - 2);
	index = cli_find(values->table, name);
	if (index == CLI_NO_OPTION)
		return fail_unknown(values->table, name, error);
	option = cursor->before = &values->table->options[index];
	if (option->kind == CLI_FLAG && equals != NULL) {
		struct base_text text;

		cli_error_begin(&text, error, command_line, name);
		base_text_add(&text, "takes no value");
		return BASE_E_INVALID;
	}
	if (option->kind != CLI_FLAG) {
		err = take_value(option, cursor, equals, &value, error);
		if (err != 0)
			return err;
	}
	return cli_values_add(values, index, value, command_line, error);
}

int cli_parse_args(const struct cli_table *table, int argc, const char *const *argv, struct cli_values **ret,
                   char error[static CLI_ERROR_BYTES]) {
	struct cursor cursor = {.argv = argv, .argc = argc, .next = 1};
	struct cli_values *values;

	assert(table->count <= CLI_OPTIONS_MAX);
	values = calloc(1, sizeof(*values));
	if (values == NULL) {
		struct base_text text;

		cli_error_begin(&text, error, command_line, slice_of_text(""));
		base_text_add(&text, base_error_text(BASE_E_NOMEM));
		return BASE_E_NOMEM;
	}
	values->table = table;
	while (cursor.next < argc) {
		int err = parse_argument(values, &cursor, error);

		if (err != 0) {
			cli_values_free(values);
			return err;
		}
	}
	*ret = values;
	return 0;
}
