/* tests/link/owner.h: an owner that writes down what its session tells it. */
#ifndef TESTS_LINK_OWNER_H
#define TESTS_LINK_OWNER_H

#include "client-core/session.h"

struct owner {
	size_t joins, losses, ends, frames, peers_joined, peers_left;
	struct ctrl_welcome welcome;
	enum client_exit status;
	char why[400];
	uint32_t frame_source;
	size_t frame_len;
	uint8_t frame[2048];
};

extern const struct client_events owner_events;

struct client_config owner_config(uint8_t last_mac_octet);
/* A frame to ..:dst from ..:src of a type for local experiments. */
struct slice owner_frame(uint8_t *buf, uint8_t dst, uint8_t src, size_t len);

#endif
