/* tests/ctrl/vectors.h: reads docs/vectors/control.txt. */
#ifndef TESTS_CTRL_VECTORS_H
#define TESTS_CTRL_VECTORS_H

#include "base/error.h"

#include <stdio.h>
#include <string.h>

struct vector {
	char line[8192];
	const char *name, *json;
	int code;
};

static inline int vector_code(const char *name) {
	static const struct {
		const char *name;
		int code;
	} codes[] = {
#define VECTOR_CODE(name, value, text) {#name, value},
	    BASE_ERRORS(VECTOR_CODE)
#undef VECTOR_CODE
	        {"ok", 0},
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	}
	return 1;
}

/* The next vector. False at the end of the file; a line that is none has code 1. */
static inline bool vector_next(FILE *file, struct vector *ret) {
	char *code = NULL, *json = NULL;

	do {
		if (fgets(ret->line, sizeof(ret->line), file) == NULL)
			return false;
	} while (ret->line[0] == '#');
	ret->line[strcspn(ret->line, "\r\n")] = '\0';
	code = strchr(ret->line, '\t');
	if (code != NULL) {
		*code++ = '\0';
		json = strchr(code, '\t');
	}
	if (json != NULL)
		*json++ = '\0';
	ret->name = ret->line;
	ret->json = json;
	ret->code = json != NULL ? vector_code(code) : 1;
	return true;
}

#endif
