#include "base/error.h"

const char *base_error_text(int code) {
	switch (code) {
#define BASE_ERROR_CASE(name, value, text) \
	case name:                             \
		return text;
		BASE_ERRORS(BASE_ERROR_CASE)
#undef BASE_ERROR_CASE
	default:
		return code >= 0 ? "success" : "unknown error";
	}
}
