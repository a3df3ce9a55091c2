/* cli/options.h: command line and configuration file from one table per binary, which is also its --help.
 *
 * Every option has a long name; its value comes as "--name value" or "--name=value"; flags take none. A configuration
 * file (--config FILE) has one "name = value" a line; a flag is "name = yes|no"; the command line wins over the file. A
 * value may stand in double quotes, within which nothing is special (so a quoted value holds no quote). Outside of them
 * '#' at the start of a line or after a blank starts a comment. Errors name the option or file:line and the part that
 * is wrong, also those of who looks at a value later (cli_error_place); nothing here prints or exits. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/slice.h"
#include "base/text.h"

#define CLI_ERROR_BYTES 256
#define CLI_OPTIONS_MAX 64
#define CLI_VALUE_BYTES_MAX 4096         /* a path (PATH_MAX) is the longest thing that makes sense */
#define CLI_LIST_ITEMS_MAX 64            /* per CLI_LIST option */
#define CLI_CONFIG_BYTES_MAX (64 * 1024) /* a whole configuration file */

enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_NUMBER, CLI_LIST /* text, may be given several times */ };

struct cli_option {
	const char *name; /* without the dashes */
	enum cli_kind kind;
	const char *value;      /* what the value is called in --help, e.g. "HOST[:PORT]"; NULL for flags */
	const char *help;       /* one or two lines; '\n' allowed */
	const char *fallback;   /* the default as text, or NULL */
	uint64_t min, max;      /* CLI_NUMBER; max 0 means UINT64_MAX */
	bool command_line_only; /* --help, --version, --config ... are not for files */
	bool secret;            /* no error shows its value, and it is wiped when it is freed */
};

struct cli_table {
	const char *program; /* "lanparty-relay" */
	const char *summary; /* one line */
	/* Exit codes, examples; may be NULL. A line "Title:" at the margin is a heading in the man page. */
	const char *epilog;
	const struct cli_option *options;
	size_t count;
};

struct cli_values; /* parsed values; owns its strings */

/* Parses argv (argv[0] is skipped). 0 with *ret; BASE_E_INVALID, BASE_E_MISSING, BASE_E_DUPLICATE, BASE_E_RANGE,
 * BASE_E_SYNTAX or BASE_E_NOMEM with `error` filled. Positional arguments are errors. */
int cli_parse_args(const struct cli_table *table, int argc, const char *const *argv, struct cli_values **ret,
                   char error[static CLI_ERROR_BYTES]);
/* Adds what a configuration file says for options the command line did not give. `file_name` is for errors only. On
 * failure the values are untouched. */
int cli_parse_config(struct cli_values *values, struct slice text, const char *file_name,
                     char error[static CLI_ERROR_BYTES]);
void cli_values_free(struct cli_values *values); /* accepts NULL */
/* Wipes a secret once it has been used; from then on it counts as not given. */
void cli_forget(struct cli_values *values, const char *name);

/* The given value, else the default, else NULL / 0 / false. The name must be in the table (asserted). "Given" means on
 * the command line or in a file. */
const char *cli_text(const struct cli_values *values, const char *name);
uint64_t cli_number(const struct cli_values *values, const char *name);
bool cli_flag(const struct cli_values *values, const char *name);
bool cli_given(const struct cli_values *values, const char *name);
/* Given in a file, and not on the command line. */
bool cli_from_file(const struct cli_values *values, const char *name);
size_t cli_list_count(const struct cli_values *values, const char *name);
const char *cli_list_item(const struct cli_values *values, const char *name, size_t index);

/* Adds `message` about a value that turned out to be wrong, which begins with "--NAME: " or "--NAME 'VALUE'". If the
 * value is from a configuration file, its file and line and the name as it stands there come in place of "--NAME".
 * `values` may be NULL. */
void cli_error_place(const struct cli_values *values, const char *message, struct base_text *ret);

/* The --help text. Returns a NUL-terminated string the caller frees with free(), or NULL when memory is out. */
char *cli_help(const struct cli_table *table);
/* The same table as a man page (man(7) source, section 8). Caller frees. */
char *cli_man_page(const struct cli_table *table, const char *version, const char *description);

#endif
