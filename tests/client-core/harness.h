/* tests/client-core/harness.h: a session with a transport and an owner that only write down what happens, in virtual
 * time. The test plays the relay: it says messages and reads what the session said. */
#ifndef TESTS_CLIENT_CORE_HARNESS_H
#define TESTS_CLIENT_CORE_HARNESS_H

#include "client-core/session.h"
#include "ctrl/stream.h"

#define HARNESS_LOG_BYTES 262144
#define HARNESS_SENT_BYTES 65536

struct harness {
	struct client_config config; /* changed before harness_start */
	struct client_session *session;
	struct obs_log *log;
	uint64_t now;

	/* Transport. */
	int open_result, control_result;
	size_t opens, closes, wakes;
	struct base_addr opened; /* the last one */
	uint8_t steer_byte;
	unsigned close_code;
	char close_text[200];
	bool flushed, settled;
	size_t budget;
	uint8_t sent[HARNESS_SENT_BYTES]; /* control bytes not yet read by harness_sent */
	size_t sent_len;

	/* Events. */
	size_t resolves, joins, losses, ends, frames, peers_joined, peers_left, gateway_news;
	bool resolve_at_once;    /* answer from inside the event */
	struct client_peer peer; /* of the last event */
	enum ctrl_leave_reason reason;
	uint32_t frame_source;
	uint8_t frame[2048];
	size_t frame_len;
	enum client_exit status;
	char why[400];

	char lines[HARNESS_LOG_BYTES];
	size_t lines_len;
};

extern const uint8_t harness_mac[6];
extern const struct base_addr harness_addrs[3];

/* A client of ROOM1 with retries, a budget of 1440 that is settled; nothing started. */
void harness_init(struct harness *h);
void harness_done(struct harness *h);
/* Both, for the next case of a table. */
void harness_reset(struct harness *h);
/* Makes the session from h->config and starts it. */
void harness_start(struct harness *h);
/* Runs ticks at the session's deadlines up to now + ns. Fails the test when a deadline does not move on. */
void harness_run(struct harness *h, uint64_t ns);
/* From RESOLVING to JOINING: addresses, connection, hello (taken out of h->sent). */
void harness_hello(struct harness *h);
/* And on to JOINED as peer 7 with an MTU of 1400, without gateway. */
void harness_join(struct harness *h);

void harness_say(struct harness *h, const struct ctrl_message *message);
void harness_say_json(struct harness *h, const char *json);
void harness_peer_joined(struct harness *h, uint32_t id, enum ctrl_role role, uint8_t last_octet);
/* The next message that the session sent; false when there is none. */
bool harness_sent(struct harness *h, struct ctrl_message *ret);
bool harness_logged(const struct harness *h, const char *text);
/* A frame with the addresses 02:00:00:00:00:xx and a type for local experiments, filled to `len`. */
struct slice harness_frame(uint8_t *buf, uint8_t dst, uint8_t src, size_t len);

#endif
