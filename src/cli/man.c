/* cli/man.c: the same table as a man page, in man(7). */
#include "cli/describe.h"
#include "cli/writer.h"

#include <string.h>

/* What troff would read as something else: '-' would become a hyphen that cannot be copied to a shell, quotes would
 * become typographic. */
static const char *escape(char c) {
	static const struct {
		char c;
		const char *text;
	} escapes[] = {
	    {'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'"', "\\(dq"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"},
	};

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		if (escapes[i].c == c)
			return escapes[i].text;
	}
	return NULL;
}

static void add_escaped_bytes(struct cli_writer *writer, struct slice text) {
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		/* A dot or blank at the start of a line is a request or a break to troff. */
		if (writer->column == 0 && (c == '.' || c == ' '))
			cli_writer_add(writer, "\\&");
		if (escape(c) != NULL)
			cli_writer_add(writer, escape(c));
		else
			cli_writer_add_bytes(writer, slice_of(&c, 1));
	}
}

static void add_escaped(struct cli_writer *writer, const char *text) {
	add_escaped_bytes(writer, slice_of_text(text));
}

static void add_upper(struct cli_writer *writer, struct slice text) {
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		add_escaped_bytes(writer, slice_of(&c, 1));
	}
}

/* Takes one line off the text, without its newline. */
static bool next_line(const char **text, struct slice *ret) {
	size_t len = strcspn(*text, "\n");

	if (**text == '\0')
		return false;
	*ret = slice_of(*text, len);
	*text += len + ((*text)[len] == '\n');
	return true;
}

/* Filled paragraphs; an empty line parts them. */
static void add_paragraphs(struct cli_writer *writer, const char *text) {
	struct slice line;

	while (next_line(&text, &line)) {
		if (line.len == 0)
			cli_writer_add(writer, ".PP");
		else
			add_escaped_bytes(writer, line);
		cli_writer_add(writer, "\n");
	}
}

static void add_options(struct cli_writer *writer, const struct cli_table *table) {
	char facts[CLI_FACTS_BYTES];

	cli_writer_add(writer, ".SH OPTIONS\n");
	for (size_t i = 0; i < table->count; i++) {
		const struct cli_option *option = &table->options[i];

		cli_writer_add(writer, ".TP\n\\fB\\-\\-");
		add_escaped(writer, option->name);
		cli_writer_add(writer, "\\fR");
		if (option->value != NULL) {
			cli_writer_add(writer, " \\fI");
			add_escaped(writer, option->value);
			cli_writer_add(writer, "\\fR");
		}
		cli_writer_add(writer, "\n");
		add_paragraphs(writer, option->help);
		cli_facts(option, facts);
		if (facts[0] != '\0') {
			add_escaped(writer, facts);
			cli_writer_add(writer, "\n");
		}
	}
}

static void add_configuration(struct cli_writer *writer) {
	cli_writer_add(writer, ".SH CONFIGURATION FILE\n");
	add_paragraphs(writer,
	               "The file named by --config has one \"name = value\" a line, the names being those of the options "
	               "without dashes.\n"
	               "A flag is \"name = yes\" or \"name = no\".\n"
	               "A value may stand in double quotes.\n"
	               "A '#' at the start of a line or behind a blank starts a comment.\n"
	               "An option that may be repeated takes several lines.\n"
	               "What the command line says wins over the file.\n");
}

static bool is_heading(struct slice line) {
	return line.len > 1 && line.data[0] != ' ' && line.data[0] != '\t' && line.data[line.len - 1] == ':';
}

/* "Title:" lines become sections; what is below them keeps its lines. */
static void add_epilog(struct cli_writer *writer, const char *text) {
	bool in_section = false, blank = false;
	struct slice line;

	while (next_line(&text, &line)) {
		if (is_heading(line)) {
			cli_writer_add(writer, in_section ? ".fi\n.SH " : ".SH ");
			add_upper(writer, slice_of(line.data, line.len - 1));
			cli_writer_add(writer, "\n.nf\n");
			in_section = true;
			blank = false;
			continue;
		}
		if (line.len == 0) {
			blank = in_section;
			continue;
		}
		if (!in_section)
			cli_writer_add(writer, ".SH NOTES\n.nf\n");
		if (blank)
			cli_writer_add(writer, ".sp\n");
		in_section = true;
		blank = false;
		add_escaped_bytes(writer, line);
		cli_writer_add(writer, "\n");
	}
	if (in_section)
		cli_writer_add(writer, ".fi\n");
}

char *cli_man_page(const struct cli_table *table, const char *version, const char *description) {
	struct cli_writer writer = {0};
	bool has_config = false;

	for (size_t i = 0; i < table->count; i++)
		has_config = has_config || strcmp(table->options[i].name, "config") == 0;
	cli_writer_add(&writer, ".TH ");
	add_upper(&writer, slice_of_text(table->program));
	cli_writer_add(&writer, " 8 \"\" \"lanparty ");
	add_escaped(&writer, version);
	cli_writer_add(&writer, "\"\n.SH NAME\n");
	add_escaped(&writer, table->program);
	cli_writer_add(&writer, " \\- ");
	add_escaped(&writer, table->summary);
	cli_writer_add(&writer, "\n.SH SYNOPSIS\n.B ");
	add_escaped(&writer, table->program);
	cli_writer_add(&writer, "\n[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n");
	add_paragraphs(&writer, description);
	add_options(&writer, table);
	if (has_config)
		add_configuration(&writer);
	if (table->epilog != NULL)
		add_epilog(&writer, table->epilog);
	return cli_writer_finish(&writer);
}
