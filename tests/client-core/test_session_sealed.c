/* A session in a room with a key, with a cipher that only writes down what it was asked: the real one has its own
 * tests. */
#include "base/error.h"
#include "client-core/session_internal.h"
#include "proto/ether.h"
#include "tests/client-core/harness.h"
#include "tests/unit.h"

#include <string.h>

#define PEER 9

/* "Sealed" means: each byte of the payload turned round, the tag zeros. */
struct fake_peer {
	struct ctrl_peer told;
	unsigned opened;
};

static struct fake {
	uint8_t lives;
	int begin_result, seal_result, peer_result, open_result;
	struct proto_mac mac;
	uint16_t flow;
	uint64_t counter;
	unsigned peers;
	struct fake_peer slots[4];
} fake;

static struct harness h;
static uint8_t buf[2048];

static void turn(uint8_t *dest, struct slice payload) {
	for (size_t i = 0; i < payload.len; i++)
		dest[i] = (uint8_t)~payload.data[i];
}

static int fake_begin(void *user, enum ctrl_role role, struct proto_mac mac, uint8_t ret_salt[static CTRL_SALT_BYTES]) {
	assert_ptr_equal(user, &fake);
	assert_int_equal(role, CTRL_ROLE_CLIENT);
	fake.mac = mac;
	memset(ret_salt, ++fake.lives, CTRL_SALT_BYTES);
	return fake.begin_result;
}

static int fake_seal(void *user, uint32_t source_peer, struct slice frame, uint16_t flow, size_t budget,
                     uint8_t *dest) {
	int err = proto_sealed_encode_clear(dest, source_peer, frame, flow, fake.counter++, budget);

	assert_ptr_equal(user, &fake);
	if (err != 0 || fake.seal_result != 0)
		return err != 0 ? err : fake.seal_result;
	fake.flow = flow;
	turn(dest + PROTO_SEALED_CLEAR_BYTES, slice_of(frame.data + 14, frame.len - 14));
	memset(dest + PROTO_SEALED_CLEAR_BYTES + frame.len - 14, 0, PROTO_SEALED_TAG_BYTES);
	return 0;
}

static int fake_peer_new(void *user, const struct ctrl_peer *told, void **ret_peer) {
	assert_ptr_equal(user, &fake);
	if (fake.peer_result != 0)
		return fake.peer_result;
	assert_true(fake.peers < 4);
	fake.slots[fake.peers] = (struct fake_peer){.told = *told};
	*ret_peer = &fake.slots[fake.peers++];
	return 0;
}

static void fake_peer_free(void *user, void *peer) {
	assert_ptr_equal(user, &fake);
	if (peer != NULL)
		fake.peers--;
}

static int fake_open(void *user, void *peer, const struct proto_sealed *sealed, uint8_t *dest) {
	struct fake_peer *known = peer;

	assert_ptr_equal(user, &fake);
	known->opened++;
	if (fake.open_result != 0)
		return fake.open_result;
	memcpy(dest, sealed->ethernet.data, 14);
	turn(dest + 14, slice_of(sealed->sealed.data, sealed->sealed.len - PROTO_SEALED_TAG_BYTES));
	return 0;
}

static const struct client_cipher cipher = {fake_begin, fake_seal, fake_peer_new, fake_peer_free, fake_open};

static int setup(void **state) {
	(void)state;
	fake = (struct fake){.lives = 0};
	harness_init(&h);
	h.config.cipher = &cipher;
	h.config.cipher_user = &fake;
	memset(h.config.room_key, 0xab, sizeof(h.config.room_key));
	return 0;
}

static int teardown(void **state) {
	(void)state;
	harness_done(&h);
	assert_int_equal(fake.peers, 0);
	return 0;
}

static void say_welcome(bool sealed) {
	struct ctrl_message message = {
	    .type = CTRL_WELCOME,
	    .welcome = {.version = CTRL_PROTOCOL_VERSION, .peer_id = 7, .mtu = 1380, .sealed = sealed},
	};

	harness_say(&h, &message);
}

static void say_peer(uint32_t id, uint8_t salt) {
	struct ctrl_message message = {.type = CTRL_PEER_JOINED, .peer_joined = {.peer_id = id, .role = CTRL_ROLE_GATEWAY}};

	memset(message.peer_joined.salt, salt, CTRL_SALT_BYTES);
	harness_say(&h, &message);
}

static void join(void) {
	harness_start(&h);
	harness_hello(&h);
	say_welcome(true);
	assert_int_equal(client_session_state(h.session), CLIENT_JOINED);
}

static uint64_t dropped(enum obs_drop drop) {
	return client_session_counters(h.session)->drop[drop];
}

/* A sealed frame of `len` bytes from `source`; returns the datagram's length. */
static size_t sealed_datagram(uint8_t *datagram, uint32_t source, size_t len) {
	uint8_t frame[2048];

	assert_int_equal(fake_seal(&fake, source, harness_frame(frame, 1, 9, len), 1, 2048, datagram), 0);
	return PROTO_OVERLAY_HEADER_BYTES + len + PROTO_SEALED_BYTES;
}

static void receive(uint32_t source, size_t len) {
	uint8_t datagram[2048];

	client_session_datagram(h.session, slice_of(datagram, sealed_datagram(datagram, source, len)), h.now);
}

static void test_hello_tells_key_and_salt(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_start(&h);
	for (uint8_t life = 1; life <= 2; life++) { /* each with another salt */
		client_session_addresses(h.session, harness_addrs, 1, h.now);
		client_session_connected(h.session, h.now);
		assert_true(harness_sent(&h, &message));
		assert_int_equal(message.type, CTRL_HELLO);
		assert_memory_equal(message.hello.room_key, h.config.room_key, CTRL_KEY_CHECK_BYTES);
		assert_int_equal(message.hello.salt[0], life);
		assert_memory_equal(fake.mac.b, harness_mac, PROTO_MAC_BYTES);
		client_session_lost(h.session, CLIENT_LOSS_RESET, "test", h.now);
		harness_run(&h, 2 * BASE_SECOND);
	}
}

static void test_without_keys_there_is_no_hello(void **state) {
	(void)state;
	fake.begin_result = BASE_E_NOMEM;
	harness_start(&h);
	client_session_addresses(h.session, harness_addrs, 1, h.now);
	client_session_connected(h.session, h.now);
	assert_int_equal(client_session_state(h.session), CLIENT_WAITING);
	assert_int_equal(h.sent_len, 0);
	assert_true(harness_logged(&h, "room key: out of memory"));
}

/* What no room could use is not offered to the relay. */
static void test_smallest_budget(void **state) {
	static const struct {
		size_t budget;
		enum client_state state;
	} cases[] = {{621, CLIENT_WAITING}, {622, CLIENT_JOINING}};

	for (size_t i = 0; i < 2; i++) {
		teardown(state);
		setup(state);
		h.budget = cases[i].budget;
		harness_start(&h);
		client_session_addresses(h.session, harness_addrs, 1, h.now);
		client_session_connected(h.session, h.now);
		assert_int_equal(client_session_state(h.session), cases[i].state);
	}
}

/* An older relay skips what it does not know in the hello, and would forward what everybody can read. */
static void test_relay_without_room_keys(void **state) {
	(void)state;
	harness_start(&h);
	harness_hello(&h);
	say_welcome(false);
	assert_int_equal(client_session_state(h.session), CLIENT_FAILED);
	assert_int_equal(h.status, CLIENT_EXIT_REJECTED);
	assert_string_equal(h.why, "the relay does not know room keys");
	assert_int_equal(h.joins, 0);
}

static void test_welcome_to_another_room(void **state) {
	(void)state;
	h.config.cipher = NULL;
	harness_start(&h);
	harness_hello(&h);
	say_welcome(true);
	assert_int_equal(client_session_state(h.session), CLIENT_WAITING);
	assert_true(harness_logged(&h, "welcome.sealed: we have no room key"));
}

static void test_peer_without_salt(void **state) {
	(void)state;
	join();
	harness_say_json(&h, "{\"type\":\"peer_joined\",\"peer_id\":9,\"role\":\"gateway\"}");
	assert_int_equal(client_session_state(h.session), CLIENT_WAITING);
	assert_true(harness_logged(&h, "peer_joined.salt: missing"));
}

static void test_send(void **state) {
	struct proto_sealed sealed;
	struct slice payload;
	uint16_t flow;

	(void)state;
	join();
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 100), h.now), 0);
	assert_true(client_session_next(h.session, &payload, h.now));
	assert_int_equal(proto_sealed_decode(payload, &sealed), 0);
	assert_int_equal(sealed.source_peer, 7);
	assert_int_equal(sealed.frame_len, 100);
	assert_int_equal(sealed.flow, fake.flow);
	assert_memory_equal(sealed.ethernet.data, buf, 14);
	client_session_taken(h.session, true, h.now);
	flow = fake.flow;
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 60), h.now), 0);
	assert_int_equal(fake.flow, flow); /* the same flow, the same label */
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 8, 1, 60), h.now), 0);
	assert_int_not_equal(fake.flow, flow);
}

static void test_send_refusals(void **state) {
	(void)state;
	join();
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 1394), h.now), 0);
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 1395), h.now), OBS_DROP_TAP_MTU);
	assert_int_equal(client_session_encoded(h.session, 100), 132);
	h.budget = 1000;
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 968), h.now), 0);
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 969), h.now), OBS_DROP_DATAGRAM_BUDGET);
	fake.seal_result = BASE_E_TLS;
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 60), h.now), OBS_DROP_BAD_DATAGRAM);
	assert_int_equal(queue_pool_available(h.session->pool), 2048 - 2); /* refused ones went back */
}

static void test_receive(void **state) {
	uint8_t frame[2048];

	(void)state;
	join();
	receive(PEER, 60); /* nobody has announced it */
	assert_int_equal(dropped(OBS_DROP_UNKNOWN_PEER), 1);
	say_peer(PEER, 5);
	assert_int_equal(fake.slots[0].told.salt[0], 5);
	receive(PEER, 60);
	assert_int_equal(h.frames, 1);
	assert_int_equal(h.frame_source, PEER);
	assert_int_equal(h.frame_len, 60);
	assert_memory_equal(h.frame, harness_frame(frame, 1, 9, 60).data, 60);
	receive(7, 60); /* our own: not even tried */
	assert_int_equal(dropped(OBS_DROP_REFLECTION), 1);
	fake.open_result = BASE_E_EXISTS;
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_REPLAY), 1);
	fake.open_result = BASE_E_INVALID;
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_NOT_OPENED), 1);
	fake.open_result = BASE_E_TLS;
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_NOT_OPENED), 2);
	fake.open_result = BASE_E_NOMEM;
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_NO_BUFFER), 1);
	assert_int_equal(h.frames, 1);
	assert_int_equal(fake.slots[0].opened, 5);
}

/* What the relay could have written itself is not taken, nor what does not fit. */
static void test_receive_refuses(void **state) {
	uint8_t datagram[4096];

	(void)state;
	join();
	say_peer(PEER, 5);
	harness_frame(datagram + PROTO_OVERLAY_HEADER_BYTES, 1, 9, 60);
	assert_int_equal(proto_overlay_encode_header(datagram, PEER, 60, sizeof(datagram)), 0);
	client_session_datagram(h.session, slice_of(datagram, 68), h.now);
	assert_int_equal(dropped(OBS_DROP_BAD_DATAGRAM), 1);
	receive(PEER, QUEUE_FRAME_BYTES_MAX);
	assert_int_equal(h.frames, 1);
	receive(PEER, QUEUE_FRAME_BYTES_MAX + 1);
	assert_int_equal(dropped(OBS_DROP_BAD_DATAGRAM), 2);
	for (size_t len = 0; len < sealed_datagram(datagram, PEER, 60); len++)
		client_session_datagram(h.session, slice_of(datagram, len), h.now);
	assert_int_equal(dropped(OBS_DROP_BAD_DATAGRAM), 2 + 92);
	assert_int_equal(h.frames, 1);
}

static void test_sealed_without_key_is_refused(void **state) {
	(void)state;
	h.config.cipher = NULL;
	harness_start(&h);
	harness_hello(&h);
	say_welcome(false);
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_BAD_DATAGRAM), 1);
	assert_int_equal(h.frames, 0);
}

static void test_keys_of_peers_live_as_long_as_they(void **state) {
	(void)state;
	join();
	say_peer(PEER, 5);
	say_peer(PEER + 1, 6);
	say_peer(PEER, 5); /* told twice */
	assert_int_equal(fake.peers, 2);
	harness_say_json(&h, "{\"type\":\"peer_left\",\"peer_id\":9,\"reason\":\"quit\"}");
	assert_int_equal(fake.peers, 1);
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_UNKNOWN_PEER), 1);
	/* Nor does a place in the table keep any for whom it is given to next. */
	for (size_t i = 0; i < CLIENT_PEERS_MAX; i++) {
		say_peer(PEER, 5);
		harness_say_json(&h, "{\"type\":\"peer_left\",\"peer_id\":9,\"reason\":\"quit\"}");
	}
	client_session_lost(h.session, CLIENT_LOSS_RESET, "test", h.now);
	assert_int_equal(fake.peers, 0);
}

/* The welcome names the gateway, but its frames cannot be read before it is announced. */
static void test_gateway_of_the_welcome(void **state) {
	struct ctrl_message message = {
	    .type = CTRL_WELCOME,
	    .welcome = {.version = 1, .peer_id = 7, .mtu = 1380, .gateway = true, .gateway_peer = PEER, .sealed = true},
	};

	(void)state;
	harness_start(&h);
	harness_hello(&h);
	harness_say(&h, &message);
	receive(PEER, 60);
	assert_int_equal(dropped(OBS_DROP_UNKNOWN_PEER), 1);
	say_peer(PEER, 5);
	receive(PEER, 60);
	assert_int_equal(h.frames, 1);
}

static void test_peer_that_cannot_be_read(void **state) {
	(void)state;
	join();
	fake.peer_result = BASE_E_NOMEM;
	say_peer(PEER, 5);
	assert_int_equal(client_session_state(h.session), CLIENT_WAITING);
	assert_true(harness_logged(&h, "no keys for peer 9: out of memory"));
	assert_int_equal(h.peers_joined, 0);
}

/* With more peers than can be told from their replays a party goes on with those that it knows. */
static void test_peer_too_many(void **state) {
	(void)state;
	join();
	fake.peer_result = BASE_E_FULL;
	say_peer(PEER, 5);
	assert_int_equal(client_session_state(h.session), CLIENT_JOINED);
	assert_true(harness_logged(&h, "peer_unheard"));
	receive(PEER, 60);
	assert_int_equal(h.frames, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_hello_tells_key_and_salt),
	    TEST(test_without_keys_there_is_no_hello),
	    TEST(test_smallest_budget),
	    TEST(test_relay_without_room_keys),
	    TEST(test_welcome_to_another_room),
	    TEST(test_peer_without_salt),
	    TEST(test_send),
	    TEST(test_send_refusals),
	    TEST(test_receive),
	    TEST(test_receive_refuses),
	    TEST(test_sealed_without_key_is_refused),
	    TEST(test_keys_of_peers_live_as_long_as_they),
	    TEST(test_gateway_of_the_welcome),
	    TEST(test_peer_that_cannot_be_read),
	    TEST(test_peer_too_many),
	};

	return cmocka_run_group_tests_name("client-core/session_sealed", tests, NULL, NULL);
}
