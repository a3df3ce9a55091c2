/* cli/config.c: the configuration file: "name = value" lines for the same options as the command line. The text comes
 * as bytes; who reads the file is host/. */
#include "cli/values.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(uint8_t c) {
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text) {
	while (text.len > 0 && is_blank(text.data[0]))
		text = slice_of(text.data + 1, text.len - 1);
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* The text before a comment: '#' counts at the start and after a blank, so that a '#' within a word is kept. */
static struct slice cut_comment(struct slice text) {
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '#' && (i == 0 || is_blank(text.data[i - 1])))
			return slice_of(text.data, i);
	}
	return text;
}

static int fail(struct cli_place place, struct slice name, int code, const char *reason,
                char error[static CLI_ERROR_BYTES]) {
	struct base_text text;

	cli_error_begin(&text, error, place, name);
	base_text_add(&text, reason);
	return code;
}

/* A passphrase that is cut at a '#' would still be one, but a weaker one than was meant. */
static int parse_value(struct slice rest, struct cli_place place, const struct cli_option *option, struct slice *ret,
                       char error[static CLI_ERROR_BYTES]) {
	struct slice name = slice_of_text(option->name);
	const uint8_t *closing;

	rest = trim(rest);
	if (rest.len == 0 || rest.data[0] != '"') {
		size_t len = rest.len;

		rest = cut_comment(rest);
		if (option->secret && rest.len > 0 && rest.len < len)
			return fail(place, name, BASE_E_SYNTAX, "there is a '#' in it: it must be in quotes", error);
		rest = trim(rest);
		if (rest.len == 0)
			return fail(place, name, BASE_E_MISSING, "no value behind '=' (an empty one is written \"\")", error);
		*ret = rest;
		return 0;
	}
	closing = memchr(rest.data + 1, '"', rest.len - 1);
	if (closing == NULL)
		return fail(place, name, BASE_E_SYNTAX, "the closing quote is missing", error);
	*ret = slice_of(rest.data + 1, (size_t)(closing - rest.data) - 1);
	rest = trim(cut_comment(slice_of(closing + 1, rest.len - ret->len - 2)));
	if (rest.len > 0)
		return fail(place, name, BASE_E_SYNTAX, "there is text behind the closing quote", error);
	return 0;
}

static int fail_unknown(const struct cli_table *table, struct cli_place place, struct slice name,
                        char error[static CLI_ERROR_BYTES]) {
	const struct cli_option *nearest = cli_nearest(table, cli_shown(table, name), true);
	struct base_text text;

	cli_error_begin(&text, error, place, slice_of_text(""));
	base_text_add(&text, "unknown name ");
	base_text_add_quoted(&text, cli_shown(table, name));
	if (nearest != NULL)
		base_text_addf(&text, "; did you mean '%s'?", nearest->name);
	return BASE_E_INVALID;
}

static int check_flag(struct slice value, struct cli_place place, struct slice name,
                      char error[static CLI_ERROR_BYTES]) {
	struct base_text text;

	if (slice_equal(value, slice_of_text("yes")) || slice_equal(value, slice_of_text("no")))
		return 0;
	cli_error_begin(&text, error, place, name);
	base_text_add_quoted(&text, value);
	base_text_add(&text, " is neither yes nor no");
	return BASE_E_INVALID;
}

static int parse_line(struct cli_values *staged, struct slice line, struct cli_place place,
                      char error[static CLI_ERROR_BYTES]) {
	const struct cli_option *option;
	struct slice name, value;
	const uint8_t *equals;
	size_t index;
	int err;

	if (line.len > 0 && memchr(line.data, '\0', line.len) != NULL)
		return fail(place, slice_of_text(""), BASE_E_SYNTAX, "there is a NUL byte: this is no text file", error);
	line = trim(line);
	if (line.len == 0 || line.data[0] == '#')
		return 0;
	equals = memchr(line.data, '=', line.len);
	if (equals == NULL || equals == line.data) {
		struct base_text text;

		cli_error_begin(&text, error, place, slice_of_text(""));
		base_text_add_quoted(&text, cli_shown(staged->table, line));
		base_text_add(&text, " is not \"name = value\"");
		return BASE_E_SYNTAX;
	}
	name = trim(slice_of(line.data, (size_t)(equals - line.data)));
	index = cli_find(staged->table, name);
	if (index == CLI_NO_OPTION)
		return fail_unknown(staged->table, place, name, error);
	option = &staged->table->options[index];
	if (option->command_line_only)
		return fail(place, name, BASE_E_INVALID, "is for the command line only", error);
	err = parse_value(slice_of(equals + 1, line.len - (size_t)(equals - line.data) - 1), place, option, &value, error);
	if (err == 0 && option->kind == CLI_FLAG)
		err = check_flag(value, place, name, error);
	return err != 0 ? err : cli_values_add(staged, index, value, place, error);
}

static int parse_lines(struct cli_values *staged, struct slice text, const char *file_name,
                       char error[static CLI_ERROR_BYTES]) {
	static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};
	struct cli_place place = {.file = file_name};

	if (text.len >= sizeof(byte_order_mark) && memcmp(text.data, byte_order_mark, sizeof(byte_order_mark)) == 0)
		text = slice_of(text.data + sizeof(byte_order_mark), text.len - sizeof(byte_order_mark));
	while (text.len > 0) {
		const uint8_t *newline = memchr(text.data, '\n', text.len);
		size_t len = newline != NULL ? (size_t)(newline - text.data) : text.len;
		struct slice line = slice_of(text.data, len);
		int err;

		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		place.line++;
		err = parse_line(staged, line, place, error);
		if (err != 0)
			return err;
		if (newline == NULL)
			break;
		text = slice_of(newline + 1, text.len - len - 1);
	}
	return 0;
}

int cli_parse_config(struct cli_values *values, struct slice text, const char *file_name,
                     char error[static CLI_ERROR_BYTES]) {
	struct cli_values *staged;
	struct base_text message;
	char *name;
	int err;

	if (text.len > CLI_CONFIG_BYTES_MAX) {
		base_text_init(&message, error, CLI_ERROR_BYTES);
		base_text_addf(&message, "%.120s: larger than %d bytes", file_name, CLI_CONFIG_BYTES_MAX);
		return BASE_E_RANGE;
	}
	staged = calloc(1, sizeof(*staged));
	name = strdup(file_name);
	if (staged == NULL || name == NULL) {
		free(staged);
		free(name);
		base_text_init(&message, error, CLI_ERROR_BYTES);
		base_text_addf(&message, "%.120s: %s", file_name, base_error_text(BASE_E_NOMEM));
		return BASE_E_NOMEM;
	}
	staged->table = values->table;
	staged->file = name;
	err = parse_lines(staged, text, file_name, error);
	for (size_t i = 0; err == 0 && i < values->table->count; i++) {
		if (values->values[i].count == 0) {
			values->values[i] = staged->values[i];
			staged->values[i] = (struct cli_value){0};
		}
	}
	if (err == 0) {
		staged->file = values->file;
		values->file = name;
	}
	cli_values_free(staged);
	return err;
}
