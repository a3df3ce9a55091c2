#include "base/windows_error.h"

#include "base/error.h"
#include "base/text.h"

int base_windows_error(const struct base_windows_error *known, size_t count, const char *unknown, const char *what,
                       unsigned long number, char *error, size_t cap) {
	struct base_windows_error found = {number, BASE_E_IO, unknown};
	struct base_text text;

	for (size_t i = 0; i < count; i++) {
		if (known[i].number == number)
			found = known[i];
	}
	base_text_init(&text, error, cap);
	base_text_addf(&text, "%s: %s (Windows error %lu)", what, found.words, number);
	return found.err;
}
