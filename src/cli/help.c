/* cli/help.c: the --help text from the table. */
#include "base/text.h"
#include "cli/describe.h"
#include "cli/writer.h"

#include <string.h>

#define COLUMNS 90
#define HELP_COLUMN 30

static void add_fact(struct base_text *text, const char *fact) {
	base_text_add(text, text->len == 0 ? "(" : ", ");
	base_text_add(text, fact);
}

const char *cli_facts(const struct cli_option *option, char buf[static CLI_FACTS_BYTES]) {
	struct base_text text;

	base_text_init(&text, buf, CLI_FACTS_BYTES);
	if (option->kind == CLI_NUMBER && option->max > 0) {
		add_fact(&text, "");
		base_text_addf(&text, "%llu to %llu", (unsigned long long)option->min, (unsigned long long)option->max);
	}
	if (option->fallback != NULL) {
		add_fact(&text, "default ");
		base_text_add(&text, option->fallback);
	}
	if (option->kind == CLI_LIST)
		add_fact(&text, "may be repeated");
	if (text.len > 0)
		base_text_add_char(&text, ')');
	return buf;
}

/* Adds words, breaking lines at COLUMNS; a '\n' in the text breaks too. */
static void add_wrapped(struct cli_writer *writer, const char *text, size_t indent) {
	while (*text != '\0') {
		size_t len = strcspn(text, " \n");

		if (writer->column > indent && writer->column + 1 + len > COLUMNS)
			cli_writer_add(writer, "\n");
		if (writer->column > indent)
			cli_writer_add(writer, " ");
		if (len > 0) {
			cli_writer_pad(writer, indent);
			cli_writer_add_bytes(writer, slice_of(text, len));
		}
		text += len;
		if (*text == '\n')
			cli_writer_add(writer, "\n");
		if (*text != '\0')
			text++;
	}
}

static void add_option(struct cli_writer *writer, const struct cli_option *option) {
	char facts[CLI_FACTS_BYTES];

	cli_writer_add(writer, "  --");
	cli_writer_add(writer, option->name);
	if (option->value != NULL) {
		cli_writer_add(writer, " ");
		cli_writer_add(writer, option->value);
	}
	if (writer->column + 2 > HELP_COLUMN)
		cli_writer_add(writer, "\n");
	cli_writer_pad(writer, HELP_COLUMN);
	add_wrapped(writer, option->help, HELP_COLUMN);
	cli_facts(option, facts);
	if (facts[0] != '\0')
		add_wrapped(writer, facts, HELP_COLUMN);
	cli_writer_add(writer, "\n");
}

char *cli_help(const struct cli_table *table) {
	struct cli_writer writer = {0};

	cli_writer_add(&writer, "Usage: ");
	cli_writer_add(&writer, table->program);
	cli_writer_add(&writer, " [OPTION]...\n\n");
	add_wrapped(&writer, table->summary, 0);
	cli_writer_add(&writer, "\n\nOptions:\n");
	for (size_t i = 0; i < table->count; i++)
		add_option(&writer, &table->options[i]);
	if (table->epilog != NULL) {
		cli_writer_add(&writer, "\n");
		cli_writer_add(&writer, table->epilog);
		if (writer.column > 0)
			cli_writer_add(&writer, "\n");
	}
	return cli_writer_finish(&writer);
}
