/* The words of the protocol: message types, roles, reject codes and leave reasons. */
#include "ctrl/fields.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const type_names[CTRL_TYPE_COUNT] = {
    [CTRL_UNKNOWN] = "unknown",
    [CTRL_HELLO] = "hello",
    [CTRL_WELCOME] = "welcome",
    [CTRL_REJECT] = "reject",
    [CTRL_PEER_JOINED] = "peer_joined",
    [CTRL_PEER_LEFT] = "peer_left",
    [CTRL_STATS] = "stats",
    [CTRL_LAN] = "lan",
    [CTRL_SHUT_OUT] = "shut_out",
    [CTRL_DISCONNECT] = "disconnect",
};

static const char *const role_names[] = {[CTRL_ROLE_CLIENT] = "client", [CTRL_ROLE_GATEWAY] = "gateway"};

static const char *const leave_names[CTRL_LEAVE_REASON_COUNT] = {
#define CTRL_LEAVE_TEXT(name, text) [CTRL_LEAVE_##name] = text,
    CTRL_LEAVE_REASONS(CTRL_LEAVE_TEXT)
#undef CTRL_LEAVE_TEXT
};

static const char *const reject_names[CTRL_REJECT_CODE_COUNT] = {
#define CTRL_REJECT_NAME(name, text, what, retry) [CTRL_REJECT_##name] = text,
    CTRL_REJECT_CODES(CTRL_REJECT_NAME)
#undef CTRL_REJECT_NAME
};

static const struct {
	const char *text;
	bool transient;
} reject_facts[CTRL_REJECT_CODE_COUNT] = {
#define CTRL_REJECT_FACT(name, text, what, retry) [CTRL_REJECT_##name] = {what, retry},
    CTRL_REJECT_CODES(CTRL_REJECT_FACT)
#undef CTRL_REJECT_FACT
};

const struct ctrl_words ctrl_role_words = {role_names, COUNT_OF(role_names), CTRL_WORD_REFUSED};
const struct ctrl_words ctrl_reject_words = {reject_names, COUNT_OF(reject_names), CTRL_REJECT_CODE_COUNT};
const struct ctrl_words ctrl_leave_words = {leave_names, COUNT_OF(leave_names), CTRL_LEAVE_OTHER};

static const char *name_of(const char *const *names, size_t count, unsigned value) {
	return value < count ? names[value] : "unknown";
}

const char *ctrl_type_name(enum ctrl_type type) {
	return name_of(type_names, COUNT_OF(type_names), type);
}

const char *ctrl_role_name(enum ctrl_role role) {
	return name_of(role_names, COUNT_OF(role_names), role);
}

const char *ctrl_reject_name(enum ctrl_reject_code code) {
	return name_of(reject_names, COUNT_OF(reject_names), code);
}

const char *ctrl_reject_text(enum ctrl_reject_code code) {
	return (unsigned)code < CTRL_REJECT_CODE_COUNT ? reject_facts[code].text
	                                               : "refused for a reason this version does not know";
}

/* An unknown code may be for good or not: trying again is the mistake that can be mended. */
bool ctrl_reject_is_transient(enum ctrl_reject_code code) {
	return (unsigned)code >= CTRL_REJECT_CODE_COUNT || reject_facts[code].transient;
}

const char *ctrl_leave_name(enum ctrl_leave_reason reason) {
	return name_of(leave_names, COUNT_OF(leave_names), reason);
}
