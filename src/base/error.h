/* base/error.h: the one list of result codes.
 *
 * Every fallible function returns 0 (or a non-negative count) on success and one of these negative codes on
 * failure. A header says which codes each function can return. Codes say what is wrong; the caller knows where. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* X(name, value, text) */
#define BASE_ERRORS(X)                                                    \
	X(BASE_E_NOMEM, -1, "out of memory")                                  \
	X(BASE_E_INVALID, -2, "invalid value")                                \
	X(BASE_E_SHORT, -3, "input ends too early")                           \
	X(BASE_E_TRAILING, -4, "trailing bytes")                              \
	X(BASE_E_VERSION, -5, "unsupported version")                          \
	X(BASE_E_FLAGS, -6, "reserved flag set")                              \
	X(BASE_E_LENGTH, -7, "length field disagrees with the bytes present") \
	X(BASE_E_RUNT, -8, "frame shorter than an Ethernet header")           \
	X(BASE_E_RANGE, -9, "value out of range")                             \
	X(BASE_E_TOO_BIG, -10, "too big")                                     \
	X(BASE_E_FULL, -11, "full")                                           \
	X(BASE_E_EXISTS, -12, "already exists")                               \
	X(BASE_E_NOT_FOUND, -13, "not found")                                 \
	X(BASE_E_SYNTAX, -14, "syntax error")                                 \
	X(BASE_E_DUPLICATE, -15, "given twice")                               \
	X(BASE_E_TYPE, -16, "wrong type")                                     \
	X(BASE_E_MISSING, -17, "missing")                                     \
	X(BASE_E_AGAIN, -18, "would block")                                   \
	X(BASE_E_DENIED, -20, "permission denied")                            \
	X(BASE_E_UNSUPPORTED, -21, "not supported")                           \
	X(BASE_E_TIMEOUT, -22, "timed out")                                   \
	X(BASE_E_IO, -23, "input/output error")                               \
	X(BASE_E_TLS, -24, "TLS failure")                                     \
	X(BASE_E_PROTOCOL, -25, "protocol violation")                         \
	X(BASE_E_STATE, -26, "not possible in this state")                    \
	X(BASE_E_UNREACHABLE, -27, "no way leads there")

enum base_error {
#define BASE_ERROR_ENUM(name, value, text) name = (value),
	BASE_ERRORS(BASE_ERROR_ENUM)
#undef BASE_ERROR_ENUM
};

/* A short English text for a code of the list; "success" for 0 and above, "unknown error" for anything else. */
const char *base_error_text(int code);

#endif
