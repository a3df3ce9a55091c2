/* cli/values.c: the parsed values, their checks and accessors, and the error texts both parsers use. */
#include "cli/values.h"

#include "base/error.h"
#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 48

size_t cli_find(const struct cli_table *table, struct slice name) {
	for (size_t i = 0; i < table->count; i++) {
		if (slice_equal(slice_of_text(table->options[i].name), name))
			return i;
	}
	return CLI_NO_OPTION;
}

/* Levenshtein distance; both are at most NAME_BYTES_MAX long. */
static size_t edit_distance(struct slice a, struct slice b) {
	size_t row[NAME_BYTES_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.len];
}

const struct cli_option *cli_nearest(const struct cli_table *table, struct slice name, bool for_file) {
	const struct cli_option *nearest = NULL;
	size_t nearest_distance = SIZE_MAX;

	if (name.len < 2 || name.len > NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < table->count; i++) {
		struct slice known = slice_of_text(table->options[i].name);
		size_t distance;

		if (known.len > NAME_BYTES_MAX || (for_file && table->options[i].command_line_only))
			continue;
		distance = edit_distance(name, known);
		/* An abbreviation is near however much is missing. */
		if (known.len > name.len && memcmp(known.data, name.data, name.len) == 0)
			distance = 1;
		if (distance <= 1 + name.len / 4 && distance < nearest_distance) {
			nearest = &table->options[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}

static bool is_name_char(uint8_t c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

struct slice cli_shown(const struct cli_table *table, struct slice text) {
	size_t at = 0;

	while (at < text.len) {
		size_t start = at;
		const struct cli_option *nearest;

		while (at < text.len && is_name_char(text.data[at]))
			at++;
		nearest = cli_nearest(table, slice_of(text.data + start, at - start), false);
		if (nearest != NULL && nearest->secret)
			return slice_of(text.data, at);
		at++;
	}
	return text;
}

void cli_error_begin(struct base_text *text, char error[static CLI_ERROR_BYTES], struct cli_place place,
                     struct slice name) {
	base_text_init(text, error, CLI_ERROR_BYTES);
	if (place.file != NULL)
		base_text_addf(text, "%.120s:%llu: ", place.file, (unsigned long long)place.line);
	if (name.len > 0) {
		base_text_add(text, place.file != NULL ? "" : "--");
		base_text_add_bytes(text, name);
		base_text_add(text, ": ");
	}
}

static uint64_t option_max(const struct cli_option *option) {
	return option->max > 0 ? option->max : UINT64_MAX;
}

static int check_number(const struct cli_option *option, struct slice text, uint64_t *ret) {
	uint64_t value;
	int err = base_parse_u64((const char *)text.data, text.len, option_max(option), &value);

	if (err != 0)
		return err;
	if (value < option->min)
		return BASE_E_RANGE;
	*ret = value;
	return 0;
}

/* What is wrong with `text` as a value of the option: 0 or a code, with the reason added to `reason`. */
static int check_value(const struct cli_option *option, struct slice text, struct base_text *reason) {
	uint64_t number;
	int err;

	if (text.len > CLI_VALUE_BYTES_MAX) {
		base_text_addf(reason, "the value has %llu bytes, more than %d", (unsigned long long)text.len,
		               CLI_VALUE_BYTES_MAX);
		return BASE_E_RANGE;
	}
	if (option->kind != CLI_NUMBER)
		return 0;
	err = check_number(option, text, &number);
	if (err == 0)
		return 0;
	base_text_add_quoted(reason, text);
	if (err == BASE_E_SYNTAX)
		base_text_add(reason, " is not a number");
	else if (option->max > 0)
		base_text_addf(reason, " is not between %llu and %llu", (unsigned long long)option->min,
		               (unsigned long long)option->max);
	else if (base_parse_u64((const char *)text.data, text.len, UINT64_MAX, &number) != 0)
		base_text_add(reason, " is too large");
	else
		base_text_addf(reason, " is not a number of at least %llu", (unsigned long long)option->min);
	return err;
}

static int append(struct cli_value *value, struct slice text) {
	char *copy = malloc(text.len + 1);
	char **grown;

	if (copy == NULL)
		return BASE_E_NOMEM;
	grown = realloc(value->items, (value->count + 1) * sizeof(*grown));
	if (grown == NULL) {
		free(copy);
		return BASE_E_NOMEM;
	}
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	value->items = grown;
	value->items[value->count++] = copy;
	return 0;
}

int cli_values_add(struct cli_values *values, size_t index, struct slice text, struct cli_place place,
                   char error[static CLI_ERROR_BYTES]) {
	const struct cli_option *option = &values->table->options[index];
	struct cli_value *value = &values->values[index];
	char reason_buf[CLI_ERROR_BYTES];
	struct base_text reason, message;
	int err;

	base_text_init(&reason, reason_buf, sizeof(reason_buf));
	if (value->count > 0 && option->kind != CLI_LIST) {
		base_text_add(&reason, "given twice");
		err = BASE_E_DUPLICATE;
	} else if (value->count == CLI_LIST_ITEMS_MAX) {
		base_text_addf(&reason, "given more than %d times", CLI_LIST_ITEMS_MAX);
		err = BASE_E_RANGE;
	} else {
		err = check_value(option, text, &reason);
	}
	if (err == 0) {
		err = append(value, text);
		value->line = place.line;
		if (err == 0)
			return 0;
		base_text_add(&reason, base_error_text(err));
	}
	cli_error_begin(&message, error, place, slice_of_text(option->name));
	base_text_add(&message, reason_buf);
	return err;
}

static void clear(struct cli_value *value, bool secret) {
	for (size_t i = 0; i < value->count; i++) {
		if (secret)
			base_wipe(value->items[i], strlen(value->items[i]));
		free(value->items[i]);
	}
	free(value->items);
	*value = (struct cli_value){.count = 0};
}

void cli_values_free(struct cli_values *values) {
	if (values == NULL)
		return;
	for (size_t i = 0; i < values->table->count; i++)
		clear(&values->values[i], values->table->options[i].secret);
	free(values->file);
	free(values);
}

static size_t must_find(const struct cli_values *values, const char *name) {
	size_t index = cli_find(values->table, slice_of_text(name));

	assert(index != CLI_NO_OPTION);
	return index;
}

void cli_forget(struct cli_values *values, const char *name) {
	size_t index = must_find(values, name);

	assert(values->table->options[index].secret);
	clear(&values->values[index], true);
}

/* The value's place in the file, if `message` begins with "--NAME:" or "--NAME '" and it has one. */
static const struct cli_value *complained_of(const struct cli_values *values, const char *message) {
	size_t len = strspn(message, "-abcdefghijklmnopqrstuvwxyz0123456789"), index;

	if (values == NULL || strncmp(message, "--", 2) != 0 ||
	    (message[len] != ':' && strncmp(message + len, " '", 2) != 0))
		return NULL;
	index = cli_find(values->table, slice_of(message + 2, len - 2));
	return index != CLI_NO_OPTION && values->values[index].line > 0 ? &values->values[index] : NULL;
}

void cli_error_place(const struct cli_values *values, const char *message, struct base_text *ret) {
	const struct cli_value *value = complained_of(values, message);

	if (value == NULL) {
		base_text_add(ret, message);
		return;
	}
	base_text_addf(ret, "%.120s:", values->file);
	if (value->count == 1) /* of several lines, who complains does not say which it is */
		base_text_addf(ret, "%llu:", (unsigned long long)value->line);
	base_text_add_char(ret, ' ');
	base_text_add(ret, message + 2);
}

const char *cli_text(const struct cli_values *values, const char *name) {
	size_t index = must_find(values, name);

	return values->values[index].count > 0 ? values->values[index].items[0] : values->table->options[index].fallback;
}

uint64_t cli_number(const struct cli_values *values, const char *name) {
	const struct cli_option *option = &values->table->options[must_find(values, name)];
	const char *text = cli_text(values, name);
	uint64_t number = 0;
	int err;

	assert(option->kind == CLI_NUMBER);
	if (text == NULL)
		return 0;
	/* Given values were checked when they were stored, so that only a default can be wrong, and that is our own. */
	err = check_number(option, slice_of_text(text), &number);
	assert(err == 0);
	(void)err;
	return number;
}

bool cli_flag(const struct cli_values *values, const char *name) {
	const char *text = cli_text(values, name);

	assert(values->table->options[must_find(values, name)].kind == CLI_FLAG);
	return text != NULL && strcmp(text, "yes") == 0;
}

bool cli_given(const struct cli_values *values, const char *name) {
	return values->values[must_find(values, name)].count > 0;
}

bool cli_from_file(const struct cli_values *values, const char *name) {
	return values->values[must_find(values, name)].line > 0;
}

size_t cli_list_count(const struct cli_values *values, const char *name) {
	size_t index = must_find(values, name);

	if (values->values[index].count > 0)
		return values->values[index].count;
	return values->table->options[index].fallback != NULL ? 1 : 0;
}

const char *cli_list_item(const struct cli_values *values, const char *name, size_t index) {
	const struct cli_value *value = &values->values[must_find(values, name)];

	assert(index < cli_list_count(values, name));
	return value->count > 0 ? value->items[index] : cli_text(values, name);
}
