#include "client-route/state_file.h"

#include "base/error.h"

#include <assert.h>
#include <string.h>

#define HEAD "lanparty-route-state "
#define VERSION "1"
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum field_id { FIELD_FAMILY, FIELD_LUID, FIELD_DEST, FIELD_NEXT_HOP, FIELD_SET, FIELD_WAS, FIELD_AUTOMATIC };

static const char *const field_names[] = {
    [FIELD_FAMILY] = "family", [FIELD_LUID] = "luid", [FIELD_DEST] = "dest",           [FIELD_NEXT_HOP] = "next_hop",
    [FIELD_SET] = "set",       [FIELD_WAS] = "was",   [FIELD_AUTOMATIC] = "automatic",
};

/* Which fields a change of each kind has, in this order. */
static const struct {
	enum field_id ids[5];
	size_t count;
} kinds[] = {
    [ROUTE_CHANGE_PIN] = {{FIELD_FAMILY, FIELD_LUID, FIELD_DEST, FIELD_NEXT_HOP}, 4},
    [ROUTE_CHANGE_MTU] = {{FIELD_FAMILY, FIELD_LUID, FIELD_SET, FIELD_WAS}, 4},
    [ROUTE_CHANGE_METRIC] = {{FIELD_FAMILY, FIELD_LUID, FIELD_SET, FIELD_WAS, FIELD_AUTOMATIC}, 5},
    [ROUTE_CHANGE_DEFAULTS] = {{FIELD_FAMILY, FIELD_LUID, FIELD_SET, FIELD_WAS}, 4},
};

/* Without a scope: the interface's LUID beside it says more. */
static void add_ip(struct base_text *out, const struct base_addr *addr) {
	struct base_addr plain = *addr;
	char text[BASE_ADDR_TEXT_BYTES];

	plain.scope = 0;
	base_text_add(out, base_addr_ip_text(&plain, text));
}

static void add_value(struct base_text *out, enum field_id id, const struct route_change *change) {
	switch (id) {
	case FIELD_FAMILY:
		base_text_add_u64(out, change->family);
		break;
	case FIELD_LUID:
		base_text_add_u64(out, change->luid);
		break;
	case FIELD_DEST:
		add_ip(out, &change->pin.dest);
		break;
	case FIELD_NEXT_HOP:
		add_ip(out, &change->pin.next_hop);
		break;
	case FIELD_SET:
		base_text_add_u64(out, change->set);
		break;
	case FIELD_WAS:
		base_text_add_u64(out, change->was);
		break;
	case FIELD_AUTOMATIC:
		base_text_add_u64(out, change->was_automatic);
		break;
	}
}

void route_state_write(const struct route_change *changes, size_t count, struct base_text *out) {
	assert(count <= ROUTE_STATE_CHANGES_MAX);
	base_text_add(out, HEAD VERSION "\n");
	for (size_t i = 0; i < count; i++) {
		base_text_add(out, route_change_name(changes[i].kind));
		for (size_t f = 0; f < kinds[changes[i].kind].count; f++) {
			enum field_id id = kinds[changes[i].kind].ids[f];

			base_text_addf(out, " %s=", field_names[id]);
			add_value(out, id, &changes[i]);
		}
		base_text_add_char(out, '\n');
	}
	base_text_addf(out, "end %zu\n", count);
	assert(!out->truncated);
}

struct parser {
	const char *rest, *end;
	size_t line;
	char *error;
};

static int fail(const struct parser *parser, int code, const char *field, const char *why) {
	struct base_text text;

	base_text_init(&text, parser->error, ROUTE_ERROR_BYTES);
	base_text_addf(&text, "line %zu", parser->line);
	if (field != NULL)
		base_text_addf(&text, ", %s", field);
	base_text_addf(&text, ": %s", why);
	return code;
}

/* The next line without its newline. A line that does not end is no line. */
static int next_line(struct parser *parser, struct slice *ret) {
	const char *newline;

	parser->line++;
	newline = memchr(parser->rest, '\n', (size_t)(parser->end - parser->rest));
	if (newline == NULL)
		return fail(parser, BASE_E_SYNTAX, NULL, "the file ends too early");
	*ret = slice_of(parser->rest, (size_t)(newline - parser->rest));
	parser->rest = newline + 1;
	return 0;
}

/* Cuts the text up to a blank or the end. */
static struct slice next_word(struct slice *line) {
	const uint8_t *blank = line->len > 0 ? memchr(line->data, ' ', line->len) : NULL;
	struct slice word = *line;

	if (blank == NULL) {
		*line = slice_of(line->data + line->len, 0);
		return word;
	}
	word.len = (size_t)(blank - line->data);
	*line = slice_of(blank + 1, line->len - word.len - 1);
	return word;
}

static int parse_number(struct slice text, uint64_t max, uint64_t *ret) {
	int err = base_parse_u64((const char *)text.data, text.len, max, ret);

	/* One way to write a number. */
	return err == 0 && text.len > 1 && text.data[0] == '0' ? BASE_E_SYNTAX : err;
}

static int parse_ip(struct slice text, uint8_t family, struct base_addr *ret) {
	struct base_addr addr;

	if (base_addr_parse_ip((const char *)text.data, text.len, &addr) != 0 || addr.family != family)
		return BASE_E_SYNTAX;
	*ret = addr;
	return 0;
}

static int parse_value(enum field_id id, struct slice text, struct route_change *change) {
	static const uint64_t max[] = {[FIELD_FAMILY] = 6,
	                               [FIELD_LUID] = UINT64_MAX,
	                               [FIELD_SET] = UINT32_MAX,
	                               [FIELD_WAS] = UINT32_MAX,
	                               [FIELD_AUTOMATIC] = 1};
	uint64_t value = 0;
	int err;

	if (id == FIELD_DEST || id == FIELD_NEXT_HOP)
		return parse_ip(text, change->family, id == FIELD_DEST ? &change->pin.dest : &change->pin.next_hop);
	err = parse_number(text, change->kind == ROUTE_CHANGE_DEFAULTS && id >= FIELD_SET ? 1 : max[id], &value);
	if (err != 0)
		return err;
	if (id == FIELD_FAMILY) {
		change->family = (uint8_t)value;
		return value == BASE_FAMILY_V4 || value == BASE_FAMILY_V6 ? 0 : BASE_E_RANGE;
	}
	if (id == FIELD_LUID)
		change->luid = value;
	else if (id == FIELD_SET)
		change->set = (uint32_t)value;
	else if (id == FIELD_WAS)
		change->was = (uint32_t)value;
	else
		change->was_automatic = value != 0;
	return 0;
}

static int parse_change(const struct parser *parser, enum route_change_kind kind, struct slice line,
                        struct route_change *ret) {
	struct route_change change = {.kind = kind};

	for (size_t f = 0; f < kinds[kind].count; f++) {
		const char *name = field_names[kinds[kind].ids[f]];
		const size_t len = strlen(name);
		struct slice word = next_word(&line);
		int err;

		if (word.len <= len || memcmp(word.data, name, len) != 0 || word.data[len] != '=')
			return fail(parser, BASE_E_SYNTAX, name, "the field is missing or not in its place");
		err = parse_value(kinds[kind].ids[f], slice_of(word.data + len + 1, word.len - len - 1), &change);
		if (err != 0)
			return fail(parser, err, name, base_error_text(err));
	}
	if (line.len > 0 || line.data[-1] == ' ')
		return fail(parser, BASE_E_SYNTAX, NULL, "there is more on the line than its fields");
	if (kind == ROUTE_CHANGE_PIN) {
		change.pin.prefix = change.family == BASE_FAMILY_V6 ? 128 : 32;
		change.pin.luid = change.luid;
	}
	*ret = change;
	return 0;
}

static int find_kind(struct slice word) {
	for (size_t kind = 0; kind < COUNT_OF(kinds); kind++)
		if (slice_equal(word, slice_of_text(route_change_name((enum route_change_kind)kind))))
			return (int)kind;
	return -1;
}

static int parse_head(struct parser *parser) {
	struct slice line;
	int err = next_line(parser, &line);

	if (err != 0)
		return err;
	if (line.len < sizeof(HEAD) - 1 || memcmp(line.data, HEAD, sizeof(HEAD) - 1) != 0)
		return fail(parser, BASE_E_SYNTAX, NULL, "this is no route state file");
	if (!slice_equal(slice_of(line.data + sizeof(HEAD) - 1, line.len - (sizeof(HEAD) - 1)), slice_of_text(VERSION)))
		return fail(parser, BASE_E_VERSION, NULL, "the file is of another version than " VERSION);
	return 0;
}

static int parse_end(const struct parser *parser, struct slice rest, size_t count) {
	uint64_t stated;

	if (parse_number(rest, ROUTE_STATE_CHANGES_MAX, &stated) != 0 || stated != count)
		return fail(parser, BASE_E_SYNTAX, "end", "the number of changes is wrong");
	if (parser->rest != parser->end)
		return fail(parser, BASE_E_SYNTAX, "end", "something follows");
	return 0;
}

int route_state_parse(struct slice text, struct route_change ret[static ROUTE_STATE_CHANGES_MAX], size_t *ret_count,
                      char error[static ROUTE_ERROR_BYTES]) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX];
	struct parser parser = {.rest = (const char *)text.data, .error = error};
	size_t count = 0;
	int err;

	parser.end = parser.rest + text.len;
	err = parse_head(&parser);
	while (err == 0) {
		struct slice line, word;
		int kind;

		err = next_line(&parser, &line);
		if (err != 0)
			break;
		word = next_word(&line);
		if (slice_equal(word, slice_of_text("end"))) {
			err = parse_end(&parser, line, count);
			if (err != 0)
				break;
			memcpy(ret, changes, count * sizeof(changes[0]));
			*ret_count = count;
			return 0;
		}
		kind = find_kind(word);
		if (kind < 0)
			return fail(&parser, BASE_E_SYNTAX, NULL, "unknown kind of change");
		if (count == ROUTE_STATE_CHANGES_MAX)
			return fail(&parser, BASE_E_FULL, NULL, "too many changes");
		err = parse_change(&parser, (enum route_change_kind)kind, line, &changes[count]);
		count++;
	}
	return err;
}
