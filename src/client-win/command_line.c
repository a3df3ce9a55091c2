#include "client-win/command_line.h"

#include "client-win/options.h"

#include <string.h>

/* Backslashes count only in front of a quote: there they are doubled, and the quote gets one of its own. */
void winmain_quote(struct base_text *out, const char *argument) {
	size_t backslashes = 0;

	if (argument[0] != '\0' && strpbrk(argument, " \t\n\v\"") == NULL) {
		base_text_add(out, argument);
		return;
	}
	base_text_add_char(out, '"');
	for (const char *c = argument;; c++) {
		bool end = *c == '\0', quote = *c == '"';
		if (*c == '\\') {
			backslashes++;
			continue;
		}
		for (size_t i = 0; i < backslashes * (end || quote ? 2 : 1) + (quote ? 1 : 0); i++)
			base_text_add_char(out, '\\');
		backslashes = 0;
		if (end)
			break;
		base_text_add_char(out, *c);
	}
	base_text_add_char(out, '"');
}

/* The option an argument begins with, "--name" or "--name=value". */
static bool names_option(const char *argument, const char *name) {
	size_t len = strlen(name);

	return strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, name, len) == 0 &&
	       (argument[2 + len] == '\0' || argument[2 + len] == '=');
}

static bool takes_file(const char *argument) {
	static const char *const names[] = {"relay-ca-cert", "identity", "config"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names_option(argument, names[i]))
			return true;
	return false;
}

static bool is_slash(char c) {
	return c == '\\' || c == '/';
}

bool winmain_is_full_path(const char *path) {
	const bool has_drive = path[0] != '\0' && path[1] == ':';

	return has_drive ? is_slash(path[2]) : is_slash(path[0]) && is_slash(path[1]);
}

bool winmain_service_command(struct base_text *out, const char *program, int argc, const char *const *argv,
                             bool (*absolute)(void *user, const char *path, struct base_text *out), void *user) {
	winmain_quote(out, program);
	for (int i = 1; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		if (names_option(argv[i], "service")) {
			i += equals == NULL ? 1 : 0; /* its value is the next argument */
			continue;
		}
		if (!takes_file(argv[i])) {
			base_text_add_char(out, ' ');
			winmain_quote(out, argv[i]);
			continue;
		}
		char path[WINMAIN_PATH_BYTES];
		struct base_text argument;
		base_text_init(&argument, path, sizeof(path));
		if (equals != NULL)
			base_text_add_bytes(&argument, slice_of(argv[i], (size_t)(equals + 1 - argv[i])));
		else
			base_text_addf(&argument, "%s=", argv[i]);
		const char *value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : "";
		if (!absolute(user, value, &argument) || argument.truncated)
			return false;
		base_text_add_char(out, ' ');
		winmain_quote(out, path);
	}
	base_text_add(out, " --service run");
	return !out->truncated;
}
