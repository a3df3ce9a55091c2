/* quic/control.c: the send buffer of the control stream. Knows nothing of packets. */
#include "quic/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_MIN 2048 /* small messages share a chunk */

void quic_control_init(struct quic_control *control) {
	*control = (struct quic_control){.stream_id = -1};
}

void quic_control_done(struct quic_control *control) {
	for (struct quic_chunk *chunk = control->head, *next; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	quic_control_init(control);
}

static struct quic_chunk *append_chunk(struct quic_control *control, size_t len) {
	size_t cap = len > CHUNK_BYTES_MIN ? len : CHUNK_BYTES_MIN;
	struct quic_chunk *chunk = malloc(sizeof(*chunk) + cap);

	if (chunk == NULL)
		return NULL;
	*chunk = (struct quic_chunk){.cap = cap};
	if (control->tail != NULL)
		control->tail->next = chunk;
	else
		control->head = chunk;
	control->tail = chunk;
	return chunk;
}

int quic_control_push(struct quic_control *control, struct slice bytes) {
	struct quic_chunk *chunk = control->tail;

	if (bytes.len == 0)
		return 0;
	if (bytes.len > QUIC_CONTROL_SEND_MAX - control->bytes)
		return BASE_E_FULL;
	if (chunk == NULL || chunk->cap - chunk->len < bytes.len) {
		chunk = append_chunk(control, bytes.len);
		if (chunk == NULL)
			return BASE_E_NOMEM;
	}
	if (control->unsent == NULL) {
		control->unsent = chunk;
		control->unsent_offset = chunk->len;
	}
	memcpy(chunk->data + chunk->len, bytes.data, bytes.len);
	chunk->len += bytes.len;
	control->bytes += bytes.len;
	return 0;
}

bool quic_control_has_unsent(const struct quic_control *control) {
	return control->unsent != NULL;
}

struct slice quic_control_unsent(const struct quic_control *control) {
	return slice_of(control->unsent->data + control->unsent_offset, control->unsent->len - control->unsent_offset);
}

void quic_control_sent(struct quic_control *control, size_t len) {
	if (len == 0)
		return;
	assert(control->unsent != NULL && len <= control->unsent->len - control->unsent_offset);
	control->unsent_offset += len;
	if (control->unsent_offset == control->unsent->len) {
		control->unsent = control->unsent->next;
		control->unsent_offset = 0;
	}
}

void quic_control_acked(struct quic_control *control, size_t len) {
	assert(len <= control->bytes);
	control->bytes -= len;
	while (len > 0) {
		struct quic_chunk *chunk = control->head;
		size_t part = chunk->len - control->head_acked;

		if (len < part) {
			control->head_acked += len;
			return;
		}
		len -= part;
		control->head = chunk->next;
		control->head_acked = 0;
		if (control->head == NULL)
			control->tail = NULL;
		free(chunk);
	}
}
