#include "base/text.h"

#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUOTED_BYTES_MAX 64

void base_text_init(struct base_text *text, char *buf, size_t cap) {
	assert(cap > 0);
	*text = (struct base_text){.buf = buf, .cap = cap};
	buf[0] = '\0';
}

void base_text_add_bytes(struct base_text *text, struct slice bytes) {
	size_t room = text->cap - 1 - text->len;
	size_t len = bytes.len <= room ? bytes.len : room;

	if (len < bytes.len)
		text->truncated = true;
	if (len > 0)
		memcpy(text->buf + text->len, bytes.data, len);
	text->len += len;
	text->buf[text->len] = '\0';
}

void base_text_add(struct base_text *text, const char *string) {
	base_text_add_bytes(text, slice_of_text(string));
}

void base_text_copy(char *buf, size_t cap, const char *string) {
	struct base_text text;

	base_text_init(&text, buf, cap);
	base_text_add(&text, string);
}

void base_text_add_char(struct base_text *text, char c) {
	base_text_add_bytes(text, slice_of(&c, 1));
}

void base_text_add_printable(struct base_text *text, struct slice bytes) {
	for (size_t i = 0; i < bytes.len; i++)
		base_text_add_char(text, bytes.data[i] >= 0x20 && bytes.data[i] < 0x7f ? (char)bytes.data[i] : '?');
}

void base_text_add_quoted(struct base_text *text, struct slice bytes) {
	size_t len = bytes.len < QUOTED_BYTES_MAX ? bytes.len : QUOTED_BYTES_MAX;

	base_text_add_char(text, '\'');
	for (size_t i = 0; i < len; i++)
		base_text_add_char(text, bytes.data[i] < 0x20 || bytes.data[i] == 0x7f ? '?' : (char)bytes.data[i]);
	base_text_add(text, len < bytes.len ? "...'" : "'");
}

void base_text_add_u64(struct base_text *text, uint64_t value) {
	char digits[20];
	size_t pos = sizeof(digits);

	do {
		digits[--pos] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	base_text_add_bytes(text, slice_of(digits + pos, sizeof(digits) - pos));
}

void base_text_add_hex(struct base_text *text, struct slice bytes) {
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++) {
		base_text_add_char(text, digits[bytes.data[i] >> 4]);
		base_text_add_char(text, digits[bytes.data[i] & 15]);
	}
}

void base_text_addf(struct base_text *text, const char *format, ...) {
	size_t room = text->cap - text->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text->buf + text->len, room, format, args);
	va_end(args);
	if (len < 0) {
		text->buf[text->len] = '\0';
		text->truncated = true;
	} else if ((size_t)len >= room) {
		text->len = text->cap - 1;
		text->truncated = true;
	} else {
		text->len += (size_t)len;
	}
}

int base_parse_u64(const char *string, size_t len, uint64_t max, uint64_t *ret) {
	uint64_t value = 0;

	if (len == 0)
		return BASE_E_SYNTAX;
	for (size_t i = 0; i < len; i++) {
		if (string[i] < '0' || string[i] > '9')
			return BASE_E_SYNTAX;
	}
	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(string[i] - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return BASE_E_RANGE;
		value = value * 10 + digit;
	}
	if (value > max)
		return BASE_E_RANGE;
	*ret = value;
	return 0;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int base_parse_hex(const char *string, size_t string_len, uint8_t *ret, size_t len) {
	if (string_len != 2 * len)
		return BASE_E_SYNTAX;
	for (size_t i = 0; i < string_len; i++) {
		if (hex_digit(string[i]) < 0)
			return BASE_E_SYNTAX;
	}
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t)(hex_digit(string[2 * i]) << 4 | hex_digit(string[2 * i + 1]));
	return 0;
}
